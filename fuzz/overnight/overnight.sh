#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts the night. `bazel run` makes the root of the runfiles the working folder.
PYTHONPATH="$PWD/fuzz" PYTHONDONTWRITEBYTECODE=1 exec sh fuzz/report/python.sh -m overnight "$@"
