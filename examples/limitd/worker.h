/* SPDX-License-Identifier: Apache-2.0 */
/* limitd's worker: a process that serves many connections. */
#ifndef SLM_EXAMPLES_LIMITD_WORKER_H
#define SLM_EXAMPLES_LIMITD_WORKER_H

#include <signal.h>

#include "examples/limitd/protocol.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    SIGQUIT: takes no new connections, and leaves when its connections have ended, or after
 *          the time in config. SIGTERM: leaves. It also leaves when its parent ends.
 */

/* Serves listen_fd (non-blocking) until a signal asks it to leave. Called in a child of master with
 * the signals of limitd_signals blocked. Returns its exit status. */
int limitd_worker_run(int listen_fd, const struct slm_zone_set *set,
                      const struct limitd_config *config, pid_t master);

/* The signals that limitd's processes handle; blocked except while they wait. */
void limitd_signals(sigset_t *signals);

/* A line on stderr, "limitd[pid]: ...". */
__attribute__((format(printf, 1, 2))) void limitd_log(const char *format, ...);

/* The system's monotonic clock, the same in all processes. */
uint64_t limitd_now_ms(void);

#ifdef __cplusplus
}
#endif
#endif
