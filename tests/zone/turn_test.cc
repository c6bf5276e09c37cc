/* SPDX-License-Identifier: Apache-2.0 */
/* How a turn ends, and how it gets memory in a zone that is full. */
#include "tests/zone/fixture.h"

extern "C" {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" /* a flexible array */
#include "allocator/journal/log.h"
#pragma GCC diagnostic pop
#include "allocator/slab/view.h"
}

#include <pthread.h>

#include <functional>
#include <thread>

namespace {

using namespace slm_test;

class ZoneTurn : public testing::Test {
  protected:
    ZoneOptions all;
    Zone zone;
    void SetUp() override
    {
        ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_MEMFD)), SLM_OK) << zone.error.text;
        ASSERT_EQ(push_alone(zone, 1), SLM_OK);
        ASSERT_EQ(push_alone(zone, 2), SLM_OK);
    }
    bool is_locked() const
    {
        return slm_lock_is_mine(slm_zone_lock_handle(zone));
    }
    /* Pushes until no memory is free, and leaves the lock held with nothing noted. */
    void fill(size_t object_bytes = sizeof(Link))
    {
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
        for (;;) {
            auto *link = static_cast<Link *>(slm_journal_alloc(zone.journal(), object_bytes));
            if (link == nullptr) {
                break;
            }
            *link = {slm_journal_offset(zone.journal(), slm_zone_root_locked(zone)), 3, {3}};
            ASSERT_EQ(slm_zone_set_root_locked(zone, link), SLM_OK);
            ASSERT_EQ(slm_zone_commit_locked(zone), SLM_OK);
        }
    }
};

/* --- The end of a turn --- */

TEST_F(ZoneTurn, EndWithOkCommitsAndUnlocks)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_TRUE(push(zone, 3));
    EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
    EXPECT_FALSE(is_locked());
    EXPECT_EQ(numbers_alone(zone), (Numbers{3, 2, 1}));
}

TEST_F(ZoneTurn, EndWithAnyOtherStatusUndoesUnlocksAndReturnsIt)
{
    for (int code = SLM_OK + 1; code < SLM_STATUS_COUNT; code++) {
        const auto status = static_cast<slm_status>(code);
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
        ASSERT_TRUE(push(zone, 3));
        ASSERT_TRUE(pop(zone));
        ASSERT_TRUE(pop(zone));
        EXPECT_EQ(slm_zone_end(zone, status), status);
        EXPECT_FALSE(is_locked());
        ASSERT_EQ(numbers_alone(zone), (Numbers{2, 1})) << slm_status_name(status);
    }
    EXPECT_EQ(zone.stats().n_recoveries, 0u);
}

TEST_F(ZoneTurn, EndReturnsWhyTheCommitFailed)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    while (slm_journal_has_room(zone.journal(), 1)) {
        ASSERT_TRUE(push(zone, 3) || !slm_journal_has_room(zone.journal(), 0));
    }
    (void)push(zone, 4);
    EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_E_FULL);
    EXPECT_FALSE(is_locked());
    EXPECT_EQ(numbers_alone(zone), (Numbers{2, 1}));
}

TEST_F(ZoneTurn, EndWithoutTheLockChangesNothing)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_TRUE(push(zone, 3));
    std::thread([&] {
        EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_E_OWNER);
        EXPECT_EQ(slm_zone_end(zone, SLM_E_NOMEM), SLM_E_NOMEM);
    }).join();
    EXPECT_TRUE(is_locked());
    EXPECT_EQ(numbers(zone), (Numbers{3, 2, 1}));
    EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
    EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_E_OWNER);
    EXPECT_EQ(slm_zone_end(zone, SLM_E_TIMEOUT), SLM_E_TIMEOUT);
    EXPECT_EQ(numbers_alone(zone), (Numbers{3, 2, 1}));
}

/* --- Evict, commit, allocate --- */

/* Evicts the last link, the oldest, and counts. */
struct Evictor {
    unsigned n = 0;
    std::function<bool(slm_zone *)> more; /* NULL: nothing more */
};

bool evict_oldest(slm_zone *zone, void *data)
{
    auto *evictor = static_cast<Evictor *>(data);
    slm_journal *journal = slm_zone_journal(zone);
    evictor->n++;
    uint64_t *to_last = nullptr;
    auto *link = static_cast<Link *>(slm_zone_root_locked(zone));
    while (link != nullptr && link->next != 0) {
        to_last = &link->next;
        link = static_cast<Link *>(slm_journal_pointer(journal, link->next));
    }
    if (link == nullptr) {
        return false;
    }
    bool is_done = to_last == nullptr ? slm_zone_set_root_locked(zone, nullptr) == SLM_OK
                                      : slm_journal_write(journal, to_last, 0) == SLM_OK;
    is_done = is_done && slm_journal_free(journal, link) == SLM_OK;
    return is_done && (evictor->more == nullptr || evictor->more(zone));
}

/* The first thing that every program tries: without a commit in between no memory becomes free.
 * The journal runs full, which is a status and not the end of the process. */
TEST_F(ZoneTurn, FreesAndAllocationsInOneTransactionEndInAStatus)
{
    fill();
    const Numbers before = numbers(zone);
    void *p = nullptr;
    while (slm_zone_root_locked(zone) != nullptr && pop(zone)) {
        p = slm_journal_alloc(zone.journal(), sizeof(Link));
        ASSERT_EQ(p, nullptr);
    }
    EXPECT_FALSE(slm_journal_has_room(zone.journal(), 0));
    EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_E_FULL);
    EXPECT_EQ(numbers_alone(zone), before);
}

TEST_F(ZoneTurn, AllocEvictingEvictsNothingWhileMemoryIsFree)
{
    Evictor evictor;
    slm_status status = SLM_E_IO;
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    void *p = slm_zone_alloc_evicting_locked(zone, sizeof(Link), evict_oldest, &evictor, &status);
    EXPECT_NE(p, nullptr);
    EXPECT_EQ(status, SLM_OK);
    EXPECT_EQ(evictor.n, 0u);
    slm_zone_abort_locked(zone);
    EXPECT_NE(slm_slab_check_pointer_locked(slm_zone_slab(zone), p), SLM_OK);
    EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
}

/* Evictions stay, even if the turn is undone; the new object is part of the turn. */
TEST_F(ZoneTurn, AllocEvictingCommitsEachEvictionAndNotesTheNewObject)
{
    fill();
    const size_t n_before = numbers(zone).size();
    for (bool is_kept : {true, false}) {
        Evictor evictor;
        slm_status status = SLM_E_IO;
        auto *link = static_cast<Link *>(
            slm_zone_alloc_evicting_locked(zone, sizeof(Link), evict_oldest, &evictor, &status));
        ASSERT_NE(link, nullptr);
        EXPECT_EQ(status, SLM_OK);
        EXPECT_EQ(evictor.n, 1u);
        *link = {slm_journal_offset(zone.journal(), slm_zone_root_locked(zone)), 9, {9}};
        ASSERT_EQ(slm_zone_set_root_locked(zone, link), SLM_OK);
        ASSERT_EQ(slm_zone_end(zone, is_kept ? SLM_OK : SLM_E_SIZE), is_kept ? SLM_OK : SLM_E_SIZE);
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
        EXPECT_EQ(numbers(zone).size(), is_kept ? n_before : n_before - 1);
        EXPECT_EQ(slm_zone_check_locked(zone), 0u);
    }
    EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
}

TEST_F(ZoneTurn, AllocEvictingEvictsUntilALargerObjectFits)
{
    fill();
    Evictor evictor;
    slm_status status = SLM_E_IO;
    void *p = slm_zone_alloc_evicting_locked(zone, 20000, evict_oldest, &evictor, &status);
    EXPECT_NE(p, nullptr);
    EXPECT_EQ(status, SLM_OK);
    EXPECT_GE(evictor.n, 20000 / sizeof(Link));
    EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
    EXPECT_EQ(check_alone(zone), 0u);
}

TEST_F(ZoneTurn, AllocEvictingFailsWithNomemWhenNothingIsLeftToEvict)
{
    fill();
    size_t n_links = numbers(zone).size();
    Evictor evictor;
    slm_status status = SLM_OK;
    struct slm_slab_stats stats;
    slm_slab_get_stats(slm_zone_slab(zone), &stats);
    size_t all_bytes = stats.n_pages * stats.page_bytes;
    EXPECT_EQ(slm_zone_alloc_evicting_locked(zone, all_bytes + 1, evict_oldest, &evictor, &status),
              nullptr);
    EXPECT_EQ(status, SLM_E_NOMEM);
    EXPECT_EQ(evictor.n, 0u) << "it can never fit";
    EXPECT_EQ(slm_zone_alloc_evicting_locked(zone, SIZE_MAX, evict_oldest, &evictor, &status),
              nullptr);
    EXPECT_EQ(status, SLM_E_NOMEM);
    EXPECT_EQ(evictor.n, 0u);
    /* An object that the callback does not evict is in the way. */
    EXPECT_NE(slm_zone_alloc_evicting_locked(zone, 8, evict_oldest, &evictor, &status), nullptr);
    ASSERT_EQ(slm_zone_commit_locked(zone), SLM_OK);
    EXPECT_EQ(slm_zone_alloc_evicting_locked(zone, all_bytes, evict_oldest, &evictor, &status),
              nullptr);
    EXPECT_EQ(status, SLM_E_NOMEM);
    EXPECT_EQ(evictor.n, n_links + 1);
    EXPECT_FALSE(slm_journal_is_dirty(zone.journal()));
    EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
    EXPECT_EQ(count_objects(slm_zone_slab(zone)), 1u);
}

TEST_F(ZoneTurn, AllocEvictingIsRefusedOnceTheTurnHasNotedSomething)
{
    Evictor evictor;
    slm_status status = SLM_OK;
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_TRUE(push(zone, 3));
    EXPECT_EQ(slm_zone_alloc_evicting_locked(zone, 64, evict_oldest, &evictor, &status), nullptr);
    EXPECT_EQ(status, SLM_E_STATE);
    EXPECT_EQ(numbers(zone), (Numbers{3, 2, 1}));
    EXPECT_EQ(slm_zone_end(zone, status), SLM_E_STATE);
    EXPECT_EQ(numbers_alone(zone), (Numbers{2, 1}));
}

/* A callback that frees nothing, or allocates as much as it frees, would never end. */
TEST_F(ZoneTurn, AllocEvictingEndsEvenIfTheCallbackFreesNothing)
{
    fill();
    const Numbers before = numbers(zone);
    slm_status status = SLM_OK;
    EXPECT_EQ(slm_zone_alloc_evicting_locked(
                  zone, 64, [](slm_zone *, void *) { return true; }, nullptr, &status),
              nullptr);
    EXPECT_EQ(status, SLM_E_STATE);
    Evictor evictor;
    evictor.more = [](slm_zone *mine) {
        return slm_journal_alloc(slm_zone_journal(mine), 8) != nullptr;
    };
    EXPECT_EQ(slm_zone_alloc_evicting_locked(zone, 20000, evict_oldest, &evictor, &status),
              nullptr);
    EXPECT_TRUE(status == SLM_E_STATE || status == SLM_E_NOMEM) << slm_status_name(status);
    EXPECT_EQ(evictor.n, 1u);
    evictor = {};
    evictor.more = [](slm_zone *mine) {
        return slm_journal_note_range(slm_zone_journal(mine), slm_zone_root_locked(mine),
                                      sizeof(Link) * 100) == SLM_OK;
    };
    EXPECT_EQ(slm_zone_alloc_evicting_locked(zone, 64, evict_oldest, &evictor, &status), nullptr);
    EXPECT_NE(status, SLM_OK);
    EXPECT_NE(status, SLM_E_NOMEM);
    evictor = {};
    evictor.more = [](slm_zone *) { return false; };
    EXPECT_EQ(slm_zone_alloc_evicting_locked(zone, 64, evict_oldest, &evictor, &status), nullptr);
    EXPECT_EQ(status, SLM_E_NOMEM);
    EXPECT_EQ(numbers(zone), before);
    EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
}

TEST_F(ZoneTurn, AllocEvictingNoticesThatTheCallbackUnlocked)
{
    fill();
    Evictor evictor;
    slm_status status = SLM_OK;
    evictor.more = [](slm_zone *mine) { return slm_zone_unlock(mine) == SLM_OK; };
    EXPECT_EQ(slm_zone_alloc_evicting_locked(zone, 64, evict_oldest, &evictor, &status), nullptr);
    EXPECT_EQ(status, SLM_E_OWNER);
    EXPECT_EQ(evictor.n, 1u);
    EXPECT_EQ(slm_zone_alloc_evicting_locked(zone, 64, evict_oldest, &evictor, &status), nullptr);
    EXPECT_EQ(status, SLM_E_OWNER);
    EXPECT_EQ(evictor.n, 1u);
    EXPECT_EQ(check_alone(zone), 0u);
}

/* An eviction that needs more entries than the journal has is undone, and reported as that. */
TEST_F(ZoneTurn, AnEvictionThatFillsTheJournalIsUndone)
{
    fill();
    const Numbers before = numbers(zone);
    Evictor evictor;
    evictor.more = [](slm_zone *mine) {
        auto *link = static_cast<Link *>(slm_zone_root_locked(mine));
        for (int i = 0; i < 300; i++) {
            (void)slm_journal_write(slm_zone_journal(mine), &link->number, 77);
        }
        return true;
    };
    slm_status status = SLM_OK;
    EXPECT_EQ(slm_zone_alloc_evicting_locked(zone, 64, evict_oldest, &evictor, &status), nullptr);
    EXPECT_EQ(status, SLM_E_FULL);
    EXPECT_EQ(numbers(zone), before);
    EXPECT_TRUE(slm_journal_has_room(zone.journal(), 256));
    EXPECT_EQ(slm_zone_end(zone, status), SLM_E_FULL);
}

/* The death leaves the evictions that were committed, and undoes the one that was not. */
TEST_F(ZoneTurn, ADeathWhileEvictingLosesNothingButWhatWasEvicted)
{
    fill();
    const size_t n_before = numbers(zone).size();
    ASSERT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
    for (unsigned dies_at : {1u, 2u, 50u}) {
        size_t n_at_start = numbers_alone(zone).size();
        EXPECT_EQ(in_child([&] {
                      Evictor evictor;
                      evictor.more = [&](slm_zone *) {
                          return evictor.n < dies_at || raise(SIGKILL) == 0;
                      };
                      slm_status status = slm_zone_lock(zone);
                      (void)slm_zone_alloc_evicting_locked(zone, 20000, evict_oldest, &evictor,
                                                           &status);
                      return 1;
                  }),
                  128 + SIGKILL);
        EXPECT_EQ(numbers_alone(zone).size(), n_at_start - (dies_at - 1));
        EXPECT_EQ(check_alone(zone), 0u);
    }
    EXPECT_LT(numbers_alone(zone).size(), n_before);
    EXPECT_EQ(zone.stats().n_undone, 3u);
}

/* --- Past the journal: what it does not see, it cannot undo --- */

TEST_F(ZoneTurn, TheSlabOfAZoneIsForLookingOnly)
{
    slm_slab *slab = slm_zone_slab(zone);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    void *object = slm_zone_root_locked(zone);
    const std::vector<unsigned char> before(zone.base(), zone.base() + kZoneBytes);
    EXPECT_EQ(slm_slab_alloc(slab, 8), nullptr);
    EXPECT_EQ(slm_slab_alloc_locked(slab, 8), nullptr);
    EXPECT_EQ(slm_slab_calloc_locked(slab, 8), nullptr);
    EXPECT_EQ(slm_slab_memalign_locked(slab, 8, 8), nullptr);
    EXPECT_EQ(slm_slab_free_locked(slab, object), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_slab_reset_locked(slab), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_slab_rebuild_locked(slab), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_slab_set_root(slab, object), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_slab_grow_locked(slab, kZoneMaxBytes), slab->n_pages);
    EXPECT_EQ(slm_slab_trim(slab), 0u);
    EXPECT_EQ(memcmp(zone.base(), before.data(), kZoneBytes), 0);
    EXPECT_EQ(slm_slab_check_pointer_locked(slab, object), SLM_OK);
    EXPECT_EQ(slm_zone_check_locked(zone), 0u);
    EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
}

TEST_F(ZoneTurn, TheSlabShowsEachGrowthAtTheNextLock)
{
    Zone other, reader;
    slm_zone_attach_options options = all.to_attach(zone);
    ASSERT_EQ(other.attach(options), SLM_OK) << other.error.text;
    options.segment.read_only = true;
    ASSERT_EQ(reader.attach(options), SLM_OK) << reader.error.text;
    EXPECT_EQ(slm_slab_alloc_locked(slm_zone_slab(reader), 8), nullptr);
    ASSERT_EQ(slm_zone_grow(zone, 2 * kZoneBytes, nullptr), SLM_OK);
    const uint32_t n_pages = zone.zone->slab->n_pages;
    EXPECT_EQ(slm_zone_slab(zone)->n_pages, n_pages);
    EXPECT_LT(slm_zone_slab(other)->n_pages, n_pages);
    EXPECT_EQ(numbers_alone(other), (Numbers{2, 1}));
    EXPECT_EQ(slm_zone_slab(other)->n_pages, n_pages);
    EXPECT_EQ(slm_zone_check_locked(reader), 0u);
    EXPECT_EQ(slm_zone_slab(reader)->n_pages, n_pages);
    EXPECT_EQ(count_objects(slm_zone_slab(reader)), 2u);
}

/* --- What a lock compares with what the last full look saw --- */

struct Change {
    const char *name;
    std::function<void(slm_zone *)> make;
    slm_status expected;
};

TEST_F(ZoneTurn, ALockNoticesEachChangeThatTheLastOneDidNotSee)
{
    const Change changes[] = {
        {"state", [](slm_zone *z) { z->header->state = ZONE_BROKEN; }, SLM_E_BROKEN},
        {"damaged state", [](slm_zone *z) { z->header->state ^= 1; }, SLM_E_BROKEN},
        {"length", [](slm_zone *z) { z->header->bytes += 1; }, SLM_E_BROKEN},
        {"shorter", [](slm_zone *z) { z->header->bytes -= 4096; }, SLM_E_BROKEN},
        {"pages", [](slm_zone *z) { z->slab->header->n_pages ^= 1; }, SLM_E_BROKEN},
        {"seal of pages", [](slm_zone *z) { z->slab->header->n_pages ^= uint64_t{1} << 40; },
         SLM_E_BROKEN},
        {"version", [](slm_zone *z) { z->journal.log->content_version++; }, SLM_E_VERSION},
    };
    for (const Change &change : changes) {
        SCOPED_TRACE(change.name);
        Zone damaged;
        ASSERT_EQ(damaged.create(all.of(SLM_SEGMENT_MEMFD)), SLM_OK) << damaged.error.text;
        for (int i = 0; i < 2; i++) {
            ASSERT_EQ(slm_zone_lock(damaged), SLM_OK);
            ASSERT_EQ(slm_zone_unlock(damaged), SLM_OK);
        }
        change.make(damaged);
        EXPECT_EQ(slm_zone_lock(damaged), change.expected);
        EXPECT_EQ(slm_zone_trylock(damaged), change.expected);
        EXPECT_EQ(slm_zone_timedlock(damaged, 1), change.expected);
        EXPECT_FALSE(slm_lock_is_mine(slm_zone_lock_handle(damaged)));
    }
}

TEST_F(ZoneTurn, ALockRepairsALogThatWasLeftSinceTheLastLook)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_TRUE(push(zone, 3));
    ASSERT_EQ(slm_lock_unlock(slm_zone_lock_handle(zone)), SLM_OK);
    EXPECT_EQ(numbers_alone(zone), (Numbers{2, 1}));
    slm_zone_stats stats;
    slm_zone_get_stats(zone, &stats);
    EXPECT_EQ(stats.n_recoveries, 1u);
    EXPECT_EQ(numbers_alone(zone), (Numbers{2, 1}));
}

TEST_F(ZoneTurn, AnUnlockWithNothingNotedNeedsTheLock)
{
    EXPECT_EQ(slm_zone_unlock(zone), SLM_E_OWNER);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    std::thread([&] {
        EXPECT_EQ(slm_zone_unlock(zone), SLM_E_OWNER);
        EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_E_OWNER);
    }).join();
    EXPECT_TRUE(is_locked());
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_E_OWNER);
}

/* --- What unlock commits --- */

TEST_F(ZoneTurn, AnUnlockFreesWhatItsTurnReleased)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_TRUE(pop(zone));
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(numbers_alone(zone), (Numbers{1}));
    EXPECT_EQ(count_objects(slm_zone_slab(zone)), 1u);
}

TEST_F(ZoneTurn, ARepairAfterAnUnlockKeepsWhatItsTurnAllocated)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_TRUE(push(zone, 3));
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_journal_recover(zone.journal()), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(numbers_alone(zone), (Numbers{3, 2, 1}));
    EXPECT_EQ(count_objects(slm_zone_slab(zone)), 3u);
}

TEST_F(ZoneTurn, AnUnlockReturnsARefusalOfATurnThatNotedNothing)
{
    uint64_t on_stack = 5;
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_journal_write(zone.journal(), &on_stack, 6), SLM_E_FOREIGN);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_E_FOREIGN);
    EXPECT_FALSE(is_locked());
    EXPECT_EQ(push_alone(zone, 3), SLM_OK);
}

TEST_F(ZoneTurn, AnEvictionIsNotCreditedWithReleasesOfTheTurnBefore)
{
    fill();
    ASSERT_TRUE(pop(zone));
    ASSERT_EQ(slm_zone_commit_locked(zone), SLM_OK);
    slm_status status = SLM_OK;
    EXPECT_EQ(slm_zone_alloc_evicting_locked(
                  zone, 5000, [](slm_zone *, void *) { return true; }, nullptr, &status),
              nullptr);
    EXPECT_EQ(status, SLM_E_STATE);
    EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
}

TEST_F(ZoneTurn, AnEvictionThatAllocatesWhatItFreesIsUndone)
{
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_NE(slm_journal_alloc(zone.journal(), 8), nullptr); /* more of them fit */
    ASSERT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
    fill();
    const Numbers before = numbers(zone);
    Evictor evictor;
    slm_status status = SLM_OK;
    evictor.more = [](slm_zone *mine) {
        return slm_journal_alloc(slm_zone_journal(mine), 8) != nullptr;
    };
    EXPECT_EQ(slm_zone_alloc_evicting_locked(zone, 64, evict_oldest, &evictor, &status), nullptr);
    EXPECT_EQ(status, SLM_E_STATE);
    EXPECT_EQ(evictor.n, 1u);
    EXPECT_EQ(numbers(zone), before);
    EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
}

} // namespace
