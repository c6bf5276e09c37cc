/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes: they end with their parent, have limits, and leave results and last words. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS, dladdr */
#endif

#include "tools/slabmill/child.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/laws/scene.h"

/* A child that sleeps uses no processor time. It ends after this much real time, which is so long
 * that a child that runs on a loaded machine reaches its own limit first. */
#define ALARM_FACTOR      10u
#define ALARM_MIN_SECONDS 10u
/* A report of a sanitizer on a loaded machine takes less. */
#define LAST_WORDS_SECONDS 60u

__attribute__((noreturn)) static void stop(const char *what)
{
    (void)mill_complain("%s: %s", what, strerror(errno));
    exit(MILL_WRONG);
}

/* --- In the child --- */

static struct mill_legacy *own_legacy;
/* A sanitizer's, by number of the signal. */
static struct sigaction handlers_before[NSIG];

static void note_operation(void)
{
    own_legacy->op_idx = hrn_scene.op_idx;
}

/* Last words may wait for ever: a heap that died in its own calls has its lock, and a sanitizer that
 * reports the death asks it for memory. */
static void limit_last_words(int number)
{
    unsigned left = alarm(0);
    own_legacy->dying = number;
    (void)alarm(left != 0 && left < LAST_WORDS_SECONDS ? left : LAST_WORDS_SECONDS);
}

static void let_sanitizer_report(int number, siginfo_t *info, void *context)
{
    note_operation(); /* a sanitizer that fails in its own report does not call note_operation */
    limit_last_words(number);
    handlers_before[number].sa_sigaction(number, info, context);
}

/* The signal ends the process when this returns. */
static void note_death(int number, siginfo_t *info, void *context)
{
    (void)context;
    note_operation();
    if (number != SIGALRM && number != SIGPROF) {
        limit_last_words(number);
    }
    own_legacy->signal = number;
    own_legacy->code = info->si_code;
    own_legacy->fault = (uintptr_t)info->si_addr;
    own_legacy->n_frames = backtrace(own_legacy->frames, MILL_FRAMES);
    (void)raise(number);
}

/* Of a build with a sanitizer. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

/* A sanitizer reports the signals that it handles. TSan delays handlers of the last two until the
 * program calls something: a loop would never end. Its report fails ("nested bug") where a handler
 * of the program begins it. */
static void watch_signals(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,
                                  SIGABRT, SIGTRAP, SIGPROF, SIGALRM};
    const size_t n_numbers = sizeof numbers / sizeof numbers[0] - (__tsan_init != NULL ? 2 : 0);
    static char stack[64 << 10];
    const stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    (void)sigaltstack(&alternative, NULL);
    for (size_t i = 0; i < n_numbers; i++) {
        struct sigaction *before = &handlers_before[numbers[i]];
        struct sigaction noting = {.sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND)};
        (void)sigaction(numbers[i], NULL, before);
        if (before->sa_handler == SIG_DFL) {
            noting.sa_sigaction = note_death;
            (void)sigaction(numbers[i], &noting, NULL);
        } else if ((before->sa_flags & SA_SIGINFO) != 0 && __tsan_init == NULL) {
            noting.sa_sigaction = let_sanitizer_report;
            (void)sigaction(numbers[i], &noting, NULL);
        }
    }
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(note_operation);
    }
}

void mill_child_limit(unsigned limit_ms)
{
    const struct itimerval limit = {
        .it_value = {.tv_sec = limit_ms / 1000, .tv_usec = (suseconds_t)(limit_ms % 1000) * 1000}};
    (void)setitimer(ITIMER_PROF, &limit, NULL);
    (void)alarm(ALARM_MIN_SECONDS + ALARM_FACTOR * (limit_ms / 1000));
}

void mill_child_end_with(pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(MILL_WRONG);
    }
}

/* The parent reads only the shared page and the child's standard error. */
__attribute__((noreturn)) static void be_child(struct mill_child *child, pid_t parent,
                                               mill_child_fn call, void *data, unsigned limit_ms)
{
    const struct rlimit no_core = {0, 0};
    mill_child_end_with(parent);
    sigset_t none;
    /* Ctrl-C, and what timeout(1) sends to all processes, are for the parent. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)dup2(fileno(child->log), STDERR_FILENO);
    own_legacy = child->legacy;
    watch_signals();
    mill_child_limit(limit_ms);
    call(data, &child->legacy->result);
    child->legacy->done = true;
    (void)fflush(stdout);
    _exit(0);
}

/* --- In the parent --- */

void mill_child_init(struct mill_child *child)
{
    void *frame;
    (void)backtrace(&frame, 1); /* loads what it needs: not in a handler */
    void *map = mmap(NULL, sizeof *child->legacy, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        stop("mmap");
    }
    *child = (struct mill_child){.legacy = map, .log = tmpfile()};
    if (child->log == NULL || fcntl(fileno(child->log), F_SETFL, O_APPEND) != 0) {
        stop("temporary file");
    }
}

void mill_child_fini(struct mill_child *child)
{
    (void)munmap(child->legacy, sizeof *child->legacy);
    (void)fclose(child->log);
}

void mill_child_start(struct mill_child *child, mill_child_fn call, void *data, unsigned limit_ms)
{
    pid_t parent = getpid();
    memset(child->legacy, 0, sizeof *child->legacy);
    child->legacy->op_idx = SIZE_MAX;
    (void)fflush(stdout);
    if (ftruncate(fileno(child->log), 0) != 0) {
        stop("temporary file");
    }
    child->pid = fork();
    if (child->pid < 0) {
        stop("fork");
    }
    if (child->pid == 0) {
        be_child(child, parent, call, data, limit_ms);
    }
}

int mill_child_wait(const struct mill_child *child)
{
    int status;
    while (waitpid(child->pid, &status, 0) < 0) {
        if (errno != EINTR) {
            stop("waitpid");
        }
    }
    return status;
}

void mill_child_judge(const struct mill_child *child, int status, struct mill_trial *trial)
{
    const struct mill_legacy *legacy = child->legacy;
    memset(trial, 0, offsetof(struct mill_trial, log));
    trial->log[0] = '\0';
    trial->op_idx = SIZE_MAX;
    if (legacy->done) {
        trial->result = legacy->result;
        trial->end = trial->result.law != HRN_LAW_NONE             ? MILL_END_LAW
                     : mill_report_read(fileno(child->log), trial) ? MILL_END_REPORT
                                                                   : MILL_END_KEPT;
        return;
    }
    trial->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    trial->op_idx = legacy->op_idx;
    if (trial->signal == SIGALRM && legacy->dying != 0) {
        trial->signal = legacy->dying; /* its last words did not end */
    }
    if (trial->signal == SIGALRM || trial->signal == SIGPROF) {
        trial->end = MILL_END_HANG;
        return;
    }
    trial->end = MILL_END_CRASH;
    (void)mill_report_read(fileno(child->log), trial);
    if (trial->report[0] == '\0' && trial->signal != 0 && legacy->signal == trial->signal) {
        mill_report_place(trial, legacy);
    }
}
