/* SPDX-License-Identifier: Apache-2.0 */
/* Error messages of the slabmill command. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/slabmill/slabmill.h"

/* As long as a message may be: texts of the library and paths are shorter. */
#define MESSAGE_BYTES 8192u

int mill_complain(const char *format, ...)
{
    static char message[MESSAGE_BYTES];
    static char escaped[MESSAGE_BYTES * MILL_ESCAPE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    mill_escape(escaped, sizeof escaped, message, sizeof message);
    fprintf(stderr, "slabmill: %s\n", escaped);
    return MILL_WRONG;
}

bool mill_complain_file(const char *path)
{
    (void)mill_complain("%s: %s", path, strerror(errno));
    return false;
}
