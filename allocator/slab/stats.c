/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of a slab and of its classes. */
#include <string.h>

#include "allocator/slab/view.h"

static void fill_counts(const struct slm_slab *slab, struct slm_slab_stats *stats)
{
    const struct slab_header *header = slab->header;
    stats->n_free_pages = header->n_free_pages;
    stats->n_kept_pages = header->n_kept_pages;
    stats->longest_free_run_pages = slm_slab_run_longest(slab);
    stats->n_runs = header->n_runs;
    stats->n_run_pages = header->n_run_pages;
    stats->run_requests = header->run_requests;
    stats->run_failures = header->run_failures;
    stats->peak_used_pages = header->peak_used_pages;
}

void slm_slab_get_stats(struct slm_slab *slab, struct slm_slab_stats *stats)
{
    if (slab == NULL || stats == NULL) {
        return;
    }
    memset(stats, 0, sizeof *stats);
    stats->page_bytes = (size_t)1 << slab->shape.page_shift;
    stats->n_classes = slab->shape.n_classes;
    stats->metadata_bytes = slab->metadata_bytes;
    stats->n_pages = slab->n_pages;
    if (slab_lock(slab) != SLM_OK) {
        return;
    }
    stats->n_pages = slab->n_pages;
    if (slm_slab_view_status(slab) != SLM_E_STATE) {
        fill_counts(slab, stats);
    }
    slab_unlock(slab);
}

enum slm_status slm_slab_get_class_stats(struct slm_slab *slab, unsigned class_idx,
                                         struct slm_slab_class_stats *stats)
{
    if (slab == NULL || stats == NULL) {
        return SLM_E_NULL;
    }
    if (class_idx >= slab->shape.n_classes) {
        return SLM_E_SIZE;
    }
    const struct slab_class *class = &slab->classes[class_idx];
    stats->chunk_bytes = slab->cuts[class_idx].chunk_bytes;
    stats->span_pages = slab->cuts[class_idx].span_pages;
    enum slm_status status = slab_lock(slab);
    if (status != SLM_OK) {
        return status;
    }
    stats->n_spans = class->n_spans;
    stats->n_chunks = (size_t) class->n_chunks;
    stats->n_used = (size_t) class->n_used;
    stats->n_requests = class->n_requests;
    stats->n_failures = class->n_failures;
    slab_unlock(slab);
    return SLM_OK;
}
