/* SPDX-License-Identifier: Apache-2.0 */
/* The C heap as a source. The room's design comes first. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* posix_memalign */
#endif
#include <slabmill/source.h>

#include <stdlib.h>

/*
 * A source is two functions and a pointer: all that a pool or a view needs to get memory. free gets
 * the size and alignment of alloc again, so a source needs no header before its blocks, and no
 * table of them.
 *
 * Two sources ask the system. heap.c calls malloc. guard.c maps pages, and takes access from those
 * after a block and from those of a freed block. They have no state that a user creates or ends, so
 * each is a constant. heap.c calls posix_memalign for large alignments: C11's aligned_alloc needs a
 * size that is rounded up, and a sanitizer would then miss an overrun.
 *
 * Three sources pass calls through to another one, `under`. counting.c counts, failing.c refuses
 * chosen calls, quarantine.c holds freed blocks for a while. Each is a struct of the user that
 * begins with a struct slm_source, so they stack in any order without an allocation:
 *
 *     pool -> counting -> failing -> heap
 *
 * They change no block and no size. So a block that came through such a source is a block of
 * `under`, and may be freed to it directly: pools do so with blocks that need no quarantine. They
 * take no lock, since a pool is used by one thread at a time.
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
