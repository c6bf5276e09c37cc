/* SPDX-License-Identifier: Apache-2.0 */
/* slm_zone_bytes_for: zones of the length that it returns are made and filled. */
#include "tests/zone/fixture.h"

#include <string>
#include <tuple>

using namespace slm_test;

namespace {

constexpr size_t kMostBytes = 8 << 20; /* of a zone that is made */

/* Objects of that size that a new zone holds, but no more than `most`; -1: it cannot be made. */
int fill(slm_zone_options options, size_t bytes, size_t object_bytes, int most)
{
    options.bytes = bytes;
    Zone zone;
    if (zone.create(options) != SLM_OK) {
        return -1;
    }
    int n = 0;
    while (n < most && slm_zone_alloc(zone, object_bytes, nullptr) != nullptr) {
        n++;
    }
    return n;
}

slm_zone_options anonymous(const slm_slab_options &slab)
{
    slm_zone_options options{};
    options.name = "filled";
    options.slab = slab;
    options.segment.kind = SLM_SEGMENT_ANONYMOUS;
    return options;
}

/* page_bytes, per_doubling, min_object_bytes, gap_bytes, max_bytes */
using Shape = std::tuple<size_t, unsigned, size_t, size_t, size_t>;

class ZoneBytesFor : public testing::TestWithParam<Shape> {
  protected:
    slm_zone_options options() const
    {
        auto [page, per_doubling, min, gap, max] = GetParam();
        slm_zone_options options = anonymous({page, min, per_doubling, gap, nullptr, 0});
        options.max_bytes = max;
        return options;
    }

    void expect_exact(const slm_zone_options &with, size_t object_bytes, int n)
    {
        SCOPED_TRACE(std::to_string(n) + " of " + std::to_string(object_bytes));
        size_t bytes = slm_zone_bytes_for(&with, object_bytes, static_cast<size_t>(n));
        ASSERT_GE(bytes, SLM_ZONE_BYTES_MIN);
        EXPECT_EQ(bytes % 4096, 0u);
        if (bytes > kMostBytes) {
            return;
        }
        EXPECT_EQ(fill(with, bytes, object_bytes, n), n);
        if (bytes > SLM_ZONE_BYTES_MIN) {
            auto unit = static_cast<size_t>(sysconf(_SC_PAGESIZE));
            EXPECT_LT(fill(with, bytes - unit, object_bytes, n), n);
            n_exact++;
        }
        n_filled++;
    }

    int n_filled = 0;
    int n_exact = 0;
};

TEST_P(ZoneBytesFor, SoManyFitAndAPageLessIsTooShort)
{
    for (size_t object_bytes : {0u, 1u, 33u, 100u, 129u, 500u, 1500u, 2048u, 2049u, 4096u, 9000u,
                                12000u, 20000u, 33000u}) {
        for (int n : {1, 10, 77, 300}) {
            slm_zone_options with = options();
            with.journal_entries = n == 77 ? 5000 : 0;
            expect_exact(with, object_bytes, n);
        }
    }
    EXPECT_GE(n_filled, 14 * 3);
    EXPECT_GE(n_exact, 14);
}

INSTANTIATE_TEST_SUITE_P(Shapes, ZoneBytesFor,
                         testing::Combine(testing::Values(size_t{4096}, size_t{65536}),
                                          testing::Values(0u, 1u, 2u, 8u, 16u),
                                          testing::Values(size_t{8}, size_t{64}),
                                          testing::Values(size_t{0}, size_t{9}),
                                          testing::Values(size_t{0}, size_t{64} << 20)));

TEST(ZoneBytesForLimits, ManyObjectsFitInAZoneThatIsLittleLongerThanTheyAre)
{
    slm_zone_options options = anonymous({0, 64, 8, 0, nullptr, 0});
    const size_t objects_bytes = size_t{64} * 1000000;
    size_t bytes = slm_zone_bytes_for(&options, 64, 1000000);
    EXPECT_GT(bytes, objects_bytes);
    EXPECT_LT(bytes, objects_bytes + objects_bytes / 32);
}

TEST(ZoneBytesForLimits, WhatFitsInNoZoneIsZero)
{
    slm_zone_options options = anonymous({});
    EXPECT_EQ(slm_zone_bytes_for(&options, SIZE_MAX, 1), 0u);
    EXPECT_EQ(slm_zone_bytes_for(&options, 64, SIZE_MAX), 0u);
    EXPECT_EQ(slm_zone_bytes_for(&options, SIZE_MAX, SIZE_MAX), 0u);
    options.max_bytes = 1 << 20;
    EXPECT_NE(slm_zone_bytes_for(&options, 64, 10000), 0u);
    EXPECT_LE(slm_zone_bytes_for(&options, 64, 10000), size_t{1} << 20);
    EXPECT_EQ(slm_zone_bytes_for(&options, 64, 20000), 0u);
    options.max_bytes = SIZE_MAX;
    EXPECT_EQ(slm_zone_bytes_for(&options, 64, 1), 0u);
    options.max_bytes = 1;
    EXPECT_EQ(slm_zone_bytes_for(&options, 64, 1), 0u);
}

TEST(ZoneBytesForLimits, AnOptionThatIsNotAllowedIsZero)
{
    const slm_slab_options wrong[] = {
        {5000, 0, 0, 0, nullptr, 0},
        {0, 7, 0, 0, nullptr, 0},
        {0, 0, 3, 0, nullptr, 0},
        {0, 0, 0, 65, nullptr, 0},
    };
    for (const slm_slab_options &slab : wrong) {
        slm_zone_options options = anonymous(slab);
        EXPECT_EQ(slm_zone_bytes_for(&options, 64, 1), 0u);
    }
    slm_zone_options options = anonymous({});
    options.journal_entries = SLM_JOURNAL_ENTRIES_MIN - 1;
    EXPECT_EQ(slm_zone_bytes_for(&options, 64, 1), 0u);
}

/* The table in zone.h. Zones with all the metadata that 4 GiB need would take 200 MiB. */
TEST(ZoneMetadata, TakesWhatTheHeaderSays)
{
    struct Row {
        slm_slab_options slab;
        size_t kib[3];
    };
    const Row rows[] = {
        {{0, 0, 0, 0, nullptr, 0}, {24, 348, 5524}},
        {{4096, 16, 8, 0, nullptr, 0}, {16, 228, 3548}},
        {{4096, 64, 8, 0, nullptr, 0}, {12, 132, 2044}},
        {{16384, 16, 8, 0, nullptr, 0}, {12, 156, 2416}},
        {{65536, 64, 8, 0, nullptr, 0}, {8, 44, 612}},
    };
    for (const Row &row : rows) {
        for (int i = 0; i < 3; i++) {
            slm_zone_options options = anonymous(row.slab);
            options.max_bytes = size_t{1 << 20} << 4 * i;
            options.bytes = slm_zone_bytes_for(&options, 1, 1);
            Zone zone;
            ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
            slm_slab_stats stats;
            slm_slab_get_stats(slm_zone_slab(zone), &stats);
            EXPECT_EQ(stats.metadata_bytes / 1024, row.kib[i]);
        }
    }
}

/* The number at the end of the text. */
size_t named_in(const slm_error &error)
{
    const char *number = strstr(error.text, "the smallest that will do is ");
    return number == nullptr ? 0 : strtoull(strrchr(number, ' ') + 1, nullptr, 10);
}

void expect_smallest_is_named(slm_zone_options options, int *n_named)
{
    Zone refused, accepted, shorter;
    auto unit = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    options.bytes = SLM_ZONE_BYTES_MIN;
    if (refused.create(options) == SLM_OK) {
        return;
    }
    options.bytes = named_in(refused.error);
    ASSERT_GT(options.bytes, SLM_ZONE_BYTES_MIN) << refused.error.text;
    EXPECT_EQ(accepted.create(options), SLM_OK) << accepted.error.text;
    options.bytes -= unit;
    EXPECT_EQ(shorter.create(options), SLM_E_SIZE) << options.bytes;
    EXPECT_EQ(named_in(shorter.error), options.bytes + unit) << shorter.error.text;
    (*n_named)++;
}

TEST_P(ZoneBytesFor, AZoneTooShortForItsMaxNamesTheSmallestBytesThatWillDo)
{
    int n_named = 0;
    for (unsigned n_entries : {0u, 5000u, 100000u}) {
        for (size_t max_bytes : {size_t{0}, size_t{8} << 20, size_t{100} << 20, size_t{1} << 30}) {
            slm_zone_options with = options();
            with.journal_entries = n_entries;
            with.max_bytes = max_bytes;
            expect_smallest_is_named(with, &n_named);
        }
    }
    EXPECT_GE(n_named, 9);
}

TEST(ZoneBytesForLimits, AJournalTooLongForTheMaxIsRefusedWithoutANumber)
{
    slm_zone_options options = anonymous({});
    options.journal_entries = 65536;
    options.bytes = SLM_ZONE_BYTES_MIN;
    options.max_bytes = 1 << 20;
    Zone zone;
    EXPECT_EQ(zone.create(options), SLM_E_SIZE);
    EXPECT_STREQ(zone.error.text, "zone filled: bytes 65536 are too few for journal_entries 65536, "
                                  "and so are those of max_bytes 1048576");
}

TEST(ZoneBytesForLimits, NoObjectsTakeTheShortestZone)
{
    slm_zone_options options = anonymous({});
    EXPECT_EQ(slm_zone_bytes_for(&options, 64, 0), SLM_ZONE_BYTES_MIN);
    EXPECT_EQ(slm_zone_bytes_for(&options, 0, 0), SLM_ZONE_BYTES_MIN);
}

} // namespace
