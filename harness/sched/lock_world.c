/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* mkstemp */
#endif
#include "harness/sched/lock_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocator/lock/handle.h"
#include "allocator/lock/system.h"
#include "allocator/lock/word.h"

#define STEPS_MAX  600u
#define TIMEOUT_MS 15u

/* States of the lock that were seen during a call. */
#define SAW_FREE  1u
#define SAW_DEAD  2u
#define SAW_MINE  4u
#define SAW_OTHER 8u  /* alive */
#define SAW_WRONG 16u /* owned, but not by the identity that force_unlock got */
#define SAW_FILE  32u /* another actor has the file of a FILE lock */

/* A handle for each actor, as processes have, and the last for HRN_NOBODY; or one for all. */
#define N_HANDLES (HRN_ACTORS_MAX + 1)

struct caller {
    const char *program; /* up to | or the end */
    unsigned saw;
    bool is_calling;
    bool owes_a_wake;    /* was woken, and has not acted on the wake yet */
    char letter;         /* of its call */
    bool has_begun;      /* its call, in the step that is ending */
    bool waits_for_ever; /* of the call of the last step, as are the next two */
    bool has_slept;
    bool has_asked;      /* for its turn */
    uint64_t identity;   /* the owner that force_unlock gets; 0: any */
    uint64_t started_ms; /* of its call */
};

static struct {
    struct hrn_sched_lock_program program;
    struct slm_lock **handles; /* of the program's kind */
    struct slm_lock_state state __attribute__((aligned(SLM_LOCK_BYTES)));
    struct caller callers[HRN_ACTORS_MAX];
    const char *programs[HRN_ACTORS_MAX]; /* where each begins; up to | or the end */
    unsigned n_actors;
    unsigned holder; /* alive or dead; HRN_NOBODY */
    bool repair_is_due;
    bool promise_died;
    uint64_t word_before; /* the last step */
    bool asker_died;
    bool turn_was_taken_back; /* from a free word, which keeps the mark of its sleepers */
    unsigned n_owners_died;
    unsigned n_calls;
} world;

/* The handles of each kind, for all searches. */
static struct slm_lock *handles_of[3][N_HANDLES];

/* --- The state of the lock --- */

static uint64_t word_now(void)
{
    return __atomic_load_n(&world.state.word, __ATOMIC_RELAXED);
}

/* Threads share one handle. */
static struct slm_lock *lock_of(unsigned actor)
{
    return world.handles[world.program.one_handle || actor == HRN_NOBODY ? HRN_ACTORS_MAX : actor];
}

static bool file_is_anothers(unsigned caller)
{
    const struct slm_lock_file *file = lock_of(caller)->file;
    if (file == NULL) {
        return false;
    }
    uint64_t holder = __atomic_load_n(&file->holder, __ATOMIC_RELAXED);
    return (hrn_system_file_owner() != HRN_NOBODY && hrn_system_file_owner() != caller) ||
           (holder != 0 && holder != hrn_system_identity(caller));
}

static unsigned describe_lock(unsigned caller, uint64_t word)
{
    uint64_t owner = slm_lock_owner_in(word);
    uint64_t wanted = world.callers[caller].identity;
    unsigned wrong = wanted != 0 && wanted != owner && owner != 0 ? SAW_WRONG : 0;
    wrong |= file_is_anothers(caller) ? SAW_FILE : 0;
    if (owner == 0) {
        return wrong | SAW_FREE;
    }
    if (owner == hrn_system_identity(caller)) {
        return wrong | SAW_MINE;
    }
    return wrong | (hrn_sched_is_dead(hrn_system_actor_of(owner)) ? SAW_DEAD : SAW_OTHER);
}

static void record_sights(void)
{
    uint64_t word = word_now();
    for (unsigned i = 0; i < world.n_actors; i++) {
        if (world.callers[i].is_calling) {
            world.callers[i].saw |= describe_lock(i, word);
        }
    }
}

/* --- Laws of each moment --- */

/* Whether the actor is between changing the word and waking. It releases the file in between. */
static bool is_before_a_wake(unsigned actor)
{
    const char *point = hrn_sched_point(actor);
    return strncmp(point, "file: give", strlen("file: give")) == 0 ||
           strcmp(point, "unlock: wake") == 0 || strcmp(point, "force: wake all") == 0 ||
           strcmp(point, "lock: pass the wake on") == 0;
}

/* A short sleep while the file's new owner has not yet written the word. It needs no wake. */
static bool sleeps_shortly(unsigned actor)
{
    return strcmp(hrn_sched_point(actor), "file: sleep shortly") == 0;
}

/* An actor that was woken, that will wake others soon, or that does not sleep yet, reads the word
 * and keeps the mark. */
static bool promises_a_wake(unsigned actor)
{
    const struct caller *caller = &world.callers[actor];
    bool promises = caller->owes_a_wake || is_before_a_wake(actor) ||
                    strcmp(hrn_sched_point(actor), "lock: sleep") == 0;
    return caller->is_calling &&
           (sleeps_shortly(actor) || (promises && !hrn_sched_is_asleep(actor)));
}

/* An actor that dies at its own step before it sleeps was promised a wake, and promises none. */
static bool dies_with_a_promise(unsigned actor)
{
    const struct caller *caller = &world.callers[actor];
    return actor == hrn_system_self() ? caller->owes_a_wake || is_before_a_wake(actor)
                                      : promises_a_wake(actor);
}

static void judge_word(uint64_t word)
{
    uint64_t owner = slm_lock_owner_in(word);
    if (world.program.kind == SLM_LOCK_FILE && world.holder != HRN_NOBODY &&
        !hrn_sched_is_dead(world.holder) && hrn_system_file_owner() != world.holder) {
        hrn_sched_fail("M3: the holder of a file lock has the file");
    }
    if (world.holder != HRN_NOBODY && !hrn_sched_is_dead(world.holder) &&
        owner != hrn_system_identity(world.holder)) {
        hrn_sched_fail("M2: the holder of the lock is the owner in the word");
    }
    bool is_marked = (word & SLM_LOCK_REPAIR) != 0 || hrn_sched_is_dead(hrn_system_actor_of(owner));
    if (is_marked != world.repair_is_due) {
        hrn_sched_fail("R2: the word marks repair as due if and only if it is due");
    }
    if (owner == 0 && (word & SLM_LOCK_WAITERS) != 0 && (word & SLM_LOCK_TURN) == 0 &&
        !world.turn_was_taken_back) {
        hrn_sched_fail("W1: a free word has the mark of waiters only if it is a sleeper's turn");
    }
}

static bool a_sleeper_needs_a_wake(void)
{
    bool needs = false;
    for (unsigned i = 0; i < world.n_actors; i++) {
        needs = needs || (hrn_sched_is_asleep(i) && !sleeps_shortly(i));
    }
    return needs;
}

static bool a_wake_is_promised(uint64_t word)
{
    bool is_promised = (word & SLM_LOCK_WAITERS) != 0 || world.promise_died;
    for (unsigned i = 0; i < world.n_actors; i++) {
        is_promised = is_promised || promises_a_wake(i);
    }
    return is_promised;
}

static void judge_sleepers(uint64_t word)
{
    if (a_sleeper_needs_a_wake() && !a_wake_is_promised(word)) {
        hrn_sched_fail("W2: each sleeper is promised a wake");
    }
}

/* An actor whose wait has a bound may be at its last attempt. */
static void judge_turn(unsigned self, uint64_t word)
{
    struct caller *caller = &world.callers[self];
    uint64_t before = world.word_before;
    bool was_free = slm_lock_owner_in(before) == 0;
    bool takes = was_free && slm_lock_owner_in(word) == hrn_system_identity(self);
    world.turn_was_taken_back |=
        was_free && slm_lock_owner_in(word) == 0 && (before & ~word & SLM_LOCK_TURN) != 0;
    if (takes && (before & SLM_LOCK_TURN) != 0 && caller->waits_for_ever && !caller->has_slept) {
        hrn_sched_fail("F1: a newcomer does not take a sleeper's turn");
    }
    caller->has_asked = caller->has_asked || (word & ~before & SLM_LOCK_TURN) != 0;
    world.word_before = word;
}

/* A call begins in the step in which the one before it ends. */
static void note_call(struct caller *caller)
{
    if (caller->has_begun) {
        caller->has_begun = false;
        caller->has_slept = false;
        caller->has_asked = false;
        caller->waits_for_ever = caller->letter == 'L';
    }
}

static void each_step(void *unused)
{
    (void)unused;
    unsigned self = hrn_system_self();
    struct caller *caller = &world.callers[self];
    uint64_t word = word_now();
    judge_turn(self, word);
    note_call(caller);
    if (strcmp(hrn_sched_point(self), "system: awake") == 0) {
        caller->owes_a_wake = true;
    } else if (strcmp(hrn_sched_point(self), "lock: sleep") == 0) {
        caller->owes_a_wake = false;
        caller->has_slept = true; /* or tried to sleep */
    }
    record_sights();
    judge_word(word);
    judge_sleepers(word);
}

static void died(void *unused, unsigned actor)
{
    (void)unused;
    if (slm_lock_owner_in(word_now()) == hrn_system_identity(actor)) {
        world.repair_is_due = true;
        world.n_owners_died++;
    }
    world.asker_died = world.asker_died || world.callers[actor].has_asked;
    world.promise_died = world.promise_died || world.asker_died || dies_with_a_promise(actor);
    world.callers[actor].is_calling = false;
    record_sights();
}

/* Does what a parent does that reaps its dead children. */
static void reap(void)
{
    if (slm_lock_force_unlock(lock_of(HRN_NOBODY), 0) != SLM_OK) {
        hrn_sched_fail("S9: a dead holder's lock is freed");
    }
}

static void stuck(void *unused)
{
    (void)unused;
    uint64_t word = word_now();
    uint64_t owner = slm_lock_owner_in(word);
    if (owner == 0 && a_sleeper_needs_a_wake() && !a_wake_is_promised(word)) {
        hrn_sched_fail("W3: no actor sleeps while the lock is free");
    } else if (owner != 0 && !hrn_sched_is_dead(hrn_system_actor_of(owner))) {
        hrn_sched_fail("E1: no actor sleeps after the owner has ended");
    } else if (owner != 0 && world.program.kind == SLM_LOCK_SPIN_SEM) {
        reap();
    }
}

/* --- Calls --- */

static void begin_call(unsigned self, char letter, uint64_t identity)
{
    struct caller *caller = &world.callers[self];
    caller->letter = letter;
    caller->has_begun = true;
    caller->identity = identity;
    caller->started_ms = hrn_system_now_ms();
    caller->owes_a_wake = false;
    caller->is_calling = true;
    caller->saw = describe_lock(self, word_now());
    world.n_calls++;
}

/* Returns the states that were seen. */
static unsigned end_call(unsigned self)
{
    record_sights();
    world.callers[self].is_calling = false;
    return world.callers[self].saw;
}

static void judge_taking(unsigned self, enum slm_status status)
{
    if (world.holder != HRN_NOBODY && !hrn_sched_is_dead(world.holder)) {
        hrn_sched_fail("M1: an actor gets only an unowned lock or that of a dead owner");
    }
    if ((status == SLM_OWNER_DIED) != world.repair_is_due) {
        hrn_sched_fail("R1: SLM_OWNER_DIED is returned if and only if repair is due");
    }
    world.holder = self;
}

static void judge_refusal(char call, unsigned saw, unsigned self)
{
    unsigned reasons =
        SAW_OTHER | SAW_FILE | (world.program.kind == SLM_LOCK_SPIN_SEM ? SAW_DEAD : 0u);
    if (call == 'L') {
        hrn_sched_fail("S1: lock waits without a bound");
    } else if ((saw & reasons) == 0) {
        hrn_sched_fail("S2: a lock is refused only while it is held");
    } else if (call == 't' && hrn_system_now_ms() < world.callers[self].started_ms + TIMEOUT_MS) {
        hrn_sched_fail("S3: no wait times out early");
    }
}

static void call_lock(unsigned self, char call)
{
    bool was_mine = world.holder == self;
    struct slm_lock *lock = lock_of(self);
    begin_call(self, call, 0);
    enum slm_status status = call == 'L'   ? slm_lock_lock(lock)
                             : call == 'T' ? slm_lock_trylock(lock)
                                           : slm_lock_timedlock(lock, TIMEOUT_MS);
    unsigned saw = end_call(self);
    if (was_mine != (status == SLM_E_HELD)) {
        hrn_sched_fail("S4: SLM_E_HELD is returned if and only if the caller holds the lock");
    } else if (status == SLM_OK || status == SLM_OWNER_DIED) {
        judge_taking(self, status);
    } else if (status == (call == 'T' ? SLM_E_LOCKED : SLM_E_TIMEOUT)) {
        judge_refusal(call, saw, self);
    } else if (status != SLM_E_HELD) {
        hrn_sched_fail("S5: no other status is returned");
    }
}

static void call_unlock(unsigned self)
{
    bool was_mine = world.holder == self;
    if (was_mine) {
        world.holder = HRN_NOBODY;
    }
    begin_call(self, 'U', 0);
    enum slm_status status = slm_lock_unlock(lock_of(self));
    (void)end_call(self);
    if (status != (was_mine ? SLM_OK : SLM_E_OWNER)) {
        hrn_sched_fail("S6: the holder can unlock, and no other actor can");
    }
}

static void call_mark_repaired(unsigned self)
{
    bool was_mine = world.holder == self;
    begin_call(self, 'R', 0);
    enum slm_status status = slm_lock_mark_repaired(lock_of(self));
    (void)end_call(self);
    if (status != (was_mine ? SLM_OK : SLM_E_OWNER)) {
        hrn_sched_fail("S7: the holder can clear the mark, and no other actor can");
    }
    if (was_mine) {
        world.repair_is_due = false;
    }
}

static void call_force_unlock(unsigned self, bool looks)
{
    struct slm_lock_owner owner = {0};
    if (looks) {
        slm_lock_get_owner(lock_of(self), &owner);
    }
    begin_call(self, 'F', owner.identity);
    enum slm_status status = slm_lock_force_unlock(lock_of(self), owner.identity);
    unsigned saw = end_call(self);
    unsigned reasons = status == SLM_OK ? SAW_FREE | SAW_DEAD : SAW_MINE | SAW_OTHER | SAW_WRONG;
    if ((status != SLM_OK && status != SLM_E_OWNER) || (saw & reasons) == 0) {
        hrn_sched_fail("S8: force_unlock returns what it found");
    }
}

static void call(unsigned self, char letter)
{
    switch (letter) {
    case 'U':
        call_unlock(self);
        break;
    case 'R':
        call_mark_repaired(self);
        break;
    case 'F':
    case 'f':
        call_force_unlock(self, letter == 'f');
        break;
    case 'L':
    case 'T':
    case 't':
        call_lock(self, letter);
        break;
    default:
        fprintf(stderr, "no such call: %c\n", letter);
        abort();
    }
}

static void act(void *unused, unsigned self)
{
    (void)unused;
    for (const char *at = world.callers[self].program; *at != '\0' && *at != '|'; at++) {
        call(self, *at);
    }
    if (world.holder == self) {
        call_unlock(self);
    }
}

/* --- Before and after --- */

/* Actors that died in the last run become new processes. */
static void begin_handles(void)
{
    for (unsigned i = 0; world.program.kind == SLM_LOCK_FILE && i < N_HANDLES; i++) {
        world.handles[i]->file->holder = 0;
    }
}

static void begin(void *unused)
{
    (void)unused;
    begin_handles();
    memset(&world.state, 0, sizeof world.state);
    world.state.kind = (uint32_t)world.program.kind;
    world.state.namespaces = world.handles[0]->namespaces;
    world.holder = HRN_NOBODY;
    world.repair_is_due = false;
    world.promise_died = false;
    world.word_before = 0;
    world.asker_died = false;
    world.turn_was_taken_back = false;
    world.n_owners_died = 0;
    world.n_calls = 0;
    for (unsigned i = 0; i < world.n_actors; i++) {
        world.callers[i] = (struct caller){.program = world.programs[i]};
    }
}

static void end(void *unused)
{
    (void)unused;
    if (world.program.kind == SLM_LOCK_SPIN_SEM) {
        reap();
    }
    struct slm_lock *lock = lock_of(HRN_NOBODY);
    enum slm_status status = slm_lock_trylock(lock);
    if (status != (world.repair_is_due ? SLM_OWNER_DIED : SLM_OK)) {
        hrn_sched_fail("R1: afterwards SLM_OWNER_DIED is returned if and only if repair is due");
    }
    if (world.state.n_deaths != world.n_owners_died) {
        hrn_sched_fail("N1: each death found has happened");
    }
    /* The request of a dead actor for its turn stays until another waiter has slept. */
    uint64_t asked = world.asker_died ? SLM_LOCK_TURN : 0;
    if (slm_lock_mark_repaired(lock) != SLM_OK || slm_lock_unlock(lock) != SLM_OK ||
        (word_now() & ~asked) != 0) {
        hrn_sched_fail("E2: afterwards the lock is free");
    }
}

unsigned hrn_sched_lock_n_calls(void)
{
    return world.n_calls;
}

static void attach_all(struct slm_lock **handles, enum slm_lock_kind kind, const char *path)
{
    struct slm_lock_options options = {.kind = kind, .path = path, .spins = 1};
    bool is_made = slm_lock_init(&world.state, kind) == SLM_OK;
    for (unsigned i = 0; is_made && i < N_HANDLES; i++) {
        is_made = slm_lock_attach(&handles[i], &world.state, &options, NULL) == SLM_OK;
    }
    if (!is_made) {
        fprintf(stderr, "no lock of kind %d at %s\n", (int)kind, path);
        abort();
    }
    for (unsigned i = 0; i < N_HANDLES; i++) {
        handles[i]->spins =
            0; /* on any machine: the scheduler decides what happens during a pause */
    }
}

/* Makes a file in the first folder that can be written to. Returns its descriptor, or -1. */
static int make_file(char *path, size_t n_bytes)
{
    const char *folders[] = {getenv("TEST_TMPDIR"), getenv("TMPDIR"), "/tmp"};
    for (unsigned i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        const char *folder = folders[i] == NULL ? "" : folders[i];
        int n = snprintf(path, n_bytes, "%s/sched_lock_XXXXXX", folder);
        int fd = folder[0] == '\0' || (size_t)n >= n_bytes ? -1 : mkstemp(path);
        if (fd >= 0) {
            return fd;
        }
    }
    return -1;
}

/* Only a FILE lock has a file. Handles keep it open, so its name can be removed at once. */
bool hrn_sched_lock_attach(enum slm_lock_kind kind)
{
    if (handles_of[kind][0] != NULL) {
        return true;
    }
    char path[4096] = "";
    if (kind != SLM_LOCK_FILE) {
        attach_all(handles_of[kind], kind, path);
        return true;
    }
    int fd = make_file(path, sizeof path);
    if (fd < 0) {
        return false;
    }
    attach_all(handles_of[kind], kind, path);
    (void)unlink(path);
    (void)close(fd);
    return true;
}

struct hrn_sched_search hrn_sched_lock_search(const struct hrn_sched_lock_program *program)
{
    if (!hrn_sched_lock_attach(program->kind)) {
        perror("no folder for the file of a lock");
        abort();
    }
    world.handles = handles_of[program->kind];
    world.program = *program;
    const struct hrn_sched_search calls = {
        .run = {.body = act, .each_step = each_step, .died = died, .stuck = stuck},
        .begin = begin,
        .end = end,
    };
    const struct hrn_sched_limits limits = {program->n_preemptions, program->n_deaths, STEPS_MAX,
                                            program->early_timers};
    struct hrn_sched_search search =
        hrn_sched_search_of(&calls, program->text, world.programs, limits);
    world.n_actors = search.run.n_actors;
    return search;
}
