/* SPDX-License-Identifier: Apache-2.0 */
/* The laws of memory that the harness enforces: one list, one function each. */
#ifndef HRN_LAWS_H
#define HRN_LAWS_H

#include <stdarg.h>
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Each law is a noinline, noreturn function hrn_law_<name>(format, ...) that reports which
 *          operation broke which law and how, then aborts: fuzzers sort crashes by top frame.
 *          During hrn_run_catch it jumps back to the runner instead.
 * Safety   Called by runner and oracles during a run; by nothing else.
 */
#define HRN_LAW_TEXT_BYTES 256u /* of the text about what was seen, including a final zero */

#define HRN_LAW_LIST(X)                                                                            \
    X(overlap, "live objects share no byte")                                                       \
    X(outside, "an object is wholly in the region, or in one block of the source")                 \
    X(alignment, "an object starts at a multiple of its alignment")                                \
    X(contents, "what was written to an object stays until it is freed")                           \
    X(zeroing, "calloc's bytes are all zero")                                                      \
    X(usable, "usable bytes are at least those asked for, and in no other object")                 \
    X(refusal, "a refusal has a reason")                                                           \
    X(availability, "an arena without objects serves a few bytes")                                 \
    X(empty_serves, "an emptied arena serves what a new one serves")                               \
    X(freed_serves, "an object that was just freed can be had again")                              \
    X(monotone, "after a refusal, larger requests are refused too")                                \
    X(gap_serves, "a request that fits between live objects is served")                            \
    X(exact, "a request that fits nowhere is refused")                                             \
    X(n_fit, "an emptied arena has room for as many objects as promised")                          \
    X(shrunk_fit, "an object that was made smaller takes no more than a new one")                  \
    X(grant, "a request that cannot be served is refused")                                         \
    X(placement, "an object is where its allocator places objects of its kind")                    \
    X(free_answer, "free accepts every live object")                                               \
    X(misuse_answer, "free refuses what is no live object, and says why")                          \
    X(resize, "resizing keeps the bytes, or does nothing")                                         \
    X(region_change, "a region grows, shrinks or is added without loss of an object, or stays")    \
    X(fence, "no byte outside the region is written")                                              \
    X(statistics, "statistics are exact")                                                          \
    X(walk, "the allocator's own walk visits each live object once, and nothing else")             \
    X(self_check, "the allocator's own check finds nothing wrong")                                 \
    X(cleanup_once, "every cleanup handler runs exactly once")                                     \
    X(cleanup_order, "cleanup handlers run newest first")                                          \
    X(source_return, "a source gets back what it gave, once, by the same size and alignment")      \
    X(source_leak, "nothing is left in the source after destroy")                                  \
    X(growth, "memory taken stays within a fixed multiple of what was asked for")                  \
    X(pristine, "an emptied allocator is like a new one")                                          \
    X(create_answer, "create fails only for a reason")                                             \
    X(anchor, "a root and a name keep the value they were set to")                                 \
    X(reuse, "a reuse list returns objects that were put back, or new ones, each once")            \
    X(twin, "two allocators with one contract return the same results")                            \
    X(image, "inspecting an image writes nothing, and an image found sound works")

#define HRN_LAW_ENUM(name, sentence) HRN_LAW_##name,
enum hrn_law { HRN_LAW_NONE, HRN_LAW_LIST(HRN_LAW_ENUM) HRN_LAW_COUNT };
#undef HRN_LAW_ENUM

/* Declares a law's function, of this list or of another (see HRN_LAW_DEFINE). */
#define HRN_LAW_FUNCTION(function)                                                                 \
    __attribute__((noreturn, noinline, cold, format(printf, 1, 2))) void function(                 \
        const char *format, ...);

#define HRN_LAW_DECLARE(name, sentence) HRN_LAW_FUNCTION(hrn_law_##name)
HRN_LAW_LIST(HRN_LAW_DECLARE)
#undef HRN_LAW_DECLARE

/*
 * For fuzz targets that run no programs and have other laws: defines a function that reports the
 * law and aborts. hrn_law_report prints the law, then calls the function `dying` of the scene.
 */
#define HRN_LAW_DEFINE(function, name, sentence)                                                   \
    void function(const char *format, ...)                                                         \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        hrn_law_report(name, sentence, format, args);                                              \
        va_end(args);                                                                              \
        abort();                                                                                   \
    }
void hrn_law_report(const char *name, const char *sentence, const char *format, va_list args);

/* Breaks the law that the text names before its first colon, and shows the rest. A text that names
 * no law breaks `self_check`. */
__attribute__((noreturn)) void hrn_law_by_text(const char *text);

const char *hrn_law_name(enum hrn_law law);
const char *hrn_law_sentence(enum hrn_law law);

#ifdef __cplusplus
}
#endif
#endif
