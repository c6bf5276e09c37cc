/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a zone that exists or making it, and the version of its content. */
#include <fstream>

#include "tests/zone/set_fixture.h"

namespace {

using namespace slm_test;

const Kind kNamedKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE};
const Kind kNamelessKinds[] = {SLM_SEGMENT_ANONYMOUS, SLM_SEGMENT_SYSV, SLM_SEGMENT_MEMFD};

struct Opened : Zone {
    bool is_new = false;
    slm_status open(const slm_zone_options &options)
    {
        return slm_zone_open(&zone, &options, &is_new, &error);
    }
};

/* --- Open --- */

TEST(ZoneOpen, MakesANamedZoneOnceAndThenOpensIt)
{
    for (Kind kind : kNamedKinds) {
        ZoneOptions all;
        Opened first, second;
        ASSERT_EQ(first.open(all.of(kind)), SLM_OK) << first.error.text;
        EXPECT_TRUE(first.is_new);
        ASSERT_EQ(push_alone(first, 7), SLM_OK);
        ASSERT_EQ(second.open(all.of(kind)), SLM_OK) << second.error.text;
        EXPECT_FALSE(second.is_new);
        EXPECT_EQ(numbers_alone(second), (Numbers{7}));
        ASSERT_EQ(push_alone(second, 8), SLM_OK);
        EXPECT_EQ(numbers_alone(first), (Numbers{8, 7}));
    }
}

TEST(ZoneOpen, AlwaysMakesAZoneWithoutAName)
{
    for (Kind kind : kNamelessKinds) {
        ZoneOptions all;
        Opened first, second;
        ASSERT_EQ(first.open(all.of(kind)), SLM_OK) << first.error.text;
        ASSERT_EQ(push_alone(first, 7), SLM_OK);
        ASSERT_EQ(second.open(all.of(kind)), SLM_OK) << second.error.text;
        EXPECT_TRUE(second.is_new);
        EXPECT_EQ(numbers_alone(second), Numbers());
    }
}

/* Whether core files have the zone: the flags of the mapping that its slab is in. */
bool is_dumped(Zone &zone)
{
    auto at = reinterpret_cast<uintptr_t>(slm_segment_base(slm_zone_segment(zone)));
    bool is_here = false;
    std::ifstream maps("/proc/self/smaps");
    for (std::string line; std::getline(maps, line);) {
        uintptr_t from, to;
        if (sscanf(line.c_str(), "%zx-%zx ", &from, &to) == 2) {
            is_here = from <= at && at < to;
        } else if (is_here && line.compare(0, 8, "VmFlags:") == 0) {
            return line.find(" dd") == std::string::npos;
        }
    }
    return false;
}

TEST(ZoneOpen, LeavesTheZoneOutOfCoreFilesUnlessTheyAreToHaveIt)
{
    for (bool dump_core : {false, true}) {
        ZoneOptions all;
        Opened first, second;
        slm_zone_options options = all.of(SLM_SEGMENT_FILE);
        options.segment.dump_core = dump_core;
        ASSERT_EQ(first.open(options), SLM_OK) << first.error.text;
        ASSERT_EQ(second.open(options), SLM_OK) << second.error.text;
        EXPECT_FALSE(second.is_new);
        EXPECT_EQ(is_dumped(first), dump_core);
        EXPECT_EQ(is_dumped(second), dump_core);
    }
}

TEST(ZoneOpen, DoesNotNeedAPlaceForIsNew)
{
    ZoneOptions all;
    Zone zone;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    ASSERT_EQ(slm_zone_open(&zone.zone, &options, nullptr, &zone.error), SLM_OK);
    zone.detach();
    EXPECT_EQ(slm_zone_open(&zone.zone, &options, nullptr, nullptr), SLM_OK);
}

TEST(ZoneOpen, RepairsWhatAKilledServerLeftWithEachKindOfLock)
{
    for (Kind kind : kNamedKinds) {
        for (slm_lock_kind lock : kEveryLock) {
            ZoneOptions all;
            slm_zone_options options = all.of(kind, lock);
            in_child([&] {
                Opened zone;
                bool is_ready = zone.open(options) == SLM_OK && push_alone(zone, 7) == SLM_OK &&
                                slm_zone_lock(zone) == SLM_OK && push(zone, 8);
                raise(is_ready ? SIGKILL : SIGTERM);
                return 0;
            });
            Opened again;
            ASSERT_EQ(again.open(options), SLM_OK) << again.error.text;
            EXPECT_FALSE(again.is_new);
            EXPECT_EQ(numbers_alone(again), (Numbers{7}));
            EXPECT_EQ(check_alone(again), 0u);
        }
    }
}

TEST(ZoneOpen, MakesAZoneLongerAndNeverShorter)
{
    for (Kind kind : kNamedKinds) {
        ZoneOptions all;
        slm_zone_options options = all.of(kind);
        {
            Opened zone;
            ASSERT_EQ(zone.open(options), SLM_OK) << zone.error.text;
            ASSERT_EQ(push_alone(zone, 7), SLM_OK);
        }
        for (size_t bytes : {3 * kZoneBytes, kZoneBytes}) {
            Opened zone;
            options.bytes = bytes;
            ASSERT_EQ(zone.open(options), SLM_OK) << zone.error.text;
            EXPECT_EQ(zone.stats().bytes, 3 * kZoneBytes);
            EXPECT_EQ(numbers_alone(zone), (Numbers{7}));
            EXPECT_EQ(check_alone(zone), 0u);
        }
    }
}

/* What an existing zone cannot become. */
struct Other {
    const char *name;
    void (*make)(slm_zone_options &options);
    slm_status status;
    const char *text;
};

const Other kOthers[] = {
    {"Name", [](slm_zone_options &o) { o.name = "locks"; }, SLM_E_NAME,
     "zone \"keys\", expected \"locks\""},
    {"Tag", [](slm_zone_options &o) { o.tag = "test v2"; }, SLM_E_NAME,
     "zone keys: its tag is \"test v1\", and \"test v2\" is declared"},
    {"Lock", [](slm_zone_options &o) { o.lock_kind = SLM_LOCK_SPIN_SEM; }, SLM_E_OPTION,
     "zone keys: its lock_kind is 0, and 1 is declared"},
    {"Journal", [](slm_zone_options &o) { o.journal_entries = 300; }, SLM_E_OPTION,
     "zone keys: its journal_entries is 256, and 300 is declared"},
    {"Classes", [](slm_zone_options &o) { o.slab.per_doubling = 4; }, SLM_E_OPTION,
     "zone keys: its slab.per_doubling is 1, and 4 is declared"},
    {"TooLong", [](slm_zone_options &o) { o.bytes = o.max_bytes = 2 * kZoneMaxBytes; }, SLM_E_SIZE,
     "zone keys: its max_bytes is 1048576, and bytes 2097152 is declared"},
};

class ZoneOpenOther : public testing::TestWithParam<Other> {};

INSTANTIATE_TEST_SUITE_P(Other, ZoneOpenOther, testing::ValuesIn(kOthers),
                         [](const auto &other) { return std::string(other.param.name); });

TEST_P(ZoneOpenOther, IsRefusedInWordsAndChangesNothing)
{
    for (Kind kind : kNamedKinds) {
        ZoneOptions all;
        Opened zone, other;
        slm_zone_options options = all.of(kind);
        ASSERT_EQ(zone.open(options), SLM_OK) << zone.error.text;
        ASSERT_EQ(push_alone(zone, 7), SLM_OK);
        Holdings before;
        GetParam().make(options);
        EXPECT_EQ(other.open(options), GetParam().status);
        EXPECT_NE(strstr(other.error.text, GetParam().text), nullptr) << other.error.text;
        EXPECT_EQ(other.zone, nullptr);
        EXPECT_EQ(Holdings(), before);
        EXPECT_EQ(numbers_alone(zone), (Numbers{7}));
        EXPECT_EQ(zone.stats().bytes, kZoneBytes);
        /* A set that starts gives the same answer. */
        Set set;
        EXPECT_EQ(set.apply({{options, nullptr, nullptr, false}}), GetParam().status);
        EXPECT_NE(strstr(set.error.text, GetParam().text), nullptr) << set.error.text;
    }
}

TEST(ZoneOpen, OfManyProcessesMakesOneZone)
{
    constexpr unsigned kProcesses = 8;
    for (Kind kind : kNamedKinds) {
        ZoneOptions all;
        slm_zone_options options = all.of(kind);
        int start[2];
        ASSERT_EQ(pipe(start), 0);
        std::vector<pid_t> children;
        for (unsigned i = 0; i < kProcesses; i++) {
            pid_t child = fork();
            if (child == 0) {
                char byte;
                Opened zone;
                close(start[1]);
                bool is_good = read(start[0], &byte, 1) == 0 && zone.open(options) == SLM_OK &&
                               push_alone(zone, i) == SLM_OK;
                _exit(!is_good ? 2 : zone.is_new ? 1 : 0);
            }
            children.push_back(child);
        }
        close(start[0]);
        close(start[1]);
        unsigned n_made = 0;
        for (pid_t child : children) {
            int how = 0;
            ASSERT_EQ(waitpid(child, &how, 0), child);
            ASSERT_TRUE(WIFEXITED(how));
            EXPECT_LE(WEXITSTATUS(how), 1);
            n_made += WEXITSTATUS(how) == 1;
        }
        Opened zone;
        ASSERT_EQ(zone.open(options), SLM_OK) << zone.error.text;
        EXPECT_EQ(n_made, 1u);
        EXPECT_EQ(numbers_alone(zone).size(), kProcesses);
    }
}

TEST(ZoneOpen, RefusesAFileThatIsNoZoneAndKeepsIt)
{
    ZoneOptions all;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    {
        std::ofstream file(options.segment.name);
        file << std::string(kZoneBytes, 'x');
    }
    ASSERT_EQ(chmod(options.segment.name, 0600), 0);
    Opened zone;
    EXPECT_EQ(zone.open(options), SLM_E_MAGIC);
    EXPECT_EQ(zone.zone, nullptr);
    struct stat about;
    ASSERT_EQ(stat(options.segment.name, &about), 0);
    EXPECT_EQ(static_cast<size_t>(about.st_size), kZoneBytes);
}

/* --- Versions of content --- */

/* Content of version 1 has one number at the root; of version 2, that number and its double. */
struct Pair {
    uint64_t number;
    uint64_t twice;
};

slm_status make_content(slm_zone *zone, uint64_t number)
{
    slm_status status = slm_zone_lock(zone);
    if (status == SLM_OK) {
        auto *pair = static_cast<Pair *>(slm_journal_calloc(slm_zone_journal(zone), sizeof(Pair)));
        pair->number = number;
        status = slm_zone_set_root_locked(zone, pair);
        (void)slm_zone_unlock(zone);
    }
    return status;
}

slm_status double_it(slm_zone *zone, uint32_t from_version, void *data)
{
    auto *pair = static_cast<Pair *>(slm_zone_root_locked(zone));
    auto *answer = static_cast<slm_status *>(data);
    EXPECT_EQ(from_version, 1u);
    EXPECT_EQ(slm_zone_trylock(zone), SLM_E_HELD);
    EXPECT_EQ(slm_journal_write(slm_zone_journal(zone), &pair->twice, 2 * pair->number), SLM_OK);
    return *answer;
}

class ZoneContent : public testing::Test {
  protected:
    slm_zone_options of_version(uint32_t version) const
    {
        slm_zone_options options = all.of(SLM_SEGMENT_FILE);
        options.content_version = version;
        return options;
    }

    slm_zone_options upgrading_to(uint32_t version)
    {
        slm_zone_options options = of_version(version);
        options.upgrade = double_it;
        options.upgrade_data = &answer;
        return options;
    }

    /* Makes a zone of version 1. */
    void SetUp() override
    {
        ASSERT_EQ(old.open(of_version(1)), SLM_OK) << old.error.text;
        ASSERT_EQ(make_content(old, 21), SLM_OK);
    }

    uint64_t twice() const
    {
        return static_cast<Pair *>(slm_zone_root_locked(old))->twice;
    }

    ZoneOptions all;
    slm_status answer = SLM_OK; /* of the callback */
    Opened old;
};

TEST_F(ZoneContent, OfTheSameVersionIsOpenedAsItIs)
{
    Opened again;
    ASSERT_EQ(again.open(upgrading_to(1)), SLM_OK) << again.error.text;
    EXPECT_EQ(again.stats().content_version, 1u);
    EXPECT_EQ(twice(), 0u);
}

TEST_F(ZoneContent, OfAnEarlierVersionIsBroughtForward)
{
    Opened next;
    ASSERT_EQ(next.open(upgrading_to(2)), SLM_OK) << next.error.text;
    EXPECT_FALSE(next.is_new);
    EXPECT_EQ(next.stats().content_version, 2u);
    EXPECT_EQ(twice(), 42u);
    ASSERT_EQ(slm_zone_lock(next), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(next), SLM_OK);
    EXPECT_EQ(check_alone(next), 0u);
}

TEST_F(ZoneContent, OfAnotherVersionIsRefusedWithBothNumbers)
{
    Opened next;
    EXPECT_EQ(next.open(of_version(2)), SLM_E_VERSION);
    EXPECT_STREQ(next.error.text,
                 "zone keys: its content has version 1, and no callback brings it to 2");
    EXPECT_EQ(next.open(upgrading_to(0)), SLM_E_VERSION);
    EXPECT_STREQ(next.error.text,
                 "zone keys: its content has version 1, later than 0 of this program");
    EXPECT_EQ(next.zone, nullptr);
    EXPECT_EQ(old.stats().content_version, 1u);
    EXPECT_EQ(slm_zone_lock(old), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(old), SLM_OK);
}

TEST_F(ZoneContent, IsAsBeforeIfTheCallbackFails)
{
    Opened next;
    answer = SLM_E_NOMEM;
    slm_zone_options longer = upgrading_to(2);
    longer.bytes = 2 * kZoneBytes;
    EXPECT_EQ(next.open(longer), SLM_E_NOMEM);
    EXPECT_STREQ(next.error.text,
                 "zone keys: its content of version 1 cannot be brought to 2: out of memory");
    EXPECT_EQ(old.stats().content_version, 1u);
    EXPECT_EQ(old.stats().bytes, kZoneBytes);
    EXPECT_EQ(twice(), 0u);
    EXPECT_EQ(check_alone(old), 0u);
}

TEST_F(ZoneContent, IsAsBeforeIfTheCallbacksTransactionIsTooLong)
{
    Opened next;
    slm_zone_options options = of_version(2);
    options.upgrade = [](slm_zone *zone, uint32_t, void *) {
        auto *pair = static_cast<Pair *>(slm_zone_root_locked(zone));
        for (unsigned i = 0; i < 300; i++) {
            (void)slm_journal_write(slm_zone_journal(zone), &pair->twice, i);
        }
        return SLM_OK;
    };
    EXPECT_EQ(next.open(options), SLM_E_FULL);
    EXPECT_EQ(old.stats().content_version, 1u);
    EXPECT_EQ(twice(), 0u);
}

TEST_F(ZoneContent, ThatWasBroughtForwardStopsHandlesOfTheEarlierVersion)
{
    Opened next;
    Zone any, same, later;
    slm_zone_attach_options attach = all.to_attach(old);
    ASSERT_EQ(any.attach(attach), SLM_OK) << any.error.text;
    attach.content_version = 1;
    ASSERT_EQ(same.attach(attach), SLM_OK) << same.error.text;
    attach.content_version = 2;
    EXPECT_EQ(later.attach(attach), SLM_E_VERSION);
    std::string text = std::string(slm_segment_label(slm_zone_segment(old))) +
                       ": its content has version 1, expected 2";
    EXPECT_EQ(later.error.text, text);
    ASSERT_EQ(next.open(upgrading_to(2)), SLM_OK) << next.error.text;
    for (slm_zone *zone : {old.zone, same.zone}) {
        EXPECT_EQ(slm_zone_lock(zone), SLM_E_VERSION);
        EXPECT_EQ(slm_zone_trylock(zone), SLM_E_VERSION);
        EXPECT_EQ(slm_zone_timedlock(zone, 1), SLM_E_VERSION);
    }
    EXPECT_EQ(push_alone(any, 1), SLM_OK);
    EXPECT_EQ(later.attach(attach), SLM_OK) << later.error.text;
}

/* Dies in the callback, whose writes were made; and after it, before the commit. */
TEST_F(ZoneContent, IsAsBeforeIfTheProgramDiesWhileItBringsItForward)
{
    slm_zone_options options = of_version(2);
    options.upgrade = [](slm_zone *zone, uint32_t, void *) {
        auto *pair = static_cast<Pair *>(slm_zone_root_locked(zone));
        (void)slm_journal_write(slm_zone_journal(zone), &pair->twice, 42);
        raise(SIGKILL);
        return SLM_OK;
    };
    in_child([&] { return Opened().open(options) == SLM_OK ? 0 : 1; });
    ASSERT_EQ(slm_zone_lock(old), SLM_OK);
    EXPECT_EQ(twice(), 0u);
    EXPECT_EQ(slm_zone_unlock(old), SLM_OK);
    EXPECT_EQ(old.stats().content_version, 1u);
    EXPECT_EQ(old.stats().n_recoveries, 1u);
    Opened next;
    EXPECT_EQ(next.open(upgrading_to(2)), SLM_OK) << next.error.text;
    EXPECT_EQ(twice(), 42u);
}

TEST_F(ZoneContent, KeepsItsVersionWhenAllObjectsAreFreed)
{
    ASSERT_EQ(slm_zone_lock(old), SLM_OK);
    EXPECT_EQ(slm_zone_reset_locked(old), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(old), SLM_OK);
    EXPECT_EQ(old.stats().content_version, 1u);
}

TEST_F(ZoneContent, IsBroughtForwardByAReloadBeforeInitAndUndoneWithIt)
{
    slm_status init_answer = SLM_E_STATE;
    auto init = [](slm_zone *zone, bool is_reused, void *data) {
        EXPECT_TRUE(is_reused);
        EXPECT_EQ(static_cast<Pair *>(slm_zone_root_locked(zone))->twice, 42u);
        return *static_cast<slm_status *>(data);
    };
    Set set;
    slm_zone *zone = old.zone;
    ASSERT_EQ(slm_zone_set_adopt(set, zone), SLM_OK);
    old.zone = nullptr;
    EXPECT_EQ(set.apply({{upgrading_to(2), init, &init_answer, false}}), SLM_E_STATE);
    EXPECT_EQ(push_alone(zone, 1), SLM_OK); /* the handle is for version 1 again */
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_TRUE(pop(zone));
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    init_answer = SLM_OK;
    EXPECT_EQ(set.apply({{upgrading_to(2), init, &init_answer, false}}), SLM_OK) << set.error.text;
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(set.apply({{of_version(3), init, &init_answer, false}}), SLM_E_VERSION);
    EXPECT_NE(strstr(set.error.text, "version 2, and no callback brings it to 3"), nullptr)
        << set.error.text;
}

TEST_F(ZoneContent, IsNotBroughtForwardByACallbackThatUnlocks)
{
    Opened next, again;
    slm_zone_options options = of_version(2);
    options.bytes = 2 * kZoneBytes;
    options.upgrade = [](slm_zone *zone, uint32_t, void *) { return slm_zone_unlock(zone); };
    EXPECT_EQ(next.open(options), SLM_E_OWNER);
    EXPECT_STREQ(next.error.text, "zone keys: its content of version 1 cannot be brought to 2: the "
                                  "caller does not hold the lock, or its holder is alive");
    EXPECT_EQ(old.stats().content_version, 1u);
    EXPECT_EQ(slm_zone_lock(old), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(old), SLM_OK);
    EXPECT_EQ(again.open(of_version(1)), SLM_OK) << again.error.text;
}

} // namespace
