/* SPDX-License-Identifier: Apache-2.0 */
/* Every claim as a test, for each adapter that the program links. */
#include <cctype>
#include <ostream>
#include <string>
#include <vector>

#include "harness/conformance/conformance.h"
#include "gtest/gtest.h"

namespace {

struct Case {
    const slm_adapter *adapter;
    const hrn_claim *claim;
};

/* How GoogleTest names the parameter. */
void PrintTo(const Case &one, std::ostream *out)
{
    *out << one.adapter->name << ", " << one.claim->name;
}

std::vector<Case> AllCases()
{
    std::vector<Case> all;
    for (size_t a = 0; hrn_adapter_at(a) != nullptr; a++) {
        for (size_t c = 0; c < hrn_claim_count(); c++) {
            if (hrn_claim_applies(hrn_claim_at(c), hrn_adapter_at(a))) {
                all.push_back({hrn_adapter_at(a), hrn_claim_at(c)});
            }
        }
    }
    return all;
}

std::string NameOf(const testing::TestParamInfo<Case> &info)
{
    std::string name = std::string(info.param.adapter->name) + "_" + info.param.claim->name;
    for (char &letter : name) {
        letter = std::isalnum(static_cast<unsigned char>(letter)) != 0 ? letter : '_';
    }
    return name;
}

class AllocatorClaim : public testing::TestWithParam<Case> {};

TEST_P(AllocatorClaim, IsKept)
{
    const Case &one = GetParam();
    hrn_program program;
    hrn_result result{};
    hrn_program_init(&program);
    hrn_claim_make(one.claim, one.adapter, &program);
    EXPECT_EQ(hrn_claim_run(one.claim, one.adapter, &program, &result), HRN_LAW_NONE)
        << one.claim->text << "\nlaw " << hrn_law_name(result.law) << ": "
        << hrn_law_sentence(result.law) << "\nseen: " << result.text << "\nat operation "
        << result.op_idx;
    hrn_program_fini(&program);
}

INSTANTIATE_TEST_SUITE_P(Mill, AllocatorClaim, testing::ValuesIn(AllCases()), NameOf);

TEST(AllocatorTable, OfEachAdapterIsSound)
{
    char text[HRN_WRONG_TEXT_BYTES] = "";
    EXPECT_TRUE(hrn_adapters_are_sound(text, sizeof text)) << text;
    EXPECT_NE(hrn_adapter_at(0), nullptr) << "no adapter is linked (SLM_ADAPTER)";
}

} // namespace
