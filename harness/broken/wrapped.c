/* SPDX-License-Identifier: Apache-2.0 */
/* Pools and slabs made wrong by a wrapper: what only their own oracles can see. */
#include "allocator/pool.h"
#include "harness/broken/broken.h"
#include "harness/oracle_pool.h"

/* Requests and frees, counted over all arenas: bugs come at fixed intervals. */
static volatile unsigned n_calls;

static bool is_turn(unsigned interval)
{
    n_calls = n_calls + 1;
    return n_calls % interval == interval - 1;
}

/* --- Slab --- */

static enum slm_status slab_lost_free(void *self, void *p)
{
    return p != NULL && is_turn(40) ? SLM_OK : hrn_adapter_slab.free(self, p);
}

static void *slab_hidden_object(void *self, const struct hrn_request *rq)
{
    const struct hrn_request own = {HRN_ALLOC, 64, 0};
    if (is_turn(40)) {
        (void)hrn_adapter_slab.alloc(self, &own);
    }
    return hrn_adapter_slab.alloc(self, rq);
}

static void *slab_refuses(void *self, const struct hrn_request *rq)
{
    return is_turn(50) ? NULL : hrn_adapter_slab.alloc(self, rq);
}

static void *slab_generous(void *self, const struct hrn_request *rq)
{
    struct hrn_request larger = *rq;
    larger.size_bytes = rq->size_bytes < 100 && is_turn(20) ? 4096 : rq->size_bytes;
    return hrn_adapter_slab.alloc(self, &larger);
}

static enum slm_status slab_vague(void *self, void *p)
{
    enum slm_status status = hrn_adapter_slab.free(self, p);
    return status == SLM_OK ? SLM_OK : SLM_E_FOREIGN;
}

static void slab_keeps(void *self)
{
    const struct hrn_request own = {HRN_ALLOC, 64, 0};
    hrn_adapter_slab.reset(self);
    (void)hrn_adapter_slab.alloc(self, &own);
}

/* --- Pool --- */

static void *pool_refuses(void *self, const struct hrn_request *rq)
{
    return is_turn(50) ? NULL : hrn_adapter_pool.alloc(self, rq);
}

/* The waste goes past the adapter's books, or its oracle would count it as demand. */
static void *pool_wasteful(void *self, const struct hrn_request *rq)
{
    (void)slm_pool_alloc(hrn_pool_of(self), 1000);
    return hrn_adapter_pool.alloc(self, rq);
}

static enum slm_status pool_frees_small(void *self, void *p)
{
    enum slm_status status = hrn_adapter_pool.free(self, p);
    return status == SLM_DECLINED ? SLM_OK : status;
}

static enum slm_status pool_handler_twice(void *self, hrn_handler_fn fn, void *data,
                                          size_t data_bytes, void **data_out)
{
    enum slm_status status = hrn_adapter_pool.cleanup(self, fn, data, data_bytes, data_out);
    if (status == SLM_OK && data_bytes == 0) {
        (void)hrn_adapter_pool.cleanup(self, fn, data, 0, data_out);
    }
    return status;
}

/* --- Twin --- */

static enum slm_status keep_newest(void *self, void *p, size_t size_bytes)
{
    (void)self;
    (void)p;
    (void)size_bytes;
    return SLM_DECLINED;
}

static void *create_on_keeper(const struct hrn_env *env, enum slm_status *why)
{
    static struct hrn_adapter keeper;
    keeper = hrn_adapter_pool;
    keeper.give_back = keep_newest;
    return hrn_twin_create(env, why, &keeper);
}

/* --- The list --- */

static struct hrn_adapter wrapped[HRN_WRAPPED_COUNT];

static void fill(void)
{
#define FILL(bug, of, sentence)                                                                    \
    wrapped[HRN_WRAPPED_##bug] = hrn_adapter_##of;                                                 \
    wrapped[HRN_WRAPPED_##bug].name = "broken_" #bug;
    HRN_WRAPPED_LIST(FILL)
#undef FILL
    wrapped[HRN_WRAPPED_slab_lost_free].free = slab_lost_free;
    wrapped[HRN_WRAPPED_slab_hidden_object].alloc = slab_hidden_object;
    wrapped[HRN_WRAPPED_slab_refuses].alloc = slab_refuses;
    wrapped[HRN_WRAPPED_slab_generous].alloc = slab_generous;
    wrapped[HRN_WRAPPED_slab_vague].free = slab_vague;
    wrapped[HRN_WRAPPED_slab_keeps].reset = slab_keeps;
    wrapped[HRN_WRAPPED_pool_refuses].alloc = pool_refuses;
    wrapped[HRN_WRAPPED_pool_wasteful].alloc = pool_wasteful;
    wrapped[HRN_WRAPPED_pool_frees_small].free = pool_frees_small;
    wrapped[HRN_WRAPPED_pool_handler_twice].cleanup = pool_handler_twice;
    wrapped[HRN_WRAPPED_twin_keeps_newest].create = create_on_keeper;
}

#define SENTENCE(bug, of, sentence) sentence,
static const char *const sentences[HRN_WRAPPED_COUNT] = {HRN_WRAPPED_LIST(SENTENCE)};

const struct hrn_adapter *hrn_wrapped_at(size_t idx, const char **sentence)
{
    if (idx >= HRN_WRAPPED_COUNT) {
        return NULL;
    }
    if (wrapped[0].name == NULL) {
        fill();
    }
    n_calls = 0;
    *sentence = sentences[idx];
    return &wrapped[idx];
}
