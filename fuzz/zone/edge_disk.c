/* SPDX-License-Identifier: Apache-2.0 */
/* Zones of zone_edge_fuzz that are written to the disk, and copied there by the library. */
#include "fuzz/zone/edge_world.h"
#include "harness/failure/say.h"
#include "harness/sched/system.h"
#include <slabmill/zone_copy.h>

void hrn_edge_expect_clean(const struct edge_view *view, bool is_clean)
{
    struct slm_zone_stats stats;
    slm_zone_get_stats(view->zone, &stats);
    if (stats.is_clean != is_clean) {
        hrn_edge_law_clean("zone %s is %s", slm_zone_name(view->zone),
                           stats.is_clean ? "clean" : "not clean");
    }
}

static struct edge_view *begin(const struct edge_op *op)
{
    unsigned idx = op->who % EDGE_N_VIEWS;
    hrn_system_be(hrn_edge_actor_of(idx));
    return &hrn_edge_world.views[idx];
}

void hrn_edge_sync(const struct edge_op *op)
{
    const struct edge_view *view = begin(op);
    struct slm_error error;
    if (view->zone == NULL) {
        return;
    }
    bool is_file = hrn_edge_world.bodies[view->body].kind == SLM_SEGMENT_FILE;
    edge_reasons reasons = is_file || view->is_read_only ? hrn_edge_expect_turn(view) : 0;
    if ((reasons & EDGE_REASON(SLM_E_TIMEOUT)) != 0) {
        return; /* it would wait for ever */
    }
    enum slm_status status = slm_zone_sync(view->zone, &error);
    HRN_SAY_OP("sync: %s %s", slm_status_name(status), error.text);
    hrn_edge_judge("sync", status, reasons, &error, NULL);
    if (status == SLM_OK) {
        hrn_edge_expect_clean(view, is_file);
    }
    hrn_edge_verify(view);
}

/* A clean zone is used without a question. */
static enum slm_status refuse_question(struct slm_zone *zone, void *data)
{
    (void)data;
    hrn_edge_law_taken("the content of zone %s is asked for", slm_zone_name(zone));
}

static void expect_taken(int taken, const char *path)
{
    const struct edge_body *body = &hrn_edge_world.bodies[taken];
    struct edge_view view = {.body = taken};
    struct slm_error error;
    struct slm_zone_attach_options options = {
        .segment = {.kind = SLM_SEGMENT_FILE, .name = path},
        .check = true,
        .check_content = refuse_question,
    };
    if (body->lock == SLM_LOCK_FILE) {
        options.lock_path = hrn_edge_lock_path((unsigned)body->lock_path);
    }
    if (slm_zone_attach(&view.zone, &options, &error) != SLM_OK) {
        hrn_edge_law_taken("%.150s", error.text);
    }
    hrn_edge_expect_clean(&view, true);
    hrn_edge_verify(&view);
    slm_zone_detach(view.zone);
}

void hrn_edge_take(const struct edge_op *op)
{
    struct edge_world *world = &hrn_edge_world;
    const struct edge_view *view = begin(op);
    unsigned spelling = op->what % EDGE_N_SPELLINGS;
    int *name = &world->names[spelling % EDGE_N_PATHS];
    struct slm_segment_options to = {.kind = SLM_SEGMENT_FILE, .name = hrn_edge_path(spelling)};
    struct slm_zone_copy_report report;
    struct slm_error error;
    if (view->zone == NULL) {
        return;
    }
    edge_reasons reasons = hrn_edge_expect_turn(view);
    reasons |= *name != EDGE_NONE ? EDGE_REASON(SLM_E_EXISTS) : 0;
    enum slm_status status = slm_zone_copy(view->zone, &to, &report, &error);
    HRN_SAY_OP("take: %s %s", slm_status_name(status), error.text);
    hrn_edge_judge("copy", status, reasons, &error, world->bodies[view->body].name);
    if (status == SLM_OK) {
        hrn_edge_collect();
        int taken = hrn_edge_new_body();
        world->bodies[taken] = world->bodies[view->body];
        world->bodies[taken].kind = SLM_SEGMENT_FILE;
        world->bodies[taken].server = 0;
        *name = taken;
        expect_taken(taken, to.name);
        hrn_edge_counted.n_taken++;
    }
    hrn_edge_verify(view);
}

void hrn_edge_trim(const struct edge_op *op)
{
    const struct edge_view *view = begin(op);
    struct slm_error error;
    uint64_t n_bytes;
    if (view->zone == NULL) {
        return;
    }
    const struct edge_body *body = &hrn_edge_world.bodies[view->body];
    edge_reasons reasons = hrn_edge_expect_turn(view);
    reasons |= body->kind == SLM_SEGMENT_ANONYMOUS ? EDGE_REASON(SLM_E_OPTION) : 0;
    enum slm_status status = slm_zone_trim(view->zone, &n_bytes, &error);
    HRN_SAY_OP("trim: %s %s", slm_status_name(status), error.text);
    hrn_edge_judge("trim", status, reasons, &error, body->name);
    hrn_edge_verify(view);
}
