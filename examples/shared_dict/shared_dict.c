/* SPDX-License-Identifier: Apache-2.0 */
/* Items in a zone, found by key, ordered by use and by the time when they expire. */
#include "examples/shared_dict/shared_dict.h"

#include <string.h>

#include "examples/common/due.h"

enum { DUE = 251, VALUE = 254 };

/* In shared memory; the key follows it, and then the value, unless that has the size of a number. */
struct item {
    struct slm_due_entry due; /* first */
    uint64_t value_bytes;
    slm_word number; /* a value of 8 bytes: aligned, so that it can change in place */
};

/* The longest transaction removes one item and inserts one. */
static const struct slm_keyed_kind kind = {
    .magic = UINT64_C(0x73686469637402),
    .head_bytes = sizeof(struct slm_due_head),
    .entry_bytes = sizeof(struct item),
    .journal_entries = SLM_DUE_DROP_ENTRIES + SLM_TABLE_INSERT_ENTRIES + SLM_RBTREE_ENTRIES + 8,
};

#define VALUE_PART_MAX 8u /* of the zone */

/* What a call looks at: the zone and the time, and the key. */
struct call {
    struct slm_due_call due;
    struct slm_table_key key;
};

static bool is_number(const struct item *item)
{
    return item->value_bytes == sizeof item->number;
}

static unsigned char *value_of(struct item *item)
{
    return is_number(item) ? (unsigned char *)&item->number : slm_table_value_of(&item->due.entry);
}

enum slm_status slm_shared_dict_init_locked(struct slm_zone *zone)
{
    return slm_keyed_init_locked(zone, &kind);
}

enum slm_status slm_shared_dict_init(struct slm_zone *zone)
{
    return slm_keyed_init(zone, slm_shared_dict_init_locked);
}

/* Takes the lock. */
static enum slm_status enter(struct call *call, struct slm_zone *zone, const void *key,
                             size_t key_bytes, uint64_t now_ms)
{
    enum slm_status status = slm_table_key_init(&call->key, key, key_bytes);
    call->due.now_ms = now_ms;
    return status == SLM_OK ? slm_keyed_enter(&call->due.view, zone, &kind) : status;
}

static enum slm_status leave(const struct call *call, enum slm_status status)
{
    return slm_keyed_leave(&call->due.view, status);
}

/* The key's item; *status if it is NULL. Drops one that has expired, as a transaction of its own. */
static struct item *find_live(const struct call *call, enum slm_status *status)
{
    return (struct item *)slm_due_find(&call->due, &call->key, status);
}

/* --- Storing --- */

static enum slm_status check_value(const struct slm_shared_dict_value *value)
{
    if (value == NULL || (value->data == NULL && value->n_bytes > 0)) {
        return SLM_E_NULL;
    }
    return value->ttl_ms == 0 ? SLM_E_OPTION : SLM_OK;
}

static bool fits(const struct slm_zone *zone, size_t n_bytes)
{
    struct slm_zone_stats stats;
    slm_zone_get_stats(zone, &stats);
    return n_bytes <= stats.bytes / VALUE_PART_MAX;
}

/* Completes the new item before it removes the old one. */
static enum slm_status store(struct call *call, const struct slm_shared_dict_value *value)
{
    enum slm_status status;
    const struct slm_table_shape shape = {
        .entry_bytes = sizeof(struct item),
        .value_bytes = value->n_bytes == sizeof(slm_word) ? 0 : value->n_bytes,
    };
    if (!fits(call->due.view.zone, value->n_bytes)) {
        return SLM_E_SIZE;
    }
    struct slm_due_entry *entry = slm_due_alloc(&call->due, &call->key, shape, &status);
    if (entry == NULL) {
        return status;
    }
    struct item *item = (struct item *)entry;
    item->value_bytes = value->n_bytes;
    if (value->n_bytes > 0) {
        memcpy(value_of(item), value->data, value->n_bytes);
    }
    return slm_due_put(&call->due, entry, slm_due_after(value->ttl_ms, call->due.now_ms));
}

enum slm_status slm_shared_dict_put(struct slm_zone *zone, const void *key, size_t key_bytes,
                                    const struct slm_shared_dict_value *value, uint64_t now_ms)
{
    struct call call;
    enum slm_status status = check_value(value);
    if (status == SLM_OK) {
        status = enter(&call, zone, key, key_bytes, now_ms);
    }
    return status == SLM_OK ? leave(&call, store(&call, value)) : status;
}

enum slm_status slm_shared_dict_add(struct slm_zone *zone, const void *key, size_t key_bytes,
                                    const struct slm_shared_dict_value *value, uint64_t now_ms)
{
    struct call call;
    enum slm_status status = check_value(value);
    if (status == SLM_OK) {
        status = enter(&call, zone, key, key_bytes, now_ms);
    }
    if (status != SLM_OK) {
        return status;
    }
    if (find_live(&call, &status) != NULL) {
        status = SLM_E_EXISTS;
    } else if (status == SLM_E_NOT_MEMBER) {
        status = store(&call, value);
    }
    return leave(&call, status);
}

/* --- Reading and changing what is there --- */

static enum slm_status read_item(const struct call *call, void *buffer, size_t capacity_bytes,
                                 struct slm_shared_dict_found *found)
{
    enum slm_status status;
    struct item *item = find_live(call, &status);
    if (item == NULL) {
        return status;
    }
    *found = (struct slm_shared_dict_found){
        .n_bytes = (size_t)item->value_bytes,
        .ttl_ms = item->due.due_ms == SLM_DUE_NEVER ? SLM_SHARED_DICT_FOREVER
                                                    : item->due.due_ms - call->due.now_ms,
    };
    if (found->n_bytes > capacity_bytes) {
        return SLM_E_SPACE;
    }
    if (found->n_bytes > 0) {
        memcpy(buffer, value_of(item), found->n_bytes);
    }
    return slm_table_touch_locked(call->due.view.zone, call->due.view.table, &item->due.entry);
}

enum slm_status slm_shared_dict_get(struct slm_zone *zone, const void *key, size_t key_bytes,
                                    uint64_t now_ms, void *buffer, size_t capacity_bytes,
                                    struct slm_shared_dict_found *found)
{
    struct call call;
    if (found == NULL || (buffer == NULL && capacity_bytes > 0)) {
        return SLM_E_NULL;
    }
    enum slm_status status = enter(&call, zone, key, key_bytes, now_ms);
    return status == SLM_OK ? leave(&call, read_item(&call, buffer, capacity_bytes, found))
                            : status;
}

static enum slm_status increment_item(const struct slm_keyed_view *view, struct item *item,
                                      int64_t by, int64_t *result)
{
    int64_t sum;
    if (!is_number(item)) {
        return SLM_E_OPTION;
    }
    if (__builtin_add_overflow((int64_t)item->number, by, &sum)) {
        return SLM_E_SIZE;
    }
    (void)slm_journal_write(view->journal, &item->number, (uint64_t)sum);
    *result = sum;
    return slm_table_touch_locked(view->zone, view->table, &item->due.entry);
}

static enum slm_status increment_or_make(struct call *call, const struct slm_shared_dict_step *step,
                                         int64_t *result)
{
    enum slm_status status;
    int64_t sum;
    struct item *item = find_live(call, &status);
    if (item != NULL) {
        return increment_item(&call->due.view, item, step->by, result);
    }
    if (status != SLM_E_NOT_MEMBER || !step->makes_key) {
        return status;
    }
    if (step->ttl_ms == 0) {
        return SLM_E_OPTION;
    }
    if (__builtin_add_overflow(step->initial, step->by, &sum)) {
        return SLM_E_SIZE;
    }
    struct slm_shared_dict_value value = {&sum, sizeof sum, step->ttl_ms};
    status = store(call, &value);
    if (status == SLM_OK) {
        *result = sum;
    }
    return status;
}

enum slm_status slm_shared_dict_increment(struct slm_zone *zone, const void *key, size_t key_bytes,
                                          const struct slm_shared_dict_step *step, uint64_t now_ms,
                                          int64_t *result)
{
    struct call call;
    if (step == NULL || result == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = enter(&call, zone, key, key_bytes, now_ms);
    return status == SLM_OK ? leave(&call, increment_or_make(&call, step, result)) : status;
}

enum slm_status slm_shared_dict_set_ttl(struct slm_zone *zone, const void *key, size_t key_bytes,
                                        uint64_t ttl_ms, uint64_t now_ms)
{
    struct call call;
    if (ttl_ms == 0) {
        return SLM_E_OPTION;
    }
    enum slm_status status = enter(&call, zone, key, key_bytes, now_ms);
    if (status != SLM_OK) {
        return status;
    }
    struct item *item = find_live(&call, &status);
    if (item != NULL) {
        slm_due_set(&call.due, &item->due, slm_due_after(ttl_ms, now_ms));
    }
    return leave(&call, status);
}

enum slm_status slm_shared_dict_remove(struct slm_zone *zone, const void *key, size_t key_bytes)
{
    struct call call;
    enum slm_status status = enter(&call, zone, key, key_bytes, 0);
    if (status != SLM_OK) {
        return status;
    }
    struct slm_due_entry *entry =
        (struct slm_due_entry *)slm_table_find_locked(zone, call.due.view.table, &call.key);
    if (entry != NULL) {
        slm_due_drop(&call.due, entry);
    }
    return leave(&call, entry == NULL ? SLM_E_NOT_MEMBER : SLM_OK);
}

/* Skips items that have expired, and leaves them to calls that change something. */
static const struct slm_table_entry *next_live(const struct slm_due_call *call,
                                               const struct slm_table_key *after)
{
    const struct slm_zone *zone = call->view.zone;
    const struct slm_table_entry *entry = slm_table_after_locked(zone, call->view.table, after);
    while (entry != NULL && ((const struct slm_due_entry *)entry)->due_ms <= call->now_ms) {
        entry = slm_table_next_locked(zone, entry);
    }
    return entry;
}

enum slm_status slm_shared_dict_next_key(struct slm_zone *zone, const void *after,
                                         size_t after_bytes, uint64_t now_ms, void *key,
                                         size_t *key_bytes)
{
    struct slm_due_call call = {.now_ms = now_ms};
    struct slm_table_key last;
    if (key == NULL || key_bytes == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status =
        after_bytes == 0 ? SLM_OK : slm_table_key_init(&last, after, after_bytes);
    if (status == SLM_OK) {
        status = slm_keyed_enter(&call.view, zone, &kind);
    }
    if (status != SLM_OK) {
        return status;
    }
    const struct slm_table_entry *entry = next_live(&call, after_bytes == 0 ? NULL : &last);
    if (entry != NULL) {
        *key_bytes = entry->key_bytes;
        memcpy(key, slm_table_key_of(entry), entry->key_bytes);
    }
    return slm_keyed_leave(&call.view, entry == NULL ? SLM_E_NOT_MEMBER : SLM_OK);
}

enum slm_status slm_shared_dict_expire(struct slm_zone *zone, uint64_t now_ms, size_t max,
                                       size_t *n_dropped)
{
    struct slm_due_call call = {.now_ms = now_ms};
    enum slm_status status = slm_keyed_enter(&call.view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    size_t n = slm_due_expire(&call, max);
    if (n_dropped != NULL) {
        *n_dropped = n;
    }
    return slm_keyed_leave(&call.view, SLM_OK);
}

enum slm_status slm_shared_dict_get_stats(struct slm_zone *zone, struct slm_keyed_stats *stats)
{
    return slm_keyed_get_stats(zone, &kind, stats);
}

/* --- Check --- */

static unsigned check_values(const struct slm_keyed_view *view)
{
    const struct slm_table_entry *entry = slm_table_oldest_locked(view->zone, view->table);
    for (; entry != NULL; entry = slm_table_newer_locked(view->zone, entry)) {
        const struct item *item = (const struct item *)entry;
        size_t end = entry->key_at + entry->key_bytes;
        if (item->value_bytes > SIZE_MAX / 2 ||
            !slm_keyed_is_object(view->zone, entry,
                                 is_number(item) ? end : end + (size_t)item->value_bytes)) {
            return VALUE;
        }
    }
    return 0;
}

unsigned slm_shared_dict_check_locked(struct slm_zone *zone)
{
    struct slm_keyed_view view;
    unsigned broken = slm_keyed_check_head_locked(&view, zone, &kind);
    if (broken == 0) {
        broken = slm_keyed_check_entries_locked(&view, &kind, 0);
    }
    if (broken == 0) {
        broken = check_values(&view);
    }
    return broken == 0 ? slm_due_check_locked(&view, DUE) : broken;
}
