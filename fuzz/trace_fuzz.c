/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as trace text: what can be read is printed, and reads the same again. */
#include <stdlib.h>

#include "harness/fuzz.h"
#include "harness/trace.h"

HRN_FUZZ_PLAIN_BYTES;
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct hrn_trace first, second;
    struct hrn_trace_error error;
    hrn_trace_init(&first);
    hrn_trace_init(&second);
    if (hrn_trace_parse(&first, (const char *)bytes, n_bytes, &error)) {
        size_t n_text;
        char *text = hrn_trace_print(&first, &n_text);
        bool again = hrn_trace_parse(&second, text, n_text, &error);
        if (!again || !hrn_program_equal(&first.program, &second.program)) {
            abort();
        }
        free(text);
    }
    hrn_fuzz_count(first.program.n_ops);
    hrn_trace_fini(&first);
    hrn_trace_fini(&second);
    return 0;
}
