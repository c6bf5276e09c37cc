/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters of the small allocator, one for each bug, and the oracle that they share. */
#include <string.h>

#include "harness/broken/ref.h"
#include "harness/laws/laws.h"

static struct hrn_slots slots;

static size_t region_bytes(const struct hrn_head *head, size_t size_bytes)
{
    size_t bytes = size_bytes != 0 ? size_bytes : head->region_bytes;
    return (bytes < REF_REGION_MAX ? bytes : REF_REGION_MAX - 100) | 15u; /* never whole granules */
}

static void *create(const struct hrn_env *env, enum slm_status *why, enum hrn_bug bug)
{
    struct ref *r = hrn_slots_get(&slots, env->arena, sizeof *r);
    *why = SLM_OK;
    if (bug == HRN_BUG_create_refused && env->region_bytes % 7 == 3) {
        *why = SLM_E_SIZE;
        return NULL;
    }
    hrn_ref_init(r, env, bug);
    return r;
}

static void destroy(void *self)
{
    hrn_ref_fini(self);
}

/* --- The oracle's map --- */

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

static void granted(void *self, const struct hrn_request *rq, void *p)
{
    mark_taken(self, p, rq->size_bytes);
}

static void freed(void *self, const struct hrn_request *rq, void *p)
{
    (void)rq;
    mark_free(self, p);
}

static const char *refused(void *self, const struct hrn_request *rq, const struct hrn_refusal *seen)
{
    const struct ref *r = self;
    size_t align = rq->align_bytes;
    bool bad_align = rq->kind == HRN_MEMALIGN &&
                     (align == 0 || align > REF_ALIGN_MAX || (align & (align - 1)) != 0);
    if (bad_align || rq->size_bytes > REF_REGION_MAX || seen->n_source_refusals > 0) {
        return NULL;
    }
    align = align > REF_GRANULE ? align : REF_GRANULE;
    bool room = hrn_ref_find(r, r->truth, ref_granules(rq->size_bytes), align) < r->n_granules;
    return room ? "there is room for it" : NULL;
}

static uint32_t misuse(void *self, enum hrn_misuse kind, const void *p)
{
    const struct ref *r = self;
    uintptr_t offset = (uintptr_t)p - (uintptr_t)r->base;
    (void)kind;
    if (p == NULL) {
        return HRN_BIT(SLM_OK);
    }
    if (offset >= r->n_granules * REF_GRANULE) {
        return HRN_BIT(SLM_E_FOREIGN);
    }
    uint8_t granule = r->truth[offset / REF_GRANULE];
    if (granule == REF_START && offset % REF_GRANULE == 0) {
        return 0; /* an object that no operation frees: a handler's data, or an object of the reuse list */
    }
    return HRN_BIT(granule == REF_FREE ? SLM_E_FREED : SLM_E_INTERIOR);
}

static void walk(void *self, size_t n_live, size_t live_bytes)
{
    const struct ref *r = self;
    (void)n_live;
    (void)live_bytes;
    unsigned broken = hrn_ref_check(r);
    if (broken != 0) {
        hrn_law_self_check("ref_check returns %u", broken);
    }
    if (hrn_ref_count(r) != r->n_truth) {
        hrn_law_statistics("%zu objects, should be %zu", hrn_ref_count(r), r->n_truth);
    }
    if (*r->source_live_bytes > r->n_handlers * REF_RECORD_BYTES) {
        hrn_law_growth("%zu bytes for %zu handlers", *r->source_live_bytes, r->n_handlers);
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
        hrn_law_pristine("%zu granules are taken", n_taken);
    }
}

/* --- The adapters' functions --- */

static void *allocate(void *self, const struct hrn_request *rq)
{
    return rq->kind == HRN_REUSE_GET ? hrn_ref_reuse_get(self) : hrn_ref_alloc(self, rq);
}

static enum slm_status release(void *self, void *p)
{
    return hrn_ref_free(self, p);
}

static enum slm_status resize(void *self, void **p, size_t old_bytes, size_t new_bytes)
{
    void *old = *p;
    enum slm_status status = hrn_ref_resize(self, p, old_bytes, new_bytes);
    if (status == SLM_OK) {
        mark_free(self, old);
        mark_taken(self, *p, new_bytes);
    }
    return status;
}

static size_t usable_bytes(void *self, void *p)
{
    return hrn_ref_usable_bytes(self, p);
}

static void reset(void *self)
{
    hrn_ref_reset(self);
}

static enum slm_status cleanup(void *self, hrn_handler_fn fn, void *data, size_t data_bytes,
                               void **data_out)
{
    enum slm_status status = hrn_ref_cleanup(self, fn, data, data_bytes, data_out);
    if (status == SLM_OK && data_bytes > 0) {
        mark_taken(self, *data_out, data_bytes);
    }
    return status;
}

static enum slm_status reuse_put(void *self, void *p)
{
    return hrn_ref_reuse_put(self, p);
}

static size_t reuse_bytes(void *self)
{
    (void)self;
    return REF_REUSE_BYTES;
}

/* --- The list --- */

#define REF_RESIZE_RESIZES resize
#define REF_RESIZE_USABLE  NULL
#define ANY                1u /* tried; the oracle decides which status is right */

#define CREATE(bug, sentence, style)                                                               \
    static void *create_##bug(const struct hrn_env *env, enum slm_status *why)                     \
    {                                                                                              \
        return create(env, why, HRN_BUG_##bug);                                                    \
    }
HRN_BUG_LIST(CREATE)

#define ADAPTER(bug, sentence, style)                                                              \
    {                                                                                              \
        .name = "broken_" #bug,                                                                    \
        .can = HRN_CAN_BASE | HRN_BIT(HRN_MEMALIGN) | HRN_BIT(HRN_RESIZE) | HRN_BIT(HRN_RESET) |   \
               HRN_BIT(HRN_CLEANUP) | HRN_BIT(HRN_MISUSE) | HRN_BIT(HRN_FAULT) |                   \
               HRN_BIT(HRN_REUSE_GET) | HRN_BIT(HRN_REUSE_PUT),                                    \
        .align_bytes = REF_GRANULE,                                                                \
        .align_max_bytes = REF_ALIGN_MAX,                                                          \
        .region_bytes = region_bytes,                                                              \
        .create = create_##bug,                                                                    \
        .destroy = destroy,                                                                        \
        .alloc = allocate,                                                                         \
        .free = release,                                                                           \
        .resize = REF_RESIZE_##style,                                                              \
        .usable_bytes = usable_bytes,                                                              \
        .reset = reset,                                                                            \
        .cleanup = cleanup,                                                                        \
        .reuse_put = reuse_put,                                                                    \
        .reuse_bytes = reuse_bytes,                                                                \
        .misuse = {ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY},               \
        .oracle = {.granted = granted,                                                             \
                   .refused = refused,                                                             \
                   .freed = freed,                                                                 \
                   .misuse = misuse,                                                               \
                   .walk = walk,                                                                   \
                   .emptied = emptied},                                                            \
    },
static const struct hrn_adapter adapters[HRN_BUG_COUNT] = {HRN_BUG_LIST(ADAPTER)};

#define SENTENCE(bug, sentence, style) sentence,
static const char *const sentences[HRN_BUG_COUNT] = {HRN_BUG_LIST(SENTENCE)};

const struct hrn_adapter *hrn_broken_adapter(enum hrn_bug bug)
{
    return &adapters[bug];
}

const char *hrn_broken_sentence(enum hrn_bug bug)
{
    return sentences[bug];
}

const struct hrn_adapter *hrn_broken_at(size_t idx, const char **sentence)
{
    size_t n_own = HRN_BUG_COUNT - 1; /* all except `none` */
    if (idx >= n_own) {
        return hrn_wrapped_at(idx - n_own, sentence);
    }
    *sentence = sentences[idx + 1];
    return &adapters[idx + 1];
}
