/* SPDX-License-Identifier: Apache-2.0 */
/* limitd: limits and caches that processes share, served at a Unix socket. */
#include <getopt.h>
#include <stdio.h>

#include "examples/limitd/master.h"
#include "examples/limitd/protocol.h"

static const char help[] =
    "limitd [--check] --config FILE\n"
    "\n"
    "Several processes serve limits and caches to any number of clients, from zones\n"
    "of shared memory that survive the death of any worker.\n"
    "\n"
    "  --config FILE            settings, see below\n"
    "  --check                  reads the settings, reports what is wrong with them, and ends\n"
    "  --help                   this text\n"
    "\n"
    "Exit status: 0 ended by SIGTERM or SIGINT, or settings are good; 1 could not run, or\n"
    "they are not; 2 a wrong call.\n"
    "\n"
    "Signals: SIGHUP reads the settings again (zones keep content, and grow); SIGUSR2 runs\n"
    "the program that is now at limitd's path, with the same zones and socket.\n"
    "\n"
    "Settings, a line each, # begins a comment (in brackets what holds "
    "without):\n" LIMITD_CONFIG_HELP "\n"
    "Commands, a line each, answered by a line each:\n" LIMITD_PROTOCOL_HELP;

static int check(const char *path)
{
    struct limitd_config config;
    struct slm_error error;
    if (limitd_config_read(&config, path, &error) != SLM_OK) {
        fprintf(stderr, "limitd: %s\n", error.text);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *path = NULL;
    int is_check = 0;
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (option == 'c') {
            path = optarg;
        } else if (option == 'k') {
            is_check = 1;
        } else if (option == 'h') {
            fputs(help, stdout);
            return 0;
        } else {
            return 2;
        }
    }
    if (path == NULL || optind != argc) {
        fprintf(stderr, "limitd: expected --config FILE and nothing else; see --help\n");
        return 2;
    }
    return is_check ? check(path) : limitd_master_run(path, argv);
}
