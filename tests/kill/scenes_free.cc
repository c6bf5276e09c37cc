/* SPDX-License-Identifier: Apache-2.0 */
/* Releases of each kind. Objects of one kind that are allocated in turn lie next to each other. */
#include "tests/kill/scenario.h"

namespace kill_test {
namespace {

using Act = std::function<void(World &, slm_zone *)>;

/* The commit of a turn frees what the journal notes; a call alone frees at once. */
using Free = Act(size_t idx);

Act free_in_turn(size_t idx)
{
    return [idx](World &world, slm_zone *zone) {
        if (slm_zone_lock(zone) == SLM_OK) {
            (void)slm_journal_free(slm_zone_journal(zone), world.at(zone, idx));
            (void)slm_zone_unlock(zone);
        }
    };
}

Act free_alone(size_t idx)
{
    return [idx](World &world, slm_zone *zone) { (void)slm_zone_free(zone, world.at(zone, idx)); };
}

std::function<void(World &)> get_of(size_t n, size_t bytes)
{
    return [n, bytes](World &world) {
        for (size_t i = 0; i < n; i++) {
            world.get(bytes);
        }
    };
}

void add_chunks(std::vector<Scenario> *list, Free *free_object)
{
    list->push_back(
        {"free: chunk of a partly used span", {}, get_of(3, 512), free_object(1), {-1, 0, 0, 0}});
    list->push_back(
        {"free: chunk of a full span", {}, get_of(2, 2048), free_object(0), {-1, 0, 0, 0}});
    list->push_back(
        {"free: last chunk, the span is kept", {}, get_of(1, 512), free_object(0), {-1, 0, 1, 0}});
    list->push_back({"free: only chunk of a full span, which is kept",
                     {96 * 1024, 0, 8, 192},
                     get_of(1, 4096),
                     free_object(0),
                     {-1, 0, 1, 0}});
}

/*
 * Pages:  [0 kept span][1 run][2 the span][3 run][4 run][5 .. free]
 * Objects: 0 and 1, gone; 2 run, 3 the span's only chunk, 4 run, 5 run.
 */
void lay_out_span(World &world, bool free_before, bool free_after)
{
    world.get(2048);
    world.get(2048);
    world.get(4096);
    world.get(2048);
    world.get(4096);
    world.get(4096);
    world.put(0);
    world.put(1);
    if (free_before) {
        world.put(2);
    }
    if (free_after) {
        world.put(4);
    }
}

/* A run of n_pages between others of the same length: objects 0 to 4, and the middle one is
 * freed. */
void lay_out_runs(World &world, size_t n_pages, bool free_before, bool free_after)
{
    get_of(5, n_pages * 4096)(world);
    if (free_before) {
        world.put(1);
    }
    if (free_after) {
        world.put(3);
    }
}

/* Four merges: with no neighbour, the one before, the one after, both. */
void add_merges(std::vector<Scenario> *list, Free *free_object, const std::string &name, size_t idx,
                const std::function<void(World &, bool, bool)> &lay_out, Change change)
{
    const struct {
        const char *name;
        bool before;
        bool after;
    } ways[] = {
        {"merged with nothing", false, false},
        {"merged before", true, false},
        {"merged after", false, true},
        {"merged on both sides", true, true},
    };
    for (const auto &way : ways) {
        bool before = way.before;
        bool after = way.after;
        list->push_back({"free: " + name + ", " + way.name,
                         {},
                         [=](World &world) { lay_out(world, before, after); },
                         free_object(idx),
                         change});
    }
}

void add_frees(std::vector<Scenario> *list, Free *free_object)
{
    add_chunks(list, free_object);
    add_merges(list, free_object, "last chunk of a spare span", 3, lay_out_span, {-1, 1, 0, -1});
    for (size_t n_pages : {1u, 2u}) {
        auto lay_out = [n_pages](World &world, bool before, bool after) {
            lay_out_runs(world, n_pages, before, after);
        };
        std::string name = n_pages == 1 ? "run of a page" : "run of two pages";
        add_merges(list, free_object, name, 2, lay_out, {-1, static_cast<int>(n_pages), 0, 0});
    }
    list->push_back({"free: refused, already free",
                     {},
                     [](World &world) {
                         world.get(512);
                         world.put(world.get(512));
                     },
                     free_object(1),
                     {0, 0, 0, 0}});
}

} // namespace

void add_free_scenes(std::vector<Scenario> *list)
{
    add_frees(list, free_in_turn);
    size_t n_before = list->size();
    add_frees(list, free_alone);
    for (size_t i = n_before; i < list->size(); i++) {
        (*list)[i].name += ", alone";
    }
}

} // namespace kill_test
