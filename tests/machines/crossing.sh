#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs of machines of several kinds share zones: each of a pair makes, uses, grows and checks
# one, works at the same time as the other, and repairs what a death of the other left. Machines of
# different byte orders refuse each other's zones in words. Prints a line for each pair.
# Usage, in the project's root: crossing.sh [NAME ORDER COMPILER RUN]...
#   ORDER     little or big
#   COMPILER  the beginning of a command that makes a program for the machine
#   RUN       the beginning of a command that runs it, or nothing
# Without arguments: programs of 64 and of 32 bits of this machine.
set -eu

scratch=${TEST_TMPDIR:-$(mktemp -d)}/crossing
mkdir -p "$scratch"
zone=$scratch/zone
names=()
declare -A order compiler run

fail() {
    echo "$*" >&2
    exit 1
}

# libc6-dev-i386 has no asm/ of its own: that of the 64-bit headers is the same.
of_32_bits='gcc -m32 -idirafter /usr/include/x86_64-linux-gnu'

take_machines() { # name order compiler run...
    while [ $# -ge 4 ]; do
        names+=("$1")
        order[$1]=$2 compiler[$1]=$3 run[$1]=$4
        shift 4
    done
    [ $# -eq 0 ] || fail "a machine has four words; see the head of $0"
}

# Compilers and runners are meant to split into words.
# shellcheck disable=SC2086
compile() { # name
    ${compiler[$1]} -std=c11 -O1 -D_FILE_OFFSET_BITS=64 -I. -Iinclude -static -pthread \
        -o "$scratch/of_$1" tests/machines/crossing.c allocator/*/*.c
}

# shellcheck disable=SC2086
of() { # name command...
    local name=$1
    shift
    ${run[$name]} "$scratch/of_$name" "$@"
}

expect_killed() { # name
    local status=0
    (of "$1" die "$zone") 2>/dev/null || status=$?
    [ $status -eq 137 ] || fail "$1: a program ended with $status, not by SIGKILL"
}

share() { # first second: the first makes the zone
    of "$1" make "$zone" 2 8
    of "$2" check "$zone" 0 0
    of "$1" work "$zone" 1000
    of "$2" check "$zone" 1000 0
    of "$2" work "$zone" 1000
    of "$1" check "$zone" 2000 0
    of "$1" work "$zone" 3000 &
    of "$2" work "$zone" 3000
    wait $! || fail "$1: its work failed"
    of "$1" check "$zone" 8000 0
    of "$2" check "$zone" 8000 0
    expect_killed "$1"
    of "$2" work "$zone" 10
    of "$2" check "$zone" 8010 1
    expect_killed "$2"
    of "$1" work "$zone" 10
    of "$1" check "$zone" 8020 2
    echo "$1 and $2 share a zone"
}

refuse() { # first second
    of "$1" make "$zone" 2 8
    of "$2" strange "$zone"
    of "$1" check "$zone" 0 0
    echo "$2 refuses the zone of $1"
}

# What does not fit in 32 bits is refused in words.
refuse_what_is_long() {
    of 64 make "$zone" 64 6144
    of 32 refuse "$zone"
    truncate -s 5G "$scratch/long"
    of 32 refuse "$scratch/long"
}

# Without 64 bits for lengths of files, the library does not compile.
refuse_short_offsets() {
    # shellcheck disable=SC2086
    if $of_32_bits -std=c11 -I. -Iinclude -fsyntax-only allocator/segment/file.c \
        2>"$scratch/why"; then
        fail "it compiles where off_t has 32 bits"
    fi
    grep -q 'compile with -D_FILE_OFFSET_BITS=64' "$scratch/why" || fail "$(cat "$scratch/why")"
}

cross_all() {
    for name in "${names[@]}"; do
        compile "$name" || fail "$name: the library does not compile"
        of "$name" grow "$scratch"
    done
    for first in "${names[@]}"; do
        for second in "${names[@]}"; do
            [ "$first" != "$second" ] || continue
            if [ "${order[$first]}" = "${order[$second]}" ]; then
                share "$first" "$second"
            else
                refuse "$first" "$second"
            fi
            rm "$zone"
        done
    done
}

if [ $# -gt 0 ]; then
    take_machines "$@"
    cross_all
    exit
fi
echo 'int main(void) { return 0; }' >"$scratch/empty.c"
if ! $of_32_bits "$scratch/empty.c" -o "$scratch/empty" 2>"$scratch/why" || ! "$scratch/empty"; then
    echo "NOT RUN: no 32-bit programs here (in Debian: apt-get install lib32gcc-12-dev libc6-dev-i386):"
    cat "$scratch/why"
    exit 0
fi
take_machines 64 little gcc '' 32 little "$of_32_bits" ''
cross_all
refuse_what_is_long
refuse_short_offsets
