#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs of 32 and of 64 bits share a zone: both make, use, grow and check it, work at the same
# time, and repair what a death of the other left.
# Usage, in the project's root: mixed_width_test.sh
set -eu

scratch=${TEST_TMPDIR:-$(mktemp -d)}/mixed
mkdir -p "$scratch"
zone=$scratch/zone

echo 'int main(void) { return 0; }' >"$scratch/empty.c"
if ! gcc -m32 "$scratch/empty.c" -o "$scratch/empty" 2>"$scratch/why" || ! "$scratch/empty"; then
    echo "NOT RUN: no 32-bit programs here (in Debian: apt-get install lib32gcc-12-dev libc6-dev-i386):"
    cat "$scratch/why"
    exit 0
fi

fail() {
    echo "$*" >&2
    exit 1
}

compile() { # bits flags...
    local bits=$1
    shift
    gcc "-m$bits" -std=c11 -O1 -I. -Iinclude -idirafter /usr/include/x86_64-linux-gnu -pthread "$@" \
        -o "$scratch/of_$bits" tests/variants/mixed_width.c allocator/*/*.c
}

of() { # bits command...
    local bits=$1
    shift
    "$scratch/of_$bits" "$@"
}

expect_killed() { # bits
    local status=0
    (of "$1" die "$zone") 2>/dev/null || status=$?
    [ $status -eq 137 ] || fail "a program of $1 bits ended with $status, not by SIGKILL"
}

compile 32 -D_FILE_OFFSET_BITS=64 &
compile 64
wait $! || fail "the library does not compile with 32 bits"
of 32 grow "$scratch"

for first in 32 64; do
    second=$((96 - first))
    of $first make "$zone" 2 8
    of $second check "$zone" 0 0
    of $first work "$zone" 1000
    of $second check "$zone" 1000 0
    of $second work "$zone" 1000
    of $first check "$zone" 2000 0
    of $first work "$zone" 3000 &
    of $second work "$zone" 3000
    wait $! || fail "a program of $first bits failed"
    of $first check "$zone" 8000 0
    of $second check "$zone" 8000 0
    expect_killed $first
    of $second work "$zone" 10
    of $second check "$zone" 8010 1
    expect_killed $second
    of $first work "$zone" 10
    of $first check "$zone" 8020 2
    rm "$zone"
done

# What does not fit in 32 bits is refused in words.
of 64 make "$zone" 64 6144
of 32 refuse "$zone"
truncate -s 5G "$scratch/long"
of 32 refuse "$scratch/long"

# Without 64 bits for lengths of files, the library does not compile.
if gcc -m32 -std=c11 -I. -Iinclude -idirafter /usr/include/x86_64-linux-gnu -fsyntax-only \
    allocator/segment/file.c 2>"$scratch/why"; then
    fail "it compiles where off_t has 32 bits"
fi
grep -q 'compile with -D_FILE_OFFSET_BITS=64' "$scratch/why" || fail "$(cat "$scratch/why")"
echo "programs of 32 and 64 bits share a zone"
