/* SPDX-License-Identifier: Apache-2.0 */
/* A thread's operations on the whole zone, while other threads use it: copies and trims. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "fuzz/common/folder.h"
#include "fuzz/zone_threads/state.h"
#include "harness/failure/say.h"
#include <slabmill/zone_copy.h>

static void refuse(const struct thread *thread, const char *call, enum slm_status status,
                   const struct slm_error *error)
{
    hrn_zone_law_answer("thread %u, %s: %s %.150s", thread->idx, call, slm_status_name(status),
                        error->text);
}

/* The copy is of one moment. Only this thread changes its own objects, and not meanwhile. */
static void expect_copy(struct thread *thread, const struct slm_segment_options *place)
{
    struct slm_zone_attach_options options = {.segment = *place};
    struct slm_zone *zone = thread->zone;
    struct slm_zone *copy = hrn_zone_open_copy(&options, hrn_zone_law_copy);
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
    hrn_zone_close_copy(copy);
}

/* Another thread may make a copy now, or make the zone longer again and again. */
void hrn_thread_copy(struct thread *thread, const struct threads_op *op)
{
    char path[HRN_FUZZ_FOLDER_BYTES + 16];
    struct slm_segment_options place = {.kind = SLM_SEGMENT_FILE, .name = path};
    struct slm_error error;
    (void)op;
    (void)snprintf(path, sizeof path, "%s/%u", hrn_fuzz_folder(), thread->idx);
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
    expect_copy(thread, &place);
    (void)unlink(path);
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
