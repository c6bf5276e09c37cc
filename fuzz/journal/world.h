/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the parts of journal_fuzz: the memory, the model, the laws. */
#ifndef HRN_FUZZ_JOURNAL_WORLD_H
#define HRN_FUZZ_JOURNAL_WORLD_H

#include <stdbool.h>

#include "fuzz/journal/journal.h"
#include "harness/laws/laws.h"
#include <slabmill/journal.h>

enum {
    JOURNAL_N_SLOTS = 20,
    JOURNAL_N_ENTRIES = 64,
    JOURNAL_LOG_BYTES = 4096,
    JOURNAL_AREA_BYTES = JOURNAL_LOG_BYTES + 88 * 1024,
    JOURNAL_TAIL_BYTES = 64,
    JOURNAL_NO_SLOT = -1,
};

struct op {
    enum hrn_journal_op kind;
    unsigned slot;
    unsigned extra;
    uint32_t value;
};

struct object {
    bool is_live;
    bool is_freed; /* by this transaction */
    uint32_t size; /* as asked for */
    uint32_t n_bytes;
    uint64_t offset;
};

struct journal_account {
    struct object objects[JOURNAL_N_SLOTS];
    int root; /* slot */
    uint32_t version;
    unsigned char bytes[JOURNAL_AREA_BYTES]; /* those of its objects count */
};

/* What the process knows of its transaction. */
struct transaction {
    unsigned n_noted;
    enum slm_status refusal;
    int fresh; /* slot: words of what was asked for take no entries */
};

/* The log, the slab, and a little more. */
extern unsigned char hrn_journal_area[JOURNAL_AREA_BYTES + JOURNAL_TAIL_BYTES];
extern struct slm_slab *hrn_journal_slab;
extern struct slm_journal hrn_journal;
extern struct journal_account hrn_journal_committed;
extern struct journal_account hrn_journal_working; /* without bytes: they are in the area */
extern struct transaction hrn_journal_now;
extern bool hrn_journal_is_on;

static inline unsigned char *hrn_journal_at(uint64_t offset)
{
    return hrn_journal_area + offset;
}

/* Aborts if a call returned another status, or the log has another number of entries. */
void hrn_journal_expect(const char *call, enum slm_status seen, enum slm_status expected);

/* What a call that needs so many entries returns; they are noted then. */
enum slm_status hrn_journal_note(unsigned n_entries);
/* The transaction is refused with the status, unless it was refused before. Returns the refusal. */
enum slm_status hrn_journal_refuse(enum slm_status status);

/* --- ends.c: what is left in the end --- */

void hrn_journal_begin(bool is_on);
void hrn_journal_end(void);
void hrn_journal_commit(const struct op *op);
void hrn_journal_abort(const struct op *op);
void hrn_journal_reset(const struct op *op);
void hrn_journal_die(const struct op *op);
void hrn_journal_take_over(const struct op *op);
/* Carries out the operation, or part of it: then another process repairs. */
void hrn_journal_run_mortal(void (*verb)(const struct op *op), const struct op *op);

/* --- damage.c --- */

void hrn_journal_hurt(const struct op *op);
void hrn_journal_try_nulls(const struct op *op);

/* --- Laws: a function each --- */

#define JOURNAL_LAW_LIST(X)                                                                        \
    X(answer, "a call returns what it did, or why it did nothing")                                 \
    X(entries, "a call takes the entries that its words need")                                     \
    X(contents, "what is committed stays, and what is not is undone, to the last byte")            \
    X(objects, "objects are those that were committed, and no others")                             \
    X(root, "the root and the version are the committed ones")                                     \
    X(sound, "after each end no invariant is broken")                                              \
    X(counters, "repairs count what they undid and finished")                                      \
    X(number, "a check returns the number of an invariant that is broken, and 0 if none is")       \
    X(made, "a journal can be made")

#define JOURNAL_LAW_DECLARE(name, sentence) HRN_LAW_FUNCTION(hrn_journal_law_##name)
JOURNAL_LAW_LIST(JOURNAL_LAW_DECLARE)
#undef JOURNAL_LAW_DECLARE

#endif
