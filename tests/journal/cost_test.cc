/* SPDX-License-Identifier: Apache-2.0 */
/* A repair takes O(pages + bitmap words + entries) steps, for honest and for hostile content. */
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <functional>
#include <random>
#include <vector>

#include "tests/journal/sparse.h"

/* Compilers call it in each basic block of the library. */
static uint64_t n_blocks;

extern "C" void __sanitizer_cov_trace_pc(void);
extern "C" void __sanitizer_cov_trace_pc(void)
{
    n_blocks++;
}

namespace {

using namespace slm_test;

constexpr size_t kSlabBytes = size_t{1} << 30;
constexpr unsigned kEntries = 20000;

/* Steps that a call may take for each page and bitmap word, and for each entry. The content below
 * takes up to 12 and 80; a walk of a large run for each entry takes a hundred thousand. */
constexpr uint64_t kStepsForAPart = 32;
constexpr uint64_t kStepsForAnEntry = 160;

uint64_t count_steps(const std::function<void()> &act)
{
    uint64_t before = n_blocks;
    act();
    return n_blocks - before;
}

/* Pages, and bitmap words of their chunks. */
uint64_t parts_of(const Sparse &sparse)
{
    return sparse->n_pages + uint64_t{sparse->n_pages} * sparse->words_per_page;
}

/* Prints the figures for docs/testing.md. */
void expect_in_bounds(const char *what, uint64_t n_steps, uint64_t n_parts, uint64_t n_entries)
{
    printf("%-20s %12" PRIu64 " steps, %8" PRIu64 " parts, %6" PRIu64 " entries\n", what, n_steps,
           n_parts, n_entries);
    EXPECT_GT(n_steps, 0u) << what << ": nothing is counted";
    EXPECT_LE(n_steps, kStepsForAPart * n_parts + kStepsForAnEntry * n_entries) << what;
}

void walk(const Sparse &sparse)
{
    slm_slab_walk_locked(
        sparse.slab(), [](void *, const slm_slab_extent *) { return true; }, nullptr);
}

/* --- Page words and bitmaps --- */

struct Shape {
    const char *name;
    void (*write)(const Sparse &sparse);
};

/* GoogleTest prints the name with a failure. */
void PrintTo(const Shape &shape, std::ostream *out)
{
    *out << shape.name;
}

void set_word(const Sparse &sparse, uint32_t idx, enum slab_word_kind kind, unsigned class_idx,
              uint32_t n_pages)
{
    sparse->pages[idx].word = slab_word(kind, class_idx, n_pages);
}

/* Heads of one kind and length, up to the end. Chunks are used as `bits` says. */
void fill_with_heads(const Sparse &sparse, enum slab_word_kind kind, unsigned class_idx,
                     uint32_t n_pages, uint64_t bits)
{
    uint32_t idx = 0;
    for (; sparse->n_pages - idx >= n_pages; idx += n_pages) {
        set_word(sparse, idx, kind, class_idx, n_pages);
        for (uint32_t i = 0; i < n_pages * sparse->words_per_page; i++) {
            slab_span_bits(sparse.slab(), idx)[i] = bits;
        }
    }
    if (idx < sparse->n_pages) {
        set_word(sparse, idx, SLAB_RUN, 0, sparse->n_pages - idx);
    }
}

/* Free runs and used pages by turns; the free ones become longer by `step`. */
void alternate(const Sparse &sparse, uint32_t step)
{
    uint32_t length = 1;
    uint32_t idx = 0;
    for (; idx + length + 1 <= sparse->n_pages; idx += length + 1, length += step) {
        set_word(sparse, idx, SLAB_FREE, 0, length);
        set_word(sparse, idx + length, SLAB_RUN, 0, 1);
    }
    if (idx < sparse->n_pages) {
        set_word(sparse, idx, SLAB_RUN, 0, sparse->n_pages - idx);
    }
}

const Shape kShapes[] = {
    {"EmptySpansOfTheSmallestClass",
     [](const Sparse &s) { fill_with_heads(s, SLAB_SPAN, 0, 1, 0); }},
    {"FullSpansOfTheSmallestClass",
     [](const Sparse &s) { fill_with_heads(s, SLAB_SPAN, 0, 1, UINT64_MAX); }},
    {"SpansWithEverySecondChunkUsed",
     [](const Sparse &s) { fill_with_heads(s, SLAB_SPAN, 0, 1, UINT64_C(0x5555555555555555)); }},
    {"EmptySpansOfTheLargestClass",
     [](const Sparse &s) { fill_with_heads(s, SLAB_SPAN, s->shape.n_classes - 1, 1, 0); }},
    {"EmptySpansOfAllClasses",
     [](const Sparse &s) {
         fill_with_heads(s, SLAB_SPAN, 0, 1, 0);
         for (uint32_t i = 0; i < s->n_pages; i++) {
             set_word(s, i, SLAB_SPAN, i % s->shape.n_classes, 1);
         }
     }},
    {"EmptySpansAndRunsByTurns",
     [](const Sparse &s) {
         fill_with_heads(s, SLAB_SPAN, 0, 1, 0);
         for (uint32_t i = 0; i < s->n_pages; i += 2) {
             set_word(s, i, SLAB_RUN, 0, 1);
         }
     }},
    {"AnEmptySpanAfterEachFreePage",
     [](const Sparse &s) {
         fill_with_heads(s, SLAB_SPAN, 0, 1, 0);
         for (uint32_t i = 0; i < s->n_pages; i += 2) {
             set_word(s, i, SLAB_FREE, 0, 1);
         }
     }},
    {"NewPagesOneByOne", [](const Sparse &s) { fill_with_heads(s, SLAB_NEW, 0, 1, 0); }},
    {"NewPagesAndEmptySpansByTurns",
     [](const Sparse &s) {
         fill_with_heads(s, SLAB_SPAN, 0, 1, 0);
         for (uint32_t i = 0; i < s->n_pages; i += 2) {
             set_word(s, i, SLAB_NEW, 0, 1);
         }
     }},
    {"OneRun", [](const Sparse &s) { set_word(s, 0, SLAB_RUN, 0, s->n_pages); }},
    {"OneFreeRun", [](const Sparse &s) { set_word(s, 0, SLAB_FREE, 0, s->n_pages); }},
    {"AllPagesNew", [](const Sparse &s) { set_word(s, 0, SLAB_NEW, 0, s->n_pages); }},
    {"RunsOfOnePage", [](const Sparse &s) { fill_with_heads(s, SLAB_RUN, 0, 1, 0); }},
    {"FreeAndUsedPagesByTurns", [](const Sparse &s) { alternate(s, 0); }},
    {"FreeRunsOfEveryLength", [](const Sparse &s) { alternate(s, 1); }},
};

class RepairCostOf : public testing::TestWithParam<Shape> {
  protected:
    Sparse sparse{kSlabBytes, kEntries};
};

TEST_P(RepairCostOf, IsWhatTheHeaderSays)
{
    GetParam().write(sparse);
    uint64_t n_parts = parts_of(sparse);
    for (const char *when : {"the first rebuild", "a second rebuild"}) {
        slm_status status = SLM_E_NULL;
        uint64_t n_steps = count_steps([&] { status = slm_slab_rebuild_locked(sparse.slab()); });
        ASSERT_EQ(status, SLM_OK);
        expect_in_bounds(when, n_steps, n_parts, 0);
    }
    unsigned broken = 1;
    uint64_t n_steps = count_steps([&] { broken = slm_slab_check_locked(sparse.slab()); });
    EXPECT_EQ(broken, 0u);
    expect_in_bounds("check", n_steps, n_parts, 0);
    n_steps = count_steps([&] { walk(sparse); });
    expect_in_bounds("walk", n_steps, n_parts, 0);
    n_steps = count_steps([&] { EXPECT_EQ(slm_slab_reset_locked(sparse.slab()), SLM_OK); });
    expect_in_bounds("reset", n_steps, n_parts, 0);
}

/* Check and walk may meet what no rebuild has made. */
TEST_P(RepairCostOf, OfACheckAndAWalkBeforeTheRepairToo)
{
    GetParam().write(sparse);
    uint64_t n_parts = parts_of(sparse);
    expect_in_bounds("check", count_steps([&] { (void)slm_slab_check_locked(sparse.slab()); }),
                     n_parts, 0);
    uint64_t n_steps = count_steps([&] { walk(sparse); });
    expect_in_bounds("walk", n_steps, n_parts, 0);
}

INSTANTIATE_TEST_SUITE_P(Shape, RepairCostOf, testing::ValuesIn(kShapes),
                         [](const auto &shape) { return shape.param.name; });

/* --- Metadata that was overwritten here and there --- */

/* Spans, runs and free runs of many lengths, by turns. */
void fill_with_all_kinds(const Sparse &sparse, std::mt19937 &random)
{
    uint32_t length = 0;
    for (uint32_t idx = 0, i = 0; idx < sparse->n_pages; idx += length, i++) {
        uint32_t left = sparse->n_pages - idx;
        length = std::min(left, 1 + static_cast<uint32_t>(random() % (1u << random() % 8)));
        set_word(sparse, idx, i % 2 == 0 ? SLAB_RUN : SLAB_FREE, 0, length);
        if (i % 4 == 0) {
            length = 1;
            set_word(sparse, idx, SLAB_SPAN,
                     static_cast<unsigned>(random() % sparse->shape.n_classes), 1);
            slab_span_bits(sparse.slab(), idx)[0] = random();
        }
    }
}

/* Words of any part but the header, which attach has compared. */
void overwrite(const Sparse &sparse, unsigned n_words, std::mt19937 &random)
{
    auto *words = reinterpret_cast<uint64_t *>(sparse->classes);
    auto n_bytes =
        static_cast<size_t>(sparse->memory - reinterpret_cast<unsigned char *>(sparse->classes));
    while (n_words-- > 0) {
        uint64_t *word = words + random() % (n_bytes / sizeof *words);
        uint32_t n_pages = static_cast<uint32_t>(random() % sparse->n_pages);
        auto kind = static_cast<enum slab_word_kind>(random() % 8);
        *word = random() % 2 == 0 ? slab_word(kind, 0, n_pages) : *word ^ 1u << random() % 32;
    }
}

TEST(RepairCost, OfMetadataThatWasOverwrittenIsWhatTheHeaderSays)
{
    std::mt19937 random(1);
    Sparse sparse(kSlabBytes, kEntries);
    uint64_t n_parts = parts_of(sparse);
    for (unsigned n_words : {1u, 10u, 1000u, 100000u, 1000000u}) {
        fill_with_all_kinds(sparse, random);
        ASSERT_EQ(slm_slab_rebuild_locked(sparse.slab()), SLM_OK);
        ASSERT_EQ(slm_slab_check_locked(sparse.slab()), 0u);
        overwrite(sparse, n_words, random);
        expect_in_bounds("check", count_steps([&] { (void)slm_slab_check_locked(sparse.slab()); }),
                         n_parts, 0);
        expect_in_bounds("walk", count_steps([&] { walk(sparse); }), n_parts, 0);
        slm_status status = SLM_OK;
        expect_in_bounds("recovery",
                         count_steps([&] { status = slm_journal_recover(&sparse.journal); }),
                         n_parts, 0);
        if (status == SLM_OK) {
            EXPECT_EQ(slm_slab_check_locked(sparse.slab()), 0u);
        } else {
            EXPECT_EQ(status, SLM_E_IMAGE);
        }
    }
}

/* --- Entries --- */

/* A slab with one run of most pages, one of a single page, and a chunk. */
class EntryCost : public testing::Test {
  protected:
    EntryCost()
    {
        run_pages = sparse->n_pages / 10 * 9;
        run = alloc(size_t{run_pages} << sparse->shape.page_shift);
        page = alloc(4096);
        chunk = alloc(24);
        slm_slab_clear_last_allocation_locked(sparse.slab());
    }
    unsigned char *alloc(size_t bytes)
    {
        void *p = slm_slab_alloc_locked(sparse.slab(), bytes);
        EXPECT_NE(p, nullptr);
        return static_cast<unsigned char *>(p);
    }
    void note(unsigned i, journal_kind kind, const void *p, uint64_t value = 0)
    {
        uint64_t offset = p == nullptr ? 0 : slm_journal_offset(&sparse.journal, p);
        sparse.log()->entries[i] = {uint64_t{kind} << JOURNAL_KIND_SHIFT | offset, value};
    }
    /* Fills the log with entries of one kind: the i-th has the address that where(i) returns. */
    void fill(journal_kind kind, const std::function<const void *(unsigned)> &where)
    {
        for (unsigned i = 0; i < kEntries; i++) {
            note(i, kind, where(i));
        }
    }
    void expect_recovery_in_bounds(uint64_t state)
    {
        sparse.log()->state = state;
        uint64_t n_parts = parts_of(sparse);
        uint64_t n_steps = count_steps([&] { (void)slm_journal_check(&sparse.journal); });
        expect_in_bounds("check", n_steps, n_parts, kEntries);
        slm_status status = SLM_E_NULL;
        n_steps = count_steps([&] { status = slm_journal_recover(&sparse.journal); });
        EXPECT_EQ(status, SLM_OK);
        expect_in_bounds("recovery", n_steps, n_parts, kEntries);
        EXPECT_EQ(slm_slab_check_locked(sparse.slab()), 0u);
        EXPECT_EQ(slm_journal_check(&sparse.journal), 0u);
    }
    void expect_both_in_bounds()
    {
        expect_recovery_in_bounds(kEntries);
        expect_recovery_in_bounds(kEntries | JOURNAL_COMMITTED);
    }

    Sparse sparse{kSlabBytes, kEntries};
    uint32_t run_pages = 0;
    unsigned char *run = nullptr;
    unsigned char *page = nullptr;
    unsigned char *chunk = nullptr;
};

TEST_F(EntryCost, OfWordsAtTheEndOfALargeRun)
{
    const unsigned char *end = run + (size_t{run_pages} << sparse->shape.page_shift);
    fill(JOURNAL_WORD, [&](unsigned i) { return end - 8 * (i + 1); });
    expect_both_in_bounds();
}

TEST_F(EntryCost, OfOneWordAgainAndAgain)
{
    fill(JOURNAL_WORD, [&](unsigned) { return run + (size_t{run_pages} << 12) - 8; });
    expect_both_in_bounds();
}

TEST_F(EntryCost, OfReleasesOfOneRun)
{
    fill(JOURNAL_FREE, [&](unsigned) { return run; });
    expect_both_in_bounds();
    EXPECT_FALSE(slm_slab_is_object(sparse.slab(), run));
}

TEST_F(EntryCost, OfReleasesOfOneChunk)
{
    fill(JOURNAL_FREE, [&](unsigned) { return chunk; });
    expect_both_in_bounds();
}

TEST_F(EntryCost, OfReleasesOfAddressesInsideARun)
{
    fill(JOURNAL_FREE, [&](unsigned i) { return run + (size_t{run_pages - 1 - i % 100} << 12); });
    expect_both_in_bounds();
    EXPECT_TRUE(slm_slab_is_object(sparse.slab(), run));
}

TEST_F(EntryCost, OfReleasesOfFreePages)
{
    size_t last = sparse->n_pages - 2;
    fill(JOURNAL_FREE, [&](unsigned i) { return sparse.page(last - i % 100); });
    expect_both_in_bounds();
}

TEST_F(EntryCost, OfAllocationsInsideARun)
{
    fill(JOURNAL_ALLOC, [&](unsigned i) { return run + (size_t{run_pages - 1 - i % 100} << 12); });
    expect_both_in_bounds();
}

TEST_F(EntryCost, OfRootsInsideARun)
{
    uint64_t value = slm_journal_offset(&sparse.journal, run + (size_t{run_pages - 1} << 12));
    for (unsigned i = 0; i < kEntries; i++) {
        note(i, JOURNAL_ROOT, nullptr, value);
    }
    note(0, JOURNAL_ROOT, nullptr, slm_journal_offset(&sparse.journal, run));
    expect_both_in_bounds();
}

TEST_F(EntryCost, OfALastAllocationInsideARun)
{
    sparse->header->pending = slm_slab_offset(sparse.slab(), run + (size_t{run_pages - 1} << 12));
    uint64_t n_steps = count_steps([&] {
        for (unsigned i = 0; i < kEntries; i++) {
            EXPECT_EQ(slm_slab_last_allocation_locked(sparse.slab()), nullptr);
        }
    });
    expect_in_bounds("last_allocation_locked", n_steps, 0, kEntries);
}

TEST_F(EntryCost, OfSizesOfAddressesInsideARun)
{
    uint64_t n_steps = count_steps([&] {
        for (unsigned i = 0; i < kEntries; i++) {
            EXPECT_EQ(slm_slab_usable_bytes(sparse.slab(), run + 4096 * size_t{i + 1}), 0u);
        }
    });
    expect_in_bounds("usable_bytes", n_steps, 0, kEntries);
}

/* A repair that dies when half is undone is begun again: then its objects are inside one free run. */
TEST_F(EntryCost, OfAllocationsThatAnotherRepairHasFreed)
{
    std::vector<unsigned char *> pages;
    for (unsigned i = 0; i < kEntries; i++) {
        auto *p = static_cast<unsigned char *>(slm_journal_alloc(&sparse.journal, 4096));
        ASSERT_NE(p, nullptr);
        pages.push_back(p);
    }
    for (unsigned char *p : pages) {
        ASSERT_EQ(slm_slab_free_locked(sparse.slab(), p), SLM_OK);
    }
    expect_recovery_in_bounds(kEntries);
}

/* An honest transaction of each kind, without a death. */
TEST_F(EntryCost, OfACommitAndAnAbort)
{
    std::vector<void *> objects;
    for (unsigned i = 0; i < kEntries; i++) {
        objects.push_back(slm_journal_alloc(&sparse.journal, 4096));
        ASSERT_NE(objects.back(), nullptr);
    }
    slm_status status = SLM_E_NULL;
    expect_in_bounds("commit", count_steps([&] { status = slm_journal_commit(&sparse.journal); }),
                     0, kEntries);
    ASSERT_EQ(status, SLM_OK);
    for (void *p : objects) {
        ASSERT_EQ(slm_journal_free(&sparse.journal, p), SLM_OK);
    }
    expect_in_bounds("commit", count_steps([&] { status = slm_journal_commit(&sparse.journal); }),
                     0, kEntries);
    ASSERT_EQ(status, SLM_OK);
    for (unsigned i = 0; i < kEntries; i++) {
        ASSERT_NE(slm_journal_alloc(&sparse.journal, 4096), nullptr);
    }
    expect_in_bounds("abort", count_steps([&] { slm_journal_abort(&sparse.journal); }), 0,
                     kEntries);
    EXPECT_EQ(slm_slab_check_locked(sparse.slab()), 0u);
}

/* The journal remembers the objects of the last two writes, so that another one costs at most
 * half of the first. */
TEST_F(EntryCost, OfAWriteToTheObjectOfTheLastWrite)
{
    auto *object = static_cast<uint64_t *>(slm_journal_alloc(&sparse.journal, 64));
    ASSERT_NE(object, nullptr);
    ASSERT_EQ(slm_journal_commit(&sparse.journal), SLM_OK);
    slm_status status = SLM_E_NULL;
    auto write = [&] { status = slm_journal_write(&sparse.journal, object, 1); };
    uint64_t first = count_steps(write);
    ASSERT_EQ(status, SLM_OK);
    uint64_t again = count_steps(write);
    ASSERT_EQ(status, SLM_OK);
    printf("first write %" PRIu64 " steps, then %" PRIu64 "\n", first, again);
    EXPECT_LE(2 * again, first);
}

} // namespace
