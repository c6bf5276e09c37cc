/* SPDX-License-Identifier: Apache-2.0 */
/* What a handle knows of objects without a look at the slab: new ones, and those of heads. */
#include <tuple>

#include "tests/journal/fixture.h"
#include <slabmill/lru.h>
#include <slabmill/rbtree.h>

namespace {

using namespace slm_test;

class JournalFresh : public testing::Test {
  protected:
    Arena arena{60};
    slm_journal *const journal = &arena.journal;
    uint64_t *const old = make(arena, 64, 1);
    uint64_t on_stack = 5;

    uint64_t *allocate(size_t size_bytes = 64)
    {
        return static_cast<uint64_t *>(slm_journal_alloc(journal, size_bytes));
    }
    uint64_t n_entries() const
    {
        return journal->log->state;
    }
    /* How many entries a write takes. */
    uint64_t cost_of_write(uint64_t *word)
    {
        uint64_t n = n_entries();
        EXPECT_EQ(slm_journal_write(journal, word, 7), SLM_OK);
        EXPECT_EQ(*word, 7u);
        return n_entries() - n;
    }
};

TEST_F(JournalFresh, WordsOfANewObjectTakeNoEntries)
{
    const Picture before = take_picture(*journal);
    for (bool is_kept : {false, true}) {
        uint64_t *p = allocate();
        EXPECT_EQ(cost_of_write(p), 0u);
        EXPECT_EQ(cost_of_write(p + 7), 0u);
        EXPECT_EQ(slm_journal_note_range(journal, p, 64), SLM_OK);
        EXPECT_EQ(n_entries(), 1u);
        Arena heir(arena.bytes());
        EXPECT_EQ(slm_journal_recover(&heir.journal), SLM_OK);
        EXPECT_TRUE(take_picture(heir.journal) == before);
        if (is_kept) {
            EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
            EXPECT_EQ(p[0] + p[7], 14u);
        } else {
            slm_journal_abort(journal);
            EXPECT_TRUE(take_picture(*journal) == before);
        }
        EXPECT_EQ(arena.check(), kSound);
    }
}

TEST_F(JournalFresh, WordsPastItsSizeTakeOneEach)
{
    uint64_t *p = allocate(20); /* of a chunk of 32 bytes */
    EXPECT_EQ(cost_of_write(p + 1), 0u);
    EXPECT_EQ(cost_of_write(p + 2), 1u);
    EXPECT_EQ(cost_of_write(p + 3), 1u);
    EXPECT_EQ(slm_journal_note_range(journal, p, 21), SLM_OK);
    EXPECT_EQ(n_entries(), 1u + 2 + 3);
}

/* The allocator gave it more bytes than were asked for; those take entries. */
TEST_F(JournalFresh, WordsTakeNoEntriesAfterARangePastTheSizeWasNoted)
{
    uint64_t *p = allocate(40);
    uint64_t n = n_entries();
    ASSERT_EQ(slm_journal_note_range(journal, p + 4, 16), SLM_OK);
    EXPECT_EQ(n_entries() - n, 2u);
    EXPECT_EQ(cost_of_write(p), 0u);
    EXPECT_EQ(cost_of_write(p + 4), 0u);
    EXPECT_EQ(cost_of_write(p + 5), 1u);
    EXPECT_EQ(cost_of_write(p + 1), 0u);
}

TEST_F(JournalFresh, OnlyTheNewestNewObjectTakesNone)
{
    const Picture before = take_picture(*journal);
    uint64_t *first = allocate();
    uint64_t *second = allocate();
    EXPECT_EQ(cost_of_write(first), 1u);
    EXPECT_EQ(cost_of_write(second), 0u);
    EXPECT_EQ(cost_of_write(old), 1u);
    slm_journal_abort(journal);
    EXPECT_TRUE(take_picture(*journal) == before);
}

TEST_F(JournalFresh, ANewObjectThatIsReleasedIsRefused)
{
    for (size_t size_bytes : {size_t{64}, size_t{3 * 4096}}) {
        uint64_t *p = allocate(size_bytes);
        EXPECT_EQ(cost_of_write(p), 0u);
        EXPECT_EQ(slm_journal_free(journal, p), SLM_OK);
        EXPECT_EQ(slm_journal_write(journal, p, 8), SLM_E_FREED);
        EXPECT_EQ(*p, 7u);
        EXPECT_EQ(slm_journal_commit(journal), SLM_E_FREED);
        EXPECT_EQ(arena.check(), kSound);
    }
}

TEST_F(JournalFresh, ANewObjectStaysNewWhenAnotherIsReleased)
{
    uint64_t *other = make(arena, 64, 2);
    uint64_t *p = allocate();
    EXPECT_EQ(cost_of_write(old), 1u);
    EXPECT_EQ(slm_journal_free(journal, other), SLM_OK);
    EXPECT_EQ(cost_of_write(p), 0u);
    EXPECT_EQ(slm_journal_write(journal, other, 8), SLM_E_FREED);
    EXPECT_EQ(slm_journal_write(journal, p, 8), SLM_E_FREED);
    EXPECT_EQ(*p, 7u);
}

TEST_F(JournalFresh, NoObjectIsNewAfterTheEndOfItsTransaction)
{
    uint64_t *p = allocate();
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    const Picture before = take_picture(*journal);
    EXPECT_EQ(cost_of_write(p), 1u);
    slm_journal_abort(journal);
    EXPECT_TRUE(take_picture(*journal) == before);
    for (bool is_repaired : {false, true}) {
        uint64_t *undone = allocate();
        if (is_repaired) {
            EXPECT_EQ(slm_journal_recover(journal), SLM_OK);
        } else {
            slm_journal_abort(journal);
        }
        EXPECT_EQ(slm_journal_write(journal, undone, 8), SLM_E_FREED);
        EXPECT_EQ(slm_journal_commit(journal), SLM_E_FREED);
    }
}

TEST_F(JournalFresh, ARefusalRefusesWordsOfANewObjectToo)
{
    uint64_t *p = allocate();
    EXPECT_EQ(cost_of_write(p), 0u);
    EXPECT_EQ(slm_journal_write(journal, &on_stack, 8), SLM_E_FOREIGN);
    EXPECT_EQ(slm_journal_write(journal, p, 8), SLM_E_FOREIGN);
    EXPECT_EQ(slm_journal_note_range(journal, p, 8), SLM_E_FOREIGN);
    EXPECT_EQ(*p, 7u);
    EXPECT_EQ(slm_journal_commit(journal), SLM_E_FOREIGN);
}

/* --- Releases: the first one is remembered without the table --- */

TEST_F(JournalFresh, ACommitFreesEachReleaseWhereverItsEntryIs)
{
    for (unsigned n = 1; n <= 5; n++) {
        std::vector<uint64_t *> objects;
        for (unsigned i = 0; i < n; i++) {
            objects.push_back(make(arena, i % 2 == 0 ? 64 : 2 * 4096, 3));
        }
        const size_t n_before = take_picture(*journal).objects.size();
        for (uint64_t *p : objects) {
            EXPECT_EQ(slm_journal_write(journal, old, n), SLM_OK);
            EXPECT_EQ(slm_journal_free(journal, p), SLM_OK);
            EXPECT_EQ(slm_journal_free(journal, objects[0]), SLM_E_FREED);
            EXPECT_EQ(slm_journal_free(journal, p), SLM_E_FREED);
            EXPECT_EQ(slm_journal_write(journal, old, n), SLM_OK);
        }
        EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
        EXPECT_EQ(take_picture(*journal).objects.size(), n_before - n);
        EXPECT_EQ(arena.check(), kSound);
    }
}

TEST_F(JournalFresh, ACommitFreesAReleaseAfterAnotherHandleEndedEarlierOnes)
{
    uint64_t *kept = make(arena, 64, 2);
    uint64_t *freed = make(arena, 64, 3);
    slm_journal other;
    ASSERT_EQ(slm_journal_attach(&other, arena.log(), 4096, arena.base(), arena.slab()), SLM_OK);
    for (int i = 0; i < 5; i++) {
        EXPECT_EQ(slm_journal_write(journal, old, 1), SLM_OK);
    }
    EXPECT_EQ(slm_journal_free(journal, kept), SLM_OK);
    slm_journal_abort(&other);
    EXPECT_EQ(slm_journal_write(&other, old, 2), SLM_OK);
    EXPECT_EQ(slm_journal_free(journal, freed), SLM_OK);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_EQ(slm_slab_check_pointer_locked(arena.slab(), freed), SLM_E_FREED);
    EXPECT_EQ(slm_slab_check_pointer_locked(arena.slab(), kept), SLM_OK);
    EXPECT_EQ(arena.check(), kSound);
    slm_journal_detach(&other);
}

/* --- The head of a list is looked up once --- */

class JournalHead : public JournalFresh {
  protected:
    slm_lru *list = nullptr;
    slm_lru_node *nodes = nullptr;

    void SetUp() override
    {
        nodes = reinterpret_cast<slm_lru_node *>(make(arena, 10 * sizeof *nodes, 0));
        list = reinterpret_cast<slm_lru *>(make(arena, 1000, 0));
        ASSERT_EQ(insert(0), SLM_OK);
        ASSERT_EQ(slm_journal_commit(journal), SLM_OK);
        ASSERT_EQ(insert(1), SLM_OK);
        ASSERT_EQ(slm_journal_commit(journal), SLM_OK);
    }
    slm_status insert(size_t i)
    {
        return slm_lru_insert(journal, list, &nodes[i]);
    }
    /* As another process frees it. */
    void free_head()
    {
        ASSERT_EQ(slm_slab_free_locked(arena.slab(), list), SLM_OK);
    }
    void expect_refused(slm_status expected)
    {
        EXPECT_EQ(insert(2), expected);
        EXPECT_EQ(slm_journal_commit(journal), expected);
        EXPECT_EQ(nodes[2].list, 0u);
    }
};

TEST_F(JournalHead, ThatThisTransactionFreesIsRefused)
{
    ASSERT_EQ(slm_journal_free(journal, list), SLM_OK);
    expect_refused(SLM_E_FREED);
    EXPECT_EQ(insert(2), SLM_OK);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_EQ(list->n_nodes, 3u);
}

TEST_F(JournalHead, ThatIsFreeNowIsRefused)
{
    free_head();
    expect_refused(SLM_E_FREED);
    slm_slab_trim(arena.slab());
    expect_refused(SLM_E_PAGE_FREE);
}

TEST_F(JournalHead, ThatIsInAnotherObjectNowIsJudgedByThat)
{
    free_head();
    ASSERT_NE(slm_slab_trim(arena.slab()), 0u);
    const auto *at = reinterpret_cast<unsigned char *>(list);
    unsigned char *p = nullptr;
    do { /* smaller than a list, until one is where the head was */
        p = static_cast<unsigned char *>(slm_slab_alloc_locked(arena.slab(), 8));
        ASSERT_NE(p, nullptr);
    } while (p != at);
    expect_refused(SLM_E_SIZE);
}

TEST_F(JournalHead, ThatIsAtTheSamePlaceAgainIsAccepted)
{
    free_head();
    /* From SLM_CHECKS 2 on the slab holds what was freed, until nothing else is free. */
    void *again = nullptr;
    do {
        again = slm_slab_calloc_locked(arena.slab(), 1000);
        ASSERT_NE(again, nullptr);
    } while (again != list);
    ASSERT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_EQ(insert(2), SLM_OK);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_EQ(list->n_nodes, 1u);
}

TEST_F(JournalHead, ThatIsNotAlignedIsRefused)
{
    auto *odd = reinterpret_cast<slm_lru *>(reinterpret_cast<unsigned char *>(list) + 4);
    for (bool is_node_known : {false, true}) {
        if (is_node_known) {
            EXPECT_EQ(cost_of_write(&nodes[3].newer), 1u);
        }
        EXPECT_EQ(slm_lru_insert(journal, odd, &nodes[2]), SLM_E_ALIGN);
        EXPECT_EQ(slm_journal_commit(journal), SLM_E_ALIGN);
    }
}

TEST_F(JournalHead, RefusesANodeThatIsNotAlignedInAKnownObject)
{
    auto *odd = reinterpret_cast<slm_lru_node *>(reinterpret_cast<unsigned char *>(&nodes[2]) + 4);
    EXPECT_EQ(cost_of_write(&nodes[3].newer), 1u);
    EXPECT_EQ(slm_lru_insert(journal, list, odd), SLM_E_ALIGN);
    EXPECT_EQ(slm_journal_commit(journal), SLM_E_ALIGN);
}

TEST(JournalSpans, WordsOnLaterPagesOfASpanAreJudgedByTheirChunk)
{
    slm_slab_options options{};
    options.per_doubling = 8;
    Arena arena(60, &options);
    std::vector<uint64_t *> objects;
    size_t n_on_later_pages = 0;
    for (size_t i = 0; i < 40; i++) {
        objects.push_back(make(arena, 1400, 1));
        auto offset = reinterpret_cast<uintptr_t>(objects.back()) -
                      reinterpret_cast<uintptr_t>(arena.slab()->memory);
        n_on_later_pages += slab_word_kind(arena.slab()->pages[offset / 4096].word) == SLAB_BODY;
    }
    EXPECT_GT(n_on_later_pages, 5u);
    for (size_t i = 0; i < 40; i += 2) {
        ASSERT_EQ(slm_journal_free(&arena.journal, objects[i]), SLM_OK);
        ASSERT_EQ(slm_journal_commit(&arena.journal), SLM_OK);
    }
    for (size_t i = 0; i < 40; i++) {
        for (size_t word : {size_t{0}, size_t{174}}) {
            slm_status expected = i % 2 == 0 ? SLM_E_FREED : SLM_OK;
            EXPECT_EQ(slm_journal_write(&arena.journal, objects[i] + word, 7), expected) << i;
            EXPECT_EQ(slm_journal_commit(&arena.journal), expected);
        }
        EXPECT_EQ(slm_journal_free(&arena.journal, objects[i]), i % 2 == 0 ? SLM_E_FREED : SLM_OK);
        slm_journal_abort(&arena.journal);
    }
    EXPECT_EQ(arena.check(), kSound);
}

TEST_F(JournalHead, ThatEndsPastItsObjectIsRefused)
{
    auto *end = reinterpret_cast<unsigned char *>(list) + slm_slab_usable_bytes(arena.slab(), list);
    auto *late = reinterpret_cast<slm_lru *>(end - 16);
    EXPECT_EQ(slm_lru_insert(journal, late, &nodes[2]), SLM_E_SIZE);
    EXPECT_EQ(slm_journal_commit(journal), SLM_E_SIZE);
}

TEST_F(JournalHead, TakesThreeEntriesForANewNode)
{
    auto *node = static_cast<slm_lru_node *>(slm_journal_calloc(journal, sizeof *nodes));
    uint64_t n = n_entries();
    EXPECT_EQ(slm_lru_insert(journal, list, node), SLM_OK);
    EXPECT_EQ(n_entries() - n, 3u); /* of the list: newest, n_nodes; of the neighbour: newer */
    slm_journal_abort(journal);
    EXPECT_EQ(list->n_nodes, 2u);
    EXPECT_EQ(slm_lru_check(journal, list, 8, 1u << 20), 0u);
    EXPECT_EQ(arena.check(), kSound);
}

/* --- A table: list and nodes in one run of pages --- */

/* The runs before and after the table are free, or not. */
class JournalTable : public testing::TestWithParam<std::tuple<bool, bool>> {
  protected:
    static constexpr size_t kPage = 4096;
    static constexpr size_t kPages = 5;

    Arena arena{60};
    slm_journal *const journal = &arena.journal;
    unsigned char *run = nullptr;
    slm_lru *list = nullptr; /* on the table's last page */
    slm_lru_node *nodes = nullptr;

    void SetUp() override
    {
        void *before = make(arena, 2 * kPage, 0);
        run = reinterpret_cast<unsigned char *>(make(arena, kPages * kPage, 0));
        void *after = make(arena, 2 * kPage, 0);
        (void)make(arena, kPage, 0);
        list = reinterpret_cast<slm_lru *>(run + (kPages - 1) * kPage);
        nodes = reinterpret_cast<slm_lru_node *>(run);
        if (std::get<0>(GetParam())) {
            ASSERT_EQ(slm_slab_free_locked(arena.slab(), before), SLM_OK);
        }
        if (std::get<1>(GetParam())) {
            ASSERT_EQ(slm_slab_free_locked(arena.slab(), after), SLM_OK);
        }
        for (size_t i = 0; i < 3; i++) {
            ASSERT_EQ(insert(i), SLM_OK);
            ASSERT_EQ(slm_journal_commit(journal), SLM_OK);
        }
        EXPECT_EQ(journal->notes->anchor.object.start, run);
        EXPECT_EQ(slm_lru_check(journal, list, 8, 1u << 20), 0u);
    }
    slm_status insert(size_t i)
    {
        return slm_lru_insert(journal, list, &nodes[i]);
    }
    void expect_refused(slm_status expected)
    {
        EXPECT_EQ(slm_lru_remove(journal, list, &nodes[0]), expected);
        EXPECT_EQ(slm_journal_commit(journal), expected);
    }
    /* As another process frees it: the bytes stay as they were. */
    void free_run()
    {
        std::vector<unsigned char> bytes(run, run + kPages * kPage);
        ASSERT_EQ(slm_slab_free_locked(arena.slab(), run), SLM_OK);
        memcpy(run, bytes.data(), bytes.size());
    }
};

TEST_P(JournalTable, ThatThisTransactionFreesIsRefused)
{
    ASSERT_EQ(slm_journal_free(journal, run), SLM_OK);
    expect_refused(SLM_E_FREED);
    EXPECT_EQ(slm_lru_remove(journal, list, &nodes[0]), SLM_OK);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
}

TEST_P(JournalTable, ThatIsFreeNowIsRefused)
{
    free_run();
    expect_refused(SLM_E_PAGE_FREE);
    EXPECT_EQ(slm_journal_write(journal, &list->n_nodes, 7), SLM_E_PAGE_FREE);
    EXPECT_EQ(slm_journal_commit(journal), SLM_E_PAGE_FREE);
}

TEST_P(JournalTable, ThatIsFreeNowIsRefusedAfterARepairToo)
{
    free_run();
    ASSERT_EQ(slm_journal_recover(journal), SLM_OK);
    expect_refused(SLM_E_PAGE_FREE);
}

TEST_P(JournalTable, ThatAShorterRunTookThePlaceOfIsRefused)
{
    free_run();
    unsigned char *shorter = nullptr;
    do { /* until one page is where the table began */
        shorter = static_cast<unsigned char *>(slm_slab_alloc_locked(arena.slab(), kPage));
        ASSERT_NE(shorter, nullptr);
    } while (shorter != run);
    expect_refused(SLM_E_PAGE_FREE);
}

/* Best fit takes the free pages in which the table was. */
TEST_P(JournalTable, IsJudgedByTheRunThatTookItsPlace)
{
    free_run();
    bool is_free_before = std::get<0>(GetParam());
    void *other = slm_slab_alloc_locked(arena.slab(), kPages * kPage);
    ASSERT_EQ(other, is_free_before ? run - 2 * kPage : run);
    if (is_free_before) { /* the list's page is free now */
        expect_refused(SLM_E_PAGE_FREE);
    } else {
        EXPECT_EQ(slm_lru_remove(journal, list, &nodes[0]), SLM_OK);
        EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    }
}

TEST_P(JournalTable, TakesNothingButEntries)
{
    for (size_t i = 3; i < 10; i++) {
        ASSERT_EQ(insert(i), SLM_OK);
    }
    EXPECT_EQ(journal->log->state, 7u * 5);
    slm_journal_abort(journal);
    EXPECT_EQ(list->n_nodes, 3u);
    EXPECT_EQ(slm_lru_check(journal, list, 8, 1u << 20), 0u);
    EXPECT_EQ(arena.check(), kSound);
}

INSTANTIATE_TEST_SUITE_P(FreeRuns, JournalTable, testing::Combine(testing::Bool(), testing::Bool()),
                         [](const auto &neighbours) {
                             return std::string(std::get<0>(neighbours.param) ? "Before" : "") +
                                    (std::get<1>(neighbours.param) ? "After" : "NotAfter");
                         });

} // namespace
