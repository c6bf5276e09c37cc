/* SPDX-License-Identifier: Apache-2.0 */
/* Errors with a text. */
#include <slabmill/error.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What a text that is too long keeps of its start, and of its end; "..." and the zero are between and
 * after them. The start names what failed, the end says why. A path between them may be long. */
#define TEXT_HEAD 96u
#define TEXT_TAIL (SLM_ERROR_BYTES - TEXT_HEAD - 4u)

/* A path, two names and a sentence. What is longer is cut at its end. */
#define WHOLE_BYTES 5120u

static void write_text(char text[SLM_ERROR_BYTES], const char *format, va_list arguments)
{
    char whole[WHOLE_BYTES] = "";
    (void)vsnprintf(whole, sizeof whole, format, arguments);
    size_t n_bytes = strlen(whole);
    if (n_bytes < SLM_ERROR_BYTES) {
        memcpy(text, whole, n_bytes + 1);
        return;
    }
    memcpy(text, whole, TEXT_HEAD);
    memcpy(text + TEXT_HEAD, "...", 3);
    memcpy(text + TEXT_HEAD + 3, whole + n_bytes - TEXT_TAIL, TEXT_TAIL + 1);
}

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
            write_text(error->text, format, arguments);
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
