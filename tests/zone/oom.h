/* SPDX-License-Identifier: Apache-2.0 */
/* Included before the library's sources, which then request memory from the test. This file
 * includes no system header: the sources themselves define which functions they want. */
#ifndef SLM_TESTS_ZONE_OOM_H
#define SLM_TESTS_ZONE_OOM_H

#ifdef __cplusplus
extern "C" {
#endif

void *slm_test_malloc(__SIZE_TYPE__ n_bytes);
void *slm_test_calloc(__SIZE_TYPE__ n, __SIZE_TYPE__ n_bytes);
void *slm_test_realloc(void *p, __SIZE_TYPE__ n_bytes);
void *slm_test_aligned_alloc(__SIZE_TYPE__ align_bytes, __SIZE_TYPE__ n_bytes);

#ifdef __cplusplus
}
#else
#define malloc        slm_test_malloc
#define calloc        slm_test_calloc
#define realloc       slm_test_realloc
#define aligned_alloc slm_test_aligned_alloc
#endif

#endif
