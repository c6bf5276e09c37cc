/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/images/images.h"

#include <cstddef>

extern "C" {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" /* a flexible array */
#include "allocator/journal/log.h"
#pragma GCC diagnostic pop
}

namespace slm_test {

namespace {

constexpr size_t kSmall = SLM_ZONE_BYTES_MIN;
constexpr size_t kGrown = 2 * kSmall;
constexpr size_t kMost = 4 * kSmall;

void leave_empty(slm_zone *)
{
}

/* Frees every second of 40 objects of 1 to 118 bytes. One object has two pages. */
void allocate_and_free(slm_zone *zone)
{
    for (size_t i = 0; i < 40; i++) {
        void *p = slm_zone_alloc(zone, i == 21 ? 5000 : 1 + 3 * i, nullptr);
        ASSERT_NE(p, nullptr);
        memset(p, static_cast<int>(i), 1 + 3 * i);
        if (i % 2 == 0) {
            ASSERT_EQ(slm_zone_free(zone, p), SLM_OK);
        }
    }
}

void link_three(slm_zone *zone)
{
    for (uint64_t number : {1u, 2u, 3u}) {
        ASSERT_EQ(push_alone(zone, number), SLM_OK);
    }
}

void grow_and_fill(slm_zone *zone)
{
    link_three(zone);
    ASSERT_EQ(slm_zone_grow(zone, kGrown, nullptr), SLM_OK);
    /* More objects than fitted before. */
    for (size_t i = 0; i < 9; i++) {
        ASSERT_NE(slm_zone_calloc(zone, 8000, nullptr), nullptr);
    }
    ASSERT_EQ(push_alone(zone, 4), SLM_OK);
}

void insert_item(slm_zone *zone, Index *index, uint64_t key)
{
    slm_journal *journal = slm_zone_journal(zone);
    auto *item = static_cast<Item *>(slm_journal_calloc(journal, sizeof(Item)));
    ASSERT_NE(item, nullptr);
    item->key = key;
    ASSERT_EQ(slm_rbtree_insert(journal, &index->by_key, &item->node, order_items), SLM_OK);
    ASSERT_EQ(slm_lru_insert(journal, &index->by_use, &item->used), SLM_OK);
    ASSERT_EQ(slm_zone_commit_locked(zone), SLM_OK);
}

void touch_first(slm_zone *zone, Index *index)
{
    slm_journal *journal = slm_zone_journal(zone);
    slm_rbtree_node *node = slm_rbtree_first(journal, &index->by_key);
    for (int i = 0; i < 5; i++) {
        auto *item = reinterpret_cast<Item *>(node);
        ASSERT_EQ(slm_lru_touch(journal, &index->by_use, &item->used), SLM_OK);
        node = slm_rbtree_next(journal, node);
        ASSERT_EQ(slm_zone_commit_locked(zone), SLM_OK);
    }
}

void index_items(slm_zone *zone)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    auto *index = static_cast<Index *>(slm_journal_calloc(slm_zone_journal(zone), sizeof(Index)));
    ASSERT_NE(index, nullptr);
    ASSERT_EQ(slm_zone_set_root_locked(zone, index), SLM_OK);
    ASSERT_EQ(slm_zone_commit_locked(zone), SLM_OK);
    for (uint64_t i = 0; i < kItems; i++) {
        insert_item(zone, index, i * 7 % kItems);
    }
    touch_first(zone, index);
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
}

/* Two writes, an allocation and a release, all uncommitted. */
void die_before_commit(slm_zone *zone)
{
    EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
    (void)pop(zone);
    (void)push(zone, 9);
}

/* Like slm_journal_commit up to the store that commits: the released object is not yet free. */
void die_in_commit(slm_zone *zone)
{
    EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
    (void)pop(zone);
    slm_slab_clear_last_allocation_locked(slm_zone_journal(zone)->slab);
    slm_zone_journal(zone)->log->state |= JOURNAL_COMMITTED;
}

} // namespace

int order_items(const slm_rbtree_node *a, const slm_rbtree_node *b)
{
    uint64_t left = reinterpret_cast<const Item *>(a)->key;
    uint64_t right = reinterpret_cast<const Item *>(b)->key;
    return left < right ? -1 : left > right;
}

Item *item_of(const slm_lru_node *node)
{
    auto at = reinterpret_cast<uintptr_t>(node);
    return reinterpret_cast<Item *>(at - offsetof(Item, used));
}

const std::vector<Image> &every_image()
{
    static const std::vector<Image> images = {
        {"empty", leave_empty, nullptr, kSmall, 0, {}, 0, 0},
        {"objects", allocate_and_free, nullptr, kSmall, 20, {}, 0, 0},
        {"root", link_three, nullptr, kSmall, 3, {3, 2, 1}, 0, 0},
        {"tree_lru", index_items, nullptr, kSmall, 1 + kItems, {}, 0, 0},
        {"grown", grow_and_fill, nullptr, kGrown, 13, {4, 3, 2, 1}, 0, 0},
        {"undo_due", link_three, die_before_commit, kSmall, 3, {3, 2, 1}, 1, 0},
        {"finish_due", link_three, die_in_commit, kSmall, 2, {2, 1}, 0, 1},
    };
    return images;
}

slm_zone_options image_options(const std::string &path)
{
    slm_zone_options options{};
    options.name = "image";
    options.tag = "corpus v1";
    options.bytes = kSmall;
    options.max_bytes = kMost;
    options.journal_entries = 256;
    options.segment.kind = SLM_SEGMENT_FILE;
    options.segment.name = path.c_str();
    return options;
}

} // namespace slm_test
