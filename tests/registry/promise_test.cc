/* SPDX-License-Identifier: Apache-2.0 */
/* Promises of adapters: a small heap that keeps all of them, and one that breaks each. */
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "harness/inputs/random.h"
#include "harness/run/promise.h"
#include "harness/run/run.h"
#include "gtest/gtest.h"

namespace {

/* --- A small allocator: first fit over granules, with its books outside of the region --- */

constexpr size_t kGranule = 16;

/* What is wrong with it. */
enum class Bug {
    kNone,
    kServesNothing,
    kStuckWhenEmptied, /* once it had 5 objects, and all were freed, it refuses everything */
    kLeaksWhenEmptied, /* each time that it is emptied, it loses its last granule */
    kLosesFragments,   /* a free object of one granule is lost */
    kFreedComesLate,   /* an object that was just freed is used after the next request */
    kForgetsAWhile,    /* one request of 7 or more granules in five is refused */
    kSkipsWideGaps,    /* gaps of 40 granules between two objects are not used */
    kPacksTooTight,    /* objects take a granule less than declared */
    kOneTooFew,        /* the last granules are never used */
    kShrinksNothing,   /* an object that becomes smaller keeps its memory */
    kOddAfterResize,   /* a moved object is off by one */
    kRefusedBySource,  /* none: it refuses when the source does */
};

Bug bug;

struct Tiny {
    const slm_adapter_env *env = nullptr;
    uintptr_t start = 0;
    size_t n_granules = 0;
    std::map<size_t, size_t> live; /* first granule, granules */
    std::map<size_t, size_t> lost; /* granules that serve nothing */
    size_t n_requests = 0;
    bool had_five = false;
    void *block = nullptr;
};

Tiny tinies[2];

size_t GranulesOf(size_t size_bytes)
{
    size_t n = size_bytes == 0 ? 1 : (size_bytes + kGranule - 1) / kGranule;
    return bug == Bug::kPacksTooTight && n > 1 ? n - 1 : n;
}

void *Create(const slm_adapter_env *env)
{
    Tiny *tiny = &tinies[env->arena];
    *tiny = Tiny();
    tiny->env = env;
    tiny->start = reinterpret_cast<uintptr_t>(env->region);
    tiny->n_granules = env->region_bytes / kGranule;
    return tiny;
}

/* The first gap of n granules; n_granules: none. */
size_t FindGap(const Tiny *tiny, size_t n)
{
    std::map<size_t, size_t> taken = tiny->live;
    taken.insert(tiny->lost.begin(), tiny->lost.end());
    size_t end = tiny->n_granules - (bug == Bug::kOneTooFew ? 2 : 0);
    size_t at = 0;
    for (const auto &object : taken) {
        bool is_wide = bug == Bug::kSkipsWideGaps && at > 0 && at + 40 <= object.first;
        if (at + n <= object.first && !is_wide) {
            break;
        }
        at = std::max(at, object.first + object.second);
    }
    return at <= end && n <= end - at ? at : tiny->n_granules;
}

bool Refuses(Tiny *tiny, size_t n)
{
    bool emptied = tiny->live.empty() && tiny->had_five;
    tiny->n_requests++;
    if (bug == Bug::kRefusedBySource) {
        const slm_adapter_source *source = tiny->env->source;
        void *block = source->alloc(source->data, 16, 16);
        if (block == nullptr) {
            return true;
        }
        source->free(source->data, block, 16, 16);
    }
    return bug == Bug::kServesNothing || (bug == Bug::kStuckWhenEmptied && emptied) ||
           (bug == Bug::kForgetsAWhile && n > 6 && tiny->n_requests % 5 == 0);
}

void *Alloc(void *self, size_t size_bytes)
{
    auto *tiny = static_cast<Tiny *>(self);
    if (size_bytes > SIZE_MAX / 2) {
        return nullptr;
    }
    size_t n = GranulesOf(size_bytes);
    size_t at = Refuses(tiny, n) ? tiny->n_granules : FindGap(tiny, n);
    if (bug == Bug::kFreedComesLate) {
        tiny->lost.clear();
    }
    if (at == tiny->n_granules) {
        return nullptr;
    }
    tiny->live[at] = n;
    tiny->had_five |= tiny->live.size() >= 5;
    return reinterpret_cast<void *>(tiny->start + at * kGranule);
}

slm_adapter_answer Free(void *self, void *p, size_t)
{
    auto *tiny = static_cast<Tiny *>(self);
    size_t at = (reinterpret_cast<uintptr_t>(p) - tiny->start) / kGranule;
    size_t n = tiny->live[at];
    tiny->live.erase(at);
    bool comes_late = bug == Bug::kFreedComesLate && !tiny->live.empty();
    if (comes_late || (bug == Bug::kLosesFragments && n == 1)) {
        tiny->lost[at] = n;
    }
    if (bug == Bug::kLeaksWhenEmptied && tiny->live.empty() && tiny->n_granules > 1) {
        tiny->n_granules--;
    }
    return SLM_ADAPTER_OK;
}

/* Shrinks where it is, or moves. */
void *Resize(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    auto *tiny = static_cast<Tiny *>(self);
    size_t at = (reinterpret_cast<uintptr_t>(p) - tiny->start) / kGranule;
    if (new_bytes <= old_bytes) {
        size_t n = GranulesOf(new_bytes);
        tiny->live[at] = bug == Bug::kShrinksNothing ? tiny->live[at] : n;
        return p;
    }
    auto *moved = static_cast<unsigned char *>(
        Alloc(self, new_bytes + (bug == Bug::kOddAfterResize ? 1 : 0)));
    if (moved != nullptr) {
        moved += bug == Bug::kOddAfterResize ? 1 : 0;
        std::memcpy(moved, p, old_bytes);
        (void)Free(self, p, old_bytes);
    }
    return moved;
}

size_t Footprint(void *, size_t size_bytes, size_t)
{
    return size_bytes == 0 ? kGranule : (size_bytes + kGranule - 1) / kGranule * kGranule;
}

/* Between objects that do not fill their last granule. */
size_t FootprintAtMost(void *self, size_t size_bytes, size_t align_bytes)
{
    return Footprint(self, size_bytes, align_bytes) + kGranule - 1;
}

size_t NFit(void *self, size_t size_bytes)
{
    const auto *tiny = static_cast<const Tiny *>(self);
    return tiny->env->region_bytes / kGranule / (Footprint(self, size_bytes, 0) / kGranule);
}

slm_adapter Silent()
{
    slm_adapter adapter{};
    adapter.name = "tiny";
    adapter.create = Create;
    adapter.alloc = Alloc;
    adapter.free = Free;
    adapter.resize = Resize;
    adapter.align_bytes = kGranule;
    adapter.region_min_bytes = 4096;
    return adapter;
}

slm_adapter Promising()
{
    slm_adapter adapter = Silent();
    adapter.empty_serves = true;
    adapter.freed_serves = true;
    adapter.monotone = true;
    adapter.gap_serves = true;
    adapter.footprint_bytes = FootprintAtMost;
    adapter.n_fit = NFit;
    adapter.shrunk_fit = true;
    return adapter;
}

/* --- Programs --- */

struct Found {
    hrn_law law = HRN_LAW_NONE;
    uint64_t n_ops = 0;
    std::string seen;
};

constexpr uint64_t kPrograms = 60;

void MakeProgram(const slm_adapter &adapter, uint64_t seed, hrn_program *program)
{
    hrn_rng rng;
    hrn_gen gen;
    hrn_rng_seed(&rng, seed);
    hrn_gen_init(&gen, hrn_can(&adapter));
    hrn_gen_head(&rng, &program->head);
    hrn_gen_program(&gen, &rng, 300, program);
}

Found Hunt(const slm_adapter &adapter, Bug planted, hrn_promise_probe *probe = nullptr)
{
    Found found;
    hrn_program program;
    hrn_program_init(&program);
    bug = planted;
    for (uint64_t seed = 1; seed <= kPrograms && found.law == HRN_LAW_NONE; seed++) {
        hrn_result result;
        MakeProgram(adapter, seed, &program);
        found.law = hrn_run_probe(&adapter, &program, &result, probe);
        found.n_ops += result.n_done;
        found.seen = result.text;
    }
    hrn_program_fini(&program);
    return found;
}

std::string NameOf(hrn_law law)
{
    return hrn_law_name(law);
}

struct Only {
    slm_adapter adapter = Silent();
    Only &Empty()
    {
        adapter.empty_serves = true;
        return *this;
    }
    Only &Freed()
    {
        adapter.freed_serves = true;
        return *this;
    }
    Only &Monotone()
    {
        adapter.monotone = true;
        return *this;
    }
    Only &Gap()
    {
        adapter.gap_serves = true;
        adapter.footprint_bytes = FootprintAtMost;
        return *this;
    }
    Only &Exact()
    {
        adapter.exact = true;
        adapter.footprint_bytes = Footprint;
        adapter.size_multiple_bytes = kGranule; /* else gaps have parts of granules */
        return *this;
    }
    Only &Fit()
    {
        adapter.n_fit = NFit;
        return *this;
    }
    Only &Shrunk()
    {
        adapter.shrunk_fit = true;
        return *this;
    }
};

struct Planted {
    const char *name;
    Bug bug;
    slm_adapter adapter;
    const char *law; /* that finds it; without the promise nothing does */
};

std::vector<Planted> AllPlanted()
{
    return {
        {"Monotone", Bug::kForgetsAWhile, Only().Monotone().adapter, "monotone"},
        {"FreedServes", Bug::kFreedComesLate, Only().Freed().adapter, "freed_serves"},
        {"EmptyServes", Bug::kLeaksWhenEmptied, Only().Empty().adapter, "empty_serves"},
        {"EmptyServesAfterFragments", Bug::kLosesFragments, Only().Empty().adapter, "empty_serves"},
        {"GapServes", Bug::kSkipsWideGaps, Only().Gap().adapter, "gap_serves"},
        {"NFit", Bug::kOneTooFew, Only().Fit().adapter, "n_fit"},
        {"ShrunkFit", Bug::kShrinksNothing, Only().Shrunk().adapter, "shrunk_fit"},
    };
}

void PrintTo(const Planted &planted, std::ostream *out)
{
    *out << planted.name;
}

class PlantedBug : public testing::TestWithParam<Planted> {};

TEST_P(PlantedBug, IsFoundByThePromiseThatItBreaks)
{
    Found found = Hunt(GetParam().adapter, GetParam().bug);
    EXPECT_EQ(NameOf(found.law), GetParam().law) << found.seen;
    std::printf("%s: %llu operations, %s\n", GetParam().name,
                static_cast<unsigned long long>(found.n_ops), found.seen.c_str());
}

TEST_P(PlantedBug, IsNotFoundWithoutThePromise)
{
    Found found = Hunt(Silent(), GetParam().bug);
    EXPECT_EQ(found.law, HRN_LAW_NONE) << found.seen;
}

TEST_P(PlantedBug, IsCountedWhereThePromiseIsOnlyObserved)
{
    hrn_promise_probe probe{};
    Found found = Hunt(Silent(), GetParam().bug, &probe);
    EXPECT_EQ(found.law, HRN_LAW_NONE) << found.seen;
    for (int i = 0; i < HRN_PROMISE_COUNT; i++) {
        auto promise = static_cast<hrn_promise>(i);
        if (std::string(hrn_promise_name(promise)) == GetParam().law &&
            promise != HRN_PROMISE_n_fit && promise != HRN_PROMISE_gap_serves) {
            EXPECT_GT(probe.seen[i].n_broken, 0u);
            EXPECT_STRNE(probe.seen[i].first, "");
        }
    }
}

TEST_P(PlantedBug, IsTheOnlyReasonWhyThePromiseBreaks)
{
    Found found = Hunt(GetParam().adapter, Bug::kNone);
    EXPECT_EQ(found.law, HRN_LAW_NONE) << found.seen;
    EXPECT_GT(found.n_ops, 10000u);
}

INSTANTIATE_TEST_SUITE_P(Each, PlantedBug, testing::ValuesIn(AllPlanted()),
                         [](const testing::TestParamInfo<Planted> &planted) {
                             return std::string(planted.param.name);
                         });

/* --- What every allocator must do --- */

TEST(Availability, AHeapThatServesNothingIsFound)
{
    Found found = Hunt(Silent(), Bug::kServesNothing);
    EXPECT_EQ(NameOf(found.law), "availability");
    EXPECT_NE(found.seen.find("a new arena refuses"), std::string::npos) << found.seen;
    EXPECT_LT(found.n_ops, 1000u);
}

TEST(Availability, AHeapThatServesNothingOnceEmptiedIsFound)
{
    Found found = Hunt(Silent(), Bug::kStuckWhenEmptied);
    EXPECT_EQ(NameOf(found.law), "availability");
    EXPECT_NE(found.seen.find("all objects were freed"), std::string::npos) << found.seen;
}

TEST(Availability, RefusalsOfTheSourceAreSetAside)
{
    Found found = Hunt(Promising(), Bug::kRefusedBySource);
    EXPECT_EQ(found.law, HRN_LAW_NONE) << found.seen;
}

/* --- All promises at once --- */

TEST(Promises, AreAllKeptByTheHeapWithoutABug)
{
    Found found = Hunt(Promising(), Bug::kNone);
    EXPECT_EQ(found.law, HRN_LAW_NONE) << found.seen;
}

TEST(Promises, ExactIsKeptByTheHeapWithoutABug)
{
    Found found = Hunt(Only().Exact().adapter, Bug::kNone);
    EXPECT_EQ(found.law, HRN_LAW_NONE) << found.seen;
}

TEST(Promises, ExactFindsARequestThatFitsNowhere)
{
    slm_adapter adapter = Only().Exact().adapter;
    adapter.footprint_bytes = [](void *self, size_t size_bytes, size_t align_bytes) {
        return Footprint(self, size_bytes, align_bytes) + kGranule; /* more than it takes */
    };
    Found found = Hunt(adapter, Bug::kNone);
    EXPECT_EQ(NameOf(found.law), "exact") << found.seen;
}

TEST(Promises, SeemToBeKeptWhereTheyAre)
{
    hrn_promise_probe probe{};
    Found found = Hunt(Silent(), Bug::kNone, &probe);
    EXPECT_EQ(found.law, HRN_LAW_NONE) << found.seen;
    for (hrn_promise promise : {HRN_PROMISE_empty_serves, HRN_PROMISE_freed_serves,
                                HRN_PROMISE_monotone, HRN_PROMISE_shrunk_fit}) {
        EXPECT_GT(probe.seen[promise].n_kept, 50u) << hrn_promise_name(promise);
        EXPECT_EQ(probe.seen[promise].n_broken, 0u) << probe.seen[promise].first;
    }
    EXPECT_GT(probe.n_gaps, 100u);
    EXPECT_LT(probe.slack_bytes, 2 * kGranule);
}

TEST(Promises, HaveLawsOfTheSameNames)
{
    for (int i = 0; i < HRN_PROMISE_COUNT; i++) {
        std::string name = hrn_promise_name(static_cast<hrn_promise>(i));
        int law = HRN_LAW_NONE;
        while (law < HRN_LAW_COUNT && name != hrn_law_name(static_cast<hrn_law>(law))) {
            law++;
        }
        EXPECT_LT(law, HRN_LAW_COUNT) << name;
    }
}

/* --- Arenas without a region --- */

/* Each object has a block of the source, and may reach past its end. */
template <size_t kPast> slm_adapter OnSource()
{
    slm_adapter adapter{};
    adapter.name = "on_source";
    adapter.memory = SLM_ADAPTER_SOURCE;
    adapter.create = [](const slm_adapter_env *env) {
        tinies[env->arena].env = env;
        return static_cast<void *>(&tinies[env->arena]);
    };
    adapter.alloc = [](void *self, size_t size_bytes) -> void * {
        const slm_adapter_source *source = static_cast<Tiny *>(self)->env->source;
        if (size_bytes > SIZE_MAX / 2) {
            return nullptr;
        }
        auto *block =
            static_cast<unsigned char *>(source->alloc(source->data, size_bytes + kGranule, 16));
        return block == nullptr ? nullptr : block + kGranule + kPast;
    };
    adapter.free = [](void *self, void *p, size_t size_bytes) {
        const slm_adapter_source *source = static_cast<Tiny *>(self)->env->source;
        source->free(source->data, static_cast<unsigned char *>(p) - kGranule - kPast,
                     size_bytes + kGranule, 16);
        return SLM_ADAPTER_OK;
    };
    return adapter;
}

TEST(Outside, AnObjectThatReachesPastABlockOfTheSourceIsFound)
{
    Found found = Hunt(OnSource<16>(), Bug::kNone);
    EXPECT_EQ(NameOf(found.law), "outside") << found.seen;
    EXPECT_NE(found.seen.find("not in one block of the source"), std::string::npos) << found.seen;
    EXPECT_LT(found.n_ops, 10u);
}

TEST(Outside, ObjectsInBlocksOfTheSourceKeepTheLaw)
{
    Found found = Hunt(OnSource<0>(), Bug::kNone);
    EXPECT_EQ(found.law, HRN_LAW_NONE) << found.seen;
    EXPECT_GT(found.n_ops, 10000u);
}

/* --- Walks --- */

uint64_t n_checks;

/* Walks over a program of 2,000 operations, whose head asks for one after each. */
uint64_t ChecksOf(const slm_adapter &adapter)
{
    hrn_program program;
    hrn_rng rng;
    hrn_gen gen;
    hrn_program_init(&program);
    hrn_rng_seed(&rng, 1);
    hrn_gen_init(&gen, hrn_can(&adapter));
    gen.weight[HRN_CREATE] = 0;
    gen.weight[HRN_DESTROY] = 0;
    gen.weight[HRN_CHECK] = 0;
    program.head.region_bytes = 65536;
    program.head.check_every = 1;
    hrn_gen_program(&gen, &rng, 2000, &program);
    bug = Bug::kNone;
    n_checks = 0;
    hrn_run(&adapter, &program, nullptr);
    hrn_program_fini(&program);
    return n_checks;
}

TEST(Walks, BecomeRareWhereACheckMayBeSlow)
{
    static const slm_adapter_checks known = [] {
        slm_adapter_checks checks{};
        checks.walk_size = [](void *) { return static_cast<size_t>(0); };
        return checks;
    }();
    slm_adapter adapter = Silent();
    adapter.check = [](void *) -> const char * {
        n_checks++;
        return nullptr;
    };
    uint64_t n_unknown = ChecksOf(adapter);
    EXPECT_GE(n_unknown, 16u);
    EXPECT_LE(n_unknown, 100u);
    EXPECT_EQ(n_unknown, ChecksOf(adapter));
    adapter.checks = &known;
    EXPECT_GT(ChecksOf(adapter), 2 * n_unknown);
}

/* --- Resize --- */

TEST(Resize, AnOddAddressIsFound)
{
    Found found = Hunt(Silent(), Bug::kOddAfterResize);
    EXPECT_EQ(NameOf(found.law), "alignment");
    EXPECT_LT(found.n_ops, 3000u);
}

} // namespace
