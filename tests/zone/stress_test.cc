/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of several processes on one zone, through mappings of their own: every object belongs to
 * its owner alone, and committed data is there. */
#include <atomic>
#include <random>
#include <thread>

#include "tests/zone/fixture.h"

namespace {

using namespace slm_test;

constexpr unsigned kRounds = 20000; /* of a thread */
constexpr unsigned kThreads = 2;    /* of a process */
constexpr unsigned kOwned = 24;     /* the most objects that a thread has */

/* An object repeats its owner's stamp: stamp n of all. */
struct Owned {
    uint64_t *words = nullptr;
    size_t n_words = 0;
    uint64_t stamp = 0;
};

/* Rounds of all processes that incremented the counter. */
std::atomic<uint64_t> &n_counted()
{
    static void *page =
        mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return *static_cast<std::atomic<uint64_t> *>(page);
}

class Worker {
  public:
    Worker(slm_zone *zone, unsigned id) : zone_(zone), id_(id), random_(id)
    {
    }

    /* Counts what was wrong. */
    unsigned run()
    {
        for (unsigned round = 0; round < kRounds; round++) {
            act();
        }
        while (!mine_.empty()) {
            give(mine_.size() - 1);
        }
        return n_wrong_;
    }

  private:
    void act()
    {
        size_t pick = mine_.empty() ? 0 : random_() % mine_.size();
        switch (random_() % 8) {
        case 0:
            abandon();
            break;
        case 1:
            count_up();
            break;
        case 2:
            (void)slm_zone_grow(zone_, kZoneBytes + random_() % 64 * 4096, nullptr);
            break;
        case 3:
        case 4:
            mine_.empty() ? take() : give(pick);
            break;
        default:
            mine_.size() < kOwned ? take() : give(pick);
        }
    }

    void take()
    {
        Owned owned;
        size_t size_bytes = size_t{8} << random_() % 9;
        owned.n_words = size_bytes / sizeof(uint64_t);
        owned.stamp = uint64_t{id_} << 32 | next_++;
        owned.words = static_cast<uint64_t *>(slm_zone_calloc(zone_, size_bytes, nullptr));
        if (owned.words == nullptr) {
            return;
        }
        for (size_t i = 0; i < owned.n_words; i++) {
            n_wrong_ += owned.words[i] != 0;
            owned.words[i] = owned.stamp;
        }
        mine_.push_back(owned);
    }

    void give(size_t idx)
    {
        const Owned &owned = mine_[idx];
        for (size_t i = 0; i < owned.n_words; i++) {
            n_wrong_ += owned.words[i] != owned.stamp;
        }
        n_wrong_ += slm_zone_free(zone_, owned.words) != SLM_OK;
        mine_.erase(mine_.begin() + static_cast<std::ptrdiff_t>(idx));
    }

    /* A transaction that is undone. */
    void abandon()
    {
        if (slm_zone_lock(zone_) != SLM_OK) {
            n_wrong_++;
            return;
        }
        (void)slm_journal_alloc(slm_zone_journal(zone_), 100);
        if (!mine_.empty()) {
            n_wrong_ += slm_journal_free(slm_zone_journal(zone_), mine_[0].words) != SLM_OK;
        }
        slm_zone_abort_locked(zone_);
        n_wrong_ += slm_zone_unlock(zone_) != SLM_OK;
    }

    /* The root is a counter that all threads share, in two words that are always equal. */
    void count_up()
    {
        if (slm_zone_timedlock(zone_, 60000) != SLM_OK) {
            n_wrong_++;
            return;
        }
        auto *counter = static_cast<uint64_t *>(slm_zone_root_locked(zone_));
        slm_journal *journal = slm_zone_journal(zone_);
        n_wrong_ += counter[0] != counter[1];
        slm_journal_write(journal, counter, counter[0] + 1);
        n_wrong_ += slm_zone_commit_locked(zone_) != SLM_OK;
        slm_journal_write(journal, counter, counter[0] + 1);
        slm_journal_write(journal, counter, counter[0] - 1);
        slm_journal_write(journal, counter + 1, counter[0]);
        n_counted()++;
        n_wrong_ += slm_zone_unlock(zone_) != SLM_OK;
    }

    slm_zone *zone_;
    unsigned id_;
    std::minstd_rand random_;
    uint64_t next_ = 1;
    std::vector<Owned> mine_;
    unsigned n_wrong_ = 0;
};

unsigned run_threads(slm_zone *zone, unsigned first_id)
{
    std::atomic<unsigned> n_wrong{0};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; i++) {
        threads.emplace_back([&, i] { n_wrong += Worker(zone, first_id + i).run(); });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    return n_wrong;
}

void make_counter(slm_zone *zone)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_EQ(slm_zone_set_root_locked(zone, slm_journal_calloc(slm_zone_journal(zone), 16)),
              SLM_OK);
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
}

class ZoneStress : public testing::TestWithParam<slm_lock_kind> {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_POSIX, GetParam())), SLM_OK) << zone.error.text;
        make_counter(zone);
        n_counted() = 0;
    }

    /* Only the counter is left, and all processes agree on it. */
    void expect_in_order()
    {
        auto *counter = static_cast<uint64_t *>(slm_zone_root_locked(zone));
        EXPECT_EQ(counter[0], n_counted());
        EXPECT_EQ(counter[1], n_counted());
        EXPECT_GT(n_counted(), kRounds * kThreads / 16);
        EXPECT_EQ(check_alone(zone), 0u);
        EXPECT_EQ(count_objects(slm_zone_slab(zone)), 1u);
        EXPECT_EQ(zone.stats().n_recoveries, 0u);
    }

    ZoneOptions all;
    Zone zone;
};

std::string name_of(const testing::TestParamInfo<slm_lock_kind> &info)
{
    static const char *const names[] = {"Robust", "SpinSem", "FileLock"};
    return names[info.param];
}

INSTANTIATE_TEST_SUITE_P(Locks, ZoneStress, testing::ValuesIn(kEveryLock), name_of);

TEST_P(ZoneStress, ThreadsOfOneProcessThroughOneHandle)
{
    EXPECT_EQ(run_threads(zone, 1), 0u);
    expect_in_order();
}

TEST_P(ZoneStress, ThreadsOfThreeProcessesThroughMappingsOfTheirOwn)
{
    slm_zone_attach_options options = all.to_attach(zone);
    std::vector<pid_t> children;
    for (unsigned i = 1; i <= 2; i++) {
        pid_t child = fork();
        if (child == 0) {
            Zone mine;
            bool is_open = mine.attach(options) == SLM_OK && mine.base() != zone.base();
            end_child(is_open && run_threads(mine, 100 * i) == 0 ? 0 : 1);
        }
        children.push_back(child);
    }
    Zone mine;
    ASSERT_EQ(mine.attach(options), SLM_OK) << mine.error.text;
    EXPECT_EQ(run_threads(mine, 1), 0u);
    for (pid_t child : children) {
        int status = -1;
        EXPECT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    expect_in_order();
}

/* Statistics are read without the lock: a repair may not count them by plain stores. */
TEST_P(ZoneStress, StatisticsMayBeReadWhileAnotherThreadRepairs)
{
    std::atomic<bool> is_done{false};
    std::thread other([&] {
        uint64_t n_seen = 0;
        while (!is_done) {
            struct slm_zone_stats now = zone.stats();
            EXPECT_GE(now.n_undone + now.n_finished, n_seen);
            n_seen = now.n_undone + now.n_finished;
        }
    });
    for (unsigned i = 0; i < 20; i++) {
        EXPECT_EQ(in_child([&] {
                      EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
                      (void)slm_journal_alloc(slm_zone_journal(zone), 64);
                      raise(SIGKILL);
                      return 0;
                  }),
                  128 + SIGKILL);
        if (GetParam() == SLM_LOCK_SPIN_SEM) {
            EXPECT_EQ(slm_lock_force_unlock(slm_zone_lock_handle(zone), 0), SLM_OK);
        }
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
        EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    }
    is_done = true;
    other.join();
    EXPECT_EQ(zone.stats().n_undone, 20u);
}

} // namespace
