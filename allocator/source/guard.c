/* SPDX-License-Identifier: Apache-2.0 */
/* A source whose blocks end at a page without access, and lose access themselves when freed. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#endif
#include <slabmill/source.h>

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "allocator/base/bits.h"

/*
 *   | usable pages ...[block, right-aligned]|guard page|      [first, end) is the range of a block;
 *   first                                   end - page end    it follows from block and size alone
 */
struct range {
    unsigned char *first;
    size_t n_bytes;
};

#define N_FREED_RANGES 64u /* freed ranges that stay mapped without access */

static pthread_mutex_t freed_lock = PTHREAD_MUTEX_INITIALIZER;
static struct range freed[N_FREED_RANGES]; /* a FIFO ring */
static size_t freed_next;

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static struct range range_of(void *block, size_t size_bytes)
{
    size_t page = page_bytes();
    unsigned char *p = block;
    unsigned char *first = p - (uintptr_t)p % page;
    return (struct range){first, slm_align_up((size_t)(p - first) + size_bytes, page) + page};
}

/* Nothing for a length of 0. */
static void unmap(struct range range)
{
    if (range.n_bytes != 0) {
        (void)munmap(range.first, range.n_bytes);
    }
}

/* Unmaps the pages of outer that are not in inner. */
static void unmap_outside(struct range outer, struct range inner)
{
    size_t before = (size_t)(inner.first - outer.first);
    unmap((struct range){outer.first, before});
    unmap((struct range){inner.first + inner.n_bytes, outer.n_bytes - inner.n_bytes - before});
}

static void *guard_alloc(void *data, size_t size_bytes, size_t align_bytes)
{
    (void)data;
    size_t page = page_bytes();
    if (size_bytes > SIZE_MAX / 4 || align_bytes > SIZE_MAX / 4) {
        return NULL;
    }
    size_t spare = align_bytes > page ? align_bytes : 0;
    size_t total = slm_align_up(size_bytes, page) + spare + page;
    unsigned char *base =
        mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        return NULL;
    }
    unsigned char *block = base + total - page - size_bytes;
    block -= (uintptr_t)block % align_bytes;
    struct range range = range_of(block, size_bytes);
    unmap_outside((struct range){base, total}, range);
    if (mprotect(range.first, range.n_bytes - page, PROT_READ | PROT_WRITE) != 0) {
        unmap(range);
        return NULL;
    }
    return block;
}

/* Remembers a range that lost access; returns the oldest one, which is no longer remembered. */
static struct range swap_oldest(struct range range)
{
    (void)pthread_mutex_lock(&freed_lock);
    struct range oldest = freed[freed_next];
    freed[freed_next] = range;
    freed_next = (freed_next + 1) % N_FREED_RANGES;
    (void)pthread_mutex_unlock(&freed_lock);
    return oldest;
}

static void guard_free(void *data, void *block, size_t size_bytes, size_t align_bytes)
{
    (void)data;
    (void)align_bytes;
    struct range range = range_of(block, size_bytes);
    /* A new mapping over the old one returns the pages to the system and keeps the addresses. */
    void *same = mmap(range.first, range.n_bytes, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (same == MAP_FAILED) {
        unmap(range);
        return;
    }
    unmap(swap_oldest(range));
}

const struct slm_source *slm_source_guard(void)
{
    static const struct slm_source guard = {guard_alloc, guard_free, NULL};
    return &guard;
}
