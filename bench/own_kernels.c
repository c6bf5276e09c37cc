/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of this library's lock, zones and limit_req. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <slabmill/lru.h>
#include <slabmill/rbtree.h>
#include <slabmill/zone.h>

#include "bench/own_kernels.h"
#include "examples/limit_req/limit_req.h"

#define ZONE_BYTES       ((size_t)16 << 20)
#define LIMIT_ZONE_BYTES ((size_t)1 << 20)
#define OBJECT_BYTES     64u
#define KEY_BYTES        12u
#define RATE_MILLI       1000u
#define BURST_MILLI      1000000u

void bench_must(enum slm_status status, const char *what)
{
    if (status != SLM_OK) {
        fprintf(stderr, "bench: %s: %s\n", what, slm_status_text(status));
        exit(2);
    }
}

struct slm_zone *bench_own_zone(size_t bytes, unsigned journal_entries)
{
    struct slm_zone_options options = {.name = "bench",
                                       .tag = SLM_LIMIT_REQ_TAG,
                                       .bytes = bytes,
                                       .journal_entries = journal_entries,
                                       .segment = {.kind = SLM_SEGMENT_ANONYMOUS}};
    struct slm_zone *zone = NULL;
    bench_must(slm_zone_create(&zone, &options, NULL), "zone");
    return zone;
}

static void *begin_zone(const struct bench_meter *meter, size_t n)
{
    (void)meter;
    (void)n;
    return bench_own_zone(ZONE_BYTES, 0);
}

static void end_zone(void *work)
{
    slm_zone_detach(work);
}

static void run_zone_lock(void *work, size_t n_ops)
{
    for (size_t i = 0; i < n_ops; i++) {
        if (slm_zone_lock(work) == SLM_OK) {
            (void)slm_zone_unlock(work);
        }
    }
}

static void run_lock(void *work, size_t n_ops)
{
    struct slm_lock *lock = slm_zone_lock_handle(work);
    for (size_t i = 0; i < n_ops; i++) {
        (void)slm_lock_lock(lock);
        (void)slm_lock_unlock(lock);
    }
}

static void run_alloc_free(void *work, size_t n_ops)
{
    for (size_t i = 0; i < n_ops; i++) {
        (void)slm_zone_free(work, slm_zone_alloc(work, OBJECT_BYTES, NULL));
    }
}

/* --- Objects of one size until the zone is full --- */

struct fit {
    struct bench_fit fit; /* first */
    struct slm_zone *zone;
    size_t bytes;
};

static void *begin_fit(const struct bench_meter *meter, size_t n)
{
    struct fit *w = calloc(1, sizeof *w);
    (void)meter;
    if (w != NULL) {
        w->zone = bench_own_zone(BENCH_FIT_ZONE_BYTES, 0);
        w->bytes = n;
    }
    return w;
}

static void run_fit(void *work, size_t n_ops)
{
    struct fit *w = work;
    while (w->fit.n_objects < n_ops && slm_zone_alloc(w->zone, w->bytes, NULL) != NULL) {
        w->fit.n_objects++;
    }
}

static void end_fit(void *work)
{
    struct fit *w = work;
    slm_zone_detach(w->zone);
    free(w);
}

/* --- n releases in one transaction --- */

struct frees {
    const struct bench_meter *meter;
    uint64_t seed;
    struct slm_zone *zone;
    size_t n;
    void *live[];
};

static void *begin_frees(const struct bench_meter *meter, size_t n)
{
    struct frees *w = calloc(1, sizeof *w + n * sizeof w->live[0]);
    if (w != NULL) {
        w->meter = meter;
        w->n = n;
        w->zone = bench_own_zone(ZONE_BYTES + n * 3 * OBJECT_BYTES, (unsigned)n + 64);
    }
    return w;
}

static void run_frees(void *work, size_t n_ops)
{
    struct frees *w = work;
    struct slm_journal *journal = slm_zone_journal(w->zone);
    for (size_t done = 0; done < n_ops; done += w->n) {
        w->meter->pause(w->meter->data);
        bench_must(slm_zone_lock(w->zone), "lock");
        for (size_t i = 0; i < w->n; i++) {
            w->live[i] = slm_journal_alloc(journal, OBJECT_BYTES);
        }
        bench_must(slm_zone_end(w->zone, SLM_OK), "allocations");
        /* They are released in another order than they were allocated. */
        bench_shuffle(&w->seed, w->live, w->n);
        w->meter->resume(w->meter->data);
        bench_must(slm_zone_lock(w->zone), "lock");
        for (size_t i = 0; i < w->n; i++) {
            (void)slm_journal_free(journal, w->live[i]);
        }
        bench_must(slm_zone_end(w->zone, SLM_OK), "releases");
    }
}

static void end_frees(void *work)
{
    struct frees *w = work;
    slm_zone_detach(w->zone);
    free(w);
}

/* --- Tree and list in a transaction --- */

struct entry {
    struct slm_rbtree_node node; /* first */
    struct slm_lru_node use;
    uint64_t key;
};

/* The zone's root. */
struct head {
    struct slm_rbtree tree;
    struct slm_lru list;
};

struct table {
    struct slm_zone *zone;
    struct head *head;
    uint64_t seed;
};

static int order_of(const struct slm_rbtree_node *a, const struct slm_rbtree_node *b)
{
    uint64_t left = ((const struct entry *)a)->key;
    uint64_t right = ((const struct entry *)b)->key;
    return (left > right) - (left < right);
}

static enum slm_status add_entry(struct table *w)
{
    struct slm_journal *journal = slm_zone_journal(w->zone);
    struct entry *e = slm_journal_calloc(journal, sizeof *e);
    if (e == NULL) {
        return SLM_E_NOMEM;
    }
    e->key = bench_random(&w->seed) << 20;
    enum slm_status status = slm_rbtree_insert(journal, &w->head->tree, &e->node, order_of);
    return status != SLM_OK ? status : slm_lru_insert(journal, &w->head->list, &e->use);
}

static enum slm_status drop_oldest(struct table *w)
{
    struct slm_journal *journal = slm_zone_journal(w->zone);
    struct slm_lru_node *use = slm_lru_oldest(journal, &w->head->list);
    struct entry *e = (struct entry *)(void *)((unsigned char *)use - offsetof(struct entry, use));
    enum slm_status status = slm_rbtree_remove(journal, &w->head->tree, &e->node);
    if (status == SLM_OK) {
        status = slm_lru_remove(journal, &w->head->list, &e->use);
    }
    return status != SLM_OK ? status : slm_journal_free(journal, e);
}

static void *begin_move(const struct bench_meter *meter, size_t n)
{
    struct table *w = calloc(1, sizeof *w);
    (void)meter;
    if (w == NULL) {
        return NULL;
    }
    w->seed = 5;
    w->zone = bench_own_zone(ZONE_BYTES, 0);
    bench_must(slm_zone_lock(w->zone), "lock");
    w->head = slm_journal_calloc(slm_zone_journal(w->zone), sizeof *w->head);
    bench_must(slm_zone_end(w->zone, slm_zone_set_root_locked(w->zone, w->head)), "head");
    for (size_t i = 0; i < n; i++) {
        bench_must(slm_zone_lock(w->zone), "lock");
        bench_must(slm_zone_end(w->zone, add_entry(w)), "entry");
    }
    return w;
}

static void run_move(void *work, size_t n_ops)
{
    struct table *w = work;
    for (size_t done = 0; done < n_ops; done++) {
        bench_must(slm_zone_lock(w->zone), "lock");
        enum slm_status status = drop_oldest(w);
        status = status == SLM_OK ? add_entry(w) : status;
        bench_must(slm_zone_end(w->zone, status), "transaction");
    }
}

static void end_move(void *work)
{
    struct table *w = work;
    slm_zone_detach(w->zone);
    free(w);
}

/* --- limit_req --- */

struct limit {
    struct slm_zone *zone;
    struct slm_limit_req_rule rule;
    uint64_t now_ms;
    uint64_t seed;
    size_t n_known; /* 0: each key is new */
    uint64_t next_key;
};

static void hit(struct limit *w, uint64_t number)
{
    struct slm_limit_req_verdict verdict;
    unsigned char key[KEY_BYTES] = "client";
    uint32_t low = (uint32_t)number;
    memcpy(key + KEY_BYTES - sizeof low, &low, sizeof low);
    w->now_ms++;
    bench_must(slm_limit_req_hit(w->zone, key, KEY_BYTES, &w->rule, w->now_ms, &verdict), "hit");
}

static struct limit *begin_limit(void)
{
    struct limit *w = calloc(1, sizeof *w);
    if (w != NULL) {
        w->rule = (struct slm_limit_req_rule){RATE_MILLI, BURST_MILLI};
        w->zone = bench_own_zone(LIMIT_ZONE_BYTES, 0);
        bench_must(slm_limit_req_init(w->zone), "limit_req");
    }
    return w;
}

static void *begin_known(const struct bench_meter *meter, size_t n)
{
    struct limit *w = begin_limit();
    (void)meter;
    for (size_t i = 0; w != NULL && i < n; i++) {
        hit(w, i);
    }
    if (w != NULL) {
        w->n_known = n;
    }
    return w;
}

/* n keys more than the zone holds. */
static void *begin_new(const struct bench_meter *meter, size_t n)
{
    struct limit *w = begin_limit();
    (void)meter;
    for (size_t i = 0; w != NULL && i < n; i++) {
        hit(w, w->next_key++);
    }
    return w;
}

static void run_limit(void *work, size_t n_ops)
{
    struct limit *w = work;
    for (size_t i = 0; i < n_ops; i++) {
        hit(w, w->n_known != 0 ? bench_below(&w->seed, w->n_known) : w->next_key++);
    }
}

static void end_limit(void *work)
{
    struct limit *w = work;
    slm_zone_detach(w->zone);
    free(w);
}

const struct bench_kernel bench_own_kernels[] = {
    {"lock", begin_zone, run_lock, end_zone},
    {"zone_lock", begin_zone, run_zone_lock, end_zone},
    {"zone_alloc_free", begin_zone, run_alloc_free, end_zone},
    {"zone_frees", begin_frees, run_frees, end_frees},
    {"zone_fit", begin_fit, run_fit, end_fit},
    {"zone_move", begin_move, run_move, end_move},
    {"limit_known", begin_known, run_limit, end_limit},
    {"limit_new", begin_new, run_limit, end_limit},
    {"tree_find", bench_tree_begin, bench_tree_run_find, bench_tree_end},
    {"tree_insert", bench_tree_begin, bench_tree_run_insert, bench_tree_end},
    {"tree_delete", bench_tree_begin, bench_tree_run_delete, bench_tree_end},
    {"tree_insert_journal", bench_tree_begin_journal, bench_tree_run_insert, bench_tree_end},
    {"tree_delete_journal", bench_tree_begin_journal, bench_tree_run_delete, bench_tree_end},
    {"pool_request", bench_pool_begin_request, bench_pool_run_request, bench_pool_end},
    {"pool_many", bench_pool_begin, bench_pool_run_many, bench_pool_end},
    {"pool_strings", bench_pool_begin, bench_pool_run_strings, bench_pool_end},
    {"pool_reset", bench_pool_begin, bench_pool_run_reset, bench_pool_end},
    {NULL, NULL, NULL, NULL},
};
