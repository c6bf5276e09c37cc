/* SPDX-License-Identifier: Apache-2.0 */
/* A source that holds freed blocks for a while before the source under it frees them. */
#include <slabmill/source.h>

#include "allocator/base/check.h"
#include "allocator/base/poison.h"

/*
 *   held[]   [ free | oldest .. newest | free ]    a ring: freed blocks are added after the newest,
 *                     ^ oldest                     and freed to the source from the oldest on
 *
 * A sanitizer sees no object in a held block.
 */

static void give_back_oldest(struct slm_source_quarantine *quarantine)
{
    const struct slm_source *under = quarantine->under;
    struct slm_source_held *held = &quarantine->held[quarantine->oldest];
    quarantine->oldest++;
    if (quarantine->oldest == quarantine->max_blocks) {
        quarantine->oldest = 0;
    }
    quarantine->n_held--;
    quarantine->held_bytes -= held->size_bytes;
    slm_poison_open(held->block, held->size_bytes);
    under->free(under->data, held->block, held->size_bytes, held->align_bytes);
}

void slm_source_quarantine_release(struct slm_source_quarantine *quarantine)
{
    while (quarantine != NULL && quarantine->n_held > 0) {
        give_back_oldest(quarantine);
    }
}

/* The held blocks are a reserve: the source may have memory once they are freed. */
static SLM_NOINLINE void *ask_again(struct slm_source_quarantine *quarantine, size_t size_bytes,
                                    size_t align_bytes)
{
    if (quarantine->n_held == 0) {
        return NULL;
    }
    slm_source_quarantine_release(quarantine);
    return quarantine->under->alloc(quarantine->under->data, size_bytes, align_bytes);
}

static void *quarantine_alloc(void *data, size_t size_bytes, size_t align_bytes)
{
    struct slm_source_quarantine *quarantine = data;
    const struct slm_source *under = quarantine->under;
    void *block = under->alloc(under->data, size_bytes, align_bytes);
    return block != NULL ? block : ask_again(quarantine, size_bytes, align_bytes);
}

static void quarantine_free(void *data, void *block, size_t size_bytes, size_t align_bytes)
{
    struct slm_source_quarantine *quarantine = data;
    if (quarantine->max_blocks == 0 || size_bytes > quarantine->max_bytes) {
        slm_source_quarantine_release(quarantine);
        quarantine->under->free(quarantine->under->data, block, size_bytes, align_bytes);
        return;
    }
    while (quarantine->n_held == quarantine->max_blocks ||
           quarantine->held_bytes > quarantine->max_bytes - size_bytes) {
        give_back_oldest(quarantine);
    }
    size_t newest = (quarantine->oldest + quarantine->n_held) % quarantine->max_blocks;
    quarantine->held[newest] = (struct slm_source_held){block, size_bytes, align_bytes};
    quarantine->n_held++;
    quarantine->held_bytes += size_bytes;
    slm_poison_hide(block, size_bytes);
}

void slm_source_quarantine_init(struct slm_source_quarantine *quarantine,
                                const struct slm_source *under, struct slm_source_held *held,
                                size_t max_blocks, size_t max_bytes)
{
    if (quarantine == NULL) {
        return;
    }
    *quarantine = (struct slm_source_quarantine){
        .source = {quarantine_alloc, quarantine_free, quarantine},
        .under = under != NULL ? under : slm_source_heap(),
        .held = held,
        .max_blocks = held != NULL ? max_blocks : 0,
        .max_bytes = max_bytes,
    };
}
