/* SPDX-License-Identifier: Apache-2.0 */
/* The source for arenas, which records all its blocks. */
#include <string.h>

#include "harness/base/poison.h"
#include "harness/base/quiet.h"
#include "harness/laws/laws.h"
#include "harness/memory/memory.h"

HRN_QUIET_BEGIN

#define JUNK_BYTES 4096u

/* Directly before each block. An underrun overwrites the mark first. */
struct hrn_source_block {
    struct hrn_source_block *prev; /* newer, or needed later */
    struct hrn_source_block *next;
    const struct hrn_source *owner;
    size_t size_bytes;
    size_t align_bytes;
    uint64_t mark;
};
_Static_assert(sizeof(struct hrn_source_block) <= HRN_HEAP_FRONT_BYTES, "no room for the header");
#define MARK_LIVE UINT64_C(0x51ab0b10c0000001)

static struct hrn_source_block *block_head(void *block)
{
    unsigned char *end = block;
    return (struct hrn_source_block *)(void *)(end - sizeof(struct hrn_source_block));
}

/* Whether the nth call, from 1, is refused for any size. */
static bool is_planned(const struct hrn_source *source, uint64_t nth)
{
    return source->fail_at != 0 && nth >= source->fail_at &&
           nth - source->fail_at < source->fail_count;
}

bool hrn_source_skip_refused(struct hrn_source *source)
{
    bool refused = is_planned(source, source->n_calls + 1);
    source->n_calls += refused;
    source->n_refused += refused;
    return refused;
}

static bool must_refuse(struct hrn_source *source, size_t size_bytes)
{
    return is_planned(source, ++source->n_calls) || size_bytes > HRN_SOURCE_BLOCK_MAX ||
           source->live_bytes + size_bytes > HRN_SOURCE_TOTAL_MAX;
}

/* Junk at both ends: enough to notice a calloc that does not zero. */
static void fill_junk(const struct hrn_source *source, unsigned char *p, size_t n)
{
    size_t part = n < JUNK_BYTES ? n : JUNK_BYTES;
    memset(p, source->junk, part);
    memset(p + n - part, source->junk, part);
}

static void note_taken(struct hrn_source_total *total, size_t size_bytes)
{
    total->bytes += size_bytes;
    if (total->bytes > total->peak_bytes) {
        total->peak_bytes = total->bytes;
    }
}

static bool block_has(const struct hrn_source_block *head, const void *p, size_t n)
{
    uintptr_t start = (uintptr_t)(head + 1);
    uintptr_t at = (uintptr_t)p;
    return at >= start && at - start <= head->size_bytes && n <= head->size_bytes - (at - start);
}

/* Takes a block out of the list. */
static void take_out(struct hrn_source *source, const struct hrn_source_block *head)
{
    if (head->prev != NULL) {
        head->prev->next = head->next;
    } else {
        source->blocks = head->next;
    }
    if (head->next != NULL) {
        head->next->prev = head->prev;
    }
}

static void put_first(struct hrn_source *source, struct hrn_source_block *head)
{
    head->prev = NULL;
    head->next = source->blocks;
    if (source->blocks != NULL) {
        source->blocks->prev = head;
    }
    source->blocks = head;
}

static void *source_alloc(void *data, size_t size_bytes, size_t align_bytes)
{
    struct hrn_source *source = data;
    unsigned char *block = NULL;
    if (!must_refuse(source, size_bytes)) {
        block = hrn_heap_take(size_bytes, align_bytes);
    }
    if (block == NULL) {
        source->n_refused++;
        return NULL;
    }
    struct hrn_source_block *head = block_head(block);
    *head = (struct hrn_source_block){
        .owner = source, .size_bytes = size_bytes, .align_bytes = align_bytes, .mark = MARK_LIVE};
    put_first(source, head);
    source->live_blocks++;
    source->live_bytes += size_bytes;
    note_taken(source->total, size_bytes);
    fill_junk(source, block, size_bytes);
    return block;
}

bool hrn_source_has(struct hrn_source *source, const void *p, size_t n)
{
    struct hrn_source_block *head = source->blocks;
    while (head != NULL && !block_has(head, p, n)) {
        head = head->next;
    }
    if (head != NULL && head != source->blocks) {
        take_out(source, head);
        put_first(source, head);
    }
    return head != NULL;
}

static void unlink_block(struct hrn_source *source, struct hrn_source_block *head)
{
    take_out(source, head);
    head->mark = 0;
    source->live_blocks--;
    source->live_bytes -= head->size_bytes;
    source->total->bytes -= head->size_bytes;
}

static void release_block(void *block)
{
    if (block != NULL) {
        hrn_heap_give(block);
    }
}

/* Keeps the last few returned blocks for a while, so that a second return or a late access is
 * noticed. */
static void hold_back(struct hrn_source *source, void *block)
{
    void **slot = &source->held[source->n_returned++ % HRN_SOURCE_N_HELD];
    release_block(*slot);
    *slot = block;
}

static void source_free(void *data, void *block, size_t size_bytes, size_t align_bytes)
{
    struct hrn_source *source = data;
    struct hrn_source_block *head = block_head(block);
    if (head->mark != MARK_LIVE || head->owner != source) {
        hrn_law_source_return("%p is no live block of this source", block);
    }
    if (head->size_bytes != size_bytes || head->align_bytes != align_bytes) {
        hrn_law_source_return("%p was given as %zu bytes at %zu, and returned as %zu at %zu", block,
                              head->size_bytes, head->align_bytes, size_bytes, align_bytes);
    }
    hrn_poison_hide(block, size_bytes);
    unlink_block(source, head);
    hold_back(source, block);
}

void hrn_source_init(struct hrn_source *source, struct hrn_source_total *total, unsigned char junk)
{
    memset(source, 0, sizeof *source);
    source->total = total;
    source->junk = junk;
    source->source = (struct slm_adapter_source){source_alloc, source_free, source};
}

void hrn_source_drop(struct hrn_source *source)
{
    while (source->blocks != NULL) {
        struct hrn_source_block *head = source->blocks;
        unlink_block(source, head);
        release_block(head + 1);
    }
    for (unsigned i = 0; i < HRN_SOURCE_N_HELD; i++) {
        release_block(source->held[i]);
        source->held[i] = NULL;
    }
}

HRN_QUIET_END
