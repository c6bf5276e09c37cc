/* SPDX-License-Identifier: Apache-2.0 */
/* The results of a hunt: a table, or JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "tools/slabmill/hunt.h"

#define KEY_COLUMN 44

static void say_row(const struct mill_kind *kind)
{
    char small[24] = "-";
    if (kind->alone == MILL_ALONE_UNKNOWN) {
        snprintf(small, sizeof small, "?");
    } else if (kind->alone == MILL_ALONE_FAILS) {
        snprintf(small, sizeof small, "%zu", kind->n_small_ops);
    }
    printf("  %-*s %8" PRIu64 " %8" PRIu64 " %10zu %6s  %s\n", KEY_COLUMN, kind->key, kind->n_times,
           kind->program, kind->n_ops, small, kind->folder);
}

static void say_aside(const struct mill_hunt *hunt)
{
    for (size_t i = 0; i < hunt->n_kinds; i++) {
        const struct mill_kind *kind = &hunt->kinds[i];
        if (kind->why != NULL) {
            printf("  %-*s %8" PRIu64 " %8" PRIu64 "  set aside: %s\n", KEY_COLUMN, kind->key,
                   kind->n_times, kind->program, kind->why);
        }
    }
}

/* True if one that counts is in this state. */
static bool has_kind(const struct mill_hunt *hunt, enum mill_alone alone)
{
    for (size_t i = 0; i < hunt->n_kinds; i++) {
        if (hunt->kinds[i].why == NULL && hunt->kinds[i].alone == alone) {
            return true;
        }
    }
    return false;
}

void mill_hunt_say_table(const struct mill_hunt *hunt)
{
    printf("%s, seed %" PRIu64 ": %" PRIu64 " programs, %" PRIu64 " operations, %" PRIu64
           " allocations refused%s\n",
           hunt->adapter->name, hunt->seed, hunt->n_programs, hunt->n_done, hunt->n_refused,
           hunt->stopped ? "; stopped" : "");
    if (hunt->n_kinds > 0) {
        printf("  %-*s %8s %8s %10s %6s  %s\n", KEY_COLUMN, "kind", "times", "program",
               "operations", "small", "folder");
    }
    for (size_t i = 0; i < hunt->n_kinds; i++) {
        if (hunt->kinds[i].why == NULL) {
            say_row(&hunt->kinds[i]);
        }
    }
    say_aside(hunt);
    if (has_kind(hunt, MILL_ALONE_KEEPS)) {
        printf("  -: does not fail alone; declare fresh_process if state survives destroy\n");
    }
    if (has_kind(hunt, MILL_ALONE_UNKNOWN)) {
        printf("  ?: not examined, since the hunt ended\n");
    }
    printf("findings: %zu\n", mill_kinds_count(hunt));
}

/* --- JSON --- */

static void say_kind(const struct mill_kind *kind)
{
    bool law = kind->trial->end == MILL_END_LAW;
    printf("{\"kind\":");
    mill_json_text(kind->key);
    printf(",\"law\":");
    if (law) {
        mill_json_text(hrn_law_name(kind->trial->result.law));
    } else {
        printf("null");
    }
    printf(",\"text\":");
    mill_json_text(kind->text);
    printf(",\"times\":%" PRIu64 ",\"program\":%" PRIu64, kind->n_times, kind->program);
    if (kind->why != NULL) {
        printf(",\"why\":\"%s\"}", kind->why);
        return;
    }
    static const char *const reproduces[] = {
        [MILL_ALONE_UNKNOWN] = "null", [MILL_ALONE_FAILS] = "true", [MILL_ALONE_KEEPS] = "false"};
    printf(",\"operations\":%zu,\"small\":", kind->n_ops);
    if (kind->alone == MILL_ALONE_FAILS) {
        printf("%zu", kind->n_small_ops);
    } else {
        printf("null");
    }
    printf(",\"reproduces\":%s,\"folder\":", reproduces[kind->alone]);
    mill_json_text(kind->folder);
    putchar('}');
}

static void say_kinds(const struct mill_hunt *hunt, bool aside)
{
    const char *comma = "";
    for (size_t i = 0; i < hunt->n_kinds; i++) {
        if ((hunt->kinds[i].why != NULL) == aside) {
            fputs(comma, stdout);
            say_kind(&hunt->kinds[i]);
            comma = ",";
        }
    }
}

void mill_hunt_say_json(const struct mill_hunt *hunt)
{
    printf("{\"adapter\":");
    mill_json_text(hunt->adapter->name);
    printf(",\"seed\":%" PRIu64 ",\"programs\":%" PRIu64 ",\"operations\":%" PRIu64
           ",\"refused\":%" PRIu64 ",\"stopped\":%s,\"findings\":[",
           hunt->seed, hunt->n_programs, hunt->n_done, hunt->n_refused,
           hunt->stopped ? "true" : "false");
    say_kinds(hunt, false);
    printf("],\"set_aside\":[");
    say_kinds(hunt, true);
    printf("],\"n_findings\":%zu}\n", mill_kinds_count(hunt));
}
