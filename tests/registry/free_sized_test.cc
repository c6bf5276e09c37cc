/* SPDX-License-Identifier: Apache-2.0 */
/* free_sized gets the size and the alignment that the object was last asked for. */
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "harness/inputs/random.h"
#include "harness/registry/registry.h"
#include "harness/run/run.h"
#include "gtest/gtest.h"

namespace {

/* --- The C heap, which notes what each object was asked for --- */

struct Asked {
    size_t size_bytes;
    size_t align_bytes;
};

std::map<void *, Asked> asked;
const slm_adapter_env *last_env;
bool resize_keeps_align;
unsigned n_freed_aligned;

void *Create(const slm_adapter_env *env)
{
    last_env = env;
    return reinterpret_cast<void *>(static_cast<uintptr_t>(env->arena) + 1);
}

void *Note(void *p, size_t size_bytes, size_t align_bytes)
{
    if (p != nullptr) {
        asked[p] = {size_bytes, align_bytes};
    }
    return p;
}

void *Take(size_t size_bytes, size_t align_bytes)
{
    void *p = nullptr;
    bool served = size_bytes <= 1u << 20 && posix_memalign(&p, 4096, size_bytes + 1) == 0;
    return Note(served ? p : nullptr, size_bytes, align_bytes);
}

void *Alloc(void *, size_t size_bytes)
{
    return Take(size_bytes, 0);
}

void *AllocAligned(void *, size_t align_bytes, size_t size_bytes)
{
    return Take(size_bytes, align_bytes);
}

slm_adapter_answer Free(void *, void *p, size_t)
{
    asked.erase(p);
    free(p);
    return SLM_ADAPTER_OK;
}

slm_adapter_answer FreeSized(void *self, void *p, size_t size_bytes, size_t align_bytes)
{
    const Asked &want = asked[p];
    if (want.size_bytes != size_bytes || want.align_bytes != align_bytes) {
        last_env->fail(last_env, "freed with %zu bytes at %zu; asked were %zu at %zu", size_bytes,
                       align_bytes, want.size_bytes, want.align_bytes);
    }
    n_freed_aligned += align_bytes != 0;
    return Free(self, p, size_bytes);
}

void *Move(void *p, size_t old_bytes, size_t new_bytes, size_t align_bytes)
{
    void *moved = Take(new_bytes, align_bytes);
    if (moved != nullptr) {
        memcpy(moved, p, old_bytes < new_bytes ? old_bytes : new_bytes);
        (void)Free(nullptr, p, old_bytes);
    }
    return moved;
}

void *Resize(void *, void *p, size_t old_bytes, size_t new_bytes)
{
    return Move(p, old_bytes, new_bytes, resize_keeps_align ? asked[p].align_bytes : 0);
}

void *ResizeAligned(void *, void *p, size_t align_bytes, size_t old_bytes, size_t new_bytes)
{
    return Move(p, old_bytes, new_bytes, align_bytes);
}

slm_adapter_answer ResizeInPlace(void *, void *p, size_t old_bytes, size_t new_bytes)
{
    if (new_bytes > old_bytes) {
        return SLM_ADAPTER_UNCHANGED;
    }
    asked[p].size_bytes = new_bytes;
    return SLM_ADAPTER_OK;
}

slm_adapter Table(bool keeps_align)
{
    resize_keeps_align = keeps_align;
    slm_adapter table{};
    table.name = "noting";
    table.create = Create;
    table.alloc = Alloc;
    table.free = Free;
    table.alloc_aligned = AllocAligned;
    table.resize = Resize;
    table.resize_aligned = ResizeAligned;
    table.resize_in_place = ResizeInPlace;
    table.free_sized = FreeSized;
    table.align_max_bytes = 4096;
    table.resize_zero = SLM_ADAPTER_RESIZE_ZERO_RESIZES;
    table.resize_keeps_align = keeps_align;
    table.size_max_bytes = 1u << 20;
    table.memory = SLM_ADAPTER_SYSTEM;
    table.destroy_needs_empty = true;
    return table;
}

/* The text of the first broken law in random programs, or "". */
std::string FirstFault(const slm_adapter &adapter)
{
    hrn_program program;
    hrn_program_init(&program);
    hrn_gen gen;
    hrn_gen_init(&gen, hrn_can(&adapter));
    std::string fault;
    for (uint64_t seed = 0; seed < 40 && fault.empty(); seed++) {
        hrn_rng rng;
        hrn_rng_seed(&rng, seed);
        hrn_program_clear(&program);
        hrn_gen_head(&rng, &program.head);
        hrn_gen_program(&gen, &rng, 500, &program);
        hrn_result result;
        if (hrn_run_catch(&adapter, &program, &result) != HRN_LAW_NONE) {
            fault = result.text;
        }
    }
    hrn_program_fini(&program);
    return fault;
}

TEST(FreeSized, GetsTheAlignmentOfTheLastResize)
{
    n_freed_aligned = 0;
    EXPECT_EQ(FirstFault(Table(false)), "");
    EXPECT_GT(n_freed_aligned, 10u);
}

TEST(FreeSized, GetsTheFirstAlignmentWhereResizeKeepsIt)
{
    n_freed_aligned = 0;
    EXPECT_EQ(FirstFault(Table(true)), "");
    EXPECT_GT(n_freed_aligned, 10u);
}

} // namespace
