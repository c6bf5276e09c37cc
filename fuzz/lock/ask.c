/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the library for all that it reads of the system, and compares. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall */
#endif
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "allocator/lock/identity.h"
#include "fuzz/lock/world.h"

static void look_at_self(void)
{
    uint64_t namespaces = slm_lock_find_namespaces();
    uint64_t kept = slm_lock_self();
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    bool is_known =
        hrn_lock_namespaces_now() == LOCK_HOME && hrn_lock_system.self.read == FAKE_READABLE;
    if (namespaces != hrn_lock_namespaces_now()) {
        hrn_lock_law_origin("namespaces are %" PRIx64, namespaces);
    }
    if (slm_lock_boot() != hrn_lock_boot_now()) {
        hrn_lock_law_origin("the boot is %" PRIx64, slm_lock_boot());
    }
    slm_lock_set_self(0);
    uint64_t self = slm_lock_self();
    slm_lock_set_self(kept);
    if (self != ((uint64_t)(is_known ? hrn_lock_system.self.start : 0) << 32 | tid)) {
        hrn_lock_law_identity("%" PRIx64 " of thread %" PRIu32, self, tid);
    }
    if (slm_lock_is_own_proc() != (hrn_lock_system.status == FAKE_OWN)) {
        hrn_lock_law_life("whether /proc is of this pid namespace");
    }
    if (slm_lock_is_mapped_once((void *)hrn_lock_object) != hrn_lock_is_mapped_once()) {
        hrn_lock_law_mappings("once or not");
    }
    if (!slm_lock_is_own_thread((pid_t)tid) || slm_lock_is_own_thread(INT_MAX)) {
        hrn_lock_law_identity("a thread of this process");
    }
}

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The real calls: none changes errno, and none waits without a reason. */
static void look_at_system(void)
{
    uint32_t half = 7;
    uint64_t before = now_ms();
    uint64_t now = hrn_lock_real.now_ms();
    if (now < before || now > now_ms()) {
        hrn_lock_law_time("the clock says %" PRIu64, now);
    }
    errno = 5;
    hrn_lock_real.wait(&half, 6, 100000);
    hrn_lock_real.wait(&half, 7, 0);
    hrn_lock_real.wake(&half, 1);
    hrn_lock_real.pause(3);
    if (errno != 5 || hrn_lock_real.set_file_lock(-1, F_WRLCK) != EBADF) {
        hrn_lock_law_time("errno is %d after a sleep", errno);
    }
}

void hrn_lock_look(const struct op *op)
{
    pid_t tid = (pid_t)(LOCK_FIRST_TID + op->actor);
    uint64_t start = (op->extra & 1) != 0 ? op->value : 1000 + op->actor;
    uint64_t identity = start << 32 | (uint32_t)tid;
    uint32_t time_ns = LOCK_HOME_TIME + (op->extra >> 1 & 1);
    const struct fake_thread *thread = &hrn_lock_system.threads[op->actor];
    errno = 5;
    struct slm_lock_life life = slm_lock_find_life(identity, time_ns);
    struct slm_lock_life expected = hrn_lock_life_of(identity, time_ns);
    if (life.is_alive != expected.is_alive || life.doubt != expected.doubt) {
        hrn_lock_law_life("alive %d, doubt %d; expected %d, %d", life.is_alive, (int)life.doubt,
                          expected.is_alive, (int)expected.doubt);
    }
    bool is_alive = hrn_lock_life_of(identity, LOCK_HOME_TIME).is_alive;
    if (slm_lock_is_alive(identity) != is_alive || slm_lock_find_life(0, time_ns).is_alive) {
        hrn_lock_law_life("alive, without the doubt");
    }
    if (errno != 5) {
        hrn_lock_law_life("errno is %d afterwards", errno);
    }
    enum slm_lock_maps maps = slm_lock_find_maps(tid, (void *)hrn_lock_object);
    if (maps != hrn_lock_maps_of(tid)) {
        hrn_lock_law_mappings("%d, expected %d", (int)maps, (int)hrn_lock_maps_of(tid));
    }
    bool is_dumped =
        thread->read == FAKE_READABLE && thread->is_dumping && (thread->pending & KILL_BIT) == 0;
    if (slm_lock_is_dumped(tid) != is_dumped) {
        hrn_lock_law_life("a core file is written: %d", !is_dumped);
    }
    look_at_self();
    look_at_system();
    hrn_lock_expect_calm();
}

/* --- A line of a stat file --- */

/* Field number `field` of what follows the last ')', which ends field 2. NULL: there is none. */
static const char *field_of(const char *line, unsigned field)
{
    const char *at = strrchr(line, ')');
    for (unsigned i = 2; at != NULL && i < field; i++) {
        at = strchr(at, ' ');
        at = at == NULL ? NULL : at + 1;
    }
    return at == NULL || *at == '\0' ? NULL : at;
}

/* value: bits 0-7 say where it is cut, the others vary a field. */
void hrn_lock_parse(const struct op *op)
{
    static const char *const names[] = {"cat", "a b", "((", "))", "x) R 1 (", ""};
    char line[256];
    unsigned odd = op->extra % 24;
    int n = snprintf(line, sizeof line, "7 (%s) %c", names[op->actor % 6],
                     op->extra >= 128 ? 'Z' : 'S');
    for (unsigned i = 4; i <= 24; i++) {
        const char *format = i == odd && (op->value >> 31 & 1) != 0 ? " x%" PRIu32 : " %" PRIu32;
        n += snprintf(line + n, sizeof line - (size_t)n, format,
                      i == odd ? op->value >> 8 & 0x3fffff : i);
    }
    if ((op->value & 128) != 0) {
        line[(unsigned)n * (op->value & 127) / 128] = '\0';
    }
    struct slm_lock_stat stat = {0};
    const char *flags = field_of(line, 9);
    const char *start = field_of(line, 22);
    bool is_one = start != NULL && *start >= '0' && *start <= '9';
    if (slm_lock_parse_stat(line, strlen(line), &stat) != is_one) {
        hrn_lock_law_parsed("'%s': %d", line, !is_one);
    }
    if (is_one &&
        (stat.state != *field_of(line, 3) || stat.start != (uint32_t)strtoul(start, NULL, 10) ||
         stat.has_signal != ((strtoul(flags, NULL, 10) & 0x400) != 0))) {
        hrn_lock_law_parsed("'%s': %c, %" PRIu32 ", %d", line, stat.state, stat.start,
                            stat.has_signal);
    }
}
