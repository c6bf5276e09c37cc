/* SPDX-License-Identifier: Apache-2.0 */
/* Journal: words and objects more than 4 GiB after the log are noted, undone and freed. */
#include "tests/journal/sparse.h"

namespace {

using namespace slm_test;

constexpr uint64_t kGiB = uint64_t{1} << 30;
constexpr uint64_t kBytes = 6 * kGiB;

/* Two objects that are 4 GiB apart, one of them a run. */
class JournalLarge : public testing::Test {
  protected:
    void SetUp() override
    {
        if (SIZE_MAX < kBytes) {
            printf("NOT RUN: 32-bit addresses\n");
            GTEST_SKIP() << "32-bit addresses";
        }
        slm_slab_options options = {};
        options.page_bytes = 65536;
        options.min_object_bytes = 64;
        sparse = std::make_unique<Sparse>(static_cast<size_t>(kBytes), 64, &options);
        journal = &sparse->journal;
        low = alloc(64 * 1024);
        ASSERT_NE(alloc(4 * kGiB - 64 * 1024), nullptr);
        high = alloc(64 * 1024);
        ASSERT_EQ(reinterpret_cast<uintptr_t>(high) - reinterpret_cast<uintptr_t>(low), 4 * kGiB);
        *low = 1;
        *high = 2;
        ASSERT_EQ(slm_journal_commit(journal), SLM_OK);
    }
    uint64_t *alloc(uint64_t bytes)
    {
        return static_cast<uint64_t *>(slm_journal_alloc(journal, static_cast<size_t>(bytes)));
    }
    bool is_live(const void *p) const
    {
        return slm_slab_check_pointer_locked(sparse->slab(), p) == SLM_OK;
    }
    void expect_sound() const
    {
        EXPECT_EQ(slm_slab_check_locked(sparse->slab()), 0u);
        EXPECT_EQ(slm_journal_check(journal), 0u);
    }

    std::unique_ptr<Sparse> sparse;
    slm_journal *journal = nullptr;
    uint64_t *low = nullptr;
    uint64_t *high = nullptr;
};

TEST_F(JournalLarge, ARepairRestoresWordsAboveFourGib)
{
    ASSERT_EQ(slm_journal_write(journal, high, 5), SLM_OK);
    ASSERT_EQ(slm_journal_note_range(journal, high + 1, 8), SLM_OK);
    high[1] = 6;
    EXPECT_EQ(slm_journal_check(journal), 0u);
    ASSERT_EQ(slm_journal_recover(journal), SLM_OK);
    EXPECT_EQ(*low, 1u);
    EXPECT_EQ(*high, 2u);
    EXPECT_EQ(high[1], 0u);
    expect_sound();
}

TEST_F(JournalLarge, ACommitFreesTheObjectAboveFourGibAndNotTheOneBelow)
{
    ASSERT_EQ(slm_journal_set_root(journal, high), SLM_OK);
    ASSERT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_EQ(slm_journal_root(journal), high);
    expect_sound();
    ASSERT_EQ(slm_journal_set_root(journal, low), SLM_OK);
    ASSERT_EQ(slm_journal_free(journal, high), SLM_OK);
    ASSERT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_FALSE(is_live(high));
    EXPECT_TRUE(is_live(low));
    expect_sound();
}

TEST_F(JournalLarge, ARepairFreesTheNewObjectAboveFourGibAndNoOther)
{
    uint64_t *fresh = alloc(64 * 1024);
    ASSERT_NE(fresh, nullptr);
    ASSERT_EQ(slm_journal_recover(journal), SLM_OK);
    EXPECT_FALSE(is_live(fresh));
    EXPECT_TRUE(is_live(high));
    EXPECT_TRUE(is_live(low));
    expect_sound();
}

TEST_F(JournalLarge, AnEntryPastTheSlabIsRefused)
{
    uint64_t past = slm_journal_offset(journal, low) + 8 * kGiB;
    sparse->log()->entries[0] = {uint64_t{JOURNAL_WORD} << JOURNAL_KIND_SHIFT | past, 0};
    sparse->log()->state = 1;
    EXPECT_EQ(slm_journal_check(journal), 3u);
}

} // namespace
