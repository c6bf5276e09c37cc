/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of this library's tree: in a process's own memory, or in a zone with its journal. */
#include <stdlib.h>

#include <slabmill/rbtree.h>

#include "bench/own_kernels.h"

#define N_AT_ONCE       128u
#define JOURNAL_ENTRIES 4096u

struct entry {
    struct slm_rbtree_node node; /* first */
    uint64_t key;
};

/* Offsets count from here, and 0 stands for NULL: the tree lies above the start. */
struct forest {
    uint64_t unused;
    struct slm_rbtree tree;
    struct entry entries[]; /* n, and N_AT_ONCE more */
};

struct tree {
    const struct bench_meter *meter;
    struct slm_zone *zone;  /* NULL: the journal is off */
    struct slm_journal off; /* the journal then */
    struct slm_journal *journal;
    struct forest *forest;
    uint64_t seed;
    size_t n;
    size_t found;
};

/* Each number has another key; keys have no order. */
static uint64_t key_of(size_t i)
{
    return i * UINT64_C(0x9E3779B97F4A7C15);
}

static int order_of(const struct slm_rbtree_node *a, const struct slm_rbtree_node *b)
{
    uint64_t left = ((const struct entry *)a)->key;
    uint64_t right = ((const struct entry *)b)->key;
    return (left > right) - (left < right);
}

static int compare_key(const void *key, const struct slm_rbtree_node *node)
{
    uint64_t left = *(const uint64_t *)key;
    uint64_t right = ((const struct entry *)node)->key;
    return (left > right) - (left < right);
}

static void commit(const struct tree *w)
{
    if (w->zone != NULL) {
        bench_must(slm_zone_commit_locked(w->zone), "commit");
    }
}

static void insert_at(struct tree *w, size_t i)
{
    (void)slm_rbtree_insert(w->journal, &w->forest->tree, &w->forest->entries[i].node, order_of);
    commit(w);
}

static void insert_all(struct tree *w)
{
    for (size_t i = 0; i < w->n; i++) {
        w->forest->entries[i].key = key_of(i);
        insert_at(w, i);
    }
}

static size_t bytes_of(size_t n)
{
    return sizeof(struct forest) + (n + N_AT_ONCE) * sizeof(struct entry);
}

void *bench_tree_begin(const struct bench_meter *meter, size_t n)
{
    struct tree *w = calloc(1, sizeof *w);
    struct forest *forest = calloc(1, bytes_of(n));
    if (w == NULL || forest == NULL) {
        free(w);
        free(forest);
        return NULL;
    }
    w->meter = meter;
    w->n = n;
    w->forest = forest;
    w->off.base = (unsigned char *)forest;
    w->journal = &w->off;
    insert_all(w);
    return w;
}

/* In one object of a zone, whose lock is held until the end. */
void *bench_tree_begin_journal(const struct bench_meter *meter, size_t n)
{
    struct tree *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return NULL;
    }
    w->meter = meter;
    w->n = n;
    w->zone = bench_own_zone(bytes_of(n) + ((size_t)4 << 20), JOURNAL_ENTRIES);
    w->journal = slm_zone_journal(w->zone);
    bench_must(slm_zone_lock(w->zone), "lock");
    w->forest = slm_journal_calloc(w->journal, bytes_of(n));
    commit(w);
    insert_all(w);
    return w;
}

void bench_tree_end(void *work)
{
    struct tree *w = work;
    if (w->zone == NULL) {
        free(w->forest);
    } else {
        (void)slm_zone_unlock(w->zone);
        slm_zone_detach(w->zone);
    }
    free(w);
}

void bench_tree_run_find(void *work, size_t n_ops)
{
    struct tree *w = work;
    for (size_t i = 0; i < n_ops; i++) {
        uint64_t key = key_of(bench_below(&w->seed, w->n));
        w->found += slm_rbtree_find(w->journal, &w->forest->tree, &key, compare_key) != NULL;
    }
}

static void insert_some(struct tree *w)
{
    for (size_t i = w->n; i < w->n + N_AT_ONCE; i++) {
        w->forest->entries[i].key = key_of(bench_random(&w->seed));
        insert_at(w, i);
    }
}

static void delete_some(struct tree *w)
{
    for (size_t i = w->n; i < w->n + N_AT_ONCE; i++) {
        (void)slm_rbtree_remove(w->journal, &w->forest->tree, &w->forest->entries[i].node);
        commit(w);
    }
}

void bench_tree_run_insert(void *work, size_t n_ops)
{
    struct tree *w = work;
    for (size_t done = 0; done < n_ops; done += N_AT_ONCE) {
        insert_some(w);
        w->meter->pause(w->meter->data);
        delete_some(w);
        w->meter->resume(w->meter->data);
    }
}

void bench_tree_run_delete(void *work, size_t n_ops)
{
    struct tree *w = work;
    for (size_t done = 0; done < n_ops; done += N_AT_ONCE) {
        w->meter->pause(w->meter->data);
        insert_some(w);
        w->meter->resume(w->meter->data);
        delete_some(w);
    }
}
