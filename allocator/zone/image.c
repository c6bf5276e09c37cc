/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a zone's bytes without a handle: every field is checked before it is used. */
#include <slabmill/zone_image.h>

#include <string.h>

#include "allocator/journal/log.h"
#include "allocator/lock/origin.h"
#include "allocator/zone/handle.h"

_Static_assert(SLM_ZONE_IMAGE_HEAD_BYTES == ZONE_JOURNAL_OFFSET, "the head ends at the journal");
_Static_assert(sizeof(struct zone_header) <= SLM_ZONE_IMAGE_HEAD_BYTES, "the header is in it");

static void fill_image(struct slm_zone_image *image, const struct zone_header *header)
{
    const struct zone_fixed *fixed = &header->fixed;
    memset(image, 0, sizeof *image);
    memcpy(image->name, fixed->name, sizeof image->name);
    memcpy(image->tag, fixed->tag, sizeof image->tag);
    image->version = fixed->version;
    image->journal_entries = fixed->journal_entries;
    image->bytes = header->bytes;
    image->first_bytes = fixed->first_bytes;
    image->max_bytes = fixed->max_bytes;
    image->journal_offset = ZONE_JOURNAL_OFFSET;
    image->slab_offset = fixed->slab_offset;
    image->n_recoveries = header->n_recoveries;
    image->is_given_up = header->state == ZONE_BROKEN;
    image->is_elsewhere = slm_lock_is_elsewhere(&header->lock);
    image->lock = header->lock;
}

enum slm_status slm_zone_image_read(struct slm_zone_image *image, const void *head,
                                    size_t head_bytes, const char *label, struct slm_error *error)
{
    if (image == NULL || head == NULL || label == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "no image, no head, or no label");
    }
    if (head_bytes < SLM_ZONE_IMAGE_HEAD_BYTES) {
        return slm_error_set(error, SLM_E_TRUNCATED, 0,
                             "%s: %zu bytes, too short for a zone: expected %u at least", label,
                             head_bytes, SLM_ZONE_BYTES_MIN);
    }
    enum slm_status status = slm_zone_check_header(head, label, error);
    if (status == SLM_OK) {
        fill_image(image, head);
        status = slm_error_clear(error);
    }
    return status;
}

enum slm_status slm_zone_image_owner(const struct slm_zone_image *image,
                                     struct slm_lock_owner *owner, struct slm_error *error)
{
    if (image == NULL || owner == NULL) {
        return slm_error_set(error, SLM_E_NULL, 0, "no image, or no place for its owner");
    }
    slm_lock_get_state_owner(&image->lock, owner);
    return slm_error_clear(error);
}

enum slm_status slm_zone_image_open(const struct slm_zone_image *image, void *base,
                                    struct slm_slab **slab, struct slm_journal *journal)
{
    unsigned char *bytes = base;
    if (slab != NULL) {
        *slab = NULL;
    }
    if (journal != NULL) {
        *journal = (struct slm_journal){0};
    }
    if (image == NULL || base == NULL || slab == NULL || journal == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = slm_slab_attach(slab, bytes + image->slab_offset,
                                             (size_t)(image->bytes - image->slab_offset), NULL);
    if (status != SLM_OK) {
        return status;
    }
    status = slm_journal_attach(journal, bytes + image->journal_offset,
                                (size_t)(image->slab_offset - image->journal_offset), base, *slab);
    if (status == SLM_OK && journal->n_max != image->journal_entries) {
        status = SLM_E_IMAGE;
    }
    if (status != SLM_OK) {
        slm_journal_detach(journal);
        slm_slab_detach(*slab);
        *slab = NULL;
    }
    return status;
}

void slm_zone_image_get_notes(const struct slm_journal *journal, struct slm_zone_image_notes *notes)
{
    if (journal == NULL || notes == NULL) {
        return;
    }
    if (journal->log == NULL) {
        *notes = (struct slm_zone_image_notes){0};
        return;
    }
    notes->n_noted = journal_n_entries(journal->log);
    notes->is_committed = (journal->log->state & JOURNAL_COMMITTED) != 0;
}

unsigned slm_zone_image_check(const struct slm_zone_image *image, struct slm_slab *slab,
                              const struct slm_journal *journal)
{
    if (image == NULL || slab == NULL || journal == NULL) {
        return 0;
    }
    if (image->is_given_up) {
        return ZONE_STATE;
    }
    if (image->slab_offset + slm_slab_used_bytes(slab) > image->bytes) {
        return ZONE_LENGTH;
    }
    return slm_zone_check_parts(slab, journal);
}

enum slm_status slm_zone_image_repair(const struct slm_zone_image *image, struct slm_slab *slab,
                                      struct slm_journal *journal)
{
    if (image == NULL || slab == NULL || journal == NULL) {
        return SLM_E_NULL;
    }
    enum slm_status status = slm_slab_refresh_locked(slab);
    return status == SLM_OK
               ? slm_zone_recover_parts(slab, journal, (size_t)(image->bytes - image->slab_offset))
               : status;
}
