/* SPDX-License-Identifier: Apache-2.0 */
/* Programs against trees and lists, decoded from bytes. */
#ifndef HRN_FUZZ_RBTREE_H
#define HRN_FUZZ_RBTREE_H

#include <stddef.h>
#include <stdint.h>

#include "harness/inputs/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Two trees and two lists over a few items in memory of fixed size, and a plain model of
 *          them; any byte string is a program. Every result is compared with the model; refused
 *          calls, and calls that only read, must change no byte; checks run after each change. HURT
 *          overwrites a word of that memory. After that only checks run, which must return and
 *          write nothing, and a tree or list that they find sound must be possible to walk and
 *          empty. The next other operation restores the memory first.
 *          With a journal, changes are made in transactions. Aborted, without room for more
 *          entries, or cut off by a death at a point within a call, they must leave every byte as
 *          the last commit did. Checks of damaged memory must find an invariant that a plain second
 *          check finds too, and nothing if that finds nothing.
 * Bytes    Byte 0: bits 0-3, bits of a key; bit 4: the journal is on; then records of 8 bytes: operation (1), item (1), key
 *          or place (2), value (4). The item's bit 7 chooses the tree or list. HURT writes to word
 *          `key`; bits 0-2 of its item choose the new content: the value, signed; the offset of
 *          item `value`'s tree node, the same marked red, or of its list node; a copy of word
 *          `value`; the old word with the value's bits inverted; plus one; minus one.
 *          Inserts: bits 30 and 31 write to words of the node before. DIE: at point `value` of the next calls, bits 8-15: and again in the repair.
 * Safety   One thread. Failure: each broken law aborts in a function of its own.
 */
#define HRN_TREE_LIST(X)                                                                           \
    X(INSERT)                                                                                      \
    X(DELETE)                                                                                      \
    X(FIND)                                                                                        \
    X(LOWER_BOUND)                                                                                 \
    X(WALK)                                                                                        \
    X(WALK_BACK)                                                                                   \
    X(LIST_INSERT)                                                                                 \
    X(LIST_TOUCH)                                                                                  \
    X(LIST_REMOVE)                                                                                 \
    X(LIST_WALK)                                                                                   \
    X(NULLS)                                                                                       \
    X(WRONG_TREE)                                                                                  \
    X(WRONG_LIST)                                                                                  \
    X(TREE_COPY)                                                                                   \
    X(LIST_COPY)                                                                                   \
    X(HURT)                                                                                        \
    X(LIST_OLDEST)                                                                                 \
    X(COMMIT)                                                                                      \
    X(ABORT)                                                                                       \
    X(DIE)

#define HRN_TREE_ENUM(name) HRN_TREE_##name,
enum hrn_tree_op { HRN_TREE_LIST(HRN_TREE_ENUM) HRN_TREE_COUNT };
#undef HRN_TREE_ENUM

/* What this process executed. */
struct hrn_tree_counts {
    uint64_t n_kind[HRN_TREE_COUNT];
    uint64_t n_refused; /* calls that were misuse */
    uint64_t n_broken;  /* checks that found something */
    uint64_t n_sound;   /* checks of damaged memory that found nothing */
};

/* Decodes and runs an input. Always returns 0, as libFuzzer requires. */
int hrn_fuzz_rbtree(const uint8_t *bytes, size_t n_bytes);

const struct hrn_tree_counts *hrn_tree_totals(void);
const char *hrn_tree_op_name(enum hrn_tree_op op);

/* For struct hrn_fuzz_target. */
bool hrn_tree_kind(unsigned idx, struct hrn_fuzz_kind *kind);

#ifdef __cplusplus
}
#endif
#endif
