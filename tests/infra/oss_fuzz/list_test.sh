#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh and Bazel have the same fuzz targets, and build.sh compiles every C file of theirs.
set -eu

scratch=${TEST_TMPDIR:?}
sed 's,^//,,; s,:,/,' "$1" | sort >"$scratch/bazel"
bash fuzz/oss-fuzz/build.sh --list | sort >"$scratch/build"
[ "$(wc -l <"$scratch/bazel")" -ge 100 ] || {
    echo "Bazel's query finds only $(wc -l <"$scratch/bazel") files" >&2
    exit 1
}
comm -23 "$scratch/bazel" "$scratch/build" >"$scratch/missing"
[ ! -s "$scratch/missing" ] || {
    echo "fuzz targets are made of these files, and build.sh does not compile them:" >&2
    cat "$scratch/missing" >&2
    exit 1
}
grep '^fuzz/[^/]*$' "$scratch/bazel" >"$scratch/targets"
grep '^fuzz/[^/]*$' "$scratch/build" | diff -u "$scratch/targets" - || {
    echo "targets that Bazel has (-) and those that build.sh has (+) differ" >&2
    exit 1
}
echo "$(wc -l <"$scratch/targets") targets, $(wc -l <"$scratch/bazel") files"
