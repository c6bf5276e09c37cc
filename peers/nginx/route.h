/* SPDX-License-Identifier: Apache-2.0 */
/* Gives nginx's pools their blocks from a source of the mill. */
#ifndef PEERS_NGINX_ROUTE_H
#define PEERS_NGINX_ROUTE_H

#include <stdbool.h>

#include <slabmill/adapter.h>

/*
 * Model    nginx's pools call malloc, posix_memalign and free. The module exports these three, and
 *          nginx is started with the module in LD_PRELOAD, so that it calls them. While a source is
 *          set, they take blocks from it; otherwise they are those of glibc. free finds out by
 *          itself where a block came from.
 * Safety   One thread.
 */

/* Whether the process calls malloc of this module. */
bool route_is_ready(void);

/* Blocks now come from the source; NULL: from glibc. Returns the source until now. */
const struct slm_adapter_source *route_to(const struct slm_adapter_source *source);

#endif
