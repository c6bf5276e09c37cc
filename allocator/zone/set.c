/* SPDX-License-Identifier: Apache-2.0 */
/* Reloading: makes what is declared, as a whole or not at all. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocator/base/cancel.h"
#include "allocator/journal/log.h"
#include "allocator/lock/system.h"
#include "allocator/zone/set.h"

#define MOST_TRIES 8u /* of an apply that others overtake: each time, one of them has made a zone */

/* POSIX and FILE: whether the zone's segment has the name that is declared. */
static bool has_segment_name(const struct slm_zone *zone,
                             const struct slm_zone_declaration *declaration)
{
    const struct slm_segment_options *segment = &declaration->options.segment;
    return !slm_zone_has_name(segment->kind) ||
           slm_segment_get_kind(zone->segment) != segment->kind ||
           strcmp(slm_zone_segment_name(zone), zone_declared_segment_name(&declaration->options)) ==
               0;
}

/* Of that name, if there was one before. */
static struct slm_zone *existing_of(const struct candidate *candidate)
{
    return candidate->from != NULL ? candidate->from : candidate->zone;
}

static enum slm_status lock_candidate(struct candidate *candidate, uint64_t end_ms,
                                      struct slm_error *error)
{
    enum slm_status status = slm_zone_lock_until(candidate->zone, end_ms, error);
    candidate->is_locked = status == SLM_OK;
    candidate->version_before = candidate->zone->content_version;
    return status;
}

static enum slm_status lock_existing(struct candidate *candidate, uint64_t end_ms,
                                     struct slm_error *error)
{
    if (candidate->from == NULL) {
        return lock_candidate(candidate, end_ms, error);
    }
    enum slm_status status = slm_zone_lock_until(candidate->from, end_ms, error);
    candidate->is_from_locked = status == SLM_OK;
    return status;
}

/* A zone that the set has already was this server's, or was handed over to it on purpose. */
static enum slm_status check_server(const struct slm_zone_set *set,
                                    const struct candidate *candidate, struct slm_error *error)
{
    return candidate->is_found && !set->is_shared
               ? slm_zone_check_server(existing_of(candidate), error)
               : SLM_OK;
}

static enum slm_status take_reused(const struct slm_zone_set *set, struct candidate *candidate,
                                   struct slm_zone *zone, struct slm_error *error)
{
    const struct slm_zone_options *options = &candidate->declaration->options;
    bool moves;
    enum slm_status status = slm_zone_match_or_move(zone, options, &moves, error);
    candidate->zone = moves ? NULL : zone;
    candidate->from = moves ? zone : NULL;
    candidate->is_reused = !moves;
    if (status == SLM_OK && !moves) {
        status = slm_zone_match_lock_file(zone, options, error);
    }
    if (status == SLM_OK) {
        status = slm_zone_find_lost_name(zone, error); /* the next start would not find it */
    }
    if (status == SLM_OK) {
        status = check_server(set, candidate, error); /* and again under the lock */
    }
    return status;
}

/* Before the lock: taking pages may last seconds. */
static enum slm_status prepare_growth(struct candidate *candidate, struct slm_error *error)
{
    size_t bytes = candidate->declaration->options.bytes;
    if (!candidate->is_reused || bytes <= zone_bytes(candidate->zone)) {
        return SLM_OK;
    }
    candidate->prepared_bytes = bytes;
    return slm_zone_error_of(slm_zone_name(candidate->zone),
                             slm_zone_prepare_growth(candidate->zone, bytes, error), error);
}

/* The zone of the set that the declaration keeps, or NULL: another server may have moved it, and its
 * name leads to the new one. */
static struct slm_zone *find_kept(const struct slm_zone_set *set,
                                  const struct slm_zone_declaration *declaration)
{
    struct slm_zone *zone = slm_zone_set_find(set, declaration->options.name);
    bool is_kept = zone != NULL && !declaration->no_reuse && has_segment_name(zone, declaration) &&
                   !(slm_zone_is_named(zone) && slm_zone_is_moved(zone));
    return is_kept ? zone : NULL;
}

/* The zone of the set, or the zone of that name that an earlier server left; else none. */
static enum slm_status open_reused(const struct slm_zone_set *set, struct candidate *candidate,
                                   struct slm_error *error)
{
    const struct slm_zone_declaration *declaration = candidate->declaration;
    struct slm_zone *zone = find_kept(set, declaration);
    if (zone != NULL) {
        return take_reused(set, candidate, zone, error);
    }
    if (declaration->no_reuse || !slm_zone_has_name(declaration->options.segment.kind)) {
        return SLM_OK;
    }
    enum slm_status status = slm_zone_attach_declared(&zone, &declaration->options, error);
    candidate->is_found = status == SLM_OK;
    if (status == SLM_OK) {
        return take_reused(set, candidate, zone, error);
    }
    return status == SLM_E_MISSING ? slm_error_clear(error) : status;
}

/* What cannot be is refused before anything is made. */
static enum slm_status open_all(const struct slm_zone_set *set, struct candidate *candidates,
                                size_t n, struct slm_error *error)
{
    enum slm_status status = SLM_OK;
    for (size_t i = 0; i < n && status == SLM_OK; i++) {
        status = open_reused(set, &candidates[i], error);
    }
    for (size_t i = 0; i < n && status == SLM_OK; i++) {
        status = prepare_growth(&candidates[i], error);
    }
    for (size_t i = 0; i < n && status == SLM_OK; i++) {
        struct candidate *each = &candidates[i];
        if (each->from != NULL) {
            status = slm_zone_make_successor(&each->zone, &each->declaration->options, error);
        } else if (!each->is_reused) {
            status = slm_zone_make(&each->zone, &each->declaration->options, error);
            each->is_overtaken = status == SLM_E_EXISTS && !each->declaration->no_reuse;
        }
    }
    return status;
}

static enum slm_status init_result(const struct candidate *candidate, enum slm_status status,
                                   struct slm_error *error)
{
    return status == SLM_OK
               ? SLM_OK
               : slm_error_set(error, status, 0, "zone %s: its init failed: %s",
                               candidate->declaration->options.name, slm_status_text(status));
}

static enum slm_status init_candidate(struct candidate *candidate, struct slm_error *error)
{
    const struct slm_zone_declaration *declaration = candidate->declaration;
    if (declaration->init == NULL) {
        return SLM_OK;
    }
    return init_result(candidate,
                       declaration->init(candidate->zone,
                                         candidate->is_reused || candidate->from != NULL,
                                         declaration->data),
                       error);
}

/* A callback may have ignored that a call was refused, in its own zone's journal or in that of
 * another zone of the set, or may have unlocked one. So this looks at all of them once no callback
 * runs any more. */
static enum slm_status find_refusal(const struct candidate *candidate, struct slm_error *error)
{
    bool is_held = slm_lock_is_mine(candidate->zone->lock) &&
                   (candidate->from == NULL || slm_lock_is_mine(candidate->from->lock));
    enum slm_status status =
        is_held ? journal_refusal(slm_zone_journal(candidate->zone)) : SLM_E_OWNER;
    return init_result(candidate, status, error);
}

/* Undoes everything that apply did to the zone. */
static void drop_new(struct candidate *candidate)
{
    if (candidate->is_published) {
        (void)slm_zone_remove(candidate->zone, NULL); /* before another process gets the lock */
    }
    if (candidate->is_locked) {
        slm_zone_abort_locked(candidate->zone);
        (void)slm_zone_unlock(candidate->zone);
    }
    slm_zone_detach(candidate->zone);
}

/* Without the lock the file must not be made shorter: another process may be growing the zone into
 * what was prepared. If the lock is not to be had, the next growth takes it. */
static void drop_reused(struct candidate *candidate)
{
    struct slm_zone *zone = candidate->zone;
    size_t prepared_bytes = candidate->prepared_bytes;
    if (!candidate->is_locked && (prepared_bytes == 0 || slm_zone_trylock(zone) != SLM_OK)) {
        return;
    }
    slm_zone_abort_locked(zone);
    if (candidate->is_locked) {
        zone->content_version = candidate->version_before;
    }
    if (prepared_bytes > zone_bytes(zone) &&
        slm_zone_reserve(zone, prepared_bytes, NULL) == SLM_OK) {
        slm_zone_unreserve(zone);
    }
    (void)slm_zone_unlock(zone);
}

/* The end of the zone whose content moves, or may not move. */
static void drop_from(struct candidate *candidate)
{
    if (candidate->is_from_locked && slm_lock_is_mine(candidate->from->lock)) {
        slm_zone_abort_locked(candidate->from);
        (void)slm_zone_unlock(candidate->from);
    }
    if (candidate->is_found) {
        slm_zone_detach(candidate->from);
    }
}

static void drop_candidate(struct candidate *candidate)
{
    if (candidate->zone == NULL) {
        if (candidate->from != NULL) {
            drop_from(candidate);
        }
        return;
    }
    candidate->is_locked = candidate->is_locked && slm_lock_is_mine(candidate->zone->lock);
    if (candidate->from != NULL) {
        drop_new(candidate);
        drop_from(candidate);
    } else if (candidate->is_reused) {
        drop_reused(candidate);
        if (candidate->is_found) {
            slm_zone_detach(candidate->zone);
        }
    } else {
        drop_new(candidate);
    }
}

/* Cannot fail: all that it needs was reserved before, and a zone with a name has it. */
static void commit_candidate(const struct slm_zone_set *set, struct candidate *candidate)
{
    if (candidate->from != NULL && !candidate->is_published) {
        (void)slm_zone_switch(candidate->from, candidate->zone, NULL);
    }
    slm_zone_publish_growth(candidate->zone);
    if (slm_zone_is_named(candidate->zone) && !set->is_shared) {
        slm_zone_set_server_locked(candidate->zone);
    }
    (void)slm_zone_unlock(candidate->zone);
    if (candidate->from != NULL) {
        drop_from(candidate);
    }
}

/* One zone has all of a name, of a segment and of a lock file. With two locks in one file, apply
 * would wait for itself. */
static enum slm_status compare_declarations(const struct slm_zone_options *one,
                                            const struct slm_zone_options *other,
                                            struct slm_error *error)
{
    if (strcmp(one->name, other->name) == 0) {
        return slm_error_set(error, SLM_E_DUPLICATE, 0, "zone %s is declared twice", one->name);
    }
    return slm_zone_compare_files(one, other, error);
}

/* Each declaration alone, and with those before it. */
static enum slm_status check_declarations(const struct slm_zone_declaration *declarations, size_t n,
                                          struct slm_error *error)
{
    enum slm_status status = SLM_OK;
    for (size_t i = 0; i < n && status == SLM_OK; i++) {
        const struct slm_zone_options *options = &declarations[i].options;
        status = slm_zone_check_options(options, error);
        for (size_t k = 0; k < i && status == SLM_OK; k++) {
            status = compare_declarations(options, &declarations[k].options, error);
        }
    }
    return status;
}

/* No other process knows the new zones yet: their locks and callbacks make none wait. Only a lock
 * file may be in use, by an earlier zone that had the same one. */
static enum slm_status init_new(const struct slm_zone_set *set, struct candidate *candidates,
                                size_t n, struct slm_error *error)
{
    uint64_t end_ms = slm_lock_system.now_ms() + set->lock_timeout_ms;
    enum slm_status status = SLM_OK;
    for (size_t i = 0; i < n && status == SLM_OK; i++) {
        if (!candidates[i].is_reused) {
            status = lock_candidate(&candidates[i], end_ms, error);
            if (status == SLM_OK && candidates[i].from == NULL) {
                status = init_candidate(&candidates[i], error);
            }
        }
    }
    return status;
}

static int compare_names(const void *a, const void *b)
{
    const struct candidate *const *first = a;
    const struct candidate *const *second = b;
    return strcmp((*first)->declaration->options.name, (*second)->declaration->options.name);
}

/* In the order of names, which is the same for all masters: two that share zones and declare them
 * in different orders never wait for each other in a circle. */
static enum slm_status lock_reused(const struct slm_zone_set *set, struct candidate *candidates,
                                   size_t n, struct candidate **ordered, struct slm_error *error)
{
    uint64_t end_ms = slm_lock_system.now_ms() + set->lock_timeout_ms;
    size_t n_ordered = 0;
    for (size_t i = 0; i < n; i++) {
        if (candidates[i].is_reused || candidates[i].from != NULL) {
            ordered[n_ordered++] = &candidates[i];
        }
    }
    qsort(ordered, n_ordered, sizeof *ordered, compare_names);
    enum slm_status status = SLM_OK;
    for (size_t i = 0; i < n_ordered && status == SLM_OK; i++) {
        status = lock_existing(ordered[i], end_ms, error);
        ordered[i]->is_overtaken = ordered[i]->is_found && status == SLM_E_REPLACED;
    }
    return status;
}

/* The backing is there already, unless another process took it back meanwhile. */
static enum slm_status change_reused(const struct slm_zone_set *set, struct candidate *candidate,
                                     struct slm_error *error)
{
    struct slm_zone *zone = candidate->zone;
    size_t bytes = candidate->declaration->options.bytes;
    enum slm_status status = check_server(set, candidate, error);
    if (status == SLM_OK && candidate->is_found) {
        status = slm_zone_check_name(zone, error); /* the apply that made it may have failed */
        candidate->is_overtaken = status != SLM_OK;
    }
    if (status == SLM_OK && bytes > zone_bytes(zone)) {
        candidate->prepared_bytes = bytes;
        status =
            slm_zone_error_of(slm_zone_name(zone), slm_zone_reserve(zone, bytes, error), error);
    }
    if (status == SLM_OK) {
        status = slm_zone_upgrade_locked(zone, &candidate->declaration->options, error);
    }
    return status == SLM_OK ? init_candidate(candidate, error) : status;
}

/* Other processes wait for the zone whose content moves, as for one that is reused. */
static enum slm_status move_candidate(const struct slm_zone_set *set, struct candidate *candidate,
                                      struct slm_error *error)
{
    enum slm_status status = check_server(set, candidate, error);
    if (status == SLM_OK) {
        status = slm_zone_check_name(candidate->from, error); /* the path is used */
        candidate->is_overtaken = candidate->is_found && status != SLM_OK;
    }
    if (status == SLM_OK) {
        status = slm_zone_move_locked(candidate->from, candidate->zone,
                                      &candidate->declaration->options, error);
    }
    return status == SLM_OK ? init_candidate(candidate, error) : status;
}

/* A new zone is whole when its name appears, wherever the master is killed. The name may be taken,
 * and that must fail the apply before anything else is committed. */
static enum slm_status commit_new(struct candidate *candidates, size_t n, struct slm_error *error)
{
    enum slm_status status = SLM_OK;
    for (size_t i = 0; i < n && status == SLM_OK; i++) {
        if (!candidates[i].is_reused) {
            status = slm_zone_commit_locked(candidates[i].zone);
        }
    }
    for (size_t i = 0; i < n && status == SLM_OK; i++) {
        if (candidates[i].from != NULL) {
            status = slm_zone_settle_successor(candidates[i].zone, error);
        }
    }
    for (size_t i = 0; i < n && status == SLM_OK; i++) {
        struct candidate *each = &candidates[i];
        if (!each->is_reused && each->from == NULL) {
            status = slm_zone_publish(each->zone, error);
            each->is_published = status == SLM_OK;
            each->is_overtaken = status == SLM_E_EXISTS && !each->declaration->no_reuse;
        }
    }
    return status == SLM_OK ? slm_zone_set_switch(candidates, n, error) : status;
}

/* All that is new is made before the lock of any zone that others use is taken. */
static enum slm_status prepare(const struct slm_zone_set *set, struct candidate *candidates,
                               size_t n, struct candidate **ordered, struct slm_error *error)
{
    enum slm_status status = open_all(set, candidates, n, error);
    if (status == SLM_OK) {
        status = init_new(set, candidates, n, error);
    }
    if (status == SLM_OK) {
        status = lock_reused(set, candidates, n, ordered, error);
    }
    for (size_t i = 0; i < n && status == SLM_OK; i++) {
        if (candidates[i].is_reused) {
            status = change_reused(set, &candidates[i], error);
        } else if (candidates[i].from != NULL) {
            status = move_candidate(set, &candidates[i], error);
        }
    }
    for (size_t i = 0; i < n && status == SLM_OK; i++) {
        status = find_refusal(&candidates[i], error);
    }
    return status == SLM_OK ? commit_new(candidates, n, error) : status;
}

static bool is_among(const struct candidate *candidates, size_t n, const struct slm_zone *zone)
{
    for (size_t i = 0; i < n; i++) {
        if (candidates[i].zone == zone) {
            return true;
        }
    }
    return false;
}

/* By another path: the set keeps the zone, and drops the handle of the first path only. */
static bool is_found_again(const struct candidate *candidates, size_t n,
                           const struct slm_zone *zone)
{
    for (size_t i = 0; i < n; i++) {
        if (candidates[i].is_found && slm_zone_are_one(candidates[i].zone, zone)) {
            return true;
        }
    }
    return false;
}

static void replace_zones(struct slm_zone_set *set, struct slm_zone **zones,
                          struct candidate *candidates, size_t n)
{
    set->server = slm_lock_self();
    set->process = getpid();
    for (size_t i = 0; i < n; i++) {
        commit_candidate(set, &candidates[i]);
        zones[i] = candidates[i].zone;
    }
    for (size_t i = 0; i < set->n; i++) {
        struct slm_zone *zone = set->zones[i];
        if (is_found_again(candidates, n, zone)) {
            slm_zone_detach(zone);
        } else if (!is_among(candidates, n, zone)) {
            slm_zone_set_leave(set, zone);
        }
    }
    free(set->zones);
    set->zones = zones;
    set->n = n;
}

/* Memory for n zones; `zones` goes to the set if all goes well. */
struct work {
    struct slm_zone **zones;
    struct candidate *candidates;
    struct candidate **ordered;
};

/* It could not be renamed back: what was moved is moved, and the set has the new zone. */
static void keep_moved(struct slm_zone_set *set, struct candidate *candidate)
{
    bool is_kept = false;
    struct slm_zone *from = candidate->from;
    for (size_t i = 0; i < set->n; i++) {
        if (set->zones[i] == from) {
            set->zones[i] = candidate->zone;
            is_kept = true;
        }
    }
    commit_candidate(set, candidate);
    slm_zone_detach(is_kept ? from : candidate->zone);
}

/* Whether a zone of that name is there now, which a second try opens. */
static bool drop_all(struct slm_zone_set *set, struct candidate *candidates, size_t n)
{
    bool is_overtaken = false;
    for (size_t i = n; i-- > 0;) {
        is_overtaken = is_overtaken || candidates[i].is_overtaken;
        if (candidates[i].from != NULL && candidates[i].is_published) {
            keep_moved(set, &candidates[i]);
        } else {
            drop_candidate(&candidates[i]);
        }
    }
    return is_overtaken;
}

static enum slm_status apply_to(struct slm_zone_set *set,
                                const struct slm_zone_declaration *declarations, size_t n,
                                struct work work, struct slm_error *error)
{
    enum slm_status status = SLM_OK;
    bool is_overtaken = true;
    for (unsigned i = 0; i < MOST_TRIES && is_overtaken; i++) {
        for (size_t k = 0; k < n; k++) {
            work.candidates[k] = (struct candidate){.declaration = &declarations[k]};
        }
        status = prepare(set, work.candidates, n, work.ordered, error);
        if (status == SLM_OK) {
            replace_zones(set, work.zones, work.candidates, n);
            return slm_error_clear(error);
        }
        is_overtaken = drop_all(set, work.candidates, n);
    }
    return status;
}

static enum slm_status apply_checked(struct slm_zone_set *set,
                                     const struct slm_zone_declaration *declarations, size_t n,
                                     struct slm_error *error)
{
    enum slm_status status = SLM_OK;
    struct slm_zone **zones = calloc(n + 1, sizeof(struct slm_zone *));
    struct candidate *candidates = calloc(n + 1, sizeof *candidates);
    struct candidate **ordered = calloc(n + 1, sizeof *ordered);
    if (zones == NULL || candidates == NULL || ordered == NULL) {
        status = slm_error_set(error, SLM_E_NOMEM, 0, "no memory for %zu zones", n);
    } else {
        set->applier = getpid();
        status = apply_to(set, declarations, n, (struct work){zones, candidates, ordered}, error);
        set->applier = 0;
    }
    if (status != SLM_OK) {
        free(zones);
    }
    free(candidates);
    free(ordered);
    return status;
}

/* Callbacks may be cancellation points. Cancelled in one, the thread would keep the locks, the new
 * zones and the mark that it applies the set. */
enum slm_status slm_zone_set_apply(struct slm_zone_set *set,
                                   const struct slm_zone_declaration *declarations, size_t n,
                                   struct slm_error *error)
{
    slm_error_clear(error);
    if (set == NULL || (declarations == NULL && n > 0)) {
        return slm_error_set(error, SLM_E_NULL, 0, "no set, or no declarations");
    }
    if (set->applier == getpid()) {
        return slm_error_set(error, SLM_E_STATE, 0, "the set is being applied already");
    }
    enum slm_status status = check_declarations(declarations, n, error);
    if (status == SLM_OK) {
        int cancel = slm_cancel_off();
        status = apply_checked(set, declarations, n, error);
        slm_cancel_restore(cancel);
    }
    return status;
}
