/* SPDX-License-Identifier: Apache-2.0 */
/* First fit over granules, with bugs to choose from. */
#include "harness/broken/ref.h"

#include <string.h>

void hrn_ref_init(struct ref *r, const struct slm_adapter_env *env, enum hrn_bug bug)
{
    bool stale = bug == HRN_BUG_create_stale && r->bug == bug;
    r->bug = bug;
    r->base = env->region;
    r->region_bytes = env->region_bytes;
    r->n_granules = env->region_bytes / REF_GRANULE;
    if (!stale) {
        memset(r->map, REF_FREE, sizeof r->map);
    }
    memset(r->truth, REF_FREE, sizeof r->truth);
    memset(r->apart, 0, sizeof r->apart);
    memset(r->freed, 0, sizeof r->freed);
    r->n_freed = 0;
    r->n_live = 0;
    r->n_taken = 0;
    r->n_truth = 0;
    r->n_allocs = 0;
    r->source = env->source;
    r->env = env;
    r->was_refused = false;
    r->n_handlers = 0;
    r->tearing_down = false;
    r->n_reuse = 0;
}

size_t hrn_ref_find(const struct ref *r, const uint8_t *map, size_t n, size_t align_bytes)
{
    size_t length = 0;
    for (size_t g = 0; g < r->n_granules; g++) {
        bool starts = length > 0 || (uintptr_t)(r->base + g * REF_GRANULE) % align_bytes == 0;
        if (map == r->map && r->apart[g]) {
            length = 0;
            starts = (uintptr_t)(r->base + g * REF_GRANULE) % align_bytes == 0;
        }
        length = map[g] == REF_FREE && starts ? length + 1 : 0;
        if (length == n) {
            return g + 1 - n;
        }
    }
    return r->n_granules;
}

size_t hrn_ref_length(const struct ref *r, const uint8_t *map, size_t g)
{
    size_t n = 1;
    while (g + n < r->n_granules && map[g + n] == REF_INSIDE) {
        n++;
    }
    return n;
}

/* --- alloc --- */

/* Granules to reserve. */
static size_t reserve(const struct ref *r, size_t size_bytes)
{
    size_t n = ref_granules(size_bytes);
    bool whole = size_bytes % REF_GRANULE == 0 && n > 1;
    bool cut = (r->bug == HRN_BUG_short_by_one && whole) ||
               (r->bug == HRN_BUG_page_edge && size_bytes == 4096);
    return cut ? n - 1 : n;
}

static bool refuses(const struct ref *r, const struct slm_adapter_request *rq)
{
    if (r->bug == HRN_BUG_false_refusal && r->n_allocs % 37 == 36) {
        return true;
    }
    bool bad_align = rq->call == SLM_ADAPTER_CALL_ALLOC_ALIGNED &&
                     (rq->align_bytes == 0 || rq->align_bytes > REF_ALIGN_MAX ||
                      (rq->align_bytes & (rq->align_bytes - 1)) != 0);
    bool wraps = r->bug == HRN_BUG_huge_wrap && rq->size_bytes > SIZE_MAX - 65536;
    return bad_align || (rq->size_bytes > REF_REGION_MAX && !wraps);
}

static size_t alignment(const struct ref *r, const struct slm_adapter_request *rq)
{
    bool ignored = r->bug == HRN_BUG_memalign_ignored && rq->align_bytes > 64;
    return rq->align_bytes > REF_GRANULE && !ignored ? rq->align_bytes : REF_GRANULE;
}

static unsigned char *take_granules(struct ref *r, size_t g, size_t n)
{
    memset(r->map + g, REF_INSIDE, n);
    memset(r->apart + g, 0, n);
    r->map[g] = REF_START;
    r->n_live++;
    r->n_taken += n;
    return r->base + g * REF_GRANULE;
}

/* What a bug does to an object before it is returned. */
static unsigned char *spoil(const struct ref *r, const struct slm_adapter_request *rq,
                            unsigned char *p)
{
    bool first = p == r->base;
    switch (r->bug) {
    case HRN_BUG_overlap:
        return r->n_allocs % 29 == 28 && !first ? p - REF_GRANULE : p;
    case HRN_BUG_unaligned:
        return rq->size_bytes >= 1000 && rq->size_bytes % REF_GRANULE <= 8 &&
                       rq->size_bytes % REF_GRANULE > 0
                   ? p + 8
                   : p;
    case HRN_BUG_zero_alias:
        return rq->size_bytes == 0 ? r->base : p;
    case HRN_BUG_alloc_scribbles:
        if (!first) {
            *(volatile unsigned char *)(p - 1) = (unsigned char)rq->size_bytes;
        }
        return p;
    default:
        return p;
    }
}

static void zero(const struct ref *r, unsigned char *p, size_t size_bytes)
{
    if (r->bug == HRN_BUG_calloc_short && size_bytes > 0) {
        memset(p, 0, size_bytes - 1);
    } else if (r->bug == HRN_BUG_calloc_first_page) {
        memset(p, 0, size_bytes < 4096 ? size_bytes : 4096);
    } else if (r->bug != HRN_BUG_calloc_plain) {
        memset(p, 0, size_bytes);
    }
}

/* The end of the region has all granules but one. */
static bool fits_but_one(const struct ref *r, size_t n)
{
    size_t n_free = 0;
    while (n_free < r->n_granules && r->map[r->n_granules - 1 - n_free] == REF_FREE) {
        n_free++;
    }
    return n > 1 && n_free == n - 1;
}

void *hrn_ref_alloc(struct ref *r, const struct slm_adapter_request *rq)
{
    r->n_allocs++;
    if (refuses(r, rq)) {
        return NULL;
    }
    size_t size = rq->size_bytes > REF_REGION_MAX ? 16 : rq->size_bytes;
    size_t n = reserve(r, size);
    size_t g = hrn_ref_find(r, r->map, n, alignment(r, rq));
    if (r->bug == HRN_BUG_outside && rq->call == SLM_ADAPTER_CALL_ALLOC && g == r->n_granules &&
        fits_but_one(r, n)) {
        g = r->n_granules - --n;
    }
    size_t end = r->bug == HRN_BUG_early_full ? r->n_granules - r->n_granules / 8 : r->n_granules;
    if (g + n > end || g == r->n_granules) {
        return NULL;
    }
    unsigned char *p = spoil(r, rq, take_granules(r, g, n));
    if (rq->call == SLM_ADAPTER_CALL_ALLOC_ZEROED || rq->call == SLM_ADAPTER_CALL_CLEANUP) {
        zero(r, p, size);
    }
    return p;
}

/* --- free --- */

/* The status of free(p), before anything changes; SLM_ADAPTER_OK: p starts an object. */
static enum slm_adapter_answer judge(const struct ref *r, const void *p, size_t *g)
{
    uintptr_t offset = (uintptr_t)p - (uintptr_t)r->base;
    *g = (size_t)offset / REF_GRANULE;
    if (offset >= r->n_granules * REF_GRANULE) {
        return SLM_ADAPTER_BAD_FOREIGN;
    }
    if (r->map[*g] == REF_FREE) {
        return SLM_ADAPTER_BAD_FREED;
    }
    return r->map[*g] == REF_START && offset % REF_GRANULE == 0 ? SLM_ADAPTER_OK
                                                                : SLM_ADAPTER_BAD_INTERIOR;
}

static bool was_freed_lately(const struct ref *r, const void *p)
{
    size_t i = 0;
    while (i < REF_N_FREED && r->freed[i] != p) {
        i++;
    }
    return i < REF_N_FREED;
}

/* Whether a bug lets misuse pass. */
static bool is_blind(const struct ref *r, enum slm_adapter_answer status, const void *p)
{
    switch (r->bug) {
    case HRN_BUG_double_free:
        return status == SLM_ADAPTER_BAD_FREED;
    case HRN_BUG_stale_free:
        return status == SLM_ADAPTER_BAD_INTERIOR && was_freed_lately(r, p);
    case HRN_BUG_region_end_free:
        return p == r->base + r->region_bytes;
    case HRN_BUG_foreign_free:
        return status == SLM_ADAPTER_BAD_FOREIGN;
    default:
        return false;
    }
}

/* Not instrumented: a sanitizer would report this write, which is past the end. */
__attribute__((no_sanitize("address"))) static void write_behind(const struct ref *r)
{
    *(volatile unsigned char *)(r->base + r->region_bytes) = 0;
}

static bool is_live(const struct ref *r, size_t g)
{
    return g < r->n_granules && r->map[g] != REF_FREE;
}

/* What a bug does to other objects while an object of n granules at g is freed. */
static void harm_others(struct ref *r, size_t g, size_t n)
{
    unsigned char *p = r->base + g * REF_GRANULE;
    unsigned char *next = p + n * REF_GRANULE;
    bool last_stamp = (p[n * REF_GRANULE - 1] & 0x1fu) == 0x0bu;
    switch (r->bug) {
    case HRN_BUG_free_scribbles:
        if (is_live(r, g + n)) {
            memset(next, 0, 8);
        }
        break;
    case HRN_BUG_free_copies:
        if (is_live(r, g + n) && n >= 2 && hrn_ref_length(r, r->map, g + n) == n) {
            memcpy(next, p, n * REF_GRANULE);
        }
        break;
    case HRN_BUG_content_driven:
        if (is_live(r, g + n) && last_stamp) {
            memset(next, 0, 8);
        }
        break;
    case HRN_BUG_fence_written:
        if (g + n + 1 >= r->n_granules / 2) {
            write_behind(r);
        }
        break;
    default:
        break;
    }
}

/* Granules that become free. */
static size_t released(const struct ref *r, size_t g, size_t n)
{
    if (r->bug == HRN_BUG_lost_free && n * REF_GRANULE > 500) {
        return 0;
    }
    bool right_free = g + n < r->n_granules && r->map[g + n] == REF_FREE;
    return r->bug == HRN_BUG_half_merge && right_free && n > 1 ? n - 1 : n;
}

/* Marks the borders at which a bug does not merge. */
static void mark_borders(struct ref *r, size_t g, size_t n)
{
    bool left = g > 0 && r->map[g - 1] == REF_FREE;
    bool right = g + n < r->n_granules && r->map[g + n] == REF_FREE;
    bool both = r->bug == HRN_BUG_merge_both && left && right;
    r->apart[g] = both || (r->bug == HRN_BUG_merge_left && left);
    if (both || (r->bug == HRN_BUG_merge_right && right)) {
        r->apart[g + n] = true;
    }
}

static void free_granules(struct ref *r, size_t g)
{
    size_t n = hrn_ref_length(r, r->map, g);
    r->freed[r->n_freed++ % REF_N_FREED] = r->base + g * REF_GRANULE;
    mark_borders(r, g, n);
    harm_others(r, g, n);
    size_t n_released = released(r, g, n);
    memset(r->map + g, REF_FREE, n_released);
    r->n_live -= r->bug == HRN_BUG_stats_drift && n == 3 && r->n_live > 1 ? 2 : 1;
    r->n_taken -= r->bug == HRN_BUG_silent_damage && n == 5 ? n - 1 : n_released;
}

enum slm_adapter_answer hrn_ref_free(struct ref *r, void *p)
{
    size_t g;
    if (p == NULL) {
        return r->bug == HRN_BUG_null_free ? SLM_ADAPTER_BAD : SLM_ADAPTER_OK;
    }
    enum slm_adapter_answer status = judge(r, p, &g);
    if (status == SLM_ADAPTER_BAD_INTERIOR && r->bug == HRN_BUG_interior_free) {
        while (g > 0 && r->map[g] == REF_INSIDE) {
            g--;
        }
        status = SLM_ADAPTER_OK;
    }
    if (status != SLM_ADAPTER_OK) {
        return is_blind(r, status, p) ? SLM_ADAPTER_OK : status;
    }
    bool whole_pages = hrn_ref_length(r, r->map, g) % 256 == 0;
    free_granules(r, g);
    return r->bug == HRN_BUG_free_denied && whole_pages ? SLM_ADAPTER_BAD_FOREIGN : SLM_ADAPTER_OK;
}

/* --- resize --- */

static bool grow_in_place(struct ref *r, size_t g, size_t n_old, size_t n_new)
{
    if (g + n_new > r->n_granules) {
        return false;
    }
    for (size_t i = n_old; i < n_new; i++) {
        if (r->map[g + i] != REF_FREE && r->bug != HRN_BUG_resize_overlaps) {
            return false;
        }
    }
    memset(r->map + g + n_old, REF_INSIDE, n_new - n_old);
    r->n_taken += n_new - n_old;
    return true;
}

static void *move_object(struct ref *r, void *p, size_t old_bytes, size_t new_bytes)
{
    const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_ALLOC, new_bytes, 0};
    unsigned char *moved = hrn_ref_alloc(r, &rq);
    if (moved == NULL) {
        return NULL;
    }
    size_t kept = old_bytes < new_bytes ? old_bytes : new_bytes;
    kept -= r->bug == HRN_BUG_resize_loses && kept > 32 ? 32 : 0;
    memcpy(moved, p, kept);
    (void)hrn_ref_free(r, p);
    return moved;
}

void *hrn_ref_resize(struct ref *r, void *p, size_t old_bytes, size_t new_bytes)
{
    size_t g = (size_t)((unsigned char *)p - r->base) / REF_GRANULE;
    size_t n_old = hrn_ref_length(r, r->map, g);
    size_t n_new = ref_granules(new_bytes);
    if (new_bytes > REF_REGION_MAX) {
        return NULL;
    }
    if (n_new <= n_old) {
        memset(r->map + g + n_new, REF_FREE, n_old - n_new);
        r->n_taken -= n_old - n_new;
        return p;
    }
    return grow_in_place(r, g, n_old, n_new) ? p : move_object(r, p, old_bytes, new_bytes);
}

size_t hrn_ref_usable_bytes(struct ref *r, void *p)
{
    size_t g = (size_t)((unsigned char *)p - r->base) / REF_GRANULE;
    size_t bytes = hrn_ref_length(r, r->map, g) * REF_GRANULE;
    if (r->bug == HRN_BUG_usable_large) {
        return bytes + REF_GRANULE;
    }
    return r->bug == HRN_BUG_usable_small ? bytes - REF_GRANULE : bytes;
}

size_t hrn_ref_count(const struct ref *r)
{
    return r->bug == HRN_BUG_count_saturates && r->n_live > 20 ? 20 : r->n_live;
}

/* Compares the number of granules that are taken with the count. */
unsigned hrn_ref_check(const struct ref *r)
{
    size_t n_taken = 0;
    for (size_t g = 0; g < r->n_granules; g++) {
        n_taken += r->map[g] != REF_FREE;
    }
    return n_taken == r->n_taken ? 0 : 1;
}
