/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kill/child.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kill/stepper.h"

namespace kill_test {
namespace {

void on_alarm(int)
{
}

/* Interrupts a waitpid for a child that sleeps. 0 cancels the alarm. */
void set_alarm(unsigned seconds)
{
    static bool installed = [] {
        struct sigaction action = {};
        action.sa_handler = on_alarm;
        return sigaction(SIGALRM, &action, nullptr) == 0;
    }();
    struct itimerval timer = {};
    timer.it_value.tv_sec = installed ? seconds : 0;
    setitimer(ITIMER_REAL, &timer, nullptr);
}

} // namespace

pid_t start_child(const std::function<void()> &run)
{
    fflush(nullptr);
    pid_t child = fork();
    if (child == 0) {
        run();
        abort(); /* a child does not return */
    }
    if (child < 0) {
        perror("fork");
        abort();
    }
    set_alarm(STEP_TIMEOUT_S);
    return child;
}

void end_child(pid_t child, bool is_reaped)
{
    set_alarm(0);
    if (!is_reaped) {
        (void)kill(child, SIGKILL);
        while (waitpid(child, nullptr, __WALL) < 0 && errno == EINTR) {
        }
    }
}

const char *end_text(End end)
{
    switch (end) {
    case End::KILLED:
        return "killed";
    case End::FINISHED:
        return "finished";
    case End::STRAYED:
        return "took another path than the recorded one";
    case End::BROKEN:
        return "ended by itself (a signal or exit)";
    case End::HUNG:
        return "hung";
    case End::NOT_TRACED:
        return "could not be traced: ptrace is not permitted here";
    }
    return "?";
}

} // namespace kill_test
