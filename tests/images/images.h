/* SPDX-License-Identifier: Apache-2.0 */
/* The zones of corpus/images: how each is made, and its contents. docs/layout.md has the
 * reasons. */
#ifndef SLM_TESTS_IMAGES_IMAGES_H
#define SLM_TESTS_IMAGES_IMAGES_H

#include "tests/zone/fixture.h"
#include <slabmill/lru.h>
#include <slabmill/rbtree.h>

namespace slm_test {

struct Image {
    const char *name;         /* the file's name */
    void (*fill)(slm_zone *); /* fills the new zone */
    void (*die)(slm_zone *);  /* NULL, or the actions of a process that dies holding the lock */
    size_t bytes;             /* the zone's final length */
    size_t n_objects;         /* after its repair */
    Numbers numbers;          /* the list at the root, after the repair; empty in tree_lru */
    uint64_t n_undone;        /* after the first lock */
    uint64_t n_finished;
};

const std::vector<Image> &every_image();

inline void PrintTo(const Image &image, std::ostream *out)
{
    *out << image.name;
}

/* Options of each image, for a file with that path. */
slm_zone_options image_options(const std::string &path);

/* The root of tree_lru: items with keys 0 to 29, inserted as key * 7 % 30; then 0 to 4 are
 * touched. */
constexpr uint64_t kItems = 30;
struct Item {
    slm_rbtree_node node;
    slm_lru_node used;
    uint64_t key;
};
struct Index {
    slm_rbtree by_key;
    slm_lru by_use;
};
int order_items(const slm_rbtree_node *a, const slm_rbtree_node *b);
Item *item_of(const slm_lru_node *node);

} // namespace slm_test

#endif
