/* SPDX-License-Identifier: Apache-2.0 */
/* Two-level segregated lists: a list of free chunks for each quarter of a doubling, found by
 * bitmaps. Requests also search the list that their own size belongs to, so none is refused that
 * could be served. Chunks know the size of their left neighbour. */
#include "harness/zoo/kind.h"

#define BUG(name, kind, sentence) LEVELS_##name,
enum levels_bug { LEVELS_right, HRN_ZOO_LEVELS_LIST(BUG) LEVELS_N };
#undef BUG
#define IS(name)      (t->zoo.bug == LEVELS_##name)
#define ZOO_BUG(name) LEVELS_##name

#define CHUNK_LEAST  32u
#define ALIGN_MAX    65536u
#define REGION_MAX   (1u << 30)
#define N_FIRST      32u
#define N_SECOND     4u
#define REGION_LEAST 64u

/* A multiple of 16. The object starts at `next`. */
struct chunk {
    uint32_t left_bytes; /* of the left neighbour; 0: there is none */
    uint32_t bytes;      /* 0: the end of a region, in use */
    uint32_t in_use;
    uint32_t align_bytes; /* the object's */
    struct chunk *next;
    struct chunk *prev;
};
#define HEAD_BYTES offsetof(struct chunk, next)

struct region {
    struct region *next;
    struct chunk *first;
    size_t bytes;
};

struct levels {
    struct zoo zoo;
    struct region *regions; /* blocks of the source, the newest first */
    uint32_t first_map;
    uint32_t second_map[N_FIRST];
    struct chunk *lists[N_FIRST][N_SECOND];
};

/* --- Chunks --- */

static struct chunk *at(const void *base, size_t offset)
{
    return (void *)((uintptr_t)base + offset);
}

static struct chunk *right_of(const struct chunk *c)
{
    return at(c, c->bytes);
}

static struct chunk *chunk_of(void *p)
{
    return (void *)((uintptr_t)p - HEAD_BYTES);
}

static void set_bytes(const struct levels *t, struct chunk *c, size_t bytes)
{
    c->bytes = (uint32_t)bytes;
    right_of(c)->left_bytes = (uint32_t)bytes;
    if (IS(left_tag) && bytes > CHUNK_LEAST) {
        memcpy(at(right_of(c), 0u - ZOO_GRANULE), &c->bytes, sizeof c->bytes);
    }
}

static void class_of(size_t bytes, unsigned *first, unsigned *second)
{
    *first = 63u - (unsigned)__builtin_clzll((unsigned long long)bytes);
    *second = (unsigned)(bytes >> (*first - 2)) % N_SECOND;
}

static void link_chunk(struct levels *t, struct chunk *c)
{
    unsigned f;
    unsigned s;
    class_of(c->bytes, &f, &s);
    c->in_use = 0;
    c->prev = NULL;
    c->next = t->lists[f][s];
    if (c->next != NULL) {
        c->next->prev = c;
    }
    t->lists[f][s] = c;
    t->first_map |= 1u << f;
    t->second_map[f] |= 1u << s;
}

static void unlink_chunk(struct levels *t, const struct chunk *c)
{
    unsigned f;
    unsigned s;
    class_of(c->bytes, &f, &s);
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    if (c->prev != NULL) {
        c->prev->next = c->next;
    } else if (c->next != NULL || !IS(last_listed)) {
        t->lists[f][s] = c->next;
    }
    if (t->lists[f][s] == NULL) {
        t->second_map[f] &= ~(1u << s);
        t->first_map &= t->second_map[f] == 0 ? ~(1u << f) : UINT32_MAX;
    }
}

static void release(struct levels *t, struct chunk *c)
{
    struct chunk *right = right_of(c);
    struct chunk *left = at(c, 0 - (size_t)c->left_bytes);
    bool has_left = c->left_bytes > 0 && !IS(merge_left) && left->in_use == 0;
    bool has_right = right->in_use == 0 && !(IS(merge_both) && has_left);
    size_t bytes = c->bytes;
    if (has_right) {
        unlink_chunk(t, right);
        bytes += right->bytes;
    }
    if (has_left) {
        unlink_chunk(t, left);
        bytes += left->bytes;
        c = left;
    }
    set_bytes(t, c, bytes);
    link_chunk(t, c);
}

/* --- Requests --- */

static size_t need_of(size_t size_bytes)
{
    return zoo_round_up(size_bytes + HEAD_BYTES + (size_bytes == 0), ZOO_GRANULE);
}

/* Where in a free chunk one of `need` bytes starts; NULL: it does not fit. */
static struct chunk *place(const struct levels *t, struct chunk *c, size_t align, size_t need)
{
    uintptr_t first = (uintptr_t)c + HEAD_BYTES;
    size_t before = zoo_round_up(first, align) - first;
    before += before > 0 && before < CHUNK_LEAST ? align : 0;
    return (IS(align_room) ? 0 : before) + need <= c->bytes ? at(c, before) : NULL;
}

/* The first free chunk that serves, in the lists from the request's own class on; NULL: none. */
static struct chunk *good_fit(const struct levels *t, size_t align, size_t need)
{
    unsigned f;
    unsigned s;
    size_t n_left = t->zoo.bytes / CHUNK_LEAST;
    class_of(need, &f, &s);
    bool own = true;
    for (; f < N_FIRST; f++, s = 0) {
        uint32_t seconds = (t->first_map >> f & 1u) != 0 ? t->second_map[f] : 0;
        for (; s < N_SECOND; s++, own = false) {
            bool skipped = (IS(own_class) && own && f > 9) || (IS(last_class) && s == N_SECOND - 1);
            struct chunk *c = (seconds >> s & 1u) != 0 && !skipped ? t->lists[f][s] : NULL;
            for (; c != NULL && n_left > 0; c = c->next, n_left--) {
                bool any = IS(class_down) && own && align == ZOO_GRANULE;
                if (any || place(t, c, align, need) != NULL) {
                    return c;
                }
            }
        }
    }
    return NULL;
}

/* Makes a free chunk of the last `rest` bytes of c. */
static void cut_rest(struct levels *t, struct chunk *c, size_t rest)
{
    struct chunk *right = right_of(c);
    set_bytes(t, c, c->bytes - rest);
    struct chunk *tail = right_of(c);
    tail->bytes = (uint32_t)rest;
    if (IS(rest_long) && right->bytes > 0) {
        tail->bytes += ZOO_GRANULE;
    }
    right->left_bytes = tail->bytes;
    tail->in_use = 1;
    if (IS(rest_lost) && rest < 2 * CHUNK_LEAST) {
        tail->in_use = 0;
        tail->next = NULL;
        tail->prev = tail;
    } else {
        release(t, tail);
    }
}

static void *allocate(struct levels *t, size_t align, size_t size_bytes)
{
    size_t need = size_bytes > t->zoo.bytes ? 0 : need_of(size_bytes);
    struct chunk *c = need == 0 ? NULL : good_fit(t, align, need);
    if (c == NULL) {
        return NULL;
    }
    struct chunk *where = place(t, c, align, need);
    where = where == NULL ? c : where;
    size_t before = (size_t)((uintptr_t)where - (uintptr_t)c);
    size_t bytes = c->bytes;
    unlink_chunk(t, c);
    c->in_use = 1;
    if (before > 0) {
        set_bytes(t, c, before);
        where->in_use = 1;
        set_bytes(t, where, bytes > before ? bytes - before : ZOO_GRANULE);
        link_chunk(t, c);
    }
    where->align_bytes = (uint32_t)align;
    if (where->bytes >= need + CHUNK_LEAST) {
        cut_rest(t, where, where->bytes - need);
    }
    zoo_count(&t->zoo, size_bytes);
    return at(where, HEAD_BYTES);
}

/* Resizes a chunk where it is. */
static bool resize_chunk(struct levels *t, struct chunk *c, size_t need)
{
    struct chunk *right = right_of(c);
    size_t room = c->bytes + (right->in_use != 0 ? 0 : right->bytes);
    size_t missing = IS(grow_long) && right->in_use == 0 && room + ZOO_GRANULE == need;
    size_t cut = IS(cut_short) && need < c->bytes && need > CHUNK_LEAST ? ZOO_GRANULE : 0;
    if (need > room && missing == 0) {
        return false;
    }
    if (need > c->bytes) {
        unlink_chunk(t, right);
        set_bytes(t, c, room);
    }
    if (c->bytes >= need - cut + CHUNK_LEAST) {
        cut_rest(t, c, c->bytes - (need - cut));
    }
    return true;
}

/* --- The adapter's functions --- */

/* Makes one free chunk of a region. */
static void fill_region(struct levels *t, const struct region *region)
{
    struct chunk *c = region->first;
    c->left_bytes = IS(first_left) ? ZOO_GRANULE : 0;
    set_bytes(t, c, region->bytes);
    right_of(c)->bytes = 0;
    right_of(c)->in_use = 1;
    link_chunk(t, c);
}

static struct region *add(struct levels *t, void *start, size_t bytes)
{
    struct region *region = zoo_block(t->zoo.source, sizeof *region);
    if (region != NULL) {
        size_t rounded = IS(end_rounded_up) ? zoo_round_up(bytes, ZOO_GRANULE) : bytes;
        region->first = start;
        region->bytes = rounded / ZOO_GRANULE * ZOO_GRANULE - HEAD_BYTES;
        region->next = t->regions;
        t->regions = region;
    }
    return region;
}

static void reset(void *self)
{
    struct levels *t = self;
    t->zoo.n_objects = 0;
    t->zoo.object_bytes = 0;
    t->first_map = 0;
    for (unsigned f = 0; f < N_FIRST; f++) {
        bool kept = IS(reset_class) && f > 10 && t->second_map[f] != 0;
        for (unsigned s = 0; s < N_SECOND; s++) {
            t->lists[f][s] = kept ? t->lists[f][s] : NULL;
        }
        t->second_map[f] = kept ? t->second_map[f] : 0;
        t->first_map |= kept ? 1u << f : 0;
    }
    for (const struct region *region = t->regions; region != NULL; region = region->next) {
        fill_region(t, region);
    }
    if (IS(record_stays) && t->regions->next != NULL) {
        t->regions = t->regions->next;
    }
}

static void *create(const struct slm_adapter_env *env, unsigned bug)
{
    struct levels *t = zoo_block(env->source, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    memset(t, 0, sizeof *t);
    zoo_init(&t->zoo, env, bug);
    if (add(t, env->region, env->region_bytes) == NULL) {
        if (!IS(control_leaks)) {
            zoo_give(env->source, t, sizeof *t);
        }
        return NULL;
    }
    fill_region(t, t->regions);
    return t;
}

static void destroy(void *self)
{
    struct levels *t = self;
    while (t->regions != NULL) {
        struct region *next = t->regions->next;
        zoo_give(t->zoo.source, t->regions, sizeof *next);
        t->regions = next;
    }
    zoo_give(t->zoo.source, t, sizeof *t);
}

static enum slm_adapter_answer add_region(void *self, void *region, size_t region_bytes)
{
    struct levels *t = self;
    if (region_bytes < REGION_LEAST || add(t, region, region_bytes) == NULL) {
        return SLM_ADAPTER_REFUSED;
    }
    t->zoo.bytes += region_bytes;
    if (IS(region_lost)) {
        t->regions->first->bytes = 0;
        t->regions->first->in_use = 1;
    } else {
        fill_region(t, t->regions);
    }
    return SLM_ADAPTER_OK;
}

static void *alloc(void *self, size_t size_bytes)
{
    return allocate(self, ZOO_GRANULE, size_bytes);
}

static void *alloc_aligned(void *self, size_t align_bytes, size_t size_bytes)
{
    struct levels *t = self;
    size_t asked = IS(align_32_bits) ? (uint32_t)align_bytes : align_bytes;
    size_t align = zoo_align(asked, ZOO_GRANULE, ALIGN_MAX);
    return align == 0 ? NULL : allocate(t, align, size_bytes);
}

static void *alloc_zeroed(void *self, size_t n, size_t size_bytes)
{
    struct levels *t = self;
    size_t bytes = zoo_product(n, size_bytes, IS(product_wraps));
    unsigned char *p = allocate(t, ZOO_GRANULE, bytes);
    size_t links = IS(reuse_dirty) ? zoo_min(bytes, 2 * sizeof(struct chunk *)) : 0;
    if (p != NULL) {
        memset(p + links, 0, bytes - links);
    }
    return p;
}

static enum slm_adapter_answer free_object(void *self, void *p, size_t size_bytes)
{
    struct levels *t = self;
    if (p != NULL) {
        zoo_uncount(&t->zoo, size_bytes);
        release(t, chunk_of(p));
    }
    return SLM_ADAPTER_OK;
}

static enum slm_adapter_answer free_sized(void *self, void *p, size_t size_bytes,
                                          size_t align_bytes)
{
    struct levels *t = self;
    (void)align_bytes;
    if (IS(freed_twice_counted)) {
        zoo_uncount(&t->zoo, size_bytes);
    }
    return free_object(t, p, size_bytes);
}

static enum slm_adapter_answer resize_in_place(void *self, void *p, size_t old_bytes,
                                               size_t new_bytes)
{
    struct levels *t = self;
    if (new_bytes > t->zoo.bytes || !resize_chunk(t, chunk_of(p), need_of(new_bytes))) {
        return SLM_ADAPTER_UNCHANGED;
    }
    t->zoo.object_bytes += new_bytes - old_bytes;
    return SLM_ADAPTER_OK;
}

/* As realloc: of NULL it allocates, to 0 it frees. Keeps the alignment. */
static void *resize(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    struct levels *t = self;
    if (p == NULL) {
        return allocate(t, ZOO_GRANULE, new_bytes);
    }
    if (new_bytes == 0) {
        (void)free_object(t, p, old_bytes);
        return NULL;
    }
    if (resize_in_place(t, p, old_bytes, new_bytes) == SLM_ADAPTER_OK) {
        return p;
    }
    size_t align = IS(resize_align) ? ZOO_GRANULE : chunk_of(p)->align_bytes;
    void *moved = allocate(t, align, new_bytes);
    if (moved != NULL) {
        memcpy(moved, p, zoo_min(old_bytes, new_bytes) - (IS(copy_less) && old_bytes > 0 ? 1 : 0));
        (void)free_object(t, p, old_bytes);
    }
    return moved;
}

static size_t usable_bytes(void *self, void *p)
{
    const struct levels *t = self;
    return chunk_of(p)->bytes - (IS(header_usable) ? 0 : HEAD_BYTES);
}

/* --- Checks, counts, promises --- */

static const char *check(void *self)
{
    const struct levels *t = self;
    for (const struct region *region = t->regions; region != NULL; region = region->next) {
        const struct chunk *end = at(region->first, region->bytes);
        const struct chunk *c = region->first;
        size_t left = c->left_bytes;
        for (; c < end && c->bytes > 0; c = right_of(c)) {
            if (c->bytes < CHUNK_LEAST || c->bytes % ZOO_GRANULE != 0 || c->left_bytes != left) {
                return "a chunk has an impossible size";
            }
            left = c->bytes;
        }
        if (c != end && !IS(region_lost)) {
            return "a region's chunks do not end where it does";
        }
    }
    return NULL;
}

static void walk(void *self, slm_adapter_visit_fn visit, void *data)
{
    const struct levels *t = self;
    for (const struct region *region = t->regions; region != NULL; region = region->next) {
        for (struct chunk *c = region->first; c->bytes > 0; c = right_of(c)) {
            if (c->in_use != 0) {
                visit(data, at(c, HEAD_BYTES), c->bytes - HEAD_BYTES);
            }
        }
        if (IS(walk_first)) {
            return;
        }
    }
}

/* Of a gap, 80 bytes may not be usable: the rest that an object left of it keeps (31), the next
 * header, the end of the region (31). */
static size_t footprint_bytes(void *self, size_t size_bytes, size_t align_bytes)
{
    (void)self;
    size_t align = align_bytes <= ZOO_GRANULE ? 0 : align_bytes + CHUNK_LEAST;
    return need_of(size_bytes) + 80 + align;
}

static size_t n_fit(void *self, size_t size_bytes)
{
    const struct levels *t = self;
    size_t n = 0;
    for (const struct region *region = t->regions; region != NULL; region = region->next) {
        n += size_bytes > region->bytes ? 0 : region->bytes / need_of(size_bytes);
    }
    return n;
}

/* --- The table --- */

#define ZOO_NAME "zoo_levels_"
#define ZOO_FIELDS                                                                                 \
    .destroy = destroy, .alloc = alloc, .free = free_object, .alloc_zeroed = alloc_zeroed,         \
    .alloc_aligned = alloc_aligned, .resize = resize, .resize_in_place = resize_in_place,          \
    .free_sized = free_sized, .usable_bytes = usable_bytes, .reset = reset,                        \
    .add_region = add_region, .check = check, .statistics = zoo_statistics, .walk = walk,          \
    .align_bytes = ZOO_GRANULE, .align_max_bytes = ALIGN_MAX, .align_refuses = true,               \
    .resize_keeps_align = true, .resize_null = true, .resize_zero = SLM_ADAPTER_RESIZE_ZERO_FREES, \
    .region_min_bytes = REGION_LEAST, .region_max_bytes = REGION_MAX,                              \
    .bad_free = {[SLM_ADAPTER_MISUSE_NULL] = SLM_ADAPTER_BIT(SLM_ADAPTER_OK)},                     \
    .empty_serves = true, .freed_serves = true, .monotone = true, .gap_serves = true,              \
    .footprint_bytes = footprint_bytes, .n_fit = n_fit

ZOO_CREATE(right, , )
HRN_ZOO_LEVELS_LIST(ZOO_CREATE)
const struct slm_adapter hrn_zoo_levels[] = {
    {.name = "zoo_levels", .create = create_right, ZOO_FIELDS}, HRN_ZOO_LEVELS_LIST(ZOO_ENTRY)};
SLM_ADAPTER_ADD(zoo_levels, hrn_zoo_levels[0]);
