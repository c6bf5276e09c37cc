/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of a table that are used again, dropped or evicted. */
#include "allocator/base/check.h"
#include "allocator/table/room.h"
#include "allocator/zone/handle.h"

enum slm_status slm_table_touch_locked(struct slm_zone *zone, struct slm_table *table,
                                       struct slm_table_entry *entry)
{
    return SLM_UNLIKELY(zone == NULL || table == NULL || entry == NULL)
               ? SLM_E_NULL
               : slm_lru_touch(&zone->journal, &table->by_use, &entry->by_use);
}

/* The first call finds out whether the entry is in the table, and changes nothing if it is not. */
static enum slm_status drop(struct slm_zone *zone, struct slm_table *table,
                            struct slm_table_entry *entry)
{
    struct slm_journal *journal = &zone->journal;
    enum slm_status status = slm_journal_need(journal, SLM_TABLE_DROP_ENTRIES);
    if (SLM_LIKELY(status == SLM_OK)) {
        status = slm_rbtree_remove(journal, &table->by_key, &entry->by_key);
    }
    if (SLM_UNLIKELY(status != SLM_OK)) {
        return status;
    }
    status = slm_lru_remove(journal, &table->by_use, &entry->by_use);
    if (SLM_LIKELY(status == SLM_OK)) {
        status = slm_journal_free(journal, entry);
    }
    return table_refuse_half(journal, status);
}

enum slm_status slm_table_drop_locked(struct slm_zone *zone, struct slm_table *table,
                                      struct slm_table_entry *entry)
{
    if (SLM_UNLIKELY(zone == NULL || table == NULL)) {
        return SLM_E_NULL;
    }
    return entry == NULL ? SLM_OK : drop(zone, table, entry);
}

enum slm_status slm_table_evict_locked(struct slm_zone *zone, struct slm_table *table,
                                       struct slm_table_entry *entry)
{
    enum slm_status status = slm_table_drop_locked(zone, table, entry);
    if (status != SLM_OK || entry == NULL) {
        return status;
    }
    status = slm_journal_write(&zone->journal, &table->n_evicted, table->n_evicted + 1);
    return table_refuse_half(&zone->journal, status);
}
