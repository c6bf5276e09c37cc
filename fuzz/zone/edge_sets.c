/* SPDX-License-Identifier: Apache-2.0 */
/* Servers of zone_edge_fuzz: reloads of a configuration, and opening one zone of it. */
#include <inttypes.h>
#include <string.h>

#include "allocator/zone/handle.h"
#include "fuzz/zone/edge_world.h"
#include "harness/failure/say.h"
#include "harness/sched/system.h"

enum { LOCK_MS = 20 };

/* --- Callbacks --- */

static void change_content(struct slm_zone *zone, struct edge_plan *plan, uint32_t n_bytes)
{
    hrn_zone_expect_state(zone, &plan->after, true);
    (void)hrn_edge_add_object(zone, &plan->after, n_bytes);
}

static enum slm_status upgrade(struct slm_zone *zone, uint32_t from_version, void *data)
{
    struct edge_plan *plan = data;
    uint32_t stored = hrn_edge_world.bodies[plan->body].version;
    if (from_version != stored) {
        hrn_edge_law_declared("an upgrade from version %u, of content that has %u", from_version,
                              stored);
    }
    change_content(zone, plan, 136);
    return plan->decl.upgrade == EDGE_UPGRADE_FAILS ? EDGE_UPGRADE_STATUS : SLM_OK;
}

static enum slm_status init(struct slm_zone *zone, bool is_reused, void *data)
{
    struct edge_plan *plan = data;
    if (is_reused != (plan->way != EDGE_MAKES)) {
        hrn_edge_law_reuse("zone %s is %s", slm_zone_name(zone), is_reused ? "reused" : "new");
    }
    plan->n_inits++;
    if (plan->decl.init != EDGE_INIT_LOOKS) {
        change_content(zone, plan, 72);
    }
    return plan->decl.init == EDGE_INIT_FAILS ? EDGE_INIT_STATUS : SLM_OK;
}

static void add_callbacks(struct edge_plan *plan)
{
    struct slm_zone_declaration *d = &plan->decl.d;
    d->options.upgrade = plan->decl.upgrade == EDGE_UPGRADE_NONE ? NULL : upgrade;
    d->options.upgrade_data = plan;
    d->options.move = plan->decl.move == EDGE_MOVE_NONE ? NULL : hrn_edge_move;
    d->options.move_data = plan;
    d->init = init;
    d->data = plan;
}

/* --- Files before and after a refusal --- */

static void note_files(uint64_t bytes[EDGE_N_PATHS])
{
    for (unsigned i = 0; i < EDGE_N_PATHS; i++) {
        bytes[i] = hrn_edge_file_bytes(i);
    }
}

static bool is_any_held(void)
{
    bool is_held = false;
    for (unsigned i = 0; i < EDGE_N_BODIES; i++) {
        is_held |= hrn_edge_world.bodies[i].is_used && hrn_edge_world.bodies[i].holder != EDGE_NONE;
    }
    return is_held;
}

/* Backing that was taken for growth is given back, with what an earlier call could not give back,
 * unless a holder may be growing into it. */
static void expect_no_growth(const uint64_t bytes_before[EDGE_N_PATHS])
{
    for (unsigned i = 0; i < EDGE_N_PATHS && !is_any_held(); i++) {
        uint64_t bytes = hrn_edge_file_bytes(i);
        if (bytes > bytes_before[i]) {
            hrn_edge_law_unchanged("a file of %" PRIu64 " bytes now has %" PRIu64, bytes_before[i],
                                   bytes);
        }
    }
}

/* --- Applying a configuration --- */

struct reload {
    struct edge_server *server;
    unsigned n;
    edge_reasons reasons;
    struct edge_plan plans[EDGE_N_ZONES];
    struct slm_zone_declaration declarations[EDGE_N_ZONES];
    struct slm_zone *zones_before[EDGE_N_ZONES];
    uint64_t file_bytes[EDGE_N_PATHS];
};

/* In the order of the declarations, or in the opposite one. */
static void read_config(struct reload *reload, bool is_backwards)
{
    reload->n = 0;
    reload->reasons = 0;
    for (unsigned i = 0; i < EDGE_N_ZONES; i++) {
        struct edge_plan *plan = &reload->plans[reload->n];
        hrn_edge_read_decl(is_backwards ? EDGE_N_ZONES - 1 - i : i, &plan->decl);
        if (!plan->decl.is_on) {
            continue;
        }
        add_callbacks(plan);
        reload->reasons |= hrn_edge_plan(plan, reload->server);
        for (unsigned k = 0; k < reload->n; k++) {
            reload->reasons |= hrn_edge_compare(&plan->decl, &reload->plans[k].decl);
        }
        reload->declarations[reload->n++] = plan->decl.d;
    }
}

static void note_before(struct reload *reload)
{
    for (unsigned i = 0; i < reload->server->n; i++) {
        reload->zones_before[i] = slm_zone_set_at(reload->server->set, i);
    }
    note_files(reload->file_bytes);
}

static bool is_planned(const struct reload *reload, int body)
{
    for (unsigned i = 0; i < reload->n; i++) {
        if (reload->plans[i].body == body) {
            return true;
        }
    }
    return false;
}

/* A zone that is no longer declared is detached, and is no server's any more. */
static void leave_others(const struct reload *reload)
{
    const struct edge_server *server = reload->server;
    for (unsigned i = 0; i < server->n; i++) {
        struct edge_body *body = &hrn_edge_world.bodies[server->zones[i].body];
        if (!is_planned(reload, server->zones[i].body) && body->server == server->identity) {
            body->server = 0;
        }
    }
}

static void accept(struct reload *reload)
{
    struct edge_server *server = reload->server;
    server->identity = hrn_system_identity(hrn_system_self());
    leave_others(reload);
    for (unsigned i = 0; i < reload->n; i++) {
        struct edge_plan *plan = &reload->plans[i];
        struct edge_body *body = &hrn_edge_world.bodies[plan->body];
        hrn_edge_carry_out(plan);
        if (plan->n_inits != 1) {
            hrn_edge_law_reuse("zone %s: %u calls of its init", body->name, plan->n_inits);
        }
        if (body->kind == SLM_SEGMENT_FILE && !server->is_shared) {
            body->server = server->identity;
        }
        hrn_edge_counted.n_reused += plan->way != EDGE_MAKES;
        server->zones[i] = (struct edge_view){.zone = slm_zone_set_at(server->set, i),
                                              .body = plan->body,
                                              .spelling = plan->decl.spelling,
                                              .version = plan->decl.d.options.content_version};
    }
    server->n = reload->n;
    hrn_edge_counted.n_applied++;
}

static void verify_set(const struct edge_server *server)
{
    for (unsigned i = 0; i < server->n; i++) {
        const char *name = hrn_edge_world.bodies[server->zones[i].body].name;
        struct slm_zone *zone = server->zones[i].zone;
        if (zone == NULL || slm_zone_set_find(server->set, name) != zone) {
            hrn_edge_law_declared("the set does not find zone %s", name);
        }
        hrn_edge_verify(&server->zones[i]);
    }
    if (slm_zone_set_at(server->set, server->n) != NULL) {
        hrn_edge_law_declared("the set has more than %u zones", server->n);
    }
}

static void expect_unchanged(const struct reload *reload)
{
    for (unsigned i = 0; i < reload->server->n; i++) {
        if (reload->zones_before[i] != slm_zone_set_at(reload->server->set, i)) {
            hrn_edge_law_unchanged("zone %u of the set is another one", i);
        }
    }
    expect_no_growth(reload->file_bytes);
}

static void expect_words(const struct reload *reload, const struct slm_error *error)
{
    for (unsigned i = 0; i < reload->n; i++) {
        if (strstr(error->text, reload->declarations[i].options.name) != NULL) {
            return;
        }
    }
    hrn_edge_law_words("apply: \"%.180s\"", error->text);
}

static struct edge_server *begin_server(unsigned idx)
{
    struct edge_server *server = &hrn_edge_world.servers[idx];
    hrn_system_be(idx);
    if (server->set == NULL && slm_zone_set_create(&server->set) != SLM_OK) {
        hrn_edge_law_grant("a set cannot be made");
    }
    (void)slm_zone_set_limit_wait(server->set, LOCK_MS);
    return server;
}

void hrn_edge_apply(const struct edge_op *op)
{
    static struct reload reload;
    struct slm_error error;
    reload.server = begin_server(op->who % EDGE_N_SERVERS);
    hrn_edge_collect();
    read_config(&reload, (op->extra & 1u) != 0);
    note_before(&reload);
    enum slm_status status =
        slm_zone_set_apply(reload.server->set, reload.declarations, reload.n, &error);
    HRN_SAY_OP("apply: %s %s", slm_status_name(status), error.text);
    for (unsigned i = 0; i < reload.n; i++) {
        reload.reasons |= reload.plans[i].has_no_room ? EDGE_REASON(SLM_E_NOMEM) : 0;
    }
    hrn_edge_judge("apply", status, reload.reasons, &error, NULL);
    if (status == SLM_OK) {
        accept(&reload);
    } else {
        expect_words(&reload, &error);
        expect_unchanged(&reload);
    }
    verify_set(reload.server);
    hrn_edge_list(op);
}

void hrn_edge_share(const struct edge_op *op)
{
    struct edge_server *server = begin_server(op->who % EDGE_N_SERVERS);
    server->is_shared = (op->extra & 1u) != 0;
    (void)slm_zone_set_share(server->set, server->is_shared);
}

/* The process ends: no code of the library runs, so its zones still name it as their server. */
void hrn_edge_server_dies(const struct edge_op *op)
{
    unsigned idx = op->who % EDGE_N_SERVERS;
    struct edge_server *server = &hrn_edge_world.servers[idx];
    uint64_t words[EDGE_N_ZONES];
    for (unsigned i = 0; i < server->n; i++) {
        words[i] = server->zones[i].zone->header->server;
    }
    slm_zone_set_destroy(server->set);
    for (unsigned i = 0; i < server->n; i++) {
        hrn_edge_put_server(server->zones[i].body, words[i]);
    }
    *server = (struct edge_server){0};
    hrn_system_renew(idx);
}

void hrn_edge_adopt(const struct edge_op *op)
{
    struct edge_view *view = &hrn_edge_world.views[op->what % EDGE_N_VIEWS];
    if (view->zone == NULL || view->is_read_only ||
        hrn_edge_world.bodies[view->body].holder == (int)(op->what % EDGE_N_VIEWS)) {
        return;
    }
    struct edge_server *server = begin_server(op->who % EDGE_N_SERVERS);
    const char *name = hrn_edge_world.bodies[view->body].name;
    bool has_name = slm_zone_set_find(server->set, name) != NULL;
    enum slm_status status = slm_zone_set_adopt(server->set, view->zone);
    if (status != (has_name ? SLM_E_DUPLICATE : SLM_OK)) {
        hrn_edge_law_grant("adopt: %s", slm_status_name(status));
    }
    if (status == SLM_OK) {
        server->zones[server->n++] = *view;
        view->zone = NULL;
    }
}

/* --- Opening one zone --- */

void hrn_edge_open(const struct edge_op *op)
{
    static struct edge_plan plan;
    unsigned idx = op->who % EDGE_N_VIEWS;
    struct edge_view *view = &hrn_edge_world.views[idx];
    struct slm_error error;
    bool is_new = false;
    if (view->zone != NULL) {
        return;
    }
    hrn_system_be(hrn_edge_actor_of(idx));
    hrn_edge_collect();
    hrn_edge_read_decl(op->what % EDGE_N_ZONES, &plan.decl);
    add_callbacks(&plan);
    edge_reasons reasons = hrn_edge_plan(&plan, NULL);
    uint64_t file_bytes[EDGE_N_PATHS];
    note_files(file_bytes);
    const struct slm_zone_options *options = &plan.decl.d.options;
    enum slm_status status = slm_zone_open(&view->zone, options, &is_new, &error);
    HRN_SAY_OP("open: %s %s", slm_status_name(status), error.text);
    reasons |= plan.has_no_room ? EDGE_REASON(SLM_E_NOMEM) : 0;
    hrn_edge_judge("open", status, reasons, &error, options->name);
    if (status == SLM_OK) {
        if (is_new != (plan.way == EDGE_MAKES)) {
            hrn_edge_law_reuse("zone %s is %s", options->name, is_new ? "new" : "reused");
        }
        hrn_edge_carry_out(&plan);
        view->body = plan.body;
        view->spelling = plan.decl.spelling;
        view->version = options->content_version;
        view->is_read_only = false;
        hrn_edge_verify(view);
    } else {
        expect_no_growth(file_bytes);
    }
}
