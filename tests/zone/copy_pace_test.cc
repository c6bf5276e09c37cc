/* SPDX-License-Identifier: Apache-2.0 */
/* How long threads that change much wait for a copier. */
#include <functional>
#include <unistd.h>

#include "tests/zone/fixture.h"
#include <slabmill/zone_copy.h>

extern "C" {
#include "allocator/base/yield.h"
#include "allocator/lock/identity.h"
#include "allocator/lock/system.h"
}

namespace {

using namespace slm_test;

constexpr size_t kBytes = size_t{8} << 20;
constexpr size_t kPages = 600; /* of the object that is written to */
constexpr size_t kWords = 4096 / sizeof(uint64_t);
constexpr uint64_t kOther = (uint64_t{1} << 40) + 12345; /* an identity that is not the copier's */

/* What the writer does while the copier does not hold the lock. */
std::function<void()> meanwhile;
slm_zone *copied;
unsigned n_waits;

void run_meanwhile(const char *)
{
    uint64_t self = slm_lock_self();
    slm_yield_hook = nullptr;
    if (!slm_lock_is_mine(copied->lock)) {
        slm_lock_set_self(kOther);
        meanwhile();
        slm_lock_set_self(self);
    }
    slm_yield_hook = run_meanwhile;
}

class CopyPace : public testing::Test {
  protected:
    CopyPace() : system_(slm_lock_system)
    {
        slm_zone_options options = all.of(SLM_SEGMENT_FILE);
        options.journal_entries = 4096;
        EXPECT_EQ(zone.create(options), SLM_OK) << zone.error.text;
        EXPECT_EQ(other.attach(all.to_attach(zone)), SLM_OK) << other.error.text;
        words = static_cast<uint64_t *>(slm_zone_alloc(other, kPages << 12, nullptr));
        EXPECT_NE(words, nullptr);
        copied = zone;
    }
    ~CopyPace() override
    {
        slm_yield_hook = nullptr;
        slm_lock_set_self(0);
        slm_lock_system = system_;
    }
    /* wait: what a writer does that waits for the copier. */
    slm_status copy(void (*wait)(uint32_t *, uint32_t, unsigned))
    {
        slm_segment_options to = second.of(SLM_SEGMENT_POSIX);
        slm_lock_system.wait = wait;
        slm_yield_hook = run_meanwhile;
        slm_status status = slm_zone_copy(zone, &to, nullptr, &error);
        slm_yield_hook = nullptr;
        return status;
    }
    /* One turn that writes a word to each page. Returns how often it waited for the copier. */
    unsigned write_pages(size_t n_pages)
    {
        n_waits = 0;
        EXPECT_EQ(slm_zone_lock(other), SLM_OK);
        for (size_t i = 0; i < n_pages; i++) {
            EXPECT_EQ(slm_journal_write(slm_zone_journal(other), &words[i * kWords], i), SLM_OK);
        }
        EXPECT_EQ(slm_zone_end(other, SLM_OK), SLM_OK);
        return n_waits;
    }
    bool is_paced() const
    {
        return zone_copying_of(zone.header())->is_paced != 0;
    }

    ZoneOptions all{kBytes, kBytes};
    Options second{kBytes, kBytes};
    Zone zone, other;
    uint64_t *words = nullptr;
    slm_error error{};

  private:
    struct slm_lock_system system_;
};

/* The copier is in the writer's own thread, so every wait for it is in vain. */
TEST_F(CopyPace, ACopierThatIsStoppedIsWaitedForAThousandTimesUntilItGoesOn)
{
    unsigned n_stops = 0;
    meanwhile = [&] {
        if (n_stops == 2 || write_pages(kPages) == 0) {
            return;
        }
        unsigned n_vain = 1;
        for (unsigned i = 0; i < 1500; i++) {
            n_vain += write_pages(1);
        }
        EXPECT_TRUE(is_paced());
        EXPECT_EQ(n_vain, 1000u);
        n_stops++;
    };
    EXPECT_EQ(copy([](uint32_t *, uint32_t, unsigned) { n_waits++; }), SLM_OK) << error.text;
    EXPECT_EQ(n_stops, 2u);
}

/* The copier takes 448 KiB of large objects in a hold. */
TEST_F(CopyPace, AWriterWaitsForAsManyHoldsAsItsLargeObjectsNeed)
{
    std::vector<unsigned> waits;
    meanwhile = [&] {
        if (!is_paced() && waits.empty()) {
            write_pages(kPages); /* so that the copy goes on until the copier paces others */
            return;
        }
        if (!waits.empty()) {
            return;
        }
        for (size_t n_bytes : {size_t{400} << 10, size_t{600} << 10, size_t{3} << 20}) {
            n_waits = 0;
            EXPECT_NE(slm_zone_alloc(other, n_bytes, nullptr), nullptr);
            waits.push_back(n_waits);
            zone_copying_of(zone.header())->n_marked = 0;
        }
    };
    auto hold = [](uint32_t *n_holds, uint32_t, unsigned) {
        n_waits++;
        ++*n_holds;
    };
    EXPECT_EQ(copy(hold), SLM_OK) << error.text;
    EXPECT_EQ(waits, (std::vector<unsigned>{1, 2, 7}));
}

} // namespace
