/* SPDX-License-Identifier: Apache-2.0 */
/* Peek: the private state that the kill tests read. In C, as the private headers are. */
#ifndef SLM_TESTS_KILL_PEEK_H
#define SLM_TESTS_KILL_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <slabmill/zone.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Returns where the zone is mapped. The tests save and restore slm_segment_bytes of it. */
void *kill_peek_base(const struct slm_zone *zone);
uint64_t kill_peek_lock_word(const struct slm_zone *zone);
enum slm_lock_kind kill_peek_lock_kind(const struct slm_zone *zone);
/* Returns whether that word of a mapped zone names the lock file or the zone's own. */
bool kill_peek_names_a_file(const struct slm_zone *zone, const uint64_t *at);
/* Returns the whole identity in a lock word without its marks. 0: none. */
uint64_t kill_peek_owner_in(uint64_t lock_word);
/* Returns the thread that holds the lock according to its word. 0: none. */
uint64_t kill_peek_holder_in(uint64_t lock_word);
/* Returns whether that thread holds the zone's lock. */
bool kill_peek_is_held_by(const struct slm_zone *zone, int thread_id);
/* Returns whether the next locker must learn of an owner's death once no process lives. */
bool kill_peek_needs_repair(const struct slm_zone *zone);
unsigned kill_peek_n_entries(const struct slm_zone *zone);
bool kill_peek_is_committed(const struct slm_zone *zone);
/* Returns whether the slab has a live object that the journal has not noted. */
bool kill_peek_has_unnoted_object(const struct slm_zone *zone);
/* Returns whether p is a live object according to page words and bits, even in the middle of a
 * call. */
bool kill_peek_is_live(const struct slm_zone *zone, const void *p);
/* Returns the slab's own count, which a rebuild first sets to 0. */
unsigned kill_peek_n_free_pages(const struct slm_zone *zone);

/* The two steps of a move that slm_zone_open makes. */
enum slm_status kill_peek_make_successor(struct slm_zone **to,
                                         const struct slm_zone_options *options);
enum slm_status kill_peek_move(struct slm_zone *from, struct slm_zone *to,
                               const struct slm_zone_options *options);

/* Removes the files that killed processes made to take the zone's place. */
void kill_peek_remove_leftovers(const struct slm_zone *zone);

/* Under the lock: the calling thread makes a copy of the zone from now on. */
void kill_peek_begin_copy(struct slm_zone *zone);

#ifdef __cplusplus
}
#endif
#endif
