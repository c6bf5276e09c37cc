#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The replay engine's contract: which inputs it runs, in which order, and what makes it fail.
set -u

probe=$PWD/$1
cd "${TEST_TMPDIR:?}" || exit 1
n_failed=0

expect() { # claim wanted_status command...
    claim=$1
    wanted=$2
    shift 2
    "$@" >out 2>err
    status=$?
    if [ "$status" -ne "$wanted" ]; then
        echo "FAILED $claim: status $status, not $wanted" >&2
        cat out err >&2
        n_failed=$((n_failed + 1))
    fi
}

expect_text() { # claim file line
    grep -qxF -- "$3" "$2" || {
        echo "FAILED $1: no line '$3' in:" >&2
        cat "$2" >&2
        n_failed=$((n_failed + 1))
    }
}

mkdir -p corpus/regress empty
printf bb >corpus/b
printf a >corpus/a
: >corpus/c
printf r >corpus/regress/r

if "$probe" corpus 2>&1 | grep -q "^Replaying 'corpus/"; then
    echo "NOT RUN: this is the engine of the real rules_fuzzing, not that of third_party/"
    exit 0
fi

claim=RunsFilesOfAFolderInOrderOfTheirNames
expect "$claim" 0 "$probe" corpus
grep '^input' out >order
printf 'input <%s>\n' a bb '' r >wanted
diff -u wanted order || n_failed=$((n_failed + 1))
expect_text "$claim" out 'replayed 4 inputs'

claim=PassesTheArgumentsToInitialize
expect_text "$claim" out 'initialized with 2 arguments'

claim=NamesEachInputBeforeItRuns
expect_text "$claim" err 'replay: corpus/regress/r (1 bytes)'

claim=TakesSingleFiles
expect "$claim" 0 "$probe" corpus/b
expect_text "$claim" out 'replayed 1 inputs'

expect FailsOnAnEmptyCorpus 1 "$probe" empty
expect FailsWithoutArguments 1 "$probe"

claim=NamesAnUnreadableInputAndFails
expect "$claim" 1 "$probe" corpus/a missing corpus/b
expect_text "$claim" err 'replay: missing: No such file or directory'
expect_text "$claim" out 'replayed 2 inputs'

expect FailsWhenTheHarnessRejectsTheCorpus 1 env PROBE_VERDICT=bad "$probe" corpus

[ "$n_failed" -eq 0 ]
