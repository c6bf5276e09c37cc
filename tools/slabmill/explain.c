/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill explain: a program as readable operations, how it fails, and the objects live at that
 * point. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/run/watch.h"
#include "tools/slabmill/slabmill.h"
#include <slabmill/slab.h>

#define OPS_SHOWN        40u /* before the failure, unless --all */
#define OBJECTS_SHOWN    48u /* of an arena, unless --all */
#define OBJECTS_PER_LINE 3u
#define PAGES_PER_LINE   64u

/* --- Operations --- */

static void print_ops(const struct hrn_trace *trace, size_t op_idx, bool fails, bool all)
{
    const struct hrn_program *program = &trace->program;
    size_t end = all || op_idx + OPS_SHOWN > program->n_ops ? program->n_ops : op_idx + 1;
    size_t start = all || op_idx < OPS_SHOWN ? 0 : op_idx - OPS_SHOWN;
    char line[HRN_TRACE_LINE_BUF_BYTES];
    hrn_trace_print_head(&program->head, line, sizeof line);
    fputs(line, stdout);
    if (start > 0) {
        printf("  ... %zu operations before\n", start);
    }
    for (size_t i = start; i < end; i++) {
        hrn_trace_print_op(trace->word, &program->ops[i], line, sizeof line);
        printf("%c %6zu  %s\n", fails && i == op_idx ? '>' : ' ', i, line);
    }
    if (end < program->n_ops) {
        printf("  ... %zu operations after\n", program->n_ops - end);
    }
    if (fails && op_idx == program->n_ops) {
        printf("> the end\n");
    }
}

/* --- Pages of a slab --- */

/* Live bytes of the objects that start in the page. Both objects and *at ascend. */
static size_t live_in_page(const struct hrn_watch_view *view, const unsigned char *page,
                           size_t page_bytes, size_t *at)
{
    size_t live = 0;
    while (*at < view->n_objects && view->objects[*at].p < page + page_bytes) {
        live += view->objects[*at].p >= page ? view->objects[*at].size_bytes : 0;
        ++*at;
    }
    return live;
}

static char page_sign(struct slm_slab *slab, const unsigned char *page, size_t live,
                      size_t page_bytes)
{
    struct slm_slab_place place;
    slm_slab_locate(slab, page, &place);
    switch (place.kind) {
    case SLM_SLAB_FREE_PAGE:
        return '.';
    case SLM_SLAB_RUN:
        return place.object == (const void *)page ? 'R' : 'r';
    case SLM_SLAB_CHUNK_USED:
    case SLM_SLAB_CHUNK_FREE:
    case SLM_SLAB_SPAN_TAIL: {
        size_t tenths = live * 10 / page_bytes;
        return (char)('0' + (tenths < 9 ? tenths : 9));
    }
    default:
        return '?';
    }
}

static void print_pages(const struct hrn_watch_view *view)
{
    struct slm_slab *slab;
    if (slm_slab_attach(&slab, view->env->region, view->env->region_bytes, NULL) != SLM_OK) {
        return;
    }
    struct slm_slab_stats stats;
    slm_slab_get_stats(slab, &stats);
    printf("  %zu pages of %zu bytes, the first at +%zu; %zu free, %zu kept empty\n"
           "  (. free, R start of a run, r rest of it, 0-9 a class's page by tenths in use)\n",
           stats.n_pages, stats.page_bytes, stats.metadata_bytes, stats.n_free_pages,
           stats.n_kept_pages);
    const unsigned char *page = (const unsigned char *)view->env->region + stats.metadata_bytes;
    size_t at = 0;
    for (size_t i = 0; i < stats.n_pages; i++, page += stats.page_bytes) {
        size_t live = live_in_page(view, page, stats.page_bytes, &at);
        bool last = i % PAGES_PER_LINE == PAGES_PER_LINE - 1 || i == stats.n_pages - 1;
        printf("%s%c%s", i % PAGES_PER_LINE == 0 ? "    " : "",
               page_sign(slab, page, live, stats.page_bytes), last ? "\n" : "");
    }
    slm_slab_detach(slab);
}

/* --- The live map --- */

struct picture {
    const struct slm_adapter *adapter;
    const struct hrn_program *program;
    size_t n_ops;
    bool all;
    size_t n_views;
};

/* An object's place: its offset in the arena's first region, or from the lowest object; in a region
 * that was added, its address. */
static void print_place(const struct hrn_watch_view *view, const unsigned char *base,
                        const unsigned char *p, char *place, size_t place_bytes)
{
    size_t offset = (size_t)((uintptr_t)p - (uintptr_t)base);
    if (view->env->region != NULL && offset > view->env->region_bytes) {
        snprintf(place, place_bytes, "%p", (const void *)p);
    } else {
        snprintf(place, place_bytes, "+%zu", offset);
    }
}

static void print_objects(const struct hrn_watch_view *view, bool all)
{
    const unsigned char *base = view->env->region != NULL ? view->env->region
                                : view->n_objects > 0     ? view->objects[0].p
                                                          : NULL;
    size_t n = all || view->n_objects < OBJECTS_SHOWN ? view->n_objects : OBJECTS_SHOWN;
    for (size_t i = 0; i < n; i++) {
        const struct hrn_watch_object *o = &view->objects[i];
        char place[32];
        bool last = i % OBJECTS_PER_LINE == OBJECTS_PER_LINE - 1 || i == n - 1;
        print_place(view, base, o->p, place, sizeof place);
        printf("  #%-6u%7zu bytes at %*s%s", o->id, o->size_bytes, last ? 0 : -10, place,
               last ? "\n" : "");
    }
    if (n < view->n_objects) {
        printf("  ... and %zu more (--all shows them)\n", view->n_objects - n);
    }
}

static void print_view(void *data, const struct hrn_watch_view *view)
{
    struct picture *picture = data;
    picture->n_views++;
    printf("arena %u: live objects %zu, bytes asked for %zu", view->env->arena, view->n_objects,
           view->live_bytes);
    if (view->env->region != NULL) {
        printf(", in a region of %zu bytes\n", view->env->region_bytes);
    } else {
        printf(", %zu bytes taken from the source; offsets are from the lowest object\n",
               view->source_bytes);
    }
    if (view->env->region != NULL) {
        print_pages(view);
    }
    print_objects(view, picture->all);
    (void)fflush(stdout); /* the run may not end */
}

static void look_in_child(void *data, struct hrn_result *result)
{
    struct picture *picture = data;
    (void)hrn_watch_look(picture->adapter, picture->program, picture->n_ops, print_view, data,
                         result);
    if (picture->n_views == 0) {
        printf("  there is no arena\n");
    }
}

static void print_failure(const struct mill_trial *trial, const struct slm_adapter *adapter,
                          size_t op_idx, size_t n_ops)
{
    char text[MILL_TRIAL_TEXT_BYTES];
    mill_trial_text(trial, text, sizeof text);
    printf("\n%s %s", adapter->name, text);
    if (trial->end == MILL_END_KEPT) {
        printf(": %llu operations done, %llu allocations refused\n",
               (unsigned long long)trial->result.n_done,
               (unsigned long long)trial->result.n_refused);
        return;
    }
    if (op_idx < n_ops) {
        printf(", at operation %zu\n", op_idx);
    } else {
        printf(", at the end\n");
    }
    if (trial->end == MILL_END_LAW) {
        printf("  seen: %s\n", trial->result.text);
    }
    mill_trial_print_log(trial, "  | ");
}

static void print_counts(const struct mill_input *input)
{
    const struct hrn_program *program = &input->trace.program;
    printf("%s: operations %zu", input->path, mill_input_ops(input));
    if (input->trace.n_refused > 0) {
        printf(" (%zu were refused when recorded: here each has a free after it)",
               input->trace.n_refused);
    }
    printf(", objects %u, arenas %u, read as %s\n", program->n_ids, program->n_arenas,
           input->from_bytes ? "bytes" : "a trace");
}

static int explain(struct mill_input *input, const struct slm_adapter *adapter,
                   const struct mill_options *options)
{
    struct mill_trial trial;
    size_t op_idx;
    struct hrn_program *program = &input->trace.program;
    size_t n_ops = program->n_ops;
    unsigned limit = mill_limit_of(options, program);
    print_counts(input);
    mill_trial_find(&trial, adapter, program, limit, &op_idx);
    bool fails = trial.end != MILL_END_KEPT;
    op_idx = fails ? op_idx : program->n_ops;
    input->trace.word = mill_adapter_word(adapter);
    print_ops(&input->trace, op_idx, fails, options->all);
    print_failure(&trial, adapter, op_idx, n_ops);
    printf("\nLive before %s:\n", fails && op_idx < n_ops ? "it" : "the end");
    struct picture picture = {adapter, program, op_idx, options->all, 0};
    struct mill_trial look;
    mill_trial_call(&look, look_in_child, &picture, limit);
    if (look.end == MILL_END_CRASH || look.end == MILL_END_HANG) {
        printf("  (this run did not end either)\n");
    }
    return fails ? MILL_BROKEN : MILL_GOOD;
}

int mill_explain(const struct mill_options *options)
{
    struct mill_input input;
    if (!mill_input_read(&input, options, options->files[0])) {
        return MILL_WRONG;
    }
    const struct slm_adapter *adapter = mill_input_adapter(&input, options);
    int status = adapter == NULL ? MILL_WRONG : explain(&input, adapter, options);
    mill_input_fini(&input);
    return status;
}
