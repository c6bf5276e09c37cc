/* SPDX-License-Identifier: Apache-2.0 */
/* The long way to a lock: looks, pauses, takes over from the dead, sleeps. */
#include "allocator/lock_priv.h"

/* One locker on its way. */
struct turn {
    struct slm_lock *lock;
    uint64_t self;
    uint64_t deadline_ms;
    uint64_t kept;  /* SLM_LOCK_WAITERS once it slept: others may still do, and it wakes the next */
    uint64_t word;  /* as last seen */
    bool has_slept; /* counted in n_waits */
};

static bool swap(struct turn *turn, uint64_t wanted)
{
    SLM_YIELD("lock: swap the word");
    return __atomic_compare_exchange_n(&turn->lock->state->word, &turn->word, wanted, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/*
 * One look at the word as it is now: takes it if it is free. SLM_E_LOCKED: somebody else has it,
 * and turn->word says who.
 */
static enum slm_status look(struct turn *turn)
{
    SLM_YIELD("lock: look at the word");
    turn->word = __atomic_load_n(&turn->lock->state->word, __ATOMIC_RELAXED);
    while (slm_lock_owner_in(turn->word) == 0) {
        uint64_t marks = turn->word & (SLM_LOCK_REPAIR | SLM_LOCK_WAITERS);
        if (swap(turn, turn->self | marks | turn->kept)) {
            return (marks & SLM_LOCK_REPAIR) != 0 ? SLM_OWNER_DIED : SLM_OK;
        }
    }
    return slm_lock_owner_in(turn->word) == turn->self ? SLM_E_HELD : SLM_E_LOCKED;
}

/* Takes over from the owner in turn->word, if that one is dead and the word has not changed. */
static enum slm_status take_over(struct turn *turn)
{
    uint64_t word = turn->word;
    if (!turn->lock->is_robust || slm_lock_is_alive(slm_lock_owner_in(word))) {
        return SLM_E_LOCKED;
    }
    if (!swap(turn, turn->self | SLM_LOCK_REPAIR | (word & SLM_LOCK_WAITERS) | turn->kept)) {
        return SLM_E_BUSY;
    }
    (void)__atomic_fetch_add(&turn->lock->state->n_deaths, 1, __ATOMIC_RELAXED);
    return SLM_OWNER_DIED;
}

/* A look, and another one whenever a dead owner's word changed under the taking over. */
static enum slm_status look_closely(struct turn *turn)
{
    enum slm_status status;
    do {
        status = look(turn);
        if (status == SLM_E_LOCKED) {
            status = take_over(turn);
        }
    } while (status == SLM_E_BUSY);
    return status;
}

/* Looks with pauses between that double up to the most. */
static enum slm_status spin(struct turn *turn)
{
    enum slm_status status = look(turn);
    for (unsigned n = 1; status == SLM_E_LOCKED && n != 0 && n <= turn->lock->spins; n *= 2) {
        slm_lock_system.pause(n);
        status = look(turn);
    }
    return status;
}

static unsigned nap_ms(uint64_t deadline_ms)
{
    if (deadline_ms == SLM_LOCK_FOR_EVER) {
        return SLM_LOCK_SLEEP_MS;
    }
    uint64_t now_ms = slm_lock_system.now_ms();
    if (now_ms >= deadline_ms) {
        return 1;
    }
    uint64_t left_ms = deadline_ms - now_ms;
    return left_ms < SLM_LOCK_SLEEP_MS ? (unsigned)left_ms : SLM_LOCK_SLEEP_MS;
}

void slm_lock_nap(struct slm_lock *lock, uint64_t word, uint64_t deadline_ms)
{
    struct slm_lock_state *state = lock->state;
    uint64_t marked = word | SLM_LOCK_WAITERS;
    if (word != marked) {
        SLM_YIELD("lock: mark the word as waited for");
        if (!__atomic_compare_exchange_n(&state->word, &word, marked, false, __ATOMIC_RELAXED,
                                         __ATOMIC_RELAXED)) {
            return;
        }
    }
    SLM_YIELD("lock: sleep");
    slm_lock_system.wait(slm_lock_half(state), (uint32_t)marked, nap_ms(deadline_ms));
}

static void sleep_once(struct turn *turn)
{
    if (!turn->has_slept) {
        (void)__atomic_fetch_add(&turn->lock->state->n_waits, 1, __ATOMIC_RELAXED);
        turn->has_slept = true;
    }
    slm_lock_nap(turn->lock, turn->word, turn->deadline_ms);
    turn->kept = SLM_LOCK_WAITERS;
}

/* Who gives up may have been the one that was woken: then the wake is somebody else's. */
static enum slm_status give_up(const struct turn *turn)
{
    if (turn->has_slept) {
        SLM_YIELD("lock: pass the wake on");
        slm_lock_system.wake(slm_lock_half(turn->lock->state), 1);
    }
    return SLM_E_TIMEOUT;
}

enum slm_status slm_lock_contend(struct slm_lock *lock, uint64_t deadline_ms)
{
    struct turn turn = {.lock = lock, .self = slm_lock_self(), .deadline_ms = deadline_ms};
    enum slm_status status = deadline_ms == 0 ? SLM_E_LOCKED : spin(&turn);
    if (status != SLM_E_LOCKED) {
        return status;
    }
    for (;;) {
        status = look_closely(&turn);
        if (status != SLM_E_LOCKED || deadline_ms == 0) {
            return status;
        }
        if (deadline_ms != SLM_LOCK_FOR_EVER && slm_lock_system.now_ms() >= deadline_ms) {
            return give_up(&turn);
        }
        sleep_once(&turn);
    }
}
