/* SPDX-License-Identifier: Apache-2.0 */
/* What an engineer writes in an hour to fuzz a slab: a table of live objects, filled with a pattern
 * each, and checks of alignment, overlap and content. It shares nothing with the mill but the
 * description of the allocator, so that both can be measured on the same planted bugs
 * (fuzz/planted/compare.py). HRN_PLANTED names the bug; without it, our slab is fuzzed. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/planted/choice.h"
#include <slabmill/adapter.h>

#define REGION_BYTES 65536u
#define GUARD_BYTES  64u
#define GUARD        0xEE
#define N_OBJECTS    64u

struct object {
    unsigned char *p;
    size_t size;
    size_t align;
    unsigned char fill;
};

struct input {
    const uint8_t *bytes;
    size_t n_left;
};

static _Alignas(4096) unsigned char memory[REGION_BYTES + GUARD_BYTES];
static struct object objects[N_OBJECTS];
static const struct slm_adapter *allocator;
static void *heap;
static size_t region_bytes;
static size_t n_blocks;

static void expect(bool holds)
{
    if (!holds) {
        abort();
    }
}

static unsigned take(struct input *in, unsigned n_bytes)
{
    unsigned value = 0;
    while (n_bytes-- > 0 && in->n_left > 0) {
        value = value << 8 | *in->bytes++;
        in->n_left--;
    }
    return value;
}

/* --- What the allocator is made from --- */

static void *block_alloc(void *data, size_t size_bytes, size_t align_bytes)
{
    (void)data;
    n_blocks++;
    return aligned_alloc(align_bytes, (size_bytes + align_bytes - 1) / align_bytes * align_bytes);
}

static void block_free(void *data, void *block, size_t size_bytes, size_t align_bytes)
{
    (void)data;
    (void)size_bytes;
    (void)align_bytes;
    n_blocks--;
    free(block);
}

__attribute__((format(printf, 2, 3), noreturn)) static void fail(const struct slm_adapter_env *env,
                                                                 const char *format, ...)
{
    (void)env;
    (void)format;
    abort();
}

/* --- Objects --- */

static bool is_filled(const unsigned char *p, size_t size, unsigned char fill)
{
    return size == 0 || (p[0] == fill && memcmp(p, p + 1, size - 1) == 0);
}

static void check_object(const struct object *o)
{
    expect(is_filled(o->p, o->size, o->fill));
}

static void check_place(const struct object *o)
{
    expect(((uintptr_t)o->p & (o->align - 1)) == 0);
    expect(o->p >= memory && o->p + o->size <= memory + region_bytes);
    for (size_t i = 0; i < N_OBJECTS; i++) {
        const struct object *other = &objects[i];
        if (other->p != NULL && other != o) {
            expect(other->p + other->size <= o->p || o->p + o->size <= other->p);
        }
    }
}

static void fill(struct object *o, unsigned char byte)
{
    check_place(o);
    o->fill = byte;
    memset(o->p, byte, o->size);
}

static size_t natural_align(size_t size)
{
    size_t align = allocator->align_bytes != 0 ? allocator->align_bytes : _Alignof(max_align_t);
    return allocator->align_of != NULL ? allocator->align_of(heap, size) : align;
}

static void make(struct object *o, struct input *in)
{
    unsigned how = take(in, 1);
    size_t size = take(in, 2) >> (how >> 4);
    o->size = size + (size == 0 ? 1 : 0);
    o->align = natural_align(o->size);
    if (how % 4 == 1 && allocator->alloc_zeroed != NULL) {
        o->p = allocator->alloc_zeroed(heap, 1, o->size);
        expect(o->p == NULL || is_filled(o->p, o->size, 0));
    } else if (how % 4 == 2 && allocator->alloc_aligned != NULL) {
        o->align = (size_t)16 << take(in, 1) % 9;
        o->p = allocator->alloc_aligned(heap, o->align, o->size);
    } else {
        o->p = allocator->alloc(heap, o->size);
    }
    if (o->p != NULL) {
        fill(o, (unsigned char)how);
    }
}

static void resize(struct object *o, struct input *in)
{
    size_t size = take(in, 2);
    size += size == 0 ? 1 : 0;
    unsigned char *p = allocator->resize(heap, o->p, o->size, size);
    if (p != NULL) {
        struct object kept = {p, size < o->size ? size : o->size, 1, o->fill};
        check_object(&kept);
        *o = (struct object){p, size, natural_align(size), o->fill};
        fill(o, (unsigned char)(o->fill + 1));
    }
}

static void drop(struct object *o)
{
    check_object(o);
    expect(allocator->free(heap, o->p, o->size) != SLM_ADAPTER_REFUSED);
    o->p = NULL;
}

static void check_heap(void)
{
    expect(allocator->check == NULL || allocator->check(heap) == NULL);
    expect(is_filled(memory + region_bytes, GUARD_BYTES, GUARD));
}

static void step(struct input *in)
{
    unsigned op = take(in, 1);
    struct object *o = &objects[take(in, 1) % N_OBJECTS];
    if (op == 255 && allocator->reset != NULL) {
        allocator->reset(heap);
        memset(objects, 0, sizeof objects);
    } else if (o->p == NULL) {
        make(o, in);
    } else if (op % 3 == 0 && allocator->resize != NULL) {
        resize(o, in);
    } else {
        drop(o);
    }
    if (op % 16 == 0) {
        check_heap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static const struct slm_adapter_source source = {block_alloc, block_free, NULL};
    static const struct slm_adapter_pool_shape pool_shape = {4096, false};
    static const struct slm_adapter_slab_shape slab_shape = {
        .page_bytes = 4096, .min_object_bytes = 8, .per_doubling = 1};
    struct slm_adapter_env env = {.region = memory,
                                  .source = &source,
                                  .source_live_bytes = &n_blocks,
                                  .fail = fail,
                                  .pool_shape = &pool_shape,
                                  .slab_shape = &slab_shape};
    struct input in = {bytes, n_bytes};
    allocator = allocator == NULL ? hrn_planted_choice() : allocator;
    region_bytes =
        allocator->region_bytes != NULL ? allocator->region_bytes(REGION_BYTES) : REGION_BYTES;
    env.region_bytes = region_bytes;
    memset(memory, 0xA5, region_bytes);
    memset(memory + region_bytes, GUARD, GUARD_BYTES);
    memset(objects, 0, sizeof objects);
    n_blocks = 0;
    heap = allocator->create(&env);
    expect(heap != NULL);
    while (in.n_left > 0) {
        step(&in);
    }
    for (size_t i = 0; i < N_OBJECTS; i++) {
        if (objects[i].p != NULL) {
            drop(&objects[i]);
        }
    }
    check_heap();
    allocator->destroy(heap);
    expect(n_blocks == 0);
    return 0;
}
