/* SPDX-License-Identifier: Apache-2.0 */
/* Makes one mistake in the use of pools or slabs, and prints what the library says: table.py runs it
 * with each tool. Usage: misuse NUMBER | misuse list */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <slabmill/pool.h>
#include <slabmill/slab.h>

#define LARGE_BYTES 10000u
#define SMALL_BYTES 24u

static struct slm_pool *pool;
static struct slm_slab *slab;
static _Alignas(SLM_SLAB_REGION_ALIGN) unsigned char region[64 * 4096];

/* SLM_OK and SLM_UNCHANGED do not name a mistake. */
static void say(enum slm_status status)
{
    if (status != SLM_OK && status != SLM_UNCHANGED) {
        puts(slm_status_name(status));
    }
}

static void open_slab(void)
{
    const struct slm_slab_options options = {.gap_bytes = 8};
    const struct slm_slab_view view = {.exclusive = true};
    if (slm_slab_init(region, sizeof region, &options) != SLM_OK ||
        slm_slab_attach(&slab, region, sizeof region, &view) != SLM_OK) {
        abort();
    }
}

static void read_byte(const volatile unsigned char *p)
{
    if (*p == 0xfd) {
        puts("reads 0xfd");
    }
}

/* --- Pools --- */

static void free_twice(void)
{
    void *p = slm_pool_alloc(pool, LARGE_BYTES);
    say(slm_pool_free(pool, p));
    say(slm_pool_free(pool, p));
}

static void free_inside(void)
{
    char *p = slm_pool_alloc(pool, LARGE_BYTES);
    say(slm_pool_free(pool, p + 16));
}

static void free_of_another(void)
{
    struct slm_pool *other;
    if (slm_pool_create(&other, 4096, NULL, 0) == SLM_OK) {
        say(slm_pool_free(pool, slm_pool_alloc(other, LARGE_BYTES)));
        say(slm_pool_destroy(other));
    }
}

static void write_past(void)
{
    volatile char *p = slm_pool_alloc(pool, SMALL_BYTES);
    p[SMALL_BYTES] = 1;
}

static void read_after_reset(void)
{
    unsigned char *p = slm_pool_alloc(pool, LARGE_BYTES);
    p[0] = 1;
    say(slm_pool_reset(pool));
    read_byte(p);
}

static void read_before_write(void)
{
    read_byte(slm_pool_alloc(pool, SMALL_BYTES));
}

static void destroy_pool(void *data)
{
    say(slm_pool_destroy(data));
}

static void destroy_by_handler(void)
{
    say(slm_pool_cleanup_add(pool, destroy_pool, pool, 0, NULL));
    say(slm_pool_reset(pool));
}

static void put_twice(void)
{
    struct slm_pool_reuse list;
    say(slm_pool_reuse_init(&list, pool, 64));
    void *p = slm_pool_reuse_get(&list);
    say(slm_pool_reuse_put(&list, p));
    say(slm_pool_reuse_put(&list, p));
}

/* --- Slabs --- */

static void slab_free_twice(void)
{
    void *p = slm_slab_alloc(slab, SMALL_BYTES);
    say(slm_slab_free(slab, p));
    say(slm_slab_free(slab, p));
}

static void slab_free_inside(void)
{
    char *p = slm_slab_alloc(slab, SMALL_BYTES);
    say(slm_slab_free(slab, p + 8));
}

static void slab_free_of_stack(void)
{
    int local = 0;
    say(slm_slab_free(slab, &local));
}

static void slab_write_past(void)
{
    volatile char *p = slm_slab_alloc(slab, SMALL_BYTES);
    p[SMALL_BYTES] = 1;
}

static void slab_read_after_free(void)
{
    unsigned char *p = slm_slab_alloc(slab, SMALL_BYTES);
    memset(p, 1, SMALL_BYTES);
    say(slm_slab_free(slab, p));
    read_byte(p + 8);
}

static void slab_read_before_write(void)
{
    read_byte(slm_slab_alloc(slab, SMALL_BYTES));
}

static int has_allocated;

static void *allocate(void *unused)
{
    (void)unused;
    (void)slm_slab_alloc(slab, SMALL_BYTES);
    __atomic_store_n(&has_allocated, 1, __ATOMIC_RELAXED);
    return NULL;
}

/* One after the other, so that nothing breaks; but nothing orders them. */
static void slab_from_two_threads(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, allocate, NULL) != 0) {
        abort();
    }
    while (__atomic_load_n(&has_allocated, __ATOMIC_RELAXED) == 0) {
        (void)sched_yield();
    }
    (void)slm_slab_alloc(slab, SMALL_BYTES);
    (void)pthread_join(thread, NULL);
}

/* --- All --- */

static const struct {
    const char *text;
    void (*make)(void);
} mistakes[] = {
    {"pool: a large object is freed twice", free_twice},
    {"pool: a pointer inside a large object is freed", free_inside},
    {"pool: an object of another pool is freed", free_of_another},
    {"pool: the byte after an object is written", write_past},
    {"pool: a large object is read after a reset", read_after_reset},
    {"pool: an object is read before it is written", read_before_write},
    {"pool: a handler destroys its own pool", destroy_by_handler},
    {"pool: an object is put on its reuse list twice", put_twice},
    {"slab: an object is freed twice", slab_free_twice},
    {"slab: a pointer inside an object is freed", slab_free_inside},
    {"slab: a local variable is freed", slab_free_of_stack},
    {"slab: the byte after an object is written", slab_write_past},
    {"slab: an object is read after it was freed", slab_read_after_free},
    {"slab: an object is read before it is written", slab_read_before_write},
    {"slab: two threads use a view without a lock", slab_from_two_threads},
};
#define N_MISTAKES (sizeof mistakes / sizeof mistakes[0])

int main(int argc, char **argv)
{
    size_t number = argc == 2 ? strtoul(argv[1], NULL, 10) : N_MISTAKES;
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        for (size_t i = 0; i < N_MISTAKES; i++) {
            puts(mistakes[i].text);
        }
        return 0;
    }
    if (number >= N_MISTAKES || slm_pool_create(&pool, 4096, NULL, 0) != SLM_OK) {
        return 2;
    }
    open_slab();
    mistakes[number].make();
    slm_slab_detach(slab);
    say(slm_pool_destroy(pool));
    return 0;
}
