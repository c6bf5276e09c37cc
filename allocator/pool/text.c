/* SPDX-License-Identifier: Apache-2.0 */
/* Region pool: copies and formatted text. */
#include "allocator/pool/layout.h"

#include <stdio.h>

void *slm_pool_memdup(struct slm_pool *pool, const void *from, size_t size_bytes)
{
    void *p = from == NULL && size_bytes > 0 ? NULL : slm_pool_alloc(pool, size_bytes);
    return p == NULL || size_bytes == 0 ? p : memcpy(p, from, size_bytes);
}

static char *copy_text(struct slm_pool *pool, const char *text, size_t n)
{
    char *copy = slm_pool_alloc_packed(pool, n + 1);
    if (copy != NULL) {
        memcpy(copy, text, n);
        copy[n] = '\0';
    }
    return copy;
}

char *slm_pool_strdup(struct slm_pool *pool, const char *text)
{
    return text == NULL ? NULL : copy_text(pool, text, strlen(text));
}

char *slm_pool_strndup(struct slm_pool *pool, const char *text, size_t max_bytes)
{
    const char *end = text == NULL ? NULL : memchr(text, '\0', max_bytes);
    return text == NULL ? NULL
                        : copy_text(pool, text, end != NULL ? (size_t)(end - text) : max_bytes);
}

char *slm_pool_vprintf(struct slm_pool *pool, const char *format, va_list arguments)
{
    if (pool == NULL || format == NULL) {
        return NULL;
    }
    va_list again;
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    char *text = n < 0 ? NULL : slm_pool_alloc_packed(pool, (size_t)n + 1);
    if (text != NULL) {
        (void)vsnprintf(text, (size_t)n + 1, format, again);
    }
    va_end(again);
    return text;
}

char *slm_pool_printf(struct slm_pool *pool, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = slm_pool_vprintf(pool, format, arguments);
    va_end(arguments);
    return text;
}
