# SPDX-License-Identifier: Apache-2.0
# Sourced. Makes a tree that build.sh can build, with one small correct fuzz target.

# Two hundred functions with branches and loads: they have the counters and the calls of a sanitizer
# that check.sh requires.
write_library() {
    cat <<'END'
#include "allocator/base/tiny.h"
#define STEP(n)                                                                                    \
    int step_##n(const uint8_t *bytes, size_t n_bytes)                                             \
    {                                                                                              \
        static volatile int table[4][4];                                                           \
        for (size_t i = 0; i < n_bytes; i++) {                                                     \
            table[bytes[i] & 3][i & 3] += table[i & 3][bytes[i] & 3];                              \
            if (bytes[i] == n) table[1][2] = table[2][1];                                          \
        }                                                                                          \
        return table[3][n & 3];                                                                    \
    }
END
    for n in $(seq 200); do
        echo "STEP($n)"
    done
    echo 'size_t limit(void) { return 4; }'
}

write_target() {
    cat <<'END'
#include <stdio.h>
#include <stdlib.h>
#include "allocator/base/tiny.h"
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n_bytes, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t n_bytes, size_t max_bytes);
static unsigned n_execs;
static void say(void) { fprintf(stderr, "slabmill: ops=1 execs=%u\n", n_execs); }
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n_bytes, size_t max, unsigned seed)
{
    (void)seed;
    return LLVMFuzzerMutate(bytes, n_bytes, max);
}
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    if (n_execs++ == 0) atexit(say);
    if (getenv("TEST_TMPDIR") != NULL) abort();
    if (n_bytes > 2 && bytes[0] == 'b' && limit() != 4) abort();
END
    for n in $(seq 200); do
        echo "    step_$n(bytes, n_bytes);"
    done
    echo '    return 0;'
    echo '}'
}

make_tiny_tree() { # folder
    mkdir -p "$1/include" "$1/allocator/base" "$1/harness/adapters" "$1/fuzz/common" \
        "$1/fuzz/oss-fuzz/standin" "$1/corpus/tiny_fuzz/regress"
    cp fuzz/oss-fuzz/build.sh fuzz/oss-fuzz/Dockerfile fuzz/oss-fuzz/project.yaml \
        "$1/fuzz/oss-fuzz/"
    {
        printf '#include <stddef.h>\n#include <stdint.h>\nsize_t limit(void);\n'
        for n in $(seq 200); do
            echo "int step_$n(const uint8_t *bytes, size_t n_bytes);"
        done
    } >"$1/allocator/base/tiny.h"
    write_library >"$1/allocator/base/tiny.c"
    for unit in allocator/base harness/adapters fuzz/common; do
        echo "extern int $(basename $unit);" >"$1/$unit/unit.c"
    done
    write_target >"$1/fuzz/tiny_fuzz.c"
    printf 'abc' >"$1/corpus/tiny_fuzz/one"
    printf 'xyz' >"$1/corpus/tiny_fuzz/regress/one"
    echo 'allocator/base/tiny.c s/return 4;/return 5;/' >"$1/fuzz/oss-fuzz/standin/faults.txt"
}
