/* SPDX-License-Identifier: Apache-2.0 */
/* A look at a zone as one JSON object on one line, explained by `slabmill inspect --help`. */
#include <inttypes.h>

#include "tools/slabmill/inspect/inspect.h"

/* Texts are escaped, so only these two need one more. */
static void put_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            putchar('\\');
        }
        putchar(*text);
    }
    putchar('"');
}

static void put_key_text(const char *key, const char *text)
{
    printf("\"%s\":", key);
    put_text(text);
    putchar(',');
}

static void put_flag(const char *key, bool flag, const char *end)
{
    printf("\"%s\":%s%s", key, flag ? "true" : "false", end);
}

static void put_head(const struct mill_look *look)
{
    const struct slm_zone_image *image = &look->copy->image;
    put_key_text("zone", look->place);
    put_key_text("name", look->name);
    put_key_text("tag", look->tag);
    printf("\"version\":%" PRIu32 ",\"bytes\":%" PRIu64 ",\"first_bytes\":%" PRIu64
           ",\"max_bytes\":%" PRIu64 ",",
           image->version, image->bytes, image->first_bytes, image->max_bytes);
    printf("\"time\":%lld.%03ld,", (long long)look->when.tv_sec, look->when.tv_nsec / 1000000);
}

static void put_owner(const struct mill_look *look)
{
    const struct slm_lock_owner *owner = &look->copy->owner;
    const struct mill_process *process = &look->process;
    if (owner->identity == 0) {
        printf("\"owner\":null,");
        return;
    }
    printf("\"owner\":{\"thread\":%d,", (int)owner->thread_id);
    if (process->thread_id != 0) {
        printf("\"process\":%d,\"runs_seconds\":%" PRIu64 ",", (int)process->process_id,
               process->runs_seconds);
        put_key_text("command", process->command);
        put_key_text("thread_name", process->thread_name);
    }
    if (look->is_owner_known) {
        put_flag("alive", owner->is_alive, "},");
    } else {
        printf("\"alive\":null,\"doubt\":\"%s\"},", slm_lock_doubt_text(owner->doubt));
    }
}

static void put_lock(const struct mill_look *look)
{
    const struct slm_zone_image *image = &look->copy->image;
    const struct slm_lock_owner *owner = &look->copy->owner;
    printf("\"lock\":{");
    put_key_text("kind", mill_lock_name(image->lock.kind));
    put_owner(look);
    put_flag("needs_repair", owner->needs_repair, ",");
    put_flag("has_waiters", owner->has_waiters, ",");
    printf("\"sleeps\":%" PRIu64 ",\"deaths\":%" PRIu32 "},", image->lock.n_waits,
           image->lock.n_deaths);
    printf("\"journal\":{\"entries\":%" PRIu32 ",\"noted\":%" PRIu32 ",", image->journal_entries,
           look->notes.n_noted);
    put_flag("committed", look->notes.is_committed, "},");
    printf("\"recoveries\":{\"all\":%" PRIu64 ",\"undone\":%" PRIu64 ",\"finished\":%" PRIu64 "},",
           image->n_recoveries, look->n_undone, look->n_finished);
}

static void put_rate(uint64_t now, const uint64_t *before, double seconds)
{
    if (before != NULL && seconds > 0) {
        uint64_t more = now > *before ? now - *before : 0;
        printf(",\"requests_per_second\":%.1f", (double)more / seconds);
    }
}

static void put_classes(const struct mill_look *look, const struct mill_look *before,
                        double seconds)
{
    printf("\"classes\":[");
    for (unsigned i = 0; i < look->stats.n_classes; i++) {
        const struct slm_slab_class_stats *class = &look->classes[i];
        printf("%s{\"chunk_bytes\":%zu,\"spans\":%zu,\"chunks\":%zu,\"used\":%zu,\"fill\":%.4f,"
               "\"waste_bytes\":%" PRIu64 ",\"requests\":%" PRIu64 ",\"failures\":%" PRIu64,
               i == 0 ? "" : ",", class->chunk_bytes, class->n_spans, class->n_chunks,
               class->n_used, mill_share(class->n_used, class->n_chunks), look->waste_bytes[i],
               class->n_requests, class->n_failures);
        put_rate(class->n_requests, before != NULL ? &before->classes[i].n_requests : NULL,
                 seconds);
        putchar('}');
    }
    printf("],\"runs\":{\"live\":%zu,\"pages\":%zu,\"requests\":%" PRIu64 ",\"failures\":%" PRIu64,
           look->stats.n_runs, look->stats.n_run_pages, look->stats.run_requests,
           look->stats.run_failures);
    put_rate(look->stats.run_requests, before != NULL ? &before->stats.run_requests : NULL,
             seconds);
    printf("},");
}

static void put_pages(const struct mill_look *look)
{
    const struct slm_slab_stats *stats = &look->stats;
    printf("\"page_bytes\":%zu,\"pages\":{\"all\":%zu,\"free\":%" PRIu64 ",\"spans\":%" PRIu64
           ",\"kept\":%zu,\"runs\":%zu,\"damaged\":%" PRIu64 ",\"peak\":%zu},",
           stats->page_bytes, stats->n_pages, look->n_free_pages, look->n_span_pages,
           stats->n_kept_pages, stats->n_run_pages, look->n_damaged_pages, stats->peak_used_pages);
    printf("\"metadata_bytes\":%zu,\"used_bytes\":%" PRIu64 ",", stats->metadata_bytes,
           look->used_bytes);
    printf("\"free_runs\":{\"count\":%" PRIu64 ",\"longest\":%" PRIu64
           ",\"fragmentation\":%.4f,\"lengths\":[",
           look->n_free_runs, look->longest_pages, mill_look_fragmentation(look));
    const char *between = "";
    for (unsigned i = 0; i < MILL_LENGTHS; i++) {
        if (look->free_lengths[i] > 0) {
            printf("%s{\"from\":%" PRIu64 ",\"to\":%" PRIu64 ",\"runs\":%" PRIu64 "}", between,
                   UINT64_C(1) << i, (UINT64_C(2) << i) - 1, look->free_lengths[i]);
            between = ",";
        }
    }
    printf("]},");
}

static void put_root(const struct mill_look *look)
{
    if (look->root_bytes == 0) {
        printf("\"root\":null,");
        return;
    }
    printf("\"root\":{\"bytes\":%" PRIu64 ",\"words\":[", look->root_bytes);
    for (unsigned i = 0; i < look->n_root_words; i++) {
        printf("%s%" PRIu64, i == 0 ? "" : ",", look->root_words[i]);
    }
    printf("]},");
}

static void put_verdict(const struct mill_look *look)
{
    const struct mill_copy *copy = look->copy;
    put_key_text("moment", mill_moment_name(copy->moment));
    printf("\"passes\":%u,", copy->n_passes);
    put_flag("is_open", copy->slab_status == SLM_OK, ",");
    put_flag("given_up", copy->image.is_given_up, ",");
    if (look->is_checked && copy->slab != NULL) {
        printf("\"broken\":%u,", look->broken);
    } else {
        printf("\"broken\":null,");
    }
    put_flag("repair_due", look->is_repair_due, ",");
    if (look->is_rehearsed) {
        put_flag("repairable", look->is_repairable, ",");
    } else {
        printf("\"repairable\":null,");
    }
    put_flag("sound", mill_look_status(look) == MILL_GOOD && look->is_checked, "}\n");
}

void mill_look_json(const struct mill_look *look, const struct mill_look *before, double seconds)
{
    putchar('{');
    put_head(look);
    put_lock(look);
    if (look->copy->slab != NULL) {
        put_pages(look);
        put_classes(look, before, seconds);
        put_root(look);
    }
    put_verdict(look);
}
