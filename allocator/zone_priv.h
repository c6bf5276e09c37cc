/* SPDX-License-Identifier: Apache-2.0 */
/* Zone internals: the layout of its segment, and the handle. For zone*.c and their tests. */
#ifndef SLM_ZONE_PRIV_H
#define SLM_ZONE_PRIV_H

#include "allocator/zone.h"

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
    uint64_t first_bytes; /* of the segment, when it was created */
    uint64_t max_bytes;
    uint64_t slab_offset;
    uint32_t journal_entries;
    uint32_t lock_kind;
    uint64_t pid_namespace; /* that ids of threads in the lock are of; 0: not known */
    char name[SLM_ZONE_NAME_BYTES];
    char tag[SLM_ZONE_NAME_BYTES];
};

struct zone_header {
    struct zone_fixed fixed;
    uint64_t checksum; /* of all before it */
    uint64_t state;
    uint64_t bytes; /* of the segment; grows */
    uint64_t n_recoveries;
    struct slm_lock_state lock __attribute__((aligned(SLM_LOCK_BYTES)));
};

struct slm_zone {
    struct slm_segment *segment;
    struct zone_header *header;
    struct slm_lock *lock; /* NULL: read-only */
    struct slm_slab *slab;
    struct slm_journal journal;
    struct zone_fixed fixed; /* as it was when this process opened it */
};

uint64_t zone_checksum(const struct zone_fixed *fixed);
/* Where the slab begins behind a journal of so many entries. */
uint64_t zone_slab_offset(unsigned journal_entries);
/* The calling process's; 0: it cannot be told. */
uint64_t zone_pid_namespace(void);
/* Opens lock, slab and journal of a zone whose header stands. */
enum slm_status zone_open_parts(struct slm_zone *zone, const char *lock_path,
                                struct slm_error *error);
/* An empty handle; NULL: no memory. */
struct slm_zone *zone_new(void);
/* Growth in two steps, under the lock: the first may fail, the second cannot; unreserve takes the
 * first back. */
enum slm_status zone_reserve(struct slm_zone *zone, size_t bytes, struct slm_error *error);
void zone_unreserve(struct slm_zone *zone);
void zone_publish_growth(struct slm_zone *zone);
/* Whether the length that the header says is one that the zone can have. */
bool zone_bytes_are_right(const struct slm_zone *zone);

#endif
