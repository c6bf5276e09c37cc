/* SPDX-License-Identifier: Apache-2.0 */
/* A source that counts what passes through to the source under it. */
#include <slabmill/source.h>

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
    if (counting == NULL) {
        return;
    }
    *counting = (struct slm_source_counting){
        .source = {counting_alloc, counting_free, counting},
        .under = under != NULL ? under : slm_source_heap(),
    };
}
