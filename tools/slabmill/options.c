/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the slabmill command. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/slabmill/slabmill.h"

enum row_type { ROW_TEXT, ROW_NUMBER, ROW_SEED, ROW_FLAG, ROW_PAUSE, ROW_LIST, ROW_MINUTES };

struct row {
    const char *name;
    const char *value; /* its name in the help */
    const char *help;
    enum row_type type;
    size_t offset;            /* in struct mill_options */
    const uint64_t *allowed;  /* allowed numbers, 0 at the end; NULL: from 1 to max */
    uint64_t max;             /* 0: NUMBER_MAX */
    const char *const *texts; /* allowed texts, NULL at the end; NULL: any */
};

static const uint64_t allowed_classes[] = {1, 2, 4, 8, 16, 0};
static const uint64_t allowed_pages[] = {4096, 16384, 65536, 0};
static const char *const allowed_forms[] = {"trace", "bytes", NULL};

/* A program of hunt or soak takes a millisecond. This is enough for an allocator that is a thousand
 * times slower. */
#define TIMEOUT_SECONDS 5

#define NUMBER_MAX  (UINT32_MAX - 1)
#define TIMEOUT_MAX 1000000 /* so that milliseconds fit */

#define AT(field) offsetof(struct mill_options, field)

static const struct row rows[MILL_OPTIONS] = {
    [MILL_OPT_ADAPTER] = {.name = "--adapter",
                          .value = "NAME",
                          .offset = AT(adapter),
                          .help = "allocator: its name, or ./FILE.so (default: the trace's)"},
    [MILL_OPT_AS] = {.name = "--as",
                     .value = "trace|bytes",
                     .offset = AT(as),
                     .texts = allowed_forms,
                     .help = "what the file is: trace text, or a fuzz input"},
    [MILL_OPT_CLASSES] = {.name = "--classes",
                          .value = "1|2|4|8|16",
                          .type = ROW_NUMBER,
                          .offset = AT(classes),
                          .allowed = allowed_classes,
                          .help = "slab classes for each doubling of size"},
    [MILL_OPT_PAGE] = {.name = "--page",
                       .value = "4096|16384|65536",
                       .type = ROW_NUMBER,
                       .offset = AT(page),
                       .allowed = allowed_pages,
                       .help = "slab page size in bytes"},
    [MILL_OPT_OUT] = {.name = "-o",
                      .value = "OUT",
                      .offset = AT(out),
                      .help = "file to write; for seeds and hunt, a folder"},
    [MILL_OPT_NAME] = {.name = "--name",
                       .value = "NAME",
                       .offset = AT(name),
                       .help = "name of the test"},
    [MILL_OPT_SECONDS] = {.name = "--seconds",
                          .value = "N",
                          .type = ROW_NUMBER,
                          .offset = AT(seconds),
                          .help = "how long to run"},
    [MILL_OPT_ROUNDS] = {.name = "--rounds",
                         .value = "N",
                         .type = ROW_NUMBER,
                         .offset = AT(rounds),
                         .help = "how many rounds to run"},
    [MILL_OPT_OPS] = {.name = "--ops",
                      .value = "N",
                      .type = ROW_NUMBER,
                      .offset = AT(ops),
                      .help = "how many operations to run"},
    [MILL_OPT_SEED] = {.name = "--seed",
                       .value = "S",
                       .type = ROW_SEED,
                       .offset = AT(seed),
                       .help = "seed of the random numbers (a new one; check, probe: 1)"},
    [MILL_OPT_SAVE_SEEDS] = {.name = "--save-seeds",
                             .value = "DIR",
                             .offset = AT(save_seeds),
                             .help = "folder for each round's program, as a fuzz input"},
    [MILL_OPT_RUNS] = {.name = "--runs",
                       .value = "N",
                       .type = ROW_NUMBER,
                       .offset = AT(runs),
                       .help = "most runs to make (20000)"},
    [MILL_OPT_TIMEOUT] =
        {.name = "--timeout",
         .value = "S",
         .type = ROW_NUMBER,
         .offset = AT(timeout),
         .max = TIMEOUT_MAX,
         .help = "processor seconds after which a run hangs (5, or 1 for 10,000 operations)"},
    [MILL_OPT_ALL] = {.name = "--all",
                      .type = ROW_FLAG,
                      .offset = AT(all),
                      .help = "show everything"},
    [MILL_OPT_JSON] = {.name = "--json",
                       .type = ROW_FLAG,
                       .offset = AT(json),
                       .help = "one JSON object on one line"},
    [MILL_OPT_SVG] = {.name = "--svg",
                      .value = "FILE",
                      .offset = AT(svg),
                      .help = "also draw a map of the pages"},
    [MILL_OPT_WATCH] = {.name = "--watch",
                        .value = "[SECONDS]",
                        .type = ROW_PAUSE,
                        .offset = AT(watch),
                        .help = "repeat every N seconds (1)"},
    [MILL_OPT_LOCK] = {.name = "--lock",
                       .value = "FILE",
                       .offset = AT(lock),
                       .help = "lock file of the zone, if its lock is of the file kind"},
    [MILL_OPT_MINUTES] = {.name = "--minutes",
                          .value = "N",
                          .type = ROW_MINUTES,
                          .offset = AT(milliseconds),
                          .help = "how long to hunt (1); 0.5 is half a minute"},
    [MILL_OPT_PROGRAMS] = {.name = "--programs",
                           .value = "N",
                           .type = ROW_NUMBER,
                           .offset = AT(programs),
                           .help = "how many programs to run"},
    [MILL_OPT_JOBS] = {.name = "--jobs",
                       .value = "N",
                       .type = ROW_NUMBER,
                       .offset = AT(jobs),
                       .max = MILL_JOBS_MAX,
                       .help = "processes at once (one for each processor)"},
    [MILL_OPT_KNOWN] = {.name = "--known",
                        .value = "DIR",
                        .type = ROW_LIST,
                        .offset = AT(known),
                        .help = "folder of an earlier hunt: its findings do not count"},
    [MILL_OPT_EXCEPT] = {.name = "--except",
                         .value = "LAW",
                         .type = ROW_LIST,
                         .offset = AT(except),
                         .help = "law whose findings do not count"},
    [MILL_OPT_IGNORE] = {.name = "--ignore",
                         .value = "KIND",
                         .type = ROW_LIST,
                         .offset = AT(ignore),
                         .help = "part of a sanitizer's report, which then does not count"},
    [MILL_OPT_DIR] = {.name = "--out",
                      .value = "DIR",
                      .offset = AT(out),
                      .help = "folder for the findings"},
    [MILL_OPT_REGION] = {.name = "--region",
                         .value = "BYTES",
                         .type = ROW_NUMBER,
                         .offset = AT(region),
                         .max = MILL_REGION_MAX,
                         .help = "size of each arena's region; prints a table"},
    [MILL_OPT_PROMETHEUS] = {.name = "--prometheus",
                             .type = ROW_FLAG,
                             .offset = AT(prometheus),
                             .help = "the text format of Prometheus"},
};

static bool number_allowed(const struct row *row, uint64_t number)
{
    const uint64_t *allowed = row->allowed;
    while (allowed != NULL && *allowed != 0 && *allowed != number) {
        allowed++;
    }
    return allowed == NULL || *allowed != 0;
}

static bool is_digits(const char *text)
{
    return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

static bool read_number(const struct row *row, const char *text, uint64_t *number)
{
    errno = 0;
    *number = strtoull(text, NULL, 10);
    bool digits = is_digits(text) && errno == 0;
    uint64_t max = row->max != 0 ? row->max : NUMBER_MAX;
    bool range =
        row->type == ROW_SEED || (*number > 0 && *number <= max && number_allowed(row, *number));
    char expected[64];
    snprintf(expected, sizeof expected, "a number from 1 to %" PRIu64, max);
    if (!digits || !range) {
        (void)mill_complain("%s %s: expected %s", row->name, text,
                            row->allowed != NULL    ? row->value
                            : row->type == ROW_SEED ? "a number below 2^64"
                                                    : expected);
    }
    return digits && range;
}

#define MINUTES_MAX 1000000000u

/* Minutes, which may have a fraction, as milliseconds. */
static bool read_minutes(const struct row *row, const char *text, uint64_t *milliseconds)
{
    size_t n_whole = strspn(text, "0123456789");
    size_t n_part = text[n_whole] == '.' ? strspn(text + n_whole + 1, "0123456789") : 0;
    size_t n = n_whole + (n_part > 0 ? n_part + 1 : 0);
    double minutes = strtod(text, NULL); /* no locale is set: the point is a point */
    bool good = n_whole > 0 && text[n] == '\0' && minutes >= 0.001 && minutes <= MINUTES_MAX;
    if (!good) {
        (void)mill_complain("%s %s: expected a number from 0.001 to %u", row->name, text,
                            MINUTES_MAX);
    }
    *milliseconds = good ? (uint64_t)(minutes * 60000 + 0.5) : 0;
    return good;
}

static bool text_allowed(const struct row *row, const char *text)
{
    const char *const *texts = row->texts;
    while (texts != NULL && *texts != NULL && strcmp(*texts, text) != 0) {
        texts++;
    }
    if (texts == NULL || *texts != NULL) {
        return true;
    }
    (void)mill_complain("%s %s: expected %s", row->name, text, row->value);
    return false;
}

static bool add_value(const struct row *row, const char *value, struct mill_list *list)
{
    if (list->n == MILL_LIST_MAX) {
        (void)mill_complain("%s: at most %u of them", row->name, MILL_LIST_MAX);
        return false;
    }
    list->at[list->n++] = value;
    return true;
}

static bool set_value(const struct row *row, const char *value, struct mill_options *options)
{
    char *field = (char *)options + row->offset;
    if (row->type == ROW_LIST) {
        return add_value(row, value, (struct mill_list *)(void *)field);
    }
    if (row->type != ROW_TEXT) {
        uint64_t number;
        bool good = row->type == ROW_MINUTES ? read_minutes(row, value, &number)
                                             : read_number(row, value, &number);
        memcpy(field, &number, sizeof number);
        return good;
    }
    memcpy(field, &value, sizeof value);
    if (*value == '\0') {
        (void)mill_complain("%s: expected %s, found nothing", row->name, row->value);
    }
    return *value != '\0' && text_allowed(row, value);
}

/* --- The options for getopt_long, which also prints errors --- */

#define FIRST_LONG 256 /* getopt_long's code of rows[0]; short options are their letters */

static void list_options(const struct mill_command *command, struct option *longs,
                         const char **shorts)
{
    static const int arguments[] = {
        [ROW_TEXT] = required_argument,    [ROW_NUMBER] = required_argument,
        [ROW_SEED] = required_argument,    [ROW_FLAG] = no_argument,
        [ROW_PAUSE] = optional_argument,   [ROW_LIST] = required_argument,
        [ROW_MINUTES] = required_argument,
    };
    size_t n = 0;
    longs[n++] = (struct option){"help", no_argument, NULL, 'h'};
    for (int i = 0; i < MILL_OPTIONS; i++) {
        if ((command->takes >> i & 1u) != 0 && i != MILL_OPT_OUT) {
            longs[n++] = (struct option){rows[i].name + strlen("--"), arguments[rows[i].type], NULL,
                                         FIRST_LONG + i};
        }
    }
    longs[n] = (struct option){0};
    *shorts = (command->takes & MILL_OPT(OUT)) != 0 ? "ho:" : "h";
}

/* The value of an option with an optional value: the next argument counts too, if it is a number.
 */
static const char *read_pause(int argc, char **argv)
{
    if (optarg != NULL) {
        return optarg;
    }
    return optind < argc && is_digits(argv[optind]) ? argv[optind++] : "1";
}

static bool read_option(int code, int argc, char **argv, struct mill_options *options,
                        uint32_t *seen)
{
    int idx = code == 'o' ? MILL_OPT_OUT : code - FIRST_LONG;
    const struct row *row = &rows[idx];
    if (row->type != ROW_LIST && (*seen >> idx & 1u) != 0) {
        (void)mill_complain("%s is given twice", row->name);
        return false;
    }
    *seen |= 1u << idx;
    if (row->type == ROW_FLAG) {
        memcpy((char *)options + row->offset, &(bool){true}, sizeof(bool));
        return true;
    }
    return set_value(row, row->type == ROW_PAUSE ? read_pause(argc, argv) : optarg, options);
}

/* Checks that required options and files are given. */
static bool is_complete(const struct mill_command *command, const struct mill_options *options,
                        uint32_t seen)
{
    for (size_t i = 0; i < MILL_OPTIONS; i++) {
        if (((command->needs & ~seen) >> i & 1u) != 0) {
            const char *value = rows[i].value;
            (void)mill_complain("%s: %s%s%s is missing", command->name, rows[i].name,
                                value != NULL ? " " : "", value != NULL ? value : "");
            return false;
        }
    }
    bool fits = options->n_files >= command->files_min && options->n_files <= command->files_max;
    if (!fits) {
        (void)mill_complain("%s: expected %s%s, found %zu", command->name,
                            command->files_max == 0   ? "no file"
                            : command->files_max == 1 ? "one file"
                            : command->files_min == 2 ? "two files"
                                                      : "at least one file",
                            options->has_plugin ? " besides the adapter" : "", options->n_files);
    }
    return fits;
}

bool mill_options_read(const struct mill_command *command, int argc, char **argv,
                       struct mill_options *options)
{
    struct option longs[MILL_OPTIONS + 2];
    const char *shorts;
    char name[32]; /* in error messages */
    uint32_t seen = 0;
    int code;
    memset(options, 0, sizeof *options);
    options->runs = 20000;
    options->timeout = TIMEOUT_SECONDS;
    list_options(command, longs, &shorts);
    snprintf(name, sizeof name, "slabmill %s", command->name);
    argv[0] = name;
    optind = 0; /* resets getopt_long */
    while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (code == 'h') {
            options->help = true;
            return true;
        }
        if (code == '?' || !read_option(code, argc, argv, options, &seen)) {
            return false;
        }
    }
    options->files = (const char **)(void *)(argv + optind);
    options->n_files = (size_t)(argc - optind);
    bool takes_adapter = (command->takes & MILL_OPT(ADAPTER)) != 0;
    if (takes_adapter && !mill_plugin_take(options, command->files_max > 0)) {
        return false;
    }
    options->has_seed = (seen & MILL_OPT(SEED)) != 0;
    seen |= takes_adapter && options->adapter != NULL ? MILL_OPT(ADAPTER) : 0;
    return is_complete(command, options, seen);
}

struct mill_option_text mill_option_text(enum mill_option option)
{
    const struct row *row = &rows[option];
    return (struct mill_option_text){row->name, row->value, row->help};
}

void mill_options_help(const struct mill_command *command)
{
    printf("usage: slabmill %s", command->name);
    for (size_t i = 0; i < MILL_OPTIONS; i++) {
        if ((command->takes >> i & 1u) != 0) {
            bool needed = (command->needs >> i & 1u) != 0;
            printf(" %s%s%s%s%s", needed ? "" : "[", rows[i].name, rows[i].value ? " " : "",
                   rows[i].value ? rows[i].value : "", needed ? "" : "]");
        }
    }
    printf("%s\n%s\n%s  %-26s %s\n", command->arguments, command->purpose, command->help,
           "-h, --help", "shows this");
    for (size_t i = 0; i < MILL_OPTIONS; i++) {
        if ((command->takes >> i & 1u) != 0) {
            char left[48];
            snprintf(left, sizeof left, "%s %s", rows[i].name, rows[i].value ? rows[i].value : "");
            printf("  %-26s %s\n", left, rows[i].help);
        }
    }
}
