/* SPDX-License-Identifier: Apache-2.0 */
/* The list of claims. */
#include "harness/conformance/conformance.h"

#include <stdio.h>

#include "harness/conformance/programs.h"

static bool is_zero_unique(const struct slm_adapter *adapter)
{
    return adapter->zero == SLM_ADAPTER_ZERO_UNIQUE;
}

static bool has_resize(const struct slm_adapter *adapter)
{
    return adapter->resize != NULL || adapter->resize_aligned != NULL ||
           adapter->resize_in_place != NULL;
}

static bool has_resize_null(const struct slm_adapter *adapter)
{
    return adapter->resize_null;
}

static bool has_usable_bytes(const struct slm_adapter *adapter)
{
    return adapter->usable_bytes != NULL;
}

static bool has_two_arenas(const struct slm_adapter *adapter)
{
    return !adapter->one_arena;
}

static bool has_reports(const struct slm_adapter *adapter)
{
    return adapter->check != NULL || adapter->statistics != NULL || adapter->walk != NULL ||
           (adapter->checks != NULL && adapter->checks->walk != NULL);
}

static bool has_live_end(const struct slm_adapter *adapter)
{
    return adapter->destroy != NULL && !adapter->destroy_needs_empty;
}

static bool has_source(const struct slm_adapter *adapter)
{
    return adapter->memory != SLM_ADAPTER_SYSTEM;
}

static const struct hrn_claim claims[] = {
    {"empty", "an arena is made and destroyed without a request", 0, NULL, true, hrn_claim_empty},
    {"sizes", "a new arena serves an object of each size", 0, NULL, true, hrn_claim_sizes},
    {"zero", "objects of size 0 have addresses of their own", 0, is_zero_unique, true,
     hrn_claim_zero},
    {"zero_any", "a request for 0 bytes is answered as declared", 0, NULL, false, hrn_claim_zero},
    {"huge", "sizes that no memory has are refused", 0, NULL, false, hrn_claim_huge},
    {"zeroed", "zeroed objects are zero where others were, and a product that wraps is refused",
     HRN_BIT(HRN_CALLOC), NULL, false, hrn_claim_zeroed},
    {"aligned", "small objects are served at each alignment up to 64", HRN_BIT(HRN_MEMALIGN), NULL,
     true, hrn_claim_aligned_small},
    {"alignments", "each alignment is kept, and those that are not served are refused",
     HRN_BIT(HRN_MEMALIGN), NULL, false, hrn_claim_alignments},
    {"resize", "resizing keeps the bytes, and the alignment of the new size", HRN_BIT(HRN_RESIZE),
     has_resize, false, hrn_claim_resize},
    {"resize_aligned", "an aligned object is resized as declared",
     HRN_BIT(HRN_RESIZE) | HRN_BIT(HRN_MEMALIGN), has_resize, false, hrn_claim_resize_aligned},
    {"resize_null", "resizing NULL allocates", HRN_BIT(HRN_RESIZE), has_resize_null, false,
     hrn_claim_resize_null},
    {"resize_zero", "resizing to 0 bytes does what is declared", HRN_BIT(HRN_RESIZE), has_resize,
     false, hrn_claim_resize_zero},
    {"resize_by", "an object is resized by each function that resizes", HRN_BIT(HRN_RESIZE),
     has_resize, false, hrn_claim_resize_by},
    {"usable", "usable bytes may be used", HRN_BIT(HRN_RESIZE), has_usable_bytes, false,
     hrn_claim_resize},
    {"fill", "an arena is filled and emptied in three orders, three times", 0, NULL, false,
     hrn_claim_fill},
    {"holes", "objects of all sizes fit into holes without sharing a byte", 0, NULL, false,
     hrn_claim_holes},
    {"reset", "a reset leaves nothing", HRN_BIT(HRN_RESET), NULL, false, hrn_claim_reset},
    {"reports", "check, statistics and walk are right when empty, used and full", 0, has_reports,
     false, hrn_claim_reports},
    {"looks", "check, statistics and walk are right alone, at any moment", 0, has_reports, false,
     hrn_claim_looks},
    {"trim", "trim changes no object", HRN_BIT(HRN_TRIM), NULL, false, hrn_claim_trim},
    {"misuse", "free answers each misuse as declared and changes nothing", HRN_BIT(HRN_MISUSE),
     NULL, false, hrn_claim_misuse},
    {"arenas", "two arenas do not disturb each other", 0, has_two_arenas, false, hrn_claim_arenas},
    {"regions", "an arena of any declared length is made and works", 0, has_source, false,
     hrn_claim_regions},
    {"grow", "a region grows around its objects, or stays", HRN_BIT(HRN_GROW), NULL, false,
     hrn_claim_grow},
    {"shrink", "a region shrinks down to its objects, or stays", HRN_BIT(HRN_SHRINK), NULL, false,
     hrn_claim_shrink},
    {"add_region", "regions are added and used", HRN_BIT(HRN_ADD_REGION), NULL, false,
     hrn_claim_add_region},
    {"sparse", "a region above 4 GiB has objects near both ends",
     HRN_CAN_SPARSE | HRN_BIT(HRN_CREATE), NULL, false, hrn_claim_sparse},
    {"live_end", "an arena is destroyed while objects are live", HRN_BIT(HRN_DESTROY), has_live_end,
     false, hrn_claim_live_end},
    {"source", "each refusal of the source is survived", HRN_BIT(HRN_FAULT), has_source, false,
     hrn_claim_source},
    {"packed", "packed objects are aligned as declared", HRN_BIT(HRN_NALLOC), NULL, false,
     hrn_claim_packed},
    {"handlers", "handlers run once each, the newest first", HRN_BIT(HRN_CLEANUP), NULL, false,
     hrn_claim_handlers},
    {"files", "files are closed and deleted once each", HRN_BIT(HRN_FILE), NULL, false,
     hrn_claim_files},
    {"reuse", "a reuse list returns each object once",
     HRN_BIT(HRN_REUSE_GET) | HRN_BIT(HRN_REUSE_PUT), NULL, false, hrn_claim_reuse},
    {"give_back", "the newest object is given back, and others are declined",
     HRN_BIT(HRN_GIVE_BACK), NULL, false, hrn_claim_give_back},
};

size_t hrn_claim_count(void)
{
    return sizeof claims / sizeof claims[0];
}

const struct hrn_claim *hrn_claim_at(size_t idx)
{
    return &claims[idx];
}

bool hrn_claim_applies(const struct hrn_claim *claim, const struct slm_adapter *adapter)
{
    return (claim->needs & ~hrn_can(adapter)) == 0 &&
           (claim->applies == NULL || claim->applies(adapter));
}

void hrn_claim_make(const struct hrn_claim *claim, const struct slm_adapter *adapter,
                    struct hrn_program *program)
{
    hrn_program_clear(program);
    program->head.check_every = 1;
    claim->make(adapter, program);
}

enum hrn_law hrn_claim_run(const struct hrn_claim *claim, const struct slm_adapter *adapter,
                           const struct hrn_program *program, struct hrn_result *result)
{
    enum hrn_law law = hrn_run_catch(adapter, program, result);
    if (law == HRN_LAW_NONE && claim->serves && result->n_refused > 0) {
        result->law = HRN_LAW_refusal;
        result->op_idx = program->n_ops;
        snprintf(result->text, sizeof result->text,
                 "%llu of %llu operations were refused in an arena with room",
                 (unsigned long long)result->n_refused, (unsigned long long)result->n_done);
    }
    return result->law;
}
