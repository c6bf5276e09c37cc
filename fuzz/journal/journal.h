/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of calls on one journal and its slab, decoded from bytes. */
#ifndef HRN_FUZZ_JOURNAL_H
#define HRN_FUZZ_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "harness/inputs/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A log, a slab after it, and a process that may die at any point of a call; another one
 *          takes over then, with a handle of its own. A model has the objects, their bytes, the root
 *          and the version, as committed and as the transaction changes them. It predicts each
 *          answer, also for ranges that no object has, odd sizes and addresses, and full logs; the
 *          number of entries; and what is left in the end, to the last byte. zone_fuzz has several
 *          processes, locks and growth. Any byte string is a program.
 * Bytes    Byte 0: bit 0: the log is off. Then records of 8 bytes: operation (1), slot (1), extra
 *          (1), zero (1), value (4).
 * Safety   One thread. Failure: each broken law aborts in a function of its own.
 */
#define HRN_JOURNAL_LIST(X)                                                                        \
    X(ALLOC) /* extra: by which function; value: size */                                           \
    X(FREE)                                                                                        \
    X(STRAY)  /* frees a pointer that starts no object */                                          \
    X(WRITE)  /* a word at value; extra: bit 0: not aligned */                                     \
    X(NUMBER) /* extra: size, set or add; value: where */                                          \
    X(RANGE)  /* value: where, how long; extra: in the object, or in all of the slab */            \
    X(LOOSE)  /* a word at any place */                                                            \
    X(ROOT)   /* extra: the object, a place within it, none */                                     \
    X(VERSION)                                                                                     \
    X(RESET)                                                                                       \
    X(COMMIT)                                                                                      \
    X(ABORT)                                                                                       \
    X(DIE)      /* at point value of the next calls; extra: in the repair too */                   \
    X(TAKEOVER) /* the process dies between two calls */                                           \
    X(HURT)     /* checks a damaged log, and repairs it */                                         \
    X(NULLS)    /* and handles that cannot be made */

#define HRN_JOURNAL_ENUM(name) HRN_JOURNAL_##name,
enum hrn_journal_op { HRN_JOURNAL_LIST(HRN_JOURNAL_ENUM) HRN_JOURNAL_COUNT };
#undef HRN_JOURNAL_ENUM

/* Decodes and runs an input. Always returns 0, as libFuzzer requires. */
int hrn_fuzz_journal(const uint8_t *bytes, size_t n_bytes);

/* For struct hrn_fuzz_target. */
bool hrn_journal_kind(unsigned idx, struct hrn_fuzz_kind *kind);

#ifdef __cplusplus
}
#endif
#endif
