/* SPDX-License-Identifier: Apache-2.0 */
/* A read-only handle, which has no lock: each call that needs the lock refuses. */
#include <slabmill/lru.h>
#include <slabmill/rbtree.h>

#include "tests/zone/set_fixture.h"

using namespace slm_test;

namespace {

int order(const slm_rbtree_node *, const slm_rbtree_node *)
{
    return 0;
}

/* A zone with one object, its root, and a read-only handle of it. No test changes its bytes. */
class ZoneReadOnly : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(zone.create(options.of(SLM_SEGMENT_MEMFD)), SLM_OK);
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
        object = slm_journal_calloc(zone.journal(), 64);
        ASSERT_EQ(slm_zone_set_root_locked(zone, object), SLM_OK);
        ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
        read_only = options.to_attach(zone);
        read_only.segment.read_only = true;
        ASSERT_EQ(reader.attach(read_only), SLM_OK);
        root = slm_zone_root_locked(reader);
        before.assign(zone.base(), zone.base() + kZoneBytes);
    }
    void TearDown() override
    {
        EXPECT_EQ(memcmp(before.data(), zone.base(), kZoneBytes), 0);
        EXPECT_EQ(slm_zone_root_locked(reader), root);
    }

    ZoneOptions options;
    Zone zone, reader;
    slm_zone_attach_options read_only{};
    void *object = nullptr;
    void *root = nullptr; /* where the reader sees the object */
    std::vector<unsigned char> before;
};

TEST_F(ZoneReadOnly, LockedCallsThatWriteRefuse)
{
    EXPECT_EQ(slm_zone_commit_locked(reader), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_zone_reset_locked(reader), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_zone_set_root_locked(reader, root), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_zone_set_root_locked(reader, nullptr), SLM_E_READ_ONLY);
    slm_zone_abort_locked(reader);
}

TEST_F(ZoneReadOnly, AnUnlockAndTheEndOfATurnRefuse)
{
    EXPECT_EQ(slm_zone_unlock(reader), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_zone_end(reader, SLM_OK), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_zone_end(reader, SLM_E_BUSY), SLM_E_BUSY);
}

/* Until it checks, the reader has not seen that the zone grew. */
TEST_F(ZoneReadOnly, CallsRefuseForThatReasonAlsoAfterAGrowthThatItHasNotSeen)
{
    ASSERT_EQ(slm_zone_grow(zone, 2 * kZoneBytes, nullptr), SLM_OK);
    before.assign(zone.base(), zone.base() + kZoneBytes);
    EXPECT_EQ(slm_journal_free(slm_zone_journal(reader), root), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_journal_reset(slm_zone_journal(reader)), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_zone_reset_locked(reader), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_slab_free_locked(slm_zone_slab(reader), root), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_slab_reset_locked(slm_zone_slab(reader)), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_journal_set_root(slm_zone_journal(reader), root), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_slab_set_root(slm_zone_slab(reader), root), SLM_E_READ_ONLY);
    /* An object of the new pages, at the reader's address for it. */
    auto at = static_cast<unsigned char *>(root) + kZoneBytes;
    EXPECT_EQ(slm_journal_set_root(slm_zone_journal(reader), at), SLM_E_READ_ONLY);
}

TEST_F(ZoneReadOnly, CallsThatNoteInItsJournalRefuse)
{
    slm_journal *journal = slm_zone_journal(reader);
    auto *word = static_cast<uint64_t *>(root);
    EXPECT_FALSE(slm_journal_has_room(journal, 1));
    EXPECT_EQ(slm_journal_write(journal, word, 1), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_journal_set_number(journal, word, 4, 1), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_journal_add_number(journal, word, 4, 1), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_journal_note_range(journal, word, 16), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_journal_alloc(journal, 16), nullptr);
    EXPECT_EQ(slm_journal_calloc(journal, 16), nullptr);
    EXPECT_EQ(slm_journal_memalign(journal, 64, 16), nullptr);
    EXPECT_EQ(slm_journal_free(journal, root), SLM_E_READ_ONLY);
    EXPECT_EQ(slm_journal_set_root(journal, root), SLM_E_READ_ONLY);
}

TEST_F(ZoneReadOnly, CallsThatEndATransactionOfItsJournalRefuse)
{
    slm_journal *journal = slm_zone_journal(reader);
    for (int i = 0; i < 2; i++) {
        slm_journal_abort(journal);
        EXPECT_EQ(slm_journal_commit(journal), SLM_E_READ_ONLY);
        EXPECT_EQ(slm_journal_reset(journal), SLM_E_READ_ONLY);
        EXPECT_EQ(slm_journal_recover(journal), SLM_E_READ_ONLY);
        EXPECT_EQ(slm_journal_write(journal, static_cast<uint64_t *>(root), 1), SLM_E_READ_ONLY);
    }
}

TEST_F(ZoneReadOnly, TreesAndListsInItAreNotChanged)
{
    slm_journal *journal = slm_zone_journal(reader);
    auto *tree = static_cast<slm_rbtree *>(root);
    EXPECT_EQ(slm_rbtree_insert(journal, tree, static_cast<slm_rbtree_node *>(root), order),
              SLM_E_READ_ONLY);
    auto *lru = static_cast<slm_lru *>(root);
    EXPECT_EQ(slm_lru_insert(journal, lru, static_cast<slm_lru_node *>(root)), SLM_E_READ_ONLY);
}

TEST_F(ZoneReadOnly, LockedCallsThatReadWork)
{
    EXPECT_NE(root, nullptr);
    EXPECT_EQ(slm_zone_check_locked(reader), 0u);
}

TEST_F(ZoneReadOnly, ASetCannotReuseIt)
{
    Set set;
    slm_zone_declaration one{options.of(SLM_SEGMENT_MEMFD), nullptr, nullptr, false};
    slm_zone *adopted = nullptr; /* the set detaches it */
    ASSERT_EQ(slm_zone_attach(&adopted, &read_only, nullptr), SLM_OK);
    ASSERT_EQ(slm_zone_set_adopt(set, adopted), SLM_OK);
    EXPECT_EQ(slm_zone_set_apply(set, &one, 1, nullptr), SLM_E_READ_ONLY);
    EXPECT_EQ(set["keys"], adopted);
}

} // namespace
