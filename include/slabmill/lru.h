/* SPDX-License-Identifier: Apache-2.0 */
/* Queue of nodes in shared memory, linked by offsets, from the one used last to the oldest. */
#ifndef SLM_LRU_H
#define SLM_LRU_H

#include <stddef.h>
#include <stdint.h>

#include <slabmill/journal.h>
#include <slabmill/status.h>
#include <slabmill/word.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A doubly linked list that runs from newest to oldest. Nodes are structs inside their
 *          user's objects and say which list they are in; every change goes through the journal.
 * Nodes    A node is zeroed before its first insert. Nobody else writes to it while it is in a
 *          list.
 *          One that was taken out is all 0 again. Lists and nodes are 8-aligned and lie above the
 *          journal's base.
 * Safety   The caller holds the lock that guards the list, for reading too.
 * Failure  Insert, remove and touch need room for SLM_LRU_ENTRIES in the journal, however few they
 *          take: else SLM_E_FULL. NULL: as status.h says.
 * Cost     O(1).
 * Source   nginx's ngx_queue, as its users use it.
 */
#define SLM_LRU_ENTRIES 6u /* journal entries that one call may take at most */

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

/* Puts node into the list as the newest. SLM_E_DUPLICATE (node is in a list, this or
 * another), SLM_E_FULL, changing nothing. */
enum slm_status slm_lru_insert(struct slm_journal *journal, struct slm_lru *lru,
                               struct slm_lru_node *node);
/* Takes node out; it may be freed, or inserted again. SLM_E_NOT_MEMBER (node is not in this
 * list, or a copy of one that is), SLM_E_FULL, changing nothing. */
enum slm_status slm_lru_remove(struct slm_journal *journal, struct slm_lru *lru,
                               struct slm_lru_node *node);
/* Makes it the newest. As slm_lru_remove. */
enum slm_status slm_lru_touch(struct slm_journal *journal, struct slm_lru *lru,
                              struct slm_lru_node *node);

/* NULL at the ends. node is in a list. */
struct slm_lru_node *slm_lru_newest(const struct slm_journal *journal, const struct slm_lru *lru);
struct slm_lru_node *slm_lru_oldest(const struct slm_journal *journal, const struct slm_lru *lru);
struct slm_lru_node *slm_lru_newer(const struct slm_journal *journal,
                                   const struct slm_lru_node *node);
struct slm_lru_node *slm_lru_older(const struct slm_journal *journal,
                                   const struct slm_lru_node *node);

/* 0, or the number of a broken invariant (listed at the top of lru.c): as slm_rbtree_check, for the
 * links of a list. */
unsigned slm_lru_check(const struct slm_journal *journal, const struct slm_lru *lru, uint64_t low,
                       uint64_t high);

#ifdef __cplusplus
}
#endif
#endif
