/* SPDX-License-Identifier: Apache-2.0 */
/* A plain model of the content of zone_world.h's zone, and of its transactions. */
#ifndef HRN_SCHED_ZONE_ACCOUNT_H
#define HRN_SCHED_ZONE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#define HRN_SCHED_KEYS    2u
#define HRN_SCHED_OPS_MAX 12u /* of one transaction */

/* Without holes, since it is compared as bytes. */
struct hrn_sched_account {
    uint64_t values[HRN_SCHED_KEYS]; /* 0: absent */
    uint64_t counter;
    uint64_t root; /* the cell's value; 0: none */
    uint64_t n_used;
    uint64_t n_pages;
};

struct hrn_sched_op {
    char letter;
    uint64_t value;  /* to write; never 0 */
    uint64_t answer; /* the result of do_op in zone_world.c */
};

struct hrn_sched_transaction {
    unsigned n_ops;
    bool is_aborted;
    struct hrn_sched_op ops[HRN_SCHED_OPS_MAX];
};

#define HRN_SCHED_ANSWER_FULL UINT64_C(1000001)
#define HRN_SCHED_ANSWER_NEW  UINT64_C(1000002)
#define HRN_SCHED_ANSWER_OLD  UINT64_C(1000003)
#define HRN_SCHED_ANSWER_NONE UINT64_C(1000004)

/* A hash of all values that were read. */
uint64_t hrn_sched_digest(const struct hrn_sched_account *account);

/* For hrn_sched_is_linearisable: state is an account, call a transaction. */
bool hrn_sched_account_apply(void *state, const void *call);

#endif
