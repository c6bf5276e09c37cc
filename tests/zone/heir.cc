/* SPDX-License-Identifier: Apache-2.0 */
/* A program that inherits a zone over exec: heir TEXT COUNT. Exit status 0: the zone named "keys"
 * holds the numbers COUNT - 1 to 0, and from now on COUNT too. */
#include <cstdio>
#include <cstdlib>

#include "tests/zone/fixture.h"
#include <slabmill/zone_set.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    slm_test::Zone zone;
    slm_zone_attach_options options{};
    options.name = "keys";
    options.check = true;
    if (slm_zone_import(&zone.zone, argv[1], &options, &zone.error) != SLM_OK) {
        std::fprintf(stderr, "%s\n", zone.error.text);
        return 3;
    }
    const auto n = static_cast<uint64_t>(std::strtoull(argv[2], nullptr, 10));
    slm_test::Numbers expected;
    for (uint64_t i = n; i-- > 0;) {
        expected.push_back(i);
    }
    if (slm_test::numbers_alone(zone) != expected) {
        return 4;
    }
    return slm_test::push_alone(zone, n) == SLM_OK ? 0 : 5;
}
