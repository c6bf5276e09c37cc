/* SPDX-License-Identifier: Apache-2.0 */
/* Between the nginx module and the plugins that it runs in the process of nginx. */
#ifndef PEERS_NGINX_PLUGIN_H
#define PEERS_NGINX_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/kernel/kernel.h"

/*
 * Model    nginx.conf says `slabmill PLUGIN.so ARGUMENT...;`. When nginx has read its configuration,
 *          the module loads the plugin, calls its function slm_nginx_plugin with the arguments
 *          (argv[0] is the plugin), and ends the process with the status that it returns. nginx
 *          has not forked, serves nothing, and logs nothing.
 *          The module is also a plugin of the mill: its adapters drive nginx's own pool and slab.
 * Safety   One thread. The plugin may fork.
 */

/* nginx's own lock and tree. */
struct slm_nginx_drivers {
    /* A lock is in memory that its processes share, at one address in all of them. It has a
     * semaphore in it, as nginx has it in zones. */
    size_t lock_bytes;
    bool (*lock_init)(void *lock);
    void (*lock_fini)(void *lock);
    void (*lock)(void *lock);
    bool (*trylock)(void *lock);
    void (*unlock)(void *lock);
    /* For a child after fork: the lock records owners by nginx's variable ngx_pid. */
    void (*new_process)(void);

    /* A tree of nodes that the caller owns, ordered by key. Several nodes may have one key. */
    size_t tree_bytes;
    size_t node_bytes;
    void (*tree_init)(void *tree);
    void (*tree_insert)(void *tree, void *node, uint64_t key);
    void (*tree_delete)(void *tree, void *node);
    void *(*tree_find)(void *tree, uint64_t key); /* NULL: none */
    void *(*tree_next)(void *tree, void *node);   /* in order; NULL: it is the last */

    /* For measurements: the same work as loops. Ends with a kernel without a name. */
    const struct bench_kernel *kernels;
};

/* What a plugin exports. */
typedef int slm_nginx_plugin_fn(int argc, char **argv, const struct slm_nginx_drivers *drivers);
#define SLM_NGINX_PLUGIN "slm_nginx_plugin"

/* Of the module (drivers.c). */
extern const struct slm_nginx_drivers slm_nginx_drivers;

#endif
