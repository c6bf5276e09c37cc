/* SPDX-License-Identifier: Apache-2.0 */
/* Fenced regions. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <string.h>
#include <sys/mman.h>

#include "allocator/base/poison.h"
#include "harness/priv.h"
#include "harness/quiet.h"

HRN_QUIET_BEGIN

#define FENCE      0xFE
#define PAGE_BYTES 4096u

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
    memset(region->base, HRN_JUNK, bytes);
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
