/* SPDX-License-Identifier: Apache-2.0 */
/* Histories of a register that are known to be linearisable or not. */
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

#include "harness/sched/history.h"

namespace {

struct Call {
    bool writes;
    uint64_t value; /* written, or read */
};

bool apply(void *state, const void *call)
{
    const auto *what = static_cast<const Call *>(call);
    uint64_t value;
    memcpy(&value, state, sizeof value);
    if (!what->writes) {
        return value == what->value;
    }
    memcpy(state, &what->value, sizeof value);
    return true;
}

struct Timed {
    uint64_t from;
    uint64_t to;
    Call call;
};

Call write(uint64_t value)
{
    return {true, value};
}

Call read(uint64_t value)
{
    return {false, value};
}

bool is_linearisable(const std::vector<Timed> &history)
{
    std::vector<hrn_sched_event> events;
    for (const Timed &event : history) {
        events.push_back({event.from, event.to, &event.call});
    }
    uint64_t state = 0;
    return hrn_sched_is_linearisable(events.data(), static_cast<unsigned>(events.size()), &state,
                                     sizeof state, apply);
}

TEST(History, SequentialCallsHaveOneOrder)
{
    EXPECT_TRUE(is_linearisable({{1, 2, write(5)}, {3, 4, read(5)}}));
    EXPECT_FALSE(is_linearisable({{1, 2, write(5)}, {3, 4, read(0)}}));
    EXPECT_FALSE(is_linearisable({{1, 2, read(5)}, {3, 4, write(5)}}));
}

TEST(History, ConcurrentCallsHaveAnyOrder)
{
    EXPECT_TRUE(is_linearisable({{1, 4, write(5)}, {2, 3, read(0)}}));
    EXPECT_TRUE(is_linearisable({{1, 4, write(5)}, {2, 3, read(5)}}));
    EXPECT_FALSE(is_linearisable({{1, 4, write(5)}, {2, 3, read(6)}}));
}

TEST(History, TwoReadersNeverSeeWritesInOppositeOrders)
{
    EXPECT_FALSE(is_linearisable({{1, 9, write(5)}, {2, 3, read(5)}, {4, 5, read(0)}}));
    EXPECT_TRUE(is_linearisable({{1, 9, write(5)}, {2, 3, read(0)}, {4, 5, read(5)}}));
}

TEST(History, ACallThatDidNotReturnHappenedOrDidNot)
{
    EXPECT_TRUE(is_linearisable({{1, HRN_SCHED_NEVER, write(5)}, {2, 3, read(0)}}));
    EXPECT_TRUE(is_linearisable({{1, HRN_SCHED_NEVER, write(5)}, {2, 3, read(5)}}));
    EXPECT_FALSE(
        is_linearisable({{1, HRN_SCHED_NEVER, write(5)}, {2, 3, read(5)}, {4, 5, read(0)}}));
    EXPECT_FALSE(is_linearisable({{4, HRN_SCHED_NEVER, write(5)}, {2, 3, read(5)}}));
}

/* Without its memory of tried states, the search would try 30! orders for 30 writes of one
 * value. */
TEST(History, ManyEqualConcurrentCallsAreTriedOnce)
{
    std::vector<Timed> history(11, {1, 100, write(5)});
    history.push_back({2, 50, read(6)});
    EXPECT_FALSE(is_linearisable(history));
}

} // namespace
