/* SPDX-License-Identifier: Apache-2.0 */
/* The master: workers, reloads, upgrades, the end. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sigset_t, realpath */
#endif
#include "examples/limitd/master.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "examples/limitd/socket.h"
#include "examples/limitd/worker.h"
#include <slabmill/event.h>

#define CHECK_SECONDS 5u    /* the new program's time to read the configuration */
#define STOP_MS       2000u /* the workers' time to leave */
#define RESTART_MS    1000u /* pause before replacing a worker that ended by itself */

struct master {
    const char *config_path;
    char **argv;
    char program[PATH_MAX]; /* what an upgrade starts */
    int listen_fd;
    struct slm_zone_set *set;
    struct limitd_config config;
    pid_t workers[LIMITD_WORKERS_MAX]; /* 0: to be started */
    pid_t draining[2 * LIMITD_WORKERS_MAX];
    bool is_waiting; /* a worker ended by itself: the next start is later */
};

/* Runs in the child; does not return. */
static void be_worker(const struct master *master, pid_t parent)
{
    _exit(limitd_worker_run(master->listen_fd, master->set, &master->config, parent));
}

static void start_workers(struct master *master)
{
    pid_t self = getpid();
    for (unsigned i = 0; i < master->config.n_workers; i++) {
        if (master->workers[i] == 0) {
            pid_t pid = fork();
            if (pid == 0) {
                be_worker(master, self);
            }
            master->workers[i] = pid > 0 ? pid : 0;
            master->is_waiting = master->is_waiting || pid < 0;
        }
    }
}

/* Asks the old workers to take no new connections. If there are too many to list, the master
 * forgets some; they leave all the same. */
static void drain_workers(struct master *master)
{
    for (unsigned i = 0; i < LIMITD_WORKERS_MAX; i++) {
        pid_t pid = master->workers[i];
        master->workers[i] = 0;
        for (unsigned k = 0; pid > 0 && k < 2 * LIMITD_WORKERS_MAX; k++) {
            if (master->draining[k] == 0) {
                master->draining[k] = pid;
                break;
            }
        }
        if (pid > 0) {
            kill(pid, SIGQUIT);
        }
    }
}

static void remove_pid(pid_t *pids, unsigned n, pid_t pid)
{
    for (unsigned i = 0; i < n; i++) {
        if (pids[i] == pid) {
            pids[i] = 0;
        }
    }
}

static bool is_among(const pid_t *pids, unsigned n, pid_t pid)
{
    for (unsigned i = 0; i < n; i++) {
        if (pids[i] == pid) {
            return true;
        }
    }
    return false;
}

/* Replaces a killed worker at once, and a worker that ended by itself after a pause. */
static void reap(struct master *master)
{
    int how;
    pid_t pid;
    while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
        bool is_ours = is_among(master->workers, LIMITD_WORKERS_MAX, pid);
        if (is_ours && WIFSIGNALED(how)) {
            limitd_log("worker %ld was killed by signal %d", (long)pid, WTERMSIG(how));
        } else if (is_ours) {
            limitd_log("worker %ld ended with status %d", (long)pid, WEXITSTATUS(how));
            master->is_waiting = true;
        }
        remove_pid(master->workers, LIMITD_WORKERS_MAX, pid);
        remove_pid(master->draining, 2 * LIMITD_WORKERS_MAX, pid);
    }
}

static void log_resized(const char *name, size_t bytes)
{
    limitd_log("zone %s cannot have the configured size; it has %zu bytes", name, bytes);
}

static void reload(struct master *master)
{
    struct limitd_config config;
    struct slm_error error;
    enum slm_status status = limitd_config_read(&config, master->config_path, &error);
    if (status == SLM_OK && strcmp(config.listen, master->config.listen) != 0) {
        status = slm_error_set(&error, SLM_E_OPTION, 0, "%.80s: \"listen\" cannot change",
                               master->config_path);
    }
    if (status == SLM_OK) {
        status = limitd_zones_apply(master->set, &config, log_resized, &error);
    }
    if (status != SLM_OK) {
        limitd_log("reload refused: %s", error.text);
        return;
    }
    drain_workers(master);
    master->config = config;
    start_workers(master);
    limitd_log("reloaded");
}

/* Whether the new program accepts the configuration. Asks while the old program can still go on. */
static bool new_program_runs(const struct master *master)
{
    int how;
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        alarm(CHECK_SECONDS);
        execl(master->program, master->program, "--check", "--config", master->config_path,
              (char *)NULL);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &how, 0) < 0 && errno == EINTR) {
    }
    return pid > 0 && WIFEXITED(how) && WEXITSTATUS(how) == 0;
}

/* Returns only if the upgrade failed. Old workers keep serving; they remain children of the same
 * pid. */
static void upgrade(struct master *master)
{
    struct slm_error error;
    if (!new_program_runs(master)) {
        limitd_log("upgrade refused: %s --check --config %s failed", master->program,
                   master->config_path);
        return;
    }
    enum slm_status status = limitd_zones_export(master->set, &error);
    if (status == SLM_OK) {
        status = limitd_socket_export(master->listen_fd, &error);
    }
    if (status == SLM_OK) {
        drain_workers(master);
        execv(master->program, master->argv);
        status =
            slm_error_set(&error, SLM_E_IO, errno, "%.200s: %s", master->program, strerror(errno));
    }
    limitd_socket_keep(master->listen_fd);
    limitd_zones_keep(master->set);
    start_workers(master);
    limitd_log("upgrade refused: %s", error.text);
}

static void signal_all(const struct master *master, int number)
{
    for (unsigned i = 0; i < LIMITD_WORKERS_MAX; i++) {
        if (master->workers[i] > 0) {
            kill(master->workers[i], number);
        }
    }
    for (unsigned i = 0; i < 2 * LIMITD_WORKERS_MAX; i++) {
        if (master->draining[i] > 0) {
            kill(master->draining[i], number);
        }
    }
}

/* Asks workers to leave, and kills those that do not leave in time, for example because they are
 * stopped. Workers that an upgrade left draining leave when the master ends. */
static void stop_workers(struct master *master)
{
    uint64_t end_ms = limitd_now_ms() + STOP_MS;
    sigset_t ended;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    signal_all(master, SIGTERM);
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        uint64_t now_ms = limitd_now_ms();
        if (pid < 0 || now_ms >= end_ms) {
            break;
        }
        remove_pid(master->workers, LIMITD_WORKERS_MAX, pid);
        remove_pid(master->draining, 2 * LIMITD_WORKERS_MAX, pid);
        if (pid == 0) {
            uint64_t left_ms = end_ms - now_ms;
            struct timespec left = {(time_t)(left_ms / 1000), (long)(left_ms % 1000) * 1000000L};
            (void)sigtimedwait(&ended, NULL, &left);
        }
    }
    signal_all(master, SIGKILL);
}

static void stop_all(struct master *master)
{
    stop_workers(master);
    unlink(master->config.listen);
    close(master->listen_fd);
    slm_zone_set_destroy(master->set);
    limitd_log("ended");
}

/* False: the signal asks the master to end. */
static bool handle_signal(struct master *master, int number)
{
    switch (number) {
    case SIGCHLD:
        reap(master);
        return true;
    case SIGHUP:
        reload(master);
        return true;
    case SIGUSR2:
        upgrade(master);
        return true;
    case SIGTERM:
    case SIGINT:
    case SIGQUIT:
        return false;
    default: /* the pause has ended */
        master->is_waiting = false;
        return true;
    }
}

static void loop(struct master *master)
{
    sigset_t signals;
    limitd_signals(&signals);
    const struct timespec restart = {RESTART_MS / 1000, RESTART_MS % 1000 * 1000000L};
    bool goes_on = true;
    while (goes_on) {
        if (!master->is_waiting) {
            start_workers(master);
        }
        int number = master->is_waiting ? sigtimedwait(&signals, NULL, &restart)
                                        : sigwaitinfo(&signals, NULL);
        goes_on = (number < 0 && errno == EINTR) || handle_signal(master, number);
    }
}

/* Remembers the path, not the file: an upgrade starts the file that is there then. */
static void find_program(struct master *master)
{
    if (strchr(master->argv[0], '/') == NULL ||
        realpath(master->argv[0], master->program) == NULL) {
        ssize_t n = readlink("/proc/self/exe", master->program, sizeof master->program - 1);
        master->program[n < 0 ? 0 : n] = '\0';
    }
}

/* Keeps the path that clients know. A path that changed in the settings counts at the next start.
 */
static void keep_listening(struct master *master)
{
    char path[LIMITD_PATH_BYTES];
    limitd_socket_path(master->listen_fd, path, sizeof path);
    if (path[0] != '\0' && strcmp(path, master->config.listen) != 0) {
        limitd_log("\"listen\" cannot change: still at %s", path);
        memcpy(master->config.listen, path, sizeof path);
    }
}

static enum slm_status open_all(struct master *master, struct slm_error *error)
{
    enum slm_status status = limitd_config_read(&master->config, master->config_path, error);
    if (status == SLM_OK) {
        status = slm_zone_set_create(&master->set);
    }
    if (status == SLM_OK) {
        status = limitd_zones_import(master->set, error);
    }
    if (status == SLM_OK) {
        status = limitd_zones_apply(master->set, &master->config, log_resized, error);
    }
    if (status != SLM_OK) {
        return status;
    }
    master->listen_fd = limitd_socket_import();
    if (master->listen_fd < 0) {
        return limitd_socket_listen(&master->listen_fd, master->config.listen, error);
    }
    keep_listening(master);
    return SLM_OK;
}

static void log_event(const struct slm_event *event, void *data)
{
    char text[SLM_EVENT_TEXT_BYTES];
    (void)data;
    (void)slm_event_text(event, text, sizeof text);
    limitd_log("%s", text);
}

int limitd_master_run(const char *config_path, char **argv)
{
    struct master master = {.config_path = config_path, .argv = argv, .listen_fd = -1};
    struct slm_error error = {0};
    sigset_t signals;
    limitd_signals(&signals);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    find_program(&master);
    slm_event_listen(log_event, NULL); /* of the workers too */
    if (open_all(&master, &error) != SLM_OK) {
        limitd_log("%s", error.text);
        slm_zone_set_destroy(master.set);
        return 1;
    }
    start_workers(&master);
    limitd_log("ready at %s", master.config.listen);
    loop(&master);
    stop_all(&master);
    return 0;
}
