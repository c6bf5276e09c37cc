/* SPDX-License-Identifier: Apache-2.0 */
/* Regions that cannot be formatted, and views that cannot be opened. */
#include <string.h>

#include "fuzz/slab_image/tour.h"
#include "harness/laws/laws.h"

enum { SCRATCH_BYTES = 64 * 1024 };

static unsigned char scratch[SCRATCH_BYTES] __attribute__((aligned(4096)));

static void expect(const char *call, enum slm_status seen, enum slm_status expected)
{
    if (seen != expected) {
        hrn_law_image("%s: %s, expected %s", call, slm_status_name(seen),
                      slm_status_name(expected));
    }
}

static void expect_init_refused(void *region, size_t n_bytes,
                                const struct slm_slab_options *options, enum slm_status expected)
{
    static unsigned char before[SCRATCH_BYTES];
    memset(scratch, 0x5a, sizeof scratch);
    memcpy(before, scratch, sizeof scratch);
    expect("init", slm_slab_init(region, n_bytes, options), expected);
    if (memcmp(before, scratch, sizeof scratch) != 0) {
        hrn_law_image("a region that is refused is written to");
    }
}

static void try_to_format(void)
{
    static const struct slm_slab_options wrong[] = {
        {.page_bytes = 8192},      {.page_bytes = 4095},    {.page_bytes = 131072},
        {.page_bytes = 2048},      {.min_object_bytes = 4}, {.min_object_bytes = 24},
        {.min_object_bytes = 128}, {.per_doubling = 3},     {.per_doubling = 32},
        {.gap_bytes = 65},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        expect_init_refused(scratch, sizeof scratch, &wrong[i], SLM_E_OPTION);
        if (slm_slab_region_bytes(&wrong[i], 1) != 0) {
            hrn_law_image("the size of a region with option %zu", i);
        }
    }
    expect_init_refused(NULL, sizeof scratch, NULL, SLM_E_NULL);
    expect_init_refused(scratch + SLM_SLAB_REGION_ALIGN / 2, 32768, NULL, SLM_E_ALIGN);
    expect_init_refused(scratch, 0, NULL, SLM_E_SIZE);
    size_t least = slm_slab_region_bytes(NULL, 1);
    expect_init_refused(scratch, least - SLM_SLAB_REGION_ALIGN, NULL, SLM_E_SIZE);
    if (least == 0 || slm_slab_region_bytes(NULL, 0) != 0 ||
        slm_slab_region_bytes(NULL, SIZE_MAX) != 0) {
        hrn_law_image("the size of a region of no page, of one, or of too many");
    }
}

static void expect_attach_refused(void *region, size_t n_bytes, const struct slm_slab_view *view,
                                  enum slm_status expected)
{
    struct slm_slab *slab = (struct slm_slab *)(void *)scratch;
    expect("attach", slm_slab_attach(&slab, region, n_bytes, view), expected);
    if (slab != NULL) {
        hrn_law_image("a view that is refused is one");
    }
}

static void lock_nothing(void *data)
{
    (void)data;
}

static enum slm_status repair_nothing(void *data, struct slm_slab *slab)
{
    (void)data;
    (void)slab;
    return SLM_OK;
}

static void try_to_attach(unsigned char *region, size_t n_bytes)
{
    const struct slm_slab_view lock_only = {.lock = lock_nothing};
    const struct slm_slab_view unlock_only = {.unlock = lock_nothing};
    const struct slm_slab_view repair_only = {.repair = repair_nothing};
    const struct slm_slab_view both = {.lock = lock_nothing,
                                       .unlock = lock_nothing,
                                       .shared_lock = (struct slm_lock *)(void *)scratch};
    expect("attach", slm_slab_attach(NULL, region, n_bytes, NULL), SLM_E_NULL);
    expect_attach_refused(NULL, n_bytes, NULL, SLM_E_NULL);
    expect_attach_refused(region + SLM_SLAB_REGION_ALIGN / 2, n_bytes, NULL, SLM_E_ALIGN);
    expect_attach_refused(region, n_bytes - 4096, NULL, SLM_E_SIZE);
    expect_attach_refused(region, n_bytes, &lock_only, SLM_E_OPTION);
    expect_attach_refused(region, n_bytes, &unlock_only, SLM_E_OPTION);
    expect_attach_refused(region, n_bytes, &repair_only, SLM_E_OPTION);
    expect_attach_refused(region, n_bytes, &both, SLM_E_OPTION);
}

static void ask_for_options(const struct slm_slab *slab, const struct slm_slab_options *options)
{
    struct slm_slab_options same = *options;
    bool has_them = slm_slab_has_options(slab, &same) && slm_slab_has_options(slab, NULL);
    same.page_bytes = options->page_bytes == 4096 ? 16384 : 4096;
    bool has_others = slm_slab_has_options(slab, &same);
    same = *options;
    same.min_object_bytes = options->min_object_bytes == 32 ? 16 : 32;
    has_others = has_others || slm_slab_has_options(slab, &same);
    same = *options;
    same.per_doubling = options->per_doubling == 16 ? 8 : 16;
    has_others = has_others || slm_slab_has_options(slab, &same);
    same = *options;
    same.gap_bytes = options->gap_bytes + 1;
    has_others = has_others || slm_slab_has_options(slab, &same);
    if (!has_them || has_others) {
        hrn_law_image("whether the slab has these options: %d, or others: %d", has_them,
                      has_others);
    }
}

void hrn_image_misuse(struct slm_slab *slab, unsigned char *region, size_t region_bytes,
                      const struct slm_slab_options *options)
{
    struct slm_slab_stats stats;
    slm_slab_get_stats(slab, &stats);
    if (slm_slab_region_bytes(options, stats.n_pages) != region_bytes ||
        slm_slab_used_bytes(slab) != stats.metadata_bytes + stats.n_pages * stats.page_bytes) {
        hrn_law_image("the size of a region of %zu pages", stats.n_pages);
    }
    try_to_format();
    try_to_attach(region, region_bytes);
    ask_for_options(slab, options);
}
