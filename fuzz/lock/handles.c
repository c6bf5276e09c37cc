/* SPDX-License-Identifier: Apache-2.0 */
/* States that are made, handles that are opened: the boot, the namespaces and the file agreed on. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sysconf names */
#endif
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "allocator/lock/origin.h"
#include "allocator/lock/word.h"
#include "fuzz/lock/model.h"

static void detach(unsigned actor)
{
    struct handle *handle = &hrn_lock_model.handles[actor];
    slm_lock_detach(handle->lock);
    memset(handle, 0, sizeof *handle);
}

void hrn_lock_detach_all(void)
{
    for (unsigned i = 0; i < LOCK_N_ACTORS; i++) {
        detach(i);
    }
}

static bool has_handle(void)
{
    bool has = false;
    for (unsigned i = 0; i < LOCK_N_ACTORS; i++) {
        has = has || hrn_lock_model.handles[i].lock != NULL;
    }
    return has;
}

static void set_origin(struct slm_lock_state *want)
{
    want->file_inode = 0;
    want->file_device = 0;
    want->boot = hrn_lock_boot_now();
    want->namespaces = want->boot ^ LOCK_HOME;
}

void hrn_lock_init(unsigned kind)
{
    struct slm_lock_state *want = &hrn_lock_model.want;
    hrn_lock_detach_all();
    hrn_lock_begin_call(0);
    memset(hrn_lock_state, 0x5a, sizeof *hrn_lock_state);
    enum slm_status status = slm_lock_init(hrn_lock_state, (enum slm_lock_kind)kind);
    *want = (struct slm_lock_state){.kind = kind};
    set_origin(want);
    hrn_lock_end_call("init", status, SLM_OK);
}

/* The *hrn_lock_state was of an earlier boot: its owner is dead. */
static void reset_after_reboot(struct slm_lock_state *want)
{
    uint64_t now = hrn_lock_boot_now();
    if (want->boot == 0 || now == 0 || want->boot == now) {
        return;
    }
    if (slm_lock_owner_in(want->word) != 0) {
        want->word = SLM_LOCK_REPAIR;
        want->n_deaths++;
    }
    want->file_inode = 0;
    want->file_device = 0;
    want->namespaces = 0;
    want->boot = now;
}

static enum slm_status predict_origin(struct slm_lock_state *want, bool is_unused)
{
    uint64_t here = hrn_lock_namespaces_now();
    if (is_unused) {
        bool had_owner = slm_lock_owner_in(want->word) != 0;
        want->n_deaths += had_owner;
        want->word = had_owner ? SLM_LOCK_REPAIR : want->word & SLM_LOCK_REPAIR;
        set_origin(want);
        return SLM_OK;
    }
    uint64_t now = hrn_lock_boot_now();
    bool is_old = want->boot != 0 && now != 0 && want->boot != now;
    uint64_t recorded = want->namespaces == 0 ? 0 : want->namespaces ^ want->boot;
    bool is_elsewhere = here != LOCK_HOME || (recorded != 0 && !is_old && recorded != here);
    if (slm_lock_is_elsewhere(hrn_lock_state) != is_elsewhere) {
        hrn_lock_law_origin("whether it is elsewhere: %d", !is_elsewhere);
    }
    if (is_elsewhere) {
        return SLM_E_STATE;
    }
    reset_after_reboot(want);
    want->namespaces = want->boot ^ LOCK_HOME;
    return SLM_OK;
}

/* The word names a thread of this process, which has no handle: the file was copied. */
static void free_left_over(struct slm_lock_state *want)
{
    uint64_t owner = slm_lock_owner_in(want->word);
    if (owner != 0 && !has_handle() && (owner & SLM_LOCK_TID) == LOCK_FIRST_TID &&
        hrn_lock_judge_thread(owner).is_alive && hrn_lock_is_mapped_once()) {
        want->word = SLM_LOCK_REPAIR;
        want->n_deaths++;
    }
}

static enum slm_status predict_attach(struct handle *handle, const struct slm_lock_options *options,
                                      struct slm_error *error)
{
    struct slm_lock_state *want = &hrn_lock_model.want;
    if ((uint32_t)options->kind != want->kind) {
        return slm_error_set(error, SLM_E_OPTION, 0, "lock: kind %u asked for, of kind %u",
                             (unsigned)options->kind, want->kind);
    }
    if (options->kind == SLM_LOCK_FILE && options->path == NULL) {
        return slm_error_set(error, SLM_E_OPTION, 0, "%s",
                             "lock: path is NULL, and kind FILE needs one");
    }
    if (predict_origin(want, options->is_unused) != SLM_OK) {
        return slm_error_set(error, SLM_E_STATE, 0, "lock: %s", SLM_LOCK_ELSEWHERE_TEXT);
    }
    free_left_over(want);
    int os_errno = options->kind == SLM_LOCK_FILE ? hrn_lock_predict_open(handle) : 0;
    if (os_errno == ESTALE) {
        return slm_error_set(error, SLM_E_REPLACED, 0,
                             "%s: not the lock file that others may be using: that one was removed "
                             "or replaced",
                             options->path);
    }
    if (os_errno != 0) {
        return slm_error_set(error, os_errno == EISDIR ? SLM_E_IO : SLM_E_ACCESS, os_errno,
                             "%s: cannot be opened as a lock file of this user alone: %s",
                             options->path, strerror(os_errno));
    }
    return slm_error_clear(error);
}

/* extra: bits 0-3: 15: a wrong kind, 14: no path; bit 4: is_unused. */
void hrn_lock_attach(const struct op *op)
{
    struct handle *handle = &hrn_lock_model.handles[op->actor];
    unsigned odd = op->extra & 15u;
    if (handle->lock != NULL &&
        slm_lock_owner_in(hrn_lock_state->word) == hrn_lock_identity(op->actor)) {
        return;
    }
    detach(op->actor);
    struct slm_lock_options options = {
        .kind = (enum slm_lock_kind)(odd == 15 ? op->value % 5 : hrn_lock_model.want.kind),
        .path = odd == 14 ? NULL : hrn_lock_file_path(),
        .spins = op->value % 64,
        .is_unused = (op->extra & 16u) != 0,
    };
    struct slm_error expected;
    struct slm_error error;
    memset(&error, 0x5a, sizeof error);
    hrn_lock_begin_call(op->actor);
    (void)predict_attach(handle, &options, &expected);
    struct slm_lock *lock = (struct slm_lock *)(void *)hrn_lock_state;
    enum slm_status status = slm_lock_attach(&lock, hrn_lock_state, &options, &error);
    hrn_lock_end_call("attach", status, expected.status);
    if (error.status != expected.status || error.os_errno != expected.os_errno ||
        strcmp(error.text, expected.text) != 0) {
        hrn_lock_law_text("%s (%d), expected %s (%d)", error.text, error.os_errno, expected.text,
                          expected.os_errno);
    }
    if ((lock != NULL) != (status == SLM_OK)) {
        hrn_lock_law_answer("a handle: %d", lock != NULL);
    }
    if (lock == NULL) {
        memset(handle, 0, sizeof *handle);
        return;
    }
    handle->lock = lock;
    handle->spins = sysconf(_SC_NPROCESSORS_ONLN) == 1 ? 0
                    : options.spins == 0               ? 1024
                                                       : options.spins;
    slm_lock_set_name(lock, hrn_lock_name_of(op->actor));
    if (slm_lock_file_was_given(lock, hrn_lock_file_path()) != (options.kind == SLM_LOCK_FILE)) {
        hrn_lock_law_answer("whether that path was given");
    }
}

/* No thread holds the lock through a handle that is closed. */
void hrn_lock_detach(const struct op *op)
{
    if (slm_lock_owner_in(hrn_lock_state->word) != hrn_lock_identity(op->actor)) {
        hrn_lock_begin_call(op->actor);
        detach(op->actor);
        hrn_lock_end_call("detach", SLM_OK, SLM_OK);
    }
}
