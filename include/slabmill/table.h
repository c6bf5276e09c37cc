/* SPDX-License-Identifier: Apache-2.0 */
/* Table: entries of a zone, found by a key of bytes and listed from the newest use to the oldest. */
#ifndef SLM_TABLE_H
#define SLM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <slabmill/lru.h>
#include <slabmill/rbtree.h>
#include <slabmill/status.h>
#include <slabmill/word.h>
#include <slabmill/zone.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A struct slm_table lies in an object of its user, all 0 when it is new; a zone may have
 *          several. An entry is an object that begins with the user's struct, which begins with a
 *          struct slm_table_entry. The key follows, and then as many bytes for a value as were asked
 *          for. A tree finds entries by key, a list keeps the order of their use. If memory is out,
 *          the oldest entries make room for a new one.
 *
 *              struct hits { struct slm_table_entry entry; uint64_t n; };
 *              const struct slm_table_shape shape = {.entry_bytes = sizeof(struct hits)};
 *
 *              slm_table_key_init(&key, name, name_bytes);
 *              if ((status = slm_zone_lock(zone)) != SLM_OK) return status;
 *              entry = slm_table_get_locked(zone, table, &key, &shape, NULL, &status);
 *              if (entry != NULL)
 *                  slm_journal_add(slm_zone_journal(zone), &((struct hits *)entry)->n, 1);
 *              return slm_zone_end(zone, status);
 *
 * Change   Every change goes through the zone's journal, as a part of the caller's transaction.
 *          Evictions are transactions of their own, before it; or a part of it, where a new entry
 *          of at most 256 bytes takes the object of the oldest one. So a death leaves some entries
 *          evicted and the new one missing, or all of it done, and nothing between.
 * Order    The tree is in the order of a hash of the keys, then of their lengths, then of their
 *          bytes. Equal hashes cost comparisons and nothing else: all costs hold for any keys.
 * Safety   The caller holds the zone's lock, also to read; any thread or process. Entries and keys
 *          are written by these calls only. slm_table_key_init is pure. Signals: no.
 * Failure  A call needs as many free entries of the journal as are listed with it, however few it
 *          takes: otherwise SLM_E_FULL. A call that changes more than one structure and fails
 *          halfway refuses the transaction, so no commit keeps half of it. NULL: as status.h says.
 * Limits   Keys of 1 to SLM_TABLE_KEY_BYTES_MAX bytes. Objects that a process has attached the zone
 *          read-only for can be found and walked.
 * Source   What nginx's limit_req, limit_conn and file cache zones have in common.
 */
#define SLM_TABLE_KEY_BYTES_MAX 1024u /* longest key */
/* Journal entries that an insert and a drop need at most. */
#define SLM_TABLE_INSERT_ENTRIES (SLM_RBTREE_ENTRIES + SLM_LRU_ENTRIES + 1u)
#define SLM_TABLE_DROP_ENTRIES   (SLM_RBTREE_ENTRIES + SLM_LRU_ENTRIES + 2u)

/* In shared memory, all 0: empty. by_key.n_nodes is the number of entries. */
struct slm_table {
    struct slm_rbtree by_key;
    struct slm_lru by_use;
    slm_word n_evicted; /* entries that made room for others, since the table was made */
};

/* Start of every entry, in shared memory. */
struct slm_table_entry {
    struct slm_rbtree_node by_key; /* first */
    struct slm_lru_node by_use;
    slm_word hash;
    uint32_t key_at; /* bytes from the entry's start to its key's */
    uint32_t key_bytes;
};

/* A caller's key: plain data of its process. */
struct slm_table_key {
    const void *data;
    size_t n_bytes;
    uint64_t hash;
};

/* What new entries consist of, and what makes room for them: constants of the program. */
struct slm_table_shape {
    size_t entry_bytes; /* of the user's struct, a multiple of 8: the key begins after it */
    size_t value_bytes; /* after the key; at any alignment */
    /* Makes room, as slm_zone_alloc_evicting_locked says: it unlinks an entry from what else links
     * it, and calls slm_table_evict_locked. NULL: the table's oldest entry is dropped. */
    slm_zone_evict *evict;
    void *data;
    bool keeps_all; /* nothing is evicted: SLM_E_NOMEM */
};

/* Fills in *key; the bytes stay the caller's, also where they lie in an entry that may be evicted. Fails: SLM_E_NULL; SLM_E_SIZE (no byte, or more than
 * SLM_TABLE_KEY_BYTES_MAX). Cost O(n_bytes). */
enum slm_status slm_table_key_init(struct slm_table_key *key, const void *data, size_t n_bytes);

/* The entry with that key; NULL: there is none. Cost O(log n). */
struct slm_table_entry *slm_table_find_locked(const struct slm_zone *zone,
                                              const struct slm_table *table,
                                              const struct slm_table_key *key);

/*
 * Finds the entry with that key and makes it the newest; or inserts one, after it has evicted until
 * the new one fits. Of a new entry all is 0 but the key, and the value's bytes are as they were; it
 * takes no notes to fill it in before another object is allocated. *is_new (is_new may be NULL):
 * which of the two. Where the key may be new, it is the first change of a turn: evictions are
 * committed.
 * NULL, with no entry inserted; *status (status may be NULL) has the reason: as
 * slm_table_alloc_locked, SLM_E_FULL, SLM_E_IMAGE (the table is damaged). Needs SLM_LRU_ENTRIES for
 * a known key, SLM_TABLE_INSERT_ENTRIES for a new one, and for each eviction as that says. Cost
 * O(log n) and that of the evictions.
 */
struct slm_table_entry *slm_table_get_locked(struct slm_zone *zone, struct slm_table *table,
                                             const struct slm_table_key *key,
                                             const struct slm_table_shape *shape, bool *is_new,
                                             enum slm_status *status);

/* --- The parts of it, for users that do more in between --- */

/*
 * An object for a new entry, as slm_table_get_locked makes it, in neither tree nor list; the same
 * transaction inserts or frees it. Evicts as that does.
 * NULL; *status (status may be NULL) has the reason: SLM_E_SIZE (the key's length),
 * SLM_E_OPTION (entry_bytes), SLM_E_NOMEM, and as slm_zone_alloc_evicting_locked. An entry that
 * could not fit even if the table were empty, because its bytes are more than all entries and the
 * free memory have together, is refused before anything is evicted. Else evictions before the one
 * that failed stay. Takes 1 journal entry.
 */
struct slm_table_entry *slm_table_alloc_locked(struct slm_zone *zone, struct slm_table *table,
                                               const struct slm_table_key *key,
                                               const struct slm_table_shape *shape,
                                               enum slm_status *status);

/* Puts what slm_table_alloc_locked returned into the table, as the newest entry. Fails, changing
 * nothing: SLM_E_DUPLICATE (an entry has that key, or the object is in a table already),
 * SLM_E_FULL, SLM_E_IMAGE (the table is damaged), and as slm_rbtree_insert. Needs
 * SLM_TABLE_INSERT_ENTRIES. Cost O(log n). */
enum slm_status slm_table_insert_locked(struct slm_zone *zone, struct slm_table *table,
                                        struct slm_table_entry *entry);

/* Makes the entry the newest. Fails, changing nothing: as slm_lru_touch. Needs SLM_LRU_ENTRIES.
 * Cost O(1). */
enum slm_status slm_table_touch_locked(struct slm_zone *zone, struct slm_table *table,
                                       struct slm_table_entry *entry);

/* Takes the entry out, and frees it with the commit. The user unlinks it from what else links it.
 * Fails, changing nothing: SLM_E_NOT_MEMBER (it is not in this table), as slm_rbtree_remove and
 * slm_journal_free. entry NULL: does nothing. Needs SLM_TABLE_DROP_ENTRIES. Cost O(log n). */
enum slm_status slm_table_drop_locked(struct slm_zone *zone, struct slm_table *table,
                                      struct slm_table_entry *entry);

/* The same, and counts it in n_evicted. */
enum slm_status slm_table_evict_locked(struct slm_zone *zone, struct slm_table *table,
                                       struct slm_table_entry *entry);

/* --- Walks --- */

/* By use; NULL at the ends. entry is in a table. A walk that drops entries takes the next one before
 * it drops this one. O(1). */
struct slm_table_entry *slm_table_newest_locked(const struct slm_zone *zone,
                                                const struct slm_table *table);
struct slm_table_entry *slm_table_oldest_locked(const struct slm_zone *zone,
                                                const struct slm_table *table);
struct slm_table_entry *slm_table_newer_locked(const struct slm_zone *zone,
                                               const struct slm_table_entry *entry);
struct slm_table_entry *slm_table_older_locked(const struct slm_zone *zone,
                                               const struct slm_table_entry *entry);

/* In the tree's order, for walks of several turns: the entry after that key, which need not be
 * there; key NULL: the first one. NULL at the end. An entry that is there all the time is visited
 * once. Cost O(log n). */
struct slm_table_entry *slm_table_after_locked(const struct slm_zone *zone,
                                               const struct slm_table *table,
                                               const struct slm_table_key *key);
/* The next one in that order; NULL at the end. O(1) on average. */
struct slm_table_entry *slm_table_next_locked(const struct slm_zone *zone,
                                              const struct slm_table_entry *entry);

/*
 * 0, or the number of a broken invariant, 201 to 206 (listed at the top of allocator/table/check.c).
 * What the user's struct and the value contain is the user's to check, after this found nothing.
 * Reads only, bounded, safe for any content. Cost as slm_zone_check_locked, and O(n log n).
 */
unsigned slm_table_check_locked(struct slm_zone *zone, const struct slm_table *table);

/* The entry's key, of key_bytes, and its value. */
static inline const unsigned char *slm_table_key_of(const struct slm_table_entry *entry)
{
    const void *start = entry;
#ifdef __cplusplus
    return static_cast<const unsigned char *>(start) + entry->key_at;
#else
    return (const unsigned char *)start + entry->key_at;
#endif
}

/* The entry's value, of the shape's value_bytes. */
static inline unsigned char *slm_table_value_of(struct slm_table_entry *entry)
{
    void *start = entry;
#ifdef __cplusplus
    return static_cast<unsigned char *>(start) + entry->key_at + entry->key_bytes;
#else
    return (unsigned char *)start + entry->key_at + entry->key_bytes;
#endif
}

#ifdef __cplusplus
}
#endif
#endif
