/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of several processes on one zone, decoded from bytes; and damage to zones. */
#ifndef HRN_FUZZ_ZONE_H
#define HRN_FUZZ_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "harness/inputs/target.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A zone in a memfd and four actors, each with its own mapping, that stand for processes:
 *          each has its own lock identity, and the fuzzer decides which are alive. An actor that
 *          dies leaves the zone as it is, between two calls or at a yield point within one, and
 *          comes back with another identity; after a death within a call with another mapping too.
 *          A model outside the zone has the committed content and that of the current turn: every
 *          object's place and content, the root, the lock's holder. After a death within a call
 *          that commits, the content is that before the call or that after it. While the library
 *          copies the zone, other actors take turns between its locks; the copy has the content
 *          after the last one. A reader has the zone read-only: at any moment its calls are refused
 *          and change no byte, and it sees what the actors see. Any byte string is a program.
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
    X(DIE_WITHIN)                                                                                  \
    X(FORCE_UNLOCK)                                                                                \
    X(REATTACH)                                                                                    \
    X(READ)                                                                                        \
    X(COPY)                                                                                        \
    X(TRIM)                                                                                        \
    X(REFUSE)

#define HRN_ZONE_ENUM(name) HRN_ZONE_##name,
enum hrn_zone_op { HRN_ZONE_LIST(HRN_ZONE_ENUM) HRN_ZONE_COUNT };
#undef HRN_ZONE_ENUM

/* What this process executed. */
struct hrn_zone_counts {
    uint64_t n_kind[HRN_ZONE_COUNT];
    uint64_t n_refused;  /* calls that were misuse, or were made while another actor had the lock */
    uint64_t n_repaired; /* turns that began with a repair */
    uint64_t n_undone;   /* of these, with something to undo */
    uint64_t n_full;     /* calls that found no room in the journal */
    uint64_t n_died_within;     /* calls in which their actor died */
    uint64_t n_unsettled;       /* of these, calls that commit: content as before or as after */
    uint64_t n_turns_in_copies; /* of other actors, while one makes a copy */
    uint64_t n_backed;          /* objects that were made in a zone that was trimmed */
    uint64_t n_compared;        /* times that a reader and an actor saw the same */
    /* Images */
    uint64_t n_images_refused;
    uint64_t n_images_sound;
    uint64_t n_images_repaired;
    uint64_t n_images_given_up;
    uint64_t n_copies_opened;
    uint64_t n_copies_repaired; /* to the bytes that locking gave */
    uint64_t n_copies_taken;    /* by slm_zone_copy */
};

/* Decode and run an input. Always return 0, as libFuzzer requires. */
int hrn_fuzz_zone(const uint8_t *bytes, size_t n_bytes);

/*
 * Decodes changes to a zone with objects. Attaching, checking, locking and repairing must handle
 * any of them; a zone that is found sound, or was repaired, must work. A copy of the bytes
 * (slabmill/zone_image.h) is accepted, checked and repaired as the zone is. Byte 0: bit 0: classes
 * per doubling 8; bit 1: the constant part is sealed again after the changes; bits 2-3: the log:
 * ended, noted, committed, noted by a holder that died. Byte 1: pages cut off at the end. Then
 * records of 16 bytes: offset (4), length and manner (1 each), zero (2), value (8). Manner: bit 0
 * sets the bytes, else inverts bits; bits 1-2: in the header, the journal, the slab's metadata,
 * anywhere.
 */
int hrn_fuzz_zone_image(const uint8_t *bytes, size_t n_bytes);

const struct hrn_zone_counts *hrn_zone_totals(void);
const char *hrn_zone_op_name(enum hrn_zone_op op);

/* For struct hrn_fuzz_target; for images, how they ended. */
bool hrn_zone_kind(unsigned idx, struct hrn_fuzz_kind *kind);
bool hrn_zone_image_kind(unsigned idx, struct hrn_fuzz_kind *kind);

#ifdef __cplusplus
}
#endif
#endif
