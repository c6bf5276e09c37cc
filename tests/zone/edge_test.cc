/* SPDX-License-Identifier: Apache-2.0 */
/* Zones at the edge to the system: lost descriptors, removed names, cut and sparse files. */
#include "allocator/segment/sys.h"
#include "tests/segment/hooks.h"
#include "tests/zone/fixture.h"
#include <slabmill/zone_set.h>

namespace {

using slm_test::in_child;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::kZoneBytes;
using slm_test::kZoneMaxBytes;
using slm_test::Zone;
using slm_test::ZoneOptions;

const Kind kFileKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE};
const Kind kNamedKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE};

std::string content_of(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/* --- Descriptors --- */

/* A daemon that closes descriptors it does not know; its own file gets the number. */
TEST(ZoneDescriptor, ThatBecameADataFileIsNotGrownNorClosed)
{
    for (Kind kind : kFileKinds) {
        ZoneOptions options;
        Zone a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        int fd = slm_segment_id(slm_zone_segment(a));
        std::string path = options.folder() / "data";
        const std::string content(kZoneBytes * 2, 'D');
        std::ofstream(path, std::ios::binary) << content;
        int data = open(path.c_str(), O_RDWR | O_CLOEXEC);
        ASSERT_EQ(dup2(data, fd), fd);
        EXPECT_EQ(slm_zone_grow(a, kZoneMaxBytes, &a.error), SLM_E_STATE) << a.error.text;
        EXPECT_NE(slm_zone_alloc(a, 4000, nullptr), nullptr); /* the memory stays usable */
        char text[SLM_ZONE_EXPORT_BYTES];
        EXPECT_EQ(slm_zone_export(a, text, &a.error),
                  kind == SLM_SEGMENT_MEMFD ? SLM_E_STATE : SLM_OK);
        a.detach();
        EXPECT_GE(fcntl(fd, F_GETFD), 0);
        EXPECT_TRUE(content_of(path) == content);
        (void)close(fd);
        (void)close(data);
    }
}

TEST(ZoneDescriptor, ThatWasLostLeavesTheNameRemovable)
{
    for (Kind kind : kNamedKinds) {
        ZoneOptions options;
        Zone a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        ASSERT_EQ(close(slm_segment_id(slm_zone_segment(a))), 0);
        EXPECT_EQ(slm_zone_remove(a, &a.error), SLM_OK) << a.error.text;
        EXPECT_NE(access(options.path(kind).c_str(), F_OK), 0);
    }
}

/* Dies while it holds the lock, in the middle of a transaction. */
int die_in_a_turn(const Zone &zone)
{
    if (slm_zone_lock(zone) != SLM_OK || slm_journal_alloc(zone.journal(), 100) == nullptr) {
        return 1;
    }
    return raise(SIGKILL);
}

TEST(ZoneDescriptor, ThatWasLostStopsNoRepair)
{
    for (Kind kind : kFileKinds) {
        ZoneOptions options;
        Zone a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        ASSERT_EQ(close(slm_segment_id(slm_zone_segment(a))), 0);
        EXPECT_EQ(in_child([&] { return die_in_a_turn(a); }), 128 + SIGKILL);
        EXPECT_EQ(slm_zone_lock(a), SLM_OK);
        EXPECT_EQ(slm_zone_check_locked(a), 0u);
        EXPECT_EQ(slm_zone_unlock(a), SLM_OK);
        EXPECT_EQ(a.stats().n_recoveries, 1u);
    }
}

/* --- Names --- */

TEST(ZoneName, ThatIsRemovedOrTakenStopsNeitherGrowthNorRepair)
{
    for (Kind kind : kNamedKinds) {
        ZoneOptions options;
        Zone a, b, c;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        ASSERT_EQ(b.attach(options.to_attach(a)), SLM_OK);
        ASSERT_EQ(slm_zone_remove(a, nullptr), SLM_OK);
        EXPECT_EQ(in_child([&] { return die_in_a_turn(a); }), 128 + SIGKILL);
        EXPECT_EQ(slm_zone_grow(a, kZoneBytes * 2, &a.error), SLM_OK) << a.error.text;
        EXPECT_EQ(slm_segment_verify(slm_zone_segment(a), nullptr), SLM_E_MISSING);
        ASSERT_EQ(c.create(options.of(kind)), SLM_OK);
        EXPECT_EQ(in_child([&] { return die_in_a_turn(b); }), 128 + SIGKILL);
        EXPECT_EQ(slm_zone_grow(b, kZoneMaxBytes, &b.error), SLM_OK) << b.error.text;
        EXPECT_EQ(slm_zone_lock(a), SLM_OK);
        EXPECT_EQ(slm_zone_check_locked(a), 0u);
        EXPECT_EQ(slm_zone_unlock(a), SLM_OK);
        EXPECT_EQ(a.stats().n_recoveries, 2u);
        EXPECT_EQ(slm_segment_verify(slm_zone_segment(a), nullptr), SLM_E_REPLACED);
        EXPECT_EQ(slm_zone_remove(a, &a.error), SLM_E_MISSING);
        EXPECT_EQ(a.error.status, SLM_E_MISSING);
        EXPECT_EQ(slm_segment_verify(slm_zone_segment(c), nullptr), SLM_OK);
    }
}

/* --- Cut under the guard --- */

/* Cuts the zone, touches what was cut off, and returns what the next lock says. */
int lock_after_a_cut(const ZoneOptions &all, Kind kind, slm_lock_kind lock, off_t to)
{
    Zone zone;
    if (slm_segment_guard_install(nullptr) != SLM_OK || zone.create(all.of(kind, lock)) != SLM_OK) {
        return 100;
    }
    unsigned char *base = zone.base();
    if (ftruncate(slm_segment_id(slm_zone_segment(zone)), to) != 0) {
        return 101;
    }
    (void)*static_cast<volatile unsigned char *>(base + kZoneBytes - 1);
    slm_status status = slm_zone_lock(zone);
    return slm_zone_lock(zone) == status ? static_cast<int>(status) : 102;
}

TEST(ZoneCut, IsReportedByTheNextLockUnderTheGuard)
{
    for (Kind kind : kFileKinds) {
        for (slm_lock_kind lock : slm_test::kEveryLock) {
            for (size_t to : {kZoneBytes - kPage, kZoneBytes / 2, 2 * kPage, kPage, size_t{0}}) {
                SCOPED_TRACE(to);
                ZoneOptions all;
                EXPECT_EQ(in_child([&] {
                              return lock_after_a_cut(all, kind, lock, static_cast<off_t>(to));
                          }),
                          SLM_E_TRUNCATED);
            }
        }
    }
}

} // namespace
