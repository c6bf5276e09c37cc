/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the parts of zone_fuzz: the model, the actors, the laws. */
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

/* --- The model of the content (account.c) --- */

/* An object: its first words are recorded one by one, the others follow from its stamp. */
struct zone_slot {
    bool is_live;
    uint32_t n_bytes; /* a multiple of 8 */
    uint64_t offset;  /* as slm_journal_offset */
    uint64_t stamp;
    uint64_t words[ZONE_N_WORDS];
};

struct zone_account {
    struct zone_slot slots[ZONE_N_SLOTS];
    int root;            /* slot, or ZONE_NOBODY */
    unsigned n_homeless; /* objects whose caller died before the call could return them */
};

extern struct zone_account hrn_zone_committed; /* the content after a death */
extern struct zone_account hrn_zone_working;   /* the content within the turn */

/* What else the content may be if the actor dies in the present call. The next actor that gets the
 * lock finds out: until then the content is unsettled. */
struct zone_alternatives {
    struct zone_account accounts[2];
    unsigned n;
    bool is_unsettled;
};
extern struct zone_alternatives hrn_zone_else;

/* The present call may also leave that. */
void hrn_zone_offer(const struct zone_account *account);
/* No actor is in a call that commits. Does nothing while the content is unsettled. */
void hrn_zone_end_offers(void);
/* The handle has the lock. If the content is unsettled, it is what the zone has, if that is one of
 * the possible ones. */
void hrn_zone_settle(struct slm_zone *zone);

/* Fills the object and records it. */
void hrn_zone_slot_fill(struct zone_slot *slot, void *p, uint64_t offset, uint32_t n_bytes,
                        uint64_t stamp);
/* Records an object that must be zero, and that stays so. */
void hrn_zone_slot_take_zeroes(struct zone_slot *slot, const void *p, uint64_t offset,
                               uint32_t n_bytes);
/* Aborts if [offset, + n_bytes) overlaps an object of the state. */
void hrn_zone_expect_free(const struct zone_account *state, uint64_t offset, uint32_t n_bytes);
/* Aborts if the zone, seen through the handle, differs from the state: contents, root, and with
 * `exactly` no other objects. */
void hrn_zone_expect_state(struct slm_zone *zone, const struct zone_account *state, bool exactly);

/* The same for the one object with number idx. */
void hrn_zone_expect_contents(const struct slm_journal *journal, const struct zone_slot *slot,
                              unsigned idx);
/* Aborts if a word is not 0. */
void hrn_zone_expect_zeroes(const void *p, uint32_t n_bytes);

/* Live objects of a slab, by its pages. */
size_t hrn_zone_count_objects(struct slm_slab *slab);

/* --- The world (world.c) --- */

/* A zone and all its handles: made once for each byte 0, and again after it grew. */
struct zone_world {
    struct slm_zone *zones[ZONE_N_ACTORS]; /* NULL: not made */
    struct slm_zone *reader;
    unsigned char pristine[ZONE_FIRST_BYTES];
    bool was_grown;
    enum slm_lock_kind lock;
    int holder;               /* ZONE_NOBODY: free */
    uint64_t holder_identity; /* then */
    bool holder_is_dead;      /* the lock's word still names it */
    bool needs_repair;
    bool is_torn;     /* a holder died within a call: until the repair the zone is not sound */
    unsigned n_noted; /* entries of the transaction */
    int fresh_slot;   /* of the object that it allocated last: its words take no entries */
    bool is_copied;   /* an actor is in slm_zone_copy, and another one takes a turn */
    bool is_trimmed;  /* free pages were given back */
    bool is_refused;  /* a call found no room for its entries: the transaction can only be undone */
    uint64_t n_repairs;
    uint64_t bytes;
    uint64_t other_bytes; /* if an actor dies in the present call */
    uint64_t next_stamp;
};
extern struct zone_world *hrn_zone_world; /* of this input */

/* Makes the world like new, with an empty model. */
void hrn_zone_begin_world(unsigned settings);
/* Starts a transaction of the lock's holder on *from, with an empty journal. */
void hrn_zone_begin_transaction(const struct zone_account *from);
/* Returns what a commit must return, and updates the model. */
enum slm_status hrn_zone_end_transaction(void);
/* One more handle on the world's zone. */
void hrn_zone_attach_again(struct slm_zone **out, bool read_only);

extern struct hrn_zone_counts hrn_zone_counted;

/* A function of a law: it does not return. */
typedef __attribute__((format(printf, 1, 2))) void hrn_zone_law(const char *format, ...);

/* Every process can reserve so many addresses twice. A damaged zone may claim more. */
#define HRN_SURE_ADDRESSES_BYTES ((uint64_t)1 << (sizeof(void *) == 8 ? 40 : 28))

/* --- Copies (open_copy.c, image_copy.c) --- */

/* Attaches a copy that was just made, checks and locks it. Breaks the law if one of that fails. */
struct slm_zone *hrn_zone_open_copy(const struct slm_zone_attach_options *options,
                                    hrn_zone_law *law);
/* Unlocks and detaches it. */
void hrn_zone_close_copy(struct slm_zone *copy);

/* A zone that works after damage can be copied, and the copy works. */
void hrn_zone_copy_image(struct slm_zone *zone);

/* --- Readers (reader.c) --- */

/* Breaks the law unless both handles of a zone that is at rest show the same figures. */
void hrn_zone_expect_same_stats(struct slm_zone *seen, struct slm_zone *other, hrn_zone_law *law);

/* --- Laws: a function each --- */

#define ZONE_LAW_LIST(X)                                                                           \
    X(made, "a zone can be made and attached")                                                     \
    X(answer, "a call returns what it did, or why it did nothing")                                 \
    X(contents, "committed changes are there, undone ones are not")                                \
    X(exclusive, "an object has one owner")                                                        \
    X(zeroing, "memory from calloc is zero")                                                       \
    X(outside, "an object is in the zone")                                                         \
    X(count, "the zone has the objects that were committed, and no others")                        \
    X(root, "the root is the committed one")                                                       \
    X(sound, "between calls no invariant is broken, even after deaths")                            \
    X(repairs, "the next locker after a death repairs, and no other does")                         \
    X(copy, "a copy is whole, and has what was committed when the call ended")                     \
    X(backed, "memory that was given back is there again before an object has it")                 \
    X(length, "a zone has the length that it was made with or grew to")                            \
    X(number, "a check returns a number that is listed")                                           \
    X(shared, "shared data has what threads inserted and did not remove")                          \
    X(silence, "a call that only reads, or is refused, changes no byte")                           \
    X(reader, "a read-only handle shows what the others show")                                     \
    X(sound_image, "an image found sound, or repaired, works")                                     \
    X(given_up, "damage that one locker cannot repair, no other can")                              \
    X(copy_accepted, "an image of a copy opens if and only if attach accepts the zone")            \
    X(copy_checked, "the check of a copy finds what the zone's check finds")                       \
    X(copy_repaired, "repairing a copy gives the bytes that locking gives")

#define ZONE_LAW_DECLARE(name, sentence) HRN_LAW_FUNCTION(hrn_zone_law_##name)
ZONE_LAW_LIST(ZONE_LAW_DECLARE)
#undef ZONE_LAW_DECLARE

#endif
