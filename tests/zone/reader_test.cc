/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of a zone's file: another user who may read it looks at it, and holds up no writer. */
#include <climits>
#include <grp.h>
#include <linux/futex.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <thread>

#include "tests/segment/hooks.h"
#include "tests/zone/set_fixture.h"

namespace {

using namespace slm_test;

const Kind kNamedKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE};
const uid_t kOwner = 65533;
const uid_t kReader = 65534;

bool become(uid_t user)
{
    return setgroups(0, nullptr) == 0 && setgid(user) == 0 && setuid(user) == 0;
}

#define SKIP_UNLESS_MANY_USERS()                                                                   \
    if (geteuid() != 0 || in_child([] { return become(kReader) ? 0 : 1; }) != 0) {                 \
        GTEST_SKIP() << "only root of a namespace with other users can play two users";            \
    }

slm_zone_attach_options by_name(const slm_zone_options &made)
{
    slm_zone_attach_options options{};
    options.segment.kind = made.segment.kind;
    options.segment.name = made.segment.name;
    options.segment.read_only = true;
    return options;
}

/* A zone of one user, who is not root. */
void make_zone_of_owner(const ZoneOptions &all, const slm_zone_options &options)
{
    ASSERT_EQ(chmod(all.folder().path().c_str(), 0777), 0);
    ASSERT_EQ(in_child([&] {
                  Zone zone;
                  return become(kOwner) && zone.create(options) == SLM_OK &&
                                 push_alone(zone, 7) == SLM_OK
                             ? 0
                             : 1;
              }),
              0);
}

TEST(ZoneReader, OfAnotherUserSeesContentAndStatistics)
{
    SKIP_UNLESS_MANY_USERS();
    for (Kind kind : kNamedKinds) {
        ZoneOptions all;
        slm_zone_options options = all.of(kind);
        options.segment.mode = 0644;
        make_zone_of_owner(all, options);
        EXPECT_EQ(in_child([&] {
                      Zone zone;
                      slm_zone_attach_options attach = by_name(options);
                      attach.check = true;
                      if (!become(kReader) || zone.attach(attach) != SLM_OK) {
                          return 1;
                      }
                      return first_wrong({numbers(zone) == Numbers{7},
                                          slm_zone_check_locked(zone) == 0,
                                          zone.stats().bytes == kZoneBytes,
                                          count_objects(slm_zone_slab(zone)) == 1,
                                          slm_zone_lock(zone) == SLM_E_READ_ONLY});
                  }),
                  0)
            << kind;
    }
}

TEST(ZoneReader, OfAnotherUserIsRefusedWithoutTheRightToRead)
{
    SKIP_UNLESS_MANY_USERS();
    for (Kind kind : kNamedKinds) {
        ZoneOptions all;
        make_zone_of_owner(all, all.of(kind));
        EXPECT_EQ(in_child([&] {
                      Zone zone;
                      return become(kReader) ? static_cast<int>(zone.attach(by_name(all.of(kind))))
                                             : -1;
                  }),
                  SLM_E_ACCESS);
    }
}

TEST(ZoneReader, OfAnotherUsersZoneCannotAttachItForWriting)
{
    SKIP_UNLESS_MANY_USERS();
    for (Kind kind : kNamedKinds) {
        ZoneOptions all;
        slm_zone_options options = all.of(kind);
        options.segment.mode = 0644;
        make_zone_of_owner(all, options);
        for (uid_t user : {uid_t{0}, kReader}) {
            EXPECT_EQ(in_child([&] {
                          Zone zone;
                          slm_zone_attach_options attach = by_name(options);
                          attach.segment.read_only = false;
                          return user == 0 || become(user) ? static_cast<int>(zone.attach(attach))
                                                           : -1;
                      }),
                      SLM_E_ACCESS)
                << user;
        }
    }
}

/* --- What a reader can hold --- */

bool set_lock(int fd, int command, short type)
{
    struct flock lock = {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return fcntl(fd, command, &lock) == 0;
}

/* Sleeps on the lock's word again and again, so that it takes wakes that are meant for waiters. */
void take_wakes(const slm_zone *zone)
{
    const auto *half = reinterpret_cast<const uint32_t *>(&zone->header->lock.word);
    for (;;) {
        uint32_t now = __atomic_load_n(half, __ATOMIC_RELAXED);
        (void)syscall(SYS_futex, half, FUTEX_WAIT, now, nullptr, nullptr, 0);
    }
}

/* A process of another user that takes every lock that it may, on the whole file, sleeps on the
 * zone's lock, and keeps all that until the end. */
class Holder {
  public:
    Holder(const slm_zone_options &options, const std::string &path)
    {
        EXPECT_EQ(pipe(ready_), 0);
        child_ = fork();
        if (child_ == 0) {
            end_child(hold(options, path));
        }
        char byte = 0;
        EXPECT_EQ(read(ready_[0], &byte, 1), 1);
        EXPECT_EQ(byte, 'y');
    }
    ~Holder()
    {
        int status = 0;
        EXPECT_EQ(waitpid(child_, &status, WNOHANG), 0) << "it ended: " << status;
        (void)kill(child_, SIGKILL);
        (void)waitpid(child_, &status, 0);
        close(ready_[0]);
        close(ready_[1]);
    }
    Holder(const Holder &) = delete;
    Holder &operator=(const Holder &) = delete;

  private:
    int hold(const slm_zone_options &options, const std::string &path)
    {
        Zone zone;
        bool is_ready = become(kReader) && zone.attach(by_name(options)) == SLM_OK;
        int fds[3];
        for (int &fd : fds) {
            fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        }
        is_ready =
            is_ready && flock(fds[0], LOCK_EX) == 0 && set_lock(fds[1], F_OFD_SETLK, F_RDLCK) &&
            set_lock(fds[2], F_SETLK, F_RDLCK) && !set_lock(fds[1], F_OFD_SETLK, F_WRLCK) &&
            fcntl(fds[2], F_SETLEASE, F_RDLCK) != 0 && fcntl(fds[2], F_SETLEASE, F_WRLCK) != 0;
        for (int i = 0; is_ready && i < 8; i++) {
            std::thread([&] { take_wakes(zone); }).detach();
        }
        if (write(ready_[1], is_ready ? "y" : "n", 1) != 1 || !is_ready) {
            return 1;
        }
        for (;;) {
            pause();
        }
    }

    int ready_[2];
    pid_t child_;
};

/* Two processes that lock by turns, so that each waits for the other. */
int take_turns(Zone &zone, const slm_zone_attach_options &attach)
{
    pid_t child = fork();
    if (child == 0) {
        Zone mine;
        bool is_right = mine.attach(attach) == SLM_OK;
        for (int i = 0; is_right && i < 200; i++) {
            is_right = push_alone(mine, 1) == SLM_OK;
        }
        end_child(is_right ? 0 : 1);
    }
    bool is_right = true;
    for (int i = 0; is_right && i < 200; i++) {
        is_right = push_alone(zone, 2) == SLM_OK;
    }
    int status = 1;
    (void)waitpid(child, &status, 0);
    return is_right && status == 0 ? 0 : 1;
}

TEST(ZoneReader, CanHoldNothingThatAWriterWaitsFor)
{
    SKIP_UNLESS_MANY_USERS();
    for (Kind kind : kNamedKinds) {
        for (slm_lock_kind lock : {SLM_LOCK_ROBUST, SLM_LOCK_FILE}) {
            ZoneOptions all;
            slm_zone_options options = all.of(kind, lock);
            options.segment.mode = 0644;
            ASSERT_EQ(chmod(all.folder().path().c_str(), 0755), 0);
            Zone zone, again;
            ASSERT_EQ(zone.create(options), SLM_OK);
            Holder holder(options, all.path(kind));
            slm_zone_attach_options attach = by_name(options);
            attach.segment.read_only = false;
            attach.lock_path = options.lock_path;
            EXPECT_EQ(take_turns(zone, attach), 0);
            EXPECT_EQ(slm_zone_grow(zone, 2 * kZoneBytes, &zone.error), SLM_OK) << zone.error.text;
            ASSERT_EQ(again.attach(attach), SLM_OK) << again.error.text;
            EXPECT_EQ(slm_zone_grow(again, 3 * kZoneBytes, &again.error), SLM_OK)
                << again.error.text;
            EXPECT_EQ(check_alone(zone), 0u);
            again.detach();
            slm_zone *opened = nullptr;
            EXPECT_EQ(slm_zone_open(&opened, &options, nullptr, &zone.error), SLM_OK)
                << zone.error.text;
            EXPECT_EQ(numbers_alone(opened).size(), 400u);
            slm_zone_detach(opened);
            EXPECT_EQ(slm_zone_remove(zone, &zone.error), SLM_OK) << zone.error.text;
        }
    }
}

} // namespace
