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
 * Model    The region holds everything but the lock: a header, counters of each class, a table with
 *          one descriptor for each page, bitmaps, then the pages. Only indices and offsets link its
 *          parts, so each process may map it at another address. A size belongs to a class. A class
 *          cuts its chunks from spans of one or more pages, with one bit for each chunk. Sizes
 *          above the largest class take runs of whole pages. A new span or run comes from the
 *          shortest free run of pages that is long enough (best fit).
 *          A process works through a view: a small struct in its own memory. The view holds what
 *          never changes (the geometry, checked on attach), the lock to take, and the report hook.
 *          Each call makes its change with one last store: of a page word, or of one bit. All lists
 *          and counters can be rebuilt from page words and bitmaps (slm_slab_rebuild_locked).
 * Classes  per_doubling 1: powers of two from min_object_bytes to half a page, as in nginx.
 *          per_doubling 2, 4, 8 or 16: that many classes for each doubling, but never closer than
 *          min_object_bytes. They go up to 8 pages, but no further than 1/16 of the region (half a
 *          page at least). From per_doubling * min_object_bytes on, a chunk wastes less than
 *          1/per_doubling of the size (8: 12.5 %); below that, less than min_object_bytes.
 *          When no page is left for the class of a request, it gets a free chunk of a larger class.
 *          That class has less than twice the size, and aligns as promised below.
 * Align    Add the gap to the size asked for, and take the largest power of two that divides the
 *          sum: a result is a multiple of it, up to 16, and of min_object_bytes. With per_doubling
 *          1 it is a multiple of the whole chunk size, up to SLM_SLAB_ALIGN_MAX. Runs of whole
 *          pages are multiples of SLM_SLAB_ALIGN_MAX.
 * Growth   slm_slab_grow_locked adds pages. Another view does not know them before it calls
 *          slm_slab_refresh_locked. Until then it refuses, and changes nothing, since the region's
 *          lists lead to pages that its process may not have mapped. alloc, calloc, memalign and
 *          slm_slab_last_allocation_locked return NULL; usable_bytes and trim return 0; free,
 *          check_pointer, reset and rebuild return SLM_E_STATE; check returns 1. To
 *          slm_slab_locate every address is outside, slm_slab_walk_locked visits nothing, and
 *          slm_slab_get_stats counts nothing. A zone refreshes its view at each lock.
 * Safety   Threads and processes: a call whose name ends in _locked expects the caller to hold the
 *          lock (see status.h). The other calls take the view's lock where they need it. These need
 *          none and take none: region_bytes, init, attach, detach, has_options, used_bytes, root,
 *          set_root, name, offset, pointer, class_of, metadata_parts. A view without a lock serves
 *          one thread at a time. Each process has its own view; all views use the same lock.
 *          Fork: the child may use an inherited view. Signals: not from handlers. Cancellation: no
 *          call is a cancellation point; lock, unlock, repair and the report hook of a view, and a
 *          visitor, are the program's own. A thread that is cancelled in one of them keeps the lock, if
 *          it has it.
 * Lock     A view's lock is two functions, or a lock of <slabmill/lock.h>, its shared_lock. That
 *          costs 50 instructions for a pair of alloc and free, and the death of its holder is
 *          noticed: the call that gets the lock next rebuilds the slab, calls repair with the lock
 *          held, and marks the lock as repaired. repair is for what else the lock guards, and may
 *          call slm_slab_last_allocation_locked; without one, the lock guards the slab only. If the
 *          rebuild or repair fails, the mark stays, and the call fails with its status.
 *          A call that does not get the lock changes nothing. alloc, calloc and memalign return
 *          NULL, usable_bytes and trim return 0, free, reset and get_class_stats return the status,
 *          check returns 1. To slm_slab_locate every address is outside, and slm_slab_get_stats
 *          counts nothing. alloc, calloc, memalign and free report the status.
 * Looking  A view with the option read_only is for looking only. alloc, calloc and memalign return
 *          NULL, trim returns 0, grow the number of pages as it is; free, reset, rebuild and
 *          set_root return SLM_E_READ_ONLY; clear_last_allocation does nothing.
 * Failure  Exhaustion is NULL, and silent unless a report hook is set. Misuse is a status, and
 *          changes nothing. The calls that take the lock report both to the hook, after they have
 *          released the lock. NULL arguments: see status.h. They are never reported.
 * Limits   A region has 1 to 2^31 - 1 pages of 4, 16 or 64 KiB. SLM_SLAB_CLASSES_MAX classes. An
 *          object is at most as large as all pages, its gap included. Allocation and release of a
 *          chunk take about 135 instructions without a lock, 170 where spans become full and partly
 *          used by turns; of a run 360. Chunks are multiples of min_object_bytes: a class of 33-byte
 *          objects holds 81 % payload. Below SLM_CHECKS 2 a stale free succeeds once the address was
 *          handed out again.
 * Checks   From SLM_CHECKS 2 on, what is freed one by one is filled with bytes 0xfd, of a large run
 *          the first 64 KiB, so that a use after the release shows. A zone frees at the commit, and
 *          at an abort what the transaction had allocated. Where a sanitizer sees the objects (see
 *          exclusive), it reports such a use itself, and nothing is filled.
 * Source   The contract is nginx's ngx_slab. To list free runs by length is known from TLSF, to cut
 *          classes from spans from tcmalloc's design notes. None of the code is theirs.
 */
#define SLM_SLAB_REGION_ALIGN 4096u /* alignment of the region itself, bytes */
#define SLM_SLAB_ALIGN_MAX    4096u /* largest alignment memalign accepts, bytes */
#define SLM_SLAB_NAME_BYTES   32u   /* a name with its final zero */
#define SLM_SLAB_CLASSES_MAX  255u  /* most size classes of a slab */

struct slm_slab; /* a view */
struct slm_lock; /* <slabmill/lock.h> */

/* Options of slm_slab_init. */
struct slm_slab_options {
    size_t page_bytes;       /* 4096, 16384 or 65536; 0: 4096 */
    size_t min_object_bytes; /* 8, 16, 32 or 64; 0: 8 */
    unsigned per_doubling;   /* 1 (powers of two), 2, 4, 8 or 16; 0: 1 */
    size_t gap_bytes; /* unused bytes after every object, 0 to 64: a sanitizer sees overruns */
    const char *name; /* for messages, cut to 31 bytes; NULL: "" */
    size_t max_bytes; /* the region may grow to this size: its metadata is laid out for that. Below
                         the region's size: it cannot grow */
};

/* What a view reports to its hook. */
struct slm_slab_event {
    enum slm_status status; /* SLM_E_NOMEM, a kind of misuse, or why the lock was not taken */
    const char *name;       /* the region's */
    const char *call;       /* "alloc", "free", ... */
    size_t size_bytes;      /* asked for; 0 in free */
    const void *pointer;    /* the pointer that was refused, or NULL */
};

/* Options of slm_slab_attach. */
struct slm_slab_view {
    void (*lock)(void *lock_data); /* NULL: none; unlock must be NULL too */
    void (*unlock)(void *lock_data);
    void *lock_data;
    struct slm_lock *shared_lock; /* instead of lock and unlock; see Lock. It outlives the view */
    enum slm_status (*repair)(void *repair_data, struct slm_slab *slab); /* see Lock; NULL: none */
    void *repair_data;
    void (*report)(void *report_data, const struct slm_slab_event *event); /* NULL: silent */
    void *report_data;
    bool quiet_nomem; /* exhaustion is not reported */
    bool exclusive;   /* no other view uses the region: sanitizers may see its objects */
    bool read_only;   /* calls that change the region are refused; refresh is not one of them */
    const struct slm_source *source; /* memory of the view itself; NULL: the C heap */
};

/*
 * The size of a region that has n_pages pages for objects with these options (NULL: all default).
 * A multiple of SLM_SLAB_REGION_ALIGN; 0 if an option is not allowed, or if n_pages is 0 or too
 * many. Cost O(log n).
 */
size_t slm_slab_region_bytes(const struct slm_slab_options *options, size_t n_pages);

/*
 * Formats the region; what it held is lost. Uses as many whole pages as fit. options NULL: all
 * default. Fails, having written nothing: SLM_E_NULL (region), SLM_E_ALIGN (region), SLM_E_OPTION,
 * SLM_E_SIZE (too small for one page, or too many pages). Cost O(metadata bytes).
 */
enum slm_status slm_slab_init(void *region, size_t region_bytes,
                              const struct slm_slab_options *options);

/*
 * Opens a view of a formatted region. view NULL: no lock, silent, not exclusive. *out is the new
 * view, or NULL on failure. The constant part of the image is checked in full. The rest is not:
 * call slm_slab_check before you trust an image from a file. Reads the region, writes nothing.
 * Another view may grow the slab meanwhile: the new view knows pages in region_bytes only.
 * Fails: SLM_E_NULL (out, region), SLM_E_ALIGN (region), SLM_E_SIZE (region_bytes is less than the
 * image says), SLM_E_IMAGE, SLM_E_OPTION (lock without unlock, or unlock without lock; shared_lock and
 * lock; repair without shared_lock), SLM_E_NOMEM
 * (the view's source). Cost O(classes).
 */
enum slm_status slm_slab_attach(struct slm_slab **out, void *region, size_t region_bytes,
                                const struct slm_slab_view *view);

/* Whether the slab has these options. An option that is 0 agrees with any value, as do name and
 * max_bytes, and NULL for all of them. */
bool slm_slab_has_options(const struct slm_slab *slab, const struct slm_slab_options *options);

/* Closes a view; the region and its objects stay. NULL is no error. O(1). */
void slm_slab_detach(struct slm_slab *slab);

/*
 * size_bytes of memory, contents undefined; size 0 counts as 1. NULL if and only if slab is NULL,
 * or the view does not know all pages (see Growth), or there is no free chunk of its class, none of a larger class that may serve it (see Classes),
 * and no run of free or kept pages for a new span or for the object. So also if size_bytes is more
 * than the region. Cost O(1): words of one span's bitmap, or one search among the lengths of free
 * runs.
 */
void *slm_slab_alloc(struct slm_slab *slab, size_t size_bytes);
void *slm_slab_alloc_locked(struct slm_slab *slab, size_t size_bytes);

/* As slm_slab_alloc, zeroed. slm_slab_calloc zeroes after it has released the lock. */
void *slm_slab_calloc(struct slm_slab *slab, size_t size_bytes);
void *slm_slab_calloc_locked(struct slm_slab *slab, size_t size_bytes);

/* As slm_slab_alloc, at a multiple of align_bytes, a power of two up to SLM_SLAB_ALIGN_MAX. NULL
 * also for any other align_bytes. */
void *slm_slab_memalign(struct slm_slab *slab, size_t align_bytes, size_t size_bytes);
void *slm_slab_memalign_locked(struct slm_slab *slab, size_t align_bytes, size_t size_bytes);

/*
 * Releases an object; p NULL is no error. Fails, changing nothing: SLM_E_NULL (slab), SLM_E_FOREIGN
 * (outside the region), SLM_E_METADATA (header, tables, bitmaps), SLM_E_INTERIOR (not the start of
 * a chunk or run, or in a span's unused tail), SLM_E_FREED (a chunk that is free), SLM_E_PAGE_FREE
 * (a free page), SLM_E_STATE (see Growth), SLM_E_IMAGE (the count of pages is damaged). Cost O(1);
 * O(pages of the run) for a pointer into a run that is not its start.
 */
enum slm_status slm_slab_free(struct slm_slab *slab, void *p);
enum slm_status slm_slab_free_locked(struct slm_slab *slab, void *p);

/* What slm_slab_free_locked would return for p, changing nothing. But p NULL is SLM_E_NULL, since
 * NULL is no object. */
enum slm_status slm_slab_check_pointer_locked(const struct slm_slab *slab, const void *p);

/*
 * For recovery after a process died in a _locked call. Returns the live object that was allocated
 * last, by any process, since slm_slab_clear_last_allocation_locked; NULL if there is none. The
 * object is noted before it becomes live, so an allocation that was cut short is found too. Call
 * slm_slab_rebuild_locked first. O(1).
 */
void *slm_slab_last_allocation_locked(const struct slm_slab *slab);
void slm_slab_clear_last_allocation_locked(struct slm_slab *slab);

/* Bytes that may be used at p, at least as many as were asked for; 0 if no live object starts at p.
 * Takes the lock. Under a sanitizer, an exclusive view shows it all of these bytes. O(1). */
size_t slm_slab_usable_bytes(struct slm_slab *slab, void *p);

/* Frees every object at once, and sets the root to NULL. Counts of requests and failures stay.
 * Fails, changing nothing: SLM_E_NULL, SLM_E_STATE (see Growth), SLM_E_IMAGE (the count of pages is
 * damaged). Cost O(pages). */
enum slm_status slm_slab_reset(struct slm_slab *slab);
enum slm_status slm_slab_reset_locked(struct slm_slab *slab);

/*
 * Adds pages, after the region became region_bytes long in place and this process mapped the new
 * part. Uses whole pages only, up to the options' max_bytes. Pages that another view added within
 * region_bytes become known first. Returns the number of pages that this view knows now. Cost O(new
 * pages).
 */
size_t slm_slab_grow_locked(struct slm_slab *slab, size_t region_bytes);

/* Bytes of the region that the slab uses now, which may be more than this view knows. O(1). */
size_t slm_slab_used_bytes(const struct slm_slab *slab);

/* Adopts the pages that another view added: slm_slab_used_bytes of the region, which this process
 * has mapped. Fails, changing nothing: SLM_E_NULL, SLM_E_IMAGE (the count of pages is damaged).
 * O(1). */
enum slm_status slm_slab_refresh_locked(struct slm_slab *slab);

/* Returns empty spans, of which each class keeps at most one, to the free pages. An allocation does
 * so by itself before it fails. Returns the number of these pages. Takes the lock. Cost O(classes).
 */
size_t slm_slab_trim(struct slm_slab *slab);

/* The user's own anchor in the region, stored as an offset: an address in the pages, or NULL. A
 * root that is damaged, or in pages that the view does not know, reads as NULL; slm_slab_check
 * reports a damaged one. set_root fails, changing nothing: SLM_E_NULL (slab), SLM_E_FOREIGN (any
 * other address, pages that the view does not know included). O(1). */
enum slm_status slm_slab_set_root(struct slm_slab *slab, void *object);
void *slm_slab_root(const struct slm_slab *slab);

/* The region's name, valid as long as the view. */
const char *slm_slab_name(const struct slm_slab *slab);

/* Links between objects: offsets, which mean the same in every mapping; 0 stands for NULL. Neither
 * call checks its argument. O(1). */
uint64_t slm_slab_offset(const struct slm_slab *slab, const void *p);
void *slm_slab_pointer(const struct slm_slab *slab, uint64_t offset);

/* --- Observation --- */

/* What slm_slab_get_stats fills in. */
struct slm_slab_stats {
    size_t page_bytes;
    size_t n_pages;      /* that the view knows */
    size_t n_free_pages; /* in free runs */
    size_t n_kept_pages; /* in empty spans that their classes keep */
    size_t longest_free_run_pages;
    size_t n_runs; /* live objects of whole pages */
    size_t n_run_pages;
    uint64_t run_requests; /* allocations of more than the largest class */
    uint64_t run_failures;
    size_t peak_used_pages; /* most pages ever that were neither free nor kept, since init */
    unsigned n_classes;
    size_t metadata_bytes; /* part of the region that users cannot have */
};

/* What slm_slab_get_class_stats fills in. */
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
/* Fills in *stats, exact at the moment the lock was held. Takes the lock. O(1). */
void slm_slab_get_stats(struct slm_slab *slab, struct slm_slab_stats *stats);
void slm_slab_get_stats_locked(const struct slm_slab *slab, struct slm_slab_stats *stats);
/* The same for one class. Fails: SLM_E_NULL, SLM_E_SIZE (no such class). Takes the lock. O(1). */
enum slm_status slm_slab_get_class_stats(struct slm_slab *slab, unsigned class_idx,
                                         struct slm_slab_class_stats *stats);
enum slm_status slm_slab_get_class_stats_locked(const struct slm_slab *slab, unsigned class_idx,
                                                struct slm_slab_class_stats *stats);
#pragma GCC diagnostic pop

/* The class that serves size_bytes (the gap is added), or -1 if that takes whole pages. O(1). */
int slm_slab_class_of(const struct slm_slab *slab, size_t size_bytes);

/* What a pointer points into. */
enum slm_slab_kind {
    SLM_SLAB_OUTSIDE,    /* not in the region */
    SLM_SLAB_METADATA,   /* header, counters, descriptors, bitmaps */
    SLM_SLAB_FREE_PAGE,  /* object: the free run */
    SLM_SLAB_CHUNK_USED, /* object: the chunk */
    SLM_SLAB_CHUNK_FREE, /* object: the chunk */
    SLM_SLAB_SPAN_TAIL,  /* after a span's last chunk; object: the tail */
    SLM_SLAB_RUN,        /* object: the run */
};

/* What slm_slab_locate fills in. */
struct slm_slab_place {
    enum slm_slab_kind kind;
    bool is_live;       /* a chunk in use or a run: p points into an object of a user */
    unsigned class_idx; /* of chunks and tails */
    void *object;       /* start of what p points into */
    size_t object_bytes;
    void *span; /* first page of the span or run */
    size_t span_pages;
};

/* Fills in *place: what p points into. p NULL is outside. Takes the lock. Cost O(1), inside runs
 * O(pages of the run). */
void slm_slab_locate(struct slm_slab *slab, const void *p, struct slm_slab_place *place);

/* --- Walking over all of it --- */

/* What a stretch of pages is used for. */
enum slm_slab_extent_kind {
    SLM_SLAB_EXTENT_FREE,    /* pages of a free run */
    SLM_SLAB_EXTENT_SPAN,    /* chunks of a class */
    SLM_SLAB_EXTENT_RUN,     /* one live object */
    SLM_SLAB_EXTENT_DAMAGED, /* pages whose words contradict each other */
};

/* A stretch of pages: what slm_slab_walk_locked visits. */
struct slm_slab_extent {
    enum slm_slab_extent_kind kind;
    size_t first_page;
    size_t n_pages;     /* never 0 */
    unsigned class_idx; /* of a span; so are n_chunks and n_used */
    size_t n_chunks;
    size_t n_used;
};

/* Calls visit for each stretch of pages, in order and without gaps, until visit returns false.
 * Reads only; bounded and safe on a region with any contents. A copy of a region needs no lock.
 * Cost O(spans + runs + bitmap words); O(pages + bitmap words) where words are damaged. */
void slm_slab_walk_locked(const struct slm_slab *slab,
                          bool (*visit)(void *data, const struct slm_slab_extent *extent),
                          void *data);

/* A part of the region, bytes. */
struct slm_slab_part {
    size_t offset;
    size_t n_bytes;
};
#define SLM_SLAB_METADATA_PARTS 2u /* see slm_slab_metadata_parts */

/* Which parts of the region a copy needs, so that a view of it can answer everything but what
 * objects contain. The pages are not among them, nor tables for pages that may be added later.
 * O(1). */
void slm_slab_metadata_parts(const struct slm_slab *slab,
                             struct slm_slab_part parts[SLM_SLAB_METADATA_PARTS]);

/* 0, or the number of a broken invariant (listed at the top of allocator/slab/check.c). Reads only;
 * bounded and safe on a region with any contents. Cost O(pages + bitmap words). */
unsigned slm_slab_check(struct slm_slab *slab);
unsigned slm_slab_check_locked(struct slm_slab *slab);

/* Rebuilds every list and counter from page words and bitmaps alone. Fails, changing nothing:
 * SLM_E_NULL, SLM_E_IMAGE (these contradict each other), SLM_E_STATE (see Growth). Cost O(pages +
 * bitmap words). */
enum slm_status slm_slab_rebuild_locked(struct slm_slab *slab);

#ifdef __cplusplus
}
#endif
#endif
