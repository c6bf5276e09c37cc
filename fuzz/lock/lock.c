/* SPDX-License-Identifier: Apache-2.0 */
/* A lock, its handles, and programs of calls. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sigset_t */
#endif
#include "fuzz/lock/lock.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "allocator/lock/identity.h"
#include "allocator/lock/system.h"
#include "allocator/lock/word.h"
#include "fuzz/common/fuzz.h"
#include "fuzz/lock/model.h"
#include "harness/failure/say.h"

enum { N_OPS_MAX = 400, RECORD_BYTES = 8, N_KINDS = 3, THREADS_MAX = 4 };

#define LAW_DEFINE(name, sentence) HRN_LAW_DEFINE(hrn_lock_law_##name, #name, sentence)
LOCK_LAW_LIST(LAW_DEFINE)

static struct slm_lock_state state __attribute__((aligned(SLM_LOCK_BYTES)));
struct slm_lock_state *hrn_lock_state = &state;

/* What the present call did. */
static struct {
    uint64_t clock;
    uint64_t n_pauses;
    int wake;
    unsigned n_events;
    struct slm_event events[LOCK_EVENTS_MAX];
} seen;

struct slm_lock_system hrn_lock_real;

static unsigned n_threads; /* of this input */
static sigset_t mask_at_begin;
static uint64_t n_kind[HRN_LOCK_COUNT];

static const char *name_of(enum hrn_lock_op op)
{
#define OP_NAME(name) #name,
    static const char *const names[HRN_LOCK_COUNT] = {HRN_LOCK_LIST(OP_NAME)};
#undef OP_NAME
    return names[op];
}

/* --- The simulated system --- */

static uint64_t read_clock(void)
{
    return ++seen.clock;
}

static void wait(uint32_t *half, uint32_t value, unsigned timeout_ms)
{
    if (half != slm_lock_half(&state) || *half != value || timeout_ms == 0 ||
        timeout_ms > SLM_LOCK_SLEEP_MS) {
        hrn_lock_law_time("a sleep of %u ms on %" PRIx32, timeout_ms, value);
    }
    seen.clock += timeout_ms;
}

static void wake(uint32_t *half, int n_most)
{
    if (half != slm_lock_half(&state) || seen.wake != 0) {
        hrn_lock_law_wakes("a second wake, or of another word");
    }
    seen.wake = n_most;
}

static void pause_briefly(unsigned n)
{
    seen.n_pauses += n;
}

static bool is_own_thread(pid_t tid)
{
    return tid == LOCK_FIRST_TID;
}

static void listen(const struct slm_event *event, void *data)
{
    bool is_held = slm_lock_owner_in(state.word) == slm_lock_self();
    if (data != &seen || is_held || seen.n_events == LOCK_EVENTS_MAX) {
        hrn_lock_law_events("kind %d, with the lock held: %d", (int)event->kind, is_held);
    }
    seen.events[seen.n_events++] = *event;
}

static void begin_system(void)
{
    if (hrn_lock_real.now_ms == NULL) {
        hrn_lock_real = slm_lock_system;
    }
    slm_lock_system = (struct slm_lock_system){
        .find_life = slm_lock_find_life,
        .is_own_thread = is_own_thread,
        .find_maps = slm_lock_find_maps,
        .wait = wait,
        .wake = wake,
        .now_ms = read_clock,
        .pause = pause_briefly,
        .patience_ms = SLM_LOCK_PATIENCE_MS,
        .set_file_lock = hrn_lock_real.set_file_lock,
    };
    slm_event_listen(listen, &seen);
}

/* --- What must hold after each call --- */

void hrn_lock_begin_call(unsigned actor)
{
    slm_lock_set_self(hrn_lock_identity(actor));
    seen.clock = hrn_lock_model.clock;
    seen.n_pauses = hrn_lock_model.n_pauses = 0;
    seen.wake = hrn_lock_model.wake = 0;
    seen.n_events = hrn_lock_model.n_events = 0;
    hrn_lock_model.os_errno = 0;
    errno = 0;
}

static void expect_state(const char *call)
{
    const struct slm_lock_state *want = &hrn_lock_model.want;
    if (state.word != want->word) {
        hrn_lock_law_word("%s: %" PRIx64 ", expected %" PRIx64, call, (uint64_t)state.word,
                          (uint64_t)want->word);
    }
    if (state.n_deaths != want->n_deaths || state.n_waits != want->n_waits) {
        hrn_lock_law_counters(
            "%s: %" PRIu32 " deaths, expected %" PRIu32 "; %" PRIu64 " waits, expected %" PRIu64,
            call, state.n_deaths, want->n_deaths, (uint64_t)state.n_waits, (uint64_t)want->n_waits);
    }
    if (memcmp(&state, want, sizeof state) != 0) {
        hrn_lock_law_origin("%s: boot %" PRIx64 ", %" PRIx64 "; namespaces %" PRIx64 ", %" PRIx64
                            "; file %" PRIx64 ", %" PRIx64,
                            call, (uint64_t)state.boot, (uint64_t)want->boot,
                            (uint64_t)state.namespaces, (uint64_t)want->namespaces,
                            (uint64_t)state.file_inode, (uint64_t)want->file_inode);
    }
}

static void expect_events(const char *call)
{
    const struct lock_model *model = &hrn_lock_model;
    bool is_same = seen.n_events == model->n_events;
    for (unsigned i = 0; is_same && i < seen.n_events; i++) {
        const struct slm_event *a = &seen.events[i];
        const struct slm_event *b = &model->events[i];
        is_same = a->kind == b->kind && a->status == b->status && a->thread_id == b->thread_id &&
                  memcmp(a->name, b->name, sizeof a->name) == 0;
    }
    if (!is_same) {
        hrn_lock_law_events("%s: %u of them, expected %u", call, seen.n_events, model->n_events);
    }
}

/* No call leaves cancellation off or signals blocked. */
void hrn_lock_expect_calm(void)
{
    sigset_t mask;
    int cancel;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &cancel);
    if (cancel != PTHREAD_CANCEL_ENABLE || pthread_sigmask(SIG_SETMASK, NULL, &mask) != 0 ||
        sigismember(&mask, SIGUSR1) != sigismember(&mask_at_begin, SIGUSR1) ||
        sigismember(&mask, SIGTERM) != sigismember(&mask_at_begin, SIGTERM)) {
        hrn_lock_law_calm("cancellation is off: %d", cancel != PTHREAD_CANCEL_ENABLE);
    }
}

void hrn_lock_end_call(const char *call, enum slm_status status, enum slm_status expected)
{
    struct lock_model *model = &hrn_lock_model;
    int os_errno = errno;
    hrn_lock_settle_file();
    hrn_lock_expect_calm();
    if (status != expected) {
        hrn_lock_law_answer("%s: %s, expected %s", call, slm_status_name(status),
                            slm_status_name(expected));
    }
    if (model->os_errno != 0 && os_errno != model->os_errno) {
        hrn_lock_law_answer("%s: errno %d, expected %d", call, os_errno, model->os_errno);
    }
    expect_state(call);
    expect_events(call);
    if (seen.wake != model->wake) {
        hrn_lock_law_wakes("%s: %d sleepers, expected %d", call, seen.wake, model->wake);
    }
    if (seen.clock != model->clock || seen.n_pauses != model->n_pauses) {
        hrn_lock_law_time("%s: until %" PRIu64 ", expected %" PRIu64 "; %" PRIu64
                          " pauses, expected %" PRIu64,
                          call, seen.clock, model->clock, seen.n_pauses, model->n_pauses);
    }
}

/* --- Calls through a handle --- */

static void take(const struct op *op)
{
    static const int times_ms[] = {0, 1, 7, 15, 60, 150, 400, 1500};
    struct slm_lock *lock = hrn_lock_model.handles[op->actor].lock;
    bool would_hang;
    int timeout_ms = op->kind == HRN_LOCK_TRY    ? LOCK_ONCE
                     : op->kind == HRN_LOCK_LOCK ? LOCK_FOR_EVER
                                                 : times_ms[op->extra % 8];
    hrn_lock_begin_call(op->actor);
    enum slm_status expected = hrn_lock_predict_take(op->actor, timeout_ms, &would_hang);
    if (would_hang) {
        return;
    }
    enum slm_status status = op->kind == HRN_LOCK_TRY ? slm_lock_trylock(lock)
                             : op->kind == HRN_LOCK_LOCK
                                 ? slm_lock_lock(lock)
                                 : slm_lock_timedlock(lock, (unsigned)timeout_ms);
    hrn_lock_end_call(name_of(op->kind), status, expected);
}

static void *take_in_thread(void *data)
{
    const struct op *op = data;
    bool would_hang;
    slm_lock_set_self(hrn_lock_identity(op->actor));
    enum slm_status expected = hrn_lock_predict_take(op->actor, LOCK_ONCE, &would_hang);
    hrn_lock_end_call("try", slm_lock_trylock(hrn_lock_model.handles[op->actor].lock), expected);
    return expected == SLM_OK || expected == SLM_OWNER_DIED ? data : NULL;
}

/* It ends without unlocking: the file's lock ends with it, other kinds only with the word's owner. */
static void run_thread(const struct op *op)
{
    pthread_t thread;
    struct op same = *op;
    void *taken;
    if (n_threads == THREADS_MAX) {
        return;
    }
    n_threads++;
    hrn_lock_begin_call(op->actor);
    if (pthread_create(&thread, NULL, take_in_thread, &same) != 0 ||
        pthread_join(thread, &taken) != 0) {
        hrn_lock_law_made("no thread");
    }
    if (taken != NULL) {
        hrn_lock_end_thread(op->actor);
    }
    hrn_lock_model.os_errno = 0; /* it is the thread's */
    hrn_lock_end_call("end of a thread", SLM_OK, SLM_OK);
}

static bool is_mine(unsigned actor)
{
    return slm_lock_owner_in(hrn_lock_model.want.word) == hrn_lock_identity(actor) &&
           (hrn_lock_model.want.kind != SLM_LOCK_FILE || hrn_lock_model.handles[actor].has_lock);
}

static void unlock(const struct op *op)
{
    struct slm_lock *lock = hrn_lock_model.handles[op->actor].lock;
    hrn_lock_begin_call(op->actor);
    if (slm_lock_is_mine(lock) != is_mine(op->actor)) {
        hrn_lock_law_answer("whether it is the caller's");
    }
    enum slm_status expected = hrn_lock_predict_unlock(op->actor);
    hrn_lock_end_call("unlock", slm_lock_unlock(lock), expected);
}

static void mark_repaired(const struct op *op)
{
    struct slm_lock *lock = hrn_lock_model.handles[op->actor].lock;
    hrn_lock_begin_call(op->actor);
    bool is_holder = is_mine(op->actor);
    hrn_lock_model.want.word &= is_holder ? ~SLM_LOCK_REPAIR : UINT64_MAX;
    hrn_lock_end_call("mark_repaired", slm_lock_mark_repaired(lock),
                      is_holder ? SLM_OK : SLM_E_OWNER);
}

static void note(const struct op *op)
{
    enum slm_event_kind kind = (enum slm_event_kind)(op->extra % 5);
    enum slm_status status = (enum slm_status)(op->value % SLM_STATUS_COUNT);
    pid_t thread = (pid_t)(op->value >> 8 & 0xffff);
    if (!is_mine(op->actor)) {
        return;
    }
    hrn_lock_begin_call(op->actor);
    struct slm_event event = hrn_lock_event(op->actor, kind, thread);
    event.status = status;
    hrn_lock_expect_note(op->actor, event);
    slm_lock_note_event(hrn_lock_model.handles[op->actor].lock, kind, status, thread);
    hrn_lock_end_call("note", SLM_OK, SLM_OK);
}

/* extra: which identity: any, the owner's, or an actor's. */
static void force(const struct op *op)
{
    struct slm_lock_state *want = &hrn_lock_model.want;
    uint64_t owner = slm_lock_owner_in(want->word);
    uint64_t identity = op->extra % 3 == 0   ? 0
                        : op->extra % 3 == 1 ? owner
                                             : hrn_lock_identity(op->value % LOCK_N_ACTORS);
    enum slm_status expected = SLM_OK;
    hrn_lock_begin_call(op->actor);
    hrn_lock_model.wake = INT32_MAX;
    if (owner != 0 &&
        ((identity != 0 && identity != owner) || hrn_lock_judge_owner(owner).is_alive)) {
        expected = SLM_E_OWNER;
    } else if (owner != 0) {
        want->word = SLM_LOCK_REPAIR;
        want->n_deaths++;
        hrn_lock_expect_event(op->actor, SLM_EVENT_OWNER_DIED, (pid_t)(owner & SLM_LOCK_TID));
    }
    struct slm_lock *lock = hrn_lock_model.handles[op->actor].lock;
    hrn_lock_end_call("force_unlock", slm_lock_force_unlock(lock, identity), expected);
}

static void expect_owner(const char *call, const struct slm_lock_owner *owner,
                         struct slm_lock_life life)
{
    uint64_t word = hrn_lock_model.want.word;
    uint64_t identity = slm_lock_owner_in(word);
    bool is_owned = identity != 0;
    if (owner->identity != identity || owner->thread_id != (pid_t)(word & SLM_LOCK_TID) ||
        owner->needs_repair != ((word & SLM_LOCK_REPAIR) != 0) ||
        owner->has_waiters != ((word & SLM_LOCK_WAITERS) != 0) ||
        owner->is_alive != (is_owned && life.is_alive) ||
        owner->doubt != (is_owned ? life.doubt : SLM_LOCK_NO_DOUBT)) {
        hrn_lock_law_owner("%s: %" PRIx64 ", alive %d, doubt %d", call, owner->identity,
                           owner->is_alive, (int)owner->doubt);
    }
}

static void look_at_owner(const struct op *op)
{
    const struct slm_lock_state *want = &hrn_lock_model.want;
    uint64_t identity = slm_lock_owner_in(want->word);
    uint64_t now = hrn_lock_boot_now();
    bool is_old = want->boot != 0 && now != 0 && want->boot != now;
    struct slm_lock_owner owner;
    memset(&owner, 0x5a, sizeof owner);
    hrn_lock_begin_call(op->actor);
    slm_lock_get_owner(hrn_lock_model.handles[op->actor].lock, &owner);
    expect_owner("get_owner", &owner, hrn_lock_judge_owner(identity));
    memset(&owner, 0x5a, sizeof owner);
    slm_lock_get_state_owner(&state, &owner);
    expect_owner("get_state_owner", &owner,
                 is_old ? (struct slm_lock_life){false, SLM_LOCK_NO_DOUBT}
                        : hrn_lock_judge_thread(identity));
    hrn_lock_end_call("get_owner", SLM_OK, SLM_OK);
}

/* --- Misuse --- */

static void expect_attach_refused(struct slm_lock_state *at, const struct slm_lock_options *options,
                                  enum slm_status expected, const char *text)
{
    struct slm_error error;
    struct slm_lock *lock = (struct slm_lock *)(void *)&state;
    hrn_lock_end_call("attach", slm_lock_attach(&lock, at, options, &error), expected);
    if (lock != NULL || error.status != expected || error.os_errno != 0 ||
        strcmp(error.text, text) != 0) {
        hrn_lock_law_text("%s, expected %s", error.text, text);
    }
}

static void try_nulls(const struct op *op)
{
    static const struct slm_lock_options robust = {.kind = SLM_LOCK_ROBUST};
    struct slm_lock_state *odd = (struct slm_lock_state *)(void *)((char *)&state + 8);
    struct slm_lock_owner owner = {.identity = 5};
    struct slm_error error;
    hrn_lock_begin_call(op->actor);
    hrn_lock_end_call("init", slm_lock_init(NULL, SLM_LOCK_ROBUST), SLM_E_NULL);
    hrn_lock_end_call("init", slm_lock_init(odd, SLM_LOCK_ROBUST), SLM_E_ALIGN);
    hrn_lock_end_call("init", slm_lock_init(&state, (enum slm_lock_kind)(SLM_LOCK_FILE + 1)),
                      SLM_E_OPTION);
    hrn_lock_end_call("lock", slm_lock_lock(NULL), SLM_E_NULL);
    hrn_lock_end_call("trylock", slm_lock_trylock(NULL), SLM_E_NULL);
    hrn_lock_end_call("timedlock", slm_lock_timedlock(NULL, 1), SLM_E_NULL);
    hrn_lock_end_call("unlock", slm_lock_unlock(NULL), SLM_E_NULL);
    hrn_lock_end_call("mark_repaired", slm_lock_mark_repaired(NULL), SLM_E_NULL);
    hrn_lock_end_call("force_unlock", slm_lock_force_unlock(NULL, 0), SLM_E_NULL);
    expect_attach_refused(NULL, &robust, SLM_E_NULL, "lock: no state, or no options");
    expect_attach_refused(&state, NULL, SLM_E_NULL, "lock: no state, or no options");
    expect_attach_refused(odd, &robust, SLM_E_ALIGN, "lock: a state that is not 64-aligned");
    hrn_lock_end_call("attach", slm_lock_attach(NULL, &state, &robust, &error), SLM_E_NULL);
    slm_lock_get_owner(NULL, &owner);
    slm_lock_get_state_owner(NULL, &owner);
    slm_lock_get_state_owner(&state, NULL);
    slm_lock_detach(NULL);
    if (slm_lock_is_mine(NULL) || owner.identity != 5 ||
        slm_lock_file_was_given(NULL, hrn_lock_file_path()) ||
        strcmp(error.text, "lock: no place for a handle") != 0) {
        hrn_lock_law_answer("a call without a lock");
    }
}

/* --- The state, as others leave it --- */

static void mark(const struct op *op)
{
    uint64_t marks = (op->value & 1 ? SLM_LOCK_WAITERS : 0) | (op->value & 2 ? SLM_LOCK_TURN : 0) |
                     (op->value & 4 ? SLM_LOCK_REPAIR : 0);
    state.word |= marks;
    hrn_lock_model.want.word = state.word;
}

static void record(const struct op *op)
{
    uint64_t bit = op->value >> 8 & 1;
    uint64_t start = (op->value >> 9 & 1) != 0 ? 0 : bit;
    switch (op->extra % 4) {
    case 0:
        state.word = (state.word & ~SLM_LOCK_IDENTITY) |
                     (hrn_lock_identity(op->value % LOCK_N_ACTORS) + (start << 32));
        state.word &= (op->value >> 10 & 1) != 0 ? UINT32_MAX : UINT64_MAX;
        break;
    case 1:
        state.boot = (op->value & 3) == 0 ? 0 : hrn_lock_boot_now() + (op->value & 2);
        break;
    case 2:
        state.namespaces = (op->value & 3) == 0 ? 0 : state.boot ^ (LOCK_HOME + bit);
        break;
    default:
        state.namespaces = state.boot ^ (LOCK_HOME + (bit << 32));
        break;
    }
    hrn_lock_model.want = state;
}

/* --- Programs --- */

static bool needs_handle(enum hrn_lock_op kind)
{
    return (kind >= HRN_LOCK_TRY && kind <= HRN_LOCK_OWNER) || kind == HRN_LOCK_NOTE ||
           kind == HRN_LOCK_THREAD;
}

static void run(const struct op *op)
{
    static void (*const verbs[HRN_LOCK_COUNT])(const struct op *op) = {
        [HRN_LOCK_ATTACH] = hrn_lock_attach,
        [HRN_LOCK_DETACH] = hrn_lock_detach,
        [HRN_LOCK_TRY] = take,
        [HRN_LOCK_TIMED] = take,
        [HRN_LOCK_LOCK] = take,
        [HRN_LOCK_UNLOCK] = unlock,
        [HRN_LOCK_REPAIRED] = mark_repaired,
        [HRN_LOCK_FORCE] = force,
        [HRN_LOCK_OWNER] = look_at_owner,
        [HRN_LOCK_NULLS] = try_nulls,
        [HRN_LOCK_MARK] = mark,
        [HRN_LOCK_RECORD] = record,
        [HRN_LOCK_SIMULATE] = hrn_lock_simulate,
        [HRN_LOCK_MAP] = hrn_lock_map,
        [HRN_LOCK_PROC] = hrn_lock_set_proc,
        [HRN_LOCK_LOOK] = hrn_lock_look,
        [HRN_LOCK_STAT] = hrn_lock_parse,
        [HRN_LOCK_EVENT] = hrn_lock_write_event,
        [HRN_LOCK_FILE] = hrn_lock_change_file,
        [HRN_LOCK_NOTE] = note,
        [HRN_LOCK_FORK] = hrn_lock_fork,
        [HRN_LOCK_THREAD] = run_thread,
    };
    if (needs_handle(op->kind) && hrn_lock_model.handles[op->actor].lock == NULL) {
        return;
    }
    n_kind[op->kind]++;
    HRN_SAY_OP("actor %u: %s extra %u value %" PRIu32, op->actor, name_of(op->kind), op->extra,
               op->value);
    if (op->kind == HRN_LOCK_INIT) {
        hrn_lock_init(op->extra % N_KINDS);
    } else {
        verbs[op->kind](op);
    }
}

bool hrn_lock_kind(unsigned idx, struct hrn_fuzz_kind *kind)
{
    if (idx >= HRN_LOCK_COUNT) {
        return false;
    }
    *kind = (struct hrn_fuzz_kind){name_of((enum hrn_lock_op)idx), n_kind[idx]};
    return true;
}

static struct op decode(const uint8_t *record)
{
    uint32_t value;
    memcpy(&value, record + 4, sizeof value);
    return (struct op){(enum hrn_lock_op)(record[0] % HRN_LOCK_COUNT), record[1] % LOCK_N_ACTORS,
                       record[2], value};
}

static void begin(unsigned kind)
{
    begin_system();
    hrn_lock_begin_proc(&state);
    if (slm_lock_namespaces() != LOCK_HOME) {
        hrn_lock_law_made("another part of this process has used locks of the real system");
    }
    memset(&hrn_lock_model, 0, sizeof hrn_lock_model);
    hrn_lock_model.clock = 1000;
    hrn_lock_begin_file();
    hrn_lock_begin_forks();
    n_threads = 0;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask_at_begin);
    hrn_lock_init(kind);
}

int hrn_fuzz_lock(const uint8_t *bytes, size_t n_bytes)
{
    uint64_t n_ops = 0;
    begin(n_bytes == 0 ? 0 : bytes[0] % N_KINDS);
    for (size_t at = 1; at + RECORD_BYTES <= n_bytes && n_ops < N_OPS_MAX; at += RECORD_BYTES) {
        struct op op = decode(bytes + at);
        run(&op);
        n_ops++;
    }
    hrn_lock_detach_all();
    slm_event_listen(NULL, NULL);
    hrn_fuzz_count(n_ops + 1);
    return 0;
}
