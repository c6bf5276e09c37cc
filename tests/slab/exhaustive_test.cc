/* SPDX-License-Identifier: Apache-2.0 */
/* Every sequence of operations up to a depth on a small slab, each step compared with a model. */
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <slabmill/slab.h>

namespace {

struct Shape {
    const char *name;
    size_t n_pages;
    unsigned per_doubling;
    std::vector<size_t> sizes; /* what is allocated */
    int depth;
};

struct Object {
    unsigned char *p;
    size_t size_bytes;
};

/* Depth-first over all sequences; the region's metadata is restored after each step. */
class Search {
  public:
    explicit Search(const Shape &shape) : shape_(shape)
    {
        slm_slab_options options = {};
        options.per_doubling = shape.per_doubling;
        bytes_ = slm_slab_region_bytes(&options, shape.n_pages);
        memory_ = static_cast<unsigned char *>(std::aligned_alloc(SLM_SLAB_REGION_ALIGN, bytes_));
        EXPECT_EQ(slm_slab_init(memory_, bytes_, &options), SLM_OK);
        EXPECT_EQ(slm_slab_attach(&slab_, memory_, bytes_, nullptr), SLM_OK);
        struct slm_slab_stats stats;
        slm_slab_get_stats(slab_, &stats);
        metadata_bytes_ = stats.metadata_bytes;
        pages_ = memory_ + metadata_bytes_;
    }
    ~Search()
    {
        slm_slab_detach(slab_);
        std::free(memory_);
    }
    Search(const Search &) = delete;
    Search &operator=(const Search &) = delete;

    uint64_t run()
    {
        step(shape_.depth);
        return n_sequences_;
    }

  private:
    void step(int depth)
    {
        n_sequences_++;
        judge();
        if (depth == 0 || testing::Test::HasFailure()) {
            return;
        }
        std::vector<unsigned char> before(memory_, memory_ + metadata_bytes_);
        std::vector<Object> live = live_;
        auto put_back = [&] {
            std::memcpy(memory_, before.data(), before.size());
            live_ = live;
        };
        for (size_t size : shape_.sizes) {
            allocate(size);
            step(depth - 1);
            put_back();
        }
        for (size_t i = 0; i < live.size(); i++) {
            release(i);
            step(depth - 1);
            put_back();
        }
        slm_slab_trim(slab_);
        step(depth - 1);
        put_back();
    }

    void allocate(size_t size)
    {
        auto *p = static_cast<unsigned char *>(slm_slab_alloc(slab_, size));
        if (p == nullptr) {
            EXPECT_FALSE(could_serve(size)) << size << " bytes were refused";
            return;
        }
        size_t usable = slm_slab_usable_bytes(slab_, p);
        EXPECT_GE(usable, size);
        EXPECT_GE(p, pages_);
        EXPECT_LE(p + usable, memory_ + bytes_);
        for (const Object &other : live_) {
            EXPECT_TRUE(p + usable <= other.p || other.p + other.size_bytes <= p) << "overlap";
        }
        live_.push_back({p, usable});
    }

    void release(size_t i)
    {
        EXPECT_EQ(slm_slab_free(slab_, live_[i].p), SLM_OK);
        EXPECT_NE(slm_slab_free(slab_, live_[i].p), SLM_OK) << "freed twice";
        live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(i));
    }

    /* Read off the objects alone, page by page: a chunk of a span that holds one, or pages free of
     * objects. */
    bool could_serve(size_t size)
    {
        int wanted = slm_slab_class_of(slab_, size);
        size_t chunk = size;
        if (wanted >= 0) {
            struct slm_slab_class_stats stats;
            slm_slab_get_class_stats(slab_, static_cast<unsigned>(wanted), &stats);
            chunk = stats.chunk_bytes;
            if (span_has_room(chunk)) {
                return true;
            }
        }
        return longest_empty_pages() >= (chunk + kPage - 1) / kPage;
    }

    bool span_has_room(size_t chunk)
    {
        for (const Object &object : live_) {
            struct slm_slab_place place;
            slm_slab_locate(slab_, object.p, &place);
            if (place.kind != SLM_SLAB_CHUNK_USED || place.object_bytes < chunk ||
                (place.object_bytes != chunk && place.object_bytes >= 2 * chunk)) {
                continue;
            }
            auto *span = static_cast<unsigned char *>(place.span);
            size_t n_used = 0;
            for (const Object &other : live_) {
                n_used += other.p >= span && other.p < span + place.span_pages * kPage;
            }
            if (n_used < place.span_pages * kPage / place.object_bytes) {
                return true;
            }
        }
        return false;
    }

    /* Pages of a span count as taken as long as the span holds an object. */
    size_t longest_empty_pages()
    {
        std::vector<bool> taken(shape_.n_pages);
        for (const Object &object : live_) {
            struct slm_slab_place place;
            slm_slab_locate(slab_, object.p, &place);
            size_t first = static_cast<size_t>(static_cast<unsigned char *>(place.span) - pages_);
            for (size_t i = 0; i < place.span_pages; i++) {
                taken[first / kPage + i] = true;
            }
        }
        size_t longest = 0;
        size_t here = 0;
        for (bool is_taken : taken) {
            here = is_taken ? 0 : here + 1;
            longest = here > longest ? here : longest;
        }
        return longest;
    }

    void judge()
    {
        ASSERT_EQ(slm_slab_check(slab_), 0u);
        struct slm_slab_stats stats;
        slm_slab_get_stats(slab_, &stats);
        size_t n_used = 0;
        for (unsigned i = 0; i < stats.n_classes; i++) {
            struct slm_slab_class_stats of_class;
            slm_slab_get_class_stats(slab_, i, &of_class);
            n_used += of_class.n_used;
        }
        ASSERT_EQ(n_used + stats.n_runs, live_.size());
    }

    static constexpr size_t kPage = 4096;
    Shape shape_;
    size_t bytes_ = 0;
    size_t metadata_bytes_ = 0;
    unsigned char *memory_ = nullptr;
    unsigned char *pages_ = nullptr;
    slm_slab *slab_ = nullptr;
    std::vector<Object> live_;
    uint64_t n_sequences_ = 0;
};

class SlabExhaustive : public testing::TestWithParam<Shape> {};

TEST_P(SlabExhaustive, EverySequenceKeepsTheModel)
{
    uint64_t n = Search(GetParam()).run();
    std::printf("%s: %llu sequences of up to %d operations\n", GetParam().name,
                static_cast<unsigned long long>(n), GetParam().depth);
    EXPECT_GT(n, 10000u);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, SlabExhaustive,
    testing::Values(Shape{"runs of 1, 2 and 3 of 5 pages", 5, 1, {4096, 8192, 12288}, 8},
                    Shape{"chunks and runs, powers of two", 3, 1, {2048, 1024, 4096}, 8},
                    Shape{"chunks of spans of many pages, fine", 33, 8, {3000, 5000, 40000}, 7},
                    Shape{"classes that borrow from each other", 2, 16, {1900, 2000, 2048, 8}, 7}),
    [](const auto &shape) { return "Shape" + std::to_string(shape.index); });

} // namespace
