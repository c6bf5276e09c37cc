/* SPDX-License-Identifier: Apache-2.0 */
/* What a refused call of a zone, a set or an image says: the status, the whole text, and the errno
 * of the system, or 0 where the library itself refuses. options_test.cc has the options of create,
 * and bad_input_test.cc has damaged headers. */
#include <cerrno>

#include "tests/zone/set_fixture.h"
#include <slabmill/zone_image.h>

namespace {

using namespace slm_test;

void expect_error(const slm_error &error, slm_status status, int os_errno, const std::string &text,
                  slm_status answer)
{
    EXPECT_EQ(answer, status);
    EXPECT_EQ(error.status, status);
    EXPECT_EQ(error.os_errno, os_errno);
    EXPECT_EQ(error.text, text);
}

/* A zone in a file. */
class ZoneRefusal : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(zone.create(options), SLM_OK) << zone.error.text;
    }
    void expect(slm_status status, int os_errno, const std::string &text, slm_status answer)
    {
        expect_error(error, status, os_errno, text, answer);
        error = {};
    }
    slm_status open()
    {
        other.detach();
        return slm_zone_open(&other.zone, &options, nullptr, &error);
    }

    ZoneOptions all;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);
    std::string path = options.segment.name;
    Zone zone;
    Zone other;
    slm_error error{};
};

TEST_F(ZoneRefusal, OfNoZoneAndNoOptionsSaysWhatIsMissing)
{
    slm_zone *out = nullptr;
    char text[SLM_ZONE_EXPORT_BYTES];
    const std::string no_zone = "NULL where a zone is needed";
    const std::string no_options = "no zone: no options, or no place for it";
    expect(SLM_E_NULL, 0, no_zone, slm_zone_grow(nullptr, 1, &error));
    expect(SLM_E_NULL, 0, no_zone, slm_zone_remove(nullptr, &error));
    expect(SLM_E_NULL, 0, no_options, slm_zone_create(&out, nullptr, &error));
    expect(SLM_E_NULL, 0, no_options, slm_zone_create(nullptr, &options, &error));
    expect(SLM_E_NULL, 0, no_options, slm_zone_open(nullptr, &options, nullptr, &error));
    expect(SLM_E_NULL, 0, "no zone, or no place for its text",
           slm_zone_export(nullptr, text, &error));
    expect(SLM_E_NULL, 0, "no zone: no text, or no place for it",
           slm_zone_import(&out, nullptr, nullptr, &error));
}

TEST_F(ZoneRefusal, OfAnotherDeclarationNamesTheOptionAndBothValues)
{
    struct {
        void (*change)(slm_zone_options &o);
        slm_status status;
        const char *text;
    } const rows[] = {
        {[](slm_zone_options &o) { o.tag = "other"; }, SLM_E_NAME,
         "its tag is \"test v1\", and \"other\" is declared"},
        {[](slm_zone_options &o) { o.lock_kind = SLM_LOCK_SPIN_SEM; }, SLM_E_OPTION,
         "its lock_kind is 0, and 1 is declared"},
        {[](slm_zone_options &o) { o.journal_entries = 512; }, SLM_E_OPTION,
         "its journal_entries is 256, and 512 is declared"},
        {[](slm_zone_options &o) { o.slab.page_bytes = 16384; }, SLM_E_OPTION,
         "its slab.page_bytes is 4096, and 16384 is declared"},
        {[](slm_zone_options &o) { o.slab.min_object_bytes = 16; }, SLM_E_OPTION,
         "its slab.min_object_bytes is 8, and 16 is declared"},
        {[](slm_zone_options &o) { o.slab.per_doubling = 8; }, SLM_E_OPTION,
         "its slab.per_doubling is 1, and 8 is declared"},
        {[](slm_zone_options &o) { o.slab.gap_bytes = 7; }, SLM_E_OPTION,
         "its slab.gap_bytes is 0, and 7 is declared"},
        {[](slm_zone_options &o) { o.bytes = o.max_bytes = kZoneMaxBytes + 4096; }, SLM_E_SIZE,
         "its max_bytes is 1048576, and bytes 1052672 is declared"},
    };
    slm_zone_options right = options;
    for (const auto &row : rows) {
        options = right;
        row.change(options);
        expect(row.status, 0, std::string("zone keys: ") + row.text, open());
        Set set;
        slm_status status = set.apply({{options, nullptr, nullptr, false}});
        expect_error(set.error, row.status, 0, std::string("zone keys: ") + row.text, status);
    }
}

TEST_F(ZoneRefusal, OfTheSystemHasItsErrno)
{
    Zone third;
    slm_status status = third.create(options);
    expect_error(third.error, SLM_E_EXISTS, EEXIST,
                 "zone keys: " + path + ": cannot create: " + strerror(EEXIST), status);
    slm_zone_attach_options missing = all.to_attach(zone);
    ASSERT_EQ(unlink(path.c_str()), 0);
    status = third.attach(missing);
    expect_error(third.error, SLM_E_MISSING, ENOENT,
                 path + ": cannot look at it: " + strerror(ENOENT), status);
    expect(SLM_E_MISSING, ENOENT, path + ": its name: " + strerror(ENOENT),
           slm_zone_remove(zone, &error));
}

TEST_F(ZoneRefusal, OfExportAndImportNamesZoneAndText)
{
    Zone inherited;
    char text[SLM_ZONE_EXPORT_BYTES];
    ASSERT_EQ(inherited.create(all.of(SLM_SEGMENT_ANONYMOUS)), SLM_OK);
    expect(SLM_E_OPTION, 0, "zone keys: anonymous memory cannot be handed over",
           slm_zone_export(inherited, text, &error));
    expect(SLM_E_OPTION, 0, "\"memfd:x\": not a zone handed over",
           slm_zone_import(&other.zone, "memfd:x", nullptr, &error));
    expect(SLM_E_MISSING, EBADF,
           std::string("memfd 999999: no such descriptor: ") + strerror(EBADF),
           slm_zone_import(&other.zone, "memfd:999999", nullptr, &error));
}

TEST_F(ZoneRefusal, OfASetNamesTheZone)
{
    Set set;
    slm_zone_options memory = all.of(SLM_SEGMENT_ANONYMOUS);
    Inits inits;
    inits.answer = SLM_E_STATE;
    inits.fail_at = 0;
    expect(SLM_E_NULL, 0, "no set, or no declarations",
           slm_zone_set_apply(nullptr, nullptr, 0, &error));
    slm_status status = set.apply({inits.declare(memory), inits.declare(memory)});
    expect_error(set.error, SLM_E_DUPLICATE, 0, "zone keys is declared twice", status);
    status = set.apply({inits.declare(memory)});
    expect_error(set.error, SLM_E_STATE, 0,
                 std::string("zone keys: its init failed: ") + slm_status_text(SLM_E_STATE),
                 status);
}

TEST_F(ZoneRefusal, OfAnImageNamesItsLabel)
{
    slm_zone_image image;
    unsigned char head[SLM_ZONE_IMAGE_HEAD_BYTES] = {1};
    expect(SLM_E_NULL, 0, "no image, no head, or no label",
           slm_zone_image_read(&image, nullptr, 1, "copy", &error));
    expect(SLM_E_TRUNCATED, 0,
           "copy: 3 bytes, too short for a zone: expected " + std::to_string(SLM_ZONE_BYTES_MIN) +
               " at least",
           slm_zone_image_read(&image, head, 3, "copy", &error));
    expect(SLM_E_MAGIC, 0,
           "copy: not a zone: it begins with 0000000000000001, expected 656e6f7a6d6c7300",
           slm_zone_image_read(&image, head, sizeof head, "copy", &error));
}

} // namespace
