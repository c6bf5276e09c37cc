/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kill/stepper.h"

namespace kill_test {

const char *end_text(End end)
{
    switch (end) {
    case End::KILLED:
        return "killed";
    case End::FINISHED:
        return "finished";
    case End::STRAYED:
        return "took another path than the recorded one";
    case End::BROKEN:
        return "ended by itself (a signal or exit)";
    case End::HUNG:
        return "hung";
    case End::NOT_TRACED:
        return "could not be traced: ptrace is not permitted here";
    }
    return "?";
}

} // namespace kill_test
