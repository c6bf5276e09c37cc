/* SPDX-License-Identifier: Apache-2.0 */
/* The runner's internals: only for .c files of the harness and its tests. */
#ifndef HRN_STATE_H
#define HRN_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/laws/scene.h"
#include "harness/memory/memory.h"
#include "harness/program/program.h"
#include "harness/registry/registry.h"
#include "harness/run/model.h"
#include "harness/run/promise.h"
#include "harness/run/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Arenas --- */

struct hrn_handler_record {
    void *data;
    size_t data_bytes;
    void *record;    /* of an armed one, for cancel; else NULL */
    void *child;     /* the pool whose handler it is; else NULL */
    uint32_t id;     /* decides the content of the data */
    uint8_t handler; /* enum hrn_handler */
};

/* A file cleanup that has not run. */
struct hrn_file {
    int fd;
    bool was_gone;  /* there was no file at its path when it was registered */
    size_t n_older; /* handlers that were registered and not yet run before it */
    char *path;     /* NULL: only closes */
};
#define HRN_FILES_MAX 64u /* of an arena at once, including decoys; more are not registered */

struct hrn_files {
    struct hrn_file *list; /* newest last */
    size_t n;
    size_t cap;
    int *decoys; /* closed numbers, occupied until the arena's next teardown ends */
    size_t n_decoys;
    size_t cap_decoys;
};

#define HRN_N_STALE   16u
#define HRN_ADDED_MAX 3u /* regions of an arena besides its first */

struct hrn_arena {
    void *self;         /* NULL: no arena */
    bool hopeless;      /* cannot be made with this head, for another reason than memory */
    unsigned n_refused; /* consecutive attempts to make it that the source refused */
    struct slm_adapter_env env;
    struct slm_adapter_pool_shape pool_shape;
    struct slm_adapter_slab_shape slab_shape;
    struct hrn_region region;
    struct hrn_region added[HRN_ADDED_MAX];
    unsigned n_added;
    bool is_sparse; /* made with a region above HRN_SPARSE_BYTES */
    struct hrn_source source;
    struct hrn_id_list live;  /* ids of objects */
    struct hrn_id_list reuse; /* ids of objects of the reuse list */
    size_t live_bytes;
    struct hrn_handler_record *handlers; /* registered and not yet run, newest last */
    size_t n_handlers;
    size_t cap_handlers;
    void **spares; /* records whose handlers were cancelled, until the next teardown */
    size_t n_spares;
    size_t cap_spares;
    struct hrn_files files;
    size_t n_tokens;          /* arguments made for handlers without data, ever */
    void *stale[HRN_N_STALE]; /* recently freed addresses */
    unsigned n_stale;         /* ever */
    struct hrn_avail avail;
};

struct hrn_run {
    const struct slm_adapter *adapter;
    uint32_t can;                      /* operations that it supports */
    size_t n_deletes;                  /* file cleanups that delete, so far */
    bool grows;                        /* the program makes regions longer */
    const struct hrn_watcher *watcher; /* NULL: none */
    const struct hrn_program *program;
    struct hrn_head head; /* the program's */
    struct hrn_result *result;
    struct hrn_arena *arenas;
    size_t n_arenas;
    size_t cap_arenas;
    struct hrn_model model;
    struct hrn_arena *teardown; /* the arena whose handlers are running */
    const void *ending;         /* the argument of a handler that must run now, before the others */
    uint32_t *snapshot;         /* ids, while a list changes */
    size_t cap_snapshot;
    size_t live_bytes;
    size_t n_walks;                       /* of all arenas, so far */
    struct hrn_source_total source_total; /* of all arenas */
    uint32_t promises;                    /* bits of those that are enforced */
    uint32_t watched;                     /* the same, and those that are observed */
    struct hrn_promise_probe *probe;      /* NULL: nothing is observed */
    struct hrn_arena spare;               /* for new arenas while another one lives */
    enum hrn_by alloc_by;                 /* of the present operation */
    bool is_elsewhere;                    /* another thread makes the present call of free */
    bool is_asking;                       /* the present calls are no operations of the program */
    bool fits;                            /* what `exact` says of the present request */
};
extern struct hrn_run hrn_run_state;

/* The arena of an operation, made if necessary; NULL if it cannot be made. */
struct hrn_arena *hrn_arena_need(struct hrn_run *run, uint32_t arena_idx);
/* Makes a missing arena. */
void hrn_arena_create(struct hrn_run *run, uint32_t arena_idx, size_t size_bytes, bool is_sparse);
/* Ends an arena: walks it, frees everything (unless objects may be live), destroys it, checks that
 * nothing is left. */
void hrn_arena_destroy(struct hrn_run *run, struct hrn_arena *arena, enum hrn_end end);
void hrn_arena_reset(struct hrn_run *run, struct hrn_arena *arena);
void hrn_arena_drain(struct hrn_run *run, struct hrn_arena *arena, enum hrn_order order);
/* Checks the contents of all live objects, the fences, and what hrn_arena_ask checks. */
void hrn_arena_walk(struct hrn_run *run, struct hrn_arena *arena);
/* Asks only the allocator and its own checks: check, statistics, walk. */
void hrn_arena_ask(struct hrn_run *run, struct hrn_arena *arena, enum hrn_look look);
/* Releases what an abandoned run left, without the allocator's help. */
void hrn_arena_abandon(struct hrn_run *run, struct hrn_arena *arena);

/* Opens the region of an arena, and fills in its env. False: there can be none of this length. */
bool hrn_arena_open(struct hrn_run *run, struct hrn_arena *arena, uint32_t arena_idx,
                    size_t size_bytes);
/* --- Regions: regions.c --- */

bool hrn_arena_open_region(const struct hrn_run *run, struct hrn_arena *arena, size_t size_bytes);
void hrn_arena_close_regions(struct hrn_arena *arena);
/* The region that has all n bytes; NULL: none. */
struct hrn_region *hrn_arena_region_of(struct hrn_arena *arena, const unsigned char *p, size_t n);
void hrn_arena_check_fences(const struct hrn_arena *arena);
/* GROW, SHRINK, ADD_REGION; then a whole walk. */
void hrn_arena_change_region(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op);

/* No objects, no handlers. */
bool hrn_arena_is_empty(const struct hrn_arena *arena);

/* --- Availability: promise.c, emptied.c --- */

void hrn_promise_begin(struct hrn_run *run);
bool hrn_promise_is_watched(const struct hrn_run *run, enum hrn_promise promise);
/* Kept where it could have been broken. */
void hrn_promise_kept(struct hrn_run *run, enum hrn_promise promise);
/* Breaks the law of a promise that is enforced; counts one that is observed. */
__attribute__((format(printf, 3, 4))) void
hrn_promise_broken(struct hrn_run *run, enum hrn_promise promise, const char *format, ...);

/* What happened to an arena. */
void hrn_promise_made(struct hrn_arena *arena);
/* An object has been at p. */
void hrn_avail_extend(struct hrn_avail *avail, const unsigned char *p, size_t n);
void hrn_promise_before(struct hrn_run *run, struct hrn_arena *arena,
                        const struct slm_adapter_request *rq);
void hrn_promise_granted(struct hrn_run *run, struct hrn_arena *arena,
                         const struct slm_adapter_request *rq, const unsigned char *p);
void hrn_promise_refused(struct hrn_run *run, struct hrn_arena *arena,
                         const struct slm_adapter_request *rq, uint64_t n_source_refusals);
void hrn_promise_released(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_object *o);
void hrn_promise_resized(struct hrn_arena *arena, size_t old_bytes, const unsigned char *p,
                         size_t n);
/* Any other call that may release memory: trim, reset, a region of another length. */
void hrn_promise_changed(struct hrn_arena *arena);

/* The region grew: an arena without objects must serve what a new one of that length serves. */
void hrn_promise_grown(struct hrn_run *run, struct hrn_arena *arena);
/* The region shrank: what it served before says nothing. */
void hrn_promise_shrunk(struct hrn_arena *arena);

/* Before an arena is made: finds out what a new one serves. */
void hrn_promise_scout(struct hrn_run *run, struct hrn_arena *arena, uint32_t arena_idx,
                       size_t size_bytes);
/* After the last object was freed: asks for what an arena without objects must serve. */
void hrn_promise_emptied(struct hrn_run *run, struct hrn_arena *arena);
/* After a free: asks, now and then, for the same again. */
void hrn_promise_echo(struct hrn_run *run, struct hrn_arena *arena);

/* --- Single operations --- */

/* The op's object; NULL if its allocation was refused, or it is no longer in the op's arena. */
const struct hrn_object *hrn_object_live(const struct hrn_run *run, const struct hrn_op *op);
/* Calls the allocator. NULL: refused. */
void *hrn_object_ask(struct hrn_run *run, const struct hrn_arena *arena, uint32_t id,
                     const struct slm_adapter_request *rq);
/* The same, and checks the result. False: refused. */
bool hrn_object_alloc(struct hrn_run *run, struct hrn_arena *arena, uint32_t id,
                      struct slm_adapter_request rq);
/* Frees a live object and checks the answer. True: it is gone; false: declined. */
bool hrn_object_free(struct hrn_run *run, struct hrn_arena *arena, uint32_t id);
/* op: HRN_RESIZE. */
void hrn_object_resize(struct hrn_run *run, struct hrn_arena *arena, uint32_t id,
                       const struct hrn_op *op);
void hrn_object_give_back(struct hrn_run *run, struct hrn_arena *arena, uint32_t id);
void hrn_object_reuse_put(struct hrn_run *run, struct hrn_arena *arena, uint32_t id, bool twice);
/* Checks p, the answer to rq, fills it, and makes it live, in no list. */
void hrn_object_adopt(struct hrn_run *run, struct hrn_arena *arena, uint32_t id,
                      const struct slm_adapter_request *rq, void *p);
/* The reverse, without a check of the contents. */
void hrn_object_forget(struct hrn_run *run, struct hrn_arena *arena, uint32_t id);
/* A refusal of rq: the allocator's own check must find it lawful. */
void hrn_object_refused(struct hrn_run *run, struct hrn_arena *arena,
                        const struct slm_adapter_request *rq, uint64_t n_source_refusals);
/* Removes a live object from its list, and remembers its address as stale. */
void hrn_object_retire(struct hrn_run *run, struct hrn_arena *arena, uint32_t id);
/* Reports a broken law if the object's bytes are not those that were written. */
void hrn_object_verify(struct hrn_run *run, uint32_t id);

/* Adds a completed run to the totals. */
void hrn_run_count(const struct hrn_result *result);
/* Counts one misuse tried. */
void hrn_run_misused(enum hrn_misuse misuse);
void hrn_misuse_try(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op);

void hrn_cleanup_add(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op);
/* Takes an armed handler back, or ends a child pool. False: there is none. */
bool hrn_cleanup_cancel(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op);
/* Around reset and destroy. */
void hrn_cleanup_begin(struct hrn_run *run, struct hrn_arena *arena);
void hrn_cleanup_end(struct hrn_run *run, struct hrn_arena *arena);

/* False: left out, since no descriptor or file could be made. */
bool hrn_file_add(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op);
void hrn_file_run(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op);
/* In a teardown with n_handlers handlers left: checks that newer file cleanups have run and older
 * ones have not. */
void hrn_file_settle(struct hrn_files *files, size_t n_handlers);
/* A handler that was cancelled, or ran early, after `idx` older ones. */
void hrn_file_forget_older(struct hrn_files *files, size_t idx);
/* At the end of a teardown: checks that nothing was closed twice. */
void hrn_file_end(struct hrn_files *files);
/* Closes and deletes everything, without a check of what the allocator did. */
void hrn_file_abandon(struct hrn_files *files);

/* Counts n operations executed; operations that do not call the allocator count only by kind. */
static inline void hrn_run_done(struct hrn_run *run, enum hrn_kind kind, uint64_t n)
{
    run->result->n_done += kind == HRN_CHECK || kind == HRN_FAULT ? 0 : n;
    run->result->n_kind[kind] += n;
}

#ifdef __cplusplus
}
#endif
#endif
