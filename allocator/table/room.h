/* SPDX-License-Identifier: Apache-2.0 */
/* Objects for new entries, and the evictions that make room for them. */
#ifndef SLM_TABLE_ROOM_H
#define SLM_TABLE_ROOM_H

#include "allocator/journal/log.h"
#include <slabmill/table.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What became of the table while a new entry got its object. */
enum table_room {
    TABLE_UNCHANGED,
    TABLE_REUSED, /* the oldest entry is out of the tree, and is the new one: the newest of the list */
    TABLE_CHANGED,
};

/* As slm_table_alloc_locked, but see TABLE_REUSED. No pointer is NULL. */
struct slm_table_entry *slm_table_make_entry(struct slm_zone *zone, struct slm_table *table,
                                             const struct slm_table_key *key,
                                             const struct slm_table_shape *shape,
                                             enum table_room *room, enum slm_status *status);

/* Half of a change was made. If the status of the other half says that it cannot be, which only a
 * damaged table does, the transaction is refused. */
static inline enum slm_status table_refuse_half(struct slm_journal *journal, enum slm_status status)
{
    return SLM_LIKELY(status == SLM_OK) ? SLM_OK : slm_journal_refuse(journal, status);
}

#ifdef __cplusplus
}
#endif
#endif
