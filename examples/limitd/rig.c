/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, signalling, ending a limitd. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pipe2 */
#endif
#include "examples/limitd/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 20000

static bool copy_program(const char *from, const char *to)
{
    struct stat about;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    off_t n_left = in >= 0 && out >= 0 && fstat(in, &about) == 0 ? about.st_size : -1;
    while (n_left > 0) {
        ssize_t n = sendfile(out, in, NULL, (size_t)n_left);
        if (n <= 0) {
            break;
        }
        n_left -= n;
    }
    if (n_left != 0) {
        fprintf(stderr, "%s -> %s: %s\n", from, to, strerror(errno));
    }
    if (in >= 0) {
        close(in);
    }
    if (out >= 0) {
        close(out);
    }
    return n_left == 0;
}

bool limitd_rig_init(struct limitd_rig *rig, const char *program)
{
    memset(rig, 0, sizeof *rig);
    rig->log_fd = -1;
    strcpy(rig->dir, "/tmp/limitd.XXXXXX"); /* a socket's path must be short */
    if (mkdtemp(rig->dir) == NULL) {
        perror(rig->dir);
        return false;
    }
    sprintf(rig->program, "%s/limitd", rig->dir);
    sprintf(rig->config, "%s/limitd.conf", rig->dir);
    sprintf(rig->socket, "%s/socket", rig->dir);
    return copy_program(program, rig->program);
}

bool limitd_rig_configure(const struct limitd_rig *rig, const char *lines)
{
    FILE *file = fopen(rig->config, "we");
    if (file == NULL) {
        perror(rig->config);
        return false;
    }
    bool is_written = fprintf(file, "listen %s\n%s", rig->socket, lines) > 0;
    return fclose(file) == 0 && is_written;
}

bool limitd_rig_replace(const struct limitd_rig *rig, const char *program)
{
    char path[128];
    sprintf(path, "%s.new", rig->program);
    return copy_program(program, path) && rename(path, rig->program) == 0;
}

static void become_limitd(const struct limitd_rig *rig, int log_fd)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(log_fd, STDERR_FILENO);
    execl(rig->program, rig->program, "--config", rig->config, (char *)NULL);
    _exit(127);
}

bool limitd_rig_start(struct limitd_rig *rig)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        perror("pipe");
        return false;
    }
    rig->log_fd = ends[0];
    rig->pid = fork();
    if (rig->pid == 0) {
        become_limitd(rig, ends[1]);
    }
    close(ends[1]);
    return rig->pid > 0 && limitd_rig_await(rig, "ready at", START_MS);
}

/* False: the wait timed out, or the log has ended. */
static bool read_log(struct limitd_rig *rig, int wait_ms)
{
    struct pollfd one = {.fd = rig->log_fd, .events = POLLIN};
    if (poll(&one, 1, wait_ms) <= 0) {
        return false;
    }
    if (rig->n_log > sizeof rig->log / 2) {
        memmove(rig->log, rig->log + rig->n_log / 2, rig->n_log - rig->n_log / 2);
        rig->n_log -= rig->n_log / 2;
    }
    ssize_t n = read(rig->log_fd, rig->log + rig->n_log, sizeof rig->log - 1 - rig->n_log);
    rig->n_log += n > 0 ? (size_t)n : 0;
    rig->log[rig->n_log] = '\0';
    return n > 0;
}

bool limitd_rig_await(struct limitd_rig *rig, const char *text, int wait_ms)
{
    do {
        char *at = strstr(rig->log, text);
        char *end = at == NULL ? NULL : strchr(at, '\n');
        if (end != NULL) {
            rig->n_log -= (size_t)(end + 1 - rig->log);
            memmove(rig->log, end + 1, rig->n_log + 1);
            return true;
        }
    } while (read_log(rig, wait_ms));
    return false;
}

/* Uses a pid descriptor, so that a later process with the same pid is never killed. */
static bool kill_process(pid_t pid, unsigned later_us)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) {
        return false;
    }
    (void)usleep(later_us);
    bool is_killed = syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
    close(fd);
    return is_killed;
}

pid_t limitd_rig_kill_worker(const struct limitd_rig *rig, unsigned later_us)
{
    struct limitd_link *link = malloc(sizeof *link);
    pid_t pid = 0;
    if (link == NULL) {
        return 0;
    }
    limitd_link_init(link, rig->socket);
    const char *answer = limitd_link_ask(link, "PING");
    if (answer != NULL && strncmp(answer, "PONG ", 5) == 0) {
        pid = (pid_t)strtol(answer + 5, NULL, 10);
    }
    if (pid > 0 && !kill_process(pid, later_us)) {
        pid = 0;
    }
    limitd_link_fini(link);
    free(link);
    return pid;
}

int limitd_rig_fini(struct limitd_rig *rig)
{
    int how = -1;
    if (rig->pid > 0) {
        kill(rig->pid, SIGTERM);
        (void)limitd_rig_await(rig, "ended", START_MS);
        if (waitpid(rig->pid, &how, 0) != rig->pid) {
            how = -1;
        }
    }
    if (rig->log_fd >= 0) {
        close(rig->log_fd);
    }
    unlink(rig->program);
    unlink(rig->config);
    rmdir(rig->dir);
    rig->pid = 0;
    return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}
