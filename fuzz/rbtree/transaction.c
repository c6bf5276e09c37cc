/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions of trees and lists: committed, aborted, without room, cut off by deaths. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* _setjmp */
#endif
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "allocator/base/yield.h"
#include "fuzz/rbtree/memory.h"
#include "harness/failure/say.h"

enum { N_ENTRIES = 400, LOG_BYTES = 8192, AREA_BYTES = 96 * 1024 };

/* The log, and the slab after it. */
static unsigned char area[AREA_BYTES] __attribute__((aligned(4096)));
static unsigned char pristine[AREA_BYTES];
static struct memory outside; /* while the journal is off */
static struct memory *inside;
static struct slm_slab *slab; /* NULL: nothing is made yet */

struct memory *hrn_tree_memory;
struct slm_journal hrn_tree_journal;
struct slm_journal hrn_tree_plain;

static bool is_on;
static bool is_refused;
static struct memory committed;
static struct tree_account committed_account;

/* Deaths. */
static jmp_buf after_death;
static uint32_t points_left;   /* until the death; 0: none is due */
static uint32_t points_repair; /* the same, within the repair after it */
static bool is_mortal;
static bool is_committing;

static void must(enum slm_status status)
{
    if (status != SLM_OK) {
        hrn_tree_law_answer("a journal is made: %s", slm_status_name(status));
    }
}

static void attach(void)
{
    must(slm_journal_attach(&hrn_tree_journal, area, LOG_BYTES, area, slab));
}

/* The object next to the memory is live too: a node that lies partly there is refused. */
static void make_area(void)
{
    const struct slm_slab_options options = {.page_bytes = 4096};
    must(slm_journal_init(area, N_ENTRIES));
    must(slm_slab_init(area + LOG_BYTES, AREA_BYTES - LOG_BYTES, &options));
    must(slm_slab_attach(&slab, area + LOG_BYTES, AREA_BYTES - LOG_BYTES, NULL));
    inside = slm_slab_calloc(slab, sizeof *inside);
    if (inside == NULL || slm_journal_log_bytes(N_ENTRIES) > LOG_BYTES) {
        abort();
    }
    slm_slab_clear_last_allocation_locked(slab); /* no repair takes it for an unnoted one */
    memcpy(pristine, area, sizeof area);
}

static void keep(const struct tree_account *account)
{
    committed = *hrn_tree_memory;
    committed_account = *account;
    is_refused = false;
}

static void reach_point(const char *point)
{
    if (is_mortal && points_left != 0 && --points_left == 0) {
        HRN_SAY_OP("dies at \"%s\"", point);
        is_mortal = false;
        _longjmp(after_death, 1);
    }
}

void hrn_tree_begin(bool with_journal, const struct tree_account *account)
{
    is_on = with_journal;
    is_mortal = false;
    points_left = 0;
    if (!is_on) {
        memset(&outside, 0, sizeof outside);
        hrn_tree_memory = &outside;
        hrn_tree_plain = (struct slm_journal){.base = (unsigned char *)&outside};
        hrn_tree_journal = hrn_tree_plain;
        return;
    }
    if (slab == NULL) {
        make_area();
    }
    memcpy(area, pristine, sizeof area);
    hrn_tree_memory = inside;
    hrn_tree_plain = (struct slm_journal){.base = area};
    attach();
    keep(account);
    slm_yield_hook = reach_point;
    slm_stored_hook = reach_point;
}

void hrn_tree_end(struct tree_account *account)
{
    points_left = 0;
    if (is_on) {
        hrn_tree_abort(account);
        slm_journal_detach(&hrn_tree_journal);
        hrn_tree_journal = hrn_tree_plain;
    }
}

static bool is_like(const struct memory *memory)
{
    return memcmp(hrn_tree_memory, memory, sizeof *memory) == 0;
}

static void expect_committed(const char *call, struct tree_account *account)
{
    unsigned broken = slm_journal_check(&hrn_tree_journal);
    if (!is_like(&committed) || broken != 0 || slm_journal_is_dirty(&hrn_tree_journal)) {
        hrn_tree_law_undone("%s: the bytes are the same: %d, the journal breaks I%u", call,
                            is_like(&committed), broken);
    }
    *account = committed_account;
    is_refused = false;
}

enum slm_status hrn_tree_can(unsigned n_entries)
{
    if (is_on && !is_refused) {
        is_refused = !slm_journal_has_room(&hrn_tree_journal, n_entries);
    }
    return is_on && is_refused ? SLM_E_FULL : SLM_OK;
}

void hrn_tree_commit(struct tree_account *account)
{
    if (!is_on) {
        return;
    }
    enum slm_status expected = is_refused ? SLM_E_FULL : SLM_OK;
    is_committing = expected == SLM_OK;
    hrn_tree_before = *hrn_tree_memory;
    enum slm_status status = slm_journal_commit(&hrn_tree_journal);
    is_committing = false;
    if (status != expected) {
        hrn_tree_law_answer("commit: %s, expected %s", slm_status_name(status),
                            slm_status_name(expected));
    }
    if (expected == SLM_OK) {
        hrn_tree_expect_silence("commit");
        keep(account);
    }
    expect_committed("commit", account);
}

void hrn_tree_abort(struct tree_account *account)
{
    if (is_on) {
        slm_journal_abort(&hrn_tree_journal);
        expect_committed("abort", account);
    }
}

void hrn_tree_die_within(const struct op *op)
{
    points_left = is_on ? 1 + op->value % 64 : 0;
    points_repair = op->value >> 8 & 255;
}

/* Another process takes over: its handle has none of the notes. */
static void take_over(struct tree_account *account)
{
    static struct tree_account working;
    bool was_committing = is_committing;
    working = *account;
    is_committing = false;
    points_left = points_repair;
    points_repair = 0;
    slm_journal_detach(&hrn_tree_journal);
    attach();
    if (_setjmp(after_death) == 0) {
        is_mortal = true;
        must(slm_journal_recover(&hrn_tree_journal));
    } else {
        slm_journal_detach(&hrn_tree_journal);
        attach();
        must(slm_journal_recover(&hrn_tree_journal));
    }
    is_mortal = false;
    points_left = 0;
    if (was_committing && is_like(&hrn_tree_before)) {
        keep(&working);
    }
    expect_committed("repair", account);
}

void hrn_tree_run_mortal(void (*verb)(const struct op *op), const struct op *op,
                         struct tree_account *account)
{
    if (!is_on) {
        verb(op);
        return;
    }
    if (_setjmp(after_death) == 0) {
        is_mortal = true;
        verb(op);
    } else {
        take_over(account);
    }
    is_mortal = false;
}
