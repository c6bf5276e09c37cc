/* SPDX-License-Identifier: Apache-2.0 */
/* Red-black tree: nodes in shared memory, linked by offsets, in an order that the user defines. */
#ifndef SLM_RBTREE_H
#define SLM_RBTREE_H

#include <stdbool.h>
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
 * Model    A node is a struct inside its user's object; the tree links nodes by offset. A node
 *          records which tree it is in, so inserting it twice, removing it twice and removing it
 *          from another tree are refused. Every change goes through the journal: no death leaves a
 *          tree half changed. Nodes that compare as equal are kept, the later one after the
 *          earlier.
 * Nodes    A node is zeroed before its first insert (slm_journal_calloc does). Only these calls
 *          write to it while it is in a tree. A removed node is all 0 again. Trees and nodes are
 *          8-aligned and lie above the journal's base.
 * Safety   The caller holds the lock that guards the tree, to read it too. Signals: no.
 * Failure  Insert and remove need SLM_RBTREE_ENTRIES free entries in the journal, however few they
 *          use: otherwise SLM_E_FULL. NULL: as status.h says. A damaged tree (one that
 *          slm_rbtree_check refuses) may end the process or give wrong answers, but no call loops
 *          for ever: each ends after SLM_RBTREE_LEVELS_TRIED levels.
 * Limits   Offsets are below 2^48, so a tree has fewer than 2^43 nodes and at most 86 levels. An
 *          insert takes at most 141 journal entries, a remove at most 75.
 * Cost     O(log n) for insert, remove and searches; O(1) amortised for next and prev. The inline
 *          functions call `order` and `compare` once a level; slm_rbtree_find calls `compare` once
 *          more. Where that argument is a function which the compiler can see, it becomes part of
 *          the loop.
 * Source   Guibas and Sedgewick's red-black trees, deletion as in Cormen et al.
 */
#define SLM_RBTREE_ENTRIES    141u /* journal entries that one insert or remove may take at most */
#define SLM_RBTREE_LEVELS_MAX 86u  /* of any tree */
/* A search that finds more levels ends: a multiple of 4, since its loop tries 4 at once. */
#define SLM_RBTREE_LEVELS_TRIED 88u

/* In shared memory, a part of the user's object. */
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

/* Less than 0: a belongs before b; 0: they are equal; greater than 0: a belongs after b. It changes
 * nothing, and notes nothing in the journal: an insert has asked for room before it calls it. */
typedef int slm_rbtree_order(const struct slm_rbtree_node *a, const struct slm_rbtree_node *b);
/* The same of a key and a node. */
typedef int slm_rbtree_compare(const void *key, const struct slm_rbtree_node *node);

/*
 * Defines `order`, an slm_rbtree_order, from the comparison that the searches use: so one function
 * decides for insert and find. key_of returns the key of a node, as `compare` gets it. Both are
 * functions or macros that are declared before; they become part of `order`.
 *
 *     static const void *key_of(const struct slm_rbtree_node *node)
 *     {
 *         return &SLM_OBJECT(node, struct entry, node)->key;
 *     }
 *     SLM_RBTREE_ORDER(order_entries, key_of, compare_key)
 */
#define SLM_RBTREE_ORDER(order, key_of, compare)                                                   \
    static inline int order(const struct slm_rbtree_node *a, const struct slm_rbtree_node *b)      \
    {                                                                                              \
        return compare(key_of(a), b);                                                              \
    }

/* A cast that neither language warns about. */
#ifdef __cplusplus
#define SLM_RBTREE_CAST(type, value) static_cast<type>(value)
#else
#define SLM_RBTREE_CAST(type, value) ((type)(value))
#endif

/* Private, for the inline functions here: the node at an offset; 0: NULL. */
static inline struct slm_rbtree_node *slm_rbtree_at(const struct slm_journal *journal,
                                                    uint64_t offset)
{
    return SLM_RBTREE_CAST(struct slm_rbtree_node *, slm_journal_pointer(journal, offset));
}

#undef SLM_RBTREE_CAST

/* Private: the two halves of slm_rbtree_insert, without the search between them. The first says
 * whether node may be inserted, and changes nothing. The second links node below parent (NULL: as
 * the root), where `link` is the word that is to lead to it. It does nothing if another pointer is
 * NULL; order, which only a whole check needs, may be. */
enum slm_status slm_rbtree_insert_check(struct slm_journal *journal, const struct slm_rbtree *tree,
                                        const struct slm_rbtree_node *node);
void slm_rbtree_insert_link(struct slm_journal *journal, struct slm_rbtree *tree,
                            struct slm_rbtree_node *node, struct slm_rbtree_node *parent,
                            slm_word *link, slm_rbtree_order *order);

/* Puts node into tree, after those equal to it. Fails, changing nothing: SLM_E_DUPLICATE (node is
 * in a tree, this or another), SLM_E_FULL, SLM_E_IMAGE (the tree is damaged: it has too many
 * levels). */
static inline enum slm_status slm_rbtree_insert(struct slm_journal *journal,
                                                struct slm_rbtree *tree,
                                                struct slm_rbtree_node *node,
                                                slm_rbtree_order *order)
{
    enum slm_status status =
        order == NULL ? SLM_E_NULL : slm_rbtree_insert_check(journal, tree, node);
    if (status != SLM_OK) {
        return status;
    }
    struct slm_rbtree_node *parent = NULL;
    struct slm_rbtree_node *next = slm_rbtree_at(journal, tree->root);
#pragma GCC unroll 4
    for (unsigned n_left = SLM_RBTREE_LEVELS_TRIED; next != NULL; n_left--) {
        if (n_left == 0) {
            return SLM_E_IMAGE;
        }
        parent = next;
        if (order(node, parent) < 0) {
            next = slm_rbtree_at(journal, parent->left);
            if (next == NULL) {
                slm_rbtree_insert_link(journal, tree, node, parent, &parent->left, order);
                return SLM_OK;
            }
        } else {
            next = slm_rbtree_at(journal, parent->right);
        }
    }
    slm_rbtree_insert_link(journal, tree, node, parent,
                           parent == NULL ? &tree->root : &parent->right, order);
    return SLM_OK;
}

/* Takes node out; it may be freed, or inserted again. Fails, changing nothing: SLM_E_NOT_MEMBER
 * (node is not in this tree, or is a copy of one that is), SLM_E_FULL, SLM_E_IMAGE (the tree is
 * damaged). */
enum slm_status slm_rbtree_remove(struct slm_journal *journal, struct slm_rbtree *tree,
                                  struct slm_rbtree_node *node);

/* --- Reading. key is passed to compare only, and may be NULL. --- */

/* The first node that is equal to key or belongs after it, or NULL. */
static inline struct slm_rbtree_node *slm_rbtree_lower_bound(const struct slm_journal *journal,
                                                             const struct slm_rbtree *tree,
                                                             const void *key,
                                                             slm_rbtree_compare *compare)
{
    if (journal == NULL || tree == NULL || compare == NULL) {
        return NULL;
    }
    struct slm_rbtree_node *found = NULL;
    struct slm_rbtree_node *node = slm_rbtree_at(journal, tree->root);
#pragma GCC unroll 4
    for (unsigned n_left = SLM_RBTREE_LEVELS_TRIED; node != NULL; n_left--) {
        if (n_left == 0) {
            break;
        }
        if (compare(key, node) > 0) {
            node = slm_rbtree_at(journal, node->right);
        } else {
            found = node;
            node = slm_rbtree_at(journal, node->left);
        }
    }
    return found;
}

/* The first node that compares as equal to key, or NULL. */
static inline struct slm_rbtree_node *slm_rbtree_find(const struct slm_journal *journal,
                                                      const struct slm_rbtree *tree,
                                                      const void *key, slm_rbtree_compare *compare)
{
    struct slm_rbtree_node *found = slm_rbtree_lower_bound(journal, tree, key, compare);
    /* Without it compilers keep each level's key in a register, for the compare below. */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return found != NULL && compare(key, found) == 0 ? found : NULL;
}

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
 * 0, or the number of a broken invariant (listed at the top of allocator/tree/rbtree_check.c).
 * Every link must lead to an 8-aligned node within [base + low, base + high) and, where the journal
 * has a slab, in a live object of it. order NULL: the order is not checked. Otherwise order is
 * called only for nodes of a tree whose links are right, and must cope with any content in the rest
 * of their objects. The range must be readable. Reads only, safe for any content; takes
 * no lock.
 * Cost O(n_nodes), which is compared with what the range has room for; where there is a slab, also
 * the cost of slm_slab_check, and a look at the pages of each object that is a run.
 */
unsigned slm_rbtree_check(const struct slm_journal *journal, const struct slm_rbtree *tree,
                          slm_rbtree_order *order, uint64_t low, uint64_t high);

#ifdef __cplusplus
}
#endif
#endif
