#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every <target>_bin is instrumented, reads its seeds, executes operations, and starts without a
# corpus too. A fuzzer without
# coverage feedback looks healthy from outside, and so does a fuzzer whose inputs decode to nothing.
set -u

# Far below the edges of any real target, far above those of a target with uninstrumented libraries.
least_counters=300
scratch=${TEST_TMPDIR:?}
n_failed=0

fail() { # target sentence
    echo "FAILED $1: $2" >&2
    n_failed=$((n_failed + 1))
}

# Prints the number after the last `$1` in the log.
number_after() {
    sed -n "s/.*$1\([0-9][0-9]*\).*/\1/p" "$scratch/log" | tail -n 1
}

check() { # target
    "fuzz/$1_bin" -runs=0 "fuzz/$1_corpus" >"$scratch/log" 2>&1 || {
        cat "$scratch/log" >&2
        fail "$1" "does not run its seeds"
        return
    }
    counters=$(number_after 'Loaded [0-9]* modules *(')
    seeds=$(number_after 'seed corpus: files: ')
    ops=$(number_after 'slabmill: ops=')
    [ "${counters:-0}" -ge "$least_counters" ] || fail "$1" "only ${counters:-0} counters"
    [ "${seeds:-0}" -ge 1 ] || fail "$1" "found no seeds"
    [ "${ops:-0}" -ge 1 ] || fail "$1" "its seeds execute no operation"
    for symbol in asan.module_ctor sancov.module_ctor_8bit_counters __ubsan_handle_; do
        grep -q "$symbol" "fuzz/$1_bin" || fail "$1" "has no $symbol"
    done
    echo "$1: $counters counters, $seeds seeds, $ops operations"
}

# Without a corpus it starts from 48 generated inputs; with one, from that alone.
check_start() { # target
    mkdir -p "$scratch/empty" "$scratch/one"
    printf 'x' >"$scratch/one/input"
    for start in -verbosity=1 "$scratch/empty" -max_len=64; do
        "fuzz/$1_bin" -runs=0 "$start" >"$scratch/log" 2>&1 || fail "$1" "fails to start: $start"
        seeds=$(number_after 'seed corpus: files: ')
        [ "${seeds:-0}" -eq 48 ] || fail "$1" "starts from ${seeds:-0} inputs: $start"
    done
    for start in "$scratch/one" "$scratch/one/input"; do
        "fuzz/$1_bin" -runs=0 "$start" >"$scratch/log" 2>&1 || fail "$1" "fails to start: $start"
        seeds=$(number_after 'seed corpus: files: ')
        [ "${seeds:-1}" -eq 1 ] || fail "$1" "starts from ${seeds:-0} inputs: $start"
    done
    # As OSS-Fuzz starts it to see whether it works.
    "fuzz/$1_bin" -seed=1337 -runs=4 >"$scratch/log" 2>&1 || fail "$1" "fails with -runs=4"
    grep -q "^Done 4 runs" "$scratch/log" || fail "$1" "-runs=4 are not 4 runs"
}

for binary in fuzz/*_bin; do
    check "$(basename "$binary" _bin)"
    check_start "$(basename "$binary" _bin)"
done
[ "$n_failed" -eq 0 ]
