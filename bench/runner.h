// SPDX-License-Identifier: Apache-2.0
// The runner: one competitor in one process.
#ifndef BENCH_RUNNER_H
#define BENCH_RUNNER_H

#include "bench/bench.h"

// Measures rows of the subject as argv says. Returns an exit status: 0; 2 for a wrong call.
int bench_run(int argc, char **argv, bench_subject subject);

#endif
