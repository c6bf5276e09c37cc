/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill replay --region: what a trace costs with each allocator. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mincore, MAP_ANONYMOUS */
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tools/slabmill/measure.h"

#define N_PASSES     3u /* the fastest counts */
#define PASS_MAX_NS  1e9
#define ADAPTERS_MAX 16u

struct measuring {
    const struct slm_adapter *adapter;
    const struct hrn_program *program;
    struct mill_cost *cost; /* shared with the child */
};

static void run_checked(void *data, struct hrn_result *result)
{
    const struct measuring *m = data;
    (void)hrn_run_catch(m->adapter, m->program, result);
}

static void run_unchecked(void *data, struct hrn_result *result)
{
    const struct measuring *m = data;
    result->law = HRN_LAW_NONE;
    struct mill_cost cost = {0};
    unsigned n_passes = m->adapter->fresh_process ? 1 : N_PASSES;
    for (unsigned i = 0; i < n_passes && cost.nanoseconds < PASS_MAX_NS; i++) {
        mill_cost_run(&cost, m->adapter, m->program);
        if (i == 0 || cost.nanoseconds < m->cost->nanoseconds) {
            *m->cost = cost;
        }
    }
}

/* --- Output --- */

static double unused_share(const struct mill_cost *cost)
{
    return cost->taken_bytes <= cost->asked_bytes
               ? 0
               : 1 - (double)cost->asked_bytes / (double)cost->taken_bytes;
}

static void print_header(const struct mill_input *input)
{
    printf("%s: %zu operations, regions of %u bytes\n", input->path, mill_input_ops(input),
           input->trace.program.head.region_bytes);
    printf("  %-20s %9s %12s %12s %7s %8s  %s\n", "adapter", "refused", "most asked", "most taken",
           "unused", "ns a call", "laws");
}

static void print_row(const struct measuring *m, const struct mill_trial *trial)
{
    const struct mill_cost *cost = m->cost;
    char taken[24] = "-";
    char unused[16] = "-";
    char text[MILL_TRIAL_TEXT_BYTES];
    mill_trial_text(trial, text, sizeof text);
    if (cost->knows_taken) {
        snprintf(taken, sizeof taken, "%zu", cost->taken_bytes);
        snprintf(unused, sizeof unused, "%.1f %%", 100 * unused_share(cost));
    }
    printf("  %-20s %9zu %12zu %12s %7s %8.0f  %s\n", m->adapter->name, cost->n_refused,
           cost->asked_bytes, taken, unused, cost->nanoseconds / (double)(cost->n_calls + 1), text);
}

static void print_json(const struct mill_input *input, const struct measuring *m,
                       const struct mill_trial *trial)
{
    const struct mill_cost *cost = m->cost;
    printf("{\"file\":");
    mill_json_text(input->path);
    printf(",\"adapter\":");
    mill_json_text(m->adapter->name);
    printf(",\"end\":\"%s\",\"region\":%u,\"operations\":%zu,\"calls\":%zu,\"refused\":%zu,"
           "\"asked_bytes\":%zu",
           mill_end_name(trial->end), m->program->head.region_bytes, mill_input_ops(input),
           cost->n_calls, cost->n_refused, cost->asked_bytes);
    if (cost->knows_taken) {
        printf(",\"taken_bytes\":%zu,\"unused\":%.3f", cost->taken_bytes, unused_share(cost));
    } else {
        printf(",\"taken_bytes\":null,\"unused\":null");
    }
    printf(",\"ns_per_call\":%.1f}\n", cost->nanoseconds / (double)(cost->n_calls + 1));
}

/* --- Runs --- */

static int measure(const struct mill_options *options, const struct mill_input *input,
                   struct measuring *m)
{
    struct mill_trial checked;
    struct mill_trial plain;
    unsigned limit = mill_limit_of(options, m->program);
    memset(m->cost, 0, sizeof *m->cost);
    mill_trial_call(&checked, run_checked, (void *)m, limit);
    mill_trial_call(&plain, run_unchecked, (void *)m, limit);
    const struct mill_trial *worst = checked.end != MILL_END_KEPT ? &checked : &plain;
    if (options->json) {
        print_json(input, m, worst);
    } else {
        print_row(m, worst);
    }
    return worst->end == MILL_END_KEPT ? MILL_GOOD : MILL_BROKEN;
}

/* The adapters of a list with commas. False, with a message: one cannot be used. */
static bool read_adapters(const char *names, const struct slm_adapter **adapters, size_t *n)
{
    char *list = strdup(names);
    char *rest;
    bool good = list != NULL;
    *n = 0;
    for (char *name = good ? strtok_r(list, ",", &rest) : NULL; name != NULL && good;
         name = strtok_r(NULL, ",", &rest)) {
        if (*n == ADAPTERS_MAX) {
            (void)mill_complain("--adapter: at most %u of them", ADAPTERS_MAX);
            good = false;
        } else {
            adapters[*n] = mill_adapter_need(name);
            good = adapters[(*n)++] != NULL;
        }
    }
    free(list);
    return good && *n > 0;
}

static int measure_file(const struct mill_options *options, const char *path,
                        const struct slm_adapter *const *adapters, size_t n, struct mill_cost *cost)
{
    struct mill_input input;
    int worst = MILL_GOOD;
    if (!mill_input_read(&input, options, path)) {
        return MILL_WRONG;
    }
    struct hrn_head *head = &input.trace.program.head;
    head->region_bytes = (uint32_t)options->region;
    head->per_doubling = options->classes != 0 ? (uint32_t)options->classes : head->per_doubling;
    head->page_bytes = options->page != 0 ? (uint32_t)options->page : head->page_bytes;
    if (!options->json) {
        print_header(&input);
    }
    for (size_t i = 0; i < n; i++) {
        struct measuring m = {adapters[i], &input.trace.program, cost};
        int status = measure(options, &input, &m);
        worst = status > worst ? status : worst;
    }
    mill_input_fini(&input);
    return worst;
}

int mill_measure(const struct mill_options *options)
{
    const struct slm_adapter *adapters[ADAPTERS_MAX];
    size_t n;
    const char *names = options->adapter != NULL ? options->adapter : "malloc,pool,slab";
    if (!read_adapters(names, adapters, &n)) {
        return MILL_WRONG;
    }
    struct mill_cost *cost =
        mmap(NULL, sizeof *cost, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (cost == MAP_FAILED) {
        return mill_complain("replay: no memory to share");
    }
    int worst = MILL_GOOD;
    for (size_t i = 0; i < options->n_files; i++) {
        int status = measure_file(options, options->files[i], adapters, n, cost);
        worst = status > worst ? status : worst;
    }
    (void)munmap(cost, sizeof *cost);
    return worst;
}
