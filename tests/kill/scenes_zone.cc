/* SPDX-License-Identifier: Apache-2.0 */
/* The zone's own calls: transactions, reset, growth, root, the lock alone, attaching. */
#include <cstring>

#include "tests/kill/scenario.h"

namespace kill_test {
namespace {

using Act = std::function<void(World &, slm_zone *)>;
using UnderLock = std::function<void(World &, slm_zone *, slm_journal *)>;

/* Locks, works and unlocks. */
Act turn(const UnderLock &act)
{
    return [act](World &world, slm_zone *zone) {
        if (slm_zone_lock(zone) == SLM_OK) {
            act(world, zone, slm_zone_journal(zone));
            (void)slm_zone_unlock(zone);
        }
    };
}

/* Objects: 0 and 1 fill a span; 2 is alone in its span; 3 to 5 are runs; 6 is alone again. There is
 * no tree. */
void get_mixed(World &world)
{
    world.make_top();
    for (size_t bytes : {2048u, 2048u, 512u, 8192u, 4096u, 4096u, 64u}) {
        world.get(bytes);
    }
}

/* Frees, and other changes: words, root, new objects. */
void change_much(World &world, slm_zone *zone, slm_journal *journal)
{
    void *p = slm_journal_alloc(journal, 100);
    memset(p, 0x33, 100);
    slm_journal_write(journal, static_cast<uint64_t *>(world.at(zone, 1)), 77);
    expect(slm_journal_note_range(journal, world.at(zone, 6), 24) == SLM_OK, "words to write to");
    memset(world.at(zone, 6), 0x44, 24);
    (void)slm_journal_free(journal, world.at(zone, 2));
    (void)slm_journal_free(journal, world.at(zone, 4));
    slm_journal_write(journal, static_cast<uint64_t *>(world.at(zone, 1)), 78);
    expect(slm_zone_set_root_locked(zone, world.at(zone, 0)) == SLM_OK, "a root");
    void *run = slm_journal_alloc(journal, 5000);
    memset(run, 0x55, 16);
}

void add_transactions(std::vector<Scenario> *list)
{
    list->push_back({"commit: several frees",
                     {},
                     get_mixed,
                     turn([](World &world, slm_zone *zone, slm_journal *journal) {
                         for (size_t idx : {0u, 2u, 3u, 5u, 6u}) {
                             (void)slm_journal_free(journal, world.at(zone, idx));
                         }
                         expect(slm_zone_commit_locked(zone) == SLM_OK, "several frees");
                     }),
                     {-5, 3, 1, 0}});
    list->push_back({"commit: objects, words, frees and root",
                     {},
                     get_mixed,
                     turn(change_much),
                     {0, ANY, ANY, ANY}});
    list->push_back({"abort: objects, words, frees and root",
                     {},
                     get_mixed,
                     turn([](World &world, slm_zone *zone, slm_journal *journal) {
                         change_much(world, zone, journal);
                         slm_zone_abort_locked(zone);
                     }),
                     {0, ANY, ANY, ANY}});
}

void add_other_turns(std::vector<Scenario> *list)
{
    list->push_back({"commit: object allocated and freed at once",
                     {},
                     get_mixed,
                     turn([](World &, slm_zone *, slm_journal *journal) {
                         (void)slm_journal_free(journal, slm_journal_alloc(journal, 900));
                     }),
                     {0, ANY, ANY, ANY}});
    list->push_back({"set root",
                     {},
                     get_mixed,
                     turn([](World &world, slm_zone *zone, slm_journal *) {
                         expect(slm_zone_set_root_locked(zone, world.at(zone, 3)) == SLM_OK,
                                "a root");
                     }),
                     {0, 0, 0, 0}});
    list->push_back({"reset",
                     {},
                     get_mixed,
                     turn([](World &, slm_zone *zone, slm_journal *) {
                         expect(slm_zone_reset_locked(zone) == SLM_OK, "a reset");
                     }),
                     {-8, ANY, 0, ANY}});
}

const Shape SMALL_TO_GROW = {64 * 1024, 128 * 1024, 1, 192};

void grow(World &, slm_zone *zone)
{
    (void)slm_zone_grow(zone, 112 * 1024, nullptr);
}

void add_growth(std::vector<Scenario> *list)
{
    list->push_back({"grow: after a free run",
                     SMALL_TO_GROW,
                     [](World &world) { world.get(8192); },
                     grow,
                     {0, 12, 0, 0},
                     nullptr,
                     false,
                     true});
    list->push_back({"grow: after an object",
                     SMALL_TO_GROW,
                     [](World &world) { world.fill(0); },
                     grow,
                     {0, 12, 0, 0},
                     nullptr,
                     false,
                     true});
}

void lock_and_unlock(World &, slm_zone *zone)
{
    if (slm_zone_lock(zone) == SLM_OK) {
        (void)slm_zone_unlock(zone);
    }
}

void add_locks(std::vector<Scenario> *list)
{
    list->push_back({"lock and unlock", {}, get_mixed, lock_and_unlock, {}});
    list->push_back({"lock and unlock, first use in a process",
                     {},
                     get_mixed,
                     lock_and_unlock,
                     {},
                     nullptr,
                     true});
    list->push_back({"trylock and unlock",
                     {},
                     get_mixed,
                     [](World &, slm_zone *zone) {
                         if (slm_zone_trylock(zone) == SLM_OK) {
                             (void)slm_zone_unlock(zone);
                         }
                     },
                     {}});
    list->push_back({"timedlock and unlock",
                     {},
                     get_mixed,
                     [](World &, slm_zone *zone) {
                         if (slm_zone_timedlock(zone, 100) == SLM_OK) {
                             (void)slm_zone_unlock(zone);
                         }
                     },
                     {}});
    list->push_back({"lock and unlock of the bare lock",
                     {},
                     get_mixed,
                     [](World &, slm_zone *zone) {
                         slm_lock *lock = slm_zone_lock_handle(zone);
                         if (slm_lock_lock(lock) == SLM_OK) {
                             (void)slm_lock_unlock(lock);
                         }
                     },
                     {}});
}

/* Checks that nothing is written: a process that dies while it attaches or detaches leaves no
 * mark. */
void attach_and_detach(World &, slm_zone *zone)
{
    slm_zone *again = nullptr;
    slm_zone_attach_options options = {};
    options.name = "kill";
    options.segment.kind = SLM_SEGMENT_MEMFD;
    options.segment.id = slm_segment_id(slm_zone_segment(zone));
    if (slm_zone_attach(&again, &options, nullptr) == SLM_OK) {
        slm_zone_detach(again);
    }
}

} // namespace

void add_zone_scenes(std::vector<Scenario> *list)
{
    add_transactions(list);
    add_other_turns(list);
    add_growth(list);
    add_locks(list);
    /* malloc's path depends on all that the parent did before, so the path varies. */
    list->push_back({"attach and detach",
                     {},
                     get_mixed,
                     attach_and_detach,
                     {},
                     nullptr,
                     true,
                     false,
                     false,
                     331});
}

} // namespace kill_test
