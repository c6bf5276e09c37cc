#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every C file compiles by itself, without warnings, with any feature test macro on the command line;
# the library's with none too.
# Usage, in the project's root: feature_macros_test.sh
set -eu

n_failed=0

# Macros and folders are words.
# shellcheck disable=SC2086
compile_all() { # macros folders more
    files=$(find -L $2 -name '*.c')
    if ! gcc -std=c11 -Wall -Werror -I. -Iinclude -pthread $1 ${3-} -fsyntax-only $files; then
        echo "FAILED with these macros: ${1:-none}" >&2
        n_failed=$((n_failed + 1))
    fi
}

n_files=$(find -L allocator -name '*.c' | wc -l)
[ "$n_files" -ge 40 ] || {
    echo "only $n_files C files in allocator/" >&2
    exit 1
}
# The build itself has -D_FILE_OFFSET_BITS=64.
for macros in "" -D_GNU_SOURCE -D_DEFAULT_SOURCE -D_POSIX_C_SOURCE=200809L -D_XOPEN_SOURCE=700 \
    "-D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64" \
    "-D_GNU_SOURCE -D_DEFAULT_SOURCE -D_XOPEN_SOURCE=700"; do
    compile_all "$macros" allocator
done
# The rest is ours alone: the narrowest and the widest.
for macros in -D_POSIX_C_SOURCE=200809L "-D_GNU_SOURCE -D_DEFAULT_SOURCE -D_XOPEN_SOURCE=700"; do
    compile_all "$macros" "harness fuzz tests examples tools" -DSLM_SCHED=1
done
[ "$n_failed" -eq 0 ]
