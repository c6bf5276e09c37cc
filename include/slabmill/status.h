/* SPDX-License-Identifier: Apache-2.0 */
/* Every result code of the library: one list, from which the enum, names and texts are made. */
#ifndef SLM_BASE_STATUS_H
#define SLM_BASE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Each code has one of three kinds.
 *          Success: SLM_OK, SLM_UNCHANGED and SLM_OWNER_DIED.
 *          Exhaustion: it is expected and silent, and a later try may succeed. After something was
 *          freed: SLM_E_NOMEM, SLM_E_SPACE. In a transaction of its own, or in parts: SLM_E_FULL.
 *          When the holder has released the lock: SLM_E_LOCKED, SLM_E_TIMEOUT.
 *          Misuse, a bad image, or a refusal by the system: every other code. The call changed
 *          nothing.
 *          A broken invariant has no status: each unit's check returns its number.
 * NULL     One rule for every call of the library. A call that gets NULL for a handle, or for
 *          another pointer that it needs, changes nothing; a result *out becomes NULL, as in every
 *          failure. It returns SLM_E_NULL. A call that returns no status returns NULL, 0, -1 or
 *          false; a void call just returns. Each header names the pointers that may be NULL, and
 *          says what NULL means there.
 *          NULL in a struct of options is a value of that option. The header says what it means.
 *          Where the option is needed, the call answers as to any other value that is not allowed:
 *          SLM_E_NAME for the name or path of a zone or segment, SLM_E_OPTION for a lock's path or
 *          a function. The functions of a struct slm_source are not checked.
 *          A call that releases a pointer (frees it, gives it back, destroys or detaches it) takes
 *          NULL as free() does: it does nothing, and a status is SLM_OK. The handle that the call
 *          needs besides is still needed: slm_pool_free(pool, NULL) is SLM_OK, and
 *          slm_pool_free(NULL, NULL) is SLM_E_NULL.
 * Order    A call that has several reasons to fail returns SLM_E_NULL before all others. A handle
 *          that can only read returns SLM_E_READ_ONLY before the call looks at who calls it, and
 *          when: before SLM_E_OWNER, SLM_E_HELD, SLM_E_STATE and SLM_E_VERSION. What is wrong with
 *          an argument through any handle may come before that: SLM_E_SIZE, SLM_E_ALIGN,
 *          SLM_E_OPTION, SLM_E_FOREIGN, SLM_E_INTERIOR, SLM_E_DUPLICATE, SLM_E_NOT_MEMBER.
 * Dead     A handle that was destroyed or detached is freed memory. To use it is undefined: no call
 *          detects it, but a sanitizer reports it.
 * _locked  Slabs and zones have a lock that their calls can take. There, the name of each call that
 *          needs the lock and does not take it ends in _locked: the caller holds the lock.
 *          Journals, trees and lists know no lock, and have no such names.
 * Safety   Constants and pure functions: callable from any thread, process or signal handler.
 */
/* All codes: X(code, text) for each, in the order of their numbers. */
#define SLM_STATUS_LIST(X)                                                                         \
    X(SLM_OK, "done")                                                                              \
    X(SLM_UNCHANGED, "nothing was done: the call cannot do it for this object, which is valid")    \
    X(SLM_E_NOMEM, "out of memory")                                                                \
    X(SLM_E_NULL, "a pointer that is needed is NULL")                                              \
    X(SLM_E_SIZE, "a size or number is outside the limits")                                        \
    X(SLM_E_ALIGN, "an alignment is not a supported power of two, or an address is not aligned")   \
    X(SLM_E_OPTION, "an option has a value that is not allowed")                                   \
    X(SLM_E_FOREIGN, "not allocated here, or not registered here")                                 \
    X(SLM_E_INTERIOR, "a pointer leads into an object, not to its start")                          \
    X(SLM_E_FREED, "an object is free already")                                                    \
    X(SLM_E_METADATA, "a pointer leads into the allocator's own data")                             \
    X(SLM_E_PAGE_FREE, "a pointer leads into a page that has no object")                           \
    X(SLM_E_BUSY, "the call is not allowed in a handler that a reset or destroy runs")             \
    X(SLM_E_STATE, "not in the state that the call needs")                                         \
    X(SLM_E_IMAGE, "the memory holds no valid image, or one of another layout")                    \
    X(SLM_E_IO, "the operating system refused; errno has the reason")                              \
    X(SLM_OWNER_DIED, "the lock was taken from a holder that died: repair the protected data")     \
    X(SLM_E_LOCKED, "another thread or process holds the lock")                                    \
    X(SLM_E_TIMEOUT, "another thread or process held the lock for all of the time given")          \
    X(SLM_E_HELD, "the caller holds the lock already")                                             \
    X(SLM_E_OWNER, "the caller does not hold the lock, or its holder is alive")                    \
    X(SLM_E_BROKEN, "the data that the lock protects could not be repaired")                       \
    X(SLM_E_NAME, "a name is empty, too long, has a slash in it, or is not the stored one")        \
    X(SLM_E_EXISTS, "the name exists already")                                                     \
    X(SLM_E_MISSING, "the name does not exist")                                                    \
    X(SLM_E_ACCESS, "no permission, a symbolic link, or owned by another user")                    \
    X(SLM_E_SPACE, "no space left on the device")                                                  \
    X(SLM_E_TRUNCATED, "cut, or shorter than it must be")                                          \
    X(SLM_E_MAGIC, "not a zone")                                                                   \
    X(SLM_E_VERSION, "a zone of another layout version, or its content has another version")       \
    X(SLM_E_CHECKSUM, "a zone whose constant part is damaged")                                     \
    X(SLM_E_READ_ONLY, "attached read-only")                                                       \
    X(SLM_E_DUPLICATE, "an object is in the structure already")                                    \
    X(SLM_E_NOT_MEMBER, "an object is not in this structure")                                      \
    X(SLM_E_REPLACED, "a file or zone was replaced or removed after all processes agreed on it")   \
    X(SLM_E_FULL, "no room in the journal: the transaction needs more entries than it has")

/* For calls whose failure a caller must see: without it, work would be lost or half done. */
#define SLM_MUST_USE __attribute__((warn_unused_result))

#define SLM_STATUS_ENUM(code, text) code,
enum slm_status { SLM_STATUS_LIST(SLM_STATUS_ENUM) SLM_STATUS_COUNT };
#undef SLM_STATUS_ENUM

/* The code's own name, such as "SLM_E_NOMEM". "SLM_?" for a number outside the list. Never NULL. */
const char *slm_status_name(enum slm_status status);

/* The code in words, for people, without a full stop. "an unknown result code" for a number outside
 * the list. Never NULL. */
const char *slm_status_text(enum slm_status status);

#ifdef __cplusplus
}
#endif
#endif
