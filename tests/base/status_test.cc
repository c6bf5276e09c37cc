/* SPDX-License-Identifier: Apache-2.0 */
/* Result codes: names and texts. */
#include <slabmill/status.h>

#include <gtest/gtest.h>
#include <set>
#include <string>

namespace {

TEST(Status, TheNameOfACodeIsItsIdentifier)
{
    EXPECT_STREQ(slm_status_name(SLM_OK), "SLM_OK");
    EXPECT_STREQ(slm_status_name(SLM_UNCHANGED), "SLM_UNCHANGED");
    EXPECT_STREQ(slm_status_name(SLM_E_FREED), "SLM_E_FREED");
    EXPECT_STREQ(slm_status_name(SLM_E_IO), "SLM_E_IO");
}

TEST(Status, NoTwoCodesShareANameOrAText)
{
    std::set<std::string> names;
    std::set<std::string> texts;
    for (int code = 0; code < SLM_STATUS_COUNT; code++) {
        names.insert(slm_status_name(static_cast<slm_status>(code)));
        std::string text = slm_status_text(static_cast<slm_status>(code));
        EXPECT_FALSE(text.empty());
        EXPECT_NE(text.back(), '.');
        texts.insert(text);
    }
    EXPECT_EQ(names.size(), static_cast<size_t>(SLM_STATUS_COUNT));
    EXPECT_EQ(texts.size(), static_cast<size_t>(SLM_STATUS_COUNT));
}

TEST(Status, NumbersOutsideTheListHaveANameAndAText)
{
    for (int code : {-1, static_cast<int>(SLM_STATUS_COUNT)}) {
        EXPECT_STREQ(slm_status_name(static_cast<slm_status>(code)), "SLM_?");
        EXPECT_STREQ(slm_status_text(static_cast<slm_status>(code)), "an unknown result code");
    }
}

} // namespace
