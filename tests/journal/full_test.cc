/* SPDX-License-Identifier: Apache-2.0 */
/* A full journal: the call is refused and changes nothing, and so is its transaction. */
#include <array>
#include <functional>
#include <set>

#include "tests/journal/fixture.h"
#include <slabmill/lru.h>
#include <slabmill/rbtree.h>

namespace {

using namespace slm_test;

struct Node {
    slm_rbtree_node node;
    slm_lru_node used;
};

extern "C" {
static int order_by_place(const slm_rbtree_node *a, const slm_rbtree_node *b)
{
    return a < b ? -1 : a > b;
}
}

class JournalFull : public testing::Test {
  protected:
    Arena arena;
    slm_journal *const journal = &arena.journal;
    uint64_t *const first = make(arena, 64, 1);
    uint64_t *const second = make(arena, 64, 2);
    uint64_t *const large = make(arena, 2048, 3);
    const Picture before = take_picture(*journal);

    /* Writes entries until there is room for n_left more. */
    void fill(unsigned n_left)
    {
        while (slm_journal_has_room(journal, n_left + 1)) {
            EXPECT_EQ(slm_journal_write(journal, first, *first + 1), SLM_OK);
        }
    }

    /* The call needs n entries. With room for n - 1 it is refused and changes no byte, and neither
     * do later calls. With room for n it succeeds. */
    void expect_refused(unsigned n, const std::function<slm_status()> &call, const char *name)
    {
        SCOPED_TRACE(name);
        fill(n - 1);
        std::vector<unsigned char> bytes = arena.bytes();
        EXPECT_EQ(call(), SLM_E_FULL);
        EXPECT_FALSE(slm_journal_has_room(journal, 0));
        EXPECT_EQ(slm_journal_write(journal, second, 9), SLM_E_FULL);
        EXPECT_TRUE(arena.bytes() == bytes);
        EXPECT_EQ(slm_journal_commit(journal), SLM_E_FULL);
        EXPECT_TRUE(take_picture(*journal) == before);
        EXPECT_EQ(arena.check(), kSound);
        fill(n);
        EXPECT_EQ(call(), SLM_OK);
        slm_journal_abort(journal);
        EXPECT_TRUE(take_picture(*journal) == before);
    }

    slm_status status_of(void *p) const
    {
        return p != nullptr ? SLM_OK : slm_journal_has_room(journal, 0) ? SLM_E_NOMEM : SLM_E_FULL;
    }
};

TEST_F(JournalFull, EachCallIsRefusedWithoutRoomAndSucceedsWithRoom)
{
    auto *bytes = reinterpret_cast<unsigned char *>(second);
    expect_refused(
        1, [&] { return slm_journal_write(journal, second, 7); }, "write");
    expect_refused(
        8, [&] { return slm_journal_note_range(journal, second, 64); }, "save");
    expect_refused(
        2, [&] { return slm_journal_note_range(journal, bytes + 7, 2); }, "save of two bytes");
    expect_refused(
        1, [&] { return slm_journal_free(journal, second); }, "free");
    expect_refused(
        1, [&] { return slm_journal_set_root(journal, second); }, "root");
    expect_refused(
        1, [&] { return status_of(slm_journal_alloc(journal, 8)); }, "alloc");
    expect_refused(
        1, [&] { return status_of(slm_journal_alloc(journal, 9000)); }, "alloc of a run");
    expect_refused(
        1, [&] { return status_of(slm_journal_calloc(journal, 8)); }, "calloc");
    expect_refused(
        1, [&] { return status_of(slm_journal_memalign(journal, 8, 8)); }, "memalign");
}

TEST_F(JournalFull, TheStatusTextNamesJournalRoomAndEntries)
{
    EXPECT_STREQ(slm_status_name(SLM_E_FULL), "SLM_E_FULL");
    for (const char *word : {"journal", "room", "entries"}) {
        EXPECT_NE(strstr(slm_status_text(SLM_E_FULL), word), nullptr) << word;
    }
}

TEST_F(JournalFull, ASizeThatWouldWrapIsRefused)
{
    for (size_t n_bytes : {SIZE_MAX, SIZE_MAX - 7, SIZE_MAX / 2, size_t{kEntries} * 8 + 1}) {
        auto *odd = reinterpret_cast<unsigned char *>(large) + 1;
        slm_status expected = n_bytes > 2048 ? SLM_E_SIZE : SLM_E_FULL;
        EXPECT_EQ(slm_journal_note_range(journal, odd, n_bytes), expected) << n_bytes;
        EXPECT_EQ(journal_n_entries(journal->log), 0u);
        EXPECT_EQ(slm_journal_commit(journal), expected);
    }
}

TEST_F(JournalFull, ARangeTakesOneEntryForEachWordThatItTouches)
{
    for (size_t from = 0; from <= 8; from++) {
        for (size_t n_bytes = 0; n_bytes <= 64; n_bytes++) {
            SCOPED_TRACE(std::to_string(from) + " " + std::to_string(n_bytes));
            std::set<size_t> words;
            for (size_t at = from; at < from + n_bytes; at++) {
                words.insert(at / 8);
            }
            auto n_entries = static_cast<unsigned>(words.size());
            ASSERT_LE(n_entries, n_bytes / 8 + 2); /* as the header says */
            ASSERT_TRUE(slm_journal_has_room(journal, kEntries));
            auto *p = reinterpret_cast<unsigned char *>(large) + from;
            ASSERT_EQ(slm_journal_note_range(journal, p, n_bytes), SLM_OK);
            EXPECT_TRUE(slm_journal_has_room(journal, kEntries - n_entries));
            EXPECT_FALSE(slm_journal_has_room(journal, kEntries - n_entries + 1));
            slm_journal_abort(journal);
        }
    }
}

/* A caller may look at the commit's result only: half of its transaction must not be committed. */
TEST_F(JournalFull, NothingOfARefusedTransactionIsCommitted)
{
    EXPECT_EQ(slm_journal_free(journal, second), SLM_OK);
    (void)slm_journal_write(journal, first, 5);
    EXPECT_EQ(slm_journal_note_range(journal, large, kEntries * 8), SLM_E_FULL);
    EXPECT_EQ(slm_journal_write(journal, first, 6), SLM_E_FULL);
    EXPECT_EQ(slm_journal_set_root(journal, first), SLM_E_FULL);
    EXPECT_EQ(slm_journal_alloc(journal, 8), nullptr);
    EXPECT_EQ(*first, 5u);
    EXPECT_EQ(slm_journal_commit(journal), SLM_E_FULL);
    EXPECT_TRUE(take_picture(*journal) == before);
    EXPECT_EQ(slm_journal_free(journal, second), SLM_OK);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_EQ(slm_slab_check_pointer_locked(arena.slab(), second), SLM_E_FREED);
}

TEST_F(JournalFull, AnAbortOrARepairEndsTheRefusal)
{
    for (bool repaired : {false, true}) {
        fill(0);
        EXPECT_EQ(slm_journal_write(journal, second, 7), SLM_E_FULL);
        if (repaired) {
            EXPECT_EQ(slm_journal_recover(journal), SLM_OK);
        } else {
            slm_journal_abort(journal);
        }
        EXPECT_TRUE(take_picture(*journal) == before);
        EXPECT_TRUE(slm_journal_has_room(journal, kEntries));
        EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    }
}

TEST_F(JournalFull, AResetOfARefusedTransactionFreesNothing)
{
    fill(0);
    EXPECT_EQ(slm_journal_free(journal, second), SLM_E_FULL);
    EXPECT_EQ(slm_journal_reset(journal), SLM_E_FULL);
    EXPECT_TRUE(take_picture(*journal) == before);
    EXPECT_EQ(slm_journal_reset(journal), SLM_OK);
    EXPECT_TRUE(take_picture(*journal).objects.empty());
}

TEST_F(JournalFull, MisuseIsReportedAsMisuseAndRefusesNothing)
{
    int elsewhere = 0;
    EXPECT_EQ(slm_journal_free(journal, second), SLM_OK);
    fill(0);
    EXPECT_EQ(slm_journal_free(journal, second), SLM_E_FREED);
    EXPECT_EQ(slm_journal_free(journal, nullptr), SLM_OK);
    EXPECT_EQ(slm_journal_free(journal, &elsewhere), SLM_E_FOREIGN);
    EXPECT_EQ(slm_journal_set_root(journal, first + 1), SLM_E_FOREIGN);
    EXPECT_TRUE(slm_journal_has_room(journal, 0));
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
}

TEST_F(JournalFull, ACallerThatAsksForRoomCanDoWorkOfAnyLength)
{
    std::vector<void *> objects;
    for (unsigned i = 0; i < 5 * kEntries; i++) {
        objects.push_back(make(arena, 64, 3));
    }
    for (void *p : objects) {
        if (!slm_journal_has_room(journal, 1)) {
            ASSERT_EQ(slm_journal_commit(journal), SLM_OK);
        }
        ASSERT_EQ(slm_journal_free(journal, p), SLM_OK);
    }
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_TRUE(take_picture(*journal) == before);
}

/* --- Trees and lists: many entries per call --- */

class JournalFullTree : public testing::Test {
  protected:
    static constexpr unsigned kTreeEntries = SLM_RBTREE_ENTRIES + 64;
    void SetUp() override
    {
        ASSERT_EQ(slm_journal_init(log.data(), kTreeEntries), SLM_OK);
        ASSERT_EQ(slm_journal_attach(&journal, log.data(), log.size() * sizeof(uint64_t),
                                     arena.base(), arena.slab()),
                  SLM_OK);
        tree = static_cast<slm_rbtree *>(slm_journal_calloc(&journal, sizeof *tree));
        list = static_cast<slm_lru *>(slm_journal_calloc(&journal, sizeof *list));
        word = static_cast<uint64_t *>(slm_journal_calloc(&journal, sizeof *word));
        for (Node *&node : nodes) {
            node = static_cast<Node *>(slm_journal_calloc(&journal, sizeof *node));
            ASSERT_NE(node, nullptr);
        }
        ASSERT_EQ(slm_journal_commit(&journal), SLM_OK);
        for (unsigned i = 1; i < nodes.size(); i++) {
            ASSERT_EQ(slm_rbtree_insert(&journal, tree, &nodes[i]->node, order_by_place), SLM_OK);
            ASSERT_EQ(slm_lru_insert(&journal, list, &nodes[i]->used), SLM_OK);
            ASSERT_EQ(slm_journal_commit(&journal), SLM_OK);
        }
    }
    void TearDown() override
    {
        slm_journal_detach(&journal);
    }

    void expect_refused(unsigned n, const std::function<slm_status()> &call, const char *name)
    {
        SCOPED_TRACE(name);
        std::vector<unsigned char> committed = arena.bytes();
        for (unsigned left : {n - 1, n}) {
            while (slm_journal_has_room(&journal, left + 1)) {
                EXPECT_EQ(slm_journal_write(&journal, word, *word + 1), SLM_OK);
            }
            std::vector<unsigned char> bytes = arena.bytes();
            EXPECT_EQ(call(), left == n ? SLM_OK : SLM_E_FULL);
            EXPECT_EQ(arena.bytes() == bytes, left != n);
            EXPECT_EQ(slm_rbtree_check(&journal, tree, order_by_place, 8, 1u << 20), 0u);
            EXPECT_EQ(slm_lru_check(&journal, list, 8, 1u << 20), 0u);
            if (left == n) {
                slm_journal_abort(&journal);
            } else {
                EXPECT_EQ(slm_journal_commit(&journal), SLM_E_FULL);
            }
            EXPECT_TRUE(arena.bytes() == committed);
        }
    }

    Arena arena;
    std::vector<uint64_t> log = std::vector<uint64_t>(slm_journal_log_bytes(kTreeEntries) / 8);
    slm_journal journal{};
    slm_rbtree *tree = nullptr;
    slm_lru *list = nullptr;
    uint64_t *word = nullptr;
    std::array<Node *, 20> nodes{};
};

TEST_F(JournalFullTree, AnInsertOrRemoveIsRefusedBeforeItsFirstEntry)
{
    expect_refused(
        SLM_RBTREE_ENTRIES,
        [&] { return slm_rbtree_insert(&journal, tree, &nodes[0]->node, order_by_place); },
        "insert");
    for (unsigned i = 1; i < nodes.size(); i++) {
        expect_refused(
            SLM_RBTREE_ENTRIES, [&] { return slm_rbtree_remove(&journal, tree, &nodes[i]->node); },
            "delete");
    }
}

TEST_F(JournalFullTree, AChangeOfAListIsRefusedBeforeItsFirstEntry)
{
    expect_refused(
        SLM_LRU_ENTRIES, [&] { return slm_lru_insert(&journal, list, &nodes[0]->used); }, "insert");
    expect_refused(
        SLM_LRU_ENTRIES, [&] { return slm_lru_insert_oldest(&journal, list, &nodes[0]->used); },
        "insert oldest");
    for (unsigned i : {1u, 7u, 19u}) {
        expect_refused(
            SLM_LRU_ENTRIES, [&] { return slm_lru_remove(&journal, list, &nodes[i]->used); },
            "remove");
    }
    expect_refused(
        SLM_LRU_ENTRIES, [&] { return slm_lru_touch(&journal, list, &nodes[7]->used); }, "touch");
}

TEST_F(JournalFullTree, MisuseIsReportedAsMisuseAndRefusesNothing)
{
    while (slm_journal_has_room(&journal, 1)) {
        EXPECT_EQ(slm_journal_write(&journal, word, 1), SLM_OK);
    }
    EXPECT_EQ(slm_rbtree_insert(&journal, tree, &nodes[1]->node, order_by_place), SLM_E_DUPLICATE);
    EXPECT_EQ(slm_rbtree_remove(&journal, tree, &nodes[0]->node), SLM_E_NOT_MEMBER);
    EXPECT_EQ(slm_lru_insert(&journal, list, &nodes[1]->used), SLM_E_DUPLICATE);
    EXPECT_EQ(slm_lru_remove(&journal, list, &nodes[0]->used), SLM_E_NOT_MEMBER);
    EXPECT_EQ(slm_lru_touch(&journal, list, &nodes[0]->used), SLM_E_NOT_MEMBER);
    EXPECT_EQ(slm_journal_commit(&journal), SLM_OK);
}

} // namespace
