#!/bin/bash -eu
# Copyright 2026 The Slabmill maintainers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
#
# SPDX-License-Identifier: Apache-2.0
# Builds every fuzz target for OSS-Fuzz and ClusterFuzzLite; run it in the project's root.
# Usage: build.sh           uses the variables CC CXX CFLAGS CXXFLAGS LIB_FUZZING_ENGINE OUT WORK
#        build.sh --list    prints the sources of targets and library, and builds nothing
# It does not use Bazel, since engines replace compiler, flags and libraries, which is easy only
# with plain commands.
set -eu

targets=()
for target in fuzz/*_fuzz.c; do
    # It is there to be compared with, and needs planted bugs.
    [ "$target" = fuzz/plain_slab_fuzz.c ] || targets+=("$target")
done
# All units; the linker takes what each target needs.
library=(allocator/*/*.c harness/*/*.c fuzz/common/*.c)
for target in "${targets[@]}"; do
    body=${target%_fuzz.c}
    [ ! -d "$body" ] || library+=("$body"/*.c)
done

# SLM_SCHED adds yield points for schedule_fuzz and zone_fuzz. Without a hook, which only these two
# set, they do nothing, so all targets share one library. With fewer pages a piece, short zones are
# copied in many holds. On i386 off_t has 32 bits without the last flag.
flags=(-std=c11 -I. -Iinclude -pthread -DSLM_SCHED=1 -DZONE_COPY_PIECE_PAGES=4u)
flags+=(-D_FILE_OFFSET_BITS=64)

# The engine comes after the archive and refers to the mutator weakly, so the linker would take
# neither symbol from the archive without these flags.
link_flags=(-pthread -Wl,-u,LLVMFuzzerTestOneInput -Wl,-u,LLVMFuzzerCustomMutator)

die() {
    echo "build.sh: $*" >&2
    exit 1
}

compile() { # source object
    # CFLAGS is several words.
    # shellcheck disable=SC2086
    $CC $CFLAGS "${flags[@]}" -c "$1" -o "$2"
}

compile_all() { # source...
    local source object n_jobs
    n_jobs=$(nproc)
    for source in "$@"; do
        object=$objects/${source%.c}.o
        mkdir -p "${object%/*}"
        if [ "$(jobs -pr | wc -l)" -ge "$n_jobs" ]; then
            wait -n || die "a source did not compile"
        fi
        compile "$source" "$object" &
    done
    while [ -n "$(jobs -p)" ]; do
        wait -n || die "a source did not compile"
    done
}

archive() { # source...
    local members=("${@/#/$objects/}")
    "${AR:-ar}" rcs "$objects/libslabmill.a" "${members[@]/%.c/.o}"
}

link_target() { # name
    # Links with $CXX, since the engine is C++. The engine may be a path.
    # shellcheck disable=SC2086
    $CXX $CXXFLAGS "$objects/fuzz/$1.o" "$objects/libslabmill.a" "${link_flags[@]}" \
        $LIB_FUZZING_ENGINE -o "$OUT/$1"
}

# Makes one flat folder. A corpus and its regress/ may have files of the same name, so paths become
# names.
pack_seeds() { # name
    local stage=$objects/seeds/$1 seed
    [ -d "corpus/$1" ] || die "corpus/$1: a target without seeds"
    mkdir -p "$stage"
    while IFS= read -r seed; do
        cp -L "corpus/$1/$seed" "$stage/${seed//\//-}"
    done < <(cd "corpus/$1" && find -L . -type f -printf '%P\n')
    (cd "$stage" && python3 -m zipfile -c "$OUT/$1_seed_corpus.zip" ./*)
}

# An input takes milliseconds, so one that takes the runner's 25 seconds hangs. Repeats the
# sanitizer settings of fuzz/common/fuzz.c, since the runner's settings override those.
write_options() { # name
    {
        printf '[libfuzzer]\ntimeout = 25\n'
        [ ! -e "$OUT/$1.dict" ] || printf 'dict = %s.dict\n' "$1"
        printf '[asan]\nallocator_may_return_null = 1\nquarantine_size_mb = 10\n'
        printf 'detect_stack_use_after_return = 0\n'
        printf '[msan]\nallocator_may_return_null = 1\n'
    } >"$OUT/$1.options"
}

build_target() { # name
    link_target "$1"
    if [ -e "fuzz/$1.dict" ]; then
        cp -L "fuzz/$1.dict" "$OUT/$1.dict"
        chmod 644 "$OUT/$1.dict"
    fi
    pack_seeds "$1"
    write_options "$1"
}

[ -e "${targets[0]}" ] || die "$PWD: no fuzz/*_fuzz.c here; start it in the project's root"
if [ "${1-}" = --list ]; then
    printf '%s\n' "${targets[@]}" "${library[@]}"
    exit
fi
objects=$WORK/slabmill
rm -rf "$objects"
compile_all "${targets[@]}" "${library[@]}"
archive "${library[@]}"
for source in "${targets[@]}"; do
    build_target "$(basename "$source" .c)"
done
