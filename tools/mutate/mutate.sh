#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts the mutation tool with the first Python that has libclang: only Debian's Python sees
# Debian's packages, and another one may be first on PATH. `bazel run` makes the root of the
# runfiles the working folder. Exit status 2: there is none.
set -u

for python in python3 /usr/bin/python3; do
    if "$python" -c 'import clang.cindex' 2>/dev/null; then
        PYTHONPATH="$PWD/tools" PYTHONDONTWRITEBYTECODE=1 exec "$python" "${@:-}"
    fi
done
echo "tools/mutate: no Python here has libclang; install Debian's package python3-clang-19" >&2
exit 2
