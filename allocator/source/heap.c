/* SPDX-License-Identifier: Apache-2.0 */
/* The C heap as a source. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* posix_memalign */
#endif
#include <slabmill/source.h>

#include <stdlib.h>

static void *heap_alloc(void *data, size_t size_bytes, size_t align_bytes)
{
    (void)data;
    if (align_bytes <= _Alignof(max_align_t)) {
        return malloc(size_bytes);
    }
    /* Not aligned_alloc: C11 has it round the size up, and then a sanitizer misses an overrun. */
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
