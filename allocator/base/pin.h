/* SPDX-License-Identifier: Apache-2.0 */
/* Pins of a stored layout: the build stops when a struct in shared memory changes by mistake. */
#ifndef SLM_BASE_PIN_H
#define SLM_BASE_PIN_H

#include <stddef.h>

/*
 * Processes that share memory may run different builds, and images outlive all of them. So each
 * stored struct has its size pinned, and the offset and size of each field. A change that is meant
 * also changes the layout's version.
 */
#ifdef __cplusplus
#define SLM_PIN(condition)                static_assert(condition, "a stored layout changed: see base/pin.h")
#define SLM_PIN_MEMBER_BYTES(type, field) sizeof(type::field)
#else
#define SLM_PIN(condition)                _Static_assert(condition, "a stored layout changed: see base/pin.h")
#define SLM_PIN_MEMBER_BYTES(type, field) sizeof(((struct type *)0)->field)
#endif

#define SLM_PIN_SIZE(type, n_bytes) SLM_PIN(sizeof(struct type) == (n_bytes))
#define SLM_PIN_FIELD(type, field, at, n_bytes)                                                    \
    SLM_PIN(offsetof(struct type, field) == (at) && SLM_PIN_MEMBER_BYTES(type, field) == (n_bytes))

#endif
