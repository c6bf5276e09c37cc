/* SPDX-License-Identifier: Apache-2.0 */
/* Two zones move in one reload, and the second one cannot be renamed: both are as before. */
#include "tests/zone/move_steps.h"

namespace {

using namespace slm_test;

constexpr unsigned kLinks = 10;

/* The number of the rename that fails, counted from 1, and of those after it. */
unsigned n_renames, fail_from, fail_to;
std::function<void()> before_failure;

int rename_or_fail(const char *from, const char *to)
{
    take_step("");
    if (++n_renames >= fail_from && n_renames <= fail_to) {
        if (before_failure) {
            before_failure();
        }
        errno = EIO;
        return -1;
    }
    return rename(from, to);
}

void fail_renames(unsigned from, unsigned to)
{
    n_renames = 0;
    fail_from = from;
    fail_to = to;
    slm_segment_sys.rename_over = rename_or_fail;
}

class ZoneMoveUndo : public testing::TestWithParam<Kind> {
  protected:
    /* One zone of the two. */
    struct Each {
        std::unique_ptr<ZoneOptions> all;
        slm_zone_options options{}, next{};
        Numbers content;
        slm_zone *zone = nullptr;
        const char *name;
    };

    void SetUp() override
    {
        begin();
    }
    void TearDown() override
    {
        slm_yield_hook = nullptr;
        before_failure = nullptr;
        steps = {};
    }
    void begin()
    {
        set = std::make_unique<Set>();
        for (Each *each : {&first, &second}) {
            each->all = std::make_unique<ZoneOptions>();
            each->name = each == &first ? "first" : "second";
            each->options = moves.with(each->all->of(GetParam()));
            each->options.name = each->name;
            each->next = each->options;
            each->next.bytes = each->next.max_bytes = SLM_ZONE_BYTES_MIN;
            each->next.slab.per_doubling = 4;
        }
        ASSERT_EQ(slm_zone_set_share(*set, true), SLM_OK);
        ASSERT_EQ(set->apply({plain(first.options), plain(second.options)}), SLM_OK);
        for (Each *each : {&first, &second}) {
            each->zone = (*set)[each->name];
            each->content = push_many(each->zone, kLinks);
        }
    }
    static slm_zone_declaration plain(const slm_zone_options &options)
    {
        return {options, nullptr, nullptr, false};
    }
    slm_status move()
    {
        return set->apply({plain(first.next), plain(second.next)});
    }
    void expect_as_before(const Holdings &before)
    {
        EXPECT_EQ(Holdings(), before);
        for (Each *each : {&first, &second}) {
            EXPECT_EQ((*set)[each->name], each->zone);
            EXPECT_EQ(each->zone->header->state, uint64_t{ZONE_READY});
            EXPECT_EQ(numbers_alone(each->zone), each->content);
            EXPECT_EQ(check_alone(each->zone), 0u);
            EXPECT_EQ(slm_segment_verify(slm_zone_segment(each->zone), nullptr), SLM_OK);
            EXPECT_EQ(count_leftovers(*each->all, GetParam()), 0u);
        }
    }
    /* A worker of the earlier configuration. True: the zone has moved. */
    static bool expect_worker_goes_on_or_is_refused(Each &each)
    {
        slm_status status = push_alone(each.zone, 99);
        if (status != SLM_OK) {
            EXPECT_EQ(status, SLM_E_REPLACED);
            return true;
        }
        each.content.insert(each.content.begin(), 99);
        EXPECT_EQ(numbers_alone(each.zone), each.content);
        EXPECT_EQ(check_alone(each.zone), 0u);
        return false;
    }
    void expect_next_start_has_all(Each &each)
    {
        Zone zone;
        ASSERT_EQ(slm_zone_open(&zone.zone, &each.next, nullptr, &zone.error), SLM_OK)
            << zone.error.text;
        EXPECT_EQ(numbers_alone(zone), each.content);
        EXPECT_EQ(check_alone(zone), 0u);
        EXPECT_EQ(zone_bytes(zone), each.next.bytes);
        EXPECT_EQ(count_leftovers(*each.all, GetParam()), 0u);
    }
    /* Kills at each step a child that makes the move. Returns how many were killed. */
    void kill_at_each_step(bool fails);

    Each first, second;
    Moves moves;
    std::unique_ptr<Set> set;
};

INSTANTIATE_TEST_SUITE_P(Each, ZoneMoveUndo, testing::ValuesIn(kNamedKinds));

TEST_P(ZoneMoveUndo, IsMadeWhereTheSecondZoneCannotBeRenamed)
{
    Holdings before;
    Zone late;
    before_failure = [&] { /* the file of the first zone is the new one now */
                           slm_zone_attach_options by_name = first.all->to_attach(first.zone);
                           ASSERT_EQ(late.attach(by_name), SLM_OK) << late.error.text;
                           EXPECT_EQ(zone_bytes(late), first.next.bytes);
    };
    {
        KeepCalls keep;
        fail_renames(2, 2);
        EXPECT_EQ(move(), SLM_E_IO);
    }
    EXPECT_NE(strstr(set->error.text, "zone second: "), nullptr) << set->error.text;
    EXPECT_EQ(n_renames, 3u);
    EXPECT_EQ(push_alone(late, 7), SLM_E_REPLACED);
    late.detach();
    expect_as_before(before);
    ASSERT_EQ(move(), SLM_OK) << set->error.text;
    for (Each *each : {&first, &second}) {
        EXPECT_EQ(numbers_alone((*set)[each->name]), each->content);
        EXPECT_EQ(count_leftovers(*each->all, GetParam()), 0u);
    }
}

/* Each call to the system fails once. */
TEST_P(ZoneMoveUndo, IsMadeAfterAnyFailureOfTheSystem)
{
    unsigned n_failed = 0;
    bool is_reached = true;
    for (unsigned n = 1; is_reached && !HasFailure(); n++) {
        SCOPED_TRACE(n);
        slm_status status;
        Holdings before;
        {
            EveryCall hooks;
            faults.fail_at = n;
            faults.error = n % 2 == 0 ? EIO : ENOSPC;
            status = move();
            is_reached = faults.n_calls >= n;
        }
        if (status != SLM_OK) {
            n_failed++;
            EXPECT_STRNE(set->error.text, "");
            expect_as_before(before);
        } else if (is_reached) { /* the call has a fallback */
            ASSERT_EQ(set->apply({plain(first.options), plain(second.options)}), SLM_OK);
            first.zone = (*set)["first"];
            second.zone = (*set)["second"];
        }
    }
    EXPECT_GE(n_failed, 20u);
}

/* Without second names, or if the first zone cannot be renamed back either. */
TEST_P(ZoneMoveUndo, LeavesTheFirstZoneMovedWhereTheSystemDoesNotTakeItBack)
{
    for (bool has_links : {false, true}) {
        Holdings before;
        {
            KeepCalls keep;
            fail_renames(2, 3);
            if (!has_links) {
                slm_segment_sys.link = [](const char *, const char *) {
                    errno = EPERM;
                    return -1;
                };
            }
            EXPECT_EQ(move(), SLM_E_IO);
            EXPECT_EQ(n_renames, has_links ? 3u : 2u);
        }
        EXPECT_EQ(Holdings(), before);
        EXPECT_EQ(numbers_alone((*set)["first"]), first.content);
        EXPECT_EQ(zone_bytes((*set)["first"]), first.next.bytes);
        EXPECT_EQ((*set)["second"], second.zone);
        EXPECT_EQ(numbers_alone(second.zone), second.content);
        EXPECT_EQ(check_alone((*set)["first"]) + check_alone(second.zone), 0u);
        EXPECT_EQ(count_leftovers(*first.all, GetParam()), 0u);
        EXPECT_EQ(count_leftovers(*second.all, GetParam()), 0u);
        ASSERT_EQ(move(), SLM_OK) << set->error.text;
        begin();
    }
}

void ZoneMoveUndo::kill_at_each_step(bool fails)
{
    unsigned n_killed = 0, n_first = 0, n_second = 0;
    for (unsigned step = 1; !HasFailure(); step++) {
        SCOPED_TRACE(step);
        int ended = in_child([&] {
            begin_steps(step);
            fail_renames(fails ? 2 : 9, 2);
            return static_cast<int>(move());
        });
        if (ended != 128 + SIGKILL) {
            EXPECT_EQ(ended, fails ? SLM_E_IO : SLM_OK);
            break;
        }
        n_killed++;
        n_first += expect_worker_goes_on_or_is_refused(first);
        n_second += expect_worker_goes_on_or_is_refused(second);
        expect_next_start_has_all(first);
        expect_next_start_has_all(second);
        begin();
    }
    EXPECT_GE(n_killed, 100u);
    EXPECT_GE(n_first, fails ? 1u : 5u);
    EXPECT_TRUE(fails ? n_second == 0 : n_second >= 5);
}

TEST_P(ZoneMoveUndo, OfAMasterThatIsKilledLeavesEachZoneWhole)
{
    kill_at_each_step(true);
}

TEST_P(ZoneMoveUndo, IsNotNeededAfterAKillOfAMoveThatSucceeds)
{
    kill_at_each_step(false);
}

/* The disk had the state when the power failed, and not the second name. */
TEST_P(ZoneMoveUndo, LostWithThePowerLeavesTheZone)
{
    first.zone->header->state = ZONE_PARTED;
    EXPECT_EQ(push_alone(first.zone, 5), SLM_OK);
    EXPECT_EQ(first.zone->header->state, uint64_t{ZONE_READY});
}

} // namespace
