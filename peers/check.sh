#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks every adapter of a peer, and replays what was found in it: each must break the law that
# expected.txt names, or none.
# Usage: check.sh OPS PEER     (OPS: operations of the soak)
# A peer that is not installed is NOT RUN. Exit status: 1 if something is not as expected.
set -u

ops=$1
peer=$2
here=$PWD/peers
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
n_failed=0

fail() {
    n_failed=$((n_failed + 1))
    echo "FAILED: $*"
    cat "$folder/out"
}

run_mill() {
    (BUILD_WORKING_DIRECTORY=$folder PEERS_OUT=$folder "$here/mill.sh" "$@") >"$folder/out" 2>&1
}

# Whether the output is as expected. $1: the exit status; $2: the law
is_as_expected() {
    case "$2" in
    none) [ "$1" -eq 0 ] && grep -Eq 'every law kept|kept every law' "$folder/out" ;;
    *) [ "$1" -eq 1 ] && sed -nE 's/.*broke law ([a-z_]+):.*/\1/p; s/.*crashed: .*/crash/p' \
        "$folder/out" | grep -Eqx "$2" ;;
    esac
}

check_adapter() { # adapter law
    run_mill "$1" check --ops "$ops" --timeout 300
    status=$?
    if is_as_expected "$status" "$2"; then
        sed -n 's/^.*, seed/  &/p; s/^findings/  &/p' "$folder/out"
    else
        fail "check of $1: status $status, expected: $2"
    fi
}

replay_found() { # adapter law
    trace=$here/found/$1.trace
    [ -e "$trace" ] || return 0
    run_mill "$1" explain "$trace"
    status=$?
    is_as_expected "$status" "$2" || fail "replay of $trace: status $status, expected: $2"
}

drive_nginx() {
    "$here/nginx/run.sh" "$folder/nginx.so" "$here/nginx/driven.so" >"$folder/out" 2>&1 ||
        fail "nginx's lock and tree"
}

"$here/build.sh" "$peer" "$folder/$peer.so" >"$folder/out" 2>&1
case $? in
0) ;;
77)
    echo "NOT RUN: $(tail -n 1 "$folder/out")"
    exit 0
    ;;
*)
    fail "build of $peer"
    exit 1
    ;;
esac
awk -v peer="$peer" '$1 == peer { print $2, $3 }' "$here/expected.txt" >"$folder/list"
while read -r adapter law; do
    check_adapter "$adapter" "$law"
    replay_found "$adapter" "$law"
done <"$folder/list"
[ "$peer" != nginx ] || drive_nginx
[ "$n_failed" -eq 0 ] || echo "$n_failed not as expected"
[ "$n_failed" -eq 0 ]
