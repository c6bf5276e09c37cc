/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: finding, inserting, the order of use, misuse, and what an abort undoes. */
#include <algorithm>
#include <cstring>

#include "tests/table/fixture.h"

namespace {

using namespace slm_test;

class Table : public TableTest {};

TEST_F(Table, GetMakesAnEntryOnceAndFindsItFromThenOn)
{
    slm_table_entry *entry = get("a");
    ASSERT_NE(entry, nullptr);
    EXPECT_TRUE(is_new);
    EXPECT_EQ(status, SLM_OK);
    commit();
    EXPECT_EQ(get("a"), entry);
    EXPECT_FALSE(is_new);
    EXPECT_EQ(find("a"), entry);
    EXPECT_EQ(find("b"), nullptr);
    EXPECT_EQ(table->by_key.n_nodes, 1u);
    EXPECT_EQ(slm_table_get_locked(zone, table, nullptr, &shape, nullptr, nullptr), nullptr);
    slm_table_key key = key_of("a");
    EXPECT_EQ(slm_table_get_locked(zone, table, &key, &shape, nullptr, nullptr), entry);
}

TEST_F(Table, NewEntryIsZeroHasItsKeyAndRoomForItsValue)
{
    void *junk = slm_journal_alloc(zone.journal(), sizeof(Hits) + 3 + 50);
    memset(junk, 0xee, sizeof(Hits) + 3 + 50);
    commit();
    ASSERT_EQ(slm_journal_free(zone.journal(), junk), SLM_OK);
    commit();
    shape.value_bytes = 50;
    slm_table_entry *entry = must_get("abc");
    EXPECT_EQ(reinterpret_cast<Hits *>(entry)->n, 0u);
    EXPECT_EQ(text_of(entry), "abc");
    EXPECT_EQ(slm_table_value_of(entry),
              reinterpret_cast<unsigned char *>(entry) + sizeof(Hits) + 3);
    EXPECT_GE(slm_slab_usable_bytes(slm_zone_slab(zone), entry), sizeof(Hits) + 3 + 50);
}

TEST_F(Table, GetAndTouchMakeAnEntryTheNewest)
{
    for (const char *text : {"a", "b", "c"}) {
        must_get(text);
    }
    EXPECT_EQ(by_use(), (Texts{"a", "b", "c"}));
    must_get("a");
    EXPECT_EQ(by_use(), (Texts{"b", "c", "a"}));
    EXPECT_EQ(slm_table_touch_locked(zone, table, find("b")), SLM_OK);
    EXPECT_EQ(by_use(), (Texts{"c", "a", "b"}));
    (void)find("c");
    EXPECT_EQ(by_use(), (Texts{"c", "a", "b"})) << "find only reads";
    EXPECT_EQ(text_of(slm_table_newest_locked(zone, table)), "b");
    EXPECT_EQ(text_of(slm_table_older_locked(zone, slm_table_newest_locked(zone, table))), "a");
}

TEST_F(Table, DroppedEntryIsGoneAndItsMemoryIsFreeAfterTheCommit)
{
    slm_table_entry *entry = must_get("a");
    must_get("b");
    EXPECT_EQ(slm_table_drop_locked(zone, table, entry), SLM_OK);
    EXPECT_EQ(find("a"), nullptr);
    commit();
    EXPECT_EQ(by_use(), Texts{"b"});
    EXPECT_EQ(slm_slab_check_pointer_locked(slm_zone_slab(zone), entry), SLM_E_FREED);
    EXPECT_EQ(table->n_evicted, 0u);
    EXPECT_EQ(slm_table_evict_locked(zone, table, find("b")), SLM_OK);
    EXPECT_EQ(table->n_evicted, 1u);
    EXPECT_EQ(table->by_key.n_nodes, 0u);
}

TEST_F(Table, AbortUndoesInsertTouchAndDrop)
{
    must_get("a");
    must_get("b");
    std::vector<std::string> before = by_use();
    ASSERT_NE(get("c"), nullptr);
    slm_zone_abort_locked(zone);
    EXPECT_EQ(by_use(), before);
    ASSERT_NE(get("a"), nullptr);
    ASSERT_EQ(slm_table_drop_locked(zone, table, find("b")), SLM_OK);
    ASSERT_EQ(slm_table_evict_locked(zone, table, find("a")), SLM_OK);
    slm_zone_abort_locked(zone);
    EXPECT_EQ(by_use(), before);
    EXPECT_EQ(table->n_evicted, 0u);
}

TEST_F(Table, TwoTablesOfAZoneDoNotShareEntries)
{
    slm_table_entry *entry = must_get("a");
    slm_table_key key = key_of("a");
    EXPECT_EQ(slm_table_find_locked(zone, other, &key), nullptr);
    EXPECT_EQ(slm_table_drop_locked(zone, other, entry), SLM_E_NOT_MEMBER);
    EXPECT_EQ(slm_table_evict_locked(zone, other, entry), SLM_E_NOT_MEMBER);
    EXPECT_EQ(slm_table_touch_locked(zone, other, entry), SLM_E_NOT_MEMBER);
    EXPECT_EQ(slm_table_insert_locked(zone, other, entry), SLM_E_DUPLICATE);
    EXPECT_EQ(other->n_evicted, 0u);
    EXPECT_FALSE(slm_journal_is_dirty(zone.journal()));
    ASSERT_NE(slm_table_get_locked(zone, other, &key, &shape, nullptr, nullptr), nullptr);
    commit();
    EXPECT_EQ(find("a"), entry);
}

/* --- Keys --- */

TEST_F(Table, KeyHasOneByteToTheMost)
{
    std::string longest(SLM_TABLE_KEY_BYTES_MAX, 'k');
    slm_table_key key = {};
    EXPECT_EQ(slm_table_key_init(&key, longest.data(), 0), SLM_E_SIZE);
    EXPECT_EQ(slm_table_key_init(&key, longest.data(), longest.size() + 1), SLM_E_SIZE);
    slm_table_entry *entry = must_get(longest);
    EXPECT_EQ(text_of(entry), longest);
    key = key_of("a");
    key.n_bytes = 0;
    EXPECT_EQ(slm_table_get_locked(zone, table, &key, &shape, nullptr, &status), nullptr);
    EXPECT_EQ(status, SLM_E_SIZE);
    key.n_bytes = SLM_TABLE_KEY_BYTES_MAX + 1;
    EXPECT_EQ(slm_table_get_locked(zone, table, &key, &shape, nullptr, &status), nullptr);
    EXPECT_EQ(status, SLM_E_SIZE);
    EXPECT_FALSE(slm_journal_is_dirty(zone.journal()));
}

TEST_F(Table, HashDependsOnEachByteAndOnTheLength)
{
    std::vector<uint64_t> seen;
    for (size_t n : {1u, 2u, 7u, 8u, 9u, 15u, 16u, 17u, 31u, 40u}) {
        std::string text(n, 'k');
        uint64_t plain = key_of(text).hash;
        EXPECT_EQ(plain, key_of(std::string(n, 'k')).hash);
        for (size_t i = 0; i < n; i++) {
            std::string changed = text;
            changed[i] = 'l';
            EXPECT_NE(key_of(changed).hash, plain) << i << " of " << n;
        }
        seen.push_back(plain);
    }
    seen.push_back(key_of(std::string("k\0", 2)).hash);
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end());
}

/* Zones outlive programs: entries that another build inserted are found. */
TEST_F(Table, HashIsTheOneThatZonesStore)
{
    EXPECT_EQ(key_of("a").hash, UINT64_C(0x54cda58fef23226f));
    EXPECT_EQ(key_of("12345678").hash, UINT64_C(0x4f0af08daf0a4a20));
    EXPECT_EQ(key_of("a key of 20 bytes...").hash, UINT64_C(0x897299de8fbefc63));
}

class TableHash : public Table {
  protected:
    /* A key whose hash the test chooses. */
    static slm_table_key make_key(const std::string &text, uint64_t hash)
    {
        return {text.data(), text.size(), hash};
    }
    slm_table_entry *add(const std::string &text, uint64_t hash)
    {
        slm_table_key key = make_key(text, hash);
        slm_table_entry *entry = slm_table_get_locked(zone, table, &key, &shape, &is_new, &status);
        EXPECT_TRUE(is_new);
        commit();
        return entry;
    }
    slm_table_entry *find(const std::string &text, uint64_t hash)
    {
        slm_table_key key = make_key(text, hash);
        return slm_table_find_locked(zone, table, &key);
    }
    /* The hashes are not those of the keys, so the check finds them wrong. */
    void TearDown() override
    {
        while (slm_table_oldest_locked(zone, table) != nullptr) {
            ASSERT_EQ(slm_table_drop_locked(zone, table, slm_table_oldest_locked(zone, table)),
                      SLM_OK);
            commit();
        }
        Table::TearDown();
    }
};

TEST_F(TableHash, EqualHashesAreDistinguishedByTheBytes)
{
    std::vector<slm_table_entry *> entries;
    for (size_t i = 0; i < 300; i++) {
        std::string text = "key " + std::to_string(i);
        EXPECT_EQ(find(text, 5 + i % 3), nullptr) << i;
        entries.push_back(add(text, 5 + i % 3));
    }
    for (size_t i = 0; i < 300; i++) {
        std::string text = "key " + std::to_string(i);
        EXPECT_EQ(find(text, 5 + i % 3), entries[i]) << i;
        EXPECT_EQ(find(text, 5 + (i + 1) % 3), nullptr) << "of another hash: " << i;
    }
    EXPECT_EQ(find("other", 5), nullptr);
    EXPECT_EQ(find("key 0", 4), nullptr);
    EXPECT_EQ(find("key 0", 8), nullptr);
}

TEST_F(TableHash, TheOthersOfAHashAreFoundWhenOneIsDropped)
{
    std::vector<slm_table_entry *> entries;
    for (size_t i = 0; i < 20; i++) {
        entries.push_back(add("key " + std::to_string(i), 5));
    }
    for (size_t i = 0; i < 20; i++) {
        ASSERT_EQ(slm_table_drop_locked(zone, table, entries[i]), SLM_OK);
        commit();
        for (size_t j = 0; j < 20; j++) {
            EXPECT_EQ(find("key " + std::to_string(j), 5), j <= i ? nullptr : entries[j]);
        }
    }
}

TEST_F(TableHash, EqualHashesAreDistinguishedByEachByte)
{
    for (size_t n : {1u, 7u, 8u, 9u, 15u, 16u, 17u, 40u}) {
        std::string text(n, 'k');
        slm_table_entry *entry = add(text, 5);
        EXPECT_EQ(find(text, 5), entry) << n;
        for (size_t i = 0; i < n; i++) {
            std::string changed = text;
            changed[i] = 'l';
            EXPECT_EQ(find(changed, 5), nullptr) << i << " of " << n;
        }
    }
}

TEST_F(TableHash, SearchInATreeThatLeadsInACircleEnds)
{
    const std::string text = "b";
    slm_table_entry *entry = add("a", 5);
    entry->by_key.right = slm_journal_offset(zone.journal(), entry);
    for (uint64_t hash : {5u, 6u}) {
        slm_table_key key = make_key(text, hash);
        EXPECT_EQ(find(text, hash), nullptr) << hash;
        EXPECT_EQ(slm_table_get_locked(zone, table, &key, &shape, &is_new, &status), nullptr);
        EXPECT_EQ(status, SLM_E_IMAGE) << hash;
        EXPECT_FALSE(is_new) << hash;
    }
    entry->by_key.right = 0;
    EXPECT_EQ(find("a", 5), entry);
}

/* --- The parts --- */

TEST_F(Table, AllocatedEntryIsInsertedOnceAndOnlyUnderANewKey)
{
    slm_table_key key = key_of("a");
    slm_table_entry *entry = slm_table_alloc_locked(zone, table, &key, &shape, &status);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(find("a"), nullptr);
    EXPECT_EQ(slm_table_insert_locked(zone, table, entry), SLM_OK);
    EXPECT_EQ(slm_table_insert_locked(zone, table, entry), SLM_E_DUPLICATE);
    EXPECT_EQ(find("a"), entry);
    commit();
    slm_table_entry *twin = slm_table_alloc_locked(zone, table, &key, &shape, nullptr);
    ASSERT_NE(twin, nullptr);
    EXPECT_EQ(slm_table_insert_locked(zone, table, twin), SLM_E_DUPLICATE);
    EXPECT_EQ(slm_table_drop_locked(zone, table, twin), SLM_E_NOT_MEMBER);
    EXPECT_EQ(slm_table_touch_locked(zone, table, twin), SLM_E_NOT_MEMBER);
    ASSERT_EQ(slm_journal_free(zone.journal(), twin), SLM_OK);
    commit();
    EXPECT_EQ(table->by_key.n_nodes, 1u);
}

TEST_F(Table, RefusesAShapeThatHoldsNoEntry)
{
    slm_table_key key = key_of("a");
    for (size_t bytes :
         {size_t{0}, sizeof(slm_table_entry) - 8, sizeof(slm_table_entry) + 4, size_t{1} << 33}) {
        shape.entry_bytes = bytes;
        EXPECT_EQ(slm_table_alloc_locked(zone, table, &key, &shape, &status), nullptr);
        EXPECT_EQ(status, SLM_E_OPTION) << bytes;
    }
    shape.entry_bytes = sizeof(slm_table_entry);
    EXPECT_NE(slm_table_alloc_locked(zone, table, &key, &shape, &status), nullptr);
    slm_zone_abort_locked(zone);
}

TEST_F(Table, EntryThatWasDroppedIsNotDroppedAgain)
{
    slm_table_entry *entry = must_get("a");
    ASSERT_EQ(slm_table_drop_locked(zone, table, entry), SLM_OK);
    EXPECT_EQ(slm_table_drop_locked(zone, table, entry), SLM_E_NOT_MEMBER);
    EXPECT_EQ(slm_table_touch_locked(zone, table, entry), SLM_E_NOT_MEMBER);
    commit();
    EXPECT_NE(slm_table_drop_locked(zone, table, entry), SLM_OK);
    slm_zone_abort_locked(zone);
}

/* --- Walks --- */

TEST_F(Table, WalkOverSeveralTurnsVisitsWhatStaysExactlyOnce)
{
    for (unsigned i = 0; i < 60; i++) {
        must_get(std::to_string(i));
    }
    std::vector<std::string> seen;
    std::string last;
    for (const slm_table_entry *entry = slm_table_after_locked(zone, table, nullptr);
         entry != nullptr;) {
        last = text_of(entry);
        seen.push_back(last);
        std::string odd = std::to_string(seen.size() * 2 - 1);
        ASSERT_EQ(slm_table_drop_locked(zone, table, find(odd)), SLM_OK); /* perhaps this one */
        commit();
        must_get("more " + std::to_string(seen.size()));
        slm_table_key key = key_of(last);
        entry = slm_table_after_locked(zone, table, &key);
    }
    for (unsigned i = 0; i < 60; i += 2) {
        EXPECT_EQ(std::count(seen.begin(), seen.end(), std::to_string(i)), 1) << i;
    }
}

TEST_F(Table, TreeOrderEndsAndNextFollowsAfter)
{
    for (unsigned i = 0; i < 20; i++) {
        must_get(std::to_string(i));
    }
    const slm_table_entry *entry = slm_table_after_locked(zone, table, nullptr);
    unsigned n = 0;
    for (; entry != nullptr; n++) {
        slm_table_key key = table_key_of(entry);
        const slm_table_entry *next = slm_table_next_locked(zone, entry);
        EXPECT_EQ(next, slm_table_after_locked(zone, table, &key));
        entry = next;
    }
    EXPECT_EQ(n, 20u);
    slm_table_key last = {"z", 1, UINT64_MAX};
    EXPECT_EQ(slm_table_after_locked(zone, table, &last), nullptr);
}

} // namespace
