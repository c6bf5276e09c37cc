/* SPDX-License-Identifier: Apache-2.0 */
/* The slabmill command: its calls, replay, adapters and seeds. */
#include <algorithm>
#include <regex>

#include <sys/stat.h>

#include "harness/base/sanitizers.h"
#include "tests/slabmill/command_fixture.h"

namespace {

using namespace slabmilltest;

/* TSan runs handlers of signals in calls that it intercepts only. So a loop without one does not say
 * which operation it is in. */
const char *const kPlace = HRN_TSAN ? "\n" : ", at operation 1: ";

const char *const kCommands[] = {"replay", "explain", "report",   "shrink", "emit-test", "check",
                                 "soak",   "hunt",    "adapters", "record", "seeds",     "export"};

/* --- Calls --- */

TEST_F(Slabmill, WithoutACommandShowsUsageAsAnError)
{
    Done done = Run({});
    EXPECT_EQ(done.status, 2);
    EXPECT_EQ(done.out, "");
    EXPECT_TRUE(Has(done.err, "usage: slabmill COMMAND")) << done.err;
}

TEST_F(Slabmill, HelpListsEveryCommandAndEachHasHelp)
{
    Done help = Run({"--help"});
    EXPECT_EQ(help.status, 0);
    for (const char *command : kCommands) {
        EXPECT_TRUE(Has(help.out, std::string("\n  ") + command + " ")) << command;
        Done own = Run({command, "--help"});
        EXPECT_EQ(own.status, 0) << command;
        EXPECT_TRUE(Has(own.out, std::string("usage: slabmill ") + command)) << own.out;
        EXPECT_EQ(own.err, "");
    }
}

TEST_F(Slabmill, HelpOfReplayShowsItsOptionsWithTheirValues)
{
    Done help = Run({"replay", "--help"});
    EXPECT_TRUE(Has(help.out, "[--classes 1|2|4|8|16] [--page 4096|16384|65536] ")) << help.out;
    EXPECT_TRUE(Has(help.out, "  --as trace|bytes "));
}

TEST_F(Slabmill, WrongCallsAreAnsweredWithWhatIsWrong)
{
    ExpectWrong({"grind"}, "unknown command grind (see slabmill --help)");
    ExpectWrong({"replay"}, "replay: expected at least one file, found 0");
    ExpectWrong({"explain"}, "explain: expected one file, found 0");
    ExpectWrong({"explain", "a", "b"}, "explain: expected one file, found 2");
    ExpectWrong({"replay", "--classes", "3", "x"}, "--classes 3: expected 1|2|4|8|16");
    ExpectWrong({"replay", "--page=8192", "x"}, "--page 8192: expected 4096|16384|65536");
    ExpectWrong({"replay", "--as", "text", "x"}, "--as text: expected trace|bytes");
    ExpectWrong({"seeds", "x"}, "seeds: -o OUT is missing");
    ExpectWrong({"soak", "--seed", "1", "--rounds", "1"},
                "soak: expected a shared object, or --adapter NAME");
    ExpectWrong({"soak", "--adapter", "slab", "--seed", "1", "--rounds", "1", "--seconds", "1"},
                "soak: expected one of --seconds, --rounds and --ops");
    ExpectWrong({"soak", "--adapter", "slab", "--seed", "x", "--rounds", "1"},
                "--seed x: expected a number below 2^64");
    ExpectWrong({"soak", "--adapter", "slab", "--seed", "1", "--rounds", "-1"},
                "--rounds -1: expected a number from 1 to 4294967294");
    ExpectWrong({"soak", "--adapter", "stone", "--seed", "1", "--rounds", "1"},
                "no adapter is named stone (see slabmill adapters)");
}

TEST_F(Slabmill, WrongOptionsAreNamed)
{
    ExpectSays({"--fast"}, "slabmill: unrecognized option '--fast'");
    ExpectSays({"-x"}, "slabmill: invalid option -- 'x'");
    ExpectSays({"replay", "--fast", "x"}, "slabmill replay: unrecognized option '--fast'");
    ExpectSays({"replay", "-f", "x"}, "slabmill replay: invalid option -- 'f'");
    ExpectSays({"soak", "--classes", "1"}, "slabmill soak: unrecognized option '--classes'");
    ExpectSays({"replay", "-o", "x", "y"}, "slabmill replay: invalid option -- 'o'");
    ExpectSays({"replay", "x", "--classes"},
               "slabmill replay: option '--classes' requires an argument");
    ExpectSays({"shrink", "x", "-o"}, "slabmill shrink: option requires an argument -- 'o'");
    ExpectSays({"adapters", "--all=yes"},
               "slabmill adapters: option '--all' doesn't allow an argument");
}

TEST_F(Slabmill, LongOptionsMayBeAbbreviatedIfUnique)
{
    Done whole = Run({"soak", "--adapter", "pool", "--seed", "7", "--rounds", "2"});
    Done cut = Run({"soak", "--ad=pool", "--see", "7", "--r", "2"});
    EXPECT_EQ(cut.status, 0) << cut.err;
    EXPECT_EQ(cut.out, whole.out);
    ExpectSays({"soak", "--ad", "pool", "--se", "7", "--r", "2"},
               "slabmill soak: option '--se' is ambiguous; possibilities: '--seconds' '--seed'");
}

TEST_F(Slabmill, OptionsMayFollowFilesUntilTwoDashes)
{
    std::string trace = Write("-x.trace", "arena 0 alloc 1 8\n");
    Done after = Run({"replay", trace, "--adapter", "slab"});
    EXPECT_EQ(after.status, 0) << after.err;
    EXPECT_EQ(Run({"replay", "--adapter=slab", "--", trace}).out, after.out);
    ExpectWrong({"replay", "--adapter=slab", "--", "--all"}, "--all: No such file or directory");
}

TEST_F(Slabmill, ShortAndLongHelpAreTheSame)
{
    EXPECT_EQ(Run({"-h"}).out, Run({"--help"}).out);
    for (const char *command : kCommands) {
        Done help = Run({command, "-h"});
        EXPECT_EQ(help.status, 0) << command;
        EXPECT_EQ(help.out, Run({command, "--help"}).out);
        EXPECT_TRUE(Has(help.out, "  -h, --help ")) << help.out;
    }
}

TEST_F(Slabmill, VersionIsThreeNumbersOnOneLine)
{
    Done done = Run({"--version"});
    EXPECT_EQ(done.status, 0);
    EXPECT_EQ(done.err, "");
    EXPECT_TRUE(std::regex_match(done.out, std::regex("slabmill [0-9]+\\.[0-9]+\\.[0-9]+\n")))
        << done.out;
}

TEST_F(Slabmill, TheManualPageHasEveryCommandWithItsOptions)
{
    Done page = Run({"--man"});
    EXPECT_EQ(page.status, 0) << page.err;
    EXPECT_EQ(page.out.find(".TH SLABMILL 1 "), 0u) << page.out;
    for (const char *command : kCommands) {
        std::string name = std::regex_replace(command, std::regex("-"), "\\-");
        EXPECT_TRUE(Has(page.out, "\n.SS slabmill " + name + " [OPTIONS]")) << name;
    }
    EXPECT_TRUE(Has(page.out, "\n.TP\n\\fB\\-\\-timeout\\fR \\fIS\\fR\nprocessor seconds after "));
    EXPECT_FALSE(std::regex_search(page.out, std::regex("\n\\.(?!TH|S[HS] |TP\n|PP\n|[BI] |br\n)")))
        << "text as a request";
}

TEST_F(Slabmill, BashCompletesCommandsAndTheirOptions)
{
    Done script = Run({"--completion"});
    EXPECT_EQ(script.status, 0) << script.err;
    std::string path = Write("completion", script.out);
    const auto complete = [&](const std::string &words, int at) {
        std::string command = "bash -c '. " + path + "; COMP_WORDS=(" + words +
                              ") COMP_CWORD=" + std::to_string(at) +
                              "; _slabmill; echo \"${COMPREPLY[*]}\"' > " + Path("words");
        EXPECT_EQ(std::system(command.c_str()), 0);
        return ReadFile(Path("words"));
    };
    EXPECT_EQ(complete("slabmill re", 1), "replay report record\n");
    EXPECT_EQ(complete("slabmill replay --a", 2), "--adapter --as --all\n");
    EXPECT_EQ(complete("slabmill record --a", 2), "\n");
    EXPECT_EQ(complete("slabmill hunt ./mi", 2), "\n") << "files are completed as usual";
}

TEST_F(Slabmill, InputsThatCannotBeUsedAreNamed)
{
    std::string missing = Path("missing.trace");
    ExpectWrong({"replay", missing}, missing + ": No such file or directory");
    ExpectWrong({"shrink", missing, "-o", Path("x")}, missing + ": No such file or directory");
    ExpectWrong({"seeds", missing, "-o", Path("x")}, missing + ": No such file or directory");
    ExpectWrong({"replay", Path("")}, Path("") + ": Is a directory");
    std::string bad = Write("bad.trace", "slab 0 create 65536\nslab 0 alloc 0\n");
    ExpectWrong({"explain", bad}, bad +
                                      ":2:15: expected a size in bytes, found the end of the line "
                                      "(if it is a fuzz input, use --as bytes)");
    ExpectWrong({"explain", "--as", "trace", bad},
                bad + ":2:15: expected a size in bytes, found the end of the line");
    std::string any = Write("any.trace", "arena 0 alloc 0 1\n");
    ExpectWrong({"replay", any}, any + ": does not name its allocator: use --adapter");
    ExpectWrong({"replay", "--adapter", "stone", any},
                "no adapter is named stone (see slabmill adapters)");
}

TEST_F(Slabmill, OutputsThatCannotBeWrittenAreNamed)
{
    std::string bad = Write("bad.trace", "arena 0 calloc 0 2000\n");
    std::string out = Path("nowhere/small.trace");
    Done done = Run({"shrink", "--adapter", "broken:dirty", bad, "-o", out});
    EXPECT_EQ(done.status, 2);
    EXPECT_EQ(done.err, "slabmill: " + out + ": No such file or directory\n");
}

/* --- Replay --- */

TEST_F(Slabmill, ReplaysRecordedSlabTracesUnderBothClassTables)
{
    struct {
        const char *path;
        const char *first;
    } const traces[] = {
        {"corpus/traces/limit_req.slab.trace", "slab, 60000 operations, 22578 refused by nginx"},
        {"corpus/traces/proxy_cache.slab.trace", "slab, 34468 operations, 10827 refused by nginx"},
    };
    for (const auto &trace : traces) {
        Done done = Run({"replay", trace.path});
        EXPECT_EQ(done.status, 0) << done.out << done.err;
        EXPECT_TRUE(Has(done.out, trace.first)) << done.out;
        EXPECT_TRUE(Has(done.out, "every law kept")) << done.out;
        EXPECT_TRUE(Has(done.out, "\n  powers of two ")) << done.out;
        size_t fine = done.out.find("\n  8 a doubling ");
        ASSERT_NE(fine, std::string::npos) << done.out;
        std::istringstream row(done.out.substr(fine + 16));
        size_t page, served, denied, used, of_pages;
        std::string of;
        row >> page >> served >> denied >> used >> of >> of_pages;
        EXPECT_EQ(page, 4096u);
        EXPECT_GT(served, 0u) << "finer classes waste less, so they serve more";
        EXPECT_EQ(denied, 0u);
        EXPECT_LE(used, of_pages);
        EXPECT_GT(used, of_pages / 2);
    }
}

TEST_F(Slabmill, ReplaysRecordedPoolTraces)
{
    Done limit = Run({"replay", "corpus/traces/requests_limit.pool.trace"});
    EXPECT_EQ(limit.status, 0) << limit.out << limit.err;
    EXPECT_TRUE(Has(limit.out, "pool, 800 pools, 19470 operations, 0 refused, ")) << limit.out;
    Done cache = Run({"replay", "corpus/traces/requests_cache.pool.trace"});
    EXPECT_EQ(cache.status, 0) << cache.out << cache.err;
    EXPECT_TRUE(Has(cache.out, "pool, 400 pools, 9711 operations, 0 refused, ")) << cache.out;
}

TEST_F(Slabmill, ReplaysOnlyWithTheGivenClassesAndPages)
{
    const char trace[] = "corpus/traces/proxy_cache.slab.trace";
    Done classes = Run({"replay", "--classes", "4", trace});
    EXPECT_EQ(classes.status, 0);
    EXPECT_TRUE(Has(classes.out, "\n  4 a doubling         4096 ")) << classes.out;
    EXPECT_FALSE(Has(classes.out, "powers of two"));
    Done page = Run({"replay", "--page", "16384", trace});
    EXPECT_EQ(page.status, 0);
    EXPECT_TRUE(Has(page.out, "\n  powers of two       16384 ")) << page.out;
    EXPECT_FALSE(Has(page.out, "a doubling "));
}

TEST_F(Slabmill, CountsRefusalsByNginxAndRefusalsHere)
{
    std::string trace = Write("t.trace", "head region_bytes=16384\n"
                                         "slab 0 alloc - 100\n"
                                         "slab 0 alloc - 100000\n"
                                         "slab 0 alloc 0 90000\n"
                                         "slab 0 alloc 1 100\n");
    Done done = Run({"replay", trace});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_TRUE(Has(done.out, "slab, 4 operations, 2 refused by nginx")) << done.out;
    EXPECT_TRUE(Has(done.out, "powers of two        4096            1             1")) << done.out;
    EXPECT_TRUE(Has(done.out, "nginx did not make: operation 4: 0 alloc #2 size 90000"))
        << done.out;
}

TEST_F(Slabmill, ReplaysBrokenLawsWithStatusOne)
{
    std::string trace = Write("t.trace", "arena 0 calloc 0 2000\n");
    EXPECT_EQ(Run({"replay", "--adapter", "slab", trace}).status, 0);
    Done done = Run({"replay", "--adapter", "broken:dirty", trace});
    EXPECT_EQ(done.status, 1);
    EXPECT_TRUE(Has(done.out, "broken:dirty broke law zeroing: calloc's bytes are all zero\n"))
        << done.out;
    EXPECT_TRUE(Has(done.out, "at operation 0: 0 calloc #0 size 2000\n")) << done.out;
}

TEST_F(Slabmill, WhatTheEndOfAProgramBreaksIsSaidToBeAtTheEnd)
{
    std::string trace = Write("t.trace", "arena 0 alloc 0 17\n");
    Done replayed = Run({"replay", "--adapter", "broken:half_merge", trace});
    EXPECT_EQ(replayed.status, 1);
    EXPECT_TRUE(Has(replayed.out, "\n  at the end\n")) << replayed.out;
    Done explained = Run({"explain", "--adapter", "broken:half_merge", trace});
    EXPECT_TRUE(Has(explained.out, ", at the end\n")) << explained.out;
}

TEST_F(Slabmill, RefusedRequestsAreNamedWithTheAlignmentThatWasAskedFor)
{
    const std::pair<const char *, const char *> requests[] = {
        {"alloc 4 8193\n", "\n  seen: 8193 bytes: "},
        {"memalign 4 8193 64\n", "\n  seen: 8193 bytes at alignment 64: "}};
    for (const auto &[request, seen] : requests) {
        std::string trace = Write("t.trace", "head region_bytes=131072 check_every=64\n"
                                             "arena 0 alloc 0 6209\narena 0 cleanup 1 11105\n"
                                             "arena 0 alloc 2 7105\narena 0 free 2\narena 0 " +
                                                 std::string(request));
        Done done = Run({"replay", "--adapter", "broken:half_merge", trace});
        EXPECT_EQ(done.status, 1) << done.err;
        EXPECT_TRUE(Has(done.out, seen)) << done.out;
    }
}

TEST_F(Slabmill, ReplaysTheOtherFilesWhenOneCannotBeRead)
{
    std::string good = Write("good.trace", "pool 0 alloc 0 1\n");
    Done done = Run({"replay", Path("missing"), good});
    EXPECT_EQ(done.status, 2);
    EXPECT_TRUE(Has(done.out, "good.trace: pool, 1 operations, 0 refused; every law kept\n"))
        << done.out;
}

TEST_F(Slabmill, ReplayNamesTheOperationWhereASanitizerFailsInItsOwnReport)
{
    if (HRN_TSAN) {
        GTEST_SKIP() << "the mill leaves TSan's handlers as they are";
    }
    std::string trace = Write("t.trace", "arena 0 alloc 0 650\narena 0 free 0\n");
    Done done = Run(
        {"replay", "--adapter", "./tests/slabmill/tray_nested.so:tray", "--timeout", "1", trace});
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_TRUE(Has(done.out, "tray exited without a report\n  at operation 1: 0 free #0\n"))
        << done.out;
}

TEST_F(Slabmill, ReplayHasALineForEachFileAndSurvivesThemAll)
{
    std::string good = Write("good.trace", "arena 0 alloc 0 10\n");
    std::string crash = Write("crash.trace", "arena 0 alloc 0 10\narena 0 alloc 1 5001\n");
    std::string last = Write("last.trace", "arena 0 alloc 0 20\n");
    Done done = Run({"replay", "--adapter", "broken:crash", good, crash, last});
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_EQ(std::count(done.out.begin(), done.out.end(), '\n'), 3) << done.out;
    EXPECT_TRUE(Has(done.out, good + ": broken:crash, 1 operations, 0 refused; every law kept\n"));
    EXPECT_TRUE(Has(done.out, crash + ": broken:crash crashed: ")) << done.out;
    EXPECT_TRUE(Has(done.out, ", at operation 1: 0 alloc #1 size 5001\n")) << done.out;
    EXPECT_TRUE(Has(done.out, last + ": broken:crash, 1 operations"));
    std::string hang = Write("hang.trace", "arena 0 alloc 0 10\narena 0 reset\n");
    done = Run({"replay", "--adapter", "broken:hang", "--timeout", "1", hang, good});
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_TRUE(Has(done.out, hang + ": broken:hang did not end in time" + kPlace)) << done.out;
    EXPECT_TRUE(Has(done.out, good + ": broken:hang, 1 operations")) << done.out;
}

TEST_F(Slabmill, APipeIsReadOnce)
{
    std::string pipe = Path("pipe");
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    pid_t command = Start({"replay", "--as", "trace", "--adapter", "slab", pipe});
    std::ofstream(pipe) << "arena 0 alloc 0 10\narena 0 free 0\n";
    Done done = Wait(command);
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_TRUE(Has(done.out, "slab, 2 operations, ")) << done.out;
}

TEST_F(Slabmill, ReplayAsJsonHasAnObjectForEachFile)
{
    std::string good = Write("good.trace", "arena 0 alloc 0 10\n");
    std::string bad = Write("bad.trace", "arena 0 calloc 0 2000\n");
    Done done = Run({"replay", "--json", "--adapter", "broken:dirty", good, bad});
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_EQ(done.out.find("{\"file\":\"" + good +
                            "\",\"adapter\":\"broken:dirty\",\"end\":\"kept\",\"operations\":1,"
                            "\"refused\":0,\"peak_bytes\":10,"),
              0u)
        << done.out;
    EXPECT_TRUE(Has(done.out,
                    "\"end\":\"law\",\"text\":\"broke law zeroing: calloc's bytes are all "
                    "zero\",\"seen\":\"byte 1999 of 2000 "))
        << done.out;
    EXPECT_TRUE(Has(done.out, ",\"operation\":0}\n")) << done.out;
}

TEST_F(Slabmill, DistinguishesTracesFromFuzzInputsByTheirBytes)
{
    std::string bytes = Write("input", std::string("\1\0\0\0\0\0\0\0", 8) + std::string(32, '\0'));
    std::string text = Write("text", "# no ending in its name\nslab 0 alloc 0 1\n");
    EXPECT_TRUE(Has(Run({"explain", "--adapter", "slab", bytes}).out, "read as bytes"));
    EXPECT_TRUE(Has(Run({"explain", "--adapter", "slab", text}).out, "read as a trace"));
    EXPECT_TRUE(
        Has(Run({"explain", "--adapter", "slab", "--as", "bytes", text}).out, "read as bytes"));
    EXPECT_EQ(Run({"explain", "--adapter", "slab", "--as", "trace", bytes}).status, 2);
}

/* --- Adapters and seeds --- */

TEST_F(Slabmill, AdaptersListsOperationsAndBrokenOnesOnlyWithAll)
{
    Done done = Run({"adapters"});
    EXPECT_EQ(done.status, 0);
    EXPECT_TRUE(Has(done.out, "pool: alloc nalloc calloc ")) << done.out;
    EXPECT_TRUE(Has(done.out, "slab: alloc calloc memalign free ")) << done.out;
    EXPECT_TRUE(Has(done.out, "malloc: alloc ")) << done.out;
    EXPECT_FALSE(Has(done.out, "broken")) << done.out;
    Done all = Run({"adapters", "--all"});
    EXPECT_TRUE(Has(all.out, "\nbroken:interior: free accepts pointers ")) << all.out;
    EXPECT_TRUE(Has(all.out, "\nbroken:overlap: ")) << all.out;
}

TEST_F(Slabmill, AdaptersListsThoseOfSharedObjects)
{
    Done done = Run({"adapters", "./tests/slabmill/tray_good.so"});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(done.out.find("tray: alloc free resize "), 0u) << done.out;
    EXPECT_EQ(std::count(done.out.begin(), done.out.end(), '\n'), 1) << done.out;
}

TEST_F(Slabmill, ProbeOfABrokenAllocatorSaysSoAndExitsWithOne)
{
    Done broken = Run({"probe", "--adapter", "broken:overlap", "--ops", "20000"});
    EXPECT_EQ(broken.status, 1) << broken.out;
    EXPECT_TRUE(Has(broken.out, "programs broke a law or crashed\n      first: broke law "))
        << broken.out;
    Done good = Run({"probe", "--adapter", "slab", "--ops", "20000"});
    EXPECT_EQ(good.status, 0) << good.out;
    EXPECT_FALSE(Has(good.out, "broke a law")) << good.out;
    EXPECT_TRUE(Has(Run({"probe", "--help"}).out, "Exit status: 0 no program broke")) << good.out;
}

TEST_F(Slabmill, UsageShowsWhichCommandsTakeASharedObject)
{
    for (const char *command : {"replay", "explain", "report", "shrink", "emit-test"}) {
        EXPECT_TRUE(Has(Run({command, "--help"}).out, "] [FILE.so] FILE")) << command;
    }
    for (const char *command : {"check", "probe", "soak", "hunt"}) {
        EXPECT_TRUE(Has(Run({command, "--help"}).out, "] [FILE.so]\n")) << command;
    }
    EXPECT_TRUE(Has(Run({"adapters", "--help"}).out, "] [FILE.so...]\n"));
}

TEST_F(Slabmill, SeedsCutAPoolTraceIntoItsPools)
{
    std::string dir = Path("cut");
    Done done = Run({"seeds", "corpus/traces/requests_cache.pool.trace", "-o", dir});
    EXPECT_EQ(done.status, 0) << done.err;
    std::vector<std::string> args = {"replay", "--adapter", "pool", "--as", "bytes"};
    for (const auto &entry : std::filesystem::directory_iterator(dir)) {
        args.push_back(entry.path().string());
    }
    EXPECT_EQ(args.size() - 5, 400u);
    Done replayed = Run(args);
    EXPECT_EQ(replayed.status, 0) << replayed.out;
    EXPECT_EQ(std::count(replayed.out.begin(), replayed.out.end(), '\n'), 400);
}

TEST_F(Slabmill, SeedsCutSlabTracesIntoWindowsAndLeaveOthersWhole)
{
    std::string dir = Path("cut");
    std::string whole = Write("whole.trace", "arena 0 alloc 0 100\narena 0 resize 0 50\n");
    Done done = Run({"seeds", "corpus/traces/proxy_cache.slab.trace", whole, "-o", dir});
    EXPECT_EQ(done.status, 0) << done.err;
    size_t n = 0;
    for (const auto &entry : std::filesystem::directory_iterator(dir)) {
        (void)entry;
        n++;
    }
    EXPECT_EQ(n, 45295u / 400 + 1 + 1);
    Done one = Run({"explain", "--adapter", "slab", "--as", "bytes", dir + "/whole"});
    EXPECT_TRUE(Has(one.out, "slab 0 alloc 0 100\n")) << one.out;
    EXPECT_TRUE(Has(one.out, "slab 0 resize 0 50\n")) << one.out;
    std::vector<std::string> args = {"replay", "--adapter", "slab", "--as", "bytes"};
    for (size_t i = 0; i < n - 1; i++) {
        std::string number = std::to_string(i);
        args.push_back(dir + "/proxy_cache.slab-" + std::string(5 - number.size(), '0') + number);
    }
    Done windows = Run(args);
    EXPECT_EQ(windows.status, 0) << windows.out << windows.err;
    size_t n_all_served = 0;
    for (size_t at = 0; (at = windows.out.find(", 0 refused", at)) != std::string::npos; at++) {
        n_all_served++;
    }
    EXPECT_LT(n_all_served, n / 4) << "regions are too small, as in the recording";
}

} // namespace
