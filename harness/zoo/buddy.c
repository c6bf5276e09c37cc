/* SPDX-License-Identifier: Apache-2.0 */
/* A binary buddy: a block of order k has 32 << k bytes, and starts at a multiple of that from the
 * region's start. The region may have any length. The map is a block of the source. */
#include "harness/zoo/kind.h"

#define BUG(name, kind, sentence) BUDDY_##name,
enum buddy_bug { BUDDY_right, HRN_ZOO_BUDDY_LIST(BUG) BUDDY_N };
#undef BUG
#define IS(name)      (b->zoo.bug == BUDDY_##name)
#define ZOO_BUG(name) BUDDY_##name

#define UNIT      32u
#define N_ORDERS  26u
#define ALIGN_MAX 4096u
#define INSIDE    0u
#define FREE      0x40u
#define IN_USE    0x80u
#define ORDER     0x3Fu

struct node {
    struct node *next;
    struct node *prev;
};

struct old_map {
    struct old_map *older;
    size_t bytes;
};

struct buddy {
    struct zoo zoo;
    uint8_t *map; /* of each unit: FREE or IN_USE and the order of the block that starts there */
    size_t map_bytes;
    size_t n_units;
    struct old_map *old;         /* given back by destroy */
    struct node lists[N_ORDERS]; /* of free blocks */
    bool took_a_whole_block;     /* the last request */
};

/* --- Blocks --- */

static struct node *node_at(const struct buddy *b, size_t unit)
{
    return (void *)(b->zoo.start + unit * UNIT);
}

static size_t unit_of(const struct buddy *b, const void *p)
{
    return (size_t)((uintptr_t)p - (uintptr_t)b->zoo.start) / UNIT;
}

static size_t length(unsigned order)
{
    return (size_t)1 << order;
}

static unsigned order_of(const struct buddy *b, size_t size_bytes)
{
    unsigned order = 0;
    size_t size = size_bytes - (IS(one_over) && size_bytes > UNIT && size_bytes % UNIT == 1);
    while (order < N_ORDERS && (size_t)UNIT << order < size) {
        order++;
    }
    return order;
}

static void insert(struct buddy *b, size_t unit, unsigned order)
{
    struct node *list = &b->lists[order];
    struct node *node = node_at(b, unit);
    b->map[unit] = (uint8_t)(FREE | order);
    node->next = list->next;
    node->prev = list;
    list->next->prev = node;
    list->next = node;
}

static void unlink_at(struct buddy *b, size_t unit)
{
    struct node *node = node_at(b, unit);
    node->next->prev = node->prev;
    node->prev->next = node->next;
    b->map[unit] = INSIDE;
}

/* Whether a whole free block of that order starts there. */
static bool is_free(const struct buddy *b, size_t unit, unsigned order)
{
    return unit + length(order) <= b->n_units && b->map[unit] == (FREE | order);
}

static void release(struct buddy *b, size_t unit, unsigned order)
{
    unsigned first = order;
    while (order + 1 < N_ORDERS && is_free(b, unit ^ length(order), order)) {
        size_t other = unit ^ length(order);
        bool stops = (IS(merge_left) && other < unit) || (IS(merge_once) && order > first) ||
                     (IS(first_alone) && zoo_min(unit, other) == 0);
        if (stops) {
            break;
        }
        if (IS(merged_listed)) {
            b->map[other] = INSIDE;
        } else {
            unlink_at(b, other);
        }
        b->map[unit] = INSIDE;
        unit = zoo_min(unit, other);
        order++;
    }
    insert(b, unit, order);
}

/* Adds the units from `unit` to `end` as free blocks, as large as they can be. */
static void add_units(struct buddy *b, size_t unit, size_t end)
{
    while (unit < end) {
        unsigned order = 0;
        while (order + 1 < N_ORDERS && unit % length(order + 1) == 0 &&
               unit + length(order + 1) <= end) {
            order++;
        }
        release(b, unit, order);
        unit += length(order);
    }
}

/* --- Requests --- */

/* An order from `order` on that has a free block; N_ORDERS: none. */
static unsigned find(const struct buddy *b, unsigned order)
{
    unsigned largest = N_ORDERS - 1;
    while (largest > 0 && length(largest) > b->n_units) {
        largest--;
    }
    while (order < N_ORDERS && b->lists[order].next == &b->lists[order]) {
        order++;
    }
    return order == largest && IS(largest_unseen) ? N_ORDERS : order;
}

static void *take(struct buddy *b, unsigned order)
{
    unsigned from = find(b, order);
    if (from >= N_ORDERS && IS(half_given) && order > 0) {
        return take(b, order - 1);
    }
    if (from >= N_ORDERS) {
        return NULL;
    }
    b->took_a_whole_block = from == order;
    size_t unit = unit_of(b, b->lists[from].next);
    unlink_at(b, unit);
    while (from > order) {
        from--;
        size_t upper = unit + length(from);
        if (!IS(half_lost) || from > 0) {
            insert(b, upper, from);
        }
    }
    b->map[unit] = (uint8_t)(IN_USE | (order + (IS(half_large) && !b->took_a_whole_block)));
    if (IS(map_long) && unit + length(order) < b->n_units) {
        b->map[unit + length(order)] = INSIDE;
    }
    return node_at(b, unit);
}

static void *allocate(struct buddy *b, size_t align, size_t size_bytes)
{
    size_t kept = IS(large_align) && align > 256 ? 256 : align;
    b->zoo.object_bytes += IS(refused_counted) ? size_bytes : 0;
    unsigned order = order_of(b, size_bytes > kept ? size_bytes : kept);
    void *p = size_bytes > b->zoo.bytes || order >= N_ORDERS ? NULL : take(b, order);
    if (p != NULL) {
        b->zoo.object_bytes -= IS(refused_counted) ? size_bytes : 0;
        zoo_count(&b->zoo, size_bytes);
    }
    return p;
}

/* Resizes a block where it is. */
static bool resize_block(struct buddy *b, size_t unit, unsigned old, unsigned order)
{
    for (unsigned k = old; k < order; k++) {
        bool is_upper = (unit & length(k)) != 0 && !IS(not_its_buddy);
        if (is_upper || !is_free(b, unit + length(k), k)) {
            return false;
        }
    }
    for (unsigned k = old; k < order; k++) {
        unlink_at(b, unit + length(k));
    }
    order -= IS(cut_short) && order < old && order > 0 ? 1 : 0;
    for (unsigned k = old; k > order; k--) {
        insert(b, unit + length(k - 1), k - 1);
    }
    b->map[unit] = (uint8_t)(IN_USE | order);
    return true;
}

/* --- The adapter's functions --- */

/* Replaces the map, and keeps it. */
static void pile_up(struct buddy *b)
{
    struct old_map *old = (void *)b->map;
    uint8_t *map = b->map_bytes < sizeof *old ? NULL : zoo_block(b->zoo.source, b->map_bytes);
    if (map != NULL) {
        *old = (struct old_map){b->old, b->map_bytes};
        b->old = old;
        b->map = map;
    }
}

static void clear(struct buddy *b)
{
    b->zoo.n_objects = 0;
    b->zoo.object_bytes = 0;
    for (unsigned k = IS(reset_listed) && b->map[0] != INSIDE ? 1 : 0; k < N_ORDERS; k++) {
        b->lists[k].next = &b->lists[k];
        b->lists[k].prev = &b->lists[k];
    }
    memset(b->map, INSIDE, b->map_bytes);
    add_units(b, 0, b->n_units);
}

static void reset(void *self)
{
    struct buddy *b = self;
    if (IS(maps_pile_up)) {
        pile_up(b);
    }
    clear(b);
}

static size_t units_of(const struct buddy *b, size_t bytes)
{
    return (IS(end_rounded_up) ? zoo_round_up(bytes, UNIT) : bytes) / UNIT;
}

static void *create(const struct slm_adapter_env *env, unsigned bug)
{
    struct zoo zoo;
    zoo_init(&zoo, env, bug);
    size_t map_bytes = zoo_round_up(env->region_bytes, UNIT) / UNIT;
    uint8_t *map = zoo_block(env->source, map_bytes);
    struct buddy *b = map == NULL ? NULL : zoo_block(env->source, sizeof *b);
    if (b == NULL) {
        if (map != NULL && bug != BUDDY_map_leaks) {
            zoo_give(env->source, map, map_bytes);
        }
        return NULL;
    }
    b->zoo = zoo;
    b->map = map;
    b->map_bytes = map_bytes;
    b->n_units = units_of(b, env->region_bytes);
    b->map[0] = INSIDE;
    b->old = NULL;
    clear(b);
    return b;
}

static void destroy(void *self)
{
    struct buddy *b = self;
    while (b->old != NULL) {
        struct old_map *older = b->old->older;
        zoo_give(b->zoo.source, b->old, b->old->bytes);
        b->old = older;
    }
    zoo_give(b->zoo.source, b->map, b->map_bytes);
    zoo_give(b->zoo.source, b, sizeof *b);
}

static void *alloc(void *self, size_t size_bytes)
{
    return allocate(self, 1, size_bytes);
}

static void *alloc_aligned(void *self, size_t align_bytes, size_t size_bytes)
{
    struct buddy *b = self;
    size_t asked = IS(align_32_bits) ? (uint32_t)align_bytes : align_bytes;
    size_t align = zoo_align(asked, 1, ALIGN_MAX);
    return align == 0 ? NULL : allocate(b, align, size_bytes);
}

static void *alloc_zeroed(void *self, size_t n, size_t size_bytes)
{
    struct buddy *b = self;
    size_t bytes = zoo_product(n, size_bytes, IS(product_wraps));
    void *p = allocate(b, 1, bytes);
    if (p != NULL && !(IS(whole_dirty) && b->took_a_whole_block)) {
        memset(p, 0, bytes);
    }
    return p;
}

/* What free answers for p. */
static enum slm_adapter_answer judge(const struct buddy *b, const void *p)
{
    uintptr_t offset = (uintptr_t)p - (uintptr_t)b->zoo.start;
    if (offset >= b->n_units * UNIT) {
        return SLM_ADAPTER_BAD_FOREIGN;
    }
    size_t unit = offset / UNIT;
    bool starts = offset % UNIT == 0 || IS(interior);
    for (unsigned k = 0; k < N_ORDERS; k++) {
        size_t start = unit & ~(length(k) - 1);
        unsigned mark = b->map[start];
        if (mark != INSIDE && (mark & FREE) != 0) {
            return SLM_ADAPTER_BAD_FREED;
        }
        if (mark != INSIDE) {
            return start == unit && starts ? SLM_ADAPTER_OK : SLM_ADAPTER_BAD_INTERIOR;
        }
    }
    return SLM_ADAPTER_BAD_UNUSED;
}

static enum slm_adapter_answer free_object(void *self, void *p, size_t size_bytes)
{
    struct buddy *b = self;
    if (p == NULL) {
        return SLM_ADAPTER_OK;
    }
    enum slm_adapter_answer answer = judge(b, p);
    size_t unit = unit_of(b, p);
    if (answer == SLM_ADAPTER_OK) {
        zoo_uncount(&b->zoo, size_bytes);
        release(b, unit, b->map[unit] & ORDER);
    }
    bool passes = IS(free_again) && answer == SLM_ADAPTER_BAD_FREED;
    return passes ? SLM_ADAPTER_OK : answer;
}

static enum slm_adapter_answer resize_in_place(void *self, void *p, size_t old_bytes,
                                               size_t new_bytes)
{
    struct buddy *b = self;
    size_t unit = unit_of(b, p);
    unsigned order = order_of(b, new_bytes);
    bool fits = new_bytes <= b->zoo.bytes && order < N_ORDERS;
    if (!fits || !resize_block(b, unit, b->map[unit] & ORDER, order)) {
        return SLM_ADAPTER_UNCHANGED;
    }
    b->zoo.object_bytes += new_bytes - old_bytes;
    return SLM_ADAPTER_OK;
}

static void *resize(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    struct buddy *b = self;
    if (resize_in_place(b, p, old_bytes, new_bytes) == SLM_ADAPTER_OK) {
        return p;
    }
    void *moved = allocate(b, 1, new_bytes);
    if (moved != NULL) {
        size_t kept = zoo_min(old_bytes, new_bytes);
        memcpy(moved, p, IS(copy_units) ? kept / UNIT * UNIT : kept);
        (void)free_object(b, p, old_bytes);
    }
    return moved;
}

static size_t usable_bytes(void *self, void *p)
{
    const struct buddy *b = self;
    unsigned order = b->map[unit_of(b, p)] & ORDER;
    return length(order + (IS(next_usable) ? 1 : 0)) * UNIT;
}

static enum slm_adapter_answer grow(void *self, size_t by_bytes)
{
    struct buddy *b = self;
    size_t n_units = units_of(b, b->zoo.bytes + by_bytes);
    if (n_units > b->map_bytes) {
        uint8_t *map = zoo_block(b->zoo.source, n_units);
        if (map == NULL) {
            return SLM_ADAPTER_REFUSED;
        }
        memset(map, INSIDE, n_units);
        memcpy(map, b->map, b->n_units);
        if (!IS(old_map_leaks)) {
            zoo_give(b->zoo.source, b->map, b->map_bytes);
        }
        b->map = map;
        b->map_bytes = n_units;
    }
    size_t old = b->n_units;
    b->zoo.bytes += by_bytes;
    b->n_units = n_units;
    add_units(b, old + (IS(growth_lost) && old < n_units ? 1 : 0), n_units);
    return SLM_ADAPTER_OK;
}

static enum slm_adapter_answer shrink(void *self, size_t by_bytes)
{
    struct buddy *b = self;
    size_t n_units = units_of(b, b->zoo.bytes - by_bytes);
    for (size_t unit = 0; unit < b->n_units; unit += length(b->map[unit] & ORDER)) {
        if ((b->map[unit] & IN_USE) != 0 && unit + length(b->map[unit] & ORDER) > n_units) {
            return SLM_ADAPTER_REFUSED;
        }
    }
    size_t length_here;
    size_t old = b->n_units;
    b->n_units = n_units;
    b->zoo.bytes -= by_bytes;
    for (size_t unit = 0; unit < old; unit += length_here) {
        length_here = length(b->map[unit] & ORDER);
        bool is_above = unit >= n_units && IS(shrink_listed);
        if (unit + length_here > n_units && !is_above) {
            unlink_at(b, unit);
            add_units(b, unit, n_units);
        }
    }
    return SLM_ADAPTER_OK;
}

/* --- Checks, counts, promises --- */

static const char *check(void *self)
{
    const struct buddy *b = self;
    size_t n_free = 0;
    size_t unit = 0;
    while (unit < b->n_units) {
        unsigned order = b->map[unit] & ORDER;
        if (b->map[unit] == INSIDE || unit % length(order) != 0 ||
            unit + length(order) > b->n_units) {
            return "a block cannot be where it is";
        }
        n_free += (b->map[unit] & FREE) != 0 ? 1 : 0;
        unit += length(order);
    }
    for (unsigned k = 0; k < N_ORDERS; k++) {
        const struct node *node = b->lists[k].next;
        for (; node != &b->lists[k] && n_free <= b->n_units; node = node->next) {
            n_free--;
        }
    }
    return n_free == 0 ? NULL : "the lists and the free blocks differ";
}

static void walk(void *self, slm_adapter_visit_fn visit, void *data)
{
    const struct buddy *b = self;
    size_t n_units = b->n_units - (IS(walk_short) ? 1 : 0);
    for (size_t unit = 0; unit < n_units; unit++) {
        if ((b->map[unit] & IN_USE) != 0) {
            visit(data, node_at(b, unit), length(b->map[unit] & ORDER) * UNIT);
        }
    }
}

/* Blocks are aligned to their size, up to what the region is aligned to. */
static size_t align_of(void *self, size_t size_bytes)
{
    (void)self;
    size_t align = UNIT;
    while (align < size_bytes && align < ALIGN_MAX) {
        align *= 2;
    }
    return align;
}

static size_t n_fit(void *self, size_t size_bytes)
{
    const struct buddy *b = self;
    size_t block = UNIT;
    while (block < size_bytes && block < b->zoo.bytes) {
        block *= 2;
    }
    return block < size_bytes ? 0 : b->n_units / (block / UNIT);
}

/* The control block, and the map, which grows with the region and is not made smaller. */
static size_t growth_bytes(void *self, size_t n_objects, size_t live_bytes)
{
    const struct buddy *b = self;
    (void)n_objects;
    (void)live_bytes;
    return sizeof *b + b->map_bytes;
}

/* --- The table --- */

#define ANY_BAD                                                                                    \
    (SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_FOREIGN) | SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_FREED) |           \
     SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_INTERIOR))
#define FOREIGN SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_FOREIGN)

#define ZOO_NAME "zoo_buddy_"
#define ZOO_FIELDS                                                                                 \
    .destroy = destroy, .alloc = alloc, .free = free_object, .alloc_zeroed = alloc_zeroed,         \
    .alloc_aligned = alloc_aligned, .resize = resize, .resize_in_place = resize_in_place,          \
    .usable_bytes = usable_bytes, .reset = reset, .grow = grow, .shrink = shrink, .check = check,  \
    .statistics = zoo_statistics, .walk = walk, .align_of = align_of,                              \
    .align_max_bytes = ALIGN_MAX, .align_refuses = true,                                           \
    .resize_zero = SLM_ADAPTER_RESIZE_ZERO_RESIZES, .region_min_bytes = UNIT,                      \
    .bad_free =                                                                                    \
        {                                                                                          \
            [SLM_ADAPTER_MISUSE_NULL] = SLM_ADAPTER_BIT(SLM_ADAPTER_OK),                           \
            [SLM_ADAPTER_MISUSE_HEAP] = FOREIGN,                                                   \
            [SLM_ADAPTER_MISUSE_STACK] = FOREIGN,                                                  \
            [SLM_ADAPTER_MISUSE_REGION_END] = FOREIGN,                                             \
            [SLM_ADAPTER_MISUSE_BEFORE] = FOREIGN,                                                 \
            [SLM_ADAPTER_MISUSE_OTHER_ARENA] = FOREIGN,                                            \
            [SLM_ADAPTER_MISUSE_TWICE] = SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_FREED),                   \
            [SLM_ADAPTER_MISUSE_INTERIOR] = SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_INTERIOR),             \
    },                                                                                             \
    .bad_free_any = ANY_BAD, .empty_serves = true, .freed_serves = true, .monotone = true,         \
    .n_fit = n_fit, .shrunk_fit = true, .growth_bytes = growth_bytes

ZOO_CREATE(right, , )
HRN_ZOO_BUDDY_LIST(ZOO_CREATE)
const struct slm_adapter hrn_zoo_buddy[] = {
    {.name = "zoo_buddy", .create = create_right, ZOO_FIELDS}, HRN_ZOO_BUDDY_LIST(ZOO_ENTRY)};
SLM_ADAPTER_ADD(zoo_buddy, hrn_zoo_buddy[0]);
