# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# Inputs of rbtree_fuzz, for tools/make_seeds.sh, which has `le`.

# Records of rbtree_fuzz (fuzz/rbtree/rbtree.h). many KIND FROM TO STEP: one record for each item in
# that order, with the item's number as its key; tree KIND ITEM KEY VALUE: one record.
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
# scattered KIND STEP: every item once, in steps of STEP (odd).
scattered()
{
    for i in $(seq 0 63); do
        tree "$1" $((i * $2 % 64)) $((i * $2 % 64)) 0
    done
}
insert=0 delete=1 find=2 lower_bound=3 walk=4 walk_back=5
list_insert=6 list_touch=7 list_remove=8 list_walk=9
nulls=10 wrong_tree=11 wrong_list=12 tree_copy=13 list_copy=14 hurt=15
list_oldest=16 commit=17 abort=18 die=19

# Words of the memory that programs of rbtree_fuzz damage: where each part begins, and the length of
# an item.
root=1 n_nodes=2 newest=5 oldest=6 n_listed=7 items=11 item_words=8

# Heads of 16 more have a journal. each_committed KIND FROM TO STEP: as many, a transaction each.
each_committed()
{
    for item in $(seq "$2" "$4" "$3"); do
        tree "$1" "$item" "$item" 0 && tree $commit 0 0 0
    done
}
# undone KIND FROM TO STEP: the same, undone each.
undone()
{
    for item in $(seq "$2" "$4" "$3"); do
        tree "$1" "$item" "$item" 0 && tree $abort 0 0 0
    done
}

make_transactions()
{
    (le 1 31 && each_committed $insert 0 30 1 && undone $delete 0 30 1 && undone $insert 31 40 1 &&
        each_committed $delete 0 30 2 && undone $delete 1 29 2) >"$dir/undone_upwards"
    (le 1 31 && each_committed $insert 30 0 -1 && undone $delete 30 0 -1 &&
        each_committed $delete 30 0 -3 && undone $delete 29 1 -2) >"$dir/undone_downwards"
    (le 1 31 && for item in $(seq 0 40); do
        tree $insert $((item * 29 % 64)) $((item * 29 % 64)) 0 && tree $commit 0 0 0
    done && undone $delete 0 63 1 && undone $insert 0 63 3) >"$dir/undone_scattered"
    (le 1 31 && each_committed $list_insert 0 9 1 && each_committed $list_oldest 10 19 1 &&
        undone $list_touch 0 19 1 && undone $list_remove 0 19 1 && undone $list_insert 20 22 1 &&
        undone $list_oldest 20 22 1 && tree $list_walk 0 0 0) >"$dir/undone_list"
    (le 1 31 && many $insert 0 20 1 && many $list_insert 0 63 1 && many $list_oldest 0 63 1 &&
        tree $commit 0 0 0 && many $list_oldest 0 63 1 && tree $abort 0 0 0 &&
        many $insert 20 40 1 && many $delete 20 40 1 && tree $commit 0 0 0) >"$dir/log_is_full"
    (le 1 31 && many $insert 0 63 1 && tree $commit 0 0 0 && each_committed $insert 0 40 1 &&
        many $delete 0 40 1 && tree $abort 0 0 0 && many $delete 40 0 -1 && tree $commit 0 0 0) \
        >"$dir/log_is_full_of_nodes"
    for head in 15 31; do
        (le 1 $head && for value in 1073741831 2147483655 3221225479; do
            for item in 1 2 3; do
                tree $insert $item $item $value && tree $list_insert $item 0 $value && tree $abort 0 0 0
                tree $list_oldest $item 0 $value && tree $delete $item 0 0 && tree $commit 0 0 0
                tree $insert $item $item $value && tree $list_remove $item 0 0
            done
        done) >"$dir/soiled_$head"
    done
    for shape in 0 1; do
        (le 1 31 && each_committed $((shape * list_insert)) 0 12 1 && for point in $(seq 0 40); do
            tree $die 0 0 $((point + point * 256 / 3)) && tree $((shape * list_insert)) 13 13 0 &&
                tree $commit 0 0 0 && tree $die 0 0 "$point" &&
                tree $((1 + shape * 7)) $((point % 13)) 0 0 && tree $abort 0 0 0
        done) >"$dir/deaths_$shape"
    done
    (le 1 15 && many $list_oldest 0 30 1 && many $list_insert 20 40 1 && many $list_oldest 0 9 1 &&
        tree $commit 0 0 0 && tree $die 0 0 5 && tree $abort 0 0 0 && tree $list_walk 0 0 0) \
        >"$dir/oldest"
}

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
    make_transactions
    # Two nodes that are each other's parent and child: steps must end. word 1: left, 2: right,
    # 3: parent.
    (le 1 15 && many $insert 0 1 1 && tree $hurt 1 $((items + 3)) 1 &&
        tree $hurt 1 $((items + item_words + 2)) 0 && tree $walk 0 0 0 && tree $delete 0 0 0 &&
        tree $delete 1 0 0 && many $insert 1 0 -1 && tree $hurt 1 $((items + item_words + 3)) 0 &&
        tree $hurt 1 $((items + 1)) 1 && tree $walk_back 0 0 0) >"$dir/circles"
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
