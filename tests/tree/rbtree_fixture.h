/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of trees and lists: nodes in memory of their own, or in a given mapping. */
#ifndef SLM_TESTS_RBTREE_FIXTURE_H
#define SLM_TESTS_RBTREE_FIXTURE_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

extern "C" {
#include "allocator/tree/node.h"
#include <slabmill/lru.h>
#include <slabmill/rbtree.h>
}

namespace treetest {

/* A caller's object: the node is neither its first nor its last field. */
struct Item {
    uint64_t key;
    slm_rbtree_node node;
    slm_lru_node used;
    uint64_t id;
};

inline Item *item_of(const slm_rbtree_node *node)
{
    auto at = reinterpret_cast<uintptr_t>(node);
    return node == nullptr ? nullptr : reinterpret_cast<Item *>(at - offsetof(Item, node));
}

inline Item *item_of(const slm_lru_node *node)
{
    auto at = reinterpret_cast<uintptr_t>(node);
    return node == nullptr ? nullptr : reinterpret_cast<Item *>(at - offsetof(Item, used));
}

extern "C" {
inline int order_items(const slm_rbtree_node *a, const slm_rbtree_node *b)
{
    uint64_t left = item_of(a)->key;
    uint64_t right = item_of(b)->key;
    return left < right ? -1 : left > right;
}
inline int compare_item(const void *key, const slm_rbtree_node *node)
{
    uint64_t left = *static_cast<const uint64_t *>(key);
    uint64_t right = item_of(node)->key;
    return left < right ? -1 : left > right;
}
}

/* The start of an arena. No link may lead to the first word. */
struct Heads {
    uint64_t unused;
    slm_rbtree trees[2];
    slm_lru lists[2];
};

inline size_t arena_bytes(size_t n_items)
{
    return sizeof(Heads) + n_items * sizeof(Item);
}

/* Trees, lists and items. They are zeroed unless the memory is given. */
class Arena {
  public:
    explicit Arena(size_t n_items)
        : own_(arena_bytes(n_items) / sizeof(uint64_t)),
          base(reinterpret_cast<unsigned char *>(own_.data())), bytes(arena_bytes(n_items))
    {
        prepare();
    }
    Arena(void *memory, size_t n_items)
        : base(static_cast<unsigned char *>(memory)), bytes(arena_bytes(n_items))
    {
        prepare();
    }
    Arena(const Arena &) = delete;
    Arena &operator=(const Arena &) = delete;

    Item &item(size_t i) const
    {
        return reinterpret_cast<Item *>(base + sizeof(Heads))[i];
    }
    slm_rbtree_node *node(size_t i) const
    {
        return &item(i).node;
    }
    slm_lru_node *used(size_t i) const
    {
        return &item(i).used;
    }
    uint64_t offset(const void *p) const
    {
        return slm_journal_offset(&journal, p);
    }
    slm_rbtree_node *at(uint64_t offset) const
    {
        return static_cast<slm_rbtree_node *>(slm_journal_pointer(&journal, offset));
    }
    enum slm_status insert(size_t i, uint64_t key)
    {
        item(i).key = key;
        return slm_rbtree_insert(&journal, tree, node(i), order_items);
    }
    enum slm_status remove(size_t i)
    {
        return slm_rbtree_remove(&journal, tree, node(i));
    }
    unsigned check() const
    {
        return slm_rbtree_check(&journal, tree, order_items, sizeof(Heads), bytes);
    }
    unsigned check_list() const
    {
        return slm_lru_check(&journal, list, sizeof(Heads), bytes);
    }
    std::vector<unsigned char> image() const
    {
        return {base, base + bytes};
    }
    void restore(const std::vector<unsigned char> &image) const
    {
        std::memcpy(base, image.data(), image.size());
    }
    /* Ids in order. */
    std::vector<uint64_t> ids() const
    {
        std::vector<uint64_t> found;
        for (auto *n = slm_rbtree_first(&journal, tree); n != nullptr;
             n = slm_rbtree_next(&journal, n)) {
            found.push_back(item_of(n)->id);
        }
        return found;
    }
    /* The same ids, walked from the other end. */
    std::vector<uint64_t> ids_backwards() const
    {
        std::vector<uint64_t> found;
        for (auto *n = slm_rbtree_last(&journal, tree); n != nullptr;
             n = slm_rbtree_prev(&journal, n)) {
            found.insert(found.begin(), item_of(n)->id);
        }
        return found;
    }

  private:
    std::vector<uint64_t> own_;
    void prepare()
    {
        auto *heads = reinterpret_cast<Heads *>(base);
        journal = {};
        journal.base = base;
        tree = &heads->trees[0];
        other_tree = &heads->trees[1];
        list = &heads->lists[0];
        other_list = &heads->lists[1];
    }

  public:
    unsigned char *base;
    size_t bytes;
    slm_journal journal;
    slm_rbtree *tree;
    slm_rbtree *other_tree;
    slm_lru *list;
    slm_lru *other_list;
};

} // namespace treetest

#endif
