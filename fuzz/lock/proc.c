/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated /proc: what its files say, and what that means. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create */
#endif
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "allocator/lock/word.h"
#include "fuzz/lock/world.h"

#define BOOTS      "boot-%u-of-this-system\n"
#define TEXT_BYTES 16384u

struct fake_system hrn_lock_system;

uintptr_t hrn_lock_object;
static char text[TEXT_BYTES];
static size_t n_text;
static const struct fake_thread *vanishing; /* was just read, and is gone when it is signalled */

/* --- Files --- */

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text + n_text, sizeof text - n_text, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text - n_text) {
        hrn_lock_law_made("a file of /proc is longer than %u bytes", TEXT_BYTES);
    }
    n_text += (size_t)n;
}

/* Lines that no reader looks for, some longer than a reader's buffers. */
static void say_padding(void)
{
    for (unsigned i = 0; i < hrn_lock_system.n_padding; i++) {
        say("Padding:\t%0*u\n", (int)(1 + i * 37 % 300), i);
    }
}

static void say_stat(const struct fake_thread *thread, unsigned tid)
{
    say("%u (a name) of ) %c 1 2 3 4 5 %u 0 0 0 0 0 0 0 0 20 0 1 0 %" PRIu64 " 1 2 3\n", tid,
        thread->state, thread->is_signalled ? 0x400400u : 0x400000u,
        (UINT64_C(7) << 32) + thread->start);
}

static void say_dump(const struct fake_thread *thread)
{
    say("Name:\tx\n");
    say_padding();
    say("CoreDumping:\t%d\nSigQ:\t0/1\nSigPnd:\t%016" PRIx64 "\nShdPnd:\t0000000000000100\n",
        thread->is_dumping, thread->pending);
}

static void say_status(void)
{
    long pid = (long)getpid();
    say("Name:\tx\n");
    say_padding();
    switch (hrn_lock_system.status) {
    case FAKE_OWN:
        say("NSpid:\t%ld\n", pid);
        break;
    case FAKE_OTHERS:
        say("NSpid:\t%ld\n", pid + 1);
        break;
    case FAKE_TWO_IDS:
        say("NSpid:\t%ld\t1\n", pid);
        break;
    default:
        break;
    }
    say("NSpgid:\t%ld\n", pid);
}

static void say_maps(const struct fake_thread *thread)
{
    for (unsigned i = 0; i < thread->n_maps; i++) {
        const struct fake_map *map = &thread->maps[i];
        say("%" PRIx64 "-%" PRIx64 " rw-%c ", map->start, map->end, map->is_shared ? 's' : 'p');
        if (!map->is_broken) {
            say("%08" PRIx64 " 08:%02x %" PRIu64 " %*s/dev/shm/object", map->offset, map->device,
                map->inode, (int)(hrn_lock_system.n_padding * 60), "");
        }
        say("\n");
    }
    n_text -= thread->maps_end_early && thread->n_maps > 0;
}

/* The actor in "/proc/TID/NAME"; NULL: it has none. */
static const struct fake_thread *thread_in(const char *path, const char **name)
{
    char *end;
    unsigned long tid = strtoul(path + strlen("/proc/"), &end, 10);
    *name = end;
    for (unsigned i = 0; i < LOCK_N_ACTORS; i++) {
        if (tid == LOCK_FIRST_TID + i) {
            return &hrn_lock_system.threads[i];
        }
    }
    return NULL;
}

/* Writes the file's text. Returns 0 or an errno. */
static int say_thread(const struct fake_thread *thread, const char *name, unsigned tid)
{
    bool is_maps = strcmp(name, "/maps") == 0;
    if (thread->read == FAKE_VANISHES && strcmp(name, "/stat") == 0 &&
        hrn_lock_system.status == FAKE_OWN) {
        vanishing = thread;
    }
    if (thread->read != FAKE_READABLE || (is_maps && thread->maps_hidden)) {
        return EACCES;
    }
    if (is_maps) {
        say_maps(thread);
    } else if (strcmp(name, "/stat") == 0) {
        say_stat(thread, tid);
    } else {
        say_dump(thread);
    }
    return 0;
}

static int say_file(const char *path)
{
    const char *name;
    if (strcmp(path, "/proc/sys/kernel/random/boot_id") == 0) {
        say(BOOTS, hrn_lock_system.boot);
        return hrn_lock_system.boot == 0 ? EACCES : 0;
    }
    if (strcmp(path, "/proc/self/status") == 0) {
        say_status();
        return hrn_lock_system.status == FAKE_NO_FILE ? ENOENT : 0;
    }
    if (strcmp(path, "/proc/self/maps") == 0) {
        return say_thread(&hrn_lock_system.self, "/maps", 0);
    }
    if (strcmp(path, "/proc/thread-self/stat") == 0) {
        return say_thread(&hrn_lock_system.self, "/stat", 1);
    }
    const struct fake_thread *thread = thread_in(path, &name);
    if (thread == NULL) {
        hrn_lock_law_made("%s is opened", path);
    }
    return say_thread(thread, name, 7);
}

static int open_fake(const char *path)
{
    n_text = 0;
    int os_errno = say_file(path);
    if (os_errno != 0) {
        errno = os_errno;
        return -1;
    }
    int fd = memfd_create("proc", MFD_CLOEXEC);
    if (fd < 0 || pwrite(fd, text, n_text, 0) != (ssize_t)n_text) {
        hrn_lock_law_made("no memory for a file");
    }
    return fd;
}

static int answer_to_stat(enum fake_ns read, uint32_t number, struct stat *about)
{
    memset(about, 0, sizeof *about);
    about->st_ino = number;
    errno = read == FAKE_NS_MISSING ? ENOENT : EACCES;
    return read == FAKE_NS ? 0 : -1;
}

static int stat_fake(const char *path, struct stat *about)
{
    const struct fake_system *now = &hrn_lock_system;
    if (strcmp(path, "/proc/self/ns/pid") == 0) {
        return answer_to_stat(now->pid_read, now->pid_ns, about);
    }
    if (strcmp(path, "/proc/self/ns/time") == 0) {
        return answer_to_stat(now->time_read, now->time_ns, about);
    }
    if (strcmp(path, "/proc/self/ns") != 0) {
        hrn_lock_law_made("%s is looked at", path);
    }
    return answer_to_stat(now->has_ns_folder ? FAKE_NS : FAKE_NS_MISSING, 1, about);
}

static int signal_fake(pid_t tid)
{
    char path[32];
    const char *name;
    (void)snprintf(path, sizeof path, "/proc/%ld", (long)tid);
    const struct fake_thread *thread = thread_in(path, &name);
    bool is_gone = thread == NULL || thread->is_gone || thread == vanishing;
    vanishing = NULL;
    errno = is_gone ? ESRCH : EPERM;
    return is_gone || thread->may_not_signal ? -1 : 0;
}

void hrn_lock_begin_proc(const void *address)
{
    static const struct slm_lock_proc_calls fakes = {open_fake, stat_fake, signal_fake};
    struct fake_system *now = &hrn_lock_system;
    uint64_t page = (uint64_t)(uintptr_t)address & ~UINT64_C(4095);
    hrn_lock_object = (uintptr_t)address;
    slm_lock_proc_calls = fakes;
    vanishing = NULL;
    *now = (struct fake_system){
        .pid_ns = LOCK_HOME_PID, .time_ns = LOCK_HOME_TIME, .boot = 1, .has_ns_folder = true};
    now->self = (struct fake_thread){
        .start = 77,
        .state = 'R',
        .n_maps = 1,
        .maps = {{page, page + 8192, 4096, 3, 555, true, false}},
    };
    for (unsigned i = 0; i < LOCK_N_ACTORS; i++) {
        now->threads[i] = now->self;
        now->threads[i].start = 1000 + i;
        now->threads[i].state = 'S';
    }
}

uint64_t hrn_lock_identity(unsigned actor)
{
    return (uint64_t)(1000 + actor) << 32 | (LOCK_FIRST_TID + actor);
}

/* --- What it means --- */

static uint32_t number_of(enum fake_ns read, uint32_t number)
{
    bool is_one_for_all = read == FAKE_NS_MISSING && hrn_lock_system.has_ns_folder;
    return read == FAKE_NS ? number : is_one_for_all;
}

uint64_t hrn_lock_namespaces_now(void)
{
    uint32_t pid = number_of(hrn_lock_system.pid_read, hrn_lock_system.pid_ns);
    uint32_t time = number_of(hrn_lock_system.time_read, hrn_lock_system.time_ns);
    return pid == 0 || time == 0 ? SLM_LOCK_NAMESPACES_UNKNOWN : (uint64_t)time << 32 | pid;
}

/* FNV-1a, made odd. */
uint64_t hrn_lock_boot_now(void)
{
    char boot[64];
    int n = snprintf(boot, sizeof boot, BOOTS, hrn_lock_system.boot);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (int i = 0; i < n; i++) {
        hash = (hash ^ (unsigned char)boot[i]) * UINT64_C(0x100000001b3);
    }
    return hrn_lock_system.boot == 0 ? 0 : hash | 1;
}

static const struct fake_thread *thread_of(pid_t tid)
{
    long idx = (long)tid - LOCK_FIRST_TID;
    return idx >= 0 && idx < LOCK_N_ACTORS ? &hrn_lock_system.threads[idx] : NULL;
}

static bool has_stopped(const struct fake_thread *thread)
{
    bool is_dumped = thread->is_dumping && (thread->pending & KILL_BIT) == 0;
    return thread->state == 'Z' || thread->state == 'X' || (thread->is_signalled && is_dumped);
}

struct slm_lock_life hrn_lock_life_of(uint64_t identity, uint32_t time_namespace)
{
    const struct slm_lock_life dead = {false, SLM_LOCK_NO_DOUBT};
    const struct fake_thread *thread = thread_of((pid_t)(identity & SLM_LOCK_TID));
    uint32_t start = (uint32_t)(identity >> 32);
    if (thread == NULL || thread->is_gone) {
        return dead;
    }
    bool is_read = thread->read == FAKE_READABLE;
    bool is_stopped = is_read && has_stopped(thread);
    if (is_read && !is_stopped && start != 0 && start == thread->start) {
        return (struct slm_lock_life){true, SLM_LOCK_NO_DOUBT};
    }
    if (hrn_lock_system.status != FAKE_OWN) {
        return (struct slm_lock_life){true, SLM_LOCK_DOUBT_PROC};
    }
    if (!is_read) {
        return thread->read == FAKE_VANISHES ? dead
                                             : (struct slm_lock_life){true, SLM_LOCK_DOUBT_HIDDEN};
    }
    bool is_comparable = start != 0 && hrn_lock_namespaces_now() >> 32 == time_namespace;
    return is_stopped || is_comparable ? dead : (struct slm_lock_life){true, SLM_LOCK_DOUBT_START};
}

/* How many lines a reader gets from a maps file; *fails: it does not get all. */
static unsigned lines_of(const struct fake_thread *thread, bool *fails)
{
    unsigned n = 0;
    while (n < thread->n_maps && !thread->maps[n].is_broken) {
        n++;
    }
    *fails = n < thread->n_maps;
    if (!*fails && n > 0 && thread->maps_end_early) {
        *fails = true;
        n--;
    }
    return n;
}

/* This process's shared mapping of the object; NULL: it knows of none. */
static const struct fake_map *own_mapping(void)
{
    const struct fake_thread *self = &hrn_lock_system.self;
    bool fails;
    unsigned n = lines_of(self, &fails);
    bool is_read = self->read == FAKE_READABLE && !self->maps_hidden;
    for (unsigned i = 0; is_read && i < n; i++) {
        const struct fake_map *map = &self->maps[i];
        if (map->start <= hrn_lock_object && hrn_lock_object < map->end) {
            return map->is_shared && map->inode != 0 ? map : NULL;
        }
    }
    return NULL;
}

static bool is_same(const struct fake_map *a, const struct fake_map *b)
{
    return a->device == b->device && a->inode == b->inode;
}

enum slm_lock_maps hrn_lock_maps_of(pid_t tid)
{
    const struct fake_thread *thread = thread_of(tid);
    const struct fake_map *mine = own_mapping();
    bool fails;
    unsigned n = lines_of(thread, &fails);
    if (mine == NULL || hrn_lock_system.status != FAKE_OWN || thread->read != FAKE_READABLE ||
        thread->maps_hidden) {
        return SLM_LOCK_MAPS_HIDDEN;
    }
    for (unsigned i = 0; i < n; i++) {
        if (is_same(&thread->maps[i], mine)) {
            return SLM_LOCK_MAPS;
        }
    }
    return fails || n == 0 ? SLM_LOCK_MAPS_HIDDEN : SLM_LOCK_MAPS_NOT;
}

bool hrn_lock_is_mapped_once(void)
{
    const struct fake_thread *self = &hrn_lock_system.self;
    const struct fake_map *mine = own_mapping();
    const struct fake_map *before = NULL;
    bool fails;
    unsigned n = lines_of(self, &fails);
    for (unsigned i = 0; mine != NULL && i < n; i++) {
        const struct fake_map *map = &self->maps[i];
        if (!is_same(map, mine)) {
            continue;
        }
        if (before != NULL && (map->start != before->end ||
                               map->offset - before->offset != before->end - before->start)) {
            return false;
        }
        before = map;
    }
    return before != NULL && !fails;
}

/* --- Operations --- */

void hrn_lock_simulate(const struct op *op)
{
    static const char states[] = "SRDZXtI";
    struct fake_thread *thread = &hrn_lock_system.threads[op->actor];
    uint32_t value = op->value;
    switch (op->extra % 8) {
    case 0:
        thread->is_gone = (value & 1) != 0;
        break;
    case 1:
        thread->may_not_signal = (value & 1) != 0;
        break;
    case 2:
        thread->read = (enum fake_read)(value % 3);
        break;
    case 3:
        thread->start = value % 2 == 0 ? 1000 + op->actor : value;
        break;
    case 4:
        thread->state = states[value % (sizeof states - 1)];
        break;
    case 5:
        thread->is_signalled = (value & 1) != 0;
        thread->is_dumping = (value & 2) != 0;
        thread->pending = ((value & 4) != 0 ? KILL_BIT : 0) | ((value & 8) != 0 ? 1u : 0u) |
                          ((uint64_t)(value >> 8) << 9 & ~KILL_BIT);
        break;
    default:
        thread->maps_hidden = (value & 1) != 0;
        thread->maps_end_early = (value & 2) != 0;
        break;
    }
}

void hrn_lock_map(const struct op *op)
{
    bool is_own = (op->extra & 1) != 0;
    struct fake_thread *thread =
        is_own ? &hrn_lock_system.self : &hrn_lock_system.threads[op->actor];
    uint64_t page = (uint64_t)hrn_lock_object & ~UINT64_C(4095);
    if ((op->extra & 2) != 0) {
        thread->n_maps = 0;
    }
    if ((op->extra & 4) != 0) {
        thread->maps_hidden = (op->value & 1) != 0;
        thread->maps_end_early = (op->value & 2) != 0;
    }
    if (thread->n_maps == LOCK_MAPS_MAX || (op->extra & 8) != 0) {
        return;
    }
    /* Around the object: from two pages before it to its own. */
    uint64_t start = page - 8192 + 4096 * (op->value % 4);
    uint64_t n_bytes = 4096 * (1 + (op->value >> 2) % 3);
    thread->maps[thread->n_maps++] = (struct fake_map){
        .start = (op->value >> 4 & 1) != 0 ? (uint64_t)hrn_lock_object : start,
        .end = start + n_bytes + ((op->value >> 5 & 1) != 0 ? hrn_lock_object - page : 0),
        .offset = 4096 * (uint64_t)(op->value >> 6 & 3) + (op->value >> 15 & 1) * 0x90000000u,
        .device = 3 + (op->value >> 8 & 1),
        .inode = (op->value >> 9 & 1) != 0    ? 556
                 : (op->value >> 10 & 1) != 0 ? 0
                                              : 555,
        .is_shared = (op->value >> 11 & 1) == 0,
        .is_broken = (op->value >> 12 & 7) == 7,
    };
}

void hrn_lock_set_proc(const struct op *op)
{
    struct fake_system *now = &hrn_lock_system;
    switch (op->extra % 8) {
    case 0:
        now->status = (enum fake_status)(op->value % FAKE_N_STATUS);
        break;
    case 1:
        now->pid_read = (enum fake_ns)(op->value % 3);
        now->pid_ns = LOCK_HOME_PID + (op->value >> 8 & 1);
        break;
    case 2:
        now->time_read = (enum fake_ns)(op->value % 3);
        now->time_ns = LOCK_HOME_TIME + (op->value >> 8 & 1);
        break;
    case 3:
        now->has_ns_folder = (op->value & 1) != 0;
        break;
    case 4:
        now->boot = op->value % 4;
        break;
    case 5:
        now->n_padding = op->value % 12;
        break;
    case 6:
        now->self.read = (op->value & 1) != 0 ? FAKE_HIDDEN : FAKE_READABLE;
        break;
    default:
        now->self.start = op->value;
        break;
    }
}
