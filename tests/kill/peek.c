/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kill/peek.h"

#include "allocator/journal/log.h"
#include "allocator/lock/word.h"
#include "allocator/segment/for_zone.h"
#include "allocator/slab/view.h"
#include "allocator/zone/handle.h"

void *kill_peek_base(const struct slm_zone *zone)
{
    return zone->header;
}

uint64_t kill_peek_lock_word(const struct slm_zone *zone)
{
    return __atomic_load_n(&zone->header->lock.word, __ATOMIC_SEQ_CST);
}

bool kill_peek_names_a_file(const struct slm_zone *zone, const uint64_t *at)
{
    const struct slm_lock_state *state = &zone->header->lock;
    return at == &state->file_inode || at == &state->file_device ||
           at == &zone->header->whole_file || at == &zone->header->vouched;
}

enum slm_lock_kind kill_peek_lock_kind(const struct slm_zone *zone)
{
    return (enum slm_lock_kind)zone->fixed.lock_kind;
}

uint64_t kill_peek_owner_in(uint64_t lock_word)
{
    return slm_lock_owner_in(lock_word);
}

uint64_t kill_peek_holder_in(uint64_t lock_word)
{
    return lock_word & SLM_LOCK_TID;
}

bool kill_peek_is_held_by(const struct slm_zone *zone, int thread_id)
{
    return kill_peek_holder_in(kill_peek_lock_word(zone)) == (uint64_t)thread_id;
}

bool kill_peek_needs_repair(const struct slm_zone *zone)
{
    uint64_t word = kill_peek_lock_word(zone);
    return slm_lock_owner_in(word) != 0 || (word & SLM_LOCK_REPAIR) != 0;
}

unsigned kill_peek_n_entries(const struct slm_zone *zone)
{
    return (unsigned)__atomic_load_n(&zone->journal.log->state, __ATOMIC_SEQ_CST);
}

bool kill_peek_is_committed(const struct slm_zone *zone)
{
    return (__atomic_load_n(&zone->journal.log->state, __ATOMIC_SEQ_CST) & JOURNAL_COMMITTED) != 0;
}

bool kill_peek_has_unnoted_object(const struct slm_zone *zone)
{
    return kill_peek_n_entries(zone) == 0 && slm_slab_last_allocation_locked(zone->slab) != NULL;
}

bool kill_peek_is_live(const struct slm_zone *zone, const void *p)
{
    return slm_slab_check_pointer_locked(zone->slab, p) == SLM_OK;
}

unsigned kill_peek_n_free_pages(const struct slm_zone *zone)
{
    return __atomic_load_n(&zone->slab->header->n_free_pages, __ATOMIC_SEQ_CST);
}

void kill_peek_begin_copy(struct slm_zone *zone)
{
    (void)slm_zone_begin_copy(zone, NULL);
}

enum slm_status kill_peek_make_successor(struct slm_zone **to,
                                         const struct slm_zone_options *options)
{
    return slm_zone_make_successor(to, options, NULL);
}

enum slm_status kill_peek_move(struct slm_zone *from, struct slm_zone *to,
                               const struct slm_zone_options *options)
{
    return slm_zone_move(from, to, options, NULL);
}

void kill_peek_remove_leftovers(const struct slm_zone *zone)
{
    slm_segment_remove_leftovers(zone->segment);
}
