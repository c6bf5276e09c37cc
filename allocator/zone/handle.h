/* SPDX-License-Identifier: Apache-2.0 */
/* Zone internals: the layout of its segment, and the handle. For zone*.c and their tests. */
#ifndef SLM_ZONE_PRIV_H
#define SLM_ZONE_PRIV_H

#include <slabmill/zone.h>

/*
 *   [header, lock][journal.......][slab region..................][room to grow...]
 *   0             4096            slab_offset                    bytes            max_bytes
 */
#define ZONE_JOURNAL_OFFSET 4096u
#define ZONE_ALIGN          4096u
#define ZONE_BYTES_MAX      (UINT64_C(1) << 46)

enum zone_state {
    ZONE_MAKING = 0,
    ZONE_READY = 0x79646165, /* "eady": one flipped bit makes neither of the others */
    ZONE_BROKEN = 0x6e6b6f72,
};

/* What never changes. */
struct zone_fixed {
    uint64_t magic;
    uint32_t version;
    uint32_t header_bytes;
    uint64_t asked_bytes; /* by its maker */
    uint64_t first_bytes; /* of the segment then: whole pages */
    uint64_t max_bytes;
    uint64_t slab_offset;
    uint32_t journal_entries;
    uint32_t lock_kind;
    uint64_t namespaces; /* that owners in the lock are of: their ids and start times */
    char name[SLM_ZONE_NAME_BYTES];
    char tag[SLM_ZONE_NAME_BYTES];
};

struct zone_header {
    struct zone_fixed fixed;
    uint64_t checksum; /* of all before it */
    slm_word state;
    slm_word bytes;        /* of the segment; grows */
    slm_word n_recoveries; /* written under the lock; as `bytes`, looked at without it too */
    struct slm_lock_state lock __attribute__((aligned(SLM_LOCK_BYTES)));
};

struct slm_zone {
    struct slm_segment *segment;
    struct zone_header *header;
    struct slm_lock *lock; /* NULL: read-only */
    struct slm_slab *slab;
    struct slm_journal journal;
    struct zone_fixed fixed; /* as it was when this process opened it */
    size_t reserved_bytes;   /* length that is backed and not published yet; 0: none */
};

uint64_t zone_checksum(const struct zone_fixed *fixed);
/* Where the slab begins behind a journal of so many entries. */
uint64_t zone_slab_offset(unsigned journal_entries);
/* The calling process's, pid below and time above bit 32; 0: they cannot be told. */
uint64_t zone_namespaces(void);
/* What a header is worth, whoever wants to use it: SLM_E_STATE, SLM_E_MAGIC, SLM_E_VERSION,
 * SLM_E_CHECKSUM, SLM_E_SIZE. */
enum slm_status zone_judge_header(const struct zone_header *header, const char *label,
                                  struct slm_error *error);
/* Opens slab, journal and lock of a zone whose header stands. lock: but for its kind. */
enum slm_status zone_open_parts(struct slm_zone *zone, const struct slm_lock_options *lock,
                                struct slm_error *error);
/* Maps and shows what other processes added. SLM_E_BROKEN: a length that cannot be, or does not
 * hold the slab; else as slm_segment_refresh and slm_slab_refresh_locked. */
enum slm_status zone_see_growth(struct slm_zone *zone, struct slm_error *error);
/* More may be mapped than the zone's `bytes`: what somebody reserved when this process attached,
 * and gave back or died with. Gives that up, or it would look like something that was cut. What
 * this handle reserves itself stays. */
void zone_forget_surplus(struct slm_zone *zone, uint64_t bytes);
/* What its segment is attached and removed by: POSIX: the name, else the label. */
const char *zone_segment_name(const struct slm_zone *zone);
/* An empty handle; NULL: no memory. */
struct slm_zone *zone_new(void);
/* Growth in two steps, under the lock: the first may fail, the second cannot; unreserve takes the
 * first back. */
enum slm_status zone_reserve(struct slm_zone *zone, size_t bytes, struct slm_error *error);
void zone_unreserve(struct slm_zone *zone);
void zone_publish_growth(struct slm_zone *zone);
/* The length that the zone has now. */
static inline uint64_t zone_bytes(const struct slm_zone *zone)
{
    return __atomic_load_n(&zone->header->bytes, __ATOMIC_ACQUIRE);
}
/* Whether that is one that the zone can have. */
bool zone_bytes_are_right(const struct zone_fixed *fixed, uint64_t bytes);

#endif
