/* SPDX-License-Identifier: Apache-2.0 */
#include <algorithm>
#include <iterator>

#include "tests/kill/scenario.h"

namespace kill_test {

/* Where the kind of lock decides what is seen of a death: taking it, and giving it back behind
 * changes of each sort. All else is the same under any of them. */
static void add_other_kinds(std::vector<Scenario> *list)
{
    static const char *const names[] = {"alloc: chunk of a partly used span",
                                        "free: run of a page, merged on both sides",
                                        "commit: objects, words, frees and root",
                                        "abort: objects, words, frees and root",
                                        "reset",
                                        "grow: behind an object",
                                        "lock and unlock",
                                        "lock and unlock, the first of a process",
                                        "try and unlock",
                                        "timed lock and unlock",
                                        "the bare lock and unlock"};
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
    expect(made.size() == std::size(names) * std::size(kinds), "an operation of other locks");
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
        add_example_scenes(&made);
        add_other_kinds(&made);
        return made;
    }();
    return list;
}

} // namespace kill_test
