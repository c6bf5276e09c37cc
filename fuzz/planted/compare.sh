#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts compare.py. `bazel run` makes the root of the runfiles the working folder.
exec python3 "$@"
