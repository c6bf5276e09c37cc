/* SPDX-License-Identifier: Apache-2.0 */
/* Segments: which part of the system serves which kind. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* struct sigaction, in sys.h */
#endif
#include <slabmill/segment.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "allocator/base/bits.h"
#include "allocator/segment/fail.h"
#include "allocator/segment/handle.h"
#include "allocator/segment/name.h"
#include "allocator/segment/sys.h"

/*
 * Structure
 *
 *   segment   the public calls; chooses by kind          list    names that exist: list, remove
 *     unused  whether other processes have it
 *     file    POSIX, MEMFD, FILE: memory of a descriptor
 *       unnamed   a file before it has its name
 *       backing   room in a file, and the lock on its length
 *         descriptor   whether it still is the segment's file
 *     memory  ANONYMOUS, SYSV: all of it mapped at once
 *       memory_limit   what there can never be
 *       range   addresses: reserve, show, hide            name    names and paths
 *   guard     SIGBUS; calls nothing above, called through a hook only
 *   trust     owners and permissions    fail    errno to status and text    sys    system calls
 *
 * Each file calls files below it only. A process holds a struct slm_segment (handle.h). Nothing is
 * stored in the segment: all of its bytes are the user's, and a new one holds zeros.
 *
 * One range   A handle reserves max_bytes of addresses that cannot be touched, and puts memory over
 *             their beginning. So a segment grows in place, no pointer into it ever moves, and a
 *             stray access past its end faults and hits no neighbour.
 * Two shapes  Memory with a descriptor can become longer: growing reserves pages, maps them, and
 *             changes the length last, the one step that other processes see. Memory without one
 *             cannot: all of the range is mapped at once, and growing changes access rights only.
 * No SIGBUS   A full file system ends a process that touches a page that is not there. So the pages
 *             are taken by fallocate when the segment is made or grows, where "no space" is an
 *             error. A file that another process cuts short is the case that remains: verify sees
 *             it, and a program that must live through it installs the guard.
 * Name last   A file gets its name when it is complete: no half-made one can be opened, and a maker
 *             that is killed leaves none.
 * One table   Every system call goes through slm_segment_sys, so that a test can make any of them
 *             fail. A call that fails undoes what the calls before it did.
 */

static bool has_file(enum slm_segment_kind kind)
{
    return kind == SLM_SEGMENT_POSIX || kind == SLM_SEGMENT_MEMFD || kind == SLM_SEGMENT_FILE;
}

/* --- Making handles --- */

static bool may_be_huge(enum slm_segment_kind kind)
{
    return kind == SLM_SEGMENT_ANONYMOUS || kind == SLM_SEGMENT_SYSV || kind == SLM_SEGMENT_MEMFD;
}

static bool has_name(enum slm_segment_kind kind)
{
    return kind == SLM_SEGMENT_POSIX || kind == SLM_SEGMENT_FILE;
}

static enum slm_status check_options(const struct slm_segment_options *options,
                                     struct slm_error *error)
{
    const char *name = options->name == NULL ? "without a name" : options->name;
    if ((unsigned)options->kind > SLM_SEGMENT_FILE) {
        return slm_error_set(error, SLM_E_OPTION, 0,
                             "segment %.100s: kind %u is not within 0 to %u", name,
                             (unsigned)options->kind, (unsigned)SLM_SEGMENT_FILE);
    }
    if ((unsigned)options->huge > SLM_SEGMENT_HUGE_TRY) {
        return slm_error_set(error, SLM_E_OPTION, 0,
                             "segment %.100s: huge %u is not within 0 to %u", name,
                             (unsigned)options->huge, (unsigned)SLM_SEGMENT_HUGE_TRY);
    }
    if (options->huge != SLM_SEGMENT_HUGE_NO && !may_be_huge(options->kind)) {
        return slm_error_set(error, SLM_E_OPTION, 0,
                             "segment %.100s: huge is not for POSIX and FILE segments", name);
    }
    if ((options->mode & ~(mode_t)0777) != 0) {
        return slm_error_set(error, SLM_E_OPTION, 0, "segment %.100s: mode 0%o is more than 0777",
                             name, (unsigned)options->mode);
    }
    if (options->unnamed && !has_name(options->kind)) {
        return slm_error_set(error, SLM_E_OPTION, 0,
                             "segment %.100s: unnamed is for POSIX and FILE segments", name);
    }
    return slm_segment_check_name(options, error);
}

static enum slm_status make_handle(struct slm_segment **out,
                                   const struct slm_segment_options *options,
                                   struct slm_error *error)
{
    size_t label_bytes = (size_t)slm_segment_path(NULL, 0, options) + SLM_SEGMENT_LABEL_BYTES;
    size_t temporary_bytes = label_bytes + SLM_SEGMENT_TEMPORARY_BYTES;
    struct slm_segment *segment =
        slm_segment_sys.malloc(sizeof *segment + label_bytes + temporary_bytes);
    if (segment == NULL) {
        char label[SLM_ERROR_BYTES];
        (void)slm_segment_path(label, sizeof label, options);
        return slm_error_set(error, SLM_E_NOMEM, 0, "%.100s: no memory for its handle", label);
    }
    *segment = (struct slm_segment){
        .page_bytes = slm_segment_system_page_bytes(),
        .guard_bytes = options->guard ? slm_segment_system_page_bytes() : 0,
        .kind = options->kind,
        .read_only = options->read_only,
        .dump_core = options->dump_core,
        .maker = slm_segment_sys.getpid(),
        .fd = -1,
        .id = -1,
        .label = (char *)(segment + 1),
        .temporary = (char *)(segment + 1) + label_bytes,
    };
    segment->temporary[0] = '\0';
    (void)slm_segment_path(segment->label, label_bytes, options);
    *out = segment;
    return SLM_OK;
}

static enum slm_status create_with(struct slm_segment *segment,
                                   const struct slm_segment_options *options, bool huge,
                                   struct slm_error *error)
{
    /* clang-tidy does not see that make_handle, when it fails, returns another status. */
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    return has_file(segment->kind) ? slm_segment_file_create(segment, options, huge, error)
                                   : slm_segment_memory_create(segment, options, huge, error);
}

/* If huge pages fail, for any reason, plain ones show whether that was the only reason. */
static enum slm_status create_any(struct slm_segment *segment,
                                  const struct slm_segment_options *options,
                                  struct slm_error *error)
{
    if (options->huge == SLM_SEGMENT_HUGE_TRY &&
        create_with(segment, options, true, error) == SLM_OK) {
        return SLM_OK;
    }
    return create_with(segment, options, false, error);
}

static enum slm_status open_any(struct slm_segment *segment,
                                const struct slm_segment_options *options, struct slm_error *error)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): as in create_with */
    return has_file(segment->kind) ? slm_segment_file_open(segment, options, error)
                                   : slm_segment_sysv_attach(segment, options, error);
}

static enum slm_status attach_any(struct slm_segment *segment,
                                  const struct slm_segment_options *options,
                                  struct slm_error *error)
{
    enum slm_status status = open_any(segment, options, error);
    if (status == SLM_OK && has_file(segment->kind)) {
        status = slm_segment_file_map(segment, options->max_bytes, false, error);
        if (status != SLM_OK) {
            slm_segment_release(segment);
            slm_segment_close(segment);
        }
    }
    return status;
}

typedef enum slm_status make_any(struct slm_segment *segment,
                                 const struct slm_segment_options *options,
                                 struct slm_error *error);

static enum slm_status make(struct slm_segment **out, const struct slm_segment_options *options,
                            make_any *make_it, struct slm_error *error)
{
    struct slm_segment *segment = NULL;
    enum slm_status status = check_options(options, error);
    if (status == SLM_OK) {
        status = make_handle(&segment, options, error);
    }
    if (status != SLM_OK) {
        return status;
    }
    status = make_it(segment, options, error);
    if (status != SLM_OK) {
        free(segment);
        return status;
    }
    *out = segment;
    return slm_error_clear(error);
}

/* Whether the caller gave options and a place for the handle, which is set to NULL. */
static bool has_arguments(struct slm_segment **out, const struct slm_segment_options *options,
                          struct slm_error *error)
{
    if (out != NULL) {
        *out = NULL;
    }
    if (out != NULL && options != NULL) {
        return true;
    }
    (void)slm_error_set(error, SLM_E_NULL, 0, "no options, or no place for the handle");
    return false;
}

enum slm_status slm_segment_create(struct slm_segment **out,
                                   const struct slm_segment_options *options,
                                   struct slm_error *error)
{
    if (!has_arguments(out, options, error)) {
        return SLM_E_NULL;
    }
    if (options->read_only) {
        return slm_error_set(error, SLM_E_OPTION, 0,
                             "segment %.100s: a new segment cannot be read_only",
                             options->name == NULL ? "without a name" : options->name);
    }
    return make(out, options, create_any, error);
}

static enum slm_status create_successor(struct slm_segment *segment,
                                        const struct slm_segment_options *options,
                                        struct slm_error *error)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): as in create_with */
    segment->replaces = true;
    return slm_segment_file_create(segment, options, false, error);
}

enum slm_status slm_segment_create_successor(struct slm_segment **out,
                                             const struct slm_segment_options *options,
                                             struct slm_error *error)
{
    return make(out, options, create_successor, error);
}

/* For what exists already. */
static enum slm_status make_attached(struct slm_segment **out,
                                     const struct slm_segment_options *options, make_any *make_it,
                                     struct slm_error *error)
{
    if (!has_arguments(out, options, error)) {
        return SLM_E_NULL;
    }
    if (options->kind == SLM_SEGMENT_ANONYMOUS) {
        return slm_error_set(error, SLM_E_OPTION, 0,
                             "an anonymous segment cannot be attached: it is inherited by fork");
    }
    if (options->unnamed) {
        return slm_error_set(error, SLM_E_OPTION, 0,
                             "segment %.100s: only a new segment can be unnamed",
                             options->name == NULL ? "without a name" : options->name);
    }
    return make(out, options, make_it, error);
}

enum slm_status slm_segment_attach(struct slm_segment **out,
                                   const struct slm_segment_options *options,
                                   struct slm_error *error)
{
    return make_attached(out, options, attach_any, error);
}

enum slm_status slm_segment_open(struct slm_segment **out,
                                 const struct slm_segment_options *options, struct slm_error *error)
{
    return make_attached(out, options, open_any, error);
}

enum slm_status slm_segment_map_opened(struct slm_segment *segment, size_t max_bytes, bool is_whole,
                                       struct slm_error *error)
{
    if (!has_file(segment->kind)) {
        return SLM_OK;
    }
    enum slm_status status = slm_segment_file_map(segment, max_bytes, is_whole, error);
    return status == SLM_OK && segment->read_only && !is_whole
               ? slm_segment_backing_read(segment, error)
               : status;
}

/* NULL: no memory. It has no room for the path of a temporary name. */
static struct slm_segment *copy_handle(const struct slm_segment *segment)
{
    size_t label_bytes = strlen(segment->label) + 1;
    struct slm_segment *again = slm_segment_sys.malloc(sizeof *again + label_bytes + 1);
    if (again == NULL) {
        return NULL;
    }
    *again = (struct slm_segment){
        .page_bytes = segment->page_bytes,
        .kind = segment->kind,
        .read_only = segment->read_only,
        .dump_core = segment->dump_core,
        .maker = slm_segment_sys.getpid(),
        .fd = -1,
        .id = -1,
        .label = (char *)(again + 1),
        .temporary = (char *)(again + 1) + label_bytes,
    };
    memcpy(again->label, segment->label, label_bytes);
    again->temporary[0] = '\0';
    return again;
}

enum slm_status slm_segment_open_again(struct slm_segment **out, const struct slm_segment *segment,
                                       struct slm_error *error)
{
    struct slm_segment *again = copy_handle(segment);
    *out = NULL;
    if (again == NULL) {
        return slm_error_set(error, SLM_E_NOMEM, 0, "%s: no memory for a second handle",
                             segment->label);
    }
    enum slm_status status = slm_segment_file_share(again, segment, error);
    if (status == SLM_OK) {
        status = slm_segment_file_map(again, segment->max_bytes, true, error);
    }
    if (status != SLM_OK) {
        slm_segment_detach(again);
        return status;
    }
    *out = again;
    return SLM_OK;
}

void slm_segment_detach(struct slm_segment *segment)
{
    if (segment != NULL) {
        slm_segment_release(segment);
        slm_segment_forget_unnamed(segment);
        slm_segment_close(segment);
        free(segment);
    }
}

static enum slm_status no_segment(struct slm_error *error)
{
    return slm_error_set(error, SLM_E_NULL, 0, "NULL where a segment is needed");
}

enum slm_status slm_segment_publish(struct slm_segment *segment, struct slm_error *error)
{
    (void)slm_error_clear(error);
    if (segment == NULL) {
        return no_segment(error);
    }
    return segment->is_unnamed
               ? slm_segment_name_file(segment, error)
               : slm_error_set(error, SLM_E_STATE, 0, "%s: it was not created unnamed, or is named",
                               segment->label);
}

/* --- Length --- */

/* The length only: what has no name any more can still be used and grow. */
static enum slm_status check_length(const struct slm_segment *segment, struct slm_error *error)
{
    size_t size_bytes;
    (void)slm_error_clear(error);
    if (slm_segment_was_mended(segment)) {
        return slm_error_set(error, SLM_E_TRUNCATED, 0,
                             "%s: a page that was touched is cut off, or a hole without memory",
                             segment->label);
    }
    return has_file(segment->kind) ? slm_segment_file_size(segment, &size_bytes, error) : SLM_OK;
}

/* For calls that change the length. */
static enum slm_status check_changeable(const struct slm_segment *segment, size_t bytes,
                                        struct slm_error *error)
{
    if (segment == NULL) {
        return no_segment(error);
    }
    if (segment->read_only) {
        return slm_error_set(error, SLM_E_READ_ONLY, 0, "%s: attached read-only", segment->label);
    }
    if (bytes == 0 || bytes > segment->max_bytes) {
        return slm_error_set(error, SLM_E_SIZE, 0, "%s: %zu bytes are not within 1 to %zu",
                             segment->label, bytes, segment->max_bytes);
    }
    return check_length(segment, error);
}

/* Makes more of the range accessible. */
static enum slm_status show_up_to(struct slm_segment *segment, size_t to, struct slm_error *error)
{
    enum slm_status status = slm_segment_show(segment, segment->bytes, to, error);
    if (status == SLM_OK) {
        segment->bytes = to;
    }
    return status;
}

enum slm_status slm_segment_grow(struct slm_segment *segment, size_t bytes, struct slm_error *error)
{
    enum slm_status status = check_changeable(segment, bytes, error);
    if (status != SLM_OK) {
        return status;
    }
    size_t to = slm_align_up(bytes, segment->page_bytes);
    if (to <= segment->bytes) {
        return SLM_OK;
    }
    status = slm_segment_check_memory(segment, to, error);
    if (status != SLM_OK) {
        return status;
    }
    return has_file(segment->kind) ? slm_segment_file_grow(segment, to, error)
                                   : show_up_to(segment, to, error);
}

enum slm_status slm_segment_shrink(struct slm_segment *segment, size_t bytes,
                                   struct slm_error *error)
{
    enum slm_status status = check_changeable(segment, bytes, error);
    if (status != SLM_OK) {
        return status;
    }
    size_t to = slm_align_up(bytes, segment->page_bytes);
    if (to >= segment->bytes) {
        return slm_error_set(error, SLM_E_SIZE, 0, "%s: %zu bytes, not more than %zu",
                             segment->label, segment->bytes, to);
    }
    return has_file(segment->kind) ? slm_segment_file_shrink(segment, to, error)
                                   : slm_segment_memory_shrink(segment, to, error);
}

/* Maps whole pages of the file, as far as the range goes. */
static enum slm_status refresh_file(struct slm_segment *segment, size_t bytes,
                                    struct slm_error *error)
{
    size_t to;
    enum slm_status status = slm_segment_file_size(segment, &to, error);
    if (status != SLM_OK) {
        return status;
    }
    if (to < bytes) {
        return slm_segment_cut(error, segment->label, to, bytes);
    }
    to -= to % segment->page_bytes;
    return show_up_to(segment, to < segment->max_bytes ? to : segment->max_bytes, error);
}

enum slm_status slm_segment_refresh(struct slm_segment *segment, size_t bytes,
                                    struct slm_error *error)
{
    if (segment == NULL) {
        return no_segment(error);
    }
    if (bytes > segment->max_bytes) {
        return slm_error_set(error, SLM_E_SIZE, 0, "%s: %zu bytes, more than the range of %zu",
                             segment->label, bytes, segment->max_bytes);
    }
    enum slm_status status = check_length(segment, error);
    if (status == SLM_OK && has_file(segment->kind)) {
        return refresh_file(segment, bytes, error);
    }
    size_t to = slm_align_up(bytes, segment->page_bytes);
    return status == SLM_OK && to > segment->bytes ? show_up_to(segment, to, error) : status;
}

void slm_segment_unmap_tail(struct slm_segment *segment, size_t bytes)
{
    if (segment != NULL && has_file(segment->kind) && bytes < segment->bytes) {
        size_t to = slm_align_up(bytes, segment->page_bytes);
        slm_segment_hide(segment, to, segment->bytes);
        segment->bytes = to;
    }
}

enum slm_status slm_segment_check_cut(const struct slm_segment *segment, struct slm_error *error)
{
    enum slm_status status = check_length(segment, error);
    return status == SLM_E_STATE ? slm_error_clear(error) : status;
}

enum slm_status slm_segment_verify(const struct slm_segment *segment, struct slm_error *error)
{
    if (segment == NULL) {
        return no_segment(error);
    }
    enum slm_status status = check_length(segment, error);
    return status == SLM_OK && has_name(segment->kind) && !segment->is_unnamed
               ? slm_segment_check_own_name(segment, error)
               : status;
}

enum slm_status slm_segment_sync(const struct slm_segment *segment, size_t from, size_t n_bytes,
                                 struct slm_error *error)
{
    size_t end = slm_align_up(from + n_bytes, segment->page_bytes);
    size_t start = from / segment->page_bytes * segment->page_bytes;
    end = end < segment->bytes ? end : segment->bytes;
    return slm_segment_sys.msync((unsigned char *)segment->base + start, end - start) == 0
               ? SLM_OK
               : slm_segment_fail(error, segment->label, "msync");
}

/* --- What a handle knows --- */

void *slm_segment_base(const struct slm_segment *segment)
{
    return segment == NULL ? NULL : segment->base;
}

size_t slm_segment_bytes(const struct slm_segment *segment)
{
    return segment == NULL ? 0 : segment->bytes;
}

size_t slm_segment_max_bytes(const struct slm_segment *segment)
{
    return segment == NULL ? 0 : segment->max_bytes;
}

enum slm_segment_kind slm_segment_get_kind(const struct slm_segment *segment)
{
    return segment == NULL ? SLM_SEGMENT_ANONYMOUS : segment->kind;
}

bool slm_segment_is_read_only(const struct slm_segment *segment)
{
    return segment != NULL && segment->read_only;
}

int slm_segment_id(const struct slm_segment *segment)
{
    if (segment == NULL) {
        return 0;
    }
    return has_file(segment->kind) ? segment->fd : segment->id;
}

const char *slm_segment_label(const struct slm_segment *segment)
{
    return segment == NULL ? NULL : segment->label;
}
