/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator under test: its functions, what it can do, and what only it promises. */
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
 *          aligned, in the region, contents kept, zeroed when asked, misuse refused, nothing left
 *          behind); an oracle adds what only this one promises: exactly when it may refuse, exact
 *          statistics, its own check. Oracles judge by calling a law (harness/laws/laws.h).
 * Safety   One thread; several arenas of one adapter at once.
 * Failure  Functions answer as the allocator does. An oracle that is not content does not return.
 */

/* One allocation, whichever operation it came from. */
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
    const struct slm_source *source; /* counted, budgeted, refuses as the program says */
    const size_t *source_live_bytes; /* what is taken from it now */
    unsigned arena;
};

/* What the runner saw around a call that returned NULL. */
struct hrn_refusal {
    uint64_t n_source_refusals; /* source calls refused during the call */
    size_t live_bytes;          /* requested bytes of all live objects of the arena */
};

/* What only this allocator promises. Any function may be NULL: nothing is promised. */
struct hrn_oracle {
    /* p serves rq. The runner has already found it aligned, disjoint and in the region. */
    void (*granted)(void *self, const struct hrn_request *rq, void *p);
    /* NULL if the refusal is lawful, else why it is not: a phrase. */
    const char *(*refused)(void *self, const struct hrn_request *rq,
                           const struct hrn_refusal *seen);
    /* What free must answer for this live object: SLM_OK, or SLM_UNCHANGED (it stays). NULL: OK. */
    enum slm_status (*free_answer)(void *self, const struct hrn_request *rq, void *p);
    /* p was freed (free answered SLM_OK). */
    void (*freed)(void *self, const struct hrn_request *rq, void *p);
    /* Answers free may give to p, HRN_BIT(status); 0: p is no misuse. NULL: see table `misuse`. */
    uint32_t (*misuse)(void *self, enum hrn_misuse misuse, const void *p);
    /* The whole walk: own check and statistics. n_live objects, live_bytes requested. */
    void (*walk)(void *self, size_t n_live, size_t live_bytes);
    /* How many things besides objects it looks at, which spaces walks; NULL: the region's pages. */
    size_t (*walk_size)(void *self);
    /* Reset, or all objects freed and trimmed: the arena must be as new. */
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
    uint32_t can;           /* HRN_BIT(kind) of each operation it takes; others are no-ops */
    size_t align_bytes;     /* of every result of ALLOC and CALLOC, when fixed; 0: use align_of */
    size_t align_max_bytes; /* largest alignment MEMALIGN takes; others must be refused */
    size_t packed_align_bytes; /* of NALLOC */

    /* Bytes of region that it wants, or NULL: it lives on env->source or the C heap. */
    size_t (*region_bytes)(const struct hrn_head *head, size_t size_bytes);
    /* The arena, or NULL and *why. create_lawful says if that may be; NULL: if the source
     * refused. */
    void *(*create)(const struct hrn_env *env, enum slm_status *why);
    bool (*create_lawful)(const struct hrn_env *env, enum slm_status why);
    void (*destroy)(void *self);

    void *(*alloc)(void *self, const struct hrn_request *rq);
    enum slm_status (*free)(void *self, void *p);
    /* *p, of old_bytes, to new_bytes; may move it. SLM_UNCHANGED or SLM_E_NOMEM: nothing
     * happened. */
    enum slm_status (*resize)(void *self, void **p, size_t old_bytes, size_t new_bytes);
    size_t (*usable_bytes)(void *self, void *p); /* NULL: not told */
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
    size_t (*align_of)(void *self, size_t size_bytes); /* guaranteed alignment by size */
    void *(*metadata)(
        void *self); /* where its own bookkeeping starts; NULL: where the region does */

    /* Answers free may give to each misuse, HRN_BIT(status); 0: it cannot stand it: not tried. */
    uint32_t misuse[HRN_MISUSE_COUNT];
    struct hrn_oracle oracle;
};

extern const struct hrn_adapter hrn_adapter_malloc; /* the C heap: the harness's own control */
extern const struct hrn_adapter hrn_adapter_pool;
extern const struct hrn_adapter hrn_adapter_slab;
extern const struct hrn_adapter hrn_adapter_twin; /* a pool and a naive account in lockstep */

/* All of them, NULL at the end. */
extern const struct hrn_adapter *const hrn_adapters[];

/*
 * Memory that an adapter keeps for each arena number, from one program to the next: a run that a
 * broken law cuts short destroys nothing. get: zeroed at first.
 */
struct hrn_slots {
    void **slots;
    size_t cap;
};
void *hrn_slots_get(struct hrn_slots *slots, unsigned arena, size_t slot_bytes);

/* By name, or NULL. */
const struct hrn_adapter *hrn_adapter_find(const char *name);

#ifdef __cplusplus
}
#endif
#endif
