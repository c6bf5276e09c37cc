#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Measures this library and nginx, and writes the tables of docs/performance.md.
#   ./bazelw run //bench:update_page
# Exit status: 0 written; 1 something was not measured, so nothing is written; 2 a wrong call.
set -u

PYTHONPATH=$PWD/bench:$PWD/fuzz PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH PYTHONDONTWRITEBYTECODE
exec sh fuzz/report/python.sh -m versus.document "${1-$BUILD_WORKSPACE_DIRECTORY/docs/performance.md}"
