/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: locks, reports, root, name, offsets, reset, trim, and two views of one region. */
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

constexpr Geometry kPlain = {4096, 8, 8, 0};

/* --- Locks --- */

class SlabLock : public testing::Test {
  protected:
    SlabLock()
    {
        slm_slab_view view = {};
        lock.put_into(&view);
        view_ = attach(memory.region, &view);
        slab = view_.get();
        lock = CountedLock();
    }
    void expect_locks(int n, const std::function<void()> &call)
    {
        lock = CountedLock();
        call();
        EXPECT_EQ(lock.n_locks, n);
        EXPECT_EQ(lock.n_unlocks, n);
    }
    CountedLock lock;
    Slab memory{kPlain, 64};
    slm_slab *slab;

  private:
    View view_;
};

TEST_F(SlabLock, IsTakenOnceByEveryPlainCall)
{
    void *p = nullptr;
    struct slm_slab_stats stats;
    struct slm_slab_class_stats class_stats;
    slm_slab_place place;
    expect_locks(1, [&] { p = slm_slab_alloc(slab, 100); });
    expect_locks(1, [&] { slm_slab_usable_bytes(slab, p); });
    expect_locks(1, [&] { slm_slab_locate(slab, p, &place); });
    expect_locks(1, [&] { EXPECT_EQ(slm_slab_free(slab, p), SLM_OK); });
    expect_locks(1, [&] { slm_slab_calloc(slab, 10000); });
    expect_locks(1, [&] { slm_slab_memalign(slab, 64, 10); });
    expect_locks(1, [&] { slm_slab_get_stats(slab, &stats); });
    expect_locks(1, [&] { slm_slab_get_class_stats(slab, 0, &class_stats); });
    expect_locks(1, [&] { slm_slab_check(slab); });
    expect_locks(1, [&] { slm_slab_trim(slab); });
    expect_locks(1, [&] { slm_slab_reset(slab); });
}

TEST_F(SlabLock, IsTakenOnceByCallsThatFail)
{
    expect_locks(1, [&] { EXPECT_EQ(slm_slab_alloc(slab, SIZE_MAX), nullptr); });
    expect_locks(1, [&] { EXPECT_EQ(slm_slab_calloc(slab, SIZE_MAX), nullptr); });
    expect_locks(1, [&] { EXPECT_EQ(slm_slab_memalign(slab, 8, SIZE_MAX), nullptr); });
    for (void *p : {static_cast<void *>(this), static_cast<void *>(memory.region.base()),
                    static_cast<void *>(memory.page(3) + 1)}) {
        expect_locks(1, [&] { EXPECT_NE(slm_slab_free(slab, p), SLM_OK); });
        expect_locks(1, [&] { EXPECT_EQ(slm_slab_usable_bytes(slab, p), 0u); });
    }
}

/* A region without access but while the lock is held. */
struct OpenWhileLocked {
    const Region &region;

    static void lock(void *data)
    {
        static_cast<OpenWhileLocked *>(data)->region.protect(PROT_READ | PROT_WRITE);
    }
    static void unlock(void *data)
    {
        static_cast<OpenWhileLocked *>(data)->region.protect(PROT_NONE);
    }
};

TEST(SlabLockedRegion, IsReadAndWrittenUnderTheLockOnly)
{
    Slab memory(kPlain, 64);
    OpenWhileLocked lock = {memory.region};
    slm_slab_view view = {};
    view.lock = OpenWhileLocked::lock;
    view.unlock = OpenWhileLocked::unlock;
    view.lock_data = &lock;
    View slab = attach(memory.region, &view);
    struct slm_slab_stats stats;
    struct slm_slab_class_stats class_stats;
    slm_slab_place place;
    memory.region.protect(PROT_NONE);
    for (size_t size_bytes : {size_t{100}, size_t{3000}, size_t{50000}}) {
        void *p = slm_slab_alloc(slab.get(), size_bytes);
        ASSERT_NE(p, nullptr);
        EXPECT_GE(slm_slab_usable_bytes(slab.get(), p), size_bytes);
        slm_slab_locate(slab.get(), p, &place);
        EXPECT_EQ(slm_slab_free(slab.get(), p), SLM_OK);
        EXPECT_NE(slm_slab_free(slab.get(), p), SLM_OK);
        EXPECT_EQ(slm_slab_get_class_stats(slab.get(), 0, &class_stats), SLM_OK);
    }
    EXPECT_NE(slm_slab_memalign(slab.get(), 64, 10), nullptr);
    EXPECT_EQ(slm_slab_alloc(slab.get(), SIZE_MAX), nullptr);
    slm_slab_get_stats(slab.get(), &stats);
    EXPECT_EQ(slm_slab_check(slab.get()), 0u);
    EXPECT_GT(slm_slab_trim(slab.get()), 0u);
    EXPECT_EQ(slm_slab_reset(slab.get()), SLM_OK);
    memory.region.protect(PROT_READ | PROT_WRITE);
}

TEST_F(SlabLock, IsNotTakenByFreeOfNull)
{
    expect_locks(0, [&] { EXPECT_EQ(slm_slab_free(slab, nullptr), SLM_OK); });
}

TEST_F(SlabLock, IsNeverTakenByLockedCallsNorByCallsThatNeedNone)
{
    expect_locks(0, [&] {
        void *a = slm_slab_alloc_locked(slab, 100);
        void *b = slm_slab_calloc_locked(slab, 100);
        EXPECT_EQ(slm_slab_calloc_locked(slab, SIZE_MAX), nullptr);
        void *c = slm_slab_memalign_locked(slab, 64, 100);
        EXPECT_EQ(slm_slab_free_locked(slab, a), SLM_OK);
        EXPECT_EQ(slm_slab_free_locked(slab, a), SLM_E_FREED);
        EXPECT_EQ(slm_slab_alloc_locked(slab, SIZE_MAX), nullptr);
        EXPECT_EQ(slm_slab_set_root(slab, b), SLM_OK);
        EXPECT_EQ(slm_slab_root(slab), b);
        EXPECT_EQ(slm_slab_pointer(slab, slm_slab_offset(slab, c)), c);
        EXPECT_STREQ(slm_slab_name(slab), "tested");
        EXPECT_GE(slm_slab_class_of(slab, 100), 0);
        slm_slab_stats stats;
        slm_slab_get_stats_locked(slab, &stats);
        slm_slab_class_stats class_stats;
        EXPECT_EQ(slm_slab_get_class_stats_locked(slab, 0, &class_stats), SLM_OK);
        EXPECT_EQ(slm_slab_check_locked(slab), 0u);
        EXPECT_EQ(slm_slab_rebuild_locked(slab), SLM_OK);
        slm_slab_reset_locked(slab);
    });
}

TEST_F(SlabLock, HoldersGetTheStatsThatOthersGetByTheLock)
{
    for (size_t size : {1u, 100u, 100u, 30000u, 20000u}) {
        ASSERT_NE(slm_slab_alloc(slab, size), nullptr);
    }
    EXPECT_EQ(slm_slab_alloc(slab, SIZE_MAX), nullptr);
    slm_slab_stats taken;
    slm_slab_stats held;
    slm_slab_get_stats(slab, &taken);
    slm_slab_get_stats_locked(slab, &held);
    EXPECT_EQ(held.n_free_pages, taken.n_free_pages);
    EXPECT_EQ(held.n_runs, 2u);
    EXPECT_EQ(held.run_requests, 3u);
    EXPECT_EQ(held.run_failures, 1u);
    EXPECT_EQ(held.metadata_bytes, taken.metadata_bytes);
    for (unsigned i = 0; i < held.n_classes; i++) {
        slm_slab_class_stats one;
        slm_slab_class_stats other;
        ASSERT_EQ(slm_slab_get_class_stats(slab, i, &one), SLM_OK);
        ASSERT_EQ(slm_slab_get_class_stats_locked(slab, i, &other), SLM_OK);
        EXPECT_EQ(memcmp(&one, &other, sizeof one), 0) << i;
    }
    slm_slab_class_stats none;
    EXPECT_EQ(slm_slab_get_class_stats_locked(slab, held.n_classes, &none), SLM_E_SIZE);
}

TEST_F(SlabLock, IsNotTakenByAttachAndDetach)
{
    slm_slab_view view = {};
    lock.put_into(&view);
    expect_locks(0, [&] { attach(memory.region, &view); });
}

/* --- Reports --- */

class SlabReport : public testing::Test {
  protected:
    SlabReport() : with_view(reports.view()), slab(kPlain, 40, &with_view)
    {
    }
    void expect_last(slm_status status, const char *call, size_t size_bytes, const void *pointer)
    {
        ASSERT_EQ(reports.events.size(), 1u);
        const Reports::Event &event = reports.events[0];
        EXPECT_EQ(event.status, status);
        EXPECT_EQ(event.name, "tested");
        EXPECT_EQ(event.call, call);
        EXPECT_EQ(event.size_bytes, size_bytes);
        EXPECT_EQ(event.pointer, pointer);
        EXPECT_EQ(event.lock_depth, 0) << "reported under the lock";
        reports.events.clear();
    }
    Reports reports;
    slm_slab_view with_view;
    Slab slab;
};

TEST_F(SlabReport, ReportsExhaustionAfterTheLockIsReleased)
{
    size_t size = 41 * 4096;
    EXPECT_EQ(slm_slab_alloc(slab, size), nullptr);
    expect_last(SLM_E_NOMEM, "alloc", size, nullptr);
    EXPECT_EQ(slm_slab_calloc(slab, size), nullptr);
    expect_last(SLM_E_NOMEM, "calloc", size, nullptr);
    EXPECT_EQ(slm_slab_memalign(slab, 64, size), nullptr);
    expect_last(SLM_E_NOMEM, "memalign", size, nullptr);
}

TEST_F(SlabReport, ReportsAWrongAlignment)
{
    EXPECT_EQ(slm_slab_memalign(slab, 3, 100), nullptr);
    expect_last(SLM_E_ALIGN, "memalign", 100, nullptr);
}

TEST_F(SlabReport, ReportsEachKindOfMisuseAfterTheLockIsReleased)
{
    void *p = slm_slab_alloc(slab, 100);
    auto *inside = static_cast<unsigned char *>(p) + 1;
    std::vector<std::pair<void *, slm_status>> misuses = {
        {this, SLM_E_FOREIGN},
        {inside, SLM_E_INTERIOR},
        {slab.region.base(), SLM_E_METADATA},
        {slab.page(39), SLM_E_PAGE_FREE},
    };
    for (auto &[pointer, status] : misuses) {
        EXPECT_EQ(slm_slab_free(slab, pointer), status);
        expect_last(status, "free", 0, pointer);
    }
    EXPECT_EQ(slm_slab_free(slab, p), SLM_OK);
    EXPECT_EQ(slm_slab_free(slab, p), SLM_E_FREED);
    expect_last(SLM_E_FREED, "free", 0, p);
}

TEST_F(SlabReport, IsSilentAboutSuccessAndLockedCalls)
{
    void *p = slm_slab_alloc(slab, 100);
    EXPECT_EQ(slm_slab_free(slab, p), SLM_OK);
    EXPECT_EQ(slm_slab_free_locked(slab, p), SLM_E_FREED);
    EXPECT_EQ(slm_slab_alloc_locked(slab, SIZE_MAX), nullptr);
    EXPECT_EQ(slm_slab_memalign_locked(slab, 3, 8), nullptr);
    EXPECT_TRUE(reports.events.empty());
}

TEST_F(SlabReport, QuietNomemMutesExhaustionAndNothingElse)
{
    with_view.quiet_nomem = true;
    View quiet = attach(slab.region, &with_view);
    EXPECT_EQ(slm_slab_alloc(quiet.get(), SIZE_MAX), nullptr);
    EXPECT_EQ(slm_slab_calloc(quiet.get(), SIZE_MAX), nullptr);
    EXPECT_EQ(slm_slab_memalign(quiet.get(), 8, SIZE_MAX), nullptr);
    EXPECT_TRUE(reports.events.empty());
    EXPECT_EQ(slm_slab_free(quiet.get(), this), SLM_E_FOREIGN);
    EXPECT_EQ(reports.events.size(), 1u);
}

/* A hook may use the slab: it frees an object, so that the next allocation succeeds. */
TEST_F(SlabReport, HookMayCallTheSlab)
{
    struct Cache {
        slm_slab *slab;
        void *spare;
    } cache = {nullptr, nullptr};
    slm_slab_view view = reports.view();
    view.report_data = &cache;
    view.report = [](void *data, const slm_slab_event *) {
        auto *c = static_cast<Cache *>(data);
        EXPECT_EQ(slm_slab_free(c->slab, c->spare), SLM_OK);
    };
    View open = attach(slab.region, &view);
    cache = {open.get(), slab.alloc_pages(40)};
    EXPECT_EQ(slm_slab_alloc(open.get(), 8), nullptr);
    EXPECT_NE(slm_slab_alloc(open.get(), 8), nullptr);
}

/* --- Root, name, offsets --- */

TEST(SlabRoot, IsNullAtFirstAndKeepsAnyAddressInThePages)
{
    Slab slab(kPlain, 16);
    EXPECT_EQ(slm_slab_root(slab), nullptr);
    for (unsigned char *p : {slab.page(0), slab.page(3) + 17, slab.page(16) - 1}) {
        EXPECT_EQ(slm_slab_set_root(slab, p), SLM_OK);
        EXPECT_EQ(slm_slab_root(slab), p);
        EXPECT_EQ(slm_slab_check(slab), 0u);
    }
    EXPECT_EQ(slm_slab_set_root(slab, nullptr), SLM_OK);
    EXPECT_EQ(slm_slab_root(slab), nullptr);
}

TEST(SlabRoot, ReadsAsNullWhileAnyOneBitOfItsWordIsWrong)
{
    Slab slab(kPlain, 16);
    for (void *p : {static_cast<void *>(nullptr), static_cast<void *>(slab.page(3) + 16)}) {
        ASSERT_EQ(slm_slab_set_root(slab, p), SLM_OK);
        for (unsigned bit = 0; bit < 64; bit++) {
            slab->header->root ^= uint64_t{1} << bit;
            EXPECT_EQ(slm_slab_root(slab), nullptr) << bit;
            EXPECT_EQ(slm_slab_check(slab), 12u) << bit;
            slab->header->root ^= uint64_t{1} << bit;
        }
        EXPECT_EQ(slm_slab_root(slab), p);
    }
}

TEST(SlabRoot, RefusesAnyOtherAddressAndChangesNothing)
{
    Slab slab(kPlain, 16);
    ASSERT_EQ(slm_slab_set_root(slab, slab.page(1)), SLM_OK);
    std::vector<unsigned char> before = slab.region.snapshot();
    for (unsigned char *p : {slab.region.base(), slab.region.base() + 1, slab.page(0) - 1,
                             slab.page(16), slab.region.base() + slab.region.bytes(),
                             slab.region.base() - 1, reinterpret_cast<unsigned char *>(&slab),
                             reinterpret_cast<unsigned char *>(UINTPTR_MAX)}) {
        EXPECT_EQ(slm_slab_set_root(slab, p), SLM_E_FOREIGN);
    }
    EXPECT_EQ(slab.region.first_change(before), kUnchanged);
}

TEST(SlabName, IsCutAt31BytesAndNullIsEmpty)
{
    std::string longest(31, 'n');
    for (const std::string &given :
         {std::string(), std::string("a"), longest, longest + "o", longest + longest}) {
        Region region(1 << 18);
        slm_slab_options options = kPlain.options(given.c_str());
        ASSERT_EQ(slm_slab_init(region.base(), region.bytes(), &options), SLM_OK);
        EXPECT_EQ(slm_slab_name(attach(region).get()), given.substr(0, 31));
    }
    Region region(1 << 18);
    ASSERT_EQ(slm_slab_init(region.base(), region.bytes(), nullptr), SLM_OK);
    EXPECT_STREQ(slm_slab_name(attach(region).get()), "");
}

/* The view has a copy: an overwritten name in the region cannot reach a message. */
TEST(SlabName, StaysWhatItWasWhenTheRegionIsOverwritten)
{
    Slab slab(kPlain, 16);
    std::memset(slab->header->name, 'x', sizeof slab->header->name);
    EXPECT_STREQ(slm_slab_name(slab), "tested");
}

TEST(SlabOffset, IsTheSameInEveryMappingAndZeroIsNull)
{
    Slab slab(kPlain, 16);
    Region twin = slab.region.twin();
    View other = attach(twin);
    ASSERT_NE(twin.base(), slab.region.base());
    EXPECT_EQ(slm_slab_offset(slab, nullptr), 0u);
    EXPECT_EQ(slm_slab_pointer(slab, 0), nullptr);
    for (size_t idx = 0; idx < 16; idx++) {
        uint64_t offset = slm_slab_offset(slab, slab.page(idx) + 8);
        EXPECT_EQ(slm_slab_pointer(slab, offset), slab.page(idx) + 8);
        auto *there = static_cast<unsigned char *>(slm_slab_pointer(other.get(), offset));
        EXPECT_EQ(there - twin.base(), slab.page(idx) + 8 - slab.region.base());
        EXPECT_EQ(slm_slab_offset(other.get(), there), offset);
    }
}

/* --- reset, trim --- */

class SlabReset : public testing::TestWithParam<Geometry> {};

TEST_P(SlabReset, FreesEveryObjectKeepsTheCountsAndClearsTheRoot)
{
    Furnished f(GetParam(), 100);
    EXPECT_EQ(slm_slab_alloc(f.slab, SIZE_MAX), nullptr);
    ASSERT_EQ(slm_slab_set_root(f.slab, f.run), SLM_OK);
    struct slm_slab_stats before = f.slab.stats();
    struct slm_slab_class_stats small = f.slab.class_stats(f.small_class);
    slm_slab_reset(f.slab);
    struct slm_slab_stats after = f.slab.stats();
    EXPECT_EQ(slm_slab_check(f.slab), 0u);
    EXPECT_EQ(after.n_free_pages, after.n_pages);
    EXPECT_EQ(after.longest_free_run_pages, after.n_pages);
    EXPECT_EQ(after.n_kept_pages + after.n_runs + after.n_run_pages, 0u);
    EXPECT_EQ(after.run_requests, before.run_requests);
    EXPECT_EQ(after.run_failures, 1u);
    EXPECT_EQ(after.peak_used_pages, before.peak_used_pages);
    EXPECT_EQ(f.slab.class_stats(f.small_class).n_requests, small.n_requests);
    EXPECT_EQ(f.slab.class_stats(f.small_class).n_used, 0u);
    EXPECT_EQ(f.slab.class_stats(f.small_class).n_spans, 0u);
    EXPECT_EQ(slm_slab_root(f.slab), nullptr);
    for (void *p : {f.partial, f.freed, f.run, f.free_run, f.kept, f.full[0]}) {
        EXPECT_EQ(slm_slab_free(f.slab, p), SLM_E_PAGE_FREE);
    }
}

/* The same requests have the same results as in a slab that was just formatted. */
TEST_P(SlabReset, MakesTheSlabAsNew)
{
    Slab fresh(GetParam(), 60);
    Slab used(GetParam(), 60);
    std::mt19937 random(1);
    for (int i = 0; i < 300; i++) {
        slm_slab_alloc(used, size_t{1} << random() % 17);
    }
    slm_slab_reset(used);
    for (int i = 0; i < 300; i++) {
        size_t size = random() % (size_t{1} << random() % 17);
        void *a = slm_slab_alloc(fresh, size);
        void *b = slm_slab_alloc(used, size);
        EXPECT_EQ(slm_slab_offset(fresh, a), slm_slab_offset(used, b));
    }
    EXPECT_EQ(slm_slab_check(used), 0u);
}

TEST_P(SlabReset, TrimReturnsOnlyTheKeptPages)
{
    Furnished f(GetParam(), 100);
    struct slm_slab_stats before = f.slab.stats();
    EXPECT_GT(before.n_kept_pages, 0u);
    EXPECT_EQ(slm_slab_trim(f.slab), before.n_kept_pages);
    EXPECT_EQ(f.slab.stats().n_kept_pages, 0u);
    EXPECT_EQ(f.slab.stats().n_free_pages, before.n_free_pages + before.n_kept_pages);
    EXPECT_EQ(f.slab.stats().n_runs, before.n_runs);
    EXPECT_EQ(f.slab.stats().peak_used_pages, before.peak_used_pages);
    EXPECT_EQ(slm_slab_trim(f.slab), 0u);
    EXPECT_EQ(slm_slab_free(f.slab, f.kept), SLM_E_PAGE_FREE);
    EXPECT_EQ(slm_slab_check(f.slab), 0u);
}

INSTANTIATE_TEST_SUITE_P(Main, SlabReset, testing::ValuesIn(main_geometries()), name_of);

/* --- Two views of one region, at different addresses --- */

class SlabViews : public testing::TestWithParam<Geometry> {
  protected:
    SlabViews() : slab(GetParam(), 60), twin(slab.region.twin()), view_(attach(twin))
    {
        views[0] = slab;
        views[1] = view_.get();
    }
    /* The same object, as the other view sees it. */
    unsigned char *across(int from, const void *p) const
    {
        uint64_t offset = slm_slab_offset(views[from], p);
        return static_cast<unsigned char *>(slm_slab_pointer(views[1 - from], offset));
    }
    Slab slab;
    Region twin;
    slm_slab *views[2];

  private:
    View view_;
};

TEST_P(SlabViews, ObjectsMadeThroughOneAreFreedThroughTheOther)
{
    std::mt19937 random(7);
    std::vector<unsigned char *> live; /* as view 0 sees them */
    for (int i = 0; i < 2000; i++) {
        int at = static_cast<int>(random() % 2);
        if (random() % 2 == 0) {
            size_t size = 1 + random() % (size_t{1} << random() % 16);
            auto *p = static_cast<unsigned char *>(slm_slab_alloc(views[at], size));
            if (p != nullptr) {
                p[0] = static_cast<unsigned char>(i);
                EXPECT_EQ(across(at, p)[0], p[0]);
                live.push_back(at == 0 ? p : across(1, p));
            }
        } else if (!live.empty()) {
            std::swap(live[random() % live.size()], live.back());
            void *p = at == 0 ? live.back() : across(0, live.back());
            ASSERT_EQ(slm_slab_free(views[at], p), SLM_OK);
            ASSERT_NE(slm_slab_free(views[1 - at], across(at, p)), SLM_OK);
            live.pop_back();
        }
        ASSERT_EQ(slm_slab_check(views[at]), 0u);
    }
    slm_slab_reset(views[1]);
    EXPECT_EQ(slab.stats().n_free_pages, 60u);
}

TEST_P(SlabViews, ShareTheRootTheCountsAndTheRefusals)
{
    void *p = slm_slab_alloc(views[0], 100);
    ASSERT_EQ(slm_slab_set_root(views[0], p), SLM_OK);
    EXPECT_EQ(slm_slab_root(views[1]), across(0, p));
    EXPECT_EQ(slm_slab_usable_bytes(views[1], across(0, p)), slm_slab_usable_bytes(views[0], p));
    struct slm_slab_stats stats[2];
    slm_slab_get_stats(views[0], &stats[0]);
    slm_slab_get_stats(views[1], &stats[1]);
    EXPECT_EQ(std::memcmp(&stats[0], &stats[1], sizeof stats[0]), 0);
    EXPECT_EQ(slm_slab_free(views[1], p), SLM_E_FOREIGN) << "an address of the other mapping";
    EXPECT_EQ(slm_slab_set_root(views[1], p), SLM_E_FOREIGN);
    EXPECT_EQ(slm_slab_free(views[1], across(0, p)), SLM_OK);
    EXPECT_EQ(slm_slab_free(views[0], p), SLM_E_FREED);
}

INSTANTIATE_TEST_SUITE_P(Main, SlabViews, testing::ValuesIn(main_geometries()), name_of);

} /* namespace */
