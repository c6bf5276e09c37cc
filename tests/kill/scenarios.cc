/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kill/scenario.h"

namespace kill_test {

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
        return made;
    }();
    return list;
}

} // namespace kill_test
