/* SPDX-License-Identifier: Apache-2.0 */
/* Fenced regions. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#endif
#include <string.h>
#include <sys/mman.h>

#include "harness/base/poison.h"
#include "harness/base/quiet.h"
#include "harness/memory/memory.h"

HRN_QUIET_BEGIN

#define FENCE      0xFE
#define PAGE_BYTES 4096u

static size_t whole_pages(size_t bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

/* A mapping for `inner` bytes between two inaccessible pages. */
static bool map_fenced(struct hrn_region *region, size_t inner)
{
    hrn_region_fini(region);
    size_t bytes = inner + 2 * (size_t)PAGE_BYTES;
    unsigned char *map =
        mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
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

static void fill(const struct hrn_region *region, unsigned char *from, const unsigned char *to)
{
    if (from < to) {
        memset(from, region->junk, (size_t)(to - from));
    }
}

/* Fills the region with junk, except the part that still holds it: filling megabytes for a program
 * that uses a few pages would cost most of its time. */
static void fill_region(struct hrn_region *region, unsigned char junk)
{
    unsigned char *end = region->base + region->bytes;
    unsigned char *clean = region->clean;
    bool is_other = junk != region->junk;
    region->junk = junk;
    if (is_other || clean == NULL || region->clean_end < region->base || clean > end) {
        fill(region, region->base, end);
        return;
    }
    fill(region, region->base, clean); /* nothing, if the last region began further down */
    fill(region, region->clean_end, end);
}

/* Whether the page still holds junk, judged by its ends and its middle. */
static bool is_junk(const unsigned char *page, unsigned char junk)
{
    return page[0] == junk && page[PAGE_BYTES / 2] == junk && page[PAGE_BYTES - 1] == junk;
}

/* The allocator's bookkeeping may be anywhere. So this examines pages from the region's end down to
 * the last page that was written, or to the last object. */
static void note_clean(struct hrn_region *region)
{
    size_t at = region->bytes / PAGE_BYTES * PAGE_BYTES;
    region->clean_end = region->base + at;
    while (at >= PAGE_BYTES && at - PAGE_BYTES >= region->used_bytes &&
           is_junk(region->base + at - PAGE_BYTES, region->junk)) {
        at -= PAGE_BYTES;
    }
    region->clean = region->base + at;
}

void hrn_region_track(struct hrn_region *region)
{
    region->used_bytes = 0;
}

void hrn_region_use(struct hrn_region *region, const unsigned char *p)
{
    size_t used_bytes = (size_t)(p - region->base);
    if (used_bytes > region->used_bytes) {
        region->used_bytes = used_bytes;
    }
}

/* Marks the bytes from the region's end to the end of its page. */
static void mark_end(const struct hrn_region *region)
{
    size_t rest = whole_pages(region->bytes) - region->bytes;
    memset(region->base + region->bytes, FENCE, rest);
    hrn_poison_hide(region->base + region->bytes, rest);
}

static void mark_lead(struct hrn_region *region, size_t lead_bytes)
{
    region->lead_bytes = lead_bytes;
    memset(region->base, FENCE, lead_bytes);
    hrn_poison_hide(region->base, lead_bytes);
}

/* With room for most_bytes. */
static bool open_part(struct hrn_region *region, size_t bytes, size_t most_bytes,
                      unsigned char junk)
{
    size_t inner = whole_pages(most_bytes);
    if (bytes > HRN_REGION_ALLOC_MAX || bytes == 0) {
        return false;
    }
    bool fits = region->map != NULL && region->map_bytes >= inner + 2 * (size_t)PAGE_BYTES;
    if (!fits && !map_fenced(region, inner)) {
        return false;
    }
    region->base = region->map + region->map_bytes - PAGE_BYTES - inner;
    region->bytes = bytes;
    region->most_bytes = most_bytes;
    region->lead_bytes = 0;
    region->used_bytes = bytes;
    fill_region(region, junk);
    mark_end(region);
    return true;
}

bool hrn_region_open(struct hrn_region *region, size_t bytes, unsigned char junk)
{
    return open_part(region, bytes, bytes, junk);
}

bool hrn_region_open_led(struct hrn_region *region, size_t bytes, size_t lead_bytes,
                         unsigned char junk)
{
    if (bytes == 0 || bytes > HRN_REGION_ALLOC_MAX ||
        !hrn_region_open(region, bytes + lead_bytes, junk)) {
        return false;
    }
    mark_lead(region, lead_bytes);
    return true;
}

/* Access to the whole pages between two lengths. */
static bool protect(const struct hrn_region *region, size_t from, size_t to, int access)
{
    size_t start = whole_pages(from);
    size_t end = whole_pages(to);
    return start >= end || mprotect(region->base + start, end - start, access) == 0;
}

bool hrn_region_open_growing(struct hrn_region *region, size_t bytes, size_t lead_bytes,
                             size_t reserve_bytes, unsigned char junk)
{
    size_t led_bytes = bytes + lead_bytes;
    if (bytes == 0 || bytes > HRN_REGION_ALLOC_MAX ||
        !open_part(region, led_bytes, led_bytes + reserve_bytes, junk)) {
        return false;
    }
    mark_lead(region, lead_bytes);
    return protect(region, led_bytes, led_bytes + reserve_bytes, PROT_NONE);
}

bool hrn_region_open_sparse(struct hrn_region *region, size_t bytes, size_t lead_bytes)
{
    size_t inner = whole_pages(bytes + lead_bytes);
    hrn_region_fini(region);
    if (bytes > HRN_REGION_SPARSE_MAX || !map_fenced(region, inner)) {
        return false;
    }
    region->is_sparse = true;
    region->base = region->map + PAGE_BYTES;
    region->bytes = bytes + lead_bytes;
    region->most_bytes = region->bytes;
    region->used_bytes = region->bytes;
    mark_lead(region, lead_bytes);
    mark_end(region);
    return true;
}

bool hrn_region_resize(struct hrn_region *region, size_t bytes)
{
    size_t old = region->bytes;
    size_t now = bytes + region->lead_bytes;
    if (now > old && !protect(region, old, now, PROT_READ | PROT_WRITE)) {
        return false;
    }
    hrn_poison_open(region->base + old, whole_pages(old) - old);
    if (now > old) {
        memset(region->base + old, region->junk, now - old);
    }
    region->bytes = now;
    mark_end(region);
    return now >= old || protect(region, now, old, PROT_NONE);
}

/* Other lengths than the one it was opened with leave pages whose content is not known. */
static void close_resized(struct hrn_region *region)
{
    bool is_open = protect(region, region->bytes, region->most_bytes, PROT_READ | PROT_WRITE);
    hrn_poison_open(region->base, whole_pages(is_open ? region->most_bytes : region->bytes));
    region->base = NULL;
    region->clean = NULL;
    if (!is_open) {
        hrn_region_fini(region);
    }
}

void hrn_region_close(struct hrn_region *region)
{
    if (region->base == NULL) {
        return;
    }
    if (region->is_sparse) {
        hrn_poison_open(region->base, region->lead_bytes);
        hrn_poison_open(region->base + region->bytes, whole_pages(region->bytes) - region->bytes);
        munmap(region->map, region->map_bytes);
        memset(region, 0, sizeof *region);
    } else if (region->most_bytes != region->bytes) {
        close_resized(region);
    } else {
        hrn_poison_open(region->base, whole_pages(region->bytes));
        note_clean(region);
        region->base = NULL;
    }
}

void hrn_region_fini(struct hrn_region *region)
{
    hrn_region_close(region);
    if (region->map != NULL) {
        munmap(region->map, region->map_bytes);
    }
    memset(region, 0, sizeof *region);
}

/* Offset of the first of n marked bytes, fewer than a page, that has changed, or SIZE_MAX. */
static size_t find_changed(const unsigned char *fence, size_t n)
{
    static unsigned char want[PAGE_BYTES];
    memset(want, FENCE, sizeof want);
    hrn_poison_open(fence, n);
    bool whole = memcmp(fence, want, n) == 0;
    size_t broken = 0;
    while (!whole && fence[broken] == FENCE) {
        broken++;
    }
    hrn_poison_hide(fence, n);
    return whole ? SIZE_MAX : broken;
}

size_t hrn_region_fence_broken(const struct hrn_region *region)
{
    return find_changed(region->base + region->bytes, whole_pages(region->bytes) - region->bytes);
}

size_t hrn_region_lead_broken(const struct hrn_region *region)
{
    return find_changed(region->base, region->lead_bytes);
}

HRN_QUIET_END
