#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The library compiles with SLM_CHECKS 1, 2 and 3. Any other number is an error that names these.
# Usage, in the project's root: checks_levels_test.sh
set -eu

compile() { # level
    gcc -std=c11 -I. -Iinclude -DSLM_CHECKS="$1" -fsyntax-only allocator/base/check.c 2>&1
}

for level in 1 2 3; do
    compile "$level"
done
for level in 0 4 -1 100; do
    if said=$(compile "$level"); then
        echo "SLM_CHECKS=$level compiles" >&2
        exit 1
    fi
    case $said in
    *"SLM_CHECKS must be 1, 2 or 3"*) ;;
    *)
        echo "SLM_CHECKS=$level: $said" >&2
        exit 1
        ;;
    esac
done
