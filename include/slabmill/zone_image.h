/* SPDX-License-Identifier: Apache-2.0 */
/* Zone image: a copy of a zone's bytes, read without a handle. */
#ifndef SLM_ZONE_IMAGE_H
#define SLM_ZONE_IMAGE_H

#include <slabmill/zone.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    An image is memory of the caller alone that is laid out as a zone: a copy of one. The
 *          copy may have been made while the zone changed, or come from a file with any content.
 *          Nothing is locked, and nothing outside the image is written.
 * Safety   Plain data of the caller. Any thread. Signals: no call is for handlers. Cancellation: no
 *          call is a cancellation point.
 * Failure  Error texts name the label that the caller gave. NULL: as status.h says.
 * Source   The layout: allocator/zone/header.h.
 */
#define SLM_ZONE_IMAGE_HEAD_BYTES 4096u /* at the start of a zone, with all that describes it */

/* What the head of a zone says. */
struct slm_zone_image {
    char name[SLM_ZONE_NAME_BYTES]; /* any bytes but 0 */
    char tag[SLM_ZONE_NAME_BYTES];
    uint32_t version;
    uint32_t journal_entries; /* capacity of the journal */
    uint64_t bytes;           /* of the segment now */
    uint64_t first_bytes;     /* when it was created */
    uint64_t max_bytes;
    uint64_t journal_offset;
    uint64_t slab_offset;
    uint64_t n_recoveries;
    bool is_given_up;  /* a repair failed: every lock returns SLM_E_BROKEN */
    bool is_elsewhere; /* of another pid or time namespace: nothing shows whether an owner lives */
    struct slm_lock_state lock __attribute__((aligned(SLM_LOCK_BYTES)));
};

/*
 * Reads the head, which is 64-aligned and head_bytes long. Fails, changing nothing: SLM_E_TRUNCATED
 * (fewer than SLM_ZONE_IMAGE_HEAD_BYTES), SLM_E_MAGIC, SLM_E_VERSION, SLM_E_CHECKSUM, SLM_E_SIZE
 * (sizes that do not fit each other), SLM_E_STATE (still being made, or its maker died). Cost O(1).
 */
enum slm_status slm_zone_image_read(struct slm_zone_image *image, const void *head,
                                    size_t head_bytes, const char *label, struct slm_error *error);

/* The lock's owner, as slm_lock_get_state_owner. */
enum slm_status slm_zone_image_owner(const struct slm_zone_image *image,
                                     struct slm_lock_owner *owner, struct slm_error *error);

/*
 * Opens slab and journal of the whole image at base, which is page-aligned and image->bytes long.
 * No memory of user pages is touched. The caller closes them with slm_slab_detach and
 * slm_journal_detach. Fails, with NULL and a handle of zeroes: SLM_E_IMAGE, SLM_E_SIZE,
 * SLM_E_NOMEM.
 */
enum slm_status slm_zone_image_open(const struct slm_zone_image *image, void *base,
                                    struct slm_slab **slab, struct slm_journal *journal);

/* The entries of an unfinished transaction. */
struct slm_zone_image_notes {
    uint32_t n_noted;
    bool is_committed; /* the next repair carries them out instead of undoing them */
};
/* Fills in *notes. Cost O(1). */
void slm_zone_image_get_notes(const struct slm_journal *journal,
                              struct slm_zone_image_notes *notes);

/* As slm_zone_check_locked, for what slm_zone_image_open opened. */
unsigned slm_zone_image_check(const struct slm_zone_image *image, struct slm_slab *slab,
                              const struct slm_journal *journal);

/* Does to the image what the next slm_zone_lock does to the zone when its owner died; this writes
 * to user pages. Fails: SLM_E_IMAGE (the repair of the zone would fail). */
enum slm_status slm_zone_image_repair(const struct slm_zone_image *image, struct slm_slab *slab,
                                      struct slm_journal *journal);

#ifdef __cplusplus
}
#endif
#endif
