/* SPDX-License-Identifier: Apache-2.0 */
/* The judge: what must be true of a zone after each kill. */
#include <algorithm>
#include <cstring>
#include <memory>
#include <sys/mman.h>

#include "tests/kill/peek.h"
#include "tests/kill/scenario.h"

namespace kill_test {
namespace {

constexpr unsigned LOCK_TIMEOUT_MS = 10000;
constexpr uint64_t HASH_PRIME = UINT64_C(0x100000001b3);
constexpr unsigned HASH_SHIFT = 29;

/* Works under the lock as a user would: allocates objects of all kinds and a tree, and frees all of
 * it. In a full zone it uses what is available. */
std::string work_on(slm_zone *zone)
{
    slm_journal *journal = slm_zone_journal(zone);
    std::vector<void *> objects;
    for (size_t bytes : {8u, 64u, 500u, 2048u, 5000u, 9000u}) {
        void *p = slm_journal_alloc(journal, bytes);
        if (p != nullptr) {
            memset(p, 0xee, bytes);
            objects.push_back(p);
        }
    }
    auto *top = static_cast<Top *>(slm_journal_calloc(journal, sizeof(Top)));
    auto *item = static_cast<Item *>(slm_journal_calloc(journal, sizeof(Item)));
    if (top != nullptr && item != nullptr &&
        (slm_rbtree_insert(journal, &top->tree, &item->node, order_items) != SLM_OK ||
         slm_rbtree_remove(journal, &top->tree, &item->node) != SLM_OK)) {
        return "a node cannot be inserted and deleted";
    }
    if (slm_zone_commit_locked(zone) != SLM_OK) {
        return "work cannot be committed";
    }
    objects.push_back(top);
    objects.push_back(item);
    for (void *p : objects) {
        if (p != nullptr && slm_journal_free(journal, p) != SLM_OK) {
            return "an object cannot be freed";
        }
    }
    if (slm_zone_commit_locked(zone) != SLM_OK) {
        return "releases cannot be committed";
    }
    return slm_zone_check_locked(zone) == 0 ? "" : "an invariant is broken after further work";
}

/* Checks tree and list, where there are any. */
std::string check_links(World &world)
{
    slm_zone *zone = world.ours();
    slm_journal *journal = slm_zone_journal(zone);
    Top *top = world.top(zone);
    struct slm_zone_stats stats;
    slm_zone_get_stats(zone, &stats);
    if (top == nullptr || !world.has_items()) {
        return "";
    }
    unsigned broken = slm_rbtree_check(journal, &top->tree, order_items, 1, stats.bytes);
    if (broken != 0) {
        return "the tree breaks invariant " + std::to_string(broken);
    }
    broken = slm_lru_check(journal, &top->lru, 1, stats.bytes);
    return broken == 0 ? "" : "the list breaks invariant " + std::to_string(broken);
}

uint64_t *share_word()
{
    void *p =
        mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    expect(p != MAP_FAILED, "no shared memory");
    return static_cast<uint64_t *>(p);
}

/* One scenario and all its kills. */
class Sweep {
  public:
    Sweep(const Scenario &scenario, size_t every)
        : scenario_(scenario), every_(every * scenario.stride)
    {
    }
    ~Sweep()
    {
        munmap(victim_, sizeof *victim_);
    }
    Sweep(const Sweep &) = delete;
    Sweep &operator=(const Sweep &) = delete;

    Tally run()
    {
        make_world();
        before_ = picture_under_lock();
        states_.assign(1, before_);
        if (!record_way()) {
            return tally_;
        }
        note_if(world_->follow());
        after_ = picture_under_lock();
        check_change();
        size_t n = way_.n_instructions();
        for (size_t k = 0; k < n; k += every_) {
            kill_at(k);
        }
        kill_at(n);
        if (!(states_.back() == after_)) {
            note("the operation ended, but the zone is not as after it");
        }
        return tally_;
    }

  private:
    void make_world()
    {
        world_.reset(); /* two of them would have one name */
        world_ = std::make_unique<World>(scenario_.shape);
        expect(slm_zone_lock(world_->ours()) == SLM_OK, "the zone cannot be locked");
        scenario_.prepare(*world_);
        expect(slm_zone_check_locked(world_->ours()) == 0, "the prepared zone breaks an invariant");
        expect(slm_zone_unlock(world_->ours()) == SLM_OK, "the zone cannot be unlocked");
        if (scenario_.wound) {
            scenario_.wound(*world_);
        }
        world_->save();
    }

    Operation operation()
    {
        return {[this] {
                    if (!scenario_.is_cold) {
                        *victim_ = slm_lock_self();
                    }
                    if (scenario_.enter) {
                        scenario_.enter(*world_, world_->theirs());
                    }
                },
                [this] { scenario_.operate(*world_, world_->theirs()); }};
    }

    /* Each victim is another process. An identity in an object is replaced, so that pictures
     * compare equal. */
    Picture anonymous_picture()
    {
        Picture picture = take_picture(world_->ours());
        for (Object &object : picture.objects) {
            for (size_t i = 0; i + sizeof *victim_ <= object.content.size(); i += sizeof *victim_) {
                if (*victim_ != 0 && memcmp(&object.content[i], victim_, sizeof *victim_) == 0) {
                    object.content.replace(i, sizeof *victim_, sizeof *victim_, '\xff');
                }
            }
        }
        return picture;
    }

    Picture picture_under_lock()
    {
        expect(slm_zone_lock(world_->ours()) == SLM_OK, "the zone cannot be locked");
        Picture picture = anonymous_picture();
        expect(slm_zone_unlock(world_->ours()) == SLM_OK, "the zone cannot be unlocked");
        return picture;
    }

    bool record_way()
    {
        auto visit = [this](size_t n_instructions, pid_t child) {
            tally_.n_under_lock += kill_peek_is_held_by(world_->ours(), child);
            if (n_instructions % every_ == 0) {
                left_.push_back(hash_zone());
            }
            return false;
        };
        make_ready();
        End end = record(operation(), visit, &way_);
        left_.push_back(hash_zone());
        tally_.n_instructions = way_.places.empty() ? 0 : way_.n_instructions();
        tally_.not_traced = end == End::NOT_TRACED;
        if (end != End::FINISHED) {
            note(std::string("the whole operation ") + end_text(end));
        }
        return end == End::FINISHED;
    }

    /* Checks that the scenario does what its name claims. */
    void check_change()
    {
        auto n_spans = [](const Picture &picture) {
            size_t n = 0;
            for (const ClassCount &counts : picture.classes) {
                n += counts.n_spans;
            }
            return n;
        };
        const Change &change = scenario_.change;
        expect_change("objects", change.objects, before_.objects.size(), after_.objects.size());
        expect_change("free pages", change.free_pages, before_.n_free_pages, after_.n_free_pages);
        expect_change("kept pages", change.kept_pages, before_.n_kept_pages, after_.n_kept_pages);
        expect_change("spans", change.spans, n_spans(before_), n_spans(after_));
    }

    void expect_change(const char *what, int wanted, size_t before, size_t after)
    {
        int found = static_cast<int>(after) - static_cast<int>(before);
        if (wanted != ANY && wanted != found) {
            note(std::string("the operation changes the number of ") + what + " by " +
                 std::to_string(found) + ", not by " + std::to_string(wanted));
        }
    }

    void note(const std::string &wrong)
    {
        if (tally_.first_wrong.empty()) {
            tally_.first_wrong = wrong;
        }
    }

    void note_if(const std::string &wrong)
    {
        if (!wrong.empty()) {
            note(wrong);
        }
    }

    void make_ready()
    {
        if (scenario_.is_fresh) {
            make_world();
        } else {
            world_->restore();
        }
        first_victim_ = kill_peek_owner_in(kill_peek_lock_word(world_->ours()));
    }

    /* Hashes all bytes of the zone except victims' identities and numbers of files. */
    uint64_t hash_zone()
    {
        const auto *words = static_cast<const uint64_t *>(kill_peek_base(world_->ours()));
        size_t n_words = slm_segment_bytes(slm_zone_segment(world_->ours())) / sizeof *words;
        uint64_t hash = 0;
        for (size_t i = 0; i < n_words; i++) {
            uint64_t owner = kill_peek_owner_in(words[i]);
            uint64_t word = words[i];
            if (kill_peek_names_a_file(world_->ours(), &words[i])) {
                word = 0;
            } else if (owner != 0 && (owner == *victim_ || owner == first_victim_)) {
                word -= owner;
            }
            hash = (hash ^ word) * HASH_PRIME;
            hash ^= hash >> HASH_SHIFT;
        }
        return hash;
    }

    /* Returns whether the victim took the recorded path: the stores of that path's first k
     * instructions are there, and no others. */
    bool is_as_recorded(size_t k)
    {
        return hash_zone() == (k == way_.n_instructions() ? left_.back() : left_[k / every_]);
    }

    bool may_vary() const
    {
        return scenario_.is_cold || scenario_.varies;
    }

    /* A place in a loop is the same in each round. The zone's contents are not. */
    End checked(End end, size_t k)
    {
        bool is_elsewhere = end == End::KILLED && !may_vary() && !is_as_recorded(k);
        return is_elsewhere ? End::STRAYED : end;
    }

    void kill_at(size_t k)
    {
        make_ready();
        End end = checked(kill_after(operation(), way_, k), k);
        if (end == End::STRAYED || (end == End::FINISHED && may_vary())) {
            make_ready();
            end = checked(kill_after_steps(operation(), k), k);
            tally_.n_stepped++;
        }
        tally_.n_killed++;
        bool is_dead = end == End::KILLED || (end == End::FINISHED && may_vary());
        std::string wrong = is_dead ? judge() : end_text(end);
        tally_.n_recovered += wrong.empty();
        if (!wrong.empty()) {
            note("killed after " + std::to_string(k) + " instructions: " + wrong);
        }
    }

    /* The victim is dead. Returns "", or the first thing that is wrong. */
    std::string judge()
    {
        std::string followed = world_->follow();
        return followed.empty() ? judge_next_locker() : followed;
    }

    std::string judge_next_locker()
    {
        slm_zone *zone = world_->ours();
        bool needs_repair = kill_peek_needs_repair(zone);
        struct slm_zone_stats found;
        slm_zone_get_stats(zone, &found);
        world_->force_dead_owner();
        slm_status status = slm_zone_timedlock(zone, LOCK_TIMEOUT_MS);
        if (status != SLM_OK) {
            return std::string("the next locker gets: ") + slm_status_text(status);
        }
        struct slm_zone_stats now;
        slm_zone_get_stats(zone, &now);
        tally_.n_undone += now.n_undone > found.n_undone;
        tally_.n_finished += now.n_finished > found.n_finished;
        std::string wrong = now.n_recoveries == found.n_recoveries + needs_repair
                                ? judge_zone()
                                : "the count of recoveries is wrong";
        if (slm_zone_unlock(zone) != SLM_OK || kill_peek_lock_word(zone) != 0) {
            return "the lock is not free after unlocking";
        }
        return wrong;
    }

    /* Runs under the lock, after recovery. */
    std::string judge_zone()
    {
        slm_zone *zone = world_->ours();
        unsigned broken = slm_zone_check_locked(zone);
        if (broken != 0) {
            return "breaks invariant " + std::to_string(broken);
        }
        Picture picture = anonymous_picture();
        std::string wrong = judge_picture(picture);
        wrong = wrong.empty() ? compare_statistics(zone, picture) : wrong;
        wrong = wrong.empty() ? check_links(*world_) : wrong;
        if (wrong.empty() && scenario_.check != nullptr && scenario_.check(zone) != 0) {
            wrong = "the scenario's own check fails";
        }
        wrong = wrong.empty() ? work_on(zone) : wrong;
        if (wrong.empty() && !(anonymous_picture() == picture)) {
            wrong = "further work changed older objects";
        }
        return wrong;
    }

    /* Either all of a transaction or nothing is there. A change that is there after so many
     * instructions is there after more. */
    std::string judge_picture(const Picture &picture)
    {
        bool was_there = std::find(states_.begin(), states_.end(), picture) != states_.end();
        if (was_there && !(picture == states_.back())) {
            return "undone here, but done after fewer instructions";
        }
        bool may_be_new = scenario_.n_transactions == 1
                              ? picture == after_
                              : states_.size() <= scenario_.n_transactions;
        if (!was_there && !may_be_new) {
            return "neither as before (" + describe_difference(states_.back(), picture) +
                   ") nor as after (" + describe_difference(after_, picture) + ")";
        }
        if (!was_there) {
            states_.push_back(picture);
        }
        return judge_peak(picture);
    }

    std::string judge_peak(const Picture &picture)
    {
        size_t most = std::max(before_.peak_used_pages, after_.peak_used_pages);
        if (picture.peak_used_pages < before_.peak_used_pages || picture.peak_used_pages > most) {
            return "a peak of " + std::to_string(picture.peak_used_pages) + " pages, " +
                   std::to_string(before_.peak_used_pages) + " to " + std::to_string(most) +
                   " can be";
        }
        return "";
    }

    const Scenario &scenario_;
    const size_t every_;
    std::unique_ptr<World> world_;
    uint64_t first_victim_ = 0; /* the first victim, which had died holding the lock; 0: none */
    Way way_;
    std::vector<uint64_t> left_; /* the zone's hash at each kill point */
    Picture before_;
    Picture after_;
    std::vector<Picture> states_; /* that were seen so far; the current one is the last */
    uint64_t *victim_ = share_word();
    Tally tally_;
};

} // namespace

Tally sweep(const Scenario &scenario, size_t every)
{
    return Sweep(scenario, every).run();
}

} // namespace kill_test
