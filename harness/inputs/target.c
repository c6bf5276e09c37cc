/* SPDX-License-Identifier: Apache-2.0 */
/* Targets and the shapes of their inputs. */
#include "harness/inputs/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((weak)) const struct hrn_fuzz_target hrn_fuzz_target = {
    .name = "none",
    .head_bytes = HRN_HEAD_BYTES,
    .record_bytes = HRN_RECORD_BYTES,
    .runs_programs = true,
};

static struct hrn_shape shape_now;
static bool is_known;

bool hrn_shape_parse(struct hrn_shape *shape, const char *text)
{
    unsigned programs;
    char more;
    int n = sscanf(text, "%u,%u,%u,%" SCNx32 "%c", &shape->head_bytes, &shape->record_bytes,
                   &programs, &shape->can, &more);
    if (n != 4 || programs > 1 || shape->head_bytes > HRN_SHAPE_HEAD_MAX) {
        return false;
    }
    shape->is_program = programs == 1;
    if (shape->is_program) {
        bool has_kinds = (shape->can & (HRN_BIT(HRN_KIND_COUNT) - 1)) != 0;
        return has_kinds && shape->head_bytes == HRN_HEAD_BYTES &&
               shape->record_bytes == HRN_RECORD_BYTES;
    }
    return shape->record_bytes >= 1 && shape->record_bytes <= HRN_SHAPE_RECORD_MAX;
}

static uint32_t can_of(const struct hrn_fuzz_target *target)
{
    if (!target->runs_programs) {
        return 0;
    }
    return target->adapter == NULL ? HRN_BIT(HRN_KIND_COUNT) - 1 : hrn_can(target->adapter);
}

static void find_shape(struct hrn_shape *shape)
{
    const char *told = getenv("HRN_FUZZ_SHAPE");
    const struct hrn_fuzz_target *target = &hrn_fuzz_target;
    if (told == NULL) {
        *shape = (struct hrn_shape){target->head_bytes, target->record_bytes, target->runs_programs,
                                    can_of(target)};
    } else if (!hrn_shape_parse(shape, told)) {
        fprintf(stderr,
                "slabmill: HRN_FUZZ_SHAPE=%s: expected <head>,<record>,<programs>,<can in hex>\n",
                told);
        exit(2);
    }
}

const struct hrn_shape *hrn_shape_now(void)
{
    if (!is_known) {
        find_shape(&shape_now);
        is_known = true;
    }
    return &shape_now;
}

void hrn_shape_set(const struct hrn_shape *shape)
{
    shape_now = *shape;
    is_known = true;
}
