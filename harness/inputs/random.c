/* SPDX-License-Identifier: Apache-2.0 */
/* Random programs. */
#include "harness/inputs/random.h"

#include <string.h>

#include "harness/laws/scene.h"
#include "harness/program/lives.h"
#include "harness/registry/registry.h"

void hrn_rng_seed(struct hrn_rng *rng, uint64_t seed)
{
    rng->state = seed;
}

uint64_t hrn_rng_next(struct hrn_rng *rng)
{
    uint64_t z = rng->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint32_t hrn_rng_below(struct hrn_rng *rng, uint32_t n)
{
    return (uint32_t)((hrn_rng_next(rng) >> 32) * n >> 32);
}

static bool chance(struct hrn_rng *rng, uint32_t percent)
{
    return hrn_rng_below(rng, 100) < percent;
}

void hrn_gen_init(struct hrn_gen *gen, uint32_t can)
{
    static const uint16_t usual[HRN_KIND_COUNT] = {
        [HRN_ALLOC] = 240,    [HRN_NALLOC] = 80,  [HRN_CALLOC] = 80,    [HRN_MEMALIGN] = 50,
        [HRN_FREE] = 340,     [HRN_RESIZE] = 40,  [HRN_BURST] = 6,      [HRN_DRAIN] = 2,
        [HRN_RESET] = 3,      [HRN_CLEANUP] = 20, [HRN_MISUSE] = 60,    [HRN_FAULT] = 8,
        [HRN_CHECK] = 4,      [HRN_TRIM] = 4,     [HRN_GIVE_BACK] = 20, [HRN_REUSE_GET] = 30,
        [HRN_REUSE_PUT] = 25, [HRN_CREATE] = 1,   [HRN_DESTROY] = 1,    [HRN_FILE] = 4,
        [HRN_RUN_FILE] = 2,   [HRN_GROW] = 4,     [HRN_SHRINK] = 3,     [HRN_ADD_REGION] = 2,
        [HRN_CANCEL] = 8,
    };
    memset(gen, 0, sizeof *gen);
    for (unsigned kind = 0; kind < HRN_KIND_COUNT; kind++) {
        gen->weight[kind] = (can >> kind & 1u) != 0 ? usual[kind] : 0;
    }
    gen->is_sparse = (can & HRN_CAN_SPARSE) != 0;
    gen->has_threads = (can & HRN_CAN_THREADS) != 0;
    gen->weight[HRN_CREATE] =
        gen->is_sparse ? 3 * gen->weight[HRN_CREATE] : gen->weight[HRN_CREATE];
    gen->edge_percent = 40;
    gen->huge_percent = 2;
    gen->size_log_max = 12;
    gen->arena1_percent = 10;
    gen->live_max = 400;
}

/* The logarithm is evenly distributed, so that small values are as common as large ones. */
static uint32_t log_below(struct hrn_rng *rng, uint32_t shift_max)
{
    uint32_t top = 1u << hrn_rng_below(rng, shift_max);
    return top | hrn_rng_below(rng, top);
}

/* Lengths at which allocators go wrong: powers of two and next to them, a few bytes more or less
 * than whole pages. The others stay. `random` decides. */
static uint32_t shape_region(uint32_t region_bytes, uint32_t page_bytes, uint32_t random)
{
    uint32_t power = page_bytes * 4;
    while (power <= region_bytes / 2) {
        power *= 2;
    }
    uint32_t few = 1 + (random >> 8 & 63u);
    switch (random % 16) {
    case 0:
        return power;
    case 1:
        return power + 1;
    case 2:
        return power * 2 - 1;
    case 3:
        return power + few * 8;
    case 4:
        return region_bytes / page_bytes * page_bytes + few;
    case 5:
        return (region_bytes / page_bytes + 1) * page_bytes - few;
    default:
        return region_bytes;
    }
}

/* Of an arena that has another length than the head says: any logarithm, mostly not whole pages. */
static size_t pick_arena_bytes(struct hrn_rng *rng)
{
    uint32_t bytes = log_below(rng, 19);
    return chance(rng, 30) ? (bytes + 4095) / 4096 * 4096 : bytes;
}

void hrn_gen_head(struct hrn_rng *rng, struct hrn_head *head)
{
    static const uint32_t intervals[] = {1, 3, 8, 64, 64, 256, 1024, 0};
    bool small_pages = chance(rng, 70);
    head->page_bytes = small_pages ? 4096 : 4096u << 2 * hrn_rng_below(rng, 3);
    head->per_doubling = 1u << hrn_rng_below(rng, 5);
    head->min_object_bytes = 8u << hrn_rng_below(rng, 4);
    head->gap_bytes = chance(rng, 60) ? 0 : hrn_rng_below(rng, 65);
    uint32_t pages = 4 + log_below(rng, 6);
    uint32_t odd_bytes = chance(rng, 30) ? hrn_rng_below(rng, 4096) : 0;
    uint32_t region = shape_region(pages * head->page_bytes + odd_bytes, head->page_bytes,
                                   (uint32_t)hrn_rng_next(rng));
    head->region_bytes = region < HRN_REGION_MAX_BYTES ? region : HRN_REGION_MAX_BYTES;
    head->block_bytes = chance(rng, 40) ? 4096 : log_below(rng, 16);
    head->flags = chance(rng, 5) ? HRN_HEAD_PASS_THROUGH : 0;
    head->flags |= chance(rng, 10) ? HRN_HEAD_SHARED : 0;
    head->check_every = intervals[hrn_rng_below(rng, 8)];
    head->fault_nth = chance(rng, 20) ? log_below(rng, 8) : 0;
    head->fault_count = head->fault_nth == 0 ? 0 : 1 + hrn_rng_below(rng, 4);
    head->fault_count = head->fault_nth != 0 && chance(rng, 10) ? UINT32_MAX : head->fault_count;
    head->content_seed = (uint32_t)hrn_rng_next(rng);
    head->flags |= head->content_seed % 4 == 0 ? HRN_HEAD_RESERVE : 0;
    head->flags |= (head->content_seed >> 8) % 4 == 0 ? HRN_HEAD_LOCKED : 0;
    /* Free runs of more than 64 pages, where a slab looks for a length in more than one word. */
    if (head->content_seed % 8 < 2 && head->region_bytes <= HRN_REGION_MAX_BYTES / 8) {
        head->region_bytes *= 8;
    }
}

/* What is live while a program is being made. */
struct state {
    const struct hrn_gen *gen;
    struct hrn_rng *rng;
    struct hrn_program *program;
    struct hrn_lives *lives;
    /* Choices that version 1 of programs did not have: by a stream of their own, the others are as
     * they were. */
    struct hrn_rng more;
    bool is_sparse[2]; /* the arena was made with a sparse region */
};

enum hrn_kind hrn_gen_kind(const struct hrn_gen *gen, struct hrn_rng *rng)
{
    uint32_t total = 0;
    for (unsigned kind = 0; kind < HRN_KIND_COUNT; kind++) {
        total += gen->weight[kind];
    }
    uint32_t at = hrn_rng_below(rng, total);
    unsigned kind = 0;
    while (at >= gen->weight[kind]) {
        at -= gen->weight[kind++];
    }
    return (enum hrn_kind)kind;
}

static size_t pick_size(const struct state *s)
{
    struct hrn_rng *rng = s->rng;
    uint32_t random = (uint32_t)hrn_rng_next(rng);
    if (chance(rng, s->gen->huge_percent)) {
        return hrn_size_decode(&s->program->head, hrn_size_code_huge(random));
    }
    if (chance(rng, s->gen->edge_percent) && !hrn_fault_on(HRN_FAULT_NO_EDGES)) {
        return hrn_size_decode(&s->program->head, hrn_size_code_edge(random));
    }
    return log_below(rng, s->gen->size_log_max);
}

static uint32_t pick_align(struct hrn_rng *rng)
{
    static const uint32_t odd[] = {0, 3, 12, 48, 1000, 65535, 131072, UINT32_C(1) << 31};
    return chance(rng, 90) ? 1u << hrn_rng_below(rng, 17) : odd[hrn_rng_below(rng, 8)];
}

/* Fills the fields that depend on the kind, except the id. */
static void fill_fields(const struct state *s, struct hrn_op *op)
{
    static const uint8_t n_aux[HRN_KIND_COUNT] = {[HRN_DRAIN] = HRN_ORDER_COUNT,
                                                  [HRN_CLEANUP] = HRN_HANDLER_ARMED,
                                                  [HRN_FILE] = HRN_FILE_COUNT};
    struct hrn_rng *rng = s->rng;
    if (hrn_kind_has_size(op->kind)) {
        op->size_bytes = pick_size(s);
    }
    switch (op->kind) {
    case HRN_MEMALIGN:
        op->align_bytes = pick_align(rng);
        break;
    case HRN_BURST:
        op->count = (uint16_t)(1 + hrn_rng_below(rng, chance(rng, 20) ? HRN_BURST_MAX : 40));
        break;
    case HRN_FAULT:
        op->count = (uint16_t)hrn_rng_below(rng, 6);
        op->aux = chance(rng, 5) ? 255 : (uint8_t)(1 + hrn_rng_below(rng, 3));
        break;
    case HRN_DRAIN:
    case HRN_CLEANUP:
    case HRN_FILE:
        op->aux = (uint8_t)hrn_rng_below(rng, n_aux[op->kind]);
        break;
    case HRN_MISUSE:
        op->aux = (uint8_t)hrn_rng_below(rng, HRN_MISUSE_COUNT);
        op->size_bytes = hrn_rng_below(rng, UINT32_C(1) << 20);
        break;
    case HRN_RUN_FILE:
        op->count = (uint16_t)hrn_rng_below(rng, 8);
        break;
    case HRN_REUSE_PUT:
        op->aux = chance(rng, 10) ? 1 : 0;
        break;
    case HRN_CREATE:
        op->size_bytes = chance(rng, 50) ? 0 : pick_arena_bytes(rng);
        break;
    default:
        break;
    }
}

/* --- What version 1 did not have --- */

#define SPARSE_MORE ((size_t)1 << 20) /* than an object of 4 GiB has */

/* About 4, 4, 2 or 1 GiB: sizes that a sparse region has room for. */
static size_t pick_large(const struct state *s, uint32_t random)
{
    static const uint8_t limits[] = {4, 4, 5, 6};
    uint32_t code = hrn_size_code_huge((random & ~7u) | limits[random % sizeof limits]);
    return hrn_size_decode(&s->program->head, code);
}

static void refine_resize(struct hrn_rng *more, struct hrn_op *op)
{
    op->aux = chance(more, 60) ? HRN_WAY_ANY : (uint8_t)hrn_rng_below(more, HRN_WAY_COUNT);
    if (op->aux == HRN_WAY_ALIGNED) {
        op->align_bytes = (size_t)1 << hrn_rng_below(more, chance(more, 90) ? 17 : 64);
    }
    op->size_bytes = chance(more, 3) ? 0 : op->size_bytes;
}

static void refine_create(struct state *s, struct hrn_op *op)
{
    if (s->gen->is_sparse && chance(&s->more, 35)) {
        op->aux = HRN_MAKE_SPARSE;
        op->size_bytes += chance(&s->more, 60) ? SPARSE_MORE : 0;
    }
}

static void refine(struct state *s, struct hrn_op *op)
{
    struct hrn_rng *more = &s->more;
    bool is_asked = hrn_op_ids(op) == HRN_IDS_MAKE || op->kind == HRN_RESIZE;
    if (s->is_sparse[op->arena] && is_asked && chance(more, 15)) {
        op->size_bytes = pick_large(s, (uint32_t)hrn_rng_next(more));
    }
    switch (op->kind) {
    case HRN_ALLOC:
        op->aux = chance(more, 90) ? HRN_BY_ANY : (uint8_t)hrn_rng_below(more, HRN_BY_COUNT);
        break;
    case HRN_MEMALIGN:
        op->align_bytes =
            chance(more, 8) ? hrn_align_decode(hrn_rng_below(more, 192), 0) : op->align_bytes;
        break;
    case HRN_RESIZE:
        refine_resize(more, op);
        break;
    case HRN_CHECK:
        op->aux = chance(more, 40) ? HRN_LOOK_ALL : (uint8_t)hrn_rng_below(more, HRN_LOOK_COUNT);
        break;
    case HRN_CREATE:
        refine_create(s, op);
        break;
    case HRN_CLEANUP:
        if (s->gen->weight[HRN_CANCEL] > 0 && chance(more, 40)) {
            op->aux = chance(more, 60) ? HRN_HANDLER_ARMED : HRN_HANDLER_CHILD;
        }
        break;
    case HRN_FREE:
        op->aux = s->gen->has_threads && chance(more, 15) ? HRN_FREE_ELSEWHERE : HRN_FREE_HERE;
        break;
    case HRN_CANCEL:
        op->count = (uint16_t)hrn_rng_below(more, 8);
        break;
    case HRN_DESTROY:
        op->aux = (uint8_t)hrn_rng_below(more, HRN_END_COUNT);
        break;
    default:
        break;
    }
}

/* Gives the op its id; false if there is no object for it. */
static bool fill_id(const struct state *s, struct hrn_op *op)
{
    switch (hrn_op_ids(op)) {
    case HRN_IDS_NONE:
        op->id = HRN_NO_ID;
        return true;
    case HRN_IDS_MAKE:
    case HRN_IDS_KEEP:
    case HRN_IDS_GET:
        op->id = s->program->n_ids;
        return true;
    default: {
        const struct hrn_live_list *list = hrn_lives_list(s->lives, op);
        if (list->n > 0) {
            op->id = hrn_lives_select(list, chance(s->rng, 30) ? 0 : hrn_rng_below(s->rng, 65536));
        }
        return list->n > 0;
    }
    }
}

static void push_random(struct state *s)
{
    struct hrn_op op = {.kind = (uint8_t)hrn_gen_kind(s->gen, s->rng)};
    op.arena = chance(s->rng, s->gen->arena1_percent) ? 1 : 0;
    fill_fields(s, &op);
    refine(s, &op);
    bool full = hrn_lives_list(s->lives, &op)->n >= s->gen->live_max;
    if (full && hrn_op_ids(&op) == HRN_IDS_MAKE && s->gen->weight[HRN_FREE] > 0) {
        op = (struct hrn_op){.kind = HRN_FREE, .arena = op.arena};
    }
    if (op.kind == HRN_CREATE || op.kind == HRN_DESTROY) {
        s->is_sparse[op.arena] = op.kind == HRN_CREATE && op.aux == HRN_MAKE_SPARSE;
    }
    if (fill_id(s, &op)) {
        hrn_lives_apply(s->lives, &op);
        hrn_program_push(s->program, op);
    }
}

void hrn_gen_program(const struct hrn_gen *gen, struct hrn_rng *rng, size_t n_ops,
                     struct hrn_program *program)
{
    static struct hrn_lives lives;
    struct state s = {.gen = gen, .rng = rng, .program = program, .lives = &lives};
    hrn_rng_seed(&s.more, rng->state);
    hrn_program_clear(program);
    hrn_lives_begin(&lives, 2);
    while (program->n_ops < n_ops) {
        push_random(&s);
    }
}
