/* SPDX-License-Identifier: Apache-2.0 */
/* A zone's figures as text, from a program that has the zone open. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "allocator/base/cancel.h"
#include "allocator/journal/log.h"
#include "allocator/zone/handle.h"

/* All that is read under the lock. Printing takes as long as the reader of the file likes. */
struct figures {
    struct slm_zone_stats zone;
    struct slm_slab_stats slab;
    size_t n_span_pages;
    size_t n_free_runs;
    uint64_t n_used_bytes; /* of chunks and runs */
    uint32_t n_noted;
    uint32_t n_deaths;
    uint64_t n_waits;
    unsigned broken;
    struct slm_slab_class_stats classes[SLM_SLAB_CLASSES_MAX];
};

static bool count_extent(void *data, const struct slm_slab_extent *extent)
{
    struct figures *figures = data;
    figures->n_span_pages += extent->kind == SLM_SLAB_EXTENT_SPAN ? extent->n_pages : 0;
    figures->n_free_runs += extent->kind == SLM_SLAB_EXTENT_FREE;
    return true;
}

static void read_figures(struct slm_zone *zone, struct figures *figures)
{
    const struct slm_lock_state *lock = &zone->header->lock;
    /* First: in a handle for reading it looks for growth, as a lock does in others. */
    figures->broken = slm_zone_check_locked(zone);
    slm_zone_get_stats(zone, &figures->zone);
    slm_slab_get_stats_locked(zone->look, &figures->slab);
    figures->n_used_bytes = (uint64_t)figures->slab.n_run_pages * figures->slab.page_bytes;
    for (unsigned i = 0; i < figures->slab.n_classes; i++) {
        struct slm_slab_class_stats *class = &figures->classes[i];
        (void)slm_slab_get_class_stats_locked(zone->look, i, class);
        figures->n_used_bytes += (uint64_t) class->n_used * class->chunk_bytes;
    }
    slm_slab_walk_locked(zone->look, count_extent, figures);
    figures->n_noted = journal_n_entries(zone->journal.log);
    figures->n_deaths = __atomic_load_n(&lock->n_deaths, __ATOMIC_RELAXED);
    figures->n_waits = __atomic_load_n(&lock->n_waits, __ATOMIC_RELAXED);
}

/* Without the lock in a handle that cannot take it, and where the caller holds it. */
static enum slm_status read_under_lock(struct slm_zone *zone, struct figures *figures)
{
    enum slm_status status = zone->lock == NULL ? SLM_E_READ_ONLY : slm_zone_lock(zone);
    if (status != SLM_OK && status != SLM_E_READ_ONLY && status != SLM_E_HELD) {
        return status;
    }
    read_figures(zone, figures);
    return status == SLM_OK ? slm_zone_unlock(zone) : SLM_OK;
}

/* A name may have any bytes. Control characters would change the terminal that it is shown on. */
static void print_name(FILE *file, const char *label, const char *name)
{
    fprintf(file, "%s\"", label);
    for (const char *at = name; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        (void)fputc(byte < ' ' || byte == 0x7f ? '?' : byte, file);
    }
    (void)fputc('"', file);
}

static void print_head(FILE *file, const struct slm_zone *zone, const struct figures *figures)
{
    static const char *const kinds[] = {"robust", "spin", "file"};
    const struct slm_zone_stats *stats = &figures->zone;
    print_name(file, "zone      ", zone->fixed.name);
    print_name(file, ", tag ", zone->fixed.tag);
    print_name(file, ", in ", slm_segment_label(zone->segment));
    fprintf(file, "\nsize      %zu bytes, may grow to %zu; content version %" PRIu32 "\n",
            stats->bytes, stats->max_bytes, stats->content_version);
    fprintf(file, "lock      %s; %" PRIu64 " sleeps, %" PRIu32 " deaths so far\n",
            kinds[zone->fixed.lock_kind], figures->n_waits, figures->n_deaths);
    fprintf(file, "journal   %" PRIu32 " of %" PRIu32 " entries noted\n", figures->n_noted,
            stats->journal_entries);
    fprintf(file,
            "repairs   %" PRIu64 " so far: %" PRIu64 " undid a transaction, %" PRIu64
            " finished a commit\n",
            stats->n_recoveries, stats->n_undone, stats->n_finished);
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : 100 * (double)part / (double)whole;
}

static void print_pages(FILE *file, const struct figures *figures)
{
    const struct slm_slab_stats *stats = &figures->slab;
    uint64_t n_bytes = (uint64_t)stats->n_pages * stats->page_bytes;
    fprintf(file,
            "pages     %zu of %zu bytes: %zu in spans (%zu kept empty), %zu in %zu runs, %zu free; "
            "at most %zu were in use\n",
            stats->n_pages, stats->page_bytes, figures->n_span_pages, stats->n_kept_pages,
            stats->n_run_pages, stats->n_runs, stats->n_free_pages, stats->peak_used_pages);
    fprintf(file, "in use    %" PRIu64 " of %" PRIu64 " bytes (%.1f %%)\n", figures->n_used_bytes,
            n_bytes, percent(figures->n_used_bytes, n_bytes));
}

/* Leaves out classes without requests. */
static void print_classes(FILE *file, const struct figures *figures)
{
    const struct slm_slab_stats *stats = &figures->slab;
    fprintf(file, "\n%10s %7s %10s %10s %6s %12s %9s\n", "chunk", "spans", "chunks", "used", "fill",
            "requests", "failures");
    for (unsigned i = 0; i < stats->n_classes; i++) {
        const struct slm_slab_class_stats *class = &figures->classes[i];
        if (class->n_spans != 0 || class->n_requests != 0) {
            fprintf(file, "%10zu %7zu %10zu %10zu %5.1f%% %12" PRIu64 " %9" PRIu64 "\n",
                    class->chunk_bytes, class->n_spans, class->n_chunks, class->n_used,
                    percent(class->n_used, class->n_chunks), class->n_requests, class->n_failures);
        }
    }
    fprintf(file, "%10s %7s %10s %10zu %6s %12" PRIu64 " %9" PRIu64 "\n", "whole pages", "", "",
            stats->n_runs, "", stats->run_requests, stats->run_failures);
}

static void print_free(FILE *file, const struct figures *figures)
{
    const struct slm_slab_stats *stats = &figures->slab;
    fprintf(file, "\nfree      %zu pages in %zu run%s, the longest of %zu\n", stats->n_free_pages,
            figures->n_free_runs, figures->n_free_runs == 1 ? "" : "s",
            stats->longest_free_run_pages);
    if (figures->broken == 0) {
        fprintf(file, "check     every invariant holds\n");
    } else {
        fprintf(file, "check     invariant %u does not hold\n", figures->broken);
    }
}

/* A cancelled thread would keep the figures, and the lock of the file. */
static enum slm_status print_all(FILE *file, const struct slm_zone *zone,
                                 const struct figures *figures)
{
    int cancel = slm_cancel_off();
    print_head(file, zone, figures);
    print_pages(file, figures);
    print_classes(file, figures);
    print_free(file, figures);
    bool is_printed = fflush(file) == 0 && ferror(file) == 0;
    slm_cancel_restore(cancel);
    return is_printed ? SLM_OK : SLM_E_IO;
}

enum slm_status slm_zone_print(struct slm_zone *zone, FILE *file)
{
    if (zone == NULL || file == NULL) {
        return SLM_E_NULL;
    }
    struct figures *figures = calloc(1, sizeof *figures);
    if (figures == NULL) {
        return SLM_E_NOMEM;
    }
    enum slm_status status = read_under_lock(zone, figures);
    if (status == SLM_OK) {
        status = print_all(file, zone, figures);
    }
    free(figures);
    return status;
}
