/* SPDX-License-Identifier: Apache-2.0 */
/* The stepper: what a child leaves that is killed between two of its instructions. */
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kill/child.h"
#include "tests/kill/stepper.h"

namespace {

using namespace kill_test;

constexpr size_t N_WORDS = 8;

/* Memory that the children share with the test. */
class Shared {
  public:
    Shared()
        : words_(static_cast<volatile uint64_t *>(mmap(nullptr, sizeof(uint64_t) * N_WORDS,
                                                       PROT_READ | PROT_WRITE,
                                                       MAP_SHARED | MAP_ANONYMOUS, -1, 0)))
    {
    }
    ~Shared()
    {
        munmap(const_cast<uint64_t *>(words_), sizeof(uint64_t) * N_WORDS);
    }
    volatile uint64_t &operator[](size_t i)
    {
        return words_[i];
    }
    void clear()
    {
        for (size_t i = 0; i < N_WORDS; i++) {
            words_[i] = 0;
        }
    }
    /* Returns how many words were written, which must be the first ones. N_WORDS + 1: they are
     * not. */
    size_t prefix()
    {
        size_t n = 0;
        while (n < N_WORDS && words_[n] == n + 1) {
            n++;
        }
        for (size_t i = n; i < N_WORDS; i++) {
            if (words_[i] != 0) {
                return N_WORDS + 1;
            }
        }
        return n;
    }

  private:
    volatile uint64_t *words_;
};

/* Operations capture shared_ and not `this`: UBSan remembers the types of objects that it has seen,
 * so a child that reads a member of the test takes another path after its parent has. */
class Stepper : public testing::Test {
  protected:
    Operation fill()
    {
        return {[] {},
                [&shared = shared_] {
                    for (size_t i = 0; i < N_WORDS; i++) {
                        shared[i] = i + 1;
                    }
                }};
    }

    Shared shared_;
};

TEST_F(Stepper, LeavesTheStoresOfExactlyTheFirstInstructions)
{
    std::vector<size_t> seen;
    Way way;
    End end = record(
        fill(),
        [&](size_t, pid_t) {
            seen.push_back(shared_.prefix());
            return false;
        },
        &way);
    ASSERT_EQ(end, End::FINISHED);
    ASSERT_GT(way.n_instructions(), N_WORDS);
    for (size_t k = 0; k < seen.size(); k++) {
        shared_.clear();
        ASSERT_EQ(kill_after(fill(), way, k), End::KILLED) << k;
        EXPECT_EQ(shared_.prefix(), seen[k]) << k;
        shared_.clear();
        ASSERT_EQ(kill_after_steps(fill(), k), End::KILLED) << k;
        EXPECT_EQ(shared_.prefix(), seen[k]) << k;
    }
    EXPECT_EQ(seen.front(), 0u);
    EXPECT_EQ(seen.back(), N_WORDS);
}

TEST_F(Stepper, GivesEachChildTheSameStackAtAnyDepthOfItsParent)
{
    Operation tell = {[] {},
                      [&shared = shared_] {
                          shared[0] = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
                      }};
    Way way;
    ASSERT_EQ(record(
                  tell, [](size_t, pid_t) { return false; }, &way),
              End::FINISHED);
    uint64_t recorded = shared_[0];
    auto kill_from_deeper = [&] {
        volatile char room[1000];
        room[0] = 0;
        End end = kill_after(tell, way, way.n_instructions());
        return room[0] == 0 ? end : End::BROKEN;
    };
    shared_.clear();
    ASSERT_EQ(kill_from_deeper(), End::KILLED);
    EXPECT_EQ(shared_[0], recorded);
}

TEST_F(Stepper, KillsAtTheGivenInstruction)
{
    Way way;
    End end = record(
        fill(), [&](size_t, pid_t) { return shared_.prefix() == 5; }, &way);
    EXPECT_EQ(end, End::KILLED);
    EXPECT_EQ(shared_.prefix(), 5u);
}

TEST_F(Stepper, ReportsThatAChildTookAnotherPath)
{
    volatile bool flag = false;
    Operation fork_in_the_road = {[] {},
                                  [&flag, &shared = shared_] {
                                      if (flag) {
                                          shared[0] = static_cast<uint64_t>(getppid());
                                      } else {
                                          shared[1] = 1;
                                          shared[2] = 1;
                                      }
                                  }};
    /* Between the stores of a branch that the second child does not take. */
    Way way;
    EXPECT_EQ(record(
                  fork_in_the_road, [&](size_t, pid_t) { return shared_[1] == 1; }, &way),
              End::KILLED);
    flag = true;
    End end = kill_after(fork_in_the_road, way, way.n_instructions());
    EXPECT_TRUE(end == End::STRAYED || end == End::FINISHED) << end_text(end);
}

TEST_F(Stepper, ReportsThatAChildEndedByItself)
{
    Way way;
    Operation crash = {[] {}, [] { raise(SIGSEGV); }};
    EXPECT_EQ(record(
                  crash, [](size_t, pid_t) { return false; }, &way),
              End::BROKEN);
    Operation leave = {[] {}, [] { _exit(0); }};
    EXPECT_EQ(record(
                  leave, [](size_t, pid_t) { return false; }, &way),
              End::BROKEN);
}

TEST_F(Stepper, CountsReadingTheClockAsOneInstruction)
{
    Operation look = {[] {},
                      [&shared = shared_] {
                          for (size_t i = 0; i < 3; i++) {
                              struct timespec now;
                              shared[i] = clock_gettime(CLOCK_MONOTONIC, &now) == 0;
                          }
                      }};
    auto pause = [](size_t, pid_t) {
        usleep(5000); /* longer than a tick of the system's clock */
        return false;
    };
    Way way;
    ASSERT_EQ(record(look, pause, &way), End::FINISHED);
    size_t n = way.n_instructions();
    ASSERT_EQ(record(look, pause, &way), End::FINISHED);
    EXPECT_EQ(way.n_instructions(), n);
    for (size_t k = 0; k <= n; k++) {
        shared_.clear();
        EXPECT_EQ(kill_after(look, way, k), End::KILLED) << k;
    }
    EXPECT_EQ(shared_[2], 1u);
}

/* From here on ptrace fails in this process. */
bool forbid_ptrace()
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_F(Stepper, ReportsThatPtraceIsForbidden)
{
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        Way way;
        bool is_reported = forbid_ptrace() && record(
                                                  fill(), [](size_t, pid_t) { return false; },
                                                  &way) == End::NOT_TRACED;
        _exit(is_reported ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(KillChild, HangsIfItSleepsFromOneLookToTheNext)
{
    pid_t child = start_child(
        [] {
            for (;;) {
                pause();
            }
        },
        1);
    int status = 0;
    EXPECT_FALSE(wait_for_child(child, &status, 0));
    end_child(child, false);
}

TEST(KillChild, DoesNotHangWhileItUsesTheProcessor)
{
    pid_t child = start_child(
        [] {
            while (clock() < 3 * CLOCKS_PER_SEC) {
            }
            _exit(7);
        },
        1);
    int status = 0;
    EXPECT_TRUE(wait_for_child(child, &status, 0));
    end_child(child, true);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

} // namespace
