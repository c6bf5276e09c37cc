/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of zones: what is in them, while threads and processes work, and what is refused. */
#include <atomic>
#include <functional>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "allocator/slab/view.h"
#include "tests/segment/hooks.h"
#include "tests/segment/traces.h"
#include "tests/zone/fixture.h"
#include <slabmill/zone_copy.h>

namespace {

using namespace slm_test;

slm_status count_asked(slm_zone *, void *data)
{
    ++*static_cast<unsigned *>(data);
    return SLM_OK;
}

/* A zone of a kind with a lock of a kind, and where its copy goes. */
struct Pair {
    explicit Pair(Kind kind = SLM_SEGMENT_FILE, slm_lock_kind lock = SLM_LOCK_ROBUST,
                  size_t bytes = kZoneBytes)
        : all(bytes, bytes * 4), copies(bytes, bytes * 4), path(all.folder() / "copy")
    {
        EXPECT_EQ(zone.create(all.of(kind, lock)), SLM_OK) << zone.error.text;
        to.kind = SLM_SEGMENT_FILE;
        to.name = path.c_str();
    }
    slm_status copy()
    {
        return slm_zone_copy(zone, &to, &report, &error);
    }
    slm_zone_attach_options to_attach() const
    {
        slm_zone_attach_options options = all.to_attach(zone);
        options.segment.kind = to.kind;
        options.segment.name = to.name;
        options.check = true;
        options.check_content = count_asked;
        options.check_data = const_cast<unsigned *>(&n_asked);
        return options;
    }

    ZoneOptions all, copies;
    Zone zone;
    std::string path;
    slm_segment_options to{};
    slm_zone_copy_report report{};
    slm_error error{};
    unsigned n_asked = 0;
};

TEST(ZoneCopy, HasTheContentOfTheZoneOfEachKindOfMemoryAndLock)
{
    for (Kind kind : kEveryKind) {
        for (slm_lock_kind lock : kEveryLock) {
            Pair pair(kind, lock);
            for (uint64_t i = 1; i <= 500; i++) {
                ASSERT_EQ(push_alone(pair.zone, i), SLM_OK);
            }
            ASSERT_EQ(pair.copy(), SLM_OK) << pair.error.text;
            Zone copy;
            ASSERT_EQ(copy.attach(pair.to_attach()), SLM_OK) << copy.error.text;
            EXPECT_TRUE(copy.stats().is_clean);
            EXPECT_EQ(numbers_alone(copy), numbers_alone(pair.zone));
            EXPECT_EQ(check_alone(copy), 0u);
            EXPECT_EQ(push_alone(copy, 501), SLM_OK);
            EXPECT_EQ(numbers_alone(pair.zone).size(), 500u);
            EXPECT_EQ(push_alone(pair.zone, 0), SLM_OK);
            EXPECT_STREQ(slm_zone_name(copy), "keys");
            EXPECT_STREQ(slm_zone_tag(copy), "test v1");
            EXPECT_EQ(copy.stats().bytes, pair.zone.stats().bytes);
            EXPECT_EQ(copy.stats().max_bytes, pair.zone.stats().max_bytes);
            EXPECT_EQ(pair.n_asked, 0u) << "a copy is clean";
            EXPECT_EQ(slm_zone_grow(copy, pair.zone.stats().bytes * 2, nullptr), SLM_OK);
            EXPECT_EQ(check_alone(copy), 0u);
        }
    }
}

TEST(ZoneCopy, CanBeAPosixSegmentThatOpenAccepts)
{
    Pair pair;
    ASSERT_EQ(push_alone(pair.zone, 7), SLM_OK);
    slm_zone_options options = pair.copies.of(SLM_SEGMENT_POSIX);
    pair.to = {};
    pair.to.kind = SLM_SEGMENT_POSIX;
    pair.to.name = options.segment.name;
    ASSERT_EQ(pair.copy(), SLM_OK) << pair.error.text;
    bool is_new = true;
    Zone copy;
    ASSERT_EQ(slm_zone_open(&copy.zone, &options, &is_new, &copy.error), SLM_OK) << copy.error.text;
    EXPECT_FALSE(is_new);
    EXPECT_EQ(numbers_alone(copy), Numbers{7});
}

TEST(ZoneCopy, OfAnEmptyAndOfAFullZoneIsWhole)
{
    Pair empty;
    ASSERT_EQ(empty.copy(), SLM_OK) << empty.error.text;
    Zone copy;
    ASSERT_EQ(copy.attach(empty.to_attach()), SLM_OK) << copy.error.text;
    EXPECT_EQ(numbers_alone(copy), Numbers{});
    Pair full;
    uint64_t n = 0;
    while (push_alone(full.zone, n) == SLM_OK) {
        n++;
    }
    ASSERT_EQ(full.copy(), SLM_OK) << full.error.text;
    Zone second;
    ASSERT_EQ(second.attach(full.to_attach()), SLM_OK) << second.error.text;
    EXPECT_EQ(numbers_alone(second).size(), n);
}

TEST(ZoneCopy, TakesTheLockForAMebibyteAtMost)
{
    Pair pair(SLM_SEGMENT_MEMFD, SLM_LOCK_ROBUST, size_t{48} << 20);
    ASSERT_EQ(push_alone(pair.zone, 1), SLM_OK);
    ASSERT_EQ(pair.copy(), SLM_OK) << pair.error.text;
    EXPECT_EQ(pair.report.bytes, size_t{48} << 20);
    EXPECT_GE(pair.report.n_copied_bytes, pair.report.bytes - SLM_ZONE_COPY_HOLD_BYTES);
    EXPECT_LE(pair.report.most_held_bytes, SLM_ZONE_COPY_HOLD_BYTES);
    EXPECT_GE(pair.report.n_holds, 48u);
}

/* Moves one from an account to another, all the time: together they have 0. */
constexpr size_t kAccounts = 400;

void move_ones(slm_zone *zone, unsigned seed, const std::function<bool()> &goes_on)
{
    slm_journal *journal = slm_zone_journal(zone);
    for (unsigned i = seed; goes_on(); i = i * 1103515245u + 12345u) {
        if (slm_zone_lock(zone) != SLM_OK) {
            abort();
        }
        auto *table = static_cast<uint64_t *>(slm_zone_root_locked(zone));
        void *from = slm_journal_pointer(journal, table[i % kAccounts]);
        void *to = slm_journal_pointer(journal, table[(i >> 9) % kAccounts]);
        slm_journal_add(journal, static_cast<uint64_t *>(from), -1);
        slm_journal_add(journal, static_cast<uint64_t *>(to), 1);
        void *p = slm_journal_alloc(journal, 1 + i % 9000);
        if (p != nullptr && slm_zone_commit_locked(zone) == SLM_OK) {
            (void)slm_journal_free(journal, p);
        }
        if (slm_zone_end(zone, SLM_OK) != SLM_OK) {
            abort();
        }
    }
}

void make_accounts(slm_zone *zone)
{
    slm_journal *journal = slm_zone_journal(zone);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    auto *table =
        static_cast<uint64_t *>(slm_journal_calloc(journal, kAccounts * sizeof(uint64_t)));
    ASSERT_NE(table, nullptr);
    ASSERT_EQ(slm_zone_set_root_locked(zone, table), SLM_OK);
    ASSERT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
    for (size_t i = 0; i < kAccounts; i++) {
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
        void *account = slm_journal_calloc(journal, 4000);
        ASSERT_EQ(slm_journal_write(journal, &table[i], slm_journal_offset(journal, account)),
                  SLM_OK);
        ASSERT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
    }
}

uint64_t sum_accounts(slm_zone *zone)
{
    uint64_t sum = 0;
    if (slm_zone_lock(zone) != SLM_OK) {
        return UINT64_MAX;
    }
    auto *table = static_cast<uint64_t *>(slm_zone_root_locked(zone));
    for (size_t i = 0; i < kAccounts; i++) {
        sum += *static_cast<uint64_t *>(slm_journal_pointer(slm_zone_journal(zone), table[i]));
    }
    (void)slm_zone_unlock(zone);
    return sum;
}

TEST(ZoneCopy, IsOfOneMomentWhileThreadsWork)
{
    Pair pair(SLM_SEGMENT_FILE, SLM_LOCK_ROBUST, size_t{4} << 20);
    make_accounts(pair.zone);
    std::atomic<bool> goes_on{true};
    std::thread first(move_ones, pair.zone.zone, 1u, [&] { return goes_on.load(); });
    std::thread second(move_ones, pair.zone.zone, 2u, [&] { return goes_on.load(); });
    for (unsigned i = 0; i < 8; i++) {
        EXPECT_EQ(pair.copy(), SLM_OK) << pair.error.text;
        EXPECT_LE(pair.report.most_held_bytes, SLM_ZONE_COPY_HOLD_BYTES);
        Zone copy;
        EXPECT_EQ(copy.attach(pair.to_attach()), SLM_OK) << copy.error.text;
        EXPECT_EQ(sum_accounts(copy), 0u);
        EXPECT_EQ(check_alone(copy), 0u);
        EXPECT_EQ(unlink(pair.path.c_str()), 0);
    }
    goes_on = false;
    first.join();
    second.join();
    EXPECT_EQ(sum_accounts(pair.zone), 0u);
    EXPECT_EQ(check_alone(pair.zone), 0u);
}

/* Processes that attached before the copy began, some of which are killed meanwhile. */
TEST(ZoneCopy, IsOfOneMomentWhileProcessesWorkAndAreKilled)
{
    Pair pair(SLM_SEGMENT_FILE, SLM_LOCK_ROBUST, size_t{2} << 20);
    make_accounts(pair.zone);
    for (unsigned i = 0; i < 12; i++) {
        pid_t workers[2];
        for (pid_t &worker : workers) {
            worker = fork();
            if (worker == 0) {
                move_ones(pair.zone, static_cast<unsigned>(getpid()), [] { return true; });
            }
        }
        std::thread killer([&] { EXPECT_EQ(kill(workers[0], i % 2 == 0 ? SIGKILL : 0), 0); });
        EXPECT_EQ(pair.copy(), SLM_OK) << pair.error.text;
        killer.join();
        for (pid_t worker : workers) {
            EXPECT_EQ(kill(worker, SIGKILL), 0);
            EXPECT_EQ(waitpid(worker, nullptr, 0), worker);
        }
        Zone copy;
        EXPECT_EQ(copy.attach(pair.to_attach()), SLM_OK) << copy.error.text;
        EXPECT_EQ(sum_accounts(copy), 0u);
        EXPECT_EQ(sum_accounts(pair.zone), 0u);
        EXPECT_EQ(check_alone(pair.zone), 0u);
        EXPECT_EQ(unlink(pair.path.c_str()), 0);
    }
}

/* Expects a refusal that says why and leaves nothing. */
void expect_refused(Pair *pair, slm_status expected, const char *text)
{
    auto names = pair->all.folder().names();
    EXPECT_EQ(pair->copy(), expected) << pair->error.text;
    EXPECT_EQ(pair->error.status, expected);
    EXPECT_NE(strstr(pair->error.text, text), nullptr) << pair->error.text;
    EXPECT_EQ(pair->all.folder().names(), names);
    EXPECT_EQ(push_alone(pair->zone, 1), SLM_OK);
    EXPECT_EQ(pair->zone.header()->state, static_cast<uint64_t>(ZONE_READY));
}

TEST(ZoneCopy, ToAFileThatExistsIsRefusedBeItTheZonesOwn)
{
    Pair pair;
    std::string own = pair.all.path(SLM_SEGMENT_FILE);
    std::string alias = pair.all.folder() / "alias";
    ASSERT_EQ(symlink(own.c_str(), alias.c_str()), 0);
    for (const std::string &path : {own, alias}) {
        pair.to.name = path.c_str();
        expect_refused(&pair, SLM_E_EXISTS, path.c_str());
        EXPECT_EQ(pair.report.n_holds, 0u); /* before anything is copied */
    }
    EXPECT_EQ(check_alone(pair.zone), 0u);
}

TEST(ZoneCopy, ToWhatCannotHoldItIsRefused)
{
    Pair pair;
    std::string nowhere = pair.all.folder() / "none/copy";
    pair.to.name = nowhere.c_str();
    expect_refused(&pair, SLM_E_MISSING, nowhere.c_str());
    pair.to.name = nullptr;
    expect_refused(&pair, SLM_E_NAME, "keys");
    pair.to.name = pair.path.c_str();
    for (Kind kind : {SLM_SEGMENT_ANONYMOUS, SLM_SEGMENT_SYSV, SLM_SEGMENT_MEMFD}) {
        pair.to.kind = kind;
        expect_refused(&pair, SLM_E_OPTION, "only POSIX and FILE");
    }
    pair.to.kind = SLM_SEGMENT_FILE;
    pair.to.read_only = true;
    expect_refused(&pair, SLM_E_OPTION, "read_only");
}

TEST(ZoneCopy, ByAHandleThatCannotLockIsRefused)
{
    Pair pair;
    ASSERT_EQ(slm_zone_lock(pair.zone), SLM_OK);
    EXPECT_EQ(pair.copy(), SLM_E_HELD) << pair.error.text;
    ASSERT_EQ(slm_zone_unlock(pair.zone), SLM_OK);
    Zone reader;
    slm_zone_attach_options options = pair.all.to_attach(pair.zone);
    options.segment.read_only = true;
    ASSERT_EQ(reader.attach(options), SLM_OK) << reader.error.text;
    EXPECT_EQ(slm_zone_copy(reader, &pair.to, nullptr, &pair.error), SLM_E_READ_ONLY);
    EXPECT_NE(strstr(pair.error.text, "takes its lock"), nullptr) << pair.error.text;
    EXPECT_EQ(access(pair.path.c_str(), F_OK), -1);
}

TEST(ZoneCopy, OfABrokenZoneIsRefused)
{
    Pair pair;
    pair.zone.header()->state = ZONE_BROKEN;
    EXPECT_EQ(pair.copy(), SLM_E_BROKEN);
    EXPECT_STRNE(pair.error.text, "");
    EXPECT_EQ(access(pair.path.c_str(), F_OK), -1);
}

TEST(ZoneCopy, OfAZoneWhosePagesAreDamagedIsRefused)
{
    Pair pair;
    ASSERT_EQ(push_alone(pair.zone, 1), SLM_OK);
    pair.zone.zone->slab->pages[0].word ^= uint64_t{1} << 33;
    EXPECT_EQ(pair.copy(), SLM_E_BROKEN);
    EXPECT_NE(strstr(pair.error.text, "damaged"), nullptr) << pair.error.text;
    EXPECT_EQ(access(pair.path.c_str(), F_OK), -1);
    EXPECT_EQ(pair.zone.header()->state, static_cast<uint64_t>(ZONE_READY));
}

TEST(ZoneCopy, OfAZoneOfAnotherBootAsksTheProgramFirst)
{
    Pair pair;
    ASSERT_EQ(push_alone(pair.zone, 1), SLM_OK);
    pair.zone.header()->vouched++;
    unsigned n_asked = 0;
    slm_zone_attach_options options = pair.all.to_attach(pair.zone);
    options.check_content = count_asked;
    options.check_data = &n_asked;
    Zone again;
    ASSERT_EQ(again.attach(options), SLM_OK) << again.error.text;
    ASSERT_EQ(slm_zone_copy(again, &pair.to, nullptr, &pair.error), SLM_OK) << pair.error.text;
    EXPECT_EQ(n_asked, 1u);
    Zone copy;
    ASSERT_EQ(copy.attach(pair.to_attach()), SLM_OK) << copy.error.text;
    EXPECT_EQ(numbers_alone(copy), Numbers{1});
}

/* As a copier that died in another boot left it, and in a file that was copied meanwhile. */
TEST(ZoneCopy, OfACopierElsewhereIsForgottenByTheFirstLock)
{
    Pair pair;
    zone_copying *copying = zone_copying_of(pair.zone.header());
    for (uint64_t place : {uint64_t{77}, slm_zone_find_place(pair.zone)}) {
        copying->copier = place == 77 ? slm_lock_self() + 1 : UINT64_C(99) << 40 | 0x7fffffff;
        copying->place = place;
        memset(copying->granules, 0x5a, sizeof copying->granules);
        memset(copying->pages, 0xff, sizeof copying->pages);
        pair.zone.header()->state = ZONE_COPIED;
        Zone other;
        ASSERT_EQ(other.attach(pair.all.to_attach(pair.zone)), SLM_OK) << other.error.text;
        EXPECT_EQ(push_alone(other, 1), SLM_OK);
        EXPECT_EQ(pair.zone.header()->state, static_cast<uint64_t>(ZONE_READY));
        EXPECT_EQ(check_alone(other), 0u);
    }
    ASSERT_EQ(pair.copy(), SLM_OK) << pair.error.text;
}

/* Marks are any bytes, and a copier that lives: writers write nowhere else. */
TEST(ZoneCopy, DamagedMarksLeadNowhere)
{
    Pair pair;
    zone_copying *copying = zone_copying_of(pair.zone.header());
    for (uint64_t shift : {uint64_t{0}, uint64_t{11}, uint64_t{12}, uint64_t{63}, UINT64_MAX}) {
        memset(copying, 0xff, sizeof *copying);
        copying->copier = slm_lock_self();
        copying->place = slm_zone_find_place(pair.zone);
        copying->is_paced = 0;
        copying->shift = shift;
        memset(copying->granules, 0, sizeof copying->granules);
        pair.zone.header()->state = ZONE_COPIED;
        for (unsigned i = 0; i < 100; i++) {
            ASSERT_EQ(push_alone(pair.zone, i), SLM_OK);
        }
        EXPECT_EQ(check_alone(pair.zone), 0u);
    }
    ASSERT_EQ(pair.copy(), SLM_OK) << pair.error.text;
    Zone copy;
    ASSERT_EQ(copy.attach(pair.to_attach()), SLM_OK) << copy.error.text;
    EXPECT_EQ(numbers_alone(copy).size(), 500u);
}

/* Each call to the system fails once. */
TEST(ZoneCopy, LeavesNothingWhenTheSystemRefuses)
{
    for (Kind kind : {SLM_SEGMENT_FILE, SLM_SEGMENT_POSIX}) {
        for (int refusal : {EIO, ENOSPC, ENOMEM}) {
            Pair pair;
            ASSERT_EQ(push_alone(pair.zone, 1), SLM_OK);
            Options where(kZoneBytes, kZoneBytes * 4);
            pair.to = where.of(kind);
            unsigned n_failed = 0;
            bool is_reached = true;
            Traces before(where);
            for (unsigned at = 1; is_reached; at++) {
                slm_status status;
                {
                    EveryCall hooked;
                    faults.error = refusal;
                    faults.fail_at = at;
                    status = pair.copy();
                    is_reached = faults.n_calls >= at;
                }
                n_failed += status != SLM_OK;
                EXPECT_EQ(status == SLM_OK, Traces(where).files != before.files) << at;
                EXPECT_TRUE(status == SLM_OK || strlen(pair.error.text) > 0);
                EXPECT_EQ(pair.zone.header()->state, static_cast<uint64_t>(ZONE_READY));
                slm_segment_options removed = pair.to;
                (void)slm_segment_remove(&removed, nullptr);
                EXPECT_EQ(Traces(where).files, before.files);
                /* A descriptor that cannot be compared with its file when all is done stays open:
                 * it may be another one's by then. */
                EXPECT_TRUE(status == SLM_OK || Traces(where) == before) << at;
            }
            EXPECT_GT(n_failed, 5u);
            EXPECT_EQ(check_alone(pair.zone), 0u);
        }
    }
}

} // namespace
