/* SPDX-License-Identifier: Apache-2.0 */
/* The internals of slabmill inspect: from a zone that others use to the output. copy and unlock use
 * the source too, and export all up to the facts. */
#ifndef MILL_SLABMILL_INSPECT_H
#define MILL_SLABMILL_INSPECT_H

#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#include "tools/slabmill/slabmill.h"
#include <slabmill/zone_image.h>

/*
 * Model    source: where the zone's bytes are. copy: bytes that were all in the zone at one moment,
 *          if it did not change for long enough. look: the facts read from them. text, json and
 *          svg: the output.
 * Safety   inspect only reads the zone: it is never mapped writable, locked or waited for.
 * Failure  SLM_E_*, with an error that names the zone as the caller did.
 */

/* --- Where the bytes are (source.c) --- */

#define MILL_PATH_BYTES 4096u

struct mill_source {
    const char *label;          /* the name that the user gave */
    char path[MILL_PATH_BYTES]; /* under which others find the zone; empty: it has no name */
    int fd;                     /* -1: none */
    const void *map;            /* SYSV */
    size_t map_bytes;
};

/* What follows "posix:": NAME, /NAME or /dev/shm/NAME. Returns the NAME; NULL: it has none. */
const char *mill_posix_name(const char *text);

/* PATH, file:PATH, posix:NAME, sysv:ID, memfd:PID:FD, memfd:FD. On failure there is nothing to
 * close. */
enum slm_status mill_source_open(struct mill_source *source, const char *zone,
                                 struct slm_error *error);
void mill_source_close(struct mill_source *source);
/* Whether the name still leads to what was opened: SLM_E_MISSING (it was removed), SLM_E_REPLACED
 * (it leads to another file). */
enum slm_status mill_source_check_name(const struct mill_source *source, struct slm_error *error);
/* SLM_E_IO. */
enum slm_status mill_source_bytes(const struct mill_source *source, size_t *n_bytes,
                                  struct slm_error *error);
/* Reads [offset, offset + n_bytes). SLM_E_TRUNCATED: it is shorter (it may have been cut);
 * SLM_E_IO. */
enum slm_status mill_source_read(const struct mill_source *source, size_t offset, void *to,
                                 size_t n_bytes, struct slm_error *error);

/* Reads what the head of the zone says. Fails as mill_source_read and slm_zone_image_read. */
enum slm_status mill_source_read_image(const struct mill_source *source,
                                       struct slm_zone_image *image, struct slm_error *error);

/* Opens the source that options name, reads its head, closes it again, so that it does not count as
 * used by this process, and returns what `use` returns: an exit status. */
int mill_source_use(const struct mill_options *options,
                    int (*use)(const struct slm_segment_options *segment,
                               const struct slm_zone_image *image,
                               const struct mill_options *options));

/* --- Bytes of one moment (copy.c) --- */

enum mill_moment {
    MILL_MOMENT_SETTLED,  /* the lock was free: the invariants can be checked */
    MILL_MOMENT_LEFT,     /* left by a dead owner, and not repaired yet */
    MILL_MOMENT_HELD,     /* the lock was held, but nothing changed during the copy */
    MILL_MOMENT_CHANGING, /* no two passes read the same bytes */
};

struct mill_copy {
    unsigned char *base; /* as long as the zone; unneeded bytes are 0 */
    size_t reserved_bytes;
    struct slm_zone_image image;
    struct slm_lock_owner owner;
    enum mill_moment moment;
    unsigned n_passes;
    enum slm_status slab_status; /* not SLM_OK: the slab or journal cannot be opened */
    struct slm_slab *slab;       /* NULL then */
    struct slm_journal journal;
};

/* Fails as slm_zone_image_read and mill_source_read; SLM_E_NOMEM. */
enum slm_status mill_copy_take(struct mill_copy *copy, const struct mill_source *source,
                               struct slm_error *error);
void mill_copy_drop(struct mill_copy *copy);

/* --- Facts read from the bytes (look.c) --- */

#define MILL_LENGTHS    32u /* free runs of 2^i to 2^(i + 1) - 1 pages */
#define MILL_TEXT_BYTES (SLM_ZONE_NAME_BYTES * MILL_ESCAPE_BYTES) /* an escaped name */
#define MILL_COMM_BYTES 64u
#define MILL_ROOT_WORDS 64u

struct mill_process {
    pid_t thread_id; /* 0: not known */
    pid_t process_id;
    uint64_t runs_seconds;                                 /* since it started */
    char command[MILL_ESCAPE_BYTES * MILL_COMM_BYTES];     /* of the process, escaped */
    char thread_name[MILL_ESCAPE_BYTES * MILL_COMM_BYTES]; /* of the thread that owns */
};

struct mill_look {
    const char *label;
    char place[MILL_ESCAPE_BYTES * MILL_PATH_BYTES]; /* the label, by mill_escape as the names */
    char name[MILL_TEXT_BYTES];
    char tag[MILL_TEXT_BYTES];
    const struct mill_copy *copy;
    bool is_owner_known; /* it is known whether the owner lives */
    bool is_repair_due;
    bool is_checked;             /* the invariants could be checked */
    unsigned broken;             /* 0, or the number of the first broken one */
    bool is_rehearsed;           /* the repair was tried on the copy */
    bool is_repairable;          /* and made a zone in which all invariants hold */
    struct mill_process process; /* of the lock's owner */
    struct slm_zone_image_notes notes;
    uint64_t n_undone;
    uint64_t n_finished;
    struct slm_slab_stats stats;
    struct slm_slab_class_stats classes[SLM_SLAB_CLASSES_MAX];
    uint64_t waste_bytes[SLM_SLAB_CLASSES_MAX]; /* of a class's spans: no object has them */
    uint64_t n_free_runs;
    uint64_t free_lengths[MILL_LENGTHS];
    uint64_t n_free_pages; /* in runs, counted */
    uint64_t longest_pages;
    uint64_t n_span_pages;
    uint64_t n_damaged_pages;
    uint64_t used_bytes; /* chunks and runs in use */
    uint64_t root_bytes; /* of the root object; 0: there is none, or it was not looked for */
    unsigned n_root_words;
    uint64_t root_words[MILL_ROOT_WORDS]; /* its start, as it is now */
    struct timespec when;
};

/* Reads the copy, which must live as long as *look. */
void mill_look_at(struct mill_look *look, const struct mill_copy *copy, const char *label);

/* Reads the root object of a zone that was settled and has no broken invariant. Call mill_look_at
 * first. */
void mill_look_at_root(struct mill_look *look, const struct mill_source *source);

/* Tries the next locker's repair on the copy. Call mill_look_at first. Do not use the copy
 * afterwards. */
void mill_look_rehearse(struct mill_look *look, struct mill_copy *copy);

/* MILL_GOOD, or MILL_BROKEN. */
int mill_look_status(const struct mill_look *look);

/* 1 - longest / free; 0 if nothing is free. */
double mill_look_fragmentation(const struct mill_look *look);
/* part / whole; 0 if whole is 0. */
double mill_share(uint64_t part, uint64_t whole);

const char *mill_moment_name(enum mill_moment moment); /* "settled" */
const char *mill_lock_name(uint32_t kind);

/* --- Output. before: the previous look, or NULL; seconds: the time between them. --- */

/* all: with the empty classes too. */
void mill_look_text(const struct mill_look *look, const struct mill_look *before, double seconds,
                    bool all);
void mill_look_line(const struct mill_look *look, const struct mill_look *before, double seconds);
void mill_look_json(const struct mill_look *look, const struct mill_look *before, double seconds);
/* False: failed, with a message. */
bool mill_look_svg(const struct mill_look *look, const char *path);

/* Allocation requests since the zone was made, including refused ones. */
uint64_t mill_look_requests(const struct mill_look *look);
uint64_t mill_look_failures(const struct mill_look *look);

#endif
