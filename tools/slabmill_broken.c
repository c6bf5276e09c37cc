/* SPDX-License-Identifier: Apache-2.0 */
/* Slabs broken on purpose: what explain, shrink and emit-test are shown and tested on. */
#include <stddef.h>
#include <stdint.h>

#include "tools/slabmill.h"

/* Free takes pointers inside an object without a word. */
static enum slm_status free_interior(void *self, void *p)
{
    enum slm_status status = hrn_adapter_slab.free(self, p);
    return status == SLM_E_INTERIOR ? SLM_OK : status;
}

/* The last of more than 1000 zeroed bytes is not. */
static void *alloc_dirty(void *self, const struct hrn_request *rq)
{
    unsigned char *p = hrn_adapter_slab.alloc(self, rq);
    if (p != NULL && rq->kind == HRN_CALLOC && rq->size_bytes > 1000) {
        p[rq->size_bytes - 1] = 1;
    }
    return p;
}

/* An address that is never mapped; volatile, so that the write stays. */
static unsigned char *volatile nowhere = (unsigned char *)(uintptr_t)16;

/* Objects of more than 5000 bytes crash. */
static void *alloc_crashing(void *self, const struct hrn_request *rq)
{
    void *p = hrn_adapter_slab.alloc(self, rq);
    if (p != NULL && rq->size_bytes > 5000) {
        *nowhere = 1;
    }
    return p;
}

static volatile int forever = 1;

/* Reset never ends. */
static void reset_hanging(void *self)
{
    (void)self;
    while (forever != 0) {
    }
}

#define N_BROKEN 4u

const struct hrn_adapter *mill_adapter_broken(size_t idx)
{
    static struct hrn_adapter broken[N_BROKEN];
    if (broken[0].name == NULL) {
        for (size_t i = 0; i < N_BROKEN; i++) {
            broken[i] = hrn_adapter_slab;
        }
        broken[0].name = "broken:interior";
        broken[0].free = free_interior;
        broken[1].name = "broken:dirty";
        broken[1].alloc = alloc_dirty;
        broken[2].name = "broken:crash";
        broken[2].alloc = alloc_crashing;
        broken[3].name = "broken:hang";
        broken[3].reset = reset_hanging;
    }
    return idx < N_BROKEN ? &broken[idx] : NULL;
}
