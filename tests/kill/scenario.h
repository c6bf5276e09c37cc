/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario: an operation on a zone, and the state in which it is killed. Sweep: kills it at every
 * point and judges each kill. */
#ifndef SLM_TESTS_KILL_SCENARIO_H
#define SLM_TESTS_KILL_SCENARIO_H

#include <climits>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "tests/kill/stepper.h"
#include "tests/kill/world.h"

namespace kill_test {

constexpr int ANY = INT_MIN;

/* What the whole operation changes, which shows that a scenario does what its name claims. ANY: not
 * checked. */
struct Change {
    int objects = 0;
    int free_pages = ANY;
    int kept_pages = ANY;
    int spans = ANY;
};

struct Scenario {
    std::string name;
    Shape shape;
    std::function<void(World &)> prepare; /* runs in the judge, under the lock */
    std::function<void(World &, slm_zone *)> operate;
    Change change;
    /* A first victim leaves this state before operate runs: see scenes_repair.cc. */
    std::function<void(World &)> wound = nullptr;
    bool is_cold = false;  /* the child does not know its identity yet; its path may vary */
    bool is_fresh = false; /* each kill has a new zone, since a grown zone does not shrink */
    bool locks = true;
    size_t stride = 1; /* more than 1 where the path is too long to be killed at all its points */
    /* Runs in the child before its instructions count. Brings it into the state that operate
     * needs. */
    std::function<void(World &, slm_zone *)> enter = nullptr;
    /* Runs under the lock. 0: the data structures in the zone are sound. */
    unsigned (*check)(slm_zone *) = nullptr;
    bool varies = false; /* the path depends on more than the zone: process ids, malloc */
    /* The number of transactions in enter and operate. Each happens as a whole, one after
     * another. */
    size_t n_transactions = 1;
};

/* All scenarios. */
const std::vector<Scenario> &scenarios();

/* The parts of the list. */
void add_alloc_scenes(std::vector<Scenario> *list);
void add_free_scenes(std::vector<Scenario> *list);
void add_zone_scenes(std::vector<Scenario> *list);
void add_tree_scenes(std::vector<Scenario> *list);
void add_lru_scenes(std::vector<Scenario> *list);
void add_repair_scenes(std::vector<Scenario> *list);
void add_copy_scenes(std::vector<Scenario> *list);
void add_reload_scenes(std::vector<Scenario> *list);
void add_move_scenes(std::vector<Scenario> *list);
void add_trim_scenes(std::vector<Scenario> *list);
void add_example_scenes(std::vector<Scenario> *list);

struct Tally {
    size_t n_instructions = 0;
    size_t n_under_lock = 0; /* of these, while the victim held the lock */
    size_t n_killed = 0;
    size_t n_recovered = 0; /* of these, the zone was whole and usable */
    size_t n_undone = 0;    /* of these, recovery undid a transaction */
    size_t n_finished = 0;  /* of these, recovery finished a commit */
    size_t n_stepped = 0;   /* killed by single steps, since the path differed */
    std::string first_wrong;
    bool not_traced = false;
};

/* Kills the operation after 0, every, 2 * every, ... instructions, and after the last
 * instruction. */
Tally sweep(const Scenario &scenario, size_t every);

} // namespace kill_test

#endif
