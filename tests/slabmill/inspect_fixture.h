/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of slabmill inspect: zones in files, processes, the command, Python. */
#ifndef SLM_TESTS_SLABMILL_INSPECT_FIXTURE_H
#define SLM_TESTS_SLABMILL_INSPECT_FIXTURE_H

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/base/short_folder.h"

extern "C" {
#include "allocator/slab/view.h"
#include "allocator/zone/handle.h"
#include <slabmill/zone_set.h>
}

namespace inspecttest {

inline const char kCommand[] = "tools/slabmill/slabmill";
constexpr size_t kBytes = size_t{1} << 20;
constexpr uint64_t kRepair = UINT64_C(1) << 30; /* in a lock: unowned, repair is due */

inline void Must(bool condition, const char *what)
{
    if (!condition) {
        std::perror(what);
        std::abort();
    }
}

inline bool Has(const std::string &text, const std::string &part)
{
    return text.find(part) != std::string::npos;
}

struct Done {
    int status; /* of exit; -1: a signal */
    std::string out;
    std::string err;
};

/* A child process that works with a zone until it is stopped, and reports when it has begun. */
class Child {
  public:
    explicit Child(const std::function<void(const Child &)> &act)
    {
        Must(pipe(ready_) == 0, "pipe");
        pid_ = fork();
        Must(pid_ >= 0, "fork");
        if (pid_ == 0) {
            act(*this);
            _exit(0);
        }
        close(ready_[1]);
        char byte;
        Must(read(ready_[0], &byte, 1) == 1, "the child begins");
    }
    Child(const Child &) = delete;
    Child &operator=(const Child &) = delete;
    ~Child()
    {
        close(ready_[0]);
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
    }
    /* Called in the child. */
    void Begun() const
    {
        Must(write(ready_[1], "", 1) == 1, "write");
    }
    void Die() const
    {
        Begun();
        raise(SIGKILL);
    }
    [[noreturn]] void Stay() const
    {
        Begun();
        for (;;) {
            pause();
        }
    }
    /* Called in the parent. */
    int Wait()
    {
        int status = -1;
        waitpid(pid_, &status, 0);
        pid_ = -1;
        return status;
    }
    pid_t pid() const
    {
        return pid_;
    }

  private:
    int ready_[2];
    pid_t pid_;
};

class Inspect : public testing::Test {
  protected:
    void SetUp() override
    {
        std::string pattern = slm_test::short_folder() + "/inspect.XXXXXX";
        Must(mkdtemp(pattern.data()) != nullptr, "mkdtemp");
        dir_ = pattern;
    }
    void TearDown() override
    {
        slm_zone_detach(zone_);
        std::filesystem::remove_all(dir_);
    }

    std::string Path(const std::string &name) const
    {
        return dir_ + "/" + name;
    }

    static slm_zone_options Options(const char *name = "keys")
    {
        slm_zone_options options = {};
        options.name = name;
        options.tag = "test";
        options.bytes = kBytes;
        options.slab.per_doubling = 8;
        return options;
    }

    /* Makes a zone in a file, with some objects. The test has it open. */
    std::string Make(slm_zone_options options = Options(), const std::string &name = "zone")
    {
        std::string path = Path(name);
        options.segment.kind = SLM_SEGMENT_FILE;
        options.segment.name = path.c_str();
        slm_zone_detach(zone_);
        zone_ = nullptr;
        slm_error error;
        EXPECT_EQ(slm_zone_create(&zone_, &options, &error), SLM_OK) << error.text;
        for (size_t size = 8; zone_ != nullptr && size < 20000; size += size / 2) {
            EXPECT_NE(slm_zone_alloc(zone_, size, nullptr), nullptr);
        }
        EXPECT_NE(slm_zone_alloc(zone_, 60000, nullptr), nullptr);
        return path;
    }

    static slm_zone *Open(const std::string &path)
    {
        slm_zone_attach_options options = {};
        options.segment.kind = SLM_SEGMENT_FILE;
        options.segment.name = path.c_str();
        slm_zone *zone = nullptr;
        slm_error error;
        EXPECT_EQ(slm_zone_attach(&zone, &options, &error), SLM_OK) << error.text;
        return zone;
    }

    Done Run(std::vector<std::string> args) const
    {
        args.insert(args.begin(), {kCommand, "inspect"});
        return RunCommand(args);
    }

    Done RunCommand(const std::vector<std::string> &args) const
    {
        pid_t child = fork();
        if (child == 0) {
            dup2(open(Path("out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
            dup2(open(Path("err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
            Become(args);
        }
        int status = -1;
        EXPECT_EQ(waitpid(child, &status, 0), child);
        return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadFile(Path("out")),
                ReadFile(Path("err"))};
    }

    [[noreturn]] static void Become(const std::vector<std::string> &args)
    {
        std::vector<char *> argv;
        for (const std::string &arg : args) {
            argv.push_back(const_cast<char *>(arg.c_str()));
        }
        argv.push_back(nullptr);
        execvp(argv[0], argv.data());
        _exit(127);
    }

    static std::string ReadFile(const std::string &path)
    {
        std::ifstream file(path, std::ios::binary);
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }

    /* Evaluates a Python expression of `looks`, the objects that were printed. */
    std::string Python(const std::string &printed, const std::string &expression) const
    {
        std::ofstream(Path("printed"), std::ios::binary) << printed;
        Done done = RunCommand({"python3", "-c",
                                "import json, sys\n"
                                "looks = [json.loads(line) for line in open(sys.argv[1])]\n"
                                "look = looks[-1]\n"
                                "print(" +
                                    expression + ")",
                                Path("printed")});
        EXPECT_EQ(done.status, 0) << done.err << printed;
        return done.out.substr(0, done.out.find_last_not_of('\n') + 1);
    }

    /* `act` leaves the file's bytes, time and length on the disk as they are. */
    static void ExpectUnchanged(const std::string &path, const std::function<void()> &act)
    {
        std::string before = ReadFile(path);
        struct stat at_first;
        struct stat at_last;
        ASSERT_EQ(stat(path.c_str(), &at_first), 0);
        act();
        ASSERT_EQ(stat(path.c_str(), &at_last), 0);
        EXPECT_TRUE(ReadFile(path) == before);
        EXPECT_EQ(at_first.st_mtim.tv_sec, at_last.st_mtim.tv_sec);
        EXPECT_EQ(at_first.st_mtim.tv_nsec, at_last.st_mtim.tv_nsec);
        EXPECT_EQ(at_first.st_blocks, at_last.st_blocks);
    }

    void ExpectWrong(const std::vector<std::string> &args, const std::string &message) const
    {
        ExpectRefusal(Run(args), message);
    }

    static void ExpectRefusal(const Done &done, const std::string &message)
    {
        EXPECT_EQ(done.status, 2) << message;
        EXPECT_TRUE(std::regex_match(done.err, std::regex("slabmill: " + message + "\n")))
            << done.err << "expected " << message;
        EXPECT_EQ(done.out, "");
    }

    /* Seals a header whose constant part was changed. */
    void Reseal() const
    {
        zone_->header->checksum = slm_zone_checksum(&zone_->header->fixed);
    }

    slm_zone *zone_ = nullptr;

  private:
    std::string dir_;
};

} /* namespace inspecttest */

#endif
