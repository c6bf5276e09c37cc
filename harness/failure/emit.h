/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a failing program as a named test in C++. */
#ifndef HRN_EMIT_H
#define HRN_EMIT_H

#include <stddef.h>

#include "harness/laws/laws.h"
#include "harness/trace/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    The test holds the program as trace text, runs it, and expects every law to be kept: it
 *          fails as long as the bug is there. Its name states what should be true: the sentence of
 *          the broken law, and the operation that breaks it. It needs GoogleTest, the mill's library
 *          and no header of the mill; its first lines are the command that builds it.
 * Safety   Plain values.
 * Failure  None; memory as for programs.
 */
struct hrn_emit {
    const struct hrn_trace *trace;
    const char *adapter_name; /* "slab": in the name of the suite */
    const char *adapter;      /* as commands name it: "slab", "./mine.so" */
    enum hrn_law law;         /* HRN_LAW_NONE: it crashes or hangs */
    size_t op_idx;            /* where; n_ops: at the end */
    const char *name;         /* name of the test; NULL: made as above */
};

/* A source file with one TEST, and a final zero; to be released with free. */
char *hrn_emit_test(const struct hrn_emit *emit);

#ifdef __cplusplus
}
#endif
#endif
