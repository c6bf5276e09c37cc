#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# overnight_variants finds targets by the tag fuzz-test. Any kind of rule may have it, with or
# without a dictionary. A package without such a target does not load, and the error says why.
set -eu

case $(bazel --version) in
*no_version* | "bazel 4."*) ;;
*)
    echo "NOT RUN: these packages are for Bazel 4, with WORKSPACE and rules that are built in"
    exit 0
    ;;
esac

scratch=${TEST_TMPDIR:?}
tree=$scratch/tree
mkdir -p "$tree/fuzz/overnight" "$tree/afl" "$tree/some" "$tree/none"
cp fuzz/overnight/variants.bzl "$tree/fuzz/overnight/"
touch "$tree/fuzz/overnight/BUILD" "$tree/afl/BUILD" "$tree/afl/WORKSPACE"
echo 'AFL_FOUND = False' >"$tree/afl/found.bzl"
echo 'local_repository(name = "slabmill_afl", path = "afl")' >"$tree/WORKSPACE"

cat >"$tree/some/BUILD" <<'END'
load("//fuzz/overnight:variants.bzl", "fuzz_target_files", "overnight_variants")

[
    (
        sh_test(name = name, srcs = ["x.sh"], tags = ["fuzz-test"] + tags),
        sh_binary(name = name + "_bin", testonly = True, srcs = ["x.sh"]),
        filegroup(name = name + "_corpus", srcs = ["seed"]),
    )
    for name, tags in (("plain_fuzz", []), ("threads_fuzz", ["threads"]))
]

filegroup(name = "threads_fuzz_dict", srcs = ["words"])

test_suite(name = "replays", tags = ["fuzz-test"])

sh_test(name = "other_test", srcs = ["x.sh"])

fuzz_target_files()

overnight_variants(name = "night")
END

cat >"$tree/none/BUILD" <<'END'
load("//fuzz/overnight:variants.bzl", "overnight_variants")

sh_test(name = "other_test", srcs = ["x.sh"])

overnight_variants(name = "night")
END

run_bazel() { # command and its arguments
    (cd "$tree" && bazel --noworkspace_rc --nohome_rc --local_startup_timeout_secs=3600 --output_user_root="$scratch/bazel" "$@")
}
trap 'run_bazel shutdown >/dev/null 2>&1' EXIT

query() { # expression
    run_bazel query --noshow_progress --noimplicit_deps "$1"
}

expect() { # what expression expected
    query "$2" >"$scratch/found" 2>"$scratch/log" || {
        cat "$scratch/log" >&2
        exit 1
    }
    # The words must split.
    # shellcheck disable=SC2086
    printf '%s\n' $3 | sort >"$scratch/expected"
    sort "$scratch/found" | diff -u "$scratch/expected" - || {
        echo "FAILED: $1" >&2
        exit 1
    }
}

night() { # part
    echo "labels(binaries, //some:night/$1) + labels(files_by_name, //some:night/$1)"
}

expect 'every target of the tag is built, of any kind' "$(night asan-ubsan)" \
    '//some:plain_fuzz_bin //some:threads_fuzz_bin'
expect 'only targets with threads are built for TSan' "$(night tsan)" '//some:threads_fuzz_bin'
expect 'every target has its seeds' "$(night seeds)" \
    '//some:plain_fuzz_corpus //some:threads_fuzz_corpus'
expect 'only targets with a dictionary have one' "$(night dict)" '//some:threads_fuzz_dict'
expect 'the files of all targets are named' 'labels(srcs, //some:inputs + //some:binaries)' \
    '//some:plain_fuzz_bin //some:threads_fuzz_bin //some:plain_fuzz_corpus
    //some:threads_fuzz_corpus //some:threads_fuzz_dict'

if query //none:night >"$scratch/found" 2>"$scratch/log"; then
    echo 'FAILED: a package without fuzz tests loads' >&2
    exit 1
fi
grep -q '//none: no target above has the tag fuzz-test' "$scratch/log" || {
    cat "$scratch/log" >&2
    echo 'FAILED: the error of a package without fuzz tests does not say so' >&2
    exit 1
}
