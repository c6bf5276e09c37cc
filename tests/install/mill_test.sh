#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the mill with CMake, and uses it for a heap from outside: by a Makefile as a plugin, by
# slabmill_add_mill as command, test and fuzz target, and by a plain command.
# Usage, in the project's root: mill_test.sh COMPILER    (gcc or clang-19)
. tests/install/install.sh

compiler=$1
copy_source
tar -ch harness tools/slabmill fuzz/common fuzz/any tests/registry | tar -x -C "$scratch/source"
configure "$compiler"
build
cp "$scratch"/source/tests/registry/first_fit* "$scratch/source/tests/install/mill"
install_elsewhere
PATH=$prefix/bin:$PATH
PKG_CONFIG_PATH=$libdir/pkgconfig
LD_LIBRARY_PATH=$libdir
export PATH PKG_CONFIG_PATH LD_LIBRARY_PATH

quietly slabmill record -o "$scratch/true.trace" -- sort /dev/null
quietly slabmill replay --region 1048576 --adapter malloc,slab "$scratch/true.trace"

cd "$scratch/user/mill"
quietly make CC="$compiler" check
grep -q "findings: 0" "$scratch/log" || die "check says nothing of findings"

quietly cmake -S . -B "$scratch/mill" -DCMAKE_C_COMPILER="$compiler" \
    -DCMAKE_CXX_COMPILER="$(cxx_of "$compiler")" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_EXE_LINKER_FLAGS=-pthread
quietly cmake --build "$scratch/mill" -j 2
quietly ctest --test-dir "$scratch/mill" --output-on-failure
grep -q "first_fit_mill.check .* Passed" "$scratch/log" || die "check was not run"
if [ -f /usr/include/gtest/gtest.h ]; then
    grep -q "first_fit_mill.conformance .* Passed" "$scratch/log" || die "conformance was not run"
fi

quietly "$scratch/mill/first_fit_mill" record -o "$scratch/sort.trace" -- sort /dev/null
grep -q "sort.trace: operations [1-9]" "$scratch/log" || die "the linked command records nothing"

# The libraries without CMake: first_fit is the only adapter of this program besides the mill's.
# The options are meant to split into words.
# shellcheck disable=SC2046
quietly "$compiler" first_fit.c first_fit_adapter.c -o own_mill \
    $(pkg-config --cflags slabmill) "$libdir/libslabmill_mill.a" "$libdir/libslabmill.a" -pthread
quietly ./own_mill adapters
grep -q "^first_fit: alloc free" "$scratch/log" || die "the linked adapter is not listed"

if [ "$compiler" = clang-19 ]; then
    quietly cmake --build "$scratch/mill" --target first_fit_mill_fuzz
    quietly "$scratch/mill/first_fit_mill_fuzz" -runs=2000 -seed=1
    ops=$(sed -n 's/^slabmill: ops=\([0-9]*\) .*/\1/p' "$scratch/log")
    [ "$ops" -gt 10000 ] || die "2000 runs of the fuzz target made $ops operations"
    echo "fuzz target: $ops operations"
fi
echo "the installed mill works"
