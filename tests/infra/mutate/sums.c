/* SPDX-License-Identifier: Apache-2.0 */
/* Functions whose mutants the test knows. */
#include "sums.h"

#include <stddef.h>

#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#endif

static const unsigned weights[4] = {1, 2, 3, 4};

/* The corpus has inputs of one byte only. */
unsigned sum_weights(const unsigned char *bytes, size_t n_bytes)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        sum = sum + weights[bytes[i] & 3];
    }
    if (n_bytes > 1) {
        sum += 10;
    }
    return sum;
}

volatile unsigned last_remembered;

/* No code reads the store, which the compiler must keep. */
unsigned remembered(unsigned n)
{
    last_remembered = n;
    return n;
}

/* No fuzz target calls it. */
unsigned half_of(unsigned n)
{
    return n / 2;
}

/* Its tests ask for small numbers only. */
unsigned capped(unsigned n)
{
    if (n > 100) {
        n = 99;
    }
    return n;
}

static void hide(unsigned *p)
{
#if __has_feature(address_sanitizer)
    __asan_poison_memory_region(p, sizeof *p);
#else
    (void)p;
#endif
}

static unsigned hidden[2];

/* The calls do something under ASan only. */
void hide_both(void)
{
    hide(&hidden[0]);
    hide(&hidden[1]);
}

/* The compiler drops the store. */
unsigned next_of(unsigned n)
{
    unsigned unused = 7;
    (void)unused;
    return n + 1;
}

unsigned count_bits(unsigned n)
{
    unsigned n_bits = 0;
    while (n != 0) {
        n /= 2;
        n_bits++;
    }
    return n_bits;
}

static int is_open;

/* Waits until it is open. */
void pass_gate(void)
{
    is_open = 1;
    while (!is_open) {
        wait_for_signal();
    }
}
