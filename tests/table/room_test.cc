/* SPDX-License-Identifier: Apache-2.0 */
/* Tables in a zone that is full: what is evicted, what is refused, and what a death leaves. */
#include <algorithm>
#include <functional>

#include "tests/segment/hooks.h"
#include "tests/table/fixture.h"

namespace {

using namespace slm_test;

class TableRoom : public TableTest {};

TEST_F(TableRoom, OldestEntryMakesRoomForANewOne)
{
    uint64_t n = fill();
    EXPECT_GT(n, 300u);
    std::vector<std::string> before = by_use();
    must_get("the next one........");
    EXPECT_TRUE(is_new);
    std::vector<std::string> after = by_use();
    EXPECT_EQ(after.front(), before[1]) << "one went, the oldest";
    EXPECT_EQ(after.back(), "the next one........");
    EXPECT_EQ(table->n_evicted, 2u);
}

TEST_F(TableRoom, KnownKeyEvictsNothing)
{
    fill();
    std::string oldest = by_use().front();
    must_get(oldest);
    EXPECT_FALSE(is_new);
    EXPECT_EQ(table->n_evicted, 1u);
    EXPECT_EQ(by_use().back(), oldest);
}

TEST_F(TableRoom, OneCallEvictsUntilALargeEntryFits)
{
    uint64_t n = fill();
    std::vector<std::string> before = by_use();
    shape.value_bytes = 40000;
    slm_table_entry *entry = must_get("large");
    ASSERT_NE(entry, nullptr);
    uint64_t n_gone = n + 1 - table->by_key.n_nodes;
    EXPECT_GT(n_gone, 100u);
    EXPECT_LT(n_gone, n);
    std::vector<std::string> after = by_use();
    EXPECT_EQ(after.front(), before[n_gone]) << "the oldest ones went, and no others";
    EXPECT_EQ(table->n_evicted, n_gone + 1);
}

TEST_F(TableRoom, SmallEntriesMakeRoomForKeysOfEveryLength)
{
    for (size_t key_bytes : {128u, 256u, 512u, 1024u}) {
        fill();
        EXPECT_NE(must_get(std::string(key_bytes, 'k')), nullptr) << key_bytes;
        table->n_evicted = 0;
    }
}

TEST_F(TableRoom, EntryThatNeverFitsIsRefusedBeforeAnythingIsEvicted)
{
    /* Half of the zone is another's. */
    ASSERT_NE(slm_journal_alloc(zone.journal(), 56 * 1024), nullptr);
    commit();
    fill();
    std::vector<unsigned char> before = picture();
    std::vector<std::string> keys = by_use();
    for (size_t bytes : {size_t{60} << 10, size_t{100} << 10, size_t{1} << 20, SIZE_MAX / 2,
                         SIZE_MAX - sizeof(Hits) - 2, SIZE_MAX}) {
        shape.value_bytes = bytes;
        EXPECT_EQ(get("xx"), nullptr);
        EXPECT_EQ(status, SLM_E_NOMEM) << bytes;
        EXPECT_FALSE(slm_journal_is_dirty(zone.journal()));
    }
    EXPECT_EQ(by_use(), keys);
    EXPECT_EQ(table->n_evicted, 1u);
    shape.value_bytes = 30000;
    EXPECT_NE(must_get("xx"), nullptr) << "this one fits";
}

/* In this process no page can be backed, though memory is there. */
TEST_F(TableRoom, NothingIsEvictedWhereMemoryIsNotOut)
{
    for (unsigned i = 0; i < 100; i++) {
        must_get("key " + std::to_string(i));
    }
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
    ASSERT_EQ(slm_zone_trim(zone, nullptr, &zone.error), SLM_OK) << zone.error.text;
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    std::vector<std::string> keys = by_use();
    KeepCalls keep;
    slm_segment_sys.fallocate = [](int, int, off_t, off_t) {
        errno = EIO;
        return -1;
    };
    for (size_t value_bytes : {size_t{200}, size_t{3000}, size_t{20000}}) {
        for (bool keeps_all : {false, true}) {
            shape.value_bytes = value_bytes;
            shape.keeps_all = keeps_all;
            EXPECT_EQ(get("new"), nullptr);
            EXPECT_EQ(status, SLM_E_IO) << value_bytes;
        }
    }
    shape.keeps_all = false;
    shape.evict = [](slm_zone *, void *) {
        ADD_FAILURE() << "evicts";
        return false;
    };
    EXPECT_EQ(get("new"), nullptr);
    EXPECT_EQ(status, SLM_E_IO);
    EXPECT_EQ(by_use(), keys);
    EXPECT_EQ(table->n_evicted, 0u);
    slm_segment_sys = keep.real;
    shape.evict = nullptr;
    EXPECT_NE(must_get("new"), nullptr);
    EXPECT_EQ(table->n_evicted, 0u);
}

TEST_F(TableRoom, TableThatKeepsAllRefusesAndKeepsAll)
{
    fill();
    std::vector<std::string> keys = by_use();
    shape.keeps_all = true;
    EXPECT_EQ(get("one more............"), nullptr);
    EXPECT_EQ(status, SLM_E_NOMEM);
    EXPECT_FALSE(is_new);
    EXPECT_EQ(by_use(), keys);
    EXPECT_NE(get(keys.front()), nullptr);
    shape.keeps_all = false;
    commit();
}

TEST_F(TableRoom, EmptyTableThatCannotEvictIsOutOfMemory)
{
    while (slm_journal_alloc(zone.journal(), 64) != nullptr) {
        commit();
    }
    EXPECT_EQ(get("a"), nullptr);
    EXPECT_EQ(status, SLM_E_NOMEM);
    EXPECT_EQ(table->by_key.n_nodes, 0u);
}

/* Evicts the newest. */
struct Chooser {
    slm_table *table;
    unsigned n_called;
};

TEST_F(TableRoom, CallbackOfTheUserChoosesWhatGoes)
{
    fill();
    std::vector<std::string> before = by_use();
    Chooser chooser = {table, 0};
    shape.data = &chooser;
    shape.evict = [](slm_zone *in, void *data) {
        auto *mine = static_cast<Chooser *>(data);
        mine->n_called++;
        return slm_table_evict_locked(in, mine->table, slm_table_newest_locked(in, mine->table)) ==
               SLM_OK;
    };
    must_get("mine................");
    EXPECT_EQ(chooser.n_called, 1u);
    before.back() = "mine................";
    EXPECT_EQ(by_use(), before);
    EXPECT_EQ(table->n_evicted, 2u);
}

TEST_F(TableRoom, NewKeyIsTheFirstChangeOfATurn)
{
    must_get("a");
    uint64_t *word = &reinterpret_cast<Hits *>(find("a"))->n;
    ASSERT_EQ(slm_journal_write(zone.journal(), word, 7), SLM_OK);
    EXPECT_EQ(get("b"), nullptr) << "an eviction would commit the word";
    EXPECT_EQ(status, SLM_E_STATE);
    EXPECT_NE(get("a"), nullptr);
    shape.keeps_all = true;
    EXPECT_NE(get("b"), nullptr) << "here nothing is evicted";
    slm_zone_abort_locked(zone);
    EXPECT_EQ(*word, 0u);
}

TEST_F(TableRoom, CallerWithoutTheLockIsRefused)
{
    must_get("a");
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(get("b"), nullptr);
    EXPECT_EQ(status, SLM_E_OWNER);
    shape.keeps_all = true;
    EXPECT_EQ(get("b"), nullptr);
    EXPECT_EQ(status, SLM_E_OWNER);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
}

bool evict_oldest(slm_zone *in, void *data)
{
    auto *mine = static_cast<slm_table *>(data);
    return slm_table_evict_locked(in, mine, slm_table_oldest_locked(in, mine)) == SLM_OK;
}

TEST_F(TableRoom, KeyMayLieInTheEntryThatIsEvictedForIt)
{
    size_t n_cut = 0; /* each time another key */
    for (bool has_callback : {false, true}) {
        for (size_t value_bytes : {0u, 200u, 3000u}) {
            shape.value_bytes = 0;
            fill();
            auto *oldest = slm_table_oldest_locked(zone, table);
            std::string text = text_of(oldest).substr(++n_cut);
            slm_table_key key = {};
            const auto *bytes = static_cast<const unsigned char *>(slm_table_key_of(oldest));
            ASSERT_EQ(slm_table_key_init(&key, bytes + n_cut, text.size()), SLM_OK);
            shape.value_bytes = value_bytes;
            shape.evict = has_callback ? evict_oldest : nullptr;
            shape.data = table;
            auto *entry = slm_table_get_locked(zone, table, &key, &shape, &is_new, &status);
            ASSERT_NE(entry, nullptr) << slm_status_name(status);
            EXPECT_TRUE(is_new);
            EXPECT_EQ(text_of(entry), text);
            commit();
            EXPECT_EQ(slm_table_check_locked(zone, table), 0u);
            EXPECT_EQ(find(text), entry);
            shape.evict = nullptr;
        }
    }
}

TEST_F(TableRoom, ReadOnlyHandleFindsAndChangesNothing)
{
    must_get("a");
    must_get("newer");
    slm_zone_attach_options options = {};
    options.segment.kind = SLM_SEGMENT_MEMFD;
    options.segment.id = slm_segment_id(slm_zone_segment(zone));
    options.segment.read_only = true;
    Zone reader;
    ASSERT_EQ(reader.attach(options), SLM_OK) << reader.error.text;
    auto *theirs = &static_cast<Top *>(slm_zone_root_locked(reader))->table;
    slm_table_key key = key_of("a");
    const slm_table_entry *entry = slm_table_find_locked(reader, theirs, &key);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(text_of(entry), "a");
    EXPECT_EQ(slm_table_oldest_locked(reader, theirs), entry);
    EXPECT_EQ(slm_table_check_locked(reader, theirs), 0u);
    auto *oldest = slm_table_oldest_locked(reader, theirs);
    EXPECT_EQ(slm_table_get_locked(reader, theirs, &key, &shape, &is_new, &status), nullptr);
    EXPECT_EQ(status, SLM_E_READ_ONLY);
    EXPECT_EQ(slm_table_touch_locked(reader, theirs, oldest), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_table_drop_locked(reader, theirs, oldest), SLM_E_READ_ONLY);
    key = key_of("b");
    EXPECT_EQ(slm_table_get_locked(reader, theirs, &key, &shape, &is_new, &status), nullptr);
    EXPECT_EQ(status, SLM_E_READ_ONLY);
    shape.keeps_all = true;
    EXPECT_EQ(slm_table_get_locked(reader, theirs, &key, &shape, &is_new, &status), nullptr);
    EXPECT_EQ(status, SLM_E_READ_ONLY);
}

/* --- A full journal --- */

/* Notes words until only n_left entries are left. */
void use_entries(slm_zone *zone, uint64_t *word, unsigned n_left)
{
    slm_journal *journal = slm_zone_journal(zone);
    while (slm_journal_has_room(journal, n_left + 1)) {
        ASSERT_EQ(slm_journal_write(journal, word, *word + 1), SLM_OK);
    }
}

TEST_F(TableRoom, CallWithoutItsEntriesFailsAndTheTransactionIsUndone)
{
    auto *hits = reinterpret_cast<Hits *>(must_get("a"));
    std::vector<std::string> keys = by_use();
    const std::function<slm_status()> calls[] = {
        [&] {
            use_entries(zone, &hits->n, SLM_TABLE_DROP_ENTRIES - 1);
            return slm_table_drop_locked(zone, table, &hits->entry);
        },
        [&] {
            use_entries(zone, &hits->n, SLM_TABLE_DROP_ENTRIES - 1);
            return slm_table_evict_locked(zone, table, &hits->entry);
        },
        [&] {
            shape.keeps_all = true;
            use_entries(zone, &hits->n, SLM_TABLE_INSERT_ENTRIES - 1);
            return get("b") == nullptr ? status : SLM_OK;
        },
        [&] {
            use_entries(zone, &hits->n, 0);
            return get("b") == nullptr ? status : SLM_OK;
        },
        [&] {
            use_entries(zone, &hits->n, SLM_LRU_ENTRIES - 1);
            return get("a") == nullptr ? status : SLM_OK;
        },
    };
    for (const auto &call : calls) {
        EXPECT_EQ(call(), SLM_E_FULL);
        EXPECT_EQ(slm_zone_commit_locked(zone), SLM_E_FULL);
        EXPECT_EQ(by_use(), keys);
        EXPECT_EQ(hits->n, 0u);
        EXPECT_EQ(slm_table_check_locked(zone, table), 0u);
    }
}

class TableShortJournal : public TableTest {
  protected:
    TableShortJournal() : TableTest(128 * 1024, SLM_TABLE_INSERT_ENTRIES - 1)
    {
    }
};

TEST_F(TableShortJournal, JournalTooShortForAnInsertLeavesNothing)
{
    EXPECT_EQ(get("a"), nullptr);
    EXPECT_EQ(status, SLM_E_FULL);
    EXPECT_EQ(slm_zone_commit_locked(zone), SLM_E_FULL);
    EXPECT_EQ(table->by_key.n_nodes, 0u);
}

class TableExactJournal : public TableTest {
  protected:
    TableExactJournal() : TableTest(128 * 1024, SLM_TABLE_INSERT_ENTRIES)
    {
    }
};

TEST_F(TableExactJournal, JournalOfTheListedLengthIsEnoughForANewKey)
{
    for (const char *text : {"a", "b", "c"}) {
        EXPECT_NE(get(text), nullptr) << slm_status_name(status);
        commit();
    }
    EXPECT_EQ(table->by_key.n_nodes, 3u);
}

/* --- An eviction whose object the new entry takes --- */

TEST_F(TableRoom, EntryThatTakesAnEvictedObjectIsZeroAndAnAbortBringsTheOldOneBack)
{
    fill();
    auto *oldest = reinterpret_cast<Hits *>(slm_table_oldest_locked(zone, table));
    ASSERT_EQ(slm_journal_write(zone.journal(), &oldest->n, 77), SLM_OK);
    commit();
    std::vector<std::string> keys = by_use();
    std::vector<unsigned char> before = picture();
    auto *entry = reinterpret_cast<Hits *>(get("a new key of twenty."));
    ASSERT_NE(entry, nullptr);
    EXPECT_TRUE(is_new);
    EXPECT_EQ(entry->n, 0u);
    EXPECT_EQ(text_of(&entry->entry), "a new key of twenty.");
    EXPECT_EQ(find(keys.front()), nullptr);
    EXPECT_EQ(table->n_evicted, 2u);
    entry->n = 5; /* it takes no notes */
    slm_zone_abort_locked(zone);
    if (SLM_CHECKS < 2) {
        EXPECT_EQ(entry, oldest);
        EXPECT_EQ(by_use(), keys);
        EXPECT_EQ(oldest->n, 77u);
        EXPECT_EQ(table->n_evicted, 1u);
    }
    EXPECT_EQ(slm_table_check_locked(zone, table), 0u);
}

TEST_F(TableRoom, EveryNewKeyOfAFullTableIsFoundAtItsPlace)
{
    uint64_t n = fill();
    for (unsigned i = 0; i < 3000; i++) {
        std::string text = "new " + std::to_string(i * 2654435761u);
        text.resize(20, '.');
        slm_table_entry *entry = must_get(text);
        ASSERT_EQ(find(text), entry) << i;
        if (i % 100 == 0) {
            ASSERT_EQ(slm_table_check_locked(zone, table), 0u) << i;
        }
    }
    EXPECT_EQ(table->by_key.n_nodes, n);
}

TEST_F(TableRoom, AllocatedEntryThatTookAnEvictedObjectIsInNeitherTreeNorList)
{
    fill();
    std::string oldest = by_use().front();
    slm_table_key key = key_of("a new key of twenty.");
    slm_table_entry *entry = slm_table_alloc_locked(zone, table, &key, &shape, &status);
    ASSERT_NE(entry, nullptr) << slm_status_name(status);
    EXPECT_EQ(slm_table_check_locked(zone, table), 0u);
    EXPECT_EQ(slm_table_touch_locked(zone, table, entry), SLM_E_NOT_MEMBER);
    EXPECT_EQ(slm_table_insert_locked(zone, table, entry), SLM_OK);
    commit();
    EXPECT_EQ(by_use().back(), "a new key of twenty.");
    entry = slm_table_alloc_locked(zone, table, &key, &shape, &status);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(slm_journal_free(zone.journal(), entry), SLM_OK) << "it may be freed instead";
    commit();
    EXPECT_EQ(slm_slab_check_pointer_locked(slm_zone_slab(zone), entry), SLM_E_FREED);
}

/* --- Deaths --- */

TEST_F(TableRoom, DeathBeforeTheCommitLeavesTheTableAsItWas)
{
    fill();
    std::vector<std::string> keys = by_use();
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(in_child([&] {
                  if (slm_zone_lock(zone) == SLM_OK && get(keys.front()) != nullptr) {
                      (void)slm_table_drop_locked(zone, table, find(keys[5]));
                      raise(SIGKILL);
                  }
                  return 1;
              }),
              128 + SIGKILL);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(by_use(), keys);
}

TEST_F(TableRoom, DeathAfterEvictionsLeavesTheNewEntryOut)
{
    fill();
    std::vector<std::string> keys = by_use();
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(in_child([&] {
                  shape.value_bytes = 40000;
                  if (slm_zone_lock(zone) == SLM_OK && get("large") != nullptr) {
                      raise(SIGKILL);
                  }
                  return 1;
              }),
              128 + SIGKILL);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(find("large"), nullptr);
    std::vector<std::string> left = by_use();
    EXPECT_LT(left.size(), keys.size());
    EXPECT_TRUE(std::equal(left.rbegin(), left.rend(), keys.rbegin())) << "the oldest ones went";
}

} // namespace
