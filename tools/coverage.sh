#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures which lines and branches of allocator/ the fuzz corpus, the tests, or both reach.
# Usage: ./tools/coverage.sh [corpus|tests|all] [BAZEL_FLAG...]
#   corpus   only the replays of the checked-in corpus
#   tests    every test, including the replays (default)
#   all      every test, plain and again with --config=asan --copt=-DSLM_CHECKS=2, in one sum
# Code that only sanitizers or deeper checks compile needs flags or `all`. Prints a table by file,
# then each line never run and each branch never taken as file:line.
set -euo pipefail

# shellcheck source=tools/group.sh
. "$(dirname "${BASH_SOURCE[0]}")/group.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=/proc/self/cwd
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

usage() {
    sed -n '3,9s/^# //p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

# Prints the labels of the programs whose profiles count.
labels_of() { # corpus|tests
    local all='kind("cc_test rule", //...)'
    # `bazel test //...` leaves these out, for example targets with planted bugs.
    local manual=' except attr(tags, "\bmanual\b", //...)'
    case "$1" in
    corpus) ./bazelw query --noshow_progress "attr(tags, \"\\bfuzz-test\\b\", $all)$manual" ;;
    *) ./bazelw query --noshow_progress "$all$manual" ;;
    esac
}

# Each test gets its own profiles, since programs of the same shape, such as the fuzz replays,
# cannot share one. %4m merges the profiles of a test's processes into at most four, since death
# tests start many processes.
write_runner() {
    cat >"$scratch/run" <<EOF
#!/usr/bin/env bash
export LLVM_PROFILE_FILE="$scratch/\${TEST_TARGET//[^a-z_]/-}-%4m.profraw"
exec "\$@"
EOF
    chmod +x "$scratch/run"
}

run_tests() { # bazel_flag... (labels is main's)
    # Reports failing tests, and still counts what they ran.
    ./bazelw test --config=coverage --nocache_test_results "--run_under=$scratch/run" \
        "$@" "${labels[@]}" ||
        echo "coverage.sh: not all tests passed; the numbers are of the tests that ran" >&2
}

merge_profiles() {
    local profiles=("$scratch"/*.profraw)
    if [[ ! -e ${profiles[0]} ]]; then
        echo "coverage.sh: no test wrote a profile" >&2
        exit 1
    fi
    llvm-profdata-19 merge -sparse -o "$scratch/all.profdata" "${profiles[@]}"
}

# Exports llvm-cov's counts of each program, only for allocator/. For all programs at once, llvm-cov
# keeps one compiled form of a function (with or without yield points) and drops the counts of the
# others. Bazel compiles in /proc/self/cwd, which is the root of the tree for llvm-cov too.
export_counts() {
    local program format
    for program in "${programs[@]}"; do
        for format in lcov text; do
            llvm-cov-19 export "$program" "-instr-profile=$scratch/all.profdata" \
                "-format=$format" -sources "$root/allocator" >>"$scratch/$format" ||
                echo "coverage.sh: $program has no counts" >&2
            echo >>"$scratch/$format"
        done
    done
}

# Lines come from LCOV, branches from JSON. In both, the copies of an inline function are merged,
# which llvm-cov's own summary does not do. A branch in a macro counts where the macro is used.
print_tables() {
    export_counts
    python3 - "$scratch/lcov" "$scratch/text" "$root/" <<'EOF'
import collections
import json
import sys

lcov_path, json_path, root = sys.argv[1:]
lines = collections.defaultdict(dict)  # file: {line: count}
branches = collections.defaultdict(lambda: [0, 0])  # (file, line, ...): [true, false]


def is_ours(file):
    """For a program without any of the requested sources, llvm-cov exports all its sources."""
    return file.startswith("allocator/")


def read_lines():
    for row in open(lcov_path):
        tag, _, value = row.strip().partition(":")
        if tag == "SF":
            file = value.removeprefix(root)
        elif tag == "DA" and is_ours(file):
            line, count = value.split(",")[:2]
            lines[file][int(line)] = max(int(count), lines[file].get(int(line), 0))


def read_branches(function):
    # A region of kind 1 is the use of a macro; the macro's text has another file number.
    uses = {r[6]: (r[5], r[0], r[1]) for r in function["regions"] if r[7] == 1}
    for line, column, _, _, n_true, n_false, at, *_ in function["branches"]:
        path = [(line, column)]
        while at in uses:
            at, line, column = uses[at]
            path.insert(0, (line, column))
        file = function["filenames"][at].removeprefix(root)
        taken = branches[file, line, tuple(path)]
        taken[0] += n_true
        taken[1] += n_false


def drop_lines_outside(bodies):
    """Removes texts of macros, which LCOV counts as lines."""
    for file in list(lines):
        lines[file] = {n: count for n, count in lines[file].items() if n in bodies[file]}
        if not lines[file]:
            del lines[file]


def share(n, n_missed):
    return f"{n:7} {n_missed:7} {100 * (n - n_missed) / n:7.2f} %" if n else f"{0:7} {0:7}        -"


def print_row(name, counts, taken):
    lines_missed = sum(count == 0 for count in counts)
    branches_missed = sum(count == 0 for pair in taken for count in pair)
    print(f"{name:30}{share(len(counts), lines_missed)}  {share(2 * len(taken), branches_missed)}")


def print_sum(name, files):
    print_row(name, [n for file in files for n in lines[file].values()],
              [t for key, t in branches.items() if key[0] in files])


def unit_of(file):
    """base, pool, slab ... : a folder, or the first part of a name."""
    folder, name = file.split("/")[-2:]
    return folder if folder != "allocator" else name.split(".")[0].split("_")[0]


def print_table():
    print(f"{'file':30}{'lines':>7} {'missed':>7} {'reached':>9}  {'branches':>8}"
          f" {'missed':>6} {'reached':>9}")
    for file in sorted(lines):
        print_sum(file, [file])
    for unit in sorted({unit_of(file) for file in lines}):
        print_sum(f"  all of {unit}", [file for file in lines if unit_of(file) == unit])
    print_sum("all", list(lines))


def print_missed():
    text = {file: open(file).read().split("\n") for file in lines}
    print("\nLines never run:")
    for file, line in sorted((f, n) for f in lines for n, count in lines[f].items() if not count):
        print(f"{file}:{line}: {text[file][line - 1].strip()}")
    print("\nBranches never taken:")
    for (file, line, _), taken in sorted(branches.items()):
        for way in (way for way, count in zip(("true", "false"), taken) if not count):
            print(f"{file}:{line}: never {way}: {text[file][line - 1].strip()}")


def read_functions():
    """Reads one program after the other."""
    bodies = collections.defaultdict(set)
    for row in filter(str.strip, open(json_path)):
        functions = json.loads(row)["data"][0]["functions"]
        for function in (f for f in functions if is_ours(f["filenames"][0].removeprefix(root))):
            start, _, end = function["regions"][0][:3]
            bodies[function["filenames"][0].removeprefix(root)].update(range(start, end + 1))
            read_branches(function)
    return bodies


read_lines()
drop_lines_outside(read_functions())
branches = {key: taken for key, taken in branches.items() if key[0] in lines}
print_table()
print_missed()
EOF
}

main() {
    local what=${1:-tests}
    case "$what" in
    corpus | tests | all) ;;
    *) usage ;;
    esac
    local bazel_flags=("${@:2}")
    mapfile -t labels < <(labels_of "$what")
    if [[ ${#labels[@]} -eq 0 ]]; then
        echo "coverage.sh: found no tests" >&2
        exit 1
    fi
    write_runner
    if [[ $what == all ]]; then
        run_tests "${bazel_flags[@]}"
        bazel_flags+=(--config=asan --copt=-DSLM_CHECKS=2)
    fi
    run_tests "${bazel_flags[@]}"
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
    print_tables
}

main "$@"
