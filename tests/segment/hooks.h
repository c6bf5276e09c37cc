/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of segments: counts every call to the system, and makes calls fail. */
#ifndef SLM_TESTS_SEGMENT_HOOKS_H
#define SLM_TESTS_SEGMENT_HOOKS_H

#include <cerrno>
#include <sys/mman.h>
#include <type_traits>

#include "allocator/segment/handle.h"
#include "allocator/segment/sys.h"

namespace slm_test {

/* State of the hooks: one object, since C calls have no parameter for another. */
struct Faults {
    slm_segment_calls real = slm_segment_sys;
    unsigned n_calls = 0;
    unsigned fail_at = 0; /* the number of the call that fails, counted from 1; 0: none */
    int error = EIO;

    bool next_fails()
    {
        return ++n_calls == fail_at;
    }
};

inline Faults faults;

template <auto Member> struct Hook;

template <typename Result, typename... Args, Result (*slm_segment_calls::*Member)(Args...)>
struct Hook<Member> {
    static Result failure()
    {
        if constexpr (std::is_same_v<decltype(Member), decltype(&slm_segment_calls::mmap)> ||
                      std::is_same_v<decltype(Member), decltype(&slm_segment_calls::shmat)>) {
            return MAP_FAILED;
        } else if constexpr (std::is_pointer_v<Result>) {
            return nullptr;
        } else {
            return -1;
        }
    }
    static Result call(Args... args)
    {
        if (faults.next_fails()) {
            errno = faults.error;
            return failure();
        }
        return (faults.real.*Member)(args...);
    }
    static void install()
    {
        slm_segment_sys.*Member = call;
    }
};

template <auto... Members> void install_hooks()
{
    (Hook<Members>::install(), ...);
}

/* Hooks every call except those that only release something: a caller can do nothing about their
 * failure. The destructor removes the hooks. */
class EveryCall {
  public:
    EveryCall()
    {
        using C = slm_segment_calls;
        faults = Faults{};
        install_hooks<&C::malloc, &C::open, &C::dup_cloexec, &C::memfd_create, &C::unlink, &C::link,
                      &C::rename_new, &C::rename_over, &C::flock, &C::lease, &C::file_system,
                      &C::stat, &C::fstat, &C::lstat, &C::fchmod, &C::huge_page, &C::file_limit,
                      &C::fallocate, &C::read_file, &C::pread, &C::pwrite, &C::fsync, &C::msync,
                      &C::ftruncate, &C::lock, &C::mmap, &C::mprotect, &C::madvise, &C::shmget,
                      &C::shmat, &C::shmctl, &C::opendir, &C::readdir, &C::lstat_in,
                      &C::sigaction>();
    }
    ~EveryCall()
    {
        slm_segment_sys = faults.real;
    }
    EveryCall(const EveryCall &) = delete;
    EveryCall &operator=(const EveryCall &) = delete;
};

/* Restores, at the end, every call that the test replaced by hand. */
class KeepCalls {
  public:
    KeepCalls() = default;
    ~KeepCalls()
    {
        slm_segment_sys = real;
    }
    KeepCalls(const KeepCalls &) = delete;
    KeepCalls &operator=(const KeepCalls &) = delete;

    const slm_segment_calls real = slm_segment_sys;
};

} // namespace slm_test

#endif
