/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This library's pool and slab as adapters without any checks of their own, and two limits: a bare
 * bump of a pointer, and the C heap, which is the source of every pool here.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include <stdlib.h>
#include <sys/mman.h>

#include <slabmill/adapter.h>
#include <slabmill/lock.h>
#include <slabmill/pool.h>
#include <slabmill/slab.h>

static enum slm_adapter_answer answer_of(enum slm_status status)
{
    return status == SLM_OK          ? SLM_ADAPTER_OK
           : status == SLM_UNCHANGED ? SLM_ADAPTER_UNCHANGED
                                     : SLM_ADAPTER_BAD;
}

/* --- Slab. `self` is the view: an arena around it would cost a load in each call. --- */

static struct slm_lock *slab_lock;
static struct slm_lock_state *slab_lock_state;

static void *create_slab(const struct slm_adapter_env *env, unsigned per_doubling,
                         const struct slm_slab_view *view)
{
    struct slm_slab_options options = {.per_doubling = per_doubling};
    struct slm_slab *slab = NULL;
    if (slm_slab_init(env->region, env->region_bytes, &options) != SLM_OK) {
        return NULL;
    }
    (void)slm_slab_attach(&slab, env->region, env->region_bytes, view);
    return slab;
}

/* The lock's state has a page of its own that processes share. */
static void *create_locked(const struct slm_adapter_env *env)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct slm_lock_options options = {.kind = SLM_LOCK_ROBUST};
    if (page == MAP_FAILED) {
        return NULL;
    }
    slab_lock_state = page;
    if (slm_lock_init(slab_lock_state, SLM_LOCK_ROBUST) != SLM_OK ||
        slm_lock_attach(&slab_lock, slab_lock_state, &options, NULL) != SLM_OK) {
        return NULL;
    }
    struct slm_slab_view view = {.shared_lock = slab_lock};
    return create_slab(env, 1, &view);
}

static void destroy_locked(void *self)
{
    slm_slab_detach(self);
    slm_lock_detach(slab_lock);
    (void)munmap(slab_lock_state, 4096);
}

static void *create_powers(const struct slm_adapter_env *env)
{
    return create_slab(env, 1, NULL);
}

static void *create_fine(const struct slm_adapter_env *env)
{
    return create_slab(env, 8, NULL);
}

static void *create_fine_16(const struct slm_adapter_env *env)
{
    return create_slab(env, 16, NULL);
}

static void destroy_slab(void *self)
{
    slm_slab_detach(self);
}

static void *slab_alloc(void *self, size_t size_bytes)
{
    return slm_slab_alloc(self, size_bytes);
}

static enum slm_adapter_answer slab_free(void *self, void *p, size_t size_bytes)
{
    (void)size_bytes;
    return answer_of(slm_slab_free(self, p));
}

static void *slab_alloc_locked(void *self, size_t size_bytes)
{
    return slm_slab_alloc_locked(self, size_bytes);
}

static enum slm_adapter_answer slab_free_locked(void *self, void *p, size_t size_bytes)
{
    (void)size_bytes;
    return answer_of(slm_slab_free_locked(self, p));
}

#define SLAB .align_bytes = 8, .memory = SLM_ADAPTER_REGION, .region_min_bytes = 65536
#define SLAB_LOCKED                                                                                \
    SLAB, .destroy = destroy_slab, .alloc = slab_alloc_locked, .free = slab_free_locked

/* With its lock, as zones have it. One at a time: its lock is a static variable. */
SLM_ADAPTER(own_slab) = {SLAB,
                         .create = create_locked,
                         .destroy = destroy_locked,
                         .alloc = slab_alloc,
                         .free = slab_free,
                         .one_arena = true};
/* The caller holds the lock. */
SLM_ADAPTER(own_slab_nl) = {SLAB_LOCKED, .create = create_powers};
SLM_ADAPTER(own_slab_fine) = {SLAB_LOCKED, .create = create_fine};
SLM_ADAPTER(own_slab_fine_16) = {SLAB_LOCKED, .create = create_fine_16};

/* --- Pool --- */

static void *create_pool(const struct slm_adapter_env *env)
{
    struct slm_pool *pool = NULL;
    (void)slm_pool_create(&pool, env->pool_shape->block_bytes, slm_source_heap(), 0);
    return pool;
}

static void destroy_pool(void *self)
{
    (void)slm_pool_destroy(self);
}

static void reset_pool(void *self)
{
    (void)slm_pool_reset(self);
}

static void *pool_alloc(void *self, size_t size_bytes)
{
    return slm_pool_alloc(self, size_bytes);
}

static void *pool_alloc_packed(void *self, size_t size_bytes)
{
    return slm_pool_alloc_packed(self, size_bytes);
}

static enum slm_adapter_answer pool_free(void *self, void *p, size_t size_bytes)
{
    (void)size_bytes;
    return answer_of(slm_pool_free(self, p));
}

static size_t count_records(void *self)
{
    struct slm_pool_stats stats = {0};
    slm_pool_get_stats(self, &stats);
    return stats.n_records;
}

static const struct slm_adapter_checks pool_checks = {.walk_size = count_records};
static const struct slm_adapter_pool pool_more = {.alloc_packed = pool_alloc_packed,
                                                  .packed_align_bytes = 1};

SLM_ADAPTER(own_pool) = {.create = create_pool,
                         .destroy = destroy_pool,
                         .reset = reset_pool,
                         .alloc = pool_alloc,
                         .free = pool_free,
                         .memory = SLM_ADAPTER_SOURCE,
                         .checks = &pool_checks,
                         .pool = &pool_more};

/* --- The limits --- */

#define BUMP_BYTES ((size_t)96 << 20)

struct bump {
    unsigned char *next;
    unsigned char *end;
};

static _Alignas(16) unsigned char bump_memory[BUMP_BYTES];
static struct bump bump;

static void reset_bump(void *self)
{
    struct bump *b = self;
    *b = (struct bump){bump_memory, bump_memory + BUMP_BYTES};
}

static void *create_bump(const struct slm_adapter_env *env)
{
    (void)env;
    reset_bump(&bump);
    return &bump;
}

static void *bump_alloc(void *self, size_t size_bytes)
{
    struct bump *b = self;
    size_t n = (size_bytes + 15) & ~(size_t)15;
    unsigned char *p = b->next;
    if (n > (size_t)(b->end - p)) {
        return NULL;
    }
    b->next = p + n;
    return p;
}

static enum slm_adapter_answer bump_free(void *self, void *p, size_t size_bytes)
{
    (void)self;
    (void)p;
    (void)size_bytes;
    return SLM_ADAPTER_UNCHANGED;
}

SLM_ADAPTER(bump) = {.create = create_bump,
                     .destroy = reset_bump,
                     .reset = reset_bump,
                     .alloc = bump_alloc,
                     .free = bump_free,
                     .memory = SLM_ADAPTER_SYSTEM,
                     .one_arena = true};

static void *create_heap(const struct slm_adapter_env *env)
{
    (void)env;
    return &bump;
}

static void *heap_alloc(void *self, size_t size_bytes)
{
    (void)self;
    return malloc(size_bytes);
}

static enum slm_adapter_answer heap_free(void *self, void *p, size_t size_bytes)
{
    (void)self;
    (void)size_bytes;
    free(p);
    return SLM_ADAPTER_OK;
}

SLM_ADAPTER(source_alone) = {.create = create_heap,
                             .alloc = heap_alloc,
                             .free = heap_free,
                             .memory = SLM_ADAPTER_SYSTEM,
                             .destroy_needs_empty = true};
