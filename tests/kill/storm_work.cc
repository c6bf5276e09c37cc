/* SPDX-License-Identifier: Apache-2.0 */
/* The work of the storm's processes: they allocate and free objects with their stamp, some in tree
 * and list. */
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

constexpr uint64_t TURNS_BETWEEN_COPIES = 1000;

class Worker {
  public:
    Worker(slm_zone *zone, Shared *shared, unsigned slot, uint64_t seed)
        : zone_(zone), shared_(shared), me_(&shared->slots[slot]), slot_(slot), random_(seed)
    {
    }

    void turn()
    {
        auto idx = static_cast<unsigned>(random_.below(N_ENTRIES));
        uint64_t dice = random_.below(100);
        if (random_.below(TURNS_BETWEEN_COPIES) == 0) {
            copy_zone(zone_, shared_, slot_);
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
    Board *board()
    {
        return static_cast<Board *>(slm_zone_root_locked(zone_));
    }
    slm_journal *journal()
    {
        return slm_zone_journal(zone_);
    }
    bool lock()
    {
        slm_status status = slm_zone_lock(zone_);
        if (status != SLM_OK) {
            count_wrong(shared_, slm_status_text(status), false);
        }
        return status == SLM_OK;
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

    void link(Thing *thing)
    {
        if (slm_rbtree_insert(journal(), &board()->tree, &thing->item.node, order_items) !=
                SLM_OK ||
            slm_lru_insert(journal(), &board()->lru, &thing->item.used) != SLM_OK) {
            count_wrong(shared_, "a new node is in a tree or list already", false);
        }
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
            entry->offset = slm_journal_offset(journal(), thing);
            __atomic_store_n(&entry->state, UNSURE, __ATOMIC_SEQ_CST);
            slm_journal_write(journal(), &board()->directory[slot_][idx], entry->offset);
            if (is_linked) {
                link(thing);
            }
            (void)slm_zone_unlock(zone_);
            __atomic_store_n(&entry->state, LIVE, __ATOMIC_SEQ_CST);
        } else {
            (void)slm_zone_unlock(zone_);
        }
    }

    /* Returns NULL, and counts the problem, if the object has changed. */
    Thing *look(unsigned idx)
    {
        bool is_double;
        const char *wrong = judge_thing(zone_, me_->entries[idx].offset, slot_, &is_double);
        if (wrong[0] != '\0') {
            count_wrong(shared_, wrong, is_double);
            return nullptr;
        }
        return static_cast<Thing *>(slm_journal_pointer(journal(), me_->entries[idx].offset));
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
        (void)slm_zone_unlock(zone_);
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
        (void)slm_zone_unlock(zone_);
    }

    void change_and_abort()
    {
        if (lock()) {
            Thing *thing = make(true);
            if (thing != nullptr) {
                link(thing);
            }
            slm_journal_write(journal(), &board()->directory[slot_][0], 1);
            slm_zone_abort_locked(zone_);
            (void)slm_zone_unlock(zone_);
        }
    }

    void grow()
    {
        struct slm_zone_stats stats;
        slm_zone_get_stats(zone_, &stats);
        if (stats.bytes < stats.max_bytes) {
            (void)slm_zone_grow(zone_, stats.bytes + 65536, nullptr);
        }
    }

    slm_zone *zone_;
    Shared *shared_;
    Slot *me_;
    unsigned slot_;
    Random random_;
};

} // namespace

/* The slot's last owner was killed: what it was about to commit happened or did not. */
void take_over_slot(slm_zone *zone, Shared *shared, unsigned slot)
{
    if (slm_zone_lock(zone) != SLM_OK) {
        count_wrong(shared, "the zone cannot be locked", false);
        return;
    }
    const Board *board = static_cast<const Board *>(slm_zone_root_locked(zone));
    for (unsigned i = 0; i < N_ENTRIES; i++) {
        Entry *entry = &shared->slots[slot].entries[i];
        if (entry->state == UNSURE) {
            uint64_t state = board->directory[slot][i] == entry->offset ? LIVE : NONE;
            __atomic_store_n(&entry->state, state, __ATOMIC_SEQ_CST);
        }
    }
    (void)slm_zone_unlock(zone);
}

void work_in_zone(slm_zone *zone, Shared *shared, unsigned slot, uint64_t seed)
{
    take_over_slot(zone, shared, slot);
    Worker worker(zone, shared, slot, seed);
    for (;;) {
        worker.turn();
    }
}

} // namespace kill_test
