/* SPDX-License-Identifier: Apache-2.0 */
/* Keyed: entries of a zone, found by a key of bytes and listed in the order of their last use. */
#ifndef SLM_EXAMPLES_KEYED_H
#define SLM_EXAMPLES_KEYED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <slabmill/lru.h>
#include <slabmill/rbtree.h>
#include <slabmill/zone.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    What the example libraries have in common. A library has a zone to itself. The zone's
 *          root is the library's head, which begins with a struct slm_keyed; each of its entries
 *          begins with a struct slm_keyed_entry, and ends with its key. A tree finds entries; a
 *          list keeps them from the newest use to the oldest.
 * Change   Every change goes through the zone's journal. If a caller dies, all it did since the
 *          last commit is undone.
 * Safety   The caller of a _locked function must hold the zone's lock, even if the function only
 *          reads.
 * Failure  Each call documents how many journal entries it takes at most, and a kind's journal has
 *          room for its longest transaction. If a call finds no room all the same, the transaction
 *          is undone: slm_keyed_commit returns false, slm_keyed_leave SLM_E_FULL.
 * Source   The layout of nginx's limit_req, limit_conn and file cache zones.
 */
#define SLM_KEYED_KEY_BYTES_MAX  1024u
#define SLM_KEYED_INSERT_ENTRIES (SLM_RBTREE_ENTRIES + SLM_LRU_ENTRIES + 1u)
#define SLM_KEYED_REMOVE_ENTRIES (SLM_RBTREE_ENTRIES + SLM_LRU_ENTRIES + 1u)

/* Start of every head, in shared memory. */
struct slm_keyed {
    uint64_t magic; /* identifies the library and its layout */
    struct slm_rbtree by_key;
    struct slm_lru by_use;
    uint64_t n_evicted; /* entries dropped because memory was out */
    uint64_t n_expired; /* entries dropped because they had expired */
};

/* Start of every entry, in shared memory. */
struct slm_keyed_entry {
    struct slm_rbtree_node by_key; /* first */
    struct slm_lru_node by_use;
    uint64_t hash;
    uint32_t key_at; /* bytes from the entry's start to its key's */
    uint32_t key_bytes;
};

/* Constants that describe a library to this unit. */
struct slm_keyed_kind {
    uint64_t magic;           /* not 0; changes with the layout of head or entries */
    size_t head_bytes;        /* size of its head, which begins with a struct slm_keyed */
    size_t entry_bytes;       /* size of its entry before the key, a multiple of 8 */
    unsigned journal_entries; /* taken by its longest transaction */
};

/* A caller's key, not in shared memory. */
struct slm_key {
    const void *data;
    size_t n_bytes;
    uint64_t hash;
};

/* A zone whose lock is held, and the library's head in it. */
struct slm_keyed_view {
    struct slm_zone *zone;
    struct slm_journal *journal;
    struct slm_keyed *head;
};

/* Fills in *key; the bytes stay the caller's. SLM_E_NULL; SLM_E_SIZE: no byte, or more than
 * SLM_KEYED_KEY_BYTES_MAX. */
enum slm_status slm_key_init(struct slm_key *key, const void *data, size_t n_bytes);

/*
 * Makes an empty head the zone's root if the zone has no root. Neither commits nor unlocks, so that
 * an init callback can call it. Fails, changing nothing: SLM_E_STATE (the root is something else,
 * or of another layout), SLM_E_OPTION (the zone's journal is too short), SLM_E_NOMEM. At most 2
 * entries.
 */
enum slm_status slm_keyed_init_locked(struct slm_zone *zone, const struct slm_keyed_kind *kind);

/* The same, as a separate transaction. Fails also: SLM_E_NULL, and as slm_zone_lock. */
enum slm_status slm_keyed_init(struct slm_zone *zone, const struct slm_keyed_kind *kind);

/* The head, or NULL if the zone's root is not of that kind. */
struct slm_keyed *slm_keyed_head(const struct slm_zone *zone, const struct slm_keyed_kind *kind);

/* Takes the zone's lock and fills in *view. Fails, not holding the lock: SLM_E_NULL, SLM_E_STATE
 * (no head of that kind), and as slm_zone_lock. */
enum slm_status slm_keyed_enter(struct slm_keyed_view *view, struct slm_zone *zone,
                                const struct slm_keyed_kind *kind);

/* Commits and keeps the lock. False: the journal was full, and everything since the last commit is
 * undone. */
bool slm_keyed_commit(const struct slm_keyed_view *view);

/* Unlocks and returns status. Commits first if status is SLM_OK, and undoes what is not committed
 * otherwise. SLM_E_FULL: the journal was full, and the transaction is undone. */
enum slm_status slm_keyed_leave(const struct slm_keyed_view *view, enum slm_status status);

/* NULL: no entry has that key. Cost O(log n). */
struct slm_keyed_entry *slm_keyed_find(const struct slm_keyed_view *view,
                                       const struct slm_key *key);

/*
 * An object for a new entry; all but the key is 0. It is in neither tree nor list: slm_keyed_insert
 * puts it there, in the same transaction. NULL: no memory.
 * Takes 1 journal entry.
 */
struct slm_keyed_entry *slm_keyed_alloc(const struct slm_keyed_view *view,
                                        const struct slm_keyed_kind *kind,
                                        const struct slm_key *key);

/* The same, with room for more_bytes after the key, and as slm_zone_alloc_evicting_locked: the
 * first change of a turn. NULL: *status has the reason. */
struct slm_keyed_entry *slm_keyed_alloc_evicting(const struct slm_keyed_view *view,
                                                 const struct slm_keyed_kind *kind,
                                                 const struct slm_key *key, size_t more_bytes,
                                                 slm_zone_evict *evict, void *data,
                                                 enum slm_status *status);

/* Puts it into tree and list, as the newest. No other entry may have that key. Takes
 * SLM_KEYED_INSERT_ENTRIES, including the allocation. */
void slm_keyed_insert(const struct slm_keyed_view *view, struct slm_keyed_entry *entry);

/* Makes it the newest. Takes SLM_LRU_ENTRIES. */
void slm_keyed_touch(const struct slm_keyed_view *view, struct slm_keyed_entry *entry);

/* Removes it and frees it with the next commit. Takes SLM_KEYED_REMOVE_ENTRIES. */
void slm_keyed_remove(const struct slm_keyed_view *view, struct slm_keyed_entry *entry);

/* NULL at the end. */
struct slm_keyed_entry *slm_keyed_oldest(const struct slm_keyed_view *view);
struct slm_keyed_entry *slm_keyed_newer(const struct slm_keyed_view *view,
                                        const struct slm_keyed_entry *entry);

/* In the tree's order, which means nothing to a user: the entry after that key, which need not be
 * there; NULL: the first. NULL at the end. Cost O(log n). */
struct slm_keyed_entry *slm_keyed_after(const struct slm_keyed_view *view,
                                        const struct slm_key *key);
/* The next in that order; NULL at the end. Cost O(1) on average. */
struct slm_keyed_entry *slm_keyed_next(const struct slm_keyed_view *view,
                                       const struct slm_keyed_entry *entry);

/* Adds 1 to one of the head's counters. Takes 1 journal entry. */
void slm_keyed_count(const struct slm_keyed_view *view, uint64_t *counter);

struct slm_keyed_stats {
    uint64_t n_entries;
    uint64_t n_evicted;
    uint64_t n_expired;
};

/* Takes the lock. Fails: as slm_keyed_enter. */
enum slm_status slm_keyed_get_stats(struct slm_zone *zone, const struct slm_keyed_kind *kind,
                                    struct slm_keyed_stats *stats);

/*
 * The first step of a library's check. Returns 0 and fills in *view, so that the head may be read;
 * or returns the number of a broken invariant: the zone's, below 200, or 201 (listed at the top of
 * keyed_check.c). Reads only, bounded, safe on any content. Cost O(pages).
 */
unsigned slm_keyed_check_head_locked(struct slm_keyed_view *view, struct slm_zone *zone,
                                     const struct slm_keyed_kind *kind);

/* The second step: 0, or 202 to 207. n_more: objects of the zone that are neither head nor entries.
 * Equally safe. Cost O(pages + n log n). */
unsigned slm_keyed_check_entries_locked(const struct slm_keyed_view *view,
                                        const struct slm_keyed_kind *kind, size_t n_more);

/* Whether p is the start of a live object of at least n_bytes. For checks. */
bool slm_keyed_is_object(struct slm_zone *zone, const void *p, size_t n_bytes);

static inline const unsigned char *slm_keyed_key(const struct slm_keyed_entry *entry)
{
    return (const unsigned char *)entry + entry->key_at;
}

/* The more_bytes after the key. */
static inline unsigned char *slm_keyed_more(struct slm_keyed_entry *entry)
{
    return (unsigned char *)entry + entry->key_at + entry->key_bytes;
}

#ifdef __cplusplus
}
#endif
#endif
