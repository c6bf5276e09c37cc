/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario: an operation on a zone, and the state it is killed in. Sweep: all its kills, judged. */
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

/* What the whole operation changes, so that a scenario is what its name says; ANY: not told. */
struct Change {
    int objects = 0;
    int free_pages = ANY;
    int kept_pages = ANY;
    int spans = ANY;
};

struct Scenario {
    std::string name;
    Shape shape;
    std::function<void(World &)> prepare; /* in the judge, under the lock */
    std::function<void(World &, slm_zone *)> operate;
    Change change;
    /* Left in this state by a first victim, before operate: see scenes_repair.cc. */
    std::function<void(World &)> wound = nullptr;
    bool is_cold = false;  /* the child does not know its identity yet; its way may vary */
    bool is_fresh = false; /* a new zone for each kill: what grew does not shrink */
    bool locks = true;
    size_t stride = 1; /* where the way is too long to be killed at all its points */
    /* In the child, before its instructions count: what it needs to be. */
    std::function<void(World &, slm_zone *)> enter = nullptr;
    /* Under the lock; 0: what the zone's user built in it is whole. */
    unsigned (*check)(slm_zone *) = nullptr;
    bool varies = false; /* its way depends on more than the zone: process ids, malloc */
    /* Of enter and operate; each happens as a whole, one after the other. */
    size_t n_transactions = 1;
};

/* All of them. */
const std::vector<Scenario> &scenarios();

/* The parts of the list. */
void add_alloc_scenes(std::vector<Scenario> *list);
void add_free_scenes(std::vector<Scenario> *list);
void add_zone_scenes(std::vector<Scenario> *list);
void add_tree_scenes(std::vector<Scenario> *list);
void add_lru_scenes(std::vector<Scenario> *list);
void add_repair_scenes(std::vector<Scenario> *list);
void add_example_scenes(std::vector<Scenario> *list);

struct Tally {
    size_t n_instructions = 0;
    size_t n_under_lock = 0; /* of these, with the lock in hand */
    size_t n_killed = 0;
    size_t n_recovered = 0; /* of these, the zone was whole and worked on */
    size_t n_undone = 0;    /* of these, recovery undid a transaction */
    size_t n_finished = 0;  /* of these, recovery finished a commit */
    size_t n_stepped = 0;   /* killed after single steps, since the way was another one */
    std::string first_wrong;
    bool not_traced = false;
};

/* Kills the operation after 0, every, 2 * every, ... instructions, and after the last. */
Tally sweep(const Scenario &scenario, size_t every);

} // namespace kill_test

#endif
