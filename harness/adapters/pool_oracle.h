/* SPDX-License-Identifier: Apache-2.0 */
/* What a pool promises in addition to any allocator's promises: refusals, counts, bounded growth.
 */
#ifndef HRN_ORACLE_POOL_H
#define HRN_ORACLE_POOL_H

#include "harness/adapters/adapters.h"
#include <slabmill/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    The small limit decides which objects are large. Demand is the sum of bytes requested
 *          since the last reset, rounded as the contract rounds. The pool goes on to another block
 *          only when the free bytes of the current one are fewer than the request. So used blocks
 *          are at least half full on average, and demand bounds their number. After a reset the
 *          pool takes a new block only when no kept one is left.
 *          The model knows what the last blocks had left when they stopped being current. A request
 *          that opens an empty block must not find 64 bytes, and twice what it takes, in one of
 *          them. A call that may allocate more than once makes the model forget them.
 */
/* Free bytes of a block that is current or was. */
struct hrn_pool_room {
    const unsigned char *low;
    const unsigned char *high;
};
#define HRN_POOL_N_ROOMS 32u

struct hrn_pool_shadow {
    struct slm_pool *pool;
    const struct slm_adapter_env *env;
    bool pass_through;
    size_t block_bytes;
    size_t small_limit_bytes;
    size_t gap_bytes;
    size_t n_large;
    size_t large_bytes;
    size_t n_large_peak;
    size_t n_cleanups;
    size_t n_large_files; /* since the last reset: large blocks at addresses unknown here */
    size_t n_own;         /* requests since the last reset that have, or had, a record */
    size_t demand_bytes;  /* of small objects since the last reset */
    size_t n_blocks_kept; /* at the last reset, less what was trimmed since */
    size_t keep_bytes;    /* of slm_pool_set_keep; 0: all */
    struct hrn_pool_room current;
    size_t child_bytes;                          /* that child pools have from the source */
    size_t n_used;                               /* blocks, the current one included */
    struct hrn_pool_room left[HRN_POOL_N_ROOMS]; /* of blocks that were current; low NULL: none */
    unsigned n_left;                             /* ever */
};

void hrn_pool_shadow_begin(struct hrn_pool_shadow *shadow, struct slm_pool *pool,
                           const struct slm_adapter_env *env);
bool hrn_pool_shadow_is_large(const struct hrn_pool_shadow *shadow,
                              const struct slm_adapter_request *rq);
void hrn_pool_shadow_granted(struct hrn_pool_shadow *shadow, const struct slm_adapter_request *rq);
/* After the call that granted rq at p, before any other; then granted. */
void hrn_pool_shadow_placed(struct hrn_pool_shadow *shadow, const struct slm_adapter_request *rq,
                            const void *p);
/* After a call that changed nothing but free bytes of the current block. */
void hrn_pool_shadow_same_block(struct hrn_pool_shadow *shadow);
/* After a call that may have allocated more than once, or that reset the pool. */
void hrn_pool_shadow_lost_track(struct hrn_pool_shadow *shadow);
void hrn_pool_shadow_registered(struct hrn_pool_shadow *shadow, size_t data_bytes);
void hrn_pool_shadow_not_registered(struct hrn_pool_shadow *shadow, size_t data_bytes);
/* A file cleanup with a path of path_bytes, including its final zero. */
void hrn_pool_shadow_file(struct hrn_pool_shadow *shadow, size_t path_bytes);
#define HRN_POOL_FILE_BYTES 64u /* above the size of its data without the path */
/* After a call that may have taken a record for a child. */
void hrn_pool_shadow_child(struct hrn_pool_shadow *shadow);
#define HRN_POOL_CHILD_BYTES 64u /* above the size of such a record */
/* Has the pool keep blocks of so many bytes at a reset. */
void hrn_pool_shadow_set_keep(struct hrn_pool_shadow *shadow, size_t keep_bytes);
/* Calls slm_pool_trim, and judges it. Returns the bytes that the source got back. */
size_t hrn_pool_shadow_trim(struct hrn_pool_shadow *shadow, size_t keep_bytes);
void hrn_pool_shadow_resized(struct hrn_pool_shadow *shadow, size_t new_bytes);
void hrn_pool_shadow_freed(struct hrn_pool_shadow *shadow, const struct slm_adapter_request *rq);
const char *hrn_pool_shadow_refused(const struct slm_adapter_request *rq,
                                    const struct slm_adapter_refusal *seen);
void hrn_pool_shadow_walk(struct hrn_pool_shadow *shadow);
/* After a reset the pool must be like a new one, except for the blocks that it keeps. */
void hrn_pool_shadow_reset(struct hrn_pool_shadow *shadow);

/* The answers that free of a pool may give for misuse. */
#define HRN_POOL_REFUSED                                                                           \
    (SLM_ADAPTER_BIT(SLM_ADAPTER_UNCHANGED) | SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_FOREIGN) |           \
     SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_INTERIOR) | SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_FREED) |          \
     SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_METADATA))
#define HRN_POOL_ELSEWHERE                                                                         \
    (SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_FOREIGN) | SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_FREED))
#define HRN_POOL_INSIDE                                                                            \
    (SLM_ADAPTER_BIT(SLM_ADAPTER_UNCHANGED) | SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_INTERIOR))

/* The block of another pool may be where a block of this one was freed. */
#define HRN_POOL_BAD_FREE                                                                          \
    {                                                                                              \
        [SLM_ADAPTER_MISUSE_NULL] = SLM_ADAPTER_BIT(SLM_ADAPTER_OK),                               \
        [SLM_ADAPTER_MISUSE_HEAP] = HRN_POOL_ELSEWHERE,                                            \
        [SLM_ADAPTER_MISUSE_STACK] = SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_FOREIGN),                     \
        [SLM_ADAPTER_MISUSE_INTERIOR] = HRN_POOL_INSIDE,                                           \
        [SLM_ADAPTER_MISUSE_TWICE] = SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_FREED),                       \
        [SLM_ADAPTER_MISUSE_STALE] = HRN_POOL_REFUSED,                                             \
        [SLM_ADAPTER_MISUSE_METADATA] = SLM_ADAPTER_BIT(SLM_ADAPTER_BAD_METADATA),                 \
        [SLM_ADAPTER_MISUSE_PAST_END] = HRN_POOL_REFUSED,                                          \
        [SLM_ADAPTER_MISUSE_OTHER_ARENA] = HRN_POOL_ELSEWHERE,                                     \
        [SLM_ADAPTER_MISUSE_TAIL] = HRN_POOL_REFUSED,                                              \
    }

/* The pool of an arena that the pool's adapter made. */
struct slm_pool *hrn_pool_of(void *self);

/* A twin's arena over an adapter of pools other than hrn_adapter_pool. */
void *hrn_twin_create(const struct slm_adapter_env *env, const struct slm_adapter *pools);

#ifdef __cplusplus
}
#endif
#endif
