/* SPDX-License-Identifier: Apache-2.0 */
/* What a handle knows of the objects of its transaction: which are live, new or released. */
#include <string.h>

#include "allocator/base/bits.h"
#include "allocator/journal/log.h"
#include "allocator/slab/view.h"

enum slm_status slm_journal_refuse(struct slm_journal *journal, enum slm_status status)
{
    if (journal->notes->refusal == SLM_OK) {
        __atomic_store_n(&journal->notes->refusal, status, __ATOMIC_RELAXED);
        journal_forget_live(journal);
    }
    return journal->notes->refusal;
}

enum slm_status slm_journal_need(struct slm_journal *journal, size_t n_entries)
{
    if (SLM_UNLIKELY(!journal_is_mine(journal))) {
        return SLM_E_OWNER;
    }
    bool has_room = journal->log == NULL || journal_has_room(journal, n_entries);
    return SLM_LIKELY(has_room) ? SLM_OK : slm_journal_refuse(journal, SLM_E_FULL);
}

/* The slot of the entry that says `what`, or the free one to put it in. A transaction only adds
 * slots, so the first slot of another generation ends the search. */
static inline struct journal_slot *find_slot(const struct slm_journal *journal, uint64_t what)
{
    struct slm_journal_notes *notes = journal->notes;
    const struct slm_journal_log *log = journal->log;
    uint32_t at = (uint32_t)((what * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & notes->mask;
    while (notes->slots[at].generation == notes->generation &&
           log->entries[notes->slots[at].idx].what != what) {
        at = (at + 1) & notes->mask;
    }
    return &notes->slots[at];
}

/* Whether the log's first n_entries may have the releases that the handle remembers. If not,
 * another handle ended their transaction. */
static inline bool has_releases(const struct slm_journal *journal, uint32_t n_entries)
{
    const struct slm_journal_notes *notes = journal->notes;
    return notes->n_frees != 0 && notes->n_frees <= n_entries && notes->first_free < n_entries;
}

bool slm_journal_is_released(const struct slm_journal *journal, const void *object)
{
    const struct slm_journal_notes *notes = journal->notes;
    if (SLM_LIKELY(!has_releases(journal, journal_n_entries(journal->log)))) {
        return false;
    }
    uint64_t what =
        (uint64_t)JOURNAL_FREE << JOURNAL_KIND_SHIFT | slm_journal_offset(journal, object);
    return notes->n_frees == 1 ? journal->log->entries[notes->first_free].what == what
                               : find_slot(journal, what)->generation == notes->generation;
}

/* The usual case of check_range below: a live chunk that the transaction does not free. */
static inline __attribute__((always_inline)) bool find_live_chunk(struct slm_journal *journal,
                                                                  const void *p, size_t n_bytes)
{
    struct slab_object object;
    bool is_found = SLM_LIKELY(journal->notes->refusal == SLM_OK) &&
                    SLM_LIKELY(slab_find_in_chunk(journal->slab, p, n_bytes, &object)) &&
                    (SLM_LIKELY(journal->notes->n_frees == 0) ||
                     !slm_journal_is_released(journal, object.start));
    if (is_found) {
        journal_remember_live(journal->notes, &object);
    }
    return is_found;
}

/* What recovery could not undo, or what is free, is refused before it is noted. */
static SLM_NOINLINE enum slm_status check_range(struct slm_journal *journal, const void *p,
                                                size_t n_bytes)
{
    struct slab_object object;
    if (journal->notes->refusal != SLM_OK) {
        return journal->notes->refusal;
    }
    enum slm_status status = slm_slab_find_object(journal->slab, p, n_bytes, &object);
    if (status == SLM_OK && slm_journal_is_released(journal, object.start)) {
        status = SLM_E_FREED;
    }
    if (status != SLM_OK) {
        return slm_journal_refuse(journal, status);
    }
    journal_remember_live(journal->notes, &object);
    return SLM_OK;
}

enum slm_status slm_journal_find_range(struct slm_journal *journal, const void *p, size_t n_bytes)
{
    struct slm_journal_notes *notes = journal->notes;
    enum slm_status status = SLM_LIKELY(find_live_chunk(journal, p, n_bytes))
                                 ? SLM_OK
                                 : check_range(journal, p, n_bytes);
    /* Words of the newest object take no entries, but slm_journal_write asks for live ones first. */
    if (SLM_UNLIKELY(notes->live[0].start == notes->fresh.start) && notes->fresh.n_bytes != 0) {
        notes->live[0].n_bytes = 0;
    }
    return status;
}

enum slm_status slm_journal_find_words(struct slm_journal *journal, const void *p, size_t n_bytes)
{
    if (SLM_UNLIKELY(!journal_is_mine(journal))) {
        return SLM_E_OWNER;
    }
    if (SLM_UNLIKELY((uintptr_t)p % sizeof(uint64_t) != 0)) {
        return slm_journal_refuse(journal, SLM_E_ALIGN);
    }
    return slm_journal_find_range(journal, p, n_bytes);
}

/* A run's head says RUN only while the run is live: a release clears the head's word, or makes it
 * FREE. So that word is both of the anchor's. If the head was too far away to be looked for, the
 * object is the part of a run that begins with an inner page, and cannot be the anchor. */
static void set_anchor(struct slm_journal *journal, const struct slab_object *object)
{
    const struct slm_slab *slab = journal->slab;
    size_t offset = (size_t)((uintptr_t)object->start - (uintptr_t)slab->memory);
    size_t head = offset >> slab->shape.page_shift;
    uint64_t word = slab->pages[head].word;
    if (slab_word_kind(word) == SLAB_BODY) {
        head -= slab_word_pages(word);
        word = slab->pages[head].word;
    }
    struct journal_anchor anchor = {
        .object = *object,
        .page_word = &slab->pages[head].word,
        .page_value = word,
        .bits = &slab->pages[head].word,
        .bit = word,
    };
    if (slab_word_kind(word) == SLAB_SPAN) {
        const struct slab_cut *cut = &slab->cuts[slab_word_class(word)];
        uint32_t chunk = slab_cut_idx(cut, offset - (head << slab->shape.page_shift));
        anchor.bits = slab_span_bits(slab, (uint32_t)head) + chunk / SLM_WORD_BITS;
        anchor.bit = UINT64_C(1) << chunk % SLM_WORD_BITS;
    } else if (slab_word_kind(word) != SLAB_RUN) {
        return;
    }
    journal->notes->anchor = anchor;
}

/* The object that this transaction has found or allocated, and that the range lies in. */
static const struct slab_object *find_known(const struct slm_journal_notes *notes, const void *p,
                                            size_t n_bytes)
{
    const struct slab_object *const known[] = {&notes->live[0], &notes->live[1], &notes->fresh};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (journal_is_within(known[i], p, n_bytes)) {
            return known[i];
        }
    }
    return NULL;
}

/* The object of a head that is not in the anchor. */
static SLM_NOINLINE enum slm_status find_head(struct slm_journal *journal, const void *head,
                                              size_t head_bytes)
{
    const struct slab_object *known = find_known(journal->notes, head, head_bytes);
    if (known != NULL && (uintptr_t)head % sizeof(uint64_t) == 0) {
        set_anchor(journal, known);
        return SLM_OK;
    }
    enum slm_status status = slm_journal_find_words(journal, head, head_bytes);
    if (status == SLM_OK) {
        set_anchor(journal, &journal->notes->live[0]);
    }
    return status;
}

static inline bool is_anchored(const struct slm_journal *journal, const void *head,
                               size_t head_bytes)
{
    return (uintptr_t)head % sizeof(uint64_t) == 0 &&
           journal_is_anchored(journal, head, head_bytes);
}

enum slm_status slm_journal_check_head(struct slm_journal *journal, const void *head,
                                       size_t head_bytes, size_t n_entries)
{
    enum slm_status status =
        is_anchored(journal, head, head_bytes) ? SLM_OK : find_head(journal, head, head_bytes);
    return status == SLM_OK ? slm_journal_need(journal, n_entries) : status;
}

/* Whether the range lies in the anchor, which is live. */
static bool find_in_anchor(struct slm_journal *journal, const void *p, size_t n_bytes)
{
    bool is_found = journal->notes->refusal == SLM_OK && journal_is_anchored(journal, p, n_bytes);
    if (is_found) {
        journal_remember_live(journal->notes, &journal->notes->anchor.object);
    }
    return is_found;
}

/* Checks any node, and finds what is wrong with it. */
enum slm_status slm_journal_check_node(struct slm_journal *journal, const void *head,
                                       size_t head_bytes, size_t n_entries, const void *node,
                                       size_t node_bytes)
{
    bool is_good =
        (uintptr_t)node % sizeof(uint64_t) == 0 && journal_is_mine(journal) &&
        (find_live_chunk(journal, node, node_bytes) || find_in_anchor(journal, node, node_bytes));
    enum slm_status status =
        SLM_LIKELY(is_good) ? SLM_OK : slm_journal_find_words(journal, node, node_bytes);
    return status == SLM_OK ? slm_journal_check_head(journal, head, head_bytes, n_entries) : status;
}

/* Afterwards no slot is of this transaction's generation. */
static void begin_generation(struct slm_journal_notes *notes)
{
    if (++notes->generation == 0) {
        memset(notes->slots, 0, ((size_t)notes->mask + 1) * sizeof(struct journal_slot));
        notes->generation = 1;
    }
}

static inline void fill_slot(const struct slm_journal *journal, uint32_t idx)
{
    struct journal_slot *slot = find_slot(journal, journal->log->entries[idx].what);
    *slot = (struct journal_slot){journal->notes->generation, idx};
}

/* Most transactions release one object, which needs no slot: the second release fills the first
 * one's too. */
static SLM_NOINLINE void fill_first_slot(struct slm_journal *journal)
{
    begin_generation(journal->notes);
    fill_slot(journal, journal->notes->first_free);
}

void slm_journal_remember_release(struct slm_journal *journal, const void *p, uint32_t idx)
{
    struct slm_journal_notes *notes = journal->notes;
    if (SLM_LIKELY(!has_releases(journal, idx))) {
        journal_remember_first_release(notes, p, idx);
        return;
    }
    journal_forget_object(notes, p);
    if (SLM_UNLIKELY(notes->n_frees == 1)) {
        fill_first_slot(journal);
    }
    fill_slot(journal, idx);
    notes->n_frees++;
}
