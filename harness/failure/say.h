/* SPDX-License-Identifier: Apache-2.0 */
/* What a fuzz process prints about itself and its inputs on request. */
#ifndef HRN_SAY_H
#define HRN_SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/program/program.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    HRN_FUZZ_SAY is a list of words, separated by commas. Each prints to standard error:
 *          shape  before the first input: "slabmill: shape head=H record=R programs=P can=MASK"
 *          kinds  at the end, for each kind of operation: "slabmill: kind NAME COUNT"
 *          ops    each operation that is about to run: "slabmill: op N: ...", and before them a
 *                 program's head, in lines "slabmill: head ..."
 *          test   before each input, between the lines "slabmill: test begin" and "slabmill: test
 *                 end", a source file with a GoogleTest case that runs just this input
 * Safety   Set up by the first hrn_say_begin; afterwards hrn_say_op may be called by any thread.
 * Failure  An unknown word is reported and ends the process with status 2.
 */

/* Call at the begin of an input. */
void hrn_say_begin(const uint8_t *bytes, size_t n_bytes);
/* Call at the end of the process. */
void hrn_say_end(void);

/* Prints the head of a program that is about to run. Its operations are printed as they run. */
void hrn_say_head(const struct hrn_head *head);

/* For targets that decode their own operations. Off, it costs one test of a flag. */
extern bool hrn_says_ops;
__attribute__((format(printf, 1, 2))) void hrn_say_op(const char *format, ...);
#define HRN_SAY_OP(...)                                                                            \
    do {                                                                                           \
        if (__builtin_expect(hrn_says_ops, 0)) {                                                   \
            hrn_say_op(__VA_ARGS__);                                                               \
        }                                                                                          \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
