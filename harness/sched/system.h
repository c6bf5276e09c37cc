/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated system under the library's locks: who lives, who sleeps, the clock, a file's lock. */
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
 *          are of one file, each descriptor an open description of its own, closed by death.
 *          A driver decides what happens where a real system would let others run. Without one the
 *          caller plays the actors by hand: no actor runs while another sleeps, so a sleep lasts as
 *          long as it may, and the clock goes on by 1 ms whenever it is read.
 * Safety   One thread.
 */
#define HRN_ACTORS_MAX 4u
#define HRN_NOBODY     UINT32_MAX /* none of the actors: who calls from outside of them */

struct hrn_system_driver {
    /* The caller is about to ask whether an actor lives, or for the file that it has locked. */
    void (*ask_life)(unsigned actor);
    void (*ask_file)(unsigned owner);
    void (*ask_time)(void); /* the caller is about to read the clock */
    /* The caller sleeps until it is woken, or until then. */
    void (*sleep)(uint64_t until_ms);
    void (*wake)(int n_most); /* wakes sleepers */
};

/* Puts the system under the locks: all alive, the file free. NULL: by hand. The actor that calls is
 * none, until hrn_system_be says otherwise. */
void hrn_system_play(const struct hrn_system_driver *driver);

/* From now on the actor, or HRN_NOBODY, calls the library. */
void hrn_system_be(unsigned actor);
unsigned hrn_system_self(void);

/* Who the actor is for the library. */
uint64_t hrn_system_identity(unsigned actor);
/* HRN_NOBODY: none of the actors. */
unsigned hrn_system_actor_of(uint64_t identity);

/* The actor's identity is dead from now on, and does not have the file. */
void hrn_system_die(unsigned actor);
/* The same, and the actor goes on as another: it has a new identity, which lives. */
void hrn_system_renew(unsigned actor);

uint64_t hrn_system_now_ms(void);
/* Sets the clock, which never goes back. */
void hrn_system_pass_until(uint64_t then_ms);

/* Who has the file; HRN_NOBODY: none of the actors. */
unsigned hrn_system_file_owner(void);

#ifdef __cplusplus
}
#endif
#endif
