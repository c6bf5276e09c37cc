/* SPDX-License-Identifier: Apache-2.0 */
/* limitd: answers, clients, deaths of workers, reloads, upgrades, the end. */
#include <array>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "examples/limitd/limitd_fixture.h"
#include "examples/limitd/load_client.h"
#include <slabmill/zone.h>

namespace {

using namespace limitd_test;

const char *const kLines = "workers 3\nconnections 5\nrate 1\nburst 2\ndrain 1\n"
                           "zone session_cache 1m 16m\n";

/* The figure with that name in the answer to STATS, as text. */
std::string figure(const std::string &stats, const std::string &name)
{
    size_t at = stats.find(" " + name + "=");
    if (at == std::string::npos) {
        return "(none)";
    }
    at += name.size() + 2;
    return stats.substr(at, stats.find(' ', at) - at);
}

class Limitd : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_TRUE(limitd_rig_init(&rig, kProgram));
        ASSERT_TRUE(limitd_rig_configure(&rig, kLines));
        ASSERT_TRUE(limitd_rig_start(&rig)) << rig.log;
    }
    void TearDown() override
    {
        if (rig.pid != 0) {
            EXPECT_EQ(limitd_rig_fini(&rig), 0);
        }
    }
    void signal_and_await(int signal, const char *awaited)
    {
        ASSERT_EQ(kill(rig.pid, signal), 0);
        ASSERT_TRUE(limitd_rig_await(&rig, awaited, kWaitMs)) << rig.log;
    }
    void expect_whole()
    {
        Link link(rig);
        EXPECT_EQ(link.must_ask("CHECK"), "OK");
    }
    limitd_rig rig = {};
};

TEST_F(Limitd, AnswersEachCommand)
{
    Link link(rig);
    EXPECT_TRUE(link.begins("PING", "PONG "));
    EXPECT_EQ(link.ask("REQ a"), "OK 0.000");
    EXPECT_TRUE(link.begins("REQ a", "OK "));
    EXPECT_EQ(link.ask("CONN+ a"), "OK 1");
    EXPECT_EQ(link.ask("CONN+ a"), "OK 2");
    EXPECT_EQ(link.ask("CONN- a"), "OK 1");
    EXPECT_EQ(link.ask("CACHE a"), "MISS 1");
    EXPECT_EQ(link.ask("CACHE a"), "HIT 2");
    EXPECT_EQ(link.ask("GET a"), "NONE");
    EXPECT_EQ(link.ask("PUT a 60 a value  with blanks "), "OK");
    EXPECT_EQ(link.ask("GET a"), "VALUE a value  with blanks ");
    EXPECT_EQ(link.ask("PUT a 60 "), "OK");
    EXPECT_EQ(link.ask("GET a\r"), "VALUE ");
    EXPECT_EQ(link.ask("DEL a"), "OK");
    EXPECT_EQ(link.ask("DEL a"), "NONE");
    EXPECT_EQ(link.ask("CHECK"), "OK");
    EXPECT_EQ(figure(link.ask("STATS"), "limit_conn.n"), "1");
    EXPECT_EQ(link.ask("QUIT"), "BYE");
    EXPECT_EQ(link.line(), "(gone)");
}

TEST_F(Limitd, LimitsAcrossItsWorkers)
{
    unsigned n_passed = 0;
    std::vector<std::unique_ptr<Link>> links;
    for (unsigned i = 0; i < 12; i++) {
        links.push_back(std::make_unique<Link>(rig));
        EXPECT_TRUE(links.back()->begins("CONN+ key", i < 5 ? "OK" : "LIMITED 5"));
        n_passed += links.back()->begins("REQ key", "OK") ? 1 : 0;
    }
    EXPECT_GE(n_passed, 3u);
    EXPECT_LT(n_passed, 12u);
}

TEST_F(Limitd, AnswersUnknownCommandsAndContinues)
{
    Link link(rig);
    ASSERT_EQ(link.ask("PUT a 60 kept"), "OK");
    const std::string key(201, 'k');
    for (const std::string &line :
         {std::string(""), std::string(" "), std::string("req a"), std::string("REQ"),
          std::string("REQ "), "REQ " + key, std::string("REQ a b"), std::string("GET a "),
          std::string("PING x"), std::string("PUT a"), std::string("PUT a 60"),
          std::string("PUT a 0 x"), std::string("PUT a -1 x"), std::string("PUT a 999999999 x"),
          std::string("PUT a x y"), std::string("CONN- never"), std::string("\x01\xff\x7f")}) {
        EXPECT_TRUE(link.begins(line, "ERR ")) << line;
    }
    EXPECT_EQ(link.ask("GET a"), "VALUE kept");
    link.send(std::string("GET \0a\nPING\n", 12));
    EXPECT_EQ(link.line(), "NONE") << "a zero byte is a byte of the key";
    EXPECT_EQ(link.line().substr(0, 4), "PONG");
    EXPECT_EQ(link.ask("CHECK"), "OK");
}

TEST_F(Limitd, BoundsLongLines)
{
    Link link(rig);
    std::string value(16000, 'v');
    EXPECT_EQ(link.ask("PUT a 60 " + value), "OK");
    EXPECT_EQ(link.ask("GET a"), "VALUE " + value);
    std::string longest = "PUT b 60 ";
    longest += std::string(16384 - longest.size(), 'x');
    EXPECT_EQ(link.ask(longest), "OK");
    EXPECT_TRUE(link.begins(longest + "x", "ERR a line of more than"));
    EXPECT_TRUE(link.begins(longest + longest + longest + longest, "ERR a line of more than"));
    EXPECT_EQ(link.ask("GET b"), "VALUE " + longest.substr(9));
    EXPECT_TRUE(link.begins("PING", "PONG "));
}

TEST_F(Limitd, AnswersManyLinesSentAtOnceInOrder)
{
    Link link(rig);
    std::string lines;
    for (unsigned i = 0; i < 500; i++) {
        lines += "PUT k" + std::to_string(i) + " 60 v" + std::to_string(i) + "\nGET k" +
                 std::to_string(i) + "\n";
    }
    link.send(lines);
    for (unsigned i = 0; i < 500; i++) {
        ASSERT_EQ(link.line(), "OK");
        ASSERT_EQ(link.line(), "VALUE v" + std::to_string(i));
    }
}

TEST_F(Limitd, ClientThatNeverReadsKeepsNoOtherWaiting)
{
    Link deaf(rig);
    Link other(rig);
    ASSERT_EQ(deaf.ask("PUT big 60 " + std::string(16000, 'v')), "OK");
    for (unsigned i = 0; i < 60; i++) {
        deaf.send("GET big\n");
    }
    for (unsigned i = 0; i < 50; i++) {
        Link more(rig);
        ASSERT_TRUE(more.begins("PING", "PONG "));
    }
    EXPECT_TRUE(other.begins("PING", "PONG "));
    for (unsigned i = 0; i < 60; i++) {
        ASSERT_EQ(deaf.line().size(), 16006u);
    }
}

/* Attaches a zone of limitd, through its master's descriptors. */
slm_zone *attach_zone_of(const limitd_rig &rig, const char *name)
{
    for (int fd = 3; fd < 64; fd++) {
        std::string path = "/proc/" + std::to_string(rig.pid) + "/fd/" + std::to_string(fd);
        slm_zone_attach_options options = {};
        options.segment.kind = SLM_SEGMENT_MEMFD;
        options.segment.mode = 0777;
        options.name = name;
        options.segment.id = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
        slm_zone *zone = nullptr;
        if (options.segment.id >= 0) {
            (void)slm_zone_attach(&zone, &options, nullptr);
            close(options.segment.id);
        }
        if (zone != nullptr) {
            return zone;
        }
    }
    return nullptr;
}

TEST_F(Limitd, LogsADeathUnderALockAndItsRepair)
{
    slm_zone *zone = attach_zone_of(rig, "limit_req");
    ASSERT_NE(zone, nullptr);
    pid_t pid = fork();
    if (pid == 0) {
        raise(slm_zone_lock(zone) == SLM_OK ? SIGKILL : SIGTERM);
    }
    ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
    Link link(rig);
    EXPECT_EQ(link.ask("REQ a"), "OK 0.000");
    std::string died = "zone limit_req: thread " + std::to_string(pid) + " died holding the lock";
    EXPECT_TRUE(limitd_rig_await(&rig, died.c_str(), kWaitMs)) << rig.log;
    EXPECT_TRUE(limitd_rig_await(&rig, "zone limit_req: repaired", kWaitMs)) << rig.log;
    slm_zone_detach(zone);
}

TEST_F(Limitd, LogsTheHolderThatKeepsItWaiting)
{
    slm_zone *zone = attach_zone_of(rig, "limit_req");
    ASSERT_NE(zone, nullptr);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    Link link(rig);
    link.send("REQ a\n");
    std::string held = "zone limit_req: thread " + std::to_string(getpid()) + " holds the lock";
    EXPECT_TRUE(limitd_rig_await(&rig, held.c_str(), kWaitMs)) << rig.log;
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(link.line(), "OK 0.000");
    slm_zone_detach(zone);
}

/* A limitd that a test starts with its own settings. */
class LimitdFull : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_TRUE(limitd_rig_init(&rig, kProgram));
    }
    void TearDown() override
    {
        EXPECT_EQ(limitd_rig_fini(&rig), 0);
    }
    bool is_answered()
    {
        links.push_back(std::make_unique<Link>(rig));
        return links.back()->begins("PING", "PONG ");
    }

    limitd_rig rig = {};
    std::vector<std::unique_ptr<Link>> links;
};

TEST_F(LimitdFull, AClientGetsThePlaceOfTheConnectionThatIsIdleLongest)
{
    ASSERT_TRUE(limitd_rig_configure(&rig, "workers 1\nclients 4\n"));
    ASSERT_TRUE(limitd_rig_start(&rig)) << rig.log;
    for (unsigned i = 0; i < 4; i++) {
        ASSERT_TRUE(is_answered());
    }
    EXPECT_TRUE(is_answered());
    EXPECT_EQ(links[0]->line(), "(gone)");
    for (unsigned i = 1; i < 5; i++) {
        EXPECT_TRUE(links[i]->begins("PING", "PONG ")) << i;
    }
}

TEST_F(LimitdFull, AConnectionThatEndsMakesRoomAtOnce)
{
    ASSERT_TRUE(limitd_rig_configure(&rig, "workers 1\nclients 2\n"));
    ASSERT_TRUE(limitd_rig_start(&rig)) << rig.log;
    ASSERT_TRUE(is_answered());
    ASSERT_TRUE(is_answered());
    EXPECT_EQ(links[1]->ask("QUIT"), "BYE");
    EXPECT_TRUE(is_answered());
    EXPECT_TRUE(links[0]->begins("PING", "PONG "));
}

/* Each try that fails is a line in the log: one at each tick, and not as many as fit in a second. */
TEST_F(LimitdFull, WithoutDescriptorsAWorkerTriesOnceATick)
{
    struct rlimit before = {};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit few = before;
    few.rlim_cur = 24;
    ASSERT_TRUE(limitd_rig_configure(&rig, "workers 1\nclients 100\n"));
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    bool is_started = limitd_rig_start(&rig);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_TRUE(is_started) << rig.log;

    time_t began = time(nullptr);
    unsigned n_failed = 0;
    for (unsigned n_late = 0; n_late < 3; n_late += n_failed != 0) {
        ASSERT_LT(links.size(), 24u) << "a client without a descriptor";
        ASSERT_TRUE(is_answered()) << links.size();
        while (limitd_rig_await(&rig, "cannot take a client: Too many open files", 0)) {
            n_failed++;
        }
    }
    EXPECT_GE(n_failed, 1u);
    /* Also one after each connection that ended. */
    EXPECT_LE(n_failed, static_cast<unsigned>(time(nullptr) - began) + 2 + links.size());
}

TEST_F(Limitd, ServesManyClientsAtOnce)
{
    std::vector<std::unique_ptr<Link>> links;
    for (unsigned i = 0; i < 100; i++) {
        links.push_back(std::make_unique<Link>(rig));
        ASSERT_EQ(links.back()->ask("PUT k" + std::to_string(i) + " 60 " + std::to_string(i)),
                  "OK");
    }
    for (unsigned i = 0; i < 100; i++) {
        ASSERT_EQ(links[99 - i]->ask("GET k" + std::to_string(i)), "VALUE " + std::to_string(i));
    }
    EXPECT_EQ(figure(links[0]->ask("STATS"), "session_cache.n"), "100");
}

TEST_F(Limitd, AnsweredChangesSurviveTheDeathOfAnyWorker)
{
    Link link(rig);
    for (unsigned i = 0; i < 60; i++) {
        ASSERT_EQ(link.must_ask("PUT k" + std::to_string(i) + " 60 " + std::to_string(i)), "OK");
        if (i % 3 == 0) {
            ASSERT_GT(limitd_rig_kill_worker(&rig, 0), 0);
            ASSERT_TRUE(limitd_rig_await(&rig, "was killed by signal 9", kWaitMs));
        }
    }
    for (unsigned i = 0; i < 60; i++) {
        ASSERT_EQ(link.must_ask("GET k" + std::to_string(i)), "VALUE " + std::to_string(i));
    }
    expect_whole();
}

TEST_F(Limitd, CountsOfAKilledWorkerComeBack)
{
    for (unsigned round = 0; round < 10; round++) {
        std::vector<std::unique_ptr<Link>> links;
        for (unsigned i = 0; i < 5; i++) {
            links.push_back(std::make_unique<Link>(rig));
            ASSERT_TRUE(links.back()->begins("CONN+ key", "OK"));
        }
        for (const auto &link : links) {
            std::string pong = link->ask("PING");
            if (pong != "(gone)") {
                (void)kill(static_cast<pid_t>(std::stol(pong.substr(5))), SIGKILL);
                ASSERT_TRUE(limitd_rig_await(&rig, "was killed by signal 9", kWaitMs));
            }
        }
    }
    Link link(rig);
    for (unsigned i = 0; i < 5; i++) {
        EXPECT_EQ(link.must_ask("CONN+ key").substr(0, 3), "OK ");
    }
    EXPECT_EQ(link.ask("CONN+ key"), "LIMITED 5");
    expect_whole();
}

TEST_F(Limitd, CountsEndWithTheirConnection)
{
    {
        Link link(rig);
        for (unsigned i = 0; i < 5; i++) {
            ASSERT_TRUE(link.begins("CONN+ key", "OK"));
        }
        EXPECT_EQ(link.ask("CONN+ key"), "LIMITED 5");
        EXPECT_EQ(link.ask("QUIT"), "BYE");
        EXPECT_EQ(link.line(), "(gone)"); /* given back before it is closed */
    }
    Link link(rig);
    EXPECT_EQ(link.ask("CONN+ key"), "OK 1");
}

TEST_F(Limitd, ReloadGrowsZonesAndKeepsTheirContent)
{
    Link link(rig);
    ASSERT_EQ(link.ask("PUT a 60 kept"), "OK");
    ASSERT_EQ(link.ask("CACHE a"), "MISS 1");
    EXPECT_EQ(figure(link.ask("STATS"), "session_cache.bytes"), "1048576");
    ASSERT_TRUE(limitd_rig_configure(&rig, "workers 2\nzone session_cache 4m 16m\n"));
    signal_and_await(SIGHUP, "reloaded");
    Link fresh(rig);
    EXPECT_EQ(figure(fresh.must_ask("STATS"), "session_cache.bytes"), "4194304");
    EXPECT_EQ(fresh.ask("GET a"), "VALUE kept");
    EXPECT_EQ(fresh.ask("CACHE a"), "HIT 2");
    expect_whole();
}

TEST_F(Limitd, ZoneKeepsItsContentWhenASmallerSizeIsAsked)
{
    Link link(rig);
    ASSERT_EQ(link.ask("PUT a 60 kept"), "OK");
    ASSERT_TRUE(limitd_rig_configure(&rig, "zone session_cache 128k\nzone limit_req 999m 999m\n"));
    ASSERT_EQ(kill(rig.pid, SIGHUP), 0);
    EXPECT_TRUE(limitd_rig_await(
        &rig, "zone limit_req cannot have the configured size; it has 16777216", kWaitMs));
    EXPECT_TRUE(limitd_rig_await(
        &rig, "zone session_cache cannot have the configured size; it has 1048576", kWaitMs));
    EXPECT_TRUE(limitd_rig_await(&rig, "reloaded", kWaitMs));
    Link fresh(rig);
    EXPECT_EQ(fresh.must_ask("GET a"), "VALUE kept");
}

TEST_F(Limitd, BadConfigurationIsRefusedWithItsLineAndChangesNothing)
{
    Link link(rig);
    ASSERT_EQ(link.ask("PUT a 60 kept"), "OK");
    ASSERT_TRUE(limitd_rig_configure(&rig, "workers 2\nworkers 3\n"));
    signal_and_await(SIGHUP, "limitd.conf:3: \"workers\": expected each setting once");
    ASSERT_EQ(unlink(rig.config), 0);
    signal_and_await(SIGHUP, "limitd.conf: No such file or directory");
    EXPECT_EQ(link.ask("GET a"), "VALUE kept");
}

TEST_F(Limitd, UpgradeKeepsZonesSocketAndPid)
{
    Link link(rig);
    ASSERT_EQ(link.ask("PUT a 60 kept"), "OK");
    ASSERT_EQ(link.ask("CACHE a"), "MISS 1");
    ASSERT_TRUE(limitd_rig_replace(&rig, kProgram));
    signal_and_await(SIGUSR2, "ready at");
    std::array<char, 200> program = {};
    std::string exe = "/proc/" + std::to_string(rig.pid) + "/exe";
    ASSERT_GT(readlink(exe.c_str(), program.data(), program.size() - 1), 0);
    EXPECT_STREQ(program.data(), rig.program) << "the new file runs, not the deleted one";
    Link fresh(rig);
    EXPECT_EQ(fresh.must_ask("GET a"), "VALUE kept");
    EXPECT_EQ(fresh.must_ask("CACHE a"), "HIT 2");
    signal_and_await(SIGUSR2, "ready at"); /* and again */
    EXPECT_EQ(fresh.must_ask("GET a"), "VALUE kept");
    expect_whole();
}

/* The socket is handed over. A new path in the settings is not limitd's, so it must not remove it.
 */
TEST_F(Limitd, UpgradeKeepsItsSocketWhenTheSettingsNameAnother)
{
    std::string other = std::string(rig.dir) + "/other";
    std::ofstream(rig.config) << "listen " << other << "\n" << kLines;
    std::ofstream(other) << "somebody's";
    std::string socket = rig.socket;
    signal_and_await(SIGUSR2, ("ready at " + socket).c_str());
    Link link(rig);
    EXPECT_EQ(link.must_ask("PUT a 60 kept"), "OK");
    EXPECT_EQ(limitd_rig_fini(&rig), 0);
    EXPECT_NE(access(socket.c_str(), F_OK), 0);
    EXPECT_EQ(unlink(other.c_str()), 0) << "it was removed";
    EXPECT_EQ(rmdir(rig.dir), 0);
}

TEST_F(Limitd, UpgradeToAProgramThatDoesNotRunIsRefused)
{
    Link link(rig);
    ASSERT_EQ(link.ask("PUT a 60 kept"), "OK");
    ASSERT_TRUE(limitd_rig_replace(&rig, "/bin/false"));
    signal_and_await(SIGUSR2, "upgrade refused");
    EXPECT_EQ(link.ask("GET a"), "VALUE kept");
    ASSERT_EQ(unlink(rig.program), 0);
    signal_and_await(SIGUSR2, "upgrade refused");
    EXPECT_EQ(link.ask("GET a"), "VALUE kept");
}

TEST_F(Limitd, EndsCleanly)
{
    Link link(rig);
    ASSERT_TRUE(link.begins("PING", "PONG "));
    std::string socket = rig.socket;
    EXPECT_EQ(limitd_rig_fini(&rig), 0);
    struct stat about;
    EXPECT_NE(stat(socket.c_str(), &about), 0);
    EXPECT_EQ(link.ask("PING"), "(gone)");
}

TEST_F(Limitd, EndsEvenIfAWorkerIsStopped)
{
    Link link(rig);
    std::string pong = link.ask("PING");
    ASSERT_EQ(kill(static_cast<pid_t>(std::stol(pong.substr(5))), SIGSTOP), 0);
    EXPECT_EQ(limitd_rig_fini(&rig), 0);
}

/* Clients in processes of their own; workers killed all the time, a reload, an upgrade. */
TEST_F(Limitd, NothingIsLostUnderLoadKillsReloadAndUpgrade)
{
    struct Shared {
        int stop;
        std::array<load_result, 4> results;
    };
    auto *shared = static_cast<Shared *>(
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    std::vector<pid_t> clients;
    for (unsigned i = 0; i < shared->results.size(); i++) {
        pid_t pid = fork();
        if (pid == 0) {
            load_client_run(rig.socket, i, &shared->stop, &shared->results[i]);
            _exit(0);
        }
        clients.push_back(pid);
    }
    ASSERT_TRUE(limitd_rig_configure(&rig, "workers 2\nconnections 1000\n"
                                           "zone session_cache 4m 16m\n"));
    unsigned n_killed = 0;
    for (unsigned i = 0; i < 40; i++) {
        n_killed += limitd_rig_kill_worker(&rig, i * 131 % 2000) > 0 ? 1 : 0;
        if (i == 13) {
            signal_and_await(SIGHUP, "reloaded");
        }
        if (i == 26) {
            signal_and_await(SIGUSR2, "ready at");
        }
    }
    __atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < clients.size(); i++) {
        int how = -1;
        EXPECT_EQ(waitpid(clients[i], &how, 0), clients[i]);
        EXPECT_EQ(how, 0);
        EXPECT_EQ(shared->results[i].n_lost, 0u) << shared->results[i].first_odd;
        EXPECT_EQ(shared->results[i].n_odd, 0u) << shared->results[i].first_odd;
        EXPECT_EQ(shared->results[i].n_hung, 0u);
        EXPECT_EQ(shared->results[i].n_verified, 2 * LOAD_KEYS);
    }
    EXPECT_GT(n_killed, 20u);
    expect_whole();
    munmap(shared, sizeof(Shared));
}

} // namespace
