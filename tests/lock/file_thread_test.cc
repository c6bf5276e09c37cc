/* SPDX-License-Identifier: Apache-2.0 */
/* FILE locks and threads: a second handle, cancellation. */
#include <pthread.h>
#include <thread>

#include "allocator/lock/handle.h"
#include "allocator/lock/identity.h"
#include "tests/lock/fixture.h"

namespace {

using namespace slm_test;

TEST(LockFileThread, LearnsThatItHoldsTheLockThroughAnotherHandle)
{
    Lock lock(SLM_LOCK_FILE);
    slm_lock *other = lock.attach(SLM_LOCK_FILE);
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_lock(other), SLM_E_HELD);
    EXPECT_EQ(slm_lock_trylock(other), SLM_E_HELD);
    EXPECT_EQ(slm_lock_timedlock(other, 60000), SLM_E_HELD);
    EXPECT_EQ(slm_lock_unlock(other), SLM_E_OWNER);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(slm_lock_lock(other), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(other), SLM_OK);
    slm_lock_detach(other);
}

/* The number of a closed descriptor is that of the next file that is opened. */
TEST(LockFileThread, IsKeptOutThoughAnotherHandleGotTheNumberOfItsLostDescriptor)
{
    Lock lock(SLM_LOCK_FILE);
    slm_lock *mine = lock;
    int lost = mine->file->fd;
    close(lost);
    slm_lock *other = lock.attach(SLM_LOCK_FILE);
    ASSERT_EQ(other->file->fd, lost);
    ASSERT_EQ(slm_lock_lock(other), SLM_OK);
    std::thread([mine] { EXPECT_EQ(slm_lock_trylock(mine), SLM_E_LOCKED); }).join();
    EXPECT_EQ(slm_lock_unlock(other), SLM_OK);
    slm_lock_detach(other);
    EXPECT_EQ(slm_lock_lock(mine), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(mine), SLM_OK);
}

struct Cancelled {
    Lock *lock;
    slm_lock_kind kind;
    bool came_through;
};

/* A pending cancellation would act at the first cancellation point. */
void *use_lock_cancelled(void *arg)
{
    auto *cancelled = static_cast<Cancelled *>(arg);
    pthread_cancel(pthread_self());
    slm_lock_set_self(0);
    slm_lock *mine = cancelled->lock->attach(cancelled->kind);
    EXPECT_EQ(slm_lock_lock(mine), SLM_OWNER_DIED);
    slm_lock_owner owner;
    slm_lock_get_owner(mine, &owner);
    EXPECT_TRUE(owner.is_alive);
    EXPECT_EQ(slm_lock_mark_repaired(mine), SLM_OK);
    EXPECT_EQ(slm_lock_unlock(mine), SLM_OK);
    slm_lock_detach(mine);
    cancelled->came_through = true;
    pthread_testcancel();
    return nullptr;
}

TEST(LockThread, IsCancelledInNoCall)
{
    for (slm_lock_kind kind : {SLM_LOCK_ROBUST, SLM_LOCK_FILE}) {
        Lock lock(kind);
        hold_and_die(lock);
        Cancelled cancelled = {&lock, kind, false};
        pthread_t thread;
        ASSERT_EQ(pthread_create(&thread, nullptr, use_lock_cancelled, &cancelled), 0);
        void *result = nullptr;
        ASSERT_EQ(pthread_join(thread, &result), 0);
        EXPECT_EQ(result, PTHREAD_CANCELED);
        EXPECT_TRUE(cancelled.came_through);
        EXPECT_EQ(slm_lock_lock(lock), SLM_OK);
        EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
        EXPECT_EQ(run_child([&] { return static_cast<int>(slm_lock_trylock(lock)); }), SLM_OK);
    }
}

/* A thread that is cancelled while it holds the lock ends like any dead owner. */
TEST(LockFileThread, ThatIsCancelledHoldingTheLockIsADeadOwner)
{
    Lock lock(SLM_LOCK_FILE);
    pthread_t thread;
    auto hold = [](void *arg) -> void * {
        slm_lock_lock(*static_cast<Lock *>(arg));
        pthread_cancel(pthread_self());
        pthread_testcancel();
        return nullptr;
    };
    ASSERT_EQ(pthread_create(&thread, nullptr, hold, &lock), 0);
    ASSERT_EQ(pthread_join(thread, nullptr), 0);
    EXPECT_EQ(slm_lock_lock(lock), SLM_OWNER_DIED);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
}

} // namespace
