/* SPDX-License-Identifier: Apache-2.0 */
/* A log and a slab in a large mapping, of which only metadata is ever touched. */
#ifndef SLM_TESTS_JOURNAL_SPARSE_H
#define SLM_TESTS_JOURNAL_SPARSE_H

#include <gtest/gtest.h>

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

extern "C" {
#include "allocator/slab/view.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" /* a flexible array */
#include "allocator/journal/log.h"
#pragma GCC diagnostic pop
}

namespace slm_test {

/* The mapping reserves no memory, and pages that only hold objects stay holes. Without options, pages
 * of 4 KiB and chunks of 8 bytes and more: as much metadata as a slab can have. */
class Sparse {
  public:
    Sparse(size_t slab_bytes, unsigned n_entries, const slm_slab_options *options = nullptr)
        : log_bytes_(slm_align_up(slm_journal_log_bytes(n_entries), 4096)),
          n_bytes_(log_bytes_ + slab_bytes)
    {
        void *at = mmap(nullptr, n_bytes_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED) {
            abort();
        }
        base_ = static_cast<unsigned char *>(at);
        EXPECT_EQ(slm_journal_init(base_, n_entries), SLM_OK);
        EXPECT_EQ(slm_slab_init(base_ + log_bytes_, slab_bytes, options), SLM_OK);
        EXPECT_EQ(slm_slab_attach(&slab_, base_ + log_bytes_, slab_bytes, nullptr), SLM_OK);
        EXPECT_EQ(slm_journal_attach(&journal, base_, log_bytes_, base_, slab_), SLM_OK);
    }
    ~Sparse()
    {
        slm_journal_detach(&journal);
        slm_slab_detach(slab_);
        munmap(base_, n_bytes_);
    }
    Sparse(const Sparse &) = delete;
    Sparse &operator=(const Sparse &) = delete;

    slm_slab *operator->() const
    {
        return slab_;
    }
    slm_slab *slab() const
    {
        return slab_;
    }
    slm_journal_log *log() const
    {
        return journal.log;
    }
    unsigned char *page(size_t idx) const
    {
        return slab_->memory + (idx << slab_->shape.page_shift);
    }

    slm_journal journal{};

  private:
    size_t log_bytes_;
    size_t n_bytes_;
    unsigned char *base_ = nullptr;
    slm_slab *slab_ = nullptr;
};

} // namespace slm_test

#endif
