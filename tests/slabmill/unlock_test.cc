/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill unlock, run by its command line on zones that no other process locks. */
#include <sys/shm.h>

#include "tests/slabmill/inspect_fixture.h"

namespace {

using namespace inspecttest;

class Unlock : public Inspect {
  protected:
    Done Command(std::vector<std::string> args) const
    {
        args.insert(args.begin(), {kCommand, "unlock"});
        return RunCommand(args);
    }

    void Leave()
    {
        slm_zone_detach(zone_);
        zone_ = nullptr;
    }

    /* A transaction that its locker left open. The word names this process, which lives. */
    void LeaveOpen()
    {
        uint64_t *object = static_cast<uint64_t *>(slm_zone_calloc(zone_, 64, nullptr));
        Child([&](const Child &self) {
            if (slm_zone_lock(zone_) == SLM_OK) {
                (void)slm_journal_write(slm_zone_journal(zone_), object, 7);
            }
            self.Die();
        }).Wait();
        zone_->header->lock.word = slm_lock_self();
        object_ = object;
    }

    void ExpectUnlocked(const std::string &zone)
    {
        Done done = Command({zone});
        EXPECT_EQ(done.status, 0) << done.err;
        EXPECT_TRUE(Has(done.out, "zone      \"keys\"\nlock      robust: thread ")) << done.out;
        EXPECT_TRUE(Has(done.out, " had it, which lives")) << done.out;
        EXPECT_TRUE(Has(done.out, "unlocked  and repaired: a transaction was undone\n"));
        EXPECT_TRUE(Has(done.out, "check     every invariant holds\n"));
        EXPECT_EQ(done.err, "slabmill: zone keys: repaired\n");
    }

    /* The zone's name is enough: no process has it. */
    void ExpectUnlockedByName(const std::string &zone)
    {
        LeaveOpen();
        Leave();
        ExpectUnlocked(zone);
        EXPECT_TRUE(Has(Command({zone}).out, "was not held\nunlocked  no repair was due")) << zone;
    }

    /* The segment is there as long as this process has it. */
    void ExpectUnlockedById(const std::string &zone)
    {
        LeaveOpen();
        ExpectUnlocked(zone);
        EXPECT_EQ(zone_->header->lock.word, 0u);
        EXPECT_EQ(*object_, 0u);
        EXPECT_EQ(slm_zone_lock(zone_), SLM_OK);
        EXPECT_EQ(slm_zone_unlock(zone_), SLM_OK);
    }

    uint64_t *object_ = nullptr;
};

TEST_F(Unlock, FreesTheLockOfALivingThreadAndUndoesItsTransaction)
{
    std::string path = Make();
    ExpectUnlockedByName(path);
    ExpectUnlockedByName("file:" + Make(Options(), "second"));
}

TEST_F(Unlock, FindsZonesOfEachKind)
{
    std::string name = "unlock_test_" + std::to_string(getpid());
    slm_zone_options options = Options();
    options.segment.kind = SLM_SEGMENT_POSIX;
    options.segment.name = name.c_str();
    for (const char *prefix : {"posix:", "posix:/dev/shm/"}) {
        ASSERT_EQ(slm_zone_create(&zone_, &options, nullptr), SLM_OK);
        ExpectUnlockedByName(prefix + name);
        ASSERT_EQ(unlink(("/dev/shm/" + name).c_str()), 0);
    }
    for (slm_segment_kind kind : {SLM_SEGMENT_SYSV, SLM_SEGMENT_MEMFD}) {
        Leave();
        options.segment.kind = kind;
        options.segment.name = nullptr;
        ASSERT_EQ(slm_zone_create(&zone_, &options, nullptr), SLM_OK);
        std::string id = std::to_string(slm_segment_id(slm_zone_segment(zone_)));
        ExpectUnlockedById(kind == SLM_SEGMENT_SYSV
                               ? "sysv:" + id
                               : "memfd:" + std::to_string(getpid()) + ":" + id);
    }
}

TEST_F(Unlock, RefusesAFileThatAnotherProcessHas)
{
    std::string path = Make();
    if (slm_segment_check_unused(slm_zone_segment(zone_), nullptr) == SLM_E_STATE) {
        GTEST_SKIP() << "the system does not show which processes have a file";
    }
    zone_->header->lock.word = slm_lock_self();
    Done done = Command({path});
    EXPECT_EQ(done.status, 2) << done.out;
    EXPECT_TRUE(Has(done.err, path)) << done.err;
    EXPECT_EQ(done.out, "");
    EXPECT_EQ(zone_->header->lock.word, slm_lock_self());
}

TEST_F(Unlock, SaysThatNothingWasToBeDone)
{
    std::string path = Make();
    Leave();
    Done done = Command({path});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(done.out, "zone      \"keys\"\nlock      robust: was not held\n"
                        "unlocked  no repair was due\ncheck     every invariant holds\n");
}

TEST_F(Unlock, NamesOfAnyBytesHaveNoEffectOnATerminal)
{
    std::string path = Make(Options("k\x1b[2J\xff"));
    LeaveOpen();
    Leave();
    Done done = Command({path});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_TRUE(Has(done.out, R"(zone      "k\x1b[2J\xff")")) << done.out;
    EXPECT_EQ(done.err, R"(slabmill: zone k\x1b[2J\xff: repaired)"
                        "\n");
}

TEST_F(Unlock, NeedsTheLockFileOfALockOfTheFileKind)
{
    slm_zone_options options = Options();
    std::string lock = Path("lock");
    options.lock_kind = SLM_LOCK_FILE;
    options.lock_path = lock.c_str();
    std::string path = Make(options);
    zone_->header->lock.word = slm_lock_self();
    Leave();
    Done done = Command({path});
    EXPECT_EQ(done.status, 2);
    EXPECT_TRUE(Has(done.err, "kind FILE needs one")) << done.err;
    EXPECT_EQ(unlink(lock.c_str()), 0);
    done = Command({"--lock", lock, path});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_TRUE(Has(done.out, "unlocked  and repaired")) << done.out;
}

TEST_F(Unlock, TakesAZoneOfAnotherNamespaceAndSaysWhatIsNotKnown)
{
    std::string path = Make();
    uint64_t namespaces = zone_->header->lock.namespaces;
    zone_->header->lock.namespaces ^= 1;
    zone_->header->lock.word = slm_lock_self();
    Leave();
    Done done = Command({path});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_TRUE(Has(done.out, "may live: its thread id is of another pid namespace")) << done.out;
    zone_ = Open(path);
    EXPECT_EQ(zone_->header->lock.namespaces, namespaces);
}

TEST_F(Unlock, ReportsAZoneThatIsBrokenOrNone)
{
    std::string path = Make();
    EXPECT_EQ(Command({Path("none")}).status, 2);
    std::ofstream(Path("text")) << "no zone";
    EXPECT_EQ(chmod(Path("text").c_str(), 0600), 0);
    EXPECT_EQ(Command({Path("text")}).status, 2);
    EXPECT_EQ(Command({}).status, 2);
    EXPECT_EQ(Command({path, path}).status, 2);
    zone_->header->lock.word = kRepair;
    slm_zone_slab(zone_)->pages[0].word = 0;
    Leave();
    Done done = Command({path});
    EXPECT_EQ(done.status, 1) << done.out;
    EXPECT_TRUE(Has(done.out, "the repair FAILED")) << done.out;
    EXPECT_EQ(Command({path}).status, 2);
}

} // namespace
