/* SPDX-License-Identifier: Apache-2.0 */
/* The record mutator, for every shape of inputs. */
#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

#include "harness/inputs/mutate.h"
#include "harness/inputs/random.h"
#include "tests/harness/shapes.h"
#include "gtest/gtest.h"

namespace {

using Bytes = std::vector<uint8_t>;

/* n records. Each is identified by its last two bytes, or its last byte. */
Bytes Marked(const hrn_shape &shape, size_t n, uint8_t mark)
{
    Bytes bytes(shape.head_bytes + n * shape.record_bytes, mark);
    for (size_t i = 0; i < n; i++) {
        bytes[shape.head_bytes + (i + 1) * shape.record_bytes - 1] = static_cast<uint8_t>(i);
    }
    return bytes;
}

std::vector<Bytes> RecordsOf(const hrn_shape &shape, const Bytes &bytes)
{
    std::vector<Bytes> records;
    for (size_t at = shape.head_bytes; at + shape.record_bytes <= bytes.size();
         at += shape.record_bytes) {
        records.emplace_back(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                             bytes.begin() + static_cast<std::ptrdiff_t>(at + shape.record_bytes));
    }
    return records;
}

Bytes Mutated(Bytes bytes, size_t max_bytes, unsigned seed)
{
    size_t n_bytes = bytes.size();
    bytes.resize(max_bytes);
    bytes.resize(LLVMFuzzerCustomMutator(bytes.data(), n_bytes, max_bytes, seed));
    return bytes;
}

class Mutator : public testing::TestWithParam<hrn_shape> {
  protected:
    void SetUp() override
    {
        hrn_shape_set(&GetParam());
    }
};

TEST_P(Mutator, IsDeterministicStaysInBoundsAndKeepsRecordsWhole)
{
    const hrn_shape &shape = GetParam();
    hrn_rng rng;
    hrn_rng_seed(&rng, 5);
    for (unsigned seed = 0; seed < 3000; seed++) {
        size_t n = hrn_rng_below(&rng, 40);
        size_t max_bytes = shape.head_bytes + shape.record_bytes * (n + hrn_rng_below(&rng, 9));
        Bytes before = Marked(shape, n, 7);
        Bytes a = Mutated(before, max_bytes, seed);
        ASSERT_EQ(a, Mutated(before, max_bytes, seed));
        ASSERT_LE(a.size(), max_bytes);
        ASSERT_EQ((a.size() - shape.head_bytes) % shape.record_bytes, 0u);
    }
}

TEST_P(Mutator, InsertsRemovesRepeatsMovesAndChangesRecordsAndTheHead)
{
    const hrn_shape &shape = GetParam();
    const Bytes before = Marked(shape, 30, 7);
    const std::vector<Bytes> old = RecordsOf(shape, before);
    const std::set<Bytes> known(old.begin(), old.end());
    unsigned n_longer_new = 0, n_longer_known = 0, n_shorter = 0, n_moved = 0, n_changed = 0;
    unsigned n_heads = 0;
    for (unsigned seed = 0; seed < 2000; seed++) {
        Bytes after = Mutated(before, before.size() + 40 * shape.record_bytes, seed);
        std::vector<Bytes> now = RecordsOf(shape, after);
        bool all_known = std::all_of(now.begin(), now.end(),
                                     [&](const Bytes &record) { return known.count(record) > 0; });
        n_longer_new += now.size() > old.size() && !all_known;
        n_longer_known += now.size() > old.size() && all_known;
        n_shorter += now.size() < old.size();
        n_moved += now.size() == old.size() && all_known && now != old;
        n_changed += now.size() == old.size() && !all_known;
        n_heads += std::memcmp(after.data(), before.data(), shape.head_bytes) != 0;
    }
    EXPECT_GT(n_longer_new, 20u);
    EXPECT_GT(n_longer_known, 20u);
    EXPECT_GT(n_shorter, 20u);
    EXPECT_GT(n_moved, 20u);
    EXPECT_GT(n_changed, 20u);
    EXPECT_GT(n_heads, 20u);
}

TEST_P(Mutator, CrossesWholeRecordsOfBothUnderTheHeadOfTheFirst)
{
    const hrn_shape &shape = GetParam();
    const Bytes a = Marked(shape, 20, 1);
    const Bytes b = Marked(shape, 20, 2);
    std::set<Bytes> known;
    for (const Bytes *parent : {&a, &b}) {
        for (const Bytes &record : RecordsOf(shape, *parent)) {
            known.insert(record);
        }
    }
    hrn_rng rng;
    hrn_rng_seed(&rng, 6);
    for (unsigned seed = 0; seed < 1000; seed++) {
        size_t max_bytes = shape.head_bytes + hrn_rng_below(&rng, 60) * shape.record_bytes;
        Bytes out(std::max<size_t>(max_bytes, 1));
        size_t n = LLVMFuzzerCustomCrossOver(a.data(), a.size(), b.data(), b.size(), out.data(),
                                             max_bytes, seed);
        ASSERT_LE(n, max_bytes);
        ASSERT_EQ((n - shape.head_bytes) % shape.record_bytes, 0u);
        out.resize(n);
        ASSERT_EQ(std::memcmp(out.data(), a.data(), shape.head_bytes), 0);
        for (const Bytes &record : RecordsOf(shape, out)) {
            ASSERT_EQ(known.count(record), 1u);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(OfEveryShape, Mutator, testing::ValuesIn(slm_test::RecordShapes()));

TEST(TextMutator, LeavesTextToTheEngine)
{
    hrn_shape_set(&slm_test::kText);
    const Bytes text(100, 'x');
    Bytes out(200);
    EXPECT_EQ(LLVMFuzzerCustomCrossOver(text.data(), text.size(), text.data(), text.size(),
                                        out.data(), out.size(), 1),
              0u);
    for (unsigned seed = 0; seed < 200; seed++) {
        EXPECT_EQ(Mutated(text, 200, seed).size(), text.size());
    }
}

TEST(Shape, IsReadFromTextAndOtherTextsAreRefused)
{
    hrn_shape shape;
    ASSERT_TRUE(hrn_shape_parse(&shape, "24,8,1,7dfff"));
    EXPECT_TRUE(shape.is_program);
    EXPECT_EQ(shape.can, 0x7dfffu);
    ASSERT_TRUE(hrn_shape_parse(&shape, "33,1,0,0"));
    EXPECT_FALSE(shape.is_program);
    EXPECT_EQ(shape.head_bytes, 33u);
    for (const char *wrong : {"", "1", "1,8", "1,8,0", "1,8,0,0,", "1,8,2,0", "1,0,0,0", "1,65,0,0",
                              "5000,8,0,0", "1,8,1,1", "24,8,1,0", "24,8,1,2000000", "x,8,0,0"}) {
        EXPECT_FALSE(hrn_shape_parse(&shape, wrong)) << wrong;
    }
}

} // namespace
