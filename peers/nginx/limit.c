/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nginx's module limit_req does in a zone for each request: nginx keeps it in static functions,
 * so it is written here once more, by the same calls of nginx in the same order.
 */
#include <ngx_config.h>
#include <ngx_core.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "peers/nginx/zone.h"

#define ZONE_BYTES  ((size_t)1 << 20)
#define KEY_BYTES   12u
#define IDLE_MS     60000
#define RATE_MILLI  1000
#define BURST_MILLI 1000000

/* The fields after the key of the tree's node; `color` is that node's. */
struct bucket {
    u_char color;
    u_char unused;
    u_short key_bytes;
    ngx_queue_t queue;
    ngx_msec_t last_ms;
    ngx_uint_t excess_milli;
    u_char key[1];
};

#define NODE_BYTES offsetof(ngx_rbtree_node_t, color)

struct limit {
    ngx_slab_pool_t *slab;
    ngx_rbtree_t tree;
    ngx_rbtree_node_t sentinel;
    ngx_queue_t queue;
    ngx_msec_t now_ms;
    uint64_t seed;
    size_t n_known; /* 0: each key is new */
    uint64_t next_key;
};

static int compare(const u_char *key, const struct bucket *b)
{
    return (int)ngx_memn2cmp((u_char *)(uintptr_t)key, (u_char *)(uintptr_t)b->key, KEY_BYTES,
                             b->key_bytes);
}

static void insert_node(ngx_rbtree_node_t *at, ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t **p;
    for (;;) {
        const struct bucket *b = (const struct bucket *)&node->color;
        bool left = node->key != at->key ? node->key < at->key
                                         : compare(b->key, (const struct bucket *)&at->color) < 0;
        p = left ? &at->left : &at->right;
        if (*p == sentinel) {
            break;
        }
        at = *p;
    }
    *p = node;
    node->parent = at;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}

static struct bucket *find(struct limit *w, const u_char *key, uint32_t hash)
{
    ngx_rbtree_node_t *node = w->tree.root;
    while (node != &w->sentinel) {
        if (hash != node->key) {
            node = hash < node->key ? node->left : node->right;
            continue;
        }
        struct bucket *b = (struct bucket *)&node->color;
        int order = compare(key, b);
        if (order == 0) {
            return b;
        }
        node = order < 0 ? node->left : node->right;
    }
    return NULL;
}

/* force: the oldest goes in any case; then up to two that are idle. */
static void expire(struct limit *w, bool force)
{
    for (unsigned n = force ? 0 : 1; n < 3 && !ngx_queue_empty(&w->queue); n++) {
        ngx_queue_t *q = ngx_queue_last(&w->queue);
        struct bucket *b = ngx_queue_data(q, struct bucket, queue);
        if (n > 0) {
            ngx_msec_int_t away = ngx_abs((ngx_msec_int_t)(w->now_ms - b->last_ms));
            if (away < IDLE_MS || (ngx_msec_int_t)b->excess_milli > RATE_MILLI * away / 1000) {
                return;
            }
        }
        ngx_queue_remove(q);
        ngx_rbtree_node_t *node = (ngx_rbtree_node_t *)((u_char *)b - NODE_BYTES);
        ngx_rbtree_delete(&w->tree, node);
        ngx_slab_free_locked(w->slab, node);
    }
}

static void create(struct limit *w, const u_char *key, uint32_t hash)
{
    size_t bytes = NODE_BYTES + offsetof(struct bucket, key) + KEY_BYTES;
    expire(w, false);
    ngx_rbtree_node_t *node = ngx_slab_alloc_locked(w->slab, bytes);
    if (node == NULL) {
        expire(w, true);
        node = ngx_slab_alloc_locked(w->slab, bytes);
    }
    if (node == NULL) {
        return;
    }
    node->key = hash;
    struct bucket *b = (struct bucket *)&node->color;
    b->key_bytes = KEY_BYTES;
    b->excess_milli = 0;
    b->last_ms = w->now_ms;
    memcpy(b->key, key, KEY_BYTES);
    ngx_rbtree_insert(&w->tree, node);
    ngx_queue_insert_head(&w->queue, &b->queue);
}

static void count(struct limit *w, struct bucket *b)
{
    ngx_queue_remove(&b->queue);
    ngx_queue_insert_head(&w->queue, &b->queue);
    ngx_msec_int_t ms = (ngx_msec_int_t)(w->now_ms - b->last_ms);
    ngx_int_t excess = (ngx_int_t)b->excess_milli - RATE_MILLI * ngx_abs(ms) / 1000 + 1000;
    excess = excess < 0 ? 0 : excess;
    if (excess > BURST_MILLI) {
        return;
    }
    b->excess_milli = (ngx_uint_t)excess;
    b->last_ms = ms != 0 ? w->now_ms : b->last_ms;
}

/* One request. */
static void hit(struct limit *w, uint64_t number)
{
    u_char key[KEY_BYTES] = "client";
    memcpy(key + KEY_BYTES - sizeof(uint32_t), &(uint32_t){(uint32_t)number}, sizeof(uint32_t));
    uint32_t hash = ngx_crc32_short(key, KEY_BYTES);
    w->now_ms++;
    ngx_shmtx_lock(&w->slab->mutex);
    struct bucket *b = find(w, key, hash);
    if (b != NULL) {
        count(w, b);
    } else {
        create(w, key, hash);
    }
    ngx_shmtx_unlock(&w->slab->mutex);
}

static struct limit *begin(void)
{
    struct limit *w = calloc(1, sizeof *w);
    if (w != NULL) {
        w->slab = bench_zone_open(ZONE_BYTES);
        ngx_rbtree_init(&w->tree, &w->sentinel, insert_node);
        ngx_queue_init(&w->queue);
    }
    return w;
}

void *bench_limit_known(const struct bench_meter *meter, size_t n)
{
    struct limit *w = begin();
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
void *bench_limit_new(const struct bench_meter *meter, size_t n)
{
    struct limit *w = begin();
    (void)meter;
    for (size_t i = 0; w != NULL && i < n; i++) {
        hit(w, w->next_key++);
    }
    return w;
}

void bench_limit_run(void *work, size_t n_ops)
{
    struct limit *w = work;
    for (size_t i = 0; i < n_ops; i++) {
        hit(w, w->n_known != 0 ? bench_below(&w->seed, w->n_known) : w->next_key++);
    }
}

void bench_limit_end(void *work)
{
    struct limit *w = work;
    bench_zone_close(w->slab);
    free(w);
}
