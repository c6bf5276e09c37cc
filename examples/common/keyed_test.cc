/* SPDX-License-Identifier: Apache-2.0 */
/* Keyed: keys whose hashes are equal. */
#include <string>
#include <vector>

#include "examples/common/fixture.h"

extern "C" {
#include "examples/common/keyed.h"
}

namespace {

using namespace example_test;

const slm_keyed_kind kKind = {1, sizeof(slm_keyed), sizeof(slm_keyed_entry),
                              SLM_KEYED_INSERT_ENTRIES};

class KeyedHash : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(slm_keyed_init(zone, &kKind), SLM_OK);
        ASSERT_EQ(slm_keyed_enter(&view, zone, &kKind), SLM_OK);
    }
    void TearDown() override
    {
        EXPECT_EQ(slm_keyed_leave(&view, SLM_OK), SLM_OK);
    }
    /* A key whose hash the test chooses. */
    static slm_key make_key(const std::string &text, uint64_t hash)
    {
        return {text.data(), text.size(), hash};
    }
    slm_keyed_entry *add(const std::string &text, uint64_t hash)
    {
        slm_key key = make_key(text, hash);
        slm_keyed_entry *entry = slm_keyed_alloc(&view, &kKind, &key);
        EXPECT_NE(entry, nullptr);
        slm_keyed_insert(&view, entry);
        EXPECT_TRUE(slm_keyed_commit(&view));
        return entry;
    }
    slm_keyed_entry *find(const std::string &text, uint64_t hash)
    {
        slm_key key = make_key(text, hash);
        return slm_keyed_find(&view, &key);
    }

    Zone zone;
    slm_keyed_view view = {};
};

TEST_F(KeyedHash, EqualHashesAreDistinguishedByTheBytes)
{
    std::vector<slm_keyed_entry *> entries;
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

TEST_F(KeyedHash, TheOthersOfAHashAreFoundWhenOneIsRemoved)
{
    std::vector<slm_keyed_entry *> entries;
    for (size_t i = 0; i < 20; i++) {
        entries.push_back(add("key " + std::to_string(i), 5));
    }
    for (size_t i = 0; i < 20; i++) {
        slm_keyed_remove(&view, entries[i]);
        ASSERT_TRUE(slm_keyed_commit(&view));
        for (size_t j = 0; j < 20; j++) {
            EXPECT_EQ(find("key " + std::to_string(j), 5), j <= i ? nullptr : entries[j]);
        }
    }
}

} // namespace
