/* SPDX-License-Identifier: Apache-2.0 */
/* The slow path to a lock: spin, take over from a dead owner, sleep, ask for a turn. */
#include "allocator/base/yield.h"
#include "allocator/lock/handle.h"
#include "allocator/lock/owner.h"
#include "allocator/lock/system.h"
#include "allocator/lock/word.h"

/* One locker on the slow path. */
struct attempt {
    struct slm_lock *lock;
    uint64_t self;
    uint64_t deadline_ms;
    uint64_t word;     /* as last seen */
    uint64_t slept_ms; /* when it first fell asleep */
    uint64_t since_ms; /* for slm_lock_report_wait */
    uint64_t asks;     /* SLM_LOCK_TURN once it has waited for long */
    bool has_slept;    /* other waiters may still be asleep; counted in n_waits */
    bool is_last_look; /* takes a free lock, even if the turn is a sleeper's */
};

static bool swap_word(struct attempt *attempt, uint64_t wanted)
{
    SLM_YIELD("lock: swap the word");
    return __atomic_compare_exchange_n(&attempt->lock->state->word, &attempt->word, wanted, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* The word to store when taking the lock from attempt->word. */
static uint64_t word_when_taken(const struct attempt *attempt)
{
    bool is_sleepers_turn = (attempt->word & SLM_LOCK_TURN) != 0 && !attempt->has_slept;
    return attempt->self | (attempt->word & (SLM_LOCK_REPAIR | SLM_LOCK_WAITERS)) |
           (attempt->has_slept ? SLM_LOCK_WAITERS : 0) | (is_sleepers_turn ? SLM_LOCK_TURN : 0);
}

static bool may_take(const struct attempt *attempt)
{
    return slm_lock_owner_in(attempt->word) == 0 &&
           ((attempt->word & SLM_LOCK_TURN) == 0 || attempt->has_slept || attempt->is_last_look);
}

/*
 * One look at the word as it is now: takes it if it is free. SLM_E_LOCKED: another thread has
 * it, the owner in attempt->word; or it is a sleeper's attempt.
 */
static enum slm_status try_word(struct attempt *attempt)
{
    SLM_YIELD("lock: look at the word");
    attempt->word = __atomic_load_n(&attempt->lock->state->word, __ATOMIC_RELAXED);
    while (may_take(attempt)) {
        uint64_t wanted = word_when_taken(attempt);
        if (swap_word(attempt, wanted)) {
            return (wanted & SLM_LOCK_REPAIR) != 0 ? SLM_OWNER_DIED : SLM_OK;
        }
    }
    return slm_lock_owner_in(attempt->word) == attempt->self ? SLM_E_HELD : SLM_E_LOCKED;
}

/* Takes over from the owner in attempt->word, if it is dead and the word has not changed. */
static enum slm_status take_over(struct attempt *attempt)
{
    uint64_t owner = slm_lock_owner_in(attempt->word);
    if (!attempt->lock->is_robust || owner == 0 || !slm_lock_is_owner_gone(attempt->lock, owner)) {
        return SLM_E_LOCKED;
    }
    if (!swap_word(attempt, word_when_taken(attempt) | SLM_LOCK_REPAIR)) {
        return SLM_E_BUSY;
    }
    (void)__atomic_fetch_add(&attempt->lock->state->n_deaths, 1, __ATOMIC_RELAXED);
    slm_lock_note_event(attempt->lock, SLM_EVENT_OWNER_DIED, SLM_OK, (pid_t)(owner & SLM_LOCK_TID));
    return SLM_OWNER_DIED;
}

/* Tries again if the word of a dead owner changes during the take-over. */
static enum slm_status try_or_take_over(struct attempt *attempt)
{
    enum slm_status status;
    do {
        status = try_word(attempt);
        if (status == SLM_E_LOCKED) {
            status = take_over(attempt);
        }
    } while (status == SLM_E_BUSY);
    return status;
}

/* Reads the word again after pauses that double up to the limit. */
static enum slm_status spin_for_lock(struct attempt *attempt)
{
    enum slm_status status = try_word(attempt);
    for (unsigned n = 1; status == SLM_E_LOCKED && n != 0 && n <= attempt->lock->spins; n *= 2) {
        slm_lock_system.pause(n);
        status = try_word(attempt);
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

/* False: the word has changed. */
static bool mark_waited_for(struct slm_lock *lock, uint64_t word, uint64_t marked)
{
    if (word == marked) {
        return true;
    }
    SLM_YIELD("lock: mark the word as waited for");
    return __atomic_compare_exchange_n(&lock->state->word, &word, marked, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}

static void sleep_marked(struct slm_lock *lock, uint64_t marked, uint64_t deadline_ms)
{
    SLM_YIELD("lock: sleep");
    slm_lock_system.wait(slm_lock_half(lock->state), (uint32_t)marked, nap_ms(deadline_ms));
}

void slm_lock_nap(struct slm_lock *lock, uint64_t word, uint64_t deadline_ms)
{
    uint64_t marked = word | SLM_LOCK_WAITERS;
    if (mark_waited_for(lock, word, marked)) {
        sleep_marked(lock, marked, deadline_ms);
    }
}

static void sleep_once(struct attempt *attempt)
{
    uint64_t now_ms = slm_lock_system.now_ms();
    if (attempt->has_slept && now_ms - attempt->slept_ms >= slm_lock_system.patience_ms) {
        attempt->asks = SLM_LOCK_TURN;
    }
    uint64_t marked = attempt->word | SLM_LOCK_WAITERS | attempt->asks;
    if (!mark_waited_for(attempt->lock, attempt->word, marked)) {
        return;
    }
    if (!attempt->has_slept) {
        (void)__atomic_fetch_add(&attempt->lock->state->n_waits, 1, __ATOMIC_RELAXED);
        attempt->slept_ms = now_ms;
        attempt->has_slept = true;
    }
    sleep_marked(attempt->lock, marked, attempt->deadline_ms);
}

/*
 * A waiter that times out may have consumed a wake meant for another, so it passes one on. It also
 * clears the mark of its turn, which no other thread would.
 */
static enum slm_status give_up(const struct attempt *attempt)
{
    struct slm_lock_state *state = attempt->lock->state;
    if (attempt->asks != 0) {
        SLM_YIELD("lock: ask no more");
        (void)__atomic_fetch_and(&state->word, ~attempt->asks, __ATOMIC_RELAXED);
    }
    if (attempt->has_slept) {
        SLM_YIELD("lock: pass the wake on");
        slm_lock_system.wake(slm_lock_half(state), 1);
    }
    return SLM_E_TIMEOUT;
}

enum slm_status slm_lock_contend(struct slm_lock *lock, uint64_t deadline_ms)
{
    struct attempt attempt = {.lock = lock, .self = slm_lock_self(), .deadline_ms = deadline_ms};
    attempt.is_last_look = deadline_ms == 0;
    enum slm_status status = deadline_ms == 0 ? SLM_E_LOCKED : spin_for_lock(&attempt);
    if (status != SLM_E_LOCKED) {
        return status;
    }
    for (;;) {
        status = try_or_take_over(&attempt);
        if (status != SLM_E_LOCKED || deadline_ms == 0) {
            return status;
        }
        if (attempt.is_last_look) {
            return give_up(&attempt);
        }
        attempt.is_last_look =
            deadline_ms != SLM_LOCK_FOR_EVER && slm_lock_system.now_ms() >= deadline_ms;
        if (!attempt.is_last_look) {
            slm_lock_report_wait(lock, attempt.word, &attempt.since_ms);
            sleep_once(&attempt);
        }
    }
}
