/* SPDX-License-Identifier: Apache-2.0 */
/* A zone's header: its checksum, and whether it is valid. */
#include "allocator/zone/header.h"

#include <string.h>

#include "allocator/base/bits.h"
#include "allocator/base/hash.h"

uint64_t slm_zone_checksum(const struct zone_fixed *fixed)
{
    return slm_hash(fixed, sizeof *fixed);
}

uint64_t slm_zone_slab_offset(unsigned journal_entries)
{
    return slm_align_up(ZONE_JOURNAL_OFFSET + slm_journal_log_bytes(journal_entries), ZONE_ALIGN);
}

unsigned slm_zone_per_doubling(const struct slm_zone_options *options, uint64_t zone_bytes)
{
    static const struct {
        uint64_t zone_bytes;
        unsigned per_doubling;
    } from[] = {{UINT64_C(64) << 20, 16}, {UINT64_C(8) << 20, 8}, {UINT64_C(1) << 20, 4}, {0, 1}};
    unsigned i = 0;
    while (zone_bytes < from[i].zone_bytes) {
        i++;
    }
    return options->slab.per_doubling != 0 ? options->slab.per_doubling : from[i].per_doubling;
}

static bool text_ends(const char *text)
{
    return memchr(text, '\0', SLM_ZONE_NAME_BYTES) != NULL;
}

bool slm_zone_bytes_are_right(const struct zone_fixed *fixed, uint64_t bytes)
{
    return bytes >= fixed->first_bytes && bytes <= fixed->max_bytes && bytes % ZONE_ALIGN == 0;
}

/* Sizes that follow from each other. */
static bool sizes_fit(const struct zone_fixed *fixed)
{
    return fixed->header_bytes == sizeof(struct zone_header) &&
           slm_journal_log_bytes(fixed->journal_entries) != 0 &&
           fixed->slab_offset == slm_zone_slab_offset(fixed->journal_entries) &&
           fixed->first_bytes > fixed->slab_offset && fixed->asked_bytes <= fixed->first_bytes &&
           fixed->first_bytes <= fixed->max_bytes && fixed->max_bytes <= ZONE_BYTES_MAX &&
           fixed->lock_kind <= SLM_LOCK_FILE && text_ends(fixed->name) && text_ends(fixed->tag);
}

/* The header is still empty, or its creator has not made its last store. */
static bool is_half_made(const struct zone_header *header)
{
    uint64_t magic = header->fixed.magic;
    return header->state == ZONE_MAKING && (magic == 0 || magic == SLM_ZONE_MAGIC);
}

enum slm_status slm_zone_check_header(const struct zone_header *header, const char *label,
                                      struct slm_error *error)
{
    const struct zone_fixed *fixed = &header->fixed;
    uint64_t sum = slm_zone_checksum(fixed);
    if (is_half_made(header)) {
        return slm_error_set(error, SLM_E_STATE, 0, "%s: still being made, or its maker died",
                             label);
    }
    if (fixed->magic == __builtin_bswap64(SLM_ZONE_MAGIC)) {
        return slm_error_set(error, SLM_E_MAGIC, 0,
                             "%s: a zone made on a machine of the other byte order", label);
    }
    if (fixed->magic != SLM_ZONE_MAGIC) {
        return slm_error_set(error, SLM_E_MAGIC, 0,
                             "%s: not a zone: it begins with %016llx, expected %016llx", label,
                             (unsigned long long)fixed->magic, (unsigned long long)SLM_ZONE_MAGIC);
    }
    if (fixed->version != SLM_ZONE_VERSION) {
        return slm_error_set(error, SLM_E_VERSION, 0, "%s: layout version %u, expected %u", label,
                             fixed->version, SLM_ZONE_VERSION);
    }
    if (header->checksum != sum) {
        return slm_error_set(error, SLM_E_CHECKSUM, 0,
                             "%s: its header is damaged: checksum %016llx, expected %016llx", label,
                             (unsigned long long)header->checksum, (unsigned long long)sum);
    }
    if (!sizes_fit(fixed) || !slm_zone_bytes_are_right(fixed, header->bytes)) {
        return slm_error_set(error, SLM_E_SIZE, 0,
                             "%s: sizes that do not fit each other: %llu bytes, of %llu to %llu",
                             label, (unsigned long long)header->bytes,
                             (unsigned long long)fixed->first_bytes,
                             (unsigned long long)fixed->max_bytes);
    }
    if (!zone_state_is_usable(header->state) && header->state != ZONE_BROKEN &&
        !zone_state_is_moved(header->state)) {
        return slm_error_set(error, SLM_E_STATE, 0, "%s: its state is damaged", label);
    }
    return SLM_OK;
}
