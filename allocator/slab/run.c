/* SPDX-License-Identifier: Apache-2.0 */
/* Page runs of a slab: free ones listed by length, taken by best fit, merged at once. */
#include "allocator/slab/page_list.h"
#include "allocator/slab/view.h"

/*
 * Every length has its own list, and one bit in the lowest bitmap. A bit of a higher bitmap is 1 if
 * a word of the one below is not 0. To find the shortest length that fits takes one walk up and one
 * down: O(levels), at most 6.
 */

/* The word of a level is not empty any more. */
static SLM_NOINLINE void set_above(struct slm_slab *slab, size_t bit)
{
    for (unsigned level = 1; level < slab->n_levels; level++) {
        uint64_t *word = &slab->lengths[level][bit / SLM_WORD_BITS];
        bool was_empty = *word == 0;
        *word |= UINT64_C(1) << bit % SLM_WORD_BITS;
        if (!was_empty) {
            return;
        }
        bit /= SLM_WORD_BITS;
    }
}

/* The word of a level is empty now. */
static SLM_NOINLINE void clear_above(struct slm_slab *slab, size_t bit)
{
    for (unsigned level = 1; level < slab->n_levels; level++) {
        uint64_t *word = &slab->lengths[level][bit / SLM_WORD_BITS];
        *word &= ~(UINT64_C(1) << bit % SLM_WORD_BITS);
        if (*word != 0) {
            return;
        }
        bit /= SLM_WORD_BITS;
    }
}

static inline uint64_t length_bit(uint32_t n_pages)
{
    return UINT64_C(1) << n_pages % SLM_WORD_BITS;
}

static inline void set_length(struct slm_slab *slab, uint32_t n_pages)
{
    uint64_t *word = &slab->lengths[0][n_pages / SLM_WORD_BITS];
    bool was_empty = *word == 0;
    *word |= length_bit(n_pages);
    if (was_empty) {
        set_above(slab, n_pages / SLM_WORD_BITS);
    }
}

static inline void clear_length(struct slm_slab *slab, uint32_t n_pages)
{
    uint64_t *word = &slab->lengths[0][n_pages / SLM_WORD_BITS];
    *word &= ~length_bit(n_pages);
    if (*word == 0) {
        clear_above(slab, n_pages / SLM_WORD_BITS);
    }
}

/* The only run of the length `from` becomes the only one of the length `to`, not the same. Most
 * often their bits are in one word, which stays full, so no level above changes. */
static inline void move_length(struct slm_slab *slab, uint32_t from, uint32_t to)
{
    if (from / SLM_WORD_BITS == to / SLM_WORD_BITS) {
        slab->lengths[0][from / SLM_WORD_BITS] ^= length_bit(from) | length_bit(to);
    } else {
        clear_length(slab, from);
        set_length(slab, to);
    }
}

/* From a bit of `level` that is set down to the lowest set bit below it. */
static uint32_t descend_lowest(const struct slm_slab *slab, unsigned level, size_t bit)
{
#pragma GCC unroll 1 /* one to five steps: the count of an unrolled loop costs more */
    while (level > 0) {
        level--;
        SLM_ASSERT(bitmap, slab->lengths[level][bit] != 0);
        bit = bit * SLM_WORD_BITS + slm_bit_lowest(slab->lengths[level][bit]);
    }
    return (uint32_t)bit;
}

/* slm_slab_run_find from a bit of a level on. */
static SLM_NOINLINE uint32_t find_above(const struct slm_slab *slab, unsigned level, size_t bit)
{
    for (; level < slab->n_levels; level++) {
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

/* The two lowest levels, which slabs of 16 MiB have, without a loop. */
SLAB_INLINE uint32_t find_length(const struct slm_slab *slab, uint32_t n_pages)
{
    size_t at = n_pages / SLM_WORD_BITS;
    if (SLM_UNLIKELY(at >= slab->length_words[0])) {
        return 0;
    }
    uint64_t word = slab->lengths[0][at] & (UINT64_MAX << n_pages % SLM_WORD_BITS);
    if (word != 0) {
        return (uint32_t)(at * SLM_WORD_BITS + slm_bit_lowest(word));
    }
    size_t bit = at + 1;
    size_t above = bit / SLM_WORD_BITS;
    if (slab->n_levels == 1 || above >= slab->length_words[1]) {
        return 0;
    }
    word = slab->lengths[1][above] & (UINT64_MAX << bit % SLM_WORD_BITS);
    if (SLM_UNLIKELY(word == 0)) {
        return find_above(slab, 2, above + 1);
    }
    at = above * SLM_WORD_BITS + slm_bit_lowest(word);
    SLM_ASSERT(bitmap, slab->lengths[0][at] != 0);
    return (uint32_t)(at * SLM_WORD_BITS + slm_bit_lowest(slab->lengths[0][at]));
}

uint32_t slm_slab_run_find(const struct slm_slab *slab, uint32_t n_pages)
{
    return find_length(slab, n_pages);
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

static inline uint32_t *list_of_length(struct slm_slab *slab, uint32_t n_pages)
{
    return &slab->pages[n_pages - 1].first_of_length;
}

void slm_slab_run_link(struct slm_slab *slab, uint32_t idx, uint32_t n_pages)
{
    uint32_t *first = list_of_length(slab, n_pages);
    if (*first == SLAB_NIL) {
        set_length(slab, n_pages);
    }
    slab_page_list_push(slab, first, idx);
}

/* Takes the run off its list. Whether the list is empty now, and still has its length's bit. */
static inline bool unlist_run(struct slm_slab *slab, uint32_t idx, uint32_t n_pages)
{
    uint32_t *first = list_of_length(slab, n_pages);
    SLM_ASSERT(page, slab->pages[idx].word == slab_word(SLAB_FREE, 0, n_pages));
    slab_page_list_remove(slab, first, idx);
    return *first == SLAB_NIL;
}

static void unlink_run(struct slm_slab *slab, uint32_t idx, uint32_t n_pages)
{
    if (unlist_run(slab, idx, n_pages)) {
        clear_length(slab, n_pages);
    }
}

/* Lists the run, after a run of another length was unlisted. is_emptied: it was the last of its
 * length. */
SLAB_INLINE void link_after(struct slm_slab *slab, uint32_t from_pages, bool is_emptied,
                            uint32_t idx, uint32_t n_pages)
{
    uint32_t *first = list_of_length(slab, n_pages);
    bool was_empty = *first == SLAB_NIL;
    slab_page_list_push(slab, first, idx);
    if (is_emptied && was_empty) {
        move_length(slab, from_pages, n_pages);
    } else if (is_emptied) {
        clear_length(slab, from_pages);
    } else if (was_empty) {
        set_length(slab, n_pages);
    }
}

void slm_slab_run_mark_free(struct slm_slab *slab, uint32_t idx, uint32_t n_pages)
{
    slab_commit(&slab->pages[idx].word, slab_word(SLAB_FREE, 0, n_pages));
    slab_mark(slab, &slab->pages[idx].word, sizeof slab->pages[idx].word);
    if (n_pages > 1) {
        slab->pages[idx + n_pages - 1].word = slab_word(SLAB_TAIL, 0, n_pages);
    }
}

/* Before anything changes: a refusal leaves the pages free. */
static bool back_pages(const struct slm_slab *slab, uint32_t idx, uint32_t n_pages)
{
    return slab->back(slab->back_data, slab_page_memory(slab, idx), n_pages * slab->page_bytes);
}

/*
 *   before  [FREE 7 . . . . . TAIL 7]
 *   after   [FREE 7 . . FREE 4 . TAIL 4]
 *            ^ 3 pages: the caller's commit on the first word makes the rest a run of its own;
 *              until then a walk by lengths steps over the new head.
 */
SLAB_INLINE uint32_t take_run(struct slm_slab *slab, uint32_t n_pages)
{
    uint32_t length = find_length(slab, n_pages);
    if (length == 0) {
        return SLAB_NIL;
    }
    uint32_t *first = list_of_length(slab, length);
    uint32_t idx = *first;
    SLM_ASSERT(index, idx < slab->n_pages && length <= slab->n_pages - idx);
    SLM_ASSERT(page, slab->pages[idx].word == slab_word(SLAB_FREE, 0, length));
    if (SLM_UNLIKELY(*slab->may_have_holes != 0) && !back_pages(slab, idx, n_pages)) {
        return SLAB_NIL;
    }
    slab_page_list_pop(slab, first, &slab->pages[idx]);
    bool is_emptied = *first == SLAB_NIL;
    if (length > n_pages) {
        slm_slab_run_mark_free(slab, idx + n_pages, length - n_pages);
        link_after(slab, length, is_emptied, idx + n_pages, length - n_pages);
    } else {
        if (length > 1) {
            slab->pages[idx + length - 1].word = 0;
        }
        if (is_emptied) {
            clear_length(slab, length);
        }
    }
    slab->header->n_free_pages -= n_pages;
    slab_note_peak(slab);
    return idx;
}

uint32_t slm_slab_run_take(struct slm_slab *slab, uint32_t n_pages)
{
    return take_run(slab, n_pages);
}

void *slm_slab_run_alloc(struct slm_slab *slab, uint32_t n_pages)
{
    uint32_t idx = take_run(slab, n_pages);
    if (SLM_UNLIKELY(idx == SLAB_NIL)) {
        return NULL;
    }
    struct slab_header *header = slab->header;
    unsigned char *run = slab_page_memory(slab, idx);
    header->n_runs++;
    header->n_run_pages += n_pages;
    slab_announce(slab, run);
    slab_commit(&slab->pages[idx].word, slab_word(SLAB_RUN, 0, n_pages));
    slab_mark(slab, &slab->pages[idx].word, sizeof slab->pages[idx].word);
    return run;
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

/* Lists [first, ...) as one run, in place of the free ones at its ends; 0: there is none. */
SLAB_INLINE void relink(struct slm_slab *slab, uint32_t first, uint32_t before, uint32_t after,
                        uint32_t n_pages)
{
    uint32_t length = before + n_pages + after;
    if (before == 0 && after == 0) {
        slm_slab_run_link(slab, first, length);
        return;
    }
    if (before != 0 && after != 0) {
        unlink_run(slab, first + before + n_pages, after);
    }
    uint32_t from_pages = before != 0 ? before : after;
    bool is_emptied = unlist_run(slab, before != 0 ? first : first + n_pages, from_pages);
    link_after(slab, from_pages, is_emptied, first, length);
}

/*
 *   before  [FREE 2 TAIL 2][RUN 2 .][FREE 2 TAIL 2]
 *   commit  [FREE 6 ......                        ]   one store frees and merges on both sides
 *   after   [FREE 6 . . . . TAIL 6]                   then the inner words are cleared
 */
SLAB_INLINE uint32_t give_run(struct slm_slab *slab, uint32_t idx, uint32_t n_pages)
{
    uint32_t before = free_before(slab, idx);
    uint32_t after = free_at(slab, idx + n_pages);
    uint32_t first = idx - before;
    uint32_t length = before + n_pages + after;
    relink(slab, first, before, after, n_pages);
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
    slab->header->n_free_pages += n_pages;
    return first;
}

uint32_t slm_slab_run_give(struct slm_slab *slab, uint32_t idx, uint32_t n_pages)
{
    return give_run(slab, idx, n_pages);
}

enum slm_status slm_slab_run_free(struct slm_slab *slab, void *run)
{
    size_t offset = (size_t)((uintptr_t)run - (uintptr_t)slab->memory);
    uint32_t idx = (uint32_t)(offset >> slab->shape.page_shift);
    uint32_t n_pages = slab_word_pages(slab->pages[idx].word);
    if (slab_is_poisoned(slab)) {
        slm_slab_poison_hide(slab, run, n_pages * slab->page_bytes);
    }
    slab->header->n_runs--;
    slab->header->n_run_pages -= n_pages;
    (void)give_run(slab, idx, n_pages);
    slab_fill_freed(slab, run, n_pages * slab->page_bytes);
    SLM_CHECK_ALL(slm_slab_check_locked(slab));
    return SLM_OK;
}

uint32_t slm_slab_run_head(const struct slm_slab *slab, uint32_t idx)
{
    while (idx > 0 && slab->pages[idx].word == SLAB_INNER) {
        idx--;
    }
    return idx;
}
