/* SPDX-License-Identifier: Apache-2.0 */
/* Slab: regions that hold an image which was cut, altered, or made by an attacker. */
#include <gtest/gtest.h>

#include <sys/mman.h>

#include <cstddef>
#include <cstring>
#include <functional>
#include <random>
#include <set>
#include <vector>

#include "tests/slab/fixture.h"

namespace {

using namespace slabtest;

constexpr size_t kConstantBytes = offsetof(slab_header, root);

/* A furnished slab's region, altered in one mapping and attached in one that only reads. */
class SlabImage : public testing::Test {
  protected:
    SlabImage() : f({4096, 8, 8, 16}, 90), twin(f.slab.region.twin()), reader(attach(twin))
    {
        must(slm_slab_set_root(f.slab, f.run) == SLM_OK, "root");
        twin.protect(PROT_READ);
        sound = f.slab.region.snapshot();
    }
    slm_status open(size_t bytes)
    {
        slm_slab *slab = nullptr;
        slm_status status = slm_slab_attach(&slab, twin.base(), bytes, nullptr);
        EXPECT_EQ(slab != nullptr, status == SLM_OK);
        slm_slab_detach(slab);
        return status;
    }
    slm_status open()
    {
        return open(twin.bytes());
    }
    unsigned char *bytes() const
    {
        return f.slab.region.base();
    }
    slab_header *header() const
    {
        return reinterpret_cast<slab_header *>(bytes());
    }
    void restore()
    {
        std::memcpy(bytes(), sound.data(), metadata_bytes());
    }
    size_t metadata_bytes() const
    {
        return reader->metadata_bytes;
    }
    size_t offset_of(const void *part) const
    {
        return static_cast<size_t>(static_cast<const unsigned char *>(part) - twin.base());
    }
    /* An altered header with a right checksum: only its values can show the fault. */
    slm_status open_resealed(const std::function<void(slab_header *)> &alter)
    {
        alter(header());
        header()->checksum = slm_slab_layout_checksum(header());
        slm_status status = open();
        restore();
        return status;
    }
    Furnished f;
    Region twin;
    View reader;
    std::vector<unsigned char> sound;
};

/* --- The constant part --- */

TEST_F(SlabImage, AnyFlippedBitOfTheConstantPartIsNoticed)
{
    for (size_t at = 0; at < kConstantBytes; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes()[at] ^= static_cast<unsigned char>(1u << bit);
            ASSERT_EQ(open(), SLM_E_IMAGE) << "byte " << at << ", bit " << bit;
            ASSERT_EQ(slm_slab_check(reader.get()), 1u);
            restore();
        }
    }
    EXPECT_EQ(open(), SLM_OK);
}

TEST_F(SlabImage, AnyChangedByteOfTheConstantPartIsNoticed)
{
    for (size_t at = 0; at < kConstantBytes; at++) {
        for (unsigned add = 1; add < 256; add++) {
            bytes()[at] = static_cast<unsigned char>(bytes()[at] + 1);
            ASSERT_EQ(open(), SLM_E_IMAGE) << "byte " << at << " plus " << add;
        }
        restore();
    }
}

TEST_F(SlabImage, AttachDoesNotReadTheVariablePart)
{
    std::memset(bytes() + kConstantBytes, 0xff, metadata_bytes() - kConstantBytes);
    EXPECT_EQ(open(), SLM_OK);
    EXPECT_NE(slm_slab_check(reader.get()), 0u);
}

TEST_F(SlabImage, WrongMagicVersionAndHeaderSizeAreRefusedThoughSealed)
{
    EXPECT_EQ(open_resealed([](slab_header *h) { h->magic = 0; }), SLM_E_IMAGE);
    EXPECT_EQ(open_resealed([](slab_header *h) { h->magic = __builtin_bswap64(h->magic); }),
              SLM_E_IMAGE);
    for (uint32_t version : {0u, SLAB_VERSION + 1, UINT32_MAX}) {
        EXPECT_EQ(open_resealed([=](slab_header *h) { h->version = version; }), SLM_E_IMAGE);
    }
    for (uint32_t n_bytes : {0u, 8u, 128u, 144u, 4096u, UINT32_MAX}) {
        if (n_bytes != sizeof(slab_header)) {
            EXPECT_EQ(open_resealed([=](slab_header *h) { h->header_bytes = n_bytes; }),
                      SLM_E_IMAGE);
        }
    }
}

TEST_F(SlabImage, ANameWithoutEndIsRefusedThoughSealed)
{
    EXPECT_EQ(open_resealed([](slab_header *h) { std::memset(h->name, 'n', sizeof h->name); }),
              SLM_E_IMAGE);
}

/* Each field of the shape on its own. */
TEST_F(SlabImage, OptionsOutOfRangeAreRefusedThoughSealed)
{
    std::vector<uint32_t> values = {4096, 1u << 31, (1u << 31) - 1, UINT32_MAX - 1, UINT32_MAX};
    for (uint32_t value = 0; value < 300; value++) {
        values.push_back(value);
    }
    for (uint32_t slab_shape::*field :
         {&slab_shape::page_shift, &slab_shape::min_shift, &slab_shape::per_doubling,
          &slab_shape::gap_bytes, &slab_shape::max_pages, &slab_shape::n_classes}) {
        for (uint32_t value : values) {
            bool same = header()->shape.*field == value;
            /* Another gap makes another slab of the same layout: attach cannot detect that. */
            bool is_gap = field == &slab_shape::gap_bytes && value <= 64;
            slm_status status = open_resealed([=](slab_header *h) { h->shape.*field = value; });
            EXPECT_EQ(status, same || is_gap ? SLM_OK : SLM_E_IMAGE) << value;
        }
    }
}

TEST_F(SlabImage, AnotherRegionSizeIsRefusedThoughSealed)
{
    uint64_t truth = header()->shape.region_bytes;
    for (uint64_t size :
         {uint64_t{0}, uint64_t{1}, uint64_t{4096}, truth + 4096, truth * 2, uint64_t{1} << 43,
          uint64_t{1} << 44, uint64_t{1} << 63, UINT64_MAX - 4095, UINT64_MAX}) {
        EXPECT_EQ(open_resealed([=](slab_header *h) { h->shape.region_bytes = size; }), SLM_E_IMAGE)
            << size;
    }
}

/* max_bytes that is less than a page larger makes the same layout: attach cannot detect that. */
TEST_F(SlabImage, AnotherLongestSizeIsRefusedThoughSealed)
{
    uint64_t truth = header()->shape.max_bytes;
    for (uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{4096}, truth / 2, truth - 4096,
                          truth + 8192, truth * 2, uint64_t{1} << 43, uint64_t{1} << 44,
                          uint64_t{1} << 63, UINT64_MAX - 4095, UINT64_MAX}) {
        EXPECT_EQ(open_resealed([=](slab_header *h) { h->shape.max_bytes = size; }), SLM_E_IMAGE)
            << size;
    }
}

/* Sealed headers of random shape: every view that attach opens is inside the region. */
TEST_F(SlabImage, RandomSealedShapesOpenOnlyIfTheyFitTheRegion)
{
    std::mt19937 random(5);
    for (int i = 0; i < 3000; i++) {
        slab_shape shape = header()->shape;
        auto below = [&](unsigned n) { return static_cast<uint32_t>(random() % n); };
        shape.page_shift = 10 + below(8);
        shape.min_shift = 2 + below(6);
        shape.per_doubling = 1u << below(6);
        shape.gap_bytes = below(70);
        shape.region_bytes = random() % 3 == 0 ? random() : shape.region_bytes;
        shape.max_bytes = random() % 3 == 0 ? random() : shape.max_bytes;
        header()->n_pages = random() % 3 == 0 ? slab_pages_seal(below(100)) : header()->n_pages;
        if (random() % 2 == 0) {
            shape.max_pages = below(100);
        }
        header()->shape = shape;
        header()->checksum = slm_slab_layout_checksum(header());
        slm_slab *slab = nullptr;
        if (slm_slab_attach(&slab, twin.base(), twin.bytes(), nullptr) == SLM_OK) {
            unsigned char *end = slab->memory + (size_t{slab->n_pages} << shape.page_shift);
            ASSERT_LE(end, twin.base() + twin.bytes());
            slm_slab_check(slab);
        }
        slm_slab_detach(slab);
        restore();
    }
}

/* --- Cut --- */

TEST_F(SlabImage, ARegionShorterThanTheImageIsRefused)
{
    for (size_t n = 0; n < twin.bytes(); n += n < 2 * sizeof(slab_header) ? 1 : 1021) {
        ASSERT_EQ(open(n), SLM_E_SIZE) << n;
    }
    EXPECT_EQ(open(twin.bytes() - 1), SLM_E_SIZE);
}

/* A file that was cut and grown again holds zeros from some place on. */
TEST_F(SlabImage, AnImageThatEndsInZerosIsRefusedOrFailsTheCheck)
{
    size_t last_descriptor = offset_of(reader->pages + 89);
    for (size_t cut = 0; cut < last_descriptor; cut++) {
        std::memset(bytes() + cut, 0, metadata_bytes() - cut);
        slm_status status = open();
        ASSERT_TRUE(status == SLM_E_IMAGE || (status == SLM_OK && cut >= kConstantBytes - 8))
            << cut;
        ASSERT_NE(slm_slab_check(reader.get()), 0u) << cut;
        restore();
    }
}

/* --- The variable part --- */

/* Values that links, lengths and counters might be mistaken for. */
uint64_t nasty_value(std::mt19937 &random)
{
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      63,
                                      64,
                                      89,
                                      90,
                                      91,
                                      0xff,
                                      0xffff,
                                      0x10000,
                                      0x7fffffff,
                                      0x80000000,
                                      0xfffffffe,
                                      0xffffffff,
                                      uint64_t{1} << 32,
                                      uint64_t{90} << 32 | 1,
                                      uint64_t{1} << 32 | 3,
                                      uint64_t{1} << 63,
                                      UINT64_MAX};
    uint64_t any = uint64_t{random()} << 32 | random();
    return random() % 4 == 0 ? any : values[random() % (sizeof values / sizeof values[0])];
}

class SlabImageFuzz : public SlabImage {
  protected:
    /* Overwrites 1, 2, 4 or 8 bytes of the metadata after the constant part. */
    void corrupt_somewhere()
    {
        size_t width = size_t{1} << random() % 4;
        size_t descriptors = offset_of(reader->lengths[0]);
        size_t most = random() % 3 == 0 ? metadata_bytes() : descriptors;
        size_t at = kConstantBytes + random() % (most - kConstantBytes);
        at = at / width * width < kConstantBytes ? kConstantBytes : at / width * width;
        uint64_t value = nasty_value(random);
        std::memcpy(bytes() + at, &value, width);
    }
    std::mt19937 random{17};
};

TEST_F(SlabImageFuzz, TheCheckReturnsOnAnyOverwriteAndWritesNothing)
{
    std::set<unsigned> answers;
    for (int i = 0; i < 20000; i++) {
        size_t n = 1 + random() % 4;
        for (size_t k = 0; k < n; k++) {
            corrupt_somewhere();
        }
        unsigned broken = slm_slab_check(reader.get());
        ASSERT_LE(broken, 12u);
        answers.insert(broken);
        restore();
    }
    EXPECT_GE(answers.size(), 10u) << "a load that breaks few invariants";
    EXPECT_EQ(slm_slab_check(reader.get()), 0u);
}

TEST_F(SlabImageFuzz, TheCheckReturnsOnARegionWithAnyContents)
{
    for (int i = 0; i < 300; i++) {
        for (size_t at = kConstantBytes / 8 * 8; at < metadata_bytes(); at += 8) {
            uint64_t value = nasty_value(random);
            std::memcpy(bytes() + at, &value, 8);
        }
        std::memcpy(bytes(), sound.data(), kConstantBytes);
        ASSERT_NE(slm_slab_check(reader.get()), 0u);
        restore();
    }
}

/* A region that rebuilding accepts passes the check afterwards, but for the root that it keeps. */
TEST_F(SlabImageFuzz, RebuildingRefusesOrMakesTheListsSound)
{
    int n_refused = 0;
    for (int i = 0; i < 5000; i++) {
        corrupt_somewhere();
        if (slm_slab_rebuild_locked(f.slab) == SLM_OK) {
            unsigned broken = slm_slab_check(reader.get());
            ASSERT_TRUE(broken == 0 || broken == 1 || broken >= 10) << broken;
        } else {
            n_refused++;
        }
        restore();
    }
    EXPECT_GT(n_refused, 10);
}

} /* namespace */
