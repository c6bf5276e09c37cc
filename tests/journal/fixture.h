/* SPDX-License-Identifier: Apache-2.0 */
/* A log and a slab in one piece of memory, and what an observer sees of both. */
#ifndef SLM_TESTS_JOURNAL_FIXTURE_H
#define SLM_TESTS_JOURNAL_FIXTURE_H

#include <gtest/gtest.h>

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <ostream>
#include <string>
#include <vector>

extern "C" {
#include "allocator/slab/view.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" /* a flexible array */
#include "allocator/journal/log.h"
#pragma GCC diagnostic pop
}

namespace slm_test {

constexpr size_t kSlabOffset = 16384;
constexpr unsigned kEntries = 64;

/* Live objects by offset, with their contents, and the root. */
struct Picture {
    std::map<uint64_t, std::string> objects;
    uint64_t root = 0;
    uint32_t content_version = 0;

    bool operator==(const Picture &other) const
    {
        return objects == other.objects && root == other.root &&
               content_version == other.content_version;
    }
};

inline std::ostream &operator<<(std::ostream &out, const Picture &picture)
{
    out << "version " << picture.content_version << ", root " << picture.root << ";";
    for (const auto &[offset, content] : picture.objects) {
        out << " " << offset << "(" << content.size() << " bytes, first "
            << static_cast<unsigned>(static_cast<unsigned char>(content[0])) << ")";
    }
    return out;
}

inline Picture take_picture(const slm_journal &journal)
{
    Picture picture;
    const slm_slab *slab = journal.slab;
    const size_t n_bytes = static_cast<size_t>(slab->n_pages) << slab->shape.page_shift;
    slm_slab_place place;
    for (size_t at = 0; at < n_bytes;) {
        slm_slab_locate(journal.slab, slab->memory + at, &place);
        const auto *object = static_cast<const char *>(place.object);
        if (place.is_live) {
            picture.objects[slm_journal_offset(&journal, object)] =
                std::string(object, place.object_bytes);
        }
        at += place.object_bytes;
    }
    picture.root = journal.log->root;
    picture.content_version = journal_content_version(&journal);
    return picture;
}

/* Memory at its own address that holds a log and a slab. */
class Arena {
  public:
    explicit Arena(size_t n_pages = 40, const slm_slab_options *options = nullptr)
        : n_bytes_(kSlabOffset + slm_slab_region_bytes(options, n_pages))
    {
        map();
        EXPECT_EQ(slm_journal_init(log(), kEntries), SLM_OK);
        EXPECT_EQ(slm_slab_init(base_ + kSlabOffset, n_bytes_ - kSlabOffset, options), SLM_OK);
        open();
    }

    /* Stands for another process: the same bytes at another address. */
    explicit Arena(const std::vector<unsigned char> &bytes) : n_bytes_(bytes.size())
    {
        map();
        memcpy(base_, bytes.data(), n_bytes_);
        open();
    }

    ~Arena()
    {
        slm_journal_detach(&journal);
        slm_slab_detach(slab_);
        munmap(base_, n_bytes_);
    }
    Arena(const Arena &) = delete;
    Arena &operator=(const Arena &) = delete;

    std::vector<unsigned char> bytes() const
    {
        return std::vector<unsigned char>(base_, base_ + n_bytes_);
    }

    void *log() const
    {
        return base_ + 64;
    }

    unsigned check()
    {
        unsigned broken = slm_slab_check_locked(slab_);
        return broken != 0 ? broken : 100 + slm_journal_check(&journal);
    }

    unsigned char *base() const
    {
        return base_;
    }

    slm_slab *slab() const
    {
        return slab_;
    }

    slm_journal journal{};

  private:
    void map()
    {
        void *at =
            mmap(nullptr, n_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) {
            abort();
        }
        base_ = static_cast<unsigned char *>(at);
    }

    void open()
    {
        EXPECT_EQ(slm_slab_attach(&slab_, base_ + kSlabOffset, n_bytes_ - kSlabOffset, nullptr),
                  SLM_OK);
        EXPECT_EQ(slm_journal_attach(&journal, log(), kSlabOffset - 64, base_, slab_), SLM_OK);
    }

    size_t n_bytes_;
    unsigned char *base_ = nullptr;
    slm_slab *slab_ = nullptr;
};

constexpr unsigned kSound = 100;

/* Allocates an object filled with one value, as its own transaction. */
inline uint64_t *make(Arena &arena, size_t size_bytes, int value)
{
    void *p = slm_journal_alloc(&arena.journal, size_bytes);
    EXPECT_NE(p, nullptr);
    memset(p, value, slm_slab_usable_bytes(arena.slab(), p));
    EXPECT_EQ(slm_journal_commit(&arena.journal), SLM_OK);
    return static_cast<uint64_t *>(p);
}

} // namespace slm_test

#endif
