/* SPDX-License-Identifier: Apache-2.0 */
/* Copying a zone while others change it. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, MAP_NORESERVE */
#endif
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "tools/slabmill/inspect/inspect.h"

/*
 * Passes over the zone, each reading it from the lowest address to the highest into the copy. When
 * a pass changes nothing, every byte of the copy was in the zone at the moment between that pass
 * and the one before. No byte can have differed at that moment and been the same at both reads:
 * each allocation raises a counter that never falls, and counters are at lower addresses than the
 * bitmaps, so they are read first. The lock word is read at that moment too: it is in the head,
 * where a pass begins.
 *
 * So if the word was "free" and the pass changed nothing, the copy is what a caller that takes the
 * lock would have found.
 */
#define PASSES_MIN  64u /* tries without a pause, before the time limit applies */
#define TRY_NS      INT64_C(300000000)
#define PAUSE_NS    200000
#define CHUNK_BYTES 65536u

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* One pass over a part. */
static enum slm_status update(struct mill_copy *copy, const struct mill_source *source,
                              size_t offset, size_t n_bytes, bool *changed, struct slm_error *error)
{
    static unsigned char chunk[CHUNK_BYTES];
    while (n_bytes > 0) {
        size_t n = n_bytes < CHUNK_BYTES ? n_bytes : CHUNK_BYTES;
        enum slm_status status = mill_source_read(source, offset, chunk, n, error);
        if (status != SLM_OK) {
            return status;
        }
        if (memcmp(copy->base + offset, chunk, n) != 0) {
            memcpy(copy->base + offset, chunk, n);
            *changed = true;
        }
        offset += n;
        n_bytes -= n;
    }
    return SLM_OK;
}

/* Address space for the zone's maximum size. Only pages that are written cost memory. */
static enum slm_status reserve(struct mill_copy *copy, size_t n_bytes, const char *label,
                               struct slm_error *error)
{
    void *map = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        return slm_error_set(error, SLM_E_NOMEM, 0, "%s: no addresses for a copy of %zu bytes",
                             label, n_bytes);
    }
    copy->base = map;
    copy->reserved_bytes = n_bytes;
    return SLM_OK;
}

static enum slm_status start(struct mill_copy *copy, const struct mill_source *source,
                             struct slm_error *error)
{
    enum slm_status status = mill_source_read_image(source, &copy->image, error);
    return status == SLM_OK ? reserve(copy, (size_t)copy->image.max_bytes, source->label, error)
                            : status;
}

static void close_parts(struct mill_copy *copy)
{
    slm_journal_detach(&copy->journal);
    slm_slab_detach(copy->slab);
    copy->slab = NULL;
}

/* Checks the length, since parts that are not read could be missing. A zone that grows gets longer
 * before it records its new length. */
static enum slm_status check_length(const struct slm_zone_image *image,
                                    const struct mill_source *source, struct slm_error *error)
{
    size_t n_bytes;
    enum slm_status status = mill_source_bytes(source, &n_bytes, error);
    if (status == SLM_OK && n_bytes < image->bytes) {
        status =
            slm_error_set(error, SLM_E_TRUNCATED, 0, "%s: %zu bytes, expected %llu: it was cut",
                          source->label, n_bytes, (unsigned long long)image->bytes);
    }
    return status;
}

/* Head, journal and the slab's header: enough to know where everything else is. */
static enum slm_status pass_over_fixed(struct mill_copy *copy, const struct mill_source *source,
                                       bool *changed, struct slm_error *error)
{
    struct slm_zone_image *image = &copy->image;
    enum slm_status status = update(copy, source, 0, SLM_ZONE_IMAGE_HEAD_BYTES, changed, error);
    if (status == SLM_OK) {
        status =
            slm_zone_image_read(image, copy->base, SLM_ZONE_IMAGE_HEAD_BYTES, source->label, error);
    }
    if (status == SLM_OK && image->max_bytes > copy->reserved_bytes) {
        status = slm_error_set(error, SLM_E_STATE, 0, "%s: became another zone", source->label);
    }
    if (status == SLM_OK) {
        status = check_length(image, source, error);
    }
    if (status == SLM_OK) {
        size_t to = (size_t)image->slab_offset + SLM_SLAB_REGION_ALIGN;
        status = update(copy, source, SLM_ZONE_IMAGE_HEAD_BYTES, to - SLM_ZONE_IMAGE_HEAD_BYTES,
                        changed, error);
    }
    return status;
}

/* Sets *changed if the copy differed from the zone. */
static enum slm_status pass(struct mill_copy *copy, const struct mill_source *source, bool *changed,
                            struct slm_error *error)
{
    struct slm_slab_part parts[SLM_SLAB_METADATA_PARTS];
    close_parts(copy);
    copy->n_passes++;
    enum slm_status status = pass_over_fixed(copy, source, changed, error);
    if (status != SLM_OK) {
        return status;
    }
    copy->slab_status = slm_zone_image_open(&copy->image, copy->base, &copy->slab, &copy->journal);
    if (copy->slab_status != SLM_OK) {
        return SLM_OK;
    }
    slm_slab_metadata_parts(copy->slab, parts);
    for (unsigned i = 0; i < SLM_SLAB_METADATA_PARTS && status == SLM_OK; i++) {
        status = update(copy, source, (size_t)copy->image.slab_offset + parts[i].offset,
                        parts[i].n_bytes, changed, error);
    }
    return status;
}

/* The moment of a copy that did not change. */
static enum mill_moment judge(const struct mill_copy *copy)
{
    const struct slm_lock_owner *owner = &copy->owner;
    if (owner->identity == 0) {
        return owner->needs_repair ? MILL_MOMENT_LEFT : MILL_MOMENT_SETTLED;
    }
    return owner->is_alive ? MILL_MOMENT_HELD : MILL_MOMENT_LEFT;
}

/* Continues until a pass finds the zone unchanged, and either unlocked or left by a dead owner. */
static enum slm_status pass_until_settled(struct mill_copy *copy, const struct mill_source *source,
                                          struct slm_error *error)
{
    int64_t end_ns = now_ns() + TRY_NS;
    do {
        bool changed = false;
        enum slm_status status = pass(copy, source, &changed, error);
        if (status == SLM_OK) {
            status = slm_zone_image_owner(&copy->image, &copy->owner, error);
        }
        if (status != SLM_OK) {
            return status;
        }
        copy->moment = changed ? MILL_MOMENT_CHANGING : judge(copy);
        if (copy->moment == MILL_MOMENT_SETTLED || copy->moment == MILL_MOMENT_LEFT) {
            return SLM_OK;
        }
        if (copy->n_passes >= PASSES_MIN) {
            (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        }
    } while (copy->n_passes < PASSES_MIN || now_ns() < end_ns);
    return SLM_OK;
}

enum slm_status mill_copy_take(struct mill_copy *copy, const struct mill_source *source,
                               struct slm_error *error)
{
    memset(copy, 0, sizeof *copy);
    enum slm_status status = start(copy, source, error);
    if (status == SLM_OK) {
        status = pass_until_settled(copy, source, error);
    }
    if (status != SLM_OK) {
        mill_copy_drop(copy);
    }
    return status;
}

void mill_copy_drop(struct mill_copy *copy)
{
    close_parts(copy);
    if (copy->base != NULL) {
        (void)munmap(copy->base, copy->reserved_bytes);
        copy->base = NULL;
    }
}
