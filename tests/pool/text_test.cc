/* SPDX-License-Identifier: Apache-2.0 */
/* Pool: copies and formatted text. */
#include <cstring>
#include <string>

#include "tests/pool/fixture.h"

namespace {

using slm_test::TestPool;

TEST(PoolText, CopiesStringsWithTheirZero)
{
    TestPool t;
    std::string big(9000, 'x');
    EXPECT_STREQ(slm_pool_strdup(t.pool, "/index.html"), "/index.html");
    EXPECT_STREQ(slm_pool_strdup(t.pool, ""), "");
    EXPECT_EQ(slm_pool_strdup(t.pool, big.c_str()), big);
    EXPECT_STREQ(slm_pool_strndup(t.pool, "GET /", 3), "GET");
    EXPECT_STREQ(slm_pool_strndup(t.pool, "GET", 3), "GET");
    EXPECT_STREQ(slm_pool_strndup(t.pool, "GET", 100), "GET");
    EXPECT_STREQ(slm_pool_strndup(t.pool, "GET", 0), "");
}

TEST(PoolText, StrndupReadsNoByteAfterItsLimit)
{
    TestPool t;
    char *unended = new char[3];
    memcpy(unended, "abc", 3);
    EXPECT_STREQ(slm_pool_strndup(t.pool, unended, 3), "abc");
    delete[] unended;
}

TEST(PoolText, CopiesBytesAtTheAlignmentOfObjects)
{
    TestPool t;
    char bytes[33] = "01234567890123456789012345678901";
    ASSERT_NE(slm_pool_strdup(t.pool, "x"), nullptr);
    void *copy = slm_pool_memdup(t.pool, bytes, sizeof bytes);
    ASSERT_NE(copy, nullptr);
    EXPECT_EQ(memcmp(copy, bytes, sizeof bytes), 0);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(copy) % SLM_POOL_ALIGN, 0u);
    EXPECT_NE(slm_pool_memdup(t.pool, nullptr, 0), nullptr);
    EXPECT_EQ(slm_pool_memdup(t.pool, nullptr, 1), nullptr);
}

TEST(PoolText, FormatsAsPrintf)
{
    TestPool t;
    EXPECT_STREQ(slm_pool_printf(t.pool, "%s:%d", "localhost", 8080), "localhost:8080");
    EXPECT_STREQ(slm_pool_printf(t.pool, "%s", ""), "");
    const char *wide = slm_pool_printf(t.pool, "%6000d", 7);
    ASSERT_NE(wide, nullptr);
    EXPECT_EQ(strlen(wide), 6000u);
    EXPECT_EQ(wide[5999], '7');
}

TEST(PoolText, ReturnsNullWhenTheSourceRefuses)
{
    TestPool t(512);
    t.failing.fail_at = t.failing.n_calls + 1;
    t.failing.fail_count = UINT64_MAX;
    std::string big(600, 'x');
    EXPECT_EQ(slm_pool_strdup(t.pool, big.c_str()), nullptr);
    EXPECT_EQ(slm_pool_memdup(t.pool, big.data(), big.size()), nullptr);
    EXPECT_EQ(slm_pool_printf(t.pool, "%600d", 1), nullptr);
}

} // namespace
