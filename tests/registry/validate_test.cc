/* SPDX-License-Identifier: Apache-2.0 */
/* A wrong table is refused before the first run, in words that name the field. */
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "harness/registry/registry.h"
#include "gtest/gtest.h"

namespace {

void *Create(const slm_adapter_env *)
{
    return nullptr;
}

void *Alloc(void *, size_t)
{
    return nullptr;
}

slm_adapter_answer Free(void *, void *, size_t)
{
    return SLM_ADAPTER_OK;
}

void *AllocAligned(void *, size_t, size_t)
{
    return nullptr;
}

void *Resize(void *, void *, size_t, size_t)
{
    return nullptr;
}

size_t AlignOf(void *, size_t)
{
    return 8;
}

size_t Footprint(void *, size_t size_bytes, size_t)
{
    return size_bytes;
}

size_t GrowthBytes(void *, size_t, size_t live_bytes)
{
    return live_bytes;
}

slm_adapter_answer Grow(void *, size_t)
{
    return SLM_ADAPTER_OK;
}

void *ReuseGet(void *)
{
    return nullptr;
}

slm_adapter_answer RunFile(void *, int)
{
    return SLM_ADAPTER_OK;
}

slm_adapter Plain()
{
    slm_adapter adapter = {};
    adapter.name = "plain";
    adapter.create = Create;
    adapter.alloc = Alloc;
    adapter.free = Free;
    return adapter;
}

slm_adapter Full()
{
    slm_adapter adapter = Plain();
    adapter.alloc_aligned = AllocAligned;
    adapter.resize = Resize;
    adapter.align_bytes = 8;
    adapter.align_min_bytes = 8;
    adapter.align_max_bytes = 4096;
    adapter.region_min_bytes = 128;
    adapter.region_max_bytes = 4096;
    adapter.region_multiple_bytes = 64;
    adapter.region_align_bytes = 16;
    adapter.footprint_bytes = Footprint;
    adapter.gap_serves = true;
    adapter.bad_free_any = SLM_ADAPTER_BIT(SLM_ADAPTER_BAD);
    return adapter;
}

/* A number that the enum does not have, as a table in C may have it. */
template <typename Enum> void SetNumber(Enum *field, int number)
{
    static_assert(sizeof number == sizeof *field, "an enum of another size");
    std::memcpy(field, &number, sizeof number);
}

struct Wrong {
    const char *says; /* part of the text */
    void (*spoil)(slm_adapter *adapter);
};

const slm_adapter_pool kUnevenPacked = [] {
    slm_adapter_pool pool = {};
    pool.alloc_packed = Alloc;
    pool.packed_align_bytes = 3;
    return pool;
}();
const slm_adapter_pool kArmWithoutCancel = [] {
    slm_adapter_pool pool = {};
    pool.arm = [](void *, void **, slm_adapter_handler_fn, void *) { return SLM_ADAPTER_OK; };
    return pool;
}();
const slm_adapter_pool kCancelWithoutCleanup = [] {
    slm_adapter_pool pool = kArmWithoutCancel;
    pool.cancel = [](void *, void *) { return SLM_ADAPTER_OK; };
    return pool;
}();
const slm_adapter_pool kHalfChild = [] {
    slm_adapter_pool pool = {};
    pool.end_child = [](void *, void *) {};
    return pool;
}();
const slm_adapter_pool kHalfReuse = [] {
    slm_adapter_pool pool = {};
    pool.reuse_get = ReuseGet;
    return pool;
}();
const slm_adapter_pool kRunFileAlone = [] {
    slm_adapter_pool pool = {};
    pool.run_file = RunFile;
    return pool;
}();

const Wrong kWrong[] = {
    {"adapter without a name: name is missing", [](slm_adapter *a) { a->name = nullptr; }},
    {"name is missing", [](slm_adapter *a) { a->name = ""; }},
    {"name has a blank or a slash", [](slm_adapter *a) { a->name = "a/b"; }},
    {"name has a blank or a slash", [](slm_adapter *a) { a->name = "a b"; }},
    {"name is longer than 64 bytes",
     [](slm_adapter *a) {
         a->name = "12345678901234567890123456789012345678901234567890123456789012345";
     }},
    {"create is missing", [](slm_adapter *a) { a->create = nullptr; }},
    {"alloc is missing", [](slm_adapter *a) { a->alloc = nullptr; }},
    {"free is missing", [](slm_adapter *a) { a->free = nullptr; }},
    {"resize_null is set, and resize is missing",
     [](slm_adapter *a) {
         a->resize = nullptr;
         a->resize_null = true;
     }},
    {"resize_zero is set, and there is no function that resizes",
     [](slm_adapter *a) {
         a->resize = nullptr;
         a->resize_zero = SLM_ADAPTER_RESIZE_ZERO_FREES;
     }},
    {"align_bytes is no power of two", [](slm_adapter *a) { a->align_bytes = 12; }},
    {"align_bytes and align_of are both set", [](slm_adapter *a) { a->align_of = AlignOf; }},
    {"align_max_bytes is 0", [](slm_adapter *a) { a->align_max_bytes = 0; }},
    {"alloc_aligned is missing", [](slm_adapter *a) { a->alloc_aligned = nullptr; }},
    {"align_max_bytes is no power of two", [](slm_adapter *a) { a->align_max_bytes = 4095; }},
    {"align_min_bytes is no power of two", [](slm_adapter *a) { a->align_min_bytes = 6; }},
    {"align_min_bytes is above align_max_bytes", [](slm_adapter *a) { a->align_min_bytes = 8192; }},
    {"align_refuses is set, and alloc_aligned is missing",
     [](slm_adapter *a) {
         *a = Plain();
         a->align_refuses = true;
     }},
    {"resize_keeps_align is set, and alloc_aligned or resize is missing",
     [](slm_adapter *a) {
         a->resize = nullptr;
         a->resize_keeps_align = true;
     }},
    {"zero is none of", [](slm_adapter *a) { SetNumber(&a->zero, 4); }},
    {"resize_zero is none of", [](slm_adapter *a) { SetNumber(&a->resize_zero, 4); }},
    {"memory is none of", [](slm_adapter *a) { SetNumber(&a->memory, 3); }},
    {"memory is not SLM_ADAPTER_REGION", [](slm_adapter *a) { a->memory = SLM_ADAPTER_SYSTEM; }},
    {"memory is not SLM_ADAPTER_REGION",
     [](slm_adapter *a) {
         *a = Plain();
         a->memory = SLM_ADAPTER_SOURCE;
         a->grow = Grow;
     }},
    {"memory is not SLM_ADAPTER_REGION",
     [](slm_adapter *a) {
         *a = Plain();
         a->memory = SLM_ADAPTER_SOURCE;
         a->sparse_regions = true;
     }},
    {"sparse_regions is set, and region_max_bytes is not above 4 GiB",
     [](slm_adapter *a) {
         a->region_max_bytes = UINT32_MAX / 4096 * 4096;
         a->sparse_regions = true;
     }},
    {"growth_bytes is set, and memory is SLM_ADAPTER_SYSTEM",
     [](slm_adapter *a) {
         *a = Plain();
         a->memory = SLM_ADAPTER_SYSTEM;
         a->growth_bytes = GrowthBytes;
     }},
    {"region_align_bytes is no power of two up to 4096",
     [](slm_adapter *a) { a->region_align_bytes = 24; }},
    {"region_align_bytes is no power of two up to 4096",
     [](slm_adapter *a) { a->region_align_bytes = 8192; }},
    {"region_min_bytes is above region_max_bytes",
     [](slm_adapter *a) { a->region_min_bytes = 8192; }},
    {"no multiple of region_multiple_bytes", [](slm_adapter *a) { a->region_min_bytes = 100; }},
    {"bad_free has a bit of no answer", [](slm_adapter *a) { a->bad_free_any = 1u << 9; }},
    {"bad_free has a bit of no answer",
     [](slm_adapter *a) { a->bad_free[SLM_ADAPTER_MISUSE_WILD] = 1u << 31; }},
    {"footprint_bytes is missing", [](slm_adapter *a) { a->footprint_bytes = nullptr; }},
    {"footprint_bytes is missing",
     [](slm_adapter *a) {
         *a = Plain();
         a->exact = true;
     }},
    {"gap_serves or exact is set, and memory is not SLM_ADAPTER_REGION",
     [](slm_adapter *a) {
         *a = Plain();
         a->memory = SLM_ADAPTER_SYSTEM;
         a->exact = true;
         a->footprint_bytes = Footprint;
     }},
    {"n_fit is set, and memory is not SLM_ADAPTER_REGION",
     [](slm_adapter *a) {
         *a = Plain();
         a->memory = SLM_ADAPTER_SOURCE;
         a->n_fit = [](void *, size_t) { return static_cast<size_t>(0); };
     }},
    {"shrunk_fit is set, and resize and resize_in_place are missing",
     [](slm_adapter *a) {
         *a = Plain();
         a->shrunk_fit = true;
     }},
    {"pool: packed_align_bytes is no power of two",
     [](slm_adapter *a) { a->pool = &kUnevenPacked; }},
    {"pool: reuse_get, reuse_put and reuse_bytes are needed together",
     [](slm_adapter *a) { a->pool = &kHalfReuse; }},
    {"pool: arm and cancel are needed together",
     [](slm_adapter *a) { a->pool = &kArmWithoutCancel; }},
    {"pool: arm or child is set, and cleanup is missing",
     [](slm_adapter *a) { a->pool = &kCancelWithoutCleanup; }},
    {"pool: child and end_child are needed together",
     [](slm_adapter *a) { a->pool = &kHalfChild; }},
    {"pool: run_file is set, and file is missing",
     [](slm_adapter *a) { a->pool = &kRunFileAlone; }},
};

TEST(AdapterTable, IsSoundWithThreeFunctionsAndAName)
{
    slm_adapter adapter = Plain();
    char text[HRN_WRONG_TEXT_BYTES] = "";
    EXPECT_TRUE(hrn_adapter_is_sound(&adapter, text, sizeof text)) << text;
}

TEST(AdapterTable, IsSoundWithManyDeclarations)
{
    slm_adapter adapter = Full();
    char text[HRN_WRONG_TEXT_BYTES] = "";
    EXPECT_TRUE(hrn_adapter_is_sound(&adapter, text, sizeof text)) << text;
}

TEST(AdapterTable, IsRefusedInWordsForEachMistake)
{
    for (const Wrong &wrong : kWrong) {
        slm_adapter adapter = Full();
        char text[HRN_WRONG_TEXT_BYTES] = "";
        wrong.spoil(&adapter);
        EXPECT_FALSE(hrn_adapter_is_sound(&adapter, text, sizeof text)) << wrong.says;
        EXPECT_NE(std::string(text).find(wrong.says), std::string::npos)
            << text << "\nshould say: " << wrong.says;
    }
}

/* --- Lists --- */

slm_adapter_entry Entry(const char *name, const slm_adapter *adapter)
{
    return {SLM_ADAPTER_VERSION,
            sizeof(slm_adapter),
            sizeof(slm_adapter_checks),
            sizeof(slm_adapter_pool),
            name,
            adapter};
}

class AdapterList : public testing::Test {
  protected:
    const slm_adapter **Load(const std::vector<const slm_adapter_entry *> &entries)
    {
        list_ = hrn_adapters_of_list(entries.data(), entries.data() + entries.size(), text_,
                                     sizeof text_);
        return list_;
    }
    ~AdapterList() override
    {
        free(list_);
    }

    char text_[HRN_WRONG_TEXT_BYTES] = "";
    const slm_adapter **list_ = nullptr;
};

TEST_F(AdapterList, IsSortedByNameAndEndsInNull)
{
    slm_adapter b = Plain();
    slm_adapter a = Plain();
    b.name = "b";
    a.name = nullptr;
    slm_adapter_entry entry_b = Entry("other", &b);
    slm_adapter_entry entry_a = Entry("a", &a);
    ASSERT_NE(Load({&entry_b, &entry_a}), nullptr) << text_;
    EXPECT_STREQ(list_[0]->name, "a") << "the name of SLM_ADAPTER";
    EXPECT_EQ(list_[1], &b) << "a complete table is used as it is";
    EXPECT_EQ(list_[2], nullptr);
}

TEST_F(AdapterList, TakesATableOfAnOlderHeader)
{
    slm_adapter old = Full();
    slm_adapter_entry entry = Entry("old", &old);
    entry.adapter_bytes = offsetof(slm_adapter, zero);
    old.pool = &kHalfReuse; /* past the end of an older table: not read */
    ASSERT_NE(Load({&entry}), nullptr) << text_;
    EXPECT_EQ(list_[0]->align_max_bytes, 4096u);
    EXPECT_EQ(list_[0]->region_min_bytes, 0u);
    EXPECT_EQ(list_[0]->pool, nullptr);
}

TEST_F(AdapterList, RefusesATableOfANewerHeader)
{
    slm_adapter plain = Plain();
    slm_adapter_entry newer = Entry("plain", &plain);
    newer.version = SLM_ADAPTER_VERSION + 1;
    EXPECT_EQ(Load({&newer}), nullptr);
    EXPECT_NE(std::string(text_).find("made for version 2 of adapter.h"), std::string::npos)
        << text_;
    slm_adapter_entry longer = Entry("plain", &plain);
    longer.adapter_bytes += 8;
    EXPECT_EQ(Load({&longer}), nullptr);
    slm_adapter_entry none = Entry("plain", &plain);
    none.version = 0;
    EXPECT_EQ(Load({&none}), nullptr);
}

TEST_F(AdapterList, RefusesADoubledName)
{
    slm_adapter one = Plain();
    slm_adapter two = Plain();
    slm_adapter_entry entry_one = Entry("one", &one);
    slm_adapter_entry entry_two = Entry("two", &two);
    EXPECT_EQ(Load({&entry_one, &entry_two}), nullptr);
    EXPECT_STREQ(text_, "adapter plain: two adapters have this name");
}

TEST(Adapters, OfThisProgramAreFoundByName)
{
    char text[HRN_WRONG_TEXT_BYTES] = "";
    EXPECT_TRUE(hrn_adapters_are_sound(text, sizeof text)) << text;
    for (const char *name : {"malloc", "pool", "slab", "twin"}) {
        ASSERT_NE(hrn_adapter_find(name), nullptr) << name;
        EXPECT_STREQ(hrn_adapter_find(name)->name, name);
    }
    EXPECT_EQ(hrn_adapter_find("stone"), nullptr);
}

} // namespace
