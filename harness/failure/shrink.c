/* SPDX-License-Identifier: Apache-2.0 */
/* Shrinks failing programs. */
#include "harness/failure/shrink.h"

#include <stdint.h>
#include <string.h>

#include "harness/run/run.h"
#include "harness/trace/head.h"

/* One search: the smallest program so far, and room for the next candidate. */
struct search {
    struct hrn_shrink *shrink;
    struct hrn_program *best;
    struct hrn_program candidate;
    bool changed; /* in this round */
    bool out_of_runs;
};

static bool breaks(struct search *search, const struct hrn_program *program)
{
    struct hrn_shrink *shrink = search->shrink;
    if (shrink->n_runs >= shrink->runs_max) {
        search->out_of_runs = true;
        return false;
    }
    shrink->n_runs++;
    return shrink->breaks(shrink->data, program);
}

/* The candidate becomes the best if it breaks and is another program. */
static bool try_candidate(struct search *search)
{
    hrn_program_normalize(&search->candidate);
    if (hrn_program_equal(&search->candidate, search->best) ||
        !breaks(search, &search->candidate)) {
        return false;
    }
    struct hrn_program old = *search->best;
    *search->best = search->candidate;
    search->candidate = old;
    search->changed = true;
    return true;
}

/* --- Fewer operations --- */

static void propose_prefix(struct search *search, size_t n_ops)
{
    hrn_program_copy(&search->candidate, search->best);
    search->candidate.n_ops = n_ops;
}

static void cut(struct search *search)
{
    size_t good = 0; /* longest prefix known to keep the laws */
    while (search->best->n_ops > good + 1 && !search->out_of_runs) {
        size_t middle = good + (search->best->n_ops - good) / 2;
        propose_prefix(search, middle);
        good = try_candidate(search) ? good : middle;
    }
}

static void propose_without(struct search *search, size_t at, size_t n)
{
    struct hrn_program *candidate = &search->candidate;
    hrn_program_copy(candidate, search->best);
    size_t behind = candidate->n_ops - at - n;
    memmove(candidate->ops + at, candidate->ops + at + n, behind * sizeof *candidate->ops);
    candidate->n_ops -= n;
}

/* Removes chunks of n operations, from the end, since late operations depend on early ones. */
static void drop_chunks(struct search *search, size_t n)
{
    size_t end = search->best->n_ops;
    while (end > 0 && !search->out_of_runs) {
        size_t at = end > n ? end - n : 0;
        propose_without(search, at, end - at);
        (void)try_candidate(search);
        end = at < search->best->n_ops ? at : search->best->n_ops;
    }
}

static void drop_ops(struct search *search)
{
    for (size_t n = (search->best->n_ops + 1) / 2; n > 1; n = (n + 1) / 2) {
        drop_chunks(search, n);
    }
    drop_chunks(search, 1);
}

/* --- Smaller numbers --- */

enum number { NUMBER_SIZE, NUMBER_ALIGN, NUMBER_COUNT, NUMBER_AUX, NUMBERS };

static size_t get_number(const struct hrn_op *op, enum number number)
{
    switch (number) {
    case NUMBER_SIZE:
        return op->size_bytes;
    case NUMBER_ALIGN:
        return op->align_bytes;
    case NUMBER_COUNT:
        return op->count;
    default:
        return op->kind == HRN_MISUSE ? 0 : op->aux; /* the kind of a misuse is no number */
    }
}

static void set_number(struct hrn_op *op, enum number number, size_t value)
{
    switch (number) {
    case NUMBER_SIZE:
        op->size_bytes = value;
        return;
    case NUMBER_ALIGN:
        op->align_bytes = value;
        return;
    case NUMBER_COUNT:
        op->count = (uint16_t)value;
        return;
    default:
        op->aux = (uint8_t)value;
    }
}

static size_t number_min(const struct hrn_op *op, enum number number)
{
    bool from_one = number == NUMBER_ALIGN || number == NUMBER_COUNT;
    return from_one && op->kind != HRN_FAULT ? 1 : 0;
}

static bool try_number(struct search *search, size_t op_idx, enum number number, size_t value)
{
    hrn_program_copy(&search->candidate, search->best);
    set_number(&search->candidate.ops[op_idx], number, value);
    return try_candidate(search);
}

/* Tries the least value, then halves the distance between a value that breaks and one that does
 * not. */
static void lower_number(struct search *search, size_t op_idx, enum number number)
{
    size_t good = number_min(&search->best->ops[op_idx], number);
    size_t value = get_number(&search->best->ops[op_idx], number);
    if (value <= good || try_number(search, op_idx, number, good)) {
        return;
    }
    while (value > good + 1 && !search->out_of_runs) {
        size_t middle = good + (value - good) / 2;
        if (try_number(search, op_idx, number, middle)) {
            value = middle;
        } else {
            good = middle;
        }
    }
}

/* Tries to replace an allocation by a plain alloc. */
static void try_plain(struct search *search, size_t op_idx)
{
    uint8_t kind = search->best->ops[op_idx].kind;
    bool single = kind == HRN_BURST && search->best->ops[op_idx].count == 1;
    if (single || kind == HRN_NALLOC || kind == HRN_CALLOC || kind == HRN_MEMALIGN) {
        hrn_program_copy(&search->candidate, search->best);
        search->candidate.ops[op_idx].kind = HRN_ALLOC;
        (void)try_candidate(search);
    }
}

/* A smaller number can only remove later operations, so i stays in range. */
static void simplify_ops(struct search *search)
{
    for (size_t i = 0; i < search->best->n_ops; i++) {
        for (enum number number = 0; number < NUMBERS; number++) {
            lower_number(search, i, number);
        }
        try_plain(search, i);
    }
}

static void try_one_arena(struct search *search)
{
    hrn_program_copy(&search->candidate, search->best);
    for (size_t i = 0; i < search->candidate.n_ops; i++) {
        search->candidate.ops[i].arena = 0;
    }
    (void)try_candidate(search);
}

/* --- A plainer head --- */

static void simplify_field(struct search *search, const struct hrn_head_field *field,
                           uint32_t plain)
{
    struct hrn_head *head = &search->candidate.head;
    hrn_program_copy(&search->candidate, search->best);
    *hrn_head_field_at(head, field) = plain;
    if (head->region_bytes >= 4 * head->page_bytes) {
        (void)try_candidate(search);
    }
}

static void simplify_head(struct search *search)
{
    struct hrn_program plain;
    hrn_program_init(&plain);
    for (size_t i = 0; i < HRN_HEAD_FIELDS; i++) {
        const struct hrn_head_field *field = &hrn_head_fields[i];
        simplify_field(search, field, *hrn_head_field_at(&plain.head, field));
    }
    hrn_program_fini(&plain);
}

/* --- The whole --- */

static void begin(struct search *search, struct hrn_shrink *shrink, struct hrn_program *program)
{
    memset(search, 0, sizeof *search);
    search->shrink = shrink;
    search->best = program;
    hrn_program_init(&search->candidate);
}

void hrn_shrink_cut(struct hrn_shrink *shrink, struct hrn_program *program)
{
    struct search search;
    begin(&search, shrink, program);
    cut(&search);
    hrn_program_fini(&search.candidate);
}

void hrn_shrink_program(struct hrn_shrink *shrink, struct hrn_program *program)
{
    struct search search;
    begin(&search, shrink, program);
    shrink->n_runs = 0;
    cut(&search);
    do {
        search.changed = false;
        drop_ops(&search);
        simplify_ops(&search);
        try_one_arena(&search);
        simplify_head(&search);
    } while (search.changed && !search.out_of_runs);
    shrink->is_minimal = !search.out_of_runs;
    hrn_program_fini(&search.candidate);
}

bool hrn_shrink_breaks_law(void *data, const struct hrn_program *candidate)
{
    const struct hrn_shrink_law *wanted = data;
    return hrn_run_catch(wanted->adapter, candidate, NULL) == wanted->law;
}
