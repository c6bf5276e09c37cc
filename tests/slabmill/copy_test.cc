/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill copy, run by its command line on zones that other processes use. */
#include "tests/slabmill/inspect_fixture.h"

namespace {

using namespace inspecttest;

class Copy : public Inspect {
  protected:
    Done Command(std::vector<std::string> args) const
    {
        args.insert(args.begin(), {kCommand, "copy"});
        return RunCommand(args);
    }

    /* Two words that always are the same. */
    void MakePair()
    {
        ASSERT_EQ(slm_zone_lock(zone_), SLM_OK);
        auto *pair = static_cast<uint64_t *>(slm_journal_calloc(slm_zone_journal(zone_), 5000));
        ASSERT_EQ(slm_zone_set_root_locked(zone_, pair), SLM_OK);
        ASSERT_EQ(slm_zone_end(zone_, SLM_OK), SLM_OK);
    }

    static void Work(slm_zone *zone)
    {
        if (slm_zone_lock(zone) != SLM_OK) {
            abort();
        }
        auto *pair = static_cast<uint64_t *>(slm_zone_root_locked(zone));
        slm_journal_write(slm_zone_journal(zone), &pair[0], pair[0] + 1);
        slm_journal_write(slm_zone_journal(zone), &pair[600], pair[600] + 1);
        if (slm_zone_end(zone, SLM_OK) != SLM_OK) {
            abort();
        }
    }

    /* Copies, and looks at what the copy has. */
    void ExpectCopied(const std::vector<std::string> &args, const slm_segment_options &segment)
    {
        Done done = Command(args);
        EXPECT_EQ(done.status, 0) << done.err;
        EXPECT_EQ(done.err, "");
        EXPECT_TRUE(std::regex_match(done.out, std::regex("zone      \"keys\"\n"
                                                          "copy      " +
                                                          args.back() +
                                                          ": 1048576 bytes, every invariant holds\n"
                                                          "lock      taken [0-9]+ times, for [0-9]+"
                                                          " bytes at most\n")))
            << done.out;
        slm_zone_attach_options attach{};
        attach.segment = segment;
        attach.check = true;
        std::string lock = Path("lock");
        attach.lock_path = lock.c_str();
        slm_zone *copy = nullptr;
        slm_error error;
        ASSERT_EQ(slm_zone_attach(&copy, &attach, &error), SLM_OK) << error.text;
        auto *pair = static_cast<const uint64_t *>(slm_zone_root_locked(copy));
        ASSERT_NE(pair, nullptr);
        EXPECT_EQ(pair[0], pair[600]);
        slm_zone_detach(copy);
        EXPECT_EQ(slm_segment_remove(&segment, nullptr), SLM_OK);
    }
    void ExpectRefused(const std::vector<std::string> &args, const std::string &message) const
    {
        ExpectRefusal(Command(args), message);
    }
    slm_segment_options File(const std::string &path) const
    {
        slm_segment_options segment{};
        segment.kind = SLM_SEGMENT_FILE;
        segment.name = path.c_str();
        return segment;
    }
};

TEST_F(Copy, IsOfOneMomentWhileAnotherProcessWorks)
{
    std::string path = Make();
    std::string copy = Path("copy");
    MakePair();
    Child worker([&](const Child &self) {
        self.Begun();
        for (;;) {
            Work(zone_);
        }
    });
    for (int i = 0; i < 10; i++) {
        ExpectCopied({path, copy}, File(copy));
    }
}

TEST_F(Copy, FindsZonesOfEachKindAndWritesFilesAndPosixSegments)
{
    std::string name = "copy_test_" + std::to_string(getpid());
    std::string copy = Path("copy");
    slm_segment_options posix{};
    posix.kind = SLM_SEGMENT_POSIX;
    posix.name = name.c_str();
    std::string path = Make();
    MakePair();
    for (const char *prefix : {"posix:", "posix:/", "posix:/dev/shm/"}) {
        ExpectCopied({"file:" + path, prefix + name}, posix);
    }
    for (slm_segment_kind kind : {SLM_SEGMENT_SYSV, SLM_SEGMENT_MEMFD}) {
        slm_zone_detach(zone_);
        slm_zone_options options = Options();
        options.segment.kind = kind;
        options.segment.name = nullptr;
        ASSERT_EQ(slm_zone_create(&zone_, &options, nullptr), SLM_OK);
        MakePair();
        std::string id = std::to_string(slm_segment_id(slm_zone_segment(zone_)));
        std::string zone = kind == SLM_SEGMENT_SYSV
                               ? "sysv:" + id
                               : "memfd:" + std::to_string(getpid()) + ":" + id;
        ExpectCopied({zone, copy}, File(copy));
    }
}

TEST_F(Copy, NeedsTheLockFileOfALockOfTheFileKind)
{
    slm_zone_options options = Options();
    std::string lock = Path("lock");
    std::string copy = Path("copy");
    options.lock_kind = SLM_LOCK_FILE;
    options.lock_path = lock.c_str();
    std::string path = Make(options);
    MakePair();
    Done done = Command({path, copy});
    EXPECT_EQ(done.status, 2);
    EXPECT_TRUE(Has(done.err, "kind FILE needs one")) << done.err;
    ExpectCopied({"--lock", lock, path, copy}, File(copy));
}

TEST_F(Copy, PathsOfAnyBytesAreEscaped)
{
    std::string path = Make();
    Done done = Command({path, Path("a\n\x1b[2J")});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_TRUE(Has(done.out, "copy      " + Path(R"(a\x0a\x1b[2J)") + ": ")) << done.out;
    std::string longest = Path(std::string(255, 'n'));
    done = Command({path, longest});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_TRUE(Has(done.out, "copy      " + longest + ": ")) << done.out;
}

TEST_F(Copy, LeavesNothingWhereItRefuses)
{
    std::string path = Make();
    std::string copy = Path("copy");
    ExpectRefused({path, path}, ".*" + path + ": cannot .*");
    ExpectRefused({path, Path("none/copy")}, ".*" + Path("none/copy") + ".*");
    ExpectRefused({Path("none"), copy}, ".*" + Path("none") + ".*");
    ExpectRefused({path, "sysv:7"}, "sysv:7: a copy is a path, file:PATH or posix:NAME");
    ExpectRefused({path, "memfd:7"}, "memfd:7: a copy is a path, file:PATH or posix:NAME");
    ExpectRefused({path, "posix:"}, "posix:: a copy is a path, file:PATH or posix:NAME");
    ExpectRefused({path, "posix:a/b"}, "posix:a/b: a copy is a path, file:PATH or posix:NAME");
    EXPECT_EQ(Command({path}).status, 2);
    EXPECT_EQ(Command({path, copy, copy}).status, 2);
    std::ofstream(Path("text")) << "no zone";
    EXPECT_EQ(chmod(Path("text").c_str(), 0600), 0);
    EXPECT_EQ(Command({Path("text"), copy}).status, 2);
    EXPECT_EQ(access(copy.c_str(), F_OK), -1);
    EXPECT_EQ(zone_->header->state, static_cast<uint64_t>(ZONE_READY));
}

/* Stopped under the lock, and stopped while it makes a copy itself. */
TEST_F(Copy, NextToAStoppedProcessEndsAndNamesIt)
{
    std::string path = Make();
    std::string copy = Path("copy");
    Child holder([&](const Child &self) {
        Must(slm_zone_lock(zone_) == SLM_OK, "lock");
        self.Stay();
    });
    std::string thread = "thread " + std::to_string(holder.pid());
    ASSERT_EQ(kill(holder.pid(), SIGSTOP), 0);
    ExpectRefused({path, copy}, "zone keys: " + thread + " held its lock for too long");
    ASSERT_EQ(kill(holder.pid(), SIGKILL), 0);
    Child copier([&](const Child &self) {
        Must(slm_zone_lock(zone_) == SLM_OK, "lock");
        Must(slm_zone_begin_copy(zone_, nullptr) == SLM_OK, "begin a copy");
        Must(slm_zone_unlock(zone_) == SLM_OK, "unlock");
        self.Stay();
    });
    thread = "thread " + std::to_string(copier.pid());
    ASSERT_EQ(kill(copier.pid(), SIGSTOP), 0);
    ExpectRefused({path, copy}, "zone keys: " + thread + " makes a copy of it");
    EXPECT_EQ(access(copy.c_str(), F_OK), -1);
}

/* Only the zone's program can check the content of a file that was copied while it was in use. */
TEST_F(Copy, OfAFileThatCpCopiedIsRefusedUntilItsProgramHasLockedIt)
{
    std::string path = Make();
    std::string torn = Path("torn");
    std::string copy = Path("copy");
    MakePair();
    ASSERT_EQ(system(("cp " + path + " " + torn).c_str()), 0);
    ExpectRefused({torn, copy}, "zone keys was in use when .*its own program must lock it first.*");
    EXPECT_EQ(access(copy.c_str(), F_OK), -1);
    slm_zone_attach_options attach{};
    attach.segment = File(torn);
    slm_zone *own = nullptr;
    ASSERT_EQ(slm_zone_attach(&own, &attach, nullptr), SLM_OK);
    EXPECT_EQ(slm_zone_lock(own), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(own), SLM_OK);
    ExpectCopied({torn, copy}, File(copy));
    slm_zone_detach(own);
}

TEST_F(Copy, ReportsAZoneThatIsBroken)
{
    std::string path = Make();
    std::string copy = Path("copy");
    zone_->slab->pages[0].word = 0;
    Done done = Command({path, copy});
    EXPECT_EQ(done.status, 1) << done.out;
    EXPECT_TRUE(Has(done.err, "damaged")) << done.err;
    zone_->header->state = ZONE_BROKEN;
    EXPECT_EQ(Command({path, copy}).status, 1);
    EXPECT_EQ(access(copy.c_str(), F_OK), -1);
}

/* A user who may only read a zone cannot take its lock. */
TEST_F(Copy, OfAZoneOfAnotherUserIsRefusedInWords)
{
    std::string path = Make();
    if (geteuid() != 0) {
        GTEST_SKIP() << "needs root, to give a file to another user";
    }
    ASSERT_EQ(chown(path.c_str(), 65534, 65534), 0);
    ASSERT_EQ(chmod(path.c_str(), 0644), 0);
    ExpectRefused({path, Path("copy")}, path + ".*belongs to user 65534.*");
    EXPECT_EQ(access(Path("copy").c_str(), F_OK), -1);
}

} // namespace
