#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A test that slabmill wrote for a planted bug compiles, runs, fails, and says by which law.
# Its report is not this test's own.
out=$(env -u XML_OUTPUT_FILE "$1" 2>&1)
status=$?
printf '%s\n' "$out"
if [ "$status" -ne 1 ]; then
    echo "expected status 1, found $status"
    exit 1
fi
for line in '[  FAILED  ] BrokenDirtyHarness.CallocsBytesAreAllZeroAtCalloc' 'byte 1000 of 1001'; do
    case $out in
    *"$line"*) ;;
    *)
        echo "expected in the output: $line"
        exit 1
        ;;
    esac
done
