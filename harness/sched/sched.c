/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/sched/sched.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "allocator/base/yield.h"
#include "harness/sched/fibre.h"

#define STEPS_KEPT      4096u
#define CHOICES_MAX     16u
#define RUNS_OF_A_FIBRE 512u

enum actor_state { READY, ASLEEP, DONE, DEAD };

struct actor {
    struct hrn_fibre *fibre;
    enum actor_state state;
    bool is_parked; /* suspended within its body */
    const char *point;
    uint64_t deadline_ms;
};

enum what { GOES_ON, PREEMPTED_BY, DIES, IS_KILLED, TIMER_OF, RUNS_NEXT, TIME_PASSES, WAKES };

struct choice {
    enum what what;
    unsigned actor;
};

struct step {
    struct choice choice;
    unsigned actor; /* the actor that was asked */
    const char *point;
};

/* The state of a run. It is global because the library's hooks take no argument; there is one
 * thread. */
static struct {
    const struct hrn_sched_run *run;
    struct actor actors[HRN_ACTORS_MAX];
    struct hrn_sched_outcome outcome;
    unsigned current;
    uint64_t n_runs; /* since the process began */
    bool is_unwinding;
    bool waited_outside;
    unsigned n_kept;
    struct step kept[STEPS_KEPT];
} now = {.current = HRN_NOBODY};

/* --- Actors --- */

bool hrn_sched_is_dead(unsigned actor)
{
    return actor < HRN_ACTORS_MAX && now.actors[actor].state == DEAD;
}

bool hrn_sched_is_asleep(unsigned actor)
{
    return now.actors[actor].state == ASLEEP;
}

const char *hrn_sched_point(unsigned actor)
{
    return now.actors[actor].point;
}

/* --- Switching --- */

static struct hrn_fibre *fibre_of(unsigned actor)
{
    return actor == HRN_NOBODY ? hrn_fibre_main() : now.actors[actor].fibre;
}

/* Returns when the caller is chosen again. Does not return if its body must end. */
static void switch_to(unsigned next)
{
    unsigned self = now.current;
    if (next == self) {
        return;
    }
    now.outcome.n_switches++;
    now.current = next;
    hrn_system_be(next);
    hrn_fibre_switch(fibre_of(self), fibre_of(next));
    if (self != HRN_NOBODY && now.is_unwinding && now.actors[self].is_parked) {
        hrn_fibre_unwind(now.actors[self].fibre);
    }
}

void hrn_sched_fail(const char *law)
{
    if (now.outcome.broken == NULL) {
        now.outcome.broken = law;
    }
    if (now.run != NULL && now.current != HRN_NOBODY) {
        switch_to(HRN_NOBODY);
    }
}

const char *hrn_sched_broken(void)
{
    return now.outcome.broken;
}

/* --- Choices --- */

static void record_choice(struct choice choice)
{
    const char *point = now.current == HRN_NOBODY ? "outside" : now.actors[now.current].point;
    if (now.n_kept < STEPS_KEPT) {
        now.kept[now.n_kept++] = (struct step){choice, now.current, point};
    }
}

static struct choice choose(const struct choice *choices, unsigned n)
{
    unsigned answer = n == 1 ? 0 : now.run->choose(now.run->chooser, n);
    record_choice(choices[answer]);
    return choices[answer];
}

static bool may_preempt(void)
{
    return now.outcome.n_preemptions < now.run->limits.n_preemptions;
}

static bool may_die(void)
{
    return now.outcome.n_deaths < now.run->limits.n_deaths;
}

static unsigned add_ready(struct choice *choices, enum what what, unsigned but)
{
    unsigned n = 0;
    for (unsigned i = 0; i < now.run->n_actors; i++) {
        if (i != but && now.actors[i].state == READY) {
            choices[n++] = (struct choice){what, i};
        }
    }
    return n;
}

static unsigned add_sleepers(struct choice *choices, enum what what)
{
    unsigned n = 0;
    for (unsigned i = 0; i < now.run->n_actors; i++) {
        if (now.actors[i].state == ASLEEP) {
            choices[n++] = (struct choice){what, i};
        }
    }
    return n;
}

static void pass_time_until(uint64_t then_ms)
{
    hrn_system_pass_until(then_ms);
    for (unsigned i = 0; i < now.run->n_actors; i++) {
        struct actor *actor = &now.actors[i];
        if (actor->state == ASLEEP && actor->deadline_ms <= hrn_system_now_ms()) {
            actor->state = READY;
        }
    }
}

static void let_die(unsigned actor)
{
    now.actors[actor].state = DEAD;
    hrn_system_die(actor);
    now.outcome.n_deaths++;
    now.run->died(now.run->world, actor);
}

static void preempt(struct choice choice)
{
    now.outcome.n_preemptions++;
    if (choice.what == TIMER_OF) {
        pass_time_until(now.actors[choice.actor].deadline_ms);
    }
    switch_to(choice.actor);
}

/* Lets time pass until the first sleeper's bound. False: no actor sleeps. */
static bool pass_time(void)
{
    uint64_t first_ms = UINT64_MAX;
    for (unsigned i = 0; i < now.run->n_actors; i++) {
        if (now.actors[i].state == ASLEEP && now.actors[i].deadline_ms < first_ms) {
            first_ms = now.actors[i].deadline_ms;
        }
    }
    if (first_ms == UINT64_MAX) {
        return false;
    }
    pass_time_until(first_ms);
    record_choice((struct choice){TIME_PASSES, 0});
    return true;
}

/* `stuck` may call the library; such calls are made by HRN_NOBODY. */
static void call_stuck(void)
{
    unsigned self = now.current;
    now.current = HRN_NOBODY;
    hrn_system_be(HRN_NOBODY);
    now.run->stuck(now.run->world);
    now.current = self;
    hrn_system_be(self);
    if (now.outcome.broken != NULL) {
        switch_to(HRN_NOBODY);
    }
}

static void count_step(void)
{
    if (++now.outcome.n_steps > now.run->limits.n_steps) {
        hrn_sched_fail("every actor ends");
    }
}

/* No actor can run. A sleeper wakes when `stuck` wakes it, or at the first bound. */
static unsigned await_runnable(struct choice *choices)
{
    if (add_sleepers(choices, TIMER_OF) == 0) {
        return 0;
    }
    count_step();
    call_stuck();
    unsigned n = add_ready(choices, RUNS_NEXT, HRN_NOBODY);
    return n != 0 || !pass_time() ? n : add_ready(choices, RUNS_NEXT, HRN_NOBODY);
}

/* The running actor cannot go on, or no actor runs. Returns when it is chosen again. */
static void yield_to_next(void)
{
    struct choice choices[CHOICES_MAX];
    unsigned n = add_ready(choices, RUNS_NEXT, HRN_NOBODY);
    if (n == 0) {
        n = await_runnable(choices);
    } else if (now.run->limits.early_timers && may_preempt()) {
        n += add_sleepers(choices + n, TIMER_OF);
    }
    if (n == 0) {
        switch_to(HRN_NOBODY);
        return;
    }
    struct choice choice = choose(choices, n);
    if (choice.what == TIMER_OF) {
        preempt(choice);
    } else {
        switch_to(choice.actor);
    }
}

static unsigned add_choices(struct choice *choices)
{
    unsigned n = 0;
    choices[n++] = (struct choice){GOES_ON, now.current};
    if (may_die()) {
        choices[n++] = (struct choice){DIES, now.current};
    }
    if (may_preempt()) {
        n += add_ready(choices + n, PREEMPTED_BY, now.current);
        n += now.run->limits.early_timers ? add_sleepers(choices + n, TIMER_OF) : 0;
    }
    return n;
}

void hrn_sched_yield(const char *point)
{
    if (now.current == HRN_NOBODY || now.run == NULL) {
        return;
    }
    struct actor *self = &now.actors[now.current];
    self->point = point;
    count_step();
    if (now.run->each_step != NULL) {
        now.run->each_step(now.run->world);
    }
    struct choice choices[CHOICES_MAX];
    struct choice choice = choose(choices, add_choices(choices));
    if (choice.what == DIES) {
        let_die(now.current);
        hrn_fibre_unwind(self->fibre);
    } else if (choice.what != GOES_ON) {
        preempt(choice);
    }
}

/* --- The simulated system's driver --- */

/* The caller may see what is visible only after a death. */
static void maybe_kill(unsigned actor)
{
    if (now.current != HRN_NOBODY && actor != now.current && !hrn_sched_is_dead(actor) &&
        may_die()) {
        struct choice choices[] = {{GOES_ON, now.current}, {IS_KILLED, actor}};
        if (choose(choices, 2).what == IS_KILLED) {
            let_die(actor);
        }
    }
}

static void ask_life(unsigned actor)
{
    hrn_sched_yield("system: does it live");
    if (actor != HRN_NOBODY) {
        maybe_kill(actor);
    }
}

/* The caller may have been slow, so time may have passed for all actors. */
static void ask_time(void)
{
    if (now.current != HRN_NOBODY && now.run->limits.early_timers && may_preempt()) {
        struct choice choices[] = {{GOES_ON, now.current}, {TIME_PASSES, now.current}};
        if (choose(choices, 2).what == TIME_PASSES) {
            now.outcome.n_preemptions++;
            pass_time_until(hrn_system_now_ms() + HRN_SCHED_DELAY_MS);
        }
    }
}

/* No actor will wake it. It waits only because an actor asked for its turn and died. */
static void sleep_outside(void)
{
    if (now.waited_outside) {
        hrn_sched_fail("HRN_NOBODY waits only once");
    }
    now.waited_outside = true;
}

static void sleep_until(uint64_t until_ms)
{
    if (now.current == HRN_NOBODY) {
        sleep_outside();
        return;
    }
    struct actor *self = &now.actors[now.current];
    self->state = ASLEEP;
    self->deadline_ms = until_ms;
    yield_to_next();
    hrn_sched_yield("system: awake");
}

static void wake_sleepers(int n_most)
{
    struct choice choices[CHOICES_MAX];
    unsigned n;
    while (now.run != NULL && n_most-- > 0 && (n = add_sleepers(choices, WAKES)) != 0) {
        struct choice choice = n_most > 0 ? choices[0] : choose(choices, n);
        now.actors[choice.actor].state = READY;
    }
}

static const struct hrn_system_driver driver = {
    .ask_life = ask_life,
    .ask_file = maybe_kill,
    .ask_time = ask_time,
    .sleep = sleep_until,
    .wake = wake_sleepers,
};

/* --- A run --- */

static void act(void *arg)
{
    struct actor *self = arg;
    self->is_parked = true;
    now.run->body(now.run->world, (unsigned)(self - now.actors));
    self->state = DONE;
}

/* The body has returned, or was unwound because the actor died or the run ended. */
static void end_act(void *arg)
{
    struct actor *self = arg;
    self->is_parked = false;
    if (now.is_unwinding) {
        switch_to(HRN_NOBODY);
    } else {
        yield_to_next();
    }
}

/* Unwinds actors that were killed while they did not run, and all actors if a broken law ended the
 * run. */
static void unwind_all(void)
{
    now.is_unwinding = true;
    for (unsigned i = 0; i < now.run->n_actors; i++) {
        if (now.actors[i].is_parked) {
            switch_to(i);
        }
    }
    now.is_unwinding = false;
}

static void begin(const struct hrn_sched_run *run)
{
    hrn_system_play(&driver);
    slm_yield_hook = hrn_sched_yield;
    memset(&now.outcome, 0, sizeof now.outcome);
    now.run = run;
    now.n_runs++;
    now.waited_outside = false;
    now.n_kept = 0;
    for (unsigned i = 0; i < run->n_actors; i++) {
        struct actor *actor = &now.actors[i];
        if (actor->fibre == NULL) {
            actor->fibre = hrn_fibre_make(act, end_act, actor);
        }
        if (now.n_runs % RUNS_OF_A_FIBRE == 0) {
            hrn_fibre_renew(actor->fibre);
        }
        actor->state = READY;
        actor->point = "begin";
    }
}

struct hrn_sched_outcome hrn_sched_play(const struct hrn_sched_run *run)
{
    begin(run);
    yield_to_next();
    unwind_all();
    now.run = NULL;
    return now.outcome;
}

void hrn_sched_print_steps(void)
{
    static const char *const texts[] = {
        [GOES_ON] = "goes on",
        [PREEMPTED_BY] = "is preempted by",
        [DIES] = "dies",
        [IS_KILLED] = "sees the death of",
        [TIMER_OF] = "time ends for",
        [RUNS_NEXT] = "leaves to",
        [TIME_PASSES] = "time passes",
        [WAKES] = "wakes",
    };
    for (unsigned i = 0; i < now.n_kept; i++) {
        const struct step *step = &now.kept[i];
        if (step->actor == HRN_NOBODY) {
            printf("  -  ");
        } else {
            printf("  %c  ", 'A' + (char)step->actor);
        }
        printf("%-36s %s", step->point, texts[step->choice.what]);
        bool names = step->choice.what != GOES_ON && step->choice.what != DIES &&
                     step->choice.what != TIME_PASSES;
        printf(names ? " %c\n" : "\n", 'A' + (char)step->choice.actor);
    }
}
