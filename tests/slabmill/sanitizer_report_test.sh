#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# hunt sorts findings by what the sanitizers of a plugin report, with file and line. gcc's runtimes
# are shared objects, so that a command without sanitizers can load them.
set -eu

mill=$PWD/tools/slabmill/slabmill
heap=$PWD/tests/slabmill/sanitized_heap.c
include=$PWD/include
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

if nm "$mill" | grep -qE ' __(asan_init|tsan_init|ubsan_handle)'; then
    echo "skipped: the command has a sanitizer of its own, and a process has one runtime"
    exit 0
fi

line_of() { # text
    grep -n "$1" "$heap" | cut -d : -f 1
}

fail() {
    echo "FAILED: $1"
    cat log
    exit 1
}

# Usage: hunt STATUS ARGUMENT...
hunt() {
    wanted=$1
    shift
    status=0
    "$mill" hunt ./heap.so --seed 1 --programs 300 "$@" >log 2>&1 || status=$?
    [ "$status" -eq "$wanted" ] || fail "status $status of hunt $*"
}

# Undefined behaviour: the process goes on after the report.
gcc -g -shared -fPIC -fsanitize=undefined -I "$include" "$heap" -o heap.so
shift_line=$(line_of "undefined shift")
hunt 1 --out undefined
grep -q "^kind: sanitized_heap.c:$shift_line:[0-9]*: runtime error: shift exponent N is too large" \
    undefined/*/report.txt || fail "no report of the shift"
tail -n 1 log | grep -qx "findings: 1" || fail "not one finding"
tail -n 1 undefined/*/small.trace | grep -qx "arena 0 alloc 0 100" || fail "not small"
hunt 0 --out ignored --ignore "sanitized_heap.c:$shift_line"
tail -n 1 log | grep -qx "findings: 0" || fail "an ignored report counts"

# A bad access ends the process.
gcc -g -shared -fPIC -fsanitize=address -I "$include" "$heap" -o heap.so
LD_PRELOAD=$(gcc -print-file-name=libasan.so)
ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
export LD_PRELOAD ASAN_OPTIONS
use_line=$(line_of "use after free")
hunt 1 --out address
grep -q "^kind: AddressSanitizer: heap-use-after-free .*sanitized_heap.c:$use_line in release" \
    address/*/report.txt || fail "no report of the use after free"
grep -q "freed by thread" address/*/report.txt || fail "the report is not whole"
grep -q "heap-use-after-free" address/*/explain.txt || fail "explain shows no report"
