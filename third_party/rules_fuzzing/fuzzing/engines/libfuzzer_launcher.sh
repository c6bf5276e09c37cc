#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Turns the launcher's FUZZER_* variables into libFuzzer's options.
set -eu

if [ -n "${FUZZER_TIMEOUT_SECS:-}" ]; then
    set -- "-max_total_time=$FUZZER_TIMEOUT_SECS" "$@"
fi
if [ -s "$FUZZER_DICTIONARY_PATH" ]; then
    set -- "-dict=$FUZZER_DICTIONARY_PATH" "$@"
fi
exec "$FUZZER_BINARY" "-artifact_prefix=$FUZZER_ARTIFACTS_DIR/" "$@" \
    "$FUZZER_OUTPUT_CORPUS_DIR" "$FUZZER_SEED_CORPUS_DIR"
