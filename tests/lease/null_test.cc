/* SPDX-License-Identifier: Apache-2.0 */
/* Every call of lease.h with NULL in each of its pointers: the rule of status.h. */
#include "tests/lease/fixture.h"

namespace {

using namespace slm_test;

class LeaseNull : public LeaseTest {
  protected:
    void SetUp() override
    {
        LeaseTest::SetUp();
        must_take(&top->a);
        before = picture();
    }
    void TearDown() override
    {
        EXPECT_EQ(picture(), before);
        LeaseTest::TearDown();
    }
    std::vector<unsigned char> picture() const
    {
        const unsigned char *base = zone.base();
        return {base, base + slm_segment_bytes(slm_zone_segment(zone))};
    }

    std::vector<unsigned char> before;
};

TEST_F(LeaseNull, CallsThatChangeReturnTheStatusForNull)
{
    slm_lease_book *book = &top->book;
    EXPECT_EQ(slm_lease_init_locked(nullptr, book, 1), SLM_E_NULL);
    EXPECT_EQ(slm_lease_init_locked(zone, nullptr, 1), SLM_E_NULL);
    EXPECT_EQ(slm_lease_join_locked(nullptr, book, nullptr, nullptr, &worker), SLM_E_NULL);
    EXPECT_EQ(slm_lease_join_locked(zone, nullptr, nullptr, nullptr, &worker), SLM_E_NULL);
    EXPECT_EQ(slm_lease_join_locked(zone, book, nullptr, nullptr, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_lease_leave_locked(nullptr, book, nullptr, nullptr, &worker), SLM_E_NULL);
    EXPECT_EQ(slm_lease_leave_locked(zone, nullptr, nullptr, nullptr, &worker), SLM_E_NULL);
    EXPECT_EQ(slm_lease_leave_locked(zone, book, nullptr, nullptr, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_lease_take_locked(nullptr, book, &worker, &top->a, &lease), SLM_E_NULL);
    EXPECT_EQ(slm_lease_take_locked(zone, nullptr, &worker, &top->a, &lease), SLM_E_NULL);
    EXPECT_EQ(slm_lease_take_locked(zone, book, nullptr, &top->a, &lease), SLM_E_NULL);
    EXPECT_EQ(slm_lease_take_locked(zone, book, &worker, nullptr, &lease), SLM_E_NULL);
    EXPECT_EQ(slm_lease_take_locked(zone, book, &worker, &top->a, nullptr), SLM_E_NULL);
}

TEST_F(LeaseNull, GiveAndReclaimSetTheirResults)
{
    slm_lease_book *book = &top->book;
    slm_lease_count *count = &top->a;
    EXPECT_EQ(slm_lease_give_locked(nullptr, book, &worker, &lease, &count), SLM_E_NULL);
    EXPECT_EQ(count, nullptr);
    EXPECT_EQ(slm_lease_give_locked(zone, nullptr, &worker, &lease, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_lease_give_locked(zone, book, nullptr, &lease, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_lease_give_locked(zone, book, &worker, nullptr, nullptr), SLM_E_NULL);
    size_t n = 5;
    EXPECT_EQ(slm_lease_reclaim_locked(nullptr, book, nullptr, nullptr, &n), SLM_E_NULL);
    EXPECT_EQ(n, 0u);
    EXPECT_EQ(slm_lease_reclaim_locked(zone, nullptr, nullptr, nullptr, nullptr), SLM_E_NULL);
}

TEST_F(LeaseNull, QuestionsHaveAnAnswerAndChecksFindNothing)
{
    slm_lease_book *book = &top->book;
    EXPECT_FALSE(slm_lease_is_mine_locked(nullptr, &worker));
    EXPECT_FALSE(slm_lease_is_mine_locked(book, nullptr));
    EXPECT_EQ(slm_lease_n(nullptr), 0u);
    EXPECT_EQ(slm_lease_n_all_locked(nullptr), 0u);
    EXPECT_EQ(slm_lease_n_workers_locked(nullptr), 0u);
    EXPECT_EQ(slm_lease_check_locked(nullptr, book, 0), 0u);
    EXPECT_EQ(slm_lease_check_locked(zone, nullptr, 0), 0u);
    EXPECT_EQ(slm_lease_check_count_locked(nullptr, book, &top->a), 0u);
    EXPECT_EQ(slm_lease_check_count_locked(zone, nullptr, &top->a), 0u);
    EXPECT_EQ(slm_lease_check_count_locked(zone, book, nullptr), 0u);
}

} // namespace
