/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill record, and replay --region: a command's calls of malloc as a trace. */
#include <algorithm>
#include <csignal>
#include <regex>

#include "harness/base/sanitizers.h"
#include "tests/slabmill/command_fixture.h"

namespace {

using namespace slabmilltest;

const char kProgram[] = "tests/slabmill/record_me";

class Record : public Slabmill {
  protected:
    void SetUp() override
    {
        Slabmill::SetUp();
#if HRN_ASAN || HRN_TSAN
        GTEST_SKIP() << "the sanitizer's malloc comes before the recorder's";
#endif
    }

    /* The lines of the trace. */
    std::string Of(const std::vector<std::string> &command) const
    {
        std::vector<std::string> args = {"record", "-o", Path("t.trace"), "--"};
        args.insert(args.end(), command.begin(), command.end());
        Done done = Run(args);
        EXPECT_EQ(done.status, 0) << done.out << done.err;
        EXPECT_TRUE(Has(done.out, Path("t.trace") + ": operations ")) << done.out;
        return ReadFile(Path("t.trace"));
    }
};

size_t Count(const std::string &text, const std::string &pattern)
{
    std::regex regex(pattern);
    return static_cast<size_t>(
        std::distance(std::sregex_iterator(text.begin(), text.end(), regex), {}));
}

TEST_F(Record, EachFunctionOfMallocsFamilyIsALine)
{
    std::string trace = Of({kProgram});
    std::smatch id;
    ASSERT_TRUE(std::regex_search(trace, id, std::regex("arena 0 alloc ([0-9]+) 1001\n")));
    std::string object = id[1];
    EXPECT_TRUE(Has(trace, "arena 0 alloc " + object + " 1001\narena 0 resize " + object +
                               " 1002\narena 0 resize " + object + " 3003\narena 0 free " + object +
                               "\narena 0 calloc "));
    EXPECT_EQ(Count(trace, "calloc [0-9]+ 4004\n"), 1u);
    EXPECT_EQ(Count(trace, "memalign [0-9]+ 1088 64\n"), 1u);
    EXPECT_EQ(Count(trace, "memalign [0-9]+ 1005 128\n"), 1u);
    EXPECT_EQ(Count(trace, "memalign [0-9]+ 1006 256\n"), 1u);
    EXPECT_EQ(Count(trace, "alloc [0-9]+ 1007\n"), 1u);
    EXPECT_EQ(Count(trace, "alloc - 9223372036854775807\n"), 1u);
}

TEST_F(Record, ThreadsAreInOneOrderAndChildrenLeftOut)
{
    std::string trace = Of({kProgram});
    EXPECT_EQ(Count(trace, "alloc [0-9]+ 2000\n"), 4000u);
    EXPECT_EQ(Count(trace, "alloc [0-9]+ 3333\n"), 0u);
    EXPECT_EQ(Count(trace, "alloc [0-9]+ 5555\n"), 1u) << "recording goes on after fork";
    EXPECT_EQ(Run({"replay", "--adapter", "malloc", Path("t.trace")}).status, 0);
}

TEST_F(Record, ACommandThatIsKilledLosesNoLine)
{
    std::string trace = Of({kProgram, "kill"});
    EXPECT_TRUE(std::regex_search(trace, std::regex("alloc [0-9]+ 5555\n$")));
    EXPECT_TRUE(Has(ReadFile(Path("out")), "ended by signal 9"));
}

TEST_F(Record, AfterExecTheNewProgramIsRecorded)
{
    std::string trace = Of({kProgram, "exec", kProgram});
    EXPECT_EQ(Count(trace, "alloc [0-9]+ 4444\n"), 0u);
    EXPECT_EQ(Count(trace, "alloc [0-9]+ 5555\n"), 1u);
}

TEST_F(Record, OtherCommandsTakeTheTrace)
{
    (void)Of({kProgram});
    std::string trace = Path("t.trace");
    Done explained = Run({"explain", "--adapter", "slab", trace});
    EXPECT_EQ(explained.status, 0) << explained.out;
    EXPECT_TRUE(Has(explained.out, "read as a trace")) << explained.out;
    Done shrunk = Run({"shrink", "--adapter", "broken:dirty", trace, "-o", Path("small.trace")});
    EXPECT_EQ(shrunk.status, 0) << shrunk.err;
    EXPECT_TRUE(Has(ReadFile(Path("small.trace")), "arena 0 calloc 0 1001\n"));
}

TEST_F(Record, WrongCallsAreAnsweredWithWhatIsWrong)
{
    ExpectWrong({"record"}, "record: expected at least one file, found 0");
    ExpectWrong({"record", "-o", Path("x"), "--", "./no-such-command"},
                "./no-such-command: No such file or directory");
    ExpectWrong({"record", "-o", Path("x"), "--", "/"}, "/: Permission denied");
    EXPECT_FALSE(std::filesystem::exists(Path("x")));
    ExpectWrong({"record", "-o", "/dev/null", "--", "true"}, "/dev/null: not a regular file");
    ExpectWrong({"record", "-o", Path("no/where"), "--", "true"},
                Path("no/where") + ": No such file or directory");
}

TEST_F(Record, ATraceThatExistsIsReplacedOnlyByAWholeOne)
{
    std::string trace = Write("t.trace", "mine");
    ExpectWrong({"record", "-o", trace, "--", "./no-such-command"},
                "./no-such-command: No such file or directory");
    EXPECT_EQ(ReadFile(trace), "mine");
    Done nothing = Run({"record", "-o", trace, "--", kProgram, "nothing"});
    EXPECT_EQ(nothing.status, 2) << nothing.out;
    EXPECT_TRUE(Has(nothing.err, "nothing was recorded")) << nothing.err;
    EXPECT_EQ(ReadFile(trace), "mine");
    EXPECT_TRUE(Has(Of({kProgram}), "arena 0 alloc "));
    size_t n_files = 0;
    for (const auto &entry : std::filesystem::directory_iterator(Path(""))) {
        n_files += entry.path().filename() != "out" && entry.path().filename() != "err";
    }
    EXPECT_EQ(n_files, 1u) << "only the trace is left";
}

TEST_F(Record, WithoutANameTheTraceIsANewFile)
{
    std::ofstream("record_me.trace") << "mine";
    Done done = Run({"record", "--", kProgram});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_TRUE(Has(done.out, "/record_me-2.trace: operations ")) << done.out;
    EXPECT_EQ(ReadFile("record_me.trace"), "mine");
    EXPECT_TRUE(Has(ReadFile("record_me-2.trace"), "arena 0 alloc "));
    std::filesystem::remove("record_me.trace");
    std::filesystem::remove("record_me-2.trace");
}

TEST_F(Record, TheExitStatusOfTheCommandIsNoFailureOfTheRecording)
{
    Done done = Run({"record", "-o", Path("t.trace"), "--", "sh", "-c", "exit 127"});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_TRUE(Has(done.out, "sh: exit status 127\n")) << done.out;
}

TEST_F(Record, ASignalToEndReachesTheCommandAndTheTraceIsWritten)
{
    pid_t record = Start({"record", "-o", Path("t.trace"), "--", kProgram, "wait", Path("ready")});
    while (!std::filesystem::exists(Path("ready"))) {
        usleep(10000);
    }
    EXPECT_EQ(kill(record, SIGTERM), 0);
    Done done = Wait(record);
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_TRUE(Has(done.out, "ended by signal 15")) << done.out;
    EXPECT_TRUE(std::regex_search(ReadFile(Path("t.trace")), std::regex("alloc [0-9]+ 5555\n")));
}

/* Whether a process that runs has that parent. */
bool HasChild(pid_t parent)
{
    for (const auto &process : std::filesystem::directory_iterator("/proc")) {
        std::ifstream file(process.path() / "stat");
        std::string stat;
        std::getline(file, stat); /* nothing, if it is no process, or ended meanwhile */
        size_t end = stat.rfind(')');
        if (end != std::string::npos && stat.size() > end + 4 &&
            atoi(stat.c_str() + end + 4) == parent) {
            return true;
        }
    }
    return false;
}

/* Before the command has run, too. */
TEST_F(Record, ASignalToEndIsForwardedAsSoonAsThereIsACommand)
{
    for (int i = 0; i < 5; i++) {
        pid_t record = Start({"record", "-o", Path("t.trace"), "--", kProgram, "wait", Path("x")});
        while (!HasChild(record)) {
        }
        EXPECT_EQ(kill(record, SIGTERM), 0);
        Done done = Wait(record);
        EXPECT_TRUE(Has(done.out, "ended by signal 15")) << done.status << done.out << done.err;
    }
}

TEST_F(Record, RecordAndReplayCountTheSameOperations)
{
    std::string trace = Of({kProgram});
    std::string lines = std::to_string(std::count(trace.begin(), trace.end(), '\n'));
    EXPECT_TRUE(Has(trace, " - ")) << "a refused request";
    EXPECT_TRUE(Has(ReadFile(Path("out")), ": operations " + lines + ", "));
    Done replayed = Run({"replay", "--adapter", "malloc", Path("t.trace")});
    EXPECT_TRUE(Has(replayed.out, " arenas, " + lines + " operations, ")) << replayed.out;
    Done measured = Run({"replay", "--region", "8388608", Path("t.trace")});
    EXPECT_TRUE(Has(measured.out, ": " + lines + " operations, ")) << measured.out;
    Done explained = Run({"explain", "--adapter", "malloc", Path("t.trace")});
    EXPECT_TRUE(Has(explained.out, ": operations " + lines + " (")) << explained.out;
}

/* --- replay --region --- */

TEST_F(Record, ReplayWithARegionHasARowForEachAdapter)
{
    (void)Of({kProgram});
    Done done = Run({"replay", "--region", "8388608", Path("t.trace")});
    EXPECT_EQ(done.status, 0) << done.out << done.err;
    EXPECT_EQ(Count(done.out, "\n  malloc +1 +[0-9]+ +- +- +[0-9]+  kept every law\n"), 1u)
        << done.out;
    EXPECT_EQ(Count(done.out, "\n  slab +1 +[0-9]+ +[0-9]+ +[0-9.]+ % +[0-9]+  kept every law\n"),
              1u)
        << done.out;
    EXPECT_EQ(Count(done.out, "\n  pool +1 "), 1u) << done.out;
}

TEST_F(Record, SmallRegionsRefuseMoreAndAreFilledFurther)
{
    std::string trace = Write("t.trace", "arena 0 burst 0 1000 200\narena 0 alloc 200 1000\n");
    Done small = Run({"replay", "--region", "65536", "--adapter", "slab", "--json", trace});
    Done large = Run({"replay", "--region", "1048576", "--adapter", "slab", "--json", trace});
    EXPECT_EQ(small.status, 0) << small.out;
    EXPECT_TRUE(Has(large.out, "\"end\":\"kept\",\"region\":1048576,\"operations\":2,\"calls\":201,"
                               "\"refused\":0,\"asked_bytes\":201000,\"taken_bytes\":"))
        << large.out;
    std::smatch refused;
    ASSERT_TRUE(std::regex_search(small.out, refused, std::regex("\"refused\":([0-9]+),")));
    EXPECT_GE(std::stoi(refused[1]), 201 - 65) << small.out;
    EXPECT_LT(std::stoi(refused[1]), 201 - 40) << small.out;
}

TEST_F(Record, ABrokenAdapterIsARowOfTheTable)
{
    std::string trace = Write("t.trace", "arena 0 alloc 0 5001\n");
    Done done =
        Run({"replay", "--region", "65536", "--adapter", "slab,broken:crash,malloc", trace});
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_EQ(Count(done.out, "\n  slab .* kept every law\n"), 1u) << done.out;
    EXPECT_EQ(Count(done.out, "\n  broken:crash .* crashed: .*\n"), 1u) << done.out;
    EXPECT_EQ(Count(done.out, "\n  malloc .* kept every law\n"), 1u) << done.out;
    ExpectWrong({"replay", "--region", "65536", "--adapter", "slab,stone", trace},
                "no adapter is named stone (see slabmill adapters)");
}

} // namespace
