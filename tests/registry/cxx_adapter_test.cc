/* SPDX-License-Identifier: Apache-2.0 */
/* slm_adapter_of: the table of a C++ class. */
#include <new>

#include "gtest/gtest.h"

extern "C" {
#include <slabmill/adapter.h>
}

namespace {

int n_destroyed;
char object[16];

/* As little as there can be. */
struct Least {
    Least(void *start, size_t length) : memory(start), n_bytes(length)
    {
    }
    ~Least()
    {
        n_destroyed++;
    }
    void *alloc(size_t)
    {
        return object;
    }
    void free(void *p)
    {
        freed = p;
    }
    void *memory;
    size_t n_bytes;
    void *freed = nullptr;
};

/* All that the table asks for. */
struct Most {
    static Most *create(const slm_adapter_env *env)
    {
        static Most most;
        return env->region_bytes > 100 ? &most : nullptr;
    }
    void destroy()
    {
        n_destroyed += 10;
    }
    char *alloc(size_t n)
    {
        return object + n;
    }
    slm_adapter_answer free(void *, size_t n)
    {
        return n == 1 ? SLM_ADAPTER_UNCHANGED : SLM_ADAPTER_OK;
    }
    char *alloc_zeroed(size_t n, size_t size)
    {
        return object + n * size;
    }
    char *alloc_aligned(size_t align, size_t size)
    {
        return object + align + size;
    }
    void *resize(void *p, size_t old, size_t now)
    {
        return static_cast<char *>(p) + now - old;
    }
    size_t usable_bytes(void *p)
    {
        return static_cast<size_t>(static_cast<char *>(p) - object);
    }
    void reset()
    {
        n_resets++;
    }
    size_t trim()
    {
        return 7;
    }
    const char *check()
    {
        return "broken";
    }
    int n_resets = 0;
};

TEST(CxxAdapter, AClassWithAConstructorIsMadeInTheRegionAndDeleted)
{
    slm_adapter_env env = {};
    env.region = object;
    env.region_bytes = sizeof object;
    slm_adapter adapter = slm_adapter_of<Least>();
    Least *heap = static_cast<Least *>(adapter.create(&env));
    EXPECT_EQ(heap->memory, object);
    EXPECT_EQ(heap->n_bytes, sizeof object);
    EXPECT_EQ(adapter.alloc(heap, 1), object);
    EXPECT_EQ(adapter.free(heap, object, 1), SLM_ADAPTER_OK);
    EXPECT_EQ(heap->freed, object);
    n_destroyed = 0;
    adapter.destroy(heap);
    EXPECT_EQ(n_destroyed, 1);
}

TEST(CxxAdapter, WhatTheClassDoesNotHaveStaysNull)
{
    slm_adapter adapter = slm_adapter_of<Least>();
    EXPECT_EQ(adapter.alloc_zeroed, nullptr);
    EXPECT_EQ(adapter.alloc_aligned, nullptr);
    EXPECT_EQ(adapter.resize, nullptr);
    EXPECT_EQ(adapter.usable_bytes, nullptr);
    EXPECT_EQ(adapter.reset, nullptr);
    EXPECT_EQ(adapter.trim, nullptr);
    EXPECT_EQ(adapter.check, nullptr);
    EXPECT_EQ(adapter.align_bytes, 0u);
}

TEST(CxxAdapter, EachFunctionOfTheClassIsCalled)
{
    slm_adapter_env env = {};
    slm_adapter adapter = slm_adapter_of<Most>();
    EXPECT_EQ(adapter.create(&env), nullptr);
    env.region_bytes = 101;
    void *heap = adapter.create(&env);
    ASSERT_NE(heap, nullptr);
    EXPECT_EQ(adapter.alloc(heap, 1), object + 1);
    EXPECT_EQ(adapter.free(heap, object, 1), SLM_ADAPTER_UNCHANGED);
    EXPECT_EQ(adapter.free(heap, object, 2), SLM_ADAPTER_OK);
    EXPECT_EQ(adapter.alloc_zeroed(heap, 2, 3), object + 6);
    EXPECT_EQ(adapter.alloc_aligned(heap, 8, 3), object + 11);
    EXPECT_EQ(adapter.resize(heap, object, 2, 5), object + 3);
    EXPECT_EQ(adapter.usable_bytes(heap, object + 4), 4u);
    adapter.reset(heap);
    EXPECT_EQ(static_cast<Most *>(heap)->n_resets, 1);
    EXPECT_EQ(adapter.trim(heap), 7u);
    EXPECT_STREQ(adapter.check(heap), "broken");
    n_destroyed = 0;
    adapter.destroy(heap);
    EXPECT_EQ(n_destroyed, 10);
}

TEST(CxxAdapter, ALambdaDeclaresTheRest)
{
    size_t align_bytes = 32;
    slm_adapter adapter = slm_adapter_of<Least>([&](slm_adapter &a) {
        a.align_bytes = align_bytes;
        a.trim = [](void *) { return size_t(1); };
    });
    EXPECT_EQ(adapter.align_bytes, 32u);
    EXPECT_NE(adapter.trim, nullptr);
}

} // namespace
