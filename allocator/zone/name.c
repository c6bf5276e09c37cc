/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a zone still has its name, as far as this process can know it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* PATH_MAX */
#endif
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "allocator/segment/for_zone.h"
#include "allocator/zone/handle.h"

bool slm_zone_stat_folder(const char *path, struct stat *about)
{
    char folder[PATH_MAX + 2];
    const char *slash = strrchr(path, '/');
    size_t n_folder = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    memcpy(folder, path, n_folder);
    memcpy(folder + n_folder, ".", 2);
    return stat(folder, about) == 0;
}

enum slm_status slm_zone_check_name(const struct slm_zone *zone, struct slm_error *error)
{
    struct slm_error why;
    enum slm_status status = slm_segment_verify(zone->segment, &why);
    return status == SLM_E_MISSING || status == SLM_E_REPLACED
               ? slm_error_set(error, status, why.os_errno, "zone %s: %s", zone->fixed.name,
                               why.text)
               : SLM_OK;
}

struct zone_folder slm_zone_find_folder(const struct slm_zone *zone)
{
    struct stat about;
    bool is_found =
        slm_zone_is_named(zone) && slm_zone_stat_folder(slm_segment_label(zone->segment), &about);
    return is_found ? (struct zone_folder){(uint64_t)about.st_dev, (uint64_t)about.st_ino}
                    : (struct zone_folder){0, 0};
}

static bool is_in_its_folder(const struct slm_zone *zone)
{
    struct zone_folder now = slm_zone_find_folder(zone);
    return now.inode != 0 && now.inode == zone->folder.inode && now.device == zone->folder.device;
}

enum slm_status slm_zone_find_lost_name(const struct slm_zone *zone, struct slm_error *error)
{
    size_t n_names;
    enum slm_status status = slm_zone_is_named(zone) ? slm_zone_check_name(zone, error) : SLM_OK;
    if (status == SLM_OK || is_in_its_folder(zone)) {
        return status;
    }
    if (slm_segment_count_names(zone->segment, &n_names, error) == SLM_OK && n_names == 0) {
        return slm_error_set(error, SLM_E_MISSING, 0, "zone %s: %s: its name was removed",
                             zone->fixed.name, slm_segment_label(zone->segment));
    }
    return slm_error_clear(error);
}
