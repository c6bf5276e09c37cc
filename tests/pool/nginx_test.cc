/* SPDX-License-Identifier: Apache-2.0 */
/* Pool: the sequences that break nginx's, P1 to P18 of its list of defects, and what ours does. */
#include <algorithm>
#include <fcntl.h>
#include <set>
#include <unistd.h>
#include <vector>

#include "allocator/pool/layout.h"
#include "tests/pool/fixture.h"

namespace {

using slm_test::end_pools;
using slm_test::Ender;
using slm_test::same;
using slm_test::TestPool;

/* --- P1, P2, P3: arithmetic at the ends of a block --- */

TEST(PoolNginxP1, TinyBlockSizesAreRoundedUpNotUnderrun)
{
    for (size_t block_bytes = 1; block_bytes <= 600; block_bytes++) {
        TestPool t(block_bytes);
        EXPECT_GE(t.stats().block_bytes, block_bytes);
        for (int i = 0; i < 8; i++) {
            t.alloc(64);
            t.nalloc(64);
        }
    }
}

TEST(PoolNginxP2, UnalignedBlockSizesNeverServePastTheirEnd)
{
    for (size_t block_bytes = 990; block_bytes <= 1030; block_bytes++) {
        for (size_t packed = 880; packed <= 940; packed += 3) {
            TestPool t(block_bytes);
            t.nalloc(packed);
            t.alloc(900);
            t.alloc(1);
            t.nalloc(1);
        }
    }
}

TEST(PoolNginxP3, SizeZeroNeverAliasesNorPointsPastABlock)
{
    TestPool t;
    for (int i = 0; i < 600; i++) {
        t.alloc(0);
        t.alloc(0);
        t.alloc(8);
        t.nalloc(0);
        t.nalloc(1);
    }
    while (t.stats().n_blocks < 6) {
        t.nalloc(0);
    }
}

/* --- P4 to P7: cleanup handlers --- */

int n_runs;

void count_run(void *)
{
    n_runs++;
}

TEST(PoolNginxP4, ResetRunsTheHandlersAndRemovesThem)
{
    TestPool t;
    n_runs = 0;
    void *data = nullptr;
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, count_run, nullptr, 24, &data), SLM_OK);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(n_runs, 1);
    EXPECT_EQ(t.stats().n_cleanups, 0u);
    memset(slm_pool_alloc(t.pool, 512), 0x41, 512);
    EXPECT_EQ(slm_pool_destroy(t.pool), SLM_OK);
    t.pool = nullptr;
    EXPECT_EQ(n_runs, 1);
}

void add_counted(void *data)
{
    EXPECT_EQ(slm_pool_cleanup_add(static_cast<slm_pool *>(data), count_run, nullptr, 0, nullptr),
              SLM_OK);
}

TEST(PoolNginxP5, AHandlerThatAHandlerRegistersRunsOnce)
{
    TestPool t;
    n_runs = 0;
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, add_counted, t.pool, 0, nullptr), SLM_OK);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(n_runs, 1);
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, add_counted, t.pool, 0, nullptr), SLM_OK);
    EXPECT_EQ(slm_pool_destroy(t.pool), SLM_OK);
    t.pool = nullptr;
    EXPECT_EQ(n_runs, 2);
}

struct Reopen {
    slm_pool *pool;
    int fd;
    slm_status status;
};

/* Another file gets the descriptor that was just closed; then run_file of it is called again. */
void reopen_and_run_file(void *data)
{
    auto *reopen = static_cast<Reopen *>(data);
    int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(other, 0);
    if (other != reopen->fd) {
        ASSERT_EQ(dup2(other, reopen->fd), reopen->fd);
        close(other);
    }
    reopen->status = slm_pool_cleanup_run_file(reopen->pool, reopen->fd);
}

TEST(PoolNginxP6, AHandlerThatRanClosesNoDescriptorAgain)
{
    TestPool t;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    Reopen reopen{t.pool, fd, SLM_OK};
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, reopen_and_run_file, &reopen, 0, nullptr), SLM_OK);
    ASSERT_EQ(slm_pool_cleanup_close(t.pool, fd), SLM_OK);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(reopen.status, SLM_E_FOREIGN);
    EXPECT_NE(fcntl(fd, F_GETFD), -1);
    close(fd);
}

TEST(PoolNginxP7, RunFileFindsDeleteCleanupsToo)
{
    TestPool t;
    std::string path = testing::TempDir() + "slabmill_p7_XXXXXX";
    int fd = mkstemp(path.data());
    ASSERT_GE(fd, 0);
    ASSERT_EQ(slm_pool_cleanup_delete(t.pool, fd, path.c_str()), SLM_OK);
    EXPECT_EQ(slm_pool_cleanup_run_file(t.pool, fd), SLM_OK);
    EXPECT_EQ(fcntl(fd, F_GETFD), -1);
    EXPECT_NE(access(path.c_str(), F_OK), 0);
    EXPECT_EQ(slm_pool_cleanup_run_file(t.pool, fd), SLM_E_FOREIGN);
}

/* --- P8 to P11, P14: large blocks --- */

TEST(PoolNginxP8, FreeOfNullIsHarmlessInEveryState)
{
    TestPool t;
    EXPECT_EQ(slm_pool_free(t.pool, nullptr), SLM_OK);
    void *p = t.alloc(5000);
    EXPECT_EQ(slm_pool_free(t.pool, nullptr), SLM_OK);
    EXPECT_EQ(t.free(p, 5000), SLM_OK);
    EXPECT_EQ(slm_pool_free(t.pool, nullptr), SLM_OK);
}

/* How many held blocks may be added to the most ever live. */
constexpr size_t n_held_most = SLM_CHECKS >= 2 ? SLM_POOL_N_FREED : 0;

/* A table at most half full that grows by doubling is never larger than this. */
size_t records_bound(size_t n_live_peak)
{
    size_t first = SLM_POOL_N_FIRST_BUCKETS * SLM_POOL_N_SLOTS;
    size_t grown = 4 * (n_live_peak + n_held_most);
    return grown < first ? first : grown;
}

TEST(PoolNginxP9, AlignedLargeBlocksThatComeAndGoLeaveNoRecords)
{
    TestPool t;
    void *p = slm_pool_memalign(t.pool, 64, 5000);
    EXPECT_EQ(slm_pool_free(t.pool, p), SLM_OK);
    for (int i = 0; i < 20000; i++) {
        p = slm_pool_memalign(t.pool, 64, 5000);
        ASSERT_EQ(slm_pool_free(t.pool, p), SLM_OK);
    }
    EXPECT_EQ(t.stats().n_blocks, 1u);
    EXPECT_EQ(t.stats().n_large_peak, 1u);
    EXPECT_LE(t.stats().n_records, records_bound(1));
    EXPECT_LE(t.stats().source_bytes,
              4096 + n_held_most * 5000 + records_bound(1) * 2 * sizeof(slm_pool_record));
}

TEST(PoolNginxP10, EightLiveBlocksFreedOldestFirstKeepFewRecords)
{
    TestPool t;
    std::vector<void *> live;
    for (int i = 0; i < 20000; i++) {
        live.push_back(slm_pool_alloc(t.pool, 5000));
        if (live.size() == 8) {
            ASSERT_EQ(slm_pool_free(t.pool, live.front()), SLM_OK);
            live.erase(live.begin());
        }
    }
    EXPECT_EQ(t.stats().n_large_peak, 8u);
    EXPECT_LE(t.stats().n_records, records_bound(8));
    EXPECT_EQ(t.stats().n_blocks, 1u);
}

TEST(PoolNginxP10, RecordsStayWithinTheMostEverLiveUnderRandomLoad)
{
    TestPool t;
    slm_test::Random random(3);
    std::vector<void *> live;
    for (int i = 0; i < 1000; i++) {
        live.push_back(slm_pool_alloc(t.pool, 5000));
    }
    size_t n_records = t.stats().n_records;
    EXPECT_LE(n_records, records_bound(1000));
    for (int i = 0; i < 8000; i++) {
        void *&slot = live[random.below(live.size())];
        ASSERT_EQ(slm_pool_free(t.pool, slot), SLM_OK);
        slot = slm_pool_alloc(t.pool, 5000);
    }
    EXPECT_EQ(t.stats().n_records, n_records);
    EXPECT_EQ(t.stats().n_large, 1000u);
}

/* Buckets that a search for the pool's large blocks looks at beyond the first, in all. */
size_t n_extra_steps(const slm_pool *pool)
{
    const slm_pool_large *large = pool->rest->large;
    size_t n = 0;
    for (size_t i = 0; i < large->n_buckets; i++) {
        n += large->buckets[i].n_passed;
    }
    return n;
}

TEST(PoolNginxP11, FreeReadsAboutOneBucketForAnyNumberOfBlocks)
{
    size_t n_blocks = SLM_CHECKS >= 3 ? 500 : 20000;
    TestPool t;
    std::vector<void *> live;
    for (size_t i = 0; i < n_blocks; i++) {
        live.push_back(slm_pool_alloc(t.pool, 4096));
        ASSERT_NE(live.back(), nullptr);
    }
    EXPECT_LT(n_extra_steps(t.pool), n_blocks / 4);
    for (void *p : live) {
        ASSERT_EQ(slm_pool_free(t.pool, p), SLM_OK);
    }
    EXPECT_EQ(t.stats().n_large, 0u);
}

/* --- P12, P13: space --- */

TEST(PoolNginxP12, ResetLosesNoSpaceOfAnyBlock)
{
    TestPool t(128);
    for (int i = 0; i < 64; i++) {
        t.alloc(48);
    }
    size_t n_blocks = t.stats().n_blocks;
    size_t n_large = t.stats().n_large;
    for (int round = 0; round < 3; round++) {
        EXPECT_EQ(t.reset(), SLM_OK);
        for (int i = 0; i < 64; i++) {
            t.alloc(48);
        }
        EXPECT_EQ(t.stats().n_blocks, n_blocks);
        EXPECT_EQ(t.stats().n_large, n_large);
    }
}

TEST(PoolNginxP13, SpaceLeftInBlocksIsFoundAgain)
{
    TestPool t(4096);
    for (size_t n : {size_t{2100}, size_t{1900}}) {
        for (int i = 0; i < 1000; i++) {
            ASSERT_NE(slm_pool_alloc(t.pool, n), nullptr);
        }
    }
    size_t used_bytes = 1000 * (2100 + 1900);
    EXPECT_GT(used_bytes * 100, t.stats().source_bytes * 90);
}

/* The most free bytes of any block that is current or was. */
size_t most_left(const slm_pool *pool)
{
    size_t most = slm_pool_free_bytes(pool);
    for (const slm_pool_block *block = slm_pool_first_block(pool); block != pool->rest->fresh;
         block = block->next) {
        if (block != pool->rest->current) {
            most = std::max(most, static_cast<size_t>(block->high - block->low));
        }
    }
    return most;
}

size_t count_used(const TestPool &t)
{
    return t.stats().n_blocks - t.stats().n_blocks_fresh;
}

/* Most requests are small, and every size occurs. Returns how many the current block could not
 * serve and another used block did. */
size_t request_at_random(TestPool *t, slm_test::Random *random, size_t n_requests)
{
    size_t n_found = 0;
    for (size_t i = 0; i < n_requests; i++) {
        size_t size = random->below(random->below(t->stats().small_limit_bytes) + 1) + 1;
        bool is_packed = random->below(2) == 0;
        size_t n = is_packed ? slm_pool_packed_bytes(size) : slm_pool_aligned_bytes(size);
        size_t left = most_left(t->pool);
        size_t n_used = count_used(*t);
        bool is_in_current = n <= slm_pool_free_bytes(t->pool);
        EXPECT_NE(is_packed ? slm_pool_alloc_packed(t->pool, size) : slm_pool_alloc(t->pool, size),
                  nullptr);
        bool is_new = count_used(*t) != n_used;
        EXPECT_FALSE(is_new && left >= 64 && left >= 2 * n) << n << " bytes, left " << left;
        EXPECT_FALSE(is_new && is_in_current) << n;
        n_found += !is_new && !is_in_current;
    }
    return n_found;
}

TEST(PoolNginxP13, ABlockWithTwiceTheRequestLeftIsFoundBeforeANewOneIsTaken)
{
    for (size_t block_bytes : {size_t{1000}, size_t{4096}, size_t{10000}}) {
        slm_test::Random random(block_bytes);
        TestPool t(block_bytes);
        for (int round = 0; round < 3; round++) {
            size_t n_requests = 20000000 / t.stats().small_limit_bytes;
            EXPECT_GT(request_at_random(&t, &random, n_requests), 50u);
            EXPECT_GT(count_used(t), 50u);
            EXPECT_EQ(t.reset(), SLM_OK);
        }
    }
}

TEST(PoolNginxP13, AResetPoolOpensEachBlockOnceAndWalksNone)
{
    TestPool t(4096);
    size_t n_objects = SLM_CHECKS >= 3 ? 2000 : 100000;
    for (int round = 0; round < 2; round++) {
        std::set<slm_pool_block *> opened{t.pool->rest->current};
        for (size_t i = 0; i < n_objects; i++) {
            slm_pool_block *before = t.pool->rest->current;
            ASSERT_NE(slm_pool_alloc(t.pool, 32), nullptr);
            if (t.pool->rest->current != before) {
                ASSERT_TRUE(opened.insert(t.pool->rest->current).second);
            }
        }
        EXPECT_EQ(opened.size(), t.stats().n_blocks);
        EXPECT_EQ(t.reset(), SLM_OK);
    }
}

/* --- P14 to P18 --- */

TEST(PoolNginxP14, ASecondFreeIsDetectedAtOnce)
{
    TestPool t;
    void *a = t.alloc(5000);
    EXPECT_EQ(t.free(a, 5000), SLM_OK);
    struct slm_pool_stats before = t.stats();
    EXPECT_EQ(slm_pool_free(t.pool, a), SLM_E_FREED);
    EXPECT_TRUE(same(before, t.stats()));
}

TEST(PoolNginxP14, AStaleFreeAfterReuseIsDetectedWhereBlocksAreHeld)
{
    TestPool t;
    void *a = slm_pool_alloc(t.pool, 5000);
    ASSERT_EQ(slm_pool_free(t.pool, a), SLM_OK);
    auto *b = static_cast<unsigned char *>(slm_pool_alloc(t.pool, 5000));
    memset(b, 7, 5000);
    if (SLM_CHECKS >= 2) {
        EXPECT_NE(b, a);
    }
    if (b != a) {
        EXPECT_EQ(slm_pool_free(t.pool, a), SLM_E_FREED);
        EXPECT_EQ(t.stats().n_large, 1u);
        EXPECT_EQ(b[4999], 7);
        return;
    }
    /* Below level 2 the heap may reuse the address. Then it is b, and no check can see that. */
    EXPECT_EQ(slm_pool_free(t.pool, a), SLM_OK);
    EXPECT_EQ(t.stats().n_large, 0u);
}

TEST(PoolNginxP15, ObjectsAreAlignedForEveryType)
{
    static_assert(SLM_POOL_ALIGN % alignof(max_align_t) == 0, "");
    TestPool t;
    for (size_t n = 0; n < 5000; n += 7) {
        t.alloc(n);
        t.nalloc(1);
        auto *p = static_cast<long double *>(slm_pool_calloc(t.pool, sizeof(long double)));
        EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % alignof(long double), 0u);
        *p = 1.0L;
    }
}

TEST(PoolNginxP16, AnObjectPutTwiceIsReusedOnce)
{
    TestPool t;
    struct slm_pool_reuse list;
    ASSERT_EQ(slm_pool_reuse_init(&list, t.pool, 24), SLM_OK);
    void *a = slm_pool_reuse_get(&list);
    EXPECT_EQ(slm_pool_reuse_put(&list, a), SLM_OK);
    EXPECT_EQ(slm_pool_reuse_put(&list, a), SLM_E_FREED);
    EXPECT_EQ(list.n_free, 1u);
    EXPECT_EQ(slm_pool_reuse_get(&list), a);
    EXPECT_NE(slm_pool_reuse_get(&list), a);
}

TEST(PoolNginxP16, AnObjectOfAnotherPoolsListIsRefused)
{
    TestPool t;
    struct slm_pool_reuse mine;
    ASSERT_EQ(slm_pool_reuse_init(&mine, t.pool, 24), SLM_OK);
    {
        TestPool other;
        struct slm_pool_reuse theirs;
        ASSERT_EQ(slm_pool_reuse_init(&theirs, other.pool, 24), SLM_OK);
        EXPECT_EQ(slm_pool_reuse_put(&mine, slm_pool_reuse_get(&theirs)), SLM_E_FOREIGN);
    }
    EXPECT_EQ(mine.n_free, 0u);
    t.claim(slm_pool_reuse_get(&mine), 24);
}

TEST(PoolNginxP17, AProductThatWrapsIsRefused)
{
    TestPool t;
    size_t half = size_t{1} << (sizeof(size_t) * 4);
    EXPECT_EQ(slm_pool_calloc_array(t.pool, half, half), nullptr);
    EXPECT_EQ(slm_pool_calloc_array(t.pool, half, half + 1), nullptr);
    EXPECT_EQ(slm_pool_calloc_array(t.pool, SIZE_MAX, 2), nullptr);
    EXPECT_EQ(slm_pool_calloc_array(t.pool, 3, SIZE_MAX / 2), nullptr);
    EXPECT_EQ(t.stats().n_large, 0u);
}

TEST(PoolNginxP18, AHandlerCannotDestroyOrResetItsOwnPool)
{
    TestPool t;
    Ender ender{t.pool, t.pool, SLM_OK, SLM_OK};
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, end_pools, &ender, 0, nullptr), SLM_OK);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(ender.reset, SLM_E_BUSY);
    EXPECT_EQ(ender.destroyed, SLM_E_BUSY);
    t.alloc(100);
}

} // namespace
