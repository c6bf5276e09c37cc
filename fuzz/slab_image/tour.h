/* SPDX-License-Identifier: Apache-2.0 */
/* All questions that a sound slab answers, compared with each other. */
#ifndef HRN_FUZZ_SLAB_TOUR_H
#define HRN_FUZZ_SLAB_TOUR_H

#include <slabmill/slab.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The walk, the places of addresses, and the statistics agree on the objects. Aborts if not. */
void hrn_image_tour(struct slm_slab *slab, unsigned char *region, size_t region_bytes,
                    size_t gap_bytes);

/* Calls without a slab, or without a place for the answer, do nothing. Aborts if not. */
void hrn_image_nulls(struct slm_slab *slab, void *p);

/* Regions and views with wrong arguments are refused, and nothing is written. options: the slab's. */
void hrn_image_misuse(struct slm_slab *slab, unsigned char *region, size_t region_bytes,
                      const struct slm_slab_options *options);

#ifdef __cplusplus
}
#endif
#endif
