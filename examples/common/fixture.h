/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of the examples: zones, a second mapping, workers that die. */
#ifndef SLM_EXAMPLES_FIXTURE_H
#define SLM_EXAMPLES_FIXTURE_H

#include <atomic>
#include <csignal>
#include <cstdint>
#include <functional>
#include <gtest/gtest.h>
#include <new>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <slabmill/zone.h>

namespace example_test {

/* A memfd zone, and on request another mapping of it at another address. */
class Zone {
  public:
    explicit Zone(size_t bytes = 256 * 1024, unsigned journal_entries = 0)
    {
        slm_zone_options options = {};
        options.name = "example";
        options.bytes = bytes;
        options.max_bytes = 4 * bytes;
        options.journal_entries = journal_entries;
        options.slab.per_doubling = 8;
        options.segment.kind = SLM_SEGMENT_MEMFD;
        EXPECT_EQ(slm_zone_create(&zone_, &options, &error), SLM_OK) << error.text;
    }
    explicit Zone(const Zone *other)
    {
        slm_zone_attach_options options = {};
        options.segment.kind = SLM_SEGMENT_MEMFD;
        options.segment.id = slm_segment_id(slm_zone_segment(other->zone_));
        EXPECT_EQ(slm_zone_attach(&zone_, &options, &error), SLM_OK) << error.text;
    }
    ~Zone()
    {
        slm_zone_detach(zone_);
    }
    Zone(const Zone &) = delete;
    Zone &operator=(const Zone &) = delete;
    operator slm_zone *() const
    {
        return zone_;
    }
    /* What a library's check returns, with the lock held. */
    unsigned check(unsigned (*walker)(slm_zone *))
    {
        EXPECT_EQ(slm_zone_lock(zone_), SLM_OK);
        unsigned broken = walker(zone_);
        EXPECT_EQ(slm_zone_unlock(zone_), SLM_OK);
        return broken;
    }

  private:
    slm_error error = {};
    slm_zone *zone_ = nullptr;
};

/* Progress that a child reports in shared memory. The parent waits for it without a clock. */
class Progress {
  public:
    Progress()
    {
        void *p = mmap(nullptr, sizeof(std::atomic<uint64_t>), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        count_ = new (p) std::atomic<uint64_t>(0);
    }
    ~Progress()
    {
        munmap(static_cast<void *>(count_), sizeof *count_);
    }
    Progress(const Progress &) = delete;
    Progress &operator=(const Progress &) = delete;
    void step() const
    {
        count_->fetch_add(1);
    }
    uint64_t now() const
    {
        return count_->load();
    }
    void await(uint64_t count) const
    {
        while (now() < count) {
            (void)usleep(0);
        }
    }

  private:
    std::atomic<uint64_t> *count_;
};

/* A child that runs until it is killed. */
class Child {
  public:
    explicit Child(const std::function<void()> &body) : pid_(fork())
    {
        if (pid_ == 0) {
            body();
            for (;;) {
                pause();
            }
        }
        EXPECT_GT(pid_, 0);
    }
    ~Child()
    {
        kill_now();
    }
    Child(const Child &) = delete;
    Child &operator=(const Child &) = delete;
    void kill_now()
    {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            EXPECT_EQ(waitpid(pid_, nullptr, 0), pid_);
            pid_ = -1;
        }
    }

  private:
    pid_t pid_;
};

inline std::string key_name(uint64_t i)
{
    return "key-" + std::to_string(i);
}

} // namespace example_test

#endif
