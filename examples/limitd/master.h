/* SPDX-License-Identifier: Apache-2.0 */
/* limitd's master: keeps zones and workers, over reloads and upgrades. */
#ifndef SLM_EXAMPLES_LIMITD_MASTER_H
#define SLM_EXAMPLES_LIMITD_MASTER_H

#include <stdbool.h>
#include <sys/types.h>

#include "examples/limitd/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Makes zones and socket, forks workers, and forks another for each that ends. It takes a
 *          zone's lock only to reload, so that a stopped worker does not stop the master.
 * Signals  SIGHUP: reads the configuration again; if it is good, zones grow, new workers serve by
 *          it and the old ones drain. SIGUSR2: becomes the program that is now at its path, with
 *          the same zones, socket and pid. SIGTERM, SIGINT: ends its workers, then itself.
 * Failure  A reload or an upgrade that fails is logged and changes nothing.
 */

/* Runs until a signal asks it to end. An upgrade starts the new program with argv. Returns the exit
 * status. */
int limitd_master_run(const char *config_path, char **argv);

#ifdef __cplusplus
}
#endif
#endif
