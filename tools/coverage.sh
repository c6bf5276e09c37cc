#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Lines and branches of allocator/ that the fuzz corpus, the tests, or both reach.
# Usage: ./tools/coverage.sh [corpus|tests] [BAZEL_FLAG...]
#   corpus   only the replays of the checked-in corpus
#   tests    every test, the replays among them (default)
# What only sanitizers or deeper checks compile in needs flags: --config=asan --copt=-DSLM_CHECKS=2
# Prints a table per file, then each branch never taken as file:line.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=/proc/self/cwd
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

usage() {
    sed -n '3,8s/^# //p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

# Prints the labels of the programs whose profiles count.
labels_of() { # corpus|tests
    local all='kind("cc_test rule", //...)'
    case "$1" in
    corpus) ./bazelw query --noshow_progress "attr(tags, \"\\bfuzz-test\\b\", $all)" ;;
    tests) ./bazelw query --noshow_progress "$all" ;;
    esac
}

run_tests() { # label... (bazel_flags is main's)
    # %4m: processes of one program merge into up to four files, so that death tests do not flood.
    # Failing tests are told, and what they ran still counts.
    ./bazelw test --config=coverage --nocache_test_results \
        "--test_env=LLVM_PROFILE_FILE=$scratch/%4m.profraw" "${bazel_flags[@]}" "$@" ||
        echo "coverage.sh: not all tests passed; the numbers are of what ran" >&2
}

merge_profiles() {
    local profiles=("$scratch"/*.profraw)
    if [[ ! -e ${profiles[0]} ]]; then
        echo "coverage.sh: no test wrote a profile" >&2
        exit 1
    fi
    llvm-profdata-19 merge -sparse -o "$scratch/all.profdata" "${profiles[@]}"
}

# llvm-cov with the programs that were built and the profile, on allocator/ alone. Bazel compiles in
# /proc/self/cwd, which is the root of the tree for llvm-cov too.
llvm_cov() { # subcommand option...
    local subcommand=$1
    shift
    llvm-cov-19 "$subcommand" "${programs[0]}" "${programs[@]/#/-object=}" \
        "-instr-profile=$scratch/all.profdata" "$@" -sources "$root/allocator"
}

# "file:line direction", once each. LCOV numbers the directions of a line's branches: true, false,
# true, false ...
list_uncovered_branches() {
    llvm_cov export -format=lcov | awk -F '[:,]' -v root="$root/" '
        $1 == "SF" { file = substr($0, 4); sub(root, "", file) }
        file ~ /^allocator\// && $1 == "BRDA" && ($5 == "0" || $5 == "-") {
            print file ":" $2, $4 % 2 == 0 ? "true" : "false"
        }' | sort -t : -k 1,1 -k 2,2n -u
}

# Assertions are left out: their conditions fail in no correct build, and are not evaluated below
# SLM_CHECKS=2.
print_uncovered_branches() {
    local place direction text
    while read -r place direction; do
        text=$(sed -n "${place#*:}s/^ *//p" "${place%:*}")
        if [[ $text != SLM_ASSERT\(* && $text != SLM_CHECK_ALL\(* ]]; then
            echo "$place: never $direction: $text"
        fi
    done < <(list_uncovered_branches)
}

main() {
    local what=${1:-tests}
    case "$what" in
    corpus | tests) ;;
    *) usage ;;
    esac
    bazel_flags=("${@:2}")
    mapfile -t labels < <(labels_of "$what")
    if [[ ${#labels[@]} -eq 0 ]]; then
        echo "coverage.sh: found no tests" >&2
        exit 1
    fi
    run_tests "${labels[@]}"
    merge_profiles
    programs=()
    local label path
    for label in "${labels[@]}"; do
        path=${label#//}
        path=bazel-bin/${path/://}
        if [[ -x $path ]]; then
            programs+=("$path")
        fi
    done
    llvm_cov report -show-branch-summary -show-region-summary=false
    printf '\nBranches never taken, assertions aside:\n'
    print_uncovered_branches
}

main "$@"
