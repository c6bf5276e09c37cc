/* SPDX-License-Identifier: Apache-2.0 */
/* A waiter goes to sleep while a call of a slab holds the lock: the call must wake it. */
#include "allocator/base/yield.h"
#include "allocator/lock/word.h"
#include "fixture.h"

namespace {

using namespace slabtest;

alignas(SLM_LOCK_BYTES) slm_lock_state state;
unsigned n_marked;

/* What a waiter does before it sleeps. */
void mark_waiter(const char *point)
{
    if (std::strcmp(point, "slab: commit") == 0 && slm_lock_owner_in(state.word) != 0) {
        state.word |= SLM_LOCK_WAITERS;
        n_marked++;
    }
}

/* A slab with a lock that a waiter wants at each commit. */
class SlabSharedLockWake : public testing::Test {
  protected:
    SlabSharedLockWake()
    {
        slm_lock_options options{};
        must(slm_lock_init(&state, SLM_LOCK_ROBUST) == SLM_OK, "lock init");
        must(slm_lock_attach(&lock, &state, &options, nullptr) == SLM_OK, "lock attach");
        view.shared_lock = lock;
        slab = std::make_unique<Slab>(Geometry{4096, 8, 1, 0}, 16, &view);
        first = slm_slab_alloc(*slab, 100);
        second = slm_slab_alloc(*slab, 100);
        n_marked = 0;
        slm_yield_hook = mark_waiter;
    }
    ~SlabSharedLockWake() override
    {
        slm_yield_hook = nullptr;
        slab.reset();
        slm_lock_detach(lock);
    }
    /* The last call met a waiter, and has released the lock, which takes a wake. */
    void expect_woken()
    {
        EXPECT_GE(n_marked, 1u);
        EXPECT_EQ(state.word, 0u);
        n_marked = 0;
    }

    slm_lock *lock = nullptr;
    slm_slab_view view = {};
    std::unique_ptr<Slab> slab;
    void *first = nullptr;
    void *second = nullptr;
};

TEST_F(SlabSharedLockWake, AnAllocationOfAChunkWakes)
{
    EXPECT_NE(slm_slab_alloc(*slab, 100), nullptr);
    expect_woken();
}

TEST_F(SlabSharedLockWake, AnAllocationOfARunWakes)
{
    EXPECT_NE(slm_slab_alloc(*slab, 10000), nullptr);
    expect_woken();
}

TEST_F(SlabSharedLockWake, AReleaseOfOneOfManyChunksWakes)
{
    EXPECT_EQ(slm_slab_free(*slab, first), SLM_OK);
    expect_woken();
}

TEST_F(SlabSharedLockWake, AReleaseOfTheLastChunkAndItsReuseWake)
{
    EXPECT_EQ(slm_slab_free(*slab, first), SLM_OK);
    expect_woken();
    EXPECT_EQ(slm_slab_free(*slab, second), SLM_OK);
    expect_woken();
    EXPECT_NE(slm_slab_alloc(*slab, 100), nullptr);
    expect_woken();
}

TEST_F(SlabSharedLockWake, AResetWakes)
{
    EXPECT_EQ(slm_slab_reset(*slab), SLM_OK);
    expect_woken();
}

} /* namespace */
