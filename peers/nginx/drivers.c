/* SPDX-License-Identifier: Apache-2.0 */
/* nginx's lock and tree, for plugins. */
#include <ngx_config.h>
#include <ngx_core.h>

#include "peers/nginx/plugin.h"

/* --- Lock --- */

static bool lock_init(void *lock, void *shared)
{
    ngx_memzero(lock, sizeof(ngx_shmtx_t));
    return ngx_shmtx_create(lock, shared, NULL) == NGX_OK;
}

static void lock_fini(void *lock)
{
    ngx_shmtx_destroy(lock);
}

static void take_lock(void *lock)
{
    ngx_shmtx_lock(lock);
}

static bool try_lock(void *lock)
{
    return ngx_shmtx_trylock(lock) != 0;
}

static void give_lock(void *lock)
{
    ngx_shmtx_unlock(lock);
}

static void new_process(void)
{
    ngx_pid = ngx_getpid();
}

/* --- Tree --- */

/* nginx's trees end in a sentinel of the owner. */
struct tree {
    ngx_rbtree_t tree;
    ngx_rbtree_node_t sentinel;
};

static void tree_init(void *self)
{
    struct tree *t = self;
    ngx_rbtree_init(&t->tree, &t->sentinel, ngx_rbtree_insert_value);
}

static void tree_insert(void *self, void *node, uint64_t key)
{
    struct tree *t = self;
    ((ngx_rbtree_node_t *)node)->key = key;
    ngx_rbtree_insert(&t->tree, node);
}

static void tree_delete(void *self, void *node)
{
    struct tree *t = self;
    ngx_rbtree_delete(&t->tree, node);
}

/* nginx has no function for this: each of its modules has such a loop. */
static void *tree_find(void *self, uint64_t key)
{
    struct tree *t = self;
    ngx_rbtree_node_t *node = t->tree.root;
    while (node != &t->sentinel && node->key != key) {
        node = key < node->key ? node->left : node->right;
    }
    return node == &t->sentinel ? NULL : node;
}

static void *tree_next(void *self, void *node)
{
    struct tree *t = self;
    return ngx_rbtree_next(&t->tree, node);
}

const struct slm_nginx_drivers slm_nginx_drivers = {
    .lock_bytes = sizeof(ngx_shmtx_t),
    .lock_shared_bytes = sizeof(ngx_shmtx_sh_t),
    .lock_init = lock_init,
    .lock_fini = lock_fini,
    .lock = take_lock,
    .trylock = try_lock,
    .unlock = give_lock,
    .new_process = new_process,
    .tree_bytes = sizeof(struct tree),
    .node_bytes = sizeof(ngx_rbtree_node_t),
    .tree_init = tree_init,
    .tree_insert = tree_insert,
    .tree_delete = tree_delete,
    .tree_find = tree_find,
    .tree_next = tree_next,
};
