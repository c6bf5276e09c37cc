/* SPDX-License-Identifier: Apache-2.0 */
/* LRU lists: linking, unlinking, the walk that checks. */
#include <slabmill/lru.h>

#include "allocator/base/check.h"
#include "allocator/tree/change.h"
#include "allocator/tree/node.h"
#include "allocator/tree/reach.h"

/*
 * I1   The journal's slab, if it has one, is sound by its own check.
 * I2   Every link leads to a node: 8-aligned, wholly within the range and within a live object.
 * I3   A node's newer is the node whose older leads to it, 0 for the newest. So none is reached
 *      twice, and there is no cycle.
 * I4   Every node records that it is in this list.
 * I5   The oldest is the node at which the path from the newest ends, 0 in an empty list.
 * I6   n_nodes is the number of nodes, and no more than the range has room for.
 *
 * Entries  Each store is at most one entry of the journal: insert 6 (three words of the node, of
 *          which one only where it was not zeroed; newest; its neighbour or oldest; n_nodes), 3 if
 *          the node is in the transaction's newest object,
 *          remove 6 (two neighbours, n_nodes, three words wiped), touch 6 (two neighbours where it
 *          was; newest; its new neighbour; two words of the node).
 */
enum invariant { OK, I1, I2, I3, I4, I5, I6 };

_Static_assert(SLM_LRU_ENTRIES >= 6, "see Entries");

static uint64_t tag_of(const struct slm_journal *journal, const struct slm_lru *lru)
{
    return slm_journal_offset(journal, lru) | 1u; /* never 0, even at base */
}

static struct slm_lru_node *at(const struct slm_journal *journal, uint64_t offset)
{
    return slm_journal_pointer(journal, offset);
}

/* The word that links to a node from its newer neighbour, or from the list if it is the newest. */
static uint64_t *link_from_newer(const struct slm_journal *journal, struct slm_lru *lru,
                                 uint64_t newer)
{
    return newer == 0 ? &lru->newest : &at(journal, newer)->older;
}

static uint64_t *link_from_older(const struct slm_journal *journal, struct slm_lru *lru,
                                 uint64_t older)
{
    return older == 0 ? &lru->oldest : &at(journal, older)->newer;
}

/* The words that lead to a node. */
struct links {
    uint64_t *from_newer;
    uint64_t *from_older;
};

/* A memcpy of a linked node looks linked; check that its neighbours' links point here. */
static inline bool find_links(const struct slm_journal *journal, struct slm_lru *lru,
                              const struct slm_lru_node *node, struct links *links)
{
    if (!node_is_aligned(node) || node->list != tag_of(journal, lru)) {
        return false;
    }
    uint64_t x = slm_journal_offset(journal, node);
    links->from_newer = link_from_newer(journal, lru, node->newer);
    links->from_older = link_from_older(journal, lru, node->older);
    return *links->from_newer == x && *links->from_older == x;
}

/* Takes the node out from between its neighbours. */
static CHANGE_INLINE void set_links(const struct links *links, const struct slm_lru_node *node)
{
    uint64_t older = node->older;
    uint64_t newer = node->newer;
    node_set(links->from_newer, older);
    node_set(links->from_older, newer);
}

static CHANGE_INLINE void note_remove(const struct slm_journal *journal, const struct slm_lru *lru,
                                      const struct slm_lru_node *node, const struct links *links)
{
    struct node_change change = node_change_begin(journal);
    node_note(&change, links->from_newer);
    node_note(&change, links->from_older);
    node_note(&change, &node->newer);
    node_note(&change, &node->older);
    node_note(&change, &node->list);
    node_note(&change, &lru->n_nodes);
    node_count(&change);
}

/* Of a node that is not the newest, which is at from_next then. */
static CHANGE_INLINE void note_touch(const struct slm_journal *journal, const struct slm_lru *lru,
                                     const struct slm_lru_node *node, const struct links *links,
                                     const slm_word *from_next)
{
    struct node_change change = node_change_begin(journal);
    node_note(&change, links->from_newer);
    node_note(&change, links->from_older);
    node_note(&change, &node->newer);
    node_note(&change, &node->older);
    node_note(&change, from_next);
    node_note(&change, &lru->newest);
    node_count(&change);
}

/* SLM_CHECKS 3. The range is unknown here, so it is all that offsets can reach. */
static void check_after_change(const struct slm_journal *journal, const struct slm_lru *lru)
{
    struct slm_journal links_only = *journal;
    links_only.slab = NULL;
    SLM_CHECK_ALL(slm_lru_check(&links_only, lru, 1, UINT64_C(1) << 48));
}

static CHANGE_INLINE enum node_look look_at(const struct slm_journal *journal,
                                            const struct slm_lru *lru,
                                            const struct slm_lru_node *node, bool is_insert)
{
    return node_look(journal, lru, sizeof *lru, node, sizeof *node, SLM_LRU_ENTRIES, is_insert);
}

static CHANGE_INLINE enum slm_status check_node(struct slm_journal *journal,
                                                const struct slm_lru *lru,
                                                const struct slm_lru_node *node,
                                                enum node_look look)
{
    return node_check(journal, lru, sizeof *lru, node, sizeof *node, SLM_LRU_ENTRIES, look);
}

/* Notes what an insert changes. `away` is 0 already, unless the caller did not zero the node. */
static CHANGE_INLINE void note_insert(const struct slm_journal *journal, const struct slm_lru *lru,
                                      const struct slm_lru_node *node, const slm_word *end,
                                      const slm_word *from_next)
{
    struct node_change change = node_change_begin(journal);
    if (!node_is_fresh(journal, node)) {
        bool is_newest = end == &lru->newest;
        node_note(&change, is_newest ? &node->older : &node->newer);
        node_note(&change, &node->list);
        const slm_word *away = is_newest ? &node->newer : &node->older;
        if (SLM_UNLIKELY(*away != 0)) {
            node_note(&change, away);
        }
    }
    node_note(&change, from_next);
    node_note(&change, end);
    node_note(&change, &lru->n_nodes);
    node_count(&change);
}

/* is_newest is a constant where this is inlined. */
static CHANGE_INLINE enum slm_status link_at_end(struct slm_journal *journal, struct slm_lru *lru,
                                                 struct slm_lru_node *node, bool is_newest)
{
    uint64_t x = (uint64_t)((const unsigned char *)node - journal->base);
    uint64_t *end = is_newest ? &lru->newest : &lru->oldest;
    uint64_t next = *end;
    uint64_t *from_next =
        is_newest ? link_from_older(journal, lru, next) : link_from_newer(journal, lru, next);
    if (journal->log != NULL) {
        note_insert(journal, lru, node, end, from_next);
    }
    node_set(&node->newer, is_newest ? 0 : next);
    node_set(&node->older, is_newest ? next : 0);
    node_set(from_next, x);
    node_set(end, x);
    node_set(&node->list, tag_of(journal, lru));
    node_set(&lru->n_nodes, lru->n_nodes + 1);
    check_after_change(journal, lru);
    return SLM_OK;
}

/* The first look did not find the node ready. */
static SLM_NOINLINE enum slm_status check_and_insert(struct slm_journal *journal,
                                                     struct slm_lru *lru, struct slm_lru_node *node,
                                                     bool is_newest, enum node_look look)
{
    enum slm_status status = check_node(journal, lru, node, look);
    if (status != SLM_OK) {
        return status;
    }
    return is_newest ? link_at_end(journal, lru, node, true)
                     : link_at_end(journal, lru, node, false);
}

static CHANGE_INLINE enum slm_status insert_at_end(struct slm_journal *journal, struct slm_lru *lru,
                                                   struct slm_lru_node *node, bool is_newest)
{
    if (SLM_UNLIKELY(journal == NULL) || SLM_UNLIKELY(lru == NULL) || SLM_UNLIKELY(node == NULL)) {
        return SLM_E_NULL;
    }
    if (SLM_LIKELY(node_is_aligned(node)) && SLM_UNLIKELY(node->list != 0)) {
        return node_tagged_status(journal, lru, sizeof *lru, node, sizeof *node, node->list);
    }
    enum node_look look = journal->log == NULL ? NODE_READY : look_at(journal, lru, node, true);
    return SLM_LIKELY(look == NODE_READY) ? link_at_end(journal, lru, node, is_newest)
                                          : check_and_insert(journal, lru, node, is_newest, look);
}

enum slm_status slm_lru_insert(struct slm_journal *journal, struct slm_lru *lru,
                               struct slm_lru_node *node)
{
    return insert_at_end(journal, lru, node, true);
}

enum slm_status slm_lru_insert_oldest(struct slm_journal *journal, struct slm_lru *lru,
                                      struct slm_lru_node *node)
{
    return insert_at_end(journal, lru, node, false);
}

/* is_noted is a constant where this is inlined. */
static CHANGE_INLINE enum slm_status unlink_node(struct slm_journal *journal, struct slm_lru *lru,
                                                 struct slm_lru_node *node,
                                                 const struct links *links, bool is_noted)
{
    if (is_noted) {
        note_remove(journal, lru, node, links);
    }
    set_links(links, node);
    node_set(&node->newer, 0);
    node_set(&node->older, 0);
    node_set(&node->list, 0);
    node_set(&lru->n_nodes, lru->n_nodes - 1);
    check_after_change(journal, lru);
    return SLM_OK;
}

static CHANGE_INLINE enum slm_status make_newest(struct slm_journal *journal, struct slm_lru *lru,
                                                 struct slm_lru_node *node,
                                                 const struct links *links, bool is_noted)
{
    if (node->newer != 0) {
        uint64_t x = (uint64_t)((const unsigned char *)node - journal->base);
        uint64_t next = lru->newest;
        uint64_t *from_next = link_from_older(journal, lru, next);
        if (is_noted) {
            note_touch(journal, lru, node, links, from_next);
        }
        set_links(links, node);
        node_set(&node->newer, 0);
        node_set(&node->older, next);
        node_set(from_next, x);
        node_set(&lru->newest, x);
    }
    check_after_change(journal, lru);
    return SLM_OK;
}

/* The calls below are functions of their own, each of which ends with the next: so the public calls
 * need no stack frame, and what is rare costs the others no registers. The first two have a node that
 * the first look found ready, and one that it did not know. */
static SLM_NOINLINE enum slm_status remove_ready(struct slm_journal *journal, struct slm_lru *lru,
                                                 struct slm_lru_node *node, struct links links)
{
    return unlink_node(journal, lru, node, &links, true);
}

static SLM_NOINLINE enum slm_status touch_ready(struct slm_journal *journal, struct slm_lru *lru,
                                                struct slm_lru_node *node, struct links links)
{
    return make_newest(journal, lru, node, &links, true);
}

static SLM_NOINLINE enum slm_status touch_unknown(struct slm_journal *journal, struct slm_lru *lru,
                                                  struct slm_lru_node *node, struct links links)
{
    enum slm_status status = check_node(journal, lru, node, NODE_UNKNOWN);
    return SLM_LIKELY(status == SLM_OK) ? make_newest(journal, lru, node, &links, true) : status;
}

static SLM_NOINLINE enum slm_status check_and_remove(struct slm_journal *journal,
                                                     struct slm_lru *lru, struct slm_lru_node *node,
                                                     struct links links, enum node_look look)
{
    enum slm_status status = check_node(journal, lru, node, look);
    return status == SLM_OK ? remove_ready(journal, lru, node, links) : status;
}

static SLM_NOINLINE enum slm_status check_and_touch(struct slm_journal *journal,
                                                    struct slm_lru *lru, struct slm_lru_node *node,
                                                    struct links links)
{
    enum slm_status status = check_node(journal, lru, node, NODE_REFUSED);
    return status == SLM_OK ? touch_ready(journal, lru, node, links) : status;
}

static SLM_NOINLINE enum slm_status remove_plain(struct slm_journal *journal, struct slm_lru *lru,
                                                 struct slm_lru_node *node)
{
    struct links links;
    return find_links(journal, lru, node, &links) ? unlink_node(journal, lru, node, &links, false)
                                                  : SLM_E_NOT_MEMBER;
}

static SLM_NOINLINE enum slm_status touch_plain(struct slm_journal *journal, struct slm_lru *lru,
                                                struct slm_lru_node *node)
{
    struct links links;
    return find_links(journal, lru, node, &links) ? make_newest(journal, lru, node, &links, false)
                                                  : SLM_E_NOT_MEMBER;
}

enum slm_status slm_lru_remove(struct slm_journal *journal, struct slm_lru *lru,
                               struct slm_lru_node *node)
{
    struct links links;
    if (SLM_UNLIKELY(journal == NULL) || SLM_UNLIKELY(lru == NULL) || SLM_UNLIKELY(node == NULL)) {
        return SLM_E_NULL;
    }
    if (journal->log == NULL) {
        return remove_plain(journal, lru, node);
    }
    if (SLM_UNLIKELY(!find_links(journal, lru, node, &links))) {
        return SLM_E_NOT_MEMBER;
    }
    enum node_look look = look_at(journal, lru, node, false);
    return SLM_LIKELY(look == NODE_READY) ? remove_ready(journal, lru, node, links)
                                          : check_and_remove(journal, lru, node, links, look);
}

enum slm_status slm_lru_touch(struct slm_journal *journal, struct slm_lru *lru,
                              struct slm_lru_node *node)
{
    struct links links;
    if (SLM_UNLIKELY(journal == NULL) || SLM_UNLIKELY(lru == NULL) || SLM_UNLIKELY(node == NULL)) {
        return SLM_E_NULL;
    }
    if (journal->log == NULL) {
        return touch_plain(journal, lru, node);
    }
    if (SLM_UNLIKELY(!find_links(journal, lru, node, &links))) {
        return SLM_E_NOT_MEMBER;
    }
    enum node_look look = look_at(journal, lru, node, false);
    if (SLM_UNLIKELY(look == NODE_REFUSED)) {
        return check_and_touch(journal, lru, node, links);
    }
    return look == NODE_READY ? touch_ready(journal, lru, node, links)
                              : touch_unknown(journal, lru, node, links);
}

struct slm_lru_node *slm_lru_newest(const struct slm_journal *journal, const struct slm_lru *lru)
{
    return journal == NULL || lru == NULL ? NULL : at(journal, lru->newest);
}

struct slm_lru_node *slm_lru_oldest(const struct slm_journal *journal, const struct slm_lru *lru)
{
    return journal == NULL || lru == NULL ? NULL : at(journal, lru->oldest);
}

struct slm_lru_node *slm_lru_newer(const struct slm_journal *journal,
                                   const struct slm_lru_node *node)
{
    return journal == NULL || node == NULL ? NULL : at(journal, node->newer);
}

struct slm_lru_node *slm_lru_older(const struct slm_journal *journal,
                                   const struct slm_lru_node *node)
{
    return journal == NULL || node == NULL ? NULL : at(journal, node->older);
}

/* Walks from newest to oldest and reads each word once. A node is counted before its link is
 * followed, so n_nodes bounds the steps. */
static enum invariant check_links(const struct reach *reach, const struct slm_lru *lru,
                                  uint64_t n_nodes)
{
    uint64_t tag = tag_of(reach->journal, lru);
    uint64_t newer = 0;
    uint64_t n_seen = 0;
    uint64_t link = node_word(&lru->newest);
    while (link != 0) {
        if (!reach_has(reach, link)) {
            return I2;
        }
        const struct slm_lru_node *node = at(reach->journal, link);
        if (node_word(&node->newer) != newer) {
            return I3;
        }
        if (node_word(&node->list) != tag) {
            return I4;
        }
        if (++n_seen > n_nodes) {
            return I6;
        }
        newer = link;
        link = node_word(&node->older);
    }
    if (node_word(&lru->oldest) != newer) {
        return I5;
    }
    return n_seen == n_nodes ? OK : I6;
}

unsigned slm_lru_check_in_sound_slab(const struct slm_journal *journal, const struct slm_lru *lru,
                                     uint64_t low, uint64_t high)
{
    const struct reach reach = {journal, low, high, sizeof(struct slm_lru_node)};
    uint64_t n_nodes = node_word(&lru->n_nodes);
    return n_nodes > reach_nodes_max(&reach) ? I6 : check_links(&reach, lru, n_nodes);
}

unsigned slm_lru_check(const struct slm_journal *journal, const struct slm_lru *lru, uint64_t low,
                       uint64_t high)
{
    if (journal == NULL || lru == NULL) {
        return OK;
    }
    return reach_is_sound(journal) ? slm_lru_check_in_sound_slab(journal, lru, low, high) : I1;
}
