/* SPDX-License-Identifier: Apache-2.0 */
/* Zones at the edge to the system: lost descriptors, removed names, cut and sparse files. */
#include <pthread.h>
#include <sys/mount.h>

#include "allocator/segment/sys.h"
#include "harness/base/sanitizers.h"
#include "tests/segment/deadly.h"
#include "tests/segment/hooks.h"
#include "tests/zone/fixture.h"
#include <slabmill/zone_set.h>

namespace {

using slm_test::first_wrong;
using slm_test::in_child;
using slm_test::is_readable;
using slm_test::Kind;
using slm_test::kPage;
using slm_test::kZoneBytes;
using slm_test::kZoneMaxBytes;
using slm_test::make_deadly;
using slm_test::n_until_death;
using slm_test::Zone;
using slm_test::ZoneOptions;

const Kind kFileKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE};
const Kind kNamedKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE};

std::string content_of(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/* --- Descriptors --- */

/* A daemon that closes descriptors it does not know; its own file gets the number. */
TEST(ZoneDescriptor, ThatBecameADataFileIsNotGrownNorClosed)
{
    for (Kind kind : kFileKinds) {
        ZoneOptions options;
        Zone a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        int fd = slm_segment_id(slm_zone_segment(a));
        std::string path = options.folder() / "data";
        const std::string content(kZoneBytes * 2, 'D');
        std::ofstream(path, std::ios::binary) << content;
        int data = open(path.c_str(), O_RDWR | O_CLOEXEC);
        ASSERT_EQ(dup2(data, fd), fd);
        EXPECT_EQ(slm_zone_grow(a, kZoneMaxBytes, &a.error), SLM_E_STATE) << a.error.text;
        EXPECT_NE(slm_zone_alloc(a, 4000, nullptr), nullptr); /* the memory stays usable */
        char text[SLM_ZONE_EXPORT_BYTES];
        EXPECT_EQ(slm_zone_export(a, text, &a.error),
                  kind == SLM_SEGMENT_MEMFD ? SLM_E_STATE : SLM_OK);
        a.detach();
        EXPECT_GE(fcntl(fd, F_GETFD), 0);
        EXPECT_TRUE(content_of(path) == content) << path;
        (void)close(fd);
        (void)close(data);
    }
}

TEST(ZoneDescriptor, ThatWasLostLeavesTheNameRemovable)
{
    for (Kind kind : kNamedKinds) {
        ZoneOptions options;
        Zone a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        ASSERT_EQ(close(slm_segment_id(slm_zone_segment(a))), 0);
        EXPECT_EQ(slm_zone_remove(a, &a.error), SLM_OK) << a.error.text;
        EXPECT_NE(access(options.path(kind).c_str(), F_OK), 0);
    }
}

/* Dies while it holds the lock, in the middle of a transaction. */
int die_in_a_turn(const Zone &zone)
{
    if (slm_zone_lock(zone) != SLM_OK || slm_journal_alloc(zone.journal(), 100) == nullptr) {
        return 1;
    }
    return raise(SIGKILL);
}

TEST(ZoneDescriptor, ThatWasLostStopsNoRepair)
{
    for (Kind kind : kFileKinds) {
        ZoneOptions options;
        Zone a;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        ASSERT_EQ(close(slm_segment_id(slm_zone_segment(a))), 0);
        EXPECT_EQ(in_child([&] { return die_in_a_turn(a); }), 128 + SIGKILL);
        EXPECT_EQ(slm_zone_lock(a), SLM_OK);
        EXPECT_EQ(slm_zone_check_locked(a), 0u);
        EXPECT_EQ(slm_zone_unlock(a), SLM_OK);
        EXPECT_EQ(a.stats().n_recoveries, 1u);
    }
}

/* --- Names --- */

TEST(ZoneName, ThatIsRemovedOrTakenStopsNeitherGrowthNorRepair)
{
    for (Kind kind : kNamedKinds) {
        ZoneOptions options;
        Zone a, b, c;
        ASSERT_EQ(a.create(options.of(kind)), SLM_OK);
        ASSERT_EQ(b.attach(options.to_attach(a)), SLM_OK);
        ASSERT_EQ(slm_zone_remove(a, nullptr), SLM_OK);
        EXPECT_EQ(in_child([&] { return die_in_a_turn(a); }), 128 + SIGKILL);
        EXPECT_EQ(slm_zone_grow(a, kZoneBytes * 2, &a.error), SLM_OK) << a.error.text;
        EXPECT_EQ(slm_segment_verify(slm_zone_segment(a), nullptr), SLM_E_MISSING);
        ASSERT_EQ(c.create(options.of(kind)), SLM_OK);
        EXPECT_EQ(in_child([&] { return die_in_a_turn(b); }), 128 + SIGKILL);
        EXPECT_EQ(slm_zone_grow(b, kZoneMaxBytes, &b.error), SLM_OK) << b.error.text;
        EXPECT_EQ(slm_zone_lock(a), SLM_OK);
        EXPECT_EQ(slm_zone_check_locked(a), 0u);
        EXPECT_EQ(slm_zone_unlock(a), SLM_OK);
        EXPECT_EQ(a.stats().n_recoveries, 2u);
        EXPECT_EQ(slm_segment_verify(slm_zone_segment(a), nullptr), SLM_E_REPLACED);
        EXPECT_EQ(slm_zone_remove(a, &a.error), SLM_E_MISSING);
        EXPECT_EQ(a.error.status, SLM_E_MISSING);
        EXPECT_EQ(slm_segment_verify(slm_zone_segment(c), nullptr), SLM_OK);
    }
}

/* --- Cut under the guard --- */

/* Cuts the zone, touches what was cut off, and returns what the next lock says. */
int lock_after_a_cut(const ZoneOptions &all, Kind kind, slm_lock_kind lock, off_t to)
{
    Zone zone;
    if (slm_segment_guard_install(nullptr) != SLM_OK || zone.create(all.of(kind, lock)) != SLM_OK) {
        return 100;
    }
    unsigned char *base = zone.base();
    if (ftruncate(slm_segment_id(slm_zone_segment(zone)), to) != 0) {
        return 101;
    }
    (void)*static_cast<volatile unsigned char *>(base + kZoneBytes - 1);
    slm_status status = slm_zone_lock(zone);
    return slm_zone_lock(zone) == status ? static_cast<int>(status) : 102;
}

TEST(ZoneCut, IsReportedByTheNextLockUnderTheGuard)
{
    if (HRN_TSAN) {
        GTEST_SKIP() << "TSan holds a lock of its own while an atomic operation faults, and waits "
                        "for that lock in the handler";
    }
    for (Kind kind : kFileKinds) {
        for (slm_lock_kind lock : slm_test::kEveryLock) {
            for (size_t to : {kZoneBytes - kPage, kZoneBytes / 2, 2 * kPage, kPage, size_t{0}}) {
                SCOPED_TRACE(to);
                ZoneOptions all;
                EXPECT_EQ(in_child([&] {
                              return lock_after_a_cut(all, kind, lock, static_cast<off_t>(to));
                          }),
                          SLM_E_TRUNCATED);
            }
        }
    }
}

/* --- Sparse files --- */

constexpr int kNoMount = 99;

/* Returns what body returns where the zone's folder is a small tmpfs of its own. */
int on_small_tmpfs(const ZoneOptions &all, const std::function<int()> &body)
{
    return in_child([&] {
        (void)signal(SIGBUS, SIG_DFL);
        bool is_there = slm_test::enter_mount_namespace() &&
                        mount("none", all.folder().path().c_str(), "tmpfs", 0, "size=2m") == 0;
        return is_there ? body() : kNoMount;
    });
}

#define EXPECT_ON_SMALL_TMPFS(all, ...)                                                            \
    do {                                                                                           \
        int end = on_small_tmpfs(all, __VA_ARGS__);                                                \
        if (end == kNoMount) {                                                                     \
            GTEST_SKIP() << "this user can neither mount nor make a namespace to mount in";        \
        }                                                                                          \
        EXPECT_EQ(end, 0);                                                                         \
    } while (0)

std::string filler_of(const ZoneOptions &all)
{
    return all.folder() / "filler";
}

/* Leaves no page free. */
void fill_up(const ZoneOptions &all)
{
    int fd = open(filler_of(all).c_str(), O_CREAT | O_WRONLY, 0600);
    const std::string page(kPage, 'x');
    while (write(fd, page.data(), page.size()) > 0) {
    }
    (void)close(fd);
}

size_t blocks_of(const std::string &path)
{
    struct stat about {};
    (void)stat(path.c_str(), &about);
    return static_cast<size_t>(about.st_blocks) * 512;
}

/* Copies a file, and leaves out pages of zeros. */
void copy_sparsely(const std::string &from, const std::string &to)
{
    std::string content = content_of(from);
    int fd = open(to.c_str(), O_CREAT | O_RDWR, 0600);
    EXPECT_EQ(ftruncate(fd, static_cast<off_t>(content.size())), 0);
    const std::string zeros(kPage, '\0');
    for (size_t at = 0; at < content.size(); at += kPage) {
        if (content.compare(at, kPage, zeros) != 0) {
            EXPECT_EQ(pwrite(fd, content.data() + at, kPage, static_cast<off_t>(at)),
                      static_cast<ssize_t>(kPage));
        }
    }
    (void)close(fd);
}

/* Allocates all that there is, and writes to it. */
bool use_up(const Zone &zone)
{
    size_t n = 0;
    while (void *p = slm_zone_alloc(zone, 2000, nullptr)) {
        memset(p, 7, 2000);
        n++;
    }
    return n > 50;
}

/* Attaches what `make` left on a tmpfs that is full, and again when there is room. */
int attach_without_and_with_room(const ZoneOptions &all, bool read_only,
                                 const std::function<void(const std::string &)> &damage)
{
    Zone full, roomy;
    std::string path = all.path(SLM_SEGMENT_FILE);
    {
        Zone maker;
        if (maker.create(all.of(SLM_SEGMENT_FILE)) != SLM_OK) {
            return 1;
        }
    }
    damage(path);
    fill_up(all);
    slm_zone_attach_options options{};
    options.segment.kind = SLM_SEGMENT_FILE;
    options.segment.name = path.c_str();
    options.segment.read_only = read_only;
    slm_status refused = full.attach(options);
    bool is_named = strstr(full.error.text, path.c_str()) != nullptr;
    (void)unlink(filler_of(all).c_str());
    slm_status attached = roomy.attach(options);
    fill_up(all);
    return first_wrong({refused == SLM_E_SPACE, is_named, attached == SLM_OK,
                        blocks_of(path) >= kZoneBytes,
                        read_only ? is_readable(roomy.base(), kZoneBytes) : use_up(roomy)});
}

/* A hole that a count of blocks does not show: as much is reserved past the end. */
void punch_and_reserve(const std::string &path)
{
    int fd = open(path.c_str(), O_RDWR);
    struct stat before {
    }, after{};
    EXPECT_EQ(fstat(fd, &before), 0);
    do {
        EXPECT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kZoneBytes / 2,
                            kZoneBytes / 2),
                  0);
        EXPECT_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE, kZoneBytes, kZoneBytes / 2), 0);
        EXPECT_EQ(fstat(fd, &after), 0);
        /* Until the file's clock has moved: some systems have a slow one. */
    } while (after.st_ctim.tv_sec == before.st_ctim.tv_sec &&
             after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
    EXPECT_EQ(after.st_blocks, before.st_blocks);
    (void)close(fd);
}

TEST(ZoneSparse, AHoleThatBlocksDoNotShowIsNoSpace)
{
    for (bool read_only : {false, true}) {
        ZoneOptions all;
        EXPECT_ON_SMALL_TMPFS(
            all, [&] { return attach_without_and_with_room(all, read_only, punch_and_reserve); });
    }
}

TEST(ZoneSparse, ACopyWithHolesIsNoSpace)
{
    for (bool read_only : {false, true}) {
        ZoneOptions all;
        EXPECT_ON_SMALL_TMPFS(all, [&] {
            return attach_without_and_with_room(all, read_only, [&](const std::string &path) {
                copy_sparsely(path, path + ".copy");
                EXPECT_LT(blocks_of(path + ".copy"), kZoneBytes / 2);
                EXPECT_EQ(rename((path + ".copy").c_str(), path.c_str()), 0);
            });
        });
    }
}

/* The zone's own file, with its zeros dug out in place. */
TEST(ZoneSparse, AFileThatLostItsZerosIsNoSpace)
{
    ZoneOptions all;
    EXPECT_ON_SMALL_TMPFS(all, [&] {
        return attach_without_and_with_room(all, false, [](const std::string &path) {
            std::string content = content_of(path);
            int fd = open(path.c_str(), O_RDWR);
            const std::string zeros(kPage, '\0');
            for (size_t at = 0; at < content.size(); at += kPage) {
                if (content.compare(at, kPage, zeros) == 0) {
                    EXPECT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                        static_cast<off_t>(at), static_cast<off_t>(kPage)),
                              0);
                }
            }
            (void)close(fd);
        });
    });
}

TEST(ZoneSparse, AFileThatIsNoZoneKeepsItsHoles)
{
    for (bool is_full : {false, true}) {
        ZoneOptions all;
        EXPECT_ON_SMALL_TMPFS(all, [&] {
            std::string path = all.path(SLM_SEGMENT_FILE);
            Zone zone, again;
            int fd = open(path.c_str(), O_CREAT | O_RDWR, 0600);
            bool is_made = ftruncate(fd, kZoneBytes) == 0;
            slm_zone_attach_options options{};
            options.segment.kind = SLM_SEGMENT_FILE;
            options.segment.name = path.c_str();
            if (is_full) {
                fill_up(all);
            }
            slm_status refused = zone.attach(options);
            (void)unlink(filler_of(all).c_str());
            const char text[] = "no zone";
            bool is_written = pwrite(fd, text, sizeof text, 0) == sizeof text;
            return first_wrong({is_made, refused == SLM_E_STATE, is_written,
                                again.attach(options) == SLM_E_MAGIC, blocks_of(path) == kPage});
        });
    }
}

unsigned n_reserved;
unsigned n_mapped;

int count_fallocate(int fd, int mode, off_t from, off_t n_bytes)
{
    n_reserved++;
    return fallocate(fd, mode, from, n_bytes);
}

void *count_mmap(void *at, size_t n_bytes, int prot, int flags, int fd, off_t from)
{
    n_mapped++;
    return mmap(at, n_bytes, prot, flags, fd, from);
}

unsigned reservations_of_attach(const ZoneOptions &all, const Zone &a)
{
    Zone b;
    n_reserved = 0;
    EXPECT_EQ(b.attach(all.to_attach(a)), SLM_OK) << b.error.text;
    return n_reserved;
}

TEST(ZoneSparse, AZoneThatIsWholeIsNotReservedAgain)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD}) {
        slm_test::KeepCalls keep;
        ZoneOptions all;
        Zone a;
        ASSERT_EQ(a.create(all.of(kind)), SLM_OK);
        slm_segment_sys.fallocate = count_fallocate;
        EXPECT_EQ(reservations_of_attach(all, a), 0u);
        ASSERT_EQ(slm_zone_grow(a, kZoneMaxBytes, nullptr), SLM_OK);
        EXPECT_EQ(reservations_of_attach(all, a), 0u);
        a.header()->whole_file++; /* as a copy has it */
        EXPECT_EQ(reservations_of_attach(all, a), 1u);
        EXPECT_EQ(reservations_of_attach(all, a), 0u);
        ASSERT_EQ(fchmod(slm_segment_id(slm_zone_segment(a)), 0640), 0);
        a.header()->whole_file = 0; /* as older versions leave it */
        EXPECT_EQ(reservations_of_attach(all, a), 1u);
        EXPECT_EQ(reservations_of_attach(all, a), 0u);
    }
}

TEST(ZoneSparse, WhatIsRefusedIsNeverMapped)
{
    slm_test::KeepCalls keep;
    ZoneOptions all;
    Zone a, b;
    ASSERT_EQ(a.create(all.of(SLM_SEGMENT_FILE)), SLM_OK);
    slm_zone_attach_options options = all.to_attach(a);
    slm_segment_sys.mmap = count_mmap;
    n_mapped = 0;
    options.name = "another";
    EXPECT_EQ(b.attach(options), SLM_E_NAME);
    a.header()->checksum++;
    options.name = nullptr;
    EXPECT_EQ(b.attach(options), SLM_E_CHECKSUM);
    slm_segment_sys.pread = [](int, void *, size_t, off_t) -> ssize_t {
        errno = EIO;
        return -1;
    };
    EXPECT_EQ(b.attach(options), SLM_E_IO);
    EXPECT_EQ(n_mapped, 0u);
}

/* --- Makers that are killed --- */

int create_and_die_at(unsigned n, const slm_zone_options &options)
{
    using C = slm_segment_calls;
    make_deadly<&C::open, &C::close, &C::fstat, &C::lstat, &C::stat, &C::fchmod, &C::fallocate,
                &C::mmap, &C::link, &C::read_file, &C::file_system>();
    n_until_death = n;
    Zone zone;
    return zone.create(options) == SLM_OK ? 0 : 1;
}

TEST(ZoneCreate, KilledAtAnyCallLeavesAWholeZoneOrNoName)
{
    for (Kind kind : kNamedKinds) {
        for (slm_lock_kind lock : slm_test::kEveryLock) {
            ZoneOptions all;
            slm_zone_options options = all.of(kind, lock);
            slm_zone_attach_options attach{};
            attach.segment = options.segment;
            attach.lock_path = options.lock_path;
            attach.check = true;
            unsigned n_absent = 0;
            int end = -1;
            for (unsigned at = 1; end != 0; at++) {
                SCOPED_TRACE(at);
                end = in_child([&] { return create_and_die_at(at, options); });
                ASSERT_TRUE(end == 0 || end == 128 + SIGKILL) << end;
                Zone found, made;
                slm_status seen = found.attach(attach);
                ASSERT_TRUE(seen == SLM_OK || seen == SLM_E_MISSING) << found.error.text;
                n_absent += seen == SLM_E_MISSING;
                if (seen == SLM_OK) {
                    ASSERT_EQ(slm_zone_remove(found, nullptr), SLM_OK);
                }
                ASSERT_EQ(made.create(options), SLM_OK) << made.error.text;
                ASSERT_EQ(slm_zone_remove(made, nullptr), SLM_OK);
            }
            EXPECT_GT(n_absent, 8u);
        }
    }
}

/* The zone's own steps fail after another program has taken the name. */
TEST(ZoneCreate, ThatFailsLeavesTheFileOfAnotherProgram)
{
    for (Kind kind : kNamedKinds) {
        slm_test::KeepCalls keep;
        ZoneOptions all;
        Zone zone;
        slm_zone_options options = all.of(kind, SLM_LOCK_FILE);
        options.lock_path = "/nowhere/at/all";
        static std::string path;
        path = all.path(kind);
        slm_segment_sys.fchmod = [](int fd, mode_t mode) {
            (void)close(open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600));
            return fchmod(fd, mode);
        };
        EXPECT_EQ(zone.create(options), SLM_E_MISSING) << zone.error.text;
        EXPECT_EQ(unlink(path.c_str()), 0);
        options = all.of(kind);
        EXPECT_EQ(zone.create(options), SLM_E_EXISTS) << zone.error.text;
        EXPECT_EQ(unlink(path.c_str()), 0);
    }
}

/* --- Cancellation --- */

/* A thread that is cancelled while it uses a zone acts on it between its calls only. */
TEST(ZoneCancellation, IsNotActedOnWhileAZoneIsMadeGrownOrDetached)
{
    for (Kind kind : kFileKinds) {
        ZoneOptions all;
        slm_zone_options options = all.of(kind);
        pthread_t thread;
        void *result = nullptr;
        ASSERT_EQ(pthread_create(
                      &thread, nullptr,
                      [](void *data) -> void * {
                          (void)pthread_cancel(pthread_self());
                          auto *asked = static_cast<slm_zone_options *>(data);
                          slm_zone *zone = nullptr;
                          bool is_made = slm_zone_create(&zone, asked, nullptr) == SLM_OK;
                          bool is_grown = slm_zone_grow(zone, kZoneMaxBytes, nullptr) == SLM_OK;
                          slm_zone_detach(zone);
                          int before;
                          (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
                          return is_made && is_grown ? data : nullptr;
                      },
                      &options),
                  0);
        ASSERT_EQ(pthread_join(thread, &result), 0);
        EXPECT_EQ(result, &options);
        EXPECT_EQ(in_child([] { return 0; }), 0); /* fork waits for nothing */
    }
}

} // namespace
