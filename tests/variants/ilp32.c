/* SPDX-License-Identifier: Apache-2.0 */
/* Pool and slab where size_t may have 32 bits: what ilp32_test compiles and runs. It prints
 * the first broken promise, and ends with status 1. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#endif
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <slabmill/pool.h>
#include <slabmill/slab.h>

#define N_OBJECTS 1000u

struct object {
    unsigned char *p; /* NULL: none */
    size_t n_bytes;
    unsigned char tag;
};

static struct object objects[N_OBJECTS];
static uint32_t state = 1;
static unsigned long n_ops;

/* xorshift32 (Marsaglia, 2003). */
static uint32_t draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % below;
}

static void require(int good, const char *claim)
{
    if (!good) {
        printf("ilp32: after %lu operations: not so: %s\n", n_ops, claim);
        exit(1);
    }
}

static void forget_objects(void)
{
    memset(objects, 0, sizeof objects);
}

static void adopt(struct object *object, unsigned char *p, size_t n_bytes)
{
    *object = (struct object){p, n_bytes, (unsigned char)draw(256)};
    if (p != NULL) {
        memset(p, object->tag, n_bytes);
    }
}

static void require_contents(const struct object *object)
{
    for (size_t i = 0; i < object->n_bytes; i++) {
        require(object->p[i] == object->tag, "contents are kept");
    }
}

/* --- Slab --- */

static void use_slab(struct slm_slab *slab, unsigned n)
{
    forget_objects();
    for (unsigned i = 0; i < n; i++, n_ops++) {
        struct object *object = &objects[draw(N_OBJECTS)];
        if (object->p != NULL) {
            require_contents(object);
            require(slm_slab_free(slab, object->p) == SLM_OK, "a live object can be freed");
            object->p = NULL;
            continue;
        }
        size_t n_bytes = draw(1u << draw(15));
        size_t align_bytes = (size_t)1 << draw(13);
        unsigned char *p = slm_slab_memalign(slab, align_bytes, n_bytes);
        require((uintptr_t)p % align_bytes == 0, "memalign aligns");
        adopt(object, p, n_bytes);
        require(i % 256 != 0 || slm_slab_check(slab) == 0, "the slab's invariants hold");
    }
}

static void *map(size_t n_bytes)
{
    void *region = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require(region != MAP_FAILED, "there is memory for a region");
    return region;
}

static struct slm_slab *open_slab(void *region, size_t region_bytes,
                                  const struct slm_slab_options *options)
{
    struct slm_slab *slab;
    require(slm_slab_init(region, region_bytes, options) == SLM_OK, "a region is formatted");
    require(slm_slab_attach(&slab, region, region_bytes, NULL) == SLM_OK, "a slab is attached");
    return slab;
}

static void require_no_huge(struct slm_slab *slab)
{
    for (size_t below = 0; below < 70000; below += below < 200 ? 1 : 997) {
        require(slm_slab_alloc(slab, SIZE_MAX - below) == NULL, "no slab serves about SIZE_MAX");
        require(slm_slab_class_of(slab, SIZE_MAX - below) == -1, "nor has a class for it");
    }
    require(slm_slab_check(slab) == 0, "refusals change nothing");
}

static void try_slabs(void)
{
    for (size_t page_bytes = 4096; page_bytes <= 65536; page_bytes *= 4) {
        for (unsigned per_doubling = 1; per_doubling <= 16; per_doubling *= 2) {
            size_t region_bytes = 64 * page_bytes;
            void *region = map(region_bytes);
            struct slm_slab_options options = {
                .page_bytes = page_bytes, .per_doubling = per_doubling, .gap_bytes = 16};
            struct slm_slab *slab = open_slab(region, region_bytes, &options);
            require_no_huge(slab);
            use_slab(slab, 5000);
            require(slm_slab_rebuild_locked(slab) == SLM_OK, "a slab can be rebuilt");
            require(slm_slab_check(slab) == 0, "and is sound then");
            slm_slab_detach(slab);
            (void)munmap(region, region_bytes);
        }
    }
}

/* Tables for all that 32 bits can count: sizes pass every bound but that of the pages there are. */
static void try_slab_that_may_grow_to_the_limit(void)
{
    size_t region_bytes = (size_t)160 << 20;
    void *region = map(region_bytes);
    struct slm_slab_options options = {.gap_bytes = 64, .max_bytes = UINT32_MAX};
    struct slm_slab *slab = open_slab(region, region_bytes, &options);
    require_no_huge(slab);
    slm_slab_detach(slab);
    (void)munmap(region, region_bytes);
}

/* --- Pool --- */

static void require_no_huge_object(struct slm_pool *pool)
{
    size_t half = (size_t)1 << sizeof(size_t) * 4;
    for (size_t below = 0; below < 200; below++) {
        require(slm_pool_alloc(pool, SIZE_MAX - below) == NULL, "no pool serves about SIZE_MAX");
        require(slm_pool_alloc_packed(pool, SIZE_MAX - below) == NULL, "nor packed");
        require(slm_pool_memalign(pool, SLM_POOL_ALIGN_MAX, SIZE_MAX - below) == NULL,
                "nor aligned");
    }
    require(slm_pool_calloc_array(pool, half, half) == NULL, "no product that wraps is served");
}

static unsigned char *take(struct slm_pool *pool, size_t n_bytes)
{
    switch (draw(3)) {
    case 0:
        return slm_pool_alloc(pool, n_bytes);
    case 1:
        return slm_pool_alloc_packed(pool, n_bytes);
    default:
        return slm_pool_memalign(pool, (size_t)1 << draw(13), n_bytes);
    }
}

static void use_pool(struct slm_pool *pool, unsigned n)
{
    forget_objects();
    for (unsigned i = 0; i < n; i++, n_ops++) {
        struct object *object = &objects[draw(N_OBJECTS)];
        if (object->p == NULL) {
            size_t n_bytes = draw(1u << draw(14));
            adopt(object, take(pool, n_bytes), n_bytes);
            require(object->p != NULL, "the heap serves a pool");
        } else {
            require_contents(object);
            enum slm_status status = slm_pool_free(pool, object->p);
            require(status == SLM_OK || status == SLM_UNCHANGED, "a live object is known");
            object->p = NULL;
        }
        require(i % 256 != 0 || slm_pool_check(pool) == 0, "the pool's invariants hold");
    }
}

static void try_pools(void)
{
    for (size_t block_bytes = 1; block_bytes < 9000; block_bytes += 421) {
        struct slm_pool *pool;
        require(slm_pool_create(&pool, block_bytes, NULL, 0) == SLM_OK, "a pool is made");
        require_no_huge_object(pool);
        use_pool(pool, 1500);
        require(slm_pool_reset(pool) == SLM_OK, "a pool can be reset");
        use_pool(pool, 1500);
        require(slm_pool_destroy(pool) == SLM_OK, "a pool can be destroyed");
    }
}

int main(void)
{
    try_slabs();
    try_slab_that_may_grow_to_the_limit();
    try_pools();
    printf("ilp32: %lu operations with pointers of %zu bits, every promise kept\n", n_ops,
           sizeof(void *) * 8);
    return 0;
}
