/* SPDX-License-Identifier: Apache-2.0 */
/* Where a run is, for reports of broken laws; and faults of the harness itself. */
#ifndef HRN_SCENE_H
#define HRN_SCENE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/laws/laws.h"
#include "harness/program/program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Receives a broken law instead of the report. */
struct hrn_catcher {
    jmp_buf back;
    enum hrn_law law; /* set before the jump, as are the next two */
    size_t op_idx;
    char text[HRN_LAW_TEXT_BYTES]; /* what exactly was seen */
};

struct hrn_scene {
    const char *adapter;
    const struct hrn_program *program;
    size_t op_idx;
    struct hrn_catcher *catcher;                         /* NULL: report and abort */
    void (*dying)(void);                                 /* called before the abort; NULL: none */
    void (*forward)(enum hrn_law law, const char *seen); /* gets each broken law first; NULL: none.
                                                            Returns if it is not for it */
    void (*about)(const struct hrn_op *op); /* called before each operation; NULL: none */
};
extern struct hrn_scene hrn_scene;

/* --- Faults of the harness itself, planted by its tests to show that each check is needed --- */

enum hrn_fault {
    HRN_FAULT_NO_OVERLAP = 1u << 0,      /* live objects may share bytes */
    HRN_FAULT_NO_ALIGNMENT = 1u << 1,    /* alignment is not checked */
    HRN_FAULT_CALLOC_MEMSET = 1u << 2,   /* calloc is tested as alloc and memset */
    HRN_FAULT_CHECK_EMPTY = 1u << 3,     /* whole walks only after everything was freed */
    HRN_FAULT_KEEP_ARENAS = 1u << 4,     /* all programs use the same arenas */
    HRN_FAULT_NO_EDGES = 1u << 5,        /* the generator never asks for edge sizes */
    HRN_FAULT_NO_CONTENTS = 1u << 6,     /* contents are written and never checked */
    HRN_FAULT_BELIEVE_REFUSAL = 1u << 7, /* any NULL counts as exhaustion */
    HRN_FAULT_IGNORE_WALK = 1u << 8,     /* the allocator's check and statistics are ignored */
    HRN_FAULT_TRUST_MEMORY = 1u << 9,    /* what to expect is read from the memory under test */
    HRN_FAULT_SEED_LOST = 1u << 10,      /* contents depend on a seed that is not in the program */
    HRN_FAULT_NO_FENCE = 1u << 11,       /* the bytes around a region are not checked */
    HRN_FAULT_NO_LEAK = 1u << 12,        /* blocks left in the source are not reported */
    HRN_FAULT_NO_MISUSE = 1u << 13,      /* answers to misuse are not compared */
    HRN_FAULT_NO_CLEANUP = 1u << 14,     /* handlers are not counted */
};
extern uint32_t hrn_faults; /* none but in tests */

static inline bool hrn_fault_on(enum hrn_fault fault)
{
    return (hrn_faults & (uint32_t)fault) != 0;
}

#ifdef __cplusplus
}
#endif
#endif
