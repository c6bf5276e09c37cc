/* SPDX-License-Identifier: Apache-2.0 */
/* Pool: the source fails at each of its calls in turn; nothing leaks, and the pool works on. */
#include <vector>

#include "allocator/base/config.h"
#include "tests/pool/fixture.h"

namespace {

using slm_test::TestPool;

int n_handled;

void count_handled(void *)
{
    n_handled++;
}

struct Large {
    void *p;
    size_t n;
};

/* Makes one request of each kind and writes to each object; returns how many were refused. */
class Script {
  public:
    explicit Script(TestPool *test_pool) : t_(test_pool)
    {
    }

    int run()
    {
        small_objects();
        large_objects();
        cleanups();
        reuse();
        free_half();
        small_objects();
        large_objects();
        return n_refused_;
    }

    int n_registered() const
    {
        return n_registered_;
    }

  private:
    bool use(void *p, size_t n)
    {
        n_refused_ += p == nullptr;
        if (p != nullptr) {
            t_->claim(p, n);
        }
        EXPECT_EQ(slm_pool_check(t_->pool), 0u);
        return p != nullptr;
    }

    void small_objects()
    {
        for (size_t n = 0; n < 1200; n += 200) {
            use(slm_pool_alloc(t_->pool, n), n);
            use(slm_pool_alloc_packed(t_->pool, n + 1), n + 1);
            use(slm_pool_calloc(t_->pool, n), n);
            use(slm_pool_calloc_array(t_->pool, n, 2), 2 * n);
            use(slm_pool_memalign(t_->pool, 256, n), n);
        }
    }

    void large_objects()
    {
        for (size_t n = 5000; n < 5020; n++) {
            Large large{
                n % 2 == 0 ? slm_pool_alloc(t_->pool, n) : slm_pool_memalign(t_->pool, 4096, n), n};
            if (use(large.p, n)) {
                large_.push_back(large);
            }
        }
    }

    void cleanups()
    {
        for (size_t n : {size_t{0}, size_t{0}, size_t{64}, size_t{3000}, size_t{6000}}) {
            void *data = nullptr;
            size_t n_before = t_->stats().n_cleanups;
            slm_status status =
                slm_pool_cleanup_add(t_->pool, count_handled, nullptr, n, n > 0 ? &data : nullptr);
            EXPECT_TRUE(status == SLM_OK || status == SLM_E_NOMEM);
            EXPECT_EQ(t_->stats().n_cleanups, n_before + (status == SLM_OK));
            n_registered_ += status == SLM_OK;
            n_refused_ += status != SLM_OK;
            EXPECT_EQ(slm_pool_check(t_->pool), 0u);
        }
        delete_file();
    }

    void delete_file()
    {
        std::string path = std::string(3500, '/') + "dev/null/no such file";
        slm_status status = slm_pool_cleanup_delete(t_->pool, 1 << 20, path.c_str());
        EXPECT_TRUE(status == SLM_OK || status == SLM_E_NOMEM);
        n_refused_ += status != SLM_OK;
    }

    void reuse()
    {
        struct slm_pool_reuse list;
        ASSERT_EQ(slm_pool_reuse_init(&list, t_->pool, 700), SLM_OK);
        for (int i = 0; i < 10; i++) {
            void *p = slm_pool_reuse_get(&list);
            if (use(p, 700) && i % 2 == 0) {
                EXPECT_TRUE(t_->objects.remove(p, 700));
                EXPECT_EQ(slm_pool_reuse_put(&list, p), SLM_OK);
            }
        }
    }

    void free_half()
    {
        for (size_t i = 0; i < large_.size(); i += 2) {
            EXPECT_EQ(t_->free(large_[i].p, large_[i].n), SLM_OK);
            EXPECT_EQ(slm_pool_check(t_->pool), 0u);
        }
        large_.clear();
    }

    TestPool *t_;
    std::vector<Large> large_;
    int n_refused_ = 0;
    int n_registered_ = 0;
};

/* Runs the script over a source that fails at fail_at; false if the script made fewer calls. */
bool run_failing(uint64_t fail_at, uint64_t fail_count, unsigned flags)
{
    TestPool t(4096, flags);
    t.failing.fail_at = fail_at;
    t.failing.fail_count = fail_count;
    n_handled = 0;
    Script script(&t);
    int n_refused = script.run();
    uint64_t n_failed = t.failing.n_refused;
    EXPECT_EQ(t.stats().source_bytes, t.counting.live_bytes);
    t.failing.fail_at = 0;
    EXPECT_EQ(t.reset(), SLM_OK);
    bool has_smaller_block = t.stats().source_bytes < slm_test::blocks_bytes(t.stats());
    if (SLM_CHECKS < 2) {
        EXPECT_EQ(n_refused > 0 || has_smaller_block, n_failed > 0)
            << "a refusal of the source is passed on, or a smaller block is taken";
    }
    EXPECT_EQ(n_handled, script.n_registered());
    EXPECT_EQ(Script(&t).run(), 0) << "a pool that saw a failure serves everything afterwards";
    return n_failed > 0;
}

void fail_each_call(uint64_t fail_count, unsigned flags)
{
    uint64_t fail_at = 2; /* call 1 is create's */
    while (run_failing(fail_at, fail_count, flags)) {
        ASSERT_FALSE(testing::Test::HasFailure()) << "call " << fail_at;
        fail_at++;
    }
    EXPECT_GT(fail_at, 40u);
}

TEST(PoolFault, AnySingleRefusalIsSurvived)
{
    fail_each_call(1, 0);
}

TEST(PoolFault, ARefusalOfEverythingFromAnyCallOnIsSurvived)
{
    fail_each_call(UINT64_MAX, 0);
}

TEST(PoolFault, PassThroughSurvivesTheSame)
{
    fail_each_call(1, SLM_POOL_PASS_THROUGH);
    fail_each_call(UINT64_MAX, SLM_POOL_PASS_THROUGH);
}

TEST(PoolFault, ARefusedTableReleasesTheNewBlock)
{
    TestPool t;
    for (int i = 0; i < 4; i++) {
        t.alloc(5000);
    }
    struct slm_pool_stats before = t.stats();
    size_t live_blocks = t.counting.live_blocks;
    t.failing.fail_at = t.failing.n_calls + 2;
    EXPECT_EQ(slm_pool_alloc(t.pool, 5000), nullptr);
    EXPECT_EQ(t.counting.live_blocks, live_blocks);
    EXPECT_TRUE(slm_test::same(before, t.stats()));
    t.alloc(5000);
    EXPECT_EQ(t.stats().n_large, 5u);
}

TEST(PoolFault, LargeBlocksAboveTheSourcesBudgetAreRefusedAlone)
{
    TestPool t;
    t.failing.budget_bytes = 10000;
    EXPECT_EQ(slm_pool_alloc(t.pool, 10001), nullptr);
    t.alloc(10000);
    t.alloc(100);
}

} // namespace
