/* SPDX-License-Identifier: Apache-2.0 */
/* A bump pointer with holes: objects have no header, so free and resize need their size. Freed
 * objects become holes, in a list sorted by address. Holes merge with each other and with the top. */
#include "harness/zoo/kind.h"

#define BUG(name, kind, sentence) BUMP_##name,
enum bump_bug { BUMP_right, HRN_ZOO_BUMP_LIST(BUG) BUMP_N };
#undef BUG
#define IS(name)      (b->zoo.bug == BUMP_##name)
#define ZOO_BUG(name) BUMP_##name

#define ALIGN_MAX 16384u

struct hole {
    struct hole *next;
    size_t bytes;
};

struct bump {
    struct zoo zoo;
    unsigned char *top; /* all above is free */
    unsigned char *end;
    struct hole holes; /* its `next` is the lowest */
    bool used_a_hole;  /* the last request */
};

static unsigned char *end_of(struct hole *hole)
{
    return (unsigned char *)hole + hole->bytes;
}

/* What an object takes. */
static size_t length(const struct bump *b, size_t size_bytes)
{
    size_t cut = IS(one_over) && size_bytes % ZOO_GRANULE == 1 && size_bytes > 1 ? 1 : 0;
    return zoo_round_up(size_bytes - cut, ZOO_GRANULE);
}

static unsigned char *aligned(const void *p, size_t align)
{
    return (void *)zoo_round_up((uintptr_t)p, align);
}

/* --- Holes --- */

/* Where the pointer to a hole at p stands, or would stand. */
static struct hole *before(struct bump *b, const unsigned char *p)
{
    struct hole *hole = &b->holes;
    size_t n_left = b->zoo.bytes / ZOO_GRANULE;
    while (hole->next != NULL && (unsigned char *)hole->next < p && n_left-- > 0) {
        hole = hole->next;
    }
    return hole;
}

/* A last hole that reaches the top is part of what is above. */
static void lower_top(struct bump *b, struct hole *left)
{
    struct hole *last = left->next == NULL ? left : left->next;
    if (last == &b->holes || last->next != NULL || end_of(last) != b->top || IS(top_stays)) {
        return;
    }
    b->top = (unsigned char *)last;
    if (!IS(listed_above)) {
        before(b, b->top)->next = NULL;
    }
}

static void add_hole(struct bump *b, unsigned char *p, size_t bytes)
{
    struct hole *left = before(b, p);
    struct hole *hole = (void *)p;
    hole->next = left->next;
    hole->bytes = IS(hole_32_bits) ? (uint32_t)bytes : bytes;
    left->next = hole;
    if (IS(long_node)) {
        memcpy(p + sizeof *hole, &p, sizeof p);
    }
    if (hole->next != NULL && end_of(hole) == (unsigned char *)hole->next && !IS(merge_right)) {
        hole->bytes += hole->next->bytes;
        hole->next = hole->next->next;
    }
    if (left != &b->holes && end_of(left) == p && !IS(merge_left)) {
        left->bytes += hole->bytes;
        left->next = hole->next;
        hole = left;
    }
    lower_top(b, hole);
}

/* --- Requests --- */

/* From the first hole that has room; NULL: none has. */
static unsigned char *from_holes(struct bump *b, size_t align, size_t bytes)
{
    struct hole *left = &b->holes;
    size_t n_left = b->zoo.bytes / ZOO_GRANULE;
    if (IS(first_hole) && (unsigned char *)left->next == b->zoo.start) {
        left = left->next;
    }
    for (; left->next != NULL && n_left > 0; left = left->next, n_left--) {
        struct hole *hole = left->next;
        unsigned char *p = aligned(hole, align);
        size_t pad = (size_t)(p - (unsigned char *)hole);
        size_t rest = hole->bytes - pad - bytes;
        if (pad + bytes > hole->bytes) {
            continue;
        }
        left->next = hole->next;
        if (rest > 0 && !(IS(rest_lost) && rest == ZOO_GRANULE)) {
            bool longer = IS(rest_long) && p + bytes + rest < b->top;
            add_hole(b, p + bytes, rest + (longer ? ZOO_GRANULE : 0));
        }
        if (pad > 0) {
            add_hole(b, (unsigned char *)hole, pad);
        }
        return p;
    }
    return NULL;
}

/* From above the top; NULL: there is no room. */
static unsigned char *from_top(struct bump *b, size_t align, size_t bytes)
{
    unsigned char *p = aligned(b->top, align);
    size_t pad = (size_t)(p - b->top);
    size_t room = (size_t)(b->end - b->top);
    size_t need = bytes + (IS(align_end) ? 0 : pad) + (IS(exact_end) ? 1 : 0);
    if (need > room) {
        return NULL;
    }
    unsigned char *old = b->top;
    b->top = p + bytes;
    if (pad > 0 && !IS(pad_lost)) {
        add_hole(b, old, pad);
    }
    return p;
}

static void *allocate(struct bump *b, size_t align, size_t size_bytes)
{
    if (size_bytes == 0 || size_bytes > b->zoo.bytes) {
        return NULL;
    }
    size_t bytes = length(b, size_bytes);
    unsigned char *p = from_holes(b, align, bytes);
    b->used_a_hole = p != NULL;
    p = p == NULL ? from_top(b, align, bytes) : p;
    if (p != NULL) {
        zoo_count(&b->zoo, size_bytes);
    }
    return p;
}

/* Gives back the bytes from `bytes` on. */
static void cut(struct bump *b, unsigned char *p, size_t old, size_t bytes)
{
    size_t more = IS(cut_short) && bytes > ZOO_GRANULE ? ZOO_GRANULE : 0;
    if (bytes < old) {
        add_hole(b, p + bytes - more, old - bytes + more);
    }
}

/* Takes the bytes after an object. */
static bool extend(struct bump *b, unsigned char *p, size_t old, size_t bytes)
{
    unsigned char *next = p + old;
    size_t more = bytes - old;
    if (next == b->top) {
        bool fits = more <= (size_t)(b->end - b->top) || IS(grow_past);
        b->top += fits ? more : 0;
        return fits;
    }
    struct hole *left = before(b, next);
    struct hole *hole = left->next;
    if (hole == NULL || (unsigned char *)hole != next || hole->bytes < more) {
        return false;
    }
    left->next = hole->next;
    if (hole->bytes > more) {
        add_hole(b, next + more, hole->bytes - more);
    }
    return true;
}

/* --- The adapter's functions --- */

static unsigned char *end_at(const struct bump *b, size_t bytes)
{
    size_t rounded =
        IS(end_rounded_up) ? zoo_round_up(bytes, ZOO_GRANULE) : bytes / ZOO_GRANULE * ZOO_GRANULE;
    return b->zoo.start + rounded;
}

static void reset(void *self)
{
    struct bump *b = self;
    b->zoo.n_objects = 0;
    b->zoo.object_bytes = 0;
    b->top = b->zoo.start;
    b->holes.next = IS(reset_holes) ? b->holes.next : NULL;
}

static void *create(const struct slm_adapter_env *env, unsigned bug)
{
    struct bump *b = zoo_block(env->source, sizeof *b);
    if (b == NULL) {
        return NULL;
    }
    zoo_init(&b->zoo, env, bug);
    b->end = end_at(b, env->region_bytes);
    b->holes = (struct hole){NULL, 0};
    reset(b);
    return b;
}

static void destroy(void *self)
{
    struct bump *b = self;
    if (!IS(control_stays) || b->holes.next == NULL) {
        zoo_give(b->zoo.source, b, sizeof *b);
    }
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
    struct bump *b = self;
    size_t bytes = zoo_product(n, size_bytes, IS(product_wraps));
    void *p = allocate(b, ZOO_GRANULE, bytes);
    if (p != NULL && !(IS(hole_dirty) && b->used_a_hole)) {
        memset(p, 0, bytes);
    }
    return p;
}

static enum slm_adapter_answer free_object(void *self, void *p, size_t size_bytes)
{
    struct bump *b = self;
    if (p == NULL) {
        return SLM_ADAPTER_OK;
    }
    unsigned char *start = p;
    size_t bytes = length(b, size_bytes);
    zoo_uncount(&b->zoo, size_bytes);
    if (start + bytes == b->top && !IS(top_stays)) {
        b->top = start;
        lower_top(b, before(b, start));
    } else {
        add_hole(b, start, bytes);
    }
    return SLM_ADAPTER_OK;
}

static enum slm_adapter_answer free_sized(void *self, void *p, size_t size_bytes,
                                          size_t align_bytes)
{
    (void)align_bytes;
    return free_object(self, p, size_bytes);
}

static enum slm_adapter_answer resize_in_place(void *self, void *p, size_t old_bytes,
                                               size_t new_bytes)
{
    struct bump *b = self;
    if (new_bytes == 0 || new_bytes > b->zoo.bytes) {
        return SLM_ADAPTER_UNCHANGED;
    }
    size_t old = length(b, old_bytes);
    size_t bytes = length(b, new_bytes);
    if (bytes > old && !extend(b, p, old, bytes)) {
        return SLM_ADAPTER_UNCHANGED;
    }
    cut(b, p, old, bytes);
    b->zoo.object_bytes += IS(resize_uncounted) && bytes > old ? 0 : new_bytes - old_bytes;
    return SLM_ADAPTER_OK;
}

static void *resize_aligned(void *self, void *p, size_t align_bytes, size_t old_bytes,
                            size_t new_bytes)
{
    struct bump *b = self;
    bool is_aligned = ((uintptr_t)p & (align_bytes - 1)) == 0 || IS(resize_align);
    if (is_aligned && resize_in_place(b, p, old_bytes, new_bytes) == SLM_ADAPTER_OK) {
        return p;
    }
    void *moved = alloc_aligned(b, align_bytes, new_bytes);
    if (moved != NULL) {
        size_t kept = zoo_min(old_bytes, new_bytes);
        memcpy(moved, p, IS(copy_rounded) ? kept / ZOO_GRANULE * ZOO_GRANULE : kept);
        (void)free_object(b, p, old_bytes);
    }
    return moved;
}

static void *resize(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    return resize_aligned(self, p, ZOO_GRANULE, old_bytes, new_bytes);
}

static enum slm_adapter_answer grow(void *self, size_t by_bytes)
{
    struct bump *b = self;
    b->zoo.bytes += by_bytes;
    b->end = end_at(b, b->zoo.bytes);
    return SLM_ADAPTER_OK;
}

static enum slm_adapter_answer shrink(void *self, size_t by_bytes)
{
    struct bump *b = self;
    unsigned char *end = end_at(b, b->zoo.bytes - by_bytes);
    if (end < b->top && !IS(shrunk_top)) {
        return SLM_ADAPTER_REFUSED;
    }
    b->zoo.bytes -= by_bytes;
    b->end = end;
    return SLM_ADAPTER_OK;
}

/* --- Checks, counts, promises --- */

static const char *check(void *self)
{
    struct bump *b = self;
    unsigned char *low = b->zoo.start;
    for (struct hole *hole = b->holes.next; hole != NULL; hole = hole->next) {
        if ((unsigned char *)hole < low || end_of(hole) > b->top) {
            return "a hole is not where it can be";
        }
        low = end_of(hole);
    }
    return NULL;
}

/* Of a gap, 30 bytes may not be usable: parts of granules on both sides. */
static size_t footprint_bytes(void *self, size_t size_bytes, size_t align_bytes)
{
    (void)self;
    size_t align = align_bytes <= ZOO_GRANULE ? 0 : align_bytes;
    return zoo_round_up(size_bytes, ZOO_GRANULE) + 2 * ZOO_GRANULE + align;
}

static size_t n_fit(void *self, size_t size_bytes)
{
    const struct bump *b = self;
    size_t bytes = zoo_round_up(size_bytes, ZOO_GRANULE);
    return size_bytes == 0 ? 0 : (size_t)(b->end - b->zoo.start) / bytes;
}

/* --- The table --- */

#define ZOO_NAME "zoo_bump_"
#define ZOO_FIELDS                                                                                 \
    .destroy = destroy, .alloc = alloc, .free = free_object, .alloc_zeroed = alloc_zeroed,         \
    .alloc_aligned = alloc_aligned, .resize = resize, .resize_aligned = resize_aligned,            \
    .resize_in_place = resize_in_place, .free_sized = free_sized, .reset = reset, .grow = grow,    \
    .shrink = shrink, .check = check, .statistics = zoo_statistics, .align_bytes = ZOO_GRANULE,    \
    .align_max_bytes = ALIGN_MAX, .align_refuses = true, .zero = SLM_ADAPTER_ZERO_REFUSED,         \
    .resize_zero = SLM_ADAPTER_RESIZE_ZERO_REFUSED, .region_min_bytes = ZOO_GRANULE,               \
    .bad_free = {[SLM_ADAPTER_MISUSE_NULL] = SLM_ADAPTER_BIT(SLM_ADAPTER_OK)},                     \
    .empty_serves = true, .freed_serves = true, .monotone = true, .gap_serves = true,              \
    .footprint_bytes = footprint_bytes, .n_fit = n_fit, .shrunk_fit = true, .sparse_regions = true

ZOO_CREATE(right, , )
HRN_ZOO_BUMP_LIST(ZOO_CREATE)
const struct slm_adapter hrn_zoo_bump[] = {{.name = "zoo_bump", .create = create_right, ZOO_FIELDS},
                                           HRN_ZOO_BUMP_LIST(ZOO_ENTRY)};
SLM_ADAPTER_ADD(zoo_bump, hrn_zoo_bump[0]);
