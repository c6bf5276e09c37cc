/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill probe: which promises an allocator seems to keep that its adapter does not declare. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#endif

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/inputs/random.h"
#include "harness/run/promise.h"
#include "tools/slabmill/slabmill.h"

#define PROBE_OPS      200000u
#define PROGRAM_OPS    1500u
#define DIRECTED_EVERY 4u    /* programs of which one fills arenas, and empties them in parts */
#define ENOUGH         100u  /* so many chances to break a promise say something */
#define RARE           1000u /* of so many chances, one broke the promise, or fewer */
#define SLACK_MAX      1024u /* more than any allocator keeps next to an object */

/* Shared with the children that run the programs. */
struct shared {
    struct hrn_promise_probe probe;
    uint64_t n_done;
};

struct probing {
    const struct slm_adapter *adapter;
    struct shared *shared;
    struct hrn_program program;
    uint64_t n_programs;
    uint64_t n_findings;               /* programs that broke a law or crashed */
    char first[MILL_TRIAL_TEXT_BYTES]; /* what the first of them did */
};

/* --- Programs --- */

static void push(struct hrn_program *program, enum hrn_kind kind, uint32_t id, size_t size_bytes,
                 uint16_t count)
{
    const struct hrn_op op = {
        .kind = (uint8_t)kind, .id = id, .size_bytes = size_bytes, .count = count};
    hrn_program_push(program, op);
}

/* Fills the arena with objects of one size, frees one in `stride` of them, asks for larger and
 * smaller ones, and empties the arena. */
static void push_round(struct hrn_program *program, struct hrn_rng *rng)
{
    uint32_t first = program->n_ids;
    uint32_t stride = 2 + hrn_rng_below(rng, 3);
    uint16_t count = (uint16_t)(16u << hrn_rng_below(rng, 5));
    size_t size = (size_t)8 << hrn_rng_below(rng, 10);
    size += hrn_rng_below(rng, (uint32_t)size);
    push(program, HRN_BURST, first, size, count);
    for (uint32_t i = 0; i < count; i += stride) {
        push(program, HRN_FREE, first + i, 0, 0);
    }
    for (size_t i = 0; i < 8; i++) {
        push(program, HRN_ALLOC, program->n_ids, size * (1 + i % 4) / (1 + i / 4), 0);
    }
    push(program, HRN_DRAIN, HRN_NO_ID, 0, 0);
}

static void make_program(struct probing *probing, uint64_t seed)
{
    struct hrn_program *program = &probing->program;
    uint64_t number = probing->n_programs;
    struct hrn_rng rng;
    struct hrn_gen gen;
    hrn_rng_seed(&rng, seed);
    hrn_rng_seed(&rng, hrn_rng_next(&rng) ^ number);
    hrn_program_clear(program);
    hrn_gen_head(&rng, &program->head);
    if (number % DIRECTED_EVERY == 0) {
        while (program->n_ops < PROGRAM_OPS / 4) {
            push_round(program, &rng);
        }
        return;
    }
    hrn_gen_init(&gen, hrn_can(probing->adapter));
    gen.arena1_percent = probing->adapter->one_arena ? 0 : gen.arena1_percent;
    gen.size_log_max = (uint8_t)(4 + hrn_rng_below(&rng, 13));
    hrn_gen_program(&gen, &rng, PROGRAM_OPS, program);
}

/* In a child: a probed allocator may crash. */
static void run_program(void *data, struct hrn_result *result)
{
    const struct probing *probing = data;
    (void)hrn_run_probe(probing->adapter, &probing->program, result, &probing->shared->probe);
    probing->shared->n_done += result->n_done;
}

static void run_programs(struct probing *probing, const struct mill_options *options)
{
    uint64_t n_ops = options->ops == 0 ? PROBE_OPS : options->ops;
    hrn_program_init(&probing->program);
    while (probing->shared->n_done < n_ops && probing->n_findings < ENOUGH) {
        struct mill_trial trial;
        make_program(probing, options->seed == 0 ? 1 : options->seed);
        probing->n_programs++;
        mill_trial_call(&trial, run_program, probing, (unsigned)options->timeout);
        if (trial.end != MILL_END_KEPT && probing->n_findings++ == 0) {
            mill_trial_text(&trial, probing->first, sizeof probing->first);
        }
    }
    hrn_program_fini(&probing->program);
}

/* --- The page --- */

static void print_declared(const struct slm_adapter *adapter)
{
    uint32_t declared = hrn_promises_of(adapter);
    printf("    declared, so enforced:");
    for (enum hrn_promise promise = 0; promise < HRN_PROMISE_COUNT; promise++) {
        if ((declared >> promise & 1u) != 0) {
            printf(" %s", hrn_promise_name(promise));
        }
    }
    printf("%s\n", declared == 0 ? " none" : "");
}

static void print_observed(enum hrn_promise promise, const struct hrn_promise_seen *seen)
{
    const char *name = hrn_promise_name(promise);
    uint64_t n = seen->n_kept + seen->n_broken;
    if (seen->n_broken == 0 && n >= ENOUGH) {
        printf("    seems to keep %s: it was not broken in %" PRIu64
               " chances; declare it to have it enforced\n",
               name, n);
    } else if (seen->n_broken > 0) {
        bool is_rare = seen->n_broken <= n / RARE;
        printf("    does not keep %s: it was broken %" PRIu64 " times in %" PRIu64 " chances%s\n"
               "      first: %s\n",
               name, seen->n_broken, n, is_rare ? "; so rarely that this may be a bug" : "",
               seen->first);
    } else if (n > 0) {
        printf("    may keep %s: it was not broken, but in only %" PRIu64 " chances\n", name, n);
    }
}

static void print_gaps(const struct slm_adapter *adapter, const struct hrn_promise_probe *probe)
{
    if (adapter->footprint_bytes != NULL || probe->n_gaps < ENOUGH) {
        return;
    }
    if (probe->slack_bytes <= SLACK_MAX) {
        printf("    seems to keep gap_serves, with a footprint_bytes of size + %zu: in %" PRIu64
               " refusals no gap was longer\n",
               probe->slack_bytes + 1, probe->n_gaps);
    } else {
        printf("    no footprint_bytes of the size and a little makes gap_serves true: a request "
               "was refused\n      that is %zu bytes shorter than a gap\n",
               probe->slack_bytes);
    }
}

static void print_growth(const struct slm_adapter *adapter, const struct hrn_promise_probe *probe)
{
    if (adapter->growth_bytes == NULL && probe->n_grown >= ENOUGH) {
        printf("    seems to keep growth, with growth_bytes of 2 * live_bytes + %zu: in %" PRIu64
               " grants the source gave no more\n",
               probe->growth_bytes, probe->n_grown);
    }
}

static void print_page(const struct probing *probing)
{
    const struct slm_adapter *adapter = probing->adapter;
    const struct hrn_promise_probe *probe = &probing->shared->probe;
    uint32_t declared = hrn_promises_of(adapter);
    printf("  promises     observed in %" PRIu64 " operations", probing->shared->n_done);
    if (probing->n_findings > 0) {
        printf("; %" PRIu64 " of %" PRIu64 " programs broke a law or crashed\n      first: %s",
               probing->n_findings, probing->n_programs, probing->first);
    }
    printf("\n");
    print_declared(adapter);
    for (enum hrn_promise promise = 0; promise < HRN_PROMISE_COUNT; promise++) {
        if ((declared >> promise & 1u) == 0) {
            print_observed(promise, &probe->seen[promise]);
        }
    }
    print_gaps(adapter, probe);
    print_growth(adapter, probe);
}

enum mill_exit mill_probe_adapter(const struct mill_options *options,
                                  const struct slm_adapter *adapter)
{
    struct probing probing = {.adapter = adapter};
    void *page = mmap(NULL, sizeof *probing.shared, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        (void)mill_complain("probe: no memory to share");
        return MILL_WRONG;
    }
    probing.shared = page;
    (void)fflush(stdout);
    run_programs(&probing, options);
    print_page(&probing);
    (void)munmap(page, sizeof *probing.shared);
    return probing.n_findings > 0 ? MILL_BROKEN : MILL_GOOD;
}

int mill_probe(const struct mill_options *options)
{
    if (options->adapter == NULL) {
        return mill_complain("probe: expected a shared object, or --adapter NAME");
    }
    const struct slm_adapter *adapter = mill_adapter_need(options->adapter);
    if (adapter == NULL) {
        return MILL_WRONG;
    }
    printf("%s\n", adapter->name);
    return (int)mill_probe_adapter(options, adapter);
}
