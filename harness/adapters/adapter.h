/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator under test: its functions, the operations it supports, and its own promises. */
#ifndef HRN_ADAPTER_H
#define HRN_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/program/program.h"
#include <slabmill/source.h>
#include <slabmill/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    An adapter is a constant table. `create` makes an arena; every other function gets what
 *          it returned as `self`. The runner checks what holds for any allocator (results disjoint,
 *          aligned, in the region, contents kept, zeroed when asked, misuse refused, nothing
 *          leaked); an oracle adds what only this allocator promises: exactly when it may refuse,
 *          exact statistics, its own check. An oracle reports a fault by calling a law
 *          (harness/laws/laws.h).
 * Safety   One thread; several arenas of one adapter at once.
 * Failure  Functions return what the allocator returns. An oracle that finds a fault does not
 *          return.
 */

/* One allocation, of any operation. */
struct hrn_request {
    enum hrn_kind kind; /* HRN_ALLOC, HRN_NALLOC, HRN_CALLOC, HRN_MEMALIGN, HRN_REUSE_GET */
    size_t size_bytes;
    size_t align_bytes; /* of HRN_MEMALIGN; else 0 */
};

/* What an arena is made from. Owned by the runner, and valid until the arena is destroyed. */
struct hrn_env {
    const struct hrn_head *head;
    size_t size_bytes; /* HRN_CREATE's size, or 0: the head's */
    void *region;      /* fenced memory, 4096-aligned, or NULL */
    size_t region_bytes;
    const struct slm_source
        *source; /* counts and limits blocks, and refuses the calls that the program names */
    const size_t *source_live_bytes; /* bytes taken from it now */
    unsigned arena;
};

/* What the runner saw around a call that returned NULL. */
struct hrn_refusal {
    uint64_t n_source_refusals; /* source calls refused during the call */
    size_t live_bytes;          /* requested bytes of all live objects of the arena */
};

/* What only this allocator promises. A function that is NULL promises nothing. */
struct hrn_oracle {
    /* p serves rq. The runner has already found it aligned, disjoint and in the region. */
    void (*granted)(void *self, const struct hrn_request *rq, void *p);
    /* NULL if the refusal is lawful, else why it is not: a phrase. */
    const char *(*refused)(void *self, const struct hrn_request *rq,
                           const struct hrn_refusal *seen);
    /* What free must return for this live object: SLM_OK, or SLM_UNCHANGED (it stays). NULL: OK. */
    enum slm_status (*free_answer)(void *self, const struct hrn_request *rq, void *p);
    /* p was freed (free returned SLM_OK). */
    void (*freed)(void *self, const struct hrn_request *rq, void *p);
    /* The statuses that free may return for p, as HRN_BIT(status); 0: p is no misuse. NULL: see
     * table `misuse`. */
    uint32_t (*misuse)(void *self, enum hrn_misuse misuse, const void *p);
    /* The whole walk: the allocator's own check and statistics. n_live objects, live_bytes
     * requested. */
    void (*walk)(void *self, size_t n_live, size_t live_bytes);
    /* How many things besides objects a walk examines; longer walks are rarer. NULL: the region's
     * pages. */
    size_t (*walk_size)(void *self);
    /* After a reset, or after all objects were freed and trimmed: the arena must be like a new one.
     */
    void (*emptied)(void *self, bool by_reset);
};

#define HRN_BIT(n) (1u << (unsigned)(n))

/* What every adapter can do. */
#define HRN_CAN_BASE                                                                               \
    (HRN_BIT(HRN_ALLOC) | HRN_BIT(HRN_CALLOC) | HRN_BIT(HRN_FREE) | HRN_BIT(HRN_BURST) |           \
     HRN_BIT(HRN_DRAIN) | HRN_BIT(HRN_CHECK) | HRN_BIT(HRN_CREATE) | HRN_BIT(HRN_DESTROY))

typedef void (*hrn_handler_fn)(void *data);

struct hrn_adapter {
    const char *name;
    uint32_t can;       /* HRN_BIT(kind) of each operation it supports; others do nothing */
    size_t align_bytes; /* of every result of ALLOC and CALLOC, when fixed; 0: use align_of */
    size_t
        align_max_bytes; /* largest alignment that MEMALIGN accepts; larger ones must be refused */
    size_t packed_align_bytes; /* of NALLOC */

    /* Bytes of region that it needs, or NULL: it takes memory from env->source or the C heap. */
    size_t (*region_bytes)(const struct hrn_head *head, size_t size_bytes);
    /* The arena, or NULL and *why. create_lawful decides whether the refusal is right; without that
     * function it is right if the source refused. */
    void *(*create)(const struct hrn_env *env, enum slm_status *why);
    bool (*create_lawful)(const struct hrn_env *env, enum slm_status why);
    void (*destroy)(void *self);

    void *(*alloc)(void *self, const struct hrn_request *rq);
    enum slm_status (*free)(void *self, void *p);
    /* Resizes *p from old_bytes to new_bytes; may move it. SLM_UNCHANGED or SLM_E_NOMEM: nothing
     * changed. */
    enum slm_status (*resize)(void *self, void **p, size_t old_bytes, size_t new_bytes);
    size_t (*usable_bytes)(void *self, void *p); /* NULL: unknown */
    enum slm_status (*give_back)(void *self, void *p, size_t size_bytes);
    void (*reset)(void *self);
    size_t (*trim)(void *self);
    /* Registers fn to run on reset and destroy, on data_bytes of arena memory, or on `data` if
     * 0. */
    enum slm_status (*cleanup)(void *self, hrn_handler_fn fn, void *data, size_t data_bytes,
                               void **data_out);
    /* Registers a file cleanup: deletes path, if not NULL, and closes fd. run_file runs that of fd
     * now. */
    enum slm_status (*file)(void *self, int fd, const char *path);
    enum slm_status (*run_file)(void *self, int fd);
    enum slm_status (*reuse_put)(void *self, void *p);
    size_t (*reuse_bytes)(void *self);                 /* size of the reuse list's objects */
    size_t (*align_of)(void *self, size_t size_bytes); /* guaranteed alignment of that size */
    void *(*metadata)(
        void *self); /* where its own bookkeeping starts; NULL: where the region does */

    /* The statuses that free may return for each misuse, as HRN_BIT(status); 0: the misuse would
     * crash the allocator and is not tried. */
    uint32_t misuse[HRN_MISUSE_COUNT];
    struct hrn_oracle oracle;
};

extern const struct hrn_adapter hrn_adapter_malloc; /* the C heap, to test the harness itself */
extern const struct hrn_adapter hrn_adapter_pool;
extern const struct hrn_adapter hrn_adapter_slab;
extern const struct hrn_adapter
    hrn_adapter_twin; /* a pool, compared with a naive model at each step */

/* All adapters; the last entry is NULL. */
extern const struct hrn_adapter *const hrn_adapters[];

/*
 * Memory that an adapter keeps for each arena number from one program to the next, since a run that
 * a broken law ends does not destroy its arenas. get: zeroed at first.
 */
struct hrn_slots {
    void **slots;
    size_t cap;
};
void *hrn_slots_get(struct hrn_slots *slots, unsigned arena, size_t slot_bytes);

/* Finds an adapter by name; NULL: unknown. */
const struct hrn_adapter *hrn_adapter_find(const char *name);

#ifdef __cplusplus
}
#endif
#endif
