/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes on one zone, played by one thread. */
#include "fuzz/zone/zone.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "allocator/journal/log.h"
#include "allocator/zone/handle.h"
#include "fuzz/common/fuzz.h"
#include "fuzz/zone/op.h"
#include "harness/failure/say.h"
#include "harness/sched/system.h"

enum {
    N_OPS_MAX = 1000,
    RECORD_BYTES = 8,
    OBJECT_BYTES_MAX = 9000,
    PAGE_BYTES = 4096, /* of the slab */
};

/* --- Turns --- */

enum slm_status hrn_zone_answer_to_lock(unsigned actor)
{
    if (hrn_zone_world->holder == ZONE_NOBODY) {
        return SLM_OK;
    }
    if (holds(actor)) {
        return SLM_E_HELD;
    }
    return hrn_zone_world->holder_is_dead && hrn_zone_world->lock == SLM_LOCK_ROBUST ? SLM_OK
                                                                                     : SLM_E_LOCKED;
}

/* Checks that an actor that just got the lock sees the committed content, and nothing else. */
static void enter(unsigned actor)
{
    struct slm_zone *zone = hrn_zone_world->zones[actor];
    struct slm_zone_stats stats;
    slm_zone_get_stats(zone, &stats);
    if (hrn_zone_world->needs_repair) {
        hrn_zone_world->n_repairs++;
        hrn_zone_counted.n_repaired++;
        hrn_zone_counted.n_undone +=
            memcmp(&hrn_zone_working, &hrn_zone_committed, sizeof hrn_zone_working) != 0;
    }
    if (stats.n_recoveries != hrn_zone_world->n_repairs) {
        hrn_zone_law_repairs("%" PRIu64 ", expected %" PRIu64, stats.n_recoveries,
                             hrn_zone_world->n_repairs);
    }
    if (stats.bytes != hrn_zone_world->bytes) {
        hrn_zone_law_length("%zu bytes, expected %" PRIu64, stats.bytes, hrn_zone_world->bytes);
    }
    uint64_t end_of_slab = zone->fixed.slab_offset + slm_slab_used_bytes(slm_zone_slab(zone));
    if (stats.bytes - end_of_slab >= PAGE_BYTES) {
        hrn_zone_law_length("%zu bytes, of which pages end at %" PRIu64, stats.bytes, end_of_slab);
    }
    hrn_zone_world->needs_repair = false;
    hrn_zone_world->is_torn = false;
    hrn_zone_world->holder = (int)actor;
    hrn_zone_world->holder_identity = hrn_system_identity(actor);
    hrn_zone_world->holder_is_dead = false;
    hrn_zone_settle(zone);
    hrn_zone_begin_transaction(&hrn_zone_committed);
    hrn_zone_expect_state(zone, &hrn_zone_working, true);
}

static void leave(void)
{
    hrn_zone_world->holder = ZONE_NOBODY;
    hrn_zone_committed = hrn_zone_working;
}

/* A call had the lock, and repaired what a dead holder left. */
static void take_repair(void)
{
    hrn_zone_world->n_repairs += hrn_zone_world->needs_repair;
    hrn_zone_world->needs_repair = false;
    hrn_zone_world->holder_is_dead = false;
}

void hrn_zone_pass_lock(void)
{
    take_repair();
    hrn_zone_working = hrn_zone_committed;
    leave();
}

void hrn_zone_look_through_another(unsigned actor)
{
    unsigned other = (actor + 1) % ZONE_N_ACTORS;
    hrn_zone_end_offers();
    hrn_system_be(other);
    expect("lock, to check", slm_zone_trylock(hrn_zone_world->zones[other]), SLM_OK);
    enter(other);
    unsigned broken = slm_zone_check_locked(hrn_zone_world->zones[other]);
    if (broken != 0) {
        hrn_zone_law_sound("invariant %u, seen by actor %u", broken, other);
    }
    expect("unlock, after the check", slm_zone_unlock(hrn_zone_world->zones[other]), SLM_OK);
    leave();
}

static void lock(const struct op *op)
{
    struct slm_zone *zone = hrn_zone_world->zones[op->actor];
    enum slm_status expected = hrn_zone_answer_to_lock(op->actor);
    if (op->kind == HRN_ZONE_LOCK) {
        expect("try", slm_zone_trylock(zone), expected);
    } else {
        expect("timed", slm_zone_timedlock(zone, op->extra),
               expected == SLM_E_LOCKED ? SLM_E_TIMEOUT : expected);
    }
    if (expected == SLM_OK) {
        enter(op->actor);
    }
}

static void unlock(const struct op *op)
{
    bool is_holder = holds(op->actor);
    enum slm_status expected = is_holder ? hrn_zone_end_transaction() : SLM_E_OWNER;
    expect("unlock", slm_zone_unlock(hrn_zone_world->zones[op->actor]), expected);
    if (is_holder) {
        leave();
        hrn_zone_look_through_another(op->actor);
    }
}

/* --- Within a turn --- */

static void expect_room(struct slm_zone *zone, unsigned n, bool has)
{
    if (slm_journal_has_room(slm_zone_journal(zone), n) != has) {
        hrn_zone_law_answer("room for %u entries after %u: %d", n, hrn_zone_world->n_noted, !has);
    }
}

/* What a call that is about to note n entries must return. Without room it must change nothing, and
 * the transaction can only be undone. */
static enum slm_status answer_to_note(const struct op *op, unsigned n)
{
    struct slm_zone *zone = hrn_zone_world->zones[op->actor];
    unsigned n_left = ZONE_N_ENTRIES - hrn_zone_world->n_noted;
    bool has = !hrn_zone_world->is_refused && n <= n_left;
    expect_room(zone, n, has);
    expect_room(zone, n_left, !hrn_zone_world->is_refused);
    expect_room(zone, n_left + 1, false);
    hrn_zone_world->n_noted += has ? n : 0;
    if (!has) {
        hrn_zone_world->is_refused = true;
        hrn_zone_world->fresh_slot = ZONE_NOBODY;
    }
    hrn_zone_counted.n_full += !has;
    return has ? SLM_OK : SLM_E_FULL;
}

/* The same of n words of the object. */
static enum slm_status answer_to_words(const struct op *op, unsigned n)
{
    return answer_to_note(op, hrn_zone_world->fresh_slot == (int)op->slot ? 0 : n);
}

/* Aborts if a refused call changed anything. */
static void expect_unchanged(const struct op *op, enum slm_status answer)
{
    struct slm_zone *zone = hrn_zone_world->zones[op->actor];
    if (answer == SLM_E_FULL) {
        hrn_zone_expect_state(zone, &hrn_zone_working, false);
        if (slm_zone_journal(zone)->log->state != hrn_zone_world->n_noted) {
            hrn_zone_law_answer("a refused call noted something");
        }
    }
}

/* The memory belongs to no object of this turn, nor to one that was live before it and whose
 * release is not committed. */
static void take_in(const struct op *op, void *p, uint32_t n_bytes)
{
    struct slm_zone *zone = hrn_zone_world->zones[op->actor];
    uint64_t offset = slm_journal_offset(slm_zone_journal(zone), p);
    if (offset < ZONE_FIRST_BYTES / 16 || offset + n_bytes > hrn_zone_world->bytes) {
        hrn_zone_law_outside("%" PRIu32 " bytes at %" PRIu64 " of %" PRIu64, n_bytes, offset,
                             hrn_zone_world->bytes);
    }
    hrn_zone_expect_free(&hrn_zone_committed, offset, n_bytes);
    hrn_zone_expect_free(&hrn_zone_working, offset, n_bytes);
    hrn_zone_slot_fill(&hrn_zone_working.slots[op->slot], p, offset, n_bytes,
                       ++hrn_zone_world->next_stamp);
}

static uint32_t size_of(const struct op *op)
{
    return (op->value % OBJECT_BYTES_MAX + 8) & ~UINT32_C(7);
}

static void alloc(const struct op *op)
{
    struct slm_journal *journal = slm_zone_journal(hrn_zone_world->zones[op->actor]);
    uint32_t n_bytes = size_of(op);
    void *p;
    if (hrn_zone_working.slots[op->slot].is_live) {
        return;
    }
    size_t n_before = hrn_zone_count_objects(slm_zone_slab(hrn_zone_world->zones[op->actor]));
    enum slm_status expected = answer_to_note(op, 1);
    if (op->kind == HRN_ZONE_ALLOC) {
        p = slm_journal_alloc(journal, n_bytes);
    } else if (op->kind == HRN_ZONE_MEMALIGN) {
        p = slm_journal_memalign(journal, (size_t)8 << op->extra % 10u, n_bytes);
    } else {
        p = slm_journal_calloc(journal, n_bytes);
    }
    hrn_zone_world->n_noted -= p == NULL && expected == SLM_OK;
    if (expected == SLM_E_FULL &&
        (p != NULL ||
         hrn_zone_count_objects(slm_zone_slab(hrn_zone_world->zones[op->actor])) != n_before)) {
        hrn_zone_law_answer("an object without room to note it");
    }
    if (p != NULL && op->kind != HRN_ZONE_CALLOC && hrn_zone_world->is_trimmed) {
        hrn_zone_expect_backed(hrn_zone_world->zones[op->actor]);
    }
    if (p != NULL && op->kind == HRN_ZONE_CALLOC) {
        hrn_zone_expect_zeroes(p, n_bytes);
    }
    if (p != NULL) {
        take_in(op, p, n_bytes);
        hrn_zone_world->fresh_slot = (int)op->slot;
    }
}

static uint64_t *words_of(const struct op *op)
{
    return slm_journal_pointer(slm_zone_journal(hrn_zone_world->zones[op->actor]),
                               hrn_zone_working.slots[op->slot].offset);
}

static void drop_slot(unsigned idx)
{
    hrn_zone_working.slots[idx].is_live = false;
    if (hrn_zone_working.root == (int)idx) {
        hrn_zone_working.root = ZONE_NOBODY;
    }
}

/* Moves the root away from an object that is about to be freed, as a user does. */
static void free_slot(const struct op *op)
{
    struct slm_zone *zone = hrn_zone_world->zones[op->actor];
    if (!hrn_zone_working.slots[op->slot].is_live) {
        return;
    }
    if (hrn_zone_working.root == (int)op->slot) {
        enum slm_status expected = answer_to_note(op, 1);
        expect("root away", slm_zone_set_root_locked(zone, NULL), expected);
        hrn_zone_working.root = expected == SLM_OK ? ZONE_NOBODY : hrn_zone_working.root;
    }
    enum slm_status expected = answer_to_note(op, 1);
    expect("free", slm_journal_free(slm_zone_journal(zone), words_of(op)), expected);
    expect("free again", slm_journal_free(slm_zone_journal(zone), words_of(op)),
           expected == SLM_OK ? SLM_E_FREED : SLM_E_FULL);
    expect_unchanged(op, expected);
    if (expected == SLM_OK) {
        drop_slot(op->slot);
        if (hrn_zone_world->fresh_slot == (int)op->slot) {
            hrn_zone_world->fresh_slot = ZONE_NOBODY;
        }
    }
}

static void free_wrong(const struct op *op)
{
    struct slm_journal *journal = slm_zone_journal(hrn_zone_world->zones[op->actor]);
    const struct zone_slot *slot = &hrn_zone_working.slots[op->slot];
    unsigned char *base = journal->base;
    expect("free of nothing", slm_journal_free(journal, NULL), SLM_OK);
    expect("free of the header", slm_journal_free(journal, base + 8), SLM_E_FOREIGN);
    expect("root outside", slm_journal_set_root(journal, base + 8), SLM_E_FOREIGN);
    if (slot->is_live) {
        size_t in = 1 + op->value % (slot->n_bytes - 1);
        expect("free within", slm_journal_free(journal, base + slot->offset + in), SLM_E_INTERIOR);
        expect("root within", slm_journal_set_root(journal, base + slot->offset + in),
               SLM_E_FOREIGN);
    }
}

static void write_word(const struct op *op)
{
    struct zone_slot *slot = &hrn_zone_working.slots[op->slot];
    uint32_t idx = op->extra % ZONE_N_WORDS;
    struct slm_journal *journal = slm_zone_journal(hrn_zone_world->zones[op->actor]);
    if (!slot->is_live || idx >= slot->n_bytes / 8) {
        return;
    }
    enum slm_status expected = answer_to_words(op, 1);
    expect("write", slm_journal_write(journal, words_of(op) + idx, op->value), expected);
    expect_unchanged(op, expected);
    if (expected == SLM_OK) {
        slot->words[idx] = op->value;
    }
}

static void save_words(const struct op *op)
{
    struct zone_slot *slot = &hrn_zone_working.slots[op->slot];
    uint32_t n = slot->n_bytes / 8 < ZONE_N_WORDS ? slot->n_bytes / 8 : ZONE_N_WORDS;
    if (!slot->is_live) {
        return;
    }
    uint64_t *words = words_of(op);
    uint32_t from = op->extra % n;
    enum slm_status expected = answer_to_words(op, n - from);
    expect("save",
           slm_journal_note_range(slm_zone_journal(hrn_zone_world->zones[op->actor]), words + from,
                                  (n - from) * sizeof *words),
           expected);
    expect_unchanged(op, expected);
    if (expected != SLM_OK) {
        return;
    }
    for (uint32_t i = from; i < n; i++) {
        words[i] = slot->words[i] = op->value + i;
    }
}

static void set_root(const struct op *op)
{
    bool is_live = hrn_zone_working.slots[op->slot].is_live;
    enum slm_status expected = answer_to_note(op, 1);
    expect(
        "root",
        slm_zone_set_root_locked(hrn_zone_world->zones[op->actor], is_live ? words_of(op) : NULL),
        expected);
    expect_unchanged(op, expected);
    if (expected == SLM_OK) {
        hrn_zone_working.root = is_live ? (int)op->slot : ZONE_NOBODY;
    }
}

static void commit(const struct op *op)
{
    enum slm_status expected = hrn_zone_end_transaction();
    expect("commit", slm_zone_commit_locked(hrn_zone_world->zones[op->actor]), expected);
    hrn_zone_expect_state(hrn_zone_world->zones[op->actor], &hrn_zone_committed, true);
}

static void give_up(const struct op *op)
{
    slm_zone_abort_locked(hrn_zone_world->zones[op->actor]);
    hrn_zone_begin_transaction(&hrn_zone_committed);
    hrn_zone_expect_state(hrn_zone_world->zones[op->actor], &hrn_zone_committed, true);
}

static void reset(const struct op *op)
{
    const struct zone_account empty = {.root = ZONE_NOBODY};
    enum slm_status expected = hrn_zone_end_transaction();
    if (expected == SLM_OK) {
        hrn_zone_offer(&empty);
    }
    expect("reset", slm_zone_reset_locked(hrn_zone_world->zones[op->actor]), expected);
    if (expected == SLM_OK) {
        hrn_zone_begin_transaction(&empty);
    }
    hrn_zone_expect_state(hrn_zone_world->zones[op->actor], &hrn_zone_committed, true);
}

/* --- Calls that take the lock themselves --- */

/* Whether such a call returns: the lock is unowned, the caller's, or a dead actor's. */
static bool may_call(unsigned actor)
{
    return hrn_zone_answer_to_lock(actor) != SLM_E_LOCKED;
}

/* The same of calls whose answer depends on the content. */
static bool may_change(unsigned actor)
{
    return may_call(actor) && !hrn_zone_else.is_unsettled;
}

/* If the caller dies after its commit, no caller ever gets the object. */
static void offer_homeless(void)
{
    static struct zone_account with_one_more;
    with_one_more = hrn_zone_committed;
    with_one_more.n_homeless++;
    hrn_zone_offer(&with_one_more);
}

static void offer_without(unsigned slot)
{
    struct zone_account before = hrn_zone_working;
    drop_slot(slot);
    hrn_zone_offer(&hrn_zone_working);
    hrn_zone_working = before;
}

static void alloc_alone(const struct op *op)
{
    enum slm_status status;
    enum slm_status expected = hrn_zone_answer_to_lock(op->actor);
    if (expected == SLM_OK) {
        hrn_zone_working = hrn_zone_committed;
    }
    if (!may_change(op->actor) || hrn_zone_working.slots[op->slot].is_live) {
        return;
    }
    if (expected == SLM_OK) {
        offer_homeless();
    }
    void *p = slm_zone_alloc(hrn_zone_world->zones[op->actor], size_of(op), &status);
    if (expected != SLM_OK || p != NULL) {
        expect("alloc alone", status, expected);
    }
    if (expected != SLM_OK) {
        return;
    }
    take_repair();
    if (p != NULL) {
        take_in(op, p, size_of(op));
    }
    leave();
    hrn_zone_look_through_another(op->actor);
}

static void free_alone(const struct op *op)
{
    enum slm_status expected = hrn_zone_answer_to_lock(op->actor);
    if (expected == SLM_OK) {
        hrn_zone_working = hrn_zone_committed;
    }
    const struct zone_slot *slot = &hrn_zone_working.slots[op->slot];
    if (!may_change(op->actor) || !slot->is_live || hrn_zone_working.root == (int)op->slot) {
        return;
    }
    if (expected == SLM_OK) {
        offer_without(op->slot);
    }
    expect("free alone", slm_zone_free(hrn_zone_world->zones[op->actor], words_of(op)), expected);
    if (expected != SLM_OK) {
        return;
    }
    take_repair();
    drop_slot(op->slot);
    leave();
    hrn_zone_look_through_another(op->actor);
}

static void grow(const struct op *op)
{
    enum slm_status expected = hrn_zone_answer_to_lock(op->actor);
    size_t bytes = ZONE_FIRST_BYTES + op->value % (ZONE_MAX_BYTES - ZONE_FIRST_BYTES + 4096);
    if (!may_call(op->actor)) {
        return;
    }
    if (bytes > ZONE_MAX_BYTES) {
        expected = SLM_E_SIZE;
    }
    uint64_t to = (bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
    hrn_zone_world->was_grown = true;
    if (expected == SLM_OK && to > hrn_zone_world->bytes) {
        hrn_zone_world->other_bytes = to;
    }
    expect("grow", slm_zone_grow(hrn_zone_world->zones[op->actor], bytes, NULL), expected);
    if (expected == SLM_OK) {
        hrn_zone_world->bytes = hrn_zone_world->other_bytes;
        hrn_zone_pass_lock();
        hrn_zone_look_through_another(op->actor);
    }
}

/* --- Programs --- */

static bool is_for_holders(enum hrn_zone_op kind)
{
    return kind >= HRN_ZONE_COMMIT && kind <= HRN_ZONE_RESET;
}

void hrn_zone_run(const struct op *op)
{
    static void (*const verbs[HRN_ZONE_COUNT])(const struct op *op) = {
        [HRN_ZONE_LOCK] = lock,
        [HRN_ZONE_TIMED] = lock,
        [HRN_ZONE_UNLOCK] = unlock,
        [HRN_ZONE_COMMIT] = commit,
        [HRN_ZONE_ABORT] = give_up,
        [HRN_ZONE_ALLOC] = alloc,
        [HRN_ZONE_CALLOC] = alloc,
        [HRN_ZONE_MEMALIGN] = alloc,
        [HRN_ZONE_FREE] = free_slot,
        [HRN_ZONE_FREE_WRONG] = free_wrong,
        [HRN_ZONE_WRITE] = write_word,
        [HRN_ZONE_SAVE] = save_words,
        [HRN_ZONE_SET_ROOT] = set_root,
        [HRN_ZONE_RESET] = reset,
        [HRN_ZONE_ALLOC_ALONE] = alloc_alone,
        [HRN_ZONE_FREE_ALONE] = free_alone,
        [HRN_ZONE_GROW] = grow,
        [HRN_ZONE_DIE] = hrn_zone_die,
        [HRN_ZONE_DIE_WITHIN] = hrn_zone_die_within,
        [HRN_ZONE_FORCE_UNLOCK] = hrn_zone_force_unlock,
        [HRN_ZONE_REATTACH] = hrn_zone_reattach,
        [HRN_ZONE_READ] = hrn_zone_read,
        [HRN_ZONE_COPY] = hrn_zone_copy,
        [HRN_ZONE_TRIM] = hrn_zone_trim,
        [HRN_ZONE_REFUSE] = hrn_zone_refuse,
    };
    if (!is_for_holders(op->kind) || holds(op->actor)) {
        hrn_system_be(op->actor);
        hrn_zone_counted.n_kind[op->kind]++;
        HRN_SAY_OP("actor %u: %s slot %u extra %u value %" PRIu32, op->actor,
                   hrn_zone_op_name(op->kind), op->slot, op->extra, op->value);
        hrn_zone_run_mortal(verbs[op->kind], op);
    }
}

bool hrn_zone_kind(unsigned idx, struct hrn_fuzz_kind *kind)
{
    if (idx >= HRN_ZONE_COUNT) {
        return false;
    }
    *kind = (struct hrn_fuzz_kind){hrn_zone_op_name(idx), hrn_zone_counted.n_kind[idx]};
    return true;
}

static struct op decode(const uint8_t *record)
{
    uint32_t value;
    memcpy(&value, record + 4, sizeof value);
    return (struct op){
        .kind = (enum hrn_zone_op)(record[0] % HRN_ZONE_COUNT),
        .actor = record[1] % ZONE_N_ACTORS,
        .slot = record[2] % ZONE_N_SLOTS,
        .extra = record[3],
        .value = value,
    };
}

/* From any state that a program leaves, a later actor can go on. */
static void end_program(void)
{
    struct op last = {.kind = HRN_ZONE_READ, .extra = 1};
    hrn_zone_forget_deaths();
    hrn_zone_run(&last);
    if (hrn_zone_world->holder != ZONE_NOBODY) {
        bool is_dead = hrn_zone_world->holder_is_dead;
        last.kind = is_dead ? HRN_ZONE_FORCE_UNLOCK : HRN_ZONE_UNLOCK;
        last.actor = (unsigned)hrn_zone_world->holder;
        hrn_zone_run(&last);
    }
    hrn_zone_look_through_another(0);
}

int hrn_fuzz_zone(const uint8_t *bytes, size_t n_bytes)
{
    uint64_t n_ops = 0;
    hrn_zone_begin_world(n_bytes == 0 ? 0 : bytes[0] % ZONE_N_SETTINGS);
    for (size_t at = 1; at + RECORD_BYTES <= n_bytes && n_ops < N_OPS_MAX; at += RECORD_BYTES) {
        struct op op = decode(bytes + at);
        hrn_zone_run(&op);
        n_ops++;
    }
    end_program();
    hrn_fuzz_count(n_ops + 1);
    return 0;
}
