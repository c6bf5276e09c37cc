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

static void fill_constants(const struct slm_slab *slab, struct slm_slab_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    stats->page_bytes = (size_t)1 << slab->shape.page_shift;
    stats->n_classes = slab->shape.n_classes;
    stats->metadata_bytes = slab->metadata_bytes;
    stats->n_pages = slab->n_pages;
}

void slm_slab_get_stats_locked(const struct slm_slab *slab, struct slm_slab_stats *stats)
{
    if (slab == NULL || stats == NULL) {
        return;
    }
    fill_constants(slab, stats);
    if (slm_slab_view_status(slab) != SLM_E_STATE) {
        fill_counts(slab, stats);
    }
}

void slm_slab_get_stats(struct slm_slab *slab, struct slm_slab_stats *stats)
{
    if (slab == NULL || stats == NULL) {
        return;
    }
    fill_constants(slab, stats);
    if (slab_lock(slab) == SLM_OK) {
        slm_slab_get_stats_locked(slab, stats);
        slab_unlock(slab);
    }
}

static enum slm_status check_class(const struct slm_slab *slab, unsigned class_idx,
                                   const struct slm_slab_class_stats *stats)
{
    if (slab == NULL || stats == NULL) {
        return SLM_E_NULL;
    }
    return class_idx < slab->shape.n_classes ? SLM_OK : SLM_E_SIZE;
}

enum slm_status slm_slab_get_class_stats_locked(const struct slm_slab *slab, unsigned class_idx,
                                                struct slm_slab_class_stats *stats)
{
    enum slm_status status = check_class(slab, class_idx, stats);
    if (status != SLM_OK) {
        return status;
    }
    const struct slab_class *class = &slab->classes[class_idx];
    stats->chunk_bytes = slab->cuts[class_idx].chunk_bytes;
    stats->span_pages = slab->cuts[class_idx].span_pages;
    stats->n_spans = class->n_spans;
    stats->n_chunks = (size_t) class->n_chunks;
    stats->n_used = (size_t) class->n_used;
    stats->n_requests = class->n_requests;
    stats->n_failures = class->n_failures;
    return SLM_OK;
}

enum slm_status slm_slab_get_class_stats(struct slm_slab *slab, unsigned class_idx,
                                         struct slm_slab_class_stats *stats)
{
    enum slm_status status = check_class(slab, class_idx, stats);
    if (status == SLM_OK) {
        status = slab_lock(slab);
    }
    if (status == SLM_OK) {
        status = slm_slab_get_class_stats_locked(slab, class_idx, stats);
        slab_unlock(slab);
    }
    return status;
}
