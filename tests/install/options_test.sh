#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each option of CMakeLists.txt builds a library whose CTest passes. A wrong value is refused.
# Usage, in the project's root: options_test.sh address | thread | shared
. tests/install/install.sh

pass() { # compiler cmake-argument...
    echo "$@"
    rm -rf "$scratch/build"
    configure "$@"
    build
    run_ctest
}

refuse() { # message cmake-argument
    rm -rf "$scratch/wrong"
    if cmake -S "$scratch/source" -B "$scratch/wrong" "$2" >"$scratch/log" 2>&1; then
        die "$2 is accepted"
    fi
    # CMake breaks lines.
    tr -s '\n ' '  ' <"$scratch/log" | grep -qF "$1" || die "$2 is refused without the text: $1"
}

# Programs that use a sanitized library need the same sanitizer. They get it, or they do not link.
use_sanitized() {
    install_elsewhere
    export PKG_CONFIG_PATH="$libdir/pkgconfig"
    program="$scratch/user/smoke.c $scratch/user/smoke_zone.c"
    # The flags are meant to split into words.
    # shellcheck disable=SC2046,SC2086
    quietly clang-19 -o "$scratch/smoke" $program $(pkg-config --cflags --libs slabmill) \
        "-Wl,-rpath,$libdir"
    run_units "a sanitized library" "$scratch/smoke"
    # shellcheck disable=SC2086
    if clang-19 -o "$scratch/smoke" $program -I "$prefix/include" "$libdir/libslabmill.a" \
        2>"$scratch/log"; then
        die "a plain program links with a sanitized library"
    fi
    grep -q "undefined reference to .__asan_" "$scratch/log" || die "$(cat "$scratch/log")"
    grep -q -- "-fsanitize=address" "$libdir/cmake/slabmill/slabmill-targets.cmake" ||
        die "the CMake package does not link the sanitizer"
}

copy_source
case "$1" in
address)
    refuse "SLABMILL_CHECKS is 0; it must be 1, 2 or 3" -DSLABMILL_CHECKS=0
    refuse "SLABMILL_CHECKS is all; it must be 1, 2 or 3" -DSLABMILL_CHECKS=all
    refuse "SLABMILL_SANITIZE has memory; it knows" "-DSLABMILL_SANITIZE=address;memory"
    pass clang-19 "-DSLABMILL_SANITIZE=address;undefined" -DSLABMILL_CHECKS=3
    use_sanitized
    ;;
thread)
    pass gcc -DSLABMILL_SANITIZE=thread -DSLABMILL_CHECKS=2 -DBUILD_SHARED_LIBS=OFF
    [ ! -e "$scratch/build/libslabmill.so" ] || die "BUILD_SHARED_LIBS=OFF builds a shared library"
    ;;
shared)
    pass gcc -DBUILD_SHARED_LIBS=ON -DCMAKE_BUILD_TYPE=Debug
    [ ! -e "$scratch/build/libslabmill.a" ] || die "BUILD_SHARED_LIBS=ON builds an archive"
    ;;
*) die "$1: there are address, thread and shared" ;;
esac
