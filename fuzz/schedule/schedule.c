/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/schedule/schedule.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/common/fuzz.h"
#include "harness/failure/say.h"
#include "harness/sched/lock_world.h"
#include "harness/sched/zone_world.h"

#define N_STEPS       20000u
#define N_PREEMPTIONS 100000u
#define TEXT_BYTES    (HRN_ACTORS_MAX * (HRN_SCHEDULE_LETTERS + 1))

/* The rest of the bytes, as answers. */
struct answers {
    const uint8_t *at;
    const uint8_t *end;
    unsigned n_first; /* how often answer 0 precedes the next byte's answer */
    bool is_open;     /* *at is being read */
};

static struct hrn_schedule_counts totals;

const struct hrn_schedule_counts *hrn_schedule_totals(void)
{
    return &totals;
}

bool hrn_schedule_kind(unsigned idx, struct hrn_fuzz_kind *kind)
{
    const struct hrn_fuzz_kind kinds[] = {
        {"lock_run", totals.n_lock_runs},
        {"zone_run", totals.n_zone_runs},
        {"preemption", totals.n_preemptions},
        {"death", totals.n_deaths},
        {"call", totals.n_calls},
    };
    return hrn_fuzz_kind_of(kinds, sizeof kinds / sizeof kinds[0], idx, kind);
}

static unsigned choose(void *chooser, unsigned n)
{
    struct answers *answers = chooser;
    if (answers->at == answers->end) {
        return 0;
    }
    if (!answers->is_open) {
        answers->is_open = true;
        answers->n_first = *answers->at >> 3;
    }
    if (answers->n_first > 0) {
        answers->n_first--;
        return 0;
    }
    answers->is_open = false;
    unsigned answer = (*answers->at++ & 7u) % n;
    HRN_SAY_OP("answer %u of %u", answer, n);
    return answer;
}

/* The letters of all actors, separated by |. */
static void write_text(char *text, const uint8_t *head, unsigned n_actors, const char *alphabet)
{
    size_t n_letters = strlen(alphabet);
    for (unsigned actor = 0; actor < n_actors; actor++) {
        const uint8_t *from = head + 1 + actor * HRN_SCHEDULE_LETTERS;
        if (actor > 0) {
            *text++ = '|';
        }
        for (unsigned i = 0; i < HRN_SCHEDULE_LETTERS && from[i] != 0; i++) {
            *text++ = alphabet[(from[i] - 1u) % n_letters];
        }
    }
    *text = '\0';
}

static void print_schedule(const char *text, const char *law)
{
    printf("%s: broken: %s, by\n", text, law);
    hrn_sched_print_steps();
    fflush(stdout);
}

static _Noreturn void lock_law_is_broken(const char *text, const char *law)
{
    print_schedule(text, law);
    abort();
}

static _Noreturn void zone_law_is_broken(const char *text, const char *law)
{
    print_schedule(text, law);
    abort();
}

/* Returns the law that was broken. */
static const char *run(struct hrn_sched_search *search, struct answers *answers)
{
    search->run.limits.n_steps = N_STEPS;
    search->run.choose = choose;
    search->run.chooser = answers;
    search->begin(search->run.world);
    struct hrn_sched_outcome outcome = hrn_sched_play(&search->run);
    totals.n_preemptions += outcome.n_preemptions;
    totals.n_deaths += outcome.n_deaths;
    if (outcome.broken == NULL) {
        search->end(search->run.world);
    }
    return hrn_sched_broken();
}

static enum slm_lock_kind lock_kind(unsigned flags)
{
    enum slm_lock_kind other = (flags & 64u) != 0 ? SLM_LOCK_FILE : SLM_LOCK_ROBUST;
    return (flags & 2u) != 0 ? SLM_LOCK_SPIN_SEM : other;
}

/* Returns false, with one message per process, if there is no folder for a lock's file. */
static bool can_run(enum slm_lock_kind kind)
{
    static bool said;
    if (hrn_sched_lock_attach(kind)) {
        return true;
    }
    if (!said) {
        perror("slabmill: no folder for the file of a lock: inputs with FILE locks are left out");
        said = true;
    }
    return false;
}

static unsigned run_lock(const char *text, unsigned flags, struct answers *answers)
{
    enum slm_lock_kind kind = lock_kind(flags);
    if (!can_run(kind)) {
        return 0;
    }
    bool one_handle = kind == SLM_LOCK_FILE && (flags & 128u) != 0;
    struct hrn_sched_lock_program program = {
        .text = text,
        .kind = kind,
        .n_preemptions = N_PREEMPTIONS,
        .n_deaths = one_handle ? 0 : flags >> 4 & 3u,
        .early_timers = true,
        .one_handle = one_handle,
    };
    struct hrn_sched_search search = hrn_sched_lock_search(&program);
    const char *law = run(&search, answers);
    if (law != NULL) {
        lock_law_is_broken(text, law);
    }
    totals.n_lock_runs++;
    return hrn_sched_lock_n_calls();
}

static unsigned run_zone(const char *text, unsigned flags, struct answers *answers)
{
    struct hrn_sched_zone_program program = {
        .text = text,
        .n_pages = (flags >> 6 & 3u) + 1,
        .n_preemptions = N_PREEMPTIONS,
        .n_deaths = flags >> 4 & 3u,
        .early_timers = true,
    };
    struct hrn_sched_search search = hrn_sched_zone_search(&program);
    const char *law = run(&search, answers);
    if (law != NULL) {
        zone_law_is_broken(text, law);
    }
    totals.n_zone_runs++;
    return hrn_sched_zone_n_ops();
}

int hrn_fuzz_schedule(const uint8_t *bytes, size_t n_bytes)
{
    uint8_t head[HRN_SCHEDULE_HEAD] = {0};
    char text[TEXT_BYTES];
    size_t n_head = n_bytes < HRN_SCHEDULE_HEAD ? n_bytes : HRN_SCHEDULE_HEAD;
    size_t n_rest =
        n_bytes - n_head < HRN_SCHEDULE_CHOICES ? n_bytes - n_head : HRN_SCHEDULE_CHOICES;
    if (n_head > 0) {
        memcpy(head, bytes, n_head);
    }
    struct answers answers = {.at = head, .end = head};
    if (n_rest > 0) {
        answers = (struct answers){.at = bytes + n_head, .end = bytes + n_head + n_rest};
    }
    bool is_zone = (head[0] & 1u) != 0;
    unsigned n_actors = (head[0] >> 2 & 3u) + 1;
    write_text(text, head, n_actors, is_zone ? HRN_SCHED_ZONE_LETTERS : HRN_SCHED_LOCK_LETTERS);
    HRN_SAY_OP("%s: %s, deaths at most %u", is_zone ? "zone" : "lock", text, head[0] >> 4 & 3u);
    unsigned n_calls =
        is_zone ? run_zone(text, head[0], &answers) : run_lock(text, head[0], &answers);
    totals.n_calls += n_calls;
    hrn_fuzz_count(n_calls);
    return 0;
}
