/* SPDX-License-Identifier: Apache-2.0 */
/* nginx's lock and tree, for plugins. */
#include <ngx_config.h>
#include <ngx_core.h>

#include "peers/nginx/plugin.h"
#include "peers/nginx/zone.h"

/* --- Lock --- */

/* As in the header of a slab: the semaphore of nginx's handle must be shared too. */
struct lock {
    ngx_shmtx_sh_t shared;
    ngx_shmtx_t handle;
};

static bool lock_init(void *self)
{
    struct lock *l = self;
    ngx_memzero(l, sizeof *l);
    return ngx_shmtx_create(&l->handle, &l->shared, NULL) == NGX_OK;
}

static void lock_fini(void *self)
{
    struct lock *l = self;
    ngx_shmtx_destroy(&l->handle);
}

static void take_lock(void *self)
{
    struct lock *l = self;
    ngx_shmtx_lock(&l->handle);
}

static bool try_lock(void *self)
{
    struct lock *l = self;
    return ngx_shmtx_trylock(&l->handle) != 0;
}

static void give_lock(void *self)
{
    struct lock *l = self;
    ngx_shmtx_unlock(&l->handle);
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
    .lock_bytes = sizeof(struct lock),
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
    .kernels = slm_nginx_kernels,
};
