/* SPDX-License-Identifier: Apache-2.0 */
/* The slabmill command on programs that fail: explain, shrink, emit-test, and soak, which finds
 * them. */
#include <algorithm>
#include <cstdio>
#include <regex>

#include "tests/slabmill/command_fixture.h"

namespace {

using namespace slabmilltest;

/* Operations around a bug that it does not need. */
std::string Noise(const std::string &bug)
{
    std::string text = "head page_bytes=16384 per_doubling=4 region_bytes=2000000 check_every=1\n";
    for (int i = 0; i < 60; i++) {
        text += "arena 0 alloc " + std::to_string(1000 + i) + " " + std::to_string(8 * i) + "\n";
    }
    return text + bug + "arena 1 alloc 7 7\narena 0 drain newest\n";
}

std::string Operations(const std::string &trace)
{
    return trace.substr(trace.find("arena"));
}

TEST_F(Slabmill, ExplainMarksTheOperationAndShowsLiveObjects)
{
    std::string trace = Write("t.trace", Noise("arena 0 misuse interior 1050 3\n"));
    Done done = Run({"explain", "--adapter", "broken:interior", trace});
    EXPECT_EQ(done.status, 1);
    EXPECT_TRUE(Has(done.out, "operations 63, objects 61, arenas 2, read as a trace")) << done.out;
    EXPECT_TRUE(Has(done.out, ">     60  arena 0 misuse interior 50 3\n")) << done.out;
    EXPECT_TRUE(Has(done.out, "broke law misuse_answer: ")) << done.out;
    EXPECT_TRUE(Has(done.out, "arena 0: live objects 60, bytes asked for 14160, in a region of "
                              "2000000 bytes\n"))
        << done.out;
    EXPECT_TRUE(Has(done.out, " pages of 16384 bytes, ")) << done.out;
    EXPECT_TRUE(Has(done.out, "#47        376 bytes at +")) << done.out;
    EXPECT_TRUE(Has(done.out, "more (--all shows them)")) << done.out;
    EXPECT_FALSE(Has(done.out, "arena 1: ")) << done.out;
}

TEST_F(Slabmill, ExplainOfASoundProgramShowsItsEnd)
{
    std::string trace = Write("t.trace", "pool 0 alloc 0 100\npool 0 alloc 1 9000\n");
    Done done = Run({"explain", trace});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_TRUE(Has(done.out, "pool kept every law: ")) << done.out;
    EXPECT_TRUE(Has(done.out, "Live before the end:\narena 0: live objects 2")) << done.out;
    EXPECT_TRUE(Has(done.out, "9000 bytes at +")) << done.out;
}

TEST_F(Slabmill, AReportShowsTheLoadTheSizesAndTheFailure)
{
    std::string trace = Write("<t>.trace", "arena 0 burst 0 200 5\narena 0 alloc 5 5000\n"
                                           "arena 0 free 5\narena 0 alloc 6 9000000000000\n"
                                           "arena 0 calloc 7 2000\n");
    std::string page = trace + ".html";
    Done done = Run({"report", "--adapter", "broken:dirty", trace});
    EXPECT_EQ(done.status, 1) << done.err;
    EXPECT_EQ(done.out, page + "\n");
    std::string text = ReadFile(page);
    EXPECT_EQ(text.find("<!DOCTYPE html>"), 0u);
    EXPECT_TRUE(Has(text, "&#60;t&#62;.trace</h1>\n<p>5 operations, 8 objects, 1 arenas; run over "
                          "broken:dirty."));
    EXPECT_TRUE(Has(text, "<p>At most 6000, if ")) << text;
    EXPECT_TRUE(Has(text, "<td>alloc</td><td>2</td>")) << text;
    EXPECT_TRUE(Has(text, "<td>128 to 255 bytes</td><td>5</td>")) << text;
    EXPECT_TRUE(Has(text, "\n&#62;      4  arena 0 calloc 7 2000\n")) << text;
    EXPECT_TRUE(Has(text, "broken:dirty broke law zeroing")) << text;
    EXPECT_FALSE(Has(text, "http")) << "it needs no network";
    Done sound = Run({"report", "--adapter", "slab", trace});
    EXPECT_EQ(sound.status, 0) << sound.err;
    EXPECT_EQ(sound.out, trace + "-2.html\n") << "the first page stays";
}

TEST_F(Slabmill, ShrinkLeavesOnlyWhatTheBugNeeds)
{
    struct {
        const char *adapter;
        std::string bug;
        const char *left;
        bool slow; /* each run that hangs takes a second */
    } const bugs[] = {
        {"broken:interior", "arena 0 misuse interior 1050 3\n",
         "arena 0 alloc 0 2\narena 0 misuse interior 0 0\n", false},
        {"broken:dirty", "arena 0 calloc 1 5000\n", "arena 0 calloc 0 1001\n", false},
        {"broken:crash", "arena 0 burst 1 9000 3\n", "arena 0 alloc 0 5001\n", false},
        {"broken:hang", "arena 0 reset\n", "arena 0 reset\n", true},
    };
    for (const auto &bug : bugs) {
        std::string trace = Write("t.trace", Noise(bug.bug));
        std::string small = Path("small.trace");
        Done done = Run({"shrink", "--adapter", bug.adapter, "--timeout", "1", trace, "-o", small});
        EXPECT_EQ(done.status, 0) << done.out << done.err;
        EXPECT_EQ(Operations(ReadFile(small)), bug.left) << bug.adapter;
        EXPECT_TRUE(Has(done.out, " operations made ")) << done.out;
        if (bug.slow) {
            continue;
        }
        Done again =
            Run({"shrink", "--adapter", bug.adapter, "--timeout", "1", small, "-o", small});
        EXPECT_EQ(again.status, 0);
        EXPECT_EQ(Operations(ReadFile(small)), bug.left);
    }
}

TEST_F(Slabmill, ShrinkWritesNextToItsInputAndOverwritesNothing)
{
    std::string trace = Write("t.trace", "arena 0 calloc 1 5000\narena 0 free 1\n");
    std::string first = Path("t.small.trace");
    std::string second = Path("t-2.small.trace");
    Done done = Run({"shrink", "--adapter", "broken:dirty", trace});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_TRUE(Has(done.out, "\n2 operations made 1 in ")) << done.out;
    EXPECT_TRUE(Has(done.out, "\nthe small program is in " + first + "\n")) << done.out;
    EXPECT_EQ(Operations(ReadFile(first)), "arena 0 calloc 0 1001\n");
    std::ofstream(first) << "mine";
    done = Run({"shrink", "--adapter", "broken:dirty", trace});
    EXPECT_TRUE(Has(done.out, "\nthe small program is in " + second + "\n")) << done.out;
    EXPECT_EQ(Operations(ReadFile(second)), "arena 0 calloc 0 1001\n");
    EXPECT_EQ(ReadFile(first), "mine");
}

TEST_F(Slabmill, ShrinkStopsAtItsLimitOfRunsAndReportsIt)
{
    std::string trace = Write("t.trace", Noise("arena 0 calloc 1 5000\n"));
    std::string small = Path("small.trace");
    Done done = Run({"shrink", "--adapter", "broken:dirty", "--runs", "3", trace, "-o", small});
    EXPECT_EQ(done.status, 0);
    EXPECT_TRUE(Has(done.out, "in 3 runs (not the end: more --runs would go on)")) << done.out;
    EXPECT_EQ(Run({"replay", "--adapter", "broken:dirty", small}).status, 1);
}

TEST_F(Slabmill, ShrinkAndEmitTestRefuseSoundPrograms)
{
    std::string trace = Write("t.trace", "slab 0 alloc 0 10\n");
    std::string message = trace + ": keeps every law under slab in this build: nothing to do";
    ExpectWrong({"shrink", trace, "-o", Path("small.trace")}, message);
    ExpectWrong({"emit-test", trace}, message);
    EXPECT_FALSE(std::filesystem::exists(Path("small.trace")));
}

TEST_F(Slabmill, CrashesAndHangsAreExplained)
{
    std::string crash = Write("c.trace", Noise("arena 0 alloc 1 5001\n"));
    Done done = Run({"explain", "--adapter", "broken:crash", crash});
    EXPECT_EQ(done.status, 1);
    EXPECT_TRUE(Has(done.out, ">     60  arena 0 alloc 60 5001\n")) << done.out;
    EXPECT_TRUE(Has(done.out, "broken:crash crashed: ")) << done.out;
    EXPECT_TRUE(Has(done.out, "arena 0: live objects 60, ")) << done.out;
    std::string hang = Write("h.trace", Noise("arena 0 reset\n"));
    done = Run({"explain", "--adapter", "broken:hang", "--timeout", "1", hang});
    EXPECT_EQ(done.status, 1);
    EXPECT_TRUE(Has(done.out, ">     60  arena 0 reset\n")) << done.out;
    EXPECT_TRUE(Has(done.out, "broken:hang did not end in time")) << done.out;
}

TEST_F(Slabmill, EmittedTestsAreNamedByTheirClaim)
{
    std::string trace = Write("t.trace", "arena 0 calloc 0 1001\n");
    Done done = Run({"emit-test", "--adapter", "broken:dirty", trace});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_TRUE(Has(done.out, "TEST(BrokenDirtyHarness, CallocsBytesAreAllZeroAtCalloc)\n"))
        << done.out;
    Done named = Run({"emit-test", "--name", "stays zero", "--adapter", "broken:dirty", trace});
    EXPECT_TRUE(Has(named.out, "TEST(BrokenDirtyHarness, StaysZero)\n")) << named.out;
}

/* --- Soak --- */

TEST_F(Slabmill, SoakIsTheSameOnlyForTheSameSeed)
{
    for (const char *adapter : {"malloc", "pool", "slab"}) {
        Done one = Run({"soak", "--adapter", adapter, "--seed", "7", "--rounds", "4"});
        Done two = Run({"soak", "--adapter", adapter, "--seed", "7", "--rounds", "4"});
        Done other = Run({"soak", "--adapter", adapter, "--seed", "8", "--rounds", "4"});
        EXPECT_EQ(one.status, 0) << one.out << one.err;
        EXPECT_EQ(one.out, two.out);
        EXPECT_NE(one.out.substr(one.out.find("rounds")),
                  other.out.substr(other.out.find("rounds")));
        EXPECT_TRUE(Has(one.out, "4 rounds, ")) << one.out;
        EXPECT_TRUE(Has(one.err, "slabmill: ops=")) << one.err;
        EXPECT_TRUE(Has(one.err, " execs=4 seconds=")) << one.err;
    }
}

TEST_F(Slabmill, SoakWithoutOptionsRunsAMillionOperationsFromANewSeedThatItPrints)
{
    std::regex first("^slab, seed ([0-9]+)\n");
    std::smatch one, two;
    Done done = Run({"soak", "--adapter", "slab"});
    EXPECT_EQ(done.status, 0) << done.err;
    ASSERT_TRUE(std::regex_search(done.out, one, first)) << done.out;
    unsigned long ops = 0;
    EXPECT_EQ(std::sscanf(done.err.c_str(), "slabmill: ops=%lu", &ops), 1) << done.err;
    EXPECT_GE(ops, 1000000u);
    EXPECT_LT(ops, 1100000u);
    Done again = Run({"soak", "--adapter", "slab", "--seed", one[1]});
    EXPECT_EQ(one[0].str() + again.out, done.out);
    Done other = Run({"soak", "--adapter", "slab", "--rounds", "1"});
    ASSERT_TRUE(std::regex_search(other.out, two, first)) << other.out;
    EXPECT_NE(one[1], two[1]);
}

TEST_F(Slabmill, ASoakThatCannotSaveItsProgramsFails)
{
    std::string dir = Path("saved");
    std::string blocked = dir + "/soak-slab-1-00002";
    std::filesystem::create_directories(blocked);
    Done done =
        Run({"soak", "--adapter", "slab", "--seed", "1", "--rounds", "9", "--save-seeds", dir});
    EXPECT_EQ(done.status, 2);
    EXPECT_EQ(done.out, "");
    EXPECT_TRUE(Has(done.err, "slabmill: " + blocked + ": Is a directory\nslabmill: ops="))
        << done.err;
}

TEST_F(Slabmill, SoakEndsAfterItsSeconds)
{
    Done done = Run({"soak", "--adapter", "slab", "--seed", "1", "--seconds", "1"});
    EXPECT_EQ(done.status, 0) << done.out << done.err;
    EXPECT_FALSE(Has(done.out, " 0 rounds")) << done.out;
}

TEST_F(Slabmill, SoakWritesTheFailingProgramAndItsSeed)
{
    for (const char *adapter : {"broken:interior", "broken:dirty", "broken:crash"}) {
        std::string out = Path("found.trace");
        std::vector<std::string> args = {"soak", "--adapter", adapter, "--seed", "3", "--rounds",
                                         "300",  "--timeout", "1",     "-o",     out};
        Done done = Run(args);
        EXPECT_EQ(done.status, 1) << adapter << done.out << done.err;
        EXPECT_TRUE(Has(done.out, "seed 3, round ")) << done.out;
        EXPECT_TRUE(Has(done.out, "the program is in " + out)) << done.out;
        std::string first = ReadFile(out);
        EXPECT_NE(Run({"replay", "--adapter", adapter, out}).status, 0);
        EXPECT_EQ(Run(args).status, 1);
        EXPECT_EQ(ReadFile(out), first) << adapter;
    }
}

TEST_F(Slabmill, FailedSoakCountsTheFailingRoundAndItsOperations)
{
    for (const char *adapter : {"broken:dirty", "broken:crash"}) {
        Done done = Run({"soak", "--adapter", adapter, "--seed", "3", "--rounds", "300", "-o",
                         Path("found.trace")});
        unsigned round = 0, ops = 0, execs = 0;
        EXPECT_EQ(std::sscanf(done.out.c_str(), "%*[^,], seed 3, round %u", &round), 1) << done.out;
        EXPECT_EQ(std::sscanf(done.err.c_str(), "slabmill: ops=%u execs=%u", &ops, &execs), 2)
            << done.err;
        EXPECT_EQ(execs, round + 1) << adapter;
        EXPECT_GT(ops, 0u) << adapter;
    }
}

TEST_F(Slabmill, SoakAndShrinkReducePlantedBugsToAFewOperations)
{
    for (const char *bug : {"half_merge", "create_stale", "cleanup_late", "reuse_twice",
                            "resize_loses", "leak_on_refusal", "pool_wasteful", "slab_keeps"}) {
        std::string adapter = std::string("broken:") + bug;
        std::string found = Path("found.trace");
        std::string small = Path("small.trace");
        Done soak =
            Run({"soak", "--adapter", adapter, "--seed", "1", "--rounds", "300", "-o", found});
        EXPECT_EQ(soak.status, 1) << bug << soak.out;
        Done shrink = Run({"shrink", "--adapter", adapter, found, "-o", small});
        EXPECT_EQ(shrink.status, 0) << bug << shrink.err;
        EXPECT_FALSE(Has(shrink.out, "not the end")) << shrink.out;
        std::string left = ReadFile(small);
        EXPECT_LE(std::count(left.begin(), left.end(), '\n'), 2 + 12) << bug << ": " << left;
        EXPECT_EQ(Run({"replay", "--adapter", adapter, small}).status, 1) << bug;
    }
}

TEST_F(Slabmill, SoakSavesItsProgramsAsFuzzInputs)
{
    std::string dir = Path("saved");
    Done done =
        Run({"soak", "--adapter", "slab", "--seed", "2", "--rounds", "5", "--save-seeds", dir});
    EXPECT_EQ(done.status, 0) << done.err;
    size_t n = 0;
    for (const auto &entry : std::filesystem::directory_iterator(dir)) {
        n++;
        Done replayed =
            Run({"replay", "--adapter", "slab", "--as", "bytes", entry.path().string()});
        EXPECT_EQ(replayed.status, 0) << replayed.out;
    }
    EXPECT_EQ(n, 5u);
}

} // namespace
