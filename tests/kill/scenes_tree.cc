/* SPDX-License-Identifier: Apache-2.0 */
/* Trees: each path through insertion and removal. A search finds a tree that takes the path. */
#include <algorithm>
#include <cstdint>
#include <random>

#include "tests/kill/scenario.h"

namespace kill_test {
namespace {

/* A tree in this process's memory, which grows like the zone's tree. */
class Sketch {
  public:
    explicit Sketch(const std::vector<uint64_t> &keys) : items_(keys.size() + 2)
    {
        /* Offset 0 means no node. */
        journal_.base = reinterpret_cast<unsigned char *>(items_.data());
        tree_ = slm_rbtree{};
        for (size_t i = 0; i < keys.size(); i++) {
            items_[i + 1].key = keys[i];
            (void)slm_rbtree_insert(&journal_, &tree_, &items_[i + 1].node, order_items);
        }
    }

    slm_rbtree_node *node(uint64_t offset)
    {
        return static_cast<slm_rbtree_node *>(slm_journal_pointer(&journal_, offset & ~RED));
    }
    slm_rbtree_node *parent(const slm_rbtree_node *child)
    {
        return node(child->parent);
    }
    bool is_red(const slm_rbtree_node *of) const
    {
        return of != nullptr && (of->parent & RED) != 0;
    }
    slm_rbtree_node *find(uint64_t key)
    {
        return slm_rbtree_find(&journal_, &tree_, &key, compare_item);
    }
    /* Returns the node that a key would be inserted below. NULL: the tree is empty. */
    slm_rbtree_node *place_of(uint64_t key)
    {
        slm_rbtree_node *above = nullptr;
        for (slm_rbtree_node *at = node(tree_.root); at != nullptr;) {
            above = at;
            at = node(key < item_of(at)->key ? at->left : at->right);
        }
        return above;
    }
    slm_rbtree_node *successor(const slm_rbtree_node *of)
    {
        return slm_rbtree_next(&journal_, of);
    }

  private:
    static constexpr uint64_t RED = 1; /* of a parent word: rbtree.h */
    std::vector<Item> items_;
    slm_journal journal_ = {};
    slm_rbtree tree_;
};

/* Names what inserting a key into the sketch does, as far as its parent and uncle show. */
std::string insertion(Sketch &sketch, uint64_t key)
{
    slm_rbtree_node *parent = sketch.place_of(key);
    if (parent == nullptr) {
        return "into an empty tree";
    }
    if (!sketch.is_red(parent)) {
        return "below a black node";
    }
    slm_rbtree_node *grand = sketch.parent(parent);
    bool is_left = sketch.node(grand->left) == parent;
    slm_rbtree_node *uncle = sketch.node(is_left ? grand->right : grand->left);
    if (sketch.is_red(uncle)) {
        slm_rbtree_node *above = sketch.parent(grand);
        return sketch.is_red(above) ? "recolouring, then more above" : "recolouring";
    }
    bool is_outer = (key < item_of(parent)->key) == is_left;
    return std::string(is_outer ? "single" : "double") + " rotation " +
           (is_left ? "right" : "left");
}

/* Names what closes a gap next to that sibling. */
std::string closing(Sketch &sketch, slm_rbtree_node *parent, bool gap_is_left)
{
    slm_rbtree_node *sibling = sketch.node(gap_is_left ? parent->right : parent->left);
    std::string side = gap_is_left ? ", on the left" : ", on the right";
    if (sketch.is_red(sibling)) {
        return "black leaf, sibling red" + side;
    }
    slm_rbtree_node *near = sketch.node(gap_is_left ? sibling->left : sibling->right);
    slm_rbtree_node *far = sketch.node(gap_is_left ? sibling->right : sibling->left);
    if (sketch.is_red(far)) {
        return "black leaf, far nephew red" + side;
    }
    if (sketch.is_red(near)) {
        return "black leaf, near nephew red" + side;
    }
    return std::string("black leaf, no nephew red, parent ") +
           (sketch.is_red(parent) ? "red" : "black") + side;
}

/* Names what removing a key from the sketch does. */
std::string deletion(Sketch &sketch, uint64_t key)
{
    slm_rbtree_node *node = sketch.find(key);
    slm_rbtree_node *parent = sketch.parent(node);
    if (node->left != 0 && node->right != 0) {
        slm_rbtree_node *heir = sketch.successor(node);
        std::string name = parent == nullptr ? "root with two children" : "node with two children";
        name += sketch.node(node->right) == heir ? ", heir its child" : ", heir farther down";
        return name + (sketch.is_red(heir) ? "" : ", a black leaf or with a child");
    }
    if (node->left != 0 || node->right != 0) {
        return parent == nullptr ? "root with one child" : "node with one child";
    }
    if (parent == nullptr) {
        return "only node";
    }
    return sketch.is_red(node) ? "red leaf"
                               : closing(sketch, parent, sketch.node(parent->left) == node);
}

/* A small tree, and a key to insert or remove. */
struct Found {
    std::vector<uint64_t> keys;
    uint64_t key = 0;
};

/* Even keys in random order. A few dozen trees have all the paths. */
Found look_for(const std::string &wanted, bool is_insertion)
{
    std::mt19937 random(1);
    for (size_t i = 0; i < 20000; i++) {
        Found found;
        size_t n = i % 16;
        for (size_t at = 0; at < n; at++) {
            found.keys.push_back(2 * at + 2);
        }
        std::shuffle(found.keys.begin(), found.keys.end(), random);
        Sketch sketch(found.keys);
        for (size_t at = 0; at < n + is_insertion; at++) {
            found.key = is_insertion ? 2 * at + 1 : 2 * at + 2;
            if ((is_insertion ? insertion : deletion)(sketch, found.key) == wanted) {
                return found;
            }
        }
    }
    expect(false, wanted.c_str());
    return {};
}

/* Items in tree and list. The operation is about the last item. */
void lay_out(World &world, const Found &found, bool is_linked)
{
    world.make_top();
    size_t asked = 0;
    for (uint64_t key : found.keys) {
        size_t idx = world.make_item(key);
        world.link_item(idx);
        asked = key == found.key ? idx : asked;
    }
    world.set_asked(is_linked ? asked : world.make_item(found.key));
}

void insert_asked(World &world, slm_zone *zone)
{
    if (slm_zone_lock(zone) == SLM_OK) {
        (void)slm_rbtree_insert(slm_zone_journal(zone), &world.top(zone)->tree,
                                &world.item(zone, world.asked())->node, order_items);
        (void)slm_zone_unlock(zone);
    }
}

void delete_asked(World &world, slm_zone *zone)
{
    if (slm_zone_lock(zone) == SLM_OK) {
        (void)slm_rbtree_remove(slm_zone_journal(zone), &world.top(zone)->tree,
                                &world.item(zone, world.asked())->node);
        (void)slm_zone_unlock(zone);
    }
}

void add(std::vector<Scenario> *list, const std::string &way, bool is_insertion)
{
    Found found = look_for(way, is_insertion);
    list->push_back({std::string(is_insertion ? "tree insert: " : "tree delete: ") + way,
                     {},
                     [=](World &world) { lay_out(world, found, !is_insertion); },
                     is_insertion ? insert_asked : delete_asked,
                     {0, 0, 0, 0}});
}

/* Whole operations of a user: an object is allocated and linked twice, or unlinked and freed. */
void add_turns(std::vector<Scenario> *list)
{
    Found found = look_for("recolouring, then more above", true);
    auto prepare = [=](World &world) { lay_out(world, found, false); };
    list->push_back({"tree and lru: a new item",
                     {},
                     prepare,
                     [](World &world, slm_zone *zone) {
                         if (slm_zone_lock(zone) != SLM_OK) {
                             return;
                         }
                         slm_journal *journal = slm_zone_journal(zone);
                         Top *top = world.top(zone);
                         auto *item =
                             static_cast<Item *>(slm_journal_calloc(journal, sizeof(Item)));
                         item->key = world.item(zone, world.asked())->key;
                         (void)slm_rbtree_insert(journal, &top->tree, &item->node, order_items);
                         (void)slm_lru_insert(journal, &top->lru, &item->used);
                         (void)slm_zone_unlock(zone);
                     },
                     {1, ANY, ANY, ANY}});
    list->push_back({"tree and lru: the oldest item is freed",
                     {},
                     prepare,
                     [](World &world, slm_zone *zone) {
                         if (slm_zone_lock(zone) != SLM_OK) {
                             return;
                         }
                         slm_journal *journal = slm_zone_journal(zone);
                         Top *top = world.top(zone);
                         Item *item = world.item(zone, 0);
                         (void)slm_rbtree_remove(journal, &top->tree, &item->node);
                         (void)slm_lru_remove(journal, &top->lru, &item->used);
                         (void)slm_journal_free(journal, item);
                         (void)slm_zone_unlock(zone);
                     },
                     {-1, ANY, ANY, ANY}});
}

} // namespace

void add_tree_scenes(std::vector<Scenario> *list)
{
    for (const char *way :
         {"into an empty tree", "below a black node", "recolouring", "recolouring, then more above",
          "single rotation left", "single rotation right", "double rotation left",
          "double rotation right"}) {
        add(list, way, true);
    }
    for (const char *way :
         {"only node", "red leaf", "node with one child", "root with one child",
          "root with two children, heir its child", "root with two children, heir farther down",
          "node with two children, heir its child", "node with two children, heir farther down",
          "node with two children, heir its child, a black leaf or with a child"}) {
        add(list, way, false);
    }
    for (const char *side : {", on the left", ", on the right"}) {
        for (const char *way :
             {"black leaf, sibling red", "black leaf, far nephew red",
              "black leaf, near nephew red", "black leaf, no nephew red, parent red",
              "black leaf, no nephew red, parent black"}) {
            add(list, std::string(way) + side, false);
        }
    }
    add_turns(list);
}

} // namespace kill_test
