/* SPDX-License-Identifier: Apache-2.0 */
/* Watches runs. */
#include "harness/run/watch.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"
#include "harness/run/state.h"

/* What is being watched. It is global because trim only gets the arena. */
static struct {
    const struct slm_adapter *under;
    size_t n_ops; /* of hrn_watch_look: the program's own operations */
    hrn_watch_look_fn look;
    void *look_data;
} watch;

static struct hrn_arena *arena_of(const void *self)
{
    size_t i = 0;
    while (hrn_run_state.arenas[i].self != self) {
        i++;
    }
    return &hrn_run_state.arenas[i];
}

enum hrn_law hrn_watch_run(const struct slm_adapter *adapter, const struct hrn_program *program,
                           struct hrn_result *result, const struct hrn_watcher *watcher)
{
    hrn_run_state.watcher = watcher;
    enum hrn_law law = hrn_run_catch(adapter, program, result);
    hrn_run_state.watcher = NULL;
    return law;
}

/* --- Views --- */

static int by_address(const void *a, const void *b)
{
    const struct hrn_watch_object *x = a;
    const struct hrn_watch_object *y = b;
    return (x->p > y->p) - (x->p < y->p);
}

static void add_objects(struct hrn_watch_object *objects, size_t *n, const struct hrn_id_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct hrn_object *o = &hrn_run_state.model.objects[list->ids[i]];
        objects[(*n)++] = (struct hrn_watch_object){
            .id = list->ids[i], .p = o->p, .size_bytes = o->rq.size_bytes};
    }
}

static void show_arena(const struct hrn_arena *arena)
{
    size_t cap = 0;
    size_t n = 0;
    struct hrn_watch_object *objects =
        hrn_array_grow(NULL, &cap, arena->live.n + arena->reuse.n + 1, sizeof *objects);
    add_objects(objects, &n, &arena->live);
    add_objects(objects, &n, &arena->reuse);
    qsort(objects, n, sizeof *objects, by_address);
    const struct hrn_watch_view view = {.env = &arena->env,
                                        .objects = objects,
                                        .n_objects = n,
                                        .live_bytes = arena->live_bytes,
                                        .source_bytes = arena->source.live_bytes};
    watch.look(watch.look_data, &view);
    free(objects);
}

/* The TRIM after the program's own operations is when the view is taken; nothing is checked before
 * it. */
static size_t watched_trim(void *self)
{
    size_t op_idx = hrn_scene.op_idx;
    if (op_idx >= watch.n_ops && op_idx < hrn_scene.program->n_ops) {
        show_arena(arena_of(self));
        return 0;
    }
    return watch.under->trim == NULL ? 0 : watch.under->trim(self);
}

/* Appends one TRIM for each arena that exists after the operations so far. */
static void push_views(struct hrn_program *program, const struct slm_adapter *adapter)
{
    size_t cap = 0;
    uint32_t can = hrn_can(adapter);
    bool *there = hrn_array_grow(NULL, &cap, (size_t)program->n_arenas + 1, sizeof *there);
    memset(there, 0, cap * sizeof *there);
    for (size_t i = 0; i < program->n_ops; i++) {
        const struct hrn_op *op = &program->ops[i];
        if ((can >> op->kind & 1u) != 0 && !(adapter->one_arena && op->arena != 0)) {
            there[op->arena] = op->kind != HRN_DESTROY;
        }
    }
    for (uint32_t arena = 0; arena < program->n_arenas; arena++) {
        if (there[arena]) {
            struct hrn_op look = {.kind = HRN_TRIM, .arena = arena, .id = HRN_NO_ID};
            hrn_program_push(program, look);
        }
    }
    free(there);
}

enum hrn_law hrn_watch_look(const struct slm_adapter *adapter, const struct hrn_program *program,
                            size_t n_ops, hrn_watch_look_fn look, void *data,
                            struct hrn_result *result)
{
    struct hrn_program looking;
    hrn_program_init(&looking);
    hrn_program_copy(&looking, program);
    looking.n_ops = n_ops;
    looking.head.check_every = 0;
    push_views(&looking, adapter);
    struct slm_adapter watched = *adapter;
    watched.trim = watched_trim;
    watch.under = adapter;
    watch.n_ops = n_ops;
    watch.look = look;
    watch.look_data = data;
    enum hrn_law law = hrn_run_catch(&watched, &looking, result);
    hrn_program_fini(&looking);
    return law;
}
