/* SPDX-License-Identifier: Apache-2.0 */
/* The stepper for machines without ptrace: its steps are the library's yield points and stores
 * (SLM_SCHED), not instructions. The child counts them, and kills itself. */
#include "tests/kill/stepper.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/base/yield.h"
#include "tests/kill/child.h"

namespace kill_test {
namespace {

constexpr int OVER_STATUS = 98;

/* The child stops at each point instead of dying at one. */
constexpr uint64_t STOPS = UINT64_MAX;

struct Count {
    uint64_t n_points;
    uint64_t dies_at;
};

/* Shared with the child. */
Count *shared_count()
{
    static Count *count = [] {
        void *p =
            mmap(nullptr, sizeof(Count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) {
            perror("mmap");
            abort();
        }
        return static_cast<Count *>(p);
    }();
    return count;
}

void stop_or_die()
{
    Count *count = shared_count();
    if (count->dies_at == STOPS) {
        (void)kill(getpid(), SIGSTOP);
    } else if (count->dies_at == count->n_points) {
        (void)kill(getpid(), SIGKILL);
    }
}

void pass_point(const char *)
{
    shared_count()->n_points++;
    stop_or_die();
}

[[noreturn]] void run_child(const Operation &operation)
{
    operation.enter();
    stop_or_die();
    slm_yield_hook = pass_point;
    slm_stored_hook = pass_point;
    operation.act();
    slm_yield_hook = nullptr;
    slm_stored_hook = nullptr;
    shared_count()->n_points++;
    if (shared_count()->dies_at != STOPS) {
        stop_or_die();
    }
    _exit(OVER_STATUS);
}

/* One child, until it is dead. */
class Victim {
  public:
    Victim(const Operation &operation, uint64_t dies_at)
    {
        *shared_count() = {0, dies_at};
        child_ = start_child([&] { run_child(operation); });
    }

    ~Victim()
    {
        end_child(child_, is_reaped_);
    }

    Victim(const Victim &) = delete;
    Victim &operator=(const Victim &) = delete;

    pid_t pid() const
    {
        return child_;
    }

    /* Returns whether the child stopped at a point. Otherwise end() says what happened to it. */
    bool await_stop()
    {
        int status = 0;
        if (!wait_for_child(child_, &status, WUNTRACED)) {
            end_ = End::HUNG;
            return false;
        }
        if (WIFSTOPPED(status)) {
            return true;
        }
        is_reaped_ = true;
        bool is_over = WIFEXITED(status) && WEXITSTATUS(status) == OVER_STATUS;
        bool is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        end_ = is_over ? End::FINISHED : is_killed ? End::KILLED : End::BROKEN;
        return false;
    }

    void go_on() const
    {
        (void)::kill(child_, SIGCONT);
    }

    End end() const
    {
        return end_;
    }

  private:
    pid_t child_;
    End end_ = End::KILLED;
    bool is_reaped_ = false;
};

} // namespace

size_t usual_stride()
{
    return 1;
}

/* A point in fifty instructions. */
size_t steps_in(size_t n_instructions)
{
    return n_instructions / 50;
}

End record(const Operation &operation, const Visit &visit, Way *way)
{
    Victim victim(operation, STOPS);
    size_t n = 0;
    while (victim.await_stop()) {
        if (visit(n++, victim.pid())) {
            return End::KILLED;
        }
        victim.go_on();
    }
    /* Point 0 is before the operation, and the last one at its end. */
    way->places.assign(n + 1, 0);
    return victim.end();
}

End kill_after(const Operation &operation, const Way &way, size_t k)
{
    End end = kill_after_steps(operation, k);
    return end == End::FINISHED && k <= way.n_instructions() ? End::STRAYED : end;
}

End kill_after_steps(const Operation &operation, size_t k)
{
    Victim victim(operation, k);
    (void)victim.await_stop();
    return victim.end();
}

} // namespace kill_test
