/* SPDX-License-Identifier: Apache-2.0 */
/* Every call of table.h with NULL in each of its pointers: the rule of status.h. */
#include "tests/table/fixture.h"

namespace {

using namespace slm_test;

class TableNull : public TableTest {
  protected:
    void SetUp() override
    {
        TableTest::SetUp();
        entry = must_get("a");
        before = picture();
    }
    void TearDown() override
    {
        EXPECT_EQ(picture(), before);
        TableTest::TearDown();
    }

    slm_table_entry *entry = nullptr;
    slm_table_key key = {"b", 1, 5};
    std::vector<unsigned char> before;
};

TEST_F(TableNull, CallsThatChangeReturnTheStatusForNull)
{
    EXPECT_EQ(slm_table_key_init(nullptr, "b", 1), SLM_E_NULL);
    EXPECT_EQ(slm_table_key_init(&key, nullptr, 1), SLM_E_NULL);
    EXPECT_EQ(slm_table_insert_locked(nullptr, table, entry), SLM_E_NULL);
    EXPECT_EQ(slm_table_insert_locked(zone, nullptr, entry), SLM_E_NULL);
    EXPECT_EQ(slm_table_insert_locked(zone, table, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_table_touch_locked(nullptr, table, entry), SLM_E_NULL);
    EXPECT_EQ(slm_table_touch_locked(zone, nullptr, entry), SLM_E_NULL);
    EXPECT_EQ(slm_table_touch_locked(zone, table, nullptr), SLM_E_NULL);
    for (auto *call : {slm_table_drop_locked, slm_table_evict_locked}) {
        EXPECT_EQ(call(nullptr, table, entry), SLM_E_NULL);
        EXPECT_EQ(call(zone, nullptr, entry), SLM_E_NULL);
        EXPECT_EQ(call(nullptr, table, nullptr), SLM_E_NULL);
        EXPECT_EQ(call(zone, table, nullptr), SLM_OK) << "as free";
    }
}

TEST_F(TableNull, CallsThatMakeEntriesReturnNullAndTheStatus)
{
    bool fresh = true;
    status = SLM_OK;
    EXPECT_EQ(slm_table_get_locked(nullptr, table, &key, &shape, &fresh, &status), nullptr);
    EXPECT_EQ(status, SLM_E_NULL);
    EXPECT_FALSE(fresh);
    EXPECT_EQ(slm_table_get_locked(zone, nullptr, &key, &shape, &fresh, nullptr), nullptr);
    EXPECT_EQ(slm_table_get_locked(zone, table, nullptr, &shape, nullptr, &status), nullptr);
    EXPECT_EQ(slm_table_get_locked(zone, table, &key, nullptr, nullptr, nullptr), nullptr);
    status = SLM_OK;
    EXPECT_EQ(slm_table_alloc_locked(nullptr, table, &key, &shape, &status), nullptr);
    EXPECT_EQ(status, SLM_E_NULL);
    EXPECT_EQ(slm_table_alloc_locked(zone, nullptr, &key, &shape, nullptr), nullptr);
    EXPECT_EQ(slm_table_alloc_locked(zone, table, nullptr, &shape, &status), nullptr);
    EXPECT_EQ(slm_table_alloc_locked(zone, table, &key, nullptr, &status), nullptr);
}

TEST_F(TableNull, SearchesAndWalksFindNothingAndTheCheckFindsNothingWrong)
{
    EXPECT_EQ(slm_table_find_locked(nullptr, table, &key), nullptr);
    EXPECT_EQ(slm_table_find_locked(zone, nullptr, &key), nullptr);
    EXPECT_EQ(slm_table_find_locked(zone, table, nullptr), nullptr);
    for (auto *call : {slm_table_newest_locked, slm_table_oldest_locked}) {
        EXPECT_EQ(call(nullptr, table), nullptr);
        EXPECT_EQ(call(zone, nullptr), nullptr);
    }
    for (auto *call : {slm_table_newer_locked, slm_table_older_locked, slm_table_next_locked}) {
        EXPECT_EQ(call(nullptr, entry), nullptr);
        EXPECT_EQ(call(zone, nullptr), nullptr);
    }
    EXPECT_EQ(slm_table_after_locked(nullptr, table, &key), nullptr);
    EXPECT_EQ(slm_table_after_locked(zone, nullptr, &key), nullptr);
    EXPECT_EQ(slm_table_after_locked(zone, table, nullptr), entry) << "the first one";
    EXPECT_EQ(slm_table_check_locked(nullptr, table), 0u);
    EXPECT_EQ(slm_table_check_locked(zone, nullptr), 0u);
}

} // namespace
