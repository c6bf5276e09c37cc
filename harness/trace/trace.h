/* SPDX-License-Identifier: Apache-2.0 */
/* Programs as text: recordings of nginx, and all other programs. */
#ifndef HRN_TRACE_H
#define HRN_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/program/program.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A trace is a program and the word that its lines start with: `pool` or `slab` if it was
 *          recorded from one or is meant for one, `arena` if any adapter may run it.
 *
 *          text  = { [line] LF }           a CR may precede LF; the last LF may be missing
 *          line  = [head | op] ["#" anything]
 *          head  = "head" { FIELD "=" N }  before any op; FIELD: a field of struct hrn_head, once
 *          op    = WORD ARENA what         WORD: pool, slab, arena; the same on every line
 *          what  = "create" SIZE ["plain" | "sparse"]   sparse: SIZE more than 4294967296
 *                | "destroy" ["empty" | "live"]         live: no object is freed before
 *                | "check" ["all" | "self" | "statistics" | "walk"]
 *                | "reset" | "trim" | ("grow" | "shrink" | "add_region") SIZE
 *                | "alloc" (ID | "-") SIZE ["any" | "alloc" | "resize"]   resize: of NULL
 *                | ("nalloc" | "calloc") (ID | "-") SIZE
 *                | "memalign" (ID | "-") SIZE ALIGN
 *                | "burst" ID SIZE COUNT   makes ID to ID + COUNT - 1
 *                | "free" ID ["here" | "elsewhere"] | "give_back" ID   elsewhere: by another thread
 *                | "resize" ID SIZE ["any" | "plain" | "in_place" | "aligned" ALIGN]
 *                | "drain" ("oldest" | "newest" | "every_other")
 *                | "cleanup" ID SIZE ["plain" | "allocs" | "registers" | "armed" | "child"]
 *                | "misuse" KIND (ID | "-") SIZE   KIND: HRN_MISUSE_LIST; ID where it has a victim
 *                | "fault" NTH (COUNT | "all")     the NTH source call from here, and COUNT in all
 *                | "file" ("close" | "delete" | "gone" | "bad") SIZE   SIZE: more for a longer path
 *                | "run_file" WHICH                of the files registered, 0 for the newest
 *                | "cancel" WHICH                  of handlers that are armed, or those of a child
 *                | "reuse_get" ID | "reuse_put" ID ["twice"]
 *
 *          Words are separated by spaces and tabs; numbers are decimal. An ID is any number below
 *          2^32 - 1, used for one object of its arena only; it must be live where it is used. `-`
 *          stands for an object for which nginx had no memory: it becomes an allocation followed by
 *          a free, and is recorded in `refused`. Fields that no head sets are as in
 *          hrn_program_init.
 * Safety   Plain values; one thread at a time per trace. Any bytes may be parsed.
 * Failure  A malformed text is an error value. Memory: as for programs.
 * Source   The part for recordings follows their format; the rest is our own.
 */
#define HRN_TRACE_LINE_MAX       512u        /* characters, without the end of the line */
#define HRN_TRACE_ARENAS_MAX     65536u      /* arena numbers are below */
#define HRN_TRACE_IDS_MAX        (1u << 21)  /* objects of a trace */
#define HRN_TRACE_CREATE_MAX     (64u << 20) /* of a region or block in `create`, bytes */
#define HRN_TRACE_LINE_BUF_BYTES 640u        /* any line, or head, printed, and a final zero */

enum hrn_trace_word { HRN_TRACE_ARENA, HRN_TRACE_POOL, HRN_TRACE_SLAB, HRN_TRACE_WORD_COUNT };

struct hrn_trace {
    struct hrn_program program; /* normalized */
    enum hrn_trace_word word;
    bool has_head;   /* the text had one */
    size_t *refused; /* indices of operations that were refused when recorded, ascending */
    size_t n_refused;
    size_t cap_refused; /* allocated */
};

/* The error in a text, and its place. */
struct hrn_trace_error {
    size_t line;       /* from 1 */
    size_t column;     /* byte in the line, from 1 */
    char expected[80]; /* "a size in bytes" */
    char found[48];    /* "'12x'", "the end of the line" */
};

/* An empty trace: an empty program, the word `arena`. fini releases the memory. */
void hrn_trace_init(struct hrn_trace *trace);
void hrn_trace_fini(struct hrn_trace *trace);

/*
 * Parses into the trace, and replaces its content. On failure *error says why and the trace is
 * empty. Fails: text that the grammar does not allow; numbers out of range; an id made twice or
 * used where it is not live; more than the limits above. Cost O(n_bytes + ids + arenas).
 */
bool hrn_trace_parse(struct hrn_trace *trace, const char *text, size_t n_bytes,
                     struct hrn_trace_error *error);

/* "NAME:3:9: expected a size in bytes, found '12x'". */
void hrn_trace_error_text(const struct hrn_trace_error *error, const char *name, char *text,
                          size_t text_bytes);
#define HRN_TRACE_ERROR_BYTES 512u

/*
 * The whole trace as text with a final zero, to be released with free; *n_bytes, which may be
 * NULL, is its length. Always with a head. For a normalized program within the limits above,
 * parsing the text gives it back, and printing that gives the same text.
 */
char *hrn_trace_print(const struct hrn_trace *trace, size_t *n_bytes);

/* One operation as a line, without the end of the line. */
void hrn_trace_print_op(enum hrn_trace_word word, const struct hrn_op *op, char *line,
                        size_t line_bytes);

/* The head as HRN_TRACE_HEAD_LINES lines, each with its end. */
void hrn_trace_print_head(const struct hrn_head *head, char *lines, size_t lines_bytes);
#define HRN_TRACE_HEAD_LINES 2u

/* "arena", "pool", "slab". */
const char *hrn_trace_word_text(enum hrn_trace_word word);

#ifdef __cplusplus
}
#endif
#endif
