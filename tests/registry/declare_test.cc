/* SPDX-License-Identifier: Apache-2.0 */
/* The mill obeys each declaration: a small allocator that needs it keeps every law with it, and
 * breaks one without it. */
#include <cstring>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "harness/conformance/conformance.h"
#include "harness/inputs/random.h"
#include "harness/run/run.h"
#include "gtest/gtest.h"

namespace {

/* --- A small allocator: first fit, with its books outside of the region --- */

/* How it behaves. It reports by env->fail what it must not be asked. */
struct Kind {
    size_t align = 16;
    bool align_by_size = false;
    enum { kServes, kRefuses, kByTurns, kFails } zero = kServes;
    size_t size_multiple = 1;
    size_t size_max = SIZE_MAX / 2;
    size_t aligned_min = 1;
    bool odd_alignment_fails = false;
    bool resize_keeps_align = true;
    bool resize_null_fails = false;
    enum { kResizes, kFrees, kKeeps, kResizeFails } resize_zero = kResizes;
    enum { kRegion, kSource, kSystem } memory = kRegion;
    size_t region_min = 0;
    size_t region_max = SIZE_MAX;
    size_t region_multiple = 1;
    size_t region_align = 1;
    bool region_power = false;
    bool one_arena = false;
    bool destroy_needs_empty = false;
    bool bad_free_fails = false;
};

Kind kind;

struct Tiny {
    const slm_adapter_env *env = nullptr;
    uintptr_t start = 0;
    uintptr_t end = 0;
    std::map<uintptr_t, size_t> live; /* objects in the region */
    unsigned n_zero = 0;
    bool exists = false;
};

Tiny tinies[2];
alignas(4096) unsigned char own_memory[2][1 << 20];

bool IsPower(size_t x)
{
    return x != 0 && (x & (x - 1)) == 0;
}

bool RegionSuits(const slm_adapter_env *env)
{
    size_t bytes = env->region_bytes;
    return env->region != nullptr && bytes >= kind.region_min && bytes <= kind.region_max &&
           bytes % kind.region_multiple == 0 && (!kind.region_power || IsPower(bytes)) &&
           reinterpret_cast<uintptr_t>(env->region) % kind.region_align == 0;
}

void *Create(const slm_adapter_env *env)
{
    Tiny *tiny = &tinies[env->arena];
    if (kind.one_arena && (tinies[0].exists || tinies[1].exists)) {
        env->fail(env, "a second arena");
    }
    if (kind.memory == Kind::kRegion && !RegionSuits(env)) {
        return nullptr;
    }
    *tiny = Tiny();
    tiny->env = env;
    tiny->exists = true;
    auto *memory = kind.memory == Kind::kSystem ? own_memory[env->arena] : env->region;
    size_t bytes = kind.memory == Kind::kSystem ? sizeof own_memory[0] : env->region_bytes;
    tiny->start = reinterpret_cast<uintptr_t>(memory);
    tiny->end = tiny->start + bytes;
    return tiny;
}

void Destroy(void *self)
{
    auto *tiny = static_cast<Tiny *>(self);
    if (kind.destroy_needs_empty && !tiny->live.empty()) {
        tiny->env->fail(tiny->env, "destroyed with %zu objects", tiny->live.size());
    }
    tiny->exists = false;
}

uintptr_t RoundUp(uintptr_t at, size_t align)
{
    return (at + align - 1) & ~static_cast<uintptr_t>(align - 1);
}

/* The first gap; 0: none. An object of size 0 takes a byte. */
uintptr_t FindGap(const Tiny *tiny, size_t size_bytes, size_t align)
{
    uintptr_t at = RoundUp(tiny->start, align);
    if (align == 4 || (kind.align_by_size && align < 16)) {
        at += align; /* off what a larger alignment would need */
    }
    for (const auto &object : tiny->live) {
        if (at <= object.first && size_bytes <= object.first - at) {
            break;
        }
        at = RoundUp(object.first + object.second, align);
    }
    return at < tiny->end && size_bytes <= tiny->end - at ? at : 0;
}

void *Place(Tiny *tiny, size_t size_bytes, size_t align)
{
    size_t bytes = size_bytes == 0 ? 1 : size_bytes;
    if (size_bytes > kind.size_max) {
        return nullptr;
    }
    if (kind.memory == Kind::kSource) {
        const slm_adapter_source *source = tiny->env->source;
        void *p = source->alloc(source->data, bytes, align);
        if (p != nullptr) {
            tiny->live[reinterpret_cast<uintptr_t>(p)] = bytes;
        }
        return p;
    }
    uintptr_t at = FindGap(tiny, bytes, align);
    if (at == 0) {
        return nullptr;
    }
    tiny->live[at] = bytes;
    return reinterpret_cast<void *>(at);
}

size_t AlignOf(void *, size_t size_bytes)
{
    size_t power = size_bytes & (0 - size_bytes);
    return power == 0 || power > 16 ? 16 : power;
}

void *Alloc(void *self, size_t size_bytes)
{
    auto *tiny = static_cast<Tiny *>(self);
    bool turn = tiny->n_zero++ % 2 == 1;
    if (size_bytes == 0 && kind.zero == Kind::kFails) {
        tiny->env->fail(tiny->env, "asked for 0 bytes");
    }
    if (size_bytes % kind.size_multiple != 0) {
        tiny->env->fail(tiny->env, "asked for %zu bytes", size_bytes);
    }
    bool refuses = kind.zero == Kind::kRefuses || (kind.zero == Kind::kByTurns && turn);
    if (size_bytes == 0 && refuses) {
        return nullptr;
    }
    return Place(tiny, size_bytes, kind.align_by_size ? AlignOf(nullptr, size_bytes) : kind.align);
}

void *AllocAligned(void *self, size_t align_bytes, size_t size_bytes)
{
    auto *tiny = static_cast<Tiny *>(self);
    bool served = IsPower(align_bytes) && align_bytes >= kind.aligned_min && align_bytes <= 4096;
    if (!served && kind.odd_alignment_fails) {
        tiny->env->fail(tiny->env, "asked for alignment %zu", align_bytes);
    }
    return served ? Place(tiny, size_bytes, align_bytes) : nullptr;
}

slm_adapter_answer Free(void *self, void *p, size_t size_bytes)
{
    auto *tiny = static_cast<Tiny *>(self);
    auto found = tiny->live.find(reinterpret_cast<uintptr_t>(p));
    if (found == tiny->live.end()) {
        if (kind.bad_free_fails) {
            tiny->env->fail(tiny->env, "misuse_answer: crash");
        }
        return p == nullptr ? SLM_ADAPTER_OK : SLM_ADAPTER_BAD;
    }
    if (kind.memory == Kind::kSource) {
        const slm_adapter_source *source = tiny->env->source;
        size_t align = kind.align;
        source->free(source->data, p, size_bytes == 0 ? 1 : size_bytes, align);
    }
    tiny->live.erase(found);
    return SLM_ADAPTER_OK;
}

void *ResizeToZero(Tiny *tiny, void *p, size_t old_bytes)
{
    switch (kind.resize_zero) {
    case Kind::kFrees:
        (void)Free(tiny, p, old_bytes);
        return nullptr;
    case Kind::kKeeps:
        return nullptr;
    case Kind::kResizeFails:
        tiny->env->fail(tiny->env, "resize: asked for 0 bytes");
    default:
        tiny->live[reinterpret_cast<uintptr_t>(p)] = 1;
        return p;
    }
}

void *Resize(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    auto *tiny = static_cast<Tiny *>(self);
    if (p == nullptr && kind.resize_null_fails) {
        tiny->env->fail(tiny->env, "resize: of NULL");
    }
    if (p == nullptr) {
        return Alloc(self, new_bytes);
    }
    if (new_bytes == 0) {
        return ResizeToZero(tiny, p, old_bytes);
    }
    auto at = reinterpret_cast<uintptr_t>(p);
    size_t align = kind.align;
    while (kind.resize_keeps_align && align < 4096 && at % (2 * align) == 0) {
        align *= 2;
    }
    void *moved = Place(tiny, new_bytes, align);
    if (moved != nullptr) {
        std::memcpy(moved, p, old_bytes < new_bytes ? old_bytes : new_bytes);
        (void)Free(self, p, old_bytes);
    }
    return moved;
}

void Walk(void *self, slm_adapter_visit_fn visit, void *data)
{
    for (const auto &object : static_cast<Tiny *>(self)->live) {
        visit(data, reinterpret_cast<void *>(object.first), object.second);
    }
}

size_t PowerBelow(size_t wanted_bytes)
{
    size_t bytes = 4096;
    while (bytes <= wanted_bytes / 2) {
        bytes *= 2;
    }
    return bytes;
}

slm_adapter TinyAdapter()
{
    slm_adapter adapter = {};
    adapter.name = "tiny";
    adapter.create = Create;
    adapter.alloc = Alloc;
    adapter.free = Free;
    adapter.destroy = Destroy;
    adapter.walk = Walk;
    adapter.align_bytes = 16;
    adapter.region_min_bytes = 4096;
    return adapter;
}

/* --- One declaration each --- */

struct Declaration {
    const char *name;
    hrn_law law;                         /* broken without it */
    void (*need)(slm_adapter *adapter);  /* sets kind, and declares */
    void (*spoil)(slm_adapter *adapter); /* takes the declaration away, or declares what is wrong */
};

/* How GoogleTest names the parameter. */
void PrintTo(const Declaration &declaration, std::ostream *out)
{
    *out << declaration.name;
}

void WithAligned(slm_adapter *a)
{
    a->alloc_aligned = AllocAligned;
    a->align_max_bytes = 4096;
}

void WithResize(slm_adapter *a)
{
    a->resize = Resize;
    a->resize_zero = SLM_ADAPTER_RESIZE_ZERO_RESIZES;
}

const Declaration kDeclarations[] = {
    {"Alignment", HRN_LAW_alignment,
     [](slm_adapter *a) {
         kind.align = 4;
         a->align_bytes = 4;
     },
     [](slm_adapter *a) { a->align_bytes = 0; }},
    {"AlignmentOfASize", HRN_LAW_alignment,
     [](slm_adapter *a) {
         kind.align_by_size = true;
         a->align_bytes = 0;
         a->align_of = AlignOf;
     },
     [](slm_adapter *a) { a->align_of = nullptr; }},
    {"LeastAlignmentAskedFor", HRN_LAW_self_check,
     [](slm_adapter *a) {
         WithAligned(a);
         kind.aligned_min = 8;
         kind.odd_alignment_fails = true;
         a->align_min_bytes = 8;
     },
     [](slm_adapter *a) { a->align_min_bytes = 0; }},
    {"OddAlignmentsAreNotAsked", HRN_LAW_self_check,
     [](slm_adapter *a) {
         WithAligned(a);
         kind.odd_alignment_fails = true;
     },
     [](slm_adapter *a) { a->align_refuses = true; }},
    {"LargestAlignment", HRN_LAW_grant,
     [](slm_adapter *a) {
         WithAligned(a);
         a->align_refuses = true;
     },
     [](slm_adapter *a) { a->align_max_bytes = 1024; }},
    {"ResizeLosesTheAlignment", HRN_LAW_alignment,
     [](slm_adapter *a) {
         WithAligned(a);
         WithResize(a);
         kind.resize_keeps_align = false;
     },
     [](slm_adapter *a) { a->resize_keeps_align = true; }},
    {"ZeroIsRefused", HRN_LAW_refusal,
     [](slm_adapter *a) {
         kind.zero = Kind::kRefuses;
         a->zero = SLM_ADAPTER_ZERO_REFUSED;
     },
     [](slm_adapter *a) { a->zero = SLM_ADAPTER_ZERO_UNIQUE; }},
    {"ZeroIsServed", HRN_LAW_grant, [](slm_adapter *) {},
     [](slm_adapter *a) { a->zero = SLM_ADAPTER_ZERO_REFUSED; }},
    {"ZeroIsEither", HRN_LAW_refusal,
     [](slm_adapter *a) {
         kind.zero = Kind::kByTurns;
         a->zero = SLM_ADAPTER_ZERO_EITHER;
     },
     [](slm_adapter *a) { a->zero = SLM_ADAPTER_ZERO_UNIQUE; }},
    {"ZeroIsNotAsked", HRN_LAW_self_check,
     [](slm_adapter *a) {
         kind.zero = Kind::kFails;
         a->zero = SLM_ADAPTER_ZERO_UNASKED;
     },
     [](slm_adapter *a) { a->zero = SLM_ADAPTER_ZERO_EITHER; }},
    {"SizesAreMultiples", HRN_LAW_self_check,
     [](slm_adapter *a) {
         kind.size_multiple = 8;
         a->size_multiple_bytes = 8;
     },
     [](slm_adapter *a) { a->size_multiple_bytes = 0; }},
    {"LargestSize", HRN_LAW_refusal,
     [](slm_adapter *a) {
         kind.size_max = 1000;
         a->size_max_bytes = 1000;
     },
     [](slm_adapter *a) { a->size_max_bytes = 0; }},
    {"LargerSizesAreRefused", HRN_LAW_grant,
     [](slm_adapter *a) {
         kind.size_max = 1000;
         a->size_max_bytes = 1000;
     },
     [](slm_adapter *a) { a->size_max_bytes = 500; }},
    {"ResizeOfNullIsNotAsked", HRN_LAW_resize,
     [](slm_adapter *a) {
         WithResize(a);
         kind.resize_null_fails = true;
     },
     [](slm_adapter *a) { a->resize_null = true; }},
    {"ResizeToZeroIsNotAsked", HRN_LAW_resize,
     [](slm_adapter *a) {
         WithResize(a);
         kind.resize_zero = Kind::kResizeFails;
         a->resize_zero = SLM_ADAPTER_RESIZE_ZERO_UNASKED;
     },
     [](slm_adapter *a) { a->resize_zero = SLM_ADAPTER_RESIZE_ZERO_RESIZES; }},
    {"ResizeToZeroFrees", HRN_LAW_overlap,
     [](slm_adapter *a) {
         WithResize(a);
         kind.resize_zero = Kind::kFrees;
         a->resize_zero = SLM_ADAPTER_RESIZE_ZERO_FREES;
     },
     [](slm_adapter *a) { a->resize_zero = SLM_ADAPTER_RESIZE_ZERO_REFUSED; }},
    {"ResizeToZeroIsRefused", HRN_LAW_walk,
     [](slm_adapter *a) {
         WithResize(a);
         kind.resize_zero = Kind::kKeeps;
         a->resize_zero = SLM_ADAPTER_RESIZE_ZERO_REFUSED;
     },
     [](slm_adapter *a) { a->resize_zero = SLM_ADAPTER_RESIZE_ZERO_FREES; }},
    {"ResizeToZeroResizes", HRN_LAW_resize, [](slm_adapter *a) { WithResize(a); },
     [](slm_adapter *a) { a->resize_zero = SLM_ADAPTER_RESIZE_ZERO_FREES; }},
    {"MemoryIsTheRegion", HRN_LAW_create_answer, [](slm_adapter *) {},
     [](slm_adapter *a) {
         a->memory = SLM_ADAPTER_SYSTEM;
         a->region_min_bytes = 0;
     }},
    {"MemoryIsTheSource", HRN_LAW_outside,
     [](slm_adapter *a) {
         kind.memory = Kind::kSource;
         a->memory = SLM_ADAPTER_SOURCE;
         a->region_min_bytes = 0;
         a->destroy_needs_empty = true; /* each object is a block of its own */
     },
     [](slm_adapter *a) { a->memory = SLM_ADAPTER_REGION; }},
    {"MemoryIsItsOwn", HRN_LAW_outside,
     [](slm_adapter *a) {
         kind.memory = Kind::kSystem;
         a->memory = SLM_ADAPTER_SYSTEM;
         a->region_min_bytes = 0;
     },
     [](slm_adapter *a) { a->memory = SLM_ADAPTER_REGION; }},
    {"LeastRegion", HRN_LAW_create_answer,
     [](slm_adapter *a) {
         kind.region_min = 8192;
         a->region_min_bytes = 8192;
     },
     [](slm_adapter *a) { a->region_min_bytes = 0; }},
    {"LongestRegion", HRN_LAW_create_answer,
     [](slm_adapter *a) {
         kind.region_max = 1 << 19;
         a->region_max_bytes = 1 << 19;
     },
     [](slm_adapter *a) { a->region_max_bytes = 0; }},
    {"RegionsAreMultiples", HRN_LAW_create_answer,
     [](slm_adapter *a) {
         kind.region_multiple = 512;
         a->region_multiple_bytes = 512;
     },
     [](slm_adapter *a) { a->region_multiple_bytes = 0; }},
    {"RegionsStartAtPages", HRN_LAW_create_answer, [](slm_adapter *) { kind.region_align = 4096; },
     [](slm_adapter *a) { a->region_align_bytes = 64; }},
    {"RegionsStartAtMultiples", HRN_LAW_create_answer,
     [](slm_adapter *a) {
         kind.region_align = 64;
         a->region_align_bytes = 64;
     },
     [](slm_adapter *a) { a->region_align_bytes = 32; }},
    {"RegionsArePowersOfTwo", HRN_LAW_create_answer,
     [](slm_adapter *a) {
         kind.region_power = true;
         a->region_bytes = PowerBelow;
     },
     [](slm_adapter *a) { a->region_bytes = nullptr; }},
    {"OneArena", HRN_LAW_self_check,
     [](slm_adapter *a) {
         kind.one_arena = true;
         a->one_arena = true;
     },
     [](slm_adapter *a) { a->one_arena = false; }},
    {"ObjectsAreFreedBeforeDestroy", HRN_LAW_self_check,
     [](slm_adapter *a) {
         kind.destroy_needs_empty = true;
         a->destroy_needs_empty = true;
     },
     [](slm_adapter *a) { a->destroy_needs_empty = false; }},
    {"BadFreesCrash", HRN_LAW_misuse_answer, [](slm_adapter *) { kind.bad_free_fails = true; },
     [](slm_adapter *a) { a->bad_free_any = SLM_ADAPTER_BIT(SLM_ADAPTER_BAD); }},
    {"BadFreesAreAnswered", HRN_LAW_misuse_answer,
     [](slm_adapter *a) {
         a->bad_free[SLM_ADAPTER_MISUSE_NULL] = SLM_ADAPTER_BIT(SLM_ADAPTER_OK);
         a->bad_free_any = SLM_ADAPTER_BIT(SLM_ADAPTER_BAD);
     },
     [](slm_adapter *a) { a->bad_free_any = SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_FOREIGN); }},
};

/* --- Every way the mill runs it --- */

hrn_result RunClaims(const slm_adapter *adapter)
{
    hrn_result result{};
    hrn_program program;
    hrn_program_init(&program);
    for (size_t i = 0; i < hrn_claim_count() && result.law == HRN_LAW_NONE; i++) {
        const hrn_claim *claim = hrn_claim_at(i);
        if (hrn_claim_applies(claim, adapter)) {
            tinies[0] = tinies[1] = Tiny();
            hrn_claim_make(claim, adapter, &program);
            (void)hrn_claim_run(claim, adapter, &program, &result);
        }
    }
    hrn_program_fini(&program);
    return result;
}

hrn_result RunGenerated(const slm_adapter *adapter)
{
    hrn_result result{};
    hrn_program program;
    hrn_gen gen;
    hrn_program_init(&program);
    hrn_gen_init(&gen, hrn_can(adapter));
    for (uint64_t seed = 1; seed <= 40 && result.law == HRN_LAW_NONE; seed++) {
        hrn_rng rng;
        hrn_rng_seed(&rng, seed);
        hrn_gen_head(&rng, &program.head);
        hrn_gen_program(&gen, &rng, 200, &program);
        tinies[0] = tinies[1] = Tiny();
        (void)hrn_run_catch(adapter, &program, &result);
    }
    hrn_program_fini(&program);
    return result;
}

class Declared : public testing::TestWithParam<Declaration> {
  protected:
    Declared() : adapter_(TinyAdapter())
    {
        kind = Kind();
        GetParam().need(&adapter_);
    }

    void ExpectSound() const
    {
        char text[HRN_WRONG_TEXT_BYTES] = "";
        EXPECT_TRUE(hrn_adapter_is_sound(&adapter_, text, sizeof text)) << text;
    }

    slm_adapter adapter_;
};

TEST_P(Declared, IsObeyedByClaimsAndGeneratedPrograms)
{
    ExpectSound();
    hrn_result claims = RunClaims(&adapter_);
    EXPECT_EQ(claims.law, HRN_LAW_NONE) << hrn_law_name(claims.law) << ": " << claims.text;
    hrn_result generated = RunGenerated(&adapter_);
    EXPECT_EQ(generated.law, HRN_LAW_NONE) << hrn_law_name(generated.law) << ": " << generated.text;
    EXPECT_GT(generated.n_done, 0u);
}

TEST_P(Declared, IsNeeded)
{
    GetParam().spoil(&adapter_);
    ExpectSound();
    hrn_result result = RunClaims(&adapter_);
    EXPECT_EQ(result.law, GetParam().law) << hrn_law_name(result.law) << ": " << result.text;
}

INSTANTIATE_TEST_SUITE_P(Each, Declared, testing::ValuesIn(kDeclarations),
                         [](const testing::TestParamInfo<Declaration> &declaration) {
                             return declaration.param.name;
                         });

} // namespace
