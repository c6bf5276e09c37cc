/* SPDX-License-Identifier: Apache-2.0 */
/* What the public headers inline or expand, as a user's file has it: C and C++, without a warning. */
#include <string.h>

#include <slabmill/lru.h>
#include <slabmill/rbtree.h>

struct entry {
    struct slm_rbtree_node node;
    struct slm_lru_node used;
    uint64_t key;
};

struct numbers {
    uint8_t one;
    int16_t two;
    uint32_t four;
    int64_t eight;
    bool flag;
    char letter;
};

const void *key_of(const struct slm_rbtree_node *node);
enum slm_status insert_entry(struct slm_journal *journal, struct slm_rbtree *tree,
                             struct entry *entry);
struct entry *find_entry(const struct slm_journal *journal, const struct slm_rbtree *tree,
                         uint64_t key);
struct entry *oldest_entry(const struct slm_journal *journal, const struct slm_lru *lru);
enum slm_status change_numbers(struct slm_journal *journal, struct numbers *numbers);
uint64_t sum_of_keys(const struct slm_journal *journal, const struct slm_lru *lru);

const void *key_of(const struct slm_rbtree_node *node)
{
    const struct entry *entry = SLM_OBJECT(node, struct entry, node);
    return &entry->key;
}

static int compare_key(const void *key, const struct slm_rbtree_node *node)
{
    const struct entry *entry = SLM_OBJECT(node, struct entry, node);
    uint64_t wanted;
    memcpy(&wanted, key, sizeof wanted);
    return wanted < entry->key ? -1 : wanted > entry->key;
}

SLM_RBTREE_ORDER(order_entries, key_of, compare_key)

enum slm_status insert_entry(struct slm_journal *journal, struct slm_rbtree *tree,
                             struct entry *entry)
{
    return slm_rbtree_insert(journal, tree, &entry->node, order_entries);
}

struct entry *find_entry(const struct slm_journal *journal, const struct slm_rbtree *tree,
                         uint64_t key)
{
    return SLM_OBJECT(slm_rbtree_find(journal, tree, &key, compare_key), struct entry, node);
}

struct entry *oldest_entry(const struct slm_journal *journal, const struct slm_lru *lru)
{
    return SLM_OBJECT(slm_lru_oldest(journal, lru), struct entry, used);
}

uint64_t sum_of_keys(const struct slm_journal *journal, const struct slm_lru *lru)
{
    uint64_t sum = 0;
    struct slm_lru_node *at = slm_lru_newest(journal, lru);
    for (; at != NULL; at = slm_lru_older(journal, at)) {
        sum += SLM_OBJECT(at, struct entry, used)->key;
    }
    return sum;
}

enum slm_status change_numbers(struct slm_journal *journal, struct numbers *numbers)
{
    (void)slm_journal_set(journal, &numbers->one, 7);
    (void)slm_journal_add(journal, &numbers->two, -1);
    (void)slm_journal_add(journal, &numbers->four, numbers->one);
    (void)slm_journal_set(journal, &numbers->eight, numbers->two);
    (void)slm_journal_set(journal, &numbers->flag, true);
    return slm_journal_set(journal, &numbers->letter, 'a');
}
