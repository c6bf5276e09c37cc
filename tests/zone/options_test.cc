/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of a zone's options name the zone, the option, its value and the limit. The name of a POSIX
 * zone, given once. */
#include <fstream>

#include "tests/zone/set_fixture.h"

using namespace slm_test;

namespace {

struct Wrong {
    const char *name;
    slm_status status;
    void (*make)(slm_zone_options &options);
    const char *text;
};

const char kLong[] = "0123456789012345678901234567890123456789012345678901234567890123";

const Wrong wrongs[] = {
    {"NoName", SLM_E_NAME, [](slm_zone_options &o) { o.name = nullptr; }, "a zone's name is NULL"},
    {"EmptyName", SLM_E_NAME, [](slm_zone_options &o) { o.name = ""; }, "a zone's name is empty"},
    {"LongName", SLM_E_NAME, [](slm_zone_options &o) { o.name = kLong; },
     "zone 0123456789012345678901234567890123456789012345678901234567890123: its name has 64 "
     "bytes, more than 63"},
    {"LongTag", SLM_E_NAME, [](slm_zone_options &o) { o.tag = kLong; },
     "zone keys: its tag has 64 bytes, more than 63"},
    {"TooShort", SLM_E_SIZE, [](slm_zone_options &o) { o.bytes = 4096; },
     "zone keys: bytes 4096 is not within 65536 to 70368744177664"},
    {"MaxBelowBytes", SLM_E_SIZE, [](slm_zone_options &o) { o.max_bytes = o.bytes - 1; },
     "zone keys: max_bytes 262143 is not 0, nor within its bytes 262144 to 70368744177664"},
    {"MaxTooLong", SLM_E_SIZE, [](slm_zone_options &o) { o.max_bytes = (size_t{1} << 46) + 1; },
     "zone keys: max_bytes 70368744177665 is not 0, nor within its bytes 262144 to "
     "70368744177664"},
    {"JournalTooShort", SLM_E_OPTION, [](slm_zone_options &o) { o.journal_entries = 10; },
     "zone keys: journal_entries 10 is not 0, nor within 64 to 1048576"},
    {"JournalTooLongForIt", SLM_E_SIZE, [](slm_zone_options &o) { o.journal_entries = 65536; },
     "zone keys: bytes 262144 are too few for journal_entries 65536, and so are those of max_bytes "
     "1048576"},
    {"MetadataForItsMax", SLM_E_SIZE,
     [](slm_zone_options &o) {
         o.journal_entries = 64;
         o.max_bytes = size_t{1} << 32;
     },
     "zone keys: bytes 262144 are too few for the metadata of a zone that may grow up to max_bytes "
     "4294967296: the smallest that will do is 90480640"},
    {"LockKind", SLM_E_OPTION,
     [](slm_zone_options &o) { o.lock_kind = static_cast<slm_lock_kind>(3); },
     "zone keys: lock_kind 3 is not within 0 to 2"},
    {"NoLockPath", SLM_E_OPTION, [](slm_zone_options &o) { o.lock_kind = SLM_LOCK_FILE; },
     "zone keys: lock_path is NULL, and lock_kind SLM_LOCK_FILE needs one"},
    {"EmptyLockPath", SLM_E_OPTION,
     [](slm_zone_options &o) {
         o.lock_kind = SLM_LOCK_FILE;
         o.lock_path = "";
     },
     "zone keys: lock_path is empty, and lock_kind SLM_LOCK_FILE needs one"},
    {"SlabName", SLM_E_OPTION, [](slm_zone_options &o) { o.slab.name = "other"; },
     "zone keys: slab.name is set: the zone sets it, so it must be 0"},
    {"SlabMaxBytes", SLM_E_OPTION, [](slm_zone_options &o) { o.slab.max_bytes = 1 << 20; },
     "zone keys: slab.max_bytes is set: the zone sets it, so it must be 0"},
    {"SegmentBytes", SLM_E_OPTION, [](slm_zone_options &o) { o.segment.bytes = 77; },
     "zone keys: segment.bytes is set: the zone sets it, so it must be 0"},
    {"SegmentMaxBytes", SLM_E_OPTION, [](slm_zone_options &o) { o.segment.max_bytes = 77; },
     "zone keys: segment.max_bytes is set: the zone sets it, so it must be 0"},
    {"SegmentReadOnly", SLM_E_OPTION, [](slm_zone_options &o) { o.segment.read_only = true; },
     "zone keys: segment.read_only is set: the zone sets it, so it must be 0"},
    {"SegmentUnnamed", SLM_E_OPTION, [](slm_zone_options &o) { o.segment.unnamed = true; },
     "zone keys: segment.unnamed is set: the zone sets it, so it must be 0"},
    {"SegmentId", SLM_E_OPTION, [](slm_zone_options &o) { o.segment.id = 5; },
     "zone keys: segment.id is set: the zone sets it, so it must be 0"},
    {"PageBytes", SLM_E_OPTION, [](slm_zone_options &o) { o.slab.page_bytes = 8192; },
     "zone keys: slab.page_bytes 8192 is not 0, 4096, 16384 or 65536"},
    {"MinObjectBytes", SLM_E_OPTION, [](slm_zone_options &o) { o.slab.min_object_bytes = 24; },
     "zone keys: slab.min_object_bytes 24 is not 0, 8, 16, 32 or 64"},
    {"PerDoubling", SLM_E_OPTION, [](slm_zone_options &o) { o.slab.per_doubling = 3; },
     "zone keys: slab.per_doubling 3 is not 0, 1, 2, 4, 8 or 16"},
    {"GapBytes", SLM_E_OPTION, [](slm_zone_options &o) { o.slab.gap_bytes = 65; },
     "zone keys: slab.gap_bytes 65 is not 0 to 64"},
    {"SegmentKind", SLM_E_OPTION,
     [](slm_zone_options &o) {
         o.segment.kind = static_cast<Kind>(7);
         o.segment.name = nullptr;
     },
     "zone keys: segment keys: kind 7 is not within 0 to 4"},
    {"NameWithASlash", SLM_E_NAME,
     [](slm_zone_options &o) {
         o.segment.kind = SLM_SEGMENT_POSIX;
         o.segment.name = "a/b";
     },
     "zone keys: segment a/b: its name has a slash in it"},
    {"FileWithoutAPath", SLM_E_NAME, [](slm_zone_options &o) { o.segment.name = nullptr; },
     "zone keys: segment.name is NULL, and a file needs its path"},
    {"NoSuchFolder", SLM_E_MISSING, [](slm_zone_options &o) { o.segment.name = "/nowhere/at/all"; },
     "zone keys: /nowhere/at/all: cannot create: No such file or directory"},
    {"LockInNoFolder", SLM_E_MISSING,
     [](slm_zone_options &o) {
         o.segment.kind = SLM_SEGMENT_ANONYMOUS;
         o.lock_kind = SLM_LOCK_FILE;
         o.lock_path = "/nowhere/at/all";
     },
     "zone keys: anonymous: its lock: /nowhere/at/all: cannot be opened as a lock file of this "
     "user alone: No such file or directory"},
};

void PrintTo(const Wrong &wrong, std::ostream *out)
{
    *out << wrong.name;
}

class ZoneOptionText : public testing::TestWithParam<Wrong> {};

INSTANTIATE_TEST_SUITE_P(Wrong, ZoneOptionText, testing::ValuesIn(wrongs),
                         [](const auto &wrong) { return std::string(wrong.param.name); });

TEST_P(ZoneOptionText, NamesZoneOptionValueAndLimit)
{
    ZoneOptions all;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    GetParam().make(options);
    Zone zone;
    EXPECT_EQ(zone.create(options), GetParam().status);
    EXPECT_STREQ(zone.error.text, GetParam().text);
    EXPECT_EQ(zone.error.os_errno, GetParam().status == SLM_E_MISSING ? ENOENT : 0);
    EXPECT_TRUE(all.folder().names().empty());
}

TEST_P(ZoneOptionText, IsTheSameFromASet)
{
    ZoneOptions all;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    GetParam().make(options);
    Set set;
    EXPECT_EQ(set.apply({{options, nullptr, nullptr, false}}), GetParam().status);
    EXPECT_STREQ(set.error.text, GetParam().text);
    EXPECT_EQ(set.error.os_errno, GetParam().status == SLM_E_MISSING ? ENOENT : 0);
}

TEST_P(ZoneOptionText, IsTheSameFromOpen)
{
    ZoneOptions all;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    GetParam().make(options);
    Zone zone;
    EXPECT_EQ(slm_zone_open(&zone.zone, &options, nullptr, &zone.error), GetParam().status);
    EXPECT_STREQ(zone.error.text, GetParam().text);
    EXPECT_TRUE(all.folder().names().empty());
}

/* Only a POSIX segment without a name has the zone's. */
TEST(ZoneOptionFiles, AZonesNameIsNotThePathOfItsFile)
{
    ZoneOptions all;
    Zone zone;
    Set set;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    std::string path = all.folder() / options.name;
    options.segment.name = path.c_str();
    ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    options.segment.name = nullptr;
    slm_zone_attach_options attach = all.to_attach(zone);
    attach.segment.name = nullptr;
    attach.name = options.name;
    zone.detach();
    EXPECT_EQ(in_child([&] {
                  Zone other;
                  return first_wrong({
                      chdir(all.folder().path().c_str()) == 0,
                      other.create(options) == SLM_E_NAME,
                      slm_zone_open(&other.zone, &options, nullptr, nullptr) == SLM_E_NAME,
                      other.attach(attach) == SLM_E_NAME,
                      set.apply({{options, nullptr, nullptr, false}}) == SLM_E_NAME,
                  });
              }),
              0);
}

TEST(ZoneOptionFiles, AttachTakesTheZonesOwnFileForNoLockFile)
{
    ZoneOptions all;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    std::string lock_path = all.folder() / "lock";
    options.lock_kind = SLM_LOCK_FILE;
    options.lock_path = lock_path.c_str();
    Zone zone, again;
    ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    std::string path = options.segment.name;
    zone.detach();
    slm_zone_attach_options attach{};
    attach.segment = options.segment;
    std::string own = all.folder() / "./file";
    for (bool is_unused : {false, true}) {
        attach.is_unused = is_unused;
        attach.lock_path = own.c_str();
        EXPECT_EQ(again.attach(attach), SLM_E_DUPLICATE);
        EXPECT_EQ(again.error.text, path + ": lock_path " + own + " is the zone's own file");
    }
    attach.is_unused = false;
    attach.lock_path = lock_path.c_str();
    ASSERT_EQ(again.attach(attach), SLM_OK) << again.error.text;
    EXPECT_EQ(slm_zone_grow(again, kZoneMaxBytes, nullptr), SLM_OK);
}

/* The owner in the copy's lock word seems to live, and has another file. */
TEST(ZoneOptionFiles, ACopyOfAZoneInUseKeepsItsLockFile)
{
    ZoneOptions all;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    std::string lock_path = all.folder() / "lock";
    std::string other_lock = all.folder() / "other";
    std::string copy = all.folder() / "copy";
    options.lock_kind = SLM_LOCK_FILE;
    options.lock_path = lock_path.c_str();
    Zone zone, again;
    ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    std::ofstream(copy, std::ios::binary)
        << std::ifstream(options.segment.name, std::ios::binary).rdbuf();
    slm_zone_attach_options attach{};
    attach.segment = options.segment;
    attach.segment.name = copy.c_str();
    attach.lock_path = other_lock.c_str();
    EXPECT_EQ(again.attach(attach), SLM_E_REPLACED) << again.error.text;
    attach.lock_path = lock_path.c_str();
    ASSERT_EQ(again.attach(attach), SLM_OK) << again.error.text;
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_lock(again), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(again), SLM_OK);
    again.detach();
    attach.lock_path = other_lock.c_str();
    attach.is_unused = true; /* a lock file of its own, as lock.h says */
    ASSERT_EQ(again.attach(attach), SLM_OK) << again.error.text;
    EXPECT_EQ(push_alone(again, 1), SLM_OK);
}

TEST(ZoneOptionFiles, ASegmentThatIsItsOwnLockFileIsRefused)
{
    ZoneOptions all;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    std::string lock_path = all.folder() / "./file";
    options.lock_kind = SLM_LOCK_FILE;
    options.lock_path = lock_path.c_str();
    Zone zone;
    EXPECT_EQ(zone.create(options), SLM_E_DUPLICATE);
    std::string text = "zone keys: its segment " + std::string(options.segment.name) +
                       " is the lock file of zone keys, " + lock_path;
    EXPECT_EQ(zone.error.text, text);
    EXPECT_TRUE(all.folder().names().empty());
}

TEST(ZoneOptionFiles, AFileOfAnotherZoneIsNoLockFile)
{
    ZoneOptions all, others;
    Zone other, zone, again;
    ASSERT_EQ(other.create(others.of(SLM_SEGMENT_FILE)), SLM_OK) << other.error.text;
    std::string file = others.folder() / "file";
    std::string lock_path = all.folder() / "lock";
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    options.lock_kind = SLM_LOCK_FILE;
    options.lock_path = file.c_str();
    EXPECT_EQ(zone.create(options), SLM_E_DUPLICATE);
    EXPECT_EQ(zone.error.text, "zone keys: lock_path " + file + " is a zone's file");
    EXPECT_TRUE(all.folder().names().empty());
    options.lock_path = lock_path.c_str();
    ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    zone.detach();
    slm_zone_attach_options attach{};
    attach.segment = options.segment;
    attach.lock_path = file.c_str();
    for (bool is_unused : {false, true}) {
        attach.is_unused = is_unused;
        EXPECT_EQ(again.attach(attach), SLM_E_DUPLICATE);
        EXPECT_EQ(again.error.text, std::string(options.segment.name) + ": lock_path " + file +
                                        " is another zone's file");
    }
    /* A text that begins otherwise, or is shorter than what a zone begins with, may be one. */
    for (const char *text : {"lock", "a lock file"}) {
        std::ofstream(lock_path) << text;
        attach.lock_path = lock_path.c_str();
        ASSERT_EQ(again.attach(attach), SLM_OK) << again.error.text;
        again.detach();
    }
}

TEST(ZoneGrowText, NamesZoneAndLimit)
{
    ZoneOptions all;
    Zone zone;
    ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_MEMFD)), SLM_OK);
    EXPECT_EQ(slm_zone_grow(zone, kZoneMaxBytes + 1, &zone.error), SLM_E_SIZE);
    EXPECT_STREQ(zone.error.text, "zone keys: 1048577 bytes are more than its max_bytes 1048576");
}

TEST(Zone, OfAPosixSegmentIsAttachedByTheNameThatMadeIt)
{
    ZoneOptions all;
    Zone zone, again, other;
    slm_zone_options options = all.of(SLM_SEGMENT_POSIX);
    options.name = options.segment.name;
    options.segment.name = nullptr;
    ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    ASSERT_EQ(push_alone(zone, 3), SLM_OK);
    slm_zone_attach_options attach{};
    attach.segment.kind = SLM_SEGMENT_POSIX;
    attach.name = options.name;
    ASSERT_EQ(again.attach(attach), SLM_OK) << again.error.text;
    EXPECT_EQ(numbers_alone(again), (Numbers{3}));
    attach.name = nullptr;
    EXPECT_EQ(other.attach(attach), SLM_E_NAME);
}

} // namespace
