#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The body of every <name>_run. Its first lines are generated: they name the target's files.
# Usage: bazel run <name>_run -- [--clean] [--timeout_secs=N] [--fuzzing_output_root=DIR]
#     [engine option...]
set -eu

root="${TMPDIR:-/tmp}/fuzzing"
clean=
FUZZER_TIMEOUT_SECS=
while [ $# -gt 0 ]; do
    case "$1" in
    --clean) clean=1 ;;
    --timeout_secs=*) FUZZER_TIMEOUT_SECS="${1#*=}" ;;
    --fuzzing_output_root=*) root="${1#*=}" ;;
    --) shift && break ;;
    *) break ;;
    esac
    shift
done

# One folder per target: the inputs of one target are useless to another.
output="$root/$FUZZ_TARGET_NAME"
FUZZER_OUTPUT_CORPUS_DIR="$output/corpus"
FUZZER_ARTIFACTS_DIR="$output/artifacts"
if [ -n "$clean" ]; then
    rm -rf "$FUZZER_OUTPUT_CORPUS_DIR" "$FUZZER_ARTIFACTS_DIR"
fi
mkdir -p "$FUZZER_OUTPUT_CORPUS_DIR" "$FUZZER_ARTIFACTS_DIR"
echo "Fuzzing $FUZZ_TARGET_NAME; corpus and artifacts in $output" >&2
export FUZZER_BINARY FUZZER_SEED_CORPUS_DIR FUZZER_DICTIONARY_PATH
export FUZZER_OUTPUT_CORPUS_DIR FUZZER_ARTIFACTS_DIR FUZZER_TIMEOUT_SECS
exec "$FUZZ_ENGINE_LAUNCHER" "$@"
