/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of this library, and what they share. */
#ifndef BENCH_OWN_KERNELS_H
#define BENCH_OWN_KERNELS_H

#include <slabmill/zone.h>

#include "bench/kernel/kernel.h"

/* Ends with a kernel without a name. */
extern const struct bench_kernel bench_own_kernels[];

/* Ends the process, with a message, if the status is not SLM_OK. */
void bench_must(enum slm_status status, const char *what);

/* A zone in anonymous memory, which children share. journal_entries 0: the default. */
struct slm_zone *bench_own_zone(size_t bytes, unsigned journal_entries);

/* Of own_tree.c. */
void *bench_tree_begin(const struct bench_meter *meter, size_t n);
void *bench_tree_begin_journal(const struct bench_meter *meter, size_t n);
void bench_tree_run_find(void *work, size_t n_ops);
void bench_tree_run_insert(void *work, size_t n_ops);
void bench_tree_run_delete(void *work, size_t n_ops);
void bench_tree_end(void *work);

/* Of own_pool.c. */
void *bench_pool_begin(const struct bench_meter *meter, size_t n);
void *bench_pool_begin_request(const struct bench_meter *meter, size_t n);
void bench_pool_run_request(void *work, size_t n_ops);
void bench_pool_run_many(void *work, size_t n_ops);
void bench_pool_run_strings(void *work, size_t n_ops);
void bench_pool_run_reset(void *work, size_t n_ops);
void bench_pool_end(void *work);

#endif
