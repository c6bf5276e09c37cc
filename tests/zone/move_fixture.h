/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of moves: a callback that moves a list of links, and zones that must move. */
#ifndef SLM_TESTS_ZONE_MOVE_FIXTURE_H
#define SLM_TESTS_ZONE_MOVE_FIXTURE_H

#include <functional>

#include "tests/zone/set_fixture.h"

extern "C" {
#include "allocator/base/hash.h"
}

namespace slm_test {

/* Kinds that have a name. */
inline const Kind kNamedKinds[] = {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE};

/* What move callbacks do besides moving, and what they record. */
struct Moves {
    std::function<slm_status(slm_zone *to, slm_zone *from)> after;
    unsigned n_calls = 0;

    /* Moves the list link by link, in the same order, in several transactions. */
    static slm_status move(slm_zone *to, slm_zone *from, void *data)
    {
        auto *self = static_cast<Moves *>(data);
        Numbers content = numbers(from);
        self->n_calls++;
        while (!content.empty()) {
            if (!push(to, content.back())) {
                return SLM_E_NOMEM;
            }
            content.pop_back();
            slm_status status = content.size() % 16 == 0 ? slm_zone_commit_locked(to) : SLM_OK;
            if (status != SLM_OK) {
                return status;
            }
        }
        return self->after ? self->after(to, from) : SLM_OK;
    }

    slm_zone_options with(slm_zone_options options)
    {
        options.move = move;
        options.move_data = this;
        return options;
    }
    slm_zone_declaration declare(const slm_zone_options &options)
    {
        return {with(options), nullptr, nullptr, false};
    }
};

/* A change of the options that cannot be made in place. */
struct Change {
    const char *name;
    void (*make)(slm_zone_options &options);
};

inline const Change kChanges[] = {
    {"Shorter", [](slm_zone_options &o) { o.bytes = kZoneBytes / 2; }},
    {"AboveItsMax", [](slm_zone_options &o) { o.bytes = o.max_bytes = 2 * kZoneMaxBytes; }},
    {"HigherMax", [](slm_zone_options &o) { o.max_bytes = 3 * kZoneMaxBytes; }},
    {"LowerMax", [](slm_zone_options &o) { o.max_bytes = o.bytes; }},
    {"FinerClasses", [](slm_zone_options &o) { o.slab.per_doubling = 4; }},
    {"LargerObjects", [](slm_zone_options &o) { o.slab.min_object_bytes = 64; }},
    {"LargerPages", [](slm_zone_options &o) { o.slab.page_bytes = 16384; }},
    {"Gaps", [](slm_zone_options &o) { o.slab.gap_bytes = 8; }},
    {"LongerJournal", [](slm_zone_options &o) { o.journal_entries = 1000; }},
    {"OtherLock", [](slm_zone_options &o) { o.lock_kind = SLM_LOCK_SPIN_SEM; }},
};

inline void PrintTo(const Change &change, std::ostream *out)
{
    *out << change.name;
}

inline slm_zone_options changed(slm_zone_options options, const Change &change)
{
    change.make(options);
    return options;
}

inline void expect_is_as_declared(slm_zone *zone, const slm_zone_options &options)
{
    EXPECT_EQ(zone_bytes(zone), options.bytes);
    EXPECT_EQ(slm_zone_match(zone, &options, nullptr), SLM_OK);
    EXPECT_EQ(zone->fixed.max_bytes, options.max_bytes);
    EXPECT_EQ(zone->fixed.lock_kind, static_cast<uint32_t>(options.lock_kind));
    EXPECT_EQ(zone->fixed.journal_entries, options.journal_entries);
}

/* Pushes 1 to n, in transactions of its own. */
inline Numbers push_many(slm_zone *zone, unsigned n)
{
    for (unsigned i = 1; i <= n; i++) {
        EXPECT_EQ(push_alone(zone, i), SLM_OK);
    }
    return numbers_alone(zone);
}

/* The temporary names that are left of a zone of that kind. */
inline size_t count_leftovers(const ZoneOptions &all, Kind kind)
{
    std::string path = all.path(kind);
    std::string name = path.substr(path.rfind('/') + 1);
    char stem[32];
    size_t n = 0;
    (void)snprintf(stem, sizeof stem, ".slm-%016llx-",
                   static_cast<unsigned long long>(slm_hash(name.data(), name.size())));
    DIR *folder = opendir(path.substr(0, path.rfind('/')).c_str());
    while (const dirent *entry = readdir(folder)) {
        n += strncmp(entry->d_name, stem, strlen(stem)) == 0;
    }
    (void)closedir(folder);
    return n;
}

} // namespace slm_test

#endif
