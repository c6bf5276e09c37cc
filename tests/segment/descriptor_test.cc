/* SPDX-License-Identifier: Apache-2.0 */
/* Segments whose descriptor the program closes or replaces: nothing of the program's is changed. */
#include <pthread.h>

#include "tests/segment/fixture.h"
#include "tests/segment/hooks.h"
#include "tests/segment/traces.h"

namespace {

using slm_test::first_wrong;
using slm_test::Folder;
using slm_test::Handle;
using slm_test::in_child;
using slm_test::KeepCalls;
using slm_test::kFileKinds;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::Options;
using slm_test::Traces;

const Kind kNamedKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE};

/* A file of the program's own. */
class Data {
  public:
    Data() : fd_(open((folder_ / "data").c_str(), O_CREAT | O_RDWR, 0600))
    {
        std::string page(kPage, 'D');
        for (size_t i = 0; i < kPages; i++) {
            EXPECT_EQ(write(fd_, page.data(), kPage), static_cast<ssize_t>(kPage));
        }
    }
    ~Data()
    {
        (void)close(fd_);
    }
    Data(const Data &) = delete;
    Data &operator=(const Data &) = delete;

    int fd() const
    {
        return fd_;
    }
    void expect_unchanged() const
    {
        struct stat stat {};
        ASSERT_EQ(fstat(fd_, &stat), 0);
        ASSERT_EQ(static_cast<size_t>(stat.st_size), kPages * kPage);
        EXPECT_LE(static_cast<size_t>(stat.st_blocks) * 512, kPages * kPage);
        EXPECT_EQ(stat.st_nlink, 1u);
        std::string content(kPages * kPage, ' ');
        EXPECT_EQ(pread(fd_, content.data(), content.size(), 0),
                  static_cast<ssize_t>(content.size()));
        EXPECT_EQ(content, std::string(kPages * kPage, 'D'));
    }

  private:
    static constexpr size_t kPages = 20;
    Folder folder_;
    int fd_;
};

struct slm_segment_place place; /* what a hook pretends that a descriptor leads to */

enum class Loss { Closed, DataFile, Pipe, Folder, AnotherSegment };

class Descriptor : public testing::TestWithParam<std::tuple<Kind, Loss>> {
  protected:
    Kind kind() const
    {
        return std::get<0>(GetParam());
    }
    /* Closes the segment's descriptor, and gives its number to another file. */
    void lose(int fd)
    {
        int ends[2];
        ASSERT_EQ(pipe(ends), 0);
        ASSERT_EQ(other_.create(Options().of(SLM_SEGMENT_MEMFD)), SLM_OK);
        int folder = open("/tmp", O_RDONLY);
        switch (std::get<1>(GetParam())) {
        case Loss::Closed:
            ASSERT_EQ(close(fd), 0);
            break;
        case Loss::DataFile:
            ASSERT_EQ(dup2(data_.fd(), fd), fd);
            break;
        case Loss::Pipe:
            ASSERT_EQ(dup2(ends[1], fd), fd);
            break;
        case Loss::Folder:
            ASSERT_EQ(dup2(folder, fd), fd);
            break;
        case Loss::AnotherSegment:
            ASSERT_EQ(dup2(slm_segment_id(other_.segment), fd), fd);
            break;
        }
        (void)close(folder);
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
    void expect_refused(slm_status status, const slm_error &error)
    {
        EXPECT_EQ(status, SLM_E_STATE) << error.text;
        EXPECT_EQ(error.status, SLM_E_STATE);
        EXPECT_NE(strstr(error.text, slm_segment_label(a_.segment)), nullptr) << error.text;
    }

    Options options_;
    Handle a_;
    Handle other_;
    Data data_;
    slm_error error_{};
};

INSTANTIATE_TEST_SUITE_P(Segment, Descriptor,
                         testing::Combine(testing::ValuesIn(kFileKinds),
                                          testing::Values(Loss::Closed, Loss::DataFile, Loss::Pipe,
                                                          Loss::Folder, Loss::AnotherSegment)));

TEST_P(Descriptor, ThatIsLostMakesCallsFailAndChangesNothingElse)
{
    ASSERT_EQ(a_.create(options_.of(kind())), SLM_OK);
    ASSERT_EQ(slm_segment_grow(a_.segment, 8 * kPage, nullptr), SLM_OK);
    a_.base()[0] = 77;
    int fd = slm_segment_id(a_.segment);
    lose(fd);
    expect_refused(slm_segment_grow(a_.segment, 12 * kPage, &error_), error_);
    expect_refused(slm_segment_shrink(a_.segment, 4 * kPage, &error_), error_);
    expect_refused(slm_segment_refresh(a_.segment, 8 * kPage, &error_), error_);
    expect_refused(slm_segment_verify(a_.segment, &error_), error_);
    expect_refused(slm_segment_check_unused(a_.segment, &error_), error_);
    EXPECT_EQ(a_.bytes(), 8 * kPage);
    EXPECT_EQ(a_.base()[0], 77); /* the memory stays */
    a_.base()[8 * kPage - 1] = 78;
    bool was_open = fcntl(fd, F_GETFD) >= 0;
    EXPECT_EQ(was_open, std::get<1>(GetParam()) != Loss::Closed);
    a_.detach();
    EXPECT_EQ(fcntl(fd, F_GETFD) >= 0, was_open);
    data_.expect_unchanged();
    EXPECT_EQ(slm_segment_verify(other_.segment, nullptr), SLM_OK);
    EXPECT_EQ(other_.bytes(), 4 * kPage);
    if (was_open) {
        (void)close(fd);
    }
}

TEST_P(Descriptor, ThatIsLostIsNotGivenAName)
{
    if (kind() == SLM_SEGMENT_MEMFD) {
        return; /* it has no name */
    }
    slm_segment_options unnamed = options_.of(kind());
    unnamed.unnamed = true;
    ASSERT_EQ(a_.create(unnamed), SLM_OK);
    int fd = slm_segment_id(a_.segment);
    lose(fd);
    expect_refused(slm_segment_publish(a_.segment, &error_), error_);
    Handle b;
    EXPECT_EQ(b.attach(options_.of(kind())), SLM_E_MISSING);
    a_.detach();
    data_.expect_unchanged();
    (void)close(fd);
}

TEST_P(Descriptor, ThatIsLostGetsNoSecondHandle)
{
    ASSERT_EQ(a_.create(options_.of(kind())), SLM_OK);
    int fd = slm_segment_id(a_.segment);
    lose(fd);
    Handle b;
    expect_refused(slm_segment_open_again(&b.segment, a_.segment, &error_), error_);
    EXPECT_EQ(b.segment, nullptr);
    data_.expect_unchanged();
    (void)close(fd);
}

/* Between the comparison and the duplicate, another thread puts another file in its place. */
TEST_P(Descriptor, ThatIsLostMeanwhileGetsNoSecondHandle)
{
    static int other_fd;
    KeepCalls keep;
    ASSERT_EQ(a_.create(options_.of(kind())), SLM_OK);
    lose(slm_segment_id(a_.segment));
    other_fd = slm_segment_id(a_.segment);
    slm_segment_sys.fstat = [](int fd, struct stat *stat) {
        int result = fd == other_fd ? 0 : fstat(fd, stat);
        if (fd == other_fd) {
            *stat = {};
            stat->st_dev = static_cast<dev_t>(place.device);
            stat->st_ino = static_cast<ino_t>(place.inode);
        }
        return result;
    };
    place = slm_segment_file_place(a_.segment);
    Handle b;
    expect_refused(slm_segment_open_again(&b.segment, a_.segment, &error_), error_);
    EXPECT_EQ(b.segment, nullptr);
    slm_segment_sys = keep.real;
    data_.expect_unchanged();
    (void)close(other_fd);
}

TEST(SegmentDescriptor, ASecondHandleHasKindLabelLengthAndRangeOfTheFirst)
{
    for (Kind kind : kFileKinds) {
        Options options(4 * kPage, 16 * kPage);
        Handle a, b;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        ASSERT_EQ(slm_segment_open_again(&b.segment, a.segment, nullptr), SLM_OK);
        EXPECT_EQ(slm_segment_get_kind(b.segment), kind);
        EXPECT_STREQ(slm_segment_label(b.segment), slm_segment_label(a.segment));
        EXPECT_EQ(b.bytes(), 4 * kPage);
        EXPECT_EQ(slm_segment_max_bytes(b.segment), 16 * kPage);
        b.base()[3 * kPage] = 7;
        EXPECT_EQ(a.base()[3 * kPage], 7);
        EXPECT_EQ(slm_segment_grow(b.segment, 8 * kPage, nullptr), SLM_OK);
        EXPECT_EQ(slm_segment_refresh(a.segment, 8 * kPage, nullptr), SLM_OK);
        b.detach();
        EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_OK);
        EXPECT_EQ(a.bytes(), 8 * kPage);
    }
}

/* --- The standard streams --- */

bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

bool is_kept(const Handle &a)
{
    int fd = slm_segment_id(a.segment);
    return fd >= 3 && fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

int stat_without_proc(const char *path, struct stat *stat)
{
    if (strncmp(path, "/proc/", 6) == 0) {
        errno = ENOENT;
        return -1;
    }
    return ::stat(path, stat);
}

TEST(SegmentDescriptor, NumbersOfTheStandardStreamsAreNeverKept)
{
    for (bool has_proc : {true, false}) {
        for (Kind kind : kFileKinds) {
            Options options;
            EXPECT_EQ(
                in_child([&] {
                    Handle a, b, c;
                    if (!has_proc) {
                        slm_segment_sys.stat = stat_without_proc;
                    }
                    for (int fd : {0, 1, 2}) {
                        (void)close(fd);
                    }
                    bool made = a.create(options.of(kind)) == SLM_OK;
                    bool attached = b.attach(options.to_attach(a.segment)) == SLM_OK;
                    attached = attached &&
                               slm_segment_open_again(&c.segment, a.segment, nullptr) == SLM_OK;
                    return first_wrong({made, attached, is_kept(a), is_kept(b), is_kept(c),
                                        !is_open(0), !is_open(1), !is_open(2),
                                        slm_segment_grow(b.segment, 8 * kPage, nullptr) == SLM_OK});
                }),
                0);
        }
    }
}

int dup_fails(int, int)
{
    errno = EMFILE;
    return -1;
}

TEST(SegmentDescriptor, WithoutANumberAboveTheStandardStreamsIsNoMemory)
{
    for (bool has_proc : {true, false}) {
        for (Kind kind : kFileKinds) {
            Options options;
            Handle a;
            ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
            EXPECT_EQ(in_child([&] {
                          Options others;
                          Handle b, c;
                          for (int fd : {0, 1, 2}) {
                              (void)close(fd);
                          }
                          slm_segment_sys.dup_cloexec = dup_fails;
                          if (!has_proc) {
                              slm_segment_sys.stat = stat_without_proc;
                          }
                          Traces before(others);
                          return first_wrong({b.create(others.of(kind)) == SLM_E_NOMEM,
                                              c.attach(options.to_attach(a.segment)) == SLM_E_NOMEM,
                                              Traces(others) == before});
                      }),
                      0);
        }
    }
}

/* --- Leases, for as long as slm_segment_check_unused has one --- */

unsigned n_naps;
unsigned n_refusals;

int open_meets_a_lease(const char *path, int flags, mode_t mode)
{
    if (n_refusals > 0) {
        n_refusals--;
        errno = EAGAIN;
        return -1;
    }
    return open(path, flags, mode);
}

TEST(SegmentDescriptor, AttachWaitsForALeaseThatEnds)
{
    for (Kind kind : kNamedKinds) {
        KeepCalls keep;
        Options options;
        Handle a, b, c;
        slm_error error;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        slm_segment_sys.open = open_meets_a_lease;
        slm_segment_sys.nap = [] { n_naps++; };
        n_naps = 0;
        n_refusals = SLM_SEGMENT_TRIES - 1;
        EXPECT_EQ(b.attach(options.of(kind), &error), SLM_OK) << error.text;
        EXPECT_EQ(n_naps, SLM_SEGMENT_TRIES - 1);
        n_refusals = SLM_SEGMENT_TRIES;
        EXPECT_EQ(c.attach(options.of(kind), &error), SLM_E_LOCKED);
        EXPECT_NE(strstr(error.text, slm_segment_label(a.segment)), nullptr) << error.text;
    }
}

/* --- Cancellation --- */

/* Every call of a segment, in a thread with a pending cancellation. */
void *use_segment_while_cancelled(void *data)
{
    auto *options = static_cast<slm_segment_options *>(data);
    auto *statuses = new std::vector<slm_status>;
    slm_segment *segment = nullptr;
    slm_segment *other = nullptr;
    (void)pthread_cancel(pthread_self());
    statuses->push_back(slm_segment_create(&segment, options, nullptr));
    if (options->unnamed) {
        statuses->push_back(slm_segment_publish(segment, nullptr));
    }
    options->unnamed = false;
    options->id = slm_segment_id(segment);
    statuses->push_back(slm_segment_attach(&other, options, nullptr));
    statuses->push_back(slm_segment_grow(segment, 8 * kPage, nullptr));
    statuses->push_back(slm_segment_refresh(other, 8 * kPage, nullptr));
    slm_segment_detach(other);
    statuses->push_back(slm_segment_shrink(segment, 4 * kPage, nullptr));
    statuses->push_back(slm_segment_verify(segment, nullptr));
    (void)slm_segment_check_unused(segment, nullptr);
    slm_segment_detach(segment);
    (void)slm_segment_remove(options, nullptr);
    int before;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    EXPECT_EQ(before, PTHREAD_CANCEL_ENABLE);
    return statuses;
}

int fallocate_is_unknown(int, int, off_t, off_t)
{
    errno = EOPNOTSUPP;
    return -1;
}

TEST(SegmentCancellation, IsNotActedOnWithinACall)
{
    for (bool can_reserve : {true, false}) {
        for (bool has_proc : {true, false}) {
            for (Kind kind : kFileKinds) {
                KeepCalls keep;
                Options all;
                slm_segment_options options = all.of(kind);
                options.unnamed = kind != SLM_SEGMENT_MEMFD;
                if (!can_reserve) {
                    slm_segment_sys.fallocate = fallocate_is_unknown;
                }
                if (!has_proc) {
                    slm_segment_sys.stat = stat_without_proc;
                }
                pthread_t thread;
                void *result = nullptr;
                ASSERT_EQ(pthread_create(&thread, nullptr, use_segment_while_cancelled, &options),
                          0);
                ASSERT_EQ(pthread_join(thread, &result), 0);
                ASSERT_NE(result, PTHREAD_CANCELED);
                auto *statuses = static_cast<std::vector<slm_status> *>(result);
                EXPECT_EQ(*statuses, std::vector<slm_status>(statuses->size(), SLM_OK));
                delete statuses;
            }
        }
    }
}

TEST(SegmentCancellation, IsNotActedOnWithinANap)
{
    pthread_t thread;
    void *result = nullptr;
    ASSERT_EQ(pthread_create(
                  &thread, nullptr,
                  [](void *) -> void * {
                      (void)pthread_cancel(pthread_self());
                      slm_segment_sys.nap();
                      int before;
                      (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
                      return nullptr;
                  },
                  nullptr),
              0);
    ASSERT_EQ(pthread_join(thread, &result), 0);
    EXPECT_EQ(result, nullptr);
}

} // namespace
