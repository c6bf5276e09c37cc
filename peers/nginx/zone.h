/* SPDX-License-Identifier: Apache-2.0 */
/* nginx's zones for measurements. */
#ifndef PEERS_NGINX_ZONE_H
#define PEERS_NGINX_ZONE_H

#include "bench/kernel/kernel.h"

/* A slab in the region, as nginx makes it in a zone. NULL: no semaphore. */
ngx_slab_pool_t *bench_slab_init(void *region, size_t region_bytes);

/* Ends with a kernel without a name. */
extern const struct bench_kernel slm_nginx_kernels[];

/* Of limit.c. */
void *bench_limit_known(const struct bench_meter *meter, size_t n);
void *bench_limit_new(const struct bench_meter *meter, size_t n);
void bench_limit_run(void *work, size_t n_ops);
void bench_limit_end(void *work);

/* Of pool_kernels.c. */
void *bench_pool_begin(const struct bench_meter *meter, size_t n);
void *bench_pool_begin_request(const struct bench_meter *meter, size_t n);
void bench_pool_run_request(void *work, size_t n_ops);
void bench_pool_run_many(void *work, size_t n_ops);
void bench_pool_run_strings(void *work, size_t n_ops);
void bench_pool_run_reset(void *work, size_t n_ops);
void bench_pool_end(void *work);

/* A slab in memory that processes share. NULL: no memory. */
ngx_slab_pool_t *bench_zone_open(size_t bytes);
void bench_zone_close(ngx_slab_pool_t *slab);

#endif
