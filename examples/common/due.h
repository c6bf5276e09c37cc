/* SPDX-License-Identifier: Apache-2.0 */
/* Due: entries of a keyed zone that expire, each at a time of its own. */
#ifndef SLM_EXAMPLES_DUE_H
#define SLM_EXAMPLES_DUE_H

#include "examples/common/keyed.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A second tree in the head has the entries that expire, in the order of the time at which
 *          they do. When memory is out, entries that have expired go first, then the oldest ones of
 *          the table.
 * Safety, Failure: as keyed.h.
 */
#define SLM_DUE_NEVER        UINT64_MAX
#define SLM_DUE_EXPIRE_MAX   2u /* expired entries that each new one drops */
#define SLM_DUE_DROP_ENTRIES (SLM_TABLE_DROP_ENTRIES + SLM_RBTREE_ENTRIES + 1u)

/* Start of the library's head, in shared memory. */
struct slm_due_head {
    struct slm_keyed keyed; /* first */
    struct slm_rbtree by_due;
};

/* Start of its entries, in shared memory. */
struct slm_due_entry {
    struct slm_table_entry entry;  /* first */
    struct slm_rbtree_node by_due; /* all 0: it does not expire */
    uint64_t due_ms;
};

/* What a call looks at: the zone, and the time. */
struct slm_due_call {
    struct slm_keyed_view view;
    uint64_t now_ms;
};

/* SLM_DUE_NEVER if the sum is as late. */
uint64_t slm_due_after(uint64_t ttl_ms, uint64_t now_ms);

/* The key's entry; NULL: *status says SLM_E_NOT_MEMBER, or SLM_E_FULL. Drops one that has expired, as
 * a transaction of its own. */
struct slm_due_entry *slm_due_find(const struct slm_due_call *call, const struct slm_table_key *key,
                                   enum slm_status *status);

/* An object for an entry with the key, after it dropped expired entries and made room; as
 * slm_table_alloc_locked. The call's data are those of the shape. */
struct slm_due_entry *slm_due_alloc(struct slm_due_call *call, const struct slm_table_key *key,
                                    struct slm_table_shape shape, enum slm_status *status);

/* Puts it in, to expire at due_ms, and drops the entry that has its key, if there is one. */
enum slm_status slm_due_put(const struct slm_due_call *call, struct slm_due_entry *entry,
                            uint64_t due_ms);

/* Changes when it expires. */
void slm_due_set(const struct slm_due_call *call, struct slm_due_entry *entry, uint64_t due_ms);

void slm_due_drop(const struct slm_due_call *call, struct slm_due_entry *entry);

/* Drops at most max expired entries, one transaction each, and returns how many. */
size_t slm_due_expire(const struct slm_due_call *call, size_t max);

/* 0, or first: the links of the tree are wrong; first + 1: its order; first + 2: its members. Call it
 * after slm_keyed_check_entries_locked found nothing. Reads only. Cost O(n). */
unsigned slm_due_check_locked(const struct slm_keyed_view *view, unsigned first);

#ifdef __cplusplus
}
#endif
#endif
