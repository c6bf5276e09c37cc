/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of messages with a path. */
#ifndef SLM_TESTS_SHORT_FOLDER_H
#define SLM_TESTS_SHORT_FOLDER_H

#include <filesystem>
#include <gtest/gtest.h>
#include <string>

namespace slm_test {

/* The test's folder for files, relative, so that it is short: a message may leave out the middle of a
 * long path. */
inline std::string short_folder()
{
    return std::filesystem::proximate(testing::TempDir()).string();
}

} // namespace slm_test

#endif
