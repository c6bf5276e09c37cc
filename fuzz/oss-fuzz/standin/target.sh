# SPDX-License-Identifier: Apache-2.0
# Sourced by check.sh: the checks of one artefact. As OSS-Fuzz's bad_build_check: it starts, has
# counters, the right sanitizer and machine, and survives its seeds. In addition: the library is
# instrumented too, every seed is run, a planted bug is found, the runner has all needed libraries,
# only /tmp is written to, and coverage can be measured. Uses the variables engine sanitizer arch
# stage target root here enclosed fault_seconds. Sets facts, the text for the line of a target that
# passed.

# Far fewer than any target has, far more than a target without an instrumented library has.
least_counters=300

runner_has=" libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 libresolv.so.2 libgcc_s.so.1"
runner_has="$runner_has ld-linux-x86-64.so.2 ld-linux.so.2 "

fail() { # sentence
    echo "FAILED $target, $engine $sanitizer $arch: $*" >&2
    return 1
}

# The settings of a section of the target's .options, one a line: name=value.
settings() { # section
    sed -n "/^\[$1\]/,/^\[/s/^\([a-z_]*\) = \(.*\)/\1=\2/p" "$stage/out/$target.options"
}

# Prints options of one sanitizer only, since afl-fuzz refuses those of others.
sanitizer_options() {
    local extra=
    [ "$engine" != afl ] || extra=abort_on_error=1:symbolize=0:
    case $sanitizer in
    memory) echo "MSAN_OPTIONS=$extra$(settings msan | paste -sd:)" ;;
    *) echo "ASAN_OPTIONS=$extra$(settings asan | paste -sd:)" ;;
    esac
}

# Runs a command on a stage's artefacts; @out and @tmp in arguments become the folders' names as the
# command sees them. Its output goes to STAGE/log.
run() { # stage argument...
    local at=$1 out=$1/out tmp=$1/tmp wrapper=(env -C "$1/cwd")
    shift
    if [ -n "$enclosed" ]; then
        wrapper=(unshare -rm bash "$here/standin/runner.sh" "$out" "$tmp")
        out=/mnt/out tmp=/tmp
    fi
    set -- "${@//@out/$out}"
    set -- "${@//@tmp/$tmp}"
    # --foreground keeps it in the process group that ends with check.sh.
    timeout --foreground -k 10 300 env -u TEST_TMPDIR TMPDIR="$tmp" LLVM_PROFILE_FILE="$tmp/profraw" \
        UBSAN_OPTIONS=silence_unsigned_overflow=1 "$(sanitizer_options)" \
        "${wrapper[@]}" "$@" >"$at/log" 2>&1 </dev/null
}

# Passes the settings for libFuzzer as arguments, as OSS-Fuzz's runner does.
run_target() { # stage argument...
    local at=$1 arguments
    shift
    mapfile -t arguments < <(settings libfuzzer | sed 's/^/-/; s,^-dict=,-dict=@out/,')
    run "$at" "@out/$target" "${arguments[@]}" "$@"
}

show_log() { # stage
    tail -n 15 "$1/log" >&2
}

# Prints the number after the last `$2` in a stage's log.
number_after() { # stage pattern
    grep -a . "$1/log" | sed -n "s/.*$2\([0-9][0-9]*\).*/\1/p" | tail -n 1
}

unpack_seeds() { # stage
    rm -rf "$1/tmp/seeds"
    python3 -m zipfile -e "$stage/out/${target}_seed_corpus.zip" "$1/tmp/seeds"
}

# --- The file ---

check_machine() {
    local machine
    machine=$(readelf -h "$stage/out/$target" | sed -n 's/.*Machine: *//p')
    case "$arch $machine" in
    "x86_64 "*X86-64 | "i386 "*80386) ;;
    *) fail "is a program for $machine" ;;
    esac
}

check_libraries() {
    local library
    for library in $(readelf -d "$stage/out/$target" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
        case "$runner_has" in
        *" $library "*) ;;
        *) fail "needs $library, which the runner lacks" || return ;;
        esac
    done
    ! readelf -d "$stage/out/$target" | grep -qE 'RPATH|RUNPATH' ||
        fail "looks for libraries in a path"
}

# The limits are those of bad_build_check, since run-time libraries make some calls of each
# sanitizer.
check_sanitizer() {
    local calls n_asan n_msan n_ubsan own least most_ubsan=200
    calls=$(objdump -d --no-show-raw-insn "$stage/out/$target" | grep -E 'call +[0-9a-f]+ <__')
    n_asan=$(grep -c '<__asan' <<<"$calls" || true)
    n_msan=$(grep -c '<__msan' <<<"$calls" || true)
    n_ubsan=$(grep -c '<__ubsan' <<<"$calls" || true)
    [ "$arch" != i386 ] || most_ubsan=280
    case $sanitizer in
    address) own=$n_asan least=1000 n_asan=0 ;;
    memory) own=$n_msan least=1000 n_msan=0 ;;
    undefined) own=$n_ubsan least=168 n_ubsan=0 ;;
    esac
    [ "$own" -ge "$least" ] || fail "calls its sanitizer only $own times" || return
    [ "$n_asan" -eq 0 ] && [ "$n_msan" -le 3 ] && [ "$n_ubsan" -le "$most_ubsan" ] ||
        fail "has another sanitizer too: $n_asan, $n_msan, $n_ubsan calls of ASan, MSan, UBSan"
}

# --- As libFuzzer runs it ---

check_start() {
    local counters status=0
    run_target "$stage" -seed=1337 -runs=4 || status=$?
    if [ "$status" -ne 0 ] || ! grep -q 'Done 4 runs' "$stage/log"; then
        show_log "$stage"
        fail "does not start: exit status $status" || return
    fi
    counters=$(number_after "$stage" 'Loaded [0-9]* modules *([0-9]* inline 8-bit counters): ')
    [ "${counters:-0}" -ge "$least_counters" ] || fail "has only ${counters:-0} counters" || return
    if [ -e "$stage/out/$target.dict" ]; then
        grep -q 'Dictionary: [1-9]' "$stage/log" || fail "does not take its dictionary" || return
    fi
    facts="$counters counters"
}

check_seeds() {
    local n_files n_read n_run status=0
    unpack_seeds "$stage"
    n_files=$(find -L "$root/corpus/$target" -type f | wc -l)
    run_target "$stage" -runs=0 @tmp/seeds || status=$?
    if [ "$status" -ne 0 ]; then
        show_log "$stage"
        fail "dies on a seed: exit status $status" || return
    fi
    n_read=$(number_after "$stage" 'seed corpus: files: ')
    n_run=$(number_after "$stage" 'slabmill: .*execs=')
    [ "$n_files" -ge 1 ] && [ "${n_read:-0}" -eq "$n_files" ] && [ "${n_run:-0}" -ge "$n_files" ] ||
        fail "reads ${n_read:-0} and runs ${n_run:-0} of $n_files seeds" || return
    facts="$facts, $n_files seeds"
}

# Callers search first without seeds; a bug found then is found by fuzzing.
find_fault() { # corpus...
    local status=0
    rm -f "$stage/faulty/tmp"/crash-*
    run_target "$stage/faulty" -seed=1 -runs=200000 -max_total_time="$fault_seconds" \
        -artifact_prefix=@tmp/ "$@" || status=$?
    [ "$status" -ne 0 ]
}

# The status shows a law of the harness (77, libFuzzer's for a signal) or the sanitizer (1). Runs a
# crash file as often as OSS-Fuzz does to reproduce it, since with real threads it does not fail
# each time.
check_fault() {
    local how="without seeds" execs status
    find_fault || {
        how="with seeds"
        unpack_seeds "$stage/faulty"
        find_fault @tmp/seeds
    } || fail "finds no planted bug, without and with seeds" || return
    execs=$(number_after "$stage/faulty" 'slabmill: .*execs=')
    local crashes=("$stage/faulty/tmp"/crash-*)
    [ -e "${crashes[0]}" ] || { show_log "$stage/faulty"; fail "leaves no crash file"; } || return
    status=0
    run_target "$stage/faulty" -runs=100 "@tmp/${crashes[0]##*/}" || status=$?
    [ "$status" -eq 77 ] || [ "$status" -eq 1 ] ||
        fail "ends with status $status on its crash file" || return
    cp "${crashes[0]}" "$stage/tmp/"
    run_target "$stage" -runs=100 "@tmp/${crashes[0]##*/}" || fail "dies on it without the bug too" || return
    facts="$facts, bug found $how${execs:+ in $execs runs}, status $status"
}

check_libfuzzer() {
    check_start && check_seeds && check_fault
}

# --- As AFL++ runs it ---

afl() { # stage seconds argument...
    local at=$1 seconds=$2
    shift 2
    rm -rf "$at/tmp/afl"
    unpack_seeds "$at"
    local dictionary=()
    [ ! -e "$at/out/$target.dict" ] || dictionary=(-x "@out/$target.dict")
    run "$at" env AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_SKIP_CRASHES=1 \
        AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 "$@" \
        afl-fuzz -m none -t 5000 -V "$seconds" -i @tmp/seeds -o @tmp/afl "${dictionary[@]}" -- \
        "@out/$target"
}

check_afl() {
    local n_seeds n_run execs crashes
    unpack_seeds "$stage"
    local seeds=("$stage/tmp/seeds"/*)
    n_seeds=${#seeds[@]}
    run "$stage" "@out/$target" "${seeds[@]/#$stage\/tmp/@tmp}" ||
        { show_log "$stage"; fail "dies on a seed"; } || return
    n_run=$(number_after "$stage" 'slabmill: .*execs=')
    [ "${n_run:-0}" -ge "$n_seeds" ] || fail "runs ${n_run:-0} of $n_seeds seeds" || return
    afl "$stage" 5 || { show_log "$stage"; fail "afl-fuzz does not run it"; } || return
    execs=$(sed -n 's/^execs_done *: //p' "$stage/tmp/afl/default/fuzzer_stats")
    [ "${execs:-0}" -gt "$n_seeds" ] || fail "afl-fuzz runs it only ${execs:-0} times" || return
    afl "$stage/faulty" "$fault_seconds" AFL_BENCH_UNTIL_CRASH=1 ||
        { show_log "$stage/faulty"; fail "afl-fuzz does not run it with a bug"; } || return
    crashes=("$stage/faulty/tmp/afl/default/crashes"/id*)
    [ -e "${crashes[0]}" ] || fail "finds no planted bug in $fault_seconds seconds" || return
    facts="$n_seeds seeds, $execs runs, bug found"
}

# --- Coverage ---

check_coverage() {
    local covered
    unpack_seeds "$stage"
    local seeds=("$stage/tmp/seeds"/*)
    rm -f "$stage/tmp/profraw"
    run_target "$stage" "${seeds[@]/#$stage\/tmp/@tmp}" ||
        { show_log "$stage"; fail "dies on a seed"; } || return
    "llvm-profdata-$llvm" merge -o "$stage/tmp/profile" "$stage/tmp/profraw" ||
        fail "leaves no profile" || return
    covered=$("llvm-cov-$llvm" export -summary-only -instr-profile="$stage/tmp/profile" \
        "$stage/out/$target" | python3 "$here/standin/covered.py" allocator) || return
    case "$target $covered" in
    trace_fuzz*) ;; # it runs the harness's parser and no allocator
    *" 0 of "*) fail "covers no line of allocator/" || return ;;
    esac
    facts="${#seeds[@]} seeds, $covered lines of allocator/"
}

check_target() {
    [ -x "$stage/out/$target" ] || fail "was not built" || return
    [ -e "$stage/out/${target}_seed_corpus.zip" ] || fail "has no seeds" || return
    check_machine && check_libraries || return
    case "$engine $sanitizer" in
    *" coverage") check_coverage ;;
    libfuzzer*) check_sanitizer && check_libfuzzer ;;
    afl*) check_sanitizer && check_afl ;;
    esac
}
