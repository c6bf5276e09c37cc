/* SPDX-License-Identifier: Apache-2.0 */
/* The work of the storm's processes: they allocate and free objects with their stamp, some in tree
 * and list. Now and then one of them does something with the whole zone. */
#include <cstring>

#include "tests/kill/storm_priv.h"

namespace kill_test {

unsigned char fill_of(const Thing &thing)
{
    return static_cast<unsigned char>(thing.owner * 31 + thing.sequence);
}

uint64_t key_of_thing(uint64_t owner, uint64_t sequence)
{
    return owner << 48 | sequence;
}

static const char *judge_fill(const Thing &thing)
{
    const auto *bytes = reinterpret_cast<const unsigned char *>(&thing);
    for (size_t i = sizeof thing; i < thing.bytes; i++) {
        if (bytes[i] != fill_of(thing)) {
            return "an object's content is not its owner's";
        }
    }
    return "";
}

uint64_t sequence_at(slm_zone *zone, const uint64_t *entry)
{
    return *entry == 0
               ? 0
               : static_cast<const Thing *>(slm_journal_pointer(slm_zone_journal(zone), *entry))
                     ->sequence;
}

void link_thing(slm_zone *zone, Thing *thing, Shared *shared)
{
    slm_journal *journal = slm_zone_journal(zone);
    auto *board = static_cast<Board *>(slm_zone_root_locked(zone));
    if (slm_rbtree_insert(journal, &board->tree, &thing->item.node, order_items) != SLM_OK ||
        slm_lru_insert(journal, &board->lru, &thing->item.used) != SLM_OK) {
        count_wrong(shared, "a new node is in a tree or list already", false);
    }
}

const char *judge_thing(slm_zone *zone, uint64_t offset, unsigned slot, bool *is_double)
{
    slm_journal *journal = slm_zone_journal(zone);
    slm_slab_place place;
    void *p = slm_journal_pointer(journal, offset);
    *is_double = false;
    if (slm_slab_check_pointer_locked(slm_zone_slab(zone), p) != SLM_OK) {
        return "an object that was committed is not live";
    }
    slm_slab_locate(slm_zone_slab(zone), p, &place);
    const auto &thing = *static_cast<const Thing *>(p);
    if (thing.owner != slot + 1) {
        *is_double = thing.owner != 0 && thing.owner <= N_SLOTS;
        return "an object has another owner's stamp";
    }
    if (thing.bytes < sizeof thing || thing.bytes > place.object_bytes) {
        return "an object's stamp is overwritten";
    }
    return judge_fill(thing);
}

namespace {

/* One turn of so many copies the zone, one moves it, one syncs it, one trims it. */
constexpr uint64_t TURNS_BETWEEN = 1000;

class Worker {
  public:
    Worker(const World &world, slm_zone *inherited, Shared *shared, unsigned slot, uint64_t seed)
        : world_(world), handle_(world, inherited, shared), shared_(shared),
          me_(&shared->slots[slot]), slot_(slot), random_(seed)
    {
    }

    /* The slot's last owner was killed: what it was about to commit happened or did not. */
    void take_over_slot()
    {
        if (!lock()) {
            return;
        }
        for (unsigned i = 0; i < N_ENTRIES; i++) {
            Entry *entry = &me_->entries[i];
            if (entry->state == UNSURE) {
                bool is_there =
                    sequence_at(zone(), &board()->directory[slot_][i]) == entry->sequence;
                __atomic_store_n(&entry->state, is_there ? LIVE : NONE, __ATOMIC_SEQ_CST);
            }
        }
        (void)slm_zone_unlock(zone());
    }

    void turn()
    {
        auto idx = static_cast<unsigned>(random_.below(N_ENTRIES));
        uint64_t dice = random_.below(100);
        if (use_whole_zone(random_.below(TURNS_BETWEEN))) {
            /* done */
        } else if (dice == 0) {
            grow();
        } else if (dice < 5) {
            change_and_abort();
        } else if (me_->entries[idx].state == NONE) {
            create(idx);
        } else if (dice < 40) {
            visit(idx);
        } else {
            destroy(idx);
        }
        __atomic_fetch_add(&me_->n_operations, 1, __ATOMIC_RELAXED);
    }

  private:
    slm_zone *zone()
    {
        return handle_.zone();
    }
    Board *board()
    {
        return static_cast<Board *>(slm_zone_root_locked(zone()));
    }
    slm_journal *journal()
    {
        return slm_zone_journal(zone());
    }
    bool lock()
    {
        return handle_.lock();
    }

    /* Returns false for most dice: nothing was done. */
    bool use_whole_zone(uint64_t dice)
    {
        switch (dice) {
        case 0:
            copy_zone(zone(), shared_, slot_);
            return true;
        case 1:
            move();
            return true;
        case 2:
            sync_zone(zone(), shared_);
            return true;
        case 3:
            trim_zone(zone(), shared_);
            return true;
        default:
            return false;
        }
    }

    void move()
    {
        slm_zone *moved = move_zone(world_, zone(), shared_, &random_);
        if (moved != nullptr) {
            handle_.go_over_to(moved);
        }
    }

    /* Mostly small objects, and some of more than a chunk. */
    size_t some_size()
    {
        size_t most = random_.below(16) == 0 ? 20000 : 600;
        return sizeof(Thing) + random_.below(most);
    }

    Thing *make(bool is_linked)
    {
        size_t bytes = some_size();
        auto *thing = static_cast<Thing *>(slm_journal_alloc(journal(), bytes));
        if (thing != nullptr) {
            memset(thing, 0, sizeof *thing);
            thing->owner = slot_ + 1;
            thing->sequence = ++me_->sequence;
            thing->bytes = bytes;
            thing->is_linked = is_linked;
            thing->item.key = key_of_thing(thing->owner, thing->sequence);
            memset(thing + 1, fill_of(*thing), bytes - sizeof *thing);
        }
        return thing;
    }

    void create(unsigned idx)
    {
        bool is_linked = random_.below(2) == 0;
        if (!lock()) {
            return;
        }
        Thing *thing = make(is_linked);
        if (thing != nullptr) {
            Entry *entry = &me_->entries[idx];
            entry->sequence = thing->sequence;
            __atomic_store_n(&entry->state, UNSURE, __ATOMIC_SEQ_CST);
            slm_journal_write(journal(), &board()->directory[slot_][idx],
                              slm_journal_offset(journal(), thing));
            if (is_linked) {
                link_thing(zone(), thing, shared_);
            }
            (void)slm_zone_unlock(zone());
            __atomic_store_n(&entry->state, LIVE, __ATOMIC_SEQ_CST);
        } else {
            (void)slm_zone_unlock(zone());
        }
    }

    /* Returns NULL, and counts the problem, if the object has changed. */
    Thing *look(unsigned idx)
    {
        bool is_double = false;
        uint64_t offset = board()->directory[slot_][idx];
        const char *wrong = offset == 0 ? "an object that was committed is not in the directory"
                                        : judge_thing(zone(), offset, slot_, &is_double);
        if (wrong[0] != '\0') {
            count_wrong(shared_, wrong, is_double);
            return nullptr;
        }
        auto *thing = static_cast<Thing *>(slm_journal_pointer(journal(), offset));
        if (thing->sequence != me_->entries[idx].sequence) {
            count_wrong(shared_, "an earlier object is in the directory", false);
            return nullptr;
        }
        return thing;
    }

    void destroy(unsigned idx)
    {
        Entry *entry = &me_->entries[idx];
        if (!lock()) {
            return;
        }
        __atomic_store_n(&entry->state, UNSURE, __ATOMIC_SEQ_CST);
        Thing *thing = look(idx);
        if (thing != nullptr && thing->is_linked != 0 &&
            (slm_rbtree_remove(journal(), &board()->tree, &thing->item.node) != SLM_OK ||
             slm_lru_remove(journal(), &board()->lru, &thing->item.used) != SLM_OK)) {
            count_wrong(shared_, "a node is not in its tree or list", false);
        }
        if (thing != nullptr) {
            (void)slm_journal_free(journal(), thing);
        }
        slm_journal_write(journal(), &board()->directory[slot_][idx], 0);
        (void)slm_zone_unlock(zone());
        __atomic_store_n(&entry->state, NONE, __ATOMIC_SEQ_CST);
    }

    /* Checks an object's content and its place in the tree, and touches it. */
    void visit(unsigned idx)
    {
        if (!lock()) {
            return;
        }
        Thing *thing = look(idx);
        if (thing != nullptr && thing->is_linked != 0) {
            uint64_t key = key_of_thing(slot_ + 1, thing->sequence);
            if (slm_rbtree_find(journal(), &board()->tree, &key, compare_item) !=
                &thing->item.node) {
                count_wrong(shared_, "a node is not found", false);
            }
            (void)slm_lru_touch(journal(), &board()->lru, &thing->item.used);
        }
        (void)slm_zone_unlock(zone());
    }

    void change_and_abort()
    {
        if (lock()) {
            Thing *thing = make(true);
            if (thing != nullptr) {
                link_thing(zone(), thing, shared_);
            }
            slm_journal_write(journal(), &board()->directory[slot_][0], 1);
            slm_zone_abort_locked(zone());
            (void)slm_zone_unlock(zone());
        }
    }

    void grow()
    {
        struct slm_zone_stats stats;
        slm_zone_get_stats(zone(), &stats);
        if (stats.bytes < stats.max_bytes) {
            (void)slm_zone_grow(zone(), stats.bytes + 65536, nullptr);
        }
    }

    const World &world_;
    Handle handle_;
    Shared *shared_;
    Slot *me_;
    unsigned slot_;
    Random random_;
};

} // namespace

void work_in_zone(const World &world, slm_zone *inherited, Shared *shared, unsigned slot,
                  uint64_t seed)
{
    Worker worker(world, inherited, shared, slot, seed);
    worker.take_over_slot();
    for (;;) {
        worker.turn();
    }
}

} // namespace kill_test
