/* SPDX-License-Identifier: Apache-2.0 */
/* Object: from a tree or list node to the object of its user that the node is a part of. */
#ifndef SLM_OBJECT_H
#define SLM_OBJECT_H

#include <stddef.h>
#include <stdint.h>

/*
 * SLM_OBJECT(node, type, member): the object of `type` whose `member` is at node; NULL for NULL.
 *
 *     struct entry *entry = SLM_OBJECT(slm_lru_oldest(journal, lru), struct entry, used);
 *
 * node is a pointer to what `member` is, or NULL: another pointer does not compile without a
 * warning. It is evaluated once. The result is a `type *`; in C++ it is a `const type *` if node
 * points to const. In C++ `type` has standard layout. Safety: any thread, process or signal
 * handler. O(1).
 */
#ifdef __cplusplus
#define SLM_OBJECT(node, type, member)                                                             \
    slm_object_at<type>(true ? (node) : &static_cast<type *>(nullptr)->member,                     \
                        offsetof(type, member))

/* Private. A program may include this header where declarations have C's linkage. */
extern "C++" {
template <class Object> inline Object *slm_object_at(void *node, size_t offset)
{
    return node == nullptr ? nullptr
                           : static_cast<Object *>(
                                 static_cast<void *>(static_cast<unsigned char *>(node) - offset));
}

template <class Object> inline const Object *slm_object_at(const void *node, size_t offset)
{
    return node == nullptr ? nullptr
                           : static_cast<const Object *>(static_cast<const void *>(
                                 static_cast<const unsigned char *>(node) - offset));
}
}
#else
#define SLM_OBJECT(node, type, member)                                                             \
    ((type *)slm_object_at((uintptr_t)(1 ? (node) : &((type *)0)->member), offsetof(type, member)))

/* Private. A number, since C has no cast that takes const away and that no compiler warns of; and
 * gcc takes a pointer to const for one through which the object is read. */
static inline void *slm_object_at(uintptr_t node, size_t offset)
{
    return node == 0 ? NULL : (void *)(node - offset);
}
#endif

#endif
