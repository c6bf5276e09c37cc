/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: which free chunk of a span a call gets. From SLM_CHECKS=2 on it is another one. */
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

constexpr bool kLate = SLM_CHECKS >= 2;

/* All chunks of one class's span, in use. Chunks are named by their place in the span. */
class FullSpan {
  public:
    explicit FullSpan(size_t chunk_bytes) : slab_({4096, 8, 1, 0}, 64), chunk_bytes_(chunk_bytes)
    {
        unsigned class_idx = static_cast<unsigned>(slm_slab_class_of(slab_, chunk_bytes));
        first_ = alloc_any();
        n_chunks = slab_.class_stats(class_idx).n_chunks;
        for (size_t i = 1; i < n_chunks; i++) {
            EXPECT_EQ(alloc(), i);
        }
    }
    void free(size_t chunk) const
    {
        ASSERT_EQ(slm_slab_free(slab_, first_ + chunk * chunk_bytes_), SLM_OK);
    }
    size_t alloc() const
    {
        return static_cast<size_t>(alloc_any() - first_) / chunk_bytes_;
    }
    /* The chunks that so many allocations get. */
    std::vector<size_t> alloc_some(size_t n) const
    {
        std::vector<size_t> chunks(n);
        for (size_t &chunk : chunks) {
            chunk = alloc();
        }
        return chunks;
    }

    size_t n_chunks = 0;

  private:
    unsigned char *alloc_any() const
    {
        void *p = slm_slab_alloc(slab_, chunk_bytes_);
        must(p != nullptr, "alloc");
        return static_cast<unsigned char *>(p);
    }

    Slab slab_;
    size_t chunk_bytes_;
    unsigned char *first_ = nullptr;
};

using Chunks = std::vector<size_t>;

TEST(SlabReuse, FirstAllocationsGetTheChunksInOrder)
{
    for (size_t chunk_bytes : Chunks{16, 64}) {
        SCOPED_TRACE(chunk_bytes);
        FullSpan span(chunk_bytes); /* expects it of each */
        EXPECT_EQ(span.n_chunks % (4096 / chunk_bytes), 0u);
    }
}

TEST(SlabReuse, LastFreedChunkIsReusedFirstUnlessChecksAreOn)
{
    FullSpan span(16);
    ASSERT_GE(span.n_chunks, 256u);
    for (size_t chunk : Chunks{200, 5, 70}) {
        span.free(chunk);
    }
    EXPECT_EQ(span.alloc_some(3), kLate ? (Chunks{5, 70, 200}) : (Chunks{70, 200, 5}));
}

TEST(SlabReuse, SearchGoesOnAfterTheLastChunkAtTheFirst)
{
    FullSpan span(16);
    span.free(130);
    EXPECT_EQ(span.alloc(), 130u);
    for (size_t chunk : Chunks{3, 129, 131}) {
        span.free(chunk);
    }
    EXPECT_EQ(span.alloc_some(3), kLate ? (Chunks{131, 3, 129}) : (Chunks{129, 131, 3}));
}

TEST(SlabReuse, SearchWithinOneWordGoesAroundIt)
{
    FullSpan span(64);
    ASSERT_EQ(span.n_chunks, 64u);
    span.free(40);
    EXPECT_EQ(span.alloc(), 40u);
    for (size_t chunk : Chunks{7, 63, 20}) {
        span.free(chunk);
    }
    EXPECT_EQ(span.alloc_some(3), kLate ? (Chunks{63, 7, 20}) : (Chunks{7, 20, 63}));
}

TEST(SlabReuse, ChunkFreedAtOnceComesLastWithChecksAndFirstWithout)
{
    FullSpan span(64);
    Chunks chunks(span.n_chunks - 1);
    std::iota(chunks.begin(), chunks.end(), size_t{1});
    for (size_t chunk : chunks) {
        span.free(chunk);
    }
    EXPECT_EQ(span.alloc(), 1u);
    span.free(1);
    Chunks order(span.n_chunks - 1);
    std::iota(order.begin(), order.end(), kLate ? size_t{2} : size_t{1});
    if (kLate) {
        order.back() = 1;
    }
    EXPECT_EQ(span.alloc_some(span.n_chunks - 1), order);
}

} /* namespace */
