/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters of the small allocator, one for each bug, and the oracle that they share. */
#include <string.h>

#include "harness/broken/ref.h"

static struct hrn_slots slots;

static size_t region_bytes(size_t wanted_bytes)
{
    size_t bytes = wanted_bytes < REF_REGION_MAX ? wanted_bytes : REF_REGION_MAX - 100;
    return bytes | 15u; /* never whole granules */
}

static void *create(const struct slm_adapter_env *env, enum hrn_bug bug)
{
    struct ref *r = hrn_slots_get(&slots, env->arena, sizeof *r);
    if (bug == HRN_BUG_create_refused && env->region_bytes % 7 == 3) {
        return NULL;
    }
    hrn_ref_init(r, env, bug);
    return r;
}

static void destroy(void *self)
{
    hrn_ref_fini(self);
}

/* --- Its own checks, and their map --- */

static void mark_taken(struct ref *r, void *p, size_t size_bytes)
{
    size_t g = (size_t)((unsigned char *)p - r->base) / REF_GRANULE;
    r->n_truth += r->truth[g] == REF_START ? 0 : 1;
    memset(r->truth + g, REF_INSIDE, ref_granules(size_bytes));
    r->truth[g] = REF_START;
}

static void mark_free(struct ref *r, void *p)
{
    size_t g = (size_t)((unsigned char *)p - r->base) / REF_GRANULE;
    memset(r->truth + g, REF_FREE, hrn_ref_length(r, r->truth, g));
    r->n_truth--;
}

static void granted(void *self, const struct slm_adapter_request *rq, void *p)
{
    mark_taken(self, p, rq->size_bytes);
}

static void freed(void *self, const struct slm_adapter_request *rq, void *p, size_t size_bytes)
{
    (void)rq;
    (void)size_bytes;
    mark_free(self, p);
}

static const char *refused(void *self, const struct slm_adapter_request *rq,
                           const struct slm_adapter_refusal *seen)
{
    const struct ref *r = self;
    size_t align = rq->align_bytes;
    bool bad_align = rq->call == SLM_ADAPTER_CALL_ALLOC_ALIGNED &&
                     (align == 0 || align > REF_ALIGN_MAX || (align & (align - 1)) != 0);
    if (bad_align || rq->size_bytes > REF_REGION_MAX || seen->n_source_refusals > 0) {
        return NULL;
    }
    align = align > REF_GRANULE ? align : REF_GRANULE;
    bool room = hrn_ref_find(r, r->truth, ref_granules(rq->size_bytes), align) < r->n_granules;
    return room ? "there is room for it" : NULL;
}

static uint32_t bad_free(void *self, enum slm_adapter_misuse misuse, const void *p)
{
    const struct ref *r = self;
    uintptr_t offset = (uintptr_t)p - (uintptr_t)r->base;
    (void)misuse;
    if (p == NULL) {
        return SLM_ADAPTER_BIT(SLM_ADAPTER_OK);
    }
    if (offset >= r->n_granules * REF_GRANULE) {
        return SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_FOREIGN);
    }
    uint8_t granule = r->truth[offset / REF_GRANULE];
    if (granule == REF_START && offset % REF_GRANULE == 0) {
        return 0; /* an object that no operation frees: a handler's data, or an object of the reuse list */
    }
    return SLM_ADAPTER_BIT(granule == REF_FREE ? SLM_ADAPTER_BAD_FREED : SLM_ADAPTER_BAD_INTERIOR);
}

static void walk(void *self, size_t n_live, size_t live_bytes)
{
    const struct ref *r = self;
    (void)n_live;
    (void)live_bytes;
    unsigned broken = hrn_ref_check(r);
    if (broken != 0) {
        r->env->fail(r->env, "self_check: ref_check returns %u", broken);
    }
    if (hrn_ref_count(r) != r->n_truth) {
        r->env->fail(r->env, "statistics: %zu objects, should be %zu", hrn_ref_count(r),
                     r->n_truth);
    }
    if (*r->env->source_live_bytes > r->n_handlers * REF_RECORD_BYTES) {
        r->env->fail(r->env, "growth: %zu bytes for %zu handlers", *r->env->source_live_bytes,
                     r->n_handlers);
    }
}

static void emptied(void *self, bool by_reset)
{
    struct ref *r = self;
    size_t n_taken = 0;
    if (by_reset) {
        memset(r->truth, REF_FREE, sizeof r->truth);
        r->n_truth = 0;
    }
    for (size_t g = 0; g < r->n_granules; g++) {
        n_taken += r->map[g] != REF_FREE;
    }
    if (r->n_truth == 0 && n_taken != 0) {
        r->env->fail(r->env, "pristine: %zu granules are taken", n_taken);
    }
}

static void resized(void *self, const struct slm_adapter_request *rq, void *old_p, size_t old_bytes,
                    void *p, size_t new_bytes)
{
    (void)rq;
    (void)old_bytes;
    mark_free(self, old_p);
    mark_taken(self, p, new_bytes);
}

/* --- The adapters' functions --- */

static void *allocate(void *self, size_t size_bytes)
{
    const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_ALLOC, size_bytes, 0};
    return hrn_ref_alloc(self, &rq);
}

static void *allocate_zeroed(void *self, size_t n, size_t size_bytes)
{
    const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_ALLOC_ZEROED,
                                           hrn_product(n, size_bytes), 0};
    return hrn_ref_alloc(self, &rq);
}

static void *allocate_aligned(void *self, size_t align_bytes, size_t size_bytes)
{
    const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_ALLOC_ALIGNED, size_bytes, align_bytes};
    return hrn_ref_alloc(self, &rq);
}

static enum slm_adapter_answer release(void *self, void *p, size_t size_bytes)
{
    (void)size_bytes;
    return hrn_ref_free(self, p);
}

static void *resize(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    return hrn_ref_resize(self, p, old_bytes, new_bytes);
}

static size_t usable_bytes(void *self, void *p)
{
    return hrn_ref_usable_bytes(self, p);
}

static void walk_objects(void *self, slm_adapter_visit_fn visit, void *data)
{
    hrn_ref_walk(self, visit, data);
}

static void reset(void *self)
{
    hrn_ref_reset(self);
}

static enum slm_adapter_answer cleanup(void *self, slm_adapter_handler_fn fn, void *data,
                                       size_t data_bytes, void **data_out)
{
    enum slm_adapter_answer status = hrn_ref_cleanup(self, fn, data, data_bytes, data_out);
    if (status == SLM_ADAPTER_OK && data_bytes > 0) {
        mark_taken(self, *data_out, data_bytes);
    }
    return status;
}

static void *reuse_get(void *self)
{
    return hrn_ref_reuse_get(self);
}

static enum slm_adapter_answer reuse_put(void *self, void *p)
{
    return hrn_ref_reuse_put(self, p);
}

static size_t reuse_bytes(void *self)
{
    (void)self;
    return REF_REUSE_BYTES;
}

/* --- The list --- */

static const struct slm_adapter_checks checks = {
    .granted = granted,
    .refused = refused,
    .freed = freed,
    .resized = resized,
    .bad_free = bad_free,
    .walk = walk,
    .emptied = emptied,
};

static const struct slm_adapter_pool extension = {
    .cleanup = cleanup,
    .cleanup_zeroes = true,
    .reuse_get = reuse_get,
    .reuse_put = reuse_put,
    .reuse_bytes = reuse_bytes,
};

#define REF_RESIZE_RESIZES resize
#define REF_RESIZE_USABLE  NULL
#define REF_RESIZE_WALKS   resize
#define REF_WALK_RESIZES   NULL
#define REF_WALK_USABLE    NULL
#define REF_WALK_WALKS     walk_objects
#define REF_ZERO_WALKS     SLM_ADAPTER_RESIZE_ZERO_RESIZES
#define REF_ZERO_RESIZES   SLM_ADAPTER_RESIZE_ZERO_RESIZES
#define REF_ZERO_USABLE    SLM_ADAPTER_RESIZE_ZERO_UNASKED

#define CREATE(bug, sentence, style)                                                               \
    static void *create_##bug(const struct slm_adapter_env *env)                                   \
    {                                                                                              \
        return create(env, HRN_BUG_##bug);                                                         \
    }
HRN_BUG_LIST(CREATE)

#define ADAPTER(bug, sentence, style)                                                              \
    {                                                                                              \
        .name = "broken_" #bug,                                                                    \
        .create = create_##bug,                                                                    \
        .alloc = allocate,                                                                         \
        .free = release,                                                                           \
        .destroy = destroy,                                                                        \
        .alloc_zeroed = allocate_zeroed,                                                           \
        .alloc_aligned = allocate_aligned,                                                         \
        .resize = REF_RESIZE_##style,                                                              \
        .usable_bytes = usable_bytes,                                                              \
        .reset = reset,                                                                            \
        .walk = REF_WALK_##style,                                                                  \
        .align_bytes = REF_GRANULE,                                                                \
        .align_max_bytes = REF_ALIGN_MAX,                                                          \
        .align_refuses = true,                                                                     \
        .resize_zero = REF_ZERO_##style,                                                           \
        .region_bytes = region_bytes,                                                              \
        .checks = &checks,                                                                         \
        .pool = &extension,                                                                        \
    },
static const struct slm_adapter adapters[HRN_BUG_COUNT] = {HRN_BUG_LIST(ADAPTER)};

#define SENTENCE(bug, sentence, style) sentence,
static const char *const sentences[HRN_BUG_COUNT] = {HRN_BUG_LIST(SENTENCE)};

const struct slm_adapter *hrn_broken_adapter(enum hrn_bug bug)
{
    return &adapters[bug];
}

const char *hrn_broken_sentence(enum hrn_bug bug)
{
    return sentences[bug];
}

const struct slm_adapter *hrn_broken_at(size_t idx, const char **sentence)
{
    size_t n_own = HRN_BUG_COUNT - 1; /* all except `none` */
    if (idx >= n_own) {
        return hrn_wrapped_at(idx - n_own, sentence);
    }
    *sentence = sentences[idx + 1];
    return &adapters[idx + 1];
}
