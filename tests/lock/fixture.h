/* SPDX-License-Identifier: Apache-2.0 */
/* A lock in memory shared with children, and children that end as a test wants. */
#ifndef TESTS_LOCK_FIXTURE_H
#define TESTS_LOCK_FIXTURE_H

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <gtest/gtest.h>
#include <sched.h>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/lock/handle.h"
#include "allocator/lock/origin.h"
#include "allocator/lock/proc.h"
#include "allocator/lock/system.h"
#include "allocator/lock/word.h"
#include "tests/base/death.h"
#include <slabmill/lock.h>

namespace slm_test {

/* Memory shared with every child forked later. It has room for what the lock guards. */
class SharedPage {
  public:
    SharedPage()
    {
        if (file_ < 0 || ftruncate(file_, 4096) != 0) {
            perror("memfd_create");
            abort();
        }
        page_ = map();
    }

    SharedPage(const SharedPage &) = delete;
    SharedPage &operator=(const SharedPage &) = delete;

    ~SharedPage()
    {
        munmap(page_, 4096);
        (void)close(file_);
    }

    slm_lock_state *state()
    {
        return reinterpret_cast<slm_lock_state *>(page_);
    }

    /* The same memory at another address, never unmapped. */
    slm_lock_state *state_elsewhere()
    {
        return reinterpret_cast<slm_lock_state *>(map());
    }

    /* Numbers for the test's own use, initially 0. */
    std::atomic<uint64_t> &number(size_t i)
    {
        return reinterpret_cast<std::atomic<uint64_t> *>(page_ + 1024)[i];
    }

  private:
    unsigned char *map() const
    {
        void *page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
        if (page == MAP_FAILED) {
            perror("mmap");
            abort();
        }
        return static_cast<unsigned char *>(page);
    }

    int file_ = memfd_create("page", MFD_CLOEXEC);
    unsigned char *page_;
};

/* A created and attached lock. The file of a file lock is in the test's scratch folder. */
class Lock {
  public:
    explicit Lock(slm_lock_kind kind = SLM_LOCK_ROBUST) : kind_(kind)
    {
        static int n_files;
        path_ = testing::TempDir() + "lock_" + std::to_string(getpid()) + "_" +
                std::to_string(n_files++);
        EXPECT_EQ(slm_lock_init(state(), kind), SLM_OK);
        lock_ = attach(kind);
    }

    ~Lock()
    {
        slm_lock_detach(lock_);
        unlink(path_.c_str());
    }

    /* Attaches another handle to the same lock. */
    slm_lock *attach(slm_lock_kind kind)
    {
        return attach_at(state(), kind);
    }

    /* For a child: attaches its own handle through its own mapping. */
    slm_lock *attach_elsewhere()
    {
        return attach_at(page_.state_elsewhere(), kind_);
    }

    operator slm_lock *()
    {
        return lock_;
    }

    slm_lock_state *state()
    {
        return page_.state();
    }

    uint64_t word()
    {
        return __atomic_load_n(&state()->word, __ATOMIC_ACQUIRE);
    }

    std::atomic<uint64_t> &number(size_t i)
    {
        return page_.number(i);
    }

    const std::string &path() const
    {
        return path_;
    }

  private:
    slm_lock *attach_at(slm_lock_state *state, slm_lock_kind kind)
    {
        slm_lock *lock = nullptr;
        slm_error error;
        slm_lock_options options = {kind, path_.c_str(), 16, false};
        EXPECT_EQ(slm_lock_attach(&lock, state, &options, &error), SLM_OK) << error.text;
        return lock;
    }

    SharedPage page_;
    slm_lock_kind kind_;
    std::string path_;
    slm_lock *lock_ = nullptr;
};

/* Runs body in a forked child. Its result is the exit status. */
inline pid_t start_child(const std::function<int()> &body)
{
    fflush(nullptr);
    pid_t child = fork();
    if (child == 0) {
        end_child(body());
    }
    if (child < 0) {
        perror("fork");
        abort();
    }
    return child;
}

/* Returns the exit status, or minus the signal that ended the child. */
inline int reap(pid_t child)
{
    int status = 0;
    if (waitpid(child, &status, 0) != child) {
        return INT32_MIN;
    }
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

inline int run_child(const std::function<int()> &body)
{
    return reap(start_child(body));
}

inline void die()
{
    kill(getpid(), SIGKILL);
}

/* Waits until the child is a zombie: dead and not yet reaped. */
inline void await_zombie(pid_t child)
{
    siginfo_t info;
    EXPECT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
}

/* Yields the processor until the condition holds. The test's time limit ends an endless wait. */
template <typename Condition> void await(Condition condition)
{
    while (!condition()) {
        sched_yield();
    }
}

/* Returns the state letter of a process's or thread's stat file, or 0 if there is none. */
inline char state_letter(pid_t tid)
{
    std::string path = "/proc/" + std::to_string(tid) + "/stat";
    char text[1024];
    FILE *file = fopen(path.c_str(), "r");
    if (file == nullptr) {
        return 0;
    }
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    slm_lock_stat stat = {};
    return slm_lock_parse_stat(text, length, &stat) ? stat.state : '\0';
}

/* Starts a child that locks at an address of its own and unlocks at once. Its exit status is what
 * locking returned. */
inline pid_t start_waiter(Lock &lock)
{
    return start_child([&lock] {
        slm_lock *mine = lock.attach_elsewhere();
        int status = slm_lock_lock(mine);
        return slm_lock_unlock(mine) == SLM_OK ? status : SLM_STATUS_COUNT;
    });
}

/* Waits until that child sleeps and the word has the WAITERS bit. */
inline void await_asleep(Lock &lock, pid_t child)
{
    await([&] { return (lock.word() & SLM_LOCK_WAITERS) != 0 && state_letter(child) == 'S'; });
}

/* Leaves the lock held by a dead and reaped child. */
inline void hold_and_die(Lock &lock)
{
    EXPECT_EQ(run_child([&lock] {
                  slm_lock_lock(lock.attach_elsewhere());
                  die();
                  return 0;
              }),
              -SIGKILL);
}

} // namespace slm_test

#endif
