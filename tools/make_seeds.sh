#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes corpus/<target>/ anew from tools/seeds, the recorded traces and random programs.
# usage: tools/make_seeds.sh [TARGET...]; BAZEL="bazel --output_user_root=..." uses another Bazel.
# Seeds by hand are all kept, of the others those that libFuzzer's merge finds to add something.
# corpus/<target>/regress is left alone. The same sources make the same corpus.
set -eu
cd "$(dirname "$0")/.."

bazel=${BAZEL:-./bazelw}
rounds=600     # of soak, each a candidate
max_bytes=4096 # of a candidate
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

targets=${*:-pool_fuzz pool_vs_slow_fuzz rbtree_fuzz slab_fuzz slab_image_fuzz trace_fuzz}
labels=//tools:slabmill
for target in $targets; do
    labels="$labels //fuzz:${target}_bin"
done
# shellcheck disable=SC2086
$bazel build $labels
bin=$($bazel info bazel-bin 2>/dev/null)
mill=$bin/tools/slabmill

# le COUNT VALUE: so many bytes, the lowest first.
le()
{
    n=$1
    v=$2
    while [ "$n" -gt 0 ]; do
        # shellcheck disable=SC2059
        printf "\\$(printf %03o $((v & 255)))"
        v=$((v >> 8))
        n=$((n - 1))
    done
}

# patch OFFSET LENGTH MANNER VALUE: a record of slab_image_fuzz (harness/fuzz.h).
patch()
{
    le 4 "$1" && le 1 $(($2 - 1)) && le 1 "$3" && le 2 0 && le 8 "$4"
}

# damage_pages GEOMETRY: in $dir, images with one word changed in the tables of pages. In front of
# the descriptors, of three words each, are 7 words of the header and 6 a class; behind the ten of
# them the bitmap of lengths, one word, then those of chunks.
first_page_word()
{
    i=$1
    set -- 9 51 25 6 20 54
    shift "$i"
    echo $((7 + 6 * $1))
}
damage_pages()
{
    first=$(first_page_word "$1")
    for page in 0 3 9; do
        for field in 0 1 2; do
            word=$((first + 3 * page + field))
            (le 1 "$1" && patch $word 1 0 1) >"$dir/geometry_$1_page_${page}_${field}_bit"
            (le 1 "$1" && patch $word 8 1 -1) >"$dir/geometry_$1_page_${page}_${field}_ones"
        done
    done
    (le 1 "$1" && patch $((first + 30)) 2 0 8) >"$dir/geometry_$1_lengths_bit"
    (le 1 "$1" && patch $((first + 31)) 1 0 4) >"$dir/geometry_$1_chunks_bit"
    (le 1 "$1" && patch $((first + 31)) 8 1 0) >"$dir/geometry_$1_chunks_zero"
}

# Damage to images, by geometry: none; a bit in an open word; words of zeros and of ones; two words
# at once; damage anywhere, the sealed part included.
make_images()
{
    dir=$1
    for geometry in 0 1 2 3 4 5; do
        le 1 $geometry >"$dir/geometry_${geometry}_untouched"
        for word in 0 1 2 3 5 8 13 34; do
            (le 1 $geometry && patch $word 1 0 1) >"$dir/geometry_${geometry}_word_${word}_bit"
            (le 1 $geometry && patch $word 8 1 0) >"$dir/geometry_${geometry}_word_${word}_zero"
            (le 1 $geometry && patch $word 8 1 -1) >"$dir/geometry_${geometry}_word_${word}_ones"
        done
        (le 1 $geometry && patch 4 4 1 3 && patch 9 4 1 2) >"$dir/geometry_${geometry}_two_words"
        damage_pages $geometry
        (le 1 $geometry && patch 0 8 2 255) >"$dir/geometry_${geometry}_start"
        (le 1 $geometry && patch 9999 8 3 0) >"$dir/geometry_${geometry}_pages"
    done
}

# Records of rbtree_fuzz (harness/fuzz_rbtree.h). many KIND FROM TO STEP: items in that order, each
# also the key; tree KIND ITEM KEY VALUE: one.
tree()
{
    le 1 "$1" && le 1 "$2" && le 2 "$3" && le 4 "$4"
}
many()
{
    for item in $(seq "$2" "$4" "$3"); do
        tree "$1" "$item" "$item" 0
    done
}
# scattered KIND STEP: every item once, STEP (odd) apart.
scattered()
{
    for i in $(seq 0 63); do
        tree "$1" $((i * $2 % 64)) $((i * $2 % 64)) 0
    done
}
insert=0 delete=1 find=2 lower_bound=3 walk=4 walk_back=5
list_insert=6 list_touch=7 list_remove=8 list_walk=9
nulls=10 wrong_tree=11 wrong_list=12 tree_copy=13 list_copy=14 hurt=15

# Words of the memory that programs of rbtree_fuzz damage: where things begin, and how long an item
# is.
root=1 n_nodes=2 newest=5 oldest=6 n_listed=7 items=11 item_words=8

make_trees()
{
    dir=$1
    (le 1 15 && many $insert 0 40 1 && many $delete 0 40 1) >"$dir/up_and_away_upwards"
    (le 1 15 && many $insert 0 40 1 && many $delete 40 0 -1) >"$dir/up_and_away_downwards"
    (le 1 15 && many $insert 40 0 -1 && many $delete 0 40 2 && many $delete 1 40 2) \
        >"$dir/down_and_away_by_turns"
    for step in 5 11 21 43; do
        (le 1 15 && scattered $insert 29 && scattered $delete $step) >"$dir/scattered_by_$step"
    done
    (le 1 15 && many $insert 0 60 3 && many $insert 1 60 3 && many $insert 2 60 3 &&
        many $find 0 63 1 && many $lower_bound 0 63 1 && tree $walk 0 0 0 &&
        tree $walk_back 0 0 0) >"$dir/searched_and_walked"
    (le 1 2 && many $insert 0 60 1 && many $find 0 4 1 && many $lower_bound 0 4 1 &&
        many $delete 60 0 -3) >"$dir/equal_keys"
    (le 1 15 && many $insert 0 30 1 && many $insert 0 30 1 && many $insert 128 158 1 &&
        many $insert 160 190 1 && many $delete 128 158 1 && many $delete 0 30 1 &&
        many $delete 0 30 1) >"$dir/twice_and_in_both_trees"
    (le 1 15 && many $list_insert 0 30 1 && many $list_touch 0 30 5 && many $list_insert 0 9 1 &&
        tree $list_walk 0 0 0 && many $list_remove 0 30 2 && many $list_remove 30 0 -1 &&
        many $list_touch 0 9 1) >"$dir/list"
    (le 1 15 && many $insert 0 20 1 && many $list_insert 0 20 1 && many $nulls 0 2 1 &&
        many $wrong_tree 0 25 1 && many $wrong_list 0 25 1 && many $tree_copy 0 25 1 &&
        many $list_copy 0 25 1) >"$dir/misuse_of_every_kind"
    for manner in 0 1 2 3 4 5 6 7; do
        (
            le 1 15
            many $insert 0 12 1
            many $list_insert 0 12 1
            for word in $root $n_nodes $newest $oldest $n_listed; do
                tree $hurt $manner "$word" 3
                tree $walk 0 0 0
            done
            for item in 0 3 5 7 12; do
                for word in 0 1 2 3 4 5 6 7; do
                    tree $hurt $manner $((items + item * item_words + word)) 5
                    tree $list_walk 0 0 0
                done
            done
        ) >"$dir/hurt_in_manner_$manner"
    done
}

# hand TARGET: what was written by hand, as inputs, into $work/hand.
hand()
{
    mkdir -p "$work/hand"
    case $1 in
    pool*) "$mill" seeds tools/seeds/pool/*.trace -o "$work/hand" ;;
    slab_fuzz) "$mill" seeds tools/seeds/slab/*.trace -o "$work/hand" ;;
    slab_image_fuzz) make_images "$work/hand" ;;
    rbtree_fuzz) make_trees "$work/hand" ;;
    trace_fuzz)
        cp tools/seeds/trace/* "$work/hand"
        for trace in corpus/traces/*.trace; do
            head -n 400 "$trace" >"$work/hand/${trace##*/}"
        done
        ;;
    esac
}

# more TARGET: what the merge is to choose from, besides, in $work/more.
more()
{
    mkdir -p "$work/more"
    case $1 in
    pool*)
        "$mill" seeds corpus/traces/*.pool.trace -o "$work/more"
        "$mill" soak --adapter pool --seed 1 --rounds $rounds --save-seeds "$work/more"
        ;;
    slab_fuzz)
        "$mill" seeds corpus/traces/*.slab.trace -o "$work/more"
        "$mill" soak --adapter slab --seed 1 --rounds $rounds --save-seeds "$work/more"
        ;;
    esac
    find "$work/more" -type f -size +${max_bytes}c -exec rm {} +
}

# name_merged DIR: merged files are called by the SHA-1 of their bytes; gives those that are no
# seeds by hand their candidates' names, in DIR.
name_merged()
{
    (cd "$work/more" && find . -type f -exec sha1sum {} +) | sort -k 2 | while read -r sum path; do
        if [ -f "$work/merged/$sum" ]; then
            mv "$work/merged/$sum" "$1/${path##*/}"
        fi
    done
}

for target in $targets; do
    hand "$target"
    more "$target"
    mkdir "$work/merged" "$work/artifacts"
    "$bin/fuzz/${target}_bin" -set_cover_merge=1 -artifact_prefix="$work/artifacts/" \
        "$work/merged" "$work/hand" "$work/more" >"$work/log" 2>&1 || {
        cat "$work/log"
        exit 1
    }
    mkdir -p "corpus/$target"
    find "corpus/$target" -maxdepth 1 -type f -exec rm {} +
    find "$work/hand" -type f -exec cp {} "corpus/$target" \;
    name_merged "corpus/$target"
    n=$(find "corpus/$target" -maxdepth 1 -type f | wc -l)
    echo "$target: $n seeds, $(du -sk "corpus/$target" | cut -f 1) KiB"
    rm -rf "$work/hand" "$work/more" "$work/merged" "$work/artifacts"
done
