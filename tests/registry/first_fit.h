/* SPDX-License-Identifier: Apache-2.0 */
/* A small heap in a region that the caller gives: first fit, neighbours merged. */
#ifndef TESTS_FIRST_FIT_H
#define TESTS_FIRST_FIT_H

#include <stddef.h>

struct first_fit;

/* The region starts at a multiple of 16. NULL: it is shorter than 64 bytes. */
struct first_fit *first_fit_init(void *region, size_t region_bytes);
void *first_fit_alloc(struct first_fit *heap, size_t size_bytes);
void first_fit_free(struct first_fit *heap, void *p);

#endif
