/* SPDX-License-Identifier: Apache-2.0 */
/* A zone is changed, grown, synced and killed at each point where a copier does not hold its lock. */
#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/zone/fixture.h"
#include <slabmill/zone_copy.h>

extern "C" {
#include "allocator/base/yield.h"
#include "allocator/lock/identity.h"
#include "allocator/lock/system.h"
slm_status slm_journal_set_version(slm_journal *journal, uint32_t version); /* log.h */
}

namespace {

using namespace slm_test;

constexpr size_t kBytes = size_t{6} << 20;
constexpr size_t kMaxBytes = size_t{8} << 20;
constexpr uint64_t kOther = (uint64_t{1} << 40) + 12345; /* an identity that is not the copier's */

/* What an object holds: its words follow from its seed. */
struct Object {
    size_t n_words;
    uint64_t seed;
};
using Model = std::map<uint64_t, Object>; /* by offset */

uint64_t word_of(const Object &object, size_t at)
{
    return (object.seed + at) * UINT64_C(0x9e3779b97f4a7c15);
}

/* The first object, which is the root: the number of the last transaction. */
struct Top {
    uint64_t number;
};

/* Changes a zone at random, and knows what is in it after each transaction. */
class Changer {
  public:
    explicit Changer(slm_zone *zone) : zone_(zone), journal_(slm_zone_journal(zone))
    {
        EXPECT_EQ(slm_zone_lock(zone), SLM_OK);
        auto *top = static_cast<Top *>(slm_journal_calloc(journal_, sizeof(Top)));
        EXPECT_EQ(slm_zone_set_root_locked(zone, top), SLM_OK);
        EXPECT_EQ(slm_zone_end(zone, SLM_OK), SLM_OK);
        models_[0] = {};
    }
    /* One transaction of a few changes; or one that is undone. */
    void change()
    {
        change(1 + random_() % 4, random_() % 8 == 0);
    }
    void change(size_t n_changes, bool is_undone)
    {
        ASSERT_EQ(slm_zone_lock(zone_), SLM_OK);
        Model model = models_.rbegin()->second;
        for (size_t i = 0; i < n_changes; i++) {
            change_once(&model);
        }
        if (is_undone) {
            EXPECT_EQ(slm_zone_end(zone_, SLM_E_STATE), SLM_E_STATE);
            return;
        }
        auto *top = static_cast<Top *>(slm_zone_root_locked(zone_));
        uint64_t number = models_.rbegin()->first + 1;
        ASSERT_EQ(slm_journal_write(journal_, &top->number, number), SLM_OK);
        ASSERT_EQ(slm_zone_end(zone_, SLM_OK), SLM_OK);
        models_[number] = model;
    }
    /* Frees everything but the top, which is made again. */
    void reset()
    {
        ASSERT_EQ(slm_zone_lock(zone_), SLM_OK);
        ASSERT_EQ(slm_zone_reset_locked(zone_), SLM_OK);
        auto *top = static_cast<Top *>(slm_journal_calloc(journal_, sizeof(Top)));
        top->number = models_.rbegin()->first + 1;
        ASSERT_EQ(slm_zone_set_root_locked(zone_, top), SLM_OK);
        ASSERT_EQ(slm_zone_end(zone_, SLM_OK), SLM_OK);
        models_[top->number] = {};
    }
    /* Whether the zone has what was there after one of the transactions. */
    void expect_one_moment(slm_zone *copy) const
    {
        ASSERT_EQ(slm_zone_lock(copy), SLM_OK);
        EXPECT_EQ(slm_zone_check_locked(copy), 0u);
        auto *top = static_cast<Top *>(slm_zone_root_locked(copy));
        ASSERT_NE(top, nullptr);
        auto model = models_.find(top->number);
        ASSERT_NE(model, models_.end()) << top->number;
        EXPECT_EQ(count_objects(slm_zone_slab(copy)), model->second.size() + 1);
        for (const auto &[offset, object] : model->second) {
            expect_object(copy, offset, object);
        }
        EXPECT_EQ(slm_zone_unlock(copy), SLM_OK);
    }
    size_t n_transactions() const
    {
        return models_.size();
    }

  private:
    void change_once(Model *model)
    {
        size_t wanted = random_() % 5;
        if (wanted < 2 && !model->empty()) {
            auto victim = pick(model);
            EXPECT_EQ(slm_journal_free(journal_, at(victim->first)), SLM_OK);
            model->erase(victim);
        } else if (wanted == 2 && !model->empty()) {
            write_again(model);
        } else {
            add(model);
        }
    }
    void add(Model *model)
    {
        static const size_t most[] = {8, 40, 300, 2000, 12000};
        Object object = {1 + random_() % most[random_() % 5], random_()};
        auto *words =
            static_cast<uint64_t *>(slm_journal_alloc(journal_, object.n_words * sizeof(uint64_t)));
        for (size_t i = 0; words != nullptr && i < object.n_words; i++) {
            words[i] = word_of(object, i);
        }
        if (words != nullptr) {
            (*model)[slm_journal_offset(journal_, words)] = object;
        }
    }
    void write_again(Model *model)
    {
        auto chosen = pick(model);
        Object *object = &chosen->second;
        auto *words = static_cast<uint64_t *>(at(chosen->first));
        size_t n_bytes = object->n_words * sizeof(uint64_t);
        if (!slm_journal_has_room(journal_, static_cast<unsigned>(object->n_words) + 8)) {
            return;
        }
        ASSERT_EQ(slm_journal_note_range(journal_, words, n_bytes), SLM_OK);
        object->seed = random_();
        for (size_t i = 0; i < object->n_words; i++) {
            words[i] = word_of(*object, i);
        }
    }
    Model::iterator pick(Model *model)
    {
        auto found = model->lower_bound(random_() % kBytes);
        return found == model->end() ? model->begin() : found;
    }
    void *at(uint64_t offset) const
    {
        return slm_journal_pointer(journal_, offset);
    }
    static void expect_object(slm_zone *copy, uint64_t offset, const Object &object)
    {
        auto *words =
            static_cast<const uint64_t *>(slm_journal_pointer(slm_zone_journal(copy), offset));
        ASSERT_EQ(slm_slab_check_pointer_locked(slm_zone_slab(copy), words), SLM_OK) << offset;
        for (size_t i = 0; i < object.n_words; i++) {
            ASSERT_EQ(words[i], word_of(object, i)) << offset << ", word " << i;
        }
    }

    slm_zone *zone_;
    slm_journal *journal_;
    std::minstd_rand random_{1};
    std::map<uint64_t, Model> models_; /* by the number of the transaction */
};

/* What happens at the copier's points; and the number of points so far. */
std::function<void(unsigned)> meanwhile;
slm_zone *copied;
unsigned n_points;

/* Only where the copier does not hold the lock: another thread could not have it. */
void run_meanwhile(const char *)
{
    uint64_t self = slm_lock_self();
    slm_yield_hook = nullptr;
    if (!slm_lock_is_mine(copied->lock)) {
        slm_lock_set_self(kOther);
        meanwhile(++n_points);
        slm_lock_set_self(self);
    }
    slm_yield_hook = run_meanwhile;
}

void run_at_each_point(const char *)
{
    slm_yield_hook = nullptr;
    meanwhile(++n_points);
    slm_yield_hook = run_at_each_point;
}

class CopyGaps : public testing::Test {
  protected:
    CopyGaps()
    {
        EXPECT_EQ(zone.create(options_of()), SLM_OK) << zone.error.text;
        EXPECT_EQ(other.attach(all.to_attach(zone)), SLM_OK) << other.error.text;
        path = all.folder() / "copy";
        to.kind = SLM_SEGMENT_FILE;
        to.name = path.c_str();
        copied = zone;
        n_points = 0;
    }
    ~CopyGaps() override
    {
        slm_yield_hook = nullptr;
        slm_lock_set_self(0);
    }
    slm_zone_options options_of() const
    {
        slm_zone_options options = all.of(SLM_SEGMENT_FILE);
        options.journal_entries = 4096;
        return options;
    }
    slm_status copy(void (*hook)(const char *))
    {
        slm_yield_hook = hook;
        slm_status status = slm_zone_copy(zone, &to, &report, &error);
        slm_yield_hook = nullptr;
        return status;
    }
    void open_copy(Zone *opened)
    {
        slm_zone_attach_options options = all.to_attach(zone);
        options.segment.kind = to.kind;
        options.segment.name = to.name;
        ASSERT_EQ(opened->attach(options), SLM_OK) << opened->error.text;
        EXPECT_EQ(opened->stats().is_clean, to.kind == SLM_SEGMENT_FILE);
    }
    void expect_copied(const Changer &changer)
    {
        Zone opened;
        open_copy(&opened);
        changer.expect_one_moment(opened);
    }

    ZoneOptions all{kBytes, kMaxBytes};
    Zone zone, other;
    std::string path;
    slm_segment_options to{};
    slm_zone_copy_report report{};
    slm_error error{};
};

TEST_F(CopyGaps, ACopyIsOfOneMomentAtEachTransactionInBetween)
{
    Changer changer(other);
    for (unsigned i = 0; i < 300; i++) {
        changer.change();
    }
    meanwhile = [&](unsigned at) {
        for (unsigned i = 0; i < 3 && at < 1000; i++) {
            changer.change();
        }
    };
    size_t before = changer.n_transactions();
    ASSERT_EQ(copy(run_meanwhile), SLM_OK) << error.text;
    EXPECT_GT(changer.n_transactions(), before + 20);
    EXPECT_LE(report.most_held_bytes, SLM_ZONE_COPY_HOLD_BYTES);
    EXPECT_GT(report.n_copied_bytes, report.bytes);
    expect_copied(changer);
    changer.expect_one_moment(other);
}

/* Calls that are transactions of their own take no log entry, except while a copy is made. */
TEST_F(CopyGaps, ACallThatAllocatesOrFreesAloneIsInTheCopyOrNot)
{
    std::vector<void *> live;
    for (unsigned i = 0; i < 2000; i++) {
        live.push_back(slm_zone_calloc(other, 100, nullptr));
        ASSERT_NE(live.back(), nullptr);
    }
    std::vector<std::set<void *>> moments{{live.begin(), live.end()}};
    meanwhile = [&](unsigned at) {
        ASSERT_EQ(slm_zone_free(other, live[at * 7 % live.size()]), SLM_OK);
        live.erase(live.begin() + static_cast<ptrdiff_t>(at * 7 % live.size()));
        moments.emplace_back(live.begin(), live.end());
        live.push_back(slm_zone_alloc(other, at % 2 == 0 ? 100 : 1000, nullptr));
        moments.emplace_back(live.begin(), live.end());
    };
    ASSERT_EQ(copy(run_meanwhile), SLM_OK) << error.text;
    EXPECT_GT(moments.size(), 20u);
    Zone opened;
    open_copy(&opened);
    auto is_there = [&](void *p) {
        void *copied_to = slm_journal_pointer(slm_zone_journal(opened),
                                              slm_journal_offset(slm_zone_journal(other), p));
        return slm_slab_check_pointer_locked(slm_zone_slab(opened), copied_to) == SLM_OK;
    };
    auto is_moment = [&](const std::set<void *> &moment) {
        return moment.size() == count_objects(slm_zone_slab(opened)) &&
               std::all_of(moment.begin(), moment.end(), is_there);
    };
    ASSERT_EQ(slm_zone_lock(opened), SLM_OK);
    EXPECT_EQ(slm_zone_check_locked(opened), 0u);
    EXPECT_TRUE(std::any_of(moments.begin(), moments.end(), is_moment));
    EXPECT_EQ(slm_zone_unlock(opened), SLM_OK);
}

/* No other transaction marks the same pages, so each mark is needed. */
TEST_F(CopyGaps, OneChangeLateInACopyIsInItAsAWhole)
{
    Changer changer(other);
    for (unsigned i = 0; i < 200; i++) {
        changer.change();
    }
    to = all.of(SLM_SEGMENT_POSIX).segment; /* no disk has to take it */
    for (unsigned i = 0; i < 150; i++) {
        n_points = 0;
        meanwhile = [&](unsigned at) {
            if (at == 16) {
                changer.change(1, i % 16 == 0);
            }
        };
        ASSERT_EQ(copy(run_meanwhile), SLM_OK) << error.text;
        EXPECT_GT(n_points, 16u);
        expect_copied(changer);
        ASSERT_EQ(slm_segment_remove(&to, nullptr), SLM_OK);
    }
}

/* More pages between two holds than there are slots: granules are taken again. */
TEST_F(CopyGaps, ACopyOfAZoneThatChangesMuchIsOfOneMoment)
{
    Changer changer(other);
    unsigned n_left = 20;
    meanwhile = [&](unsigned) {
        for (unsigned i = 0; i < 60 && n_left > 0; i++) {
            changer.change();
        }
        n_left -= n_left > 0;
    };
    ASSERT_EQ(copy(run_meanwhile), SLM_OK) << error.text;
    EXPECT_EQ(n_left, 0u);
    EXPECT_LE(report.most_held_bytes, SLM_ZONE_COPY_HOLD_BYTES);
    expect_copied(changer);
}

TEST_F(CopyGaps, AResetMeanwhileIsInTheCopyOrNot)
{
    for (unsigned reset_at = 1; reset_at < 40; reset_at += 3) {
        Changer changer(other);
        for (unsigned i = 0; i < 50; i++) {
            changer.change();
        }
        n_points = 0;
        meanwhile = [&](unsigned at) {
            if (at == reset_at) {
                changer.reset();
            } else if (changer.n_transactions() < 200) {
                changer.change();
            }
        };
        ASSERT_EQ(copy(run_meanwhile), SLM_OK) << error.text;
        expect_copied(changer);
        ASSERT_EQ(unlink(path.c_str()), 0);
        ASSERT_EQ(slm_zone_lock(other), SLM_OK);
        ASSERT_EQ(slm_zone_reset_locked(other), SLM_OK);
        ASSERT_EQ(slm_zone_unlock(other), SLM_OK);
    }
}

/* Runs `act` in a child that then dies by SIGKILL. */
void die_after(const std::function<void()> &act)
{
    pid_t child = fork();
    if (child == 0) {
        slm_yield_hook = nullptr;
        slm_lock_set_self(0);
        act();
        (void)kill(getpid(), SIGKILL);
    }
    int ended;
    ASSERT_EQ(waitpid(child, &ended, 0), child);
    ASSERT_TRUE(WIFSIGNALED(ended));
}

TEST_F(CopyGaps, AWriterThatDiesInATransactionIsUndoneInTheCopyToo)
{
    Changer changer(other);
    for (unsigned i = 0; i < 100; i++) {
        changer.change();
    }
    unsigned n_deaths = 0;
    meanwhile = [&](unsigned at) {
        if (at % 3 == 0 && n_deaths < 6) {
            n_deaths++;
            die_after([&] {
                slm_journal *journal = slm_zone_journal(other);
                if (slm_zone_lock(other) == SLM_OK) {
                    auto *top = static_cast<Top *>(slm_zone_root_locked(other));
                    (void)slm_journal_write(journal, &top->number, UINT64_MAX);
                    (void)slm_journal_alloc(journal, 100000);
                    (void)slm_journal_alloc(journal, 100);
                }
            });
        } else if (changer.n_transactions() < 500) {
            changer.change();
        }
    };
    ASSERT_EQ(copy(run_meanwhile), SLM_OK) << error.text;
    EXPECT_EQ(n_deaths, 6u);
    expect_copied(changer);
    EXPECT_EQ(check_alone(zone), 0u);
}

TEST_F(CopyGaps, AZoneThatGrowsMeanwhileIsCopiedInItsNewLength)
{
    Changer changer(other);
    meanwhile = [&](unsigned at) {
        if (at == 10 || at == 20) {
            ASSERT_EQ(slm_zone_grow(other, kBytes + (at << 14), nullptr), SLM_OK);
        }
        if (changer.n_transactions() < 500) {
            changer.change();
        }
    };
    ASSERT_EQ(copy(run_meanwhile), SLM_OK) << error.text;
    EXPECT_EQ(report.bytes, kBytes + (20u << 14));
    Zone opened;
    open_copy(&opened);
    EXPECT_EQ(opened.stats().bytes, report.bytes);
    changer.expect_one_moment(opened);
}

TEST_F(CopyGaps, AZoneThatIsMarkedCleanMeanwhileIsCopied)
{
    Changer changer(other);
    meanwhile = [&](unsigned at) {
        if (at % 5 == 0) {
            ASSERT_EQ(slm_zone_sync(other, nullptr), SLM_OK);
        } else if (changer.n_transactions() < 500) {
            changer.change();
        }
    };
    ASSERT_EQ(copy(run_meanwhile), SLM_OK) << error.text;
    expect_copied(changer);
    EXPECT_EQ(zone.header()->state, static_cast<uint64_t>(ZONE_READY));
}

TEST_F(CopyGaps, ASecondCopierIsRefusedWhileTheFirstLives)
{
    unsigned n_refused = 0;
    slm_segment_options second_to = to;
    std::string second_path = all.folder() / "second";
    second_to.name = second_path.c_str();
    meanwhile = [&](unsigned at) {
        slm_error why;
        if (at == 12) {
            n_refused += slm_zone_copy(other, &second_to, nullptr, &why) == SLM_E_LOCKED;
            EXPECT_NE(strstr(why.text, "makes a copy"), nullptr) << why.text;
        }
    };
    ASSERT_EQ(copy(run_meanwhile), SLM_OK) << error.text;
    EXPECT_EQ(n_refused, 1u);
    EXPECT_EQ(access(second_path.c_str(), F_OK), -1);
}

TEST_F(CopyGaps, AZoneThatAlwaysChangesMoreIsGivenUpAndGoesOn)
{
    Changer changer(other);
    meanwhile = [&](unsigned at) {
        /* A new object of as many bytes as one hold takes. */
        void *p = at % 2 == 0 ? slm_zone_alloc(other, size_t{3} << 20, nullptr) : nullptr;
        EXPECT_EQ(slm_zone_free(other, p), SLM_OK);
    };
    EXPECT_EQ(copy(run_meanwhile), SLM_E_TIMEOUT);
    EXPECT_NE(strstr(error.text, "changes faster"), nullptr) << error.text;
    EXPECT_EQ(zone.header()->state, static_cast<uint64_t>(ZONE_READY));
    EXPECT_EQ(access(path.c_str(), F_OK), -1);
    changer.change();
    changer.expect_one_moment(zone);
}

/* The copier's program does not know the new content, and lives on. */
TEST_F(CopyGaps, AnUpgradeOfTheContentMeanwhileEndsTheCopyOfAnOlderProgram)
{
    meanwhile = [&](unsigned at) {
        if (at == 10) {
            ASSERT_EQ(slm_zone_lock(other), SLM_OK);
            ASSERT_EQ(slm_journal_set_version(slm_zone_journal(other), 2), SLM_OK);
            ASSERT_EQ(slm_zone_end(other, SLM_OK), SLM_OK);
        }
    };
    EXPECT_EQ(copy(run_meanwhile), SLM_E_VERSION) << error.text;
    EXPECT_EQ(zone.header()->state, static_cast<uint64_t>(ZONE_READY));
    EXPECT_EQ(access(path.c_str(), F_OK), -1);
    EXPECT_EQ(check_alone(other), 0u);
}

/* Wherever the copier is killed, others go on, nothing of its file stays, and the next copy
 * succeeds. */
TEST_F(CopyGaps, ACopierMayDieAtAnyPoint)
{
    Changer changer(other);
    for (unsigned i = 0; i < 40; i++) {
        changer.change();
    }
    auto names = all.folder().names();
    unsigned n_killed = 0;
    bool is_whole = false;
    for (unsigned die_at = 1; !is_whole; die_at += 1 + die_at / 64) {
        pid_t child = fork();
        if (child == 0) {
            slm_lock_set_self(0);
            meanwhile = [&](unsigned at) {
                if (at == die_at) {
                    (void)kill(getpid(), SIGKILL);
                }
            };
            _exit(copy(run_at_each_point) == SLM_OK ? 0 : 1);
        }
        int ended;
        ASSERT_EQ(waitpid(child, &ended, 0), child);
        is_whole = WIFEXITED(ended);
        n_killed += WIFSIGNALED(ended);
        ASSERT_TRUE(!is_whole || WEXITSTATUS(ended) == 0);
        if (access(path.c_str(), F_OK) == 0) { /* it died after its file got the name */
            expect_copied(changer);
            ASSERT_EQ(unlink(path.c_str()), 0);
        }
        ASSERT_EQ(all.folder().names(), names) << die_at;
        changer.change();
        for (unsigned i = 0; i < 300 && zone.header()->state == ZONE_COPIED; i++) {
            ASSERT_EQ(slm_zone_lock(other), SLM_OK);
            ASSERT_EQ(slm_zone_unlock(other), SLM_OK);
        }
        ASSERT_EQ(zone.header()->state, static_cast<uint64_t>(ZONE_READY)) << die_at;
        changer.expect_one_moment(other);
    }
    EXPECT_GT(n_killed, 60u);
    ASSERT_EQ(copy(nullptr), SLM_OK) << error.text;
    expect_copied(changer);
}

} // namespace
