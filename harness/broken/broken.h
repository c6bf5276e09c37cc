/* SPDX-License-Identifier: Apache-2.0 */
/* Allocators broken on purpose: what the harness must catch. */
#ifndef HRN_BROKEN_H
#define HRN_BROKEN_H

#include <stddef.h>

#include "harness/adapters/adapters.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    A small allocator (ref.h) that is right except for one bug of this list, and pools and
 *          slabs in a wrapper that makes them wrong. Each is an adapter like any other. RESIZES:
 *          resize moves objects; USABLE: no resize, but usable bytes; WALKS: resize and a walk.
 */
#define HRN_BUG_LIST(X)                                                                            \
    X(none, "nothing is wrong", RESIZES)                                                           \
    X(overlap, "sometimes an object starts inside its neighbour", RESIZES)                         \
    X(short_by_one, "a size that fills its granules gets one granule less", RESIZES)               \
    X(page_edge, "an object of exactly 4096 bytes is cut short", RESIZES)                          \
    X(lost_free, "free forgets objects above 500 bytes", RESIZES)                                  \
    X(half_merge, "free forgets one granule when the right neighbour is free", RESIZES)            \
    X(merge_left, "a freed object is not merged with its free left neighbour", RESIZES)            \
    X(merge_right, "a freed object is not merged with its free right neighbour", RESIZES)          \
    X(merge_both, "an object freed between two free neighbours is merged with neither", RESIZES)   \
    X(unaligned, "objects of 1000 bytes and more are off by 8", RESIZES)                           \
    X(calloc_first_page, "calloc zeroes no more than the first page", RESIZES)                     \
    X(memalign_ignored, "alignments above 64 are not kept", RESIZES)                               \
    X(calloc_plain, "calloc does not zero", RESIZES)                                               \
    X(calloc_short, "calloc leaves out the last byte", RESIZES)                                    \
    X(zero_alias, "all objects of size 0 are the same", RESIZES)                                   \
    X(huge_wrap, "sizes near the largest number wrap to small ones", RESIZES)                      \
    X(outside, "the last object may reach past the region", RESIZES)                               \
    X(false_refusal, "every 37th request is refused", RESIZES)                                     \
    X(early_full, "the last eighth of the region is never used", RESIZES)                          \
    X(stats_drift, "free counts small objects twice", RESIZES)                                     \
    X(count_saturates, "the count of objects stops at 20", RESIZES)                                \
    X(silent_damage, "one of its own counters goes wrong, and only its check sees it", RESIZES)    \
    X(free_scribbles, "free writes to the neighbour", RESIZES)                                     \
    X(alloc_scribbles, "alloc writes before the object", RESIZES)                                  \
    X(free_copies, "free overwrites an object with a copy of another", RESIZES)                    \
    X(content_driven, "an object that ends in a certain byte spoils its neighbour", RESIZES)       \
    X(fence_written, "free of the last object writes past the end of the region", RESIZES)         \
    X(double_free, "freeing twice is accepted", RESIZES)                                           \
    X(stale_free, "a recently freed address inside a newer object is accepted", RESIZES)           \
    X(interior_free, "a pointer into an object frees it", RESIZES)                                 \
    X(region_end_free, "the address past the end of the region is accepted", RESIZES)              \
    X(foreign_free, "memory of another allocator is accepted", RESIZES)                            \
    X(null_free, "free of NULL is refused", RESIZES)                                               \
    X(free_denied, "free of whole pages returns a wrong status", RESIZES)                          \
    X(resize_loses, "resize copies 32 bytes too few", RESIZES)                                     \
    X(resize_overlaps, "resize grows over the neighbour", RESIZES)                                 \
    X(usable_large, "usable bytes reach into the neighbour", USABLE)                               \
    X(usable_small, "usable bytes are fewer than asked for", USABLE)                               \
    X(reset_partial, "reset forgets the objects after the first page", RESIZES)                    \
    X(create_stale, "a new arena starts with the old one's map", RESIZES)                          \
    X(create_refused, "create fails for some sizes", RESIZES)                                      \
    X(cleanup_twice, "handlers with data run twice", RESIZES)                                      \
    X(cleanup_oldest, "handlers run oldest first", RESIZES)                                        \
    X(cleanup_lost, "a third handler is lost", RESIZES)                                            \
    X(cleanup_late, "handlers registered by handlers do not run", RESIZES)                         \
    X(leak_on_refusal, "the record of a handler leaks when its data is refused", RESIZES)          \
    X(return_size, "records are returned to the source with a wrong size", RESIZES)                \
    X(return_twice, "a record is returned to the source twice", RESIZES)                           \
    X(destroy_leaks, "destroy leaves a block in the source", RESIZES)                              \
    X(growth, "each reset takes memory that nothing uses", RESIZES)                                \
    X(stuck_refusal, "after one refusal by the source it refuses for ever", RESIZES)               \
    X(reuse_twice, "the reuse list hands an object out twice", RESIZES)                            \
    X(reuse_double_put, "the reuse list accepts an object twice", RESIZES)                         \
    X(walk_leaves_out, "its walk leaves out an object of five granules", WALKS)

#define HRN_BUG_ENUM(name, sentence, style) HRN_BUG_##name,
enum hrn_bug { HRN_BUG_LIST(HRN_BUG_ENUM) HRN_BUG_COUNT };
#undef HRN_BUG_ENUM

/* Wrong wrappers around the real ones. */
#define HRN_WRAPPED_LIST(X)                                                                        \
    X(slab_lost_free, slab, "free returns success and does nothing")                               \
    X(slab_hidden_object, slab, "it allocates an object that it never frees")                      \
    X(slab_refuses, slab, "every 50th request is refused")                                         \
    X(slab_generous, slab, "small requests get objects of a page")                                 \
    X(slab_vague, slab, "every misuse is reported as foreign")                                     \
    X(slab_edge_up, slab, "a size that fills its chunk gets a chunk of the next class")            \
    X(slab_edge_down, slab, "a size one above a class gets a chunk of that class")                 \
    X(slab_run_drift, slab, "some frees are counted as requests for runs")                         \
    X(slab_deaf_view, slab, "of two views, one frees nothing")                                     \
    X(slab_trims, slab, "free of a large object gives up the kept spans")                          \
    X(slab_root_lost, slab, "free of a run loses the root")                                        \
    X(slab_root_kept, slab, "reset keeps the root")                                                \
    X(slab_name_cut, slab, "the name is cut short")                                                \
    X(slab_keeps, slab, "reset keeps an object")                                                   \
    X(pool_refuses, pool, "every 50th request is refused")                                         \
    X(pool_wasteful, pool, "each object is followed by a page that nothing uses")                  \
    X(pool_keeps_large, pool, "reset keeps a large block")                                         \
    X(pool_page_aligned, pool, "alignments above a page are treated as a page")                    \
    X(pool_file_open, pool, "the wrong descriptor is closed")                                      \
    X(pool_file_kept, pool, "files are closed and not deleted")                                    \
    X(pool_file_early, pool, "a descriptor is closed when it is registered")                       \
    X(pool_file_again, pool, "a file cleanup run early stays registered")                          \
    X(pool_file_any, pool, "a file cleanup that was never registered is reported as run")          \
    X(pool_file_first, pool, "reset runs file cleanups before other handlers")                     \
    X(pool_frees_small, pool, "free of a small object returns success")                            \
    X(pool_handler_twice, pool, "handlers are registered twice")                                   \
    X(pool_cancel_lost, pool, "cancel registers the handler that was armed last once more")        \
    X(pool_cancel_runs, pool, "cancel runs the handler that was armed last")                       \
    X(pool_cancel_again, pool, "a cancelled handler can be cancelled again")                       \
    X(pool_armed_again, pool, "an armed record can be armed again")                                \
    X(pool_child_stays, pool, "a child that is ended stays until its parent ends")                 \
    X(pool_child_early, pool, "the handler of a child runs when the child is made")                \
    X(twin_keeps_newest, twin, "the newest object cannot be given back")

#define HRN_WRAPPED_ENUM(name, of, sentence) HRN_WRAPPED_##name,
enum hrn_wrapped { HRN_WRAPPED_LIST(HRN_WRAPPED_ENUM) HRN_WRAPPED_COUNT };
#undef HRN_WRAPPED_ENUM

/* The adapter of a bug: "broken_" and its name. */
const struct slm_adapter *hrn_broken_adapter(enum hrn_bug bug);
const char *hrn_broken_sentence(enum hrn_bug bug);

/* All broken adapters, wrapped ones included, without `none`: the adapter and its sentence; NULL
 * after the last. */
const struct slm_adapter *hrn_broken_at(size_t idx, const char **sentence);

/* Only the wrapped ones. */
const struct slm_adapter *hrn_wrapped_at(size_t idx, const char **sentence);

#ifdef __cplusplus
}
#endif
#endif
