/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: objects in a fixed region of memory that processes may share, mapped anywhere. */
#ifndef SLM_SLAB_H
#define SLM_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <slabmill/source.h>
#include <slabmill/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    The region holds everything but locks: a header, counters per class, a table with one
 *          descriptor a page, bitmaps, then the pages. Only indices and offsets link its parts, so
 *          that each process may map it elsewhere. A size belongs to a class; a class cuts its
 *          chunks from spans of one or more pages, one bit a chunk; sizes above the largest class
 *          take runs of whole pages. A process works through a view: a small struct of its own
 *          that holds what never changes (geometry, checked on attach), the lock to take, and
 *          where reports go. What decides is written last: a page word, or one bit. All lists and
 *          counters can be rebuilt from page words and bitmaps (slm_slab_rebuild_locked).
 * Classes  per_doubling 1: powers of two from min_object_bytes to half a page, as nginx has them.
 *          2, 4, 8 or 16: that many classes a doubling, never closer than min_object_bytes, up to 8
 *          pages but no more than 1/16 of the region (half a page at least). From per_doubling *
 *          min_object_bytes on, less than 1/per_doubling of a size is lost inside (8: 12.5 %);
 *          below, less than min_object_bytes. When no page is left for its own class, a request is
 *          served from a free chunk of a larger class below twice its class's size, if that is
 *          aligned as promised below.
 * Align    A result is a multiple of the largest power of two that divides the size asked for plus
 *          the gap, at most 16, and of min_object_bytes; with per_doubling 1 of the whole chunk
 *          size, up to SLM_SLAB_ALIGN_MAX. Whole-page runs, and memalign, go up to
 *          SLM_SLAB_ALIGN_MAX.
 * Safety   The plain calls take the view's lock, the _locked ones expect the caller to hold it.
 *          With no lock given, one thread at a time. Processes: one view each, same lock. Fork:
 *          the child may use an inherited view. Signals: not from handlers.
 * Failure  Exhaustion is NULL and silent unless a report hook asks. Misuse is a status and changes
 *          nothing. The hook hears of it from the plain calls, after they let go of the lock.
 * Limits   Allocation and release of a chunk take about 275 instructions without a lock. Chunks are
 *          multiples of min_object_bytes: a class of 33-byte objects holds 81 % payload. Below
 *          SLM_CHECKS 2 a stale free succeeds once the address is handed out again.
 * Source   The contract is nginx's ngx_slab; listing free runs by length is known from TLSF,
 *          classes cut from spans from tcmalloc's design notes; none of the code is.
 */
#define SLM_SLAB_REGION_ALIGN 4096u /* alignment of the region itself, bytes */
#define SLM_SLAB_ALIGN_MAX    4096u /* largest alignment memalign accepts, bytes */
#define SLM_SLAB_NAME_BYTES   32u   /* a name with its final zero */
#define SLM_SLAB_CLASSES_MAX  255u

struct slm_slab; /* a view */

struct slm_slab_options {
    size_t page_bytes;       /* 4096, 16384 or 65536; 0: 4096 */
    size_t min_object_bytes; /* 8, 16, 32 or 64; 0: 8 */
    unsigned per_doubling;   /* 1 (powers of two), 2, 4, 8 or 16; 0: 1 */
    size_t gap_bytes; /* unused bytes kept behind every object, 0 to 64: seen by sanitizers */
    const char *name; /* for messages, cut to 31 bytes; NULL: "" */
    size_t max_bytes; /* the region may grow so far: metadata for that; below its size: no growth */
};

/* What a view tells its hook. */
struct slm_slab_event {
    enum slm_status status; /* SLM_E_NOMEM, or a kind of misuse */
    const char *name;       /* the region's */
    const char *call;       /* "alloc", "free", ... */
    size_t size_bytes;      /* asked for; 0 in free */
    const void *pointer;    /* the pointer that was refused, or NULL */
};

struct slm_slab_view {
    void (*lock)(void *lock_data); /* NULL: none; then unlock is not called either */
    void (*unlock)(void *lock_data);
    void *lock_data;
    void (*report)(void *report_data, const struct slm_slab_event *event); /* NULL: silent */
    void *report_data;
    bool quiet_nomem; /* exhaustion is not reported */
    bool exclusive;   /* nobody else uses the region: sanitizers may see its objects */
    const struct slm_source *source; /* memory of the view itself; NULL: the C heap */
};

/*
 * Bytes of region that a slab of n_pages user pages needs with these options (NULL: all default),
 * a multiple of SLM_SLAB_REGION_ALIGN; 0 when the options are wrong or the size would wrap. Cost
 * O(log n).
 */
size_t slm_slab_region_bytes(const struct slm_slab_options *options, size_t n_pages);

/*
 * Formats the region: whatever it held is gone. Uses as many whole pages as fit; options NULL: all
 * default. Fails, having written nothing: SLM_E_NULL, SLM_E_ALIGN (region), SLM_E_OPTION,
 * SLM_E_SIZE (too small for one page, or more than 2^31 pages). Cost O(metadata bytes).
 */
enum slm_status slm_slab_init(void *region, size_t region_bytes,
                              const struct slm_slab_options *options);

/*
 * Opens a view of a formatted region; view NULL: no lock, silent, shared. *out is it, or NULL on
 * failure. The constant part of the image is checked whole, the rest is not: call slm_slab_check
 * before trusting an image from a file. Fails: SLM_E_NULL, SLM_E_ALIGN, SLM_E_SIZE (region_bytes
 * below what the image says), SLM_E_IMAGE, SLM_E_OPTION (lock without unlock), SLM_E_NOMEM (the
 * view's source). Reads the region, writes nothing. Cost O(classes).
 */
enum slm_status slm_slab_attach(struct slm_slab **out, void *region, size_t region_bytes,
                                const struct slm_slab_view *view);

/* Whether the slab was made with these options (NULL: all default), name and max_bytes apart. */
bool slm_slab_has_options(const struct slm_slab *slab, const struct slm_slab_options *options);

/* Closes a view; the region and its objects stay. NULL is no error. */
void slm_slab_detach(struct slm_slab *slab);

/*
 * size_bytes of memory, contents undefined; size 0 counts as 1. NULL iff there is neither a free
 * chunk of its class, nor (see Classes) of a larger one, nor enough free or kept pages in a row for
 * a new chunk of its class, or for a run; or size_bytes passes the region. Cost O(1): words of one
 * span's bitmap, or one search among run lengths.
 */
void *slm_slab_alloc(struct slm_slab *slab, size_t size_bytes);
void *slm_slab_alloc_locked(struct slm_slab *slab, size_t size_bytes);

/* The same, zeroed; the plain form zeroes after it let go of the lock. */
void *slm_slab_calloc(struct slm_slab *slab, size_t size_bytes);
void *slm_slab_calloc_locked(struct slm_slab *slab, size_t size_bytes);

/* The same at a multiple of align_bytes, a power of two up to SLM_SLAB_ALIGN_MAX; NULL also for
 * any other. */
void *slm_slab_memalign(struct slm_slab *slab, size_t align_bytes, size_t size_bytes);
void *slm_slab_memalign_locked(struct slm_slab *slab, size_t align_bytes, size_t size_bytes);

/*
 * Releases an object; p NULL is no error. Fails, changing nothing: SLM_E_NULL (slab), SLM_E_FOREIGN (outside the region),
 * SLM_E_METADATA (header, tables, bitmaps), SLM_E_INTERIOR (not the start of a chunk or run, or a
 * span's unused tail), SLM_E_FREED (a chunk that is free), SLM_E_PAGE_FREE (a free page). Cost
 * O(1); telling misuse inside a run apart takes O(pages of the run).
 */
enum slm_status slm_slab_free(struct slm_slab *slab, void *p);
enum slm_status slm_slab_free_locked(struct slm_slab *slab, void *p);

/* What slm_slab_free_locked would return for p, changing nothing; but SLM_E_NULL for p NULL, which
 * is no object. */
enum slm_status slm_slab_check_pointer_locked(const struct slm_slab *slab, const void *p);

/*
 * For recovery after a process died within a _locked call: the live object that was allocated last,
 * or was being allocated, since slm_slab_clear_last_allocation_locked, whoever did it; NULL if there is none. Call
 * slm_slab_rebuild_locked first. An object on its way is told here before it is live.
 */
void *slm_slab_last_allocation_locked(const struct slm_slab *slab);
void slm_slab_clear_last_allocation_locked(struct slm_slab *slab);

/* Bytes that may be used at p, at least what was asked for; 0 when p is no live object. Takes the
 * lock. Under a sanitizer with an exclusive view all of them may then be touched. */
size_t slm_slab_usable_bytes(struct slm_slab *slab, void *p);

/* Frees every object at once; the root is NULL then. Requests and failures counted so far stay.
 * Takes the lock. Cost O(pages). */
void slm_slab_reset(struct slm_slab *slab);
void slm_slab_reset_locked(struct slm_slab *slab);

/*
 * More pages for a region that has become region_bytes long in place, up to the options' max_bytes;
 * what does not make a whole page is left. The caller holds the lock, and the new part is mapped in
 * this process. Other views go on with the pages they know until they refresh; an object that lies
 * beyond is foreign to them. Returns the pages there are now. Cost O(new pages).
 */
size_t slm_slab_grow_locked(struct slm_slab *slab, size_t region_bytes);

/* Bytes of region that the slab uses now, which may be more than this view knows. Takes no lock. */
size_t slm_slab_used_bytes(const struct slm_slab *slab);

/* Takes note that another view made the region grow; those bytes are mapped here now. SLM_E_IMAGE,
 * changing nothing: the count of pages is damaged. The caller holds the lock. */
enum slm_status slm_slab_refresh_locked(struct slm_slab *slab);

/* Gives empty spans, of which each class keeps at most one, back to the free pages: done by itself
 * before an allocation fails. Returns the pages given back. Cost O(classes). */
size_t slm_slab_trim(struct slm_slab *slab);

/* The user's own anchor in the region, kept as an offset: an address in the user pages, or NULL.
 * Fails, changing nothing: SLM_E_FOREIGN (any other address). A root whose word was damaged reads
 * as NULL; slm_slab_check tells. Takes no lock. */
enum slm_status slm_slab_set_root(struct slm_slab *slab, void *object);
void *slm_slab_root(const struct slm_slab *slab);

/* The region's name, valid as long as the view. */
const char *slm_slab_name(const struct slm_slab *slab);

/* Links between objects: offsets that mean the same in every mapping; 0 stands for NULL. No lock,
 * no check. */
uint64_t slm_slab_offset(const struct slm_slab *slab, const void *p);
void *slm_slab_pointer(const struct slm_slab *slab, uint64_t offset);

/* --- Observation --- */

struct slm_slab_stats {
    size_t page_bytes;
    size_t n_pages;
    size_t n_free_pages; /* in free runs */
    size_t n_kept_pages; /* in empty spans that their classes keep */
    size_t longest_free_run_pages;
    size_t n_runs; /* live objects of whole pages */
    size_t n_run_pages;
    uint64_t run_requests; /* allocations of more than the largest class */
    uint64_t run_failures;
    size_t peak_used_pages; /* most pages ever not in free runs and not kept, since init */
    unsigned n_classes;
    size_t metadata_bytes; /* of the region, not for users */
};

struct slm_slab_class_stats {
    size_t chunk_bytes;
    size_t span_pages; /* of a new span when pages are plenty; as few as hold one chunk when not */
    size_t n_spans;
    size_t n_chunks; /* in all its spans */
    size_t n_used;
    uint64_t n_requests; /* of sizes that belong to this class */
    uint64_t n_failures;
};

/* C++ compilers may remark that the functions have the names of structs: that is C's stat()
 * idiom. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
/* Exact at the moment the lock was held. Take the lock. Cost
 * O(classes). */
void slm_slab_get_stats(struct slm_slab *slab, struct slm_slab_stats *stats);
/* Fails: SLM_E_NULL, SLM_E_SIZE (class_idx). */
enum slm_status slm_slab_get_class_stats(struct slm_slab *slab, unsigned class_idx,
                                         struct slm_slab_class_stats *stats);
#pragma GCC diagnostic pop

/* The class that serves size_bytes (gap included by itself), or -1 when it takes whole pages. */
int slm_slab_class_of(const struct slm_slab *slab, size_t size_bytes);

enum slm_slab_kind {
    SLM_SLAB_OUTSIDE, /* not in the region */
    SLM_SLAB_METADATA,
    SLM_SLAB_FREE_PAGE,  /* object: the free run */
    SLM_SLAB_CHUNK_USED, /* object: the chunk */
    SLM_SLAB_CHUNK_FREE,
    SLM_SLAB_SPAN_TAIL, /* behind a span's last chunk; object: the tail */
    SLM_SLAB_RUN,       /* object: the run */
};

struct slm_slab_place {
    enum slm_slab_kind kind;
    bool is_live;       /* a chunk in use or a run: p points into an object of a user */
    unsigned class_idx; /* of chunks and tails */
    void *object;       /* start of what p points into */
    size_t object_bytes;
    void *span; /* first page of the span or run */
    size_t span_pages;
};

/* What p points into. Takes the lock. Cost O(1), inside runs O(pages of the run). */
void slm_slab_locate(struct slm_slab *slab, const void *p, struct slm_slab_place *place);

/* --- Walking over all of it --- */

enum slm_slab_extent_kind {
    SLM_SLAB_EXTENT_FREE,
    SLM_SLAB_EXTENT_SPAN, /* chunks of a class */
    SLM_SLAB_EXTENT_RUN,  /* one live object */
    SLM_SLAB_EXTENT_DAMAGED,
};

struct slm_slab_extent {
    enum slm_slab_extent_kind kind;
    size_t first_page;
    size_t n_pages;     /* never 0 */
    unsigned class_idx; /* of a span; so are n_chunks and n_used */
    size_t n_chunks;
    size_t n_used;
};

/* Calls visit for each stretch of pages, in order and without gaps, until it answers false. Reads
 * only; bounded and safe whatever the region holds. The caller holds the lock, or looks at a copy.
 * Cost O(spans + runs + bitmap words). */
void slm_slab_walk_locked(const struct slm_slab *slab,
                          bool (*visit)(void *data, const struct slm_slab_extent *extent),
                          void *data);

/* A part of the region, bytes. */
struct slm_slab_part {
    size_t offset;
    size_t n_bytes;
};
#define SLM_SLAB_METADATA_PARTS 2u

/* What of the region has to be copied so that a view of the copy can be asked anything but what
 * objects contain: all but user pages, and what is laid out for pages that may come. */
void slm_slab_metadata_parts(const struct slm_slab *slab,
                             struct slm_slab_part parts[SLM_SLAB_METADATA_PARTS]);

/* 0, or the number of a broken invariant (listed at the top of allocator/slab/check.c). Read-only;
 * bounded, and safe on a region full of anything. Takes the lock. Cost O(pages + bitmap words). */
unsigned slm_slab_check(struct slm_slab *slab);
unsigned slm_slab_check_locked(struct slm_slab *slab);

/* Rebuilds every list and counter from page words and bitmaps alone. Fails: SLM_E_IMAGE, when
 * these contradict each other. The caller holds the lock. Cost O(pages + bitmap words). */
enum slm_status slm_slab_rebuild_locked(struct slm_slab *slab);

#ifdef __cplusplus
}
#endif
#endif
