/* SPDX-License-Identifier: Apache-2.0 */
/* A read-only handle, which has no lock: each call that needs the lock refuses. */
#include "tests/zone/set_fixture.h"

using namespace slm_test;

namespace {

/* A zone with one object, its root, and a read-only handle of it. No test changes its bytes. */
class ZoneReadOnly : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(zone.create(options.of(SLM_SEGMENT_MEMFD)), SLM_OK);
        ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
        object = slm_journal_alloc(zone.journal(), 64);
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
