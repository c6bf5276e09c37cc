/* SPDX-License-Identifier: Apache-2.0 */
/* Pool: cleanup handlers, those of files too. */
#include <fcntl.h>
#include <pthread.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/pool/fixture.h"

namespace {

using slm_test::same;
using slm_test::TestPool;

std::string order;

void note(void *data)
{
    order += static_cast<const char *>(data);
}

TEST(PoolCleanup, RunsHandlersNewestFirstOnResetAndOnDestroyOnceEach)
{
    static char names[][2] = {"a", "b", "c"};
    order.clear();
    TestPool t;
    for (char *name : {names[0], names[1]}) {
        ASSERT_EQ(slm_pool_cleanup_add(t.pool, note, name, 0, nullptr), SLM_OK);
    }
    EXPECT_EQ(t.stats().n_cleanups, 2u);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(order, "ba");
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, note, names[2], 0, nullptr), SLM_OK);
    EXPECT_EQ(slm_pool_destroy(t.pool), SLM_OK);
    t.pool = nullptr;
    EXPECT_EQ(order, "bac");
}

/* A thread that is cancelled, and ends pools or runs the handler of a file nevertheless. */
struct Cancelled {
    slm_pool *pool;
    int fd;
    bool ran_handler;
    bool came_back;
};

void cancel_here(void *data)
{
    pthread_testcancel();
    static_cast<Cancelled *>(data)->ran_handler = true;
}

void *end_pool_cancelled(void *data)
{
    auto *self = static_cast<Cancelled *>(data);
    (void)pthread_cancel(pthread_self());
    EXPECT_EQ(slm_pool_cleanup_run_file(self->pool, self->fd), SLM_OK);
    EXPECT_EQ(slm_pool_reset(self->pool), SLM_OK);
    self->came_back = true;
    pthread_testcancel();
    return data;
}

TEST(PoolCleanup, ThreadIsNotCancelledInAHandler)
{
    TestPool t;
    Cancelled cancelled = {t.pool, open("/dev/null", O_RDONLY), false, false};
    ASSERT_EQ(slm_pool_cleanup_close(t.pool, cancelled.fd), SLM_OK);
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, cancel_here, &cancelled, 0, nullptr), SLM_OK);
    pthread_t thread;
    void *end = nullptr;
    ASSERT_EQ(pthread_create(&thread, nullptr, end_pool_cancelled, &cancelled), 0);
    ASSERT_EQ(pthread_join(thread, &end), 0);
    EXPECT_EQ(end, PTHREAD_CANCELED);
    EXPECT_TRUE(cancelled.ran_handler);
    EXPECT_TRUE(cancelled.came_back);
    EXPECT_EQ(fcntl(cancelled.fd, F_GETFD), -1);
    EXPECT_EQ(t.reset(), SLM_OK); /* it is not busy */
}

TEST(PoolCleanup, PassesZeroedPoolMemoryToTheHandler)
{
    TestPool t;
    order.clear();
    for (size_t n : {size_t{8}, size_t{3000}, size_t{9000}}) {
        memset(slm_pool_alloc(t.pool, 4000), 0x41, 4000);
        EXPECT_EQ(t.reset(), SLM_OK);
        void *data = nullptr;
        ASSERT_EQ(slm_pool_cleanup_add(t.pool, note, nullptr, n, &data), SLM_OK);
        auto *bytes = static_cast<char *>(data);
        for (size_t i = 0; i < n; i++) {
            ASSERT_EQ(bytes[i], 0);
        }
        memset(data, 0, n);
        bytes[0] = 'x';
    }
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(order, "xxx");
}

struct Chain {
    slm_pool *pool;
    int n_left;
    int n_run;
};

void run_chain(void *data)
{
    auto *chain = static_cast<Chain *>(data);
    chain->n_run++;
    EXPECT_NE(slm_pool_alloc(chain->pool, 500), nullptr);
    EXPECT_NE(slm_pool_alloc(chain->pool, 5000), nullptr);
    if (chain->n_left-- > 0) {
        EXPECT_EQ(slm_pool_cleanup_add(chain->pool, run_chain, chain, 0, nullptr), SLM_OK);
    }
}

TEST(PoolCleanup, LetsHandlersAllocateAndRegister)
{
    TestPool t;
    Chain chain{t.pool, 50, 0};
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, run_chain, &chain, 0, nullptr), SLM_OK);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(chain.n_run, 51);
    EXPECT_EQ(t.stats().n_cleanups, 0u);
    EXPECT_EQ(t.stats().n_large, 0u);
}

TEST(PoolCleanup, RefusesNullAndChangesNothing)
{
    TestPool t;
    void *data = &t;
    struct slm_pool_stats before = t.stats();
    EXPECT_EQ(slm_pool_cleanup_add(nullptr, note, nullptr, 0, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_add(t.pool, nullptr, nullptr, 0, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_add(t.pool, note, nullptr, 8, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_add(t.pool, note, nullptr, SIZE_MAX, &data), SLM_E_NOMEM);
    EXPECT_EQ(data, nullptr);
    EXPECT_TRUE(same(before, t.stats()));
}

/* Uses the block up, so that the next record of a handler needs another block. */
void fill_up(TestPool *t)
{
    t->alloc(5000);
    while (t->pool->high - t->pool->low >= 16) {
        ASSERT_NE(slm_pool_alloc(t->pool, 0), nullptr);
    }
}

/* After one more large block: the larger block for small objects, then one of the first size. */
void refuse_the_next_block(TestPool *t)
{
    t->failing.fail_at = t->failing.n_calls + 2;
    t->failing.fail_count = 2;
}

TEST(PoolCleanup, ReleasesTheArgumentWhenTheRecordIsRefused)
{
    TestPool t;
    fill_up(&t);
    struct slm_pool_stats before = t.stats();
    refuse_the_next_block(&t);
    void *data = &t;
    EXPECT_EQ(slm_pool_cleanup_add(t.pool, note, nullptr, 5000, &data), SLM_E_NOMEM);
    EXPECT_EQ(t.failing.n_refused, 2u);
    EXPECT_EQ(data, nullptr);
    EXPECT_EQ(t.stats().n_large, before.n_large);
    EXPECT_EQ(t.stats().n_cleanups, 0u);
}

/* The argument is served by a block that was full, and the record by none. */
TEST(PoolCleanup, KeepsTheNewestObjectTheNewestWhenTheRecordIsRefused)
{
    TestPool t;
    auto free_bytes = [&] { return t.pool->high - t.pool->low; };
    while (free_bytes() >= 80) {
        ASSERT_NE(slm_pool_alloc(t.pool, 0), nullptr);
    }
    ASSERT_NE(slm_pool_alloc(t.pool, 200), nullptr);
    void *newest = nullptr;
    while (free_bytes() >= 32) {
        newest = slm_pool_alloc(t.pool, 0);
    }
    unsigned char *low = t.pool->low;
    t.failing.fail_at = t.failing.n_calls + 1;
    t.failing.fail_count = 2;
    void *data = nullptr;
    EXPECT_EQ(slm_pool_cleanup_add(t.pool, note, nullptr, 40, &data), SLM_E_NOMEM);
    EXPECT_EQ(t.failing.n_refused, 2u);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
    EXPECT_EQ(t.pool->low, low);
    EXPECT_EQ(slm_pool_give_back(t.pool, newest, 0), SLM_OK);
    EXPECT_EQ(slm_pool_check(t.pool), 0u);
}

TEST(PoolCleanup, DropsANewTableOfLargeBlocksWhenTheRecordIsRefused)
{
    for (size_t block_bytes : {300u, 4096u}) { /* the table is the source's, and the pool's own */
        for (unsigned call = 1; call <= 4; call++) {
            TestPool t(block_bytes);
            while (t.pool->high - t.pool->low >= 16) {
                ASSERT_NE(slm_pool_alloc(t.pool, 0), nullptr);
            }
            struct slm_pool_stats before = t.stats();
            t.failing.fail_at = t.failing.n_calls + call;
            t.failing.fail_count = 2;
            void *data = nullptr;
            if (slm_pool_cleanup_add(t.pool, note, nullptr, 5000, &data) == SLM_OK) {
                continue;
            }
            struct slm_pool_stats after = t.stats();
            size_t n_more = after.n_blocks - before.n_blocks;
            EXPECT_LE(n_more, 1u) << call;
            EXPECT_EQ(after.source_bytes, before.source_bytes + n_more * 2 * after.block_bytes)
                << call;
            EXPECT_EQ(after.record_bytes, 0u) << call;
            EXPECT_EQ(after.n_records, 0u) << call;
            EXPECT_EQ(slm_pool_check(t.pool), 0u) << call;
        }
    }
}

TEST(PoolCleanupFile, ReleasesThePathWhenTheRecordIsRefused)
{
    TestPool t;
    fill_up(&t);
    struct slm_pool_stats before = t.stats();
    refuse_the_next_block(&t);
    std::string path(5000, 'x');
    EXPECT_EQ(slm_pool_cleanup_delete(t.pool, 1 << 20, path.c_str()), SLM_E_NOMEM);
    EXPECT_EQ(t.failing.n_refused, 2u);
    EXPECT_EQ(t.stats().n_large, before.n_large);
    EXPECT_EQ(t.stats().source_bytes, before.source_bytes);
    EXPECT_EQ(t.stats().n_cleanups, 0u);
}

/* --- Files --- */

class TempFile {
  public:
    TempFile() : path(testing::TempDir() + "slabmill_pool_XXXXXX")
    {
        fd = mkstemp(path.data());
    }
    ~TempFile()
    {
        (void)unlink(path.c_str());
    }

    bool is_open() const
    {
        return fcntl(fd, F_GETFD) != -1;
    }
    bool exists() const
    {
        return access(path.c_str(), F_OK) == 0;
    }

    std::string path;
    int fd;
};

TEST(PoolCleanupFile, CloseClosesAndKeepsTheFile)
{
    TestPool t;
    TempFile file;
    ASSERT_TRUE(file.is_open());
    ASSERT_EQ(slm_pool_cleanup_close(t.pool, file.fd), SLM_OK);
    EXPECT_TRUE(file.is_open());
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_FALSE(file.is_open());
    EXPECT_TRUE(file.exists());
}

TEST(PoolCleanupFile, DeleteDeletesAndClosesByItsOwnCopyOfThePath)
{
    TestPool t;
    TempFile file;
    ASSERT_TRUE(file.is_open());
    std::string path = file.path;
    ASSERT_EQ(slm_pool_cleanup_delete(t.pool, file.fd, path.c_str()), SLM_OK);
    path.assign(path.size(), 'x');
    EXPECT_TRUE(file.exists());
    EXPECT_EQ(slm_pool_destroy(t.pool), SLM_OK);
    t.pool = nullptr;
    EXPECT_FALSE(file.is_open());
    EXPECT_FALSE(file.exists());
}

TEST(PoolCleanupFile, DeleteOfAFileThatIsGoneStillCloses)
{
    TestPool t;
    TempFile file;
    ASSERT_EQ(unlink(file.path.c_str()), 0);
    ASSERT_EQ(slm_pool_cleanup_delete(t.pool, file.fd, file.path.c_str()), SLM_OK);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_FALSE(file.is_open());
}

TEST(PoolCleanupFile, RunFileRunsOnlyTheHandlerOfItsDescriptor)
{
    TestPool t;
    TempFile file;
    TempFile other;
    ASSERT_EQ(slm_pool_cleanup_delete(t.pool, file.fd, file.path.c_str()), SLM_OK);
    ASSERT_EQ(slm_pool_cleanup_close(t.pool, other.fd), SLM_OK);
    EXPECT_EQ(slm_pool_cleanup_run_file(t.pool, file.fd), SLM_OK);
    EXPECT_FALSE(file.is_open());
    EXPECT_FALSE(file.exists());
    EXPECT_TRUE(other.is_open());
    EXPECT_EQ(t.stats().n_cleanups, 1u);
    EXPECT_EQ(slm_pool_cleanup_run_file(t.pool, file.fd), SLM_E_FOREIGN);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_FALSE(other.is_open());
}

TEST(PoolCleanupFile, RunFileTakesTheNewestOfTwoForOneDescriptor)
{
    TestPool t;
    TempFile older;
    TempFile newer;
    ASSERT_EQ(slm_pool_cleanup_delete(t.pool, older.fd, older.path.c_str()), SLM_OK);
    ASSERT_EQ(slm_pool_cleanup_delete(t.pool, older.fd, newer.path.c_str()), SLM_OK);
    EXPECT_EQ(slm_pool_cleanup_run_file(t.pool, older.fd), SLM_OK);
    EXPECT_TRUE(older.exists());
    EXPECT_FALSE(newer.exists());
    EXPECT_EQ(slm_pool_cleanup_run_file(t.pool, older.fd), SLM_OK);
    EXPECT_FALSE(older.exists());
    EXPECT_EQ(t.stats().n_cleanups, 0u);
    (void)close(newer.fd);
}

TEST(PoolCleanupFile, RunFileIgnoresHandlersOfNoFile)
{
    static char name[] = "n";
    TestPool t;
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, note, name, 0, nullptr), SLM_OK);
    EXPECT_EQ(slm_pool_cleanup_run_file(t.pool, 0), SLM_E_FOREIGN);
    EXPECT_EQ(slm_pool_cleanup_run_file(t.pool, -1), SLM_E_FOREIGN);
    EXPECT_EQ(slm_pool_cleanup_run_file(nullptr, 0), SLM_E_NULL);
    EXPECT_EQ(t.stats().n_cleanups, 1u);
}

TEST(PoolCleanupFile, RefusesBadArgumentsAndChangesNothing)
{
    TestPool t;
    struct slm_pool_stats before = t.stats();
    EXPECT_EQ(slm_pool_cleanup_close(nullptr, 1), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_close(t.pool, -1), SLM_E_OPTION);
    EXPECT_EQ(slm_pool_cleanup_delete(nullptr, 1, "x"), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_delete(t.pool, 1, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_pool_cleanup_delete(t.pool, -1, "x"), SLM_E_OPTION);
    EXPECT_TRUE(same(before, t.stats()));
}

TEST(PoolCleanup, RunsAReservedHandlerInTheOrderOfArming)
{
    static char names[][2] = {"a", "b"};
    TestPool t;
    order.clear();
    slm_pool_cleanup *reserved = nullptr;
    ASSERT_EQ(slm_pool_cleanup_reserve(t.pool, &reserved), SLM_OK);
    EXPECT_EQ(t.stats().n_cleanups, 0u);
    ASSERT_EQ(slm_pool_cleanup_add(t.pool, note, names[0], 0, nullptr), SLM_OK);
    ASSERT_EQ(slm_pool_cleanup_arm(t.pool, reserved, note, names[1]), SLM_OK);
    EXPECT_EQ(slm_pool_cleanup_arm(t.pool, reserved, note, names[1]), SLM_E_DUPLICATE);
    EXPECT_EQ(t.stats().n_cleanups, 2u);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(order, "ba");
}

TEST(PoolCleanup, CancelsAnyArmedHandlerOnceAndArmsItAgain)
{
    static char names[][2] = {"0", "1", "2"};
    slm_pool_cleanup *handles[3];
    for (int i = 0; i < 3; i++) {
        TestPool t;
        order.clear();
        for (int k = 0; k < 3; k++) {
            ASSERT_EQ(slm_pool_cleanup_reserve(t.pool, &handles[k]), SLM_OK);
            ASSERT_EQ(slm_pool_cleanup_arm(t.pool, handles[k], note, names[k]), SLM_OK);
        }
        EXPECT_EQ(slm_pool_cleanup_cancel(t.pool, handles[i]), SLM_OK);
        EXPECT_EQ(slm_pool_cleanup_cancel(t.pool, handles[i]), SLM_UNCHANGED);
        EXPECT_EQ(t.stats().n_cleanups, 2u);
        EXPECT_EQ(slm_pool_check(t.pool), 0u);
        ASSERT_EQ(slm_pool_cleanup_arm(t.pool, handles[i], note, names[i]), SLM_OK);
        EXPECT_EQ(t.reset(), SLM_OK);
        std::string others = i == 0 ? "21" : i == 1 ? "20" : "10";
        EXPECT_EQ(order, names[i] + others);
    }
}

struct Canceller {
    slm_pool *pool;
    slm_pool_cleanup *other;
    slm_pool_cleanup *own;
};

void cancel_other(void *data)
{
    auto *canceller = static_cast<Canceller *>(data);
    EXPECT_EQ(slm_pool_cleanup_cancel(canceller->pool, canceller->own), SLM_UNCHANGED);
    EXPECT_EQ(slm_pool_cleanup_cancel(canceller->pool, canceller->other), SLM_OK);
}

TEST(PoolCleanup, AHandlerMayCancelAnotherAndFindsItselfRun)
{
    static char name[] = "x";
    TestPool t;
    order.clear();
    Canceller canceller{t.pool, nullptr, nullptr};
    ASSERT_EQ(slm_pool_cleanup_reserve(t.pool, &canceller.other), SLM_OK);
    ASSERT_EQ(slm_pool_cleanup_reserve(t.pool, &canceller.own), SLM_OK);
    ASSERT_EQ(slm_pool_cleanup_arm(t.pool, canceller.other, note, name), SLM_OK);
    ASSERT_EQ(slm_pool_cleanup_arm(t.pool, canceller.own, cancel_other, &canceller), SLM_OK);
    EXPECT_EQ(t.reset(), SLM_OK);
    EXPECT_EQ(order, "");
}

} // namespace
