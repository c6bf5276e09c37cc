/* SPDX-License-Identifier: Apache-2.0 */
/* Views of zone_edge_fuzz: processes that attach zones, use them, die, and look at copies. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* F_DUPFD_CLOEXEC */
#endif
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocator/zone/handle.h"
#include "fuzz/zone/edge_world.h"
#include "harness/failure/say.h"
#include "harness/sched/system.h"
#include <slabmill/zone_image.h>

enum { LOCK_MS = 5, FIRST_ACTOR = EDGE_N_SERVERS };

unsigned hrn_edge_actor_of(unsigned view)
{
    return FIRST_ACTOR + view / 2;
}

uint64_t hrn_edge_holder_of(const struct edge_body *body)
{
    return body->holder == EDGE_NONE
               ? body->former
               : hrn_system_identity(hrn_edge_actor_of((unsigned)body->holder));
}

/* The view, and its process calls from now on. */
static struct edge_view *begin(const struct edge_op *op, unsigned *idx)
{
    *idx = op->who % EDGE_N_VIEWS;
    hrn_system_be(hrn_edge_actor_of(*idx));
    return &hrn_edge_world.views[*idx];
}

static struct edge_body *body_of(const struct edge_view *view)
{
    return &hrn_edge_world.bodies[view->body];
}

/* --- Attaching --- */

static const char *other_name(const char *name)
{
    return strcmp(name, "zone-a") == 0 ? "zone-ab" : "zone-a";
}

static const char *choose_text(unsigned choice, const char *right, const char *wrong)
{
    return choice == 1 ? right : choice == 2 ? wrong : NULL;
}

static const char *lock_path_of(const struct edge_body *body, bool is_wrong)
{
    return body->lock != SLM_LOCK_FILE
               ? NULL
               : hrn_edge_lock_path((unsigned)(is_wrong ? !body->lock_path : body->lock_path));
}

/* What the caller expects of the zone, partly wrong; and why it may be refused. */
static edge_reasons expect_zone(struct slm_zone_attach_options *options, const struct edge_op *op,
                                const struct edge_body *body)
{
    unsigned name = op->extra >> 1 & 3u;
    unsigned tag = op->extra >> 3 & 3u;
    bool is_wrong_lock = (op->extra >> 5 & 3u) == 3;
    edge_reasons reasons = 0;
    options->name = choose_text(name, body->name, other_name(body->name));
    options->tag = choose_text(tag, body->tag, body->tag[0] == '\0' ? "app" : "ap");
    options->content_version = op->value & 3u;
    options->check = (op->value >> 2 & 1u) != 0;
    options->lock_path = lock_path_of(body, is_wrong_lock);
    if (name == 2 || tag == 2) {
        reasons |= EDGE_REASON(SLM_E_NAME);
    }
    if (options->content_version != 0 && options->content_version != body->version) {
        reasons |= EDGE_REASON(SLM_E_VERSION);
    }
    if (!options->segment.read_only && is_wrong_lock) {
        reasons |= hrn_edge_compare_lock(body, !body->lock_path);
    }
    return reasons;
}

void hrn_edge_attach(const struct edge_op *op)
{
    unsigned idx;
    struct edge_view *view = begin(op, &idx);
    unsigned spelling = op->what % EDGE_N_SPELLINGS;
    int body = hrn_edge_world.names[spelling % EDGE_N_PATHS];
    struct slm_error error;
    if (view->zone != NULL) {
        return;
    }
    struct slm_zone_attach_options options = {
        .segment = {.kind = SLM_SEGMENT_FILE,
                    .name = hrn_edge_path(spelling),
                    .read_only = (op->extra & 1u) != 0},
    };
    edge_reasons reasons = EDGE_REASON(SLM_E_MISSING);
    bool is_alone = body != EDGE_NONE && !hrn_edge_is_open(&hrn_edge_world.bodies[body]);
    if (body != EDGE_NONE) {
        reasons = expect_zone(&options, op, &hrn_edge_world.bodies[body]);
    }
    enum slm_status status = slm_zone_attach(&view->zone, &options, &error);
    HRN_SAY_OP("attach: %s %s", slm_status_name(status), error.text);
    hrn_edge_judge("attach", status, reasons, &error, hrn_edge_path(spelling));
    if (status == SLM_OK) {
        *view = (struct edge_view){view->zone, body, spelling, options.content_version,
                                   options.segment.read_only};
        if (is_alone && !view->is_read_only) {
            body_of(view)->former = 0; /* no other process has the file */
        }
        hrn_edge_verify(view);
    }
}

/* exec keeps the descriptor that the text names; here the exporting process lives on, so the
 * imported one is a copy. */
static void pass_descriptor(char *text)
{
    int fd;
    if (sscanf(text, "memfd:%d", &fd) == 1) {
        int flags = fcntl(fd, F_GETFD);
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (flags < 0 || (flags & FD_CLOEXEC) != 0 || copy < 0) {
            hrn_edge_law_passed_on("descriptor %d does not stay open over exec", fd);
        }
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        (void)snprintf(text, SLM_ZONE_EXPORT_BYTES, "memfd:%d", copy);
    }
}

/* Where the name of the view's file leads. */
static edge_reasons expect_name(const struct edge_view *view)
{
    int named = hrn_edge_world.names[view->spelling % EDGE_N_PATHS];
    if (body_of(view)->kind != SLM_SEGMENT_FILE || named == view->body) {
        return 0;
    }
    return EDGE_REASON(named == EDGE_NONE ? SLM_E_MISSING : SLM_E_REPLACED);
}

/* Exports one view; false: its memory cannot be passed on, or its name does not lead to it. */
static bool export(const struct edge_view *from, char *text)
{
    struct slm_error error;
    bool is_shared = body_of(from)->kind != SLM_SEGMENT_ANONYMOUS;
    edge_reasons reasons = is_shared ? expect_name(from) : EDGE_REASON(SLM_E_OPTION);
    enum slm_status status = slm_zone_export(from->zone, text, &error);
    hrn_edge_judge("export", status, reasons, &error, body_of(from)->name);
    if (reasons != 0 && text[0] != '\0') {
        hrn_edge_law_passed_on("a refused export has the text \"%.50s\"", text);
    }
    return reasons == 0;
}

void hrn_edge_import(const struct edge_op *op)
{
    unsigned idx;
    struct edge_view *view = begin(op, &idx);
    const struct edge_view *from = &hrn_edge_world.views[op->what % EDGE_N_VIEWS];
    char text[SLM_ZONE_EXPORT_BYTES];
    struct slm_error error;
    if (view->zone != NULL || from->zone == NULL || !export(from, text)) {
        return;
    }
    bool is_file = body_of(from)->kind == SLM_SEGMENT_FILE;
    struct slm_zone_attach_options options = {0};
    pass_descriptor(text);
    edge_reasons reasons = expect_zone(&options, op, &hrn_edge_world.bodies[from->body]);
    enum slm_status status = slm_zone_import(&view->zone, text, &options, &error);
    HRN_SAY_OP("import %s: %s %s", text, slm_status_name(status), error.text);
    hrn_edge_judge("import", status, reasons, &error, NULL);
    int fd;
    if (sscanf(text, "memfd:%d", &fd) == 1 && (fcntl(fd, F_GETFD) >= 0) == (status == SLM_OK)) {
        hrn_edge_law_passed_on("after import (%s) descriptor %d is %s", slm_status_name(status), fd,
                               status == SLM_OK ? "open" : "closed");
    }
    if (!is_file && status != SLM_OK) {
        (void)close(fd);
    }
    if (status == SLM_OK) {
        *view = (struct edge_view){view->zone, from->body, from->spelling, options.content_version,
                                   false};
        hrn_edge_verify(view);
    }
}

void hrn_edge_detach(const struct edge_op *op)
{
    unsigned idx;
    struct edge_view *view = begin(op, &idx);
    if (view->zone != NULL && body_of(view)->holder != (int)idx) {
        slm_zone_detach(view->zone);
        view->zone = NULL;
    }
}

/* --- Turns --- */

edge_reasons hrn_edge_expect_turn(const struct edge_view *view)
{
    const struct edge_body *body = body_of(view);
    if (view->is_read_only) {
        return EDGE_REASON(SLM_E_READ_ONLY);
    }
    if (hrn_edge_is_held(body)) {
        return hrn_edge_expect_lock(body);
    }
    (void)slm_lock_force_unlock(slm_zone_lock_handle(view->zone), 0);
    if (body->is_moved) {
        return EDGE_REASON(SLM_E_REPLACED);
    }
    return view->version != 0 && view->version != body->version ? EDGE_REASON(SLM_E_VERSION) : 0;
}

static void judge_lock(const char *call, enum slm_status status, edge_reasons reasons)
{
    if (reasons == 0 ? status != SLM_OK : (reasons >> status & 1u) == 0) {
        hrn_edge_law_lock("%s: %s, expected one of the set %" PRIx64, call, slm_status_name(status),
                          reasons);
    }
}

void hrn_edge_hold(const struct edge_op *op)
{
    unsigned idx;
    struct edge_view *view = begin(op, &idx);
    if (view->zone == NULL) {
        return;
    }
    edge_reasons reasons = hrn_edge_expect_turn(view);
    enum slm_status status = slm_zone_timedlock(view->zone, LOCK_MS);
    judge_lock("lock", status, reasons);
    if (status == SLM_OK) {
        struct edge_body *body = body_of(view);
        body->holder = (int)idx;
        body->former = 0;
        body->working = body->committed;
        hrn_edge_expect_clean(view, false);
        hrn_zone_expect_state(view->zone, &body->committed, true);
        hrn_edge_change(op);
    }
}

static void free_object(struct slm_journal *journal, struct zone_account *account, unsigned slot)
{
    void *p = slm_journal_pointer(journal, account->slots[slot].offset);
    if (account->root != (int)slot && slm_journal_free(journal, p) == SLM_OK) {
        account->slots[slot].is_live = false;
    }
}

static void change_object(struct slm_zone *zone, struct zone_account *account,
                          const struct edge_op *op)
{
    struct slm_journal *journal = slm_zone_journal(zone);
    unsigned slot = op->what % ZONE_N_SLOTS;
    struct zone_slot *object = &account->slots[slot];
    if (!object->is_live) {
        return;
    }
    uint64_t *words = slm_journal_pointer(journal, object->offset);
    switch (op->extra % 3) {
    case 0:
        free_object(journal, account, slot);
        break;
    case 1:
        if (slm_journal_write(journal, words, op->value) == SLM_OK) {
            object->words[0] = op->value;
        }
        break;
    default:
        if (slm_zone_set_root_locked(zone, words) == SLM_OK) {
            account->root = (int)slot;
        }
    }
}

void hrn_edge_change(const struct edge_op *op)
{
    unsigned idx;
    struct edge_view *view = begin(op, &idx);
    if (view->zone == NULL || body_of(view)->holder != (int)idx ||
        !slm_journal_has_room(slm_zone_journal(view->zone), 1)) {
        return;
    }
    if (op->extra % 2 == 0) {
        (void)hrn_edge_add_object(view->zone, &body_of(view)->working,
                                  (op->value % 9000 + 8) & ~UINT32_C(7));
    } else {
        change_object(view->zone, &body_of(view)->working, op);
    }
}

void hrn_edge_release(const struct edge_op *op)
{
    unsigned idx;
    struct edge_view *view = begin(op, &idx);
    if (view->zone == NULL || body_of(view)->holder != (int)idx) {
        return;
    }
    struct edge_body *body = body_of(view);
    enum slm_status wanted = op->value % 4 == 0 ? SLM_E_STATE : SLM_OK;
    judge_lock("end of a turn", slm_zone_end(view->zone, wanted),
               wanted == SLM_OK ? 0 : EDGE_REASON(wanted));
    body->committed = wanted == SLM_OK ? body->working : body->committed;
    body->holder = EDGE_NONE;
    hrn_edge_verify(view);
}

/* The process of the view is gone, with all its handles; what it had not committed is undone. */
void hrn_edge_die(const struct edge_op *op)
{
    unsigned actor = hrn_edge_actor_of(op->who % EDGE_N_VIEWS);
    for (unsigned i = 0; i < EDGE_N_VIEWS; i++) {
        struct edge_view *view = &hrn_edge_world.views[i];
        if (hrn_edge_actor_of(i) == actor && view->zone != NULL) {
            struct edge_body *body = body_of(view);
            body->holder = body->holder == (int)i ? EDGE_NONE : body->holder;
            slm_zone_detach(view->zone);
            view->zone = NULL;
        }
    }
    hrn_system_renew(actor);
}

void hrn_edge_grow(const struct edge_op *op)
{
    unsigned idx;
    struct edge_view *view = begin(op, &idx);
    size_t bytes = op->value % (EDGE_MAX_BYTES + 16384);
    struct slm_error error;
    if (view->zone == NULL) {
        return;
    }
    struct edge_body *body = body_of(view);
    edge_reasons reasons = hrn_edge_expect_turn(view);
    if ((reasons & EDGE_REASON(SLM_E_TIMEOUT)) != 0) {
        return; /* it would wait for ever */
    }
    if (bytes > body->max_bytes) {
        reasons = EDGE_REASON(SLM_E_SIZE);
    }
    enum slm_status status = slm_zone_grow(view->zone, bytes, &error);
    hrn_edge_judge("grow", status, reasons, &error, body->name);
    uint64_t pages = (bytes + 4095) & ~(uint64_t)4095;
    if (status == SLM_OK && pages > body->bytes) {
        body->bytes = pages;
    }
    hrn_edge_verify(view);
}

void hrn_edge_verify_name(const struct edge_op *op)
{
    unsigned idx;
    const struct edge_view *view = begin(op, &idx);
    struct slm_error error;
    if (view->zone == NULL) {
        return;
    }
    enum slm_status status = slm_segment_verify(slm_zone_segment(view->zone), &error);
    hrn_edge_judge("verify", status, expect_name(view), &error, NULL);
    hrn_edge_verify(view);
}

/* --- Copies --- */

static struct {
    unsigned char bytes[EDGE_MAX_BYTES] __attribute__((aligned(4096)));
    struct slm_zone_image image;
    struct slm_slab *slab;
    struct slm_journal journal;
} copy;

static void read_copy(const struct edge_view *view)
{
    const struct edge_body *body = body_of(view);
    int fd = slm_segment_id(slm_zone_segment(view->zone));
    ssize_t n = pread(fd, copy.bytes, sizeof copy.bytes, 0);
    struct slm_error error;
    if (n < (ssize_t)body->bytes ||
        slm_zone_image_read(&copy.image, copy.bytes, (size_t)n, "copy", &error) != SLM_OK) {
        hrn_edge_law_copy("%zd bytes: %.150s", n, error.text);
    }
    const struct slm_zone_image *image = &copy.image;
    if (strcmp(image->name, body->name) != 0 || strcmp(image->tag, body->tag) != 0 ||
        image->bytes != body->bytes || image->max_bytes != body->max_bytes ||
        image->journal_entries != body->journal || image->is_given_up || image->is_elsewhere) {
        hrn_edge_law_copy("it says: zone %s, tag \"%s\", %" PRIu64 " of %" PRIu64 " bytes",
                          image->name, image->tag, image->bytes, image->max_bytes);
    }
    enum slm_status status = slm_zone_image_open(image, copy.bytes, &copy.slab, &copy.journal);
    if (status != SLM_OK) {
        hrn_edge_law_copy("%s", slm_status_name(status));
    }
}

/* A lock word in a copied file names who held the other file, until a process takes the lock. */
static void check_owner(const struct edge_body *body)
{
    struct slm_lock_owner owner;
    (void)slm_zone_image_owner(&copy.image, &owner, NULL);
    bool is_held = body->holder != EDGE_NONE;
    uint64_t identity = is_held ? hrn_edge_holder_of(body) : 0;
    bool is_former = !is_held && body->former != 0 && owner.identity == body->former;
    if ((owner.is_alive != is_held && !is_former) || (is_held && owner.identity != identity)) {
        hrn_edge_law_copy("its owner is %" PRIx64 ", expected %" PRIx64, owner.identity, identity);
    }
}

/* What a holder changed and did not commit. */
static void check_notes(const struct edge_body *body)
{
    struct slm_zone_image_notes notes;
    slm_zone_image_get_notes(&copy.journal, &notes);
    bool has_changed = body->holder != EDGE_NONE &&
                       memcmp(&body->working, &body->committed, sizeof body->working) != 0;
    if (notes.is_committed || (has_changed && notes.n_noted == 0)) {
        hrn_edge_law_copy("%u entries, %scommitted", notes.n_noted,
                          notes.is_committed ? "" : "not ");
    }
}

/* The next locker repairs what a dead holder left; the copy gets the same bytes. */
static void repair_copy(struct edge_view *view)
{
    struct slm_zone *zone = view->zone;
    struct slm_zone_image_notes notes;
    slm_zone_image_get_notes(&copy.journal, &notes);
    uint64_t n_before = zone->header->n_recoveries;
    (void)slm_lock_force_unlock(slm_zone_lock_handle(zone), 0);
    enum slm_status status = slm_zone_trylock(zone);
    bool was_repaired = zone->header->n_recoveries != n_before;
    enum slm_status repaired = slm_zone_image_repair(&copy.image, copy.slab, &copy.journal);
    bool is_same = memcmp(copy.bytes + ZONE_JOURNAL_OFFSET,
                          (unsigned char *)zone->header + ZONE_JOURNAL_OFFSET,
                          copy.image.bytes - ZONE_JOURNAL_OFFSET) == 0;
    if (repaired != SLM_OK || (was_repaired && !is_same) || (notes.n_noted != 0 && !was_repaired)) {
        hrn_edge_law_copy("repair: %s, %u entries, %s", slm_status_name(repaired), notes.n_noted,
                          was_repaired ? "the bytes differ" : "the zone was not repaired");
    }
    hrn_edge_counted.n_repaired_copies += was_repaired;
    if (status == SLM_OK) {
        (void)slm_zone_unlock(zone);
    }
}

void hrn_edge_image(const struct edge_op *op)
{
    unsigned idx;
    struct edge_view *view = begin(op, &idx);
    if (view->zone == NULL || body_of(view)->kind == SLM_SEGMENT_ANONYMOUS) {
        return;
    }
    const struct edge_body *body = body_of(view);
    read_copy(view);
    check_owner(body);
    check_notes(body);
    unsigned seen = slm_zone_image_check(&copy.image, copy.slab, &copy.journal);
    unsigned broken = slm_zone_check_locked(view->zone);
    if (seen != broken || broken != 0) {
        hrn_edge_law_copy("invariant %u, and %u of the zone", seen, broken);
    }
    if (!view->is_read_only && !hrn_edge_is_held(body)) {
        repair_copy(view);
    }
    slm_journal_detach(&copy.journal);
    slm_slab_detach(copy.slab);
}
