/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of poisoning: the bytes that AddressSanitizer lets a program touch. */
#ifndef SLM_TESTS_VISIBLE_H
#define SLM_TESTS_VISIBLE_H

#include <cstddef>

#include "allocator/base/poison.h"

namespace slm_test {

#if SLM_ASAN
/* The bytes of [p, p + n) that may be touched. */
inline size_t n_visible(const void *p, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        count += !__asan_address_is_poisoned(static_cast<const char *>(p) + i);
    }
    return count;
}
#else
inline size_t n_visible(const void *, size_t n)
{
    return n;
}
#endif

/* What may be touched of n bytes that should be hidden: none under ASan, all otherwise. */
constexpr size_t hidden(size_t n)
{
    return SLM_ASAN ? 0 : n;
}

} // namespace slm_test

#endif
