/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the allocator, only for the runner. Each obeys the adapter's declarations. */
#ifndef HRN_CALL_H
#define HRN_CALL_H

#include "harness/run/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The size to ask for instead. */
size_t hrn_call_size(const struct slm_adapter *adapter, const struct hrn_arena *arena,
                     size_t size_bytes);
/* Changes the request to one that the allocator may be asked. */
void hrn_call_limit(const struct slm_adapter *adapter, const struct hrn_arena *arena,
                    struct slm_adapter_request *rq);

/* Frees a live object by one of the functions that free; in another thread, if run->is_elsewhere. */
enum slm_adapter_answer hrn_call_free(const struct hrn_run *run, void *self, uint32_t id);

/* Makes the call in a second thread, or, where the system has none, in this one. A law that it breaks
 * is broken here. end: at the end of a run, also of one that was abandoned. */
typedef enum slm_adapter_answer (*hrn_free_fn)(const struct hrn_run *run, void *self, uint32_t id);
enum slm_adapter_answer hrn_elsewhere_free(hrn_free_fn fn, const struct hrn_run *run, void *self,
                                           uint32_t id);
void hrn_elsewhere_end(void);

struct hrn_resize {
    size_t new_bytes;
    enum hrn_way way;
    size_t align_bytes;             /* of HRN_WAY_ALIGNED; then what the call asked for; 0: none */
    enum slm_adapter_answer answer; /* set, as are the next two */
    void *p;                        /* where the object is; NULL unless the answer is OK */
    bool in_place;
};

bool hrn_call_can_resize(const struct slm_adapter *adapter);
/* Resizes a live object by one of the functions that resize. */
void hrn_call_resize(const struct hrn_run *run, void *self, uint32_t id, struct hrn_resize *resize);

#ifdef __cplusplus
}
#endif
#endif
