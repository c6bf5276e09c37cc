/* SPDX-License-Identifier: Apache-2.0 */
/* The slab's invariants, evaluated: read-only, bounded, safe on a region with any contents. */
#include <string.h>

#include "allocator/slab/view.h"

/*
 * I1   The constant part of the header is what the view was opened on, and the pages are as many
 *      as the view knows.
 * I2   From page 0 on, each head's word is valid and its length leads to the next head, the last
 *      to the end.
 * I3   Between heads: a free run ends in a tail word of its length, a span's pages have their
 *      distance from the head, every other word is 0.
 * I4   No two free runs are side by side.
 * I5   In a span: the bits after the last chunk are set, n_free is the number of clear ones, hint
 *      is a chunk.
 * I6   A class's list holds exactly its spans with free and used chunks, linked both ways. The span
 *      that the class keeps may be on it too, as the last.
 * I7   An empty span is the one its class keeps; full ones and runs are linked nowhere.
 * I8   Each length's list holds exactly the free runs of that length, linked both ways.
 * I9   A length's bit is set iff its list is not empty; a bit above iff the word below is not 0.
 * I10  A class's counters are the sums over its spans; failures are no more than requests.
 * I11  The header's counters are the sums over runs and kept spans; the peak is no less than what
 *      is used.
 * I12  The root is in the user pages, and its seal is right; so is the offset of the last
 * allocation.
 */
enum invariant { OK, I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I12 };

/* What a walk over the pages finds. */
struct sums {
    uint64_t free_pages;
    uint64_t n_free_runs;
    uint64_t n_runs;
    uint64_t run_pages;
    struct class_sums {
        uint32_t n_spans;
        uint32_t n_partial;
        uint64_t n_chunks;
        uint64_t n_used;
    } classes[SLM_SLAB_CLASSES_MAX];
};

static bool header_is_same(const struct slm_slab *slab)
{
    const struct slab_header *header = slab->header;
    return header->magic == SLAB_MAGIC && header->version == SLAB_VERSION &&
           header->header_bytes == sizeof *header && header->reserved == 0 &&
           slm_slab_layout_n_pages(header, slab->shape.max_pages) == slab->n_pages &&
           memcmp(&header->shape, &slab->shape, sizeof slab->shape) == 0 &&
           memcmp(header->name, slab->name, sizeof slab->name) == 0 &&
           header->checksum == slm_slab_layout_checksum(header);
}

/* I3 for the pages after the head idx. */
static bool inner_is_right(const struct slm_slab *slab, uint32_t idx)
{
    uint64_t head = slab->pages[idx].word;
    uint32_t n_pages = slab_word_pages(head);
    for (uint32_t i = 1; i < n_pages; i++) {
        uint64_t expected = SLAB_INNER;
        if (slab_word_kind(head) == SLAB_SPAN) {
            expected = slab_word(SLAB_BODY, 0, i);
        } else if (slab_word_kind(head) == SLAB_FREE && i == n_pages - 1) {
            expected = slab_word(SLAB_TAIL, 0, n_pages);
        }
        if (slab->pages[idx + i].word != expected) {
            return false;
        }
    }
    return true;
}

static enum invariant check_words(const struct slm_slab *slab)
{
    unsigned kind_before = SLAB_INNER;
    for (uint32_t idx = 0; idx < slab->n_pages; idx += slab_word_pages(slab->pages[idx].word)) {
        unsigned kind = slab_word_kind(slab->pages[idx].word);
        if (!slm_slab_word_is_head(slab, idx)) {
            return I2;
        }
        if (!inner_is_right(slab, idx)) {
            return I3;
        }
        if (kind == SLAB_FREE && kind_before == SLAB_FREE) {
            return I4;
        }
        kind_before = kind;
    }
    return OK;
}

/* Clear bits among a span's chunks, or UINT32_MAX if a bit after the last chunk is clear. */
static uint32_t count_clear(const struct slm_slab *slab, uint32_t span, uint32_t n_chunks)
{
    const uint64_t *bits = slab_span_bits(slab, span);
    uint32_t n_clear = 0;
    for (uint32_t at = 0; at < n_chunks; at += SLM_WORD_BITS) {
        uint64_t clear = ~bits[at / SLM_WORD_BITS];
        uint32_t here = n_chunks - at;
        if (here < SLM_WORD_BITS && (clear & ~slm_bits_below(here)) != 0) {
            return UINT32_MAX;
        }
        n_clear += slm_bit_count(clear);
    }
    return n_clear;
}

static bool is_unlinked(const struct slab_page *page)
{
    return page->next == SLAB_NIL && page->prev == SLAB_NIL;
}

/* With both free and used chunks. */
static bool is_partial(const struct slm_slab *slab, uint32_t span)
{
    const struct slab_page *page = &slab->pages[span];
    return page->n_free != 0 && page->n_free != slab_span_chunks(slab, page->word);
}

static enum invariant check_span(const struct slm_slab *slab, uint32_t span, struct sums *sums)
{
    const struct slab_page *page = &slab->pages[span];
    unsigned class_idx = slab_word_class(page->word);
    struct class_sums *class = &sums->classes[class_idx];
    uint32_t n_chunks = slab_span_chunks(slab, page->word);
    if (count_clear(slab, span, n_chunks) != page->n_free || page->hint >= n_chunks) {
        return I5;
    }
    bool is_empty = page->n_free == n_chunks;
    if (is_empty != (slab->classes[class_idx].kept == span) ||
        (page->n_free == 0 && !is_unlinked(page)) || (is_empty && page->next != SLAB_NIL)) {
        return I7;
    }
    class->n_spans++;
    class->n_partial += is_partial(slab, span);
    class->n_chunks += n_chunks;
    class->n_used += n_chunks - page->n_free;
    return OK;
}

/* I5, I7, and the sums; the words are known to be right. */
static enum invariant check_heads(const struct slm_slab *slab, struct sums *sums)
{
    uint32_t n_pages;
    for (uint32_t idx = 0; idx < slab->n_pages; idx += n_pages) {
        uint64_t word = slab->pages[idx].word;
        enum invariant broken = OK;
        n_pages = slab_word_pages(word);
        if (slab_word_kind(word) == SLAB_SPAN) {
            broken = check_span(slab, idx, sums);
        } else if (slab_word_kind(word) == SLAB_RUN) {
            broken = is_unlinked(&slab->pages[idx]) ? OK : I7;
            sums->n_runs++;
            sums->run_pages += n_pages;
        } else {
            sums->n_free_runs++;
            sums->free_pages += n_pages;
        }
        if (broken != OK) {
            return broken;
        }
    }
    return OK;
}

/*
 * Length of a list all of whose pages carry the kind, class and, if not 0, length of `like`;
 * UINT32_MAX if one does not, or a link back is wrong. As each page's prev is its one predecessor,
 * no page can come twice: the walk ends.
 */
static uint32_t measure_list(const struct slm_slab *slab, uint32_t first, uint64_t like)
{
    uint64_t mask = slab_word_pages(like) == 0 ? UINT64_C(0xffffffff) : UINT64_MAX;
    uint32_t before = SLAB_NIL;
    uint32_t n = 0;
    for (uint32_t idx = first; idx != SLAB_NIL; idx = slab->pages[idx].next) {
        if (idx >= slab->n_pages || (slab->pages[idx].word & mask) != like ||
            slab->pages[idx].prev != before) {
            return UINT32_MAX;
        }
        before = idx;
        n++;
    }
    return n;
}

/* Spans that the class's list must hold. */
static uint32_t count_listed(const struct slm_slab *slab, const struct slab_class *class,
                             uint32_t n_partial)
{
    return n_partial + (class->kept != SLAB_NIL && slab_kept_is_listed(slab, class));
}

static enum invariant check_classes(const struct slm_slab *slab, const struct sums *sums)
{
    for (unsigned i = 0; i < slab->shape.n_classes; i++) {
        const struct slab_class *class = &slab->classes[i];
        const struct class_sums *found = &sums->classes[i];
        uint64_t like = slab_word(SLAB_SPAN, i, 0);
        uint32_t kept = class->kept;
        if (kept != SLAB_NIL &&
            (kept >= slab->n_pages || (slab->pages[kept].word & 0xffffu) != like)) {
            return I7;
        }
        /* The only span of a list has no links, as a full one has none. */
        if (measure_list(slab, class->partial, like) !=
                count_listed(slab, class, found->n_partial) ||
            (class->partial != SLAB_NIL && slab->pages[class->partial].n_free == 0)) {
            return I6;
        }
        if (class->n_spans != found->n_spans || class->n_chunks != found->n_chunks ||
            class->n_used != found->n_used || class->n_failures > class->n_requests ||
            class->reserved != 0) {
            return I10;
        }
    }
    return OK;
}

static enum invariant check_lengths(const struct slm_slab *slab, const struct sums *sums)
{
    uint64_t n_listed = 0;
    for (uint32_t length = 1; length <= slab->n_pages; length++) {
        uint32_t first = slab->pages[length - 1].first_of_length;
        uint64_t word = slab->lengths[0][length / SLM_WORD_BITS];
        uint32_t n = measure_list(slab, first, slab_word(SLAB_FREE, 0, length));
        if (n == UINT32_MAX) {
            return I8;
        }
        if ((word >> length % SLM_WORD_BITS & 1u) != (first != SLAB_NIL)) {
            return I9;
        }
        n_listed += n;
    }
    return n_listed == sums->n_free_runs ? OK : I8;
}

/* Bits of a level: one a length on the lowest, one a word below on the others; none beyond. */
static bool level_is_right(const struct slm_slab *slab, unsigned level)
{
    const uint64_t *words = slab->lengths[level];
    size_t n_bits = level == 0 ? (size_t)slab->n_pages + 1 : slab->length_words[level - 1];
    for (size_t at = 0; level > 0 && at < n_bits; at++) {
        uint64_t bit = words[at / SLM_WORD_BITS] >> at % SLM_WORD_BITS & 1u;
        if (bit != (slab->lengths[level - 1][at] != 0)) {
            return false;
        }
    }
    for (size_t i = n_bits / SLM_WORD_BITS; i < slab->length_words[level]; i++) {
        bool is_split = i == n_bits / SLM_WORD_BITS;
        uint64_t beyond = is_split ? ~slm_bits_below(n_bits % SLM_WORD_BITS) : UINT64_MAX;
        if ((words[i] & beyond) != 0) {
            return false;
        }
    }
    return true;
}

static enum invariant check_levels(const struct slm_slab *slab)
{
    for (unsigned level = 0; level < slab->n_levels; level++) {
        if (!level_is_right(slab, level)) {
            return I9;
        }
    }
    return (slab->lengths[0][0] & 1u) == 0 ? OK : I9;
}

static uint64_t sum_kept(const struct slm_slab *slab)
{
    uint64_t n_pages = 0;
    for (unsigned i = 0; i < slab->shape.n_classes; i++) {
        uint32_t kept = slab->classes[i].kept;
        n_pages += kept == SLAB_NIL ? 0 : slab_word_pages(slab->pages[kept].word);
    }
    return n_pages;
}

static bool root_is_right(const struct slm_slab *slab)
{
    uint64_t root = slab->header->root;
    uint64_t offset = root & SLAB_ROOT_OFFSET;
    return root == 0 || (root == slab_root_seal(offset) && slab_is_in_pages(slab, offset));
}

static bool pending_is_right(const struct slm_slab *slab)
{
    return slab->header->pending == 0 || slab_is_in_pages(slab, slab->header->pending);
}

static enum invariant check_header(const struct slm_slab *slab, const struct sums *sums)
{
    const struct slab_header *header = slab->header;
    uint64_t idle = sums->free_pages + sum_kept(slab);
    if (header->n_free_pages != sums->free_pages || header->n_runs != sums->n_runs ||
        header->n_run_pages != sums->run_pages || header->n_kept_pages != idle - sums->free_pages ||
        header->run_failures > header->run_requests ||
        header->peak_used_pages < slab->n_pages - idle || header->peak_used_pages > slab->n_pages) {
        return I11;
    }
    return root_is_right(slab) && pending_is_right(slab) ? OK : I12;
}

unsigned slm_slab_check_locked(struct slm_slab *slab)
{
    if (slab == NULL) {
        return 0;
    }
    struct sums sums; /* 6 KiB: only as much as there are classes */
    memset(&sums, 0,
           offsetof(struct sums, classes[0]) + slab->shape.n_classes * sizeof *sums.classes);
    enum invariant broken = header_is_same(slab) ? OK : I1;
    if (broken == OK) {
        broken = check_words(slab);
    }
    if (broken == OK) {
        broken = check_heads(slab, &sums);
    }
    if (broken == OK) {
        broken = check_classes(slab, &sums);
    }
    if (broken == OK) {
        broken = check_lengths(slab, &sums);
    }
    if (broken == OK) {
        broken = check_levels(slab);
    }
    return broken == OK ? check_header(slab, &sums) : broken;
}
