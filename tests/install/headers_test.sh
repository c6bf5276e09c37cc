#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles each public header alone, all of them together, and a file that uses what they inline, as
# every language of a user: no warning in any. -I and not -isystem, which would hide warnings.
# Usage, in the project's root: headers_test.sh gcc|clang-19
. tests/install/install.sh

compiler=$1
strict="$warnings -Wcast-qual -Wcast-align -Wredundant-decls -Wwrite-strings"
n_compiled=0
n_failed=0

compile() { # what driver standard flag...
    what=$1
    driver=$2
    standard=$3
    shift 3
    n_compiled=$((n_compiled + 1))
    # The options are meant to split into words.
    # shellcheck disable=SC2086
    if ! "$driver" -std=$standard $strict "$@" -I include -fsyntax-only "$scratch/$what" \
        >"$scratch/log" 2>&1; then
        n_failed=$((n_failed + 1))
        echo "FAILED: $driver -std=$standard $what"
        grep -E "error:" "$scratch/log" | head -n 5
    fi
}

for header in include/slabmill/*.h; do
    name=${header##*/}
    # Include it twice: a header without its include guard would fail.
    printf '#include <slabmill/%s>\n#include <slabmill/%s>\n' "$name" "$name" \
        >"$scratch/${name%.h}.c"
done
cat "$scratch"/*.c >"$scratch/all"
mv "$scratch/all" "$scratch/all_headers.c"
cp tests/install/inline.c "$scratch/inline.c"

for source in "$scratch"/*.c; do
    name=$(basename "$source" .c)
    # An empty file is not valid C.
    echo 'typedef int not_empty;' >>"$source"
    cp "$source" "$scratch/$name.cc"
    for standard in c99 c11 c17 c2x; do
        compile "$name.c" "$compiler" $standard -Wstrict-prototypes
    done
    for standard in c++11 c++14 c++17 c++20 c++23; do
        compile "$name.cc" "$(cxx_of "$compiler")" $standard -Wold-style-cast \
            -Wzero-as-null-pointer-constant -Wextra-semi
    done
done

# The header for C++ alone, from the standard that has std::pmr.
header=slabmill/memory_resource.hpp
printf '#include <%s>\n#include <%s>\n' "$header" "$header" >"$scratch/memory_resource.cc"
for standard in c++17 c++20 c++23; do
    compile memory_resource.cc "$(cxx_of "$compiler")" $standard -Wold-style-cast \
        -Wzero-as-null-pointer-constant -Wextra-semi
done

echo "$n_compiled compiled, $n_failed failed"
[ "$n_failed" -eq 0 ] && [ "$n_compiled" -ge 180 ]
