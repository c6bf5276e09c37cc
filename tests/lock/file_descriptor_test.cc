/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptor of a file lock: closed, taken, refused; and what the system answers. */
#include <cerrno>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

int fd_of(slm_lock *lock)
{
    return lock->file->fd;
}

bool is_locked_by_anybody(const std::string &path)
{
    int fd = open(path.c_str(), O_RDWR);
    struct flock found = {};
    found.l_type = F_WRLCK;
    EXPECT_EQ(fcntl(fd, F_OFD_GETLK, &found), 0);
    close(fd);
    return found.l_type != F_UNLCK;
}

/* Daemons close every descriptor that they do not know. */
TEST(LockFileDescriptor, IsOpenedAgainAfterTheProgramClosedIt)
{
    Lock lock(SLM_LOCK_FILE);
    close(fd_of(lock));
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_TRUE(is_locked_by_anybody(lock.path()));
    EXPECT_EQ(run_child([&] { return static_cast<int>(slm_lock_trylock(lock)); }), SLM_E_LOCKED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

/* A child of fork opens the file again, and may have given up root by then. */
TEST(LockFileMode, HasTheRightsOfItsOwnerUnderAnyUmask)
{
    for (mode_t mask : {mode_t{0777}, mode_t{0200}, mode_t{0400}, mode_t{0}}) {
        struct stat about;
        mode_t before = umask(mask);
        Lock lock(SLM_LOCK_FILE);
        (void)umask(before);
        ASSERT_EQ(stat(lock.path().c_str(), &about), 0);
        EXPECT_EQ(about.st_mode & 0777u, 0600u) << mask;
    }
}

TEST(LockFileDescriptor, IsNeverStandardInputOutputOrError)
{
    Lock lock(SLM_LOCK_FILE);
    EXPECT_EQ(run_child([&] {
                  rlimit before;
                  getrlimit(RLIMIT_NOFILE, &before);
                  for (int fd : {0, 1, 2, fd_of(lock)}) {
                      close(fd);
                  }
                  rlimit three = {3, before.rlim_max};
                  setrlimit(RLIMIT_NOFILE, &three);
                  if (slm_lock_trylock(lock) != SLM_E_IO || fcntl(0, F_GETFD) != -1) {
                      return 1;
                  }
                  setrlimit(RLIMIT_NOFILE, &before);
                  slm_lock *mine = lock.attach(SLM_LOCK_FILE);
                  int status = slm_lock_lock(mine);
                  for (int fd : {0, 1, 2}) {
                      status += fcntl(fd, F_GETFD) != -1;
                  }
                  return slm_lock_unlock(mine) == SLM_OK && fd_of(mine) > 2 ? status : 2;
              }),
              SLM_OK);
}

TEST(LockFileDescriptor, IsNeitherLockedNorClosedIfItBecameAnotherFiles)
{
    Lock lock(SLM_LOCK_FILE);
    Lock other(SLM_LOCK_FILE);
    std::string mine = lock.path() + ".mine";
    int fd = open(mine.c_str(), O_CREAT | O_RDWR, 0600);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(dup2(fd, fd_of(lock)), fd_of(lock));
    int nowhere = open("/dev/null", O_RDWR); /* on another device */
    ASSERT_GE(nowhere, 0);
    ASSERT_EQ(dup2(nowhere, fd_of(other)), fd_of(other));
    int stolen = fd_of(other);
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_FALSE(is_locked_by_anybody(mine));
    EXPECT_TRUE(is_locked_by_anybody(lock.path()));
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(run_child([&] { return fcntl(stolen, F_GETFD) >= 0 ? 0 : 1; }), 0);
    slm_lock_detach(other.attach(SLM_LOCK_FILE));
    EXPECT_GE(fcntl(stolen, F_GETFD), 0);
    close(nowhere);
    close(fd);
    unlink(mine.c_str());
}

/* The program has a lock of its own on that file. */
TEST(LockFileDescriptor, ThatBecameAnotherFilesWhileHeldLeavesTheLockOfThatFile)
{
    Lock lock(SLM_LOCK_FILE);
    std::string mine = lock.path() + ".mine";
    int fd = open(mine.c_str(), O_CREAT | O_RDWR, 0600);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    ASSERT_EQ(dup2(fd, fd_of(lock)), fd_of(lock));
    struct flock wanted = {};
    wanted.l_type = F_WRLCK;
    ASSERT_EQ(fcntl(fd, F_OFD_SETLK, &wanted), 0);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_TRUE(is_locked_by_anybody(mine));
    EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_TRUE(is_locked_by_anybody(mine));
    close(fd);
    unlink(mine.c_str());
}

TEST(LockFileDescriptor, ThatCannotBeOpenedIsATemporaryError)
{
    Lock lock(SLM_LOCK_FILE);
    EXPECT_EQ(run_child([&] {
                  close(fd_of(lock));
                  rlimit before;
                  getrlimit(RLIMIT_NOFILE, &before);
                  rlimit none = {0, before.rlim_max};
                  setrlimit(RLIMIT_NOFILE, &none);
                  if (slm_lock_trylock(lock) != SLM_E_IO || errno != EMFILE) {
                      return 1;
                  }
                  setrlimit(RLIMIT_NOFILE, &before);
                  return static_cast<int>(slm_lock_trylock(lock));
              }),
              SLM_OK);
}

TEST(LockFileDescriptor, IsClosedWithItsHandleInAnyOrder)
{
    Lock lock(SLM_LOCK_FILE);
    slm_lock *handles[] = {lock.attach(SLM_LOCK_FILE), lock.attach(SLM_LOCK_FILE),
                           lock.attach(SLM_LOCK_FILE)};
    for (int i : {1, 0, 2}) {
        int fd = fd_of(handles[i]);
        ASSERT_EQ(slm_lock_lock(handles[i]), SLM_OK);
        slm_lock_detach(handles[i]);
        EXPECT_EQ(fcntl(fd, F_GETFD), -1);
        EXPECT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
        EXPECT_EQ(slm_lock_mark_repaired(lock), SLM_OK);
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    }
}

/* With the other kinds the process would remain the owner. */
TEST(LockFileDescriptor, IsClosedByExecSoTheOwnerIsDeadThoughItsProcessLives)
{
    Lock lock(SLM_LOCK_FILE);
    pid_t owner = start_child([&] {
        slm_lock_lock(lock);
        lock.number(0) = 1;
        execl("/bin/sleep", "sleep", "1000", static_cast<char *>(nullptr));
        return 1;
    });
    await([&] { return lock.number(0) != 0; });
    EXPECT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_TRUE(slm_lock_is_alive(static_cast<uint64_t>(owner)));
    kill(owner, SIGKILL);
    EXPECT_EQ(reap(owner), -SIGKILL);
}

/* The program closes the descriptor while it holds the lock, and so gives the lock away. */
TEST(LockFileDescriptor, LostLockIsLetGoByItsUnlock)
{
    Lock lock(SLM_LOCK_FILE);
    for (int turn = 0; turn < 2; turn++) {
        ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
        ASSERT_EQ(close(fd_of(lock)), 0);
        pid_t other = start_child([&] {
            return slm_lock_lock(lock) == SLM_OWNER_DIED &&
                           slm_lock_mark_repaired(lock) == SLM_OK && slm_lock_unlock(lock) == SLM_OK
                       ? 0
                       : 1;
        });
        EXPECT_EQ(reap(other), 0);
        EXPECT_FALSE(slm_lock_is_mine(lock));
        EXPECT_EQ(slm_lock_unlock(lock), SLM_E_OWNER);
        EXPECT_EQ(slm_lock_unlock(lock), SLM_E_OWNER);
    }
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

/* --- What the system returns --- */

int n_asked;

TEST(LockFileSystem, ASignalThatInterruptsTheSystemsLockIsNoRefusal)
{
    Lock lock(SLM_LOCK_FILE);
    EXPECT_EQ(run_child([&] {
                  static int (*system_lock)(int, short) = slm_lock_system.set_file_lock;
                  slm_lock_system.set_file_lock = [](int fd, short type) {
                      return n_asked++ % 3 != 2 ? EINTR : system_lock(fd, type);
                  };
                  bool is_held = slm_lock_lock(lock) == SLM_OK && n_asked == 3;
                  return is_held && slm_lock_unlock(lock) == SLM_OK && n_asked == 6 ? 0 : 1;
              }),
              0);
    EXPECT_FALSE(is_locked_by_anybody(lock.path()));
}

TEST(LockFileSystem, EitherErrnoForATakenLockMeansTaken)
{
    Lock lock(SLM_LOCK_FILE);
    EXPECT_EQ(run_child([&] {
                  slm_lock_system.set_file_lock = [](int, short) { return EACCES; };
                  if (slm_lock_trylock(lock) != SLM_E_LOCKED) {
                      return 1;
                  }
                  slm_lock_system.set_file_lock = [](int, short) { return EAGAIN; };
                  return slm_lock_trylock(lock) == SLM_E_LOCKED ? 0 : 2;
              }),
              0);
}

TEST(LockFileSystem, ARefusalIsReportedWithItsErrnoAndLeavesTheLockFree)
{
    Lock lock(SLM_LOCK_FILE);
    EXPECT_EQ(run_child([&] {
                  static int (*system_lock)(int, short) = slm_lock_system.set_file_lock;
                  slm_lock_system.set_file_lock = [](int, short) { return ENOLCK; };
                  if (slm_lock_lock(lock) != SLM_E_IO || errno != ENOLCK || lock.word() != 0) {
                      return 1;
                  }
                  slm_lock_system.set_file_lock = system_lock;
                  return slm_lock_lock(lock) == SLM_OK ? 0 : 2;
              }),
              0);
}

} // namespace
