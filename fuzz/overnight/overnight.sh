#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts the night. `bazel run` makes the root of the runfiles the working folder. The first
# argument of a night of another workspace is --mill-folder=FOLDER: where the files of this one are.
case ${1-} in
--mill-folder=*) mill=$PWD/${1#*=} ;;
*) mill=$PWD ;;
esac
# Only the runfiles have both: one file is of the tree, the other one of the build.
if [ ! -e "$mill/fuzz/report/python.sh" ] || [ ! -e "$mill/harness/afl_mutator.so" ]; then
    echo "overnight: only \`bazel run\` starts a night: ./bazelw run //fuzz:overnight -- --help" >&2
    exit 2
fi
export PYTHONPATH="$mill/fuzz" PYTHONDONTWRITEBYTECODE=1
exec sh "$mill/fuzz/report/python.sh" -m overnight "$@"
