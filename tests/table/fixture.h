/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of tables: a zone whose root is a table, and its lock held. */
#ifndef SLM_TESTS_TABLE_FIXTURE_H
#define SLM_TESTS_TABLE_FIXTURE_H

#include <deque>
#include <string>
#include <vector>

#include "tests/zone/fixture.h"

extern "C" {
#include "allocator/table/entry.h"
}

namespace slm_test {

/* A user's entry. */
struct Hits {
    slm_table_entry entry;
    uint64_t n;
};

/* The root: two tables. */
struct Top {
    slm_table table;
    slm_table other;
};

class TableTest : public testing::Test {
  protected:
    explicit TableTest(size_t bytes = 128 * 1024, unsigned journal_entries = 512)
    {
        slm_zone_options options = {};
        options.name = "table";
        options.bytes = bytes;
        options.journal_entries = journal_entries;
        options.slab.per_doubling = 8;
        options.segment.kind = SLM_SEGMENT_MEMFD;
        EXPECT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    }
    void SetUp() override
    {
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
        auto *made = static_cast<Top *>(slm_journal_calloc(zone.journal(), sizeof(Top)));
        ASSERT_NE(made, nullptr);
        ASSERT_EQ(slm_zone_set_root_locked(zone, made), SLM_OK);
        commit();
        table = &made->table;
        other = &made->other;
    }
    void TearDown() override
    {
        EXPECT_EQ(slm_table_check_locked(zone, table), 0u);
        EXPECT_EQ(slm_table_check_locked(zone, other), 0u);
        EXPECT_EQ(slm_zone_check_locked(zone), 0u);
        EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    }

    void commit()
    {
        EXPECT_EQ(slm_zone_commit_locked(zone), SLM_OK);
    }
    /* The bytes live as long as the test. */
    slm_table_key key_of(const std::string &text)
    {
        slm_table_key key = {};
        const std::string &kept = texts.emplace_back(text);
        EXPECT_EQ(slm_table_key_init(&key, kept.data(), kept.size()), SLM_OK);
        return key;
    }
    slm_table_entry *find(const std::string &text)
    {
        slm_table_key key = key_of(text);
        return slm_table_find_locked(zone, table, &key);
    }
    /* Sets is_new and status. */
    slm_table_entry *get(const std::string &text)
    {
        slm_table_key key = key_of(text);
        return slm_table_get_locked(zone, table, &key, &shape, &is_new, &status);
    }
    slm_table_entry *must_get(const std::string &text)
    {
        slm_table_entry *entry = get(text);
        EXPECT_NE(entry, nullptr) << slm_status_name(status);
        commit();
        return entry;
    }
    static std::string text_of(const slm_table_entry *entry)
    {
        return {reinterpret_cast<const char *>(slm_table_key_of(entry)), entry->key_bytes};
    }
    /* Keys from the oldest use to the newest. */
    std::vector<std::string> by_use()
    {
        std::vector<std::string> keys;
        for (auto *entry = slm_table_oldest_locked(zone, table); entry != nullptr;
             entry = slm_table_newer_locked(zone, entry)) {
            keys.push_back(text_of(entry));
        }
        return keys;
    }
    std::vector<unsigned char> picture() const
    {
        const unsigned char *base = zone.base();
        return {base, base + slm_segment_bytes(slm_zone_segment(zone))};
    }
    /* Fills the table until the next insert would evict. Returns the number of entries. */
    uint64_t fill(size_t key_bytes = 20)
    {
        for (unsigned i = 0; table->n_evicted == 0; i++) {
            std::string text = std::to_string(i);
            must_get(text + std::string(key_bytes - text.size(), '.'));
        }
        return table->by_key.n_nodes;
    }

    std::deque<std::string> texts;
    Zone zone;
    slm_table *table = nullptr;
    slm_table *other = nullptr;
    slm_table_shape shape = {sizeof(Hits), 0, nullptr, nullptr, false};
    bool is_new = false;
    slm_status status = SLM_OK;
};

using Texts = std::vector<std::string>;

} // namespace slm_test

#endif
