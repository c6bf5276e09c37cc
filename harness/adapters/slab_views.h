/* SPDX-License-Identifier: Apache-2.0 */
/* The views of a slab under test: their locks, the deaths of holders, growth, reports. */
#ifndef HRN_SLAB_VIEWS_H
#define HRN_SLAB_VIEWS_H

#include "harness/adapters/adapters.h"
#include <slabmill/lock.h>
#include <slabmill/slab.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    An exclusive slab has one view. A shared one has two, used in alternation as by two
 *          processes, whose lock is two functions that count. With shape->locked the lock is a
 *          shared_lock instead, whose holder dies when the test says so. Every view reports to a
 *          hook, which counts, and expects that no lock is held.
 * Failure  What is wrong breaks a law by env->fail.
 */
struct hrn_slab_views {
    const struct slm_adapter_env *env;
    struct slm_source source;
    struct slm_slab *views[2]; /* one and the same, if the slab is exclusive */
    unsigned turn;
    struct slm_lock_state *lock_state; /* kept from one program to the next */
    struct slm_lock *lock;             /* NULL: no shared_lock */
    unsigned depth;                    /* of the two functions */
    unsigned n_repairs;
    bool refuses_repair;
    void *last; /* the object that was allocated last, if it is live */
    unsigned n_events;
    struct slm_slab_event event; /* the last one */
};

/* Those of an arena that the slab's adapter made. */
struct hrn_slab_views *hrn_slab_views_of(void *self);

/* Attaches the views to the formatted region. */
enum slm_status hrn_slab_views_open(struct hrn_slab_views *v, const struct slm_adapter_env *env);
void hrn_slab_views_close(struct hrn_slab_views *v);

/* The view whose turn it is. */
struct slm_slab *hrn_slab_views_next(struct hrn_slab_views *v);

/* After `call`: exactly the refusals were reported. n_before: v->n_events before it. */
void hrn_slab_views_expect_event(const struct hrn_slab_views *v, unsigned n_before,
                                 const struct slm_slab_event *want);

/* With a shared_lock: its holder dies. The next call of any view must repair the slab, also if a
 * repair before it failed. No holder lives when this returns. Without one: nothing happens. */
void hrn_slab_views_kill_holder(struct hrn_slab_views *v);

/* A view adds the pages of the region, which is region_bytes long now. adds: there are such pages.
 * The other view must refuse until it learns of them. Returns how many pages there are. */
size_t hrn_slab_views_grow(struct hrn_slab_views *v, size_t region_bytes, bool adds);

/* In a walk: no lock is held, and the last allocation is known. */
void hrn_slab_views_check(struct hrn_slab_views *v);

#ifdef __cplusplus
}
#endif
#endif
