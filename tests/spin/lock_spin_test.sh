#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks the lock's protocol in all its interleavings and deaths. Also checks the checker: it must
# find each mutant of the model by the claim that the mutant breaks.
# Usage: lock_spin_test.sh lock.pml [deep]    (deep: also the searches of many states)
set -euo pipefail

model=$(realpath "$1")
is_deep=${2-}
scratch=${TEST_TMPDIR:-$(mktemp -d)}/lock_spin
mkdir -p "$scratch"
cd "$scratch"
n_failed=0
n_searches=0
[ -z "${TEST_SHARD_STATUS_FILE-}" ] || touch "$TEST_SHARD_STATUS_FILE"

for command in spin gcc; do
    command -v "$command" >/dev/null || {
        echo "no $command found: install the Debian package $command" >&2
        exit 1
    }
done

# Bazel runs the searches in shards: each shard has the full time limit for its part. 0: this
# shard's.
is_mine() {
    n_searches=$((n_searches + 1))
    [ $((n_searches % ${TEST_TOTAL_SHARDS:-1})) -eq "${TEST_SHARD_INDEX:-0}" ]
}

# Runs pan. Modes: safety (assertions, end states), sleep_only (assertions), progress (non-progress
# cycles as well as assertions).
search() { # mode option...
    local mode=$1 define flag
    shift
    case "$mode" in
    safety) define=-DSAFETY flag= ;;
    sleep_only) define=-DSAFETY flag=-E ;;
    progress) define=-DNP flag=-l ;;
    esac
    rm -f pan pan.* ./*.trail
    spin "$@" -a "$model" >spin.out
    gcc "$optimise" -w -DCOLLAPSE -DMEMLIM=2000 "$define" -o pan pan.c
    # $flag is empty or one flag. pan reports an exceeded stack limit as an error of its own.
    # shellcheck disable=SC2086
    ./pan $flag -m200000 -w22 >pan.out || true
}

# 0: the search went through to its end.
is_complete() {
    grep -q 'State-vector' pan.out &&
        ! grep -qE 'Search not completed|out of memory|max search depth too small' pan.out
}

states() {
    sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' pan.out
}

# With only a few thousand states an optimising compiler takes longer than the search.
holds() { # mode option...
    local optimise=-O1
    is_mine || return 0
    search "$@"
    if is_complete && grep -q 'errors: 0$' pan.out; then
        printf 'holds    %9s states  %s\n' "$(states)" "$*"
    else
        printf 'BROKEN   %s\n' "$*"
        cat pan.out
        n_failed=$((n_failed + 1))
    fi
}

breaks() { # what-pan-says mode option...
    local expected=$1 optimise=-O0
    shift
    is_mine || return 0
    search "$@"
    if grep -q 'errors: 1$' pan.out && grep -q "^pan:1: $expected" pan.out; then
        printf 'found    %9s states  %s: %s\n' "$(states)" "$*" "$expected"
    else
        printf 'NOT SEEN %s: %s\n' "$*" "$expected"
        cat pan.out
        n_failed=$((n_failed + 1))
    fi
}

deep() { # command...
    [ -z "$is_deep" ] || "$@"
}

two='-DN=2 -DTURNS=2'
three='-DN=3 -DTURNS=1'

# The options are meant to split into words.
# shellcheck disable=SC2086
{
    # Robust: sleeps end by themselves.
    holds safety $two -DDEATHS=2 -DTIMED
    deep holds safety $two -DDEATHS=2 -DTIMED -DEARLY
    holds safety $two -DDEATHS=1 -DTIMED -DREAPER
    holds safety $three -DDEATHS=1 -DTIMED
    deep holds progress $two -DDEATHS=2 -DTIMED
    deep holds progress $three -DDEATHS=1 -DTIMED
    # Without deaths the wakes alone are enough.
    deep holds safety -DN=3 -DTURNS=2 -DDEATHS=0
    holds safety -DN=3 -DTURNS=2 -DDEATHS=0 -DGIVE_UP
    # They are enough as well where sleepers set TURN and time out.
    holds safety -DN=3 -DTURNS=1 -DDEATHS=0 -DASKS
    holds safety $two -DDEATHS=0 -DASKS -DGIVE_UP
    holds safety $three -DDEATHS=0 -DASKS -DGIVE_UP
    holds safety $two -DDEATHS=1 -DTIMED -DASKS
    holds progress $two -DDEATHS=1 -DTIMED -DASKS
    # nginx's kind: enough as well if a forced unlock follows each death.
    holds safety $two -DDEATHS=1 -DSPIN_SEM -DREAPER

    # An owner that called exec: a waiter that reads its mappings takes the lock, or it itself frees it.
    holds safety $two -DDEATHS=1 -DTIMED -DEXEC
    deep holds safety $two -DDEATHS=2 -DTIMED -DEXEC
    deep holds safety $three -DDEATHS=1 -DTIMED -DEXEC
    holds progress $two -DDEATHS=1 -DTIMED -DEXEC
    breaks 'assertion violated' safety $two -DDEATHS=1 -DTIMED -DEXEC -DBUG_LEFT_OVER_KEPT
    # What is left open: it attaches, locks, repairs, unlocks and locks between reading and taking.
    holds safety -DN=2 -DTURNS=1 -DDEATHS=1 -DTIMED -DEXEC -DSLOW_SEARCH
    breaks 'assertion violated' safety -DN=2 -DTURNS=3 -DDEATHS=1 -DTIMED -DEXEC -DSLOW_SEARCH

    # Why sleeps must end: otherwise a death between store and wake leaves a sleeper next to a free
    # lock.
    breaks 'assertion violated' sleep_only $two -DDEATHS=1 -DWATCHED
    # Why a waiter must check the owner, or a reaper must force the lock.
    breaks 'non-progress cycle' progress $two -DDEATHS=1 -DTIMED -DSPIN_SEM

    breaks 'invalid end state' safety $two -DDEATHS=0 -DBUG_NO_WAKE
    breaks 'invalid end state' safety $three -DDEATHS=0 -DBUG_WAITERS_DROPPED
    breaks 'invalid end state' safety -DN=3 -DTURNS=2 -DDEATHS=0 -DGIVE_UP -DBUG_WAKE_KEPT
    # Needs a death: only REPAIR sends an unlocker along the slow path before there is a waiter.
    breaks 'invalid end state' safety $two -DDEATHS=1 -DSPIN_SEM -DREAPER -DBUG_UNLOCK_BY_STORE
    breaks 'invalid end state' safety $two -DDEATHS=1 -DSPIN_SEM -DREAPER \
        -DBUG_FORCE_WAKES_ONLY_IF_FREED
    breaks 'assertion violated' safety $two -DDEATHS=0 -DBUG_TAKE_BY_STORE
    breaks 'assertion violated' safety $two -DDEATHS=1 -DTIMED -DBUG_REPAIR_DROPPED
    breaks 'assertion violated' safety $two -DDEATHS=1 -DTIMED -DBUG_TAKE_OVER_UNREPORTED
    breaks 'non-progress cycle' progress $two -DDEATHS=1 -DTIMED -DBUG_TID_ALONE
    breaks 'assertion violated' safety $two -DDEATHS=0 -DASKS -DEARLY -DBUG_NEWCOMER_TAKES
    breaks 'invalid end state' safety -DN=3 -DTURNS=2 -DDEATHS=0 -DASKS -DGIVE_UP \
        -DBUG_LATE_STILL_ASKS
}

[ "$n_failed" -eq 0 ] || {
    echo "$n_failed searches did not end as expected" >&2
    exit 1
}
