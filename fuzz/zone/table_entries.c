/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of zone_table_fuzz on entries, and on objects next to them. */
#include <inttypes.h>

#include "fuzz/zone/table_turn.h"

static uint32_t value_bytes_of(const struct table_op *op)
{
    return TABLE_IS_LARGE(op) ? op->value % (TABLE_ZONE_BYTES + 4096) : op->value % 2000u;
}

static bool evict_unused(struct slm_zone *zone, void *data)
{
    struct table_top *top = table_top_of(zone);
    struct slm_table_entry *entry = slm_table_oldest_locked(zone, &top->table);
    (void)data;
    while (entry != NULL && slm_lease_n(&((struct table_user *)entry)->count) != 0) {
        entry = slm_table_newer_locked(zone, entry);
    }
    return entry != NULL && slm_table_evict_locked(zone, &top->table, entry) == SLM_OK;
}

/* Without leases, what the library evicts by itself is the same. */
static struct slm_table_shape shape_of(const struct table_op *op)
{
    return (struct slm_table_shape){
        .entry_bytes = sizeof(struct table_user),
        .value_bytes = value_bytes_of(op),
        .evict = hrn_table_now.n_leases == 0 && op->value % 2 == 0 ? NULL : evict_unused,
        .keeps_all = op->kind == HRN_TABLE_GET_KEEPING,
    };
}

static struct table_item item_of(const struct table_op *op)
{
    return (struct table_item){op->key, value_bytes_of(op), hrn_table_next_stamp};
}

static void add_entry(struct table_account *account, const struct table_op *op)
{
    struct table_item item = item_of(op);
    hrn_table_add_item(account, &item);
}

static void touch_entry(struct table_account *account, const struct table_op *op)
{
    int at = hrn_table_find_item(account, op->key);
    if (at >= 0) {
        hrn_table_add_item(account, &account->items[at]);
    }
}

/* --- Keys that lie in entries --- */

static struct slm_table_entry *entry_of_age(const struct slm_zone *zone, unsigned age)
{
    struct slm_table_entry *entry = slm_table_oldest_locked(zone, &table_top_of(zone)->table);
    while (age-- > 0) {
        entry = slm_table_newer_locked(zone, entry);
    }
    return entry;
}

void hrn_table_aim(struct table_op *op)
{
    if (!TABLE_IS_INSIDE(op) || hrn_table_now.n_items == 0) {
        return;
    }
    unsigned age = TABLE_KEEPER(op) % hrn_table_now.n_items;
    const struct table_item *item = &hrn_table_now.items[age];
    struct slm_table_entry *entry = entry_of_age(hrn_table_zone(op->actor), age);
    size_t at;
    op->keeper = item->key;
    if (!TABLE_IS_KEEPERS(op) && TABLE_IS_STRUCTS(op)) {
        op->key = hrn_table_key_in_struct(item);
        op->inside = ((struct table_user *)entry)->other;
    } else if (!TABLE_IS_KEEPERS(op) && hrn_table_key_in_value(item, &op->key, &at)) {
        op->inside = slm_table_value_of(entry) + at;
    } else {
        op->key = item->key;
        op->inside = slm_table_key_of(entry);
    }
    hrn_table_counted.n_inside++;
}

struct slm_table_key hrn_table_key_of(const struct table_op *op,
                                      unsigned char bytes[TABLE_KEY_BYTES_MAX])
{
    struct slm_table_key key = hrn_table_key(op->key, bytes);
    key.data = op->inside != NULL ? op->inside : key.data;
    return key;
}

/* The key was in an entry that went for it. */
static void count_evicted_keys(const struct table_op *op)
{
    bool is_gone = hrn_table_find_item(&hrn_table_now, op->keeper) < 0;
    hrn_table_counted.n_inside_evicted += op->inside != NULL && is_gone;
}

/* --- Getting and putting --- */

/* A refusal has a reason: there was nothing left to evict, or the entry never fits and all stays. */
static void judge_refusal(const struct table_op *op, enum slm_status status, uint64_t n_before)
{
    struct table_account left = hrn_table_now;
    uint64_t n_evicted = hrn_table_now.n_evicted - n_before;
    hrn_table_counted.n_evicted += n_evicted;
    hrn_table_counted.n_refused += status == SLM_E_NOMEM;
    if (status == SLM_OK) {
        count_evicted_keys(op);
        return;
    }
    hrn_table_expect("get", status, SLM_E_NOMEM);
    bool is_all = !hrn_table_evict(&left);
    if (n_evicted != 0 && !is_all) {
        hrn_table_law_eviction("%" PRIu64 " evicted, then a refusal with %u left", n_evicted,
                               hrn_table_now.n_items);
    }
    if (n_evicted != 0 && value_bytes_of(op) >= TABLE_ZONE_BYTES) {
        hrn_table_law_eviction("%" PRIu64 " evicted for more than the zone", n_evicted);
    }
}

void hrn_table_get(const struct table_op *op)
{
    struct slm_zone *zone = hrn_table_zone(op->actor);
    unsigned char bytes[TABLE_KEY_BYTES_MAX];
    struct slm_table_key key = hrn_table_key_of(op, bytes);
    struct slm_table_shape shape = shape_of(op);
    bool is_known = hrn_table_find_item(&hrn_table_now, op->key) >= 0;
    uint64_t n_before = hrn_table_now.n_evicted;
    enum slm_status status;
    bool is_new;
    hrn_table_next_stamp++;
    hrn_table_plan_change(op, is_known ? touch_entry : add_entry);
    hrn_table_plan.steps = is_known || shape.keeps_all ? PLAN_CHANGE : PLAN_EVICT;
    struct slm_table_entry *entry =
        slm_table_get_locked(zone, &table_top_of(zone)->table, &key, &shape, &is_new, &status);
    if ((entry != NULL) != (status == SLM_OK) || is_new != (entry != NULL && !is_known) ||
        (is_known && entry == NULL)) {
        hrn_table_law_answer("get of a key that is %s: %s", is_known ? "known" : "new",
                             slm_status_name(status));
    }
    if (is_new) {
        struct table_item item = item_of(op);
        hrn_table_fill(entry, &item);
    }
    hrn_table_end_turn(op, status);
    judge_refusal(op, status, n_before);
}

/* Replaces the key's entry, if it has no lease. */
void hrn_table_put(const struct table_op *op)
{
    struct slm_zone *zone = hrn_table_zone(op->actor);
    struct slm_table *table = &table_top_of(zone)->table;
    unsigned char bytes[TABLE_KEY_BYTES_MAX];
    struct slm_table_key key = hrn_table_key_of(op, bytes);
    struct slm_table_shape shape = shape_of(op);
    uint64_t n_before = hrn_table_now.n_evicted;
    enum slm_status status;
    if (hrn_table_count_leases(&hrn_table_now, op->key) != 0) {
        hrn_table_end_turn(op, SLM_E_BUSY);
        return;
    }
    hrn_table_next_stamp++;
    hrn_table_plan_change(op, add_entry);
    hrn_table_plan.steps = PLAN_EVICT;
    struct slm_table_entry *entry = slm_table_alloc_locked(zone, table, &key, &shape, &status);
    if (entry != NULL) {
        struct table_item item = item_of(op);
        hrn_table_fill(entry, &item);
        key.data = bytes; /* the entry that had it may be gone */
        struct slm_table_entry *old = slm_table_find_locked(zone, table, &key);
        if (old != NULL) {
            hrn_table_expect("insert of a known key", slm_table_insert_locked(zone, table, entry),
                             SLM_E_DUPLICATE);
        }
        hrn_table_expect("drop", slm_table_drop_locked(zone, table, old), SLM_OK);
        hrn_table_expect("insert", slm_table_insert_locked(zone, table, entry), SLM_OK);
    }
    hrn_table_end_turn(op, status);
    judge_refusal(op, status, n_before);
}

void hrn_table_touch(const struct table_op *op)
{
    struct slm_zone *zone = hrn_table_zone(op->actor);
    struct slm_table_entry *entry = hrn_table_entry(op);
    hrn_table_plan_change(op, touch_entry);
    hrn_table_expect("touch", slm_table_touch_locked(zone, &table_top_of(zone)->table, entry),
                     entry == NULL ? SLM_E_NULL : SLM_OK);
    hrn_table_end_turn(op, SLM_OK);
}

static void drop_entry(struct table_account *account, const struct table_op *op)
{
    hrn_table_remove_item(account, op->key);
}

void hrn_table_drop(const struct table_op *op)
{
    struct slm_zone *zone = hrn_table_zone(op->actor);
    struct slm_table *table = &table_top_of(zone)->table;
    struct slm_table_entry *entry =
        hrn_table_count_leases(&hrn_table_now, op->key) == 0 ? hrn_table_entry(op) : NULL;
    hrn_table_plan_change(op, entry == NULL ? NULL : drop_entry);
    hrn_table_expect("drop", slm_table_drop_locked(zone, table, entry), SLM_OK);
    if (entry != NULL) {
        hrn_table_expect("drop again", slm_table_drop_locked(zone, table, entry), SLM_E_NOT_MEMBER);
    }
    hrn_table_end_turn(op, SLM_OK);
}

void hrn_table_walk(const struct table_op *op)
{
    struct slm_zone *zone = hrn_table_zone(op->actor);
    const struct slm_table *table = &table_top_of(zone)->table;
    const struct slm_table_entry *entry = slm_table_after_locked(zone, table, NULL);
    unsigned n = 0;
    uint64_t last = 0;
    for (; entry != NULL && n <= hrn_table_now.n_items; n++) {
        if (entry->hash < last) {
            hrn_table_law_walk("hash %" PRIx64 " after %" PRIx64, entry->hash, last);
        }
        last = entry->hash;
        struct slm_table_key key = {slm_table_key_of(entry), entry->key_bytes, entry->hash};
        const struct slm_table_entry *next = slm_table_next_locked(zone, entry);
        if (next != slm_table_after_locked(zone, table, &key)) {
            hrn_table_law_walk("next and after differ after %u entries", n);
        }
        entry = next;
    }
    if (n != hrn_table_now.n_items) {
        hrn_table_law_walk("%u entries, expected %u", n, hrn_table_now.n_items);
    }
    hrn_table_end_turn(op, SLM_E_BUSY);
}

void hrn_table_misuse(const struct table_op *op)
{
    struct slm_zone *zone = hrn_table_zone(op->actor);
    struct table_top *top = table_top_of(zone);
    struct slm_table_entry *entry = hrn_table_entry(op);
    struct slm_lease lease = {op->value, op->extra};
    struct slm_lease_worker none = {TABLE_N_SLOTS + op->value};
    if (entry != NULL) {
        hrn_table_expect("insert twice", slm_table_insert_locked(zone, &top->table, entry),
                         SLM_E_DUPLICATE);
        struct slm_lease_count *count = &((struct table_user *)entry)->count;
        hrn_table_expect("take by no worker",
                         slm_lease_take_locked(zone, &top->book, &none, count, &lease),
                         SLM_E_OWNER);
    }
    hrn_table_expect("give by no worker",
                     slm_lease_give_locked(zone, &top->book, &none, &lease, NULL), SLM_E_OWNER);
    if (slm_lease_is_mine_locked(&top->book, &hrn_table_workers[op->actor])) {
        hrn_table_expect(
            "give of no lease",
            slm_lease_give_locked(zone, &top->book, &hrn_table_workers[op->actor], &lease, NULL),
            SLM_E_NOT_MEMBER);
    }
    hrn_table_expect("second book", slm_lease_init_locked(zone, &top->book, 1), SLM_E_STATE);
    hrn_table_end_turn(op, SLM_E_BUSY);
}

/* --- Other objects --- */

static uint64_t ballast_offset;

static void change_ballast(struct table_account *account, const struct table_op *op)
{
    uint64_t *ballast = &account->ballast[op->key % TABLE_N_BALLAST];
    *ballast = *ballast == 0 ? ballast_offset : 0;
}

void hrn_table_toggle_ballast(const struct table_op *op)
{
    struct slm_journal *journal = slm_zone_journal(hrn_table_zone(op->actor));
    uint64_t offset = hrn_table_now.ballast[op->key % TABLE_N_BALLAST];
    enum slm_status status = SLM_OK;
    ballast_offset = TABLE_LOST;
    hrn_table_plan_change(op, change_ballast);
    if (offset == TABLE_LOST) {
        hrn_table_plan.change = NULL;
    } else if (offset != 0) {
        hrn_table_expect("free", slm_journal_free(journal, slm_journal_pointer(journal, offset)),
                         SLM_OK);
    } else {
        void *p = slm_journal_alloc(journal, 1 + op->value % 30000u);
        status = p == NULL ? SLM_E_NOMEM : SLM_OK;
        ballast_offset = p == NULL ? TABLE_LOST : slm_journal_offset(journal, p);
    }
    hrn_table_end_turn(op, status);
}
