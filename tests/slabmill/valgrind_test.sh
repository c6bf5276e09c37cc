#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The slabmill command runs under Valgrind, which sees the allocator's errors and those of the mill.
set -eu

# Debian's Valgrind 3.19 cannot read what clang 19 writes for debuggers.
command="$TEST_TMPDIR/slabmill"
objcopy --strip-debug tools/slabmill/slabmill "$command"
trace="$TEST_TMPDIR/t.trace"
printf 'arena 0 alloc 0 100\narena 0 free 0\n' >"$trace"
said=$(valgrind -q --error-exitcode=9 "$command" replay --adapter malloc "$trace")
case "$said" in
*"every law kept"*) ;;
*)
    printf 'replay under Valgrind: %s\n' "$said"
    exit 1
    ;;
esac
