/* SPDX-License-Identifier: Apache-2.0 */
/* A death before any store of a transaction, a commit or a recovery leaves all of the change or
 * none. */
#include <functional>
#include <memory>

#include "tests/journal/fixture.h"

namespace {

using namespace slm_test;

using Bytes = std::vector<unsigned char>;

/* The contents of shared memory before each store that counts: what a death there leaves. */
struct Deaths {
    const Arena *watched = nullptr;
    std::vector<Bytes> left;
};

Deaths *deaths;

void remember(const char *)
{
    deaths->left.push_back(deaths->watched->bytes());
}

std::vector<Bytes> watch(const Arena &arena, const std::function<void()> &act)
{
    Deaths seen{&arena, {}};
    deaths = &seen;
    slm_yield_hook = remember;
    act();
    slm_yield_hook = nullptr;
    seen.left.push_back(arena.bytes());
    return seen.left;
}

struct Script {
    const char *name;
    void (*prepare)(Arena &arena);
    /* A commit follows each transaction, the last one included. */
    std::vector<void (*)(Arena &arena)> transactions;
};

/* GoogleTest prints the name with a failure. */
void PrintTo(const Script &script, std::ostream *out)
{
    *out << script.name;
}

uint64_t *object(Arena &arena, unsigned idx)
{
    const uint64_t *table = static_cast<uint64_t *>(slm_journal_root(&arena.journal));
    return static_cast<uint64_t *>(slm_journal_pointer(&arena.journal, table[idx]));
}

/* Eight objects of several sizes, one of them a run, in a table that is the root. */
void furnish(Arena &arena)
{
    static const size_t sizes[] = {8, 24, 100, 100, 500, 2000, 5000, 9000};
    uint64_t *table = make(arena, sizeof sizes, 0);
    for (size_t i = 0; i < 8; i++) {
        table[i] =
            slm_journal_offset(&arena.journal, make(arena, sizes[i], static_cast<int>(i) + 1));
    }
    EXPECT_EQ(slm_journal_set_root(&arena.journal, table), SLM_OK);
    EXPECT_EQ(slm_journal_commit(&arena.journal), SLM_OK);
}

void fill(Arena &arena, void *p, int value)
{
    ASSERT_NE(p, nullptr);
    memset(p, value, slm_slab_usable_bytes(arena.slab(), p));
}

void alloc_some(Arena &arena)
{
    fill(arena, slm_journal_alloc(&arena.journal, 40), 40);
    fill(arena, slm_journal_calloc(&arena.journal, 700), 41);
    fill(arena, slm_journal_memalign(&arena.journal, 256, 48), 42);
    fill(arena, slm_journal_alloc(&arena.journal, 6000), 43);
}

void free_some(Arena &arena)
{
    for (unsigned idx : {0u, 3u, 5u, 7u}) {
        EXPECT_EQ(slm_journal_free(&arena.journal, object(arena, idx)), SLM_OK);
    }
}

void write_words(Arena &arena)
{
    slm_journal_write(&arena.journal, object(arena, 2), 77);
    slm_journal_write(&arena.journal, object(arena, 2), 78);
    slm_journal_write(&arena.journal, object(arena, 6) + 600, 79);
}

void save_and_write(Arena &arena)
{
    unsigned char *p = reinterpret_cast<unsigned char *>(object(arena, 4)) + 3;
    EXPECT_EQ(slm_journal_note_range(&arena.journal, p, 30), SLM_OK);
    for (int i = 0; i < 30; i++) {
        p[i] = static_cast<unsigned char>(200 + i);
    }
}

void move_root(Arena &arena)
{
    EXPECT_EQ(slm_journal_set_root(&arena.journal, object(arena, 1)), SLM_OK);
}

void raise_version(Arena &arena)
{
    uint32_t version = journal_content_version(&arena.journal);
    EXPECT_EQ(slm_journal_set_version(&arena.journal, version + 1), SLM_OK);
    EXPECT_EQ(slm_journal_set_version(&arena.journal, UINT32_MAX - version), SLM_OK);
}

void everything(Arena &arena)
{
    raise_version(arena);
    free_some(arena);
    write_words(arena);
    alloc_some(arena);
    save_and_write(arena);
    move_root(arena);
}

void come_and_go(Arena &arena)
{
    void *p = slm_journal_alloc(&arena.journal, 33);
    fill(arena, p, 1);
    EXPECT_EQ(slm_journal_free(&arena.journal, p), SLM_OK);
}

void reset(Arena &arena)
{
    EXPECT_EQ(slm_journal_reset(&arena.journal), SLM_OK);
}

void change_and_abort(Arena &arena)
{
    everything(arena);
    slm_journal_abort(&arena.journal);
}

void nothing(Arena &)
{
}

const Script scripts[] = {
    {"Alloc", furnish, {alloc_some}},
    {"Free", furnish, {free_some}},
    {"Write", furnish, {write_words}},
    {"Save", furnish, {save_and_write}},
    {"SetRoot", furnish, {move_root}},
    {"SetVersion", furnish, {raise_version, raise_version}},
    {"AllOfThem", furnish, {everything}},
    {"AllocAndFreeTheSame", furnish, {come_and_go}},
    {"Reset", furnish, {reset}},
    {"ResetAndThenAlloc", furnish, {reset, alloc_some}},
    {"Abort", furnish, {change_and_abort, write_words}},
    {"ThreeCommits", furnish, {write_words, free_some, alloc_some}},
    {"IntoAnEmptyOne", nothing, {alloc_some, come_and_go}},
};

/* Returns the states that may be seen: the picture before, and one after each commit. */
std::vector<Picture> run(Arena &arena, const Script &script)
{
    std::vector<Picture> pictures = {take_picture(arena.journal)};
    for (auto transaction : script.transactions) {
        transaction(arena);
        EXPECT_EQ(slm_journal_commit(&arena.journal), SLM_OK);
        pictures.push_back(take_picture(arena.journal));
    }
    return pictures;
}

/* Does the same without pictures: a real process takes none. */
void only_run(Arena &arena, const Script &script)
{
    for (auto transaction : script.transactions) {
        transaction(arena);
        EXPECT_EQ(slm_journal_commit(&arena.journal), SLM_OK);
    }
}

/* Returns the position in `pictures`, from `first` on, or their number if the picture is not
 * there. */
size_t find(const std::vector<Picture> &pictures, const Picture &picture, size_t first)
{
    while (first < pictures.size() && !(pictures[first] == picture)) {
        first++;
    }
    return first;
}

class JournalDeath : public testing::TestWithParam<Script> {
  public:
    JournalDeath()
    {
        arena.reset(new Arena);
        GetParam().prepare(*arena);
        start = arena->bytes();
        pictures = run(*arena, GetParam());
        Arena again(start);
        left = watch(again, [&] { only_run(again, GetParam()); });
    }

  protected:
    std::unique_ptr<Arena> arena;
    Bytes start;
    std::vector<Picture> pictures;
    std::vector<Bytes> left;
};

/* Checks that the journal still works: an object can be allocated and freed. */
void expect_usable(Arena &arena)
{
    void *p = slm_journal_alloc(&arena.journal, 64);
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(slm_journal_commit(&arena.journal), SLM_OK);
    EXPECT_EQ(slm_journal_free(&arena.journal, p), SLM_OK);
    EXPECT_EQ(slm_journal_commit(&arena.journal), SLM_OK);
    EXPECT_EQ(arena.check(), kSound);
}

TEST_P(JournalDeath, BeforeAnyStoreLeavesAWholeNumberOfCommits)
{
    size_t at = 0;
    ASSERT_GT(left.size(), GetParam().transactions.size());
    for (size_t i = 0; i < left.size(); i++) {
        SCOPED_TRACE("store " + std::to_string(i) + " of " + std::to_string(left.size()));
        Arena heir(left[i]);
        ASSERT_EQ(slm_journal_recover(&heir.journal), SLM_OK);
        ASSERT_EQ(heir.check(), kSound);
        ASSERT_FALSE(slm_journal_is_dirty(&heir.journal));
        size_t now = find(pictures, take_picture(heir.journal), at);
        ASSERT_LT(now, pictures.size()) << take_picture(heir.journal) << "\nbefore it was\n"
                                        << pictures[at];
        at = now;
        expect_usable(heir);
    }
    EXPECT_TRUE(pictures[at] == pictures.back());
}

TEST_P(JournalDeath, OfTheRepairerBeforeAnyStoreLeavesTheSame)
{
    for (size_t i = 0; i < left.size(); i++) {
        SCOPED_TRACE("store " + std::to_string(i) + " of " + std::to_string(left.size()));
        Arena first(left[i]);
        std::vector<Bytes> again =
            watch(first, [&] { EXPECT_EQ(slm_journal_recover(&first.journal), SLM_OK); });
        Picture expected = take_picture(first.journal);
        for (const Bytes &bytes : again) {
            Arena second(bytes);
            ASSERT_EQ(slm_journal_recover(&second.journal), SLM_OK);
            ASSERT_EQ(second.check(), kSound);
            ASSERT_TRUE(take_picture(second.journal) == expected)
                << take_picture(second.journal) << "\nexpected\n"
                << expected;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Scripts, JournalDeath, testing::ValuesIn(scripts),
                         [](const auto &script) { return std::string(script.param.name); });

TEST(JournalDeathInAReset, BetweenTheEntryOfAResetAndItsCommitUndoesIt)
{
    Arena arena;
    furnish(arena);
    Picture before = take_picture(arena.journal);
    arena.journal.log->entries[0] = {uint64_t{JOURNAL_RESET} << JOURNAL_KIND_SHIFT, 0};
    arena.journal.log->state = 1;
    EXPECT_EQ(slm_journal_check(&arena.journal), 0u);
    EXPECT_EQ(slm_journal_recover(&arena.journal), SLM_OK);
    EXPECT_TRUE(take_picture(arena.journal) == before);
    EXPECT_EQ(slm_journal_n_undone(&arena.journal), 1u);
}

} // namespace
