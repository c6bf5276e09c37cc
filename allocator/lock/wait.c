/* SPDX-License-Identifier: Apache-2.0 */
/* The slow path to a lock: looks, pauses, takes over from the dead, sleeps, asks for its turn. */
#include "allocator/base/yield.h"
#include "allocator/lock/handle.h"
#include "allocator/lock/system.h"
#include "allocator/lock/word.h"

/* One locker on the slow path. */
struct turn {
    struct slm_lock *lock;
    uint64_t self;
    uint64_t deadline_ms;
    uint64_t word;     /* as last seen */
    uint64_t slept_ms; /* when it first fell asleep */
    uint64_t asks;     /* SLM_LOCK_TURN once it has waited for long */
    bool has_slept;    /* other waiters may still be asleep; counted in n_waits */
    bool is_last_look; /* takes a free lock, even if it is a sleeper's turn */
};

static bool swap(struct turn *turn, uint64_t wanted)
{
    SLM_YIELD("lock: swap the word");
    return __atomic_compare_exchange_n(&turn->lock->state->word, &turn->word, wanted, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* The word to store when taking the lock from turn->word. */
static uint64_t own(const struct turn *turn)
{
    bool is_sleepers_turn = (turn->word & SLM_LOCK_TURN) != 0 && !turn->has_slept;
    return turn->self | (turn->word & (SLM_LOCK_REPAIR | SLM_LOCK_WAITERS)) |
           (turn->has_slept ? SLM_LOCK_WAITERS : 0) | (is_sleepers_turn ? SLM_LOCK_TURN : 0);
}

static bool may_take(const struct turn *turn)
{
    return slm_lock_owner_in(turn->word) == 0 &&
           ((turn->word & SLM_LOCK_TURN) == 0 || turn->has_slept || turn->is_last_look);
}

/*
 * One look at the word as it is now: takes it if it is free. SLM_E_LOCKED: another thread has
 * it, the owner in turn->word; or it is a sleeper's turn.
 */
static enum slm_status look(struct turn *turn)
{
    SLM_YIELD("lock: look at the word");
    turn->word = __atomic_load_n(&turn->lock->state->word, __ATOMIC_RELAXED);
    while (may_take(turn)) {
        uint64_t wanted = own(turn);
        if (swap(turn, wanted)) {
            return (wanted & SLM_LOCK_REPAIR) != 0 ? SLM_OWNER_DIED : SLM_OK;
        }
    }
    return slm_lock_owner_in(turn->word) == turn->self ? SLM_E_HELD : SLM_E_LOCKED;
}

/* Takes over from the owner in turn->word, if that one is dead and the word has not changed. */
static enum slm_status take_over(struct turn *turn)
{
    uint64_t owner = slm_lock_owner_in(turn->word);
    if (!turn->lock->is_robust || owner == 0 || slm_lock_is_alive(owner)) {
        return SLM_E_LOCKED;
    }
    if (!swap(turn, own(turn) | SLM_LOCK_REPAIR)) {
        return SLM_E_BUSY;
    }
    (void)__atomic_fetch_add(&turn->lock->state->n_deaths, 1, __ATOMIC_RELAXED);
    return SLM_OWNER_DIED;
}

/* Looks again whenever the word of a dead owner changed while it was taken over. */
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

/* False: the word is not that word any more. */
static bool mark(struct slm_lock *lock, uint64_t word, uint64_t marked)
{
    if (word == marked) {
        return true;
    }
    SLM_YIELD("lock: mark the word as waited for");
    return __atomic_compare_exchange_n(&lock->state->word, &word, marked, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}

static void doze(struct slm_lock *lock, uint64_t marked, uint64_t deadline_ms)
{
    SLM_YIELD("lock: sleep");
    slm_lock_system.wait(slm_lock_half(lock->state), (uint32_t)marked, nap_ms(deadline_ms));
}

void slm_lock_nap(struct slm_lock *lock, uint64_t word, uint64_t deadline_ms)
{
    uint64_t marked = word | SLM_LOCK_WAITERS;
    if (mark(lock, word, marked)) {
        doze(lock, marked, deadline_ms);
    }
}

static void sleep_once(struct turn *turn)
{
    uint64_t now_ms = slm_lock_system.now_ms();
    if (turn->has_slept && now_ms - turn->slept_ms >= slm_lock_system.patience_ms) {
        turn->asks = SLM_LOCK_TURN;
    }
    uint64_t marked = turn->word | SLM_LOCK_WAITERS | turn->asks;
    if (!mark(turn->lock, turn->word, marked)) {
        return;
    }
    if (!turn->has_slept) {
        (void)__atomic_fetch_add(&turn->lock->state->n_waits, 1, __ATOMIC_RELAXED);
        turn->slept_ms = now_ms;
        turn->has_slept = true;
    }
    doze(turn->lock, marked, turn->deadline_ms);
}

/*
 * A waiter that times out may have consumed a wake meant for another, so it passes one on. It also
 * clears the mark of its turn, which no other thread would.
 */
static enum slm_status give_up(const struct turn *turn)
{
    struct slm_lock_state *state = turn->lock->state;
    if (turn->asks != 0) {
        SLM_YIELD("lock: ask no more");
        (void)__atomic_fetch_and(&state->word, ~turn->asks, __ATOMIC_RELAXED);
    }
    if (turn->has_slept) {
        SLM_YIELD("lock: pass the wake on");
        slm_lock_system.wake(slm_lock_half(state), 1);
    }
    return SLM_E_TIMEOUT;
}

enum slm_status slm_lock_contend(struct slm_lock *lock, uint64_t deadline_ms)
{
    struct turn turn = {.lock = lock, .self = slm_lock_self(), .deadline_ms = deadline_ms};
    turn.is_last_look = deadline_ms == 0;
    enum slm_status status = deadline_ms == 0 ? SLM_E_LOCKED : spin(&turn);
    if (status != SLM_E_LOCKED) {
        return status;
    }
    for (;;) {
        status = look_closely(&turn);
        if (status != SLM_E_LOCKED || deadline_ms == 0) {
            return status;
        }
        if (turn.is_last_look) {
            return give_up(&turn);
        }
        turn.is_last_look =
            deadline_ms != SLM_LOCK_FOR_EVER && slm_lock_system.now_ms() >= deadline_ms;
        if (!turn.is_last_look) {
            sleep_once(&turn);
        }
    }
}
