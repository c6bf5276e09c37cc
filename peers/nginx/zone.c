/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of nginx's lock, tree and zones. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include <ngx_config.h>
#include <ngx_core.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "peers/nginx/zone.h"

#define ZONE_BYTES   ((size_t)16 << 20)
#define OBJECT_BYTES 64u
#define N_AT_ONCE    128u

/* --- Zones --- */

ngx_slab_pool_t *bench_slab_init(void *region, size_t region_bytes)
{
    ngx_slab_pool_t *slab = region;
    memset(region, 0, region_bytes);
    slab->end = (u_char *)region + region_bytes;
    slab->min_shift = 3;
    slab->addr = region;
    if (ngx_shmtx_create(&slab->mutex, &slab->lock, NULL) != NGX_OK) {
        return NULL;
    }
    ngx_slab_init(slab);
    slab->log_nomem = 0;
    return slab;
}

ngx_slab_pool_t *bench_zone_open(size_t bytes)
{
    void *region = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return region == MAP_FAILED ? NULL : bench_slab_init(region, bytes);
}

void bench_zone_close(ngx_slab_pool_t *slab)
{
    size_t bytes = (size_t)(slab->end - (u_char *)slab);
    ngx_shmtx_destroy(&slab->mutex);
    (void)munmap(slab, bytes);
}

static void *begin_zone(const struct bench_meter *meter, size_t n)
{
    (void)meter;
    (void)n;
    return bench_zone_open(ZONE_BYTES);
}

static void end_zone(void *work)
{
    bench_zone_close(work);
}

static void run_lock(void *work, size_t n_ops)
{
    ngx_slab_pool_t *slab = work;
    for (size_t i = 0; i < n_ops; i++) {
        ngx_shmtx_lock(&slab->mutex);
        ngx_shmtx_unlock(&slab->mutex);
    }
}

static void run_alloc_free(void *work, size_t n_ops)
{
    for (size_t i = 0; i < n_ops; i++) {
        ngx_slab_free(work, ngx_slab_alloc(work, OBJECT_BYTES));
    }
}

/* --- Objects of one size until the zone is full --- */

struct fit {
    struct bench_fit fit; /* first */
    ngx_slab_pool_t *slab;
    size_t bytes;
};

static void *begin_fit(const struct bench_meter *meter, size_t n)
{
    struct fit *w = calloc(1, sizeof *w);
    (void)meter;
    if (w != NULL) {
        w->slab = bench_zone_open(BENCH_FIT_ZONE_BYTES);
        w->bytes = n;
    }
    return w;
}

static void run_fit(void *work, size_t n_ops)
{
    struct fit *w = work;
    while (w->fit.n_objects < n_ops && ngx_slab_alloc(w->slab, w->bytes) != NULL) {
        w->fit.n_objects++;
    }
}

static void end_fit(void *work)
{
    struct fit *w = work;
    bench_zone_close(w->slab);
    free(w);
}

/* --- n releases under one lock --- */

struct frees {
    const struct bench_meter *meter;
    uint64_t seed;
    ngx_slab_pool_t *slab;
    size_t n;
    void *live[];
};

static void *begin_frees(const struct bench_meter *meter, size_t n)
{
    struct frees *w = calloc(1, sizeof *w + n * sizeof w->live[0]);
    if (w != NULL) {
        w->meter = meter;
        w->n = n;
        w->slab = bench_zone_open(ZONE_BYTES + n * 2 * OBJECT_BYTES);
    }
    return w;
}

static void run_frees(void *work, size_t n_ops)
{
    struct frees *w = work;
    for (size_t done = 0; done < n_ops; done += w->n) {
        w->meter->pause(w->meter->data);
        for (size_t i = 0; i < w->n; i++) {
            w->live[i] = ngx_slab_alloc(w->slab, OBJECT_BYTES);
        }
        /* They are released in another order than they were allocated. */
        bench_shuffle(&w->seed, w->live, w->n);
        w->meter->resume(w->meter->data);
        ngx_shmtx_lock(&w->slab->mutex);
        for (size_t i = 0; i < w->n; i++) {
            ngx_slab_free_locked(w->slab, w->live[i]);
        }
        ngx_shmtx_unlock(&w->slab->mutex);
    }
}

static void end_frees(void *work)
{
    struct frees *w = work;
    bench_zone_close(w->slab);
    free(w);
}

/* --- Tree and list under the lock --- */

struct entry {
    ngx_rbtree_node_t node;
    ngx_queue_t queue;
};

struct table {
    ngx_slab_pool_t *slab;
    ngx_rbtree_t *tree;
    ngx_queue_t *list;
    uint64_t seed;
    size_t n;
    struct entry *live[];
};

static void add_entry(struct table *w, size_t i)
{
    struct entry *e = ngx_slab_alloc_locked(w->slab, sizeof *e);
    e->node.key = bench_random(&w->seed) << 20 | i;
    ngx_rbtree_insert(w->tree, &e->node);
    ngx_queue_insert_head(w->list, &e->queue);
    w->live[i] = e;
}

static void *begin_move(const struct bench_meter *meter, size_t n)
{
    struct table *w = calloc(1, sizeof *w + n * sizeof w->live[0]);
    (void)meter;
    if (w == NULL) {
        return NULL;
    }
    w->n = n;
    w->seed = 5;
    w->slab = bench_zone_open(ZONE_BYTES);
    w->tree = ngx_slab_calloc(w->slab, sizeof *w->tree);
    w->list = ngx_slab_calloc(w->slab, sizeof *w->list);
    ngx_rbtree_node_t *sentinel = ngx_slab_calloc(w->slab, sizeof *sentinel);
    ngx_rbtree_init(w->tree, sentinel, ngx_rbtree_insert_value);
    ngx_queue_init(w->list);
    for (size_t i = 0; i < n; i++) {
        add_entry(w, i);
    }
    return w;
}

/* Processes may share the zone: each replaces the oldest entry. */
static void run_move(void *work, size_t n_ops)
{
    struct table *w = work;
    for (size_t done = 0; done < n_ops; done++) {
        ngx_shmtx_lock(&w->slab->mutex);
        ngx_queue_t *last = ngx_queue_last(w->list);
        struct entry *e = ngx_queue_data(last, struct entry, queue);
        ngx_rbtree_delete(w->tree, &e->node);
        ngx_queue_remove(&e->queue);
        ngx_slab_free_locked(w->slab, e);
        add_entry(w, 0);
        ngx_shmtx_unlock(&w->slab->mutex);
    }
}

static void end_move(void *work)
{
    struct table *w = work;
    bench_zone_close(w->slab);
    free(w);
}

/* --- Trees in the process's own memory --- */

struct tree {
    const struct bench_meter *meter;
    ngx_rbtree_t tree;
    ngx_rbtree_node_t sentinel;
    uint64_t seed;
    size_t n;
    size_t found;
    ngx_rbtree_node_t *nodes; /* n, and N_AT_ONCE more */
};

/* Each number has another key; keys have no order. */
static ngx_rbtree_key_t key_of(size_t i)
{
    return (ngx_rbtree_key_t)i * 0x9E3779B97F4A7C15u;
}

static void *begin_tree(const struct bench_meter *meter, size_t n)
{
    struct tree *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return NULL;
    }
    w->nodes = calloc(n + N_AT_ONCE, sizeof *w->nodes);
    w->meter = meter;
    w->n = n;
    ngx_rbtree_init(&w->tree, &w->sentinel, ngx_rbtree_insert_value);
    for (size_t i = 0; i < n; i++) {
        w->nodes[i].key = key_of(i);
        ngx_rbtree_insert(&w->tree, &w->nodes[i]);
    }
    return w;
}

static void end_tree(void *work)
{
    struct tree *w = work;
    free(w->nodes);
    free(w);
}

/* nginx has no function for this: each of its modules has such a loop. */
static ngx_rbtree_node_t *find(struct tree *w, ngx_rbtree_key_t key)
{
    ngx_rbtree_node_t *node = w->tree.root;
    while (node != &w->sentinel && node->key != key) {
        node = key < node->key ? node->left : node->right;
    }
    return node;
}

static void run_find(void *work, size_t n_ops)
{
    struct tree *w = work;
    for (size_t i = 0; i < n_ops; i++) {
        w->found += find(w, key_of(bench_below(&w->seed, w->n))) != &w->sentinel;
    }
}

static void insert_some(struct tree *w)
{
    for (size_t i = w->n; i < w->n + N_AT_ONCE; i++) {
        w->nodes[i].key = key_of(bench_random(&w->seed));
        ngx_rbtree_insert(&w->tree, &w->nodes[i]);
    }
}

static void delete_some(struct tree *w)
{
    for (size_t i = w->n; i < w->n + N_AT_ONCE; i++) {
        ngx_rbtree_delete(&w->tree, &w->nodes[i]);
    }
}

static void run_insert(void *work, size_t n_ops)
{
    struct tree *w = work;
    for (size_t done = 0; done < n_ops; done += N_AT_ONCE) {
        insert_some(w);
        w->meter->pause(w->meter->data);
        delete_some(w);
        w->meter->resume(w->meter->data);
    }
}

static void run_delete(void *work, size_t n_ops)
{
    struct tree *w = work;
    for (size_t done = 0; done < n_ops; done += N_AT_ONCE) {
        w->meter->pause(w->meter->data);
        insert_some(w);
        w->meter->resume(w->meter->data);
        delete_some(w);
    }
}

/* nginx has no journal: with and without one is the same to it. */
const struct bench_kernel slm_nginx_kernels[] = {
    {"lock", begin_zone, run_lock, end_zone},
    {"zone_lock", begin_zone, run_lock, end_zone},
    {"zone_alloc_free", begin_zone, run_alloc_free, end_zone},
    {"zone_frees", begin_frees, run_frees, end_frees},
    {"zone_fit", begin_fit, run_fit, end_fit},
    {"zone_move", begin_move, run_move, end_move},
    {"limit_known", bench_limit_known, bench_limit_run, bench_limit_end},
    {"limit_new", bench_limit_new, bench_limit_run, bench_limit_end},
    {"tree_find", begin_tree, run_find, end_tree},
    {"tree_insert", begin_tree, run_insert, end_tree},
    {"tree_delete", begin_tree, run_delete, end_tree},
    {"tree_insert_journal", begin_tree, run_insert, end_tree},
    {"tree_delete_journal", begin_tree, run_delete, end_tree},
    {"pool_request", bench_pool_begin_request, bench_pool_run_request, bench_pool_end},
    {"pool_many", bench_pool_begin, bench_pool_run_many, bench_pool_end},
    {"pool_strings", bench_pool_begin, bench_pool_run_strings, bench_pool_end},
    {"pool_reset", bench_pool_begin, bench_pool_run_reset, bench_pool_end},
    {NULL, NULL, NULL, NULL},
};
