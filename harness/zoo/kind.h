/* SPDX-License-Identifier: Apache-2.0 */
/* What the allocators of the zoo share: their first fields, counting, tables of adapters. */
#ifndef HRN_ZOO_KIND_H
#define HRN_ZOO_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "harness/zoo/zoo.h"

#define ZOO_GRANULE 16u

/* The first member of each allocator's control block, which is a block of the source. */
struct zoo {
    /* 0: none. Volatile: otherwise a compiler could drop a planted write that is never read. */
    volatile unsigned bug;
    const struct slm_adapter_source *source;
    unsigned char *start; /* the region */
    size_t bytes;
    size_t n_objects; /* live */
    size_t object_bytes;
};

static inline void zoo_init(struct zoo *zoo, const struct slm_adapter_env *env, unsigned bug)
{
    zoo->bug = bug;
    zoo->source = env->source;
    zoo->start = env->region;
    zoo->bytes = env->region_bytes;
    zoo->n_objects = 0;
    zoo->object_bytes = 0;
}

static inline void zoo_count(struct zoo *zoo, size_t size_bytes)
{
    zoo->n_objects++;
    zoo->object_bytes += size_bytes;
}

static inline void zoo_uncount(struct zoo *zoo, size_t size_bytes)
{
    zoo->n_objects--;
    zoo->object_bytes -= size_bytes;
}

/* The adapters' function `statistics`. */
static inline void zoo_statistics(void *self, struct slm_adapter_statistics *statistics)
{
    const struct zoo *zoo = self;
    statistics->n_objects = zoo->n_objects;
    statistics->object_bytes = zoo->object_bytes;
}

static inline void *zoo_block(const struct slm_adapter_source *source, size_t bytes)
{
    return source->alloc(source->data, bytes, ZOO_GRANULE);
}

static inline void zoo_give(const struct slm_adapter_source *source, void *block, size_t bytes)
{
    source->free(source->data, block, bytes, ZOO_GRANULE);
}

/* Also of SIZE_MAX, which stays above every region. */
static inline size_t zoo_round_up(size_t bytes, size_t multiple)
{
    return bytes > SIZE_MAX - multiple ? SIZE_MAX - multiple + 1
                                       : (bytes + multiple - 1) / multiple * multiple;
}

/* SIZE_MAX, which no allocator serves, if size_t cannot hold the product. */
static inline size_t zoo_product(size_t n, size_t size_bytes, bool wraps)
{
    bool fits = size_bytes == 0 || n <= SIZE_MAX / size_bytes;
    return fits || wraps ? n * size_bytes : SIZE_MAX;
}

/* The alignment to serve, at least `least`; 0: it must be refused. */
static inline size_t zoo_align(size_t align_bytes, size_t least, size_t most)
{
    bool is_power = align_bytes != 0 && (align_bytes & (align_bytes - 1)) == 0;
    if (!is_power || align_bytes > most) {
        return 0;
    }
    return align_bytes < least ? least : align_bytes;
}

static inline size_t zoo_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* For lists of bugs: the functions `create`, which differ in their bug, and the adapters. The file
 * defines ZOO_BUG(name), the number; ZOO_NAME, what names begin with; ZOO_FIELDS, all but these. */
#define ZOO_CREATE(bug, kind, sentence)                                                            \
    static void *create_##bug(const struct slm_adapter_env *env)                                   \
    {                                                                                              \
        return create(env, ZOO_BUG(bug));                                                          \
    }
#define ZOO_ENTRY(bug, kind, sentence) {.name = ZOO_NAME #bug, .create = create_##bug, ZOO_FIELDS},

/* The tables of adapters, in the order of the lists of bugs, the one without a bug first. */
extern const struct slm_adapter hrn_zoo_tags[];
extern const struct slm_adapter hrn_zoo_buddy[];
extern const struct slm_adapter hrn_zoo_levels[];
extern const struct slm_adapter hrn_zoo_bump[];

#endif
