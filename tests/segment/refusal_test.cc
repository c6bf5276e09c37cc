/* SPDX-License-Identifier: Apache-2.0 */
/* What a refused call of a segment says: the status, the whole text, and the errno of the system, or
 * 0 where the library itself refuses. text_test.cc has the options of create. */
#include <cerrno>
#include <linux/magic.h>

#include "tests/segment/fixture.h"
#include "tests/segment/hooks.h"

namespace {

using namespace slm_test;

std::string number(size_t n)
{
    return std::to_string(n);
}

/* One segment in a file of four pages, which may grow to sixteen. */
class SegmentRefusal : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(a.create(options), SLM_OK);
    }
    void expect(slm_status status, int os_errno, const std::string &text, slm_status answer)
    {
        EXPECT_EQ(answer, status);
        EXPECT_EQ(error.status, status);
        EXPECT_EQ(error.os_errno, os_errno);
        EXPECT_EQ(error.text, text);
        error = {};
    }
    /* The same of the segment: its path, then the text. */
    void expect_of(slm_status status, int os_errno, const std::string &text, slm_status answer)
    {
        expect(status, os_errno, path + ": " + text, answer);
    }
    /* Attaches what is at the path in another handle. */
    slm_status attach(slm_segment_options with)
    {
        b.detach();
        return b.attach(with, &error);
    }
    slm_status attach()
    {
        return attach(options);
    }

    Options all;
    slm_segment_options options = all.of(SLM_SEGMENT_FILE);
    std::string path = options.name;
    slm_error error{};
    Handle a;
    Handle b;
    KeepCalls keep;
};

bool see(void *, const slm_segment_entry *)
{
    return true;
}

TEST_F(SegmentRefusal, OfNoSegmentAndNoOptionsSaysWhatIsMissing)
{
    slm_segment *out = nullptr;
    const std::string text = "NULL where a segment is needed";
    expect(SLM_E_NULL, 0, text, slm_segment_grow(nullptr, 1, &error));
    expect(SLM_E_NULL, 0, text, slm_segment_shrink(nullptr, 1, &error));
    expect(SLM_E_NULL, 0, text, slm_segment_refresh(nullptr, 1, &error));
    expect(SLM_E_NULL, 0, text, slm_segment_verify(nullptr, &error));
    expect(SLM_E_NULL, 0, text, slm_segment_publish(nullptr, &error));
    expect(SLM_E_NULL, 0, text, slm_segment_check_unused(nullptr, &error));
    expect(SLM_E_NULL, 0, text, slm_segment_claim(nullptr, &error));
    const std::string options_text = "no options, or no place for the handle";
    expect(SLM_E_NULL, 0, options_text, slm_segment_create(&out, nullptr, &error));
    expect(SLM_E_NULL, 0, options_text, slm_segment_attach(nullptr, &options, &error));
    expect(SLM_E_NULL, 0, "no options", slm_segment_remove(nullptr, &error));
    expect(SLM_E_NULL, 0, "no options, or no visitor",
           slm_segment_list(nullptr, see, nullptr, &error));
}

TEST_F(SegmentRefusal, OfALengthNamesTheLengthAndTheLimit)
{
    size_t least = 4 * kPage;
    size_t most = 16 * kPage;
    expect_of(SLM_E_SIZE, 0, "0 bytes are not within 1 to " + number(most),
              slm_segment_grow(a.segment, 0, &error));
    expect_of(SLM_E_SIZE, 0, number(most + 1) + " bytes are not within 1 to " + number(most),
              slm_segment_grow(a.segment, most + 1, &error));
    expect_of(SLM_E_SIZE, 0, number(least) + " bytes, not more than " + number(5 * kPage),
              slm_segment_shrink(a.segment, 5 * kPage, &error));
    expect_of(SLM_E_SIZE, 0, number(most + 1) + " bytes, more than the range of " + number(most),
              slm_segment_refresh(a.segment, most + 1, &error));
    options.max_bytes = 3 * kPage;
    expect_of(SLM_E_SIZE, 0, number(least) + " bytes, more than " + number(3 * kPage), attach());
}

TEST_F(SegmentRefusal, OfAFileOfAnotherLengthNamesBothLengths)
{
    ASSERT_EQ(truncate(path.c_str(), 3 * static_cast<off_t>(kPage)), 0);
    std::string cut =
        "cut to " + number(3 * kPage) + " bytes, where " + number(4 * kPage) + " were";
    expect_of(SLM_E_TRUNCATED, 0, cut, slm_segment_verify(a.segment, &error));
    ASSERT_EQ(truncate(path.c_str(), 6 * static_cast<off_t>(kPage)), 0);
    expect_of(SLM_E_STATE, 0, number(6 * kPage) + " bytes now, not " + number(4 * kPage),
              slm_segment_shrink(a.segment, kPage, &error));
    ASSERT_EQ(truncate(path.c_str(), 5), 0);
    expect_of(SLM_E_TRUNCATED, 0, "5 bytes, not whole pages of " + number(kPage), attach());
}

TEST_F(SegmentRefusal, OfAnotherOwnerModeOrKindNamesIt)
{
    ASSERT_EQ(chmod(path.c_str(), 0622), 0);
    expect_of(SLM_E_ACCESS, 0, "others may write to it (622)", attach());
    ASSERT_EQ(unlink(path.c_str()), 0);
    ASSERT_EQ(symlink("file2", path.c_str()), 0);
    expect_of(SLM_E_ACCESS, 0, "a link, folder, FIFO or device", attach());
    slm_segment_sys.lstat = [](const char *, struct stat *stat) {
        *stat = {};
        stat->st_mode = S_IFREG | 0600;
        stat->st_uid = 54321;
        return 0;
    };
    expect_of(SLM_E_ACCESS, 0, "it belongs to user 54321", attach());
}

TEST_F(SegmentRefusal, OfANameSaysWhatBecameOfIt)
{
    expect_of(SLM_E_STATE, 0, "it was not created unnamed, or is named",
              slm_segment_publish(a.segment, &error));
    expect_of(SLM_E_EXISTS, EEXIST, std::string("cannot create: ") + strerror(EEXIST),
              b.create(options, &error));
    ASSERT_EQ(rename(path.c_str(), (path + "2").c_str()), 0);
    expect_of(SLM_E_MISSING, ENOENT, std::string("its name: ") + strerror(ENOENT),
              slm_segment_verify(a.segment, &error));
    expect_of(SLM_E_MISSING, ENOENT, std::string("cannot look at it: ") + strerror(ENOENT),
              attach());
    expect_of(SLM_E_MISSING, ENOENT, std::string("cannot look at it: ") + strerror(ENOENT),
              slm_segment_remove(&options, &error));
    ASSERT_EQ(b.create(options), SLM_OK);
    expect_of(SLM_E_REPLACED, 0, "the name belongs to another file now",
              slm_segment_verify(a.segment, &error));
}

TEST_F(SegmentRefusal, OfADescriptorThatIsAnotherFileNamesIt)
{
    int fd = slm_segment_id(a.segment);
    int own = dup(fd);
    ASSERT_EQ(dup2(STDERR_FILENO, fd), fd);
    expect_of(SLM_E_STATE, 0,
              "its descriptor " + std::to_string(fd) + " was closed, or is another file now",
              slm_segment_grow(a.segment, 5 * kPage, &error));
    ASSERT_EQ(dup2(own, fd), fd);
    EXPECT_EQ(close(own), 0);
    EXPECT_EQ(slm_segment_grow(a.segment, 5 * kPage, &error), SLM_OK) << error.text;
}

TEST_F(SegmentRefusal, OfALockOrALeaseHasTheErrnoOfTheSystem)
{
    slm_segment_sys.nap = [] {};
    slm_segment_sys.lock = [](int, int, int) {
        errno = EACCES;
        return -1;
    };
    expect_of(SLM_E_LOCKED, EACCES, "another process has a lock on its length",
              slm_segment_shrink(a.segment, kPage, &error));
    slm_segment_sys.open = [](const char *, int, mode_t) {
        errno = EAGAIN;
        return -1;
    };
    expect_of(SLM_E_LOCKED, EAGAIN, "a process has a lease of it", attach());
}

TEST_F(SegmentRefusal, OfAUsedSegmentSaysWhetherItIsKnown)
{
    slm_segment_sys.file_system = [](int, uint32_t *type) {
        *type = TMPFS_MAGIC;
        return 0;
    };
    slm_segment_sys.lease = [](int) {
        errno = EAGAIN;
        return -1;
    };
    expect_of(SLM_E_LOCKED, 0, "others use it", slm_segment_check_unused(a.segment, &error));
    slm_segment_sys.lease = [](int) {
        errno = EINVAL;
        return -1;
    };
    expect_of(SLM_E_STATE, 0, std::string("whether others use it is unknown: ") + strerror(EINVAL),
              slm_segment_claim(a.segment, &error));
    slm_segment_sys.file_system = [](int, uint32_t *type) {
        *type = NFS_SUPER_MAGIC;
        return 0;
    };
    expect_of(SLM_E_STATE, 0,
              "whether others use it is unknown: its file system does not count them",
              slm_segment_check_unused(a.segment, &error));
    slm_segment_sys.file_system = [](int, uint32_t *) {
        errno = EIO;
        return -1;
    };
    expect_of(SLM_E_IO, EIO, std::string("cannot look at its file system: ") + strerror(EIO),
              slm_segment_check_unused(a.segment, &error));
}

TEST_F(SegmentRefusal, OfAReadOnlyHandleSaysSo)
{
    options.read_only = true;
    ASSERT_EQ(attach(), SLM_OK);
    expect_of(SLM_E_READ_ONLY, 0, "attached read-only",
              slm_segment_grow(b.segment, 5 * kPage, &error));
    expect_of(SLM_E_READ_ONLY, 0, "attached read-only",
              slm_segment_shrink(b.segment, kPage, &error));
    options.unnamed = true;
    expect(SLM_E_OPTION, 0, "segment " + path + ": only a new segment can be unnamed", attach());
}

TEST_F(SegmentRefusal, OfAKindSaysWhatItLacks)
{
    Handle memory;
    slm_segment_options anonymous = all.of(SLM_SEGMENT_ANONYMOUS);
    anonymous.unnamed = true;
    expect(SLM_E_OPTION, 0, "segment without a name: unnamed is for POSIX and FILE segments",
           memory.create(anonymous, &error));
    anonymous.unnamed = false;
    expect(SLM_E_OPTION, 0, "a segment of kind 0 has no name to remove",
           slm_segment_remove(&anonymous, &error));
    expect(SLM_E_OPTION, 0, "segments of kind 0 cannot be listed",
           slm_segment_list(&anonymous, see, nullptr, &error));
    slm_segment_options nowhere = options;
    nowhere.name = "";
    expect(SLM_E_NAME, 0,
           "the name of the folder to list is NULL, empty, or longer than 4095 bytes",
           slm_segment_list(&nowhere, see, nullptr, &error));
    ASSERT_EQ(memory.create(anonymous), SLM_OK);
    expect(SLM_E_STATE, 0,
           "anonymous: whether others use it is unknown: processes share its descriptor or inherit "
           "it",
           slm_segment_check_unused(memory.segment, &error));
    expect(SLM_E_STATE, 0,
           "anonymous: whether others use it is unknown: its kind cannot be claimed",
           slm_segment_claim(memory.segment, &error));
}

TEST_F(SegmentRefusal, OfMemoryNamesTheSegment)
{
    slm_segment_sys.malloc = [](size_t) -> void * { return nullptr; };
    expect_of(SLM_E_NOMEM, 0, "no memory for its handle", attach());
}

} // namespace
