/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that only this library has: create, attach and repair of zones. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <slabmill/zone.h>

#include "bench/bench.h"
#include "bench/own_kernels.h"

#define MIB        ((size_t)1 << 20)
#define N_ATTACHES 200u
#define N_REPAIRS  5u
#define N_WRITES   100u
#define NS_PER_MS  1e6
#define FILL       .9

static bool is_own(const struct bench_subject *subject)
{
    return subject->kernels == bench_own_kernels;
}

static void name_zone(char *name, size_t name_bytes)
{
    snprintf(name, name_bytes, "slabmill-bench-%d", (int)getpid());
}

/* A POSIX zone. Creation reserves all of it. */
static struct slm_zone *create_posix(const char *name, size_t bytes)
{
    struct slm_zone_options options = {
        .name = name, .bytes = bytes, .segment = {.kind = SLM_SEGMENT_POSIX}};
    struct slm_zone *zone = NULL;
    bench_must(slm_zone_create(&zone, &options, NULL), "create");
    return zone;
}

static void remove_zone(struct slm_zone *zone)
{
    bench_must(slm_zone_remove(zone, NULL), "remove");
    slm_zone_detach(zone);
}

static double measure_create(const struct bench_row *row, const struct bench_subject *subject)
{
    char name[SLM_ZONE_NAME_BYTES];
    if (!is_own(subject)) {
        return NAN;
    }
    name_zone(name, sizeof name);
    double start = bench_cpu_ns();
    struct slm_zone *zone = create_posix(name, row->bytes);
    double ns = bench_cpu_ns() - start;
    remove_zone(zone);
    return ns / NS_PER_MS;
}

static double measure_attach(const struct bench_row *row, const struct bench_subject *subject)
{
    char name[SLM_ZONE_NAME_BYTES];
    struct slm_zone *other = NULL;
    if (!is_own(subject)) {
        return NAN;
    }
    name_zone(name, sizeof name);
    struct slm_zone *zone = create_posix(name, row->bytes);
    struct slm_zone_attach_options options = {.name = name,
                                              .segment = {.kind = SLM_SEGMENT_POSIX, .name = name}};
    double start = bench_cpu_ns();
    for (unsigned i = 0; i < N_ATTACHES; i++) {
        bench_must(slm_zone_attach(&other, &options, NULL), "attach");
        slm_zone_detach(other);
    }
    double ns = (bench_cpu_ns() - start) / N_ATTACHES;
    remove_zone(zone);
    return ns / NS_PER_MS;
}

/* Objects of 16 to 4095 bytes until the pages are 90 % used, then every third is free. */
static void fill_zone(struct slm_zone *zone)
{
    struct slm_journal *journal = slm_zone_journal(zone);
    struct slm_slab_stats stats;
    void *previous = NULL;
    uint64_t seed = 9;
    size_t n = 0;
    bench_must(slm_zone_lock(zone), "lock");
    do {
        for (unsigned i = 0; i < 256; i++) {
            void *p = slm_journal_alloc(
                journal, 8 + bench_mixed_size((double)bench_random(&seed) / 4294967296.0));
            if (++n % 3 == 0 && previous != NULL) {
                (void)slm_journal_free(journal, previous);
            }
            previous = p;
        }
        bench_must(slm_zone_commit_locked(zone), "commit");
        slm_slab_get_stats(slm_zone_slab(zone), &stats);
    } while ((double)stats.n_free_pages > (1 - FILL) * (double)stats.n_pages);
    bench_must(slm_zone_unlock(zone), "unlock");
}

/* A child dies in a transaction. */
static void die_in(struct slm_zone *zone)
{
    pid_t child = fork();
    if (child == 0) {
        bench_must(slm_zone_lock(zone), "lock");
        for (unsigned i = 0; i < N_WRITES; i++) {
            (void)slm_journal_alloc(slm_zone_journal(zone), 100);
        }
        (void)raise(SIGKILL);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        fputs("bench: no child\n", stderr);
        exit(2);
    }
}

/* The longest of some. */
static double measure_repair(const struct bench_row *row, const struct bench_subject *subject)
{
    double worst = 0;
    if (!is_own(subject)) {
        return NAN;
    }
    struct slm_zone *zone = bench_own_zone(row->bytes, 0);
    fill_zone(zone);
    for (unsigned i = 0; i < N_REPAIRS; i++) {
        die_in(zone);
        double start = bench_cpu_ns();
        bench_must(slm_zone_lock(zone), "repair");
        double ns = bench_cpu_ns() - start;
        bench_must(slm_zone_unlock(zone), "unlock");
        worst = ns > worst ? ns : worst;
    }
    slm_zone_detach(zone);
    return worst / NS_PER_MS;
}

#define CREATE .unit = "ms", .figure = measure_create
#define ATTACH .unit = "ms", .figure = measure_attach
#define REPAIR .unit = "ms", .figure = measure_repair

const struct bench_row bench_own_rows[] = {
    {CREATE, .name = "own/create_1MiB", .text = "zone: create, 1 MiB, POSIX", .bytes = MIB},
    {CREATE, .name = "own/create_64MiB", .text = "zone: create, 64 MiB, POSIX", .bytes = 64 * MIB},
    {CREATE, .name = "own/create_256MiB", .text = "zone: create, 256 MiB, POSIX",
     .bytes = 256 * MIB, .flags = BENCH_SLOW},
    {ATTACH, .name = "own/attach_1MiB", .text = "zone: attach and detach, 1 MiB", .bytes = MIB},
    {ATTACH, .name = "own/attach_64MiB", .text = "zone: attach and detach, 64 MiB",
     .bytes = 64 * MIB},
    {REPAIR, .name = "own/repair_1MiB", .text = "zone: repair, 1 MiB, 90 % full", .bytes = MIB},
    {REPAIR, .name = "own/repair_64MiB", .text = "zone: repair, 64 MiB, 90 % full",
     .bytes = 64 * MIB},
    {REPAIR, .name = "own/repair_1GiB", .text = "zone: repair, 1 GiB, 90 % full",
     .bytes = 1024 * MIB, .flags = BENCH_SLOW},
    {REPAIR, .name = "own/repair_4GiB", .text = "zone: repair, 4 GiB, 90 % full",
     .bytes = 4096 * MIB, .flags = BENCH_SLOW},
    {0},
};
