/* SPDX-License-Identifier: Apache-2.0 */
/* The model of a zone: its content, and the laws about that. */
#include <inttypes.h>
#include <string.h>

#include "fuzz/zone/world.h"
#include "harness/laws/laws.h"

struct zone_account hrn_zone_committed;
struct zone_account hrn_zone_working;
struct zone_alternatives hrn_zone_else;
struct hrn_zone_counts hrn_zone_counted;

#define LAW_DEFINE(name, sentence) HRN_LAW_DEFINE(hrn_zone_law_##name, #name, sentence)
ZONE_LAW_LIST(LAW_DEFINE)

const struct hrn_zone_counts *hrn_zone_totals(void)
{
    return &hrn_zone_counted;
}

const char *hrn_zone_op_name(enum hrn_zone_op op)
{
#define OP_NAME(name) #name,
    static const char *const names[HRN_ZONE_COUNT] = {HRN_ZONE_LIST(OP_NAME)};
#undef OP_NAME
    return op < HRN_ZONE_COUNT ? names[op] : "?";
}

/* The initial content of an object's word idx. Stamp 0: zeros. */
static uint64_t stamped(uint64_t stamp, uint32_t idx)
{
    return stamp == 0 ? 0 : (stamp << 20 | idx) * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

void hrn_zone_slot_fill(struct zone_slot *slot, void *p, uint64_t offset, uint32_t n_bytes,
                        uint64_t stamp)
{
    uint64_t *words = p;
    *slot = (struct zone_slot){true, n_bytes, offset, stamp, {0}};
    for (uint32_t i = 0; i < n_bytes / 8; i++) {
        words[i] = stamped(stamp, i);
        if (i < ZONE_N_WORDS) {
            slot->words[i] = words[i];
        }
    }
}

void hrn_zone_slot_take_zeroes(struct zone_slot *slot, const void *p, uint64_t offset,
                               uint32_t n_bytes)
{
    hrn_zone_expect_zeroes(p, n_bytes);
    *slot = (struct zone_slot){true, n_bytes, offset, 0, {0}};
}

void hrn_zone_expect_free(const struct zone_account *state, uint64_t offset, uint32_t n_bytes)
{
    for (unsigned i = 0; i < ZONE_N_SLOTS; i++) {
        const struct zone_slot *slot = &state->slots[i];
        if (slot->is_live && offset < slot->offset + slot->n_bytes &&
            slot->offset < offset + n_bytes) {
            hrn_zone_law_exclusive("%" PRIu32 " bytes at %" PRIu64 ", where slot %u has %" PRIu32
                                   " at %" PRIu64,
                                   n_bytes, offset, i, slot->n_bytes, slot->offset);
        }
    }
}

/* The first word that differs from what the slot says; their number: none. */
static uint32_t find_wrong_word(const struct slm_journal *journal, const struct zone_slot *slot,
                                uint64_t *expected)
{
    const uint64_t *words = slm_journal_pointer(journal, slot->offset);
    uint32_t i = 0;
    for (; i < slot->n_bytes / 8; i++) {
        *expected = i < ZONE_N_WORDS ? slot->words[i] : stamped(slot->stamp, i);
        if (words[i] != *expected) {
            break;
        }
    }
    return i;
}

void hrn_zone_expect_contents(const struct slm_journal *journal, const struct zone_slot *slot,
                              unsigned idx)
{
    const uint64_t *words = slm_journal_pointer(journal, slot->offset);
    uint64_t expected = 0;
    uint32_t i = find_wrong_word(journal, slot, &expected);
    if (i < slot->n_bytes / 8) {
        hrn_zone_law_contents("slot %u, word %" PRIu32 " of %" PRIu32 " bytes: %" PRIx64
                              ", expected %" PRIx64,
                              idx, i, slot->n_bytes, words[i], expected);
    }
}

void hrn_zone_expect_zeroes(const void *p, uint32_t n_bytes)
{
    const uint64_t *words = p;
    for (uint32_t i = 0; i < n_bytes / 8; i++) {
        if (words[i] != 0) {
            hrn_zone_law_zeroing("word %" PRIu32 " of %" PRIu32 " bytes", i, n_bytes);
        }
    }
}

static bool add_extent(void *data, const struct slm_slab_extent *extent)
{
    size_t *n = data;
    *n += extent->kind == SLM_SLAB_EXTENT_RUN ? 1 : extent->n_used;
    return true;
}

size_t hrn_zone_count_objects(struct slm_slab *slab)
{
    size_t n = 0;
    slm_slab_walk_locked(slab, add_extent, &n);
    return n;
}

static uint64_t root_of(const struct zone_account *state)
{
    return state->root == ZONE_NOBODY ? 0 : state->slots[state->root].offset;
}

static size_t count_live(const struct zone_account *state)
{
    size_t n = state->n_homeless;
    for (unsigned i = 0; i < ZONE_N_SLOTS; i++) {
        n += state->slots[i].is_live;
    }
    return n;
}

void hrn_zone_expect_state(struct slm_zone *zone, const struct zone_account *state, bool exactly)
{
    const struct slm_journal *journal = slm_zone_journal(zone);
    for (unsigned i = 0; i < ZONE_N_SLOTS; i++) {
        if (state->slots[i].is_live) {
            hrn_zone_expect_contents(journal, &state->slots[i], i);
        }
    }
    uint64_t root = slm_journal_offset(journal, slm_zone_root_locked(zone));
    uint64_t expected = root_of(state);
    if (root != expected) {
        hrn_zone_law_root("%" PRIu64 ", expected %" PRIu64, root, expected);
    }
    size_t n_live = count_live(state);
    size_t n_objects = hrn_zone_count_objects(slm_zone_slab(zone));
    if (exactly && n_objects != n_live) {
        hrn_zone_law_count("%zu objects, expected %zu", n_objects, n_live);
    }
}

/* --- Content after a death within a call that commits --- */

/* Whether the zone has that content exactly. */
static bool has_content(struct slm_zone *zone, const struct zone_account *state)
{
    const struct slm_journal *journal = slm_zone_journal(zone);
    uint64_t expected;
    for (unsigned i = 0; i < ZONE_N_SLOTS; i++) {
        const struct zone_slot *slot = &state->slots[i];
        if (slot->is_live &&
            (slm_slab_check_pointer_locked(slm_zone_slab(zone),
                                           slm_journal_pointer(journal, slot->offset)) != SLM_OK ||
             find_wrong_word(journal, slot, &expected) < slot->n_bytes / 8)) {
            return false;
        }
    }
    return slm_journal_offset(journal, slm_zone_root_locked(zone)) == root_of(state) &&
           hrn_zone_count_objects(slm_zone_slab(zone)) == count_live(state);
}

void hrn_zone_offer(const struct zone_account *account)
{
    hrn_zone_else.accounts[hrn_zone_else.n++] = *account;
}

void hrn_zone_end_offers(void)
{
    if (!hrn_zone_else.is_unsettled) {
        hrn_zone_else.n = 0;
    }
}

void hrn_zone_settle(struct slm_zone *zone)
{
    bool is_found = !hrn_zone_else.is_unsettled || has_content(zone, &hrn_zone_committed);
    for (unsigned i = 0; i < hrn_zone_else.n && !is_found; i++) {
        is_found = has_content(zone, &hrn_zone_else.accounts[i]);
        if (is_found) {
            hrn_zone_committed = hrn_zone_else.accounts[i];
        }
    }
    hrn_zone_else.is_unsettled = false;
    hrn_zone_else.n = 0;
}
