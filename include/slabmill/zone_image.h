/* SPDX-License-Identifier: Apache-2.0 */
/* What the bytes of a zone say, for those who look at a copy of a zone that others use. */
#ifndef SLM_ZONE_IMAGE_H
#define SLM_ZONE_IMAGE_H

#include <slabmill/zone.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    An image is memory of the caller alone, laid out as a zone: a copy of one. It may have
 *          been taken while the zone changed, or from a file full of anything. Nothing is locked
 *          and nothing outside the image is written.
 * Safety   Plain data of the caller. Any thread.
 * Failure  error names the label that was given. NULL: as status.h says.
 * Source   allocator/zone/header.h has the layout.
 */
#define SLM_ZONE_IMAGE_HEAD_BYTES 4096u /* of a zone, from its start: what describes it */

struct slm_zone_image {
    char name[SLM_ZONE_NAME_BYTES]; /* any bytes but 0 */
    char tag[SLM_ZONE_NAME_BYTES];
    uint32_t version;
    uint32_t journal_entries; /* there is room for */
    uint64_t bytes;           /* of the segment now */
    uint64_t first_bytes;     /* when it was created */
    uint64_t max_bytes;
    uint64_t journal_offset;
    uint64_t slab_offset;
    uint64_t n_recoveries;
    bool is_given_up;  /* a repair failed: every lock is answered SLM_E_BROKEN */
    bool is_elsewhere; /* of other pid or time namespaces: whether an owner lives cannot be told */
    struct slm_lock_state lock __attribute__((aligned(SLM_LOCK_BYTES)));
};

/*
 * Reads the head: SLM_ZONE_IMAGE_HEAD_BYTES, 64-aligned, of which head_bytes are there. Fails:
 * SLM_E_TRUNCATED, SLM_E_MAGIC, SLM_E_VERSION, SLM_E_CHECKSUM, SLM_E_SIZE (sizes that do not fit
 * each other), SLM_E_STATE (still being made, or its maker died).
 */
enum slm_status slm_zone_image_read(struct slm_zone_image *image, const void *head,
                                    size_t head_bytes, const char *label, struct slm_error *error);

/* Who has the lock, a restart of the system since then taken into account. */
enum slm_status slm_zone_image_owner(const struct slm_zone_image *image,
                                     struct slm_lock_owner *owner, struct slm_error *error);

/*
 * Opens slab and journal of the whole image at base, which is page-aligned and image->bytes long;
 * memory of user pages is not touched. The slab is for slm_slab_detach, the journal for
 * slm_journal_detach; NULL and zeroes on failure: SLM_E_IMAGE, SLM_E_SIZE, SLM_E_NOMEM.
 */
enum slm_status slm_zone_image_open(const struct slm_zone_image *image, void *base,
                                    struct slm_slab **slab, struct slm_journal *journal);

/* What is noted in a journal and not over. */
struct slm_zone_image_notes {
    uint32_t n_noted;
    bool is_committed; /* they are being carried out, not to be undone */
};
void slm_zone_image_get_notes(const struct slm_journal *journal,
                              struct slm_zone_image_notes *notes);

/* slm_zone_check_locked, of what slm_zone_image_open opened. */
unsigned slm_zone_image_check(const struct slm_zone_image *image, struct slm_slab *slab,
                              const struct slm_journal *journal);

/* Does to the image what the next slm_zone_lock does to the zone when an owner died. User pages are
 * written to. SLM_E_IMAGE: it would fail. */
enum slm_status slm_zone_image_repair(const struct slm_zone_image *image, struct slm_slab *slab,
                                      struct slm_journal *journal);

#ifdef __cplusplus
}
#endif
#endif
