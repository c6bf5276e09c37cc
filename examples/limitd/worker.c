/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's loop. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4, ppoll */
#endif
#include "examples/limitd/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "examples/limitd/conn.h"

#define TICK_MS 1000u

static volatile sig_atomic_t asked_to_drain;
static volatile sig_atomic_t asked_to_leave;

struct worker {
    int listen_fd;
    struct limitd_service service;
    struct limitd_conn **conns;
    struct pollfd *polls; /* one a connection, one more for listen_fd */
    unsigned n_conns;
    unsigned n_max;
    bool is_starved; /* the system gave no descriptor or memory for a client: until the next tick */
    bool is_draining;
    uint64_t leave_ms; /* when draining ends */
    uint64_t tick_ms;
};

void limitd_signals(sigset_t *signals)
{
    static const int all[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2, SIGCHLD};
    sigemptyset(signals);
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        sigaddset(signals, all[i]);
    }
}

void limitd_log(const char *format, ...)
{
    char text[512];
    va_list arguments;
    int n = snprintf(text, sizeof text, "limitd[%ld]: ", (long)getpid());
    va_start(arguments, format);
    vsnprintf(text + n, sizeof text - (size_t)n - 1, format, arguments);
    va_end(arguments);
    strcat(text, "\n");
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written; /* there is no other place to report to */
}

uint64_t limitd_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void take_signal(int number)
{
    if (number == SIGQUIT) {
        asked_to_drain = 1;
    } else {
        asked_to_leave = 1;
    }
}

/* Signals are delivered only within ppoll; those of the master stay blocked. */
static void set_signals(sigset_t *while_waiting)
{
    struct sigaction action = {0};
    sigemptyset(&action.sa_mask);
    action.sa_handler = take_signal;
    sigaction(SIGQUIT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigprocmask(SIG_SETMASK, NULL, while_waiting);
    sigdelset(while_waiting, SIGQUIT);
    sigdelset(while_waiting, SIGTERM);
}

static bool lacks_room(int os_errno)
{
    return os_errno == EMFILE || os_errno == ENFILE || os_errno == ENOMEM || os_errno == ENOBUFS;
}

static void take_connection(struct worker *worker, uint64_t now_ms)
{
    int fd = accept4(worker->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        /* Another reason: another worker was faster, or the client is gone. */
        if (lacks_room(errno)) {
            worker->is_starved = true;
            limitd_log("worker: cannot take a client: %s", strerror(errno));
        }
        return;
    }
    struct limitd_conn *conn = limitd_conn_create(fd);
    if (conn == NULL) {
        close(fd);
        return;
    }
    conn->used_ms = now_ms;
    worker->conns[worker->n_conns++] = conn;
}

static void end_connection(struct worker *worker, unsigned idx)
{
    limitd_conn_destroy(worker->conns[idx], &worker->service);
    worker->conns[idx] = worker->conns[--worker->n_conns];
    worker->is_starved = false;
}

static bool accepts(const struct worker *worker)
{
    return !worker->is_draining && !worker->is_starved && worker->n_conns < worker->n_max;
}

static bool has_client(const struct worker *worker)
{
    struct pollfd one = {.fd = worker->listen_fd, .events = POLLIN};
    return poll(&one, 1, 0) > 0;
}

/* False: each connection was used within the last tick. */
static bool end_most_idle(struct worker *worker, uint64_t now_ms)
{
    unsigned idlest = 0;
    for (unsigned i = 1; i < worker->n_conns; i++) {
        idlest = worker->conns[i]->used_ms < worker->conns[idlest]->used_ms ? i : idlest;
    }
    if (worker->n_conns == 0 || now_ms - worker->conns[idlest]->used_ms < TICK_MS) {
        return false;
    }
    end_connection(worker, idlest);
    return true;
}

/* A full worker leaves clients to workers with room until its next tick. A client that still waits
 * then gets the place of the connection that has been idle longest. */
static void take_waiting(struct worker *worker, uint64_t now_ms)
{
    while (!worker->is_draining && !accepts(worker) && has_client(worker) &&
           end_most_idle(worker, now_ms)) {
        take_connection(worker, now_ms);
    }
    worker->is_starved = false;
}

static int ms_until(uint64_t now_ms, uint64_t then_ms)
{
    return then_ms <= now_ms ? 0 : (int)(then_ms - now_ms > TICK_MS ? TICK_MS : then_ms - now_ms);
}

/* False: the wait timed out. */
static bool wait_for_work(struct worker *worker, const sigset_t *while_waiting)
{
    uint64_t now_ms = limitd_now_ms();
    int wait_ms = ms_until(now_ms, worker->tick_ms);
    if (worker->is_draining && ms_until(now_ms, worker->leave_ms) < wait_ms) {
        wait_ms = ms_until(now_ms, worker->leave_ms);
    }
    struct timespec wait = {wait_ms / 1000, wait_ms % 1000 * 1000000L};
    for (unsigned i = 0; i < worker->n_conns; i++) {
        const struct limitd_conn *conn = worker->conns[i];
        short in = limitd_conn_wants_in(conn) ? POLLIN : 0;
        short out = limitd_conn_wants_out(conn) ? POLLOUT : 0;
        worker->polls[i] = (struct pollfd){.fd = conn->fd, .events = (short)(in | out)};
    }
    worker->polls[worker->n_conns] = (struct pollfd){
        .fd = accepts(worker) ? worker->listen_fd : -1,
        .events = POLLIN,
    };
    return ppoll(worker->polls, worker->n_conns + 1, &wait, while_waiting) > 0;
}

static void serve_ready(struct worker *worker)
{
    uint64_t now_ms = limitd_now_ms();
    unsigned n_polled = worker->n_conns;
    /* Backwards: the last connection, which was already served, fills the place of one that ends.
     */
    for (unsigned i = n_polled; i-- > 0;) {
        short ready = worker->polls[i].revents;
        if (ready != 0) {
            limitd_conn_serve(worker->conns[i], &worker->service,
                              (ready & (POLLIN | POLLHUP | POLLERR)) != 0, now_ms);
        }
        if (limitd_conn_has_ended(worker->conns[i])) {
            end_connection(worker, i);
        }
    }
    if (worker->polls[n_polled].revents != 0) {
        take_connection(worker, now_ms);
    }
}

static void tick(struct worker *worker)
{
    uint64_t now_ms = limitd_now_ms();
    if (now_ms >= worker->tick_ms) {
        limitd_service_tick(&worker->service, now_ms);
        take_waiting(worker, now_ms);
        worker->tick_ms = now_ms + TICK_MS;
    }
}

static void begin_drain(struct worker *worker)
{
    worker->is_draining = true;
    worker->leave_ms = limitd_now_ms() + worker->service.config->drain_ms;
}

static bool is_done(const struct worker *worker)
{
    return asked_to_leave ||
           (worker->is_draining && (worker->n_conns == 0 || limitd_now_ms() >= worker->leave_ms));
}

static void loop(struct worker *worker, const sigset_t *while_waiting)
{
    while (!is_done(worker)) {
        if (wait_for_work(worker, while_waiting)) {
            serve_ready(worker);
        }
        tick(worker);
        if (asked_to_drain && !worker->is_draining) {
            begin_drain(worker);
        }
    }
    while (worker->n_conns > 0) {
        end_connection(worker, worker->n_conns - 1);
    }
}

int limitd_worker_run(int listen_fd, const struct slm_zone_set *set,
                      const struct limitd_config *config, pid_t master)
{
    struct worker worker = {.listen_fd = listen_fd, .n_max = config->n_clients};
    sigset_t while_waiting;
    set_signals(&while_waiting);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != master) {
        return 0; /* the master ended before prctl took effect */
    }
    enum slm_status status = limitd_service_join(&worker.service, set, config);
    worker.conns = calloc(config->n_clients, sizeof(struct limitd_conn *));
    worker.polls = calloc(config->n_clients + 1u, sizeof *worker.polls);
    if (status == SLM_OK && worker.conns != NULL && worker.polls != NULL) {
        loop(&worker, &while_waiting);
        limitd_service_leave(&worker.service);
    } else {
        limitd_log("worker: %s", slm_status_text(status == SLM_OK ? SLM_E_NOMEM : status));
    }
    free(worker.conns);
    free(worker.polls);
    return status == SLM_OK ? 0 : 1;
}
