/* SPDX-License-Identifier: Apache-2.0 */
/* What calls that take, give and judge the lock do, by its contract. */
#include <errno.h>
#include <string.h>

#include "allocator/lock/word.h"
#include "fuzz/lock/model.h"

struct lock_model hrn_lock_model;

/* One call that takes the lock. */
struct wait {
    unsigned actor;
    struct handle *handle;
    uint64_t self;
    int timeout_ms;
    uint64_t deadline;
    uint64_t since;
    uint64_t slept;
    bool has_slept;
    bool has_reported;
    bool asks;
};

static uint64_t owner_now(void)
{
    return slm_lock_owner_in(hrn_lock_model.want.word);
}

static pid_t thread_in(uint64_t owner)
{
    return (pid_t)(owner & SLM_LOCK_TID);
}

/* --- Events --- */

const char *hrn_lock_name_of(unsigned actor)
{
    static const char *const names[LOCK_N_ACTORS] = {
        NULL, "keys", "sessions",
        "a name of more than sixty-three bytes, of which an event keeps as many as fit in it"};
    return names[actor];
}

struct slm_event hrn_lock_event(unsigned actor, enum slm_event_kind kind, pid_t thread)
{
    struct slm_event event = {.kind = kind, .status = SLM_OK, .thread_id = thread};
    const char *name = hrn_lock_name_of(actor);
    if (name != NULL) {
        size_t n = strlen(name);
        memcpy(event.name, name, n < sizeof event.name - 1 ? n : sizeof event.name - 1);
    }
    return event;
}

void hrn_lock_expect_event(unsigned actor, enum slm_event_kind kind, pid_t thread)
{
    hrn_lock_model.events[hrn_lock_model.n_events++] = hrn_lock_event(actor, kind, thread);
}

/* A holder's event waits until it unlocks, and marks the word so that it takes the slow path. */
void hrn_lock_expect_note(unsigned actor, struct slm_event event)
{
    struct handle *handle = &hrn_lock_model.handles[actor];
    if (handle->n_noted < SLM_EVENTS_MAX) {
        handle->noted[handle->n_noted++] = event;
        hrn_lock_model.want.word |= SLM_LOCK_WAITERS;
    }
}

static void note_death(const struct wait *wait, uint64_t owner)
{
    hrn_lock_model.want.n_deaths++;
    hrn_lock_expect_note(wait->actor,
                         hrn_lock_event(wait->actor, SLM_EVENT_OWNER_DIED, thread_in(owner)));
}

/* --- Owners --- */

static uint64_t recorded_namespaces(void)
{
    const struct slm_lock_state *want = &hrn_lock_model.want;
    return want->namespaces == 0 ? 0 : want->namespaces ^ want->boot;
}

struct slm_lock_life hrn_lock_judge_thread(uint64_t owner)
{
    uint64_t recorded = recorded_namespaces();
    if ((uint32_t)recorded != LOCK_HOME_PID) {
        return (struct slm_lock_life){true, SLM_LOCK_DOUBT_NAMESPACE};
    }
    return hrn_lock_life_of(owner, (uint32_t)(recorded >> 32));
}

struct slm_lock_life hrn_lock_judge_owner(uint64_t owner)
{
    struct slm_lock_life life = hrn_lock_judge_thread(owner);
    if (!life.is_alive || life.doubt == SLM_LOCK_DOUBT_NAMESPACE) {
        return life;
    }
    enum slm_lock_maps maps = hrn_lock_maps_of(thread_in(owner));
    if (maps == SLM_LOCK_MAPS_NOT) {
        return (struct slm_lock_life){false, SLM_LOCK_NO_DOUBT};
    }
    if (maps == SLM_LOCK_MAPS_HIDDEN && life.doubt == SLM_LOCK_NO_DOUBT) {
        life.doubt = SLM_LOCK_DOUBT_MAPPINGS;
    }
    return life;
}

/* Mappings are looked at by the 8th look at one owner, the 16th, the 32nd, and so on. */
static bool is_owner_gone(struct handle *handle, uint64_t owner)
{
    if (handle->suspect != owner) {
        handle->suspect = owner;
        handle->n_looks = 0;
    }
    handle->n_looks++;
    bool is_due = false;
    for (unsigned n = 8; n != 0 && n <= handle->n_looks; n *= 2) {
        is_due = is_due || n == handle->n_looks;
    }
    return !(is_due ? hrn_lock_judge_owner(owner) : hrn_lock_judge_thread(owner)).is_alive;
}

/* --- Waiting, as both kinds of waits do --- */

static bool is_for_ever(const struct wait *wait)
{
    return wait->timeout_ms == LOCK_FOR_EVER;
}

static bool is_time_up(struct wait *wait)
{
    return !is_for_ever(wait) && ++hrn_lock_model.clock >= wait->deadline;
}

static void report_wait(struct wait *wait)
{
    uint64_t owner = owner_now();
    if (wait->has_reported) {
        return;
    }
    uint64_t now = ++hrn_lock_model.clock;
    if (wait->since == 0) {
        wait->since = now;
    } else if (owner != 0 && now - wait->since >= SLM_EVENT_HELD_MS) {
        wait->has_reported = true;
        hrn_lock_expect_event(wait->actor, SLM_EVENT_HELD_LONG, thread_in(owner));
    }
}

static void nap(struct wait *wait)
{
    uint64_t n_ms = SLM_LOCK_SLEEP_MS;
    if (!is_for_ever(wait)) {
        uint64_t now = ++hrn_lock_model.clock;
        uint64_t left = now >= wait->deadline ? 1 : wait->deadline - now;
        n_ms = left < n_ms ? left : n_ms;
    }
    hrn_lock_model.clock += n_ms;
}

/* --- ROBUST and SPIN_SEM --- */

static enum slm_status take_word(struct wait *wait, bool is_dead)
{
    struct slm_lock_state *want = &hrn_lock_model.want;
    uint64_t owner = owner_now();
    uint64_t kept = SLM_LOCK_REPAIR | SLM_LOCK_WAITERS | (wait->has_slept ? 0 : SLM_LOCK_TURN);
    want->word = wait->self | (want->word & kept) | (wait->has_slept ? SLM_LOCK_WAITERS : 0) |
                 (is_dead ? SLM_LOCK_REPAIR : 0);
    if (is_dead) {
        note_death(wait, owner);
    }
    return (want->word & SLM_LOCK_REPAIR) != 0 ? SLM_OWNER_DIED : SLM_OK;
}

/* SLM_E_LOCKED: not yet. */
static enum slm_status look(struct wait *wait, bool is_last)
{
    uint64_t word = hrn_lock_model.want.word;
    uint64_t owner = owner_now();
    if (owner == wait->self) {
        return SLM_E_HELD;
    }
    if (owner == 0) {
        bool may = (word & SLM_LOCK_TURN) == 0 || wait->has_slept || is_last;
        return may ? take_word(wait, false) : SLM_E_LOCKED;
    }
    bool looks = hrn_lock_model.want.kind == SLM_LOCK_ROBUST;
    return looks && is_owner_gone(wait->handle, owner) ? take_word(wait, true) : SLM_E_LOCKED;
}

static void sleep_once(struct wait *wait)
{
    struct slm_lock_state *want = &hrn_lock_model.want;
    uint64_t now = ++hrn_lock_model.clock;
    wait->asks = wait->asks || (wait->has_slept && now - wait->slept >= SLM_LOCK_PATIENCE_MS);
    want->word |= SLM_LOCK_WAITERS | (wait->asks ? SLM_LOCK_TURN : 0);
    if (!wait->has_slept) {
        want->n_waits++;
        wait->slept = now;
        wait->has_slept = true;
    }
    nap(wait);
}

static enum slm_status give_up(struct wait *wait)
{
    if (wait->asks) {
        hrn_lock_model.want.word &= ~SLM_LOCK_TURN;
    }
    hrn_lock_model.wake = wait->has_slept ? 1 : 0;
    return SLM_E_TIMEOUT;
}

static void spin(const struct wait *wait)
{
    for (unsigned n = 1; n <= wait->handle->spins; n *= 2) {
        hrn_lock_model.n_pauses += n;
    }
}

static enum slm_status contend(struct wait *wait)
{
    uint64_t word = hrn_lock_model.want.word;
    uint64_t owner = owner_now();
    if (wait->timeout_ms == 0 || wait->timeout_ms == LOCK_ONCE) {
        return look(wait, true);
    }
    bool is_open = owner == 0 && (word & SLM_LOCK_TURN) == 0;
    if (!is_open && owner != wait->self) {
        spin(wait);
    }
    for (bool is_last = false;;) {
        enum slm_status status = look(wait, is_last);
        if (status != SLM_E_LOCKED) {
            return status;
        }
        if (is_last) {
            return give_up(wait);
        }
        is_last = is_time_up(wait);
        if (!is_last) {
            report_wait(wait);
            sleep_once(wait);
        }
    }
}

/* --- FILE --- */

bool hrn_lock_is_file_taken(const struct handle *handle)
{
    for (unsigned i = 0; i < LOCK_N_ACTORS; i++) {
        const struct handle *other = &hrn_lock_model.handles[i];
        if (other->has_lock && other->is_open && other->inode == handle->inode) {
            return true;
        }
    }
    return false;
}

/* Returns SLM_OK with the system's lock; otherwise *os_errno is the caller's errno, or 0. */
static enum slm_status take_file(struct wait *wait)
{
    struct lock_model *model = &hrn_lock_model;
    struct handle *handle = wait->handle;
    int os_errno = handle->is_open ? 0 : hrn_lock_predict_open(handle);
    if (os_errno != 0) {
        model->os_errno = os_errno;
        return os_errno == ESTALE ? SLM_E_REPLACED : SLM_E_IO;
    }
    bool is_made = model->creator != NULL;
    if (!is_made && hrn_lock_is_file_taken(handle)) {
        return SLM_E_LOCKED;
    }
    if (!is_made && !hrn_lock_agree_on_file(handle)) {
        handle->is_open = false;
        model->os_errno = ESTALE;
        return SLM_E_REPLACED;
    }
    handle->has_lock = true;
    return SLM_OK;
}

static enum slm_status look_at_file(struct wait *wait)
{
    enum slm_status status = take_file(wait);
    return status == SLM_E_LOCKED && owner_now() == wait->self ? SLM_E_HELD : status;
}

static enum slm_status take_both(struct wait *wait)
{
    struct slm_lock_state *want = &hrn_lock_model.want;
    enum slm_status status = look_at_file(wait);
    bool waits = wait->timeout_ms != 0 && wait->timeout_ms != LOCK_ONCE;
    want->n_waits += status == SLM_E_LOCKED && waits;
    while (status == SLM_E_LOCKED && waits) {
        if (is_time_up(wait)) {
            hrn_lock_model.wake = 1;
            return SLM_E_TIMEOUT;
        }
        report_wait(wait);
        if (owner_now() != 0) {
            want->word |= SLM_LOCK_WAITERS;
            nap(wait);
        } else {
            hrn_lock_model.clock++;
        }
        wait->has_slept = true;
        status = look_at_file(wait);
    }
    return status;
}

static enum slm_status contend_for_file(struct wait *wait)
{
    struct slm_lock_state *want = &hrn_lock_model.want;
    if (wait->handle->has_lock) {
        return SLM_E_HELD;
    }
    enum slm_status status = take_both(wait);
    if (status != SLM_OK) {
        return status;
    }
    uint64_t owner = owner_now();
    uint64_t repair = owner != 0 ? SLM_LOCK_REPAIR : want->word & SLM_LOCK_REPAIR;
    want->word = wait->self | repair | (want->word & SLM_LOCK_WAITERS) |
                 (wait->has_slept ? SLM_LOCK_WAITERS : 0);
    if (owner != 0) {
        note_death(wait, owner);
    }
    return repair != 0 ? SLM_OWNER_DIED : SLM_OK;
}

/* --- Calls --- */

static bool is_any_file_taken(void)
{
    bool is_taken = false;
    for (unsigned i = 0; i < LOCK_N_ACTORS; i++) {
        const struct handle *handle = &hrn_lock_model.handles[i];
        is_taken = is_taken || (handle->has_lock && handle->is_open);
    }
    return is_taken;
}

/* Whether the lock can never be had by waiting. */
static bool hangs(const struct wait *wait)
{
    const struct lock_model *model = &hrn_lock_model;
    uint64_t owner = owner_now();
    if (!is_for_ever(wait)) {
        return false;
    }
    if (model->want.kind == SLM_LOCK_FILE) {
        return is_any_file_taken() && !wait->handle->has_lock;
    }
    if (owner == 0 || owner == wait->self) {
        return false;
    }
    return model->want.kind != SLM_LOCK_ROBUST || hrn_lock_judge_owner(owner).is_alive;
}

enum slm_status hrn_lock_predict_take(unsigned actor, int timeout_ms, bool *would_hang)
{
    struct lock_model *model = &hrn_lock_model;
    struct wait wait = {
        .actor = actor,
        .handle = &model->handles[actor],
        .self = hrn_lock_identity(actor),
        .timeout_ms = timeout_ms,
    };
    *would_hang = hangs(&wait);
    if (*would_hang) {
        return SLM_OK;
    }
    bool is_file = model->want.kind == SLM_LOCK_FILE;
    if (!is_file && model->want.word == 0) {
        model->want.word = wait.self;
        return SLM_OK;
    }
    if (timeout_ms >= 0) {
        wait.deadline = ++model->clock + (uint64_t)timeout_ms;
    }
    enum slm_status status = is_file ? contend_for_file(&wait) : contend(&wait);
    return timeout_ms >= 0 && status == SLM_E_LOCKED ? SLM_E_TIMEOUT : status;
}

enum slm_status hrn_lock_predict_unlock(unsigned actor)
{
    struct lock_model *model = &hrn_lock_model;
    struct handle *handle = &model->handles[actor];
    bool is_file = model->want.kind == SLM_LOCK_FILE;
    bool has_word = owner_now() == hrn_lock_identity(actor);
    bool has_both = has_word && (!is_file || handle->has_lock);
    if (!has_word) {
        handle->has_lock = false; /* it was lost */
    }
    if (!has_both) {
        return SLM_E_OWNER;
    }
    if (!is_file && model->want.word == hrn_lock_identity(actor)) {
        model->want.word = 0; /* what an earlier hold noted, before it was lost, waits for a mark */
        return SLM_OK;
    }
    for (unsigned i = 0; i < handle->n_noted; i++) {
        model->events[model->n_events++] = handle->noted[i];
    }
    handle->n_noted = 0;
    model->wake = (model->want.word & SLM_LOCK_WAITERS) != 0 ? 1 : 0;
    model->want.word &= SLM_LOCK_REPAIR | SLM_LOCK_TURN;
    handle->has_lock = false;
    return SLM_OK;
}

void hrn_lock_end_thread(unsigned actor)
{
    struct lock_model *model = &hrn_lock_model;
    if (model->handles[actor].has_lock) {
        model->handles[actor].has_lock = false;
        model->wake = 1;
    }
}
