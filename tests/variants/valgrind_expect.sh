# SPDX-License-Identifier: Apache-2.0
# What the valgrind tests share; read in with the program under test as first argument.
# shellcheck shell=sh disable=SC2034
program=$1
log=${TEST_TMPDIR:-/tmp}/valgrind_expect.$$
failed=0

if ! command -v valgrind >/dev/null; then
    echo "FAIL: valgrind is not installed: apt-get install valgrind (bazelw does it)" >&2
    exit 1
fi

# expect <deed> <number of errors> [<what one of them says>]
expect() {
    if ! valgrind --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all \
        --log-file="$log" "$program" "$1" >/dev/null; then
        echo "FAIL: $1 did not run to its end" >&2
        failed=1
    fi
    if ! grep -q "ERROR SUMMARY: $2 errors from $2 contexts" "$log" ||
        { [ $# -gt 2 ] && ! grep -q "$3" "$log"; }; then
        echo "FAIL: $1: expected $2 error(s) ${3:-}" >&2
        cat "$log" >&2
        failed=1
    fi
    rm -f "$log"
}
