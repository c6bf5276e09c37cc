#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A library compiled for AddressSanitizer does not link with a program that brings no runtime of it.
# Usage, in the project's root: mixed_link_test.sh
set -eu

scratch=${TEST_TMPDIR:-$(mktemp -d)}

cat >"$scratch/program.c" <<'END'
#include <slabmill/pool.h>

int main(void)
{
    struct slm_pool *pool = NULL;
    return slm_pool_create(&pool, 4096, NULL, 0) != SLM_OK || slm_pool_alloc(pool, 10) == NULL;
}
END

link() { # library flags, program
    # The flags are words.
    # shellcheck disable=SC2086
    for source in allocator/pool/*.c allocator/source/*.c allocator/base/*.c; do
        cc $1 -std=c11 -I. -Iinclude -c "$source" -o "$scratch/$(echo "$source" | tr / _).o"
    done
    cc -std=c11 -I. -Iinclude "$scratch/program.c" "$scratch"/*.o -pthread -o "$2"
}

# The same files without ASan make a program, or the failure below would prove nothing.
link "" "$scratch/plain"
"$scratch/plain"

if link "-fsanitize=address" "$scratch/mixed" 2>"$scratch/why"; then
    echo "a program without ASan linked a library with it"
    exit 1
fi
grep -q 'undefined reference to .__asan_poison_memory_region' "$scratch/why" || {
    echo "it does not link for another reason:"
    cat "$scratch/why"
    exit 1
}
