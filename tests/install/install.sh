# SPDX-License-Identifier: Apache-2.0
# For the tests of the installed library: sourced in the project's root.
# Sets scratch, an empty folder that is removed at the end.
set -eu

scratch=$(mktemp -d "${TEST_TMPDIR:-/tmp}/install.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
n_headers=$(find -L include/slabmill -name '*.h' | wc -l)
warnings='-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Werror'

die() {
    echo "FAILED: $*" >&2
    exit 1
}

# Runs a command. Its output is shown only if it fails.
quietly() {
    "$@" >"$scratch/log" 2>&1 || {
        cat "$scratch/log" >&2
        die "$@"
    }
}

# Runs a smoke program, which has a unit for each public header.
run_units() { # what program
    quietly "$2"
    n_units=$(grep -c ': ok$' "$scratch/log") || n_units=0
    [ "$n_units" -eq "$n_headers" ] || die "$1: $n_units units ran, but there are $n_headers headers"
    echo "$1: $n_units units"
}

cxx_of() { # C compiler
    case "$1" in
    gcc) echo g++ ;;
    clang-19) echo clang++-19 ;;
    esac
}

# Copies what a build without Bazel needs to $scratch/source, so that it can use nothing else.
copy_source() {
    mkdir "$scratch/source"
    # Bazel's sandbox has links.
    tar -ch CMakeLists.txt cmake include allocator tests/install tools/amalgamate | tar -x -C "$scratch/source"
}

configure() { # compiler cmake-argument...
    compiler=$1
    shift
    quietly cmake -S "$scratch/source" -B "$scratch/build" -DCMAKE_C_COMPILER="$compiler" \
        -DCMAKE_COMPILE_WARNING_AS_ERROR=ON "$@"
}

build() {
    quietly cmake --build "$scratch/build" -j 2
}

run_ctest() {
    quietly ctest --test-dir "$scratch/build" --output-on-failure
    grep "tests passed" "$scratch/log"
    # ctest succeeds even without any test.
    grep -q "100% tests passed, 0 tests failed out of [1-9]" "$scratch/log" || die "no test was run"
}

# Installs into $prefix, a folder that the build does not know, and removes source and build.
install_elsewhere() {
    quietly cmake --install "$scratch/build" --prefix "$scratch/first"
    cp -R "$scratch/source/tests/install" "$scratch/user"
    rm -rf "$scratch/source" "$scratch/build"
    prefix=$scratch/moved
    mv "$scratch/first" "$prefix"
    libdir=$(dirname "$(find "$prefix" -name libslabmill.so)")
}
