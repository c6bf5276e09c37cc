// SPDX-License-Identifier: Apache-2.0
// The runner as a plugin of the nginx module.
#include "bench/runner.h"
#include "peers/nginx/plugin.h"

extern "C" __attribute__((visibility("default"))) int
slm_nginx_plugin(int argc, char **argv, const struct slm_nginx_drivers *drivers);

int slm_nginx_plugin(int argc, char **argv, const struct slm_nginx_drivers *drivers)
{
    bench_subject subject = {};
    subject.kernels = drivers->kernels;
    subject.new_process = drivers->new_process;
    return bench_run(argc, argv, subject);
}
