/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of a zone and the zone itself: the same bytes are accepted, checked and repaired alike,
 * whichever word of them is damaged. */
#include <memory>
#include <random>

#include "allocator/lock/word.h"
#include "tests/zone/fixture.h"
#include <slabmill/zone_image.h>

extern "C" {
#include "allocator/slab/view.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" /* a flexible array */
#include "allocator/journal/log.h"
#pragma GCC diagnostic pop
}

namespace {

using namespace slm_test;

using Bytes = std::vector<unsigned char>;

/* Page-aligned memory with the same bytes, and the handles of an image there. */
class Copy {
  public:
    explicit Copy(const Bytes &bytes)
        : memory_(static_cast<unsigned char *>(std::aligned_alloc(4096, bytes.size())), std::free)
    {
        memcpy(memory_.get(), bytes.data(), bytes.size());
        status_ = slm_zone_image_read(&image_, memory_.get(), bytes.size(), "copy", nullptr);
        if (status_ == SLM_OK && image_.bytes > bytes.size()) {
            status_ = SLM_E_TRUNCATED; /* what its caller finds */
        }
        if (status_ == SLM_OK) {
            status_ = slm_zone_image_open(&image_, memory_.get(), &slab_, &journal_);
        }
    }
    ~Copy()
    {
        slm_journal_detach(&journal_);
        slm_slab_detach(slab_);
    }
    Copy(const Copy &) = delete;
    Copy &operator=(const Copy &) = delete;

    slm_status status() const
    {
        return status_;
    }
    unsigned check()
    {
        return slm_zone_image_check(&image_, slab_, &journal_);
    }
    slm_status repair()
    {
        return slm_zone_image_repair(&image_, slab_, &journal_);
    }
    const unsigned char *base() const
    {
        return memory_.get();
    }
    size_t bytes() const
    {
        return static_cast<size_t>(image_.bytes);
    }

  private:
    std::unique_ptr<unsigned char, decltype(&std::free)> memory_;
    slm_zone_image image_{};
    slm_slab *slab_ = nullptr;
    slm_journal journal_{};
    slm_status status_ = SLM_E_NULL;
};

/* What the last holder left. */
enum Scene { kQuiet, kUnfinished, kCommitted, kGrown, kScenes };

class ZoneImageLaws : public testing::TestWithParam<int> {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_MEMFD)), SLM_OK) << zone.error.text;
        for (uint64_t i = 0; i < 40; i++) {
            ASSERT_EQ(push_alone(zone, i), SLM_OK);
        }
        slm_status status = SLM_OK;
        run = slm_zone_alloc(zone, 20000, &status);
        ASSERT_EQ(slm_zone_free(zone, slm_zone_alloc(zone, 9000, &status)), SLM_OK);
        leave(static_cast<Scene>(GetParam()));
        zone.header()->lock.word = SLM_LOCK_REPAIR; /* the holder has died */
        n_bytes = static_cast<size_t>(zone.header()->bytes);
        left.assign(zone.base(), zone.base() + n_bytes);
    }

    void leave(Scene scene)
    {
        if (scene == kUnfinished || scene == kCommitted) {
            leave_a_transaction();
        }
        if (scene == kCommitted) {
            zone.journal()->log->state |= JOURNAL_COMMITTED;
        }
        if (scene == kGrown) {
            leave_a_growth();
        }
    }
    void leave_a_transaction()
    {
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
        EXPECT_TRUE(push(zone, 100));
        EXPECT_TRUE(pop(zone) && pop(zone) && pop(zone));
        EXPECT_NE(slm_journal_alloc(zone.journal(), 5000), nullptr);
        EXPECT_EQ(slm_journal_free(zone.journal(), run), SLM_OK);
        auto *link = static_cast<Link *>(slm_zone_root_locked(zone));
        EXPECT_EQ(slm_journal_write(zone.journal(), &link->filler[3], 9), SLM_OK);
    }
    /* The zone's length is stored, the slab's pages are not added. */
    void leave_a_growth()
    {
        size_t offset = static_cast<size_t>(zone.zone->fixed.slab_offset);
        size_t end = offset + zone.zone->slab->metadata_bytes;
        Bytes before(zone.base() + offset, zone.base() + end);
        ASSERT_EQ(slm_zone_grow(zone, kZoneMaxBytes, &zone.error), SLM_OK) << zone.error.text;
        memcpy(zone.base() + offset, before.data(), before.size());
    }

    /* Everything but the lock: header, log and metadata of the slab; holes are left out. */
    std::vector<size_t> words_to_damage() const
    {
        std::vector<size_t> words;
        size_t end =
            static_cast<size_t>(zone.zone->fixed.slab_offset) + zone.zone->slab->metadata_bytes;
        std::mt19937 random(static_cast<unsigned>(GetParam()));
        for (size_t at = 0; at < end; at += sizeof(uint64_t)) {
            bool is_lock = at >= offsetof(zone_header, lock) && at < sizeof(zone_header);
            uint64_t word;
            memcpy(&word, &left[at], sizeof word);
            if (!is_lock && (word != 0 || random() % 16 == 0)) {
                words.push_back(at);
            }
        }
        return words;
    }
    static uint64_t damage(uint64_t word, unsigned how, std::mt19937 &random)
    {
        switch (how) {
        case 0:
            return word ^ uint64_t { 1 } << random() % 64;
        case 1:
            return slab_word(static_cast<enum slab_word_kind>(random() % 7), 0,
                             1 + static_cast<uint32_t>(random() % 4));
        default:
            return word == 0 ? UINT64_MAX : 0;
        }
    }
    /* Stores the bytes in the zone's segment. */
    void put(const Bytes &bytes) const
    {
        memcpy(zone.base(), bytes.data(), bytes.size());
    }

    void expect_alike(const Bytes &bytes, const std::string &what)
    {
        put(bytes);
        expect_accepted_and_checked_alike(bytes, what);
        expect_repaired_alike(bytes, what);
    }
    /* With another word at that offset. */
    void expect_alike_with(size_t at, uint64_t word)
    {
        Bytes bytes = left;
        memcpy(&bytes[at], &word, sizeof word);
        expect_alike(bytes, "word at " + std::to_string(at) + " becomes " + std::to_string(word));
    }
    void expect_accepted_and_checked_alike(const Bytes &bytes, const std::string &what)
    {
        Copy copy(bytes);
        Zone reader;
        slm_zone_attach_options options = all.to_attach(zone);
        options.segment.read_only = true;
        slm_status status = reader.attach(options);
        ASSERT_EQ(copy.status() == SLM_OK, status == SLM_OK)
            << what << ": " << slm_status_name(copy.status()) << ", " << reader.error.text;
        if (status == SLM_OK) {
            n_accepted++;
            ASSERT_EQ(copy.check(), slm_zone_check_locked(reader)) << what;
        }
    }
    void expect_repaired_alike(const Bytes &bytes, const std::string &what)
    {
        Copy copy(bytes);
        Zone writer;
        slm_status attached = writer.attach(all.to_attach(zone));
        ASSERT_TRUE(attached != SLM_OK || copy.status() == SLM_OK) << what;
        if (attached != SLM_OK) {
            return;
        }
        slm_status repaired = copy.repair();
        slm_status locked = slm_zone_lock(writer);
        ASSERT_EQ(locked == SLM_OK, repaired == SLM_OK)
            << what << ": " << slm_status_name(locked) << ", " << slm_status_name(repaired);
        if (locked != SLM_OK) {
            ASSERT_EQ(locked, SLM_E_BROKEN) << what;
            return;
        }
        n_repaired++;
        ASSERT_EQ(memcmp(writer.base() + ZONE_JOURNAL_OFFSET, copy.base() + ZONE_JOURNAL_OFFSET,
                         copy.bytes() - ZONE_JOURNAL_OFFSET),
                  0)
            << what;
        ASSERT_EQ(slm_zone_check_locked(writer), copy.check()) << what;
        EXPECT_EQ(slm_zone_unlock(writer), SLM_OK);
    }

    ZoneOptions all;
    Zone zone;
    void *run = nullptr;
    size_t n_bytes = 0;
    Bytes left; /* what the dead holder left */
    unsigned n_accepted = 0;
    unsigned n_repaired = 0;
};

TEST_P(ZoneImageLaws, HoldForWhatADeathLeaves)
{
    expect_alike(left, "nothing is damaged");
    EXPECT_EQ(n_accepted + n_repaired, 2u);
    Copy copy(left);
    EXPECT_EQ(copy.repair(), SLM_OK);
    EXPECT_EQ(copy.check(), 0u);
}

TEST_P(ZoneImageLaws, HoldWhicheverWordIsDamaged)
{
    std::mt19937 random(3);
    auto how = static_cast<unsigned>(GetParam());
    for (size_t at : words_to_damage()) {
        uint64_t word;
        memcpy(&word, &left[at], sizeof word);
        ASSERT_NO_FATAL_FAILURE(expect_alike_with(at, damage(word, how++ % 3, random)));
    }
    EXPECT_GT(n_accepted, 100u);
    EXPECT_GT(n_repaired, 100u);
}

/* Values that one inverted bit does not make. */
TEST_P(ZoneImageLaws, HoldForValuesThatCouldBeRight)
{
    size_t log = ZONE_JOURNAL_OFFSET;
    auto slab = static_cast<size_t>(zone.zone->fixed.slab_offset);
    uint32_t n_pages = zone.zone->slab->n_pages;
    uint32_t max_pages = zone.zone->slab->shape.max_pages;
    std::vector<std::pair<size_t, std::vector<uint64_t>>> values = {
        {offsetof(zone_header, state), {ZONE_BROKEN, ZONE_MAKING}},
        {offsetof(zone_header, bytes),
         {n_bytes - 4096, n_bytes + 4096, slab + 4096, kZoneMaxBytes, kZoneMaxBytes + 4096}},
        {log + offsetof(slm_journal_log, n_max), {64, 128, 257, 1u << 20}},
        {log + offsetof(slm_journal_log, state), {1, 256, 257, JOURNAL_COMMITTED}},
        {log + offsetof(slm_journal_log, root), {slab, slab + n_bytes / 2, n_bytes}},
        {slab + offsetof(slab_header, n_pages),
         {slab_pages_seal(1), slab_pages_seal(n_pages - 1), slab_pages_seal(n_pages + 1),
          slab_pages_seal(max_pages), slab_pages_seal(max_pages + 1)}},
    };
    for (const auto &[at, words] : values) {
        for (uint64_t word : words) {
            ASSERT_NO_FATAL_FAILURE(expect_alike_with(at, word));
        }
    }
    EXPECT_GT(n_accepted, 5u);
}

std::string name_scene(const testing::TestParamInfo<int> &info)
{
    const char *const names[] = {"Quiet", "Unfinished", "Committed", "Grown"};
    return names[info.param];
}

INSTANTIATE_TEST_SUITE_P(Scene, ZoneImageLaws, testing::Range(0, static_cast<int>(kScenes)),
                         name_scene);

} // namespace
