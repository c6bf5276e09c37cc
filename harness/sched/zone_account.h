/* SPDX-License-Identifier: Apache-2.0 */
/* What a zone of zone_world.h holds, kept plainly, and what its transactions do to it. */
#ifndef SCH_ZONE_ACCOUNT_H
#define SCH_ZONE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#define SCH_KEYS    2u
#define SCH_OPS_MAX 12u /* of one transaction */

/* No holes: it is compared as bytes. */
struct sch_account {
    uint64_t values[SCH_KEYS]; /* 0: absent */
    uint64_t counter;
    uint64_t root; /* the cell's value; 0: none */
    uint64_t n_used;
    uint64_t n_pages;
};

struct sch_op {
    char letter;
    uint64_t value;  /* that it writes; never 0 */
    uint64_t answer; /* as do_op of zone_world.c gives it */
};

struct sch_transaction {
    unsigned n_ops;
    bool is_aborted;
    struct sch_op ops[SCH_OPS_MAX];
};

#define SCH_ANSWER_FULL UINT64_C(1000001)
#define SCH_ANSWER_NEW  UINT64_C(1000002)
#define SCH_ANSWER_OLD  UINT64_C(1000003)
#define SCH_ANSWER_NONE UINT64_C(1000004)

/* One number for all that was read. */
uint64_t sch_digest(const struct sch_account *account);

/* For sch_is_linearisable: state is an account, call a transaction. */
bool sch_account_apply(void *state, const void *call);

#endif
