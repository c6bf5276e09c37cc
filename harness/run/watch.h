/* SPDX-License-Identifier: Apache-2.0 */
/* A run observed from outside: the answer to each operation, and the objects live at one point. */
#ifndef HRN_WATCH_H
#define HRN_WATCH_H

#include <stddef.h>
#include <stdint.h>

#include "harness/laws/laws.h"
#include "harness/program/program.h"
#include "harness/registry/registry.h"
#include "harness/run/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    The runner calls the watcher; the allocator does exactly what it does unwatched. Callbacks
 *          may be NULL.
 * Safety   As hrn_run_catch; one watched run at a time. Callbacks may only read the arena.
 * Failure  None of its own.
 */
struct hrn_watcher {
    void *data;
    /* Arena made. */
    void (*made)(void *data, const struct slm_adapter_env *env);
    /* Operation op_idx asked for rq, and p is the answer. A burst calls this once for each object.
     */
    void (*answered)(void *data, size_t op_idx, const struct slm_adapter_request *rq,
                     const void *p);
    /* Arena about to be destroyed; its objects are gone. */
    void (*ending)(void *data, const struct slm_adapter_env *env);
};

/* hrn_run_catch with a watcher. */
enum hrn_law hrn_watch_run(const struct slm_adapter *adapter, const struct hrn_program *program,
                           struct hrn_result *result, const struct hrn_watcher *watcher);

struct hrn_watch_object {
    uint32_t id;
    const unsigned char *p;
    size_t size_bytes; /* as asked for */
};

/* An arena between two operations. */
struct hrn_watch_view {
    const struct slm_adapter_env *env;
    const struct hrn_watch_object *objects; /* by address */
    size_t n_objects;
    size_t live_bytes;
    size_t source_bytes; /* taken from its source */
};

typedef void (*hrn_watch_look_fn)(void *data, const struct hrn_watch_view *view);

/*
 * Runs the first n_ops operations, without whole walks, then calls look for each arena, by number.
 * *result is the result of the run after that. An arena that the first n_ops operations made or
 * tried to make is made again if it does not exist.
 */
enum hrn_law hrn_watch_look(const struct slm_adapter *adapter, const struct hrn_program *program,
                            size_t n_ops, hrn_watch_look_fn look, void *data,
                            struct hrn_result *result);

#ifdef __cplusplus
}
#endif
#endif
