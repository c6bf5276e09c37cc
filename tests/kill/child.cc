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

/* Interrupts each waitpid again and again. 0 cancels the alarm. */
void set_alarm(unsigned seconds)
{
    static bool installed = [] {
        struct sigaction action = {};
        action.sa_handler = on_alarm;
        return sigaction(SIGALRM, &action, nullptr) == 0;
    }();
    struct itimerval timer = {};
    timer.it_value.tv_sec = installed ? seconds : 0;
    timer.it_interval = timer.it_value;
    setitimer(ITIMER_REAL, &timer, nullptr);
}

/* What /proc says of the child: whether it sleeps, and its processor time, in ticks. */
struct Look {
    bool sleeps = false;
    unsigned long ticks = 0;
};

Look last_look;

Look look_at(pid_t child)
{
    Look look;
    char path[32];
    char state = 'R';
    unsigned long user = 0;
    unsigned long system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", static_cast<int>(child));
    FILE *file = fopen(path, "r");
    if (file != nullptr) {
        int n = fscanf(file, "%*d (%*[^)]) %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                       &state, &user, &system);
        look.sleeps = n == 3 && (state == 'S' || state == 'D');
        look.ticks = user + system;
        fclose(file);
    }
    return look;
}

bool hangs(pid_t child)
{
    Look before = last_look;
    last_look = look_at(child);
    bool slept = before.sleeps && last_look.sleeps && before.ticks == last_look.ticks;
    return slept || last_look.ticks > HANG_CPU_S * static_cast<unsigned long>(sysconf(_SC_CLK_TCK));
}

} // namespace

pid_t start_child(const std::function<void()> &run, unsigned look_s)
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
    last_look = Look();
    set_alarm(look_s);
    return child;
}

bool wait_for_child(pid_t child, int *status, int options)
{
    while (waitpid(child, status, options) != child) {
        if (errno != EINTR || hangs(child)) {
            return false;
        }
    }
    return true;
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
