/* SPDX-License-Identifier: Apache-2.0 */
/* kill_points: kills every operation of a zone after each of its instructions. */
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/kill/scenario.h"

namespace {

using namespace kill_test;

struct Options {
    std::string only;
    size_t every = 1;
    bool list = false;
};

const char USAGE[] =
    "usage: kill_points [--only NAME] [--every K] [--list]\n"
    "  --only NAME  run only the operations whose names contain NAME\n"
    "  --every K    kill after each K-th instruction only (default 1)\n"
    "  --list       print the names of the operations\n"
    "Exit status: 0 every zone recovered; 1 a zone did not; 2 wrong arguments, or ptrace is not\n"
    "permitted.\n";

[[noreturn]] void leave_with_usage(int status)
{
    fputs(USAGE, status == 0 ? stdout : stderr);
    exit(status);
}

size_t parse_count(const char *text)
{
    char *end = nullptr;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < 1) {
        leave_with_usage(2);
    }
    return static_cast<size_t>(value);
}

Options parse(int n, char **words)
{
    Options options;
    for (int i = 1; i < n; i++) {
        bool has_value = i + 1 < n;
        if (strcmp(words[i], "--list") == 0) {
            options.list = true;
        } else if (strcmp(words[i], "--only") == 0 && has_value) {
            options.only = words[++i];
        } else if (strcmp(words[i], "--every") == 0 && has_value) {
            options.every = parse_count(words[++i]);
        } else {
            leave_with_usage(strcmp(words[i], "--help") == 0 ? 0 : 2);
        }
    }
    return options;
}

void print_row(const Scenario &scenario, const Tally &tally)
{
    printf("%-66s %7zu %7zu %7zu %9zu %7zu %8zu\n", scenario.name.c_str(), tally.n_instructions,
           tally.n_under_lock, tally.n_killed, tally.n_recovered, tally.n_undone, tally.n_finished);
    if (tally.n_stepped != 0) {
        printf("    %zu of them by single steps, since the path varies\n", tally.n_stepped);
    }
    if (!tally.first_wrong.empty()) {
        printf("    WRONG: %s\n", tally.first_wrong.c_str());
    }
    fflush(stdout);
}

/* The sums over all scenarios. */
struct Sum {
    size_t n_killed = 0;
    size_t n_recovered = 0;
    size_t n_wrong = 0;
    size_t n_scenarios = 0;
};

/* Returns false if ptrace is not permitted. */
bool run_one(const Scenario &scenario, size_t every, Sum *sum)
{
    Tally tally = sweep(scenario, every);
    if (tally.not_traced) {
        return false;
    }
    print_row(scenario, tally);
    sum->n_killed += tally.n_killed;
    sum->n_recovered += tally.n_recovered;
    sum->n_wrong += !tally.first_wrong.empty();
    sum->n_scenarios++;
    return true;
}

int run_all(const Options &options)
{
    Sum sum;
    auto start = std::chrono::steady_clock::now();
    printf("%-66s %7s %7s %7s %9s %7s %8s\n", "operation", "instr.", "locked", "killed",
           "recovered", "undone", "finished");
    for (const Scenario &scenario : scenarios()) {
        bool is_wanted = scenario.name.find(options.only) != std::string::npos;
        if (is_wanted && !run_one(scenario, options.every, &sum)) {
            fprintf(stderr, "kill_points: PTRACE IS NOT PERMITTED HERE, so no kill was tried.\n");
            return 2;
        }
    }
    std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (sum.n_scenarios == 0) {
        fprintf(stderr, "kill_points: no operation name contains %s\n", options.only.c_str());
        return 2;
    }
    printf("%zu operations in %.0f s\n", sum.n_scenarios, seconds.count());
    printf("kill points: %zu recovered of %zu\n", sum.n_recovered, sum.n_killed);
    return sum.n_wrong == 0 && sum.n_recovered == sum.n_killed ? 0 : 1;
}

} // namespace

int main(int n, char **words)
{
    Options options = parse(n, words);
    if (!options.list) {
        return run_all(options);
    }
    for (const Scenario &scenario : scenarios()) {
        puts(scenario.name.c_str());
    }
    return 0;
}
