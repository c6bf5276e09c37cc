/* SPDX-License-Identifier: Apache-2.0 */
/* What zones need of a segment besides the public calls. */
#ifndef SLM_SEGMENT_FOR_ZONE_H
#define SLM_SEGMENT_FOR_ZONE_H

#include <stdint.h>

#include <slabmill/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Opens what slm_segment_attach would map, as it does, but maps no file yet. SYSV: attaches. */
enum slm_status slm_segment_open(struct slm_segment **out,
                                 const struct slm_segment_options *options,
                                 struct slm_error *error);
/* slm_segment_create of a POSIX or FILE segment that is unnamed, and that slm_segment_publish puts in
 * place of the file that has its name then. It has a temporary name until then. */
enum slm_status slm_segment_create_successor(struct slm_segment **out,
                                             const struct slm_segment_options *options,
                                             struct slm_error *error);
/* POSIX, FILE: removes the files under temporary names whose makers meant them to get this segment's
 * name, and died. Cost O(names in the folder). */
void slm_segment_remove_leftovers(const struct slm_segment *segment);
/* POSIX, MEMFD, FILE: how many names its file has. SLM_E_STATE (the descriptor), SLM_E_IO. */
enum slm_status slm_segment_count_names(const struct slm_segment *segment, size_t *n,
                                        struct slm_error *error);
/* POSIX, FILE: gives its file a temporary name too, which stays while this process lives, or until
 * one of the next two calls. SLM_UNCHANGED: the file system gives no second name. Fails: SLM_E_STATE
 * (the descriptor), SLM_E_SPACE, SLM_E_ACCESS, SLM_E_IO. */
enum slm_status slm_segment_add_name(struct slm_segment *segment, struct slm_error *error);
bool slm_segment_has_second_name(const struct slm_segment *segment);
/* Removes the second name. It has none: does nothing. */
void slm_segment_drop_name(struct slm_segment *segment);
/* Puts the file back under its own name, by its second one, in place of the file that has it now.
 * SLM_E_MISSING: it has no second name; as slm_segment_publish. */
enum slm_status slm_segment_return_to_name(struct slm_segment *segment, struct slm_error *error);
/* SLM_E_MISSING: the segment's name was removed; SLM_E_REPLACED: it leads to another file. */
enum slm_status slm_segment_check_own_name(const struct slm_segment *segment,
                                           struct slm_error *error);
/* Reads its first bytes, by no mapping of a file. *n_read: as many as there are. SLM_E_IO. */
enum slm_status slm_segment_read_head(const struct slm_segment *segment, void *buffer,
                                      size_t n_bytes, size_t *n_read, struct slm_error *error);
/*
 * Maps what was opened, with addresses for max_bytes at least. is_whole: none of it lacks backing.
 * Else backing is reserved for all of it; in a read-only segment on tmpfs, where even reading takes
 * backing, all of it is read. SYSV: does nothing. Fails as slm_segment_attach.
 */
enum slm_status slm_segment_map_opened(struct slm_segment *segment, size_t max_bytes, bool is_whole,
                                       struct slm_error *error);
/*
 * POSIX, MEMFD, FILE: a second handle of the file, with the same kind and label, by a duplicate of the
 * descriptor. Maps it with as many addresses; fills no holes. It grows and is detached, no more. Fails,
 * *out NULL: SLM_E_STATE (the descriptor), SLM_E_TRUNCATED, SLM_E_NOMEM, SLM_E_IO.
 */
enum slm_status slm_segment_open_again(struct slm_segment **out, const struct slm_segment *segment,
                                       struct slm_error *error);
/*
 * A number made of device, inode and the time when anything but its content changed last. A copy of
 * the file has another, and so has a file into which a hole was punched since. 0: unknown.
 */
uint64_t slm_segment_file_version(const struct slm_segment *segment);

/* Its file, as it was when it was opened: what became of the descriptor since makes no difference.
 * All 0: it has no file. A file system may give the number of a removed file to the next one; the
 * births of the two differ. */
struct slm_segment_place {
    uint64_t device;
    uint64_t inode;
    uint64_t birth; /* ns since 1970; 0: the system or the file system does not know it */
};
struct slm_segment_place slm_segment_file_place(const struct slm_segment *segment);

/* Whether the SIGBUS guard has put zeros in place of what was cut off. No system call. */
bool slm_segment_was_mended(const struct slm_segment *segment);
/* SLM_OK if the segment is as long as what is mapped, with its name or without; also if that is
 * unknown, since the descriptor is lost. SLM_E_TRUNCATED, SLM_E_IO. */
enum slm_status slm_segment_check_cut(const struct slm_segment *segment, struct slm_error *error);
/*
 * POSIX, MEMFD, FILE: the system gets back the memory, or the blocks, of the whole pages in [from, to),
 * which read as zeros then. *n_bytes: what was given back, by the system's account. Fails:
 * SLM_E_OPTION (the kind, or its file system, cannot), SLM_E_STATE (the descriptor), SLM_E_IO.
 */
enum slm_status slm_segment_give_back(struct slm_segment *segment, size_t from, size_t to,
                                      uint64_t *n_bytes, struct slm_error *error);
/* The same part, within the file, has backing again; no content changes. RLIMIT_FSIZE does not apply.
 * SLM_E_SPACE, SLM_E_NOMEM, SLM_E_STATE (the descriptor), SLM_E_TRUNCATED (the file ends before
 * `to`), SLM_E_IO. Two system calls. */
enum slm_status slm_segment_back(struct slm_segment *segment, size_t from, size_t to,
                                 struct slm_error *error);
/* Waits until the disk has n_bytes from `from` on, whole system pages, and the file's length.
 * SLM_E_IO. Cost O(pages that changed), each a write. */
enum slm_status slm_segment_sync(const struct slm_segment *segment, size_t from, size_t n_bytes,
                                 struct slm_error *error);
/* Whether a regular file that the caller may read is at the path, and begins with these bytes, at
 * most 64. */
bool slm_segment_file_begins_with(const char *path, const void *bytes, size_t n_bytes);
/* POSIX, FILE: removes the name, if it is this segment's. SLM_E_MISSING: it is not. */
enum slm_status slm_segment_remove_own(const struct slm_segment *segment, struct slm_error *error);

#ifdef __cplusplus
}
#endif
#endif
