/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of any bytes, made printable. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include <stdio.h>
#include <string.h>

#include "tools/slabmill/slabmill.h"

/* The length of the UTF-8 character that begins there, if it is no control character and XML allows
 * it too; 0: none. */
static size_t char_bytes(const unsigned char *at, size_t n)
{
    static const uint32_t least[] = {0, 0x20, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : 4;
    if (length > n || (length == 4 && at[0] >> 3 != 30)) {
        return 0;
    }
    uint32_t code = length == 1 ? at[0] : at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (at[i] >> 6 != 2) {
            return 0;
        }
        code = code << 6 | (at[i] & 0x3fu);
    }
    bool is_control = code == 0x7f || (code >= 0x80 && code < 0xa0);
    bool is_character =
        code < 0xd800 || (code > 0xdfff && code < 0xfffe) || (code > 0xffff && code < 0x110000);
    return code >= least[length] && is_character && !is_control ? length : 0;
}

/* length: what char_bytes says. Returns the number of bytes written. */
static size_t write_char(char text[MILL_ESCAPE_BYTES + 1], const unsigned char *at, size_t length)
{
    if (length == 0) {
        return (size_t)snprintf(text, MILL_ESCAPE_BYTES + 1, "\\x%02x", *at);
    }
    size_t n_text = 0;
    if (*at == '\\') {
        text[n_text++] = '\\';
    }
    memcpy(text + n_text, at, length);
    return n_text + length;
}

void mill_escape(char *to, size_t to_bytes, const char *from, size_t from_bytes)
{
    const unsigned char *at = (const unsigned char *)from;
    const unsigned char *end = at + strnlen(from, from_bytes);
    size_t n = 0;
    while (at < end) {
        size_t length = char_bytes(at, (size_t)(end - at));
        char text[MILL_ESCAPE_BYTES + 1];
        size_t n_text = write_char(text, at, length);
        if (n + n_text >= to_bytes) {
            break;
        }
        memcpy(to + n, text, n_text);
        n += n_text;
        at += length == 0 ? 1 : length;
    }
    to[n] = '\0';
}
