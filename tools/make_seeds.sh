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

targets=${*:-pool_fuzz pool_vs_slow_fuzz slab_fuzz slab_image_fuzz trace_fuzz}
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
        (le 1 $geometry && patch 0 8 2 255) >"$dir/geometry_${geometry}_start"
        (le 1 $geometry && patch 9999 8 3 0) >"$dir/geometry_${geometry}_pages"
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
