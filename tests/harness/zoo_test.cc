/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the mill on the zoo: which of its bugs are found, and that the right allocators pass. */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "harness/inputs/random.h"
#include "harness/run/run.h"
#include "harness/zoo/zoo.h"
#include "gtest/gtest.h"

static void PrintTo(const hrn_zoo_bug &bug, std::ostream *out)
{
    *out << bug.adapter->name;
}

namespace {

/* Programs of 300 operations, seeds 1, 2, ... */
constexpr uint64_t kPrograms = 200;
constexpr uint64_t kProgramsOfRight = 2000;
constexpr size_t kOpsPerProgram = 300;
/* Only a bug that makes an endless loop reaches this. */
constexpr rlim_t kCpuSeconds = 120;

/* The bugs that only promises find, exactly: memory is lost, or refused too early, and nothing else
 * forbids it. */
const std::set<std::string> &FoundByPromises()
{
    static const std::set<std::string> found{
        "zoo_tags_merge_right",   "zoo_tags_exact_fit",    "zoo_buddy_merge_left",
        "zoo_buddy_merge_once",   "zoo_buddy_first_alone", "zoo_levels_merge_left",
        "zoo_levels_merge_both",  "zoo_levels_rest_lost",  "zoo_levels_own_class",
        "zoo_bump_merge_left",    "zoo_bump_merge_right",  "zoo_bump_top_stays",
        "zoo_bump_rest_lost",     "zoo_bump_pad_lost",     "zoo_bump_exact_end",
        "zoo_bump_first_hole",    "zoo_tags_growth_lost",  "zoo_buddy_maps_pile_up",
        "zoo_levels_region_lost", "zoo_bump_hole_32_bits",
    };
    return found;
}

/* The bugs that these programs do not find, exactly: each entry is work left for the mill. */
const std::set<std::string> &Missed()
{
    static const std::set<std::string> missed{};
    return missed;
}

/* What a program can say, and a bug that is found only by a program that says it. */
struct OnlyBy {
    const char *bug;
    bool (*says)(const hrn_op &op);
};

const OnlyBy kOnlyBy[] = {
    {"zoo_tags_growth_lost", [](const hrn_op &op) { return op.kind == HRN_GROW; }},
    {"zoo_buddy_old_map_leaks", [](const hrn_op &op) { return op.kind == HRN_GROW; }},
    {"zoo_buddy_growth_lost", [](const hrn_op &op) { return op.kind == HRN_GROW; }},
    {"zoo_buddy_shrink_listed", [](const hrn_op &op) { return op.kind == HRN_SHRINK; }},
    {"zoo_bump_shrunk_top", [](const hrn_op &op) { return op.kind == HRN_SHRINK; }},
    {"zoo_levels_region_lost", [](const hrn_op &op) { return op.kind == HRN_ADD_REGION; }},
    {"zoo_levels_record_stays", [](const hrn_op &op) { return op.kind == HRN_ADD_REGION; }},
    {"zoo_levels_walk_first", [](const hrn_op &op) { return op.kind == HRN_ADD_REGION; }},
    {"zoo_bump_control_stays",
     [](const hrn_op &op) { return op.kind == HRN_DESTROY && op.aux == HRN_END_LIVE; }},
    {"zoo_tags_counted_by_check",
     [](const hrn_op &op) { return op.kind == HRN_CHECK && op.aux == HRN_LOOK_STATISTICS; }},
    {"zoo_tags_tag_32_bits",
     [](const hrn_op &op) { return op.kind == HRN_CREATE && op.aux == HRN_MAKE_SPARSE; }},
    {"zoo_bump_hole_32_bits",
     [](const hrn_op &op) { return op.kind == HRN_CREATE && op.aux == HRN_MAKE_SPARSE; }},
    {"zoo_buddy_align_32_bits", [](const hrn_op &op) { return op.align_bytes > UINT32_MAX; }},
    {"zoo_levels_align_32_bits", [](const hrn_op &op) { return op.align_bytes > UINT32_MAX; }},
};

/* How far a child came; it writes this as it goes. */
struct Progress {
    uint64_t n_ops;
    uint64_t seed;
    hrn_law law;
    char text[HRN_LAW_TEXT_BYTES];
};

void DropOps(hrn_program *program, bool (*dropped)(const hrn_op &op))
{
    size_t n = 0;
    for (size_t i = 0; i < program->n_ops; i++) {
        if (!dropped(program->ops[i])) {
            program->ops[n++] = program->ops[i];
        }
    }
    program->n_ops = n;
    hrn_program_normalize(program);
}

/* Runs the programs of these seeds, without operations that are `dropped`, until one breaks a
 * law. */
void Hunt(const slm_adapter *adapter, uint64_t n_programs, volatile Progress *progress,
          bool (*dropped)(const hrn_op &op))
{
    hrn_program program;
    hrn_gen gen;
    hrn_program_init(&program);
    hrn_gen_init(&gen, hrn_can(adapter));
    for (uint64_t seed = 1; seed <= n_programs && progress->law == HRN_LAW_NONE; seed++) {
        hrn_rng rng;
        hrn_result result;
        progress->seed = seed;
        hrn_rng_seed(&rng, seed);
        hrn_gen_head(&rng, &program.head);
        hrn_gen_program(&gen, &rng, kOpsPerProgram, &program);
        if (dropped != nullptr) {
            DropOps(&program, dropped);
        }
        hrn_run_catch(adapter, &program, &result);
        progress->n_ops = progress->n_ops + result.n_done;
        std::memcpy(const_cast<char *>(progress->text), result.text, sizeof result.text);
        progress->law = result.law;
    }
    hrn_program_fini(&program);
}

struct Find {
    std::string by; /* a law's name; "crash"; "hang"; "": nothing was found */
    std::string text;
    uint64_t n_ops = 0;
    uint64_t seed = 0;
};

/* A child does it: a bug may crash. A crash under a sanitizer ends with another status than 0. */
Find HuntInChild(const slm_adapter *adapter, uint64_t n_programs,
                 bool (*dropped)(const hrn_op &op) = nullptr)
{
    auto *shared = static_cast<Progress *>(
        mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    pid_t child = fork();
    if (child == 0) {
        const rlimit limit{kCpuSeconds, kCpuSeconds + 10};
        (void)setrlimit(RLIMIT_CPU, &limit);
        if (std::freopen("/dev/null", "w", stderr) == nullptr) {
            _exit(3);
        }
        Hunt(adapter, n_programs, shared, dropped);
        _exit(0);
    }
    int status = -1;
    Find find;
    if (waitpid(child, &status, 0) != child) {
        find.by = "no child";
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
        find.by = "hang";
    } else if (status != 0) {
        find.by = "crash";
    } else if (shared->law != HRN_LAW_NONE) {
        find.by = hrn_law_name(shared->law);
    }
    find.text = shared->text;
    find.n_ops = shared->n_ops;
    find.seed = shared->seed;
    munmap(shared, sizeof *shared);
    return find;
}

std::vector<hrn_zoo_bug> AllBugs()
{
    std::vector<hrn_zoo_bug> all;
    hrn_zoo_bug bug;
    for (size_t i = 0; hrn_zoo_at(i, &bug); i++) {
        all.push_back(bug);
    }
    return all;
}

/* The adapter as an author who promises nothing writes it. */
slm_adapter WithoutPromises(const slm_adapter *adapter)
{
    slm_adapter silent = *adapter;
    silent.empty_serves = false;
    silent.freed_serves = false;
    silent.monotone = false;
    silent.gap_serves = false;
    silent.exact = false;
    silent.footprint_bytes = nullptr;
    silent.n_fit = nullptr;
    silent.shrunk_fit = false;
    silent.growth_bytes = nullptr;
    return silent;
}

const char *WayOf(const Find &find)
{
    return find.by.empty() ? "-" : find.by.c_str();
}

/* --- Bugs --- */

class ZooBug : public testing::TestWithParam<hrn_zoo_bug> {};

TEST_P(ZooBug, IsFoundUnlessItIsListedAsMissed)
{
    const hrn_zoo_bug &bug = GetParam();
    const slm_adapter silent = WithoutPromises(bug.adapter);
    bool missed = Missed().count(bug.adapter->name) == 1;
    bool by_promise = FoundByPromises().count(bug.adapter->name) == 1;
    Find plain = HuntInChild(&silent, kPrograms);
    Find find = HuntInChild(bug.adapter, kPrograms);
    std::printf("| %s | %s | %s | %s %" PRIu64 " | %s %" PRIu64 " |\n", bug.adapter->name,
                hrn_zoo_class_name(bug.kind), bug.sentence, WayOf(plain), plain.n_ops, WayOf(find),
                find.n_ops);
    EXPECT_EQ(find.by.empty(), missed)
        << (find.by.empty() ? "not found" : "found by " + find.by + ": " + find.text);
    EXPECT_EQ(plain.by.empty(), missed || by_promise)
        << (plain.by.empty() ? "not found" : "found by " + plain.by + ": " + plain.text);
}

INSTANTIATE_TEST_SUITE_P(Each, ZooBug, testing::ValuesIn(AllBugs()),
                         [](const testing::TestParamInfo<hrn_zoo_bug> &bug) {
                             return std::string(bug.param.adapter->name);
                         });

class ZooOperation : public testing::TestWithParam<OnlyBy> {};

void PrintTo(const OnlyBy &one, std::ostream *out)
{
    *out << one.bug;
}

TEST_P(ZooOperation, FindsABugThatNoOtherOperationFinds)
{
    for (const hrn_zoo_bug &bug : AllBugs()) {
        if (std::string(bug.adapter->name) != GetParam().bug) {
            continue;
        }
        Find with = HuntInChild(bug.adapter, kPrograms);
        EXPECT_NE(with.by, "");
        /* Without the operation, twice as many programs and 20 more find nothing. */
        Find without = HuntInChild(bug.adapter, 2 * with.seed + 20, GetParam().says);
        EXPECT_EQ(without.by, "") << without.text << ", seed " << without.seed;
        EXPECT_GT(without.n_ops, 5000u);
        return;
    }
    FAIL() << "no bug of this name";
}

INSTANTIATE_TEST_SUITE_P(Each, ZooOperation, testing::ValuesIn(kOnlyBy),
                         [](const testing::TestParamInfo<OnlyBy> &one) {
                             return std::string(one.param.bug);
                         });

TEST(Zoo, EachMissedNameIsABug)
{
    std::set<std::string> names;
    for (const hrn_zoo_bug &bug : AllBugs()) {
        names.insert(bug.adapter->name);
    }
    EXPECT_EQ(names.size(), AllBugs().size());
    for (const std::string &name : Missed()) {
        EXPECT_EQ(names.count(name), 1u) << name;
    }
    for (const std::string &name : FoundByPromises()) {
        EXPECT_EQ(names.count(name), 1u) << name;
    }
}

TEST(Zoo, EachAllocatorHasNearlyEveryClassOfBug)
{
    std::map<std::string, std::set<hrn_zoo_class>> classes;
    for (const hrn_zoo_bug &bug : AllBugs()) {
        classes[bug.allocator].insert(bug.kind);
    }
    EXPECT_EQ(classes["tags"].size(), HRN_ZOO_N_CLASSES - 1u);   /* it cannot see a bad free */
    EXPECT_EQ(classes["levels"].size(), HRN_ZOO_N_CLASSES - 1u); /* the same */
    EXPECT_EQ(classes["buddy"].size(), HRN_ZOO_N_CLASSES);
    /* Without headers there is no walk and no usable size either. */
    EXPECT_EQ(classes["bump"].size(), HRN_ZOO_N_CLASSES - 3u);
    EXPECT_EQ(classes.size(), 4u);
}

/* --- Without a bug --- */

class ZooAllocator : public testing::TestWithParam<const slm_adapter *> {};

TEST_P(ZooAllocator, KeepsEveryLawWithoutABug)
{
    char text[HRN_WRONG_TEXT_BYTES];
    EXPECT_TRUE(hrn_adapter_is_sound(GetParam(), text, sizeof text)) << text;
    Find find = HuntInChild(GetParam(), kProgramsOfRight);
    EXPECT_EQ(find.by, "") << find.text << ", seed " << find.seed;
    EXPECT_GT(find.n_ops, 500000u);
    std::printf("%-28s %" PRIu64 " operations\n", GetParam()->name, find.n_ops);
}

INSTANTIATE_TEST_SUITE_P(Each, ZooAllocator,
                         testing::Values(hrn_zoo_right(0), hrn_zoo_right(1), hrn_zoo_right(2),
                                         hrn_zoo_right(3)),
                         [](const testing::TestParamInfo<const slm_adapter *> &adapter) {
                             return std::string(adapter.param->name);
                         });

/* --- Declarations --- */

void *TakeBlock(void *, size_t size_bytes, size_t)
{
    return std::malloc(size_bytes);
}

void GiveBlock(void *, void *block, size_t, size_t)
{
    std::free(block);
}

/* How many objects fit a region of 4096 bytes; with `shrunk`, each was twice as large at first. */
size_t Fill(const slm_adapter *adapter, size_t size_bytes, bool shrunk)
{
    alignas(4096) static unsigned char region[4096];
    const slm_adapter_source source{TakeBlock, GiveBlock, nullptr};
    slm_adapter_env env{};
    env.region = region;
    env.region_bytes = sizeof region;
    env.source = &source;
    void *self = adapter->create(&env);
    size_t n = 0;
    for (void *p = self; p != nullptr; n++) {
        p = adapter->alloc(self, shrunk ? 2 * size_bytes : size_bytes);
        p = p != nullptr && shrunk ? adapter->resize(self, p, 2 * size_bytes, size_bytes) : p;
        p = p == nullptr && shrunk ? adapter->alloc(self, size_bytes) : p;
    }
    adapter->destroy(self);
    return n;
}

TEST_P(ZooAllocator, DeclaresShrunkFitIfAndOnlyIfItHolds)
{
    bool holds = true;
    for (size_t size_bytes = 1; size_bytes <= 200; size_bytes++) {
        holds = holds && Fill(GetParam(), size_bytes, true) >= Fill(GetParam(), size_bytes, false);
    }
    EXPECT_EQ(GetParam()->shrunk_fit, holds);
}

size_t n_asked;
size_t n_zero_asked;

slm_adapter_answer CountInPlace(void *, void *, size_t, size_t new_bytes)
{
    n_asked++;
    n_zero_asked += new_bytes == 0 ? 1 : 0;
    return SLM_ADAPTER_UNCHANGED;
}

TEST(ResizeInPlace, IsNotAskedForZeroBytesWhereResizeToZeroFrees)
{
    slm_adapter counting = *hrn_zoo_right(2);
    ASSERT_EQ(counting.resize_zero, SLM_ADAPTER_RESIZE_ZERO_FREES);
    counting.resize_in_place = CountInPlace;
    hrn_program program;
    hrn_program_init(&program);
    for (uint32_t id = 0; id < 6; id++) {
        hrn_op op{};
        op.kind = HRN_ALLOC;
        op.id = id;
        op.size_bytes = 100;
        hrn_program_push(&program, op);
        op.kind = HRN_RESIZE;
        op.size_bytes = 0;
        hrn_program_push(&program, op);
    }
    hrn_result result;
    EXPECT_EQ(hrn_run_catch(&counting, &program, &result), HRN_LAW_NONE) << result.text;
    EXPECT_GT(n_asked, 0u);
    EXPECT_EQ(n_zero_asked, 0u);
    hrn_program_fini(&program);
}

} // namespace
