/* SPDX-License-Identifier: Apache-2.0 */
/* Moves the content of the zone to a longer one with other classes, which takes its place. */
#include <cstring>
#include <unistd.h>

#include "tests/kill/peek.h"
#include "tests/kill/scenario.h"

namespace kill_test {
namespace {

constexpr size_t OBJECT_BYTES = 300;

/* Each victim's own. */
slm_zone_options options;
slm_zone *successor;

/* A new object with the content of that one, which the caller links. */
void *copy_object(slm_journal *journal, const void *from, size_t bytes)
{
    void *p = slm_journal_calloc(journal, bytes);
    if (p != nullptr) {
        memcpy(p, from, bytes);
    }
    return p;
}

/* In two transactions. answer: what it returns when all is copied. */
slm_status move(slm_zone *to, slm_zone *from, void *answer)
{
    slm_journal *journal = slm_zone_journal(to);
    const auto *old_top = static_cast<const Top *>(slm_zone_root_locked(from));
    const void *old_object = slm_journal_pointer(slm_zone_journal(from), old_top->first);
    auto *top = static_cast<Top *>(copy_object(journal, old_top, sizeof(Top)));
    if (top == nullptr || slm_zone_set_root_locked(to, top) != SLM_OK ||
        slm_zone_commit_locked(to) != SLM_OK) {
        return SLM_E_NOMEM;
    }
    void *object = copy_object(journal, old_object, OBJECT_BYTES);
    slm_journal_write(journal, &top->first, slm_journal_offset(journal, object));
    return *static_cast<slm_status *>(answer);
}

void make_successor(slm_zone *zone, slm_status *answer)
{
    static const std::string name = "kill_" + std::to_string(getppid());
    options.name = slm_zone_name(zone);
    options.bytes = options.max_bytes = 96 * 1024;
    options.slab.per_doubling = 4;
    options.segment.kind = SLM_SEGMENT_POSIX;
    options.segment.name = name.c_str();
    options.move = move;
    options.move_data = answer;
    expect(kill_peek_make_successor(&successor, &options) == SLM_OK, "a successor");
}

void prepare(World &world)
{
    slm_zone *zone = world.ours();
    world.make_top();
    size_t object = world.get(OBJECT_BYTES);
    slm_journal *journal = slm_zone_journal(zone);
    slm_journal_write(journal, &world.top(zone)->first,
                      slm_journal_offset(journal, world.at(zone, object)));
    world.commit();
}

unsigned check_object(slm_zone *zone)
{
    const auto *top = static_cast<const Top *>(slm_zone_root_locked(zone));
    const auto *object =
        static_cast<const unsigned char *>(slm_journal_pointer(slm_zone_journal(zone), top->first));
    for (size_t i = 0; i < OBJECT_BYTES; i++) {
        if (object[i] != 1) { /* the content of the first object that the world makes */
            return 1;
        }
    }
    return 0;
}

Scenario scene(const char *name, slm_status answer, Change change)
{
    Scenario scenario;
    scenario.name = name;
    scenario.shape = {64 * 1024, 64 * 1024, 1, 192};
    scenario.shape.kind = SLM_SEGMENT_POSIX;
    scenario.prepare = prepare;
    scenario.enter = [answer](World &, slm_zone *zone) {
        static slm_status of_move;
        of_move = answer;
        make_successor(zone, &of_move);
    };
    scenario.operate = [answer](World &, slm_zone *zone) {
        expect(kill_peek_move(zone, successor, &options) == answer, "a move");
    };
    scenario.change = change;
    scenario.check = check_object;
    scenario.is_fresh = true;
    scenario.varies = true; /* the path depends on malloc and on descriptors */
    return scenario;
}

} // namespace

void add_move_scenes(std::vector<Scenario> *list)
{
    list->push_back(scene("move: to a longer zone", SLM_OK, {0, ANY, ANY, ANY}));
    list->push_back(scene("move: takes all back", SLM_E_STATE, {0, ANY, ANY, ANY}));
}

} // namespace kill_test
