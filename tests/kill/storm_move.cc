/* SPDX-License-Identifier: Apache-2.0 */
/* What the storm does with the whole zone: its content is moved to another zone, which takes its
 * place; it is written to the disk; memory goes back to the system. And how a thread goes on with
 * the zone that took the place of its own. */
#include <cstring>

#include "tests/kill/storm_priv.h"

namespace kill_test {
namespace {

/* Copies everything that the directory leads to, in many transactions. */
class Mover {
  public:
    Mover(slm_zone *to, slm_zone *from, Shared *shared) : to_(to), from_(from), shared_(shared)
    {
    }

    slm_status run()
    {
        slm_status status = copy_board();
        for (unsigned i = 0; status == SLM_OK && i < N_SLOTS * N_ENTRIES; i++) {
            status = copy_entry(i / N_ENTRIES, i % N_ENTRIES);
        }
        return status;
    }

  private:
    slm_status copy_board()
    {
        old_ = static_cast<const Board *>(slm_zone_root_locked(from_));
        board_ = static_cast<Board *>(slm_journal_calloc(slm_zone_journal(to_), sizeof(Board)));
        if (board_ == nullptr || slm_zone_set_root_locked(to_, board_) != SLM_OK) {
            return SLM_E_NOMEM;
        }
        board_->earlier = repairs_of(from_);
        return slm_zone_commit_locked(to_);
    }

    slm_status copy_entry(unsigned slot, unsigned i)
    {
        bool is_double;
        uint64_t offset = old_->directory[slot][i];
        if (offset == 0) {
            return SLM_OK;
        }
        const char *wrong = judge_thing(from_, offset, slot, &is_double);
        if (wrong[0] != '\0') {
            count_wrong(shared_, wrong, is_double);
            return SLM_E_BROKEN;
        }
        slm_journal *journal = slm_zone_journal(to_);
        const auto *old =
            static_cast<const Thing *>(slm_journal_pointer(slm_zone_journal(from_), offset));
        auto *thing = static_cast<Thing *>(slm_journal_alloc(journal, old->bytes));
        if (thing == nullptr) {
            return SLM_E_NOMEM;
        }
        memcpy(thing, old, old->bytes);
        thing->item.node = slm_rbtree_node{};
        thing->item.used = slm_lru_node{};
        slm_journal_write(journal, &board_->directory[slot][i], slm_journal_offset(journal, thing));
        if (thing->is_linked != 0) {
            link_thing(to_, thing, shared_);
        }
        return slm_zone_commit_locked(to_);
    }

    slm_zone *to_;
    slm_zone *from_;
    Shared *shared_;
    const Board *old_ = nullptr;
    Board *board_ = nullptr;
};

/* The zone is checked before: what the directory does not lead to is not moved. */
slm_status move(slm_zone *to, slm_zone *from, void *shared)
{
    check_locked(from, static_cast<Shared *>(shared));
    return Mover(to, from, static_cast<Shared *>(shared)).run();
}

/* They differ from those of the zone, so its content moves. In the shortest it may find no room. */
slm_zone_options choose_options(const World &world, slm_zone *zone, Shared *shared, Random *random)
{
    slm_zone_stats stats;
    slm_zone_get_stats(zone, &stats);
    slm_zone_options options = {};
    options.name = slm_zone_name(zone);
    options.bytes = FIRST_BYTES << random->below(3);
    options.max_bytes = stats.max_bytes == MOST_BYTES ? MOST_BYTES + 65536 : MOST_BYTES;
    options.slab.per_doubling = random->below(2) == 0 ? 4 : 8;
    options.journal_entries = 1024;
    options.segment = world.place();
    options.move = move;
    options.move_data = shared;
    return options;
}

/* Statuses that the other users of the zone cause. */
bool is_refusal(slm_status status)
{
    return status == SLM_E_REPLACED || status == SLM_E_TIMEOUT || status == SLM_E_LOCKED;
}

} // namespace

slm_zone *move_zone(const World &world, slm_zone *zone, Shared *shared, Random *random)
{
    slm_error error;
    slm_zone *moved = nullptr;
    bool is_new = false;
    slm_zone_options options = choose_options(world, zone, shared, random);
    slm_status status = slm_zone_open(&moved, &options, &is_new, &error);
    if (status == SLM_E_NOMEM || is_refusal(status)) {
        return nullptr;
    }
    if (status != SLM_OK) {
        count_wrong(shared, error.text, false);
        return nullptr;
    }
    slm_zone_stats stats;
    slm_zone_get_stats(moved, &stats);
    if (is_new || stats.max_bytes != options.max_bytes) {
        count_wrong(shared, "a move made an empty zone, or one with other options", false);
    }
    __atomic_fetch_add(&shared->n_moves, 1, __ATOMIC_RELAXED);
    return moved;
}

void sync_zone(slm_zone *zone, Shared *shared)
{
    slm_error error;
    slm_status status = slm_zone_sync(zone, &error);
    if (status == SLM_OK) {
        __atomic_fetch_add(&shared->n_syncs, 1, __ATOMIC_RELAXED);
    } else if (!is_refusal(status)) {
        count_wrong(shared, error.text, false);
    }
}

void trim_zone(slm_zone *zone, Shared *shared)
{
    slm_error error;
    uint64_t n_bytes = 0;
    slm_status status = slm_zone_trim(zone, &n_bytes, &error);
    if (status != SLM_OK && !is_refusal(status)) {
        count_wrong(shared, error.text, false);
    }
    if (n_bytes != 0) {
        __atomic_fetch_add(&shared->n_trims, 1, __ATOMIC_RELAXED);
    }
}

/* --- Handle --- */

bool Handle::lock()
{
    slm_status status = slm_zone_lock(zone_);
    while (status == SLM_E_REPLACED) {
        slm_error error;
        slm_zone *next = world_.attach(&error);
        if (next == nullptr) {
            count_wrong(shared_, error.text, false);
            return false;
        }
        go_over_to(next);
        status = slm_zone_lock(zone_);
    }
    if (status != SLM_OK) {
        count_wrong(shared_, slm_status_text(status), false);
    }
    return status == SLM_OK;
}

/* The file has no name any more, so nothing makes it the zone again. */
void Handle::expect_replaced()
{
    if (slm_segment_verify(slm_zone_segment(zone_), nullptr) == SLM_OK) {
        return;
    }
    slm_status status = slm_zone_lock(zone_);
    if (status != SLM_E_REPLACED) {
        count_wrong(shared_, "an earlier zone can be locked", false);
    }
    if (status == SLM_OK) {
        (void)slm_zone_unlock(zone_);
    }
}

/* Other threads of this process may use the handle that was inherited. */
void Handle::go_over_to(slm_zone *zone)
{
    expect_replaced();
    if (is_own_) {
        slm_zone_detach(zone_);
    }
    zone_ = zone;
    is_own_ = true;
}

} // namespace kill_test
