/* SPDX-License-Identifier: Apache-2.0 */
/* Word: the type of a number in shared memory that is read while another process stores it. */
#ifndef SLM_WORD_H
#define SLM_WORD_H

#include <stdint.h>

/*
 * Other threads and processes may read a word at any moment, and the process that stores it may die
 * in the store. So a word is aligned to its size on every ABI. The ABI of i386 alone would align it
 * to 4 bytes. Compilers would then call libatomic, whose locks work within one process only, and a
 * store could be left half done.
 */
typedef uint64_t slm_word __attribute__((aligned(8)));

#endif
