/* SPDX-License-Identifier: Apache-2.0 */
/* A thread's operations, and its model of their effects. */
#include <inttypes.h>
#include <sched.h>

#include "fuzz/zone_threads/state.h"
#include "harness/failure/say.h"

enum { OBJECT_BYTES_MAX = 3000, PAUSES_MAX = 4, TIMEOUTS_MS = 3 };

const char *hrn_threads_op_name(enum hrn_threads_op op)
{
#define OP_NAME(name) #name,
    static const char *const names[HRN_THREADS_COUNT] = {HRN_THREADS_LIST(OP_NAME)};
#undef OP_NAME
    return names[op];
}

static void expect(struct thread *thread, const char *call, enum slm_status seen,
                   enum slm_status expected)
{
    if (seen != expected) {
        hrn_zone_law_answer("thread %u, %s: %s, expected %s", thread->idx, call,
                            slm_status_name(seen), slm_status_name(expected));
    }
    thread->counts.n_refused += expected != SLM_OK;
}

static struct slm_journal *journal_of(const struct thread *thread)
{
    return slm_zone_journal(thread->zone);
}

static struct threads_shared *shared_of(const struct thread *thread)
{
    return slm_zone_root_locked(thread->zone);
}

/* What a call that needs n entries must return. */
static enum slm_status answer_to_note(struct thread *thread, unsigned n)
{
    bool has = slm_journal_has_room(journal_of(thread), n);
    thread->counts.n_full += !has;
    return has ? SLM_OK : SLM_E_FULL;
}

/* True if a call found the journal full. Then nothing of the transaction is committed. */
static bool is_undone(struct thread *thread)
{
    if (slm_journal_has_room(journal_of(thread), 0)) {
        return false;
    }
    expect(thread, "commit of a refused transaction", slm_zone_commit_locked(thread->zone),
           SLM_E_FULL);
    expect(thread, "commit after it", slm_zone_commit_locked(thread->zone), SLM_OK);
    thread->working = thread->committed;
    return true;
}

/* --- Turns --- */

static void lock(struct thread *thread, const struct threads_op *op)
{
    enum slm_status expected = thread->is_holder ? SLM_E_HELD : SLM_OK;
    enum slm_status status;
    if (op->kind == HRN_THREADS_LOCK) {
        status = slm_zone_lock(thread->zone);
    } else if (op->kind == HRN_THREADS_TRY) {
        status = slm_zone_trylock(thread->zone);
        expected = status == SLM_E_LOCKED && !thread->is_holder ? SLM_E_LOCKED : expected;
    } else {
        status = slm_zone_timedlock(thread->zone, op->extra % TIMEOUTS_MS);
        expected = status == SLM_E_TIMEOUT && !thread->is_holder ? SLM_E_TIMEOUT : expected;
    }
    expect(thread, hrn_threads_op_name(op->kind), status, expected);
    thread->is_holder |= status == SLM_OK;
}

static void unlock(struct thread *thread, const struct threads_op *op)
{
    (void)op;
    expect(thread, "unlock", slm_zone_unlock(thread->zone),
           thread->is_holder ? SLM_OK : SLM_E_OWNER);
    if (thread->is_holder) {
        thread->is_holder = false;
        thread->committed = thread->working;
    }
}

static void commit(struct thread *thread, const struct threads_op *op)
{
    (void)op;
    expect(thread, "commit", slm_zone_commit_locked(thread->zone), SLM_OK);
    thread->committed = thread->working;
}

static void give_up(struct thread *thread, const struct threads_op *op)
{
    (void)op;
    thread->counts.n_aborted += slm_journal_is_dirty(journal_of(thread));
    slm_zone_abort_locked(thread->zone);
    thread->working = thread->committed;
}

/* --- Objects --- */

static uint32_t size_of(const struct threads_op *op)
{
    return (op->value % OBJECT_BYTES_MAX + 8) & ~UINT32_C(7);
}

static struct zone_slot *slot_of(struct thread *thread, const struct threads_op *op)
{
    return &thread->working.slots[op->slot % THREADS_N_SLOTS];
}

static uint64_t *words_of(const struct thread *thread, const struct zone_slot *slot)
{
    return slm_journal_pointer(journal_of(thread), slot->offset);
}

static uint64_t offset_inside(const struct thread *thread, const void *p, uint32_t n_bytes)
{
    uint64_t offset = slm_journal_offset(journal_of(thread), p);
    if (offset + n_bytes > THREADS_MAX_BYTES) {
        hrn_zone_law_outside("%" PRIu32 " bytes at %" PRIu64, n_bytes, offset);
    }
    return offset;
}

static void take_in(struct thread *thread, struct zone_slot *slot, void *p, uint32_t n_bytes)
{
    uint64_t offset = offset_inside(thread, p, n_bytes);
    uint64_t stamp = (uint64_t)thread->idx << 32 | ++thread->next_stamp;
    hrn_zone_slot_fill(slot, p, offset, n_bytes, stamp);
}

static void alloc(struct thread *thread, const struct threads_op *op)
{
    struct slm_journal *journal = journal_of(thread);
    struct zone_slot *slot = slot_of(thread, op);
    uint32_t n_bytes = size_of(op);
    void *p;
    if (slot->is_live) {
        return;
    }
    enum slm_status expected = answer_to_note(thread, 1);
    if (op->kind == HRN_THREADS_ALLOC) {
        p = slm_journal_alloc(journal, n_bytes);
    } else if (op->kind == HRN_THREADS_MEMALIGN) {
        p = slm_journal_memalign(journal, (size_t)8 << op->extra % 8u, n_bytes);
    } else {
        p = slm_journal_calloc(journal, n_bytes);
    }
    if (expected == SLM_E_FULL && p != NULL) {
        hrn_zone_law_answer("thread %u: an object without room to note it", thread->idx);
    }
    thread->counts.n_full += p == NULL;
    if (p != NULL && op->kind == HRN_THREADS_CALLOC) {
        hrn_zone_expect_zeroes(p, n_bytes);
    }
    if (!is_undone(thread) && p != NULL) {
        take_in(thread, slot, p, n_bytes);
    }
}

static void free_slot(struct thread *thread, const struct threads_op *op)
{
    struct zone_slot *slot = slot_of(thread, op);
    if (!slot->is_live) {
        return;
    }
    enum slm_status expected = answer_to_note(thread, 1);
    expect(thread, "free", slm_journal_free(journal_of(thread), words_of(thread, slot)), expected);
    expect(thread, "free again", slm_journal_free(journal_of(thread), words_of(thread, slot)),
           expected == SLM_OK ? SLM_E_FREED : SLM_E_FULL);
    if (!is_undone(thread)) {
        slot->is_live = false;
    }
}

static void write_word(struct thread *thread, const struct threads_op *op)
{
    struct zone_slot *slot = slot_of(thread, op);
    uint32_t idx = op->extra % ZONE_N_WORDS;
    if (!slot->is_live || idx >= slot->n_bytes / 8) {
        return;
    }
    enum slm_status expected = answer_to_note(thread, 1);
    expect(thread, "write",
           slm_journal_write(journal_of(thread), words_of(thread, slot) + idx, op->value),
           expected);
    if (!is_undone(thread)) {
        slot->words[idx] = op->value;
    }
}

static void save_words(struct thread *thread, const struct threads_op *op)
{
    struct zone_slot *slot = slot_of(thread, op);
    uint32_t n = slot->n_bytes / 8 < ZONE_N_WORDS ? slot->n_bytes / 8 : ZONE_N_WORDS;
    if (!slot->is_live) {
        return;
    }
    uint64_t *words = words_of(thread, slot);
    enum slm_status expected = answer_to_note(thread, n);
    expect(thread, "save", slm_journal_note_range(journal_of(thread), words, n * sizeof *words),
           expected);
    if (is_undone(thread)) {
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        words[i] = slot->words[i] = op->value + i;
    }
}

/* --- Shared data --- */

static void count(struct thread *thread, const struct threads_op *op)
{
    struct threads_shared *shared = shared_of(thread);
    (void)op;
    if (shared->counters[0] != shared->counters[1]) {
        hrn_zone_law_shared("counters %" PRIu64 " and %" PRIu64, shared->counters[0],
                            shared->counters[1]);
    }
    for (unsigned i = 0; i < 2; i++) {
        enum slm_status expected = answer_to_note(thread, 1);
        expect(thread, "write to a counter",
               slm_journal_write(journal_of(thread), &shared->counters[i], shared->counters[i] + 1),
               expected);
    }
    if (!is_undone(thread)) {
        thread->working.n_counted++;
    }
}

static struct entry_account *account_of(struct thread *thread, const struct threads_op *op)
{
    return &thread->working.entries[op->slot % THREADS_N_ENTRIES];
}

static struct threads_entry *entry_of(const struct thread *thread,
                                      const struct entry_account *account)
{
    return slm_journal_pointer(journal_of(thread), account->offset);
}

/* The entry is new in this turn, so its words need no undo entries. */
static void entry_add(struct thread *thread, const struct threads_op *op)
{
    struct entry_account *account = account_of(thread, op);
    struct threads_shared *shared = shared_of(thread);
    struct slm_journal *journal = journal_of(thread);
    if (account->is_live) {
        return;
    }
    struct threads_entry *entry = slm_journal_calloc(journal, sizeof *entry);
    if (entry == NULL) {
        thread->counts.n_full++;
        (void)is_undone(thread);
        return;
    }
    entry->key = (uint64_t)op->value << 32 | thread->idx << 24 | ++thread->next_stamp;
    entry->owner = thread->idx;
    enum slm_status expected = answer_to_note(thread, SLM_RBTREE_ENTRIES);
    expect(thread, "insert",
           slm_rbtree_insert(journal, &shared->tree, &entry->node, hrn_threads_order), expected);
    expect(thread, "insert again",
           slm_rbtree_insert(journal, &shared->tree, &entry->node, hrn_threads_order),
           expected == SLM_OK ? SLM_E_DUPLICATE : SLM_E_FULL);
    expected = answer_to_note(thread, SLM_LRU_ENTRIES);
    expect(thread, "list insert", slm_lru_insert(journal, &shared->list, &entry->used), expected);
    uint64_t key = entry->key;
    if (!is_undone(thread)) {
        *account = (struct entry_account){true, true, slm_journal_offset(journal, entry), key};
    }
}

static void entry_remove(struct thread *thread, const struct threads_op *op)
{
    struct entry_account *account = account_of(thread, op);
    struct threads_shared *shared = shared_of(thread);
    struct slm_journal *journal = journal_of(thread);
    if (!account->is_live) {
        return;
    }
    struct threads_entry *entry = entry_of(thread, account);
    enum slm_status expected = answer_to_note(thread, SLM_RBTREE_ENTRIES);
    expect(thread, "delete", slm_rbtree_remove(journal, &shared->tree, &entry->node), expected);
    expected = account->is_in_list ? answer_to_note(thread, SLM_LRU_ENTRIES) : SLM_E_NOT_MEMBER;
    expect(thread, "list remove", slm_lru_remove(journal, &shared->list, &entry->used), expected);
    expected = answer_to_note(thread, 1);
    expect(thread, "free of an entry", slm_journal_free(journal, entry), expected);
    if (!is_undone(thread)) {
        account->is_live = false;
    }
}

static void list_change(struct thread *thread, const struct threads_op *op)
{
    struct entry_account *account = account_of(thread, op);
    struct slm_lru *list = &shared_of(thread)->list;
    struct slm_journal *journal = journal_of(thread);
    bool was_in = account->is_in_list;
    if (!account->is_live) {
        return;
    }
    struct slm_lru_node *used = &entry_of(thread, account)->used;
    enum slm_status noted = answer_to_note(thread, SLM_LRU_ENTRIES);
    if (op->kind == HRN_THREADS_LIST_IN) {
        expect(thread, "list insert", slm_lru_insert(journal, list, used),
               was_in ? SLM_E_DUPLICATE : noted);
        account->is_in_list = true;
    } else if (op->kind == HRN_THREADS_LIST_OUT) {
        expect(thread, "list remove", slm_lru_remove(journal, list, used),
               was_in ? noted : SLM_E_NOT_MEMBER);
        account->is_in_list = false;
    } else {
        expect(thread, "touch", slm_lru_touch(journal, list, used),
               was_in ? noted : SLM_E_NOT_MEMBER);
    }
    (void)is_undone(thread);
}

static const struct threads_entry *of_node(const struct slm_rbtree_node *node)
{
    return (const struct threads_entry *)((const unsigned char *)node -
                                          offsetof(struct threads_entry, node));
}

static int compare(const void *key, const struct slm_rbtree_node *node)
{
    uint64_t a = *(const uint64_t *)key;
    uint64_t b = of_node(node)->key;
    return a < b ? -1 : a > b;
}

int hrn_threads_order(const struct slm_rbtree_node *a, const struct slm_rbtree_node *b)
{
    return compare(&of_node(a)->key, b);
}

/* A search finds the entry by its key, and nothing by a key that no entry has. */
static void entry_find(struct thread *thread, const struct threads_op *op)
{
    const struct entry_account *account = account_of(thread, op);
    const struct threads_shared *shared = shared_of(thread);
    uint64_t key = account->is_live ? account->key : (uint64_t)op->value << 32;
    const struct slm_rbtree_node *seen =
        slm_rbtree_find(journal_of(thread), &shared->tree, &key, compare);
    const struct slm_rbtree_node *expected =
        account->is_live ? &entry_of(thread, account)->node : NULL;
    if (seen != expected) {
        hrn_zone_law_shared("thread %u, key %" PRIx64 ": %s", thread->idx, key,
                            seen == NULL ? "not found" : "another entry");
    }
}

static void walk(struct thread *thread, const struct threads_op *op)
{
    (void)op;
    hrn_threads_expect_walks(thread->zone);
}

static void check(struct thread *thread, const struct threads_op *op)
{
    (void)op;
    hrn_threads_expect_sound(thread->zone);
}

/* --- Without a turn --- */

/* It stays zero until a turn writes to it: what is stored outside of a turn is not for copies. */
static void alloc_alone(struct thread *thread, const struct threads_op *op)
{
    struct zone_slot *slot = slot_of(thread, op);
    enum slm_status status;
    if (slot->is_live) {
        return;
    }
    void *p = slm_zone_calloc(thread->zone, size_of(op), &status);
    if (thread->is_holder || p != NULL) {
        expect(thread, "alloc alone", status, thread->is_holder ? SLM_E_HELD : SLM_OK);
    }
    thread->counts.n_full += p == NULL && !thread->is_holder;
    if (p != NULL) {
        hrn_zone_slot_take_zeroes(slot, p, offset_inside(thread, p, size_of(op)), size_of(op));
        thread->committed = thread->working;
    }
}

static void free_alone(struct thread *thread, const struct threads_op *op)
{
    struct zone_slot *slot = slot_of(thread, op);
    if (!slot->is_live) {
        return;
    }
    expect(thread, "free alone", slm_zone_free(thread->zone, words_of(thread, slot)),
           thread->is_holder ? SLM_E_HELD : SLM_OK);
    if (!thread->is_holder) {
        slot->is_live = false;
        thread->committed = thread->working;
    }
}

void hrn_thread_expect_own(const struct thread *thread)
{
    for (unsigned i = 0; i < THREADS_N_SLOTS; i++) {
        if (thread->working.slots[i].is_live) {
            hrn_zone_expect_contents(journal_of(thread), &thread->working.slots[i], i);
        }
    }
    for (unsigned i = 0; i < THREADS_N_ENTRIES; i++) {
        const struct entry_account *account = &thread->working.entries[i];
        const struct threads_entry *entry = entry_of(thread, account);
        if (account->is_live && (entry->key != account->key || entry->owner != thread->idx)) {
            hrn_zone_law_contents("entry %u of thread %u", i, thread->idx);
        }
    }
}

static void read_own(struct thread *thread, const struct threads_op *op)
{
    (void)op;
    hrn_thread_expect_own(thread);
}

/* A thread that reads without the lock sees only values that are possible. */
static void look(struct thread *thread, const struct threads_op *op)
{
    struct slm_lock_owner owner;
    struct slm_zone_stats stats;
    (void)op;
    slm_lock_get_owner(slm_zone_lock_handle(thread->zone), &owner);
    slm_zone_get_stats(thread->zone, &stats);
    if (owner.needs_repair || (thread->is_holder && owner.identity != slm_lock_self())) {
        hrn_zone_law_repairs("thread %u reads: owner %" PRIx64, thread->idx, owner.identity);
    }
    if (stats.bytes < THREADS_BYTES || stats.bytes > THREADS_MAX_BYTES) {
        hrn_zone_law_length("%zu bytes", stats.bytes);
    }
}

static void grow(struct thread *thread, const struct threads_op *op)
{
    size_t bytes = THREADS_BYTES + op->value % (THREADS_MAX_BYTES - THREADS_BYTES + 4096);
    enum slm_status expected = thread->is_holder ? SLM_E_HELD : SLM_OK;
    if (bytes > THREADS_MAX_BYTES) {
        expected = SLM_E_SIZE;
    }
    expect(thread, "grow", slm_zone_grow(thread->zone, bytes, NULL), expected);
    thread->has_grown |= expected == SLM_OK;
}

static void pause_some(struct thread *thread, const struct threads_op *op)
{
    (void)thread;
    for (unsigned i = 0; i <= op->extra % PAUSES_MAX; i++) {
        sched_yield();
    }
}

/* --- Programs --- */

static bool is_for_holders(enum hrn_threads_op kind)
{
    return kind >= HRN_THREADS_COMMIT && kind <= HRN_THREADS_CHECK;
}

static void run_op(struct thread *thread, const struct threads_op *op)
{
    static void (*const verbs[HRN_THREADS_COUNT])(struct thread *, const struct threads_op *) = {
        [HRN_THREADS_LOCK] = lock,
        [HRN_THREADS_TRY] = lock,
        [HRN_THREADS_TIMED] = lock,
        [HRN_THREADS_UNLOCK] = unlock,
        [HRN_THREADS_COMMIT] = commit,
        [HRN_THREADS_ABORT] = give_up,
        [HRN_THREADS_ALLOC] = alloc,
        [HRN_THREADS_CALLOC] = alloc,
        [HRN_THREADS_MEMALIGN] = alloc,
        [HRN_THREADS_FREE] = free_slot,
        [HRN_THREADS_WRITE] = write_word,
        [HRN_THREADS_SAVE] = save_words,
        [HRN_THREADS_COUNT_UP] = count,
        [HRN_THREADS_ENTRY_ADD] = entry_add,
        [HRN_THREADS_ENTRY_REMOVE] = entry_remove,
        [HRN_THREADS_ENTRY_TOUCH] = list_change,
        [HRN_THREADS_ENTRY_FIND] = entry_find,
        [HRN_THREADS_LIST_OUT] = list_change,
        [HRN_THREADS_LIST_IN] = list_change,
        [HRN_THREADS_WALK] = walk,
        [HRN_THREADS_CHECK] = check,
        [HRN_THREADS_ALLOC_ALONE] = alloc_alone,
        [HRN_THREADS_FREE_ALONE] = free_alone,
        [HRN_THREADS_READ] = read_own,
        [HRN_THREADS_LOOK] = look,
        [HRN_THREADS_GROW] = grow,
        [HRN_THREADS_PAUSE] = pause_some,
        [HRN_THREADS_COPY] = hrn_thread_copy,
        [HRN_THREADS_TRIM] = hrn_thread_trim,
    };
    if (!is_for_holders(op->kind) || thread->is_holder) {
        HRN_SAY_OP("thread %u: %s slot %u extra %u value %" PRIu32, thread->idx,
                   hrn_threads_op_name(op->kind), op->slot, op->extra, op->value);
        thread->counts.n_kind[op->kind]++;
        verbs[op->kind](thread, op);
    }
}

void hrn_thread_run(struct thread *thread)
{
    for (unsigned i = 0; i < thread->n_ops; i++) {
        run_op(thread, &thread->ops[i]);
    }
    if (thread->is_holder) {
        unlock(thread, NULL);
    }
}
