/* SPDX-License-Identifier: Apache-2.0 */
/* The last words of a process whose allocator state is broken. */
#include "allocator/base/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

static void say_number(unsigned number)
{
    char digits[12];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    say(digits + at);
}

static void say_broken(const char *kind, const char *where)
{
    say("slabmill: broken ");
    say(kind);
    say(" in ");
    say(where);
}

#define BROKEN(kind)                                                                               \
    void slm_broken_##kind(const char *where)                                                      \
    {                                                                                              \
        say_broken(#kind, where);                                                                  \
        say("\n");                                                                                 \
        abort();                                                                                   \
    }

BROKEN(index)
BROKEN(bitmap)
BROKEN(list)
BROKEN(page)
BROKEN(pool)

void slm_broken_check(const char *where, unsigned invariant)
{
    say_broken("invariant I", where);
    say(": number ");
    say_number(invariant);
    say("\n");
    abort();
}
