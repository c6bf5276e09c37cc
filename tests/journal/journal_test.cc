/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's contract, call by call; hostile logs; every invariant broken by hand. */
#include <memory>

#include "tests/journal/fixture.h"

namespace {

using namespace slm_test;

constexpr uint64_t entry(journal_kind kind, uint64_t offset)
{
    return uint64_t{kind} << JOURNAL_KIND_SHIFT | offset;
}

class Journal : public testing::Test {
  protected:
    Arena arena;
    slm_journal *const journal = &arena.journal;
    uint64_t *const first = make(arena, 64, 1);
    uint64_t *const second = make(arena, 64, 2);

    uint64_t offset(const void *p) const
    {
        return slm_journal_offset(journal, p);
    }

    Picture picture() const
    {
        return take_picture(*journal);
    }
};

/* --- Init and attach --- */

TEST(JournalInit, ReportsEachWrongArgumentAndWritesNothing)
{
    alignas(8) unsigned char memory[4096];
    memset(memory, 7, sizeof memory);
    EXPECT_EQ(slm_journal_init(nullptr, 64), SLM_E_NULL);
    EXPECT_EQ(slm_journal_init(memory + 1, 64), SLM_E_ALIGN);
    EXPECT_EQ(slm_journal_init(memory, SLM_JOURNAL_ENTRIES_MIN - 1), SLM_E_SIZE);
    EXPECT_EQ(slm_journal_init(memory, SLM_JOURNAL_ENTRIES_MAX + 1), SLM_E_SIZE);
    for (unsigned char byte : memory) {
        ASSERT_EQ(byte, 7);
    }
}

TEST(JournalInit, UsesExactlyTheBytesThatItReports)
{
    EXPECT_EQ(slm_journal_log_bytes(SLM_JOURNAL_ENTRIES_MIN - 1), 0u);
    EXPECT_EQ(slm_journal_log_bytes(SLM_JOURNAL_ENTRIES_MAX + 1), 0u);
    EXPECT_EQ(slm_journal_log_bytes(64) + 16, slm_journal_log_bytes(65));
    Arena arena;
    slm_journal other;
    size_t n_bytes = slm_journal_log_bytes(kEntries);
    EXPECT_EQ(slm_journal_attach(&other, arena.log(), n_bytes, arena.base(), arena.slab()), SLM_OK);
    slm_journal_detach(&other);
    EXPECT_EQ(slm_journal_attach(&other, arena.log(), n_bytes - 1, arena.base(), arena.slab()),
              SLM_E_IMAGE);
}

TEST_F(Journal, AttachReportsWrongArgumentsWithAHandleOfZeros)
{
    static const slm_journal zeroes{};
    slm_journal other = *journal;
    unsigned char *log = static_cast<unsigned char *>(arena.log());
    size_t n = 4096;
    EXPECT_EQ(slm_journal_attach(nullptr, log, n, arena.base(), arena.slab()), SLM_E_NULL);
    EXPECT_EQ(slm_journal_attach(&other, nullptr, n, arena.base(), arena.slab()), SLM_E_NULL);
    EXPECT_EQ(slm_journal_attach(&other, log, n, nullptr, arena.slab()), SLM_E_NULL);
    EXPECT_EQ(slm_journal_attach(&other, log, n, arena.base(), nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_journal_attach(&other, log + 4, n, arena.base(), arena.slab()), SLM_E_ALIGN);
    EXPECT_EQ(slm_journal_attach(&other, log, n, arena.base() + 4, arena.slab()), SLM_E_ALIGN);
    EXPECT_EQ(slm_journal_attach(&other, log, 8, arena.base(), arena.slab()), SLM_E_IMAGE);
    EXPECT_EQ(memcmp(&other, &zeroes, sizeof other), 0);
}

TEST_F(Journal, AttachRefusesAHeaderThatIsNoLogs)
{
    slm_journal other;
    journal->log->magic ^= 1;
    EXPECT_EQ(slm_journal_attach(&other, arena.log(), 4096, arena.base(), arena.slab()),
              SLM_E_IMAGE);
    journal->log->magic ^= 1;
    for (uint32_t n : {0u, 63u, 4096u, SLM_JOURNAL_ENTRIES_MAX + 1, UINT32_MAX}) {
        journal->log->n_max = n;
        EXPECT_EQ(slm_journal_attach(&other, arena.log(), 4096, arena.base(), arena.slab()),
                  SLM_E_IMAGE)
            << n;
    }
}

TEST_F(Journal, DetachLeavesTheLogAndAHandleOfZeros)
{
    static const slm_journal zeroes{};
    slm_journal other;
    ASSERT_EQ(slm_journal_attach(&other, arena.log(), 4096, arena.base(), arena.slab()), SLM_OK);
    slm_journal_write(journal, first, 3);
    std::vector<unsigned char> before = arena.bytes();
    slm_journal_detach(&other);
    EXPECT_EQ(arena.bytes(), before);
    EXPECT_EQ(memcmp(&other, &zeroes, sizeof other), 0);
    slm_journal_detach(&other);
    slm_journal_detach(nullptr);
    slm_journal_abort(journal);
    EXPECT_EQ(*first, UINT64_C(0x0101010101010101));
}

/* --- Transactions --- */

TEST_F(Journal, AWordStaysAfterACommitAndReturnsAfterAnAbort)
{
    slm_journal_write(journal, first, 10);
    slm_journal_write(journal, first, 11);
    EXPECT_EQ(*first, 11u);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    slm_journal_abort(journal);
    EXPECT_EQ(*first, 11u);
    slm_journal_write(journal, first, 12);
    slm_journal_write(journal, first, 13);
    slm_journal_abort(journal);
    EXPECT_EQ(*first, 11u);
    EXPECT_FALSE(slm_journal_is_dirty(journal));
}

TEST_F(Journal, AnAbortRestoresNotedBytesOfAnyRange)
{
    for (size_t from = 0; from < 9; from++) {
        for (size_t n : {0u, 1u, 7u, 8u, 9u, 31u}) {
            Picture before = picture();
            auto *p = reinterpret_cast<unsigned char *>(first) + from;
            EXPECT_EQ(slm_journal_note_range(journal, p, n), SLM_OK);
            EXPECT_LE(journal_n_entries(journal->log), n / 8 + 2);
            memset(p, 99, n);
            slm_journal_abort(journal);
            ASSERT_TRUE(picture() == before) << from << " " << n;
        }
    }
}

TEST_F(Journal, AnEmptyRangeNotesNothingAtAnyAddress)
{
    for (size_t from = 0; from < 9; from++) {
        auto *p = reinterpret_cast<unsigned char *>(first) + from;
        EXPECT_EQ(slm_journal_note_range(journal, p, 0), SLM_OK);
        EXPECT_FALSE(slm_journal_is_dirty(journal)) << from;
    }
}

TEST_F(Journal, AnAbortFreesWhatWasAllocated)
{
    Picture before = picture();
    void *zeroed = slm_journal_calloc(journal, 300);
    ASSERT_NE(zeroed, nullptr);
    static const unsigned char zeroes[300] = {};
    EXPECT_EQ(memcmp(zeroed, zeroes, 300), 0);
    ASSERT_NE(slm_journal_alloc(journal, 10000), nullptr);
    void *aligned = slm_journal_memalign(journal, 1024, 10);
    ASSERT_NE(aligned, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(aligned) % 1024, 0u);
    EXPECT_EQ(picture().objects.size(), before.objects.size() + 3);
    slm_journal_abort(journal);
    EXPECT_TRUE(picture() == before);
    EXPECT_EQ(arena.check(), kSound);
}

TEST_F(Journal, ARefusalOfTheSlabIsNotNoted)
{
    EXPECT_EQ(slm_journal_alloc(journal, size_t{1} << 30), nullptr);
    EXPECT_EQ(slm_journal_calloc(journal, SIZE_MAX), nullptr);
    EXPECT_EQ(slm_journal_memalign(journal, 3, 8), nullptr);
    EXPECT_FALSE(slm_journal_is_dirty(journal));
}

TEST_F(Journal, AFreedObjectStaysUntilTheCommit)
{
    EXPECT_EQ(slm_journal_free(journal, first), SLM_OK);
    EXPECT_EQ(slm_slab_check_pointer_locked(arena.slab(), first), SLM_OK);
    EXPECT_EQ(first[0], 0x0101010101010101u);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_NE(slm_slab_check_pointer_locked(arena.slab(), first), SLM_OK);
    EXPECT_EQ(slm_slab_check_pointer_locked(arena.slab(), second), SLM_OK);
}

TEST_F(Journal, AnAbortCancelsARelease)
{
    Picture before = picture();
    EXPECT_EQ(slm_journal_free(journal, first), SLM_OK);
    slm_journal_abort(journal);
    EXPECT_TRUE(picture() == before);
    EXPECT_EQ(slm_journal_free(journal, first), SLM_OK);
}

TEST_F(Journal, ASecondFreeInATransactionIsRefused)
{
    EXPECT_EQ(slm_journal_free(journal, first), SLM_OK);
    EXPECT_EQ(slm_journal_free(journal, second), SLM_OK);
    EXPECT_EQ(slm_journal_free(journal, first), SLM_E_FREED);
    EXPECT_EQ(slm_journal_free(journal, second), SLM_E_FREED);
    EXPECT_EQ(journal_n_entries(journal->log), 2u);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_EQ(slm_journal_free(journal, first), SLM_E_FREED);
}

TEST_F(Journal, MisuseOfFreeIsDistinguishedAndNotNoted)
{
    void *run = slm_journal_alloc(journal, 3 * 4096);
    void *gone = slm_journal_alloc(journal, 3 * 4096);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_EQ(slm_journal_free(journal, gone), SLM_OK);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    int elsewhere = 0;
    EXPECT_EQ(slm_journal_free(journal, &elsewhere), SLM_E_FOREIGN);
    EXPECT_EQ(slm_journal_free(journal, first + 1), SLM_E_INTERIOR);
    EXPECT_EQ(slm_journal_free(journal, static_cast<char *>(run) + 4096), SLM_E_INTERIOR);
    EXPECT_EQ(slm_journal_free(journal, arena.base() + kSlabOffset), SLM_E_METADATA);
    EXPECT_EQ(slm_journal_free(journal, gone), SLM_E_PAGE_FREE);
    EXPECT_FALSE(slm_journal_is_dirty(journal));
}

TEST_F(Journal, AnObjectAllocatedAndFreedAtOnceIsGoneEitherWay)
{
    Picture before = picture();
    for (bool is_committed : {true, false}) {
        void *p = slm_journal_alloc(journal, 100);
        EXPECT_EQ(slm_journal_free(journal, p), SLM_OK);
        if (is_committed) {
            EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
        } else {
            slm_journal_abort(journal);
        }
        EXPECT_TRUE(picture() == before);
    }
}

TEST_F(Journal, TheRootIsAnObjectOrNullAndPartOfTheTransaction)
{
    EXPECT_EQ(slm_journal_root(journal), nullptr);
    EXPECT_EQ(slm_journal_set_root(journal, first), SLM_OK);
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_EQ(slm_journal_set_root(journal, second), SLM_OK);
    EXPECT_EQ(slm_journal_root(journal), second);
    slm_journal_abort(journal);
    EXPECT_EQ(slm_journal_root(journal), first);
    int elsewhere = 0;
    EXPECT_EQ(slm_journal_set_root(journal, &elsewhere), SLM_E_FOREIGN);
    EXPECT_EQ(slm_journal_set_root(journal, first + 1), SLM_E_FOREIGN);
    EXPECT_EQ(slm_journal_set_root(journal, arena.base() + kSlabOffset), SLM_E_FOREIGN);
    EXPECT_FALSE(slm_journal_is_dirty(journal));
    EXPECT_EQ(slm_journal_set_root(journal, nullptr), SLM_OK);
    EXPECT_EQ(slm_journal_root(journal), nullptr);
}

TEST_F(Journal, AResetFreesAllAndCommitsEarlierChanges)
{
    EXPECT_EQ(slm_journal_set_root(journal, first), SLM_OK);
    slm_journal_write(journal, first, 5);
    EXPECT_EQ(slm_journal_reset(journal), SLM_OK);
    EXPECT_TRUE(picture() == Picture());
    slm_journal_abort(journal);
    EXPECT_TRUE(picture() == Picture());
    EXPECT_EQ(arena.check(), kSound);
}

TEST_F(Journal, HasRoomForExactlyTheEntriesOfItsInit)
{
    for (unsigned n = 0; n < kEntries; n++) {
        EXPECT_TRUE(slm_journal_has_room(journal, kEntries - n));
        EXPECT_FALSE(slm_journal_has_room(journal, kEntries - n + 1));
        slm_journal_write(journal, first, n);
    }
    EXPECT_TRUE(slm_journal_has_room(journal, 0));
    EXPECT_FALSE(slm_journal_has_room(journal, 1));
    EXPECT_FALSE(slm_journal_has_room(journal, UINT32_MAX));
    EXPECT_EQ(slm_journal_commit(journal), SLM_OK);
    EXPECT_TRUE(slm_journal_has_room(journal, kEntries));
}

TEST_F(Journal, SwitchedOffWritesPlainlyAndAlwaysHasRoom)
{
    slm_journal off = {nullptr, arena.base(), arena.slab(), 0, nullptr};
    EXPECT_TRUE(slm_journal_has_room(&off, UINT32_MAX));
    slm_journal_write(&off, first, 3);
    EXPECT_EQ(slm_journal_note_range(&off, second, 64), SLM_OK);
    void *p = slm_journal_alloc(&off, 64);
    ASSERT_NE(p, nullptr);
    slm_journal_abort(&off);
    EXPECT_EQ(*first, 3u);
    EXPECT_EQ(slm_slab_check_pointer_locked(arena.slab(), p), SLM_OK);
    EXPECT_EQ(slm_journal_free(&off, p), SLM_OK);
    EXPECT_EQ(slm_slab_check_pointer_locked(arena.slab(), p), SLM_E_FREED);
    EXPECT_EQ(slm_journal_commit(&off), SLM_OK);
    EXPECT_FALSE(slm_journal_is_dirty(&off));
    EXPECT_FALSE(slm_journal_is_dirty(journal));
}

TEST_F(Journal, SwitchedOffHasNoRootAndResetsAtOnce)
{
    slm_journal off = {nullptr, arena.base(), arena.slab(), 0, nullptr};
    EXPECT_EQ(slm_journal_set_root(&off, first), SLM_E_STATE);
    EXPECT_EQ(slm_journal_root(&off), nullptr);
    EXPECT_EQ(slm_journal_check(&off), 0u);
    EXPECT_EQ(slm_journal_recover(&off), SLM_OK);
    EXPECT_EQ(slm_journal_n_undone(&off) + slm_journal_n_finished(&off), 0u);
    EXPECT_EQ(slm_journal_reset(&off), SLM_OK);
    EXPECT_NE(slm_slab_check_pointer_locked(arena.slab(), first), SLM_OK);
}

TEST_F(Journal, CountsUndoneAndFinishedTransactions)
{
    EXPECT_EQ(slm_journal_recover(journal), SLM_OK);
    EXPECT_EQ(slm_journal_n_undone(journal), 0u);
    slm_journal_write(journal, first, 3);
    EXPECT_EQ(slm_journal_recover(journal), SLM_OK);
    EXPECT_EQ(slm_journal_n_undone(journal), 1u);
    EXPECT_EQ(slm_journal_n_finished(journal), 0u);
    EXPECT_EQ(slm_journal_free(journal, first), SLM_OK);
    journal->log->state |= JOURNAL_COMMITTED;
    EXPECT_EQ(slm_journal_recover(journal), SLM_OK);
    EXPECT_EQ(slm_journal_n_undone(journal), 1u);
    EXPECT_EQ(slm_journal_n_finished(journal), 1u);
    EXPECT_EQ(slm_slab_check_pointer_locked(arena.slab(), first), SLM_E_FREED);
}

TEST_F(Journal, ALiveObjectThatIsNotNotedYetIsFreed)
{
    Picture before = picture();
    ASSERT_NE(slm_slab_alloc_locked(arena.slab(), 64), nullptr);
    EXPECT_FALSE(slm_journal_is_dirty(journal));
    EXPECT_EQ(slm_journal_recover(journal), SLM_OK);
    EXPECT_TRUE(picture() == before);
    EXPECT_EQ(slm_journal_n_undone(journal), 1u);
}

TEST_F(Journal, OffsetsMeanTheSameAtAnotherAddress)
{
    Arena copy(arena.bytes());
    EXPECT_EQ(slm_journal_offset(journal, nullptr), 0u);
    EXPECT_EQ(slm_journal_pointer(journal, 0), nullptr);
    void *there = slm_journal_pointer(&copy.journal, offset(first));
    EXPECT_NE(there, first);
    EXPECT_EQ(memcmp(there, first, 64), 0);
    EXPECT_EQ(slm_journal_recover(&copy.journal), SLM_OK);
    EXPECT_EQ(slm_journal_free(&copy.journal, there), SLM_OK);
}

/* A log that is cut at any entry is what a death there leaves: later words are not changed yet. */
TEST_F(Journal, CutAtAnyEntryLeadsBackToTheStateBefore)
{
    Picture before = picture();
    std::vector<std::vector<unsigned char>> cuts = {arena.bytes()};
    for (unsigned i = 0; i < kEntries - 1; i++) {
        if (i % 9 == 8) {
            ASSERT_NE(slm_journal_alloc(journal, 8u << i % 7), nullptr);
        } else {
            slm_journal_write(journal, first + i % 8, i);
        }
        cuts.push_back(arena.bytes());
    }
    for (size_t n = 0; n < cuts.size(); n++) {
        Arena heir(cuts[n]);
        ASSERT_EQ(journal_n_entries(heir.journal.log), n);
        ASSERT_EQ(slm_journal_recover(&heir.journal), SLM_OK);
        ASSERT_EQ(heir.check(), kSound);
        ASSERT_TRUE(take_picture(heir.journal) == before) << n;
    }
}

/* --- Hostile logs --- */

class JournalHostile : public Journal, public testing::WithParamInterface<const char *> {
  public:
    /* The hostile entry of that name. The log holds only one good entry before it. */
    journal_entry lie() const
    {
        const std::string name = GetParam();
        const uint64_t pages = offset(arena.slab()->memory);
        const uint64_t end = pages + (uint64_t{arena.slab()->n_pages} << 12);
        const std::map<std::string, journal_entry> all = {
            {"KindZero", {entry(static_cast<journal_kind>(0), pages), 0}},
            {"KindAboveTheLast", {entry(static_cast<journal_kind>(7), pages), 0}},
            {"KindOfOnes", {UINT64_MAX, UINT64_MAX}},
            {"BitsBetween", {entry(JOURNAL_WORD, offset(first)) | uint64_t{1} << 50, 0}},
            {"WordAtTheBase", {entry(JOURNAL_WORD, 0), 0}},
            {"WordInTheLog", {entry(JOURNAL_WORD, 64), 0}},
            {"WordInTheSlabsHeader", {entry(JOURNAL_WORD, kSlabOffset), 0}},
            {"WordJustBeforeThePages", {entry(JOURNAL_WORD, pages - 8), 0}},
            {"WordAfterThePages", {entry(JOURNAL_WORD, end), 0}},
            {"WordFarAway", {entry(JOURNAL_WORD, JOURNAL_OFFSET - 7), 0}},
            {"WordMisaligned", {entry(JOURNAL_WORD, offset(first) + 4), 0}},
            {"RootWithAnOffset", {entry(JOURNAL_ROOT, 8), 0}},
            {"RootOutside", {entry(JOURNAL_ROOT, 0), 8}},
            {"RootFarAway", {entry(JOURNAL_ROOT, 0), UINT64_MAX}},
            {"AllocOfMetadata", {entry(JOURNAL_ALLOC, kSlabOffset), 0}},
            {"AllocFarAway", {entry(JOURNAL_ALLOC, JOURNAL_OFFSET), 0}},
            {"FreeOfMetadata", {entry(JOURNAL_FREE, kSlabOffset), 0}},
            {"FreeOfNothing", {entry(JOURNAL_FREE, 0), 0}},
            {"VersionWithAnOffset", {entry(JOURNAL_VERSION, 8), 0}},
            {"VersionOf33Bits", {entry(JOURNAL_VERSION, 0), uint64_t{1} << 32}},
            {"ResetNotAlone", {entry(JOURNAL_RESET, 0), 0}},
            {"ResetWithAnOffset", {entry(JOURNAL_RESET, 8), 0}},
        };
        return all.at(name);
    }
};

/* One bad entry costs nothing but itself, wherever it stands. */
TEST_P(JournalHostile, EntryIsReportedAndSkippedAndTheOthersAreFollowed)
{
    for (uint64_t committed : {uint64_t{0}, JOURNAL_COMMITTED}) {
        for (unsigned at : {0u, 1u, 2u}) {
            Arena heir(arena.bytes());
            slm_journal_log *log = heir.journal.log;
            Picture expected = take_picture(heir.journal);
            unsigned next = 0;
            for (const journal_entry &good : {journal_entry{entry(JOURNAL_FREE, offset(first)), 0},
                                              {entry(JOURNAL_WORD, offset(second)), 77}}) {
                next += next == at;
                log->entries[next++] = good;
            }
            log->entries[at] = lie();
            log->state = 3 | committed;
            if (committed != 0) {
                expected.objects.erase(offset(first));
            } else {
                memcpy(expected.objects[offset(second)].data(), "\115\0\0\0\0\0\0", 8);
            }
            EXPECT_EQ(slm_journal_check(&heir.journal), 3u);
            EXPECT_EQ(slm_journal_recover(&heir.journal), SLM_OK);
            EXPECT_TRUE(take_picture(heir.journal) == expected) << at;
            EXPECT_EQ(log->state, 0u);
            EXPECT_EQ(heir.check(), kSound);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Lies, JournalHostile,
                         testing::Values("KindZero", "KindAboveTheLast", "KindOfOnes",
                                         "BitsBetween", "WordAtTheBase", "WordInTheLog",
                                         "WordInTheSlabsHeader", "WordJustBeforeThePages",
                                         "WordAfterThePages", "WordFarAway", "WordMisaligned",
                                         "RootWithAnOffset", "RootOutside", "RootFarAway",
                                         "AllocOfMetadata", "AllocFarAway", "FreeOfMetadata",
                                         "FreeOfNothing", "VersionWithAnOffset", "VersionOf33Bits",
                                         "ResetNotAlone", "ResetWithAnOffset"),
                         [](const auto &lie) { return std::string(lie.param); });

TEST_F(Journal, RecoveryRefusesAnImpossibleState)
{
    Picture before = picture();
    for (uint64_t state : {uint64_t{kEntries} + 1, uint64_t{UINT32_MAX}, uint64_t{1} << 33,
                           uint64_t{1} << 63, UINT64_MAX}) {
        journal->log->state = state;
        EXPECT_EQ(slm_journal_check(journal), 2u);
        EXPECT_EQ(slm_journal_recover(journal), SLM_E_IMAGE) << state;
        EXPECT_TRUE(picture() == before);
    }
}

TEST_F(Journal, RecoveryRefusesASlabThatContradictsItself)
{
    slm_journal_write(journal, first, 99);
    arena.slab()->pages[0].word = 0;
    EXPECT_EQ(slm_journal_recover(journal), SLM_E_IMAGE);
    EXPECT_EQ(*first, 99u);
}

/* Well-formed but untrue entries damage only the objects that they name. */
TEST_F(Journal, AnEntryForAnObjectThatDoesNotExistIsSkipped)
{
    Picture before = picture();
    journal->log->entries[0] = {entry(JOURNAL_ALLOC, offset(first) + 8), 0};
    journal->log->entries[1] = {entry(JOURNAL_FREE, offset(second) + 8), 0};
    for (uint64_t committed : {uint64_t{0}, JOURNAL_COMMITTED}) {
        journal->log->state = 2 | committed;
        EXPECT_EQ(slm_journal_recover(journal), SLM_OK);
        EXPECT_TRUE(picture() == before);
        EXPECT_EQ(arena.check(), kSound);
    }
}

/* --- The check --- */

TEST_F(Journal, CheckFindsAHeaderThatDiffersFromTheHandle)
{
    EXPECT_EQ(slm_journal_check(journal), 0u);
    journal->log->magic ^= 1;
    EXPECT_EQ(slm_journal_check(journal), 1u);
    journal->log->magic ^= 1;
    journal->log->n_max++;
    EXPECT_EQ(slm_journal_check(journal), 1u);
    journal->log->n_max--;
    EXPECT_EQ(slm_journal_check(journal), 0u);
}

TEST_F(Journal, CheckFindsARootThatIsNoLiveObject)
{
    const uint64_t pages = offset(arena.slab()->memory);
    for (uint64_t root :
         {uint64_t{8}, uint64_t{kSlabOffset}, offset(first) + 8, pages + (39u << 12),
          offset(first) + (UINT64_C(1) << 32), UINT64_MAX, JOURNAL_OFFSET}) {
        journal->log->root = root;
        EXPECT_EQ(slm_journal_check(journal), 4u) << root;
    }
    journal->log->root = offset(first);
    EXPECT_EQ(slm_journal_check(journal), 0u);
    EXPECT_EQ(slm_slab_free_locked(arena.slab(), first), SLM_OK);
    EXPECT_EQ(slm_journal_check(journal), 4u);
}

TEST_F(Journal, CheckWritesNothing)
{
    slm_journal_write(journal, first, 9);
    std::vector<unsigned char> before = arena.bytes();
    EXPECT_EQ(slm_journal_check(journal), 0u);
    EXPECT_EQ(arena.bytes(), before);
}

} // namespace
