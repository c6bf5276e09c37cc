/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that goes back to the system, and is taken again. */
#include <cstring>

#include "tests/kill/scenario.h"

namespace kill_test {
namespace {

/* Free runs of several lengths, and a span that is empty. */
void leave_holes(World &world)
{
    world.make_top();
    for (size_t bytes : {2048u, 8192u, 512u, 20000u, 4096u, 64u}) {
        world.get(bytes);
    }
    for (size_t idx : {1u, 2u, 3u}) {
        world.put(idx);
    }
}

void trim(World &, slm_zone *zone)
{
    expect(slm_zone_trim(zone, nullptr, nullptr) == SLM_OK, "a trim");
}

void alloc(World &, slm_zone *zone)
{
    slm_journal *journal = slm_zone_journal(zone);
    if (slm_zone_lock(zone) == SLM_OK) {
        memset(slm_journal_alloc(journal, 9000), 0x55, 16);
        memset(slm_journal_alloc(journal, 300), 0x33, 16);
        (void)slm_zone_unlock(zone);
    }
}

} // namespace

void add_trim_scenes(std::vector<Scenario> *list)
{
    Scenario trimming = {"trim", {}, leave_holes, trim, {0, ANY, ANY, ANY}};
    trimming.varies = true; /* it looks at the clock */
    list->push_back(trimming);
    Scenario taking = {
        "alloc: in a zone that was trimmed", {}, leave_holes, alloc, {2, ANY, ANY, ANY}};
    taking.enter = trim;
    list->push_back(taking);
}

} // namespace kill_test
