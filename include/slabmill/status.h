/* SPDX-License-Identifier: Apache-2.0 */
/* Every result code of the library: one list, from which enum, names and sentences are made. */
#ifndef SLM_BASE_STATUS_H
#define SLM_BASE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Three kinds of outcome stay apart. SLM_OK, SLM_UNCHANGED and SLM_OWNER_DIED are
 *          successes. SLM_E_NOMEM and SLM_E_SPACE are exhaustion: expected, silent, worth a retry
 *          after something was freed; SLM_E_FULL is worth one in a transaction of its own, or in
 *          parts; SLM_E_LOCKED and SLM_E_TIMEOUT are worth one later. Every
 *          other code is misuse, or the system's refusal: the call changed nothing, and the caller
 *          has a bug (or handed over a hostile image).
 *          A broken invariant is none of these: see check.h.
 * NULL     One rule for every call of the library. A call that gets NULL for a handle, or for
 *          another pointer that it needs, changes nothing. It returns SLM_E_NULL. A call that
 *          returns no status returns NULL, 0, -1 or false; a void call just returns. Each header
 *          names the pointers that may be NULL, and says what NULL means there.
 *          A call that releases a pointer (frees it, gives it back, destroys or detaches it) takes
 *          NULL as free() does: it does nothing, and a status is SLM_OK. The handle that the call
 *          needs besides is still needed: slm_pool_free(pool, NULL) is SLM_OK, and
 *          slm_pool_free(NULL, NULL) is SLM_E_NULL.
 * Dead     A handle that was destroyed or detached is freed memory. To use it is undefined: no call
 *          detects it, but a sanitizer reports it.
 * Safety   Constants and pure functions: callable from any thread, process or signal handler.
 */
#define SLM_STATUS_LIST(X)                                                                         \
    X(SLM_OK, "done")                                                                              \
    X(SLM_UNCHANGED, "a small pool object: it goes with its pool, nothing was done")               \
    X(SLM_E_NOMEM, "out of memory")                                                                \
    X(SLM_E_NULL, "a null pointer where an object is needed")                                      \
    X(SLM_E_SIZE, "a size that is out of range or would wrap")                                     \
    X(SLM_E_ALIGN, "an alignment that is not a supported power of two, or a misaligned pointer")   \
    X(SLM_E_OPTION, "an option with a value that is not allowed")                                  \
    X(SLM_E_FOREIGN, "a pointer that was not handed out here")                                     \
    X(SLM_E_INTERIOR, "a pointer into an object, not to its start")                                \
    X(SLM_E_FREED, "an object that is already free")                                               \
    X(SLM_E_METADATA, "a pointer into the allocator's own bookkeeping")                            \
    X(SLM_E_PAGE_FREE, "a pointer into a page that holds no object")                               \
    X(SLM_E_BUSY, "a call that is not allowed while the object is being torn down")                \
    X(SLM_E_STATE, "an object that is not in the state that the call needs")                       \
    X(SLM_E_IMAGE, "a region that holds no valid image, or one of other geometry")                 \
    X(SLM_E_IO, "the operating system refused: errno tells why")                                   \
    X(SLM_OWNER_DIED, "taken over from a holder that died: repair what it guards first")           \
    X(SLM_E_LOCKED, "a lock that somebody else holds")                                             \
    X(SLM_E_TIMEOUT, "a lock that somebody else held for all of the time given")                   \
    X(SLM_E_HELD, "a lock that the caller holds already")                                          \
    X(SLM_E_OWNER, "a lock that the caller does not hold, or whose holder lives")                  \
    X(SLM_E_BROKEN, "what the lock guards could not be repaired")                                  \
    X(SLM_E_NAME, "a name that is empty, too long or has a slash in it")                           \
    X(SLM_E_EXISTS, "something of that name is there already")                                     \
    X(SLM_E_MISSING, "nothing of that name is there")                                              \
    X(SLM_E_ACCESS, "no permission, a link, or something that another user owns")                  \
    X(SLM_E_SPACE, "no space left for it")                                                         \
    X(SLM_E_TRUNCATED, "shorter than it says it is")                                               \
    X(SLM_E_MAGIC, "not a zone")                                                                   \
    X(SLM_E_VERSION, "a zone of another layout version")                                           \
    X(SLM_E_CHECKSUM, "a zone whose constant part is damaged")                                     \
    X(SLM_E_READ_ONLY, "a change through a view that was attached read-only")                      \
    X(SLM_E_DUPLICATE, "an object that is in the structure already")                               \
    X(SLM_E_NOT_MEMBER, "an object that is not in this structure")                                 \
    X(SLM_E_REPLACED, "a file that is not the one agreed on, which was removed or replaced")       \
    X(SLM_E_FULL, "no room in the journal: the transaction needs more entries than it has")

/* Of a call whose failure a caller must see: without it, work would be lost or half done. */
#define SLM_MUST_USE __attribute__((warn_unused_result))

#define SLM_STATUS_ENUM(code, sentence) code,
enum slm_status { SLM_STATUS_LIST(SLM_STATUS_ENUM) SLM_STATUS_COUNT };
#undef SLM_STATUS_ENUM

/* The code's own name ("SLM_E_NOMEM"), never NULL. */
const char *slm_status_name(enum slm_status status);

/* A sentence for people, without a full stop, never NULL. */
const char *slm_status_text(enum slm_status status);

#ifdef __cplusplus
}
#endif
#endif
