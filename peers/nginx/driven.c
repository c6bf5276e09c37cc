/* SPDX-License-Identifier: Apache-2.0 */
/* Tries the module's drivers: nginx's lock between two processes, and its tree against an array. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peers/nginx/plugin.h"

#define N_TURNS         100000u
#define N_NODES         1000u
#define TIMEOUT_SECONDS 60u

__attribute__((visibility("default"))) int
slm_nginx_plugin(int argc, char **argv, const struct slm_nginx_drivers *drivers);

/* Ends the program. */
static void expect(bool is_so, const char *what)
{
    if (!is_so) {
        printf("not so: %s\n", what);
        exit(1);
    }
}

/* --- The lock --- */

static void add_turns(const struct slm_nginx_drivers *nginx, void *lock, volatile unsigned *count)
{
    for (unsigned i = 0; i < N_TURNS; i++) {
        nginx->lock(lock);
        *count = *count + 1;
        nginx->unlock(lock);
    }
}

static void try_lock(const struct slm_nginx_drivers *nginx)
{
    unsigned char *lock =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    expect(lock != MAP_FAILED && nginx->lock_bytes <= 2048, "memory");
    unsigned *count = (unsigned *)(void *)(lock + 2048);
    expect(nginx->lock_init(lock), "the lock is made");
    pid_t child = fork();
    if (child == 0) {
        nginx->new_process();
        add_turns(nginx, lock, count);
        _exit(0);
    }
    add_turns(nginx, lock, count);
    int status = -1;
    expect(child > 0 && waitpid(child, &status, 0) == child && status == 0, "the child ends");
    expect(*count == 2 * N_TURNS, "each process counts alone");
    expect(nginx->trylock(lock) && !nginx->trylock(lock), "a held lock is not given out");
    nginx->unlock(lock);
    nginx->lock_fini(lock);
    (void)munmap(lock, 4096);
}

/* --- The tree --- */

/* All numbers below N_NODES, in an order without a pattern. */
static uint64_t key_of(size_t i)
{
    return i * 7919u % N_NODES;
}

static size_t count_in_order(const struct slm_nginx_drivers *nginx, void *tree, void *first)
{
    size_t n = 0;
    for (void *node = first; node != NULL; node = nginx->tree_next(tree, node)) {
        n++;
    }
    return n;
}

static void try_tree(const struct slm_nginx_drivers *nginx)
{
    void *tree = malloc(nginx->tree_bytes);
    unsigned char *nodes = calloc(N_NODES, nginx->node_bytes);
    expect(tree != NULL && nodes != NULL, "memory");
    nginx->tree_init(tree);
    for (size_t i = 0; i < N_NODES; i++) {
        nginx->tree_insert(tree, nodes + i * nginx->node_bytes, key_of(i));
    }
    for (size_t i = 0; i < N_NODES; i++) {
        expect(nginx->tree_find(tree, key_of(i)) == nodes + i * nginx->node_bytes, "it is found");
    }
    expect(count_in_order(nginx, tree, nginx->tree_find(tree, 0)) == N_NODES, "all are in order");
    for (size_t i = 0; i < N_NODES; i += 2) {
        nginx->tree_delete(tree, nodes + i * nginx->node_bytes);
    }
    for (size_t i = 0; i < N_NODES; i++) {
        expect((nginx->tree_find(tree, key_of(i)) != NULL) == (i % 2 == 1), "half are deleted");
    }
    free(nodes);
    free(tree);
}

int slm_nginx_plugin(int argc, char **argv, const struct slm_nginx_drivers *drivers)
{
    (void)argc;
    (void)argv;
    (void)alarm(TIMEOUT_SECONDS); /* a wake that is lost ends the program */
    try_lock(drivers);
    try_tree(drivers);
    puts("nginx's lock and tree are driven");
    return 0;
}
