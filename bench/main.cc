// SPDX-License-Identifier: Apache-2.0
// The runner as a program: this library, its limits, and peers from shared objects.
#include "bench/runner.h"

int main(int argc, char **argv)
{
    bench_subject subject = {};
    subject.kernels = bench_own_kernels;
    return bench_run(argc, argv, subject);
}
