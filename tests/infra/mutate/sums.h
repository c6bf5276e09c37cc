/* SPDX-License-Identifier: Apache-2.0 */
/* Functions with known mutants. */
#ifndef SUMS_H
#define SUMS_H

#include <stddef.h>

unsigned sum_weights(const unsigned char *bytes, size_t n_bytes);
extern volatile unsigned last_remembered;
unsigned remembered(unsigned n);
unsigned half_of(unsigned n);
unsigned capped(unsigned n);
unsigned next_of(unsigned n);
void hide_both(void);
unsigned count_bits(unsigned n);
void pass_gate(void);

/* The caller's: sleeps until a signal comes. */
void wait_for_signal(void);

#endif
