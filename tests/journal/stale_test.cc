/* SPDX-License-Identifier: Apache-2.0 */
/* Journal: over a slab's view that has not seen a growth it refuses, and changes nothing. */
#include "tests/journal/fixture.h"

namespace {

using namespace slm_test;

/* A log and a slab that another view has grown. */
class JournalStale : public testing::Test {
  protected:
    JournalStale()
    {
        options.max_bytes = slm_slab_region_bytes(&options, 80);
        first_bytes = slm_slab_region_bytes(&options, 40);
        memory.resize((kSlabOffset + options.max_bytes) / sizeof(uint64_t) + 4096);
        auto address = reinterpret_cast<uintptr_t>(memory.data());
        base = reinterpret_cast<unsigned char *>(slm_align_up(address, 4096));
        EXPECT_EQ(slm_journal_init(base, kEntries), SLM_OK);
        EXPECT_EQ(slm_slab_init(base + kSlabOffset, first_bytes, &options), SLM_OK);
        slab = open();
        EXPECT_EQ(slm_journal_attach(&journal, base, kSlabOffset, base, slab), SLM_OK);
        object = static_cast<uint64_t *>(slm_journal_alloc(&journal, 100));
        EXPECT_EQ(slm_journal_set_root(&journal, object), SLM_OK);
        EXPECT_EQ(slm_journal_commit(&journal), SLM_OK);
        other = open();
        EXPECT_GT(slm_slab_grow_locked(other, options.max_bytes), 40u);
        before = memory;
    }
    ~JournalStale() override
    {
        slm_journal_detach(&journal);
        slm_slab_detach(slab);
        slm_slab_detach(other);
    }
    slm_slab *open() const
    {
        slm_slab *view = nullptr;
        EXPECT_EQ(slm_slab_attach(&view, base + kSlabOffset, first_bytes, nullptr), SLM_OK);
        return view;
    }

    slm_slab_options options{};
    size_t first_bytes = 0;
    std::vector<uint64_t> memory;
    std::vector<uint64_t> before;
    unsigned char *base = nullptr;
    slm_slab *slab = nullptr;
    slm_slab *other = nullptr;
    slm_journal journal{};
    uint64_t *object = nullptr;
};

TEST_F(JournalStale, AllocatesFreesAndRepairsNothing)
{
    EXPECT_EQ(slm_journal_alloc(&journal, 100), nullptr);
    EXPECT_EQ(slm_journal_calloc(&journal, 100), nullptr);
    EXPECT_EQ(slm_journal_memalign(&journal, 64, 100), nullptr);
    EXPECT_EQ(slm_journal_free(&journal, object), SLM_E_STATE);
    EXPECT_EQ(slm_journal_set_root(&journal, object), SLM_E_FOREIGN);
    EXPECT_EQ(slm_journal_reset(&journal), SLM_E_STATE);
    EXPECT_EQ(slm_journal_recover(&journal), SLM_E_STATE);
    EXPECT_TRUE(memory == before);
}

TEST_F(JournalStale, WorksOnceTheViewHasRefreshed)
{
    ASSERT_EQ(slm_slab_refresh_locked(slab), SLM_OK);
    EXPECT_EQ(slm_journal_recover(&journal), SLM_OK);
    EXPECT_EQ(slm_journal_set_root(&journal, nullptr), SLM_OK);
    EXPECT_EQ(slm_journal_free(&journal, object), SLM_OK);
    EXPECT_EQ(slm_journal_commit(&journal), SLM_OK);
    EXPECT_EQ(slm_journal_reset(&journal), SLM_OK);
    EXPECT_EQ(slm_slab_check_locked(other), 0u);
    EXPECT_EQ(slm_journal_check(&journal), 0u);
}

} // namespace
