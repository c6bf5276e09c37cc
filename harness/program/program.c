/* SPDX-License-Identifier: Apache-2.0 */
/* Programs as values: building, copying, names of operations. */
#include "harness/program/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"
#include "harness/program/parts.h"

/* Programs are compared as memory. */
_Static_assert(sizeof(struct hrn_op) == 16 + 2 * sizeof(size_t), "struct hrn_op has padding");

#define KIND_WORD(name, word, ids) word,
static const char *const kind_words[HRN_KIND_COUNT] = {HRN_KIND_LIST(KIND_WORD)};
#define KIND_IDS(name, word, ids) HRN_IDS_##ids,
static const enum hrn_ids kind_ids[HRN_KIND_COUNT] = {HRN_KIND_LIST(KIND_IDS)};
#define MISUSE_WORD(name, word) word,
static const char *const misuse_words[HRN_MISUSE_COUNT] = {HRN_MISUSE_LIST(MISUSE_WORD)};

const char *hrn_kind_word(enum hrn_kind kind)
{
    return kind < HRN_KIND_COUNT ? kind_words[kind] : "?";
}

const char *hrn_misuse_word(enum hrn_misuse misuse)
{
    return misuse < HRN_MISUSE_COUNT ? misuse_words[misuse] : "?";
}

enum hrn_ids hrn_op_ids(const struct hrn_op *op)
{
    if (op->kind != HRN_MISUSE) {
        return kind_ids[op->kind];
    }
    switch (op->aux) {
    case HRN_MISUSE_TWICE:
        return HRN_IDS_DROP;
    case HRN_MISUSE_INTERIOR:
    case HRN_MISUSE_PAST_END:
    case HRN_MISUSE_TAIL:
        return HRN_IDS_USE;
    default:
        return HRN_IDS_NONE;
    }
}

bool hrn_kind_has_size(enum hrn_kind kind)
{
    const uint32_t with_size = 1u << HRN_ALLOC | 1u << HRN_NALLOC | 1u << HRN_CALLOC |
                               1u << HRN_MEMALIGN | 1u << HRN_RESIZE | 1u << HRN_BURST |
                               1u << HRN_CLEANUP | 1u << HRN_MISUSE | 1u << HRN_CREATE |
                               1u << HRN_FILE | 1u << HRN_GROW | 1u << HRN_SHRINK |
                               1u << HRN_ADD_REGION;
    return (with_size >> kind & 1u) != 0;
}

void hrn_program_init(struct hrn_program *program)
{
    memset(program, 0, sizeof *program);
    hrn_program_decode(program, NULL, 0);
}

void hrn_program_fini(struct hrn_program *program)
{
    free(program->ops);
    memset(program, 0, sizeof *program);
}

void hrn_program_clear(struct hrn_program *program)
{
    program->n_ops = 0;
    program->n_ids = 0;
    program->n_arenas = 0;
}

uint32_t hrn_op_n_made(const struct hrn_op *op)
{
    switch (hrn_op_ids(op)) {
    case HRN_IDS_MAKE:
        return op->kind == HRN_BURST ? op->count : 1;
    case HRN_IDS_KEEP:
    case HRN_IDS_GET:
        return 1;
    default:
        return 0;
    }
}

struct hrn_op *hrn_program_next(struct hrn_program *program)
{
    program->ops =
        hrn_array_grow(program->ops, &program->cap_ops, program->n_ops + 1, sizeof *program->ops);
    return &program->ops[program->n_ops];
}

void hrn_program_take_next(struct hrn_program *program)
{
    const struct hrn_op *op = &program->ops[program->n_ops++];
    uint32_t made = hrn_op_n_made(op);
    if (made > 0 && op->id + made > program->n_ids) {
        program->n_ids = op->id + made;
    }
    if (op->arena >= program->n_arenas) {
        program->n_arenas = op->arena + 1;
    }
}

void hrn_program_push(struct hrn_program *program, struct hrn_op op)
{
    *hrn_program_next(program) = op;
    hrn_program_take_next(program);
}

void hrn_program_copy(struct hrn_program *to, const struct hrn_program *from)
{
    to->ops = hrn_array_grow(to->ops, &to->cap_ops, from->n_ops, sizeof *to->ops);
    if (from->n_ops > 0) {
        memcpy(to->ops, from->ops, from->n_ops * sizeof *to->ops);
    }
    to->head = from->head;
    to->n_ops = from->n_ops;
    to->n_ids = from->n_ids;
    to->n_arenas = from->n_arenas;
}

bool hrn_program_equal(const struct hrn_program *a, const struct hrn_program *b)
{
    return a->n_ops == b->n_ops && memcmp(&a->head, &b->head, sizeof a->head) == 0 &&
           (a->n_ops == 0 || memcmp(a->ops, b->ops, a->n_ops * sizeof *a->ops) == 0);
}

bool hrn_kind_has_count(enum hrn_kind kind)
{
    return kind == HRN_BURST || kind == HRN_FAULT || kind == HRN_RUN_FILE || kind == HRN_CANCEL;
}

bool hrn_op_has_align(const struct hrn_op *op)
{
    return op->kind == HRN_MEMALIGN || (op->kind == HRN_RESIZE && op->aux == HRN_WAY_ALIGNED);
}

void hrn_op_text(const struct hrn_op *op, char *text, size_t text_bytes)
{
    char parts[4][32] = {"", "", "", ""};
    if (op->id != HRN_NO_ID && hrn_op_ids(op) != HRN_IDS_NONE) {
        snprintf(parts[0], sizeof parts[0], " #%u", op->id);
    }
    if (hrn_kind_has_size(op->kind)) {
        snprintf(parts[1], sizeof parts[1], " size %zu", op->size_bytes);
    }
    if (hrn_op_has_align(op)) {
        snprintf(parts[2], sizeof parts[2], " align %zu", op->align_bytes);
    } else if (hrn_kind_has_count(op->kind)) {
        snprintf(parts[2], sizeof parts[2], " count %u", op->count);
    }
    if (op->kind == HRN_MISUSE) {
        snprintf(parts[3], sizeof parts[3], " %s", hrn_misuse_word(op->aux));
    } else if (op->aux != 0) {
        snprintf(parts[3], sizeof parts[3], " aux %u", op->aux);
    }
    snprintf(text, text_bytes, "%u %s%s%s%s%s", op->arena, hrn_kind_word(op->kind), parts[0],
             parts[1], parts[2], parts[3]);
}
