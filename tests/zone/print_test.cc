/* SPDX-License-Identifier: Apache-2.0 */
/* slm_zone_print: its figures, its lock, and what it does without one. */
#include "tests/zone/fixture.h"

#include <cstdio>
#include <memory>
#include <string>

extern "C" {
#include "allocator/slab/view.h"
}

using namespace slm_test;

namespace {

/* The printed text; *status is what the call returned. */
std::string printed(slm_zone *zone, slm_status *status)
{
    char *text = nullptr;
    size_t n_bytes = 0;
    FILE *file = open_memstream(&text, &n_bytes);
    *status = slm_zone_print(zone, file);
    (void)fclose(file);
    std::string copy(text, n_bytes);
    free(text);
    return copy;
}

class ZonePrint : public testing::Test {
  protected:
    void make(const char *name = "keys", slm_lock_kind lock = SLM_LOCK_ROBUST)
    {
        slm_zone_options options = all.of(SLM_SEGMENT_MEMFD, lock);
        options.name = name;
        ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    }
    void expect(const char *line)
    {
        slm_status status;
        std::string text = printed(zone, &status);
        EXPECT_EQ(status, SLM_OK);
        EXPECT_NE(text.find(line), std::string::npos) << text << "has no line: " << line;
    }

    ZoneOptions all;
    Zone zone;
};

TEST_F(ZonePrint, ShowsNameSizesAndThatEveryInvariantHolds)
{
    make();
    expect("zone      \"keys\", tag \"test v1\", in \"");
    expect("\nsize      262144 bytes, may grow to 1048576; content version 0\n");
    expect("\nlock      robust; 0 sleeps, 0 deaths so far\n");
    expect("\njournal   0 of 256 entries noted\n");
    expect("\nrepairs   0 so far: 0 undid a transaction, 0 finished a commit\n");
    expect("\ncheck     every invariant holds\n");
}

TEST_F(ZonePrint, ShowsObjectsByClassAndRunsOfPages)
{
    make();
    for (int i = 0; i < 5; i++) {
        ASSERT_NE(slm_zone_alloc(zone, 100, nullptr), nullptr);
    }
    ASSERT_NE(slm_zone_alloc(zone, 3 * 4096, nullptr), nullptr);
    EXPECT_EQ(slm_zone_alloc(zone, 1 << 20, nullptr), nullptr);
    expect(": 1 in spans (0 kept empty), 3 in 1 runs, ");
    expect("\nin use    12928 of ");
    expect("\n       128       1         32          5  15.6%            5         0\n");
    expect("\nwhole pages                             1                   2         1\n");
    expect(" pages in 1 run, the longest of ");
}

TEST_F(ZonePrint, ShowsADeathAndItsRepair)
{
    make();
    EXPECT_EQ(in_child([&] {
                  EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
                  (void)slm_journal_calloc(zone.journal(), 8);
                  raise(SIGKILL);
                  return 0;
              }),
              128 + SIGKILL);
    expect(" 1 deaths so far\n");
    expect("\nrepairs   1 so far: 1 undid a transaction, 0 finished a commit\n");
}

TEST_F(ZonePrint, TakesTheLockAndReleasesIt)
{
    for (slm_lock_kind kind : kEveryLock) {
        ZoneOptions options;
        Zone one;
        ASSERT_EQ(one.create(options.of(SLM_SEGMENT_MEMFD, kind)), SLM_OK) << one.error.text;
        slm_status status;
        EXPECT_FALSE(printed(one, &status).empty());
        EXPECT_EQ(status, SLM_OK);
        EXPECT_EQ(slm_zone_trylock(one), SLM_OK) << kind;
        EXPECT_EQ(slm_zone_unlock(one), SLM_OK);
    }
}

TEST_F(ZonePrint, OfAHolderShowsItsTransactionAndLeavesItOpen)
{
    make();
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_NE(slm_journal_calloc(zone.journal(), 8), nullptr);
    expect("\njournal   1 of 256 entries noted\n");
    EXPECT_TRUE(slm_journal_is_dirty(zone.journal()));
    slm_zone_abort_locked(zone);
    expect("\njournal   0 of 256 entries noted\n");
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
}

TEST_F(ZonePrint, OfAReadOnlyHandleTakesNoLockAndSeesGrowth)
{
    make();
    Zone reader;
    slm_zone_attach_options options = all.to_attach(zone);
    options.segment.read_only = true;
    ASSERT_EQ(reader.attach(options), SLM_OK) << reader.error.text;
    ASSERT_EQ(slm_zone_grow(zone, kZoneMaxBytes, nullptr), SLM_OK);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    slm_status status;
    std::string text = printed(reader, &status);
    EXPECT_EQ(status, SLM_OK);
    EXPECT_NE(text.find("\nsize      1048576 bytes, "), std::string::npos) << text;
    EXPECT_NE(text.find("every invariant holds"), std::string::npos) << text;
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
}

TEST_F(ZonePrint, ShowsControlCharactersOfANameAsQuestionMarks)
{
    make("a\033[2J\nb\x7f");
    expect("zone      \"a?[2J?b?\", tag ");
}

TEST_F(ZonePrint, OfAZoneThatIsBrokenPrintsNothing)
{
    make();
    zone.header()->state = ZONE_BROKEN;
    slm_status status;
    EXPECT_EQ(printed(zone, &status), "");
    EXPECT_EQ(status, SLM_E_BROKEN);
}

TEST_F(ZonePrint, ShowsTheInvariantThatDoesNotHold)
{
    make();
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    zone.zone->slab->header->n_free_pages--;
    slm_status status;
    std::string text = printed(zone, &status);
    zone.zone->slab->header->n_free_pages++;
    EXPECT_NE(text.find("\ncheck     invariant "), std::string::npos) << text;
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
}

TEST_F(ZonePrint, ToAFileThatTakesNothingIsAnErrorOfTheSystem)
{
    make();
    std::unique_ptr<FILE, int (*)(FILE *)> full(fopen("/dev/full", "w"), fclose);
    ASSERT_NE(full, nullptr);
    EXPECT_EQ(slm_zone_print(zone, full.get()), SLM_E_IO);
    EXPECT_EQ(slm_zone_trylock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
}

} // namespace
