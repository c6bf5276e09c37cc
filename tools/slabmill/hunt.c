/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill hunt: random programs in children, and a folder for each kind of finding. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif

#include "tools/slabmill/hunt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/inputs/generate.h"

#define BATCH         64u /* programs of a child */
#define OPS_SHORT     120u
#define OPS_LONG      3000u
#define HANG_MS       500u /* the limit of a program after the first hang */
#define TICK_NS       200000000
#define GRACE_SECONDS 10 /* after --minutes, to examine what was found */

/* --- Programs --- */

/* One program in three is one of a soak. The others vary more: kinds of operations are missing or
 * frequent, so that one bug does not hide all others. */
void mill_hunt_program(const struct mill_hunt *hunt, uint64_t n, struct hrn_program *program)
{
    static uint8_t bytes[HRN_HEAD_BYTES + OPS_LONG * HRN_RECORD_BYTES];
    if (n % 3 == 0) {
        mill_soak_program(hunt->adapter, hunt->seed, n, program);
        return;
    }
    const struct hrn_shape shape = {HRN_HEAD_BYTES, HRN_RECORD_BYTES, true, hrn_can(hunt->adapter)};
    size_t n_ops = n % 3 == 1 ? OPS_SHORT : OPS_LONG;
    size_t n_bytes =
        hrn_generate(&shape, hunt->seed, n, bytes, HRN_HEAD_BYTES + n_ops * HRN_RECORD_BYTES);
    hrn_program_decode(program, bytes, n_bytes);
}

/* --- Children --- */

/* Shared with a child: what it did outlives it. */
struct progress {
    uint64_t at; /* the program that runs, or the one after the last */
    uint64_t n_done;
    uint64_t n_refused;
};

struct slot {
    const struct mill_hunt *hunt;
    struct mill_child child;
    struct progress *progress;
    uint64_t to; /* the end of the batch */
    bool runs;
    unsigned limit_ms; /* of a program */
};

struct shared {
    struct progress progress[MILL_JOBS_MAX];
};

struct pack {
    struct mill_hunt *hunt;
    struct shared *shared;
    struct slot slots[MILL_JOBS_MAX];
    size_t n_slots;
    uint64_t next;       /* the first program of the next batch */
    bool hangs;          /* one did */
    struct timespec end; /* of the programs */
};

static void run_batch(void *data, struct hrn_result *result)
{
    const struct slot *slot = data;
    struct progress *progress = slot->progress;
    struct hrn_program program;
    hrn_program_init(&program);
    while (progress->at < slot->to) {
        mill_child_limit(slot->limit_ms);
        mill_hunt_program(slot->hunt, progress->at, &program);
        if (hrn_run_catch(slot->hunt->adapter, &program, result) != HRN_LAW_NONE ||
            mill_report_is_due()) {
            break;
        }
        progress->n_done += result->n_done;
        progress->n_refused += result->n_refused;
        result->n_done = 0;
        result->n_refused = 0;
        progress->at++;
    }
    hrn_program_fini(&program);
}

static void start(struct pack *pack, struct slot *slot)
{
    slot->limit_ms = pack->hangs ? HANG_MS : 1000 * (unsigned)pack->hunt->options->timeout;
    slot->runs = true;
    mill_child_start(&slot->child, run_batch, slot, slot->limit_ms);
}

/* The next batch for a child. False: there is none. */
static bool take_batch(struct pack *pack, struct slot *slot)
{
    const struct mill_hunt *hunt = pack->hunt;
    uint64_t left =
        hunt->options->programs == 0 ? UINT64_MAX : hunt->options->programs - pack->next;
    uint64_t n = hunt->adapter->fresh_process ? 1 : BATCH;
    n = n < left ? n : left;
    if (n == 0) {
        return false;
    }
    slot->progress->at = pack->next;
    slot->to = pack->next + n;
    pack->next = slot->to;
    return true;
}

/* What a child's end adds to the hunt. */
static void take_result(struct pack *pack, struct slot *slot, int status)
{
    struct mill_hunt *hunt = pack->hunt;
    struct progress *progress = slot->progress;
    struct mill_trial trial;
    mill_child_judge(&slot->child, status, &trial);
    slot->runs = false;
    if (trial.end != MILL_END_KEPT) {
        progress->n_done += slot->child.legacy->result.n_done;
        progress->n_refused += slot->child.legacy->result.n_refused;
        mill_kinds_add(hunt, progress->at, &trial);
        pack->hangs = pack->hangs || trial.end == MILL_END_HANG;
        progress->at++;
    }
}

static uint64_t count_ended(const struct pack *pack)
{
    uint64_t n = pack->next;
    for (size_t i = 0; i < pack->n_slots; i++) {
        n -= pack->slots[i].to - pack->slots[i].progress->at;
    }
    return n;
}

static void add_up(struct pack *pack)
{
    struct mill_hunt *hunt = pack->hunt;
    hunt->n_done = 0;
    hunt->n_refused = 0;
    for (size_t i = 0; i < pack->n_slots; i++) {
        hunt->n_done += pack->slots[i].progress->n_done;
        hunt->n_refused += pack->slots[i].progress->n_refused;
    }
    hunt->n_programs = count_ended(pack);
}

/* --- The hunt --- */

/* Signals that end a hunt. */
static const int end_signals[] = {SIGINT, SIGTERM, SIGHUP};
#define N_END_SIGNALS (sizeof end_signals / sizeof end_signals[0])

/* They and SIGCHLD wait until they are asked for. An ignored signal, as under nohup, stays ignored:
 * if it were blocked, the system would keep it. */
static void hold_signals(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGCHLD);
    for (size_t i = 0; i < N_END_SIGNALS; i++) {
        struct sigaction now;
        if (sigaction(end_signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN) {
            (void)sigaddset(&signals, end_signals[i]);
        }
    }
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
}

/* Until a child ends, or a tick has passed. */
static void wait_a_tick(void)
{
    const struct timespec tick = {0, TICK_NS};
    sigset_t children;
    (void)sigemptyset(&children);
    (void)sigaddset(&children, SIGCHLD);
    (void)sigtimedwait(&children, NULL, &tick);
}

static bool is_past(const struct timespec *end)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > end->tv_sec || (now.tv_sec == end->tv_sec && now.tv_nsec >= end->tv_nsec);
}

bool mill_hunt_must_end(struct mill_hunt *hunt)
{
    sigset_t pending;
    if (sigpending(&pending) == 0) {
        for (size_t i = 0; i < N_END_SIGNALS; i++) {
            hunt->stopped = hunt->stopped || sigismember(&pending, end_signals[i]) == 1;
        }
    }
    return hunt->stopped || (hunt->has_end && is_past(&hunt->last));
}

bool mill_hunt_wait(struct mill_hunt *hunt, const struct mill_child *child, int *status)
{
    while (!mill_hunt_must_end(hunt)) {
        if (waitpid(child->pid, status, WNOHANG) == child->pid) {
            return true;
        }
        wait_a_tick();
    }
    (void)kill(child->pid, SIGKILL);
    *status = mill_child_wait(child);
    return false;
}

static void say_progress(struct pack *pack)
{
    if (isatty(STDERR_FILENO) == 1) {
        add_up(pack);
        fprintf(stderr, "\r%" PRIu64 " programs, %" PRIu64 " operations, findings: %zu ",
                pack->hunt->n_programs, pack->hunt->n_done, mill_kinds_count(pack->hunt));
    }
}

static void clear_progress(void)
{
    if (isatty(STDERR_FILENO) == 1) {
        fputs("\r\033[K", stderr);
    }
}

/* No program with a number below is still to run. */
static uint64_t first_open(const struct pack *pack)
{
    uint64_t first = pack->next;
    for (size_t i = 0; i < pack->n_slots; i++) {
        const struct slot *slot = &pack->slots[i];
        bool open = slot->progress->at < slot->to;
        first = open && slot->progress->at < first ? slot->progress->at : first;
    }
    return first;
}

/* Writes the kinds whose program can no longer change, in the order of their programs. */
static bool write_kinds(struct pack *pack, uint64_t below)
{
    struct mill_hunt *hunt = pack->hunt;
    bool good = true;
    mill_kinds_sort(hunt);
    for (size_t i = 0; i < hunt->n_kinds && good; i++) {
        struct mill_kind *kind = &hunt->kinds[i];
        if (kind->why == NULL && !kind->is_written && kind->program < below) {
            good = mill_kind_write(hunt, kind);
            clear_progress();
            if (!hunt->options->json) {
                printf("found at program %" PRIu64 ": %s %s\n", kind->program, hunt->adapter->name,
                       kind->text);
                (void)fflush(stdout);
            }
        }
    }
    return good;
}

static size_t fill_slots(struct pack *pack)
{
    size_t n_running = 0;
    for (size_t i = 0; i < pack->n_slots; i++) {
        struct slot *slot = &pack->slots[i];
        bool rest = slot->progress->at < slot->to;
        if (!slot->runs && (rest || take_batch(pack, slot))) {
            start(pack, slot);
        }
        n_running += slot->runs;
    }
    return n_running;
}

static void reap(struct pack *pack)
{
    for (size_t i = 0; i < pack->n_slots; i++) {
        struct slot *slot = &pack->slots[i];
        int status;
        if (slot->runs && waitpid(slot->child.pid, &status, WNOHANG) == slot->child.pid) {
            take_result(pack, slot, status);
        }
    }
}

/* What a child had ended with counts; a program that still ran does not. */
static void kill_all(struct pack *pack)
{
    for (size_t i = 0; i < pack->n_slots; i++) {
        struct slot *slot = &pack->slots[i];
        if (slot->runs) {
            (void)kill(slot->child.pid, SIGKILL);
            int status = mill_child_wait(&slot->child);
            bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
            slot->runs = false;
            if (!was_killed) {
                take_result(pack, slot, status);
            }
        }
    }
}

/* Until the programs or the time are used up, or a signal ends it. */
static bool run_pack(struct pack *pack)
{
    struct mill_hunt *hunt = pack->hunt;
    bool good = true;
    while (good && !mill_hunt_must_end(hunt) && !(hunt->has_end && is_past(&pack->end))) {
        if (fill_slots(pack) == 0) {
            break;
        }
        wait_a_tick();
        reap(pack);
        say_progress(pack);
        good = write_kinds(pack, first_open(pack));
    }
    kill_all(pack);
    add_up(pack);
    clear_progress();
    return good && write_kinds(pack, UINT64_MAX);
}

/* When programs end, and when findings are no longer examined. */
static void set_end(struct pack *pack)
{
    struct mill_hunt *hunt = pack->hunt;
    uint64_t milliseconds = hunt->options->milliseconds;
    milliseconds = milliseconds != 0 ? milliseconds : 60000;
    hunt->has_end = hunt->options->programs == 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &pack->end);
    pack->end.tv_nsec += (long)(milliseconds % 1000 * 1000000);
    pack->end.tv_sec += (time_t)(milliseconds / 1000) + pack->end.tv_nsec / 1000000000;
    pack->end.tv_nsec %= 1000000000;
    hunt->last = pack->end;
    hunt->last.tv_sec += GRACE_SECONDS;
}

static bool open_pack(struct pack *pack)
{
    size_t jobs = pack->hunt->options->jobs;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    pack->n_slots = jobs != 0 ? jobs : processors > 0 ? (size_t)processors : 1;
    pack->n_slots = pack->n_slots < MILL_JOBS_MAX ? pack->n_slots : MILL_JOBS_MAX;
    void *map =
        mmap(NULL, sizeof *pack->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        return false;
    }
    pack->shared = map;
    for (size_t i = 0; i < pack->n_slots; i++) {
        pack->slots[i] = (struct slot){.hunt = pack->hunt, .progress = &pack->shared->progress[i]};
        mill_child_init(&pack->slots[i].child);
    }
    set_end(pack);
    hold_signals();
    return true;
}

static void close_pack(struct pack *pack)
{
    for (size_t i = 0; i < pack->n_slots; i++) {
        mill_child_fini(&pack->slots[i].child);
    }
    (void)munmap(pack->shared, sizeof *pack->shared);
}

static int hunt_with(struct mill_hunt *hunt)
{
    static struct pack pack; /* large */
    pack = (struct pack){.hunt = hunt};
    if (!open_pack(&pack)) {
        return mill_complain("hunt: no memory to share");
    }
    if (!hunt->options->json) {
        printf("%s, seed %" PRIu64 "\n", hunt->adapter->name, hunt->seed);
    }
    bool good = run_pack(&pack);
    close_pack(&pack);
    if (hunt->options->json) {
        mill_hunt_say_json(hunt);
    } else {
        mill_hunt_say_table(hunt);
    }
    if (good && hunt->n_done == 0) {
        return mill_complain("hunt: no operation ran");
    }
    return !good ? MILL_WRONG : mill_kinds_count(hunt) > 0 ? MILL_BROKEN : MILL_GOOD;
}

int mill_hunt(const struct mill_options *options)
{
    char out[160];
    if (options->adapter == NULL) {
        return mill_complain("hunt: expected a shared object, or --adapter NAME");
    }
    if (options->milliseconds != 0 && options->programs != 0) {
        return mill_complain("hunt: expected one of --minutes and --programs");
    }
    struct mill_hunt hunt = {.options = options,
                             .adapter = mill_adapter_need(options->adapter),
                             .seed = mill_seed_of(options)};
    if (hunt.adapter == NULL) {
        return MILL_WRONG;
    }
    snprintf(out, sizeof out, "hunt-%s-%" PRIu64, hunt.adapter->name, hunt.seed);
    hunt.out = options->out != NULL ? options->out : out;
    bool ready = mill_kinds_init(&hunt) && (options->out == NULL || mill_dir_make(hunt.out));
    int status = ready ? hunt_with(&hunt) : MILL_WRONG;
    mill_kinds_fini(&hunt);
    return status;
}
