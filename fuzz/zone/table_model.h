/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the parts of zone_table_fuzz: the model of table and leases, and its laws. */
#ifndef HRN_FUZZ_ZONE_TABLE_MODEL_H
#define HRN_FUZZ_ZONE_TABLE_MODEL_H

#include <stdbool.h>

#include "fuzz/zone/table.h"
#include "harness/laws/laws.h"
#include <slabmill/lease.h>
#include <slabmill/table.h>

enum {
    TABLE_N_ACTORS = 3,
    TABLE_N_KEYS = 48,
    TABLE_N_SLOTS = 4,
    TABLE_N_LEASES = 40,
    TABLE_N_BALLAST = 8,
    TABLE_KEY_BYTES_MAX = 200,
    TABLE_SHORT_KEY_BYTES = 24,
    TABLE_ZONE_BYTES = 128 * 1024,
};

#define TABLE_LOST UINT64_MAX

/* --- What the zone has --- */

struct table_top {
    struct slm_table table;
    struct slm_lease_book book; /* its slots follow */
};

struct table_user {
    struct slm_table_entry entry;
    struct slm_lease_count count;
    uint64_t stamp;
    uint64_t value_bytes;
    unsigned char other[TABLE_SHORT_KEY_BYTES]; /* another key */
};

static inline struct table_top *table_top_of(const struct slm_zone *zone)
{
    return (struct table_top *)slm_zone_root_locked(zone);
}

/* --- The model --- */

struct table_item {
    unsigned key;
    uint32_t value_bytes;
    uint64_t stamp; /* what its value is made of */
};

struct table_lease {
    unsigned key;
    unsigned slot;
    struct slm_lease name; /* offset 0: its taker died before it knew */
};

struct table_account {
    struct table_item items[TABLE_N_KEYS]; /* the oldest use first */
    unsigned n_items;
    struct table_lease leases[TABLE_N_LEASES]; /* the oldest first */
    unsigned n_leases;
    uint64_t identities[TABLE_N_SLOTS]; /* 0: the slot is free */
    uint64_t ballast[TABLE_N_BALLAST];  /* offsets; 0: none; TABLE_LOST: its taker died */
    uint64_t n_evicted;
    uint64_t n_reclaimed;
};

/* The key's bytes: as many as differ between keys of several lengths. Returns how many. */
size_t hrn_table_key_bytes(unsigned key, unsigned char bytes[TABLE_KEY_BYTES_MAX]);
struct slm_table_key hrn_table_key(unsigned key, unsigned char bytes[TABLE_KEY_BYTES_MAX]);
/* The short key that lies in the item's struct. */
unsigned hrn_table_key_in_struct(const struct table_item *item);
/* Which key lies in its value, and where it begins. False: none. */
bool hrn_table_key_in_value(const struct table_item *item, unsigned *key, size_t *at);

/* The item's index; -1: the table does not have the key. */
int hrn_table_find_item(const struct table_account *account, unsigned key);
unsigned hrn_table_count_leases(const struct table_account *account, unsigned key);

/* The key's item goes, if there is one. */
void hrn_table_remove_item(struct table_account *account, unsigned key);
/* It becomes the newest. */
void hrn_table_add_item(struct table_account *account, const struct table_item *item);
void hrn_table_remove_lease(struct table_account *account, unsigned idx);

/* The oldest item without a lease goes. False: there is none. */
bool hrn_table_evict(struct table_account *account);
/* The oldest lease of the first slot in the mask that has one goes, and its item too if it was the
 * item's last and drops_unused; or a slot of the mask without a lease becomes free. False: nothing
 * is left to do. */
bool hrn_table_give_one(struct table_account *account, unsigned slots, bool drops_unused,
                        bool is_reclaim);

/* What the value of an entry with that stamp is. */
void hrn_table_fill(struct slm_table_entry *entry, const struct table_item *item);

/* Whether the zone has that content exactly. */
bool hrn_table_matches(struct slm_zone *zone, const struct table_account *account);
/* Aborts if a check of table, leases or zone finds something. */
void hrn_table_expect_sound(struct slm_zone *zone);

/* --- Laws --- */

#define TABLE_LAW_LIST(X)                                                                          \
    X(made, "a zone with a table can be made and attached")                                        \
    X(answer, "a call returns what it did, or why it did nothing")                                 \
    X(content, "the table has what was committed, in the order of use")                            \
    X(eviction, "only the oldest entries without a lease go, and only for one that fits")          \
    X(death, "a death leaves a content that the transactions of the turn lead through")            \
    X(sound, "between turns no invariant is broken, even after deaths")                            \
    X(walk, "a walk visits each entry once")                                                       \
    X(silence, "a call through a read-only handle changes no byte")                                \
    X(reader, "a read-only handle shows what the others show")

#define TABLE_LAW_DECLARE(name, sentence) HRN_LAW_FUNCTION(hrn_table_law_##name)
TABLE_LAW_LIST(TABLE_LAW_DECLARE)
#undef TABLE_LAW_DECLARE

#endif
