/* SPDX-License-Identifier: Apache-2.0 */
/* A pool as std::pmr::memory_resource: standard containers with the lifetime of a request. C++17. */
#ifndef SLM_MEMORY_RESOURCE_HPP
#define SLM_MEMORY_RESOURCE_HPP

#include <cstddef>
#include <memory_resource>
#include <new>

#include <slabmill/pool.h>

namespace slabmill {

/*
 * Model    The resource takes memory from a pool that the caller makes and ends; it owns nothing.
 *              slabmill::pool_resource resource(pool);
 *              std::pmr::vector<int> numbers(&resource);
 *          What a container returns is free at once if it is a large block, or the newest object of
 *          its block, as a vector's storage often is. All else is free when the pool is reset or
 *          destroyed: a container that grows for ever belongs elsewhere.
 * Lifetime Containers end before the pool is reset or destroyed, or are never used again.
 * Builds   Header only; the library that is linked is the C one. Needs exceptions and RTTI, as
 *          std::pmr does.
 * Safety   As the pool's: one thread at a time.
 * Failure  allocate throws std::bad_alloc if the pool returns NULL: the source refuses, the size is
 *          above the pool's limit, or the alignment is above SLM_POOL_ALIGN_MAX.
 * Cost     allocate: as slm_pool_alloc, up to SLM_POOL_ALIGN, else as slm_pool_memalign, and a
 *          virtual call. deallocate: O(1).
 */
class pool_resource : public std::pmr::memory_resource {
  public:
    /* pool must outlive the resource. NULL: every allocate throws. O(1). */
    explicit pool_resource(slm_pool *pool) noexcept : pool_(pool)
    {
        struct slm_pool_stats stats = {};
        slm_pool_get_stats(pool, &stats);
        small_limit_bytes_ = stats.small_limit_bytes;
    }

    slm_pool *pool() const noexcept
    {
        return pool_;
    }

  private:
    void *do_allocate(std::size_t size_bytes, std::size_t align_bytes) override
    {
        void *p = align_bytes <= SLM_POOL_ALIGN ? slm_pool_alloc(pool_, size_bytes)
                                                : slm_pool_memalign(pool_, align_bytes, size_bytes);
        if (p == nullptr) {
            throw std::bad_alloc();
        }
        return p;
    }

    void do_deallocate(void *p, std::size_t size_bytes, std::size_t align_bytes) override
    {
        std::size_t slack_bytes = align_bytes <= SLM_POOL_ALIGN ? 0 : align_bytes;
        if (size_bytes > small_limit_bytes_ || slack_bytes > small_limit_bytes_ - size_bytes) {
            (void)slm_pool_free(pool_, p);
        } else {
            (void)slm_pool_give_back(pool_, p, size_bytes);
        }
    }

    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
    {
        auto *same = dynamic_cast<const pool_resource *>(&other);
        return same != nullptr && same->pool_ == pool_;
    }

    slm_pool *pool_;
    std::size_t small_limit_bytes_ = 0; /* a larger object is a block of its own */
};

} // namespace slabmill

#endif
