/* SPDX-License-Identifier: Apache-2.0 */
/* Segments get their name last: makers that are killed, fail, or meet each other. */
#include <csignal>
#include <sys/file.h>

#include "tests/segment/deadly.h"
#include "tests/segment/fixture.h"
#include "tests/segment/hooks.h"
#include "tests/segment/traces.h"

namespace {

using slm_test::faults;
using slm_test::Handle;
using slm_test::in_child;
using slm_test::KeepCalls;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::make_deadly;
using slm_test::n_until_death;
using slm_test::Options;
using slm_test::Traces;

const Kind kNamedKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE};

std::string folder_of(const Options &options, Kind kind)
{
    return kind == SLM_SEGMENT_POSIX ? "/dev/shm" : options.folder().path();
}

std::string path_of(const Options &options, Kind kind)
{
    return kind == SLM_SEGMENT_POSIX ? options.posix().path() : options.folder() / "file";
}

bool is_there(const std::string &path)
{
    struct stat stat;
    return lstat(path.c_str(), &stat) == 0;
}

/* The digits that all temporary names for the segment have. */
std::string stem_of(const std::string &path)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (char c : path.substr(path.rfind('/') + 1)) {
        hash = (hash ^ static_cast<unsigned char>(c)) * UINT64_C(0x100000001b3);
    }
    char stem[40];
    (void)snprintf(stem, sizeof stem, ".slm-%016llx-", static_cast<unsigned long long>(hash));
    return stem;
}

/* Paths of the temporary files of the segment. */
std::vector<std::string> temporaries(const Options &options, Kind kind)
{
    std::vector<std::string> found;
    std::string stem = stem_of(path_of(options, kind));
    DIR *folder = opendir(folder_of(options, kind).c_str());
    while (const dirent *entry = readdir(folder)) {
        if (strncmp(entry->d_name, stem.c_str(), stem.size()) == 0) {
            found.push_back(folder_of(options, kind) + "/" + entry->d_name);
        }
    }
    (void)closedir(folder);
    return found;
}

/* --- Systems that lack a call --- */

int tmpfile_error;

int open_without_tmpfile(const char *path, int flags, mode_t mode)
{
    if ((flags & O_TMPFILE) == O_TMPFILE) {
        errno = tmpfile_error;
        return -1;
    }
    return open(path, flags, mode);
}

int stat_without_proc(const char *path, struct stat *stat)
{
    if (strncmp(path, "/proc/", 6) == 0) {
        errno = ENOENT;
        return -1;
    }
    return ::stat(path, stat);
}

int rename_is_unknown(const char *, const char *)
{
    errno = EINVAL;
    return -1;
}

int flock_is_unknown(int, int)
{
    errno = ENOLCK;
    return -1;
}

struct System {
    const char *name;
    void (*pretend)();
    bool is_temporary; /* the file has a temporary name until it is published */
};

const System kSystems[] = {
    {"this one", [] {}, false},
    {"a file system without O_TMPFILE",
     [] {
         tmpfile_error = EOPNOTSUPP;
         slm_segment_sys.open = open_without_tmpfile;
     },
     true},
    {"a kernel without O_TMPFILE",
     [] {
         tmpfile_error = EISDIR;
         slm_segment_sys.open = open_without_tmpfile;
     },
     true},
    {"a system without /proc", [] { slm_segment_sys.stat = stat_without_proc; }, true},
    {"a system without /proc or a rename that does not overwrite",
     [] {
         slm_segment_sys.stat = stat_without_proc;
         slm_segment_sys.rename_new = rename_is_unknown;
     },
     true},
};

class Publish : public testing::TestWithParam<std::tuple<Kind, System>> {
  protected:
    Publish()
    {
        system().pretend();
    }
    Kind kind() const
    {
        return std::get<0>(GetParam());
    }
    const System &system() const
    {
        return std::get<1>(GetParam());
    }
    slm_segment_options unnamed() const
    {
        slm_segment_options options = options_.of(kind());
        options.unnamed = true;
        return options;
    }
    std::string path() const
    {
        return path_of(options_, kind());
    }
    bool has_temporary() const
    {
        return !temporaries(options_, kind()).empty();
    }

    KeepCalls keep_;
    Options options_;
};

INSTANTIATE_TEST_SUITE_P(Segment, Publish,
                         testing::Combine(testing::ValuesIn(kNamedKinds),
                                          testing::ValuesIn(kSystems)));

TEST_P(Publish, GivesTheNameToAnUnnamedSegment)
{
    Handle a, b;
    slm_error error;
    ASSERT_EQ(a.create(unnamed(), &error), SLM_OK) << error.text;
    EXPECT_FALSE(is_there(path()));
    EXPECT_EQ(has_temporary(), system().is_temporary);
    EXPECT_EQ(b.attach(options_.of(kind())), SLM_E_MISSING);
    a.base()[0] = 42;
    ASSERT_EQ(slm_segment_grow(a.segment, 8 * kPage, &error), SLM_OK) << error.text;
    ASSERT_EQ(slm_segment_publish(a.segment, &error), SLM_OK) << error.text;
    EXPECT_FALSE(has_temporary());
    ASSERT_EQ(b.attach(options_.of(kind())), SLM_OK);
    EXPECT_EQ(b.bytes(), 8 * kPage);
    EXPECT_EQ(b.base()[0], 42);
    EXPECT_EQ(slm_segment_publish(a.segment, &error), SLM_E_STATE);
}

TEST_P(Publish, OfATakenNameLeavesTheSegmentUnnamed)
{
    Handle a, b, c;
    slm_error error;
    ASSERT_EQ(a.create(unnamed(), &error), SLM_OK) << error.text;
    ASSERT_EQ(b.create(options_.of(kind())), SLM_OK);
    b.base()[0] = 7;
    EXPECT_EQ(slm_segment_publish(a.segment, &error), SLM_E_EXISTS);
    EXPECT_EQ(error.os_errno, EEXIST);
    EXPECT_NE(strstr(error.text, path().c_str()), nullptr) << error.text;
    EXPECT_EQ(has_temporary(), system().is_temporary);
    ASSERT_EQ(c.attach(options_.of(kind())), SLM_OK);
    EXPECT_EQ(c.base()[0], 7);
    ASSERT_EQ(unlink(path().c_str()), 0);
    EXPECT_EQ(slm_segment_publish(a.segment, &error), SLM_OK) << error.text;
}

TEST_P(Publish, OfASegmentThatIsNeverPublishedLeavesNothing)
{
    Handle a;
    Traces before(options_);
    ASSERT_EQ(a.create(unnamed()), SLM_OK);
    a.detach();
    EXPECT_FALSE(has_temporary());
    EXPECT_TRUE(Traces(options_) == before);
}

TEST_P(Publish, AChildThatDetachesItLeavesItsParentsFileAlone)
{
    Handle a;
    ASSERT_EQ(a.create(unnamed()), SLM_OK);
    EXPECT_EQ(in_child([&] {
                  a.detach();
                  return 0;
              }),
              0);
    EXPECT_EQ(slm_segment_publish(a.segment, nullptr), SLM_OK);
}

/* Creates the segment, and dies at the n-th call to the system. */
int die_at(unsigned n, const slm_segment_options &options)
{
    using C = slm_segment_calls;
    make_deadly<&C::open, &C::flock, &C::stat, &C::fstat, &C::lstat, &C::fchmod, &C::fallocate,
                &C::ftruncate, &C::mmap, &C::link, &C::rename_new, &C::unlink, &C::opendir,
                &C::readdir, &C::closedir>();
    n_until_death = n;
    Handle a;
    return a.create(options) == SLM_OK ? 0 : 1;
}

TEST_P(Publish, AMakerKilledAtAnyCallLeavesAWholeSegmentOrNoName)
{
    unsigned n_whole = 0;
    unsigned n_absent = 0;
    for (unsigned at = 1;; at++) {
        SCOPED_TRACE(at);
        slm_segment_options options = options_.of(kind());
        int end = in_child([&] { return die_at(at, options); });
        Handle a, b;
        slm_error error;
        slm_status seen = a.attach(options, &error);
        ASSERT_TRUE(seen == SLM_OK || seen == SLM_E_MISSING) << error.text;
        if (seen == SLM_OK) {
            EXPECT_EQ(a.bytes(), options.bytes);
            ASSERT_EQ(slm_segment_remove(&options, nullptr), SLM_OK);
        }
        n_whole += seen == SLM_OK && end == 128 + SIGKILL;
        n_absent += seen == SLM_E_MISSING;
        ASSERT_EQ(b.create(options, &error), SLM_OK) << error.text;
        EXPECT_FALSE(has_temporary());
        ASSERT_EQ(slm_segment_remove(&options, nullptr), SLM_OK);
        if (end == 0) {
            break;
        }
        ASSERT_EQ(end, 128 + SIGKILL);
    }
    EXPECT_GT(n_absent, 4u);
    EXPECT_GT(n_whole, 0u);
}

/* --- Makers that meet --- */

class Temporary : public testing::TestWithParam<Kind> {
  protected:
    Temporary()
    {
        slm_segment_sys.stat = stat_without_proc;
    }

    KeepCalls keep_;
    Options options_;
};

INSTANTIATE_TEST_SUITE_P(Segment, Temporary, testing::ValuesIn(kNamedKinds));

TEST_P(Temporary, TheFileOfALivingMakerIsNotRemoved)
{
    Handle a, b;
    slm_segment_options options = options_.of(GetParam());
    options.unnamed = true;
    ASSERT_EQ(a.create(options), SLM_OK);
    EXPECT_EQ(in_child([&] {
                  Handle other;
                  return static_cast<int>(other.create(options));
              }),
              SLM_OK);
    ASSERT_EQ(b.create(options), SLM_OK);
    EXPECT_EQ(temporaries(options_, GetParam()).size(), 2u);
    EXPECT_EQ(slm_segment_publish(a.segment, nullptr), SLM_OK);
    EXPECT_EQ(temporaries(options_, GetParam()).size(), 1u);
    EXPECT_EQ(slm_segment_publish(b.segment, nullptr), SLM_E_EXISTS);
}

TEST_P(Temporary, TheFileOfAnotherNameIsNotRemoved)
{
    Options others;
    Handle a;
    std::string stem = stem_of(path_of(options_, GetParam()) + "x");
    std::string folder = folder_of(options_, GetParam());
    std::string left = folder + "/" + stem + "0123456789abcdef";
    (void)close(open(left.c_str(), O_CREAT | O_RDWR, 0600));
    ASSERT_EQ(a.create(options_.of(GetParam())), SLM_OK);
    EXPECT_EQ(unlink(left.c_str()), 0);
}

/* A name that only looks temporary, and files that a maker never makes. */
TEST_P(Temporary, WhatNoMakerMadeIsNotRemoved)
{
    Handle a;
    std::string folder = folder_of(options_, GetParam());
    std::string stem = folder + "/" + stem_of(path_of(options_, GetParam()));
    std::string names[] = {stem + "0123", stem + "0123456789abcdeg", stem + "0123456789abcdef"};
    (void)close(open(names[0].c_str(), O_CREAT | O_RDWR, 0600));
    (void)close(open(names[1].c_str(), O_CREAT | O_RDWR, 0600));
    ASSERT_EQ(symlink("elsewhere", names[2].c_str()), 0);
    EXPECT_EQ(a.create(options_.of(GetParam())), SLM_OK);
    for (const std::string &name : names) {
        EXPECT_EQ(unlink(name.c_str()), 0) << name;
    }
}

unsigned n_thefts;

/* Locks and removes the new file before its maker can: as a maker does that takes it for that of a
 * dead one. */
int flock_comes_late(int fd, int operation)
{
    if (operation == LOCK_UN || n_thefts == 0) {
        return flock(fd, operation);
    }
    n_thefts--;
    char link[40];
    char path[PATH_MAX] = {};
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    EXPECT_GT(readlink(link, path, sizeof path - 1), 0);
    int other = open(path, O_RDONLY);
    EXPECT_EQ(flock(other, LOCK_EX), 0);
    int result = n_thefts % 2 == 0 ? -1 : 0;
    errno = EWOULDBLOCK;
    if (result == 0) {
        EXPECT_EQ(unlink(path), 0);
    }
    (void)close(other);
    errno = EWOULDBLOCK;
    return result;
}

TEST_P(Temporary, AMakerWhoseFileWasTakenForADeadOnesMakesAnother)
{
    Handle a;
    slm_error error;
    slm_segment_sys.flock = flock_comes_late;
    n_thefts = 5;
    ASSERT_EQ(a.create(options_.of(GetParam()), &error), SLM_OK) << error.text;
    EXPECT_EQ(n_thefts, 0u);
    EXPECT_TRUE(is_there(path_of(options_, GetParam())));
    EXPECT_TRUE(temporaries(options_, GetParam()).empty());
}

TEST_P(Temporary, AMakerThatNeverGetsAFileOfItsOwnFails)
{
    Handle a;
    slm_segment_sys.flock = flock_comes_late;
    n_thefts = 100000;
    Traces before(options_);
    EXPECT_EQ(a.create(options_.of(GetParam())), SLM_E_IO);
    EXPECT_TRUE(Traces(options_) == before);
    EXPECT_TRUE(temporaries(options_, GetParam()).empty());
}

TEST_P(Temporary, WorksWhereTheFileSystemHasNoLocks)
{
    Handle a, b;
    slm_segment_sys.flock = flock_is_unknown;
    slm_segment_options options = options_.of(GetParam());
    options.unnamed = true;
    ASSERT_EQ(a.create(options), SLM_OK);
    options.unnamed = false;
    ASSERT_EQ(b.create(options), SLM_OK);
    EXPECT_EQ(slm_segment_publish(a.segment, nullptr), SLM_E_EXISTS);
    EXPECT_EQ(temporaries(options_, GetParam()).size(), 1u);
}

TEST_P(Temporary, IsNotNamedIfAnotherFileHasItsTemporaryName)
{
    Handle a;
    slm_error error;
    slm_segment_options options = options_.of(GetParam());
    options.unnamed = true;
    ASSERT_EQ(a.create(options), SLM_OK);
    std::string path = temporaries(options_, GetParam()).at(0);
    ASSERT_EQ(unlink(path.c_str()), 0);
    EXPECT_EQ(slm_segment_publish(a.segment, &error), SLM_E_MISSING) << error.text;
    (void)close(open(path.c_str(), O_CREAT | O_RDWR, 0600));
    EXPECT_EQ(slm_segment_publish(a.segment, &error), SLM_E_MISSING) << error.text;
    a.detach();
    EXPECT_EQ(unlink(path.c_str()), 0); /* the other's file stayed */
    EXPECT_FALSE(is_there(path_of(options_, GetParam())));
}

TEST_P(Temporary, IsNotListed)
{
    Handle a;
    slm_segment_options options = options_.of(GetParam());
    options.unnamed = true;
    ASSERT_EQ(a.create(options), SLM_OK);
    std::string folder = folder_of(options_, GetParam());
    options.name = folder.c_str();
    auto visit = [](void *data, const slm_segment_entry *entry) {
        *static_cast<unsigned *>(data) += strstr(entry->name, ".slm-") != nullptr;
        return true;
    };
    unsigned n_found = 0;
    EXPECT_EQ(slm_segment_list(&options, visit, &n_found, nullptr), SLM_OK);
    EXPECT_EQ(n_found, 0u);
}

/* --- A create that fails --- */

std::string victim;

/* Another program takes the name while the segment is being made, and then there is no space. */
int fallocate_fails_late(int, int, off_t, off_t)
{
    int fd = open(victim.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
    EXPECT_EQ(write(fd, "another's", 9), 9);
    (void)close(fd);
    errno = ENOSPC;
    return -1;
}

TEST(SegmentCreate, ThatFailsRemovesNoFileOfAnother)
{
    for (Kind kind : kNamedKinds) {
        for (const System &system : kSystems) {
            SCOPED_TRACE(system.name);
            KeepCalls keep;
            Options options;
            Handle a;
            victim = path_of(options, kind);
            system.pretend();
            slm_segment_sys.fallocate = fallocate_fails_late;
            EXPECT_EQ(a.create(options.of(kind)), SLM_E_SPACE);
            EXPECT_TRUE(is_there(victim));
            EXPECT_TRUE(temporaries(options, kind).empty());
        }
    }
}

TEST(SegmentCreate, SeesATakenNameBeforeItReservesAnything)
{
    for (Kind kind : kNamedKinds) {
        KeepCalls keep;
        Options options;
        Handle a, b;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        slm_segment_sys.fallocate = [](int, int, off_t, off_t) -> int {
            ADD_FAILURE() << "it reserves";
            return -1;
        };
        slm_segment_options unnamed = options.of(kind);
        unnamed.unnamed = true;
        EXPECT_EQ(b.create(options.of(kind)), SLM_E_EXISTS);
        EXPECT_EQ(b.create(unnamed), SLM_E_EXISTS);
    }
}

TEST(SegmentCreate, UnnamedIsForKindsThatHaveAName)
{
    for (Kind kind : {SLM_SEGMENT_ANONYMOUS, SLM_SEGMENT_SYSV, SLM_SEGMENT_MEMFD}) {
        Options all;
        Handle a;
        slm_segment_options options = all.of(kind);
        options.unnamed = true;
        EXPECT_EQ(a.create(options), SLM_E_OPTION);
        options.unnamed = false;
        ASSERT_EQ(a.create(options), SLM_OK);
        EXPECT_EQ(slm_segment_publish(a.segment, nullptr), SLM_E_STATE);
    }
    Options all;
    Handle a, b;
    slm_segment_options options = all.of(SLM_SEGMENT_FILE);
    ASSERT_EQ(a.create(options), SLM_OK);
    options.unnamed = true;
    EXPECT_EQ(b.attach(options), SLM_E_OPTION);
}

/* Paths without a folder, and in the root folder. */
TEST(SegmentCreate, WorksForARelativePath)
{
    for (const System &system : kSystems) {
        SCOPED_TRACE(system.name);
        Options options;
        EXPECT_EQ(in_child([&] {
                      system.pretend();
                      Handle a, b;
                      slm_segment_options relative = options.of(SLM_SEGMENT_FILE);
                      relative.name = "file";
                      return chdir(options.folder().path().c_str()) == 0 &&
                                     a.create(relative) == SLM_OK && b.attach(relative) == SLM_OK
                                 ? 0
                                 : 1;
                  }),
                  0);
        EXPECT_EQ(options.folder().names().size(), 1u);
    }
}

} // namespace
