/* SPDX-License-Identifier: Apache-2.0 */
/* The C heap as a source, and the two sources that watch or spoil another one. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* posix_memalign */
#endif
#include <slabmill/source.h>

#include <stdlib.h>

/* --- Heap --- */

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

/* --- Counting --- */

static void *counting_alloc(void *data, size_t size_bytes, size_t align_bytes)
{
    struct slm_source_counting *counting = data;
    const struct slm_source *under = counting->under;
    void *block = under->alloc(under->data, size_bytes, align_bytes);
    if (block == NULL) {
        counting->n_refused++;
        return NULL;
    }
    counting->n_alloc++;
    counting->live_blocks++;
    counting->live_bytes += size_bytes;
    if (counting->live_bytes > counting->peak_bytes) {
        counting->peak_bytes = counting->live_bytes;
    }
    return block;
}

static void counting_free(void *data, void *block, size_t size_bytes, size_t align_bytes)
{
    struct slm_source_counting *counting = data;
    const struct slm_source *under = counting->under;
    under->free(under->data, block, size_bytes, align_bytes);
    counting->n_free++;
    counting->live_blocks--;
    counting->live_bytes -= size_bytes;
}

void slm_source_counting_init(struct slm_source_counting *counting, const struct slm_source *under)
{
    *counting = (struct slm_source_counting){
        .source = {counting_alloc, counting_free, counting},
        .under = under,
    };
}

/* --- Failing --- */

static int refuses(const struct slm_source_failing *failing, size_t size_bytes)
{
    int in_range = failing->fail_at != 0 && failing->n_calls >= failing->fail_at &&
                   failing->n_calls - failing->fail_at < failing->fail_count;
    return in_range || size_bytes > failing->budget_bytes;
}

static void *failing_alloc(void *data, size_t size_bytes, size_t align_bytes)
{
    struct slm_source_failing *failing = data;
    failing->n_calls++;
    if (refuses(failing, size_bytes)) {
        failing->n_refused++;
        return NULL;
    }
    return failing->under->alloc(failing->under->data, size_bytes, align_bytes);
}

static void failing_free(void *data, void *block, size_t size_bytes, size_t align_bytes)
{
    const struct slm_source *under = ((struct slm_source_failing *)data)->under;
    under->free(under->data, block, size_bytes, align_bytes);
}

void slm_source_failing_init(struct slm_source_failing *failing, const struct slm_source *under)
{
    *failing = (struct slm_source_failing){
        .source = {failing_alloc, failing_free, failing},
        .under = under,
        .fail_count = 1,
        .budget_bytes = SIZE_MAX,
    };
}
