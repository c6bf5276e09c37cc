/* SPDX-License-Identifier: Apache-2.0 */
/* What the allocator reports of itself: its check, statistics, walk, and its author's checks. */
#include <stdlib.h>

#include "harness/base/array.h"
#include "harness/run/state.h"

/* --- Its walk --- */

/* Live objects by address, each with whether the walk has visited it. */
struct visited {
    const unsigned char *p;
    size_t size_bytes;
    bool done;
};

static struct {
    struct visited *list;
    size_t n;
    size_t cap;
} walk;

static int by_address(const void *a, const void *b)
{
    const struct visited *x = a;
    const struct visited *y = b;
    return (x->p > y->p) - (x->p < y->p);
}

static void visit(void *data, void *p, size_t size_bytes)
{
    const struct visited key = {.p = p};
    (void)data;
    struct visited *found =
        walk.n == 0 ? NULL : bsearch(&key, walk.list, walk.n, sizeof *walk.list, by_address);
    if (found == NULL) {
        hrn_law_walk("it visits %p with %zu bytes, which is no live object", p, size_bytes);
    }
    if (found->done) {
        hrn_law_walk("it visits the object at %p twice", p);
    }
    if (size_bytes < found->size_bytes) {
        hrn_law_walk("it reports %zu bytes for the object at %p, which has %zu", size_bytes, p,
                     found->size_bytes);
    }
    found->done = true;
}

static void expect_visit(const struct hrn_run *run, uint32_t id)
{
    const struct hrn_object *o = &run->model.objects[id];
    walk.list = hrn_array_grow(walk.list, &walk.cap, walk.n + 1, sizeof *walk.list);
    walk.list[walk.n++] = (struct visited){.p = o->p, .size_bytes = o->size_bytes};
}

/* Objects, those of the reuse list, and the data of handlers. */
static void expect_visits(const struct hrn_run *run, const struct hrn_arena *arena)
{
    walk.n = 0;
    for (size_t i = 0; i < arena->live.n; i++) {
        expect_visit(run, arena->live.ids[i]);
    }
    for (size_t i = 0; i < arena->reuse.n; i++) {
        expect_visit(run, arena->reuse.ids[i]);
    }
    for (size_t i = 0; i < arena->n_handlers; i++) {
        if (arena->handlers[i].data_bytes > 0) {
            expect_visit(run, arena->handlers[i].id);
        }
    }
}

static void check_walk(const struct hrn_run *run, const struct hrn_arena *arena)
{
    expect_visits(run, arena);
    if (walk.n > 0) {
        qsort(walk.list, walk.n, sizeof *walk.list, by_address);
    }
    run->adapter->walk(arena->self, visit, NULL);
    for (size_t i = 0; i < walk.n; i++) {
        if (!walk.list[i].done) {
            hrn_law_walk("it leaves out the object at %p, %zu bytes", (const void *)walk.list[i].p,
                         walk.list[i].size_bytes);
        }
    }
}

/* --- Its statistics --- */

static void compare(const char *what, size_t seen, size_t want)
{
    if (seen != SIZE_MAX && seen != want) {
        hrn_law_statistics("%s is %zu, should be %zu", what, seen, want);
    }
}

static void check_statistics(const struct hrn_run *run, const struct hrn_arena *arena)
{
    struct slm_adapter_statistics seen = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};
    size_t object_bytes = 0;
    for (size_t i = 0; i < arena->live.n; i++) {
        object_bytes += run->model.objects[arena->live.ids[i]].size_bytes;
    }
    run->adapter->statistics(arena->self, &seen);
    if (run->adapter->pool == NULL) { /* whether they count handlers' data is theirs */
        compare("n_objects", seen.n_objects, arena->live.n);
        compare("object_bytes", seen.object_bytes, object_bytes);
    }
    bool both = seen.used_bytes != SIZE_MAX && seen.free_bytes != SIZE_MAX;
    size_t region_bytes = arena->env.region_bytes;
    if (both && arena->env.region != NULL &&
        (seen.used_bytes > region_bytes || seen.free_bytes > region_bytes - seen.used_bytes)) {
        hrn_law_statistics("%zu bytes used and %zu free, of a region of %zu", seen.used_bytes,
                           seen.free_bytes, region_bytes);
    }
}

/* --- All of it --- */

static bool includes(enum hrn_look look, enum hrn_look part)
{
    return look == HRN_LOOK_ALL || look == part;
}

static void check_self(const struct hrn_run *run, const struct hrn_arena *arena, enum hrn_look look)
{
    const struct slm_adapter *adapter = run->adapter;
    bool checks = adapter->check != NULL && includes(look, HRN_LOOK_SELF);
    const char *wrong = checks ? adapter->check(arena->self) : NULL;
    if (wrong != NULL) {
        hrn_law_self_check("%s", wrong);
    }
    if (adapter->statistics != NULL && includes(look, HRN_LOOK_STATISTICS)) {
        check_statistics(run, arena);
    }
    if (adapter->walk != NULL && includes(look, HRN_LOOK_WALK)) {
        check_walk(run, arena);
    }
}

void hrn_arena_ask(struct hrn_run *run, struct hrn_arena *arena, enum hrn_look look)
{
    const struct slm_adapter_checks *checks = run->adapter->checks;
    bool off = hrn_fault_on(HRN_FAULT_IGNORE_WALK) ||
               (hrn_fault_on(HRN_FAULT_CHECK_EMPTY) && arena->live.n > 0);
    if (off) {
        return;
    }
    check_self(run, arena, look);
    if (checks != NULL && checks->walk != NULL && includes(look, HRN_LOOK_WALK)) {
        checks->walk(arena->self, arena->live.n, arena->live_bytes);
    }
}
