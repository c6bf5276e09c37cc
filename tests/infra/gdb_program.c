/* SPDX-License-Identifier: Apache-2.0 */
/* Handles in known states, for a debugger that stops in look_here. */
#include <slabmill/pool.h>
#include <slabmill/zone.h>

static volatile int n_looks;

static void look_here(struct slm_pool *pool, struct slm_zone *zone, struct slm_slab *slab,
                      struct slm_lock *lock)
{
    n_looks += pool != NULL && zone != NULL && slab != NULL && lock != NULL;
}

static void ignore(void *data)
{
    (void)data;
}

int main(void)
{
    struct slm_pool *pool;
    struct slm_zone *zone;
    struct slm_zone_options options = {.name = "looked_at", .bytes = 1 << 20, .max_bytes = 2 << 20};
    if (slm_pool_create(&pool, 1024, NULL, 0) != SLM_OK ||
        slm_zone_create(&zone, &options, NULL) != SLM_OK) {
        return 1;
    }
    if (slm_pool_alloc(pool, 100000) == NULL ||
        slm_pool_cleanup_add(pool, ignore, NULL, 0, NULL) != SLM_OK ||
        slm_zone_alloc(zone, 100, NULL) == NULL || slm_zone_alloc(zone, 100, NULL) == NULL) {
        return 1;
    }
    look_here(pool, zone, slm_zone_slab(zone), slm_zone_lock_handle(zone));
    if (slm_zone_lock(zone) != SLM_OK) {
        return 1;
    }
    look_here(pool, zone, slm_zone_slab(zone), slm_zone_lock_handle(zone));
    slm_zone_unlock(zone);
    slm_zone_detach(zone);
    return slm_pool_destroy(pool) == SLM_OK && n_looks == 2 ? 0 : 1;
}
