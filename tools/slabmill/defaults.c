/* SPDX-License-Identifier: Apache-2.0 */
/* What commands use for options that are not given. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* getrandom */
#endif

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "tools/slabmill/slabmill.h"

#define OPS_A_SECOND 10000u /* of a long trace, with all checks */

uint64_t mill_seed_of(const struct mill_options *options)
{
    uint32_t seed = (uint32_t)time(NULL);
    if (options->has_seed) {
        return options->seed;
    }
    (void)!getrandom(&seed, sizeof seed, 0);
    return seed;
}

unsigned mill_limit_of(const struct mill_options *options, const struct hrn_program *program)
{
    size_t seconds = program->n_ops / OPS_A_SECOND;
    return (unsigned)(seconds > options->timeout ? seconds : options->timeout);
}

bool mill_free_path(const char *stem, const char *suffix, char *path, size_t path_bytes)
{
    struct stat status;
    int n = snprintf(path, path_bytes, "%s%s", stem, suffix);
    for (unsigned i = 2; (size_t)n < path_bytes; i++) {
        if (lstat(path, &status) != 0) {
            return true; /* or it cannot be written, which its writer reports */
        }
        n = snprintf(path, path_bytes, "%s-%u%s", stem, i, suffix);
    }
    (void)mill_complain("%s%s: %s", stem, suffix, strerror(ENAMETOOLONG));
    return false;
}
