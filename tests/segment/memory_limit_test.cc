/* SPDX-License-Identifier: Apache-2.0 */
/* Segments larger than there can ever be memory. What the system would report is pretended: no test
 * asks for that memory. */
#include <linux/magic.h>
#include <map>

#include "tests/segment/fixture.h"
#include "tests/segment/hooks.h"
#include "tests/segment/traces.h"

namespace {

using slm_test::Handle;
using slm_test::KeepCalls;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::Options;
using slm_test::Traces;

const Kind kMemoryKinds[] = {SLM_SEGMENT_ANONYMOUS, SLM_SEGMENT_SYSV, SLM_SEGMENT_POSIX,
                             SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE};

std::map<std::string, std::string> files;
std::vector<std::string> files_read;
uint32_t file_system;

ssize_t read_pretended(const char *path, char *text, size_t n_bytes)
{
    files_read.push_back(path);
    auto found = files.find(path);
    if (found == files.end()) {
        errno = ENOENT;
        return -1;
    }
    return static_cast<ssize_t>(found->second.copy(text, n_bytes));
}

const size_t kUnit = 16 * kPage; /* what lengths and limits are counted in */

std::string kilobytes(size_t n_units)
{
    return std::to_string(n_units * kUnit / 1024) + " kB\n";
}

std::string bytes(size_t n_units)
{
    return std::to_string(n_units * kUnit) + "\n";
}

class Memory : public testing::Test {
  protected:
    Memory()
    {
        files.clear();
        files_read.clear();
        file_system = TMPFS_MAGIC;
        slm_segment_sys.read_file = read_pretended;
        slm_segment_sys.file_system = [](int, uint32_t *type) {
            *type = file_system;
            return 0;
        };
        set_machine(100, 0);
    }
    void set_machine(size_t n_units, size_t n_swap_units)
    {
        files["/proc/meminfo"] =
            "MemTotal:       " + kilobytes(n_units) +
            "MemFree:  1 kB\nSwapCached: 7 kB\nSwapTotal:      " + kilobytes(n_swap_units) +
            "SwapFree: 0 kB\n";
    }
    slm_status create(size_t n_units, Kind kind = SLM_SEGMENT_MEMFD)
    {
        Options options(n_units * kUnit, 1000 * kUnit);
        Handle a;
        Traces before(options);
        slm_status status = a.create(options.of(kind), &error_);
        EXPECT_EQ(status, error_.status);
        if (status != SLM_OK) {
            EXPECT_TRUE(Traces(options) == before);
        }
        return status;
    }
    /* What fits: so many units, and not one more. */
    void expect_limit(size_t n_units, const char *where)
    {
        EXPECT_EQ(create(n_units), SLM_OK) << error_.text;
        EXPECT_EQ(create(n_units + 1), SLM_E_SPACE);
        EXPECT_NE(strstr(error_.text, where), nullptr) << error_.text;
        EXPECT_NE(strstr(error_.text, std::to_string(n_units * kUnit).c_str()), nullptr)
            << error_.text;
    }

    KeepCalls keep_;
    slm_error error_{};
};

TEST_F(Memory, OfTheMachineAndItsSwapSpaceIsTheMostThatASegmentCanHave)
{
    set_machine(60, 40);
    expect_limit(100, "MemTotal");
    for (Kind kind : kMemoryKinds) {
        EXPECT_EQ(create(100, kind), SLM_OK) << error_.text;
        EXPECT_EQ(create(101, kind), SLM_E_SPACE) << error_.text;
    }
}

TEST_F(Memory, OfAMegabyteIsAlwaysThereAndNothingIsRead)
{
    set_machine(1, 0);
    for (Kind kind : kMemoryKinds) {
        EXPECT_EQ(create(16, kind), SLM_OK) << error_.text;
        EXPECT_EQ(files_read.size(), 0u);
    }
    EXPECT_EQ(create(17), SLM_E_SPACE);
    EXPECT_GT(files_read.size(), 0u);
}

TEST_F(Memory, IsNotAskedForIfThereIsTooLittle)
{
    slm_segment_sys.fallocate = [](int, int, off_t, off_t) -> int {
        ADD_FAILURE() << "it reserves";
        return -1;
    };
    slm_segment_sys.shmget = [](key_t, size_t, int) -> int {
        ADD_FAILURE() << "it makes a segment";
        return -1;
    };
    slm_segment_sys.mmap = [](void *, size_t, int, int, int, off_t) -> void * {
        ADD_FAILURE() << "it maps";
        return MAP_FAILED;
    };
    for (Kind kind : kMemoryKinds) {
        EXPECT_EQ(create(101, kind), SLM_E_SPACE) << error_.text;
    }
}

TEST_F(Memory, IsNotWhatAFileOnADiskTakes)
{
    file_system = EXT4_SUPER_MAGIC;
    EXPECT_EQ(create(101, SLM_SEGMENT_FILE), SLM_OK) << error_.text;
    file_system = RAMFS_MAGIC;
    EXPECT_EQ(create(101, SLM_SEGMENT_FILE), SLM_E_SPACE) << error_.text;
    slm_segment_sys.file_system = [](int, uint32_t *) {
        errno = EIO;
        return -1;
    };
    EXPECT_EQ(create(50, SLM_SEGMENT_FILE), SLM_E_IO) << error_.text;
}

TEST_F(Memory, LimitsGrowthToo)
{
    for (Kind kind : kMemoryKinds) {
        Options options(4 * kUnit, 1000 * kUnit);
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        EXPECT_EQ(slm_segment_grow(a.segment, 101 * kUnit, &error_), SLM_E_SPACE);
        EXPECT_NE(strstr(error_.text, slm_segment_label(a.segment)), nullptr) << error_.text;
        EXPECT_EQ(a.bytes(), 4 * kUnit);
        EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_OK);
        EXPECT_EQ(slm_segment_grow(a.segment, 100 * kUnit, &error_), SLM_OK) << error_.text;
    }
}

/* Filling the holes of a copy takes memory as well. */
TEST_F(Memory, LimitsTheHolesOfAFileThatIsAttached)
{
    Options options;
    std::string path = options.folder() / "file";
    int fd = open(path.c_str(), O_CREAT | O_RDWR, 0600);
    ASSERT_EQ(ftruncate(fd, static_cast<off_t>(101 * kUnit)), 0);
    (void)close(fd);
    Handle a, b;
    slm_segment_options attach = options.of(SLM_SEGMENT_FILE);
    attach.max_bytes = 0;
    EXPECT_EQ(a.attach(attach, &error_), SLM_E_SPACE) << error_.text;
    struct stat about {};
    EXPECT_EQ(stat(path.c_str(), &about), 0);
    EXPECT_EQ(about.st_blocks, 0);
    file_system = EXT4_SUPER_MAGIC;
    EXPECT_EQ(b.attach(attach, &error_), SLM_OK) << error_.text;
}

/* --- Control groups --- */

TEST_F(Memory, OfTheSmallestControlGroupAboveIsTheLimit)
{
    files["/proc/self/cgroup"] = "0::/a/b/c\n";
    expect_limit(100, "MemTotal");
    files["/sys/fs/cgroup/a/b/c/memory.max"] = "max\n";
    expect_limit(100, "MemTotal");
    files["/sys/fs/cgroup/a/memory.max"] = bytes(50);
    expect_limit(50, "/sys/fs/cgroup/a/memory.max");
    files["/sys/fs/cgroup/a/b/memory.max"] = bytes(70);
    expect_limit(50, "/sys/fs/cgroup/a/memory.max");
    files["/sys/fs/cgroup/a/b/c/memory.max"] = bytes(40);
    expect_limit(40, "/sys/fs/cgroup/a/b/c/memory.max");
    files["/sys/fs/cgroup/memory.max"] = bytes(30);
    expect_limit(30, "/sys/fs/cgroup/memory.max");
    files["/sys/fs/cgroup/x/memory.max"] = bytes(1);
    expect_limit(30, "/sys/fs/cgroup/memory.max");
}

TEST_F(Memory, OfAControlGroupIncludesTheSwapSpaceThatItMayUse)
{
    set_machine(100, 20);
    files["/proc/self/cgroup"] = "0::/a\n";
    files["/sys/fs/cgroup/a/memory.max"] = bytes(50);
    expect_limit(70, "/sys/fs/cgroup/a/memory.max");
    files["/sys/fs/cgroup/a/memory.swap.max"] = "max\n";
    expect_limit(70, "/sys/fs/cgroup/a/memory.max");
    files["/sys/fs/cgroup/a/memory.swap.max"] = bytes(5);
    expect_limit(55, "/sys/fs/cgroup/a/memory.max");
    files["/sys/fs/cgroup/a/memory.swap.max"] = "0\n";
    expect_limit(50, "/sys/fs/cgroup/a/memory.max");
    files["/sys/fs/cgroup/a/memory.swap.max"] = bytes(500);
    expect_limit(70, "/sys/fs/cgroup/a/memory.max");
}

TEST_F(Memory, OfAContainerIsFoundAtTheRootThatItSees)
{
    files["/sys/fs/cgroup/memory.max"] = bytes(30);
    for (const char *path : {"/", "/docker/of/outside", "/../..", "/../other"}) {
        files["/proc/self/cgroup"] = std::string("0::") + path + "\n";
        files_read.clear();
        expect_limit(30, "/sys/fs/cgroup/memory.max");
        for (const std::string &read : files_read) {
            EXPECT_EQ(read.find(".."), std::string::npos) << read;
        }
    }
}

TEST_F(Memory, OfAGroupWhoseNameBeginsWithDotsIsTheLimit)
{
    for (const char *path : {"/..b", "/a/..b", "/...", "/a/.../c"}) {
        std::string file = std::string("/sys/fs/cgroup") + path + "/memory.max";
        files["/proc/self/cgroup"] = std::string("0::") + path + "\n";
        files[file] = bytes(30);
        expect_limit(30, file.c_str());
        files.erase(file);
    }
}

TEST_F(Memory, OfControlGroupsOfTheFirstVersionIsALimitToo)
{
    set_machine(100, 10);
    files["/proc/self/cgroup"] = "12:cpu,cpuacct:/x\n5:memory:/docker/c\n0::/init\n";
    files["/sys/fs/cgroup/memory/docker/c/memory.limit_in_bytes"] = "9223372036854771712\n";
    expect_limit(110, "MemTotal");
    files["/sys/fs/cgroup/memory/docker/memory.limit_in_bytes"] = bytes(40);
    expect_limit(50, "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes");
    files["/sys/fs/cgroup/init/memory.max"] = bytes(20);
    expect_limit(30, "/sys/fs/cgroup/init/memory.max");
}

TEST_F(Memory, OfControllersThatAreMountedTogetherIsALimitToo)
{
    set_machine(100, 10);
    files["/sys/fs/cgroup/memory/c/memory.limit_in_bytes"] = bytes(40);
    for (const char *list : {"memory", "cpu,memory", "memory,hugetlb", "cpu,memory,hugetlb"}) {
        files["/proc/self/cgroup"] = std::string("5:") + list + ":/c\n0::/init\n";
        expect_limit(50, "/sys/fs/cgroup/memory/c/memory.limit_in_bytes");
    }
    for (const char *list : {"memory2", "cpu,mem", "name=memory", ",", "cpu,", "mem,ory"}) {
        files["/proc/self/cgroup"] = std::string("5:") + list + ":/c\n0::/init\n";
        expect_limit(110, "MemTotal");
    }
}

/* --- What cannot be read --- */

TEST_F(Memory, IsNotLimitedByWhatCannotBeRead)
{
    files.clear();
    EXPECT_EQ(create(500), SLM_OK) << error_.text;
    for (const char *text :
         {"", "\n", "MemTotal:\n", "MemTotal: much kB\nSwapTotal: more kB\n", "SwapTotal: 4 kB\n",
          "MemTotal: 4 kB\n", "MemTotal: 18014398509481984 kB\nSwapTotal: 0 kB\n",
          "MemTotal: 99999999999999999999999 kB\nSwapTotal: 0 kB\n"}) {
        files["/proc/meminfo"] = text;
        EXPECT_EQ(create(500), SLM_OK) << text << error_.text;
    }
    set_machine(1000, 0);
    for (const char *text : {"", "\n", "0", "0:", "0:memory", "0::", "memory", "::\n::", "0::/a"}) {
        files["/proc/self/cgroup"] = text;
        EXPECT_EQ(create(500), SLM_OK) << text << error_.text;
    }
    for (const char *text : {"", "\n", "max", "all of it\n"}) {
        files["/sys/fs/cgroup/a/memory.max"] = text;
        EXPECT_EQ(create(500), SLM_OK) << text << error_.text;
    }
}

TEST_F(Memory, OfThisMachineIsRead)
{
    slm_segment_sys.read_file = [](const char *path, char *text, size_t n_bytes) -> ssize_t {
        ssize_t n = slm_test::faults.real.read_file(path, text, n_bytes);
        files[path] = n < 0 ? "" : std::string(text, static_cast<size_t>(n));
        return n;
    };
    slm_test::faults.real = keep_.real;
    files.clear();
    EXPECT_EQ(create(50), SLM_OK) << error_.text;
    EXPECT_NE(files["/proc/meminfo"].find("MemTotal:"), std::string::npos);
    EXPECT_NE(files["/proc/meminfo"].find("SwapTotal:"), std::string::npos);
    EXPECT_NE(files["/proc/self/cgroup"], "");
}

} // namespace
