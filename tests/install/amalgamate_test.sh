#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The library as two files, slabmill.c and slabmill.h, compiles without a warning, exports what the
# public headers declare, and runs the same programs as the installed library.
# Usage, in the project's root: amalgamate_test.sh
. tests/install/install.sh

# Two files of the library that use the same names for different things.
plant_shared_names() {
    for file in first second; do
        cat >"$scratch/source/allocator/base/$file.c" <<'END'
#include <stddef.h>
#define TWICE(x) ((x) * FACTOR)
enum { FACTOR = 2 };
struct pair {
    int (*apply)(int);
    const char *text[FACTOR];
};
static int apply(int n)
{
    return TWICE(n); /* apply */
}
static const struct pair pairs[] = {{.apply = apply, .text = {"apply", NULL}}}, *chosen = &pairs[0];
int slm_planted_@(void);
int slm_planted_@(void)
{
    return chosen->apply(chosen->text[0] == NULL ? 1 : 21);
}
END
        sed -i "s/slm_planted_@/slm_planted_$file/" "$scratch/source/allocator/base/$file.c"
    done
}

write_files() {
    mkdir "$scratch/files"
    quietly "$scratch/source/tools/amalgamate" "$scratch/files"
    cp "$scratch"/source/tests/install/smoke* "$scratch/files"
    for source in smoke smoke_zone; do
        cp "$scratch/files/$source.c" "$scratch/files/$source.cc"
    done
}

# Compiles with the warnings of a project that copies the files in: no -Wconversion.
try() { # compiler flag...
    compiler=$1
    shift
    quietly "$compiler" -std=c11 -Wall -Wextra -Wpedantic -Werror "$@" -c \
        "$scratch/files/slabmill.c" -o "$scratch/slabmill.o"
    quietly "$compiler" $warnings -DSMOKE_AMALGAMATED "$@" "$scratch/files/smoke.c" \
        "$scratch/files/smoke_zone.c" "$scratch/slabmill.o" -pthread -o "$scratch/smoke"
    run_units "$compiler $*, C" "$scratch/smoke"
    quietly "$(cxx_of "$compiler")" $warnings -DSMOKE_AMALGAMATED "$@" "$scratch/files/smoke.cc" \
        "$scratch/files/smoke_zone.cc" "$scratch/slabmill.o" -pthread -o "$scratch/smoke"
    run_units "$compiler $*, C++" "$scratch/smoke"
}

check_exports() { # compiler
    "$1" -shared -fPIC "$scratch/files/slabmill.c" -o "$scratch/library.so"
    nm -D --defined-only "$scratch/library.so" | awk '{ print $3 }' | LC_ALL=C sort |
        diff tests/install/symbols.txt - || die "slabmill.c does not export exactly symbols.txt"
}

check_shared_names() {
    "$scratch/source/tools/amalgamate" --list >"$scratch/log"
    for name in FACTOR apply chosen pair pairs; do
        grep -qx "$name: allocator/base/first.c allocator/base/second.c" "$scratch/log" ||
            die "--list does not report that $name is in two files"
    done
    grep -q '"apply"' "$scratch/files/slabmill.c" || die "a text was renamed"
}

copy_source
plant_shared_names
write_files
check_shared_names
for compiler in gcc clang-19; do
    try "$compiler"
    try "$compiler" -O2 -DSLM_CHECKS=3 -fsanitize=address
    check_exports "$compiler"
done
# As a 32-bit program, where the system has its headers.
if [ -e /usr/include/gnu/stubs-32.h ]; then
    quietly gcc -m32 -idirafter /usr/include/x86_64-linux-gnu -std=c11 -Wall -Wextra -Werror \
        -fsyntax-only "$scratch/files/slabmill.c"
fi
