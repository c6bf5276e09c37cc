/* SPDX-License-Identifier: Apache-2.0 */
/* Allocators broken on purpose: used to demonstrate and test explain, shrink and emit-test. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "harness/broken/broken.h"
#include "tools/slabmill/slabmill.h"

/* Free accepts pointers inside an object. */
static enum slm_adapter_answer free_interior(void *self, void *p, size_t size_bytes)
{
    enum slm_adapter_answer answer = hrn_adapter_slab.free(self, p, size_bytes);
    return answer == SLM_ADAPTER_BAD_INTERIOR ? SLM_ADAPTER_OK : answer;
}

/* Of more than 1000 zeroed bytes, the last is not zero. */
static void *alloc_dirty(void *self, size_t n, size_t size_bytes)
{
    unsigned char *p = hrn_adapter_slab.alloc_zeroed(self, n, size_bytes);
    if (p != NULL && n * size_bytes > 1000) {
        p[n * size_bytes - 1] = 1;
    }
    return p;
}

/* An address that is never mapped; volatile, so that the compiler keeps the write. */
static unsigned char *volatile nowhere = (unsigned char *)(uintptr_t)16;

static void *crash_if_large(void *p, size_t size_bytes)
{
    if (p != NULL && size_bytes > 5000) {
        *nowhere = 1;
    }
    return p;
}

/* Objects of more than 5000 bytes crash. */
static void *alloc_crashing(void *self, size_t size_bytes)
{
    return crash_if_large(hrn_adapter_slab.alloc(self, size_bytes), size_bytes);
}

static void *alloc_zeroed_crashing(void *self, size_t n, size_t size_bytes)
{
    return crash_if_large(hrn_adapter_slab.alloc_zeroed(self, n, size_bytes), n * size_bytes);
}

static void *alloc_aligned_crashing(void *self, size_t align_bytes, size_t size_bytes)
{
    return crash_if_large(hrn_adapter_slab.alloc_aligned(self, align_bytes, size_bytes),
                          size_bytes);
}

static volatile int forever = 1;

/* Reset never ends. */
static void reset_hanging(void *self)
{
    (void)self;
    while (forever != 0) {
    }
}

struct broken {
    const char *name;
    const char *sentence;
};

static const struct broken own[] = {
    {"interior", "free accepts pointers inside an object"},
    {"dirty", "of more than 1000 zeroed bytes, the last is not zero"},
    {"crash", "objects of more than 5000 bytes crash"},
    {"hang", "reset never ends"},
};
#define N_OWN    (sizeof own / sizeof own[0])
#define N_BROKEN (N_OWN + HRN_BUG_COUNT - 1 + HRN_WRAPPED_COUNT)

static struct slm_adapter adapters[N_BROKEN];
static char names[N_BROKEN][48];
static const char *sentences[N_BROKEN];

static void call_it(size_t idx, const char *name, const char *sentence)
{
    snprintf(names[idx], sizeof names[idx], "broken:%s", name);
    adapters[idx].name = names[idx];
    sentences[idx] = sentence;
}

static void fill_own(void)
{
    for (size_t i = 0; i < N_OWN; i++) {
        adapters[i] = hrn_adapter_slab;
        call_it(i, own[i].name, own[i].sentence);
    }
    adapters[0].free = free_interior;
    adapters[1].alloc_zeroed = alloc_dirty;
    adapters[2].alloc = alloc_crashing;
    adapters[2].alloc_zeroed = alloc_zeroed_crashing;
    adapters[2].alloc_aligned = alloc_aligned_crashing;
    adapters[3].reset = reset_hanging;
}

/* The harness's adapters are named broken_<bug>. */
static void fill_others(void)
{
    for (size_t i = N_OWN; i < N_BROKEN; i++) {
        const char *sentence;
        adapters[i] = *hrn_broken_at(i - N_OWN, &sentence);
        const char *name = adapters[i].name;
        const char *prefix = "broken_";
        bool prefixed = strncmp(name, prefix, strlen(prefix)) == 0;
        call_it(i, prefixed ? name + strlen(prefix) : name, sentence);
    }
}

const struct slm_adapter *mill_adapter_broken(size_t idx, const char **sentence)
{
    if (adapters[0].name == NULL) {
        fill_own();
        fill_others();
    }
    if (idx >= N_BROKEN) {
        return NULL;
    }
    *sentence = sentences[idx];
    return &adapters[idx];
}
