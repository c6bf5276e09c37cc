/* SPDX-License-Identifier: Apache-2.0 */
/* Texts in JSON. */
#include <stdio.h>

#include "tools/slabmill/slabmill.h"

void mill_json_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            printf("\\%c", c);
        } else if (c < ' ' || c > '~') {
            printf("\\u%04x", c);
        } else {
            putchar(c);
        }
    }
    putchar('"');
}
