/* SPDX-License-Identifier: Apache-2.0 */
/* Each request for memory and each call to the system fails once: nothing is left over. */
#include "tests/segment/hooks.h"
#include "tests/zone/oom.h"
#include "tests/zone/set_fixture.h"

namespace {

using namespace slm_test;

/* The request for memory that fails, counted from 1. 0: none. */
struct Memory {
    unsigned n_requests = 0;
    unsigned fail_at = 0;
};

Memory memory;

bool request_fails()
{
    return ++memory.n_requests == memory.fail_at;
}

} // namespace

void *slm_test_malloc(size_t n_bytes)
{
    return request_fails() ? nullptr : malloc(n_bytes);
}

void *slm_test_calloc(size_t n, size_t n_bytes)
{
    return request_fails() ? nullptr : calloc(n, n_bytes);
}

void *slm_test_realloc(void *p, size_t n_bytes)
{
    return request_fails() ? nullptr : realloc(p, n_bytes);
}

void *slm_test_aligned_alloc(size_t align_bytes, size_t n_bytes)
{
    return request_fails() ? nullptr : aligned_alloc(align_bytes, n_bytes);
}

namespace {

/* Makes the nth request for memory or the nth call to the system fail. */
class Failing {
  public:
    Failing(bool of_memory, unsigned n)
    {
        memory = {0, of_memory ? n : 0};
        faults.n_calls = 0;
        faults.fail_at = of_memory ? 0 : n;
        faults.error = n % 2 == 0 ? ENOMEM : ENOSPC;
    }
    ~Failing()
    {
        memory.fail_at = 0;
        faults.fail_at = 0;
    }
    /* Returns whether the run reached that request or call. */
    bool happened() const
    {
        return memory.fail_at != 0 ? memory.n_requests >= memory.fail_at
                                   : faults.n_calls >= faults.fail_at;
    }
};

class ZoneFailure : public testing::TestWithParam<bool> {
  protected:
    EveryCall hooks;
};

INSTANTIATE_TEST_SUITE_P(Of, ZoneFailure, testing::Bool(),
                         [](const auto &what) { return what.param ? "Memory" : "TheSystem"; });

/* The statuses that a failing call may return, and the text it must report then. */
void expect_reported(slm_status status, const slm_error &error)
{
    EXPECT_NE(status, SLM_OK);
    EXPECT_EQ(error.status, status);
    EXPECT_STRNE(error.text, "");
}

TEST_P(ZoneFailure, InCreateLeavesNothing)
{
    for (Kind kind : kEveryKind) {
        unsigned n_failed = 0;
        for (unsigned n = 1;; n++) {
            ZoneOptions all;
            slm_zone_options options = all.of(kind);
            Holdings before;
            Zone zone;
            Failing failing(GetParam(), n);
            slm_status status = zone.create(options);
            if (!failing.happened()) {
                EXPECT_EQ(status, SLM_OK) << zone.error.text;
                break;
            }
            if (status == SLM_OK) {
                continue; /* the call has a fallback */
            }
            n_failed++;
            expect_reported(status, zone.error);
            EXPECT_EQ(zone.zone, nullptr);
            EXPECT_EQ(Holdings(), before) << "request " << n;
            EXPECT_TRUE(all.folder().names().empty());
            EXPECT_NE(access(all.path(SLM_SEGMENT_POSIX).c_str(), F_OK), 0);
        }
        EXPECT_GE(n_failed, 2u) << kind;
    }
}

void expect_attach_leaves_nothing(bool of_memory, Kind kind, slm_lock_kind lock)
{
    ZoneOptions all;
    Zone zone;
    ASSERT_EQ(zone.create(all.of(kind, lock)), SLM_OK) << zone.error.text;
    ASSERT_EQ(push_alone(zone, 1), SLM_OK);
    unsigned n_failed = 0;
    for (unsigned n = 1;; n++) {
        Holdings before;
        Zone other;
        slm_zone_attach_options options = all.to_attach(zone);
        Failing failing(of_memory, n);
        slm_status status = other.attach(options);
        if (!failing.happened()) {
            EXPECT_EQ(status, SLM_OK) << other.error.text;
            break;
        }
        if (status == SLM_OK) {
            continue;
        }
        n_failed++;
        expect_reported(status, other.error);
        EXPECT_EQ(Holdings(), before) << "request " << n;
        EXPECT_EQ(numbers_alone(zone), (Numbers{1}));
    }
    EXPECT_GE(n_failed, 2u) << kind;
}

TEST_P(ZoneFailure, InAttachLeavesNothing)
{
    for (Kind kind : {SLM_SEGMENT_SYSV, SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE}) {
        expect_attach_leaves_nothing(GetParam(), kind, SLM_LOCK_ROBUST);
        expect_attach_leaves_nothing(GetParam(), kind, SLM_LOCK_FILE);
    }
}

TEST_P(ZoneFailure, InGrowChangesNothing)
{
    for (Kind kind : kEveryKind) {
        for (unsigned n = 1;; n++) {
            ZoneOptions all;
            Zone zone;
            ASSERT_EQ(zone.create(all.of(kind)), SLM_OK) << zone.error.text;
            ASSERT_EQ(push_alone(zone, 1), SLM_OK);
            slm_status status;
            bool happened;
            {
                Failing failing(GetParam(), n);
                status = slm_zone_grow(zone, 2 * kZoneBytes, &zone.error);
                happened = failing.happened();
            }
            bool failed = happened && status != SLM_OK;
            if (failed) {
                expect_reported(status, zone.error);
            }
            EXPECT_EQ(zone.stats().bytes, failed ? kZoneBytes : 2 * kZoneBytes);
            EXPECT_EQ(numbers_alone(zone), (Numbers{1}));
            EXPECT_EQ(check_alone(zone), 0u);
            if (!happened) {
                break;
            }
        }
    }
}

/* A zone that stays, a zone that grows, and two new zones. */
TEST_P(ZoneFailure, InAReloadLeavesTheSetAsItWas)
{
    unsigned n_failed = 0;
    for (unsigned n = 1;; n++) {
        ZoneOptions all, other;
        Set set;
        Inits inits;
        slm_zone_options one = all.of(SLM_SEGMENT_MEMFD), two = all.of(SLM_SEGMENT_ANONYMOUS);
        slm_zone_options file = all.of(SLM_SEGMENT_FILE), posix = other.of(SLM_SEGMENT_POSIX);
        one.name = "one", two.name = "two", posix.name = "posix";
        ASSERT_EQ(set.apply({inits.declare(one), inits.declare(two)}), SLM_OK);
        one.bytes = two.bytes = 2 * kZoneBytes;
        Holdings before;
        Failing failing(GetParam(), n);
        slm_status status = set.apply(
            {inits.declare(file), inits.declare(one), inits.declare(posix), inits.declare(two)});
        if (!failing.happened()) {
            EXPECT_EQ(status, SLM_OK) << set.error.text;
            break;
        }
        if (status == SLM_OK) {
            continue;
        }
        n_failed++;
        expect_reported(status, set.error);
        EXPECT_EQ(Holdings(), before) << "request " << n;
        EXPECT_EQ(set.size(), 2u);
        EXPECT_EQ(numbers_alone(set["one"]), (Numbers{1001}));
        EXPECT_EQ(numbers_alone(set["two"]), (Numbers{1002}));
        EXPECT_EQ(zone_bytes(set["one"]) + zone_bytes(set["two"]), 2 * kZoneBytes);
        EXPECT_EQ(check_alone(set["one"]) + check_alone(set["two"]), 0u);
        EXPECT_TRUE(all.folder().names().empty());
        EXPECT_NE(access(other.path(SLM_SEGMENT_POSIX).c_str(), F_OK), 0);
    }
    EXPECT_GE(n_failed, 8u);
}

TEST(ZoneSetFailure, InAdoptLeavesTheZoneToItsOwner)
{
    ZoneOptions all;
    Zone zone;
    Set set;
    ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_MEMFD)), SLM_OK);
    Failing failing(true, 1);
    EXPECT_EQ(slm_zone_set_adopt(set, zone), SLM_E_NOMEM);
    EXPECT_EQ(set.size(), 0u);
    EXPECT_EQ(push_alone(zone, 1), SLM_OK);
}

TEST(ZoneSetFailure, InCreateIsOutOfMemory)
{
    slm_zone_set *set = nullptr;
    Failing failing(true, 1);
    EXPECT_EQ(slm_zone_set_create(&set), SLM_E_NOMEM);
    EXPECT_EQ(set, nullptr);
}

} // namespace
