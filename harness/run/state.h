/* SPDX-License-Identifier: Apache-2.0 */
/* The runner's insides: for harness .c files and the tests of the harness only. */
#ifndef HRN_PRIV_H
#define HRN_PRIV_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "harness/adapters/adapter.h"
#include "harness/program/program.h"
#include "harness/run/model.h"
#include "harness/run/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Where the run is, for broken laws (laws.c) --- */

struct hrn_scene {
    const char *adapter;
    const struct hrn_program *program;
    size_t op_idx;
    struct hrn_result *result;              /* set together with catcher */
    jmp_buf *catcher;                       /* NULL: print and abort */
    void (*dying)(void);                    /* called before the abort; NULL: nothing to say */
    void (*about)(const struct hrn_op *op); /* before each operation; NULL: nothing to say */
};
extern struct hrn_scene hrn_scene;

/* --- Faults of the harness itself, planted by its tests to show that each check is needed --- */

enum hrn_fault {
    HRN_FAULT_NO_OVERLAP = 1u << 0,      /* live objects may share bytes */
    HRN_FAULT_NO_ALIGNMENT = 1u << 1,    /* alignment is forgotten */
    HRN_FAULT_CALLOC_MEMSET = 1u << 2,   /* calloc is tested as alloc and memset */
    HRN_FAULT_CHECK_EMPTY = 1u << 3,     /* whole walks only after everything was freed */
    HRN_FAULT_KEEP_ARENAS = 1u << 4,     /* one set of arenas for all programs */
    HRN_FAULT_NO_EDGES = 1u << 5,        /* the generator never asks for edge sizes */
    HRN_FAULT_NO_CONTENTS = 1u << 6,     /* contents are written and never looked at */
    HRN_FAULT_BELIEVE_REFUSAL = 1u << 7, /* any NULL is taken for exhaustion */
    HRN_FAULT_IGNORE_WALK = 1u << 8,     /* the allocator's check and statistics are not asked */
    HRN_FAULT_TRUST_MEMORY = 1u << 9,    /* what to expect is read from the memory under test */
    HRN_FAULT_SEED_LOST = 1u << 10,      /* contents depend on a seed that is not in the program */
    HRN_FAULT_NO_FENCE = 1u << 11,       /* the bytes around a region are not looked at */
    HRN_FAULT_NO_LEAK = 1u << 12,        /* what is left in the source is nobody's business */
    HRN_FAULT_NO_MISUSE = 1u << 13,      /* answers to misuse are not compared */
    HRN_FAULT_NO_CLEANUP = 1u << 14,     /* handlers are not counted */
};
extern uint32_t hrn_faults; /* none but in tests */

static inline bool hrn_fault_on(enum hrn_fault fault)
{
    return (hrn_faults & (uint32_t)fault) != 0;
}

/* --- Memory that arenas get (run_heap.c, run_source.c, run_region.c) --- */

#define HRN_JUNK 0xA5 /* what fresh memory holds: never zero, never a small number */

/*
 * A heap of its own for sources, so that the same program meets the same addresses. take: a block
 * of undefined bytes with HRN_HEAP_FRONT_BYTES in front for the caller's use, or NULL. give: from
 * then on nobody may touch it. restart: all is free and new again, if nothing is live.
 */
#define HRN_HEAP_FRONT_BYTES 64u
void *hrn_heap_take(size_t size_bytes, size_t align_bytes);
void hrn_heap_give(void *block);
void hrn_heap_restart(void);

#define HRN_SOURCE_N_HELD 8u

/* A source that counts, refuses on plan, and knows every block it gave. */
struct hrn_source {
    struct slm_source source;
    struct hrn_source_block *blocks; /* live ones, newest first */
    void *held[HRN_SOURCE_N_HELD];   /* returned blocks, not yet to the heap */
    unsigned n_returned;             /* ever */
    size_t live_blocks;
    size_t live_bytes;
    uint64_t n_calls;
    uint64_t n_refused;
    uint64_t fail_at;    /* call that is refused, from 1; 0: none */
    uint64_t fail_count; /* how many in a row */
};
#define HRN_SOURCE_BLOCK_MAX (4u << 20)  /* larger blocks are refused, bytes */
#define HRN_SOURCE_TOTAL_MAX (32u << 20) /* so is what would make more than this live, bytes */

void hrn_source_init(struct hrn_source *source);
/* True if the plan refuses the next call, which then counts as made and refused. */
bool hrn_source_skip_refused(struct hrn_source *source);
/* Frees what is still live. */
void hrn_source_drop(struct hrn_source *source);

/* Fenced memory for one arena: an untouchable page on each side, and marked bytes up to the
 * latter. */
struct hrn_region {
    unsigned char *base; /* 4096-aligned; NULL: none */
    size_t bytes;
    unsigned char *map; /* the whole mapping */
    size_t map_bytes;
    size_t used_bytes;    /* no object was handed out above */
    unsigned char *clean; /* [clean, clean_end) holds junk since the last close */
    unsigned char *clean_end;
};
#define HRN_REGION_ALLOC_MAX ((size_t)1 << 30) /* larger ones are not made, bytes */

/* Makes a region, filled with junk, in the mapping that is there if it fits. False: too large. */
bool hrn_region_open(struct hrn_region *region, size_t bytes);
/* From now on used_bytes is kept by hrn_region_use, and what lies above it, and looks untouched
 * when the region is closed, is not filled again. */
void hrn_region_track(struct hrn_region *region);
/* An object ends at p. */
void hrn_region_use(struct hrn_region *region, const unsigned char *p);
/* Lifts all poison, so that the next one can be filled. */
void hrn_region_close(struct hrn_region *region);
void hrn_region_fini(struct hrn_region *region);
/* Offset of the first marked byte behind the region that has changed, or SIZE_MAX. */
size_t hrn_region_fence_broken(const struct hrn_region *region);

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
    size_t source_bytes;
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
