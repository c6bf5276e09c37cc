/* SPDX-License-Identifier: Apache-2.0 */
/* Segments and core files: the content stays out of them, unless the options ask for it. */
#include <csignal>
#include <sstream>
#include <sys/resource.h>

#include "tests/segment/fixture.h"
#include "tests/segment/hooks.h"

namespace {

using slm_test::Handle;
using slm_test::has_file;
using slm_test::KeepCalls;
using slm_test::kEveryKind;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::Options;

/* How many bytes of what a segment shows are in mappings that core files have, or have not. */
size_t count_bytes(const Handle &a, bool is_dumped)
{
    auto first = reinterpret_cast<uintptr_t>(a.base());
    uintptr_t end = first + a.bytes();
    size_t n_bytes = 0;
    uintptr_t from = 0;
    uintptr_t to = 0;
    std::ifstream maps("/proc/self/smaps");
    for (std::string line; std::getline(maps, line);) {
        uintptr_t at[2];
        if (sscanf(line.c_str(), "%zx-%zx ", &at[0], &at[1]) == 2) {
            from = at[0];
            to = at[1];
        }
        bool has_flag = line.find(" dd") != std::string::npos;
        if (line.compare(0, 8, "VmFlags:") == 0 && has_flag != is_dumped && from < end &&
            first < to) {
            n_bytes += std::min(to, end) - std::max(from, first);
        }
    }
    return n_bytes;
}

class SegmentCores : public testing::TestWithParam<Kind> {
  protected:
    void expect_dumped(const Handle &a, bool is_dumped, const char *what)
    {
        EXPECT_EQ(count_bytes(a, is_dumped), a.bytes()) << what;
        EXPECT_EQ(count_bytes(a, !is_dumped), 0u) << what;
    }
    void expect_all_mappings_dumped(bool is_dumped)
    {
        Handle a, b;
        slm_segment_options asked = options.of(GetParam());
        asked.dump_core = is_dumped;
        ASSERT_EQ(a.create(asked), SLM_OK);
        expect_dumped(a, is_dumped, "created");
        if (slm_test::can_attach(GetParam())) {
            slm_segment_options to_attach = options.to_attach(a.segment);
            to_attach.max_bytes = GetParam() == SLM_SEGMENT_SYSV ? 0 : to_attach.max_bytes;
            to_attach.dump_core = is_dumped;
            ASSERT_EQ(b.attach(to_attach), SLM_OK);
            expect_dumped(b, is_dumped, "attached");
        }
        ASSERT_EQ(slm_segment_grow(a.segment, 10 * kPage, nullptr), SLM_OK);
        expect_dumped(a, is_dumped, "grown");
        if (has_file(GetParam())) {
            ASSERT_EQ(slm_segment_refresh(b.segment, 10 * kPage, nullptr), SLM_OK);
            ASSERT_EQ(b.bytes(), 10 * kPage);
            expect_dumped(b, is_dumped, "refreshed");
        }
    }

    Options options;
};

INSTANTIATE_TEST_SUITE_P(Kinds, SegmentCores, testing::ValuesIn(kEveryKind));

TEST_P(SegmentCores, HaveNoMappingOfASegment)
{
    expect_all_mappings_dumped(false);
}

TEST_P(SegmentCores, HaveEveryMappingOfASegmentThatAsksForIt)
{
    expect_all_mappings_dumped(true);
}

int refuse_advice(void *at, size_t n_bytes, int advice)
{
    if (advice == MADV_DONTDUMP) {
        errno = EPERM;
        return -1;
    }
    return madvise(at, n_bytes, advice);
}

TEST_P(SegmentCores, AreAskedAboutOnlyWhereASegmentStaysOut)
{
    KeepCalls keep;
    Handle a, b;
    slm_error error;
    slm_segment_options asked = options.of(GetParam());
    slm_segment_sys.madvise = refuse_advice;
    EXPECT_EQ(a.create(asked, &error), SLM_E_ACCESS);
    EXPECT_NE(strstr(error.text, "cannot leave it out of core files"), nullptr) << error.text;
    asked.dump_core = true;
    EXPECT_EQ(b.create(asked, &error), SLM_OK) << error.text;
}

/* --- A real core file --- */

/* Writes a core file with the folder as working folder, after the segment got the mark. The mark is
 * put together there, so that no other memory has it. */
int crash_with_mark(const std::string &folder, const slm_segment_options &options)
{
    slm_segment *segment = nullptr;
    rlimit limit = {};
    if (chdir(folder.c_str()) != 0 || slm_segment_create(&segment, &options, nullptr) != SLM_OK ||
        getrlimit(RLIMIT_CORE, &limit) != 0) {
        return 1;
    }
    /* Only shared memory: a sanitizer's own would be gigabytes. */
    std::ofstream("/proc/self/coredump_filter") << "0x2";
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_CORE, &limit);
    auto *at = static_cast<volatile unsigned char *>(slm_segment_base(segment));
    for (unsigned i = 0; i < 64; i++) {
        at[i] = static_cast<unsigned char>(200 - i);
    }
    (void)signal(SIGSEGV, SIG_DFL);
    (void)raise(SIGSEGV);
    return 2;
}

bool has_mark(const std::string &path)
{
    std::string mark;
    for (unsigned i = 0; i < 64; i++) {
        mark += static_cast<char>(200 - i);
    }
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str().find(mark) != std::string::npos;
}

/* The system's settings decide where core files go. */
bool writes_cores_here()
{
    std::ifstream pattern("/proc/sys/kernel/core_pattern");
    std::string text;
    rlimit limit = {};
    return std::getline(pattern, text) && !text.empty() && text.find('/') == std::string::npos &&
           text[0] != '|' && getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == RLIM_INFINITY;
}

class SegmentCoreFile : public testing::Test {
  protected:
    /* The path of the core that a process left; "": none. */
    std::string crash(Kind kind, bool is_dumped)
    {
        slm_segment_options asked = options.of(kind);
        asked.dump_core = is_dumped;
        EXPECT_EQ(slm_test::in_child([&] { return crash_with_mark(folder.path(), asked); }),
                  128 + SIGSEGV);
        for (const std::string &name : folder.names()) {
            if (name.compare(0, 4, "core") == 0) {
                return folder / name;
            }
        }
        return "";
    }

    Options options;
    slm_test::Folder folder;
};

TEST_F(SegmentCoreFile, OfACrashHasTheContentOnlyIfItWasAskedFor)
{
    if (!writes_cores_here()) {
        GTEST_SKIP() << "core files go elsewhere, or are limited";
    }
    for (Kind kind : {SLM_SEGMENT_ANONYMOUS, SLM_SEGMENT_SYSV, SLM_SEGMENT_MEMFD}) {
        std::string path = crash(kind, false);
        if (path.empty()) {
            GTEST_SKIP() << "the system wrote no core file";
        }
        EXPECT_FALSE(has_mark(path)) << kind;
        (void)unlink(path.c_str());
        EXPECT_TRUE(has_mark(crash(kind, true))) << kind;
    }
}

} // namespace
