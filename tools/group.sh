# SPDX-License-Identifier: Apache-2.0
# Source this at the start of a script (sh or bash), before any cd and while the script's arguments
# are unchanged. It starts the script again in a new process group, and passes HUP, INT and TERM on
# to the whole group. So a script that is ended ends its children too, and cleans up after them.
# shellcheck shell=sh

hand_on() { # number of the signal
    ended_by=$1
    # The group exists only after setsid has begun.
    kill -s TERM -- "-$group" 2>/dev/null || kill -s TERM "$group" 2>/dev/null || :
}

start_in_group() { # argument...
    shell=sh
    [ -z "${BASH_VERSION-}" ] || shell=bash
    SLM_IN_GROUP=1 setsid "$shell" "$0" "$@" <&0 &
    group=$!
    ended_by=
    trap 'hand_on 1' HUP
    trap 'hand_on 2' INT
    trap 'hand_on 15' TERM
    while :; do
        status=0
        wait "$group" || status=$?
        # A signal ends `wait` too.
        kill -0 "$group" 2>/dev/null || break
    done
    [ -z "$ended_by" ] || status=$((128 + ended_by))
    exit "$status"
}

[ -n "${SLM_IN_GROUP-}" ] || start_in_group "$@"
unset SLM_IN_GROUP
# Exits after the child that runs now; traps for EXIT clean up.
trap 'exit 143' HUP INT TERM
