/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of segments: options, unique names, and what a process has open and mapped. */
#ifndef SLM_TESTS_SEGMENT_FIXTURE_H
#define SLM_TESTS_SEGMENT_FIXTURE_H

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <sched.h>
#include <set>
#include <string>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "tests/base/death.h"
#include <slabmill/segment.h>

/* Of a call that fails: the status is returned and in the error, with a text. */
#define EXPECT_NULL_ERROR(call)                                                                    \
    do {                                                                                           \
        slm_error error{};                                                                         \
        EXPECT_EQ(call, SLM_E_NULL);                                                               \
        EXPECT_EQ(error.status, SLM_E_NULL);                                                       \
        EXPECT_STRNE(error.text, "");                                                              \
    } while (0)

namespace slm_test {

using Kind = slm_segment_kind;

/* For exit statuses of children: 0 if all conditions hold, else 10 and the position of the first
 * that does not. */
inline int first_wrong(std::initializer_list<bool> claims)
{
    int at = 10;
    for (bool claim : claims) {
        if (!claim) {
            return at;
        }
        at++;
    }
    return 0;
}

inline const size_t kPage = static_cast<size_t>(sysconf(_SC_PAGESIZE));

inline const Kind kEveryKind[] = {SLM_SEGMENT_ANONYMOUS, SLM_SEGMENT_SYSV, SLM_SEGMENT_POSIX,
                                  SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE};
/* Those with a descriptor. */
inline const Kind kFileKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE};

/* An empty folder that is removed with the test. */
class Folder {
  public:
    Folder()
    {
        /* Not Bazel's folder: it may be in root's home, which other users cannot enter. */
        path_ = "/tmp/segment.XXXXXX";
        EXPECT_NE(mkdtemp(path_.data()), nullptr);
    }
    ~Folder()
    {
        for (const std::string &name : names()) {
            (void)remove((path_ + "/" + name).c_str());
        }
        (void)rmdir(path_.c_str());
    }
    Folder(const Folder &) = delete;
    Folder &operator=(const Folder &) = delete;

    std::string operator/(const std::string &name) const
    {
        return path_ + "/" + name;
    }
    const std::string &path() const
    {
        return path_;
    }
    std::set<std::string> names() const
    {
        std::set<std::string> result;
        DIR *folder = opendir(path_.c_str());
        while (const dirent *entry = folder == nullptr ? nullptr : readdir(folder)) {
            if (entry->d_name[0] != '.') {
                result.insert(entry->d_name);
            }
        }
        if (folder != nullptr) {
            (void)closedir(folder);
        }
        return result;
    }

  private:
    std::string path_;
};

/* A name in /dev/shm that no other process uses. It is removed after the test. */
class PosixName {
  public:
    PosixName()
        : name_("slm_test." + pid_namespace() + "." + std::to_string(getpid()) + "." +
                std::to_string(next_++))
    {
    }
    ~PosixName()
    {
        (void)unlink(path().c_str());
    }
    PosixName(const PosixName &) = delete;
    PosixName &operator=(const PosixName &) = delete;
    const char *c_str() const
    {
        return name_.c_str();
    }
    std::string path() const
    {
        return "/dev/shm/" + name_;
    }

  private:
    /* Sandboxes share /dev/shm, and each has the same process ids. */
    static std::string pid_namespace()
    {
        struct stat about = {};
        (void)stat("/proc/self/ns/pid", &about);
        return std::to_string(about.st_ino);
    }

    static inline int next_ = 0;
    std::string name_;
};

/* Options of each kind with a valid name. */
class Options {
  public:
    explicit Options(size_t bytes = 4 * kPage, size_t max_bytes = 16 * kPage)
        : bytes_(bytes), max_bytes_(max_bytes), file_(folder_ / "file")
    {
    }
    slm_segment_options of(Kind kind) const
    {
        slm_segment_options options{};
        options.kind = kind;
        options.bytes = bytes_;
        options.max_bytes = max_bytes_;
        if (kind == SLM_SEGMENT_POSIX) {
            options.name = posix_.c_str();
        } else if (kind == SLM_SEGMENT_FILE) {
            options.name = file_.c_str();
        }
        return options;
    }
    /* Options to attach `segment`. */
    slm_segment_options to_attach(const slm_segment *segment) const
    {
        slm_segment_options options = of(slm_segment_get_kind(segment));
        options.id = slm_segment_id(segment);
        return options;
    }
    const Folder &folder() const
    {
        return folder_;
    }
    const PosixName &posix() const
    {
        return posix_;
    }

  private:
    size_t bytes_;
    size_t max_bytes_;
    Folder folder_;
    std::string file_;
    PosixName posix_;
};

/* A handle that is detached at the end. */
struct Handle {
    slm_segment *segment = nullptr;

    Handle() = default;
    ~Handle()
    {
        slm_segment_detach(segment);
    }
    Handle(const Handle &) = delete;
    Handle &operator=(const Handle &) = delete;

    slm_status create(const slm_segment_options &options, slm_error *error = nullptr)
    {
        return slm_segment_create(&segment, &options, error);
    }
    slm_status attach(const slm_segment_options &options, slm_error *error = nullptr)
    {
        return slm_segment_attach(&segment, &options, error);
    }
    void detach()
    {
        slm_segment_detach(segment);
        segment = nullptr;
    }
    unsigned char *base() const
    {
        return static_cast<unsigned char *>(slm_segment_base(segment));
    }
    size_t bytes() const
    {
        return slm_segment_bytes(segment);
    }
};

inline bool can_attach(Kind kind)
{
    return kind != SLM_SEGMENT_ANONYMOUS;
}

inline bool has_file(Kind kind)
{
    return kind == SLM_SEGMENT_POSIX || kind == SLM_SEGMENT_MEMFD || kind == SLM_SEGMENT_FILE;
}

/* Returns whether the system can read [p, p + n), page by page: no signal, no death. */
inline bool is_readable(const void *p, size_t n)
{
    int ends[2];
    bool result = pipe(ends) == 0;
    for (size_t at = 0; result && at < n; at += kPage) {
        char c;
        result =
            write(ends[1], static_cast<const char *>(p) + at, 1) == 1 && read(ends[0], &c, 1) == 1;
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
    return result;
}

inline bool is_untouchable(const void *p, size_t n)
{
    for (size_t at = 0; at < n; at += kPage) {
        if (is_readable(static_cast<const char *>(p) + at, 1)) {
            return false;
        }
    }
    return true;
}

inline bool is_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Runs body in a child. Returns its result as the exit status, or 128 + the signal that killed
 * it. */
inline int in_child(const std::function<int()> &body)
{
    pid_t child = fork();
    if (child == 0) {
        end_child(body());
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Enters a mount namespace of its own, as root or as a user that may become root in a new user
 * namespace. There it stays the user that it was: without a map, it could create no file. */
inline bool enter_mount_namespace()
{
    uid_t user = geteuid();
    gid_t group = getegid();
    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
            return false;
        }
        std::ofstream("/proc/self/setgroups") << "deny";
        std::ofstream("/proc/self/uid_map") << user << " " << user << " 1";
        std::ofstream("/proc/self/gid_map") << group << " " << group << " 1";
    }
    return mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

} // namespace slm_test

#endif
