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

/* The size to which a slab with a reserve could grow; 0: it has none. */
static size_t most_bytes(const struct hrn_head *head)
{
    return (head->flags & HRN_HEAD_RESERVE) != 0 ? 2 * (size_t)head->region_bytes : 0;
}

static struct slm_slab_options options_of(const struct hrn_head *head, const char *name)
{
    return (struct slm_slab_options){.page_bytes = head->page_bytes,
                                     .min_object_bytes = head->min_object_bytes,
                                     .per_doubling = head->per_doubling,
                                     .gap_bytes = head->gap_bytes,
                                     .name = name,
                                     .max_bytes = most_bytes(head)};
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

/* A page's word, as allocator/slab/image.h lays it out: a kind, and a length of a few pages. */
static uint64_t believable_word(uint32_t seed)
{
    uint64_t kind = 1 + seed % 6;
    uint64_t n_pages = 1 + seed / 6 % 4;
    return kind | n_pages << 32;
}

/* Nothing may read the tables of pages that are not there. A read past the last page finds words
 * that it must take for those of pages, and so breaks a law. */
static void fill_reserve(const struct arena *a, const struct hrn_env *env)
{
    struct slm_slab_stats stats;
    struct slm_slab_part parts[SLM_SLAB_METADATA_PARTS];
    slm_slab_get_stats(a->slab, &stats);
    slm_slab_metadata_parts(a->slab, parts);
    uint64_t word = believable_word(env->head->content_seed);
    for (unsigned i = 0; i < SLM_SLAB_METADATA_PARTS; i++) {
        bool is_last = i + 1 == SLM_SLAB_METADATA_PARTS;
        size_t at = parts[i].offset + parts[i].n_bytes;
        size_t end = is_last ? stats.metadata_bytes : parts[i + 1].offset;
        for (; at < end; at += sizeof word) {
            memcpy((unsigned char *)env->region + at, &word, sizeof word);
        }
    }
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
    if (options.max_bytes != 0) {
        fill_reserve(a, env);
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
