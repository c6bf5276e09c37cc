/* SPDX-License-Identifier: Apache-2.0 */
/* Best fit with boundary tags: chunks know their size, and whether their left neighbour is in use;
 * free chunks repeat their size at their end. Neighbours coalesce at once. */
#include "harness/zoo/kind.h"

#define BUG(name, kind, sentence) TAGS_##name,
enum tags_bug { TAGS_right, HRN_ZOO_TAGS_LIST(BUG) TAGS_N };
#undef BUG
#define IS(name)      (t->zoo.bug == TAGS_##name)
#define ZOO_BUG(name) TAGS_##name

#define HEAD_BYTES  sizeof(size_t)
#define CHUNK_LEAST 32u
#define ALIGN_MAX   4096u
#define IN_USE      1u
#define LEFT_IN_USE 2u
#define FLAGS       15u

/* The object starts at `next`, at a multiple of 16. */
struct chunk {
    size_t head; /* bytes, IN_USE, LEFT_IN_USE */
    struct chunk *next;
    struct chunk *prev;
};

struct tags {
    struct zoo zoo;
    struct chunk *first;
    struct chunk *end;       /* of 0 bytes, in use */
    struct chunk list;       /* of free chunks */
    bool took_a_whole_chunk; /* the last request */
    size_t n_counted;        /* objects, by the last check */
};

/* --- Chunks --- */

static struct chunk *at(const void *base, size_t offset)
{
    return (void *)((uintptr_t)base + offset);
}

static size_t distance(const void *from, const void *to)
{
    return (size_t)((uintptr_t)to - (uintptr_t)from);
}

static size_t bytes_of(const struct chunk *c)
{
    return c->head & ~(size_t)FLAGS;
}

static struct chunk *right_of(const struct chunk *c)
{
    return at(c, bytes_of(c));
}

/* Of a chunk whose left neighbour is free. */
static struct chunk *left_of(const struct chunk *c)
{
    const size_t *bytes = (const void *)((uintptr_t)c - sizeof *bytes);
    return (void *)((uintptr_t)c - *bytes);
}

static void *object_of(struct chunk *c)
{
    return at(c, HEAD_BYTES);
}

static struct chunk *chunk_of(void *p)
{
    return (void *)((uintptr_t)p - HEAD_BYTES);
}

static void unlink_chunk(struct chunk *c)
{
    c->next->prev = c->prev;
    c->prev->next = c->next;
}

/* Writes the tags of a free chunk, and links it. The flag of its left neighbour stays. */
static void set_free(struct tags *t, struct chunk *c, size_t bytes)
{
    size_t tag = IS(tag_32_bits) ? (uint32_t)bytes : bytes;
    c->head = bytes | (c->head & LEFT_IN_USE);
    struct chunk *right = right_of(c);
    right->head &= ~(size_t)LEFT_IN_USE;
    memcpy(at(right, 0 - sizeof tag), &tag, sizeof tag);
    c->next = t->list.next;
    c->prev = &t->list;
    c->next->prev = c;
    t->list.next = c;
}

static struct chunk *end_of(const struct tags *t, size_t bytes)
{
    size_t rounded =
        IS(end_rounded_up) ? zoo_round_up(bytes, ZOO_GRANULE) : bytes / ZOO_GRANULE * ZOO_GRANULE;
    return at(t->zoo.start, rounded - HEAD_BYTES);
}

/* Adds to the last chunk what grow and shrink left after it, too short for a chunk. */
static void stretch(struct tags *t, struct chunk *c)
{
    struct chunk *end = end_of(t, t->zoo.bytes);
    if (right_of(c) == t->end && end > t->end && !IS(growth_lost)) {
        c->head += distance(t->end, end);
        t->end = end;
        end->head = IN_USE | LEFT_IN_USE;
    }
}

static void release(struct tags *t, struct chunk *c)
{
    stretch(t, c);
    size_t bytes = bytes_of(c);
    struct chunk *right = right_of(c);
    bool alone = IS(merge_left) || (IS(last_alone) && right == t->end);
    if ((right->head & IN_USE) == 0 && !IS(merge_right)) {
        bytes += bytes_of(right);
        if (!IS(stays_listed)) {
            unlink_chunk(right);
        }
    }
    if ((c->head & LEFT_IN_USE) == 0 && !alone) {
        c = left_of(c);
        unlink_chunk(c);
        bytes += bytes_of(c);
    }
    set_free(t, c, bytes);
}

/* --- Requests --- */

static size_t need_of(const struct tags *t, size_t size_bytes)
{
    size_t need = zoo_round_up(size_bytes + HEAD_BYTES - (IS(odd_size) ? 1 : 0), ZOO_GRANULE);
    size_t least = IS(least_chunk) ? CHUNK_LEAST / 2 : CHUNK_LEAST;
    return need < least ? least : need;
}

/* Where in a free chunk one of `need` bytes starts; NULL: it does not fit. */
static struct chunk *place(const struct tags *t, struct chunk *c, size_t align, size_t need)
{
    uintptr_t first = (uintptr_t)object_of(c);
    size_t before = zoo_round_up(first, align) - first;
    before += before > 0 && before < CHUNK_LEAST ? align : 0;
    size_t room = bytes_of(c);
    room += IS(past_end) && right_of(c) == t->end ? ZOO_GRANULE : 0;
    bool fits = IS(exact_fit) ? before + need < room : before + need <= room;
    return fits ? at(c, before) : NULL;
}

/* The smallest free chunk that serves; NULL: none. */
static struct chunk *best_fit(struct tags *t, size_t align, size_t need)
{
    struct chunk *best = NULL;
    size_t n_left = t->zoo.bytes / CHUNK_LEAST;
    for (struct chunk *c = t->list.next; c != &t->list && n_left > 0; c = c->next, n_left--) {
        bool better = best == NULL || bytes_of(c) < bytes_of(best);
        if (better && place(t, c, align, need) != NULL) {
            best = c;
        }
    }
    return best;
}

/* Takes `need` bytes at `where` out of a free chunk. */
static struct chunk *carve(struct tags *t, struct chunk *c, struct chunk *where, size_t need)
{
    size_t before = distance(c, where);
    size_t room = bytes_of(c) - before;
    size_t rest = room > need ? room - need : 0;
    unlink_chunk(c);
    t->took_a_whole_chunk = before == 0 && rest == 0;
    if (rest < CHUNK_LEAST) {
        need = room;
        rest = 0;
    }
    where->head = need | IN_USE | (before > 0 ? 0 : c->head & LEFT_IN_USE);
    right_of(where)->head = rest > 0 ? LEFT_IN_USE : right_of(where)->head | LEFT_IN_USE;
    if (rest > 0) {
        struct chunk *tail = right_of(where);
        set_free(t, tail, rest - (IS(rest_short) && rest > CHUNK_LEAST ? ZOO_GRANULE : 0));
        if (IS(rest_lost)) {
            unlink_chunk(tail);
        }
    }
    if (before > 0) {
        set_free(t, c, before);
        if (IS(prefix_lost)) {
            unlink_chunk(c);
        }
    }
    return where;
}

static void *allocate(struct tags *t, size_t align, size_t size_bytes)
{
    t->zoo.n_objects += IS(refused_counted) ? 1 : 0;
    if (size_bytes > t->zoo.bytes) {
        return NULL;
    }
    size_t need = need_of(t, size_bytes);
    struct chunk *c = best_fit(t, align, need);
    if (c == NULL) {
        return NULL;
    }
    t->zoo.n_objects -= IS(refused_counted) ? 1 : 0;
    zoo_count(&t->zoo, size_bytes);
    return object_of(carve(t, c, place(t, c, align, need), need));
}

/* Resizes a chunk where it is. */
static bool resize_chunk(struct tags *t, struct chunk *c, size_t need)
{
    struct chunk *right = right_of(c);
    size_t more = (right->head & IN_USE) != 0 ? 0 : bytes_of(right);
    size_t cut = IS(cut_short) && need < bytes_of(c) && need > CHUNK_LEAST ? ZOO_GRANULE : 0;
    if (need > bytes_of(c) + more) {
        return false;
    }
    if (need > bytes_of(c)) {
        c->head += more;
        right_of(c)->head |= LEFT_IN_USE;
        if (!IS(taken_listed)) {
            unlink_chunk(right);
        }
    }
    size_t rest = bytes_of(c) - (need - cut);
    if (rest >= CHUNK_LEAST) {
        c->head -= rest;
        struct chunk *tail = right_of(c);
        tail->head = rest | IN_USE | LEFT_IN_USE;
        release(t, tail);
    }
    return true;
}

/* --- The adapter's functions --- */

static void reset(void *self)
{
    struct tags *t = self;
    t->zoo.n_objects = 0;
    t->zoo.object_bytes = 0;
    if (!IS(reset_listed)) {
        t->list.next = &t->list;
        t->list.prev = &t->list;
    }
    t->end = IS(growth_lost) ? t->end : end_of(t, t->zoo.bytes);
    t->end->head = IN_USE;
    t->first->head = LEFT_IN_USE;
    set_free(t, t->first, distance(t->first, t->end));
}

static void *create(const struct slm_adapter_env *env, unsigned bug)
{
    struct tags *t = zoo_block(env->source, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    zoo_init(&t->zoo, env, bug);
    t->first = at(env->region, ZOO_GRANULE - HEAD_BYTES);
    t->end = end_of(t, env->region_bytes);
    t->n_counted = 0;
    t->list.next = &t->list;
    t->list.prev = &t->list;
    reset(t);
    return t;
}

static void destroy(void *self)
{
    struct tags *t = self;
    zoo_give(t->zoo.source, t, sizeof *t - (IS(returned_short) ? ZOO_GRANULE : 0));
}

static void *alloc(void *self, size_t size_bytes)
{
    return allocate(self, ZOO_GRANULE, size_bytes);
}

static void *alloc_aligned(void *self, size_t align_bytes, size_t size_bytes)
{
    size_t align = zoo_align(align_bytes, ZOO_GRANULE, ALIGN_MAX);
    return align == 0 ? NULL : allocate(self, align, size_bytes);
}

static void *alloc_zeroed(void *self, size_t n, size_t size_bytes)
{
    struct tags *t = self;
    size_t bytes = zoo_product(n, size_bytes, IS(product_wraps));
    void *p = allocate(t, ZOO_GRANULE, bytes);
    if (p != NULL && !(IS(exact_dirty) && t->took_a_whole_chunk)) {
        memset(p, 0, bytes);
    }
    return p;
}

static enum slm_adapter_answer free_object(void *self, void *p, size_t size_bytes)
{
    struct tags *t = self;
    if (p != NULL) {
        zoo_uncount(&t->zoo, size_bytes);
        release(t, chunk_of(p));
    }
    return SLM_ADAPTER_OK;
}

static enum slm_adapter_answer resize_in_place(void *self, void *p, size_t old_bytes,
                                               size_t new_bytes)
{
    struct tags *t = self;
    if (new_bytes > t->zoo.bytes || !resize_chunk(t, chunk_of(p), need_of(t, new_bytes))) {
        return SLM_ADAPTER_UNCHANGED;
    }
    t->zoo.object_bytes += new_bytes - old_bytes;
    return SLM_ADAPTER_OK;
}

static void *resize_aligned(void *self, void *p, size_t align_bytes, size_t old_bytes,
                            size_t new_bytes)
{
    struct tags *t = self;
    bool is_aligned = ((uintptr_t)p & (align_bytes - 1)) == 0;
    if (is_aligned && resize_in_place(t, p, old_bytes, new_bytes) == SLM_ADAPTER_OK) {
        return p;
    }
    void *moved = alloc_aligned(t, IS(resize_align) ? ZOO_GRANULE : align_bytes, new_bytes);
    if (moved != NULL) {
        size_t kept = zoo_min(old_bytes, new_bytes);
        size_t least = bytes_of(chunk_of(p)) - 2 * HEAD_BYTES;
        memcpy(moved, p, IS(copy_short) ? zoo_min(kept, least) : kept);
    }
    if (moved != NULL || IS(refused_frees)) {
        (void)free_object(t, p, old_bytes);
    }
    return moved;
}

static void *resize(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    return resize_aligned(self, p, ZOO_GRANULE, old_bytes, new_bytes);
}

static size_t usable_bytes(void *self, void *p)
{
    const struct tags *t = self;
    return bytes_of(chunk_of(p)) - (IS(header_usable) ? 0 : HEAD_BYTES);
}

static enum slm_adapter_answer grow(void *self, size_t by_bytes)
{
    struct tags *t = self;
    t->zoo.bytes += by_bytes;
    struct chunk *old = t->end;
    struct chunk *end = end_of(t, t->zoo.bytes);
    bool joins = (old->head & LEFT_IN_USE) == 0;
    size_t more = distance(old, end);
    /* What is too short for a chunk is used when the region has grown further. */
    if (more == 0 || (!joins && (more < CHUNK_LEAST || IS(growth_lost)))) {
        return SLM_ADAPTER_OK;
    }
    t->end = end;
    end->head = IN_USE | LEFT_IN_USE;
    old->head += more;
    release(t, old);
    return SLM_ADAPTER_OK;
}

static enum slm_adapter_answer shrink(void *self, size_t by_bytes)
{
    struct tags *t = self;
    size_t bytes = t->zoo.bytes - by_bytes;
    struct chunk *end = end_of(t, bytes);
    if (bytes < 2 * CHUNK_LEAST) {
        return SLM_ADAPTER_REFUSED;
    }
    if (end < t->end) {
        bool is_used = (t->end->head & LEFT_IN_USE) != 0;
        struct chunk *last = is_used ? t->end : left_of(t->end);
        if (is_used || last > end) {
            return SLM_ADAPTER_REFUSED;
        }
        unlink_chunk(last);
        bool whole = distance(last, end) < CHUNK_LEAST;
        t->end = whole ? last : end;
        t->end->head = IN_USE | (last->head & LEFT_IN_USE);
        if (!whole) {
            set_free(t, last, distance(last, end));
        }
    }
    t->zoo.bytes = bytes;
    return SLM_ADAPTER_OK;
}

/* --- Checks, counts, promises --- */

static const char *check(void *self)
{
    struct tags *t = self;
    size_t n_free = 0;
    size_t n_used = 0;
    size_t left_flag = LEFT_IN_USE;
    for (struct chunk *c = t->first; c != t->end; c = right_of(c)) {
        size_t bytes = bytes_of(c);
        if (bytes < CHUNK_LEAST || bytes > distance(c, t->end)) {
            return "a chunk has an impossible size";
        }
        if ((c->head & LEFT_IN_USE) != left_flag) {
            return "a chunk is wrong about its left neighbour";
        }
        left_flag = (c->head & IN_USE) != 0 ? LEFT_IN_USE : 0;
        if (left_flag == 0 && left_of(right_of(c)) != c) {
            return "the two tags of a chunk differ";
        }
        n_free += left_flag == 0 ? 1 : 0;
        n_used += left_flag == 0 ? 0 : 1;
    }
    t->n_counted = n_used;
    for (const struct chunk *c = t->list.next; c != &t->list && n_free <= t->zoo.bytes;
         c = c->next) {
        n_free--;
    }
    return n_free == 0 ? NULL : "the list and the free chunks differ";
}

static void statistics(void *self, struct slm_adapter_statistics *s)
{
    const struct tags *t = self;
    zoo_statistics(self, s);
    s->n_objects = IS(counted_by_check) ? t->n_counted : s->n_objects;
    s->free_bytes = 0;
    for (const struct chunk *c = t->first; c != t->end; c = right_of(c)) {
        s->free_bytes += (c->head & IN_USE) == 0 ? bytes_of(c) : 0;
    }
    s->used_bytes = t->zoo.bytes - s->free_bytes;
}

static void walk(void *self, slm_adapter_visit_fn visit, void *data)
{
    const struct tags *t = self;
    for (struct chunk *c = t->first; c != t->end; c = right_of(c)) {
        if ((c->head & IN_USE) != 0 && !(IS(walk_short) && right_of(c) == t->end)) {
            visit(data, object_of(c), bytes_of(c) - HEAD_BYTES);
        }
    }
}

/* Of a gap, 80 bytes may not be usable: what an object left of it keeps besides its own bytes (40),
 * the end mark, and what is too short for a chunk at the end of the region. */
static size_t footprint_bytes(void *self, size_t size_bytes, size_t align_bytes)
{
    (void)self;
    size_t need = zoo_round_up(size_bytes + HEAD_BYTES, ZOO_GRANULE);
    size_t align = align_bytes <= ZOO_GRANULE ? 0 : align_bytes + CHUNK_LEAST;
    return (need < CHUNK_LEAST ? CHUNK_LEAST : need) + 80 + align;
}

static size_t n_fit(void *self, size_t size_bytes)
{
    const struct tags *t = self;
    return size_bytes > t->zoo.bytes ? 0 : distance(t->first, t->end) / need_of(t, size_bytes);
}

/* --- The table --- */

#define ZOO_NAME "zoo_tags_"
#define ZOO_FIELDS                                                                                 \
    .destroy = destroy, .alloc = alloc, .free = free_object, .alloc_zeroed = alloc_zeroed,         \
    .alloc_aligned = alloc_aligned, .resize = resize, .resize_aligned = resize_aligned,            \
    .resize_in_place = resize_in_place, .usable_bytes = usable_bytes, .reset = reset,              \
    .grow = grow, .shrink = shrink, .check = check, .statistics = statistics, .walk = walk,        \
    .align_bytes = ZOO_GRANULE, .align_max_bytes = ALIGN_MAX, .align_refuses = true,               \
    .resize_zero = SLM_ADAPTER_RESIZE_ZERO_RESIZES, .region_min_bytes = 2 * CHUNK_LEAST,           \
    .bad_free = {[SLM_ADAPTER_MISUSE_NULL] = SLM_ADAPTER_BIT(SLM_ADAPTER_OK)},                     \
    .empty_serves = true, .freed_serves = true, .monotone = true, .gap_serves = true,              \
    .footprint_bytes = footprint_bytes, .n_fit = n_fit, .sparse_regions = true

ZOO_CREATE(right, , )
HRN_ZOO_TAGS_LIST(ZOO_CREATE)
const struct slm_adapter hrn_zoo_tags[] = {{.name = "zoo_tags", .create = create_right, ZOO_FIELDS},
                                           HRN_ZOO_TAGS_LIST(ZOO_ENTRY)};
SLM_ADAPTER_ADD(zoo_tags, hrn_zoo_tags[0]);
