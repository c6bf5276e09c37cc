/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of moves: a process is killed at each step of one. */
#ifndef SLM_TESTS_ZONE_MOVE_STEPS_H
#define SLM_TESTS_ZONE_MOVE_STEPS_H

#include "tests/segment/hooks.h"
#include "tests/zone/move_fixture.h"

extern "C" {
#include "allocator/base/yield.h"
}

namespace slm_test {

/* The step, counted from 1, at which the process is killed; 0: none. */
struct Steps {
    unsigned n = 0;
    unsigned kill_at = 0;
};

inline Steps steps;

inline void take_step(const char *)
{
    if (++steps.n == steps.kill_at) {
        (void)raise(SIGKILL);
    }
}

template <auto Member> struct Stepping;

template <typename Result, typename... Args, Result (*slm_segment_calls::*Member)(Args...)>
struct Stepping<Member> {
    static Result call(Args... args)
    {
        take_step("");
        return (faults.real.*Member)(args...);
    }
};

/* Each access to memory that processes share is a step, and each call that changes a file. */
inline void begin_steps(unsigned kill_at)
{
    using C = slm_segment_calls;
    steps = {0, kill_at};
    faults = Faults{};
    slm_segment_sys.open = Stepping<&C::open>::call;
    slm_segment_sys.close = Stepping<&C::close>::call;
    slm_segment_sys.unlink = Stepping<&C::unlink>::call;
    slm_segment_sys.link = Stepping<&C::link>::call;
    slm_segment_sys.rename_over = Stepping<&C::rename_over>::call;
    slm_segment_sys.flock = Stepping<&C::flock>::call;
    slm_segment_sys.fchmod = Stepping<&C::fchmod>::call;
    slm_segment_sys.fallocate = Stepping<&C::fallocate>::call;
    slm_segment_sys.ftruncate = Stepping<&C::ftruncate>::call;
    slm_segment_sys.msync = Stepping<&C::msync>::call;
    slm_segment_sys.munmap = Stepping<&C::munmap>::call;
    slm_yield_hook = take_step;
}

} // namespace slm_test

#endif
