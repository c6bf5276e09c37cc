/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of several processes on a table and leases in one zone, decoded from bytes. */
#ifndef HRN_FUZZ_ZONE_TABLE_H
#define HRN_FUZZ_ZONE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "harness/inputs/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A zone in a memfd, with a table and a book of leases at its root, and three actors, each
 *          with its own mapping, that stand for processes as in fuzz/zone/zone.h. Each operation is
 *          a turn of an actor: it locks, makes one or two calls, and commits or aborts. An actor
 *          that dies, between turns or at a yield point within one, comes back with another
 *          identity and mapping. A model has the entries in the order of use, the leases and the
 *          slots; how many entries are evicted for a new one is left to the library, but it must be
 *          the oldest that have no lease. After a death the zone has one of the contents that the
 *          transactions of the turn lead through. The bytes of a key may lie in an entry of the
 *          table, also in one that is evicted for it. A reader has the zone too: between turns, and
 *          at points within them, its calls are refused and change no byte, and between turns it
 *          sees what was committed. Any byte string is a program.
 * Bytes    Byte 0: bits 0-1: classes per doubling; bit 2: the lock is SPIN_SEM, else ROBUST. Then
 *          records of 8 bytes: operation (1), actor (1), key (1), extra (1), value (4).
 * Safety   One thread. Failure: each broken law aborts in a function of its own.
 */
#define HRN_TABLE_LIST(X)                                                                          \
    X(GET)                                                                                         \
    X(GET_KEEPING)                                                                                 \
    X(PUT)                                                                                         \
    X(TOUCH)                                                                                       \
    X(DROP)                                                                                        \
    X(WALK)                                                                                        \
    X(MISUSE)                                                                                      \
    X(JOIN)                                                                                        \
    X(LEAVE)                                                                                       \
    X(TAKE)                                                                                        \
    X(GIVE)                                                                                        \
    X(RECLAIM)                                                                                     \
    X(BALLAST)                                                                                     \
    X(DIE)                                                                                         \
    X(DIE_WITHIN)                                                                                  \
    X(LOOK)

#define HRN_TABLE_ENUM(name) HRN_TABLE_##name,
enum hrn_table_op { HRN_TABLE_LIST(HRN_TABLE_ENUM) HRN_TABLE_COUNT };
#undef HRN_TABLE_ENUM

/* What this process executed. */
struct hrn_table_counts {
    uint64_t n_kind[HRN_TABLE_COUNT];
    uint64_t n_evicted;        /* entries, for new ones */
    uint64_t n_refused;        /* entries that did not fit */
    uint64_t n_reclaimed;      /* leases */
    uint64_t n_died_within;    /* turns in which their actor died */
    uint64_t n_halfway;        /* of these, with a content between that before and that after */
    uint64_t n_inside;         /* turns with a key whose bytes lie in an entry */
    uint64_t n_inside_evicted; /* of these, for which that entry went */
    uint64_t n_looks;          /* of a reader */
    uint64_t n_looks_within;   /* of these, while a turn was under way, or a dead actor's was */
};

/* Decodes and runs an input. Always returns 0, as libFuzzer requires. */
int hrn_fuzz_zone_table(const uint8_t *bytes, size_t n_bytes);

const struct hrn_table_counts *hrn_table_totals(void);
const char *hrn_table_op_name(enum hrn_table_op op);

/* For struct hrn_fuzz_target. */
bool hrn_table_kind(unsigned idx, struct hrn_fuzz_kind *kind);

#ifdef __cplusplus
}
#endif
#endif
