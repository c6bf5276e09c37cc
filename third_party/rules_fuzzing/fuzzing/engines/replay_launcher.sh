#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the seeds once.
set -eu

exec "$FUZZER_BINARY" "$@" "$FUZZER_SEED_CORPUS_DIR"
