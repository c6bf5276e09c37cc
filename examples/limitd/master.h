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
 * Model    Makes zones and socket, forks workers, and forks another for each that ends. It never
 *          takes a zone's lock but to reload, so that a worker that is stopped does not stop it.
 * Signals  SIGHUP: reads the configuration again; if it is good, zones grow, new workers serve by
 *          it and those of before drain. SIGUSR2: becomes the program that now lies at its path,
 *          with the same zones, socket and pid. SIGTERM, SIGINT: ends, workers first.
 * Failure  A reload or an upgrade that cannot be is logged, and nothing changes.
 */

/* Runs until told to end; argv is what an upgrade is started with. Returns the exit status. */
int limitd_master_run(const char *config_path, char **argv);

#ifdef __cplusplus
}
#endif
#endif
