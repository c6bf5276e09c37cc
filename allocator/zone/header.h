/* SPDX-License-Identifier: Apache-2.0 */
/* What a zone stores in its segment: the layout, the header, and the checks of a header. */
#ifndef SLM_ZONE_HEADER_H
#define SLM_ZONE_HEADER_H

#include "allocator/base/pin.h"
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
    ZONE_CLEAN = 0x6e61656c,  /* ready, and all of its file is on the disk: see power.c */
    ZONE_COPIED = 0x79706f63, /* ready, and a copy of it is being made: see marks.c */
    ZONE_MOVED = 0x65766f6d,  /* its content may be another zone's now: see move.c */
    ZONE_PARTED = 0x74726170, /* the same, and its file had a second name before */
};

static inline bool zone_state_is_moved(uint64_t state)
{
    return state == ZONE_MOVED || state == ZONE_PARTED;
}

/* Whether the zone can be used. */
static inline bool zone_state_is_usable(uint64_t state)
{
    return state == ZONE_READY || state == ZONE_CLEAN || state == ZONE_COPIED;
}

/* The part that never changes. */
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
    uint64_t unused; /* 0 */
    char name[SLM_ZONE_NAME_BYTES];
    char tag[SLM_ZONE_NAME_BYTES];
};

struct zone_header {
    struct zone_fixed fixed;
    uint64_t checksum; /* of all before it */
    slm_word state;
    slm_word bytes;        /* of the segment; grows */
    slm_word n_recoveries; /* written under the lock; it and `bytes` are also read without */
    slm_word whole_file;   /* slm_segment_file_version when all of the file had backing; 0: never */
    slm_word vouched;      /* the boot and file in which the content is known whole; see power.c */
    slm_word server;       /* the identity of the server that has the zone in its set; 0: none */
    slm_word server_place; /* where that identity is valid; see server.c */
    struct slm_lock_state lock __attribute__((aligned(SLM_LOCK_BYTES)));
};

/*
 * After the header, in its page: what a copy that is being made must take again; see marks.c. All 0
 * in a zone that was never copied nor trimmed.
 */
#define ZONE_COPY_PAGES    128u
#define ZONE_COPY_GRANULES 16384u
#define ZONE_COPY_SHIFT    12u /* pages of 4 KiB, however long the system's or the slab's are */

/* Pages of granules that the copier takes in one hold. Fuzzers are built with fewer: so they copy
 * short zones in many holds. */
#ifndef ZONE_COPY_PIECE_PAGES
#define ZONE_COPY_PIECE_PAGES 112u
#endif

struct zone_copying {
    slm_word copier;   /* the identity of the thread that makes the copy; 0: none */
    slm_word place;    /* where that identity is valid; see server.c */
    uint64_t shift;    /* a granule has 1 << shift bytes */
    uint32_t n_holds;  /* of the copier's; threads that are paced wait here for the next one */
    uint32_t n_marked; /* pages since the last one */
    uint64_t is_paced; /* not 0: threads that mark much wait for the copier */
    /* Not of the copy: the file from which free pages were given back; see holes.c. 0: none. */
    slm_word trimmed;
    uint64_t unused[2];                         /* 0 */
    uint64_t pages[ZONE_COPY_PAGES];            /* numbers plus 1; 0: free */
    uint64_t granules[ZONE_COPY_GRANULES / 64]; /* a bit each */
};

SLM_PIN_SIZE(zone_fixed, 192);
SLM_PIN_FIELD(zone_fixed, magic, 0, 8);
SLM_PIN_FIELD(zone_fixed, version, 8, 4);
SLM_PIN_FIELD(zone_fixed, header_bytes, 12, 4);
SLM_PIN_FIELD(zone_fixed, asked_bytes, 16, 8);
SLM_PIN_FIELD(zone_fixed, first_bytes, 24, 8);
SLM_PIN_FIELD(zone_fixed, max_bytes, 32, 8);
SLM_PIN_FIELD(zone_fixed, slab_offset, 40, 8);
SLM_PIN_FIELD(zone_fixed, journal_entries, 48, 4);
SLM_PIN_FIELD(zone_fixed, lock_kind, 52, 4);
SLM_PIN_FIELD(zone_fixed, unused, 56, 8);
SLM_PIN_FIELD(zone_fixed, name, 64, 64);
SLM_PIN_FIELD(zone_fixed, tag, 128, 64);

SLM_PIN_SIZE(zone_header, 320);
SLM_PIN_FIELD(zone_header, fixed, 0, 192);
SLM_PIN_FIELD(zone_header, checksum, 192, 8);
SLM_PIN_FIELD(zone_header, state, 200, 8);
SLM_PIN_FIELD(zone_header, bytes, 208, 8);
SLM_PIN_FIELD(zone_header, n_recoveries, 216, 8);
SLM_PIN_FIELD(zone_header, whole_file, 224, 8);
SLM_PIN_FIELD(zone_header, vouched, 232, 8);
SLM_PIN_FIELD(zone_header, server, 240, 8);
SLM_PIN_FIELD(zone_header, server_place, 248, 8);
SLM_PIN_FIELD(zone_header, lock, 256, 64);

SLM_PIN_SIZE(zone_copying, 3136);
SLM_PIN_FIELD(zone_copying, copier, 0, 8);
SLM_PIN_FIELD(zone_copying, place, 8, 8);
SLM_PIN_FIELD(zone_copying, shift, 16, 8);
SLM_PIN_FIELD(zone_copying, n_holds, 24, 4);
SLM_PIN_FIELD(zone_copying, n_marked, 28, 4);
SLM_PIN_FIELD(zone_copying, is_paced, 32, 8);
SLM_PIN_FIELD(zone_copying, trimmed, 40, 8);
SLM_PIN_FIELD(zone_copying, unused, 48, 16);
SLM_PIN_FIELD(zone_copying, pages, 64, 1024);
SLM_PIN_FIELD(zone_copying, granules, 1088, 2048);
SLM_PIN(sizeof(struct zone_header) + sizeof(struct zone_copying) <= ZONE_JOURNAL_OFFSET);

static inline struct zone_copying *zone_copying_of(struct zone_header *header)
{
    return (struct zone_copying *)(void *)(header + 1);
}

/* The hash of the constant part. */
uint64_t slm_zone_checksum(const struct zone_fixed *fixed);
/* Where the slab begins, after a journal of so many entries. */
uint64_t slm_zone_slab_offset(unsigned journal_entries);
/* Whether the zone can have that length. */
bool slm_zone_bytes_are_right(const struct zone_fixed *fixed, uint64_t bytes);
/* Checks that this library wrote the header: SLM_E_STATE, SLM_E_MAGIC, SLM_E_VERSION,
 * SLM_E_CHECKSUM, SLM_E_SIZE. */
enum slm_status slm_zone_check_header(const struct zone_header *header, const char *label,
                                      struct slm_error *error);

/* The values that are stored for options that are 0 or NULL. */
static inline unsigned zone_journal_entries(const struct slm_zone_options *options)
{
    return options->journal_entries != 0 ? options->journal_entries : 1024;
}

/*
 * Classes for each doubling of a new zone of that length. Finer classes pack objects of any one size
 * better. But a mix of sizes needs a span of each class, for which a small zone has no room.
 * docs/design.md has the figures.
 */
unsigned slm_zone_per_doubling(const struct slm_zone_options *options, uint64_t zone_bytes);

static inline const char *zone_tag(const struct slm_zone_options *options)
{
    return options->tag == NULL ? "" : options->tag;
}

#endif
