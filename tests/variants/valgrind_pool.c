/* SPDX-License-Identifier: Apache-2.0 */
/* What Valgrind must see of a pool, one misuse per run; valgrind_pool_test.sh compares. */
#include <string.h>

#include <slabmill/pool.h>

static volatile int n_seen;

/* A use that the compiler cannot drop and that Valgrind judges: a jump on the value. */
static int use(const volatile unsigned char *p)
{
    if (*p == 0x5A) {
        n_seen = n_seen + 1;
    }
    return 1;
}

static void ignore(void *data)
{
    (void)data;
}

/* Every operation, used as it should be. */
static int live_well(struct slm_pool *pool)
{
    struct slm_pool_reuse list;
    int n = slm_pool_reuse_init(&list, pool, 40) == SLM_OK;
    for (size_t i = 1; i < 3000; i++) {
        unsigned char *p = slm_pool_alloc(pool, i % 300 + 1);
        unsigned char *q = slm_pool_alloc_packed(pool, i % 7 + 1);
        unsigned char *z = slm_pool_calloc(pool, i % 90 + 1);
        unsigned char *a = slm_pool_memalign(pool, 64, i % 40 + 1);
        unsigned char *l = slm_pool_alloc(pool, 5000);
        unsigned char *r = slm_pool_reuse_get(&list);
        memset(p, 1, i % 300 + 1);
        p[0] = q[0] = a[0] = l[4999] = r[39] = 0x5A;
        n += use(p) + use(q) + use(a) + use(l + 4999) + use(r + 39) + use(z);
        n += slm_pool_free(pool, l) == SLM_OK;
        n += slm_pool_reuse_put(&list, r) == SLM_OK;
        if (i % 500 == 0) {
            n += slm_pool_cleanup_add(pool, ignore, NULL, 0, NULL) == SLM_OK;
            n += slm_pool_reset(pool) == SLM_OK;
            n += slm_pool_reuse_init(&list, pool, 40) == SLM_OK;
        }
    }
    unsigned char *p = slm_pool_calloc(pool, 100);
    n += slm_pool_extend(pool, p, 100, 20) == SLM_OK;
    n += use(p + 19);
    return n + (slm_pool_give_back(pool, p, 20) == SLM_OK);
}

static int use_after_reset(struct slm_pool *pool)
{
    unsigned char *p = slm_pool_calloc(pool, 100);
    (void)slm_pool_reset(pool);
    return use(p);
}

static int read_past_object(struct slm_pool *pool)
{
    unsigned char *p = slm_pool_calloc(pool, 13);
    (void)slm_pool_calloc(pool, 13);
    return use(p + 13);
}

static int use_undefined(struct slm_pool *pool)
{
    memset(slm_pool_alloc(pool, 100), 0x5A, 100);
    (void)slm_pool_reset(pool);
    return use(slm_pool_alloc(pool, 100));
}

static int use_after_put(struct slm_pool *pool)
{
    struct slm_pool_reuse list;
    (void)slm_pool_reuse_init(&list, pool, 40);
    unsigned char *p = slm_pool_reuse_get(&list);
    p[5] = 0;
    (void)slm_pool_reuse_put(&list, p);
    return use(p + 5);
}

static const struct {
    const char *name;
    int (*run)(struct slm_pool *pool);
} deeds[] = {
    {"live_well", live_well},
    {"use_after_reset", use_after_reset},
    {"read_past_object", read_past_object},
    {"use_undefined", use_undefined},
    {"use_after_put", use_after_put},
};

int main(int argc, char **argv)
{
    struct slm_pool *pool = NULL;
    if (argc != 2 || slm_pool_create(&pool, 4096, NULL, 0) != SLM_OK) {
        return 2;
    }
    int result = -1;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        if (strcmp(deeds[i].name, argv[1]) == 0) {
            result = deeds[i].run(pool);
        }
    }
    (void)slm_pool_destroy(pool);
    return result < 0 ? 2 : 0;
}
