/* SPDX-License-Identifier: Apache-2.0 */
/* The test of sums.c. It prints what GoogleTest would. */
#include <stdio.h>
#include <unistd.h>

#include "sums.h"

void wait_for_signal(void)
{
    pause();
}

static int n_failed;

static void expect(const char *name, int holds)
{
    if (!holds) {
        n_failed++;
        printf("[  FAILED  ] %s\n", name);
    }
}

int main(void)
{
    expect("Sums.HalfOfEightIsFour", half_of(8) == 4);
    expect("Sums.SmallNumbersAreNotCapped", capped(7) == 7);
    expect("Sums.RememberedNumberIsReturned", remembered(5) == 5);
    expect("Sums.NextOfOneIsTwo", next_of(1) == 2);
    expect("Sums.FourHasThreeBits", count_bits(4) == 3);
    pass_gate();
    return n_failed != 0;
}
