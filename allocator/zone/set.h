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

/* One zone of the new set. */
struct candidate {
    const struct slm_zone_declaration *declaration;
    struct slm_zone *zone;
    struct slm_zone *from; /* the zone of that name, whose content moves to this one; NULL: none */
    bool is_found;         /* the zone that exists: apply has attached it */
    bool is_reused; /* other processes may use it: it is locked when all that is new is made */
    bool is_published;
    bool is_from_locked;
    bool is_overtaken;       /* another process made one of that name, or took it back */
    bool is_locked;          /* until the end of apply */
    uint64_t version_before; /* of the content that the handle was for */
    size_t prepared_bytes;   /* backing that was taken without the lock; 0: none */
};

/* Under all locks, after all else that may fail: the zones that move, and have a name, get the places
 * of the earlier ones, or none does. Fails as slm_zone_switch; is_published then says which zone could
 * not be taken back. switch.c. */
enum slm_status slm_zone_set_switch(struct candidate *candidates, size_t n,
                                    struct slm_error *error);

/* Detaches a zone that is no longer in the set. */
void slm_zone_set_leave(const struct slm_zone_set *set, struct slm_zone *zone);

#endif
