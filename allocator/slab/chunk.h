/* SPDX-License-Identifier: Apache-2.0 */
/* One chunk of a span: how it is found, taken and returned. For the calls of users and for span.c. */
#ifndef SLM_SLAB_CHUNK_H
#define SLM_SLAB_CHUNK_H

#include "allocator/base/check.h"
#include "allocator/slab/page_list.h"
#include "allocator/slab/view.h"

/*
 * Counters and lists are derived, so they change first, in any order, and the commit comes last. The
 * steps follow each other so that few values are needed at once: then the callers hold them in
 * registers that no caller of theirs wants back. Saving others was a fifth of their instructions.
 * slab_step keeps the compiler from mixing the steps again.
 */
static inline void slab_step(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* A class of sizes above SLAB_LOW_MAX, gap included. Such classes are equal parts of a doubling, so
 * the bits after the highest one are the index. */
static inline unsigned slab_high_class(const struct slm_slab *slab, size_t bytes)
{
    unsigned high = slm_bit_highest(bytes - 1);
    size_t steps = ((bytes - 1) >> (high - slab->class_shift)) - ((size_t)1 << slab->class_shift);
    unsigned doublings = high - slm_bit_highest(SLAB_LOW_MAX);
    return slab->first_high_class + (doublings << slab->class_shift) + (unsigned)steps;
}

/* The class of a size with its gap, at most the largest class. */
static inline unsigned slab_class_of_bytes(const struct slm_slab *slab, size_t bytes)
{
    return bytes <= SLAB_LOW_MAX ? slab->low_classes[(bytes + SLAB_LOW_STEP - 1) / SLAB_LOW_STEP]
                                 : slab_high_class(slab, bytes);
}

/* If the class kept the span, it uses the span now. */
static inline void slab_span_use(struct slm_slab *slab, struct slab_class *class, size_t span)
{
    if (class->kept == span) {
        class->kept = SLAB_NIL;
        slab->header->n_kept_pages -= slab_word_pages(slab->pages[span].word);
        slab_note_peak(slab);
    }
}

/* Where the next search begins after the chunk was handed out. */
static inline uint16_t slab_hint_after(const struct slm_slab *slab, const struct slab_page *page,
                                       size_t chunk)
{
    if (SLM_CHECKS >= 2) {
        chunk = chunk + 1 == slab_span_chunks(slab, page->word) ? 0 : chunk + 1;
    }
    return (uint16_t)chunk;
}

/* Hands out a free chunk of the first span on its class's list, which the class does not keep. Its bit is in *word, which is bits:
 * below SLM_CHECKS 2 the lowest one that is clear. Never NULL. */
SLAB_INLINE void *slab_chunk_take(struct slm_slab *slab, const struct slab_cut *cut, size_t span,
                                  size_t chunk, slm_word *word, uint64_t bits)
{
    struct slab_class *class = cut->stored;
    struct slab_page *page = &slab->pages[span];
    page->hint = slab_hint_after(slab, page, chunk);
    unsigned char *p = slab->memory + span * slab->page_bytes + chunk * cut->chunk_bytes;
    if (p == NULL) {
        __builtin_unreachable();
    }
    slab_announce(slab, p);
    slab_step();
    class->n_used++;
    page->n_free--;
    if (page->n_free == 0) {
        slab_page_list_pop(slab, &class->partial, page);
    }
    slab_commit(word, bits | (SLM_CHECKS < 2 ? bits + 1 : UINT64_C(1) << chunk % SLM_WORD_BITS));
    return p;
}

#endif
