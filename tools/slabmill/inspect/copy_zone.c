/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill copy: copies a zone that others use to a new file or POSIX segment. */
#include <inttypes.h>
#include <string.h>

#include "tools/slabmill/inspect/inspect.h"
#include <slabmill/zone_copy.h>

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* False: the text names no place of a kind that has a name. */
static bool read_place(const char *text, struct slm_segment_options *to)
{
    bool is_posix = has_prefix(text, "posix:");
    bool is_file = has_prefix(text, "file:");
    const char *rest = is_posix || is_file ? strchr(text, ':') + 1 : text;
    *to = (struct slm_segment_options){
        .kind = is_posix ? SLM_SEGMENT_POSIX : SLM_SEGMENT_FILE,
        .name = is_posix ? mill_posix_name(rest) : rest,
    };
    return to->name != NULL && !has_prefix(text, "sysv:") && !has_prefix(text, "memfd:");
}

/* The command's lock would count as the check that only the zone's program can make. */
static bool is_checked(const struct slm_zone *zone)
{
    struct slm_zone_stats stats;
    slm_zone_get_stats(zone, &stats);
    if (stats.needs_check) {
        (void)mill_complain(
            "zone %s was in use when its boot or its copying by file ended: its own "
            "program must lock it first, since that checks its content",
            slm_zone_name(zone));
    }
    return !stats.needs_check;
}

static int copy_zone(struct slm_zone *zone, const struct slm_segment_options *to, const char *place)
{
    struct slm_zone_copy_report report;
    struct slm_error error;
    enum slm_status status = slm_zone_copy(zone, to, &report, &error);
    if (status != SLM_OK) {
        (void)mill_complain("%s", error.text);
        return status == SLM_E_BROKEN ? MILL_BROKEN : MILL_WRONG;
    }
    char name[MILL_TEXT_BYTES];
    char copy[MILL_ESCAPE_BYTES * MILL_PATH_BYTES];
    mill_escape(name, sizeof name, slm_zone_name(zone), strlen(slm_zone_name(zone)));
    mill_escape(copy, sizeof copy, place, strlen(place));
    printf("zone      \"%s\"\ncopy      %s: %" PRIu64 " bytes, every invariant holds\n", name, copy,
           report.bytes);
    printf("lock      taken %" PRIu64 " times, for %" PRIu64 " bytes at most\n", report.n_holds,
           report.most_held_bytes);
    return MILL_GOOD;
}

static int attach_and_copy(const struct slm_segment_options *segment,
                           const struct slm_zone_image *image, const struct mill_options *options)
{
    (void)image;
    struct slm_segment_options to;
    struct slm_error error;
    struct slm_zone *zone;
    struct slm_zone_attach_options attach = {.segment = *segment, .lock_path = options->lock};
    if (!read_place(options->files[1], &to)) {
        return mill_complain("%s: a copy is a path, file:PATH or posix:NAME", options->files[1]);
    }
    enum slm_status status = slm_zone_attach(&zone, &attach, &error);
    if (status != SLM_OK) {
        (void)mill_complain("%s", error.text);
        return status == SLM_E_BROKEN ? MILL_BROKEN : MILL_WRONG;
    }
    int result = is_checked(zone) ? copy_zone(zone, &to, options->files[1]) : MILL_WRONG;
    slm_zone_detach(zone);
    return result;
}

int mill_copy(const struct mill_options *options)
{
    return mill_source_use(options, attach_and_copy);
}
