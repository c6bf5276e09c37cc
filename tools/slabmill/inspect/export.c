/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill export: figures of zones that others use, for a monitor. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* open_memstream */
#endif
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/slabmill/inspect/inspect.h"

/*
 * The text format of Prometheus has all samples of a metric in one group, so all zones are read
 * before anything is written. A zone is open only while it is copied. No sample has a time:
 * node_exporter refuses files with times.
 */

/* --- The metrics --- */

enum metric {
    UP,
    INFO,
    BROKEN,
    REPAIR_DUE,
    CHECKED,
    BROKEN_INVARIANT,
    SIZE,
    MAX_SIZE,
    METADATA,
    PAGES,
    FREE_PAGES,
    LONGEST_FREE_RUN,
    PEAK_PAGES,
    USED,
    OBJECTS,
    REQUESTS,
    FAILURES,
    LOCK_HELD,
    LOCK_SLEEPS,
    LOCK_DEATHS,
    RECOVERIES,
    METRICS
};

struct metric_text {
    const char *name;
    const char *type;
    const char *help;
};

#define GAUGE   "gauge"
#define COUNTER "counter"

/* docs/operations.md lists them all: //tests/docs:metrics_test. */
static const struct metric_text texts[METRICS] = {
    [UP] = {"slabmill_zone_up", GAUGE, "1 if the zone could be read, else 0."},
    [INFO] = {"slabmill_zone_info", GAUGE, "Always 1: the name and tag of the zone, its lock."},
    [BROKEN] = {"slabmill_zone_broken", GAUGE,
                "1 if the next locker cannot get a sound zone: damage, or a repair that failed."},
    [REPAIR_DUE] = {"slabmill_zone_repair_due", GAUGE,
                    "1 if the holder of the lock died: the next locker repairs the zone."},
    [CHECKED] = {"slabmill_zone_checked", GAUGE,
                 "1 if the invariants were checked now; 0 if the zone was in use all the time."},
    [BROKEN_INVARIANT] = {"slabmill_zone_broken_invariant", GAUGE,
                          "Number of the first invariant that does not hold, 0 for none."},
    [SIZE] = {"slabmill_zone_size_bytes", GAUGE, "Length of the zone."},
    [MAX_SIZE] = {"slabmill_zone_max_size_bytes", GAUGE, "Length up to which the zone may grow."},
    [METADATA] = {"slabmill_zone_metadata_bytes", GAUGE, "Bytes of the slab's own records."},
    [PAGES] = {"slabmill_zone_pages_bytes", GAUGE, "Bytes of all pages, which are for objects."},
    [FREE_PAGES] = {"slabmill_zone_free_pages_bytes", GAUGE, "Bytes of pages that are free."},
    [LONGEST_FREE_RUN] = {"slabmill_zone_longest_free_run_bytes", GAUGE,
                          "Bytes of the longest run of free pages."},
    [PEAK_PAGES] = {"slabmill_zone_peak_pages_bytes", GAUGE,
                    "Most bytes of pages that were in use at a time."},
    [USED] = {"slabmill_zone_used_bytes", GAUGE, "Bytes of live objects, with their rounding."},
    [OBJECTS] = {"slabmill_zone_objects", GAUGE, "Live objects."},
    [REQUESTS] = {"slabmill_zone_requests_total", COUNTER,
                  "Requests for an object since the zone was made, refused ones included."},
    [FAILURES] = {"slabmill_zone_failures_total", COUNTER, "Requests that were refused."},
    [LOCK_HELD] = {"slabmill_zone_lock_held", GAUGE,
                   "1 if one look after another found the lock held."},
    [LOCK_SLEEPS] = {"slabmill_zone_lock_sleeps_total", COUNTER, "Lockers that had to sleep."},
    [LOCK_DEATHS] = {"slabmill_zone_lock_deaths_total", COUNTER, "Holders that died."},
    [RECOVERIES] = {"slabmill_zone_recoveries_total", COUNTER, "Repairs after a death."},
};

enum class_metric { CLASS_CHUNKS, CLASS_USED, CLASS_WASTE, CLASS_REQUESTS, CLASS_FAILURES };
#define CLASS_METRICS 5

/* With --all. The label `class` is a size of chunks in bytes, or "pages" for whole pages. */
static const struct metric_text class_texts[CLASS_METRICS] = {
    [CLASS_CHUNKS] = {"slabmill_zone_class_chunks", GAUGE, "Chunks, free or in use."},
    [CLASS_USED] = {"slabmill_zone_class_objects", GAUGE, "Live objects of the class."},
    [CLASS_WASTE] = {"slabmill_zone_class_waste_bytes", GAUGE,
                     "Bytes of the pages of the class that no object has."},
    [CLASS_REQUESTS] = {"slabmill_zone_class_requests_total", COUNTER,
                        "Requests for an object of the class, refused ones included."},
    [CLASS_FAILURES] = {"slabmill_zone_class_failures_total", COUNTER,
                        "Requests of the class that were refused."},
};

/* --- What is known of a zone --- */

struct class_row {
    size_t chunk_bytes; /* 0: whole pages */
    uint64_t values[CLASS_METRICS];
};

struct zone {
    char *label; /* as the user named it, escaped */
    char name[MILL_TEXT_BYTES];
    char tag[MILL_TEXT_BYTES];
    const char *lock;
    uint64_t values[METRICS];
    bool is_known[METRICS];
    unsigned n_rows;
    struct class_row rows[SLM_SLAB_CLASSES_MAX + 1];
};

static void set(struct zone *zone, enum metric metric, uint64_t value)
{
    zone->values[metric] = value;
    zone->is_known[metric] = true;
}

/* What the next locker would find. A repair that is due was tried on the copy. */
static bool is_broken(const struct mill_look *look)
{
    const struct mill_copy *copy = look->copy;
    bool is_open = copy->slab_status == SLM_OK || copy->moment == MILL_MOMENT_CHANGING;
    return !is_open || copy->image.is_given_up ||
           (look->is_rehearsed ? !look->is_repairable : look->broken != 0);
}

static void note_head(struct zone *zone, const struct mill_look *look)
{
    const struct slm_zone_image *image = &look->copy->image;
    memcpy(zone->name, look->name, sizeof zone->name);
    memcpy(zone->tag, look->tag, sizeof zone->tag);
    zone->lock = mill_lock_name(image->lock.kind);
    set(zone, INFO, 1);
    set(zone, BROKEN, is_broken(look));
    set(zone, REPAIR_DUE, look->is_repair_due);
    set(zone, CHECKED, look->is_checked);
    set(zone, SIZE, image->bytes);
    set(zone, MAX_SIZE, image->max_bytes);
    set(zone, LOCK_HELD, look->copy->moment == MILL_MOMENT_HELD);
    set(zone, LOCK_SLEEPS, image->lock.n_waits);
    set(zone, LOCK_DEATHS, image->lock.n_deaths);
    set(zone, RECOVERIES, image->n_recoveries);
}

static void note_pages(struct zone *zone, const struct mill_look *look)
{
    const struct slm_slab_stats *stats = &look->stats;
    uint64_t page_bytes = stats->page_bytes;
    if (look->is_checked) {
        set(zone, BROKEN_INVARIANT, look->broken);
    }
    set(zone, METADATA, stats->metadata_bytes);
    set(zone, PAGES, stats->n_pages * page_bytes);
    set(zone, FREE_PAGES, look->n_free_pages * page_bytes);
    set(zone, LONGEST_FREE_RUN, look->longest_pages * page_bytes);
    set(zone, PEAK_PAGES, stats->peak_used_pages * page_bytes);
    set(zone, USED, look->used_bytes);
    set(zone, REQUESTS, mill_look_requests(look));
    set(zone, FAILURES, mill_look_failures(look));
}

static void note_classes(struct zone *zone, const struct mill_look *look)
{
    const struct slm_slab_stats *stats = &look->stats;
    uint64_t n_objects = stats->n_runs;
    for (unsigned i = 0; i < stats->n_classes; i++) {
        const struct slm_slab_class_stats *class = &look->classes[i];
        n_objects += class->n_used;
        zone->rows[i] = (struct class_row){
            class->chunk_bytes,
            {class->n_chunks, class->n_used, look->waste_bytes[i], class->n_requests,
             class->n_failures},
        };
    }
    zone->rows[stats->n_classes] = (struct class_row){
        0, {stats->n_runs, stats->n_runs, 0, stats->run_requests, stats->run_failures}};
    zone->n_rows = stats->n_classes + 1;
    set(zone, OBJECTS, n_objects);
}

static int note_source(struct zone *zone, const struct mill_source *source)
{
    static struct mill_look look;
    struct mill_copy copy;
    struct slm_error error;
    if (mill_copy_take(&copy, source, &error) != SLM_OK) {
        return mill_complain("%s", error.text);
    }
    mill_look_at(&look, &copy, source->label);
    mill_look_rehearse(&look, &copy);
    set(zone, UP, 1);
    note_head(zone, &look);
    if (copy.slab != NULL) {
        note_pages(zone, &look);
        note_classes(zone, &look);
    }
    mill_copy_drop(&copy);
    return mill_look_status(&look);
}

/* Returns what inspect returns. The zone has its label in any case, unless there is no memory. */
static int note_zone(struct zone *zone, const char *label)
{
    struct mill_source source;
    struct slm_error error;
    size_t n_bytes = strlen(label);
    zone->label = malloc(n_bytes * MILL_ESCAPE_BYTES + 1);
    if (zone->label == NULL) {
        return mill_complain("%s: no memory", label);
    }
    mill_escape(zone->label, n_bytes * MILL_ESCAPE_BYTES + 1, label, n_bytes);
    set(zone, UP, 0);
    if (mill_source_open(&source, label, &error) != SLM_OK) {
        return mill_complain("%s", error.text);
    }
    int status = note_source(zone, &source);
    mill_source_close(&source);
    return status;
}

/* --- The text --- */

/* A text that mill_escape made: it has no line end. */
static void put_label(FILE *out, const char *name, const char *text)
{
    fprintf(out, "%s=\"", name);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            putc('\\', out);
        }
        putc(*text, out);
    }
    putc('"', out);
}

static void put_head(FILE *out, const struct metric_text *text)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", text->name, text->help, text->name, text->type);
}

static void put_sample(FILE *out, const struct zone *zone, enum metric metric)
{
    if (zone->label == NULL || !zone->is_known[metric]) {
        return;
    }
    fprintf(out, "%s{", texts[metric].name);
    put_label(out, "zone", zone->label);
    if (metric == INFO) {
        put_label(out, ",name", zone->name);
        put_label(out, ",tag", zone->tag);
        put_label(out, ",lock", zone->lock);
    }
    fprintf(out, "} %" PRIu64 "\n", zone->values[metric]);
}

static void put_class_samples(FILE *out, const struct zone *zone, enum class_metric metric)
{
    for (unsigned i = 0; zone->label != NULL && i < zone->n_rows; i++) {
        const struct class_row *row = &zone->rows[i];
        fprintf(out, "%s{", class_texts[metric].name);
        put_label(out, "zone", zone->label);
        if (row->chunk_bytes == 0) {
            put_label(out, ",class", "pages");
        } else {
            fprintf(out, ",class=\"%zu\"", row->chunk_bytes);
        }
        fprintf(out, "} %" PRIu64 "\n", row->values[metric]);
    }
}

static void put_all(FILE *out, const struct zone *zones, size_t n_zones, bool with_classes)
{
    for (enum metric metric = 0; metric < METRICS; metric++) {
        put_head(out, &texts[metric]);
        for (size_t i = 0; i < n_zones; i++) {
            put_sample(out, &zones[i], metric);
        }
    }
    for (enum class_metric metric = 0; with_classes && metric < CLASS_METRICS; metric++) {
        put_head(out, &class_texts[metric]);
        for (size_t i = 0; i < n_zones; i++) {
            put_class_samples(out, &zones[i], metric);
        }
    }
}

/* A file is replaced as a whole, so that its reader never sees a part. */
static bool write_file(const struct zone *zones, const struct mill_options *options)
{
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *out = open_memstream(&text, &n_bytes);
    if (out != NULL) {
        put_all(out, zones, options->n_files, options->all);
    }
    bool is_whole = out != NULL && fclose(out) == 0;
    if (!is_whole) {
        (void)mill_complain("%s: no memory", options->out);
    }
    bool is_written = is_whole && mill_file_write(options->out, text, n_bytes);
    free(text);
    return is_written;
}

/* --- The command --- */

/* Two samples with the same labels would make a monitor refuse all of them. */
static bool is_each_given_once(const struct mill_options *options)
{
    for (size_t i = 0; i < options->n_files; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(options->files[i], options->files[j]) == 0) {
                (void)mill_complain("%s is given twice", options->files[i]);
                return false;
            }
        }
    }
    return true;
}

/* False, with a message: no zone may become the text. */
static bool may_write(const struct mill_options *options)
{
    bool may = mill_file_may_be(options->out);
    for (size_t i = 0; i < options->n_files && may; i++) {
        struct mill_source source;
        if (mill_source_open(&source, options->files[i], NULL) == SLM_OK) {
            may = !mill_file_is_input(options->out, source.path);
            mill_source_close(&source);
        }
    }
    return may;
}

int mill_export(const struct mill_options *options)
{
    int status = MILL_GOOD;
    if (!is_each_given_once(options) || (options->out != NULL && !may_write(options))) {
        return MILL_WRONG;
    }
    struct zone *zones = calloc(options->n_files, sizeof *zones);
    if (zones == NULL) {
        return mill_complain("no memory for %zu zones", options->n_files);
    }
    for (size_t i = 0; i < options->n_files; i++) {
        int found = note_zone(&zones[i], options->files[i]);
        status = found > status ? found : status;
    }
    if (options->out == NULL) {
        put_all(stdout, zones, options->n_files, options->all);
    } else if (!write_file(zones, options)) {
        status = MILL_WRONG;
    }
    for (size_t i = 0; i < options->n_files; i++) {
        free(zones[i].label);
    }
    free(zones);
    return status;
}
