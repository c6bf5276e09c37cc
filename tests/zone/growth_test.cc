/* SPDX-License-Identifier: Apache-2.0 */
/* Another process grows the zone while this one attaches or looks at it: at each yield point. */
#include <functional>

#include "tests/zone/fixture.h"

extern "C" {
#include "allocator/base/yield.h"
#include "allocator/slab/view.h"
}

namespace {

using namespace slm_test;

/* Grows a zone by one page at the yield point with that number, counted from 1. */
struct Growth {
    slm_zone *zone = nullptr;
    unsigned at = 0;
    unsigned n_points = 0;
    bool has_happened = false;
};

Growth growth;

void grow_at_the_point(const char *)
{
    if (++growth.n_points == growth.at) {
        slm_yield_hook = nullptr;
        growth.has_happened = true;
        slm_error error;
        EXPECT_EQ(slm_zone_grow(growth.zone, growth.zone->header->bytes + 4096, &error), SLM_OK)
            << error.text;
    }
}

/* Runs act once for each of its yield points, and grows the zone there; verify follows each time. */
void grow_at_each_point(slm_zone *zone, const std::function<void()> &act,
                        const std::function<void()> &verify)
{
    do {
        growth = {zone, growth.at + 1, 0, false};
        slm_yield_hook = grow_at_the_point;
        act();
        slm_yield_hook = nullptr;
        verify();
    } while (growth.has_happened);
    EXPECT_GT(growth.at, 1u) << "no yield point";
    growth.at = 0;
}

/* Whether all pages that the handle's view knows are mapped. */
bool knows_only_what_is_mapped(const slm_zone *zone)
{
    const slm_slab *slab = zone->slab;
    size_t end = zone->fixed.slab_offset + slab->metadata_bytes +
                 (size_t{slab->n_pages} << slab->shape.page_shift);
    return end <= slm_segment_bytes(zone->segment);
}

TEST(ZoneGrowth, DuringAttachIsSeenNowOrAtTheFirstLock)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        ZoneOptions all;
        Zone first;
        ASSERT_EQ(first.create(all.of(kind)), SLM_OK) << first.error.text;
        Zone second;
        auto attach = [&] { (void)second.attach(all.to_attach(first)); };
        grow_at_each_point(first, attach, [&] {
            ASSERT_TRUE(second.zone != nullptr) << second.error.text << ", point " << growth.at;
            EXPECT_TRUE(knows_only_what_is_mapped(second)) << "point " << growth.at;
            EXPECT_EQ(push_alone(second, growth.at), SLM_OK);
            EXPECT_EQ(second.zone->slab->n_pages, first.zone->slab->n_pages);
            EXPECT_EQ(check_alone(second), 0u);
            second.detach();
        });
        EXPECT_EQ(check_alone(first), 0u);
    }
}

TEST(ZoneGrowth, DuringTheCheckOfAReadOnlyHandleNeverLeadsPastItsMapping)
{
    ZoneOptions all;
    Zone first;
    ASSERT_EQ(first.create(all.of(SLM_SEGMENT_POSIX)), SLM_OK) << first.error.text;
    slm_zone_attach_options options = all.to_attach(first);
    options.segment.read_only = true;
    Zone reader;
    ASSERT_EQ(reader.attach(options), SLM_OK) << reader.error.text;
    auto check = [&] { (void)slm_zone_check_locked(reader); };
    grow_at_each_point(first, check, [&] {
        EXPECT_TRUE(knows_only_what_is_mapped(reader)) << "point " << growth.at;
    });
    EXPECT_EQ(slm_zone_check_locked(reader), 0u) << "nothing changes any more";
}

/* What another process added cannot be mapped. Without a growth the file is not needed. */
TEST(ZoneGrowth, OfAZoneWhoseDescriptorIsLostIsRefusedByTheNextLock)
{
    ZoneOptions all;
    Zone grower, other;
    ASSERT_EQ(grower.create(all.of(SLM_SEGMENT_FILE)), SLM_OK) << grower.error.text;
    ASSERT_EQ(other.attach(all.to_attach(grower)), SLM_OK) << other.error.text;
    ASSERT_EQ(close(slm_segment_id(slm_zone_segment(other))), 0);
    EXPECT_EQ(push_alone(other, 1), SLM_OK);
    ASSERT_EQ(slm_zone_grow(grower, kZoneMaxBytes, nullptr), SLM_OK);
    EXPECT_EQ(slm_zone_lock(other), SLM_E_STATE);
    EXPECT_EQ(slm_zone_trylock(other), SLM_E_STATE);
    EXPECT_EQ(slm_zone_timedlock(other, 5), SLM_E_STATE);
    EXPECT_EQ(push_alone(grower, 2), SLM_OK);
}

} // namespace
