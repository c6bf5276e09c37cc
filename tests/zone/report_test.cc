/* SPDX-License-Identifier: Apache-2.0 */
/* The report hook of a zone's options. */
#include <thread>

#include "tests/zone/set_fixture.h"

namespace {

using namespace slm_test;

struct Reported {
    slm_status status;
    std::string name, call;
    size_t size_bytes;
    const void *pointer;
    bool operator==(const Reported &other) const
    {
        return status == other.status && name == other.name && call == other.call &&
               size_bytes == other.size_bytes && pointer == other.pointer;
    }
};

std::ostream &operator<<(std::ostream &out, const Reported &one)
{
    return out << slm_status_name(one.status) << " " << one.name << " " << one.call << " "
               << one.size_bytes << " " << one.pointer;
}

class ZoneReport : public testing::Test {
  protected:
    template <typename Options> Options with_hook(Options options)
    {
        options.report = report;
        options.report_data = this;
        return options;
    }

    static void report(void *data, const slm_slab_event *event)
    {
        auto *self = static_cast<ZoneReport *>(data);
        if (self->locked != nullptr) { /* another thread finds the lock free */
            std::thread([&] {
                EXPECT_EQ(slm_zone_trylock(self->locked), SLM_OK);
                EXPECT_EQ(slm_zone_unlock(self->locked), SLM_OK);
            }).join();
        }
        self->reported.push_back(
            {event->status, event->name, event->call, event->size_bytes, event->pointer});
    }

    /* Every call that can fail, and what the hook gets. */
    void misuse(slm_zone *zone, bool hears_nomem)
    {
        auto *p = static_cast<char *>(slm_zone_calloc(zone, 100, nullptr));
        ASSERT_NE(p, nullptr);
        reported.clear();
        locked = zone;
        EXPECT_EQ(slm_zone_alloc(zone, 2 * kZoneMaxBytes, nullptr), nullptr);
        EXPECT_EQ(slm_zone_calloc(zone, 2 * kZoneMaxBytes, nullptr), nullptr);
        EXPECT_EQ(slm_zone_free(zone, p + 8), SLM_E_INTERIOR);
        EXPECT_EQ(slm_zone_free(zone, &reported), SLM_E_FOREIGN);
        EXPECT_EQ(slm_zone_free(zone, p), SLM_OK);
        EXPECT_EQ(slm_zone_free(zone, nullptr), SLM_OK);
        std::vector<Reported> expected;
        if (hears_nomem) {
            expected.push_back({SLM_E_NOMEM, "keys", "alloc", 2 * kZoneMaxBytes, nullptr});
            expected.push_back({SLM_E_NOMEM, "keys", "calloc", 2 * kZoneMaxBytes, nullptr});
        }
        expected.push_back({SLM_E_INTERIOR, "keys", "free", 0, p + 8});
        expected.push_back({SLM_E_FOREIGN, "keys", "free", 0, &reported});
        EXPECT_EQ(reported, expected);
        locked = nullptr;
    }

    ZoneOptions all;
    std::vector<Reported> reported;
    slm_zone *locked = nullptr;
};

TEST_F(ZoneReport, GetsCallsThatFailWithoutTheLock)
{
    for (Kind kind : kEveryKind) {
        ZoneOptions own;
        Zone zone;
        ASSERT_EQ(zone.create(with_hook(own.of(kind))), SLM_OK) << zone.error.text;
        misuse(zone, true);
    }
}

TEST_F(ZoneReport, IsSilentAboutExhaustionIfTheOptionsSayIt)
{
    Zone zone;
    slm_zone_options options = with_hook(all.of(SLM_SEGMENT_MEMFD));
    options.quiet_nomem = true;
    ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    misuse(zone, false);
}

TEST_F(ZoneReport, IsThatOfTheHandle)
{
    Zone zone, attached, opened;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    ASSERT_EQ(attached.attach(with_hook(all.to_attach(zone))), SLM_OK) << attached.error.text;
    misuse(attached, true);
    options = with_hook(options);
    options.quiet_nomem = true;
    ASSERT_EQ(slm_zone_open(&opened.zone, &options, nullptr, &opened.error), SLM_OK)
        << opened.error.text;
    misuse(opened, false);
    reported.clear();
    EXPECT_EQ(slm_zone_free(zone, &reported), SLM_E_FOREIGN);
    EXPECT_TRUE(reported.empty());
}

TEST_F(ZoneReport, SaysWhyTheLockWasNotTaken)
{
    Zone zone;
    ASSERT_EQ(zone.create(with_hook(all.of(SLM_SEGMENT_MEMFD))), SLM_OK) << zone.error.text;
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_alloc(zone, 10, nullptr), nullptr);
    EXPECT_EQ(slm_zone_free(zone, &reported), SLM_E_HELD);
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(reported, (std::vector<Reported>{{SLM_E_HELD, "keys", "alloc", 10, nullptr},
                                               {SLM_E_HELD, "keys", "free", 0, &reported}}));
}

} // namespace
