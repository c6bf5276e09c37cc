#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# peers/build.sh and peers/check.sh where a peer is not installed, and where an adapter is not as
# peers/expected.txt says. Needs no peer but glibc.
set -u

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
n_failed=0

# Runs a command, and expects its exit status and a part of its output.
expect() { # status part command...
    wanted=$1
    part=$2
    shift 2
    "$@" >"$scratch/out" 2>&1
    status=$?
    if [ "$status" -ne "$wanted" ] || ! grep -qF -e "$part" "$scratch/out"; then
        n_failed=$((n_failed + 1))
        echo "FAILED: $*: status $status, expected $wanted and: $part"
        cat "$scratch/out"
    fi
}

# Each peer has its line, its source and its adapters.
while read -r peer source _; do
    [ -e "peers/$source" ] || expect 0 "source of $peer" false
    grep -q "^$peer " peers/expected.txt || expect 0 "adapters of $peer" false
done <<EOF
$(grep -v '^#' peers/peers.txt)
EOF

# With a compiler that finds no header, nothing is installed.
expect 77 'talloc is not installed (Debian: libtalloc-dev)' \
    env CC=false peers/build.sh talloc "$scratch/talloc.so"
expect 0 'NOT RUN: talloc is not installed' env CC=false peers/check.sh 1000 talloc
expect 2 'no peer is named none' peers/build.sh none "$scratch/none.so"
expect 2 'no adapter is named none' peers/mill.sh none check
expect 2 'usage:' peers/mill.sh

# In a copy, where the expectations can be wrong.
cp -RL peers "$scratch/peers" && cp -RL tools "$scratch/tools" && cp -RL include "$scratch/include"
cd "$scratch" || exit 1
expect 0 'findings: 0' peers/check.sh 20000 glibc
printf 'glibc glibc overlap\n' >peers/expected.txt
expect 1 '1 not as expected' peers/check.sh 20000 glibc
printf 'glibc glibc none\n' >peers/expected.txt
sed -i 's/malloc(size_bytes)/malloc(size_bytes \/ 2)/' peers/glibc.c
expect 1 'expected: none' peers/check.sh 20000 glibc
printf 'glibc glibc usable|overlap|contents|crash\n' >peers/expected.txt
expect 0 'findings:' peers/check.sh 20000 glibc

[ "$n_failed" -eq 0 ]
