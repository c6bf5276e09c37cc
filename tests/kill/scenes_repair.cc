/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery itself is killed: a first victim leaves a state, and the process that repairs it
 * dies. */
#include "tests/kill/peek.h"
#include "tests/kill/scenario.h"

namespace kill_test {
namespace {

/* Returns whether the first victim dies here. Reads our mapping between two of the victim's
 * instructions. */
using Moment = std::function<bool(World &)>;

Moment noted(unsigned n_entries)
{
    return [n_entries](World &world) { return kill_peek_n_entries(world.ours()) >= n_entries; };
}

bool has_unnoted_object(World &world)
{
    return kill_peek_has_unnoted_object(world.ours());
}

bool is_committed(World &world)
{
    return kill_peek_is_committed(world.ours());
}

/* A committed release was carried out according to page words and bits. */
Moment is_gone(size_t idx)
{
    return [idx](World &world) {
        return is_committed(world) && !kill_peek_is_live(world.ours(), world.at(world.ours(), idx));
    };
}

/* A call alone has freed it. */
Moment is_gone_alone(size_t idx)
{
    return [idx](World &world) {
        return !kill_peek_is_live(world.ours(), world.at(world.ours(), idx));
    };
}

bool root_is_gone(World &world)
{
    return is_committed(world) && slm_zone_root_locked(world.ours()) == nullptr;
}

bool lists_are_gone(World &world)
{
    return is_committed(world) && kill_peek_n_free_pages(world.ours()) == 0;
}

bool zone_is_longer(World &world)
{
    struct slm_zone_stats stats;
    slm_zone_get_stats(world.ours(), &stats);
    return stats.bytes > 64 * 1024;
}

bool slab_is_longer(World &world)
{
    slm_zone *zone = world.ours();
    return slm_slab_used_bytes(slm_zone_slab(zone)) > 64 * 1024;
}

/* The first victim executes n_more instructions after the moment, then dies. */
struct Death {
    const char *name;
    const char *operation;
    Moment moment;
    size_t n_more;
};

void die_first(World &world, const Scenario &of, const Death &death)
{
    bool has_come = false;
    size_t n_left = steps_in(death.n_more);
    auto visit = [&](size_t, pid_t) {
        has_come = has_come || death.moment(world);
        return has_come && n_left-- == 0;
    };
    Way way;
    Operation operation = {[] { (void)slm_lock_self(); },
                           [&] { of.operate(world, world.theirs()); }};
    End end = record(operation, visit, &way);
    expect(end == End::KILLED || end == End::NOT_TRACED, "the first victim lives");
}

/* Locks by trylock, which checks the owner at once. A lock would spin first. */
void repair(World &, slm_zone *zone)
{
    if (slm_zone_trylock(zone) == SLM_OK) {
        (void)slm_zone_unlock(zone);
    }
}

const Scenario &find(const std::vector<Scenario> &list, const std::string &name)
{
    for (const Scenario &scenario : list) {
        if (scenario.name == name) {
            return scenario;
        }
    }
    expect(false, name.c_str());
    return list.front();
}

std::vector<Death> deaths()
{
    const char *frees = "commit: several frees";
    const char *much = "commit: objects, words, frees and root";
    const char *merge = "free: last chunk of a spare span, merged on both sides";
    const char *alone = "free: last chunk of a spare span, merged on both sides, alone";
    return {
        {"of an allocation: not noted", "alloc: first chunk of a class", has_unnoted_object, 0},
        {"of an allocation: noted", "alloc: first chunk of a class", noted(1), 0},
        {"of an allocation alone", "alloc: first chunk of a class, alone", has_unnoted_object, 0},
        {"of an allocation: a run, not noted", "alloc: run after a trim", has_unnoted_object, 0},
        {"of an insertion half done", "tree insert: double rotation left", noted(10), 0},
        {"of a deletion half done", "tree delete: black leaf, sibling red, on the left", noted(14),
         0},
        {"of a transaction of all kinds", much, noted(10), 0},
        {"of an abort half done", "abort: objects, words, frees and root", noted(10), 250},
        {"of a commit, nothing carried out", frees, is_committed, 0},
        {"of a commit, one of five carried out", frees, is_gone(0), 0},
        {"of a commit, three of five carried out", frees, is_gone(3), 0},
        {"of a commit, all carried out", frees, is_gone(6), 8},
        {"of a merge on both sides, begun", merge, is_gone(3), 0},
        {"of a merge on both sides, half done", merge, is_gone(3), 12},
        {"of a merge alone, begun", alone, is_gone_alone(3), 0},
        {"of a merge alone, half done", alone, is_gone_alone(3), 12},
        {"of a reset: committed", "reset", is_committed, 0},
        {"of a reset: without root", "reset", root_is_gone, 0},
        {"of a reset: lists forgotten", "reset", lists_are_gone, 20},
        {"of growth: the zone is longer", "grow: after a free run", zone_is_longer, 0},
        {"of growth: the slab is longer", "grow: after a free run", slab_is_longer, 0},
        {"of growth: the new pages half merged", "grow: after a free run", slab_is_longer, 15},
    };
}

} // namespace

void add_repair_scenes(std::vector<Scenario> *list)
{
    std::vector<Scenario> made;
    for (const Death &death : deaths()) {
        Scenario of = find(*list, death.operation);
        Scenario scenario = of;
        scenario.name = std::string("repair ") + death.name;
        scenario.operate = repair;
        scenario.change = {0, ANY, ANY, ANY};
        scenario.wound = [of, death](World &world) { die_first(world, of, death); };
        made.push_back(scenario);
    }
    list->insert(list->end(), made.begin(), made.end());
}

} // namespace kill_test
