/* SPDX-License-Identifier: Apache-2.0 */
/* The C heap as a source. The room's design comes first. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* posix_memalign */
#endif
#include <slabmill/source.h>

#include <stdlib.h>

/*
 * A source is two functions and a pointer: what a pool or a view needs of the memory under it, and
 * nothing else. free gets the size and alignment of alloc again, so a source needs no header in
 * front of its blocks, and no table of them.
 *
 * Two sources ask the system: heap.c calls malloc; guard.c maps pages, and makes those that follow
 * a block, and those of a freed block, untouchable. They have no state that a user makes or ends,
 * so each is a constant. heap.c calls posix_memalign for large alignments: aligned_alloc of C11
 * wants the size rounded up, and a sanitizer then misses an overrun.
 *
 * Three sources stand on another one, `under`, and pass blocks through: counting.c adds up,
 * failing.c refuses on demand, quarantine.c holds freed blocks for a while. Each is a struct of the
 * user that begins with the struct slm_source to hand on, so they stack in any order without an
 * allocation:
 *
 *     pool -> counting -> failing -> heap
 *
 * They change no block and no size. So a block that came through a decorator is a block of the
 * source under it, and may go back there directly: pools do so with what needs no quarantine. The
 * decorators take no lock, since a pool is used by one thread at a time.
 */

static void *heap_alloc(void *data, size_t size_bytes, size_t align_bytes)
{
    (void)data;
    if (align_bytes <= _Alignof(max_align_t)) {
        return malloc(size_bytes);
    }
    void *block = NULL;
    return posix_memalign(&block, align_bytes, size_bytes) == 0 ? block : NULL;
}

static void heap_free(void *data, void *block, size_t size_bytes, size_t align_bytes)
{
    (void)data;
    (void)size_bytes;
    (void)align_bytes;
    free(block);
}

const struct slm_source *slm_source_heap(void)
{
    static const struct slm_source heap = {heap_alloc, heap_free, NULL};
    return &heap;
}
