/* SPDX-License-Identifier: Apache-2.0 */
/* Adapter: an allocator under test, described for the mill by one constant table. */
#ifndef SLM_ADAPTER_H
#define SLM_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    An adapter is a constant table of functions and declarations. `create`, `alloc` and
 *          `free` are needed. Any other function may be NULL: then the mill does not use that
 *          ability. A declaration that is 0 means what its comment says for 0. The mill runs random
 *          programs of operations on arenas. `create` makes an arena; every other function gets
 *          what `create` returned as `self`.
 * Laws     The mill checks of every allocator: objects are aligned, disjoint, inside a region or
 *          one block of the source, and keep their bytes; nothing outside of the regions is
 *          written; a refused or declined call changes nothing; the source gets back what it gave.
 *          What differs between correct allocators is declared. What only this allocator guarantees
 *          is a promise (below) or a function of its own checks (struct slm_adapter_checks).
 * Use      In one C or C++ file:
 *              SLM_ADAPTER(mine) = {.create = ..., .alloc = ..., .free = ..., .align_bytes = 8};
 *          As a plugin: cc -shared -fPIC that.c allocator.c -o mine.so; slabmill check ./mine.so
 *          A program that links the mill finds the adapters that are linked into it.
 * Safety   One thread. Several arenas exist at once, unless one_arena is set. The functions of env
 *          may only be called during a call by the mill.
 * Failure  Functions return an answer, or NULL for a refusal. The mill checks each table before its
 *          first use, and reports what is wrong with it in words.
 * Version  New fields come last. A table that was compiled with an older header works: its missing
 *          fields are 0. A table of a newer SLM_ADAPTER_VERSION is refused.
 */
#define SLM_ADAPTER_VERSION 1u /* of the tables that this header describes */

/* What a call did. */
enum slm_adapter_answer {
    SLM_ADAPTER_OK,        /* done */
    SLM_ADAPTER_REFUSED,   /* no memory, or a request that this allocator does not serve */
    SLM_ADAPTER_UNCHANGED, /* declined: the object is valid, and the call cannot do it */
    /* p is no live object. BAD: the allocator does not say why. */
    SLM_ADAPTER_BAD,
    SLM_ADAPTER_BAD_FOREIGN,  /* not in memory of this arena */
    SLM_ADAPTER_BAD_METADATA, /* in the allocator's own data */
    SLM_ADAPTER_BAD_FREED,    /* an object that was freed */
    SLM_ADAPTER_BAD_UNUSED,   /* in memory that holds no objects now */
    SLM_ADAPTER_BAD_INTERIOR, /* inside an object */
    SLM_ADAPTER_N_ANSWERS     /* how many there are */
};
#define SLM_ADAPTER_BIT(answer) (1u << (unsigned)(answer)) /* for masks of answers */

/* Pointers that are no live objects, which the mill passes to free. */
enum slm_adapter_misuse {
    SLM_ADAPTER_MISUSE_NULL,        /* NULL */
    SLM_ADAPTER_MISUSE_HEAP,        /* memory of malloc */
    SLM_ADAPTER_MISUSE_STACK,       /* a local variable */
    SLM_ADAPTER_MISUSE_INTERIOR,    /* inside a live object, any byte but the first */
    SLM_ADAPTER_MISUSE_TWICE,       /* an object that was freed just before */
    SLM_ADAPTER_MISUSE_STALE,       /* an object that was freed a while ago */
    SLM_ADAPTER_MISUSE_METADATA,    /* near the start of the allocator's own data */
    SLM_ADAPTER_MISUSE_PAST_END,    /* one past the last byte of a live object */
    SLM_ADAPTER_MISUSE_REGION_END,  /* one past the last byte of the region */
    SLM_ADAPTER_MISUSE_BEFORE,      /* 8 bytes before the region */
    SLM_ADAPTER_MISUSE_OTHER_ARENA, /* a live object of another arena */
    SLM_ADAPTER_MISUSE_TAIL,        /* the last 8 bytes of the 4096 that a live object starts in */
    SLM_ADAPTER_MISUSE_WILD,        /* any byte of the region */
    SLM_ADAPTER_N_MISUSES           /* how many there are */
};

/* --- What an arena is made from --- */

/* Memory for allocators that take it in blocks. The mill counts the blocks, limits them, and
 * refuses the calls that the program names. */
struct slm_adapter_source {
    /* A block of size_bytes (> 0), at a multiple of align_bytes (a power of two). NULL: refused. */
    void *(*alloc)(void *data, size_t size_bytes, size_t align_bytes);
    /* Frees a block, never NULL, with the size and alignment that alloc was called with. */
    void (*free)(void *data, void *block, size_t size_bytes, size_t align_bytes);
    void *data;
};

/* Geometry of a pool that takes blocks from its source. */
struct slm_adapter_pool_shape {
    size_t block_bytes; /* any number from 1 */
    bool pass_through;  /* each object in a block of its own */
};

/* Geometry of a slab that divides its region into pages. */
struct slm_adapter_slab_shape {
    size_t page_bytes;       /* 4096, 16384 or 65536 */
    size_t min_object_bytes; /* 8, 16, 32 or 64 */
    size_t gap_bytes;        /* after each object, 0 to 64 */
    unsigned per_doubling;   /* size classes, a power of two from 1 to 16 */
    bool shared;             /* used through several views in alternation */
    size_t max_bytes;        /* the size to which it could grow; 0: it has no reserve */
    bool locked;             /* all views use one lock */
};

/* Valid until the arena is destroyed. The mill owns it. */
struct slm_adapter_env {
    void *region; /* memory of undefined content between fences; NULL if `memory` is not REGION */
    size_t region_bytes; /* its present length: changes when grow or shrink has answered OK */
    const struct slm_adapter_source *source; /* never NULL */
    const size_t *source_live_bytes;         /* bytes taken from it now */
    unsigned arena;                          /* the number of the arena; unique among live ones */
    /* Reports a fault that the adapter found, and does not return: the run ends without destroying
     * its arenas. The text is formatted as printf does. If it starts with the name of a law and a
     * colon ("statistics: ..."), that law is broken, else `self_check`. */
    void (*fail)(const struct slm_adapter_env *env, const char *format, ...)
        __attribute__((format(printf, 2, 3), noreturn));
    const struct slm_adapter_pool_shape *pool_shape; /* for our pools; never NULL */
    const struct slm_adapter_slab_shape *slab_shape; /* for our slabs; never NULL */
};

/* --- Declarations with more than two values --- */

/* Where objects are. */
enum slm_adapter_memory {
    SLM_ADAPTER_REGION, /* in env->region; own data may be in blocks of the source */
    SLM_ADAPTER_SOURCE, /* in blocks of env->source; there is no region */
    SLM_ADAPTER_SYSTEM  /* in memory that the allocator gets by itself */
};

/* What alloc does with size 0. */
enum slm_adapter_zero {
    SLM_ADAPTER_ZERO_UNIQUE,  /* an object with an address of its own */
    SLM_ADAPTER_ZERO_REFUSED, /* NULL */
    SLM_ADAPTER_ZERO_EITHER,  /* one of the two */
    SLM_ADAPTER_ZERO_UNASKED  /* the mill asks for 1 byte instead */
};

/* What resize does with new_bytes 0. */
enum slm_adapter_resize_zero {
    SLM_ADAPTER_RESIZE_ZERO_UNASKED, /* the mill asks for 1 byte instead */
    SLM_ADAPTER_RESIZE_ZERO_RESIZES, /* as with any size: an object of size 0, or refused */
    SLM_ADAPTER_RESIZE_ZERO_FREES,   /* the object is freed; NULL */
    SLM_ADAPTER_RESIZE_ZERO_REFUSED  /* NULL, and nothing changed */
};

/* What own checks get: the call that made a request. */
enum slm_adapter_call {
    SLM_ADAPTER_CALL_ALLOC,         /* alloc */
    SLM_ADAPTER_CALL_ALLOC_ZEROED,  /* alloc_zeroed */
    SLM_ADAPTER_CALL_ALLOC_ALIGNED, /* alloc_aligned */
    SLM_ADAPTER_CALL_ALLOC_PACKED,  /* alloc_packed */
    SLM_ADAPTER_CALL_REUSE_GET,     /* reuse_get */
    SLM_ADAPTER_CALL_CLEANUP        /* the data of a handler */
};

/* A request for an object, as it was made. */
struct slm_adapter_request {
    enum slm_adapter_call call;
    size_t size_bytes;  /* ALLOC_ZEROED: the product; SIZE_MAX if size_t cannot hold it */
    size_t align_bytes; /* of ALLOC_ALIGNED; else 0 */
};

/* What the mill saw around a refused request. */
struct slm_adapter_refusal {
    uint64_t n_source_refusals; /* calls that the source refused during the request */
    size_t live_bytes;          /* asked for, of all live objects of the arena */
};

/* The state of the arena as the allocator counts it. A field that it does not count: SIZE_MAX. */
struct slm_adapter_statistics {
    size_t n_objects;    /* live */
    size_t object_bytes; /* asked for, of live objects */
    size_t used_bytes;   /* of the region, own data included */
    size_t free_bytes;   /* of the region */
};

/* Called for each live object, in any order. size_bytes: at least those asked for. */
typedef void (*slm_adapter_visit_fn)(void *data, void *p, size_t size_bytes);

/*
 * What only this allocator guarantees, checked by its author's functions. Each may be NULL. They
 * run after the mill's own checks, and report a fault by env->fail.
 */
struct slm_adapter_checks {
    /* p serves the request. */
    void (*granted)(void *self, const struct slm_adapter_request *rq, void *p);
    /* NULL if the refusal is right, else why it is wrong: a phrase. */
    const char *(*refused)(void *self, const struct slm_adapter_request *rq,
                           const struct slm_adapter_refusal *seen);
    /* The same for a create that returned NULL. Without this function it is right if the source
     * refused a call, and wrong otherwise. */
    const char *(*create_refused)(const struct slm_adapter_env *env);
    /* What free must answer for a live object: OK, or UNCHANGED (it stays live). NULL: OK.
     * size_bytes: the object's size now. */
    enum slm_adapter_answer (*free_answer)(void *self, const struct slm_adapter_request *rq,
                                           void *p, size_t size_bytes);
    /* p was freed. size_bytes: its size then. */
    void (*freed)(void *self, const struct slm_adapter_request *rq, void *p, size_t size_bytes);
    /* The object of rq was at old_p with old_bytes, and now is at p with new_bytes. */
    void (*resized)(void *self, const struct slm_adapter_request *rq, void *old_p, size_t old_bytes,
                    void *p, size_t new_bytes);
    /* The answers that free may give for p, as bits; 0: the mill does not try it. NULL: the table
     * bad_free says. */
    uint32_t (*bad_free)(void *self, enum slm_adapter_misuse misuse, const void *p);
    /* A whole walk: n_live objects, for which live_bytes were asked. */
    void (*walk)(void *self, size_t n_live, size_t live_bytes);
    /* How many things besides objects a walk examines: longer walks are rarer. NULL: one for each
     * page of the region, if there is a walk, check or statistics; and since the function `check`
     * may be slow, walks become ever rarer in the course of a program. */
    size_t (*walk_size)(void *self);
    /* No object is live, after a reset or after all were freed and trimmed. */
    void (*emptied)(void *self, bool by_reset);
};

/* A handler; see cleanup. */
typedef void (*slm_adapter_handler_fn)(void *data);

/* Functions that only pools have; each may be NULL. */
struct slm_adapter_pool {
    /* As alloc, at multiples of packed_align_bytes (a power of two, needed with alloc_packed). */
    void *(*alloc_packed)(void *self, size_t size_bytes);
    size_t packed_align_bytes;
    /* Takes an object back if it is the newest. UNCHANGED: it is not. */
    enum slm_adapter_answer (*give_back)(void *self, void *p, size_t size_bytes);
    /* Registers a handler. Reset and destroy call handlers once each, the newest first. The
     * handler gets data_bytes of memory of the arena, whose address is *data_out; if data_bytes is
     * 0, it gets `data`. REFUSED: nothing changed. */
    enum slm_adapter_answer (*cleanup)(void *self, slm_adapter_handler_fn fn, void *data,
                                       size_t data_bytes, void **data_out);
    bool cleanup_zeroes; /* a handler's data starts as zeros */
    /* Registers a handler that deletes the file at path, if path is not NULL, and closes fd. BAD:
     * fd is negative. */
    enum slm_adapter_answer (*file)(void *self, int fd, const char *path);
    /* Runs the handler of fd now. Needs file. */
    enum slm_adapter_answer (*run_file)(void *self, int fd);
    bool run_file_refuses; /* run_file of an fd without a handler: BAD_FOREIGN; false: not tried */
    /* A list of objects of one size: get returns an object that was put back, or a new one. All
     * three functions are needed, or none. put of an object that is in the list: BAD_FREED. */
    void *(*reuse_get)(void *self);
    enum slm_adapter_answer (*reuse_put)(void *self, void *p);
    size_t (*reuse_bytes)(void *self);
    /* Added later. arm: as cleanup without data, by a record. *record is NULL, and gets a new one, or
     * is one that was cancelled. BAD: it is armed. A reset ends all records. cancel: the handler does
     * not run. UNCHANGED: the record is not armed. Both are needed, or none. */
    enum slm_adapter_answer (*arm)(void *self, void **record, slm_adapter_handler_fn fn,
                                   void *data);
    enum slm_adapter_answer (*cancel)(void *self, void *record);
    /* Makes a pool with a handler, which ends with this one, in the order of its handlers. end_child
     * ends it at once. Both are needed, or none. */
    enum slm_adapter_answer (*child)(void *self, void **child, size_t block_bytes,
                                     slm_adapter_handler_fn fn, void *data);
    void (*end_child)(void *self, void *child);
};

/* The table. */
struct slm_adapter {
    const char *name; /* in messages and for --adapter; NULL: the name given to SLM_ADAPTER */

    /* --- Needed functions --- */
    /* Makes an arena. NULL: refused. */
    void *(*create)(const struct slm_adapter_env *env);
    /* An object of size_bytes. NULL: refused. */
    void *(*alloc)(void *self, size_t size_bytes);
    /* Frees the object at p, which now has size_bytes. 0 bytes if p is no live object. An allocator
     * that answers nothing: OK. */
    enum slm_adapter_answer (*free)(void *self, void *p, size_t size_bytes);

    /* --- Further functions; NULL: none --- */
    void (*destroy)(void *self);
    /* n * size_bytes zeroed bytes. NULL if size_t cannot hold the product. */
    void *(*alloc_zeroed)(void *self, size_t n, size_t size_bytes);
    /* At a multiple of align_bytes. Needs align_max_bytes. */
    void *(*alloc_aligned)(void *self, size_t align_bytes, size_t size_bytes);
    /* The object at p gets new_bytes, and keeps the bytes that old and new size share. The result
     * is its address now. NULL: refused or declined, nothing changed. */
    void *(*resize)(void *self, void *p, size_t old_bytes, size_t new_bytes);
    /* The same, with the result at a multiple of align_bytes. Needs align_max_bytes. */
    void *(*resize_aligned)(void *self, void *p, size_t align_bytes, size_t old_bytes,
                            size_t new_bytes);
    /* The same without moving. UNCHANGED: it would have to move. */
    enum slm_adapter_answer (*resize_in_place)(void *self, void *p, size_t old_bytes,
                                               size_t new_bytes);
    /* Frees as free does, with the alignment that was asked for when the object was made or last
     * moved by a resize; 0: none was. resize_in_place, and resize with resize_keeps_align, keep the
     * alignment. */
    enum slm_adapter_answer (*free_sized)(void *self, void *p, size_t size_bytes,
                                          size_t align_bytes);
    /* How many bytes at p may be used: at least those asked for. The mill writes to all of them. */
    size_t (*usable_bytes)(void *self, void *p);
    /* Drops all objects at once. */
    void (*reset)(void *self);
    /* Returns what it can, and changes no object. The result is not checked. */
    size_t (*trim)(void *self);
    /* The region now has by_bytes more, or less, at its end. REFUSED: nothing changed; of shrink:
     * they are in use. The bytes that are cut off may be written during the call, and not after it;
     * when they are added again, their content is undefined. */
    enum slm_adapter_answer (*grow)(void *self, size_t by_bytes);
    enum slm_adapter_answer (*shrink)(void *self, size_t by_bytes);
    /* One more region, aligned as the first, up to three for an arena. REFUSED: it is not used. */
    enum slm_adapter_answer (*add_region)(void *self, void *region, size_t region_bytes);
    /* The allocator's own check, at any moment. NULL, or what is wrong. It changes nothing. */
    const char *(*check)(void *self);
    /* Statistics, at any moment: also before the first request, and without a check or a walk
     * before. All fields are SIZE_MAX before the call. */
    void (*statistics)(void *self, struct slm_adapter_statistics *statistics);
    /* Visits all live objects and nothing else. */
    void (*walk)(void *self, slm_adapter_visit_fn visit, void *data);
    /* Where own data start that misuse may point at; NULL: where the region does. */
    void *(*metadata)(void *self);

    /* --- Declarations: alignment --- */
    size_t align_bytes; /* of every object; 0: that of max_align_t */
    /* Of an object of this size, where it depends on the size; then align_bytes is not used. */
    size_t (*align_of)(void *self, size_t size_bytes);
    size_t align_min_bytes; /* alloc_aligned is not asked for less; 0: 1 */
    size_t align_max_bytes; /* alloc_aligned and resize_aligned are not asked for more */
    /* alloc_aligned refuses an alignment of 0, one that is no power of two, one below
     * align_min_bytes, one above align_max_bytes. false: it is not asked for these. */
    bool align_refuses;
    bool resize_keeps_align; /* resize keeps the alignment that alloc_aligned gave */

    /* --- Declarations: sizes --- */
    enum slm_adapter_zero zero;
    size_t size_multiple_bytes; /* sizes are rounded up to a multiple of this; 0: any size */
    size_t size_max_bytes;      /* larger requests must be refused; 0: SIZE_MAX / 2 */
    bool resize_null; /* resize of NULL, 0 old bytes, does what alloc does, also for size 0 */
    enum slm_adapter_resize_zero resize_zero;

    /* --- Declarations: arenas --- */
    enum slm_adapter_memory memory;
    size_t region_min_bytes;      /* no region is shorter; 0: 1, but what create_refused says */
    size_t region_max_bytes;      /* no region is longer; 0: no limit */
    size_t region_multiple_bytes; /* of the region's length; 0: any length */
    size_t region_align_bytes;    /* of the region's start, up to 4096; 0: 4096 */
    /* The length to use instead of wanted_bytes, where the fields above cannot say it. */
    size_t (*region_bytes)(size_t wanted_bytes);
    bool one_arena; /* a second arena is made only after the first is destroyed */
    /* State survives destroy: a program makes each arena only once, and has a process of its own.
     * Fuzz targets, which run all programs in one process, do not suit such an allocator. */
    bool fresh_process;
    /* Every object must be freed before destroy. false: destroy, if there is one, also ends arenas
     * in which objects are live, and all goes back to the source. */
    bool destroy_needs_empty;

    /* --- Declarations: misuse --- */
    /* The answers that free may give for each misuse, as SLM_ADAPTER_BIT(answer). 0: the allocator
     * would crash, so the mill does not try it. Free must then have changed nothing. */
    uint32_t bad_free[SLM_ADAPTER_N_MISUSES];
    uint32_t bad_free_any; /* for each misuse but NULL whose entry is 0 */

    /* --- Promises: when the allocator must not refuse --- */
    /* Refusals during which the source refused a call are always right. Of every allocator the mill
     * expects only that a new arena serves a few bytes, and so does an emptied one, if it was seen to
     * use memory again. `slabmill probe` reports which promises an allocator seems to keep. Each
     * promise is a law of the same name. */

    /* An arena whose objects were all freed, and that was trimmed, or that was reset, serves what a
     * new arena of the same region serves: the largest single object, as many objects of one size,
     * and each single request that it has served before. If the region has grown, the new arena has
     * its present length; after it has shrunk, only later grants count. */
    bool empty_serves;
    /* After one or more frees, and before the next grant or resize, alloc serves the size that one
     * of the freed objects had. (At a larger alignment than that of alloc it may refuse: the search
     * for an aligned address may need more room than the object had.) */
    bool freed_serves;
    /* After a refusal, equal and larger sizes of the same alignment are refused too, until an object
     * is freed or resized, or trim, reset, grow or add_region is called. */
    bool monotone;
    /* A request is refused only if no gap between live objects has footprint_bytes. A gap is a
     * range of the region with no byte of an object, between the lowest and the highest address
     * that objects have had; so own data outside of these count for nothing. Not asked of arenas to
     * which a region was added. */
    bool gap_serves;
    bool exact; /* gap_serves, and a request is served only if a gap has footprint_bytes */
    /* The most bytes that a gap must have for a request: header, rounding,
     * search for an alignment, and what objects next to the gap keep. With exact: the fewest, too.
     * Needed by gap_serves and exact. */
    size_t (*footprint_bytes)(void *self, size_t size_bytes, size_t align_bytes);
    /* At least how many objects of this size an arena without objects serves, at the alignment of
     * alloc. Not larger for larger sizes. */
    size_t (*n_fit)(void *self, size_t size_bytes);
    /* An object that resize made half as large, and 64 bytes or more, takes no more memory than a new
     * one: an arena without objects has room for as many of them. */
    bool shrunk_fit;

    /* --- Extensions; NULL: none --- */
    const struct slm_adapter_checks *checks;
    const struct slm_adapter_pool *pool;

    /* --- Added later: fields of a table come in the order of their age --- */
    /* Regions may be longer than 4 GiB, of pages that exist only where they were written: create,
     * reset, trim and destroy write to own data only, and own data are few. The mill then tries
     * such regions, with objects near both ends, where the system maps them. */
    bool sparse_regions;

    /* A promise: the most bytes that an arena has from its source while an object is granted, own
     * data included. n_objects and live_bytes: the most objects and the most bytes that were live
     * at once, each since the arena was made. The present region, and own alignments and
     * fragments, are the function's to add. */
    size_t (*growth_bytes)(void *self, size_t n_objects, size_t live_bytes);
    /* Any thread may free an object. Programs then hand some to a second thread, which ends with the
     * program. Still there is one call at a time. */
    bool any_thread;
};

/* --- Registration --- */

/* What SLM_ADAPTER leaves for the mill. This layout never changes. */
struct slm_adapter_entry {
    uint32_t version;
    uint32_t adapter_bytes; /* sizes of the structs, as the file with the table sees them */
    uint32_t checks_bytes;
    uint32_t pool_bytes;
    const char *name;
    const struct slm_adapter *adapter;
};

/* Private: how the table is kept and found. */
#if defined(__has_attribute)
#if __has_attribute(retain)
#define SLM_ADAPTER_KEPT used, retain
#endif
#endif
#ifndef SLM_ADAPTER_KEPT
#define SLM_ADAPTER_KEPT used
#endif

/* The bounds of this program's, or this shared object's, own list. The linker defines them. */
extern const struct slm_adapter_entry *const __start_slm_adapters[]
    __attribute__((visibility("hidden")));
extern const struct slm_adapter_entry *const __stop_slm_adapters[]
    __attribute__((visibility("hidden")));

/* The list of the shared object, found by dlsym: its first entry, and past its last one. Only files
 * with an adapter emit it, as a weak function. */
__attribute__((visibility("default"))) inline const struct slm_adapter_entry *const *
slm_adapter_range(const struct slm_adapter_entry *const **end)
{
    *end = __stop_slm_adapters;
    return __start_slm_adapters;
}

/* Private. */
#ifdef __cplusplus
#define SLM_ADAPTER_EMIT_RANGE(id)                                                                 \
    __attribute__((used)) static const struct slm_adapter_entry *const                             \
        *(*const slm_adapter_range_of_##id)(const struct slm_adapter_entry *const **) =            \
            slm_adapter_range;
#else
#define SLM_ADAPTER_EMIT_RANGE(id)                                                                 \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wredundant-decls\"")         \
        _Pragma("weak slm_adapter_range") extern const struct slm_adapter_entry *const *           \
        slm_adapter_range(const struct slm_adapter_entry *const **end);                            \
    _Pragma("GCC diagnostic pop")
#endif

/* Registers `table`, a struct slm_adapter with static storage, by the name `id`, which is an
 * identifier. At file scope, with a semicolon. */
#define SLM_ADAPTER_ADD(id, table)                                                                 \
    static const struct slm_adapter_entry slm_adapter_entry_of_##id = {                            \
        SLM_ADAPTER_VERSION,                                                                       \
        sizeof(struct slm_adapter),                                                                \
        sizeof(struct slm_adapter_checks),                                                         \
        sizeof(struct slm_adapter_pool),                                                           \
        #id,                                                                                       \
        &(table)};                                                                                 \
    SLM_ADAPTER_EMIT_RANGE(id)                                                                     \
    __attribute__((SLM_ADAPTER_KEPT,                                                               \
                   section("slm_adapters"))) static const struct slm_adapter_entry                 \
        *const slm_adapter_at_##id = &slm_adapter_entry_of_##id

/* Defines and registers an adapter. Followed by "= {...};". */
#define SLM_ADAPTER(id)                                                                            \
    extern __attribute__((visibility("hidden"))) const struct slm_adapter slm_adapter_of_##id;     \
    SLM_ADAPTER_ADD(id, slm_adapter_of_##id);                                                      \
    const struct slm_adapter slm_adapter_of_##id

#ifdef __cplusplus
}

extern "C++" { /* also in a file that includes this header within extern "C" */

/* --- The table of a C++ class --- */

/*
 * Model    SLM_ADAPTER(mine) = slm_adapter_of<Heap>();
 *          An arena is an object of the class. `create` is Heap's static function of this name, if
 *          it has one, and else `new Heap(region, region_bytes)`; `destroy` deletes the object
 *          accordingly, or calls the member function. `alloc` and `free` are Heap's; free may take
 *          the size or not, and may return nothing, which is OK. Each further function of the table
 *          that a public member function has the name of calls it, without `self`.
 *          Declarations, and functions that are none of the class, are set by a lambda:
 *              slm_adapter_of<Heap>([](slm_adapter &a) { a.align_bytes = 16; })
 * Failure  An exception ends the program, which is a finding.
 */
struct slm_adapter_cxx {
    template <class H> static H &any();

    template <class H> static H *heap(void *self)
    {
        return static_cast<H *>(self);
    }

    /* Of two overloads that fit, the one with int is better for 0. */
    template <class H>
    static auto create(const slm_adapter_env *env, int) -> decltype(H::create(env))
    {
        return H::create(env);
    }
    template <class H> static H *create(const slm_adapter_env *env, long)
    {
        return new H(env->region, env->region_bytes);
    }

    template <class H>
    static auto destroy(slm_adapter &a, int) -> decltype(any<H>().destroy(), void())
    {
        a.destroy = [](void *self) { heap<H>(self)->destroy(); };
    }
    template <class H> static auto destroy(slm_adapter &a, long) -> decltype(H(nullptr, 0), void())
    {
        a.destroy = [](void *self) { delete heap<H>(self); };
    }
    template <class H> static void destroy(slm_adapter &, ...)
    {
    }

    template <class H>
    static auto free_it(H *h, void *p, size_t n, int) -> decltype(slm_adapter_answer(h->free(p, n)))
    {
        return h->free(p, n);
    }
    template <class H>
    static auto free_it(H *h, void *p, size_t n, long) -> decltype(h->free(p, n), SLM_ADAPTER_OK)
    {
        h->free(p, n);
        return SLM_ADAPTER_OK;
    }
    template <class H> static slm_adapter_answer free_it(H *h, void *p, size_t, ...)
    {
        h->free(p);
        return SLM_ADAPTER_OK;
    }

#define SLM_ADAPTER_CXX_CALLS(name, sample, ...)                                                   \
    template <class H>                                                                             \
    static auto name(slm_adapter &a, int)->decltype(static_cast<void>(any<H>().name sample))       \
    {                                                                                              \
        a.name = __VA_ARGS__;                                                                      \
    }                                                                                              \
    template <class H> static void name(slm_adapter &, long)                                       \
    {                                                                                              \
    }
    SLM_ADAPTER_CXX_CALLS(alloc_zeroed, (1, 1), [](void *self, size_t n, size_t size) {
        return static_cast<void *>(heap<H>(self)->alloc_zeroed(n, size));
    })
    SLM_ADAPTER_CXX_CALLS(alloc_aligned, (1, 1), [](void *self, size_t align, size_t size) {
        return static_cast<void *>(heap<H>(self)->alloc_aligned(align, size));
    })
    SLM_ADAPTER_CXX_CALLS(resize, (nullptr, 1, 1), [](void *self, void *p, size_t old, size_t now) {
        return static_cast<void *>(heap<H>(self)->resize(p, old, now));
    })
    SLM_ADAPTER_CXX_CALLS(usable_bytes, (nullptr),
                          [](void *self, void *p) { return heap<H>(self)->usable_bytes(p); })
    SLM_ADAPTER_CXX_CALLS(reset, (), [](void *self) { heap<H>(self)->reset(); })
    SLM_ADAPTER_CXX_CALLS(trim, (), [](void *self) { return heap<H>(self)->trim(); })
    SLM_ADAPTER_CXX_CALLS(check, (), [](void *self) { return heap<H>(self)->check(); })
#undef SLM_ADAPTER_CXX_CALLS

    struct nothing {
        void operator()(slm_adapter &) const
        {
        }
    };
};

template <class H, class Declare = slm_adapter_cxx::nothing>
slm_adapter slm_adapter_of(Declare declare = Declare())
{
    typedef slm_adapter_cxx cxx;
    slm_adapter a = slm_adapter();
    a.create = [](const slm_adapter_env *env) {
        return static_cast<void *>(cxx::create<H>(env, 0));
    };
    a.alloc = [](void *self, size_t n) {
        return static_cast<void *>(cxx::heap<H>(self)->alloc(n));
    };
    a.free = [](void *self, void *p, size_t n) {
        return cxx::free_it<H>(cxx::heap<H>(self), p, n, 0);
    };
    cxx::destroy<H>(a, 0);
    cxx::alloc_zeroed<H>(a, 0);
    cxx::alloc_aligned<H>(a, 0);
    cxx::resize<H>(a, 0);
    cxx::usable_bytes<H>(a, 0);
    cxx::reset<H>(a, 0);
    cxx::trim<H>(a, 0);
    cxx::check<H>(a, 0);
    declare(a);
    return a;
}
}
#endif
#endif
