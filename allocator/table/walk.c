/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over the entries of a table: in the order of use, and in the order of the tree. */
#include "allocator/table/entry.h"
#include "allocator/zone/handle.h"

struct slm_table_entry *slm_table_newest_locked(const struct slm_zone *zone,
                                                const struct slm_table *table)
{
    return zone == NULL || table == NULL
               ? NULL
               : table_entry_of_use(slm_journal_pointer(&zone->journal, table->by_use.newest));
}

struct slm_table_entry *slm_table_oldest_locked(const struct slm_zone *zone,
                                                const struct slm_table *table)
{
    return zone == NULL || table == NULL
               ? NULL
               : table_entry_of_use(slm_journal_pointer(&zone->journal, table->by_use.oldest));
}

struct slm_table_entry *slm_table_newer_locked(const struct slm_zone *zone,
                                               const struct slm_table_entry *entry)
{
    return zone == NULL || entry == NULL
               ? NULL
               : table_entry_of_use(slm_journal_pointer(&zone->journal, entry->by_use.newer));
}

struct slm_table_entry *slm_table_older_locked(const struct slm_zone *zone,
                                               const struct slm_table_entry *entry)
{
    return zone == NULL || entry == NULL
               ? NULL
               : table_entry_of_use(slm_journal_pointer(&zone->journal, entry->by_use.older));
}

struct slm_table_entry *slm_table_after_locked(const struct slm_zone *zone,
                                               const struct slm_table *table,
                                               const struct slm_table_key *key)
{
    if (zone == NULL || table == NULL) {
        return NULL;
    }
    const struct slm_journal *journal = &zone->journal;
    if (key == NULL) {
        return table_entry_of_key(slm_rbtree_first(journal, &table->by_key));
    }
    struct slm_rbtree_node *node =
        slm_rbtree_lower_bound(journal, &table->by_key, key, table_compare);
    if (node != NULL && table_compare(key, node) == 0) {
        node = slm_rbtree_next(journal, node);
    }
    return table_entry_of_key(node);
}

struct slm_table_entry *slm_table_next_locked(const struct slm_zone *zone,
                                              const struct slm_table_entry *entry)
{
    return zone == NULL || entry == NULL
               ? NULL
               : table_entry_of_key(slm_rbtree_next(&zone->journal, &entry->by_key));
}
