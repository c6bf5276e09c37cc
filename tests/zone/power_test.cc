/* SPDX-License-Identifier: Apache-2.0 */
/* Zones whose file may have pages of two times: after a loss of power, and as copies. */
#include <cstring>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/segment/sys.h"
#include "allocator/slab/view.h"
#include "tests/segment/hooks.h"
#include "tests/zone/fixture.h"

namespace {

using slm_test::Zone;
using slm_test::ZoneOptions;
using Numbers = std::vector<uint64_t>;

unsigned n_asked;
slm_status answer;

slm_status count_asked(slm_zone *, void *data)
{
    n_asked++;
    EXPECT_EQ(data, &n_asked);
    return answer;
}

/* A zone in a file with two links, and a second handle that the test opens. */
class ZonePower : public testing::Test {
  protected:
    ZonePower()
    {
        n_asked = 0;
        answer = SLM_OK;
        EXPECT_EQ(a.create(all.of(SLM_SEGMENT_FILE)), SLM_OK) << a.error.text;
        EXPECT_EQ(slm_test::push_alone(a, 1), SLM_OK);
        EXPECT_EQ(slm_test::push_alone(a, 2), SLM_OK);
        options = all.to_attach(a);
        options.check_content = count_asked;
        options.check_data = &n_asked;
    }
    void end_of_boot()
    {
        a.header()->vouched++;
    }
    /* The file as it is now, in another file, which is opened. */
    slm_status open_copy()
    {
        copy_path = all.folder() / "copy";
        std::ofstream(copy_path, std::ios::binary)
            << std::ifstream(all.path(SLM_SEGMENT_FILE), std::ios::binary).rdbuf();
        options.segment.name = copy_path.c_str();
        return b.attach(options);
    }
    void damage_slab(Zone &zone)
    {
        zone.zone->slab->header->n_free_pages--;
    }

    ZoneOptions all;
    Zone a, b;
    slm_zone_attach_options options{};
    std::string copy_path;
};

TEST_F(ZonePower, AZoneInUseIsNotCheckedAgain)
{
    ASSERT_EQ(b.attach(options), SLM_OK) << b.error.text;
    EXPECT_EQ(slm_test::numbers_alone(b), (Numbers{2, 1}));
    EXPECT_EQ(n_asked, 0u);
    EXPECT_EQ(b.stats().n_recoveries, 0u);
}

TEST_F(ZonePower, AFileThatTookTheNumberOfTheZonesIsChecked)
{
    for (bool is_clean : {false, true}) {
        if (is_clean) {
            ASSERT_EQ(slm_zone_sync(a, nullptr), SLM_OK);
        }
        slm_test::KeepCalls keep;
        slm_segment_sys.birth = [](int) { return uint64_t{1}; };
        Zone restored;
        n_asked = 0;
        ASSERT_EQ(restored.attach(options), SLM_OK) << restored.error.text;
        EXPECT_TRUE(restored.stats().needs_check);
        EXPECT_EQ(slm_test::numbers_alone(restored), (Numbers{2, 1}));
        EXPECT_EQ(n_asked, 1u);
    }
}

TEST_F(ZonePower, WhereTheBirthOfAFileIsNotKnownAZoneInUseIsNotChecked)
{
    slm_test::KeepCalls keep;
    slm_segment_sys.birth = [](int) { return uint64_t{0}; };
    Zone first;
    Zone second;
    ASSERT_EQ(first.attach(options), SLM_OK) << first.error.text;
    EXPECT_EQ(slm_test::numbers_alone(first), (Numbers{2, 1}));
    n_asked = 0;
    ASSERT_EQ(second.attach(options), SLM_OK) << second.error.text;
    EXPECT_EQ(slm_test::numbers_alone(second), (Numbers{2, 1}));
    EXPECT_EQ(n_asked, 0u);
}

TEST_F(ZonePower, TheFirstLockAfterALossOfPowerAsksTheProgramOnce)
{
    end_of_boot();
    ASSERT_EQ(b.attach(options), SLM_OK) << b.error.text;
    EXPECT_EQ(slm_test::numbers_alone(b), (Numbers{2, 1}));
    EXPECT_EQ(n_asked, 1u);
    EXPECT_EQ(slm_test::push_alone(b, 3), SLM_OK);
    b.detach();
    ASSERT_EQ(b.attach(options), SLM_OK);
    EXPECT_EQ(slm_test::numbers_alone(b), (Numbers{3, 2, 1}));
    EXPECT_EQ(n_asked, 1u);
}

TEST_F(ZonePower, ContentThatTheProgramRefusesIsBrokenForAll)
{
    end_of_boot();
    answer = SLM_E_IMAGE;
    ASSERT_EQ(b.attach(options), SLM_OK) << b.error.text;
    EXPECT_EQ(slm_zone_lock(b), SLM_E_BROKEN);
    EXPECT_EQ(slm_zone_lock(a), SLM_E_BROKEN);
    answer = SLM_OK;
    EXPECT_EQ(slm_zone_lock(b), SLM_E_BROKEN);
    EXPECT_EQ(n_asked, 1u);
}

TEST_F(ZonePower, ADamagedSlabIsRefusedBeforeTheProgramIsAsked)
{
    end_of_boot();
    damage_slab(a);
    slm_status attached = b.attach(options);
    EXPECT_TRUE(attached != SLM_OK || slm_zone_lock(b) == SLM_E_BROKEN);
    EXPECT_EQ(n_asked, 0u);
}

TEST_F(ZonePower, ACleanZoneIsNotCheckedInAnotherBoot)
{
    ASSERT_EQ(slm_zone_sync(a, nullptr), SLM_OK);
    EXPECT_TRUE(a.stats().is_clean);
    ASSERT_EQ(b.attach(options), SLM_OK) << b.error.text;
    EXPECT_TRUE(b.stats().is_clean);
    EXPECT_EQ(slm_test::numbers_alone(b), (Numbers{2, 1}));
    EXPECT_EQ(n_asked, 0u);
    EXPECT_FALSE(a.stats().is_clean);
}

TEST_F(ZonePower, ACopyIsCheckedEvenIfItsOriginalWasClean)
{
    ASSERT_EQ(slm_zone_sync(a, nullptr), SLM_OK);
    ASSERT_EQ(open_copy(), SLM_OK) << b.error.text;
    EXPECT_EQ(slm_test::numbers_alone(b), (Numbers{2, 1}));
    EXPECT_EQ(n_asked, 1u);
    EXPECT_TRUE(a.stats().is_clean);
}

TEST_F(ZonePower, ACopyOfAZoneInUseIsChecked)
{
    ASSERT_EQ(open_copy(), SLM_OK) << b.error.text;
    EXPECT_EQ(slm_zone_lock(b), SLM_OK);
    EXPECT_EQ(n_asked, 1u);
    EXPECT_EQ(slm_zone_unlock(b), SLM_OK);
}

TEST_F(ZonePower, SyncNeedsTheLockAndNoOtherKindNeedsSync)
{
    ASSERT_EQ(slm_zone_lock(a), SLM_OK);
    EXPECT_EQ(slm_zone_sync(a, &a.error), SLM_E_HELD);
    EXPECT_NE(strstr(a.error.text, "lock"), nullptr) << a.error.text;
    EXPECT_EQ(slm_zone_unlock(a), SLM_OK);
    for (slm_segment_kind kind : {SLM_SEGMENT_MEMFD, SLM_SEGMENT_ANONYMOUS}) {
        ZoneOptions others;
        Zone other;
        ASSERT_EQ(other.create(others.of(kind)), SLM_OK);
        EXPECT_EQ(slm_zone_sync(other, nullptr), SLM_OK);
        EXPECT_FALSE(other.stats().is_clean);
    }
}

/* What the zone said of itself at each write to the disk, and how much was written. */
struct Write {
    uint64_t state;
    bool is_head;
};
std::vector<Write> writes;
zone_header *watched;
unsigned refused_write; /* counted from 1; 0: none */
unsigned deadly_write;
constexpr int kDied = 9;

int watch_msync(void *, size_t n_bytes)
{
    writes.push_back({watched->state, n_bytes == ZONE_JOURNAL_OFFSET});
    if (writes.size() == deadly_write) {
        _exit(kDied);
    }
    if (writes.size() == refused_write) {
        errno = EIO;
        return -1;
    }
    return 0;
}

class ZonePowerWrites : public ZonePower {
  protected:
    ZonePowerWrites()
    {
        writes.clear();
        watched = a.header();
        refused_write = deadly_write = 0;
        slm_segment_sys.msync = watch_msync;
    }
    slm_test::KeepCalls keep;
};

TEST_F(ZonePowerWrites, TheMarkIsNeverAheadOfWhatItVouchesFor)
{
    ASSERT_EQ(slm_zone_sync(a, nullptr), SLM_OK);
    ASSERT_EQ(writes.size(), 3u);
    EXPECT_EQ(writes[0].state, uint64_t{ZONE_READY});
    EXPECT_FALSE(writes[0].is_head);
    EXPECT_EQ(writes[1].state, uint64_t{ZONE_READY});
    EXPECT_FALSE(writes[1].is_head);
    EXPECT_EQ(writes[2].state, uint64_t{ZONE_CLEAN});
    EXPECT_TRUE(writes[2].is_head);
    ASSERT_EQ(slm_zone_lock(a), SLM_OK);
    ASSERT_EQ(writes.size(), 4u);
    EXPECT_EQ(writes[3].state, uint64_t{ZONE_READY});
    EXPECT_TRUE(writes[3].is_head);
    ASSERT_EQ(slm_zone_unlock(a), SLM_OK);
    ASSERT_EQ(slm_zone_lock(a), SLM_OK);
    EXPECT_EQ(writes.size(), 4u);
    EXPECT_EQ(slm_zone_unlock(a), SLM_OK);
}

TEST_F(ZonePowerWrites, ADiskThatRefusesIsAStatusAndTheZoneWorksOn)
{
    for (unsigned i = 1; i <= 3; i++) {
        writes.clear();
        refused_write = i;
        slm_error error{};
        EXPECT_EQ(slm_zone_sync(a, &error), SLM_E_IO) << i;
        EXPECT_EQ(error.os_errno, EIO);
        EXPECT_NE(strstr(error.text, "msync"), nullptr) << error.text;
        refused_write = 0;
        EXPECT_EQ(slm_test::numbers_alone(a), (Numbers{2, 1}));
    }
}

TEST_F(ZonePowerWrites, NothingChangesUntilTheDiskKnowsThatTheZoneIsInUse)
{
    ASSERT_EQ(slm_zone_sync(a, nullptr), SLM_OK);
    refused_write = 4;
    EXPECT_EQ(slm_zone_lock(a), SLM_E_IO);
    EXPECT_TRUE(a.stats().is_clean);
    EXPECT_EQ(slm_test::numbers_alone(a), (Numbers{2, 1}));
    EXPECT_FALSE(a.stats().is_clean);
}

TEST_F(ZonePowerWrites, ADeathInAnyWriteLeavesAZoneThatIsWholeAndChecked)
{
    for (unsigned i = 1; i <= 4; i++) {
        pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            deadly_write = i + static_cast<unsigned>(writes.size());
            slm_status status = slm_zone_sync(a, nullptr);
            status = status == SLM_OK ? slm_zone_lock(a) : status;
            _exit(status == SLM_OK ? 0 : 1);
        }
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == kDied);
        EXPECT_EQ(slm_test::numbers_alone(a), (Numbers{2, 1})) << i;
        EXPECT_EQ(a.header()->state, uint64_t{ZONE_READY}) << i;
        EXPECT_TRUE(slm_zone_is_vouched(a)) << i;
    }
}

} // namespace
