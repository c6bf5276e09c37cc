/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill unlock: frees the lock of a zone that no process uses, and repairs the zone. */
#include <inttypes.h>

#include "tools/slabmill/inspect/inspect.h"
#include <slabmill/event.h>

static void print_owner_before(const struct slm_zone_image *image)
{
    struct slm_lock_owner owner;
    char name[MILL_TEXT_BYTES];
    (void)slm_zone_image_owner(image, &owner, NULL);
    mill_escape(name, sizeof name, image->name, sizeof image->name);
    printf("zone      \"%s\"\nlock      %s: ", name, mill_lock_name(image->lock.kind));
    if (owner.identity == 0) {
        printf("was not held%s\n", owner.needs_repair ? ", and a repair was due" : "");
    } else if (owner.doubt != SLM_LOCK_NO_DOUBT) {
        printf("thread %d had it, and may live: %s\n", (int)owner.thread_id,
               slm_lock_doubt_text(owner.doubt));
    } else {
        printf("thread %d had it, %s\n", (int)owner.thread_id,
               owner.is_alive ? "which lives" : "which is dead");
    }
}

static const char *repair_text(const struct slm_zone_stats *before,
                               const struct slm_zone_stats *now)
{
    if (now->n_recoveries == before->n_recoveries) {
        return "no repair was due";
    }
    if (now->n_undone != before->n_undone) {
        return "and repaired: a transaction was undone";
    }
    return now->n_finished != before->n_finished ? "and repaired: a commit was finished"
                                                 : "and repaired: no transaction was open";
}

static int print_result(struct slm_zone *zone, const struct slm_zone_stats *before)
{
    struct slm_zone_stats now;
    unsigned broken = slm_zone_check_locked(zone);
    slm_zone_get_stats(zone, &now);
    printf("unlocked  %s\n", repair_text(before, &now));
    if (broken == 0) {
        printf("check     every invariant holds\n");
    } else {
        printf("check     invariant %u does not hold\n", broken);
    }
    return broken == 0 ? MILL_GOOD : MILL_BROKEN;
}

/* The first lock repairs what is due. */
static int use_once(struct slm_zone *zone, const char *label)
{
    struct slm_zone_stats before;
    slm_zone_get_stats(zone, &before);
    enum slm_status status = slm_zone_trylock(zone);
    if (status == SLM_E_BROKEN) {
        printf("unlocked  but the repair FAILED: every lock is refused\n");
        return MILL_BROKEN;
    }
    if (status != SLM_OK) {
        return mill_complain("%s: %s", label, slm_status_text(status));
    }
    int result = print_result(zone, &before);
    return slm_zone_unlock(zone) == SLM_OK ? result : MILL_BROKEN;
}

/* What can be known of it: a write lease shows that no process has the file. A segment of the other
 * kinds is there only as long as a process has it. */
static bool is_used(const struct slm_segment_options *options, struct slm_error *error)
{
    struct slm_segment *segment;
    if (options->kind != SLM_SEGMENT_FILE && options->kind != SLM_SEGMENT_POSIX) {
        return false;
    }
    if (slm_segment_attach(&segment, options, error) != SLM_OK) {
        return false; /* the zone's attach says why */
    }
    bool is_used = slm_segment_check_unused(segment, error) == SLM_E_LOCKED;
    slm_segment_detach(segment);
    return is_used;
}

static int unlock(const struct slm_segment_options *segment, const struct slm_zone_image *image,
                  const struct mill_options *options)
{
    struct slm_error error;
    struct slm_zone *zone;
    struct slm_zone_attach_options attach = {
        .segment = *segment,
        .lock_path = options->lock,
        .is_unused = true,
    };
    if (is_used(segment, &error) || slm_zone_attach(&zone, &attach, &error) != SLM_OK) {
        return mill_complain("%s", error.text);
    }
    print_owner_before(image);
    int result = use_once(zone, options->files[0]);
    slm_zone_detach(zone);
    return result;
}

static void print_event(const struct slm_event *event, void *data)
{
    char text[SLM_EVENT_TEXT_BYTES];
    (void)data;
    (void)slm_event_text(event, text, sizeof text);
    (void)mill_complain("%s", text);
}

int mill_unlock(const struct mill_options *options)
{
    slm_event_listen(print_event, NULL);
    return mill_source_use(options, unlock);
}
