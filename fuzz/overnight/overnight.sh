#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts the night from `bazel run`, whose working folder is the root of the runfiles.
PYTHONPATH="$PWD/fuzz" PYTHONDONTWRITEBYTECODE=1 exec sh fuzz/report/python.sh -m overnight "$@"
