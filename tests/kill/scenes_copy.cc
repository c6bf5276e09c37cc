/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of the zone: a transaction while one is made, and making one. */
#include <cstring>
#include <unistd.h>

#include "tests/kill/peek.h"
#include "tests/kill/scenario.h"

extern "C" {
#include <slabmill/zone_copy.h>
}

namespace kill_test {
namespace {

void get_some(World &world)
{
    world.make_top();
    for (size_t bytes : {2048u, 2048u, 512u, 8192u, 4096u, 64u}) {
        world.get(bytes);
    }
}

/* A name that goes when the judge ends. Victims do not run destructors. */
struct Name {
    std::string text = "kill_copy_" + std::to_string(getpid());
    ~Name()
    {
        remove();
    }
    void remove() const
    {
        (void)unlink(("/dev/shm/" + text).c_str());
    }
};

const Name &copy_name()
{
    static const Name name;
    return name;
}

/* The judge makes the copy, and it lives: the victim's commit marks. */
void begin_copy(World &world)
{
    get_some(world);
    kill_peek_begin_copy(world.ours());
}

void change(World &world, slm_zone *zone)
{
    slm_journal *journal = slm_zone_journal(zone);
    if (slm_zone_lock(zone) != SLM_OK) {
        return;
    }
    void *p = slm_journal_alloc(journal, 100);
    memset(p, 0x33, 100);
    slm_journal_write(journal, static_cast<uint64_t *>(world.at(zone, 1)), 77);
    (void)slm_journal_free(journal, world.at(zone, 2));
    (void)slm_journal_free(journal, world.at(zone, 3));
    void *run = slm_journal_alloc(journal, 5000);
    memset(run, 0x55, 16);
    (void)slm_zone_unlock(zone);
}

void lock_once(World &, slm_zone *zone)
{
    if (slm_zone_lock(zone) == SLM_OK) {
        (void)slm_zone_unlock(zone);
    }
}

void copy(World &, slm_zone *zone)
{
    slm_segment_options to{};
    to.kind = SLM_SEGMENT_POSIX;
    to.name = copy_name().text.c_str();
    expect(slm_zone_copy(zone, &to, nullptr, nullptr) == SLM_OK, "a copy");
}

} // namespace

void add_copy_scenes(std::vector<Scenario> *list)
{
    Scenario marking = {"commit: while a copy is made", {}, begin_copy, change, {0, ANY, ANY, ANY}};
    marking.enter = lock_once; /* the first look reads /proc */
    list->push_back(marking);
    (void)copy_name();
    Scenario copying = {"copy: to a POSIX segment", {}, get_some, copy, {0, 0, 0, 0}};
    copying.enter = [](World &, slm_zone *) { copy_name().remove(); };
    copying.stride = 31;
    copying.varies = true;
    list->push_back(copying);
}

} // namespace kill_test
