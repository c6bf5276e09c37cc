/* SPDX-License-Identifier: Apache-2.0 */
/* A heap over malloc with two faults that only a sanitizer sees. */
#include <stdlib.h>

#include <slabmill/adapter.h>

static int token;
static volatile int sink;

static void *create(const struct slm_adapter_env *env)
{
    (void)env;
    return &token;
}

static void *allocate(void *self, size_t size_bytes)
{
    (void)self;
    if (size_bytes > 65536) {
        return NULL;
    }
    unsigned char *p = malloc(size_bytes + 1);
    if (p != NULL && size_bytes == 100) {
        sink = 1 << (size_bytes + (size_t)sink % 2); /* undefined shift */
    }
    return p;
}

static enum slm_adapter_answer release(void *self, void *p, size_t size_bytes)
{
    (void)self;
    free(p);
    if (size_bytes == 200) {
        sink = *(volatile unsigned char *)p; /* use after free */
    }
    return SLM_ADAPTER_OK;
}

SLM_ADAPTER(sanitized) = {.create = create,
                          .alloc = allocate,
                          .free = release,
                          .size_max_bytes = 65536,
                          .memory = SLM_ADAPTER_SYSTEM,
                          .zero = SLM_ADAPTER_ZERO_UNIQUE};
