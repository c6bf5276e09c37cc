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

/* A plain handler without data; its argument is a unique number. */
static enum slm_adapter_answer register_plain(struct hrn_run *run, struct hrn_arena *arena,
                                              uint8_t handler)
{
    void *token = (void *)(uintptr_t)(++arena->n_tokens * 16 + 1);
    enum slm_adapter_answer got =
        run->adapter->pool->cleanup(arena->self, run_handler, token, 0, NULL);
    if (got == SLM_ADAPTER_OK) {
        struct hrn_handler_record *record = push_record(arena);
        record->data = token;
        record->handler = handler;
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

static void run_handler(void *data)
{
    struct hrn_run *run = &hrn_run_state;
    struct hrn_arena *arena = run->teardown;
    if (hrn_fault_on(HRN_FAULT_NO_CLEANUP)) {
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
        (void)register_plain(run, arena, HRN_HANDLER_PLAIN);
    }
}

void hrn_cleanup_add(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_op *op)
{
    const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_CLEANUP, op->size_bytes, 0};
    uint64_t n_before = arena->source.n_refused;
    void *data = NULL;
    enum slm_adapter_answer got =
        op->size_bytes == 0
            ? register_plain(run, arena, op->aux)
            : run->adapter->pool->cleanup(arena->self, run_handler, NULL, op->size_bytes, &data);
    if (got == SLM_ADAPTER_REFUSED) {
        hrn_object_refused(run, arena, &rq, arena->source.n_refused - n_before);
        return;
    }
    if (got != SLM_ADAPTER_OK) {
        hrn_law_refusal("cleanup with %zu bytes returns %s", op->size_bytes, hrn_answer_name(got));
    }
    if (op->size_bytes > 0) {
        hrn_object_adopt(run, arena, op->id, &rq, data);
        struct hrn_handler_record *record = push_record(arena);
        *record = (struct hrn_handler_record){data, op->size_bytes, op->id, op->aux};
    }
}

void hrn_cleanup_begin(struct hrn_run *run, struct hrn_arena *arena)
{
    run->teardown = arena;
}

void hrn_cleanup_end(struct hrn_run *run, struct hrn_arena *arena)
{
    run->teardown = NULL;
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
