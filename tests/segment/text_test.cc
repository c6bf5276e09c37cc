/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of a segment's options name the segment, the option, its value and the limit. */
#include <cstring>

#include "tests/segment/fixture.h"

using namespace slm_test;

namespace {

struct Wrong {
    Kind kind;
    const char *name;
    slm_status status;
    const char *text;
};

const char kLong[] = "0123456789012345678901234567890123456789012345678901234567890123";

TEST(SegmentText, SaysWhatIsWrongWithAName)
{
    const Wrong wrongs[] = {
        {SLM_SEGMENT_POSIX, nullptr, SLM_E_NAME, "a segment's name is NULL"},
        {SLM_SEGMENT_FILE, "", SLM_E_NAME, "a segment's name is empty"},
        {SLM_SEGMENT_POSIX, "a/b", SLM_E_NAME, "segment a/b: its name has a slash in it"},
        {SLM_SEGMENT_POSIX, "..", SLM_E_NAME, "segment ..: its name is that of a folder"},
        {SLM_SEGMENT_FILE, "/tmp/", SLM_E_NAME, "segment /tmp/: its name ends with a slash"},
        {SLM_SEGMENT_POSIX, kLong, SLM_E_NAME,
         "segment 0123456789012345678901234567890123456789012345678901234567890123...: its name "
         "has 64 bytes, more than 63"},
    };
    for (const Wrong &wrong : wrongs) {
        slm_segment_options options{};
        slm_error error{};
        Handle handle;
        options.kind = wrong.kind;
        options.name = wrong.name;
        options.bytes = kPage;
        EXPECT_EQ(handle.create(options, &error), wrong.status);
        EXPECT_STREQ(error.text, wrong.text);
        EXPECT_EQ(handle.attach(options, &error), wrong.status);
        EXPECT_STREQ(error.text, wrong.text);
        EXPECT_EQ(slm_segment_remove(&options, &error), wrong.status);
        EXPECT_STREQ(error.text, wrong.text);
    }
}

TEST(SegmentText, SaysWhichOptionIsWrongAndItsLimit)
{
    struct Option {
        void (*make)(slm_segment_options &options);
        slm_status status;
        const char *text;
    };
    const Option wrongs[] = {
        {[](slm_segment_options &o) { o.kind = static_cast<Kind>(5); }, SLM_E_OPTION,
         "segment a: kind 5 is not within 0 to 4"},
        {[](slm_segment_options &o) {
             const int wrong = 2; /* gcc refuses to convert it, as the enum has two values */
             memcpy(&o.huge, &wrong, sizeof wrong);
         },
         SLM_E_OPTION, "segment a: huge 2 is not within 0 to 1"},
        {[](slm_segment_options &o) { o.huge = SLM_SEGMENT_HUGE_TRY; }, SLM_E_OPTION,
         "segment a: huge is not for POSIX and FILE segments"},
        {[](slm_segment_options &o) { o.mode = 01777; }, SLM_E_OPTION,
         "segment a: mode 01777 is more than 0777"},
        {[](slm_segment_options &o) { o.read_only = true; }, SLM_E_OPTION,
         "segment a: a new segment cannot be read_only"},
        {[](slm_segment_options &o) { o.bytes = 0; }, SLM_E_SIZE,
         "/dev/shm/a: bytes 0 is not within 1 to 9223372036854759423"},
    };
    for (const Option &wrong : wrongs) {
        slm_segment_options options{};
        slm_error error{};
        Handle handle;
        options.kind = SLM_SEGMENT_POSIX;
        options.name = "a";
        options.bytes = kPage;
        wrong.make(options);
        EXPECT_EQ(handle.create(options, &error), wrong.status);
        EXPECT_STREQ(error.text, wrong.text);
    }
}

TEST(SegmentText, SaysWhyAnAnonymousSegmentCannotBeAttached)
{
    slm_segment_options options{};
    slm_error error{};
    Handle handle;
    EXPECT_EQ(handle.attach(options, &error), SLM_E_OPTION);
    EXPECT_STREQ(error.text, "an anonymous segment cannot be attached: it is inherited by fork");
}

} // namespace
