/* SPDX-License-Identifier: Apache-2.0 */
/* What a lock stores in shared memory: its word, and every change of the word. */
#ifndef SLM_LOCK_WORD_H
#define SLM_LOCK_WORD_H

#include <stddef.h>
#include <stdint.h>

#include "allocator/base/pin.h"
#include <slabmill/lock.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The word of struct slm_lock_state, which <slabmill/lock.h> declares so that it can be placed:
 *
 *      63            32  31  30  29  28      0
 *     | start of owner | W | R | T | thread id |      W: a waiter may sleep    R: needs repair
 *                      `-- the futex ----------'      T: the turn is a sleeper's
 *
 * A word without a thread id is free, with any marks. Only R and T outlive an owner.
 * Changes:
 *
 *     free   -> self | R, W as they were         take (fast: 0 -> self); a sleeper drops T
 *     owner  -> owner | W                        a waiter, before it sleeps; an owner with events
 *     owner  -> owner | W | T                    the same, by a waiter passed over for PATIENCE_MS
 *     T      -> T | W                            a newcomer, before it sleeps
 *     self   -> R, T as they were; one is woken  unlock (fast: self -> 0, if no mark was set)
 *     self|R -> self                             mark_repaired
 *     dead   -> self | R, W as it was            a robust waiter takes over; T as above
 *     dead   -> R, and all are woken             force_unlock; attach after a reboot
 *     any    -> any without T                    a waiter that had set T times out
 *
 * Waiters that have slept take a free word with T; a newcomer sleeps once first, unless its time is
 * up. Without T, a thread that unlocks and locks again at once could keep all others out, where
 * there are more threads than processors. If the waiter that set T has died, T costs the next
 * newcomer one sleep.
 *
 * Each change is one compare-and-swap of all 64 bits, so no step can be half done.
 */
#define SLM_LOCK_WAITERS  (UINT64_C(1) << 31)
#define SLM_LOCK_REPAIR   (UINT64_C(1) << 30)
#define SLM_LOCK_TURN     (UINT64_C(1) << 29)
#define SLM_LOCK_TID      (SLM_LOCK_TURN - 1)
#define SLM_LOCK_IDENTITY (~(SLM_LOCK_WAITERS | SLM_LOCK_REPAIR | SLM_LOCK_TURN))

SLM_PIN_SIZE(slm_lock_state, SLM_LOCK_BYTES);
SLM_PIN_FIELD(slm_lock_state, word, 0, 8);
SLM_PIN_FIELD(slm_lock_state, kind, 8, 4);
SLM_PIN_FIELD(slm_lock_state, n_deaths, 12, 4);
SLM_PIN_FIELD(slm_lock_state, n_waits, 16, 8);
SLM_PIN_FIELD(slm_lock_state, boot, 24, 8);
SLM_PIN_FIELD(slm_lock_state, file_inode, 32, 8);
SLM_PIN_FIELD(slm_lock_state, file_device, 40, 8);
SLM_PIN_FIELD(slm_lock_state, namespaces, 48, 8);
SLM_PIN_FIELD(slm_lock_state, unused, 56, 8);

/* The half of the word that the futex calls compare. */
static inline uint32_t *slm_lock_half(struct slm_lock_state *state)
{
    uint32_t *halves = (uint32_t *)(void *)&state->word;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return halves;
#else
    return halves + 1;
#endif
}

/* The owner in a word; 0: unowned. */
static inline uint64_t slm_lock_owner_in(uint64_t word)
{
    return (word & SLM_LOCK_TID) == 0 ? 0 : word & SLM_LOCK_IDENTITY;
}

#ifdef __cplusplus
}
#endif
#endif
