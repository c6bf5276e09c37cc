/* SPDX-License-Identifier: Apache-2.0 */
/* A run seen from outside: what each operation was answered, and what is live at one point. */
#ifndef HRN_WATCH_H
#define HRN_WATCH_H

#include <stddef.h>
#include <stdint.h>

#include "harness/adapters/adapter.h"
#include "harness/laws/laws.h"
#include "harness/program/program.h"
#include "harness/run/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    The adapter is run with some of its functions wrapped; the allocator does exactly what
 *          it does unwatched. Functions that are NULL are not told.
 * Safety   As hrn_run_catch; one watched run at a time. What is called may read the arena, no more.
 * Failure  None of its own.
 */
struct hrn_watcher {
    void *data;
    /* Arena made. */
    void (*made)(void *data, const struct hrn_env *env);
    /* Operation op_idx asked for rq, and p is the answer. A burst is told object by object. */
    void (*answered)(void *data, size_t op_idx, const struct hrn_request *rq, const void *p);
    /* Arena about to be destroyed; its objects are gone. */
    void (*ending)(void *data, const struct hrn_env *env);
};

/* hrn_run_catch with a watcher. */
enum hrn_law hrn_watch_run(const struct hrn_adapter *adapter, const struct hrn_program *program,
                           struct hrn_result *result, const struct hrn_watcher *watcher);

struct hrn_watch_object {
    uint32_t id;
    const unsigned char *p;
    size_t size_bytes; /* as asked for */
};

/* An arena between two operations. */
struct hrn_watch_view {
    const struct hrn_env *env;
    const struct hrn_watch_object *objects; /* by address */
    size_t n_objects;
    size_t live_bytes;
    size_t source_bytes; /* taken from its source */
};

typedef void (*hrn_watch_look_fn)(void *data, const struct hrn_watch_view *view);

/*
 * Runs the first n_ops operations, then calls look for each arena that is there, by number. Whole
 * walks are left out on the way. What the run comes to afterwards is in *result. An arena that the
 * first n_ops operations made or tried to make is made again if it is not there.
 */
enum hrn_law hrn_watch_look(const struct hrn_adapter *adapter, const struct hrn_program *program,
                            size_t n_ops, hrn_watch_look_fn look, void *data,
                            struct hrn_result *result);

#ifdef __cplusplus
}
#endif
#endif
