/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a zone that exists, or making it: one call. */

#include "allocator/base/cancel.h"
#include "allocator/lock/system.h"
#include "allocator/segment/for_zone.h"
#include "allocator/zone/handle.h"

/* Between two looks for the name, another process may make the zone, or remove it. */
#define MOST_TRIES 64u

enum slm_status slm_zone_attach_declared(struct slm_zone **out,
                                         const struct slm_zone_options *options,
                                         struct slm_error *error)
{
    const struct slm_segment_options *segment = &options->segment;
    struct slm_zone_attach_options attach = {
        .segment = {.kind = segment->kind,
                    .name = zone_declared_segment_name(options),
                    .mode = segment->mode,
                    .guard = segment->guard,
                    .dump_core = segment->dump_core},
        .name = options->name,
        .lock_path = options->lock_path,
        .check_content = options->check_content,
        .check_data = options->check_data,
        .report = options->report,
        .report_data = options->report_data,
        .quiet_nomem = options->quiet_nomem,
    };
    enum slm_status status = slm_zone_attach(out, &attach, error);
    if (status == SLM_OK && options->move != NULL) {
        slm_segment_remove_leftovers((*out)->segment);
    }
    return slm_zone_error_of(options->name, status, error);
}

/* Ends the transaction that slm_zone_upgrade_locked made, and the growth. */
static enum slm_status adapt_locked(struct slm_zone *zone, const struct slm_zone_options *options,
                                    struct slm_error *error)
{
    enum slm_status status = SLM_OK;
    if (options->bytes > zone_bytes(zone)) {
        status =
            slm_zone_error_of(options->name, slm_zone_reserve(zone, options->bytes, error), error);
    }
    if (status == SLM_OK) {
        status = slm_zone_upgrade_locked(zone, options, error);
    }
    if (status == SLM_OK) {
        status = slm_zone_commit_locked(zone);
    }
    if (status == SLM_OK) {
        slm_zone_publish_growth(zone);
    } else {
        slm_zone_abort_locked(zone);
        slm_zone_unreserve(zone);
    }
    return status;
}

/* Under the locks of both. */
static enum slm_status move_locked(struct slm_zone *from, struct slm_zone *to,
                                   const struct slm_zone_options *options, struct slm_error *error)
{
    enum slm_status status = slm_zone_check_server(from, error);
    if (status == SLM_OK) {
        status = slm_zone_check_name(from, error);
    }
    if (status == SLM_OK) {
        status = slm_zone_move_locked(from, to, options, error);
    }
    if (status == SLM_OK) {
        status = slm_zone_commit_locked(to);
    }
    if (status == SLM_OK) {
        status = slm_zone_settle_successor(to, error);
    }
    return status == SLM_OK ? slm_zone_switch(from, to, error) : status;
}

enum slm_status slm_zone_move(struct slm_zone *from, struct slm_zone *to,
                              const struct slm_zone_options *options, struct slm_error *error)
{
    uint64_t end_ms = slm_lock_system.now_ms() + SLM_ZONE_OPEN_MS;
    enum slm_status status = slm_zone_lock_until(to, end_ms, error);
    if (status == SLM_OK) {
        status = slm_zone_lock_until(from, end_ms, error);
    }
    if (status == SLM_OK) {
        status = move_locked(from, to, options, error);
        (void)slm_zone_unlock(from);
    }
    (void)slm_zone_unlock(to);
    return status;
}

/* Makes a new zone with the content of *zone, and puts it in its place. */
static enum slm_status move(struct slm_zone **zone, const struct slm_zone_options *options,
                            struct slm_error *error)
{
    struct slm_zone *to = NULL;
    enum slm_status status = slm_zone_make_successor(&to, options, error);
    if (status != SLM_OK) {
        return status;
    }
    status = slm_zone_move(*zone, to, options, error);
    if (status != SLM_OK) {
        slm_zone_detach(to);
        return status;
    }
    slm_zone_detach(*zone);
    *zone = to;
    return SLM_OK;
}

/* Makes an existing zone what is declared, in place. */
static enum slm_status adapt(struct slm_zone *zone, const struct slm_zone_options *options,
                             struct slm_error *error)
{
    enum slm_status status = SLM_OK;
    if (options->bytes > zone_bytes(zone)) {
        status = slm_zone_error_of(options->name,
                                   slm_zone_prepare_growth(zone, options->bytes, error), error);
    }
    if (status == SLM_OK) {
        status = slm_zone_lock_until(zone, slm_lock_system.now_ms() + SLM_ZONE_OPEN_MS, error);
    }
    if (status != SLM_OK) {
        return status;
    }
    /* An apply that fails takes back the names that it has given, under the lock. */
    status = slm_zone_check_name(zone, error);
    if (status == SLM_OK) {
        status = adapt_locked(zone, options, error);
    }
    (void)slm_zone_unlock(zone);
    return status;
}

static enum slm_status open_existing(struct slm_zone **out, const struct slm_zone_options *options,
                                     struct slm_error *error)
{
    enum slm_status status = slm_zone_attach_declared(out, options, error);
    if (status != SLM_OK) {
        return status;
    }
    bool moves;
    status = slm_zone_match_or_move(*out, options, &moves, error);
    if (status == SLM_OK) {
        status = moves ? move(out, options, error) : adapt(*out, options, error);
    }
    if (status != SLM_OK) {
        slm_zone_detach(*out);
        *out = NULL;
    }
    return status;
}

static enum slm_status open_or_make(struct slm_zone **out, const struct slm_zone_options *options,
                                    bool *is_new, struct slm_error *error)
{
    for (unsigned i = 0;; i++) {
        enum slm_status status = open_existing(out, options, error);
        *is_new = false;
        bool is_gone = status == SLM_E_MISSING || status == SLM_E_REPLACED;
        if (!is_gone || i == MOST_TRIES) {
            return status;
        }
        if (status == SLM_E_REPLACED) {
            continue; /* another process has just made or moved it */
        }
        status = slm_zone_create(out, options, error);
        *is_new = true;
        if (status != SLM_E_EXISTS) {
            return status;
        }
    }
}

enum slm_status slm_zone_open(struct slm_zone **out, const struct slm_zone_options *options,
                              bool *is_new, struct slm_error *error)
{
    slm_error_clear(error);
    bool is_made = true;
    if (out != NULL) {
        *out = NULL;
    }
    if (out == NULL || options == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "no zone: no options, or no place for it");
    }
    enum slm_status status = slm_zone_check_options(options, error);
    if (status != SLM_OK) {
        return status;
    }
    /* A callback of a cancelled thread would keep the lock, and the handles. */
    int cancel = slm_cancel_off();
    status = slm_zone_has_name(options->segment.kind) ? open_or_make(out, options, &is_made, error)
                                                      : slm_zone_create(out, options, error);
    slm_cancel_restore(cancel);
    if (status == SLM_OK && is_new != NULL) {
        *is_new = is_made;
    }
    return status;
}
