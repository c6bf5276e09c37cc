/* SPDX-License-Identifier: Apache-2.0 */
/* Segments: permissions, and segments of other users. */
#include <grp.h>
#include <sys/shm.h>

#include "tests/segment/fixture.h"
#include "tests/segment/hooks.h"

namespace {

using slm_test::can_attach;
using slm_test::Handle;
using slm_test::in_child;
using slm_test::KeepCalls;
using slm_test::kEveryKind;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::Options;

const Kind kNamedKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE};
const uid_t kStranger = 65534;

std::string path_of(const Options &options, Kind kind)
{
    return kind == SLM_SEGMENT_POSIX ? options.posix().path() : options.folder() / "file";
}

/* --- Permissions --- */

mode_t mode_of(const slm_segment *segment)
{
    struct stat stat {};
    shmid_ds data{};
    if (slm_segment_get_kind(segment) == SLM_SEGMENT_SYSV) {
        EXPECT_EQ(shmctl(slm_segment_id(segment), IPC_STAT, &data), 0);
        return data.shm_perm.mode & 0777;
    }
    EXPECT_EQ(fstat(slm_segment_id(segment), &stat), 0);
    return stat.st_mode & 07777;
}

TEST(SegmentMode, IsAsGivenUnderAnyUmask)
{
    for (mode_t mask : {mode_t{0}, mode_t{022}, mode_t{0777}}) {
        for (Kind kind : kEveryKind) {
            for (mode_t mode :
                 {mode_t{0}, mode_t{0600}, mode_t{0400}, mode_t{0640}, mode_t{0666}}) {
                if (!can_attach(kind)) {
                    continue; /* this kind has no permissions */
                }
                Options all;
                Handle a;
                slm_segment_options options = all.of(kind);
                options.mode = mode;
                mode_t before = umask(mask);
                slm_status status = a.create(options);
                (void)umask(before);
                ASSERT_EQ(status, SLM_OK) << kind << " " << mask << " " << mode;
                EXPECT_EQ(mode_of(a.segment), mode == 0 ? 0600 : mode) << kind << " " << mask;
            }
        }
    }
}

unsigned n_checks;

int fallocate_checks_mode(int fd, int mode, off_t from, off_t n_bytes)
{
    struct stat stat;
    EXPECT_EQ(fstat(fd, &stat), 0);
    EXPECT_EQ(stat.st_mode & 0077, 0u);
    n_checks++;
    return fallocate(fd, mode, from, n_bytes);
}

TEST(SegmentMode, NoOtherUserCanOpenItUntilItIsComplete)
{
    mode_t before = umask(0);
    for (Kind kind : kNamedKinds) {
        KeepCalls keep;
        slm_segment_sys.fallocate = fallocate_checks_mode;
        n_checks = 0;
        Options all;
        Handle a;
        slm_segment_options options = all.of(kind);
        options.mode = 0666;
        ASSERT_EQ(a.create(options), SLM_OK);
        EXPECT_EQ(n_checks, 2u);
        EXPECT_EQ(mode_of(a.segment), 0666u);
    }
    (void)umask(before);
}

TEST(SegmentMode, OthersMayWriteOnlyIfTheCallerAllowsIt)
{
    for (Kind kind : {SLM_SEGMENT_SYSV, SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE}) {
        for (mode_t mode : {mode_t{0620}, mode_t{0602}, mode_t{0666}, mode_t{0777}}) {
            Options all;
            Handle a, b;
            slm_error error;
            slm_segment_options options = all.of(kind);
            options.mode = mode;
            ASSERT_EQ(a.create(options), SLM_OK);
            options.id = slm_segment_id(a.segment);
            options.mode = 0;
            EXPECT_EQ(b.attach(options, &error), SLM_E_ACCESS) << kind << " " << mode;
            EXPECT_NE(strstr(error.text, slm_segment_label(a.segment)), nullptr) << error.text;
            if (kind != SLM_SEGMENT_MEMFD) {
                EXPECT_EQ(slm_segment_remove(&options, &error), SLM_E_ACCESS);
            }
            options.mode = mode == 0620 ? 0602 : 0620;
            EXPECT_EQ(b.attach(options, &error), SLM_E_ACCESS) << kind << " " << mode;
            options.mode = mode;
            EXPECT_EQ(b.attach(options, &error), SLM_OK) << error.text;
        }
    }
}

TEST(SegmentMode, OthersMayReadWithoutAnOption)
{
    for (Kind kind : {SLM_SEGMENT_SYSV, SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        Options all;
        Handle a, b;
        slm_segment_options options = all.of(kind);
        options.mode = 0644;
        ASSERT_EQ(a.create(options), SLM_OK);
        options.id = slm_segment_id(a.segment);
        options.mode = 0;
        EXPECT_EQ(b.attach(options), SLM_OK);
    }
}

/* --- Other users --- */

bool can_be_another()
{
    auto become = [] { return setgroups(0, nullptr) == 0 && setuid(kStranger) == 0 ? 0 : 1; };
    return geteuid() == 0 && in_child(become) == 0;
}

constexpr char kOneUser[] = "only root of a namespace with other users can play two users";

/* Returns what body returns as another user. */
int as_stranger(const std::function<int()> &body)
{
    return in_child([&] {
        if (setgroups(0, nullptr) != 0 || setgid(kStranger) != 0 || setuid(kStranger) != 0) {
            return 99;
        }
        return body();
    });
}

TEST(SegmentOwner, AnotherUsersSegmentIsRefusedEvenToRoot)
{
    if (!can_be_another()) {
        GTEST_SKIP() << kOneUser;
    }
    for (Kind kind : kNamedKinds) {
        Options all;
        Handle a, b;
        slm_error error;
        slm_segment_options options = all.of(kind);
        ASSERT_EQ(a.create(options), SLM_OK);
        ASSERT_EQ(chown(path_of(all, kind).c_str(), kStranger, kStranger), 0);
        EXPECT_EQ(b.attach(options, &error), SLM_E_ACCESS);
        EXPECT_NE(strstr(error.text, "65534"), nullptr) << error.text;
        EXPECT_EQ(slm_segment_remove(&options, &error), SLM_E_ACCESS);
        EXPECT_EQ(access(path_of(all, kind).c_str(), F_OK), 0);
    }
}

TEST(SegmentOwner, AnotherUsersSysvSegmentIsRefusedEvenToRoot)
{
    if (!can_be_another()) {
        GTEST_SKIP() << kOneUser;
    }
    int ids[2];
    ASSERT_EQ(pipe(ids), 0);
    EXPECT_EQ(as_stranger([&] {
                  int made = shmget(IPC_PRIVATE, kPage, IPC_CREAT | 0600);
                  return write(ids[1], &made, sizeof made) == sizeof made ? 0 : 1;
              }),
              0);
    int id = -1;
    ASSERT_EQ(read(ids[0], &id, sizeof id), static_cast<ssize_t>(sizeof id));
    slm_segment_options options = Options().of(SLM_SEGMENT_SYSV);
    options.id = id;
    Handle a;
    EXPECT_EQ(a.attach(options), SLM_E_ACCESS);
    EXPECT_EQ(slm_segment_remove(&options, nullptr), SLM_E_ACCESS);
    /* After the segment is given to root its creator still has an owner's rights. */
    shmid_ds data;
    ASSERT_EQ(shmctl(id, IPC_STAT, &data), 0);
    data.shm_perm.uid = 0;
    ASSERT_EQ(shmctl(id, IPC_SET, &data), 0);
    EXPECT_EQ(a.attach(options), SLM_E_ACCESS);
    EXPECT_EQ(shmctl(id, IPC_RMID, nullptr), 0);
    (void)close(ids[0]);
    (void)close(ids[1]);
}

TEST(SegmentOwner, RootsSegmentIsAcceptedIfItsPermissionsAllow)
{
    if (!can_be_another()) {
        GTEST_SKIP() << kOneUser;
    }
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE, SLM_SEGMENT_SYSV}) {
        for (mode_t mode : {mode_t{0600}, mode_t{0644}, mode_t{0666}}) {
            Options all;
            Handle a;
            slm_segment_options options = all.of(kind);
            options.mode = mode;
            ASSERT_EQ(chmod(all.folder().path().c_str(), 0755), 0);
            ASSERT_EQ(a.create(options), SLM_OK);
            options.id = slm_segment_id(a.segment);
            auto attach = [&](bool read_only) {
                Handle b;
                options.read_only = read_only;
                return static_cast<int>(b.attach(options));
            };
            EXPECT_EQ(as_stranger([&] { return attach(false); }),
                      mode == 0666 ? SLM_OK : SLM_E_ACCESS);
            EXPECT_EQ(as_stranger([&] { return attach(true); }),
                      mode == 0600 ? SLM_E_ACCESS : SLM_OK);
        }
    }
}

/* Root has all rights, so that it has to become another user. */
TEST(SegmentOwner, AFolderWithoutRightsIsNoAccess)
{
    if (geteuid() == 0 && !can_be_another()) {
        GTEST_SKIP() << kOneUser;
    }
    auto run = geteuid() == 0 ? as_stranger : in_child;
    Options all;
    std::string folder = all.folder().path();
    slm_segment_options options = all.of(SLM_SEGMENT_FILE);
    ASSERT_EQ(chmod(folder.c_str(), 0), 0);
    EXPECT_EQ(run([&] {
                  Handle a;
                  return static_cast<int>(a.create(options));
              }),
              SLM_E_ACCESS);
    options.name = folder.c_str();
    EXPECT_EQ(run([&] {
                  auto visit = [](void *, const slm_segment_entry *) { return true; };
                  return static_cast<int>(slm_segment_list(&options, visit, nullptr, nullptr));
              }),
              SLM_E_ACCESS);
    ASSERT_EQ(chmod(folder.c_str(), 0700), 0);
}

} // namespace
