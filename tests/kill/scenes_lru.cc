/* SPDX-License-Identifier: Apache-2.0 */
/* Lists: each call for the newest node, the oldest, one between and the only one. */
#include "tests/kill/scenario.h"

namespace kill_test {
namespace {

using Verb = slm_status (*)(slm_journal *, slm_lru *, slm_lru_node *);

/* Items 0 to n - 1 in tree and list, of which 0 is the oldest. The last item is in neither. */
std::function<void(World &)> list_of(size_t n)
{
    return [n](World &world) {
        world.make_top();
        for (size_t i = 0; i < n; i++) {
            world.link_item(world.make_item(i));
        }
        world.make_item(n);
    };
}

void add(std::vector<Scenario> *list, const char *name, size_t n, Verb verb, size_t idx)
{
    auto act = [verb, idx](World &world, slm_zone *zone) {
        if (slm_zone_lock(zone) == SLM_OK) {
            (void)verb(slm_zone_journal(zone), &world.top(zone)->lru, &world.item(zone, idx)->used);
            (void)slm_zone_unlock(zone);
        }
    };
    list->push_back({std::string("lru ") + name, {}, list_of(n), act, {0, 0, 0, 0}});
}

} // namespace

void add_lru_scenes(std::vector<Scenario> *list)
{
    add(list, "insert: into an empty list", 0, slm_lru_insert, 0);
    add(list, "insert: in front of others", 3, slm_lru_insert, 3);
    add(list, "insert oldest: into an empty list", 0, slm_lru_insert_oldest, 0);
    add(list, "insert oldest: after others", 3, slm_lru_insert_oldest, 3);
    add(list, "remove: the only one", 1, slm_lru_remove, 0);
    add(list, "remove: the newest", 3, slm_lru_remove, 2);
    add(list, "remove: the oldest", 3, slm_lru_remove, 0);
    add(list, "remove: one between", 3, slm_lru_remove, 1);
    add(list, "touch: the only one", 1, slm_lru_touch, 0);
    add(list, "touch: the newest", 3, slm_lru_touch, 2);
    add(list, "touch: the oldest", 3, slm_lru_touch, 0);
    add(list, "touch: one between", 3, slm_lru_touch, 1);
}

} // namespace kill_test
