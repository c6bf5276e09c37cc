/* SPDX-License-Identifier: Apache-2.0 */
/* Events of locks: what a listener gets, when, and that it is never under the lock. */
#include <mutex>
#include <thread>
#include <vector>

#include "tests/lock/fixture.h"
#include <slabmill/event.h>

namespace {

using namespace slm_test;

/* Keeps every event. While it is in place the process has a listener. */
class Listener {
  public:
    Listener()
    {
        slm_event_listen(listen, this);
    }
    ~Listener()
    {
        slm_event_listen(nullptr, nullptr);
    }
    Listener(const Listener &) = delete;
    Listener &operator=(const Listener &) = delete;
    std::vector<slm_event> events()
    {
        std::lock_guard<std::mutex> guard(mutex_);
        return events_;
    }
    size_t n()
    {
        return events().size();
    }
    /* Runs in the listener, for each event. */
    std::function<void()> also = [] {};

  private:
    static void listen(const slm_event *event, void *data)
    {
        auto *self = static_cast<Listener *>(data);
        self->also();
        std::lock_guard<std::mutex> guard(self->mutex_);
        self->events_.push_back(*event);
    }

    std::mutex mutex_;
    std::vector<slm_event> events_;
};

/* A child that died while it held the lock; its thread. */
pid_t leave_dead_owner(Lock &lock)
{
    pid_t child = start_child([&lock] {
        slm_lock_lock(lock.attach_elsewhere());
        die();
        return 0;
    });
    EXPECT_EQ(reap(child), -SIGKILL);
    return child;
}

const slm_lock_kind kKindsThatFindDeaths[] = {SLM_LOCK_ROBUST, SLM_LOCK_FILE};

TEST(LockEvent, ADeadOwnerIsReportedWhenTheNextHolderHasUnlocked)
{
    for (slm_lock_kind kind : kKindsThatFindDeaths) {
        Lock lock(kind);
        Listener listener;
        bool is_free = false;
        listener.also = [&] {
            is_free = !slm_lock_is_mine(lock) && slm_lock_trylock(lock) == SLM_OK &&
                      slm_lock_unlock(lock) == SLM_OK;
        };
        pid_t dead = leave_dead_owner(lock);
        ASSERT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
        ASSERT_EQ(slm_lock_mark_repaired(lock), SLM_OK);
        EXPECT_EQ(listener.n(), 0u);
        ASSERT_EQ(slm_lock_unlock(lock), SLM_OK);
        ASSERT_EQ(listener.n(), 1u);
        EXPECT_EQ(listener.events()[0].kind, SLM_EVENT_OWNER_DIED);
        EXPECT_EQ(listener.events()[0].thread_id, dead);
        EXPECT_STREQ(listener.events()[0].name, "");
        EXPECT_TRUE(is_free) << kind;
        ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
        ASSERT_EQ(slm_lock_unlock(lock), SLM_OK);
        EXPECT_EQ(listener.n(), 1u);
    }
}

TEST(LockEvent, ALockThatIsForcedFromTheDeadIsReportedAtOnce)
{
    Lock lock(SLM_LOCK_SPIN_SEM);
    Listener listener;
    pid_t dead = leave_dead_owner(lock);
    ASSERT_EQ(slm_lock_force_unlock(lock, 0), SLM_OK);
    ASSERT_EQ(listener.n(), 1u);
    EXPECT_EQ(listener.events()[0].kind, SLM_EVENT_OWNER_DIED);
    EXPECT_EQ(listener.events()[0].thread_id, dead);
}

TEST(LockEvent, AHolderIsReportedOnceByEachWaiterThatWaitsForLong)
{
    for (slm_lock_kind kind : kKindsThatFindDeaths) {
        Lock lock(kind);
        Listener listener;
        ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
        std::thread waiter([&] {
            EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
            EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
        });
        await([&] { return listener.n() != 0; });
        uint64_t n_waits = slm_lock_system.now_ms();
        await([&] { return slm_lock_system.now_ms() > n_waits + 3 * SLM_LOCK_SLEEP_MS; });
        ASSERT_EQ(slm_lock_unlock(lock), SLM_OK);
        waiter.join();
        ASSERT_EQ(listener.n(), 1u);
        EXPECT_EQ(listener.events()[0].kind, SLM_EVENT_HELD_LONG);
        EXPECT_EQ(listener.events()[0].thread_id, getpid());
    }
}

TEST(LockEvent, NothingIsNotedWithoutAListener)
{
    Lock lock;
    (void)leave_dead_owner(lock);
    ASSERT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(lock.word() & SLM_LOCK_WAITERS, 0u);
    Listener late;
    ASSERT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(late.n(), 0u);
}

TEST(LockEvent, AForkChildDoesNotReportItsParentsEvents)
{
    Lock lock;
    Listener listener;
    (void)leave_dead_owner(lock);
    ASSERT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    slm_lock *mine = lock;
    EXPECT_EQ(mine->events.n, 1u);
    EXPECT_EQ(run_child([&] { return static_cast<int>(mine->events.n); }), 0);
    ASSERT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(listener.n(), 1u);
}

TEST(LockEvent, MoreThanAHoldHasRoomForAreDropped)
{
    Lock lock;
    Listener listener;
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    for (int i = 0; i < 7; i++) {
        slm_lock_note_event(lock, SLM_EVENT_REPAIRED, SLM_OK, i);
    }
    ASSERT_EQ(slm_lock_unlock(lock), SLM_OK);
    ASSERT_EQ(listener.n(), SLM_EVENTS_MAX);
    EXPECT_EQ(listener.events()[3].thread_id, 3);
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    ASSERT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(listener.n(), SLM_EVENTS_MAX);
}

/* --- Texts --- */

std::string text_of(slm_event_kind kind, slm_status status, const char *name)
{
    slm_event event = {kind, status, 12, {}};
    (void)snprintf(event.name, sizeof event.name, "%s", name);
    char text[SLM_EVENT_TEXT_BYTES];
    size_t n_bytes = slm_event_text(&event, text, sizeof text);
    EXPECT_EQ(n_bytes, strlen(text));
    EXPECT_EQ(slm_event_text(&event, nullptr, 0), n_bytes);
    return text;
}

TEST(LockEvent, TextsNameTheZoneAndWhatHappened)
{
    EXPECT_EQ(text_of(SLM_EVENT_OWNER_DIED, SLM_OK, "keys"),
              "zone keys: thread 12 died holding the lock");
    EXPECT_EQ(text_of(SLM_EVENT_OWNER_DIED, SLM_OK, ""), "lock: thread 12 died holding the lock");
    EXPECT_EQ(text_of(SLM_EVENT_HELD_LONG, SLM_OK, "keys"),
              "zone keys: thread 12 holds the lock, and a waiter has waited 1000 ms");
    EXPECT_EQ(text_of(SLM_EVENT_REPAIRED, SLM_OK, "keys"), "zone keys: repaired");
    EXPECT_EQ(text_of(SLM_EVENT_REFUSED, SLM_E_BROKEN, "keys"),
              std::string("zone keys: a lock is refused: ") + slm_status_text(SLM_E_BROKEN));
    EXPECT_EQ(text_of(SLM_EVENT_NAME_LOST, SLM_E_MISSING, "keys"),
              std::string("zone keys: its name is lost: ") + slm_status_text(SLM_E_MISSING));
}

TEST(LockEvent, ATextIsCutToItsBuffer)
{
    slm_event event = {SLM_EVENT_REPAIRED, SLM_OK, 0, "keys"};
    char text[9] = "........";
    EXPECT_EQ(slm_event_text(&event, text, 8), strlen("zone keys: repaired"));
    EXPECT_STREQ(text, "zone ke");
}

TEST(LockEvent, AnyTextFits)
{
    std::string name(SLM_EVENT_NAME_BYTES - 1, 'n');
    for (int status = 0; status < SLM_STATUS_COUNT; status++) {
        for (slm_event_kind kind : {SLM_EVENT_REFUSED, SLM_EVENT_NAME_LOST, SLM_EVENT_HELD_LONG}) {
            EXPECT_LT(text_of(kind, static_cast<slm_status>(status), name.c_str()).size(),
                      size_t{SLM_EVENT_TEXT_BYTES} - 1);
        }
    }
}

} // namespace
