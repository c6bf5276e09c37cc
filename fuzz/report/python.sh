#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the first Python that has Jinja2: only Debian's Python sees Debian's packages, and another one
# may be first on PATH. Usage: sh fuzz/report/python.sh -m report ...   Exit status 2: there is none.
set -u

for python in python3 /usr/bin/python3; do
    if "$python" -c 'import jinja2' 2>/dev/null; then
        exec "$python" "$@"
    fi
done
echo "fuzz/report: no Python here has Jinja2; install Debian's package python3-jinja2" >&2
exit 2
