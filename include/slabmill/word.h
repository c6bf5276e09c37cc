/* SPDX-License-Identifier: Apache-2.0 */
/* The word of shared memory: the type of what other processes may read while it is stored. */
#ifndef SLM_WORD_H
#define SLM_WORD_H

#include <stdint.h>

/*
 * Other threads and processes read a word at any moment, and the process that stores it may die in
 * the store. A word is aligned to its size on every ABI. i386 would align it to 4 bytes: compilers
 * then call libatomic, whose locks work within one process only, and a store can be left half done.
 */
typedef uint64_t slm_word __attribute__((aligned(8)));

#endif
