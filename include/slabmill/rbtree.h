/* SPDX-License-Identifier: Apache-2.0 */
/* Red-black tree of nodes in shared memory, linked by offsets, in an order of its user's. */
#ifndef SLM_RBTREE_H
#define SLM_RBTREE_H

#include <stddef.h>
#include <stdint.h>

#include <slabmill/journal.h>
#include <slabmill/status.h>
#include <slabmill/word.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A node is a struct inside its user's object; its tree holds it by offset. A node says
 *          which tree it is in, so that inserting it twice, deleting it twice and deleting it from
 *          another tree are told. Every change goes through the journal: a tree is never seen half
 *          changed, whoever dies. Nodes that compare as equal are kept, the later one behind.
 * Nodes    A node is zeroed before its first insert (slm_journal_calloc does). Nobody else writes
 *          to it while it is in a tree. One that was taken out is all 0 again. Trees and nodes are
 *          8-aligned and lie above the journal's base.
 * Safety   The caller holds the lock that guards the tree, for reading too.
 * Failure  Insert and delete need room for SLM_RBTREE_ENTRIES in the journal, however few they
 *          take: else SLM_E_FULL. NULL: as status.h says.
 * Limits   Offsets are below 2^48, so a tree has fewer than 2^43 nodes and at most 86 levels. An
 *          insert takes at most 141 journal entries, a delete at most 75.
 * Cost     O(log n) for insert, delete, find; O(1) amortised for next and prev.
 * Source   Guibas and Sedgewick's red-black trees, deletion as in Cormen et al.
 */
#define SLM_RBTREE_ENTRIES 141u /* journal entries that one insert or delete may take at most */

struct slm_rbtree_node {
    slm_word left;
    slm_word right;
    slm_word parent; /* bit 0: red */
    slm_word tree;   /* 0: in none */
};

/* In shared memory, all 0: empty. */
struct slm_rbtree {
    slm_word root;
    slm_word n_nodes;
};

/* Less than, equal to or greater than 0 as a belongs before, beside or behind b. */
typedef int slm_rbtree_order(const struct slm_rbtree_node *a, const struct slm_rbtree_node *b);
/* The same of a key and a node. */
typedef int slm_rbtree_compare(const void *key, const struct slm_rbtree_node *node);

/* Puts node into tree, behind those equal to it. SLM_E_DUPLICATE (node is in a tree, this
 * or another), SLM_E_FULL, changing nothing. */
enum slm_status slm_rbtree_insert(struct slm_journal *journal, struct slm_rbtree *tree,
                                  struct slm_rbtree_node *node, slm_rbtree_order *order);

/* Takes node out; it may be freed, or inserted again. SLM_E_NOT_MEMBER (node is not in this
 * tree, or a copy of one that is), SLM_E_FULL, changing nothing. */
enum slm_status slm_rbtree_remove(struct slm_journal *journal, struct slm_rbtree *tree,
                                  struct slm_rbtree_node *node);

/* --- Looking: nothing is written. key is for compare alone, and may be NULL. --- */

/* The first node that compares as equal to key, or NULL. */
struct slm_rbtree_node *slm_rbtree_find(const struct slm_journal *journal,
                                        const struct slm_rbtree *tree, const void *key,
                                        slm_rbtree_compare *compare);
/* The first node that does not belong before key, or NULL. */
struct slm_rbtree_node *slm_rbtree_lower_bound(const struct slm_journal *journal,
                                               const struct slm_rbtree *tree, const void *key,
                                               slm_rbtree_compare *compare);

/* In order; NULL at the ends. node is in a tree. */
struct slm_rbtree_node *slm_rbtree_first(const struct slm_journal *journal,
                                         const struct slm_rbtree *tree);
struct slm_rbtree_node *slm_rbtree_last(const struct slm_journal *journal,
                                        const struct slm_rbtree *tree);
struct slm_rbtree_node *slm_rbtree_next(const struct slm_journal *journal,
                                        const struct slm_rbtree_node *node);
struct slm_rbtree_node *slm_rbtree_prev(const struct slm_journal *journal,
                                        const struct slm_rbtree_node *node);

/*
 * 0, or the number of a broken invariant (listed at the top of rbtree_check.c). Every link must
 * lead to a node, 8-aligned, that lies within [base + low, base + high) and, where the journal has
 * a slab, in a live object of it. order may be NULL: order is not checked; else it is called only
 * for nodes of a tree whose links are right, and must itself stand what the rest of their objects
 * holds. The range can be read. Reads only, safe whatever the
 * memory holds. Takes no lock. Cost O(n_nodes), which may not pass what the range has room for;
 * where there is a slab also that of slm_slab_check, and a look at the pages of each object that is
 * a run.
 */
unsigned slm_rbtree_check(const struct slm_journal *journal, const struct slm_rbtree *tree,
                          slm_rbtree_order *order, uint64_t low, uint64_t high);

#ifdef __cplusplus
}
#endif
#endif
