/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nginx's slab, in zones like those of ngx_shared_memory_add. Each adapter adds one way of use, so
 * that a fault in one does not hide others.
 */
#include <ngx_config.h>
#include <ngx_core.h>

#include <stdlib.h>
#include <string.h>

#include <slabmill/adapter.h>

#define N_SLOTS_MAX 16u

struct arena {
    ngx_slab_pool_t *slab;
    const struct slm_adapter_env *env;
    /* What nginx must count, by slot; beyond the last slot: larger requests. */
    ngx_slab_stat_t slots[N_SLOTS_MAX + 1];
};

static size_t n_slots(const struct arena *a)
{
    return ngx_pagesize_shift - a->slab->min_shift;
}

/* The slot of the size, or n_slots for sizes that take whole pages. */
static size_t slot_of(const struct arena *a, size_t size_bytes)
{
    size_t slot = 0;
    while (slot < n_slots(a) && (a->slab->min_size << slot) < size_bytes) {
        slot++;
    }
    return slot;
}

/* As nginx makes a zone: its memory is new and so holds zeros. */
static void *begin(const struct slm_adapter_env *env)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return NULL;
    }
    a->env = env;
    a->slab = env->region;
    a->slab->end = (u_char *)env->region + env->region_bytes;
    a->slab->min_shift = 3;
    a->slab->addr = env->region;
    if (ngx_shmtx_create(&a->slab->mutex, &a->slab->lock, NULL) != NGX_OK) {
        free(a);
        return NULL;
    }
    ngx_slab_init(a->slab);
    a->slab->log_nomem = 0;
    return a;
}

static void *create(const struct slm_adapter_env *env)
{
    memset(env->region, 0, env->region_bytes);
    return begin(env);
}

/* In memory that was used before: only the part that nginx does not set by itself is cleared. */
static void *create_in_used_memory(const struct slm_adapter_env *env)
{
    memset(env->region, 0, sizeof(ngx_slab_pool_t));
    return begin(env);
}

static void destroy(void *self)
{
    struct arena *a = self;
    ngx_shmtx_destroy(&a->slab->mutex);
    free(a);
}

static void *count(struct arena *a, size_t size_bytes, void *p)
{
    ngx_slab_stat_t *slot = &a->slots[slot_of(a, size_bytes)];
    slot->reqs++;
    slot->fails += p == NULL;
    slot->used += p != NULL;
    return p;
}

static void *allocate(void *self, size_t size_bytes)
{
    struct arena *a = self;
    return count(a, size_bytes, ngx_slab_alloc(a->slab, size_bytes));
}

static void *allocate_zeroed(void *self, size_t n, size_t size_bytes)
{
    struct arena *a = self;
    if (size_bytes != 0 && n > SIZE_MAX / size_bytes) {
        return NULL;
    }
    return count(a, n * size_bytes, ngx_slab_calloc(a->slab, n * size_bytes));
}

/* ngx_slab_free returns nothing. */
static enum slm_adapter_answer release(void *self, void *p, size_t size_bytes)
{
    struct arena *a = self;
    (void)size_bytes;
    ngx_slab_free(a->slab, p);
    return SLM_ADAPTER_OK;
}

static void freed(void *self, const struct slm_adapter_request *rq, void *p, size_t size_bytes)
{
    struct arena *a = self;
    (void)p;
    (void)size_bytes;
    a->slots[slot_of(a, rq->size_bytes)].used--;
}

static void statistics(void *self, struct slm_adapter_statistics *statistics)
{
    const struct arena *a = self;
    statistics->free_bytes = a->slab->pfree * ngx_pagesize;
}

/* --- What an empty zone holds --- */

/* A slot's page with small chunks has a bitmap in its first chunks. */
static size_t chunks_in_page(const struct arena *a, size_t slot)
{
    size_t chunk_bytes = a->slab->min_size << slot;
    size_t n = ngx_pagesize / chunk_bytes;
    size_t bitmap_bytes = n / 8;
    bool inside = n > 8 * sizeof(uintptr_t);
    return inside ? n - (bitmap_bytes + chunk_bytes - 1) / chunk_bytes : n;
}

static size_t n_fit(void *self, size_t size_bytes)
{
    const struct arena *a = self;
    size_t n_pages = (size_t)(a->slab->last - a->slab->pages);
    size_t slot = slot_of(a, size_bytes);
    if (slot < n_slots(a)) {
        return n_pages * chunks_in_page(a, slot);
    }
    return n_pages / (size_bytes / ngx_pagesize + (size_bytes % ngx_pagesize != 0));
}

/* --- Statistics --- */

/* The field "used" of nginx's documents: "The current number of used memory slots"; "reqs": "The
 * total number of attempts to allocate memory of specified size"; "fails": "The number of
 * unsuccessful attempts to allocate memory of specified size". */
static void check_slots(void *self, size_t n_live, size_t live_bytes)
{
    struct arena *a = self;
    (void)n_live;
    (void)live_bytes;
    for (size_t i = 0; i < n_slots(a); i++) {
        const ngx_slab_stat_t *got = &a->slab->stats[i];
        const ngx_slab_stat_t *want = &a->slots[i];
        if (got->used != want->used || got->reqs != want->reqs || got->fails != want->fails ||
            got->total < got->used) {
            a->env->fail(a->env,
                         "statistics: slot %zu: used %zd, reqs %zu, fails %zu, total %zu; should "
                         "be %zu, %zu, %zu, at least %zu",
                         i, (ssize_t)got->used, (size_t)got->reqs, (size_t)got->fails,
                         (size_t)got->total, (size_t)want->used, (size_t)want->reqs,
                         (size_t)want->fails, (size_t)want->used);
        }
    }
}

/* All requests, larger ones too, must be in some slot's count. */
static void check_requests(void *self, size_t n_live, size_t live_bytes)
{
    struct arena *a = self;
    size_t got = 0;
    size_t want = 0;
    check_slots(self, n_live, live_bytes);
    for (size_t i = 0; i <= n_slots(a); i++) {
        got += i < n_slots(a) ? a->slab->stats[i].reqs : 0;
        want += a->slots[i].reqs;
    }
    if (got != want) {
        a->env->fail(a->env, "statistics: %zu requests were counted of %zu", got, want);
    }
}

static const struct slm_adapter_checks no_checks = {.freed = freed};
static const struct slm_adapter_checks checks = {.freed = freed, .walk = check_slots};
static const struct slm_adapter_checks request_checks = {.freed = freed, .walk = check_requests};

/* --- The adapters --- */

/* nginx's modules refuse zones below 8 pages ("zone ... is too small"). */
#define ZONE_MIN_BYTES ((size_t)8 * 4096)

#define SLAB                                                                                       \
    .alloc = allocate, .free = release, .destroy = destroy, .alloc_zeroed = allocate_zeroed,       \
    .statistics = statistics, .align_bytes = 8, .zero = SLM_ADAPTER_ZERO_UNIQUE,                   \
    .memory = SLM_ADAPTER_REGION, .empty_serves = true, .freed_serves = true, .n_fit = n_fit

/* As its modules use it. */
SLM_ADAPTER(nginx_slab) = {SLAB, .create = create, .region_min_bytes = ZONE_MIN_BYTES,
                           .checks = &checks};

/* Free of pointers that are no live objects, which nginx reports in its log. The statistics, which
 * would be wrong first, are not checked. */
#define ANY_FREE  .bad_free_any = SLM_ADAPTER_BIT(SLM_ADAPTER_OK)
#define NULL_FREE .bad_free = {[SLM_ADAPTER_MISUSE_NULL] = SLM_ADAPTER_BIT(SLM_ADAPTER_OK)}

SLM_ADAPTER(nginx_slab_misuse) = {SLAB,
                                  ANY_FREE,
                                  NULL_FREE,
                                  .create = create,
                                  .region_min_bytes = ZONE_MIN_BYTES,
                                  .checks = &no_checks};

/* The same in memory that was used before, with its statistics. */
SLM_ADAPTER(nginx_slab_dirty) = {SLAB,
                                 ANY_FREE,
                                 NULL_FREE,
                                 .create = create_in_used_memory,
                                 .region_min_bytes = ZONE_MIN_BYTES,
                                 .checks = &checks};

/* Free of the zone's end alone, in zones whose page descriptors reach up to the first page: 254 of
 * the 65,529 lengths in pages from 32 KiB to 256 MiB. Takes the next such length. */
static size_t full_bytes(size_t wanted_bytes)
{
    size_t n_slots = 9;
    size_t page_bytes = sizeof(ngx_slab_page_t);
    size_t head_bytes = sizeof(ngx_slab_pool_t) + n_slots * (page_bytes + sizeof(ngx_slab_stat_t));
    size_t bytes = ngx_align(wanted_bytes, 4096);
    size_t end, start, n_pages;
    do {
        bytes += 4096;
        n_pages = (bytes - head_bytes) / (4096 + page_bytes);
        end = head_bytes + n_pages * page_bytes;
        start = ngx_align(end, 4096);
    } while (start - end >= page_bytes || n_pages != (bytes - start) / 4096);
    return bytes;
}

SLM_ADAPTER(nginx_slab_end) = {
    SLAB, .bad_free = {[SLM_ADAPTER_MISUSE_REGION_END] = SLM_ADAPTER_BIT(SLM_ADAPTER_OK)},
    .create = create, .region_bytes = full_bytes, .checks = &checks};

/* Zones that its modules refuse: from the size of the header to a page. Programs mostly want whole
 * pages, so a hash of the wanted size decides. */
static size_t tiny_bytes(size_t wanted_bytes)
{
    size_t header_bytes = sizeof(ngx_slab_pool_t);
    size_t hash = (uint32_t)wanted_bytes * 2654435761u >> 8;
    return header_bytes + hash % (4096 - header_bytes);
}

SLM_ADAPTER(nginx_slab_tiny) = {SLAB, .create = create, .region_bytes = tiny_bytes,
                                .checks = &checks};

/* Every request is expected in the statistics. */
SLM_ADAPTER(nginx_slab_requests) = {SLAB, .create = create, .region_min_bytes = ZONE_MIN_BYTES,
                                    .checks = &request_checks};
