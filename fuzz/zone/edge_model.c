/* SPDX-License-Identifier: Apache-2.0 */
/* The model of zone_edge_fuzz: what a call must do with a zone, and whether it did. */
#include "fuzz/zone/edge_world.h"

#include <inttypes.h>
#include <string.h>

#include "allocator/zone/handle.h"
#include "harness/sched/system.h"

struct edge_world hrn_edge_world;
struct hrn_edge_counts hrn_edge_counted;

#define LAW_DEFINE(name, sentence) HRN_LAW_DEFINE(hrn_edge_law_##name, #name, sentence)
EDGE_LAW_LIST(LAW_DEFINE)

/* --- Bodies --- */

void hrn_edge_collect(void)
{
    struct edge_world *world = &hrn_edge_world;
    for (unsigned i = 0; i < EDGE_N_BODIES; i++) {
        world->bodies[i].is_used = false;
    }
    for (unsigned i = 0; i < EDGE_N_PATHS; i++) {
        if (world->names[i] != EDGE_NONE) {
            world->bodies[world->names[i]].is_used = true;
        }
    }
    for (unsigned i = 0; i < EDGE_N_VIEWS; i++) {
        if (world->views[i].zone != NULL) {
            world->bodies[world->views[i].body].is_used = true;
        }
    }
    for (unsigned i = 0; i < EDGE_N_SERVERS; i++) {
        for (unsigned k = 0; k < world->servers[i].n; k++) {
            world->bodies[world->servers[i].zones[k].body].is_used = true;
        }
    }
}

int hrn_edge_new_body(void)
{
    int idx = 0;
    while (hrn_edge_world.bodies[idx].is_used) {
        idx++; /* there are more bodies than names and handles */
    }
    hrn_edge_world.bodies[idx] =
        (struct edge_body){.is_used = true, .holder = EDGE_NONE, .lock_path = EDGE_NONE};
    hrn_edge_world.bodies[idx].committed.root = ZONE_NOBODY;
    return idx;
}

/* A handle of the body; NULL: it is not open. */
static const struct edge_view *find_handle(const struct edge_body *body)
{
    const struct edge_world *world = &hrn_edge_world;
    int idx = (int)(body - world->bodies);
    for (unsigned i = 0; i < EDGE_N_VIEWS; i++) {
        if (world->views[i].zone != NULL && world->views[i].body == idx) {
            return &world->views[i];
        }
    }
    for (unsigned i = 0; i < EDGE_N_SERVERS; i++) {
        for (unsigned k = 0; k < world->servers[i].n; k++) {
            if (world->servers[i].zones[k].body == idx) {
                return &world->servers[i].zones[k];
            }
        }
    }
    return NULL;
}

bool hrn_edge_is_open(const struct edge_body *body)
{
    return find_handle(body) != NULL;
}

/* The lock word of a copied file names who held the other file, and keeps others out as long as
 * that process lives and has the copy open (lock.h, Limits). Actors are one process. */
static bool has_copied_owner(const struct edge_body *body)
{
    const struct edge_view *handle = find_handle(body);
    struct slm_lock_owner owner;
    if (handle == NULL || body->holder != EDGE_NONE || body->former == 0 ||
        body->lock == SLM_LOCK_FILE || hrn_system_actor_of(body->former) == HRN_NOBODY) {
        return false;
    }
    slm_lock_get_state_owner(&handle->zone->header->lock, &owner);
    return owner.identity == body->former;
}

bool hrn_edge_is_held(const struct edge_body *body)
{
    const struct edge_world *world = &hrn_edge_world;
    bool is_held = body->holder != EDGE_NONE || has_copied_owner(body);
    for (unsigned i = 0; i < EDGE_N_BODIES && body->lock == SLM_LOCK_FILE; i++) {
        const struct edge_body *other = &world->bodies[i];
        is_held |= other->is_used && other->holder != EDGE_NONE && other->lock == SLM_LOCK_FILE &&
                   other->lock_path == body->lock_path;
    }
    return is_held;
}

/* --- What is expected --- */

static const char *tag_of(const struct slm_zone_options *options)
{
    return options->tag == NULL ? "" : options->tag;
}

static edge_reasons reason_if(bool condition, enum slm_status status)
{
    return condition ? EDGE_REASON(status) : 0;
}

/* Of a declaration alone. */
static edge_reasons check_options(const struct edge_decl *decl)
{
    const struct slm_zone_options *options = &decl->d.options;
    bool is_small = options->bytes < SLM_ZONE_BYTES_MIN;
    bool is_limited = options->max_bytes != 0 && options->max_bytes < options->bytes;
    return reason_if(is_small || is_limited, SLM_E_SIZE) |
           reason_if(options->slab.per_doubling == 3, SLM_E_OPTION) |
           reason_if(options->journal_entries == 7, SLM_E_OPTION) |
           reason_if(decl->lock_path == EDGE_LOCK_IS_SEGMENT &&
                         options->segment.kind == SLM_SEGMENT_FILE,
                     SLM_E_DUPLICATE);
}

/* A lock's path is the segment's path. */
static bool is_path_of_lock(const struct edge_decl *lock, const struct edge_decl *other)
{
    return lock->lock_path == EDGE_LOCK_IS_SEGMENT &&
           other->d.options.segment.kind == SLM_SEGMENT_FILE &&
           lock->spelling % EDGE_N_PATHS == other->spelling % EDGE_N_PATHS;
}

static bool have_one_lock(const struct edge_decl *a, const struct edge_decl *b)
{
    bool are_segments = a->lock_path == EDGE_LOCK_IS_SEGMENT &&
                        a->spelling % EDGE_N_PATHS == b->spelling % EDGE_N_PATHS;
    return a->lock_path != EDGE_NONE && a->lock_path == b->lock_path &&
           (a->lock_path != EDGE_LOCK_IS_SEGMENT || are_segments);
}

edge_reasons hrn_edge_compare(const struct edge_decl *a, const struct edge_decl *b)
{
    bool are_files = a->d.options.segment.kind == SLM_SEGMENT_FILE &&
                     b->d.options.segment.kind == SLM_SEGMENT_FILE;
    bool is_one = a->d.options.name == b->d.options.name || is_path_of_lock(a, b) ||
                  is_path_of_lock(b, a) || have_one_lock(a, b) ||
                  (are_files && a->spelling % EDGE_N_PATHS == b->spelling % EDGE_N_PATHS);
    return reason_if(is_one, SLM_E_DUPLICATE);
}

edge_reasons hrn_edge_compare_lock(const struct edge_body *body, int lock_path)
{
    if (body->lock != SLM_LOCK_FILE || lock_path == body->lock_path) {
        return 0;
    }
    return EDGE_REASON(lock_path == EDGE_NONE ? SLM_E_OPTION : SLM_E_REPLACED);
}

edge_reasons hrn_edge_expect_lock(const struct edge_body *body)
{
    bool is_own = (body->holder != EDGE_NONE || has_copied_owner(body)) &&
                  hrn_edge_holder_of(body) == hrn_system_identity(hrn_system_self());
    bool may_wait = hrn_edge_is_held(body) && (!is_own || body->lock == SLM_LOCK_FILE);
    return reason_if(is_own, SLM_E_HELD) | reason_if(may_wait, SLM_E_TIMEOUT) |
           reason_if(body->is_moved, SLM_E_REPLACED);
}

/* Whether the zone can become what is declared. */
static edge_reasons match(const struct edge_body *body, const struct edge_decl *decl)
{
    const struct slm_zone_options *options = &decl->d.options;
    unsigned n_classes = (unsigned)options->slab.per_doubling;
    unsigned journal = options->journal_entries;
    uint32_t version = options->content_version;
    bool needs_upgrade = body->version < version;
    return reason_if(strcmp(body->tag, tag_of(options)) != 0, SLM_E_NAME) |
           reason_if(body->kind != options->segment.kind, SLM_E_OPTION) |
           reason_if(body->lock != options->lock_kind, SLM_E_OPTION) |
           reason_if(journal != 0 && journal != body->journal, SLM_E_OPTION) |
           reason_if(n_classes != 0 && n_classes != body->classes, SLM_E_OPTION) |
           reason_if(options->bytes > body->max_bytes, SLM_E_SIZE) |
           reason_if(body->version > version, SLM_E_VERSION) |
           reason_if(needs_upgrade && decl->upgrade == EDGE_UPGRADE_NONE, SLM_E_VERSION) |
           reason_if(needs_upgrade && decl->upgrade == EDGE_UPGRADE_FAILS, EDGE_UPGRADE_STATUS) |
           hrn_edge_expect_lock(body) | hrn_edge_compare_lock(body, decl->lock_path);
}

/* The declared name may have come to lead elsewhere. */
static edge_reasons check_name(const struct edge_view *kept)
{
    const struct edge_body *body = &hrn_edge_world.bodies[kept->body];
    int named = hrn_edge_world.names[kept->spelling % EDGE_N_PATHS];
    if (body->kind != SLM_SEGMENT_FILE || named == kept->body) {
        return 0;
    }
    return EDGE_REASON(named == EDGE_NONE ? SLM_E_MISSING : SLM_E_REPLACED);
}

/* server NULL: a view opens the zone. */
static edge_reasons check_server(const struct edge_server *server, const struct edge_body *body)
{
    bool has_other = body->server != 0 && body->server != hrn_system_identity(hrn_system_self()) &&
                     hrn_system_actor_of(body->server) != HRN_NOBODY;
    return reason_if(has_other && (server == NULL || !server->is_shared), SLM_E_LOCKED);
}

static const struct edge_view *find_kept(const struct edge_server *server,
                                         const struct edge_decl *decl)
{
    const struct slm_zone_options *options = &decl->d.options;
    for (unsigned i = 0; server != NULL && !decl->d.no_reuse && i < server->n; i++) {
        const struct edge_view *zone = &server->zones[i];
        const struct edge_body *body = &hrn_edge_world.bodies[zone->body];
        bool is_elsewhere = body->kind == SLM_SEGMENT_FILE && options->segment.kind == body->kind &&
                            zone->spelling != decl->spelling;
        bool is_gone = body->kind == SLM_SEGMENT_FILE && body->is_moved;
        if (body->name == options->name) {
            return is_elsewhere || is_gone ? NULL : zone;
        }
    }
    return NULL;
}

int hrn_edge_fill_body(const struct edge_decl *decl)
{
    const struct slm_zone_options *options = &decl->d.options;
    int idx = hrn_edge_new_body();
    struct edge_body *body = &hrn_edge_world.bodies[idx];
    body->kind = options->segment.kind;
    body->name = options->name;
    body->tag = tag_of(options);
    body->lock = options->lock_kind;
    body->lock_path = decl->lock_path;
    body->journal = options->journal_entries == 0 ? 1024 : options->journal_entries;
    /* Zones here are shorter than 1 MiB: longer ones have more classes by default. */
    body->classes = options->slab.per_doubling == 0 ? 1 : (unsigned)options->slab.per_doubling;
    body->asked_bytes = options->bytes;
    body->bytes = (options->bytes + 4095) & ~(uint64_t)4095;
    body->max_bytes = options->max_bytes == 0 ? body->bytes : options->max_bytes;
    body->version = options->content_version;
    return idx;
}

static edge_reasons plan_new(struct edge_plan *plan, const struct edge_server *server)
{
    const struct edge_decl *decl = &plan->decl;
    bool is_file = decl->d.options.segment.kind == SLM_SEGMENT_FILE;
    plan->way = EDGE_MAKES;
    plan->body = hrn_edge_fill_body(decl);
    bool is_taken = is_file && hrn_edge_world.names[decl->spelling % EDGE_N_PATHS] != EDGE_NONE;
    return reason_if(is_taken, SLM_E_EXISTS) |
           reason_if(server != NULL && hrn_edge_is_held(&hrn_edge_world.bodies[plan->body]),
                     SLM_E_TIMEOUT);
}

edge_reasons hrn_edge_plan(struct edge_plan *plan, const struct edge_server *server)
{
    const struct edge_decl *decl = &plan->decl;
    const struct slm_zone_options *options = &decl->d.options;
    const struct edge_view *kept = find_kept(server, decl);
    int named = options->segment.kind == SLM_SEGMENT_FILE && !(server != NULL && decl->d.no_reuse)
                    ? hrn_edge_world.names[decl->spelling % EDGE_N_PATHS]
                    : EDGE_NONE;
    edge_reasons reasons =
        check_options(decl) |
        reason_if(server != NULL && decl->init == EDGE_INIT_FAILS, EDGE_INIT_STATUS);
    if (kept != NULL) {
        plan->way = EDGE_KEEPS;
        plan->body = kept->body;
        reasons |= check_name(kept);
    } else if (named != EDGE_NONE) {
        plan->way = EDGE_FINDS;
        plan->body = named;
        reasons |= reason_if(hrn_edge_world.bodies[named].name != options->name, SLM_E_NAME);
        reasons |= server != NULL ? check_server(server, &hrn_edge_world.bodies[named]) : 0;
    } else {
        reasons |= plan_new(plan, server);
    }
    struct edge_body *body = &hrn_edge_world.bodies[plan->body];
    plan->n_inits = 0;
    plan->has_no_room = false;
    plan->after = body->committed;
    if (plan->way == EDGE_MAKES) {
        return reasons;
    }
    if (!hrn_edge_moves(body, decl)) {
        return reasons | match(body, decl);
    }
    reasons |= server == NULL ? check_server(NULL, body) : 0;
    return reasons | hrn_edge_plan_move(plan);
}

void hrn_edge_carry_out(const struct edge_plan *plan)
{
    struct edge_body *body = &hrn_edge_world.bodies[plan->body];
    uint64_t bytes = (plan->decl.d.options.bytes + 4095) & ~(uint64_t)4095;
    body->committed = plan->after;
    body->former = 0;
    body->version = plan->decl.d.options.content_version;
    body->bytes = bytes > body->bytes ? bytes : body->bytes;
    if (plan->way == EDGE_MOVES) {
        hrn_edge_world.bodies[plan->from].is_moved = true;
        hrn_edge_counted.n_moved++;
    }
    if (plan->way >= EDGE_MAKES && body->kind == SLM_SEGMENT_FILE) {
        hrn_edge_world.names[plan->decl.spelling % EDGE_N_PATHS] = plan->body;
    }
}

/* --- What is seen --- */

void hrn_edge_judge(const char *call, enum slm_status status, edge_reasons reasons,
                    const struct slm_error *error, const char *name)
{
    if (status != SLM_OK && reasons == 0) {
        hrn_edge_law_grant("%s: %s: %.180s", call, slm_status_name(status), error->text);
    }
    if (reasons != 0 && (reasons >> status & 1u) == 0) {
        hrn_edge_law_refusal("%s: %s; expected one of the set %" PRIx64 "; %.100s", call,
                             slm_status_name(status), reasons, error->text);
    }
    /* Of a text that is too long the middle is missing, and that may be the name. */
    bool is_cut =
        strlen(error->text) == sizeof error->text - 1 && strstr(error->text, "...") != NULL;
    bool is_named = name == NULL || is_cut || strstr(error->text, name) != NULL;
    if (status != SLM_OK && (error->status != status || error->text[0] == '\0' || !is_named)) {
        hrn_edge_law_words("%s: %s, \"%.150s\"", call, slm_status_name(status), error->text);
    }
    hrn_edge_counted.n_refused += status != SLM_OK;
}

bool hrn_edge_add_object(struct slm_zone *zone, struct zone_account *account, uint32_t n_bytes)
{
    struct slm_journal *journal = slm_zone_journal(zone);
    unsigned slot = 0;
    while (slot < ZONE_N_SLOTS && account->slots[slot].is_live) {
        slot++;
    }
    if (slot == ZONE_N_SLOTS || !slm_journal_has_room(journal, 1)) {
        return false;
    }
    void *p = slm_journal_alloc(journal, n_bytes);
    if (p == NULL) {
        return false;
    }
    uint64_t offset = slm_journal_offset(journal, p);
    hrn_zone_expect_free(account, offset, n_bytes);
    hrn_zone_slot_fill(&account->slots[slot], p, offset, n_bytes, ++hrn_edge_world.next_stamp);
    return true;
}

static void verify_stats(const struct edge_view *view, const struct edge_body *body)
{
    struct slm_zone_stats stats;
    slm_zone_get_stats(view->zone, &stats);
    if (strcmp(slm_zone_name(view->zone), body->name) != 0 ||
        strcmp(slm_zone_tag(view->zone), body->tag) != 0 || stats.bytes != body->bytes ||
        stats.max_bytes != body->max_bytes || stats.journal_entries != body->journal ||
        stats.content_version != body->version) {
        hrn_edge_law_declared("zone %s, tag \"%s\", %zu of %zu bytes, %u entries, version %u",
                              slm_zone_name(view->zone), slm_zone_tag(view->zone), stats.bytes,
                              stats.max_bytes, stats.journal_entries, stats.content_version);
    }
}

void hrn_edge_verify(const struct edge_view *view)
{
    const struct edge_body *body = &hrn_edge_world.bodies[view->body];
    verify_stats(view, body);
    bool is_other = view->version != 0 && view->version != body->version;
    enum slm_status expected = body->is_moved ? SLM_E_REPLACED : is_other ? SLM_E_VERSION : SLM_OK;
    if (view->is_read_only || hrn_edge_is_held(body)) {
        return;
    }
    (void)slm_lock_force_unlock(slm_zone_lock_handle(view->zone), 0);
    enum slm_status status = slm_zone_trylock(view->zone);
    if (status != expected) {
        hrn_edge_law_lock("zone %s: %s, expected %s", body->name, slm_status_name(status),
                          slm_status_name(expected));
    }
    if (status == SLM_OK) {
        hrn_zone_expect_state(view->zone, &body->committed, true);
        unsigned broken = slm_zone_check_locked(view->zone);
        if (broken != 0) {
            hrn_edge_law_sound("zone %s: invariant %u", body->name, broken);
        }
        (void)slm_zone_unlock(view->zone);
    }
}
