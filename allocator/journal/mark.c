/* SPDX-License-Identifier: Apache-2.0 */
/* What a transaction changed, for a copy of the zone that is made while others work. */
#include "allocator/journal/log.h"
#include "allocator/slab/place.h"

/*
 * The slab itself reports the words of pages, which is all that a reset changes. Here are the words and objects that the entries name,
 * and the bits of allocations and releases. An object that is new was written to directly, so all of
 * it counts.
 */
static void mark_object(const struct slm_slab *slab, const void *p, bool is_new)
{
    struct slab_place place;
    if (slab_place_find(slab, p, &place) != SLM_OK) {
        return;
    }
    if (place.kind == SLM_SLAB_CHUNK_USED) {
        slab_mark(slab, slab_span_bits(slab, place.head) + place.chunk / SLM_WORD_BITS,
                  sizeof(uint64_t));
    }
    if (is_new) {
        slab_mark(slab, p, slab_place_bytes(slab, &place));
    }
}

void slm_journal_mark_changes(const struct slm_journal *journal)
{
    const struct slm_journal_log *log = journal->log;
    uint32_t n_entries = journal_n_entries(log);
    for (uint32_t i = 0; i < n_entries; i++) {
        const struct journal_entry *entry = &log->entries[i];
        unsigned kind = journal_kind_of(entry);
        void *p = slm_journal_pointer(journal, entry->what & JOURNAL_OFFSET);
        if (kind == JOURNAL_WORD) {
            slab_mark(journal->slab, p, sizeof(uint64_t));
        } else if (kind == JOURNAL_ALLOC || kind == JOURNAL_FREE) {
            mark_object(journal->slab, p, kind == JOURNAL_ALLOC);
        }
    }
}
