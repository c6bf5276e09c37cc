/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel: work on locks, trees and zones that is timed, the same for each competitor. */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    The adapter of <slabmill/adapter.h> says how objects are allocated and freed. Locks,
 *          trees and transactions have no such table. So a competitor has one kernel for each kind
 *          of work, under names that all competitors share. A kernel repeats its operation in a
 *          loop of its own: no call through a pointer is counted.
 * Safety   One thread.
 */

/* Takes parts of a run out of what is measured. */
struct bench_meter {
    void (*pause)(void *data);
    void (*resume)(void *data);
    void *data;
};

struct bench_kernel {
    const char *name; /* NULL: the end of a list */
    /* n: how many keys, objects or bytes. NULL: it cannot. */
    void *(*begin)(const struct bench_meter *meter, size_t n);
    void (*run)(void *work, size_t n_ops);
    void (*end)(void *work);
};

/* What the work of the kernel zone_fit starts with. Its begin makes a zone, and n is the size of the
 * objects; its run allocates until the zone is full, or until it has n_ops of them. */
struct bench_fit {
    size_t n_objects;
};

#define BENCH_FIT_ZONE_BYTES ((size_t)10 << 20)

/* A sequence without a pattern, the same in each run. */
static inline uint64_t bench_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 32;
}

/* A number below n, which is below 2^32. */
static inline size_t bench_below(uint64_t *state, size_t n)
{
    return (size_t)(bench_random(state) * n >> 32);
}

/* Pointers in another order. */
static inline void bench_shuffle(uint64_t *state, void **pointers, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = bench_below(state, i);
        void *other = pointers[j];
        pointers[j] = pointers[i - 1];
        pointers[i - 1] = other;
    }
}

#ifdef __cplusplus
}
#endif
#endif
