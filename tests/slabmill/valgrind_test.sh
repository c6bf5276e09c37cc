#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The slabmill command runs under Valgrind, which sees the allocator's errors and those of the mill.
set -eu

trace="$TEST_TMPDIR/t.trace"
printf 'arena 0 alloc 0 100\narena 0 free 0\n' >"$trace"
said=$(valgrind -q --error-exitcode=9 tools/slabmill/slabmill replay --adapter malloc "$trace")
case "$said" in
*"every law kept"*) ;;
*)
    printf 'replay under Valgrind: %s\n' "$said"
    exit 1
    ;;
esac
