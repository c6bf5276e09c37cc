/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the programs of the claims. */
#include "harness/conformance/programs.h"

#include "harness/registry/registry.h"

/* --- Operations --- */

static uint32_t push(struct hrn_program *program, struct hrn_op op)
{
    enum hrn_ids ids = hrn_op_ids(&op);
    bool makes = ids == HRN_IDS_MAKE || ids == HRN_IDS_KEEP || ids == HRN_IDS_GET;
    op.id = makes ? program->n_ids : ids == HRN_IDS_NONE ? HRN_NO_ID : op.id;
    hrn_program_push(program, op);
    return op.id;
}

static uint32_t push_size(struct hrn_program *program, enum hrn_kind kind, size_t size_bytes)
{
    return push(program, (struct hrn_op){.kind = (uint8_t)kind, .size_bytes = size_bytes});
}

static uint32_t push_aligned(struct hrn_program *program, size_t size_bytes, size_t align_bytes)
{
    return push(program, (struct hrn_op){.kind = HRN_MEMALIGN,
                                         .size_bytes = size_bytes,
                                         .align_bytes = align_bytes});
}

static void push_on(struct hrn_program *program, enum hrn_kind kind, uint32_t id, size_t size_bytes)
{
    (void)push(program, (struct hrn_op){.kind = (uint8_t)kind, .id = id, .size_bytes = size_bytes});
}

static void push_drain(struct hrn_program *program, enum hrn_order order)
{
    (void)push(program, (struct hrn_op){.kind = HRN_DRAIN, .aux = (uint8_t)order});
}

static void push_burst(struct hrn_program *program, size_t size_bytes, uint16_t count)
{
    (void)push(program,
               (struct hrn_op){.kind = HRN_BURST, .count = count, .size_bytes = size_bytes});
}

static void push_plain(struct hrn_program *program, enum hrn_kind kind)
{
    (void)push_size(program, kind, 0);
}

/* --- Sizes --- */

/* The largest object that a claim expects to be served: a small part of the region. */
static size_t modest_max(const struct slm_adapter *adapter, const struct hrn_program *program)
{
    size_t max = 4097;
    if (adapter->memory == SLM_ADAPTER_REGION) {
        size_t part = hrn_region_length(adapter, program->head.region_bytes) / 64;
        max = part < max ? part : max;
    }
    return max < hrn_size_max(adapter) ? max : hrn_size_max(adapter);
}

void hrn_claim_empty(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    push_plain(program, HRN_CREATE);
    push_plain(program, HRN_CHECK);
    push_plain(program, HRN_DESTROY);
    push_plain(program, HRN_CREATE);
}

/* A new arena for each few sizes, since an allocator need not take memory back. */
void hrn_claim_sizes(const struct slm_adapter *adapter, struct hrn_program *program)
{
    size_t max = modest_max(adapter, program);
    unsigned n = 0;
    for (size_t size = 1; size <= max; size += size < 130 ? 1 : 97) {
        if (n++ % 8 == 0) {
            push_plain(program, HRN_CREATE);
        }
        uint32_t one = push_size(program, HRN_ALLOC, size);
        uint32_t two = push_size(program, HRN_ALLOC, size);
        push_on(program, HRN_FREE, one, 0);
        push_on(program, HRN_FREE, two, 0);
    }
}

void hrn_claim_zero(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    uint32_t first = push_size(program, HRN_ALLOC, 0);
    (void)push_size(program, HRN_ALLOC, 1);
    (void)push_size(program, HRN_ALLOC, 0);
    (void)push_size(program, HRN_CALLOC, 0);
    push_on(program, HRN_FREE, first, 0);
    (void)push_size(program, HRN_ALLOC, 0);
}

void hrn_claim_huge(const struct slm_adapter *adapter, struct hrn_program *program)
{
    size_t max = hrn_size_max(adapter);
    const size_t sizes[] = {SIZE_MAX,         SIZE_MAX - 1,     SIZE_MAX - 7,     SIZE_MAX - 15,
                            SIZE_MAX - 16,    SIZE_MAX - 4095,  SIZE_MAX - 65536, SIZE_MAX / 2 + 1,
                            SIZE_MAX / 2 + 2, SIZE_MAX / 4 * 3, max + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        (void)push_size(program, HRN_ALLOC, sizes[i]);
        (void)push_size(program, HRN_CALLOC, sizes[i]);
        (void)push_size(program, HRN_CALLOC, sizes[i]); /* by another number of parts */
        (void)push_size(program, HRN_NALLOC, sizes[i]);
        (void)push_aligned(program, sizes[i], 16);
        uint32_t id = push_size(program, HRN_ALLOC, 24);
        push_on(program, HRN_RESIZE, id, sizes[i]);
    }
}

void hrn_claim_zeroed(const struct slm_adapter *adapter, struct hrn_program *program)
{
    size_t max = modest_max(adapter, program);
    for (size_t size = 1; size <= max; size += 1 + size / 8) {
        uint32_t used = push_size(program, HRN_ALLOC, size);
        push_on(program, HRN_FREE, used, 0);
        uint32_t zeroed = push_size(program, HRN_CALLOC, size);
        (void)push_size(program, HRN_ALLOC, 8);
        push_on(program, HRN_FREE, zeroed, 0);
        (void)push_size(program, HRN_CALLOC, SIZE_MAX - size); /* as two factors, by turns */
    }
}

/* --- Alignment --- */

void hrn_claim_aligned_small(const struct slm_adapter *adapter, struct hrn_program *program)
{
    size_t align = adapter->align_min_bytes == 0 ? 1 : adapter->align_min_bytes;
    for (; align <= 64 && align <= adapter->align_max_bytes; align *= 2) {
        push_plain(program, HRN_CREATE);
        for (size_t size = 1; size <= 64 && size <= modest_max(adapter, program); size += 7) {
            uint32_t id = push_aligned(program, size, align);
            push_on(program, HRN_FREE, id, 0);
        }
    }
}

void hrn_claim_alignments(const struct slm_adapter *adapter, struct hrn_program *program)
{
    static const size_t sizes[] = {1, 8, 100, 2048, 5000};
    static const uint32_t odd[] = {0, 3, 12, 24, 4095, 65535};
    (void)adapter;
    for (size_t align = 1; align != 0; align *= 2) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            (void)push_size(program, HRN_ALLOC, 1 + align % 5);
            uint32_t id = push_aligned(program, sizes[i], align);
            push_on(program, HRN_FREE, id, 0);
        }
        (void)push_aligned(program, 64, align - 1);
        (void)push_aligned(program, 64, align + 1);
        push_drain(program, HRN_ORDER_NEWEST);
    }
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        (void)push_aligned(program, 64, odd[i]);
    }
}

/* --- Resize --- */

void hrn_claim_resize(const struct slm_adapter *adapter, struct hrn_program *program)
{
    static const size_t steps[] = {1,  2,  8,   15,  16,   17,   24,   40,   100,  63,
                                   64, 65, 500, 300, 1000, 4096, 4097, 2000, 8000, 1};
    (void)adapter;
    for (unsigned round = 0; round < 4; round++) {
        uint32_t id = push_size(program, HRN_ALLOC, 1 + 30 * (size_t)round);
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            uint32_t next = push_size(program, HRN_ALLOC, round + i);
            push_on(program, HRN_RESIZE, id, steps[i] + round);
            if (i % 3 == 0) {
                push_on(program, HRN_FREE, next, 0);
            }
        }
        push_drain(program, (enum hrn_order)(round % HRN_ORDER_COUNT));
    }
}

void hrn_claim_resize_aligned(const struct slm_adapter *adapter, struct hrn_program *program)
{
    for (uint32_t align = 16; align <= 4096 && align <= adapter->align_max_bytes; align *= 4) {
        for (size_t size = 8; size < 3000; size += size) {
            uint32_t id = push_aligned(program, size, align);
            (void)push_size(program, HRN_ALLOC, 24); /* so that it has to move */
            push_on(program, HRN_RESIZE, id, 3 * size);
            push_on(program, HRN_RESIZE, id, size / 2);
        }
        push_drain(program, HRN_ORDER_EVERY_OTHER);
    }
}

void hrn_claim_resize_null(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    for (size_t size = 0; size < 400; size += 1 + size / 2) {
        (void)push(program,
                   (struct hrn_op){.kind = HRN_ALLOC, .aux = HRN_BY_RESIZE, .size_bytes = size});
        uint32_t id = push_size(program, HRN_ALLOC, size);
        push_on(program, HRN_RESIZE, id, 2 * size);
    }
    (void)push(program,
               (struct hrn_op){.kind = HRN_ALLOC, .aux = HRN_BY_RESIZE, .size_bytes = SIZE_MAX});
}

void hrn_claim_resize_zero(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    for (size_t size = 1; size < 300; size += 23) {
        uint32_t id = push_size(program, HRN_ALLOC, size);
        (void)push_size(program, HRN_ALLOC, size);
        push_on(program, HRN_RESIZE, id, 0);
        push_on(program, HRN_RESIZE, id, size);
        (void)push_size(program, HRN_ALLOC, size);
    }
}

void hrn_claim_resize_by(const struct slm_adapter *adapter, struct hrn_program *program)
{
    static const size_t steps[] = {100, 101, 300, 40, 8, 1000, 2000, 1, 500};
    (void)adapter;
    for (uint8_t way = 0; way < HRN_WAY_COUNT; way++) {
        uint32_t id = push_size(program, HRN_ALLOC, 24);
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            struct hrn_op op = {.kind = HRN_RESIZE, .aux = way, .id = id, .size_bytes = steps[i]};
            op.align_bytes = way == HRN_WAY_ALIGNED ? (size_t)1 << 2 * i : 0;
            (void)push(program, op);
            (void)push_size(program, HRN_ALLOC, 16 + i);
        }
    }
}

/* --- Many objects --- */

void hrn_claim_fill(const struct slm_adapter *adapter, struct hrn_program *program)
{
    static const size_t sizes[] = {8, 64, 200, 1000, 4096, 9000};
    (void)adapter;
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            push_burst(program, sizes[i], HRN_BURST_MAX);
            push_drain(program, (enum hrn_order)round);
        }
    }
    program->head.check_every = 2;
}

void hrn_claim_holes(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    uint32_t first = program->n_ids;
    for (size_t i = 0; i < 120; i++) {
        (void)push_size(program, HRN_ALLOC, 1 + i * 37 % 500);
    }
    for (uint32_t i = 0; i < 120; i += 1 + i % 3) {
        push_on(program, HRN_FREE, first + i, 0);
    }
    for (size_t i = 0; i < 120; i++) {
        (void)push_size(program, i % 5 == 0 ? HRN_CALLOC : HRN_ALLOC, 1 + i * 53 % 600);
    }
    push_drain(program, HRN_ORDER_EVERY_OTHER);
}

void hrn_claim_reset(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    for (unsigned round = 0; round < 4; round++) {
        for (size_t size = 1; size < 3000; size += 77) {
            (void)push_size(program, HRN_ALLOC, size);
        }
        push_plain(program, HRN_RESET);
        push_plain(program, HRN_CHECK);
    }
}

void hrn_claim_reports(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    push_plain(program, HRN_CREATE);
    push_plain(program, HRN_CHECK);
    uint32_t id = push_size(program, HRN_ALLOC, 100);
    push_on(program, HRN_RESIZE, id, 50);
    push_on(program, HRN_FREE, id, 0);
    push_burst(program, 3000, HRN_BURST_MAX);
    push_burst(program, 8, HRN_BURST_MAX);
    push_plain(program, HRN_CHECK);
    push_drain(program, HRN_ORDER_OLDEST);
    push_plain(program, HRN_CHECK);
}

static void push_looks(struct hrn_program *program)
{
    static const uint8_t looks[] = {HRN_LOOK_STATISTICS, HRN_LOOK_WALK, HRN_LOOK_STATISTICS,
                                    HRN_LOOK_SELF, HRN_LOOK_STATISTICS};
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        (void)push(program, (struct hrn_op){.kind = HRN_CHECK, .aux = looks[i]});
    }
}

void hrn_claim_looks(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    program->head.check_every = 0;
    push_plain(program, HRN_CREATE);
    push_looks(program);
    uint32_t id = push_size(program, HRN_ALLOC, 100);
    push_looks(program);
    push_on(program, HRN_RESIZE, id, 50);
    push_looks(program);
    push_burst(program, 500, HRN_BURST_MAX);
    push_burst(program, 8, HRN_BURST_MAX);
    push_looks(program);
    push_on(program, HRN_FREE, id, 0);
    push_looks(program);
    push_drain(program, HRN_ORDER_EVERY_OTHER);
    push_looks(program);
}

void hrn_claim_trim(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    push_plain(program, HRN_TRIM);
    for (size_t size = 8; size < 9000; size += size / 2) {
        push_burst(program, size, 20);
        uint32_t id = push_size(program, HRN_ALLOC, size);
        push_plain(program, HRN_TRIM);
        push_on(program, HRN_FREE, id, 0);
        push_plain(program, HRN_TRIM);
    }
    push_drain(program, HRN_ORDER_OLDEST);
    push_plain(program, HRN_TRIM);
}

void hrn_claim_misuse(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    for (size_t i = 0; i < 60; i++) {
        (void)push(program, (struct hrn_op){.kind = HRN_ALLOC,
                                            .arena = i % 3 == 0 ? 1 : 0,
                                            .size_bytes = i % 2 == 0 ? 40 : 500});
    }
    for (uint8_t misuse = 0; misuse < HRN_MISUSE_COUNT; misuse++) {
        for (uint32_t i = 0; i < 20; i++) {
            struct hrn_op op = {
                .kind = HRN_MISUSE, .aux = misuse, .id = 1 + 3 * i, .size_bytes = i * 731};
            op.id = hrn_op_ids(&op) == HRN_IDS_NONE ? HRN_NO_ID : op.id;
            hrn_program_push(program, op);
        }
    }
}

/* --- Arenas --- */

void hrn_claim_arenas(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    for (size_t i = 0; i < 200; i++) {
        (void)push(program, (struct hrn_op){.kind = HRN_ALLOC,
                                            .arena = (uint32_t)(i % 2),
                                            .size_bytes = 1 + i * 13 % 700});
    }
    (void)push(program, (struct hrn_op){.kind = HRN_DESTROY, .arena = 0});
    (void)push(program, (struct hrn_op){.kind = HRN_CHECK, .arena = 1});
    (void)push(program, (struct hrn_op){.kind = HRN_ALLOC, .arena = 0, .size_bytes = 100});
    (void)push(program, (struct hrn_op){.kind = HRN_CREATE, .arena = 1});
    (void)push(program, (struct hrn_op){.kind = HRN_ALLOC, .arena = 1, .size_bytes = 100});
}

void hrn_claim_regions(const struct slm_adapter *adapter, struct hrn_program *program)
{
    static const size_t lengths[] = {1,     7,     16,    100,    255,    1001,     2048,
                                     4095,  4096,  4097,  8192,   12289,  20480,    32767,
                                     32768, 65535, 65536, 262145, 300001, 1u << 20, 3000003};
    static const size_t objects[] = {0, 1, 24, 921, 900, 4000, 5000};
    (void)adapter;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        (void)push_size(program, HRN_CREATE, lengths[i]);
        for (size_t j = 0; j < sizeof objects / sizeof objects[0]; j++) {
            (void)push_size(program, HRN_ALLOC, objects[j]);
        }
        push_drain(program, HRN_ORDER_OLDEST);
        push_burst(program, 40, HRN_BURST_MAX);
        push_plain(program, HRN_DESTROY);
    }
}

/* Fills the arena, and changes its region's length by steps while some objects are live. */
static void push_changes(struct hrn_program *program, enum hrn_kind kind, const size_t *steps,
                         size_t n_steps)
{
    for (size_t i = 0; i < n_steps; i++) {
        uint32_t id = push_size(program, HRN_ALLOC, 40 + 100 * i);
        push_burst(program, 700, HRN_BURST_MAX);
        (void)push_size(program, kind, steps[i]);
        push_burst(program, 100, HRN_BURST_MAX);
        push_on(program, HRN_FREE, id, 0);
        push_drain(program, (enum hrn_order)(i % HRN_ORDER_COUNT));
        (void)push_size(program, HRN_ALLOC, 24);
        (void)push_size(program, kind, steps[i]);
    }
    push_drain(program, HRN_ORDER_OLDEST);
}

void hrn_claim_grow(const struct slm_adapter *adapter, struct hrn_program *program)
{
    static const size_t steps[] = {1, 8, 15, 16, 17, 33, 100, 4095, 4096, 4097, 12288, 20000};
    (void)adapter;
    (void)push_size(program, HRN_CREATE, 20000);
    push_changes(program, HRN_GROW, steps, sizeof steps / sizeof steps[0]);
    push_plain(program, HRN_DESTROY);
}

void hrn_claim_shrink(const struct slm_adapter *adapter, struct hrn_program *program)
{
    static const size_t steps[] = {1, 8, 15, 16, 17, 33, 100, 4095, 4096, 4097, 6000, 30000};
    (void)adapter;
    (void)push_size(program, HRN_CREATE, 90000);
    push_changes(program, HRN_SHRINK, steps, sizeof steps / sizeof steps[0]);
    (void)push_size(program, HRN_GROW, 30000);
    push_burst(program, 100, HRN_BURST_MAX);
    push_plain(program, HRN_DESTROY);
}

void hrn_claim_add_region(const struct slm_adapter *adapter, struct hrn_program *program)
{
    static const size_t lengths[] = {4096, 16384, 100000, 64, 30001, 8192};
    (void)adapter;
    for (size_t round = 0; round < sizeof lengths / sizeof lengths[0]; round++) {
        (void)push_size(program, HRN_CREATE, 8192);
        push_burst(program, 200, HRN_BURST_MAX);
        (void)push_size(program, HRN_ADD_REGION, lengths[round]);
        push_burst(program, 200, HRN_BURST_MAX);
        (void)push_size(program, HRN_ADD_REGION, 20000);
        push_drain(program, (enum hrn_order)(round % HRN_ORDER_COUNT));
        push_burst(program, 900, HRN_BURST_MAX);
        push_plain(program, round % 2 == 0 ? HRN_RESET : HRN_CHECK);
        (void)push_size(program, HRN_ALLOC, 100);
    }
}

/* Large objects lie between the small ones, which so are near both ends. */
void hrn_claim_sparse(const struct slm_adapter *adapter, struct hrn_program *program)
{
    static const size_t larges[] = {HRN_SPARSE_BYTES + 64, HRN_SPARSE_BYTES - 1,
                                    HRN_SPARSE_BYTES / 2, HRN_SPARSE_BYTES / 4 * 3};
    (void)adapter;
    for (size_t i = 0; i < sizeof larges / sizeof larges[0]; i++) {
        (void)push(program, (struct hrn_op){
                                .kind = HRN_CREATE, .aux = HRN_MAKE_SPARSE, .size_bytes = 40000});
        uint32_t low = push_size(program, HRN_ALLOC, 100);
        uint32_t large = push_size(program, HRN_ALLOC, larges[i]);
        uint32_t high = push_size(program, HRN_ALLOC, 1000);
        (void)push_size(program, HRN_CALLOC, 50);
        push_on(program, HRN_FREE, large, 0);
        push_on(program, HRN_RESIZE, low, 200);
        push_on(program, HRN_RESIZE, high, 3000);
        large = push_size(program, HRN_ALLOC, larges[i]);
        push_on(program, HRN_FREE, low, 0);
        push_on(program, HRN_FREE, high, 0);
        push_on(program, HRN_FREE, large, 0);
        push_drain(program, HRN_ORDER_OLDEST);
    }
}

void hrn_claim_live_end(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    for (size_t n = 1; n < 200; n += n) {
        uint32_t first = program->n_ids;
        for (size_t i = 0; i < n; i++) {
            (void)push_size(program, HRN_ALLOC, 1 + i * 37 % 900);
        }
        for (uint32_t i = 0; i < n; i += 3) {
            push_on(program, HRN_FREE, first + i, 0);
        }
        (void)push(program, (struct hrn_op){.kind = HRN_DESTROY, .aux = HRN_END_LIVE});
    }
}

void hrn_claim_source(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    for (uint16_t nth = 1; nth <= 24; nth++) {
        push_plain(program, HRN_CREATE);
        (void)push(program, (struct hrn_op){.kind = HRN_FAULT,
                                            .count = nth,
                                            .aux = (uint8_t)(nth % 3 == 0 ? 255 : nth % 3)});
        for (size_t i = 0; i < 30; i++) {
            (void)push_size(program, HRN_ALLOC, i * 137 % 5000);
            uint32_t id = push_size(program, HRN_ALLOC, i);
            push_on(program, HRN_RESIZE, id, 40 * i);
        }
        push_drain(program, HRN_ORDER_NEWEST);
        push_plain(program, HRN_DESTROY);
    }
}

/* --- Pools --- */

void hrn_claim_packed(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    for (size_t size = 0; size < 5000; size += 1 + size / 4) {
        (void)push_size(program, HRN_NALLOC, size);
        (void)push_size(program, HRN_ALLOC, size);
    }
}

void hrn_claim_handlers(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < 30; i++) {
            (void)push(program, (struct hrn_op){.kind = HRN_CLEANUP,
                                                .aux = (uint8_t)(i % HRN_HANDLER_COUNT),
                                                .size_bytes = i % 4 * 300});
            (void)push_size(program, HRN_ALLOC, i * 40);
        }
        push_plain(program, round == 1 ? HRN_DESTROY : HRN_RESET);
    }
}

void hrn_claim_files(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < 12; i++) {
            (void)push(program, (struct hrn_op){.kind = HRN_FILE,
                                                .aux = (uint8_t)(i % HRN_FILE_COUNT),
                                                .size_bytes = i * 97});
            (void)push(program, (struct hrn_op){.kind = HRN_RUN_FILE, .count = (uint16_t)i});
        }
        push_plain(program, round == 0 ? HRN_RESET : HRN_DESTROY);
    }
}

void hrn_claim_reuse(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    for (unsigned round = 0; round < 3; round++) {
        uint32_t first = program->n_ids;
        for (unsigned i = 0; i < 20; i++) {
            push_plain(program, HRN_REUSE_GET);
        }
        for (uint32_t i = 0; i < 20; i += 1 + round) {
            (void)push(program,
                       (struct hrn_op){.kind = HRN_REUSE_PUT, .aux = i % 5 == 0, .id = first + i});
        }
    }
}

void hrn_claim_give_back(const struct slm_adapter *adapter, struct hrn_program *program)
{
    (void)adapter;
    for (size_t size = 1; size < 6000; size += size) {
        uint32_t old = push_size(program, HRN_ALLOC, size);
        uint32_t newest = push_size(program, HRN_ALLOC, size);
        push_on(program, HRN_GIVE_BACK, newest, 0);
        push_on(program, HRN_GIVE_BACK, old, 0);
        (void)push_size(program, HRN_ALLOC, size);
    }
}
