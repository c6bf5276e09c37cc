/* SPDX-License-Identifier: Apache-2.0 */
/* Picture: all that a zone holds, found by a walk of its own, to compare with another one. */
#ifndef SLM_TESTS_KILL_PICTURE_H
#define SLM_TESTS_KILL_PICTURE_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

extern "C" {
#include <slabmill/zone.h>
}

namespace kill_test {

struct Object {
    uint64_t offset; /* from the slab's start */
    uint64_t bytes;
    std::string content;
    bool operator==(const Object &other) const
    {
        return offset == other.offset && bytes == other.bytes && content == other.content;
    }
};

/* Counted by the walk, for comparison with what the slab says of itself. */
struct ClassCount {
    size_t n_spans = 0;
    size_t n_chunks = 0;
    size_t n_used = 0;
};

struct Picture {
    std::vector<Object> objects; /* in the order of addresses */
    uint64_t root = 0;
    size_t zone_bytes = 0;

    /* What follows may differ between pictures that are equal: an empty span is kept or free. */
    size_t n_free_pages = 0;
    size_t n_kept_pages = 0;
    size_t n_runs = 0;
    size_t n_run_pages = 0;
    size_t longest_free_run_pages = 0;
    size_t peak_used_pages = 0; /* as the slab says */
    std::vector<ClassCount> classes;

    bool operator==(const Picture &other) const
    {
        return objects == other.objects && root == other.root && zone_bytes == other.zone_bytes;
    }
};

/* The caller holds the zone's lock. */
Picture take_picture(slm_zone *zone);

/* "", or the first statistic of the slab that is not what the walk counted. */
std::string compare_statistics(slm_zone *zone, const Picture &picture);

/* What differs first, in words. */
std::string describe_difference(const Picture &wanted, const Picture &found);

} // namespace kill_test

#endif
