/* SPDX-License-Identifier: Apache-2.0 */
/* kill_storm: many processes use one zone and are killed at random. */
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/kill/storm.h"

namespace {

using namespace kill_test;

struct Options {
    StormOptions storm;
    bool lock_only = false;
};

const char USAGE[] =
    "usage: kill_storm [--seconds S] [--processes N] [--threads N] [--pause-us N] [--seed N]\n"
    "                  [--lock-only]\n"
    "  --seconds S    run for S seconds (default 5)\n"
    "  --processes N  start N processes to kill (default 4) and two that are never killed\n"
    "  --threads N    start N threads in each process (default 2)\n"
    "  --pause-us N   wait N microseconds between two kills, on average (default 500)\n"
    "  --seed N       seed of the random operations and kills (default 1)\n"
    "  --lock-only    only lock and unlock\n"
    "Exit status: 0 nothing hung, was lost, or had two owners; 1 something did; 2 wrong "
    "arguments.\n";

[[noreturn]] void leave_with_usage(int status)
{
    fputs(USAGE, status == 0 ? stdout : stderr);
    exit(status);
}

unsigned parse_count(const char *text, long most)
{
    char *end = nullptr;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < 1 || value > most) {
        leave_with_usage(2);
    }
    return static_cast<unsigned>(value);
}

bool parse_value(const char *name, const char *value, StormOptions *storm)
{
    if (strcmp(name, "--seconds") == 0) {
        storm->seconds = parse_count(value, 1000000);
    } else if (strcmp(name, "--processes") == 0) {
        storm->n_processes = parse_count(value, 14);
    } else if (strcmp(name, "--threads") == 0) {
        storm->n_threads = parse_count(value, 4);
    } else if (strcmp(name, "--pause-us") == 0) {
        storm->pause_us = parse_count(value, 1000000);
    } else if (strcmp(name, "--seed") == 0) {
        storm->seed = parse_count(value, 1000000000);
    } else {
        return false;
    }
    return true;
}

Options parse(int n, char **words)
{
    Options options;
    for (int i = 1; i < n; i++) {
        if (strcmp(words[i], "--lock-only") == 0) {
            options.lock_only = true;
        } else if (i + 1 < n && parse_value(words[i], words[i + 1], &options.storm)) {
            i++;
        } else {
            leave_with_usage(strcmp(words[i], "--help") == 0 ? 0 : 2);
        }
    }
    return options;
}

void print_result(const StormResult &result, bool lock_only)
{
    auto n_kills = static_cast<double>(result.n_kills);
    printf("%.0f s, %.0f kills/s, %llu %s, %llu checks, %llu copies\n", result.seconds,
           n_kills / result.seconds, static_cast<unsigned long long>(result.n_operations),
           lock_only ? "locks taken" : "operations",
           static_cast<unsigned long long>(result.n_checks),
           static_cast<unsigned long long>(result.n_copies));
    printf("%llu moves, %llu syncs, %llu trims\n", static_cast<unsigned long long>(result.n_moves),
           static_cast<unsigned long long>(result.n_syncs),
           static_cast<unsigned long long>(result.n_trims));
    printf("%llu recoveries, %llu undone, %llu finished\n",
           static_cast<unsigned long long>(result.n_recoveries),
           static_cast<unsigned long long>(result.n_undone),
           static_cast<unsigned long long>(result.n_finished));
    if (result.first_wrong[0] != '\0') {
        printf("first: %s\n", result.first_wrong);
    }
    printf("storm: %llu kills, %llu hangs, %llu lost, %llu double\n",
           static_cast<unsigned long long>(result.n_kills),
           static_cast<unsigned long long>(result.n_hangs),
           static_cast<unsigned long long>(result.n_lost),
           static_cast<unsigned long long>(result.n_double));
}

} // namespace

int main(int n, char **words)
{
    Options options = parse(n, words);
    StormResult result = options.lock_only ? storm_lock(options.storm) : storm_zone(options.storm);
    print_result(result, options.lock_only);
    return result.is_good() ? 0 : 1;
}
