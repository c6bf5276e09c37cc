#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every <target>_bin is instrumented, reads its seeds and executes operations. A fuzzer without
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

for binary in fuzz/*_bin; do
    check "$(basename "$binary" _bin)"
done
[ "$n_failed" -eq 0 ]
