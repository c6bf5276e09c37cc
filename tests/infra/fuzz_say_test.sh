#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# On request every fuzz target prints its shape, its kinds, the operations of an input, and a test.
set -u

# The real rules_fuzzing makes a script of each target, which starts <target>_bin.
if grep -q FUZZER_BINARY fuzz/pool_fuzz; then
    echo "NOT RUN: these targets are not the programs that third_party/rules_fuzzing makes"
    exit 0
fi

scratch=${TEST_TMPDIR:?}
n_failed=0

fail() { # target sentence
    echo "FAILED $1: $2" >&2
    n_failed=$((n_failed + 1))
}

# Ignores the exit status: it is a verdict on a whole corpus, not on one input.
say() { # words target input
    HRN_FUZZ_SAY=$1 "fuzz/$2" "$3" >"$scratch/out" 2>"$scratch/err"
}

# A program is written as a trace, for its adapter.
check_trace() { # target adapter
    grep -qF "mill_replay_text(\"$2\", trace)" "$scratch/test" ||
        fail "$1" "writes no test that runs a trace of $2"
    n_run=$(grep -c '^slabmill: op ' "$scratch/err")
    n_lines=$(grep -c '^arena [01] ' "$scratch/test")
    [ "$n_lines" -ge "$n_run" ] || fail "$1" "writes $n_lines operations and runs $n_run"
}

check_bytes() { # target call input
    grep -qF "EXPECT_EQ($2(" "$scratch/test" || fail "$1" "writes no test that calls $2"
    bytes=$(grep -o '0x[0-9a-f][0-9a-f],' "$scratch/test" | wc -l)
    [ "$bytes" -eq "$(wc -c <"$3")" ] || fail "$1" "writes $bytes bytes of $3"
}

check() { # target shape kind (adapter | call)
    say shape,kinds "$1" "corpus/$1"
    [ "$(grep -c '^slabmill: shape ' "$scratch/err")" -eq 1 ] ||
        fail "$1" "does not print its shape exactly once"
    grep -qx "slabmill: shape $2" "$scratch/err" || fail "$1" "is not of shape $2"
    grep -qx "slabmill: kind $3 [1-9][0-9]*" "$scratch/err" || fail "$1" "never ran $3"
    kinds=$(grep -c '^slabmill: kind ' "$scratch/err")
    input=$(find -L "corpus/$1" -type f -size +0 | LC_ALL=C sort | head -n 1)
    say ops,test "$1" "$input"
    grep -q '^slabmill: op 0: ' "$scratch/err" || fail "$1" "explains no operation of $input"
    sed -n '/^slabmill: test begin$/,/^slabmill: test end$/p' "$scratch/err" >"$scratch/test"
    case $2 in
    *programs=1*) check_trace "$1" "$4" ;;
    *) check_bytes "$1" "$4" "$input" ;;
    esac
    say '' "$1" "$input"
    ! grep -E '^slabmill: (shape|kind|op [0-9]|head|test)' "$scratch/err" ||
        fail "$1" "prints it without a request"
    echo "$1: $kinds kinds"
}

check journal_fuzz 'head=1 record=8 programs=0 can=0' NUMBER hrn_fuzz_journal
check lock_fuzz 'head=1 record=8 programs=0 can=0' FORCE hrn_fuzz_lock
check pool_fuzz 'head=24 record=8 programs=1 can=11fffff' memalign pool
check rbtree_fuzz 'head=1 record=8 programs=0 can=0' HURT hrn_fuzz_rbtree
check schedule_fuzz 'head=33 record=1 programs=0 can=0' death hrn_fuzz_schedule
check slab_fuzz 'head=24 record=8 programs=1 can=263dfd' trim slab
check slab_image_fuzz 'head=1 record=16 programs=0 can=0' rebuilt hrn_fuzz_image
check trace_fuzz 'head=0 record=1 programs=0 can=0' text_malformed hrn_fuzz_trace
check zone_edge_fuzz 'head=1 record=8 programs=0 can=0' SERVER_DIES hrn_fuzz_zone_edge
check zone_fuzz 'head=1 record=8 programs=0 can=0' DIE_WITHIN hrn_fuzz_zone
check zone_image_fuzz 'head=2 record=16 programs=0 can=0' repaired hrn_fuzz_zone_image
check zone_table_fuzz 'head=1 record=8 programs=0 can=0' GET_KEEPING hrn_fuzz_zone_table
check zone_threads_fuzz 'head=1 record=8 programs=0 can=0' LIST_OUT hrn_fuzz_zone_threads

HRN_FUZZ_SAY=shapes fuzz/slab_fuzz corpus/slab_fuzz 2>"$scratch/err"
[ $? -eq 2 ] || fail slab_fuzz "accepts an unknown word"
grep -qF "found 'shapes'" "$scratch/err" || fail slab_fuzz "does not name the unknown word"

[ "$n_failed" -eq 0 ]
