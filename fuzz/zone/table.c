/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of zone_table_fuzz: turns on a table and leases, and deaths within them. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* _setjmp */
#endif
#include "fuzz/zone/table.h"

#include <inttypes.h>
#include <setjmp.h>
#include <string.h>

#include "allocator/base/yield.h"
#include "fuzz/common/fuzz.h"
#include "fuzz/zone/table_turn.h"
#include "harness/failure/say.h"

enum { N_OPS_MAX = 400, RECORD_BYTES = 8, N_SETTINGS = 8, JOURNAL_ENTRIES = 512 };

struct hrn_table_counts hrn_table_counted;
struct table_account hrn_table_now;
struct table_plan hrn_table_plan;
struct slm_lease_worker hrn_table_workers[TABLE_N_ACTORS];
uint64_t hrn_table_next_stamp;

/* --- The world --- */

struct table_world {
    struct slm_zone *zones[TABLE_N_ACTORS]; /* NULL: not made */
    struct slm_zone *reader;                /* of a process that may only read */
    unsigned char pristine[TABLE_ZONE_BYTES];
    enum slm_lock_kind lock;
};
static struct table_world worlds[N_SETTINGS];
static struct table_world *world;

struct slm_zone *hrn_table_zone(unsigned actor)
{
    return world->zones[actor];
}

static unsigned char *base_of(const struct slm_zone *zone)
{
    return slm_segment_base(slm_zone_segment(zone));
}

static void attach(struct slm_zone **out, bool read_only)
{
    struct slm_zone_attach_options options = {
        .segment = {.kind = SLM_SEGMENT_MEMFD, .read_only = read_only}};
    struct slm_error error;
    options.segment.id = slm_segment_id(slm_zone_segment(world->zones[0]));
    if (slm_zone_attach(out, &options, &error) != SLM_OK) {
        hrn_table_law_made("%s", error.text);
    }
}

static void make_top(struct slm_zone *zone)
{
    struct slm_journal *journal = slm_zone_journal(zone);
    struct table_top *top = NULL;
    if (slm_zone_lock(zone) == SLM_OK) {
        top = slm_journal_calloc(journal, sizeof *top + SLM_LEASE_SLOTS_BYTES(TABLE_N_SLOTS));
    }
    if (top == NULL || slm_lease_init_locked(zone, &top->book, TABLE_N_SLOTS) != SLM_OK ||
        slm_zone_set_root_locked(zone, top) != SLM_OK || slm_zone_unlock(zone) != SLM_OK) {
        hrn_table_law_made("no table");
    }
}

static void make_world(unsigned settings)
{
    struct slm_zone_options options = {
        .name = "table",
        .bytes = TABLE_ZONE_BYTES,
        .journal_entries = JOURNAL_ENTRIES,
        .lock_kind = (settings & 4u) != 0 ? SLM_LOCK_SPIN_SEM : SLM_LOCK_ROBUST,
        .slab = {.per_doubling = 1u << (settings & 3u)},
        .segment = {.kind = SLM_SEGMENT_MEMFD},
    };
    struct slm_error error;
    if (slm_zone_create(&world->zones[0], &options, &error) != SLM_OK) {
        hrn_table_law_made("%s", error.text);
    }
    make_top(world->zones[0]);
    for (unsigned i = 1; i < TABLE_N_ACTORS; i++) {
        attach(&world->zones[i], false);
    }
    attach(&world->reader, true);
    world->lock = options.lock_kind;
    memcpy(world->pristine, base_of(world->zones[0]), TABLE_ZONE_BYTES);
}

/* --- Deaths --- */

static uint32_t points_left[TABLE_N_ACTORS]; /* until the actor's death; 0: it lives on */
static bool is_mortal;
static jmp_buf after_death;

static struct table_op later; /* the LOOK that waits for a point */
static uint32_t looks_left;   /* points until it; 0: none waits */
static bool is_torn; /* an actor died within a turn, and no other one has repaired it yet */

/* The actor has a read-only handle too. */
static void look(const struct table_op *op, bool is_settled)
{
    unsigned caller = hrn_system_self();
    hrn_system_be(op->actor);
    if (TABLE_REATTACHES(op)) {
        slm_zone_detach(world->reader);
        attach(&world->reader, true);
    }
    hrn_table_look(op, world->reader, is_settled);
    hrn_system_be(caller);
}

static void look_now_or_later(const struct table_op *op)
{
    if (TABLE_LOOKS_LATER(op)) {
        later = *op;
        looks_left = 1 + op->value % (1u << (1 + (op->extra >> 2) % 11u));
    } else {
        is_mortal = false;
        look(op, hrn_table_plan.steps == PLAN_NOTHING && !is_torn);
    }
}

static void reach_point(const char *point)
{
    unsigned actor = hrn_system_self();
    if (is_mortal && looks_left != 0 && --looks_left == 0) {
        HRN_SAY_OP("a reader looks at \"%s\"", point);
        is_mortal = false;
        look(&later, false);
        is_mortal = true;
    }
    if (is_mortal && actor < TABLE_N_ACTORS && points_left[actor] != 0 &&
        --points_left[actor] == 0) {
        HRN_SAY_OP("actor %u dies at \"%s\"", actor, point);
        is_mortal = false;
        _longjmp(after_death, 1);
    }
}

/* The process is gone, and another one with a mapping of its own replaces it. No death within
 * attach: it holds a lock of this process, which in truth ends with the process. */
static void replace(unsigned actor)
{
    struct slm_zone *old = world->zones[actor];
    is_mortal = false;
    hrn_system_renew(actor);
    hrn_system_be(actor);
    hrn_table_workers[actor].slot_idx = UINT32_MAX;
    attach(&world->zones[actor], false);
    slm_zone_detach(old);
}

static void begin_world(unsigned settings)
{
    world = &worlds[settings];
    slm_yield_hook = reach_point;
    slm_stored_hook = reach_point;
    memset(points_left, 0, sizeof points_left);
    looks_left = 0;
    is_torn = false;
    is_mortal = false;
    hrn_system_play(NULL);
    hrn_system_be(0);
    if (world->zones[0] == NULL) {
        make_world(settings);
    }
    memcpy(base_of(world->zones[0]), world->pristine, TABLE_ZONE_BYTES);
    memset(&hrn_table_now, 0, sizeof hrn_table_now);
    memset(&hrn_table_plan, 0, sizeof hrn_table_plan);
    hrn_table_next_stamp = 0;
    for (unsigned i = 0; i < TABLE_N_ACTORS; i++) {
        hrn_table_workers[i].slot_idx = UINT32_MAX;
    }
}

/* --- What a turn leads to --- */

void hrn_table_expect(const char *call, enum slm_status seen, enum slm_status expected)
{
    if (seen != expected) {
        hrn_table_law_answer("%s: %s, expected %s", call, slm_status_name(seen),
                             slm_status_name(expected));
    }
}

bool hrn_table_step(struct table_account *account)
{
    switch (hrn_table_plan.steps) {
    case PLAN_EVICT:
        return hrn_table_evict(account);
    case PLAN_GIVE:
        return hrn_table_give_one(account, hrn_table_plan.slots, hrn_table_plan.drops_unused,
                                  hrn_table_plan.is_reclaim);
    default:
        return false;
    }
}

/* Sets hrn_table_now to the content that the zone has, after the fewest steps that lead to it. with_change:
 * the last transaction was committed; without: it was not. Both after a death. False: no content of
 * the plan is the zone's. *n_steps is how many were made. */
static bool find_content(struct slm_zone *zone, bool without, bool with_change, unsigned *n_steps)
{
    struct table_account at = hrn_table_now;
    for (*n_steps = 0;; (*n_steps)++) {
        struct table_account changed = at;
        if (without && hrn_table_matches(zone, &at)) {
            hrn_table_now = at;
            return true;
        }
        if (with_change && hrn_table_plan.change != NULL) {
            hrn_table_plan.change(&changed, &hrn_table_plan.op);
        }
        if (with_change && hrn_table_matches(zone, &changed)) {
            hrn_table_now = changed;
            return true;
        }
        if (!hrn_table_step(&at)) {
            return false;
        }
    }
}

/* An actor has the lock: finds out how far a dead actor's turn got. */
static void settle(struct slm_zone *zone)
{
    unsigned n_steps;
    if (hrn_table_plan.steps != PLAN_NOTHING) {
        if (!find_content(zone, true, true, &n_steps)) {
            hrn_table_law_death("%s: neither the content before nor one on the way",
                                hrn_table_op_name(hrn_table_plan.op.kind));
        }
        hrn_table_counted.n_halfway += n_steps > 0;
    }
    hrn_table_plan.steps = PLAN_NOTHING;
    is_torn = false;
    if (!hrn_table_matches(zone, &hrn_table_now)) {
        hrn_table_law_content("another content than that of the last turn");
    }
    hrn_table_expect_sound(zone);
}

/* --- Turns --- */

static bool begin_turn(const struct table_op *op)
{
    struct slm_zone *zone = hrn_table_zone(op->actor);
    enum slm_status status = slm_zone_timedlock(zone, 1);
    if (status == SLM_E_TIMEOUT && world->lock == SLM_LOCK_SPIN_SEM) {
        hrn_table_expect("force", slm_lock_force_unlock(slm_zone_lock_handle(zone), 0), SLM_OK);
        status = slm_zone_timedlock(zone, 1);
    }
    hrn_table_expect("lock", status, SLM_OK);
    is_mortal = false;
    settle(zone);
    is_mortal = true;
    return true;
}

void hrn_table_plan_change(const struct table_op *op, table_change *change)
{
    hrn_table_plan = (struct table_plan){.steps = PLAN_CHANGE, .change = change, .op = *op};
}

void hrn_table_end_turn(const struct table_op *op, enum slm_status status)
{
    struct slm_zone *zone = hrn_table_zone(op->actor);
    bool is_committed = status == SLM_OK && !TABLE_ABORTS(op);
    unsigned n_steps;
    hrn_table_expect("end", slm_zone_end(zone, is_committed ? SLM_OK : SLM_E_BUSY),
                     is_committed ? SLM_OK : SLM_E_BUSY);
    is_mortal = false;
    if (!find_content(zone, !is_committed, is_committed, &n_steps)) {
        hrn_table_law_content("%s by actor %u: %s, and another content",
                              hrn_table_op_name(op->kind), op->actor, slm_status_name(status));
    }
    hrn_table_plan.steps = PLAN_NOTHING;
    is_mortal = true;
}

struct slm_table_entry *hrn_table_entry(const struct table_op *op)
{
    const struct slm_zone *zone = hrn_table_zone(op->actor);
    unsigned char bytes[TABLE_KEY_BYTES_MAX];
    struct slm_table_key key = hrn_table_key_of(op, bytes);
    return slm_table_find_locked(zone, &table_top_of(zone)->table, &key);
}

/* --- Programs --- */

static void carry_out(const struct table_op *op)
{
    static void (*const verbs[HRN_TABLE_COUNT])(const struct table_op *op) = {
        [HRN_TABLE_GET] = hrn_table_get,
        [HRN_TABLE_GET_KEEPING] = hrn_table_get,
        [HRN_TABLE_PUT] = hrn_table_put,
        [HRN_TABLE_TOUCH] = hrn_table_touch,
        [HRN_TABLE_DROP] = hrn_table_drop,
        [HRN_TABLE_WALK] = hrn_table_walk,
        [HRN_TABLE_MISUSE] = hrn_table_misuse,
        [HRN_TABLE_JOIN] = hrn_table_join,
        [HRN_TABLE_LEAVE] = hrn_table_leave,
        [HRN_TABLE_TAKE] = hrn_table_take,
        [HRN_TABLE_GIVE] = hrn_table_give,
        [HRN_TABLE_RECLAIM] = hrn_table_reclaim,
        [HRN_TABLE_BALLAST] = hrn_table_toggle_ballast,
    };
    if (op->kind == HRN_TABLE_DIE) {
        replace(op->actor);
    } else if (op->kind == HRN_TABLE_DIE_WITHIN) {
        points_left[op->actor] = 1 + op->value % (1u << (1 + op->extra % 11u));
    } else if (op->kind == HRN_TABLE_LOOK) {
        look_now_or_later(op);
    } else if (begin_turn(op)) {
        struct table_op aimed = *op;
        hrn_table_aim(&aimed);
        hrn_table_plan_change(&aimed, NULL);
        verbs[op->kind](&aimed);
    }
}

static void run(const struct table_op *op)
{
    hrn_system_be(op->actor);
    hrn_table_counted.n_kind[op->kind]++;
    HRN_SAY_OP("actor %u: %s key %u extra %u value %" PRIu32, op->actor,
               hrn_table_op_name(op->kind), op->key, op->extra, op->value);
    if (_setjmp(after_death) == 0) {
        is_mortal = true;
        carry_out(op);
    } else {
        hrn_table_counted.n_died_within++;
        is_torn = true;
        replace(hrn_system_self());
    }
    is_mortal = false;
}

static struct table_op decode(const uint8_t *record)
{
    uint32_t value;
    memcpy(&value, record + 4, sizeof value);
    return (struct table_op){
        .kind = (enum hrn_table_op)(record[0] % HRN_TABLE_COUNT),
        .actor = record[1] % TABLE_N_ACTORS,
        .key = record[2] % TABLE_N_KEYS,
        .extra = record[3],
        .value = value,
    };
}

int hrn_fuzz_zone_table(const uint8_t *bytes, size_t n_bytes)
{
    uint64_t n_ops = 0;
    begin_world(n_bytes == 0 ? 0 : bytes[0] % N_SETTINGS);
    for (size_t at = 1; at + RECORD_BYTES <= n_bytes && n_ops < N_OPS_MAX; at += RECORD_BYTES) {
        struct table_op op = decode(bytes + at);
        run(&op);
        n_ops++;
    }
    static const enum hrn_table_op ends[] = {HRN_TABLE_WALK, HRN_TABLE_LOOK};
    memset(points_left, 0, sizeof points_left);
    looks_left = 0;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        run(&(struct table_op){.kind = ends[i]});
    }
    hrn_fuzz_count(n_ops + 1);
    return 0;
}

const struct hrn_table_counts *hrn_table_totals(void)
{
    return &hrn_table_counted;
}

const char *hrn_table_op_name(enum hrn_table_op op)
{
#define OP_NAME(name) #name,
    static const char *const names[HRN_TABLE_COUNT] = {HRN_TABLE_LIST(OP_NAME)};
#undef OP_NAME
    return op < HRN_TABLE_COUNT ? names[op] : "?";
}

bool hrn_table_kind(unsigned idx, struct hrn_fuzz_kind *kind)
{
    if (idx < HRN_TABLE_COUNT) {
        *kind = (struct hrn_fuzz_kind){hrn_table_op_name(idx), hrn_table_counted.n_kind[idx]};
    }
    return idx < HRN_TABLE_COUNT;
}
