/* SPDX-License-Identifier: Apache-2.0 */
/* Pool, SLM_CHECKS=3: the call that meets a broken state stops the process, each by its kind. */
#include <fcntl.h>
#include <unistd.h>

#include "allocator/pool/layout.h"
#include "tests/base/death.h"
#include "tests/pool/fixture.h"

namespace {

using slm_test::TestPool;

/* The heap's blocks, from 8 bytes after their start on: less aligned than asked for. */
void *alloc_misaligned(void *, size_t size_bytes, size_t)
{
    auto *block =
        static_cast<unsigned char *>(slm_source_heap()->alloc(nullptr, size_bytes + 16, 16));
    return block + 8;
}

const slm_source misaligned = {alloc_misaligned, nullptr, nullptr};

/* --- Local assertions --- */

TEST(PoolAbort, AMisalignedBlockOfTheSourceStopsTheCallThatGetsIt)
{
    TestPool t;
    SLM_EXPECT_ABORT(
        {
            t.pool->rest->source = &misaligned;
            (void)slm_pool_alloc(t.pool, 5000);
        },
        "broken pool in slm_pool_source_take");
}

TEST(PoolAbort, ASmallObjectThatNoEmptyBlockHoldsStops)
{
    TestPool t;
    SLM_EXPECT_ABORT(
        {
            t.pool->rest->small_limit_bytes = 9000;
            (void)slm_pool_alloc(t.pool, 9000);
        },
        "broken pool in make_room");
}

TEST(PoolAbort, AReusedObjectWhoseTagWasOverwrittenStops)
{
    TestPool t;
    struct slm_pool_reuse list;
    ASSERT_EQ(slm_pool_reuse_init(&list, t.pool, 64), SLM_OK);
    auto *object = static_cast<uintptr_t *>(slm_pool_reuse_get(&list));
    ASSERT_EQ(slm_pool_reuse_put(&list, object), SLM_OK);
    SLM_EXPECT_ABORT(
        {
            object[-2] ^= 1;
            (void)slm_pool_reuse_get(&list);
        },
        "broken list in take_node");
    EXPECT_EQ(slm_pool_reuse_get(&list), object);
}

/* --- The whole check after each call --- */

class PoolAbortAll : public testing::Test {
  protected:
    /* The call stops in `where` once a byte is not accounted for (I12), and only then. */
    template <typename Call> void expect_stop(const char *where, Call call)
    {
        SLM_EXPECT_ABORT(
            {
                t.pool->rest->source_bytes++;
                call();
            },
            std::string("in ") + where + ": number 12");
        call();
    }

    TestPool t;
};

TEST_F(PoolAbortAll, EveryAllocationChecks)
{
    expect_stop("slm_pool_alloc_slow", [this] { t.alloc(5000); });
    expect_stop("slm_pool_alloc_slow", [this] { t.alloc(10); });
    expect_stop("slm_pool_alloc_packed_slow", [this] { t.nalloc(10); });
    expect_stop("slm_pool_memalign", [this] { (void)slm_pool_memalign(t.pool, 64, 10); });
}

TEST_F(PoolAbortAll, EveryChangeOfAnObjectChecks)
{
    void *small = t.alloc(10);
    expect_stop("slm_pool_extend",
                [&] { EXPECT_EQ(slm_pool_extend(t.pool, small, 10, 10), SLM_OK); });
    expect_stop("slm_pool_give_back", [&] { (void)slm_pool_give_back(t.pool, small, 10); });
    void *large = t.alloc(5000);
    SLM_EXPECT_ABORT(
        {
            t.pool->rest->source_bytes++;
            (void)slm_pool_free(t.pool, large);
        },
        "in slm_pool_free: number 12");
    EXPECT_EQ(slm_pool_free(t.pool, large), SLM_OK);
}

TEST_F(PoolAbortAll, ResetChecks)
{
    expect_stop("slm_pool_reset", [this] { EXPECT_EQ(slm_pool_reset(t.pool), SLM_OK); });
}

TEST_F(PoolAbortAll, RunningAFileCleanupChecks)
{
    int fd = open("/dev/null", O_RDONLY);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(slm_pool_cleanup_close(t.pool, fd), SLM_OK);
    SLM_EXPECT_ABORT(
        {
            t.pool->rest->source_bytes++;
            (void)slm_pool_cleanup_run_file(t.pool, fd);
        },
        "in slm_pool_cleanup_run_file: number 12");
    EXPECT_EQ(slm_pool_cleanup_run_file(t.pool, fd), SLM_OK);
}

TEST(PoolAbort, CreateChecksTheBlockOfTheSource)
{
    slm_pool *pool = nullptr;
    SLM_EXPECT_ABORT((void)slm_pool_create(&pool, 4096, &misaligned, 0),
                     "in slm_pool_create: number 4");
}

/* --- Held blocks, which exist at this level --- */

TEST(PoolAbort, MoreHeldBytesThanTheLimitAreI10)
{
    TestPool t;
    unsigned char *freed = t.alloc(5000);
    ASSERT_EQ(t.free(freed, 5000), SLM_OK);
    slm_pool_quarantine *quarantine = t.pool->rest->large->quarantine;
    ASSERT_EQ(quarantine->held[0].block, freed);
    quarantine->held[0].size_bytes = quarantine->source.held_bytes = SLM_POOL_HELD_MAX + 1;
    EXPECT_EQ(slm_pool_check(t.pool), 10u);
    quarantine->held[0].size_bytes = quarantine->source.held_bytes = 5000;
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
}

} // namespace
