/* SPDX-License-Identifier: Apache-2.0 */
/* What the slab's tests share: geometries, mapped regions, slabs in them, and a furnished slab. */
#ifndef SLM_TESTS_SLAB_FIXTURE_H
#define SLM_TESTS_SLAB_FIXTURE_H

#include <gtest/gtest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

extern "C" {
#include "allocator/slab/view.h"
}

namespace slabtest {

constexpr size_t kAlign = SLM_SLAB_REGION_ALIGN;
constexpr size_t kUnchanged = SIZE_MAX;

/* Ends the process if a precondition of the tests fails. */
inline void must(bool condition, const char *what)
{
    if (!condition) {
        std::perror(what);
        std::abort();
    }
}

/* --- Geometries --- */

struct Geometry {
    size_t page_bytes;
    size_t min_object_bytes;
    unsigned per_doubling;
    size_t gap_bytes;

    slm_slab_options options(const char *name = nullptr) const
    {
        return {page_bytes, min_object_bytes, per_doubling, gap_bytes, name, 0};
    }
};

inline std::string spell(const Geometry &g)
{
    return "Page" + std::to_string(g.page_bytes / 1024) + "KMin" +
           std::to_string(g.min_object_bytes) + "PerDoubling" + std::to_string(g.per_doubling) +
           "Gap" + std::to_string(g.gap_bytes);
}

inline std::vector<Geometry> geometries(const std::vector<size_t> &mins,
                                        const std::vector<size_t> &gaps)
{
    std::vector<Geometry> all;
    for (size_t page : {4096u, 16384u, 65536u}) {
        for (unsigned per_doubling : {1u, 2u, 4u, 8u, 16u}) {
            for (size_t min : mins) {
                for (size_t gap : gaps) {
                    all.push_back({page, min, per_doubling, gap});
                }
            }
        }
    }
    return all;
}

/* GoogleTest prints it with a failure. */
inline void PrintTo(const Geometry &geometry, std::ostream *out)
{
    *out << spell(geometry);
}

inline std::string name_of(const testing::TestParamInfo<Geometry> &info)
{
    return spell(info.param);
}

/* All 120. */
inline std::vector<Geometry> every_geometry()
{
    return geometries({8, 16, 32, 64}, {0, 16});
}

/* 120; or 15, where each call costs a check of the whole slab. */
inline std::vector<Geometry> every_affordable_geometry()
{
    return SLM_CHECKS >= 3 ? geometries({8}, {16}) : every_geometry();
}

/* 30: for tests that cost more. */
inline std::vector<Geometry> main_geometries()
{
    return geometries({8}, {0, 16});
}

/* --- Regions --- */

/* Zeroed pages of a memfd, then a page without access; twin() maps the same elsewhere. */
class Region {
  public:
    explicit Region(size_t bytes) : Region(memfd_create("slab_test", MFD_CLOEXEC), bytes)
    {
        must(ftruncate(fd_, static_cast<off_t>(mapped_bytes())) == 0, "ftruncate");
    }
    Region(const Region &) = delete;
    Region &operator=(const Region &) = delete;
    ~Region()
    {
        munmap(base_, mapped_bytes() + kAlign);
        close(fd_);
    }

    Region twin() const
    {
        return Region(dup(fd_), bytes_);
    }
    unsigned char *base() const
    {
        return base_;
    }
    size_t bytes() const
    {
        return bytes_;
    }
    void protect(int protection) const
    {
        must(mprotect(base_, mapped_bytes(), protection) == 0, "mprotect");
    }
    std::vector<unsigned char> snapshot() const
    {
        return {base_, base_ + bytes_};
    }
    /* Offset of the first byte that is not as in the snapshot; kUnchanged if all are. */
    size_t first_change(const std::vector<unsigned char> &before) const
    {
        if (std::memcmp(base_, before.data(), bytes_) == 0) {
            return kUnchanged;
        }
        size_t at = 0;
        while (base_[at] == before[at]) {
            at++;
        }
        return at;
    }

  private:
    Region(int fd, size_t bytes) : fd_(fd), bytes_(bytes)
    {
        must(fd_ >= 0, "memfd");
        void *at = mmap(nullptr, mapped_bytes() + kAlign, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        must(at != MAP_FAILED, "mmap");
        at = mmap(at, mapped_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd_, 0);
        must(at != MAP_FAILED, "mmap of the memfd");
        base_ = static_cast<unsigned char *>(at);
    }
    size_t mapped_bytes() const
    {
        return slm_align_up(bytes_ == 0 ? 1 : bytes_, kAlign);
    }

    int fd_;
    size_t bytes_;
    unsigned char *base_ = nullptr;
};

/* --- Views --- */

struct Detach {
    void operator()(slm_slab *slab) const
    {
        slm_slab_detach(slab);
    }
};
using View = std::unique_ptr<slm_slab, Detach>;

inline View attach(const Region &region, const slm_slab_view *view = nullptr)
{
    slm_slab *slab = nullptr;
    must(slm_slab_attach(&slab, region.base(), region.bytes(), view) == SLM_OK, "attach");
    return View(slab);
}

/* A formatted region and a view of it. */
class Slab {
  public:
    Slab(const Geometry &geometry, size_t n_pages, const slm_slab_view *view = nullptr)
        : region(needed(geometry, n_pages))
    {
        slm_slab_options options = geometry.options("tested");
        must(slm_slab_init(region.base(), region.bytes(), &options) == SLM_OK, "init");
        view_ = attach(region, view);
    }

    operator slm_slab *() const
    {
        return view_.get();
    }
    slm_slab *operator->() const
    {
        return view_.get();
    }
    struct slm_slab_stats stats() const
    {
        struct slm_slab_stats stats;
        slm_slab_get_stats(view_.get(), &stats);
        return stats;
    }
    struct slm_slab_class_stats class_stats(unsigned class_idx) const
    {
        struct slm_slab_class_stats stats = {};
        EXPECT_EQ(slm_slab_get_class_stats(view_.get(), class_idx, &stats), SLM_OK);
        return stats;
    }
    slm_slab_place locate(const void *p) const
    {
        slm_slab_place place;
        slm_slab_locate(view_.get(), p, &place);
        return place;
    }
    size_t page_bytes() const
    {
        return size_t{1} << view_->shape.page_shift;
    }
    unsigned char *page(size_t idx) const
    {
        return view_->memory + idx * page_bytes();
    }
    size_t page_idx(const void *p) const
    {
        return (reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(view_->memory)) /
               page_bytes();
    }
    /* A run of just so many pages, all classes being shorter. */
    unsigned char *alloc_pages(size_t n_pages) const
    {
        return static_cast<unsigned char *>(
            slm_slab_alloc(view_.get(), n_pages * page_bytes() - view_->shape.gap_bytes));
    }
    /* Fewest pages that are always a run, not a chunk. */
    size_t run_pages() const
    {
        return view_->largest_chunk_bytes / page_bytes() + 1;
    }

    static size_t needed(const Geometry &geometry, size_t n_pages)
    {
        slm_slab_options options = geometry.options();
        size_t bytes = slm_slab_region_bytes(&options, n_pages);
        must(bytes != 0, "region_bytes");
        return bytes;
    }

    Region region;

  private:
    View view_;
};

/* --- A slab with an object of every kind --- */

struct Furnished {
    Furnished(const Geometry &geometry, size_t n_pages, const slm_slab_view *view = nullptr)
        : slab(geometry, n_pages, view)
    {
        small_bytes = slab.page_bytes() / 64 - slab->shape.gap_bytes;
        small_class = static_cast<unsigned>(slm_slab_class_of(slab, small_bytes));
        run_pages = slab.run_pages() + 2;
        fill_two_spans();
        keep_a_span();
        run = slab.alloc_pages(run_pages);
        free_run = slab.alloc_pages(run_pages);
        last_run = slab.alloc_pages(run_pages);
        must(last_run != nullptr, "furnish");
        must(slm_slab_free(slab, free_run) == SLM_OK, "free a run");
    }

    /* The first span is full, the second has used and free chunks. */
    void fill_two_spans()
    {
        size_t n_chunks = 0;
        do {
            full.push_back(alloc(small_bytes));
            n_chunks = slab.class_stats(small_class).n_chunks;
        } while (full.size() < n_chunks);
        partial = alloc(small_bytes);
        freed = alloc(small_bytes);
        neighbour = alloc(small_bytes);
        must(slm_slab_free(slab, freed) == SLM_OK, "free a chunk");
    }

    /* A class with nothing but one empty span. */
    void keep_a_span()
    {
        kept_class = slab->shape.n_classes - 1;
        kept = alloc(slab->cuts[kept_class].chunk_bytes - slab->shape.gap_bytes);
        must(slm_slab_free(slab, kept) == SLM_OK, "free the only chunk");
    }

    unsigned char *alloc(size_t bytes) const
    {
        void *p = slm_slab_alloc(slab, bytes);
        must(p != nullptr, "alloc");
        return static_cast<unsigned char *>(p);
    }

    Slab slab;
    size_t small_bytes; /* fills a chunk of the class that has 64 a page */
    unsigned small_class;
    std::vector<unsigned char *> full;  /* every chunk of a full span */
    unsigned char *partial = nullptr;   /* in a span with free and used chunks: used, */
    unsigned char *freed = nullptr;     /* free, */
    unsigned char *neighbour = nullptr; /* and used */
    unsigned char *run = nullptr;       /* of run_pages, at least 3 */
    unsigned char *free_run = nullptr;  /* after it: a free run of run_pages */
    unsigned char *last_run = nullptr;  /* and a used one */
    size_t run_pages = 0;
    unsigned kept_class = 0;
    unsigned char *kept = nullptr; /* a free chunk in a kept empty span */
};

/* --- Locks and reports that are counted --- */

struct CountedLock {
    int depth = 0;
    int n_locks = 0;
    int n_unlocks = 0;

    static void lock(void *data)
    {
        auto *counted = static_cast<CountedLock *>(data);
        counted->n_locks++;
        must(++counted->depth == 1, "a lock taken twice");
    }
    static void unlock(void *data)
    {
        auto *counted = static_cast<CountedLock *>(data);
        counted->n_unlocks++;
        must(--counted->depth == 0, "a lock released that was not held");
    }
    void put_into(slm_slab_view *view)
    {
        view->lock = lock;
        view->unlock = unlock;
        view->lock_data = this;
    }
};

struct Reports {
    struct Event {
        slm_status status;
        std::string name;
        std::string call;
        size_t size_bytes;
        const void *pointer;
        int lock_depth;
    };
    std::vector<Event> events;
    CountedLock lock;

    static void take(void *data, const slm_slab_event *event)
    {
        auto *reports = static_cast<Reports *>(data);
        reports->events.push_back({event->status, event->name, event->call, event->size_bytes,
                                   event->pointer, reports->lock.depth});
    }
    /* A view that reports here and takes the lock here. */
    slm_slab_view view()
    {
        slm_slab_view view = {};
        lock.put_into(&view);
        view.report = take;
        view.report_data = this;
        return view;
    }
};

} /* namespace slabtest */

#endif
