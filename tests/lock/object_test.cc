/* SPDX-License-Identifier: Apache-2.0 */
/* An owner counts only for the object that it locked: copies, words that name strangers, exec. */
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>

#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

constexpr const char *held_flag = "--exec-while-held";

/* A lock in a file, as that of a zone is. */
class FileLock {
  public:
    explicit FileLock(slm_lock_kind kind = SLM_LOCK_ROBUST) : kind_(kind)
    {
        EXPECT_EQ(slm_lock_init(state(), kind), SLM_OK);
    }

    FileLock(const FileLock &other, const char *ending)
        : kind_(other.kind_), path_(other.path_ + ending)
    {
        *state() = *other.state_;
    }

    FileLock(const FileLock &) = delete;
    FileLock &operator=(const FileLock &) = delete;

    ~FileLock()
    {
        munmap(state_, 4096);
        unlink(path_.c_str());
        unlink(lock_path().c_str());
    }

    slm_lock_state *state()
    {
        state_ = state_ == nullptr ? map() : state_;
        return state_;
    }

    slm_lock_state *map() const
    {
        return map_file(path_);
    }

    static slm_lock_state *map_file(const std::string &path)
    {
        int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        EXPECT_EQ(ftruncate(fd, 4096), 0);
        void *page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (page == MAP_FAILED) {
            perror(path.c_str());
            abort();
        }
        return static_cast<slm_lock_state *>(page);
    }

    slm_lock *attach(slm_lock_state *state, bool is_unused = false)
    {
        slm_lock *lock = nullptr;
        slm_error error;
        std::string path = lock_path();
        slm_lock_options options = {kind_, path.c_str(), 16, is_unused};
        EXPECT_EQ(slm_lock_attach(&lock, state, &options, &error), SLM_OK) << error.text;
        return lock;
    }

    slm_lock *attach()
    {
        return attach(state());
    }

    const std::string &path() const
    {
        return path_;
    }

  private:
    std::string lock_path() const
    {
        return path_ + ".lock";
    }

    static std::string next_path()
    {
        static int n;
        return testing::TempDir() + "object_" + std::to_string(getpid()) + "_" +
               std::to_string(n++);
    }

    slm_lock_kind kind_;
    std::string path_ = next_path();
    slm_lock_state *state_ = nullptr;
};

/* A process that lives and has the file mapped only if it does so in `prepare`. */
class Living {
  public:
    explicit Living(const std::function<void()> &prepare)
    {
        page_.number(0) = 0;
        child_ = start_child([&] {
            prepare();
            page_.number(1) = slm_lock_self();
            page_.number(0) = 1;
            await([&] { return page_.number(0) == 2; });
            return 0;
        });
        await([&] { return page_.number(0) == 1; });
    }
    ~Living()
    {
        page_.number(0) = 2;
        EXPECT_EQ(reap(child_), 0);
    }
    Living(const Living &) = delete;
    Living &operator=(const Living &) = delete;
    uint64_t identity()
    {
        return page_.number(1);
    }

  private:
    SharedPage page_;
    pid_t child_;
};

void expect_taken_over(slm_lock *lock)
{
    EXPECT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_mark_repaired(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    slm_lock_detach(lock);
}

/* --- A word that names a stranger --- */

class LockStranger : public testing::Test {
  protected:
    Living stranger{[] {}}; /* forked before there is a mapping to inherit */
    FileLock file;
};

TEST_F(LockStranger, ThatLivesKeepsNoWaiterOut)
{
    file.state()->word = stranger.identity();
    expect_taken_over(file.attach());
    EXPECT_EQ(file.state()->n_deaths, 1u);
}

TEST_F(LockStranger, WithoutAStartTimeKeepsNoWaiterOut)
{
    file.state()->word = stranger.identity() & SLM_LOCK_TID;
    expect_taken_over(file.attach());
}

TEST_F(LockStranger, IsFoundByATimedlockAndByTrylocksToo)
{
    slm_lock *lock = file.attach();
    file.state()->word = stranger.identity();
    EXPECT_EQ(slm_lock_timedlock(lock, 60000), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    file.state()->word = stranger.identity() | SLM_LOCK_WAITERS;
    await([&] { return slm_lock_trylock(lock) == SLM_OWNER_DIED; });
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    slm_lock_detach(lock);
}

TEST_F(LockStranger, IsReportedAsNoLivingOwnerAndCanBeForcedAtOnce)
{
    slm_lock *lock = file.attach();
    file.state()->word = stranger.identity();
    slm_lock_owner owner;
    slm_lock_get_owner(lock, &owner);
    EXPECT_EQ(owner.identity, stranger.identity());
    EXPECT_FALSE(owner.is_alive);
    EXPECT_EQ(owner.doubt, SLM_LOCK_NO_DOUBT);
    EXPECT_TRUE(slm_lock_is_alive(stranger.identity()));
    EXPECT_EQ(slm_lock_force_unlock(lock, 0), SLM_OK);
    EXPECT_EQ(file.state()->word, SLM_LOCK_REPAIR);
    slm_lock_detach(lock);
}

TEST_F(LockStranger, OfASpinSemLockIsForcedByTheParentThatReaps)
{
    FileLock spinning(SLM_LOCK_SPIN_SEM); /* later than the stranger too */
    slm_lock *lock = spinning.attach();
    spinning.state()->word = stranger.identity();
    EXPECT_EQ(slm_lock_timedlock(lock, 300), SLM_E_TIMEOUT);
    EXPECT_EQ(slm_lock_force_unlock(lock, 0), SLM_OK);
    expect_taken_over(lock);
}

/* --- An owner --- */

TEST(LockOwner, ThatHasTheFileMappedKeepsTheLockHoweverOftenItIsLookedAt)
{
    FileLock file;
    Living holder([&] {
        munmap(file.state(), 4096);
        EXPECT_EQ(slm_lock_lock(file.attach(file.map())), SLM_OK);
    });
    slm_lock *lock = file.attach();
    for (int i = 0; i < 300; i++) {
        ASSERT_EQ(slm_lock_trylock(lock), SLM_E_LOCKED);
    }
    EXPECT_EQ(slm_lock_timedlock(lock, 400), SLM_E_TIMEOUT);
    EXPECT_EQ(slm_lock_force_unlock(lock, 0), SLM_E_OWNER);
    slm_lock_owner owner;
    slm_lock_get_owner(lock, &owner);
    EXPECT_TRUE(owner.is_alive);
    EXPECT_EQ(owner.doubt, SLM_LOCK_NO_DOUBT);
    slm_lock_detach(lock);
}

/* Only the object decides, not the name: other processes find a file by other paths. */
TEST(LockOwner, OfAFileThatWasRemovedKeepsTheLock)
{
    FileLock file;
    Living holder([&] { EXPECT_EQ(slm_lock_lock(file.attach()), SLM_OK); });
    slm_lock *lock = file.attach();
    ASSERT_EQ(unlink(file.path().c_str()), 0);
    for (int i = 0; i < 100; i++) {
        ASSERT_EQ(slm_lock_trylock(lock), SLM_E_LOCKED);
    }
    slm_lock_detach(lock);
}

/* In memory that no other process has, a search would find nothing. */
TEST(LockOwner, InPrivateMemoryKeepsTheLock)
{
    alignas(SLM_LOCK_BYTES) static slm_lock_state state;
    ASSERT_EQ(slm_lock_init(&state, SLM_LOCK_ROBUST), SLM_OK);
    slm_lock *lock = nullptr;
    slm_lock_options options = {SLM_LOCK_ROBUST, nullptr, 0, false};
    ASSERT_EQ(slm_lock_attach(&lock, &state, &options, nullptr), SLM_OK);
    Living stranger([] {});
    state.word = stranger.identity();
    for (int i = 0; i < 100; i++) {
        ASSERT_EQ(slm_lock_trylock(lock), SLM_E_LOCKED);
    }
    EXPECT_EQ(slm_lock_force_unlock(lock, 0), SLM_E_OWNER);
    slm_lock_owner owner;
    slm_lock_get_owner(lock, &owner);
    EXPECT_TRUE(owner.is_alive);
    EXPECT_EQ(owner.doubt, SLM_LOCK_DOUBT_MAPPINGS);
    EXPECT_STRNE(slm_lock_doubt_text(owner.doubt), "");
    slm_lock_detach(lock);
}

TEST(LockAttach, RefusesAnotherUsersFile)
{
    SharedPage page;
    ASSERT_EQ(slm_lock_init(page.state(), SLM_LOCK_FILE), SLM_OK);
    std::string path = testing::TempDir() + "lock_of_another_" + std::to_string(getpid());
    slm_lock *lock = nullptr;
    slm_error error;
    slm_lock_options options = {SLM_LOCK_FILE, path.c_str(), 0, false};
    ASSERT_EQ(slm_lock_attach(&lock, page.state(), &options, &error), SLM_OK) << error.text;
    slm_lock_detach(lock);
    bool is_anothers = geteuid() == 0 && chown(path.c_str(), 1, 1) == 0;
    slm_status status = slm_lock_attach(&lock, page.state(), &options, &error);
    slm_lock_detach(lock);
    unlink(path.c_str());
    if (!is_anothers) {
        EXPECT_EQ(status, SLM_OK) << error.text;
        GTEST_SKIP() << "only root can make another user's file";
    }
    EXPECT_EQ(status, SLM_E_ACCESS);
    EXPECT_NE(std::string(error.text).find(path), std::string::npos) << error.text;
}

TEST(LockOwner, WithMappingsThatThisUserMayNotReadKeepsTheLock)
{
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can become another user";
    }
    Living stranger([] {}); /* root's */
    FileLock file;
    slm_lock *lock = file.attach();
    file.state()->word = stranger.identity();
    EXPECT_EQ(run_child([&] {
                  if (setgid(65534) != 0 || setuid(65534) != 0) {
                      return 1;
                  }
                  for (int i = 0; i < 100; i++) {
                      if (slm_lock_trylock(lock) != SLM_E_LOCKED) {
                          return 2;
                      }
                  }
                  slm_lock_owner owner;
                  slm_lock_get_owner(lock, &owner);
                  return owner.is_alive && owner.doubt == SLM_LOCK_DOUBT_MAPPINGS ? 0 : 3;
              }),
              0);
    expect_taken_over(lock);
}

TEST(LockOwner, ThatCallsExecWhileItHoldsTheLockHasLostIt)
{
    FileLock file;
    slm_lock *lock = file.attach();
    pid_t owner = start_child([&] {
        slm_lock_lock(lock);
        execl("/bin/sleep", "sleep", "1000", static_cast<char *>(nullptr));
        return 1;
    });
    await([&] { return file.state()->word != 0; });
    expect_taken_over(lock);
    EXPECT_TRUE(slm_lock_is_alive(static_cast<uint64_t>(owner)));
    kill(owner, SIGKILL);
    EXPECT_EQ(reap(owner), -SIGKILL);
}

/* The new program's main thread has the owner's id and start time. */
TEST(LockOwner, ThatCallsExecGetsOwnerDiedWhenItLocksAgain)
{
    FileLock file;
    EXPECT_EQ(run_child([&] {
                  slm_lock_lock(file.attach());
                  execl("/proc/self/exe", "object_test", held_flag, file.path().c_str(),
                        static_cast<char *>(nullptr));
                  return 1;
              }),
              SLM_OWNER_DIED);
    EXPECT_EQ(file.state()->word, 0u);
}

int lock_after_exec(const char *path)
{
    slm_lock *lock = nullptr;
    slm_lock_options options = {SLM_LOCK_ROBUST, nullptr, 0, false};
    slm_lock_attach(&lock, FileLock::map_file(path), &options, nullptr);
    slm_status status = slm_lock_trylock(lock);
    slm_lock_mark_repaired(lock);
    return slm_lock_unlock(lock) == SLM_OK ? status : SLM_STATUS_COUNT;
}

/* A child that only calls exec does not touch the lock, and must not die of it. */
TEST(LockFork, AChildOfAProcessWithAFileThatWasCutLives)
{
    for (slm_lock_kind kind : {SLM_LOCK_ROBUST, SLM_LOCK_SPIN_SEM, SLM_LOCK_FILE}) {
        FileLock file(kind);
        slm_lock *lock = file.attach();
        ASSERT_EQ(truncate(file.path().c_str(), 0), 0);
        EXPECT_EQ(run_child([] { return 0; }), 0) << kind;
        ASSERT_EQ(truncate(file.path().c_str(), 4096), 0);
        slm_lock_detach(lock);
    }
}

/* --- A copy of the file --- */

class LockCopy : public testing::TestWithParam<slm_lock_kind> {
  protected:
    /* The state records the lock file of the original: only the caller knows that the copy is
     * another lock. */
    static slm_lock *attach(FileLock &copy)
    {
        return copy.attach(copy.state(), GetParam() == SLM_LOCK_FILE);
    }

    FileLock file{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(EveryKind, LockCopy,
                         testing::Values(SLM_LOCK_ROBUST, SLM_LOCK_SPIN_SEM, SLM_LOCK_FILE));

TEST_P(LockCopy, IsNotHeldByTheThreadThatHoldsTheOriginalAndCopiedIt)
{
    slm_lock *lock = file.attach();
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    FileLock copy(file, ".copy");
    expect_taken_over(attach(copy));
    EXPECT_EQ(copy.state()->n_deaths, 1u);
    EXPECT_TRUE(slm_lock_is_mine(lock));
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    slm_lock_detach(lock);
}

TEST_P(LockCopy, IsNotHeldByAnotherThreadOfTheCallersProcess)
{
    slm_lock *lock = file.attach();
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    std::thread([&] {
        FileLock copy(file, ".copy");
        expect_taken_over(attach(copy));
    }).join();
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    slm_lock_detach(lock);
}

TEST(LockCopyOfRobust, IsNotHeldByAnotherProcess)
{
    FileLock file;
    Living holder([&] { EXPECT_EQ(slm_lock_lock(file.attach()), SLM_OK); });
    FileLock copy(file, ".copy");
    ASSERT_NE(copy.state()->word, 0u);
    expect_taken_over(copy.attach());
    slm_lock *lock = file.attach();
    EXPECT_EQ(slm_lock_trylock(lock), SLM_E_LOCKED);
    slm_lock_detach(lock);
}

/* --- A lock that this process holds --- */

class LockHeldHere : public testing::TestWithParam<slm_lock_kind> {
  protected:
    FileLock file{GetParam()};
    slm_lock *lock = file.attach();

    ~LockHeldHere() override
    {
        slm_lock_detach(lock);
    }
    void expect_still_held(slm_lock_state *state)
    {
        slm_lock *other = file.attach(state);
        EXPECT_EQ(slm_lock_trylock(other), SLM_E_HELD);
        EXPECT_TRUE(slm_lock_is_mine(lock));
        EXPECT_EQ(state->n_deaths, 0u);
        slm_lock_detach(other);
    }
};

INSTANTIATE_TEST_SUITE_P(EveryKind, LockHeldHere,
                         testing::Values(SLM_LOCK_ROBUST, SLM_LOCK_SPIN_SEM, SLM_LOCK_FILE));

TEST_P(LockHeldHere, StaysHeldWhenAnotherHandleIsAttached)
{
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    expect_still_held(file.state());
    slm_lock_state *elsewhere = file.map();
    expect_still_held(elsewhere);
    munmap(elsewhere, 4096);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], held_flag) == 0) {
        return lock_after_exec(argv[2]);
    }
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
