/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that grow. */
#ifndef HRN_ARRAY_H
#define HRN_ARRAY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the array with room for at least `need` items, moved if necessary. Ends the process if
 * memory is out. Amortised O(1) an item. */
void *hrn_array_grow(void *array, size_t *cap, size_t need, size_t item_bytes);

#ifdef __cplusplus
}
#endif
#endif
