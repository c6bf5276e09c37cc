/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of limitd: help, wrong calls, configurations, the socket's path. */
#include <array>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "examples/limitd/limitd_fixture.h"

namespace {

using namespace limitd_test;

/* Runs limitd with arguments; returns its exit status and what it wrote. */
int run_program(const std::vector<std::string> &arguments, std::string *output)
{
    std::string command = kProgram;
    for (const std::string &argument : arguments) {
        command += " '" + argument + "'";
    }
    FILE *pipe = popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) {
        return -1;
    }
    std::array<char, 4096> part = {};
    output->clear();
    while (fgets(part.data(), static_cast<int>(part.size()), pipe) != nullptr) {
        *output += part.data();
    }
    int how = pclose(pipe);
    return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

class LimitdCall : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_TRUE(limitd_rig_init(&rig, kProgram));
    }
    void TearDown() override
    {
        (void)limitd_rig_fini(&rig);
    }
    int check(const std::string &lines)
    {
        EXPECT_TRUE(limitd_rig_configure(&rig, lines.c_str()));
        return run_program({"--check", "--config", rig.config}, &output);
    }
    bool says(const std::string &text) const
    {
        return output.find(text) != std::string::npos;
    }
    limitd_rig rig = {};
    std::string output;
};

TEST_F(LimitdCall, HelpListsSettingsCommandsAndSignals)
{
    EXPECT_EQ(run_program({"--help"}, &output), 0);
    for (const char *word :
         {"listen", "workers", "clients", "rate",  "burst",  "connections", "inactive", "drain",
          "zone",   "PING",    "REQ",     "CONN+", "CONN-",  "CACHE",       "PUT",      "GET",
          "DEL",    "STATS",   "CHECK",   "QUIT",  "SIGHUP", "SIGUSR2"}) {
        EXPECT_TRUE(says(word)) << word;
    }
}

TEST_F(LimitdCall, WrongCallsAreAnsweredWithWhatWasExpected)
{
    EXPECT_EQ(run_program({}, &output), 2);
    EXPECT_TRUE(says("--config"));
    EXPECT_EQ(run_program({"--bogus"}, &output), 2);
    EXPECT_EQ(run_program({"--config", rig.config, "more"}, &output), 2);
    EXPECT_EQ(run_program({"--config", rig.config}, &output), 1);
    EXPECT_TRUE(says("No such file"));
}

TEST_F(LimitdCall, EveryBadLineIsNamedWithFileLineAndWhatWasExpected)
{
    EXPECT_EQ(check("# only a comment\n\n   workers   2   # and another\nrate 0.001\n"), 0)
        << output;
    const struct {
        const char *line;
        const char *expected;
    } rows[] = {
        {"wrokers 2", "\"wrokers\": expected a setting"},
        {"workers", "expected one value"},
        {"workers 2 3", "expected one value"},
        {"workers 1 2 3 4", "\"4\": expected the line's end"},
        {"workers 0", "\"0\": expected a number from 1 to 16"},
        {"workers 17", "expected a number from 1 to 16"},
        {"workers -1", "expected a number from 1 to 16"},
        {"workers 1.5", "expected a number from 1 to 16"},
        {"workers 99999999999999999999", "expected a number from 1 to 16"},
        {"clients 5000", "expected a number from 1 to 4096"},
        {"rate 0", "expected requests a second"},
        {"rate 1.0001", "expected requests a second"},
        {"rate 1000001", "expected requests a second"},
        {"burst x", "expected a number from 0 to 1000000"},
        {"connections 0", "expected a number from 1 to 1000000"},
        {"inactive 0", "expected seconds"},
        {"drain soon", "expected seconds"},
        {"zone nowhere 1m", "expected limit_req, limit_conn"},
        {"zone limit_req 1k", "expected bytes from 64k"},
        {"zone limit_req 1x", "expected bytes from 64k"},
        {"zone limit_req 1mm", "expected bytes from 64k"},
        {"zone limit_req 2048g", "expected bytes from 64k"},
        {"zone limit_req 2m 1m", "expected a maximum"},
        {"zone limit_req", "expected a name, bytes"},
        {"listen /twice", "expected each setting once"},
    };
    for (const auto &row : rows) {
        EXPECT_EQ(check(std::string("\n") + row.line + "\n"), 1) << row.line;
        EXPECT_TRUE(says(std::string(rig.config) + ":3: ")) << output;
        EXPECT_TRUE(says(row.expected)) << output;
    }
    EXPECT_EQ(check("zone limit_req 1m\nzone limit_req 1m\n"), 1);
    EXPECT_TRUE(says(":3: \"limit_req\": expected each zone once")) << output;
    EXPECT_EQ(check("#" + std::string(600, 'x') + "\n"), 1);
    EXPECT_TRUE(says(":2: ")) << output;
    std::ofstream(rig.config) << "workers 2\n";
    EXPECT_EQ(run_program({"--check", "--config", rig.config}, &output), 1);
    EXPECT_TRUE(says("no line \"listen PATH\"")) << output;
}

TEST_F(LimitdCall, TakesTheSocketOfADeadServerAndNotOfALivingOne)
{
    ASSERT_TRUE(limitd_rig_configure(&rig, "workers 1\n"));
    ASSERT_TRUE(limitd_rig_start(&rig));
    EXPECT_EQ(run_program({"--config", rig.config}, &output), 1);
    EXPECT_TRUE(says("another server listens there")) << output;
    pid_t worker = limitd_rig_kill_worker(&rig, 0);
    EXPECT_GT(worker, 0);
    ASSERT_EQ(kill(rig.pid, SIGKILL), 0);
    ASSERT_EQ(waitpid(rig.pid, nullptr, 0), rig.pid);
    close(rig.log_fd);
    /* Its workers end soon after it. Until then a worker may still have the socket. */
    while (run_program({"--check", "--config", rig.config}, &output) == 0 &&
           Link(rig).ask("PING") != "(gone)") {
    }
    ASSERT_TRUE(limitd_rig_start(&rig)) << rig.log;
    EXPECT_TRUE(Link(rig).begins("PING", "PONG "));
}

TEST_F(LimitdCall, LeavesAFileThatIsNoSocket)
{
    ASSERT_TRUE(limitd_rig_configure(&rig, ""));
    std::ofstream(rig.socket) << "precious";
    EXPECT_EQ(run_program({"--config", rig.config}, &output), 1);
    EXPECT_TRUE(says("no socket")) << output;
    EXPECT_EQ(unlink(rig.socket), 0);
}

} // namespace
