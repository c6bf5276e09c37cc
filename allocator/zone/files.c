/* SPDX-License-Identifier: Apache-2.0 */
/* Files that options name: whether two of them are one. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* PATH_MAX */
#endif
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "allocator/segment/for_zone.h"
#include "allocator/zone/handle.h"

#define POSIX_FOLDER "/dev/shm" /* where Linux has the segments of shm_open */

enum use { SEGMENT, LOCK, N_USES };

static const char *const use_names[N_USES] = {"segment", "lock file"};

/* A file that exists is known by its inode, however its path is written. A file that does not exist
 * is known by its folder's inode and its name there. */
struct place {
    char path[PATH_MAX]; /* empty: the options name no such file */
    bool is_there;
    bool has_folder;
    dev_t device; /* of the file, or else of its folder */
    ino_t inode;
};

static bool write_path(struct place *place, const struct slm_zone_options *options, enum use use)
{
    const struct slm_segment_options *segment = &options->segment;
    const char *name = zone_declared_segment_name(options);
    const char *folder = "";
    if (use == LOCK) {
        name = options->lock_kind == SLM_LOCK_FILE ? options->lock_path : NULL;
    } else if (segment->kind == SLM_SEGMENT_POSIX) {
        folder = POSIX_FOLDER "/";
    } else if (segment->kind != SLM_SEGMENT_FILE) {
        name = NULL;
    }
    place->path[0] = '\0';
    if (name == NULL) {
        return false;
    }
    int n = snprintf(place->path, sizeof place->path, "%s%s", folder, name);
    return n > 0 && (size_t)n < sizeof place->path; /* too long: it cannot be opened either */
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* False: the options name no such file. */
static bool find_place(struct place *place, const struct slm_zone_options *options, enum use use)
{
    struct stat about;
    if (!write_path(place, options, use)) {
        return false;
    }
    place->is_there = stat(place->path, &about) == 0;
    place->has_folder = place->is_there || slm_zone_stat_folder(place->path, &about);
    if (place->has_folder) {
        place->device = about.st_dev;
        place->inode = about.st_ino;
    }
    return true;
}

static bool are_one(const struct place *a, const struct place *b)
{
    if (strcmp(a->path, b->path) == 0) {
        return true;
    }
    return a->has_folder && b->has_folder && a->is_there == b->is_there && a->device == b->device &&
           a->inode == b->inode &&
           (a->is_there || strcmp(last_part(a->path), last_part(b->path)) == 0);
}

static enum slm_status compare_uses(const struct slm_zone_options *a, enum use use_of_a,
                                    const struct slm_zone_options *b, enum use use_of_b,
                                    struct slm_error *error)
{
    struct place one;
    struct place other;
    if (!find_place(&one, a, use_of_a) || !find_place(&other, b, use_of_b) ||
        !are_one(&one, &other)) {
        return SLM_OK;
    }
    return slm_error_set(error, SLM_E_DUPLICATE, 0,
                         "zone %s: its %s %.80s is the %s of zone %s, %.80s", a->name,
                         use_names[use_of_a], one.path, use_names[use_of_b], b->name, other.path);
}

enum slm_status slm_zone_compare_files(const struct slm_zone_options *a,
                                       const struct slm_zone_options *b, struct slm_error *error)
{
    enum slm_status status = compare_uses(a, SEGMENT, b, LOCK, error);
    if (a == b) {
        return status;
    }
    if (status == SLM_OK) {
        status = compare_uses(a, LOCK, b, SEGMENT, error);
    }
    if (status == SLM_OK) {
        status = compare_uses(a, LOCK, b, LOCK, error);
    }
    return status == SLM_OK ? compare_uses(a, SEGMENT, b, SEGMENT, error) : status;
}

bool slm_zone_is_file_of_zone(const char *path)
{
    uint64_t magic = SLM_ZONE_MAGIC; /* a zone's first word */
    return slm_segment_file_begins_with(path, &magic, sizeof magic);
}
