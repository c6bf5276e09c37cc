/* SPDX-License-Identifier: Apache-2.0 */
/* Where links may lead, for the walkers of trees and lists: rbtree_check.c and lru.c. */
#ifndef SLM_TREE_REACH_H
#define SLM_TREE_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <slabmill/lru.h>
#include <slabmill/rbtree.h>
#include <slabmill/slab.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Nodes of node_bytes lie in [base + low, base + high), 8-aligned, each in a live object of the
 * journal's slab if it has one. Nothing outside is read. */
struct reach {
    const struct slm_journal *journal;
    uint64_t low;
    uint64_t high;
    uint64_t node_bytes;
};

/* The slab's own words are used only if its check passes. */
static inline bool reach_is_sound(const struct slm_journal *journal)
{
    return journal->slab == NULL || slm_slab_check_locked(journal->slab) == 0;
}

static inline bool reach_is_live(const struct reach *reach, const unsigned char *p)
{
    struct slm_slab_place place;
    if (reach->journal->slab == NULL) {
        return true;
    }
    slm_slab_locate(reach->journal->slab, p, &place);
    const unsigned char *object = place.object;
    return place.is_live && (size_t)(p - object) + reach->node_bytes <= place.object_bytes;
}

/* Whether a node may be read at that offset. */
static inline bool reach_has(const struct reach *reach, uint64_t offset)
{
    if (offset < reach->low || offset >= reach->high || reach->high - offset < reach->node_bytes) {
        return false;
    }
    const unsigned char *p = reach->journal->base + offset;
    return (uintptr_t)p % sizeof(uint64_t) == 0 && reach_is_live(reach, p);
}

/* slm_rbtree_check and slm_lru_check of a slab that was checked, for callers with several trees and
 * lists. Free pages are not read: they may have no memory. rbtree_check.c, lru.c. */
unsigned slm_rbtree_check_in_sound_slab(const struct slm_journal *journal,
                                        const struct slm_rbtree *tree, slm_rbtree_order *order,
                                        uint64_t low, uint64_t high);
unsigned slm_lru_check_in_sound_slab(const struct slm_journal *journal, const struct slm_lru *lru,
                                     uint64_t low, uint64_t high);

/* The most nodes that fit in the range. */
static inline uint64_t reach_nodes_max(const struct reach *reach)
{
    return reach->high <= reach->low ? 0 : (reach->high - reach->low) / reach->node_bytes;
}

#ifdef __cplusplus
}
#endif
#endif
