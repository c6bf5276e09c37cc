/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: formatting, attaching, classes. */
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/slab/fixture.h"
#include <slabmill/source.h>

namespace {

using namespace slabtest;

std::vector<slm_slab_options> wrong_options()
{
    std::vector<slm_slab_options> wrong;
    for (size_t page : {size_t{1}, size_t{512}, size_t{2048}, size_t{4095}, size_t{4097},
                        size_t{8192}, size_t{32768}, size_t{131072}, SIZE_MAX}) {
        wrong.push_back({page, 8, 1, 0, nullptr, 0});
    }
    for (size_t min : {size_t{1}, size_t{4}, size_t{7}, size_t{9}, size_t{24}, size_t{48},
                       size_t{128}, size_t{4096}, SIZE_MAX}) {
        wrong.push_back({4096, min, 1, 0, nullptr, 0});
    }
    for (unsigned per_doubling : {3u, 5u, 6u, 7u, 12u, 15u, 17u, 32u, 0x80000000u, UINT32_MAX}) {
        wrong.push_back({4096, 8, per_doubling, 0, nullptr, 0});
    }
    for (size_t gap : {size_t{65}, size_t{4096}, size_t{1} << 32, SIZE_MAX}) {
        wrong.push_back({4096, 8, 1, gap, nullptr, 0});
    }
    return wrong;
}

slab_header *header_of(const Region &region)
{
    return reinterpret_cast<slab_header *>(region.base());
}

/* Pages of a slab formatted over that many bytes; 0 if they are too few. */
size_t pages_in(const Region &region, size_t bytes, const Geometry &geometry)
{
    slm_slab_options options = geometry.options();
    slm_status status = slm_slab_init(region.base(), bytes, &options);
    EXPECT_TRUE(status == SLM_OK || status == SLM_E_SIZE);
    return status == SLM_OK ? header_of(region)->shape.max_pages : 0;
}

/* --- region_bytes --- */

class SlabRegionBytes : public testing::TestWithParam<Geometry> {};

TEST_P(SlabRegionBytes, IsTheLeastThatHoldsThePages)
{
    slm_slab_options options = GetParam().options();
    for (size_t n : {1u, 2u, 3u, 15u, 16u, 31u, 62u, 63u, 64u, 65u, 127u, 128u, 129u, 255u, 256u,
                     257u, 700u}) {
        size_t bytes = slm_slab_region_bytes(&options, n);
        ASSERT_NE(bytes, 0u);
        ASSERT_EQ(bytes % kAlign, 0u);
        Region region(bytes);
        EXPECT_EQ(pages_in(region, bytes, GetParam()), n);
        EXPECT_EQ(pages_in(region, bytes - kAlign, GetParam()), n - 1);
    }
}

TEST_P(SlabRegionBytes, MoreBytesNeverHoldFewerPages)
{
    Region region(Slab::needed(GetParam(), 150));
    size_t n_before = 0;
    for (size_t bytes = 0; bytes <= region.bytes(); bytes += 1 + bytes / 1000) {
        size_t n = pages_in(region, bytes, GetParam());
        ASSERT_GE(n, n_before) << bytes << " bytes";
        n_before = n;
    }
    EXPECT_GE(n_before, 149u);
}

INSTANTIATE_TEST_SUITE_P(Every, SlabRegionBytes, testing::ValuesIn(every_geometry()), name_of);

TEST(SlabRegionBytes, IsZeroForWrongOptions)
{
    for (const slm_slab_options &options : wrong_options()) {
        EXPECT_EQ(slm_slab_region_bytes(&options, 16), 0u);
    }
}

TEST(SlabRegionBytes, IsZeroForNoPages)
{
    EXPECT_EQ(slm_slab_region_bytes(nullptr, 0), 0u);
}

/* It returns no size that init refuses, with more than 2^31 pages, and none that wraps. */
TEST(SlabRegionBytes, IsZeroForSizesThatInitRefuses)
{
    for (size_t n : {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 4096, SIZE_MAX / 4096 + 1, size_t{1} << 52,
                     size_t{1} << 32, (size_t{1} << 31) + 1, size_t{1} << 31, (size_t{1} << 31) - 1,
                     (size_t{1} << 31) - 1000}) {
        EXPECT_EQ(slm_slab_region_bytes(nullptr, n), 0u) << n;
    }
    size_t most = size_t{1} << 30;
    for (size_t step = most / 2; step > 0; step /= 2) {
        most += slm_slab_region_bytes(nullptr, most + step) != 0 ? step : 0;
    }
    EXPECT_LT(slm_slab_region_bytes(nullptr, most) / 4096, size_t{1} << 31);
    EXPECT_GT(slm_slab_region_bytes(nullptr, most) / 4096, (size_t{1} << 31) - 1000);
}

TEST(SlabRegionBytes, NullOptionsAreTheDefaults)
{
    slm_slab_options spelled = {4096, 8, 1, 0, nullptr, 0};
    slm_slab_options zeros = {};
    EXPECT_EQ(slm_slab_region_bytes(nullptr, 77), slm_slab_region_bytes(&spelled, 77));
    EXPECT_EQ(slm_slab_region_bytes(nullptr, 77), slm_slab_region_bytes(&zeros, 77));
}

/* --- init --- */

void fill_with_garbage(const Region &region)
{
    std::memset(region.base(), 0xa5, region.bytes());
}

void expect_refused(slm_status expected, size_t shift, size_t bytes,
                    const slm_slab_options *options)
{
    Region region(1 << 18);
    fill_with_garbage(region);
    std::vector<unsigned char> before = region.snapshot();
    EXPECT_EQ(slm_slab_init(region.base() + shift, bytes, options), expected)
        << "at " << shift << ", " << bytes << " bytes";
    EXPECT_EQ(region.first_change(before), kUnchanged);
}

TEST(SlabInit, RefusesNull)
{
    EXPECT_EQ(slm_slab_init(nullptr, 1 << 18, nullptr), SLM_E_NULL);
}

TEST(SlabInit, RefusesMisalignedRegionAndWritesNothing)
{
    for (size_t shift : {1u, 8u, 64u, 512u, 2048u, 4095u}) {
        expect_refused(SLM_E_ALIGN, shift, 1 << 17, nullptr);
    }
}

TEST(SlabInit, RefusesWrongOptionsAndWritesNothing)
{
    for (const slm_slab_options &options : wrong_options()) {
        expect_refused(SLM_E_OPTION, 0, 1 << 18, &options);
    }
}

TEST(SlabInit, RefusesRegionTooSmallForOnePageAndWritesNothing)
{
    size_t least = slm_slab_region_bytes(nullptr, 1);
    for (size_t bytes = 0; bytes < least; bytes += bytes < 1024 ? 1 : 97) {
        expect_refused(SLM_E_SIZE, 0, bytes, nullptr);
    }
    expect_refused(SLM_E_SIZE, 0, least - 1, nullptr);
}

TEST(SlabInit, RefusesMoreThan2To31PagesAndWritesNothing)
{
    expect_refused(SLM_E_SIZE, 0, SIZE_MAX, nullptr);
    expect_refused(SLM_E_SIZE, 0, SIZE_MAX - 4095, nullptr);
    expect_refused(SLM_E_SIZE, 0, size_t{1} << 62, nullptr);
    expect_refused(SLM_E_SIZE, 0, (size_t{1} << 43) + 4096, nullptr);
}

TEST(SlabInit, NullAndZeroOptionsMakeTheSameImageAsTheDefaultsSpelledOut)
{
    Region region(1 << 18);
    ASSERT_EQ(slm_slab_init(region.base(), region.bytes(), nullptr), SLM_OK);
    std::vector<unsigned char> expected = region.snapshot();
    slm_slab_options spelled = {4096, 8, 1, 0, "", 0};
    slm_slab_options zeros = {};
    for (const slm_slab_options *options : {&spelled, &zeros}) {
        ASSERT_EQ(slm_slab_init(region.base(), region.bytes(), options), SLM_OK);
        EXPECT_EQ(region.first_change(expected), kUnchanged);
    }
}

TEST(SlabInit, LosesTheFormerContentsOfTheRegion)
{
    Region clean(1 << 18);
    Region dirty(1 << 18);
    fill_with_garbage(dirty);
    ASSERT_EQ(slm_slab_init(clean.base(), clean.bytes(), nullptr), SLM_OK);
    ASSERT_EQ(slm_slab_init(dirty.base(), dirty.bytes(), nullptr), SLM_OK);
    View view = attach(dirty);
    EXPECT_EQ(std::memcmp(clean.base(), dirty.base(), view->metadata_bytes), 0);
    EXPECT_EQ(slm_slab_check(view.get()), 0u);
}

class SlabInitEvery : public testing::TestWithParam<Geometry> {};

TEST_P(SlabInitEvery, GivesASoundSlabWithEveryPageFree)
{
    for (size_t n : {1u, 2u, 17u, 200u}) {
        Slab slab(GetParam(), n);
        struct slm_slab_stats stats = slab.stats();
        EXPECT_EQ(slm_slab_check(slab), 0u);
        EXPECT_EQ(stats.page_bytes, GetParam().page_bytes);
        EXPECT_EQ(stats.n_pages, n);
        EXPECT_EQ(stats.n_free_pages, n);
        EXPECT_EQ(stats.longest_free_run_pages, n);
        EXPECT_EQ(stats.n_kept_pages + stats.n_runs + stats.n_run_pages, 0u);
        EXPECT_EQ(stats.run_requests + stats.run_failures + stats.peak_used_pages, 0u);
        EXPECT_LE(stats.metadata_bytes + n * stats.page_bytes, slab.region.bytes());
        EXPECT_EQ(slm_slab_root(slab), nullptr);
    }
}

INSTANTIATE_TEST_SUITE_P(Every, SlabInitEvery, testing::ValuesIn(every_geometry()), name_of);

/* --- attach --- */

class SlabAttach : public testing::Test {
  protected:
    SlabAttach() : region(1 << 18)
    {
        must(slm_slab_init(region.base(), region.bytes(), nullptr) == SLM_OK, "init");
    }
    void expect_refused(slm_status expected, void *base, size_t bytes,
                        const slm_slab_view *view = nullptr)
    {
        slm_slab *slab = reinterpret_cast<slm_slab *>(this);
        std::vector<unsigned char> before = region.snapshot();
        EXPECT_EQ(slm_slab_attach(&slab, base, bytes, view), expected);
        EXPECT_EQ(slab, nullptr);
        EXPECT_EQ(region.first_change(before), kUnchanged);
    }
    Region region;
};

TEST_F(SlabAttach, RefusesNull)
{
    EXPECT_EQ(slm_slab_attach(nullptr, region.base(), region.bytes(), nullptr), SLM_E_NULL);
    expect_refused(SLM_E_NULL, nullptr, region.bytes());
}

TEST_F(SlabAttach, RefusesMisalignedRegion)
{
    for (size_t shift : {1u, 8u, 2048u, 4095u}) {
        expect_refused(SLM_E_ALIGN, region.base() + shift, region.bytes() - 4096);
    }
}

TEST_F(SlabAttach, RefusesRegionSmallerThanTheImageSays)
{
    for (size_t bytes : {size_t{0}, size_t{1}, sizeof(slab_header) - 1, sizeof(slab_header),
                         size_t{4096}, region.bytes() - 4096, region.bytes() - 1}) {
        expect_refused(SLM_E_SIZE, region.base(), bytes);
    }
}

TEST_F(SlabAttach, RefusesRegionThatWasNeverFormatted)
{
    for (int filling : {0, 0x5a, 0xff}) {
        std::memset(region.base(), filling, region.bytes());
        expect_refused(SLM_E_IMAGE, region.base(), region.bytes());
    }
}

TEST_F(SlabAttach, RefusesLockWithoutUnlockAndTheReverse)
{
    slm_slab_view view = {};
    view.lock = CountedLock::lock;
    expect_refused(SLM_E_OPTION, region.base(), region.bytes(), &view);
    view.lock = nullptr;
    view.unlock = CountedLock::unlock;
    expect_refused(SLM_E_OPTION, region.base(), region.bytes(), &view);
}

TEST_F(SlabAttach, FailsWithoutMemoryForTheView)
{
    slm_source_failing failing;
    slm_source_failing_init(&failing, slm_source_heap());
    failing.fail_at = 1;
    failing.fail_count = 1;
    slm_slab_view view = {};
    view.source = &failing.source;
    expect_refused(SLM_E_NOMEM, region.base(), region.bytes(), &view);
    EXPECT_NE(attach(region, &view), nullptr);
}

TEST_F(SlabAttach, AllocatesTheViewFromItsSourceAndDetachFreesIt)
{
    slm_source_counting counting;
    slm_source_counting_init(&counting, slm_source_heap());
    slm_slab_view view = {};
    view.source = &counting.source;
    attach(region, &view);
    EXPECT_EQ(counting.n_alloc, 1u);
    EXPECT_EQ(counting.n_free, 1u);
    EXPECT_EQ(counting.live_bytes, 0u);
}

TEST_F(SlabAttach, OnlyReadsTheRegion)
{
    region.protect(PROT_READ);
    View view = attach(region);
    EXPECT_EQ(slm_slab_check(view.get()), 0u);
}

TEST_F(SlabAttach, OpensARegionThatIsLongerThanTheImage)
{
    Region longer(region.bytes() + 8192);
    ASSERT_EQ(slm_slab_init(longer.base(), region.bytes(), nullptr), SLM_OK);
    EXPECT_EQ(attach(longer)->shape.region_bytes, region.bytes());
}

TEST_F(SlabAttach, FindsTheObjectsOfTheImage)
{
    void *p = nullptr;
    {
        View first = attach(region);
        p = slm_slab_alloc(first.get(), 100);
        ASSERT_NE(p, nullptr);
        std::memset(p, 0x77, 100);
        ASSERT_EQ(slm_slab_set_root(first.get(), p), SLM_OK);
    }
    View second = attach(region);
    EXPECT_EQ(slm_slab_check(second.get()), 0u);
    ASSERT_EQ(slm_slab_root(second.get()), p);
    EXPECT_EQ(static_cast<unsigned char *>(p)[99], 0x77);
    EXPECT_EQ(slm_slab_free(second.get(), p), SLM_OK);
}

TEST(SlabOptions, AreTheSlabsOwnOnlyIfAllThatIsStoredAgrees)
{
    const Geometry own = {4096, 16, 4, 8};
    Slab slab(own, 16);
    slm_slab_options same = own.options("another name");
    same.max_bytes = SIZE_MAX;
    EXPECT_TRUE(slm_slab_has_options(slab, &same));
    for (Geometry other : {Geometry{16384, 16, 4, 8}, Geometry{4096, 8, 4, 8},
                           Geometry{4096, 16, 8, 8}, Geometry{4096, 16, 4, 16}}) {
        slm_slab_options options = other.options();
        EXPECT_FALSE(slm_slab_has_options(slab, &options)) << spell(other);
    }
    for (const slm_slab_options &wrong : wrong_options()) {
        EXPECT_FALSE(slm_slab_has_options(slab, &wrong));
    }
}

TEST(SlabOptions, ThatAreZeroAgreeWithWhatIsStored)
{
    Slab slab({16384, 16, 4, 8}, 16);
    slm_slab_options options{};
    EXPECT_TRUE(slm_slab_has_options(slab, nullptr));
    EXPECT_TRUE(slm_slab_has_options(slab, &options));
    options.per_doubling = 4;
    EXPECT_TRUE(slm_slab_has_options(slab, &options));
    options.page_bytes = 4096;
    EXPECT_FALSE(slm_slab_has_options(slab, &options));
}

TEST(SlabDetach, IgnoresNull)
{
    slm_slab_detach(nullptr);
}

/* --- Classes --- */

class SlabClasses : public testing::TestWithParam<Geometry> {
  protected:
    /* Enough pages for classes of eight. */
    SlabClasses() : slab(GetParam(), 140)
    {
        for (unsigned i = 0; i < slab.stats().n_classes; i++) {
            chunks.push_back(slab.class_stats(i).chunk_bytes);
        }
    }
    /* Most that is lost in a chunk, per cent of the size asked for, over sizes from `least` on. */
    double worst_waste(size_t least) const
    {
        double worst = 0;
        for (size_t i = 1; i < chunks.size(); i++) {
            size_t size = std::max(chunks[i - 1] + 1, least);
            if (size <= chunks[i]) {
                double lost = static_cast<double>(chunks[i] - size);
                worst = std::max(worst, 100 * lost / static_cast<double>(size));
            }
        }
        return worst;
    }
    Slab slab;
    std::vector<size_t> chunks;
};

TEST_P(SlabClasses, AreEqualPartsOfEachDoublingButNeverCloserThanTheSmallestObject)
{
    size_t limit = slab.region.bytes() / 16;
    size_t largest = std::max(slab.page_bytes() / 2, std::min(limit, 8 * slab.page_bytes()));
    if (GetParam().per_doubling == 1) {
        largest = slab.page_bytes() / 2;
    }
    std::vector<size_t> expected;
    for (size_t doubling = GetParam().min_object_bytes; doubling <= largest; doubling *= 2) {
        size_t step = std::max(doubling / GetParam().per_doubling, GetParam().min_object_bytes);
        for (size_t bytes = doubling; bytes < 2 * doubling && bytes <= largest; bytes += step) {
            expected.push_back(bytes);
        }
    }
    EXPECT_EQ(chunks, expected);
    ASSERT_LE(chunks.size(), SLM_SLAB_CLASSES_MAX);
}

TEST_P(SlabClasses, EverySizeBelongsToTheSmallestClassThatHoldsItWithItsGap)
{
    size_t class_idx = 0;
    for (size_t size = 0; size <= chunks.back() + 100; size++) {
        size_t bytes = std::max<size_t>(size, 1) + GetParam().gap_bytes;
        while (class_idx < chunks.size() && chunks[class_idx] < bytes) {
            class_idx++;
        }
        int expected = class_idx < chunks.size() ? static_cast<int>(class_idx) : -1;
        ASSERT_EQ(slm_slab_class_of(slab, size), expected) << size;
    }
    for (size_t below = 0; below <= GetParam().gap_bytes + 1; below++) {
        EXPECT_EQ(slm_slab_class_of(slab, SIZE_MAX - below), -1);
    }
}

/* Of a size above the first that has full steps: less than one step of its doubling. */
TEST_P(SlabClasses, LoseLessThanOnePartOfADoubling)
{
    size_t full_steps = GetParam().per_doubling * GetParam().min_object_bytes;
    double worst = worst_waste(std::max<size_t>(65, full_steps));
    RecordProperty("worst_waste_per_cent_above_64_bytes", std::to_string(worst_waste(65)));
    RecordProperty("worst_waste_per_cent_at_full_steps", std::to_string(worst));
    EXPECT_LT(worst, 100.0 / GetParam().per_doubling);
    if (GetParam().per_doubling == 8 && GetParam().min_object_bytes == 8) {
        EXPECT_LT(worst_waste(65), 12.5);
    }
}

/* The reciprocal that finds a chunk's index is exact for every address. */
TEST_P(SlabClasses, ChunkIndexIsTheExactQuotientAtEveryOffset)
{
    for (size_t i = 0; i < chunks.size(); i++) {
        const slab_cut *cut = &slab->cuts[i];
        size_t span_bytes = cut->span_pages * slab.page_bytes();
        for (size_t start = 0; start <= span_bytes; start += chunks[i]) {
            ASSERT_EQ(slab_cut_idx(cut, start), start / chunks[i]) << chunks[i];
            ASSERT_EQ(slab_cut_idx(cut, start + chunks[i] - 1), start / chunks[i]) << chunks[i];
        }
        ASSERT_EQ(slab_cut_idx(cut, span_bytes), span_bytes / chunks[i]);
    }
}

TEST_P(SlabClasses, SpansHoldAChunkAndLoseLittleAfterTheLast)
{
    for (unsigned i = 0; i < chunks.size(); i++) {
        struct slm_slab_class_stats stats = slab.class_stats(i);
        size_t span_bytes = stats.span_pages * slab.page_bytes();
        EXPECT_GE(span_bytes, chunks[i]);
        EXPECT_LE(stats.span_pages, std::max<size_t>(SLAB_SPAN_PAGES_MAX, slab->cuts[i].min_pages));
        EXPECT_LE(span_bytes % chunks[i], span_bytes / 4) << chunks[i];
        if (GetParam().per_doubling == 1) {
            EXPECT_EQ(stats.span_pages, 1u) << "a page serves one class";
        }
    }
}

TEST_P(SlabClasses, StatsRefuseAWrongIndexAndNull)
{
    struct slm_slab_class_stats stats;
    unsigned n = slab.stats().n_classes;
    EXPECT_EQ(slm_slab_get_class_stats(slab, n, &stats), SLM_E_SIZE);
    EXPECT_EQ(slm_slab_get_class_stats(slab, UINT32_MAX, &stats), SLM_E_SIZE);
    EXPECT_EQ(slm_slab_get_class_stats(nullptr, 0, &stats), SLM_E_NULL);
    EXPECT_EQ(slm_slab_get_class_stats(slab, 0, nullptr), SLM_E_NULL);
}

INSTANTIATE_TEST_SUITE_P(Every, SlabClasses, testing::ValuesIn(every_geometry()), name_of);

} /* namespace */
