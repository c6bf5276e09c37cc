/* SPDX-License-Identifier: Apache-2.0 */
/* Whether other processes have a segment. */
#include <csignal>
#include <linux/magic.h>
#include <sched.h>

#include "tests/segment/fixture.h"
#include "tests/segment/hooks.h"

namespace {

using slm_test::Handle;
using slm_test::in_child;
using slm_test::KeepCalls;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::Options;

const Kind kNamedKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE};

slm_status check(const Handle &a)
{
    slm_error error;
    slm_status status = slm_segment_check_unused(a.segment, &error);
    EXPECT_EQ(error.status, status) << error.text;
    return status;
}

std::string path_of(const Options &options, Kind kind)
{
    return kind == SLM_SEGMENT_POSIX ? options.posix().path() : options.folder() / "file";
}

/* A process that opens something, reports it, and lives until it is killed. */
class Child {
  public:
    explicit Child(const std::function<bool()> &open_it)
    {
        int ends[2];
        EXPECT_EQ(pipe(ends), 0);
        pid_ = fork();
        if (pid_ == 0) {
            char c = open_it() ? '1' : '0';
            (void)!write(ends[1], &c, 1);
            for (;;) {
                pause();
            }
        }
        char c = 0;
        EXPECT_EQ(read(ends[0], &c, 1), 1);
        EXPECT_EQ(c, '1');
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
    ~Child()
    {
        end();
    }
    Child(const Child &) = delete;
    Child &operator=(const Child &) = delete;

    void end()
    {
        if (pid_ > 0) {
            (void)kill(pid_, SIGKILL);
            EXPECT_EQ(waitpid(pid_, nullptr, 0), pid_);
        }
        pid_ = 0;
    }

  private:
    pid_t pid_;
};

TEST(SegmentUnused, IsTrueOfAFileThatNoOtherProcessHas)
{
    for (Kind kind : kNamedKinds) {
        Options options;
        Handle a, b;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        EXPECT_EQ(check(a), SLM_OK);
        ASSERT_EQ(b.attach(options.of(kind)), SLM_OK);
        EXPECT_EQ(check(a), SLM_E_LOCKED);
        b.detach();
        EXPECT_EQ(check(a), SLM_OK);
        EXPECT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_OK);
        EXPECT_EQ(check(a), SLM_OK);
    }
}

TEST(SegmentUnused, IsFalseWhileAnotherProcessHasItAttached)
{
    for (Kind kind : kNamedKinds) {
        for (bool read_only : {false, true}) {
            Options options;
            Handle a;
            slm_segment_options attach = options.of(kind);
            attach.read_only = read_only;
            {
                Handle maker;
                ASSERT_EQ(maker.create(options.of(kind)), SLM_OK);
            }
            Child child([&] {
                static Handle b;
                return b.attach(attach) == SLM_OK;
            });
            ASSERT_EQ(a.attach(options.of(kind)), SLM_OK);
            EXPECT_EQ(check(a), SLM_E_LOCKED);
            child.end();
            EXPECT_EQ(check(a), SLM_OK);
        }
    }
}

/* Programs close descriptors that they do not know. */
TEST(SegmentUnused, IsFalseWhileOnlyAMappingIsLeft)
{
    for (Kind kind : kNamedKinds) {
        Options options;
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        std::string path = path_of(options, kind);
        Child child([&] {
            int fd = open(path.c_str(), O_RDWR);
            void *p = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            return close(fd) == 0 && p != MAP_FAILED;
        });
        EXPECT_EQ(check(a), SLM_E_LOCKED);
        child.end();
        EXPECT_EQ(check(a), SLM_OK);
    }
}

TEST(SegmentUnused, CountsTheAttachmentsOfASysvSegment)
{
    for (unsigned max_pages : {4u, 16u}) {
        Options options(4 * kPage, max_pages * kPage);
        Handle a, b;
        ASSERT_EQ(a.create(options.of(SLM_SEGMENT_SYSV)), SLM_OK);
        EXPECT_EQ(check(a), SLM_OK);
        ASSERT_EQ(b.attach(options.to_attach(a.segment)), SLM_OK);
        EXPECT_EQ(check(a), SLM_E_LOCKED);
        b.detach();
        EXPECT_EQ(check(a), SLM_OK);
        Child child([] { return true; });
        EXPECT_EQ(check(a), SLM_E_LOCKED); /* it has inherited the mapping */
    }
}

/* There the id means no segment, or another one. */
TEST(SegmentUnused, IsUnknownOfASysvSegmentInAnotherIpcNamespace)
{
    constexpr int kNotAllowed = 99;
    int seen = in_child([] {
        Options options;
        Handle a;
        if (a.create(options.of(SLM_SEGMENT_SYSV)) != SLM_OK || check(a) != SLM_OK) {
            return 98;
        }
        if (unshare(CLONE_NEWIPC) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWIPC) != 0) {
            return kNotAllowed;
        }
        return static_cast<int>(check(a));
    });
    if (seen == kNotAllowed) {
        GTEST_SKIP() << "this system allows no new IPC namespace";
    }
    EXPECT_EQ(seen, SLM_E_STATE);
}

TEST(SegmentUnused, IsUnknownOfASysvSegmentWithoutItsNamespace)
{
    KeepCalls keep;
    Options options;
    Handle made, made_without;
    ASSERT_EQ(made.create(options.of(SLM_SEGMENT_SYSV)), SLM_OK);
    slm_segment_sys.stat = [](const char *, struct stat *) {
        errno = ENOENT;
        return -1;
    };
    EXPECT_EQ(check(made), SLM_E_STATE);
    ASSERT_EQ(made_without.create(options.of(SLM_SEGMENT_SYSV)), SLM_OK);
    EXPECT_EQ(check(made_without), SLM_E_STATE);
    slm_segment_sys.stat = slm_test::faults.real.stat;
    EXPECT_EQ(check(made), SLM_OK);
    EXPECT_EQ(check(made_without), SLM_E_STATE);
}

TEST(SegmentUnused, IsUnknownOfWhatIsSharedWithoutBeingOpenedAgain)
{
    for (Kind kind : {SLM_SEGMENT_ANONYMOUS, SLM_SEGMENT_MEMFD}) {
        Options options;
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        EXPECT_EQ(check(a), SLM_E_STATE);
    }
    for (Kind kind : kNamedKinds) {
        Options options;
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        EXPECT_EQ(in_child([&] { return static_cast<int>(check(a)); }), SLM_E_STATE);
    }
}

/* --- What the system returns --- */

int lease_error;
unsigned n_given_back;
uint32_t pretended_file_system;

int lease_fails(int)
{
    errno = lease_error;
    return -1;
}

int count_unlease(int)
{
    n_given_back++;
    return 0;
}

TEST(SegmentUnused, IsUnknownWhereTheSystemRefusesALease)
{
    const struct {
        int os_errno;
        slm_status expected;
    } cases[] = {{EAGAIN, SLM_E_LOCKED}, {EINVAL, SLM_E_STATE}, {EACCES, SLM_E_STATE},
                 {ENOSYS, SLM_E_STATE},  {ENOLCK, SLM_E_STATE}, {ENOMEM, SLM_E_STATE}};
    for (Kind kind : kNamedKinds) {
        KeepCalls keep;
        Options options;
        Handle a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        slm_segment_sys.lease = lease_fails;
        slm_segment_sys.unlease = count_unlease;
        n_given_back = 0;
        for (const auto &one : cases) {
            lease_error = one.os_errno;
            EXPECT_EQ(check(a), one.expected) << strerror(one.os_errno);
        }
        EXPECT_EQ(n_given_back, 0u);
    }
}

const uint32_t kCounting[] = {TMPFS_MAGIC, EXT4_SUPER_MAGIC, 0x58465342, 0x9123683E, 0xF2F52010};
const uint32_t kOthers[] = {NFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, 0, UINT32_MAX};

TEST(SegmentUnused, IsUnknownOnFileSystemsThatDoNotCountUsers)
{
    KeepCalls keep;
    Options options;
    Handle a;
    ASSERT_EQ(a.create(options.of(SLM_SEGMENT_FILE)), SLM_OK);
    slm_segment_sys.file_system = [](int, uint32_t *type) {
        *type = pretended_file_system;
        return 0;
    };
    slm_segment_sys.lease = [](int) { return 0; };
    slm_segment_sys.unlease = count_unlease;
    n_given_back = 0;
    for (uint32_t type : kCounting) {
        pretended_file_system = type;
        EXPECT_EQ(check(a), SLM_OK) << std::hex << type;
    }
    EXPECT_EQ(n_given_back, 5u);
    for (uint32_t type : kOthers) {
        pretended_file_system = type;
        EXPECT_EQ(check(a), SLM_E_STATE) << std::hex << type;
    }
    EXPECT_EQ(n_given_back, 5u);
    slm_segment_sys.file_system = [](int, uint32_t *) {
        errno = EIO;
        return -1;
    };
    EXPECT_EQ(check(a), SLM_E_IO);
}

/* Another process that opens the file during the lease makes the system send a signal. By default
 * that would end the process. */
int lease_meets_an_opener(int fd)
{
    int result = slm_test::faults.real.lease(fd);
    EXPECT_EQ(result, 0);
    char link[40];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    EXPECT_EQ(in_child([&] {
                  return open(link, O_RDWR | O_NONBLOCK) < 0 && errno == EWOULDBLOCK ? 0 : 1;
              }),
              0);
    return result;
}

TEST(SegmentUnused, SurvivesAnOpenerDuringTheLease)
{
    for (Kind kind : kNamedKinds) {
        Options options;
        {
            Handle maker;
            ASSERT_EQ(maker.create(options.of(kind)), SLM_OK);
        }
        EXPECT_EQ(in_child([&] {
                      Handle b;
                      slm_test::faults.real = slm_segment_sys;
                      slm_segment_sys.lease = lease_meets_an_opener;
                      return b.attach(options.of(kind)) == SLM_OK && check(b) == SLM_OK ? 0 : 1;
                  }),
                  0);
    }
}

} // namespace
