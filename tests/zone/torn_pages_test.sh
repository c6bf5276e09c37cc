#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# No image of a loss of power crashes a program or holds it up, and most are refused.
# Usage: torn_pages_test.sh torn_pages
set -euo pipefail

line=$("$1" 200 | tee /dev/stderr | tail -1)
[[ "$line" =~ ^200\ images:\ refused\ ([0-9]+),\ accepted\ ([0-9]+) ]]
[ "${BASH_REMATCH[1]}" -ge 100 ]
