/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of slabmill hunt. */
#ifndef MILL_HUNT_H
#define MILL_HUNT_H

#include <time.h>

#include "tools/slabmill/child.h"

/*
 * Model    Programs have numbers; each is a function of the seed and its number. Children run them
 *          in batches (hunt.c). What a program came to is a finding of a kind (hunt_kinds.c): the
 *          law, or the report of the crash. Of each kind the program with the smallest number is
 *          written to a folder (hunt_folder.c), so that the result does not depend on the order in
 *          which children end.
 * Safety   One thread.
 */
#define MILL_KEY_BYTES  320u
#define MILL_PATH_BYTES 4096u

/* What is known of a finding's program when it runs in a process of its own. */
enum mill_alone {
    MILL_ALONE_UNKNOWN, /* the hunt ended before it was tried */
    MILL_ALONE_FAILS,
    MILL_ALONE_KEEPS /* an earlier program of its process left something */
};

struct mill_kind {
    char key[MILL_KEY_BYTES];
    char text[MILL_TRIAL_TEXT_BYTES]; /* as mill_trial_text says it */
    const char *why;                  /* set aside, and why; NULL: it counts */
    uint64_t program;                 /* the smallest number */
    uint64_t n_times;
    struct mill_trial *trial; /* of that program, in its batch */
    bool is_written;
    /* Known when it is written. */
    char folder[MILL_PATH_BYTES];
    enum mill_alone alone;
    bool is_minimal;    /* of ALONE_FAILS: no smaller program was found */
    size_t n_ops;       /* lines of found.trace without its head, */
    size_t n_small_ops; /* and of small.trace */
};

struct mill_hunt {
    const struct mill_options *options;
    const struct slm_adapter *adapter;
    uint64_t seed;
    const char *out;
    struct mill_kind *kinds; /* by number of the program when the hunt has ended */
    size_t n_kinds;
    size_t cap_kinds;
    char (*known)[MILL_KEY_BYTES];
    size_t n_known;
    size_t cap_known;
    uint64_t n_programs; /* that ended, in any way */
    uint64_t n_done;     /* operations */
    uint64_t n_refused;
    bool stopped;         /* by a signal */
    bool has_end;         /* with --minutes: */
    struct timespec last; /* no finding is examined later */
};

/* Makes program number n. */
void mill_hunt_program(const struct mill_hunt *hunt, uint64_t n, struct hrn_program *program);

/* The adapter, as commands name it. */
const char *mill_hunt_name(const struct mill_hunt *hunt);

/* True once a signal asks the command to end, or hunt->last has passed. The hunt then only writes
 * what it has. */
bool mill_hunt_must_end(struct mill_hunt *hunt);

/* Waits for the child, whose status is *status. False: the hunt must end, and the child was
 * killed. */
bool mill_hunt_wait(struct mill_hunt *hunt, const struct mill_child *child, int *status);

/* --- Kinds (hunt_kinds.c) --- */

/* Reads the kinds of earlier hunts. False, with a message: --known or --except cannot be used. */
bool mill_kinds_init(struct mill_hunt *hunt);
void mill_kinds_fini(struct mill_hunt *hunt);

/* The kind of what is no MILL_END_KEPT. */
void mill_kind_key(const struct mill_trial *trial, char *key);

/* Counts what program n came to. */
void mill_kinds_add(struct mill_hunt *hunt, uint64_t n, const struct mill_trial *trial);

/* Puts the kinds into the order of their programs. */
void mill_kinds_sort(struct mill_hunt *hunt);

/* The kinds that count. */
size_t mill_kinds_count(const struct mill_hunt *hunt);

/* --- Folders (hunt_folder.c) --- */

/* Shrinks the kind's program and writes its folder. False: failed, with a message. */
bool mill_kind_write(struct mill_hunt *hunt, struct mill_kind *kind);

/* --- Results (hunt_say.c) --- */

void mill_hunt_say_table(const struct mill_hunt *hunt);
void mill_hunt_say_json(const struct mill_hunt *hunt);

#endif
