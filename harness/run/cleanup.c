/* SPDX-License-Identifier: Apache-2.0 */
/* Cleanup handlers: a stack of handlers that must run once each, newest first, on reset and
 * destroy. */
#include <string.h>

#include "harness/base/array.h"
#include "harness/run/state.h"

/* The sizes that a handler allocates: a small one, and one that is large for most pools. */
static const size_t handler_sizes[] = {40, 5000};

static void run_handler(void *data);

/* Allocates in the arena that is being destroyed. The allocation may fail; its result must be
 * right. */
static void allocate_inside(struct hrn_run *run, struct hrn_arena *arena)
{
    for (size_t i = 0; i < sizeof handler_sizes / sizeof handler_sizes[0]; i++) {
        const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_ALLOC, handler_sizes[i], 0};
        unsigned char *p = hrn_object_ask(run, arena, 0, &rq);
        if (p == NULL) {
            continue;
        }
        if (hrn_map_taken(&run->model.map, p)) {
            hrn_law_overlap("a handler got %p, which is in use", (void *)p);
        }
        memset(p, 0x5A, rq.size_bytes);
    }
}

static struct hrn_handler_record *push_record(struct hrn_arena *arena)
{
    arena->handlers = hrn_array_grow(arena->handlers, &arena->cap_handlers, arena->n_handlers + 1,
                                     sizeof *arena->handlers);
    struct hrn_handler_record *record = &arena->handlers[arena->n_handlers++];
    memset(record, 0, sizeof *record);
    return record;
}

/* By a record that was cancelled, if there is one, or by a new one. */
static enum slm_adapter_answer arm(const struct hrn_run *run, struct hrn_arena *arena,
                                   struct hrn_handler_record *made)
{
    bool is_spare = arena->n_spares > 0;
    made->record = is_spare ? arena->spares[arena->n_spares - 1] : NULL;
    enum slm_adapter_answer got =
        run->adapter->pool->arm(arena->self, &made->record, run_handler, made->data);
    arena->n_spares -= is_spare && got == SLM_ADAPTER_OK;
    return got;
}

#define CHILD_BLOCK_MAX 65536u

/* A handler without data; its argument is a unique number. */
static enum slm_adapter_answer register_plain(struct hrn_run *run, struct hrn_arena *arena,
                                              uint8_t handler, size_t size_bytes)
{
    const struct slm_adapter_pool *pool = run->adapter->pool;
    struct hrn_handler_record made = {.data = (void *)(uintptr_t)(++arena->n_tokens * 16 + 1),
                                      .handler = handler};
    enum slm_adapter_answer got;
    if (handler == HRN_HANDLER_ARMED && pool->arm != NULL) {
        got = arm(run, arena, &made);
    } else if (handler == HRN_HANDLER_CHILD && pool->child != NULL) {
        size_t block_bytes = 1 + size_bytes % CHILD_BLOCK_MAX;
        got = pool->child(arena->self, &made.child, block_bytes, run_handler, made.data);
    } else {
        got = pool->cleanup(arena->self, run_handler, made.data, 0, NULL);
    }
    if (got == SLM_ADAPTER_OK) {
        *push_record(arena) = made;
    }
    return got;
}

static void check_newest(const struct hrn_arena *arena, const void *data)
{
    size_t n = arena == NULL ? 0 : arena->n_handlers;
    if (n > 0 && arena->handlers[n - 1].data == data) {
        return;
    }
    for (size_t i = 0; i + 1 < n; i++) {
        if (arena->handlers[i].data == data) {
            hrn_law_cleanup_order("handler %zu of %zu ran before the newest", i + 1, n);
        }
    }
    hrn_law_cleanup_once("a handler ran twice, or was never registered (its argument: %p)", data);
}

/* The handler of a child that is being ended. */
static void run_ending(struct hrn_run *run, const void *data)
{
    if (data != run->ending) {
        hrn_law_cleanup_order("the end of a child ran the handler with the argument %p", data);
    }
    run->ending = NULL;
}

static void run_handler(void *data)
{
    struct hrn_run *run = &hrn_run_state;
    struct hrn_arena *arena = run->teardown;
    if (hrn_fault_on(HRN_FAULT_NO_CLEANUP)) {
        return;
    }
    if (run->ending != NULL) {
        run_ending(run, data);
        return;
    }
    if (arena != NULL) {
        hrn_file_settle(&arena->files, arena->n_handlers);
    }
    check_newest(arena, data);
    struct hrn_handler_record record = arena->handlers[--arena->n_handlers];
    if (record.data_bytes > 0) {
        hrn_object_verify(run, record.id);
        hrn_object_forget(run, arena, record.id);
    }
    if (record.handler == HRN_HANDLER_ALLOCS) {
        allocate_inside(run, arena);
    } else if (record.handler == HRN_HANDLER_REGISTERS) {
        (void)register_plain(run, arena, HRN_HANDLER_PLAIN, 0);
    }
}

/* The allocator registers the handler without data of the program's. */
static bool has_no_data(const struct slm_adapter_pool *pool, const struct hrn_op *op)
{
    return op->size_bytes == 0 || (op->aux == HRN_HANDLER_ARMED && pool->arm != NULL) ||
           (op->aux == HRN_HANDLER_CHILD && pool->child != NULL);
}

void hrn_cleanup_add(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op)
{
    bool is_plain = has_no_data(run->adapter->pool, op);
    const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_CLEANUP, is_plain ? 0 : op->size_bytes,
                                           0};
    uint64_t n_before = arena->source.n_refused;
    void *data = NULL;
    enum slm_adapter_answer got =
        is_plain
            ? register_plain(run, arena, op->aux, op->size_bytes)
            : run->adapter->pool->cleanup(arena->self, run_handler, NULL, op->size_bytes, &data);
    if (got == SLM_ADAPTER_REFUSED) {
        hrn_object_refused(run, arena, &rq, arena->source.n_refused - n_before);
        return;
    }
    if (got != SLM_ADAPTER_OK) {
        hrn_law_refusal("cleanup with %zu bytes returns %s", op->size_bytes, hrn_answer_name(got));
    }
    if (!is_plain) {
        hrn_object_adopt(run, arena, op->id, &rq, data);
        *push_record(arena) = (struct hrn_handler_record){
            .data = data, .data_bytes = op->size_bytes, .id = op->id, .handler = op->aux};
    }
}

/* --- Taken back --- */

/* The index of the nth armed handler, or handler of a child, from the newest; SIZE_MAX: none. */
static size_t pick_cancelled(const struct hrn_arena *arena, size_t nth)
{
    size_t n = 0;
    for (size_t i = 0; i < arena->n_handlers; i++) {
        n += arena->handlers[i].record != NULL || arena->handlers[i].child != NULL;
    }
    size_t left = n == 0 ? 0 : nth % n;
    for (size_t i = arena->n_handlers; n > 0 && i > 0; i--) {
        const struct hrn_handler_record *handler = &arena->handlers[i - 1];
        bool is_one = handler->record != NULL || handler->child != NULL;
        if (is_one && left-- == 0) {
            return i - 1;
        }
    }
    return SIZE_MAX;
}

static void expect_answer(enum slm_adapter_answer got, enum slm_adapter_answer want,
                          const char *call)
{
    if (got != want) {
        hrn_law_cleanup_once("%s returns %s, should be %s", call, hrn_answer_name(got),
                             hrn_answer_name(want));
    }
}

static void cancel_record(const struct hrn_run *run, struct hrn_arena *arena,
                          const struct hrn_handler_record *handler)
{
    const struct slm_adapter_pool *pool = run->adapter->pool;
    void *record = handler->record;
    expect_answer(pool->arm(arena->self, &record, run_handler, handler->data), SLM_ADAPTER_BAD,
                  "arming an armed record");
    expect_answer(pool->cancel(arena->self, handler->record), SLM_ADAPTER_OK,
                  "cancelling an armed handler");
    expect_answer(pool->cancel(arena->self, handler->record), SLM_ADAPTER_UNCHANGED,
                  "cancelling a cancelled handler");
    arena->spares = hrn_array_grow(arena->spares, &arena->cap_spares, arena->n_spares + 1,
                                   sizeof *arena->spares);
    arena->spares[arena->n_spares++] = handler->record;
}

static void end_child(struct hrn_run *run, struct hrn_arena *arena,
                      const struct hrn_handler_record *handler)
{
    run->ending = handler->data;
    run->adapter->pool->end_child(arena->self, handler->child);
    if (run->ending != NULL && !hrn_fault_on(HRN_FAULT_NO_CLEANUP)) {
        hrn_law_cleanup_once("the handler of a child that ended did not run");
    }
    run->ending = NULL;
}

bool hrn_cleanup_cancel(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op)
{
    size_t idx = pick_cancelled(arena, op->count);
    if (idx == SIZE_MAX) {
        return false;
    }
    struct hrn_handler_record handler = arena->handlers[idx];
    if (handler.child != NULL) {
        end_child(run, arena, &handler);
    } else {
        cancel_record(run, arena, &handler);
    }
    arena->n_handlers--;
    memmove(&arena->handlers[idx], &arena->handlers[idx + 1],
            (arena->n_handlers - idx) * sizeof *arena->handlers);
    hrn_file_forget_older(&arena->files, idx);
    return true;
}

/* --- Torn down --- */

void hrn_cleanup_begin(struct hrn_run *run, struct hrn_arena *arena)
{
    run->teardown = arena;
}

void hrn_cleanup_end(struct hrn_run *run, struct hrn_arena *arena)
{
    run->teardown = NULL;
    arena->n_spares = 0;
    if (hrn_fault_on(HRN_FAULT_NO_CLEANUP)) {
        while (arena->n_handlers > 0) {
            const struct hrn_handler_record *record = &arena->handlers[--arena->n_handlers];
            if (record->data_bytes > 0) {
                hrn_object_forget(run, arena, record->id);
            }
        }
        hrn_file_abandon(&arena->files);
    }
    if (arena->n_handlers > 0) {
        hrn_law_cleanup_once("%zu handlers did not run", arena->n_handlers);
    }
    hrn_file_settle(&arena->files, 0);
    hrn_file_end(&arena->files);
}
