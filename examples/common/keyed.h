/* SPDX-License-Identifier: Apache-2.0 */
/* Keyed: a zone that one library has to itself, with a table of entries by key. */
#ifndef SLM_EXAMPLES_KEYED_H
#define SLM_EXAMPLES_KEYED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <slabmill/table.h>
#include <slabmill/zone.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    What the example libraries have in common. The zone's root is the library's head, which
 *          begins with a struct slm_keyed. Entries are those of its table (slabmill/table.h).
 * Change   Every change goes through the zone's journal. If a caller dies, all it did since the
 *          last commit is undone.
 * Safety   The caller of a _locked function, and of one that gets a view, holds the zone's lock.
 * Failure  A kind's journal has room for its longest transaction. If a call finds no room all the
 *          same, the transaction is undone: slm_keyed_commit returns false, slm_keyed_leave
 *          SLM_E_FULL.
 */

/* Start of every head, in shared memory. */
struct slm_keyed {
    uint64_t magic; /* identifies the library and its layout */
    struct slm_table table;
    slm_word n_expired; /* entries dropped because they had expired */
};

/* Constants that describe a library to this unit. */
struct slm_keyed_kind {
    uint64_t magic;           /* not 0; changes with the layout of head or entries */
    size_t head_bytes;        /* size of its head, which begins with a struct slm_keyed */
    size_t entry_bytes;       /* as in the shape of its entries */
    unsigned journal_entries; /* taken by its longest transaction */
};

/* A zone whose lock is held, and the library's head in it. */
struct slm_keyed_view {
    struct slm_zone *zone;
    struct slm_journal *journal;
    struct slm_keyed *head;
    struct slm_table *table; /* the head's */
};

/*
 * Makes an empty head the zone's root if the zone has no root. Neither commits nor unlocks, so that
 * an init callback can call it. Fails, changing nothing: SLM_E_STATE (the root is something else,
 * or of another layout), SLM_E_OPTION (the zone's journal is too short), SLM_E_NOMEM. At most 2
 * entries.
 */
enum slm_status slm_keyed_init_locked(struct slm_zone *zone, const struct slm_keyed_kind *kind);

/* Takes the lock and calls init, a library's init_locked, as a separate transaction. Fails also:
 * SLM_E_NULL, and as slm_zone_lock. */
enum slm_status slm_keyed_init(struct slm_zone *zone, enum slm_status (*init)(struct slm_zone *));

/* Fills in *view; false: the zone has no head of that kind. For callbacks that have the lock. */
bool slm_keyed_look_locked(struct slm_keyed_view *view, struct slm_zone *zone,
                           const struct slm_keyed_kind *kind);

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

/* Adds 1 to one of the head's counters. Takes 1 journal entry. */
void slm_keyed_count(const struct slm_keyed_view *view, slm_word *counter);

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
 * or returns the number of a broken invariant: the zone's, below 200, or 208 (listed at the top of
 * keyed_check.c). Reads only, bounded, safe on any content. Cost O(pages).
 */
unsigned slm_keyed_check_head_locked(struct slm_keyed_view *view, struct slm_zone *zone,
                                     const struct slm_keyed_kind *kind);

/* The second step: 0, a number of slm_table_check_locked, 207 or 209. n_more: objects of the zone
 * that are neither head nor entries. Equally safe. Cost O(pages + n log n). */
unsigned slm_keyed_check_entries_locked(const struct slm_keyed_view *view,
                                        const struct slm_keyed_kind *kind, uint64_t n_more);

/* Whether p is the start of a live object of at least n_bytes. For checks. */
bool slm_keyed_is_object(struct slm_zone *zone, const void *p, size_t n_bytes);

#ifdef __cplusplus
}
#endif
#endif
