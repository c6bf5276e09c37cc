/* SPDX-License-Identifier: Apache-2.0 */
/* What a recovery could not undo, and what is free, is refused by the call that notes it. */
#include <functional>
#include <memory>
#include <utility>

#include "tests/journal/fixture.h"
#include <slabmill/lru.h>
#include <slabmill/rbtree.h>

namespace {

using namespace slm_test;

constexpr size_t kPage = 4096;
constexpr size_t kLongRunPages = 70; /* more than SLAB_LOOK_BACK_PAGES */

struct Bad {
    const char *name;
    void *p;
    slm_status expected;
};

class JournalMisuse : public testing::Test {
  protected:
    Arena arena{200};
    slm_journal *const journal = &arena.journal;
    uint64_t *const first = make(arena, 64, 1);
    uint64_t *const second = make(arena, 64, 2);
    uint64_t *const run = make(arena, 3 * kPage, 3);
    uint64_t *const freed = make(arena, 64, 4);
    uint64_t *const freed_run = make(arena, 5 * kPage, 5);
    uint64_t *const long_run = make(arena, kLongRunPages *kPage, 6);
    uint64_t *const third = make(arena, 1000, 7);
    void *undone = nullptr;
    uint64_t *const heap_words = static_cast<uint64_t *>(calloc(8, sizeof(uint64_t)));
    uint64_t on_stack = 5;

    JournalMisuse()
    {
        undone = slm_journal_alloc(journal, 200);
        slm_journal_abort(journal);
        EXPECT_EQ(slm_journal_free(journal, freed), SLM_OK);
        EXPECT_EQ(slm_journal_free(journal, freed_run), SLM_OK);
        EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    }
    ~JournalMisuse() override
    {
        free(heap_words);
    }

    unsigned char *pages() const
    {
        return arena.slab()->memory;
    }
    unsigned char *end_of_pages() const
    {
        return pages() + arena.slab()->n_pages * kPage;
    }

    std::vector<Bad> bad_words()
    {
        auto *byte = reinterpret_cast<unsigned char *>(first);
        return {
            {"on the stack", &on_stack, SLM_E_FOREIGN},
            {"on the heap", heap_words, SLM_E_FOREIGN},
            {"in the log", journal->log, SLM_E_FOREIGN},
            {"at the base", arena.base(), SLM_E_FOREIGN},
            {"in the slab's header", arena.base() + kSlabOffset, SLM_E_METADATA},
            {"just before the pages", pages() - 8, SLM_E_METADATA},
            {"after the pages", end_of_pages(), SLM_E_FOREIGN},
            {"at address 8", reinterpret_cast<void *>(8), SLM_E_FOREIGN},
            {"at the last address", reinterpret_cast<void *>(UINTPTR_MAX - 7), SLM_E_FOREIGN},
            {"one byte off", byte + 1, SLM_E_ALIGN},
            {"half a word off", byte + 4, SLM_E_ALIGN},
            {"seven bytes off", byte + 7, SLM_E_ALIGN},
            {"in a chunk that is free", freed, SLM_E_FREED},
            {"inside a chunk that is free", freed + 3, SLM_E_FREED},
            {"in a chunk that never was live", second + 8 * 3, SLM_E_FREED},
            {"in an object that was undone", undone, SLM_E_FREED},
            {"in a run that is free", freed_run, SLM_E_PAGE_FREE},
            {"on a later page of it", freed_run + 2 * 512, SLM_E_PAGE_FREE},
            {"on its last page", freed_run + 5 * 512 - 1, SLM_E_PAGE_FREE},
            {"on the last page", end_of_pages() - 8, SLM_E_PAGE_FREE},
        };
    }

    /* The call is refused with that status and stores nothing. So is all that follows it, and the
     * commit undoes what came before. A death instead of the commit is repaired. */
    void expect_refused(const char *name, slm_status expected,
                        const std::function<slm_status()> &call)
    {
        SCOPED_TRACE(name);
        const Picture before = take_picture(*journal);
        ASSERT_EQ(slm_journal_write(journal, first, 77), SLM_OK);
        const Picture written = take_picture(*journal);
        EXPECT_EQ(call(), expected);
        EXPECT_FALSE(slm_journal_has_room(journal, 0));
        EXPECT_EQ(slm_journal_write(journal, first, 78), expected);
        EXPECT_EQ(slm_journal_write(journal, &on_stack, 78), expected);
        EXPECT_EQ(slm_journal_alloc(journal, 8), nullptr);
        EXPECT_TRUE(take_picture(*journal) == written);
        Arena heir(arena.bytes());
        EXPECT_EQ(slm_journal_recover(&heir.journal), SLM_OK);
        EXPECT_TRUE(take_picture(heir.journal) == before);
        EXPECT_EQ(slm_journal_commit(journal), expected);
        EXPECT_TRUE(take_picture(*journal) == before);
        EXPECT_EQ(arena.check(), kSound);
        EXPECT_TRUE(slm_journal_has_room(journal, kEntries));
        EXPECT_EQ(on_stack, 5u);
    }
};

TEST_F(JournalMisuse, AWriteOfAWordOfNoLiveObjectIsRefused)
{
    for (const Bad &bad : bad_words()) {
        expect_refused(bad.name, bad.expected, [&] {
            return slm_journal_write(journal, static_cast<uint64_t *>(bad.p), 9);
        });
    }
}

TEST_F(JournalMisuse, ANumberOfNoLiveObjectIsRefused)
{
    for (const Bad &bad : bad_words()) {
        expect_refused(bad.name, bad.expected,
                       [&] { return slm_journal_set(journal, static_cast<uint64_t *>(bad.p), 9); });
        expect_refused(bad.name, bad.expected,
                       [&] { return slm_journal_add(journal, static_cast<uint64_t *>(bad.p), 9); });
        if (bad.expected != SLM_E_ALIGN) {
            expect_refused(bad.name, bad.expected, [&] {
                return slm_journal_set(journal, static_cast<uint8_t *>(bad.p) + 5, 9);
            });
        }
    }
}

TEST_F(JournalMisuse, ANumberThatIsNotAlignedToItsSizeIsRefused)
{
    auto *byte = reinterpret_cast<unsigned char *>(first);
    for (size_t n_bytes : {2u, 4u, 8u}) {
        expect_refused("set", SLM_E_ALIGN,
                       [&] { return slm_journal_set_number(journal, byte + 1, n_bytes, 9); });
        expect_refused("add", SLM_E_ALIGN, [&] {
            return slm_journal_add_number(journal, byte + n_bytes / 2, n_bytes, 9);
        });
    }
}

TEST_F(JournalMisuse, ANumberOfAnotherSizeIsRefused)
{
    for (size_t n_bytes : {size_t{0}, size_t{3}, size_t{5}, size_t{16}, SIZE_MAX}) {
        expect_refused("set", SLM_E_SIZE,
                       [&] { return slm_journal_set_number(journal, first, n_bytes, 9); });
        expect_refused("add", SLM_E_SIZE,
                       [&] { return slm_journal_add_number(journal, first, n_bytes, 9); });
    }
}

/* The journal remembers objects that it found live. None of them may hide a word that is not. */
TEST_F(JournalMisuse, AWriteIsRefusedAfterWritesToAnyOtherObject)
{
    for (const Bad &bad : bad_words()) {
        expect_refused(bad.name, bad.expected, [&] {
            for (uint64_t *good : {second, run, run + 512, long_run + 512 * 69, third, second}) {
                EXPECT_EQ(slm_journal_write(journal, good, *good), SLM_OK);
            }
            return slm_journal_write(journal, static_cast<uint64_t *>(bad.p), 9);
        });
    }
}

TEST_F(JournalMisuse, ARangeOfNoLiveObjectIsRefused)
{
    for (const Bad &bad : bad_words()) {
        if (bad.expected == SLM_E_ALIGN) {
            continue; /* a range needs no alignment */
        }
        for (size_t n_bytes : {size_t{1}, size_t{8}, size_t{17}}) {
            expect_refused(bad.name, bad.expected,
                           [&] { return slm_journal_note_range(journal, bad.p, n_bytes); });
        }
    }
}

TEST_F(JournalMisuse, ARangeThatEndsAfterItsObjectIsRefused)
{
    auto *byte = reinterpret_cast<unsigned char *>(first);
    auto *run_byte = reinterpret_cast<unsigned char *>(run);
    const std::pair<unsigned char *, size_t> ranges[] = {
        {byte, 65},
        {byte + 1, 64},
        {byte + 63, 2},
        {byte + 5, SIZE_MAX - 4},
        {byte, SIZE_MAX},
        {byte + 7, SIZE_MAX},
        {byte + 7, SIZE_MAX - 6},
        {byte, SIZE_MAX / 2},
        {run_byte, 3 * kPage + 1},
        {run_byte + kPage, 2 * kPage + 1},
        {run_byte + 3 * kPage - 1, 2},
        {run_byte, SIZE_MAX},
        {reinterpret_cast<unsigned char *>(long_run) + 66 * kPage, 4 * kPage + 1},
        {reinterpret_cast<unsigned char *>(long_run) + 69 * kPage + 9, SIZE_MAX},
    };
    for (const auto &[p, n_bytes] : ranges) {
        SCOPED_TRACE(n_bytes);
        auto *at = p;
        const size_t n = n_bytes;
        expect_refused("range", SLM_E_SIZE, [&] { return slm_journal_note_range(journal, at, n); });
    }
}

TEST(JournalMisuseTail, AWordAfterTheLastChunkOfASpanIsRefused)
{
    slm_slab_options options{};
    options.per_doubling = 8;
    Arena arena(40, &options);
    slm_slab_place place;
    uint64_t *chunk = make(arena, 24, 1);
    slm_slab_locate(arena.slab(), chunk, &place);
    auto *span = static_cast<unsigned char *>(place.span);
    auto *last = reinterpret_cast<uint64_t *>(span + place.span_pages * kPage - 8);
    slm_slab_locate(arena.slab(), last, &place);
    ASSERT_EQ(place.kind, SLM_SLAB_SPAN_TAIL) << "chunks of 24 bytes leave 16 of a page";
    EXPECT_EQ(slm_journal_write(&arena.journal, chunk, 2), SLM_OK);
    EXPECT_EQ(slm_journal_write(&arena.journal, last, 2), SLM_E_FOREIGN);
    EXPECT_EQ(slm_journal_commit(&arena.journal), SLM_E_FOREIGN);
    EXPECT_EQ(slm_journal_note_range(&arena.journal, last, 8), SLM_E_FOREIGN);
    EXPECT_EQ(slm_journal_commit(&arena.journal), SLM_E_FOREIGN);
}

TEST_F(JournalMisuse, EveryWordOfALiveObjectIsAccepted)
{
    for (size_t n_bytes : {size_t{8}, size_t{72}, size_t{1000}, size_t{2048}, kPage, 3 * kPage,
                           65 * kPage, 66 * kPage}) {
        auto *words = make(arena, n_bytes, 8);
        for (size_t at = 0; at < n_bytes / 8; at++) {
            ASSERT_EQ(slm_journal_write(journal, words + at, at), SLM_OK) << n_bytes << " " << at;
            ASSERT_EQ(slm_journal_write(journal, second, at), SLM_OK);
            if (!slm_journal_has_room(journal, 4)) {
                ASSERT_EQ(slm_journal_commit(journal), SLM_OK);
            }
        }
        ASSERT_EQ(slm_journal_commit(journal), SLM_OK);
        for (size_t at : {size_t{0}, n_bytes / 16 * 8, n_bytes - 8}) {
            auto *byte = reinterpret_cast<unsigned char *>(words);
            ASSERT_EQ(slm_journal_note_range(journal, byte + at, 8), SLM_OK) << n_bytes;
        }
        slm_journal_abort(journal);
        ASSERT_EQ(slm_journal_free(journal, words), SLM_OK);
        ASSERT_EQ(slm_journal_commit(journal), SLM_OK);
    }
    EXPECT_EQ(arena.check(), kSound);
}

TEST_F(JournalMisuse, AWordOfAnObjectThatTheTransactionFreesIsRefused)
{
    for (uint64_t *object : {second, run, third}) {
        for (bool is_known : {false, true}) {
            for (size_t at : {0u, 1u}) {
                expect_refused("freed now", SLM_E_FREED, [&] {
                    if (is_known) {
                        EXPECT_EQ(slm_journal_write(journal, object, object[0]), SLM_OK);
                    }
                    EXPECT_EQ(slm_journal_free(journal, object), SLM_OK);
                    EXPECT_EQ(slm_journal_write(journal, long_run, long_run[0]), SLM_OK);
                    return at == 0 ? slm_journal_write(journal, object + 1, 9)
                                   : slm_journal_note_range(journal, object + 1, 8);
                });
            }
        }
        EXPECT_EQ(slm_slab_check_pointer_locked(arena.slab(), object), SLM_OK);
        EXPECT_EQ(slm_journal_write(journal, object, 9), SLM_OK);
        slm_journal_abort(journal);
    }
}

TEST_F(JournalMisuse, AWordThatWasWrittenBeforeItsObjectWasFreedIsRefusedAfterwards)
{
    for (bool is_committed : {false, true}) {
        uint64_t *object = make(arena, 200, 1);
        EXPECT_EQ(slm_journal_write(journal, object, 2), SLM_OK);
        EXPECT_EQ(slm_journal_free(journal, object), SLM_OK);
        if (is_committed) {
            EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
        }
        EXPECT_EQ(slm_journal_write(journal, object, 3), SLM_E_FREED);
        EXPECT_EQ(slm_journal_commit(journal), SLM_E_FREED);
    }
}

/* Another handle may free it there: what a journal knows of objects ends with a transaction. */
TEST_F(JournalMisuse, AnObjectThatIsFreedBetweenTransactionsIsLookedUpAgain)
{
    uint64_t *object = make(arena, 200, 1);
    EXPECT_EQ(slm_journal_write(journal, object, 2), SLM_OK);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_EQ(slm_slab_free_locked(arena.slab(), object), SLM_OK);
    EXPECT_EQ(slm_journal_write(journal, object, 3), SLM_E_FREED);
    EXPECT_EQ(slm_journal_commit(journal), SLM_E_FREED);
}

TEST_F(JournalMisuse, TheFirstRefusalIsTheOneThatIsReported)
{
    EXPECT_EQ(slm_journal_write(journal, &on_stack, 9), SLM_E_FOREIGN);
    EXPECT_EQ(slm_journal_write(journal, freed, 9), SLM_E_FOREIGN);
    EXPECT_EQ(slm_journal_note_range(journal, first, 65), SLM_E_FOREIGN);
    EXPECT_EQ(slm_journal_reset(journal), SLM_E_FOREIGN);
    EXPECT_EQ(slm_journal_write(journal, freed, 9), SLM_E_FREED);
    slm_journal_abort(journal);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
}

/* A journal that is off notes nothing, so it has nothing to undo. */
TEST_F(JournalMisuse, SwitchedOffAcceptsAnyWord)
{
    slm_journal off = {nullptr, arena.base(), arena.slab(), 0, nullptr};
    EXPECT_EQ(slm_journal_write(&off, &on_stack, 9), SLM_OK);
    EXPECT_EQ(slm_journal_note_range(&off, &on_stack, SIZE_MAX), SLM_OK);
    EXPECT_EQ(on_stack, 9u);
}

/* --- The root --- */

TEST_F(JournalMisuse, AnObjectThatTheTransactionFreesCannotBecomeTheRoot)
{
    uint64_t *fresh = static_cast<uint64_t *>(slm_journal_alloc(journal, 64));
    for (uint64_t *object : {second, run, fresh}) {
        EXPECT_EQ(slm_journal_free(journal, object), SLM_OK);
        EXPECT_EQ(slm_journal_set_root(journal, object), SLM_E_FREED);
        EXPECT_EQ(slm_journal_root(journal), nullptr);
    }
    EXPECT_EQ(slm_journal_set_root(journal, first), SLM_OK);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_EQ(slm_journal_root(journal), first);
    EXPECT_EQ(slm_journal_set_root(journal, second), SLM_E_FOREIGN);
    EXPECT_EQ(arena.check(), kSound);
}

TEST_F(JournalMisuse, TheRootIsNotFreedBeforeAnotherOneIsSet)
{
    ASSERT_EQ(slm_journal_set_root(journal, second), SLM_OK);
    ASSERT_EQ(slm_journal_commit(journal), SLM_OK);
    expect_refused("the root", SLM_E_STATE, [&] { return slm_journal_free(journal, second); });
    ASSERT_EQ(slm_journal_set_root(journal, run), SLM_OK);
    EXPECT_EQ(slm_journal_free(journal, run), SLM_E_STATE);
    EXPECT_EQ(slm_journal_free(journal, second), SLM_E_STATE);
    EXPECT_EQ(slm_journal_commit(journal), SLM_E_STATE);
    EXPECT_EQ(slm_journal_root(journal), second);
}

TEST_F(JournalMisuse, AFormerRootIsFreedAndAnAbortBringsItBack)
{
    ASSERT_EQ(slm_journal_set_root(journal, second), SLM_OK);
    ASSERT_EQ(slm_journal_commit(journal), SLM_OK);
    const Picture before = take_picture(*journal);
    for (uint64_t *next : {run, static_cast<uint64_t *>(nullptr)}) {
        EXPECT_EQ(slm_journal_set_root(journal, next), SLM_OK);
        EXPECT_EQ(slm_journal_free(journal, second), SLM_OK);
        EXPECT_EQ(slm_journal_set_root(journal, second), SLM_E_FREED);
        Arena heir(arena.bytes());
        EXPECT_EQ(slm_journal_recover(&heir.journal), SLM_OK);
        EXPECT_TRUE(take_picture(heir.journal) == before);
        slm_journal_abort(journal);
        EXPECT_TRUE(take_picture(*journal) == before);
        EXPECT_EQ(arena.check(), kSound);
    }
}

/* --- Trees and lists --- */

extern "C" {
static int order_by_place(const slm_rbtree_node *a, const slm_rbtree_node *b)
{
    return a < b ? -1 : a > b;
}
}

struct Node {
    slm_rbtree_node node;
    slm_lru_node used;
};

class JournalMisuseTree : public JournalMisuse {
  protected:
    static constexpr unsigned kTreeEntries = 1024;
    std::vector<uint64_t> log = std::vector<uint64_t>(slm_journal_log_bytes(kTreeEntries) / 8);
    slm_journal wide{};
    slm_rbtree *tree = nullptr;
    slm_lru *list = nullptr;
    Node *linked = nullptr;
    Node *fresh = nullptr;

    void SetUp() override
    {
        ASSERT_EQ(slm_journal_init(log.data(), kTreeEntries), SLM_OK);
        ASSERT_EQ(slm_journal_attach(&wide, log.data(), log.size() * sizeof(uint64_t), arena.base(),
                                     arena.slab()),
                  SLM_OK);
        tree = static_cast<slm_rbtree *>(slm_journal_calloc(&wide, sizeof *tree));
        list = static_cast<slm_lru *>(slm_journal_calloc(&wide, sizeof *list));
        linked = static_cast<Node *>(slm_journal_calloc(&wide, sizeof *linked));
        fresh = static_cast<Node *>(slm_journal_calloc(&wide, sizeof *fresh));
        ASSERT_EQ(slm_rbtree_insert(&wide, tree, &linked->node, order_by_place), SLM_OK);
        ASSERT_EQ(slm_lru_insert(&wide, list, &linked->used), SLM_OK);
        ASSERT_EQ(slm_journal_commit(&wide), SLM_OK);
    }
    void TearDown() override
    {
        slm_journal_detach(&wide);
    }

    void expect_status(slm_status expected, slm_status got)
    {
        EXPECT_EQ(got, expected) << slm_status_name(got);
        EXPECT_EQ(slm_journal_commit(&wide), expected);
        EXPECT_EQ(slm_rbtree_check(&wide, tree, order_by_place, 8, 1u << 20), 0u);
        EXPECT_EQ(slm_lru_check(&wide, list, 8, 1u << 20), 0u);
        EXPECT_EQ(tree->n_nodes, 1u);
        EXPECT_EQ(list->n_nodes, 1u);
    }
};

TEST_F(JournalMisuseTree, ANodeOutsideOfLiveObjectsIsNotInserted)
{
    alignas(8) unsigned char bytes[2 * sizeof(Node)] = {};
    auto *out = reinterpret_cast<Node *>(bytes);
    /* No object lies there, so its members have no names. */
    unsigned char *odd = reinterpret_cast<unsigned char *>(fresh) + 4;
    auto *odd_node = reinterpret_cast<slm_rbtree_node *>(odd + offsetof(Node, node));
    auto *odd_used = reinterpret_cast<slm_lru_node *>(odd + offsetof(Node, used));
    auto *gone = static_cast<Node *>(slm_journal_calloc(&wide, sizeof(Node)));
    ASSERT_EQ(slm_journal_free(&wide, gone), SLM_OK);
    ASSERT_EQ(slm_journal_commit(&wide), SLM_OK);
    expect_status(SLM_E_FOREIGN, slm_rbtree_insert(&wide, tree, &out->node, order_by_place));
    expect_status(SLM_E_FOREIGN, slm_lru_insert(&wide, list, &out->used));
    expect_status(SLM_E_ALIGN, slm_rbtree_insert(&wide, tree, odd_node, order_by_place));
    expect_status(SLM_E_ALIGN, slm_lru_insert(&wide, list, odd_used));
    expect_status(SLM_E_FREED, slm_rbtree_insert(&wide, tree, &gone->node, order_by_place));
    expect_status(SLM_E_FREED, slm_lru_insert(&wide, list, &gone->used));
    for (unsigned char byte : bytes) {
        ASSERT_EQ(byte, 0);
    }
}

TEST_F(JournalMisuseTree, ATreeOrListOutsideOfLiveObjectsIsNotChanged)
{
    slm_rbtree on_stack_tree = {};
    slm_lru on_stack_list = {};
    expect_status(SLM_E_FOREIGN,
                  slm_rbtree_insert(&wide, &on_stack_tree, &fresh->node, order_by_place));
    expect_status(SLM_E_FOREIGN, slm_lru_insert(&wide, &on_stack_list, &fresh->used));
    EXPECT_EQ(on_stack_tree.n_nodes + on_stack_list.n_nodes, 0u);
    EXPECT_EQ(fresh->node.tree + fresh->used.list, 0u);
}

TEST_F(JournalMisuseTree, ANodeIsTakenOutBeforeItsObjectIsFreed)
{
    for (auto call : {0, 1, 2}) {
        ASSERT_EQ(slm_journal_free(&wide, linked), SLM_OK);
        expect_status(SLM_E_FREED, call == 0   ? slm_rbtree_remove(&wide, tree, &linked->node)
                                   : call == 1 ? slm_lru_remove(&wide, list, &linked->used)
                                               : slm_lru_touch(&wide, list, &linked->used));
    }
    EXPECT_EQ(slm_rbtree_remove(&wide, tree, &linked->node), SLM_OK);
    EXPECT_EQ(slm_lru_remove(&wide, list, &linked->used), SLM_OK);
    EXPECT_EQ(slm_journal_free(&wide, linked), SLM_OK);
    EXPECT_EQ(slm_journal_commit(&wide), SLM_OK);
    EXPECT_EQ(tree->n_nodes + list->n_nodes, 0u);
}

} // namespace
