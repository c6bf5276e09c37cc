/* SPDX-License-Identifier: Apache-2.0 */
/* The read-only handle of zone_fuzz: what it shows, and what it refuses. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pread */
#endif
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "allocator/zone/handle.h"
#include "fuzz/zone/op.h"
#include "harness/sched/system.h"
#include <slabmill/zone_copy.h>

/* --- What it shows --- */

/* Between calls the zone is sound at any moment, even within a turn or after a death. After a death
 * within a call the next repair makes it so; until then checks find anything, and end. */
static void expect_sound(struct slm_zone *zone)
{
    unsigned broken = slm_zone_check_locked(zone);
    if (broken != 0 && !hrn_zone_world->is_torn) {
        hrn_zone_law_sound("invariant %u", broken);
    }
}

static bool is_known(void)
{
    return !hrn_zone_world->needs_repair && !hrn_zone_else.is_unsettled;
}

void hrn_zone_read(const struct op *op)
{
    struct slm_zone *zone =
        (op->extra & 1u) != 0 ? hrn_zone_world->reader : hrn_zone_world->zones[op->actor];
    expect_sound(zone);
    if (is_known()) {
        hrn_zone_expect_state(zone, &hrn_zone_working, false);
    }
}

void hrn_zone_expect_same_stats(struct slm_zone *seen, struct slm_zone *other, hrn_zone_law *law)
{
    struct slm_zone_stats zones[2];
    struct slm_slab_stats slabs[2];
    slm_zone_get_stats(seen, &zones[0]);
    slm_zone_get_stats(other, &zones[1]);
    slm_slab_get_stats_locked(slm_zone_slab(seen), &slabs[0]);
    slm_slab_get_stats_locked(slm_zone_slab(other), &slabs[1]);
    if (zones[0].bytes != zones[1].bytes || zones[0].n_recoveries != zones[1].n_recoveries ||
        zones[0].n_undone != zones[1].n_undone || zones[0].n_finished != zones[1].n_finished ||
        zones[0].content_version != zones[1].content_version ||
        zones[0].is_clean != zones[1].is_clean) {
        law("%zu bytes, %" PRIu64 " repairs", zones[0].bytes, zones[0].n_recoveries);
    }
    if (slabs[0].n_pages != slabs[1].n_pages || slabs[0].n_runs != slabs[1].n_runs ||
        slabs[0].n_free_pages != slabs[1].n_free_pages ||
        slabs[0].n_kept_pages != slabs[1].n_kept_pages ||
        slabs[0].n_run_pages != slabs[1].n_run_pages ||
        slabs[0].run_requests != slabs[1].run_requests ||
        slabs[0].peak_used_pages != slabs[1].peak_used_pages) {
        law("%zu free pages of %zu, another handle shows %zu", slabs[0].n_free_pages,
            slabs[0].n_pages, slabs[1].n_free_pages);
    }
}

/* No actor has the lock, so all handles show the same. */
static void compare(unsigned actor)
{
    struct slm_zone *reader = hrn_zone_world->reader;
    hrn_zone_look_through_another(actor);
    expect_sound(reader);
    hrn_zone_expect_state(reader, &hrn_zone_committed, true);
    hrn_zone_expect_same_stats(reader, hrn_zone_world->zones[(actor + 1) % ZONE_N_ACTORS],
                               hrn_zone_law_reader);
    hrn_zone_counted.n_compared++;
    hrn_system_be(actor);
}

/* --- What it refuses --- */

static void refuse(const char *call, enum slm_status status)
{
    expect(call, status, SLM_E_READ_ONLY);
}

static void refuse_memory(const char *call, const void *p)
{
    if (p != NULL) {
        hrn_zone_law_answer("%s, read-only: an object", call);
    }
}

static bool evict_nothing(struct slm_zone *zone, void *data)
{
    (void)zone;
    (void)data;
    hrn_zone_law_answer("a read-only handle evicts");
}

static void refuse_turns(struct slm_zone *reader)
{
    refuse("lock, read-only", slm_zone_lock(reader));
    refuse("try, read-only", slm_zone_trylock(reader));
    refuse("timed, read-only", slm_zone_timedlock(reader, 1));
    refuse("unlock, read-only", slm_zone_unlock(reader));
    refuse("end, read-only", slm_zone_end(reader, SLM_OK));
    refuse("commit, read-only", slm_zone_commit_locked(reader));
    refuse("reset, read-only", slm_zone_reset_locked(reader));
    refuse("root, read-only", slm_zone_set_root_locked(reader, NULL));
    slm_zone_abort_locked(reader);
}

static void refuse_whole_calls(struct slm_zone *reader, const struct op *op)
{
    struct slm_segment_options place = {.kind = SLM_SEGMENT_FILE, .name = "/never/made"};
    enum slm_status status;
    uint64_t n_bytes;
    refuse_memory("alloc", slm_zone_alloc(reader, op->value, &status));
    refuse("alloc, read-only", status);
    refuse_memory("calloc", slm_zone_calloc(reader, op->value, &status));
    refuse("calloc, read-only", status);
    refuse_memory("evicting alloc",
                  slm_zone_alloc_evicting_locked(reader, op->value, evict_nothing, NULL, &status));
    refuse("evicting alloc, read-only", status);
    refuse("grow, read-only", slm_zone_grow(reader, op->value % (ZONE_MAX_BYTES + 1), NULL));
    refuse("trim, read-only", slm_zone_trim(reader, &n_bytes, NULL));
    refuse("sync, read-only", slm_zone_sync(reader, NULL));
    refuse("copy, read-only", slm_zone_copy(reader, &place, NULL, NULL));
}

/* p leads anywhere: a call through such a journal does not look at it. */
static void refuse_notes(struct slm_journal *journal, const struct op *op, void *p)
{
    size_t n_bytes = (size_t)1 << op->extra % 4u;
    if (slm_journal_has_room(journal, 0)) {
        hrn_zone_law_answer("a read-only journal has room");
    }
    refuse("write, read-only", slm_journal_write(journal, p, op->value));
    refuse("set, read-only", slm_journal_set_number(journal, p, n_bytes, op->value));
    refuse("add, read-only", slm_journal_add_number(journal, p, n_bytes, op->value));
    refuse("note, read-only", slm_journal_note_range(journal, p, op->value % 100u));
    refuse_memory("alloc", slm_journal_alloc(journal, op->value));
    refuse_memory("calloc", slm_journal_calloc(journal, op->value));
    refuse_memory("memalign", slm_journal_memalign(journal, 64, op->value));
    refuse("root, read-only", slm_journal_set_root(journal, NULL));
    slm_journal_abort(journal);
    refuse("commit, read-only", slm_journal_commit(journal));
    refuse("reset, read-only", slm_journal_reset(journal));
    refuse("recover, read-only", slm_journal_recover(journal));
}

static void refuse_slab_calls(struct slm_slab *slab, const struct op *op)
{
    refuse_memory("alloc", slm_slab_alloc_locked(slab, op->value));
    refuse_memory("calloc", slm_slab_calloc_locked(slab, op->value));
    refuse_memory("memalign", slm_slab_memalign_locked(slab, 64, op->value));
    refuse("reset, read-only", slm_slab_reset_locked(slab));
    refuse("rebuild, read-only", slm_slab_rebuild_locked(slab));
    refuse("root, read-only", slm_slab_set_root(slab, NULL));
    if (slm_slab_trim(slab) != 0) {
        hrn_zone_law_answer("a read-only slab gives pages back");
    }
}

/* Calls with a live object, which may be in pages of a growth that the reader has not seen yet. */
static void refuse_with_object(struct slm_zone *reader, void *object)
{
    struct slm_journal *journal = slm_zone_journal(reader);
    struct slm_slab *slab = slm_zone_slab(reader);
    refuse("free, read-only", slm_zone_free(reader, object));
    refuse("free of the journal, read-only", slm_journal_free(journal, object));
    refuse("free of the slab, read-only", slm_slab_free_locked(slab, object));
    refuse("root of the journal, read-only", slm_journal_set_root(journal, object));
    refuse("root, read-only", slm_zone_set_root_locked(reader, object));
}

static void refuse_all(const struct op *op)
{
    struct slm_zone *reader = hrn_zone_world->reader;
    struct slm_journal *journal = slm_zone_journal(reader);
    const struct zone_slot *slot = &hrn_zone_working.slots[op->slot];
    refuse_turns(reader);
    refuse_whole_calls(reader, op);
    refuse_notes(journal, op, journal->base + op->value % hrn_zone_world->bytes);
    refuse_slab_calls(slm_zone_slab(reader), op);
    if (is_known() && slot->is_live) {
        refuse_with_object(reader, slm_journal_pointer(journal, slot->offset));
    }
}

static void read_bytes(unsigned char *bytes)
{
    int fd = slm_segment_id(slm_zone_segment(hrn_zone_world->reader));
    if (pread(fd, bytes, hrn_zone_world->bytes, 0) != (ssize_t)hrn_zone_world->bytes) {
        hrn_zone_law_made("no pread");
    }
}

void hrn_zone_refuse(const struct op *op)
{
    static unsigned char before[ZONE_MAX_BYTES];
    static unsigned char after[ZONE_MAX_BYTES];
    read_bytes(before);
    if (op->value % 8 == 0) {
        slm_zone_detach(hrn_zone_world->reader);
        hrn_zone_attach_again(&hrn_zone_world->reader, true);
    }
    refuse_all(op);
    expect_sound(hrn_zone_world->reader);
    refuse_all(op);
    read_bytes(after);
    if (memcmp(before, after, hrn_zone_world->bytes) != 0) {
        hrn_zone_law_silence("of a read-only handle");
    }
    if (hrn_zone_world->holder == ZONE_NOBODY && !hrn_zone_world->is_copied) {
        compare(op->actor);
    }
}
