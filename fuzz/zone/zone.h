/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of several processes on one zone, told in bytes; and damage to zones. */
#ifndef HRN_FUZZ_ZONE_H
#define HRN_FUZZ_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "harness/inputs/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A zone in a memfd and four actors, each with a mapping of its own, that stand for
 *          processes: what is one to the lock, an identity, is the actor's, and whether it lives is
 *          decided here. An actor that dies leaves the zone as it is in the middle of its turn and
 *          comes back as another. Beside it an account, outside the zone, of what was committed and
 *          what is so in this turn: every object's place and content, the root, who holds the lock.
 *          Any byte string is a program.
 * Bytes    Byte 0: bit 0: the lock is SPIN_SEM, else ROBUST; bits 1-2: classes per doubling. Then
 *          records of 8 bytes: operation (1), actor (1), slot (1), extra (1), value (4).
 * Safety   One thread. Failure: each broken law aborts in a function of its own.
 */
#define HRN_ZONE_LIST(X)                                                                           \
    X(LOCK)                                                                                        \
    X(TIMED)                                                                                       \
    X(UNLOCK)                                                                                      \
    X(COMMIT)                                                                                      \
    X(ABORT)                                                                                       \
    X(ALLOC)                                                                                       \
    X(CALLOC)                                                                                      \
    X(MEMALIGN)                                                                                    \
    X(FREE)                                                                                        \
    X(FREE_WRONG)                                                                                  \
    X(WRITE)                                                                                       \
    X(SAVE)                                                                                        \
    X(SET_ROOT)                                                                                    \
    X(RESET)                                                                                       \
    X(ALLOC_ALONE)                                                                                 \
    X(FREE_ALONE)                                                                                  \
    X(GROW)                                                                                        \
    X(DIE)                                                                                         \
    X(DIE_COMMITTING)                                                                              \
    X(DIE_GROWING)                                                                                 \
    X(FORCE_UNLOCK)                                                                                \
    X(REATTACH)                                                                                    \
    X(READ)

#define HRN_ZONE_ENUM(name) HRN_ZONE_##name,
enum hrn_zone_op { HRN_ZONE_LIST(HRN_ZONE_ENUM) HRN_ZONE_COUNT };
#undef HRN_ZONE_ENUM

/* What was executed by this process. */
struct hrn_zone_counts {
    uint64_t n_kind[HRN_ZONE_COUNT];
    uint64_t n_refused;  /* calls that were misuse, or came while another had the lock */
    uint64_t n_repaired; /* turns that began with a repair */
    uint64_t n_undone;   /* of these, with something to undo */
    uint64_t n_full;     /* calls that found no room in the journal */
    /* Images */
    uint64_t n_images_refused;
    uint64_t n_images_sound;
    uint64_t n_images_repaired;
    uint64_t n_images_given_up;
};

/* Decode and run; always 0, as libFuzzer wants it. */
int hrn_fuzz_zone(const uint8_t *bytes, size_t n_bytes);

/*
 * Takes the bytes for changes to a zone with objects in it. Attaching, looking, locking, repairing
 * must stand any of them; what is found sound, or was repaired, must work.
 * Byte 0: bit 0: classes per doubling 8; bit 1: whoever changed the constant part sealed it anew;
 * bits 2-3: the log: over, noted, committed, noted by a holder that died. Byte 1: pages that are
 * cut off at the end. Then records of 16 bytes: offset (4), length and manner (1 each), zero (2),
 * value (8). Manner: bit 0 sets, else turns bits; bits 1-2: in the header, the journal, the slab's
 * own part, anywhere.
 */
int hrn_fuzz_zone_image(const uint8_t *bytes, size_t n_bytes);

const struct hrn_zone_counts *hrn_zone_totals(void);
const char *hrn_zone_op_name(enum hrn_zone_op op);

/* As struct hrn_fuzz_target has it; of images, what became of them. */
bool hrn_zone_kind(unsigned idx, struct hrn_fuzz_kind *kind);
bool hrn_zone_image_kind(unsigned idx, struct hrn_fuzz_kind *kind);

#ifdef __cplusplus
}
#endif
#endif
