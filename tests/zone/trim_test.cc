/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of free pages is given back to the system, and taken again before it is handed out. */
#include <algorithm>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/zone/move_steps.h"
#include <slabmill/zone_copy.h>

namespace {

using namespace slm_test;

constexpr size_t kBytes = size_t{4} << 20;
constexpr size_t kMaxBytes = size_t{6} << 20;
constexpr size_t kLarge = size_t{1} << 20;
constexpr unsigned kLinks = 100;

uint64_t backed_bytes(int fd)
{
    struct stat about;
    EXPECT_EQ(fstat(fd, &about), 0);
    return static_cast<uint64_t>(about.st_blocks) * 512;
}

bool is_punch(int mode)
{
    return (mode & FALLOC_FL_PUNCH_HOLE) != 0;
}

/* The system has no memory for what is backed again. */
int refuse_to_back(int fd, int mode, off_t from, off_t n_bytes)
{
    if (is_punch(mode)) {
        return fallocate(fd, mode, from, n_bytes);
    }
    errno = ENOSPC;
    return -1;
}

/* A zone with a list, and two large objects of three that were freed. */
class ZoneTrim : public testing::TestWithParam<Kind> {
  protected:
    ZoneTrim()
    {
        EXPECT_EQ(zone.create(all.of(GetParam())), SLM_OK) << zone.error.text;
        EXPECT_EQ(other.attach(all.to_attach(zone)), SLM_OK) << other.error.text;
        content = push_many_links();
        void *first = fill(zone);
        kept = fill(zone);
        void *third = fill(zone);
        EXPECT_EQ(slm_zone_free(zone, first), SLM_OK);
        EXPECT_EQ(slm_zone_free(zone, third), SLM_OK);
    }
    ~ZoneTrim() override
    {
        slm_yield_hook = nullptr;
        steps = {};
    }
    Numbers push_many_links()
    {
        for (unsigned i = 1; i <= kLinks; i++) {
            EXPECT_EQ(push_alone(zone, i), SLM_OK);
        }
        return numbers_alone(zone);
    }
    /* A large object, each byte of which is written; nullptr: there is no memory. */
    static void *fill(slm_zone *in)
    {
        slm_status status = SLM_OK;
        void *p = slm_zone_alloc(in, kLarge, &status);
        EXPECT_EQ(status, p != nullptr ? SLM_OK : SLM_E_NOMEM);
        if (p != nullptr) {
            memset(p, 0x5a, kLarge);
        }
        return p;
    }
    uint64_t backed() const
    {
        return backed_bytes(slm_segment_id(slm_zone_segment(zone)));
    }
    void expect_content()
    {
        EXPECT_EQ(numbers_alone(zone), content);
        EXPECT_EQ(numbers_alone(other), content);
        EXPECT_EQ(check_alone(zone), 0u);
        auto *bytes = static_cast<unsigned char *>(kept);
        EXPECT_EQ(std::count(bytes, bytes + kLarge, 0x5a), static_cast<ptrdiff_t>(kLarge));
    }
    /* All pages can be used. */
    void expect_usable()
    {
        EXPECT_NE(fill(other), nullptr);
        EXPECT_NE(fill(zone), nullptr);
        expect_content();
    }
    slm_status trim()
    {
        return slm_zone_trim(zone, &n_bytes, &error);
    }

    ZoneOptions all{kBytes, kMaxBytes};
    Zone zone, other;
    Numbers content;
    void *kept = nullptr;
    uint64_t n_bytes = 0;
    slm_error error{};
};

INSTANTIATE_TEST_SUITE_P(Each, ZoneTrim,
                         testing::Values(SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE));

TEST_P(ZoneTrim, GivesFreePagesBackAndAllocationsTakeThemAgain)
{
    uint64_t whole = backed();
    ASSERT_EQ(trim(), SLM_OK) << error.text;
    EXPECT_GE(n_bytes, 2 * kLarge);
    EXPECT_EQ(backed(), whole - n_bytes);
    expect_content();
    void *p = fill(other);
    EXPECT_GE(backed(), whole - n_bytes + kLarge);
    EXPECT_EQ(slm_zone_free(other, p), SLM_OK);
    ASSERT_EQ(trim(), SLM_OK) << error.text;
    EXPECT_GE(n_bytes, kLarge);
    expect_usable();
}

TEST_P(ZoneTrim, AnAllocationIsRefusedWhileTheSystemHasNoMemory)
{
    ASSERT_EQ(trim(), SLM_OK) << error.text;
    {
        KeepCalls keep;
        slm_segment_sys.fallocate = refuse_to_back;
        EXPECT_EQ(fill(zone), nullptr);
        EXPECT_EQ(fill(other), nullptr);
        unsigned n = 0;
        while (slm_zone_alloc(other, 2000, nullptr) != nullptr) {
            n++; /* chunks of spans that are there */
        }
        EXPECT_LT(n, 20u);
        expect_content();
        EXPECT_EQ(push_alone(zone, 5), SLM_OK);
        content.insert(content.begin(), 5);
    }
    expect_usable();
}

/* Counts its calls, and has nothing to evict. */
bool evict_nothing(slm_zone *, void *data)
{
    ++*static_cast<unsigned *>(data);
    return false;
}

/* A large object; evict_nothing was called so often. */
slm_status alloc_evicting(slm_zone *zone, unsigned *n_evictions)
{
    slm_status status = slm_zone_lock(zone);
    *n_evictions = 0;
    if (status == SLM_OK) {
        (void)slm_zone_alloc_evicting_locked(zone, kLarge, evict_nothing, n_evictions, &status);
        slm_zone_abort_locked(zone);
        EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    }
    return status;
}

TEST_P(ZoneTrim, AnAllocationWithoutTheDescriptorSaysSoAndEvictsNothing)
{
    ASSERT_EQ(trim(), SLM_OK) << error.text;
    EXPECT_EQ(in_child([&] {
                  slm_status status[3];
                  unsigned n_evictions = 0;
                  (void)close(slm_segment_id(slm_zone_segment(zone)));
                  bool has_none = slm_zone_alloc(zone, kLarge, &status[0]) == nullptr &&
                                  slm_zone_calloc(zone, kLarge, &status[1]) == nullptr &&
                                  slm_zone_alloc(zone, 2 * kBytes, &status[2]) == nullptr;
                  return first_wrong(
                      {has_none, status[0] == SLM_E_STATE, status[1] == SLM_E_STATE,
                       status[2] == SLM_E_NOMEM, alloc_evicting(zone, &n_evictions) == SLM_E_STATE,
                       n_evictions == 0, push_alone(zone, 5) == SLM_OK, check_alone(zone) == 0});
              }),
              0);
    content.insert(content.begin(), 5);
    expect_usable();
}

/* The reason is that of the last allocation, not of one before. */
TEST_P(ZoneTrim, AnAllocationThatLacksSpaceEvictsAlsoAfterAnotherFailure)
{
    ASSERT_EQ(trim(), SLM_OK) << error.text;
    KeepCalls keep;
    unsigned n_evictions = 0;
    slm_segment_sys.fallocate = [](int, int, off_t, off_t) {
        errno = EIO;
        return -1;
    };
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_journal_alloc(zone.journal(), kLarge), nullptr);
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
    slm_status status = SLM_OK;
    EXPECT_EQ(slm_zone_alloc(zone, 2 * kBytes, &status), nullptr);
    EXPECT_EQ(status, SLM_E_NOMEM);
    EXPECT_EQ(alloc_evicting(zone, &n_evictions), SLM_E_IO);
    EXPECT_EQ(n_evictions, 0u);
    slm_segment_sys.fallocate = refuse_to_back;
    EXPECT_EQ(alloc_evicting(zone, &n_evictions), SLM_E_NOMEM);
    EXPECT_EQ(n_evictions, 1u);
    slm_segment_sys = keep.real;
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_NE(slm_journal_alloc(zone.journal(), kLarge), nullptr);
    slm_zone_abort_locked(zone);
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
    expect_usable();
}

TEST_P(ZoneTrim, ALimitOfTheFilesLengthDoesNotApplyToPagesWithinIt)
{
    ASSERT_EQ(trim(), SLM_OK) << error.text;
    EXPECT_EQ(in_child([&] {
                  struct rlimit limit = {kLarge, kLarge};
                  (void)signal(SIGXFSZ, SIG_DFL);
                  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) {
                      return 1;
                  }
                  void *p = fill(zone);
                  return first_wrong({p != nullptr, slm_zone_free(zone, p) == SLM_OK,
                                      slm_zone_grow(zone, kMaxBytes, &error) == SLM_E_SPACE,
                                      check_alone(zone) == 0});
              }),
              0);
    expect_usable();
}

TEST_P(ZoneTrim, AnAllocationInAFileThatWasCutSaysSo)
{
    ASSERT_EQ(trim(), SLM_OK) << error.text;
    int fd = slm_segment_id(slm_zone_segment(zone));
    ASSERT_EQ(ftruncate(fd, 2 * kLarge), 0);
    slm_status status = SLM_OK;
    EXPECT_EQ(slm_zone_alloc(zone, kLarge + kLarge / 2, &status), nullptr);
    EXPECT_EQ(status, SLM_E_TRUNCATED);
    ASSERT_EQ(ftruncate(fd, kBytes), 0);
    EXPECT_EQ(check_alone(zone), 0u);
}

TEST_P(ZoneTrim, AnAttachFillsNoHolesUnlessTheFileIsAnother)
{
    ASSERT_EQ(trim(), SLM_OK) << error.text;
    uint64_t trimmed = backed();
    {
        Zone again;
        ASSERT_EQ(again.attach(all.to_attach(zone)), SLM_OK) << again.error.text;
        EXPECT_EQ(backed(), trimmed);
        EXPECT_EQ(numbers_alone(again), content);
        EXPECT_NE(fill(again), nullptr);
        EXPECT_GE(backed(), trimmed + kLarge);
    }
    ASSERT_EQ(trim(), SLM_OK) << error.text;
    zone.header()->lock.boot ^= 1; /* left by another boot */
    Zone again;
    ASSERT_EQ(again.attach(all.to_attach(zone)), SLM_OK) << again.error.text;
    EXPECT_GE(backed(), kBytes);
    expect_content();
}

TEST_P(ZoneTrim, AnAttachFillsTheHolesOfAFileThatTookTheNumberOfTheTrimmedOne)
{
    ASSERT_EQ(trim(), SLM_OK) << error.text;
    KeepCalls keep;
    slm_segment_sys.birth = [](int) { return uint64_t{1}; };
    Zone again;
    ASSERT_EQ(again.attach(all.to_attach(zone)), SLM_OK) << again.error.text;
    EXPECT_GE(backed(), kBytes);
    expect_content();
}

TEST_P(ZoneTrim, GrowthByOpenOrAReloadFillsNoHoles)
{
    constexpr size_t kMore = 64 * 1024;
    if (GetParam() != SLM_SEGMENT_MEMFD) {
        ASSERT_EQ(trim(), SLM_OK) << error.text;
        uint64_t trimmed = backed();
        slm_zone_options options = all.of(GetParam());
        options.bytes += kMore;
        Zone again;
        ASSERT_EQ(slm_zone_open(&again.zone, &options, nullptr, &error), SLM_OK) << error.text;
        EXPECT_EQ(again.stats().bytes, kBytes + kMore);
        EXPECT_LT(backed(), trimmed + kLarge);
        expect_content();
    }
    ZoneOptions others{kBytes, kMaxBytes};
    slm_zone_options declared = others.of(GetParam());
    Inits inits;
    Set set;
    ASSERT_EQ(set.apply({inits.declare(declared)}), SLM_OK) << set.error.text;
    ASSERT_EQ(slm_zone_trim(set["keys"], &n_bytes, &error), SLM_OK) << error.text;
    int fd = slm_segment_id(slm_zone_segment(set["keys"]));
    uint64_t trimmed = backed_bytes(fd);
    EXPECT_LT(trimmed, kLarge);
    declared.bytes += kMore;
    ASSERT_EQ(set.apply({inits.declare(declared)}), SLM_OK) << set.error.text;
    EXPECT_LT(backed_bytes(fd), trimmed + kLarge);
    EXPECT_NE(fill(set["keys"]), nullptr);
    EXPECT_EQ(check_alone(set["keys"]), 0u);
}

TEST_P(ZoneTrim, ACopyHasAllMemoryAgainAndExcludesATrim)
{
    ASSERT_EQ(trim(), SLM_OK) << error.text;
    Options to_options{kBytes, kBytes};
    slm_segment_options to = to_options.of(SLM_SEGMENT_POSIX);
    {
        KeepCalls keep;
        slm_segment_sys.fallocate = [](int fd, int mode, off_t from, off_t bytes) {
            return from == 0 && (mode & FALLOC_FL_KEEP_SIZE) != 0
                       ? refuse_to_back(fd, mode, from, bytes)
                       : fallocate(fd, mode, from, bytes);
        };
        EXPECT_EQ(slm_zone_copy(zone, &to, nullptr, &error), SLM_E_SPACE) << error.text;
        EXPECT_EQ(zone.header()->state, static_cast<uint64_t>(ZONE_READY));
    }
    static slm_zone *trimmed;
    static slm_status refused;
    trimmed = other;
    refused = SLM_OK;
    slm_yield_hook = [](const char *point) {
        if (strcmp(point, "unlock: give") != 0 || trimmed->header->state != ZONE_COPIED) {
            return;
        }
        slm_yield_hook = nullptr; /* the copier is about to unlock */
        EXPECT_EQ(slm_zone_unlock(trimmed), SLM_OK);
        refused = slm_zone_trim(trimmed, nullptr, nullptr);
        EXPECT_EQ(slm_zone_lock(trimmed), SLM_OK);
    };
    ASSERT_EQ(slm_zone_copy(zone, &to, nullptr, &error), SLM_OK) << error.text;
    EXPECT_EQ(refused, SLM_E_LOCKED);
    EXPECT_GE(backed(), kBytes);
    Zone copy;
    slm_zone_attach_options attach = all.to_attach(zone);
    attach.segment.kind = SLM_SEGMENT_POSIX;
    attach.segment.name = to.name;
    attach.check = true;
    ASSERT_EQ(copy.attach(attach), SLM_OK) << copy.error.text;
    EXPECT_EQ(numbers_alone(copy), content);
    EXPECT_NE(fill(copy), nullptr);
    EXPECT_EQ(slm_segment_remove(&to, nullptr), SLM_OK);
}

/* Each call to the system fails once. */
TEST_P(ZoneTrim, LeavesTheZoneWholeWhenTheSystemRefuses)
{
    unsigned n_failed = 0;
    bool is_reached = true;
    for (unsigned at = 1; is_reached; at++) {
        {
            EveryCall hooked;
            faults.error = at % 2 == 0 ? EIO : EOPNOTSUPP;
            faults.fail_at = at;
            slm_status status = trim();
            is_reached = faults.n_calls >= at;
            n_failed += status != SLM_OK;
            EXPECT_EQ(status == SLM_OK, error.text[0] == '\0') << error.text;
        }
        expect_content();
    }
    EXPECT_GE(n_failed, 2u);
    expect_usable();
}

/* Trims, takes memory again for a large object and for small ones, and undoes that. */
slm_status trim_and_use(slm_zone *zone)
{
    slm_status status = slm_zone_trim(zone, nullptr, nullptr);
    if (status != SLM_OK || slm_zone_lock(zone) != SLM_OK) {
        return SLM_E_STATE;
    }
    slm_journal *journal = slm_zone_journal(zone);
    bool has_all = slm_journal_calloc(journal, kLarge) != nullptr;
    for (unsigned i = 0; i < 10; i++) {
        has_all &= slm_journal_calloc(journal, 3000) != nullptr;
    }
    slm_zone_abort_locked(zone);
    return slm_zone_unlock(zone) == SLM_OK && has_all ? SLM_OK : SLM_E_NOMEM;
}

/* Each access to shared memory is a step, and each call that makes a hole or backs one. */
TEST_P(ZoneTrim, OfAProcessThatIsKilledLeavesTheZoneWhole)
{
    unsigned n_killed = 0;
    for (unsigned step = 1; !HasFailure(); step++) {
        SCOPED_TRACE(step);
        int ended = in_child([&] {
            begin_steps(step);
            return static_cast<int>(trim_and_use(zone));
        });
        if (ended != 128 + SIGKILL) {
            EXPECT_EQ(ended, SLM_OK);
            break;
        }
        n_killed++;
        expect_content();
        void *p = fill(other);
        ASSERT_NE(p, nullptr);
        EXPECT_EQ(slm_zone_free(other, p), SLM_OK);
    }
    EXPECT_GE(n_killed, 30u);
    expect_usable();
}

TEST(ZoneTrimRefusal, SaysWhichZoneAndWhy)
{
    for (Kind kind : {SLM_SEGMENT_ANONYMOUS, SLM_SEGMENT_SYSV, SLM_SEGMENT_MEMFD}) {
        ZoneOptions all;
        Zone zone, reader;
        uint64_t n_bytes = 7;
        ASSERT_EQ(zone.create(all.of(kind)), SLM_OK);
        if (kind != SLM_SEGMENT_MEMFD) {
            EXPECT_EQ(slm_zone_trim(zone, &n_bytes, &zone.error), SLM_E_OPTION);
            EXPECT_STREQ(zone.error.text,
                         "zone keys: its memory cannot be given back: it has no file");
            EXPECT_EQ(n_bytes, 0u);
            continue;
        }
        slm_zone_attach_options options = all.to_attach(zone);
        options.segment.read_only = true;
        ASSERT_EQ(reader.attach(options), SLM_OK) << reader.error.text;
        EXPECT_EQ(slm_zone_trim(reader, nullptr, &zone.error), SLM_E_READ_ONLY);
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
        EXPECT_EQ(slm_zone_trim(zone, nullptr, &zone.error), SLM_E_HELD);
        ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
        KeepCalls keep;
        slm_segment_sys.fallocate = [](int, int, off_t, off_t) {
            errno = EOPNOTSUPP;
            return -1;
        };
        EXPECT_EQ(slm_zone_trim(zone, nullptr, &zone.error), SLM_E_OPTION);
        EXPECT_NE(strstr(zone.error.text, "file system cannot"), nullptr) << zone.error.text;
    }
}

/* In a tmpfs of its own, which another file fills. */
class ZoneTrimOnAFullFileSystem : public testing::Test {
  protected:
    /* 1: this user cannot mount. 2: no zone. */
    int prepare()
    {
        if (!enter_mount_namespace() || mount("none", folder.c_str(), "tmpfs", 0, "size=6m") != 0) {
            return 1;
        }
        return zone.create(all.of(SLM_SEGMENT_FILE)) == SLM_OK ? 0 : 2;
    }
    bool trim_and_fill()
    {
        bool is_trimmed = slm_zone_trim(zone, nullptr, nullptr) == SLM_OK;
        fd = open((folder + "/filler").c_str(), O_CREAT | O_RDWR, 0600);
        while (fallocate(fd, 0, filled, 4096) == 0) {
            filled += 4096;
        }
        return is_trimmed && filled > 0;
    }
    void *alloc_large()
    {
        void *p = slm_zone_alloc(zone, kLarge, nullptr);
        if (p != nullptr) {
            memset(p, 1, kLarge);
        }
        return p;
    }
    static void expect_done(int ended)
    {
        if (ended == 1) {
            GTEST_SKIP() << "this user can neither mount nor make a namespace to mount in";
        }
        EXPECT_EQ(ended, 0);
    }

    ZoneOptions all{kBytes, kBytes};
    std::string folder = all.folder().path();
    Zone zone;
    int fd = -1;
    off_t filled = 0;
};

TEST_F(ZoneTrimOnAFullFileSystem, AnAllocationIsRefusedAndNoSignalIsRaised)
{
    expect_done(in_child([&] {
        int missing = prepare();
        if (missing != 0) {
            return missing;
        }
        bool is_ready = trim_and_fill() && filled > static_cast<off_t>(kBytes);
        bool is_refused = alloc_large() == nullptr;
        bool is_sound = check_alone(zone) == 0;
        bool has_room = ftruncate(fd, filled - static_cast<off_t>(2 * kLarge)) == 0;
        bool is_granted = alloc_large() != nullptr;
        return first_wrong({is_ready, is_refused, is_sound, has_room, is_granted});
    }));
}

TEST_F(ZoneTrimOnAFullFileSystem, AFreeRunThatBeginsWithAHoleGetsTheMemoryOfOtherFreePages)
{
    expect_done(in_child([&] {
        int missing = prepare();
        if (missing != 0) {
            return missing;
        }
        void *first = alloc_large();
        void *second = alloc_large();
        bool is_ready = second > first && slm_zone_free(zone, first) == SLM_OK && trim_and_fill();
        bool is_refused = alloc_large() == nullptr;
        bool is_freed = slm_zone_free(zone, second) == SLM_OK;
        bool is_granted = alloc_large() == first;
        bool is_refused_again = alloc_large() == nullptr;
        return first_wrong(
            {is_ready, is_refused, is_freed, is_granted, is_refused_again, check_alone(zone) == 0});
    }));
}

} // namespace
