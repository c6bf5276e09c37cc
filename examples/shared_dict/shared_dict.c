/* SPDX-License-Identifier: Apache-2.0 */
/* Items in a zone, found by key, ordered by use and by the time when they expire. */
#include "examples/shared_dict/shared_dict.h"

#include <string.h>

enum { DUE_TREE = 251, DUE_ORDER, DUE_MEMBERS, VALUE };

/* In shared memory. */
struct head {
    struct slm_keyed keyed; /* first */
    struct slm_rbtree by_due;
};

/* In shared memory; the key follows it, and then the value, unless that has the size of a number. */
struct item {
    struct slm_keyed_entry keyed;  /* first */
    struct slm_rbtree_node by_due; /* all 0: it does not expire */
    uint64_t due_ms;
    uint64_t value_bytes;
    slm_word number; /* a value of 8 bytes: aligned, so that it can change in place */
};

/* The longest transaction removes one item and inserts one. */
static const struct slm_keyed_kind kind = {
    .magic = UINT64_C(0x73686469637401),
    .head_bytes = sizeof(struct head),
    .entry_bytes = sizeof(struct item),
    .journal_entries =
        SLM_KEYED_REMOVE_ENTRIES + SLM_KEYED_INSERT_ENTRIES + 2 * SLM_RBTREE_ENTRIES + 8,
};

#define DUE_MAX        2u /* expired items that each put drops */
#define VALUE_PART_MAX 8u /* of the zone */

/* What a call looks at: the zone, the key, and the time. */
struct call {
    struct slm_keyed_view view;
    struct slm_key key;
    uint64_t now_ms;
};

static struct slm_rbtree *by_due(const struct slm_keyed_view *view)
{
    return &((struct head *)view->head)->by_due;
}

static struct item *item_of_due(const struct slm_rbtree_node *node)
{
    return node == NULL ? NULL : (struct item *)((uintptr_t)node - offsetof(struct item, by_due));
}

static int order_due(const struct slm_rbtree_node *a, const struct slm_rbtree_node *b)
{
    uint64_t left = item_of_due(a)->due_ms;
    uint64_t right = item_of_due(b)->due_ms;
    return left < right ? -1 : left > right;
}

static bool is_number(const struct item *item)
{
    return item->value_bytes == sizeof item->number;
}

static unsigned char *value_of(struct item *item)
{
    return is_number(item) ? (unsigned char *)&item->number : slm_keyed_more(&item->keyed);
}

static uint64_t due_after(uint64_t ttl_ms, uint64_t now_ms)
{
    return now_ms > SLM_SHARED_DICT_FOREVER - ttl_ms ? SLM_SHARED_DICT_FOREVER : now_ms + ttl_ms;
}

enum slm_status slm_shared_dict_init_locked(struct slm_zone *zone)
{
    return slm_keyed_init_locked(zone, &kind);
}

enum slm_status slm_shared_dict_init(struct slm_zone *zone)
{
    return slm_keyed_init(zone, &kind);
}

/* Takes the lock. */
static enum slm_status enter(struct call *call, struct slm_zone *zone, const void *key,
                             size_t key_bytes, uint64_t now_ms)
{
    enum slm_status status = slm_key_init(&call->key, key, key_bytes);
    call->now_ms = now_ms;
    return status == SLM_OK ? slm_keyed_enter(&call->view, zone, &kind) : status;
}

/* --- Dropping --- */

static void add_due(const struct slm_keyed_view *view, struct item *item)
{
    if (item->due_ms != SLM_SHARED_DICT_FOREVER) {
        (void)slm_rbtree_insert(view->journal, by_due(view), &item->by_due, order_due);
    }
}

static void remove_due(const struct slm_keyed_view *view, struct item *item)
{
    if (item->due_ms != SLM_SHARED_DICT_FOREVER) {
        (void)slm_rbtree_remove(view->journal, by_due(view), &item->by_due);
    }
}

static void remove_item(const struct slm_keyed_view *view, struct item *item)
{
    remove_due(view, item);
    slm_keyed_remove(view, &item->keyed);
}

/* Runs as its own transaction: memory is not free before the commit. */
static bool drop_expired(const struct slm_keyed_view *view, struct item *item)
{
    remove_item(view, item);
    slm_keyed_count(view, &view->head->n_expired);
    return slm_keyed_commit(view);
}

/* The first item that has expired, or NULL. */
static struct item *first_due(const struct slm_keyed_view *view, uint64_t now_ms)
{
    struct item *item = item_of_due(slm_rbtree_first(view->journal, by_due(view)));
    return item != NULL && item->due_ms <= now_ms ? item : NULL;
}

static size_t expire(const struct slm_keyed_view *view, uint64_t now_ms, size_t max)
{
    size_t n = 0;
    struct item *item;
    while (n < max && (item = first_due(view, now_ms)) != NULL && drop_expired(view, item)) {
        n++;
    }
    return n;
}

/* For slm_zone_alloc_evicting_locked: drops an item that has expired, or else the oldest use. */
static bool evict(struct slm_zone *zone, void *data)
{
    const struct call *call = data;
    struct slm_keyed *head = call->view.head;
    struct item *due = first_due(&call->view, call->now_ms);
    struct item *item = due != NULL ? due : (struct item *)slm_keyed_oldest(&call->view);
    (void)zone;
    if (item == NULL) {
        return false;
    }
    remove_item(&call->view, item);
    slm_keyed_count(&call->view, due != NULL ? &head->n_expired : &head->n_evicted);
    return true;
}

/* The key's item; *status if it is NULL. Drops one that has expired, as a transaction of its own. */
static struct item *find_live(const struct call *call, enum slm_status *status)
{
    struct item *item = (struct item *)slm_keyed_find(&call->view, &call->key);
    *status = item == NULL ? SLM_E_NOT_MEMBER : SLM_OK;
    if (item != NULL && item->due_ms <= call->now_ms) {
        *status = drop_expired(&call->view, item) ? SLM_E_NOT_MEMBER : SLM_E_FULL;
        return NULL;
    }
    return item;
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

/* Completes the new item before it removes the old one. Looks for the old one only then, since
 * making room may have dropped it. */
static enum slm_status store(struct call *call, const struct slm_shared_dict_value *value)
{
    const struct slm_keyed_view *view = &call->view;
    enum slm_status status;
    size_t more_bytes = value->n_bytes == sizeof(slm_word) ? 0 : value->n_bytes;
    if (!fits(view->zone, value->n_bytes)) {
        return SLM_E_SIZE;
    }
    (void)expire(view, call->now_ms, DUE_MAX);
    struct slm_keyed_entry *entry =
        slm_keyed_alloc_evicting(view, &kind, &call->key, more_bytes, evict, call, &status);
    if (entry == NULL) {
        return status;
    }
    struct item *item = (struct item *)entry;
    item->due_ms = due_after(value->ttl_ms, call->now_ms);
    item->value_bytes = value->n_bytes;
    if (value->n_bytes > 0) {
        memcpy(value_of(item), value->data, value->n_bytes);
    }
    struct item *old = (struct item *)slm_keyed_find(view, &call->key);
    if (old != NULL) {
        remove_item(view, old);
    }
    slm_keyed_insert(view, entry);
    add_due(view, item);
    return SLM_OK;
}

enum slm_status slm_shared_dict_put(struct slm_zone *zone, const void *key, size_t key_bytes,
                                    const struct slm_shared_dict_value *value, uint64_t now_ms)
{
    struct call call;
    enum slm_status status = check_value(value);
    if (status == SLM_OK) {
        status = enter(&call, zone, key, key_bytes, now_ms);
    }
    return status == SLM_OK ? slm_keyed_leave(&call.view, store(&call, value)) : status;
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
    return slm_keyed_leave(&call.view, status);
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
        .ttl_ms = item->due_ms == SLM_SHARED_DICT_FOREVER ? SLM_SHARED_DICT_FOREVER
                                                          : item->due_ms - call->now_ms,
    };
    if (found->n_bytes > capacity_bytes) {
        return SLM_E_SPACE;
    }
    if (found->n_bytes > 0) {
        memcpy(buffer, value_of(item), found->n_bytes);
    }
    slm_keyed_touch(&call->view, &item->keyed);
    return SLM_OK;
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
    return status == SLM_OK
               ? slm_keyed_leave(&call.view, read_item(&call, buffer, capacity_bytes, found))
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
    slm_keyed_touch(view, &item->keyed);
    *result = sum;
    return SLM_OK;
}

static enum slm_status increment_or_make(struct call *call, const struct slm_shared_dict_step *step,
                                         int64_t *result)
{
    enum slm_status status;
    int64_t sum;
    struct item *item = find_live(call, &status);
    if (item != NULL) {
        return increment_item(&call->view, item, step->by, result);
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
    return status == SLM_OK ? slm_keyed_leave(&call.view, increment_or_make(&call, step, result))
                            : status;
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
        remove_due(&call.view, item);
        (void)slm_journal_write(call.view.journal, &item->due_ms, due_after(ttl_ms, now_ms));
        add_due(&call.view, item);
    }
    return slm_keyed_leave(&call.view, status);
}

enum slm_status slm_shared_dict_remove(struct slm_zone *zone, const void *key, size_t key_bytes)
{
    struct call call;
    enum slm_status status = enter(&call, zone, key, key_bytes, 0);
    if (status != SLM_OK) {
        return status;
    }
    struct item *item = (struct item *)slm_keyed_find(&call.view, &call.key);
    if (item != NULL) {
        remove_item(&call.view, item);
    }
    return slm_keyed_leave(&call.view, item == NULL ? SLM_E_NOT_MEMBER : SLM_OK);
}

/* Skips items that have expired, and leaves them to calls that change something. */
static const struct slm_keyed_entry *next_live(const struct slm_keyed_view *view,
                                               const struct slm_key *after, uint64_t now_ms)
{
    const struct slm_keyed_entry *entry = slm_keyed_after(view, after);
    while (entry != NULL && ((const struct item *)entry)->due_ms <= now_ms) {
        entry = slm_keyed_next(view, entry);
    }
    return entry;
}

enum slm_status slm_shared_dict_next_key(struct slm_zone *zone, const void *after,
                                         size_t after_bytes, uint64_t now_ms, void *key,
                                         size_t *key_bytes)
{
    struct slm_keyed_view view;
    struct slm_key last;
    if (key == NULL || key_bytes == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = after_bytes == 0 ? SLM_OK : slm_key_init(&last, after, after_bytes);
    if (status == SLM_OK) {
        status = slm_keyed_enter(&view, zone, &kind);
    }
    if (status != SLM_OK) {
        return status;
    }
    const struct slm_keyed_entry *entry = next_live(&view, after_bytes == 0 ? NULL : &last, now_ms);
    if (entry != NULL) {
        *key_bytes = entry->key_bytes;
        memcpy(key, slm_keyed_key(entry), entry->key_bytes);
    }
    return slm_keyed_leave(&view, entry == NULL ? SLM_E_NOT_MEMBER : SLM_OK);
}

enum slm_status slm_shared_dict_expire(struct slm_zone *zone, uint64_t now_ms, size_t max,
                                       size_t *n_dropped)
{
    struct slm_keyed_view view;
    enum slm_status status = slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    size_t n = expire(&view, now_ms, max);
    if (n_dropped != NULL) {
        *n_dropped = n;
    }
    return slm_keyed_leave(&view, SLM_OK);
}

enum slm_status slm_shared_dict_get_stats(struct slm_zone *zone, struct slm_keyed_stats *stats)
{
    return slm_keyed_get_stats(zone, &kind, stats);
}

/* --- Check --- */

static bool due_nodes_are_items(const struct slm_keyed_view *view)
{
    const struct slm_rbtree_node *node = slm_rbtree_first(view->journal, by_due(view));
    for (; node != NULL; node = slm_rbtree_next(view->journal, node)) {
        if (!slm_keyed_is_object(view->zone, item_of_due(node), sizeof(struct item))) {
            return false;
        }
    }
    return true;
}

static unsigned check_due(const struct slm_keyed_view *view, uint64_t n_that_expire)
{
    struct slm_zone_stats stats;
    slm_zone_get_stats(view->zone, &stats);
    if (slm_rbtree_check(view->journal, by_due(view), NULL, 1, stats.bytes) != 0 ||
        !due_nodes_are_items(view)) {
        return DUE_TREE;
    }
    if (slm_rbtree_check(view->journal, by_due(view), order_due, 1, stats.bytes) != 0) {
        return DUE_ORDER;
    }
    /* All objects except the head are items, and each is in this tree at most once. */
    const struct item *last = item_of_due(slm_rbtree_last(view->journal, by_due(view)));
    return by_due(view)->n_nodes == n_that_expire &&
                   (last == NULL || last->due_ms != SLM_SHARED_DICT_FOREVER)
               ? 0
               : DUE_MEMBERS;
}

/* Counts the items that expire. */
static unsigned check_values(const struct slm_keyed_view *view, uint64_t *n_that_expire)
{
    struct slm_keyed_entry *entry = slm_keyed_oldest(view);
    for (*n_that_expire = 0; entry != NULL; entry = slm_keyed_newer(view, entry)) {
        const struct item *item = (const struct item *)entry;
        size_t end = entry->key_at + entry->key_bytes;
        if (item->value_bytes > SIZE_MAX / 2 ||
            !slm_keyed_is_object(view->zone, entry,
                                 is_number(item) ? end : end + (size_t)item->value_bytes)) {
            return VALUE;
        }
        *n_that_expire += item->due_ms != SLM_SHARED_DICT_FOREVER;
    }
    return 0;
}

unsigned slm_shared_dict_check_locked(struct slm_zone *zone)
{
    struct slm_keyed_view view;
    uint64_t n_that_expire = 0;
    unsigned broken = slm_keyed_check_head_locked(&view, zone, &kind);
    if (broken == 0) {
        broken = slm_keyed_check_entries_locked(&view, &kind, 0);
    }
    if (broken == 0) {
        broken = check_values(&view, &n_that_expire);
    }
    return broken == 0 ? check_due(&view, n_that_expire) : broken;
}
