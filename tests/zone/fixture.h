/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of zones: options of each kind, handles that detach themselves, pictures. */
#ifndef SLM_TESTS_ZONE_FIXTURE_H
#define SLM_TESTS_ZONE_FIXTURE_H

#include <csignal>
#include <ostream>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "tests/segment/fixture.h"
#include <slabmill/zone.h>

extern "C" {
#include "allocator/zone/handle.h"
}

namespace slm_test {

constexpr size_t kZoneBytes = 256 * 1024;
constexpr size_t kZoneMaxBytes = 1024 * 1024;

inline const slm_lock_kind kEveryLock[] = {SLM_LOCK_ROBUST, SLM_LOCK_SPIN_SEM, SLM_LOCK_FILE};

/* Options for zones with unique names, which are removed after the test. */
class ZoneOptions {
  public:
    explicit ZoneOptions(size_t bytes = kZoneBytes, size_t max_bytes = kZoneMaxBytes)
        : segment_(bytes, max_bytes), bytes_(bytes), max_bytes_(max_bytes),
          lock_path_(segment_.folder() / "lock")
    {
    }

    slm_zone_options of(Kind kind, slm_lock_kind lock = SLM_LOCK_ROBUST) const
    {
        slm_zone_options options{};
        options.name = "keys";
        options.tag = "test v1";
        options.bytes = bytes_;
        options.max_bytes = max_bytes_;
        options.lock_kind = lock;
        options.lock_path = lock == SLM_LOCK_FILE ? lock_path_.c_str() : nullptr;
        options.journal_entries = 256;
        options.segment = segment_.of(kind);
        options.segment.bytes = options.segment.max_bytes = 0;
        return options;
    }

    slm_zone_attach_options to_attach(const slm_zone *zone) const
    {
        slm_zone_attach_options options{};
        options.segment = segment_.to_attach(slm_zone_segment(zone));
        options.segment.max_bytes = 0;
        options.lock_path = lock_path_.c_str();
        return options;
    }

    std::string path(Kind kind) const
    {
        return kind == SLM_SEGMENT_POSIX ? segment_.posix().path() : segment_.folder() / "file";
    }

    const Folder &folder() const
    {
        return segment_.folder();
    }

  private:
    Options segment_;
    size_t bytes_;
    size_t max_bytes_;
    std::string lock_path_;
};

/* A handle that is detached at the end. */
struct Zone {
    slm_zone *zone = nullptr;
    slm_error error{};

    Zone() = default;
    ~Zone()
    {
        slm_zone_detach(zone);
    }
    Zone(const Zone &) = delete;
    Zone &operator=(const Zone &) = delete;

    operator slm_zone *() const
    {
        return zone;
    }
    slm_status create(const slm_zone_options &options)
    {
        return slm_zone_create(&zone, &options, &error);
    }
    slm_status attach(const slm_zone_attach_options &options)
    {
        return slm_zone_attach(&zone, &options, &error);
    }
    void detach()
    {
        slm_zone_detach(zone);
        zone = nullptr;
    }
    slm_journal *journal() const
    {
        return slm_zone_journal(zone);
    }
    zone_header *header() const
    {
        return zone->header;
    }
    unsigned char *base() const
    {
        return static_cast<unsigned char *>(slm_segment_base(slm_zone_segment(zone)));
    }
    struct slm_zone_stats stats() const
    {
        struct slm_zone_stats stats = {};
        slm_zone_get_stats(zone, &stats);
        return stats;
    }
};

/* Counts the live objects in pages of either length. */
inline size_t count_objects(slm_slab *slab)
{
    size_t n = 0;
    slm_slab_walk_locked(
        slab,
        [](void *data, const slm_slab_extent *extent) {
            *static_cast<size_t *>(data) +=
                extent->kind == SLM_SLAB_EXTENT_RUN ? 1 : extent->n_used;
            return true;
        },
        &n);
    return n;
}

/* A list of numbered links at the root: content that a fault could lose. */
struct Link {
    uint64_t next;
    uint64_t number;
    uint64_t filler[6];
};

/* Pushes a link to the front. The caller holds the lock. */
inline bool push(slm_zone *zone, uint64_t number)
{
    slm_journal *journal = slm_zone_journal(zone);
    auto *link = static_cast<Link *>(slm_journal_alloc(journal, sizeof(Link)));
    if (link == nullptr) {
        return false;
    }
    *link = {slm_journal_offset(journal, slm_zone_root_locked(zone)), number, {number}};
    return slm_zone_set_root_locked(zone, link) == SLM_OK;
}

/* Pops the front link. The caller holds the lock. */
inline bool pop(slm_zone *zone)
{
    slm_journal *journal = slm_zone_journal(zone);
    auto *link = static_cast<Link *>(slm_zone_root_locked(zone));
    void *next = link == nullptr ? nullptr : slm_journal_pointer(journal, link->next);
    return link != nullptr && slm_zone_set_root_locked(zone, next) == SLM_OK &&
           slm_journal_free(journal, link) == SLM_OK;
}

inline std::vector<uint64_t> numbers(slm_zone *zone)
{
    std::vector<uint64_t> result;
    slm_journal *journal = slm_zone_journal(zone);
    for (auto *link = static_cast<Link *>(slm_zone_root_locked(zone)); link != nullptr;
         link = static_cast<Link *>(slm_journal_pointer(journal, link->next))) {
        result.push_back(link->filler[0] == link->number ? link->number : UINT64_MAX);
    }
    return result;
}

/* Does the same, and takes the lock for it. */
inline slm_status push_alone(slm_zone *zone, uint64_t number)
{
    slm_status status = slm_zone_lock(zone);
    if (status == SLM_OK) {
        status = push(zone, number) ? SLM_OK : SLM_E_NOMEM;
        (void)slm_zone_unlock(zone);
    }
    return status;
}

/* A child of fork takes the lock, adds a link, and dies. */
inline void expect_death_in_turn(slm_zone *zone)
{
    EXPECT_EQ(in_child([&] {
                  bool is_ready = slm_zone_lock(zone) == SLM_OK && push(zone, 1);
                  raise(is_ready ? SIGKILL : SIGTERM);
                  return 0;
              }),
              128 + SIGKILL);
}

inline std::vector<uint64_t> numbers_alone(slm_zone *zone)
{
    std::vector<uint64_t> result;
    if (slm_zone_lock(zone) == SLM_OK) {
        result = numbers(zone);
        (void)slm_zone_unlock(zone);
    }
    return result;
}

inline unsigned check_alone(slm_zone *zone)
{
    if (slm_zone_lock(zone) != SLM_OK) {
        return UINT32_MAX;
    }
    unsigned broken = slm_zone_check_locked(zone);
    (void)slm_zone_unlock(zone);
    return broken;
}

/* A free page whose memory cannot be read, as where a trim left a hole and the system has no memory
 * for it. The caller holds the lock; nothing is noted in the turn. */
class UnreadablePage {
  public:
    explicit UnreadablePage(Zone &in) : journal_(in.journal())
    {
        page_ = slm_journal_memalign(journal_, kPage, kPage);
        EXPECT_NE(page_, nullptr);
        slm_zone_abort_locked(in);
        EXPECT_EQ(mprotect(page_, kPage, PROT_NONE), 0);
    }
    ~UnreadablePage()
    {
        EXPECT_EQ(mprotect(page_, kPage, PROT_READ | PROT_WRITE), 0);
    }
    UnreadablePage(const UnreadablePage &) = delete;
    UnreadablePage &operator=(const UnreadablePage &) = delete;
    uint64_t offset() const
    {
        return slm_journal_offset(journal_, page_);
    }

  private:
    static constexpr size_t kPage = 4096;
    slm_journal *journal_;
    void *page_;
};

using Numbers = std::vector<uint64_t>;

} // namespace slm_test

#endif
