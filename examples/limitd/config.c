/* SPDX-License-Identifier: Apache-2.0 */
/* Reading limitd's configuration. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strtok_r */
#endif
#include "examples/limitd/config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <slabmill/zone.h>

#define WORDS_MAX      4
#define LINE_BYTES_MAX 512

static const char *const zone_names[LIMITD_N_ZONES] = {
    "limit_req",
    "limit_conn",
    "cache_index",
    "session_cache",
};

/* The reader's position and the settings it has seen. */
struct reader {
    struct limitd_config *config;
    const char *path;
    unsigned line;
    char *words[WORDS_MAX + 1];
    unsigned n_words;
    uint32_t seen; /* a bit per setting, then one per zone */
    struct slm_error *error;
};

const char *limitd_zone_name(enum limitd_zone zone)
{
    return zone_names[zone];
}

static enum slm_status refuse(const struct reader *reader, const char *what, const char *expected)
{
    return slm_error_set(reader->error, SLM_E_OPTION, 0, "%s:%u: \"%.60s\": expected %.100s",
                         reader->path, reader->line, what, expected);
}

/* A number with up to three decimals, in thousandths. */
static bool parse_milli(const char *text, uint64_t *milli)
{
    uint64_t value = 0;
    unsigned n_decimals = 0;
    bool has_point = false;
    if (*text < '0' || *text > '9' || strlen(text) > 12) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text == '.' && !has_point) {
            has_point = true;
        } else if (*text >= '0' && *text <= '9' && n_decimals < 3) {
            value = value * 10 + (uint64_t)(*text - '0');
            n_decimals += has_point ? 1 : 0;
        } else {
            return false;
        }
    }
    for (; n_decimals < 3; n_decimals++) {
        value *= 10;
    }
    *milli = value;
    return true;
}

static bool parse_number(const char *text, uint64_t *value)
{
    uint64_t milli;
    if (strchr(text, '.') != NULL || !parse_milli(text, &milli)) {
        return false;
    }
    *value = milli / 1000;
    return true;
}

/* Bytes, with a unit. */
static bool parse_bytes(const char *text, size_t *bytes)
{
    static const char units[] = "kmg";
    char digits[16];
    size_t n = strspn(text, "0123456789");
    const char *unit = strchr(units, text[n]);
    unsigned shift = text[n] == '\0' || unit == NULL ? 0 : 10u * (unsigned)(unit - units + 1);
    uint64_t value;
    if (n == 0 || n >= sizeof digits || unit == NULL || (text[n] != '\0' && text[n + 1] != '\0')) {
        return false;
    }
    memcpy(digits, text, n);
    digits[n] = '\0';
    if (!parse_number(digits, &value) || value > (UINT64_C(1) << 40) >> shift) {
        return false;
    }
    *bytes = (size_t)(value << shift);
    return true;
}

static enum slm_status set_listen(struct reader *reader)
{
    const char *path = reader->words[1];
    if (strlen(path) >= sizeof reader->config->listen) {
        return refuse(reader, path, "a path of at most 99 bytes");
    }
    strcpy(reader->config->listen, path);
    return SLM_OK;
}

static enum slm_status read_number(struct reader *reader, uint64_t min, uint64_t max,
                                   const char *expected, uint64_t *value)
{
    if (!parse_number(reader->words[1], value) || *value < min || *value > max) {
        return refuse(reader, reader->words[1], expected);
    }
    return SLM_OK;
}

static enum slm_status set_workers(struct reader *reader)
{
    uint64_t value = 0;
    enum slm_status status =
        read_number(reader, 1, LIMITD_WORKERS_MAX, "a number from 1 to 16", &value);
    reader->config->n_workers = (unsigned)value;
    return status;
}

static enum slm_status set_clients(struct reader *reader)
{
    uint64_t value = 0;
    enum slm_status status =
        read_number(reader, 1, LIMITD_CLIENTS_MAX, "a number from 1 to 4096", &value);
    reader->config->n_clients = (unsigned)value;
    return status;
}

static enum slm_status set_rate(struct reader *reader)
{
    uint64_t milli;
    if (!parse_milli(reader->words[1], &milli) || milli == 0 || milli > 1000000000) {
        return refuse(reader, reader->words[1], "requests a second, from 0.001 to 1000000");
    }
    reader->config->rate_milli = (uint32_t)milli;
    return SLM_OK;
}

static enum slm_status set_burst(struct reader *reader)
{
    uint64_t value = 0;
    enum slm_status status = read_number(reader, 0, 1000000, "a number from 0 to 1000000", &value);
    reader->config->burst_milli = (uint32_t)(value * 1000);
    return status;
}

static enum slm_status set_connections(struct reader *reader)
{
    return read_number(reader, 1, 1000000, "a number from 1 to 1000000",
                       &reader->config->n_connections);
}

static enum slm_status set_inactive(struct reader *reader)
{
    uint64_t value = 0;
    enum slm_status status = read_number(reader, 1, 1000000, "seconds from 1 to 1000000", &value);
    reader->config->inactive_ms = value * 1000;
    return status;
}

static enum slm_status set_drain(struct reader *reader)
{
    uint64_t value = 0;
    enum slm_status status = read_number(reader, 0, 1000000, "seconds from 0 to 1000000", &value);
    reader->config->drain_ms = value * 1000;
    return status;
}

static enum slm_status read_zone_bytes(const struct reader *reader, const char *word, size_t *bytes)
{
    if (!parse_bytes(word, bytes) || *bytes < SLM_ZONE_BYTES_MIN) {
        return refuse(reader, word, "bytes from 64k to 1024g");
    }
    return SLM_OK;
}

static enum slm_status set_zone(struct reader *reader)
{
    struct limitd_zone_config zone = {0, 0};
    unsigned idx = 0;
    while (idx < LIMITD_N_ZONES && strcmp(reader->words[1], zone_names[idx]) != 0) {
        idx++;
    }
    if (idx == LIMITD_N_ZONES) {
        return refuse(reader, reader->words[1],
                      "limit_req, limit_conn, cache_index or session_cache");
    }
    if ((reader->seen & UINT32_C(1) << (16 + idx)) != 0) {
        return refuse(reader, reader->words[1], "each zone once");
    }
    reader->seen |= UINT32_C(1) << (16 + idx);
    enum slm_status status = read_zone_bytes(reader, reader->words[2], &zone.bytes);
    zone.max_bytes = zone.bytes;
    if (status == SLM_OK && reader->n_words == 4) {
        status = read_zone_bytes(reader, reader->words[3], &zone.max_bytes);
    }
    if (status == SLM_OK && zone.max_bytes < zone.bytes) {
        status = refuse(reader, reader->words[3], "a maximum that is not below the size");
    }
    reader->config->zones[idx] = zone;
    return status;
}

static const struct setting {
    const char *name;
    enum slm_status (*set)(struct reader *reader);
    unsigned min_words; /* its name included */
    unsigned max_words;
} settings[] = {
    {"listen", set_listen, 2, 2},     {"workers", set_workers, 2, 2},
    {"clients", set_clients, 2, 2},   {"rate", set_rate, 2, 2},
    {"burst", set_burst, 2, 2},       {"connections", set_connections, 2, 2},
    {"inactive", set_inactive, 2, 2}, {"drain", set_drain, 2, 2},
    {"zone", set_zone, 3, 4},
};

enum { N_SETTINGS = sizeof settings / sizeof *settings, ZONE_SETTING = N_SETTINGS - 1 };

static enum slm_status read_setting(struct reader *reader)
{
    unsigned idx = 0;
    while (idx < N_SETTINGS && strcmp(reader->words[0], settings[idx].name) != 0) {
        idx++;
    }
    if (idx == N_SETTINGS) {
        return refuse(reader, reader->words[0], "a setting that limitd --help lists");
    }
    if (reader->n_words < settings[idx].min_words || reader->n_words > settings[idx].max_words) {
        return refuse(reader, reader->words[0],
                      idx == ZONE_SETTING ? "a name, bytes, and maximal bytes or nothing after it"
                                          : "one value after it");
    }
    if (idx != ZONE_SETTING && (reader->seen & UINT32_C(1) << idx) != 0) {
        return refuse(reader, reader->words[0], "each setting once");
    }
    reader->seen |= UINT32_C(1) << idx;
    return settings[idx].set(reader);
}

static enum slm_status read_line(struct reader *reader, char *line)
{
    char *rest = NULL;
    reader->line++;
    reader->n_words = 0;
    if (strchr(line, '\n') == NULL && strlen(line) == LINE_BYTES_MAX - 1) {
        line[20] = '\0';
        return refuse(reader, line, "a line of at most 510 bytes");
    }
    line[strcspn(line, "#\r\n")] = '\0';
    for (char *word = strtok_r(line, " \t", &rest); word != NULL;
         word = strtok_r(NULL, " \t", &rest)) {
        if (reader->n_words == WORDS_MAX) {
            return refuse(reader, word, "the line's end");
        }
        reader->words[reader->n_words++] = word;
    }
    return reader->n_words == 0 ? SLM_OK : read_setting(reader);
}

static void set_defaults(struct limitd_config *config)
{
    *config = (struct limitd_config){
        .n_workers = 2,
        .n_clients = 256,
        .rate_milli = 100000,
        .burst_milli = 50000,
        .n_connections = 10,
        .inactive_ms = 600000,
        .drain_ms = 2000,
    };
    for (unsigned i = 0; i < LIMITD_N_ZONES; i++) {
        config->zones[i] = (struct limitd_zone_config){1u << 20, 16u << 20};
    }
}

enum slm_status limitd_config_read(struct limitd_config *config, const char *path,
                                   struct slm_error *error)
{
    char line[LINE_BYTES_MAX];
    struct reader reader = {.config = config, .path = path, .error = error};
    enum slm_status status = slm_error_clear(error);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return slm_error_set(error, slm_error_of_errno(errno), errno, "%s: %s", path,
                             strerror(errno));
    }
    set_defaults(config);
    while (status == SLM_OK && fgets(line, sizeof line, file) != NULL) {
        status = read_line(&reader, line);
    }
    if (status == SLM_OK && ferror(file) != 0) {
        status = slm_error_set(error, SLM_E_IO, errno, "%s: cannot be read", path);
    }
    fclose(file);
    if (status == SLM_OK && config->listen[0] == '\0') {
        status = slm_error_set(error, SLM_E_OPTION, 0, "%s: no line \"listen PATH\"", path);
    }
    return status;
}
