/* SPDX-License-Identifier: Apache-2.0 */
/* Zones passed to the program that this process becomes by exec. */
#include "tests/zone/set_fixture.h"

namespace {

using namespace slm_test;

/* Returns the exit status of tests/zone/heir, which a child becomes by exec. */
int exec_heir(const char *text, uint64_t n)
{
    return in_child([&] {
        std::string count = std::to_string(n);
        const char *where = getenv("ZONE_HEIR");
        const char *path = where == nullptr ? "tests/zone/heir" : where;
        execl(path, path, text, count.c_str(), nullptr);
        perror(path);
        return 127;
    });
}

class ZoneExportOf : public testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(Kinds, ZoneExportOf,
                         testing::Values(SLM_SEGMENT_SYSV, SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD,
                                         SLM_SEGMENT_FILE));

TEST_P(ZoneExportOf, ReachesAnotherProgramWithItsContent)
{
    ZoneOptions all;
    Zone zone;
    slm_zone_options options = all.of(GetParam());
    ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    ASSERT_EQ(slm_zone_grow(zone, 2 * kZoneBytes, nullptr), SLM_OK);
    char text[SLM_ZONE_EXPORT_BYTES];
    for (uint64_t i = 0; i < 5; i++) {
        ASSERT_EQ(push_alone(zone, i), SLM_OK);
    }
    ASSERT_EQ(slm_zone_export(zone, text, &zone.error), SLM_OK) << zone.error.text;
    EXPECT_EQ(exec_heir(text, 5), 0) << text;
    EXPECT_EQ(numbers_alone(zone), (Numbers{5, 4, 3, 2, 1, 0}));
    EXPECT_EQ(exec_heir(text, 6), 0) << text;
    EXPECT_EQ(exec_heir(text, 6), 4);
}

/* The process itself becomes the other program: a reload of the binary. */
TEST_P(ZoneExportOf, OutlivesTheProcessThatBecomesAnotherProgram)
{
    ZoneOptions all;
    Zone holder;
    ASSERT_EQ(holder.create(all.of(GetParam())), SLM_OK) << holder.error.text;
    EXPECT_EQ(in_child([&] {
                  char text[SLM_ZONE_EXPORT_BYTES];
                  Zone mine;
                  if (mine.attach(all.to_attach(holder)) != SLM_OK ||
                      push_alone(mine, 0) != SLM_OK ||
                      slm_zone_export(mine, text, nullptr) != SLM_OK) {
                      return 100;
                  }
                  const char *where = getenv("ZONE_HEIR");
                  execl(where == nullptr ? "tests/zone/heir" : where, "heir", text, "1", nullptr);
                  return 101;
              }),
              0);
    EXPECT_EQ(numbers_alone(holder), (Numbers{1, 0}));
    EXPECT_EQ(check_alone(holder), 0u);
}

TEST_P(ZoneExportOf, IsAdoptedAndReused)
{
    ZoneOptions all;
    Set set;
    Inits inits;
    slm_zone_options options = all.of(GetParam());
    Zone old, imported;
    char text[SLM_ZONE_EXPORT_BYTES];
    ASSERT_EQ(old.create(options), SLM_OK) << old.error.text;
    ASSERT_EQ(push_alone(old, 9), SLM_OK);
    ASSERT_EQ(slm_zone_export(old, text, &old.error), SLM_OK) << old.error.text;
    if (GetParam() == SLM_SEGMENT_MEMFD) { /* importing closes its descriptor */
        int fd = dup(slm_segment_id(slm_zone_segment(old)));
        snprintf(text, sizeof text, "memfd:%d", fd);
    }
    ASSERT_EQ(slm_zone_import(&imported.zone, text, nullptr, &imported.error), SLM_OK)
        << imported.error.text;
    EXPECT_EQ(slm_zone_set_adopt(set, imported), SLM_OK);
    ASSERT_EQ(set.apply({inits.declare(options)}), SLM_OK) << set.error.text;
    EXPECT_EQ(inits.reused, (std::vector<bool>{true}));
    EXPECT_EQ(numbers_alone(old), (Numbers{1001, 9}));
    imported.zone = nullptr;
}

TEST(ZoneExport, OfMemoryThatOnlyForkPassesOnIsRefused)
{
    ZoneOptions all;
    Zone zone;
    char text[SLM_ZONE_EXPORT_BYTES] = "before";
    ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_ANONYMOUS)), SLM_OK);
    EXPECT_EQ(slm_zone_export(zone, text, &zone.error), SLM_E_OPTION);
    EXPECT_NE(strstr(zone.error.text, "keys"), nullptr);
    EXPECT_STREQ(text, "");
}

TEST(ZoneExport, OfATooLongPathIsRefused)
{
    ZoneOptions all;
    Zone zone;
    char text[SLM_ZONE_EXPORT_BYTES];
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    std::string path = all.folder().path();
    while (path.size() < SLM_ZONE_EXPORT_BYTES) {
        path += "/.";
    }
    path += "/long";
    options.segment.name = path.c_str();
    ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    EXPECT_EQ(slm_zone_export(zone, text, &zone.error), SLM_E_SIZE);
    EXPECT_NE(strstr(zone.error.text, "too long"), nullptr);
    EXPECT_STREQ(text, "");
}

TEST(ZoneExport, OfALostDescriptorIsRefused)
{
    ZoneOptions all;
    Zone zone;
    char text[SLM_ZONE_EXPORT_BYTES];
    ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_MEMFD)), SLM_OK);
    ASSERT_EQ(close(slm_segment_id(slm_zone_segment(zone))), 0);
    EXPECT_EQ(slm_zone_export(zone, text, &zone.error), SLM_E_STATE);
    EXPECT_NE(strstr(zone.error.text, "keys"), nullptr) << zone.error.text;
    EXPECT_STREQ(text, "");
}

/* The text would lead the next program to no zone, or to another one. */
TEST(ZoneExport, OfANameThatDoesNotLeadToTheZoneIsRefused)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        ZoneOptions all;
        Zone zone, next;
        char text[SLM_ZONE_EXPORT_BYTES];
        ASSERT_EQ(zone.create(all.of(kind)), SLM_OK) << zone.error.text;
        ASSERT_EQ(slm_zone_remove(zone, nullptr), SLM_OK);
        EXPECT_EQ(slm_zone_export(zone, text, &zone.error), SLM_E_MISSING) << zone.error.text;
        EXPECT_STREQ(text, "");
        ASSERT_EQ(next.create(all.of(kind)), SLM_OK) << next.error.text;
        EXPECT_EQ(slm_zone_export(zone, text, &zone.error), SLM_E_REPLACED);
        EXPECT_NE(strstr(zone.error.text, "zone keys: "), nullptr) << zone.error.text;
        EXPECT_STREQ(text, "");
        EXPECT_EQ(slm_zone_export(next, text, &next.error), SLM_OK) << next.error.text;
    }
}

TEST(ZoneExport, OfARelativePathIsRefusedInAnotherFolder)
{
    ZoneOptions all;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    options.segment.name = "relative";
    EXPECT_EQ(in_child([&] {
                  Zone zone;
                  char text[SLM_ZONE_EXPORT_BYTES];
                  bool is_made =
                      chdir(all.folder().path().c_str()) == 0 && zone.create(options) == SLM_OK;
                  bool is_written = slm_zone_export(zone, text, nullptr) == SLM_OK &&
                                    strcmp(text, "file:relative") == 0;
                  bool is_away = chdir("/") == 0;
                  return first_wrong({is_made, is_written, is_away,
                                      slm_zone_export(zone, text, nullptr) == SLM_E_MISSING,
                                      text[0] == '\0'});
              }),
              0);
}

TEST(ZoneImport, ReportsTextsThatAreNoExport)
{
    Holdings before;
    for (const char *text : {"", "memfd", "memfd:", "memfd:x", "memfd:5x", "memfd: 5", "memfd:+5",
                             "memfd:-1", "memfd:2147483648", "memfd:99999999999999999999", "sysv:",
                             "sysv:1 ", "posix:", "file:", "MEMFD:5", "zero:1", "anonymous"}) {
        slm_zone *zone = nullptr;
        slm_error error;
        EXPECT_EQ(slm_zone_import(&zone, text, nullptr, &error), SLM_E_OPTION) << text;
        EXPECT_EQ(error.status, SLM_E_OPTION);
        EXPECT_NE(strstr(error.text, text), nullptr) << error.text;
        EXPECT_EQ(zone, nullptr);
    }
    slm_zone *zone = nullptr;
    EXPECT_EQ(slm_zone_import(nullptr, "sysv:1", nullptr, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_zone_import(&zone, nullptr, nullptr, nullptr), SLM_E_NULL);
    EXPECT_EQ(Holdings(), before);
}

TEST(ZoneImport, ReportsAMissingAndAnotherZone)
{
    ZoneOptions all;
    Zone zone, other;
    slm_zone_attach_options options{};
    slm_error error;
    EXPECT_EQ(slm_zone_import(&other.zone, "memfd:1000000", nullptr, &error), SLM_E_MISSING);
    EXPECT_EQ(slm_zone_import(&other.zone, "file:/nowhere/at/all", nullptr, &error), SLM_E_MISSING);
    ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_FILE)), SLM_OK);
    std::string text = "file:" + all.path(SLM_SEGMENT_FILE);
    options.name = "other";
    EXPECT_EQ(slm_zone_import(&other.zone, text.c_str(), &options, &error), SLM_E_NAME);
    EXPECT_NE(strstr(error.text, "other"), nullptr);
    EXPECT_EQ(slm_zone_import(&other.zone, text.c_str(), nullptr, &error), SLM_OK) << error.text;
}

TEST(ZoneImport, OfAZoneThatOthersMayWriteToNeedsTheOption)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        ZoneOptions all;
        Zone zone, other;
        char text[SLM_ZONE_EXPORT_BYTES];
        slm_zone_options options = all.of(kind);
        options.segment.mode = 0660;
        ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
        ASSERT_EQ(slm_zone_export(zone, text, nullptr), SLM_OK);
        EXPECT_EQ(slm_zone_import(&other.zone, text, nullptr, &other.error), SLM_E_ACCESS);
        slm_zone_attach_options asked{};
        asked.segment.mode = 0660;
        EXPECT_EQ(slm_zone_import(&other.zone, text, &asked, &other.error), SLM_OK)
            << other.error.text;
    }
}

/* On success import closes the inherited descriptor. On failure the descriptor stays open. */
TEST(ZoneImport, ClosesTheDescriptorOnceItSucceeds)
{
    ZoneOptions all;
    Zone zone, other;
    slm_zone_attach_options options{};
    ASSERT_EQ(zone.create(all.of(SLM_SEGMENT_MEMFD)), SLM_OK);
    int fd = dup(slm_segment_id(slm_zone_segment(zone)));
    std::string text = "memfd:" + std::to_string(fd);
    options.name = "other";
    EXPECT_EQ(slm_zone_import(&other.zone, text.c_str(), &options, &other.error), SLM_E_NAME);
    EXPECT_GE(fcntl(fd, F_GETFD), 0);
    EXPECT_EQ(slm_zone_import(&other.zone, text.c_str(), nullptr, &other.error), SLM_OK);
    EXPECT_LT(fcntl(fd, F_GETFD), 0);
    EXPECT_EQ(push_alone(other, 1), SLM_OK);
    EXPECT_NE(fcntl(slm_segment_id(slm_zone_segment(other)), F_GETFD) & FD_CLOEXEC, 0);
}

} // namespace
