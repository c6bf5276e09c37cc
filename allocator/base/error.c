/* SPDX-License-Identifier: Apache-2.0 */
/* Errors with a text. */
#include <slabmill/error.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum slm_status slm_error_set(struct slm_error *error, enum slm_status status, int os_errno,
                              const char *format, ...)
{
    int kept_errno = errno;
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        error->status = status;
        error->os_errno = os_errno;
        error->text[0] = '\0';
        if (format != NULL) {
            vsnprintf(error->text, sizeof error->text, format, arguments);
        }
        va_end(arguments);
    }
    errno = kept_errno;
    return status;
}

enum slm_status slm_error_clear(struct slm_error *error)
{
    return slm_error_set(error, SLM_OK, 0, "%s", "");
}

enum slm_status slm_error_of_errno(int os_errno)
{
    switch (os_errno) {
    case EACCES:
    case EPERM:
    case ELOOP:
        return SLM_E_ACCESS;
    case ENOENT:
        return SLM_E_MISSING;
    case EEXIST:
        return SLM_E_EXISTS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return SLM_E_SPACE;
    case ENOMEM:
    case EAGAIN:
    case EMFILE:
    case ENFILE:
        return SLM_E_NOMEM;
    default:
        return SLM_E_IO;
    }
}
