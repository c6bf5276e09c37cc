/* SPDX-License-Identifier: Apache-2.0 */
/* Zones made by earlier builds: each attaches, checks 0 and has its contents. */
#include <gtest/gtest.h>

#include <iterator>

#include "tests/images/images.h"
#include <slabmill/zone_image.h>

namespace {

using namespace slm_test;

std::string read_image(const std::string &name)
{
    std::ifstream file("corpus/images/" + name + ".zone", std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

/* A copy of the image, of the zone's full length, which a test may change. */
class ImageTest : public testing::TestWithParam<Image> {
  protected:
    void SetUp() override
    {
        std::string bytes = read_image(GetParam().name);
        ASSERT_GE(bytes.size(), size_t{SLM_ZONE_IMAGE_HEAD_BYTES}) << "there is no such image";
        bytes.resize(GetParam().bytes);
        path_ = folder_ / "zone";
        std::ofstream(path_, std::ios::binary) << bytes;
        ASSERT_EQ(chmod(path_.c_str(), 0600), 0);
        options_.segment.kind = SLM_SEGMENT_FILE;
        options_.segment.name = path_.c_str();
        options_.name = "image";
        options_.tag = "corpus v1";
    }

    void attach(Zone &zone)
    {
        ASSERT_EQ(zone.attach(options_), SLM_OK) << zone.error.text;
    }

    Folder folder_;
    std::string path_;
    slm_zone_attach_options options_{};
};

TEST_P(ImageTest, AttachesAndChecksZero)
{
    options_.check = true;
    Zone zone;
    attach(zone);
    EXPECT_EQ(zone.stats().bytes, GetParam().bytes);
}

TEST_P(ImageTest, ReportsWhatTheNextLockRepairs)
{
    options_.segment.read_only = true;
    Zone zone;
    attach(zone);
    slm_zone_image image;
    ASSERT_EQ(
        slm_zone_image_read(&image, zone.base(), SLM_ZONE_IMAGE_HEAD_BYTES, "image", &zone.error),
        SLM_OK)
        << zone.error.text;
    struct slm_zone_image_notes notes;
    slm_zone_image_get_notes(zone.journal(), &notes);
    EXPECT_EQ(notes.n_noted != 0, GetParam().die != nullptr);
    EXPECT_EQ(notes.is_committed, GetParam().n_finished != 0);
    EXPECT_EQ(image.bytes, GetParam().bytes);
    EXPECT_EQ(image.n_recoveries, 0u);
}

TEST_P(ImageTest, TheFirstLockRepairsItAndFindsCommittedData)
{
    Zone zone;
    attach(zone);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    EXPECT_EQ(slm_zone_check_locked(zone), 0u);
    EXPECT_EQ(count_objects(slm_zone_slab(zone)), GetParam().n_objects);
    ASSERT_EQ(slm_zone_unlock(zone), SLM_OK);
    EXPECT_EQ(zone.stats().n_recoveries, GetParam().die != nullptr ? 1u : 0u);
    EXPECT_EQ(zone.stats().n_undone, GetParam().n_undone);
    EXPECT_EQ(zone.stats().n_finished, GetParam().n_finished);
    if (strcmp(GetParam().name, "tree_lru") != 0) {
        EXPECT_EQ(numbers_alone(zone), GetParam().numbers);
    }
}

TEST_P(ImageTest, CanBeFilledAndEmptiedAgain)
{
    Zone zone;
    attach(zone);
    size_t n = 0;
    while (slm_zone_alloc(zone, 100, nullptr) != nullptr) {
        n++;
    }
    EXPECT_GT(n, 100u);
    ASSERT_EQ(slm_zone_grow(zone, zone.stats().max_bytes, &zone.error), SLM_OK) << zone.error.text;
    EXPECT_NE(slm_zone_alloc(zone, 100, nullptr), nullptr);
    EXPECT_EQ(check_alone(zone), 0u);
    ASSERT_EQ(slm_zone_lock(zone), SLM_OK);
    ASSERT_EQ(slm_zone_reset_locked(zone), SLM_OK);
    EXPECT_EQ(count_objects(slm_zone_slab(zone)), 0u);
    EXPECT_EQ(slm_zone_check_locked(zone), 0u);
    EXPECT_EQ(slm_zone_unlock(zone), SLM_OK);
}

INSTANTIATE_TEST_SUITE_P(Every, ImageTest, testing::ValuesIn(every_image()),
                         [](const auto &image) { return std::string(image.param.name); });

/* The keys of the list, the last used key first. */
Numbers keys_by_use(const slm_journal *journal, const slm_lru *list)
{
    Numbers keys;
    for (slm_lru_node *node = slm_lru_newest(journal, list); node != nullptr;
         node = slm_lru_older(journal, node)) {
        keys.push_back(item_of(node)->key);
    }
    return keys;
}

class TreeImageTest : public ImageTest {};

TEST_P(TreeImageTest, HasEachKeyInOrderAndByUse)
{
    Zone zone;
    attach(zone);
    const slm_journal *journal = zone.journal();
    auto *index = static_cast<Index *>(slm_zone_root_locked(zone));
    ASSERT_NE(index, nullptr);
    Numbers keys;
    for (slm_rbtree_node *node = slm_rbtree_first(journal, &index->by_key); node != nullptr;
         node = slm_rbtree_next(journal, node)) {
        keys.push_back(reinterpret_cast<Item *>(node)->key);
    }
    Numbers in_order;
    Numbers by_use = {4, 3, 2, 1, 0};
    for (uint64_t i = 0; i < kItems; i++) {
        uint64_t later = (kItems - 1 - i) * 7 % kItems;
        in_order.push_back(i);
        if (later > 4) {
            by_use.push_back(later);
        }
    }
    EXPECT_EQ(keys, in_order);
    EXPECT_EQ(keys_by_use(journal, &index->by_use), by_use);
    EXPECT_EQ(slm_rbtree_check(journal, &index->by_key, order_items, 0, GetParam().bytes), 0u);
    EXPECT_EQ(slm_lru_check(journal, &index->by_use, 0, GetParam().bytes), 0u);
}

INSTANTIATE_TEST_SUITE_P(Tree, TreeImageTest, testing::Values(every_image()[3]),
                         [](const auto &image) { return std::string(image.param.name); });

TEST(Images, AreExactlyThoseListed)
{
    std::set<std::string> listed;
    for (const Image &image : every_image()) {
        listed.insert(std::string(image.name) + ".zone");
    }
    std::set<std::string> there;
    DIR *folder = opendir("corpus/images");
    ASSERT_NE(folder, nullptr);
    while (const dirent *entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            there.insert(entry->d_name);
        }
    }
    (void)closedir(folder);
    EXPECT_EQ(there, listed);
}

} // namespace
