#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares instruction counts of the hot paths with bench/figures.txt, or writes that file again.
#   ./bazelw test //bench:gate
#   ./bazelw run //bench:update_figures
# Exit status: 0 as they were, or NOT RUN; 1 not as they were; 2 a wrong call.
set -u

figures=$PWD/bench/figures.txt
[ "${1-}" != --update ] || figures=$BUILD_WORKSPACE_DIRECTORY/bench/figures.txt
PYTHONPATH=$PWD/bench:$PWD/fuzz PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH PYTHONDONTWRITEBYTECODE
exec sh fuzz/report/python.sh -m versus.gate "$figures" "$@"
