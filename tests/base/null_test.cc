/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of status.h for NULL, in error.h. status.h and version.h have no pointer to pass. */
#include <slabmill/error.h>

#include <gtest/gtest.h>

namespace {

TEST(ErrorNull, EveryCallTakesNullForTheErrorAndReturnsTheStatus)
{
    EXPECT_EQ(slm_error_set(nullptr, SLM_E_IO, 5, "%s", "read"), SLM_E_IO);
    EXPECT_EQ(slm_error_clear(nullptr), SLM_OK);
}

TEST(ErrorNull, ANullFormatGivesAnEmptyText)
{
    slm_error error;
    const char *no_format = nullptr;
    slm_error_set(&error, SLM_E_IO, 5, "%s", "an older text");
    EXPECT_EQ(slm_error_set(&error, SLM_E_NAME, 2, no_format, 1), SLM_E_NAME);
    EXPECT_EQ(error.status, SLM_E_NAME);
    EXPECT_EQ(error.os_errno, 2);
    EXPECT_STREQ(error.text, "");
}

} // namespace
