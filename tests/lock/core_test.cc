/* SPDX-License-Identifier: Apache-2.0 */
/* Owners of locks whose processes write real core files. */
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <thread>

#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

constexpr size_t kCoreBytes = size_t{64} << 20;
constexpr unsigned kTries = 20;

/* The system's settings decide where core files go. */
bool writes_cores_here()
{
    std::ifstream pattern("/proc/sys/kernel/core_pattern");
    std::string text;
    rlimit limit = {};
    return std::getline(pattern, text) && !text.empty() && text.find('/') == std::string::npos &&
           text[0] != '|' && getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max >= kCoreBytes;
}

/* Whether the process writes its core, and the thread has no SIGKILL pending. */
bool has_stopped_for_core(pid_t thread)
{
    std::ifstream status("/proc/" + std::to_string(thread) + "/status");
    bool is_dumping = false;
    for (std::string line; std::getline(status, line);) {
        is_dumping = is_dumping || line == "CoreDumping:\t1";
        if (line.compare(0, 8, "SigPnd:\t") == 0) {
            return is_dumping && (std::stoull(line.substr(8), nullptr, 16) & 0x100) == 0;
        }
    }
    return false;
}

/* Numbers that a child and the test share. */
enum : size_t { kOwner, kIsHeld };

class LockCore : public testing::Test {
  protected:
    LockCore() : folder_(testing::TempDir() + "core_" + std::to_string(getpid()))
    {
        EXPECT_EQ(mkdir(folder_.c_str(), 0700), 0);
    }
    ~LockCore() override
    {
        std::filesystem::remove_all(folder_);
    }

    void lock_here()
    {
        (void)slm_lock_lock(lock);
        lock.number(kOwner) = static_cast<uint64_t>(syscall(SYS_gettid));
        lock.number(kIsHeld) = 1;
    }

    /* Crashes with the lock held by its first thread, or by another one that never stops by
     * itself. */
    int crash(bool is_others)
    {
        rlimit limit = {};
        void *memory =
            mmap(nullptr, kCoreBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED || chdir(folder_.c_str()) != 0 ||
            getrlimit(RLIMIT_CORE, &limit) != 0) {
            return 1;
        }
        memset(memory, 1, kCoreBytes);
        limit.rlim_cur = kCoreBytes;
        (void)setrlimit(RLIMIT_CORE, &limit);
        (void)signal(SIGSEGV, SIG_DFL);
        if (is_others) {
            std::thread([this] {
                lock_here();
                for (volatile unsigned n = 0;; n = n + 1) {
                }
            }).detach();
            await([this] { return lock.number(kIsHeld) == 1; });
        } else {
            lock_here();
        }
        (void)raise(SIGSEGV);
        return 2;
    }

    /* What trylock returned at the first look that saw the owner stopped; SLM_STATUS_COUNT: no
     * look saw it, before the child had ended. */
    slm_status try_during_core(pid_t child)
    {
        await([this] { return lock.number(kIsHeld) == 1; });
        auto owner = static_cast<pid_t>(lock.number(kOwner).load());
        siginfo_t info = {};
        while (info.si_pid == 0) {
            if (has_stopped_for_core(owner)) {
                return slm_lock_trylock(lock);
            }
            (void)waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT | WNOHANG);
        }
        return SLM_STATUS_COUNT;
    }

    void expect_taken_over(bool is_others)
    {
        if (!writes_cores_here()) {
            GTEST_SKIP() << "core files go elsewhere, or are limited";
        }
        for (unsigned i = 0; i < kTries; i++) {
            lock.number(kIsHeld) = 0;
            pid_t child = start_child([&] { return crash(is_others); });
            slm_status status = try_during_core(child);
            ASSERT_EQ(reap(child), -SIGSEGV);
            if (status != SLM_STATUS_COUNT) {
                EXPECT_EQ(status, SLM_OWNER_DIED);
                return;
            }
            ASSERT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
            ASSERT_EQ(slm_lock_mark_repaired(lock), SLM_OK);
            ASSERT_EQ(slm_lock_unlock(lock), SLM_OK);
        }
        GTEST_SKIP() << "no look saw a core being written in " << kTries << " tries";
    }

    Lock lock;

  private:
    std::string folder_;
};

TEST_F(LockCore, OfTheThreadThatCrashedMakesItADeadOwner)
{
    expect_taken_over(false);
}

TEST_F(LockCore, OfAnotherThreadsCrashMakesTheOwnerDead)
{
    expect_taken_over(true);
}

} // namespace
