/* SPDX-License-Identifier: Apache-2.0 */
/* Runs all files of a corpus, for tests of what it covers. */
#ifndef TESTS_REPLAY_CORPUS_H
#define TESTS_REPLAY_CORPUS_H

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace slm_test {

/* Returns the number of files. */
inline size_t ReplayCorpus(const std::filesystem::path &folder, int (*run)(const uint8_t *, size_t))
{
    size_t n_inputs = 0;
    for (const auto &entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file()) {
            std::ifstream file(entry.path(), std::ios::binary);
            std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
            run(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
            n_inputs++;
        }
    }
    return n_inputs;
}

} // namespace slm_test

#endif
