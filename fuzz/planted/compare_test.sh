#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# compare.py shows a bug that every way finds, one that the plain harness cannot find, and one that
# only promises find.
set -eu

scratch=${TEST_TMPDIR:?}
python3 "$@" --seeds 2 --bound 1000 --only '^zoo_tags_(rest_short|returned_short|merge_left)$' \
    >"$scratch/table"
cat "$scratch/table"
grep -Eq '^\| zoo_tags_rest_short \| split \| [0-9]+ \| [0-9]+ \| [0-9]+ \|$' "$scratch/table"
grep -Eq '^\| zoo_tags_returned_short \| source \| - \| [0-9]+ \| [0-9]+ \|$' "$scratch/table"
grep -Eq '^\| zoo_tags_merge_left \| coalesce \| - \| - \| [0-9]+ \|$' "$scratch/table"
grep -q '^of 3 bugs: plain 1, mill without promises 2, mill 3$' "$scratch/table"
