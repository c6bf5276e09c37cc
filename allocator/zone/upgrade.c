/* SPDX-License-Identifier: Apache-2.0 */
/* The version of a zone's content: equal, brought forward, or refused. */
#include "allocator/journal/log.h"
#include "allocator/zone/handle.h"

static enum slm_status refuse(const struct slm_zone *zone, uint32_t stored, uint32_t known,
                              struct slm_error *error)
{
    return slm_error_set(error, SLM_E_VERSION, 0,
                         stored > known
                             ? "zone %s: its content has version %u, later than %u of this program"
                             : "zone %s: its content has version %u, and no callback brings it "
                               "to %u",
                         zone->fixed.name, stored, known);
}

/* The version changes last: the callback sees which one it starts from. */
static enum slm_status bring_forward(struct slm_zone *zone, const struct slm_zone_options *options,
                                     uint32_t stored, struct slm_error *error)
{
    enum slm_status status = options->upgrade(zone, stored, options->upgrade_data);
    if (status == SLM_OK && !slm_lock_is_mine(zone->lock)) {
        status = SLM_E_OWNER;
    }
    if (status == SLM_OK) {
        status = slm_journal_set_version(&zone->journal, options->content_version);
    }
    return status == SLM_OK
               ? SLM_OK
               : slm_error_set(error, status, 0,
                               "zone %s: its content of version %u cannot be brought to %u: %s",
                               zone->fixed.name, stored, options->content_version,
                               slm_status_text(status));
}

enum slm_status slm_zone_upgrade_locked(struct slm_zone *zone,
                                        const struct slm_zone_options *options,
                                        struct slm_error *error)
{
    uint32_t stored = journal_content_version(&zone->journal);
    enum slm_status status = SLM_OK;
    if (stored > options->content_version ||
        (stored < options->content_version && options->upgrade == NULL)) {
        return refuse(zone, stored, options->content_version, error);
    }
    if (stored < options->content_version) {
        status = bring_forward(zone, options, stored, error);
    }
    if (status == SLM_OK) {
        zone->content_version = options->content_version;
    }
    return status;
}
