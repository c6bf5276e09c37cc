/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of segments: what a process has mapped, open, and left in folders. */
#ifndef SLM_TESTS_SEGMENT_TRACES_H
#define SLM_TESTS_SEGMENT_TRACES_H

#include <sys/shm.h>

#include "tests/segment/fixture.h"

namespace slm_test {

/* Sanitizers reserve more than this at a time, and change it as they run. */
inline const size_t kReservedBytes = size_t{1} << 30;

/* All that a process can leave. Mappings are of the sorts that segments create: shared ones and
 * reserved addresses. */
struct Traces {
    std::multiset<std::string> mappings;
    std::set<std::string> descriptors;
    std::set<int> sysv;
    std::set<std::string> files;

    explicit Traces(const Options &options) : files(options.folder().names())
    {
        std::ifstream maps("/proc/self/maps");
        for (std::string line; std::getline(maps, line);) {
            size_t first, end;
            char rights[5];
            if (sscanf(line.c_str(), "%zx-%zx %4s", &first, &end, rights) == 3 &&
                (rights[3] == 's' ||
                 (strcmp(rights, "---p") == 0 && end - first < kReservedBytes))) {
                mappings.insert(line);
            }
        }
        look_at_descriptors();
        look_at_sysv();
        if (access(options.posix().path().c_str(), F_OK) == 0) {
            files.insert("posix");
        }
    }

    bool operator==(const Traces &other) const
    {
        return mappings == other.mappings && descriptors == other.descriptors &&
               sysv == other.sysv && files == other.files;
    }

  private:
    void look_at_descriptors()
    {
        DIR *folder = opendir("/proc/self/fd");
        while (const dirent *entry = readdir(folder)) {
            char target[300];
            ssize_t n = readlinkat(dirfd(folder), entry->d_name, target, sizeof target);
            if (n > 0 && entry->d_name != std::to_string(dirfd(folder))) {
                descriptors.insert(std::string(entry->d_name) + " " +
                                   std::string(target, static_cast<size_t>(n)));
            }
        }
        (void)closedir(folder);
    }
    void look_at_sysv()
    {
        shmid_ds data;
        int last = shmctl(0, SHM_INFO, &data);
        for (int i = 0; i <= last; i++) {
            int id = shmctl(i, SHM_STAT, &data);
            if (id >= 0 && data.shm_cpid == getpid()) {
                sysv.insert(id);
            }
        }
    }
};

inline std::string describe(const Traces &traces)
{
    std::string result;
    for (const auto &line : traces.mappings) {
        result += line + "\n";
    }
    for (const auto &line : traces.descriptors) {
        result += line + "\n";
    }
    for (const auto &line : traces.files) {
        result += line + "\n";
    }
    return result + std::to_string(traces.sysv.size()) + " sysv";
}

} // namespace slm_test

#endif
