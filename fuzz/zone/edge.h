/* SPDX-License-Identifier: Apache-2.0 */
/* Programs about the life of zones: servers that reload, views next to them, files that are copied,
 * replaced and removed. Decoded from bytes. */
#ifndef HRN_FUZZ_ZONE_EDGE_H
#define HRN_FUZZ_ZONE_EDGE_H

#include <stddef.h>
#include <stdint.h>

#include "harness/inputs/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Two servers, each with a zone set, and four views of zones, which two other processes
 *          have. All share a folder of their own with three names for segments and two for lock
 *          files; zones may also be in a memfd, or anonymous. A configuration declares up to three
 *          zones; CONFIGURE changes one option of one of them, and servers apply it as it is then.
 *          A model has each zone's options, content and holder, what each name leads to, and which
 *          server has which zone. From these it says what each call must do: succeed, or be refused
 *          with one of the statuses that fit, in a text that names the zone. A refused reload
 *          changes nothing, and no zone loses committed content. Any byte string is a program.
 * Bytes    Byte 0: the lock of the declared zones at first: ROBUST, SPIN_SEM, FILE (the third zone:
 *          SPIN_SEM). Then records of 8 bytes: operation (1), who (1), what (1), extra (1),
 *          value (4).
 * Safety   One thread. Failure: each broken law aborts in a function of its own. The folder goes
 *          when the process ends; after a crash or a kill, when the next one begins.
 */
#define HRN_EDGE_LIST(X)                                                                           \
    X(CONFIGURE)                                                                                   \
    X(APPLY)                                                                                       \
    X(SHARE)                                                                                       \
    X(SERVER_DIES)                                                                                 \
    X(OPEN)                                                                                        \
    X(ATTACH)                                                                                      \
    X(IMPORT)                                                                                      \
    X(ADOPT)                                                                                       \
    X(DETACH)                                                                                      \
    X(HOLD)                                                                                        \
    X(CHANGE)                                                                                      \
    X(RELEASE)                                                                                     \
    X(DIE)                                                                                         \
    X(GROW)                                                                                        \
    X(VERIFY)                                                                                      \
    X(REMOVE)                                                                                      \
    X(RENAME)                                                                                      \
    X(COPY)                                                                                        \
    X(LIST)                                                                                        \
    X(IMAGE)                                                                                       \
    X(SYNC)                                                                                        \
    X(TAKE)                                                                                        \
    X(TRIM)

#define HRN_EDGE_ENUM(name) HRN_EDGE_##name,
enum hrn_edge_op { HRN_EDGE_LIST(HRN_EDGE_ENUM) HRN_EDGE_COUNT };
#undef HRN_EDGE_ENUM

/* What this process executed. */
struct hrn_edge_counts {
    uint64_t n_kind[HRN_EDGE_COUNT];
    uint64_t n_applied;
    uint64_t n_reused;  /* zones of these that were there before */
    uint64_t n_refused; /* applies, opens and attaches */
    uint64_t n_repaired_copies;
    uint64_t n_taken;
    uint64_t n_moved;
};

/* Decodes and runs an input. Always returns 0, as libFuzzer requires. */
int hrn_fuzz_zone_edge(const uint8_t *bytes, size_t n_bytes);

const struct hrn_edge_counts *hrn_edge_totals(void);
const char *hrn_edge_op_name(enum hrn_edge_op op);

/* For struct hrn_fuzz_target. */
bool hrn_edge_kind(unsigned idx, struct hrn_fuzz_kind *kind);

#ifdef __cplusplus
}
#endif
#endif
