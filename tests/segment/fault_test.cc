/* SPDX-License-Identifier: Apache-2.0 */
/* Segments: each call to the system fails once, and nothing stays. */
#include <tuple>

#include "tests/segment/fixture.h"
#include "tests/segment/hooks.h"
#include "tests/segment/traces.h"

namespace {

using slm_test::describe;
using slm_test::EveryCall;
using slm_test::faults;
using slm_test::Handle;
using slm_test::has_file;
using slm_test::is_readable;
using slm_test::is_untouchable;
using slm_test::is_zero;
using slm_test::KeepCalls;
using slm_test::kEveryKind;
using slm_test::kFileKinds;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::Options;
using slm_test::Traces;

const int kErrors[] = {EIO, ENOMEM, ENOSPC, EPERM, EINVAL, EMFILE};

/* Repeats `call`, with its 1st, 2nd ... call to the system failing, until it makes no more of them.
 * After each, check(status) looks at the result. Returns the number of calls. */
template <typename Call, typename Check>
unsigned fail_each(int error, const Call &call, const Check &check)
{
    unsigned n_failed = 0;
    for (unsigned at = 1;; at++) {
        slm_status status;
        unsigned n_calls;
        {
            EveryCall hooked;
            faults.error = error;
            faults.fail_at = at;
            status = call();
            n_calls = faults.n_calls;
        }
        check(status, at);
        if (n_calls < at) {
            EXPECT_EQ(status, SLM_OK);
            return n_failed;
        }
        n_failed += status != SLM_OK;
    }
}

/* The errno that is reported. A System V segment has its own meanings of EINVAL. */
int reported(Kind kind, int injected, slm_status status)
{
    bool is_special = kind == SLM_SEGMENT_SYSV && injected == EINVAL;
    return is_special && status == SLM_E_SPACE     ? ENOSPC
           : is_special && status == SLM_E_MISSING ? ENOENT
                                                   : injected;
}

/* The text begins with `name`, and says what the system reported. `at`: the first call takes the
 * handle's memory, which sets no errno that a user needs. */
void expect_names_segment_and_errno(const slm_error &error, const std::string &name, Kind kind,
                                    int injected, unsigned at)
{
    std::string text = error.text;
    EXPECT_EQ(text.compare(0, name.size(), name), 0) << text << ", expected " << name;
    if (at == 1) {
        EXPECT_EQ(error.status, SLM_E_NOMEM);
        EXPECT_EQ(error.os_errno, 0);
        return;
    }
    int os_errno = reported(kind, injected, error.status);
    EXPECT_EQ(error.os_errno, os_errno) << text;
    EXPECT_NE(text.find(strerror(os_errno)), std::string::npos) << text;
}

/* How many calls to the system make the whole call fail, for an error that has no second way. */
struct Failures {
    unsigned create;
    unsigned create_by_temporary_name;
    unsigned create_for_others; /* with a mode that denies the maker */
    unsigned attach;
    unsigned grow;
    unsigned shrink;
    unsigned refresh;
    unsigned verify;
    unsigned remove;
    unsigned list;
};

/* In the order of kinds. 0: no such call. */
const Failures kFailures[] = {
    {5, 0, 5, 0, 1, 2, 1, 0, 0, 0},     {7, 0, 9, 5, 1, 2, 1, 0, 2, 1},
    {14, 16, 14, 11, 8, 4, 4, 2, 2, 4}, {11, 0, 11, 10, 8, 4, 4, 1, 0, 0},
    {14, 16, 14, 11, 8, 4, 4, 2, 2, 4},
};

bool has_path(Kind kind)
{
    return kind == SLM_SEGMENT_POSIX || kind == SLM_SEGMENT_FILE;
}

int open_without_tmpfile(const char *path, int flags, mode_t mode)
{
    if ((flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return open(path, flags, mode);
}

/* What is listed in place of /dev/shm, where other tests make and remove files. */
std::string listed_folder;

DIR *open_listed_folder(const char *)
{
    return opendir(listed_folder.c_str());
}

bool has_tmpfile(const char *folder)
{
    int fd = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    return fd >= 0 && close(fd) == 0;
}

class EachFault : public testing::TestWithParam<std::tuple<Kind, int>> {
  protected:
    Kind kind() const
    {
        return std::get<0>(GetParam());
    }
    int error() const
    {
        return std::get<1>(GetParam());
    }
    slm_segment_options options() const
    {
        return options_.of(kind());
    }
    const Failures &expected() const
    {
        return kFailures[kind()];
    }
    /* What the text of each error begins with. */
    std::string label() const
    {
        switch (kind()) {
        case SLM_SEGMENT_POSIX:
            return options_.posix().path() + ": ";
        case SLM_SEGMENT_FILE:
            return options_.folder() / "file: ";
        case SLM_SEGMENT_MEMFD:
            return "memfd";
        default:
            return kind() == SLM_SEGMENT_SYSV ? "sysv" : "anonymous: ";
        }
    }
    void expect_words(const slm_error &error, unsigned at) const
    {
        if (error.status != SLM_OK) {
            expect_names_segment_and_errno(error, label(), kind(), this->error(), at);
        }
    }
    unsigned fail_each_create(const slm_segment_options &options) const;
    /* EINVAL stands for an older kernel: `n_second_ways` calls are then made in another way, or
     * left out. */
    unsigned less(unsigned n_failures, unsigned n_second_ways) const
    {
        return n_failures - (error() == EINVAL ? n_second_ways : 0);
    }
    unsigned expected_of_create(unsigned nameless) const
    {
        bool by_temporary_name =
            has_path(kind()) &&
            !has_tmpfile(kind() == SLM_SEGMENT_FILE ? options_.folder().path().c_str()
                                                    : "/dev/shm");
        return by_temporary_name ? less(expected().create_by_temporary_name, 3)
                                 : less(nameless, has_path(kind()) ? 2 : 1);
    }

    Options options_;
};

INSTANTIATE_TEST_SUITE_P(Segment, EachFault,
                         testing::Combine(testing::ValuesIn(kEveryKind),
                                          testing::ValuesIn(kErrors)));

/* Either a segment is created, or there is an error and nothing else. */
void expect_all_or_nothing(Handle *a, slm_status status, const slm_error &error,
                           const std::function<void()> &undo, const Options &options,
                           const Traces &before)
{
    EXPECT_EQ(status, error.status);
    EXPECT_EQ(status == SLM_OK, a->segment != nullptr);
    if (status == SLM_OK) {
        EXPECT_TRUE(is_zero(a->base(), a->bytes()));
        a->detach();
        undo();
    }
    Traces after(options);
    EXPECT_TRUE(after == before) << describe(before) << "\nand now\n" << describe(after);
}

/* Returns how often the creation failed. */
unsigned EachFault::fail_each_create(const slm_segment_options &options) const
{
    Handle a;
    slm_error error{};
    Traces before(options_);
    return fail_each(
        this->error(), [&] { return a.create(options, &error); },
        [&](slm_status status, unsigned at) {
            SCOPED_TRACE(at);
            expect_words(error, at);
            expect_all_or_nothing(
                &a, status, error, [&] { (void)slm_segment_remove(&options, nullptr); }, options_,
                before);
        });
}

TEST_P(EachFault, OfCreateLeavesNothing)
{
    slm_segment_options options = this->options();
    options.guard = true;
    EXPECT_EQ(fail_each_create(options), expected_of_create(expected().create));
}

TEST_P(EachFault, OfCreateByATemporaryNameLeavesNothing)
{
    if (!has_path(kind())) {
        return; /* this kind has no path */
    }
    KeepCalls keep;
    slm_segment_sys.open = open_without_tmpfile;
    listed_folder = options_.folder().path();
    slm_segment_sys.opendir = open_listed_folder;
    slm_segment_options options = this->options();
    options.guard = true;
    EXPECT_EQ(fail_each_create(options), less(expected().create_by_temporary_name, 3));
}

/* A mode that takes a call of its own after the segment is mapped. */
TEST_P(EachFault, OfCreateWithoutRightsForTheMakerLeavesNothing)
{
    slm_segment_options options = this->options();
    options.mode = 0040;
    EXPECT_EQ(fail_each_create(options), expected_of_create(expected().create_for_others));
}

TEST_P(EachFault, OfAttachLeavesNothing)
{
    if (!slm_test::can_attach(kind())) {
        return; /* this kind cannot be attached */
    }
    Handle a, b;
    slm_error error{};
    ASSERT_EQ(a.create(options()), SLM_OK);
    slm_segment_options options = options_.to_attach(a.segment);
    options.max_bytes = 20 * kPage;
    Traces before(options_);
    unsigned n_failed = fail_each(
        this->error(), [&] { return b.attach(options, &error); },
        [&](slm_status status, unsigned at) {
            SCOPED_TRACE(at);
            expect_words(error, at);
            expect_all_or_nothing(
                &b, status, error, [] {}, options_, before);
        });
    EXPECT_EQ(n_failed, less(expected().attach, 1));
    EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_OK);
}

class EachFaultOfAFile : public EachFault {};

INSTANTIATE_TEST_SUITE_P(Segment, EachFaultOfAFile,
                         testing::Combine(testing::ValuesIn(kFileKinds),
                                          testing::ValuesIn(kErrors)));

TEST_P(EachFaultOfAFile, OfASecondHandleLeavesNothing)
{
    Handle a, b;
    slm_error error{};
    ASSERT_EQ(a.create(options()), SLM_OK);
    Traces before(options_);
    unsigned n_failed = fail_each(
        this->error(), [&] { return slm_segment_open_again(&b.segment, a.segment, &error); },
        [&](slm_status status, unsigned at) {
            SCOPED_TRACE(at);
            EXPECT_EQ(status == SLM_OK, b.segment != nullptr);
            if (status != SLM_OK) {
                EXPECT_EQ(error.status, status);
                expect_names_segment_and_errno(error, slm_segment_label(a.segment), kind(),
                                               this->error(), at);
            }
            b.detach();
            Traces after(options_);
            EXPECT_TRUE(after == before) << describe(before) << "\nand now\n" << describe(after);
        });
    EXPECT_EQ(n_failed, less(8, 1));
    EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_OK);
}

TEST_P(EachFault, OfGrowChangesNothing)
{
    Handle a;
    slm_error error{};
    ASSERT_EQ(a.create(options()), SLM_OK);
    memset(a.base(), 0x33, a.bytes());
    Traces before(options_);
    unsigned n_failed = fail_each(
        this->error(), [&] { return slm_segment_grow(a.segment, 10 * kPage, &error); },
        [&](slm_status status, unsigned at) {
            SCOPED_TRACE(at);
            EXPECT_EQ(status, error.status);
            if (status != SLM_OK) {
                expect_names_segment_and_errno(error, slm_segment_label(a.segment), kind(),
                                               this->error(), at + 1);
            }
            if (status == SLM_OK) {
                EXPECT_TRUE(is_zero(a.base() + 4 * kPage, 6 * kPage));
                EXPECT_EQ(slm_segment_shrink(a.segment, 4 * kPage, nullptr), SLM_OK);
            }
            EXPECT_EQ(a.bytes(), 4 * kPage);
            EXPECT_EQ(a.base()[4 * kPage - 1], 0x33);
            EXPECT_TRUE(is_untouchable(a.base() + 4 * kPage, 12 * kPage));
            EXPECT_EQ(slm_segment_verify(a.segment, nullptr), SLM_OK);
            EXPECT_EQ(slm_segment_refresh(a.segment, 4 * kPage, nullptr), SLM_OK);
            EXPECT_EQ(a.bytes(), 4 * kPage);
        });
    EXPECT_EQ(n_failed, less(expected().grow, has_file(kind()) ? 2 : 0));
    EXPECT_EQ(Traces(options_).descriptors, before.descriptors);
}

TEST_P(EachFault, OfShrinkChangesNothing)
{
    Handle a;
    slm_error error{};
    ASSERT_EQ(a.create(options()), SLM_OK);
    ASSERT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_OK);
    unsigned n_failed = fail_each(
        this->error(), [&] { return slm_segment_shrink(a.segment, 4 * kPage, &error); },
        [&](slm_status status, unsigned at) {
            SCOPED_TRACE(at);
            EXPECT_EQ(status, error.status);
            EXPECT_EQ(a.bytes(), status == SLM_OK ? 4 * kPage : 8 * kPage);
            if (status == SLM_OK) {
                EXPECT_EQ(slm_segment_grow(a.segment, 8 * kPage, nullptr), SLM_OK);
            }
            EXPECT_TRUE(is_readable(a.base(), 8 * kPage));
            EXPECT_TRUE(is_zero(a.base(), 8 * kPage));
        });
    EXPECT_EQ(n_failed, less(expected().shrink, has_file(kind()) ? 1 : 0));
}

TEST_P(EachFault, OfRefreshChangesNothing)
{
    Handle a, b;
    slm_error error{};
    ASSERT_EQ(a.create(options()), SLM_OK);
    slm_segment *grown = a.segment;
    if (has_file(kind())) {
        ASSERT_EQ(b.attach(options_.to_attach(a.segment)), SLM_OK);
        grown = b.segment;
    }
    ASSERT_EQ(slm_segment_grow(grown, 8 * kPage, nullptr), SLM_OK);
    size_t more = has_file(kind()) ? 8 * kPage : 9 * kPage;
    size_t before = a.bytes();
    bool is_over = false;
    unsigned n_failed = fail_each(
        this->error(), [&] { return slm_segment_refresh(a.segment, more, &error); },
        [&](slm_status status, unsigned at) {
            SCOPED_TRACE(at);
            is_over = is_over || status == SLM_OK;
            EXPECT_EQ(status, error.status);
            EXPECT_EQ(a.bytes(), is_over ? more : before);
            EXPECT_TRUE(is_untouchable(a.base() + a.bytes(), 16 * kPage - a.bytes()));
        });
    EXPECT_EQ(n_failed, less(expected().refresh, has_file(kind()) ? 1 : 0));
}

TEST_P(EachFault, OfVerifyRemoveAndListIsReported)
{
    Handle a;
    slm_error error{};
    ASSERT_EQ(a.create(options()), SLM_OK);
    slm_segment_options options = options_.to_attach(a.segment);
    std::string folder = options_.folder().path();
    auto check = [&](slm_status status, unsigned) { EXPECT_EQ(status, error.status); };
    unsigned n_failed = fail_each(
        this->error(), [&] { return slm_segment_verify(a.segment, &error); }, check);
    EXPECT_EQ(n_failed, expected().verify);
    if (!slm_test::can_attach(kind()) || kind() == SLM_SEGMENT_MEMFD) {
        return;
    }
    n_failed = fail_each(
        this->error(), [&] { return slm_segment_remove(&options, &error); }, check);
    EXPECT_EQ(n_failed, expected().remove);
    if (kind() == SLM_SEGMENT_FILE) {
        options.name = folder.c_str();
    }
    listed_folder = folder;
    KeepCalls keep;
    slm_segment_sys.opendir = open_listed_folder;
    auto visit = [](void *, const slm_segment_entry *) { return true; };
    n_failed = fail_each(
        this->error(), [&] { return slm_segment_list(&options, visit, nullptr, &error); }, check);
    EXPECT_EQ(n_failed, expected().list);
}

} // namespace
