/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that arenas get: a source that keeps the books, and fenced regions. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "allocator/base/poison.h"
#include "harness/priv.h"
#include "harness/quiet.h"

HRN_QUIET_BEGIN

#define JUNK        0xA5 /* what fresh memory holds: never zero, never a small number */
#define JUNK_BYTES  4096u
#define FENCE       0xFE
#define PAGE_BYTES  4096u
#define BLOCK_ALIGN 64u

/* --- Source --- */

/* Right in front of each block; an underrun meets the mark first. */
struct hrn_source_block {
    struct hrn_source_block *prev; /* newer */
    struct hrn_source_block *next; /* older */
    void *base;                    /* of the heap block */
    const struct hrn_source *owner;
    size_t size_bytes;
    size_t align_bytes;
    uint64_t mark;
};
_Static_assert(sizeof(struct hrn_source_block) <= BLOCK_ALIGN, "no room for the header");
#define MARK_LIVE UINT64_C(0x51ab0b10c0000001)

static struct hrn_source_block *block_head(void *block)
{
    unsigned char *end = block;
    return (struct hrn_source_block *)(void *)(end - sizeof(struct hrn_source_block));
}

static bool must_refuse(struct hrn_source *source, size_t size_bytes)
{
    source->n_calls++;
    bool planned = source->fail_at != 0 && source->n_calls >= source->fail_at &&
                   source->n_calls - source->fail_at < source->fail_count;
    return planned || size_bytes > HRN_SOURCE_BLOCK_MAX ||
           source->live_bytes + size_bytes > HRN_SOURCE_TOTAL_MAX;
}

/* Junk at both ends: enough for a calloc that forgets to zero to be seen. */
static void fill_junk(unsigned char *p, size_t n)
{
    size_t part = n < JUNK_BYTES ? n : JUNK_BYTES;
    memset(p, JUNK, part);
    memset(p + n - part, JUNK, part);
}

static void note_taken(size_t size_bytes)
{
    struct hrn_run *run = &hrn_run_state;
    run->source_bytes += size_bytes;
    if (run->source_bytes > run->result->peak_source_bytes) {
        run->result->peak_source_bytes = run->source_bytes;
    }
}

static void *source_alloc(void *data, size_t size_bytes, size_t align_bytes)
{
    struct hrn_source *source = data;
    size_t front = align_bytes < BLOCK_ALIGN ? BLOCK_ALIGN : align_bytes;
    void *base;
    if (must_refuse(source, size_bytes) || posix_memalign(&base, front, front + size_bytes) != 0) {
        source->n_refused++;
        return NULL;
    }
    unsigned char *block = (unsigned char *)base + front;
    struct hrn_source_block *head = block_head(block);
    *head = (struct hrn_source_block){.next = source->blocks,
                                      .base = base,
                                      .owner = source,
                                      .size_bytes = size_bytes,
                                      .align_bytes = align_bytes,
                                      .mark = MARK_LIVE};
    if (source->blocks != NULL) {
        source->blocks->prev = head;
    }
    source->blocks = head;
    source->live_blocks++;
    source->live_bytes += size_bytes;
    note_taken(size_bytes);
    fill_junk(block, size_bytes);
    return block;
}

static void unlink_block(struct hrn_source *source, struct hrn_source_block *head)
{
    if (head->prev != NULL) {
        head->prev->next = head->next;
    } else {
        source->blocks = head->next;
    }
    if (head->next != NULL) {
        head->next->prev = head->prev;
    }
    head->mark = 0;
    source->live_blocks--;
    source->live_bytes -= head->size_bytes;
    hrn_run_state.source_bytes -= head->size_bytes;
}

static void let_go(struct hrn_source_block *head)
{
    if (head != NULL) {
        slm_poison_open(head + 1, head->size_bytes);
        free(head->base);
    }
}

/* The last few returned are held back, so that a second return is told and a late access seen. */
static void hold(struct hrn_source *source, struct hrn_source_block *head)
{
    struct hrn_source_block **slot = &source->held[source->n_returned++ % HRN_SOURCE_N_HELD];
    let_go(*slot);
    *slot = head;
    slm_poison_hide(head + 1, head->size_bytes);
}

static void source_free(void *data, void *block, size_t size_bytes, size_t align_bytes)
{
    struct hrn_source *source = data;
    struct hrn_source_block *head = block_head(block);
    if (head->mark != MARK_LIVE || head->owner != source) {
        hrn_law_source_return("%p is no live block of this source", block);
    }
    if (head->size_bytes != size_bytes || head->align_bytes != align_bytes) {
        hrn_law_source_return("%p came as %zu bytes at %zu, and returns as %zu at %zu", block,
                              head->size_bytes, head->align_bytes, size_bytes, align_bytes);
    }
    unlink_block(source, head);
    hold(source, head);
}

void hrn_source_init(struct hrn_source *source)
{
    memset(source, 0, sizeof *source);
    source->source = (struct slm_source){source_alloc, source_free, source};
}

void hrn_source_drop(struct hrn_source *source)
{
    while (source->blocks != NULL) {
        struct hrn_source_block *head = source->blocks;
        unlink_block(source, head);
        let_go(head);
    }
    for (unsigned i = 0; i < HRN_SOURCE_N_HELD; i++) {
        let_go(source->held[i]);
        source->held[i] = NULL;
    }
}

/* --- Regions --- */

static size_t whole_pages(size_t bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

/* A mapping for `inner` bytes between two untouchable pages. */
static bool map_fenced(struct hrn_region *region, size_t inner)
{
    hrn_region_fini(region);
    size_t bytes = inner + 2 * PAGE_BYTES;
    unsigned char *map = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        return false;
    }
    if (mprotect(map + PAGE_BYTES, inner, PROT_READ | PROT_WRITE) != 0) {
        munmap(map, bytes);
        return false;
    }
    region->map = map;
    region->map_bytes = bytes;
    return true;
}

bool hrn_region_open(struct hrn_region *region, size_t bytes)
{
    size_t inner = whole_pages(bytes);
    if (bytes > HRN_REGION_ALLOC_MAX || bytes == 0) {
        return false;
    }
    bool fits = region->map != NULL && region->map_bytes >= inner + 2 * PAGE_BYTES;
    if (!fits && !map_fenced(region, inner)) {
        return false;
    }
    region->base = region->map + region->map_bytes - PAGE_BYTES - inner;
    region->bytes = bytes;
    memset(region->base, JUNK, bytes);
    memset(region->base + bytes, FENCE, inner - bytes);
    slm_poison_hide(region->base + bytes, inner - bytes);
    return true;
}

void hrn_region_close(struct hrn_region *region)
{
    if (region->base != NULL) {
        slm_poison_open(region->base, whole_pages(region->bytes));
    }
    region->base = NULL;
}

void hrn_region_fini(struct hrn_region *region)
{
    hrn_region_close(region);
    if (region->map != NULL) {
        munmap(region->map, region->map_bytes);
    }
    memset(region, 0, sizeof *region);
}

size_t hrn_region_fence_broken(const struct hrn_region *region)
{
    static unsigned char want[PAGE_BYTES];
    memset(want, FENCE, sizeof want);
    size_t n = whole_pages(region->bytes) - region->bytes; /* less than a page */
    const unsigned char *fence = region->base + region->bytes;
    slm_poison_open(fence, n);
    bool whole = memcmp(fence, want, n) == 0;
    size_t broken = 0;
    while (!whole && fence[broken] == FENCE) {
        broken++;
    }
    slm_poison_hide(fence, n);
    return whole ? SIZE_MAX : broken;
}

HRN_QUIET_END
