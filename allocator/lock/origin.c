/* SPDX-License-Identifier: Apache-2.0 */
/* Where a lock's owners can be judged: the boot and the namespaces that it belongs to. */
#include "allocator/lock/origin.h"

#include "allocator/base/yield.h"
#include "allocator/lock/identity.h"
#include "allocator/lock/proc.h"
#include "allocator/lock/word.h"

/*
 * A thread id says nothing in another pid namespace, a start time nothing in another time
 * namespace, and neither of them says anything after a reboot. So the state records the boot and
 * the two namespaces. A process of another namespace is refused; the first process that attaches
 * after a reboot resets the state, and the lock belongs to its namespaces from then on.
 */

/* Mixes the boot in, so that a number of another boot never counts as one of this boot. */
static uint64_t mix_boot(const struct slm_lock_state *state, uint64_t number)
{
    return number ^ __atomic_load_n(&state->boot, __ATOMIC_RELAXED);
}

bool slm_lock_agree_on(struct slm_lock_state *state, slm_word *shared, uint64_t number)
{
    uint64_t mine = mix_boot(state, number);
    uint64_t seen = __atomic_load_n(shared, __ATOMIC_RELAXED);
    if (seen == 0) {
        SLM_YIELD("lock: agree on a number");
    }
    return (seen == 0 && __atomic_compare_exchange_n(shared, &seen, mine, false, __ATOMIC_RELAXED,
                                                     __ATOMIC_RELAXED)) ||
           seen == mine;
}

void slm_lock_set_origin(struct slm_lock_state *state)
{
    __atomic_store_n(&state->file_device, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&state->file_inode, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&state->boot, slm_lock_boot(), __ATOMIC_RELAXED);
    uint64_t mine = mix_boot(state, slm_lock_namespaces());
    __atomic_store_n(&state->namespaces, mine, __ATOMIC_RELEASE);
}

uint64_t slm_lock_recorded_namespaces(const struct slm_lock_state *state)
{
    uint64_t recorded = __atomic_load_n(&state->namespaces, __ATOMIC_RELAXED);
    return recorded == 0 ? 0 : mix_boot(state, recorded);
}

static bool is_another_boot(uint64_t boot, uint64_t boot_now)
{
    return boot != 0 && boot_now != 0 && boot != boot_now;
}

bool slm_lock_is_of_another_boot(const struct slm_lock_state *state)
{
    return is_another_boot(__atomic_load_n(&state->boot, __ATOMIC_RELAXED), slm_lock_boot());
}

bool slm_lock_is_elsewhere(const struct slm_lock_state *state)
{
    uint64_t here = slm_lock_find_namespaces();
    uint64_t recorded = slm_lock_recorded_namespaces(state);
    bool is_agreed = recorded != 0 && !slm_lock_is_of_another_boot(state);
    return here == SLM_LOCK_NAMESPACES_UNKNOWN || here != slm_lock_namespaces() ||
           (is_agreed && recorded != here);
}

/* False: the number has changed since it was read. */
static bool clear_number(slm_word *shared, uint64_t seen)
{
    SLM_YIELD("lock: forget a number of another boot");
    return seen == 0 ||
           __atomic_compare_exchange_n(shared, &seen, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/*
 * Several processes may find an old boot's state at once. Each reads the other fields first and the
 * boot last: while the boot is the old one, the fields are too, and compare-and-swap resets exactly
 * what was read. The boot changes last, and no process locks before.
 */
static void reset_after_reboot(struct slm_lock_state *state, uint64_t boot_now)
{
    for (;;) {
        SLM_YIELD("lock: read the word of another boot");
        uint64_t word = __atomic_load_n(&state->word, __ATOMIC_ACQUIRE);
        uint64_t inode = __atomic_load_n(&state->file_inode, __ATOMIC_ACQUIRE);
        uint64_t device = __atomic_load_n(&state->file_device, __ATOMIC_ACQUIRE);
        uint64_t namespaces = __atomic_load_n(&state->namespaces, __ATOMIC_ACQUIRE);
        SLM_YIELD("lock: read the boot");
        uint64_t boot = __atomic_load_n(&state->boot, __ATOMIC_ACQUIRE);
        if (!is_another_boot(boot, boot_now)) {
            return;
        }
        SLM_YIELD("lock: reset the word of another boot");
        if (slm_lock_owner_in(word) == 0) {
            if (clear_number(&state->file_inode, inode) &&
                clear_number(&state->file_device, device) &&
                clear_number(&state->namespaces, namespaces)) {
                (void)__atomic_compare_exchange_n(&state->boot, &boot, boot_now, false,
                                                  __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
            }
        } else if (__atomic_compare_exchange_n(&state->word, &word, SLM_LOCK_REPAIR, false,
                                               __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            (void)__atomic_fetch_add(&state->n_deaths, 1, __ATOMIC_RELAXED);
        }
    }
}

bool slm_lock_agree_on_origin(struct slm_lock_state *state)
{
    if (slm_lock_is_elsewhere(state)) {
        return false;
    }
    reset_after_reboot(state, slm_lock_boot());
    return slm_lock_agree_on(state, &state->namespaces, slm_lock_namespaces());
}
