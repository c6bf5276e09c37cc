/* SPDX-License-Identifier: Apache-2.0 */
/* The check of tables: breaks each invariant by hand and expects its number. */
#include <algorithm>

#include "tests/table/fixture.h"

namespace {

using namespace slm_test;

class TableCheck : public TableTest {
  protected:
    void SetUp() override
    {
        TableTest::SetUp();
        for (const char *text : {"aaaaaaaa", "bbbbbbbb", "cccccccc"}) {
            must_get(text);
        }
    }
    unsigned check()
    {
        return slm_table_check_locked(zone, table);
    }
    /* What the check returns while the number has another value. */
    template <class Number> unsigned broken_by(Number *number, uint64_t value)
    {
        Number kept = *number;
        *number = static_cast<Number>(value);
        unsigned broken = check();
        *number = kept;
        EXPECT_EQ(check(), 0u);
        return broken;
    }
};

TEST_F(TableCheck, TableOutsideOfLiveObjectsIs201)
{
    auto *free_object = static_cast<slm_table *>(slm_journal_calloc(zone.journal(), 64));
    slm_zone_abort_locked(zone);
    slm_table outside = {};
    const unsigned char *base = zone.base();
    EXPECT_EQ(slm_table_check_locked(zone, free_object), 201u);
    EXPECT_EQ(slm_table_check_locked(zone, &outside), 201u);
    EXPECT_EQ(slm_table_check_locked(zone, reinterpret_cast<const slm_table *>(base)), 201u);
    const unsigned char *inside = reinterpret_cast<const unsigned char *>(table);
    EXPECT_EQ(slm_table_check_locked(zone, reinterpret_cast<const slm_table *>(inside + 4)), 201u);
    EXPECT_EQ(slm_table_check_locked(zone, table + 2), 201u) << "it ends after its object";
}

TEST_F(TableCheck, BrokenLinksOfTheTreeAre202)
{
    slm_table_entry *entry = table_entry_of_key(slm_rbtree_first(zone.journal(), &table->by_key));
    EXPECT_EQ(broken_by(&table->by_key.n_nodes, 2), 202u);
    EXPECT_EQ(broken_by(&table->by_key.root, 8), 202u);
    EXPECT_EQ(broken_by(&table->by_key.root, UINT64_C(1) << 40), 202u);
    EXPECT_EQ(broken_by(&entry->by_key.tree, 1), 202u);
}

TEST_F(TableCheck, BrokenLinksOfTheListAre203)
{
    slm_table_entry *entry = slm_table_oldest_locked(zone, table);
    EXPECT_EQ(broken_by(&table->by_use.n_nodes, 2), 203u);
    EXPECT_EQ(broken_by(&table->by_use.newest, 8), 203u);
    EXPECT_EQ(broken_by(&entry->by_use.newer, 0), 203u);
}

TEST_F(TableCheck, EntriesThatAreNoneAre204)
{
    slm_table_entry *entry = slm_table_oldest_locked(zone, table);
    EXPECT_EQ(broken_by(&entry->hash, entry->hash + 1), 204u);
    EXPECT_EQ(broken_by(&entry->key_bytes, 0), 204u);
    EXPECT_EQ(broken_by(&entry->key_bytes, 100), 204u) << "it ends after its object";
    EXPECT_EQ(broken_by(&entry->key_bytes, 100000), 204u);
    EXPECT_EQ(broken_by(&entry->key_at, 8), 204u) << "in the entry itself";
    EXPECT_EQ(broken_by(&entry->key_at, entry->key_at + 4), 204u);
    EXPECT_EQ(broken_by(&entry->key_at, UINT32_MAX - 7), 204u);
}

TEST_F(TableCheck, EntryWithoutALiveObjectIs202)
{
    slm_table_entry *entry = slm_table_oldest_locked(zone, table);
    ASSERT_EQ(slm_journal_free(zone.journal(), entry), SLM_OK);
    commit();
    EXPECT_EQ(check(), 202u);
    slm_zone_abort_locked(zone);
    ASSERT_EQ(slm_journal_alloc(zone.journal(), sizeof(Hits) + 8), entry) << "it is live again";
    commit();
}

TEST_F(TableCheck, ReadsNoFreePage)
{
    UnreadablePage free_page(zone);
    EXPECT_EQ(broken_by(&table->by_key.root, free_page.offset()), 202u);
    EXPECT_EQ(broken_by(&table->by_use.newest, free_page.offset()), 203u);
}

TEST_F(TableCheck, WrongOrderAndTheSameKeyTwiceAre205)
{
    slm_table_entry *first = table_entry_of_key(slm_rbtree_first(zone.journal(), &table->by_key));
    slm_table_entry *last = table_entry_of_key(slm_rbtree_last(zone.journal(), &table->by_key));
    auto *left = const_cast<unsigned char *>(slm_table_key_of(first));
    auto *right = const_cast<unsigned char *>(slm_table_key_of(last));
    std::swap_ranges(left, left + 8, right);
    std::swap(first->hash, last->hash);
    EXPECT_EQ(check(), 205u);
    std::swap_ranges(left, left + 8, right);
    std::swap(first->hash, last->hash);
    EXPECT_EQ(check(), 0u);
    slm_table_entry *second = slm_table_next_locked(zone, first);
    std::string kept = text_of(second);
    uint64_t kept_hash = second->hash;
    auto *middle = const_cast<unsigned char *>(slm_table_key_of(second));
    std::copy(left, left + 8, middle);
    second->hash = first->hash;
    EXPECT_EQ(check(), 205u) << "the same key twice";
    std::copy(kept.begin(), kept.end(), middle);
    second->hash = kept_hash;
}

TEST_F(TableCheck, EntryInOneOfTreeAndListIs206)
{
    slm_table_entry *entry = slm_table_oldest_locked(zone, table);
    ASSERT_EQ(slm_lru_remove(zone.journal(), &table->by_use, &entry->by_use), SLM_OK);
    EXPECT_EQ(check(), 206u);
    slm_zone_abort_locked(zone);
    EXPECT_EQ(check(), 0u);
    ASSERT_EQ(slm_rbtree_remove(zone.journal(), &table->by_key, &entry->by_key), SLM_OK);
    EXPECT_EQ(check(), 206u);
    slm_zone_abort_locked(zone);
}

TEST_F(TableCheck, ChangesNoByte)
{
    std::vector<unsigned char> before = picture();
    EXPECT_EQ(check(), 0u);
    table->by_key.root = 8;
    EXPECT_EQ(check(), 202u);
    slm_journal_abort(zone.journal());
    table->by_key.root =
        reinterpret_cast<Top *>(before.data() +
                                (reinterpret_cast<unsigned char *>(table) - zone.base()))
            ->table.by_key.root;
    EXPECT_EQ(picture(), before);
}

} // namespace
