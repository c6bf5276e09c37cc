/* SPDX-License-Identifier: Apache-2.0 */
/* Ends that coverage runs count: a process that aborts, or calls _exit, writes no profile itself. */
#ifndef SLM_TESTS_DEATH_H
#define SLM_TESTS_DEATH_H

#include <csignal>
#include <gtest/gtest.h>
#include <unistd.h>

/* Of clang's profile runtime: absent from all other builds. */
extern "C" int __llvm_profile_write_file(void) __attribute__((weak));

namespace slm_test {

/* What this process ran so far, if anyone counts. */
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

/* From here on this process writes its profile before it dies of abort(), which goes on behind the
 * handler. Where nobody counts, the signal stays as it is. */
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
