/* SPDX-License-Identifier: Apache-2.0 */
/* The zoo: four allocators of the usual designs, each right, and wrong in one of many ways. */
#ifndef HRN_ZOO_H
#define HRN_ZOO_H

#include <stdbool.h>
#include <stddef.h>

#include <slabmill/adapter.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Four allocators, written for the harness in the style of public ones:
 *              tags   best fit, boundary tags, neighbours coalesce
 *              buddy  binary buddies over any length of region, map in the source
 *              levels two-level segregated lists, several regions, resize in place
 *              bump   a bump pointer, with a sorted list of holes, no headers
 *          Each is an adapter without a bug, which is registered (zoo_tags, ...), and one adapter
 *          for each of its bugs (zoo_tags_split, ...), which hrn_zoo_at lists. Each bug has a class:
 *          what kind of mistake it is. Searches end after as many steps as a region can have
 *          objects, so that a damaged list does not become a hang.
 * Safety   As any adapter.
 */

/* Classes of mistakes: name, sentence. */
#define HRN_ZOO_CLASS_LIST(X)                                                                      \
    X(coalesce, "a freed object is not merged with a free neighbour")                              \
    X(fragment, "memory next to an object belongs to nothing any more")                            \
    X(split, "the two parts of split memory have wrong sizes")                                     \
    X(rounding, "a size is rounded down where it must be rounded up")                              \
    X(too_early, "a request is refused that could be served")                                      \
    X(too_late, "a request is served for which there is no room")                                  \
    X(alignment, "an alignment is lost")                                                           \
    X(copy, "a moved object does not keep all of its bytes")                                       \
    X(stray_write, "own data are written over an object")                                          \
    X(list, "free memory is in a list twice, or stays in a list")                                  \
    X(statistics, "statistics are wrong")                                                          \
    X(zeroing, "reused memory is not zeroed")                                                      \
    X(product, "n * size overflows")                                                               \
    X(tail, "the tail of a region of odd size is used past its end")                               \
    X(source, "a block of the source leaks, or goes back wrongly")                                 \
    X(walk, "a walk misses an object")                                                             \
    X(reset, "reset forgets something")                                                            \
    X(growth, "a grown region loses memory, or a shrunk one keeps it")                             \
    X(resize, "resize gives back too much, takes too much, or changes something when refused")     \
    X(edge, "the first or the last memory of a region is treated wrongly")                         \
    X(usable, "usable bytes are too many")                                                         \
    X(wide, "a number of more than 32 bits is cut")                                                \
    X(misuse, "a bad free is accepted")

/* Bugs of each allocator: name, class, sentence. */
#define HRN_ZOO_TAGS_LIST(X)                                                                       \
    X(merge_left, coalesce, "a freed chunk is not merged with its left neighbour")                 \
    X(merge_right, coalesce, "a freed chunk is not merged with its right neighbour")               \
    X(rest_lost, fragment, "the rest of a split chunk is in no list")                              \
    X(prefix_lost, fragment, "the part before an aligned object is in no list")                    \
    X(rest_short, split, "the rest of a split chunk is recorded 16 bytes too short")               \
    X(least_chunk, rounding, "sizes below 9 get a chunk that cannot hold the links of a free one") \
    X(exact_fit, too_early, "a chunk of exactly the right size is not used")                       \
    X(past_end, too_late, "the end mark counts as room")                                           \
    X(resize_align, alignment, "resize with an alignment moves to any chunk")                      \
    X(copy_short, copy, "resize takes the header for part of the object, and copies less")         \
    X(odd_size, stray_write, "a size of 9 more than a multiple of 16 gets one byte too few")       \
    X(stays_listed, list, "the right neighbour stays listed when it is merged")                    \
    X(taken_listed, list, "the neighbour that resize takes stays listed")                          \
    X(refused_counted, statistics, "a refused request counts as an object")                        \
    X(exact_dirty, zeroing, "a chunk that fits exactly is not zeroed")                             \
    X(product_wraps, product, "n * size is not checked")                                           \
    X(end_rounded_up, tail, "the end of the region is rounded up")                                 \
    X(returned_short, source, "the control block goes back with a wrong size")                     \
    X(walk_short, walk, "a walk ends before the last chunk")                                       \
    X(reset_listed, reset, "reset leaves the old chunks listed")                                   \
    X(growth_lost, growth, "new memory is lost when the last chunk is in use")                     \
    X(cut_short, resize, "a smaller size gives back 16 bytes too much")                            \
    X(refused_frees, resize, "a refused resize frees the object")                                  \
    X(last_alone, edge, "a chunk at the end is not merged with its left neighbour")                \
    X(header_usable, usable, "usable bytes include the next header")                               \
    X(counted_by_check, statistics, "statistics are those of the last check")                      \
    X(tag_32_bits, wide, "the size at the end of a free chunk has 32 bits")

#define HRN_ZOO_BUDDY_LIST(X)                                                                      \
    X(merge_left, coalesce, "an upper half is not merged with its lower half")                     \
    X(merge_once, coalesce, "merging stops after one step")                                        \
    X(half_lost, fragment, "splitting the smallest splittable block loses its upper half")         \
    X(half_large, split, "the lower half of a split block is recorded twice as large")             \
    X(one_over, rounding, "a size one above a block gets that block")                              \
    X(largest_unseen, too_early, "the list of the largest blocks is not searched")                 \
    X(half_given, too_late, "half a block is given if there is no whole one")                      \
    X(not_its_buddy, alignment, "resize takes the right neighbour, which may not be the buddy")    \
    X(large_align, alignment, "alignments above 256 are not kept")                                 \
    X(copy_units, copy, "a moved object loses what is not a whole unit")                           \
    X(map_long, stray_write, "the mark of a block reaches one unit too far")                       \
    X(merged_listed, list, "a block that is merged stays listed")                                  \
    X(refused_counted, statistics, "the bytes of a refused request are counted")                   \
    X(whole_dirty, zeroing, "a block that was not split is not zeroed")                            \
    X(product_wraps, product, "n * size is not checked")                                           \
    X(end_rounded_up, tail, "a part of a unit at the end counts as a unit")                        \
    X(map_leaks, source, "the map leaks if the control block is refused")                          \
    X(old_map_leaks, source, "growth does not give the old map back")                              \
    X(walk_short, walk, "a walk ends before the last unit")                                        \
    X(reset_listed, reset, "reset leaves blocks of one unit listed")                               \
    X(growth_lost, growth, "the first new unit is lost")                                           \
    X(shrink_listed, growth, "a block above the new end stays listed")                             \
    X(cut_short, resize, "a smaller size gives back half of what it needs")                        \
    X(first_alone, edge, "the block at the start of the region is never merged")                   \
    X(next_usable, usable, "usable bytes are those of the next larger block")                      \
    X(free_again, misuse, "an object may be freed twice")                                          \
    X(interior, misuse, "an address inside the first unit of an object frees it")                  \
    X(maps_pile_up, source, "reset takes a new map, and destroy gives all of them back")           \
    X(align_32_bits, wide, "alignments are cut to 32 bits")

#define HRN_ZOO_LEVELS_LIST(X)                                                                     \
    X(merge_left, coalesce, "a freed chunk is not merged with its left neighbour")                 \
    X(merge_both, coalesce,                                                                        \
      "a chunk freed between two free ones is merged with the left one only")                      \
    X(rest_lost, fragment, "a rest of less than 64 bytes is in no list")                           \
    X(rest_long, split, "the rest of a split chunk is recorded 16 bytes too long")                 \
    X(class_down, rounding, "any chunk of the request's own class is taken")                       \
    X(own_class, too_early, "above 1024 bytes, the request's own class is not searched")           \
    X(last_class, too_early, "the last class of each doubling is not searched")                    \
    X(align_room, too_late, "the room for the alignment is not counted")                           \
    X(resize_align, alignment, "a moved object loses its alignment")                               \
    X(copy_less, copy, "a moved object loses its last byte")                                       \
    X(left_tag, stray_write, "the size of the left neighbour is written 16 bytes too early")       \
    X(last_listed, list, "the last chunk of a list stays listed")                                  \
    X(freed_twice_counted, statistics, "an object that is freed by size is counted twice")         \
    X(reuse_dirty, zeroing, "zeroing spares the words that linked the free chunk")                 \
    X(product_wraps, product, "n * size is not checked")                                           \
    X(end_rounded_up, tail, "the end of a region is rounded up")                                   \
    X(control_leaks, source, "the control block leaks if a region's record is refused")            \
    X(record_stays, source, "reset forgets the record of an added region")                         \
    X(walk_first, walk, "a walk visits the first region only")                                     \
    X(reset_class, reset, "reset forgets the lists of large chunks")                               \
    X(region_lost, growth, "an added region is recorded and not used")                             \
    X(cut_short, resize, "a smaller size gives back 16 bytes too much")                            \
    X(grow_long, resize, "growth in place takes a neighbour that is 16 bytes too short")           \
    X(first_left, edge, "the first chunk is merged with what is before the region")                \
    X(header_usable, usable, "usable bytes include the next header")                               \
    X(align_32_bits, wide, "alignments are cut to 32 bits")

#define HRN_ZOO_BUMP_LIST(X)                                                                       \
    X(merge_left, coalesce, "a hole is not merged with the hole to the left")                      \
    X(merge_right, coalesce, "a hole is not merged with the hole to the right")                    \
    X(top_stays, coalesce, "a hole that reaches the top is kept as a hole")                        \
    X(rest_lost, fragment, "a rest of 16 bytes is lost")                                           \
    X(pad_lost, fragment, "the bytes before an aligned object at the top are lost")                \
    X(rest_long, split, "the rest of a hole is recorded 16 bytes too long")                        \
    X(one_over, rounding, "a size one above a multiple of 16 is rounded down")                     \
    X(exact_end, too_early, "a request that fills the region exactly is refused")                  \
    X(align_end, too_late, "the end is checked without the padding of the alignment")              \
    X(resize_align, alignment, "resize with an alignment stays where it is")                       \
    X(copy_rounded, copy, "a moved object loses what is not a whole granule")                      \
    X(long_node, stray_write, "the record of a hole is longer than the smallest hole")             \
    X(listed_above, list, "a hole that the top comes down to stays listed")                        \
    X(resize_uncounted, statistics, "growth in place is not counted")                              \
    X(hole_dirty, zeroing, "an object from a hole is not zeroed")                                  \
    X(product_wraps, product, "n * size is not checked")                                           \
    X(end_rounded_up, tail, "the end of the region is rounded up")                                 \
    X(control_stays, source, "destroy forgets the control block if there are holes")               \
    X(reset_holes, reset, "reset leaves the holes listed")                                         \
    X(shrunk_top, growth, "the region shrinks below the top")                                      \
    X(cut_short, resize, "a smaller size gives back 16 bytes too much")                            \
    X(grow_past, resize, "growth at the top does not look for the end")                            \
    X(first_hole, edge, "a hole at the start of the region is not searched")                       \
    X(hole_32_bits, wide, "the size of a hole has 32 bits")

#define HRN_ZOO_CLASS_ENUM(name, sentence) HRN_ZOO_##name,
enum hrn_zoo_class { HRN_ZOO_CLASS_LIST(HRN_ZOO_CLASS_ENUM) HRN_ZOO_N_CLASSES };
#undef HRN_ZOO_CLASS_ENUM

struct hrn_zoo_bug {
    const char *allocator; /* tags, buddy, levels, bump */
    const char *name;
    enum hrn_zoo_class kind;
    const char *sentence;
    const struct slm_adapter *adapter; /* with the bug */
    const struct slm_adapter *right;   /* the same allocator without */
};

/* Bug number idx of the whole zoo. False after the last. */
bool hrn_zoo_at(size_t idx, struct hrn_zoo_bug *bug);

/* The name of a class, and what it means. */
const char *hrn_zoo_class_name(enum hrn_zoo_class kind);
const char *hrn_zoo_class_sentence(enum hrn_zoo_class kind);

/* An allocator without a bug, number idx; NULL after the last. */
const struct slm_adapter *hrn_zoo_right(size_t idx);

#ifdef __cplusplus
}
#endif
#endif
