/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill hunt: it finds the bugs that were planted in a plugin, and nothing else. */
#include <algorithm>
#include <csignal>
#include <cstring>
#include <ctime>
#include <functional>
#include <regex>

#include "harness/base/sanitizers.h"
#include "tests/slabmill/command_fixture.h"

namespace {

using namespace slabmilltest;

/* One end for all waits on a condition: never reached unless something hangs. */
const int kPatienceSeconds = 240;

class Hunt : public Slabmill {
  protected:
    static std::string Tray(const std::string &name)
    {
        return "./tests/slabmill/tray_" + name + ".so";
    }

    Done Find(const std::string &name, const std::vector<std::string> &more) const
    {
        std::vector<std::string> args = {"hunt",  Tray(name),    "--seed",    "1",
                                         "--out", Path("found"), "--timeout", "5"};
        args.insert(args.end(), more.begin(), more.end());
        return Run(args);
    }

    std::vector<std::string> Folders() const
    {
        std::vector<std::string> names;
        for (const auto &entry : std::filesystem::directory_iterator(Path("found"))) {
            names.push_back(entry.path().filename().string());
        }
        std::sort(names.begin(), names.end());
        return names;
    }

    std::string In(const std::string &folder, const std::string &name) const
    {
        return ReadFile(Path("found") + "/" + folder + "/" + name);
    }
};

/* The text from the last line on that starts so. */
std::string LastLine(const std::string &text)
{
    size_t end = text.size() > 1 ? text.rfind('\n', text.size() - 2) : std::string::npos;
    return end == std::string::npos ? text : text.substr(end + 1);
}

bool WaitUntil(const std::function<bool()> &is_so)
{
    const timespec tick = {0, 20000000};
    for (int i = 0; i < kPatienceSeconds * 50; i++) {
        if (is_so()) {
            return true;
        }
        nanosleep(&tick, nullptr);
    }
    return false;
}

TEST_F(Hunt, FindsExactlyThePlantedKindsAndAFolderHoldsEach)
{
    Done done = Find("bugs", {"--programs", "120", "--jobs", "2"});
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_EQ(LastLine(done.out), "findings: 3\n") << done.out;
    std::vector<std::string> folders = Folders();
    ASSERT_EQ(folders.size(), 3u) << done.out;
    EXPECT_EQ(folders[0], "alignment");
    EXPECT_EQ(folders[1], "contents");
    EXPECT_EQ(folders[2].find("tray-c-"), 0u) << folders[2];
    for (const std::string &folder : folders) {
        for (const char *file : {"found.trace", "small.trace", "explain.txt", "report.txt"}) {
            EXPECT_FALSE(In(folder, file).empty()) << folder << file;
        }
        EXPECT_TRUE(Has(In(folder, "test.cc"), "TEST(TrayHarness, ")) << folder;
        std::string small = In(folder, "small.trace");
        EXPECT_LE(std::count(small.begin(), small.end(), '\n'), 2 + 3) << small;
        std::string path = Path("found") + "/" + folder + "/small.trace";
        EXPECT_TRUE(Has(In(folder, "report.txt"),
                        "repeat: slabmill replay --adapter " + Tray("bugs") + " " + path + "\n"));
        EXPECT_EQ(Run({"replay", "--adapter", Tray("bugs"), path}).status, 1) << folder;
    }
    EXPECT_TRUE(Has(In("alignment", "small.trace"), "arena 0 alloc 0 100\n"));
}

TEST_F(Hunt, ReportsHoldTheAssertionWithFileAndLine)
{
    Done done =
        Find("bugs", {"--programs", "120", "--except", "alignment", "--except", "contents"});
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_EQ(LastLine(done.out), "findings: 1\n") << done.out;
    EXPECT_TRUE(std::regex_search(done.out, std::regex("\n  alignment +[0-9]+ +[0-9]+  set aside: "
                                                       "except\n")))
        << done.out;
    ASSERT_EQ(Folders().size(), 1u);
    std::string report = In(Folders()[0], "report.txt");
    std::string text = "tray.c:[0-9]+: .*resize.*: Assertion `.*BUG_ASSERTION.*' failed";
    EXPECT_TRUE(std::regex_search(report, std::regex("^kind: " + text))) << report;
    EXPECT_TRUE(std::regex_search(report, std::regex("\n\n.*" + text))) << report;
    EXPECT_TRUE(std::regex_search(In(Folders()[0], "explain.txt"), std::regex("crashed: " + text)));
}

TEST_F(Hunt, TheSameSeedFindsTheSameWithAnyNumberOfJobs)
{
    Done one = Find("bugs", {"--programs", "100", "--jobs", "1", "--json"});
    Done three = Find("bugs", {"--programs", "100", "--jobs", "3", "--json"});
    EXPECT_EQ(one.status, 1) << one.err;
    EXPECT_EQ(one.out, three.out);
    EXPECT_EQ(one.out.find("{\"adapter\":\"tray\",\"seed\":1,\"programs\":100,\"operations\":"), 0u)
        << one.out;
    EXPECT_TRUE(Has(one.out, "{\"kind\":\"alignment\",\"law\":\"alignment\",\"text\":\"broke law "))
        << one.out;
    EXPECT_TRUE(Has(one.out, "\"law\":null,\"text\":\"crashed: tray.c:")) << one.out;
    EXPECT_TRUE(Has(one.out, "\"set_aside\":[],\"n_findings\":3}\n")) << one.out;
}

TEST_F(Hunt, WhatAnEarlierHuntFoundIsSetAside)
{
    EXPECT_EQ(Find("bugs", {"--programs", "100"}).status, 1);
    Done again = Run({"hunt", Tray("bugs"), "--seed", "1", "--programs", "100", "--known",
                      Path("found"), "--out", Path("other")});
    EXPECT_EQ(again.status, 0) << again.out << again.err;
    EXPECT_EQ(LastLine(again.out), "findings: 0\n");
    EXPECT_TRUE(Has(again.out, "  set aside: known\n")) << again.out;
    EXPECT_TRUE(std::filesystem::is_empty(Path("other")));
}

TEST_F(Hunt, FindsNothingInASoundHeapAndPrintsAFreshSeed)
{
    std::regex seed("^tray, seed ([0-9]+)\n");
    std::smatch one, two;
    Done first = Run({"hunt", Tray("good"), "--programs", "100", "--out", Path("found")});
    Done second = Run({"hunt", Tray("good"), "--programs", "100", "--out", Path("found")});
    EXPECT_EQ(first.status, 0) << first.out << first.err;
    EXPECT_EQ(LastLine(first.out), "findings: 0\n");
    ASSERT_TRUE(std::regex_search(first.out, one, seed)) << first.out;
    ASSERT_TRUE(std::regex_search(second.out, two, seed)) << second.out;
    EXPECT_NE(one[1], two[1]);
    EXPECT_EQ(first.err, "") << "no progress line where there is no terminal";
}

#if HRN_ASAN || HRN_TSAN || HRN_UBSAN
#define CRASH_REPORT "kind: [A-Za-z]*Sanitizer: SEGV .*tray.c:[0-9]+"
#else
#define CRASH_REPORT                                                                               \
    "kind: signal 11 \\(Segmentation fault\\) in (release, tray.c:[0-9]+|.*so\\+0x[0-9a-f]+), "    \
    "address near 0\n"
#endif

TEST_F(Hunt, CrashesAreSortedByTheirPlace)
{
    Done done = Find("crash", {"--programs", "12"});
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_EQ(LastLine(done.out), "findings: 1\n") << done.out;
    ASSERT_EQ(Folders().size(), 1u);
    std::string report = In(Folders()[0], "report.txt");
    EXPECT_TRUE(std::regex_search(report, std::regex(CRASH_REPORT))) << report;
    EXPECT_TRUE(Has(In(Folders()[0], "small.trace"), "arena 0 alloc 0 600\n"));
}

TEST_F(Hunt, AHangIsAFinding)
{
    Done done = Run({"hunt", Tray("hang"), "--seed", "1", "--programs", "3", "--timeout", "1",
                     "--out", Path("found")});
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_EQ(LastLine(done.out), "findings: 1\n") << done.out;
    EXPECT_EQ(Folders(), std::vector<std::string>{"hang"});
    EXPECT_TRUE(Has(In("hang", "small.trace"), "arena 0 reset\n"));
}

TEST_F(Hunt, ReportsOfASanitizerThatGoesOnCountUnlessIgnored)
{
    Done done = Find("noise", {"--programs", "20"});
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_EQ(LastLine(done.out), "findings: 1\n") << done.out;
    EXPECT_TRUE(Has(done.out, "tray.c:7:3: runtime error: shift exponent N is too large"));
    Done without = Find("noise", {"--programs", "20", "--ignore", "shift exponent"});
    EXPECT_EQ(without.status, 0) << without.out;
    EXPECT_EQ(LastLine(without.out), "findings: 0\n");
    Done other = Find("noise", {"--programs", "20", "--ignore", "null pointer"});
    EXPECT_EQ(LastLine(other.out), "findings: 1\n") << other.out;
}

TEST_F(Hunt, ReportsAreReadWhereTheHeapHasUsedUpTheDescriptors)
{
    Done done = Find("files", {"--programs", "20"});
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_EQ(LastLine(done.out), "findings: 1\n") << done.out;
    EXPECT_TRUE(Has(done.out, "tray.c:7:3: runtime error: shift exponent N is too large"))
        << done.out;
    /* The child itself reads what it has printed, to know whether it may go on. */
    Done without = Find("files", {"--programs", "20", "--ignore", "shift exponent"});
    EXPECT_EQ(without.status, 0) << without.out;
    EXPECT_EQ(LastLine(without.out), "findings: 0\n");
}

TEST_F(Hunt, AllCommandsHeedReportsAndIgnore)
{
    std::string trace = Write("t.trace", "arena 0 alloc 0 1\n");
    const std::vector<std::vector<std::string>> commands = {
        {"replay", Tray("noise"), trace},
        {"explain", Tray("noise"), trace},
        {"soak", Tray("noise"), "--seed", "1", "--rounds", "3", "-o", Path("found.trace")},
    };
    for (std::vector<std::string> command : commands) {
        Done done = Run(command);
        EXPECT_EQ(done.status, 1) << command[0] << done.out << done.err;
        EXPECT_TRUE(Has(done.out, "kept every law, but: tray.c:7:3: runtime error: shift exponent"))
            << done.out;
        EXPECT_TRUE(Has(done.out, "  | tray.c:7:3: runtime error: shift exponent 1 is too large\n"))
            << done.out;
        command.insert(command.end(), {"--ignore", "tray.c:7"});
        EXPECT_EQ(Run(command).status, 0) << command[0];
    }
}

TEST_F(Hunt, AHeapOfAProcessGetsAFreshOneForEachProgram)
{
    Done shared = Find("state", {"--programs", "100"});
    EXPECT_EQ(shared.status, 1) << shared.out;
    EXPECT_TRUE(Has(shared.out, "self_check: tray N is one too many")) << shared.out;
    Done fresh = Find("fresh", {"--programs", "100"});
    EXPECT_EQ(fresh.status, 0) << fresh.out;
}

TEST_F(Hunt, AFindingThatNeedsEarlierProgramsIsMarked)
{
    Done done = Find("history", {"--programs", "64"});
    EXPECT_EQ(done.status, 1) << done.out;
    EXPECT_EQ(LastLine(done.out), "findings: 1\n") << done.out;
    EXPECT_TRUE(Has(done.out, "  -: does not fail alone; declare fresh_process if state survives "
                              "destroy\n"))
        << done.out;
    ASSERT_EQ(Folders().size(), 1u);
    EXPECT_TRUE(Has(In(Folders()[0], "report.txt"), "It does not fail when it runs alone"));
    EXPECT_FALSE(std::filesystem::exists(Path("found") + "/" + Folders()[0] + "/test.cc"));
    Done json = Find("history", {"--programs", "64", "--json"});
    EXPECT_TRUE(Has(json.out, "\"small\":null,\"reproduces\":false,")) << json.out;
}

TEST_F(Hunt, FractionOfAMinuteEndsItWithoutASignal)
{
    Done done = Find("good", {"--minutes", "0.08"});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(LastLine(done.out), "findings: 0\n") << done.out;
    EXPECT_FALSE(Has(done.out, "stopped")) << done.out;
}

TEST_F(Hunt, WrongCallsAreAnsweredWithWhatIsWrong)
{
    ExpectWrong({"hunt"}, "hunt: expected a shared object, or --adapter NAME");
    ExpectWrong({"hunt", "--adapter", "stone"},
                "no adapter is named stone (see slabmill adapters)");
    ExpectWrong({"hunt", Tray("good"), "--minutes", "1", "--programs", "1"},
                "hunt: expected one of --minutes and --programs");
    ExpectWrong({"hunt", Tray("good"), "--except", "gravity"},
                "--except gravity: no law has this name (harness/laws/laws.h)");
    ExpectWrong({"hunt", Tray("good"), "--known", Path("none")},
                "--known " + Path("none") + ": No such file or directory");
    ExpectWrong({"hunt", Tray("good"), "--jobs", "0"}, "--jobs 0: expected a number from 1 to 64");
}

TEST_F(Hunt, FoldersThatCannotBeMadeAreNamed)
{
    Done done =
        Run({"hunt", Tray("bugs"), "--programs", "64", "--seed", "1", "--out", Path("no/where")});
    EXPECT_EQ(done.status, 2) << done.out;
    EXPECT_EQ(done.err, "slabmill: " + Path("no/where") + ": No such file or directory\n");
}

TEST_F(Hunt, CtrlCEndsItWithTheWholeReport)
{
    pid_t hunt =
        Start({"hunt", Tray("bugs"), "--seed", "1", "--minutes", "1000", "--out", Path("found")});
    EXPECT_TRUE(WaitUntil([this] {
        return std::filesystem::exists(Path("out")) &&
               Has(ReadFile(Path("out")), "found at program");
    }));
    EXPECT_EQ(kill(hunt, SIGINT), 0);
    Done done = Wait(hunt);
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_TRUE(Has(done.out, "; stopped\n  kind ")) << done.out;
    EXPECT_TRUE(std::regex_match(LastLine(done.out), std::regex("findings: [1-3]\n"))) << done.out;
}

/* The state of a process and its parent, as /proc shows them. False: there is no such process. */
bool LookAt(pid_t pid, char *state, int *parent)
{
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    size_t name_end = line.rfind(')');
    return name_end != std::string::npos &&
           std::sscanf(line.c_str() + name_end + 1, " %c %d", state, parent) == 2;
}

std::vector<pid_t> ChildrenOf(pid_t parent)
{
    std::vector<pid_t> children;
    for (const auto &entry : std::filesystem::directory_iterator("/proc")) {
        pid_t pid = std::atoi(entry.path().filename().c_str());
        char state;
        int its_parent;
        if (pid > 0 && LookAt(pid, &state, &its_parent) && its_parent == parent) {
            children.push_back(pid);
        }
    }
    return children;
}

bool Runs(pid_t pid)
{
    char state;
    int parent;
    return LookAt(pid, &state, &parent) && state != 'Z';
}

/* A hunt that has one finding, whose program does not end when it runs alone. */
class StuckHunt : public Hunt {
  protected:
    pid_t StartIt(const std::vector<std::string> &more)
    {
        std::vector<std::string> args = {"hunt",      Tray("stuck"), "--seed",    "1",
                                         "--timeout", "100000",      "--jobs",    "1",
                                         "--out",     Path("found"), "--minutes", "1000"};
        args.insert(args.end(), more.begin(), more.end());
        setenv("TRAY_STUCK", Path("gate").c_str(), 1);
        pid_t hunt = Start(args);
        std::string found = Path("found") + "/alignment/found.trace";
        EXPECT_TRUE(WaitUntil([&] { return std::filesystem::exists(found); }));
        EXPECT_TRUE(WaitUntil([&] { return !ChildrenOf(hunt).empty(); }));
        return hunt;
    }
};

TEST_F(StuckHunt, AFindingThatWasNotExaminedIsMarkedSo)
{
    for (int number : {SIGINT, SIGTERM, SIGHUP}) {
        std::filesystem::create_directories(Path("found") + "/alignment");
        Write("found/alignment/small.trace", "of an earlier hunt");
        pid_t hunt = StartIt({});
        EXPECT_EQ(kill(hunt, number), 0);
        Done done = Wait(hunt);
        EXPECT_EQ(done.status, 1) << done.err;
        EXPECT_TRUE(std::regex_search(done.out, std::regex("\n  alignment .* \\?  .*/alignment\n")))
            << done.out;
        EXPECT_TRUE(Has(done.out, "\n  ?: not examined, since the hunt ended\nfindings: 1\n"));
        EXPECT_FALSE(Has(done.out, "does not fail alone")) << done.out;
        std::string report = In("alignment", "report.txt");
        EXPECT_TRUE(Has(report, "\nIt was not examined, since the hunt ended: ")) << report;
        EXPECT_TRUE(Has(report, " of found.trace\n")) << report;
        EXPECT_TRUE(Has(report, Path("found") + "/alignment/found.trace\n")) << report;
        EXPECT_FALSE(std::filesystem::exists(Path("found") + "/alignment/small.trace"));
        std::filesystem::remove_all(Path("found"));
        std::filesystem::remove(Path("gate"));
    }
}

TEST_F(StuckHunt, JsonSaysThatItIsUnknownWhetherItFailsAlone)
{
    pid_t hunt = StartIt({"--json"});
    EXPECT_EQ(kill(hunt, SIGTERM), 0);
    Done done = Wait(hunt);
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_TRUE(Has(done.out, "\"small\":null,\"reproduces\":null,")) << done.out;
}

TEST_F(Hunt, ASignalToAllItsProcessesIsNoFinding)
{
    for (int number : {SIGINT, SIGTERM, SIGHUP}) {
        pid_t hunt = Start({"hunt", Tray("hang"), "--seed", "1", "--minutes", "1000", "--timeout",
                            "100000", "--jobs", "2", "--out", Path("found")});
        std::vector<pid_t> children;
        EXPECT_TRUE(WaitUntil([&] {
            children = ChildrenOf(hunt);
            return children.size() == 2;
        }));
        children.push_back(hunt);
        for (pid_t process : children) {
            EXPECT_EQ(kill(process, number), 0);
        }
        Done done = Wait(hunt);
        EXPECT_NE(done.status, -1);
        EXPECT_TRUE(Has(done.out, "; stopped\n")) << done.out;
        EXPECT_EQ(LastLine(done.out), "findings: 0\n") << done.out;
    }
}

TEST_F(Hunt, ReportsCountTheLinesOfTheTraces)
{
    EXPECT_EQ(Find("bugs", {"--programs", "120"}).status, 1);
    const auto lines = [](const std::string &trace) {
        return std::to_string(std::count(trace.begin(), trace.end(), '\n') - 2); /* the head */
    };
    for (const std::string &folder : Folders()) {
        std::string report = In(folder, "report.txt");
        EXPECT_TRUE(Has(report, "; operations: " + lines(In(folder, "found.trace")) +
                                    " in found.trace, " + lines(In(folder, "small.trace")) +
                                    " in small.trace\n"))
            << report;
        std::smatch at;
        ASSERT_TRUE(
            std::regex_search(report, at, std::regex("(at (operation [0-9]+|the end)) of small")))
            << report;
        Done replayed = Run(
            {"replay", "--adapter", Tray("bugs"), Path("found") + "/" + folder + "/small.trace"});
        EXPECT_TRUE(Has(replayed.out, "\n  " + at[1].str())) << replayed.out << report;
    }
}

TEST_F(Hunt, ChildrenEndWithTheirParent)
{
    pid_t hunt = Start({"hunt", Tray("hang"), "--seed", "1", "--minutes", "1000", "--timeout",
                        "100000", "--jobs", "1", "--out", Path("found")});
    std::vector<pid_t> children;
    EXPECT_TRUE(WaitUntil([&] {
        children = ChildrenOf(hunt);
        return !children.empty();
    }));
    EXPECT_EQ(kill(hunt, SIGKILL), 0);
    EXPECT_EQ(Wait(hunt).status, -1);
    for (pid_t child : children) {
        EXPECT_TRUE(WaitUntil([child] { return !Runs(child); })) << child;
    }
}

} // namespace
