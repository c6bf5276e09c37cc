/* SPDX-License-Identifier: Apache-2.0 */
/* Segments: names, files that are no segment, removing and listing. */
#include <climits>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/segment/fixture.h"

namespace {

using slm_test::Handle;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::Options;
using slm_test::PosixName;

const Kind kNamedKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE};

std::string path_of(const Options &options, Kind kind)
{
    return kind == SLM_SEGMENT_POSIX ? options.posix().path() : options.folder() / "file";
}

/* create, attach and remove all return that status. */
void expect_all(const slm_segment_options &options, slm_status expected)
{
    Handle a;
    slm_error error{};
    EXPECT_EQ(a.create(options, &error), expected) << error.text;
    EXPECT_EQ(a.attach(options, &error), expected) << error.text;
    EXPECT_EQ(slm_segment_remove(&options, &error), expected) << error.text;
    EXPECT_EQ(error.status, expected);
    EXPECT_EQ(a.segment, nullptr);
}

TEST(SegmentName, OfAPosixSegmentIsAFileNameOfAtMost63Letters)
{
    Options all;
    slm_segment_options options = all.of(SLM_SEGMENT_POSIX);
    std::string long_name(64, 'x');
    for (const char *name : {static_cast<const char *>(nullptr), "", "/", "/a", "a/b", "a/", ".",
                             "..", long_name.c_str()}) {
        options.name = name;
        SCOPED_TRACE(name == nullptr ? "NULL" : name);
        expect_all(options, SLM_E_NAME);
    }
    long_name = std::string(all.posix().c_str());
    long_name.resize(63, 'x');
    options.name = long_name.c_str();
    Handle a;
    EXPECT_EQ(a.create(options), SLM_OK);
    EXPECT_EQ(slm_segment_remove(&options, nullptr), SLM_OK);
}

TEST(SegmentName, OfAFileIsAPathToAFile)
{
    Options all;
    slm_segment_options options = all.of(SLM_SEGMENT_FILE);
    std::string slash_behind = all.folder() / "file/";
    std::string too_long(PATH_MAX, 'x');
    for (const char *name :
         {static_cast<const char *>(nullptr), "", "/", slash_behind.c_str(), too_long.c_str()}) {
        options.name = name;
        expect_all(options, SLM_E_NAME);
    }
    std::string long_component = all.folder() / std::string(300, 'x');
    options.name = long_component.c_str();
    expect_all(options, SLM_E_NAME);
}

TEST(SegmentName, OfAMemfdMayBeMissingButNotTooLong)
{
    slm_segment_options options = Options().of(SLM_SEGMENT_MEMFD);
    std::string name(249, 'x');
    options.name = name.c_str();
    Handle a;
    EXPECT_EQ(a.create(options), SLM_OK);
    a.detach();
    name += 'x';
    options.name = name.c_str();
    EXPECT_EQ(a.create(options), SLM_E_NAME);
}

TEST(SegmentName, ThatIsTakenIsNotOverwritten)
{
    for (Kind kind : kNamedKinds) {
        Options options;
        Handle a, b;
        slm_error error;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        a.base()[0] = 5;
        EXPECT_EQ(b.create(options.of(kind), &error), SLM_E_EXISTS);
        EXPECT_EQ(error.os_errno, EEXIST);
        EXPECT_NE(strstr(error.text, path_of(options, kind).c_str()), nullptr) << error.text;
        EXPECT_EQ(b.attach(options.of(kind)), SLM_OK);
        EXPECT_EQ(b.base()[0], 5);
    }
}

TEST(SegmentName, WithoutASegmentIsMissing)
{
    for (Kind kind : kNamedKinds) {
        Options all;
        slm_segment_options options = all.of(kind);
        Handle a;
        slm_error error;
        EXPECT_EQ(a.attach(options, &error), SLM_E_MISSING);
        EXPECT_NE(strstr(error.text, path_of(all, kind).c_str()), nullptr) << error.text;
        EXPECT_EQ(slm_segment_remove(&options, &error), SLM_E_MISSING);
    }
    Options all;
    slm_segment_options options = all.of(SLM_SEGMENT_FILE);
    for (const std::string &path : {all.folder() / "no/file", std::string("/dev/null/file")}) {
        options.name = path.c_str();
        expect_all(options, SLM_E_MISSING);
    }
}

TEST(SegmentName, OfARemovedSysvSegmentIsMissing)
{
    Handle a;
    slm_segment_options options = Options().of(SLM_SEGMENT_SYSV);
    options.id = INT_MAX;
    EXPECT_EQ(a.attach(options), SLM_E_MISSING);
    EXPECT_EQ(slm_segment_remove(&options, nullptr), SLM_E_MISSING);
    options.id = -1;
    EXPECT_EQ(a.attach(options), SLM_E_MISSING);
}

TEST(SegmentRemove, RemovesTheNameAndLeavesTheMemory)
{
    for (Kind kind : kNamedKinds) {
        Options all;
        Handle a, b;
        slm_segment_options options = all.of(kind);
        ASSERT_EQ(a.create(options), SLM_OK);
        ASSERT_EQ(slm_segment_remove(&options, nullptr), SLM_OK);
        EXPECT_NE(access(path_of(all, kind).c_str(), F_OK), 0);
        a.base()[0] = 7;
        EXPECT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_OK);
        ASSERT_EQ(b.create(options), SLM_OK);
        EXPECT_EQ(b.base()[0], 0);
    }
}

TEST(SegmentVerify, ReportsANameThatWasRemovedOrTakenByAnotherFile)
{
    for (Kind kind : kNamedKinds) {
        Options all;
        Handle a, b;
        slm_error error;
        slm_segment_options options = all.of(kind);
        ASSERT_EQ(a.create(options), SLM_OK);
        ASSERT_EQ(b.attach(options), SLM_OK);
        ASSERT_EQ(slm_segment_remove(&options, nullptr), SLM_OK);
        for (const Handle *handle : {&a, &b}) {
            EXPECT_EQ(slm_segment_verify(handle->segment, &error), SLM_E_MISSING);
            EXPECT_NE(strstr(error.text, path_of(all, kind).c_str()), nullptr) << error.text;
        }
        Handle c;
        ASSERT_EQ(c.create(options), SLM_OK);
        EXPECT_EQ(slm_segment_verify(a.segment, &error), SLM_E_REPLACED);
        EXPECT_NE(strstr(error.text, path_of(all, kind).c_str()), nullptr) << error.text;
        EXPECT_EQ(slm_segment_verify(c.segment, &error), SLM_OK);
        /* All else goes on. */
        EXPECT_EQ(slm_segment_grow(a.segment, 8 * kPage, &error), SLM_OK) << error.text;
        EXPECT_EQ(slm_segment_refresh(b.segment, 8 * kPage, &error), SLM_OK) << error.text;
        EXPECT_EQ(slm_segment_shrink(a.segment, 4 * kPage, &error), SLM_OK) << error.text;
        EXPECT_EQ(slm_segment_verify(c.segment, &error), SLM_OK);
        ASSERT_EQ(unlink(path_of(all, kind).c_str()), 0);
        ASSERT_EQ(symlink("elsewhere", path_of(all, kind).c_str()), 0);
        EXPECT_EQ(slm_segment_verify(c.segment, &error), SLM_E_REPLACED);
    }
}

/* Another name, and a name that leads back, are as good. */
TEST(SegmentVerify, ComparesTheFileAndNotTheName)
{
    for (Kind kind : kNamedKinds) {
        Options all;
        Handle a;
        ASSERT_EQ(a.create(all.of(kind)), SLM_OK);
        std::string path = path_of(all, kind);
        std::string aside = path + ".aside";
        ASSERT_EQ(rename(path.c_str(), aside.c_str()), 0);
        EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_E_MISSING);
        ASSERT_EQ(rename(aside.c_str(), path.c_str()), 0);
        EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_OK);
        slm_segment_options unnamed = all.of(kind);
        ASSERT_EQ(slm_segment_remove(&unnamed, nullptr), SLM_OK);
        Handle b;
        unnamed.unnamed = true;
        ASSERT_EQ(b.create(unnamed), SLM_OK);
        EXPECT_EQ(slm_segment_verify(b.segment, nullptr), SLM_OK); /* it has no name to lose */
    }
}

TEST(SegmentRemove, MarksASysvSegment)
{
    int id = shmget(IPC_PRIVATE, kPage, IPC_CREAT | 0600);
    Handle a;
    slm_segment_options options{};
    options.kind = SLM_SEGMENT_SYSV;
    options.id = id;
    ASSERT_EQ(a.attach(options), SLM_OK);
    ASSERT_EQ(slm_segment_remove(&options, nullptr), SLM_OK);
    a.base()[0] = 1;
    shmid_ds data;
    ASSERT_EQ(shmctl(id, IPC_STAT, &data), 0);
    EXPECT_NE(data.shm_perm.mode & SHM_DEST, 0);
    a.detach();
    EXPECT_NE(shmctl(id, IPC_STAT, &data), 0);
}

TEST(SegmentRemove, HasNothingToDoForKindsWithoutAName)
{
    for (Kind kind : {SLM_SEGMENT_ANONYMOUS, SLM_SEGMENT_MEMFD}) {
        slm_segment_options options = Options().of(kind);
        EXPECT_EQ(slm_segment_remove(&options, nullptr), SLM_E_OPTION);
    }
}

/* --- What is no segment --- */

class NoSegment : public testing::TestWithParam<Kind> {
  protected:
    /* The path is neither followed, nor opened, nor removed. */
    void expect_refused()
    {
        struct stat before, after;
        ASSERT_EQ(lstat(path().c_str(), &before), 0);
        Handle a;
        slm_error error{};
        slm_segment_options options = options_.of(GetParam());
        options.mode = 0777;
        EXPECT_EQ(a.create(options, &error), SLM_E_EXISTS) << error.text;
        for (bool read_only : {false, true}) {
            options.read_only = read_only;
            EXPECT_EQ(a.attach(options, &error), SLM_E_ACCESS) << error.text;
            EXPECT_NE(strstr(error.text, path().c_str()), nullptr) << error.text;
        }
        EXPECT_EQ(slm_segment_remove(&options, &error), SLM_E_ACCESS) << error.text;
        ASSERT_EQ(lstat(path().c_str(), &after), 0);
        EXPECT_EQ(before.st_ino, after.st_ino);
        EXPECT_EQ(before.st_size, after.st_size);
    }
    std::string path() const
    {
        return path_of(options_, GetParam());
    }

    Options options_;
};

INSTANTIATE_TEST_SUITE_P(Segment, NoSegment, testing::ValuesIn(kNamedKinds));

TEST_P(NoSegment, IsALink)
{
    Options elsewhere;
    Handle target;
    ASSERT_EQ(target.create(elsewhere.of(SLM_SEGMENT_FILE)), SLM_OK);
    ASSERT_EQ(symlink((elsewhere.folder() / "file").c_str(), path().c_str()), 0);
    expect_refused();
}

TEST_P(NoSegment, IsALinkToNothing)
{
    std::string target = options_.folder() / "target";
    ASSERT_EQ(symlink(target.c_str(), path().c_str()), 0);
    expect_refused();
    EXPECT_NE(access(target.c_str(), F_OK), 0); /* and create did not create the target */
}

TEST_P(NoSegment, IsAFifoAndNoCallWaitsForItsOtherEnd)
{
    ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
    expect_refused();
}

TEST_P(NoSegment, IsAFolder)
{
    ASSERT_EQ(mkdir(path().c_str(), 0700), 0);
    expect_refused();
    EXPECT_EQ(rmdir(path().c_str()), 0);
}

/* Binds through /proc, since a socket's path may have only 107 letters. */
TEST_P(NoSegment, IsASocket)
{
    size_t slash = path().rfind('/');
    int folder = open(path().substr(0, slash).c_str(), O_RDONLY | O_DIRECTORY);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d%s", folder,
                   path().c_str() + slash);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
    expect_refused();
    (void)close(fd);
    (void)close(folder);
}

TEST(SegmentName, OfADeviceIsRefused)
{
    for (const char *path : {"/dev/zero", "/dev/null", "/dev/tty"}) {
        Handle a;
        slm_error error;
        slm_segment_options options = Options().of(SLM_SEGMENT_FILE);
        options.name = path;
        options.mode = 0666;
        EXPECT_EQ(a.attach(options, &error), SLM_E_ACCESS) << error.text;
        EXPECT_EQ(slm_segment_remove(&options, &error), SLM_E_ACCESS);
    }
}

TEST(SegmentName, ADescriptorOfAnotherFileTypeIsRefused)
{
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    int null = open("/dev/null", O_RDWR);
    int folder = open("/tmp", O_RDONLY);
    for (int fd : {ends[0], ends[1], null, folder}) {
        Handle a;
        slm_segment_options options = Options().of(SLM_SEGMENT_MEMFD);
        options.id = fd;
        options.mode = 0777;
        EXPECT_EQ(a.attach(options), SLM_E_ACCESS);
        (void)close(fd);
    }
}

TEST(SegmentName, AReadOnlyDescriptorCanBeAttachedReadOnly)
{
    Options all;
    Handle a, b;
    ASSERT_EQ(a.create(all.of(SLM_SEGMENT_FILE)), SLM_OK);
    slm_segment_options options = all.of(SLM_SEGMENT_MEMFD);
    options.id = open((all.folder() / "file").c_str(), O_RDONLY);
    EXPECT_EQ(b.attach(options), SLM_E_ACCESS);
    options.read_only = true;
    EXPECT_EQ(b.attach(options), SLM_OK);
    (void)close(options.id);
}

/* --- Listing --- */

struct Listed {
    std::string name;
    int id;
    size_t bytes;
    uid_t owner;
    mode_t mode;
};

slm_status list(const slm_segment_options &options, std::vector<Listed> *all,
                size_t at_most = 1000000)
{
    struct Visit {
        std::vector<Listed> *all;
        size_t at_most;
    } data{all, at_most};
    return slm_segment_list(
        &options,
        [](void *p, const slm_segment_entry *entry) {
            auto *visit = static_cast<Visit *>(p);
            visit->all->push_back({entry->name == nullptr ? "NULL" : entry->name, entry->id,
                                   entry->bytes, entry->owner, entry->mode});
            return visit->all->size() < visit->at_most;
        },
        &data, nullptr);
}

TEST(SegmentList, ReportsEachFileOfAFolderAndNothingElse)
{
    Options all;
    Handle a;
    slm_segment_options options = all.of(SLM_SEGMENT_FILE);
    options.mode = 0640;
    ASSERT_EQ(a.create(options), SLM_OK);
    ASSERT_EQ(mkdir((all.folder() / "folder").c_str(), 0700), 0);
    ASSERT_EQ(symlink("file", (all.folder() / "link").c_str()), 0);
    ASSERT_EQ(mkfifo((all.folder() / "fifo").c_str(), 0600), 0);
    std::vector<Listed> listed;
    std::string folder = all.folder().path();
    options.name = folder.c_str();
    ASSERT_EQ(list(options, &listed), SLM_OK);
    ASSERT_EQ(listed.size(), 1u);
    EXPECT_EQ(listed[0].name, all.folder() / "file");
    EXPECT_EQ(listed[0].bytes, 4 * kPage);
    EXPECT_EQ(listed[0].owner, geteuid());
    EXPECT_EQ(listed[0].mode, 0640u);
    /* A reported name is a name to attach. */
    Handle b;
    options = all.of(SLM_SEGMENT_FILE);
    options.name = listed[0].name.c_str();
    EXPECT_EQ(b.attach(options), SLM_OK);
}

TEST(SegmentList, ReportsPosixNamesAsTheyAreAttached)
{
    Options all;
    Handle a, b;
    ASSERT_EQ(a.create(all.of(SLM_SEGMENT_POSIX)), SLM_OK);
    std::vector<Listed> listed;
    ASSERT_EQ(list(all.of(SLM_SEGMENT_POSIX), &listed), SLM_OK);
    size_t n_found = 0;
    for (const Listed &entry : listed) {
        if (entry.name == all.posix().c_str()) {
            n_found++;
            EXPECT_EQ(entry.bytes, 4 * kPage);
            EXPECT_EQ(entry.mode, 0600u);
        }
    }
    EXPECT_EQ(n_found, 1u);
}

TEST(SegmentList, LeavesOutPosixNamesThatCannotBeAttached)
{
    std::string name = PosixName().c_str();
    name.resize(70, 'x');
    std::string path = "/dev/shm/" + name;
    int fd = open(path.c_str(), O_CREAT | O_RDWR, 0600);
    ASSERT_GE(fd, 0);
    std::vector<Listed> listed;
    ASSERT_EQ(list(Options().of(SLM_SEGMENT_POSIX), &listed), SLM_OK);
    for (const Listed &entry : listed) {
        EXPECT_NE(entry.name, name);
    }
    (void)close(fd);
    (void)unlink(path.c_str());
}

TEST(SegmentList, ReportsSysvSegmentsByTheirId)
{
    Options all;
    Handle a;
    ASSERT_EQ(a.create(all.of(SLM_SEGMENT_SYSV)), SLM_OK);
    std::vector<Listed> listed;
    ASSERT_EQ(list(all.of(SLM_SEGMENT_SYSV), &listed), SLM_OK);
    size_t n_found = 0;
    for (const Listed &entry : listed) {
        if (entry.id == slm_segment_id(a.segment)) {
            n_found++;
            EXPECT_EQ(entry.name, "NULL");
            EXPECT_EQ(entry.bytes, 16 * kPage);
            EXPECT_EQ(entry.owner, geteuid());
            EXPECT_EQ(entry.mode, 0600u);
        }
    }
    EXPECT_EQ(n_found, 1u);
}

TEST(SegmentList, StopsWhenTheVisitorHasEnough)
{
    Options all;
    Handle a, b;
    ASSERT_EQ(a.create(all.of(SLM_SEGMENT_SYSV)), SLM_OK);
    ASSERT_EQ(b.create(all.of(SLM_SEGMENT_SYSV)), SLM_OK);
    for (const char *name : {"one", "two"}) {
        (void)close(open((all.folder() / name).c_str(), O_CREAT | O_RDWR, 0600));
    }
    std::string folder = all.folder().path();
    for (Kind kind : {SLM_SEGMENT_SYSV, SLM_SEGMENT_FILE}) {
        slm_segment_options options = all.of(kind);
        options.name = folder.c_str();
        std::vector<Listed> listed;
        EXPECT_EQ(list(options, &listed, 1), SLM_OK);
        EXPECT_EQ(listed.size(), 1u);
    }
}

TEST(SegmentList, ReportsWhatItCannotList)
{
    std::vector<Listed> listed;
    Options all;
    for (Kind kind : {SLM_SEGMENT_ANONYMOUS, SLM_SEGMENT_MEMFD}) {
        EXPECT_EQ(list(all.of(kind), &listed), SLM_E_OPTION);
    }
    slm_segment_options options = all.of(SLM_SEGMENT_FILE);
    std::string missing = all.folder() / "missing";
    options.name = missing.c_str();
    EXPECT_EQ(list(options, &listed), SLM_E_MISSING);
    std::string too_long(PATH_MAX, 'x');
    for (const char *name : {static_cast<const char *>(nullptr), "", too_long.c_str()}) {
        options.name = name;
        EXPECT_EQ(list(options, &listed), SLM_E_NAME);
    }
    EXPECT_EQ(listed.size(), 0u);
}

} // namespace
