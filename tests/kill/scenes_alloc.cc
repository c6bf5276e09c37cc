/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations of each kind. In a zone with size classes of powers of two, objects up to 2048 bytes
 * are chunks. */
#include <cstring>

#include "tests/kill/scenario.h"

namespace kill_test {
namespace {

using Act = std::function<void(World &, slm_zone *)>;

const Shape FINE = {512 * 1024, 0, 8, 192}; /* eight classes per doubling: spans of many pages */

/* An allocation in a turn is noted in the journal; a call alone is not. */
using Alloc = Act(size_t bytes);

Act alloc_in_turn(size_t bytes)
{
    return [bytes](World &, slm_zone *zone) {
        if (slm_zone_lock(zone) == SLM_OK) {
            (void)slm_journal_alloc(slm_zone_journal(zone), bytes);
            (void)slm_zone_unlock(zone);
        }
    };
}

Act alloc_alone(size_t bytes)
{
    return [bytes](World &, slm_zone *zone) { (void)slm_zone_alloc(zone, bytes, nullptr); };
}

void get_one_of_512(World &world)
{
    world.get(512);
}

void get_one_of_2048(World &world)
{
    world.get(2048);
}

void keep_a_span(World &world)
{
    world.put(world.get(512));
}

/* Leaves runs of one page: used, free, used, ... */
void leave_holes(World &world)
{
    for (int i = 0; i < 6; i++) {
        world.get(8192);
    }
    world.put(1);
    world.put(3);
}

void add_chunks(std::vector<Scenario> *list, Alloc *alloc)
{
    list->push_back(
        {"alloc: chunk of a partly used span", {}, get_one_of_512, alloc(512), {1, 0, 0, 0}});
    list->push_back(
        {"alloc: the chunk that fills a span", {}, get_one_of_2048, alloc(2048), {1, 0, 0, 0}});
    list->push_back(
        {"alloc: first chunk of a class", {}, get_one_of_512, alloc(128), {1, -1, 0, 1}});
    list->push_back({"alloc: chunk of the kept span", {}, keep_a_span, alloc(512), {1, 0, -1, 0}});
    /* A second span, after a full one. */
    list->push_back({"alloc: chunk of a second span",
                     {},
                     [](World &world) {
                         world.get(2048);
                         world.get(2048);
                     },
                     alloc(2048),
                     {1, -1, 0, 1}});
    list->push_back({"alloc: first chunk of a class with long spans",
                     FINE,
                     get_one_of_512,
                     alloc(3000),
                     {1, -3, 0, 1}});
    list->push_back({"alloc: chunk borrowed from a larger class",
                     FINE,
                     [](World &world) {
                         world.get(112);
                         world.fill(0);
                     },
                     alloc(96),
                     {1, 0, 0, 0}});
    list->push_back({"alloc: first chunk of a class, in a kept span of another",
                     {},
                     [](World &world) {
                         keep_a_span(world);
                         world.fill(0);
                     },
                     alloc(64),
                     {1, 0, -1, 0}});
}

void add_runs(std::vector<Scenario> *list, Alloc *alloc)
{
    list->push_back(
        {"alloc: run cut from a longer one", {}, get_one_of_512, alloc(5000), {1, -2, 0, 0}});
    list->push_back(
        {"alloc: run that fits a hole exactly", {}, leave_holes, alloc(8192), {1, -2, 0, 0}});
    list->push_back({"alloc: run after a trim",
                     {},
                     [](World &world) {
                         keep_a_span(world);
                         world.fill(0);
                     },
                     alloc(4096),
                     {1, 0, -1, -1}});
}

void add_refusals(std::vector<Scenario> *list, Alloc *alloc)
{
    list->push_back(
        {"alloc: refused run", {}, [](World &world) { world.fill(1); }, alloc(8192), {0, 0, 0, 0}});
    list->push_back({"alloc: refused chunk",
                     {},
                     [](World &world) { world.fill(0); },
                     alloc(512),
                     {0, 0, 0, 0}});
    list->push_back({"alloc: refused after a trim",
                     {},
                     [](World &world) {
                         keep_a_span(world);
                         world.fill(0);
                     },
                     alloc(8192),
                     {0, 1, -1, -1}});
}

void add_others(std::vector<Scenario> *list)
{
    /* The chunk was used before: its old contents must not be visible. */
    list->push_back({"alloc: calloc",
                     {},
                     [](World &world) {
                         world.get(512);
                         world.put(world.get(512));
                     },
                     [](World &, slm_zone *zone) { (void)slm_zone_calloc(zone, 500, nullptr); },
                     {1, 0, 0, 0}});
    list->push_back({"alloc: memalign",
                     {},
                     get_one_of_512,
                     [](World &, slm_zone *zone) {
                         if (slm_zone_lock(zone) == SLM_OK) {
                             (void)slm_journal_memalign(slm_zone_journal(zone), 1024, 100);
                             (void)slm_zone_unlock(zone);
                         }
                     },
                     {1, -1, 0, 1}});
    list->push_back({"alloc: object that the root leads to",
                     {},
                     [](World &world) { world.make_top(); },
                     [](World &world, slm_zone *zone) {
                         if (slm_zone_lock(zone) != SLM_OK) {
                             return;
                         }
                         slm_journal *journal = slm_zone_journal(zone);
                         void *p = slm_journal_alloc(journal, 64);
                         memset(p, 0x5a, 64);
                         slm_journal_write(journal, &world.top(zone)->first,
                                           slm_journal_offset(journal, p));
                         (void)slm_zone_unlock(zone);
                     },
                     {1, ANY, ANY, ANY}});
}

} // namespace

void add_alloc_scenes(std::vector<Scenario> *list)
{
    add_chunks(list, alloc_in_turn);
    add_runs(list, alloc_in_turn);
    add_refusals(list, alloc_in_turn);
    add_others(list);
    size_t n_before = list->size();
    add_chunks(list, alloc_alone);
    add_runs(list, alloc_alone);
    add_refusals(list, alloc_alone);
    for (size_t i = n_before; i < list->size(); i++) {
        (*list)[i].name += ", alone";
    }
}

} // namespace kill_test
