/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of leases: break each invariant by hand and expect its number. */
#include "tests/lease/fixture.h"

namespace {

using namespace slm_test;

class LeaseCheck : public LeaseTest {
  protected:
    void SetUp() override
    {
        LeaseTest::SetUp();
        object = object_of(must_take(&top->a));
        must_take(&top->a);
        must_take(&top->b);
    }
    lease_object *object_of(const slm_lease &mine)
    {
        return static_cast<lease_object *>(slm_journal_pointer(zone.journal(), mine.offset));
    }
    unsigned check_book(const slm_lease_book *book, uint64_t n = 3)
    {
        return slm_lease_check_locked(zone, book, n);
    }
    unsigned check_count(const slm_lease_count *count)
    {
        return slm_lease_check_count_locked(zone, &top->book, count);
    }
    /* What a check returns while the word has another value. */
    template <class Check> unsigned broken_by(slm_word *word, uint64_t value, Check checks)
    {
        uint64_t kept = *word;
        *word = value;
        unsigned broken = checks();
        *word = kept;
        EXPECT_EQ(check(), 0u);
        return broken;
    }

    lease_object *object = nullptr;
};

TEST_F(LeaseCheck, BookOutsideOfLiveObjectsOrLongerThanItsObjectIs211)
{
    slm_lease_book outside = {};
    auto *bytes = reinterpret_cast<unsigned char *>(&top->book);
    EXPECT_EQ(check_book(&outside), 211u);
    EXPECT_EQ(check_book(reinterpret_cast<slm_lease_book *>(bytes + 4)), 211u);
    EXPECT_EQ(check_book(reinterpret_cast<slm_lease_book *>(zone.base())), 211u);
    for (uint64_t n : {uint64_t{1000}, uint64_t{SLM_LEASE_WORKERS_MAX} + 1, UINT64_MAX}) {
        EXPECT_EQ(broken_by(&top->book.n_slots, n, [&] { return check_book(&top->book); }), 211u);
        EXPECT_EQ(broken_by(&top->book.n_slots, n, [&] { return check_count(&top->a); }), 211u);
    }
}

TEST_F(LeaseCheck, WrongListOfASlotOrAFreeSlotWithLeasesIs212)
{
    auto checks = [&] { return check_book(&top->book); };
    slm_lease_slot *slot = lease_slot(&top->book, worker.slot_idx);
    EXPECT_EQ(broken_by(&slot->identity, 0, checks), 212u);
    EXPECT_EQ(broken_by(&slot->leases.newest, 8, checks), 212u);
    EXPECT_EQ(broken_by(&slot->leases.n_nodes, 2, checks), 212u);
}

TEST_F(LeaseCheck, ReadsNoFreePage)
{
    UnreadablePage free_page(zone);
    slm_lease_slot *slot = lease_slot(&top->book, worker.slot_idx);
    EXPECT_EQ(
        broken_by(&slot->leases.newest, free_page.offset(), [&] { return check_book(&top->book); }),
        212u);
    EXPECT_EQ(
        broken_by(&top->a.leases.newest, free_page.offset(), [&] { return check_count(&top->a); }),
        214u);
}

TEST_F(LeaseCheck, WrongLeaseOfASlotIs213)
{
    auto checks = [&] { return check_book(&top->book); };
    EXPECT_EQ(broken_by(&object->slot_idx, worker.slot_idx + 1, checks), 213u);
    EXPECT_EQ(broken_by(&object->slot_idx, UINT64_MAX, checks), 213u);
    EXPECT_EQ(broken_by(&object->serial, 0, checks), 213u);
    EXPECT_EQ(broken_by(&object->serial, 4, checks), 213u);
}

TEST_F(LeaseCheck, CountOutsideOfLiveObjectsOrWithAWrongListIs214)
{
    auto checks = [&] { return check_count(&top->a); };
    slm_lease_count outside = {};
    EXPECT_EQ(check_count(&outside), 214u);
    EXPECT_EQ(check_count(reinterpret_cast<slm_lease_count *>(
                  reinterpret_cast<unsigned char *>(&top->a) + 4)),
              214u);
    EXPECT_EQ(broken_by(&top->a.leases.newest, 8, checks), 214u);
    EXPECT_EQ(broken_by(&top->a.leases.n_nodes, 1, checks), 214u);
}

TEST_F(LeaseCheck, LeaseOfAnotherCountOrOfNoWorkerIs215)
{
    auto checks = [&] { return check_count(&top->a); };
    EXPECT_EQ(broken_by(&object->count, object->count + 8, checks), 215u);
    EXPECT_EQ(broken_by(&object->slot_idx, kWorkers, checks), 215u);
    EXPECT_EQ(broken_by(&object->of_slot.list, 0, checks), 215u);
    EXPECT_EQ(broken_by(&object->of_slot.list, object->of_slot.list + 40, checks), 215u);
}

TEST_F(LeaseCheck, AnotherSumOfTheCountsIs216)
{
    EXPECT_EQ(check_book(&top->book, 3), 0u);
    EXPECT_EQ(check_book(&top->book, 2), 216u);
    ASSERT_EQ(slm_lru_remove(zone.journal(), &top->a.leases, &object->of_count), SLM_OK);
    EXPECT_EQ(check_count(&top->a), 0u);
    EXPECT_EQ(check(), 216u);
    slm_zone_abort_locked(zone);
}

} // namespace
