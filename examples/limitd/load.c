/* SPDX-License-Identifier: Apache-2.0 */
/* load: clients ask limitd while its workers are killed, it reloads, grows and is upgraded. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "examples/limitd/load_client.h"
#include "examples/limitd/rig.h"

#define CLIENTS_MAX 64u
#define JITTER_US   3000u
#define STEP_MS     10 /* how often the log and the clock are read */

static const char help[] =
    "load --program LIMITD [--seconds N] [--clients N] [--workers N] [--kills N]\n"
    "\n"
    "Starts limitd in a temporary folder; clients in separate processes ask it, and\n"
    "remember the answers. Meanwhile its workers are killed, its zones grow by\n"
    "reloads, and half way it is upgraded. In the end each client checks all its keys.\n"
    "\n"
    "  --seconds N   how long (30)\n"
    "  --clients N   1 to 64 (4)\n"
    "  --workers N   1 to 16 (2)\n"
    "  --kills N     a second, 0 to 50 (5)\n"
    "\n"
    "Exit status: 0 nothing was lost, 1 something was, 2 a wrong call.\n";

struct shared {
    int stop;
    struct load_result results[CLIENTS_MAX];
};

struct load {
    const char *program;
    unsigned seconds;
    unsigned n_clients;
    unsigned n_workers;
    unsigned kills_per_second;
    unsigned n_kills;
    unsigned n_reloads;
    unsigned n_upgrades;
    struct shared *shared;
    pid_t clients[CLIENTS_MAX];
    struct limitd_rig rig;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static bool configure(const struct load *load, unsigned megabytes)
{
    char lines[512];
    snprintf(lines, sizeof lines,
             "workers %u\nconnections 1000000\nzone limit_req %um 16m\nzone limit_conn %um 16m\n"
             "zone cache_index %um 16m\nzone session_cache %um 64m\n",
             load->n_workers, megabytes, megabytes, megabytes, 4 * megabytes);
    return limitd_rig_configure(&load->rig, lines);
}

static void start_clients(struct load *load)
{
    for (unsigned i = 0; i < load->n_clients; i++) {
        load->clients[i] = fork();
        if (load->clients[i] == 0) {
            load_client_run(load->rig.socket, i, &load->shared->stop, &load->shared->results[i]);
            _exit(0);
        }
    }
}

/* Four reloads, each with larger zones, and an upgrade half way. */
static void disturb(struct load *load, uint64_t passed_ms, uint64_t all_ms)
{
    if (passed_ms * load->kills_per_second / 1000 > load->n_kills) {
        load->n_kills +=
            limitd_rig_kill_worker(&load->rig, (unsigned)rand() % JITTER_US) > 0 ? 1 : 0;
    }
    if (load->n_reloads < 4 && passed_ms * 5 / all_ms > load->n_reloads) {
        load->n_reloads++;
        if (configure(load, 1 + load->n_reloads)) {
            kill(load->rig.pid, SIGHUP);
        }
    }
    if (load->n_upgrades == 0 && passed_ms * 2 > all_ms) {
        load->n_upgrades++;
        kill(load->rig.pid, SIGUSR2);
    }
}

/* All clients end by themselves, since no wait is longer than the limit for a hang. */
static bool join_clients(struct load *load)
{
    bool is_right = true;
    __atomic_store_n(&load->shared->stop, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < load->n_clients; i++) {
        int how;
        is_right = waitpid(load->clients[i], &how, 0) == load->clients[i] && WIFEXITED(how) &&
                   WEXITSTATUS(how) == 0 && is_right;
    }
    return is_right;
}

static bool zones_are_right(const struct load *load)
{
    static struct limitd_link link;
    limitd_link_init(&link, load->rig.socket);
    const char *answer = limitd_link_ask(&link, "CHECK");
    bool is_right = answer != NULL && answer[0] == 'O';
    printf("CHECK: %s\n", answer == NULL ? "no answer" : answer);
    answer = limitd_link_ask(&link, "STATS");
    printf("%s\n", answer == NULL ? "no answer" : answer);
    limitd_link_fini(&link);
    return is_right;
}

/* 0: nothing was lost. */
static int print_result(const struct load *load, uint64_t all_ms, bool is_right)
{
    struct load_result sum = {0};
    for (unsigned i = 0; i < load->n_clients; i++) {
        const struct load_result *one = &load->shared->results[i];
        sum.n_answered += one->n_answered;
        sum.n_reconnects += one->n_reconnects;
        sum.n_lost += one->n_lost;
        sum.n_odd += one->n_odd;
        sum.n_hung += one->n_hung;
        sum.n_verified += one->n_verified;
        if (one->first_odd[0] != '\0') {
            printf("client %u: %s\n", i, one->first_odd);
        }
    }
    printf("load: %llu requests answered, %u kills, %u reloads, %u upgrades, %llu reconnects, "
           "%llu keys verified, %llu odd answers, %llu hangs, %llu keys lost, %llu requests/s\n",
           (unsigned long long)sum.n_answered, load->n_kills, load->n_reloads, load->n_upgrades,
           (unsigned long long)sum.n_reconnects, (unsigned long long)sum.n_verified,
           (unsigned long long)sum.n_odd, (unsigned long long)sum.n_hung,
           (unsigned long long)sum.n_lost, (unsigned long long)(sum.n_answered * 1000 / all_ms));
    return is_right && sum.n_lost + sum.n_odd + sum.n_hung == 0 && sum.n_answered > 0 ? 0 : 1;
}

static int run(struct load *load)
{
    load->shared =
        mmap(NULL, sizeof *load->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (load->shared == MAP_FAILED || !limitd_rig_init(&load->rig, load->program) ||
        !configure(load, 1) || !limitd_rig_start(&load->rig)) {
        fprintf(stderr, "load: limitd did not start: %s\n", load->rig.log);
        (void)limitd_rig_fini(&load->rig);
        return 1;
    }
    start_clients(load);
    uint64_t all_ms = load->seconds * UINT64_C(1000);
    uint64_t begin_ms = now_ms();
    for (uint64_t at = begin_ms; at - begin_ms < all_ms; at = now_ms()) {
        disturb(load, at - begin_ms, all_ms);
        (void)limitd_rig_await(&load->rig, "no such line", STEP_MS);
    }
    bool is_right = join_clients(load);
    uint64_t took_ms = now_ms() - begin_ms;
    is_right = zones_are_right(load) && is_right;
    is_right = limitd_rig_fini(&load->rig) == 0 && is_right;
    return print_result(load, took_ms, is_right);
}

static bool parse(const char *text, unsigned min, unsigned max, unsigned *value)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    *value = (unsigned)number;
    return *text != '\0' && *end == '\0' && number >= min && number <= max;
}

/* False: unknown option, or a value out of range. */
static bool set_option(struct load *load, int option)
{
    switch (option) {
    case 'p':
        load->program = optarg;
        return true;
    case 's':
        return parse(optarg, 1, 86400, &load->seconds);
    case 'c':
        return parse(optarg, 1, CLIENTS_MAX, &load->n_clients);
    case 'w':
        return parse(optarg, 1, 16, &load->n_workers);
    case 'k':
        return parse(optarg, 0, 50, &load->kills_per_second);
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"program", required_argument, NULL, 'p'},
        {"seconds", required_argument, NULL, 's'},
        {"clients", required_argument, NULL, 'c'},
        {"workers", required_argument, NULL, 'w'},
        {"kills", required_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static struct load load = {
        .seconds = 30, .n_clients = 4, .n_workers = 2, .kills_per_second = 5};
    int option;
    bool is_right = true;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        is_right = set_option(&load, option) && is_right;
    }
    if (!is_right || load.program == NULL || optind != argc) {
        fputs("load: a wrong call; see --help\n", stderr);
        return 2;
    }
    return run(&load);
}
