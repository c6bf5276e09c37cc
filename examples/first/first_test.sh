#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The first program prints the whole sum, built by Bazel ($1) and by its Makefile.
set -euo pipefail

expect_whole_sum() { # how-it-was-built program
    local said
    said=$("$2")
    [[ $said == '3500 + 1500 = 5000' ]] || {
        echo "FAILED: built by $1, it says: $said" >&2
        exit 1
    }
}

expect_whole_sum Bazel "$1"
if ! command -v make >/dev/null || ! command -v cc >/dev/null; then
    echo 'NOT RUN in part: make or cc is not installed'
    exit 0
fi
tree=$TEST_TMPDIR/tree
mkdir "$tree"
cp -rL allocator include examples "$tree"
rm -f "$tree/examples/first/first"
make -C "$tree/examples/first" CC="cc -Werror"
expect_whole_sum make "$tree/examples/first/first"
