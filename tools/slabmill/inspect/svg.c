/* SPDX-License-Identifier: Apache-2.0 */
/* A map of a zone's pages. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* open_memstream */
#endif
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/slabmill/inspect/inspect.h"

/*
 *   |label| row of COLUMNS cells ........................ |
 *   LEFT  a cell is STEP wide with the gap; cells of one span or run are joined
 *
 * A cell stands for one page, or in large zones for a power of two of them. It is filled from
 * below: the used part in the full colour, free chunks in a tint of it; the white rest is free. The
 * colours are those of Okabe and Ito, which most people can distinguish.
 */
#define COLUMNS  64u
#define ROWS_MAX 40u
#define STEP     14u
#define SIDE     12u /* width of a cell */
#define ROW_STEP 20u
#define HEIGHT   17u /* of a cell */
#define LEFT     76u
#define TOP      170u
#define WIDTH    (LEFT + COLUMNS * STEP + 22u)

enum kind { SMALL, LOW, MIDDLE, HIGH, LARGE, RUN, DAMAGED, KINDS };

static const struct {
    size_t chunk_bytes_max;
    const char *colour;
    const char *label;
} kinds[KINDS] = {
    [SMALL] = {64, "#0072b2", "chunks up to 64 bytes"},
    [LOW] = {256, "#56b4e9", "65 to 256"},
    [MIDDLE] = {1024, "#009e73", "257 to 1024"},
    [HIGH] = {4096, "#e69f00", "1025 to 4096"},
    [LARGE] = {SIZE_MAX, "#cc79a7", "larger"},
    [RUN] = {0, "#4d4d4d", "whole pages"},
    [DAMAGED] = {0, "#d55e00", "damaged"},
};

/* Parts of a cell, together 1 at most. */
struct cell {
    double used[KINDS];
    double idle[KINDS]; /* free chunks, and the bytes lost after the last one */
};

struct map {
    FILE *out;
    const struct mill_look *look;
    uint64_t cell_pages;
    size_t n_cells;
    struct cell *cells; /* of scaled maps, else NULL */
};

static unsigned kind_of_chunk(size_t chunk_bytes)
{
    unsigned kind = SMALL;
    while (chunk_bytes > kinds[kind].chunk_bytes_max) {
        kind++;
    }
    return kind;
}

static void put_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

/* --- Cells --- */

static void put_layer(FILE *out, const char *class, unsigned kind, size_t x, size_t width,
                      double *bottom, double share)
{
    double height = share * HEIGHT;
    if (height >= 0.05) {
        *bottom -= height;
        fprintf(out, "<rect class=\"%sk%u\" x=\"%zu\" y=\"%.1f\" width=\"%zu\" height=\"%.1f\"/>",
                class, kind, x, *bottom, width, height);
    }
}

/* Draws n_cells equal cells of a row, from cell idx. The caller writes the title and ends the
 * group. */
static void begin_cells(FILE *out, size_t idx, size_t n_cells, const struct cell *cell)
{
    size_t x = LEFT + idx % COLUMNS * STEP;
    size_t y = TOP + idx / COLUMNS * ROW_STEP;
    size_t width = n_cells * STEP - (STEP - SIDE);
    double bottom = (double)(y + HEIGHT);
    fprintf(out, "<g><rect class=\"page\" x=\"%zu.5\" y=\"%zu.5\" width=\"%zu\" height=\"%u\"/>", x,
            y, width - 1, HEIGHT - 1);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        put_layer(out, "", kind, x, width, &bottom, cell->used[kind]);
    }
    for (unsigned kind = 0; kind < KINDS; kind++) {
        put_layer(out, "t ", kind, x, width, &bottom, cell->idle[kind]);
    }
    fputs("<title>", out);
}

static void fill_cell(struct cell *cell, const struct mill_look *look,
                      const struct slm_slab_extent *extent, double share)
{
    double used = 1;
    unsigned kind = RUN;
    if (extent->kind == SLM_SLAB_EXTENT_SPAN) {
        size_t chunk_bytes = look->classes[extent->class_idx].chunk_bytes;
        kind = kind_of_chunk(chunk_bytes);
        used = mill_share(extent->n_used * chunk_bytes, extent->n_pages * look->stats.page_bytes);
    } else if (extent->kind == SLM_SLAB_EXTENT_DAMAGED) {
        kind = DAMAGED;
    }
    if (extent->kind != SLM_SLAB_EXTENT_FREE) {
        cell->used[kind] += share * used;
        cell->idle[kind] += share * (1 - used);
    }
}

static void put_extent_title(FILE *out, const struct mill_look *look,
                             const struct slm_slab_extent *extent)
{
    size_t last = extent->first_page + extent->n_pages - 1;
    if (last == extent->first_page) {
        fprintf(out, "page %zu: ", last);
    } else {
        fprintf(out, "pages %zu to %zu: ", extent->first_page, last);
    }
    switch (extent->kind) {
    case SLM_SLAB_EXTENT_FREE:
        fputs("free", out);
        break;
    case SLM_SLAB_EXTENT_RUN:
        fputs("one object of whole pages", out);
        break;
    case SLM_SLAB_EXTENT_SPAN:
        fprintf(out, "chunks of %zu bytes, %zu of %zu used",
                look->classes[extent->class_idx].chunk_bytes, extent->n_used, extent->n_chunks);
        break;
    default:
        fputs("damaged", out);
    }
    fputs("</title></g>\n", out);
}

/* One page in a cell: draws the extent row by row. */
static bool draw_extent(void *data, const struct slm_slab_extent *extent)
{
    struct map *map = data;
    struct cell cell = {{0}, {0}};
    fill_cell(&cell, map->look, extent, 1);
    size_t end = extent->first_page + extent->n_pages;
    for (size_t at = extent->first_page; at < end;) {
        size_t end_of_row = at - at % COLUMNS + COLUMNS;
        size_t to = end < end_of_row ? end : end_of_row;
        begin_cells(map->out, at, to - at, &cell);
        put_extent_title(map->out, map->look, extent);
        at = to;
    }
    return true;
}

/* Many pages in a cell: each extent adds to the cells that it overlaps. */
static bool add_extent(void *data, const struct slm_slab_extent *extent)
{
    struct map *map = data;
    size_t end = extent->first_page + extent->n_pages;
    for (size_t at = extent->first_page; at < end;) {
        size_t idx = at / map->cell_pages;
        size_t end_of_cell = (idx + 1) * map->cell_pages;
        size_t to = end < end_of_cell ? end : end_of_cell;
        double share = (double)(to - at) / (double)map->cell_pages;
        fill_cell(&map->cells[idx], map->look, extent, share);
        at = to;
    }
    return true;
}

static void draw_cells(const struct map *map)
{
    for (size_t idx = 0; idx < map->n_cells; idx++) {
        const struct cell *cell = &map->cells[idx];
        double used = 0;
        for (unsigned kind = 0; kind < KINDS; kind++) {
            used += cell->used[kind];
        }
        uint64_t first = idx * map->cell_pages;
        uint64_t end = first + map->cell_pages;
        end = end < map->look->stats.n_pages ? end : map->look->stats.n_pages;
        begin_cells(map->out, idx, 1, cell);
        fprintf(map->out, "pages %" PRIu64 " to %" PRIu64 ": %.0f %% used</title></g>\n", first,
                end - 1, 100 * used * (double)map->cell_pages / (double)(end - first));
    }
}

/* --- Around them --- */

static void put_style(const struct map *map, unsigned height)
{
    fprintf(map->out,
            "<style>text{font-family:\"DejaVu Sans\",Verdana,sans-serif;font-size:12px;"
            "fill:#222}.h{font-size:18px;font-weight:bold}.n{font-size:10px;fill:#555;"
            "text-anchor:end}.page{fill:#fff;stroke:#bbb;stroke-width:1}.t{fill-opacity:.28}"
            ".end{stroke:#fff;stroke-opacity:.45;stroke-width:1;pointer-events:none}");
    for (unsigned kind = 0; kind < KINDS; kind++) {
        fprintf(map->out, ".k%u{fill:%s}", kind, kinds[kind].colour);
    }
    fprintf(map->out, "</style>\n<rect width=\"%u\" height=\"%u\" fill=\"#fff\"/>\n", WIDTH,
            height);
}

static void put_verdict(FILE *out, const struct mill_look *look)
{
    if (look->is_repair_due) {
        fputs("A repair is due", out);
    } else if (!look->is_checked) {
        fputs("Unsettled: taken while the zone was changing, not checked", out);
    } else if (look->broken != 0) {
        fprintf(out, "Invariant %u is broken", look->broken);
    } else {
        fputs("Every invariant holds", out);
    }
}

static void put_figures(FILE *out, const struct mill_look *look)
{
    const struct slm_slab_stats *stats = &look->stats;
    uint64_t n_bytes = (uint64_t)stats->n_pages * stats->page_bytes;
    fprintf(out,
            "%zu pages of %zu bytes, %.0f %% in use; %" PRIu64 " pages free in %" PRIu64
            " run%s, the longest of %" PRIu64 ", fragmentation %.0f %%",
            stats->n_pages, stats->page_bytes, 100 * mill_share(look->used_bytes, n_bytes),
            look->n_free_pages, look->n_free_runs, look->n_free_runs == 1 ? "" : "s",
            look->longest_pages, 100 * mill_look_fragmentation(look));
}

static void put_name(FILE *out, const struct mill_look *look)
{
    fputs("Zone ", out);
    put_escaped(out, look->name);
}

static void put_tag(FILE *out, const struct mill_look *look)
{
    if (look->tag[0] != '\0') {
        fputs(". Tag: ", out);
        put_escaped(out, look->tag);
    }
}

static void put_titles(const struct map *map)
{
    FILE *out = map->out;
    fputs("<title id=\"t\">", out);
    put_name(out, map->look);
    fputs("</title>\n<desc id=\"d\">", out);
    put_figures(out, map->look);
    fputs("; ", out);
    put_verdict(out, map->look);
    put_tag(out, map->look);
    fprintf(out, ". One cell is %" PRIu64 " page%s.</desc>\n", map->cell_pages,
            map->cell_pages == 1 ? "" : "s");
}

static void begin_text(FILE *out, unsigned y)
{
    fprintf(out, "<text x=\"%u\" y=\"%u\">", LEFT, y);
}

/* Writes a long name smaller, so that it fits. */
static void put_heading(const struct map *map)
{
    FILE *out = map->out;
    size_t n = strlen(map->look->name);
    fprintf(out, "<text class=\"h\" style=\"font-size:%.1fpx\" x=\"%u\" y=\"32\">",
            n > 44 ? 800.0 / (double)n : 18.0, LEFT);
    put_name(out, map->look);
    fputs("</text>\n", out);
    begin_text(out, 54);
    put_figures(out, map->look);
    fputs("</text>\n", out);
    begin_text(out, 74);
    put_verdict(out, map->look);
    put_tag(out, map->look);
    fputs("</text>\n", out);
    begin_text(out, 94);
    if (map->cell_pages == 1) {
        fputs("One cell is one page; cells in one frame are one span or run.", out);
    } else {
        fprintf(out, "One cell is %" PRIu64 " pages.", map->cell_pages);
    }
    fputs(" A cell is filled from below as far as it is used. On the left: numbers of "
          "pages.</text>\n",
          out);
}

/* Widths are those of the labels in the font above. */
static void put_legend(FILE *out, bool has_damage)
{
    static const unsigned widths[KINDS] = {166, 92, 106, 116, 74, 106, 88};
    unsigned x = LEFT;
    unsigned y = 112;
    unsigned n_kinds = has_damage ? KINDS : DAMAGED;
    for (unsigned kind = 0; kind < n_kinds; kind++) {
        fprintf(out,
                "<rect class=\"k%u\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\"/>"
                "<text x=\"%u\" y=\"%u\">%s</text>\n",
                kind, x, y, SIDE, SIDE, x + SIDE + 6, y + 11, kinds[kind].label);
        x += widths[kind];
    }
    y += 22;
    fprintf(out,
            "<rect class=\"t k0\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\"/>"
            "<text x=\"%u\" y=\"%u\">a tint: free chunks of a span</text>\n",
            LEFT, y, SIDE, SIDE, LEFT + SIDE + 6, y + 11);
    fprintf(out,
            "<rect class=\"page\" x=\"%u.5\" y=\"%u.5\" width=\"%u\" height=\"%u\"/>"
            "<text x=\"%u\" y=\"%u\">white: free pages</text>\n",
            LEFT + 220, y, SIDE - 1, SIDE - 1, LEFT + 220 + SIDE + 6, y + 11);
}

static void put_row_labels(const struct map *map)
{
    for (size_t idx = 0; idx < map->n_cells; idx += COLUMNS) {
        fprintf(map->out, "<text class=\"n\" x=\"%u\" y=\"%zu\">%" PRIu64 "</text>\n", LEFT - 8,
                TOP + idx / COLUMNS * ROW_STEP + 12, idx * map->cell_pages);
    }
}

/* Draws the borders of pages within frames: faint, on top of everything. */
static void put_page_ends(FILE *out, unsigned n_rows)
{
    fputs("<path class=\"end\" d=\"", out);
    for (unsigned i = 1; i < COLUMNS; i++) {
        fprintf(out, "M%u %uv%u", LEFT + i * STEP - 1, TOP, n_rows * ROW_STEP);
    }
    fputs("\"/>\n", out);
}

static void draw(struct map *map)
{
    unsigned n_rows = (unsigned)((map->n_cells + COLUMNS - 1) / COLUMNS);
    unsigned height = TOP + n_rows * ROW_STEP + 16;
    fprintf(map->out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
            "viewBox=\"0 0 %u %u\" role=\"img\" aria-labelledby=\"t d\">\n",
            WIDTH, height, WIDTH, height);
    put_titles(map);
    put_style(map, height);
    put_heading(map);
    put_legend(map->out, map->look->n_damaged_pages > 0);
    put_row_labels(map);
    if (map->cells == NULL) {
        slm_slab_walk_locked(map->look->copy->slab, draw_extent, map);
        put_page_ends(map->out, n_rows);
    } else {
        slm_slab_walk_locked(map->look->copy->slab, add_extent, map);
        draw_cells(map);
    }
    fputs("</svg>\n", map->out);
}

/* The smallest number of pages in a cell, a power of two, with which the map fits. */
static bool scale(struct map *map)
{
    uint64_t n_pages = map->look->stats.n_pages;
    map->cell_pages = 1;
    while ((n_pages + map->cell_pages - 1) / map->cell_pages > (uint64_t)COLUMNS * ROWS_MAX) {
        map->cell_pages *= 2;
    }
    map->n_cells = (size_t)((n_pages + map->cell_pages - 1) / map->cell_pages);
    map->cells = map->cell_pages == 1 ? NULL : calloc(map->n_cells, sizeof *map->cells);
    return map->cell_pages == 1 || map->cells != NULL;
}

bool mill_look_svg(const struct mill_look *look, const char *path)
{
    struct map map = {.look = look};
    if (look->copy->slab == NULL) {
        (void)mill_complain("%s: no map of a slab that cannot be opened", look->label);
        return false;
    }
    if (!scale(&map)) {
        (void)mill_complain("%s: no memory for a map", path);
        return false;
    }
    char *text = NULL;
    size_t n_bytes = 0;
    map.out = open_memstream(&text, &n_bytes);
    if (map.out != NULL) {
        draw(&map);
    }
    bool is_whole = map.out != NULL && fclose(map.out) == 0;
    if (!is_whole) {
        (void)mill_complain("%s: no memory for a map", path);
    }
    bool is_written = is_whole && mill_file_write(path, text, n_bytes);
    free(map.cells);
    free(text);
    return is_written;
}
