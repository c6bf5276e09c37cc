/* SPDX-License-Identifier: Apache-2.0 */
/* Every command of slabmill, called wrongly: it says what is wrong and where, its exit status is 2,
 * and no file is lost. */
#include <cstring>

#include <sys/stat.h>

#include "tests/slabmill/command_fixture.h"

namespace {

using namespace slabmilltest;

using Args = std::vector<std::string>;

const char kGood[] = "./tests/slabmill/tray_good.so";
const char kNewer[] = "./tests/slabmill/tray_newer.so";
const char kWithoutAdapter[] = "./tools/slabmill/slabmill_record.so";

/* Commands of programs, each with what else it needs. */
const Args kOfPrograms[] = {{"replay"}, {"explain"}, {"report"}, {"shrink"}, {"emit-test"}};
/* Commands of adapters, each as short as it can be. */
const Args kOfAdapters[] = {{"check", "--ops", "100"},
                            {"probe", "--ops", "100"},
                            {"soak", "--rounds", "1"},
                            {"hunt", "--programs", "1"}};

Args With(Args args, const Args &more)
{
    args.insert(args.end(), more.begin(), more.end());
    return args;
}

class WrongCalls : public Slabmill {
  protected:
    /* The file is what a command of programs gets. */
    void ExpectNoProgram(const std::string &file, const std::string &message) const
    {
        for (const Args &command : kOfPrograms) {
            ExpectWrong(With(command, {"--adapter", "slab", file}), message);
        }
    }
    /* The file is what commands get as an adapter. */
    void ExpectNoAdapter(const std::string &file, const std::string &message) const
    {
        for (const Args &command : kOfAdapters) {
            ExpectWrong(With(command, {file}), message);
            ExpectWrong(With(command, {"--adapter", file}), message);
        }
        ExpectWrong({"adapters", file}, message);
        ExpectWrong({"replay", "--adapter", file, Write("one.trace", "arena 0 alloc 0 1\n")},
                    message);
    }
    void SetUp() override
    {
        Slabmill::SetUp();
        ASSERT_EQ(mkdir(Path("folder").c_str(), 0700), 0);
    }
};

TEST_F(WrongCalls, ProgramsThatCannotBeReadAreNamed)
{
    ExpectNoProgram(Path("none"), Path("none") + ": No such file or directory");
    ExpectNoProgram(Path("folder"), Path("folder") + ": Is a directory");
    std::string junk = Write("junk.trace", std::string("\0\1\2\3\n", 5) + "xyz\n");
    ExpectNoProgram(junk, junk + ":1:1: expected text without zero bytes, found '?' (if it is "
                                 "a fuzz input, use --as bytes)");
    if (geteuid() != 0) { /* root reads everything */
        std::string secret = Write("secret", "arena 0 alloc 0 1\n");
        ASSERT_EQ(chmod(secret.c_str(), 0), 0);
        ExpectNoProgram(secret, secret + ": Permission denied");
    }
}

TEST_F(WrongCalls, AProgramWithoutOperationsProvesNothing)
{
    std::string empty = Write("empty", "");
    ExpectNoProgram(empty, empty + ": an empty file (if it is a fuzz input, use --as bytes)");
    std::string bare = Write("bare.trace", "head region_bytes=65536\n");
    ExpectNoProgram(bare, bare + ": no operation in it");
    EXPECT_EQ(Run({"replay", "--adapter", "slab", "--as", "bytes", empty}).status, 0);
}

TEST_F(WrongCalls, AdaptersThatCannotBeLoadedAreNamed)
{
    std::string none = Path("none.so");
    ExpectNoAdapter(none, none + ": cannot open shared object file: No such file or directory");
    for (const std::string &file :
         {Path("folder"), Write("empty.so", ""), Write("junk.so", "\1\2\3 no ELF")}) {
        ExpectNoAdapter(file, file + ": not a shared object");
    }
    ExpectNoAdapter(kWithoutAdapter, std::string(kWithoutAdapter) +
                                         ": no adapter in it (SLM_ADAPTER in slabmill/adapter.h)");
    ExpectNoAdapter(kNewer, std::string(kNewer) + ": adapter tray: made for version 2 of "
                                                  "adapter.h, and this mill knows 1 to 1");
}

TEST_F(WrongCalls, NamesAndFilesOfAdaptersAreDistinguished)
{
    ExpectWrong({"check", "slab"},
                "slab: no such file; for the adapter of this name use --adapter slab");
    ExpectWrong({"check", "--adapter", "stone"},
                "no adapter is named stone (see slabmill adapters)");
    ExpectWrong({"check", "--adapter", std::string(kGood) + ":stone"},
                std::string(kGood) + ": no adapter is named stone in it");
    ExpectWrong({"check", kGood, "--adapter", "slab"},
                std::string(kGood) + ": one adapter at a time; another is named by --adapter");
    ExpectWrong({"replay", kGood},
                "replay: expected at least one file besides the adapter, found 0");
    ExpectWrong({"explain", kGood}, "explain: expected one file besides the adapter, found 0");
}

TEST_F(WrongCalls, CommandsOfAdaptersNeedOne)
{
    for (const Args &command : kOfAdapters) {
        ExpectWrong(command, command[0] + ": expected a shared object, or --adapter NAME");
    }
}

TEST_F(WrongCalls, AnOptionIsGivenOnceUnlessItIsAList)
{
    ExpectWrong({"soak", "--seed", "1", "--seed", "2"}, "--seed is given twice");
    ExpectWrong({"replay", "--adapter", "slab", "--ad", "pool", "x"}, "--adapter is given twice");
    ExpectWrong({"replay", "--json", "--json", "x"}, "--json is given twice");
    ExpectWrong({"shrink", "-o", "x", "-oy", "z"}, "-o is given twice");
    EXPECT_EQ(Run({"soak", "--adapter", "slab", "--rounds", "1", "--ignore", "x", "--ignore", "y"})
                  .status,
              0);
}

TEST_F(WrongCalls, NumbersOutOfRangeAreNamedWithTheRange)
{
    const struct {
        const char *command, *option, *range;
    } options[] = {
        {"soak", "--ops", "a number from 1 to 4294967294"},
        {"soak", "--rounds", "a number from 1 to 4294967294"},
        {"soak", "--seconds", "a number from 1 to 4294967294"},
        {"soak", "--timeout", "a number from 1 to 1000000"},
        {"hunt", "--programs", "a number from 1 to 4294967294"},
        {"hunt", "--jobs", "a number from 1 to 64"},
        {"shrink", "--runs", "a number from 1 to 4294967294"},
        {"replay", "--region", "a number from 1 to 1073741824"},
        {"replay", "--classes", "1|2|4|8|16"},
        {"replay", "--page", "4096|16384|65536"},
        {"inspect", "--watch", "a number from 1 to 4294967294"},
    };
    for (const auto &[command, option, range] : options) {
        for (const char *value :
             {"0", "-1", "1x", "x", "1.5", " 1", "4294967295", "99999999999999999999", ""}) {
            ExpectWrong({command, std::string(option) + "=" + value},
                        std::string(option) + " " + value + ": expected " + range);
        }
    }
    ExpectWrong({"soak", "--seed", "18446744073709551616"},
                "--seed 18446744073709551616: expected a number below 2^64");
}

TEST_F(WrongCalls, MinutesMayHaveAFractionAndNothingElse)
{
    for (const char *value : {"0", "-1", "1x", "x", "1.", ".5", ".", " 1", "0.0001", "1e3", "1.5.5",
                              "1000000001", ""}) {
        ExpectWrong({"hunt", std::string("--minutes=") + value},
                    std::string("--minutes ") + value +
                        ": expected a number from 0.001 to 1000000000");
    }
    ExpectWrong({"hunt", "--minutes", "1.5"}, "hunt: expected a shared object, or --adapter NAME");
}

TEST_F(WrongCalls, TextsThatAreEmptyAreNamed)
{
    ExpectWrong({"check", "--adapter", ""}, "--adapter: expected NAME, found nothing");
    ExpectWrong({"record", "-o", "", "--", "true"}, "-o: expected OUT, found nothing");
    ExpectWrong({"hunt", "--out", ""}, "--out: expected DIR, found nothing");
}

TEST_F(WrongCalls, OutputsThatCannotBeWrittenAreNamedBeforeTheWork)
{
    std::string trace = Write("t.trace", "arena 0 calloc 0 2000\n");
    for (const auto &[out, why] : {std::pair{Path("no/where"), "No such file or directory"},
                                   {Path("folder"), "Is a directory"}}) {
        ExpectWrong({"shrink", "--adapter", "broken:dirty", trace, "-o", out}, out + ": " + why);
        ExpectWrong({"soak", "--adapter", "slab", "-o", out}, out + ": " + why);
    }
    for (const auto &[dir, why] :
         {std::pair{Path("no/where"), "No such file or directory"}, {trace, "Not a directory"}}) {
        ExpectWrong({"hunt", "--adapter", "slab", "--out", dir}, dir + ": " + why);
        ExpectWrong({"soak", "--adapter", "slab", "--save-seeds", dir}, dir + ": " + why);
        ExpectWrong({"seeds", trace, "-o", dir}, dir + ": " + why);
    }
    EXPECT_EQ(ReadFile(trace), "arena 0 calloc 0 2000\n");
}

TEST_F(WrongCalls, AReportDoesNotReplaceItsTrace)
{
    const char text[] = "arena 0 alloc 0 1\n";
    std::string trace = Write("t.trace", text);
    ExpectWrong({"report", "--adapter", "slab", "-o", trace, trace},
                trace + ": it is the file to read, " + trace + ", and would be lost");
    EXPECT_EQ(ReadFile(trace), text);
}

/* The program itself, and a file that the command reads. */
TEST_F(WrongCalls, ARecordReplacesNoFileOfItsCommand)
{
    std::string program = Write("program", "#!/bin/sh\nexec sort \"$@\"\n");
    std::string file = Write("file", "b\na\n");
    ASSERT_EQ(chmod(program.c_str(), 0700), 0);
    for (const std::string &out : {program, file}) {
        std::string before = ReadFile(out);
        ExpectWrong({"record", "-o", out, "--", program, file},
                    out + ": it is the file to read, " + out + ", and would be lost");
        EXPECT_EQ(ReadFile(out), before);
    }
}

TEST_F(WrongCalls, ZonesThatAreNoneAreNamed)
{
    std::string empty = Write("empty", "");
    for (const char *command : {"inspect", "unlock"}) {
        ExpectWrong({command}, std::string(command) + ": expected one file, found 0");
        ExpectWrong({command, Path("none")},
                    Path("none") + ": cannot be inspected: No such file or directory");
        ExpectWrong({command, Path("folder")},
                    Path("folder") + ": expected a zone's file, found a folder");
        ExpectWrong({command, empty},
                    empty + ": 0 bytes, too short for a zone: expected 65536 at least");
    }
    ExpectWrong({"copy", Path("none")}, "copy: expected two files, found 1");
    ExpectWrong({"copy", empty, Path("copy")},
                empty + ": 0 bytes, too short for a zone: expected 65536 at least");
}

} // namespace
