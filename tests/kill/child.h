/* SPDX-License-Identifier: Apache-2.0 */
/* A child that a stepper kills: how it starts and ends. */
#ifndef SLM_TESTS_KILL_CHILD_H
#define SLM_TESTS_KILL_CHILD_H

#include <functional>
#include <sys/types.h>

namespace kill_test {

/* Forks; run must not return. A waitpid that takes longer than STEP_TIMEOUT_S is interrupted. */
pid_t start_child(const std::function<void()> &run);

/* Kills the child and reaps it, unless it was reaped. */
void end_child(pid_t child, bool is_reaped);

} // namespace kill_test

#endif
