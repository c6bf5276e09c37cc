#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the library with CMake, runs CTest, installs it, and builds and runs programs that use it:
# by find_package, by pkg-config and by a plain command; shared and static; in C and in C++; with
# each compiler; compiled with other switches than the library.
# Usage, in the project's root: install_test.sh COMPILER    (of the library: gcc or clang-19)
. tests/install/install.sh

compilers='gcc clang-19'

list_of() { # nm-argument... file
    nm --defined-only "$@" | awk 'NF == 3 { print $3 }' | LC_ALL=C sort
}

# Both libraries export exactly what the public headers declare.
check_symbols() {
    expected=$scratch/user/symbols.txt
    sh "$scratch/user/symbols.sh" "$prefix/include" >"$scratch/declared"
    diff "$expected" "$scratch/declared" ||
        die "symbols.txt differs from the headers' declarations; symbols.sh makes it"
    list_of -D "$libdir/libslabmill.so" >"$scratch/exported"
    diff "$expected" "$scratch/exported" ||
        die "the shared library does not export exactly symbols.txt"
    list_of -g "$libdir/libslabmill.a" >"$scratch/exported"
    diff "$expected" "$scratch/exported" ||
        die "the archive does not export exactly symbols.txt"
}

check_names() {
    version=$(sed -n 's/^#define SLM_VERSION_STRING "\(.*\)"/\1/p' \
        "$prefix/include/slabmill/version.h")
    abi=${version%.*}
    readelf -d "$libdir/libslabmill.so" | grep -q "soname: \[libslabmill.so.$abi\]" ||
        die "the soname is not libslabmill.so.$abi"
    [ -f "$libdir/libslabmill.so.$version" ] || die "no libslabmill.so.$version"
    [ "$(pkg-config --modversion slabmill)" = "$version" ] || die "slabmill.pc has another version"
    if grep -rn "#include \"" "$prefix/include"; then
        die "a public header needs a file that is not installed"
    fi
    if grep -rlF -e "$scratch/first" -e "$scratch/source" "$prefix/lib" "$prefix/include" \
        --include=*.cmake --include=*.pc --include=*.h; then
        die "a file contains the path of its installation folder"
    fi
}

# Compiles the program as C and as C++, then links and runs both.
try() { # what compiler flag...
    what=$1
    compiler=$2
    shift 2
    for language in c cc; do
        case "$language" in
        c) driver=$compiler standard= ;;
        cc) driver=$(cxx_of "$compiler") standard='-std=c++11 -Wold-style-cast' ;;
        esac
        # The options are meant to split into words.
        # shellcheck disable=SC2086
        quietly "$driver" $standard $warnings "$scratch/user/smoke.$language" \
            "$scratch/user/smoke_zone.$language" -o "$scratch/smoke" "$@"
        run_units "$what, $driver" "$scratch/smoke"
    done
}

use_plainly() { # compiler
    try "plain, shared" "$1" -I "$prefix/include" -L "$libdir" -lslabmill "-Wl,-rpath,$libdir"
    try "plain, static" "$1" -I "$prefix/include" "$libdir/libslabmill.a" -pthread
}

# The answers of pkg-config are meant to split into words.
# shellcheck disable=SC2046
use_pkg_config() { # compiler
    try "pkg-config, shared" "$1" $(pkg-config --cflags --libs slabmill) "-Wl,-rpath,$libdir"
    try "pkg-config, static" "$1" -static $(pkg-config --static --cflags --libs slabmill)
}

use_find_package() { # compiler
    rm -rf "$scratch/consumer"
    quietly cmake -S "$scratch/user/consumer" -B "$scratch/consumer" \
        -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$1" \
        -DCMAKE_CXX_COMPILER="$(cxx_of "$1")"
    quietly cmake --build "$scratch/consumer" -j 2
    for program in slabmill_c shared_c static_c slabmill_cxx shared_cxx static_cxx; do
        run_units "find_package, $1, $program" "$scratch/consumer/$program"
    done
}

use_memory_resource() { # compiler
    quietly "$(cxx_of "$1")" -std=c++17 $warnings "$scratch/user/memory_resource.cc" \
        -o "$scratch/smoke" -I "$prefix/include" "$libdir/libslabmill.a" -pthread
    quietly "$scratch/smoke"
    grep -qx 'a string of 40 bytes is in the pool' "$scratch/log" || die "memory_resource.hpp, $1"
    echo "memory_resource.hpp, $1: ok"
}

# A program has its own switches: what it inlines from a header works with any library.
use_other_switches() { # compiler
    for switch in -DSLM_CHECKS=3 -fsanitize=address -fsanitize=undefined -fsanitize=thread; do
        try "$switch, static" "$1" $switch -I "$prefix/include" "$libdir/libslabmill.a" -pthread
    done
    try "-fsanitize=address -DSLM_CHECKS=3, shared" "$1" -fsanitize=address -DSLM_CHECKS=3 \
        -I "$prefix/include" -L "$libdir" -lslabmill "-Wl,-rpath,$libdir"
}

copy_source
configure "$1"
build
run_ctest
install_elsewhere
export PKG_CONFIG_PATH="$libdir/pkgconfig"
cp "$scratch/user/smoke.c" "$scratch/user/smoke.cc"
cp "$scratch/user/smoke_zone.c" "$scratch/user/smoke_zone.cc"
check_symbols
check_names
for compiler in $compilers; do
    use_plainly "$compiler"
    use_pkg_config "$compiler"
    use_find_package "$compiler"
    use_memory_resource "$compiler"
    use_other_switches "$compiler"
done
