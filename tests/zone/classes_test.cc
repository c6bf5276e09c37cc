/* SPDX-License-Identifier: Apache-2.0 */
/* How many size classes a new zone has if its options do not say. */
#include "fixture.h"

namespace {

using namespace slm_test;

constexpr size_t kMiB = size_t{1} << 20;

bool has_classes(const Zone &zone, unsigned per_doubling)
{
    slm_slab_options options{};
    options.per_doubling = per_doubling;
    return slm_slab_has_options(slm_zone_slab(zone), &options);
}

struct Default {
    const char *name;
    size_t bytes;
    unsigned per_doubling;
};

class ZoneClasses : public testing::TestWithParam<Default> {};

INSTANTIATE_TEST_SUITE_P(
    Bytes, ZoneClasses,
    testing::Values(Default{"Smallest", 64 * 1024, 1}, Default{"BelowOneMiB", kMiB - 4096, 1},
                    Default{"OneMiB", kMiB, 4}, Default{"BelowEightMiB", 8 * kMiB - 4096, 4},
                    Default{"EightMiB", 8 * kMiB, 8}, Default{"Below64MiB", 64 * kMiB - 4096, 8},
                    Default{"SixtyFourMiB", 64 * kMiB, 16}),
    [](const auto &one) { return std::string(one.param.name); });

TEST_P(ZoneClasses, AreFinerTheLongerANewZoneIs)
{
    ZoneOptions all(GetParam().bytes, 2 * GetParam().bytes);
    Zone zone;
    ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_ANONYMOUS)), SLM_OK) << zone.error.text;
    EXPECT_TRUE(has_classes(zone, GetParam().per_doubling));
}

TEST(ZoneClassesDeclared, AreWhatTheOptionsSay)
{
    ZoneOptions all(8 * kMiB, 8 * kMiB);
    slm_zone_options options = all.of(SLM_SEGMENT_ANONYMOUS);
    options.slab.per_doubling = 1;
    Zone zone;
    ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    EXPECT_TRUE(has_classes(zone, 1));
}

TEST(ZoneClassesStored, StayWhenTheZoneIsOpenedWithoutAWord)
{
    ZoneOptions all(kMiB, 2 * kMiB);
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    options.slab.per_doubling = 1;
    Zone made;
    ASSERT_EQ(made.create(options), SLM_OK) << made.error.text;
    made.detach();
    options.slab.per_doubling = 0;
    Zone opened;
    bool is_new = true;
    ASSERT_EQ(slm_zone_open(&opened.zone, &options, &is_new, &opened.error), SLM_OK)
        << opened.error.text;
    EXPECT_FALSE(is_new);
    EXPECT_TRUE(has_classes(opened, 1));
}

} /* namespace */
