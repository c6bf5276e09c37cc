/* SPDX-License-Identifier: Apache-2.0 */
/* Every call of journal.h with NULL in each of its pointers: the rule of status.h. */
#include "tests/journal/fixture.h"

using namespace slm_test;

namespace {

TEST(JournalNull, CallsWithoutAHandleReturnTheStatusForNull)
{
    uint64_t word = 7;
    EXPECT_EQ(slm_journal_write(nullptr, &word, 8), SLM_E_NULL);
    EXPECT_EQ(slm_journal_note_range(nullptr, &word, sizeof word), SLM_E_NULL);
    EXPECT_EQ(slm_journal_set_number(nullptr, &word, sizeof word, 8), SLM_E_NULL);
    EXPECT_EQ(slm_journal_add_number(nullptr, &word, sizeof word, 8), SLM_E_NULL);
    EXPECT_EQ(slm_journal_free(nullptr, &word), SLM_E_NULL);
    EXPECT_EQ(slm_journal_free(nullptr, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_journal_set_root(nullptr, &word), SLM_E_NULL);
    EXPECT_EQ(slm_journal_reset(nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_journal_commit(nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_journal_recover(nullptr), SLM_E_NULL);
    slm_journal_abort(nullptr);
    slm_journal_detach(nullptr);
    EXPECT_EQ(word, 7u);
}

TEST(JournalNull, CallsWithoutAHandleReturnNullZeroOrFalse)
{
    int object = 0;
    EXPECT_FALSE(slm_journal_has_room(nullptr, 0));
    EXPECT_FALSE(slm_journal_is_dirty(nullptr));
    EXPECT_EQ(slm_journal_alloc(nullptr, 8), nullptr);
    EXPECT_EQ(slm_journal_calloc(nullptr, 8), nullptr);
    EXPECT_EQ(slm_journal_memalign(nullptr, 8, 8), nullptr);
    EXPECT_EQ(slm_journal_root(nullptr), nullptr);
    EXPECT_EQ(slm_journal_check(nullptr), 0u);
    EXPECT_EQ(slm_journal_n_undone(nullptr), 0u);
    EXPECT_EQ(slm_journal_n_finished(nullptr), 0u);
    EXPECT_EQ(slm_journal_offset(nullptr, &object), 0u);
    EXPECT_EQ(slm_journal_pointer(nullptr, 8), nullptr);
}

TEST(JournalNull, InitAndAttachNeedTheirPointers)
{
    Arena arena;
    slm_journal other{};
    other.n_max = 77;
    const size_t n = kSlabOffset - 64;
    EXPECT_EQ(slm_journal_init(nullptr, kEntries), SLM_E_NULL);
    EXPECT_EQ(slm_journal_attach(nullptr, arena.log(), n, arena.base(), arena.slab()), SLM_E_NULL);
    EXPECT_EQ(slm_journal_attach(&other, nullptr, n, arena.base(), arena.slab()), SLM_E_NULL);
    EXPECT_EQ(slm_journal_attach(&other, arena.log(), n, nullptr, arena.slab()), SLM_E_NULL);
    EXPECT_EQ(slm_journal_attach(&other, arena.log(), n, arena.base(), nullptr), SLM_E_NULL);
    EXPECT_EQ(other.n_max, 0u);
}

TEST(JournalNull, WritesToNullAreRefusedAndNoteNothing)
{
    Arena arena;
    EXPECT_EQ(slm_journal_write(&arena.journal, nullptr, 1), SLM_E_NULL);
    EXPECT_EQ(slm_journal_note_range(&arena.journal, nullptr, 8), SLM_E_NULL);
    EXPECT_EQ(slm_journal_note_range(&arena.journal, nullptr, 0), SLM_E_NULL);
    EXPECT_EQ(slm_journal_set_number(&arena.journal, nullptr, 8, 1), SLM_E_NULL);
    EXPECT_EQ(slm_journal_add_number(&arena.journal, nullptr, 8, 1), SLM_E_NULL);
    EXPECT_FALSE(slm_journal_is_dirty(&arena.journal));
}

TEST(JournalNull, FreeOfNullDoesNothingAndSucceeds)
{
    Arena arena;
    slm_journal off{};
    EXPECT_EQ(slm_journal_free(&arena.journal, nullptr), SLM_OK);
    EXPECT_FALSE(slm_journal_is_dirty(&arena.journal));
    EXPECT_EQ(slm_journal_free(&off, nullptr), SLM_OK);
    EXPECT_EQ(arena.check(), kSound);
}

TEST(JournalNull, TheRootMayBeNullAndNullHasOffsetZero)
{
    Arena arena;
    uint64_t *object = make(arena, 64, 1);
    EXPECT_EQ(slm_journal_set_root(&arena.journal, object), SLM_OK);
    EXPECT_EQ(slm_journal_set_root(&arena.journal, nullptr), SLM_OK);
    EXPECT_EQ(slm_journal_root(&arena.journal), nullptr);
    EXPECT_EQ(slm_journal_offset(&arena.journal, nullptr), 0u);
    EXPECT_EQ(slm_journal_pointer(&arena.journal, 0), nullptr);
}

} // namespace
