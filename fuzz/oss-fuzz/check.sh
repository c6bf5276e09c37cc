#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Replaces OSS-Fuzz for tests. First it reads the project's files as OSS-Fuzz's presubmit does. Then
# it runs build.sh as the builder does, for each available engine, sanitizer and machine, and checks
# every artefact as the runner and bad_build_check do, and more.
# Usage: check.sh [--quick] [--engine E] [--sanitizer S] [--arch A] [--target PATTERN]
#        [--out DIR] [--seconds N] [--tree DIR]
#   --quick      libfuzzer, address, x86_64 only
#   --out DIR    keeps the build there; DIR must not exist
#   --seconds N  longest search for the planted bug, without seeds and again with seeds; default 60
#   --tree DIR   builds and checks the sources in DIR instead of these
# Prints a line per target and configuration. Exit status: 0 all passed, 1 a check failed, 2 wrong
# call, or what was asked for by name cannot be run here.
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=tools/group.sh
. "$root/tools/group.sh"
# shellcheck source=fuzz/oss-fuzz/standin/builder.sh
. "$here/standin/builder.sh"
# shellcheck source=fuzz/oss-fuzz/standin/presubmit.sh
. "$here/standin/presubmit.sh"
# shellcheck source=fuzz/oss-fuzz/standin/target.sh
. "$here/standin/target.sh"

# OSS-Fuzz's configurations for C projects, including coverage. Only libFuzzer supports all.
configurations=(
    "libfuzzer address x86_64"
    "libfuzzer undefined x86_64"
    "libfuzzer memory x86_64"
    "libfuzzer coverage x86_64"
    "libfuzzer address i386"
    "libfuzzer address aarch64"
    "afl address x86_64"
    "honggfuzz address x86_64"
    "centipede address x86_64"
)
only_engine='*' only_sanitizer='*' only_arch='*' only_target='*'
scratch='' keep='' fault_seconds=60
declare -A failed=()
n_run=0

die() {
    echo "check.sh: $*" >&2
    exit 2
}

parse_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
        --quick) only_engine=libfuzzer only_sanitizer=address only_arch=x86_64 ;;
        --engine | --sanitizer | --arch | --target | --out | --seconds | --tree)
            [ $# -ge 2 ] || die "$1 needs a value"
            set_option "$1" "$2"
            shift
            ;;
        --help) sed -n '3,/^set/{s/^# //p}' "$here/check.sh" && exit ;;
        *) die "$1: no such option; see --help" ;;
        esac
        shift
    done
}

set_option() { # name value
    case $1 in
    --engine) only_engine=$2 ;;
    --sanitizer) only_sanitizer=$2 ;;
    --arch) only_arch=$2 ;;
    --target) only_target=$2 ;;
    --out) keep=$2 ;;
    --seconds) fault_seconds=$2 ;;
    --tree) root=$(cd "$2" && pwd) || die "$2: no such folder" ;;
    esac
}

# Fills targets from build.sh's own list.
find_targets() {
    local source name
    targets=()
    while IFS= read -r source; do
        name=$(basename "$source" .c)
        # shellcheck disable=SC2053 # a pattern
        [[ $source != fuzz/*_fuzz.c || $source == fuzz/*/* || $name != $only_target ]] || targets+=("$name")
    done < <(cd "$root" && bash "$here/build.sh" --list)
    [ ${#targets[@]} -gt 0 ] || die "no target matches $only_target"
}

make_scratch() {
    if [ -n "$keep" ]; then
        mkdir "$keep" || die "$keep: cannot be made"
        scratch=$(cd "$keep" && pwd)
    else
        scratch=$(mktemp -d)
        trap 'rm -rf "$scratch"' EXIT
    fi
}

# Finds out whether targets can run as in OSS-Fuzz's runner, with everything except /tmp read-only.
find_enclosure() {
    enclosed=1
    mkdir "$scratch/probe"
    unshare -rm bash "$here/standin/runner.sh" "$scratch" "$scratch/probe" true \
        2>"$scratch/probe/why" || {
        enclosed=
        echo "not checked here: that targets write only to /tmp ($(tail -n 1 "$scratch/probe/why"))"
    }
}

build_both() {
    build "$engine" "$sanitizer" "$arch" "$root" "$stage" || return
    [ "$sanitizer" != coverage ] || return 0
    [ -d "$scratch/faulty" ] || make_faulty_tree "$root" "$scratch/faulty" || return
    build "$engine" "$sanitizer" "$arch" "$scratch/faulty" "$stage/faulty"
}

run_configuration() {
    stage=$scratch/$engine-$sanitizer-$arch
    mkdir "$stage"
    if ! build_both; then
        echo "FAILED build.sh, $engine $sanitizer $arch" >&2
        for target in "${targets[@]}"; do
            failed[$target]=1
        done
        return
    fi
    for target in "${targets[@]}"; do
        facts=
        if check_target; then
            echo "$target, $engine $sanitizer $arch: $facts"
        else
            failed[$target]=1
        fi
    done
}

matches() {
    # shellcheck disable=SC2053 # patterns
    [[ $engine == $only_engine && $sanitizer == $only_sanitizer && $arch == $only_arch ]]
}

run_all() {
    local configuration why
    for configuration in "${configurations[@]}"; do
        read -r engine sanitizer arch <<<"$configuration"
        matches || continue
        why=$(lacking "$engine" "$sanitizer" "$arch")
        if [ -n "$why" ]; then
            echo "not run here: $engine $sanitizer $arch ($why)"
            continue
        fi
        run_configuration
        n_run=$((n_run + 1))
    done
}

parse_arguments "$@"
check_texts || exit 1
find_targets
make_scratch
find_enclosure
run_all
[ "$n_run" -gt 0 ] || die "no such configuration, or none that can be run here"
echo "oss-fuzz: ${#targets[@]} targets, $((${#targets[@]} - ${#failed[@]})) passed"
[ ${#failed[@]} -eq 0 ]
