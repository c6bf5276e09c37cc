/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a zone outlives the container that made it: an ended namespace is like an ended
 * boot. */
#include "allocator/lock/origin.h"
#include "tests/segment/hooks.h"
#include "tests/zone/set_fixture.h"

namespace {

using namespace slm_test;

const Kind kNamedKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE};

constexpr int kNotAllowed = 99;
constexpr int kKilled = 128 + SIGKILL;

/* Runs body in a new pid namespace, with a /proc of its own. The first process there cannot be
 * killed, so it only waits. */
int in_container(const std::function<int()> &body)
{
    return in_child([&] {
        if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0 &&
            unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) != 0) {
            return kNotAllowed;
        }
        int how = in_child([&] {
            bool has_proc = mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                            mount("none", "/proc", "proc", 0, nullptr) == 0;
            return has_proc ? in_child(body) : kNotAllowed;
        });
        if (how == kKilled) {
            raise(SIGKILL);
        }
        return how;
    });
}

#define SKIP_IF_NOT_ALLOWED(how)                                                                   \
    if ((how) == kNotAllowed) {                                                                    \
        GTEST_SKIP() << "this user can neither make a pid namespace nor mount /proc in it";        \
    }

slm_zone *open_zone(const slm_zone_options &options)
{
    slm_zone *zone = nullptr;
    slm_error error;
    EXPECT_EQ(slm_zone_open(&zone, &options, nullptr, &error), SLM_OK) << error.text;
    return zone;
}

slm_status attach_alone(const slm_zone_attach_options &options, slm_error *error)
{
    slm_zone *zone = nullptr;
    slm_status status = slm_zone_attach(&zone, &options, error);
    slm_zone_detach(zone);
    return status;
}

/* Options to attach the zone by name. */
slm_zone_attach_options by_name(const slm_zone_options &made)
{
    slm_zone_attach_options options{};
    options.segment.kind = made.segment.kind;
    options.segment.name = made.segment.name;
    options.lock_path = made.lock_path;
    return options;
}

/* In the first container the zone's user dies in a transaction. */
TEST(ZoneContainer, ThatEndedLeavesAZoneThatTheNextOneRepairsAndUses)
{
    for (Kind kind : kNamedKinds) {
        for (slm_lock_kind lock : kEveryLock) {
            ZoneOptions all;
            slm_zone_options options = all.of(kind, lock);
            int how = in_container([&] {
                slm_zone *zone = open_zone(options);
                bool is_ready =
                    push_alone(zone, 7) == SLM_OK && slm_zone_lock(zone) == SLM_OK && push(zone, 8);
                raise(is_ready ? SIGKILL : SIGTERM);
                return 0;
            });
            SKIP_IF_NOT_ALLOWED(how);
            ASSERT_EQ(how, kKilled);
            /* Another namespace of the same number would hide the difference: this one lives. */
            how = in_container([&] {
                slm_zone *zone = open_zone(options);
                bool is_good = numbers_alone(zone) == Numbers{7} && check_alone(zone) == 0 &&
                               push_alone(zone, 9) == SLM_OK;
                slm_zone_detach(zone);
                return is_good ? 0 : 1;
            });
            EXPECT_EQ(how, 0);
            Zone outside; /* the test's own namespace, which surely is another one */
            ASSERT_EQ(outside.attach(by_name(options)), SLM_OK) << outside.error.text;
            EXPECT_EQ(numbers_alone(outside), (Numbers{9, 7}));
        }
    }
}

TEST(ZoneContainer, ThatLivesKeepsItsZoneFromOthers)
{
    for (Kind kind : kNamedKinds) {
        ZoneOptions all;
        slm_zone_options options = all.of(kind);
        Zone outside;
        ASSERT_EQ(outside.create(options), SLM_OK) << outside.error.text;
        ASSERT_EQ(slm_zone_lock(outside), SLM_OK);
        int how = in_container([&] {
            slm_error error;
            slm_status status = attach_alone(by_name(options), &error);
            bool is_said = strstr(error.text, "another pid or time namespace") != nullptr &&
                           strstr(error.text, "others use it") != nullptr;
            return status == SLM_E_STATE && is_said ? 0 : 1;
        });
        SKIP_IF_NOT_ALLOWED(how);
        EXPECT_EQ(how, 0);
        EXPECT_TRUE(slm_lock_is_mine(slm_zone_lock_handle(outside)));
        EXPECT_EQ(slm_zone_unlock(outside), SLM_OK);
        EXPECT_EQ(push_alone(outside, 1), SLM_OK);
    }
}

/* Its process has closed the descriptor's handle, but a child that inherited it goes on. */
TEST(ZoneContainer, ThatHasOnlyAMappingStillLives)
{
    ZoneOptions all;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    int wait_here[2];
    ASSERT_EQ(pipe(wait_here), 0);
    Zone outside;
    ASSERT_EQ(outside.create(options), SLM_OK) << outside.error.text;
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(wait_here[1]);
        close(slm_segment_id(slm_zone_segment(outside))); /* the mapping stays */
        (void)!read(wait_here[0], &byte, 1);
        _exit(0);
    }
    close(wait_here[0]);
    outside.detach();
    int how = in_container([&] {
        close(wait_here[1]);
        slm_error error;
        return attach_alone(by_name(options), &error) == SLM_E_STATE ? 0 : 1;
    });
    close(wait_here[1]);
    int ended = 0;
    ASSERT_EQ(waitpid(child, &ended, 0), child);
    SKIP_IF_NOT_ALLOWED(how);
    EXPECT_EQ(how, 0);
    how = in_container([&] { return attach_alone(by_name(options), nullptr) == SLM_OK ? 0 : 1; });
    EXPECT_EQ(how, 0);
}

TEST(ZoneContainer, AnOperatorMaySayThatNoProcessUsesTheZone)
{
    ZoneOptions all;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    Zone outside;
    ASSERT_EQ(outside.create(options), SLM_OK) << outside.error.text;
    int how = in_container([&] {
        slm_zone_attach_options attach = by_name(options);
        attach.is_unused = true;
        return attach_alone(attach, nullptr) == SLM_OK ? 0 : 1;
    });
    SKIP_IF_NOT_ALLOWED(how);
    EXPECT_EQ(how, 0);
}

/* Two containers start at one time, and one of them gets the zone. */
TEST(ZoneContainer, NewcomersThatMeetDoNotKeepEachOtherOut)
{
    ZoneOptions all;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    {
        Zone outside;
        ASSERT_EQ(outside.create(options), SLM_OK) << outside.error.text;
    }
    constexpr unsigned kNewcomers = 3;
    int results[2];
    ASSERT_EQ(pipe(results), 0);
    std::vector<pid_t> newcomers;
    for (unsigned i = 0; i < kNewcomers; i++) {
        pid_t newcomer = fork();
        if (newcomer == 0) {
            _exit(in_container([&] {
                slm_zone *zone = nullptr;
                slm_zone_attach_options attach = by_name(options);
                slm_status status = slm_zone_attach(&zone, &attach, nullptr);
                bool is_good =
                    status == SLM_OK ? push_alone(zone, 1) == SLM_OK : status == SLM_E_STATE;
                slm_zone_detach(zone);
                return !is_good ? 2 : status == SLM_OK ? 0 : 1;
            }));
        }
        newcomers.push_back(newcomer);
    }
    unsigned n_attached = 0;
    unsigned n_not_allowed = 0;
    for (pid_t newcomer : newcomers) {
        int how = 0;
        ASSERT_EQ(waitpid(newcomer, &how, 0), newcomer);
        ASSERT_TRUE(WIFEXITED(how));
        n_not_allowed += WEXITSTATUS(how) == kNotAllowed;
        n_attached += WEXITSTATUS(how) == 0;
        EXPECT_NE(WEXITSTATUS(how), 2);
    }
    SKIP_IF_NOT_ALLOWED(n_not_allowed > 0 ? kNotAllowed : 0);
    EXPECT_GE(n_attached, 1u);
    Zone outside;
    ASSERT_EQ(outside.attach(by_name(options)), SLM_OK) << outside.error.text;
    EXPECT_EQ(numbers_alone(outside).size(), n_attached);
}

/* --- The lease, by injection --- */

/* Makes the zone belong to another namespace, as its lock records it. */
void move_elsewhere(const slm_zone_options &options)
{
    Zone zone;
    ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    ASSERT_EQ(push_alone(zone, 7), SLM_OK);
    zone.header()->lock.namespaces ^= 1;
}

class ZoneElsewhere : public testing::Test {
  protected:
    ZoneElsewhere()
    {
        faults = Faults{};
        options = all.of(SLM_SEGMENT_FILE);
        move_elsewhere(options);
    }

    KeepCalls keep;
    ZoneOptions all;
    slm_zone_options options;
    Zone zone;
};

TEST_F(ZoneElsewhere, IsTakenOverIfNoOtherProcessHasIt)
{
    ASSERT_EQ(zone.attach(by_name(options)), SLM_OK) << zone.error.text;
    EXPECT_EQ(numbers_alone(zone), (Numbers{7}));
    Zone second; /* now it belongs to this namespace */
    EXPECT_EQ(second.attach(by_name(options)), SLM_OK) << second.error.text;
}

TEST_F(ZoneElsewhere, MayBeInAnotherPidOrTimeNamespace)
{
    for (uint64_t bit : {uint64_t{1}, uint64_t{1} << 32}) {
        {
            Zone elsewhere;
            ASSERT_EQ(elsewhere.attach(by_name(options)), SLM_OK) << elsewhere.error.text;
            elsewhere.header()->lock.namespaces ^= bit;
            EXPECT_EQ(zone.attach(by_name(options)), SLM_E_STATE); /* it is in use there */
        }
        ASSERT_EQ(zone.attach(by_name(options)), SLM_OK) << zone.error.text;
        EXPECT_EQ(numbers_alone(zone), (Numbers{7}));
        zone.detach();
    }
}

TEST_F(ZoneElsewhere, IsRefusedWhereTheSystemHasNoLeases)
{
    for (int error : {EINVAL, EACCES, ENOSYS}) {
        static int refusal;
        refusal = error;
        slm_segment_sys.lease = [](int) {
            errno = refusal;
            return -1;
        };
        Holdings before;
        EXPECT_EQ(zone.attach(by_name(options)), SLM_E_STATE);
        EXPECT_NE(strstr(zone.error.text, strerror(error)), nullptr) << zone.error.text;
        EXPECT_EQ(Holdings(), before);
    }
}

TEST_F(ZoneElsewhere, IsTriedAgainWhenAnotherProcessHasItForAMoment)
{
    static unsigned n_tries;
    n_tries = 0;
    slm_segment_sys.lease = [](int fd) {
        if (++n_tries < 4) {
            errno = EAGAIN;
            return -1;
        }
        return faults.real.lease(fd);
    };
    ASSERT_EQ(zone.attach(by_name(options)), SLM_OK) << zone.error.text;
    EXPECT_EQ(n_tries, 4u);
    EXPECT_EQ(numbers_alone(zone), (Numbers{7}));
}

/* Another newcomer has claimed the file: it does not open at once. */
TEST_F(ZoneElsewhere, IsTriedAgainWhenAnotherProcessClaimsIt)
{
    static unsigned n_tries;
    n_tries = 0;
    slm_segment_sys.open = [](const char *path, int flags, mode_t mode) {
        if (++n_tries < 4) {
            errno = EWOULDBLOCK;
            return -1;
        }
        return faults.real.open(path, flags, mode);
    };
    ASSERT_EQ(zone.attach(by_name(options)), SLM_OK) << zone.error.text;
    EXPECT_EQ(numbers_alone(zone), (Numbers{7}));
}

/* Between the question and the answer no process of the other namespace may come. */
TEST_F(ZoneElsewhere, StaysClaimedUntilTheLockIsTheCallers)
{
    static uint64_t namespaces;
    static zone_header *seen;
    slm_segment_options segment{};
    segment.kind = SLM_SEGMENT_MEMFD;
    segment.id = open(options.segment.name, O_RDWR | O_CLOEXEC);
    slm_segment *view = nullptr;
    ASSERT_EQ(slm_segment_attach(&view, &segment, nullptr), SLM_OK);
    seen = static_cast<zone_header *>(slm_segment_base(view));
    namespaces = seen->lock.namespaces;
    slm_segment_sys.lease = [](int) { return 0; }; /* the test's own view would be in the way */
    static unsigned n_unleased;
    n_unleased = 0;
    slm_segment_sys.unlease = [](int) {
        n_unleased++;
        EXPECT_NE(seen->lock.namespaces, namespaces);
        return 0;
    };
    ASSERT_EQ(zone.attach(by_name(options)), SLM_OK) << zone.error.text;
    EXPECT_EQ(n_unleased, 1u);
    slm_segment_detach(view);
    close(segment.id);
}

TEST_F(ZoneElsewhere, IsSharedWithReaders)
{
    slm_zone_attach_options attach = by_name(options);
    attach.segment.read_only = true;
    ASSERT_EQ(zone.attach(attach), SLM_OK) << zone.error.text;
    EXPECT_TRUE(slm_lock_is_elsewhere(&zone.header()->lock));
    EXPECT_EQ(slm_zone_check_locked(zone), 0u);
    EXPECT_EQ(slm_zone_lock(zone), SLM_E_READ_ONLY);
}

TEST_F(ZoneElsewhere, IsRefusedWithoutAName)
{
    Zone memory;
    ASSERT_EQ(memory.create(all.of(SLM_SEGMENT_MEMFD)), SLM_OK);
    memory.header()->lock.namespaces ^= 1;
    EXPECT_EQ(zone.attach(all.to_attach(memory)), SLM_E_STATE);
    EXPECT_NE(strstr(zone.error.text, "cannot be claimed"), nullptr) << zone.error.text;
}

} // namespace
