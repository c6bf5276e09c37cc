/* SPDX-License-Identifier: Apache-2.0 */
/* Page runs of a slab: free ones listed by length, taken by best fit, merged at once. */
#include "allocator/slab/page_list.h"
#include "allocator/slab/view.h"

/*
 * Every length has its own list, and one bit in the lowest bitmap. A bit of a higher bitmap is 1 if
 * a word of the one below is not 0. To find the shortest length that fits takes one walk up and one
 * down: O(levels), at most 6.
 */

static void set_length(struct slm_slab *slab, uint32_t n_pages)
{
    size_t bit = n_pages;
    for (unsigned level = 0; level < slab->n_levels; level++) {
        uint64_t *word = &slab->lengths[level][bit / SLM_WORD_BITS];
        bool was_empty = *word == 0;
        *word |= UINT64_C(1) << bit % SLM_WORD_BITS;
        if (!was_empty) {
            return;
        }
        bit /= SLM_WORD_BITS;
    }
}

static void clear_length(struct slm_slab *slab, uint32_t n_pages)
{
    size_t bit = n_pages;
    for (unsigned level = 0; level < slab->n_levels; level++) {
        uint64_t *word = &slab->lengths[level][bit / SLM_WORD_BITS];
        *word &= ~(UINT64_C(1) << bit % SLM_WORD_BITS);
        if (*word != 0) {
            return;
        }
        bit /= SLM_WORD_BITS;
    }
}

/* From a bit of `level` that is set down to the lowest set bit below it. */
static uint32_t descend_lowest(const struct slm_slab *slab, unsigned level, size_t bit)
{
    while (level > 0) {
        level--;
        SLM_ASSERT(bitmap, slab->lengths[level][bit] != 0);
        bit = bit * SLM_WORD_BITS + slm_bit_lowest(slab->lengths[level][bit]);
    }
    return (uint32_t)bit;
}

uint32_t slm_slab_run_find(const struct slm_slab *slab, uint32_t n_pages)
{
    size_t bit = n_pages;
    for (unsigned level = 0; level < slab->n_levels; level++) {
        size_t at = bit / SLM_WORD_BITS;
        if (at >= slab->length_words[level]) {
            return 0;
        }
        uint64_t word = slab->lengths[level][at] & (UINT64_MAX << bit % SLM_WORD_BITS);
        if (word != 0) {
            return descend_lowest(slab, level, at * SLM_WORD_BITS + slm_bit_lowest(word));
        }
        bit = at + 1;
    }
    return 0;
}

uint32_t slm_slab_run_longest(const struct slm_slab *slab)
{
    size_t bit = 0;
    for (unsigned level = slab->n_levels; level-- > 0;) {
        /* Damaged regions have statistics too. */
        if (bit >= slab->length_words[level]) {
            return 0;
        }
        uint64_t word = slab->lengths[level][bit];
        if (word == 0) {
            return 0;
        }
        bit = bit * SLM_WORD_BITS + slm_bit_highest(word);
    }
    return (uint32_t)bit;
}

void slm_slab_run_link(struct slm_slab *slab, uint32_t idx, uint32_t n_pages)
{
    uint32_t *first = &slab->pages[n_pages - 1].first_of_length;
    if (*first == SLAB_NIL) {
        set_length(slab, n_pages);
    }
    slab_page_list_push(slab, first, idx);
}

static void unlink_run(struct slm_slab *slab, uint32_t idx, uint32_t n_pages)
{
    uint32_t *first = &slab->pages[n_pages - 1].first_of_length;
    SLM_ASSERT(page, slab->pages[idx].word == slab_word(SLAB_FREE, 0, n_pages));
    slab_page_list_remove(slab, first, idx);
    if (*first == SLAB_NIL) {
        clear_length(slab, n_pages);
    }
}

void slm_slab_run_mark_free(struct slm_slab *slab, uint32_t idx, uint32_t n_pages)
{
    slab_commit(&slab->pages[idx].word, slab_word(SLAB_FREE, 0, n_pages));
    if (n_pages > 1) {
        slab->pages[idx + n_pages - 1].word = slab_word(SLAB_TAIL, 0, n_pages);
    }
}

/*
 *   before  [FREE 7 . . . . . TAIL 7]
 *   after   [FREE 7 . . FREE 4 . TAIL 4]
 *            ^ 3 pages: the caller's commit on the first word makes the rest a run of its own;
 *              until then a walk by lengths steps over the new head.
 */
uint32_t slm_slab_run_take(struct slm_slab *slab, uint32_t n_pages)
{
    uint32_t length = slm_slab_run_find(slab, n_pages);
    if (length == 0) {
        return SLAB_NIL;
    }
    uint32_t idx = slab->pages[length - 1].first_of_length;
    SLM_ASSERT(index, idx < slab->n_pages && length <= slab->n_pages - idx);
    unlink_run(slab, idx, length);
    if (length > n_pages) {
        slm_slab_run_mark_free(slab, idx + n_pages, length - n_pages);
        slm_slab_run_link(slab, idx + n_pages, length - n_pages);
    } else if (length > 1) {
        slab->pages[idx + length - 1].word = 0;
    }
    slab->header->n_free_pages -= n_pages;
    slab_note_peak(slab);
    return idx;
}

/* Length of the free run that ends just before idx, or 0. */
static uint32_t free_before(const struct slm_slab *slab, uint32_t idx)
{
    if (idx == 0) {
        return 0;
    }
    uint64_t word = slab->pages[idx - 1].word;
    unsigned kind = slab_word_kind(word);
    bool is_end = kind == SLAB_TAIL || kind == SLAB_FREE;
    SLM_ASSERT(page, !is_end || slab_word_pages(word) <= idx);
    return is_end ? slab_word_pages(word) : 0;
}

/* Length of the free run that starts at idx, or 0. */
static uint32_t free_at(const struct slm_slab *slab, uint32_t idx)
{
    if (idx == slab->n_pages) {
        return 0;
    }
    uint64_t word = slab->pages[idx].word;
    return slab_word_kind(word) == SLAB_FREE ? slab_word_pages(word) : 0;
}

/*
 *   before  [FREE 2 TAIL 2][RUN 2 .][FREE 2 TAIL 2]
 *   commit  [FREE 6 ......                        ]   one store frees and merges on both sides
 *   after   [FREE 6 . . . . TAIL 6]                   then the inner words are cleared
 */
uint32_t slm_slab_run_give(struct slm_slab *slab, uint32_t idx, uint32_t n_pages)
{
    uint32_t before = free_before(slab, idx);
    uint32_t after = free_at(slab, idx + n_pages);
    uint32_t first = idx - before;
    uint32_t length = before + n_pages + after;
    if (before != 0) {
        unlink_run(slab, first, before);
    }
    if (after != 0) {
        unlink_run(slab, idx + n_pages, after);
    }
    slab_commit(&slab->pages[first].word, slab_word(SLAB_FREE, 0, length));
    if (before != 0) {
        slab->pages[idx].word = 0;
    }
    if (before > 1) {
        slab->pages[idx - 1].word = 0;
    }
    if (after != 0) {
        slab->pages[idx + n_pages].word = 0;
    }
    slm_slab_run_mark_free(slab, first, length);
    slm_slab_run_link(slab, first, length);
    slab->header->n_free_pages += n_pages;
    return first;
}

uint32_t slm_slab_run_head(const struct slm_slab *slab, uint32_t idx)
{
    while (idx > 0 && slab->pages[idx].word == SLAB_INNER) {
        idx--;
    }
    return idx;
}
