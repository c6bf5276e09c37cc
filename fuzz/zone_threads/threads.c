/* SPDX-License-Identifier: Apache-2.0 */
/* Threads on one zone: worlds, the threads, the checks when all have ended. */
#include "fuzz/zone_threads/threads.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "fuzz/common/folder.h"
#include "fuzz/common/fuzz.h"
#include "fuzz/zone_threads/state.h"

enum { N_WORLDS = 4, RECORD_BYTES = 8, N_LOG_ENTRIES = 512, LOW_BYTES = 4096 };

/* A zone, mapped twice, with the content that every input starts from; made again after it grew. */
struct world {
    struct slm_zone *zones[2];
    unsigned char pristine[THREADS_BYTES];
};

static struct world worlds[N_WORLDS];
static struct thread threads[THREADS_MAX];
static struct hrn_threads_counts totals;

const struct hrn_threads_counts *hrn_threads_totals(void)
{
    return &totals;
}

bool hrn_threads_kind(unsigned idx, struct hrn_fuzz_kind *kind)
{
    if (idx >= HRN_THREADS_COUNT) {
        return false;
    }
    *kind = (struct hrn_fuzz_kind){hrn_threads_op_name(idx), totals.n_kind[idx]};
    return true;
}

/* --- Worlds --- */

static unsigned char *base_of(struct slm_zone *zone)
{
    return slm_segment_base(slm_zone_segment(zone));
}

static void make_root(struct slm_zone *zone)
{
    if (slm_zone_lock(zone) != SLM_OK) {
        hrn_zone_law_made("no lock");
    }
    void *root = slm_journal_calloc(slm_zone_journal(zone), sizeof(struct threads_shared));
    if (root == NULL || slm_zone_set_root_locked(zone, root) != SLM_OK) {
        hrn_zone_law_made("no root");
    }
    (void)slm_zone_unlock(zone);
}

static void make_world(struct world *world, unsigned settings)
{
    struct slm_zone_options options = {
        .name = "threads",
        .bytes = THREADS_BYTES,
        .max_bytes = THREADS_MAX_BYTES,
        .journal_entries = N_LOG_ENTRIES,
        .lock_kind = (settings & 1u) != 0 ? SLM_LOCK_SPIN_SEM : SLM_LOCK_ROBUST,
        .slab = {.per_doubling = (settings & 2u) != 0 ? 8 : 1},
        .segment = {.kind = SLM_SEGMENT_MEMFD},
    };
    struct slm_zone_attach_options again = {.segment = {.kind = SLM_SEGMENT_MEMFD}};
    struct slm_error error;
    if (slm_zone_create(&world->zones[0], &options, &error) != SLM_OK) {
        hrn_zone_law_made("%s", error.text);
    }
    again.segment.id = slm_segment_id(slm_zone_segment(world->zones[0]));
    if (slm_zone_attach(&world->zones[1], &again, &error) != SLM_OK) {
        hrn_zone_law_made("%s", error.text);
    }
    make_root(world->zones[0]);
    memcpy(world->pristine, base_of(world->zones[0]), THREADS_BYTES);
}

static void end_world(struct world *world)
{
    for (unsigned i = 0; i < 2; i++) {
        slm_zone_detach(world->zones[i]);
        world->zones[i] = NULL;
    }
}

static struct world *begin_world(unsigned settings)
{
    struct world *world = &worlds[settings];
    if (world->zones[0] == NULL) {
        make_world(world, settings);
    }
    memcpy(base_of(world->zones[0]), world->pristine, THREADS_BYTES);
    return world;
}

/* --- The threads: made once; the caller is thread 0 --- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t go;
    pthread_cond_t done;
    uint64_t n_inputs;
    unsigned n_threads; /* of this input */
    unsigned n_running;
    unsigned n_arrived; /* atomic */
    bool is_made;
} crew = {.mutex = PTHREAD_MUTEX_INITIALIZER,
          .go = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER};

/* No thread begins before all are ready; otherwise the first would end before the last is awake. */
static void run_together(struct thread *thread)
{
    __atomic_fetch_add(&crew.n_arrived, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&crew.n_arrived, __ATOMIC_ACQUIRE) < crew.n_threads) {
        sched_yield();
    }
    hrn_thread_run(thread);
}

static void *work(void *data)
{
    struct thread *thread = data;
    uint64_t n_seen = 0;
    for (;;) {
        pthread_mutex_lock(&crew.mutex);
        while (crew.n_inputs == n_seen) {
            pthread_cond_wait(&crew.go, &crew.mutex);
        }
        n_seen = crew.n_inputs;
        bool takes_part = thread->idx < crew.n_threads;
        pthread_mutex_unlock(&crew.mutex);
        if (takes_part) {
            run_together(thread);
            pthread_mutex_lock(&crew.mutex);
            crew.n_running--;
            pthread_cond_signal(&crew.done);
            pthread_mutex_unlock(&crew.mutex);
        }
    }
    return NULL;
}

static void make_crew(void)
{
    for (unsigned i = 0; i < THREADS_MAX; i++) {
        pthread_t thread;
        threads[i].idx = i;
        if (i > 0 && (pthread_create(&thread, NULL, work, &threads[i]) != 0 ||
                      pthread_detach(thread) != 0)) {
            hrn_zone_law_made("no thread %u", i);
        }
    }
    crew.is_made = true;
}

static void run_all(unsigned n_threads)
{
    pthread_mutex_lock(&crew.mutex);
    crew.n_threads = n_threads;
    crew.n_running = n_threads - 1;
    crew.n_inputs++;
    __atomic_store_n(&crew.n_arrived, 0, __ATOMIC_RELEASE);
    pthread_cond_broadcast(&crew.go);
    pthread_mutex_unlock(&crew.mutex);
    run_together(&threads[0]);
    pthread_mutex_lock(&crew.mutex);
    while (crew.n_running > 0) {
        pthread_cond_wait(&crew.done, &crew.mutex);
    }
    pthread_mutex_unlock(&crew.mutex);
}

/* --- What must hold --- */

void hrn_threads_expect_sound(struct slm_zone *zone)
{
    struct slm_journal *journal = slm_zone_journal(zone);
    struct threads_shared *shared = slm_zone_root_locked(zone);
    struct slm_zone_stats stats;
    slm_zone_get_stats(zone, &stats);
    unsigned broken = slm_zone_check_locked(zone);
    if (broken != 0) {
        hrn_zone_law_sound("invariant %u of the zone", broken);
    }
    broken = slm_rbtree_check(journal, &shared->tree, hrn_threads_order, LOW_BYTES, stats.bytes);
    if (broken != 0) {
        hrn_zone_law_shared("invariant %u of the tree", broken);
    }
    broken = slm_lru_check(journal, &shared->list, LOW_BYTES, stats.bytes);
    if (broken != 0) {
        hrn_zone_law_shared("invariant %u of the list", broken);
    }
    if (stats.n_recoveries != 0) {
        hrn_zone_law_repairs("%" PRIu64 ", though no thread died", stats.n_recoveries);
    }
}

void hrn_threads_expect_walks(struct slm_zone *zone)
{
    const struct slm_journal *journal = slm_zone_journal(zone);
    const struct threads_shared *shared = slm_zone_root_locked(zone);
    const struct slm_rbtree_node *last = NULL;
    const struct slm_rbtree_node *node = slm_rbtree_first(journal, &shared->tree);
    uint64_t n = 0;
    for (; node != NULL && n <= shared->tree.n_nodes; n++) {
        if (last != NULL && hrn_threads_order(last, node) >= 0) {
            hrn_zone_law_shared("node %" PRIu64 " is not above the one before", n);
        }
        last = node;
        node = slm_rbtree_next(journal, node);
    }
    const struct slm_lru_node *used = slm_lru_newest(journal, &shared->list);
    uint64_t n_used = 0;
    for (; used != NULL && n_used <= shared->list.n_nodes; n_used++) {
        used = slm_lru_older(journal, used);
    }
    if (n != shared->tree.n_nodes || n_used != shared->list.n_nodes) {
        hrn_zone_law_shared("walks see %" PRIu64 " of %" PRIu64 " and %" PRIu64 " of %" PRIu64, n,
                            shared->tree.n_nodes, n_used, shared->list.n_nodes);
    }
}

struct sum {
    uint64_t n_objects;
    uint64_t n_entries;
    uint64_t n_in_list;
    uint64_t n_counted;
};

static void add_account(struct sum *sum, const struct thread_account *account)
{
    for (unsigned i = 0; i < THREADS_N_SLOTS; i++) {
        sum->n_objects += account->slots[i].is_live;
    }
    for (unsigned i = 0; i < THREADS_N_ENTRIES; i++) {
        bool is_live = account->entries[i].is_live;
        sum->n_entries += is_live;
        sum->n_in_list += is_live && account->entries[i].is_in_list;
    }
    sum->n_counted += account->n_counted;
}

static void expect_sum(struct slm_zone *zone, const struct sum *sum)
{
    const struct threads_shared *shared = slm_zone_root_locked(zone);
    size_t n_objects = hrn_zone_count_objects(slm_zone_slab(zone));
    if (n_objects != 1 + sum->n_objects + sum->n_entries) {
        hrn_zone_law_count("%zu objects, expected the root, %" PRIu64 " and %" PRIu64 " entries",
                           n_objects, sum->n_objects, sum->n_entries);
    }
    if (shared->tree.n_nodes != sum->n_entries || shared->list.n_nodes != sum->n_in_list) {
        hrn_zone_law_shared(
            "%" PRIu64 " in the tree, %" PRIu64 " in the list, expected %" PRIu64 " and %" PRIu64,
            shared->tree.n_nodes, shared->list.n_nodes, sum->n_entries, sum->n_in_list);
    }
    if (shared->counters[0] != sum->n_counted || shared->counters[1] != sum->n_counted) {
        hrn_zone_law_shared("counters %" PRIu64 " and %" PRIu64 ", expected %" PRIu64,
                            shared->counters[0], shared->counters[1], sum->n_counted);
    }
}

static void expect_whole(struct world *world, unsigned n_threads)
{
    struct sum sum = {0};
    for (unsigned i = 0; i < n_threads; i++) {
        hrn_thread_expect_own(&threads[i]);
        add_account(&sum, &threads[i].committed);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct slm_zone *zone = world->zones[i];
        if (slm_zone_lock(zone) != SLM_OK) {
            hrn_zone_law_answer("the lock cannot be taken when all have ended");
        }
        hrn_threads_expect_sound(zone);
        hrn_threads_expect_walks(zone);
        expect_sum(zone, &sum);
        (void)slm_zone_unlock(zone);
    }
}

/* --- Inputs --- */

static void begin_threads(const struct world *world, unsigned n_threads, bool one_mapping)
{
    for (unsigned i = 0; i < n_threads; i++) {
        struct thread *thread = &threads[i];
        thread->zone = world->zones[one_mapping ? 0 : i % 2];
        thread->n_ops = 0;
        thread->is_holder = thread->has_grown = false;
        memset(&thread->working, 0, sizeof thread->working);
        thread->committed = thread->working;
        thread->next_stamp = 0;
        memset(&thread->counts, 0, sizeof thread->counts);
    }
}

static void decode(const uint8_t *record, unsigned n_threads)
{
    struct thread *thread = &threads[record[1] % n_threads];
    struct threads_op *op = &thread->ops[thread->n_ops++];
    op->kind = (enum hrn_threads_op)(record[0] % HRN_THREADS_COUNT);
    op->slot = record[2];
    op->extra = record[3];
    memcpy(&op->value, record + 4, sizeof op->value);
}

/* True if the zone grew. */
static bool add_totals(unsigned n_threads)
{
    bool has_grown = false;
    totals.n_inputs_of[n_threads]++;
    for (unsigned i = 0; i < n_threads; i++) {
        const struct hrn_threads_counts *counts = &threads[i].counts;
        for (unsigned kind = 0; kind < HRN_THREADS_COUNT; kind++) {
            totals.n_kind[kind] += counts->n_kind[kind];
        }
        totals.n_refused += counts->n_refused;
        totals.n_full += counts->n_full;
        totals.n_aborted += counts->n_aborted;
        totals.n_copied += counts->n_copied;
        totals.n_given_back += counts->n_given_back;
        has_grown |= threads[i].has_grown;
    }
    return has_grown;
}

int hrn_fuzz_zone_threads(const uint8_t *bytes, size_t n_bytes)
{
    static const unsigned n_threads_of[4] = {2, 3, 4, 2};
    uint8_t head = n_bytes == 0 ? 0 : bytes[0];
    unsigned n_threads = n_threads_of[head & 3u];
    struct world *world = begin_world(head >> 2 & 3u);
    uint64_t n_ops = 0;
    if (!crew.is_made) {
        make_crew();
    }
    if (hrn_fuzz_folder() == NULL) { /* for copies; threads do not make it */
        hrn_zone_law_made("no folder: %s", strerror(errno));
    }
    begin_threads(world, n_threads, (head & 16u) != 0);
    for (size_t at = 1; at + RECORD_BYTES <= n_bytes && n_ops < THREADS_N_OPS; n_ops++) {
        decode(bytes + at, n_threads);
        at += RECORD_BYTES;
    }
    run_all(n_threads);
    expect_whole(world, n_threads);
    if (add_totals(n_threads)) {
        end_world(world);
    }
    hrn_fuzz_count(n_ops + 1);
    return 0;
}
