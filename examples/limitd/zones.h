/* SPDX-License-Identifier: Apache-2.0 */
/* limitd's zones: one for each library, over reloads and into a new binary. */
#ifndef SLM_EXAMPLES_LIMITD_ZONES_H
#define SLM_EXAMPLES_LIMITD_ZONES_H

#include "examples/limitd/config.h"
#include <slabmill/zone_set.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Four zones in memfds: they live as long as a process has them, and are passed to a new
 *          binary as open descriptors. A configuration never makes a zone lose content: a zone that
 *          cannot have the configured size gets the nearest size that it can have.
 */

/*
 * Makes the set match config, including the heads. Calls resized for each zone that does not get
 * the configured size. As slm_zone_set_apply; heads as slm_keyed_init_locked.
 */
enum slm_status limitd_zones_apply(struct slm_zone_set *set, const struct limitd_config *config,
                                   void (*resized)(const char *name, size_t bytes),
                                   struct slm_error *error);

/* The zone, which exists after the first apply. */
struct slm_zone *limitd_zones_find(const struct slm_zone_set *set, enum limitd_zone which);

/* Puts what a new binary needs into the environment, and takes it out again. As slm_zone_export. */
enum slm_status limitd_zones_export(const struct slm_zone_set *set, struct slm_error *error);
void limitd_zones_keep(const struct slm_zone_set *set);

/* Adopts the zones that the environment names, if any. As slm_zone_import. */
enum slm_status limitd_zones_import(struct slm_zone_set *set, struct slm_error *error);

/* 0, or the number of the library's broken invariant; takes the lock. */
enum slm_status limitd_zones_check(struct slm_zone *zone, enum limitd_zone which, unsigned *broken);

#ifdef __cplusplus
}
#endif
#endif
