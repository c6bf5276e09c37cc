#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every global symbol of the harness and of the fuzz targets' bodies starts with hrn_.
set -eu

# Names that others define: those that engines and sanitizers call, and the library's hooks, which
# their header defines weakly in every file with yield points. SLM_ADAPTER emits the last one.
allowed='^(hrn_|LLVMFuzzer|__|slm_(yield|stored)_hook |slm_adapter_range )'

[ "$(wc -l <"$1")" -ge 300 ] || {
    echo "nm finds only $(wc -l <"$1") symbols" >&2
    exit 1
}
if grep -Ev "$allowed" "$1" >&2; then
    echo "these symbols do not start with hrn_" >&2
    exit 1
fi
echo "$(wc -l <"$1") symbols"
