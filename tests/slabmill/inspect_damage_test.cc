/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill inspect, on zones that are damaged or cut, and on files that are not zones. */
#include "tests/slabmill/inspect_fixture.h"

namespace {

using namespace inspecttest;

/* --- Damaged --- */

TEST_F(Inspect, NamesTheInvariantThatIsBroken)
{
    std::string path = Make();
    slm_slab *slab = slm_zone_slab(zone_);
    slab->header->n_runs++;
    EXPECT_TRUE(Has(Run({path}).out, "invariant 11 does not hold\n"));
    slab->header->n_runs--;
    slab->pages[0].word = 0;
    Done done = Run({path});
    EXPECT_EQ(done.status, 1);
    EXPECT_TRUE(Has(done.out, "invariant 2 does not hold\n")) << done.out;
    EXPECT_TRUE(Has(done.out, " with invalid words\n"));
    EXPECT_EQ(Python(Run({"--json", path}).out,
                     "look['broken'], look['sound'], look['pages']['damaged'] > 0"),
              "2 False True");
}

TEST_F(Inspect, ChecksWhatTheZoneChecks)
{
    std::string path = Make();
    std::mt19937_64 random(3);
    auto *bytes = reinterpret_cast<unsigned char *>(zone_->header) + ZONE_JOURNAL_OFFSET;
    size_t n_bytes = static_cast<size_t>(zone_->fixed.slab_offset) - ZONE_JOURNAL_OFFSET +
                     slm_zone_slab(zone_)->metadata_bytes;
    int n_broken = 0;
    std::string printed;
    std::ostringstream expected;
    for (int i = 0; i < 100; i++) {
        size_t at = random() % n_bytes;
        auto bit = static_cast<unsigned char>(1u << random() % 8);
        bytes[at] ^= bit;
        unsigned broken = slm_zone_check_locked(zone_);
        Done done = Run({"--json", path});
        EXPECT_EQ(done.status, broken == 0 ? 0 : 1) << "byte " << at;
        printed += done.out;
        expected << (i == 0 ? "" : " ") << broken;
        n_broken += broken != 0;
        bytes[at] ^= bit;
    }
    EXPECT_GT(n_broken, 0);
    /* A header that cannot be opened breaks the slab's first invariant, or the journal's. */
    EXPECT_EQ(Python(printed, "*[look['broken'] if look['is_open'] else own for look, own in "
                              "zip(looks, [" +
                                  std::regex_replace(expected.str(), std::regex(" "), ", ") +
                                  "])]"),
              expected.str());
}

TEST_F(Inspect, ShowsAZoneWhoseSlabCannotBeOpened)
{
    std::string path = Make();
    slm_zone_slab(zone_)->header->magic++;
    Done done = Run({path});
    EXPECT_EQ(done.status, 1);
    EXPECT_TRUE(Has(done.out, "\"keys\"")) << done.out;
    EXPECT_TRUE(Has(done.out, "its slab or journal cannot be opened: ")) << done.out;
    EXPECT_EQ(Python(Run({"--json", path}).out,
                     "look['is_open'], look['broken'], look['sound'], 'classes' in look"),
              "False None False False");
    done = Run({"--svg", Path("map.svg"), path});
    EXPECT_EQ(done.status, 2);
    EXPECT_TRUE(Has(done.err, "no map of a slab that cannot be opened")) << done.err;
}

TEST_F(Inspect, ReportsAFailedRepairAndOneThatWouldFail)
{
    std::string path = Make();
    zone_->header->lock.word = kRepair;
    slm_zone_slab(zone_)->pages[0].word = 0;
    Done done = Run({path});
    EXPECT_EQ(done.status, 1);
    EXPECT_TRUE(Has(done.out, "tried on a copy it FAILS")) << done.out;
    EXPECT_EQ(slm_zone_lock(zone_), SLM_E_BROKEN);
    done = Run({path});
    EXPECT_EQ(done.status, 1);
    EXPECT_TRUE(Has(done.out, "failed: every lock is refused")) << done.out;
}

TEST_F(Inspect, IsSafeOnZonesWithRandomContent)
{
    std::string path = Make();
    std::mt19937_64 random(9);
    slm_slab *slab = slm_zone_slab(zone_);
    auto *first = reinterpret_cast<uint64_t *>(slab->classes);
    size_t n_words = (slab->metadata_bytes - sizeof(slab_header)) / sizeof *first;
    auto *journal = reinterpret_cast<uint64_t *>(zone_->journal.log) + 2;
    std::string printed;
    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < n_words; i++) {
            uint64_t word = random();
            first[i] = word % 3 == 0 ? slab_word(SLAB_SPAN, word >> 8 & 63, word >> 16 & 3) : word;
        }
        for (size_t i = 0; i < 100; i++) {
            journal[i] = round % 2 == 0 ? random() : random() % 64;
        }
        zone_->header->lock.word = round % 3 == 0 ? kRepair : 0;
        Done done = Run({"--json", "--svg", Path("map.svg"), path});
        ASSERT_EQ(done.status, 1) << done.err;
        printed += done.out;
    }
    EXPECT_EQ(Python(printed, "{look['sound'] for look in looks}"), "{False}");
}

/* --- Not zones --- */

TEST_F(Inspect, ReportsUnfinishedZones)
{
    std::string path = Make();
    zone_->header->state = ZONE_MAKING;
    ExpectWrong({path}, path + ": still being made, or its maker died.*");
}

TEST_F(Inspect, ReportsDamagedHeaders)
{
    std::string path = Make();
    zone_fixed fixed = zone_->header->fixed;
    zone_->header->fixed.name[0]++;
    ExpectWrong({path}, path + ": its header is damaged: checksum [0-9a-f]+, expected [0-9a-f]+");
    zone_->header->fixed = fixed;
    zone_->header->fixed.version = 7;
    Reseal();
    ExpectWrong({path}, path + ": layout version 7, expected 1");
    zone_->header->fixed = fixed;
    zone_->header->fixed.slab_offset += 4096;
    Reseal();
    ExpectWrong({path}, path + ": sizes that do not fit each other: .*");
    zone_->header->fixed = fixed;
    Reseal();
    zone_->header->bytes += 4096;
    ExpectWrong({path}, path + ": sizes that do not fit each other: .*");
}

TEST_F(Inspect, WrongCallsAreAnsweredWithWhatWasExpected)
{
    std::string zone = Make();
    std::string text = Path("text");
    std::ofstream(text) << std::string(9000, 'x');
    std::ofstream(Path("empty"));
    Must(mkfifo(Path("fifo").c_str(), 0600) == 0, "mkfifo");
    ExpectWrong({}, "inspect: expected one file, found 0");
    ExpectWrong({zone, zone}, "inspect: expected one file, found 2");
    ExpectWrong({"--watch", "--svg", "x", zone}, "inspect: expected one of --watch and --svg");
    ExpectWrong({"--watch=0", zone}, "--watch 0: expected a number from 1 to 4294967294");
    ExpectWrong({Path("none")}, Path("none") + ": cannot be inspected: No such file or directory");
    ExpectWrong({Path("")}, Path("") + ": expected a zone's file, found a folder");
    ExpectWrong({Path("fifo")}, Path("fifo") + ": expected a zone's file, found a device or FIFO");
    ExpectWrong({"/dev/null"}, "/dev/null: expected a zone's file, found a device or FIFO");
    ExpectWrong({text}, text + ": not a zone: it begins with 7878787878787878, expected "
                               "656e6f7a6d6c7300");
    ExpectWrong({Path("empty")},
                Path("empty") + ": 0 bytes, too short for a zone: expected 65536 at least");
    ExpectWrong({"posix:a/b"}, "posix:a/b: expected posix:NAME, a name without a slash");
    ExpectWrong({"sysv:x"}, "sysv:x: expected sysv:ID, a number");
    ExpectWrong({"sysv:2147483647"}, "sysv:2147483647: cannot be inspected: No such file or .*");
    ExpectWrong({"memfd:1:x"}, "memfd:1:x: expected memfd:PID:FD, two numbers");
    ExpectWrong({"memfd:999"}, "memfd:999: cannot be inspected: No such file or directory");
}

/* --- Cut --- */

TEST_F(Inspect, CutFilesAreErrorsAndNotSignals)
{
    std::string whole = ReadFile(Make());
    for (size_t n_bytes :
         {size_t{100}, size_t{4096}, size_t{20480}, size_t{100000}, kBytes - 4096}) {
        std::string path = Path("cut");
        std::ofstream(path, std::ios::binary) << whole.substr(0, n_bytes);
        ExpectWrong({path}, path + ": " + std::to_string(n_bytes) + " bytes, .*expected .*");
    }
}

TEST_F(Inspect, FileThatIsCutDuringTheReadIsAnErrorAndNotASignal)
{
    std::string path = Make();
    std::string whole = ReadFile(path);
    Child cutter([&](const Child &self) {
        int fd = open(path.c_str(), O_RDWR);
        self.Begun();
        for (size_t i = 0;; i++) {
            Must(ftruncate(fd, static_cast<off_t>(i * 4096 % kBytes)) == 0, "ftruncate");
            Must(pwrite(fd, whole.data(), whole.size(), 0) == ssize_t{kBytes}, "pwrite");
        }
    });
    for (int i = 0; i < 200; i++) {
        Done done = Run({path});
        ASSERT_GE(done.status, 0) << done.err;
        EXPECT_TRUE(done.status != 2 || Has(done.err, path)) << done.err;
    }
}

} /* namespace */
