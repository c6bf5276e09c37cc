/* SPDX-License-Identifier: Apache-2.0 */
/* Leaky buckets in a zone. */
#include "examples/limit_req/limit_req.h"

/* In shared memory; the key follows it. */
struct bucket {
    struct slm_table_entry entry; /* first */
    uint64_t excess_milli;
    uint64_t last_ms; /* when the excess was counted */
};

/* In shared memory. */
struct head {
    struct slm_keyed keyed; /* first */
    uint64_t n_passed;
    uint64_t n_limited;
};

static const struct slm_keyed_kind kind = {
    .magic = UINT64_C(0x6c696d5f72657102),
    .head_bytes = sizeof(struct head),
    .entry_bytes = sizeof(struct bucket),
    .journal_entries = SLM_TABLE_INSERT_ENTRIES + 9,
};

/* When memory is out, the oldest key goes, idle or not. */
static const struct slm_table_shape shape = {.entry_bytes = sizeof(struct bucket)};

#define REQUEST_MILLI 1000u
#define CLOCK_SET_MS  60000u /* a clock that goes back further than that was set */
#define IDLE_MAX      2u     /* idle keys dropped for each new key */

enum slm_status slm_limit_req_init_locked(struct slm_zone *zone)
{
    return slm_keyed_init_locked(zone, &kind);
}

enum slm_status slm_limit_req_init(struct slm_zone *zone)
{
    return slm_keyed_init(zone, slm_limit_req_init_locked);
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
    uint64_t product;
    return __builtin_mul_overflow(time_ms, rule->rate_milli, &product) ? UINT64_MAX
                                                                       : product / 1000u;
}

static bool is_idle(const struct bucket *bucket, const struct slm_limit_req_rule *rule,
                    uint64_t now_ms)
{
    uint64_t away_ms =
        now_ms > bucket->last_ms ? now_ms - bucket->last_ms : bucket->last_ms - now_ms;
    return away_ms >= SLM_LIMIT_REQ_IDLE_MS && drain_milli(rule, away_ms) >= bucket->excess_milli;
}

/* Runs as its own transaction: memory is not free before the commit. */
static bool drop_idle(const struct slm_keyed_view *view, struct slm_table_entry *entry)
{
    (void)slm_table_drop_locked(view->zone, view->table, entry);
    slm_keyed_count(view, &view->head->n_expired);
    return slm_keyed_commit(view);
}

/* After a key was added: the new one is not idle. */
static enum slm_status expire(const struct slm_keyed_view *view,
                              const struct slm_limit_req_rule *rule, uint64_t now_ms)
{
    for (unsigned i = 0; i < IDLE_MAX; i++) {
        struct slm_table_entry *entry = slm_table_oldest_locked(view->zone, view->table);
        if (entry == NULL || !is_idle((const struct bucket *)entry, rule, now_ms)) {
            break;
        }
        if ((i == 0 && !slm_keyed_commit(view)) || !drop_idle(view, entry)) {
            return SLM_E_FULL;
        }
    }
    return SLM_OK;
}

/* Counts as nginx does: an excess that would be below 0 is 0. */
static void judge(const struct bucket *bucket, const struct slm_limit_req_rule *rule,
                  uint64_t time_ms, struct slm_limit_req_verdict *verdict)
{
    uint64_t gone = drain_milli(rule, time_ms);
    uint64_t with_one = bucket->excess_milli + REQUEST_MILLI;
    uint64_t excess = gone >= with_one ? 0 : with_one - gone;
    verdict->is_limited = excess > rule->burst_milli;
    verdict->excess_milli = excess > UINT32_MAX ? UINT32_MAX : (uint32_t)excess;
}

/* The key is the newest already. */
static enum slm_status count(const struct slm_keyed_view *view, struct bucket *bucket,
                             const struct slm_limit_req_rule *rule, uint64_t now_ms,
                             struct slm_limit_req_verdict *verdict)
{
    uint64_t time_ms = elapsed_ms(bucket, now_ms);
    judge(bucket, rule, time_ms, verdict);
    if (verdict->is_limited) {
        return SLM_OK;
    }
    enum slm_status status =
        slm_journal_write(view->journal, &bucket->excess_milli, verdict->excess_milli);
    return status == SLM_OK && time_ms != 0
               ? slm_journal_write(view->journal, &bucket->last_ms, now_ms)
               : status;
}

/* What a hit does under the lock. Two calls have it inlined: out of line it would cost both. */
static inline __attribute__((always_inline)) enum slm_status
hit_locked(const struct slm_keyed_view *view, const struct slm_table_key *key,
           const struct slm_limit_req_rule *rule, uint64_t now_ms,
           struct slm_limit_req_verdict *verdict, bool is_counted)
{
    bool is_new;
    enum slm_status status;
    struct bucket *bucket = (struct bucket *)slm_table_get_locked(view->zone, view->table, key,
                                                                  &shape, &is_new, &status);
    if (bucket == NULL) {
        return status;
    }
    if (is_new) {
        bucket->last_ms = now_ms;
    } else {
        status = count(view, bucket, rule, now_ms, verdict);
    }
    if (is_counted && status == SLM_OK) {
        struct head *head = (struct head *)view->head;
        slm_keyed_count(view, verdict->is_limited ? &head->n_limited : &head->n_passed);
    }
    return is_new ? expire(view, rule, now_ms) : status;
}

/* The common start of hit and peek. SLM_OK: the lock is held. */
static enum slm_status enter(struct slm_keyed_view *view, struct slm_zone *zone,
                             struct slm_table_key *key, const void *bytes, size_t n_bytes,
                             const struct slm_limit_req_rule *rule)
{
    enum slm_status status = slm_table_key_init(key, bytes, n_bytes);
    if (status != SLM_OK) {
        return status;
    }
    if (rule == NULL) {
        return SLM_E_NULL;
    }
    return rule->rate_milli == 0 ? SLM_E_OPTION : slm_keyed_enter(view, zone, &kind);
}

static inline __attribute__((always_inline)) enum slm_status
hit(struct slm_zone *zone, const void *key, size_t key_bytes, const struct slm_limit_req_rule *rule,
    uint64_t now_ms, struct slm_limit_req_verdict *verdict, bool is_counted)
{
    struct slm_keyed_view view;
    struct slm_table_key wanted;
    enum slm_status status =
        verdict == NULL ? SLM_E_NULL : enter(&view, zone, &wanted, key, key_bytes, rule);
    if (status != SLM_OK) {
        return status;
    }
    *verdict = (struct slm_limit_req_verdict){0};
    return slm_keyed_leave(&view, hit_locked(&view, &wanted, rule, now_ms, verdict, is_counted));
}

enum slm_status slm_limit_req_hit(struct slm_zone *zone, const void *key, size_t key_bytes,
                                  const struct slm_limit_req_rule *rule, uint64_t now_ms,
                                  struct slm_limit_req_verdict *verdict)
{
    return hit(zone, key, key_bytes, rule, now_ms, verdict, false);
}

enum slm_status slm_limit_req_hit_counted(struct slm_zone *zone, const void *key, size_t key_bytes,
                                          const struct slm_limit_req_rule *rule, uint64_t now_ms,
                                          struct slm_limit_req_verdict *verdict)
{
    return hit(zone, key, key_bytes, rule, now_ms, verdict, true);
}

enum slm_status slm_limit_req_peek(struct slm_zone *zone, const void *key, size_t key_bytes,
                                   const struct slm_limit_req_rule *rule, uint64_t now_ms,
                                   struct slm_limit_req_verdict *verdict)
{
    struct slm_keyed_view view;
    struct slm_table_key wanted;
    enum slm_status status =
        verdict == NULL ? SLM_E_NULL : enter(&view, zone, &wanted, key, key_bytes, rule);
    if (status != SLM_OK) {
        return status;
    }
    *verdict = (struct slm_limit_req_verdict){0};
    const struct slm_table_entry *entry = slm_table_find_locked(zone, view.table, &wanted);
    if (entry != NULL) {
        const struct bucket *bucket = (const struct bucket *)entry;
        judge(bucket, rule, elapsed_ms(bucket, now_ms), verdict);
    }
    return slm_keyed_leave(&view, SLM_OK);
}

enum slm_status slm_limit_req_get_stats(struct slm_zone *zone, struct slm_keyed_stats *stats)
{
    return slm_keyed_get_stats(zone, &kind, stats);
}

enum slm_status slm_limit_req_get_counts(struct slm_zone *zone, struct slm_limit_req_counts *counts)
{
    struct slm_keyed_view view;
    enum slm_status status = counts == NULL ? SLM_E_NULL : slm_keyed_enter(&view, zone, &kind);
    if (status != SLM_OK) {
        return status;
    }
    const struct head *head = (const struct head *)view.head;
    *counts = (struct slm_limit_req_counts){
        .n_keys = view.table->by_key.n_nodes,
        .n_passed = head->n_passed,
        .n_limited = head->n_limited,
        .n_evicted = view.table->n_evicted,
        .n_expired = head->keyed.n_expired,
    };
    return slm_keyed_leave(&view, SLM_OK);
}

/* --- Into a zone of another size --- */

/* A transaction of `to`; others before it may drop older keys there. */
static enum slm_status copy_bucket(const struct slm_keyed_view *to, const struct bucket *bucket)
{
    struct slm_table_key key;
    enum slm_status status =
        slm_table_key_init(&key, slm_table_key_of(&bucket->entry), bucket->entry.key_bytes);
    if (status != SLM_OK) {
        return status;
    }
    struct bucket *copy =
        (struct bucket *)slm_table_get_locked(to->zone, to->table, &key, &shape, NULL, &status);
    if (copy == NULL) {
        return status;
    }
    copy->excess_milli = bucket->excess_milli;
    copy->last_ms = bucket->last_ms;
    return slm_zone_commit_locked(to->zone);
}

static void copy_counts(const struct slm_keyed_view *to, const struct slm_keyed_view *from)
{
    struct head *new_head = (struct head *)to->head;
    const struct head *head = (const struct head *)from->head;
    (void)slm_journal_write(to->journal, &new_head->n_passed, head->n_passed);
    (void)slm_journal_write(to->journal, &new_head->n_limited, head->n_limited);
    (void)slm_journal_write(to->journal, &new_head->keyed.n_expired, head->keyed.n_expired);
    (void)slm_journal_write(to->journal, &to->table->n_evicted,
                            to->table->n_evicted + from->table->n_evicted);
}

enum slm_status slm_limit_req_move(struct slm_zone *to, struct slm_zone *from, void *data)
{
    struct slm_keyed_view source;
    struct slm_keyed_view target;
    (void)data;
    if (!slm_keyed_look_locked(&source, from, &kind)) {
        return SLM_E_STATE;
    }
    enum slm_status status = slm_keyed_init_locked(to, &kind);
    if (status == SLM_OK) {
        status = slm_zone_commit_locked(to);
    }
    if (status != SLM_OK || !slm_keyed_look_locked(&target, to, &kind)) {
        return status != SLM_OK ? status : SLM_E_STATE;
    }
    const struct slm_table_entry *entry = slm_table_oldest_locked(from, source.table);
    while (entry != NULL && status == SLM_OK) {
        status = copy_bucket(&target, (const struct bucket *)entry);
        entry = slm_table_newer_locked(from, entry);
    }
    if (status == SLM_OK) {
        copy_counts(&target, &source);
    }
    return status;
}

unsigned slm_limit_req_check_locked(struct slm_zone *zone)
{
    struct slm_keyed_view view;
    unsigned broken = slm_keyed_check_head_locked(&view, zone, &kind);
    return broken != 0 ? broken : slm_keyed_check_entries_locked(&view, &kind, 0);
}
