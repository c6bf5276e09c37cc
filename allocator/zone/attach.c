/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a zone that exists: every field is checked before it is used. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nanosleep */
#endif
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "allocator/base/cancel.h"
#include "allocator/journal/log.h"
#include "allocator/lock/origin.h"
#include "allocator/segment/for_zone.h"
#include "allocator/zone/handle.h"

#define MOST_TRIES 16u /* of an attach that meets another one */

/* Whether this process may use the zone. */
static enum slm_status judge_use(const struct zone_header *header, const char *label,
                                 const struct slm_zone_attach_options *options,
                                 struct slm_error *error)
{
    const struct zone_fixed *fixed = &header->fixed;
    if (header->state == ZONE_BROKEN && !options->segment.read_only) {
        return slm_error_set(error, SLM_E_BROKEN, 0, "%s: could not be repaired", label);
    }
    if (options->name != NULL && strcmp(options->name, fixed->name) != 0) {
        return slm_error_set(error, SLM_E_NAME, 0, "%s: zone \"%s\", expected \"%.60s\"", label,
                             fixed->name, options->name);
    }
    if (options->tag != NULL && strcmp(options->tag, fixed->tag) != 0) {
        return slm_error_set(error, SLM_E_NAME, 0, "%s: tag \"%s\", expected \"%.60s\"", label,
                             fixed->tag, options->tag);
    }
    return SLM_OK;
}

/* What attach reads before it maps the file. */
struct head {
    struct zone_header header;
    struct zone_copying copying;
};

/* Checks and uses a copy, which no other process can change meanwhile. The copy is read from the
 * file: reading the mapping of a hole would take space, or end the process if there is none. */
static enum slm_status judge_header(struct slm_zone *zone, struct head *head,
                                    const struct slm_zone_attach_options *options,
                                    struct slm_error *error)
{
    const struct zone_header *copy = &head->header;
    const char *label = slm_segment_label(zone->segment);
    size_t n_read = 0;
    enum slm_status status =
        slm_segment_read_head(zone->segment, head, sizeof *head, &n_read, error);
    if (status == SLM_OK && n_read < sizeof *head) {
        status = slm_error_set(error, SLM_E_TRUNCATED, 0, "%s: %zu bytes, too short for a zone",
                               label, n_read);
    }
    if (status == SLM_OK) {
        status = slm_zone_check_header(copy, label, error);
    }
    if (status == SLM_OK) {
        status = judge_use(copy, label, options, error);
    }
    if (status == SLM_OK && copy->fixed.max_bytes > PTRDIFF_MAX) {
        status = slm_error_set(
            error, SLM_E_SIZE, 0, "%s: may grow to %llu bytes, too much for %zu-bit programs",
            label, (unsigned long long)copy->fixed.max_bytes, sizeof(void *) * CHAR_BIT);
    }
    return status;
}

/* Maps the zone with the addresses up to its max_bytes, which its header holds. A file that turns
 * out not to be a zone is not mapped, and its holes are not filled. *is_whole: it needed no
 * filling. */
static enum slm_status map_whole(struct slm_zone *zone,
                                 const struct slm_zone_attach_options *options, bool *is_whole,
                                 struct slm_error *error)
{
    struct slm_segment_options segment = options->segment;
    struct head head;
    const struct zone_header *copy = &head.header;
    segment.max_bytes = 0;
    if (segment.name == NULL && segment.kind == SLM_SEGMENT_POSIX) {
        segment.name = options->name;
    }
    enum slm_status status = slm_segment_open(&zone->segment, &segment, error);
    if (status == SLM_OK) {
        status = judge_header(zone, &head, options, error);
    }
    if (status != SLM_OK) {
        return status;
    }
    *is_whole =
        slm_zone_is_trimmed(zone, copy, &head.copying) ||
        (copy->whole_file != 0 && copy->whole_file == slm_segment_file_version(zone->segment));
    status = slm_segment_map_opened(zone->segment, (size_t)copy->fixed.max_bytes, *is_whole, error);
    if (status == SLM_OK) {
        zone->fixed = copy->fixed;
        zone->header = slm_segment_base(zone->segment);
        zone->check_content = options->check_content;
        zone->check_data = options->check_data;
        zone->report = options->report;
        zone->report_data = options->report_data;
        zone->quiet_nomem = options->quiet_nomem;
    }
    return status;
}

static enum slm_status map_all(struct slm_zone *zone, uint64_t bytes, struct slm_error *error)
{
    if (!slm_zone_bytes_are_right(&zone->fixed, bytes)) {
        return slm_error_set(error, SLM_E_SIZE, 0, "%s: a length of %llu bytes",
                             slm_segment_label(zone->segment), (unsigned long long)bytes);
    }
    return bytes <= slm_segment_bytes(zone->segment)
               ? SLM_OK
               : slm_segment_refresh(zone->segment, (size_t)bytes, error);
}

/* The zone may have grown since it was mapped: then it tries again, with the new length. */
static enum slm_status open_grown(struct slm_zone *zone, const struct slm_lock_options *options,
                                  struct slm_error *error)
{
    for (;;) {
        uint64_t bytes = zone_bytes(zone);
        enum slm_status status = map_all(zone, bytes, error);
        if (status == SLM_OK) {
            status = slm_zone_open_parts(zone, options, error);
        }
        if (status == SLM_OK || zone_bytes(zone) <= bytes) {
            return status;
        }
    }
}

/*
 * The lock belongs to another namespace. If no other process has the file, then none of that
 * namespace has it: a container that ended, or whose processes have all closed the zone, is like an
 * ended boot. The file stays claimed until the lock is the caller's: otherwise a process of that
 * namespace could attach between the question and the answer.
 */
static enum slm_status open_elsewhere(struct slm_zone *zone, struct slm_lock_options *options,
                                      bool *is_met, struct slm_error *error)
{
    struct slm_error why;
    enum slm_status claimed = slm_segment_claim(zone->segment, &why);
    *is_met = claimed == SLM_E_LOCKED;
    if (claimed != SLM_OK) {
        return slm_error_set(error, SLM_E_STATE, 0, "%s; its lock: %s", why.text,
                             SLM_LOCK_ELSEWHERE_TEXT);
    }
    options->is_unused = true;
    enum slm_status status = open_grown(zone, options, error);
    slm_segment_unclaim(zone->segment);
    return status;
}

/* The lock has an owner that seems to live: a word may name any thread, and nothing may show what
 * that thread has mapped. If no other process has the file, it is no owner. */
static bool is_owner_elsewhere(struct slm_zone *zone)
{
    struct slm_lock_owner owner;
    slm_lock_get_state_owner(&zone->header->lock, &owner);
    return owner.is_alive && !slm_segment_is_read_only(zone->segment) &&
           slm_segment_claim(zone->segment, NULL) == SLM_OK;
}

/* A lock in a zone's file would meet the locks on that file's length. */
static enum slm_status check_lock_path(const struct slm_zone *zone, const char *path,
                                       struct slm_error *error)
{
    struct stat about;
    struct slm_segment_place own = slm_segment_file_place(zone->segment);
    if (path == NULL || zone->fixed.lock_kind != SLM_LOCK_FILE) {
        return SLM_OK; /* a path that is not used */
    }
    bool is_own = stat(path, &about) == 0 && own.inode != 0 &&
                  (uint64_t)about.st_ino == own.inode && (uint64_t)about.st_dev == own.device;
    return is_own || slm_zone_is_file_of_zone(path)
               ? slm_error_set(error, SLM_E_DUPLICATE, 0, "%s: lock_path %s is %s",
                               slm_segment_label(zone->segment), path,
                               is_own ? "the zone's own file" : "another zone's file")
               : SLM_OK;
}

static enum slm_status open_all(struct slm_zone *zone,
                                const struct slm_zone_attach_options *options, bool *is_met,
                                struct slm_error *error)
{
    struct slm_lock_options lock = {
        .path = options->lock_path,
        .is_unused = options->is_unused,
    };
    enum slm_status status = check_lock_path(zone, options->lock_path, error);
    if (status != SLM_OK) {
        return status;
    }
    /* A reader takes no lock, so it may be in any namespace. */
    if (!slm_segment_is_read_only(zone->segment) && !options->is_unused &&
        slm_lock_is_elsewhere(&zone->header->lock)) {
        return open_elsewhere(zone, &lock, is_met, error);
    }
    bool is_claimed = !options->is_unused && is_owner_elsewhere(zone);
    if (is_claimed) {
        slm_lock_bury_owner(&zone->header->lock); /* its lock file stays what it is */
    }
    status = open_grown(zone, &lock, error);
    if (is_claimed) {
        slm_segment_unclaim(zone->segment);
    }
    return status;
}

static enum slm_status check_content(struct slm_zone *zone, struct slm_error *error)
{
    unsigned broken = slm_zone_check_locked(zone);
    return broken == 0 ? SLM_OK
                       : slm_error_set(error, SLM_E_BROKEN, 0, "%s: breaks invariant %u",
                                       slm_segment_label(zone->segment), broken);
}

/* Read without the lock: a transaction that changes it may be under way. Each lock compares again.
 * */
static enum slm_status check_version(struct slm_zone *zone, uint32_t known, struct slm_error *error)
{
    uint32_t stored = journal_content_version(&zone->journal);
    zone->content_version = known == 0 ? ZONE_ANY_VERSION : known;
    return known == 0 || known == stored
               ? SLM_OK
               : slm_error_set(error, SLM_E_VERSION, 0,
                               "%s: its content has version %u, expected %u",
                               slm_segment_label(zone->segment), stored, known);
}

/* *is_met: another process has the file open, perhaps only because it attaches at this moment. */
static enum slm_status attach_once(struct slm_zone **out,
                                   const struct slm_zone_attach_options *options, bool *is_met,
                                   struct slm_error *error)
{
    struct slm_zone *zone = slm_zone_new();
    *is_met = false;
    if (zone == NULL) {
        return slm_error_set(error, SLM_E_NOMEM, 0, "no memory for a zone's handle");
    }
    bool is_whole = true;
    enum slm_status status = map_whole(zone, options, &is_whole, error);
    if (status == SLM_OK) {
        status = open_all(zone, options, is_met, error);
    } else {
        *is_met = error->os_errno == EAGAIN;
    }
    if (status == SLM_OK) {
        status = check_version(zone, options->content_version, error);
    }
    if (status == SLM_OK && options->check) {
        status = check_content(zone, error);
    }
    if (status != SLM_OK) {
        slm_zone_detach(zone);
        return status;
    }
    if (!is_whole && zone->lock != NULL) {
        slm_zone_note_whole(zone);
    }
    *out = zone;
    return SLM_OK;
}

/* Of two newcomers that meet, each sees that the other one has the file. They close it, and try
 * again after pauses that differ. */
static void pause_between_tries(unsigned n_tries)
{
    struct timespec pause = {0, (long)(1 + ((unsigned)getpid() + n_tries * 7) % 10) * 1000000};
    int cancel = slm_cancel_off();
    (void)nanosleep(&pause, NULL);
    slm_cancel_restore(cancel);
}

enum slm_status slm_zone_attach(struct slm_zone **out,
                                const struct slm_zone_attach_options *options,
                                struct slm_error *error)
{
    struct slm_error own;
    struct slm_error *why = error == NULL ? &own : error;
    bool is_met;
    slm_error_clear(why);
    if (out != NULL) {
        *out = NULL;
    }
    if (out == NULL || options == NULL) {
        return slm_error_set(why, SLM_E_NULL, 0, "no zone: no options, or no place for it");
    }
    enum slm_status status = attach_once(out, options, &is_met, why);
    for (unsigned i = 1; i < MOST_TRIES && is_met && status != SLM_OK; i++) {
        pause_between_tries(i);
        status = attach_once(out, options, &is_met, why);
    }
    return status == SLM_OK ? slm_error_clear(why) : status;
}
