/* SPDX-License-Identifier: Apache-2.0 */
#include <algorithm>
#include <iterator>

#include "tests/kill/scenario.h"

namespace kill_test {

/* The scenarios in which the kind of lock decides what others see of a death: taking the lock, and
 * releasing it after changes of each sort. All other scenarios are the same with each kind of
 * lock. */
static void add_other_kinds(std::vector<Scenario> *list)
{
    static const char *const names[] = {"alloc: chunk of a partly used span",
                                        "free: run of a page, merged on both sides",
                                        "commit: objects, words, frees and root",
                                        "abort: objects, words, frees and root",
                                        "reset",
                                        "grow: after an object",
                                        "lock and unlock",
                                        "lock and unlock, first use in a process",
                                        "trylock and unlock",
                                        "timedlock and unlock",
                                        "lock and unlock of the bare lock"};
    static const struct {
        slm_lock_kind kind;
        const char *suffix;
    } kinds[] = {{SLM_LOCK_SPIN_SEM, ", spin_sem"}, {SLM_LOCK_FILE, ", file lock"}};
    std::vector<Scenario> made;
    for (const Scenario &scenario : *list) {
        bool is_wanted =
            std::find(std::begin(names), std::end(names), scenario.name) != std::end(names);
        for (const auto &other : kinds) {
            if (is_wanted) {
                made.push_back(scenario);
                made.back().name += other.suffix;
                made.back().shape.lock = other.kind;
            }
        }
    }
    expect(made.size() == std::size(names) * std::size(kinds),
           "an operation for each other kind of lock");
    list->insert(list->end(), made.begin(), made.end());
}

const std::vector<Scenario> &scenarios()
{
    static const std::vector<Scenario> list = [] {
        std::vector<Scenario> made;
        add_alloc_scenes(&made);
        add_free_scenes(&made);
        add_zone_scenes(&made);
        add_tree_scenes(&made);
        add_lru_scenes(&made);
        add_repair_scenes(&made);
        add_reload_scenes(&made);
        add_move_scenes(&made);
        add_trim_scenes(&made);
        add_copy_scenes(&made);
        add_example_scenes(&made);
        add_other_kinds(&made);
        return made;
    }();
    return list;
}

} // namespace kill_test
