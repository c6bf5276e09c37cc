/* SPDX-License-Identifier: Apache-2.0 */
/* A reload that fails leaves no trace on any zone. */
#include "tests/zone/set_fixture.h"

namespace {

using namespace slm_test;

/* Two zones that stay, one of them to grow, and two new zones. */
class ZoneSetRollback : public testing::TestWithParam<size_t> {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(set.apply({inits.declare(named("one")), inits.declare(named("two"))}), SLM_OK);
        file = all.of(SLM_SEGMENT_FILE);
        posix = other.of(SLM_SEGMENT_POSIX);
        posix.name = "posix";
    }

    slm_zone_options named(const char *name) const
    {
        slm_zone_options result = all.of(SLM_SEGMENT_MEMFD);
        result.name = name;
        return result;
    }

    /* The zones that the reload declares. */
    std::vector<slm_zone_declaration> wanted()
    {
        slm_zone_options longer = named("two");
        longer.bytes = 3 * kZoneBytes;
        return {inits.declare(named("one")), inits.declare(file), inits.declare(longer),
                inits.declare(posix)};
    }

    void expect_as_before(const Holdings &before) const
    {
        EXPECT_EQ(set.size(), 2u);
        EXPECT_EQ(numbers_alone(set["one"]), (Numbers{1001}));
        EXPECT_EQ(numbers_alone(set["two"]), (Numbers{1002}));
        for (const char *name : {"one", "two"}) {
            EXPECT_EQ(zone_bytes(set[name]), kZoneBytes);
            EXPECT_EQ(slm_segment_bytes(slm_zone_segment(set[name])), kZoneBytes);
            EXPECT_EQ(count_objects(slm_zone_slab(set[name])), 1u);
            EXPECT_EQ(check_alone(set[name]), 0u);
        }
        EXPECT_EQ(Holdings(), before);
        EXPECT_NE(access(all.path(SLM_SEGMENT_FILE).c_str(), F_OK), 0);
        EXPECT_NE(access(other.path(SLM_SEGMENT_POSIX).c_str(), F_OK), 0);
    }

    ZoneOptions all, other;
    slm_zone_options file{}, posix{};
    Inits inits;
    Set set;
};

/* nginx's Z1 and Z4: there a failed reload's changes to zones in use stay. */
TEST_P(ZoneSetRollback, OfACallbackThatFailsLeavesNoTraceOnAnyZone)
{
    Holdings before;
    inits = Inits();
    inits.answer = SLM_E_OPTION;
    inits.fail_at = GetParam();
    EXPECT_EQ(set.apply(wanted()), SLM_E_OPTION);
    const char *names[] = {"keys", "posix", "one", "two"}; /* new ones first */
    EXPECT_EQ(set.error.status, SLM_E_OPTION);
    EXPECT_NE(strstr(set.error.text, names[GetParam()]), nullptr) << set.error.text;
    expect_as_before(before);
    inits = Inits();
    EXPECT_EQ(set.apply(wanted()), SLM_OK) << set.error.text;
    EXPECT_EQ(inits.reused, (std::vector<bool>{false, false, true, true}));
    EXPECT_EQ(zone_bytes(set["two"]), 3 * kZoneBytes);
    EXPECT_EQ(numbers_alone(set["two"]), (Numbers{1004, 1002}));
}

INSTANTIATE_TEST_SUITE_P(At, ZoneSetRollback, testing::Values(0u, 1u, 2u, 3u));

class ZoneSetFailure : public ZoneSetRollback {};

TEST_F(ZoneSetFailure, ToCreateOneZoneLeavesNothingOfTheOthers)
{
    Holdings before;
    auto declarations = wanted();
    declarations[3].options.bytes = 1;
    EXPECT_EQ(set.apply(declarations), SLM_E_SIZE);
    expect_as_before(before);
}

/* Makes a zone with the lock file that the failing apply has made, and closes it. */
slm_status make_another(slm_zone *, bool, void *data)
{
    Zone another;
    slm_status status = another.create(*static_cast<slm_zone_options *>(data));
    return status == SLM_OK ? SLM_E_FULL : status;
}

/* The state of the other zone's lock records the file, while no process has it open. */
TEST_F(ZoneSetFailure, LeavesTheLockFileToAZoneThatWasMadeMeanwhile)
{
    std::string path = all.folder() / "another";
    slm_zone_options fresh = all.of(SLM_SEGMENT_FILE, SLM_LOCK_FILE);
    slm_zone_options options = fresh;
    options.segment.name = path.c_str();
    ASSERT_NE(access(fresh.lock_path, F_OK), 0);
    EXPECT_EQ(set.apply({{fresh, make_another, &options, false}}), SLM_E_FULL) << set.error.text;
    EXPECT_NE(access(fresh.segment.name, F_OK), 0);
    Zone another;
    slm_zone_attach_options attach{};
    attach.segment.kind = SLM_SEGMENT_FILE;
    attach.segment.name = path.c_str();
    attach.lock_path = fresh.lock_path;
    ASSERT_EQ(another.attach(attach), SLM_OK) << another.error.text;
    EXPECT_EQ(push_alone(another, 1), SLM_OK);
    EXPECT_EQ(set.apply({inits.declare(fresh)}), SLM_OK) << set.error.text;
}

/* The other zone has the name and the lock file: apply begins again with it. */
TEST_F(ZoneSetFailure, OfANameThatWasTakenMeanwhileUsesItsLockFile)
{
    slm_zone_options fresh = all.of(SLM_SEGMENT_FILE, SLM_LOCK_FILE);
    slm_zone_declaration declared = {fresh, nullptr, &fresh, false};
    declared.init = [](slm_zone *, bool is_reused, void *data) {
        slm_status status = is_reused ? SLM_OK : make_another(nullptr, false, data);
        return status == SLM_E_FULL ? SLM_OK : status;
    };
    EXPECT_EQ(set.apply({declared}), SLM_OK) << set.error.text;
    EXPECT_EQ(push_alone(set["keys"], 1), SLM_OK);
    Zone zone;
    ASSERT_EQ(zone.attach(all.to_attach(set["keys"])), SLM_OK) << zone.error.text;
    EXPECT_EQ(numbers_alone(zone), (Numbers{1}));
}

TEST_F(ZoneSetFailure, LeavesWhatOtherProcessesGrewMeanwhile)
{
    inits = Inits();
    inits.fail_at = 3;
    inits.answer = SLM_E_STATE;
    ASSERT_EQ(slm_zone_grow(set["two"], 2 * kZoneBytes, nullptr), SLM_OK);
    EXPECT_EQ(set.apply(wanted()), SLM_E_STATE);
    EXPECT_EQ(zone_bytes(set["two"]), 2 * kZoneBytes);
    EXPECT_EQ(check_alone(set["two"]), 0u);
}

} // namespace
