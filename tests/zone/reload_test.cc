/* SPDX-License-Identifier: Apache-2.0 */
/* What other processes notice of a reload: how long they wait, and what they find meanwhile. */
#include <atomic>
#include <functional>
#include <thread>

#include "tests/segment/hooks.h"
#include "tests/zone/set_fixture.h"

namespace {

using namespace slm_test;

/* A segment whose length other processes see. */
const Kind kFileKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE};

slm_zone *watched;       /* the zone that a worker would use meanwhile */
unsigned n_calls_seen;   /* calls to the system in which the worker tried */
unsigned n_calls_locked; /* of these, the worker could not lock */

/* Tries as another thread, which is another holder. */
void try_as_a_worker()
{
    std::thread worker([] {
        n_calls_seen++;
        if (slm_zone_trylock(watched) == SLM_OK) {
            (void)slm_zone_unlock(watched);
        } else {
            n_calls_locked++;
        }
    });
    worker.join();
}

int fallocate_beside_a_worker(int fd, int mode, off_t from, off_t n_bytes)
{
    try_as_a_worker();
    return faults.real.fallocate(fd, mode, from, n_bytes);
}

class ZoneReload : public testing::Test {
  protected:
    slm_zone_options named(const char *name, Kind kind = SLM_SEGMENT_MEMFD) const
    {
        slm_zone_options result = all.of(kind);
        result.name = name;
        return result;
    }

    ZoneOptions all, other;
    Inits inits;
    Set set;
};

/* The system takes seconds for the pages of a long zone. */
TEST_F(ZoneReload, TakesPagesWhileWorkersCanLock)
{
    for (Kind kind : kFileKinds) {
        KeepCalls keep;
        ZoneOptions own, next;
        Set fresh;
        faults = Faults{};
        slm_zone_options kept = own.of(kind);
        slm_zone_options made = next.of(kind);
        made.name = "made";
        ASSERT_EQ(fresh.apply({{kept, nullptr, nullptr, false}}), SLM_OK) << fresh.error.text;
        watched = fresh["keys"];
        n_calls_seen = n_calls_locked = 0;
        slm_segment_sys.fallocate = fallocate_beside_a_worker;
        kept.bytes = 3 * kZoneBytes;
        ASSERT_EQ(fresh.apply({{kept, nullptr, nullptr, false}, {made, nullptr, nullptr, false}}),
                  SLM_OK)
            << fresh.error.text;
        EXPECT_GE(n_calls_seen, 2u) << kind; /* the growth, the new zone */
        EXPECT_EQ(n_calls_locked, 0u) << kind;
        EXPECT_EQ(zone_bytes(watched), 3 * kZoneBytes);
    }
}

TEST_F(ZoneReload, RunsCallbacksOfNewZonesWhileWorkersCanLock)
{
    auto init = [](slm_zone *, bool is_reused, void *) {
        if (!is_reused) {
            try_as_a_worker();
        }
        return SLM_OK;
    };
    ASSERT_EQ(set.apply({{named("kept"), nullptr, nullptr, false}}), SLM_OK);
    watched = set["kept"];
    n_calls_seen = n_calls_locked = 0;
    ASSERT_EQ(set.apply({{named("kept"), init, nullptr, false},
                         {named("made"), init, nullptr, false},
                         {named("another"), init, nullptr, false}}),
              SLM_OK);
    EXPECT_EQ(n_calls_seen, 2u);
    EXPECT_EQ(n_calls_locked, 0u);
}

/* Goes on with the inherited handle when the byte comes. Returns the number of what went wrong. */
int go_on_with(slm_zone *zone, int from)
{
    char byte;
    bool has_byte = read(from, &byte, 1) == 1;
    if (!has_byte || slm_zone_lock(zone) != SLM_OK) {
        return 1;
    }
    if (slm_zone_check_locked(zone) != 0 || slm_zone_unlock(zone) != SLM_OK) {
        return 2;
    }
    return slm_zone_grow(zone, 2 * kZoneBytes, nullptr) == SLM_OK &&
                   slm_segment_verify(slm_zone_segment(zone), nullptr) != SLM_E_TRUNCATED
               ? 0
               : 3;
}

struct Forked {
    pid_t process;
    int bytes[2];
};

/* Another thread of the master starts a worker while the callback runs, and the growth is taken
 * back afterwards. */
TEST_F(ZoneReload, ThatTakesAGrowthBackLeavesTheZoneToAWorkerForkedMeanwhile)
{
    auto init = [](slm_zone *zone, bool is_reused, void *data) {
        auto *forked = static_cast<Forked *>(data);
        if (!is_reused) {
            return SLM_OK;
        }
        std::thread([&] {
            forked->process = fork();
            if (forked->process == 0) {
                end_child(go_on_with(zone, forked->bytes[0]));
            }
        }).join();
        return SLM_E_NOMEM;
    };
    for (Kind kind : kFileKinds) {
        ZoneOptions own;
        Set fresh;
        Forked forked = {-1, {-1, -1}};
        int status;
        ASSERT_EQ(pipe(forked.bytes), 0);
        slm_zone_options kept = own.of(kind);
        ASSERT_EQ(fresh.apply({{kept, init, &forked, false}}), SLM_OK) << fresh.error.text;
        kept.bytes = 3 * kZoneBytes;
        EXPECT_EQ(fresh.apply({{kept, init, &forked, false}}), SLM_E_NOMEM);
        EXPECT_EQ(write(forked.bytes[1], "x", 1), 1);
        ASSERT_EQ(waitpid(forked.process, &status, 0), forked.process);
        EXPECT_EQ(status, 0) << kind;
        close(forked.bytes[0]);
        close(forked.bytes[1]);
    }
}

/* A thread that holds a zone's lock until the end. */
class Holder {
  public:
    explicit Holder(slm_zone *zone)
        : thread_([this, zone] {
              EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
              has_lock_.store(true);
              while (!may_end_.load()) {
                  std::this_thread::yield();
              }
              EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
          })
    {
        while (!has_lock_.load()) {
            std::this_thread::yield();
        }
    }
    ~Holder()
    {
        may_end_.store(true);
        thread_.join();
    }
    Holder(const Holder &) = delete;
    Holder &operator=(const Holder &) = delete;

  private:
    std::atomic<bool> has_lock_{false};
    std::atomic<bool> may_end_{false};
    std::thread thread_;
};

TEST_F(ZoneReload, GivesUpIfALockIsHeldForTooLongAndChangesNothing)
{
    for (unsigned limit_ms : {0u, 30u}) {
        for (slm_lock_kind lock : kEveryLock) {
            Set fresh;
            ZoneOptions own;
            slm_zone_options kept = own.of(SLM_SEGMENT_MEMFD, lock);
            slm_zone_options first = named("a free one");
            inits = Inits();
            ASSERT_EQ(fresh.apply({inits.declare(kept), inits.declare(first)}), SLM_OK);
            ASSERT_EQ(slm_zone_set_limit_wait(fresh, limit_ms), SLM_OK);
            Numbers before = numbers_alone(fresh["keys"]);
            Numbers before_first = numbers_alone(fresh["a free one"]);
            kept.bytes = first.bytes = 2 * kZoneBytes;
            {
                Holder holder(fresh["keys"]);
                EXPECT_EQ(fresh.apply({inits.declare(kept), inits.declare(first)}), SLM_E_TIMEOUT);
                EXPECT_NE(strstr(fresh.error.text, "zone keys: thread "), nullptr)
                    << fresh.error.text;
            }
            EXPECT_EQ(zone_bytes(fresh["keys"]), kZoneBytes);
            EXPECT_EQ(zone_bytes(fresh["a free one"]), kZoneBytes);
            EXPECT_EQ(numbers_alone(fresh["keys"]), before);
            EXPECT_EQ(numbers_alone(fresh["a free one"]), before_first);
            EXPECT_EQ(fresh.apply({inits.declare(kept), inits.declare(first)}), SLM_OK)
                << fresh.error.text;
            EXPECT_EQ(zone_bytes(fresh["keys"]), 2 * kZoneBytes);
            EXPECT_EQ(check_alone(fresh["keys"]), 0u);
        }
    }
}

/* Pages could not be given back, since a worker holds the lock. */
TEST_F(ZoneReload, ThatIsRefusedTakesNoPages)
{
    slm_zone_options longer = named("longer");
    slm_zone_options refused = named("refused");
    ASSERT_EQ(set.apply({inits.declare(longer), inits.declare(refused)}), SLM_OK);
    longer.bytes = 2 * kZoneBytes;
    refused.tag = "test v2";
    Holder holder(set["longer"]);
    EXPECT_EQ(set.apply({inits.declare(longer), inits.declare(refused)}), SLM_E_NAME);
    struct stat about;
    ASSERT_EQ(fstat(slm_segment_id(slm_zone_segment(set["longer"])), &about), 0);
    EXPECT_EQ(static_cast<size_t>(about.st_size), kZoneBytes);
}

/* Waiters for a lock of nginx's kind do not look for deaths. */
TEST_F(ZoneReload, TakesTheLockOfADeadWorkerOfAnyKind)
{
    for (slm_lock_kind lock : kEveryLock) {
        Set fresh;
        ZoneOptions own;
        inits = Inits();
        slm_zone_options kept = own.of(SLM_SEGMENT_MEMFD, lock);
        ASSERT_EQ(fresh.apply({inits.declare(kept)}), SLM_OK);
        in_child([&] {
            bool is_locked = slm_zone_lock(fresh["keys"]) == SLM_OK;
            raise(is_locked ? SIGKILL : SIGTERM);
            return 0;
        });
        EXPECT_EQ(fresh.apply({inits.declare(kept)}), SLM_OK) << fresh.error.text;
        EXPECT_EQ(numbers_alone(fresh["keys"]), (Numbers{1002, 1001}));
    }
}

/* The workers of the earlier zone go on, and use the lock file that the new zone has too. */
TEST_F(ZoneReload, MakesANewZoneWhileTheLockFileOfTheEarlierOneIsInUse)
{
    slm_zone_declaration locked = inits.declare(all.of(SLM_SEGMENT_MEMFD, SLM_LOCK_FILE));
    ASSERT_EQ(set.apply({locked}), SLM_OK) << set.error.text;
    Zone earlier;
    ASSERT_EQ(earlier.attach(all.to_attach(set["keys"])), SLM_OK) << earlier.error.text;
    locked.no_reuse = true;
    {
        Holder holder(earlier);
        ASSERT_EQ(slm_zone_set_limit_wait(set, 20), SLM_OK);
        EXPECT_EQ(set.apply({locked}), SLM_E_TIMEOUT);
    }
    EXPECT_EQ(set.apply({locked}), SLM_OK) << set.error.text;
    EXPECT_EQ(numbers_alone(set["keys"]), (Numbers{1002}));
    EXPECT_EQ(numbers_alone(earlier), (Numbers{1001}));
}

/* Two masters, each of which would hold the zone that the other one waits for. */
TEST_F(ZoneReload, OfTwoMastersInDifferentOrdersDoesNotStop)
{
    constexpr unsigned kReloads = 200;
    Zone one, two;
    ASSERT_EQ(one.create(named("one")), SLM_OK);
    ASSERT_EQ(two.create(named("two")), SLM_OK);
    auto reload_often = [&](bool backwards) {
        Set mine;
        slm_zone_declaration first = {named(backwards ? "two" : "one"), nullptr, nullptr, false};
        slm_zone_declaration second = {named(backwards ? "one" : "two"), nullptr, nullptr, false};
        bool is_good = slm_zone_set_adopt(mine, one) == SLM_OK &&
                       slm_zone_set_adopt(mine, two) == SLM_OK &&
                       slm_zone_set_limit_wait(mine, 20000) == SLM_OK;
        for (unsigned i = 0; i < kReloads && is_good; i++) {
            is_good = mine.apply({first, second}) == SLM_OK;
        }
        return is_good ? 0 : 1;
    };
    pid_t forwards = fork();
    if (forwards == 0) {
        _exit(reload_often(false));
    }
    EXPECT_EQ(in_child([&] { return reload_often(true); }), 0);
    int how = 0;
    ASSERT_EQ(waitpid(forwards, &how, 0), forwards);
    EXPECT_EQ(how, 0);
}

/* Gives back what the reload has prepared, as another master does whose own reload fails. */
slm_status cut_what_was_prepared(slm_zone *, bool is_reused, void *data)
{
    auto *kept = static_cast<slm_zone *>(data);
    if (is_reused) {
        return SLM_OK;
    }
    slm_segment_options options{};
    options.kind = SLM_SEGMENT_MEMFD;
    options.id = slm_segment_id(slm_zone_segment(kept));
    slm_segment *segment = nullptr;
    EXPECT_EQ(slm_segment_attach(&segment, &options, nullptr), SLM_OK);
    EXPECT_EQ(slm_segment_bytes(segment), 3 * kZoneBytes);
    EXPECT_EQ(slm_segment_shrink(segment, kZoneBytes, nullptr), SLM_OK);
    slm_segment_detach(segment);
    return SLM_OK;
}

TEST_F(ZoneReload, GrowsThoughAnotherMasterCutWhatWasPrepared)
{
    slm_zone_options kept = named("kept");
    ASSERT_EQ(set.apply({inits.declare(kept)}), SLM_OK);
    kept.bytes = 3 * kZoneBytes;
    ASSERT_EQ(set.apply({{kept, nullptr, nullptr, false},
                         {named("made"), cut_what_was_prepared, set["kept"], false}}),
              SLM_OK)
        << set.error.text;
    EXPECT_EQ(zone_bytes(set["kept"]), 3 * kZoneBytes);
    EXPECT_NE(slm_zone_calloc(set["kept"], 2 * kZoneBytes, nullptr), nullptr);
    EXPECT_EQ(check_alone(set["kept"]), 0u);
}

/* --- A new zone that an apply names and then takes back --- */

std::function<void()> before_link; /* runs once, before the second name is given */
std::atomic<unsigned> n_links;

int link_late(const char *from, const char *to)
{
    if (++n_links == 2 && before_link) {
        before_link();
    }
    return faults.real.link(from, to);
}

bool has_waiters(slm_zone *zone)
{
    slm_lock_owner owner = {};
    slm_lock_get_owner(slm_zone_lock_handle(zone), &owner);
    return owner.has_waiters;
}

/* The apply of two new zones names the first one. Then the second one's name is taken by another
 * process, and so the apply begins again. Meanwhile `open` finds the first one, and waits for it. */
void take_back_while_opened(const slm_zone_options &first, const slm_zone_options &second,
                            const std::function<slm_zone *()> &open)
{
    KeepCalls keep;
    Set set;
    Zone other, watch;
    slm_zone *opened = nullptr;
    std::thread opener;
    faults = Faults{};
    n_links = 0;
    slm_zone_attach_options attach{};
    attach.segment = first.segment;
    before_link = [&] {
        ASSERT_EQ(watch.attach(attach), SLM_OK) << watch.error.text;
        ASSERT_EQ(other.create(second), SLM_OK) << other.error.text;
        opener = std::thread([&] { opened = open(); });
        while (!has_waiters(watch)) {
            std::this_thread::yield();
        }
    };
    ASSERT_EQ(slm_zone_set_share(set, true), SLM_OK);
    slm_segment_sys.link = link_late;
    EXPECT_EQ(set.apply({{first, nullptr, nullptr, false}, {second, nullptr, nullptr, false}}),
              SLM_OK)
        << set.error.text;
    opener.join();
    before_link = nullptr;
    ASSERT_NE(opened, nullptr);
    ASSERT_NE(set[first.name], nullptr);
    EXPECT_EQ(slm_segment_verify(slm_zone_segment(opened), nullptr), SLM_OK);
    EXPECT_TRUE(slm_zone_are_one(opened, set[first.name]));
    EXPECT_FALSE(slm_zone_are_one(watch, set[first.name]));
}

TEST_F(ZoneReload, ThatTakesANewZoneBackLeavesNoOtherProcessWithIt)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        ZoneOptions one, two;
        Zone zone;
        slm_zone_options second = two.of(kind);
        second.name = "second";
        take_back_while_opened(one.of(kind), second, [&] {
            slm_zone_options options = one.of(kind);
            EXPECT_EQ(slm_zone_open(&zone.zone, &options, nullptr, &zone.error), SLM_OK)
                << zone.error.text;
            return zone.zone;
        });
    }
}

TEST_F(ZoneReload, ThatTakesANewZoneBackLeavesNoOtherServerWithIt)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        ZoneOptions one, two;
        Set server;
        slm_zone_options second = two.of(kind);
        second.name = "second";
        ASSERT_EQ(slm_zone_set_share(server, true), SLM_OK);
        take_back_while_opened(one.of(kind), second, [&] {
            EXPECT_EQ(server.apply({{one.of(kind), nullptr, nullptr, false}}), SLM_OK)
                << server.error.text;
            return server["keys"];
        });
    }
}

std::function<void()> after_look; /* runs once, when a name was looked for and is not there */

int lstat_late(const char *path, struct stat *stat)
{
    int result = faults.real.lstat(path, stat);
    if (result != 0 && after_look) {
        std::function<void()> once;
        once.swap(after_look);
        once();
        errno = ENOENT;
    }
    return result;
}

TEST_F(ZoneReload, ThatIsOvertakenBeforeItMakesAZoneOpensTheOtherOne)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        KeepCalls keep;
        ZoneOptions own;
        Set fresh;
        Zone theirs;
        faults = Faults{};
        after_look = [&] { ASSERT_EQ(theirs.create(own.of(kind)), SLM_OK) << theirs.error.text; };
        slm_segment_sys.lstat = lstat_late;
        EXPECT_EQ(fresh.apply({{own.of(kind), nullptr, nullptr, false}}), SLM_OK)
            << fresh.error.text;
        ASSERT_NE(fresh["keys"], nullptr);
        EXPECT_TRUE(slm_zone_are_one(theirs, fresh["keys"]));
    }
}

} // namespace
