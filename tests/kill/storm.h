/* SPDX-License-Identifier: Apache-2.0 */
/* Storm: processes use one zone or one lock, and are killed at any time. */
#ifndef SLM_TESTS_KILL_STORM_H
#define SLM_TESTS_KILL_STORM_H

#include <cstddef>
#include <cstdint>

namespace kill_test {

struct StormOptions {
    double seconds =
        5; /* at least: the storm lasts until n_kills were made and one victim held the lock */
    uint64_t n_kills = 1;
    unsigned n_processes = 4; /* processes that are killed; two more never are, and must not hang */
    unsigned n_threads = 2;   /* in each process */
    uint64_t seed = 1;
    unsigned pause_us = 500; /* between two kills, on average */
    double hang_s = 60;      /* no progress for so long is a hang */
    bool lock_is_robust =
        true; /* for the lock alone; false: no process takes it over from a dead owner */
};

struct StormResult {
    uint64_t n_kills = 0;
    uint64_t n_operations = 0; /* operations done, or locks taken */
    uint64_t n_checks = 0;
    uint64_t n_copies = 0; /* of the zone, whole */
    uint64_t n_moves = 0;  /* of its content, to a zone that took its place */
    uint64_t n_syncs = 0;
    uint64_t n_trims = 0;      /* that gave memory back */
    uint64_t n_recoveries = 0; /* the zone's count; for the lock alone: owners found dead */
    uint64_t n_undone = 0;
    uint64_t n_finished = 0;
    uint64_t n_hangs = 0;  /* no progress for hang_s */
    uint64_t n_lost = 0;   /* objects or other data not as committed; wake-ups */
    uint64_t n_double = 0; /* objects, or the lock, with two owners */
    double seconds = 0;
    char first_wrong[160] = "";
    bool is_good() const
    {
        return n_hangs == 0 && n_lost == 0 && n_double == 0;
    }
};

/* A waiter that sleeps for longer, while the lock is free or its owner dead, was not woken. */
constexpr double LOST_WAKE_S = 1;

/* Uses objects, trees, lists and growth of a zone; copies, moves, syncs and trims it. Lasts until
 * each of these four was completed once. */
StormResult storm_zone(const StormOptions &options);

/* Uses the lock alone. */
StormResult storm_lock(const StormOptions &options);

} // namespace kill_test

#endif
