/* SPDX-License-Identifier: Apache-2.0 */
/* A model of a pool, to compare with. */
#include "harness/adapters/pool_oracle.h"

#include <string.h>

#include "harness/base/quiet.h"

HRN_QUIET_BEGIN

#define REUSE_HEADER_BYTES 16u   /* before each object of a reuse list */
#define HANDLER_BYTES      128u  /* above the size of a handler's record */
#define RECORDS_BYTES      2048u /* above the size of a pool's own table of large blocks */
#define N_RECORDS_MIN      32u   /* a table may start with this many */
#define N_RECORDS_PER_OBJECT                                                                       \
    4u /* a table is half full after doubling, and holds freed blocks too */

void hrn_pool_shadow_begin(struct hrn_pool_shadow *shadow, struct slm_pool *pool,
                           const struct slm_adapter_env *env)
{
    struct slm_pool_stats stats;
    slm_pool_get_stats(pool, &stats);
    *shadow = (struct hrn_pool_shadow){.pool = pool,
                                       .env = env,
                                       .pass_through = env->pool_shape->pass_through,
                                       .block_bytes = stats.block_bytes,
                                       .small_limit_bytes = stats.small_limit_bytes,
                                       .gap_bytes = stats.gap_bytes,
                                       .n_blocks_kept = stats.n_blocks};
    hrn_pool_shadow_lost_track(shadow);
}

static size_t extra_align(const struct slm_adapter_request *rq)
{
    bool aligned = rq->call == SLM_ADAPTER_CALL_ALLOC_ALIGNED && rq->align_bytes > SLM_POOL_ALIGN;
    return aligned ? rq->align_bytes : 0;
}

bool hrn_pool_shadow_is_large(const struct hrn_pool_shadow *shadow,
                              const struct slm_adapter_request *rq)
{
    size_t limit = shadow->small_limit_bytes;
    return rq->size_bytes > limit || extra_align(rq) > limit - rq->size_bytes;
}

/* The most bytes of a block that an object can take. */
static size_t rounded_bytes(const struct hrn_pool_shadow *shadow, size_t size_bytes)
{
    size_t with_gap = size_bytes + shadow->gap_bytes + SLM_POOL_ALIGN;
    return with_gap - with_gap % SLM_POOL_ALIGN;
}

void hrn_pool_shadow_granted(struct hrn_pool_shadow *shadow, const struct slm_adapter_request *rq)
{
    bool large = hrn_pool_shadow_is_large(shadow, rq);
    shadow->n_own += large || shadow->pass_through;
    if (large) {
        shadow->large_bytes += rq->size_bytes;
        shadow->n_large++;
    } else {
        size_t front =
            rq->call == SLM_ADAPTER_CALL_REUSE_GET ? REUSE_HEADER_BYTES : extra_align(rq);
        shadow->demand_bytes += rounded_bytes(shadow, rq->size_bytes + front);
    }
    if (shadow->n_large > shadow->n_large_peak) {
        shadow->n_large_peak = shadow->n_large;
    }
}

/* --- Room in used blocks --- */

#define ROOM_LEAST_BYTES 64u

static size_t room_bytes(const struct hrn_pool_room *room)
{
    return (size_t)(room->high - room->low);
}

static size_t count_used(const struct hrn_pool_shadow *shadow)
{
    struct slm_pool_stats seen;
    slm_pool_get_stats(shadow->pool, &seen);
    return seen.n_blocks - seen.n_blocks_fresh;
}

void hrn_pool_shadow_same_block(struct hrn_pool_shadow *shadow)
{
    shadow->current = (struct hrn_pool_room){shadow->pool->low, shadow->pool->high};
}

void hrn_pool_shadow_lost_track(struct hrn_pool_shadow *shadow)
{
    memset(shadow->left, 0, sizeof shadow->left);
    shadow->n_used = count_used(shadow);
    hrn_pool_shadow_same_block(shadow);
}

/* An upper bound of the free bytes that a small request takes from a block. */
static size_t taken_bytes(const struct hrn_pool_shadow *shadow,
                          const struct slm_adapter_request *rq)
{
    size_t front = rq->call == SLM_ADAPTER_CALL_REUSE_GET ? REUSE_HEADER_BYTES : extra_align(rq);
    return rounded_bytes(shadow, rq->size_bytes + front);
}

/* The request opened an empty block. */
static void check_no_room(const struct hrn_pool_shadow *shadow,
                          const struct slm_adapter_request *rq)
{
    size_t n_bytes = taken_bytes(shadow, rq);
    size_t least = 2 * n_bytes > ROOM_LEAST_BYTES ? 2 * n_bytes : ROOM_LEAST_BYTES;
    size_t most = room_bytes(&shadow->current) >= n_bytes ? SIZE_MAX : 0;
    for (unsigned i = 0; i < HRN_POOL_N_ROOMS; i++) {
        size_t bytes = room_bytes(&shadow->left[i]);
        most = bytes > most ? bytes : most;
    }
    if (most == SIZE_MAX) {
        shadow->env->fail(shadow->env,
                          "growth: %zu bytes open a block, though the current one has %zu free",
                          rq->size_bytes, room_bytes(&shadow->current));
    }
    if (most >= least) {
        shadow->env->fail(shadow->env,
                          "growth: %zu bytes open a block, though a used one has %zu free",
                          rq->size_bytes, most);
    }
}

/* p came from another block than the one that was current. */
static void note_switch(struct hrn_pool_shadow *shadow, const struct slm_adapter_request *rq,
                        const void *p)
{
    size_t n_used = count_used(shadow);
    if (n_used > shadow->n_used) {
        check_no_room(shadow, rq);
    }
    shadow->n_used = n_used;
    for (unsigned i = 0; i < HRN_POOL_N_ROOMS; i++) {
        struct hrn_pool_room *room = &shadow->left[i];
        bool is_here =
            (const unsigned char *)p >= room->low && (const unsigned char *)p < room->high;
        *room = is_here ? (struct hrn_pool_room){NULL, NULL} : *room;
    }
    shadow->left[shadow->n_left++ % HRN_POOL_N_ROOMS] = shadow->current;
}

void hrn_pool_shadow_placed(struct hrn_pool_shadow *shadow, const struct slm_adapter_request *rq,
                            const void *p)
{
    const struct slm_pool *pool = shadow->pool;
    const struct hrn_pool_room *old = &shadow->current;
    bool is_same = old->low <= pool->low && pool->high <= old->high;
    if (shadow->pass_through || is_same) {
        hrn_pool_shadow_same_block(shadow);
    } else if (hrn_pool_shadow_is_large(shadow, rq)) {
        hrn_pool_shadow_lost_track(shadow); /* its record may have opened a block */
    } else {
        note_switch(shadow, rq, p);
        hrn_pool_shadow_same_block(shadow);
    }
}

/* A handler that was refused because its record found no memory still counts: its data were live
 * for a moment. */
void hrn_pool_shadow_not_registered(struct hrn_pool_shadow *shadow, size_t data_bytes)
{
    struct slm_pool_stats seen;
    slm_pool_get_stats(shadow->pool, &seen);
    bool large = data_bytes > shadow->small_limit_bytes;
    if (large && seen.n_large_peak == shadow->n_large + 1) {
        shadow->n_large_peak = seen.n_large_peak;
    }
}

void hrn_pool_shadow_registered(struct hrn_pool_shadow *shadow, size_t data_bytes)
{
    const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_CLEANUP, data_bytes, 0};
    if (data_bytes > 0) {
        hrn_pool_shadow_granted(shadow, &rq);
    }
    shadow->n_cleanups++;
    shadow->n_own += shadow->pass_through;
    shadow->demand_bytes += HANDLER_BYTES;
}

/* The contract does not say how much the pool stores with a path. So the model reads in the
 * statistics whether the pool made a large block, and checks that against the length of the path.
 */
void hrn_pool_shadow_file(struct hrn_pool_shadow *shadow, size_t path_bytes)
{
    struct slm_pool_stats seen;
    slm_pool_get_stats(shadow->pool, &seen);
    bool large = seen.n_large != shadow->n_large;
    size_t limit = shadow->small_limit_bytes;
    size_t most = path_bytes + HRN_POOL_FILE_BYTES;
    size_t data = large ? seen.large_bytes - shadow->large_bytes : most < limit ? most : limit;
    if (large ? data <= path_bytes || data > most : path_bytes > limit) {
        shadow->env->fail(
            shadow->env, "statistics: a file cleanup with a path of %zu bytes takes %zu large ones",
            path_bytes, seen.large_bytes - shadow->large_bytes);
    }
    hrn_pool_shadow_registered(shadow, data);
    shadow->n_large_files += large;
}

/* In a pool of tiny blocks the record is a large block, until the next reset. */
void hrn_pool_shadow_child(struct hrn_pool_shadow *shadow)
{
    struct slm_pool_stats seen;
    slm_pool_get_stats(shadow->pool, &seen);
    size_t n = seen.n_large - shadow->n_large;
    size_t bytes = seen.large_bytes - shadow->large_bytes;
    if (n > 1 || bytes > HRN_POOL_CHILD_BYTES || (n == 1 && bytes <= shadow->small_limit_bytes)) {
        shadow->env->fail(shadow->env, "statistics: a child takes %zu large blocks of %zu bytes", n,
                          bytes);
    }
    if (n == 1) {
        const struct slm_adapter_request rq = {SLM_ADAPTER_CALL_CLEANUP, bytes, 0};
        hrn_pool_shadow_granted(shadow, &rq);
        shadow->n_large_files++;
    }
}

void hrn_pool_shadow_resized(struct hrn_pool_shadow *shadow, size_t new_bytes)
{
    shadow->demand_bytes += rounded_bytes(shadow, new_bytes);
}

void hrn_pool_shadow_freed(struct hrn_pool_shadow *shadow, const struct slm_adapter_request *rq)
{
    shadow->large_bytes -= rq->size_bytes;
    shadow->n_large--;
}

const char *hrn_pool_shadow_refused(const struct slm_adapter_request *rq,
                                    const struct slm_adapter_refusal *seen)
{
    size_t align = rq->align_bytes;
    bool bad_align = rq->call == SLM_ADAPTER_CALL_ALLOC_ALIGNED &&
                     (align == 0 || (align & (align - 1)) != 0 || align > SLM_POOL_ALIGN_MAX);
    bool absurd = rq->size_bytes > SIZE_MAX / 2 - SLM_POOL_ALIGN_MAX;
    return bad_align || absurd || seen->n_source_refusals > 0 ? NULL : "the source refused nothing";
}

static void compare(const struct hrn_pool_shadow *shadow, const char *what, size_t seen,
                    size_t want)
{
    if (seen != want) {
        shadow->env->fail(shadow->env, "statistics: %s is %zu, should be %zu", what, seen, want);
    }
}

static void check_growth(const struct hrn_pool_shadow *shadow, const struct slm_pool_stats *seen)
{
    size_t n_used = seen->n_blocks - seen->n_blocks_fresh;
    size_t demand = shadow->demand_bytes + RECORDS_BYTES;
    size_t n_needed = 2 * demand / shadow->small_limit_bytes + 2;
    if (n_used > n_needed) {
        shadow->env->fail(shadow->env, "growth: %zu blocks in use for %zu bytes of %zu a block",
                          n_used, demand, shadow->small_limit_bytes);
    }
    if (seen->n_blocks > shadow->n_blocks_kept && seen->n_blocks_fresh > 0) {
        shadow->env->fail(shadow->env,
                          "growth: %zu blocks, %zu at the last reset, and %zu of them not yet used",
                          seen->n_blocks, shadow->n_blocks_kept, seen->n_blocks_fresh);
    }
    if (shadow->n_own == 0 && seen->n_records > 0) {
        shadow->env->fail(shadow->env, "growth: %zu records, though there were no objects",
                          seen->n_records);
    }
    size_t n_objects = shadow->pass_through ? shadow->n_own : shadow->n_large_peak;
    if (seen->n_records > N_RECORDS_PER_OBJECT * n_objects + 2 * (size_t)N_RECORDS_MIN) {
        shadow->env->fail(shadow->env, "growth: %zu records, never more than %zu objects",
                          seen->n_records, n_objects);
    }
}

void hrn_pool_shadow_walk(struct hrn_pool_shadow *shadow)
{
    unsigned broken = slm_pool_check(shadow->pool);
    if (broken != 0) {
        shadow->env->fail(shadow->env, "self_check: slm_pool_check returns %u", broken);
    }
    struct slm_pool_stats seen;
    slm_pool_get_stats(shadow->pool, &seen);
    compare(shadow, "block_bytes", seen.block_bytes, shadow->block_bytes);
    compare(shadow, "n_large", seen.n_large, shadow->n_large);
    compare(shadow, "large_bytes", seen.large_bytes, shadow->large_bytes);
    compare(shadow, "n_large_peak", seen.n_large_peak, shadow->n_large_peak);
    compare(shadow, "n_cleanups", seen.n_cleanups, shadow->n_cleanups);
    compare(shadow, "source_bytes, its child pools' included",
            seen.source_bytes + shadow->child_bytes, *shadow->env->source_live_bytes);
    check_growth(shadow, &seen);
}

/* Each block is at most twice the one before, and has the first size if the source refused that. */
static bool can_be_blocks(const struct slm_pool_stats *seen)
{
    size_t most_bytes = 0;
    size_t bytes = seen->block_bytes;
    size_t n = seen->n_blocks;
    for (; n > 0 && bytes <= SLM_POOL_GROWN_MAX / 2; n--) {
        most_bytes += bytes;
        bytes *= 2;
    }
    most_bytes += n * bytes;
    return seen->source_bytes % seen->block_bytes == 0 && seen->source_bytes <= most_bytes &&
           seen->source_bytes >= seen->n_blocks * seen->block_bytes;
}

void hrn_pool_shadow_set_keep(struct hrn_pool_shadow *shadow, size_t keep_bytes)
{
    shadow->keep_bytes = keep_bytes;
    (void)slm_pool_set_keep(shadow->pool, keep_bytes);
}

/* No block in use goes, all that is too much goes, and one more block would be too much. */
static const char *judge_trim(const struct slm_pool_stats *before,
                              const struct slm_pool_stats *seen, size_t keep_bytes, bool is_any)
{
    size_t n_bytes = before->source_bytes - seen->source_bytes;
    size_t most_bytes =
        seen->block_bytes > SLM_POOL_GROWN_MAX ? seen->block_bytes : SLM_POOL_GROWN_MAX;
    if (seen->n_blocks - seen->n_blocks_fresh != before->n_blocks - before->n_blocks_fresh) {
        return "blocks in use";
    }
    if ((n_bytes != 0) != is_any || (seen->n_blocks != before->n_blocks) != is_any) {
        return "not what it says";
    }
    if (seen->n_blocks_fresh != 0 && seen->source_bytes > keep_bytes) {
        return "too little";
    }
    return is_any && keep_bytes >= most_bytes && seen->source_bytes < keep_bytes - most_bytes
               ? "too much"
               : NULL;
}

size_t hrn_pool_shadow_trim(struct hrn_pool_shadow *shadow, size_t keep_bytes)
{
    struct slm_pool_stats before;
    struct slm_pool_stats seen;
    slm_pool_get_stats(shadow->pool, &before);
    bool is_any = slm_pool_trim(shadow->pool, keep_bytes) == SLM_OK;
    slm_pool_get_stats(shadow->pool, &seen);
    const char *wrong = judge_trim(&before, &seen, keep_bytes, is_any);
    if (wrong != NULL) {
        shadow->env->fail(
            shadow->env,
            "growth: a trim gives %s back: %zu of %zu bytes in %zu of %zu blocks, to keep %zu",
            wrong, before.source_bytes - seen.source_bytes, before.source_bytes,
            before.n_blocks - seen.n_blocks, before.n_blocks, keep_bytes);
    }
    if (shadow->n_blocks_kept > seen.n_blocks) {
        shadow->n_blocks_kept = seen.n_blocks;
    }
    return before.source_bytes - seen.source_bytes;
}

void hrn_pool_shadow_reset(struct hrn_pool_shadow *shadow)
{
    struct slm_pool_stats seen;
    slm_pool_get_stats(shadow->pool, &seen);
    shadow->n_large = 0;
    shadow->large_bytes = 0;
    shadow->n_cleanups = 0;
    shadow->n_large_files = 0;
    shadow->n_own = 0;
    shadow->demand_bytes = 0;
    shadow->n_blocks_kept = seen.n_blocks;
    if (shadow->keep_bytes != 0 && seen.n_blocks > 1 && seen.source_bytes > shadow->keep_bytes) {
        shadow->env->fail(shadow->env, "growth: a reset keeps %zu bytes, more than %zu",
                          seen.source_bytes, shadow->keep_bytes);
    }
    if (seen.n_blocks_fresh != seen.n_blocks - 1 || seen.n_records != 0 || !can_be_blocks(&seen)) {
        shadow->env->fail(
            shadow->env,
            "pristine: %zu of %zu blocks not yet used, %zu records, %zu bytes from the source",
            seen.n_blocks_fresh, seen.n_blocks, seen.n_records, seen.source_bytes);
    }
    hrn_pool_shadow_walk(shadow);
}

HRN_QUIET_END
