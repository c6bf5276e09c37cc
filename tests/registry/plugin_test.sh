#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A heap of the tests' own, built with plain cc from include/slabmill alone: as a plugin of the
# installed command, and linked with it. Usage, in the project's root: plugin_test.sh CC
set -eu

cc=$1
here=tests/registry
mill=$PWD/tools/slabmill/slabmill
static=$PWD/tests/registry/first_fit_mill
include=$PWD/include
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
n_failed=0

build() { # out file... flag...
    out=$1
    shift
    "$cc" -std=c11 -Wall -Wextra -Wpedantic -Werror -g -shared -fPIC -fvisibility=hidden \
        -Wl,--gc-sections -I "$include" -I "$here" "$@" -o "$scratch/$out"
}

# Runs a command in the scratch folder, and expects its exit status and a part of its output.
expect() { # status part command...
    wanted=$1
    part=$2
    shift 2
    status=0
    (cd "$scratch" && "$@") >"$scratch/out" 2>&1 || status=$?
    if [ "$status" -ne "$wanted" ] || ! grep -qF -e "$part" "$scratch/out"; then
        n_failed=$((n_failed + 1))
        echo "FAILED: $*: status $status, expected $wanted and: $part"
        cat "$scratch/out"
    fi
}

build first_fit.so "$here/first_fit.c" "$here/first_fit_adapter.c"
[ "$(grep -c . "$here/first_fit_adapter.c")" -le 30 ] || {
    echo "the adapter is no longer short"
    exit 1
}

# check, and all other commands.
expect 0 "findings: 0" "$mill" check ./first_fit.so --ops 200000
expect 0 "first_fit (./first_fit.so)" "$mill" check ./first_fit.so --ops 1000
expect 0 "every law kept" "$mill" soak ./first_fit.so --seed 3 --rounds 20
expect 0 "every law kept" "$mill" soak --adapter "$scratch/first_fit.so:first_fit" --seed 3 --rounds 20
grep -F "digest" "$scratch/out" >"$scratch/as_plugin"
printf 'arena 0 alloc 0 100\narena 0 free 0\n' >"$scratch/two.trace"
expect 0 "every law kept" "$mill" replay ./first_fit.so two.trace
expect 0 "live objects" "$mill" explain ./first_fit.so two.trace

# Two adapters in one file, and one in C++ whose table is made when the plugin is loaded.
{
    cat "$here/first_fit_adapter.c"
    echo 'SLM_ADAPTER(again) = {.create = create, .alloc = allocate, .free = release,'
    echo '                      .region_min_bytes = 64, .align_bytes = 8};'
} >"$scratch/both.c"
build both.so "$scratch/both.c" "$here/first_fit.c"
expect 0 "findings: 0" "$mill" check --adapter ./both.so:again --ops 5000
expect 0 "findings: 0" "$mill" check --adapter ./both.so:first_fit --ops 5000
sed 's/^#include "first_fit.h"/extern "C" {\n&\n}/
    s/first_fit_alloc(self/first_fit_alloc(static_cast<first_fit *>(self)/
    s/first_fit_free(self/first_fit_free(static_cast<first_fit *>(self)/
    /^SLM_ADAPTER/,$d' "$here/first_fit_adapter.c" >"$scratch/cxx.cc"
cat >>"$scratch/cxx.cc" <<'END'
static slm_adapter make()
{
    slm_adapter adapter = slm_adapter();
    adapter.create = create;
    adapter.alloc = allocate;
    adapter.free = release;
    adapter.region_min_bytes = 64;
    return adapter;
}

SLM_ADAPTER(cxx) = make();
END
"$cc" -std=c11 -g -fPIC -c "$here/first_fit.c" -o "$scratch/first_fit.o"
case $cc in
gcc) cxx=g++ ;;
*) cxx=clang++-19 ;;
esac
"$cxx" -std=c++11 -Wall -Wextra -Wpedantic -Werror -g -shared -fPIC -I "$include" -I "$here" \
    "$scratch/cxx.cc" "$scratch/first_fit.o" -o "$scratch/cxx.so"
expect 0 "findings: 0" "$mill" check ./cxx.so --ops 5000

# A C++ class: its functions are the adapter's.
"$cxx" -std=c++11 -Wall -Wextra -Wpedantic -Werror -g -shared -fPIC -I "$include" \
    "$here/stack_adapter.cc" -o "$scratch/stack.so"
expect 0 "findings: 0" "$mill" check ./stack.so --ops 100000
expect 0 "stack: alloc free burst drain reset " "$mill" adapters stack.so

# Linked in, without a list: the same programs, the same results.
expect 0 "first_fit: alloc free" "$static" adapters
expect 0 "slab: alloc calloc" "$static" adapters
expect 0 "findings: 0" "$static" check --adapter first_fit --ops 200000
expect 0 "every law kept" "$static" soak --adapter first_fit --seed 3 --rounds 20
grep -F "digest" "$scratch/out" | cmp - "$scratch/as_plugin" || n_failed=$((n_failed + 1))

# A heap whose free loses what it merges with: found, shrunk, shown.
sed 's/block->bytes += next->bytes;/block->bytes += next->bytes + 16;/' "$here/first_fit.c" \
    >"$scratch/wrong.c"
build wrong.so "$scratch/wrong.c" "$here/first_fit_adapter.c"
expect 1 "findings: " "$mill" check ./wrong.so --ops 200000
expect 1 "slabmill shrink --adapter ./wrong.so" "$mill" soak ./wrong.so --seed 1 --rounds 50 -o w.trace
expect 0 "w.trace" "$mill" shrink ./wrong.so w.trace -o small.trace
expect 1 "not kept" "$mill" check ./wrong.so --ops 1000
expect 0 'mill_replay_text("./wrong.so", trace)' "$mill" emit-test ./wrong.so small.trace

# A heap that merges nothing: no law of memory forbids it. probe shows it, and a promise finds it.
sed 's/next->is_free) {/next->is_free \&\& heap->bytes == 0) {/' "$here/first_fit.c" >"$scratch/apart.c"
sed 's/\.create = create/.empty_serves = true, &/' "$here/first_fit_adapter.c" >"$scratch/promise.c"
build apart.so "$scratch/apart.c" "$here/first_fit_adapter.c"
build promise.so "$here/first_fit.c" "$scratch/promise.c"
build broken.so "$scratch/apart.c" "$scratch/promise.c"
expect 0 "seems to keep empty_serves" "$mill" probe ./first_fit.so
expect 0 "does not keep empty_serves: it was broken" "$mill" probe ./apart.so
expect 0 "findings: 0" "$mill" check ./apart.so --ops 100000
expect 0 "declared, so enforced: empty_serves" "$mill" check ./promise.so --ops 100000
expect 0 "findings: 0" "$mill" check ./promise.so --ops 100000
expect 1 "broke law empty_serves" "$mill" check ./broken.so --ops 100000
expect 2 "expected a shared object, or --adapter NAME" "$mill" probe

# A heap that can be made only once in a process.
sed 's/return first_fit_init/static int n_made; return n_made++ > 0 ? 0 : first_fit_init/' \
    "$here/first_fit_adapter.c" >"$scratch/once.c"
build once.so "$scratch/once.c" "$here/first_fit.c"
expect 1 "broke law create_answer" "$mill" check ./once.so --ops 20000
sed 's/[.]region_min_bytes = 64/&, .one_arena = true, .fresh_process = true/' \
    "$scratch/once.c" >"$scratch/fresh.c"
build fresh.so "$scratch/fresh.c" "$here/first_fit.c"
expect 0 "findings: 0" "$mill" check ./fresh.so --ops 20000
expect 0 "every law kept" "$mill" soak ./fresh.so --seed 2 --rounds 10

# Wrong files and tables: status 2, in words.
expect 2 "cannot open shared object file" "$mill" check --adapter ./none.so
for command in check hunt probe; do
    expect 2 "none.so: cannot open shared object file" "$mill" $command ./none.so
    expect 2 "none.so: cannot open shared object file" "$mill" $command none.so
    expect 2 "adapter.c: " "$mill" $command "$here/first_fit_adapter.c"
done
expect 0 "findings: 0" "$mill" check first_fit.so --ops 1000
expect 2 "one adapter at a time" "$mill" check ./first_fit.so ./wrong.so
printf '\177ELF' >"$scratch/stub.so"
expect 2 "slabmill: " "$mill" check ./stub.so
echo 'int nothing; int nothing;' >"$scratch/nothing.c"
build nothing.so "$scratch/nothing.c"
expect 2 "no adapter in it" "$mill" check ./nothing.so
sed 's/.alloc = allocate, //' "$here/first_fit_adapter.c" >"$scratch/without.c"
"$cc" -w -shared -fPIC -I "$include" -I "$here" "$scratch/without.c" "$here/first_fit.c" \
    -o "$scratch/without.so"
expect 2 "adapter first_fit: alloc is missing" "$mill" check ./without.so
expect 2 "adapter first_fit: alloc is missing" "$mill" soak ./without.so --seed 1 --rounds 1
sed 's/SLM_ADAPTER(first_fit)/SLM_ADAPTER(second)/' "$here/first_fit_adapter.c" >"$scratch/second.c"
build two.so "$here/first_fit.c" "$here/first_fit_adapter.c" "$scratch/second.c"
expect 2 "has several adapters: use --adapter ./two.so:NAME" "$mill" check ./two.so
expect 0 "findings: 0" "$mill" check --adapter ./two.so:second --ops 1000
expect 2 "no adapter is named third in it" "$mill" check --adapter ./two.so:third
sed 's/= {/= {.name = "first_fit", /' "$scratch/second.c" >"$scratch/same.c"
build same.so "$here/first_fit.c" "$here/first_fit_adapter.c" "$scratch/same.c"
expect 2 "two adapters have this name" "$mill" check ./same.so
expect 2 "one adapter at a time" "$mill" check ./two.so ./first_fit.so
expect 2 "expected a shared object, or --adapter NAME" "$mill" check

echo "$n_failed failed"
[ "$n_failed" -eq 0 ]
