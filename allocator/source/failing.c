/* SPDX-License-Identifier: Apache-2.0 */
/* A source that refuses chosen calls and passes the rest on. */
#include <slabmill/source.h>

static int refuses(const struct slm_source_failing *failing, size_t size_bytes)
{
    int in_range = failing->fail_at != 0 && failing->n_calls >= failing->fail_at &&
                   failing->n_calls - failing->fail_at < failing->fail_count;
    return in_range || size_bytes > failing->budget_bytes;
}

static void *failing_alloc(void *data, size_t size_bytes, size_t align_bytes)
{
    struct slm_source_failing *failing = data;
    failing->n_calls++;
    if (refuses(failing, size_bytes)) {
        failing->n_refused++;
        return NULL;
    }
    return failing->under->alloc(failing->under->data, size_bytes, align_bytes);
}

static void failing_free(void *data, void *block, size_t size_bytes, size_t align_bytes)
{
    const struct slm_source *under = ((struct slm_source_failing *)data)->under;
    under->free(under->data, block, size_bytes, align_bytes);
}

void slm_source_failing_init(struct slm_source_failing *failing, const struct slm_source *under)
{
    if (failing == NULL) {
        return;
    }
    *failing = (struct slm_source_failing){
        .source = {failing_alloc, failing_free, failing},
        .under = under != NULL ? under : slm_source_heap(),
        .fail_count = 1,
        .budget_bytes = SIZE_MAX,
    };
}
