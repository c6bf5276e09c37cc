/* SPDX-License-Identifier: Apache-2.0 */
/* The common part of fuzz targets: runs inputs, counts operations, sets up sanitizers. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* clock_gettime */
#endif
#include "fuzz/common/fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fuzz/common/start.h"
#include "harness/failure/say.h"
#include "harness/laws/scene.h"
#include "harness/run/run.h"

static uint64_t n_execs;
static uint64_t n_other_ops;
static struct timespec started;

static uint64_t n_ops(void)
{
    return hrn_run_totals()->n_done + n_other_ops;
}

static void print_account(void)
{
    struct timespec now;
    if (n_execs == 0) {
        return; /* the process links this but is no fuzz target */
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds =
        (double)(now.tv_sec - started.tv_sec) + (double)(now.tv_nsec - started.tv_nsec) / 1e9;
    fprintf(stderr, "slabmill: ops=%" PRIu64 " execs=%" PRIu64 " seconds=%.1f\n", n_ops(), n_execs,
            seconds);
    hrn_say_end();
}

/* A wrong table is no finding: it ends the process before the first input. */
static void expect_sound(const struct slm_adapter *adapter)
{
    char wrong[HRN_WRONG_TEXT_BYTES];
    if (adapter != NULL && !hrn_adapter_is_sound(adapter, wrong, sizeof wrong)) {
        fprintf(stderr, "slabmill: %s\n", wrong);
        exit(2);
    }
}

static void begin(const uint8_t *bytes, size_t n_bytes)
{
    if (n_execs++ == 0) {
        expect_sound(hrn_fuzz_target.adapter);
        clock_gettime(CLOCK_MONOTONIC, &started);
        hrn_scene.dying = print_account;
        atexit(print_account);
    }
    if (hrn_fuzz_n_starts() > 0 && n_execs > 2 * hrn_fuzz_n_starts()) {
        hrn_fuzz_started();
    }
    hrn_say_begin(bytes, n_bytes);
}

int hrn_fuzz_one(const struct slm_adapter *adapter, const uint8_t *bytes, size_t n_bytes)
{
    static struct hrn_program program;
    hrn_program_decode(&program, bytes, n_bytes);
    if (hrn_says_ops) {
        hrn_say_head(&program.head);
    }
    hrn_run(adapter, &program, NULL);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    const struct hrn_fuzz_target *target = &hrn_fuzz_target;
    begin(bytes, n_bytes);
    return target->run != NULL ? target->run(bytes, n_bytes)
                               : hrn_fuzz_one(target->adapter, bytes, n_bytes);
}

void hrn_fuzz_count(uint64_t ops)
{
    n_other_ops += ops;
}

int hrn_fuzz_replay_end(void)
{
    int missing = 0;
    if (n_ops() < HRN_FUZZ_MIN_OPS) {
        fprintf(stderr, "slabmill: the corpus runs %" PRIu64 " operations, expected at least %u\n",
                n_ops(), HRN_FUZZ_MIN_OPS);
        missing = 1;
    }
    const struct hrn_totals *totals = hrn_run_totals();
    const struct slm_adapter *fuzzed = hrn_fuzz_target.adapter;
    uint32_t can = fuzzed == NULL ? 0 : hrn_can(fuzzed);
    for (unsigned kind = 0; kind < HRN_KIND_COUNT; kind++) {
        if ((can >> kind & 1u) != 0 && totals->n_kind[kind] == 0) {
            fprintf(stderr, "slabmill: the corpus never runs %s\n", hrn_kind_word(kind));
            missing = 1;
        }
    }
    return missing;
}

/* --- Sanitizers look these up by name --- */

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__msan_default_options(void);
const char *__tsan_default_options(void);
void __asan_on_error(void);
void __ubsan_on_report(void);

/* Targets ask for absurd sizes on purpose. A small quarantine is three times faster. */
#define COMMON_OPTIONS "allocator_may_return_null=1:print_stacktrace=1"

const char *__asan_default_options(void)
{
    return COMMON_OPTIONS ":quarantine_size_mb=10:detect_stack_use_after_return=0";
}

const char *__ubsan_default_options(void)
{
    return COMMON_OPTIONS;
}

const char *__msan_default_options(void)
{
    return COMMON_OPTIONS;
}

/* A race must end the process, so that it is a finding. */
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1:halt_on_error=1";
}

/* The engine owns the death callback, to save the input; these come before it. */
void __asan_on_error(void)
{
    print_account();
}

void __ubsan_on_report(void)
{
    print_account();
}
