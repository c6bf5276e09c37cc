/* SPDX-License-Identifier: Apache-2.0 */
/* The slab under test. */
#include <slabmill/slab.h>

#include <string.h>

#include "harness/adapters/slab_oracle.h"
#include "harness/adapters/slab_views.h"

#define NAME      "a name of more bytes than a slab has for it"
#define NAME_KEPT "a name of more bytes than a sla"

struct arena {
    const struct slm_adapter_env *env;
    struct hrn_slab_views views;
    struct slm_slab *slab;  /* one of them */
    void *root;             /* as it was set */
    size_t max_bytes;       /* to which it can grow */
    size_t align_min_bytes; /* of any object */
    size_t gap_bytes;
    bool whole_chunks; /* powers of two: aligned to their whole size */
    struct hrn_slab_shadow shadow;
};

static struct hrn_slots slots;

static struct slm_slab_options options_of(const struct slm_adapter_slab_shape *shape,
                                          const char *name)
{
    return (struct slm_slab_options){.page_bytes = shape->page_bytes,
                                     .min_object_bytes = shape->min_object_bytes,
                                     .per_doubling = shape->per_doubling,
                                     .gap_bytes = shape->gap_bytes,
                                     .name = name,
                                     .max_bytes = shape->max_bytes};
}

/* A page's word, as allocator/slab/image.h lays it out: a kind, and a length of a few pages. The
 * junk that the region held decides which. */
static uint64_t believable_word(unsigned char junk)
{
    uint64_t kind = 1 + junk % 6u;
    uint64_t n_pages = 1 + junk / 6u % 4;
    return kind | n_pages << 32;
}

/* Nothing may read the tables of pages that are not there. A read past the last page finds words
 * that it must take for those of pages, and so breaks a law. */
static void fill_reserve(const struct arena *a, const struct slm_adapter_env *env, uint64_t word)
{
    struct slm_slab_stats stats;
    struct slm_slab_part parts[SLM_SLAB_METADATA_PARTS];
    slm_slab_get_stats(a->slab, &stats);
    slm_slab_metadata_parts(a->slab, parts);
    for (unsigned i = 0; i < SLM_SLAB_METADATA_PARTS; i++) {
        bool is_last = i + 1 == SLM_SLAB_METADATA_PARTS;
        size_t at = parts[i].offset + parts[i].n_bytes;
        size_t end = is_last ? stats.metadata_bytes : parts[i + 1].offset;
        for (; at < end; at += sizeof word) {
            memcpy((unsigned char *)env->region + at, &word, sizeof word);
        }
    }
}

void *hrn_slab_create(const struct slm_adapter_env *env, const char *name)
{
    struct arena *a = hrn_slots_get(&slots, env->arena, sizeof *a);
    a->env = env;
    struct slm_slab_options options = options_of(env->slab_shape, name);
    uint64_t word = believable_word(*(const unsigned char *)env->region);
    enum slm_status status = slm_slab_init(env->region, env->region_bytes, &options);
    if (status == SLM_OK) {
        status = hrn_slab_views_open(&a->views, env);
        a->slab = a->views.views[0];
    }
    if (status != SLM_OK && status != SLM_E_SIZE && status != SLM_E_NOMEM) {
        env->fail(env, "create_answer: %s for a region of %zu bytes", slm_status_name(status),
                  env->region_bytes);
    }
    if (status != SLM_OK) {
        return NULL;
    }
    if (options.max_bytes != 0) {
        fill_reserve(a, env, word);
    }
    a->root = NULL;
    a->max_bytes = options.max_bytes > env->region_bytes ? options.max_bytes : env->region_bytes;
    a->align_min_bytes = options.min_object_bytes;
    a->gap_bytes = options.gap_bytes;
    a->whole_chunks = options.per_doubling == 1;
    hrn_slab_shadow_begin(&a->shadow, a->slab, env);
    return a;
}

static void *create(const struct slm_adapter_env *env)
{
    return hrn_slab_create(env, NAME);
}

/* The smallest region, cached: finding it takes longer than most programs. */
static size_t least_region_bytes(const struct slm_adapter_slab_shape *shape)
{
    static struct slm_adapter_slab_shape last;
    static size_t bytes;
    bool same = last.page_bytes == shape->page_bytes &&
                last.min_object_bytes == shape->min_object_bytes &&
                last.gap_bytes == shape->gap_bytes && last.per_doubling == shape->per_doubling &&
                last.max_bytes == shape->max_bytes;
    if (bytes == 0 || !same) {
        struct slm_slab_options options = options_of(shape, NAME);
        bytes = slm_slab_region_bytes(&options, 1);
        last = *shape;
    }
    return bytes;
}

static const char *create_refused(const struct slm_adapter_env *env)
{
    return env->region_bytes < least_region_bytes(env->slab_shape) ? NULL
                                                                   : "the region is long enough";
}

static void destroy(void *self)
{
    hrn_slab_views_close(&((struct arena *)self)->views);
}

struct hrn_slab_views *hrn_slab_views_of(void *self)
{
    return &((struct arena *)self)->views;
}

struct slm_slab *hrn_slab_of(void *self)
{
    return hrn_slab_views_next(&((struct arena *)self)->views);
}

/* p is the answer of `call`, which made n_before reports more than there were. */
static void *note_answer(struct arena *a, const char *call, size_t size_bytes, size_t align_bytes,
                         unsigned n_before, void *p)
{
    bool no_power = align_bytes == 0 || (align_bytes & (align_bytes - 1)) != 0;
    bool bad_align = no_power || align_bytes > SLM_SLAB_ALIGN_MAX;
    enum slm_status why = bad_align ? SLM_E_ALIGN : SLM_E_NOMEM;
    const struct slm_slab_event want = {p != NULL ? SLM_OK : why, NULL, call, size_bytes, NULL};
    hrn_slab_views_expect_event(&a->views, n_before, &want);
    a->views.last = p != NULL ? p : a->views.last;
    return p;
}

static void *allocate(void *self, size_t size_bytes)
{
    struct arena *a = self;
    unsigned n_before = a->views.n_events;
    void *p = slm_slab_alloc(hrn_slab_of(a), size_bytes);
    return note_answer(a, "alloc", size_bytes, 1, n_before, p);
}

static void *allocate_zeroed(void *self, size_t n, size_t size_bytes)
{
    struct arena *a = self;
    unsigned n_before = a->views.n_events;
    size_t product = hrn_product(n, size_bytes);
    void *p = slm_slab_calloc(hrn_slab_of(a), product);
    return note_answer(a, "calloc", product, 1, n_before, p);
}

static void *allocate_aligned(void *self, size_t align_bytes, size_t size_bytes)
{
    struct arena *a = self;
    unsigned n_before = a->views.n_events;
    void *p = slm_slab_memalign(hrn_slab_of(a), align_bytes, size_bytes);
    return note_answer(a, "memalign", size_bytes, align_bytes, n_before, p);
}

static enum slm_adapter_answer release(void *self, void *p, size_t size_bytes)
{
    struct arena *a = self;
    unsigned n_before = a->views.n_events;
    (void)size_bytes;
    enum slm_status status = slm_slab_free(hrn_slab_of(a), p);
    const struct slm_slab_event want = {status, NULL, "free", 0, p};
    hrn_slab_views_expect_event(&a->views, n_before, &want);
    a->views.last = status == SLM_OK && p == a->views.last ? NULL : a->views.last;
    return hrn_answer_of(status);
}

static size_t usable_bytes(void *self, void *p)
{
    return slm_slab_usable_bytes(hrn_slab_of(self), p);
}

static void reset(void *self)
{
    struct arena *a = self;
    (void)slm_slab_reset(hrn_slab_of(a));
    a->root = NULL;
    a->views.last = NULL;
}

static size_t trim(void *self)
{
    struct arena *a = self;
    hrn_slab_views_kill_holder(&a->views);
    size_t n_pages = slm_slab_trim(a->slab);
    hrn_slab_shadow_trimmed(&a->shadow, n_pages);
    return n_pages;
}

/* How many pages there must be in a region of this length. */
static size_t pages_in(const struct arena *a, size_t region_bytes)
{
    size_t n = region_bytes < a->max_bytes ? region_bytes : a->max_bytes;
    size_t metadata_bytes = (size_t)(a->shadow.memory - a->shadow.region);
    return (n - metadata_bytes) / a->shadow.page_bytes;
}

static enum slm_adapter_answer grow(void *self, size_t by_bytes)
{
    struct arena *a = self;
    size_t region_bytes = a->env->region_bytes + by_bytes;
    size_t most = pages_in(a, region_bytes);
    /* The last page of the reserve may have to hold tables instead. */
    size_t least = most < pages_in(a, a->max_bytes) ? most : most - 1;
    size_t n_before = a->shadow.n_pages;
    size_t n_pages = hrn_slab_views_grow(&a->views, region_bytes, least > n_before);
    least = least > n_before ? least : n_before;
    if (n_pages < least || n_pages > most) {
        a->env->fail(a->env, "region_change: %zu pages in %zu bytes, should be %zu", n_pages,
                     region_bytes, most);
    }
    hrn_slab_shadow_grown(&a->shadow, n_pages);
    return SLM_ADAPTER_OK;
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
        a->env->fail(a->env, "anchor: %p cannot be the root: %s", p, slm_status_name(status));
    }
    a->root = p;
}

static void check_anchors(const struct arena *a)
{
    void *root = slm_slab_root(a->views.views[1]);
    const char *name = slm_slab_name(a->views.views[1]);
    if (root != a->root) {
        a->env->fail(a->env, "anchor: the root is %p, should be %p", root, a->root);
    }
    if (strcmp(name, NAME_KEPT) != 0) {
        a->env->fail(a->env, "anchor: the name is '%s', should be '%s'", name, NAME_KEPT);
    }
}

static void granted(void *self, const struct slm_adapter_request *rq, void *p)
{
    struct arena *a = self;
    hrn_slab_shadow_granted(&a->shadow, rq, p);
    if (a->root == NULL) {
        set_root(a, p);
    }
}

static const char *refused(void *self, const struct slm_adapter_request *rq,
                           const struct slm_adapter_refusal *seen)
{
    (void)seen;
    return hrn_slab_shadow_refused(&((struct arena *)self)->shadow, rq);
}

static void freed(void *self, const struct slm_adapter_request *rq, void *p, size_t size_bytes)
{
    struct arena *a = self;
    (void)rq;
    (void)size_bytes;
    hrn_slab_shadow_freed(&a->shadow, p);
    if (p == a->root) {
        set_root(a, NULL);
    }
}

static uint32_t bad_free(void *self, enum slm_adapter_misuse misuse, const void *p)
{
    (void)misuse;
    return hrn_slab_shadow_bad_free(&((struct arena *)self)->shadow, p);
}

static void walk(void *self, size_t n_live, size_t live_bytes)
{
    struct arena *a = self;
    (void)live_bytes;
    hrn_slab_views_check(&a->views);
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

static const struct slm_adapter_checks checks = {
    .granted = granted,
    .refused = refused,
    .create_refused = create_refused,
    .freed = freed,
    .bad_free = bad_free,
    .walk = walk,
    .walk_size = walk_size,
    .emptied = emptied,
};

const struct slm_adapter hrn_adapter_slab = {
    .name = "slab",
    .create = create,
    .alloc = allocate,
    .free = release,
    .destroy = destroy,
    .alloc_zeroed = allocate_zeroed,
    .alloc_aligned = allocate_aligned,
    .usable_bytes = usable_bytes,
    .reset = reset,
    .trim = trim,
    .grow = grow,
    .align_of = align_of,
    .align_max_bytes = SLM_SLAB_ALIGN_MAX,
    .align_refuses = true,
    .checks = &checks,
};
SLM_ADAPTER_ADD(slab, hrn_adapter_slab);
