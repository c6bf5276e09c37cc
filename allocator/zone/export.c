/* SPDX-License-Identifier: Apache-2.0 */
/* Passing a zone on to the program that exec starts in this process. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocator/base/cancel.h"
#include "allocator/segment/for_zone.h"
#include "allocator/zone/handle.h"
#include <slabmill/zone_set.h>

static const struct form {
    const char *prefix;
    enum slm_segment_kind kind;
    bool by_name;
} forms[] = {
    {"posix:", SLM_SEGMENT_POSIX, true},
    {"file:", SLM_SEGMENT_FILE, true},
    {"memfd:", SLM_SEGMENT_MEMFD, false},
    {"sysv:", SLM_SEGMENT_SYSV, false},
};

enum { N_FORMS = sizeof forms / sizeof *forms };

/* A memfd must stay open in the new program. Its descriptor may be another file's by now. */
static enum slm_status keep_over_exec(const struct slm_zone *zone, struct slm_error *error)
{
    enum slm_status status = slm_segment_verify(zone->segment, error);
    if (status != SLM_OK) {
        return slm_zone_error_of(slm_zone_name(zone), status, error);
    }
    int fd = slm_segment_id(zone->segment);
    int flags = fcntl(fd, F_GETFD);
    return flags >= 0 && fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC) == 0
               ? SLM_OK
               : slm_error_set(error, SLM_E_IO, errno, "zone %s: descriptor %d: %s",
                               slm_zone_name(zone), fd, strerror(errno));
}

/* Whether the new program will find the zone by what the text says. */
static enum slm_status prepare_form(const struct form *form, const struct slm_zone *zone,
                                    struct slm_error *error)
{
    if (form->kind == SLM_SEGMENT_MEMFD) {
        return keep_over_exec(zone, error);
    }
    return form->by_name
               ? slm_zone_error_of(slm_zone_name(zone),
                                   slm_segment_check_own_name(zone->segment, error), error)
               : SLM_OK;
}

static enum slm_status write_form(const struct form *form, const struct slm_zone *zone, char *text,
                                  struct slm_error *error)
{
    const char *name = slm_zone_segment_name(zone);
    int n = form->by_name ? snprintf(text, SLM_ZONE_EXPORT_BYTES, "%s%s", form->prefix, name)
                          : snprintf(text, SLM_ZONE_EXPORT_BYTES, "%s%d", form->prefix,
                                     slm_segment_id(zone->segment));
    if (n < 0 || (unsigned)n >= SLM_ZONE_EXPORT_BYTES) {
        text[0] = '\0';
        return slm_error_set(error, SLM_E_SIZE, 0,
                             "%.100s...: too long to be exported, in at most %u bytes", name,
                             SLM_ZONE_EXPORT_BYTES - 1);
    }
    return SLM_OK;
}

enum slm_status slm_zone_export(struct slm_zone *zone, char text[SLM_ZONE_EXPORT_BYTES],
                                struct slm_error *error)
{
    slm_error_clear(error);
    if (text != NULL) {
        text[0] = '\0';
    }
    if (zone == NULL || text == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "no zone, or no place for its text");
    }
    const struct slm_segment *segment = zone->segment;
    for (unsigned i = 0; i < N_FORMS; i++) {
        if (forms[i].kind == slm_segment_get_kind(segment)) {
            enum slm_status status = prepare_form(&forms[i], zone, error);
            return status == SLM_OK ? write_form(&forms[i], zone, text, error) : status;
        }
    }
    return slm_error_set(error, SLM_E_OPTION, 0, "zone %s: %s memory cannot be handed over",
                         slm_zone_name(zone), slm_segment_label(segment));
}

static bool parse_id(const char *digits, int *id)
{
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || n > 10 || digits[n] != '\0') {
        return false;
    }
    long long value = strtoll(digits, NULL, 10);
    *id = (int)value;
    return value <= INT32_MAX;
}

/* Fills in kind and name or id; false: slm_zone_export did not write the text. */
static bool parse_text(const char *text, struct slm_segment_options *segment)
{
    for (unsigned i = 0; i < N_FORMS; i++) {
        size_t n = strlen(forms[i].prefix);
        if (strncmp(text, forms[i].prefix, n) == 0) {
            segment->kind = forms[i].kind;
            segment->name = forms[i].by_name ? text + n : NULL;
            return forms[i].by_name ? text[n] != '\0' : parse_id(text + n, &segment->id);
        }
    }
    return false;
}

enum slm_status slm_zone_import(struct slm_zone **out, const char *text,
                                const struct slm_zone_attach_options *options,
                                struct slm_error *error)
{
    slm_error_clear(error);
    if (out != NULL) {
        *out = NULL;
    }
    if (out == NULL || text == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "no zone: no text, or no place for it");
    }
    struct slm_zone_attach_options whole = {0};
    if (options != NULL) {
        whole = *options;
    }
    whole.segment = (struct slm_segment_options){.mode = whole.segment.mode};
    if (!parse_text(text, &whole.segment)) {
        return slm_error_set(error, SLM_E_OPTION, 0, "\"%.100s\": not a zone handed over", text);
    }
    enum slm_status status = slm_zone_attach(out, &whole, error);
    if (status == SLM_OK && whole.segment.kind == SLM_SEGMENT_MEMFD) {
        int cancel = slm_cancel_off();
        (void)close(whole.segment.id);
        slm_cancel_restore(cancel);
    }
    return status;
}
