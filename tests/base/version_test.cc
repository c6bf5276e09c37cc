// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include <slabmill/version.h>

namespace {

TEST(Version, TextAgreesWithTheNumbers)
{
    std::string numbers = std::to_string(SLM_VERSION_MAJOR) + "." +
                          std::to_string(SLM_VERSION_MINOR) + "." +
                          std::to_string(SLM_VERSION_PATCH);
    EXPECT_EQ(numbers, SLM_VERSION_STRING);
}

TEST(Version, LibraryIsTheOneOfTheHeaders)
{
    EXPECT_STREQ(slm_version(), SLM_VERSION_STRING);
}

} // namespace
