/* SPDX-License-Identifier: Apache-2.0 */
/* Turns of zone_table_fuzz, for the files that carry operations out. */
#ifndef HRN_FUZZ_ZONE_TABLE_TURN_H
#define HRN_FUZZ_ZONE_TABLE_TURN_H

#include "fuzz/zone/table_model.h"
#include "harness/sched/system.h"

struct table_op {
    enum hrn_table_op kind;
    unsigned actor;
    unsigned key;
    uint8_t extra;
    uint32_t value;
    const unsigned char *inside; /* the key's bytes in an entry; NULL: in memory of the caller */
    unsigned keeper;             /* the key of that entry */
};

/* What extra says. */
#define TABLE_ABORTS(op)       (((op)->extra & 1u) != 0)
#define TABLE_IS_LARGE(op)     (((op)->extra & 2u) != 0)
#define TABLE_DROPS_UNUSED(op) (((op)->extra & 4u) != 0)
#define TABLE_IS_INSIDE(op)    (((op)->extra & 8u) != 0)   /* the key's bytes are in an entry */
#define TABLE_KEEPER(op)       ((op)->extra >> 4 & 3u)     /* which one, from the oldest on */
#define TABLE_IS_STRUCTS(op)   (((op)->extra & 64u) != 0)  /* in its struct, not in its value */
#define TABLE_IS_KEEPERS(op)   (((op)->extra & 128u) != 0) /* the entry's own key */
/* Of LOOK: in a turn that follows, at one of its points; through a handle that was just made. */
#define TABLE_LOOKS_LATER(op) (((op)->extra & 1u) != 0)
#define TABLE_REATTACHES(op)  (((op)->extra & 2u) != 0)

/* The change that the last transaction of a turn makes. */
typedef void table_change(struct table_account *account, const struct table_op *op);

/*
 * What the turn under way may lead to. Its transactions are steps: evictions, or leases given back.
 * After any number of them the last one makes the turn's own change.
 */
struct table_plan {
    enum { PLAN_NOTHING, PLAN_CHANGE, PLAN_EVICT, PLAN_GIVE } steps;
    unsigned slots; /* of which leases are given back */
    bool drops_unused;
    bool is_reclaim;
    table_change *change; /* NULL: none */
    struct table_op op;
    uint64_t identity; /* of the actor */
};

extern struct hrn_table_counts hrn_table_counted;
extern struct table_account hrn_table_now; /* what was committed last */
extern struct table_plan hrn_table_plan;
extern struct slm_lease_worker hrn_table_workers[TABLE_N_ACTORS];
extern uint64_t hrn_table_next_stamp;

/* The actor's zone. */
struct slm_zone *hrn_table_zone(unsigned actor);

/* Aborts if a call returned another status than it must. */
void hrn_table_expect(const char *call, enum slm_status seen, enum slm_status expected);

/* Makes the plan's next step in the account. False: there is none. */
bool hrn_table_step(struct table_account *account);

/* The turn has one transaction. */
void hrn_table_plan_change(const struct table_op *op, table_change *change);

/* Ends a turn whose last call returned status, and finds the content that it led to. */
void hrn_table_end_turn(const struct table_op *op, enum slm_status status);

/* In a turn: changes the operation to one with a key whose bytes lie in an entry, if it says so. */
void hrn_table_aim(struct table_op *op);
/* The operation's key: its bytes are in *bytes, or in an entry. */
struct slm_table_key hrn_table_key_of(const struct table_op *op,
                                      unsigned char bytes[TABLE_KEY_BYTES_MAX]);
/* The key's entry; NULL: the table does not have it. */
struct slm_table_entry *hrn_table_entry(const struct table_op *op);

/* --- A process that may only read (table_look.c) --- */

/* Calls through the read-only handle. is_settled: no turn is under way or was left by a death. */
void hrn_table_look(const struct table_op *op, struct slm_zone *reader, bool is_settled);

/* --- Operations: table_entries.c, table_leases.c --- */

void hrn_table_get(const struct table_op *op);
void hrn_table_put(const struct table_op *op);
void hrn_table_touch(const struct table_op *op);
void hrn_table_drop(const struct table_op *op);
void hrn_table_walk(const struct table_op *op);
void hrn_table_misuse(const struct table_op *op);
void hrn_table_toggle_ballast(const struct table_op *op);
void hrn_table_join(const struct table_op *op);
void hrn_table_leave(const struct table_op *op);
void hrn_table_take(const struct table_op *op);
void hrn_table_give(const struct table_op *op);
void hrn_table_reclaim(const struct table_op *op);

#endif
