/* SPDX-License-Identifier: Apache-2.0 */
/* The entries that trees and lists note, read from the log. */
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <random>

#include "tests/tree/rbtree_fixture.h"

extern "C" {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" /* a flexible array */
#include "allocator/journal/log.h"
#pragma GCC diagnostic pop
}

struct Note {
    uint64_t *word;
    uint64_t old;
};

namespace {

using namespace treetest;

constexpr unsigned kLogEntries = 256; /* more than one call takes */

/* An arena whose journal is on. All of it counts as one live object. */
class NotedArena : public Arena {
  public:
    explicit NotedArena(size_t n_items)
        : Arena(n_items), log_(slm_journal_log_bytes(kLogEntries) / sizeof(uint64_t)),
          notes_(sizeof(slm_journal_notes) / sizeof(uint64_t))
    {
        EXPECT_EQ(slm_journal_init(log_.data(), kLogEntries), SLM_OK);
        journal.log = reinterpret_cast<slm_journal_log *>(log_.data());
        journal.notes = reinterpret_cast<slm_journal_notes *>(notes_.data());
        journal.notes->live[0] = {base, bytes};
        journal.notes->anchor = {{base, bytes}, &live_, live_, &live_, live_};
        journal.n_max = kLogEntries;
    }
    /* What was noted since the last call, oldest first; afterwards the log is empty. */
    std::vector<Note> take_notes()
    {
        std::vector<Note> notes;
        for (uint32_t i = 0; i < journal_n_entries(journal.log); i++) {
            const journal_entry &entry = journal.log->entries[i];
            EXPECT_EQ(journal_kind_of(&entry), JOURNAL_WORD);
            void *word = slm_journal_pointer(&journal, entry.what & JOURNAL_OFFSET);
            notes.push_back({static_cast<uint64_t *>(word), entry.value});
        }
        journal.log->state = 0;
        return notes;
    }

  private:
    const slm_word live_ = 1;
    std::vector<uint64_t> log_;
    std::vector<uint64_t> notes_;
};

/* Undone from the newest on, the entries must restore every byte: no store bypassed them. */
void undo_and_redo(const Arena &a, const std::vector<Note> &notes,
                   const std::vector<unsigned char> &before)
{
    std::vector<unsigned char> after = a.image();
    for (auto note = notes.rbegin(); note != notes.rend(); ++note) {
        *note->word = note->old;
    }
    ASSERT_EQ(a.image(), before) << "something was changed without a note";
    a.restore(after);
}

TEST(Entries, EveryChangeIsNotedAndTheEntriesUndoIt)
{
    constexpr size_t kItems = 300;
    NotedArena a(kItems);
    std::mt19937_64 rng(3);
    size_t most[5] = {};
    for (int step = 0; step < 20000 && !testing::Test::HasFailure(); step++) {
        size_t i = rng() % kItems;
        size_t call = rng() % 5;
        bool is_new = call == 0 && a.node(i)->tree == 0;
        if (is_new) {
            a.item(i).key = rng() % 1000;
        }
        std::vector<unsigned char> before = a.image();
        if (is_new) {
            ASSERT_EQ(a.insert(i, a.item(i).key), SLM_OK);
        } else if (call == 1) {
            a.remove(i);
        } else if (call == 2) {
            slm_lru_insert(&a.journal, a.list, a.used(i));
        } else if (call == 3) {
            slm_lru_remove(&a.journal, a.list, a.used(i));
        } else if (call == 4) {
            slm_lru_touch(&a.journal, a.list, a.used(i));
        }
        std::vector<Note> notes = a.take_notes();
        most[call] = std::max(most[call], notes.size());
        undo_and_redo(a, notes, before);
    }
    std::printf("most entries of one call: insert %zu, delete %zu; list: insert %zu, remove %zu, "
                "touch %zu\n",
                most[0], most[1], most[2], most[3], most[4]);
    EXPECT_LE(most[0], SLM_RBTREE_ENTRIES);
    EXPECT_LE(most[1], SLM_RBTREE_ENTRIES);
    /* The nodes are zeroed. The sixth entry of an insert is for a newer node, and here is none. */
    EXPECT_EQ(most[2], SLM_LRU_ENTRIES - 1);
    EXPECT_EQ(most[3], SLM_LRU_ENTRIES);
    EXPECT_EQ(most[4], SLM_LRU_ENTRIES);
}

TEST(Entries, TouchOfTheNewestNeedsNone)
{
    NotedArena a(3);
    for (size_t i = 0; i < 3; i++) {
        ASSERT_EQ(slm_lru_insert(&a.journal, a.list, a.used(i)), SLM_OK);
    }
    EXPECT_FALSE(a.take_notes().empty());
    ASSERT_EQ(slm_lru_touch(&a.journal, a.list, a.used(2)), SLM_OK);
    EXPECT_EQ(a.take_notes().size(), 0u);
}

/* --- The worst trees --- */

/* Compares so that every search goes right. */
extern "C" int behind_all(const slm_rbtree_node *, const slm_rbtree_node *)
{
    return 1;
}

/* Links nodes by hand: sets all words and follows no rule. */
class Builder {
  public:
    explicit Builder(size_t n) : a(n)
    {
    }
    slm_rbtree_node *make(bool red)
    {
        slm_rbtree_node *node = a.node(n_made++);
        *node = {0, 0, red ? RBTREE_RED : 0, rbtree_tag(&a.journal, a.tree)};
        return node;
    }
    /* Children get their parent's offset and keep their colour. nullptr: no child. */
    slm_rbtree_node *join(slm_rbtree_node *node, slm_rbtree_node *left, slm_rbtree_node *right)
    {
        for (slm_rbtree_node *child : {left, right}) {
            if (child != nullptr) {
                child->parent = a.offset(node) | (child->parent & RBTREE_RED);
            }
        }
        node->left = a.offset(left);
        node->right = a.offset(right);
        return node;
    }
    /* A tree of black nodes only. Every path has n_blacks nodes. */
    slm_rbtree_node *perfect(unsigned n_blacks)
    {
        if (n_blacks == 0) {
            return nullptr;
        }
        slm_rbtree_node *left = perfect(n_blacks - 1);
        slm_rbtree_node *right = perfect(n_blacks - 1);
        return join(make(false), left, right);
    }
    /* A new node at the far right makes n recolourings: on its path black and red alternate, and
     * each red node has a red sibling. */
    slm_rbtree_node *cascade(unsigned n)
    {
        if (n == 0) {
            return nullptr;
        }
        slm_rbtree_node *uncle = join(make(true), perfect(n - 1), perfect(n - 1));
        slm_rbtree_node *parent = join(make(true), perfect(n - 1), cascade(n - 1));
        return join(make(false), uncle, parent);
    }
    void set_root(slm_rbtree_node *root)
    {
        a.tree->root = a.offset(root);
        a.tree->n_nodes = n_made;
    }
    size_t n_made = 0;
    NotedArena a;
};

/* Sound trees as tall as memory allows. */
TEST(Entries, InsertIntoATallTreeTakesThreeEntriesPerTwoLevels)
{
    for (unsigned n = 1; n <= 14; n++) {
        Builder b((size_t{3} << n) + 1);
        b.set_root(b.cascade(n));
        ASSERT_EQ(slm_rbtree_check(&b.a.journal, b.a.tree, nullptr, sizeof(Heads), b.a.bytes), 0u);
        slm_rbtree_node *last = b.a.node(b.n_made);
        ASSERT_EQ(slm_rbtree_insert(&b.a.journal, b.a.tree, last, behind_all), SLM_OK);
        ASSERT_EQ(slm_rbtree_check(&b.a.journal, b.a.tree, nullptr, sizeof(Heads), b.a.bytes), 0u);
        /* Four for the leaf, and three per recolouring except the root, which stays black. */
        EXPECT_EQ(b.a.take_notes().size(), 4 + 3 * n - 1) << n << " recolourings";
    }
}

/* A tree of the greatest possible height, 86 levels, does not fit into memory. What insert looks at
 * does: the path, and the siblings next to it. Left of the root is a red node. From its right child
 * on black and red alternate, and each red node has a red sibling, 41 times. So the leaf recolours
 * 41 times, and then it takes both rotations. */
TEST(Entries, InsertAtTheGreatestHeightTakesTheConstants141Entries)
{
    constexpr unsigned kRecolourings = (RBTREE_HEIGHT_MAX - 3) / 2;
    Builder b(3 * RBTREE_HEIGHT_MAX);
    slm_rbtree_node *way = nullptr;
    for (unsigned i = 0; i < kRecolourings; i++) {
        slm_rbtree_node *parent = b.join(b.make(true), nullptr, way);
        way = b.join(b.make(false), b.make(true), parent);
    }
    slm_rbtree_node *top = b.join(b.make(true), nullptr, way);
    slm_rbtree_node *root = b.join(b.make(false), top, nullptr);
    b.set_root(root);
    slm_rbtree_node *leaf = b.a.node(b.n_made);
    leaf->left = 8; /* the caller did not zero it: two more stores */
    leaf->right = 8;
    std::vector<unsigned char> before = b.a.image();
    /* Goes before the root, and after every other node. */
    static const slm_rbtree_node *the_root;
    the_root = root;
    auto order = [](const slm_rbtree_node *, const slm_rbtree_node *other) {
        return other == the_root ? -1 : 1;
    };
    ASSERT_EQ(slm_rbtree_insert(&b.a.journal, b.a.tree, leaf, order), SLM_OK);
    std::vector<Note> notes = b.a.take_notes();
    std::printf("insert at the greatest height: %zu entries\n", notes.size());
    EXPECT_EQ(notes.size(), 141u);
    EXPECT_EQ(SLM_RBTREE_ENTRIES, 141u);
    undo_and_redo(b.a, notes, before);
}

/* Remove at the greatest height: the path is all black, 43 nodes, each with a black leaf as its
 * sibling, so the gap rises from the heir's place to the top. There the sibling is red, and its
 * near child has a red near child: all three rotations. The removed node is the child of the top,
 * and its heir is the last of the path. */
TEST(Entries, RemoveAtTheGreatestHeightTakesFewerThanInsert)
{
    constexpr unsigned kBetween = RBTREE_BLACKS_MAX - 3; /* without top, removed node and heir */
    Builder b(4 * RBTREE_BLACKS_MAX);
    slm_rbtree_node *way = b.make(false);
    for (unsigned i = 0; i < kBetween; i++) {
        way = b.join(b.make(false), way, b.make(false));
    }
    slm_rbtree_node *gone = b.join(b.make(false), b.make(false), way);
    slm_rbtree_node *nephew = b.join(b.make(true), b.make(false), b.make(false));
    slm_rbtree_node *near = b.join(b.make(false), nephew, b.make(false));
    slm_rbtree_node *sibling = b.join(b.make(true), near, b.make(false));
    b.set_root(b.join(b.make(false), gone, sibling));
    std::vector<unsigned char> before = b.a.image();
    ASSERT_EQ(slm_rbtree_remove(&b.a.journal, b.a.tree, gone), SLM_OK);
    std::vector<Note> notes = b.a.take_notes();
    std::printf("delete at the greatest height: %zu entries\n", notes.size());
    EXPECT_EQ(notes.size(), 7 + 5 + (kBetween + 1) + 19);
    EXPECT_LE(notes.size(), SLM_RBTREE_ENTRIES);
    undo_and_redo(b.a, notes, before);
}

} // namespace
