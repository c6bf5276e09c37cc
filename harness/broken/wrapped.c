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

static void *call(const struct slm_adapter *adapter, void *self,
                  const struct slm_adapter_request *rq)
{
    switch (rq->call) {
    case SLM_ADAPTER_CALL_ALLOC_ZEROED:
        return adapter->alloc_zeroed(self, 1, rq->size_bytes);
    case SLM_ADAPTER_CALL_ALLOC_ALIGNED:
        return adapter->alloc_aligned(self, rq->align_bytes, rq->size_bytes);
    case SLM_ADAPTER_CALL_ALLOC_PACKED:
        return adapter->pool->alloc_packed(self, rq->size_bytes);
    case SLM_ADAPTER_CALL_REUSE_GET:
        return adapter->pool->reuse_get(self);
    default:
        return adapter->alloc(self, rq->size_bytes);
    }
}

static void *call_slab(void *self, const struct slm_adapter_request *rq)
{
    return call(&hrn_adapter_slab, self, rq);
}

static void *call_pool(void *self, const struct slm_adapter_request *rq)
{
    return call(&hrn_adapter_pool, self, rq);
}

/* --- Slab --- */

static enum slm_adapter_answer slab_lost_free(void *self, void *p, size_t size_bytes)
{
    return p != NULL && is_turn(40) ? SLM_ADAPTER_OK : hrn_adapter_slab.free(self, p, size_bytes);
}

static void *slab_hidden_object(void *self, const struct slm_adapter_request *rq)
{
    const struct slm_adapter_request own = {SLM_ADAPTER_CALL_ALLOC, 64, 0};
    if (is_turn(40)) {
        (void)call_slab(self, &own);
    }
    return call_slab(self, rq);
}

static void *slab_refuses(void *self, const struct slm_adapter_request *rq)
{
    return is_turn(50) ? NULL : call_slab(self, rq);
}

static void *slab_generous(void *self, const struct slm_adapter_request *rq)
{
    struct slm_adapter_request larger = *rq;
    larger.size_bytes = rq->size_bytes < 100 && is_turn(20) ? 4096 : rq->size_bytes;
    return call_slab(self, &larger);
}

static enum slm_adapter_answer slab_vague(void *self, void *p, size_t size_bytes)
{
    enum slm_adapter_answer answer = hrn_adapter_slab.free(self, p, size_bytes);
    return answer == SLM_ADAPTER_OK ? SLM_ADAPTER_OK : SLM_ADAPTER_BAD_FOREIGN;
}

static void slab_keeps(void *self)
{
    const struct slm_adapter_request own = {SLM_ADAPTER_CALL_ALLOC, 64, 0};
    hrn_adapter_slab.reset(self);
    (void)call_slab(self, &own);
}

static bool is_edge(void *self, size_t size_bytes)
{
    const struct slm_slab *slab = hrn_slab_of(self);
    return slm_slab_class_of(slab, size_bytes) != slm_slab_class_of(slab, size_bytes + 1);
}

static void *slab_edge_up(void *self, const struct slm_adapter_request *rq)
{
    struct slm_adapter_request larger = *rq;
    larger.size_bytes += is_edge(self, rq->size_bytes) ? 1 : 0;
    return call_slab(self, &larger);
}

static void *slab_edge_down(void *self, const struct slm_adapter_request *rq)
{
    struct slm_adapter_request smaller = *rq;
    bool cut = rq->size_bytes > 1 && is_edge(self, rq->size_bytes - 1);
    smaller.size_bytes -= cut ? 1 : 0;
    void *p = call_slab(self, &smaller);
    if (p != NULL && cut) {
        hrn_poison_show(
            p, rq->size_bytes); /* otherwise a sanitizer would report it before the harness does */
    }
    return p;
}

static enum slm_adapter_answer slab_run_drift(void *self, void *p, size_t size_bytes)
{
    size_t absurd_bytes = SIZE_MAX / 4;
    if (is_turn(40)) {
        (void)slm_slab_alloc(hrn_slab_of(self), absurd_bytes);
    }
    return hrn_adapter_slab.free(self, p, size_bytes);
}

static enum slm_adapter_answer slab_trims(void *self, void *p, size_t size_bytes)
{
    struct slm_slab *slab = hrn_slab_of(self);
    bool is_large = slm_slab_usable_bytes(slab, p) >= 1024;
    enum slm_adapter_answer answer = hrn_adapter_slab.free(self, p, size_bytes);
    if (is_large) {
        (void)slm_slab_trim(slab);
    }
    return answer;
}

/* An arena with one view uses the same view in each call. */
static enum slm_adapter_answer slab_deaf_view(void *self, void *p, size_t size_bytes)
{
    const struct slm_slab *one = hrn_slab_of(self);
    const struct slm_slab *other = hrn_slab_of(self);
    bool is_lost = one < other && slm_slab_check_pointer_locked(one, p) == SLM_OK;
    return is_lost ? SLM_ADAPTER_OK : hrn_adapter_slab.free(self, p, size_bytes);
}

static enum slm_adapter_answer slab_root_lost(void *self, void *p, size_t size_bytes)
{
    struct slm_slab *slab = hrn_slab_of(self);
    bool is_large = slm_slab_usable_bytes(slab, p) >= 4096;
    enum slm_adapter_answer answer = hrn_adapter_slab.free(self, p, size_bytes);
    if (answer == SLM_ADAPTER_OK && is_large) {
        (void)slm_slab_set_root(slab, NULL);
    }
    return answer;
}

static void slab_root_kept(void *self)
{
    struct slm_slab *slab = hrn_slab_of(self);
    void *root = slm_slab_root(slab);
    hrn_adapter_slab.reset(self);
    (void)slm_slab_set_root(slab, root);
}

static void *slab_name_cut(const struct slm_adapter_env *env)
{
    return hrn_slab_create(env, "a name of more bytes");
}

/* --- Pool --- */

static void *pool_refuses(void *self, const struct slm_adapter_request *rq)
{
    return is_turn(50) ? NULL : call_pool(self, rq);
}

/* Allocates the waste directly, since the adapter's oracle would count it as demand. */
static void *pool_wasteful(void *self, const struct slm_adapter_request *rq)
{
    (void)slm_pool_alloc(hrn_pool_of(self), 1000);
    return call_pool(self, rq);
}

static enum slm_adapter_answer pool_frees_small(void *self, void *p, size_t size_bytes)
{
    enum slm_adapter_answer answer = hrn_adapter_pool.free(self, p, size_bytes);
    return answer == SLM_ADAPTER_UNCHANGED ? SLM_ADAPTER_OK : answer;
}

static enum slm_adapter_answer pool_handler_twice(void *self, slm_adapter_handler_fn fn, void *data,
                                                  size_t data_bytes, void **data_out)
{
    enum slm_adapter_answer answer =
        hrn_adapter_pool.pool->cleanup(self, fn, data, data_bytes, data_out);
    if (answer == SLM_ADAPTER_OK && data_bytes == 0) {
        (void)hrn_adapter_pool.pool->cleanup(self, fn, data, 0, data_out);
    }
    return answer;
}

static void pool_keeps_large(void *self)
{
    hrn_adapter_pool.reset(self);
    (void)slm_pool_alloc(hrn_pool_of(self), 200000);
}

static void *pool_page_aligned(void *self, const struct slm_adapter_request *rq)
{
    struct slm_adapter_request lesser = *rq;
    bool power = (rq->align_bytes & (rq->align_bytes - 1)) == 0;
    bool above = power && rq->align_bytes > 4096 && rq->align_bytes <= SLM_POOL_ALIGN_MAX;
    lesser.align_bytes = above ? 4096 : rq->align_bytes;
    return call_pool(self, &lesser);
}

/* --- Its armed handlers and child pools --- */

static slm_adapter_handler_fn armed_fn;
static void *armed_data;

static enum slm_adapter_answer arm(void *self, void **record, slm_adapter_handler_fn fn, void *data)
{
    enum slm_adapter_answer answer = hrn_adapter_pool.pool->arm(self, record, fn, data);
    if (answer == SLM_ADAPTER_OK) {
        armed_fn = fn;
        armed_data = data;
    }
    return answer;
}

static enum slm_adapter_answer pool_cancel_lost(void *self, void *record)
{
    enum slm_adapter_answer answer = hrn_adapter_pool.pool->cancel(self, record);
    if (answer == SLM_ADAPTER_OK) {
        (void)hrn_adapter_pool.pool->cleanup(self, armed_fn, armed_data, 0, NULL);
    }
    return answer;
}

static enum slm_adapter_answer pool_cancel_runs(void *self, void *record)
{
    enum slm_adapter_answer answer = hrn_adapter_pool.pool->cancel(self, record);
    if (answer == SLM_ADAPTER_OK) {
        armed_fn(armed_data);
    }
    return answer;
}

static enum slm_adapter_answer pool_cancel_again(void *self, void *record)
{
    (void)hrn_adapter_pool.pool->cancel(self, record);
    return SLM_ADAPTER_OK;
}

static enum slm_adapter_answer pool_armed_again(void *self, void **record,
                                                slm_adapter_handler_fn fn, void *data)
{
    enum slm_adapter_answer answer = hrn_adapter_pool.pool->arm(self, record, fn, data);
    return answer == SLM_ADAPTER_BAD ? SLM_ADAPTER_OK : answer;
}

static void pool_child_stays(void *self, void *child)
{
    (void)self;
    (void)child;
}

static enum slm_adapter_answer pool_child_early(void *self, void **child, size_t block_bytes,
                                                slm_adapter_handler_fn fn, void *data)
{
    enum slm_adapter_answer answer =
        hrn_adapter_pool.pool->child(self, child, block_bytes, fn, data);
    if (answer == SLM_ADAPTER_OK) {
        fn(data);
    }
    return answer;
}

/* --- Its file cleanups --- */

static enum slm_adapter_answer pool_file_open(void *self, int fd, const char *path)
{
    int other = fd < 0 ? fd : dup(fd);
    enum slm_adapter_answer answer = hrn_adapter_pool.pool->file(self, other, path);
    if (answer != SLM_ADAPTER_OK && other >= 0) {
        (void)close(other);
    }
    return answer;
}

static enum slm_adapter_answer pool_file_kept(void *self, int fd, const char *path)
{
    (void)path;
    return hrn_adapter_pool.pool->file(self, fd, NULL);
}

static enum slm_adapter_answer pool_file_early(void *self, int fd, const char *path)
{
    enum slm_adapter_answer answer = hrn_adapter_pool.pool->file(self, fd, path);
    if (answer == SLM_ADAPTER_OK) {
        (void)close(fd);
    }
    return answer;
}

static enum slm_adapter_answer pool_file_again(void *self, int fd)
{
    enum slm_adapter_answer answer = hrn_adapter_pool.pool->run_file(self, fd);
    return answer == SLM_ADAPTER_OK ? hrn_adapter_pool.pool->file(self, fd, NULL) : answer;
}

static enum slm_adapter_answer pool_file_any(void *self, int fd)
{
    (void)hrn_adapter_pool.pool->run_file(self, fd);
    return SLM_ADAPTER_OK;
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

static enum slm_adapter_answer keep_newest(void *self, void *p, size_t size_bytes)
{
    (void)self;
    (void)p;
    (void)size_bytes;
    return SLM_ADAPTER_UNCHANGED;
}

static void *create_on_keeper(const struct slm_adapter_env *env)
{
    static struct slm_adapter keeper;
    static struct slm_adapter_pool extension;
    keeper = hrn_adapter_pool;
    extension = *hrn_adapter_pool.pool;
    extension.give_back = keep_newest;
    keeper.pool = &extension;
    return hrn_twin_create(env, &keeper);
}

/* --- The list --- */

static struct slm_adapter wrapped[HRN_WRAPPED_COUNT];
static struct slm_adapter_pool extensions[HRN_WRAPPED_COUNT];

/* For a bug of every request: one function for each call. */
#define REQUESTS(bug)                                                                              \
    static void *bug##_alloc(void *self, size_t size_bytes)                                        \
    {                                                                                              \
        const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_ALLOC, size_bytes, 0};             \
        return bug(self, &rq);                                                                     \
    }                                                                                              \
    static void *bug##_alloc_zeroed(void *self, size_t n, size_t size_bytes)                       \
    {                                                                                              \
        const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_ALLOC_ZEROED,                      \
                                               hrn_product(n, size_bytes), 0};                     \
        return bug(self, &rq);                                                                     \
    }                                                                                              \
    static void *bug##_alloc_aligned(void *self, size_t align_bytes, size_t size_bytes)            \
    {                                                                                              \
        const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_ALLOC_ALIGNED, size_bytes,         \
                                               align_bytes};                                       \
        return bug(self, &rq);                                                                     \
    }

/* The calls that only pools have. */
#define POOL_REQUESTS(bug)                                                                         \
    REQUESTS(bug)                                                                                  \
    static void *bug##_alloc_packed(void *self, size_t size_bytes)                                 \
    {                                                                                              \
        const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_ALLOC_PACKED, size_bytes, 0};      \
        return bug(self, &rq);                                                                     \
    }                                                                                              \
    static void *bug##_reuse_get(void *self)                                                       \
    {                                                                                              \
        const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_REUSE_GET, 0, 0};                  \
        return bug(self, &rq);                                                                     \
    }

REQUESTS(slab_hidden_object)
REQUESTS(slab_refuses)
REQUESTS(slab_generous)
REQUESTS(slab_edge_up)
REQUESTS(slab_edge_down)
POOL_REQUESTS(pool_refuses)
POOL_REQUESTS(pool_wasteful)
POOL_REQUESTS(pool_page_aligned)

#define SET_REQUESTS(bug)                                                                          \
    do {                                                                                           \
        wrapped[HRN_WRAPPED_##bug].alloc = bug##_alloc;                                            \
        wrapped[HRN_WRAPPED_##bug].alloc_zeroed = bug##_alloc_zeroed;                              \
        wrapped[HRN_WRAPPED_##bug].alloc_aligned = bug##_alloc_aligned;                            \
    } while (0)

#define SET_POOL_REQUESTS(bug)                                                                     \
    do {                                                                                           \
        SET_REQUESTS(bug);                                                                         \
        extensions[HRN_WRAPPED_##bug].alloc_packed = bug##_alloc_packed;                           \
        extensions[HRN_WRAPPED_##bug].reuse_get = bug##_reuse_get;                                 \
    } while (0)

static void copy(struct slm_adapter *to, struct slm_adapter_pool *extension,
                 const struct slm_adapter *from, const char *name)
{
    *to = *from;
    to->name = name;
    if (from->pool != NULL) {
        *extension = *from->pool;
        to->pool = extension;
    }
}

static void fill_slabs(void)
{
    SET_REQUESTS(slab_hidden_object);
    SET_REQUESTS(slab_refuses);
    SET_REQUESTS(slab_generous);
    SET_REQUESTS(slab_edge_up);
    SET_REQUESTS(slab_edge_down);
    wrapped[HRN_WRAPPED_slab_lost_free].free = slab_lost_free;
    wrapped[HRN_WRAPPED_slab_vague].free = slab_vague;
    wrapped[HRN_WRAPPED_slab_keeps].reset = slab_keeps;
    wrapped[HRN_WRAPPED_slab_run_drift].free = slab_run_drift;
    wrapped[HRN_WRAPPED_slab_trims].free = slab_trims;
    wrapped[HRN_WRAPPED_slab_deaf_view].free = slab_deaf_view;
    wrapped[HRN_WRAPPED_slab_root_lost].free = slab_root_lost;
    wrapped[HRN_WRAPPED_slab_root_kept].reset = slab_root_kept;
    wrapped[HRN_WRAPPED_slab_name_cut].create = slab_name_cut;
}

static void fill_pools(void)
{
    SET_POOL_REQUESTS(pool_refuses);
    SET_POOL_REQUESTS(pool_wasteful);
    SET_POOL_REQUESTS(pool_page_aligned);
    wrapped[HRN_WRAPPED_pool_frees_small].free = pool_frees_small;
    wrapped[HRN_WRAPPED_pool_keeps_large].reset = pool_keeps_large;
    wrapped[HRN_WRAPPED_pool_file_first].reset = pool_file_first;
    extensions[HRN_WRAPPED_pool_handler_twice].cleanup = pool_handler_twice;
    extensions[HRN_WRAPPED_pool_cancel_lost].arm = arm;
    extensions[HRN_WRAPPED_pool_cancel_lost].cancel = pool_cancel_lost;
    extensions[HRN_WRAPPED_pool_cancel_runs].arm = arm;
    extensions[HRN_WRAPPED_pool_cancel_runs].cancel = pool_cancel_runs;
    extensions[HRN_WRAPPED_pool_cancel_again].cancel = pool_cancel_again;
    extensions[HRN_WRAPPED_pool_armed_again].arm = pool_armed_again;
    extensions[HRN_WRAPPED_pool_child_stays].end_child = pool_child_stays;
    extensions[HRN_WRAPPED_pool_child_early].child = pool_child_early;
    extensions[HRN_WRAPPED_pool_file_open].file = pool_file_open;
    extensions[HRN_WRAPPED_pool_file_kept].file = pool_file_kept;
    extensions[HRN_WRAPPED_pool_file_early].file = pool_file_early;
    extensions[HRN_WRAPPED_pool_file_again].run_file = pool_file_again;
    extensions[HRN_WRAPPED_pool_file_any].run_file = pool_file_any;
    wrapped[HRN_WRAPPED_twin_keeps_newest].create = create_on_keeper;
}

static void fill(void)
{
#define FILL(bug, of, sentence)                                                                    \
    copy(&wrapped[HRN_WRAPPED_##bug], &extensions[HRN_WRAPPED_##bug], &hrn_adapter_##of,           \
         "broken_" #bug);
    HRN_WRAPPED_LIST(FILL)
#undef FILL
    fill_slabs();
    fill_pools();
}

#define SENTENCE(bug, of, sentence) sentence,
static const char *const sentences[HRN_WRAPPED_COUNT] = {HRN_WRAPPED_LIST(SENTENCE)};

const struct slm_adapter *hrn_wrapped_at(size_t idx, const char **sentence)
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
