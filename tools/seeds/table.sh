# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# Inputs of zone_table_fuzz (fuzz/zone/table.h), for tools/make_seeds.sh, which has `le` and `zone`.

# Records of zone_table_fuzz (fuzz/zone/table.h) are made by `zone` too: operation, actor, key,
# extra, value. extra: 1 aborts, 2 a large value, 4 what is unused is dropped, 8 the key is in the
# entry of age extra / 16 % 4: in its value, with 64 in its struct, with 128 as its own key. Of
# looks: 1 later, 4 * N within 2 << N points.
b_get=0 b_keep=1 b_put=2 b_touch=3 b_drop=4 b_walk=5 b_misuse=6 b_join=7 b_leave=8 b_take=9
b_give=10 b_reclaim=11 b_ballast=12 b_die=13 b_die_within=14 b_look=15

# More keys than fit.
fill_table()
{
    for key in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 \
        31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47; do
        zone $b_get 0 $key 0 $((1900 + key))
    done
}

# Two workers with four leases of two keys.
share_counts()
{
    zone $b_get 0 1 0 100 && zone $b_get 0 2 0 100 && zone $b_join 0 0 0 0 && zone $b_join 1 0 0 0
    zone $b_take 0 1 0 0 && zone $b_take 1 1 0 0 && zone $b_take 1 2 0 0 && zone $b_take 1 1 0 0
}

# One turn of each kind, by actor 1.
table_turn()
{
    case $1 in
    0) zone $b_get 1 47 0 500 && zone $b_get 1 9 0 500 ;;
    1) zone $b_get 1 5 2 60001 ;;
    2) zone $b_put 1 2 0 1800 && zone $b_put 1 9 2 30000 ;;
    3) zone $b_touch 1 1 0 0 && zone $b_drop 1 9 0 0 ;;
    4) zone $b_give 1 0 0 1 && zone $b_take 1 2 0 0 ;;
    5) zone $b_leave 1 0 4 0 && zone $b_join 1 0 0 0 ;;
    6) zone $b_die 0 0 0 0 && zone $b_reclaim 1 0 4 0 ;;
    7) zone $b_keep 1 30 0 1500 && zone $b_ballast 1 3 0 9000 ;;
    esac
}

# Entries of one size class take each other's objects, since large ones have all other pages.
small_entries()
{
    for key in 1 2 3 6 7 8 9 12 13 14 17 18 19 20 23 24; do
        zone $b_get 0 $key 0 2
    done
    for other in 0 1 2 3 4; do
        zone $b_ballast 0 $other 0 20000
    done
    zone $b_ballast 0 5 0 16000 && zone $b_ballast 0 6 0 200 && zone $b_ballast 0 7 0 200
}

# Full of entries that have keys in them; then such keys, and entries' own, are asked for.
inside()
{
    for key in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do
        zone $b_get 0 $key 2 $((5000 + key))
    done
    for age in 0 0 1 0 2 0 3 0 0 1; do
        zone $b_get 1 0 $((10 + 16 * age)) 5001 && zone $b_put 1 0 $((10 + 16 * age)) 5004
        zone $b_get 1 0 $((74 + 16 * age)) 5006 && zone $b_put 2 0 $((138 + 16 * age)) 9000
        zone $b_put 1 0 $((74 + 16 * age)) 5003 && zone $b_keep 1 0 $((10 + 16 * age)) 5007
        zone $b_touch 1 0 $((136 + 16 * age)) 0 && zone $b_drop 2 0 $((8 + 16 * age)) 0
        zone $b_drop 0 22 0 0 && zone $b_get 0 $((30 + age)) 2 5002
        zone $b_get 0 $((40 + age)) 2 5008
    done
}

# The same with entries of one size class, which take each other's objects.
inside_small()
{
    small_entries
    for key in 25 28 29 30 34 35 36 39 40 41 1 2 3 6 7 8 9 12 13 14; do
        zone $b_get 1 $key 0 2 && zone $b_get 1 0 72 2 && zone $b_get 1 $((key + 1)) 0 2
        zone $b_get 1 0 88 2 && zone $b_put 2 0 72 2 && zone $b_put 1 0 136 2
    done
}

# Looks at rest, at points of turns, and after a death.
looks()
{
    share_counts && fill_table && zone $b_look 1 47 0 600 && zone $b_look 1 3 2 601
    for turn in 0 1 2 3 4 5 6 7; do
        zone $b_look $((turn % 3)) $((turn * 5)) $((1 + 4 * turn)) $((turn * 37))
        table_turn $turn
        zone $b_look 1 30 $((2 * (turn % 2))) $((turn * 100)) && zone $b_look 1 2 33 $((turn * 61))
        zone $b_get 2 $((turn * 6)) 0 1900
    done
    zone $b_die_within 1 0 7 99 && zone $b_get 1 20 2 70000 && zone $b_look 0 47 0 5
    zone $b_look 2 46 3 4 && zone $b_walk 2 0 0 0 && zone $b_look 0 46 2 5
}

make_tables()
{
    dir=$1
    for settings in 0 1 2 3 4 5 6 7; do
        (le 1 $settings && inside) >"$dir/inside_$settings"
        (le 1 $settings && inside_small) >"$dir/inside_small_$settings"
        (le 1 $settings && looks) >"$dir/looks_$settings"
        (le 1 $settings && share_counts && fill_table && for turn in 0 1 2 3 4 5 6 7; do
            table_turn $turn
        done && zone $b_walk 2 0 0 0 && zone $b_misuse 1 2 0 3) >"$dir/turns_$settings"
        (le 1 $settings && share_counts && fill_table && for key in 3 30 47; do
            zone $b_get 1 $key 1 1000 && zone $b_put 1 $key 3 20000 && zone $b_drop 1 $key 1 0
            zone $b_touch 1 $key 1 0 && zone $b_get 2 $key 2 130000
        done && zone $b_take 1 2 1 0 && zone $b_give 1 0 1 1) >"$dir/aborts_$settings"
        (le 1 $settings && small_entries && for points in 3 8 13 18; do
            zone $b_die_within 1 0 10 $((points * 24)) && for key in 25 28 29 30 33 34 35 36 39 40 41 \
                1 2 3 6 7 8; do
                zone $b_get 1 $key 1 2 && zone $b_get 1 $key 0 2
            done
        done && zone $b_walk 2 0 0 0) >"$dir/small_$settings"
        for points in 3 9 20 35 50 70 95 130 200; do
            (le 1 $settings && share_counts && fill_table &&
                zone $b_die_within 1 0 10 $((points - 1)) && table_turn $settings &&
                zone $b_walk 2 0 0 0 && zone $b_reclaim 2 0 0 0) >"$dir/dies_${settings}_$points"
        done
    done
}
