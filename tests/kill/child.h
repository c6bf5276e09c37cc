/* SPDX-License-Identifier: Apache-2.0 */
/* A child that a stepper kills: how it starts and ends. */
#ifndef SLM_TESTS_KILL_CHILD_H
#define SLM_TESTS_KILL_CHILD_H

#include <functional>
#include <sys/types.h>

namespace kill_test {

constexpr unsigned LOOK_S = 30;
constexpr unsigned HANG_CPU_S = 60;

/* Forks; run must not return. wait_for_child looks at the child each look_s seconds. */
pid_t start_child(const std::function<void()> &run, unsigned look_s = LOOK_S);

/* waitpid for the last child of start_child. False: it hangs. A busy machine makes no child hang: it
 * sleeps without any processor time from one look to the next, or has used HANG_CPU_S of it. */
bool wait_for_child(pid_t child, int *status, int options);

/* Kills the child and reaps it, unless it was reaped. */
void end_child(pid_t child, bool is_reaped);

} // namespace kill_test

#endif
