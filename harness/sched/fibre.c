/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* ucontext, MAP_ANONYMOUS */
#endif
#include "harness/sched/fibre.h"

#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "harness/base/sanitizers.h"

#if HRN_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if HRN_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define STACK_BYTES (256u << 10)

struct hrn_fibre {
    ucontext_t context;
    jmp_buf bottom;
    void (*body)(void *);
    void (*ended)(void *);
    void *arg;
    void *stack; /* NULL: the thread's own; then the range that ASan reports */
    size_t stack_bytes;
    void *fake_stack; /* ASan's, while it does not run */
    void *tsan;
};

static struct hrn_fibre main_fibre;
static struct hrn_fibre *starting; /* the argument of enter, which makecontext cannot pass */
static struct hrn_fibre *left;     /* the fibre that the last switch left */

/* --- Reports to sanitizers --- */

static void report_leaving(struct hrn_fibre *from, const struct hrn_fibre *to)
{
#if HRN_ASAN
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_bytes);
#endif
#if HRN_TSAN
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
    (void)from;
    (void)to;
}

/* The first switch away from the thread's own stack reports where that stack is. */
static void report_arrival(struct hrn_fibre *here)
{
#if HRN_ASAN
    const void *stack;
    size_t stack_bytes;
    __sanitizer_finish_switch_fiber(here->fake_stack, &stack, &stack_bytes);
    if (left == &main_fibre && main_fibre.stack == NULL) {
        main_fibre.stack = (void *)(size_t)stack;
        main_fibre.stack_bytes = stack_bytes;
    }
#endif
    (void)here;
}

static void report_end(struct hrn_fibre *fibre)
{
#if HRN_TSAN
    __tsan_destroy_fiber(fibre->tsan);
#endif
    (void)fibre;
}

static void report_stack(struct hrn_fibre *fibre)
{
#if HRN_TSAN
    fibre->tsan = fibre == &main_fibre ? __tsan_get_current_fiber() : __tsan_create_fiber(0);
#endif
    (void)fibre;
}

/* --- Fibres --- */

static void enter(void)
{
    struct hrn_fibre *self = starting;
    report_arrival(self);
    for (;;) {
        if (_setjmp(self->bottom) == 0) {
            self->body(self->arg);
        }
        self->ended(self->arg);
    }
}

/* At the bottom of its stack, before its first body. */
static void start(struct hrn_fibre *fibre)
{
    if (getcontext(&fibre->context) != 0) {
        perror("no context for a fibre");
        abort();
    }
    fibre->context.uc_stack.ss_sp = fibre->stack;
    fibre->context.uc_stack.ss_size = fibre->stack_bytes;
    makecontext(&fibre->context, enter, 0);
    report_stack(fibre);
}

struct hrn_fibre *hrn_fibre_make(void (*body)(void *), void (*ended)(void *), void *arg)
{
    struct hrn_fibre *fibre = calloc(1, sizeof *fibre);
    void *stack =
        mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fibre == NULL || stack == MAP_FAILED) {
        perror("no stack for a fibre");
        abort();
    }
    fibre->body = body;
    fibre->ended = ended;
    fibre->arg = arg;
    fibre->stack = stack;
    fibre->stack_bytes = STACK_BYTES;
    start(fibre);
    return fibre;
}

void hrn_fibre_renew(struct hrn_fibre *fibre)
{
    if (HRN_TSAN) {
        report_end(fibre);
        start(fibre);
    }
}

struct hrn_fibre *hrn_fibre_main(void)
{
    if (main_fibre.tsan == NULL) {
        report_stack(&main_fibre);
    }
    return &main_fibre;
}

void hrn_fibre_switch(struct hrn_fibre *from, struct hrn_fibre *to)
{
    starting = to;
    left = from;
    report_leaving(from, to);
    (void)swapcontext(&from->context, &to->context);
    report_arrival(from);
}

void hrn_fibre_unwind(struct hrn_fibre *running)
{
    _longjmp(running->bottom, 1);
}
