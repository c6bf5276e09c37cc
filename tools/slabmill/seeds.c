/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill seeds: cuts traces into fuzz inputs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/slabmill/slabmill.h"

#define WINDOW_OPS  400u
#define WINDOW_LIVE 150u /* objects made before the window, at most */

static const char *stem_of(const char *path, size_t *n)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    *n = dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name);
    return name;
}

/* DIR/STEM, or DIR/STEM-00012 when there are several. */
static bool write_part(const struct mill_options *options, const char *path,
                       struct hrn_program *part, size_t idx, bool several)
{
    size_t n;
    const char *stem = stem_of(path, &n);
    char name[256];
    if (several) {
        snprintf(name, sizeof name, "%.*s-%05zu", (int)n, stem, idx);
    } else {
        snprintf(name, sizeof name, "%.*s", (int)n, stem);
    }
    hrn_program_normalize(part);
    return mill_seed_write(options->out, name, part);
}

/* One arena's operations, as arena 0. */
static void take_arena(struct hrn_program *part, const struct hrn_program *program, uint32_t arena)
{
    hrn_program_clear(part);
    part->head = program->head;
    for (size_t i = 0; i < program->n_ops; i++) {
        if (program->ops[i].arena == arena) {
            struct hrn_op op = program->ops[i];
            op.arena = 0;
            hrn_program_push(part, op);
        }
    }
}

static bool write_lives(const struct mill_options *options, const struct mill_input *input,
                        struct hrn_program *part)
{
    const struct hrn_program *program = &input->trace.program;
    bool good = true;
    for (uint32_t arena = 0; arena < program->n_arenas && good; arena++) {
        take_arena(part, program, arena);
        good = part->n_ops == 0 || write_part(options, input->path, part, arena, true);
    }
    return good;
}

/* Requested bytes, most live at once. */
static size_t peak_bytes(const struct hrn_program *program)
{
    size_t *sizes = calloc(program->n_ids + 1u, sizeof *sizes);
    size_t live = 0;
    size_t peak = 0;
    for (size_t i = 0; sizes != NULL && i < program->n_ops; i++) {
        const struct hrn_op *op = &program->ops[i];
        if (hrn_op_ids(op) == HRN_IDS_MAKE) {
            sizes[op->id] = op->size_bytes;
            live += op->size_bytes;
            peak = live > peak ? live : peak;
        } else if (hrn_op_ids(op) == HRN_IDS_DROP) {
            live -= sizes[op->id];
        }
    }
    free(sizes);
    return peak;
}

/* Uses a region that is a little too small, as in the recording, with alternating classes and page
 * sizes. */
static void set_window_head(struct hrn_program *part, size_t idx)
{
    struct hrn_head *head = &part->head;
    head->per_doubling = 1u << idx % 5;
    head->page_bytes = idx % 7 == 6 ? 16384 : 4096;
    size_t region_bytes = peak_bytes(part) * 3 / 4 + head->page_bytes;
    size_t least_bytes = 4 * (size_t)head->page_bytes;
    region_bytes = region_bytes > least_bytes ? region_bytes : least_bytes;
    head->region_bytes =
        (uint32_t)(region_bytes < HRN_REGION_MAX_BYTES ? region_bytes : HRN_REGION_MAX_BYTES);
}

/* Makes the newest objects that are live when the window begins; live is indexed by id. */
static void push_live(struct hrn_program *part, const struct hrn_program *program, size_t end,
                      const bool *live)
{
    size_t start = end;
    for (size_t n = 0; start > 0 && n < WINDOW_LIVE; start--) {
        const struct hrn_op *op = &program->ops[start - 1];
        n += hrn_op_ids(op) == HRN_IDS_MAKE && live[op->id];
    }
    for (size_t i = start; i < end; i++) {
        const struct hrn_op *op = &program->ops[i];
        if (hrn_op_ids(op) == HRN_IDS_MAKE && live[op->id]) {
            hrn_program_push(part, *op);
        }
    }
}

/* Appends the window's operations, and keeps live up to date. */
static void push_window(struct hrn_program *part, const struct hrn_program *program, size_t at,
                        bool *live)
{
    for (size_t i = at; i < at + WINDOW_OPS && i < program->n_ops; i++) {
        const struct hrn_op *op = &program->ops[i];
        if (op->kind != HRN_CREATE) {
            hrn_program_push(part, *op);
        }
        if (op->id != HRN_NO_ID) {
            live[op->id] = hrn_op_ids(op) == HRN_IDS_MAKE;
        }
    }
}

static bool write_windows(const struct mill_options *options, const struct mill_input *input,
                          struct hrn_program *part)
{
    const struct hrn_program *program = &input->trace.program;
    bool *live = calloc(program->n_ids + 1u, sizeof *live);
    bool good = live != NULL;
    for (size_t at = 0; at < program->n_ops && good; at += WINDOW_OPS) {
        hrn_program_clear(part);
        part->head = program->head;
        push_live(part, program, at, live);
        push_window(part, program, at, live);
        hrn_program_normalize(part);
        set_window_head(part, at / WINDOW_OPS);
        good = write_part(options, input->path, part, at / WINDOW_OPS, true);
    }
    free(live);
    return good;
}

static bool write_seeds(const struct mill_options *options, const struct mill_input *input)
{
    struct hrn_program part;
    hrn_program_init(&part);
    bool good;
    switch (input->trace.word) {
    case HRN_TRACE_POOL:
        good = write_lives(options, input, &part);
        break;
    case HRN_TRACE_SLAB:
        good = write_windows(options, input, &part);
        break;
    default:
        hrn_program_copy(&part, &input->trace.program);
        good = write_part(options, input->path, &part, 0, false);
        break;
    }
    hrn_program_fini(&part);
    return good;
}

int mill_seeds(const struct mill_options *options)
{
    bool good = mill_dir_make(options->out);
    for (size_t i = 0; i < options->n_files && good; i++) {
        struct mill_input input;
        good = mill_input_read(&input, options, options->files[i]);
        if (good) {
            good = write_seeds(options, &input);
            mill_input_fini(&input);
        }
    }
    return good ? MILL_GOOD : MILL_WRONG;
}
