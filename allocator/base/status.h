/* SPDX-License-Identifier: Apache-2.0 */
/* Every result code of the library: one list, from which enum, names and sentences are made. */
#ifndef SLM_BASE_STATUS_H
#define SLM_BASE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Three kinds of outcome stay apart. SLM_OK and SLM_DECLINED are successes. SLM_E_NOMEM is
 *          exhaustion: expected, silent, worth a retry after something was freed. Every other code
 *          is misuse: the call changed nothing, and the caller has a bug (or handed over a hostile
 *          image).
 *          A broken invariant is none of these: see check.h.
 * Safety   Constants and pure functions: callable from any thread, process or signal handler.
 */
#define SLM_STATUS_LIST(X)                                                                         \
    X(SLM_OK, "done")                                                                              \
    X(SLM_DECLINED, "a small pool object: it goes with its pool, nothing was done")                \
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
    X(SLM_E_IO, "the operating system refused: errno tells why")

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
