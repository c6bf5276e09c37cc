/* SPDX-License-Identifier: Apache-2.0 */
/* Peek: what the kill tests look at behind the public headers. C, as those headers are. */
#ifndef SLM_TESTS_KILL_PEEK_H
#define SLM_TESTS_KILL_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <slabmill/zone.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where the zone is mapped; bytes of it that are kept and put back are slm_segment_bytes. */
void *kill_peek_base(const struct slm_zone *zone);
uint64_t kill_peek_lock_word(const struct slm_zone *zone);
enum slm_lock_kind kill_peek_lock_kind(const struct slm_zone *zone);
/* Whether that word of a mapped zone says which lock file it is. */
bool kill_peek_names_lock_file(const struct slm_zone *zone, const uint64_t *at);
/* The whole identity in it, whatever marks it bears, 0: none. */
uint64_t kill_peek_owner_in(uint64_t lock_word);
/* The thread that a word of a lock says holds it, 0: none. */
uint64_t kill_peek_holder_in(uint64_t lock_word);
/* Whose lock word it is. */
bool kill_peek_is_held_by(const struct slm_zone *zone, int thread_id);
/* Whether the next locker has to be told that an owner died, once nobody lives. */
bool kill_peek_needs_repair(const struct slm_zone *zone);
unsigned kill_peek_n_entries(const struct slm_zone *zone);
bool kill_peek_is_committed(const struct slm_zone *zone);
/* Whether the slab has an object that is live and not noted by the journal. */
bool kill_peek_is_on_its_way(const struct slm_zone *zone);
/* Whether p is a live object, as page words and bits have it in the middle of whatever. */
bool kill_peek_is_live(const struct slm_zone *zone, const void *p);
/* As the slab counts them, which a rebuild begins by forgetting. */
unsigned kill_peek_n_free_pages(const struct slm_zone *zone);

#ifdef __cplusplus
}
#endif
#endif
