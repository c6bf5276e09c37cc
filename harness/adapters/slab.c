/* SPDX-License-Identifier: Apache-2.0 */
/* The slab under test. */
#include <slabmill/slab.h>

#include <string.h>

#include "harness/adapters/adapter.h"
#include "harness/adapters/slab_oracle.h"
#include "harness/laws/laws.h"

#define NAME      "a name of more bytes than a slab has for it"
#define NAME_KEPT "a name of more bytes than a sla"

struct arena {
    struct slm_slab *slab;
    struct slm_slab
        *views[2]; /* used in alternation, as by two processes; one, if the slab is exclusive */
    unsigned turn;
    void *root;             /* as it was set */
    size_t align_min_bytes; /* of any object */
    size_t gap_bytes;
    bool whole_chunks; /* powers of two: aligned to their whole size */
    struct hrn_slab_shadow shadow;
};

static struct hrn_slots slots;

static struct slm_slab_options options_of(const struct hrn_head *head, const char *name)
{
    return (struct slm_slab_options){.page_bytes = head->page_bytes,
                                     .min_object_bytes = head->min_object_bytes,
                                     .per_doubling = head->per_doubling,
                                     .gap_bytes = head->gap_bytes,
                                     .name = name};
}

static size_t region_bytes(const struct hrn_head *head, size_t size_bytes)
{
    return size_bytes != 0 ? size_bytes : head->region_bytes;
}

static enum slm_status attach(struct arena *a, const struct hrn_env *env,
                              const struct slm_slab_view *view)
{
    enum slm_status status = slm_slab_attach(&a->slab, env->region, env->region_bytes, view);
    a->views[0] = a->slab;
    a->views[1] = a->slab;
    if (status == SLM_OK && !view->exclusive) {
        status = slm_slab_attach(&a->views[1], env->region, env->region_bytes, view);
        if (status != SLM_OK) {
            slm_slab_detach(a->slab);
        }
    }
    return status;
}

void *hrn_slab_create(const struct hrn_env *env, enum slm_status *why, const char *name)
{
    struct arena *a = hrn_slots_get(&slots, env->arena, sizeof *a);
    struct slm_slab_options options = options_of(env->head, name);
    struct slm_slab_view view = {.exclusive = (env->head->flags & HRN_HEAD_SHARED) == 0,
                                 .source = env->source};
    *why = slm_slab_init(env->region, env->region_bytes, &options);
    if (*why == SLM_OK) {
        *why = attach(a, env, &view);
    }
    if (*why != SLM_OK) {
        return NULL;
    }
    a->turn = 0;
    a->root = NULL;
    a->align_min_bytes = options.min_object_bytes;
    a->gap_bytes = options.gap_bytes;
    a->whole_chunks = options.per_doubling == 1;
    hrn_slab_shadow_begin(&a->shadow, a->slab, env->region, options.gap_bytes);
    return a;
}

static void *create(const struct hrn_env *env, enum slm_status *why)
{
    return hrn_slab_create(env, why, NAME);
}

/* The smallest region, cached: finding it takes longer than most programs. */
static size_t least_region_bytes(const struct hrn_head *head)
{
    static struct hrn_head last;
    static size_t bytes;
    if (bytes == 0 || memcmp(&last, head, sizeof last) != 0) {
        struct slm_slab_options options = options_of(head, NAME);
        bytes = slm_slab_region_bytes(&options, 1);
        last = *head;
    }
    return bytes;
}

static bool create_lawful(const struct hrn_env *env, enum slm_status why)
{
    return why == SLM_E_SIZE && env->region_bytes < least_region_bytes(env->head);
}

static void destroy(void *self)
{
    struct arena *a = self;
    if (a->views[1] != a->slab) {
        slm_slab_detach(a->views[1]);
    }
    slm_slab_detach(a->slab);
}

struct slm_slab *hrn_slab_of(void *self)
{
    struct arena *a = self;
    a->turn ^= 1u;
    return a->views[a->turn];
}

static void *allocate(void *self, const struct hrn_request *rq)
{
    struct slm_slab *slab = hrn_slab_of(self);
    switch (rq->kind) {
    case HRN_CALLOC:
        return slm_slab_calloc(slab, rq->size_bytes);
    case HRN_MEMALIGN:
        return slm_slab_memalign(slab, rq->align_bytes, rq->size_bytes);
    default:
        return slm_slab_alloc(slab, rq->size_bytes);
    }
}

static enum slm_status release(void *self, void *p)
{
    return slm_slab_free(hrn_slab_of(self), p);
}

static size_t usable_bytes(void *self, void *p)
{
    return slm_slab_usable_bytes(hrn_slab_of(self), p);
}

static void reset(void *self)
{
    struct arena *a = self;
    slm_slab_reset(hrn_slab_of(a));
    a->root = NULL;
}

static size_t trim(void *self)
{
    struct arena *a = self;
    size_t n_pages = slm_slab_trim(a->slab);
    hrn_slab_shadow_trimmed(&a->shadow, n_pages);
    return n_pages;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The alignment that the contract guarantees. */
static size_t align_of(void *self, size_t size_bytes)
{
    const struct arena *a = self;
    size_t bytes = (size_bytes == 0 ? 1 : size_bytes) + a->gap_bytes;
    int class_idx = slm_slab_class_of(a->slab, size_bytes);
    if (class_idx < 0) {
        return SLM_SLAB_ALIGN_MAX;
    }
    if (a->whole_chunks) {
        return smaller(a->shadow.classes[class_idx].chunk_bytes, SLM_SLAB_ALIGN_MAX);
    }
    size_t power = smaller(bytes & (0 - bytes), 16);
    return power > a->align_min_bytes ? power : a->align_min_bytes;
}

/* Makes the oldest object the root for as long as it lives. */
static void set_root(struct arena *a, void *p)
{
    enum slm_status status = slm_slab_set_root(a->slab, p);
    if (status != SLM_OK) {
        hrn_law_anchor("%p cannot be the root: %s", p, slm_status_name(status));
    }
    a->root = p;
}

static void check_anchors(const struct arena *a)
{
    void *root = slm_slab_root(a->views[1]);
    const char *name = slm_slab_name(a->views[1]);
    if (root != a->root) {
        hrn_law_anchor("the root is %p, should be %p", root, a->root);
    }
    if (strcmp(name, NAME_KEPT) != 0) {
        hrn_law_anchor("the name is '%s', should be '%s'", name, NAME_KEPT);
    }
}

static void granted(void *self, const struct hrn_request *rq, void *p)
{
    struct arena *a = self;
    hrn_slab_shadow_granted(&a->shadow, rq, p);
    if (a->root == NULL) {
        set_root(a, p);
    }
}

static const char *refused(void *self, const struct hrn_request *rq, const struct hrn_refusal *seen)
{
    (void)seen;
    return hrn_slab_shadow_refused(&((struct arena *)self)->shadow, rq);
}

static void freed(void *self, const struct hrn_request *rq, void *p)
{
    struct arena *a = self;
    (void)rq;
    hrn_slab_shadow_freed(&a->shadow, p);
    if (p == a->root) {
        set_root(a, NULL);
    }
}

static uint32_t misuse(void *self, enum hrn_misuse kind, const void *p)
{
    (void)kind;
    return hrn_slab_shadow_misuse(&((struct arena *)self)->shadow, p);
}

static void walk(void *self, size_t n_live, size_t live_bytes)
{
    struct arena *a = self;
    (void)live_bytes;
    hrn_slab_shadow_walk(&a->shadow, n_live);
    check_anchors(a);
}

static size_t walk_size(void *self)
{
    const struct arena *a = self;
    return a->shadow.n_pages + a->shadow.n_classes;
}

static void emptied(void *self, bool by_reset)
{
    hrn_slab_shadow_emptied(&((struct arena *)self)->shadow, by_reset);
}

#define ANY 1u /* tried; the oracle decides which status is right */

const struct hrn_adapter hrn_adapter_slab = {
    .name = "slab",
    .can = HRN_CAN_BASE | HRN_BIT(HRN_MEMALIGN) | HRN_BIT(HRN_RESIZE) | HRN_BIT(HRN_RESET) |
           HRN_BIT(HRN_MISUSE) | HRN_BIT(HRN_FAULT) | HRN_BIT(HRN_TRIM),
    .align_max_bytes = SLM_SLAB_ALIGN_MAX,
    .region_bytes = region_bytes,
    .create = create,
    .create_lawful = create_lawful,
    .destroy = destroy,
    .alloc = allocate,
    .free = release,
    .usable_bytes = usable_bytes,
    .reset = reset,
    .trim = trim,
    .align_of = align_of,
    .misuse = {ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY},
    .oracle = {.granted = granted,
               .refused = refused,
               .freed = freed,
               .misuse = misuse,
               .walk = walk,
               .walk_size = walk_size,
               .emptied = emptied},
};
