/* SPDX-License-Identifier: Apache-2.0 */
/* Leaky buckets in a zone. */
#include "examples/limit_req/limit_req.h"

/* In shared memory; the key follows it. */
struct bucket {
    struct slm_keyed_entry keyed; /* first */
    uint64_t excess_milli;
    uint64_t last_ms; /* when the excess was counted */
};

static const struct slm_keyed_kind kind = {
    .magic = UINT64_C(0x6c696d5f72657101),
    .head_bytes = sizeof(struct slm_keyed),
    .entry_bytes = sizeof(struct bucket),
    .journal_entries = SLM_KEYED_INSERT_ENTRIES + 8,
};

#define REQUEST_MILLI 1000u
#define CLOCK_SET_MS  60000u /* a clock that goes back further than that was set */
#define IDLE_MAX      2u     /* idle keys dropped for each new key */

enum slm_status slm_limit_req_init_locked(struct slm_zone *zone)
{
    return slm_keyed_init_locked(zone, &kind);
}

enum slm_status slm_limit_req_init(struct slm_zone *zone)
{
    return slm_keyed_init(zone, &kind);
}

static uint64_t elapsed_ms(const struct bucket *bucket, uint64_t now_ms)
{
    if (now_ms >= bucket->last_ms) {
        return now_ms - bucket->last_ms;
    }
    return bucket->last_ms - now_ms > CLOCK_SET_MS ? 1 : 0;
}

/* How much of an excess the rate drains in that time. An excess is below 2^33, so a product that
 * would wrap drains all of it. */
static uint64_t drain_milli(const struct slm_limit_req_rule *rule, uint64_t time_ms)
{
    return time_ms > UINT64_MAX / rule->rate_milli ? UINT64_MAX
                                                   : time_ms * rule->rate_milli / 1000u;
}

static bool is_idle(const struct bucket *bucket, const struct slm_limit_req_rule *rule,
                    uint64_t now_ms)
{
    uint64_t away_ms =
        now_ms > bucket->last_ms ? now_ms - bucket->last_ms : bucket->last_ms - now_ms;
    return away_ms >= SLM_LIMIT_REQ_IDLE_MS && drain_milli(rule, away_ms) >= bucket->excess_milli;
}

/* Runs as its own transaction: memory is not free before the commit. */
static bool drop(const struct slm_keyed_view *view, struct slm_keyed_entry *entry,
                 uint64_t *counter)
{
    slm_keyed_remove(view, entry);
    slm_keyed_count(view, counter);
    return slm_keyed_commit(view);
}

static void expire(const struct slm_keyed_view *view, const struct slm_limit_req_rule *rule,
                   uint64_t now_ms)
{
    for (unsigned i = 0; i < IDLE_MAX; i++) {
        struct slm_keyed_entry *entry = slm_keyed_oldest(view);
        if (entry == NULL || !is_idle((const struct bucket *)entry, rule, now_ms) ||
            !drop(view, entry, &view->head->n_expired)) {
            return;
        }
    }
}

/* For slm_zone_alloc_evicting_locked: drops the oldest key, idle or not. */
static bool evict_oldest(struct slm_zone *zone, void *data)
{
    const struct slm_keyed_view *view = data;
    struct slm_keyed_entry *entry = slm_keyed_oldest(view);
    (void)zone;
    if (entry == NULL) {
        return false;
    }
    slm_keyed_remove(view, entry);
    slm_keyed_count(view, &view->head->n_evicted);
    return true;
}

static enum slm_status create(struct slm_keyed_view *view, const struct slm_key *key,
                              const struct slm_limit_req_rule *rule, uint64_t now_ms)
{
    enum slm_status status;
    expire(view, rule, now_ms);
    struct slm_keyed_entry *entry =
        slm_keyed_alloc_evicting(view, &kind, key, 0, evict_oldest, view, &status);
    if (entry != NULL) {
        ((struct bucket *)entry)->last_ms = now_ms;
        slm_keyed_insert(view, entry);
    }
    return status;
}

/* Counts as nginx does: an excess that would be below 0 is 0. */
static void judge(const struct bucket *bucket, const struct slm_limit_req_rule *rule,
                  uint64_t now_ms, struct slm_limit_req_verdict *verdict)
{
    uint64_t gone = drain_milli(rule, elapsed_ms(bucket, now_ms));
    uint64_t with_one = bucket->excess_milli + REQUEST_MILLI;
    uint64_t excess = gone >= with_one ? 0 : with_one - gone;
    verdict->is_limited = excess > rule->burst_milli;
    verdict->excess_milli = excess > UINT32_MAX ? UINT32_MAX : (uint32_t)excess;
}

static void count(const struct slm_keyed_view *view, struct bucket *bucket,
                  const struct slm_limit_req_rule *rule, uint64_t now_ms,
                  struct slm_limit_req_verdict *verdict)
{
    slm_keyed_touch(view, &bucket->keyed);
    judge(bucket, rule, now_ms, verdict);
    if (verdict->is_limited) {
        return;
    }
    (void)slm_journal_write(view->journal, &bucket->excess_milli, verdict->excess_milli);
    if (elapsed_ms(bucket, now_ms) != 0) {
        (void)slm_journal_write(view->journal, &bucket->last_ms, now_ms);
    }
}

/* The common start of hit and peek. SLM_OK: the lock is held. */
static enum slm_status enter(struct slm_keyed_view *view, struct slm_zone *zone,
                             const struct slm_key *key, const struct slm_limit_req_rule *rule,
                             struct slm_keyed_entry **entry)
{
    if (rule == NULL) {
        return SLM_E_NULL;
    }
    if (rule->rate_milli == 0) {
        return SLM_E_OPTION;
    }
    enum slm_status status = slm_keyed_enter(view, zone, &kind);
    if (status == SLM_OK) {
        *entry = slm_keyed_find(view, key);
    }
    return status;
}

enum slm_status slm_limit_req_hit(struct slm_zone *zone, const void *key, size_t key_bytes,
                                  const struct slm_limit_req_rule *rule, uint64_t now_ms,
                                  struct slm_limit_req_verdict *verdict)
{
    struct slm_keyed_view view;
    struct slm_keyed_entry *entry;
    struct slm_key wanted;
    enum slm_status status = verdict == NULL ? SLM_E_NULL : slm_key_init(&wanted, key, key_bytes);
    if (status == SLM_OK) {
        status = enter(&view, zone, &wanted, rule, &entry);
    }
    if (status != SLM_OK) {
        return status;
    }
    *verdict = (struct slm_limit_req_verdict){0};
    if (entry == NULL) {
        status = create(&view, &wanted, rule, now_ms);
    } else {
        count(&view, (struct bucket *)entry, rule, now_ms, verdict);
    }
    return slm_keyed_leave(&view, status);
}

enum slm_status slm_limit_req_peek(struct slm_zone *zone, const void *key, size_t key_bytes,
                                   const struct slm_limit_req_rule *rule, uint64_t now_ms,
                                   struct slm_limit_req_verdict *verdict)
{
    struct slm_keyed_view view;
    struct slm_keyed_entry *entry;
    struct slm_key wanted;
    enum slm_status status = verdict == NULL ? SLM_E_NULL : slm_key_init(&wanted, key, key_bytes);
    if (status == SLM_OK) {
        status = enter(&view, zone, &wanted, rule, &entry);
    }
    if (status != SLM_OK) {
        return status;
    }
    *verdict = (struct slm_limit_req_verdict){0};
    if (entry != NULL) {
        judge((const struct bucket *)entry, rule, now_ms, verdict);
    }
    return slm_keyed_leave(&view, SLM_OK);
}

enum slm_status slm_limit_req_get_stats(struct slm_zone *zone, struct slm_keyed_stats *stats)
{
    return slm_keyed_get_stats(zone, &kind, stats);
}

unsigned slm_limit_req_check_locked(struct slm_zone *zone)
{
    struct slm_keyed_view view;
    unsigned broken = slm_keyed_check_head_locked(&view, zone, &kind);
    return broken != 0 ? broken : slm_keyed_check_entries_locked(&view, &kind, 0);
}
