/* SPDX-License-Identifier: Apache-2.0 */
/* What programs say about arenas and functions: regions that change, sparse ones, ends, looks, and by
 * which function an object is resized. */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "harness/base/sanitizers.h"
#include "harness/run/model.h"
#include "harness/run/promise.h"
#include "harness/run/run.h"
#include "harness/zoo/zoo.h"
#include "gtest/gtest.h"

namespace {

/* The zoo's right allocators, and what the tests see of the calls of their copies. */
const slm_adapter *const kTags = hrn_zoo_right(0);
const slm_adapter *const kLevels = hrn_zoo_right(2);
const slm_adapter *const kBump = hrn_zoo_right(3);

struct Calls {
    size_t n_checks = 0;
    size_t n_statistics = 0;
    size_t n_walks = 0;
    size_t n_live_at_destroy = 0;
    size_t n_destroyed = 0;
    size_t n_plain = 0;
    size_t n_in_place = 0;
    std::vector<size_t> aligns;
};
Calls calls;

class Program {
  public:
    Program()
    {
        calls = Calls();
        hrn_program_init(&program_);
        program_.head.check_every = 0;
    }
    ~Program()
    {
        hrn_program_fini(&program_);
    }
    Program(const Program &) = delete;
    Program &operator=(const Program &) = delete;

    hrn_op *Push(hrn_kind kind, size_t size_bytes = 0, uint8_t aux = 0, uint32_t id = HRN_NO_ID)
    {
        hrn_op op{};
        op.kind = static_cast<uint8_t>(kind);
        op.size_bytes = size_bytes;
        op.aux = aux;
        op.id = hrn_op_ids(&op) == HRN_IDS_MAKE ? program_.n_ids : id;
        hrn_program_push(&program_, op);
        return &program_.ops[program_.n_ops - 1];
    }

    hrn_law Run(const slm_adapter *adapter)
    {
        return hrn_run_catch(adapter, &program_, &result_);
    }
    const hrn_result &result() const
    {
        return result_;
    }

  private:
    hrn_program program_;
    hrn_result result_{};
};

/* --- Regions that change --- */

slm_adapter_answer AnswerBad(void *, size_t)
{
    return SLM_ADAPTER_BAD;
}

slm_adapter_answer RefuseRegion(void *, void *, size_t)
{
    return SLM_ADAPTER_REFUSED;
}

slm_adapter_answer RefuseGrowth(void *, size_t)
{
    return SLM_ADAPTER_REFUSED;
}

slm_adapter_answer AgreeToShrink(void *, size_t)
{
    return SLM_ADAPTER_OK;
}

TEST(RegionChange, IsAnsweredByOkOrRefused)
{
    slm_adapter adapter = *kBump;
    adapter.grow = AnswerBad;
    Program program;
    program.Push(HRN_GROW, 100);
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_region_change);
    EXPECT_NE(std::string(program.result().text).find("grow by 100 bytes is answered by bad"),
              std::string::npos)
        << program.result().text;
}

TEST(RegionChange, GivesAGrownArenaRoomForMore)
{
    for (const slm_adapter *adapter : {kTags, hrn_zoo_right(1), kBump}) {
        Program program;
        program.Push(HRN_CREATE, 20000);
        program.Push(HRN_ALLOC, 30000);
        program.Push(HRN_GROW, 60000);
        program.Push(HRN_ALLOC, 30000);
        EXPECT_EQ(program.Run(adapter), HRN_LAW_NONE) << program.result().text;
        EXPECT_EQ(program.result().n_refused, 1u) << adapter->name;
        EXPECT_EQ(program.result().n_kind[HRN_GROW], 1u);
    }
}

TEST(RegionChange, ThatIsRefusedLeavesTheRegionAsItWas)
{
    slm_adapter adapter = *kBump;
    adapter.grow = RefuseGrowth;
    adapter.empty_serves = false;
    Program program;
    program.Push(HRN_CREATE, 20000);
    program.Push(HRN_GROW, 60000);
    program.Push(HRN_ALLOC, 30000);
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_NONE) << program.result().text;
    EXPECT_EQ(program.result().n_refused, 1u);
}

TEST(RegionChange, MustNotCutOffALiveObject)
{
    slm_adapter adapter = *kBump;
    adapter.shrink = AgreeToShrink;
    Program program;
    program.Push(HRN_CREATE, 20000);
    program.Push(HRN_ALLOC, 10000);
    program.Push(HRN_SHRINK, 15000);
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_region_change);
    EXPECT_NE(std::string(program.result().text).find("the region was cut to 5000 bytes, and #0"),
              std::string::npos)
        << program.result().text;
}

TEST(RegionChange, PutsTheBytesThatAreCutOffOutsideTheRegion)
{
    slm_adapter adapter = *kBump;
    adapter.shrink = AgreeToShrink; /* it goes on as if nothing had happened */
    Program program;
    program.Push(HRN_CREATE, 20000);
    program.Push(HRN_SHRINK, 15000);
    program.Push(HRN_ALLOC, 10000);
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_outside) << program.result().text;
}

unsigned char *last_region;
size_t last_bytes;

slm_adapter_answer ShrinkAndStay(void *self, size_t by_bytes)
{
    last_bytes -= by_bytes;
    return kBump->shrink(self, by_bytes);
}

void *CreateAndKnow(const slm_adapter_env *env)
{
    last_region = static_cast<unsigned char *>(env->region);
    last_bytes = env->region_bytes;
    return kBump->create(env);
}

__attribute__((no_sanitize("address"))) void *WritePastTheEnd(void *self, size_t size_bytes)
{
    *static_cast<volatile unsigned char *>(last_region + last_bytes) = 1;
    return kBump->alloc(self, size_bytes);
}

TEST(RegionChange, MarksTheFirstByteThatIsCutOff)
{
    slm_adapter adapter = *kBump;
    adapter.create = CreateAndKnow;
    adapter.shrink = ShrinkAndStay;
    adapter.alloc = WritePastTheEnd;
    adapter.empty_serves = false;
    adapter.n_fit = nullptr;
    adapter.shrunk_fit = false;
    Program program;
    program.Push(HRN_CREATE, 20000);
    program.Push(HRN_SHRINK, 101);
    program.Push(HRN_ALLOC, 8);
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_fence) << program.result().text;
}

TEST(RegionChange, AddsRegionsThatObjectsMayBeIn)
{
    Program program;
    program.Push(HRN_CREATE, 8192);
    program.Push(HRN_ALLOC, 30000);
    program.Push(HRN_ADD_REGION, 40000);
    program.Push(HRN_ALLOC, 30000);
    program.Push(HRN_CHECK);
    program.Push(HRN_ADD_REGION, 50000);
    program.Push(HRN_ADD_REGION, 60000);
    program.Push(HRN_ADD_REGION, 70000); /* one more than there can be: left out */
    program.Push(HRN_ALLOC, 65000);
    EXPECT_EQ(program.Run(kLevels), HRN_LAW_NONE) << program.result().text;
    EXPECT_EQ(program.result().n_refused, 2u);
}

TEST(RegionChange, DoesNotUseARegionThatWasRefused)
{
    slm_adapter adapter = *kLevels;
    adapter.add_region = RefuseRegion;
    Program program;
    program.Push(HRN_CREATE, 8192);
    program.Push(HRN_ADD_REGION, 40000);
    program.Push(HRN_ALLOC, 30000);
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_NONE) << program.result().text;
    EXPECT_EQ(program.result().n_refused, 1u);
}

/* --- Sparse regions --- */

size_t largest_region;

void *CreateAndMeasure(const slm_adapter_env *env)
{
    largest_region = env->region_bytes > largest_region ? env->region_bytes : largest_region;
    return kTags->create(env);
}

void PushSparse(Program *program)
{
    program->Push(HRN_CREATE, 40000, HRN_MAKE_SPARSE);
    program->Push(HRN_ALLOC, 100);
    program->Push(HRN_ALLOC, HRN_SPARSE_BYTES);
    program->Push(HRN_ALLOC, 1000);
    program->Push(HRN_CHECK);
    program->Push(HRN_FREE, 0, 0, 0);
    program->Push(HRN_FREE, 0, 0, 1);
    program->Push(HRN_ALLOC, HRN_SPARSE_BYTES + 64); /* in place of the two */
    program->Push(HRN_CHECK);
}

bool MapsSparse()
{
    void *p = mmap(nullptr, HRN_SPARSE_BYTES + (1u << 20), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p != MAP_FAILED && munmap(p, HRN_SPARSE_BYTES + (1u << 20)) == 0;
}

TEST(SparseRegion, HasObjectsNearBothEndsAndTakesLittleMemory)
{
    if (!MapsSparse()) {
        GTEST_SKIP() << "the system maps no region above 4 GiB";
    }
    slm_adapter adapter = *kTags;
    adapter.create = CreateAndMeasure;
    largest_region = 0;
    rusage before{};
    rusage after{};
    Program program;
    PushSparse(&program);
    (void)getrusage(RUSAGE_SELF, &before);
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_NONE) << program.result().text;
    (void)getrusage(RUSAGE_SELF, &after);
    EXPECT_EQ(largest_region, HRN_SPARSE_BYTES + 40000);
    EXPECT_GT(program.result().peak_live_bytes, HRN_SPARSE_BYTES);
    EXPECT_EQ(program.result().n_refused, 0u);
    EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 256 * 1024) << "KiB";
}

TEST(SparseRegion, IsOnlyForAdaptersThatDeclareIt)
{
    slm_adapter adapter = *kTags;
    adapter.create = CreateAndMeasure;
    adapter.sparse_regions = false;
    largest_region = 0;
    Program program;
    PushSparse(&program);
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_NONE) << program.result().text;
    EXPECT_EQ(largest_region, 40000u);
}

TEST(SparseRegion, IsLeftOutWithAWordWhereTheSystemMapsNone)
{
#if HRN_ASAN || HRN_MSAN || HRN_TSAN
    GTEST_SKIP() << "a sanitizer needs more address space than the limit";
#endif
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        const rlimit limit{static_cast<rlim_t>(2) << 30, static_cast<rlim_t>(2) << 30};
        Program program;
        PushSparse(&program);
        bool is_set = dup2(ends[1], STDERR_FILENO) >= 0 && setrlimit(RLIMIT_AS, &limit) == 0;
        _exit(is_set && program.Run(kTags) == HRN_LAW_NONE ? 0 : 1);
    }
    (void)close(ends[1]);
    char said[256] = "";
    (void)!read(ends[0], said, sizeof said - 1);
    (void)close(ends[0]);
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_NE(std::string(said).find("arenas with such regions are left out"), std::string::npos)
        << said;
}

/* --- Ends, looks, ways --- */

void DestroyAndCount(void *self)
{
    slm_adapter_statistics statistics{};
    kTags->statistics(self, &statistics);
    calls.n_destroyed++;
    calls.n_live_at_destroy += statistics.n_objects;
    kTags->destroy(self);
}

slm_adapter CountingDestroy()
{
    slm_adapter adapter = *kTags;
    adapter.destroy = DestroyAndCount;
    adapter.empty_serves = false;
    adapter.n_fit = nullptr;
    return adapter;
}

TEST(Destroy, IsCalledWhileObjectsAreLive)
{
    slm_adapter adapter = CountingDestroy();
    Program program;
    program.Push(HRN_ALLOC, 10);
    program.Push(HRN_ALLOC, 20);
    program.Push(HRN_DESTROY, 0, HRN_END_LIVE);
    program.Push(HRN_ALLOC, 30);
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_NONE) << program.result().text;
    EXPECT_EQ(calls.n_destroyed, 2u);
    EXPECT_EQ(calls.n_live_at_destroy, 2u);
}

TEST(Destroy, IsCalledWithoutObjectsWhereTheAdapterNeedsThat)
{
    slm_adapter adapter = CountingDestroy();
    adapter.destroy_needs_empty = true;
    Program program;
    program.Push(HRN_ALLOC, 10);
    program.Push(HRN_DESTROY, 0, HRN_END_LIVE);
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_NONE) << program.result().text;
    EXPECT_EQ(calls.n_destroyed, 1u);
    EXPECT_EQ(calls.n_live_at_destroy, 0u);
}

const char *CheckAndCount(void *self)
{
    calls.n_checks++;
    return kTags->check(self);
}

void StatisticsAndCount(void *self, slm_adapter_statistics *statistics)
{
    calls.n_statistics++;
    kTags->statistics(self, statistics);
}

void WalkAndCount(void *self, slm_adapter_visit_fn visit, void *data)
{
    calls.n_walks++;
    kTags->walk(self, visit, data);
}

TEST(Check, AsksForOnePartAlone)
{
    slm_adapter adapter = *kTags;
    adapter.check = CheckAndCount;
    adapter.statistics = StatisticsAndCount;
    adapter.walk = WalkAndCount;
    const size_t at_end = 1; /* the walk before the arena is destroyed */
    for (uint8_t look : {HRN_LOOK_SELF, HRN_LOOK_STATISTICS, HRN_LOOK_WALK}) {
        Program program;
        program.Push(HRN_CREATE);
        for (int i = 0; i < 3; i++) {
            program.Push(HRN_CHECK, 0, look);
        }
        EXPECT_EQ(program.Run(&adapter), HRN_LAW_NONE) << program.result().text;
        EXPECT_EQ(calls.n_checks, at_end + (look == HRN_LOOK_SELF ? 3 : 0));
        EXPECT_EQ(calls.n_statistics, at_end + (look == HRN_LOOK_STATISTICS ? 3 : 0));
        EXPECT_EQ(calls.n_walks, at_end + (look == HRN_LOOK_WALK ? 3 : 0));
    }
}

void *ResizeAndCount(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    calls.n_plain++;
    return kTags->resize(self, p, old_bytes, new_bytes);
}

void *ResizeAlignedAndCount(void *self, void *p, size_t align_bytes, size_t old_bytes,
                            size_t new_bytes)
{
    calls.aligns.push_back(align_bytes);
    return kTags->resize_aligned(self, p, align_bytes, old_bytes, new_bytes);
}

slm_adapter_answer ResizeInPlaceAndCount(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    calls.n_in_place++;
    return kTags->resize_in_place(self, p, old_bytes, new_bytes);
}

void *ResizeNullAndCount(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    calls.n_plain += p == nullptr ? 1 : 0;
    return kLevels->resize(self, p, old_bytes, new_bytes);
}

TEST(Alloc, IsAResizeOfNullWhereTheOperationSaysSo)
{
    slm_adapter adapter = *kLevels;
    adapter.resize = ResizeNullAndCount;
    adapter.empty_serves = false;
    adapter.n_fit = nullptr;
    Program program;
    for (size_t size = 0; size < 20; size++) {
        program.Push(HRN_ALLOC, size, HRN_BY_ALLOC);
    }
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_NONE) << program.result().text;
    EXPECT_EQ(calls.n_plain, 0u);
    for (size_t size = 0; size < 5; size++) {
        program.Push(HRN_ALLOC, size, HRN_BY_RESIZE);
    }
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_NONE) << program.result().text;
    EXPECT_EQ(calls.n_plain, 5u);
    adapter.resize_null = false;
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_NONE) << program.result().text;
    EXPECT_EQ(calls.n_plain, 5u);
}

TEST(Resize, CallsTheFunctionThatTheOperationNames)
{
    slm_adapter adapter = *kTags;
    adapter.resize = ResizeAndCount;
    adapter.resize_aligned = ResizeAlignedAndCount;
    adapter.resize_in_place = ResizeInPlaceAndCount;
    Program program;
    program.Push(HRN_ALLOC, 100);
    for (size_t size = 1; size <= 5; size++) {
        program.Push(HRN_RESIZE, size, HRN_WAY_PLAIN, 0);
        program.Push(HRN_RESIZE, size + 100, HRN_WAY_IN_PLACE, 0);
    }
    program.Push(HRN_RESIZE, 200, HRN_WAY_ALIGNED, 0)->align_bytes = 256;
    program.Push(HRN_RESIZE, 300, HRN_WAY_ALIGNED, 0)->align_bytes = 65; /* 128 is served */
    program.Push(HRN_RESIZE, 300, HRN_WAY_ALIGNED, 0)->align_bytes = static_cast<size_t>(1) << 40;
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_NONE) << program.result().text;
    EXPECT_EQ(calls.n_plain, 5u);
    EXPECT_EQ(calls.n_in_place, 5u);
    EXPECT_EQ(calls.aligns, (std::vector<size_t>{256, 128, 4096}));
}

/* --- Growth --- */

size_t Nothing(void *, size_t, size_t)
{
    return 0;
}

size_t most_objects;
size_t most_bytes;

size_t EnoughAndKnow(void *, size_t n_objects, size_t live_bytes)
{
    most_objects = n_objects;
    most_bytes = live_bytes;
    return SIZE_MAX;
}

TEST(Growth, BeyondWhatIsPromisedBreaksTheLaw)
{
    slm_adapter adapter = *kTags;
    adapter.growth_bytes = Nothing;
    Program program;
    program.Push(HRN_ALLOC, 8);
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_growth);
}

TEST(Growth, IsJudgedByTheMostThatWasLiveAtOnce)
{
    slm_adapter adapter = *kTags;
    adapter.growth_bytes = EnoughAndKnow;
    adapter.empty_serves = false;
    adapter.n_fit = nullptr;
    Program program;
    program.Push(HRN_ALLOC, 1000);
    program.Push(HRN_ALLOC, 500);
    program.Push(HRN_RESIZE, 2000, HRN_WAY_PLAIN, 1);
    program.Push(HRN_FREE, 0, 0, 0);
    program.Push(HRN_ALLOC, 8);
    EXPECT_EQ(program.Run(&adapter), HRN_LAW_NONE) << program.result().text;
    EXPECT_EQ(most_objects, 2u);
    EXPECT_EQ(most_bytes, 3000u);
}

TEST(Growth, IsMeasuredWhereNothingIsPromised)
{
    slm_adapter adapter = *kTags;
    adapter.empty_serves = false;
    adapter.n_fit = nullptr;
    hrn_program program;
    hrn_result result{};
    hrn_promise_probe probe{};
    hrn_program_init(&program);
    for (uint32_t id = 0; id < 3; id++) {
        hrn_op op{};
        op.kind = HRN_ALLOC;
        op.id = id;
        op.size_bytes = 8;
        hrn_program_push(&program, op);
    }
    EXPECT_EQ(hrn_run_probe(&adapter, &program, &result, &probe), HRN_LAW_NONE) << result.text;
    EXPECT_GE(probe.n_grown, 3u);
    EXPECT_GT(probe.growth_bytes, 64u) << "the control block";
    EXPECT_LT(probe.growth_bytes, 4096u);
    hrn_program_fini(&program);
}

/* --- Resizes that release --- */

/* The object of no bytes at alignment 2048 has a buddy's block of 2048 bytes until it is resized. A
 * small request that was refused before is then served, which breaks no promise. */
TEST(ResizeToTheSameSize, MayReleaseWhatAnAlignmentTook)
{
    const struct {
        hrn_kind kind;
        uint32_t id;
        size_t size_bytes, align_bytes;
    } ops[] = {
        {HRN_MEMALIGN, 0, 0, 512},  {HRN_ALLOC, 1, 2049, 0}, {HRN_ALLOC, 2, 32769, 0},
        {HRN_MEMALIGN, 3, 0, 2048}, {HRN_ALLOC, 4, 257, 0},  {HRN_ALLOC, 5, 257, 0},
        {HRN_ALLOC, 6, 0, 0},       {HRN_ALLOC, 7, 0, 0},    {HRN_ALLOC, 8, 65, 0},
        {HRN_ALLOC, 9, 65, 0},      {HRN_ALLOC, 10, 33, 0},  {HRN_ALLOC, 11, 65, 0},
        {HRN_RESIZE, 3, 0, 0},      {HRN_ALLOC, 12, 65, 0},
    };
    hrn_program program;
    hrn_program_init(&program);
    program.head.region_bytes = 73718;
    for (const auto &one : ops) {
        hrn_op op{};
        op.kind = static_cast<uint8_t>(one.kind);
        op.id = one.id;
        op.size_bytes = one.size_bytes;
        op.align_bytes = one.align_bytes;
        hrn_program_push(&program, op);
    }
    hrn_result result;
    EXPECT_EQ(hrn_run_catch(hrn_zoo_right(1), &program, &result), HRN_LAW_NONE) << result.text;
    EXPECT_EQ(result.n_refused, 1u) << "the one before the resize";
    hrn_program_fini(&program);
}

} // namespace
