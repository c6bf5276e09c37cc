/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill soak: runs random programs, round by round, each from its own seed. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#endif

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "harness/base/hash.h"
#include "harness/inputs/random.h"
#include "tools/slabmill/child.h"

#define ROUND_OPS_MAX 3000u

struct soak {
    const struct mill_options *options;
    const struct slm_adapter *adapter;
    struct progress *progress;
};

/* Shared with the child that runs the rounds: its counts survive its death. */
struct progress {
    uint64_t round; /* the current round */
    uint64_t n_execs;
    struct hrn_result running; /* of the current round, or of the one that failed */
    bool is_unsaved;           /* the round's program could not be written */
    uint64_t n_done;           /* in earlier rounds */
    uint64_t n_refused;
    uint64_t digest; /* of each round's result: equal seeds give equal digests */
};

static uint64_t round_seed(uint64_t seed, uint64_t round)
{
    struct hrn_rng rng;
    hrn_rng_seed(&rng, seed);
    uint64_t base = hrn_rng_next(&rng);
    hrn_rng_seed(&rng, base ^ round);
    return hrn_rng_next(&rng);
}

void mill_soak_program(const struct slm_adapter *adapter, uint64_t seed, uint64_t round,
                       struct hrn_program *program)
{
    struct hrn_rng rng;
    hrn_rng_seed(&rng, round_seed(seed, round));
    struct hrn_gen gen;
    hrn_gen_init(&gen, hrn_can(adapter));
    gen.live_max = 1 + hrn_rng_below(&rng, 600);
    gen.size_log_max = (uint8_t)(4 + hrn_rng_below(&rng, 13));
    gen.edge_percent = (uint8_t)hrn_rng_below(&rng, 100);
    gen.arena1_percent = adapter->one_arena ? 0 : gen.arena1_percent;
    hrn_program_clear(program);
    hrn_gen_head(&rng, &program->head);
    hrn_gen_program(&gen, &rng, 1 + hrn_rng_below(&rng, ROUND_OPS_MAX), program);
}

static void make_program(const struct soak *soak, uint64_t round, struct hrn_program *program)
{
    mill_soak_program(soak->adapter, soak->options->seed, round, program);
}

static void add_digest(struct progress *progress)
{
    const struct hrn_result *result = &progress->running;
    const uint64_t words[] = {result->n_done, result->n_refused, result->peak_live_bytes};
    progress->digest = hrn_hash(progress->digest, words, sizeof words);
    progress->n_done += result->n_done;
    progress->n_refused += result->n_refused;
    progress->running.n_done = 0;
}

static bool save_seed(const struct soak *soak, uint64_t round, const struct hrn_program *program)
{
    char name[96];
    snprintf(name, sizeof name, "soak-%s-%" PRIu64 "-%05" PRIu64, soak->adapter->name,
             soak->options->seed, round);
    soak->progress->is_unsaved = soak->options->save_seeds != NULL &&
                                 !mill_seed_write(soak->options->save_seeds, name, program);
    return !soak->progress->is_unsaved;
}

static bool has_ended(const struct soak *soak, uint64_t round, time_t start)
{
    if (soak->options->rounds > 0) {
        return round >= soak->options->rounds;
    }
    if (soak->options->ops > 0) {
        return soak->progress->n_done >= soak->options->ops;
    }
    return time(NULL) - start >= (time_t)soak->options->seconds;
}

/* An adapter whose state survives gets a process for each round. */
static void run_round(const struct soak *soak, const struct hrn_program *program,
                      struct mill_trial *trial)
{
    mill_trial_run(trial, soak->adapter, program, (unsigned)soak->options->timeout);
    soak->progress->running = trial->result;
}

/* Rounds in processes of their own. Ends with the first that does not keep every law. */
static void run_rounds_apart(const struct soak *soak, struct mill_trial *trial)
{
    struct progress *progress = soak->progress;
    struct hrn_program program;
    hrn_program_init(&program);
    time_t start = time(NULL);
    memset(trial, 0, sizeof *trial);
    while (!has_ended(soak, progress->round, start)) {
        make_program(soak, progress->round, &program);
        progress->n_execs++;
        if (!save_seed(soak, progress->round, &program)) {
            break;
        }
        run_round(soak, &program, trial);
        if (trial->end != MILL_END_KEPT) {
            break;
        }
        add_digest(progress);
        progress->round++;
    }
    hrn_program_fini(&program);
}

/* In the child. Ends with the first broken law. */
static void run_rounds(void *data, struct hrn_result *result)
{
    const struct soak *soak = data;
    struct progress *progress = soak->progress;
    struct hrn_program program;
    hrn_program_init(&program);
    time_t start = time(NULL);
    result->law = HRN_LAW_NONE;
    for (; !has_ended(soak, progress->round, start); progress->round++) {
        mill_child_limit(1000 * (unsigned)soak->options->timeout);
        make_program(soak, progress->round, &program);
        if (!save_seed(soak, progress->round, &program)) {
            break;
        }
        progress->n_execs++;
        if (hrn_run_catch(soak->adapter, &program, &progress->running) != HRN_LAW_NONE) {
            *result = progress->running;
            break;
        }
        if (mill_report_is_due()) {
            break;
        }
        add_digest(progress);
    }
    hrn_program_fini(&program);
}

static int report_failure(const struct soak *soak, const struct mill_trial *trial)
{
    uint64_t round = soak->progress->round;
    char text[MILL_TRIAL_TEXT_BYTES];
    char path[256];
    mill_trial_text(trial, text, sizeof text);
    snprintf(path, sizeof path, "soak-%s-%" PRIu64 "-%" PRIu64 ".trace", soak->adapter->name,
             soak->options->seed, round);
    const char *out = soak->options->out != NULL ? soak->options->out : path;
    printf("%s, seed %" PRIu64 ", round %" PRIu64 " (its own seed %" PRIu64 "): %s\n",
           soak->adapter->name, soak->options->seed, round, round_seed(soak->options->seed, round),
           text);
    if (trial->end == MILL_END_LAW) {
        printf("  seen: %s\n", trial->result.text);
    }
    mill_trial_print_log(trial, "  | ");
    struct hrn_trace trace;
    hrn_trace_init(&trace);
    make_program(soak, round, &trace.program);
    trace.word = mill_adapter_word(soak->adapter);
    size_t n_bytes;
    char *bytes = hrn_trace_print(&trace, &n_bytes);
    bool written = mill_file_write(out, bytes, n_bytes);
    free(bytes);
    hrn_trace_fini(&trace);
    if (written) {
        printf("  the program is in %s; next: slabmill shrink --adapter %s %s\n", out,
               mill_adapter_is_plugin(soak->options->adapter) ? soak->options->adapter
                                                              : soak->adapter->name,
               out);
    }
    return written ? MILL_BROKEN : MILL_WRONG;
}

/* Prints what the rounds came to. */
static int tell(const struct soak *soak, const struct mill_trial *trial)
{
    const struct progress *progress = soak->progress;
    if (progress->is_unsaved) {
        fputs(trial->log, stderr); /* the child's message */
        return MILL_WRONG;
    }
    if (trial->end != MILL_END_KEPT) {
        return report_failure(soak, trial);
    }
    printf("%s, seed %" PRIu64 ": %" PRIu64 " rounds, %" PRIu64 " operations, %" PRIu64
           " allocations refused, digest %016" PRIx64 "; every law kept\n",
           soak->adapter->name, soak->options->seed, progress->round, progress->n_done,
           progress->n_refused, progress->digest);
    return MILL_GOOD;
}

static int run_soak(struct soak *soak)
{
    struct mill_trial trial;
    struct timespec start, end;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    if (soak->adapter->fresh_process) {
        run_rounds_apart(soak, &trial);
    } else {
        mill_trial_call(&trial, run_rounds, soak, (unsigned)soak->options->timeout);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds =
        (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    int status = tell(soak, &trial);
    (void)fflush(stdout); /* on a terminal, the account has a line of its own */
    const struct progress *progress = soak->progress;
    fprintf(stderr, "slabmill: ops=%" PRIu64 " execs=%" PRIu64 " seconds=%.2f\n",
            progress->n_done + progress->running.n_done, progress->n_execs, seconds);
    return status;
}

int mill_soak_adapter(const struct mill_options *options, const struct slm_adapter *adapter)
{
    struct soak soak = {.options = options, .adapter = adapter};
    void *page = mmap(NULL, sizeof *soak.progress, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return mill_complain("soak: no memory to share");
    }
    soak.progress = page;
    soak.progress->digest = HRN_HASH_START;
    int status = run_soak(&soak);
    (void)munmap(page, sizeof *soak.progress);
    return status;
}

int mill_soak(const struct mill_options *options)
{
    if (options->adapter == NULL) {
        return mill_complain("soak: expected a shared object, or --adapter NAME");
    }
    int n_ends = (options->seconds != 0) + (options->rounds != 0) + (options->ops != 0);
    if (n_ends > 1) {
        return mill_complain("soak: expected one of --seconds, --rounds and --ops");
    }
    const struct slm_adapter *adapter = mill_adapter_need(options->adapter);
    if (options->out != NULL && !mill_file_may_be(options->out)) {
        return MILL_WRONG;
    }
    if (adapter == NULL || (options->save_seeds != NULL && !mill_dir_make(options->save_seeds))) {
        return MILL_WRONG;
    }
    struct mill_options soak = *options;
    soak.seed = mill_seed_of(options);
    soak.ops = n_ends == 0 ? MILL_SOAK_OPS : options->ops;
    if (!options->has_seed) {
        printf("%s, seed %" PRIu64 "\n", adapter->name, soak.seed); /* if it is stopped */
        (void)fflush(stdout);
    }
    return mill_soak_adapter(&soak, adapter);
}
