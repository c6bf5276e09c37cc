/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of leases: a zone whose root has a book and two counts; threads that are workers. */
#ifndef SLM_TESTS_LEASE_FIXTURE_H
#define SLM_TESTS_LEASE_FIXTURE_H

#include <functional>
#include <thread>
#include <vector>

#include "tests/zone/fixture.h"

extern "C" {
#include "allocator/lease/book.h"
}

namespace slm_test {

constexpr uint32_t kWorkers = 4;

/* The root. The slots of the book follow it. */
struct Top {
    slm_lease_count a;
    slm_lease_count b;
    slm_lease_book book;
};

class LeaseTest : public testing::Test {
  protected:
    explicit LeaseTest(unsigned journal_entries = 64)
    {
        slm_zone_options options = {};
        options.name = "lease";
        options.bytes = 128 * 1024;
        options.journal_entries = journal_entries;
        options.slab.per_doubling = 8;
        options.segment.kind = SLM_SEGMENT_MEMFD;
        EXPECT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    }
    void SetUp() override
    {
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
        top = static_cast<Top *>(
            slm_journal_calloc(zone.journal(), sizeof(Top) + SLM_LEASE_SLOTS_BYTES(kWorkers)));
        ASSERT_NE(top, nullptr);
        ASSERT_EQ(slm_zone_set_root_locked(zone, top), SLM_OK);
        ASSERT_EQ(slm_lease_init_locked(zone, &top->book, kWorkers), SLM_OK);
        commit();
        ASSERT_EQ(join(), SLM_OK);
    }
    void TearDown() override
    {
        EXPECT_EQ(check(), 0u);
        EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    }

    void commit()
    {
        EXPECT_EQ(slm_zone_commit_locked(zone), SLM_OK);
    }
    slm_status join()
    {
        return slm_lease_join_locked(zone, &top->book, nullptr, nullptr, &worker);
    }
    slm_status take(slm_lease_count *count)
    {
        return slm_lease_take_locked(zone, &top->book, &worker, count, &lease);
    }
    slm_lease must_take(slm_lease_count *count)
    {
        EXPECT_EQ(take(count), SLM_OK);
        commit();
        return lease;
    }
    slm_status give(const slm_lease &mine)
    {
        return slm_lease_give_locked(zone, &top->book, &worker, &mine, nullptr);
    }
    size_t reclaim()
    {
        size_t n = 77;
        EXPECT_EQ(slm_lease_reclaim_locked(zone, &top->book, nullptr, nullptr, &n), SLM_OK);
        return n;
    }
    unsigned check()
    {
        unsigned broken = slm_zone_check_locked(zone);
        for (const slm_lease_count *count : {&top->a, &top->b}) {
            broken = broken != 0 ? broken : slm_lease_check_count_locked(zone, &top->book, count);
        }
        return broken != 0 ? broken
                           : slm_lease_check_locked(zone, &top->book,
                                                    slm_lease_n(&top->a) + slm_lease_n(&top->b));
    }
    /* Runs body under the lock in a child, which is then killed in its turn or after it. */
    void in_killed_child(const std::function<void()> &body, bool in_turn = false)
    {
        ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
        EXPECT_EQ(in_child([&] {
                      if (slm_zone_lock(zone) != SLM_OK) {
                          return 1;
                      }
                      body();
                      if (!in_turn && slm_zone_unlock(zone) != SLM_OK) {
                          return 2;
                      }
                      raise(SIGKILL);
                      return 3;
                  }),
                  128 + SIGKILL);
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    }
    /* A child that joins, takes n of the count and dies. */
    void die_with(slm_lease_count *count, unsigned n)
    {
        in_killed_child([=] {
            (void)join();
            for (unsigned i = 0; i < n; i++) {
                (void)must_take(count);
            }
        });
    }
    /* Runs body under the lock in another thread, which then ends. */
    void in_thread(const std::function<void()> &body)
    {
        ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
        std::thread([&] {
            EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
            body();
            EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
        }).join();
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    }

    Zone zone;
    Top *top = nullptr;
    slm_lease_worker worker = {};
    slm_lease lease = {};
};

} // namespace slm_test

#endif
