/* SPDX-License-Identifier: Apache-2.0 */
/* The project's own adapters, and what they share. */
#ifndef HRN_ADAPTERS_H
#define HRN_ADAPTERS_H

#include <stddef.h>

#include <slabmill/adapter.h>
#include <slabmill/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Adapters like those of any user: slabmill/adapter.h is all that they know of the mill.
 *          What only pools and slabs guarantee is checked by models (pool_oracle.h,
 *          slab_oracle.h).
 * Safety   As in slabmill/adapter.h.
 */
extern const struct slm_adapter hrn_adapter_malloc; /* the C heap, to test the mill itself */
extern const struct slm_adapter hrn_adapter_pool;
extern const struct slm_adapter hrn_adapter_slab;
extern const struct slm_adapter
    hrn_adapter_twin; /* a pool, compared with a naive model at each step */

/* What a status of the library is as an answer. */
enum slm_adapter_answer hrn_answer_of(enum slm_status status);

/* n * size_bytes; SIZE_MAX if size_t cannot hold it. */
size_t hrn_product(size_t n, size_t size_bytes);

/*
 * Memory that an adapter keeps for each arena number from one program to the next, since a run that
 * a broken law ends does not destroy its arenas. get: zeroed at first.
 */
struct hrn_slots {
    void **slots;
    size_t cap;
};
void *hrn_slots_get(struct hrn_slots *slots, unsigned arena, size_t slot_bytes);

#ifdef __cplusplus
}
#endif
#endif
