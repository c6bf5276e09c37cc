/* SPDX-License-Identifier: Apache-2.0 */
/* Ends of processes in coverage runs: abort() and _exit() write no profile by themselves. */
#ifndef SLM_TESTS_DEATH_H
#define SLM_TESTS_DEATH_H

#include <csignal>
#include <gtest/gtest.h>
#include <unistd.h>

/* Of clang's profile runtime: absent from all other builds. */
extern "C" int __llvm_profile_write_file(void) __attribute__((weak));

namespace slm_test {

/* Writes the profile of this process so far, in a coverage run. */
inline void write_profile()
{
    if (&__llvm_profile_write_file != nullptr) {
        __llvm_profile_write_file();
    }
}

/* What a forked child ends by: _exit, counted. */
[[noreturn]] inline void end_child(int status)
{
    write_profile();
    _exit(status);
}

/* From now on abort() writes the profile before it ends this process: its handler returns to it. In
 * other than coverage runs the signal is left alone. */
inline void count_abort()
{
    if (&__llvm_profile_write_file != nullptr) {
        (void)std::signal(SIGABRT, [](int) { write_profile(); });
    }
}

} // namespace slm_test

/* statement stops a child process by abort(), and stderr has a match of regex. */
#define SLM_EXPECT_ABORT(statement, regex)                                                         \
    EXPECT_EXIT(                                                                                   \
        {                                                                                          \
            slm_test::count_abort();                                                               \
            statement;                                                                             \
        },                                                                                         \
        testing::KilledBySignal(SIGABRT), regex)

#endif
