/* SPDX-License-Identifier: Apache-2.0 */
/* A server that was killed is started again: it finds its zones and their content. */
#include "tests/segment/hooks.h"
#include "tests/zone/set_fixture.h"

namespace {

using namespace slm_test;

const Kind kNamedKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE};

/* The configuration of a server: two zones with names, one without. */
class Server : public testing::Test {
  protected:
    slm_zone_options keys(Kind kind, slm_lock_kind lock = SLM_LOCK_ROBUST) const
    {
        return all.of(kind, lock);
    }

    static slm_zone_options without_name(const slm_zone_options &like)
    {
        slm_zone_options result = like;
        result.name = "scratch";
        result.segment = {};
        result.lock_kind = SLM_LOCK_ROBUST;
        result.lock_path = nullptr;
        return result;
    }

    /* Runs a server in a process of its own until it is killed. 0: it came that far. */
    static int run_until_killed(const std::function<bool()> &serve)
    {
        return in_child([&] {
            raise(serve() ? SIGKILL : SIGTERM);
            return 0;
        });
    }

    ZoneOptions all;
    Inits inits;
};

constexpr int kKilled = 128 + SIGKILL;

TEST_F(Server, ThatWasKilledFindsItsZonesAndTheirContentAgain)
{
    for (Kind kind : kNamedKinds) {
        for (slm_lock_kind lock : kEveryLock) {
            ZoneOptions own;
            slm_zone_options named = own.of(kind, lock);
            slm_zone_options scratch = without_name(named);
            ASSERT_EQ(run_until_killed([&] {
                          Set first;
                          Inits its;
                          return first.apply({its.declare(named), its.declare(scratch)}) ==
                                     SLM_OK &&
                                 push_alone(first["keys"], 7) == SLM_OK;
                      }),
                      kKilled);
            Set second;
            inits = Inits();
            ASSERT_EQ(second.apply({inits.declare(named), inits.declare(scratch)}), SLM_OK)
                << second.error.text;
            EXPECT_EQ(inits.reused, (std::vector<bool>{false, true})); /* the new one comes first */
            EXPECT_EQ(numbers_alone(second["keys"]), (Numbers{1002, 7, 1001}));
            EXPECT_EQ(numbers_alone(second["scratch"]), (Numbers{1001}));
            EXPECT_EQ(check_alone(second["keys"]), 0u);
        }
    }
}

/* The zone's worker had changed half of what it wanted to. */
TEST_F(Server, ThatWasKilledInATransactionFindsWhatWasCommitted)
{
    for (Kind kind : kNamedKinds) {
        for (slm_lock_kind lock : kEveryLock) {
            ZoneOptions own;
            slm_zone_options named = own.of(kind, lock);
            ASSERT_EQ(run_until_killed([&] {
                          Set first;
                          return first.apply({{named, nullptr, nullptr, false}}) == SLM_OK &&
                                 push_alone(first["keys"], 7) == SLM_OK &&
                                 slm_zone_lock(first["keys"]) == SLM_OK && push(first["keys"], 8);
                      }),
                      kKilled);
            Set second;
            ASSERT_EQ(second.apply({{named, nullptr, nullptr, false}}), SLM_OK)
                << second.error.text;
            EXPECT_EQ(numbers_alone(second["keys"]), (Numbers{7}));
        }
    }
}

TEST_F(Server, StartedAgainWithAnotherSizeKeepsOrRefuses)
{
    for (Kind kind : kNamedKinds) {
        ZoneOptions own;
        slm_zone_options named = own.of(kind);
        ASSERT_EQ(run_until_killed([&] {
                      Set first;
                      return first.apply({{named, nullptr, nullptr, false}}) == SLM_OK &&
                             push_alone(first["keys"], 7) == SLM_OK;
                  }),
                  kKilled);
        Holdings before;
        for (size_t bytes : {2 * kZoneBytes, kZoneBytes}) {
            Set next;
            named.bytes = bytes;
            ASSERT_EQ(next.apply({{named, nullptr, nullptr, false}}), SLM_OK) << next.error.text;
            EXPECT_EQ(zone_bytes(next["keys"]), 2 * kZoneBytes);
            EXPECT_EQ(numbers_alone(next["keys"]), (Numbers{7}));
        }
        Set next;
        named.bytes = named.max_bytes = 2 * kZoneMaxBytes;
        EXPECT_EQ(next.apply({{named, nullptr, nullptr, false}}), SLM_E_SIZE);
        EXPECT_STREQ(next.error.text,
                     "zone keys: its max_bytes is 1048576, and bytes 2097152 is declared");
        EXPECT_EQ(next.size(), 0u);
        EXPECT_EQ(Holdings(), before);
    }
}

TEST_F(Server, StartedAgainBringsTheContentForwardOrRefuses)
{
    auto push_version = [](slm_zone *zone, uint32_t from_version, void *) {
        return push(zone, 100 + from_version) ? SLM_OK : SLM_E_NOMEM;
    };
    for (Kind kind : kNamedKinds) {
        ZoneOptions own;
        slm_zone_options named = own.of(kind);
        named.content_version = 4;
        ASSERT_EQ(run_until_killed([&] {
                      Set first;
                      return first.apply({{named, nullptr, nullptr, false}}) == SLM_OK &&
                             push_alone(first["keys"], 7) == SLM_OK;
                  }),
                  kKilled);
        Set second, third;
        named.content_version = 5;
        EXPECT_EQ(second.apply({{named, nullptr, nullptr, false}}), SLM_E_VERSION);
        EXPECT_STREQ(second.error.text,
                     "zone keys: its content has version 4, and no callback brings it to 5");
        named.upgrade = push_version;
        EXPECT_EQ(second.apply({{named, nullptr, nullptr, false}}), SLM_OK) << second.error.text;
        EXPECT_EQ(numbers_alone(second["keys"]), (Numbers{104, 7}));
        named.content_version = 4;
        EXPECT_EQ(third.apply({{named, nullptr, nullptr, false}}), SLM_E_VERSION);
        EXPECT_STREQ(third.error.text,
                     "zone keys: its content has version 5, later than 4 of this program");
    }
}

/* --- Killed while it starts or reloads --- */

/* Ends the process in its nth call to the system. */
void die_at_call(unsigned n)
{
    faults = Faults{};
    faults.fail_at = n;
}

template <auto Member> struct Deadly;

template <typename Result, typename... Args, Result (*slm_segment_calls::*Member)(Args...)>
struct Deadly<Member> {
    static Result call(Args... args)
    {
        if (faults.next_fails()) {
            raise(SIGKILL);
        }
        return (faults.real.*Member)(args...);
    }
};

/* The calls that change what other processes see. */
void install_deadly_calls(unsigned n)
{
    using C = slm_segment_calls;
    die_at_call(n);
    slm_segment_sys.open = Deadly<&C::open>::call;
    slm_segment_sys.close = Deadly<&C::close>::call;
    slm_segment_sys.unlink = Deadly<&C::unlink>::call;
    slm_segment_sys.link = Deadly<&C::link>::call;
    slm_segment_sys.rename_new = Deadly<&C::rename_new>::call;
    slm_segment_sys.fchmod = Deadly<&C::fchmod>::call;
    slm_segment_sys.fallocate = Deadly<&C::fallocate>::call;
    slm_segment_sys.ftruncate = Deadly<&C::ftruncate>::call;
    slm_segment_sys.mmap = Deadly<&C::mmap>::call;
    slm_segment_sys.munmap = Deadly<&C::munmap>::call;
}

/* Two zones, of which a reload makes the one longer, and makes the other. */
struct Config {
    ZoneOptions one, other;
    slm_zone_options grows, is_new;

    explicit Config(Kind kind)
    {
        grows = one.of(kind);
        is_new = other.of(kind);
        is_new.name = "new";
    }
};

void expect_all_or_nothing(Set &set, const char *name, const Numbers &added, const Numbers &before)
{
    Numbers now = numbers_alone(set[name]);
    Numbers after = added;
    after.insert(after.end(), before.begin(), before.end());
    EXPECT_TRUE(now == before || now == after) << name << ": " << testing::PrintToString(now);
    EXPECT_EQ(check_alone(set[name]), 0u) << name;
}

slm_status push_five(slm_zone *zone, bool is_reused, void *)
{
    return push(zone, is_reused ? 5 : 4) ? SLM_OK : SLM_E_NOMEM;
}

TEST_F(Server, KilledAtAnyCallOfItsStartStartsAgain)
{
    for (Kind kind : kNamedKinds) {
        bool was_killed = true;
        for (unsigned n = 1; was_killed; n++) {
            Config config(kind);
            auto start = [&](Set &set) {
                return set.apply({{config.grows, push_five, nullptr, false},
                                  {config.is_new, push_five, nullptr, false}});
            };
            was_killed = in_child([&] {
                             Set first;
                             install_deadly_calls(n);
                             return start(first) == SLM_OK ? 0 : 1;
                         }) == kKilled;
            Set second;
            ASSERT_EQ(start(second), SLM_OK) << n << ": " << second.error.text;
            expect_all_or_nothing(second, "keys", {5}, {4});
            expect_all_or_nothing(second, "new", {5}, {4});
            EXPECT_LE(config.one.folder().names().size(), 1u) << n;
            EXPECT_TRUE(was_killed || n > 10) << n;
        }
    }
}

TEST_F(Server, KilledAtAnyCallOfAReloadThatGrowsStartsAgain)
{
    for (Kind kind : kNamedKinds) {
        bool was_killed = true;
        for (unsigned n = 1; was_killed; n++) {
            Config config(kind);
            was_killed =
                in_child([&] {
                    Set set;
                    if (set.apply({{config.grows, push_five, nullptr, false}}) != SLM_OK) {
                        return 1;
                    }
                    install_deadly_calls(n);
                    config.grows.bytes = 3 * kZoneBytes;
                    return set.apply({{config.grows, push_five, nullptr, false},
                                      {config.is_new, push_five, nullptr, false}}) == SLM_OK
                               ? 0
                               : 1;
                }) == kKilled;
            Set second;
            ASSERT_EQ(second.apply({{config.grows, nullptr, nullptr, false},
                                    {config.is_new, nullptr, nullptr, false}}),
                      SLM_OK)
                << n << ": " << second.error.text;
            expect_all_or_nothing(second, "keys", {5}, {4});
            Numbers made = numbers_alone(second["new"]);
            EXPECT_TRUE(made == Numbers() || made == Numbers{4}) << testing::PrintToString(made);
            EXPECT_TRUE(zone_bytes(second["keys"]) == kZoneBytes ||
                        zone_bytes(second["keys"]) == 3 * kZoneBytes);
            EXPECT_EQ(check_alone(second["new"]), 0u);
        }
    }
}

/* Two servers start at one time, with one configuration. */
TEST_F(Server, OvertakenByAnotherOneOpensItsZones)
{
    for (Kind kind : kNamedKinds) {
        KeepCalls keep;
        ZoneOptions own;
        static slm_zone_options named;
        static unsigned n_links;
        named = own.of(kind);
        n_links = 0;
        faults = Faults{};
        slm_segment_sys.link = [](const char *from, const char *to) {
            if (n_links++ == 0) {
                Zone another;
                slm_segment_calls mine = slm_segment_sys;
                slm_segment_sys = faults.real;
                EXPECT_EQ(another.create(named), SLM_OK) << another.error.text;
                EXPECT_EQ(push_alone(another, 7), SLM_OK);
                slm_segment_sys = mine;
            }
            return faults.real.link(from, to);
        };
        Set set;
        inits = Inits();
        ASSERT_EQ(set.apply({inits.declare(named)}), SLM_OK) << set.error.text;
        EXPECT_EQ(inits.reused, (std::vector<bool>{false, true})); /* the callback ran twice */
        EXPECT_EQ(numbers_alone(set["keys"]), (Numbers{1002, 7}));
    }
}

/* What a server's relative path leads to is unknown from another folder, but not that its file has no
 * name any more. */
TEST(ZoneRelativePath, OfAFileThatWasRemovedIsRefusedFromAnotherFolder)
{
    ZoneOptions all;
    Set set;
    std::string path = all.folder() / "relative";
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    options.segment.name = "relative";
    const std::vector<slm_zone_declaration> declared = {{options, nullptr, nullptr, false}};
    EXPECT_EQ(in_child([&] {
                  bool is_made = chdir(all.folder().path().c_str()) == 0 &&
                                 set.apply(declared) == SLM_OK && chdir("/") == 0;
                  bool is_kept = set.apply(declared) == SLM_OK;
                  bool is_removed = unlink(path.c_str()) == 0;
                  return first_wrong(
                      {is_made, is_kept, is_removed, set.apply(declared) == SLM_E_MISSING});
              }),
              0);
}

} // namespace
