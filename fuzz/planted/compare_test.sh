#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# compare.py shows a bug that both find, and one that the plain harness cannot find.
set -eu

scratch=${TEST_TMPDIR:?}
python3 "$@" --seeds 2 --bound 1000 --only '^zoo_tags_(rest_short|returned_short)$' >"$scratch/table"
cat "$scratch/table"
grep -Eq '^\| zoo_tags_rest_short \| split \| [0-9]+ \| [0-9]+ \|$' "$scratch/table"
grep -Eq '^\| zoo_tags_returned_short \| source \| - \| [0-9]+ \|$' "$scratch/table"
grep -q '^of 2 bugs: plain 1, mill 2$' "$scratch/table"
