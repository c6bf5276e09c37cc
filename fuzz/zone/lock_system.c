/* SPDX-License-Identifier: Apache-2.0 */
/* Who is who, and who lives, as the locks of fuzzed zones are told. */
#include "allocator/lock/system.h"
#include "fuzz/zone/world.h"

#define START_SHIFT 32u

static uint64_t starts[ZONE_N_ACTORS]; /* how often the actor died, from 1 on */
static uint64_t clock_ms;

uint64_t hrn_zone_identity(unsigned actor)
{
    return starts[actor] << START_SHIFT | (actor + 1);
}

static bool is_alive(uint64_t identity)
{
    for (unsigned i = 0; i < ZONE_N_ACTORS; i++) {
        if (hrn_zone_identity(i) == identity) {
            return true;
        }
    }
    return false;
}

/* Nobody else runs, so that nobody is ever woken: time passes. */
static void wait(uint32_t *half, uint32_t value, unsigned timeout_ms)
{
    (void)half;
    (void)value;
    clock_ms += timeout_ms;
}

static void wake(uint32_t *half, int n_most)
{
    (void)half;
    (void)n_most;
}

static uint64_t now_ms(void)
{
    return ++clock_ms;
}

static void let_pass(unsigned n)
{
    (void)n;
}

void hrn_zone_play_system(void)
{
    slm_lock_system = (struct slm_lock_system){
        .is_alive = is_alive,
        .wait = wait,
        .wake = wake,
        .now_ms = now_ms,
        .pause = let_pass,
        .set_file_lock = slm_lock_system.set_file_lock,
    };
    for (unsigned i = 0; i < ZONE_N_ACTORS; i++) {
        starts[i] = 1;
    }
    clock_ms = 0;
    hrn_zone_be(0);
}

void hrn_zone_be(unsigned actor)
{
    slm_lock_set_self(hrn_zone_identity(actor));
}

void hrn_zone_die(unsigned actor)
{
    starts[actor]++;
}
