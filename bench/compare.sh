#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares this library with nginx and other allocators. ./bazelw run -c opt //bench:compare -- --help
# Exit status: 0; 1 a competitor failed, which is reported; 2 a wrong call.
set -u

# Bazel starts it in the folder of its inputs.
PYTHONPATH=$PWD/bench:$PWD/fuzz PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH PYTHONDONTWRITEBYTECODE
exec sh fuzz/report/python.sh -m versus "$@"
