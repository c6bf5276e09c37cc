/* SPDX-License-Identifier: Apache-2.0 */
/* Sources when the system refuses. The linker redirects their calls to this file (--wrap). */
#include <slabmill/source.h>

#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <sys/mman.h>

namespace {

/* Refuse from now on: the heap, new mappings, mappings over old ones, changes of protection. */
bool no_heap, no_mmap, no_remap, no_mprotect;
int n_unmapped;

} // namespace

extern "C" {

int __real_posix_memalign(void **block, size_t align_bytes, size_t size_bytes);
/* With _FILE_OFFSET_BITS=64 the system headers call mmap by this name. */
void *__real_mmap64(void *at, size_t n, int protection, int flags, int fd, off_t offset);
int __real_mprotect(void *at, size_t n, int protection);
int __real_munmap(void *at, size_t n);

int __wrap_posix_memalign(void **block, size_t align_bytes, size_t size_bytes)
{
    return no_heap ? ENOMEM : __real_posix_memalign(block, align_bytes, size_bytes);
}

void *__wrap_mmap64(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    bool refused = (flags & MAP_FIXED) != 0 ? no_remap : no_mmap;
    return refused ? MAP_FAILED : __real_mmap64(at, n, protection, flags, fd, offset);
}

int __wrap_mprotect(void *at, size_t n, int protection)
{
    return no_mprotect ? -1 : __real_mprotect(at, n, protection);
}

int __wrap_munmap(void *at, size_t n)
{
    n_unmapped++;
    return __real_munmap(at, n);
}

} /* extern "C" */

namespace {

class SourceFault : public testing::Test {
  protected:
    ~SourceFault() override
    {
        no_heap = no_mmap = no_remap = no_mprotect = false;
    }
    static void *take(const slm_source *source, size_t align_bytes)
    {
        return source->alloc(source->data, 100, align_bytes);
    }
    static void give(const slm_source *source, void *block, size_t align_bytes)
    {
        source->free(source->data, block, 100, align_bytes);
    }
    /* A block that can be used and freed. */
    static void expect_served(const slm_source *source, size_t align_bytes)
    {
        void *block = take(source, align_bytes);
        ASSERT_NE(block, nullptr);
        memset(block, 0x5A, 100);
        give(source, block, align_bytes);
    }
};

TEST_F(SourceFault, TheHeapsRefusalOfAnAlignedBlockIsPassedOn)
{
    no_heap = true;
    EXPECT_EQ(take(slm_source_heap(), 4096), nullptr);
    no_heap = false;
    expect_served(slm_source_heap(), 4096);
}

TEST_F(SourceFault, AGuardedBlockWithoutAMappingIsRefused)
{
    no_mmap = true;
    EXPECT_EQ(take(slm_source_guard(), 16), nullptr);
    no_mmap = false;
    expect_served(slm_source_guard(), 16);
}

TEST_F(SourceFault, AGuardedBlockThatGetsNoAccessIsRefusedAndUnmapped)
{
    no_mprotect = true;
    int before = n_unmapped;
    EXPECT_EQ(take(slm_source_guard(), 16), nullptr);
    EXPECT_EQ(n_unmapped, before + 1);
    no_mprotect = false;
    expect_served(slm_source_guard(), 16);
}

TEST_F(SourceFault, AFreedBlockThatCannotStayMappedIsUnmappedAtOnce)
{
    void *block = take(slm_source_guard(), 16);
    ASSERT_NE(block, nullptr);
    no_remap = true;
    int before = n_unmapped;
    give(slm_source_guard(), block, 16);
    EXPECT_EQ(n_unmapped, before + 1);
    no_remap = false;
    expect_served(slm_source_guard(), 16);
}

} // namespace
