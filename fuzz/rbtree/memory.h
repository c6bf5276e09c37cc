/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the parts of rbtree_fuzz: the memory under test, an operation, the laws. */
#ifndef HRN_FUZZ_RBTREE_PRIV_H
#define HRN_FUZZ_RBTREE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fuzz/rbtree/rbtree.h"
#include "harness/laws/laws.h"
#include <slabmill/lru.h>
#include <slabmill/rbtree.h>

enum { N_ITEMS = 64, COPY = N_ITEMS };

struct item {
    uint64_t key;
    struct slm_rbtree_node node;
    struct slm_lru_node used;
};

struct memory {
    uint64_t unused; /* no link is 0 */
    struct slm_rbtree trees[2];
    struct slm_lru lists[2];
    struct item items[N_ITEMS + 1]; /* the last one is for copies */
};
extern struct memory *hrn_tree_memory;

enum { N_WORDS = sizeof(struct memory) / sizeof(uint64_t) };

/* Off, or of a log and a slab, in which the memory is an object. */
extern struct slm_journal hrn_tree_journal;
/* Off, with the same offsets: for damaged memory. */
extern struct slm_journal hrn_tree_plain;

/* Where nodes may be: offsets. */
static inline uint64_t hrn_tree_low(void)
{
    return slm_journal_offset(&hrn_tree_plain, hrn_tree_memory->items);
}

static inline uint64_t hrn_tree_high(void)
{
    return slm_journal_offset(&hrn_tree_plain, hrn_tree_memory) + sizeof *hrn_tree_memory;
}

/* Item numbers, in the order in which a walk must visit them. */
struct sequence {
    uint8_t items[N_ITEMS];
    size_t n;
};

struct tree_account {
    struct sequence trees[2];
    struct sequence lists[2];
    uint64_t keys[N_ITEMS];
    int8_t tree_of[N_ITEMS]; /* -1: in none */
    int8_t list_of[N_ITEMS];
};

extern struct hrn_tree_counts hrn_tree_counted;

struct op {
    enum hrn_tree_op kind;
    uint8_t item;
    uint8_t which; /* tree or list */
    uint16_t key;
    uint32_t value;
    uint8_t manner;
};

struct slm_rbtree_node *hrn_tree_node(uint8_t item);
struct slm_lru_node *hrn_tree_used(uint8_t item);
int hrn_tree_compare(const void *key, const struct slm_rbtree_node *node);
int hrn_tree_order(const struct slm_rbtree_node *a, const struct slm_rbtree_node *b);

unsigned hrn_tree_check(unsigned which, slm_rbtree_order *by);
unsigned hrn_tree_check_list(unsigned which);

/* The first saves the memory before a call that must not change it; the second, given the call's
 * name, reports a change. */
extern struct memory hrn_tree_before;
void hrn_tree_remember(void);
void hrn_tree_expect_silence(const char *call);

/* --- nulls.c --- */

/* Without a journal, tree, list or node there is nothing to find, to visit or to check. */
void hrn_tree_read_nulls(const struct slm_rbtree *tree, const struct slm_rbtree_node *node,
                         const struct slm_lru *list, const struct slm_lru_node *used);

/* --- transaction.c: the journal, if it is on --- */

/* Empty memory. */
void hrn_tree_begin(bool is_on, const struct tree_account *account);
void hrn_tree_end(struct tree_account *account);
/* What a call must return that needs so many entries: SLM_OK, or SLM_E_FULL. Then the transaction can
 * only be undone. */
enum slm_status hrn_tree_can(unsigned n_entries);
/* Both set the account to what the memory has then. */
void hrn_tree_commit(struct tree_account *account);
void hrn_tree_abort(struct tree_account *account);
/* The process dies at one of the next points within a call. */
void hrn_tree_die_within(const struct op *op);
/* Carries out the operation, or part of it: then a repair leaves what was committed. */
void hrn_tree_run_mortal(void (*verb)(const struct op *op), const struct op *op,
                         struct tree_account *account);

/* --- reference.c: the invariants, evaluated without haste --- */

/* Bit n: invariant n is broken. */
unsigned hrn_tree_broken(unsigned which);
unsigned hrn_tree_broken_list(unsigned which);

/* Whether the tree's link and all links of items lead to items' nodes. */
bool hrn_tree_is_confined(unsigned which);

/* --- damage.c --- */

/* Overwrites a word. */
void hrn_tree_hurt(const struct op *op);
/* Checks damaged memory, and uses what is found sound. Restores the memory in the end. */
void hrn_tree_judge_damaged(unsigned which);

/* --- Laws: a function each --- */

#define TREE_LAW_LIST(X)                                                                           \
    X(answer, "a call returns what it did, or why it did nothing")                                 \
    X(silence, "a call that only reads, or is refused, changes no byte")                           \
    X(tree_order, "a walk visits what is in the tree, in order, equal keys as inserted")           \
    X(list_order, "a walk visits what is in the list, from newest to oldest")                      \
    X(found, "a search finds the first match")                                                     \
    X(tree_check, "a tree that was never damaged is sound")                                        \
    X(list_check, "a list that was never damaged is sound")                                        \
    X(wiped, "a node that was taken out is all 0")                                                 \
    X(undone, "what is not committed is undone, to the last byte")                                 \
    X(number, "a check returns the number of an invariant that is broken, and 0 if none is")       \
    X(sound_tree, "a tree found sound can be walked and emptied")                                  \
    X(sound_list, "a list found sound can be walked and emptied")

#define TREE_LAW_DECLARE(name, sentence) HRN_LAW_FUNCTION(hrn_tree_law_##name)
TREE_LAW_LIST(TREE_LAW_DECLARE)
#undef TREE_LAW_DECLARE

#endif
