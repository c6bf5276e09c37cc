/* SPDX-License-Identifier: Apache-2.0 */
/* Objects for new entries, and the evictions that make room for them. */
#ifndef SLM_TABLE_ROOM_H
#define SLM_TABLE_ROOM_H

#include <string.h>

#include "allocator/base/check.h"
#include "allocator/journal/log.h"
#include "allocator/zone/handle.h"
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

/* A key whose bytes an eviction cannot change. */
struct table_key_copy {
    struct slm_table_key key;
    unsigned char bytes[SLM_TABLE_KEY_BYTES_MAX];
};

/* Whether its bytes are in the zone, perhaps in an entry that is evicted for it. */
static inline bool table_key_is_inside(const struct slm_zone *zone, const struct slm_table_key *key)
{
    return (uintptr_t)key->data - (uintptr_t)zone->journal.base < zone_bytes(zone);
}

/* Returns the key, or a copy of it that lives as long as *copy. A key that is too long, which no
 * entry can have, is not copied. */
static inline const struct slm_table_key *table_keep_key(const struct slm_zone *zone,
                                                         const struct slm_table_key *key,
                                                         struct table_key_copy *copy)
{
    if (SLM_LIKELY(!table_key_is_inside(zone, key)) || key->n_bytes > sizeof copy->bytes) {
        return key;
    }
    memcpy(copy->bytes, key->data, key->n_bytes);
    copy->key = (struct slm_table_key){copy->bytes, key->n_bytes, key->hash};
    return &copy->key;
}

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
