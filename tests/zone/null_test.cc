/* SPDX-License-Identifier: Apache-2.0 */
/* Every call of zone.h, zone_copy.h, zone_set.h and zone_image.h with NULL in each of its pointers:
 * the rule of status.h. */
#include "tests/zone/set_fixture.h"
#include <slabmill/zone_copy.h>
#include <slabmill/zone_image.h>

using namespace slm_test;

namespace {

class ZoneNull : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(zone.create(options.of(SLM_SEGMENT_MEMFD)), SLM_OK);
    }

    ZoneOptions options;
    Zone zone;
};

TEST_F(ZoneNull, CallsWithoutAZoneReturnTheStatusForNull)
{
    int object = 0;
    EXPECT_EQ(slm_zone_lock(nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_zone_trylock(nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_zone_timedlock(nullptr, 1), SLM_E_NULL);
    EXPECT_EQ(slm_zone_unlock(nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_zone_end(nullptr, SLM_OK), SLM_E_NULL);
    EXPECT_EQ(slm_zone_end(nullptr, SLM_E_NOMEM), SLM_E_NULL);
    EXPECT_EQ(slm_zone_commit_locked(nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_zone_reset_locked(nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_zone_set_root_locked(nullptr, &object), SLM_E_NULL);
    EXPECT_EQ(slm_zone_free(nullptr, &object), SLM_E_NULL);
    EXPECT_EQ(slm_zone_free(nullptr, nullptr), SLM_E_NULL);
    EXPECT_NULL_ERROR(slm_zone_grow(nullptr, kZoneMaxBytes, &error));
    EXPECT_NULL_ERROR(slm_zone_remove(nullptr, &error));
    EXPECT_NULL_ERROR(slm_zone_sync(nullptr, &error));
    EXPECT_NULL_ERROR(slm_zone_trim(nullptr, nullptr, &error));
    slm_segment_options to{};
    EXPECT_NULL_ERROR(slm_zone_copy(nullptr, &to, nullptr, &error));
    EXPECT_NULL_ERROR(slm_zone_copy(zone, nullptr, nullptr, &error));
    slm_zone_abort_locked(nullptr);
    slm_zone_detach(nullptr);
}

TEST_F(ZoneNull, CallsWithoutAZoneReturnNullZeroOrFalse)
{
    slm_status status = SLM_OK;
    EXPECT_EQ(slm_zone_alloc(nullptr, 8, &status), nullptr);
    EXPECT_EQ(status, SLM_E_NULL);
    status = SLM_OK;
    EXPECT_EQ(slm_zone_calloc(nullptr, 8, &status), nullptr);
    EXPECT_EQ(status, SLM_E_NULL);
    EXPECT_EQ(slm_zone_alloc(nullptr, 8, nullptr), nullptr);
    status = SLM_OK;
    EXPECT_EQ(slm_zone_alloc_evicting_locked(
                  nullptr, 8, [](slm_zone *, void *) { return false; }, nullptr, &status),
              nullptr);
    EXPECT_EQ(status, SLM_E_NULL);
    status = SLM_OK;
    EXPECT_EQ(slm_zone_alloc_evicting_locked(zone, 8, nullptr, nullptr, &status), nullptr);
    EXPECT_EQ(status, SLM_E_NULL);
    EXPECT_EQ(slm_zone_alloc_evicting_locked(nullptr, 8, nullptr, nullptr, nullptr), nullptr);
    EXPECT_EQ(slm_zone_journal(nullptr), nullptr);
    EXPECT_EQ(slm_zone_root_locked(nullptr), nullptr);
    EXPECT_EQ(slm_zone_slab(nullptr), nullptr);
    EXPECT_EQ(slm_zone_lock_handle(nullptr), nullptr);
    EXPECT_EQ(slm_zone_segment(nullptr), nullptr);
    EXPECT_EQ(slm_zone_name(nullptr), nullptr);
    EXPECT_EQ(slm_zone_tag(nullptr), nullptr);
    EXPECT_EQ(slm_zone_check_locked(nullptr), 0u);
}

TEST_F(ZoneNull, PrintNeedsAZoneAndAFile)
{
    EXPECT_EQ(slm_zone_print(nullptr, stderr), SLM_E_NULL);
    EXPECT_EQ(slm_zone_print(zone, nullptr), SLM_E_NULL);
}

TEST_F(ZoneNull, WithoutOptionsNoLengthIsEnough)
{
    EXPECT_EQ(slm_zone_bytes_for(nullptr, 8, 1), 0u);
}

TEST_F(ZoneNull, WithoutAZoneOrAPlaceThereAreNoStats)
{
    struct slm_zone_stats stats = {};
    stats.bytes = 77;
    slm_zone_get_stats(nullptr, &stats);
    EXPECT_EQ(stats.bytes, 77u);
    slm_zone_get_stats(zone, nullptr);
    slm_zone_get_stats(zone, &stats);
    EXPECT_EQ(stats.bytes, kZoneBytes);
}

TEST_F(ZoneNull, CreateAndAttachNeedTheirPointers)
{
    slm_zone_options create = options.of(SLM_SEGMENT_ANONYMOUS);
    slm_zone_attach_options attach = options.to_attach(zone);
    slm_zone *out = zone;
    EXPECT_NULL_ERROR(slm_zone_create(nullptr, &create, &error));
    EXPECT_NULL_ERROR(slm_zone_create(&out, nullptr, &error));
    EXPECT_EQ(out, nullptr);
    out = zone;
    EXPECT_NULL_ERROR(slm_zone_open(nullptr, &create, nullptr, &error));
    EXPECT_NULL_ERROR(slm_zone_open(&out, nullptr, nullptr, &error));
    EXPECT_EQ(out, nullptr);
    out = zone;
    EXPECT_NULL_ERROR(slm_zone_attach(nullptr, &attach, &error));
    EXPECT_NULL_ERROR(slm_zone_attach(&out, nullptr, &error));
    EXPECT_EQ(out, nullptr);
}

TEST_F(ZoneNull, NullInOptionsIsAnOptionThatIsNotAllowed)
{
    Set set;
    slm_zone *out = zone;
    slm_zone_options create = options.of(SLM_SEGMENT_ANONYMOUS);
    create.name = nullptr;
    EXPECT_EQ(slm_zone_create(&out, &create, nullptr), SLM_E_NAME);
    EXPECT_EQ(out, nullptr);
    EXPECT_EQ(set.apply({{create, nullptr, nullptr, false}, {create, nullptr, nullptr, false}}),
              SLM_E_NAME);
    create = options.of(SLM_SEGMENT_FILE);
    create.segment.name = nullptr;
    EXPECT_EQ(slm_zone_create(&out, &create, nullptr), SLM_E_NAME);
    create = options.of(SLM_SEGMENT_ANONYMOUS, SLM_LOCK_FILE);
    create.lock_path = nullptr;
    EXPECT_EQ(slm_zone_create(&out, &create, nullptr), SLM_E_OPTION);
    slm_zone_attach_options attach{};
    attach.segment.kind = SLM_SEGMENT_FILE;
    EXPECT_EQ(slm_zone_attach(&out, &attach, nullptr), SLM_E_NAME);
}

TEST_F(ZoneNull, FreeOfNullDoesNothingAndSucceeds)
{
    EXPECT_EQ(slm_zone_free(zone, nullptr), SLM_OK);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_free(zone, nullptr), SLM_OK); /* it needs no lock */
    EXPECT_EQ(slm_zone_set_root_locked(zone, nullptr), SLM_OK);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(check_alone(zone), 0u);
}

TEST_F(ZoneNull, SetCallsNeedTheirPointers)
{
    Set set;
    slm_zone_declaration one{options.of(SLM_SEGMENT_ANONYMOUS), nullptr, nullptr, false};
    EXPECT_EQ(slm_zone_set_create(nullptr), SLM_E_NULL);
    EXPECT_NULL_ERROR(slm_zone_set_apply(nullptr, &one, 1, &error));
    EXPECT_NULL_ERROR(slm_zone_set_apply(set, nullptr, 1, &error));
    EXPECT_EQ(slm_zone_set_apply(set, nullptr, 0, nullptr), SLM_OK);
    EXPECT_EQ(slm_zone_set_limit_wait(nullptr, 1), SLM_E_NULL);
    EXPECT_EQ(slm_zone_set_share(nullptr, true), SLM_E_NULL);
    EXPECT_EQ(slm_zone_set_adopt(nullptr, zone), SLM_E_NULL);
    EXPECT_EQ(slm_zone_set_adopt(set, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_zone_set_find(nullptr, "keys"), nullptr);
    EXPECT_EQ(slm_zone_set_find(set, nullptr), nullptr);
    EXPECT_EQ(slm_zone_set_at(nullptr, 0), nullptr);
    slm_zone_set_destroy(nullptr);
}

TEST_F(ZoneNull, ExportAndImportNeedTheirPointers)
{
    char text[SLM_ZONE_EXPORT_BYTES] = "before";
    slm_zone *out = zone;
    EXPECT_NULL_ERROR(slm_zone_export(nullptr, text, &error));
    EXPECT_STREQ(text, "");
    EXPECT_NULL_ERROR(slm_zone_export(zone, nullptr, &error));
    EXPECT_NULL_ERROR(slm_zone_import(nullptr, "sysv:1", nullptr, &error));
    EXPECT_NULL_ERROR(slm_zone_import(&out, nullptr, nullptr, &error));
    EXPECT_EQ(out, nullptr);
}

TEST_F(ZoneNull, ImageCallsNeedTheirPointers)
{
    slm_zone_image image{};
    slm_zone_image_notes notes{77, true};
    slm_lock_owner owner{};
    slm_slab *slab = nullptr;
    slm_journal journal{};
    const void *head = zone.base();
    const size_t n = SLM_ZONE_IMAGE_HEAD_BYTES;
    EXPECT_NULL_ERROR(slm_zone_image_read(nullptr, head, n, "copy", &error));
    EXPECT_NULL_ERROR(slm_zone_image_read(&image, nullptr, n, "copy", &error));
    EXPECT_NULL_ERROR(slm_zone_image_read(&image, head, n, nullptr, &error));
    EXPECT_NULL_ERROR(slm_zone_image_owner(nullptr, &owner, &error));
    EXPECT_NULL_ERROR(slm_zone_image_owner(&image, nullptr, &error));
    slab = reinterpret_cast<slm_slab *>(&image);
    journal.n_max = 77;
    EXPECT_EQ(slm_zone_image_open(nullptr, zone.base(), &slab, &journal), SLM_E_NULL);
    EXPECT_EQ(slab, nullptr);
    EXPECT_EQ(journal.n_max, 0u);
    slab = reinterpret_cast<slm_slab *>(&image);
    EXPECT_EQ(slm_zone_image_open(&image, nullptr, &slab, &journal), SLM_E_NULL);
    EXPECT_EQ(slab, nullptr);
    EXPECT_EQ(slm_zone_image_open(&image, zone.base(), nullptr, &journal), SLM_E_NULL);
    EXPECT_EQ(slm_zone_image_open(&image, zone.base(), &slab, nullptr), SLM_E_NULL);
    slm_zone_image_get_notes(nullptr, &notes);
    EXPECT_EQ(notes.n_noted, 77u);
    slm_zone_image_get_notes(zone.journal(), nullptr);
}

TEST_F(ZoneNull, AnImageWithoutPartsIsNeitherCheckedNorRepaired)
{
    slm_zone_image image{};
    slm_zone_image_notes notes{77, true};
    slm_journal off{};
    slm_slab *slab = slm_zone_slab(zone);
    slm_zone_image_get_notes(&off, &notes);
    EXPECT_EQ(notes.n_noted, 0u);
    EXPECT_FALSE(notes.is_committed);
    EXPECT_EQ(slm_zone_image_check(nullptr, slab, zone.journal()), 0u);
    EXPECT_EQ(slm_zone_image_check(&image, nullptr, zone.journal()), 0u);
    EXPECT_EQ(slm_zone_image_check(&image, slab, nullptr), 0u);
    EXPECT_EQ(slm_zone_image_repair(nullptr, slab, zone.journal()), SLM_E_NULL);
    EXPECT_EQ(slm_zone_image_repair(&image, nullptr, zone.journal()), SLM_E_NULL);
    EXPECT_EQ(slm_zone_image_repair(&image, slab, nullptr), SLM_E_NULL);
}

} // namespace
