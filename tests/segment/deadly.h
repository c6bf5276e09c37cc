/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of segments and zones: a process that dies at its n-th call to the system. */
#ifndef SLM_TESTS_SEGMENT_DEADLY_H
#define SLM_TESTS_SEGMENT_DEADLY_H

#include <csignal>

#include "allocator/segment/sys.h"

namespace slm_test {

inline unsigned n_until_death;

/* Hooks count calls down; the last one kills. */
template <auto Member> struct Deadly;

template <typename Result, typename... Args, Result (*slm_segment_calls::*Member)(Args...)>
struct Deadly<Member> {
    static inline Result (*before)(Args...);

    static Result call(Args... args)
    {
        if (--n_until_death == 0) {
            (void)raise(SIGKILL);
        }
        return before(args...);
    }
    static void install()
    {
        before = slm_segment_sys.*Member;
        slm_segment_sys.*Member = call;
    }
};

template <auto... Members> void make_deadly()
{
    (Deadly<Members>::install(), ...);
}

} // namespace slm_test

#endif
