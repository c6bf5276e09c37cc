/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of zone sets: declarations, callbacks that fail on demand, held resources. */
#ifndef SLM_TESTS_ZONE_SET_FIXTURE_H
#define SLM_TESTS_ZONE_SET_FIXTURE_H

#include <memory>

#include "tests/zone/fixture.h"
#include <slabmill/zone_set.h>

namespace slm_test {

/* What init callbacks return and record. */
struct Inits {
    slm_status answer = SLM_OK; /* returned by the call number fail_at */
    size_t fail_at = SIZE_MAX;
    size_t n_calls = 0;
    std::vector<bool> reused;

    slm_zone_declaration declare(const slm_zone_options &options)
    {
        return {options, init, this, false};
    }

    /* Always pushes a number: later the list shows whether the push was rolled back. */
    static slm_status init(slm_zone *zone, bool is_reused, void *data)
    {
        auto *self = static_cast<Inits *>(data);
        self->reused.push_back(is_reused);
        EXPECT_EQ(slm_zone_trylock(zone), SLM_E_HELD);
        if (!push(zone, 1000 + self->reused.size())) {
            return SLM_E_NOMEM;
        }
        return self->n_calls++ == self->fail_at ? self->answer : SLM_OK;
    }
};

class Set {
  public:
    Set()
    {
        EXPECT_EQ(slm_zone_set_create(&set_), SLM_OK);
    }
    ~Set()
    {
        slm_zone_set_destroy(set_);
    }
    Set(const Set &) = delete;
    Set &operator=(const Set &) = delete;

    slm_status apply(const std::vector<slm_zone_declaration> &declarations)
    {
        return slm_zone_set_apply(set_, declarations.data(), declarations.size(), &error);
    }
    slm_zone *operator[](const char *name) const
    {
        return slm_zone_set_find(set_, name);
    }
    size_t size() const
    {
        size_t n = 0;
        while (slm_zone_set_at(set_, n) != nullptr) {
            n++;
        }
        return n;
    }
    operator slm_zone_set *() const
    {
        return set_;
    }
    slm_error error{};

  private:
    slm_zone_set *set_ = nullptr;
};

inline size_t count_entries(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    while (dir != nullptr && readdir(dir) != nullptr) {
        n++;
    }
    if (dir != nullptr) {
        (void)closedir(dir);
    }
    return n;
}

/* Counts the shared mappings, which zones consist of. */
inline size_t count_shared_mappings()
{
    std::ifstream maps("/proc/self/maps");
    size_t n = 0;
    for (std::string line; std::getline(maps, line);) {
        n += line.find("rw-s ") != std::string::npos;
    }
    return n;
}

/* The descriptors and mappings that a process has. */
struct Holdings {
    size_t n_descriptors = count_entries("/proc/self/fd");
    size_t n_mappings = count_shared_mappings();
    bool operator==(const Holdings &other) const
    {
        return n_descriptors == other.n_descriptors && n_mappings == other.n_mappings;
    }
};

inline std::ostream &operator<<(std::ostream &out, const Holdings &holdings)
{
    return out << holdings.n_descriptors << " descriptors, " << holdings.n_mappings
               << " shared mappings";
}

} // namespace slm_test

#endif
