# SPDX-License-Identifier: Apache-2.0
# Sourced at the head of a script, sh or bash, with its arguments at hand and before any cd: starts
# the script again in a process group of its own, and hands HUP, INT and TERM on to all of it. So a
# script that is ended takes its children along, and cleans up behind them.
# shellcheck shell=sh

hand_on() { # number of the signal
    ended_by=$1
    # The group is there only when setsid has begun.
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
        # A signal ends the waiting too.
        kill -0 "$group" 2>/dev/null || break
    done
    [ -z "$ended_by" ] || status=$((128 + ended_by))
    exit "$status"
}

[ -n "${SLM_IN_GROUP-}" ] || start_in_group "$@"
unset SLM_IN_GROUP
# Behind the child that runs now; the traps for EXIT clean up.
trap 'exit 143' HUP INT TERM
