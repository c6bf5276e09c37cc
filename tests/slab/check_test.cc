/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: each invariant is broken by hand in several ways; the check returns exactly its number. */
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

constexpr uint32_t kPages = 140; /* more lengths than a word has bits: two levels and a bit */

/* A furnished slab, with names for the pages and classes that the breakages are about. */
struct Scene {
    explicit Scene(const Geometry &geometry) : f(geometry, kPages), slab(f.slab)
    {
        unsigned char *hole = f.slab.alloc_pages(f.run_pages);
        must(hole == f.free_run, "best fit");
        partial = head_of(f.partial);
        kept = head_of(f.kept);
        run = head_of(f.run);
        free_run = head_of(f.free_run);
        /* A second span of the class with used and free chunks. */
        must(slm_slab_free(slab, f.full[0]) == SLM_OK, "free");
        tailed_class = 2; /* 24 bytes with per_doubling > 1: never a whole number of words */
        tailed = head_of(f.alloc(slab->cuts[tailed_class].chunk_bytes));
        full_span = fill_one_span();
        long_span = head_of(f.alloc(slab->cuts[class_of_long_spans()].chunk_bytes));
        must(slm_slab_free(slab, hole) == SLM_OK, "free the hole");
        last_free = head_of(f.slab.page(kPages - 1));
        spanless = slab->shape.n_classes - 2;
        must(slab->classes[spanless].n_spans == 0, "a class without spans");
        must(slm_slab_set_root(slab, f.run) == SLM_OK, "root");
        must(slm_slab_check(slab) == 0, "sound before");
    }
    uint32_t head_of(void *p) const
    {
        return static_cast<uint32_t>(f.slab.page_idx(f.slab.locate(p).span));
    }
    unsigned class_of_long_spans() const
    {
        unsigned i = 0;
        while (slab->cuts[i].span_pages < 3) {
            i++;
        }
        return i;
    }
    uint32_t fill_one_span() const
    {
        unsigned char *p = nullptr;
        unsigned char *first = nullptr;
        do {
            p = f.alloc(f.slab.page_bytes() / 4);
            first = first == nullptr ? p : first;
        } while (slab->pages[head_of(first)].n_free != 0);
        return head_of(first);
    }
    slab_page &page(uint32_t idx) const
    {
        return slab->pages[idx];
    }
    slab_class &small() const
    {
        return slab->classes[f.small_class];
    }
    /* Sets the length in the head's word. */
    void set_length(uint32_t head, uint32_t n_pages) const
    {
        page(head).word = (page(head).word & UINT32_MAX) | uint64_t{n_pages} << 32;
    }
    void reseal() const
    {
        slab->header->checksum = slm_slab_layout_checksum(slab->header);
    }

    Furnished f;
    slm_slab *slab;
    uint32_t partial, kept, run, free_run, last_free, tailed, full_span, long_span;
    unsigned tailed_class, spanless;
};

struct Breakage {
    const char *name;
    unsigned invariant;
    void (*apply)(const Scene &s);
};

const Breakage kBreakages[] = {
    /* I1: the constant part */
    {"Magic", 1, [](const Scene &s) { s.slab->header->magic++; }},
    {"Version", 1, [](const Scene &s) { s.slab->header->version = 2; }},
    {"HeaderBytes", 1, [](const Scene &s) { s.slab->header->header_bytes -= 8; }},
    {"HeaderReserved", 1, [](const Scene &s) { s.slab->header->reserved = 1; }},
    {"Checksum", 1, [](const Scene &s) { s.slab->header->checksum ^= 1; }},
    {"Name", 1, [](const Scene &s) { s.slab->header->name[0] ^= 1; }},
    {"NameResealed", 1,
     [](const Scene &s) {
         s.slab->header->name[0] ^= 1;
         s.reseal();
     }},
    {"PagesResealed", 1,
     [](const Scene &s) {
         s.slab->header->shape.max_pages--;
         s.reseal();
     }},
    {"GapResealed", 1,
     [](const Scene &s) {
         s.slab->header->shape.gap_bytes++;
         s.reseal();
     }},

    /* I2: heads and lengths */
    {"FirstHeadIsInner", 2, [](const Scene &s) { s.page(0).word = 0; }},
    {"HeadOfUnknownKind", 2, [](const Scene &s) { s.page(s.run).word += 1; }},
    {"HeadIsATail", 2, [](const Scene &s) { s.page(s.free_run).word += 1; }},
    {"HeadIsABody", 2, [](const Scene &s) { s.page(s.partial).word += 1; }},
    {"LengthZero", 2, [](const Scene &s) { s.set_length(s.run, 0); }},
    {"LengthPastTheEnd", 2,
     [](const Scene &s) { s.set_length(s.last_free, kPages - s.last_free + 1); }},
    {"LengthHuge", 2, [](const Scene &s) { s.set_length(s.run, UINT32_MAX); }},
    {"LengthTooShort", 2,
     [](const Scene &s) {
         /* A run of three in place of one of more: what follows is no head. */
         s.set_length(s.run, 1);
     }},
    {"SpanOfAWrongLength", 2, [](const Scene &s) { s.set_length(s.partial, 40); }},
    {"SpanOfNoClass", 2,
     [](const Scene &s) { s.page(s.partial).word |= 0xff00u; }},
    {"RunWithAClass", 2, [](const Scene &s) { s.page(s.run).word |= 0x100u; }},
    {"FreeRunWithAClass", 2, [](const Scene &s) { s.page(s.free_run).word |= 0x100u; }},
    {"BitsBetweenClassAndLength", 2, [](const Scene &s) { s.page(s.run).word |= 0x10000u; }},

    /* I3: what lies between the heads */
    {"NoTail", 3,
     [](const Scene &s) {
         s.page(s.free_run + static_cast<uint32_t>(s.f.run_pages) - 1).word = 0;
     }},
    {"TailOfAnotherLength", 3,
     [](const Scene &s) {
         s.set_length(s.free_run + static_cast<uint32_t>(s.f.run_pages) - 1, 2);
     }},
    {"InnerOfAFreeRun", 3, [](const Scene &s) { s.page(s.free_run + 1).word = 1; }},
    {"InnerOfARun", 3, [](const Scene &s) { s.page(s.run + 1).word = UINT64_C(1) << 63; }},
    {"LastOfARunIsATail", 3,
     [](const Scene &s) {
         auto n = static_cast<uint32_t>(s.f.run_pages);
         s.page(s.run + n - 1).word = slab_word(SLAB_TAIL, 0, n);
     }},
    {"FirstBody", 3, [](const Scene &s) { s.page(s.long_span + 1).word = 0; }},
    {"BodyTooFar", 3, [](const Scene &s) { s.page(s.long_span + 1).word += UINT64_C(1) << 32; }},
    {"BodyWithAClass", 3, [](const Scene &s) { s.page(s.long_span + 1).word |= 0x100u; }},

    /* I4: neighbours that did not merge */
    {"FreeRunInTwo", 4,
     [](const Scene &s) {
         uint32_t n = kPages - s.last_free;
         s.set_length(s.last_free, 1);
         s.page(s.last_free + 1).word = slab_word(SLAB_FREE, 0, n - 1);
         s.set_length(kPages - 1, n - 1);
     }},
    {"RunFreedWithoutMerging", 4,
     [](const Scene &s) {
         auto n = static_cast<uint32_t>(s.f.run_pages);
         s.page(s.run).word = slab_word(SLAB_FREE, 0, n);
         s.page(s.run + n - 1).word = slab_word(SLAB_TAIL, 0, n);
     }},

    /* I5: bits against n_free and hint */
    {"UsedBitLost", 5, [](const Scene &s) { slab_span_bits(s.slab, s.partial)[0] ^= 1; }},
    {"FreeBitSet", 5, [](const Scene &s) { slab_span_bits(s.slab, s.partial)[0] |= 2; }},
    {"FreeCountTooHigh", 5, [](const Scene &s) { s.page(s.partial).n_free++; }},
    {"FreeCountTooLow", 5, [](const Scene &s) { s.page(s.partial).n_free--; }},
    {"BitBehindTheLastChunk", 5,
     [](const Scene &s) {
         uint32_t n = slab_span_chunks(s.slab, s.page(s.tailed).word);
         slab_span_bits(s.slab, s.tailed)[n / 64] &= ~(UINT64_C(1) << n % 64);
     }},
    {"LastBitOfTheBitmap", 5,
     [](const Scene &s) {
         uint32_t n = slab_span_chunks(s.slab, s.page(s.tailed).word);
         slab_span_bits(s.slab, s.tailed)[n / 64] &= ~(UINT64_C(1) << 63);
     }},
    {"HintIsNoChunk", 5,
     [](const Scene &s) {
         s.page(s.tailed).hint =
             static_cast<uint16_t>(slab_span_chunks(s.slab, s.page(s.tailed).word));
     }},
    {"HintHuge", 5, [](const Scene &s) { s.page(s.partial).hint = UINT16_MAX; }},

    /* I6: lists of spans */
    {"ListOfSpansLost", 6, [](const Scene &s) { s.small().partial = SLAB_NIL; }},
    {"ListOfSpansCut", 6, [](const Scene &s) { s.page(s.small().partial).next = SLAB_NIL; }},
    {"ListOfSpansStartsLate", 6,
     [](const Scene &s) { s.small().partial = s.page(s.small().partial).next; }},
    {"ListOfSpansOutOfRange", 6, [](const Scene &s) { s.small().partial = kPages; }},
    {"NextSpanOutOfRange", 6,
     [](const Scene &s) { s.page(s.small().partial).next = UINT32_MAX - 1; }},
    {"SpanLinkedBackWrongly", 6,
     [](const Scene &s) { s.page(s.page(s.small().partial).next).prev = 0x1234; }},
    {"FirstSpanLinkedBack", 6, [](const Scene &s) { s.page(s.small().partial).prev = s.run; }},
    {"ListOfSpansIsACycle", 6,
     [](const Scene &s) {
         s.page(s.page(s.small().partial).next).next = s.small().partial;
     }},
    {"SpanIsItsOwnNext", 6,
     [](const Scene &s) { s.page(s.small().partial).next = s.small().partial; }},
    {"SpanOnAnotherClasssList", 6,
     [](const Scene &s) { s.slab->classes[s.spanless].partial = s.partial; }},
    {"RunOnAListOfSpans", 6, [](const Scene &s) { s.small().partial = s.run; }},
    {"KeptSpanLinkedBackByNone", 6, [](const Scene &s) { s.page(s.kept).prev = s.run; }},

    /* I7: kept spans, and what is linked nowhere */
    {"KeptSpanForgotten", 7,
     [](const Scene &s) { s.slab->classes[s.f.kept_class].kept = SLAB_NIL; }},
    {"KeptSpanHasUsedChunks", 7, [](const Scene &s) { s.small().kept = s.partial; }},
    {"KeptSpanOfNoClass", 7, [](const Scene &s) { s.slab->classes[s.spanless].kept = s.kept; }},
    {"KeptSpanIsARun", 7, [](const Scene &s) { s.slab->classes[s.spanless].kept = s.run; }},
    {"KeptSpanOutOfRange", 7, [](const Scene &s) { s.slab->classes[s.spanless].kept = kPages; }},
    {"KeptSpanLinked", 7, [](const Scene &s) { s.page(s.kept).next = s.partial; }},
    {"FullSpanLinkedOn", 7, [](const Scene &s) { s.page(s.full_span).next = s.partial; }},
    {"FullSpanLinkedBack", 7, [](const Scene &s) { s.page(s.full_span).prev = 0; }},
    {"RunLinkedOn", 7, [](const Scene &s) { s.page(s.run).next = s.free_run; }},
    {"RunLinkedBack", 7, [](const Scene &s) { s.page(s.run).prev = s.free_run; }},

    /* I8: lists of free runs */
    {"FreeRunNotListed", 8,
     [](const Scene &s) {
         size_t length = s.f.run_pages;
         s.page(static_cast<uint32_t>(length - 1)).first_of_length = SLAB_NIL;
         s.slab->lengths[0][length / 64] &= ~(UINT64_C(1) << length % 64);
     }},
    {"FreeRunLinkedBack", 8, [](const Scene &s) { s.page(s.free_run).prev = s.last_free; }},
    {"FreeRunLinkedOn", 8, [](const Scene &s) { s.page(s.free_run).next = s.last_free; }},
    {"FreeRunIsItsOwnNext", 8, [](const Scene &s) { s.page(s.free_run).next = s.free_run; }},
    {"ListOfRunsOutOfRange", 8, [](const Scene &s) { s.page(0).first_of_length = kPages; }},
    {"ListOfRunsOfAnotherLength", 8,
     [](const Scene &s) { s.page(0).first_of_length = s.free_run; }},
    {"ListOfRunsHoldsAUsedOne", 8,
     [](const Scene &s) {
         s.page(static_cast<uint32_t>(s.f.run_pages - 1)).first_of_length = s.run;
     }},

    /* I9: bitmaps of lengths */
    {"BitOfALengthLost", 9,
     [](const Scene &s) {
         s.slab->lengths[0][s.f.run_pages / 64] &= ~(UINT64_C(1) << s.f.run_pages % 64);
     }},
    {"BitOfALengthWithoutRuns", 9, [](const Scene &s) { s.slab->lengths[0][0] |= 2; }},
    {"BitOfLengthZero", 9, [](const Scene &s) { s.slab->lengths[0][0] |= 1; }},
    {"BitOfALengthBeyondTheSlab", 9,
     [](const Scene &s) { s.slab->lengths[0][(kPages + 1) / 64] |= UINT64_C(1) << 63; }},
    {"BitOfAWordLost", 9, [](const Scene &s) { s.slab->lengths[1][0] &= ~UINT64_C(1); }},
    {"BitOfAnEmptyWord", 9,
     [](const Scene &s) {
         s.slab->lengths[1][0] = s.slab->lengths[1][0] == 7 ? 3 : 7;
     }},
    {"BitOfAWordBeyond", 9, [](const Scene &s) { s.slab->lengths[1][0] |= UINT64_C(1) << 63; }},

    /* I10: counters of a class */
    {"SpanCount", 10, [](const Scene &s) { s.small().n_spans++; }},
    {"ChunkCount", 10, [](const Scene &s) { s.small().n_chunks--; }},
    {"UsedCount", 10, [](const Scene &s) { s.small().n_used++; }},
    {"UsedCountOfAClassWithoutSpans", 10,
     [](const Scene &s) { s.slab->classes[s.spanless].n_used = 1; }},
    {"MoreFailuresThanRequests", 10,
     [](const Scene &s) { s.small().n_failures = s.small().n_requests + 1; }},
    {"ClassReserved", 10, [](const Scene &s) { s.slab->classes[0].reserved = 1; }},

    /* I11: counters of the header */
    {"FreePages", 11, [](const Scene &s) { s.slab->header->n_free_pages++; }},
    {"KeptPages", 11, [](const Scene &s) { s.slab->header->n_kept_pages++; }},
    {"KeptPagesNegative", 11, [](const Scene &s) { s.slab->header->n_kept_pages = UINT32_MAX; }},
    {"Runs", 11, [](const Scene &s) { s.slab->header->n_runs--; }},
    {"RunPages", 11, [](const Scene &s) { s.slab->header->n_run_pages--; }},
    {"MoreRunFailuresThanRequests", 11,
     [](const Scene &s) { s.slab->header->run_failures = s.slab->header->run_requests + 1; }},
    {"PeakBelowUse", 11,
     [](const Scene &s) {
         slab_header *header = s.slab->header;
         header->peak_used_pages = kPages - header->n_free_pages - header->n_kept_pages - 1;
     }},
    {"PeakBeyondTheSlab", 11, [](const Scene &s) { s.slab->header->peak_used_pages = kPages + 1; }},

    /* I12: the root */
    {"RootInMetadata", 12, [](const Scene &s) { s.slab->header->root = slab_root_seal(8); }},
    {"RootJustBeforePage0", 12,
     [](const Scene &s) { s.slab->header->root = slab_root_seal(s.slab->metadata_bytes - 1); }},
    {"RootBehindTheLastPage", 12,
     [](const Scene &s) {
         uint64_t end = s.slab->metadata_bytes + (uint64_t{kPages} << s.slab->shape.page_shift);
         s.slab->header->root = slab_root_seal(end);
     }},
    {"RootWithoutSeal", 12, [](const Scene &s) { s.slab->header->root &= SLAB_ROOT_OFFSET; }},
    {"RootAllOnes", 12, [](const Scene &s) { s.slab->header->root = UINT64_MAX; }},
    {"PendingInMetadata", 12, [](const Scene &s) { s.slab->header->pending = 8; }},
    {"PendingBehindTheLastPage", 12,
     [](const Scene &s) {
         s.slab->header->pending =
             s.slab->metadata_bytes + (uint64_t{kPages} << s.slab->shape.page_shift);
     }},
};

class SlabCheck : public testing::TestWithParam<Breakage> {};

/* Checked through a second view that may only read: the check writes nothing. */
TEST_P(SlabCheck, ReturnsTheNumberOfTheBrokenInvariantAndWritesNothing)
{
    for (const Geometry &geometry : {Geometry{4096, 8, 2, 0}, Geometry{4096, 8, 16, 0},
                                     Geometry{16384, 8, 4, 0}, Geometry{65536, 8, 8, 0}}) {
        Scene scene(geometry);
        Region twin = scene.f.slab.region.twin();
        View reader = attach(twin);
        twin.protect(PROT_READ);
        std::vector<unsigned char> sound = scene.f.slab.region.snapshot();
        EXPECT_EQ(slm_slab_check(reader.get()), 0u) << spell(geometry);
        GetParam().apply(scene);
        EXPECT_EQ(slm_slab_check(reader.get()), GetParam().invariant) << spell(geometry);
        std::memcpy(scene.f.slab.region.base(), sound.data(), scene.slab->metadata_bytes);
        EXPECT_EQ(slm_slab_check(scene.slab), 0u) << spell(geometry);
    }
}

std::string name_of_breakage(const testing::TestParamInfo<Breakage> &info)
{
    return "I" + std::to_string(info.param.invariant) + info.param.name;
}

INSTANTIATE_TEST_SUITE_P(By, SlabCheck, testing::ValuesIn(kBreakages), name_of_breakage);

void PrintTo(const Breakage &breakage, std::ostream *out)
{
    *out << breakage.name;
}

/* The only span of a list has no links, as a full one. Found by slab_image_fuzz. */
TEST(SlabCheckList, OfAFullSpanInPlaceOfThePartlyUsedOneIsBroken)
{
    Furnished f({4096, 8, 2, 0}, kPages);
    slm_slab *slab = f.slab;
    slab_class &small = slab->classes[f.small_class];
    uint32_t partial = small.partial;
    ASSERT_EQ(slab->pages[partial].next, SLAB_NIL);
    small.partial = static_cast<uint32_t>(f.slab.page_idx(f.full[0]));
    ASSERT_NE(small.partial, partial);
    ASSERT_EQ(slab->pages[small.partial].n_free, 0u);
    EXPECT_EQ(slm_slab_check(slab), 6u);
    small.partial = partial;
    EXPECT_EQ(slm_slab_check(slab), 0u);
}

TEST(SlabCheckBreakages, CoverEveryInvariantSeveralTimes)
{
    std::vector<int> n_of(13);
    for (const Breakage &breakage : kBreakages) {
        n_of[breakage.invariant]++;
    }
    for (size_t i = 1; i < n_of.size(); i++) {
        EXPECT_GE(n_of[i], 2) << "I" << i;
    }
}

/* The smallest slabs have one level of lengths, or one page: the check reads nothing outside the
 * tables. */
TEST(SlabCheckSmall, IsSoundAtEveryNumberOfPages)
{
    for (size_t n_pages = 1; n_pages <= 200; n_pages++) {
        Slab slab({4096, 64, 1, 0}, n_pages);
        EXPECT_EQ(slm_slab_check(slab), 0u) << n_pages;
        while (slm_slab_alloc(slab, 2048) != nullptr) {
        }
        EXPECT_EQ(slm_slab_check(slab), 0u) << n_pages;
    }
}

/* Three levels: more than 64 * 64 pages. */
TEST(SlabCheckLarge, HoldsWithThreeLevelsOfLengths)
{
    Slab slab({4096, 64, 1, 0}, 5000);
    ASSERT_EQ(slab->n_levels, 3u);
    EXPECT_EQ(slm_slab_check_locked(slab), 0u);
    for (size_t n_pages : {4999u, 4096u, 4095u, 64u, 63u, 1u}) {
        void *p = slab.alloc_pages(n_pages);
        ASSERT_NE(p, nullptr);
        EXPECT_EQ(slm_slab_check(slab), 0u);
        EXPECT_EQ(slab.stats().longest_free_run_pages, 5000 - n_pages);
        EXPECT_EQ(slm_slab_free(slab, p), SLM_OK);
    }
    slab->lengths[2][0] ^= 1;
    EXPECT_EQ(slm_slab_check(slab), 9u);
}

} /* namespace */
