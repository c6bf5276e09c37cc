/* SPDX-License-Identifier: Apache-2.0 */
/* A view that takes a lock of <slabmill/lock.h>: when it holds it, refusals, and dead holders. */
#include <sys/wait.h>

#include <functional>
#include <thread>

#include "fixture.h"
#include <slabmill/lock.h>

namespace {

using namespace slabtest;

constexpr size_t kPages = 64;
constexpr Geometry kGeometry{4096, 8, 1, 0};

/* A lock that children of this process share. */
class Lock {
  public:
    explicit Lock(slm_lock_kind kind = SLM_LOCK_ROBUST, const char *path = nullptr)
    {
        void *at = mmap(nullptr, kAlign, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        must(at != MAP_FAILED, "mmap");
        state_ = static_cast<slm_lock_state *>(at);
        slm_lock_options options{};
        options.kind = kind;
        options.path = path;
        must(slm_lock_init(state_, kind) == SLM_OK, "lock init");
        must(slm_lock_attach(&lock_, state_, &options, nullptr) == SLM_OK, "lock attach");
    }
    Lock(const Lock &) = delete;
    Lock &operator=(const Lock &) = delete;
    ~Lock()
    {
        slm_lock_detach(lock_);
        munmap(state_, kAlign);
    }

    operator slm_lock *() const
    {
        return lock_;
    }
    const slm_lock_state *state() const
    {
        return state_;
    }
    bool is_free() const
    {
        return owner().identity == 0;
    }
    bool needs_repair() const
    {
        return owner().needs_repair;
    }

  private:
    slm_lock_owner owner() const
    {
        slm_lock_owner owner;
        slm_lock_get_state_owner(state_, &owner);
        return owner;
    }

    slm_lock_state *state_ = nullptr;
    slm_lock *lock_ = nullptr;
};

/* A slab whose view takes a lock, reports here and is repaired here. */
class SlabSharedLock : public testing::Test {
  protected:
    slm_slab_view view(bool repairs = true)
    {
        slm_slab_view view = {};
        view.shared_lock = lock;
        view.report = [](void *data, const slm_slab_event *event) {
            auto *test = static_cast<SlabSharedLock *>(data);
            EXPECT_TRUE(test->lock.is_free()) << "reports come after the lock is released";
            test->reports.push_back(event->status);
        };
        view.report_data = this;
        view.repair = repairs ? repair : nullptr;
        view.repair_data = repairs ? this : nullptr;
        return view;
    }
    static slm_status repair(void *data, slm_slab *slab)
    {
        auto *test = static_cast<SlabSharedLock *>(data);
        test->n_repairs++;
        EXPECT_TRUE(slm_lock_is_mine(test->lock));
        EXPECT_EQ(slm_slab_check_locked(slab), 0u) << "rebuilt before";
        return test->repair_status;
    }
    /* A child takes the lock, changes the slab, and dies. */
    void let_a_holder_die(const std::function<void()> &change) const
    {
        pid_t child = fork();
        must(child >= 0, "fork");
        if (child == 0) {
            bool is_held = slm_lock_lock(lock) == SLM_OK;
            change();
            _exit(is_held ? 0 : 1);
        }
        int status = 0;
        must(waitpid(child, &status, 0) == child, "waitpid");
        ASSERT_EQ(status, 0) << "the child got the lock";
    }

    Lock lock;
    int n_repairs = 0;
    slm_status repair_status = SLM_OK;
    std::vector<slm_status> reports;
};

TEST_F(SlabSharedLock, EachCallReleasesWhatItTook)
{
    slm_slab_view with_lock = view();
    Slab slab(kGeometry, kPages, &with_lock);
    void *p = slm_slab_alloc(slab, 100);
    ASSERT_NE(p, nullptr);
    EXPECT_TRUE(lock.is_free());
    EXPECT_EQ(slm_slab_usable_bytes(slab, p), 128u);
    EXPECT_TRUE(slab.locate(p).is_live);
    EXPECT_EQ(slab.stats().n_pages, kPages);
    EXPECT_EQ(slab.class_stats(4).n_used, 1u);
    EXPECT_EQ(slm_slab_check(slab), 0u);
    EXPECT_TRUE(lock.is_free());
    EXPECT_EQ(slm_slab_free(slab, p), SLM_OK);
    EXPECT_EQ(slm_slab_free(slab, p), SLM_E_FREED);
    EXPECT_TRUE(lock.is_free());
    EXPECT_EQ(slm_slab_trim(slab), 1u);
    EXPECT_EQ(slm_slab_alloc(slab, SIZE_MAX), nullptr);
    EXPECT_NE(slm_slab_calloc(slab, 5000), nullptr);
    EXPECT_NE(slm_slab_memalign(slab, 64, 1), nullptr);
    EXPECT_EQ(slm_slab_reset(slab), SLM_OK);
    EXPECT_TRUE(lock.is_free());
    EXPECT_EQ(reports, (std::vector<slm_status>{SLM_E_FREED, SLM_E_NOMEM}));
    EXPECT_EQ(lock.state()->n_deaths, 0u);
}

/* A thread that holds the lock cannot take it again: so each call does take it. */
TEST_F(SlabSharedLock, NoCallChangesAnythingWithoutTheLock)
{
    slm_slab_view with_lock = view();
    with_lock.report = nullptr;
    Slab slab(kGeometry, kPages, &with_lock);
    void *p = slm_slab_alloc(slab, 100);
    struct slm_slab_class_stats class_stats = {};
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    std::vector<unsigned char> before = slab.region.snapshot();
    EXPECT_EQ(slm_slab_alloc(slab, 100), nullptr);
    EXPECT_EQ(slm_slab_calloc(slab, 100), nullptr);
    EXPECT_EQ(slm_slab_memalign(slab, 64, 100), nullptr);
    EXPECT_EQ(slm_slab_free(slab, p), SLM_E_HELD);
    EXPECT_EQ(slm_slab_reset(slab), SLM_E_HELD);
    EXPECT_EQ(slm_slab_trim(slab), 0u);
    EXPECT_EQ(slm_slab_usable_bytes(slab, p), 0u);
    EXPECT_EQ(slab.locate(p).kind, SLM_SLAB_OUTSIDE);
    EXPECT_EQ(slab.stats().n_free_pages, 0u);
    EXPECT_EQ(slm_slab_get_class_stats(slab, 4, &class_stats), SLM_E_HELD);
    EXPECT_EQ(class_stats.n_used, 0u);
    EXPECT_EQ(slm_slab_check(slab), 1u);
    EXPECT_EQ(slab.region.first_change(before), kUnchanged);
    EXPECT_EQ(slm_slab_free_locked(slab, p), SLM_OK) << "the holder may";
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(slm_slab_check(slab), 0u);
}

TEST_F(SlabSharedLock, ReportsWhyTheLockWasNotTaken)
{
    std::vector<slm_status> statuses;
    slm_slab_view with_lock = view();
    with_lock.report = [](void *data, const slm_slab_event *event) {
        static_cast<std::vector<slm_status> *>(data)->push_back(event->status);
    };
    with_lock.report_data = &statuses;
    Slab slab(kGeometry, kPages, &with_lock);
    void *p = slm_slab_alloc(slab, 100);
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(slm_slab_alloc(slab, 100), nullptr);
    EXPECT_EQ(slm_slab_free(slab, p), SLM_E_HELD);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(statuses, (std::vector<slm_status>{SLM_E_HELD, SLM_E_HELD}));
}

TEST_F(SlabSharedLock, TheFirstCallAfterADeathRebuildsAndRepairs)
{
    slm_slab_view with_lock = view();
    Slab slab(kGeometry, kPages, &with_lock);
    void *kept = slm_slab_alloc(slab, 100);
    let_a_holder_die([&] {
        slab->classes[4].partial = 5;
        slab->header->n_free_pages = 0;
    });
    void *p = slm_slab_alloc(slab, 100);
    EXPECT_NE(p, nullptr);
    EXPECT_EQ(n_repairs, 1);
    EXPECT_EQ(lock.state()->n_deaths, 1u);
    EXPECT_TRUE(lock.is_free());
    EXPECT_FALSE(lock.needs_repair());
    EXPECT_EQ(slm_slab_check(slab), 0u);
    EXPECT_EQ(slm_slab_free(slab, kept), SLM_OK);
    EXPECT_EQ(slm_slab_free(slab, p), SLM_OK);
    EXPECT_EQ(n_repairs, 1) << "once a death";
    EXPECT_TRUE(reports.empty());
}

TEST_F(SlabSharedLock, AReleaseAfterADeathRebuildsWithoutARepairHook)
{
    slm_slab_view with_lock = view(false);
    Slab slab(kGeometry, kPages, &with_lock);
    void *p = slm_slab_alloc(slab, 100);
    let_a_holder_die([&] { slab->header->n_free_pages = 0; });
    EXPECT_EQ(slm_slab_free(slab, p), SLM_OK);
    EXPECT_FALSE(lock.needs_repair());
    EXPECT_EQ(slm_slab_check(slab), 0u);
}

TEST_F(SlabSharedLock, AFailedRepairLeavesTheMarkForTheNextLocker)
{
    slm_slab_view with_lock = view();
    Slab slab(kGeometry, kPages, &with_lock);
    void *p = slm_slab_alloc(slab, 100);
    let_a_holder_die([] {});
    repair_status = SLM_E_IO;
    EXPECT_EQ(slm_slab_alloc(slab, 100), nullptr);
    EXPECT_EQ(slm_slab_free(slab, p), SLM_E_IO);
    EXPECT_EQ(slm_slab_check(slab), 1u);
    EXPECT_EQ(n_repairs, 3);
    EXPECT_TRUE(lock.is_free());
    EXPECT_TRUE(lock.needs_repair());
    EXPECT_EQ(reports, (std::vector<slm_status>{SLM_E_IO, SLM_E_IO}));
    repair_status = SLM_OK;
    EXPECT_EQ(slm_slab_free(slab, p), SLM_OK);
    EXPECT_EQ(n_repairs, 4);
    EXPECT_FALSE(lock.needs_repair());
}

TEST_F(SlabSharedLock, ASlabThatCannotBeRebuiltIsNotRepaired)
{
    slm_slab_view with_lock = view();
    Slab slab(kGeometry, kPages, &with_lock);
    void *p = slm_slab_alloc(slab, 100);
    let_a_holder_die([&] { slab->pages[0].word = 0; });
    EXPECT_EQ(slm_slab_free(slab, p), SLM_E_IMAGE);
    EXPECT_EQ(n_repairs, 0);
    EXPECT_TRUE(lock.is_free());
    EXPECT_TRUE(lock.needs_repair());
}

TEST_F(SlabSharedLock, AReadOnlyViewLeavesTheRepairToOthers)
{
    slm_slab_view with_lock = view();
    Slab slab(kGeometry, kPages, &with_lock);
    slm_slab_view looking = view();
    looking.read_only = true;
    View looker = attach(slab.region, &looking);
    let_a_holder_die([] {});
    EXPECT_EQ(slm_slab_check(looker.get()), 1u);
    EXPECT_EQ(n_repairs, 0);
    EXPECT_TRUE(lock.needs_repair());
    EXPECT_EQ(slm_slab_check(slab), 0u);
    EXPECT_EQ(n_repairs, 1);
    EXPECT_EQ(slm_slab_check(looker.get()), 0u);
}

TEST_F(SlabSharedLock, ThreadsDoNotDisturbEachOther)
{
    slm_slab_view with_lock = view();
    Slab slab(kGeometry, kPages, &with_lock);
    auto work = [&](unsigned char mark) {
        for (size_t i = 0; i < 2000; i++) {
            size_t size_bytes = 1 + i % 300;
            auto *p = static_cast<unsigned char *>(slm_slab_alloc(slab, size_bytes));
            must(p != nullptr, "alloc");
            std::memset(p, mark, size_bytes);
            std::this_thread::yield();
            must(p[0] == mark && p[size_bytes - 1] == mark, "the object is its thread's own");
            must(slm_slab_free(slab, p) == SLM_OK, "free");
        }
    };
    std::vector<std::thread> threads;
    for (unsigned char mark = 1; mark <= 4; mark++) {
        threads.emplace_back(work, mark);
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_TRUE(lock.is_free());
    EXPECT_EQ(slm_slab_check(slab), 0u);
    EXPECT_EQ(slab.stats().n_free_pages + slab.stats().n_kept_pages, kPages);
}

TEST(SlabSharedFileLock, IsTakenWithoutTheFastPath)
{
    std::string path = testing::TempDir() + "slab_shared_lock_test.lock";
    Lock lock(SLM_LOCK_FILE, path.c_str());
    slm_slab_view with_lock = {};
    with_lock.shared_lock = lock;
    Slab slab(kGeometry, kPages, &with_lock);
    void *p = slm_slab_alloc(slab, 100);
    ASSERT_NE(p, nullptr);
    EXPECT_TRUE(lock.is_free());
    ASSERT_EQ(slm_lock_lock(lock), SLM_OK);
    EXPECT_EQ(slm_slab_free(slab, p), SLM_E_HELD);
    EXPECT_EQ(slm_lock_unlock(lock), SLM_OK);
    EXPECT_EQ(slm_slab_free(slab, p), SLM_OK);
    EXPECT_TRUE(lock.is_free());
    unlink(path.c_str());
}

TEST(SlabSharedLockOptions, AViewHasOneLock)
{
    Lock lock;
    Slab slab(kGeometry, kPages);
    slm_slab *out = nullptr;
    slm_slab_view two = {};
    CountedLock counted;
    counted.put_into(&two);
    two.shared_lock = lock;
    EXPECT_EQ(slm_slab_attach(&out, slab.region.base(), slab.region.bytes(), &two), SLM_E_OPTION);
    slm_slab_view unlocked = {};
    unlocked.repair = [](void *, slm_slab *) { return SLM_OK; };
    EXPECT_EQ(slm_slab_attach(&out, slab.region.base(), slab.region.bytes(), &unlocked),
              SLM_E_OPTION);
    EXPECT_EQ(out, nullptr);
}

} /* namespace */
