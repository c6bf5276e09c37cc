#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Harness, fuzz targets, tools and examples include public headers only, but for the two packages
# that may use //allocator:insiders.
set -eu

insiders='^(fuzz/zone|harness/sched)/'

found=${TEST_TMPDIR:?}/found
grep -RE '#include "allocator/' --include='*.[ch]' examples fuzz harness tools >"$found"
[ "$(grep -cE "$insiders" "$found")" -ge 5 ] || {
    echo "the insiders themselves are not found" >&2
    exit 1
}
if grep -vE "$insiders" "$found" >&2; then
    echo "these files include private headers of the library" >&2
    exit 1
fi
