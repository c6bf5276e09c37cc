/* SPDX-License-Identifier: Apache-2.0 */
/* Programs against trees and lists, told in bytes. */
#ifndef HRN_FUZZ_RBTREE_H
#define HRN_FUZZ_RBTREE_H

#include <stddef.h>
#include <stdint.h>

#include "harness/inputs/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Two trees and two lists over a few items in memory of fixed size, beside a plain account
 *          of them; any byte string is a program. Every answer is compared, every refused call and
 *          every look must leave all bytes alone, and checks run after each change. HURT overwrites
 *          a word of that memory: then only checks run, which must answer and write nothing, and a
 *          tree or list that they find sound must be walked and emptied. The next other operation
 *          begins with the memory as it was before.
 * Bytes    Byte 0: bits 0-3, bits of a key; then records of 8 bytes: operation (1), item (1), key
 *          or place (2), value (4). The item's bit 7 chooses the tree or list. HURT writes to word
 *          `key`; bits 0-2 of its item say how: the value, signed; the offset of item `value`'s
 *          tree node, the same red, or list node; a copy of word `value`; the value's bits turned;
 *          one more; one less.
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
    X(HURT)

#define HRN_TREE_ENUM(name) HRN_TREE_##name,
enum hrn_tree_op { HRN_TREE_LIST(HRN_TREE_ENUM) HRN_TREE_COUNT };
#undef HRN_TREE_ENUM

/* What was executed by this process. */
struct hrn_tree_counts {
    uint64_t n_kind[HRN_TREE_COUNT];
    uint64_t n_refused; /* calls that were misuse */
    uint64_t n_broken;  /* checks that found something */
    uint64_t n_sound;   /* checks of damaged memory that found nothing */
};

/* Decodes and runs; always 0, as libFuzzer wants it. */
int hrn_fuzz_rbtree(const uint8_t *bytes, size_t n_bytes);

const struct hrn_tree_counts *hrn_tree_totals(void);
const char *hrn_tree_op_name(enum hrn_tree_op op);

/* As struct hrn_fuzz_target has it. */
bool hrn_tree_kind(unsigned idx, struct hrn_fuzz_kind *kind);

#ifdef __cplusplus
}
#endif
#endif
