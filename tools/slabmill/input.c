/* SPDX-License-Identifier: Apache-2.0 */
/* Reading inputs of the slabmill command. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/slabmill/slabmill.h"

#define SNIFF_BYTES    512u
#define FILE_MAX_BYTES ((size_t)256 << 20)

/* The file's bytes, to be released with free. NULL: failed, with a message. */
static char *read_open_file(FILE *file, const char *path, size_t *n_bytes)
{
    char *bytes = NULL;
    size_t cap = 0;
    *n_bytes = 0;
    while (!feof(file) && !ferror(file) && *n_bytes <= FILE_MAX_BYTES) {
        if (cap - *n_bytes < 65536) {
            cap = cap == 0 ? 65536 : cap * 2;
            char *grown = realloc(bytes, cap);
            if (grown == NULL) {
                break;
            }
            bytes = grown;
        }
        *n_bytes += fread(bytes + *n_bytes, 1, cap - *n_bytes, file);
    }
    if (!ferror(file) && feof(file)) {
        return bytes;
    }
    errno = *n_bytes > FILE_MAX_BYTES ? EFBIG : errno;
    (void)mill_complain_file(path);
    free(bytes);
    return NULL;
}

static char *read_file(const char *path, size_t *n_bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        (void)mill_complain_file(path);
        return NULL;
    }
    char *bytes = read_open_file(file, path, n_bytes);
    fclose(file);
    return bytes;
}

static bool ends_in(const char *path, const char *suffix)
{
    size_t n = strlen(path);
    size_t n_suffix = strlen(suffix);
    return n >= n_suffix && strcmp(path + n - n_suffix, suffix) == 0;
}

/* The rule of mill_input_read. */
static bool looks_like_trace(const char *path, const char *bytes, size_t n_bytes)
{
    if (ends_in(path, ".trace")) {
        return true;
    }
    size_t n = n_bytes < SNIFF_BYTES ? n_bytes : SNIFF_BYTES;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == 0x7f || (c < ' ' && strchr("\t\r\n", c) == NULL) || c == '\0') {
            return false;
        }
    }
    return n > 0;
}

/* What is wrong with what was read; NULL: nothing. A run of no operation would prove nothing. */
static const char *wrong_size(const struct mill_input *input, const struct mill_options *options,
                              size_t n_bytes)
{
    if (n_bytes == 0 && options->as == NULL) {
        return "an empty file (if it is a fuzz input, use --as bytes)";
    }
    return !input->from_bytes && input->trace.program.n_ops == 0 ? "no operation in it" : NULL;
}

static bool parse(struct mill_input *input, const struct mill_options *options, const char *bytes,
                  size_t n_bytes)
{
    struct hrn_trace_error error;
    if (input->from_bytes) {
        hrn_program_decode(&input->trace.program, (const uint8_t *)bytes, n_bytes);
    } else if (!hrn_trace_parse(&input->trace, bytes, n_bytes, &error)) {
        char text[HRN_TRACE_ERROR_BYTES];
        hrn_trace_error_text(&error, input->path, text, sizeof text);
        (void)mill_complain("%s%s", text,
                            options->as == NULL ? " (if it is a fuzz input, use --as bytes)" : "");
        return false;
    }
    const char *wrong = wrong_size(input, options, n_bytes);
    if (wrong != NULL) {
        (void)mill_complain("%s: %s", input->path, wrong);
    }
    return wrong == NULL;
}

bool mill_input_read(struct mill_input *input, const struct mill_options *options, const char *path)
{
    size_t n_bytes;
    char *bytes = read_file(path, &n_bytes);
    if (bytes == NULL) {
        return false;
    }
    input->path = path;
    input->from_bytes = options->as != NULL ? strcmp(options->as, "bytes") == 0
                                            : !looks_like_trace(path, bytes, n_bytes);
    hrn_trace_init(&input->trace);
    bool good = parse(input, options, bytes, n_bytes);
    free(bytes);
    if (!good) {
        mill_input_fini(input);
    }
    return good;
}

void mill_input_fini(struct mill_input *input)
{
    hrn_trace_fini(&input->trace);
}

size_t mill_input_ops(const struct mill_input *input)
{
    return input->trace.program.n_ops - input->trace.n_refused;
}

const struct slm_adapter *mill_input_adapter(const struct mill_input *input,
                                             const struct mill_options *options)
{
    if (options->adapter != NULL) {
        return mill_adapter_need(options->adapter);
    }
    if (input->from_bytes || input->trace.word == HRN_TRACE_ARENA) {
        (void)mill_complain("%s: does not name its allocator: use --adapter", input->path);
        return NULL;
    }
    return mill_adapter_find(hrn_trace_word_text(input->trace.word));
}

enum hrn_trace_word mill_adapter_word(const struct slm_adapter *adapter)
{
    for (enum hrn_trace_word word = 0; word < HRN_TRACE_WORD_COUNT; word++) {
        if (strcmp(adapter->name, hrn_trace_word_text(word)) == 0) {
            return word;
        }
    }
    return HRN_TRACE_ARENA;
}
