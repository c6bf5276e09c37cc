/* SPDX-License-Identifier: Apache-2.0 */
/* What a set is, for the files that change it. */
#ifndef SLM_ZONE_SET_PRIVATE_H
#define SLM_ZONE_SET_PRIVATE_H

#include <sys/types.h>

#include "allocator/zone/handle.h"
#include <slabmill/zone_set.h>

struct slm_zone_set {
    struct slm_zone **zones;
    size_t n;
    unsigned lock_timeout_ms;
    bool is_shared;
    uint64_t server; /* the identity that its zones name as their server; 0: none yet */
    pid_t process;   /* of that server: a child of fork inherits a copy of the set */
    pid_t applier;   /* the process in which an apply is under way; 0: none is */
};

/* Detaches a zone that is no longer in the set. */
void slm_zone_set_leave(const struct slm_zone_set *set, struct slm_zone *zone);

#endif
