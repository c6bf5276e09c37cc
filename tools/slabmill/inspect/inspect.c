/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill inspect: shows a zone while others use it, once or repeatedly. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "tools/slabmill/inspect/inspect.h"

struct inspection {
    const struct mill_options *options;
    struct mill_source source;
    struct mill_look looks[2]; /* the last and the one before */
    unsigned n_looks;
    double seconds; /* between them */
};

static double between(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}

static void print(const struct inspection *inspection, const struct mill_look *look,
                  const struct mill_look *before)
{
    double seconds = before == NULL ? 0 : between(&before->when, &look->when);
    bool is_watch = inspection->options->watch != 0;
    bool is_terminal = isatty(STDOUT_FILENO) == 1;
    if (inspection->options->json) {
        mill_look_json(look, before, seconds);
    } else if (is_watch && !is_terminal) {
        mill_look_line(look, before, seconds);
    } else {
        fputs(is_watch ? "\033[H\033[J" : "", stdout);
        mill_look_text(look, before, seconds, inspection->options->all);
    }
}

/* Takes one look. MILL_WRONG: failed, with a message. */
static int look_once(struct inspection *inspection)
{
    struct mill_copy copy;
    struct slm_error error;
    struct mill_look *look = &inspection->looks[inspection->n_looks % 2];
    const struct mill_look *before =
        inspection->n_looks == 0 ? NULL : &inspection->looks[(inspection->n_looks + 1) % 2];
    if (mill_source_check_name(&inspection->source, &error) != SLM_OK) {
        return mill_complain("%s", error.text);
    }
    if (mill_copy_take(&copy, &inspection->source, &error) != SLM_OK) {
        return mill_complain("%s", error.text);
    }
    mill_look_at(look, &copy, inspection->options->files[0]);
    mill_look_at_root(look, &inspection->source);
    bool drawn = inspection->options->svg == NULL || mill_look_svg(look, inspection->options->svg);
    mill_look_rehearse(look, &copy);
    print(inspection, look, before);
    mill_copy_drop(&copy);
    inspection->n_looks++;
    return drawn ? mill_look_status(look) : MILL_WRONG;
}

/* Sleeps through the interval. False: a signal asks it to end. Signals are blocked outside the
 * sleep, so none is lost. */
static bool wait_for_next(const sigset_t *ends, uint64_t seconds)
{
    struct timespec interval = {.tv_sec = (time_t)seconds};
    int signal;
    do {
        signal = sigtimedwait(ends, NULL, &interval);
    } while (signal < 0 && errno == EINTR);
    return signal < 0;
}

static int watch(struct inspection *inspection)
{
    sigset_t ends;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGINT);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &ends, NULL);
    int status;
    do {
        status = look_once(inspection);
        if (fflush(stdout) != 0) {
            return MILL_WRONG;
        }
    } while (status != MILL_WRONG && wait_for_next(&ends, inspection->options->watch));
    return status;
}

int mill_inspect(const struct mill_options *options)
{
    static struct inspection inspection;
    struct slm_error error;
    inspection.options = options;
    if (options->watch != 0 && options->svg != NULL) {
        return mill_complain("inspect: expected one of --watch and --svg");
    }
    if (mill_source_open(&inspection.source, options->files[0], &error) != SLM_OK) {
        return mill_complain("%s", error.text);
    }
    if (options->svg != NULL && mill_file_is_input(options->svg, inspection.source.path)) {
        mill_source_close(&inspection.source);
        return MILL_WRONG;
    }
    int status = options->watch != 0 ? watch(&inspection) : look_once(&inspection);
    mill_source_close(&inspection.source);
    return status;
}
