/* SPDX-License-Identifier: Apache-2.0 */
/* Stepper: runs an operation in a child, instruction by instruction, and kills it at one of
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
 * What a kill at an instruction means. The child is stopped by ptrace between two instructions: k
 * of the operation were carried out, the next one was not begun. SIGKILL then ends it, and no
 * instruction of it runs any more. A processor retires instructions in program order, and what a
 * dead process stored reaches memory like any other store; so what is left in shared memory are the
 * stores of exactly the first k instructions, whatever the processor does out of order. A SIGKILL
 * that comes from anywhere at any time takes effect between two instructions too (or within a
 * system call or a repeated string instruction, both of which stop between their parts): for one
 * way through the code, all k are all kills there can be.
 *
 * The vDSO, in which the clock is read, counts as one instruction with its call. It begins anew as
 * often as the system's tick changes what it reads, which single steps may be too slow for; and it
 * stores nothing that others see.
 *
 * The way through an operation is recorded once, one instruction at a time. After that the child
 * gets to its k-th instruction by breakpoints, each at a place that the way comes by for the first
 * time since the last one; where there is no such place (a repeated string instruction), by a step.
 * The recorded way says where it must be then: if it is elsewhere, it went another way and the
 * caller is told. A place in a loop does not tell the round, though. The stack is at one address in
 * all children, so that where the caller puts back what the operation reads, the way is the same;
 * the caller sees whether it was by comparing what is left with what the recorded child had left
 * after k instructions, which visit can look at.
 */
enum class End {
    KILLED,     /* after so many instructions */
    FINISHED,   /* the operation was over before */
    STRAYED,    /* it went another way than the recorded one */
    BROKEN,     /* it ended by a signal of its own, or exited */
    HUNG,       /* it slept for longer than STEP_TIMEOUT_S */
    NOT_TRACED, /* ptrace is not permitted here */
};

const char *end_text(End end);

constexpr unsigned STEP_TIMEOUT_S = 20;

struct Way {
    std::vector<uintptr_t> places; /* of the next instruction after k ones */
    std::vector<int64_t> before;   /* the last index with the same place, or -1 */
    size_t n_instructions() const
    {
        return places.size() - 1;
    }
    /* The farthest index up to `to` whose place the way does not touch from `from` on. */
    size_t farthest(size_t from, size_t to) const;
};

/* What a child does. */
struct Operation {
    std::function<void()> enter; /* not counted */
    std::function<void()> act;
};
/* Called in the parent while the child is stopped after n instructions; true: kill it here. */
using Visit = std::function<bool(size_t n_instructions, pid_t child)>;

/* Steps through the operation to its end, or to where visit says, and kills the child there.
 * Whoever kills it, it is dead and reaped when this returns. */
End record(const Operation &operation, const Visit &visit, Way *way);

/* Kills it after k instructions, k <= way.n_instructions(). */
End kill_after(const Operation &operation, const Way &way, size_t k);

/* The same by single steps only, for where the way is another one each time. */
End kill_after_steps(const Operation &operation, size_t k);

} // namespace kill_test

#endif
