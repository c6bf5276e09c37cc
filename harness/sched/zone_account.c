/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/sched/zone_account.h"

#include <string.h>

#include "harness/base/hash.h"

uint64_t hrn_sched_digest(const struct hrn_sched_account *account)
{
    return hrn_hash(HRN_HASH_START, account, sizeof *account);
}

/* Freed pages cannot be used before the commit. */
static bool take_page(struct hrn_sched_account *account)
{
    if (account->n_used == account->n_pages) {
        return false;
    }
    account->n_used++;
    return true;
}

static uint64_t put(struct hrn_sched_account *account, unsigned key, uint64_t value)
{
    bool is_new = account->values[key] == 0;
    if (is_new && !take_page(account)) {
        return HRN_SCHED_ANSWER_FULL;
    }
    account->values[key] = value;
    return is_new ? HRN_SCHED_ANSWER_NEW : HRN_SCHED_ANSWER_OLD;
}

static uint64_t delete (struct hrn_sched_account *account, unsigned key, uint64_t *n_freed)
{
    uint64_t value = account->values[key];
    if (value == 0) {
        return HRN_SCHED_ANSWER_NONE;
    }
    account->values[key] = 0;
    ++*n_freed;
    return value;
}

static uint64_t replace_root(struct hrn_sched_account *account, uint64_t value, uint64_t *n_freed)
{
    uint64_t old = account->root;
    if (!take_page(account)) {
        return HRN_SCHED_ANSWER_FULL;
    }
    account->root = value;
    *n_freed += old != 0;
    return old;
}

static uint64_t do_op(struct hrn_sched_account *account, const struct hrn_sched_op *op,
                      uint64_t *n_freed)
{
    switch (op->letter) {
    case 'p':
    case 'q':
        return put(account, op->letter == 'q', op->value);
    case 'd':
    case 'e':
        return delete (account, op->letter == 'e', n_freed);
    case 'a':
        return account->counter++;
    case 'r':
        return replace_root(account, op->value, n_freed);
    default:
        return hrn_sched_digest(account);
    }
}

bool hrn_sched_account_apply(void *state, const void *call)
{
    const struct hrn_sched_transaction *transaction = call;
    struct hrn_sched_account before;
    struct hrn_sched_account account;
    uint64_t n_freed = 0;
    memcpy(&before, state, sizeof before);
    account = before;
    for (unsigned i = 0; i < transaction->n_ops; i++) {
        if (do_op(&account, &transaction->ops[i], &n_freed) != transaction->ops[i].answer) {
            return false;
        }
    }
    account.n_used -= n_freed;
    memcpy(state, transaction->is_aborted ? &before : &account, sizeof account);
    return true;
}
