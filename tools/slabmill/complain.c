/* SPDX-License-Identifier: Apache-2.0 */
/* Error messages of the slabmill command. */
#include <stdarg.h>
#include <stdio.h>

#include "tools/slabmill/slabmill.h"

int mill_complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("slabmill: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return MILL_WRONG;
}
