/* SPDX-License-Identifier: Apache-2.0 */
/* An error with its story: which status, what the system said, what and where. */
#ifndef SLM_BASE_ERROR_H
#define SLM_BASE_ERROR_H

#include <slabmill/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Calls that meet the operating system or an image take a struct slm_error *, which may be
 *          NULL. They return the status; on failure the struct holds the same status and a text
 *          that names the path (or name) and what was wrong with it, on success SLM_OK and "".
 * Safety   Plain data of the caller.
 */
#define SLM_ERROR_BYTES 256u

struct slm_error {
    enum slm_status status;
    int os_errno;               /* of the system call that failed; 0: none did */
    char text[SLM_ERROR_BYTES]; /* "/dev/shm/keys: not a zone (magic 7f454c46...)", cut if longer */
};

/* Fills in *error (NULL: nothing) as vsnprintf does and returns status. format NULL: the text is
 * "". errno is kept. */
__attribute__((format(printf, 4, 5))) enum slm_status slm_error_set(struct slm_error *error,
                                                                    enum slm_status status,
                                                                    int os_errno,
                                                                    const char *format, ...);

/* "Nothing went wrong": fills in *error (NULL: nothing) and returns SLM_OK. */
enum slm_status slm_error_clear(struct slm_error *error);

/* The status for an errno of open, mmap, shmget and the like: EACCES, EPERM, ELOOP: SLM_E_ACCESS;
 * ENOENT: SLM_E_MISSING; EEXIST: SLM_E_EXISTS; ENOSPC, EDQUOT, EFBIG: SLM_E_SPACE; ENOMEM, EAGAIN,
 * EMFILE, ENFILE: SLM_E_NOMEM; any other: SLM_E_IO. */
enum slm_status slm_error_of_errno(int os_errno);

#ifdef __cplusplus
}
#endif
#endif
