/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated system under the library's locks: which actors live and sleep, the clock, a file's
 * lock. */
#ifndef HRN_SYSTEM_H
#define HRN_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Actors stand for threads of different processes, one of which calls the library at a
 *          time. Each has an identity; the system knows which identities are alive. All file locks
 *          are of one file. Each descriptor is a separate open description, which death closes. A
 *          driver decides what happens where a real system would let others run. Without a driver
 *          the caller plays the actors by hand: no actor runs while another sleeps, so a sleep
 *          lasts until its bound, and each reading of the clock adds 1 ms to it.
 * Safety   One thread.
 */
#define HRN_ACTORS_MAX 4u
#define HRN_NOBODY     UINT32_MAX /* the caller is none of the actors */

struct hrn_system_driver {
    /* The caller is about to ask whether an actor lives, or asks for the file that it has locked.
     */
    void (*ask_life)(unsigned actor);
    void (*ask_file)(unsigned owner);
    void (*ask_time)(void); /* the caller is about to read the clock */
    /* The caller sleeps until it is woken, or until then. */
    void (*sleep)(uint64_t until_ms);
    void (*wake)(int n_most); /* wakes sleepers */
};

/* Makes the locks use this system: all actors alive, the file free. NULL: by hand. The calling
 * actor is HRN_NOBODY until a call of hrn_system_be. */
void hrn_system_play(const struct hrn_system_driver *driver);

/* Sets the actor that calls the library, or HRN_NOBODY. */
void hrn_system_be(unsigned actor);
unsigned hrn_system_self(void);

/* The actor's identity, for the library. */
uint64_t hrn_system_identity(unsigned actor);
/* HRN_NOBODY: not an actor's identity. */
unsigned hrn_system_actor_of(uint64_t identity);

/* The actor's identity is dead from now on, and does not have the file. */
void hrn_system_die(unsigned actor);
/* The same, and gives the actor a new identity, which is alive. */
void hrn_system_renew(unsigned actor);

uint64_t hrn_system_now_ms(void);
/* Sets the clock, which never goes back. */
void hrn_system_pass_until(uint64_t then_ms);

/* The actor that has the file; HRN_NOBODY: none. */
unsigned hrn_system_file_owner(void);

#ifdef __cplusplus
}
#endif
#endif
