/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/sched/zone_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocator/lock/handle.h"
#include "allocator/zone/handle.h"
#include "harness/sched/history.h"
#include "harness/sched/zone_account.h"
#include <slabmill/rbtree.h>

#define STEPS_MAX       4000u
#define TIMEOUT_MS      15u
#define PAGE_BYTES      4096u
#define JOURNAL_ENTRIES 512u
#define OUTSIDE         HRN_ACTORS_MAX /* the handle of HRN_NOBODY */

struct base {
    struct slm_rbtree tree;
    uint64_t counter;
};

struct item {
    struct slm_rbtree_node node;
    uint64_t key;
    uint64_t value;
};

/* An actor and its current turn. */
struct turn {
    const char *program;
    char wish; /* T, t or L: how the next lock is taken */
    bool has_lock;
    bool is_committing;
    struct hrn_sched_transaction *now; /* NULL: no turn */
    struct hrn_sched_event *event;
    uint64_t n_values;
};

static struct {
    struct hrn_sched_zone_program program;
    struct slm_zone *zones[HRN_ACTORS_MAX + 1];
    uint64_t base_offset;
    unsigned char *saved;
    size_t saved_bytes;
    struct turn turns[HRN_ACTORS_MAX + 1];
    const char *programs[HRN_ACTORS_MAX]; /* where each begins; up to | or the end */
    unsigned n_actors;
    unsigned holder;
    unsigned n_died;
    bool promise_died;
    unsigned n_ops;
    uint64_t clock;
    unsigned n_events;
    struct hrn_sched_event events[HRN_SCHED_EVENTS_MAX];
    struct hrn_sched_transaction transactions[HRN_SCHED_EVENTS_MAX];
} world;

/* --- The zone, through one handle --- */

static struct slm_journal *journal_of(unsigned self)
{
    return slm_zone_journal(world.zones[self]);
}

static struct base *base_of(unsigned self)
{
    return slm_journal_pointer(journal_of(self), world.base_offset);
}

static const struct item *item_of(const struct slm_rbtree_node *node)
{
    return (const struct item *)(const void *)node;
}

static int order_items(const struct slm_rbtree_node *a, const struct slm_rbtree_node *b)
{
    return item_of(a)->key < item_of(b)->key ? -1 : item_of(a)->key > item_of(b)->key;
}

static int compare_item(const void *key, const struct slm_rbtree_node *node)
{
    uint64_t wanted = *(const uint64_t *)key;
    return wanted < item_of(node)->key ? -1 : wanted > item_of(node)->key;
}

static struct item *find_item(unsigned self, uint64_t key)
{
    return (struct item *)(void *)slm_rbtree_find(journal_of(self), &base_of(self)->tree, &key,
                                                  compare_item);
}

static uint64_t put(unsigned self, uint64_t key, uint64_t value)
{
    struct slm_journal *journal = journal_of(self);
    struct item *item = find_item(self, key);
    if (item != NULL) {
        slm_journal_write(journal, &item->value, value);
        return HRN_SCHED_ANSWER_OLD;
    }
    item = slm_journal_calloc(journal, PAGE_BYTES);
    if (item == NULL) {
        return HRN_SCHED_ANSWER_FULL;
    }
    item->key = key;
    item->value = value;
    return slm_rbtree_insert(journal, &base_of(self)->tree, &item->node, order_items) == SLM_OK
               ? HRN_SCHED_ANSWER_NEW
               : 0;
}

static uint64_t delete (unsigned self, uint64_t key)
{
    struct item *item = find_item(self, key);
    if (item == NULL) {
        return HRN_SCHED_ANSWER_NONE;
    }
    uint64_t value = item->value;
    bool is_gone =
        slm_rbtree_remove(journal_of(self), &base_of(self)->tree, &item->node) == SLM_OK &&
        slm_journal_free(journal_of(self), item) == SLM_OK;
    return is_gone ? value : 0;
}

static uint64_t count_up(unsigned self)
{
    uint64_t old = base_of(self)->counter;
    slm_journal_write(journal_of(self), &base_of(self)->counter, old + 1);
    return old;
}

static uint64_t replace_root(unsigned self, uint64_t value)
{
    uint64_t *old = slm_zone_root_locked(world.zones[self]);
    uint64_t *cell = slm_journal_alloc(journal_of(self), PAGE_BYTES);
    if (cell == NULL) {
        return HRN_SCHED_ANSWER_FULL;
    }
    *cell = value;
    uint64_t was = old == NULL ? 0 : *old;
    bool is_set = slm_zone_set_root_locked(world.zones[self], cell) == SLM_OK &&
                  (old == NULL || slm_journal_free(journal_of(self), old) == SLM_OK);
    return is_set ? was : HRN_SCHED_NEVER;
}

static void read_all(unsigned self, struct hrn_sched_account *account)
{
    const uint64_t *root = slm_zone_root_locked(world.zones[self]);
    struct slm_slab_stats stats;
    slm_slab_get_stats(slm_zone_slab(world.zones[self]), &stats);
    for (uint64_t key = 0; key < HRN_SCHED_KEYS; key++) {
        const struct item *item = find_item(self, key);
        account->values[key] = item == NULL ? 0 : item->value;
    }
    account->counter = base_of(self)->counter;
    account->root = root == NULL ? 0 : *root;
    account->n_pages = world.program.n_pages;
    account->n_used = world.program.n_pages - stats.n_free_pages;
}

static uint64_t do_op(unsigned self, char letter, uint64_t value)
{
    struct hrn_sched_account account;
    switch (letter) {
    case 'p':
    case 'q':
        return put(self, letter == 'q', value);
    case 'd':
    case 'e':
        return delete (self, letter == 'e');
    case 'a':
        return count_up(self);
    case 'r':
        return replace_root(self, value);
    default:
        read_all(self, &account);
        return hrn_sched_digest(&account);
    }
}

/* --- Turns --- */

static void begin_transaction(unsigned self, uint64_t called_at)
{
    struct turn *turn = &world.turns[self];
    if (world.n_events == HRN_SCHED_EVENTS_MAX) {
        fprintf(stderr, "more than %u transactions\n", HRN_SCHED_EVENTS_MAX);
        abort();
    }
    turn->now = &world.transactions[world.n_events];
    turn->event = &world.events[world.n_events++];
    turn->is_committing = false;
    turn->now->n_ops = 0;
    turn->now->is_aborted = false;
    *turn->event = (struct hrn_sched_event){called_at, HRN_SCHED_NEVER, turn->now};
}

static enum slm_status lock(unsigned self)
{
    struct slm_zone *zone = world.zones[self];
    switch (world.turns[self].wish) {
    case 'T':
        return slm_zone_trylock(zone);
    case 't':
        return slm_zone_timedlock(zone, TIMEOUT_MS);
    default:
        return slm_zone_lock(zone);
    }
}

/* Returns whether the caller got the lock. */
static bool begin_turn(unsigned self)
{
    struct turn *turn = &world.turns[self];
    uint64_t called_at = ++world.clock;
    enum slm_status status = lock(self);
    enum slm_status refused = turn->wish == 'T' ? SLM_E_LOCKED : SLM_E_TIMEOUT;
    bool may_be_refused = turn->wish != 'L';
    turn->wish = 'L';
    if (status == SLM_OK) {
        if (world.holder != HRN_NOBODY && !hrn_sched_is_dead(world.holder)) {
            hrn_sched_fail("M1: an actor gets only an unowned lock or that of a dead owner");
        }
        world.holder = self;
        turn->has_lock = true;
        begin_transaction(self, called_at);
    } else if (!may_be_refused || status != refused) {
        hrn_sched_fail("S1: locking succeeds");
    }
    return turn->has_lock;
}

static void end_transaction(unsigned self, bool is_aborted)
{
    struct turn *turn = &world.turns[self];
    turn->now->is_aborted = is_aborted;
    turn->event->returned_at = ++world.clock;
    turn->now = NULL;
}

static void end_turn(unsigned self)
{
    struct turn *turn = &world.turns[self];
    turn->is_committing = true;
    turn->has_lock = false;
    world.holder = HRN_NOBODY;
    if (slm_zone_unlock(world.zones[self]) != SLM_OK) {
        hrn_sched_fail("S2: the holder can unlock");
    }
    end_transaction(self, false);
}

static void commit(unsigned self)
{
    world.turns[self].is_committing = true;
    if (slm_zone_commit_locked(world.zones[self]) != SLM_OK) {
        hrn_sched_fail("S2: the holder can commit if the journal had room");
    }
    end_transaction(self, false);
    begin_transaction(self, ++world.clock);
}

static void roll_back(unsigned self)
{
    slm_zone_abort_locked(world.zones[self]);
    end_transaction(self, true);
    begin_transaction(self, ++world.clock);
}

static void operate(unsigned self, char letter)
{
    struct turn *turn = &world.turns[self];
    if (!turn->has_lock && !begin_turn(self)) {
        return;
    }
    /* An actor that has the lock has a transaction. */
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    if (turn->now->n_ops == HRN_SCHED_OPS_MAX ||
        !slm_journal_has_room(journal_of(self), SLM_RBTREE_ENTRIES + 3)) {
        return;
    }
    uint64_t value = (uint64_t)(self + 1) * 100 + ++turn->n_values;
    uint64_t answer = do_op(self, letter, value);
    turn->now->ops[turn->now->n_ops++] = (struct hrn_sched_op){letter, value, answer};
    world.n_ops++;
}

static void step(unsigned self, char letter)
{
    struct turn *turn = &world.turns[self];
    if (letter == 'T' || letter == 't') {
        turn->wish = letter;
    } else if (strchr(".;!", letter) == NULL) {
        operate(self, letter);
    } else if (turn->has_lock && letter == '.') {
        end_turn(self);
    } else if (turn->has_lock && letter == ';') {
        commit(self);
    } else if (turn->has_lock) {
        roll_back(self);
    }
}

static void act(void *unused, unsigned self)
{
    (void)unused;
    for (const char *at = world.turns[self].program; *at != '\0' && *at != '|'; at++) {
        step(self, *at);
    }
    if (world.turns[self].has_lock) {
        end_turn(self);
    }
}

/* --- Laws --- */

/* A transaction that was not being committed never happened: removes it from the history. */
static void died(void *unused, unsigned actor)
{
    (void)unused;
    struct turn *turn = &world.turns[actor];
    world.n_died++;
    world.promise_died = true;
    if (turn->now != NULL && !turn->is_committing) {
        turn->now->n_ops = 0;
    }
}

static void stuck(void *unused)
{
    (void)unused;
    if (world.n_died == 0) {
        hrn_sched_fail("W3: no actor sleeps while the lock is free");
    }
}

static void judge_zone(void)
{
    struct slm_zone *zone = world.zones[OUTSIDE];
    struct slm_zone_stats stats;
    slm_zone_get_stats(zone, &stats);
    if (slm_journal_is_dirty(slm_zone_journal(zone))) {
        hrn_sched_fail("C1: the journal is empty");
    }
    if (slm_zone_check_locked(zone) != 0) {
        hrn_sched_fail("C1: the zone passes its check");
    }
    if (slm_rbtree_check(slm_zone_journal(zone), &base_of(OUTSIDE)->tree, order_items,
                         zone->fixed.slab_offset, stats.bytes) != 0) {
        hrn_sched_fail("C1: the tree passes its check");
    }
    if (world.n_died == 0 && (stats.n_recoveries | stats.n_undone | stats.n_finished) != 0) {
        hrn_sched_fail("N1: nothing is repaired if no actor died");
    }
}

static void end(void *unused)
{
    (void)unused;
    const struct hrn_sched_account empty = {.n_pages = world.program.n_pages};
    world.holder = HRN_NOBODY;
    if (!begin_turn(OUTSIDE)) {
        return;
    }
    judge_zone();
    operate(OUTSIDE, 'g');
    end_turn(OUTSIDE);
    if (hrn_sched_broken() == NULL &&
        !hrn_sched_is_linearisable(world.events, world.n_events, &empty, sizeof empty,
                                   hrn_sched_account_apply)) {
        hrn_sched_fail("L1: transactions are linearisable");
    }
}

/* --- Before a run --- */

static void begin(void *unused)
{
    (void)unused;
    memcpy(world.zones[OUTSIDE]->header, world.saved, world.saved_bytes);
    for (unsigned i = 0; i <= HRN_ACTORS_MAX; i++) {
        const char *text = i < HRN_ACTORS_MAX ? world.programs[i] : "";
        world.turns[i] = (struct turn){.wish = 'L', .program = text};
    }
    world.holder = HRN_NOBODY;
    world.n_died = 0;
    world.promise_died = false;
    world.n_ops = 0;
    world.clock = 0;
    world.n_events = 0;
}

static void expect(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "no zone to work with: expected %s\n", what);
        abort();
    }
}

/* A mapping for each actor, and one for HRN_NOBODY. */
static void open_zone(void)
{
    struct slm_error error;
    struct slm_zone_options options = {
        .name = "schedules",
        .bytes = SLM_ZONE_BYTES_MIN,
        .journal_entries = JOURNAL_ENTRIES,
        .segment = {.kind = SLM_SEGMENT_MEMFD},
    };
    expect(slm_zone_create(&world.zones[OUTSIDE], &options, &error) == SLM_OK, error.text);
    struct slm_zone_attach_options attach = {
        .segment = {.kind = SLM_SEGMENT_MEMFD,
                    .id = slm_segment_id(slm_zone_segment(world.zones[OUTSIDE]))},
    };
    for (unsigned i = 0; i < HRN_ACTORS_MAX; i++) {
        expect(slm_zone_attach(&world.zones[i], &attach, &error) == SLM_OK, error.text);
    }
    for (unsigned i = 0; i <= HRN_ACTORS_MAX; i++) {
        slm_zone_lock_handle(world.zones[i])->spins = 0;
    }
}

static size_t n_free_pages(void)
{
    struct slm_slab_stats stats;
    slm_slab_get_stats(slm_zone_slab(world.zones[OUTSIDE]), &stats);
    return stats.n_free_pages;
}

/* Makes an empty tree, and an object that leaves n_pages free. */
static void furnish(unsigned n_pages)
{
    struct slm_zone *zone = world.zones[OUTSIDE];
    expect(slm_zone_lock(zone) == SLM_OK, "its lock");
    expect(slm_zone_reset_locked(zone) == SLM_OK, "a reset");
    void *base = slm_journal_calloc(slm_zone_journal(zone), PAGE_BYTES);
    expect(base != NULL && n_free_pages() > n_pages, "pages");
    world.base_offset = slm_journal_offset(slm_zone_journal(zone), base);
    size_t fill_bytes = (n_free_pages() - n_pages) * PAGE_BYTES;
    expect(slm_journal_alloc(slm_zone_journal(zone), fill_bytes) != NULL,
           "an object that fills it");
    expect(slm_zone_commit_locked(zone) == SLM_OK, "a commit");
    expect(n_free_pages() == n_pages, "as many pages as wanted");
    expect(slm_zone_unlock(zone) == SLM_OK, "its lock");
}

static void prepare(unsigned n_pages)
{
    if (world.zones[OUTSIDE] == NULL) {
        open_zone();
        world.saved_bytes = slm_segment_bytes(slm_zone_segment(world.zones[OUTSIDE]));
        world.saved = malloc(world.saved_bytes);
        expect(world.saved != NULL, "memory");
        memcpy(world.saved, world.zones[OUTSIDE]->header, world.saved_bytes);
    }
    memcpy(world.zones[OUTSIDE]->header, world.saved, world.saved_bytes);
    furnish(n_pages);
    memcpy(world.saved, world.zones[OUTSIDE]->header, world.saved_bytes);
}

unsigned hrn_sched_zone_n_ops(void)
{
    return world.n_ops;
}

struct hrn_sched_search hrn_sched_zone_search(const struct hrn_sched_zone_program *program)
{
    prepare(program->n_pages);
    world.program = *program;
    const struct hrn_sched_search calls = {
        .run = {.body = act, .died = died, .stuck = stuck},
        .begin = begin,
        .end = end,
    };
    const struct hrn_sched_limits limits = {program->n_preemptions, program->n_deaths, STEPS_MAX,
                                            program->early_timers};
    struct hrn_sched_search search =
        hrn_sched_search_of(&calls, program->text, world.programs, limits);
    world.n_actors = search.run.n_actors;
    return search;
}
