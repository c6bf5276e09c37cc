/* SPDX-License-Identifier: Apache-2.0 */
/* Error: a status, the errno of the system call, and a text that names what failed. */
#ifndef SLM_BASE_ERROR_H
#define SLM_BASE_ERROR_H

#include <slabmill/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Calls that depend on the operating system or on an image take a struct slm_error *. It
 *          may be NULL: the caller wants no text. They return the status. On failure the struct has
 *          the same status, and a text that names the path (or name) and what was wrong with it. On
 *          success it has SLM_OK and "".
 * Safety   Plain data of the caller. The functions are callable from any thread, but not from
 *          signal handlers, since they format as vsnprintf does.
 * Limits   A text has at most SLM_ERROR_BYTES, its final zero included: a longer one has "..." in
 *          place of its middle.
 */
#define SLM_ERROR_BYTES 256u /* of a text with its final zero */

/* What a call that failed says about it. */
struct slm_error {
    enum slm_status status;
    int os_errno; /* of the system call that failed; 0: none did */
    char text
        [SLM_ERROR_BYTES]; /* "/dev/shm/keys: not a zone (magic 7f454c46...)", shortened if longer */
};

/* Fills in *error, its text as vsnprintf does, and returns status. error NULL: fills in nothing.
 * format NULL: the text is "". errno stays as it was. */
__attribute__((format(printf, 4, 5))) enum slm_status slm_error_set(struct slm_error *error,
                                                                    enum slm_status status,
                                                                    int os_errno,
                                                                    const char *format, ...);

/* Fills in *error with SLM_OK and "", and returns SLM_OK. error NULL: fills in nothing. */
enum slm_status slm_error_clear(struct slm_error *error);

/* The status for an errno of open, mmap, shmget and similar calls: EACCES, EPERM, ELOOP:
 * SLM_E_ACCESS; ENOENT: SLM_E_MISSING; EEXIST: SLM_E_EXISTS; ENOSPC, EDQUOT, EFBIG: SLM_E_SPACE;
 * ENOMEM, EAGAIN, EMFILE, ENFILE: SLM_E_NOMEM; any other: SLM_E_IO. */
enum slm_status slm_error_of_errno(int os_errno);

#ifdef __cplusplus
}
#endif
#endif
