/* SPDX-License-Identifier: Apache-2.0 */
/* Ends of transactions: commit, abort, reset, death; and what must be left then. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* _setjmp */
#endif
#include <inttypes.h>
#include <setjmp.h>
#include <string.h>

#include "allocator/base/yield.h"
#include "allocator/journal/log.h"
#include "fuzz/journal/world.h"
#include "harness/failure/say.h"

unsigned char hrn_journal_area[JOURNAL_AREA_BYTES + JOURNAL_TAIL_BYTES]
    __attribute__((aligned(4096)));
struct slm_slab *hrn_journal_slab;
struct slm_journal hrn_journal;
struct journal_account hrn_journal_committed;
struct journal_account hrn_journal_working;
struct transaction hrn_journal_now;
bool hrn_journal_is_on;

static unsigned char pristine[JOURNAL_AREA_BYTES];
static const struct journal_account empty = {.root = JOURNAL_NO_SLOT};

/* What a death within the present call may leave besides the committed content. */
static struct journal_account others[2];
static unsigned n_others;

static jmp_buf after_death;
static uint32_t points_left;   /* until the death; 0: none is due */
static uint32_t points_repair; /* the same, within the repair after it */
static bool is_mortal;
static uint64_t n_undone;
static uint64_t n_finished;

/* --- The memory --- */

static void must(const char *call, enum slm_status status)
{
    if (status != SLM_OK) {
        hrn_journal_law_made("%s: %s", call, slm_status_name(status));
    }
}

static void attach(void)
{
    must("attach", slm_journal_attach(&hrn_journal, hrn_journal_area, JOURNAL_LOG_BYTES,
                                      hrn_journal_area, hrn_journal_slab));
}

static void make_area(void)
{
    const struct slm_slab_options options = {.page_bytes = 4096, .per_doubling = 2};
    unsigned char *region = hrn_journal_area + JOURNAL_LOG_BYTES;
    size_t n_bytes = JOURNAL_AREA_BYTES - JOURNAL_LOG_BYTES;
    must("init", slm_journal_init(hrn_journal_area, JOURNAL_N_ENTRIES));
    must("slab init", slm_slab_init(region, n_bytes, &options));
    must("slab attach", slm_slab_attach(&hrn_journal_slab, region, n_bytes, NULL));
    memcpy(pristine, hrn_journal_area, sizeof pristine);
}

static void begin_transaction(void)
{
    hrn_journal_now = (struct transaction){.refusal = SLM_OK, .fresh = JOURNAL_NO_SLOT};
}

static void reach_point(const char *point)
{
    if (is_mortal && points_left != 0 && --points_left == 0) {
        HRN_SAY_OP("dies at \"%s\"", point);
        is_mortal = false;
        _longjmp(after_death, 1);
    }
}

void hrn_journal_begin(bool is_on)
{
    if (hrn_journal_slab == NULL) {
        make_area();
    }
    memcpy(hrn_journal_area, pristine, sizeof pristine);
    hrn_journal_is_on = is_on;
    attach();
    if (!is_on) {
        slm_journal_detach(&hrn_journal);
        hrn_journal = (struct slm_journal){.base = hrn_journal_area, .slab = hrn_journal_slab};
    }
    hrn_journal_committed = empty;
    hrn_journal_working = empty;
    begin_transaction();
    n_undone = n_finished = 0;
    points_left = 0;
    n_others = 0;
    slm_yield_hook = reach_point;
    slm_stored_hook = reach_point;
}

/* --- What is left --- */

static bool add_extent(void *data, const struct slm_slab_extent *extent)
{
    size_t *n = data;
    *n += extent->kind == SLM_SLAB_EXTENT_RUN ? 1 : extent->n_used;
    return true;
}

static size_t count_objects(void)
{
    size_t n = 0;
    slm_slab_walk_locked(hrn_journal_slab, add_extent, &n);
    return n;
}

static uint64_t root_of(const struct journal_account *account)
{
    return account->root == JOURNAL_NO_SLOT ? 0 : account->objects[account->root].offset;
}

/* The first slot whose object is not there, or has other bytes; their number: none. */
static unsigned find_wrong(const struct journal_account *account, size_t *n_live)
{
    unsigned wrong = JOURNAL_N_SLOTS;
    *n_live = 0;
    for (unsigned i = 0; i < JOURNAL_N_SLOTS; i++) {
        const struct object *object = &account->objects[i];
        if (!object->is_live) {
            continue;
        }
        ++*n_live;
        unsigned char *p = hrn_journal_at(object->offset);
        bool is_there = slm_slab_check_pointer_locked(hrn_journal_slab, p) == SLM_OK;
        if (!is_there || memcmp(p, account->bytes + object->offset, object->n_bytes) != 0) {
            wrong = i < wrong ? i : wrong;
        }
    }
    return wrong;
}

static bool is_like(const struct journal_account *account)
{
    size_t n_live;
    return find_wrong(account, &n_live) == JOURNAL_N_SLOTS && count_objects() == n_live &&
           hrn_journal.log->root == root_of(account) &&
           journal_content_version(&hrn_journal) == account->version;
}

/* The content is the committed one, and nothing is noted. */
static void expect_committed(const char *call)
{
    const struct journal_account *account = &hrn_journal_committed;
    size_t n_live;
    unsigned wrong = find_wrong(account, &n_live);
    if (wrong != JOURNAL_N_SLOTS) {
        hrn_journal_law_contents("%s: slot %u", call, wrong);
    }
    if (count_objects() != n_live) {
        hrn_journal_law_objects("%s: %zu, expected %zu", call, count_objects(), n_live);
    }
    if (slm_journal_offset(&hrn_journal, slm_journal_root(&hrn_journal)) != root_of(account) ||
        journal_content_version(&hrn_journal) != account->version) {
        hrn_journal_law_root("%s: root %" PRIu64 ", expected %" PRIu64, call,
                             (uint64_t)hrn_journal.log->root, root_of(account));
    }
    unsigned broken = slm_journal_check(&hrn_journal);
    unsigned slab_broken = slm_slab_check_locked(hrn_journal_slab);
    if (broken != 0 || slab_broken != 0 || slm_journal_is_dirty(&hrn_journal) ||
        slm_slab_last_allocation_locked(hrn_journal_slab) != NULL) {
        hrn_journal_law_sound("%s: I%u of the journal, I%u of the slab, entries: %d", call, broken,
                              slab_broken, slm_journal_is_dirty(&hrn_journal));
    }
    if (slm_journal_n_undone(&hrn_journal) != n_undone ||
        slm_journal_n_finished(&hrn_journal) != n_finished) {
        hrn_journal_law_counters("%s: %" PRIu64 " undone, expected %" PRIu64 "; %" PRIu64
                                 " finished, expected %" PRIu64,
                                 call, slm_journal_n_undone(&hrn_journal), n_undone,
                                 slm_journal_n_finished(&hrn_journal), n_finished);
    }
    hrn_journal_working = hrn_journal_committed;
    begin_transaction();
}

/* The working content as it is after a commit. */
static void settle(struct journal_account *account)
{
    *account = hrn_journal_working;
    for (unsigned i = 0; i < JOURNAL_N_SLOTS; i++) {
        account->objects[i].is_live &= !account->objects[i].is_freed;
        account->objects[i].is_freed = false;
    }
    memcpy(account->bytes, hrn_journal_area, sizeof account->bytes);
}

/* --- Ends --- */

void hrn_journal_commit(const struct op *op)
{
    (void)op;
    enum slm_status expected = hrn_journal_now.refusal;
    if (!hrn_journal_is_on) {
        hrn_journal_expect("commit", slm_journal_commit(&hrn_journal), SLM_OK);
        return;
    }
    if (expected == SLM_OK) {
        settle(&others[0]);
        n_others = 1;
    }
    enum slm_status status = slm_journal_commit(&hrn_journal);
    if (expected == SLM_OK) {
        hrn_journal_committed = others[0];
    }
    n_others = 0;
    begin_transaction();
    hrn_journal_expect("commit", status, expected);
    expect_committed("commit");
}

void hrn_journal_abort(const struct op *op)
{
    (void)op;
    slm_journal_abort(&hrn_journal);
    if (hrn_journal_is_on) {
        expect_committed("abort");
    }
}

/* A commit, and then a transaction of its own. */
void hrn_journal_reset(const struct op *op)
{
    (void)op;
    if (!hrn_journal_is_on) {
        hrn_journal_expect("reset", slm_journal_reset(&hrn_journal), SLM_OK);
        hrn_journal_working = empty;
        return;
    }
    enum slm_status expected = hrn_journal_now.refusal;
    if (expected == SLM_OK) {
        settle(&others[0]);
        others[1] = empty;
        others[1].version = others[0].version;
        n_others = 2;
    }
    enum slm_status status = slm_journal_reset(&hrn_journal);
    if (expected == SLM_OK) {
        hrn_journal_committed = others[1];
    }
    n_others = 0;
    begin_transaction();
    hrn_journal_expect("reset", status, expected);
    expect_committed("reset");
}

/* --- Deaths --- */

void hrn_journal_die(const struct op *op)
{
    points_left = hrn_journal_is_on ? 1 + op->value % 40 : 0;
    points_repair = op->extra;
}

/* Another process has a handle of its own, and no notes. */
static void replace_handle(void)
{
    slm_journal_detach(&hrn_journal);
    slm_journal_detach(&hrn_journal); /* a second time does nothing */
    attach();
}

/* A repair that dies may have counted already. */
static void count_again(uint64_t *n, uint64_t seen)
{
    *n = seen == *n + 1 ? seen : *n;
}

static void repair(void)
{
    if (_setjmp(after_death) == 0) {
        is_mortal = true;
        must("recover", slm_journal_recover(&hrn_journal));
        is_mortal = false;
        return;
    }
    count_again(&n_undone, slm_journal_n_undone(&hrn_journal));
    count_again(&n_finished, slm_journal_n_finished(&hrn_journal));
    replace_handle();
    must("recover again", slm_journal_recover(&hrn_journal));
    count_again(&n_undone, slm_journal_n_undone(&hrn_journal));
    count_again(&n_finished, slm_journal_n_finished(&hrn_journal));
}

static void find_content(void)
{
    for (unsigned i = 0; i < n_others && !is_like(&hrn_journal_committed); i++) {
        if (is_like(&others[i])) {
            hrn_journal_committed = others[i];
        }
    }
    n_others = 0;
}

/* After a death at any point of a call. */
static void take_over(void)
{
    uint64_t state = hrn_journal.log->state;
    bool has_pending = slm_slab_last_allocation_locked(hrn_journal_slab) != NULL;
    points_left = points_repair;
    points_repair = 0;
    replace_handle();
    bool is_finished = (state & JOURNAL_COMMITTED) != 0;
    bool dies_again = points_left != 0;
    if (!dies_again) {
        n_finished += is_finished;
        n_undone += !is_finished && (state != 0 || has_pending);
    }
    repair();
    if (dies_again) {
        count_again(&n_undone, slm_journal_n_undone(&hrn_journal));
        count_again(&n_finished, slm_journal_n_finished(&hrn_journal));
    }
    points_left = 0;
    find_content();
    expect_committed("repair");
}

void hrn_journal_take_over(const struct op *op)
{
    points_repair = op->extra;
    if (hrn_journal_is_on) {
        is_mortal = false;
        take_over();
    }
}

void hrn_journal_run_mortal(void (*verb)(const struct op *op), const struct op *op)
{
    if (_setjmp(after_death) == 0) {
        is_mortal = true;
        verb(op);
    } else {
        take_over();
    }
    is_mortal = false;
}

void hrn_journal_end(void)
{
    points_left = 0;
    hrn_journal_abort(NULL);
    if (hrn_journal_is_on) {
        slm_journal_detach(&hrn_journal);
    }
}
