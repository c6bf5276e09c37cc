/* SPDX-License-Identifier: Apache-2.0 */
/* Leases: taken and given back, by workers that live, leave or die. */
#include "tests/lease/fixture.h"
#include "tests/segment/hooks.h"

namespace {

using namespace slm_test;

class Lease : public LeaseTest {};

TEST_F(Lease, CountIsTheNumberOfLeasesThatWereNotGivenBack)
{
    slm_lease first = must_take(&top->a);
    slm_lease second = must_take(&top->a);
    must_take(&top->b);
    EXPECT_EQ(slm_lease_n(&top->a), 2u);
    EXPECT_EQ(slm_lease_n(&top->b), 1u);
    EXPECT_EQ(slm_lease_n_all_locked(&top->book), 3u);
    slm_lease_count *count = nullptr;
    EXPECT_EQ(slm_lease_give_locked(zone, &top->book, &worker, &first, &count), SLM_OK);
    EXPECT_EQ(count, &top->a);
    commit();
    EXPECT_EQ(slm_lease_n(&top->a), 1u);
    EXPECT_EQ(give(second), SLM_OK);
    EXPECT_EQ(slm_lease_n(&top->a), 0u);
}

TEST_F(Lease, AbortUndoesTakeAndGive)
{
    slm_lease kept = must_take(&top->a);
    ASSERT_EQ(give(kept), SLM_OK);
    ASSERT_EQ(take(&top->b), SLM_OK);
    slm_zone_abort_locked(zone);
    EXPECT_EQ(slm_lease_n(&top->a), 1u);
    EXPECT_EQ(slm_lease_n(&top->b), 0u);
    EXPECT_EQ(give(lease), SLM_E_NOT_MEMBER);
    EXPECT_EQ(give(kept), SLM_OK);
}

TEST_F(Lease, LeaseCanBeGivenBackOnlyOnceEvenIfItsMemoryIsUsedAgain)
{
    slm_lease old = must_take(&top->a);
    ASSERT_EQ(give(old), SLM_OK);
    EXPECT_EQ(give(old), SLM_E_NOT_MEMBER);
    commit();
    EXPECT_EQ(give(old), SLM_E_NOT_MEMBER);
    slm_lease again = must_take(&top->a);
    for (unsigned i = 0; i < 10000 && again.offset != old.offset; i++) {
        ASSERT_EQ(give(again), SLM_OK);
        again = must_take(&top->a);
    }
    ASSERT_EQ(again.offset, old.offset) << "the memory is used again, sooner or later";
    EXPECT_EQ(give(old), SLM_E_NOT_MEMBER);
    EXPECT_EQ(slm_lease_n(&top->a), 1u);
}

/* While a copy of the zone is made, and in a turn that has grown it. */
TEST_F(Lease, IsGivenBackByAHandleThatHasToLookAtTheZonesLengthAgain)
{
    slm_lease mine = must_take(&top->a);
    static_cast<slm_zone *>(zone)->seen_bytes = 0;
    EXPECT_EQ(give(mine), SLM_OK);
    EXPECT_EQ(slm_lease_n(&top->a), 0u);
}

TEST_F(Lease, WrongLeasesAndWorkersAreRefusedAndChangeNothing)
{
    slm_lease mine = must_take(&top->a);
    for (uint64_t offset : {uint64_t{0}, mine.offset + 8, uint64_t{1} << 40, uint64_t{4096}}) {
        EXPECT_EQ(give({offset, mine.serial}), SLM_E_NOT_MEMBER);
    }
    EXPECT_EQ(give({mine.offset, mine.serial + 1}), SLM_E_NOT_MEMBER);
    for (uint32_t idx : {worker.slot_idx + 1, kWorkers, UINT32_MAX}) {
        slm_lease_worker other = {idx};
        EXPECT_FALSE(slm_lease_is_mine_locked(&top->book, &other));
        EXPECT_EQ(slm_lease_give_locked(zone, &top->book, &other, &mine, nullptr), SLM_E_OWNER);
        EXPECT_EQ(slm_lease_take_locked(zone, &top->book, &other, &top->a, &lease), SLM_E_OWNER);
        EXPECT_EQ(slm_lease_leave_locked(zone, &top->book, nullptr, nullptr, &other), SLM_E_OWNER);
    }
    EXPECT_FALSE(slm_journal_is_dirty(zone.journal()));
    EXPECT_EQ(slm_lease_n(&top->a), 1u);
}

/* The reason that a caller cannot change comes before those that it can. */
TEST_F(Lease, ReadOnlyHandleRefusesWorkersAndStrangersAlike)
{
    slm_lease mine = must_take(&top->a);
    Zone reader;
    slm_zone_attach_options options = {};
    options.segment.kind = SLM_SEGMENT_MEMFD;
    options.segment.id = slm_segment_id(slm_zone_segment(zone));
    options.segment.read_only = true;
    ASSERT_EQ(reader.attach(options), SLM_OK) << reader.error.text;
    auto *there = static_cast<Top *>(slm_zone_root_locked(reader));
    slm_lease_worker none = {kWorkers};
    slm_lease unknown = {mine.offset, mine.serial + 1};
    for (slm_lease_worker caller : {worker, none}) {
        EXPECT_EQ(slm_lease_give_locked(reader, &there->book, &caller, &unknown, nullptr),
                  SLM_E_READ_ONLY);
        EXPECT_EQ(slm_lease_take_locked(reader, &there->book, &caller, &there->a, &lease),
                  SLM_E_READ_ONLY);
        EXPECT_EQ(slm_lease_give_locked(reader, &there->book, &caller, &mine, nullptr),
                  SLM_E_READ_ONLY);
        EXPECT_EQ(slm_lease_leave_locked(reader, &there->book, nullptr, nullptr, &caller),
                  SLM_E_READ_ONLY);
        EXPECT_EQ(slm_lease_join_locked(reader, &there->book, nullptr, nullptr, &caller),
                  SLM_E_READ_ONLY);
    }
    EXPECT_EQ(slm_lease_init_locked(reader, &there->book, 1), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_lease_init_locked(reader, &there->book, 0), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_lease_reclaim_locked(reader, &there->book, nullptr, nullptr, nullptr),
              SLM_E_READ_ONLY);
    EXPECT_EQ(slm_lease_n(&there->a), 1u);
    EXPECT_EQ(give(mine), SLM_OK);
}

TEST_F(Lease, ThreadIsAWorkerOfItsOwn)
{
    slm_lease mine = must_take(&top->a);
    slm_lease_worker here = worker;
    in_thread([&] {
        EXPECT_FALSE(slm_lease_is_mine_locked(&top->book, &here));
        EXPECT_EQ(give(mine), SLM_E_OWNER);
        ASSERT_EQ(join(), SLM_OK);
        EXPECT_NE(worker.slot_idx, here.slot_idx);
        EXPECT_EQ(join(), SLM_E_DUPLICATE);
        EXPECT_EQ(give(mine), SLM_E_NOT_MEMBER) << "another worker's";
        EXPECT_EQ(slm_lease_leave_locked(zone, &top->book, nullptr, nullptr, &worker), SLM_OK);
    });
    worker = here;
    EXPECT_EQ(join(), SLM_E_DUPLICATE);
    EXPECT_EQ(slm_lease_n_workers_locked(&top->book), 1u);
    EXPECT_EQ(give(mine), SLM_OK);
}

TEST_F(Lease, LeavingGivesAllBackAndFreesTheSlot)
{
    for (unsigned i = 0; i < 20; i++) {
        must_take(i % 3 == 0 ? &top->a : &top->b);
    }
    EXPECT_EQ(slm_lease_leave_locked(zone, &top->book, nullptr, nullptr, &worker), SLM_OK);
    EXPECT_EQ(slm_lease_n(&top->a) + slm_lease_n(&top->b), 0u);
    EXPECT_EQ(slm_lease_n_workers_locked(&top->book), 0u);
    EXPECT_EQ(top->book.n_reclaimed, 0u) << "no worker died";
    EXPECT_EQ(take(&top->a), SLM_E_OWNER);
    EXPECT_EQ(slm_lease_leave_locked(zone, &top->book, nullptr, nullptr, &worker), SLM_E_OWNER);
}

/* --- Deaths --- */

TEST_F(Lease, ReclaimGivesBackWhatDeadWorkersHaveAndNothingElse)
{
    must_take(&top->a);
    die_with(&top->a, 3);
    EXPECT_EQ(slm_lease_n(&top->a), 4u) << "no call has looked for dead workers yet";
    EXPECT_EQ(slm_lease_n_workers_locked(&top->book), 2u);
    EXPECT_EQ(reclaim(), 3u);
    EXPECT_EQ(slm_lease_n(&top->a), 1u);
    EXPECT_EQ(slm_lease_n_workers_locked(&top->book), 1u);
    EXPECT_EQ(top->book.n_reclaimed, 3u);
    EXPECT_EQ(reclaim(), 0u);
}

TEST_F(Lease, JoiningWorkerReclaimsToo)
{
    for (uint32_t i = 1; i < kWorkers; i++) {
        die_with(&top->b, 2);
        EXPECT_EQ(slm_lease_n(&top->b), 2u) << "those of the one before came back";
    }
    in_thread([&] { EXPECT_EQ(join(), SLM_OK); });
    EXPECT_EQ(slm_lease_n(&top->b), 0u);
}

TEST_F(Lease, BookThatIsFullOfLivingWorkersHasNoSpace)
{
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
    std::vector<int> ends;
    std::vector<pid_t> children;
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    for (uint32_t i = 1; i < kWorkers; i++) {
        pid_t child = fork();
        if (child == 0) {
            bool is_in = slm_zone_lock(zone) == SLM_OK && join() == SLM_OK &&
                         slm_zone_unlock(zone) == SLM_OK;
            (void)!write(ready[1], is_in ? "y" : "n", 1);
            for (;;) {
                pause();
            }
        }
        children.push_back(child);
        char answer = 0;
        ASSERT_EQ(read(ready[0], &answer, 1), 1);
        EXPECT_EQ(answer, 'y');
    }
    slm_lease_worker more = {77};
    std::thread([&] {
        EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
        EXPECT_EQ(slm_lease_join_locked(zone, &top->book, nullptr, nullptr, &more), SLM_E_SPACE);
        EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    }).join();
    EXPECT_EQ(more.slot_idx, 77u);
    for (pid_t child : children) {
        kill(child, SIGKILL);
        EXPECT_EQ(waitpid(child, nullptr, 0), child);
    }
    close(ready[0]);
    close(ready[1]);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    in_thread([&] { EXPECT_EQ(join(), SLM_OK); });
}

/* The callback frees what has the count. */
struct Owner {
    slm_lease_count count;
    uint64_t is_there;
};

TEST_F(Lease, CallbackGetsEachCountAndMayFreeIt)
{
    auto *owner = static_cast<Owner *>(slm_journal_calloc(zone.journal(), sizeof(Owner)));
    ASSERT_NE(owner, nullptr);
    commit();
    die_with(&owner->count, 2);
    unsigned n_called = 0;
    std::pair<Owner *, unsigned *> data = {owner, &n_called};
    slm_lease_given *given = [](slm_zone *in, slm_lease_count *count, void *p) {
        auto *pair = static_cast<std::pair<Owner *, unsigned *> *>(p);
        EXPECT_EQ(count, &pair->first->count);
        ++*pair->second;
        if (slm_lease_n(count) == 0) {
            EXPECT_EQ(slm_journal_free(slm_zone_journal(in), pair->first), SLM_OK);
        }
    };
    size_t n = 0;
    EXPECT_EQ(slm_lease_reclaim_locked(zone, &top->book, given, &data, &n), SLM_OK);
    EXPECT_EQ(n, 2u);
    EXPECT_EQ(n_called, 2u);
    EXPECT_EQ(slm_slab_check_pointer_locked(slm_zone_slab(zone), owner), SLM_E_FREED);
}

TEST_F(Lease, CallbackThatBringsLeasesBackEndsTheCall)
{
    size_t n = 77;
    auto undo = [](slm_zone *in, slm_lease_count *, void *) { slm_zone_abort_locked(in); };
    std::function<void(slm_lease_count *)> take_one = [&](slm_lease_count *count) {
        EXPECT_EQ(take(count), SLM_OK);
    };
    auto take_again = [](slm_zone *, slm_lease_count *count, void *data) {
        (*static_cast<decltype(take_one) *>(data))(count);
    };
    die_with(&top->a, 3);
    EXPECT_EQ(slm_lease_reclaim_locked(zone, &top->book, undo, nullptr, &n), SLM_E_STATE);
    EXPECT_EQ(n, 0u);
    EXPECT_EQ(slm_lease_n(&top->a), 3u);
    must_take(&top->b);
    EXPECT_EQ(slm_lease_leave_locked(zone, &top->book, take_again, &take_one, &worker),
              SLM_E_STATE);
    EXPECT_EQ(slm_lease_n(&top->b), 1u);
    EXPECT_EQ(reclaim(), 3u);
}

TEST_F(Lease, DeathInTheMiddleOfAReclaimLeavesTheRestToTheNextCaller)
{
    die_with(&top->a, 5);
    in_killed_child(
        [&] {
            unsigned n_left = 3;
            slm_lease_given *given = [](slm_zone *, slm_lease_count *, void *p) {
                if (--*static_cast<unsigned *>(p) == 0) {
                    raise(SIGKILL);
                }
            };
            (void)slm_lease_reclaim_locked(zone, &top->book, given, &n_left, nullptr);
        },
        true);
    EXPECT_EQ(slm_lease_n(&top->a), 3u) << "two came back";
    EXPECT_EQ(check(), 0u);
    EXPECT_EQ(reclaim(), 3u);
}

TEST_F(Lease, DeathBeforeTheCommitTakesNothing)
{
    in_killed_child([&] { (void)(join() == SLM_OK && take(&top->a) == SLM_OK); }, true);
    EXPECT_EQ(slm_lease_n(&top->a), 0u);
    EXPECT_EQ(slm_lease_n_workers_locked(&top->book), 2u) << "it had joined";
    EXPECT_EQ(reclaim(), 0u);
    EXPECT_EQ(slm_lease_n_workers_locked(&top->book), 1u);
}

/* Of another boot, another container, or the zone that this one is a copy of: the identity may be
 * that of a thread which lives here. */
TEST_F(Lease, WorkerOfAnotherPlaceIsDead)
{
    must_take(&top->a);
    lease_slot(&top->book, worker.slot_idx)->place ^= 2;
    EXPECT_EQ(reclaim(), 1u);
    EXPECT_EQ(slm_lease_n(&top->a), 0u);
    EXPECT_EQ(join(), SLM_OK);
}

/* --- Refusals --- */

TEST_F(Lease, CallsThatCommitAreTheFirstChangeOfATurn)
{
    must_take(&top->a);
    ASSERT_EQ(take(&top->b), SLM_OK);
    size_t n = 5;
    EXPECT_EQ(slm_lease_reclaim_locked(zone, &top->book, nullptr, nullptr, &n), SLM_E_STATE);
    EXPECT_EQ(n, 0u);
    EXPECT_EQ(join(), SLM_E_STATE);
    EXPECT_EQ(slm_lease_leave_locked(zone, &top->book, nullptr, nullptr, &worker), SLM_E_STATE);
    slm_zone_abort_locked(zone);
    EXPECT_EQ(slm_lease_n(&top->b), 0u) << "nothing was committed";
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(slm_lease_reclaim_locked(zone, &top->book, nullptr, nullptr, nullptr), SLM_E_OWNER);
    EXPECT_EQ(join(), SLM_E_OWNER);
    EXPECT_EQ(slm_lease_leave_locked(zone, &top->book, nullptr, nullptr, &worker), SLM_E_OWNER);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
}

TEST_F(Lease, BookIsMadeOnceAndFitsItsObject)
{
    EXPECT_EQ(slm_lease_init_locked(zone, &top->book, kWorkers), SLM_E_STATE);
    auto *more = static_cast<slm_lease_book *>(
        slm_journal_calloc(zone.journal(), sizeof(slm_lease_book) + SLM_LEASE_SLOTS_BYTES(2u)));
    ASSERT_NE(more, nullptr);
    EXPECT_EQ(slm_lease_init_locked(zone, more, 0), SLM_E_SIZE);
    EXPECT_EQ(slm_lease_init_locked(zone, more, 1000), SLM_E_SIZE);
    EXPECT_EQ(slm_lease_init_locked(zone, more, SLM_LEASE_WORKERS_MAX + 1), SLM_E_SIZE);
    EXPECT_EQ(slm_lease_init_locked(zone, more, UINT32_MAX), SLM_E_SIZE);
    slm_lease_book outside = {};
    EXPECT_EQ(slm_lease_init_locked(zone, &outside, 1), SLM_E_SIZE);
    EXPECT_EQ(slm_lease_init_locked(zone, more, 2), SLM_OK);
    slm_lease_worker theirs = {};
    commit();
    EXPECT_EQ(slm_lease_join_locked(zone, more, nullptr, nullptr, &theirs), SLM_OK)
        << "a thread may be in two books";
    ASSERT_EQ(slm_journal_free(zone.journal(), more), SLM_OK);
    commit();
}

TEST_F(Lease, PagesThatCannotBeBackedAreReportedAsTheReason)
{
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
    ASSERT_EQ(slm_zone_trim(zone, nullptr, &zone.error), SLM_OK) << zone.error.text;
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    {
        KeepCalls keep;
        slm_segment_sys.fallocate = [](int, int, off_t, off_t) {
            errno = EIO;
            return -1;
        };
        slm_status status = SLM_OK;
        while ((status = take(&top->a)) == SLM_OK) {
            commit();
        }
        EXPECT_EQ(status, SLM_E_IO);
        commit();
    }
    EXPECT_EQ(take(&top->a), SLM_OK);
    commit();
}

TEST_F(Lease, MemoryThatIsOutIsReportedAndLeavesNothing)
{
    std::vector<slm_lease> leases;
    while (take(&top->a) == SLM_OK) {
        commit();
        leases.push_back(lease);
    }
    EXPECT_GT(leases.size(), 500u);
    EXPECT_EQ(take(&top->a), SLM_E_NOMEM);
    commit();
    EXPECT_EQ(slm_lease_n(&top->a), leases.size());
    EXPECT_EQ(check(), 0u);
    for (const slm_lease &one : leases) {
        ASSERT_EQ(give(one), SLM_OK);
        commit();
    }
    EXPECT_EQ(slm_lease_n(&top->a), 0u);
}

TEST_F(Lease, FullJournalRefusesTakeAndGiveAndUndoesTheTransaction)
{
    slm_lease mine = must_take(&top->a);
    auto *word = static_cast<uint64_t *>(slm_journal_calloc(zone.journal(), 8));
    commit();
    for (bool is_give : {false, true}) {
        unsigned need = is_give ? SLM_LEASE_GIVE_ENTRIES : SLM_LEASE_TAKE_ENTRIES;
        while (slm_journal_has_room(zone.journal(), need)) {
            ASSERT_EQ(slm_journal_write(zone.journal(), word, *word + 1), SLM_OK);
        }
        slm_lease_count *lowered = &top->b;
        EXPECT_EQ(is_give ? slm_lease_give_locked(zone, &top->book, &worker, &mine, &lowered)
                          : take(&top->a),
                  SLM_E_FULL);
        EXPECT_EQ(lowered, is_give ? nullptr : &top->b);
        EXPECT_EQ(slm_zone_commit_locked(zone), SLM_E_FULL);
        EXPECT_EQ(slm_lease_n(&top->a), 1u);
        EXPECT_EQ(*word, 0u);
    }
}

/* The callback notes more than the journal holds. */
TEST_F(Lease, ReclaimWhoseCallbackFillsTheJournalReportsHowFarItGot)
{
    die_with(&top->a, 3);
    auto *word = static_cast<uint64_t *>(slm_journal_calloc(zone.journal(), 8));
    commit();
    std::pair<uint64_t *, unsigned> data = {word, 0};
    slm_lease_given *given = [](slm_zone *in, slm_lease_count *, void *p) {
        auto *pair = static_cast<std::pair<uint64_t *, unsigned> *>(p);
        for (unsigned i = 0; pair->second == 1 && i < 100; i++) {
            (void)slm_journal_write(slm_zone_journal(in), pair->first, i);
        }
        pair->second++;
    };
    size_t n = 0;
    EXPECT_EQ(slm_lease_reclaim_locked(zone, &top->book, given, &data, &n), SLM_E_FULL);
    EXPECT_EQ(n, 1u);
    EXPECT_EQ(slm_lease_n(&top->a), 2u);
    EXPECT_EQ(*word, 0u);
    EXPECT_EQ(reclaim(), 2u);
}

} // namespace
