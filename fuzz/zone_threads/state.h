/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the parts of zone_threads_fuzz: a thread and its model, the data that threads share. */
#ifndef HRN_FUZZ_ZONE_THREADS_PRIV_H
#define HRN_FUZZ_ZONE_THREADS_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "fuzz/zone/world.h"
#include "fuzz/zone_threads/threads.h"
#include <slabmill/lru.h>
#include <slabmill/rbtree.h>
#include <slabmill/zone.h>

enum {
    THREADS_MAX = 4,
    THREADS_N_SLOTS = 12,
    THREADS_N_ENTRIES = 6,
    THREADS_N_OPS = 600, /* of all threads */
    THREADS_BYTES = 64 * 1024,
    THREADS_MAX_BYTES = 128 * 1024,
};

/* --- In the zone --- */

/* The root. All its fields are changed only under the lock. */
struct threads_shared {
    struct slm_rbtree tree;
    struct slm_lru list;
    uint64_t counters[2];
};

struct threads_entry {
    struct slm_rbtree_node node;
    struct slm_lru_node used;
    uint64_t key; /* unique */
    uint64_t owner;
};

int hrn_threads_order(const struct slm_rbtree_node *a, const struct slm_rbtree_node *b);

/* --- A thread --- */

struct threads_op {
    enum hrn_threads_op kind;
    unsigned slot;
    uint8_t extra;
    uint32_t value;
};

struct entry_account {
    bool is_live;
    bool is_in_list;
    uint64_t offset;
    uint64_t key;
};

struct thread_account {
    struct zone_slot slots[THREADS_N_SLOTS];
    struct entry_account entries[THREADS_N_ENTRIES];
    uint64_t n_counted;
};

struct thread {
    unsigned idx;
    struct slm_zone *zone;
    struct threads_op ops[THREADS_N_OPS];
    unsigned n_ops;
    bool is_holder;
    bool has_grown;
    struct thread_account committed;
    struct thread_account working; /* the same, outside turns */
    uint64_t next_stamp;
    struct hrn_threads_counts counts;
};

/* Runs the thread's program, and unlocks. */
void hrn_thread_run(struct thread *thread);
/* Aborts if an object or entry of the thread differs from its model. */
void hrn_thread_expect_own(const struct thread *thread);

/* Aborts unless, under the lock, checks find nothing and walks are in order. */
void hrn_threads_expect_sound(struct slm_zone *zone);
void hrn_threads_expect_walks(struct slm_zone *zone);

/* slm_zone_copy, slm_zone_trim (whole.c). */
void hrn_thread_copy(struct thread *thread, const struct threads_op *op);
void hrn_thread_trim(struct thread *thread, const struct threads_op *op);

const char *hrn_threads_op_name(enum hrn_threads_op op);

#endif
