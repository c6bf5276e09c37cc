/* SPDX-License-Identifier: Apache-2.0 */
/* What a slab promises beyond any allocator's promises: when it refuses, where it allocates, what
 * it counts. */
#ifndef HRN_ORACLE_SLAB_H
#define HRN_ORACLE_SLAB_H

#include "harness/adapters/adapters.h"
#include <slabmill/slab.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A model of the pages, made only from what the slab allocated and freed. Each page is in
 *          a span with live objects, in a live run, or available (free, or in an empty span that
 *          its class keeps). A request must be refused exactly if its class has no free chunk in a
 *          span with live objects, no run of available pages holds a chunk of it, and no class
 *          below twice its size has a free chunk. A class keeps the first of its spans that becomes
 *          empty, until it needs a span again, or until a request finds no run of free pages: then
 *          all classes give up their kept spans. A request that gets a page of a kept span, or is
 *          refused, has caused that. The model adds a span when its first object is allocated: the
 *          slab reports where the span is (slm_slab_locate), and that must agree with the model.
 */
struct hrn_slab_shadow;

/* A view of the slab of an arena that the slab's adapter made. */
struct slm_slab *hrn_slab_of(void *self);

/* An arena as the slab's adapter makes it, except for the name. */
void *hrn_slab_create(const struct slm_adapter_env *env, const char *name);

/* Starts a model of a fresh slab in the slot's memory. */
void hrn_slab_shadow_begin(struct hrn_slab_shadow *shadow, struct slm_slab *slab,
                           const struct slm_adapter_env *env);

/* The own checks of the adapter; shadow as self. */
void hrn_slab_shadow_granted(struct hrn_slab_shadow *shadow, const struct slm_adapter_request *rq,
                             void *p);
const char *hrn_slab_shadow_refused(struct hrn_slab_shadow *shadow,
                                    const struct slm_adapter_request *rq);
void hrn_slab_shadow_freed(struct hrn_slab_shadow *shadow, void *p);
uint32_t hrn_slab_shadow_bad_free(struct hrn_slab_shadow *shadow, const void *p);
/* After a trim that, as the slab reports, freed n_pages. */
void hrn_slab_shadow_trimmed(struct hrn_slab_shadow *shadow, size_t n_pages);
/* The slab has n_pages now, at least as many as before; the new ones are free. */
void hrn_slab_shadow_grown(struct hrn_slab_shadow *shadow, size_t n_pages);
void hrn_slab_shadow_walk(struct hrn_slab_shadow *shadow, size_t n_live);
void hrn_slab_shadow_emptied(struct hrn_slab_shadow *shadow, bool by_reset);

struct hrn_shadow_class {
    size_t chunk_bytes;
    size_t span_pages; /* preferred length of a new span */
    size_t n_used;
    size_t n_free;       /* chunks, in spans with live objects */
    size_t n_spans;      /* with live objects */
    size_t kept;         /* first page of the empty span that it keeps */
    size_t n_kept_pages; /* of that span; 0: it keeps none */
    uint64_t n_requests;
    uint64_t n_failures;
};

enum hrn_shadow_kind { HRN_SHADOW_AVAILABLE, HRN_SHADOW_SPAN, HRN_SHADOW_RUN };

/* The first page of a span or run has all its fields; the others only refer to the first. The same
 * holds for the pages of a kept span, which are available. */
struct hrn_shadow_page {
    uint8_t kind;
    uint8_t class_idx;
    bool kept;
    uint32_t first;
    uint32_t n_pages;
    uint32_t n_used; /* chunks */
};

struct hrn_slab_shadow {
    const struct slm_adapter_env *env;
    struct slm_slab *slab;
    unsigned char *region;
    unsigned char *memory; /* page 0 */
    size_t page_bytes;
    size_t n_pages;
    size_t gap_bytes;
    size_t largest_bytes; /* region: larger requests are refused unseen */
    unsigned n_classes;
    struct hrn_shadow_class classes[SLM_SLAB_CLASSES_MAX];
    struct hrn_shadow_page *pages;
    size_t cap_pages;
    size_t n_busy_pages; /* not available */
    size_t n_busy_peak;
    size_t n_kept_pages; /* available, in empty spans that their classes keep */
    size_t n_runs;
    size_t n_run_pages;
    uint64_t run_requests;
    uint64_t run_failures;
};

#ifdef __cplusplus
}
#endif

#endif
