/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the zones of corpus/images with the current library.
 * Usage: make_images FOLDER    (docs/layout.md says when)
 *
 * A file ends with its last page that is not 0. Its lock was last used on a system that no longer
 * runs, in its namespaces. So every machine may attach it.
 */
#include <gtest/gtest.h>

#include <iterator>

#include "tests/images/images.h"

namespace {

using namespace slm_test;

std::string folder;

void die_with_lock(const Image &image, slm_zone *zone)
{
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        image.die(zone);
        _exit(0);
    }
    int status;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
}

void make_portable(slm_zone *zone)
{
    zone_header *header = zone->header;
    header->lock.boot = 1;
    header->whole_file = 0;
}

std::string read_trimmed(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    size_t last = bytes.find_last_not_of('\0');
    bytes.resize((last / 4096 + 1) * 4096);
    return bytes;
}

TEST(MakeImages, WritesEachImage)
{
    for (const Image &image : every_image()) {
        Folder scratch;
        std::string path = scratch / "zone";
        Zone zone;
        ASSERT_EQ(zone.create(image_options(path)), SLM_OK) << zone.error.text;
        image.fill(zone);
        if (image.die != nullptr) {
            die_with_lock(image, zone);
        }
        make_portable(zone);
        zone.detach();
        std::ofstream(folder + "/" + image.name + ".zone", std::ios::binary) << read_trimmed(path);
    }
}

} // namespace

int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    if (argc != 2) {
        fprintf(stderr, "usage: make_images FOLDER\n");
        return 2;
    }
    folder = argv[1];
    return RUN_ALL_TESTS();
}
