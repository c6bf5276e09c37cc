#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# allocator_mill in a Bazel workspace of its own, with nothing of this one but what a user gets:
# command, check, conformance suite and fuzz target work, and the check finds a bug in the heap.
. tests/install/install.sh

case $(bazel --version) in
*no_version* | "bazel 4."*) ;;
*)
    echo "NOT RUN: this workspace is for Bazel 4, with WORKSPACE and nothing to download"
    exit 0
    ;;
esac

mkdir "$scratch/slabmill"
# Bazel's sandbox has links. Bazel ignores most of third_party/, so it is no input of the test.
tar -ch WORKSPACE allocator bazel fuzz harness include tools | tar -x -C "$scratch/slabmill"
cp -R "$(dirname "$(realpath WORKSPACE)")/third_party" "$scratch/slabmill"

cp -RL tests/install/mill "$scratch/user"
cp -L tests/registry/first_fit* "$scratch/user"
cd "$scratch/user"
mv first_fit.BUILD BUILD

run_bazel() { # command and its arguments
    bazel --nohome_rc --local_startup_timeout_secs=3600 --output_user_root="$scratch/bazel" --host_jvm_args=-Xmx600m "$@"
}

bazel_does() { # command and its arguments
    command=$1
    shift
    quietly run_bazel "$command" --jobs=2 --noshow_progress --nosandbox_debug "$@"
}

end() {
    run_bazel shutdown >/dev/null 2>&1
    # Bazel makes folders read-only.
    chmod -R u+w "$scratch"
    rm -rf "$scratch"
}
trap end EXIT

bazel_does test --test_output=errors //...
for test in check conformance fuzz; do
    grep -q "^//:first_fit_mill_$test .* PASSED" "$scratch/log" || die "$test was not run"
done

bazel_does run //:first_fit_mill -- check --adapter first_fit --ops 50000
grep -q "findings: 0" "$scratch/log" || die "check says nothing of findings"

bazel_does run //:first_fit_mill -- record -o "$scratch/sort.trace" -- sort /dev/null
grep -q "sort.trace: operations [1-9]" "$scratch/log" || die "the command records nothing"

# Other compilers warn of other things.
bazel_does aquery 'mnemonic(CppCompile, deps(//:first_fit_mill))'
grep -q "harness/run" "$scratch/log" || die "the command compiles no harness"
! grep -q -e -Werror "$scratch/log" || die "a warning of the harness would end the user's build"

bazel_does run //:first_fit_mill_fuzz_bin -- -runs=1000 -seed=1
ops=$(sed -n 's/^slabmill: ops=\([0-9]*\) .*/\1/p' "$scratch/log")
[ "$ops" -gt 10000 ] || die "1000 runs of the fuzz target made $ops operations"
echo "fuzz target: $ops operations"

# A night: what it measures and reports is the user's.
run_night() { # exit-status
    status=0
    XDG_CACHE_HOME=$scratch/cache run_bazel run --jobs=2 --noshow_progress \
        //:first_fit_mill_night -- --minutes 0.2 --jobs 1 --lanes seeded --out "$scratch/night" \
        >"$scratch/log" 2>&1 || status=$?
    [ "$status" -eq "$1" ] || {
        cat "$scratch/log"
        die "the night has exit status $status, expected $1"
    }
}

# Prints what a Python expression finds in the report.
in_report() {
    python3 -c "import json, sys; report = json.load(open(sys.argv[1])); print($1)" \
        "$scratch/night/report.json"
}

run_night 0
[ "$(in_report "sorted(row['path'] for row in report['coverage']['files'])")" = \
    "['first_fit.c', 'first_fit_adapter.c']" ] || die "coverage is not that of the user's sources"
[ "$(in_report "report['coverage']['lines_covered'] > 40")" = True ] || die "few lines are covered"
[ "$(in_report "report['night']['command'][:3]")" = \
    "['bazel', 'run', '//:first_fit_mill_night']" ] || die "the command is not the user's"
[ "$(in_report "report['troubles']")" = "[]" ] || die "the night has troubles"

# Objects of some sizes get 8 bytes too few.
sed -i 's/(size_bytes + 15)/(size_bytes + 7)/' first_fit.c
! cmp -s first_fit.c "$OLDPWD/tests/registry/first_fit.c" || die "the heap has no bug"
if run_bazel test --jobs=2 --noshow_progress --nosandbox_debug --test_output=all \
    //:first_fit_mill_check >"$scratch/log" 2>&1; then
    die "check passes with a bug in the heap"
fi
grep -m 1 "broke law contents" "$scratch/log" || {
    cat "$scratch/log"
    die "check names no broken law"
}
run_night 1
command=$(in_report "report['findings'][0]['command']")
case $command in
"bazel build //:first_fit_mill_night_files/asan-ubsan && "*) ;;
*) die "the night reports no command of this workspace: $command" ;;
esac
in_report "[(found['cause'], found['frames']) for found in report['findings']]"
echo "the mill works in another workspace"
