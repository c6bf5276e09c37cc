/* SPDX-License-Identifier: Apache-2.0 */
/* Pools and slabs that a wrapper makes wrong, in ways that only their own oracles can see. */
#include <unistd.h>

#include "harness/adapters/pool_oracle.h"
#include "harness/adapters/slab_oracle.h"
#include "harness/base/poison.h"
#include "harness/broken/broken.h"
#include <slabmill/pool.h>
#include <slabmill/slab.h>

/* Requests and frees, counted over all arenas: bugs occur at fixed intervals. */
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

static bool is_edge(void *self, size_t size_bytes)
{
    const struct slm_slab *slab = hrn_slab_of(self);
    return slm_slab_class_of(slab, size_bytes) != slm_slab_class_of(slab, size_bytes + 1);
}

static void *slab_edge_up(void *self, const struct hrn_request *rq)
{
    struct hrn_request larger = *rq;
    larger.size_bytes += is_edge(self, rq->size_bytes) ? 1 : 0;
    return hrn_adapter_slab.alloc(self, &larger);
}

static void *slab_edge_down(void *self, const struct hrn_request *rq)
{
    struct hrn_request smaller = *rq;
    bool cut = rq->size_bytes > 1 && is_edge(self, rq->size_bytes - 1);
    smaller.size_bytes -= cut ? 1 : 0;
    void *p = hrn_adapter_slab.alloc(self, &smaller);
    if (p != NULL && cut) {
        hrn_poison_show(
            p, rq->size_bytes); /* otherwise a sanitizer would report it before the harness does */
    }
    return p;
}

static enum slm_status slab_run_drift(void *self, void *p)
{
    size_t absurd_bytes = SIZE_MAX / 4;
    if (is_turn(40)) {
        (void)slm_slab_alloc(hrn_slab_of(self), absurd_bytes);
    }
    return hrn_adapter_slab.free(self, p);
}

static enum slm_status slab_trims(void *self, void *p)
{
    struct slm_slab *slab = hrn_slab_of(self);
    bool is_large = slm_slab_usable_bytes(slab, p) >= 1024;
    enum slm_status status = hrn_adapter_slab.free(self, p);
    if (is_large) {
        (void)slm_slab_trim(slab);
    }
    return status;
}

/* An arena with one view uses the same view in each call. */
static enum slm_status slab_deaf_view(void *self, void *p)
{
    const struct slm_slab *one = hrn_slab_of(self);
    const struct slm_slab *other = hrn_slab_of(self);
    bool is_lost = one < other && slm_slab_check_pointer_locked(one, p) == SLM_OK;
    return is_lost ? SLM_OK : hrn_adapter_slab.free(self, p);
}

static enum slm_status slab_root_lost(void *self, void *p)
{
    struct slm_slab *slab = hrn_slab_of(self);
    bool is_large = slm_slab_usable_bytes(slab, p) >= 4096;
    enum slm_status status = hrn_adapter_slab.free(self, p);
    if (status == SLM_OK && is_large) {
        (void)slm_slab_set_root(slab, NULL);
    }
    return status;
}

static void slab_root_kept(void *self)
{
    struct slm_slab *slab = hrn_slab_of(self);
    void *root = slm_slab_root(slab);
    hrn_adapter_slab.reset(self);
    (void)slm_slab_set_root(slab, root);
}

static void *slab_name_cut(const struct hrn_env *env, enum slm_status *why)
{
    return hrn_slab_create(env, why, "a name of more bytes");
}

/* --- Pool --- */

static void *pool_refuses(void *self, const struct hrn_request *rq)
{
    return is_turn(50) ? NULL : hrn_adapter_pool.alloc(self, rq);
}

/* Allocates the waste directly, since the adapter's oracle would count it as demand. */
static void *pool_wasteful(void *self, const struct hrn_request *rq)
{
    (void)slm_pool_alloc(hrn_pool_of(self), 1000);
    return hrn_adapter_pool.alloc(self, rq);
}

static enum slm_status pool_frees_small(void *self, void *p)
{
    enum slm_status status = hrn_adapter_pool.free(self, p);
    return status == SLM_UNCHANGED ? SLM_OK : status;
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

static void pool_keeps_large(void *self)
{
    hrn_adapter_pool.reset(self);
    (void)slm_pool_alloc(hrn_pool_of(self), 200000);
}

static void *pool_page_aligned(void *self, const struct hrn_request *rq)
{
    struct hrn_request lesser = *rq;
    bool power = (rq->align_bytes & (rq->align_bytes - 1)) == 0;
    bool above = power && rq->align_bytes > 4096 && rq->align_bytes <= SLM_POOL_ALIGN_MAX;
    lesser.align_bytes = above ? 4096 : rq->align_bytes;
    return hrn_adapter_pool.alloc(self, &lesser);
}

/* --- Its file cleanups --- */

static enum slm_status pool_file_open(void *self, int fd, const char *path)
{
    int other = fd < 0 ? fd : dup(fd);
    enum slm_status status = hrn_adapter_pool.file(self, other, path);
    if (status != SLM_OK && other >= 0) {
        (void)close(other);
    }
    return status;
}

static enum slm_status pool_file_kept(void *self, int fd, const char *path)
{
    (void)path;
    return hrn_adapter_pool.file(self, fd, NULL);
}

static enum slm_status pool_file_early(void *self, int fd, const char *path)
{
    enum slm_status status = hrn_adapter_pool.file(self, fd, path);
    if (status == SLM_OK) {
        (void)close(fd);
    }
    return status;
}

static enum slm_status pool_file_again(void *self, int fd)
{
    enum slm_status status = hrn_adapter_pool.run_file(self, fd);
    return status == SLM_OK ? hrn_adapter_pool.file(self, fd, NULL) : status;
}

static enum slm_status pool_file_any(void *self, int fd)
{
    (void)hrn_adapter_pool.run_file(self, fd);
    return SLM_OK;
}

/* Tries every number that a program's descriptors can have. */
static void pool_file_first(void *self)
{
    for (int fd = 0; fd < 256; fd++) {
        (void)slm_pool_cleanup_run_file(hrn_pool_of(self), fd);
    }
    hrn_adapter_pool.reset(self);
}

/* --- Twin --- */

static enum slm_status keep_newest(void *self, void *p, size_t size_bytes)
{
    (void)self;
    (void)p;
    (void)size_bytes;
    return SLM_UNCHANGED;
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
    wrapped[HRN_WRAPPED_slab_edge_up].alloc = slab_edge_up;
    wrapped[HRN_WRAPPED_slab_edge_down].alloc = slab_edge_down;
    wrapped[HRN_WRAPPED_slab_run_drift].free = slab_run_drift;
    wrapped[HRN_WRAPPED_slab_trims].free = slab_trims;
    wrapped[HRN_WRAPPED_slab_deaf_view].free = slab_deaf_view;
    wrapped[HRN_WRAPPED_slab_root_lost].free = slab_root_lost;
    wrapped[HRN_WRAPPED_slab_root_kept].reset = slab_root_kept;
    wrapped[HRN_WRAPPED_slab_name_cut].create = slab_name_cut;
    wrapped[HRN_WRAPPED_pool_refuses].alloc = pool_refuses;
    wrapped[HRN_WRAPPED_pool_wasteful].alloc = pool_wasteful;
    wrapped[HRN_WRAPPED_pool_frees_small].free = pool_frees_small;
    wrapped[HRN_WRAPPED_pool_handler_twice].cleanup = pool_handler_twice;
    wrapped[HRN_WRAPPED_pool_keeps_large].reset = pool_keeps_large;
    wrapped[HRN_WRAPPED_pool_page_aligned].alloc = pool_page_aligned;
    wrapped[HRN_WRAPPED_pool_file_open].file = pool_file_open;
    wrapped[HRN_WRAPPED_pool_file_kept].file = pool_file_kept;
    wrapped[HRN_WRAPPED_pool_file_early].file = pool_file_early;
    wrapped[HRN_WRAPPED_pool_file_again].run_file = pool_file_again;
    wrapped[HRN_WRAPPED_pool_file_any].run_file = pool_file_any;
    wrapped[HRN_WRAPPED_pool_file_first].reset = pool_file_first;
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
