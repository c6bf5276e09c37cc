/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of zone_fuzz on the whole zone: copies, taken while others use it, and trims. */
#include <inttypes.h>
#include <sys/stat.h>

#include "allocator/lock/system.h"
#include "allocator/zone/handle.h"
#include "fuzz/zone/edge_world.h"
#include "fuzz/zone/op.h"
#include "harness/failure/say.h"
#include "harness/sched/system.h"
#include <slabmill/zone_copy.h>

/* --- Turns of others --- */

static struct {
    unsigned copier;
    unsigned n_left; /* turns */
    uint32_t seed;
    uint64_t (*now_ms)(void); /* the lock system's own */
} between;

static uint32_t draw(void)
{
    between.seed = between.seed * 1664525u + 1013904223u;
    return between.seed >> 8;
}

static void change_something(unsigned actor)
{
    static const enum hrn_zone_op kinds[] = {
        HRN_ZONE_WRITE,  HRN_ZONE_WRITE, HRN_ZONE_SAVE,     HRN_ZONE_ALLOC,
        HRN_ZONE_ALLOC,  HRN_ZONE_FREE,  HRN_ZONE_CALLOC,   HRN_ZONE_FREE,
        HRN_ZONE_COMMIT, HRN_ZONE_ABORT, HRN_ZONE_MEMALIGN, HRN_ZONE_RESET,
    };
    uint32_t kind = draw() % (sizeof kinds / sizeof kinds[0]);
    hrn_zone_run(&(struct op){
        .kind = kinds[kind],
        .actor = actor,
        .slot = draw() % ZONE_N_SLOTS,
        .extra = (uint8_t)draw(),
        .value = draw(),
    });
}

/* Another actor locks, changes something and unlocks; or it makes the zone longer. */
static void take_turn(unsigned actor)
{
    struct op op = {.actor = actor, .value = draw()};
    if (draw() % 16 == 0) {
        op.kind = HRN_ZONE_GROW;
        hrn_zone_run(&op);
        return;
    }
    op.kind = HRN_ZONE_LOCK;
    hrn_zone_run(&op);
    for (uint32_t n = draw() % 4; n > 0; n--) {
        change_something(actor);
    }
    op.kind = HRN_ZONE_UNLOCK;
    hrn_zone_run(&op);
}

/* The copier reads the clock before each lock. Until the copy is begun, and when it is done, a turn
 * would not be part of it. */
static uint64_t read_clock(void)
{
    struct zone_world *world = hrn_zone_world;
    if (!world->is_copied && between.n_left > 0 &&
        world->zones[between.copier]->header->state == ZONE_COPIED) {
        unsigned other =
            (between.copier + 1 + between.n_left % (ZONE_N_ACTORS - 1)) % ZONE_N_ACTORS;
        between.n_left--;
        hrn_zone_counted.n_turns_in_copies++;
        hrn_zone_pass_lock(); /* the copier has had it */
        world->is_copied = true;
        take_turn(other);
        world->is_copied = false;
        hrn_system_be(between.copier);
    }
    return between.now_ms();
}

/* --- Copies --- */

static void expect_copy(const struct slm_segment_options *place)
{
    struct slm_zone_attach_options options = {.segment = *place, .name = "fuzz"};
    struct slm_zone *copy = hrn_zone_open_copy(&options, hrn_zone_law_copy);
    struct slm_zone_stats stats;
    slm_zone_get_stats(copy, &stats);
    if (stats.bytes != hrn_zone_world->bytes || stats.n_recoveries != hrn_zone_world->n_repairs) {
        hrn_zone_law_copy("%zu bytes, %" PRIu64 " repairs", stats.bytes, stats.n_recoveries);
    }
    hrn_zone_expect_state(copy, &hrn_zone_committed, true);
    hrn_zone_close_copy(copy);
}

void hrn_zone_copy(const struct op *op)
{
    enum slm_status expected = hrn_zone_answer_to_lock(op->actor);
    struct slm_zone *zone = hrn_zone_world->zones[op->actor];
    struct slm_segment_options place = {.kind = SLM_SEGMENT_FILE};
    struct slm_zone_copy_report report;
    struct slm_error error;
    if (expected == SLM_E_LOCKED || hrn_zone_else.is_unsettled) {
        return;
    }
    if (expected == SLM_OK) {
        hrn_zone_working = hrn_zone_committed;
    }
    hrn_edge_clean_folder();
    place.name = hrn_edge_path(0);
    between.copier = op->actor;
    between.n_left = expected == SLM_OK ? op->extra % 8u : 0;
    between.seed = op->value;
    between.now_ms = slm_lock_system.now_ms;
    slm_lock_system.now_ms = read_clock;
    enum slm_status status = slm_zone_copy(zone, &place, &report, &error);
    slm_lock_system.now_ms = between.now_ms;
    HRN_SAY_OP("copy: %s %s", slm_status_name(status), error.text);
    expect("copy", status, expected);
    if (expected == SLM_OK) {
        hrn_zone_pass_lock();
        hrn_zone_look_through_another(op->actor);
        hrn_system_be(op->actor);
        expect_copy(&place);
        (void)slm_segment_remove(&place, NULL);
        hrn_zone_counted.n_copies_taken++;
    }
}

/* --- Trims --- */

void hrn_zone_trim(const struct op *op)
{
    enum slm_status expected = hrn_zone_answer_to_lock(op->actor);
    uint64_t n_bytes;
    if (expected == SLM_E_LOCKED) {
        return;
    }
    if (expected == SLM_OK) {
        hrn_zone_world->is_trimmed = true;
        hrn_zone_working = hrn_zone_committed;
    }
    expect("trim", slm_zone_trim(hrn_zone_world->zones[op->actor], &n_bytes, NULL), expected);
    if (expected == SLM_OK) {
        hrn_zone_pass_lock();
        hrn_zone_look_through_another(op->actor);
    }
}

/* SEEK_HOLE would find memory that no store has reached yet, too. */
void hrn_zone_expect_backed(struct slm_zone *zone)
{
    struct stat about;
    struct slm_slab_stats stats;
    if (fstat(slm_segment_id(slm_zone_segment(zone)), &about) != 0) {
        hrn_zone_law_made("no fstat");
    }
    slm_slab_get_stats(slm_zone_slab(zone), &stats);
    uint64_t n_backed = (uint64_t)about.st_blocks * 512;
    uint64_t n_used = hrn_zone_world->bytes - stats.n_free_pages * stats.page_bytes;
    if (n_backed < n_used) {
        hrn_zone_law_backed("%" PRIu64 " bytes, in use: %" PRIu64, n_backed, n_used);
    }
    hrn_zone_counted.n_backed++;
}
