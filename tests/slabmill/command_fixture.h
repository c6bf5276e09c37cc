/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of the slabmill command: runs it by its command line. */
#ifndef SLM_TESTS_SLABMILL_COMMAND_FIXTURE_H
#define SLM_TESTS_SLABMILL_COMMAND_FIXTURE_H

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace slabmilltest {

inline const char kCommand[] = "tools/slabmill/slabmill";

struct Done {
    int status; /* of exit; -1: a signal */
    std::string out;
    std::string err;
};

inline std::string ReadFile(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file.is_open()) << path;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/* A temporary folder for the test; runs the command and catches all output. */
class Slabmill : public testing::Test {
  protected:
    void SetUp() override
    {
        std::string pattern = testing::TempDir() + "/slabmill.XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        dir_ = pattern;
    }
    void TearDown() override
    {
        std::filesystem::remove_all(dir_);
    }

    std::string Path(const std::string &name) const
    {
        return dir_ + "/" + name;
    }

    std::string Write(const std::string &name, const std::string &text) const
    {
        std::ofstream(Path(name), std::ios::binary) << text;
        return Path(name);
    }

    pid_t Start(std::vector<std::string> args) const
    {
        args.insert(args.begin(), kCommand);
        pid_t child = fork();
        if (child == 0) {
            Become(args);
        }
        return child;
    }

    Done Wait(pid_t child) const
    {
        int status = -1;
        EXPECT_EQ(waitpid(child, &status, 0), child);
        return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadFile(Path("out")),
                ReadFile(Path("err"))};
    }

    Done Run(const std::vector<std::string> &args) const
    {
        return Wait(Start(args));
    }

    /* Wrong calls: status 2, one line on standard error, nothing else. */
    void ExpectSays(const std::vector<std::string> &args, const std::string &line) const
    {
        Done done = Run(args);
        EXPECT_EQ(done.status, 2) << line;
        EXPECT_EQ(done.err, line + "\n");
        EXPECT_EQ(done.out, "");
    }
    void ExpectWrong(const std::vector<std::string> &args, const std::string &message) const
    {
        ExpectSays(args, "slabmill: " + message);
    }

  private:
    [[noreturn]] void Become(const std::vector<std::string> &args) const
    {
        std::vector<char *> argv;
        for (const std::string &arg : args) {
            argv.push_back(const_cast<char *>(arg.c_str()));
        }
        argv.push_back(nullptr);
        dup2(open(Path("out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
        dup2(open(Path("err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
        execv(kCommand, argv.data());
        _exit(127);
    }

    std::string dir_;
};

inline bool Has(const std::string &text, const std::string &part)
{
    return text.find(part) != std::string::npos;
}

} /* namespace slabmilltest */

#endif
