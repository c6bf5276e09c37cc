/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of the storm's zone, made while other processes use it and are killed. */
#include <string>
#include <unistd.h>

#include "tests/kill/storm_priv.h"

extern "C" {
#include <slabmill/zone_copy.h>
}

namespace kill_test {
namespace {

std::string name_of(pid_t supervisor, unsigned slot)
{
    return "kill_storm_" + std::to_string(supervisor) + "_" + std::to_string(slot);
}

slm_segment_options place_of(const std::string &name)
{
    slm_segment_options place = {};
    place.kind = SLM_SEGMENT_POSIX;
    place.name = name.c_str();
    return place;
}

void check_file(const std::string &name, Shared *shared)
{
    slm_error error;
    slm_zone *copy = nullptr;
    slm_zone_attach_options attach = {};
    attach.segment = place_of(name);
    attach.check = true;
    if (slm_zone_attach(&copy, &attach, &error) != SLM_OK) {
        count_wrong(shared, error.text, false);
        return;
    }
    check_copy(copy, shared);
    slm_zone_detach(copy);
    __atomic_fetch_add(&shared->n_copies, 1, __ATOMIC_RELAXED);
}

} // namespace

/* Another thread may make a copy at this time, change the zone too fast, or move its content. */
void copy_zone(slm_zone *zone, Shared *shared, unsigned slot)
{
    slm_error error;
    std::string name = name_of(getppid(), slot);
    slm_segment_options to = place_of(name);
    (void)slm_segment_remove(&to, nullptr); /* the slot's last thread may have left it */
    slm_status status = slm_zone_copy(zone, &to, nullptr, &error);
    if (status == SLM_OK) {
        check_file(name, shared);
    } else if (status != SLM_E_LOCKED && status != SLM_E_TIMEOUT && status != SLM_E_REPLACED) {
        count_wrong(shared, error.text, false);
    }
    (void)slm_segment_remove(&to, nullptr);
}

void remove_copies()
{
    for (unsigned slot = 0; slot < N_SLOTS; slot++) {
        std::string name = name_of(getpid(), slot);
        slm_segment_options place = place_of(name);
        (void)slm_segment_remove(&place, nullptr);
    }
}

} // namespace kill_test
