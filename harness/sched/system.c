/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/sched/system.h"

#include <errno.h>
#include <fcntl.h>

#include "allocator/lock/system.h"

static struct {
    const struct hrn_system_driver *driver; /* NULL: by hand */
    unsigned self;
    unsigned n_renewed[HRN_ACTORS_MAX + 1]; /* the last is of HRN_NOBODY, which does not die */
    bool is_dead[HRN_ACTORS_MAX];
    uint64_t now_ms;
    int file_fd;         /* descriptor that has the file; -1: none */
    unsigned file_owner; /* actor that locked it with that descriptor */
} now = {.self = HRN_NOBODY, .file_fd = -1, .file_owner = HRN_NOBODY};

/* --- Actors --- */

void hrn_system_be(unsigned actor)
{
    now.self = actor;
    slm_lock_set_self(hrn_system_identity(actor));
}

unsigned hrn_system_self(void)
{
    return now.self;
}

uint64_t hrn_system_identity(unsigned actor)
{
    uint64_t number = actor == HRN_NOBODY ? HRN_ACTORS_MAX : actor;
    uint64_t start = now.n_renewed[number] * UINT64_C(16) + number + 11;
    return start << 32 | (number + 101);
}

unsigned hrn_system_actor_of(uint64_t identity)
{
    for (unsigned i = 0; i < HRN_ACTORS_MAX; i++) {
        if (hrn_system_identity(i) == identity) {
            return i;
        }
    }
    return HRN_NOBODY;
}

static void give_file(void)
{
    now.file_fd = -1;
    now.file_owner = HRN_NOBODY;
}

void hrn_system_die(unsigned actor)
{
    now.is_dead[actor] = true;
    if (now.file_owner == actor) {
        give_file();
    }
}

void hrn_system_renew(unsigned actor)
{
    hrn_system_die(actor);
    now.n_renewed[actor]++;
    now.is_dead[actor] = false;
}

uint64_t hrn_system_now_ms(void)
{
    return now.now_ms;
}

void hrn_system_pass_until(uint64_t then_ms)
{
    now.now_ms = then_ms > now.now_ms ? then_ms : now.now_ms;
}

unsigned hrn_system_file_owner(void)
{
    return now.file_owner;
}

/* --- Functions that the locks call --- */

static struct slm_lock_life find_life(uint64_t identity, uint32_t time_namespace)
{
    (void)time_namespace;
    unsigned actor = hrn_system_actor_of(identity);
    if (now.driver != NULL) {
        now.driver->ask_life(actor);
    }
    bool is_alive =
        actor == HRN_NOBODY ? identity == hrn_system_identity(HRN_NOBODY) : !now.is_dead[actor];
    return (struct slm_lock_life){is_alive, SLM_LOCK_NO_DOUBT};
}

/* Actors are no threads of the system, which knows nothing of them. */
static bool is_own_thread(pid_t thread)
{
    (void)thread;
    return false;
}

static enum slm_lock_maps find_maps(pid_t thread, const void *address)
{
    (void)thread;
    (void)address;
    return SLM_LOCK_MAPS;
}

static int set_file_lock(int fd, short type)
{
    if (now.driver != NULL && now.file_owner != HRN_NOBODY && now.file_fd != fd) {
        now.driver->ask_file(now.file_owner);
    }
    if (now.file_fd != -1 && now.file_fd != fd) {
        return type == F_UNLCK ? 0 : EAGAIN;
    }
    if (type == F_UNLCK) {
        give_file();
    } else {
        now.file_fd = fd;
        now.file_owner = now.self;
    }
    return 0;
}

static uint64_t read_clock(void)
{
    if (now.driver == NULL) {
        now.now_ms++;
    } else {
        now.driver->ask_time();
    }
    return now.now_ms;
}

static void wait(uint32_t *half, uint32_t value, unsigned timeout_ms)
{
    if (__atomic_load_n(half, __ATOMIC_RELAXED) != value) {
        return;
    }
    uint64_t until_ms = now.now_ms + timeout_ms;
    if (now.driver == NULL) {
        hrn_system_pass_until(until_ms);
    } else {
        now.driver->sleep(until_ms);
    }
}

/* All sleepers sleep on one word, which each may have mapped at another address. */
static void wake(uint32_t *half, int n_most)
{
    (void)half;
    if (now.driver != NULL) {
        now.driver->wake(n_most);
    }
}

static void pause_briefly(unsigned n)
{
    (void)n;
}

void hrn_system_play(const struct hrn_system_driver *driver)
{
    now.driver = driver;
    now.now_ms = 1000;
    give_file();
    for (unsigned i = 0; i < HRN_ACTORS_MAX; i++) {
        now.is_dead[i] = false;
        now.n_renewed[i] = 0;
    }
    slm_lock_system = (struct slm_lock_system){
        .find_life = find_life,
        .is_own_thread = is_own_thread,
        .find_maps = find_maps,
        .wait = wait,
        .wake = wake,
        .now_ms = read_clock,
        .pause = pause_briefly,
        .patience_ms = 0, /* so that sleepers ask for their turn even in short schedules */
        .set_file_lock = set_file_lock,
    };
    hrn_system_be(HRN_NOBODY);
}
