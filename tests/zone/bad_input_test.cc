/* SPDX-License-Identifier: Apache-2.0 */
/* Each wrong input has a status of its own and a text that says where. Nothing is left over. */
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <sys/shm.h>

#include "tests/zone/set_fixture.h"

namespace {

using namespace slm_test;

std::string content_of(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

void write_all(const std::string &path, const std::string &content)
{
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << content;
}

constexpr uint64_t kSlab = 12288; /* where it begins, after 256 entries */

/* A zone in a file, as bytes. */
class Image {
  public:
    Image()
    {
        Zone zone;
        EXPECT_EQ(zone.create(all.of(SLM_SEGMENT_FILE)), SLM_OK) << zone.error.text;
        EXPECT_EQ(push_alone(zone, 1), SLM_OK);
        options = all.to_attach(zone);
        zone.detach();
        bytes = content_of(path());
        EXPECT_EQ(slm_zone_slab_offset(256), kSlab);
    }
    std::string path() const
    {
        return all.path(SLM_SEGMENT_FILE);
    }
    zone_header *header()
    {
        return reinterpret_cast<zone_header *>(bytes.data());
    }
    /* Recomputes the checksum, so that a wrong constant part looks sealed. */
    void seal()
    {
        zone_fixed fixed;
        memcpy(&fixed, bytes.data(), sizeof fixed);
        uint64_t sum = slm_zone_checksum(&fixed);
        memcpy(bytes.data() + offsetof(zone_header, checksum), &sum, sizeof sum);
    }
    template <typename T> void put(size_t offset, T value)
    {
        memcpy(bytes.data() + offset, &value, sizeof value);
    }
    slm_status attach(Zone &zone) const
    {
        write_all(path(), bytes);
        return zone.attach(options);
    }

    ZoneOptions all;
    slm_zone_attach_options options{};
    std::string bytes;
};

#define FIXED(field) offsetof(zone_header, fixed.field)

struct Damage {
    const char *name;
    slm_status status;
    const char *text; /* after the path; ends with a space: checksums follow */
    void (*make)(Image &image);
};

const Damage damages[] = {
    {"Magic", SLM_E_MAGIC, "not a zone: it begins with 656e6f7a6d6c7378, expected 656e6f7a6d6c7300",
     [](Image &i) { i.bytes[0] = 'x'; }},
    {"OtherByteOrder", SLM_E_MAGIC, "a zone made on a machine of the other byte order",
     [](Image &i) { std::reverse(i.bytes.begin(), i.bytes.begin() + 8); }},
    {"AnotherFile", SLM_E_MAGIC,
     "not a zone: it begins with 7878787878787878, expected 656e6f7a6d6c7300",
     [](Image &i) { i.bytes.assign(kZoneBytes, 'x'); }},
    {"Version", SLM_E_VERSION, "layout version 2, expected 1",
     [](Image &i) { i.put(FIXED(version), 2u), i.seal(); }},
    {"Checksum", SLM_E_CHECKSUM, "its header is damaged: checksum ",
     [](Image &i) { i.put(offsetof(zone_header, checksum), uint64_t{0}); }},
    {"NameUnsealed", SLM_E_CHECKSUM, "its header is damaged: checksum ",
     [](Image &i) { i.put(FIXED(name), 'x'); }},
    {"HeaderBytes", SLM_E_SIZE,
     "sizes that do not fit each other: 262144 bytes, of 262144 to 1048576",
     [](Image &i) { i.put(FIXED(header_bytes), 8u), i.seal(); }},
    {"FirstBytes", SLM_E_SIZE,
     "sizes that do not fit each other: 262144 bytes, of 12288 to 1048576",
     [](Image &i) { i.put(FIXED(first_bytes), kSlab), i.seal(); }},
    {"AskedBytes", SLM_E_SIZE,
     "sizes that do not fit each other: 262144 bytes, of 262144 to 1048576",
     [](Image &i) { i.put(FIXED(asked_bytes), UINT64_MAX), i.seal(); }},
    {"MaxBelowFirst", SLM_E_SIZE,
     "sizes that do not fit each other: 262144 bytes, of 262144 to 12288",
     [](Image &i) { i.put(FIXED(max_bytes), kSlab), i.seal(); }},
    {"MaxBeyond", SLM_E_SIZE,
     "sizes that do not fit each other: 262144 bytes, of 262144 to 18446744073709551615",
     [](Image &i) { i.put(FIXED(max_bytes), UINT64_MAX), i.seal(); }},
    {"SlabOffset", SLM_E_SIZE,
     "sizes that do not fit each other: 262144 bytes, of 262144 to 1048576",
     [](Image &i) { i.put(FIXED(slab_offset), kSlab * 2), i.seal(); }},
    {"JournalEntries", SLM_E_SIZE,
     "sizes that do not fit each other: 262144 bytes, of 262144 to 1048576",
     [](Image &i) { i.put(FIXED(journal_entries), 1u << 30), i.seal(); }},
    {"LockKind", SLM_E_SIZE, "sizes that do not fit each other: 262144 bytes, of 262144 to 1048576",
     [](Image &i) { i.put(FIXED(lock_kind), 9u), i.seal(); }},
    {"NameWithoutEnd", SLM_E_SIZE,
     "sizes that do not fit each other: 262144 bytes, of 262144 to 1048576",
     [](Image &i) { memset(i.bytes.data() + FIXED(name), 'x', SLM_ZONE_NAME_BYTES), i.seal(); }},
    {"TagWithoutEnd", SLM_E_SIZE,
     "sizes that do not fit each other: 262144 bytes, of 262144 to 1048576",
     [](Image &i) { memset(i.bytes.data() + FIXED(tag), 'x', SLM_ZONE_NAME_BYTES), i.seal(); }},
    {"BytesBelowFirst", SLM_E_SIZE,
     "sizes that do not fit each other: 12288 bytes, of 262144 to 1048576",
     [](Image &i) { i.put(offsetof(zone_header, bytes), kSlab); }},
    {"BytesBeyondMax", SLM_E_SIZE,
     "sizes that do not fit each other: 18446744073709547520 bytes, of 262144 to 1048576",
     [](Image &i) { i.put(offsetof(zone_header, bytes), UINT64_MAX & ~uint64_t{4095}); }},
    {"BytesNotPages", SLM_E_SIZE,
     "sizes that do not fit each other: 262145 bytes, of 262144 to 1048576",
     [](Image &i) { i.put(offsetof(zone_header, bytes), uint64_t{kZoneBytes + 1}); }},
    {"BytesBehindTheFile", SLM_E_TRUNCATED, "cut to 262144 bytes, where 1048576 were",
     [](Image &i) { i.put(offsetof(zone_header, bytes), uint64_t{kZoneMaxBytes}); }},
    {"CutToHalf", SLM_E_TRUNCATED, "cut to 131072 bytes, where 262144 were",
     [](Image &i) { i.bytes.resize(kZoneBytes / 2); }},
    {"CutWithinAPage", SLM_E_TRUNCATED, "262143 bytes, not whole pages of 4096",
     [](Image &i) { i.bytes.resize(kZoneBytes - 1); }},
    {"CutToNothing", SLM_E_TRUNCATED, "0 bytes, not whole pages of 4096",
     [](Image &i) { i.bytes.clear(); }},
    {"HalfMade", SLM_E_STATE, "still being made, or its maker died",
     [](Image &i) { i.put(offsetof(zone_header, state), uint64_t{0}); }},
    {"OnlyJustMade", SLM_E_STATE, "still being made, or its maker died",
     [](Image &i) { i.bytes.assign(kZoneBytes, '\0'); }},
    {"State", SLM_E_STATE, "its state is damaged",
     [](Image &i) { i.put(offsetof(zone_header, state), uint64_t{1}); }},
    {"GivenUp", SLM_E_BROKEN, "could not be repaired",
     [](Image &i) { i.put(offsetof(zone_header, state), uint64_t{ZONE_BROKEN}); }},
    {"AnotherName", SLM_E_NAME, "zone \"keys\", expected \"other\"",
     [](Image &i) { i.options.name = "other"; }},
    {"AnotherTag", SLM_E_NAME, "tag \"test v1\", expected \"other\"",
     [](Image &i) { i.options.tag = "other"; }},
    {"SlabsHead", SLM_E_IMAGE,
     "its slab: the memory holds no valid image, or one of another layout",
     [](Image &i) { i.put(kSlab, uint64_t{0}); }},
    {"SlabsPageSize", SLM_E_IMAGE,
     "its slab: the memory holds no valid image, or one of another layout",
     [](Image &i) {
         for (size_t at = kSlab + 12; at < kSlab + 48; at++) {
             i.bytes[at] = static_cast<char>(i.bytes[at] + 1);
         }
     }},
    {"JournalsHead", SLM_E_IMAGE, "its journal is damaged",
     [](Image &i) { i.put(ZONE_JOURNAL_OFFSET, uint64_t{0}); }},
    {"JournalsLength", SLM_E_IMAGE, "its journal is damaged",
     [](Image &i) { i.put(ZONE_JOURNAL_OFFSET + 8, uint64_t{200}); }},
    {"LocksKind", SLM_E_OPTION, "its lock: lock: kind 0 asked for, of kind 1",
     [](Image &i) { i.put(offsetof(zone_header, lock) + offsetof(slm_lock_state, kind), 1u); }},
    {"CheckFindsTheRoot", SLM_E_BROKEN, "breaks invariant 114",
     [](Image &i) {
         i.options.check = true;
         i.put(ZONE_JOURNAL_OFFSET + 24, uint64_t{4096});
     }},
};

void PrintTo(const Damage &damage, std::ostream *out)
{
    *out << damage.name;
}

class ZoneDamage : public testing::TestWithParam<Damage> {};

INSTANTIATE_TEST_SUITE_P(Of, ZoneDamage, testing::ValuesIn(damages),
                         [](const auto &damage) { return std::string(damage.param.name); });

TEST_P(ZoneDamage, IsReportedByStatusAndPathAndLeavesNothing)
{
    Image image;
    Holdings before;
    GetParam().make(image);
    Zone zone;
    EXPECT_EQ(image.attach(zone), GetParam().status) << zone.error.text;
    EXPECT_EQ(zone.zone, nullptr);
    EXPECT_EQ(zone.error.status, GetParam().status);
    std::string expected = image.path() + ": " + GetParam().text;
    std::string seen = zone.error.text;
    EXPECT_EQ(expected.back() == ' ' ? seen.substr(0, expected.size()) : seen, expected);
    EXPECT_EQ(zone.error.os_errno, 0);
    EXPECT_EQ(Holdings(), before);
    EXPECT_EQ(content_of(image.path()), image.bytes);
    EXPECT_EQ(image.all.folder().names(), (std::set<std::string>{"file"}));
}

TEST_P(ZoneDamage, IsReportedAlikeToAReadOnlyHandle)
{
    Image image;
    GetParam().make(image);
    image.options.segment.read_only = true;
    Zone zone;
    slm_status status = image.attach(zone);
    bool is_of_writers =
        std::string(GetParam().name) == "GivenUp" || std::string(GetParam().name) == "LocksKind";
    EXPECT_EQ(status, is_of_writers ? SLM_OK : GetParam().status) << zone.error.text;
}

TEST(ZoneImage, UndamagedIsAttachedAndUsed)
{
    Image image;
    Zone zone;
    image.options.check = true;
    ASSERT_EQ(image.attach(zone), SLM_OK) << zone.error.text;
    EXPECT_EQ(numbers_alone(zone), (Numbers{1}));
}

/* --- Options --- */

struct Wrong {
    const char *name;
    slm_status status;
    void (*make)(slm_zone_options &options);
};

const char kLong[] = "0123456789012345678901234567890123456789012345678901234567890123";
static_assert(sizeof kLong == SLM_ZONE_NAME_BYTES + 1, "one more than there is room for");

const Wrong wrongs[] = {
    {"NoName", SLM_E_NAME, [](slm_zone_options &o) { o.name = nullptr; }},
    {"EmptyName", SLM_E_NAME, [](slm_zone_options &o) { o.name = ""; }},
    {"LongName", SLM_E_NAME, [](slm_zone_options &o) { o.name = kLong; }},
    {"LongTag", SLM_E_NAME, [](slm_zone_options &o) { o.tag = kLong; }},
    {"NameWithASlash", SLM_E_NAME,
     [](slm_zone_options &o) {
         o.segment.kind = SLM_SEGMENT_POSIX;
         o.segment.name = "a/b";
     }},
    {"TooShort", SLM_E_SIZE, [](slm_zone_options &o) { o.bytes = SLM_ZONE_BYTES_MIN - 1; }},
    {"TooLong", SLM_E_SIZE, [](slm_zone_options &o) { o.bytes = SIZE_MAX; }},
    {"MaxTooLong", SLM_E_SIZE, [](slm_zone_options &o) { o.max_bytes = SIZE_MAX; }},
    {"MetadataForItsMaxDoesNotFit", SLM_E_SIZE,
     [](slm_zone_options &o) { o.max_bytes = size_t{1} << 32; }},
    {"SlabOfAZoneThatOthersMayWriteTo", SLM_E_OPTION,
     [](slm_zone_options &o) {
         o.segment.mode = 0666;
         o.slab.page_bytes = 3;
     }},
    {"JournalTooShort", SLM_E_OPTION, [](slm_zone_options &o) { o.journal_entries = 63; }},
    {"JournalTooLong", SLM_E_OPTION, [](slm_zone_options &o) { o.journal_entries = UINT32_MAX; }},
    {"JournalDoesNotFit", SLM_E_SIZE, [](slm_zone_options &o) { o.journal_entries = 1u << 20; }},
    {"Lock", SLM_E_OPTION,
     [](slm_zone_options &o) { o.lock_kind = static_cast<slm_lock_kind>(3); }},
    {"LockWithoutAPath", SLM_E_OPTION,
     [](slm_zone_options &o) {
         o.lock_kind = SLM_LOCK_FILE;
         o.lock_path = nullptr;
     }},
    {"LockInNoFolder", SLM_E_MISSING,
     [](slm_zone_options &o) {
         o.lock_kind = SLM_LOCK_FILE;
         o.lock_path = "/nowhere/at/all";
     }},
    {"Slab", SLM_E_OPTION, [](slm_zone_options &o) { o.slab.page_bytes = 5; }},
    {"SegmentKind", SLM_E_OPTION,
     [](slm_zone_options &o) { o.segment.kind = static_cast<Kind>(7); }},
    {"NoSuchFolder", SLM_E_MISSING,
     [](slm_zone_options &o) { o.segment.name = "/nowhere/at/all"; }},
};

void PrintTo(const Wrong &wrong, std::ostream *out)
{
    *out << wrong.name;
}

class ZoneOption : public testing::TestWithParam<Wrong> {};

INSTANTIATE_TEST_SUITE_P(Wrong, ZoneOption, testing::ValuesIn(wrongs),
                         [](const auto &wrong) { return std::string(wrong.param.name); });

TEST_P(ZoneOption, IsReportedByItsStatusAndLeavesNothing)
{
    ZoneOptions all;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    GetParam().make(options);
    Holdings before;
    Zone zone;
    EXPECT_EQ(zone.create(options), GetParam().status) << zone.error.text;
    EXPECT_EQ(zone.zone, nullptr);
    EXPECT_EQ(zone.error.status, GetParam().status);
    EXPECT_STRNE(zone.error.text, "");
    EXPECT_EQ(Holdings(), before);
    EXPECT_TRUE(all.folder().names().empty());
}

TEST(ZoneArguments, NullArgumentsAreReported)
{
    ZoneOptions all;
    slm_zone_options options = all.of(SLM_SEGMENT_ANONYMOUS);
    slm_zone_attach_options attach{};
    slm_zone *zone = nullptr;
    EXPECT_EQ(slm_zone_create(nullptr, &options, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_zone_create(&zone, nullptr, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_zone_attach(nullptr, &attach, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_zone_attach(&zone, nullptr, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_zone_attach(&zone, &attach, nullptr), SLM_E_OPTION); /* ANONYMOUS */
    EXPECT_EQ(zone, nullptr);
}

/* --- What the system reports --- */

TEST(ZoneAttach, ReportsAMissingSegmentAndATakenName)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        ZoneOptions all;
        Zone zone, other;
        ASSERT_EQ(zone.create(all.of(kind)), SLM_OK);
        ASSERT_EQ(push_alone(zone, 1), SLM_OK);
        EXPECT_EQ(other.create(all.of(kind)), SLM_E_EXISTS);
        EXPECT_NE(strstr(other.error.text, all.path(kind).c_str()), nullptr);
        EXPECT_EQ(numbers_alone(zone), (Numbers{1}));
        ASSERT_EQ(slm_zone_remove(zone, nullptr), SLM_OK);
        EXPECT_EQ(other.attach(all.to_attach(zone)), SLM_E_MISSING);
        EXPECT_NE(strstr(other.error.text, all.path(kind).c_str()), nullptr);
    }
}

/* Attach fills the holes of a zone's file. It must not fill them in a file that is no zone. */
TEST(ZoneAttach, LeavesTheHolesOfAFileThatIsNoZone)
{
    ZoneOptions all;
    Zone zone;
    struct stat before;
    struct stat after;
    std::string path = all.folder() / "sparse";
    write_all(path, "no zone");
    ASSERT_EQ(truncate(path.c_str(), off_t{1} << 30), 0);
    ASSERT_EQ(stat(path.c_str(), &before), 0);
    ASSERT_LT(before.st_blocks, 1024) << "this file system supports no holes";
    slm_zone_attach_options options{};
    options.segment.kind = SLM_SEGMENT_FILE;
    options.segment.name = path.c_str();
    EXPECT_EQ(zone.attach(options), SLM_E_MAGIC);
    ASSERT_EQ(stat(path.c_str(), &after), 0);
    EXPECT_EQ(after.st_blocks, before.st_blocks);
}

TEST(ZoneAttach, FollowsNoLink)
{
    Image image;
    std::string link = image.all.folder() / "link";
    ASSERT_EQ(symlink(image.path().c_str(), link.c_str()), 0);
    image.options.segment.name = link.c_str();
    Zone zone;
    EXPECT_EQ(zone.attach(image.options), SLM_E_ACCESS);
    EXPECT_NE(strstr(zone.error.text, link.c_str()), nullptr);
}

TEST(ZoneAttach, RefusesAnotherUsersZone)
{
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can become another user";
    }
    Image image;
    ASSERT_EQ(chmod(image.all.folder().path().c_str(), 0755), 0);
    EXPECT_EQ(in_child([&] {
                  Zone zone;
                  if (setgid(65534) != 0 || setuid(65534) != 0) {
                      return 1;
                  }
                  slm_status status = zone.attach(image.options);
                  return status == SLM_E_ACCESS && strstr(zone.error.text, image.path().c_str())
                             ? 0
                             : 2;
              }),
              0);
}

/* Only a System V segment can be shorter than a page. */
TEST(ZoneAttach, RefusesASysvSegmentShorterThanAHeader)
{
    slm_zone_attach_options options = {};
    options.segment.kind = SLM_SEGMENT_SYSV;
    options.segment.id = shmget(IPC_PRIVATE, 100, IPC_CREAT | 0600);
    ASSERT_GE(options.segment.id, 0);
    Zone zone;
    EXPECT_EQ(zone.attach(options), SLM_E_TRUNCATED) << zone.error.text;
    std::string label = "sysv " + std::to_string(options.segment.id);
    EXPECT_NE(strstr(zone.error.text, label.c_str()), nullptr) << zone.error.text;
    EXPECT_EQ(shmctl(options.segment.id, IPC_RMID, nullptr), 0);
}

TEST(ZoneAttach, FromAnotherPidNamespaceIsRefused)
{
    Image image;
    Zone in_use; /* else its namespace counts as ended */
    ASSERT_EQ(in_use.attach(image.options), SLM_OK) << in_use.error.text;
    int status = in_child([&] {
        if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) {
            return 99;
        }
        return in_child([&] {
            Zone zone;
            slm_status answer = zone.attach(image.options);
            return answer == SLM_E_STATE && strstr(zone.error.text, "another pid or time namespace")
                       ? 0
                       : 1;
        });
    });
    if (status == 99) {
        GTEST_SKIP() << "this user cannot make a pid namespace";
    }
    EXPECT_EQ(status, 0);
}

TEST(ZoneCreate, WithoutSpaceLeavesNoFile)
{
    ZoneOptions all;
    int status = in_child([&] {
        const std::string &where = all.folder().path();
        bool has_small = slm_test::enter_mount_namespace() &&
                         mount("none", where.c_str(), "tmpfs", 0, "size=128k") == 0;
        if (!has_small) {
            return 99;
        }
        Holdings before;
        Zone zone;
        slm_status answer = zone.create(all.of(SLM_SEGMENT_FILE));
        bool is_reported = answer == SLM_E_SPACE &&
                           strstr(zone.error.text, all.path(SLM_SEGMENT_FILE).c_str()) != nullptr;
        return is_reported && Holdings() == before && all.folder().names().empty() ? 0 : 1;
    });
    if (status == 99) {
        GTEST_SKIP() << "this user can neither mount nor make a namespace to mount in";
    }
    EXPECT_EQ(status, 0);
}

/* --- Cut while it is mapped --- */

TEST(ZoneCut, IsZerosUnderTheGuardAndReportedByVerify)
{
    EXPECT_EQ(in_child([] {
                  Image image;
                  Zone zone;
                  if (slm_segment_guard_install(nullptr) != SLM_OK ||
                      image.attach(zone) != SLM_OK || truncate(image.path().c_str(), 8192) != 0) {
                      return 1;
                  }
                  slm_error error;
                  slm_status verified = slm_segment_verify(slm_zone_segment(zone), &error);
                  bool is_named = strstr(error.text, image.path().c_str()) != nullptr;
                  unsigned broken = slm_zone_check_locked(zone);
                  return verified == SLM_E_TRUNCATED && is_named && broken == 103 ? 0 : 2;
              }),
              0);
}

TEST(ZoneCut, IsNeitherRepairedNorGivenUp)
{
    Image image;
    Zone zone;
    ASSERT_EQ(image.attach(zone), SLM_OK);
    EXPECT_EQ(in_child([&] {
                  EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
                  (void)push(zone, 2);
                  raise(SIGKILL);
                  return 0;
              }),
              128 + SIGKILL);
    /* The zone's last pages, which nothing uses. */
    ASSERT_EQ(truncate(image.path().c_str(), kZoneBytes - 4096), 0);
    EXPECT_EQ(slm_zone_lock(zone), SLM_E_TRUNCATED);
    EXPECT_EQ(slm_zone_lock(zone), SLM_E_TRUNCATED);
    ASSERT_EQ(truncate(image.path().c_str(), kZoneBytes), 0);
    EXPECT_EQ(numbers_alone(zone), (Numbers{1}));
}

} // namespace
