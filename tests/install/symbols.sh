#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the names of all functions that the public headers declare and the library defines, as the
# compiler sees them. tests/install/symbols.txt holds this list:
#   tests/install/symbols.sh include >tests/install/symbols.txt
set -eu

include=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for header in "$include"/slabmill/*.h; do
    printf '#include <slabmill/%s>\n' "${header##*/}"
done >"$scratch/all.c"
gcc -std=c11 -fsyntax-only -I "$include" -aux-info "$scratch/prototypes" "$scratch/all.c"
# A line looks like: /* include/slabmill/pool.h:72:NC */ extern void *slm_pool_alloc (struct ...);
# C is a declaration; F is a definition, which only an inline function has: the library has none.
grep "^/\* [^ ]*slabmill/[a-z_]*\.h:[0-9]*:.C " "$scratch/prototypes" |
    sed -n 's/^[^/]*\/\*[^*]*\*\/ extern [^(]*\<\(slm_[a-z0-9_]*\) (.*/\1/p' | LC_ALL=C sort -u
