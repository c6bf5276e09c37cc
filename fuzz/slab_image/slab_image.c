/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged slab images: inputs are changes to a region. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/common/fuzz.h"
#include "fuzz/slab_image/slab_image.h"
#include "fuzz/slab_image/tour.h"
#include "harness/base/array.h"
#include "harness/failure/say.h"
#include "harness/inputs/random.h"
#include "harness/laws/laws.h"
#include "harness/memory/memory.h"
#include <slabmill/slab.h>

enum { N_GEOMETRIES = 6, PATCH_BYTES = 16, N_PAGES = 10, N_OBJECTS = 120, N_AFTER = 24 };

static const struct slm_slab_options geometries[N_GEOMETRIES] = {
    {.page_bytes = 4096},
    {.page_bytes = 4096, .per_doubling = 8},
    {.page_bytes = 4096, .per_doubling = 4, .min_object_bytes = 16, .gap_bytes = 8},
    {.page_bytes = 4096, .min_object_bytes = 64},
    {.page_bytes = 16384, .per_doubling = 2},
    {.page_bytes = 4096, .per_doubling = 16, .min_object_bytes = 32},
};

/* A formatted region with objects of all kinds, and the bytes of it that may be changed. */
struct image {
    unsigned char *bytes;
    size_t n_bytes;
    size_t metadata_bytes;
    uint32_t *open_words; /* offsets of 8-byte words that attach does not refuse when they change */
    size_t n_open;
};

static struct image images[N_GEOMETRIES];
static struct hrn_region region;
static uint64_t n_ops; /* of this input, as the next */
static size_t n_patches_here;
static struct {
    uint64_t n_patches;
    uint64_t n_refused;
    uint64_t n_sound;
    uint64_t n_rebuilt;
    uint64_t n_given_up;
} totals;
static unsigned char *before; /* a copy of the region; as long as the longest image */

static struct slm_slab *attach(size_t n_bytes)
{
    struct slm_slab *slab;
    return slm_slab_attach(&slab, region.base, n_bytes, NULL) == SLM_OK ? slab : NULL;
}

/* Objects of many sizes, every third freed again. This leaves full, partly used and kept spans,
 * runs and holes. */
static void populate(struct slm_slab *slab)
{
    void *objects[N_OBJECTS];
    struct hrn_rng rng;
    hrn_rng_seed(&rng, 1);
    for (size_t i = 0; i < N_OBJECTS; i++) {
        size_t size = i % 40 == 39 ? 5000 : 8u << hrn_rng_below(&rng, 8);
        objects[i] = slm_slab_alloc(slab, size);
    }
    for (size_t i = 0; i < N_OBJECTS; i += 3) {
        (void)slm_slab_free(slab, objects[i]);
    }
    (void)slm_slab_set_root(slab, objects[1]);
}

/* The seal covers what never changes. Attach must refuse a region with one inverted bit there. */
static void find_open_words(struct image *image)
{
    size_t n_words = image->metadata_bytes / 8;
    size_t cap = 0;
    image->open_words = hrn_array_grow(NULL, &cap, n_words, sizeof *image->open_words);
    for (size_t i = 0; i < n_words; i++) {
        region.base[i * 8] ^= 1;
        struct slm_slab *slab = attach(image->n_bytes);
        if (slab != NULL) {
            image->open_words[image->n_open++] = (uint32_t)(i * 8);
        }
        slm_slab_detach(slab);
        region.base[i * 8] ^= 1;
    }
}

static void open_region(size_t n_bytes)
{
    if (!hrn_region_open(&region, n_bytes, hrn_junk(0))) {
        abort();
    }
}

static void build_image(struct image *image, const struct slm_slab_options *options)
{
    struct slm_slab_stats stats;
    image->n_bytes = slm_slab_region_bytes(options, N_PAGES);
    open_region(image->n_bytes);
    if (slm_slab_init(region.base, image->n_bytes, options) != SLM_OK) {
        hrn_law_create_answer("no slab in %zu bytes", image->n_bytes);
    }
    struct slm_slab *slab = attach(image->n_bytes);
    populate(slab);
    slm_slab_get_stats(slab, &stats);
    slm_slab_detach(slab);
    image->metadata_bytes = stats.metadata_bytes;
    find_open_words(image);
    size_t cap = 0;
    image->bytes = hrn_array_grow(NULL, &cap, image->n_bytes, 1);
    memcpy(image->bytes, region.base, image->n_bytes);
    hrn_region_close(&region);
}

/* --- Patches --- */

static uint64_t load(const uint8_t *p, unsigned n)
{
    uint64_t x = 0;
    for (unsigned i = 0; i < n; i++) {
        x |= (uint64_t)p[i] << 8 * i;
    }
    return x;
}

/* Manner: bit 0 sets the bytes, else inverts bits; bit 1 anywhere in the region, else only in open
 * words. */
static void apply_patch(const struct image *image, const uint8_t *patch)
{
    size_t offset = (size_t)load(patch, 4);
    size_t n = 1 + patch[4] % 8u;
    if ((patch[5] & 2u) != 0) {
        offset %= image->n_bytes - 8;
    } else {
        offset = image->open_words[offset % image->n_open];
    }
    HRN_SAY_OP("%s %zu bytes at offset %zu: %#" PRIx64, (patch[5] & 1u) != 0 ? "set" : "turn", n,
               offset, load(patch + 8, 8));
    totals.n_patches++;
    n_patches_here++;
    for (size_t i = 0; i < n; i++) {
        unsigned char old = (patch[5] & 1u) != 0 ? 0 : region.base[offset + i];
        region.base[offset + i] = old ^ patch[8 + i];
    }
}

/* --- What must hold --- */

static void expect_unchanged(const struct image *image, const char *call)
{
    if (memcmp(before, region.base, image->n_bytes) != 0) {
        hrn_law_image("%s wrote to the region", call);
    }
    if (hrn_region_fence_broken(&region) != SIZE_MAX) {
        hrn_law_fence("%s wrote past the end of the region", call);
    }
}

/* In a sound region objects can be allocated, do not overlap, and can be freed. */
static void use(const struct image *image, struct slm_slab *slab)
{
    unsigned char *objects[N_AFTER];
    size_t n = 0;
    for (size_t i = 0; i < N_AFTER; i++) {
        size_t size = (size_t)8 << i % 10;
        unsigned char *p = slm_slab_alloc(slab, size);
        if (p == NULL) {
            continue;
        }
        if (p < region.base + image->metadata_bytes || p + size > region.base + image->n_bytes) {
            hrn_law_outside("%zu bytes at offset %td", size, p - region.base);
        }
        memset(p, (int)i, size);
        objects[n++] = p;
    }
    for (size_t i = 0; i < n; i++) {
        if (slm_slab_free(slab, objects[i]) != SLM_OK) {
            hrn_law_image("object %zu cannot be freed", i);
        }
    }
    unsigned broken = slm_slab_check(slab);
    if (broken != 0) {
        hrn_law_image("a region found sound broke invariant %u by use", broken);
    }
    n_ops += 2 * n;
}

/* Damage may make counters of requests so high that use would make them wrap. No check can find
 * that. */
#define REQUESTS_MAX (UINT64_MAX - 1000)

/* Calls all functions that read a sound region; true if its counters have room. */
static bool look(const struct image *image, struct slm_slab *slab)
{
    struct slm_slab_stats stats;
    struct slm_slab_class_stats class;
    struct slm_slab_place place;
    slm_slab_get_stats(slab, &stats);
    bool has_room = stats.run_requests < REQUESTS_MAX;
    for (unsigned i = 0; i < stats.n_classes; i++) {
        (void)slm_slab_get_class_stats(slab, i, &class);
        has_room &= class.n_requests < REQUESTS_MAX;
    }
    for (size_t at = 0; at < image->n_bytes; at += 1000) {
        slm_slab_locate(slab, region.base + at, &place);
    }
    return has_room;
}

/* All that a slab counts. */
struct counts {
    struct slm_slab_stats all;
    struct slm_slab_class_stats classes[SLM_SLAB_CLASSES_MAX];
};

static void count(struct slm_slab *slab, struct counts *counts)
{
    memset(counts, 0, sizeof *counts);
    slm_slab_get_stats(slab, &counts->all);
    for (unsigned i = 0; i < counts->all.n_classes; i++) {
        (void)slm_slab_get_class_stats(slab, i, &counts->classes[i]);
    }
}

/* What cannot be computed again was at least made plausible. */
static void expect_plausible(const struct counts *counts)
{
    bool is_odd = counts->all.run_failures > counts->all.run_requests ||
                  counts->all.peak_used_pages > counts->all.n_pages;
    for (unsigned i = 0; i < counts->all.n_classes; i++) {
        is_odd = is_odd || counts->classes[i].n_failures > counts->classes[i].n_requests;
    }
    if (is_odd) {
        hrn_law_image("failures without requests, or a peak of pages that are not there");
    }
}

/* In a sound region the bitmaps, of chunks and of lengths, are what a rebuild makes them. */
static void expect_same_bitmaps(const struct slm_slab *slab)
{
    struct slm_slab_part parts[SLM_SLAB_METADATA_PARTS];
    slm_slab_metadata_parts(slab, parts);
    if (memcmp(before + parts[1].offset, region.base + parts[1].offset, parts[1].n_bytes) != 0) {
        hrn_law_image("found sound, and a rebuild changes its bitmaps");
    }
}

/* A rebuild changes no count of a sound region. Of a rebuilt one it changes no byte, but for the
 * first time the order of lists. */
static void rebuild_again(const struct image *image, struct slm_slab *slab, bool was_sound)
{
    static struct counts counts;
    static struct counts later;
    count(slab, &counts);
    expect_plausible(&counts);
    if (was_sound) {
        if (slm_slab_rebuild_locked(slab) != SLM_OK) {
            hrn_law_image("a sound region cannot be rebuilt");
        }
        expect_same_bitmaps(slab);
    }
    for (unsigned i = 0; i < 2; i++) {
        (void)memcpy(before, region.base, image->n_bytes);
        enum slm_status status = slm_slab_rebuild_locked(slab);
        if (status != SLM_OK || (i == 1 && memcmp(before, region.base, image->n_bytes) != 0)) {
            hrn_law_image("rebuilt again: %s, another region: %d", slm_status_name(status), i == 1);
        }
    }
    count(slab, &later);
    if (memcmp(&counts, &later, sizeof counts) != 0) {
        hrn_law_image("a second rebuild counts differently");
    }
}

static void judge_sound(const struct image *image, struct slm_slab *slab)
{
    totals.n_sound++;
    bool has_room = look(image, slab);
    hrn_image_tour(slab, region.base, image->n_bytes, geometries[image - images].gap_bytes);
    if (n_patches_here == 0) {
        hrn_image_misuse(slab, region.base, image->n_bytes, &geometries[image - images]);
    }
    hrn_image_nulls(slab, region.base + image->metadata_bytes);
    expect_unchanged(image, "looking");
    void *pending = slm_slab_last_allocation_locked(slab);
    void *root = slm_slab_root(slab);
    rebuild_again(image, slab, true);
    if (slm_slab_root(slab) != root || slm_slab_last_allocation_locked(slab) != pending) {
        hrn_law_image("a rebuild changed the root, or the last allocation");
    }
    if (has_room) {
        use(image, slab);
    }
}

static void judge(const struct image *image, struct slm_slab *slab)
{
    unsigned broken = slm_slab_check(slab);
    expect_unchanged(image, "slm_slab_check");
    if (broken == 0) {
        judge_sound(image, slab);
        return;
    }
    enum slm_status status = slm_slab_rebuild_locked(slab);
    totals.n_rebuilt += status == SLM_OK;
    totals.n_given_up += status == SLM_E_IMAGE;
    if (status == SLM_OK) {
        (void)slm_slab_set_root(slab, NULL); /* the root belongs to the user and is not rebuilt */
        broken = slm_slab_check(slab);
        if (broken != 0) {
            hrn_law_image("it breaks invariant %u after the rebuild", broken);
        }
        rebuild_again(image, slab, false);
        if (look(image, slab)) {
            use(image, slab);
        }
    } else if (status != SLM_E_IMAGE) {
        hrn_law_image("slm_slab_rebuild_locked returns %s", slm_status_name(status));
    }
}

static void prepare(void)
{
    size_t longest = 0;
    for (size_t i = 0; i < N_GEOMETRIES && images[i].bytes == NULL; i++) {
        build_image(&images[i], &geometries[i]);
        longest = images[i].n_bytes > longest ? images[i].n_bytes : longest;
    }
    size_t cap = 0;
    before = before != NULL ? before : hrn_array_grow(NULL, &cap, longest, 1);
}

bool hrn_image_kind(unsigned idx, struct hrn_fuzz_kind *kind)
{
    const struct hrn_fuzz_kind kinds[] = {
        {"patch", totals.n_patches},     {"attach_refused", totals.n_refused},
        {"sound", totals.n_sound},       {"rebuilt", totals.n_rebuilt},
        {"given_up", totals.n_given_up},
    };
    return hrn_fuzz_kind_of(kinds, sizeof kinds / sizeof kinds[0], idx, kind);
}

int hrn_fuzz_image(const uint8_t *bytes, size_t n_bytes)
{
    prepare();
    const struct image *image = &images[n_bytes == 0 ? 0 : bytes[0] % N_GEOMETRIES];
    HRN_SAY_OP("geometry %td: a region of %zu bytes", image - images, image->n_bytes);
    open_region(image->n_bytes);
    memcpy(region.base, image->bytes, image->n_bytes);
    n_patches_here = 0;
    for (size_t at = 1; at + PATCH_BYTES <= n_bytes; at += PATCH_BYTES) {
        apply_patch(image, bytes + at);
    }
    memcpy(before, region.base, image->n_bytes);
    n_ops = 1;
    HRN_SAY_OP("attach, check, use");
    struct slm_slab *slab = attach(image->n_bytes);
    expect_unchanged(image, "slm_slab_attach");
    totals.n_refused += slab == NULL;
    if (slab != NULL) {
        judge(image, slab);
        slm_slab_detach(slab);
    }
    hrn_region_close(&region);
    hrn_fuzz_count(n_ops);
    return 0;
}
