/* SPDX-License-Identifier: Apache-2.0 */
/* What a journal's handle remembers of releases: a second release is seen, at a constant cost. */
#include <algorithm>
#include <random>
#include <set>

#include "tests/journal/fixture.h"

namespace {

using namespace slm_test;

class JournalFree : public testing::Test {
  protected:
    Arena arena;
    slm_journal *const journal = &arena.journal;
    uint64_t *const first = make(arena, 64, 1);
    uint64_t *const second = make(arena, 64, 2);
};

/* Each transaction frees some objects, each of them twice, between other entries, and ends in one
 * of three ways. Most transactions are undone, so the same objects return again and again. */
TEST_F(JournalFree, SeesASecondReleaseAfterTransactionsOfEveryEnd)
{
    std::mt19937_64 rng(9);
    std::vector<void *> objects;
    for (int i = 0; i < 200; i++) {
        objects.push_back(make(arena, 64, 3));
    }
    for (int round = 0; round < 3000 && objects.size() > 20; round++) {
        std::set<void *> freed;
        for (size_t n = rng() % 18; n > 0; n--) {
            void *p = objects[rng() % objects.size()];
            if (rng() % 3 == 0) {
                slm_journal_write(journal, first, n);
            }
            ASSERT_EQ(slm_journal_free(journal, p), freed.count(p) == 0 ? SLM_OK : SLM_E_FREED);
            ASSERT_EQ(slm_journal_free(journal, p), SLM_E_FREED);
            freed.insert(p);
        }
        if (round % 50 == 0) {
            EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
            objects.erase(std::remove_if(objects.begin(), objects.end(),
                                         [&](void *p) { return freed.count(p) != 0; }),
                          objects.end());
        } else if (round % 2 == 0) {
            slm_journal_abort(journal);
        } else {
            ASSERT_EQ(slm_journal_recover(journal), SLM_OK);
        }
        ASSERT_EQ(slm_slab_check_locked(arena.slab()), 0u);
    }
    EXPECT_LT(objects.size(), 200u);
}

/* In a long run only the pages of a word are looked at, so what is found live starts inside it. */
TEST_F(JournalFree, RefusesThePageOfARunInWhichAWordWasNoted)
{
    Arena wide(160);
    slm_journal *pages = &wide.journal;
    const size_t page_bytes = wide.slab()->page_bytes;
    auto *run = static_cast<unsigned char *>(slm_journal_alloc(pages, 100 * page_bytes));
    ASSERT_NE(run, nullptr);
    ASSERT_EQ(slm_journal_commit(pages), SLM_OK);
    auto *inner = reinterpret_cast<uint64_t *>(run + 80 * page_bytes);
    const slm_status refusal = slm_journal_free(pages, inner);
    EXPECT_NE(refusal, SLM_OK);
    ASSERT_EQ(slm_journal_write(pages, inner, 1), SLM_OK);
    EXPECT_EQ(slm_journal_free(pages, inner), refusal);
    EXPECT_EQ(slm_journal_commit(pages), SLM_OK);
    EXPECT_EQ(slm_slab_check_pointer_locked(wide.slab(), run), SLM_OK);
}

/* The chunk that was found last is not looked for again, but only at its start. */
TEST_F(JournalFree, RefusesTheInsideOfAChunkInWhichAWordWasNoted)
{
    ASSERT_EQ(slm_journal_write(journal, first + 1, 5), SLM_OK);
    EXPECT_NE(slm_journal_free(journal, first + 1), SLM_OK);
    EXPECT_EQ(slm_journal_free(journal, first), SLM_OK);
    EXPECT_EQ(slm_journal_free(journal, first), SLM_E_FREED);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_NE(slm_slab_check_pointer_locked(arena.slab(), first), SLM_OK);
    EXPECT_EQ(slm_slab_check_locked(arena.slab()), 0u);
}

/* A forked child has its parent's records of an open transaction, which the parent then ends. */
TEST_F(JournalFree, ForgetsReleasesOfATransactionEndedByAnotherHandle)
{
    slm_journal other;
    ASSERT_EQ(slm_journal_attach(&other, arena.log(), 4096, arena.base(), arena.slab()), SLM_OK);
    for (bool notes_before : {false, true}) {
        EXPECT_EQ(slm_journal_free(journal, first), SLM_OK);
        EXPECT_EQ(slm_journal_free(journal, second), SLM_OK);
        slm_journal_abort(&other);
        if (notes_before) {
            slm_journal_write(journal, second, 4);
            slm_journal_write(journal, second, 5);
        }
        EXPECT_EQ(slm_journal_free(journal, first), SLM_OK) << notes_before;
        EXPECT_EQ(slm_journal_free(journal, first), SLM_E_FREED) << notes_before;
        slm_journal_abort(&other);
    }
    slm_journal_write(journal, second, 6);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_EQ(slm_slab_check_pointer_locked(arena.slab(), first), SLM_OK);
    slm_journal_detach(&other);
}

TEST_F(JournalFree, GenerationsOfReleasesMayWrap)
{
    EXPECT_EQ(slm_journal_free(journal, first), SLM_OK);
    slm_journal_abort(journal);
    journal->notes->generation = UINT32_MAX - 1;
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(slm_journal_free(journal, second), SLM_OK);
        EXPECT_EQ(slm_journal_free(journal, first), SLM_OK);
        EXPECT_EQ(slm_journal_free(journal, second), SLM_E_FREED);
        EXPECT_EQ(slm_journal_free(journal, first), SLM_E_FREED);
        slm_journal_abort(journal);
    }
    EXPECT_EQ(journal->notes->generation, 3u);
}

/* A search ends at the first empty slot. So the longest row of filled slots is the highest cost of
 * a release, however many releases came before. */
TEST(JournalFreeCost, SearchesFewSlotsHoweverManyReleasesThereAre)
{
    constexpr unsigned kMany = 1u << 16;
    for (size_t size_bytes : {size_t{8}, size_t{64}, size_t{4096}}) {
        Arena arena(kMany * size_bytes / 4096 + 256);
        std::vector<uint64_t> log(slm_journal_log_bytes(kMany) / sizeof(uint64_t));
        slm_journal journal;
        ASSERT_EQ(slm_journal_init(log.data(), kMany), SLM_OK);
        ASSERT_EQ(slm_journal_attach(&journal, log.data(), log.size() * sizeof(uint64_t),
                                     arena.base(), arena.slab()),
                  SLM_OK);
        for (unsigned i = 0; i < kMany; i++) {
            void *p = slm_slab_alloc_locked(arena.slab(), size_bytes);
            ASSERT_EQ(slm_journal_free(&journal, p), SLM_OK);
        }
        size_t row = 0;
        size_t longest = 0;
        for (size_t i = 0; i <= journal.notes->mask; i++) {
            row = journal.notes->slots[i].generation == journal.notes->generation ? row + 1 : 0;
            longest = std::max(longest, row);
        }
        EXPECT_GT(longest, 0u);
        EXPECT_LT(longest, 100u) << size_bytes;
        EXPECT_EQ(slm_journal_commit(&journal), SLM_OK);
        EXPECT_EQ(slm_slab_check_locked(arena.slab()), 0u);
        slm_journal_detach(&journal);
    }
}

} // namespace
