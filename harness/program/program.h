/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of allocator operations, and their form as bytes. */
#ifndef HRN_PROGRAM_H
#define HRN_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A program is a head (how the allocators are set up) and a list of operations, each on
 *          one arena (an allocator under test) and, where it makes or uses an object, with that
 *          object's id. Ids are unique over the whole program and never used again. An id whose
 *          allocation was refused at run time makes every later use of it a no-op. The first
 *          operation that needs a missing arena makes it, with the head's settings. BYTES: a head
 *          of HRN_HEAD_BYTES and records of HRN_RECORD_BYTES each, little-endian. Any byte string
 *          is a valid program: a short head or last record is filled up with zeros. Programs from
 *          bytes use arenas 0 and 1 and number their ids 0, 1, 2, ... A record names its object by
 *          a selector, resolved while decoding among the objects of that arena that are live in
 *          program order; 0 is the newest (unless objects were removed in between). A head has a
 *          version. Bytes of version 3 have all of this. Bytes of version 2 decode as they did
 *          before version 3: without the flag LOCKED, without CANCEL, without handlers that
 *          are ARMED or those of a CHILD, and with all objects freed HERE. Bytes of any other version decode as they
 *          did before version 2: also without the operations from GROW on, with aux only where it
 *          was used then, and with alignments below 2^32. Bytes are always written in version 3.
 * Safety   Programs are plain values; one thread at a time per program.
 * Failure  If there is no memory for the program itself, the process stops.
 * Source   Fixed-width records after tcmalloc's and Pigweed's allocator fuzzers, as seen from
 *          outside.
 */
#define HRN_VERSION          3u
#define HRN_NO_ID            UINT32_MAX
#define HRN_HEAD_BYTES       24u
#define HRN_RECORD_BYTES     8u
#define HRN_BURST_MAX        512u
#define HRN_BYTES_OPS_MAX    65536u     /* further records are not decoded */
#define HRN_BYTES_IDS_MAX    (1u << 20) /* decoding stops when all are used */
#define HRN_BYTES_LIVES_MAX  64u        /* further CREATE, DESTROY, FILE, ADD_REGION are left out */
#define HRN_REGION_MAX_BYTES (4u << 20) /* of a region in bytes form, bytes */
#define HRN_BLOCK_MAX_BYTES  (128u << 10) /* of a pool block named in a head, bytes */

/*
 * Operations: name, word in traces, effect on ids. NONE: no id. MAKE: makes `id` (BURST: `id` to
 * `id + count - 1`). DROP: uses an id for the last time. USE: uses it. KEEP: makes an id that no
 * later operation selects. GET, PUT: like MAKE and DROP, in a separate space (objects of the typed
 * reuse list).
 */
#define HRN_KIND_LIST(X)                                                                           \
    X(ALLOC, "alloc", MAKE)        /* size_bytes; aux: enum hrn_by */                              \
    X(NALLOC, "nalloc", MAKE)      /* size_bytes, packed */                                        \
    X(CALLOC, "calloc", MAKE)      /* size_bytes, zeroed */                                        \
    X(MEMALIGN, "memalign", MAKE)  /* size_bytes, align_bytes (any number) */                      \
    X(FREE, "free", DROP)          /* id; aux: enum hrn_where */                                   \
    X(RESIZE, "resize", USE)       /* id, size_bytes: the new size; aux: enum hrn_way */           \
    X(BURST, "burst", MAKE)        /* count objects of size_bytes */                               \
    X(DRAIN, "drain", NONE)        /* frees every object; aux: enum hrn_order */                   \
    X(RESET, "reset", NONE)        /* the allocator's own way to drop everything */                \
    X(CLEANUP, "cleanup", KEEP)    /* handler with size_bytes of data; aux: enum hrn_handler */    \
    X(MISUSE, "misuse", USE)       /* aux: enum hrn_misuse; id: victim; size_bytes: offset */      \
    X(FAULT, "fault", NONE)        /* count: source call refused, from 1; aux: how many */         \
    X(CHECK, "check", NONE)        /* aux: enum hrn_look */                                        \
    X(TRIM, "trim", NONE)          /* empty spans back to free pages */                            \
    X(GIVE_BACK, "give_back", USE) /* id: returned if it is the newest, declined if not */         \
    X(REUSE_GET, "reuse_get", GET) /* an object of the reuse list */                               \
    X(REUSE_PUT, "reuse_put", PUT) /* id */                                                        \
    X(CREATE, "create", NONE)   /* size_bytes of region or block, 0: the head's; replaces;      \
                                    * aux: enum hrn_make */  \
    X(DESTROY, "destroy", NONE) /* aux: enum hrn_end */                                            \
    X(FILE, "file", NONE)       /* aux: enum hrn_file_aux; size_bytes: so long is its path */      \
    X(RUN_FILE, "run_file", NONE)     /* count: which of the files, from the newest */             \
    X(GROW, "grow", NONE)             /* size_bytes more at the region's end */                    \
    X(SHRINK, "shrink", NONE)         /* size_bytes less */                                        \
    X(ADD_REGION, "add_region", NONE) /* one more region of size_bytes, 0: the head's */           \
    X(CANCEL, "cancel", NONE)         /* count: which ARMED handler or CHILD, from the newest */

#define HRN_KIND_ENUM(name, word, ids) HRN_##name,
enum hrn_kind { HRN_KIND_LIST(HRN_KIND_ENUM) HRN_KIND_COUNT };
#undef HRN_KIND_ENUM

enum hrn_ids {
    HRN_IDS_NONE,
    HRN_IDS_MAKE,
    HRN_IDS_DROP,
    HRN_IDS_USE,
    HRN_IDS_KEEP,
    HRN_IDS_GET,
    HRN_IDS_PUT
};

enum hrn_order { HRN_ORDER_OLDEST, HRN_ORDER_NEWEST, HRN_ORDER_EVERY_OTHER, HRN_ORDER_COUNT };

/* What a cleanup handler does, besides being counted. */
enum hrn_handler {
    HRN_HANDLER_PLAIN,
    HRN_HANDLER_ALLOCS,    /* allocates from the arena that is being torn down */
    HRN_HANDLER_REGISTERS, /* registers one more plain handler */
    HRN_HANDLER_ARMED,     /* has no data, and can be cancelled; the record is used again */
    HRN_HANDLER_CHILD,     /* is that of a child pool, with blocks of size_bytes modulo 65536 */
    HRN_HANDLER_COUNT
};

/* By which function a plain object is allocated. RESIZE without resize_null: ALLOC. */
enum hrn_by {
    HRN_BY_ANY, /* by turns */
    HRN_BY_ALLOC,
    HRN_BY_RESIZE, /* of NULL */
    HRN_BY_COUNT
};

/* Which thread frees an object. An allocator that does not declare any_thread: HERE. */
enum hrn_where { HRN_FREE_HERE, HRN_FREE_ELSEWHERE, HRN_FREE_COUNT };

/* By which function an object is resized. If the allocator has no such function: ANY. */
enum hrn_way {
    HRN_WAY_ANY, /* by turns */
    HRN_WAY_PLAIN,
    HRN_WAY_IN_PLACE,
    HRN_WAY_ALIGNED, /* at a multiple of align_bytes */
    HRN_WAY_COUNT
};

/* What a check examines. */
enum hrn_look {
    HRN_LOOK_ALL,  /* the whole walk: contents, fences, and the three that follow */
    HRN_LOOK_SELF, /* the allocator's own check alone, as the next two */
    HRN_LOOK_STATISTICS,
    HRN_LOOK_WALK,
    HRN_LOOK_COUNT
};

enum hrn_make {
    HRN_MAKE_PLAIN,
    HRN_MAKE_SPARSE, /* with a region of size_bytes more than HRN_SPARSE_BYTES */
    HRN_MAKE_COUNT
};
#define HRN_SPARSE_BYTES ((size_t)1 << 32)

enum hrn_end {
    HRN_END_EMPTY, /* each object is freed before */
    HRN_END_LIVE,  /* objects are live, unless the adapter declares destroy_needs_empty */
    HRN_END_COUNT
};

/* The case that a file cleanup tests. */
enum hrn_file_aux {
    HRN_FILE_CLOSE,  /* a descriptor without a file */
    HRN_FILE_DELETE, /* a file: the first of a program, and one in eight of the others */
    HRN_FILE_GONE,   /* no file is at the path */
    HRN_FILE_BAD,    /* no descriptor: must be refused */
    HRN_FILE_COUNT
};

/* Pointers that free must refuse, except NULL, which it must accept. A pointer that happens to start
 * a live object is not tried. */
#define HRN_MISUSE_LIST(X)                                                                         \
    X(NULL, "null")               /* NULL */                                                       \
    X(HEAP, "heap")               /* memory of the C heap */                                       \
    X(STACK, "stack")             /* a local variable */                                           \
    X(INTERIOR, "interior")       /* inside the victim, size_bytes modulo its size further */      \
    X(TWICE, "twice")             /* the victim, which is freed just before */                     \
    X(STALE, "stale")             /* an object freed a while ago, chosen by size_bytes */          \
    X(METADATA, "metadata")       /* the allocator's own: region start plus size_bytes */          \
    X(PAST_END, "past_end")       /* one past the victim's last byte */                            \
    X(REGION_END, "region_end")   /* one past the region */                                        \
    X(BEFORE, "before")           /* 8 bytes before the region */                                  \
    X(OTHER_ARENA, "other_arena") /* a live object of another arena */                             \
    X(TAIL, "tail")               /* last 8 bytes of the victim's page */                          \
    X(WILD, "wild") /* anywhere in the region: start plus size_bytes modulo its size */

#define HRN_MISUSE_ENUM(name, word) HRN_MISUSE_##name,
enum hrn_misuse { HRN_MISUSE_LIST(HRN_MISUSE_ENUM) HRN_MISUSE_COUNT };
#undef HRN_MISUSE_ENUM

struct hrn_op {
    uint8_t kind; /* enum hrn_kind */
    uint8_t aux;  /* what its kind says; FAULT: refusals in a row, 255: until the next FAULT */
    uint16_t count;
    uint32_t arena;
    uint32_t id;
    uint32_t unused; /* 0: programs are compared as memory */
    size_t align_bytes;
    size_t size_bytes;
};

/* How the arenas of a program are set up; each adapter uses the fields that concern it. */
struct hrn_head {
    uint32_t page_bytes;       /* 4096, 16384 or 65536 */
    uint32_t per_doubling;     /* 1, 2, 4, 8 or 16 classes */
    uint32_t min_object_bytes; /* 8, 16, 32 or 64 */
    uint32_t gap_bytes;        /* 0 to 64 */
    uint32_t region_bytes;     /* at least 4 pages; any number, not only whole pages */
    uint32_t block_bytes;      /* of pools; any number from 1 */
    uint32_t flags;            /* enum hrn_head_flags */
    uint32_t check_every;      /* operations between whole walks, more if walks are long; 0: none */
    uint32_t fault_nth;        /* source call, from 1, that is refused; 0: none */
    uint32_t fault_count;      /* how many in a row; UINT32_MAX: all that follow */
    uint32_t content_seed;     /* what objects are filled with */
};

enum hrn_head_flags {
    HRN_HEAD_PASS_THROUGH = 1u << 0, /* pools: every object has a separate block */
    HRN_HEAD_SHARED = 1u << 1,  /* slabs: the view is not exclusive, so that nothing is poisoned */
    HRN_HEAD_RESERVE = 1u << 2, /* slabs: their metadata has room for twice the pages */
    HRN_HEAD_LOCKED = 1u << 3,  /* slabs: all views use one lock, whose holder may die */
    HRN_HEAD_FLAGS = 15u,
};

struct hrn_program {
    struct hrn_head head;
    struct hrn_op *ops;
    size_t n_ops;
    size_t cap_ops;    /* allocated */
    uint32_t n_ids;    /* every id is below */
    uint32_t n_arenas; /* every arena is below */
};

/* An empty program with the default head (the head that no bytes decode to). fini releases the
 * memory. */
void hrn_program_init(struct hrn_program *program);
void hrn_program_fini(struct hrn_program *program);

/* Drops the operations and keeps memory and head. */
void hrn_program_clear(struct hrn_program *program);

/* Appends op and keeps n_ids and n_arenas up to date. Amortised O(1). */
void hrn_program_push(struct hrn_program *program, struct hrn_op op);

/* Copies from to to, and reuses the memory of to. */
void hrn_program_copy(struct hrn_program *to, const struct hrn_program *from);

/*
 * Makes a program valid after operations were cut or moved: removes operations that use an id that
 * is not live there (never made, made later, dropped before, or gone with its arena), and numbers
 * the ids 0, 1, 2, ... in order. Returns how many operations it dropped. Cost O(operations + ids).
 */
size_t hrn_program_normalize(struct hrn_program *program);

/* Same head, same operations. */
bool hrn_program_equal(const struct hrn_program *a, const struct hrn_program *b);

/* Decodes any bytes into program, and replaces its content. Never fails. */
void hrn_program_decode(struct hrn_program *program, const uint8_t *bytes, size_t n_bytes);

/* Bytes that hrn_program_encode needs. */
size_t hrn_program_encoded_bytes(const struct hrn_program *program);

/*
 * Writes the bytes that decode to this (normalized) program. True when they do so exactly: always
 * for one from hrn_program_decode, and for any with at most HRN_BYTES_OPS_MAX operations,
 * HRN_BYTES_IDS_MAX ids and HRN_BYTES_LIVES_MAX of CREATE, DESTROY, FILE and ADD_REGION, arenas 0
 * and 1, 65,536 live objects an arena, a head that bytes can express, sizes below 2^30 (4 MiB in
 * CREATE), and alignments that are powers of two, one more or less, or below 2^16 (RESIZE: powers
 * of two).
 * False: some operation had to be left out or changed to its nearest neighbour.
 */
bool hrn_program_encode(const struct hrn_program *program, uint8_t *bytes);

/* --- Pieces --- */

const char *hrn_kind_word(enum hrn_kind kind);

/* What the operation does to its id: as its kind defines, except that a MISUSE may have no victim
 * (NONE), or free it (DROP). */
enum hrn_ids hrn_op_ids(const struct hrn_op *op);
const char *hrn_misuse_word(enum hrn_misuse misuse);

/* True if the operation has a size (the others leave size_bytes 0). */
bool hrn_kind_has_size(enum hrn_kind kind);

/* One readable line: "0 memalign #17 size 100 align 64". */
void hrn_op_text(const struct hrn_op *op, char *text, size_t text_bytes);
#define HRN_OP_TEXT_BYTES 128u

/* The size that a record's 32-bit code means under this head. */
size_t hrn_size_decode(const struct hrn_head *head, uint32_t code);

/* The code of a size. False, with the nearest code, if the size has none. */
bool hrn_size_encode(size_t size_bytes, uint32_t *code);

/*
 * Codes for generator and mutator, from any 32 random bits: a size where behaviour changes (edges
 * of classes, pages, blocks, regions, moved by -2 to 2); one of even logarithm below 2 MiB; one
 * near SIZE_MAX, SIZE_MAX / 2 or another limit of arithmetic.
 */
uint32_t hrn_size_code_edge(uint32_t random);
uint32_t hrn_size_code_log(uint32_t random);
uint32_t hrn_size_code_huge(uint32_t random);

/* The alignment of a code, which is one byte: powers of two up to the largest, each also one less
 * and one more; above, `other`. hrn_align_encode returns false, with the nearest code, if the
 * alignment has none. */
size_t hrn_align_decode(uint32_t code, uint32_t other);
bool hrn_align_encode(size_t align_bytes, uint8_t *code, uint32_t *other);

#ifdef __cplusplus
}
#endif
#endif
