/* SPDX-License-Identifier: Apache-2.0 */
/* A look at a zone, as readable text. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "tools/slabmill/inspect/inspect.h"

#define WORD_BYTES 48u

/* "4096 bytes", "64 KiB", "1.5 MiB": exact if that is short. */
static const char *spell_bytes(char *text, uint64_t n_bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double n = (double)n_bytes;
    unsigned unit = 0;
    while (n >= 1024 && unit < 4) {
        n /= 1024;
        unit++;
    }
    bool is_whole = n >= 100 || n == (double)(uint64_t)n;
    (void)snprintf(text, WORD_BYTES, is_whole ? "%.0f %s" : "%.1f %s", n, units[unit]);
    return text;
}

static const char *spell_seconds(char *text, uint64_t seconds)
{
    uint64_t hours = seconds / 3600 % 24;
    if (seconds >= 86400) {
        (void)snprintf(text, WORD_BYTES, "%" PRIu64 " d %" PRIu64 " h", seconds / 86400, hours);
    } else if (seconds >= 3600) {
        (void)snprintf(text, WORD_BYTES, "%" PRIu64 " h %" PRIu64 " min", hours, seconds / 60 % 60);
    } else if (seconds >= 60) {
        (void)snprintf(text, WORD_BYTES, "%" PRIu64 " min %" PRIu64 " s", seconds / 60,
                       seconds % 60);
    } else {
        (void)snprintf(text, WORD_BYTES, "%" PRIu64 " s", seconds);
    }
    return text;
}

static double per_second(uint64_t now, uint64_t before, double seconds)
{
    return seconds > 0 && now > before ? (double)(now - before) / seconds : 0;
}

/* Escapes quotes, so that a name cannot end its own. */
static void print_quoted(const char *what, const char *text)
{
    printf("%s\"", what);
    for (; *text != '\0'; text++) {
        fputs(*text == '"' ? "\\" : "", stdout);
        putchar(*text);
    }
    putchar('"');
}

static void print_head(const struct mill_look *look)
{
    const struct slm_zone_image *image = &look->copy->image;
    char now[WORD_BYTES];
    char most[WORD_BYTES];
    print_quoted("zone      ", look->name);
    print_quoted(", tag ", look->tag);
    printf(", in %s\nsize      %s", look->place, spell_bytes(now, image->bytes));
    if (image->bytes != image->first_bytes) {
        printf(", made with %s", spell_bytes(most, image->first_bytes));
    }
    if (image->max_bytes > image->bytes) {
        printf(", may grow to %s", spell_bytes(most, image->max_bytes));
    }
    printf("; layout version %" PRIu32 "\n", image->version);
}

static void print_owner(const struct mill_look *look)
{
    const struct slm_lock_owner *owner = &look->copy->owner;
    const struct mill_process *process = &look->process;
    char age[WORD_BYTES];
    if (owner->identity == 0) {
        printf("not held");
    } else if (!look->is_owner_known) {
        printf("thread %d has it, and may be dead: %s", (int)owner->thread_id,
               slm_lock_doubt_text(owner->doubt));
    } else if (!owner->is_alive) {
        printf("thread %d has it, and is dead", (int)owner->thread_id);
    } else if (process->process_id == process->thread_id) {
        printf("process %d (%s) has it, and lives: it has run for %s", (int)process->process_id,
               process->command, spell_seconds(age, process->runs_seconds));
    } else {
        printf("thread %d (%s) of process %d (%s) has it, and lives: the process has run for %s",
               (int)process->thread_id, process->thread_name, (int)process->process_id,
               process->command, spell_seconds(age, process->runs_seconds));
    }
}

static void print_lock(const struct mill_look *look)
{
    const struct slm_zone_image *image = &look->copy->image;
    const struct slm_lock_owner *owner = &look->copy->owner;
    printf("lock      %s: ", mill_lock_name(image->lock.kind));
    print_owner(look);
    printf("; %s; %" PRIu64 " sleeps, %" PRIu32 " deaths so far\n",
           owner->has_waiters ? "there may be waiters" : "no waiters", image->lock.n_waits,
           image->lock.n_deaths);
    printf("journal   %" PRIu32 " of %" PRIu32 " entries noted%s\n", look->notes.n_noted,
           image->journal_entries,
           look->notes.is_committed  ? ", committed: being carried out"
           : look->notes.n_noted > 0 ? ", not committed"
                                     : "");
    printf("repairs   %" PRIu64 " so far: %" PRIu64 " undid a transaction, %" PRIu64
           " finished a commit\n",
           image->n_recoveries, look->n_undone, look->n_finished);
}

static void print_pages(const struct mill_look *look)
{
    const struct slm_slab_stats *stats = &look->stats;
    char page[WORD_BYTES];
    char used[WORD_BYTES];
    char all[WORD_BYTES];
    uint64_t n_bytes = (uint64_t)stats->n_pages * stats->page_bytes;
    printf("pages     %zu of %s: %" PRIu64 " in spans (%zu kept empty), %zu in %zu runs, %" PRIu64
           " free; at most %zu were in use\n",
           stats->n_pages, spell_bytes(page, stats->page_bytes), look->n_span_pages,
           stats->n_kept_pages, stats->n_run_pages, stats->n_runs, look->n_free_pages,
           stats->peak_used_pages);
    if (look->n_damaged_pages > 0) {
        printf("          %" PRIu64 " with invalid words\n", look->n_damaged_pages);
    }
    printf("in use    %s of %s (%.1f %%)\n", spell_bytes(used, look->used_bytes),
           spell_bytes(all, n_bytes), 100 * mill_share(look->used_bytes, n_bytes));
}

static void print_rate(uint64_t now, const uint64_t *before, double seconds)
{
    if (before != NULL) {
        printf(" %10.0f", per_second(now, *before, seconds));
    }
    putchar('\n');
}

/* No page, no object, no refusal. */
static bool is_empty(const struct slm_slab_class_stats *class)
{
    return class->n_spans == 0 && class->n_used == 0 && class->n_failures == 0;
}

/* Orders the classes, most waste first. Of equal ones the smaller chunks are first. */
static void sort_classes(const struct mill_look *look, unsigned *order)
{
    for (unsigned i = 0; i < look->stats.n_classes; i++) {
        unsigned at = i;
        while (at > 0 && look->waste_bytes[order[at - 1]] < look->waste_bytes[i]) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
}

static void print_class(const struct mill_look *look, const struct mill_look *before, unsigned idx,
                        double seconds)
{
    const struct slm_slab_class_stats *class = &look->classes[idx];
    printf("%11zu %6zu %9zu %9zu %5.1f%% %10" PRIu64 " %12" PRIu64 " %8" PRIu64, class->chunk_bytes,
           class->n_spans, class->n_chunks, class->n_used,
           100 * mill_share(class->n_used, class->n_chunks), look->waste_bytes[idx],
           class->n_requests, class->n_failures);
    print_rate(class->n_requests, before != NULL ? &before->classes[idx].n_requests : NULL,
               seconds);
}

static void print_classes(const struct mill_look *look, const struct mill_look *before,
                          double seconds, bool all)
{
    const struct slm_slab_stats *stats = &look->stats;
    unsigned order[SLM_SLAB_CLASSES_MAX];
    unsigned n_hidden = 0;
    sort_classes(look, order);
    printf("\nclasses   by waste, most first: bytes of their pages that no object has\n");
    printf("%11s %6s %9s %9s %6s %10s %12s %8s%s\n", "chunk", "spans", "chunks", "used", "fill",
           "waste", "requests", "failures", before != NULL ? "      per s" : "");
    for (unsigned i = 0; i < stats->n_classes; i++) {
        if (!all && is_empty(&look->classes[order[i]])) {
            n_hidden++;
        } else {
            print_class(look, before, order[i], seconds);
        }
    }
    printf("%11s %6s %9s %9zu %6s %10s %12" PRIu64 " %8" PRIu64, "whole pages", "", "",
           stats->n_runs, "", "", stats->run_requests, stats->run_failures);
    print_rate(stats->run_requests, before != NULL ? &before->stats.run_requests : NULL, seconds);
    if (n_hidden > 0) {
        printf("%u empty class%s not shown (--all shows %s)\n", n_hidden, n_hidden == 1 ? "" : "es",
               n_hidden == 1 ? "it" : "them");
    }
}

static void print_free(const struct mill_look *look)
{
    printf("\nfree      %" PRIu64 " pages in %" PRIu64 " run%s, the longest of %" PRIu64
           "; fragmentation %.1f %%\n",
           look->n_free_pages, look->n_free_runs, look->n_free_runs == 1 ? "" : "s",
           look->longest_pages, 100 * mill_look_fragmentation(look));
    for (unsigned i = 0; i < MILL_LENGTHS; i++) {
        char range[WORD_BYTES];
        uint64_t first = UINT64_C(1) << i;
        if (look->free_lengths[i] == 0) {
            continue;
        }
        if (i == 0) {
            (void)snprintf(range, sizeof range, "1 page");
        } else {
            (void)snprintf(range, sizeof range, "%" PRIu64 " to %" PRIu64 " pages", first,
                           2 * first - 1);
        }
        printf("%24s: %" PRIu64 " run%s\n", range, look->free_lengths[i],
               look->free_lengths[i] == 1 ? "" : "s");
    }
}

static void print_root(const struct mill_look *look)
{
    char size[WORD_BYTES];
    if (look->root_bytes != 0) {
        printf("\nroot      an object of %s; its words are in --json\n",
               spell_bytes(size, look->root_bytes));
    }
}

static void print_repair(const struct mill_look *look)
{
    if (look->copy->image.is_given_up) {
        printf("repair    failed: every lock is refused\n");
    } else if (look->is_repair_due) {
        printf("repair    due, by the next locker");
        if (look->is_rehearsed) {
            printf("; tried on a copy it %s",
                   look->is_repairable ? "succeeds: every invariant holds then" : "FAILS");
        }
        putchar('\n');
    }
}

static void print_check(const struct mill_look *look)
{
    const struct mill_copy *copy = look->copy;
    printf("\ncheck     ");
    if (copy->moment == MILL_MOMENT_CHANGING) {
        printf(
            "UNSETTLED: it changed during each of %u passes over it. Each figure was right at "
            "some moment,\n          but not all at the same; the invariants were not checked.\n",
            copy->n_passes);
    } else if (copy->slab_status != SLM_OK) {
        printf("its slab or journal cannot be opened: %s\n", slm_status_text(copy->slab_status));
    } else if (copy->moment == MILL_MOMENT_HELD) {
        printf("UNSETTLED: the lock was held all the time (%u passes): figures may be those of"
               "\n          an unfinished change; the invariants were not checked.\n",
               copy->n_passes);
    } else if (look->broken != 0) {
        printf("invariant %u does not hold%s\n", look->broken,
               copy->moment == MILL_MOMENT_LEFT ? ", as the dead owner left it" : "");
    } else {
        printf("every invariant holds\n");
    }
    print_repair(look);
}

void mill_look_text(const struct mill_look *look, const struct mill_look *before, double seconds,
                    bool all)
{
    print_head(look);
    print_lock(look);
    if (look->copy->slab != NULL) {
        print_pages(look);
        print_classes(look, before, seconds, all);
        print_free(look);
        print_root(look);
    }
    print_check(look);
}

void mill_look_line(const struct mill_look *look, const struct mill_look *before, double seconds)
{
    struct tm local;
    char when[16] = "";
    if (localtime_r(&look->when.tv_sec, &local) != NULL) {
        (void)strftime(when, sizeof when, "%H:%M:%S", &local);
    }
    uint64_t requests = mill_look_requests(look);
    uint64_t failures = mill_look_failures(look);
    printf("%s %s: %.0f requests/s, %.0f refused/s, %.1f %% used, %" PRIu64
           " pages free, longest run %" PRIu64 ", %s",
           when, look->name,
           before == NULL ? 0 : per_second(requests, mill_look_requests(before), seconds),
           before == NULL ? 0 : per_second(failures, mill_look_failures(before), seconds),
           100 *
               mill_share(look->used_bytes, (uint64_t)look->stats.n_pages * look->stats.page_bytes),
           look->n_free_pages, look->longest_pages, mill_moment_name(look->copy->moment));
    if (look->is_checked) {
        printf(look->broken == 0 ? ", sound" : ", invariant %u broken", look->broken);
    }
    printf("%s\n", look->is_repair_due ? ", a repair is due" : "");
}
