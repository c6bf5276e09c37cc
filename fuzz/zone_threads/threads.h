/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of real threads that share one zone, decoded from bytes. */
#ifndef HRN_FUZZ_ZONE_THREADS_H
#define HRN_FUZZ_ZONE_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/inputs/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A zone in a memfd, mapped twice, and two to four threads that begin at once, each with
 *          its own program. The same bytes give the same programs; how the threads interleave
 *          differs. Only its own thread uses an object or changes an entry. All threads share a
 *          tree and a list of entries, and two counters that are always equal. A thread has a
 *          model, outside the zone, of what it committed and what it did in this turn, and checks
 *          its own objects and entries. When all have ended, the whole zone is checked: the checks
 *          find nothing, the content is that of the models, and no repair was made. A copy of the
 *          zone, made while the others work, is whole and has the thread's own objects as they are.
 *          Any byte string is a program. A thread that ends unlocks.
 * Bytes    Byte 0: bits 0-1: 2, 3, 4 or 2 threads; bit 2: the lock is SPIN_SEM, else ROBUST; bit 3:
 *          8 classes a doubling, else 1; bit 4: one mapping for all, else every second thread uses
 *          the second mapping. Then records of 8 bytes: operation (1), thread (1), slot (1), extra
 *          (1), value (4).
 * Safety   One thread at a time may call this; it starts the others itself. Failure: each broken
 *          law aborts in a function of its own (fuzz/zone/world.h).
 */
#define HRN_THREADS_LIST(X)                                                                        \
    X(LOCK)                                                                                        \
    X(TRY)                                                                                         \
    X(TIMED)                                                                                       \
    X(UNLOCK)                                                                                      \
    X(COMMIT)                                                                                      \
    X(ABORT)                                                                                       \
    X(ALLOC)                                                                                       \
    X(CALLOC)                                                                                      \
    X(MEMALIGN)                                                                                    \
    X(FREE)                                                                                        \
    X(WRITE)                                                                                       \
    X(SAVE)                                                                                        \
    X(COUNT_UP)                                                                                    \
    X(ENTRY_ADD)                                                                                   \
    X(ENTRY_REMOVE)                                                                                \
    X(ENTRY_TOUCH)                                                                                 \
    X(ENTRY_FIND)                                                                                  \
    X(LIST_OUT)                                                                                    \
    X(LIST_IN)                                                                                     \
    X(WALK)                                                                                        \
    X(CHECK)                                                                                       \
    X(ALLOC_ALONE)                                                                                 \
    X(FREE_ALONE)                                                                                  \
    X(READ)                                                                                        \
    X(LOOK)                                                                                        \
    X(GROW)                                                                                        \
    X(PAUSE)                                                                                       \
    X(COPY)                                                                                        \
    X(TRIM)

#define HRN_THREADS_ENUM(name) HRN_THREADS_##name,
enum hrn_threads_op { HRN_THREADS_LIST(HRN_THREADS_ENUM) HRN_THREADS_COUNT };
#undef HRN_THREADS_ENUM

/* What this process executed. */
struct hrn_threads_counts {
    uint64_t n_kind[HRN_THREADS_COUNT];
    uint64_t n_refused;      /* by the lock: already held, held by another thread, not held */
    uint64_t n_full;         /* allocations refused, and transactions without room for more */
    uint64_t n_aborted;      /* turns with something to undo */
    uint64_t n_copied;       /* copies that were completed */
    uint64_t n_given_back;   /* trims that gave memory back */
    uint64_t n_inputs_of[5]; /* by number of threads */
};

/* Decodes and runs an input. Always returns 0, as libFuzzer requires. */
int hrn_fuzz_zone_threads(const uint8_t *bytes, size_t n_bytes);

const struct hrn_threads_counts *hrn_threads_totals(void);
/* For struct hrn_fuzz_target. */
bool hrn_threads_kind(unsigned idx, struct hrn_fuzz_kind *kind);

#ifdef __cplusplus
}
#endif
#endif
