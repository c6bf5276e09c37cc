/* SPDX-License-Identifier: Apache-2.0 */
/* Each fuzz target's description of itself: name, shape of its inputs, kinds of operations. */
#ifndef HRN_TARGET_H
#define HRN_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/registry/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Each target defines hrn_fuzz_target once, at file scope; a process without one (tests,
 *          AFL++'s mutator) has the weak default: programs for any adapter. Mutator and generator
 *          use hrn_shape_now: the target's shape, or the one in HRN_FUZZ_SHAPE.
 * Safety   Constants; hrn_shape_now reads the environment at its first call, in one thread.
 * Failure  A HRN_FUZZ_SHAPE that cannot be read is reported on standard error and ends the process
 *          with status 2.
 */
struct hrn_fuzz_kind {
    const char *name;
    uint64_t count; /* executed by this process */
};

struct hrn_fuzz_target {
    const char *name;
    unsigned head_bytes;
    unsigned record_bytes; /* 1, and a head of 0: text, which is left to the engine's mutator */
    bool runs_programs;    /* inputs are those of harness/program/program.h */
    const struct slm_adapter *adapter; /* that programs are for; NULL: any */
    /* Runs one input; always 0. NULL: a program of the adapter. */
    int (*run)(const uint8_t *bytes, size_t n_bytes);
    const char *header; /* what a test includes */
    const char *call;   /* what it calls, an int, with `bytes` and `n_bytes` */
    /* Kind number idx; false after the last. NULL: the kinds that the adapter supports. */
    bool (*kind)(unsigned idx, struct hrn_fuzz_kind *kind);
};
extern const struct hrn_fuzz_target hrn_fuzz_target;

/* For `kind` functions: number idx of n. */
static inline bool hrn_fuzz_kind_of(const struct hrn_fuzz_kind *kinds, size_t n, unsigned idx,
                                    struct hrn_fuzz_kind *kind)
{
    if (idx < n) {
        *kind = kinds[idx];
    }
    return idx < n;
}

/* The fields `run` and `call` for a function that takes an input. */
#define HRN_FUZZ_RUNS(function) .run = (function), .call = #function "(bytes, n_bytes)"

/* The definition for a target that runs programs. */
#define HRN_FUZZ_PROGRAMS(name_, adapter_)                                                         \
    const struct hrn_fuzz_target hrn_fuzz_target = {                                               \
        .name = (name_),                                                                           \
        .head_bytes = HRN_HEAD_BYTES,                                                              \
        .record_bytes = HRN_RECORD_BYTES,                                                          \
        .runs_programs = true,                                                                     \
        .adapter = &(adapter_),                                                                    \
        .header = "fuzz/common/fuzz.h",                                                            \
        .call = "hrn_fuzz_one(&" #adapter_ ", bytes, n_bytes)",                                    \
    }

struct hrn_shape {
    unsigned head_bytes;
    unsigned record_bytes;
    bool is_program;
    uint32_t can; /* HRN_BIT of each kind; 0 unless is_program */
};
#define HRN_SHAPE_RECORD_MAX 64u
#define HRN_SHAPE_HEAD_MAX   4096u

/* The shape of this process's inputs. */
const struct hrn_shape *hrn_shape_now(void);

static inline bool hrn_shape_is_text(const struct hrn_shape *shape)
{
    return shape->head_bytes == 0 && shape->record_bytes == 1;
}

/* "<head>,<record>,<programs>,<can in hex>", as in HRN_FUZZ_SHAPE. False: another form, a record of
 * 0 bytes or above the maximum, or a program whose head and record have other lengths than programs
 * have. */
bool hrn_shape_parse(struct hrn_shape *shape, const char *text);

/* Sets the shape; for tests. */
void hrn_shape_set(const struct hrn_shape *shape);

#ifdef __cplusplus
}
#endif
#endif
