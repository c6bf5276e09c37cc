/* SPDX-License-Identifier: Apache-2.0 */
/* Names and tags of which one is the beginning of another: they are different. */
#include "tests/zone/set_fixture.h"

namespace {

using namespace slm_test;

const std::string kLongest(SLM_ZONE_NAME_BYTES - 1, 'x');
const std::string kLonger = kLongest.substr(1);

/* Each is the beginning of the next. The empty tag is what NULL declares. */
const std::vector<std::string> kTags[] = {{"", "l", "limit", "limit_req"}, {kLonger, kLongest}};
const std::vector<std::string> kNames[] = {{"l", "limit", "limit_req"}, {kLonger, kLongest}};

/* Calls check(stored, declared) for all pairs within a row. */
template <size_t N>
void for_each_pair(const std::vector<std::string> (&rows)[N],
                   const std::function<void(const std::string &, const std::string &)> &check)
{
    for (const auto &row : rows) {
        for (const std::string &stored : row) {
            for (const std::string &declared : row) {
                SCOPED_TRACE("\"" + stored + "\" and \"" + declared + "\"");
                check(stored, declared);
            }
        }
    }
}

/* A zone in a file. Each pair makes its own. */
struct Stored : Zone {
    ZoneOptions all;
    slm_zone_options options = all.of(SLM_SEGMENT_FILE);

    void make(const std::string &name, const std::string &tag)
    {
        options.name = name.c_str();
        options.tag = tag.c_str();
        ASSERT_EQ(create(options), SLM_OK) << error.text;
        ASSERT_EQ(push_alone(zone, 7), SLM_OK);
    }
};

void expect_match(bool is_same, slm_status status, const slm_error &error,
                  const std::string &stored, const std::string &declared)
{
    std::string text = error.text;
    EXPECT_EQ(status, is_same ? SLM_OK : SLM_E_NAME) << text;
    if (!is_same) {
        EXPECT_NE(text.find("\"" + stored + "\""), std::string::npos) << text;
        EXPECT_NE(text.find("\"" + declared.substr(0, 60)), std::string::npos) << text;
    }
}

TEST(ZonePrefix, AttachRefusesATagThatBeginsAlike)
{
    for_each_pair(kTags, [](const std::string &stored, const std::string &declared) {
        Stored zone;
        Zone other;
        zone.make("keys", stored);
        slm_zone_attach_options options = zone.all.to_attach(zone);
        options.tag = declared.c_str();
        slm_status status = other.attach(options);
        expect_match(stored == declared, status, other.error, stored, declared);
        options.tag = nullptr; /* any */
        other.detach();
        EXPECT_EQ(other.attach(options), SLM_OK);
        EXPECT_EQ(slm_zone_tag(other), stored);
    });
}

TEST(ZonePrefix, AttachRefusesANameThatBeginsAlike)
{
    for_each_pair(kNames, [](const std::string &stored, const std::string &declared) {
        Stored zone;
        Zone other;
        zone.make(stored, "test v1");
        slm_zone_attach_options options = zone.all.to_attach(zone);
        options.name = declared.c_str();
        slm_status status = other.attach(options);
        expect_match(stored == declared, status, other.error, stored, declared);
    });
}

/* Opens with `name` and `tag`, and does the same by a set that starts. */
void expect_opened(bool is_same, const Stored &zone, const std::string &name,
                   const std::string &tag, const std::string &stored, const std::string &declared)
{
    Zone other;
    Set set;
    bool is_new = true;
    slm_zone_options options = zone.options;
    options.name = name.c_str();
    options.tag = tag.empty() ? nullptr : tag.c_str();
    slm_status status = slm_zone_open(&other.zone, &options, &is_new, &other.error);
    expect_match(is_same, status, other.error, stored, declared);
    EXPECT_FALSE(is_new && is_same);
    status = set.apply({{options, nullptr, nullptr, false}});
    expect_match(is_same, status, set.error, stored, declared);
    EXPECT_EQ(set.size(), is_same ? 1u : 0u);
    EXPECT_EQ(numbers_alone(zone), (Numbers{7}));
}

TEST(ZonePrefix, OpenRefusesATagThatBeginsAlike)
{
    for_each_pair(kTags, [](const std::string &stored, const std::string &declared) {
        Stored zone;
        zone.make("keys", stored);
        expect_opened(stored == declared, zone, "keys", declared, stored, declared);
    });
}

TEST(ZonePrefix, OpenRefusesANameThatBeginsAlike)
{
    for_each_pair(kNames, [](const std::string &stored, const std::string &declared) {
        Stored zone;
        zone.make(stored, "test v1");
        expect_opened(stored == declared, zone, declared, "test v1", stored, declared);
    });
}

TEST(ZonePrefix, AReloadRefusesATagThatBeginsAlike)
{
    for_each_pair(kTags, [](const std::string &stored, const std::string &declared) {
        ZoneOptions all;
        Set set;
        slm_zone_options options = all.of(SLM_SEGMENT_FILE);
        options.tag = stored.c_str();
        ASSERT_EQ(set.apply({{options, nullptr, nullptr, false}}), SLM_OK) << set.error.text;
        slm_zone *zone = set["keys"];
        options.tag = declared.c_str();
        slm_status status = set.apply({{options, nullptr, nullptr, false}});
        expect_match(stored == declared, status, set.error, stored, declared);
        EXPECT_EQ(set["keys"], zone);
        EXPECT_EQ(slm_zone_tag(zone), stored);
    });
}

/* A declaration of a memfd zone, which has no name besides the zone's. */
slm_zone_declaration declare(const ZoneOptions &all, const std::string &name)
{
    slm_zone_options options = all.of(SLM_SEGMENT_MEMFD);
    options.name = name.c_str();
    return {options, nullptr, nullptr, false};
}

TEST(ZonePrefix, AReloadReusesNoZoneWhoseNameBeginsAlike)
{
    for_each_pair(kNames, [](const std::string &stored, const std::string &declared) {
        ZoneOptions all;
        Set set;
        ASSERT_EQ(set.apply({declare(all, stored)}), SLM_OK) << set.error.text;
        ASSERT_EQ(push_alone(set[stored.c_str()], 7), SLM_OK);
        ASSERT_EQ(set.apply({declare(all, declared)}), SLM_OK) << set.error.text;
        bool is_same = stored == declared;
        EXPECT_EQ(set[stored.c_str()] != nullptr, is_same);
        EXPECT_EQ(numbers_alone(set[declared.c_str()]), is_same ? Numbers{7} : Numbers());
        EXPECT_EQ(slm_zone_name(set[declared.c_str()]), declared);
    });
}

TEST(ZonePrefix, AReloadReusesNoZoneWhoseFileBeginsAlike)
{
    for_each_pair(kNames, [](const std::string &stored, const std::string &declared) {
        ZoneOptions all;
        Set set;
        std::string path = all.folder() / stored;
        slm_zone_options options = all.of(SLM_SEGMENT_FILE);
        options.segment.name = path.c_str();
        ASSERT_EQ(set.apply({{options, nullptr, nullptr, false}}), SLM_OK) << set.error.text;
        ASSERT_EQ(push_alone(set["keys"], 7), SLM_OK);
        std::string other = all.folder() / declared;
        options.segment.name = other.c_str();
        ASSERT_EQ(set.apply({{options, nullptr, nullptr, false}}), SLM_OK) << set.error.text;
        EXPECT_EQ(numbers_alone(set["keys"]), stored == declared ? Numbers{7} : Numbers());
        EXPECT_EQ(slm_segment_label(slm_zone_segment(set["keys"])), other);
    });
}

/* Each zone's content is its place in the declarations. */
void expect_apart(Set &set, const std::vector<slm_zone_declaration> &declarations, bool is_filled)
{
    EXPECT_EQ(set.size(), declarations.size());
    for (size_t i = 0; i < declarations.size(); i++) {
        const char *name = declarations[i].options.name;
        EXPECT_STREQ(slm_zone_name(set[name]), name);
        EXPECT_EQ(numbers_alone(set[name]), is_filled ? Numbers{i} : Numbers());
        EXPECT_TRUE(is_filled || push_alone(set[name], i) == SLM_OK);
    }
    EXPECT_EQ(set["lim"], nullptr);
    EXPECT_EQ(set[""], nullptr);
}

/* A comparison that knows one direction only passes for one of the two orders. */
TEST(ZonePrefix, ASetHoldsZonesWhoseNamesAndFilesBeginAlike)
{
    std::vector<std::string> backward(kNames[0].rbegin(), kNames[0].rend());
    for (const auto &names : {kNames[0], backward}) {
        ZoneOptions all;
        Set set;
        std::vector<slm_zone_declaration> declarations;
        std::vector<std::string> paths;
        for (const std::string &name : names) {
            paths.push_back(all.folder() / name);
        }
        for (size_t i = 0; i < paths.size(); i++) {
            slm_zone_options options = all.of(SLM_SEGMENT_FILE);
            options.name = names[i].c_str();
            options.segment.name = paths[i].c_str();
            declarations.push_back({options, nullptr, nullptr, false});
        }
        for (bool is_filled : {false, true}) {
            ASSERT_EQ(set.apply(declarations), SLM_OK) << set.error.text;
            expect_apart(set, declarations, is_filled);
        }
    }
}

} // namespace
