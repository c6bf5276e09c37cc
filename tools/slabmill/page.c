/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill report: a program as a page: its load, its sizes, and what explain prints. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* dup2 */
#endif

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/array.h"
#include "tools/slabmill/child.h"

#define PATH_BYTES    4096u
#define PLOT_WIDTH    900u
#define PLOT_HEIGHT   200u
#define N_SIZES       65u    /* 0, then for each power of two those below it */
#define EXPLAIN_LIMIT 100000 /* seconds; what it runs has limits of its own */

#define SERVED_MAX ((size_t)1 << 30) /* larger requests are for refusals */

/* --- The load: what the program asks for, if every request up to SERVED_MAX is served --- */

struct object {
    size_t size_bytes;
    uint32_t arena;
    size_t at; /* in live, from 1; 0: not live */
};

struct load {
    const struct hrn_program *program;
    struct object *objects; /* by id */
    uint32_t *live;         /* ids */
    size_t n_live;
    size_t live_bytes;
    size_t peak_bytes;
    size_t n_kind[HRN_KIND_COUNT];
    size_t n_sizes[N_SIZES];
    size_t plot[PLOT_WIDTH]; /* most live bytes in a part of the program */
};

static size_t size_class(size_t size_bytes)
{
    size_t class = 0;
    while (size_bytes > 0) {
        size_bytes /= 2;
        class ++;
    }
    return class;
}

static void make_object(struct load *load, uint32_t id, const struct hrn_op *op)
{
    struct object *o = &load->objects[id];
    load->n_sizes[size_class(op->size_bytes)]++;
    if (op->size_bytes > SERVED_MAX) {
        return;
    }
    *o = (struct object){op->size_bytes, op->arena, load->n_live + 1};
    load->live[load->n_live++] = id;
    load->live_bytes += op->size_bytes;
}

static void drop_object(struct load *load, uint32_t id)
{
    struct object *o = &load->objects[id];
    if (o->at == 0) {
        return;
    }
    uint32_t last = load->live[--load->n_live];
    load->live[o->at - 1] = last;
    load->objects[last].at = o->at;
    o->at = 0;
    load->live_bytes -= o->size_bytes;
}

static void drop_arena(struct load *load, uint32_t arena)
{
    for (size_t i = load->n_live; i > 0; i--) {
        if (load->objects[load->live[i - 1]].arena == arena) {
            drop_object(load, load->live[i - 1]);
        }
    }
}

static void resize_object(struct load *load, const struct hrn_op *op)
{
    struct object *o = &load->objects[op->id];
    if (o->at != 0 && op->size_bytes <= SERVED_MAX) {
        load->live_bytes += op->size_bytes - o->size_bytes;
        o->size_bytes = op->size_bytes;
    }
}

static void follow(struct load *load, const struct hrn_op *op)
{
    enum hrn_ids ids = hrn_op_ids(op);
    load->n_kind[op->kind]++;
    if (op->kind == HRN_BURST) {
        for (uint32_t i = 0; i < op->count; i++) {
            make_object(load, op->id + i, op);
        }
    } else if (ids == HRN_IDS_MAKE) {
        make_object(load, op->id, op);
    } else if (ids == HRN_IDS_DROP || op->kind == HRN_GIVE_BACK ||
               (op->kind == HRN_MISUSE && op->aux == HRN_MISUSE_TWICE)) {
        if (op->id != HRN_NO_ID) {
            drop_object(load, op->id);
        }
    } else if (op->kind == HRN_RESIZE) {
        resize_object(load, op);
    } else if (op->kind == HRN_DRAIN || op->kind == HRN_RESET || op->kind == HRN_CREATE ||
               op->kind == HRN_DESTROY) {
        drop_arena(load, op->arena);
    }
}

static void follow_all(struct load *load, const struct hrn_program *program)
{
    size_t cap_objects = 0;
    size_t cap_live = 0;
    size_t n_ids = (size_t)program->n_ids + 1;
    *load = (struct load){.program = program};
    load->objects = hrn_array_grow(NULL, &cap_objects, n_ids, sizeof *load->objects);
    load->live = hrn_array_grow(NULL, &cap_live, n_ids, sizeof *load->live);
    memset(load->objects, 0, n_ids * sizeof *load->objects);
    for (size_t i = 0; i < program->n_ops; i++) {
        size_t *column = &load->plot[i * PLOT_WIDTH / program->n_ops];
        follow(load, &program->ops[i]);
        *column = load->live_bytes > *column ? load->live_bytes : *column;
        load->peak_bytes = *column > load->peak_bytes ? *column : load->peak_bytes;
    }
}

/* --- The page --- */

static void put_html(FILE *page, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '<' || *text == '>' || *text == '&') {
            fprintf(page, "&#%d;", *text);
        } else {
            fputc(*text, page);
        }
    }
}

static void put_head(FILE *page, const struct mill_input *input, const char *adapter)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
          page);
    put_html(page, input->path);
    fputs("</title>\n<style>\n"
          "body{font:15px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\n"
          "pre{overflow-x:auto;font-size:13px;background:#8881;padding:.8rem}\n"
          "td,th{padding:0 .8rem 0 0;text-align:right}td:first-child{text-align:left}\n"
          ".bar{background:#37a;height:.8rem;display:inline-block}svg{width:100%;height:auto}\n"
          "</style></head><body>\n<h1>",
          page);
    put_html(page, input->path);
    fputs("</h1>\n<p>", page);
    fprintf(page, "%zu operations, %u objects, %u arenas; run over ", mill_input_ops(input),
            input->trace.program.n_ids, input->trace.program.n_arenas);
    put_html(page, adapter);
    fputs(".</p>\n", page);
}

static void put_plot(FILE *page, const struct load *load)
{
    size_t scale = load->peak_bytes > 0 ? load->peak_bytes : 1;
    size_t before = 0;
    fprintf(
        page,
        "<h2>Live bytes</h2>\n<p>At most %zu, if every request up to 1 GiB is served, in the order "
        "of the operations.</p>\n<svg viewBox=\"0 0 %u %u\" role=\"img\"><title>live bytes</title>"
        "<polyline fill=\"none\" stroke=\"#37a\" stroke-width=\"1.5\" points=\"",
        load->peak_bytes, PLOT_WIDTH, PLOT_HEIGHT);
    for (size_t i = 0; i < PLOT_WIDTH; i++) {
        /* A short program has columns without an operation. */
        size_t n_ops = load->program->n_ops;
        bool has = (PLOT_WIDTH - i * n_ops % PLOT_WIDTH) % PLOT_WIDTH < n_ops;
        before = has ? load->plot[i] : before;
        double share = (double)before / (double)scale;
        fprintf(page, "%zu,%.1f ", i, (1 - share) * (PLOT_HEIGHT - 2) + 1);
    }
    fputs("\"/></svg>\n", page);
}

static void put_row(FILE *page, const char *name, size_t n, size_t most)
{
    fputs("<tr><td>", page);
    put_html(page, name);
    fprintf(page,
            "</td><td>%zu</td><td style=\"text-align:left\"><span class=\"bar\" "
            "style=\"width:%zupx\"></span></td></tr>\n",
            n, most == 0 ? 0 : (n * 300 + most - 1) / most);
}

static void put_kinds(FILE *page, const struct load *load)
{
    size_t most = 0;
    for (enum hrn_kind kind = 0; kind < HRN_KIND_COUNT; kind++) {
        most = load->n_kind[kind] > most ? load->n_kind[kind] : most;
    }
    fputs("<h2>Operations</h2>\n<table>\n", page);
    for (enum hrn_kind kind = 0; kind < HRN_KIND_COUNT; kind++) {
        if (load->n_kind[kind] > 0) {
            put_row(page, hrn_kind_word(kind), load->n_kind[kind], most);
        }
    }
    fputs("</table>\n", page);
}

static void put_sizes(FILE *page, const struct load *load)
{
    size_t most = 0;
    for (size_t i = 0; i < N_SIZES; i++) {
        most = load->n_sizes[i] > most ? load->n_sizes[i] : most;
    }
    fputs("<h2>Sizes of objects</h2>\n<table>\n", page);
    for (size_t i = 0; i < N_SIZES; i++) {
        char name[64] = "0 bytes";
        if (i > 0) {
            size_t low = (size_t)1 << (i - 1);
            snprintf(name, sizeof name, "%zu to %zu bytes", low, low + (low - 1));
        }
        if (load->n_sizes[i] > 0) {
            put_row(page, name, load->n_sizes[i], most);
        }
    }
    fputs("</table>\n", page);
}

/* --- What explain prints --- */

struct printing {
    const struct mill_options *options;
    FILE *output;
};

static void explain_in_child(void *data, struct hrn_result *result)
{
    const struct printing *printing = data;
    result->law = HRN_LAW_NONE;
    if (dup2(fileno(printing->output), STDOUT_FILENO) >= 0) {
        result->n_done = (uint64_t)mill_explain(printing->options);
        (void)fflush(stdout);
    }
}

/* The status of explain, whose output goes to the page. */
static int put_explained(FILE *page, const struct mill_options *options)
{
    struct printing printing = {options, tmpfile()};
    struct mill_child child;
    char line[1024];
    if (printing.output == NULL) {
        return mill_complain("report: no temporary file");
    }
    mill_child_init(&child);
    mill_child_start(&child, explain_in_child, &printing, 1000u * EXPLAIN_LIMIT);
    (void)mill_child_wait(&child);
    int status = child.legacy->done ? (int)child.legacy->result.n_done : MILL_BROKEN;
    mill_child_fini(&child);
    rewind(printing.output);
    fputs("<h2>The run</h2>\n<pre>", page);
    while (fgets(line, sizeof line, printing.output) != NULL) {
        put_html(page, line);
    }
    fputs("</pre>\n</body></html>\n", page);
    (void)fclose(printing.output);
    return status;
}

/* --- The command --- */

static int write_page(const struct mill_options *options, const struct mill_input *input,
                      const struct slm_adapter *adapter, const char *path)
{
    struct load load;
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *page = open_memstream(&text, &n_bytes);
    if (page == NULL) {
        return mill_complain("report: no memory");
    }
    follow_all(&load, &input->trace.program);
    put_head(page, input, adapter->name);
    put_plot(page, &load);
    put_kinds(page, &load);
    put_sizes(page, &load);
    int status = put_explained(page, options);
    bool whole = fclose(page) == 0;
    bool written = whole && mill_file_write(path, text, n_bytes);
    free(text);
    free(load.objects);
    free(load.live);
    if (written) {
        printf("%s\n", path);
    }
    return written ? status : MILL_WRONG;
}

int mill_report(const struct mill_options *options)
{
    struct mill_input input;
    char path[PATH_BYTES + 64];
    const char *out = options->out != NULL ? options->out : path;
    if (!mill_input_read(&input, options, options->files[0])) {
        return MILL_WRONG;
    }
    const struct slm_adapter *adapter = mill_input_adapter(&input, options);
    bool named =
        adapter != NULL &&
        (options->out != NULL || mill_free_path(options->files[0], ".html", path, sizeof path)) &&
        mill_file_may_be(out) && !mill_file_is_input(out, options->files[0]);
    int status = named ? write_page(options, &input, adapter, out) : MILL_WRONG;
    mill_input_fini(&input);
    return status;
}
