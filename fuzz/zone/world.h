/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of zone_fuzz share: the account, the actors, the laws. */
#ifndef HRN_FUZZ_ZONE_PRIV_H
#define HRN_FUZZ_ZONE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fuzz/zone/zone.h"
#include "harness/laws/laws.h"
#include <slabmill/zone.h>

enum {
    ZONE_N_ACTORS = 4,
    ZONE_N_SLOTS = 48,
    ZONE_N_WORDS = 8,
    ZONE_N_SETTINGS = 8,
    ZONE_NOBODY = -1,
    ZONE_FIRST_BYTES = 96 * 1024,
    ZONE_MAX_BYTES = 192 * 1024,
    ZONE_N_ENTRIES = 128, /* of the journal */
};

/* --- The account (account.c) --- */

/* An object: its first words are told one by one, the others follow from its stamp. */
struct zone_slot {
    bool is_live;
    uint32_t n_bytes; /* a multiple of 8 */
    uint64_t offset;  /* as slm_journal_offset */
    uint64_t stamp;
    uint64_t words[ZONE_N_WORDS];
};

struct zone_account {
    struct zone_slot slots[ZONE_N_SLOTS];
    int root; /* slot, or ZONE_NOBODY */
};

extern struct zone_account hrn_zone_committed; /* what a death leaves */
extern struct zone_account hrn_zone_working;   /* what the turn has made of it */

/* Fills the object and says so. */
void hrn_zone_slot_fill(struct zone_slot *slot, void *p, uint64_t offset, uint32_t n_bytes,
                        uint64_t stamp);
/* Aborts if [offset, + n_bytes) has bytes of an object that the state has. */
void hrn_zone_expect_free(const struct zone_account *state, uint64_t offset, uint32_t n_bytes);
/* Aborts if what the handle shows is not the state: contents, root; with `exactly` nothing else. */
void hrn_zone_expect_state(struct slm_zone *zone, const struct zone_account *state, bool exactly);

/* The same for one object, of number idx. */
void hrn_zone_expect_contents(const struct slm_journal *journal, const struct zone_slot *slot,
                              unsigned idx);
/* Aborts if a word is not 0. */
void hrn_zone_expect_zeroes(const void *p, uint32_t n_bytes);

/* Live objects of a slab, by its pages. */
size_t hrn_zone_count_objects(struct slm_slab *slab);

/* --- The world (world.c) --- */

/* A zone and all that have it: made once for each byte 0, and again when it grew. */
struct zone_world {
    struct slm_zone *zones[ZONE_N_ACTORS]; /* NULL: not made */
    struct slm_zone *reader;
    unsigned char pristine[ZONE_FIRST_BYTES];
    bool was_grown;
    enum slm_lock_kind lock;
    int holder;          /* ZONE_NOBODY: free */
    bool holder_is_dead; /* the word still has it */
    bool needs_repair;
    unsigned n_noted; /* entries of the transaction */
    bool is_refused;  /* a call found no room for its entries: it can only be undone */
    uint64_t n_repairs;
    uint64_t bytes;
    uint64_t next_stamp;
};
extern struct zone_world *hrn_zone_world; /* of this input */

/* As new, and nothing in the account. */
void hrn_zone_begin_world(unsigned settings);
/* From now on the actor with the lock works on *from, of which nothing is noted. */
void hrn_zone_begin_transaction(const struct zone_account *from);
/* What a commit answers; then the account has what it leaves. */
enum slm_status hrn_zone_end_transaction(void);
/* One more handle on the world's zone. */
void hrn_zone_attach_again(struct slm_zone **out, bool read_only);

extern struct hrn_zone_counts hrn_zone_counted;

/* --- Laws: a function each --- */

#define ZONE_LAW_LIST(X)                                                                           \
    X(made, "a zone can be made and attached")                                                     \
    X(answer, "a call says what it did, or why it did nothing")                                    \
    X(contents, "what was committed is there, what was undone is not")                             \
    X(exclusive, "an object is handed out to one owner")                                           \
    X(zeroing, "what calloc hands out is zero")                                                    \
    X(outside, "an object lies in the zone")                                                       \
    X(count, "the zone has the objects that were committed, and no others")                        \
    X(root, "the root is what was committed")                                                      \
    X(sound, "between calls no invariant is broken, whoever died")                                 \
    X(repairs, "who locks behind a death repairs, and nobody else does")                           \
    X(length, "a zone is as long as it was made or grew")                                          \
    X(number, "a check answers a number that is listed")                                           \
    X(shared, "what threads share has what they put in and did not take out")                      \
    X(silence, "a look, or a refused call, changes no byte")                                       \
    X(sound_image, "an image found sound, or repaired, works")                                     \
    X(given_up, "what could not be repaired is so for everybody")

#define ZONE_LAW_DECLARE(name, sentence) HRN_LAW_FUNCTION(hrn_zone_law_##name)
ZONE_LAW_LIST(ZONE_LAW_DECLARE)
#undef ZONE_LAW_DECLARE

#endif
