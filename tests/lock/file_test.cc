/* SPDX-License-Identifier: Apache-2.0 */
/* The file under a file lock: replaced, removed, closed, refused. Two files never back one lock. */
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <thread>
#include <vector>

#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

void put_another_file_at(const std::string &path)
{
    std::string other = path + ".new." + std::to_string(getpid());
    int fd = open(other.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
    ASSERT_GE(fd, 0) << other;
    close(fd);
    ASSERT_EQ(rename(other.c_str(), path.c_str()), 0);
}

bool exists(const std::string &path)
{
    return access(path.c_str(), F_OK) == 0;
}

slm_status attach(slm_lock **out, slm_lock_state *state, const std::string &path, slm_error *error,
                  bool is_unused = false)
{
    slm_lock_options options = {SLM_LOCK_FILE, path.c_str(), 16, is_unused};
    *out = nullptr;
    return slm_lock_attach(out, state, &options, error);
}

/* --- A process that shares nothing but the memory and the path --- */

constexpr const char *stranger_flag = "--stranger";
constexpr const char *keyless_flag = "--stranger-without-keys";

/* Returns what attach returned, or trylock after a successful attach. */
int be_stranger(int memory_fd, const char *path)
{
    void *page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    if (page == MAP_FAILED) {
        return SLM_STATUS_COUNT;
    }
    slm_lock *lock = nullptr;
    slm_error error;
    slm_status status = attach(&lock, static_cast<slm_lock_state *>(page), path, &error);
    if (status == SLM_OK) {
        status = slm_lock_trylock(lock);
        slm_lock_detach(lock);
    } else {
        fprintf(stderr, "%s\n", error.text);
    }
    return status;
}

int be_stranger_without_keys(int memory_fd, const char *path)
{
    pthread_key_t key;
    pthread_key_t first;
    EXPECT_EQ(pthread_key_create(&first, nullptr), 0);
    while (pthread_key_create(&key, nullptr) == 0) {
    }
    int status = be_stranger(memory_fd, path);
    return pthread_getspecific(first) == nullptr ? status : SLM_STATUS_COUNT;
}

int run_stranger(int memory_fd, const std::string &path, const char *flag = stranger_flag)
{
    fflush(nullptr);
    pid_t child = fork();
    if (child == 0) {
        std::string number = std::to_string(memory_fd);
        execl("/proc/self/exe", "lock_file_test", flag, number.c_str(), path.c_str(),
              static_cast<char *>(nullptr));
        _exit(SLM_STATUS_COUNT);
    }
    return reap(child);
}

/* A lock in memory that has a descriptor. */
class LockFileStranger : public testing::Test {
  protected:
    void SetUp() override
    {
        memory_fd_ = memfd_create("lock", 0);
        ASSERT_GE(memory_fd_, 0);
        ASSERT_EQ(ftruncate(memory_fd_, 4096), 0);
        void *page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd_, 0);
        ASSERT_NE(page, MAP_FAILED);
        state_ = static_cast<slm_lock_state *>(page);
        ASSERT_EQ(slm_lock_init(state_, SLM_LOCK_FILE), SLM_OK);
        slm_error error;
        ASSERT_EQ(attach(&lock_, state_, path_, &error), SLM_OK) << error.text;
    }

    void TearDown() override
    {
        slm_lock_detach(lock_);
        unlink(path_.c_str());
        munmap(state_, 4096);
        close(memory_fd_);
    }

    int stranger()
    {
        return run_stranger(memory_fd_, path_);
    }

    int memory_fd_ = -1;
    std::string path_ = testing::TempDir() + "lock_file_" + std::to_string(getpid());
    slm_lock_state *state_ = nullptr;
    slm_lock *lock_ = nullptr;
};

TEST_F(LockFileStranger, IsExcludedByAHolderAndGetsAFreeLock)
{
    ASSERT_EQ(slm_lock_lock(lock_), SLM_OK);
    EXPECT_EQ(stranger(), SLM_E_LOCKED);
    EXPECT_EQ(slm_lock_unlock(lock_), SLM_OK);
    EXPECT_EQ(stranger(), SLM_OK);
    EXPECT_EQ(slm_lock_lock(lock_), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock_), SLM_OK);
}

TEST_F(LockFileStranger, IsRefusedWithAnotherFileWhileTheOwnerKeepsTheLock)
{
    ASSERT_EQ(slm_lock_lock(lock_), SLM_OK);
    uint64_t word = state_->word;
    put_another_file_at(path_);
    EXPECT_EQ(stranger(), SLM_E_REPLACED);
    EXPECT_EQ(state_->word, word);
    EXPECT_TRUE(slm_lock_is_mine(lock_));
    EXPECT_EQ(slm_lock_unlock(lock_), SLM_OK);
    EXPECT_EQ(stranger(), SLM_E_REPLACED);
    EXPECT_EQ(state_->n_deaths, 0u);
}

TEST_F(LockFileStranger, IsRefusedWithoutAFileAndCreatesNone)
{
    ASSERT_EQ(slm_lock_lock(lock_), SLM_OK);
    ASSERT_EQ(unlink(path_.c_str()), 0);
    EXPECT_EQ(stranger(), SLM_E_REPLACED);
    EXPECT_FALSE(exists(path_));
    EXPECT_EQ(slm_lock_unlock(lock_), SLM_OK);
}

TEST_F(LockFileStranger, AttachesAfterTheFileIsBack)
{
    std::string kept = path_ + ".kept";
    ASSERT_EQ(link(path_.c_str(), kept.c_str()), 0);
    put_another_file_at(path_);
    EXPECT_EQ(stranger(), SLM_E_REPLACED);
    ASSERT_EQ(rename(kept.c_str(), path_.c_str()), 0);
    EXPECT_EQ(stranger(), SLM_OK);
}

/* Without a key of its own the lock would write to another library's thread data. */
TEST_F(LockFileStranger, IsRefusedIfNoThreadKeyIsLeft)
{
    EXPECT_EQ(run_stranger(memory_fd_, path_, keyless_flag), SLM_E_NOMEM);
    EXPECT_EQ(stranger(), SLM_OK);
}

/* A user who may read the file could keep a read lock of it, and no process would get the lock. */
TEST_F(LockFileStranger, IsRefusedIfOtherUsersHaveRightsToTheFile)
{
    for (mode_t rights = 1; rights < 0100; rights <<= 1) {
        ASSERT_EQ(chmod(path_.c_str(), S_IRUSR | S_IWUSR | rights), 0);
        EXPECT_EQ(stranger(), SLM_E_ACCESS) << rights;
    }
    EXPECT_EQ(slm_lock_lock(lock_), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock_), SLM_OK);
    ASSERT_EQ(chmod(path_.c_str(), S_IRUSR | S_IWUSR), 0);
    EXPECT_EQ(stranger(), SLM_OK);
}

/* --- One process, and its children --- */

int fd_of(slm_lock *lock)
{
    return lock->file->fd;
}

class LockFileReplaced : public testing::Test {
  protected:
    slm_status attach_again(bool is_unused = false)
    {
        return attach(&again_, lock_.state(), lock_.path(), &error_, is_unused);
    }

    ~LockFileReplaced() override
    {
        slm_lock_detach(again_);
    }

    Lock lock_{SLM_LOCK_FILE};
    slm_lock *again_ = nullptr;
    slm_error error_;
};

TEST_F(LockFileReplaced, AttachNamesTheFileAndWhatIsWrongWithIt)
{
    put_another_file_at(lock_.path());
    EXPECT_EQ(attach_again(), SLM_E_REPLACED);
    EXPECT_EQ(again_, nullptr);
    EXPECT_EQ(error_.status, SLM_E_REPLACED);
    EXPECT_NE(std::string(error_.text).find(lock_.path()), std::string::npos) << error_.text;
    EXPECT_NE(std::string(error_.text).find("replaced"), std::string::npos) << error_.text;
}

/* A child opens the file when it is forked. */
TEST_F(LockFileReplaced, AnEarlierForkedChildGoesOnWithTheOldFile)
{
    pid_t child = start_child([&] {
        lock_.number(0) = 1;
        await([&] { return lock_.number(0) == 2; });
        slm_status status = slm_lock_lock(lock_);
        return slm_lock_unlock(lock_) == SLM_OK ? status : SLM_STATUS_COUNT;
    });
    await([&] { return lock_.number(0) == 1; });
    put_another_file_at(lock_.path());
    lock_.number(0) = 2;
    EXPECT_EQ(reap(child), SLM_OK);
    EXPECT_EQ(slm_lock_trylock(lock_), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock_), SLM_OK);
}

TEST_F(LockFileReplaced, AChildThatLostItsDescriptorIsRefusedUntilTheFileIsBack)
{
    std::string kept = lock_.path() + ".kept";
    ASSERT_EQ(slm_lock_lock(lock_), SLM_OK);
    ASSERT_EQ(link(lock_.path().c_str(), kept.c_str()), 0);
    pid_t child = start_child([&] {
        close(fd_of(lock_));
        await([&] { return lock_.number(0) == 1; });
        if (slm_lock_trylock(lock_) != SLM_E_REPLACED || errno != ESTALE) {
            return 1;
        }
        lock_.number(0) = 2;
        await([&] { return lock_.number(0) == 3; });
        return slm_lock_trylock(lock_) == SLM_E_LOCKED ? 0 : 2;
    });
    put_another_file_at(lock_.path());
    lock_.number(0) = 1;
    await([&] { return lock_.number(0) == 2 || state_letter(child) == 'Z'; });
    ASSERT_EQ(rename(kept.c_str(), lock_.path().c_str()), 0);
    lock_.number(0) = 3;
    EXPECT_EQ(reap(child), 0);
    EXPECT_EQ(slm_lock_unlock(lock_), SLM_OK);
}

TEST_F(LockFileReplaced, HandlesOfTheOldFileKeepWorkingAndExclude)
{
    slm_lock *other = lock_.attach(SLM_LOCK_FILE);
    put_another_file_at(lock_.path());
    ASSERT_EQ(slm_lock_lock(lock_), SLM_OK);
    std::thread([&] { EXPECT_EQ(slm_lock_trylock(other), SLM_E_LOCKED); }).join();
    EXPECT_EQ(slm_lock_unlock(lock_), SLM_OK);
    EXPECT_EQ(slm_lock_trylock(other), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(other), SLM_OK);
    slm_lock_detach(other);
}

/* A handle checks the state after it gets the system's lock, not only at attach. */
TEST_F(LockFileReplaced, AHandleOfTheOldFileGetsNothingOfARecreatedLock)
{
    ASSERT_EQ(slm_lock_init(lock_.state(), SLM_LOCK_FILE), SLM_OK);
    put_another_file_at(lock_.path());
    ASSERT_EQ(attach_again(), SLM_OK) << error_.text;
    ASSERT_EQ(slm_lock_lock(again_), SLM_OK);
    std::thread([&] {
        EXPECT_EQ(slm_lock_trylock(lock_), SLM_E_REPLACED);
        EXPECT_EQ(slm_lock_trylock(lock_), SLM_E_LOCKED);
    }).join();
    EXPECT_EQ(slm_lock_unlock(again_), SLM_OK);
    EXPECT_EQ(slm_lock_trylock(lock_), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock_), SLM_OK);
}

TEST_F(LockFileReplaced, IsUnusedReplacesTheAgreedFile)
{
    hold_and_die(lock_);
    put_another_file_at(lock_.path());
    EXPECT_EQ(attach_again(), SLM_E_REPLACED);
    ASSERT_EQ(attach_again(true), SLM_OK) << error_.text;
    EXPECT_EQ(slm_lock_lock(again_), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_mark_repaired(again_), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(again_), SLM_OK);
    EXPECT_EQ(slm_lock_trylock(lock_), SLM_E_REPLACED);
    EXPECT_EQ(slm_lock_trylock(lock_), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(lock_), SLM_OK);
}

TEST_F(LockFileReplaced, AnotherFileIsAcceptedAfterAReboot)
{
    put_another_file_at(lock_.path());
    lock_.state()->boot ^= 2;
    lock_.state()->file_inode ^= 2;
    lock_.state()->file_device ^= 2;
    EXPECT_EQ(attach_again(), SLM_OK) << error_.text;
    EXPECT_EQ(lock_.state()->boot, slm_lock_boot());
    EXPECT_EQ(slm_lock_lock(again_), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(again_), SLM_OK);
}

/* Another file system may give the same inode number to another file. */
TEST_F(LockFileReplaced, TheSameInodeOnAnotherDeviceIsRefused)
{
    lock_.state()->file_device ^= 1;
    EXPECT_EQ(attach_again(), SLM_E_REPLACED);
    EXPECT_EQ(slm_lock_trylock(lock_), SLM_E_REPLACED);
    EXPECT_EQ(lock_.word(), 0u);
}

/* Attaches, tries and unlocks in an endless loop. Two simultaneous owners would see each other. */
int attach_for_ever(Lock &shared)
{
    slm_lock_state *state = shared.state();
    while (shared.number(0) == 0) {
        slm_lock *lock = nullptr;
        slm_status status = attach(&lock, state, shared.path(), nullptr);
        if (status == SLM_E_REPLACED) {
            shared.number(4)++;
            continue;
        }
        if (status != SLM_OK) {
            return status;
        }
        if (slm_lock_trylock(lock) == SLM_OK) {
            shared.number(2) += shared.number(1)++ != 0;
            shared.number(3)++;
            shared.number(1)--;
            slm_lock_unlock(lock);
        }
        slm_lock_detach(lock);
    }
    return 0;
}

TEST(LockFileStorm, ThereAreNeverTwoOwnersHoweverOftenTheFileChanges)
{
    Lock lock(SLM_LOCK_FILE);
    std::string kept = lock.path() + ".kept";
    ASSERT_EQ(link(lock.path().c_str(), kept.c_str()), 0);
    std::vector<pid_t> workers;
    for (int i = 0; i < 3; i++) {
        workers.push_back(start_child([&] { return attach_for_ever(lock); }));
    }
    for (int i = 0; i < 50; i++) {
        uint64_t n_refused = lock.number(4);
        put_another_file_at(lock.path());
        await([&] { return lock.number(4) > n_refused; });
        uint64_t n_turns = lock.number(3);
        unlink(lock.path().c_str());
        ASSERT_EQ(link(kept.c_str(), lock.path().c_str()), 0);
        await([&] { return lock.number(3) > n_turns; });
    }
    lock.number(0) = 1;
    for (pid_t worker : workers) {
        EXPECT_EQ(reap(worker), 0);
    }
    EXPECT_EQ(lock.number(2), 0u);
    EXPECT_EQ(lock.state()->n_deaths, 0u);
    unlink(kept.c_str());
}

} // namespace

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], stranger_flag) == 0) {
        return be_stranger(atoi(argv[2]), argv[3]);
    }
    if (argc == 4 && strcmp(argv[1], keyless_flag) == 0) {
        return be_stranger_without_keys(atoi(argv[2]), argv[3]);
    }
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
