/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a library with a planted fault. The schedules must find the fault by the law that it breaks.
 * Prints how many schedules they needed.
 * Usage: planted_main lock|spin|file|threads|zone PROGRAM DEATHS LAW
 */
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "harness/sched/lock_world.h"
#include "harness/sched/zone_world.h"

namespace {

constexpr unsigned n_preemptions = 3;
constexpr unsigned n_pages = 2;

hrn_sched_search search_of(const char *unit, const char *program, unsigned n_deaths)
{
    if (strcmp(unit, "zone") == 0) {
        hrn_sched_zone_program zone = {program, n_pages, n_preemptions, n_deaths, true};
        return hrn_sched_zone_search(&zone);
    }
    bool is_threads = strcmp(unit, "threads") == 0;
    slm_lock_kind kind = strcmp(unit, "spin") == 0                 ? SLM_LOCK_SPIN_SEM
                         : is_threads || strcmp(unit, "file") == 0 ? SLM_LOCK_FILE
                                                                   : SLM_LOCK_ROBUST;
    hrn_sched_lock_program lock = {program, kind, n_preemptions, n_deaths, true, is_threads};
    return hrn_sched_lock_search(&lock);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "planted_main lock|spin|file|threads|zone PROGRAM DEATHS LAW\n");
        return 2;
    }
    hrn_sched_search search = search_of(argv[1], argv[2], static_cast<unsigned>(atoi(argv[3])));
    hrn_sched_found found = hrn_sched_explore(&search);
    if (found.broken == nullptr) {
        printf("not found in all of %" PRIu64 " schedules of %s\n", found.n_runs, argv[2]);
        return 1;
    }
    printf("found in schedule %" PRIu64 " of %s: %s\n", found.n_runs, argv[2], found.broken);
    hrn_sched_print_steps();
    return strncmp(found.broken, argv[4], strlen(argv[4])) == 0 ? 0 : 1;
}
