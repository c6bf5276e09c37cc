/* SPDX-License-Identifier: Apache-2.0 */
/* Trees and lists, compared with a plain model of them. */
#include "fuzz/rbtree/rbtree.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "fuzz/common/fuzz.h"
#include "fuzz/rbtree/memory.h"
#include "harness/failure/say.h"
#include "harness/laws/laws.h"
#include <slabmill/lru.h>
#include <slabmill/rbtree.h>

enum { N_OPS_MAX = 2000, RECORD_BYTES = 8 };

/* --- Laws: each is the top frame of its crash --- */

#define LAW_DEFINE(name, sentence) HRN_LAW_DEFINE(hrn_tree_law_##name, #name, sentence)
TREE_LAW_LIST(LAW_DEFINE)

/* --- The memory under test, and the model --- */

struct hrn_tree_counts hrn_tree_counted;

static struct tree_account account;

struct memory hrn_tree_before; /* copy of the memory, for calls that must not change it */
static struct memory healthy;  /* copy of the memory before it was damaged */
static bool is_hurt;
static uint64_t key_mask;

const struct hrn_tree_counts *hrn_tree_totals(void)
{
    return &hrn_tree_counted;
}

const char *hrn_tree_op_name(enum hrn_tree_op op)
{
#define OP_NAME(name) #name,
    static const char *const names[HRN_TREE_COUNT] = {HRN_TREE_LIST(OP_NAME)};
#undef OP_NAME
    return op < HRN_TREE_COUNT ? names[op] : "?";
}

static const struct item *item_of(const struct slm_rbtree_node *node)
{
    return (const struct item *)((const unsigned char *)node - offsetof(struct item, node));
}

int hrn_tree_compare(const void *key, const struct slm_rbtree_node *node)
{
    uint64_t a = *(const uint64_t *)key;
    uint64_t b = item_of(node)->key;
    return a < b ? -1 : a > b;
}

int hrn_tree_order(const struct slm_rbtree_node *a, const struct slm_rbtree_node *b)
{
    return hrn_tree_compare(&item_of(a)->key, b);
}

static void drop_item(struct sequence *sequence, uint8_t item)
{
    size_t at = 0;
    while (sequence->items[at] != item) {
        at++;
    }
    sequence->n--;
    memmove(sequence->items + at, sequence->items + at + 1, sequence->n - at);
}

static void add_item(struct sequence *sequence, size_t at, uint8_t item)
{
    memmove(sequence->items + at + 1, sequence->items + at, sequence->n - at);
    sequence->items[at] = item;
    sequence->n++;
}

/* The index of the first item whose key is not below key; with `after`, of the first whose key is
 * above key. */
static size_t place_of(const struct sequence *sequence, uint64_t key, bool after)
{
    size_t at = 0;
    while (at < sequence->n && (account.keys[sequence->items[at]] < key ||
                                (after && account.keys[sequence->items[at]] == key))) {
        at++;
    }
    return at;
}

/* --- What must hold --- */

void hrn_tree_remember(void)
{
    memcpy(&hrn_tree_before, hrn_tree_memory, sizeof *hrn_tree_memory);
}

void hrn_tree_expect_silence(const char *call)
{
    if (memcmp(&hrn_tree_before, hrn_tree_memory, sizeof *hrn_tree_memory) != 0) {
        hrn_tree_law_silence("%s", call);
    }
}

/* Checks the result of a call that was made after remember(). */
static void expect(const char *call, enum slm_status seen, enum slm_status expected)
{
    if (seen != expected) {
        hrn_tree_law_answer("%s: %s, expected %s", call, slm_status_name(seen),
                            slm_status_name(expected));
    }
    if (expected != SLM_OK) {
        hrn_tree_expect_silence(call);
        hrn_tree_counted.n_refused++;
    }
}

unsigned hrn_tree_check(unsigned which, slm_rbtree_order *by)
{
    return slm_rbtree_check(&hrn_tree_journal, &hrn_tree_memory->trees[which], by, hrn_tree_low(),
                            hrn_tree_high());
}

unsigned hrn_tree_check_list(unsigned which)
{
    return slm_lru_check(&hrn_tree_journal, &hrn_tree_memory->lists[which], hrn_tree_low(),
                         hrn_tree_high());
}

static void expect_sound(unsigned which)
{
    hrn_tree_remember();
    unsigned tree = hrn_tree_check(which, hrn_tree_order);
    unsigned list = hrn_tree_check_list(which);
    hrn_tree_expect_silence("check");
    if (tree != 0 || hrn_tree_memory->trees[which].n_nodes != account.trees[which].n) {
        hrn_tree_law_tree_check("I%u, %" PRIu64 " nodes for %zu", tree,
                                hrn_tree_memory->trees[which].n_nodes, account.trees[which].n);
    }
    if (list != 0 || hrn_tree_memory->lists[which].n_nodes != account.lists[which].n) {
        hrn_tree_law_list_check("I%u, %" PRIu64 " nodes for %zu", list,
                                hrn_tree_memory->lists[which].n_nodes, account.lists[which].n);
    }
}

static void expect_wiped(const void *node, size_t n_bytes)
{
    static const unsigned char zeros[sizeof(struct slm_rbtree_node)];
    if (memcmp(node, zeros, n_bytes) != 0) {
        hrn_tree_law_wiped("%zu bytes", n_bytes);
    }
}

/* --- Trees --- */

struct slm_rbtree_node *hrn_tree_node(uint8_t item)
{
    return &hrn_tree_memory->items[item].node;
}

struct slm_lru_node *hrn_tree_used(uint8_t item)
{
    return &hrn_tree_memory->items[item].used;
}

/* Keys change through the journal too. False: it has no room, and nothing has changed. */
static bool set_key(uint8_t item, uint64_t key)
{
    enum slm_status expected = hrn_tree_can(1);
    hrn_tree_remember();
    expect("key", slm_journal_write(&hrn_tree_journal, &hrn_tree_memory->items[item].key, key),
           expected);
    account.keys[item] = expected == SLM_OK ? key : account.keys[item];
    return expected == SLM_OK;
}

/* Words that an insert sets: their old values do not count. value: bit 30: the first, 31: the
 * second. */
static void soil(const struct op *op, uint64_t *first, uint64_t *second)
{
    uint64_t *words[] = {first, second};
    for (unsigned i = 0; i < 2; i++) {
        if ((op->value >> (30 + i) & 1u) != 0 && hrn_tree_can(1) == SLM_OK) {
            expect("soil", slm_journal_write(&hrn_tree_journal, words[i], op->value), SLM_OK);
        }
    }
}

static void insert(const struct op *op)
{
    bool is_out = account.tree_of[op->item] < 0;
    struct sequence *sequence = &account.trees[op->which];
    if (is_out && !set_key(op->item, op->key & key_mask)) {
        return;
    }
    if (is_out) {
        soil(op, &hrn_tree_node(op->item)->left, &hrn_tree_node(op->item)->right);
    }
    enum slm_status expected = is_out ? hrn_tree_can(SLM_RBTREE_ENTRIES) : SLM_E_DUPLICATE;
    hrn_tree_remember();
    expect("insert",
           slm_rbtree_insert(&hrn_tree_journal, &hrn_tree_memory->trees[op->which],
                             hrn_tree_node(op->item), hrn_tree_order),
           expected);
    if (expected == SLM_OK) {
        add_item(sequence, place_of(sequence, account.keys[op->item], true), op->item);
        account.tree_of[op->item] = (int8_t)op->which;
    }
}

static void delete_node(const struct op *op)
{
    bool is_in = account.tree_of[op->item] == op->which;
    enum slm_status expected = is_in ? hrn_tree_can(SLM_RBTREE_ENTRIES) : SLM_E_NOT_MEMBER;
    hrn_tree_remember();
    expect("delete",
           slm_rbtree_remove(&hrn_tree_journal, &hrn_tree_memory->trees[op->which],
                             hrn_tree_node(op->item)),
           expected);
    if (expected == SLM_OK) {
        drop_item(&account.trees[op->which], op->item);
        account.tree_of[op->item] = -1;
        expect_wiped(hrn_tree_node(op->item), sizeof(struct slm_rbtree_node));
    }
}

static void search(const struct op *op)
{
    const struct sequence *sequence = &account.trees[op->which];
    const struct slm_rbtree *tree = &hrn_tree_memory->trees[op->which];
    uint64_t key = op->key & key_mask;
    size_t at = place_of(sequence, key, false);
    const struct slm_rbtree_node *expected =
        at < sequence->n ? hrn_tree_node(sequence->items[at]) : NULL;
    const struct slm_rbtree_node *seen;
    hrn_tree_remember();
    if (op->kind == HRN_TREE_LOWER_BOUND) {
        seen = slm_rbtree_lower_bound(&hrn_tree_journal, tree, &key, hrn_tree_compare);
    } else {
        seen = slm_rbtree_find(&hrn_tree_journal, tree, &key, hrn_tree_compare);
        expected = expected != NULL && item_of(expected)->key == key ? expected : NULL;
    }
    hrn_tree_expect_silence("search");
    if (seen != expected) {
        hrn_tree_law_found("%s of %" PRIu64, hrn_tree_op_name(op->kind), key);
    }
}

static void walk(unsigned which)
{
    const struct sequence *sequence = &account.trees[which];
    const struct slm_rbtree_node *node =
        slm_rbtree_first(&hrn_tree_journal, &hrn_tree_memory->trees[which]);
    for (size_t i = 0; i < sequence->n; i++) {
        if (node != hrn_tree_node(sequence->items[i])) {
            hrn_tree_law_tree_order("place %zu of %zu", i, sequence->n);
        }
        node = slm_rbtree_next(&hrn_tree_journal, node);
    }
    if (node != NULL) {
        hrn_tree_law_tree_order("more than %zu", sequence->n);
    }
}

static void walk_back(unsigned which)
{
    const struct sequence *sequence = &account.trees[which];
    const struct slm_rbtree_node *node =
        slm_rbtree_last(&hrn_tree_journal, &hrn_tree_memory->trees[which]);
    for (size_t i = sequence->n; i > 0; i--) {
        if (node != hrn_tree_node(sequence->items[i - 1])) {
            hrn_tree_law_tree_order("backwards, place %zu of %zu", i, sequence->n);
        }
        node = slm_rbtree_prev(&hrn_tree_journal, node);
    }
    if (node != NULL) {
        hrn_tree_law_tree_order("backwards, more than %zu", sequence->n);
    }
}

/* --- Lists --- */

static void list_insert(const struct op *op)
{
    bool is_out = account.list_of[op->item] < 0;
    bool is_newest = op->kind == HRN_TREE_LIST_INSERT;
    struct slm_lru *list = &hrn_tree_memory->lists[op->which];
    if (is_out) {
        soil(op, &hrn_tree_used(op->item)->newer, &hrn_tree_used(op->item)->older);
    }
    enum slm_status expected = is_out ? hrn_tree_can(SLM_LRU_ENTRIES) : SLM_E_DUPLICATE;
    hrn_tree_remember();
    expect("list insert",
           is_newest ? slm_lru_insert(&hrn_tree_journal, list, hrn_tree_used(op->item))
                     : slm_lru_insert_oldest(&hrn_tree_journal, list, hrn_tree_used(op->item)),
           expected);
    if (expected == SLM_OK) {
        struct sequence *sequence = &account.lists[op->which];
        add_item(sequence, is_newest ? 0 : sequence->n, op->item);
        account.list_of[op->item] = (int8_t)op->which;
    }
}

static void list_touch(const struct op *op)
{
    bool is_in = account.list_of[op->item] == op->which;
    enum slm_status expected = is_in ? hrn_tree_can(SLM_LRU_ENTRIES) : SLM_E_NOT_MEMBER;
    hrn_tree_remember();
    expect("touch",
           slm_lru_touch(&hrn_tree_journal, &hrn_tree_memory->lists[op->which],
                         hrn_tree_used(op->item)),
           expected);
    if (expected == SLM_OK) {
        drop_item(&account.lists[op->which], op->item);
        add_item(&account.lists[op->which], 0, op->item);
    }
}

static void list_remove(const struct op *op)
{
    bool is_in = account.list_of[op->item] == op->which;
    enum slm_status expected = is_in ? hrn_tree_can(SLM_LRU_ENTRIES) : SLM_E_NOT_MEMBER;
    hrn_tree_remember();
    expect("remove",
           slm_lru_remove(&hrn_tree_journal, &hrn_tree_memory->lists[op->which],
                          hrn_tree_used(op->item)),
           expected);
    if (expected == SLM_OK) {
        drop_item(&account.lists[op->which], op->item);
        account.list_of[op->item] = -1;
        expect_wiped(hrn_tree_used(op->item), sizeof(struct slm_lru_node));
    }
}

static void list_walk(unsigned which)
{
    const struct sequence *sequence = &account.lists[which];
    const struct slm_lru_node *newest =
        slm_lru_newest(&hrn_tree_journal, &hrn_tree_memory->lists[which]);
    const struct slm_lru_node *oldest =
        slm_lru_oldest(&hrn_tree_journal, &hrn_tree_memory->lists[which]);
    for (size_t i = 0; i < sequence->n; i++) {
        if (newest != hrn_tree_used(sequence->items[i]) ||
            oldest != hrn_tree_used(sequence->items[sequence->n - 1 - i])) {
            hrn_tree_law_list_order("place %zu of %zu", i, sequence->n);
        }
        newest = slm_lru_older(&hrn_tree_journal, newest);
        oldest = slm_lru_newer(&hrn_tree_journal, oldest);
    }
    if (newest != NULL || oldest != NULL) {
        hrn_tree_law_list_order("more than %zu", sequence->n);
    }
}

/* --- Misuse --- */

static void nulls(const struct op *op)
{
    struct slm_rbtree *tree = &hrn_tree_memory->trees[op->which];
    struct slm_lru *list = &hrn_tree_memory->lists[op->which];
    struct slm_rbtree_node *node = hrn_tree_node(op->item);
    struct slm_lru_node *used = hrn_tree_used(op->item);
    hrn_tree_remember();
    expect("insert", slm_rbtree_insert(NULL, tree, node, hrn_tree_order), SLM_E_NULL);
    expect("insert", slm_rbtree_insert(&hrn_tree_journal, NULL, node, hrn_tree_order), SLM_E_NULL);
    expect("insert", slm_rbtree_insert(&hrn_tree_journal, tree, NULL, hrn_tree_order), SLM_E_NULL);
    expect("insert", slm_rbtree_insert(&hrn_tree_journal, tree, node, NULL), SLM_E_NULL);
    expect("delete", slm_rbtree_remove(NULL, tree, node), SLM_E_NULL);
    expect("delete", slm_rbtree_remove(&hrn_tree_journal, NULL, node), SLM_E_NULL);
    expect("delete", slm_rbtree_remove(&hrn_tree_journal, tree, NULL), SLM_E_NULL);
    expect("list insert", slm_lru_insert(NULL, list, used), SLM_E_NULL);
    expect("list insert", slm_lru_insert(&hrn_tree_journal, NULL, used), SLM_E_NULL);
    expect("list insert", slm_lru_insert(&hrn_tree_journal, list, NULL), SLM_E_NULL);
    expect("touch", slm_lru_touch(&hrn_tree_journal, NULL, used), SLM_E_NULL);
    expect("touch", slm_lru_touch(&hrn_tree_journal, list, NULL), SLM_E_NULL);
    expect("remove", slm_lru_remove(&hrn_tree_journal, NULL, used), SLM_E_NULL);
    expect("remove", slm_lru_remove(&hrn_tree_journal, list, NULL), SLM_E_NULL);
    expect("insert oldest", slm_lru_insert_oldest(NULL, list, used), SLM_E_NULL);
    expect("insert oldest", slm_lru_insert_oldest(&hrn_tree_journal, NULL, used), SLM_E_NULL);
    expect("insert oldest", slm_lru_insert_oldest(&hrn_tree_journal, list, NULL), SLM_E_NULL);
    expect("touch", slm_lru_touch(&hrn_tree_journal, NULL, used), SLM_E_NULL);
    expect("remove", slm_lru_remove(&hrn_tree_journal, NULL, used), SLM_E_NULL);
    hrn_tree_read_nulls(tree, node, list, used);
}

/* Removes an item from a tree or list that it is not in. */
static void wrong(const struct op *op)
{
    struct op other = *op;
    if (op->kind == HRN_TREE_WRONG_TREE) {
        other.which = account.tree_of[op->item] == 0;
        delete_node(&other);
    } else {
        other.which = account.list_of[op->item] == 0;
        list_touch(&other);
        list_remove(&other);
    }
}

/* A byte-for-byte copy of an item, linked or not, is in no tree and no list. */
static void copy(const struct op *op)
{
    struct slm_rbtree *tree = &hrn_tree_memory->trees[account.tree_of[op->item] == 1];
    struct slm_lru *list = &hrn_tree_memory->lists[account.list_of[op->item] == 1];
    memcpy(&hrn_tree_memory->items[COPY], &hrn_tree_memory->items[op->item], sizeof(struct item));
    hrn_tree_remember();
    if (op->kind == HRN_TREE_TREE_COPY) {
        expect("delete", slm_rbtree_remove(&hrn_tree_journal, tree, hrn_tree_node(COPY)),
               SLM_E_NOT_MEMBER);
    } else {
        expect("touch", slm_lru_touch(&hrn_tree_journal, list, hrn_tree_used(COPY)),
               SLM_E_NOT_MEMBER);
        expect("remove", slm_lru_remove(&hrn_tree_journal, list, hrn_tree_used(COPY)),
               SLM_E_NOT_MEMBER);
    }
    memset(&hrn_tree_memory->items[COPY], 0, sizeof(struct item));
}

/* --- Damage --- */

static void hurt(const struct op *op)
{
    if (!is_hurt) {
        memcpy(&healthy, hrn_tree_memory, sizeof *hrn_tree_memory);
        is_hurt = true;
    }
    hrn_tree_hurt(op);
    hrn_tree_judge_damaged(op->which);
}

static void heal(void)
{
    if (is_hurt) {
        memcpy(hrn_tree_memory, &healthy, sizeof *hrn_tree_memory);
        is_hurt = false;
    }
}

/* --- Programs --- */

static void look_and_misuse(const struct op *op)
{
    switch (op->kind) {
    case HRN_TREE_FIND:
    case HRN_TREE_LOWER_BOUND:
        search(op);
        break;
    case HRN_TREE_WALK:
        walk(op->which);
        break;
    case HRN_TREE_WALK_BACK:
        walk_back(op->which);
        break;
    case HRN_TREE_LIST_WALK:
        list_walk(op->which);
        break;
    case HRN_TREE_NULLS:
        nulls(op);
        break;
    case HRN_TREE_WRONG_TREE:
    case HRN_TREE_WRONG_LIST:
        wrong(op);
        break;
    default:
        copy(op);
        break;
    }
}

static void run_change(const struct op *op)
{
    switch (op->kind) {
    case HRN_TREE_INSERT:
        insert(op);
        break;
    case HRN_TREE_DELETE:
        delete_node(op);
        break;
    case HRN_TREE_LIST_INSERT:
    case HRN_TREE_LIST_OLDEST:
        list_insert(op);
        break;
    case HRN_TREE_LIST_TOUCH:
        list_touch(op);
        break;
    case HRN_TREE_LIST_REMOVE:
        list_remove(op);
        break;
    case HRN_TREE_COMMIT:
        hrn_tree_commit(&account);
        break;
    case HRN_TREE_ABORT:
        hrn_tree_abort(&account);
        break;
    default:
        look_and_misuse(op);
        break;
    }
}

static void run_op(const struct op *op)
{
    hrn_tree_counted.n_kind[op->kind]++;
    HRN_SAY_OP("%s item %u of %u key %u value %" PRIu32 " manner %u", hrn_tree_op_name(op->kind),
               op->item, op->which, op->key, op->value, op->manner);
    if (op->kind == HRN_TREE_HURT) {
        hurt(op);
        return;
    }
    heal();
    if (op->kind == HRN_TREE_DIE) {
        hrn_tree_die_within(op);
        return;
    }
    hrn_tree_run_mortal(run_change, op, &account);
    expect_sound(op->which);
}

bool hrn_tree_kind(unsigned idx, struct hrn_fuzz_kind *kind)
{
    if (idx >= HRN_TREE_COUNT) {
        return false;
    }
    *kind = (struct hrn_fuzz_kind){hrn_tree_op_name(idx), hrn_tree_counted.n_kind[idx]};
    return true;
}

static void decode(struct op *op, const uint8_t *record)
{
    op->kind = (enum hrn_tree_op)(record[0] % HRN_TREE_COUNT);
    op->item = record[1] % N_ITEMS;
    op->which = record[1] >> 7;
    op->manner = record[1] & 7u;
    op->key = (uint16_t)(record[2] | record[3] << 8);
    op->value = (uint32_t)record[4] | (uint32_t)record[5] << 8 | (uint32_t)record[6] << 16 |
                (uint32_t)record[7] << 24;
}

static void begin(uint8_t head)
{
    memset(&account, 0, sizeof account);
    memset(account.tree_of, -1, sizeof account.tree_of);
    memset(account.list_of, -1, sizeof account.list_of);
    hrn_tree_begin((head & 16u) != 0, &account);
    key_mask = (UINT64_C(1) << (head & 15u)) - 1;
    is_hurt = false;
}

static void end(void)
{
    heal();
    hrn_tree_end(&account);
    for (unsigned which = 0; which < 2; which++) {
        expect_sound(which);
        walk(which);
        walk_back(which);
        list_walk(which);
    }
}

int hrn_fuzz_rbtree(const uint8_t *bytes, size_t n_bytes)
{
    uint64_t n_ops = 0;
    begin(n_bytes == 0 ? 0 : bytes[0]);
    for (size_t at = 1; at + RECORD_BYTES <= n_bytes && n_ops < N_OPS_MAX; at += RECORD_BYTES) {
        struct op op;
        decode(&op, bytes + at);
        run_op(&op);
        n_ops++;
    }
    end();
    hrn_fuzz_count(n_ops);
    return 0;
}
