/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of a few threads on one lock, in a simulated system, decoded from bytes. */
#ifndef HRN_FUZZ_LOCK_H
#define HRN_FUZZ_LOCK_H

#include <stddef.h>
#include <stdint.h>

#include "harness/inputs/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    One lock, and actors that stand for threads of processes, each with a handle. The
 *          program decides what /proc says of each thread (its state, start, signals, mappings), of
 *          this process's namespaces and boot, and what becomes of a lock file. One actor calls at a
 *          time: a sleep lasts until its bound. A model has the lock's word, its counters and what
 *          each file of /proc says, and from these it predicts each answer, each error's text, the
 *          word after each call, each wake and each event. schedule_fuzz has what this lacks: actors
 *          that run at once. Any byte string is a program.
 * Bytes    Byte 0: bits 0-1: the kind of the lock. Then records of 8 bytes: operation (1), actor
 *          (1), extra (1), zero (1), value (4).
 * Safety   One thread. Failure: each broken law aborts in a function of its own.
 */
#define HRN_LOCK_LIST(X)                                                                           \
    X(INIT)   /* by kind extra; all handles are closed before */                                   \
    X(ATTACH) /* extra: kind and is_unused */                                                      \
    X(DETACH)                                                                                      \
    X(TRY)                                                                                         \
    X(TIMED) /* extra: which of a few times */                                                     \
    X(LOCK)  /* left out if it would wait for ever */                                              \
    X(UNLOCK)                                                                                      \
    X(REPAIRED)                                                                                    \
    X(FORCE) /* extra: which identity */                                                           \
    X(OWNER)                                                                                       \
    X(NULLS)                                                                                       \
    X(MARK)     /* sets marks in the word, as a dead waiter leaves them */                         \
    X(RECORD)   /* writes another owner, boot or namespace into the state */                       \
    X(SIMULATE) /* sets what the system says of a thread */                                        \
    X(MAP)      /* adds a mapping to a thread's process, or to this one */                         \
    X(PROC)     /* sets what /proc says of this process */                                         \
    X(LOOK)     /* asks for all that the files of /proc are read for */                            \
    X(STAT)     /* parses a line as /proc has it, or nearly so */                                  \
    X(EVENT)    /* the text of an event */                                                         \
    X(FILE)     /* does something to the lock file, or to its descriptor */                        \
    X(NOTE)     /* the holder notes an event of a zone */                                          \
    X(FORK)     /* what a child of fork has of identity, namespaces and handles */                 \
    X(THREAD)   /* a thread takes the lock and ends */

#define HRN_LOCK_ENUM(name) HRN_LOCK_##name,
enum hrn_lock_op { HRN_LOCK_LIST(HRN_LOCK_ENUM) HRN_LOCK_COUNT };
#undef HRN_LOCK_ENUM

/* Decodes and runs an input. Always returns 0, as libFuzzer requires. */
int hrn_fuzz_lock(const uint8_t *bytes, size_t n_bytes);

/* For struct hrn_fuzz_target. */
bool hrn_lock_kind(unsigned idx, struct hrn_fuzz_kind *kind);

#ifdef __cplusplus
}
#endif
#endif
