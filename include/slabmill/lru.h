/* SPDX-License-Identifier: Apache-2.0 */
/* LRU list: nodes in shared memory, linked by offsets, from newest to oldest. */
#ifndef SLM_LRU_H
#define SLM_LRU_H

#include <stddef.h>
#include <stdint.h>

#include <slabmill/journal.h>
#include <slabmill/object.h>
#include <slabmill/status.h>
#include <slabmill/word.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A doubly linked list from newest to oldest. Nodes are structs inside their user's
 *          objects and record which list they are in; every change goes through the journal.
 * Nodes    A node is zeroed before its first insert. Only these calls write to it while it is in a
 *          list. A removed node is all 0 again. Lists and nodes are 8-aligned and lie above the
 *          journal's base.
 * Safety   The caller holds the lock that guards the list, to read it too. Signals: no.
 * Walks    From slm_lru_oldest by slm_lru_newer, or from slm_lru_newest by slm_lru_older. A walk that
 *          removes nodes takes the next one before it removes this one.
 * Failure  Inserts, remove and touch need SLM_LRU_ENTRIES free entries in the journal, however few
 *          they use: otherwise SLM_E_FULL. NULL: as status.h says.
 * Limits   Offsets are below 2^48.
 * Cost     O(1).
 * Source   nginx's ngx_queue, as its users use it.
 */
#define SLM_LRU_ENTRIES 6u /* journal entries that one call may take at most */

/* In shared memory, a part of the user's object. */
struct slm_lru_node {
    slm_word newer; /* 0: it is the newest */
    slm_word older; /* 0: it is the oldest */
    slm_word list;  /* 0: in none */
};

/* In shared memory, all 0: empty. */
struct slm_lru {
    slm_word newest;
    slm_word oldest;
    slm_word n_nodes;
};

/* Puts node into the list as the newest. Fails, changing nothing: SLM_E_DUPLICATE (node is in a
 * list, this or another), SLM_E_FULL. */
enum slm_status slm_lru_insert(struct slm_journal *journal, struct slm_lru *lru,
                               struct slm_lru_node *node);
/* The same, as the oldest. */
enum slm_status slm_lru_insert_oldest(struct slm_journal *journal, struct slm_lru *lru,
                                      struct slm_lru_node *node);
/* Takes node out; it may be freed, or inserted again. Fails, changing nothing: SLM_E_NOT_MEMBER
 * (node is not in this list, or is a copy of one that is), SLM_E_FULL. */
enum slm_status slm_lru_remove(struct slm_journal *journal, struct slm_lru *lru,
                               struct slm_lru_node *node);
/* Makes node the newest. Fails as slm_lru_remove. */
enum slm_status slm_lru_touch(struct slm_journal *journal, struct slm_lru *lru,
                              struct slm_lru_node *node);

/* NULL at the ends. node is in a list. */
struct slm_lru_node *slm_lru_newest(const struct slm_journal *journal, const struct slm_lru *lru);
struct slm_lru_node *slm_lru_oldest(const struct slm_journal *journal, const struct slm_lru *lru);
struct slm_lru_node *slm_lru_newer(const struct slm_journal *journal,
                                   const struct slm_lru_node *node);
struct slm_lru_node *slm_lru_older(const struct slm_journal *journal,
                                   const struct slm_lru_node *node);

/* 0, or the number of a broken invariant (listed at the top of allocator/tree/lru.c): as
 * slm_rbtree_check, for the links of a list. */
unsigned slm_lru_check(const struct slm_journal *journal, const struct slm_lru *lru, uint64_t low,
                       uint64_t high);

#ifdef __cplusplus
}
#endif
#endif
