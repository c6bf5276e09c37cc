/* SPDX-License-Identifier: Apache-2.0 */
/* Lock internals: for lock*.c and the lock's own tests only. */
#ifndef SLM_LOCK_PRIV_H
#define SLM_LOCK_PRIV_H

#include <stddef.h>

#include "allocator/base/yield.h"
#include <slabmill/lock.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 *      63            32  31  30  29  28      0
 *     | start of owner | W | R | T | thread id |      W: somebody may sleep    R: needs repair
 *                      `-- the futex ----------'      T: it is a sleeper's turn
 *
 * A word without a thread id is free, whatever else it says. Only R and T outlive an owner. Changes:
 *
 *     free   -> self | R, W as they were         take (fast: 0 -> self); who slept drops T
 *     owner  -> owner | W                        a waiter, before it sleeps
 *     owner  -> owner | W | T                    the same, of one that waits for long
 *     T      -> T | W                            a newcomer, before it sleeps
 *     self   -> R, T as they were; one is woken  unlock (fast: self -> 0, and nothing was set)
 *     self|R -> self                             mark_repaired
 *     dead   -> self | R, W as it was            a robust waiter takes over; T as above
 *     dead   -> R, and all are woken             force_unlock; attach after a reboot
 *     any    -> any without T                    who waited for long gives up
 *
 * A free word with T is left to those who have slept: a newcomer sleeps once before it takes it,
 * unless it has no time to. Without it, who unlocks and locks again at once, where there are more
 * threads than processors, keeps others out for as long as it likes. T of one that died since costs
 * the next newcomer a sleep.
 *
 * Each is one compare-and-swap of all 64 bits, so that no step can be half done.
 */
#define SLM_LOCK_WAITERS  (UINT64_C(1) << 31)
#define SLM_LOCK_REPAIR   (UINT64_C(1) << 30)
#define SLM_LOCK_TURN     (UINT64_C(1) << 29)
#define SLM_LOCK_TID      (SLM_LOCK_TURN - 1)
#define SLM_LOCK_IDENTITY (~(SLM_LOCK_WAITERS | SLM_LOCK_REPAIR | SLM_LOCK_TURN))

/* No identity, and not free either: a fast path never gets past it. */
#define SLM_LOCK_NEVER UINT64_MAX

/* What a handle has of a lock file. */
struct slm_lock_file {
    slm_word holder; /* the thread of this process that has, or is about to have, the lock */
    int fd;          /* -1: to be opened */
    dev_t device;    /* of the file that was opened last */
    ino_t inode;
    struct slm_lock_state *state;
    struct slm_lock_file *next; /* of all handles of this process */
    char *path;                 /* behind it */
};

struct slm_lock {
    slm_word *fast_word; /* what the fast paths work on: the state's word, or never */
    struct slm_lock_state *state;
    struct slm_lock_file *file; /* FILE only, else NULL */
    slm_word never;             /* SLM_LOCK_NEVER */
    unsigned spins;             /* 0: does not spin */
    bool is_robust;
};

/* Half of the word that the futex calls know. */
static inline uint32_t *slm_lock_half(struct slm_lock_state *state)
{
    uint32_t *halves = (uint32_t *)(void *)&state->word;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return halves;
#else
    return halves + 1;
#endif
}

/* The owner in a word; 0: it is free. */
static inline uint64_t slm_lock_owner_in(uint64_t word)
{
    return (word & SLM_LOCK_TID) == 0 ? 0 : word & SLM_LOCK_IDENTITY;
}

/*
 * What the lock needs of the system. With SLM_SCHED=1 the table can be written to, so that a
 * scheduler simulates blocking, waking, time and death; the members are set before the first actor
 * starts, and nothing but lock*.c calls them. An actor, simulated in a thread of its own or in one
 * that plays several, says who it is by slm_lock_set_self.
 */
struct slm_lock_system {
    /* slm_lock_is_alive */
    bool (*is_alive)(uint64_t identity);
    /* Sleeps if *half == value, compared in one step with falling asleep, until a wake, for at most
     * timeout_ms. May return early for any reason. */
    void (*wait)(uint32_t *half, uint32_t value, unsigned timeout_ms);
    /* Wakes up to n_most sleepers of half. */
    void (*wake)(uint32_t *half, int n_most);
    /* A clock that never goes back. */
    uint64_t (*now_ms)(void);
    /* Lets n short pauses pass between two looks at the word. */
    void (*pause)(unsigned n);
    /* From its first sleep on, a waiter waits for so long before it asks for its turn. */
    unsigned patience_ms;
    /* The lock of fd's open file description on all of the file, as fcntl(2): F_WRLCK, which never
     * waits, or F_UNLCK. Answers 0 or an errno. */
    int (*set_file_lock)(int fd, short type);
};

#if SLM_SCHED
extern struct slm_lock_system slm_lock_system;
#else
extern const struct slm_lock_system slm_lock_system;
#endif

#define SLM_LOCK_FOR_EVER UINT64_MAX

/* --- lock_identity.c --- */

/* The calling thread's identity, or 0 if it was not asked for yet. Initial-exec: a load, even in a
 * shared library. */
extern __thread uint64_t slm_lock_self_cached __attribute__((tls_model("initial-exec")));

/* From now on the calling thread is this one; 0: itself, as slm_lock_self finds out anew. */
void slm_lock_set_self(uint64_t identity);

/* Whether the system says that a thread of that identity lives. */
bool slm_lock_find_alive(uint64_t identity);

/* A number for the running boot of the system, the same in all processes; 0: it does not tell. */
uint64_t slm_lock_boot(void);

/* The state letter and start of a thread out of the text of its stat file. False: not such text. */
bool slm_lock_parse_stat(const char *text, size_t length, char *state, uint32_t *start);

/* --- lock_wait.c --- */

/* Takes the lock of a robust or spinning kind: until deadline_ms by now_ms, 0: at one look. */
enum slm_status slm_lock_contend(struct slm_lock *lock, uint64_t deadline_ms);

/* Sets the waiters' bit of a word that was just seen and sleeps while it stays so, for at most
 * SLM_LOCK_SLEEP_MS and not much longer than deadline_ms. */
void slm_lock_nap(struct slm_lock *lock, uint64_t word, uint64_t deadline_ms);

/* --- lock_file.c --- */

/* No file is agreed on any more. */
void slm_lock_file_forget(struct slm_lock_state *state);
/* Opens the file, and makes it if none is agreed on. Fails: SLM_E_REPLACED, SLM_E_NOMEM and as
 * slm_error_of_errno tells of open(2). */
enum slm_status slm_lock_file_open(struct slm_lock *lock, const char *path,
                                   struct slm_error *error);
void slm_lock_file_close(struct slm_lock *lock);
/* As slm_lock_contend. */
enum slm_status slm_lock_file_take(struct slm_lock *lock, uint64_t deadline_ms);
/* Whether the calling thread holds the system's lock through this handle. */
bool slm_lock_file_is_mine(const struct slm_lock *lock);
/* Gives the system's lock back; the caller holds it. */
void slm_lock_file_give(struct slm_lock *lock);

#ifdef __cplusplus
}
#endif
#endif
