/* SPDX-License-Identifier: Apache-2.0 */
/* A second thread, which frees objects of the first. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/quiet.h"
#include "harness/run/call.h"

HRN_QUIET_BEGIN

/* The first thread waits while the second one works, so they share all of this. */
static struct {
    pthread_t thread;
    bool runs;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool has_job;
    bool must_end;
    hrn_free_fn fn;
    const struct hrn_run *run;
    void *self;
    uint32_t id;
    enum slm_adapter_answer answer;
    enum hrn_law law; /* that the job broke */
    char seen[HRN_LAW_TEXT_BYTES];
    jmp_buf back;
} other = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static __thread bool is_other;

/* A jump to the catcher would leave the first thread's stack, so the first thread makes it. */
static void forward(enum hrn_law law, const char *seen)
{
    if (is_other) {
        other.law = law;
        snprintf(other.seen, sizeof other.seen, "%s", seen);
        longjmp(other.back, 1);
    }
}

static void do_job(void)
{
    if (setjmp(other.back) == 0) {
        other.answer = other.fn(other.run, other.self, other.id);
    }
}

static void *work(void *unused)
{
    (void)unused;
    is_other = true;
    (void)pthread_mutex_lock(&other.mutex);
    while (!other.must_end) {
        if (other.has_job) {
            do_job();
            other.has_job = false;
            (void)pthread_cond_broadcast(&other.changed);
        } else {
            (void)pthread_cond_wait(&other.changed, &other.mutex);
        }
    }
    (void)pthread_mutex_unlock(&other.mutex);
    return NULL;
}

static bool start(void)
{
    if (!other.runs) {
        other.must_end = false;
        other.runs = pthread_create(&other.thread, NULL, work, NULL) == 0;
        hrn_scene.forward = forward;
    }
    return other.runs;
}

static void wait_for_job(void)
{
    (void)pthread_mutex_lock(&other.mutex);
    other.law = HRN_LAW_NONE;
    other.has_job = true;
    (void)pthread_cond_broadcast(&other.changed);
    while (other.has_job) {
        (void)pthread_cond_wait(&other.changed, &other.mutex);
    }
    (void)pthread_mutex_unlock(&other.mutex);
}

enum slm_adapter_answer hrn_elsewhere_free(hrn_free_fn fn, const struct hrn_run *run, void *self,
                                           uint32_t id)
{
    if (!start()) {
        return fn(run, self, id);
    }
    other.fn = fn;
    other.run = run;
    other.self = self;
    other.id = id;
    wait_for_job();
    if (other.law != HRN_LAW_NONE) {
        char text[HRN_LAW_TEXT_BYTES + 64];
        snprintf(text, sizeof text, "%s: %s", hrn_law_name(other.law), other.seen);
        hrn_law_by_text(text);
    }
    return other.answer;
}

void hrn_elsewhere_end(void)
{
    if (!other.runs) {
        return;
    }
    (void)pthread_mutex_lock(&other.mutex);
    other.must_end = true;
    (void)pthread_cond_broadcast(&other.changed);
    (void)pthread_mutex_unlock(&other.mutex);
    (void)pthread_join(other.thread, NULL);
    other.runs = false;
    hrn_scene.forward = NULL;
}

HRN_QUIET_END
