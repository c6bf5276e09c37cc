/* SPDX-License-Identifier: Apache-2.0 */
/* The runner's insides: for harness .c files and the tests of the harness only. */
#ifndef HRN_STATE_H
#define HRN_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/adapters/adapter.h"
#include "harness/laws/scene.h"
#include "harness/memory/memory.h"
#include "harness/program/program.h"
#include "harness/run/model.h"
#include "harness/run/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Arenas --- */

struct hrn_handler_record {
    void *data;
    size_t data_bytes;
    uint32_t id;     /* what the data is filled by */
    uint8_t handler; /* enum hrn_handler */
};

/* A file cleanup that has not run. */
struct hrn_file {
    int fd;
    bool was_gone;  /* its file was deleted before */
    size_t n_older; /* handlers that were registered and not yet run before it */
    char *path;     /* NULL: only closes */
};
#define HRN_FILES_MAX 64u /* of an arena at once, decoys too; more are not registered */

struct hrn_files {
    struct hrn_file *list; /* newest last */
    size_t n;
    size_t cap;
    int *decoys; /* numbers that were closed, and are taken until the arena's next teardown ends */
    size_t n_decoys;
    size_t cap_decoys;
};

#define HRN_N_STALE 16u

struct hrn_arena {
    void *self;         /* NULL: not there */
    bool hopeless;      /* cannot be made by the head, and not for want of memory */
    unsigned n_refused; /* attempts to make it that the source refused, one after the other */
    struct hrn_env env;
    struct hrn_region region;
    struct hrn_source source;
    struct hrn_id_list live;  /* ids of objects */
    struct hrn_id_list reuse; /* ids of objects of the reuse list */
    size_t live_bytes;
    struct hrn_handler_record *handlers; /* registered and not yet run, newest last */
    size_t n_handlers;
    size_t cap_handlers;
    struct hrn_files files;
    size_t n_tokens;          /* arguments made up for handlers without data, ever */
    void *stale[HRN_N_STALE]; /* addresses freed lately */
    unsigned n_stale;         /* ever */
};

struct hrn_run {
    const struct hrn_adapter *adapter;
    const struct hrn_program *program;
    struct hrn_head head; /* the program's */
    struct hrn_result *result;
    struct hrn_arena *arenas;
    size_t n_arenas;
    size_t cap_arenas;
    struct hrn_model model;
    struct hrn_arena *teardown; /* the arena whose handlers are running */
    uint32_t *snapshot;         /* ids, while a list changes */
    size_t cap_snapshot;
    size_t live_bytes;
    struct hrn_source_total source_total; /* of all arenas */
};
extern struct hrn_run hrn_run_state;

/* The arena of an operation, made if need be; NULL if it cannot be. */
struct hrn_arena *hrn_arena_need(struct hrn_run *run, uint32_t arena_idx);
/* Makes an arena that is not there. */
void hrn_arena_create(struct hrn_run *run, uint32_t arena_idx, size_t size_bytes);
/* Whole end of an arena: last walk, everything freed, destroyed, nothing left. */
void hrn_arena_destroy(struct hrn_run *run, struct hrn_arena *arena);
void hrn_arena_reset(struct hrn_run *run, struct hrn_arena *arena);
void hrn_arena_drain(struct hrn_run *run, struct hrn_arena *arena, enum hrn_order order);
/* Contents of everything live, the fence, the oracle's walk. */
void hrn_arena_walk(struct hrn_run *run, struct hrn_arena *arena);
/* The oracle's walk alone: check and statistics. */
void hrn_arena_ask(struct hrn_run *run, struct hrn_arena *arena);
/* Releases what an abandoned run left, without the allocator's help. */
void hrn_arena_abandon(struct hrn_run *run, struct hrn_arena *arena);

/* --- Single operations --- */

/* The op's object; NULL if its allocation was refused, or it is no longer in the op's arena. */
const struct hrn_object *hrn_object_live(const struct hrn_run *run, const struct hrn_op *op);
/* Calls the allocator, checks the result whatever it is. False: refused. */
bool hrn_object_alloc(struct hrn_run *run, struct hrn_arena *arena, uint32_t id,
                      struct hrn_request rq);
/* Frees a live object and checks the answer. True: it is gone; false: declined. */
bool hrn_object_free(struct hrn_run *run, struct hrn_arena *arena, uint32_t id);
void hrn_object_resize(struct hrn_run *run, struct hrn_arena *arena, uint32_t id,
                       size_t size_bytes);
void hrn_object_give_back(struct hrn_run *run, struct hrn_arena *arena, uint32_t id);
void hrn_object_reuse_put(struct hrn_run *run, struct hrn_arena *arena, uint32_t id, bool twice);
/* p is the answer to rq: checks it, fills it, and takes it up as live, in no list. */
void hrn_object_adopt(struct hrn_run *run, struct hrn_arena *arena, uint32_t id,
                      const struct hrn_request *rq, void *p);
/* The reverse, without a look at the contents. */
void hrn_object_forget(struct hrn_run *run, struct hrn_arena *arena, uint32_t id);
/* A refusal of rq: the oracle must find it lawful. */
void hrn_object_refused(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_request *rq,
                        uint64_t n_source_refusals);
/* Forgets a live object of a list; its address is remembered as stale. */
void hrn_object_retire(struct hrn_run *run, struct hrn_arena *arena, uint32_t id);
/* Aborts by law if the object's bytes are not what was written. */
void hrn_object_verify(struct hrn_run *run, uint32_t id);

/* Adds a run that came to its end to the totals. */
void hrn_run_count(const struct hrn_result *result);
/* Counts one misuse tried. */
void hrn_run_misused(enum hrn_misuse misuse);
void hrn_misuse_try(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op);

void hrn_cleanup_add(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op);
/* Around reset and destroy. */
void hrn_cleanup_begin(struct hrn_run *run, struct hrn_arena *arena);
void hrn_cleanup_end(struct hrn_run *run, struct hrn_arena *arena);

/* False: left out, for want of descriptors or files. */
bool hrn_file_add(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op);
void hrn_file_run(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op);
/* In a teardown with n_handlers handlers to go: newer file cleanups have run, older ones not. */
void hrn_file_settle(struct hrn_files *files, size_t n_handlers);
/* The teardown is over: nothing was closed twice. */
void hrn_file_end(struct hrn_files *files);
/* Closes and deletes everything, without a look at what the allocator did. */
void hrn_file_abandon(struct hrn_files *files);

/* Counts n operations executed; those that ask nothing of the allocator only by kind. */
static inline void hrn_run_done(struct hrn_run *run, enum hrn_kind kind, uint64_t n)
{
    run->result->n_done += kind == HRN_CHECK || kind == HRN_FAULT ? 0 : n;
    run->result->n_kind[kind] += n;
}

#ifdef __cplusplus
}
#endif
#endif
