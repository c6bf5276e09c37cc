/* SPDX-License-Identifier: Apache-2.0 */
/* A reload that makes the zone longer, brings its content forward and changes it. */
#include "tests/kill/scenario.h"

extern "C" {
#include <slabmill/zone_set.h>
}

namespace kill_test {
namespace {

/* The master's; each victim has its own copy. */
slm_zone_set *set;

constexpr uint32_t OLD_VERSION = 0;
constexpr uint32_t NEW_VERSION = 1;

/* An object at `first` is content of the new version. */
slm_status bring_forward(slm_zone *zone, uint32_t, void *)
{
    slm_journal *journal = slm_zone_journal(zone);
    auto *top = static_cast<Top *>(slm_zone_root_locked(zone));
    void *p = slm_journal_calloc(journal, 300);
    return p == nullptr ? SLM_E_NOMEM
                        : slm_journal_write(journal, &top->first, slm_journal_offset(journal, p));
}

unsigned check_version(slm_zone *zone)
{
    struct slm_zone_stats stats;
    const auto *top = static_cast<const Top *>(slm_zone_root_locked(zone));
    slm_zone_get_stats(zone, &stats);
    return stats.content_version == (top->first == 0 ? OLD_VERSION : NEW_VERSION) ? 0 : 1;
}

slm_status init(slm_zone *zone, bool is_reused, void *answer)
{
    if (is_reused) {
        (void)slm_journal_calloc(slm_zone_journal(zone), 5000);
    }
    return *static_cast<slm_status *>(answer);
}

slm_zone_declaration declare(const char *name, size_t bytes, slm_status *answer)
{
    slm_zone_declaration declaration = {};
    declaration.options.name = name;
    declaration.options.bytes = bytes;
    declaration.options.segment.kind = SLM_SEGMENT_MEMFD;
    declaration.options.content_version = NEW_VERSION;
    declaration.options.upgrade = bring_forward;
    declaration.init = init;
    declaration.data = answer;
    return declaration;
}

void enter(World &, slm_zone *zone)
{
    expect(slm_zone_set_create(&set) == SLM_OK && slm_zone_set_adopt(set, zone) == SLM_OK,
           "a set with the zone");
}

/* answer: of the callbacks. */
void reload(slm_status answer)
{
    const slm_zone_declaration declarations[] = {declare("kill", 112 * 1024, &answer)};
    (void)slm_zone_set_apply(set, declarations, 1, nullptr);
}

Scenario scene(const char *name, slm_status answer, Change change)
{
    Scenario scenario;
    scenario.name = name;
    scenario.shape = {64 * 1024, 128 * 1024, 1, 192};
    scenario.prepare = [](World &world) {
        world.make_top();
        world.get(2048);
    };
    scenario.enter = enter;
    scenario.operate = [answer](World &, slm_zone *) { reload(answer); };
    scenario.change = change;
    scenario.check = check_version;
    scenario.is_fresh = true;
    scenario.varies = true;      /* the path depends on malloc and on descriptors */
    scenario.n_transactions = 2; /* the callbacks, then the growth */
    scenario.stride = 5;         /* the most is done before the lock */
    return scenario;
}

} // namespace

void add_reload_scenes(std::vector<Scenario> *list)
{
    list->push_back(scene("reload: grows, upgrades and adds", SLM_OK, {2, ANY, ANY, ANY}));
    list->push_back(scene("reload: takes all back", SLM_E_STATE, {0, ANY, ANY, ANY}));
}

} // namespace kill_test
