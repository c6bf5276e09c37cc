/* SPDX-License-Identifier: Apache-2.0 */
/* Flips every single bit of a small slab's metadata, and sorts and prints what happens then. */
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <sys/time.h>
#include <vector>

extern "C" {
#include "allocator/slab/view.h"
}

namespace {

struct Shape {
    const char *name;
    size_t page_bytes;
    unsigned per_doubling;
    size_t n_pages;
};

const Shape kShapes[] = {
    {"powers of two, 12 pages of 4 KiB", 4096, 1, 12},
    {"fine, 12 pages of 4 KiB", 4096, 8, 12},
    {"powers of two, 70 pages of 4 KiB", 4096, 1, 70},
    {"fine, 5 pages of 16 KiB", 16384, 4, 5},
};

class Region {
  public:
    explicit Region(const Shape &shape)
    {
        slm_slab_options options = {};
        options.page_bytes = shape.page_bytes;
        options.per_doubling = shape.per_doubling;
        options.name = "flip";
        bytes_ = slm_slab_region_bytes(&options, shape.n_pages);
        memory_ = static_cast<unsigned char *>(std::aligned_alloc(SLM_SLAB_REGION_ALIGN, bytes_));
        EXPECT_EQ(slm_slab_init(memory_, bytes_, &options), SLM_OK);
    }
    ~Region()
    {
        std::free(memory_);
    }
    Region(const Region &) = delete;
    Region &operator=(const Region &) = delete;
    unsigned char *memory()
    {
        return memory_;
    }
    size_t bytes() const
    {
        return bytes_;
    }

  private:
    unsigned char *memory_;
    size_t bytes_;
};

/* Objects of many sizes with holes between: spans full, partly used and kept; runs; free runs. */
std::vector<void *> populate(slm_slab *slab, size_t page_bytes)
{
    std::vector<void *> live;
    const size_t sizes[] = {8, 24, 8, 100, page_bytes / 2, page_bytes, 8, 700, page_bytes * 2, 33};
    for (int round = 0; round < 3; round++) {
        for (size_t size : sizes) {
            void *p = slm_slab_alloc(slab, size);
            if (p != nullptr) {
                live.push_back(p);
            }
        }
    }
    for (size_t i = 0; i < live.size(); i += 3) {
        EXPECT_EQ(slm_slab_free(slab, live[i]), SLM_OK);
        live[i] = nullptr;
    }
    void *lonely = slm_slab_alloc(slab, 300);
    if (lonely != nullptr) {
        EXPECT_EQ(slm_slab_free(slab, lonely), SLM_OK);
    }
    for (void *p : live) {
        if (p != nullptr) {
            EXPECT_EQ(slm_slab_set_root(slab, p), SLM_OK);
        }
    }
    return live;
}

/* Later use: what it sees, as text. Two regions that behave alike give the same text. */
std::string use(slm_slab *slab, const std::vector<void *> &live, size_t page_bytes)
{
    std::string seen;
    auto note = [&](uint64_t value) { seen += std::to_string(value) + " "; };
    note(slm_slab_offset(slab, slm_slab_root(slab)));
    for (void *p : live) {
        note(p == nullptr ? 0 : static_cast<uint64_t>(slm_slab_free(slab, p)));
    }
    note(slm_slab_check(slab));
    slm_slab_trim(slab);
    struct slm_slab_stats stats;
    slm_slab_get_stats(slab, &stats);
    note(stats.n_free_pages);
    note(stats.longest_free_run_pages);
    const size_t sizes[] = {8, 100, 700, 8, page_bytes / 2, page_bytes * 3, 24};
    std::map<uint64_t, size_t> taken;
    for (int round = 0; round < 6; round++) {
        for (size_t size : sizes) {
            taken[slm_slab_offset(slab, slm_slab_alloc(slab, size))] += size;
        }
    }
    /* Where free chunks are found first may differ; what is served may not. */
    note(taken.size());
    note(taken[0]);
    note(slm_slab_check(slab));
    slm_slab_reset(slab);
    note(slm_slab_check(slab));
    return seen;
}

struct Part {
    const char *name;
    size_t begin;
};

std::vector<Part> parts_of(slm_slab *slab)
{
    auto at = [&](const void *p) { return static_cast<size_t>(slm_slab_offset(slab, p)); };
    return {{"header, constant", 0},
            {"header, root and counters", at(&slab->header->root)},
            {"classes", at(slab->classes)},
            {"page descriptors", at(slab->pages)},
            {"bitmaps of lengths", at(slab->lengths[0])},
            {"bitmaps of chunks", at(slab->bitmaps)},
            {"end", slab->metadata_bytes}};
}

struct Tally {
    size_t refused = 0;
    size_t named = 0;
    size_t harmless = 0;
    size_t stopped = 0;
    std::map<unsigned, size_t> by_invariant;
};

void flip(unsigned char *bytes, size_t bit)
{
    bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] ^ (1u << bit % 8));
}

class Flips {
  public:
    explicit Flips(const Shape &shape) : shape_(shape), region_(shape)
    {
        EXPECT_EQ(slm_slab_attach(&slab_, region_.memory(), region_.bytes(), nullptr), SLM_OK);
        live_ = populate(slab_, shape.page_bytes);
        EXPECT_EQ(slm_slab_check(slab_), 0u);
        image_.assign(region_.memory(), region_.memory() + slab_->metadata_bytes);
        expected_ = use(slab_, live_, shape.page_bytes);
        restore();
    }
    ~Flips()
    {
        slm_slab_detach(slab_);
    }

    void run()
    {
        std::vector<Part> parts = parts_of(slab_);
        std::printf("%s, %zu bytes of metadata\n%-28s %8s %8s %8s %8s %8s\n", shape_.name,
                    slab_->metadata_bytes, "part", "bits", "refused", "named", "harmless",
                    "stopped");
        for (size_t i = 0; i + 1 < parts.size(); i++) {
            Tally tally;
            std::vector<size_t> silent;
            for (size_t bit = parts[i].begin * 8; bit < parts[i + 1].begin * 8; bit++) {
                if (!sort_flip(bit, &tally)) {
                    silent.push_back(bit);
                }
            }
            sort_silent(silent, &tally);
            print(parts[i].name, (parts[i + 1].begin - parts[i].begin) * 8, tally);
        }
    }

  private:
    void restore()
    {
        std::memcpy(region_.memory(), image_.data(), image_.size());
    }

    /* True if attach or check reports a fault. */
    bool sort_flip(size_t bit, Tally *tally)
    {
        flip(region_.memory(), bit);
        std::vector<unsigned char> flipped(region_.memory(),
                                           region_.memory() + slab_->metadata_bytes);
        slm_slab *fresh = nullptr;
        enum slm_status status =
            slm_slab_attach(&fresh, region_.memory(), region_.bytes(), nullptr);
        slm_slab_detach(fresh);
        unsigned named = slm_slab_check(slab_);
        EXPECT_EQ(std::memcmp(flipped.data(), region_.memory(), flipped.size()), 0)
            << "check or attach wrote, bit " << bit;
        EXPECT_TRUE(status == SLM_OK || named != 0) << "check misses what attach refuses " << bit;
        tally->refused += status != SLM_OK;
        tally->named += status == SLM_OK && named != 0;
        if (status == SLM_OK && named != 0) {
            tally->by_invariant[named]++;
        }
        restore();
        return named != 0;
    }

    /* Later use after each flip. It may stop in an assertion, so a child does it: as many flips as
     * it survives, a byte through the pipe for each. */
    void sort_silent(const std::vector<size_t> &bits, Tally *tally)
    {
        for (size_t done = 0; done < bits.size();) {
            int pipe_fds[2];
            ASSERT_EQ(pipe(pipe_fds), 0);
            pid_t child = fork();
            if (child == 0) {
                use_each(bits, done, pipe_fds[1]);
            }
            close(pipe_fds[1]);
            done += collect(pipe_fds[0], bits, done, tally);
            close(pipe_fds[0]);
            int status = 0;
            waitpid(child, &status, 0);
            if (done < bits.size()) {
                ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
                    << "later use crashed or hung instead of stopping: bit " << bits[done];
                tally->stopped++;
                done++;
            }
        }
    }

    [[noreturn]] void use_each(const std::vector<size_t> &bits, size_t first, int fd)
    {
        for (size_t i = first; i < bits.size(); i++) {
            /* Of processor time: on a busy machine the wall clock does not show a hang. */
            const itimerval a_minute = {{0, 0}, {60, 0}};
            (void)setitimer(ITIMER_PROF, &a_minute, nullptr);
            flip(region_.memory(), bits[i]);
            char verdict = use(slab_, live_, shape_.page_bytes) == expected_ ? 'y' : 'n';
            restore();
            if (write(fd, &verdict, 1) != 1) {
                _exit(1);
            }
        }
        _exit(0);
    }

    /* The number of verdicts. */
    static size_t collect(int fd, const std::vector<size_t> &bits, size_t first, Tally *tally)
    {
        size_t n = 0;
        for (char verdict; read(fd, &verdict, 1) == 1; n++) {
            size_t bit = bits[first + n];
            EXPECT_EQ(verdict, 'y')
                << "silent and harmful: bit " << bit % 8 << " of byte " << bit / 8;
            tally->harmless++;
        }
        return n;
    }

    static void print(const char *name, size_t n_bits, const Tally &tally)
    {
        std::printf("%-28s %8zu %8zu %8zu %8zu %8zu ", name, n_bits, tally.refused, tally.named,
                    tally.harmless, tally.stopped);
        for (auto &row : tally.by_invariant) {
            std::printf(" I%u:%zu", row.first, row.second);
        }
        std::printf("\n");
    }

    Shape shape_;
    Region region_;
    slm_slab *slab_ = nullptr;
    std::vector<void *> live_;
    std::vector<unsigned char> image_;
    std::string expected_;
};

class SlabBitFlip : public testing::TestWithParam<Shape> {};

TEST_P(SlabBitFlip, IsRefusedNamedOrHarmless)
{
    Flips flips(GetParam());
    flips.run();
}

INSTANTIATE_TEST_SUITE_P(Shapes, SlabBitFlip, testing::ValuesIn(kShapes),
                         [](const auto &shape) { return "Shape" + std::to_string(shape.index); });

} // namespace
