#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check.sh accepts a small correct tree in any folder, and rejects it with any one mistake.
set -u

. tests/infra/oss_fuzz/tiny_tree.sh

scratch=${TEST_TMPDIR:?}
n_failed=0

check() { # name
    bash fuzz/oss-fuzz/check.sh --quick --seconds 5 --tree "$scratch/$1" >"$scratch/$1.log" 2>&1
}

wrong() { # name sentence
    echo "FAILED $1: $2" >&2
    tail -n 20 "$scratch/$1.log" >&2
    n_failed=$((n_failed + 1))
}

# A tree that `spoil_NAME FOLDER` changed is rejected, and the message has these words.
rejects() { # name words
    make_tiny_tree "$scratch/$1"
    "spoil_$1" "$scratch/$1"
    check "$1"
    status=$?
    if [ "$status" -ne 1 ]; then
        wrong "$1" "exit status $status instead of 1"
    elif ! grep -q "FAILED.*$2" "$scratch/$1.log"; then
        wrong "$1" "does not say: $2"
    elif [ "$(tail -n 1 "$scratch/$1.log")" != "oss-fuzz: 1 targets, 0 passed" ]; then
        wrong "$1" "does not close with the count"
    else
        echo "refused, $1: $(grep -m 1 FAILED "$scratch/$1.log")"
    fi
}

# A mistake in a file that OSS-Fuzz's presubmit reads is rejected before anything is built.
rejects_text() { # name file sed-script words
    make_tiny_tree "$scratch/$1"
    sed -i "$3" "$scratch/$1/fuzz/oss-fuzz/$2"
    check "$1"
    status=$?
    if [ "$status" -ne 1 ]; then
        wrong "$1" "exit status $status instead of 1"
    elif ! grep -q "FAILED presubmit, $2: .*$4" "$scratch/$1.log"; then
        wrong "$1" "does not say: $4"
    elif grep -q "^oss-fuzz:" "$scratch/$1.log"; then
        wrong "$1" "is built nevertheless"
    else
        echo "refused, $1: $(grep -m 1 FAILED "$scratch/$1.log")"
    fi
}

# The runner hides /tmp and /mnt. Here the scripts, the tree and the scratch folder are in one of
# them.
accepts_in() { # folder name
    mkdir -p "$scratch/$2/tmp"
    cp -RL fuzz tools "$scratch/$2/"
    make_tiny_tree "$scratch/$2/tree"
    # The inner shell expands the names.
    # shellcheck disable=SC2016
    if ! unshare -rm bash -c 'mount --bind "$1" "$2" && cd "$2" && TMPDIR=$2/tmp \
        exec bash fuzz/oss-fuzz/check.sh --quick --seconds 5 --tree tree' \
        bash "$scratch/$2" "$1" >"$scratch/$2.log" 2>&1; then
        wrong "$2" "is refused"
    elif grep -q "not checked here" "$scratch/$2.log"; then
        wrong "$2" "is run without the runner's folders"
    else
        echo "accepted, $2"
    fi
}

edit_build() { # folder sed-script
    sed -i "$2" "$1/fuzz/oss-fuzz/build.sh"
    ! cmp -s "$1/fuzz/oss-fuzz/build.sh" fuzz/oss-fuzz/build.sh || {
        echo "the edit '$2' of build.sh changes nothing" >&2
        exit 1
    }
}

spoil_uninstrumented() {
    edit_build "$1" 's/\$CC \$CFLAGS/$CC ${CFLAGS\/-fsanitize=fuzzer-no-link\/}/'
}

spoil_unsanitized() {
    edit_build "$1" 's/\$CC \$CFLAGS/$CC ${CFLAGS\/-fsanitize=address\/}/'
}

spoil_mixed() {
    edit_build "$1" 's/^link_flags=(/&-fsanitize=undefined /'
    edit_build "$1" 's/\$CC \$CFLAGS/& -fsanitize=undefined/'
}

spoil_seedless() {
    edit_build "$1" 's/^    pack_seeds "\$1"/    :/'
}

spoil_forgetful() {
    edit_build "$1" 's/"\$stage\/\${seed.*"$/"$stage\/one"/'
}

spoil_dying() {
    sed -i "s/^    if (n_execs++/    if (n_bytes == 3 \&\& bytes[0] == 'x') abort();\n&/" \
        "$1/fuzz/tiny_fuzz.c"
}

spoil_stray() {
    echo 'int stray(void) { return 0; }' >"$1/stray.c"
    clang-19 -shared -fPIC -Wl,-soname,libstray.so -o "$1/libstray.so" "$1/stray.c"
    edit_build "$1" "s|^link_flags=(|&-Wl,--no-as-needed $1/libstray.so |"
}

spoil_blind() {
    echo 'allocator/base/tiny.c s/return 4;/return 2 + 2;/' >"$1/fuzz/oss-fuzz/standin/faults.txt"
}

spoil_littering() {
    sed -i 's/^    if (n_execs++ == 0)/    if (fopen("left", "w") == NULL) abort();\n&/' \
        "$1/fuzz/tiny_fuzz.c"
}

spoil_unbuildable() {
    echo 'int broken' >"$1/harness/adapters/broken.c"
}

make_tiny_tree "$scratch/right"
check right || wrong right "is refused"
rejects uninstrumented "has only [0-9]* counters"
rejects unsanitized "calls its sanitizer only [0-9]* times"
rejects mixed "has another sanitizer too"
rejects seedless "has no seeds"
rejects forgetful "runs [0-9]* of 2 seeds"
rejects dying "dies on a seed"
rejects stray "needs libstray.so, which the runner lacks"
rejects blind "finds no planted bug"
rejects unbuildable "build.sh"
for file in Dockerfile build.sh project.yaml; do
    rejects_text "unlicensed_$file" "$file" '/www.apache.org/d' "lacks the Apache header"
    rejects_text "unsigned_$file" "$file" '/Copyright/d' "lacks a line with the copyright"
done
rejects_text old_engine build.sh 's/^ *\$LIB_FUZZING_ENGINE/-lFuzzingEngine/' "-lFuzzingEngine"
rejects_text unknown_key project.yaml 's/^language/langage/' "no key langage"
rejects_text no_main_repo project.yaml '/^main_repo/d' "has no main_repo"
rejects_text no_address project.yaml 's/@/ at /' "no mail address"
if grep -q "not checked here" "$scratch/right.log"; then
    echo "NOT RUN in part: littering, in_tmp, in_mnt; $(grep "not checked here" "$scratch/right.log")"
else
    rejects littering "does not start"
    accepts_in /tmp in_tmp
    accepts_in /mnt in_mnt
fi
[ "$n_failed" -eq 0 ]
