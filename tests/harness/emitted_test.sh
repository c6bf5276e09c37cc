#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A generated test for a planted bug compiles, runs, fails, and names the broken law. Its XML report
# is not written, since it would replace this test's. Usage: emitted_test.sh PROGRAM STATUS LINE...
out=$(env -u XML_OUTPUT_FILE "$1" 2>&1)
status=$?
printf '%s\n' "$out"
if [ "$status" -ne "$2" ]; then
    echo "expected status $2, found $status"
    exit 1
fi
shift 2
for line in "$@"; do
    case $out in
    *"$line"*) ;;
    *)
        echo "expected in the output: $line"
        exit 1
        ;;
    esac
done
