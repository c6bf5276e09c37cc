/* SPDX-License-Identifier: Apache-2.0 */
/* The model of a table and leases: what they contain, and whether a zone has that. */
#include "fuzz/zone/table_model.h"

#include <string.h>

#include "allocator/lease/book.h"

#define LAW_DEFINE(name, sentence) HRN_LAW_DEFINE(hrn_table_law_##name, #name, sentence)
TABLE_LAW_LIST(LAW_DEFINE)

static size_t key_length(unsigned key)
{
    return 1 + key * 37u % TABLE_KEY_BYTES_MAX;
}

static unsigned char key_byte(unsigned key, size_t n_bytes, size_t i)
{
    return i + 1 == n_bytes ? (unsigned char)key : 'k';
}

size_t hrn_table_key_bytes(unsigned key, unsigned char bytes[TABLE_KEY_BYTES_MAX])
{
    size_t n = key_length(key);
    for (size_t i = 0; i < n; i++) {
        bytes[i] = key_byte(key, n, i);
    }
    return n;
}

struct slm_table_key hrn_table_key(unsigned key, unsigned char bytes[TABLE_KEY_BYTES_MAX])
{
    struct slm_table_key made = {0};
    size_t n = hrn_table_key_bytes(key, bytes);
    if (slm_table_key_init(&made, bytes, n) != SLM_OK) {
        hrn_table_law_answer("a key of %zu bytes is refused", n);
    }
    return made;
}

/* --- Changes of the model --- */

int hrn_table_find_item(const struct table_account *account, unsigned key)
{
    for (unsigned i = 0; i < account->n_items; i++) {
        if (account->items[i].key == key) {
            return (int)i;
        }
    }
    return -1;
}

unsigned hrn_table_count_leases(const struct table_account *account, unsigned key)
{
    unsigned n = 0;
    for (unsigned i = 0; i < account->n_leases; i++) {
        n += account->leases[i].key == key;
    }
    return n;
}

void hrn_table_remove_item(struct table_account *account, unsigned key)
{
    int at = hrn_table_find_item(account, key);
    if (at >= 0) {
        account->n_items--;
        memmove(&account->items[at], &account->items[at + 1],
                (account->n_items - (unsigned)at) * sizeof account->items[0]);
    }
}

void hrn_table_add_item(struct table_account *account, const struct table_item *item)
{
    const struct table_item added = *item; /* it may be one of the account's */
    hrn_table_remove_item(account, added.key);
    account->items[account->n_items++] = added;
}

void hrn_table_remove_lease(struct table_account *account, unsigned idx)
{
    account->n_leases--;
    memmove(&account->leases[idx], &account->leases[idx + 1],
            (account->n_leases - idx) * sizeof account->leases[0]);
}

bool hrn_table_evict(struct table_account *account)
{
    for (unsigned i = 0; i < account->n_items; i++) {
        unsigned key = account->items[i].key;
        if (hrn_table_count_leases(account, key) == 0) {
            hrn_table_remove_item(account, key);
            account->n_evicted++;
            return true;
        }
    }
    return false;
}

static bool give_of_slot(struct table_account *account, unsigned slot, bool drops_unused)
{
    for (unsigned i = 0; i < account->n_leases; i++) {
        if (account->leases[i].slot == slot) {
            unsigned key = account->leases[i].key;
            hrn_table_remove_lease(account, i);
            if (drops_unused && hrn_table_count_leases(account, key) == 0) {
                hrn_table_remove_item(account, key);
            }
            return true;
        }
    }
    return false;
}

bool hrn_table_give_one(struct table_account *account, unsigned slots, bool drops_unused,
                        bool is_reclaim)
{
    for (unsigned i = 0; i < TABLE_N_SLOTS; i++) {
        if ((slots & 1u << i) == 0 || account->identities[i] == 0) {
            continue;
        }
        if (give_of_slot(account, i, drops_unused)) {
            account->n_reclaimed += is_reclaim;
        } else {
            account->identities[i] = 0;
        }
        return true;
    }
    return false;
}

/* --- The zone --- */

/* A value is marked at its ends and once in 61 bytes between: large ones cost little that way. */
enum { MARK_STRIDE = 61 };

unsigned hrn_table_key_in_struct(const struct table_item *item)
{
    static const unsigned short_keys[] = {0, 11, 22, 33, 38};
    return short_keys[item->stamp % (sizeof short_keys / sizeof short_keys[0])];
}

static void fill_struct(unsigned char other[TABLE_SHORT_KEY_BYTES], const struct table_item *item)
{
    unsigned char bytes[TABLE_KEY_BYTES_MAX];
    size_t n = hrn_table_key_bytes(hrn_table_key_in_struct(item), bytes);
    memset(other, 0, TABLE_SHORT_KEY_BYTES);
    memcpy(other, bytes, n);
}

/* In a value that is long enough lies another key, at this byte. */
enum { VALUE_KEY_AT = 1 };

bool hrn_table_key_in_value(const struct table_item *item, unsigned *key, size_t *at)
{
    *key = (unsigned)(item->stamp * 11u % TABLE_N_KEYS);
    *at = VALUE_KEY_AT;
    return item->value_bytes > VALUE_KEY_AT + key_length(*key);
}

static unsigned char value_byte(const struct table_item *item, uint32_t i)
{
    unsigned key;
    size_t at;
    size_t n = hrn_table_key_in_value(item, &key, &at) ? key_length(key) : 0;
    if (i - at < n) {
        return key_byte(key, n, i - at);
    }
    return (unsigned char)((item->stamp * 251u + i) * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

static uint32_t next_mark(uint32_t i, uint32_t n)
{
    return i + MARK_STRIDE < n || i + 1 == n ? i + MARK_STRIDE : n - 1;
}

void hrn_table_fill(struct slm_table_entry *entry, const struct table_item *item)
{
    struct table_user *user = (struct table_user *)entry;
    unsigned char *value = slm_table_value_of(entry);
    user->stamp = item->stamp;
    user->value_bytes = item->value_bytes;
    fill_struct(user->other, item);
    for (uint32_t i = 0; i < item->value_bytes; i = next_mark(i, item->value_bytes)) {
        value[i] = value_byte(item, i);
    }
    unsigned key;
    size_t at;
    if (hrn_table_key_in_value(item, &key, &at)) {
        (void)hrn_table_key_bytes(key, value + at);
    }
}

static bool has_value(struct slm_table_entry *entry, const struct table_item *item)
{
    const struct table_user *user = (const struct table_user *)entry;
    const unsigned char *value = slm_table_value_of(entry);
    unsigned char other[TABLE_SHORT_KEY_BYTES];
    fill_struct(other, item);
    if (user->stamp != item->stamp || user->value_bytes != item->value_bytes ||
        memcmp(user->other, other, sizeof other) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < item->value_bytes; i = next_mark(i, item->value_bytes)) {
        if (value[i] != value_byte(item, i)) {
            return false;
        }
    }
    return true;
}

static bool is_item(struct slm_table_entry *entry, const struct table_account *account,
                    const struct table_item *item)
{
    unsigned char bytes[TABLE_KEY_BYTES_MAX];
    size_t n = hrn_table_key_bytes(item->key, bytes);
    const struct table_user *user = (const struct table_user *)entry;
    return entry->key_bytes == n && memcmp(slm_table_key_of(entry), bytes, n) == 0 &&
           slm_lease_n(&user->count) == hrn_table_count_leases(account, item->key) &&
           has_value(entry, item);
}

/* Searches find the keys that the table has, and no others. */
static bool keys_are_found(const struct slm_zone *zone, const struct table_account *account)
{
    const struct slm_table *table = &table_top_of(zone)->table;
    for (unsigned key = 0; key < TABLE_N_KEYS; key++) {
        unsigned char bytes[TABLE_KEY_BYTES_MAX];
        struct slm_table_key wanted = hrn_table_key(key, bytes);
        struct slm_table_entry *entry = slm_table_find_locked(zone, table, &wanted);
        bool is_there = hrn_table_find_item(account, key) >= 0;
        if ((entry != NULL) != is_there ||
            (is_there && memcmp(slm_table_key_of(entry), bytes, wanted.n_bytes) != 0)) {
            return false;
        }
    }
    return true;
}

static bool items_match(const struct slm_zone *zone, const struct table_account *account)
{
    const struct slm_table *table = &table_top_of(zone)->table;
    struct slm_table_entry *entry = slm_table_oldest_locked(zone, table);
    for (unsigned i = 0; i < account->n_items; i++) {
        if (entry == NULL || !is_item(entry, account, &account->items[i])) {
            return false;
        }
        entry = slm_table_newer_locked(zone, entry);
    }
    return entry == NULL && table->by_key.n_nodes == account->n_items &&
           table->n_evicted == account->n_evicted && keys_are_found(zone, account);
}

static bool leases_match(struct slm_zone *zone, const struct table_account *account)
{
    const struct slm_lease_book *book = &table_top_of(zone)->book;
    unsigned n_of[TABLE_N_SLOTS] = {0};
    for (unsigned i = 0; i < account->n_leases; i++) {
        const struct table_lease *lease = &account->leases[i];
        n_of[lease->slot]++;
        const struct lease_object *object =
            slm_journal_pointer(slm_zone_journal(zone), lease->name.offset);
        if (object != NULL && (object->serial != lease->name.serial ||
                               slm_slab_check_pointer_locked(
                                   slm_zone_slab(zone), (void *)(uintptr_t)object) != SLM_OK)) {
            return false;
        }
    }
    for (unsigned i = 0; i < TABLE_N_SLOTS; i++) {
        const struct slm_lease_slot *slot = lease_slot_in(book, i);
        if (slot->identity != account->identities[i] || slot->leases.n_nodes != n_of[i]) {
            return false;
        }
    }
    return book->n_reclaimed == account->n_reclaimed &&
           slm_lease_n_all_locked(book) == account->n_leases;
}

static bool ballast_matches(struct slm_zone *zone, const struct table_account *account)
{
    for (unsigned i = 0; i < TABLE_N_BALLAST; i++) {
        uint64_t offset = account->ballast[i] == TABLE_LOST ? 0 : account->ballast[i];
        void *p = slm_journal_pointer(slm_zone_journal(zone), offset);
        if (p != NULL && slm_slab_check_pointer_locked(slm_zone_slab(zone), p) != SLM_OK) {
            return false;
        }
    }
    return true;
}

static bool add_extent(void *data, const struct slm_slab_extent *extent)
{
    size_t *n = data;
    *n += extent->kind == SLM_SLAB_EXTENT_RUN ? 1 : extent->n_used;
    return true;
}

/* Head, entries, leases and ballast are all that the zone has. */
static bool objects_match(struct slm_zone *zone, const struct table_account *account)
{
    size_t n = 0;
    slm_slab_walk_locked(slm_zone_slab(zone), add_extent, &n);
    size_t n_expected = 1 + account->n_items + account->n_leases;
    for (unsigned i = 0; i < TABLE_N_BALLAST; i++) {
        n_expected += account->ballast[i] != 0;
    }
    return n == n_expected;
}

bool hrn_table_matches(struct slm_zone *zone, const struct table_account *account)
{
    return items_match(zone, account) && leases_match(zone, account) &&
           ballast_matches(zone, account) && objects_match(zone, account);
}

void hrn_table_expect_sound(struct slm_zone *zone)
{
    const struct table_top *top = table_top_of(zone);
    uint64_t n = 0;
    unsigned broken = slm_zone_check_locked(zone);
    if (broken == 0) {
        broken = slm_table_check_locked(zone, &top->table);
    }
    struct slm_table_entry *entry = slm_table_oldest_locked(zone, &top->table);
    for (; entry != NULL && broken == 0; entry = slm_table_newer_locked(zone, entry)) {
        const struct slm_lease_count *count = &((struct table_user *)entry)->count;
        broken = slm_lease_check_count_locked(zone, &top->book, count);
        n += slm_lease_n(count);
    }
    if (broken == 0) {
        broken = slm_lease_check_locked(zone, &top->book, n);
    }
    if (broken != 0) {
        hrn_table_law_sound("invariant %u", broken);
    }
}
