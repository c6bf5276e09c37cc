/* SPDX-License-Identifier: Apache-2.0 */
/* A read-only handle of zone_table_fuzz: what it shows, and what it refuses. */
#include <string.h>

#include "fuzz/zone/table_turn.h"
#include "fuzz/zone/world.h"

/* While a turn is under way, tree and list may be half changed: then a call may find `or_else`. */
static void expect_refused(const char *call, enum slm_status seen, bool is_settled,
                           enum slm_status or_else)
{
    if (is_settled || seen != or_else) {
        hrn_table_expect(call, seen, SLM_E_READ_ONLY);
    }
}

static bool evict_nothing(struct slm_zone *zone, void *data)
{
    (void)zone;
    (void)data;
    hrn_table_law_answer("a read-only handle evicts");
}

static void give_nothing(struct slm_zone *zone, struct slm_lease_count *count, void *data)
{
    (void)zone;
    (void)count;
    (void)data;
    hrn_table_law_answer("a read-only handle gives leases back");
}

/* --- What is refused --- */

/* Entries that are to be made. */
static void refuse_new(const struct table_op *op, struct slm_zone *reader, bool is_settled,
                       bool is_known)
{
    struct slm_table *table = &table_top_of(reader)->table;
    unsigned char bytes[TABLE_KEY_BYTES_MAX];
    struct slm_table_key key = hrn_table_key(op->key, bytes);
    struct slm_table_shape shape = {
        .entry_bytes = sizeof(struct table_user),
        .value_bytes = op->value % TABLE_ZONE_BYTES,
        .evict = op->value % 2 == 0 ? NULL : evict_nothing,
        .keeps_all = op->value % 3 == 0,
    };
    enum slm_status status;
    bool is_new;
    if (slm_table_get_locked(reader, table, &key, &shape, &is_new, &status) != NULL || is_new) {
        hrn_table_law_answer("a read-only handle gets an entry");
    }
    expect_refused("get, read-only", status, is_settled, is_known ? SLM_E_NOT_MEMBER : SLM_E_IMAGE);
    if (slm_table_alloc_locked(reader, table, &key, &shape, &status) != NULL) {
        hrn_table_law_answer("a read-only handle allocates an entry");
    }
    hrn_table_expect("alloc, read-only", status, SLM_E_READ_ONLY);
}

/* An entry that is there. */
static void refuse_changes(struct slm_zone *reader, struct slm_table_entry *entry, bool is_settled)
{
    struct slm_table *table = &table_top_of(reader)->table;
    hrn_table_expect("drop, read-only", slm_table_drop_locked(reader, table, entry),
                     SLM_E_READ_ONLY);
    hrn_table_expect("evict, read-only", slm_table_evict_locked(reader, table, entry),
                     SLM_E_READ_ONLY);
    expect_refused("touch, read-only", slm_table_touch_locked(reader, table, entry), is_settled,
                   SLM_E_NOT_MEMBER);
    enum slm_status status = slm_table_insert_locked(reader, table, entry);
    if (is_settled || status != SLM_E_READ_ONLY) {
        hrn_table_expect("insert of what is in the table, read-only", status, SLM_E_DUPLICATE);
    }
}

static void refuse_leases(const struct table_op *op, struct slm_zone *reader,
                          struct slm_table_entry *entry)
{
    struct slm_lease_book *book = &table_top_of(reader)->book;
    struct slm_lease_worker worker = hrn_table_workers[op->actor];
    struct slm_lease lease = {op->value, op->extra};
    size_t n;
    if (hrn_table_now.n_leases != 0) {
        lease = hrn_table_now.leases[op->value % hrn_table_now.n_leases].name;
    }
    if (entry != NULL) {
        struct slm_lease_count *count = &((struct table_user *)entry)->count;
        struct slm_lease taken;
        hrn_table_expect("take, read-only",
                         slm_lease_take_locked(reader, book, &worker, count, &taken),
                         SLM_E_READ_ONLY);
    }
    expect_refused("give, read-only", slm_lease_give_locked(reader, book, &worker, &lease, NULL),
                   false, SLM_E_NOT_MEMBER);
    hrn_table_expect("init, read-only", slm_lease_init_locked(reader, book, TABLE_N_SLOTS),
                     SLM_E_READ_ONLY);
    hrn_table_expect("leave, read-only",
                     slm_lease_leave_locked(reader, book, give_nothing, NULL, &worker),
                     SLM_E_READ_ONLY);
    hrn_table_expect("reclaim, read-only",
                     slm_lease_reclaim_locked(reader, book, give_nothing, NULL, &n),
                     SLM_E_READ_ONLY);
    hrn_table_expect("join, read-only",
                     slm_lease_join_locked(reader, book, give_nothing, NULL, &worker),
                     SLM_E_READ_ONLY);
}

/* --- What is seen --- */

static void expect_same_content(struct slm_zone *reader, struct slm_zone *writer)
{
    hrn_table_expect_sound(reader);
    if (!hrn_table_matches(reader, &hrn_table_now)) {
        hrn_table_law_reader("another content than that of the last turn");
    }
    hrn_zone_expect_same_stats(reader, writer, hrn_table_law_reader);
}

/* Checks end for any content, so they may find anything. */
static void check_half_changed(struct slm_zone *reader)
{
    const struct table_top *top = table_top_of(reader);
    if (slm_zone_check_locked(reader) == 0) {
        (void)slm_table_check_locked(reader, &top->table);
        (void)slm_lease_check_locked(reader, &top->book, 0);
    }
}

void hrn_table_look(const struct table_op *op, struct slm_zone *reader, bool is_settled)
{
    static unsigned char before[TABLE_ZONE_BYTES];
    const void *bytes = slm_segment_base(slm_zone_segment(reader));
    unsigned char key_bytes[TABLE_KEY_BYTES_MAX];
    struct slm_table_key key = hrn_table_key(op->key, key_bytes);
    memcpy(before, bytes, sizeof before);
    if (is_settled) {
        expect_same_content(reader, hrn_table_zone(op->actor));
    } else {
        check_half_changed(reader);
    }
    struct slm_table_entry *entry =
        slm_table_find_locked(reader, &table_top_of(reader)->table, &key);
    refuse_new(op, reader, is_settled, entry != NULL);
    if (entry != NULL) {
        refuse_changes(reader, entry, is_settled);
    }
    refuse_leases(op, reader, entry);
    if (memcmp(before, bytes, sizeof before) != 0) {
        hrn_table_law_silence("of a look by actor %u", op->actor);
    }
    hrn_table_counted.n_looks++;
    hrn_table_counted.n_looks_within += !is_settled;
}
