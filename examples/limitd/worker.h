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
 * Model    SIGQUIT: takes no new connections, and leaves when those it has ended, or after the time
 *          config says. SIGTERM: leaves. Leaves too when its parent ends.
 */

/* Serves listen_fd (non-blocking) until told to leave; called in a child of master with the signals
 * of limitd_signals blocked. Returns its exit status. */
int limitd_worker_run(int listen_fd, const struct slm_zone_set *set,
                      const struct limitd_config *config, pid_t master);

/* What limitd's processes react to; blocked except where they wait. */
void limitd_signals(sigset_t *signals);

/* A line on stderr, "limitd[pid]: ...". */
__attribute__((format(printf, 1, 2))) void limitd_log(const char *format, ...);

/* Of the system's clock that no one sets, which processes share. */
uint64_t limitd_now_ms(void);

#ifdef __cplusplus
}
#endif
#endif
