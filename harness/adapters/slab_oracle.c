/* SPDX-License-Identifier: Apache-2.0 */
/* A model of a slab's pages, to compare with. */
#include "harness/adapters/slab_oracle.h"

#include <string.h>

#include "harness/base/array.h"
#include "harness/base/quiet.h"

HRN_BOOKS_BEGIN

void hrn_slab_shadow_begin(struct hrn_slab_shadow *shadow, struct slm_slab *slab,
                           const struct slm_adapter_env *env)
{
    struct slm_slab_stats stats;
    slm_slab_get_stats(slab, &stats);
    struct hrn_shadow_page *pages = shadow->pages;
    size_t cap = shadow->cap_pages;
    memset(shadow, 0, sizeof *shadow);
    shadow->pages = hrn_array_grow(pages, &cap, stats.n_pages, sizeof *pages);
    shadow->cap_pages = cap;
    memset(shadow->pages, 0, stats.n_pages * sizeof *pages);
    shadow->env = env;
    shadow->slab = slab;
    shadow->region = env->region;
    shadow->memory = shadow->region + stats.metadata_bytes;
    shadow->page_bytes = stats.page_bytes;
    shadow->n_pages = stats.n_pages;
    shadow->gap_bytes = env->slab_shape->gap_bytes;
    shadow->n_classes = stats.n_classes;
    for (unsigned i = 0; i < stats.n_classes; i++) {
        struct slm_slab_class_stats class;
        (void)slm_slab_get_class_stats(slab, i, &class);
        shadow->classes[i].chunk_bytes = class.chunk_bytes;
        shadow->classes[i].span_pages = class.span_pages;
    }
}

/* --- Requests --- */

static size_t needed_bytes(const struct hrn_slab_shadow *shadow,
                           const struct slm_adapter_request *rq)
{
    return (rq->size_bytes == 0 ? 1 : rq->size_bytes) + shadow->gap_bytes;
}

static size_t pages_of(const struct hrn_slab_shadow *shadow, size_t bytes)
{
    return bytes / shadow->page_bytes + (bytes % shadow->page_bytes != 0);
}

static bool class_aligns(const struct hrn_slab_shadow *shadow, unsigned class_idx, size_t align)
{
    return align <= 1 || shadow->classes[class_idx].chunk_bytes % align == 0;
}

/* The class that must serve the request: the smallest with room and alignment; -1: whole pages. */
static int class_of(const struct hrn_slab_shadow *shadow, const struct slm_adapter_request *rq)
{
    if (rq->size_bytes > SIZE_MAX / 2) {
        return -1;
    }
    size_t bytes = needed_bytes(shadow, rq);
    unsigned low = 0;
    unsigned high = shadow->n_classes;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (shadow->classes[middle].chunk_bytes < bytes) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    while (low < shadow->n_classes && !class_aligns(shadow, low, rq->align_bytes)) {
        low++;
    }
    return low < shadow->n_classes ? (int)low : -1;
}

static size_t longest_run(const struct hrn_slab_shadow *shadow, bool with_kept)
{
    size_t longest = 0;
    size_t length = 0;
    for (size_t i = 0; i < shadow->n_pages; i++) {
        const struct hrn_shadow_page *page = &shadow->pages[i];
        bool counts = page->kind == HRN_SHADOW_AVAILABLE && (with_kept || !page->kept);
        length = counts ? length + 1 : 0;
        longest = length > longest ? length : longest;
    }
    return longest;
}

static size_t longest_available(const struct hrn_slab_shadow *shadow)
{
    return longest_run(shadow, true);
}

/* --- Kept spans --- */

/* The class no longer keeps a span; its pages stay available. */
static void forget_kept(struct hrn_slab_shadow *shadow, struct hrn_shadow_class *class)
{
    for (size_t i = 0; i < class->n_kept_pages; i++) {
        shadow->pages[class->kept + i].kept = false;
    }
    shadow->n_kept_pages -= class->n_kept_pages;
    class->n_kept_pages = 0;
}

static void forget_all_kept(struct hrn_slab_shadow *shadow)
{
    for (unsigned i = 0; shadow->n_kept_pages > 0 && i < shadow->n_classes; i++) {
        forget_kept(shadow, &shadow->classes[i]);
    }
}

/* Keeps a span that became empty; its pages are already available. */
static void keep_span(struct hrn_slab_shadow *shadow, unsigned class_idx, size_t first,
                      size_t n_pages)
{
    struct hrn_shadow_class *class = &shadow->classes[class_idx];
    if (class->n_kept_pages > 0) {
        return;
    }
    for (size_t i = first; i < first + n_pages; i++) {
        shadow->pages[i] = (struct hrn_shadow_page){.kind = HRN_SHADOW_AVAILABLE,
                                                    .class_idx = (uint8_t)class_idx,
                                                    .kept = true,
                                                    .first = (uint32_t)first};
    }
    shadow->pages[first].n_pages = (uint32_t)n_pages;
    class->kept = first;
    class->n_kept_pages = n_pages;
    shadow->n_kept_pages += n_pages;
}

static size_t chunks_in(const struct hrn_slab_shadow *shadow, const struct hrn_shadow_class *class,
                        size_t n_pages)
{
    return n_pages * shadow->page_bytes / class->chunk_bytes;
}

/* Pages of kept spans were taken: checks that there was a reason. */
static void give_kept_up(struct hrn_slab_shadow *shadow, size_t n_pages)
{
    if (longest_run(shadow, false) >= n_pages) {
        shadow->env->fail(
            shadow->env,
            "placement: kept spans were given up for %zu pages, though that many are free",
            n_pages);
    }
    forget_all_kept(shadow);
}

/* Why the class itself could have served a request; NULL: it could not. */
static const char *own_chunk(const struct hrn_slab_shadow *shadow, unsigned class_idx)
{
    const struct hrn_shadow_class *class = &shadow->classes[class_idx];
    if (class->n_free > 0) {
        return "its class has a free chunk";
    }
    bool room = longest_available(shadow) >= pages_of(shadow, class->chunk_bytes);
    return room ? "there are pages for a chunk of its class" : NULL;
}

/* The alignment that a borrowed chunk must have: the one asked for and the one promised for the
 * size. */
static size_t borrowed_align(const struct hrn_slab_shadow *shadow,
                             const struct slm_adapter_request *rq)
{
    size_t bytes = needed_bytes(shadow, rq);
    size_t by_size = bytes & (0 - bytes);
    by_size = by_size < 16 ? by_size : 16;
    return rq->align_bytes > by_size ? rq->align_bytes : by_size;
}

static bool may_borrow(const struct hrn_slab_shadow *shadow, const struct slm_adapter_request *rq,
                       unsigned class_idx, unsigned from)
{
    const struct hrn_shadow_class *classes = shadow->classes;
    return from > class_idx && classes[from].chunk_bytes < 2 * classes[class_idx].chunk_bytes &&
           class_aligns(shadow, from, borrowed_align(shadow, rq));
}

static const char *borrowed_chunk(const struct hrn_slab_shadow *shadow,
                                  const struct slm_adapter_request *rq, unsigned class_idx)
{
    for (unsigned i = class_idx + 1; i < shadow->n_classes; i++) {
        if (shadow->classes[i].n_free > 0 && may_borrow(shadow, rq, class_idx, i)) {
            return "a class below twice its size has a free chunk";
        }
    }
    return NULL;
}

static bool align_is_served(const struct slm_adapter_request *rq)
{
    size_t align = rq->align_bytes;
    return rq->call != SLM_ADAPTER_CALL_ALLOC_ALIGNED ||
           (align != 0 && (align & (align - 1)) == 0 && align <= SLM_SLAB_ALIGN_MAX);
}

const char *hrn_slab_shadow_refused(struct hrn_slab_shadow *shadow,
                                    const struct slm_adapter_request *rq)
{
    if (!align_is_served(rq)) {
        return NULL;
    }
    int class_idx = class_of(shadow, rq);
    if (class_idx < 0) {
        shadow->run_requests++;
        shadow->run_failures++;
        bool possible = rq->size_bytes <= shadow->n_pages * shadow->page_bytes &&
                        pages_of(shadow, needed_bytes(shadow, rq)) <= shadow->n_pages;
        bool room =
            possible && longest_available(shadow) >= pages_of(shadow, needed_bytes(shadow, rq));
        if (possible) {
            forget_all_kept(shadow);
        }
        return room ? "there is a long enough run of pages" : NULL;
    }
    unsigned idx = (unsigned)class_idx;
    shadow->classes[idx].n_requests++;
    shadow->classes[idx].n_failures++;
    forget_all_kept(shadow);
    const char *why = own_chunk(shadow, idx);
    return why != NULL ? why : borrowed_chunk(shadow, rq, idx);
}

/* --- Grants --- */

static size_t page_of(const struct hrn_slab_shadow *shadow, const void *p)
{
    return (size_t)((const unsigned char *)p - shadow->memory) / shadow->page_bytes;
}

static bool is_free(const struct hrn_slab_shadow *shadow, size_t page)
{
    return shadow->pages[page].kind == HRN_SHADOW_AVAILABLE && !shadow->pages[page].kept;
}

/* Checks that no free run is a better fit for n_pages than the one around
 * `first`. */
static void check_best_fit(const struct hrn_slab_shadow *shadow, size_t first, size_t n_pages)
{
    size_t taken = 0;
    size_t best = SIZE_MAX;
    for (size_t start = 0; start < shadow->n_pages;) {
        size_t end = start;
        while (end < shadow->n_pages && is_free(shadow, end)) {
            end++;
        }
        size_t length = end - start;
        taken = start <= first && first < end ? length : taken;
        best = length >= n_pages && length < best ? length : best;
        start = end + 1;
    }
    if (taken != best) {
        shadow->env->fail(
            shadow->env,
            "placement: %zu pages were cut from a free run of %zu, though one of %zu is free",
            n_pages, taken, best);
    }
}

/* Takes available pages for a new span or run. was_kept: the class's own empty span. */
static struct hrn_shadow_page *take_pages(struct hrn_slab_shadow *shadow, enum hrn_shadow_kind kind,
                                          size_t first, size_t n_pages, bool was_kept)
{
    if (n_pages > shadow->n_pages || first > shadow->n_pages - n_pages) {
        shadow->env->fail(shadow->env, "placement: pages %zu to %zu of %zu", first,
                          first + n_pages - 1, shadow->n_pages);
    }
    bool any_kept = false;
    for (size_t i = first; i < first + n_pages; i++) {
        if (shadow->pages[i].kind != HRN_SHADOW_AVAILABLE) {
            shadow->env->fail(shadow->env, "placement: page %zu of a new object's %zu is in use", i,
                              n_pages);
        }
        any_kept |= shadow->pages[i].kept;
    }
    if (any_kept) {
        give_kept_up(shadow, n_pages);
    }
    if (!was_kept) {
        check_best_fit(shadow, first, n_pages);
    }
    for (size_t i = first; i < first + n_pages; i++) {
        shadow->pages[i] =
            (struct hrn_shadow_page){.kind = (uint8_t)kind, .first = (uint32_t)first};
    }
    shadow->pages[first].n_pages = (uint32_t)n_pages;
    shadow->n_busy_pages += n_pages;
    if (shadow->n_busy_pages > shadow->n_busy_peak) {
        shadow->n_busy_peak = shadow->n_busy_pages;
    }
    return &shadow->pages[first];
}

static void give_pages(struct hrn_slab_shadow *shadow, struct hrn_shadow_page *head)
{
    size_t n_pages = head->n_pages;
    memset(head, 0, n_pages * sizeof *head); /* HRN_SHADOW_AVAILABLE */
    shadow->n_busy_pages -= n_pages;
}

static void grant_run(struct hrn_slab_shadow *shadow, const struct slm_adapter_request *rq, void *p,
                      const struct slm_slab_place *place)
{
    size_t n_pages = pages_of(shadow, needed_bytes(shadow, rq));
    if (place->kind != SLM_SLAB_RUN || place->object != p || place->span != p ||
        place->span_pages != n_pages || place->object_bytes != n_pages * shadow->page_bytes) {
        shadow->env->fail(shadow->env,
                          "placement: %zu bytes need a run of %zu pages, and have %zu of kind %d",
                          rq->size_bytes, n_pages, place->span_pages, (int)place->kind);
    }
    (void)take_pages(shadow, HRN_SHADOW_RUN, page_of(shadow, p), n_pages, false);
    shadow->run_requests++;
    shadow->n_runs++;
    shadow->n_run_pages += n_pages;
}

/* The span that contains p, as the slab reports it; adds it to the model if it is new. */
static struct hrn_shadow_page *need_span(struct hrn_slab_shadow *shadow,
                                         const struct slm_slab_place *place)
{
    size_t first = page_of(shadow, place->span);
    struct hrn_shadow_class *class = &shadow->classes[place->class_idx];
    if (first < shadow->n_pages && shadow->pages[first].kind == HRN_SHADOW_SPAN) {
        return &shadow->pages[first];
    }
    bool was_kept = class->n_kept_pages > 0;
    if (was_kept && (first != class->kept || place->span_pages != class->n_kept_pages)) {
        shadow->env->fail(shadow->env,
                          "placement: class %u keeps a span at page %zu, and uses one at page %zu",
                          place->class_idx, class->kept, first);
    }
    forget_kept(shadow, class);
    if (place->span_pages != class->span_pages &&
        place->span_pages != pages_of(shadow, class->chunk_bytes)) {
        shadow->env->fail(shadow->env, "placement: a span of %zu pages in a class that prefers %zu",
                          place->span_pages, class->span_pages);
    }
    struct hrn_shadow_page *head =
        take_pages(shadow, HRN_SHADOW_SPAN, first, place->span_pages, was_kept);
    head->class_idx = (uint8_t)place->class_idx;
    class->n_spans++;
    class->n_free += chunks_in(shadow, class, place->span_pages);
    return head;
}

static void check_class(struct hrn_slab_shadow *shadow, const struct slm_adapter_request *rq,
                        unsigned class_idx, unsigned used_idx)
{
    if (used_idx == class_idx) {
        return;
    }
    const char *why = own_chunk(shadow, class_idx);
    if (!may_borrow(shadow, rq, class_idx, used_idx) || why != NULL) {
        shadow->env->fail(shadow->env, "placement: class %u serves %zu bytes of class %u: %s",
                          used_idx, rq->size_bytes, class_idx,
                          why != NULL ? why : "it is too large");
    }
    forget_all_kept(shadow);
}

static void grant_chunk(struct hrn_slab_shadow *shadow, const struct slm_adapter_request *rq,
                        void *p, const struct slm_slab_place *place, unsigned class_idx)
{
    if (place->kind != SLM_SLAB_CHUNK_USED || place->object != p ||
        place->class_idx >= shadow->n_classes) {
        shadow->env->fail(shadow->env, "placement: %p is not the start of a chunk in use: kind %d",
                          p, (int)place->kind);
    }
    check_class(shadow, rq, class_idx, place->class_idx);
    struct hrn_shadow_page *span = need_span(shadow, place);
    struct hrn_shadow_class *class = &shadow->classes[place->class_idx];
    size_t offset = (size_t)((unsigned char *)p - (unsigned char *)place->span);
    if (span->class_idx != place->class_idx || span->n_pages != place->span_pages ||
        offset % class->chunk_bytes != 0 || place->object_bytes != class->chunk_bytes ||
        offset + class->chunk_bytes > place->span_pages * shadow->page_bytes) {
        shadow->env->fail(shadow->env, "placement: %p at %zu of a span of %zu pages, class %u", p,
                          offset, place->span_pages, place->class_idx);
    }
    if (class->n_free == 0) {
        shadow->env->fail(shadow->env, "placement: class %u had no free chunk", place->class_idx);
    }
    span->n_used++;
    class->n_used++;
    class->n_free--;
    shadow->classes[class_idx].n_requests++;
}

void hrn_slab_shadow_granted(struct hrn_slab_shadow *shadow, const struct slm_adapter_request *rq,
                             void *p)
{
    struct slm_slab_place place;
    slm_slab_locate(shadow->slab, p, &place);
    int class_idx = class_of(shadow, rq);
    if ((unsigned char *)p < shadow->memory) {
        shadow->env->fail(shadow->env, "placement: %p is in the slab's metadata", p);
    }
    if (class_idx < 0) {
        grant_run(shadow, rq, p, &place);
    } else {
        grant_chunk(shadow, rq, p, &place, (unsigned)class_idx);
    }
}

void hrn_slab_shadow_freed(struct hrn_slab_shadow *shadow, void *p)
{
    struct hrn_shadow_page *head = &shadow->pages[shadow->pages[page_of(shadow, p)].first];
    if (head->kind == HRN_SHADOW_RUN) {
        shadow->n_runs--;
        shadow->n_run_pages -= head->n_pages;
        give_pages(shadow, head);
        return;
    }
    struct hrn_shadow_class *class = &shadow->classes[head->class_idx];
    class->n_used--;
    class->n_free++;
    if (--head->n_used == 0) {
        unsigned class_idx = head->class_idx;
        size_t n_pages = head->n_pages;
        class->n_spans--;
        class->n_free -= chunks_in(shadow, class, n_pages);
        give_pages(shadow, head);
        keep_span(shadow, class_idx, (size_t)(head - shadow->pages), n_pages);
    }
}

/* --- Misuse --- */

uint32_t hrn_slab_shadow_bad_free(struct hrn_slab_shadow *shadow, const void *p)
{
    uintptr_t in_region = (uintptr_t)p - (uintptr_t)shadow->region;
    uintptr_t offset = (uintptr_t)p - (uintptr_t)shadow->memory;
    if (p == NULL) {
        return SLM_ADAPTER_BIT(SLM_ADAPTER_OK);
    }
    if (in_region < (uintptr_t)(shadow->memory - shadow->region)) {
        return SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_METADATA);
    }
    if (offset >= shadow->n_pages * shadow->page_bytes) {
        return SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_FOREIGN);
    }
    const struct hrn_shadow_page *page = &shadow->pages[offset / shadow->page_bytes];
    if (page->kind == HRN_SHADOW_AVAILABLE && !page->kept) {
        return SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_UNUSED);
    }
    const struct hrn_shadow_page *head = &shadow->pages[page->first];
    if (head->kind == HRN_SHADOW_RUN) {
        return SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_INTERIOR);
    }
    size_t in_span = offset - page->first * shadow->page_bytes;
    size_t chunk = shadow->classes[head->class_idx].chunk_bytes;
    bool whole = in_span - in_span % chunk + chunk <= head->n_pages * shadow->page_bytes;
    return SLM_ADAPTER_BIT(whole && in_span % chunk == 0 ? SLM_ADAPTER_BAD_FREED
                                                         : SLM_ADAPTER_BAD_INTERIOR);
}

/* --- The whole walk --- */

static void compare(const struct hrn_slab_shadow *shadow, const char *what, uint64_t seen,
                    uint64_t want)
{
    if (seen != want) {
        shadow->env->fail(shadow->env, "statistics: %s is %llu, should be %llu", what,
                          (unsigned long long)seen, (unsigned long long)want);
    }
}

static void walk_class(const struct hrn_slab_shadow *shadow, unsigned class_idx)
{
    const struct hrn_shadow_class *want = &shadow->classes[class_idx];
    struct slm_slab_class_stats seen;
    (void)slm_slab_get_class_stats(shadow->slab, class_idx, &seen);
    compare(shadow, "n_used of a class", seen.n_used, want->n_used);
    compare(shadow, "n_requests of a class", seen.n_requests, want->n_requests);
    compare(shadow, "n_failures of a class", seen.n_failures, want->n_failures);
    compare(shadow, "n_spans of a class", seen.n_spans, want->n_spans + (want->n_kept_pages > 0));
    compare(shadow, "n_chunks of a class", seen.n_chunks,
            want->n_used + want->n_free + chunks_in(shadow, want, want->n_kept_pages));
}

static void walk_pages(const struct hrn_slab_shadow *shadow, const struct slm_slab_stats *seen)
{
    compare(shadow, "n_pages", seen->n_pages, shadow->n_pages);
    compare(shadow, "n_kept_pages", seen->n_kept_pages, shadow->n_kept_pages);
    compare(shadow, "n_free_pages", seen->n_free_pages,
            shadow->n_pages - shadow->n_busy_pages - shadow->n_kept_pages);
    compare(shadow, "peak_used_pages", seen->peak_used_pages, shadow->n_busy_peak);
    compare(shadow, "longest_free_run_pages", seen->longest_free_run_pages,
            longest_run(shadow, false));
}

void hrn_slab_shadow_walk(struct hrn_slab_shadow *shadow, size_t n_live)
{
    unsigned broken = slm_slab_check(shadow->slab);
    if (broken != 0) {
        shadow->env->fail(shadow->env, "self_check: slm_slab_check returns %u", broken);
    }
    struct slm_slab_stats seen;
    slm_slab_get_stats(shadow->slab, &seen);
    walk_pages(shadow, &seen);
    compare(shadow, "n_runs", seen.n_runs, shadow->n_runs);
    compare(shadow, "n_run_pages", seen.n_run_pages, shadow->n_run_pages);
    compare(shadow, "run_requests", seen.run_requests, shadow->run_requests);
    compare(shadow, "run_failures", seen.run_failures, shadow->run_failures);
    size_t n_used = shadow->n_runs;
    for (unsigned i = 0; i < shadow->n_classes; i++) {
        walk_class(shadow, i);
        n_used += shadow->classes[i].n_used;
    }
    compare(shadow, "the harness's count of objects", n_used, n_live);
}

void hrn_slab_shadow_trimmed(struct hrn_slab_shadow *shadow, size_t n_pages)
{
    compare(shadow, "pages that trim reports", n_pages, shadow->n_kept_pages);
    forget_all_kept(shadow);
}

void hrn_slab_shadow_grown(struct hrn_slab_shadow *shadow, size_t n_pages)
{
    shadow->pages =
        hrn_array_grow(shadow->pages, &shadow->cap_pages, n_pages, sizeof *shadow->pages);
    memset(shadow->pages + shadow->n_pages, 0, (n_pages - shadow->n_pages) * sizeof *shadow->pages);
    shadow->n_pages = n_pages;
}

static void forget_objects(struct hrn_slab_shadow *shadow)
{
    memset(shadow->pages, 0, shadow->n_pages * sizeof *shadow->pages);
    shadow->n_busy_pages = 0;
    shadow->n_kept_pages = 0;
    shadow->n_runs = 0;
    shadow->n_run_pages = 0;
    for (unsigned i = 0; i < shadow->n_classes; i++) {
        shadow->classes[i].n_used = 0;
        shadow->classes[i].n_free = 0;
        shadow->classes[i].n_spans = 0;
        shadow->classes[i].n_kept_pages = 0;
    }
}

void hrn_slab_shadow_emptied(struct hrn_slab_shadow *shadow, bool by_reset)
{
    if (by_reset) {
        forget_objects(shadow);
    }
    struct slm_slab_stats seen;
    slm_slab_get_stats(shadow->slab, &seen);
    if (seen.n_free_pages != shadow->n_pages || seen.longest_free_run_pages != shadow->n_pages ||
        seen.n_kept_pages != 0 || seen.n_runs != 0) {
        shadow->env->fail(shadow->env,
                          "pristine: %zu of %zu pages free, longest run %zu, kept %zu, runs %zu",
                          seen.n_free_pages, shadow->n_pages, seen.longest_free_run_pages,
                          seen.n_kept_pages, seen.n_runs);
    }
    hrn_slab_shadow_walk(shadow, 0);
}

HRN_BOOKS_END
