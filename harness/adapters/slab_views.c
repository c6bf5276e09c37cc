/* SPDX-License-Identifier: Apache-2.0 */
/* Views of a slab under test. */
#include "harness/adapters/slab_views.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/quiet.h"

HRN_QUIET_BEGIN

/* --- Locks --- */

static void lock(void *data)
{
    struct hrn_slab_views *v = data;
    if (v->depth != 0) {
        v->env->fail(v->env, "lock: a call takes the lock while it holds it");
    }
    v->depth++;
}

static void unlock(void *data)
{
    struct hrn_slab_views *v = data;
    if (v->depth != 1) {
        v->env->fail(v->env, "lock: a call releases the lock without holding it");
    }
    v->depth--;
}

static bool is_held(const struct hrn_slab_views *v)
{
    return v->depth != 0 || (v->lock != NULL && slm_lock_is_mine(v->lock));
}

static void expect(const struct hrn_slab_views *v, bool is_right, const char *claim)
{
    if (!is_right) {
        v->env->fail(v->env, "%s", claim);
    }
}

/* For calls whose name ends in _locked. */
static void hold(struct hrn_slab_views *v)
{
    if (v->lock != NULL) {
        expect(v, slm_lock_lock(v->lock) == SLM_OK, "lock: the shared lock is not free");
    } else if (v->views[0] != v->views[1]) {
        lock(v);
    }
}

static void let_go(struct hrn_slab_views *v)
{
    if (v->lock != NULL) {
        (void)slm_lock_unlock(v->lock);
    } else if (v->views[0] != v->views[1]) {
        unlock(v);
    }
}

static void expect_last(const struct hrn_slab_views *v, const struct slm_slab *slab)
{
    const void *last = slm_slab_last_allocation_locked(slab);
    if (last != v->last) {
        v->env->fail(v->env, "statistics: the last allocation is %p, should be %p", last, v->last);
    }
}

static enum slm_status repair(void *data, struct slm_slab *slab)
{
    struct hrn_slab_views *v = data;
    v->n_repairs++;
    expect(v, slm_lock_is_mine(v->lock), "lock: repair is called without the lock");
    expect(v, slm_slab_check_locked(slab) == 0, "self_check: the slab is broken after its rebuild");
    expect_last(v, slab);
    return v->refuses_repair ? SLM_E_IO : SLM_OK;
}

static void open_lock(struct hrn_slab_views *v)
{
    const struct slm_lock_options options = {.kind = SLM_LOCK_ROBUST};
    if (v->lock_state == NULL) {
        v->lock_state = aligned_alloc(SLM_LOCK_BYTES, SLM_LOCK_BYTES);
        expect(v, v->lock_state != NULL, "lock: no memory for its state");
    }
    (void)slm_lock_init(v->lock_state, options.kind);
    expect(v, slm_lock_attach(&v->lock, v->lock_state, &options, NULL) == SLM_OK,
           "lock: the state cannot be attached");
}

/* --- Reports --- */

static void report(void *data, const struct slm_slab_event *event)
{
    struct hrn_slab_views *v = data;
    expect(v, !is_held(v), "lock: a report is made with the lock held");
    expect(v, strcmp(event->name, slm_slab_name(v->views[0])) == 0,
           "anchor: a report has another name than the slab");
    v->n_events++;
    v->event = *event;
}

static bool is_as_wanted(const struct slm_slab_event *event, const struct slm_slab_event *want)
{
    return event->status == want->status && strcmp(event->call, want->call) == 0 &&
           event->size_bytes == want->size_bytes && event->pointer == want->pointer;
}

void hrn_slab_views_expect_event(const struct hrn_slab_views *v, unsigned n_before,
                                 const struct slm_slab_event *want)
{
    unsigned n = v->n_events - n_before;
    bool is_refused = want->status != SLM_OK;
    if (n != is_refused) {
        v->env->fail(v->env, "statistics: %u reports of one call of %s", n, want->call);
    }
    if (is_refused && !is_as_wanted(&v->event, want)) {
        v->env->fail(v->env, "statistics: %s of %zu bytes is reported as %s of %zu bytes: %s",
                     want->call, want->size_bytes, v->event.call, v->event.size_bytes,
                     slm_status_name(v->event.status));
    }
}

/* --- Made and ended --- */

enum slm_status hrn_slab_views_open(struct hrn_slab_views *v, const struct slm_adapter_env *env)
{
    const struct slm_adapter_source *given = env->source;
    struct slm_lock *left = v->lock; /* of a run that a broken law ended */
    *v = (struct hrn_slab_views){.env = env,
                                 .source = {given->alloc, given->free, given->data},
                                 .lock_state = v->lock_state};
    slm_lock_detach(left);
    struct slm_slab_view view = {.exclusive = !env->slab_shape->shared,
                                 .source = &v->source,
                                 .report = report,
                                 .report_data = v};
    if (env->slab_shape->locked) {
        open_lock(v);
        view.shared_lock = v->lock;
        view.repair = repair;
        view.repair_data = v;
    } else if (!view.exclusive) {
        view.lock = lock;
        view.unlock = unlock;
        view.lock_data = v;
    }
    enum slm_status status = slm_slab_attach(&v->views[0], env->region, env->region_bytes, &view);
    v->views[1] = v->views[0];
    if (status == SLM_OK && !view.exclusive) {
        status = slm_slab_attach(&v->views[1], env->region, env->region_bytes, &view);
        if (status != SLM_OK) {
            slm_slab_detach(v->views[0]);
        }
    }
    return status;
}

void hrn_slab_views_close(struct hrn_slab_views *v)
{
    if (v->views[1] != v->views[0]) {
        slm_slab_detach(v->views[1]);
    }
    slm_slab_detach(v->views[0]);
    slm_lock_detach(v->lock);
    v->lock = NULL;
}

struct slm_slab *hrn_slab_views_next(struct hrn_slab_views *v)
{
    v->turn ^= 1u;
    return v->views[v->turn];
}

void hrn_slab_views_check(struct hrn_slab_views *v)
{
    expect(v, !is_held(v), "lock: a call has not released it");
    hold(v);
    expect_last(v, hrn_slab_views_next(v));
    let_go(v);
}

/* --- Deaths --- */

#define COUNTER_PAGES 4u
#define HEADER_WORDS  64u /* that may hold the counter, of 4 bytes */

/* Where a slab counts its free pages, as an offset in the region, found by trying. A wrong counter
 * there is what a holder that died in a call may have left. */
static size_t find_counter(void)
{
    static _Alignas(4096) unsigned char region[(COUNTER_PAGES + 1) * 4096];
    struct slm_slab *slab;
    struct slm_slab_stats stats;
    size_t offset = SIZE_MAX;
    if (slm_slab_init(region, sizeof region, NULL) != SLM_OK ||
        slm_slab_attach(&slab, region, sizeof region, NULL) != SLM_OK) {
        return SIZE_MAX;
    }
    for (size_t at = 0; at < 4 * (size_t)HEADER_WORDS; at += 4) {
        region[at] ^= 1;
        slm_slab_get_stats(slab, &stats);
        offset = stats.n_free_pages == (COUNTER_PAGES ^ 1u) ? at : offset;
        region[at] ^= 1;
    }
    slm_slab_detach(slab);
    return offset;
}

/* The lock and the slab as a dead holder leaves them: the attach takes the lock from its owner. */
static void die_holding(const struct hrn_slab_views *v)
{
    static size_t counter;
    counter = counter == 0 ? find_counter() : counter;
    expect(v, counter != SIZE_MAX, "self_check: no counter of free pages is in the slab's header");
    ((unsigned char *)v->env->region)[counter] ^= 1;
    const struct slm_lock_options options = {.kind = SLM_LOCK_ROBUST, .is_unused = true};
    struct slm_lock *heir = NULL;
    bool is_dead = slm_lock_lock(v->lock) == SLM_OK &&
                   slm_lock_attach(&heir, v->lock_state, &options, NULL) == SLM_OK;
    expect(v, is_dead, "lock: the shared lock is not free");
    slm_lock_detach(heir);
}

static void expect_repairs(const struct hrn_slab_views *v, unsigned n)
{
    if (v->n_repairs != n) {
        v->env->fail(v->env, "lock: %u repairs after a death, should be %u", v->n_repairs, n);
    }
}

void hrn_slab_views_kill_holder(struct hrn_slab_views *v)
{
    struct slm_slab *slab = hrn_slab_views_next(v);
    if (v->lock == NULL) {
        return;
    }
    die_holding(v);
    unsigned n_before = v->n_events;
    v->n_repairs = 0;
    v->refuses_repair = true;
    expect(v, slm_slab_alloc(slab, 1) == NULL, "lock: alloc goes on after a failed repair");
    const struct slm_slab_event want = {SLM_E_IO, NULL, "alloc", 1, NULL};
    hrn_slab_views_expect_event(v, n_before, &want);
    expect(v, slm_slab_free(slab, v->views) == SLM_E_IO,
           "lock: free goes on after a failed repair");
    expect_repairs(v, 2);
    v->refuses_repair = false;
    expect(v, slm_slab_check(slab) == 0, "self_check: the slab is broken after its repair");
    expect_repairs(v, 3);
    expect(v, slm_slab_check(hrn_slab_views_next(v)) == 0, "self_check: the slab is broken");
    expect_repairs(v, 3);
}

/* --- Growth --- */

/* The view knows fewer pages than there are: each call refuses, and changes nothing. */
static void expect_stale(const struct hrn_slab_views *v, struct slm_slab *slab, void *root)
{
    struct slm_slab_place place;
    struct slm_slab_stats stats;
    bool refuses = slm_slab_alloc(slab, 1) == NULL && slm_slab_calloc(slab, 1) == NULL &&
                   slm_slab_memalign(slab, 64, 64) == NULL && slm_slab_trim(slab) == 0 &&
                   slm_slab_usable_bytes(slab, root) == 0;
    expect(v, refuses, "region_change: a view that does not know all pages serves a request");
    bool is_state = (root == NULL || slm_slab_free(slab, root) == SLM_E_STATE) &&
                    slm_slab_reset(slab) == SLM_E_STATE && slm_slab_check(slab) == 1;
    expect(v, is_state, "region_change: a view that does not know all pages changes the slab");
    slm_slab_locate(slab, root, &place);
    slm_slab_get_stats(slab, &stats);
    expect(v, place.kind == SLM_SLAB_OUTSIDE && stats.n_free_pages == 0 && stats.n_runs == 0,
           "region_change: a view that does not know all pages counts them");
}

/* By grow, which gets the length, or by refresh. */
static void learn(struct hrn_slab_views *v, struct slm_slab *slab, size_t region_bytes)
{
    bool by_grow = region_bytes / 8 % 2 == 1;
    size_t n_pages = 0;
    hold(v);
    if (by_grow) {
        n_pages = slm_slab_grow_locked(slab, region_bytes);
    } else {
        expect(v, slm_slab_refresh_locked(slab) == SLM_OK,
               "region_change: a view cannot learn of new pages");
    }
    struct slm_slab_stats stats;
    slm_slab_get_stats_locked(slab, &stats);
    let_go(v);
    expect(v, !by_grow || stats.n_pages == n_pages,
           "region_change: a view that grew again counts other pages");
}

size_t hrn_slab_views_grow(struct hrn_slab_views *v, size_t region_bytes, bool adds)
{
    struct slm_slab *slab = hrn_slab_views_next(v);
    struct slm_slab *other = hrn_slab_views_next(v);
    void *root = slm_slab_root(slab);
    hold(v);
    size_t n_pages = slm_slab_grow_locked(slab, region_bytes);
    let_go(v);
    if (adds && other != slab) {
        expect_stale(v, other, root);
    }
    if (other != slab) {
        learn(v, other, region_bytes);
    }
    return n_pages;
}

HRN_QUIET_END
