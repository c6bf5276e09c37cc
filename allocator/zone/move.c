/* SPDX-License-Identifier: Apache-2.0 */
/* Moving the content of a zone to a new one, which takes its place. */
#include "allocator/base/bits.h"
#include "allocator/base/yield.h"
#include "allocator/journal/log.h"
#include "allocator/segment/for_zone.h"
#include "allocator/segment/handle.h"
#include "allocator/zone/handle.h"

/*
 * The new zone, `to`, is made as any other, but its file keeps a temporary name until the callback
 * has filled it. Both locks are held then. The switch is one step, wherever its maker dies:
 *
 *     without a name   state of `from` = MOVED. Only children of the maker get `to`.
 *     POSIX, FILE      state of `from` = MOVED; rename of `to` over `from`.
 *
 * The rename takes the only name of the file of `from`. So a later locker of `from` finds the state
 * MOVED, and counts the names of its file. None: the content is in `to`, and the lock is refused
 * with SLM_E_REPLACED for good. One: the maker died before the rename, or the disk lost it with the
 * power; `from` is the zone, as it was. Counting needs no path, so it does not depend on the working
 * folder or the root of the process. Therefore a file that has two names is not moved.
 *
 * Where several zones of a set move, the rename of a later one may fail. Then those before it are
 * renamed back. So the files of `from` get a second, temporary name before the first rename:
 *
 *     second names of all; of each: state = PARTED; rename of `to` over `from`; then no second names
 *     back:  state of `to` = MOVED; rename of `from` over `to`; state of `from` = READY
 *
 * In the state PARTED the number of names says the same, counted with the second one. Two: before the
 * rename. None: after it. One: after it too, unless the name leads to `from`: the maker died
 * when it had renamed back, or the disk lost the second name with the power.
 *
 * A maker that dies earlier leaves a file with a temporary name. The next move of that zone, or the
 * next open of it by options that have a callback, removes it: see segment/unnamed.c.
 */

/* Lengths that growing in place does not lead to. A zone that was declared with these options has
 * none, however long it is now. */
static bool do_lengths_differ(const struct slm_zone *zone, const struct slm_zone_options *options)
{
    uint64_t max_bytes = slm_align_up(options->max_bytes, zone->segment->page_bytes);
    return options->bytes < zone->fixed.asked_bytes ||
           (options->max_bytes != 0 && max_bytes != zone->fixed.max_bytes);
}

enum slm_status slm_zone_match_or_move(const struct slm_zone *zone,
                                       const struct slm_zone_options *options, bool *moves,
                                       struct slm_error *error)
{
    *moves = false;
    enum slm_status status = slm_zone_match(zone, options, error);
    if (options->move == NULL || !slm_zone_may_succeed(zone, options) ||
        (status == SLM_OK && !do_lengths_differ(zone, options))) {
        return status;
    }
    if (zone->fixed.lock_kind == SLM_LOCK_FILE && options->lock_kind == SLM_LOCK_FILE) {
        return slm_error_set(error, SLM_E_OPTION, 0,
                             "zone %s: its content cannot be moved: a move holds the locks of both "
                             "zones, which a lock file does not allow",
                             zone->fixed.name);
    }
    *moves = true;
    return slm_error_clear(error);
}

static enum slm_status check_movable(const struct slm_zone *from,
                                     const struct slm_zone_options *options,
                                     struct slm_error *error)
{
    uint32_t stored = journal_content_version(&from->journal);
    size_t n_names = 1;
    if (stored > options->content_version) {
        return slm_error_set(error, SLM_E_VERSION, 0,
                             "zone %s: its content has version %u, later than %u of this program",
                             from->fixed.name, stored, options->content_version);
    }
    if (!slm_zone_is_named(from)) {
        return SLM_OK;
    }
    enum slm_status status = slm_zone_error_of(
        from->fixed.name, slm_segment_count_names(from->segment, &n_names, error), error);
    return status != SLM_OK || n_names == 1
               ? status
               : slm_error_set(error, SLM_E_STATE, 0,
                               "zone %s: its content cannot be moved: its file has %zu names, and "
                               "only one of them would lead to the new zone",
                               from->fixed.name, n_names);
}

enum slm_status slm_zone_move_locked(struct slm_zone *from, struct slm_zone *to,
                                     const struct slm_zone_options *options,
                                     struct slm_error *error)
{
    enum slm_status status = check_movable(from, options, error);
    if (status != SLM_OK) {
        return status;
    }
    status = options->move(to, from, options->move_data);
    if (slm_lock_is_mine(from->lock)) {
        slm_journal_abort(&from->journal);
    }
    if (status == SLM_OK) {
        status = slm_lock_is_mine(from->lock) && slm_lock_is_mine(to->lock)
                     ? journal_refusal(&to->journal)
                     : SLM_E_OWNER;
    }
    return status == SLM_OK
               ? SLM_OK
               : slm_error_set(error, status, 0,
                               "zone %s: its content cannot be moved to bytes %zu, max_bytes %zu: "
                               "%s",
                               from->fixed.name, options->bytes, options->max_bytes,
                               slm_status_text(status));
}

enum slm_status slm_zone_settle_successor(const struct slm_zone *to, struct slm_error *error)
{
    return slm_zone_is_lasting(to)
               ? slm_zone_error_of(to->fixed.name,
                                   slm_segment_sync(to->segment, 0, (size_t)zone_bytes(to), error),
                                   error)
               : SLM_OK;
}

static void set_state(struct slm_zone *zone, enum zone_state state)
{
    SLM_YIELD("zone: change its state for a move");
    __atomic_store_n(&zone->header->state, state, __ATOMIC_RELEASE);
}

static void set_ready(struct slm_zone *zone)
{
    set_state(zone, zone_copying_of(zone->header)->copier == 0 ? ZONE_READY : ZONE_COPIED);
}

enum slm_status slm_zone_switch(struct slm_zone *from, struct slm_zone *to, struct slm_error *error)
{
    set_state(from, slm_segment_has_second_name(from->segment) ? ZONE_PARTED : ZONE_MOVED);
    enum slm_status status = slm_zone_publish(to, error);
    if (status == SLM_OK) {
        slm_zone_note_whole(to);
    } else {
        set_ready(from);
    }
    return status;
}

enum slm_status slm_zone_keep_file(struct slm_zone *from, struct slm_error *error)
{
    enum slm_status status = slm_segment_add_name(from->segment, error);
    return status == SLM_UNCHANGED ? status : slm_zone_error_of(from->fixed.name, status, error);
}

void slm_zone_let_file_go(struct slm_zone *from)
{
    SLM_YIELD("zone: remove the second name");
    slm_segment_drop_name(from->segment);
}

/* Threads that wait for the lock of `to` are refused afterwards: its file has no name. */
enum slm_status slm_zone_switch_back(struct slm_zone *from, struct slm_zone *to,
                                     struct slm_error *error)
{
    set_state(to, ZONE_MOVED);
    enum slm_status status = slm_segment_return_to_name(from->segment, error);
    if (status == SLM_OK) {
        set_ready(from);
    } else {
        set_ready(to);
    }
    return status;
}

/* Whether the content is in another zone, whose file has the name. */
static bool has_been_replaced(const struct slm_zone *from, size_t n_names)
{
    if (from->header->state == ZONE_PARTED && n_names == 1) {
        return slm_segment_check_own_name(from->segment, NULL) != SLM_OK;
    }
    return n_names == 0;
}

enum slm_status slm_zone_end_move(struct slm_zone *from)
{
    size_t n_names = 0;
    enum slm_status status =
        slm_zone_is_named(from) ? slm_segment_count_names(from->segment, &n_names, NULL) : SLM_OK;
    if (status == SLM_OK && has_been_replaced(from, n_names)) {
        return SLM_E_REPLACED;
    }
    if (status == SLM_OK) {
        set_ready(from);
    }
    return status;
}
