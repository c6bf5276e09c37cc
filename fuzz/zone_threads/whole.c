/* SPDX-License-Identifier: Apache-2.0 */
/* A thread's operations on the whole zone, while other threads use it: copies and trims. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz/zone_threads/state.h"
#include "harness/failure/say.h"
#include <slabmill/zone_copy.h>

enum { PATH_BYTES = 512 };

/* In memory if there is such a folder. A file has its name until its thread has attached it. */
static void write_path(char *path, unsigned idx)
{
    const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
    (void)snprintf(path, PATH_BYTES, "%s/slabmill-threads-%d-%u", folder != NULL ? folder : "/tmp",
                   (int)getpid(), idx);
}

static void refuse(const struct thread *thread, const char *call, enum slm_status status,
                   const struct slm_error *error)
{
    hrn_zone_law_answer("thread %u, %s: %s %.150s", thread->idx, call, slm_status_name(status),
                        error->text);
}

/* The copy is of one moment. Only this thread changes its own objects, and not meanwhile. */
static void expect_copy(struct thread *thread, struct slm_zone *copy)
{
    struct slm_zone *zone = thread->zone;
    enum slm_status status = slm_zone_lock(copy);
    if (status != SLM_OK) {
        hrn_zone_law_copy("thread %u: its lock: %s", thread->idx, slm_status_name(status));
    }
    thread->zone = copy;
    hrn_threads_expect_sound(copy);
    hrn_threads_expect_walks(copy);
    hrn_thread_expect_own(thread);
    const struct threads_shared *shared = slm_zone_root_locked(copy);
    if (shared->counters[0] != shared->counters[1]) {
        hrn_zone_law_copy("thread %u: counters %" PRIu64 " and %" PRIu64, thread->idx,
                          shared->counters[0], shared->counters[1]);
    }
    thread->zone = zone;
    (void)slm_zone_unlock(copy);
}

static struct slm_zone *attach_copy(const struct thread *thread, const char *path)
{
    struct slm_zone_attach_options options = {
        .segment = {.kind = SLM_SEGMENT_FILE, .name = path},
        .check = true,
    };
    struct slm_zone *copy;
    struct slm_error error;
    enum slm_status status = slm_zone_attach(&copy, &options, &error);
    if (status != SLM_OK) {
        refuse(thread, "attach of a copy", status, &error);
    }
    (void)unlink(path);
    return copy;
}

/* Another thread may make a copy now, or make the zone longer again and again. */
void hrn_thread_copy(struct thread *thread, const struct threads_op *op)
{
    char path[PATH_BYTES];
    struct slm_segment_options place = {.kind = SLM_SEGMENT_FILE, .name = path};
    struct slm_error error;
    (void)op;
    write_path(path, thread->idx);
    enum slm_status status = slm_zone_copy(thread->zone, &place, NULL, &error);
    bool may_fail = thread->is_holder ? status == SLM_E_HELD
                                      : status == SLM_E_LOCKED || status == SLM_E_TIMEOUT;
    if (status != SLM_OK) {
        if (!may_fail) {
            refuse(thread, "copy", status, &error);
        }
        thread->counts.n_refused++;
        return;
    }
    struct slm_zone *copy = attach_copy(thread, path);
    expect_copy(thread, copy);
    slm_zone_detach(copy);
    thread->counts.n_copied++;
}

void hrn_thread_trim(struct thread *thread, const struct threads_op *op)
{
    struct slm_error error;
    uint64_t n_bytes;
    (void)op;
    enum slm_status status = slm_zone_trim(thread->zone, &n_bytes, &error);
    enum slm_status expected = thread->is_holder ? SLM_E_HELD : SLM_OK;
    if (status != expected && (thread->is_holder || status != SLM_E_LOCKED)) {
        refuse(thread, "trim", status, &error);
    }
    thread->counts.n_refused += status != SLM_OK;
    thread->counts.n_given_back += n_bytes > 0;
}
