/* SPDX-License-Identifier: Apache-2.0 */
/* The storm over a lock alone: processes that are killed take and release it as fast as they
 * can. */
#include <cstdio>
#include <cstring>
#include <ctime>

#include "tests/kill/peek.h"
#include "tests/kill/storm_priv.h"

namespace kill_test {
namespace {

/* A waiter counts as not woken if so many checks in a row, a millisecond apart, see the lock free
 * and the waiter asleep. */
constexpr unsigned N_CHECKS = 50;

/* Each holder records itself. It may find another holder recorded only if that one died. */
void work_on_lock(slm_lock *lock, Shared *shared, unsigned slot)
{
    Slot *me = &shared->slots[slot];
    for (;;) {
        __atomic_store_n(&me->waiting_since, now_ns(), __ATOMIC_RELAXED);
        slm_status status = slm_lock_lock(lock);
        __atomic_store_n(&me->waiting_since, 0, __ATOMIC_RELAXED);
        if (status != SLM_OK && status != SLM_OWNER_DIED) {
            count_wrong(shared, slm_status_text(status), false);
            continue;
        }
        uint64_t inside = __atomic_exchange_n(&shared->inside, slot + 1, __ATOMIC_RELAXED);
        if (inside != 0 && status == SLM_OK) {
            count_wrong(shared, "the lock has two owners", true);
        }
        if (status == SLM_OWNER_DIED) {
            (void)slm_lock_mark_repaired(lock);
        }
        uint64_t still = __atomic_exchange_n(&shared->inside, 0, __ATOMIC_RELAXED);
        if (still != slot + 1) {
            count_wrong(shared, "the lock has two owners", true);
        }
        (void)slm_lock_unlock(lock);
        __atomic_fetch_add(&me->n_operations, 1, __ATOMIC_RELAXED);
    }
}

/* Witnesses, which are never killed, wait in vain if a wake-up was lost. */
class Watch {
  public:
    Watch(const Herd &herd, const Shared *shared, const slm_lock *lock)
        : herd_(herd), slots_(herd.witnesses()), shared_(shared), lock_(lock)
    {
    }

    /* Returns how many wake-ups are lost for good at this moment. */
    unsigned count_lost() const
    {
        unsigned n_lost = 0;
        for (unsigned slot : slots_) {
            unsigned n_checks = 0;
            for (; n_checks < N_CHECKS && is_not_woken(slot); n_checks++) {
                const struct timespec pause = {0, 1000000};
                nanosleep(&pause, nullptr);
            }
            n_lost += n_checks == N_CHECKS;
        }
        return n_lost;
    }

  private:
    /* A woken waiter is not asleep, even if it gets no processor for long. */
    bool is_not_woken(unsigned slot) const
    {
        slm_lock_owner owner;
        slm_lock_get_owner(lock_, &owner);
        uint64_t since = __atomic_load_n(&shared_->slots[slot].waiting_since, __ATOMIC_RELAXED);
        return (owner.identity == 0 || !owner.is_alive) && since != 0 &&
               now_s() - static_cast<double>(since) * 1e-9 > LOST_WAKE_S && herd_.is_asleep(slot);
    }

    const Herd &herd_;
    std::vector<unsigned> slots_;
    const Shared *shared_;
    const slm_lock *lock_;
};

slm_lock *attach(void *state, slm_lock_kind kind)
{
    slm_error error;
    slm_lock *lock = nullptr;
    slm_lock_options how = {};
    how.kind = kind;
    expect(slm_lock_attach(&lock, static_cast<slm_lock_state *>(state), &how, &error) == SLM_OK,
           error.text);
    return lock;
}

void fill_result(const Herd &herd, const Shared *shared, const slm_lock_state *state,
                 StormResult *result)
{
    result->n_checks = 1;
    result->n_kills = herd.n_kills();
    result->n_operations = herd.n_operations();
    result->n_recoveries = state->n_deaths;
    result->n_lost += shared->n_lost;
    result->n_double = shared->n_double;
    memcpy(result->first_wrong, shared->first_wrong, sizeof result->first_wrong);
}

} // namespace

StormResult storm_lock(const StormOptions &options)
{
    StormResult result;
    auto *state = static_cast<slm_lock_state *>(share_memory(SLM_LOCK_BYTES));
    auto *shared = static_cast<Shared *>(share_memory(sizeof(Shared)));
    slm_lock_kind kind = options.lock_is_robust ? SLM_LOCK_ROBUST : SLM_LOCK_SPIN_SEM;
    expect(slm_lock_init(state, kind) == SLM_OK, "no lock");
    slm_lock *lock = attach(state, kind);
    slm_lock *elsewhere = attach(share_again(state, SLM_LOCK_BYTES), kind);
    Work work = [&](unsigned slot, uint64_t) {
        work_on_lock(slot % 2 == 0 ? lock : elsewhere, shared, slot);
    };
    double start = now_s();
    Holder holder = [&] {
        return kill_peek_holder_in(__atomic_load_n(&state->word, __ATOMIC_RELAXED));
    };
    Herd herd(options, work, holder, shared);
    Watch watch(herd, shared, lock);
    while (herd.goes_on(state->n_deaths) &&
           result.n_hangs + result.n_lost + shared->n_double == 0) {
        herd.kill_some();
        result.n_hangs += herd.count_hangs();
        result.n_lost += watch.count_lost();
    }
    if (result.n_hangs + result.n_lost + shared->n_double == 0) {
        result.n_hangs = herd.await_witnesses();
    }
    herd.end();
    result.seconds = now_s() - start;
    if (result.n_hangs + result.n_lost == 0) {
        slm_status status = slm_lock_timedlock(lock, static_cast<unsigned>(options.hang_s * 1000));
        result.n_hangs += status != SLM_OK && status != SLM_OWNER_DIED;
    }
    fill_result(herd, shared, state, &result);
    slm_lock_detach(elsewhere);
    slm_lock_detach(lock);
    return result;
}

} // namespace kill_test
