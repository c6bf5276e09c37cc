/* SPDX-License-Identifier: Apache-2.0 */
/* Picture: the whole contents of a zone, found by a walk of its own, for comparison with
 * another. */
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

/* Counted by the walk, for comparison with the slab's own statistics. */
struct ClassCount {
    size_t n_spans = 0;
    size_t n_chunks = 0;
    size_t n_used = 0;
};

struct Picture {
    std::vector<Object> objects; /* in address order */
    uint64_t root = 0;
    size_t zone_bytes = 0;

    /* The fields below may differ between equal pictures: an empty span is either kept or free. */
    size_t n_free_pages = 0;
    size_t n_kept_pages = 0;
    size_t n_runs = 0;
    size_t n_run_pages = 0;
    size_t longest_free_run_pages = 0;
    size_t peak_used_pages = 0; /* as the slab reports */
    std::vector<ClassCount> classes;

    bool operator==(const Picture &other) const
    {
        return objects == other.objects && root == other.root && zone_bytes == other.zone_bytes;
    }
};

/* The caller holds the zone's lock. */
Picture take_picture(slm_zone *zone);

/* Returns "", or the first statistic of the slab that differs from the walk's count. */
std::string compare_statistics(slm_zone *zone, const Picture &picture);

/* Describes the first difference. */
std::string describe_difference(const Picture &wanted, const Picture &found);

} // namespace kill_test

#endif
