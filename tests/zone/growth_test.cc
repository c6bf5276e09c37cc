/* SPDX-License-Identifier: Apache-2.0 */
/* Another process grows the zone while this one attaches or looks at it: at each yield point. */
#include <functional>
#include <linux/magic.h>

#include "tests/segment/hooks.h"
#include "tests/zone/set_fixture.h"

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

/* A machine with less memory than the zone has after its growth, and a file on a disk. */
class ZoneGrowthOnADisk : public testing::Test {
  protected:
    ZoneGrowthOnADisk()
    {
        slm_segment_sys.file_system = [](int, uint32_t *type) {
            *type = EXT4_SUPER_MAGIC;
            return 0;
        };
        slm_segment_sys.read_file = [](const char *path, char *text, size_t n_bytes) -> ssize_t {
            const std::string memory = "MemTotal: 1024 kB\nSwapTotal: 0 kB\n";
            return strcmp(path, "/proc/meminfo") != 0
                       ? -1
                       : static_cast<ssize_t>(memory.copy(text, n_bytes));
        };
    }
    /* Grows the zone to that length in each way that there is; all return the same. */
    void expect_of_growth_to(size_t bytes, slm_status expected, const char *text)
    {
        Zone zone;
        slm_zone_options options = all.of(SLM_SEGMENT_FILE);
        options.bytes = bytes;
        EXPECT_EQ(slm_zone_open(&zone.zone, &options, nullptr, &zone.error), expected);
        EXPECT_NE(strstr(zone.error.text, text), nullptr) << zone.error.text;
        zone.detach();
        Inits inits;
        Set set;
        options.bytes = bytes + kZoneBytes;
        EXPECT_EQ(set.apply({inits.declare(options)}), expected);
        EXPECT_NE(strstr(set.error.text, text), nullptr) << set.error.text;
    }

    KeepCalls keep;
    ZoneOptions all{kZoneBytes, 8 * kZoneMaxBytes};
};

TEST_F(ZoneGrowthOnADisk, ByOpenOrAReloadIsNotLimitedByTheMemory)
{
    Zone zone;
    ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_FILE)), SLM_OK) << zone.error.text;
    expect_of_growth_to(2 * kZoneMaxBytes, SLM_OK, "");
    EXPECT_EQ(slm_zone_grow(zone, 3 * kZoneMaxBytes, &zone.error), SLM_OK) << zone.error.text;
    EXPECT_EQ(check_alone(zone), 0u);
}

TEST_F(ZoneGrowthOnADisk, WithoutSpaceNamesThePath)
{
    Zone zone;
    ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_FILE)), SLM_OK) << zone.error.text;
    slm_segment_sys.fallocate = [](int fd, int mode, off_t from, off_t n_bytes) {
        errno = ENOSPC;
        return from == 0 ? fallocate(fd, mode, from, n_bytes) : -1;
    };
    std::string text = "zone keys: " + all.path(SLM_SEGMENT_FILE) + ": cannot reserve the room";
    expect_of_growth_to(2 * kZoneMaxBytes, SLM_E_SPACE, text.c_str());
    EXPECT_EQ(zone.stats().bytes, kZoneBytes);
    EXPECT_EQ(push_alone(zone, 1), SLM_OK);
    EXPECT_EQ(check_alone(zone), 0u);
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
