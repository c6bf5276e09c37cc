/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on a journal, compared with a model. */
#include "fuzz/journal/journal.h"

#include <inttypes.h>
#include <string.h>

#include "allocator/journal/log.h"
#include "fuzz/common/fuzz.h"
#include "fuzz/journal/world.h"
#include "harness/failure/say.h"

enum { N_OPS_MAX = 600, RECORD_BYTES = 8 };

#define LAW_DEFINE(name, sentence) HRN_LAW_DEFINE(hrn_journal_law_##name, #name, sentence)
JOURNAL_LAW_LIST(LAW_DEFINE)

static uint64_t n_kind[HRN_JOURNAL_COUNT];

static const char *name_of(enum hrn_journal_op op)
{
#define OP_NAME(name) #name,
    static const char *const names[HRN_JOURNAL_COUNT] = {HRN_JOURNAL_LIST(OP_NAME)};
#undef OP_NAME
    return names[op];
}

/* --- What must hold --- */

void hrn_journal_expect(const char *call, enum slm_status seen, enum slm_status expected)
{
    const struct transaction *now = &hrn_journal_now;
    if (seen != expected) {
        hrn_journal_law_answer("%s: %s, expected %s", call, slm_status_name(seen),
                               slm_status_name(expected));
    }
    if (!hrn_journal_is_on) {
        return;
    }
    unsigned n_left = JOURNAL_N_ENTRIES - now->n_noted;
    bool is_open = now->refusal == SLM_OK;
    if (hrn_journal.log->state != now->n_noted ||
        slm_journal_is_dirty(&hrn_journal) != (now->n_noted != 0) ||
        slm_journal_has_room(&hrn_journal, n_left) != is_open ||
        slm_journal_has_room(&hrn_journal, n_left + 1)) {
        hrn_journal_law_entries("%s: %" PRIu64 ", expected %u", call,
                                (uint64_t)hrn_journal.log->state, now->n_noted);
    }
}

enum slm_status hrn_journal_refuse(enum slm_status status)
{
    struct transaction *now = &hrn_journal_now;
    if (now->refusal == SLM_OK) {
        now->refusal = status;
        now->fresh = JOURNAL_NO_SLOT;
    }
    return now->refusal;
}

enum slm_status hrn_journal_note(unsigned n_entries)
{
    struct transaction *now = &hrn_journal_now;
    if (now->refusal != SLM_OK || n_entries > JOURNAL_N_ENTRIES - now->n_noted) {
        return hrn_journal_refuse(SLM_E_FULL);
    }
    now->n_noted += n_entries;
    return SLM_OK;
}

/* --- Ranges --- */

static bool is_fresh(uint64_t at, size_t n_bytes)
{
    const struct transaction *now = &hrn_journal_now;
    if (now->fresh == JOURNAL_NO_SLOT) {
        return false;
    }
    const struct object *object = &hrn_journal_working.objects[now->fresh];
    return at >= object->offset && at - object->offset < object->size &&
           n_bytes <= object->size - (at - object->offset);
}

/* Whether the transaction frees the object that starts there. */
static bool is_freed(const void *start)
{
    for (unsigned i = 0; i < JOURNAL_N_SLOTS; i++) {
        const struct object *object = &hrn_journal_working.objects[i];
        if (object->is_live && object->is_freed && hrn_journal_at(object->offset) == start) {
            return true;
        }
    }
    return false;
}

/* The object that a range lies in, or why it lies in none. */
static enum slm_status find_range(uint64_t at, size_t n_bytes)
{
    struct slm_slab_place place;
    const unsigned char *p = hrn_journal_at(at);
    slm_slab_locate(hrn_journal_slab, p, &place);
    switch (place.kind) {
    case SLM_SLAB_METADATA:
        return SLM_E_METADATA;
    case SLM_SLAB_FREE_PAGE:
        return SLM_E_PAGE_FREE;
    case SLM_SLAB_CHUNK_FREE:
        return SLM_E_FREED;
    case SLM_SLAB_OUTSIDE:
    case SLM_SLAB_SPAN_TAIL:
        return SLM_E_FOREIGN;
    default:
        break;
    }
    size_t before = (size_t)(p - (const unsigned char *)place.object);
    if (n_bytes > place.object_bytes - before) {
        return SLM_E_SIZE;
    }
    return is_freed(place.object) ? SLM_E_FREED : SLM_OK;
}

/* What a call returns that notes n_words of the range, and is not refused for another reason. */
static enum slm_status note_words(uint64_t at, size_t n_bytes, size_t n_words)
{
    if (hrn_journal_now.refusal != SLM_OK) {
        return hrn_journal_now.refusal;
    }
    if (is_fresh(at, n_bytes)) {
        return SLM_OK;
    }
    enum slm_status status = find_range(at, n_bytes);
    return status != SLM_OK ? hrn_journal_refuse(status) : hrn_journal_note((unsigned)n_words);
}

static size_t words_in(uint64_t at, size_t n_bytes)
{
    uint64_t first = at / 8;
    uint64_t end = (at + n_bytes + 7) / 8;
    return n_bytes == 0 ? 0 : (size_t)(end - first);
}

/* In an object, or a little after it; with no object, anywhere in the slab. */
static uint64_t place_of(const struct op *op, uint32_t value)
{
    const struct object *object = &hrn_journal_working.objects[op->slot];
    return object->is_live ? object->offset + value % (object->n_bytes + 24)
                           : 16 + value * 2 % (JOURNAL_AREA_BYTES - 16);
}

static void write_at(uint64_t at, uint64_t value)
{
    enum slm_status expected = SLM_OK;
    uint64_t old;
    uint64_t now;
    memcpy(&old, hrn_journal_at(at), sizeof old);
    if (hrn_journal_is_on && at % 8 != 0) {
        expected = hrn_journal_refuse(SLM_E_ALIGN);
    } else if (hrn_journal_is_on) {
        expected = note_words(at, 8, 1);
    }
    hrn_journal_expect(
        "write", slm_journal_write(&hrn_journal, (uint64_t *)(void *)hrn_journal_at(at), value),
        expected);
    memcpy(&now, hrn_journal_at(at), sizeof now);
    if (now != (expected == SLM_OK ? value : old)) {
        hrn_journal_law_contents("a word that was written: %" PRIx64, now);
    }
}

/* Without a log every word is the program's own. */
static void write_word(const struct op *op)
{
    uint64_t at = place_of(op, op->value & 0xffff);
    at = (op->extra & 1) != 0 ? at : at & ~UINT64_C(7);
    if (hrn_journal_is_on || (find_range(at & ~UINT64_C(7), 8) == SLM_OK && at % 8 == 0)) {
        write_at(at, op->value * UINT64_C(0x9e3779b97f4a7c15));
    }
}

static void write_loose(const struct op *op)
{
    if (hrn_journal_is_on) {
        write_at((op->value % (JOURNAL_AREA_BYTES - 8)) & ~(uint64_t)(op->extra & 7), op->value);
    }
}

static uint64_t load(uint64_t at, size_t n_bytes)
{
    uint64_t number = 0;
    memcpy(&number, hrn_journal_at(at), n_bytes);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? number >> (64 - 8 * n_bytes) : number;
}

static enum slm_status answer_to_number(uint64_t at, size_t n_bytes, bool is_served)
{
    enum slm_status wrong = !is_served ? SLM_E_SIZE : at % n_bytes != 0 ? SLM_E_ALIGN : SLM_OK;
    if (!hrn_journal_is_on) {
        return wrong;
    }
    return wrong != SLM_OK ? hrn_journal_refuse(wrong) : note_words(at, n_bytes, 1);
}

static void set_number(const struct op *op)
{
    static const size_t sizes[] = {1, 2, 4, 8, 8, 4, 2, 1, 0, 3, 5, 6, 7, 16, 12, 32};
    size_t n_bytes = sizes[op->extra & 15];
    bool is_served = (op->extra & 15) < 8;
    bool adds = (op->extra & 16) != 0;
    uint64_t at = place_of(op, op->value & 0xffff);
    at -= (op->extra & 32) == 0 && is_served ? at % n_bytes : 0;
    uint64_t operand = op->value * UINT64_C(0xfedcba9876543211);
    size_t n_seen = is_served ? n_bytes : 8;
    if (!hrn_journal_is_on && is_served && find_range(at & ~UINT64_C(7), 8) != SLM_OK) {
        return;
    }
    uint64_t around[2] = {load(at - 8, 8), load(at + n_seen, 8)};
    uint64_t old = load(at, n_seen);
    enum slm_status expected = answer_to_number(at, n_bytes, is_served);
    hrn_journal_expect(
        "number",
        adds ? slm_journal_add_number(&hrn_journal, hrn_journal_at(at), n_bytes, operand)
             : slm_journal_set_number(&hrn_journal, hrn_journal_at(at), n_bytes, operand),
        expected);
    uint64_t sum = expected != SLM_OK ? old : adds ? old + operand : operand;
    sum &= n_seen == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * n_seen) - 1;
    if (load(at, n_seen) != sum || load(at - 8, 8) != around[0] ||
        load(at + n_seen, 8) != around[1]) {
        hrn_journal_law_contents("a number of %zu bytes: %" PRIx64 ", expected %" PRIx64, n_bytes,
                                 load(at, n_seen), sum);
    }
}

/* What is noted may change: then it does. */
static void note_range(const struct op *op)
{
    uint64_t at = place_of(op, op->value & 0xffff);
    size_t n_bytes = op->value >> 16 & 255;
    n_bytes = op->extra == 255 ? SIZE_MAX - n_bytes : op->extra == 254 ? n_bytes * 256 : n_bytes;
    enum slm_status expected = hrn_journal_is_on ? hrn_journal_now.refusal : SLM_OK;
    if (hrn_journal_is_on && n_bytes != 0) {
        expected = n_bytes > JOURNAL_AREA_BYTES && hrn_journal_now.refusal == SLM_OK
                       ? find_range(at, JOURNAL_AREA_BYTES)
                       : note_words(at, n_bytes, words_in(at, n_bytes));
        expected = expected == SLM_OK ? SLM_OK : hrn_journal_refuse(expected);
    }
    hrn_journal_expect("note_range",
                       slm_journal_note_range(&hrn_journal, hrn_journal_at(at), n_bytes), expected);
    if (hrn_journal_is_on && expected == SLM_OK) {
        memset(hrn_journal_at(at), (int)op->value, n_bytes);
    }
}

/* --- Objects --- */

static void *allocate(const struct op *op, size_t n_bytes)
{
    switch (op->extra % 3) {
    case 0:
        return slm_journal_alloc(&hrn_journal, n_bytes);
    case 1:
        return slm_journal_calloc(&hrn_journal, n_bytes);
    default:
        return slm_journal_memalign(&hrn_journal, (size_t)1 << op->extra / 3 % 12, n_bytes);
    }
}

static void take_in(const struct op *op, unsigned char *p, size_t n_bytes)
{
    struct object *object = &hrn_journal_working.objects[op->slot];
    struct slm_slab_place place;
    slm_slab_locate(hrn_journal_slab, p, &place);
    *object = (struct object){.is_live = true,
                              .size = (uint32_t)n_bytes,
                              .n_bytes = (uint32_t)place.object_bytes,
                              .offset = slm_journal_offset(&hrn_journal, p)};
    for (size_t i = 0; op->extra % 3 == 1 && i < n_bytes; i++) {
        if (p[i] != 0) {
            hrn_journal_law_contents("byte %zu of an object from calloc is %#x", i, p[i]);
        }
    }
    memset(p, (int)op->value | 1, n_bytes);
    hrn_journal_now.fresh = hrn_journal_is_on && n_bytes > 0 ? (int)op->slot : JOURNAL_NO_SLOT;
}

static void alloc(const struct op *op)
{
    size_t n_bytes = op->value % ((op->value >> 16 & 3) == 0 ? 9000 : 300);
    if (hrn_journal_working.objects[op->slot].is_live) {
        return;
    }
    size_t n_before = hrn_journal_now.n_noted;
    enum slm_status expected = hrn_journal_is_on ? hrn_journal_note(1) : SLM_OK;
    unsigned char *p = allocate(op, n_bytes);
    if (expected != SLM_OK && p != NULL) {
        hrn_journal_law_answer("an object that cannot be noted");
    }
    if (p != NULL) {
        take_in(op, p, n_bytes);
    } else if (expected == SLM_OK) {
        hrn_journal_now.n_noted = (unsigned)n_before; /* out of memory */
    }
    hrn_journal_expect("alloc", SLM_OK, SLM_OK);
}

static void forget_object(struct object *object, unsigned slot)
{
    object->is_freed = true;
    if (!hrn_journal_is_on) {
        object->is_live = false;
        object->is_freed = false;
    }
    if (hrn_journal_now.fresh == (int)slot) {
        hrn_journal_now.fresh = JOURNAL_NO_SLOT;
    }
}

static void free_object(const struct op *op)
{
    struct object *object = &hrn_journal_working.objects[op->slot];
    enum slm_status expected = SLM_OK;
    if (!object->is_live) {
        return;
    }
    if (hrn_journal_is_on && hrn_journal_working.root == (int)op->slot) {
        expected = hrn_journal_refuse(SLM_E_STATE);
    } else if (object->is_freed) {
        expected = SLM_E_FREED;
    } else if (hrn_journal_is_on) {
        expected = hrn_journal_note(1);
    }
    hrn_journal_expect("free", slm_journal_free(&hrn_journal, hrn_journal_at(object->offset)),
                       expected);
    if (expected == SLM_OK) {
        forget_object(object, op->slot);
    }
}

/* Such a free is refused as the slab's own, and the transaction goes on. */
static void free_stray(const struct op *op)
{
    static const uint64_t outside[] = {8, JOURNAL_LOG_BYTES - 8, JOURNAL_AREA_BYTES};
    const struct object *object = &hrn_journal_working.objects[op->slot];
    unsigned char *p = hrn_journal_at(outside[op->extra % 3]);
    enum slm_status expected = SLM_E_FOREIGN;
    if (op->extra % 5 == 0) {
        p = hrn_journal_at(JOURNAL_LOG_BYTES + op->value % 64);
        expected = SLM_E_METADATA;
    } else if (object->is_live && op->extra % 5 != 1) {
        p = hrn_journal_at(object->offset + 1 + op->value % (object->n_bytes - 1));
        expected = SLM_E_INTERIOR;
    }
    hrn_journal_expect("free of nothing", slm_journal_free(&hrn_journal, NULL), SLM_OK);
    hrn_journal_expect("stray free", slm_journal_free(&hrn_journal, p), expected);
    enum slm_status root = hrn_journal_is_on ? SLM_E_FOREIGN : SLM_E_STATE;
    hrn_journal_expect("stray root", slm_journal_set_root(&hrn_journal, p), root);
}

static void set_root(const struct op *op)
{
    const struct object *object = &hrn_journal_working.objects[op->slot];
    bool is_none = op->extra % 4 == 0 || !object->is_live;
    enum slm_status expected = SLM_E_STATE;
    if (hrn_journal_is_on) {
        expected = !is_none && object->is_freed ? SLM_E_FREED : hrn_journal_note(1);
    }
    hrn_journal_expect(
        "root", slm_journal_set_root(&hrn_journal, is_none ? NULL : hrn_journal_at(object->offset)),
        expected);
    if (expected == SLM_OK) {
        hrn_journal_working.root = is_none ? JOURNAL_NO_SLOT : (int)op->slot;
    }
    const struct journal_account *working = &hrn_journal_working;
    const void *root = working->root == JOURNAL_NO_SLOT
                           ? NULL
                           : hrn_journal_at(working->objects[working->root].offset);
    if (slm_journal_root(&hrn_journal) != root) {
        hrn_journal_law_root("%p, expected %p", slm_journal_root(&hrn_journal), root);
    }
}

static void set_version(const struct op *op)
{
    if (!hrn_journal_is_on) {
        return;
    }
    enum slm_status expected = hrn_journal_note(1);
    hrn_journal_expect("version", slm_journal_set_version(&hrn_journal, op->value), expected);
    if (expected == SLM_OK) {
        hrn_journal_working.version = op->value;
    }
    if (journal_content_version(&hrn_journal) != hrn_journal_working.version) {
        hrn_journal_law_root("version %" PRIu32, journal_content_version(&hrn_journal));
    }
}

/* --- Programs --- */

static void run(const struct op *op)
{
    static void (*const verbs[HRN_JOURNAL_COUNT])(const struct op *op) = {
        [HRN_JOURNAL_ALLOC] = alloc,
        [HRN_JOURNAL_FREE] = free_object,
        [HRN_JOURNAL_STRAY] = free_stray,
        [HRN_JOURNAL_WRITE] = write_word,
        [HRN_JOURNAL_NUMBER] = set_number,
        [HRN_JOURNAL_RANGE] = note_range,
        [HRN_JOURNAL_LOOSE] = write_loose,
        [HRN_JOURNAL_ROOT] = set_root,
        [HRN_JOURNAL_VERSION] = set_version,
        [HRN_JOURNAL_RESET] = hrn_journal_reset,
        [HRN_JOURNAL_COMMIT] = hrn_journal_commit,
        [HRN_JOURNAL_ABORT] = hrn_journal_abort,
    };
    static void (*const immortal[HRN_JOURNAL_COUNT])(const struct op *op) = {
        [HRN_JOURNAL_DIE] = hrn_journal_die,
        [HRN_JOURNAL_TAKEOVER] = hrn_journal_take_over,
        [HRN_JOURNAL_HURT] = hrn_journal_hurt,
        [HRN_JOURNAL_NULLS] = hrn_journal_try_nulls,
    };
    n_kind[op->kind]++;
    HRN_SAY_OP("%s slot %u extra %u value %" PRIu32, name_of(op->kind), op->slot, op->extra,
               op->value);
    if (verbs[op->kind] != NULL) {
        hrn_journal_run_mortal(verbs[op->kind], op);
    } else {
        immortal[op->kind](op);
    }
}

bool hrn_journal_kind(unsigned idx, struct hrn_fuzz_kind *kind)
{
    if (idx >= HRN_JOURNAL_COUNT) {
        return false;
    }
    *kind = (struct hrn_fuzz_kind){name_of((enum hrn_journal_op)idx), n_kind[idx]};
    return true;
}

int hrn_fuzz_journal(const uint8_t *bytes, size_t n_bytes)
{
    uint64_t n_ops = 0;
    hrn_journal_begin(n_bytes == 0 || (bytes[0] & 1u) == 0);
    for (size_t at = 1; at + RECORD_BYTES <= n_bytes && n_ops < N_OPS_MAX; at += RECORD_BYTES) {
        struct op op = {.kind = (enum hrn_journal_op)(bytes[at] % HRN_JOURNAL_COUNT),
                        .slot = bytes[at + 1] % JOURNAL_N_SLOTS,
                        .extra = bytes[at + 2]};
        memcpy(&op.value, bytes + at + 4, sizeof op.value);
        run(&op);
        n_ops++;
    }
    hrn_journal_end();
    hrn_fuzz_count(n_ops + 1);
    return 0;
}
