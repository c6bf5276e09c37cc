/* SPDX-License-Identifier: Apache-2.0 */
/* Traces: text to programs and back, and every way a text can be malformed. */
#include "harness/trace/trace.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace {

class Trace {
  public:
    Trace()
    {
        hrn_trace_init(&trace_);
    }
    ~Trace()
    {
        hrn_trace_fini(&trace_);
    }
    Trace(const Trace &) = delete;
    Trace &operator=(const Trace &) = delete;

    /* Returns "", or the error in the text. The copy has the text's exact size, for sanitizers. */
    std::string Parse(const std::string &text)
    {
        std::vector<char> exact(text.begin(), text.end());
        hrn_trace_error error;
        if (hrn_trace_parse(&trace_, exact.data(), exact.size(), &error)) {
            return "";
        }
        char message[HRN_TRACE_ERROR_BYTES];
        hrn_trace_error_text(&error, "t", message, sizeof message);
        return message;
    }

    std::string Print() const
    {
        size_t n_bytes;
        char *text = hrn_trace_print(&trace_, &n_bytes);
        std::string printed(text);
        EXPECT_EQ(printed.size(), n_bytes);
        std::free(text);
        return printed;
    }

    hrn_trace *operator->()
    {
        return &trace_;
    }

  private:
    hrn_trace trace_;
};

/* The head that Print writes if the text has none. */
const char kDefaultHead[] =
    "head page_bytes=4096 per_doubling=1 min_object_bytes=8 gap_bytes=0 region_bytes=131072 "
    "block_bytes=4096\n"
    "head flags=0 check_every=64 fault_nth=0 fault_count=0 content_seed=0\n";

void DecodeRandom(unsigned seed, hrn_program *program)
{
    std::mt19937 random(seed);
    std::vector<uint8_t> bytes(random() % 2000);
    for (uint8_t &byte : bytes) {
        byte = static_cast<uint8_t>(random());
    }
    if (seed % 2 == 0 && !bytes.empty()) {
        bytes[0] = HRN_VERSION;
    }
    hrn_program_decode(program, bytes.data(), bytes.size());
    hrn_program_normalize(program);
}

TEST(TraceText, ReturnsEveryProgramFromBytes)
{
    uint64_t n_kind[HRN_KIND_COUNT] = {};
    for (unsigned seed = 0; seed < 500; seed++) {
        Trace first;
        DecodeRandom(seed, &first->program);
        first->word = static_cast<hrn_trace_word>(seed % HRN_TRACE_WORD_COUNT);
        Trace second;
        ASSERT_EQ(second.Parse(first.Print()), "") << "seed " << seed;
        EXPECT_TRUE(hrn_program_equal(&first->program, &second->program)) << "seed " << seed;
        EXPECT_EQ(first.Print(), second.Print()) << "seed " << seed;
        for (size_t i = 0; i < first->program.n_ops; i++) {
            n_kind[first->program.ops[i].kind]++;
        }
    }
    for (int kind = 0; kind < HRN_KIND_COUNT; kind++) {
        EXPECT_GT(n_kind[kind], 0u) << hrn_kind_word(static_cast<hrn_kind>(kind));
    }
}

TEST(TraceText, ProgramsFromTextAreNormalized)
{
    for (unsigned seed = 0; seed < 100; seed++) {
        Trace trace;
        DecodeRandom(seed, &trace->program);
        Trace parsed;
        ASSERT_EQ(parsed.Parse(trace.Print()), "");
        EXPECT_EQ(hrn_program_normalize(&parsed->program), 0u);
        EXPECT_TRUE(hrn_program_equal(&trace->program, &parsed->program));
    }
}

TEST(TraceText, EveryLineOfTheGrammarIsRead)
{
    const std::string body = "arena 0 create 0\n"
                             "arena 0 alloc 0 10\n"
                             "arena 0 nalloc 1 11\n"
                             "arena 0 calloc 2 12\n"
                             "arena 0 memalign 3 13 48\n"
                             "arena 0 resize 0 20\n"
                             "arena 0 resize 0 20 plain\n"
                             "arena 0 resize 0 20 in_place\n"
                             "arena 0 resize 0 20 aligned 4294967296\n"
                             "arena 0 grow 4096\n"
                             "arena 0 shrink 100\n"
                             "arena 0 add_region 0\n"
                             "arena 0 check self\n"
                             "arena 0 check statistics\n"
                             "arena 0 check walk\n"
                             "arena 0 burst 4 14 3\n"
                             "arena 0 free 5\n"
                             "arena 0 give_back 6\n"
                             "arena 0 cleanup 7 15\n"
                             "arena 0 cleanup 8 0 allocs\n"
                             "arena 0 cleanup 9 0 registers\n"
                             "arena 0 misuse null - 0\n"
                             "arena 0 misuse interior 0 3\n"
                             "arena 0 misuse twice 1 0\n"
                             "arena 0 fault 3 2\n"
                             "arena 0 fault 1 all\n"
                             "arena 0 check\n"
                             "arena 0 trim\n"
                             "arena 0 reuse_get 10\n"
                             "arena 0 reuse_get 11\n"
                             "arena 0 reuse_put 10\n"
                             "arena 0 reuse_put 11 twice\n"
                             "arena 0 file close 0\n"
                             "arena 0 file delete 100\n"
                             "arena 0 file gone 2\n"
                             "arena 0 file bad 3\n"
                             "arena 0 run_file 1\n"
                             "arena 0 drain every_other\n"
                             "arena 0 reset\n"
                             "arena 1 alloc 12 " +
                             std::to_string(SIZE_MAX) +
                             " resize"
                             "\narena 1 memalign 13 13 9223372036854775808\n"
                             "arena 0 create 5 sparse\n"
                             "arena 0 destroy live\n"
                             "arena 0 destroy\n";
    Trace trace;
    ASSERT_EQ(trace.Parse(body), "");
    EXPECT_EQ(trace.Print(), kDefaultHead + body);
    EXPECT_EQ(trace->program.n_arenas, 2u);
    EXPECT_EQ(trace->program.n_ids, 14u);
}

TEST(TraceText, IdsBelongToTheirArenaAndSurviveItsEnd)
{
    Trace trace;
    ASSERT_EQ(trace.Parse("pool 0 create 128\npool 7 create 4096\npool 0 alloc 0 1\n"
                          "pool 7 alloc 0 2\npool 0 destroy\npool 7 free 0\n"),
              "");
    const hrn_op *ops = trace->program.ops;
    EXPECT_EQ(ops[2].id, 0u);
    EXPECT_EQ(ops[3].id, 1u);
    EXPECT_EQ(ops[5].id, 1u);
    EXPECT_EQ(trace->word, HRN_TRACE_POOL);
    EXPECT_EQ(trace->program.n_arenas, 8u);
}

TEST(TraceText, RefusedAllocationsBecomeAllocationAndFreeAndPrintAsTheyWere)
{
    const std::string body = "slab 0 alloc 0 8\nslab 0 alloc - 80\nslab 0 calloc - 9\n"
                             "slab 0 memalign - 9 16\nslab 0 alloc 1 8\nslab 0 free 1\n";
    Trace trace;
    ASSERT_EQ(trace.Parse(body), "");
    ASSERT_EQ(trace->program.n_ops, 9u);
    EXPECT_EQ(trace->program.ops[1].kind, HRN_ALLOC);
    EXPECT_EQ(trace->program.ops[1].size_bytes, 80u);
    EXPECT_EQ(trace->program.ops[2].kind, HRN_FREE);
    EXPECT_EQ(trace->program.ops[2].id, trace->program.ops[1].id);
    ASSERT_EQ(trace->n_refused, 3u);
    EXPECT_EQ(trace->refused[0], 1u);
    EXPECT_EQ(trace->refused[1], 3u);
    EXPECT_EQ(trace->refused[2], 5u);
    std::string printed = trace.Print();
    EXPECT_NE(printed.find("slab 0 alloc - 80\nslab 0 calloc - 9\nslab 0 memalign - 9 16\n"),
              std::string::npos);
    Trace again;
    ASSERT_EQ(again.Parse(printed), "");
    EXPECT_EQ(again.Print(), printed);
    EXPECT_EQ(again->n_refused, 3u);
}

TEST(TraceText, AllowsCommentsBlanksCarriageReturnsAndNoFinalLineEnd)
{
    Trace trace;
    ASSERT_EQ(trace.Parse("# recorded \xc3\xa4\r\n\r\n \t\r\n  slab\t0   alloc 0 5 # five\r\n"
                          "slab 0 free 0#gone"),
              "");
    EXPECT_EQ(trace->program.n_ops, 2u);
    EXPECT_EQ(trace.Parse(""), "");
    EXPECT_EQ(trace->program.n_ops, 0u);
}

TEST(TraceText, HeadSetsItsFieldsAndLeavesOthersAtDefaults)
{
    Trace trace;
    ASSERT_EQ(trace.Parse("head per_doubling=16 region_bytes=16385 fault_count=4294967295\n"), "");
    EXPECT_EQ(trace->program.head.per_doubling, 16u);
    EXPECT_EQ(trace->program.head.region_bytes, 16385u);
    EXPECT_EQ(trace->program.head.fault_count, UINT32_MAX);
    EXPECT_EQ(trace->program.head.page_bytes, 4096u);
    EXPECT_EQ(trace->program.head.block_bytes, 4096u);
}

TEST(TraceText, ReadsEveryPrefixOfATextAndNoByteMore)
{
    const std::string text = "head gap_bytes=3\narena 0 burst 0 12 30\narena 0 cleanup 40 8 allocs";
    for (size_t n = 0; n <= text.size(); n++) {
        Trace trace;
        std::string error = trace.Parse(text.substr(0, n));
        if (error.empty()) {
            EXPECT_LE(trace->program.n_ops, 2u) << n;
        } else {
            EXPECT_EQ(trace->program.n_ops, 0u) << n;
        }
    }
}

struct Malformed {
    const char *name;
    std::string text;
    std::string message;
};

class TraceErrors : public testing::TestWithParam<Malformed> {};

TEST_P(TraceErrors, NameThePlaceAndLeaveAnEmptyTrace)
{
    Trace trace;
    ASSERT_EQ(trace.Parse("slab 3 alloc - 1\n"), "");
    EXPECT_EQ(trace.Parse(GetParam().text), GetParam().message);
    EXPECT_EQ(trace->program.n_ops, 0u);
    EXPECT_EQ(trace->program.n_ids, 0u);
    EXPECT_EQ(trace->n_refused, 0u);
    EXPECT_EQ(trace.Print(), kDefaultHead);
}

std::string Repeat(size_t n, char c)
{
    return std::string(n, c);
}

const Malformed kMalformed[] = {
    {"UnknownWord", "polo 0 reset\n", "t:1:1: expected head, pool, slab or arena, found 'polo'"},
    {"OtherWord", "pool 0 reset\n\nslab 0 reset\n",
     "t:3:1: expected the same word on every line, found 'slab'"},
    {"NoArena", "pool\n", "t:1:5: expected an arena from 0 to 65535, found the end of the line"},
    {"ArenaTooLarge", "pool 65536 reset\n",
     "t:1:6: expected an arena from 0 to 65535, found '65536'"},
    {"NoOperation", "pool 0\n", "t:1:7: expected an operation, found the end of the line"},
    {"UnknownOperation", "pool 0 malloc 0 1\n", "t:1:8: expected an operation, found 'malloc'"},
    {"NoSize", "slab 0 alloc 3\n", "t:1:15: expected a size in bytes, found the end of the line"},
    {"SizeNoNumber", "slab 0 alloc 3 12x\n", "t:1:16: expected a size in bytes, found '12x'"},
    {"SizeNegative", "slab 0 alloc 3 -1\n", "t:1:16: expected a size in bytes, found '-1'"},
    {"SizeTooLarge", "slab 0 alloc 3 18446744073709551616\n",
     "t:1:16: expected a size in bytes, found '18446744073709551616'"},
    {"CreateTooLarge", "slab 0 create 67108865\n",
     "t:1:15: expected a size in bytes, at most 67108864, found '67108865'"},
    {"IdNoNumber", "slab 0 alloc x 1\n", "t:1:14: expected an id or -, found 'x'"},
    {"IdTooLarge", "slab 0 alloc 4294967295 1\n",
     "t:1:14: expected an id or -, found '4294967295'"},
    {"NoIdForBurst", "slab 0 burst - 1 1\n", "t:1:14: expected an id below 4294967295, found '-'"},
    {"BurstPastTheIds", "slab 0 burst 4294967294 1 2\n",
     "t:1:14: expected fewer objects, with lower ids, found '4294967294'"},
    {"IdTwice", "slab 0 alloc 1 1\nslab 0 free 1\nslab 0 alloc 1 1\n",
     "t:3:14: expected an id that its arena has not had before, found '1'"},
    {"IdTwiceInBurst", "slab 0 alloc 3 1\nslab 0 burst 0 1 4\n",
     "t:2:14: expected an id that its arena has not had before, found '0'"},
    {"FreeOfNothing", "slab 0 free 1\n",
     "t:1:13: expected the id of a live object of this arena, found '1'"},
    {"FreeTwice", "slab 0 alloc 1 1\nslab 0 free 1\nslab 0 free 1\n",
     "t:3:13: expected the id of a live object of this arena, found '1'"},
    {"FreeInOtherArena", "slab 0 alloc 1 1\nslab 1 free 1\n",
     "t:2:13: expected the id of a live object of this arena, found '1'"},
    {"FreeAfterReset", "slab 0 alloc 1 1\nslab 0 reset\nslab 0 free 1\n",
     "t:3:13: expected the id of a live object of this arena, found '1'"},
    {"FreeAfterDrain", "slab 0 alloc 1 1\nslab 0 drain newest\nslab 0 free 1\n",
     "t:3:13: expected the id of a live object of this arena, found '1'"},
    {"FreeAfterDestroy", "slab 0 alloc 1 1\nslab 0 destroy\nslab 0 free 1\n",
     "t:3:13: expected the id of a live object of this arena, found '1'"},
    {"FreeAfterCreate", "slab 0 alloc 1 1\nslab 0 create 0\nslab 0 free 1\n",
     "t:3:13: expected the id of a live object of this arena, found '1'"},
    {"FreeOfCleanup", "pool 0 cleanup 1 8\npool 0 free 1\n",
     "t:2:13: expected the id of a live object of this arena, found '1'"},
    {"FreeOfReuse", "pool 0 reuse_get 1\npool 0 free 1\n",
     "t:2:13: expected the id of a live object of this arena, found '1'"},
    {"PutOfObject", "pool 0 alloc 1 8\npool 0 reuse_put 1\n",
     "t:2:18: expected the id of a live object of this arena, found '1'"},
    {"NoAlignment", "slab 0 memalign 0 8\n",
     "t:1:20: expected an alignment in bytes, found the end of the line"},
    {"AlignmentTooLarge", "slab 0 memalign 0 8 18446744073709551616\n",
     "t:1:21: expected an alignment in bytes, found '18446744073709551616'"},
    {"UnknownBy", "slab 0 alloc 0 8 calloc\n",
     "t:1:18: expected any, alloc or resize, found 'calloc'"},
    {"UnknownWay", "slab 0 alloc 0 8\nslab 0 resize 0 8 up\n",
     "t:2:19: expected any, plain, in_place or aligned, found 'up'"},
    {"WayWithoutAlignment", "slab 0 alloc 0 8\nslab 0 resize 0 8 aligned\n",
     "t:2:26: expected an alignment in bytes, found the end of the line"},
    {"UnknownLook", "slab 0 check more\n",
     "t:1:14: expected all, self, statistics or walk, found 'more'"},
    {"UnknownMake", "slab 0 create 0 large\n", "t:1:17: expected plain or sparse, found 'large'"},
    {"UnknownEnd", "slab 0 destroy full\n", "t:1:16: expected empty or live, found 'full'"},
    {"NoGrowth", "slab 0 grow\n", "t:1:12: expected a size in bytes, found the end of the line"},
    {"CountZero", "slab 0 burst 0 8 0\n", "t:1:18: expected a count from 1 to 512, found '0'"},
    {"CountTooLarge", "slab 0 burst 0 8 513\n",
     "t:1:18: expected a count from 1 to 512, found '513'"},
    {"UnknownOrder", "slab 0 drain last\n",
     "t:1:14: expected oldest, newest or every_other, found 'last'"},
    {"NoOrder", "slab 0 drain\n",
     "t:1:13: expected oldest, newest or every_other, found the end of the line"},
    {"UnknownHandler", "pool 0 cleanup 0 8 runs\n",
     "t:1:20: expected plain, allocs, registers, armed or child, found 'runs'"},
    {"UnknownFile", "pool 0 file closed 8\n",
     "t:1:13: expected close, delete, gone or bad, found 'closed'"},
    {"NoFile", "pool 0 run_file\n",
     "t:1:16: expected which file, from 0 to 65535, found the end of the line"},
    {"UnknownTwice", "pool 0 reuse_get 0\npool 0 reuse_put 0 thrice\n",
     "t:2:20: expected once or twice, found 'thrice'"},
    {"UnknownMisuse", "slab 0 misuse odd - 0\n", "t:1:15: expected a kind of misuse, found 'odd'"},
    {"VictimMissing", "slab 0 misuse interior - 0\n",
     "t:1:24: expected an id below 4294967295, found '-'"},
    {"VictimUnwanted", "slab 0 alloc 0 1\nslab 0 misuse null 0 0\n",
     "t:2:20: expected - (this misuse has no victim), found '0'"},
    {"FaultCallTooLarge", "pool 0 fault 65536 1\n",
     "t:1:14: expected a call from 0 to 65535, found '65536'"},
    {"FaultCountTooLarge", "pool 0 fault 1 255\n",
     "t:1:16: expected a count from 0 to 254, or all, found '255'"},
    {"MoreOnTheLine", "pool 0 reset now\n", "t:1:14: expected the end of the line, found 'now'"},
    {"HeadLate", "pool 0 reset\nhead\n",
     "t:2:1: expected the head before any operation, found 'head'"},
    {"HeadFieldTwiceOnTwoLines", "head flags=1\nhead gap_bytes=1 flags=1\n",
     "t:2:18: expected each field of the head once, found 'flags=1'"},
    {"HeadFieldUnknown", "head pages=4\n",
     "t:1:6: expected FIELD=NUMBER with a field of the head, found 'pages=4'"},
    {"HeadFieldWithoutNumber", "head flags\n",
     "t:1:6: expected FIELD=NUMBER with a field of the head, found 'flags'"},
    {"HeadFieldEmpty", "head flags=\n",
     "t:1:12: expected flags from 0 to 15, found the end of the line"},
    {"HeadFieldTwice", "head flags=1 flags=1\n",
     "t:1:14: expected each field of the head once, found 'flags=1'"},
    {"HeadPage", "head page_bytes=8192\n", "t:1:17: expected 4096, 16384 or 65536, found '8192'"},
    {"HeadDoubling", "head per_doubling=3\n", "t:1:19: expected 1, 2, 4, 8 or 16, found '3'"},
    {"HeadMinObject", "head min_object_bytes=24\n", "t:1:23: expected 8, 16, 32 or 64, found '24'"},
    {"HeadGap", "head gap_bytes=65\n", "t:1:16: expected a gap from 0 to 64, found '65'"},
    {"HeadRegionTooShort", "head region_bytes=16383\n",
     "t:1:19: expected a region of 16384 to 67108864 bytes, found '16383'"},
    {"HeadBlockTooLong", "head block_bytes=67108865\n",
     "t:1:18: expected a block of 1 to 67108864 bytes, found '67108865'"},
    {"HeadFlags", "head flags=16\n", "t:1:12: expected flags from 0 to 15, found '16'"},
    {"HeadSeedTooLarge", "head content_seed=4294967296\n",
     "t:1:19: expected a number below 2^32, found '4294967296'"},
    {"HeadRegionBelowFourPages", "head page_bytes=65536 region_bytes=262143\n",
     "t:1:1: expected region_bytes of at least 4 pages, found 'head'"},
    {"ZeroByte", std::string("pool 0 re\0set\n", 14),
     "t:1:10: expected text without zero bytes, found '?'"},
    {"LineTooLong", "# " + Repeat(510, 'x') + "\n# " + Repeat(511, 'y') + "\n",
     "t:2:513: expected at most 512 characters a line, found 'y'"},
    {"LongTokenIsCut", "pool 0 " + Repeat(100, 'a') + "\n",
     "t:1:8: expected an operation, found '" + Repeat(32, 'a') + "...'"},
    {"StrayBytesAreNotShown", "pool 0 \x1b[1m\xff\n",
     "t:1:8: expected an operation, found '?[1m?'"},
    {"SecondLineCounts", "# one\r\npool 0 create 128\r\npool 0 alloc\r\n",
     "t:3:13: expected a size in bytes, found the end of the line"},
};

INSTANTIATE_TEST_SUITE_P(Each, TraceErrors, testing::ValuesIn(kMalformed),
                         [](const testing::TestParamInfo<Malformed> &tested) {
                             return std::string(tested.param.name);
                         });

} // namespace
