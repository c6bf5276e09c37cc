/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to programs and back. */
#include <string.h>

#include "harness/program/lives.h"
#include "harness/program/parts.h"
#include "harness/program/program.h"

/*
 * Head: 0 version, 1 flags, 2 page size, 3 classes a doubling, 4 smallest object, 5 gap, 6 checks,
 * 7 zero, 8-9 fault_nth, 10-11 fault_count, 12-15 region_bytes, 16-19 block_bytes, 20-23 seed.
 * Record: 0 kind (5 bits) and arena (bit 5), 1 aux, 2-3 selector, count or alignment, 4-7 size
 * code. Bytes of an earlier version are the programs that they were, so that old corpora keep
 * their worth.
 */
enum { PAGE_CODES = 3, DOUBLING_CODES = 5, MIN_CODES = 4, CHECK_CODES = 16, KIND_CODES = 32 };

static const uint16_t check_table[CHECK_CODES] = {64,  1,   2,   3,   5,    8,    16,    32,
                                                  100, 128, 256, 512, 1024, 4096, 16384, 0};

/* Kind codes above the kinds themselves repeat the kinds that random bytes should contain more
 * often. A new kind replaces the first of them, so that the codes of the others stay. */
#define OLD_KINDS HRN_GROW /* versions before 2 have those below */
static const uint8_t more_kinds[KIND_CODES - OLD_KINDS] = {
    HRN_FREE, HRN_ALLOC, HRN_FREE,     HRN_ALLOC, HRN_FREE, HRN_CALLOC,
    HRN_FREE, HRN_ALLOC, HRN_MEMALIGN, HRN_FREE,  HRN_FREE,
};

#define DEFAULT_REGION_BYTES (128u << 10)
#define DEFAULT_BLOCK_BYTES  4096u
#define OLD_POWERS           32u /* aux below: 2 to that power; else the 16-bit field */
#define POWERS               64u
#define FAULT_ALL            0xffffu
#define OLD_FLAGS            (HRN_HEAD_LOCKED - 1u) /* of versions before 3, as the next one */
#define OLD_HANDLERS         3u

static uint32_t load(const uint8_t *p, unsigned n)
{
    uint32_t x = 0;
    for (unsigned i = 0; i < n; i++) {
        x |= (uint32_t)p[i] << (8 * i);
    }
    return x;
}

static void store(uint8_t *p, unsigned n, uint32_t x)
{
    for (unsigned i = 0; i < n; i++) {
        p[i] = (uint8_t)(x >> (8 * i));
    }
}

/* Of the bytes: 1, for any version that there is not, 2 or 3. */
static unsigned version_of(const uint8_t *b)
{
    return b[0] == 2 || b[0] == 3 ? b[0] : 1;
}

static void decode_head(struct hrn_head *head, const uint8_t *b)
{
    head->flags = b[1] & (version_of(b) < 3 ? OLD_FLAGS : HRN_HEAD_FLAGS);
    head->page_bytes = 4096u << 2 * (b[2] % PAGE_CODES);
    head->per_doubling = 1u << b[3] % DOUBLING_CODES;
    head->min_object_bytes = 8u << b[4] % MIN_CODES;
    head->gap_bytes = b[5] % 65u;
    head->check_every = check_table[b[6] % CHECK_CODES];
    head->fault_nth = load(b + 8, 2);
    uint32_t count = load(b + 10, 2);
    head->fault_count = count == FAULT_ALL ? UINT32_MAX : count;
    uint32_t region = load(b + 12, 4);
    region = region <= HRN_REGION_MAX_BYTES ? region : region % HRN_REGION_MAX_BYTES;
    region = region == 0 ? DEFAULT_REGION_BYTES : region;
    head->region_bytes = region < 4 * head->page_bytes ? region + 4 * head->page_bytes : region;
    uint32_t block = load(b + 16, 4);
    block = block <= HRN_BLOCK_MAX_BYTES ? block : block % HRN_BLOCK_MAX_BYTES;
    head->block_bytes = block == 0 ? DEFAULT_BLOCK_BYTES : block;
    head->content_seed = load(b + 20, 4);
}

/* Index of x in the table, or of the last entry. */
static uint8_t check_code(uint32_t x)
{
    uint8_t i = 0;
    while (i < CHECK_CODES - 1 && check_table[i] != x) {
        i++;
    }
    return i;
}

static uint8_t log2_of(uint32_t x)
{
    return (uint8_t)(31 - __builtin_clz(x | 1u));
}

/* True if the bytes mean just this head. */
static bool encode_head(const struct hrn_head *head, uint8_t *b)
{
    memset(b, 0, HRN_HEAD_BYTES);
    b[0] = HRN_VERSION;
    b[1] = (uint8_t)head->flags;
    b[2] = (uint8_t)(log2_of(head->page_bytes >> 12) / 2);
    b[3] = log2_of(head->per_doubling);
    b[4] = log2_of(head->min_object_bytes >> 3);
    b[5] = (uint8_t)head->gap_bytes;
    b[6] = check_code(head->check_every);
    store(b + 8, 2, head->fault_nth);
    store(b + 10, 2, head->fault_count);
    store(b + 12, 4, head->region_bytes);
    store(b + 16, 4, head->block_bytes);
    store(b + 20, 4, head->content_seed);
    struct hrn_head meant;
    decode_head(&meant, b);
    return memcmp(&meant, head, sizeof meant) == 0;
}

static const uint16_t n_aux[HRN_KIND_COUNT] = {
    [HRN_DRAIN] = HRN_ORDER_COUNT,
    [HRN_CLEANUP] = HRN_HANDLER_COUNT,
    [HRN_MISUSE] = HRN_MISUSE_COUNT,
    [HRN_FAULT] = 256,
    [HRN_REUSE_PUT] = 2,
    [HRN_FILE] = HRN_FILE_COUNT,
    [HRN_ALLOC] = HRN_BY_COUNT,
    [HRN_RESIZE] = HRN_WAY_COUNT,
    [HRN_CHECK] = HRN_LOOK_COUNT,
    [HRN_CREATE] = HRN_MAKE_COUNT,
    [HRN_DESTROY] = HRN_END_COUNT,
    [HRN_FREE] = HRN_FREE_COUNT,
};
#define NEW_AUX                                                                                    \
    (1u << HRN_ALLOC | 1u << HRN_RESIZE | 1u << HRN_CHECK | 1u << HRN_CREATE | 1u << HRN_DESTROY)

uint16_t hrn_kind_n_aux(enum hrn_kind kind)
{
    return n_aux[kind];
}

static size_t decode_size(const struct hrn_head *head, const struct hrn_op *op, uint32_t code)
{
    size_t size = hrn_size_decode(head, code);
    bool fold = op->kind == HRN_CREATE && size > HRN_REGION_MAX_BYTES;
    return fold ? size % HRN_REGION_MAX_BYTES : size;
}

/* aux of a resize: below HRN_WAY_ALIGNED, the way; from there on, the power of two. */
static void decode_way(struct hrn_op *op, uint8_t code)
{
    uint8_t way = code % (HRN_WAY_ALIGNED + POWERS);
    op->aux = way < HRN_WAY_ALIGNED ? way : HRN_WAY_ALIGNED;
    op->align_bytes = way < HRN_WAY_ALIGNED ? 0 : (size_t)1 << (way - HRN_WAY_ALIGNED);
}

/* The values of aux that the kind has in bytes of a version; 0: none. */
static uint16_t n_aux_in(unsigned version, enum hrn_kind kind)
{
    bool is_later =
        (version < 2 && (NEW_AUX >> kind & 1u) != 0) || (version < 3 && kind == HRN_FREE);
    if (is_later) {
        return 0;
    }
    return version < 3 && kind == HRN_CLEANUP ? OLD_HANDLERS : n_aux[kind];
}

static void decode_kind(const uint8_t *r, unsigned version, struct hrn_op *op)
{
    static const uint8_t n_kinds[] = {[1] = OLD_KINDS, [2] = HRN_CANCEL, [3] = HRN_KIND_COUNT};
    uint8_t code = r[0] & (KIND_CODES - 1);
    op->kind = code < n_kinds[version] ? code : more_kinds[code - OLD_KINDS];
    uint16_t n_values = n_aux_in(version, op->kind);
    bool has_aux = n_values != 0;
    if (has_aux && op->kind == HRN_RESIZE) {
        decode_way(op, r[1]);
    } else if (has_aux) {
        op->aux = (uint8_t)(r[1] % n_values);
    }
}

static size_t decode_align(uint8_t code, uint32_t other, bool is_old)
{
    if (is_old) {
        return code < OLD_POWERS ? (size_t)1 << code : other;
    }
    return hrn_align_decode(code, other);
}

/* The op of a record, except its id. Returns the 16-bit field. */
static uint32_t decode_fields(const struct hrn_head *head, unsigned version, const uint8_t *r,
                              struct hrn_op *op)
{
    uint32_t selector = load(r + 2, 2);
    *op = (struct hrn_op){.id = HRN_NO_ID, .arena = r[0] >> 5 & 1u};
    decode_kind(r, version, op);
    if (op->kind == HRN_BURST) {
        op->count = (uint16_t)(selector % HRN_BURST_MAX + 1);
    } else if (hrn_kind_has_count(op->kind)) {
        op->count = (uint16_t)selector;
    } else if (op->kind == HRN_MEMALIGN) {
        op->align_bytes = decode_align(r[1], selector, version < 2);
    }
    if (hrn_kind_has_size(op->kind)) {
        op->size_bytes = decode_size(head, op, load(r + 4, 4));
    }
    return selector;
}

/* Gives the op its id; false if it needs an object and none is live, or ids have run out. */
static bool decode_id(struct hrn_lives *lives, struct hrn_op *op, uint32_t n_ids, uint32_t selector)
{
    switch (hrn_op_ids(op)) {
    case HRN_IDS_NONE:
        return true;
    case HRN_IDS_MAKE:
    case HRN_IDS_KEEP:
    case HRN_IDS_GET:
        op->id = n_ids;
        return n_ids + (op->kind == HRN_BURST ? op->count : 1u) <= HRN_BYTES_IDS_MAX;
    default: {
        const struct hrn_live_list *list = hrn_lives_list(lives, op);
        if (list->n == 0) {
            return false;
        }
        op->id = hrn_lives_select(list, selector);
        return true;
    }
    }
}

/* Kept between programs, since a fuzzer decodes many in a second. */
static struct hrn_lives scratch;

/* Limits arenas and files: they cost as much as hundreds of objects, and engines that count
 * branches prefer them. */
static bool is_surplus(const struct hrn_op *op, unsigned *n_lives)
{
    bool is_life = op->kind == HRN_CREATE || op->kind == HRN_DESTROY || op->kind == HRN_FILE ||
                   op->kind == HRN_ADD_REGION;
    return is_life && ++*n_lives > HRN_BYTES_LIVES_MAX;
}

static void decode_record(struct hrn_program *program, unsigned version, const uint8_t *record,
                          unsigned *n_lives)
{
    struct hrn_op *op = hrn_program_next(program);
    uint32_t selector = decode_fields(&program->head, version, record, op);
    if (!is_surplus(op, n_lives) && decode_id(&scratch, op, program->n_ids, selector)) {
        hrn_lives_apply(&scratch, op);
        hrn_program_take_next(program);
    }
}

void hrn_program_decode(struct hrn_program *program, const uint8_t *bytes, size_t n_bytes)
{
    uint8_t head[HRN_HEAD_BYTES] = {0};
    size_t n_head = n_bytes < sizeof head ? n_bytes : sizeof head;
    if (n_head > 0) {
        memcpy(head, bytes, n_head);
    }
    hrn_program_clear(program);
    decode_head(&program->head, head);
    hrn_lives_begin(&scratch, 2);
    size_t at = n_head;
    unsigned n_lives = 0;
    for (size_t i = 0; i < HRN_BYTES_OPS_MAX && at < n_bytes; i++) {
        uint8_t record[HRN_RECORD_BYTES] = {0};
        size_t n = n_bytes - at < sizeof record ? n_bytes - at : sizeof record;
        if (n == sizeof record) {
            memcpy(record, bytes + at,
                   sizeof record); /* of constant length, so that no call is made */
        } else {
            memcpy(record, bytes + at, n);
        }
        decode_record(program, version_of(head), record, &n_lives);
        at += n;
    }
}

size_t hrn_program_encoded_bytes(const struct hrn_program *program)
{
    return HRN_HEAD_BYTES + program->n_ops * HRN_RECORD_BYTES;
}

/* The 16-bit field, and aux of a memalign. */
static bool encode_selector(struct hrn_lives *lives, const struct hrn_op *op, uint8_t *r)
{
    size_t field = 0;
    bool exact = true;
    enum hrn_ids ids = hrn_op_ids(op);
    if (ids == HRN_IDS_USE || ids == HRN_IDS_DROP || ids == HRN_IDS_PUT) {
        exact = hrn_lives_selector(lives, op, &field);
    } else if (op->kind == HRN_BURST) {
        field = (size_t)op->count - 1;
        exact = op->count >= 1 && op->count <= HRN_BURST_MAX;
    } else if (hrn_kind_has_count(op->kind)) {
        field = op->count;
    } else if (op->kind == HRN_MEMALIGN) {
        uint32_t other;
        exact = hrn_align_encode(op->align_bytes, &r[1], &other);
        field = other;
    }
    store(r + 2, 2, (uint32_t)field);
    return exact && field <= 0xffffu;
}

/* aux of a resize at an alignment; false: it is no power of two. */
static bool encode_way(const struct hrn_op *op, uint8_t *code)
{
    size_t align = op->align_bytes == 0 ? 1 : op->align_bytes;
    *code = (uint8_t)(HRN_WAY_ALIGNED + __builtin_ctzll((unsigned long long)align));
    return op->align_bytes != 0 && (align & (align - 1)) == 0;
}

static bool encode_record(struct hrn_lives *lives, const struct hrn_op *op, uint8_t *r)
{
    memset(r, 0, HRN_RECORD_BYTES);
    r[0] = (uint8_t)(op->kind | (op->arena & 1u) << 5);
    r[1] = op->aux;
    bool exact = op->arena <= 1 && encode_selector(lives, op, r);
    if (op->kind == HRN_RESIZE && op->aux == HRN_WAY_ALIGNED) {
        exact &= encode_way(op, &r[1]);
    }
    if (hrn_kind_has_size(op->kind)) {
        uint32_t code;
        exact &= hrn_size_encode(op->size_bytes, &code);
        exact &= op->kind != HRN_CREATE || op->size_bytes <= HRN_REGION_MAX_BYTES;
        store(r + 4, 4, code);
    }
    return exact;
}

bool hrn_program_encode(const struct hrn_program *program, uint8_t *bytes)
{
    bool exact = encode_head(&program->head, bytes);
    exact &= program->n_ops <= HRN_BYTES_OPS_MAX && program->n_ids <= HRN_BYTES_IDS_MAX;
    hrn_lives_begin(&scratch, program->n_arenas);
    unsigned n_lives = 0;
    for (size_t i = 0; i < program->n_ops; i++) {
        uint8_t *record = bytes + HRN_HEAD_BYTES + i * HRN_RECORD_BYTES;
        exact &= encode_record(&scratch, &program->ops[i], record);
        exact &= !is_surplus(&program->ops[i], &n_lives);
        hrn_lives_apply(&scratch, &program->ops[i]);
    }
    return exact;
}
