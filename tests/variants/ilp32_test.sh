#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles pool and slab, with the lock that a slab can take, as a 32-bit program, whose arithmetic
# wraps sooner, and runs it.
# Usage, in the project's root: ilp32_test.sh
set -eu

scratch=${TEST_TMPDIR:-$(mktemp -d)}
program=$scratch/ilp32

echo 'int main(void) { return 0; }' >"$scratch/empty.c"
if ! gcc -m32 "$scratch/empty.c" -o "$program" 2>"$scratch/why" || ! "$program"; then
    echo "NOT RUN: no 32-bit programs here (in Debian: apt-get install gcc-multilib):"
    cat "$scratch/why"
    exit 0
fi
# Where only libc6-dev-i386 is there, asm/ is that of the 64-bit headers: the same files.
gcc -m32 -std=c11 -O1 -D_FILE_OFFSET_BITS=64 -I. -Iinclude -idirafter /usr/include/x86_64-linux-gnu -pthread -o "$program" \
    tests/variants/ilp32.c allocator/pool/*.c allocator/slab/*.c allocator/lock/*.c \
    allocator/source/*.c allocator/base/*.c
"$program"
