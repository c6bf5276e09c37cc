/* SPDX-License-Identifier: Apache-2.0 */
/* Stepper: runs an operation in a child, instruction by instruction, and kills the child at one of
 * them. */
#ifndef SLM_TESTS_KILL_STEPPER_H
#define SLM_TESTS_KILL_STEPPER_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <sys/types.h>
#include <vector>

namespace kill_test {

/*
 * What a kill at an instruction means. ptrace stops the child between two instructions: k
 * instructions of the operation were executed, the next one has not begun. SIGKILL then ends the
 * child, and it executes no further instruction. A processor retires instructions in program order,
 * and the stores of a dead process reach memory like any other store. So shared memory holds the
 * stores of exactly the first k instructions, even if the processor executes out of order. A
 * SIGKILL from anywhere at any time takes effect between two instructions too. (Or it takes effect
 * within a system call or a repeated string instruction, and both stop between their parts.) So on
 * one path through the code the kills after each k are all possible kills.
 *
 * A call into the vDSO, which reads the clock, counts as one instruction. The vDSO starts again
 * each time that the system's tick changes what it reads, and single steps may be too slow for it.
 * It stores nothing that other processes see.
 *
 * The path of an operation is recorded once, one instruction at a time. After that a child gets to
 * its k-th instruction by breakpoints. Each breakpoint is at a place that the path reaches for the
 * first time since the last breakpoint. Where there is no such place (a repeated string
 * instruction), the child makes a step. The recorded path says where the child must be then. If the
 * child is elsewhere, it took another path, and the caller gets STRAYED.
 *
 * A place in a loop does not show the round. Therefore the stack is at one address in all children:
 * where the caller restores what the operation reads, the path is the same. The caller verifies
 * that. It compares what is left with what the recorded child had left after k instructions, which
 * visit can read.
 *
 * yield_stepper.cc needs no ptrace. Its instructions are the library's yield points and the stores
 * that a repair relies on.
 */
enum class End {
    KILLED,     /* after exactly that number of instructions */
    FINISHED,   /* the operation had ended before */
    STRAYED,    /* it took another path than the recorded one */
    BROKEN,     /* it got a signal or exited by itself */
    HUNG,       /* wait_for_child says so (child.h) */
    NOT_TRACED, /* ptrace is not permitted here */
};

const char *end_text(End end);

struct Way {
    std::vector<uintptr_t> places; /* of the next instruction after k instructions */
    std::vector<int64_t> before;   /* the last index with the same place, or -1 */
    size_t n_instructions() const
    {
        return places.size() - 1;
    }
    /* Returns the farthest index up to `to` whose place does not occur on the path from `from`
     * on. */
    size_t farthest(size_t from, size_t to) const;
};

/* What a child runs. */
struct Operation {
    std::function<void()> enter; /* not counted */
    std::function<void()> act;
};
/* Called in the parent while the child is stopped after n instructions. true: kill it here. */
using Visit = std::function<bool(size_t n_instructions, pid_t child)>;

/* Steps through the operation to its end, or until visit returns true, and kills the child there.
 * When this returns, the child is dead and reaped. */
End record(const Operation &operation, const Visit &visit, Way *way);

/* Kills the child after k instructions, k <= way.n_instructions(). */
End kill_after(const Operation &operation, const Way &way, size_t k);

/* Returns how many instructions lie between two kills of a usual run. */
size_t usual_stride();

/* Returns about how many of a stepper's steps make so many instructions. */
size_t steps_in(size_t n_instructions);

/* Does the same by single steps only, for operations whose path differs each time. */
End kill_after_steps(const Operation &operation, size_t k);

} // namespace kill_test

#endif
