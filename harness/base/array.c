/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that grow. */
#include "harness/base/array.h"

#include <stdio.h>
#include <stdlib.h>

void *hrn_array_grow(void *array, size_t *cap, size_t need, size_t item_bytes)
{
    if (need <= *cap) {
        return array;
    }
    size_t n = *cap < 16 ? 16 : *cap * 2;
    n = n < need ? need : n;
    void *grown = realloc(array, n * item_bytes);
    if (grown == NULL) {
        fprintf(stderr, "slabmill: the harness itself is out of memory\n");
        abort();
    }
    *cap = n;
    return grown;
}
