/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs from seeds. */
#include "harness/inputs/generate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/inputs/random.h"
#include "harness/inputs/record.h"
#include "harness/program/program.h"
#include "harness/trace/trace.h"

bool hrn_generate_is_on(uint64_t *seed)
{
    static bool is_read, is_on;
    static uint64_t number;
    const char *told = is_read ? NULL : getenv("HRN_FUZZ_GENERATE");
    is_read = true;
    if (told != NULL) {
        char *end;
        errno = 0;
        number = strtoull(told, &end, 10);
        is_on = true;
        if (errno != 0 || *told < '0' || *told > '9' || *end != '\0') {
            fprintf(stderr, "slabmill: HRN_FUZZ_GENERATE=%s: expected a decimal number\n", told);
            exit(2);
        }
    }
    *seed = number;
    return is_on;
}

/* A number from 0 to most, with an even distribution of its logarithm. */
static size_t log_up_to(struct hrn_rng *rng, size_t most)
{
    unsigned n_bits = 0;
    while (n_bits < 31 && most >> n_bits != 0) {
        n_bits++;
    }
    uint32_t top = (1u << hrn_rng_below(rng, n_bits + 1)) >> 1;
    size_t n = top == 0 ? 0 : top + hrn_rng_below(rng, top);
    return n < most ? n : most;
}

/* --- Programs --- */

/* Makes each kind rarer or more frequent than usual, so that programs differ in their main
 * operations. */
static void vary(struct hrn_gen *gen, struct hrn_rng *rng)
{
    static const uint8_t sixteenths[] = {0, 4, 16, 16, 16, 64};
    static const uint8_t percents[] = {0, 20, 40, 40, 70, 100};
    struct hrn_rng more = *rng;
    for (unsigned kind = 0; kind < HRN_KIND_COUNT; kind++) {
        bool is_needed = kind == HRN_ALLOC;
        struct hrn_rng *stream =
            kind < HRN_GROW ? rng : &more; /* as before there were more kinds */
        uint32_t factor = sixteenths[hrn_rng_below(stream, sizeof sixteenths)];
        uint32_t weight = gen->weight[kind] * (factor == 0 && is_needed ? 4 : factor);
        gen->weight[kind] = (uint16_t)((weight + 15) / 16);
    }
    gen->edge_percent = percents[hrn_rng_below(rng, sizeof percents)];
    gen->huge_percent = (uint8_t)hrn_rng_below(rng, 5);
    gen->size_log_max = (uint8_t)(6 + hrn_rng_below(rng, 12));
    gen->arena1_percent = percents[hrn_rng_below(rng, 4)];
    gen->live_max = 10u << hrn_rng_below(rng, 7);
}

/* All programs use the same memory. */
static const struct hrn_program *make_program(struct hrn_rng *rng, uint32_t can, size_t n_ops)
{
    static struct hrn_program program;
    struct hrn_gen gen;
    hrn_gen_init(&gen, can);
    vary(&gen, rng);
    hrn_gen_head(rng, &program.head);
    hrn_gen_program(&gen, rng, n_ops, &program);
    return &program;
}

static size_t generate_program(const struct hrn_shape *shape, struct hrn_rng *rng, uint8_t *bytes,
                               size_t max_bytes)
{
    size_t most = (max_bytes - HRN_HEAD_BYTES) / HRN_RECORD_BYTES;
    size_t n_ops = 1 + log_up_to(rng, most);
    const struct hrn_program *program = make_program(rng, shape->can, n_ops < most ? n_ops : most);
    (void)hrn_program_encode(program, bytes);
    return hrn_program_encoded_bytes(program);
}

/* --- Records --- */

/* Gives sticky columns mostly the value that the record before has. */
static void stick(const struct work *w, const uint8_t *stickiness, uint8_t *record)
{
    const uint8_t *before = record - w->shape->record_bytes;
    for (size_t i = 0; i < w->shape->record_bytes; i++) {
        if (work_below(w, 100) < stickiness[i]) {
            record[i] = before[i];
        }
    }
}

static size_t generate_records(const struct work *w)
{
    static const uint8_t percents[] = {0, 0, 0, 50, 90};
    uint8_t stickiness[HRN_SHAPE_RECORD_MAX] = {0};
    for (size_t i = 1; i < w->shape->record_bytes; i++) {
        stickiness[i] = percents[work_below(w, sizeof percents)];
    }
    for (size_t i = 0; i < w->shape->head_bytes; i++) {
        w->bytes[i] = hrn_fields_any_byte(w->rng);
    }
    size_t n = log_up_to(w->rng, w->cap);
    for (size_t i = 0; i < n; i++) {
        hrn_fields_of_bytes.make(w, work_record(w, i));
        if (i > 0) {
            stick(w, stickiness, work_record(w, i));
        }
    }
    return w->shape->head_bytes + n * w->shape->record_bytes;
}

/* --- Text --- */

static void damage(struct hrn_rng *rng, uint8_t *text, size_t n_bytes)
{
    static const char likely[] = "0123456789 -=#\n\r\tabcdefx";
    size_t n = 1 + hrn_rng_below(rng, 4);
    for (size_t i = 0; i < n && n_bytes > 0; i++) {
        size_t at = hrn_rng_below(rng, (uint32_t)n_bytes);
        bool is_likely = hrn_rng_below(rng, 4) > 0;
        text[at] = is_likely ? (uint8_t)likely[hrn_rng_below(rng, sizeof likely - 1)]
                             : (uint8_t)hrn_rng_below(rng, 256);
    }
}

/* Cuts the text after its last whole line, or anywhere if it is to be damaged. */
static size_t cut(const char *text, size_t n_text, size_t max_bytes, bool at_line)
{
    size_t n = n_text < max_bytes ? n_text : max_bytes;
    while (at_line && n > 0 && text[n - 1] != '\n') {
        n--;
    }
    return n;
}

static size_t generate_text(struct hrn_rng *rng, uint8_t *bytes, size_t max_bytes)
{
    enum { LINE_BYTES = 16 };
    struct hrn_trace trace;
    size_t n_text;
    bool is_damaged = hrn_rng_below(rng, 3) > 0;
    hrn_trace_init(&trace);
    trace.word = hrn_rng_below(rng, HRN_TRACE_WORD_COUNT);
    size_t n_ops = 1 + log_up_to(rng, max_bytes / LINE_BYTES);
    hrn_program_copy(&trace.program, make_program(rng, HRN_BIT(HRN_KIND_COUNT) - 1, n_ops));
    char *text = hrn_trace_print(&trace, &n_text);
    size_t n = cut(text, n_text, max_bytes, !is_damaged);
    memcpy(bytes, text, n);
    free(text);
    hrn_trace_fini(&trace);
    if (is_damaged) {
        damage(rng, bytes, n);
    }
    return n;
}

/* --- Any of them --- */

size_t hrn_generate(const struct hrn_shape *shape, uint64_t seed, uint64_t number, uint8_t *bytes,
                    size_t max_bytes)
{
    struct hrn_rng rng;
    hrn_rng_seed(&rng, seed);
    hrn_rng_seed(&rng, hrn_rng_next(&rng) ^ number);
    (void)hrn_rng_next(&rng);
    if (max_bytes < shape->head_bytes) {
        return 0;
    }
    if (shape->is_program) {
        return generate_program(shape, &rng, bytes, max_bytes);
    }
    if (hrn_shape_is_text(shape)) {
        return generate_text(&rng, bytes, max_bytes);
    }
    size_t cap = (max_bytes - shape->head_bytes) / shape->record_bytes;
    return generate_records(&(struct work){bytes, 0, cap, shape, &rng, NULL});
}
