/* SPDX-License-Identifier: Apache-2.0 */
/* Every call of segment.h with NULL in each of its pointers: the rule of status.h. */
#include "tests/segment/fixture.h"

using slm_test::Handle;
using slm_test::Kind;
using slm_test::Options;

namespace {

bool visit_none(void *, const slm_segment_entry *)
{
    return false;
}

TEST(SegmentNull, CallsWithoutAHandleReturnNullZeroOrFalse)
{
    EXPECT_EQ(slm_segment_base(nullptr), nullptr);
    EXPECT_EQ(slm_segment_bytes(nullptr), 0u);
    EXPECT_EQ(slm_segment_max_bytes(nullptr), 0u);
    EXPECT_EQ(slm_segment_get_kind(nullptr), SLM_SEGMENT_ANONYMOUS);
    EXPECT_FALSE(slm_segment_is_read_only(nullptr));
    EXPECT_EQ(slm_segment_id(nullptr), 0);
    EXPECT_EQ(slm_segment_label(nullptr), nullptr);
}

TEST(SegmentNull, CallsWithoutAHandleReturnTheStatusForNull)
{
    EXPECT_NULL_ERROR(slm_segment_grow(nullptr, 4096, &error));
    EXPECT_NULL_ERROR(slm_segment_shrink(nullptr, 4096, &error));
    EXPECT_NULL_ERROR(slm_segment_refresh(nullptr, 4096, &error));
    EXPECT_NULL_ERROR(slm_segment_verify(nullptr, &error));
    EXPECT_NULL_ERROR(slm_segment_publish(nullptr, &error));
    EXPECT_NULL_ERROR(slm_segment_check_unused(nullptr, &error));
    EXPECT_NULL_ERROR(slm_segment_claim(nullptr, &error));
    slm_segment_unclaim(nullptr);
    slm_segment_unmap_tail(nullptr, 0);
    slm_segment_detach(nullptr);
}

TEST(SegmentNull, CreateAttachRemoveAndListNeedTheirPointers)
{
    Options options;
    slm_segment_options anonymous = options.of(SLM_SEGMENT_ANONYMOUS);
    slm_segment_options files = options.of(SLM_SEGMENT_FILE);
    auto *segment = reinterpret_cast<slm_segment *>(&anonymous);
    EXPECT_NULL_ERROR(slm_segment_create(nullptr, &anonymous, &error));
    EXPECT_NULL_ERROR(slm_segment_create(&segment, nullptr, &error));
    EXPECT_EQ(segment, nullptr);
    segment = reinterpret_cast<slm_segment *>(&anonymous);
    EXPECT_NULL_ERROR(slm_segment_attach(nullptr, &files, &error));
    EXPECT_NULL_ERROR(slm_segment_attach(&segment, nullptr, &error));
    EXPECT_EQ(segment, nullptr);
    EXPECT_NULL_ERROR(slm_segment_remove(nullptr, &error));
    EXPECT_NULL_ERROR(slm_segment_list(nullptr, visit_none, nullptr, &error));
    EXPECT_NULL_ERROR(slm_segment_list(&files, nullptr, nullptr, &error));
}

TEST(SegmentNull, ANameOfNullIsAWrongName)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        Handle handle;
        slm_segment_options options{};
        options.kind = kind;
        options.bytes = 4096;
        EXPECT_EQ(handle.create(options), SLM_E_NAME);
        EXPECT_EQ(handle.attach(options), SLM_E_NAME);
        EXPECT_EQ(slm_segment_remove(&options, nullptr), SLM_E_NAME);
    }
    slm_segment_options folder{};
    folder.kind = SLM_SEGMENT_FILE;
    EXPECT_EQ(slm_segment_list(&folder, visit_none, nullptr, nullptr), SLM_E_NAME);
}

TEST(SegmentNull, EveryCallWorksWithoutAnError)
{
    Options options;
    Handle handle;
    slm_segment_options file = options.of(SLM_SEGMENT_FILE);
    slm_segment_options folder = file;
    folder.name = options.folder().path().c_str();
    ASSERT_EQ(slm_segment_create(&handle.segment, &file, nullptr), SLM_OK);
    EXPECT_EQ(slm_segment_publish(handle.segment, nullptr), SLM_E_STATE);
    EXPECT_EQ(slm_segment_check_unused(handle.segment, nullptr), SLM_OK);
    EXPECT_EQ(slm_segment_grow(handle.segment, 2 * file.bytes, nullptr), SLM_OK);
    EXPECT_EQ(slm_segment_verify(handle.segment, nullptr), SLM_OK);
    EXPECT_EQ(slm_segment_refresh(handle.segment, file.bytes, nullptr), SLM_OK);
    EXPECT_EQ(slm_segment_shrink(handle.segment, file.bytes, nullptr), SLM_OK);
    EXPECT_EQ(slm_segment_list(&folder, visit_none, nullptr, nullptr), SLM_OK);
    EXPECT_EQ(slm_segment_remove(&file, nullptr), SLM_OK);
    EXPECT_EQ(slm_segment_grow(nullptr, 1, nullptr), SLM_E_NULL);
    EXPECT_EQ(
        slm_test::in_child([] { return static_cast<int>(slm_segment_guard_install(nullptr)); }),
        SLM_OK);
}

} // namespace
