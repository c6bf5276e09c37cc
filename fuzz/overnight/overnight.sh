#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts the night. `bazel run` makes the root of the runfiles the working folder. The first
# argument of a night of another workspace is --mill-folder=FOLDER: where the files of this one are.
case ${1-} in
--mill-folder=*) mill=$PWD/${1#*=} ;;
*) mill=$PWD ;;
esac
export PYTHONPATH="$mill/fuzz" PYTHONDONTWRITEBYTECODE=1
exec sh "$mill/fuzz/report/python.sh" -m overnight "$@"
