/* SPDX-License-Identifier: Apache-2.0 */
/* What a table stores in shared memory, pinned, and the order of its keys. */
#ifndef SLM_TABLE_ENTRY_H
#define SLM_TABLE_ENTRY_H

#include <string.h>

#include "allocator/base/check.h"
#include "allocator/base/pin.h"
#include <slabmill/table.h>

SLM_PIN_SIZE(slm_table, 48);
SLM_PIN_FIELD(slm_table, by_key, 0, 16);
SLM_PIN_FIELD(slm_table, by_use, 16, 24);
SLM_PIN_FIELD(slm_table, n_evicted, 40, 8);

SLM_PIN_SIZE(slm_table_entry, 72);
SLM_PIN_FIELD(slm_table_entry, by_key, 0, 32);
SLM_PIN_FIELD(slm_table_entry, by_use, 32, 24);
SLM_PIN_FIELD(slm_table_entry, hash, 56, 8);
SLM_PIN_FIELD(slm_table_entry, key_at, 64, 4);
SLM_PIN_FIELD(slm_table_entry, key_bytes, 68, 4);

/* One step of table_hash. */
static inline uint64_t table_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

/*
 * The hash of a key: entries store it, so it never changes. It only saves comparisons of bytes: the
 * tree stays balanced for any keys, so a user that chooses them gains nothing. Eight bytes at a
 * time; the last eight may overlap those before.
 */
static inline uint64_t table_hash(const void *data, size_t n_bytes)
{
    const unsigned char *bytes = (const unsigned char *)data;
    uint64_t hash = n_bytes;
    uint64_t word = 0;
    if (n_bytes < sizeof word) {
        for (size_t i = 0; i < n_bytes; i++) {
            word = word << 8 | bytes[i];
        }
        return table_mix(hash, word);
    }
    const unsigned char *last = bytes + n_bytes - sizeof word;
    for (; bytes < last; bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = table_mix(hash, word);
    }
    memcpy(&word, last, sizeof word);
    return table_mix(hash, word);
}

/* NULL for NULL. */
static inline struct slm_table_entry *table_entry_of_key(const struct slm_rbtree_node *node)
{
    return (struct slm_table_entry *)(uintptr_t)node;
}

static inline struct slm_table_entry *table_entry_of_use(const struct slm_lru_node *node)
{
    return node == NULL ? NULL
                        : (struct slm_table_entry *)((uintptr_t)node -
                                                     offsetof(struct slm_table_entry, by_use));
}

static inline uint64_t table_load(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* Whether the entry, of the same hash, has the key. Not a call of memcmp: the caller would need a stack
 * frame for it. */
static inline __attribute__((always_inline)) bool
table_has_bytes(const struct slm_table_key *key, const struct slm_table_entry *entry)
{
    const unsigned char *a = (const unsigned char *)key->data;
    const unsigned char *b = slm_table_key_of(entry);
    size_t n_bytes = key->n_bytes;
    size_t at = 0;
    if (SLM_UNLIKELY(n_bytes != entry->key_bytes)) {
        return false;
    }
    if (n_bytes < sizeof(uint64_t)) {
        while (at < n_bytes && a[at] == b[at]) {
            at++;
        }
        return at == n_bytes;
    }
    /* The last eight may overlap those before. */
    size_t last = n_bytes - sizeof(uint64_t);
    while (at < last && table_load(a + at) == table_load(b + at)) {
        at += sizeof(uint64_t);
    }
    return at >= last && table_load(a + last) == table_load(b + last);
}

/* The order of keys with one hash: by length, then bytes. */
static inline int table_compare_bytes(const struct slm_table_key *key,
                                      const struct slm_table_entry *entry)
{
    if (key->n_bytes != entry->key_bytes) {
        return key->n_bytes < entry->key_bytes ? -1 : 1;
    }
    return memcmp(key->data, slm_table_key_of(entry), key->n_bytes);
}

/* By hash, then as table_compare_bytes. */
static inline int table_compare(const void *data, const struct slm_rbtree_node *node)
{
    const struct slm_table_key *key = (const struct slm_table_key *)data;
    const struct slm_table_entry *entry = table_entry_of_key(node);
    if (key->hash != entry->hash) {
        return key->hash < entry->hash ? -1 : 1;
    }
    return table_compare_bytes(key, entry);
}

static inline struct slm_table_key table_key_of(const struct slm_table_entry *entry)
{
    struct slm_table_key key = {slm_table_key_of(entry), entry->key_bytes, entry->hash};
    return key;
}

static inline int table_order(const struct slm_rbtree_node *a, const struct slm_rbtree_node *b)
{
    const struct slm_table_key key = table_key_of(table_entry_of_key(a));
    return table_compare(&key, b);
}

#endif
