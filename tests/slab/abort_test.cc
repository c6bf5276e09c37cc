/* SPDX-License-Identifier: Apache-2.0 */
/* Slab, SLM_CHECKS=3: the call that meets a broken state stops the process, each by its kind. */
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/base/death.h"
#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

constexpr uint32_t kPages = 140; /* more lengths than a word has bits */

/*
 * The class of small chunks has a full span and one with a single used chunk, `neighbour`. Runs:
 *
 *     [run][free run][last run][free to the end, longer than a word of lengths]
 */
struct Scene {
    Scene() : f({4096, 8, 2, 0}, kPages), slab(f.slab)
    {
        must(slm_slab_free(slab, f.partial) == SLM_OK, "free");
        unsigned char *hole = f.slab.alloc_pages(f.run_pages);
        must(hole == f.free_run, "best fit");
        must(slm_slab_free(slab, hole) == SLM_OK, "free the hole");
        must(slab->header->n_free_pages - f.run_pages >= 64, "a long free run");
        span = head_of(f.neighbour);
        run = head_of(f.run);
        free_run = head_of(f.free_run);
        last_run = head_of(f.last_run);
        must(small().partial == span, "a span with free and used chunks");
    }
    uint32_t head_of(const void *p) const
    {
        return static_cast<uint32_t>(f.slab.page_idx(p));
    }
    slab_page &page(uint32_t idx) const
    {
        return slab->pages[idx];
    }
    slab_class &small() const
    {
        return slab->classes[f.small_class];
    }
    /* Where the list of free runs of so many pages starts. */
    uint32_t &first_of(size_t n_pages) const
    {
        return slab->pages[n_pages - 1].first_of_length;
    }
    uint64_t *span_bits() const
    {
        return slab_span_bits(slab, span);
    }

    void alloc_small() const
    {
        (void)slm_slab_alloc(slab, f.small_bytes);
    }
    void alloc_pages(size_t n_pages) const
    {
        (void)f.slab.alloc_pages(n_pages);
    }
    void free(void *p) const
    {
        (void)slm_slab_free(slab, p);
    }

    Furnished f;
    slm_slab *slab;
    uint32_t span, run, free_run, last_run;
};

struct Stop {
    const char *name;
    const char *last_words;
    void (*break_state)(const Scene &s);
    void (*call)(const Scene &s);
};

void alloc_small(const Scene &s)
{
    s.alloc_small();
}

void fill_span(const Scene &s)
{
    while (s.page(s.span).n_free > 0) {
        s.alloc_small();
    }
}

slab_page &page_with_one_free(const Scene &s)
{
    while (s.page(s.span).n_free > 1) {
        s.alloc_small();
    }
    return s.page(s.span);
}

void free_only_chunk(const Scene &s)
{
    s.free(s.f.neighbour);
}

void alloc_free_run(const Scene &s)
{
    s.alloc_pages(s.f.run_pages);
}

void free_first_run(const Scene &s)
{
    s.free(s.f.run);
}

const Stop kStops[] = {
    /* Lists of spans, found at the first use of a link. */
    {"FirstSpanOutOfRange", "broken index in slm_slab_chunk_alloc_partial",
     [](const Scene &s) { s.small().partial = kPages; }, alloc_small},
    {"FirstSpanOfNoClass", "broken page in slm_slab_chunk_alloc_partial",
     [](const Scene &s) { s.small().partial = s.run; }, alloc_small},
    {"ListedSpanWithoutFreeChunks", "broken page in slm_slab_chunk_alloc_partial",
     [](const Scene &s) { s.page(s.span).n_free = 0; }, alloc_small},
    {"SpanLinkedBeforeOneOutOfRange", "broken index in slab_page_list_push",
     [](const Scene &s) { s.small().partial = kPages; },
     [](const Scene &s) { s.free(s.f.full[0]); }},
    {"NextSpanOutOfRange", "broken list in slab_page_list_remove",
     [](const Scene &s) { s.page(s.span).next = kPages; }, free_only_chunk},
    {"NextSpanNotLinkedBack", "broken list in slab_page_list_remove",
     [](const Scene &s) { s.page(s.span).next = s.run; }, free_only_chunk},
    {"SpanBeforeOutOfRange", "broken list in slab_page_list_is",
     [](const Scene &s) { s.page(s.span).prev = kPages; }, free_only_chunk},
    {"SpanBeforeNotLinkedOn", "broken list in slab_page_list_is",
     [](const Scene &s) { s.page(s.span).prev = s.run; }, free_only_chunk},
    {"NextSpanOfAFilledOneOutOfRange", "broken list in slab_page_list_pop",
     [](const Scene &s) { page_with_one_free(s).next = kPages; }, fill_span},
    {"NextSpanOfAFilledOneNotLinkedBack", "broken list in slab_page_list_pop",
     [](const Scene &s) { page_with_one_free(s).next = s.run; }, fill_span},
    {"FilledSpanIsNotTheFirst", "broken list in slab_page_list_pop",
     [](const Scene &s) { page_with_one_free(s).prev = s.run; }, fill_span},
    {"ListStartsElsewhere", "broken list in slab_page_list_remove",
     [](const Scene &s) { s.small().partial = s.run; }, free_only_chunk},

    /* Chunks. */
    {"HintOutOfRange", "broken index in slm_slab_chunk_search",
     [](const Scene &s) {
         s.page(s.span).hint =
             static_cast<uint16_t>(slm_align_up(slab_span_chunks(s.slab, s.page(s.span).word), 64));
     },
     alloc_small},
    {"NoFreeBitWhereSomeAreCounted", "broken bitmap in slm_slab_chunk_search",
     [](const Scene &s) {
         uint32_t n_chunks = slab_span_chunks(s.slab, s.page(s.span).word);
         std::memset(s.span_bits(), 0xff, slm_align_up(n_chunks, 64) / 8);
     },
     alloc_small},

    /* Free runs: bitmaps and lists of their lengths. */
    {"WordOfLengthsEmptied", "broken bitmap in find_length",
     [](const Scene &s) { s.slab->lengths[0][1] = 0; },
     [](const Scene &s) { s.alloc_pages(s.f.run_pages + 1); }},
    {"FirstRunOutOfRange", "broken index in take_run",
     [](const Scene &s) { s.first_of(s.f.run_pages) = kPages; }, alloc_free_run},
    {"FirstRunLongerThanWhatIsLeft", "broken index in take_run",
     [](const Scene &s) { s.first_of(s.f.run_pages) = kPages - 1; }, alloc_free_run},
    {"FirstRunIsUsed", "broken page in take_run",
     [](const Scene &s) { s.first_of(s.f.run_pages) = s.run; }, alloc_free_run},
    {"NextRunOutOfRange", "broken list in slab_page_list_pop",
     [](const Scene &s) { s.page(s.free_run).next = kPages; }, alloc_free_run},
    {"NextRunNotLinkedBack", "broken list in slab_page_list_pop",
     [](const Scene &s) { s.page(s.free_run).next = s.run; }, alloc_free_run},
    {"RunBeforeOutOfRange", "broken list in slab_page_list_pop",
     [](const Scene &s) { s.page(s.free_run).prev = kPages; }, alloc_free_run},
    {"RunBeforeNotLinkedOn", "broken list in slab_page_list_pop",
     [](const Scene &s) { s.page(s.free_run).prev = s.run; }, alloc_free_run},
    {"ListOfRunsStartsElsewhere", "broken list in slab_page_list_remove",
     [](const Scene &s) { s.first_of(s.f.run_pages) = s.run; }, free_first_run},
    {"RunLinkedBeforeOneOutOfRange", "broken index in slab_page_list_push",
     [](const Scene &s) { s.first_of(2 * s.f.run_pages) = kPages; }, free_first_run},
    {"TailLongerThanWhatIsBefore", "broken page in free_before",
     [](const Scene &s) { s.page(s.last_run - 1).word = slab_word(SLAB_TAIL, 0, s.last_run + 1); },
     [](const Scene &s) { s.free(s.f.last_run); }},

    /* The whole check after the call finds what no local assertion sees. */
    {"AllocChecksAll", "in take_shown: number 11", [](const Scene &s) { s.slab->header->n_runs++; },
     alloc_small},
    {"AllocOfARunChecksAll", "in slm_slab_object_alloc: number 11",
     [](const Scene &s) { s.slab->header->n_runs++; }, alloc_free_run},
    {"FreeChecksAll", "in slm_slab_free_locked: number 11",
     [](const Scene &s) { s.slab->header->n_runs++; }, [](const Scene &s) { s.free(s.f.full[0]); }},
    {"FreeOfTheOnlyChunkChecksAll", "in free_last: number 11",
     [](const Scene &s) { s.slab->header->n_runs++; }, free_only_chunk},
    {"FreeOfARunChecksAll", "in slm_slab_run_free: number 11",
     [](const Scene &s) { s.slab->header->n_runs++; }, free_first_run},
    {"TrimEndsAndChecksAll", "in slm_slab_trim: number 11",
     [](const Scene &s) { s.slab->header->n_kept_pages++; },
     [](const Scene &s) { (void)slm_slab_trim(s.slab); }},
};

class SlabAbort : public testing::TestWithParam<Stop> {};

/* The child that dies shares the region, so the test repairs it by hand. */
TEST_P(SlabAbort, StopsTheCallThatMeetsTheBrokenState)
{
    Scene scene;
    std::vector<unsigned char> sound = scene.f.slab.region.snapshot();
    SLM_EXPECT_ABORT(
        {
            GetParam().break_state(scene);
            GetParam().call(scene);
        },
        GetParam().last_words);
    std::memcpy(scene.slab->header, sound.data(), scene.slab->metadata_bytes);
    GetParam().call(scene);
    EXPECT_EQ(slm_slab_check(scene.slab), 0u) << "the call alone is right";
}

INSTANTIATE_TEST_SUITE_P(By, SlabAbort, testing::ValuesIn(kStops),
                         [](const auto &stop) { return std::string(stop.param.name); });

TEST(SlabAbortReset, ResetRepairsABrokenStateAndPassesItsCheck)
{
    Scene scene;
    scene.slab->header->n_runs++;
    ASSERT_NE(slm_slab_check(scene.slab), 0u);
    slm_slab_reset(scene.slab);
    EXPECT_EQ(slm_slab_check(scene.slab), 0u);
}

TEST(SlabAbortGrow, GrowChecksAll)
{
    slm_slab_options options = {};
    Region region(slm_slab_region_bytes(&options, 2 * kPages));
    options.max_bytes = region.bytes();
    size_t first_bytes = slm_slab_region_bytes(&options, kPages);
    ASSERT_EQ(slm_slab_init(region.base(), first_bytes, &options), SLM_OK);
    slm_slab *slab = nullptr;
    ASSERT_EQ(slm_slab_attach(&slab, region.base(), first_bytes, nullptr), SLM_OK);
    View view(slab);
    EXPECT_EQ(slm_slab_grow_locked(slab, first_bytes + 4096), kPages + 1);
    SLM_EXPECT_ABORT(
        {
            slab->header->n_runs++;
            (void)slm_slab_grow_locked(slab, first_bytes + 8192);
        },
        "in slm_slab_grow_locked: number 11");
}

void PrintTo(const Stop &stop, std::ostream *out)
{
    *out << stop.name;
}

} // namespace
