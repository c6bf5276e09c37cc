#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes corpus/<target>/ again from tools/seeds, the recorded traces and random programs.
# Usage: tools/make_seeds.sh [TARGET...]; BAZEL="bazel --output_user_root=..." uses another Bazel.
# Keeps all seeds made by hand, and of the others those that add something in libFuzzer's merge.
# Does not change corpus/<target>/regress. The same sources make the same corpus.
set -eu
# shellcheck source=tools/group.sh
. "$(dirname "$0")/group.sh"
cd "$(dirname "$0")/.."

bazel=${BAZEL:-./bazelw}
rounds=600     # of soak; each is a candidate
max_bytes=4096 # the largest candidate
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

all="journal_fuzz lock_fuzz pool_fuzz pool_vs_slow_fuzz rbtree_fuzz slab_fuzz slab_image_fuzz trace_fuzz zone_fuzz"
targets=${*:-$all zone_edge_fuzz zone_image_fuzz zone_table_fuzz zone_threads_fuzz}
labels=//tools/slabmill
for target in $targets; do
    labels="$labels //fuzz:${target}_bin"
done
# shellcheck disable=SC2086
$bazel build $labels
bin=$($bazel info bazel-bin 2>/dev/null)
mill=$bin/tools/slabmill/slabmill

# le COUNT VALUE: writes VALUE as COUNT bytes, the lowest first.
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

# patch OFFSET LENGTH MANNER VALUE: writes a record of slab_image_fuzz
# (fuzz/slab_image/slab_image.h).
patch()
{
    le 4 "$1" && le 1 $(($2 - 1)) && le 1 "$3" && le 2 0 && le 8 "$4"
}

# damage_pages GEOMETRY: makes images in $dir, each with one word changed in the tables of pages.
# The descriptors, of three words each, follow 7 words of the header and 6 of each class. After the
# ten descriptors come the bitmap of lengths, one word, and the bitmaps of chunks.
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
    # A free run becomes pages that growth adds; spans become empty, more than are kept.
    for page in 0 1 2 3 4 5 6 7 8 9; do
        (le 1 "$1" && patch $((first + 3 * page)) 1 0 7) >"$dir/geometry_$1_page_${page}_new"
        (le 1 "$1" && patch $((first + 3 * page)) 1 0 7 && for word in 31 33 35 37 39 41; do
            patch $((first + word)) 8 1 0
        done) >"$dir/geometry_$1_page_${page}_new_and_spare"
    done
    for from in 31 35 39; do
        (le 1 "$1" && for word in 0 1 2 3 4 5 6 7 8; do
            patch $((first + from + word)) 8 1 0
        done) >"$dir/geometry_$1_spare_$from"
    done
    (le 1 "$1" && patch $((first + 30)) 2 0 8) >"$dir/geometry_$1_lengths_bit"
    (le 1 "$1" && patch $((first + 31)) 1 0 4) >"$dir/geometry_$1_chunks_bit"
    (le 1 "$1" && patch $((first + 31)) 8 1 0) >"$dir/geometry_$1_chunks_zero"
}

# Damage to images, by geometry: none; a bit in an open word; words of zeros and of ones; two words
# at once; damage anywhere, even in the sealed part.
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

# shellcheck source=tools/seeds/rbtree.sh
. tools/seeds/rbtree.sh

# Records of zone_fuzz (fuzz/zone/zone.h): zone KIND ACTOR SLOT EXTRA VALUE. It writes one record.
zone()
{
    le 1 "$1" && le 1 "$2" && le 1 "$3" && le 1 "$4" && le 4 "$5"
}
z_lock=0 z_timed=1 z_unlock=2 z_commit=3 z_abort=4 z_alloc=5 z_calloc=6 z_memalign=7 z_free=8
z_free_wrong=9 z_write=10 z_save=11 z_set_root=12 z_reset=13 z_alloc_alone=14 z_free_alone=15
z_grow=16 z_die=17 z_die_within=18 z_force=19 z_reattach=20 z_read=21 z_copy=22 z_trim=23
z_refuse=24

# Twelve objects of all sizes; the first is the root.
zone_objects()
{
    zone $z_lock 0 0 0 0
    for slot in 0 1 2 3 4 5 6 7 8 9 10 11; do
        zone $z_alloc 0 $slot 0 $((slot * slot * 40))
    done
    zone $z_set_root 0 0 0 0
    zone $z_unlock 0 0 0 0
}

# zone_changes ACTOR: one of each kind of change, by an actor that has the lock.
zone_changes()
{
    zone $z_calloc "$1" 20 0 500 && zone $z_memalign "$1" 21 6 100
    zone $z_write "$1" 1 0 77 && zone $z_save "$1" 5 1 88
    zone $z_free "$1" 2 0 0 && zone $z_free "$1" 7 0 0 && zone $z_free "$1" 0 0 0
    zone $z_free_wrong "$1" 3 0 9 && zone $z_set_root "$1" 4 0 0 && zone $z_free "$1" 20 0 0
}

# Actor 1 dies at the N-th point that it reaches from now on.
die_at()
{
    zone $z_die_within 1 0 8 $(($1 - 1))
}

# Another actor repairs, if the lock is free or can be freed. Actor 1, if it lives, gives it back.
next_actor()
{
    zone $z_unlock 1 0 0 0 && zone $z_read 3 0 1 0 && zone $z_force 2 0 0 0 &&
        zone $z_lock 2 0 0 0 && zone $z_unlock 2 0 0 0
}

make_zones()
{
    dir=$1
    for settings in 0 1 2 5 7; do
        begin="le 1 $settings"
        ($begin && zone_objects && zone $z_timed 1 0 1 0 && zone_changes 1 && zone $z_commit 1 0 0 0 &&
            zone $z_alloc 1 30 0 9 && zone $z_abort 1 0 0 0 && zone $z_read 2 0 1 0 &&
            zone $z_unlock 1 0 0 0 && zone $z_unlock 2 0 0 0) >"$dir/turns_$settings"
        for value in 0 1; do
            ($begin && zone_objects && zone $z_lock 1 0 0 0 && zone_changes 1 &&
                zone $z_die 1 0 0 $value && zone $z_read 2 0 1 0 && zone $z_lock 2 0 0 0 &&
                zone $z_force 3 0 0 0 && zone $z_timed 3 0 5 0 && zone_changes 3 &&
                zone $z_unlock 3 0 0 0) >"$dir/death_${value}_$settings"
        done
        ($begin && zone_objects && for point in 1 2 4 7 11 16 22 29; do
            die_at "$point" && zone $z_lock 1 0 0 0 && zone_changes 1 && next_actor
        done) >"$dir/death_within_changes_$settings"
        ($begin && for point in 1 2 3 5 8 13 21 34 55; do
            zone_objects && zone $z_lock 1 0 0 0 && zone_changes 1 && die_at "$point" &&
                zone $z_unlock 1 0 0 0 && next_actor
        done) >"$dir/death_within_unlock_$settings"
        ($begin && for point in 1 2 3 5 8 13 21 34 55; do
            zone_objects && zone $z_lock 1 0 0 0 && zone_changes 1 && zone $z_die 1 0 0 1 &&
                die_at "$point" && zone $z_force 2 0 0 0 && zone $z_lock 1 0 0 0 && next_actor
        done) >"$dir/death_within_repair_$settings"
        ($begin && for point in 1 2 3 5 8 13 21 34; do
            for kind in $z_alloc_alone $z_free_alone $z_grow; do
                zone $z_free_alone 2 9 0 0 && die_at "$point" &&
                    zone "$kind" 1 9 0 $((point * 2000)) && next_actor
            done
            zone_objects && zone $z_lock 1 0 0 0 && zone $z_free 1 3 0 0 && die_at "$point" &&
                zone $z_reset 1 0 0 0 && next_actor
        done) >"$dir/death_within_alone_$settings"
        ($begin && zone_objects && zone $z_lock 1 0 0 0 && for value in $(seq 1 140); do
            zone $z_write 1 5 1 "$value"
        done && zone $z_alloc 1 30 0 8 && zone $z_die 1 0 0 4 && zone $z_lock 1 0 0 0 &&
            zone $z_force 2 0 0 0 && zone $z_lock 2 0 0 0) >"$dir/no_room_$settings"
        ($begin && zone_objects && zone $z_grow 1 0 0 40000 && zone $z_grow 2 0 0 200000 &&
            zone $z_lock 3 0 0 0 && for slot in 20 21 22 23 24 25; do
                zone $z_alloc 3 $slot 0 8990
            done && zone $z_unlock 3 0 0 0 && zone $z_read 0 0 0 0 && zone $z_read 0 0 1 0 &&
            zone $z_grow 0 0 0 98303) >"$dir/growth_$settings"
        ($begin && zone_objects && zone $z_alloc_alone 1 30 0 700 && zone $z_free_alone 2 30 0 0 &&
            zone $z_free_alone 2 3 0 0 && zone $z_lock 3 0 0 0 && zone $z_alloc_alone 3 31 0 8 &&
            zone $z_grow 3 0 0 8 && zone $z_lock 0 0 0 0 && zone $z_reset 3 0 0 0 &&
            zone_changes 3 && zone $z_reattach 0 0 0 0 && zone $z_die 3 0 0 0 &&
            zone $z_alloc_alone 0 5 0 8 && zone $z_force 1 0 0 0 &&
            zone $z_alloc_alone 0 5 0 8) >"$dir/alone_$settings"
        ($begin && zone_objects && for n in 0 1 2 3 4 5 6 7; do
            zone $z_copy 1 0 "$n" $((n * 77777 + settings))
        done && zone $z_lock 1 0 0 0 && zone_changes 1 && zone $z_copy 1 0 3 5 &&
            zone $z_copy 2 0 3 5 && zone $z_die 1 0 0 1 && zone $z_force 2 0 0 0 &&
            zone $z_copy 2 0 7 9) >"$dir/copies_$settings"
        ($begin && zone_objects && zone $z_trim 1 0 0 0 && zone $z_lock 1 0 0 0 &&
            zone $z_trim 1 0 0 0 && zone $z_trim 2 0 0 0 && zone_changes 1 &&
            zone $z_alloc 1 30 0 8900 && zone $z_memalign 1 31 9 5000 && zone $z_alloc 1 32 0 0 &&
            zone $z_unlock 1 0 0 0 && zone $z_free_alone 2 9 0 0 && zone $z_trim 0 0 0 0 &&
            zone $z_copy 0 0 7 3 && zone $z_alloc_alone 3 33 0 8900 &&
            zone $z_grow 3 0 0 60000 && zone $z_trim 1 0 0 0 && for point in 1 3 6 10 15 21; do
                die_at "$point" && zone $z_trim 1 0 0 0 && next_actor
            done) >"$dir/trims_$settings"
        ($begin && zone_objects && zone $z_refuse 1 1 0 1001 && zone $z_lock 1 0 0 0 &&
            zone_changes 1 && zone $z_refuse 2 5 1 9 && zone $z_die 1 0 0 1 &&
            zone $z_refuse 2 5 2 16 && next_actor && zone $z_refuse 2 5 3 7 &&
            zone $z_grow 1 0 0 60000 && zone $z_alloc_alone 3 30 0 8000 &&
            zone $z_refuse 0 30 0 77 && for point in 2 5 9 17 30; do
                zone_objects && zone $z_lock 1 0 0 0 && zone_changes 1 && die_at "$point" &&
                    zone $z_unlock 1 0 0 0 && zone $z_refuse 3 1 0 $((point * 8)) && next_actor &&
                    zone $z_refuse 3 1 0 5
            done) >"$dir/readers_$settings"
    done
}

# Records of zone_edge_fuzz (fuzz/zone/edge.h) are made by `zone` too: operation, who, what, extra,
# value. choose ZONE FIELD CHOICE changes one option of the configuration.
e_configure=0 e_apply=1 e_share=2 e_server_dies=3 e_open=4 e_attach=5 e_import=6 e_adopt=7
e_detach=8 e_hold=9 e_change=10 e_release=11 e_die=12 e_grow=13 e_verify=14 e_remove=15
e_rename=16 e_copy=17 e_list=18 e_image=19
f_on=0 f_name=1 f_path=2 f_kind=3 f_bytes=5 f_lock_path=10 f_no_reuse=11
f_version=12 f_upgrade=13 f_init=14
n_choices="2 3 6 3 4 6 4 4 4 3 3 2 3 3 3"
choose()
{
    zone $e_configure 0 "$1" "$2" "$3"
}

# use VIEW: a turn that commits, with an object of 800 bytes that becomes the root.
use()
{
    zone $e_hold "$1" 0 0 800 && zone $e_change "$1" 0 5 0 && zone $e_release "$1" 0 0 1
}

# A zone with content in the set of server 0, and a view of it.
served()
{
    choose 1 $f_on 1 && choose 2 $f_on 1 && zone $e_apply 0 0 0 0 && zone $e_attach 0 0 0 0 && use 0
}

# Each option changes, in a reload and in an open, and changes back.
make_reloads()
{
    field=0
    for n_of_field in $n_choices; do
        choice=1
        while [ $choice -lt "$n_of_field" ]; do
            (
                le 1 $((field == f_lock_path ? 2 : 0))
                [ $field -ne $f_upgrade ] || choose 0 $f_init 1
                served && choose 0 $field $choice
                [ $field -ne $f_upgrade ] || choose 0 $f_version 1
                zone $e_apply 0 0 0 0 && zone $e_open 1 0 0 0 && zone $e_verify 0 0 0 0
                choose 0 $field 0 && zone $e_apply 0 0 0 0 && zone $e_apply 1 0 0 0
                zone $e_open 2 0 0 0 && use 1 && zone $e_image 0 0 0 0
                zone $e_grow 0 0 0 110000 && use 2 && zone $e_apply 0 0 1 0
            ) >"$dir/option_${field}_$choice"
            choice=$((choice + 1))
        done
        field=$((field + 1))
    done
}

# What each of these undoes or refuses, and what it must leave.
make_refusals()
{
    for field in $f_name $f_path $f_lock_path; do
        choice=$((field == f_name ? 2 : field == f_path ? 5 : 0))
        (le 1 2 && choose 1 $field $choice && zone $e_apply 0 0 0 0 && choose 0 $f_lock_path 2 &&
            zone $e_apply 0 0 0 0) >"$dir/declared_twice_$field"
    done
    (le 1 0 && served && choose 0 $f_bytes 3 && choose 0 $f_init 2 && zone $e_apply 0 0 0 0 &&
        choose 0 $f_version 1 && choose 0 $f_upgrade 1 && zone $e_apply 0 0 0 0 &&
        choose 0 $f_upgrade 2 && zone $e_open 1 0 0 0) >"$dir/growth_and_upgrade_undone"
    (le 1 0 && choose 0 $f_on 1 && zone $e_apply 0 0 0 0 && choose 0 $f_on 0 &&
        choose 1 $f_no_reuse 1 && zone $e_apply 0 0 0 0 && zone $e_open 0 0 0 0) >"$dir/name_taken"
    (le 1 0 && choose 0 $f_version 2 && served && zone $e_detach 0 0 0 0 &&
        for expected in 4 16 96 10; do
            zone $e_attach 2 0 $expected 0 && zone $e_detach 2 0 0 0
        done && for version in 1 2 3 4 7; do
            zone $e_attach 2 0 0 $version && zone $e_detach 2 0 0 0
        done) >"$dir/attach_expects_another"
    (le 1 0 && served && zone $e_hold 0 0 0 300 && zone $e_image 0 0 0 0 &&
        zone $e_release 0 0 0 0 && zone $e_server_dies 0 0 0 0 && zone $e_apply 1 0 0 0) \
        >"$dir/server_is_dead"
    (le 1 0 && served && zone $e_copy 0 1 0 0 && choose 0 $f_path 1 &&
        zone $e_apply 1 0 0 0) >"$dir/server_of_the_original"
    (le 1 0 && zone $e_share 0 0 1 0 && served && zone $e_apply 1 0 0 0) >"$dir/server_shares"
    (le 1 0 && served && zone $e_share 1 0 1 0 && zone $e_apply 1 0 0 0 && choose 0 $f_on 1 &&
        zone $e_apply 1 0 0 0 && choose 0 $f_on 0 && zone $e_share 1 0 0 0 &&
        zone $e_apply 1 0 0 0 && choose 0 $f_on 1 && zone $e_apply 0 0 0 0 && choose 0 $f_on 0 &&
        zone $e_apply 1 0 0 0) >"$dir/server_leaves"
}

make_edges()
{
    dir=$1
    make_reloads
    for lock in 0 1 2; do
        begin="le 1 $lock"
        ($begin && zone $e_apply 0 0 0 0 && zone $e_apply 1 0 1 0 && zone $e_share 1 0 1 0 &&
            zone $e_apply 1 0 0 0 && zone $e_share 1 0 0 0 && zone $e_server_dies 0 0 0 0 &&
            zone $e_apply 1 0 0 0 && choose 1 $f_on 1 && zone $e_apply 1 0 0 0 &&
            zone $e_apply 0 0 0 0) >"$dir/servers_$lock"
        ($begin && served && zone $e_hold 0 0 0 300 && zone $e_hold 1 0 0 0 &&
            zone $e_attach 2 0 0 0 && zone $e_hold 2 0 0 0 && zone $e_apply 0 0 0 0 &&
            zone $e_open 3 0 0 0 && zone $e_image 2 0 0 0 && zone $e_copy 0 1 0 0 &&
            zone $e_die 0 0 0 0 && zone $e_image 2 0 0 0 && zone $e_attach 3 1 0 0 &&
            zone $e_image 3 0 0 0 && zone $e_apply 0 0 0 0) >"$dir/holder_dies_$lock"
        ($begin && served && zone $e_import 1 0 0 0 && zone $e_adopt 1 1 0 0 &&
            zone $e_apply 1 0 0 0 && zone $e_adopt 0 0 0 0 && zone $e_release 0 0 0 0 &&
            zone $e_grow 0 0 0 150000 && zone $e_grow 0 0 0 200000 && use 0 &&
            zone $e_detach 0 0 0 0 && choose 0 $f_bytes 3 && zone $e_apply 1 0 0 0 &&
            zone $e_attach 2 3 1 0 && zone $e_verify 2 0 0 0) >"$dir/passed_on_$lock"
        ($begin && served && zone $e_copy 0 1 0 0 && zone $e_attach 2 1 0 0 && use 2 &&
            zone $e_rename 1 0 0 0 && zone $e_verify 0 0 0 0 && zone $e_apply 0 0 0 0 &&
            zone $e_import 1 0 0 0 && zone $e_remove 2 0 1 0 && zone $e_remove 0 0 0 0 &&
            zone $e_list 0 0 0 0 && zone $e_apply 0 0 0 0 && choose 0 $f_no_reuse 1 &&
            zone $e_apply 0 0 0 0 && zone $e_verify 2 0 0 0) >"$dir/names_$lock"
    done
    make_refusals
    for kind in 1 2; do
        (le 1 0 && choose 0 $f_kind $kind && zone $e_open 0 0 0 0 && use 0 &&
            zone $e_import 1 0 0 0 && zone $e_import 2 0 38 3 && use 1 && zone $e_image 0 0 0 0 &&
            zone $e_adopt 0 1 0 0 && zone $e_apply 0 0 0 0 && zone $e_apply 0 0 1 0 &&
            zone $e_hold 0 0 0 8 && zone $e_release 0 0 0 0 && zone $e_remove 0 0 1 0) \
            >"$dir/unnamed_$kind"
    done
}

# image SETTINGS CUT: the head of an input of zone_image_fuzz; `patch` makes its records.
image()
{
    le 1 "$1" && le 1 "$2"
}

# Words of each part with inverted bits, zeros and ones, for each log; header words sealed again;
# cut zones.
make_zone_images()
{
    dir=$1
    for log in 0 4 8 12; do
        for shape in 0 1; do
            image $((log + shape)) 0 >"$dir/log_${log}_${shape}_untouched"
            (image $((log + shape)) 1) >"$dir/log_${log}_${shape}_cut"
        done
        for word in 0 1 2 3 4 5 6 7 8 11; do
            (image $log 0 && patch $((word * 8)) 8 3 -1) >"$dir/log_${log}_journal_${word}_ones"
            (image $log 0 && patch $((word * 8)) 8 3 0) >"$dir/log_${log}_journal_${word}_zero"
            (image $log 0 && patch $((word * 8)) 2 2 4096) >"$dir/log_${log}_journal_${word}_bits"
        done
        for word in 12 13 14 20 25 40 60 90 200; do
            (image $log 0 && patch $((word * 8)) 8 5 -1) >"$dir/log_${log}_slab_${word}_ones"
            (image $log 0 && patch $((word * 8)) 1 4 1) >"$dir/log_${log}_slab_${word}_bit"
        done
    done
    for word in 0 1 2 3 4 5 6 7 15 23 24 25 26 32 33 34; do
        (image 2 0 && patch $((word * 8)) 1 0 1) >"$dir/header_${word}_bit"
        (image 2 0 && patch $((word * 8)) 8 1 -1) >"$dir/header_${word}_ones"
        (image 2 0 && patch $((word * 8)) 8 1 0) >"$dir/header_${word}_zero"
    done
    (image 12 0 && patch 50000 8 7 -1 && patch 60000 8 6 255) >"$dir/pages"
}

# Records of zone_threads_fuzz (fuzz/zone_threads/threads.h) are made by `zone` too: operation,
# thread, slot, extra, value. each KINDS...: these operations by each of four threads, with
# different slots and values.
t_lock=0 t_try=1 t_timed=2 t_unlock=3 t_commit=4 t_abort=5 t_alloc=6 t_calloc=7 t_memalign=8
t_free=9 t_write=10 t_save=11 t_count=12 t_add=13 t_remove=14 t_touch=15 t_find=16 t_out=17
t_in=18 t_walk=19 t_check=20 t_alloc_alone=21 t_free_alone=22 t_read=23 t_look=24 t_grow=25
t_pause=26 t_copy=27 t_trim=28
each()
{
    for thread in 0 1 2 3; do
        i=0
        for kind in "$@"; do
            zone "$kind" $thread $((i / 2)) $((i % 4)) $((thread * 400 + i * 60))
            i=$((i + 1))
        done
    done
}
# again N COMMAND...: runs the command N times.
again()
{
    n_times=$1
    shift
    for _ in $(seq "$n_times"); do
        "$@"
    done
}

make_threads()
{
    dir=$1
    for settings in 0 2 5 9 18 30; do
        begin="le 1 $settings"
        ($begin && again 8 each $t_lock $t_count $t_unlock) >"$dir/counters_$settings"
        ($begin && again 4 each $t_lock $t_add $t_add $t_find $t_touch $t_out $t_in $t_walk \
            $t_remove $t_unlock) >"$dir/entries_$settings"
        ($begin && again 4 each $t_lock $t_alloc $t_calloc $t_calloc $t_memalign $t_memalign \
            $t_write $t_save $t_commit $t_free $t_unlock $t_read) >"$dir/objects_$settings"
        ($begin && again 6 each $t_alloc_alone $t_alloc_alone $t_alloc_alone $t_free_alone \
            $t_free_alone) >"$dir/alone_$settings"
        ($begin && again 4 each $t_lock $t_add $t_alloc $t_count $t_commit $t_remove $t_free \
            $t_count $t_abort $t_read $t_unlock) >"$dir/aborts_$settings"
        ($begin && again 8 each $t_try $t_count $t_unlock $t_timed $t_count $t_unlock $t_pause) \
            >"$dir/impatient_$settings"
    done
    for settings in 0 2 5 18; do
        begin="le 1 $settings"
        ($begin && again 4 each $t_lock $t_add $t_calloc $t_unlock $t_copy $t_lock $t_write \
            $t_count $t_touch $t_unlock $t_free_alone) >"$dir/copies_$settings"
        ($begin && again 4 each $t_alloc_alone $t_trim $t_lock $t_alloc $t_free $t_trim $t_unlock \
            $t_copy $t_free_alone) >"$dir/trims_$settings"
    done
    for settings in 2 6; do
        begin="le 1 $settings"
        ($begin && again 2 each $t_lock $t_lock $t_try $t_timed $t_alloc_alone $t_grow \
            $t_unlock $t_unlock) >"$dir/misuse_of_the_lock_$settings"
        ($begin && again 4 each $t_lock $t_check $t_unlock $t_look $t_lock $t_look $t_unlock) \
            >"$dir/looks_$settings"
        ($begin && each $t_grow $t_alloc_alone && zone $t_grow 0 0 0 30000 &&
            each $t_lock $t_calloc $t_unlock && zone $t_grow 1 0 0 65536 &&
            zone $t_grow 2 0 0 69000) >"$dir/growth_$settings"
        ($begin && each $t_lock && again 3 each $t_count) >"$dir/ends_with_the_lock_$settings"
    done
    for slot in 0 1 2 3 4 5 6 7 8 9 10 11; do
        each_of_a_page $slot
    done >"$work/full"
    (le 1 2 && cat "$work/full") >"$dir/full"
    (le 1 2 && again 5 each $t_lock $t_add $t_add $t_add $t_remove $t_add) >"$dir/log_is_full"
}
# Three thousand bytes for each thread, so that memory runs out.
each_of_a_page()
{
    for thread in 0 1 2 3; do
        zone $t_alloc_alone $thread "$1" 0 2990
    done
}

# shellcheck source=tools/seeds/journal.sh
. tools/seeds/journal.sh
# shellcheck source=tools/seeds/lock.sh
. tools/seeds/lock.sh
# shellcheck source=tools/seeds/table.sh
. tools/seeds/table.sh

# hand TARGET: writes the inputs made by hand into $work/hand.
hand()
{
    mkdir -p "$work/hand"
    case $1 in
    journal_fuzz) make_journals "$work/hand" ;;
    lock_fuzz) make_locks "$work/hand" ;;
    pool*) "$mill" seeds tools/seeds/pool/*.trace -o "$work/hand" ;;
    slab_fuzz) "$mill" seeds tools/seeds/slab/*.trace -o "$work/hand" ;;
    slab_image_fuzz) make_images "$work/hand" ;;
    rbtree_fuzz) make_trees "$work/hand" ;;
    zone_fuzz) make_zones "$work/hand" ;;
    zone_edge_fuzz) make_edges "$work/hand" ;;
    zone_image_fuzz) make_zone_images "$work/hand" ;;
    zone_table_fuzz) make_tables "$work/hand" ;;
    zone_threads_fuzz) make_threads "$work/hand" ;;
    trace_fuzz)
        cp tools/seeds/trace/* "$work/hand"
        for trace in corpus/traces/*.trace; do
            head -n 400 "$trace" >"$work/hand/${trace##*/}"
        done
        ;;
    esac
}

# more TARGET: writes further candidates for the merge into $work/more.
more()
{
    mkdir -p "$work/more"
    case $1 in
    journal_fuzz | lock_fuzz | rbtree_fuzz)
        HRN_FUZZ_GENERATE=1 "$bin/fuzz/${1}_bin" -seed=1 -mutate_depth=1 -runs=$rounds \
            -max_len=$max_bytes -artifact_prefix="$work/" "$work/more" 2>/dev/null
        ;;
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

# name_merged DIR: merged files are named by the SHA-1 of their bytes. Moves those that are
# candidates to DIR, under the candidates' names.
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
