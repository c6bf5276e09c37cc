/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill replay: runs traces and fuzz inputs with every check, and prints the results. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/run/watch.h"
#include "tools/slabmill/slabmill.h"
#include <slabmill/pool.h>
#include <slabmill/slab.h>

#define FINE_PER_DOUBLING 8u

/* What a replay counts in addition to the run's own counts. */
struct tally {
    const struct hrn_trace *trace;
    size_t next_refused;     /* in trace->refused */
    uint64_t n_served;       /* refused when recorded, served here */
    uint64_t n_denied;       /* the reverse */
    size_t first_denied_idx; /* operation of the first of those */
    uint64_t n_arenas;
    uint64_t n_large;
    size_t large_above_bytes;    /* small limit of the pool made last */
    size_t limit_of_bytes;       /* block size to which this limit belongs */
    struct slm_slab_stats stats; /* at the end of the arena that used most pages */
    struct hrn_result result;
};

/* --- Watching --- */

static bool was_refused(struct tally *tally, size_t op_idx)
{
    const struct hrn_trace *trace = tally->trace;
    while (tally->next_refused < trace->n_refused && trace->refused[tally->next_refused] < op_idx) {
        tally->next_refused++;
    }
    return tally->next_refused < trace->n_refused && trace->refused[tally->next_refused] == op_idx;
}

static void count_answer(void *data, size_t op_idx, const struct slm_adapter_request *rq,
                         const void *p)
{
    struct tally *tally = data;
    bool recorded = was_refused(tally, op_idx);
    tally->n_served += recorded && p != NULL;
    tally->n_large += p != NULL && rq->size_bytes > tally->large_above_bytes;
    if (!recorded && p == NULL && tally->n_denied++ == 0) {
        tally->first_denied_idx = op_idx;
    }
}

static void count_arena(void *data, const struct slm_adapter_env *env)
{
    (void)env;
    ((struct tally *)data)->n_arenas++;
}

/* The size above which an object is a large block, found from a pool of the same block size. */
static void count_pool(void *data, const struct slm_adapter_env *env)
{
    struct tally *tally = data;
    tally->n_arenas++;
    size_t block_bytes = env->pool_shape->block_bytes;
    struct slm_pool *pool;
    if (block_bytes != tally->limit_of_bytes &&
        slm_pool_create(&pool, block_bytes, NULL, 0) == SLM_OK) {
        struct slm_pool_stats stats;
        slm_pool_get_stats(pool, &stats);
        (void)slm_pool_destroy(pool);
        tally->limit_of_bytes = block_bytes;
        tally->large_above_bytes = stats.small_limit_bytes;
    }
}

/* Attaches a second view of the region, to read the statistics of the first. */
static void read_slab(void *data, const struct slm_adapter_env *env)
{
    struct tally *tally = data;
    struct slm_slab *slab;
    if (slm_slab_attach(&slab, env->region, env->region_bytes, NULL) != SLM_OK) {
        return;
    }
    struct slm_slab_stats stats;
    slm_slab_get_stats(slab, &stats);
    slm_slab_detach(slab);
    if (stats.peak_used_pages >= tally->stats.peak_used_pages) {
        tally->stats = stats;
    }
}

static bool replay_once(struct tally *tally, const struct slm_adapter *adapter,
                        const struct mill_input *input)
{
    memset(tally, 0, sizeof *tally);
    tally->trace = &input->trace;
    tally->large_above_bytes = SIZE_MAX;
    bool slab = adapter == &hrn_adapter_slab;
    const struct hrn_watcher watcher = {.data = tally,
                                        .made =
                                            adapter == &hrn_adapter_pool ? count_pool : count_arena,
                                        .answered = count_answer,
                                        .ending = slab ? read_slab : NULL};
    enum hrn_law law = hrn_watch_run(adapter, &input->trace.program, &tally->result, &watcher);
    return law == HRN_LAW_NONE;
}

/* --- Output --- */

static void print_slab_header(const struct mill_input *input)
{
    printf("%s: slab, %zu operations, %zu refused by nginx; every law kept\n", input->path,
           mill_input_ops(input), input->trace.n_refused);
    printf("  %-16s %8s %12s %12s %11s %11s %11s\n", "classes", "page", "of these", "refused here,",
           "peak pages", "peak bytes", "peak bytes");
    printf("  %-16s %8s %12s %12s %11s %11s %11s\n", "", "", "served here", "not by nginx", "used",
           "used", "asked for");
}

static void print_slab_row(const struct tally *tally, const struct hrn_head *head)
{
    char classes[32] = "powers of two";
    if (head->per_doubling > 1) {
        snprintf(classes, sizeof classes, "%u a doubling", head->per_doubling);
    }
    const struct slm_slab_stats *stats = &tally->stats;
    char pages[32];
    snprintf(pages, sizeof pages, "%zu of %zu", stats->peak_used_pages, stats->n_pages);
    printf("  %-16s %8u %12llu %13llu %11s %11zu %11zu\n", classes, head->page_bytes,
           (unsigned long long)tally->n_served, (unsigned long long)tally->n_denied, pages,
           stats->peak_used_pages * stats->page_bytes, tally->result.peak_live_bytes);
}

static void print_denied(const struct tally *tally, const struct mill_input *input)
{
    if (tally->n_denied > 0 && !input->from_bytes) {
        char op[HRN_OP_TEXT_BYTES];
        hrn_op_text(&input->trace.program.ops[tally->first_denied_idx], op, sizeof op);
        printf("  the first refusal that nginx did not make: operation %zu: %s\n",
               tally->first_denied_idx, op);
    }
}

static void print_plain(const struct tally *tally, const struct slm_adapter *adapter,
                        const struct mill_input *input)
{
    printf("%s: %s, %llu arenas, %zu operations, %llu refused, %zu bytes asked for at most; "
           "every law kept\n",
           input->path, adapter->name, (unsigned long long)tally->n_arenas, mill_input_ops(input),
           (unsigned long long)tally->result.n_refused, tally->result.peak_live_bytes);
}

static void print_pool(const struct tally *tally, const struct mill_input *input)
{
    printf("%s: pool, %llu pools, %zu operations, %llu refused, %llu large blocks; "
           "every law kept\n",
           input->path, (unsigned long long)tally->n_arenas, mill_input_ops(input),
           (unsigned long long)tally->result.n_refused, (unsigned long long)tally->n_large);
    printf("  peak bytes: %zu asked for, %zu taken from the source\n",
           tally->result.peak_live_bytes, tally->result.peak_source_bytes);
}

static void print_brief(const struct tally *tally, const struct slm_adapter *adapter,
                        const struct mill_input *input)
{
    printf("%s: %s, %zu operations, %llu refused; every law kept\n", input->path, adapter->name,
           mill_input_ops(input), (unsigned long long)tally->result.n_refused);
}

static void print_json(const struct tally *tally, const struct slm_adapter *adapter,
                       const struct mill_input *input)
{
    printf("{\"file\":");
    mill_json_text(input->path);
    printf(",\"adapter\":");
    mill_json_text(adapter->name);
    printf(",\"end\":\"kept\",\"operations\":%zu,\"refused\":%llu,\"peak_bytes\":%zu,"
           "\"peak_source_bytes\":%zu}\n",
           mill_input_ops(input), (unsigned long long)tally->result.n_refused,
           tally->result.peak_live_bytes, tally->result.peak_source_bytes);
}

/* --- Replaying, in a child --- */

struct replay {
    const struct mill_options *options;
    bool brief; /* one line */
    const struct slm_adapter *adapter;
    struct mill_input *input;
};

/* False: broken; *result says how. */
static bool replay_slab(const struct replay *replay, struct hrn_result *result, bool both_tables)
{
    struct mill_input *input = replay->input;
    struct hrn_head *head = &input->trace.program.head;
    struct tally tallies[2];
    struct hrn_head heads[2];
    size_t n = both_tables ? 2 : 1;
    for (size_t i = 0; i < n; i++) {
        head->per_doubling = both_tables ? (i == 0 ? 1 : FINE_PER_DOUBLING) : head->per_doubling;
        heads[i] = *head;
        bool kept = replay_once(&tallies[i], replay->adapter, input);
        *result = tallies[i].result;
        if (!kept) {
            return false;
        }
    }
    if (replay->brief) {
        print_brief(&tallies[0], replay->adapter, input);
        return true;
    }
    print_slab_header(input);
    for (size_t i = 0; i < n; i++) {
        print_slab_row(&tallies[i], &heads[i]);
        print_denied(&tallies[i], input);
    }
    return true;
}

static void run_replay(void *data, struct hrn_result *result)
{
    const struct replay *replay = data;
    const struct mill_options *options = replay->options;
    struct mill_input *input = replay->input;
    bool fixed = options->classes != 0 || options->page != 0 || input->trace.has_head;
    struct tally tally;
    if (replay->adapter == &hrn_adapter_slab && !input->from_bytes && !options->json) {
        (void)replay_slab(replay, result, !fixed);
        return;
    }
    bool kept = replay_once(&tally, replay->adapter, input);
    *result = tally.result;
    if (!kept) {
        return;
    }
    if (options->json) {
        print_json(&tally, replay->adapter, input);
    } else if (replay->brief) {
        print_brief(&tally, replay->adapter, input);
    } else if (replay->adapter == &hrn_adapter_pool) {
        print_pool(&tally, input);
    } else {
        print_plain(&tally, replay->adapter, input);
    }
}

/* --- How it ended --- */

static void print_failed(const struct replay *replay, const struct mill_trial *trial)
{
    const struct hrn_program *program = &replay->input->trace.program;
    char text[MILL_TRIAL_TEXT_BYTES];
    char place[MILL_PLACE_BYTES];
    bool law = trial->end == MILL_END_LAW;
    size_t op_idx = law ? trial->result.op_idx : trial->op_idx;
    bool brief = replay->brief;
    mill_trial_text(trial, text, sizeof text);
    mill_place_text(trial, program->n_ops, place);
    printf("%s: %s %s", replay->input->path, replay->adapter->name, text);
    if (law) {
        printf("%s seen: %s", brief ? ";" : "\n ", trial->result.text);
    }
    if (place[0] != '\0') {
        printf("%s %s", brief ? "," : "\n ", place);
    }
    if (op_idx < program->n_ops) {
        char op[HRN_OP_TEXT_BYTES];
        hrn_op_text(&program->ops[op_idx], op, sizeof op);
        printf(": %s", op);
    }
    printf("\n");
    if (!brief) {
        mill_trial_print_log(trial, "  | ");
    }
}

static void print_failed_json(const struct replay *replay, const struct mill_trial *trial)
{
    char text[MILL_TRIAL_TEXT_BYTES];
    bool law = trial->end == MILL_END_LAW;
    size_t op_idx = law ? trial->result.op_idx : trial->op_idx;
    mill_trial_text(trial, text, sizeof text);
    printf("{\"file\":");
    mill_json_text(replay->input->path);
    printf(",\"adapter\":");
    mill_json_text(replay->adapter->name);
    printf(",\"end\":\"%s\",\"text\":", mill_end_name(trial->end));
    mill_json_text(text);
    printf(",\"seen\":");
    mill_json_text(law ? trial->result.text : trial->log);
    if (op_idx == SIZE_MAX) {
        printf(",\"operation\":null}\n");
    } else {
        printf(",\"operation\":%zu}\n", op_idx);
    }
}

static int replay_input(struct mill_input *input, const struct mill_options *options)
{
    struct replay replay = {options, options->n_files > 1 && !options->all,
                            mill_input_adapter(input, options), input};
    struct mill_trial trial;
    if (replay.adapter == NULL) {
        return MILL_WRONG;
    }
    struct hrn_head *head = &input->trace.program.head;
    head->per_doubling = options->classes != 0 ? (uint32_t)options->classes : head->per_doubling;
    head->page_bytes = options->page != 0 ? (uint32_t)options->page : head->page_bytes;
    mill_trial_call(&trial, run_replay, &replay, mill_limit_of(options, &input->trace.program));
    if (trial.end == MILL_END_KEPT) {
        return MILL_GOOD;
    }
    if (options->json) {
        print_failed_json(&replay, &trial);
    } else {
        print_failed(&replay, &trial);
    }
    return MILL_BROKEN;
}

int mill_replay(const struct mill_options *options)
{
    int worst = MILL_GOOD;
    if (options->region != 0) {
        return mill_measure(options);
    }
    for (size_t i = 0; i < options->n_files; i++) {
        struct mill_input input;
        int status = MILL_WRONG;
        if (mill_input_read(&input, options, options->files[i])) {
            status = replay_input(&input, options);
            mill_input_fini(&input);
        }
        worst = status > worst ? status : worst;
    }
    return worst;
}
