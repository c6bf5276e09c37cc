/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a table, in words. */
#include <stdio.h>
#include <string.h>

#include "harness/registry/registry.h"

#define REGION_ALIGN_MAX 4096u
#define NAME_MAX_BYTES   64u

/* Each finding returns a phrase, or NULL. */

static bool is_power(size_t x)
{
    return x != 0 && (x & (x - 1)) == 0;
}

static const char *wrong_name(const struct slm_adapter *a)
{
    if (a->name == NULL || a->name[0] == '\0') {
        return "name is missing";
    }
    if (strlen(a->name) > NAME_MAX_BYTES) {
        return "name is longer than 64 bytes";
    }
    return strpbrk(a->name, " /\t\n") != NULL ? "name has a blank or a slash in it" : NULL;
}

static const char *wrong_functions(const struct slm_adapter *a)
{
    if (a->create == NULL) {
        return "create is missing; create, alloc and free are needed";
    }
    if (a->alloc == NULL) {
        return "alloc is missing; create, alloc and free are needed";
    }
    if (a->free == NULL) {
        return "free is missing; create, alloc and free are needed";
    }
    if (a->resize_null && a->resize == NULL) {
        return "resize_null is set, and resize is missing";
    }
    if (a->resize_zero != SLM_ADAPTER_RESIZE_ZERO_UNASKED && a->resize == NULL &&
        a->resize_aligned == NULL && a->resize_in_place == NULL) {
        return "resize_zero is set, and there is no function that resizes";
    }
    return NULL;
}

static const char *wrong_alignment(const struct slm_adapter *a)
{
    bool aligned = a->alloc_aligned != NULL || a->resize_aligned != NULL;
    if (a->align_bytes != 0 && !is_power(a->align_bytes)) {
        return "align_bytes is no power of two";
    }
    if (a->align_bytes != 0 && a->align_of != NULL) {
        return "align_bytes and align_of are both set; align_of says all";
    }
    if (aligned && a->align_max_bytes == 0) {
        return "align_max_bytes is 0; alloc_aligned and resize_aligned need it";
    }
    if (!aligned && (a->align_max_bytes != 0 || a->align_min_bytes != 0)) {
        return "align_max_bytes or align_min_bytes is set, and alloc_aligned is missing";
    }
    if (aligned && !is_power(a->align_max_bytes)) {
        return "align_max_bytes is no power of two";
    }
    if (a->align_min_bytes != 0 && !is_power(a->align_min_bytes)) {
        return "align_min_bytes is no power of two";
    }
    if (a->align_min_bytes > a->align_max_bytes) {
        return "align_min_bytes is above align_max_bytes";
    }
    if (a->align_refuses && a->alloc_aligned == NULL) {
        return "align_refuses is set, and alloc_aligned is missing";
    }
    if (a->resize_keeps_align && (a->alloc_aligned == NULL || a->resize == NULL)) {
        return "resize_keeps_align is set, and alloc_aligned or resize is missing";
    }
    return NULL;
}

static const char *wrong_enums(const struct slm_adapter *a)
{
    if ((unsigned)a->zero > SLM_ADAPTER_ZERO_UNASKED) {
        return "zero is none of SLM_ADAPTER_ZERO_...";
    }
    if ((unsigned)a->resize_zero > SLM_ADAPTER_RESIZE_ZERO_REFUSED) {
        return "resize_zero is none of SLM_ADAPTER_RESIZE_ZERO_...";
    }
    if ((unsigned)a->memory > SLM_ADAPTER_SYSTEM) {
        return "memory is none of SLM_ADAPTER_REGION, _SOURCE, _SYSTEM";
    }
    return NULL;
}

static bool has_region_fields(const struct slm_adapter *a)
{
    return a->region_min_bytes != 0 || a->region_max_bytes != 0 || a->region_multiple_bytes != 0 ||
           a->region_align_bytes != 0 || a->region_bytes != NULL || a->grow != NULL ||
           a->shrink != NULL || a->add_region != NULL || a->sparse_regions;
}

static const char *wrong_region(const struct slm_adapter *a)
{
    size_t multiple = a->region_multiple_bytes == 0 ? 1 : a->region_multiple_bytes;
    if (a->memory != SLM_ADAPTER_REGION && has_region_fields(a)) {
        return "fields or functions of the region are set, and memory is not SLM_ADAPTER_REGION";
    }
    if (a->region_align_bytes != 0 &&
        (!is_power(a->region_align_bytes) || a->region_align_bytes > REGION_ALIGN_MAX)) {
        return "region_align_bytes is no power of two up to 4096";
    }
    if (a->region_max_bytes != 0 && a->region_min_bytes > a->region_max_bytes) {
        return "region_min_bytes is above region_max_bytes";
    }
    if (a->sparse_regions && a->region_max_bytes != 0 && a->region_max_bytes <= UINT32_MAX) {
        return "sparse_regions is set, and region_max_bytes is not above 4 GiB";
    }
    if (a->region_min_bytes % multiple != 0 || a->region_max_bytes % multiple != 0) {
        return "region_min_bytes or region_max_bytes is no multiple of region_multiple_bytes";
    }
    return NULL;
}

static const char *wrong_misuse(const struct slm_adapter *a)
{
    uint32_t all = a->bad_free_any;
    for (unsigned i = 0; i < SLM_ADAPTER_N_MISUSES; i++) {
        all |= a->bad_free[i];
    }
    return all >> SLM_ADAPTER_N_ANSWERS == 0
               ? NULL
               : "bad_free has a bit of no answer; its entries are made by SLM_ADAPTER_BIT";
}

static const char *wrong_promises(const struct slm_adapter *a)
{
    if ((a->gap_serves || a->exact) && a->footprint_bytes == NULL) {
        return "gap_serves or exact is set, and footprint_bytes is missing";
    }
    if ((a->gap_serves || a->exact) && a->memory != SLM_ADAPTER_REGION) {
        return "gap_serves or exact is set, and memory is not SLM_ADAPTER_REGION";
    }
    if (a->n_fit != NULL && a->memory != SLM_ADAPTER_REGION) {
        return "n_fit is set, and memory is not SLM_ADAPTER_REGION";
    }
    if (a->growth_bytes != NULL && a->memory == SLM_ADAPTER_SYSTEM) {
        return "growth_bytes is set, and memory is SLM_ADAPTER_SYSTEM";
    }
    if (a->shrunk_fit && a->resize == NULL && a->resize_in_place == NULL) {
        return "shrunk_fit is set, and resize and resize_in_place are missing";
    }
    return NULL;
}

static const char *wrong_pool(const struct slm_adapter *a)
{
    const struct slm_adapter_pool *pool = a->pool;
    if (pool == NULL) {
        return NULL;
    }
    unsigned n_reuse = (unsigned)(pool->reuse_get != NULL) + (pool->reuse_put != NULL) +
                       (pool->reuse_bytes != NULL);
    if (pool->alloc_packed != NULL && !is_power(pool->packed_align_bytes)) {
        return "pool: packed_align_bytes is no power of two; alloc_packed needs it";
    }
    if (n_reuse != 0 && n_reuse != 3) {
        return "pool: reuse_get, reuse_put and reuse_bytes are needed together";
    }
    if ((pool->arm != NULL) != (pool->cancel != NULL)) {
        return "pool: arm and cancel are needed together";
    }
    if ((pool->child != NULL) != (pool->end_child != NULL)) {
        return "pool: child and end_child are needed together";
    }
    if ((pool->arm != NULL || pool->child != NULL) && pool->cleanup == NULL) {
        return "pool: arm or child is set, and cleanup is missing";
    }
    return pool->run_file != NULL && pool->file == NULL
               ? "pool: run_file is set, and file is missing"
               : NULL;
}

bool hrn_adapter_is_sound(const struct slm_adapter *adapter, char *text, size_t text_bytes)
{
    static const char *(*const findings[])(const struct slm_adapter *) = {
        wrong_name,   wrong_functions, wrong_alignment, wrong_enums,
        wrong_region, wrong_misuse,    wrong_promises,  wrong_pool};
    const char *wrong = NULL;
    for (size_t i = 0; wrong == NULL && i < sizeof findings / sizeof findings[0]; i++) {
        wrong = findings[i](adapter);
    }
    if (wrong != NULL) {
        bool named = adapter->name != NULL && adapter->name[0] != '\0';
        snprintf(text, text_bytes, "adapter %s: %s", named ? adapter->name : "without a name",
                 wrong);
    }
    return wrong == NULL;
}
