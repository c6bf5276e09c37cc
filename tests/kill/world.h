/* SPDX-License-Identifier: Apache-2.0 */
/* World: one zone in two mappings, the victims' and the judge's, which can be saved and
 * restored. */
#ifndef SLM_TESTS_KILL_WORLD_H
#define SLM_TESTS_KILL_WORLD_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/kill/picture.h"

extern "C" {
#include <slabmill/lru.h>
#include <slabmill/rbtree.h>
}

namespace kill_test {

struct Shape {
    size_t bytes = 96 * 1024;
    size_t max_bytes = 0;
    unsigned per_doubling = 1;
    unsigned journal_entries = 192;
    slm_lock_kind lock = SLM_LOCK_ROBUST;
    slm_segment_kind kind = SLM_SEGMENT_MEMFD; /* POSIX, FILE: another zone may replace it */
};

/* A user's object in a tree and a list. */
struct Item {
    uint64_t key;
    slm_rbtree_node node;
    slm_lru_node used;
};

/* The root object of scenarios with a tree. */
struct Top {
    slm_rbtree tree;
    slm_lru lru;
    uint64_t first; /* an object's offset, as the journal counts */
};

extern "C" int order_items(const slm_rbtree_node *a, const slm_rbtree_node *b);
extern "C" int compare_item(const void *key, const slm_rbtree_node *node);
Item *item_of(slm_rbtree_node *node);

class World {
  public:
    explicit World(const Shape &shape);
    ~World();
    World(const World &) = delete;
    World &operator=(const World &) = delete;

    /* The mapping that children inherit, and the judge's own at another address. */
    slm_zone *theirs()
    {
        return theirs_;
    }
    slm_zone *ours()
    {
        return ours_;
    }

    /* If another zone has taken this one's place, ours() is that one afterwards. Returns "", or
     * what is wrong. */
    std::string follow();

    /* Returns a new handle of the zone that has the name now, or NULL. */
    slm_zone *attach(slm_error *error) const;
    /* The options that name the zone's segment; the name stays this world's. */
    slm_segment_options place() const;
    /* Returns the number of files in the folder of a FILE, which has only this zone. */
    unsigned count_files() const;

    /* Does what the reaper of a victim must do: frees locks of nginx's kind by force. */
    void force_dead_owner();

    /* Save and restore the whole segment, lock included. */
    void save();
    void restore();

    /* --- For preparing, under the lock of ours() --- */

    /* Allocates and commits an object with a content of its own, and remembers it. Returns its
     * index. */
    size_t get(size_t bytes);
    void put(size_t idx);
    /* Allocates as many objects as needed until n_left pages are free. */
    void fill(size_t n_left);
    /* Makes root, tree and list, in one object. */
    void make_top();
    /* Makes and remembers an item that is in neither tree nor list. */
    size_t make_item(uint64_t key);
    void link_item(size_t idx);
    /* Sets the item that the operation is about. */
    void set_asked(size_t idx)
    {
        asked_ = idx;
    }
    size_t asked() const
    {
        return asked_;
    }
    void commit();
    bool has_items() const
    {
        return has_items_;
    }

    /* --- For operations, in either mapping --- */

    void *at(slm_zone *zone, size_t idx) const;
    Item *item(slm_zone *zone, size_t idx) const;
    Top *top(slm_zone *zone) const;

  private:
    slm_zone *theirs_ = nullptr;
    slm_zone *ours_ = nullptr;
    std::string lock_path_; /* of a file lock */
    slm_segment_kind kind_;
    std::string folder_; /* of a FILE */
    std::string name_;   /* of a segment that has one */
    std::vector<unsigned char> saved_;
    bool has_items_ = false;
    size_t asked_ = 0;
    std::vector<uint64_t> objects_; /* offsets as the journal counts them */
};

/* Ends the program: the scenario itself is wrong. */
void expect(bool condition, const char *what);

} // namespace kill_test

#endif
