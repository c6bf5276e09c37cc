/* SPDX-License-Identifier: Apache-2.0 */
/* A pool under test: every block of its source is on a ledger, every object on a map. */
#ifndef TESTS_POOL_FIXTURE_H
#define TESTS_POOL_FIXTURE_H

#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <map>

#include <slabmill/pool.h>
#include <slabmill/source.h>

namespace slm_test {

/* Disjoint ranges of addresses. */
class Ranges {
  public:
    /* False when [p, p + n) meets a range that is there; an empty range counts as one byte. */
    bool add(const void *p, size_t n)
    {
        auto start = reinterpret_cast<uintptr_t>(p);
        auto after = ranges_.lower_bound(start);
        size_t length = n == 0 ? 1 : n;
        if (after != ranges_.end() && after->first - start < length) {
            return false;
        }
        if (after != ranges_.begin()) {
            auto before = std::prev(after);
            if (start - before->first < before->second) {
                return false;
            }
        }
        ranges_[start] = length;
        return true;
    }

    /* False when no range starts at p with that length. */
    bool remove(const void *p, size_t n)
    {
        auto found = ranges_.find(reinterpret_cast<uintptr_t>(p));
        if (found == ranges_.end() || found->second != (n == 0 ? 1 : n)) {
            return false;
        }
        ranges_.erase(found);
        return true;
    }

    /* True when one range holds all of [p, p + n). */
    bool holds(const void *p, size_t n) const
    {
        auto start = reinterpret_cast<uintptr_t>(p);
        auto after = ranges_.upper_bound(start);
        if (after == ranges_.begin()) {
            return false;
        }
        auto range = std::prev(after);
        size_t offset = start - range->first;
        return offset < range->second && n <= range->second - offset;
    }

    void clear()
    {
        ranges_.clear();
    }
    size_t size() const
    {
        return ranges_.size();
    }

  private:
    std::map<uintptr_t, size_t> ranges_;
};

/* The heap, with a ledger: blocks must come back with the size and alignment they went out with. */
class LedgerSource {
  public:
    slm_source source{alloc, free, this};
    Ranges blocks;

  private:
    static void *alloc(void *data, size_t size_bytes, size_t align_bytes)
    {
        auto *self = static_cast<LedgerSource *>(data);
        void *p = slm_source_heap()->alloc(nullptr, size_bytes, align_bytes);
        if (p != nullptr) {
            EXPECT_TRUE(self->blocks.add(p, size_bytes));
            self->aligns_[p] = align_bytes;
        }
        return p;
    }

    static void free(void *data, void *block, size_t size_bytes, size_t align_bytes)
    {
        auto *self = static_cast<LedgerSource *>(data);
        EXPECT_TRUE(self->blocks.remove(block, size_bytes));
        EXPECT_EQ(self->aligns_[block], align_bytes);
        self->aligns_.erase(block);
        slm_source_heap()->free(nullptr, block, size_bytes, align_bytes);
    }

    std::map<void *, size_t> aligns_;
};

/* A pool over counting over failing over ledger. Every test checks its destroy. */
class TestPool {
  public:
    explicit TestPool(size_t block_bytes = 4096, unsigned flags = 0)
    {
        slm_source_failing_init(&failing, &ledger.source);
        slm_source_counting_init(&counting, &failing.source);
        EXPECT_EQ(slm_pool_create(&pool, block_bytes, &counting.source, flags), SLM_OK);
    }

    ~TestPool()
    {
        if (pool != nullptr) {
            EXPECT_EQ(slm_pool_check(pool), 0u);
            EXPECT_EQ(stats().source_bytes, counting.live_bytes);
            EXPECT_EQ(slm_pool_destroy(pool), SLM_OK);
        }
        EXPECT_EQ(counting.live_blocks, 0u);
        EXPECT_EQ(counting.live_bytes, 0u);
        EXPECT_EQ(ledger.blocks.size(), 0u);
    }

    TestPool(const TestPool &) = delete;
    TestPool &operator=(const TestPool &) = delete;

    struct slm_pool_stats stats() const
    {
        struct slm_pool_stats result;
        slm_pool_get_stats(pool, &result);
        return result;
    }

    /* Puts an object on the map, writes all of it, and returns it. */
    unsigned char *claim(void *p, size_t n, size_t align = 1)
    {
        EXPECT_NE(p, nullptr);
        if (p == nullptr) {
            return nullptr;
        }
        EXPECT_TRUE(ledger.blocks.holds(p, n)) << n << " bytes leave the source's blocks";
        EXPECT_TRUE(objects.add(p, n)) << n << " bytes overlap a live object";
        EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % align, 0u);
        memset(p, 0xA5, n);
        return static_cast<unsigned char *>(p);
    }

    unsigned char *alloc(size_t n)
    {
        return claim(slm_pool_alloc(pool, n), n, SLM_POOL_ALIGN);
    }

    unsigned char *nalloc(size_t n)
    {
        return claim(slm_pool_alloc_packed(pool, n), n);
    }

    slm_status free(void *p, size_t n)
    {
        slm_status status = slm_pool_free(pool, p);
        if (status == SLM_OK) {
            EXPECT_TRUE(objects.remove(p, n));
        }
        return status;
    }

    slm_status reset()
    {
        objects.clear();
        slm_status status = slm_pool_reset(pool);
        EXPECT_EQ(slm_pool_check(pool), 0u);
        return status;
    }

    LedgerSource ledger;
    slm_source_failing failing;
    slm_source_counting counting;
    slm_pool *pool = nullptr;
    Ranges objects;
};

/* Small, repeatable pseudo-random numbers: Marsaglia's xorshift64. */
class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed * 2 + 1)
    {
    }

    size_t below(size_t n)
    {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return static_cast<size_t>(state_ % n);
    }

  private:
    uint64_t state_;
};

/* The bytes of a pool's blocks if its source refused none of them. */
inline size_t blocks_bytes(const struct slm_pool_stats &stats)
{
    size_t sum = 0;
    size_t bytes = stats.block_bytes;
    for (size_t i = 0; i < stats.n_blocks; i++) {
        sum += bytes;
        bytes *= bytes <= SLM_POOL_GROWN_MAX / 2 ? 2 : 1;
    }
    return sum;
}

/* A handler that tries to end pools. */
struct Ender {
    slm_pool *to_reset;
    slm_pool *to_destroy;
    slm_status reset;
    slm_status destroyed;
};

inline void end_pools(void *data)
{
    auto *ender = static_cast<Ender *>(data);
    ender->reset = slm_pool_reset(ender->to_reset);
    ender->destroyed = slm_pool_destroy(ender->to_destroy);
}

inline bool same(const struct slm_pool_stats &a, const struct slm_pool_stats &b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

} // namespace slm_test

#endif
