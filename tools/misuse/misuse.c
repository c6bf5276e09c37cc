/* SPDX-License-Identifier: Apache-2.0 */
/* Makes one mistake in the use of pools, slabs or zones, and prints what the library says. table.py
 * runs it with each tool, and docs/debugging.md shows what the tools print.
 * Usage: misuse NUMBER | misuse FUNCTION | misuse list */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <slabmill/pool.h>
#include <slabmill/slab.h>
#include <slabmill/zone.h>

#define LARGE_BYTES 10000u
#define SMALL_BYTES 24u

static struct slm_pool *pool;
static struct slm_slab *slab;
static struct slm_zone *zone;
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

static void open_zone(void)
{
    const struct slm_zone_options options = {.name = "misused", .bytes = 1 << 20};
    if (slm_zone_create(&zone, &options, NULL) != SLM_OK) {
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

/* --- Zones --- */

static void zone_free_twice(void)
{
    open_zone();
    void *p = slm_zone_alloc(zone, SMALL_BYTES, NULL);
    say(slm_zone_free(zone, p));
    say(slm_zone_free(zone, p));
}

static void zone_write_past(void)
{
    open_zone();
    volatile char *p = slm_zone_alloc(zone, SMALL_BYTES, NULL);
    p[SMALL_BYTES] = 1;
}

static void zone_read_after_free(void)
{
    open_zone();
    unsigned char *p = slm_zone_calloc(zone, SMALL_BYTES, NULL);
    say(slm_zone_free(zone, p));
    read_byte(p);
}

static void zone_store_unlocked(void)
{
    open_zone();
    volatile uint64_t *p = slm_zone_calloc(zone, SMALL_BYTES, NULL);
    *p = 5;
}

/* Without the check the journal notes the old value, and no turn commits the new one. */
static void zone_note_unlocked(void)
{
    open_zone();
    uint64_t *p = slm_zone_calloc(zone, SMALL_BYTES, NULL);
    say(slm_journal_write(slm_zone_journal(zone), p, 5));
    uint64_t written = *p;
    if (slm_zone_lock(zone) == SLM_OK) {
        if (*p != written) {
            puts("undone");
        }
        say(slm_zone_end(zone, SLM_OK));
    }
}

/* --- All --- */

#define MISTAKE(function, text)                                                                    \
    {                                                                                              \
        text, #function, function                                                                  \
    }

static const struct {
    const char *text;
    const char *name;
    void (*make)(void);
} mistakes[] = {
    MISTAKE(free_twice, "pool: a large object is freed twice"),
    MISTAKE(free_inside, "pool: a pointer inside a large object is freed"),
    MISTAKE(free_of_another, "pool: an object of another pool is freed"),
    MISTAKE(write_past, "pool: the byte after an object is written"),
    MISTAKE(read_after_reset, "pool: a large object is read after a reset"),
    MISTAKE(read_before_write, "pool: an object is read before it is written"),
    MISTAKE(destroy_by_handler, "pool: a handler destroys its own pool"),
    MISTAKE(put_twice, "pool: an object is put on its reuse list twice"),
    MISTAKE(slab_free_twice, "slab: an object is freed twice"),
    MISTAKE(slab_free_inside, "slab: a pointer inside an object is freed"),
    MISTAKE(slab_free_of_stack, "slab: a local variable is freed"),
    MISTAKE(slab_write_past, "slab: the byte after an object is written"),
    MISTAKE(slab_read_after_free, "slab: an object is read after it was freed"),
    MISTAKE(slab_read_before_write, "slab: an object is read before it is written"),
    MISTAKE(slab_from_two_threads, "slab: two threads use a view without a lock"),
    MISTAKE(zone_free_twice, "zone: an object is freed twice"),
    MISTAKE(zone_write_past, "zone: the byte after an object is written"),
    MISTAKE(zone_read_after_free, "zone: an object is read after it was freed"),
    MISTAKE(zone_store_unlocked, "zone: an object is written outside a turn"),
    MISTAKE(zone_note_unlocked, "zone: its journal is called outside a turn"),
};
#define N_MISTAKES (sizeof mistakes / sizeof mistakes[0])

/* The mistake of a number or of a function's name; N_MISTAKES: none. */
static size_t find_mistake(const char *word)
{
    for (size_t i = 0; i < N_MISTAKES; i++) {
        if (strcmp(mistakes[i].name, word) == 0) {
            return i;
        }
    }
    char *end;
    size_t number = strtoul(word, &end, 10);
    return end != word && *end == '\0' && number < N_MISTAKES ? number : N_MISTAKES;
}

int main(int argc, char **argv)
{
    size_t number = argc == 2 ? find_mistake(argv[1]) : N_MISTAKES;
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
    slm_zone_detach(zone);
    slm_slab_detach(slab);
    say(slm_pool_destroy(pool));
    return 0;
}
