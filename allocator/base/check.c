/* SPDX-License-Identifier: Apache-2.0 */
/* The message and the end of a process whose allocator state is broken. */
#include "allocator/base/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocator/base/cancel.h"

static void write_text(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

static void write_number(unsigned number)
{
    char digits[12];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    write_text(digits + at);
}

/* A cancelled thread would end in write(), and the process would go on with the broken state. */
static void write_broken(const char *kind, const char *where)
{
    (void)slm_cancel_off(); /* the process ends */
    write_text("slabmill: broken ");
    write_text(kind);
    write_text(" in ");
    write_text(where);
}

#define BROKEN(kind)                                                                               \
    void slm_broken_##kind(const char *where)                                                      \
    {                                                                                              \
        write_broken(#kind, where);                                                                \
        write_text("\n");                                                                          \
        abort();                                                                                   \
    }

BROKEN(index)
BROKEN(bitmap)
BROKEN(list)
BROKEN(page)
BROKEN(pool)

void slm_broken_check(const char *where, unsigned invariant)
{
    write_broken("invariant I", where);
    write_text(": number ");
    write_number(invariant);
    write_text("\n");
    abort();
}
