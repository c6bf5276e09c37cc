/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a recorded owner holds the lock: does its thread live, and has its process the memory? */
#include "allocator/lock/owner.h"

#include "allocator/lock/identity.h"
#include "allocator/lock/origin.h"
#include "allocator/lock/proc.h"
#include "allocator/lock/system.h"
#include "allocator/lock/word.h"

/*
 * A word may name a thread that lives and knows nothing of the lock: a copy of a zone's file has
 * the word of the original, a program that calls exec lives on under its id, and a file may hold
 * anything. Such a thread would keep all others out for ever. So its process's mappings are read.
 *
 * Why that is safe. A holder has the state mapped from its locking until its unlocking, since both
 * write to it. /proc/PID/maps shows each mapping that is there during the whole reading, so if all
 * of it was read and has none of the object, the named thread did not hold the lock. It cannot have
 * taken the lock since then without a change of the word, since the word names it already: to it
 * the lock would be held by itself. That is why attach frees a word that names a thread of its own
 * process (slm_lock_is_left_over), a change that the waiter's compare-and-swap notices. One case
 * remains: between the waiter's last read and its swap, the named process maps and attaches the
 * object, and the very thread locks, repairs, unlocks and locks again.
 * The object is device and inode as /proc shows them, in both lists: a number that two file systems
 * have in common makes a stranger look like an owner, which only costs a wait.
 */
#define LOOKS_BEFORE_SEARCH 8u /* with a sleep after each, more than SLM_LOCK_PATIENCE_MS */

static pid_t thread_in(uint64_t owner)
{
    return (pid_t)(owner & SLM_LOCK_TID);
}

/* The id of another pid namespace is another thread's here. */
static bool has_known_thread(struct slm_lock_life life)
{
    return life.is_alive && life.doubt != SLM_LOCK_DOUBT_NAMESPACE;
}

struct slm_lock_life slm_lock_judge_thread(const struct slm_lock_state *state, uint64_t owner)
{
    uint64_t recorded = slm_lock_recorded_namespaces(state);
    if ((uint32_t)recorded != (uint32_t)slm_lock_namespaces()) {
        return (struct slm_lock_life){true, SLM_LOCK_DOUBT_NAMESPACE};
    }
    return slm_lock_system.find_life(owner, (uint32_t)(recorded >> 32));
}

struct slm_lock_life slm_lock_judge_owner(const struct slm_lock_state *state, uint64_t owner)
{
    struct slm_lock_life life = slm_lock_judge_thread(state, owner);
    if (!has_known_thread(life)) {
        return life;
    }
    switch (slm_lock_system.find_maps(thread_in(owner), state)) {
    case SLM_LOCK_MAPS_NOT:
        return (struct slm_lock_life){false, SLM_LOCK_NO_DOUBT};
    case SLM_LOCK_MAPS_HIDDEN:
        life.doubt = life.doubt == SLM_LOCK_NO_DOUBT ? SLM_LOCK_DOUBT_MAPPINGS : life.doubt;
        return life;
    default:
        return life;
    }
}

/* At the 8th, 16th, 32nd look at one owner, and so on. Threads that share the handle may miscount,
 * which only moves a search. */
static bool is_search_due(struct slm_lock *lock, uint64_t owner)
{
    if (__atomic_load_n(&lock->suspect, __ATOMIC_RELAXED) != owner) {
        __atomic_store_n(&lock->suspect, owner, __ATOMIC_RELAXED);
        __atomic_store_n(&lock->n_looks, 0, __ATOMIC_RELAXED);
    }
    unsigned n_looks = __atomic_add_fetch(&lock->n_looks, 1, __ATOMIC_RELAXED);
    return n_looks >= LOOKS_BEFORE_SEARCH && (n_looks & (n_looks - 1)) == 0;
}

bool slm_lock_is_owner_gone(struct slm_lock *lock, uint64_t owner)
{
    struct slm_lock_life life = is_search_due(lock, owner)
                                    ? slm_lock_judge_owner(lock->state, owner)
                                    : slm_lock_judge_thread(lock->state, owner);
    return !life.is_alive;
}

bool slm_lock_is_left_over(const struct slm_lock_state *state, uint64_t owner)
{
    return owner != 0 && slm_lock_system.is_own_thread(thread_in(owner)) &&
           slm_lock_judge_thread(state, owner).is_alive && slm_lock_is_mapped_once(state);
}
