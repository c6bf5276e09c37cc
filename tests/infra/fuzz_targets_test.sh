#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every fuzz/*.c is a target that OSS-Fuzz's query finds, and the query finds nothing else.
set -eu

found=$1
shift
scratch=${TEST_TMPDIR:?}
for source in "$@"; do
    echo "//$(dirname "$source"):$(basename "$source" .c)"
done | sort >"$scratch/expected"
sort "$found" >"$scratch/found"
n_targets=$(wc -l <"$scratch/found")
diff -u "$scratch/expected" "$scratch/found" || {
    echo "sources (-) and targets that the query finds (+) differ" >&2
    exit 1
}
[ "$n_targets" -ge 5 ] || {
    echo "only $n_targets fuzz targets are left" >&2
    exit 1
}
echo "$n_targets fuzz targets"
