/* SPDX-License-Identifier: Apache-2.0 */
/* The storm's checks, all made while the lock is held once, and the storm over a zone. */
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "tests/kill/peek.h"
#include "tests/kill/storm_priv.h"

namespace kill_test {
namespace {

constexpr double CHECK_EVERY_S = 0.25;

/* Everything that should be in the zone. */
class Check {
  public:
    /* is_copy: of an earlier moment, so what workers record is not compared. */
    Check(slm_zone *zone, Shared *shared, bool is_copy)
        : zone_(zone), shared_(shared), is_copy_(is_copy),
          board_(static_cast<Board *>(slm_zone_root_locked(zone)))
    {
    }

    void run()
    {
        unsigned broken = slm_zone_check_locked(zone_);
        if (broken != 0) {
            note("the zone breaks an invariant");
            return;
        }
        check_use();
        for (unsigned slot = 0; slot < N_SLOTS; slot++) {
            for (unsigned i = 0; i < N_ENTRIES; i++) {
                check_entry(slot, i);
            }
        }
        check_twice();
        check_links();
        check_count();
    }

  private:
    void note(const char *what, bool is_double = false)
    {
        count_wrong(shared_, what, is_double);
    }

    /* A zone that is locked is in use, and its content was never in doubt. */
    void check_use()
    {
        struct slm_zone_stats stats;
        slm_zone_get_stats(zone_, &stats);
        if (stats.is_clean || stats.needs_check) {
            note("the zone is marked clean while it is locked, or is to be checked");
        }
    }

    /* See EntryState. */
    void compare_with_record(const Entry *entry, uint64_t sequence)
    {
        uint64_t state = __atomic_load_n(&entry->state, __ATOMIC_SEQ_CST);
        if (state == NONE ? sequence != 0
                          : sequence != entry->sequence && (state == LIVE || sequence != 0)) {
            note(state == NONE ? "an object that was not committed is there"
                               : "an object that was committed is not in the directory");
        }
    }

    void check_entry(unsigned slot, unsigned i)
    {
        uint64_t offset = board_->directory[slot][i];
        if (!is_copy_) {
            compare_with_record(&shared_->slots[slot].entries[i],
                                sequence_at(zone_, &board_->directory[slot][i]));
        }
        if (offset == 0) {
            return;
        }
        bool is_double;
        const char *wrong = judge_thing(zone_, offset, slot, &is_double);
        if (wrong[0] != '\0') {
            note(wrong, is_double);
            return;
        }
        const void *p = slm_journal_pointer(slm_zone_journal(zone_), offset);
        n_linked_ += static_cast<const Thing *>(p)->is_linked;
        offsets_.push_back(offset);
    }

    void check_twice()
    {
        std::sort(offsets_.begin(), offsets_.end());
        if (std::adjacent_find(offsets_.begin(), offsets_.end()) != offsets_.end()) {
            note("an object is in the directory twice", true);
        }
    }

    void check_links()
    {
        const slm_journal *journal = slm_zone_journal(zone_);
        struct slm_zone_stats stats;
        slm_zone_get_stats(zone_, &stats);
        if (slm_rbtree_check(journal, &board_->tree, order_items, 1, stats.bytes) != 0 ||
            slm_lru_check(journal, &board_->lru, 1, stats.bytes) != 0) {
            note("the tree or the list breaks an invariant");
        }
        if (board_->tree.n_nodes != n_linked_ || board_->lru.n_nodes != n_linked_) {
            note("the tree or the list has more or fewer nodes than are linked");
        }
    }

    /* Only owned objects and the board are live. */
    void check_count()
    {
        slm_slab *slab = slm_zone_slab(zone_);
        struct slm_slab_stats stats;
        slm_slab_get_stats(slab, &stats);
        size_t n_live = stats.n_runs;
        for (unsigned i = 0; i < stats.n_classes; i++) {
            struct slm_slab_class_stats counts;
            (void)slm_slab_get_class_stats(slab, i, &counts);
            n_live += counts.n_used;
        }
        if (n_live != offsets_.size() + 1) {
            note("the number of live objects differs from the number of owned ones");
        }
    }

    slm_zone *zone_;
    Shared *shared_;
    bool is_copy_;
    Board *board_;
    uint64_t n_linked_ = 0;
    std::vector<uint64_t> offsets_;
};

void make_board(World &world)
{
    slm_zone *zone = world.ours();
    expect(slm_zone_lock(zone) == SLM_OK, "the zone cannot be locked");
    void *board = slm_journal_calloc(slm_zone_journal(zone), sizeof(Board));
    expect(board != nullptr && slm_zone_set_root_locked(zone, board) == SLM_OK, "no board");
    expect(slm_zone_unlock(zone) == SLM_OK, "the zone cannot be unlocked");
}

void fill_result(const Herd &herd, const Shared *shared, StormResult *result)
{
    result->n_kills = herd.n_kills();
    result->n_operations = herd.n_operations();
    result->n_recoveries = shared->repairs.n_recoveries;
    result->n_undone = shared->repairs.n_undone;
    result->n_finished = shared->repairs.n_finished;
    result->n_copies = shared->n_copies;
    result->n_moves = shared->n_moves;
    result->n_syncs = shared->n_syncs;
    result->n_trims = shared->n_trims;
    result->n_lost = shared->n_lost;
    result->n_double = shared->n_double;
    memcpy(result->first_wrong, shared->first_wrong, sizeof result->first_wrong);
}

void follow(World &world, Shared *shared)
{
    std::string wrong = world.follow();
    if (!wrong.empty()) {
        count_wrong(shared, wrong.c_str(), false);
    }
}

/* Locks the zone that has the name now: the content may move while the caller waits. */
slm_status lock_in_time(World &world, Shared *shared, double hang_s)
{
    double end = now_s() + hang_s;
    slm_status status;
    do {
        follow(world, shared);
        status = slm_zone_timedlock(world.ours(), static_cast<unsigned>(hang_s * 1000));
    } while (status == SLM_E_REPLACED && now_s() < end);
    return status;
}

/* Returns false if the lock could not be taken for hang_s. */
bool check_zone(World &world, Shared *shared, double hang_s)
{
    slm_status status = lock_in_time(world, shared, hang_s);
    if (status == SLM_E_TIMEOUT) {
        return false;
    }
    if (status != SLM_OK) {
        count_wrong(shared, slm_status_text(status), false);
        return true;
    }
    check_locked(world.ours(), shared);
    shared->repairs = repairs_of(world.ours());
    (void)slm_zone_unlock(world.ours());
    return true;
}

bool check_now(World &world, Shared *shared, double hang_s, StormResult *result)
{
    bool had = check_zone(world, shared, hang_s);
    result->n_checks++;
    result->n_hangs += !had;
    return had;
}

/* After the last kill: a move, which also removes what killed makers of zones left. */
void move_once_more(World &world, Shared *shared, uint64_t seed)
{
    Random random(seed);
    slm_zone *moved = move_zone(world, world.ours(), shared, &random);
    if (moved == nullptr) {
        return; /* no room in the shortest zone */
    }
    slm_zone_detach(moved);
    if (world.count_files() != 1) {
        count_wrong(shared, "a killed process left a file that a later move did not remove", false);
    }
}

bool has_done_all(const Shared *shared)
{
    for (const uint64_t *n :
         {&shared->n_copies, &shared->n_moves, &shared->n_syncs, &shared->n_trims}) {
        if (__atomic_load_n(n, __ATOMIC_RELAXED) == 0) {
            return false;
        }
    }
    return true;
}

} // namespace

void check_locked(slm_zone *zone, Shared *shared)
{
    Check(zone, shared, false).run();
}

Repairs repairs_of(slm_zone *zone)
{
    struct slm_zone_stats stats;
    slm_zone_get_stats(zone, &stats);
    const Repairs &earlier = static_cast<const Board *>(slm_zone_root_locked(zone))->earlier;
    return {earlier.n_recoveries + stats.n_recoveries, earlier.n_undone + stats.n_undone,
            earlier.n_finished + stats.n_finished};
}

void check_copy(slm_zone *copy, Shared *shared)
{
    slm_status status = slm_zone_lock(copy);
    if (status != SLM_OK) {
        count_wrong(shared, slm_status_text(status), false);
        return;
    }
    Check(copy, shared, true).run();
    (void)slm_zone_unlock(copy);
}

StormResult storm_zone(const StormOptions &options)
{
    StormResult result;
    Shape shape;
    shape.bytes = FIRST_BYTES;
    shape.max_bytes = MOST_BYTES;
    shape.per_doubling = 8;
    shape.journal_entries = 1024;
    shape.kind = SLM_SEGMENT_FILE;
    World world(shape);
    make_board(world);
    auto *shared = static_cast<Shared *>(share_memory(sizeof(Shared)));
    Work work = [&](unsigned slot, uint64_t seed) {
        /* The two mappings are at different addresses. */
        work_in_zone(world, slot % 2 == 0 ? world.theirs() : world.ours(), shared, slot, seed);
    };
    double start = now_s();
    double checked = start;
    Holder holder = [&] { return kill_peek_holder_in(kill_peek_lock_word(world.ours())); };
    Herd herd(options, work, holder, shared);
    bool goes_on = true;
    while (goes_on && (herd.goes_on(shared->repairs.n_recoveries) || !has_done_all(shared))) {
        herd.kill_some();
        follow(world, shared);
        result.n_hangs += herd.count_hangs();
        if (now_s() - checked > CHECK_EVERY_S) {
            goes_on = check_now(world, shared, options.hang_s, &result);
            checked = now_s();
        }
        goes_on = goes_on && result.n_hangs == 0 && shared->n_lost + shared->n_double == 0;
    }
    if (goes_on) {
        result.n_hangs += herd.await_witnesses();
    }
    herd.end();
    remove_copies();
    result.seconds = now_s() - start;
    if (result.n_hangs == 0) {
        move_once_more(world, shared, options.seed);
    }
    (void)check_now(world, shared, options.hang_s, &result);
    fill_result(herd, shared, &result);
    return result;
}

} // namespace kill_test
