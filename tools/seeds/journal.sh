# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# Inputs of journal_fuzz (fuzz/journal/journal.h), for tools/make_seeds.sh, which has `le` and `zone`.
j_alloc=0 j_free=1 j_stray=2 j_write=3 j_number=4 j_range=5 j_loose=6 j_root=7 j_version=8 j_reset=9
j_commit=10 j_abort=11 j_die=12 j_takeover=13 j_hurt=14 j_nulls=15

# j KIND [SLOT [EXTRA [VALUE]]]: one record.
j()
{
    zone "$1" "${2:-0}" "${3:-0}" 0 "${4:-0}"
}

# Objects of several sizes, chunks and runs; slot 3 is the root.
journal_objects()
{
    for slot in 0 1 2 3 4 5; do
        j $j_alloc $slot $slot $((65536 + slot * 56 + 8))
    done
    j $j_alloc 6 0 5000 && j $j_alloc 7 1 8999 && j $j_root 3 1 && j $j_commit
}

# Each size of a number, in each place of a word, set and added, aligned and not.
journal_numbers()
{
    for head in 0 1; do
        (
            le 1 $head && journal_objects
            for size in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
                for at in 0 3 7 60; do
                    j $j_number 2 $size $((at + 65536 * 9)) && j $j_number 2 $((size + 16)) $at
                    j $j_abort
                done
                j $j_number 2 $((size + 32)) 5 && j $j_commit
            done
        ) >"$dir/numbers_$head"
    done
}

# Ranges in objects, over their ends, in what is free, in what the transaction frees or is new.
journal_ranges()
{
    for head in 0 1; do
        (
            le 1 $head && journal_objects
            for at in 0 1 7 8 100 5000 8191; do
                for n in 0 1 8 9 63 64 255; do
                    j $j_range 7 0 $((at + n * 65536)) && j $j_abort
                    j $j_range 2 0 $((at % 100 + n * 65536)) && j $j_abort
                done
                j $j_range 7 255 $((at + 65536)) && j $j_abort && j $j_range 6 254 $((at + 1048576))
                j $j_abort && j $j_write 1 1 "$at" && j $j_abort && j $j_write 1 0 "$at" && j $j_commit
            done
            j $j_free 2 && j $j_range 2 0 65536 && j $j_commit && j $j_free 2 && j $j_write 2 0 8 &&
                j $j_write 1 0 8 && j $j_commit
            j $j_alloc 9 0 65600 && j $j_write 9 0 8 && j $j_write 9 0 56 && j $j_write 9 0 64 &&
                j $j_range 9 0 524288 && j $j_alloc 10 0 65600 && j $j_write 9 0 16 && j $j_abort
            j $j_alloc 9 0 65600 && j $j_free 9 && j $j_write 9 0 8 && j $j_commit && j $j_commit
            for at in 0 512 4096 4100 4200 9000 20000 40000 60000 80000 94000; do
                j $j_loose 0 7 "$at" && j $j_abort && j $j_loose 0 0 $((at + 1)) && j $j_abort
                j $j_range 19 0 $((at / 2 + 65536)) && j $j_abort
            done
            j $j_nulls
        ) >"$dir/ranges_$head"
    done
}

journal_frees()
{
    (
        le 1 0 && journal_objects
        for extra in 0 1 2 3 4 5 6; do
            j $j_stray 1 $extra 3 && j $j_stray 7 $extra 5000 && j $j_root 1 $extra
        done
        j $j_commit && j $j_free 3 && j $j_commit && j $j_root 3 1 && j $j_free 3 && j $j_write 1 0 0
        j $j_commit && j $j_free 1 && j $j_free 1 && j $j_root 1 1 && j $j_free 2 && j $j_free 1 &&
            j $j_free 2 && j $j_free 6 && j $j_free 7 && j $j_free 6 && j $j_abort
        j $j_root 4 0 && j $j_free 3 && j $j_version 0 0 77 && j $j_commit && j $j_version 0 0 5 &&
            j $j_abort && j $j_reset && j $j_reset && journal_objects && j $j_write 1 0 0 && j $j_reset
    ) >"$dir/frees"
    (
        le 1 0 && journal_objects
        for n in $(seq 0 70); do
            j $j_write 7 0 $((n * 8))
        done
        j $j_free 1 && j $j_alloc 11 0 8 && j $j_root 1 1 && j $j_version 0 0 1 && j $j_commit
        for n in $(seq 0 61); do
            j $j_write 7 0 $((n * 8))
        done
        j $j_number 1 3 0 && j $j_range 2 0 524288 && j $j_range 2 0 65536 && j $j_reset
        for slot in 8 9 10 11 12 13 14 15; do
            j $j_alloc $slot 0 9000 && j $j_alloc $((slot + 4)) 2 8999
        done
        j $j_commit
    ) >"$dir/full"
}

# Calls that meet a log with room for one entry, and for none.
journal_last_entries()
{
    for n_left in 1 0; do
        (
            le 1 0 && journal_objects
            for kind in $j_alloc $j_free $j_write $j_number $j_range $j_root $j_version $j_reset; do
                for n in $(seq 1 $((64 - n_left))); do
                    j $j_write 7 0 $((n * 8))
                done
                slot=1
                [ "$kind" -ne $j_alloc ] || slot=9
                j "$kind" $slot 1 $((65536 * 8 + 8)) && j "$kind" $slot 1 $((65536 * 9 + 4)) &&
                    j $j_abort
            done
        ) >"$dir/last_entries_$n_left"
    done
}

# Deaths at each point of each kind of end, and in its repair.
journal_deaths()
{
    for shape in 0 1 2; do
        (
            le 1 0 && journal_objects
            for point in $(seq 0 29); do
                j $j_write 1 0 8 && j $j_free 2 && j $j_alloc 12 0 65600 && j $j_write 12 0 0
                j $j_version 0 0 "$point" && j $j_root 4 1 && j $j_free 6
                j $j_die 0 $((shape * (1 + point % 5))) "$point" && j $((j_reset + shape))
                j $j_takeover 0 $shape && j $j_alloc 2 0 65700 && j $j_alloc 6 0 5000 && j $j_root 4 1
                j $j_alloc 1 0 65600 && j $j_alloc 4 0 65600 && j $j_commit
            done
        ) >"$dir/deaths_$shape"
    done
    (
        le 1 0 && journal_objects
        for point in 0 1 2 3 4 5 6 7; do
            for kind in $j_alloc $j_free $j_write $j_number $j_range $j_root $j_version; do
                j $j_die 0 0 $point && j $kind $((kind == j_alloc ? 13 : 1)) 1 $((65536 * 24)) &&
                    j $j_takeover
            done
        done
    ) >"$dir/deaths_within"
}

# Each word of a log with each kind of entry, damaged.
journal_damage()
{
    (
        le 1 0 && journal_objects
        j $j_write 1 0 8 && j $j_free 2 && j $j_alloc 12 0 65600 && j $j_version 0 0 9 && j $j_root 4 1
        for word in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
            for change in 0 4 8 12 16 20 24 28 1 13 25 41 129 161 197 225 6 10 14 18 22 26 30 3; do
                j $j_hurt 0 $change $((word + 40 * 6400))
            done
        done
        j $j_commit && j $j_hurt 0 4 2 && j $j_hurt 0 0 2 && j $j_hurt 0 22 6
    ) >"$dir/damage"
}

make_journals()
{
    dir=$1
    journal_numbers
    journal_ranges
    journal_frees
    journal_last_entries
    journal_deaths
    journal_damage
}
