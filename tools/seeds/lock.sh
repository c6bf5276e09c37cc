# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# Inputs of lock_fuzz (fuzz/lock/lock.h), for tools/make_seeds.sh, which has `le` and `zone`.
l_init=0 l_attach=1 l_detach=2 l_try=3 l_timed=4 l_lock=5 l_unlock=6 l_repaired=7 l_force=8
l_owner=9 l_nulls=10 l_mark=11 l_record=12 l_simulate=13 l_map=14 l_proc=15 l_look=16 l_stat=17
l_event=18 l_file=19 l_note=20 l_fork=21 l_thread=22

# l KIND ACTOR [EXTRA [VALUE]]: one record.
l()
{
    zone "$1" "$2" "${3:-0}" 0 "${4:-0}"
}

# What each state of a thread means, by what /proc says: status of this process, whether the
# thread's files are read, state, signals, start.
lock_lives()
{
    for status in 0 1 2 3 4; do
        (
            le 1 0
            l $l_proc 0 0 $status
            for read in 0 1 2; do
                l $l_simulate 1 2 $read
                for state in 0 3 4; do
                    l $l_simulate 1 4 $state
                    for signals in 0 1 2 3 7 15 259; do
                        l $l_simulate 1 5 $signals
                        l $l_look 1
                    done
                done
                l $l_look 1 1 5 && l $l_look 1 1 0 && l $l_look 1 2 && l $l_look 1 3 5
            done
            l $l_simulate 1 1 1 && l $l_look 1 && l $l_simulate 1 0 1 && l $l_look 1
        ) >"$dir/lives_$status"
    done
    (
        le 1 0
        for padding in 0 3 7 11; do
            l $l_proc 0 5 $padding
            for signals in 2 3 11; do
                l $l_simulate 2 5 $signals && l $l_look 2 && l $l_simulate 2 3 1 && l $l_look 2 1 1
            done
            l $l_simulate 2 3 0
        done
    ) >"$dir/long_files"
}

# Namespaces and boots that cannot be read, are others, or are missing.
lock_origins()
{
    for kind in 0 2; do
        (
            le 1 $kind
            for which in 1 2; do
                for read in 0 1 2 256; do
                    for folder in 1 0; do
                        l $l_proc 0 $which $read && l $l_proc 0 3 $folder && l $l_look 0
                        l $l_attach 0 && l $l_attach 0 16
                    done
                done
                l $l_proc 0 $which 0
            done
            for boot in 0 1 2 3; do
                l $l_proc 0 4 $boot && l $l_look 0 && l $l_attach 1 && l $l_lock 1 && l $l_owner 1
            done
            for record in 0 1 2 3; do
                l $l_detach 1 && l $l_record 0 1 $record && l $l_attach 1 && l $l_owner 1
                l $l_record 0 0 2 && l $l_record 0 1 3 && l $l_mark 0 0 7 && l $l_attach 2 &&
                    l $l_owner 2 && l $l_lock 2 && l $l_unlock 2 && l $l_detach 2
            done
            for record in 0 1 257; do
                l $l_record 0 2 $record && l $l_owner 2 && l $l_attach 2 && l $l_attach 3 16
                l $l_record 0 3 $record && l $l_record 0 0 2 && l $l_attach 1 16 && l $l_owner 1 &&
                    l $l_try 1 && l $l_unlock 1
            done
        ) >"$dir/origins_$kind"
    done
}

# Mappings of this process and of an owner's: the same, others, broken, none.
lock_maps()
{
    for padding in 0 5; do
        (
            le 1 0
            l $l_proc 0 5 $padding && l $l_attach 1
            for map in 2 6 10 66 32834 70 114 130 258 514 1026 2050 28674 50 34; do
                l $l_map 1 2 $map && l $l_look 1
                l $l_map 1 3 $map && l $l_look 1
                l $l_map 1 1 $((map + 64)) && l $l_look 1 && l $l_map 1 1 3 && l $l_look 1
                l $l_map 1 1 67 && l $l_look 1 && l $l_map 1 3 2 && l $l_map 1 1 32835 && l $l_look 1
                l $l_map 1 3 66 && l $l_map 1 1 $map && l $l_look 1
            done
            for early in 0 1 2; do
                l $l_map 1 12 $early && l $l_look 1 && l $l_map 1 13 $early && l $l_look 1
                l $l_simulate 1 6 $early && l $l_look 1
            done
            l $l_map 1 10 && l $l_look 1 && l $l_map 1 11 && l $l_look 1
        ) >"$dir/maps_$padding"
        (
            le 1 0
            l $l_proc 0 5 $padding
            for map in 2 2050 514; do
                l $l_attach 1 && l $l_attach 2 && l $l_map 1 10 && l $l_map 1 2 $map && l $l_lock 1
                l $l_owner 2 && l $l_timed 2 6 && l $l_force 2 && l $l_unlock 2 && l $l_unlock 1
                l $l_record 0 0 0 && l $l_detach 1 && l $l_detach 2 && l $l_attach 1 &&
                    l $l_owner 1 && l $l_force 1
            done
        ) >"$dir/owners_maps_$padding"
    done
}

# Calls of holders, others and successors of the dead, by kind; marks of dead waiters.
lock_calls()
{
    for kind in 0 1 2; do
        (
            le 1 $kind
            for actor in 0 1 2 3; do
                l $l_attach $actor 0 $((actor * 5))
            done
            l $l_nulls 0
            for time in 0 1 2 3 4 5 6 7; do
                l $l_lock 1 && l $l_lock 1 && l $l_timed 2 $time && l $l_try 2 && l $l_owner 2
                l $l_unlock 2 && l $l_repaired 2 && l $l_force 2 && l $l_force 2 1 && l $l_unlock 1
                l $l_timed 3 $time && l $l_timed 3 $time && l $l_repaired 3 && l $l_unlock 3
            done
            l $l_nulls 0
        ) >"$dir/calls_$kind"
        (
            le 1 $kind
            for actor in 0 1 2 3; do
                l $l_attach $actor 0 1
            done
            for marks in 0 1 2 3 4 5 6 7; do
                for call in $l_try $l_timed $l_lock; do
                    l $l_mark 0 0 $marks && l $call 1 3 && l $l_owner 1 && l $l_unlock 1
                    l $l_lock 2 && l $l_mark 0 0 $marks && l $call 1 3 && l $l_repaired 2
                    l $l_repaired 1 && l $l_unlock 2 && l $l_unlock 1
                done
            done
        ) >"$dir/marks_$kind"
        (
            le 1 $kind
            for actor in 0 1 2 3; do
                l $l_attach $actor 0 3
            done
            for call in $l_try $l_timed $l_lock $l_force; do
                for times in 1 2 3 4 5; do
                    l $l_lock 1 && l $l_simulate 1 0 1 && l $l_file 1 7 && l $call 2 && l $l_owner 3
                    l $l_unlock 1 && l $l_detach 1 && l $l_attach 1 && l $l_simulate 1 0 0
                    [ $times -lt 4 ] || l $l_unlock 2
                done
                l $l_force 3 && l $l_force 3 2 2 && l $l_force 3 2 1 && l $l_repaired 2 &&
                    l $l_unlock 2
            done
        ) >"$dir/deaths_$kind"
    done
    (le 1 0 && for word in 0 1 2 3 256 257 512 513 1024; do
        l $l_record 0 0 $word && l $l_attach 0 && l $l_attach 1 && l $l_owner 1 && l $l_timed 1 5 &&
            l $l_try 0 && l $l_force 1 1 && l $l_unlock 0 && l $l_unlock 1 && l $l_force 1 &&
            l $l_detach 0 && l $l_detach 1
    done) >"$dir/words_of_others"
}

# A lock file of each sort, at attach, at a call, and under a holder.
lock_files()
{
    for manner in 0 1 2 3 4 5; do
        (
            le 1 2
            l $l_file 0 $manner && l $l_attach 0 && l $l_attach 1 && l $l_attach 2 14
            l $l_lock 0 && l $l_timed 1 3 && l $l_file 0 $manner && l $l_attach 2 && l $l_try 1
            l $l_unlock 0 && l $l_try 1 && l $l_unlock 1 && l $l_file 1 7 && l $l_try 1
            l $l_unlock 1 && l $l_file 0 6 && l $l_attach 3 && l $l_file 0 6 1 && l $l_attach 3
            l $l_file 0 1 && l $l_attach 2 16 && l $l_try 1 && l $l_try 0 && l $l_try 2
            l $l_timed 0 3 && l $l_timed 1 3 && l $l_unlock 2 && l $l_try 1 && l $l_timed 0 4
            l $l_file 1 7 && l $l_try 0 && l $l_try 1 && l $l_owner 1 && l $l_unlock 0
            l $l_init 0 2 && l $l_file 0 0 && l $l_attach 0 && l $l_file 0 $manner && l $l_lock 0
            l $l_unlock 0 && l $l_file 0 7 && l $l_lock 0 && l $l_unlock 0 && l $l_attach 0 16
            l $l_lock 0 && l $l_record 0 0 1 && l $l_try 1 && l $l_try 0 && l $l_unlock 0
        ) >"$dir/file_$manner"
    done
    (le 1 0 && l $l_attach 0 15 0 && l $l_attach 0 15 1 && l $l_attach 0 15 2 && l $l_attach 0 15 3 &&
        l $l_attach 0 15 4 && l $l_init 0 1 && l $l_attach 0 15 0 && l $l_attach 0 && l $l_try 0) \
        >"$dir/kinds"
}

# Children of fork, by what they find; threads that end with the lock; events of one hold.
lock_ends()
{
    for kind in 0 1 2; do
        for odd in 0 1 2 3; do
            (
                le 1 $kind
                l $l_attach 1 && l $l_attach 2 && l $l_fork 0 && l $l_lock 1
                [ $odd -ne 1 ] || l $l_proc 0 1 256
                [ $odd -ne 2 ] || l $l_proc 0 2 2
                [ $odd -ne 3 ] || l $l_file 0 1
                l $l_note 1 0 7 && l $l_fork 0 && l $l_proc 0 6 1 && l $l_fork 0 && l $l_unlock 1
                l $l_proc 0 1 && l $l_proc 0 2 && l $l_thread 2 && l $l_owner 1 && l $l_try 1
                for event in 0 1 2 3 4 0; do
                    l $l_note 1 $event $((event * 257 + 3))
                done
                l $l_unlock 1 && l $l_thread 1 && l $l_thread 1 && l $l_try 2 && l $l_unlock 2
            ) >"$dir/ends_${kind}_$odd"
        done
    done
}

# Lines of stat files, cut and with odd fields; events of each kind.
lock_texts()
{
    (le 1 0 && for name in 0 1 2 3; do
        for cut in 0 128 140 150 160 170 200 215 220 225 230 235 240 250 255; do
            l $l_stat $name 22 $((9876543 * 256 + cut)) && l $l_stat $name 9 $((1024 * 256 + cut))
        done
    done) >"$dir/stat_cut"
    (le 1 0 && for field in 4 5 8 9 10 21 22 23; do
        for number in 0 9 10 1023 1024 3072 99999; do
            l $l_stat 0 $field $((number * 256)) && l $l_stat 2 $((field + 144)) $((number * 256))
            l $l_stat 1 $field $((2147483648 + number * 256))
        done
    done) >"$dir/stat_fields"
    (le 1 0 && for event in 0 1 2 3 4; do
        for name in 0 1 2 3; do
            for value in 0 1 7 263 25600 20 40 60 80 100 $((7 * 256 + 120)); do
                l $l_event $name $event "$value"
            done
        done
    done) >"$dir/events"
}

make_locks()
{
    dir=$1
    lock_lives
    lock_origins
    lock_maps
    lock_calls
    lock_files
    lock_texts
    lock_ends
}
