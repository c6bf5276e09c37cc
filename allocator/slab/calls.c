/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: allocation, release and checks as users call them: the fast paths, the lock, reports. */
#include <slabmill/slab.h>

#include <string.h>

#include "allocator/lock/fast.h"
#include "allocator/slab/chunk.h"
#include "allocator/slab/page_list.h"
#include "allocator/slab/view.h"

/* Reports a refusal to the hook, never under the lock: the hook may be slow. */
static SLM_NOINLINE void report(const struct slm_slab *slab, enum slm_status status,
                                const char *call, size_t size_bytes, const void *pointer)
{
    bool muted = status == SLM_E_NOMEM && slab->view.quiet_nomem;
    if (slab->view.report != NULL && !muted) {
        struct slm_slab_event event = {status, slab->name, call, size_bytes, pointer};
        slab->view.report(slab->view.report_data, &event);
    }
}

/* Whether there is a view, it knows all pages, and it is not read-only. */
SLAB_INLINE bool is_writable(const struct slm_slab *slab)
{
    return SLM_LIKELY(slab != NULL) &&
           SLM_LIKELY((uint32_t)slab->header->n_pages == slab->n_writable_pages);
}

/* How the class of a size is cut; NULL: another case, as is size 0. */
SLAB_INLINE const struct slab_cut *find_cut(const struct slm_slab *slab, size_t size_bytes)
{
    size_t gap_bytes = slab->shape.gap_bytes;
    if (SLM_LIKELY(size_bytes - 1 < slab->low_bytes)) {
        return &slab->cuts[slab->low_classes[(size_bytes + slab->low_extra) / SLAB_LOW_STEP]];
    }
    return size_bytes - 1 < slab->largest_chunk_bytes - gap_bytes
               ? &slab->cuts[slab_high_class(slab, size_bytes + gap_bytes)]
               : NULL;
}

/* A chunk from the first span of the class, where the span's hint says one is free. takes_kept: also
 * if the span is empty and the class keeps it. NULL, and nothing has changed: it is another case. */
SLAB_INLINE void *take_near(struct slm_slab *slab, const struct slab_cut *cut, bool takes_kept)
{
    size_t span = cut->stored->partial;
    if (SLM_UNLIKELY(span >= slab->n_writable_pages)) {
        return NULL;
    }
    if (SLM_UNLIKELY(cut->stored->kept == span) && !takes_kept) {
        return NULL;
    }
    const struct slab_page *page = &slab->pages[span];
    if (SLM_ASSERT_ON && (&slab->cuts[slab_word_class(page->word)] != cut || page->n_free == 0)) {
        return NULL;
    }
    size_t hint = SLM_CHECKS < 2 ? page->hint : slm_slab_chunk_search(slab, (uint32_t)span);
    slm_word *word = slab_span_bits(slab, span) + hint / SLM_WORD_BITS;
    uint64_t bits = *word;
    if (SLM_UNLIKELY(bits == UINT64_MAX)) {
        return NULL;
    }
    size_t chunk = hint;
    if (SLM_CHECKS < 2) {
        chunk = hint / SLM_WORD_BITS * SLM_WORD_BITS + slm_bit_lowest(~bits);
    }
    slab_step();
    if (takes_kept) {
        slab_span_use(slab, cut->stored, span);
    }
    cut->stored->n_requests++;
    return slab_chunk_take(slab, cut, span, chunk, word, bits);
}

/* An object of a class with a free chunk near; NULL, and nothing has changed: another case. */
SLAB_INLINE void *take_shown(struct slm_slab *slab, const struct slab_cut *cut, size_t size_bytes,
                             bool takes_kept)
{
    void *p = take_near(slab, cut, takes_kept);
    if (SLM_UNLIKELY(p == NULL)) {
        return NULL;
    }
    if (slab_is_poisoned(slab)) {
        slm_slab_poison_show(slab, p, size_bytes);
    }
    SLM_CHECK_ALL(slm_slab_check_locked(slab));
    return p;
}

static SLM_NOINLINE void *alloc_other(struct slm_slab *slab, size_t size_bytes,
                                      const struct slab_cut *cut)
{
    void *p = take_shown(slab, cut, size_bytes, true);
    return p != NULL ? p : slm_slab_object_alloc(slab, size_bytes, 1);
}

void *slm_slab_alloc_locked(struct slm_slab *slab, size_t size_bytes)
{
    const struct slab_cut *cut = is_writable(slab) ? find_cut(slab, size_bytes) : NULL;
    if (SLM_UNLIKELY(cut == NULL)) {
        return slm_slab_object_alloc(slab, size_bytes, 1);
    }
    void *p = take_shown(slab, cut, size_bytes, false);
    return SLM_LIKELY(p != NULL) ? p : alloc_other(slab, size_bytes, cut);
}

/* What a pointer is to a release. */
enum release {
    OTHER,       /* for the general function, which judges it */
    ONE_OF_MANY, /* a used chunk of its span */
    A_RUN,
    THE_LAST, /* or a pointer that is no object, in a span with one used chunk */
};

/* A used chunk, and what its bitmap's word is without it. */
struct used_chunk {
    size_t span;
    uint64_t chunk;
    const struct slab_cut *cut;
    slm_word *word;
    uint64_t bits_without;
};

/* What is at the offset in the span at->span. takes_last: if one chunk is used, it is judged here. */
SLAB_INLINE enum release find_in_span(const struct slm_slab *slab, size_t offset,
                                      struct used_chunk *at, bool takes_last)
{
    const struct slab_page *page = &slab->pages[at->span];
    const struct slab_cut *cut = &slab->cuts[slab_word_class(page->word)];
    uint64_t span_bytes = slab_word_pages(page->word) * slab->page_bytes;
    uint64_t n_chunks = span_bytes * cut->inverse >> SLAB_INVERSE_SHIFT;
    if (SLM_UNLIKELY(page->n_free + 1u == n_chunks) && !takes_last) {
        return THE_LAST;
    }
    uint64_t chunk = offset * cut->inverse >> SLAB_INVERSE_SHIFT;
    if (SLM_UNLIKELY(chunk >= n_chunks) || SLM_UNLIKELY(chunk * cut->chunk_bytes != offset)) {
        return OTHER;
    }
    slab_step();
    at->chunk = chunk;
    at->cut = cut;
    at->word = slab_span_bits(slab, at->span) + chunk / SLM_WORD_BITS;
    uint64_t bits = *at->word;
    at->bits_without = bits & ~(UINT64_C(1) << chunk % SLM_WORD_BITS);
    return SLM_LIKELY(at->bits_without != bits) ? ONE_OF_MANY : OTHER;
}

SLAB_INLINE enum release find_chunk(const struct slm_slab *slab, const void *p,
                                    struct used_chunk *at, bool takes_last)
{
    if (!is_writable(slab)) {
        return OTHER;
    }
    /* An address below page 0, as NULL is, wraps to an offset after every page. */
    size_t offset = (size_t)((uintptr_t)p - (uintptr_t)slab->memory);
    size_t idx = offset >> slab->shape.page_shift;
    if (SLM_UNLIKELY(idx >= slab->n_writable_pages)) {
        return OTHER;
    }
    uint64_t word = slab->pages[idx].word;
    at->span = idx;
    offset &= slab->page_mask;
    if (SLM_UNLIKELY(slab_word_kind(word) != SLAB_SPAN)) {
        if (slab_word_kind(word) != SLAB_BODY) {
            return slab_word_kind(word) == SLAB_RUN && offset == 0 ? A_RUN : OTHER;
        }
        at->span -= slab_word_pages(word);
        offset += slab_word_pages(word) * slab->page_bytes;
    }
    return find_in_span(slab, offset, at, takes_last);
}

/* Takes back a used chunk of a span that stays where it is, or comes back onto its list. */
SLAB_INLINE void give_chunk(struct slm_slab *slab, void *p, const struct used_chunk *at)
{
    slab_step();
    struct slab_page *page = &slab->pages[at->span];
    if (slab_is_poisoned(slab)) {
        slm_slab_poison_hide(slab, p, at->cut->chunk_bytes);
    }
    at->cut->stored->n_used--;
    if (SLM_CHECKS < 2) {
        page->hint = (uint16_t)at->chunk;
    }
    page->n_free++;
    slab_step();
    if (page->n_free == 1) {
        slab_page_list_push(slab, &at->cut->stored->partial, (uint32_t)at->span);
    }
    slab_commit(at->word, at->bits_without);
    slab_fill_freed(slab, p, at->cut->chunk_bytes);
}

/* Frees the last used chunk of a span, if that can be kept where it is on its list. */
static SLM_NOINLINE enum slm_status free_last(struct slm_slab *slab, void *p)
{
    struct used_chunk at;
    if (find_chunk(slab, p, &at, true) != ONE_OF_MANY) {
        return slm_slab_object_free(slab, p);
    }
    struct slab_class *class = at.cut->stored;
    bool can_stay = class->kept == SLAB_NIL && slab_page_list_is(slab, class->partial, at.span);
    if (!can_stay) {
        return slm_slab_object_free(slab, p);
    }
    give_chunk(slab, p, &at);
    slab_keep_span(slab, (uint32_t)at.span);
    SLM_CHECK_ALL(slm_slab_check_locked(slab));
    return SLM_OK;
}

/* Frees p, which find_chunk found to be anything but one of many. */
SLAB_INLINE enum slm_status free_found(struct slm_slab *slab, void *p, enum release what)
{
    if (what == A_RUN) {
        return slm_slab_run_free(slab, p);
    }
    return what == THE_LAST ? free_last(slab, p) : slm_slab_object_free(slab, p);
}

enum slm_status slm_slab_free_locked(struct slm_slab *slab, void *p)
{
    struct used_chunk at;
    enum release what = find_chunk(slab, p, &at, false);
    if (SLM_UNLIKELY(what != ONE_OF_MANY)) {
        return free_found(slab, p, what);
    }
    give_chunk(slab, p, &at);
    SLM_CHECK_ALL(slm_slab_check_locked(slab));
    return SLM_OK;
}

/* --- With the lock --- */

/* False: the view has no shared_lock, or it must be taken by slab_lock. */
static inline bool lock_fast(const struct slm_slab *slab)
{
    return SLM_LIKELY(slab->view.shared_lock != NULL) && slm_lock_take_fast(slab->view.shared_lock);
}

static inline void unlock_fast(struct slm_slab *slab)
{
    if (slab->view.shared_lock == NULL || !slm_lock_give_fast(slab->view.shared_lock)) {
        slab_unlock(slab);
    }
}

/* Releases the lock, and reports a refusal. p: what was allocated, or NULL. */
static void *finish_alloc(struct slm_slab *slab, void *p, size_t size_bytes, const char *call)
{
    enum slm_status status = p != NULL ? SLM_OK : slab_change_status(slab);
    unlock_fast(slab);
    if (SLM_UNLIKELY(p == NULL)) {
        report(slab, status == SLM_OK ? SLM_E_NOMEM : status, call, size_bytes, NULL);
    }
    return p;
}

/* `call` says which call it is. */
static SLM_NOINLINE void *alloc_reporting(struct slm_slab *slab, size_t size_bytes,
                                          size_t align_bytes, const char *call)
{
    if (SLM_UNLIKELY(slab == NULL)) {
        return NULL;
    }
    enum slm_status status = slab_lock(slab);
    if (SLM_UNLIKELY(status != SLM_OK)) {
        report(slab, status, call, size_bytes, NULL);
        return NULL;
    }
    void *p = align_bytes == 1 ? slm_slab_alloc_locked(slab, size_bytes)
                               : slm_slab_object_alloc(slab, size_bytes, align_bytes);
    return finish_alloc(slab, p, size_bytes, call);
}

/* The rest of slm_slab_alloc, with the lock held. p NULL: another case, of that cut or of none. */
static SLM_NOINLINE void *alloc_held(struct slm_slab *slab, size_t size_bytes,
                                     const struct slab_cut *cut, void *p)
{
    if (p == NULL) {
        p = cut != NULL ? alloc_other(slab, size_bytes, cut)
                        : slm_slab_object_alloc(slab, size_bytes, 1);
    }
    return finish_alloc(slab, p, size_bytes, "alloc");
}

void *slm_slab_alloc(struct slm_slab *slab, size_t size_bytes)
{
    if (SLM_UNLIKELY(slab == NULL) || !lock_fast(slab)) {
        return alloc_reporting(slab, size_bytes, 1, "alloc");
    }
    const struct slab_cut *cut = is_writable(slab) ? find_cut(slab, size_bytes) : NULL;
    void *p = SLM_LIKELY(cut != NULL) ? take_shown(slab, cut, size_bytes, false) : NULL;
    return SLM_LIKELY(p != NULL) && slm_lock_give_fast(slab->view.shared_lock)
               ? p
               : alloc_held(slab, size_bytes, cut, p);
}

void *slm_slab_calloc_locked(struct slm_slab *slab, size_t size_bytes)
{
    void *p = slm_slab_alloc_locked(slab, size_bytes);
    return p == NULL ? NULL : memset(p, 0, size_bytes);
}

void *slm_slab_calloc(struct slm_slab *slab, size_t size_bytes)
{
    void *p = alloc_reporting(slab, size_bytes, 1, "calloc");
    return p == NULL ? NULL : memset(p, 0, size_bytes);
}

static bool align_is_served(size_t align_bytes)
{
    return slm_is_pow2(align_bytes) && align_bytes <= SLM_SLAB_ALIGN_MAX;
}

void *slm_slab_memalign_locked(struct slm_slab *slab, size_t align_bytes, size_t size_bytes)
{
    return align_is_served(align_bytes) ? slm_slab_object_alloc(slab, size_bytes, align_bytes)
                                        : NULL;
}

void *slm_slab_memalign(struct slm_slab *slab, size_t align_bytes, size_t size_bytes)
{
    if (slab != NULL && !align_is_served(align_bytes)) {
        report(slab, SLM_E_ALIGN, "memalign", size_bytes, NULL);
        return NULL;
    }
    return alloc_reporting(slab, size_bytes, align_bytes, "memalign");
}

/* Releases the lock, and reports a refusal. what: ONE_OF_MANY is free already. */
static SLM_NOINLINE enum slm_status free_held(struct slm_slab *slab, void *p, enum release what)
{
    enum slm_status status = what == ONE_OF_MANY ? SLM_OK : free_found(slab, p, what);
    unlock_fast(slab);
    if (SLM_UNLIKELY(status != SLM_OK)) {
        report(slab, status, "free", 0, p);
    }
    return status;
}

static SLM_NOINLINE enum slm_status free_reporting(struct slm_slab *slab, void *p)
{
    enum slm_status status = slab_lock(slab);
    if (SLM_UNLIKELY(status != SLM_OK)) {
        report(slab, status, "free", 0, p);
        return status;
    }
    status = slm_slab_free_locked(slab, p);
    unlock_fast(slab);
    if (SLM_UNLIKELY(status != SLM_OK)) {
        report(slab, status, "free", 0, p);
    }
    return status;
}

enum slm_status slm_slab_free(struct slm_slab *slab, void *p)
{
    struct used_chunk at;
    if (SLM_UNLIKELY(slab == NULL || p == NULL)) {
        return slab == NULL ? SLM_E_NULL : SLM_OK;
    }
    if (!lock_fast(slab)) {
        return free_reporting(slab, p);
    }
    enum release what = find_chunk(slab, p, &at, false);
    if (SLM_UNLIKELY(what != ONE_OF_MANY)) {
        return free_held(slab, p, what);
    }
    give_chunk(slab, p, &at);
    SLM_CHECK_ALL(slm_slab_check_locked(slab));
    return slm_lock_give_fast(slab->view.shared_lock) ? SLM_OK : free_held(slab, p, what);
}

unsigned slm_slab_check(struct slm_slab *slab)
{
    if (slab == NULL) {
        return 0;
    }
    if (slab_lock(slab) != SLM_OK) {
        return 1;
    }
    unsigned broken = slm_slab_check_locked(slab);
    slab_unlock(slab);
    return broken;
}
